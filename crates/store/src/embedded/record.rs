//! What stands in the log: the frame of a record, and the mutations that records hold.
//!
//! ```text
//! segment = segment-header *record
//! segment-header = "POSTALOG" version:u32 segment:u32 reserved:u32 crc:u32     (24 octets, padded to 32)
//! record  = crc:u32 meta_crc:u32 lsn:u64 batch:u64 meta_len:u32 body_len:u32 kind:u8 0 0 0 0:u32
//!           meta body padding-to-8                                             (header of 40 octets)
//! ```
//! The octet behind `kind` is 1 where the record is tied to the next one: both count, or neither.
//!
//! All numbers are little-endian. `crc` is CRC32C of the rest of the header, `meta_crc` of the meta octets; the
//! body's own CRC32C stands in the meta octets. `lsn` is where the record stands, so that octets of an earlier
//! use of the same file are never taken for a record; `batch` is where the write began that it came with, so
//! that a torn write can be told from damage (see [`super::log`]).

mod flags;

use types::{MailId, Timestamp};

use super::codec::{Get, Malformed, Put, length};
use super::directory::KeyUse;
use super::queue::QueuedPart;
use crate::{Flags, MailboxId, ModSeq, Uid};

pub(super) use flags::{FLAGS_MAX, FlagsChange};

/// A position in the log: the segment's number and the offset in it. Later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Lsn(pub(super) u64);

impl Lsn {
    pub(super) const fn new(segment: u32, offset: u32) -> Self {
        Self((segment as u64) << 32 | offset as u64)
    }

    #[allow(clippy::cast_possible_truncation, reason = "the upper half of 64 bits fits 32")]
    pub(super) const fn segment(self) -> u32 {
        (self.0 >> 32) as u32
    }

    pub(super) const fn offset(self) -> u64 {
        self.0 & 0xffff_ffff
    }

    /// The first record of a segment.
    pub(super) const fn first_of(segment: u32) -> Self {
        Self::new(segment, SEGMENT_HEADER_LEN as u32)
    }
}

impl std::fmt::Display for Lsn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "segment {} offset {}", self.segment(), self.offset())
    }
}

pub(super) const SEGMENT_HEADER_LEN: usize = 32;
pub(super) const RECORD_HEADER_LEN: usize = 40;
/// The version of the records; see `format.rs`. Segments of every version up to this are read, and a segment may
/// hold records of a later version than its header says: the version of the folder is the one that counts.
pub(super) const LOG_VERSION: u32 = 4;
const SEGMENT_MAGIC: &[u8; 8] = b"POSTALOG";

/// The first octets of a segment, as a version writes them.
pub(super) fn segment_header(segment: u32, version: u32) -> [u8; SEGMENT_HEADER_LEN] {
    let mut header = Vec::with_capacity(SEGMENT_HEADER_LEN);
    header.put(SEGMENT_MAGIC);
    header.put_u32(version);
    header.put_u32(segment);
    header.put_u32(0);
    header.put_u32(crc32c::crc32c(&header));
    let mut octets = [0; SEGMENT_HEADER_LEN];
    octets[..header.len()].copy_from_slice(&header);
    octets
}

/// What a record is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A message with its deliveries: [`Message`].
    Message = 1,
    /// Flags of messages as versions 1 to 4 wrote them: [`FlagsChange::decode_version_4`].
    FlagsVersion4 = 2,
    /// Messages removed: [`Expunge`].
    Expunge = 3,
    /// An account as version 1 wrote it: [`AccountState::decode_version_1`](super::directory::AccountState).
    AccountVersion1 = 4,
    /// A mailbox as versions 1 to 4 wrote it:
    /// [`MailboxState::decode_version_4`](super::folder::MailboxState::decode_version_4).
    MailboxVersion4 = 5,
    /// The end of a segment; the log goes on in the next.
    Seal = 6,
    /// An account with its INBOX as versions 2 to 4 wrote it:
    /// [`AccountState::decode_version_4`](super::directory::AccountState).
    AccountVersion4 = 7,
    /// An entry of the directory as it is now, or gone: [`EntryChange`](super::directory::EntryChange).
    Entry = 8,
    /// An account removed: [`AccountGone`](super::directory::AccountGone).
    AccountGone = 9,
    /// Ids that were given: [`LastIds`](super::directory::LastIds).
    LastIds = 10,
    /// A key whose message is gone: [`KeyAlone`](super::directory::KeyAlone).
    Key = 11,
    /// An item of the queue as it is now, or gone: [`QueueChange`](super::queue::QueueChange).
    Queue = 12,
    /// An account as it is now: [`put_account`](super::directory::put_account).
    Account = 13,
    /// A mailbox as it is now: [`MailboxState`](super::folder::MailboxState).
    Mailbox = 14,
    /// Flags of messages, each by itself, as version 5 wrote them at first: [`FlagsChange::decode_each`].
    FlagsEach = 15,
    /// Messages that came into a mailbox from another: [`Transferred`](super::folder::Transferred).
    Transfer = 16,
    /// A mailbox removed: [`MailboxGone`](super::folder::MailboxGone).
    MailboxGone = 17,
    /// Flags of messages: [`FlagsChange`].
    Flags = 18,
}

/// The fixed part of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) lsn: Lsn,
    pub(super) batch: Lsn,
    pub(super) meta_len: u32,
    pub(super) body_len: u32,
    pub(super) meta_crc: u32,
    pub(super) kind: Kind,
    /// Whether it counts only if the next record is there, too.
    pub(super) is_tied: bool,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; RECORD_HEADER_LEN] {
        let mut octets = [0; RECORD_HEADER_LEN];
        octets[4..8].copy_from_slice(&self.meta_crc.to_le_bytes());
        octets[8..16].copy_from_slice(&self.lsn.0.to_le_bytes());
        octets[16..24].copy_from_slice(&self.batch.0.to_le_bytes());
        octets[24..28].copy_from_slice(&self.meta_len.to_le_bytes());
        octets[28..32].copy_from_slice(&self.body_len.to_le_bytes());
        octets[32] = self.kind as u8;
        octets[33] = u8::from(self.is_tied);
        let crc = crc32c::crc32c(&octets[4..]);
        octets[..4].copy_from_slice(&crc.to_le_bytes());
        octets
    }

    /// `None` where the octets are no record that stands at `at`.
    pub(super) fn decode(octets: &[u8; RECORD_HEADER_LEN], at: Lsn) -> Option<Self> {
        let mut get = Get(octets);
        let crc = get.u32().ok()?;
        let meta_crc = get.u32().ok()?;
        let lsn = Lsn(get.u64().ok()?);
        if lsn != at || crc != crc32c::crc32c(&octets[4..]) {
            return None;
        }
        let batch = Lsn(get.u64().ok()?);
        let (meta_len, body_len) = (get.u32().ok()?, get.u32().ok()?);
        let kind = match get.u8().ok()? {
            1 => Kind::Message,
            2 => Kind::FlagsVersion4,
            3 => Kind::Expunge,
            4 => Kind::AccountVersion1,
            5 => Kind::MailboxVersion4,
            6 => Kind::Seal,
            7 => Kind::AccountVersion4,
            8 => Kind::Entry,
            9 => Kind::AccountGone,
            10 => Kind::LastIds,
            11 => Kind::Key,
            12 => Kind::Queue,
            13 => Kind::Account,
            14 => Kind::Mailbox,
            15 => Kind::FlagsEach,
            16 => Kind::Transfer,
            17 => Kind::MailboxGone,
            18 => Kind::Flags,
            _ => return None,
        };
        let is_tied = match get.u8().ok()? {
            0 => false,
            1 => true,
            _ => return None,
        };
        Some(Self { lsn, batch, meta_len, body_len, meta_crc, kind, is_tied })
    }

    /// Octets of the whole record with its padding.
    pub(super) fn len(&self) -> u64 {
        padded(RECORD_HEADER_LEN as u64 + u64::from(self.meta_len) + u64::from(self.body_len))
    }

    /// Where the next record stands.
    pub(super) fn end(&self) -> Lsn {
        match self.kind {
            Kind::Seal => Lsn::first_of(self.lsn.segment() + 1),
            _ => Lsn(self.lsn.0 + self.len()),
        }
    }
}

/// Records begin at multiples of 8.
pub(super) const fn padded(len: u64) -> u64 {
    len.next_multiple_of(8)
}

/// Where the octets of a message are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyPlace {
    /// Behind the record's meta octets.
    Inline,
    /// In the body file of that number.
    File(u64),
}

/// The content of a [`Kind::Message`] record: a message with the deliveries that live. It stands for the same
/// whether it was just accepted or carried forward from a segment that is given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) mail_id: MailId,
    pub(super) received_at: Timestamp,
    pub(super) place: BodyPlace,
    pub(super) body_len: u64,
    pub(super) body_crc: u32,
    pub(super) entries: Vec<Entry<'a>>,
    /// Envelope and origin, see [`super::envelope`].
    pub(super) envelope: &'a [u8],
    /// The key that the client gave it; nothing stands in its place where there is none.
    pub(super) key: Option<KeyUse<'a>>,
    /// All its items of the queue; nothing stands in their place where there is none.
    pub(super) queue: Vec<QueuedPart<'a>>,
    /// Whether it was carried forward. Only said where it has items of the queue.
    pub(super) is_carried: bool,
}

/// One delivery of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) mailbox: MailboxId,
    pub(super) uid: Uid,
    pub(super) modseq: ModSeq,
    pub(super) flags: Flags,
    pub(super) internal_date: Timestamp,
    /// When it came into the mailbox.
    pub(super) saved_at: Timestamp,
    pub(super) header: &'a [u8],
}

/// Octets of a message record's meta before its first entry.
const ENTRIES_AT: usize = 16 + 8 + 1 + 8 + 8 + 4 + 4;
/// Octets of an entry without its header fields, and as versions 1 to 4 wrote it.
const ENTRY_LEN: usize = 8 + 4 + 8 + 8 + 8 + 8 + 4;
const ENTRY_LEN_VERSION_4: usize = 8 + 4 + 8 + 4 + 8 + 4;
/// Flags of the octet that says where the body is.
const IN_FILE: u8 = 1;
const HAS_QUEUE: u8 = 2;
/// The entries have keywords, and say when they came.
const LONG_ENTRIES: u8 = 4;
/// Flags before the items of the queue.
const HAS_KEY: u8 = 1;
const IS_CARRIED: u8 = 2;

impl<'a> Message<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put(&self.mail_id.to_bytes());
        out.put_u64(self.received_at.millis());
        let (kind, file) = match self.place {
            BodyPlace::Inline => (0, 0),
            BodyPlace::File(number) => (IN_FILE, number),
        };
        out.put_u8(kind | LONG_ENTRIES | if self.queue.is_empty() { 0 } else { HAS_QUEUE });
        out.put_u64(file);
        out.put_u64(self.body_len);
        out.put_u32(self.body_crc);
        out.put_u32(length(self.entries.len()));
        for entry in &self.entries {
            out.put_u64(entry.mailbox.0);
            out.put_u32(entry.uid.0);
            out.put_u64(entry.modseq.0);
            out.put_u64(entry.flags.0);
            out.put_u64(entry.internal_date.millis());
            out.put_u64(entry.saved_at.millis());
            out.put_bytes(entry.header);
        }
        out.put_bytes(self.envelope);
        if !self.queue.is_empty() {
            let key = if self.key.is_some() { HAS_KEY } else { 0 };
            out.put_u8(key | if self.is_carried { IS_CARRIED } else { 0 });
        }
        if let Some(key) = self.key {
            key.put(out);
        }
        if !self.queue.is_empty() {
            out.put_u32(length(self.queue.len()));
            self.queue.iter().for_each(|part| part.put(out));
        }
    }

    pub(super) fn decode(meta: &'a [u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let mail_id = get.id()?;
        let received_at = Timestamp::from_millis(get.u64()?);
        let kind = get.u8()?;
        let file = get.u64()?;
        let place = match kind & !(HAS_QUEUE | LONG_ENTRIES) {
            0 => BodyPlace::Inline,
            IN_FILE => BodyPlace::File(file),
            _ => return Err(Malformed),
        };
        let (body_len, body_crc, count) = (get.u64()?, get.u32()?, get.u32()?);
        let most = meta.len() / ENTRY_LEN_VERSION_4;
        let mut entries = Vec::with_capacity(usize::try_from(count).map_err(|_| Malformed)?.min(most));
        for _ in 0..count {
            entries.push(Entry::get(&mut get, kind & LONG_ENTRIES != 0)?);
        }
        let envelope = get.bytes()?;
        let (mut queue, mut is_carried) = (Vec::new(), false);
        let key;
        if kind & HAS_QUEUE == 0 {
            key = if get.0.is_empty() { None } else { Some(KeyUse::get(&mut get)?) };
        } else {
            let flags = get.u8()?;
            if flags & !(HAS_KEY | IS_CARRIED) != 0 {
                return Err(Malformed);
            }
            is_carried = flags & IS_CARRIED != 0;
            key = if flags & HAS_KEY == 0 { None } else { Some(KeyUse::get(&mut get)?) };
            queue = (0..get.u32()?).map(|_| QueuedPart::get(&mut get)).collect::<Result<_, Malformed>>()?;
        }
        get.end()?;
        Ok(Self {
            mail_id,
            received_at,
            place,
            body_len,
            body_crc,
            entries,
            envelope,
            key,
            queue,
            is_carried,
        })
    }

    /// Sets UID and MODSEQ of the entries in encoded octets: they are known only when the committer has come
    /// to them, while everything else is encoded by who asks.
    pub(super) fn patch(meta: &mut [u8], entries: impl Iterator<Item = (usize, Uid, ModSeq)>) {
        let mut at = ENTRIES_AT;
        for (header_len, uid, modseq) in entries {
            meta[at + 8..at + 12].copy_from_slice(&uid.0.to_le_bytes());
            meta[at + 12..at + 20].copy_from_slice(&modseq.0.to_le_bytes());
            at += ENTRY_LEN + header_len;
        }
    }
}

impl<'a> Entry<'a> {
    fn get(get: &mut Get<'a>, is_long: bool) -> Result<Self, Malformed> {
        let (mailbox, uid, modseq) = (MailboxId(get.u64()?), Uid(get.u32()?), ModSeq(get.u64()?));
        let flags = Flags(if is_long { get.u64()? } else { get.u32()?.into() });
        let internal_date = Timestamp::from_millis(get.u64()?);
        let saved_at = if is_long { Timestamp::from_millis(get.u64()?) } else { internal_date };
        Ok(Self { mailbox, uid, modseq, flags, internal_date, saved_at, header: get.bytes()? })
    }
}

/// The content of a [`Kind::Expunge`] record. Each UID names the record that brought the message: as long as
/// that one's segment is there, the log needs this tombstone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Expunge {
    pub(super) mailbox: MailboxId,
    pub(super) modseq: ModSeq,
    pub(super) messages: Vec<(Uid, Lsn)>,
}

impl Expunge {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.mailbox.0);
        out.put_u64(self.modseq.0);
        out.put_u32(length(self.messages.len()));
        for (uid, home) in &self.messages {
            out.put_u32(uid.0);
            out.put_u64(home.0);
        }
    }

    pub(super) fn decode(meta: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let (mailbox, modseq, count) = (MailboxId(get.u64()?), ModSeq(get.u64()?), get.u32()?);
        let messages =
            (0..count).map(|_| Ok((Uid(get.u32()?), Lsn(get.u64()?)))).collect::<Result<_, Malformed>>()?;
        get.end()?;
        Ok(Self { mailbox, modseq, messages })
    }
}
