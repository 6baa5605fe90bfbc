//! What SEARCH, SORT and THREAD ask for.

use types::mailstore::ModSeq;

use super::{PartialRange, SequenceSet};

/// The characters of the strings; what they say is UTF-8 when it was read (RFC 9051 §6.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Charset {
    /// UTF-8 or US-ASCII.
    #[default]
    Utf8,
    /// Another one: the command is answered with BADCHARSET.
    Unknown,
}

/// What is looked for (RFC 9051 §6.4.4). Strings are UTF-8 as the client wrote them.
#[derive(Debug, Clone, PartialEq)]
pub enum SearchKey {
    /// ALL
    All,
    /// All of them: keys one behind the other, or in parentheses.
    And(Vec<Self>),
    /// OR
    Or(Box<(Self, Self)>),
    /// NOT, UNSEEN and others like it
    Not(Box<Self>),
    /// ANSWERED, DELETED, DRAFT, FLAGGED, SEEN: one system flag
    Flag(types::mailstore::Flags),
    /// KEYWORD
    Keyword(String),
    /// RECENT, OLD and NEW of RFC 3501, which nothing is here: RECENT
    Recent,
    /// BCC, CC, FROM, TO, SUBJECT, and HEADER with the name of any field; an empty value asks whether the field is there.
    Header {
        /// As written.
        name: String,
        /// Anywhere in it.
        value: String,
    },
    /// BODY
    Body(String),
    /// TEXT
    Text(String),
    /// BEFORE, of the internal date: a day (days since 1970-01-01) of UTC, disregarding time
    Before(i64),
    /// ON
    On(i64),
    /// SINCE
    Since(i64),
    /// SENTBEFORE
    SentBefore(i64),
    /// SENTON
    SentOn(i64),
    /// SENTSINCE
    SentSince(i64),
    /// SAVEDBEFORE (RFC 8514)
    SavedBefore(i64),
    /// SAVEDON
    SavedOn(i64),
    /// SAVEDSINCE
    SavedSince(i64),
    /// SAVEDATESUPPORTED
    SaveDateSupported,
    /// OLDER (RFC 5032), seconds
    Older(u32),
    /// YOUNGER
    Younger(u32),
    /// LARGER
    Larger(u64),
    /// SMALLER
    Smaller(u64),
    /// A set of sequence numbers
    Sequence(SequenceSet),
    /// UID
    Uid(SequenceSet),
    /// MODSEQ (RFC 7162); the name of an entry means nothing here.
    ModSeq(ModSeq),
    /// EMAILID (RFC 8474)
    EmailId(String),
    /// THREADID
    ThreadId(String),
}

/// RETURN (…)
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReturnOptions {
    /// As said; `RETURN ()` is ALL.
    pub options: Vec<ReturnOption>,
}

/// One of RETURN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnOption {
    /// MIN
    Min,
    /// MAX
    Max,
    /// ALL
    All,
    /// COUNT
    Count,
    /// SAVE (RFC 5182)
    Save,
    /// PARTIAL (RFC 9394)
    Partial(PartialRange),
}

/// By what messages are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SortCriterion {
    /// REVERSE
    pub reverse: bool,
    /// What.
    pub key: SortKey,
}

/// RFC 5256 §3, RFC 5957.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// ARRIVAL
    Arrival,
    /// CC
    Cc,
    /// DATE
    Date,
    /// FROM
    From,
    /// SIZE
    Size,
    /// SUBJECT
    Subject,
    /// TO
    To,
    /// DISPLAYFROM (RFC 5957)
    DisplayFrom,
    /// DISPLAYTO (RFC 5957)
    DisplayTo,
}

/// RFC 5256 §3.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThreadAlgorithm {
    /// ORDEREDSUBJECT
    OrderedSubject,
    /// REFERENCES
    References,
}
