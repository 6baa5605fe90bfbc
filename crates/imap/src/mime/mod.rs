//! The structure of a message: parts, their headers and where their octets are, as IMAP shows it.
//!
//! - [`StructureParser`] reads a message once, in pieces of any size, in linear time and bounded memory.
//! - [`Structure`] is what remains: small, kept beside the message, and enough for ENVELOPE, BODYSTRUCTURE, PREVIEW and for
//!   knowing which octets a section is.
//! - [`Summary`] is what of it lists of messages show, ready to be copied.
//! - [`decode`] undoes transfer encodings, [`words`] what RFC 2047 did to headers.
//!
//! Standards: RFC 5322, RFC 2045–2047, RFC 2049, RFC 2183, RFC 2231, RFC 3282, RFC 2557, RFC 6532; what RFC 1049 wrote as
//! Content-Type is read as text. Everything is read leniently: mail is shown as well as can be, never refused.
//!
//! Left out on purpose: what is encrypted or signed is not looked into, uuencode in a text is text, and a message that is
//! encoded within another one is octets.

mod address;
mod bytes;
mod content;
mod cost;
pub mod decode;
pub(crate) mod fields;
mod parameter;
mod parser;
mod preview;
mod record;
mod section;
mod show;
mod shown_fields;
mod structure;
mod summary;
#[cfg(test)]
mod tests;
pub mod words;

pub use decode::TransferEncoding;
pub use parser::{StructureLimits, StructureParser};
pub use show::{BodyForm, StringForm};
pub use structure::{Address, Addresses, Envelope, Part, Structure};
pub use summary::{Described, Detail, ListText, ListTexts, Summary};

/// Which part of a message: `[1.2.3]`, numbers from 1, never empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PartPath(pub Vec<u32>);
