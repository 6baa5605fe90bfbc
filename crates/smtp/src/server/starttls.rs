//! STARTTLS (RFC 3207).

use types::ReplyKind;

use super::{Session, State};

/// Whether a listener has TLS to begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsOffer {
    /// There is none: STARTTLS is not listed, and is answered with 502.
    None,
    /// STARTTLS begins it.
    StartTls,
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
                // The transaction goes with all the rest that was learned in clear text (RFC 3207 §4.2).
                self.state = State::StartingTls;
                self.reply(&ReplyKind::ReadyForTls.reply());
            }
        }
    }

    /// TLS is on: the session is as after the greeting. What the peer said before, and whatever the driver had
    /// still in its buffer, counts for nothing.
    pub fn secured(&mut self) {
        if matches!(self.state, State::StartingTls) {
            self.state = State::Idle;
            self.hello = None;
            self.security = Security::Tls;
            self.lines = super::LineReader::strict(self.config.command_line_bytes_max);
        }
    }

    /// Whether STARTTLS is to be listed.
    pub(super) fn offers_tls(&self) -> bool {
        self.config.tls == TlsOffer::StartTls && self.security == Security::Clear
    }
}
