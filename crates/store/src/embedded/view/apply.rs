//! Bringing the view up to the log. The same code serves new records, replay at start and making it anew.

use std::collections::BTreeMap;

use redb::{ReadableTable as _, Table, WriteTransaction};

use super::super::codec::length;
use super::super::directory::{AccountGone, AccountState, EntryChange, KeyAlone, LastIds, decode_account};
use super::super::folder::{MailboxGone, MailboxState, Transferred};
use super::super::queue::QueueChange;
use super::super::record::{BodyPlace, Expunge, FlagsChange, Header, Kind, Lsn, Message};
use super::queue::QueueTables;
use super::{
    ACCOUNT_MAILBOXES, ACCOUNTS, APPLIED, ENTRIES, FILES, LOOSE, MAILBOXES, MAILS, META, NAMES, SEGMENTS,
    View, malformed,
};
use super::{EntryState, MailRow, MailboxRow, Row, SegmentRow};
use crate::{MailboxId, StoreError};

/// Whether what was applied is on stable storage afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Durable {
    /// With everything that was applied before.
    Yes,
    /// After the next that is.
    Later,
}

/// What followed from applying records.
#[derive(Debug, Default)]
pub(in super::super) struct Applied {
    /// Body files that nothing refers to any more.
    pub(in super::super) dead_files: Vec<u64>,
    /// Mailboxes are gone whose messages are to be cleared away ([`View::purge`]).
    pub(in super::super) mailboxes_gone: bool,
}

impl View {
    /// Applies records up to the log position `end`, all or none.
    pub(in super::super) fn apply<'r>(
        &self,
        records: impl Iterator<Item = (Header, &'r [u8])>,
        end: Lsn,
        durable: Durable,
    ) -> Result<Applied, StoreError> {
        self.change(|txn| {
            let applied = {
                let mut apply = Apply::new(txn, self.keys_max)?;
                for (header, meta) in records {
                    apply.record(&header, meta)?;
                }
                apply.finish()?
            };
            txn.open_table(META)?.insert(APPLIED, end.0)?;
            Ok((applied, durable))
        })
    }

    /// Changes the view, altogether or not at all, as durably as `work` says.
    pub(super) fn change<T>(
        &self,
        work: impl FnOnce(&WriteTransaction) -> Result<(T, Durable), redb::Error>,
    ) -> Result<T, StoreError> {
        self.with(|database| {
            let mut txn = database.begin_write()?;
            let (done, durable) = work(&txn)?;
            match durable {
                // Opening after a crash is then quick whatever the size.
                Durable::Yes => txn.set_quick_repair(true),
                Durable::Later => txn.set_durability(redb::Durability::None).map_err(redb::Error::from)?,
            }
            txn.commit()?;
            Ok(done)
        })
    }
}

type Bytes = &'static [u8];

pub(super) struct Apply<'t> {
    pub(super) txn: &'t WriteTransaction,
    pub(super) keys_max: u64,
    pub(super) accounts: Table<'t, u64, Bytes>,
    pub(super) names: Table<'t, &'static str, u64>,
    pub(super) mailboxes: Table<'t, u64, Bytes>,
    pub(super) account_mailboxes: Table<'t, (u64, u64), ()>,
    pub(super) entries: Table<'t, (u64, u32), Bytes>,
    pub(super) mails: Table<'t, u128, Bytes>,
    pub(super) files: Table<'t, u64, u128>,
    segments: Table<'t, u32, Bytes>,
    /// Rows that many records of a batch change are written once, in order.
    pub(super) mailbox_rows: BTreeMap<MailboxId, MailboxRow>,
    segment_rows: BTreeMap<u32, SegmentRow>,
    pub(super) queue: Option<QueueTables<'t>>,
    /// The indices of the queue are made later: see [`super::queue_build`].
    pub(super) is_building: bool,
    pub(super) applied: Applied,
}

impl<'t> Apply<'t> {
    pub(super) fn new(txn: &'t WriteTransaction, keys_max: u64) -> Result<Self, redb::Error> {
        Ok(Self {
            txn,
            keys_max,
            accounts: txn.open_table(ACCOUNTS)?,
            names: txn.open_table(NAMES)?,
            mailboxes: txn.open_table(MAILBOXES)?,
            account_mailboxes: txn.open_table(ACCOUNT_MAILBOXES)?,
            entries: txn.open_table(ENTRIES)?,
            mails: txn.open_table(MAILS)?,
            files: txn.open_table(FILES)?,
            segments: txn.open_table(SEGMENTS)?,
            mailbox_rows: BTreeMap::new(),
            segment_rows: BTreeMap::new(),
            queue: None,
            is_building: false,
            applied: Applied::default(),
        })
    }

    pub(super) fn record(&mut self, header: &Header, meta: &[u8]) -> Result<(), redb::Error> {
        match header.kind {
            Kind::Message => self.message(header, &Message::decode(meta).map_err(malformed)?),
            Kind::Flags => self.flags(&FlagsChange::decode(meta).map_err(malformed)?),
            Kind::FlagsEach => self.flags(&FlagsChange::decode_each(meta).map_err(malformed)?),
            Kind::FlagsVersion4 => self.flags(&FlagsChange::decode_version_4(meta).map_err(malformed)?),
            Kind::Transfer => self.transferred(&Transferred::decode(meta).map_err(malformed)?),
            Kind::Expunge => self.expunge(&Expunge::decode(meta).map_err(malformed)?),
            Kind::AccountVersion1 => {
                self.account_with_inbox(AccountState::decode_version_1(meta).map_err(malformed)?)
            }
            Kind::AccountVersion4 => {
                self.account_with_inbox(AccountState::decode_version_4(meta).map_err(malformed)?)
            }
            Kind::Account => self.account(&decode_account(meta).map_err(malformed)?),
            Kind::Entry => self.entry_change(&EntryChange::decode(meta).map_err(malformed)?),
            Kind::AccountGone => self.account_gone(&AccountGone::decode(meta).map_err(malformed)?),
            Kind::LastIds => self.last_ids(LastIds::decode(meta).map_err(malformed)?),
            Kind::Key => {
                let alone = KeyAlone::decode(meta).map_err(malformed)?;
                self.key_used(alone.mail_id, alone.used, None)
            }
            Kind::Queue => self.queue_change(header, &QueueChange::decode(meta).map_err(malformed)?),
            Kind::MailboxVersion4 => self.mailbox(MailboxState::decode_version_4(meta).map_err(malformed)?),
            Kind::Mailbox => self.mailbox(MailboxState::decode(meta).map_err(malformed)?),
            Kind::MailboxGone => self.mailbox_gone(MailboxGone::decode(meta).map_err(malformed)?),
            Kind::Seal => {
                self.segment(header.lsn.segment())?.total_bytes = header.lsn.offset() + header.len();
                Ok(())
            }
        }
    }

    /// A message that is new, or one that moved: the rows are then replaced by the same.
    fn message(&mut self, header: &Header, message: &Message<'_>) -> Result<(), redb::Error> {
        let key = u128::from_be_bytes(message.mail_id.to_bytes());
        let mut row = MailRow {
            lsn: header.lsn,
            record_len: header.len(),
            meta_len: header.meta_len,
            place: message.place,
            body_len: message.body_len,
            body_crc: message.body_crc,
            parts: length(message.queue.len()),
            entries: message.entries.iter().map(|e| (e.mailbox, e.uid)).collect(),
        };
        let is_queued = !message.queue.is_empty();
        if is_queued && !message.is_carried && row.entries.is_empty() && message.key.is_none() {
            return self.fresh_message(header, row, message);
        }
        if self.is_fresh(key) {
            self.settle_fresh(key)?;
        }
        let before = match self.mails.get(key)? {
            Some(row) => Some(MailRow::decode(row.value()).map_err(malformed)?),
            None => None,
        };
        if let Some(before) = &before {
            let segment = self.segment(before.lsn.segment())?;
            segment.live_bytes = segment.live_bytes.saturating_sub(before.record_len);
            // What one that was carried does not name is gone, or none.
            let more: Vec<_> = before.entries.iter().copied().filter(|e| !row.entries.contains(e)).collect();
            row.entries.extend(more);
        }
        if is_queued || before.is_some_and(|before| before.parts > 0) {
            self.queued_parts(header, key, &message.queue)?;
        }
        self.segment(header.lsn.segment())?.live_bytes += header.len();
        for entry in &message.entries {
            let state = EntryState {
                mail_id: message.mail_id,
                modseq: entry.modseq,
                flags: entry.flags,
                internal_date: entry.internal_date,
                size_bytes: entry.header.len() as u64 + message.body_len,
                saved_at: entry.saved_at,
            };
            self.put_entry(entry.mailbox, entry.uid, state, entry.header)?;
        }
        self.mails.insert(key, row.encode().as_slice())?;
        if let BodyPlace::File(number) = message.place {
            self.files.insert(number, key)?;
        }
        match message.key {
            Some(used) => self.key_used(message.mail_id, used, Some(message.received_at)),
            None => Ok(()),
        }
    }

    /// Nothing refers to a message any more.
    pub(super) fn forget_mail(&mut self, key: u128, row: &MailRow) -> Result<(), redb::Error> {
        if self.is_building && self.txn.open_table(LOOSE)?.get(key)?.is_some() {
            self.mails.insert(key, row.encode().as_slice())?;
            return Ok(());
        }
        self.mails.remove(key)?;
        let segment = self.segment(row.lsn.segment())?;
        segment.live_bytes = segment.live_bytes.saturating_sub(row.record_len);
        if let BodyPlace::File(number) = row.place {
            // When the view is made anew, what was removed long ago may come after the message that has the number
            // of its file now.
            let is_its_own = self.files.get(number)?.is_some_and(|owner| owner.value() == key);
            if is_its_own {
                self.files.remove(number)?;
                self.applied.dead_files.push(number);
            }
        }
        Ok(())
    }

    pub(super) fn segment(&mut self, number: u32) -> Result<&mut SegmentRow, redb::Error> {
        use std::collections::btree_map::Entry;
        Ok(match self.segment_rows.entry(number) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(match self.segments.get(number)? {
                Some(row) => SegmentRow::decode(row.value()).map_err(malformed)?,
                None => SegmentRow::default(),
            }),
        })
    }

    pub(super) fn finish(mut self) -> Result<Applied, redb::Error> {
        self.finish_queue()?;
        for (id, row) in &self.mailbox_rows {
            self.mailboxes.insert(id.0, row.encode().as_slice())?;
        }
        for (number, row) in &self.segment_rows {
            self.segments.insert(*number, row.encode().as_slice())?;
        }
        Ok(self.applied)
    }
}

impl View {
    /// Forgets segments that were given up.
    pub(in super::super) fn forget_segment(&self, number: u32) -> Result<(), StoreError> {
        self.with(|database| {
            let mut txn = database.begin_write()?;
            txn.set_durability(redb::Durability::None).map_err(redb::Error::from)?;
            txn.open_table(SEGMENTS)?.remove(number)?;
            txn.commit()?;
            Ok(())
        })
    }
}
