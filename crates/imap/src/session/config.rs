//! What the operator decides of sessions, and encryption as the machine sees it.
//!
//! Standards: RFC 9051 §6.2.1 (STARTTLS), §6.2.3 and §7.2.2 (LOGINDISABLED), RFC 8314 §3.2 (TLS from the first octet).

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// The greeting names it.
    pub host_name: String,
    /// Whether a client may ask for TLS on a connection that began without it.
    pub tls: TlsOffer,
    /// Where LOGIN is taken; elsewhere LOGINDISABLED is listed.
    pub plaintext: Plaintext,
    /// The mechanisms of AUTHENTICATE that are offered and taken while the connection is clear.
    pub mechanisms_clear: Vec<String>,
    /// Those within TLS.
    pub mechanisms_tls: Vec<String>,
    /// Whether COMPRESS=DEFLATE is offered.
    pub compression: Compression,
    /// APPENDLIMIT (RFC 7889): octets of one message.
    pub append_bytes_max: u64,
    /// The session closes with this many refused commands and logins in a row.
    pub errors_max: u32,
    /// The answer to ID (RFC 2971): `name`, `version` and others.
    pub server_id: Vec<(String, String)>,
}

/// Whether the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// It is not.
    Clear,
    /// It is: TLS stands since the first octet, or since STARTTLS.
    Tls,
}

/// Whether a client may begin TLS on a connection that is clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsOffer {
    /// The listener has no certificate, or its connections begin with TLS.
    None,
    /// STARTTLS is listed and taken until TLS stands.
    StartTls,
}

/// Where LOGIN, which sends the password as it is, is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// On every connection: for a loopback of a development server.
    Allowed,
    /// Where TLS stands.
    OnlyWithTls,
}

/// Whether COMPRESS is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// It is not.
    None,
    /// DEFLATE (RFC 4978).
    Deflate,
}

impl TlsOffer {
    /// Whether STARTTLS has something to begin.
    pub(crate) fn is_open(self, security: Security) -> bool {
        self == Self::StartTls && security == Security::Clear
    }
}

impl Plaintext {
    /// Whether a password may be said now.
    pub(crate) fn permits(self, security: Security) -> bool {
        self == Self::Allowed || security == Security::Tls
    }
}
