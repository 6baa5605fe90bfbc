//! The rows of the view as octets, each with a version octet in front.

use types::{MailId, Timestamp};

use super::super::codec::{Get, Malformed, Put, length};
use super::super::directory::{get_account, put_account};
use super::super::folder::MailboxState;
use super::super::record::{BodyPlace, Lsn};
use crate::{Account, AccountId, Flags, MailboxId, MailboxInfo, ModSeq, Uid, UidValidity};

const ROW_VERSION: u8 = 1;

/// A value of a table.
pub(in super::super) trait Row: Sized {
    fn put(&self, out: &mut Vec<u8>);
    fn get(get: &mut Get<'_>) -> Result<Self, Malformed>;

    fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(128);
        out.put_u8(ROW_VERSION);
        self.put(&mut out);
        out
    }

    fn decode(octets: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(octets);
        if get.u8()? != ROW_VERSION {
            return Err(Malformed);
        }
        let row = Self::get(&mut get)?;
        get.end()?;
        Ok(row)
    }
}

impl Row for Account {
    fn put(&self, out: &mut Vec<u8>) {
        put_account(out, self);
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        get_account(get)
    }
}

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct KeyRow {
    pub(in super::super) mail_id: MailId,
    pub(in super::super) expires_at: Timestamp,
}

impl Row for KeyRow {
    fn put(&self, out: &mut Vec<u8>) {
        out.put(&self.mail_id.to_bytes());
        out.put_u64(self.expires_at.millis());
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        Ok(Self { mail_id: get.id()?, expires_at: Timestamp::from_millis(get.u64()?) })
    }
}

/// A mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct MailboxRow {
    pub(in super::super) now: MailboxState,
    pub(in super::super) counts: Counts,
    /// What vanished up to here is not remembered.
    pub(in super::super) forgotten: ModSeq,
    /// Ranges of UIDs that are remembered.
    pub(in super::super) ranges: u32,
}

/// What the messages of a mailbox sum up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct Counts {
    pub(in super::super) messages: u64,
    pub(in super::super) size_bytes: u64,
    pub(in super::super) unseen: u64,
    pub(in super::super) deleted: u64,
    pub(in super::super) deleted_bytes: u64,
}

impl Counts {
    /// With a message more.
    pub(in super::super) const fn add(&mut self, flags: Flags, size_bytes: u64) {
        self.messages += 1;
        self.size_bytes += size_bytes;
        if !flags.contains(Flags::SEEN) {
            self.unseen += 1;
        }
        if flags.contains(Flags::DELETED) {
            self.deleted += 1;
            self.deleted_bytes += size_bytes;
        }
    }

    /// Without a message.
    pub(in super::super) const fn remove(&mut self, flags: Flags, size_bytes: u64) {
        self.messages = self.messages.saturating_sub(1);
        self.size_bytes = self.size_bytes.saturating_sub(size_bytes);
        if !flags.contains(Flags::SEEN) {
            self.unseen = self.unseen.saturating_sub(1);
        }
        if flags.contains(Flags::DELETED) {
            self.deleted = self.deleted.saturating_sub(1);
            self.deleted_bytes = self.deleted_bytes.saturating_sub(size_bytes);
        }
    }
}

impl MailboxRow {
    /// A mailbox of which only a message is known yet: when the view is made anew, the record that says whose
    /// it is may come later, carried forward from a segment that was given up.
    pub(in super::super) fn unknown(id: MailboxId) -> Self {
        let now = MailboxState::new(id, AccountId(0), UidValidity(0), "");
        Self {
            now: MailboxState { modseq: ModSeq(0), ..now },
            counts: Counts::default(),
            forgotten: ModSeq(0),
            ranges: 0,
        }
    }

    pub(in super::super) fn is_known(&self) -> bool {
        !self.now.name.is_empty()
    }

    pub(in super::super) fn info(self) -> MailboxInfo {
        self.counts.info(&self.now)
    }
}

impl Counts {
    pub(in super::super) fn info(self, now: &MailboxState) -> MailboxInfo {
        MailboxInfo {
            id: now.id,
            account: now.account,
            name: now.name.clone(),
            uid_validity: now.uid_validity,
            uid_next: now.uid_next,
            highest_modseq: now.modseq,
            messages: self.messages,
            size_bytes: self.size_bytes,
            unseen: self.unseen,
            deleted: self.deleted,
            deleted_bytes: self.deleted_bytes,
            special_use: now.special_use,
            keywords: now.keywords.clone(),
        }
    }
}

impl Row for MailboxRow {
    fn put(&self, out: &mut Vec<u8>) {
        let Counts { messages, size_bytes, unseen, deleted, deleted_bytes } = self.counts;
        for count in [messages, size_bytes, unseen, deleted, deleted_bytes, self.forgotten.0] {
            out.put_u64(count);
        }
        out.put_u32(self.ranges);
        self.now.encode(out);
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        let counts = Counts {
            messages: get.u64()?,
            size_bytes: get.u64()?,
            unseen: get.u64()?,
            deleted: get.u64()?,
            deleted_bytes: get.u64()?,
        };
        let (forgotten, ranges) = (ModSeq(get.u64()?), get.u32()?);
        Ok(Self { now: MailboxState::get(get)?, counts, forgotten, ranges })
    }
}

/// Octets of an [`EntryState`].
const STATE_BYTES: usize = 56;

/// A message in a mailbox, without its delivery's header fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct EntryState {
    pub(in super::super) mail_id: MailId,
    pub(in super::super) modseq: ModSeq,
    pub(in super::super) flags: Flags,
    pub(in super::super) internal_date: Timestamp,
    pub(in super::super) size_bytes: u64,
    pub(in super::super) saved_at: Timestamp,
}

impl EntryState {
    pub(in super::super) const fn message(self, uid: Uid) -> crate::MessageEntry {
        crate::MessageEntry {
            uid,
            mail_id: self.mail_id,
            internal_date: self.internal_date,
            size_bytes: self.size_bytes,
            flags: self.flags,
            modseq: self.modseq,
            saved_at: self.saved_at,
        }
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.put(&self.mail_id.to_bytes());
        out.put_u64(self.modseq.0);
        out.put_u64(self.flags.0);
        out.put_u64(self.internal_date.millis());
        out.put_u64(self.size_bytes);
        out.put_u64(self.saved_at.millis());
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            mail_id: get.id()?,
            modseq: ModSeq(get.u64()?),
            flags: Flags(get.u64()?),
            internal_date: Timestamp::from_millis(get.u64()?),
            size_bytes: get.u64()?,
            saved_at: Timestamp::from_millis(get.u64()?),
        })
    }

    /// Writes it into its row in the place of what is there; the header fields stay.
    pub(in super::super) fn overwrite(&self, octets: &mut [u8]) -> Result<(), Malformed> {
        let mut new = Vec::with_capacity(STATE_BYTES);
        self.put(&mut new);
        let [_version, state @ ..] = octets else { return Err(Malformed) };
        state.get_mut(..new.len()).ok_or(Malformed)?.copy_from_slice(&new);
        Ok(())
    }

    /// What stands in a row, without copying the header fields.
    pub(in super::super) fn of_row(octets: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(octets);
        if get.u8()? != ROW_VERSION {
            return Err(Malformed);
        }
        Self::get(&mut get)
    }
}

/// A message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct EntryRow {
    pub(in super::super) state: EntryState,
    pub(in super::super) header: Vec<u8>,
}

impl Row for EntryRow {
    fn put(&self, out: &mut Vec<u8>) {
        self.state.put(out);
        out.put_bytes(&self.header);
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        Ok(Self { state: EntryState::get(get)?, header: get.bytes()?.to_vec() })
    }
}

/// A message, wherever it is delivered to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct MailRow {
    /// The record that holds it now.
    pub(in super::super) lsn: Lsn,
    /// Octets of that record.
    pub(in super::super) record_len: u64,
    pub(in super::super) meta_len: u32,
    pub(in super::super) place: BodyPlace,
    pub(in super::super) body_len: u64,
    pub(in super::super) body_crc: u32,
    /// Items of the queue that its record names; some of them may be gone.
    pub(in super::super) parts: u32,
    /// Where it is delivered. The row goes with the last of these and of its items of the queue.
    pub(in super::super) entries: Vec<(MailboxId, Uid)>,
}

impl MailRow {
    /// What stands first in a row.
    pub(in super::super) fn lsn_of_row(octets: &[u8]) -> Result<Lsn, Malformed> {
        let mut get = Get(octets);
        if get.u8()? != ROW_VERSION {
            return Err(Malformed);
        }
        Ok(Lsn(get.u64()?))
    }
}

impl Row for MailRow {
    fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.lsn.0);
        out.put_u64(self.record_len);
        out.put_u32(self.meta_len);
        let (kind, file) = match self.place {
            BodyPlace::Inline => (0, 0),
            BodyPlace::File(number) => (1, number),
        };
        out.put_u8(kind);
        out.put_u64(file);
        out.put_u64(self.body_len);
        out.put_u32(self.body_crc);
        out.put_u32(self.parts);
        out.put_u32(length(self.entries.len()));
        for (mailbox, uid) in &self.entries {
            out.put_u64(mailbox.0);
            out.put_u32(uid.0);
        }
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        let (lsn, record_len, meta_len) = (Lsn(get.u64()?), get.u64()?, get.u32()?);
        let (kind, file) = (get.u8()?, get.u64()?);
        let place = match kind {
            0 => BodyPlace::Inline,
            1 => BodyPlace::File(file),
            _ => return Err(Malformed),
        };
        let (body_len, body_crc, parts) = (get.u64()?, get.u32()?, get.u32()?);
        let entries = (0..get.u32()?)
            .map(|_| Ok((MailboxId(get.u64()?), Uid(get.u32()?))))
            .collect::<Result<_, Malformed>>()?;
        Ok(Self { lsn, record_len, meta_len, place, body_len, body_crc, parts, entries })
    }
}

/// What of a segment is in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in super::super) struct SegmentRow {
    /// Octets of all records, known once it is sealed; 0 before.
    pub(in super::super) total_bytes: u64,
    /// Octets of records of messages that live.
    pub(in super::super) live_bytes: u64,
}

impl Row for SegmentRow {
    fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.total_bytes);
        out.put_u64(self.live_bytes);
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        Ok(Self { total_bytes: get.u64()?, live_bytes: get.u64()? })
    }
}
