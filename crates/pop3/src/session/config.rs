//! What the operator decides of sessions.

use crate::{Apop, Plaintext, TlsOffer};

/// Octets of a command line with its CRLF that every server takes (RFC 2449 §4).
pub const LINE_BYTES_MIN: usize = 255;

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// The greeting names it.
    pub host_name: String,
    /// Octets of a command line with its CRLF; at least, and by default, [`LINE_BYTES_MIN`].
    pub line_bytes_max: usize,
    /// The session closes with this many refused commands and logins.
    pub errors_max: u32,
    /// Whether a client may ask for TLS on a connection that began without it.
    pub tls: TlsOffer,
    /// Where USER and PASS are offered and taken.
    pub plaintext: Plaintext,
    /// The mechanisms of AUTH that are offered and taken while the connection is clear. Names that are none
    /// (RFC 4422 §3.1) are passed over.
    pub mechanisms_clear: Vec<String>,
    /// Those within TLS.
    pub mechanisms_tls: Vec<String>,
    /// Whether APOP is offered, and with which timestamp: another one for each session.
    pub apop: Apop,
    /// Seconds between two logins of an account, announced with LOGIN-DELAY; 0 where any number is taken. The driver
    /// keeps count.
    pub login_delay_s: u64,
    /// How long messages stay that a client has retrieved. The driver removes them.
    pub expire: Expire,
    /// What a client that has not said UTF8 gets of a message whose header section is not ASCII.
    pub without_utf8: WithoutUtf8,
}

/// How long a message stays at least (RFC 2449 §6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expire {
    /// Until a client removes it.
    Never,
    /// So many days; with 0, as long as the session in which it was retrieved.
    AfterDays(u32),
}

/// What is shown of a message whose header section is not ASCII to who has not said UTF8 (RFC 6856 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithoutUtf8 {
    /// The message, as everybody else sees it.
    ///
    /// Deviation: fetchmail and getmail never say UTF8. They fetch a message, put it somewhere and delete it here: of one
    /// that was shown by a surrogate nothing else would be left. RFC 6856 §2.1 wants a surrogate or a failure.
    AsStored,
    /// A surrogate (RFC 6858).
    Surrogate,
}
