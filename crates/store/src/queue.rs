//! The queue: what was accepted for other hosts and is not there yet.
//!
//! One [`QueueItem`] is one message for one destination, with all of its recipients there that are still undecided.
//! It comes into being with its message ([`crate::Acceptance::queue`]), waits until it is due, is claimed by a runner,
//! and is settled after each attempt, until it is gone. The state after each attempt is durable before anything is
//! built on it.
//!
//! A claim keeps two runners from sending the same message at the same time. Each change raises the item's revision,
//! and who settles says which revision was claimed: who has lost the item meanwhile (to an operator, to another node
//! after its lease) is fenced. On one node claims live in memory alone, and a restart ends them all; those of who
//! accepted a message with [`crate::QueueClaim::ByCaller`] have no lease there, and last until they are given back or the
//! item changes; where nobody waits for the answer any more, there is none.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use types::{EnhancedStatus, EnvelopeRecipient, MailId, ReversePath, Timestamp};

use crate::{Acceptance, Accepted, BodyStream, StoreError};

/// Names one message for one destination. As text `ID.PART`, for example `01J….2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueueItemId {
    /// The message.
    pub mail_id: MailId,
    /// Which of its items, from 1 on.
    pub part: u32,
}

/// Where the mail of an item goes, as far as it decides what waits together: the domain in ASCII and lower case, or an
/// address literal in brackets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination(String);

/// An item that comes into being.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewQueueItem {
    /// Where it goes.
    pub destination: Destination,
    /// From whom it goes there: that of the message, or that of a list.
    pub reverse_path: ReversePath,
    /// Header fields of this item alone (`List-Id` …), each ended by CRLF; they stand before the body.
    pub header: Bytes,
    /// At least one.
    pub recipients: Vec<EnvelopeRecipient>,
    /// When the first attempt may be.
    pub due_at: Timestamp,
}

/// One message for one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueItem {
    /// Its name, for ever.
    pub id: QueueItemId,
    /// Raised by each change; 1 at first.
    pub revision: u32,
    /// Where it goes.
    pub destination: Destination,
    /// From whom it goes there.
    pub reverse_path: ReversePath,
    /// Header fields of this item alone; they stand before the body.
    pub header: Bytes,
    /// When the message was accepted.
    pub received_at: Timestamp,
    /// Octets of the message with `header`.
    pub size_bytes: u64,
    /// MT-PRIORITY= of the message, 0 where there is none.
    pub priority: i8,
    /// What changes from attempt to attempt.
    pub state: QueueState,
}

/// What of an item changes from attempt to attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueState {
    /// When the next attempt may be; for a held item, when it would have been.
    pub due_at: Timestamp,
    /// Whether there will be one.
    pub status: QueueStatus,
    /// Attempts so far.
    pub attempts: u32,
    /// When the first one was.
    pub first_attempt_at: Option<Timestamp>,
    /// When the last one was.
    pub last_attempt_at: Option<Timestamp>,
    /// Attempts in a row that failed by a fault of our own (poison).
    pub own_failures: u32,
    /// How many notices of delay its sender got.
    pub notices: u8,
    /// The host that was tried last, for people: `mx.example.org [192.0.2.1]`.
    pub last_host: Option<String>,
    /// Those that are undecided; at least one.
    pub recipients: Vec<QueuedRecipient>,
}

/// Whether an item is attempted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum QueueStatus {
    /// When it is due.
    #[default]
    Waiting,
    /// Not before somebody releases it.
    Held {
        /// Why, in plain words.
        reason: String,
    },
}

/// A recipient that is undecided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedRecipient {
    /// Whom the mail is for, and what its sender wants to hear.
    pub recipient: EnvelopeRecipient,
    /// What the last attempt came to.
    pub last: Option<LastWord>,
}

/// What the last attempt came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastWord {
    /// In the class of the outcome.
    pub status: EnhancedStatus,
    /// The code of the reply; none where it is not a host's word but a finding of ours.
    pub code: Option<u16>,
    /// What was said, without codes; lines are separated by LF.
    pub text: String,
}

/// What becomes of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settlement {
    /// Which.
    pub id: QueueItemId,
    /// The revision that was claimed or read.
    pub revision: u32,
    /// What becomes of it.
    pub next: Next,
}

/// What becomes of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// All its recipients are decided: it is gone.
    Gone,
    /// It waits.
    Waits(QueueState),
    /// It waits, and goes elsewhere.
    Moves {
        /// Where.
        destination: Destination,
        /// Its new recipients among it.
        state: QueueState,
    },
}

/// What became of a [`Settlement`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is done and durable; the revision is the item's new one.
    Done {
        /// For the next settlement of the same item.
        revision: u32,
    },
    /// The item has changed since, or is gone: nothing was done.
    Fenced,
}

/// An item whose record is damaged, as far as it is known without that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DamagedItem {
    /// Its name.
    pub id: QueueItemId,
    /// As for one that can be read: it can be settled with [`Next::Gone`].
    pub revision: u32,
    /// Where it goes.
    pub destination: Destination,
    /// What is wrong with it.
    pub why: String,
}

/// A destination for which something waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DestinationFigures {
    /// Which.
    pub destination: Destination,
    /// Items that wait.
    pub waiting: u64,
    /// Items that are held.
    pub held: u64,
    /// When the first of those that wait is due.
    pub due_at: Option<Timestamp>,
}

/// The whole queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueFigures {
    /// Items that wait.
    pub waiting: u64,
    /// Items that are held.
    pub held: u64,
    /// Destinations of them.
    pub destinations: u64,
}

/// Keeps what waits for other hosts. Every read sees all that was committed before it began.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Destinations with waiting items that are due by then, the longest due first, however many items each has. To see
    /// more, ask again with the last one. An item that somebody has claimed waits, too: a destination stays among them
    /// until its items are settled. But for what its acceptance claimed ([`crate::QueueClaim::ByCaller`]), which may be
    /// missing until it is released or settled; likewise in [`Queue::next_due`].
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn destinations_due(
        &self,
        due_by: Timestamp,
        after: Option<&(Timestamp, Destination)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Destination)>, StoreError>;

    /// When the next item is due after a time, whatever its destination; none where nothing is. What is due by that time
    /// is not counted. Takes a step for each destination that has something due by then.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Claims items of a destination that are due by then and that nobody has claimed, the longest due first. A claim
    /// ends when the item is settled or released, when somebody changes the item, or when `lease` is over. What is damaged
    /// is left out, and looked at again when `lease` is over.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn claim(
        &self,
        destination: &Destination,
        due_by: Timestamp,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<QueueItem>, StoreError>;

    /// Gives claims back, and changes nothing.
    fn release(&self, ids: &[QueueItemId]);

    /// Records what becomes of items, with the reports that are owed of it, all in one durable step: no report without
    /// its settlement, no settlement without its report. One answer for each settlement.
    ///
    /// With reports nothing at all is done where any item is fenced ([`StoreError::Conflict`]), or where a report cannot be
    /// accepted ([`crate::Spool::accept`] says when; what the items are, [`Queue::queue_item`] tells). Without, the others
    /// are settled. Of two settlements of one item in one call the second is fenced. A report that goes neither to a
    /// mailbox nor into the queue is stored nowhere.
    ///
    /// # Errors
    /// [`StoreError::Conflict`], also where an item would wait without a recipient; [`StoreError::Full`] (only with reports: making room always works),
    /// [`StoreError::Unavailable`].
    async fn settle(
        &self,
        settlements: Vec<Settlement>,
        reports: Vec<Acceptance>,
    ) -> Result<(Vec<Settled>, Vec<Accepted>), StoreError>;

    /// One item.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn queue_item(&self, id: QueueItemId) -> Result<Option<QueueItem>, StoreError>;

    /// The items of a message that are there yet, by their part. What is damaged is left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn queue_items_of(&self, mail_id: MailId) -> Result<Vec<QueueItem>, StoreError>;

    /// Those items of a message that cannot be read, by their part.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn damaged_items_of(&self, mail_id: MailId) -> Result<Vec<DamagedItem>, StoreError>;

    /// Items that wait and are due later than that, by their id and behind `after`, and where to go on; none at the end.
    /// A call looks at a bounded number of them, and may find nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn queue_ahead(
        &self,
        later_than: Timestamp,
        after: Option<QueueItemId>,
    ) -> Result<(Vec<QueueItemId>, Option<QueueItemId>), StoreError>;

    /// Items by their id, which is about the order in which they came, held ones among them. `destination` for those
    /// of one alone. A page that is not full is the last. What is damaged is left out.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn queue_page(
        &self,
        destination: Option<&Destination>,
        after: Option<QueueItemId>,
        limit: usize,
    ) -> Result<Vec<QueueItem>, StoreError>;

    /// Destinations for which something waits or is held, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn queue_destinations(
        &self,
        after: Option<&Destination>,
        limit: usize,
    ) -> Result<Vec<DestinationFigures>, StoreError>;

    /// The whole queue, at once however deep it is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn queue_figures(&self) -> Result<QueueFigures, StoreError>;

    /// Opens the message of an item: its header fields, then the body as it was accepted. It stays readable while the
    /// stream lives.
    ///
    /// # Errors
    /// [`StoreError::NoSuchMessage`], [`StoreError::Damaged`], [`StoreError::Unavailable`].
    async fn open_queued(&self, id: QueueItemId) -> Result<Box<dyn BodyStream>, StoreError>;
}

/// Octets of a destination: a domain has at most 253, a literal fewer.
pub const DESTINATION_BYTES_MAX: usize = 255;

impl Destination {
    /// Of a recipient's host.
    #[must_use]
    pub fn of(host: &types::Host) -> Self {
        match host {
            types::Host::Domain(domain) => Self(domain.ascii().to_ascii_lowercase()),
            types::Host::Literal(literal) => Self(literal.to_string().to_ascii_lowercase()),
        }
    }

    /// From what was stored or typed.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let is_fit = !name.is_empty() && name.len() <= DESTINATION_BYTES_MAX;
        is_fit.then(|| Self(name.to_ascii_lowercase()))
    }

    /// As it is.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for QueueItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.mail_id, self.part)
    }
}

/// A text that is no id of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not the id of something in the queue, such as ID.1")]
pub struct QueueItemIdError;

impl FromStr for QueueItemId {
    type Err = QueueItemIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (mail_id, part) = text.rsplit_once('.').ok_or(QueueItemIdError)?;
        let mail_id = mail_id.parse().map_err(|_| QueueItemIdError)?;
        let part = part.parse().ok().filter(|part| *part > 0).ok_or(QueueItemIdError)?;
        Ok(Self { mail_id, part })
    }
}

impl QueueState {
    /// Of an item that was never attempted.
    #[must_use]
    pub fn new(recipients: Vec<EnvelopeRecipient>, due_at: Timestamp) -> Self {
        let undecided = |recipient| QueuedRecipient { recipient, last: None };
        Self {
            due_at,
            status: QueueStatus::Waiting,
            attempts: 0,
            first_attempt_at: None,
            last_attempt_at: None,
            own_failures: 0,
            notices: 0,
            last_host: None,
            recipients: recipients.into_iter().map(undecided).collect(),
        }
    }
}

impl LastWord {
    /// On one line: `450 4.2.1 text`, or the text alone where no host said it.
    #[must_use]
    pub fn one_line(&self) -> String {
        let text = self.text.replace('\n', " ");
        match self.code {
            Some(code) => format!("{code} {} {text}", self.status),
            None => text,
        }
    }
}
