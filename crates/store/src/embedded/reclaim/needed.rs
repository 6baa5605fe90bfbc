//! What of a segment the log still needs, when it is given up.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use types::MailId;

use super::super::core::{Carry, CarryPart};
use super::super::directory::{
    AccountGone, AccountState, EntryChange, EntryKey, KeyAlone, KeyUse, decode_account,
};
use super::super::disk::DiskFile;
use super::super::folder::{MailboxGone, MailboxState, Transferred, TransferredMessage};
use super::super::queue::{ItemNext, QueueChange, QueuedPart};
use super::super::record::{
    BodyPlace, Expunge, FLAGS_MAX, FlagsChange, Kind, Lsn, Message, RECORD_HEADER_LEN,
};
use super::super::segments::{Bodies, Record, Scanner, Segments, damaged};
use super::super::shared::Shared;
use super::super::view::Reader;
use crate::{Account, MailboxId, ModSeq, StoreError, Uid};

/// Tombstones in one record.
const TOMBSTONES_AT_ONCE: usize = 1000;

/// What of a segment is needed further on.
pub(super) struct Plan {
    pub(super) file: Arc<dyn DiskFile>,
    pub(super) items: Vec<(Carry, Option<BodyAt>)>,
    pub(super) bytes: u64,
}

/// Where the octets of a message that is carried are.
pub(super) struct BodyAt {
    pub(super) offset: u64,
    pub(super) len: usize,
    pub(super) crc: u32,
}

pub(super) fn plan(shared: &Shared, reader: &Reader, number: u32) -> Result<Plan, StoreError> {
    let file = shared.segments.verify_header(number)?;
    let mut scanner = Scanner::new(Arc::clone(&file), Lsn::first_of(number), Bodies::Skip);
    let rows = reader.segments()?.into_iter();
    let emptied = rows.filter(|(n, row)| *n != number && row.live_bytes == 0 && shared.segments.contains(*n));
    let mut needs = Needs {
        reader,
        segments: &shared.segments,
        oldest_emptied: emptied.map(|(n, _)| n).min(),
        oldest: shared.segments.numbers().into_iter().find(|n| *n != number),
        items: Vec::new(),
        mailboxes: BTreeMap::new(),
        last_ids: false,
    };
    loop {
        let at = scanner.at();
        let Some(record) = scanner.next()? else {
            let what = "a record is not what was written; the segment is kept";
            return Err(damaged(at, what));
        };
        if record.header.kind == Kind::Seal {
            break;
        }
        needs.record(&record)?;
    }
    let Needs { mut items, mailboxes, last_ids, .. } = needs;
    items.extend(mailboxes.into_iter().map(|(id, forgotten)| (Carry::Mailbox { id, forgotten }, None)));
    items.extend(last_ids.then_some((Carry::LastIds, None)));
    let bytes = items
        .iter()
        .map(|(item, body)| (item.log_bytes() + body.as_ref().map_or(0, |body| body.len)) as u64)
        .sum();
    Ok(Plan { file, items, bytes })
}

struct Needs<'r> {
    reader: &'r Reader,
    segments: &'r Segments,
    /// The oldest segment of which nothing lives and that is there all the same.
    oldest_emptied: Option<u32>,
    /// The oldest segment but for the one that is given up.
    oldest: Option<u32>,
    items: Vec<(Carry, Option<BodyAt>)>,
    /// Mailboxes that it says something of, and up to where what vanished from them goes with it.
    mailboxes: BTreeMap<MailboxId, ModSeq>,
    /// Whether it says which ids were given.
    last_ids: bool,
}

impl Needs<'_> {
    fn record(&mut self, record: &Record) -> Result<(), StoreError> {
        match record.header.kind {
            Kind::Message => self.message(record, &Message::decode(&record.meta)?),
            Kind::Flags => self.flags(&FlagsChange::decode(&record.meta)?),
            Kind::FlagsEach => self.flags(&FlagsChange::decode_each(&record.meta)?),
            Kind::FlagsVersion4 => self.flags(&FlagsChange::decode_version_4(&record.meta)?),
            Kind::Transfer => self.transferred(record.header.lsn, &Transferred::decode(&record.meta)?),
            Kind::Expunge => {
                let Expunge { mailbox, modseq, messages } = Expunge::decode(&record.meta)?;
                self.tombstones(record.header.lsn, mailbox, modseq, messages);
                Ok(())
            }
            Kind::AccountVersion1 => self.account_with_inbox(AccountState::decode_version_1(&record.meta)?),
            Kind::AccountVersion4 => self.account_with_inbox(AccountState::decode_version_4(&record.meta)?),
            Kind::Account => self.account(&decode_account(&record.meta)?),
            Kind::Entry => self.entry(&EntryChange::decode(&record.meta)?),
            Kind::AccountGone => {
                self.account_gone(AccountGone::decode(&record.meta)?);
                Ok(())
            }
            Kind::LastIds => {
                self.last_ids = true;
                Ok(())
            }
            Kind::Key => {
                let KeyAlone { mail_id, used } = KeyAlone::decode(&record.meta)?;
                self.key(mail_id, used)
            }
            Kind::Queue => self.queued(record.header.lsn, &record.meta),
            Kind::MailboxVersion4 => {
                self.mailbox(MailboxState::decode_version_4(&record.meta)?.id);
                Ok(())
            }
            Kind::Mailbox => {
                self.mailbox(MailboxState::decode(&record.meta)?.id);
                Ok(())
            }
            Kind::MailboxGone => {
                let gone = MailboxGone::decode(&record.meta)?;
                self.last_ids = true;
                if self.may_be_in_older(gone.since) {
                    self.items.push((Carry::MailboxGone(gone), None));
                }
                Ok(())
            }
            Kind::Seal => Ok(()),
        }
    }

    fn message(&mut self, record: &Record, message: &Message<'_>) -> Result<(), StoreError> {
        message.entries.iter().for_each(|entry| self.mailbox(entry.mailbox));
        let header = record.header;
        match self.reader.mail(message.mail_id)? {
            Some(row) if row.lsn == header.lsn => {}
            // It is elsewhere, with its key.
            Some(_) => return Ok(()),
            None => return message.key.map_or(Ok(()), |used| self.key(message.mail_id, used)),
        }
        let item = Carry::Mail {
            mail_id: message.mail_id,
            from: header.lsn,
            received_at: message.received_at,
            place: message.place,
            body_len: message.body_len,
            body_crc: message.body_crc,
            envelope: message.envelope.to_vec(),
            key: message.key.map(|used| (used.account, used.key.to_owned())),
            queue: message.queue.iter().map(carry_part).collect(),
            body: Bytes::new(),
        };
        let body = (message.place == BodyPlace::Inline).then(|| BodyAt {
            offset: header.lsn.offset() + RECORD_HEADER_LEN as u64 + u64::from(header.meta_len),
            len: header.body_len as usize,
            crc: message.body_crc,
        });
        self.items.push((item, body));
        Ok(())
    }

    fn flags(&mut self, change: &FlagsChange) -> Result<(), StoreError> {
        self.mailbox(change.mailbox);
        let FlagsChange { mailbox, modseq, .. } = *change;
        let mut needed = Vec::new();
        self.reader.each_entry_of(mailbox, &change.uids(), |uid, entry| {
            let entry = entry.filter(|entry| entry.modseq == modseq);
            needed.extend(entry.map(|entry| (uid, entry.flags)));
        })?;
        for messages in needed.chunks(FLAGS_MAX) {
            let change = FlagsChange { mailbox, modseq, messages: messages.to_vec() };
            self.items.push((Carry::Flags(change), None));
        }
        Ok(())
    }

    fn mailbox(&mut self, id: MailboxId) {
        self.mailboxes.entry(id).or_insert(ModSeq(0));
    }

    /// Messages that went from a mailbox, and where their records are.
    fn tombstones(&mut self, at: Lsn, mailbox: MailboxId, modseq: ModSeq, messages: Vec<(Uid, Lsn)>) {
        let all = messages.len();
        let needed: Vec<(Uid, Lsn)> =
            messages.into_iter().filter(|(_, home)| self.may_raise(at, *home)).collect();
        let forgotten = self.mailboxes.entry(mailbox).or_insert(ModSeq(0));
        if needed.len() < all {
            *forgotten = modseq.max(*forgotten);
        }
        for part in needed.chunks(TOMBSTONES_AT_ONCE) {
            self.items.push((Carry::Tombstones { mailbox, modseq, messages: part.to_vec() }, None));
        }
    }

    fn transferred(&mut self, at: Lsn, moved: &Transferred<'_>) -> Result<(), StoreError> {
        self.mailbox(moved.to);
        for TransferredMessage { mail_id, uid, .. } in &moved.messages {
            let entry = self.reader.entry_state(moved.to, *uid)?;
            let is_there = entry.is_some_and(|entry| entry.mail_id == *mail_id);
            // A record of the message that came later names the mailbox.
            if is_there && self.reader.mail_lsn(*mail_id)?.is_some_and(|home| home < at) {
                let item = Carry::Transferred { mailbox: moved.to, uid: *uid, mail_id: *mail_id, from: at };
                self.items.push((item, None));
            }
        }
        if let Some((from, modseq)) = moved.from {
            let messages = moved.messages.iter().map(|message| message.from).collect();
            self.tombstones(at, from, modseq, messages);
        }
        Ok(())
    }

    /// Whether a message's record may stay, or an older copy of it, of which something is gone.
    fn may_raise(&self, tombstone: Lsn, home: Lsn) -> bool {
        let home_stays = home.segment() != tombstone.segment() && self.segments.contains(home.segment());
        let older_copy = self.oldest_emptied.is_some_and(|oldest| oldest < home.segment());
        home_stays || older_copy
    }

    fn queued(&mut self, at: Lsn, meta: &[u8]) -> Result<(), StoreError> {
        let change = QueueChange::decode(meta)?;
        let id = change.id;
        let from = match change.next {
            ItemNext::Gone { home } if self.may_raise(at, home) => None,
            ItemNext::Gone { .. } => return Ok(()),
            ItemNext::Now(_) => {
                let row = self.reader.queue_row(id)?;
                if row.is_none_or(|row| row.lsn != at || row.record_len == 0) {
                    return Ok(());
                }
                Some(at)
            }
        };
        self.items.push((Carry::Queue { id, from, meta: meta.to_vec() }, None));
        Ok(())
    }

    fn account_with_inbox(&mut self, state: AccountState) -> Result<(), StoreError> {
        self.mailbox(state.inbox.id);
        self.account(&state.account)
    }

    fn account(&mut self, said: &Account) -> Result<(), StoreError> {
        // Anything else that is said of it means a later record.
        if self.reader.account(said.id)?.is_some_and(|account| account == *said) {
            self.items.push((Carry::Account(said.id), None));
        }
        Ok(())
    }

    fn entry(&mut self, change: &EntryChange<'_>) -> Result<(), StoreError> {
        let key = EntryKey::from(change.key);
        let now = self.reader.directory(&key)?;
        if now.as_deref() != change.value {
            return Ok(());
        }
        let since = change.value.is_none().then_some(change.since);
        if since.is_none_or(|since| self.may_be_in_older(since)) {
            self.items.push((Carry::Entry { key, since }, None));
        }
        Ok(())
    }

    fn account_gone(&mut self, gone: AccountGone) {
        self.last_ids = true;
        if self.may_be_in_older(gone.since) {
            self.items.push((Carry::AccountGone(gone), None));
        }
    }

    /// Whether what was removed at a position may stand in a segment before it. What stands behind it does not: only
    /// what is there is written again.
    fn may_be_in_older(&self, since: Lsn) -> bool {
        self.oldest.is_some_and(|oldest| oldest < since.segment())
    }

    /// A key of a message that is gone.
    fn key(&mut self, mail_id: MailId, used: KeyUse<'_>) -> Result<(), StoreError> {
        if self.reader.key(used.account, used.key)?.is_some_and(|row| row.mail_id == mail_id) {
            let item = Carry::Key { account: used.account, key: used.key.to_owned(), mail_id };
            self.items.push((item, None));
        }
        Ok(())
    }
}

fn carry_part(part: &QueuedPart<'_>) -> CarryPart {
    CarryPart {
        part: part.part,
        reverse_path: part.reverse_path.to_owned(),
        header: part.header.to_vec(),
        priority: part.priority,
        due: part.now.due,
        state: part.now.state.to_vec(),
    }
}
