//! Requests about the queue: what waits for other hosts, and what an operator does about it.
//!
//! What is looked for is read in the order of ids, which is about the order in which mail came. A request looks at a
//! bounded number of items and says where it stopped, so that each answer comes soon however deep the queue is: ask
//! again with [`QueuePage::next`] until there is none.

use serde::{Deserialize, Serialize};

/// What may be asked about the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "about", rename_all = "snake_case")]
pub enum QueueRequest {
    /// How much there is: [`QueueResponse::Figures`].
    Figures {
        /// With so many destinations, those with the most mail.
        destinations: usize,
    },
    /// A page of items: [`QueueResponse::Items`].
    Items {
        /// Which.
        #[serde(default)]
        filter: Box<QueueFilter>,
        /// Only those behind this one.
        #[serde(default)]
        after: Option<String>,
        /// At most so many, and never more than 500.
        limit: usize,
    },
    /// One item, or all of a message, with every recipient: [`QueueResponse::Items`].
    Show {
        /// `ID.PART` or `ID`.
        id: String,
    },
    /// The hosts that mail goes to, where a server runs: [`QueueResponse::Sites`].
    Sites,
    /// Does something to items: [`QueueResponse::Acted`].
    Act {
        /// What.
        act: QueueAct,
        /// `ID.PART`, at most 500.
        ids: Vec<String>,
        /// Who does it, for the trace.
        by: String,
    },
    /// Tries what waits now, however much that is: [`QueueResponse::Flushed`].
    Flush {
        /// What.
        what: QueueFlush,
        /// Who asks for it, for the trace.
        by: String,
    },
}

/// Which items. All that is said must fit; where nothing is said, all do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct QueueFilter {
    /// `ID.PART`, or `ID` for all of a message.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<String>,
    /// An address, `@domain`, or `<>`.
    pub from: Option<String>,
    /// An address, `@domain`, or `postmaster`.
    pub to: Option<String>,
    /// A domain, an address literal, or `.domain` for all domains below it.
    pub domain: Option<String>,
    /// A site by its name, or the name of a host that was tried last.
    pub site: Option<String>,
    /// Those that came before then, in milliseconds since the epoch.
    pub before_ms: Option<u64>,
    /// A text in what a host said last, or in what was found.
    pub reply: Option<String>,
    /// Whether they wait or are held.
    pub status: Option<QueueWord>,
}

/// Whether an item is attempted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueWord {
    /// When it is due.
    Waiting,
    /// Not before somebody releases it.
    Held,
}

/// What an operator does to items.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum QueueAct {
    /// They are tried now.
    Retry,
    /// They are not tried before somebody releases them.
    Hold {
        /// Why, for people.
        reason: String,
    },
    /// What is held is tried again.
    Release,
    /// Nobody gets them.
    Remove {
        /// Whether their senders are told.
        tell: TellSender,
    },
    /// They go to another address.
    Redirect {
        /// Which.
        to: String,
    },
    /// They are given up as if their time was over: their senders are told.
    Expire,
}

/// Whether a sender gets a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TellSender {
    /// No.
    Silently,
    /// Where there is one, and it wants to hear of failures.
    WithReport,
}

/// What is tried now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "which", rename_all = "snake_case")]
pub enum QueueFlush {
    /// All that waits.
    All,
    /// What waits for a domain, an address literal, or with `.domain` all domains below it.
    Domain {
        /// Which.
        domain: String,
    },
    /// What waits for a site.
    Site {
        /// By its name.
        site: String,
    },
}

/// What is answered about the queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueResponse {
    /// How much there is.
    Figures(QueueTotals),
    /// Items.
    Items(QueuePage),
    /// Sites with work or a suspension.
    Sites(Vec<SiteSummary>),
    /// What became of an act.
    Acted(QueueActed),
    /// It is under way.
    Flushed,
}

/// How much there is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueTotals {
    /// Items that wait.
    pub waiting: u64,
    /// Items that are held.
    pub held: u64,
    /// Destinations of them.
    pub destinations: u64,
    /// Those with the most items; of very many destinations, of the first ones by name.
    pub top: Vec<DestinationSummary>,
}

/// A destination for which something waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DestinationSummary {
    /// Which.
    pub destination: String,
    /// Items that wait.
    pub waiting: u64,
    /// Items that are held.
    pub held: u64,
    /// When the first of those that wait is due, in RFC 3339.
    pub due_at: Option<String>,
}

/// Some of the items.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueuePage {
    /// By their id.
    pub items: Vec<QueueItemSummary>,
    /// Those whose record cannot be read, where items are named by their ids.
    #[serde(default)]
    pub damaged: Vec<QueueDamaged>,
    /// Where to go on; none at the end.
    pub next: Option<String>,
    /// Items that were looked at.
    pub scanned: u64,
}

/// An item whose record cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueDamaged {
    /// `ID.PART`
    pub id: String,
    /// The message.
    pub mail_id: String,
    /// Where it was to go.
    pub destination: String,
    /// What is wrong with it.
    pub why: String,
}

/// One message for one destination.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueItemSummary {
    /// `ID.PART`
    pub id: String,
    /// The message, as in the `250` reply and in `Received`.
    pub mail_id: String,
    /// The domain, or an address literal.
    pub destination: String,
    /// In angle brackets; `<>` for a report.
    pub from: String,
    /// Those that are undecided; in a list of items the first ones.
    pub recipients: Vec<QueuedRecipientSummary>,
    /// How many there are.
    pub recipient_count: usize,
    /// When the message was accepted, in RFC 3339.
    pub received_at: String,
    /// Octets of the message.
    pub size_bytes: u64,
    /// MT-PRIORITY=
    pub priority: i8,
    /// Whether it is attempted.
    pub status: QueueWord,
    /// Why it is held.
    pub reason: Option<String>,
    /// When the next attempt may be, in RFC 3339; for a held item, when it would have been.
    pub due_at: String,
    /// Attempts so far.
    pub attempts: u32,
    /// When the first one was, in RFC 3339.
    pub first_attempt_at: Option<String>,
    /// When the last one was, in RFC 3339.
    pub last_attempt_at: Option<String>,
    /// The host that was tried last.
    pub last_host: Option<String>,
    /// Attempts in a row that failed by a fault of this server.
    pub own_failures: u32,
    /// How often the sender was told that it is late.
    pub notices: u8,
    /// Why its message cannot be read, where it is shown by itself and that is so.
    #[serde(default)]
    pub damage: Option<String>,
}

/// A recipient that is undecided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedRecipientSummary {
    /// Without angle brackets.
    pub address: String,
    /// As after NOTIFY=, where it was said.
    pub notify: Option<String>,
    /// What the last attempt came to, on one line: `450 4.2.1 text`, or our own finding.
    pub last: Option<String>,
}

/// The hosts that mail for one or many destinations goes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteSummary {
    /// Its best hosts.
    pub name: String,
    /// Whether it is being tried.
    pub state: SiteWord,
    /// Until when it is left alone, in RFC 3339; none where it is not.
    pub suspended_until: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Connections that are open or being opened.
    pub connections: usize,
    /// How many there may be now.
    pub connections_max: usize,
    /// Items in memory that wait for a connection.
    pub ready: usize,
    /// Messages that it took since the start.
    pub relayed: u64,
    /// Some of the destinations that it takes mail for.
    pub destinations: Vec<String>,
    /// The last replies that were no success, the newest first.
    pub last_replies: Vec<String>,
}

/// Whether a site is being tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SiteWord {
    /// It is.
    Active,
    /// One connection finds out whether it is back.
    Probing,
    /// It is left alone for a while.
    Suspended,
}

/// What became of an act.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct QueueActed {
    /// Items to which it was done.
    pub done: u64,
    /// Items to which it was not.
    pub left: Vec<QueueLeft>,
}

/// An item to which something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueLeft {
    /// `ID.PART`
    pub id: String,
    /// Why not.
    pub why: String,
}
