//! STARTTLS (RFC 3207).

use types::ReplyKind;

use super::auth::Authentication;
use super::{LineReader, Session, State};

/// Whether a listener has TLS to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsOffer {
    /// There is none: STARTTLS is not listed, and is answered with 502.
    None,
    /// STARTTLS begins it.
    StartTls,
}

/// Whether a session may go on in clear text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsPolicy {
    /// It may.
    #[default]
    Optional,
    /// All but NOOP, EHLO, STARTTLS, QUIT, RSET and HELP is answered with 530 (RFC 3207 §4).
    Required,
}

/// Whether the session is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Security {
    /// It is not.
    Clear,
    /// It is, from the first octet (RFC 8314 §3) or since STARTTLS.
    Tls,
}

impl<R> Session<R> {
    pub(super) fn starttls_command(&mut self) {
        match (self.config.tls, self.security) {
            (TlsOffer::None, Security::Clear) => {
                self.refuse(&ReplyKind::CommandNotImplemented.with("STARTTLS"));
            }
            // RFC 3207 §4.2: what was begun is begun.
            (_, Security::Tls) => self.bad_sequence("TLS is on already"),
            (TlsOffer::StartTls, Security::Clear) => {
                let before = Box::new(std::mem::replace(&mut self.state, State::Idle));
                self.state = State::AskedStartTls(before);
            }
        }
    }

    /// TLS is on: the session is as after the greeting (RFC 3207 §4.2). What the peer said before, as whom it
    /// authenticated, and whatever the driver had still in its buffer, counts for nothing.
    pub fn secured(&mut self) {
        if matches!(self.state, State::StartingTls) {
            self.state = State::Idle;
            self.hello = None;
            self.authentication = Authentication::None;
            self.security = Security::Tls;
            self.lines = LineReader::strict(&self.config);
        }
    }

    /// Whether the session is encrypted.
    #[must_use]
    pub const fn security(&self) -> Security {
        self.security
    }

    /// Whether STARTTLS is to be listed.
    pub(super) fn offers_tls(&self) -> bool {
        self.config.tls == TlsOffer::StartTls && self.security == Security::Clear
    }

    /// Whether STARTTLS has to come before anything that matters.
    pub(super) fn needs_tls(&self) -> bool {
        self.config.tls_policy == TlsPolicy::Required && self.security == Security::Clear
    }
}
