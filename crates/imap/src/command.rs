//! What clients say, as values.
//!
//! Standards: RFC 9051 §6 and RFC 3501 §6; for each extension its own.

mod fetch;
mod search;
mod set;

pub use fetch::{BodyItem, FetchItem, MimePart, PartSection, Partial, Section, SectionText};
pub use search::{Charset, ReturnOption, ReturnOptions, SearchKey, SortCriterion, SortKey, ThreadAlgorithm};
pub use set::{RANGES_MAX, SequenceSet, SetRange, SetValue};

use types::Timestamp;
use types::mailstore::{Flags, ModSeq, SpecialUse, UidValidity};

/// What the client calls a command by; the response that ends it repeats it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag(pub String);

/// A command with its tag.
#[derive(Debug, Clone, PartialEq)]
pub struct Tagged {
    /// Its tag.
    pub tag: Tag,
    /// It.
    pub command: Command,
}

/// The name of a mailbox in UTF-8, whatever the encoding in which it came (RFC 3501 §5.1.3, RFC 9051 §5.1, RFC 6855);
/// INBOX in any case is `INBOX`. Whether a mailbox may have it is not decided here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailboxName(pub String);

/// A secret that a client sent; not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub Vec<u8>);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret")
    }
}

/// How the messages of a command are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbering {
    /// By sequence number.
    Sequence,
    /// By UID: the command came behind `UID`.
    Uid,
}

/// A command. APPEND and REPLACE are read in pieces, since messages are large: [`AppendCommand`] is how they begin.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// CAPABILITY
    Capability,
    /// NOOP
    Noop,
    /// LOGOUT
    Logout,
    /// ID (RFC 2971); none where it is NIL.
    Id(Option<Vec<(String, Option<String>)>>),
    /// STARTTLS
    StartTls,
    /// AUTHENTICATE, with an initial response (RFC 4959), decoded; `=` is an empty one.
    Authenticate {
        /// In upper case.
        mechanism: String,
        /// Decoded.
        initial_response: Option<Secret>,
    },
    /// LOGIN
    Login {
        /// UTF-8.
        name: String,
        /// It.
        password: Secret,
    },
    /// UNAUTHENTICATE (RFC 8437)
    Unauthenticate,
    /// ENABLE (RFC 5161): names in upper case.
    Enable(Vec<String>),
    /// SELECT or EXAMINE
    Select {
        /// Which.
        mailbox: MailboxName,
        /// The name as it was written, where it was written otherwise (RFC 9051 §6.3.2).
        said: Option<MailboxName>,
        /// EXAMINE is [`Access::ReadOnly`].
        access: Access,
        /// CONDSTORE (RFC 7162 §3.1.8) was among the parameters.
        condstore: bool,
        /// QRESYNC (RFC 7162 §3.2.5).
        qresync: Option<Qresync>,
    },
    /// CREATE (RFC 6154 for the uses)
    Create {
        /// Which; a separator at the end was taken off.
        mailbox: MailboxName,
        /// The name as it was written, where it was written otherwise (RFC 9051 §6.3.4).
        said: Option<MailboxName>,
        /// USE; one that is not known here is `Err` with its name.
        special_uses: Vec<Result<SpecialUse, String>>,
    },
    /// DELETE
    Delete {
        /// Which.
        mailbox: MailboxName,
        /// The name as it was written, where it was written otherwise (RFC 9051 §6.3.5).
        said: Option<MailboxName>,
    },
    /// RENAME
    Rename {
        /// Its name.
        from: MailboxName,
        /// The new one.
        to: MailboxName,
        /// Its name as it was written, where one of both was written otherwise (RFC 9051 §6.3.6).
        said: Option<MailboxName>,
    },
    /// SUBSCRIBE
    Subscribe(MailboxName),
    /// UNSUBSCRIBE
    Unsubscribe(MailboxName),
    /// LIST (RFC 9051 §6.3.9, RFC 5258, RFC 5819, RFC 8440, RFC 9590)
    List(ListCommand),
    /// LSUB (RFC 3501 §6.3.9)
    Lsub {
        /// Before the pattern.
        reference: String,
        /// With `*` and `%`.
        pattern: String,
    },
    /// NAMESPACE (RFC 2342)
    Namespace,
    /// STATUS
    Status {
        /// Which.
        mailbox: MailboxName,
        /// What is asked, once each.
        items: Vec<StatusItem>,
    },
    /// IDLE (RFC 2177); its DONE is read by the session.
    Idle,
    /// CHECK (RFC 3501 §6.4.1)
    Check,
    /// CLOSE
    Close,
    /// UNSELECT
    Unselect,
    /// EXPUNGE, or UID EXPUNGE with its set (RFC 4315)
    Expunge(Option<SequenceSet>),
    /// SEARCH
    Search {
        /// UID SEARCH has UIDs.
        numbering: Numbering,
        /// RETURN (RFC 9051 §6.4.4, RFC 4731, RFC 5182, RFC 9394); none where it was not said.
        options: Option<ReturnOptions>,
        /// UTF-8 where none was said.
        charset: Charset,
        /// What.
        key: SearchKey,
    },
    /// SORT (RFC 5256, RFC 5267 for RETURN)
    Sort {
        /// UID SORT has UIDs.
        numbering: Numbering,
        /// As of SEARCH.
        options: Option<ReturnOptions>,
        /// By what, the first one first.
        criteria: Vec<SortCriterion>,
        /// Must be said.
        charset: Charset,
        /// What.
        key: SearchKey,
    },
    /// THREAD (RFC 5256)
    Thread {
        /// UID THREAD has UIDs.
        numbering: Numbering,
        /// How.
        algorithm: ThreadAlgorithm,
        /// Must be said.
        charset: Charset,
        /// What.
        key: SearchKey,
    },
    /// FETCH
    Fetch {
        /// Whether `set` has UIDs.
        numbering: Numbering,
        /// Which.
        set: SequenceSet,
        /// What, macros resolved, once each.
        items: Vec<FetchItem>,
        /// CHANGEDSINCE (RFC 7162 §3.1.4.1)
        changed_since: Option<ModSeq>,
        /// VANISHED (RFC 7162 §3.2.6)
        vanished: bool,
        /// PARTIAL (RFC 9394)
        partial: Option<PartialRange>,
    },
    /// STORE
    Store {
        /// Whether `set` has UIDs.
        numbering: Numbering,
        /// Which.
        set: SequenceSet,
        /// UNCHANGEDSINCE (RFC 7162 §3.1.3)
        unchanged_since: Option<ModSeq>,
        /// What becomes of the flags.
        how: StoreHow,
        /// `.SILENT`
        silent: bool,
        /// Which.
        flags: FlagList,
    },
    /// COPY or MOVE
    Copy {
        /// Whether `set` has UIDs.
        numbering: Numbering,
        /// Which.
        set: SequenceSet,
        /// Where to.
        mailbox: MailboxName,
        /// MOVE (RFC 6851).
        moves: bool,
    },
    /// GETQUOTA (RFC 9208): the name of a root.
    GetQuota(String),
    /// GETQUOTAROOT
    GetQuotaRoot(MailboxName),
    /// SETQUOTA: a root and the limits of resources.
    SetQuota {
        /// Which.
        root: String,
        /// As they were said.
        limits: Vec<(String, u64)>,
    },
    /// GETMETADATA (RFC 5464)
    GetMetadata {
        /// None for those of the server (`""`).
        mailbox: Option<MailboxName>,
        /// MAXSIZE
        size_max: Option<u64>,
        /// DEPTH
        depth: MetadataDepth,
        /// In lower case.
        entries: Vec<String>,
    },
    /// SETMETADATA
    SetMetadata {
        /// None for those of the server.
        mailbox: Option<MailboxName>,
        /// In lower case, with NIL to remove it.
        entries: Vec<(String, Option<Vec<u8>>)>,
    },
    /// MYRIGHTS (RFC 4314)
    MyRights(MailboxName),
    /// GETACL
    GetAcl(MailboxName),
    /// LISTRIGHTS
    ListRights {
        /// Of which.
        mailbox: MailboxName,
        /// Whose.
        identifier: String,
    },
    /// SETACL, or DELETEACL where there are no rights.
    SetAcl {
        /// Of which.
        mailbox: MailboxName,
        /// Whose.
        identifier: String,
        /// As said.
        rights: Option<String>,
    },
    /// COMPRESS DEFLATE (RFC 4978)
    Compress,
    /// NOTIFY (RFC 5465)
    Notify(NotifyCommand),
}

/// What may be done in a selected mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// SELECT
    ReadWrite,
    /// EXAMINE
    ReadOnly,
}

/// What a client knows of a mailbox (RFC 7162 §3.2.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Qresync {
    /// The last known UIDVALIDITY.
    pub uid_validity: UidValidity,
    /// The last known modification sequence.
    pub modseq: ModSeq,
    /// The known UIDs; all where they were not said.
    pub known_uids: Option<SequenceSet>,
    /// Sequence numbers and their UIDs, as the client knew them.
    pub match_data: Option<(SequenceSet, SequenceSet)>,
}

/// LIST in all its forms.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ListCommand {
    /// Before each pattern.
    pub reference: String,
    /// With `*` and `%`; in UTF-8.
    pub patterns: Vec<String>,
    /// Selection options; none where it is LIST of RFC 3501.
    pub selection: Vec<ListSelection>,
    /// Return options.
    pub returns: Vec<ListReturn>,
    /// Whether it is more than LIST of RFC 3501: it had options, or several patterns.
    pub is_extended: bool,
}

/// Which mailboxes LIST is about (RFC 5258 §3.1, RFC 6154).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListSelection {
    /// SUBSCRIBED
    Subscribed,
    /// REMOTE
    Remote,
    /// RECURSIVEMATCH
    RecursiveMatch,
    /// SPECIAL-USE
    SpecialUse,
}

/// What LIST says more (RFC 5258 §3.2, RFC 5819, RFC 6154).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListReturn {
    /// SUBSCRIBED
    Subscribed,
    /// CHILDREN
    Children,
    /// SPECIAL-USE
    SpecialUse,
    /// STATUS
    Status(Vec<StatusItem>),
    /// MYRIGHTS (RFC 8440)
    MyRights,
    /// METADATA (RFC 9590): entries in lower case
    Metadata(Vec<String>),
}

/// What STATUS tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusItem {
    /// MESSAGES
    Messages,
    /// RECENT (RFC 3501)
    Recent,
    /// UIDNEXT
    UidNext,
    /// UIDVALIDITY
    UidValidity,
    /// UNSEEN
    Unseen,
    /// DELETED (RFC 9051)
    Deleted,
    /// DELETED-STORAGE (RFC 9208)
    DeletedStorage,
    /// SIZE (RFC 8438)
    Size,
    /// HIGHESTMODSEQ (RFC 7162)
    HighestModSeq,
    /// APPENDLIMIT (RFC 7889)
    AppendLimit,
    /// MAILBOXID (RFC 8474)
    MailboxId,
}

/// What STORE does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreHow {
    /// FLAGS
    Replace,
    /// +FLAGS
    Add,
    /// -FLAGS
    Remove,
}

/// Flags as a client names them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagList {
    /// System flags. `\Recent` and ones that are not known are refused by the grammar.
    pub system: Flags,
    /// Keywords as written, once each.
    pub keywords: Vec<String>,
}

/// `PARTIAL 1:100` or `PARTIAL -1:-100` (RFC 9394): places from the front or from the back, 1 the first, either order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialRange {
    /// Where they are counted from.
    pub from_end: bool,
    /// The lower one.
    pub first: u32,
    /// The higher one.
    pub last: u32,
}

/// How deep GETMETADATA looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetadataDepth {
    /// The entries alone.
    #[default]
    Zero,
    /// One level below.
    One,
    /// All below.
    Infinity,
}

/// What a NOTIFY asks (RFC 5465).
#[derive(Debug, Clone, PartialEq)]
pub enum NotifyCommand {
    /// NONE
    None,
    /// SET
    Set {
        /// STATUS: tell of each mailbox now.
        status: bool,
        /// In order; the first that fits a mailbox counts.
        groups: Vec<EventGroup>,
    },
}

/// Mailboxes and the events that are told of them.
#[derive(Debug, Clone, PartialEq)]
pub struct EventGroup {
    /// Which.
    pub filter: MailboxFilter,
    /// Events in upper case; empty where it is NONE.
    pub events: Vec<NotifyEvent>,
}

/// Which mailboxes events are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxFilter {
    /// SELECTED
    Selected,
    /// SELECTED-DELAYED
    SelectedDelayed,
    /// INBOXES
    Inboxes,
    /// PERSONAL
    Personal,
    /// SUBSCRIBED
    Subscribed,
    /// SUBTREE
    Subtree(Vec<MailboxName>),
    /// MAILBOXES
    Mailboxes(Vec<MailboxName>),
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum NotifyEvent {
    /// MessageNew, with what is fetched of it
    MessageNew(Vec<FetchItem>),
    /// MessageExpunge
    MessageExpunge,
    /// FlagChange
    FlagChange,
    /// MailboxName
    MailboxName,
    /// SubscriptionChange
    SubscriptionChange,
    /// MailboxMetadataChange
    MailboxMetadataChange,
    /// ServerMetadataChange
    ServerMetadataChange,
}

/// How APPEND or REPLACE begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendCommand {
    /// Its tag.
    pub tag: Tag,
    /// Where to.
    pub mailbox: MailboxName,
    /// The name as it was written, where it was written otherwise (RFC 9051 §6.3.12).
    pub said: Option<MailboxName>,
    /// REPLACE (RFC 8508): which message goes.
    pub replaces: Option<(Numbering, SetValue)>,
}

/// What stands before each message of an APPEND.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppendMessage {
    /// Its flags.
    pub flags: FlagList,
    /// Its internal date.
    pub internal_date: Option<Timestamp>,
}
