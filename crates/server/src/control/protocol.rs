//! What goes over the socket.

use serde::{Deserialize, Serialize};
use store::embedded::{CheckReport, StoreStats};
use types::mailstore::SpecialUse;

mod directory;
mod dkim;
mod mailboxes;
mod node;
mod queue;
mod reputation;
mod values;

pub use directory::{
    AccountChange, AccountDetail, AddressDetail, AddressFilter, AddressSummary, AppPasswordSummary,
    DirectoryRequest, DirectoryResponse, DomainChange, DomainSummary, ListChange, PosterRule,
};
pub use dkim::{DkimKeySummary, LastActive, RotateWhen};
pub use mailboxes::{ExpungedSummary, MailboxRequest, MailboxResponse, SearchRequest, TransferMode};
pub use node::NodeFacts;
pub use queue::{
    DestinationSummary, QueueAct, QueueActed, QueueDamaged, QueueFilter, QueueFlush, QueueItemSummary,
    QueueLeft, QueuePage, QueueRequest, QueueResponse, QueueTotals, QueueWord, QueuedRecipientSummary,
    SiteSummary, SiteWord, TellSender,
};
pub use reputation::{GreylistEntry, GreylistRequest, GreylistResponse, ListStatus};
pub use values::{Password, PutMode, Setting, SharedSecret, WhileUsed, WithMail};

/// The version of the protocol. A server refuses requests of another one with a text that says so.
pub const VERSION: u32 = 1;

/// Octets of a request with its LF: room for the members of a large mailing list, who join at once or not at all.
pub const REQUEST_LINE_BYTES_MAX: usize = 4 << 20;

/// Octets of a response with its LF that a client takes.
pub(crate) const RESPONSE_LINE_BYTES_MAX: usize = 4 << 20;

/// Messages in one response at most; octets of one list of UIDs stay within a request.
pub(crate) const MESSAGES_MAX: usize = 1000;

/// UIDs that were found in one response at most: far within the octets of one.
pub(crate) const FOUND_MAX: usize = 100_000;

/// A request as it is written: `{"version":1,"request":"mailboxes","account":"dev@localhost"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RequestLine {
    /// [`VERSION`].
    pub(crate) version: u32,
    /// The rest.
    #[serde(flatten)]
    pub(crate) request: Request,
}

/// What may be asked. `account: None` is the account that was made first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "snake_case")]
pub enum Request {
    /// What is running: [`Response::Status`].
    Status,
    /// What the DNS should say of the host: [`Response::NodeFacts`].
    NodeFacts,
    /// A page of accounts: [`Response::Accounts`]. Ask again with the last name until an empty page comes.
    Accounts {
        /// Only those that were made after this one.
        #[serde(default)]
        after: Option<String>,
    },
    /// What an operator keeps in the directory: [`Response::Directory`].
    Directory(DirectoryRequest),
    /// What waits for other hosts: [`Response::Queue`].
    Queue(QueueRequest),
    /// The message of an item of the queue: [`Response::Content`], then [`Response::Octets`] until [`Response::End`].
    QueueOpen {
        /// `ID.PART`
        id: String,
        /// Stop after about so many octets.
        bytes_max: Option<u64>,
    },
    /// An account's mailboxes: [`Response::Mailboxes`].
    Mailboxes {
        /// Whose.
        account: Option<String>,
    },
    /// Mailboxes are changed, and expunged messages brought back: [`Response::Mailbox`].
    Mailbox(MailboxRequest),
    /// The content of a message that was expunged: [`Response::Content`], then [`Response::Octets`] until [`Response::End`].
    OpenExpunged {
        /// Whose.
        account: Option<String>,
        /// As [`ExpungedSummary::id`] names it.
        id: String,
        /// Stop after about so many octets.
        bytes_max: Option<u64>,
    },
    /// Messages that hold texts: [`Response::Found`]. Ask again with the last UID until an empty page comes.
    Search(SearchRequest),
    /// Messages by ascending UID: [`Response::Messages`].
    Messages {
        /// Whose.
        account: Option<String>,
        /// Which mailbox.
        mailbox: String,
        /// Only UIDs above this one.
        after: Option<u32>,
        /// At most so many, and never more than 1000.
        limit: usize,
    },
    /// The content of a message: [`Response::Content`], then [`Response::Octets`] until [`Response::End`].
    Open {
        /// Whose.
        account: Option<String>,
        /// Which mailbox.
        mailbox: String,
        /// Which message.
        uid: u32,
        /// Stop after about so many octets.
        bytes_max: Option<u64>,
    },
    /// Removes messages for good: [`Response::Expunged`].
    Expunge {
        /// Whose.
        account: Option<String>,
        /// Which mailbox.
        mailbox: String,
        /// Which messages.
        uids: Vec<u32>,
    },
    /// Timelines: [`Response::Content`], then events as JSON, a line each, in [`Response::Octets`] until
    /// [`Response::End`]. See [`store::TraceQuery`].
    Trace {
        /// Of a connection or a message.
        id: Option<String>,
        /// What events are about.
        address: Option<String>,
        /// Since then, in milliseconds since the epoch.
        since_ms: Option<u64>,
        /// The newest so many timelines.
        limit: usize,
    },
    /// Whom greylisting remembers: [`Response::Greylist`].
    Greylist(GreylistRequest),
    /// Verifies the store: [`Response::StoreCheck`].
    StoreCheck,
    /// Figures about the store: [`Response::StoreStats`].
    StoreStats,
}

/// A response as it is written: `{"ok":{"accounts":[…]}}` or `{"error":{"kind":"no_such_account",…}}`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ResponseLine {
    Ok(Response),
    Error(ControlError),
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// What is running.
    Status(Status),
    /// What the DNS should say of the host.
    NodeFacts(NodeFacts),
    /// In the order in which they were made.
    Accounts(Vec<AccountSummary>),
    /// About the directory.
    Directory(DirectoryResponse),
    /// About the queue.
    Queue(QueueResponse),
    /// INBOX first.
    Mailboxes(Vec<MailboxSummary>),
    /// About mailboxes.
    Mailbox(MailboxResponse),
    /// By ascending UID.
    Messages(Vec<MessageSummary>),
    /// The UIDs of messages, ascending.
    Found(Vec<u32>),
    /// A message of so many octets follows.
    Content {
        /// Octets of the whole message.
        size_bytes: u64,
    },
    /// A piece of a message, in base64.
    Octets(String),
    /// There is no more of the message.
    End,
    /// These UIDs were removed.
    Expunged(Vec<u32>),
    /// About greylisting.
    Greylist(GreylistResponse),
    /// What the check found.
    StoreCheck(CheckReport),
    /// The figures.
    StoreStats(StoreStats),
}

/// A running node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Of the program.
    pub version: String,
    /// Of the operating system's process.
    pub process_id: u32,
    /// Seconds since its start.
    pub uptime_s: u64,
    /// Service and address of each listener.
    pub listeners: Vec<(String, crate::config::ListenAddress)>,
    /// Sessions at this moment.
    pub open_sessions: u64,
    /// Lists in the DNS that are asked who sends.
    #[serde(default)]
    pub lists: Vec<ListStatus>,
}

/// One account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSummary {
    /// As it was made.
    pub name: String,
    /// Whether somebody can log in.
    pub has_password: bool,
    /// In all its mailboxes.
    pub messages: u64,
    /// Octets of them.
    pub size_bytes: u64,
    /// Octets that it may keep.
    pub quota_bytes: Option<u64>,
    /// Why nobody logs in, where it is disabled.
    pub disabled: Option<String>,
    /// Passwords for programs.
    pub app_passwords: usize,
    /// The tag of its language; none means the server's.
    #[serde(default)]
    pub language: Option<String>,
}

/// One mailbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxSummary {
    /// `INBOX` or a name.
    pub name: String,
    /// RFC 9051 §2.3.1.1.
    pub uid_validity: u32,
    /// The UID that the next message will get, at least.
    pub uid_next: u32,
    /// Messages.
    pub messages: u64,
    /// Octets of them.
    pub size_bytes: u64,
    /// Messages that nobody has read.
    #[serde(default)]
    pub unseen: u64,
    /// What it is for, such as `junk`.
    #[serde(default)]
    pub special_use: Option<SpecialUse>,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageSummary {
    /// RFC 9051 §2.3.1.1.
    pub uid: u32,
    /// As in the `250` reply and in `Received`.
    pub mail_id: String,
    /// When it was delivered, in RFC 3339.
    pub delivered_at: String,
    /// Octets with the delivery's own header fields.
    pub size_bytes: u64,
    /// As IMAP writes them.
    pub flags: Vec<String>,
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{text}")]
pub struct ControlError {
    /// For programs.
    pub kind: ErrorKind,
    /// For people.
    pub text: String,
}

/// Kinds of [`ControlError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Not a request of this version.
    BadRequest,
    /// A name or a password that cannot be used.
    BadValue,
    /// The name is taken.
    Conflict,
    /// No such account.
    NoSuchAccount,
    /// No such domain.
    NoSuchDomain,
    /// No such alias or list.
    NoSuchAddress,
    /// No such part of something, such as a password for a program.
    NoSuchEntry,
    /// No such mailbox.
    NoSuchMailbox,
    /// No such message.
    NoSuchMessage,
    /// No room.
    Full,
    /// Not now.
    Unavailable,
    /// The store is damaged.
    Damaged,
}

impl ControlError {
    pub(crate) fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }
}

impl From<store::StoreError> for ControlError {
    fn from(error: store::StoreError) -> Self {
        use store::StoreError as Store;
        let kind = match &error {
            Store::Full(_) => ErrorKind::Full,
            Store::Conflict(_) | Store::Limit(_) => ErrorKind::Conflict,
            Store::NoSuchAccount => ErrorKind::NoSuchAccount,
            Store::NoSuchDomain => ErrorKind::NoSuchDomain,
            Store::NoSuchAddress => ErrorKind::NoSuchAddress,
            Store::NoSuchEntry => ErrorKind::NoSuchEntry,
            Store::NoSuchMailbox => ErrorKind::NoSuchMailbox,
            Store::NoSuchMessage => ErrorKind::NoSuchMessage,
            Store::Damaged(_) => ErrorKind::Damaged,
            Store::Unavailable(_) | Store::InUse(_) | Store::NewerFormat { .. } => ErrorKind::Unavailable,
        };
        Self::new(kind, error.to_string())
    }
}
