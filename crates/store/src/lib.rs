//! What a node keeps: accepted messages, mailboxes, the directory, and the trace of its decisions.
//!
//! Four traits, written for two backends: [`embedded`] (one node: a log is the truth, a B-tree its view) and,
//! later, a cluster (PostgreSQL and object storage). So they are async, ids of messages are made by the
//! caller, everything that belongs together is committed in one call, and errors tell apart what a peer is
//! told apart: [`StoreError::Full`] (452), [`StoreError::Unavailable`] (451), [`StoreError::Conflict`].
//!
//! Left out on purpose: deciding anything about mail, and reading a message's content.

pub mod embedded;
mod error;
mod model;
mod trace;

pub use error::StoreError;
pub use model::{
    Acceptance, Account, AccountId, Body, BodyStream, Delivered, Delivery, Flags, MailboxId, MailboxInfo,
    MessageEntry, ModSeq, NewAccount, StagedBody, Uid, UidValidity,
};
pub use trace::{TIMELINES_MAX, TRACE_EVENTS_MAX, Trace, TraceQuery};

use async_trait::async_trait;
use types::MailId;

/// Takes responsibility for messages.
#[async_trait]
pub trait Spool: Send + Sync {
    /// Commits a message with all its deliveries, all or nothing. When this returns `Ok`, body, envelope and
    /// every delivery are on stable storage (design promise 1): only then may a peer be told `250`.
    ///
    /// Returns one [`Delivered`] for each of `acceptance.deliveries`, in order.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where `mail_id` was committed before or a mailbox no longer exists (nothing is
    /// stored then), [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn accept(&self, acceptance: Acceptance) -> Result<Vec<Delivered>, StoreError>;

    /// A body that is too large to be kept in memory, written as it comes. Dropped without being accepted, it
    /// leaves nothing behind; after a crash it is removed at the next start.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn stage(&self) -> Result<Box<dyn StagedBody>, StoreError>;
}

/// Reads and changes mailboxes. Every read sees all that was committed before it began.
#[async_trait]
pub trait Mailboxes: Send + Sync {
    /// The mailboxes of an account, INBOX first, then by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn mailboxes(&self, account: AccountId) -> Result<Vec<MailboxInfo>, StoreError>;

    /// Up to `limit` messages of a mailbox with a UID above `after`, in UID order.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Unavailable`].
    async fn messages(
        &self,
        mailbox: MailboxId,
        after: Option<Uid>,
        limit: usize,
    ) -> Result<Vec<MessageEntry>, StoreError>;

    /// Opens the content of a message: the delivery's own header fields, then the body as it was accepted. It
    /// stays readable while the stream lives, even where the message is expunged meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMessage`], [`StoreError::Damaged`], [`StoreError::Unavailable`].
    async fn open(&self, mailbox: MailboxId, uid: Uid) -> Result<Box<dyn BodyStream>, StoreError>;

    /// Adds and removes flags of messages; UIDs that do not exist are passed over. Returns the new entries of
    /// those that changed. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn store_flags(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        add: Flags,
        remove: Flags,
    ) -> Result<Vec<MessageEntry>, StoreError>;

    /// Removes messages for good, all or nothing; UIDs that do not exist are passed over. Returns those that
    /// were removed. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn expunge(&self, mailbox: MailboxId, uids: &[Uid]) -> Result<Vec<Uid>, StoreError>;
}

/// Who has an account. Names are compared without regard to case.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Makes an account with an empty INBOX. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the name is taken, [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn create_account(&self, account: NewAccount) -> Result<Account, StoreError>;

    /// Replaces the password hash. Durable when it returns.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn set_password_hash(&self, account: AccountId, password_hash: &str) -> Result<(), StoreError>;

    /// The account of that name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn account(&self, name: &str) -> Result<Option<Account>, StoreError>;

    /// All accounts, in the order in which they were made.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn accounts(&self) -> Result<Vec<Account>, StoreError>;
}

/// A whole store.
pub trait Store: Spool + Mailboxes + Directory + Trace {
    /// What went wrong for good, where something did: after a failed sync nothing is accepted any more, and
    /// the process should stop (design promise 1).
    fn fatal_error(&self) -> Option<String>;

    /// Whether a message of that id was accepted and is still known.
    fn knows(&self, mail_id: MailId) -> bool;
}
