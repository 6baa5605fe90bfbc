//! Encryption as the machine sees it: whether it is there, may be asked for, and is needed for a password.
//!
//! Standards: RFC 2595 §4 (STLS) and §2.3 (passwords), RFC 8314 §3.1 (TLS from the first octet).

/// Whether the connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// It is not.
    Clear,
    /// It is: TLS stands since the first octet, or since STLS.
    Tls,
}

/// Whether a client may begin TLS on a connection that is clear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsOffer {
    /// STLS is a command that does not exist: the listener has no certificate, or its connections begin with TLS.
    None,
    /// STLS is listed and taken until TLS stands (RFC 2595 §4).
    Stls,
}

/// Where USER and PASS, which send the password as it is, are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plaintext {
    /// On every connection: for a loopback of a development server.
    Allowed,
    /// Where TLS stands (RFC 2595 §2.3).
    OnlyWithTls,
}

impl TlsOffer {
    /// Whether STLS has something to begin.
    pub(crate) fn is_open(self, security: Security) -> bool {
        self == Self::Stls && security == Security::Clear
    }
}

impl Plaintext {
    /// Whether a password may be said now.
    pub(crate) fn permits(self, security: Security) -> bool {
        self == Self::Allowed || security == Security::Tls
    }
}
