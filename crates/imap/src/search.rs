//! What SEARCH, SORT and THREAD ask, and whether a message is it.

use types::mailstore::{ModSeq, Uid};

/// Messages that belong together (RFC 5256 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// None where the message that the others answer is not among those found.
    pub uid: Option<Uid>,
    /// Answers to it, in order.
    pub children: Vec<Self>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// By SEARCH: ascending; with the highest modification sequence of them where MODSEQ was among the keys.
    Messages(Vec<Uid>, Option<ModSeq>),
    /// By SORT: in order.
    Sorted(Vec<Uid>, Option<ModSeq>),
    /// By THREAD: in order.
    Threads(Vec<Thread>),
}
