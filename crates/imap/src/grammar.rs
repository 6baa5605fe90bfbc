//! Octets to commands.
//!
//! Standards: RFC 9051 §9 and RFC 3501 §9; literals by RFC 7888; APPEND in pieces with RFC 3502, RFC 4469, RFC 6855 and
//! RFC 8508; for each other extension its own, cited where it is read.
//!
//! [`CommandReader`] gathers the octets of a command, lines and literals, within limits, and gives it out whole. Messages
//! of APPEND and REPLACE are not gathered: they come out in pieces as they come in. What is gathered is read once, from
//! its first octet to its last.
//!
//! Left out on purpose: whether a command may be said now, and what its arguments mean.

mod account;
mod append;
mod command;
mod cursor;
mod discard;
mod error;
mod fetch;
mod line;
mod list;
mod notify;
mod reader;
mod search;
mod select;
mod set;
mod store;
mod url;

pub use account::{ID_FIELDS_MAX, ID_NAME_BYTES_MAX, ID_VALUE_BYTES_MAX};
pub use error::GrammarError;
pub use fetch::{FETCH_ITEMS_MAX, HEADER_NAMES_MAX};
pub use reader::{
    AppendReading, CommandReader, DISCARDED_BYTES_MAX, Expected, LiteralKind, LiteralSync, ReaderLimits,
    Reading,
};
pub use search::SEARCH_DEPTH_MAX;

type Result<T> = std::result::Result<T, GrammarError>;

/// The events that NOTIFY can ask for (RFC 5465 §5).
pub const NOTIFY_EVENTS: &[&str] = &[
    "MessageNew",
    "MessageExpunge",
    "FlagChange",
    "MailboxName",
    "SubscriptionChange",
    "MailboxMetadataChange",
    "ServerMetadataChange",
];
