//! The trait of mailboxes and their messages, and the values that go in and out of it.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use types::Timestamp;
use types::mailstore::{Flags, MailboxId, ModSeq, SpecialUse, Uid};

use crate::{AccountId, BodyStream, MailboxInfo, MessageEntry, StoreError, Watch};

/// Reads and changes mailboxes. Every read sees all that was committed before it began; every change is all or nothing,
/// and durable when it returns.
///
/// Names of mailboxes are UTF-8 (NFC), with [`crate::HIERARCHY_SEPARATOR`] between levels, compared octet by octet; `INBOX`
/// is compared without regard to case, and written so. What else a name may be is decided by who asks.
#[async_trait]
pub trait Mailboxes: Send + Sync {
    /// The mailboxes of an account, INBOX first, then by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn mailboxes(&self, account: AccountId) -> Result<Vec<MailboxInfo>, StoreError>;

    /// One mailbox.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Unavailable`].
    async fn mailbox(&self, mailbox: MailboxId) -> Result<MailboxInfo, StoreError>;

    /// Makes a mailbox, and those above it that are not there (RFC 9051 §6.3.4).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the name is taken, or another mailbox has the special use; [`StoreError::Limit`] where the
    /// account would have too many, or the name is too long; [`StoreError::NoSuchAccount`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        at: Timestamp,
    ) -> Result<MailboxInfo, StoreError>;

    /// Gives a mailbox another name, and so those below it; UIDs, UIDVALIDITY and ids stay. Mailboxes above the new name that
    /// are not there are made. Of INBOX the messages are moved into a new mailbox, and those below it stay (RFC 9051
    /// §6.3.6).
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`]; [`StoreError::Conflict`] where a new name is taken; [`StoreError::Limit`] where the account
    /// would have too many mailboxes, or one of the new names is too long: then all keep theirs; [`StoreError::Full`],
    /// [`StoreError::Unavailable`].
    async fn rename_mailbox(
        &self,
        account: AccountId,
        from: &str,
        to: &str,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes a mailbox; those below it stay. Its messages are expunged, and can be restored for a time. `name` is by what it was
    /// chosen: where somebody has given it another one meanwhile, it stays.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`]; [`StoreError::Conflict`] of INBOX; [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn delete_mailbox(&self, mailbox: MailboxId, name: &str, at: Timestamp) -> Result<(), StoreError>;

    /// Names that the account has subscribed to, whether there are such mailboxes or not, in order.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn subscriptions(&self, account: AccountId) -> Result<Vec<String>, StoreError>;

    /// Subscribes to a name or ends that; what is so already stays.
    ///
    /// # Errors
    /// [`StoreError::NoSuchAccount`]; [`StoreError::Conflict`] where there are too many; [`StoreError::Full`],
    /// [`StoreError::Unavailable`].
    async fn subscribe(
        &self,
        account: AccountId,
        name: &str,
        subscription: Subscription,
    ) -> Result<(), StoreError>;

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

    /// Opens the first of some messages, and as many behind it as are little to keep in memory: for who reads one behind the
    /// other.
    ///
    /// # Errors
    /// Those of [`Mailboxes::open`] for the first. One behind it that cannot be opened ends what is returned.
    async fn open_some(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<Box<dyn BodyStream>>, StoreError> {
        match uids.first() {
            Some(first) => Ok(vec![self.open(mailbox, *first).await?]),
            None => Ok(Vec::new()),
        }
    }

    /// Gives keywords their places in a mailbox where they have none. Returns all of the mailbox's, at their places; one
    /// that is missing there found no room. They are compared without regard to case, and kept as first written.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn add_keywords(&self, mailbox: MailboxId, names: &[String]) -> Result<Vec<String>, StoreError>;

    /// Adds and removes flags of messages; UIDs that do not exist are passed over, and so are, with `unchanged_since`
    /// (RFC 7162 §3.1.3), those that changed later. What changes gets one new modification sequence.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn store_flags(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        add: Flags,
        remove: Flags,
        unchanged_since: Option<ModSeq>,
    ) -> Result<FlagsStored, StoreError>;

    /// As [`Self::store_flags`], asked by one who knows the messages: where nothing of the mailbox changed after what is known,
    /// none of them is read.
    ///
    /// # Errors
    /// As of [`Self::store_flags`].
    async fn store_flags_of(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        (add, remove): (Flags, Flags),
        unchanged_since: Option<ModSeq>,
        known: Arc<dyn KnownMessages>,
    ) -> Result<FlagsStored, StoreError>;

    /// Copies or moves messages into another mailbox of the same account (or the same mailbox), with their flags, keywords
    /// and internal dates, without copying bodies (RFC 9051 §6.4.7, §6.4.8). UIDs that do not exist are passed over.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`]; [`StoreError::Conflict`] where they are of two accounts, or one message would be in a
    /// mailbox too often; [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn transfer(
        &self,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        how: Transfer,
        at: Timestamp,
    ) -> Result<Transferred, StoreError>;

    /// Removes messages; UIDs that do not exist are passed over. Returns those that were removed. For a time they can be
    /// restored ([`Mailboxes::restore`]), and count for no quota.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Unavailable`].
    async fn expunge(&self, mailbox: MailboxId, uids: &[Uid], at: Timestamp) -> Result<Vec<Uid>, StoreError> {
        self.expunge_flagged(mailbox, uids, Flags::NONE, at).await
    }

    /// As [`Mailboxes::expunge`], but only those that have all of `flags` in the moment in which they would go: what somebody
    /// else has unflagged stays.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Unavailable`].
    async fn expunge_flagged(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        flags: Flags,
        at: Timestamp,
    ) -> Result<Vec<Uid>, StoreError>;

    /// Which UIDs went from a mailbox after a modification sequence (RFC 7162 §3.2).
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Unavailable`].
    async fn vanished(&self, mailbox: MailboxId, since: ModSeq) -> Result<Vanished, StoreError>;

    /// What was expunged from the mailboxes of an account and can be restored, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn expunged(&self, account: AccountId) -> Result<Vec<Expunged>, StoreError>;

    /// Brings expunged messages back into the mailbox from which they were expunged, with new UIDs; one that is gone is made
    /// again. `messages` are of [`Expunged::message`]; what is no more is passed over. Returns how many came back.
    ///
    /// # Errors
    /// [`StoreError::Full`], [`StoreError::Unavailable`].
    async fn restore(
        &self,
        account: AccountId,
        messages: &[(MailboxId, Uid)],
        at: Timestamp,
    ) -> Result<usize, StoreError>;

    /// Lets go for good what was expunged before a time, at most `limit` messages of the whole store. Returns how many.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn purge_expunged(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Annotations (RFC 5464) of a mailbox, or with none of the account: all of them, by name.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`], [`StoreError::Unavailable`].
    async fn metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Vec<Metadata>, StoreError>;

    /// Sets annotations, or removes those without a value.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMailbox`]; [`StoreError::Conflict`] where there would be too many; [`StoreError::Full`],
    /// [`StoreError::Unavailable`].
    async fn set_metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        changes: Vec<Metadata>,
    ) -> Result<(), StoreError>;

    /// From now on, every change of the account's mailboxes that is committed.
    fn watch(&self, account: AccountId) -> Watch;
}

/// Whether an account wants to see a name in LSUB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subscription {
    /// It does.
    On,
    /// It does not.
    Off,
}

/// What becomes of messages where they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transfer {
    /// They stay.
    Copy,
    /// They go, in the same step (RFC 6851).
    Move,
}

/// What [`Mailboxes::store_flags`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FlagsStored {
    /// Those whose flags are others than before.
    pub changed: Flagging,
    /// Those that had changed after `unchanged_since`.
    pub modified: Vec<Uid>,
}

/// One change of flags of messages of a mailbox, as short as its record in the log: who knows the messages makes of it what they
/// are now. Empty where nothing changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flagging {
    /// What those messages have now. One that has a later one already has the flags of a later change, too.
    pub modseq: ModSeq,
    /// Ascending.
    pub runs: Arc<[FlagRun]>,
}

/// Messages that follow each other by UID, and have the same flags. All of them were there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FlagRun {
    /// The first.
    pub first: Uid,
    /// The last.
    pub last: Uid,
    /// What they have now.
    pub flags: Flags,
}

impl Default for Flagging {
    fn default() -> Self {
        Self { modseq: ModSeq(0), runs: Arc::default() }
    }
}

impl Flagging {
    /// Messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.iter().map(|run| (run.last.0 - run.first.0) as usize + 1).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Each message with its flags, ascending.
    pub fn iter(&self) -> impl Iterator<Item = (Uid, Flags)> {
        self.runs.iter().flat_map(|run| (run.first.0..=run.last.0).map(|uid| (Uid(uid), run.flags)))
    }

    /// The flags of a message that is one of them.
    #[must_use]
    pub fn find(&self, uid: Uid) -> Option<Flags> {
        let run = self.runs.get(self.runs.partition_point(|run| run.last < uid))?;
        (run.first <= uid).then_some(run.flags)
    }
}

/// Messages of a mailbox as somebody knows them.
pub trait KnownMessages: Send + Sync + fmt::Debug {
    /// All changes up to this one are in it; later ones may be in part: it is believed only where there are none.
    fn highest_modseq(&self) -> ModSeq;

    /// Calls `visit` for those of some UIDs, which ascend, that are there.
    fn each(&self, uids: &[Uid], visit: &mut dyn FnMut(Uid, Flags, ModSeq));
}

/// What [`Mailboxes::transfer`] did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Transferred {
    /// UIDs where the messages were and where they are, ascending in both.
    pub uids: Vec<(Uid, Uid)>,
}

/// What went from a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vanished {
    /// These UIDs, ascending.
    These(Vec<Uid>),
    /// More than is remembered: everything below UIDNEXT that is not there may have gone.
    Forgotten,
}

/// A message that was expunged and can be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expunged {
    /// Where it is kept, for [`Mailboxes::restore`] and [`Mailboxes::open`]: no mailbox that is listed.
    pub kept_in: MailboxId,
    /// It, as it is kept there: `saved_at` is when it was expunged.
    pub message: MessageEntry,
    /// The name of the mailbox that it was in.
    pub mailbox_name: String,
}

/// An annotation (RFC 5464).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// As `/private/comment`, in lower case.
    pub name: String,
    /// None to remove it.
    pub value: Option<Bytes>,
}
