//! STARTTLS (RFC 3207), the client's part of it.
//!
//! What the server said in clear text counts for nothing once TLS is on: its extensions are forgotten, and octets that
//! came behind its 220 end the connection, since somebody on the way may have put them there.

use types::Reply;

use super::config::{Certificate, Security, TlsPolicy};
use super::event::{Cause, End, Event, Failure, Stage, Unsupported};
use super::wire::Command;
use super::{Client, State};
use crate::grammar::reply::{Extensions, ReplyParser, harmless};

impl Client {
    /// The reply to EHLO, LHLO or HELO is there: TLS, if there is to be any, comes before everything else.
    pub(super) fn after_hello(&mut self, extensions: Extensions) {
        match (self.security, self.config.tls) {
            (Security::Clear, TlsPolicy::Opportunistic | TlsPolicy::Required) if extensions.starttls => {
                self.wire.command(Command::StartTls, "STARTTLS");
                self.state = State::AskedTls(extensions);
            }
            // Nothing may go in clear text, and whoever is on the way may have taken STARTTLS off the list.
            (Security::Clear, TlsPolicy::Required) => {
                let cause = Cause::Unsupported(Unsupported::StartTls);
                self.unusable(Failure { stage: Stage::StartTls, cause });
            }
            _ => self.log_in(extensions),
        }
    }

    pub(super) fn on_starttls(&mut self, extensions: Extensions, reply: Reply) {
        match reply.code {
            200..300 => {
                self.state = State::Handshake;
                self.wire.event(Event::StartTls);
            }
            300..400 => self.unexpected(State::AskedTls(extensions), Stage::StartTls, reply),
            // RFC 3207 §4: whether to go on without is the client's choice.
            _ if self.config.tls == TlsPolicy::Opportunistic => self.log_in(extensions),
            _ => self.unusable(Failure::by_reply(Stage::StartTls, reply)),
        }
    }

    /// The handshake that [`Event::StartTls`] asked for is done. The session begins anew (RFC 3207 §4.2).
    pub fn secured(&mut self, certificate: Certificate) {
        if matches!(self.state, State::Handshake) {
            self.security = Security::Tls(certificate);
            self.parser = ReplyParser::default();
            self.say_first_hello();
        }
    }

    /// The handshake that [`Event::StartTls`] asked for has failed; nothing more can be said on this connection.
    pub fn tls_failed(&mut self, why: &str) {
        if matches!(self.state, State::Handshake) {
            self.close(End::Tls(harmless(why)));
        }
    }

    /// Whether the connection is encrypted, and with whom.
    #[must_use]
    pub const fn security(&self) -> Security {
        self.security
    }
}
