//! The opening of a session: greeting, EHLO, LHLO, HELO (RFC 5321 §3.1 and §3.2, RFC 2033 §4.1). What comes between
//! them and the first message is in `tls.rs` and `login.rs`.

use std::collections::BTreeSet;

use types::{Host, Reply};

use super::config::{Mode, Security};
use super::event::{End, Event, Failure, Stage, Violation};
use super::wire::Command;
use super::{Client, State};
use crate::grammar::reply::Extensions;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum HelloVerb {
    Ehlo,
    Lhlo,
    Helo,
}

/// What lasts from one message to the next.
#[derive(Debug, Default)]
pub(super) struct Session {
    pub(super) extensions: Extensions,
    pub(super) security: Security,
    pub(super) identity: Identity,
    /// MAIL commands so far, failed ones too (RFC 9422).
    pub(super) mails: u32,
    /// Recipient domains so far; kept only where RCPTDOMAINMAX limits them.
    pub(super) rcpt_domains: BTreeSet<String>,
    pub(super) standing: Standing,
}

/// Who the server knows us to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Identity {
    #[default]
    Nobody,
    /// By AUTH.
    Authenticated,
}

/// What the server holds of an earlier transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Standing {
    /// Nothing.
    #[default]
    Clean,
    /// A sender, or recipients: RSET comes before the next MAIL (RFC 5321 §4.1.1.5).
    Begun,
}

impl HelloVerb {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ehlo => "EHLO",
            Self::Lhlo => "LHLO",
            Self::Helo => "HELO",
        }
    }
}

impl Session {
    /// Whether the server's MAILMAX leaves no room for a message.
    pub(super) const fn is_spent(&self) -> bool {
        matches!(self.extensions.limits.mail_max, Some(max) if self.mails >= max)
    }
}

impl Client {
    pub(super) fn on_greeting(&mut self, reply: Reply) {
        match reply.code {
            200..300 => self.say_first_hello(),
            300..400 => self.unexpected(State::Greeting, Stage::Greeting, reply),
            _ => self.unusable(Failure::by_reply(Stage::Greeting, reply)),
        }
    }

    pub(super) fn on_hello(&mut self, verb: HelloVerb, reply: Reply) {
        match (reply.code, verb) {
            (200..300, HelloVerb::Helo) => self.after_hello(Extensions::default()),
            (200..300, HelloVerb::Ehlo | HelloVerb::Lhlo) => self.after_hello(Extensions::parse(&reply)),
            (300..400, _) => self.unexpected(State::Hello(verb), Stage::Hello, reply),
            // A server without extensions is still to be spoken to (RFC 5321 §3.2). 521 is of a host that takes
            // no mail at all (RFC 7504 §3). LMTP has no older form to fall back to (RFC 2033 §4.1).
            (500.., HelloVerb::Ehlo) if reply.code != 521 => self.say_hello(HelloVerb::Helo),
            _ => self.unusable(Failure::by_reply(Stage::Hello, reply)),
        }
    }

    pub(super) fn say_first_hello(&mut self) {
        self.say_hello(match self.config.mode {
            Mode::Smtp => HelloVerb::Ehlo,
            Mode::Lmtp => HelloVerb::Lhlo,
        });
    }

    fn say_hello(&mut self, verb: HelloVerb) {
        // Before EHLO there is no SMTPUTF8, so a domain is said in its ASCII form (RFC 6531 §3.7.1).
        let name = match &self.config.hello_name {
            Host::Domain(domain) => domain.ascii().to_owned(),
            Host::Literal(literal) => literal.to_string(),
        };
        let line = format!("{} {name}", verb.as_str());
        self.wire.command(Command::Hello, &line);
        self.state = State::Hello(verb);
    }

    pub(super) fn ready(&mut self, extensions: Extensions, identity: Identity) {
        let security = self.security;
        self.state = State::Ready(Session { extensions, security, identity, ..Session::default() });
        self.wire.event(Event::Ready);
    }

    /// The session is refused, by the server or by us; the client is the one to say QUIT (RFC 5321 §3.1).
    pub(super) fn unusable(&mut self, failure: Failure) {
        self.wire.event(Event::Unusable(failure));
        self.say_quit();
    }

    pub(super) fn unexpected(&mut self, state: State, stage: Stage, reply: Reply) {
        self.state = state;
        self.close(End::Violation(Violation::Unexpected { stage, reply }));
    }
}
