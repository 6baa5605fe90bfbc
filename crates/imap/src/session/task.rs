//! What the machine asks of its driver, and the answers.

use std::sync::Arc;

use types::mailstore::{Flags, MailboxId, ModSeq, SpecialUse, Uid, UidValidity};

use crate::command::{
    Access, AppendMessage, MailboxName, Qresync, SearchKey, Secret, SortCriterion, ThreadAlgorithm,
};
use crate::mime::{Described, Detail};
use crate::search::Found;
use crate::view::Snapshot;

/// What the machine wants next.
#[derive(Debug)]
pub enum Step {
    /// More octets, or a change of what is watched ([`super::Session::mailbox_changed`], [`super::Session::event`]). All of
    /// the input was consumed. What is in the output is written first.
    NeedInput,
    /// Write out the output, clear it, and call [`super::Session::receive`] again with what was not consumed.
    Flush,
    /// Write out the output; throw away every octet that was read and not consumed (RFC 9051 §6.2.1); do the handshake and
    /// say [`super::Session::secured`], or close.
    StartTls,
    /// Write out the output; from here on both ways are compressed (RFC 4978), also what was read and not consumed; say
    /// [`super::Session::compressed`].
    StartCompression,
    /// Check the password; answer with [`super::Session::authenticated`].
    LogIn {
        /// UTF-8.
        name: String,
        /// It.
        password: Secret,
    },
    /// Begin an exchange of SASL, and forget one that had begun before; answer with [`super::Session::challenge`] or
    /// [`super::Session::authenticated`].
    SaslBegin {
        /// One of those that the configuration offers here.
        mechanism: String,
        /// Decoded.
        initial_response: Option<Secret>,
    },
    /// Go on with the exchange; answered likewise.
    SaslRespond(Secret),
    /// Do it; answer with [`super::Session::done`].
    Task(Task),
    /// So much of the structures of these messages of the selected mailbox, in order; answer with
    /// [`super::Session::structures`].
    Structures(Vec<Uid>, Detail),
    /// Octets of a message of the selected mailbox: feed them, in order and in pieces of any size, to
    /// [`super::Session::content`], then say [`super::Session::content_end`].
    Content {
        /// Which.
        uid: Uid,
        /// The first octet, from the delivery's own header fields on.
        from: u64,
        /// How many.
        len: u64,
    },
    /// Of an APPEND or REPLACE; each is answered as it says.
    Append(AppendTask),
    /// The account is no longer logged in (RFC 8437): forget it. Nothing is answered.
    LogOut,
    /// Write out the output and close the connection.
    Close,
}

/// Pieces of an APPEND.
#[derive(Debug)]
pub enum AppendTask {
    /// May a message of this size be appended there now (mailbox, quota, limit)? Answer with
    /// [`super::Session::append_checked`]. Asked before the client is told to send it.
    Check {
        /// Where to.
        mailbox: MailboxName,
        /// Octets, as announced.
        size_bytes: u64,
        /// Octets of the messages of the same command before it.
        before_bytes: u64,
        /// The message of the selected mailbox that goes, and makes room (RFC 8508).
        replaces: Option<Uid>,
    },
    /// A message begins. Nothing is answered.
    Begin(AppendMessage),
    /// Its octets. Nothing is answered; a failure is told at the end. The machine says [`Step::Flush`] or more often.
    Octets(Vec<u8>),
    /// The octets of a part of a message in the store (CATENATE with URL, RFC 4469): take them as octets of the message.
    /// Answer with [`super::Session::url_taken`].
    Url {
        /// Which.
        url: CatenateUrl,
        /// The message of the selected mailbox that goes, and makes room (RFC 8508).
        replaces: Option<Uid>,
    },
    /// The message is whole. Nothing is answered.
    End,
    /// All are there: commit them; answer with [`super::Session::done`] and [`Outcome::Appended`].
    Commit {
        /// Where to.
        mailbox: MailboxName,
        /// The message of the selected mailbox that goes.
        replaces: Option<Uid>,
    },
    /// The command ended otherwise: forget what came. Nothing is answered.
    Abandon,
}

/// A URL of CATENATE, as far as it means something here: relative to this server and user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatenateUrl {
    /// None for the selected one.
    pub mailbox: Option<MailboxName>,
    /// Where it was said.
    pub uid_validity: Option<UidValidity>,
    /// Which message.
    pub uid: Uid,
    /// Which section; none for all of it.
    pub section: Option<crate::command::Section>,
    /// `;PARTIAL=`
    pub partial: Option<(u64, Option<u64>)>,
}

/// What the machine asks.
#[derive(Debug, Clone)]
pub enum Task {
    /// Open a mailbox: [`Outcome::Selected`]. The one that was open before is not any more, also where this is refused.
    Select {
        /// Which.
        mailbox: MailboxName,
        /// Whether it may be changed.
        access: Access,
        /// What the client knows of it.
        qresync: Option<Qresync>,
    },
    /// The selected mailbox is closed: watch it no longer. [`Outcome::Done`].
    Unselect,
    /// All mailboxes of the account, and the names that it subscribed to: [`Outcome::Folders`].
    Folders,
    /// One mailbox of the account: [`Outcome::Folder`].
    Folder(MailboxName),
    /// Make a mailbox: [`Outcome::Created`].
    Create {
        /// Which; a name that mailboxes may have.
        mailbox: MailboxName,
        /// Its use.
        special_use: Option<SpecialUse>,
    },
    /// Remove one: [`Outcome::Done`].
    Delete(MailboxName),
    /// Rename one: [`Outcome::Done`].
    Rename {
        /// Its name.
        from: MailboxName,
        /// The new one.
        to: MailboxName,
    },
    /// [`Outcome::Done`].
    Subscribe(MailboxName),
    /// [`Outcome::Done`].
    Unsubscribe(MailboxName),
    /// Look for messages of the selected mailbox: [`Outcome::Found`].
    Search {
        /// The mailbox as the client knows it, with numbers where the key has them.
        view: Arc<crate::view::View>,
        /// What; `$` is resolved to UIDs already.
        key: SearchKey,
        /// How it is to be told.
        kind: SearchKind,
    },
    /// Change flags in the selected mailbox: [`Outcome::Stored`].
    Store {
        /// Which, ascending.
        uids: Vec<Uid>,
        /// Set these.
        add: Flags,
        /// Clear these.
        remove: Flags,
        /// Pass over what changed later.
        unchanged_since: Option<ModSeq>,
    },
    /// Give keywords their places in the selected mailbox: [`Outcome::Keywords`].
    AddKeywords(Vec<String>),
    /// Copy or move messages of the selected mailbox: [`Outcome::Copied`].
    Copy {
        /// Which, ascending.
        uids: Vec<Uid>,
        /// Where to.
        mailbox: MailboxName,
        /// They go where they were.
        moves: bool,
    },
    /// Remove messages of the selected mailbox: [`Outcome::Expunged`].
    Expunge {
        /// Which, ascending: those that the client knows as `\Deleted`. The driver looks whether they have it still.
        uids: Vec<Uid>,
    },
    /// UIDs that went from the selected mailbox since: [`Outcome::Vanished`].
    Vanished {
        /// After this.
        since: ModSeq,
    },
    /// The account's quota: [`Outcome::Quota`].
    Quota,
    /// Annotations, all of them: [`Outcome::Metadata`].
    Metadata(Option<MailboxName>),
    /// Set or remove annotations: [`Outcome::Done`].
    SetMetadata {
        /// None for those of the account.
        mailbox: Option<MailboxName>,
        /// In lower case.
        entries: Vec<(String, Option<Vec<u8>>)>,
    },
    /// Tell of changes of other mailboxes from now on, or no longer (NOTIFY): [`Outcome::Folders`].
    Watch(bool),
    /// Note that a client said who it is (RFC 2971): [`Outcome::Done`].
    ClientId(Vec<(String, Option<String>)>),
}

/// How what was found is told.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchKind {
    /// SEARCH
    Search,
    /// SORT
    Sort(Vec<SortCriterion>),
    /// THREAD
    Thread(ThreadAlgorithm),
}

/// What became of a [`Task`].
#[derive(Debug)]
pub enum Outcome {
    /// It was not done.
    Refused(Refusal),
    /// It was done.
    Done,
    /// The mailbox is open.
    Selected(Box<Selected>),
    /// All of the account.
    Folders {
        /// INBOX first, then by name.
        folders: Vec<FolderFacts>,
        /// Names, in order.
        subscribed: Vec<String>,
    },
    /// The mailbox as it is now.
    Folder(Box<FolderFacts>),
    /// It is there now, with this id.
    Created(MailboxId),
    /// What was found.
    Found(Found),
    /// What changed, and what had changed before; the newest snapshot follows by [`super::Session::mailbox_changed`]
    /// before this is said.
    Stored {
        /// UIDs whose flags are others now, with their flags and the modification sequence.
        changed: Vec<(Uid, Flags, ModSeq)>,
        /// Those that had changed after `unchanged_since`.
        modified: Vec<Uid>,
    },
    /// All keywords of the mailbox, at their places; one that is missing found no room.
    Keywords(Arc<[String]>),
    /// Where they went.
    Copied {
        /// UIDVALIDITY of where they are.
        uid_validity: UidValidity,
        /// From and to, ascending.
        uids: Vec<(Uid, Uid)>,
    },
    /// These are gone; the newest snapshot was told before.
    Expunged(Vec<Uid>),
    /// None where so much went that it is not remembered.
    Vanished(Option<Vec<Uid>>),
    /// Where they are.
    Appended(AppendOutcome),
    /// The account's quota.
    Quota(QuotaFacts),
    /// Name and value, by name.
    Metadata(Vec<(String, Vec<u8>)>),
}

/// Where appended messages are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppendOutcome {
    /// Of the mailbox.
    pub uid_validity: UidValidity,
    /// In the order in which they came.
    pub uids: Vec<Uid>,
}

/// A mailbox that was opened.
#[derive(Debug)]
pub struct Selected {
    /// It.
    pub snapshot: Arc<Snapshot>,
    /// What went since the client's modification sequence, where QRESYNC asked for it and UIDVALIDITY is the same; none
    /// where that is not remembered.
    pub vanished: Option<Vec<Uid>>,
}

/// A mailbox as LIST and STATUS show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFacts {
    /// Its id.
    pub id: MailboxId,
    /// Its name.
    pub name: MailboxName,
    /// What it is for.
    pub special_use: Option<SpecialUse>,
    /// UIDVALIDITY
    pub uid_validity: UidValidity,
    /// UIDNEXT
    pub uid_next: Uid,
    /// HIGHESTMODSEQ
    pub highest_modseq: ModSeq,
    /// MESSAGES
    pub messages: u64,
    /// UNSEEN
    pub unseen: u64,
    /// DELETED
    pub deleted: u64,
    /// DELETED-STORAGE
    pub deleted_bytes: u64,
    /// SIZE
    pub size_bytes: u64,
}

/// What an account has stored, and may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QuotaFacts {
    /// Octets of all messages.
    pub used_bytes: u64,
    /// None where there is no limit.
    pub limit_bytes: Option<u64>,
    /// Messages.
    pub messages: u64,
    /// Mailboxes.
    pub mailboxes: u64,
}

/// Why the driver did not do what it was asked. The machine chooses the response code (RFC 5530).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// `[NONEXISTENT]`, or `[TRYCREATE]` where that is due
    #[error("no such mailbox")]
    NoSuchMailbox,
    /// `[ALREADYEXISTS]`
    #[error("there is such a mailbox already")]
    Exists,
    /// `[CANNOT]`
    #[error("this cannot be done")]
    Cannot,
    /// `[HASCHILDREN]`: a level that is no mailbox itself, and others are below it.
    #[error("there are mailboxes below, and none of this name")]
    HasChildren,
    /// `[USEATTR]`
    #[error("another mailbox has this special use")]
    UseTaken,
    /// `[OVERQUOTA]`
    #[error("over quota")]
    OverQuota,
    /// `[TOOBIG]`
    #[error("the message is larger than messages may be")]
    TooBig,
    /// `[LIMIT]`
    #[error("a limit of this server")]
    Limit,
    /// `[EXPUNGEISSUED]`
    #[error("the message is gone")]
    MessageGone,
    /// `[BADURL]`
    #[error("the URL leads nowhere")]
    BadUrl,
    /// `[UNKNOWN-CTE]`
    #[error("its transfer encoding is not known")]
    UnknownEncoding,
    /// What came is no message: bare CR or LF, NUL outside of BINARY. `BAD` or `NO [PARSE]`
    #[error("it is no message")]
    Malformed,
    /// `[UNAVAILABLE]`
    #[error("not now")]
    Temporary,
    /// `[SERVERBUG]` or `[CORRUPTION]`
    #[error("what is stored is damaged")]
    Damaged,
}

/// The end of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// It is who it says.
    Ok,
    /// `[AUTHENTICATIONFAILED]`
    Refused,
    /// `[AUTHORIZATIONFAILED]`
    NotAuthorized,
    /// `[CONTACTADMIN]`: the password is right, the account is disabled.
    Disabled,
    /// `BAD`: no message of the mechanism.
    Malformed,
    /// `[LIMIT]`: too soon, nothing was checked.
    TooSoon,
    /// `[UNAVAILABLE]`
    Unavailable,
}

/// The answer to [`Step::Structures`]: one for each; none where the message is gone or cannot be read, or with [`Detail::AtHand`] is
/// not read.
pub type Structures = Vec<Option<Described>>;
