//! SMTP, LMTP and submission as sans-IO machines: grammar, server, client, DATA and BDAT codecs.
//!
//! Invariant: this crate knows no sockets, clocks, files or randomness. A driver feeds octets in and carries
//! octets out.

pub mod client;
pub mod codec;
pub mod grammar;
pub mod server;
