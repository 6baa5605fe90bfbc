//! The names of mechanisms.

use crate::ScramHash;

/// A mechanism that a server can offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mechanism {
    /// Name and password as they are (RFC 4616).
    Plain,
    /// Name and password as they are, in two messages (draft-murchison-sasl-login).
    Login,
    /// A digest with a secret that the server must know (RFC 2195).
    CramMd5,
    /// RFC 5802.
    ScramSha1,
    /// RFC 5802, bound to the TLS connection.
    ScramSha1Plus,
    /// RFC 7677.
    ScramSha256,
    /// RFC 7677, bound to the TLS connection.
    ScramSha256Plus,
    /// A bearer token in Google's form.
    XOAuth2,
    /// A bearer token (RFC 7628).
    OAuthBearer,
}

impl Mechanism {
    /// All of them, those first that a client should prefer.
    pub const ALL: [Self; 9] = [
        Self::ScramSha256Plus,
        Self::ScramSha256,
        Self::ScramSha1Plus,
        Self::ScramSha1,
        Self::OAuthBearer,
        Self::XOAuth2,
        Self::Plain,
        Self::Login,
        Self::CramMd5,
    ];

    /// As it is listed.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::CramMd5 => "CRAM-MD5",
            Self::ScramSha1 => "SCRAM-SHA-1",
            Self::ScramSha1Plus => "SCRAM-SHA-1-PLUS",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
            Self::XOAuth2 => "XOAUTH2",
            Self::OAuthBearer => "OAUTHBEARER",
        }
    }

    /// The mechanism of this name, in letters of any case, as the commands of SMTP and POP3 have it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Whether the client sends what could be used again by whoever reads it, so that it needs encryption.
    #[must_use]
    pub const fn sends_secret(self) -> bool {
        matches!(self, Self::Plain | Self::Login | Self::XOAuth2 | Self::OAuthBearer)
    }

    /// Whether it needs channel bindings, and so TLS.
    #[must_use]
    pub const fn binds_channel(self) -> bool {
        matches!(self, Self::ScramSha1Plus | Self::ScramSha256Plus)
    }

    /// The hash of a SCRAM mechanism.
    #[must_use]
    pub const fn scram_hash(self) -> Option<ScramHash> {
        match self {
            Self::ScramSha1 | Self::ScramSha1Plus => Some(ScramHash::Sha1),
            Self::ScramSha256 | Self::ScramSha256Plus => Some(ScramHash::Sha256),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_registry_and_are_found_in_any_case() {
        for mechanism in Mechanism::ALL {
            let name = mechanism.name();
            assert!((1..=20).contains(&name.len()), "RFC 4422 §3.1: {name}");
            assert!(name.bytes().all(|b| matches!(b, b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_')), "{name}");
            assert_eq!(Mechanism::named(name), Some(mechanism));
            assert_eq!(Mechanism::named(&name.to_ascii_lowercase()), Some(mechanism));
        }
        for name in ["", "PLAIN ", "SCRAM-SHA-512", "DIGEST-MD5", "ANONYMOUS", "EXTERNAL", "SCRAM-SHA-256-"] {
            assert_eq!(Mechanism::named(name), None, "{name}");
        }
    }
}
