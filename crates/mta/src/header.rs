//! The header section of a message on its way in: where it ends, whether it may stand below the trace fields, and
//! what submission does to it.
//!
//! Standards: RFC 5322 §2.2 and §3.6, RFC 6532 (UTF-8), RFC 6409 §8 (what submission may change).
//!
//! Everything works on the octets as they are and says which ranges of them stay: nothing is parsed into a tree, and
//! the body is never touched. Left out on purpose: MIME.

mod address_list;
mod collect;
mod encoded_word;
pub mod field;
mod joint;
mod plan;
mod submission;

pub use address_list::addresses;
pub use collect::{HeaderCollector, Progress};
pub(crate) use encoded_word::encoded_words;
pub use joint::{FIRST_OCTETS_MAX, Joint, joins_trace_fields};
pub use plan::{Plan, without};
pub use submission::{EightBit, FromPolicy, HeaderProblem, MissingFrom, SubmissionFacts, submission};

/// Octets of a header section that submission takes by default. Real ones have 20 KiB at most.
pub const HEADER_BYTES_MAX: usize = 256 * 1024;
/// Fields of a header section that submission takes.
pub const FIELDS_MAX: usize = 1000;
