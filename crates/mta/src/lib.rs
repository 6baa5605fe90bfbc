//! Pure decisions of the mail transfer agent: who may send, whom mail is taken for and where that leads, which
//! mailbox it goes into, what submission does to a header section, how a list and a forwarded message are sent, what is written on top of a message, and whether it runs
//! in a loop; which hosts take it on, what their answers mean, when it is tried again, and what its sender is told.
//! Facts go in, decisions come out.
//!
//! Invariant: this crate knows no sockets, clocks, files or randomness.

pub mod admission;
pub mod convert;
pub mod dkim_rotation;
pub mod dsn;
pub mod filing;
pub mod header;
pub mod hello;
pub mod hops;
pub mod list;
pub mod outcome;
pub mod rate;
pub mod resolve;
pub mod route;
pub mod schedule;
pub mod shaping;
pub mod srs;
pub mod tls;
pub mod trace_fields;
