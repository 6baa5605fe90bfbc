//! What SEARCH, SORT and THREAD ask, and whether a message is it.
//!
//! - [`Plan`]: a search made ready; judges a message with what is known of it so far.
//! - [`HeaderFacts`] and [`Signature`]: what is kept of a message so that it need not be read.
//! - [`Reading`]: reads a message for what only its octets answer.
//! - [`Sorter`], [`Threader`]: the order of what was found, by what [`Column`]s keep of each message.
//!
//! Standards: RFC 9051 §6.4.4, RFC 5256 (SORT, THREAD), RFC 5957 (DISPLAYFROM, DISPLAYTO), RFC 5032 (OLDER, YOUNGER), RFC 8514
//! (SAVEDATE), RFC 8474 (EMAILID), RFC 5051 (how texts are compared).
//!
//! Left out on purpose: stems of words, ranking, and what is in attachments that are no text.

mod charset;
mod column;
mod field;
mod fold;
mod header_facts;
mod needle;
mod plan;
mod reading;
mod sent_date;
mod signature;
mod sort;
mod subject;
mod thread;

pub use column::Column;
pub use fold::fold;
pub use header_facts::{HeaderFacts, SearchedField, SortedAddress, make as make_header_facts};
pub use needle::Needle;
pub use plan::{Answers, Known, Need, Place, Plan, Question, TooMany, Verdict, Words};
pub use reading::{Reading, Scope, Signing, folded_header};
pub use sent_date::SentDate;
pub use signature::{Signature, SignatureMaker};
pub use sort::Sorter;
pub use subject::BaseSubject;
pub use thread::{THREAD_DEPTH_MAX, Thread, Threader};

use types::mailstore::{ModSeq, Uid};

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
