//! AUTH (RFC 4954).
//!
//! The machine carries octets between the client and the driver, which does the SASL exchange. It keeps the order:
//! after EHLO, outside a transaction, once a session; and it ends an exchange that goes wrong.

use types::ReplyKind;

use super::starttls::TlsOffer;
use super::{Security, Session, State};
use crate::grammar::auth::{Auth, Response, challenge, response};

/// Whether AUTH is offered and has to be said. By default it is not offered.
#[derive(Debug, Clone, Default)]
pub struct AuthOffer {
    /// Whether.
    pub need: AuthNeed,
    /// Mechanisms of a session in clear text, in upper case, in the order in which EHLO lists them.
    pub mechanisms_clear: Vec<String>,
    /// Those of a session within TLS.
    pub mechanisms_tls: Vec<String>,
    /// Authentications of one session that may fail; one more closes it.
    pub failures_max: u32,
}

/// Whether AUTH is offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AuthNeed {
    /// It is answered with 502.
    #[default]
    Off,
    /// It may be said.
    Offered,
    /// It has to be said before MAIL, VRFY and EXPN (RFC 6409 §4.3).
    Required,
}

/// Whether and how a session is authenticated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Authentication {
    None,
    /// By AUTH.
    Client,
    /// By LOGIN= of XCLIENT, which stays until the next one.
    Proxied,
}

/// Octets of the command line of AUTH and of a response, with their CRLF: RFC 4954 §4 calls 12288 octets
/// sufficient.
pub const AUTH_LINE_BYTES_MAX: usize = 12_288 + 2;

impl<R> Session<R> {
    pub(super) fn auth_command(&mut self, auth: Auth) {
        if self.is_authenticated() {
            return self.bad_sequence("You are authenticated already");
        }
        if !self.hello.as_ref().is_some_and(|hello| hello.verb.is_extended()) {
            return self.bad_sequence("Say EHLO first");
        }
        if !matches!(self.state, State::Idle) {
            return self.bad_sequence("AUTH comes before MAIL");
        }
        if self.mechanisms().iter().any(|offered| offered.eq_ignore_ascii_case(&auth.mechanism)) {
            self.state = State::AskedAuthenticate(auth);
            return;
        }
        let offered_in_tls = &self.config.auth.mechanisms_tls;
        if self.security == Security::Clear
            && self.config.tls == TlsOffer::StartTls
            && offered_in_tls.iter().any(|offered| offered.eq_ignore_ascii_case(&auth.mechanism))
        {
            return self.refuse(&ReplyKind::EncryptionRequired.reply());
        }
        self.refuse(&ReplyKind::MechanismNotOffered.reply());
    }

    /// A line while the exchange waits for one.
    pub(super) fn auth_response(&mut self, line: &[u8]) {
        match response(line) {
            Response::Data(data) => self.state = State::AskedResponse(data),
            Response::Cancel => self.end_exchange(ReplyKind::AuthCancelled),
            Response::Malformed => self.end_exchange(ReplyKind::NotBase64),
        }
    }

    /// Ends an exchange that the client has cancelled or spoilt.
    pub(super) fn end_exchange(&mut self, kind: ReplyKind) {
        self.state = State::Idle;
        self.refuse(&kind.reply());
    }

    /// Answers a question of an authentication: the client is sent these octets and answers them.
    pub fn challenge(&mut self, octets: &[u8]) {
        if !matches!(self.state, State::AskedAuthenticate(_) | State::AskedResponse(_)) {
            return;
        }
        self.state = State::Authenticating;
        // Written here, since a challenge may be longer than a line of any other reply (RFC 4954 §4).
        let code = ReplyKind::AuthChallenge.entry().code;
        self.output.extend_from_slice(format!("{code} {}\r\n", challenge(octets)).as_bytes());
    }

    /// Answers a question of an authentication: it has succeeded. `reply` is the 235.
    pub fn authenticated(&mut self, reply: &types::Reply) {
        if matches!(self.state, State::AskedAuthenticate(_) | State::AskedResponse(_)) {
            self.state = State::Idle;
            self.authentication = Authentication::Client;
            self.say(reply);
        }
    }

    /// An authentication has failed, for the reason that `reply` tells.
    pub(super) fn authentication_failed(&mut self, reply: &types::Reply) {
        self.state = State::Idle;
        if reply.code >= 500 {
            self.auth_failures = self.auth_failures.saturating_add(1);
        }
        if self.auth_failures > self.config.auth.failures_max {
            return self.give_up(&ReplyKind::TooManyAuthFailures.reply());
        }
        self.say(reply);
    }

    /// Whether the client has authenticated, itself or by its proxy.
    #[must_use]
    pub const fn is_authenticated(&self) -> bool {
        !matches!(self.authentication, Authentication::None)
    }

    /// Those that may be used now.
    pub(super) fn mechanisms(&self) -> &[String] {
        match (self.config.auth.need, self.security) {
            (AuthNeed::Off, _) => &[],
            (_, Security::Clear) => &self.config.auth.mechanisms_clear,
            (_, Security::Tls) => &self.config.auth.mechanisms_tls,
        }
    }
}
