//! The rows of the view as octets, each with a version octet in front.

use types::{MailId, Timestamp};

use super::super::codec::{Get, Malformed, Put, length};
use super::super::directory::{get_account, put_account};
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

/// A mailbox without its id, which is the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct MailboxRow {
    pub(in super::super) account: AccountId,
    pub(in super::super) uid_validity: UidValidity,
    pub(in super::super) uid_next: Uid,
    pub(in super::super) modseq: ModSeq,
    pub(in super::super) messages: u64,
    pub(in super::super) size_bytes: u64,
    pub(in super::super) name: String,
}

impl MailboxRow {
    /// A mailbox of which only a message is known yet: when the view is made anew, the record that says whose
    /// it is may come later, carried forward from a segment that was given up.
    pub(in super::super) const fn unknown() -> Self {
        Self {
            account: AccountId(0),
            uid_validity: UidValidity(0),
            uid_next: Uid(1),
            modseq: ModSeq(0),
            messages: 0,
            size_bytes: 0,
            name: String::new(),
        }
    }

    pub(in super::super) fn info(self, id: MailboxId) -> MailboxInfo {
        MailboxInfo {
            id,
            account: self.account,
            unseen: 0,
            deleted: 0,
            deleted_bytes: 0,
            special_use: None,
            keywords: Vec::new(),
            name: self.name,
            uid_validity: self.uid_validity,
            uid_next: self.uid_next,
            highest_modseq: self.modseq,
            messages: self.messages,
            size_bytes: self.size_bytes,
        }
    }
}

impl Row for MailboxRow {
    fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.account.0);
        out.put_u32(self.uid_validity.0);
        out.put_u32(self.uid_next.0);
        out.put_u64(self.modseq.0);
        out.put_u64(self.messages);
        out.put_u64(self.size_bytes);
        out.put_bytes(self.name.as_bytes());
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            account: AccountId(get.u64()?),
            uid_validity: UidValidity(get.u32()?),
            uid_next: Uid(get.u32()?),
            modseq: ModSeq(get.u64()?),
            messages: get.u64()?,
            size_bytes: get.u64()?,
            name: get.text()?.to_owned(),
        })
    }
}

/// A message in a mailbox, without its delivery's header fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct EntryState {
    pub(in super::super) mail_id: MailId,
    pub(in super::super) modseq: ModSeq,
    pub(in super::super) flags: Flags,
    pub(in super::super) internal_date: Timestamp,
    pub(in super::super) size_bytes: u64,
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
            saved_at: self.internal_date,
        }
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
        out.put(&self.state.mail_id.to_bytes());
        out.put_u64(self.state.modseq.0);
        out.put_u64(self.state.flags.0);
        out.put_u64(self.state.internal_date.millis());
        out.put_u64(self.state.size_bytes);
        out.put_bytes(&self.header);
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        let state = EntryState {
            mail_id: get.id()?,
            modseq: ModSeq(get.u64()?),
            flags: Flags(get.u64()?),
            internal_date: Timestamp::from_millis(get.u64()?),
            size_bytes: get.u64()?,
        };
        Ok(Self { state, header: get.bytes()?.to_vec() })
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
