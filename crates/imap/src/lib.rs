//! IMAP4rev1 and IMAP4rev2 as a sans-IO machine.
//!
//! - [`command`]: what clients say, as values. [`grammar`] reads them of octets.
//! - [`session`]: the machine: states, order, which untagged data is allowed when.
//! - [`view`]: a mailbox at one moment, and what a client knows of it.
//! - [`mime`]: the structure of messages (RFC 2045), as ENVELOPE, BODYSTRUCTURE and sections.
//! - [`fetch`]: FETCH while it runs.
//! - [`search`]: what SEARCH, SORT and THREAD ask, and whether a message is it.
//! - [`response`]: what servers say, as octets. [`name`]: how mailboxes are named.
//!
//! Standards: RFC 9051 (IMAP4rev2), RFC 3501 (IMAP4rev1), and the extensions that their modules name.
//!
//! Invariant: this crate knows no sockets, clocks, files or store. A driver feeds octets to a [`session::Session`],
//! carries its output out, and does what each [`session::Step`] asks.

pub mod command;
mod date;
pub mod fetch;
pub mod grammar;
pub mod mime;
pub mod name;
pub mod response;
pub mod search;
pub mod session;
pub mod view;
