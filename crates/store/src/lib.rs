//! What a node keeps: accepted messages, mailboxes, the directory, and the trace of its decisions.
//!
//! Five traits, written for two backends: [`embedded`] (one node: a log is the truth, a B-tree its view) and,
//! later, a cluster (PostgreSQL and object storage). So they are async, ids of messages are made by the
//! caller, everything that belongs together is committed in one call, and errors tell apart what a peer is
//! told apart: [`StoreError::Full`] (452), [`StoreError::Unavailable`] (451), [`StoreError::Conflict`].
//!
//! Left out on purpose: deciding anything about mail, and reading a message's content.

mod account;
mod derived;
mod dkim;
pub mod embedded;
mod error;
mod mailboxes;
mod model;
mod queue;
mod trace;
mod watch;

pub use account::{
    APP_PASSWORDS_MAX, Account, AccountChange, AppPassword, Credentials, NewAccount, Put, Usage,
};
pub use derived::{Derived, DerivedKind, DerivedRows};
pub use dkim::{DKIM_KEYS_MAX, SealedSecret, StoredDkimKey};
pub use error::StoreError;
pub use mailboxes::{
    Expunged, FlagRun, Flagging, FlagsStored, KnownMessages, Mailboxes, Metadata, Subscription, Transfer,
    Transferred, Vanished,
};
pub use model::{
    Acceptance, Accepted, AccountId, Body, BodyStream, Delivered, Delivery, HIERARCHY_SEPARATOR, Idempotency,
    MailboxInfo, MessageEntry, QueueClaim, Replaced, StagedBody,
};
pub use queue::{
    DESTINATION_BYTES_MAX, DamagedItem, Destination, DestinationFigures, LastWord, NewQueueItem, Next, Queue,
    QueueFigures, QueueItem, QueueItemId, QueueItemIdError, QueueState, QueueStatus, QueuedRecipient,
    Settled, Settlement,
};
pub use trace::{TIMELINES_MAX, TRACE_EVENTS_MAX, Trace, TraceQuery};
pub use types::mailstore::{Flags, MailboxId, ModSeq, SpecialUse, Uid, UidValidity};
pub use watch::{Change, Watch, Watched};

use async_trait::async_trait;
use types::directory::{AddressEntry, DomainEntry};
use types::{Domain, Envelope, MailId, Mailbox, Timestamp};

/// Takes responsibility for messages.
#[async_trait]
pub trait Spool: Send + Sync {
    /// Commits a message with all its deliveries and items of the queue, all or nothing. When this returns `Ok`, body,
    /// envelope, every delivery and every item are on stable storage (design promise 1): only then may a peer be told
    /// `250`. One with neither is stored nowhere.
    ///
    /// Where a message with the same idempotency key of the same account was accepted before, and the key has not
    /// expired when this one came (`received_at`), nothing is stored, and the first one's id is returned.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where `mail_id` was committed before or a mailbox no longer exists (nothing is
    /// stored then), [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, StoreError>;

    /// The message that was accepted with this idempotency key of this account, where the key has not expired `now`.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn accepted_before(
        &self,
        account: AccountId,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<MailId>, StoreError>;

    /// Commits several messages as [`Spool::accept`] does one, all of them or none (RFC 3502), and in the same step expunges
    /// the message that they replace, where they do (RFC 8508).
    ///
    /// # Errors
    /// As [`Spool::accept`]; [`StoreError::NoSuchMessage`] where what they replace is gone: nothing is stored then.
    async fn append(
        &self,
        messages: Vec<Acceptance>,
        replaces: Option<Replaced>,
    ) -> Result<Vec<Accepted>, StoreError>;

    /// The envelope and the origin of a message that is in some mailbox or in the queue yet.
    ///
    /// # Errors
    /// [`StoreError::Damaged`], [`StoreError::Unavailable`].
    async fn envelope(&self, mail_id: MailId) -> Result<Option<(Envelope, String)>, StoreError>;

    /// A body that is too large to be kept in memory, written as it comes. Dropped without being accepted, it
    /// leaves nothing behind; after a crash it is removed at the next start.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn stage(&self) -> Result<Box<dyn StagedBody>, StoreError>;
}

/// Who has an account, and what else is known of addresses and domains. Names are compared without regard to case.
/// Everything that changes something is durable when it returns.
///
/// An account and an [`AddressEntry`] never have the same name, so that an address means one thing. What an entry
/// refers to is not looked at: a target need not be there.
#[async_trait]
pub trait Directory: Send + Sync {
    /// Makes an account with an empty INBOX and the other mailboxes that it is to have, and subscribes to them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the name is taken, [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn create_account(&self, account: NewAccount) -> Result<Account, StoreError>;

    /// Changes an account. Returns it as it is then.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`]; [`StoreError::NoSuchEntry`] where it has no such app password, and
    /// [`StoreError::Conflict`] where it has one of that name or too many; [`StoreError::Full`],
    /// [`StoreError::Unavailable`].
    async fn change_account(&self, account: AccountId, change: AccountChange) -> Result<Account, StoreError>;

    /// Removes an account with its mailboxes and the messages in them, all or nothing. A message that is in a
    /// mailbox of another account stays there.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn remove_account(&self, account: AccountId) -> Result<(), StoreError>;

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

    /// What an account has stored. Cheap enough to be asked for each recipient.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`], [`StoreError::Unavailable`].
    async fn account_usage(&self, account: AccountId) -> Result<Usage, StoreError>;

    /// Makes a domain, or replaces it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where it is there and `put` is [`Put::New`], [`StoreError::NoSuchDomain`] where
    /// it is not and `put` is [`Put::Replace`]; [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn put_domain(&self, entry: DomainEntry, put: Put) -> Result<(), StoreError>;

    /// Removes a domain; accounts and addresses in it stay.
    ///
    /// # Errors
    /// [`StoreError::NoSuchDomain`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn remove_domain(&self, domain: &Domain) -> Result<(), StoreError>;

    /// The entry of a domain.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn domain(&self, domain: &Domain) -> Result<Option<DomainEntry>, StoreError>;

    /// All domains, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn domains(&self) -> Result<Vec<DomainEntry>, StoreError>;

    /// Makes an address that is no account, or replaces it.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where an account has that name, or the address is there and `put` is
    /// [`Put::New`]; [`StoreError::NoSuchAddress`] where it is not and `put` is [`Put::Replace`];
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn put_address(&self, entry: AddressEntry, put: Put) -> Result<(), StoreError>;

    /// Removes an address that is no account.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAddress`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn remove_address(&self, address: &Mailbox) -> Result<(), StoreError>;

    /// The entry of an address that is no account.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn address(&self, address: &Mailbox) -> Result<Option<AddressEntry>, StoreError>;

    /// All addresses that are no accounts, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn addresses(&self) -> Result<Vec<AddressEntry>, StoreError>;

    /// Adds keys of one domain, each of which replaces one of the same selector: all or nothing. Whether there is such
    /// a domain is not looked at.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where they are of several domains, or the domain would have more than
    /// [`DKIM_KEYS_MAX`]; [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn put_dkim_keys(&self, keys: Vec<StoredDkimKey>) -> Result<(), StoreError>;

    /// Removes a key.
    ///
    /// # Errors
    /// [`StoreError::NoSuchEntry`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn remove_dkim_key(&self, domain: &Domain, selector: &str) -> Result<(), StoreError>;

    /// The keys of a domain, by selector.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn dkim_keys(&self, domain: &Domain) -> Result<Vec<StoredDkimKey>, StoreError>;

    /// All keys, by domain and selector.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn all_dkim_keys(&self) -> Result<Vec<StoredDkimKey>, StoreError>;

    /// Grows with every change of the directory that is committed, before the change is answered: what was read
    /// after asking for it holds as long as it is the same. It may grow without a change, and begins anew with
    /// each start.
    fn directory_version(&self) -> u64;
}

/// A whole store.
pub trait Store: Spool + Mailboxes + Queue + Directory + Trace + Derived {
    /// What went wrong for good, where something did: after a failed sync nothing is accepted any more, and
    /// the process should stop (design promise 1).
    fn fatal_error(&self) -> Option<String>;

    /// Whether a message of that id was accepted and is still known.
    fn knows(&self, mail_id: MailId) -> bool;
}
