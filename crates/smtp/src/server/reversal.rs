//! ATRN (RFC 2645) and TURN (RFC 821 §3.8): client and server change places.
//!
//! Both are for those who have logged in, so that nobody gets mail by claiming a name, which is what TURN was given up
//! for (RFC 5321 §F.1). After a positive answer the machine is at its end: the connection goes on with the driver as the
//! client. What the peer has sent behind the command is not for anybody: it was said before the change.

use types::Domain;

use super::{Security, Session, State};

/// How a client asked to change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReversalVerb {
    /// ATRN.
    Atrn,
    /// TURN.
    Turn,
}

/// Whether TURN is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Turn {
    /// It is answered with 502, which says why.
    #[default]
    Off,
    /// After STARTTLS and AUTH, as ATRN without domains.
    AfterLogin,
}

/// A request to change places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) verb: ReversalVerb,
    pub(super) domains: Vec<Domain>,
}

impl ReversalVerb {
    /// As it is said.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Atrn => "ATRN",
            Self::Turn => "TURN",
        }
    }
}

impl<R> Session<R> {
    pub(super) fn reversal_command(&mut self, verb: ReversalVerb, domains: Vec<Domain>) {
        if self.hello.is_none() {
            return self.bad_sequence("Say EHLO first");
        }
        if !matches!(self.state, State::Idle) {
            return self.bad_sequence("Not within a transaction: say RSET, or end the message, first");
        }
        self.state = State::AskedReversal(Asked { verb, domains });
    }

    /// Whether TURN is to be listed.
    pub(super) fn offers_turn(&self) -> bool {
        self.config.extensions.turn == Turn::AfterLogin && self.security == Security::Tls
    }

    /// Whether client and server have changed places: the driver is the client from here on.
    #[must_use]
    pub const fn is_reversed(&self) -> bool {
        matches!(self.state, State::Reversed)
    }
}
