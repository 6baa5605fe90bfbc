//! The values that go in and out of a store.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;
use types::mailstore::{Flags, MailboxId, ModSeq, SpecialUse, Uid, UidValidity};
use types::{Envelope, MailId, Timestamp};

use crate::{NewQueueItem, QueueItem, StoreError};

/// One accepted message: everything of it becomes durable together, or nothing does.
#[derive(Debug)]
pub struct Acceptance {
    /// Made by the node; never used twice.
    pub mail_id: MailId,
    /// When the end of data came.
    pub received_at: Timestamp,
    /// As the transaction said.
    pub envelope: Envelope,
    /// What the operator may want to know of where it came from, for example `"192.0.2.1 (client.example)"`.
    pub origin: String,
    /// The message with the trace fields that all deliveries share (`Received`).
    pub body: Body,
    /// One for each mailbox that gets a copy; no mailbox twice.
    pub deliveries: Vec<Delivery>,
    /// One for each destination at other hosts.
    pub queue: Vec<NewQueueItem>,
    /// Who begins with the new items of the queue.
    pub claim: QueueClaim,
    /// Where the client gave the message a key, so that it can be sent again without being there twice.
    pub idempotency: Option<Idempotency>,
}

impl Acceptance {
    /// A message of which nothing else is known, and that nobody gets yet.
    #[must_use]
    pub const fn new(mail_id: MailId, received_at: Timestamp, envelope: Envelope, body: Body) -> Self {
        Self {
            mail_id,
            received_at,
            envelope,
            origin: String::new(),
            body,
            deliveries: Vec::new(),
            queue: Vec::new(),
            claim: QueueClaim::Later,
            idempotency: None,
        }
    }
}

/// Who begins with new items of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum QueueClaim {
    /// Whoever claims them when they are due.
    #[default]
    Later,
    /// Whoever accepts the message: the items that are due come back claimed.
    ByCaller,
}

/// A key that a client gave a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is: keys of different accounts are not the same.
    pub account: AccountId,
    /// Chosen by the client.
    pub key: String,
    /// Until when the key is known, at least unless the account has used very many since.
    pub expires_at: Timestamp,
}

/// What became of an [`Acceptance`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Which message is stored: the one that was given, or where `repeated` the first one with its key.
    pub mail_id: MailId,
    /// Whether a message with the same key was accepted before, and nothing was stored now.
    pub repeated: bool,
    /// One for each delivery, in order; none where `repeated`.
    pub deliveries: Vec<Delivered>,
    /// With [`QueueClaim::ByCaller`] the items that were due at `received_at`, claimed; else none.
    pub queue: Vec<QueueItem>,
}

/// The content of a message, CRLF line ends, at rest or in memory.
#[derive(Debug)]
pub enum Body {
    /// Small enough for memory: `Bytes` put one behind the other.
    Memory(Vec<Bytes>),
    /// Written out already; synced by `accept`.
    Staged(Box<dyn StagedBody>),
}

/// A body that is being written to disk.
#[async_trait]
pub trait StagedBody: Send + Sync + fmt::Debug {
    /// Appends octets.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`]; the body is then of no more use.
    async fn append(&mut self, octets: &[u8]) -> Result<(), StoreError>;

    /// Octets so far.
    fn size_bytes(&self) -> u64;

    /// What was appended, from `offset` on: `len` octets, or what there is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, StoreError>;

    /// For the store that made it.
    fn into_any(self: Box<Self>) -> Box<dyn std::any::Any + Send>;
}

/// One mailbox that gets the message.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where.
    pub mailbox: MailboxId,
    /// Header fields of this delivery alone (`Return-Path`, `Delivered-To`), each ended by CRLF; they stand
    /// before the body.
    pub header: Bytes,
    /// Set from the start.
    pub flags: Flags,
    /// INTERNALDATE, where it is not when the message was received.
    pub internal_date: Option<Timestamp>,
}

impl Delivery {
    /// The message as it is, with nothing before it.
    #[must_use]
    pub const fn to(mailbox: MailboxId) -> Self {
        Self { mailbox, header: Bytes::new(), flags: Flags::NONE, internal_date: None }
    }
}

/// A message in whose place others come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Replaced {
    /// Where it is.
    pub mailbox: MailboxId,
    /// Which.
    pub uid: Uid,
    /// When.
    pub at: Timestamp,
}

/// What became of a [`Delivery`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Delivered {
    /// Where.
    pub mailbox: MailboxId,
    /// The UID that the message got there.
    pub uid: Uid,
    /// The mailbox's modification sequence.
    pub modseq: ModSeq,
}

/// Reads one message from its first octet to its last.
#[async_trait]
pub trait BodyStream: Send {
    /// Octets of the whole message with the delivery's header fields.
    fn size_bytes(&self) -> u64;

    /// Octets of the delivery's own header fields, which come first: what follows is the same for every mailbox that has
    /// the message.
    fn header_bytes(&self) -> u64 {
        0
    }

    /// The next octets, at most about 64 KiB; empty at the end.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where a checksum does not agree, [`StoreError::Unavailable`].
    async fn next(&mut self) -> Result<Bytes, StoreError>;
}

/// One message in a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageEntry {
    /// Its UID (RFC 9051 §2.3.1.1).
    pub uid: Uid,
    /// Which message; the same one in several mailboxes has one id.
    pub mail_id: MailId,
    /// INTERNALDATE: when it was delivered.
    pub internal_date: Timestamp,
    /// RFC822.SIZE: octets with the delivery's header fields.
    pub size_bytes: u64,
    /// System flags.
    pub flags: Flags,
    /// When it changed last.
    pub modseq: ModSeq,
    /// SAVEDATE (RFC 8514): when it came into this mailbox.
    pub saved_at: Timestamp,
}

/// One mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailboxInfo {
    /// Never used again.
    pub id: MailboxId,
    /// Whose it is.
    pub account: AccountId,
    /// `INBOX`, or a name in UTF-8 with [`HIERARCHY_SEPARATOR`] between its levels.
    pub name: String,
    /// RFC 9051 §2.3.1.1.
    pub uid_validity: UidValidity,
    /// The UID that the next message will get, at least.
    pub uid_next: Uid,
    /// RFC 7162.
    pub highest_modseq: ModSeq,
    /// Messages.
    pub messages: u64,
    /// Octets of all messages.
    pub size_bytes: u64,
    /// Messages without `\\Seen`.
    pub unseen: u64,
    /// Messages with `\\Deleted`.
    pub deleted: u64,
    /// Octets of those.
    pub deleted_bytes: u64,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// The keywords that were ever used in it, at their places ([`Flags::keyword`]); only ever longer.
    pub keywords: Vec<String>,
}

/// Between the levels of a mailbox's name.
pub const HIERARCHY_SEPARATOR: char = '/';

/// Names an account in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u64);

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
