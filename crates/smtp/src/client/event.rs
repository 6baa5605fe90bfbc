//! What the machine tells: outcomes, failures and how a connection ended.

use types::{EnhancedStatus, Reply};

use super::wait::WaitFor;
use crate::codec::stuff::LineFault;
use crate::grammar::reply::ReplyError;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A message may be sent now.
    Ready,
    /// No message can be sent on this connection: the server refused, or was lost, before the session began.
    Unusable(Failure),
    /// The message is decided for each of its recipients.
    Finished(Report),
    /// A command line went into the transmit buffer; without its CRLF. Only with [`super::Transcript::On`].
    Said {
        /// What it is.
        stage: Stage,
        /// The line.
        line: String,
    },
    /// A reply came. Only with [`super::Transcript::On`].
    Heard {
        /// What it answers.
        stage: Stage,
        /// The reply.
        reply: Reply,
    },
    /// The last event.
    Closed(End),
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// One for each of the envelope's forward-paths, in their order.
    pub outcomes: Vec<Outcome>,
}

/// What became of a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken responsibility (RFC 5321 §6.1).
    Accepted(Reply),
    /// Not now; trying again is right.
    Temporary(Failure),
    /// Not like this; trying again is useless.
    Permanent(Failure),
    /// Not tried on this connection, and no fault of anybody: the server's LIMITS (RFC 9422) left no room.
    NotTried(NotTried),
}

/// Which limit left no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTried {
    /// RCPTMAX: send the message again for the rest, on this connection or another.
    RcptMax,
    /// RCPTDOMAINMAX: another connection is needed.
    RcptDomainMax,
}

/// Where and why it failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What was under way.
    pub stage: Stage,
    /// What went wrong.
    pub cause: Cause,
}

/// Why something failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The server said so.
    Reply(Reply),
    /// The message needs what the server does not offer; nothing was sent.
    Unsupported(Unsupported),
    /// The connection ended. At [`Stage::EndOfData`] the server may have taken the message all the same, and a
    /// second try may make a duplicate (RFC 1047).
    End(Box<End>),
}

/// What a message needs and a server does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// The message is over the announced SIZE (RFC 1870 §6.1).
    #[error("the message has {size_bytes} octets, and the server takes at most {max}")]
    Size {
        /// Of the message.
        size_bytes: u64,
        /// Announced.
        max: u64,
    },
    /// A body with 8-bit octets, without 8BITMIME (RFC 6152 §3).
    #[error("the message has 8-bit text, and the server does not offer 8BITMIME")]
    EightBitMime,
    /// A binary body, without BINARYMIME and CHUNKING (RFC 3030 §3).
    #[error("the message is binary, and the server does not offer BINARYMIME with CHUNKING")]
    BinaryMime,
    /// UTF-8 in an address or a header field, without SMTPUTF8 (RFC 6531 §3.5).
    #[error("an address or a header field is in UTF-8, and the server does not offer SMTPUTF8")]
    SmtpUtf8,
}

/// What a reply answers, or what was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The opening of the connection.
    Greeting,
    /// EHLO, LHLO or HELO.
    Hello,
    /// RSET.
    Reset,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA, or the choice of BDAT.
    Data,
    /// The body, and each BDAT but the last.
    Body,
    /// The final dot, or the last BDAT.
    EndOfData,
    /// QUIT.
    Quit,
    /// Nothing: no command waits for a reply.
    Idle,
}

/// How a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum End {
    /// By QUIT.
    #[error("the connection was closed by QUIT")]
    Quit,
    /// By 421.
    #[error("the server closes the connection: {0}")]
    ByServer(Reply),
    /// The server refused the message while it was still on its way, where the only way to stop is to close.
    #[error("the server refused the message before its end: {0}")]
    RefusedEarly(Reply),
    /// The stream ended.
    #[error("the connection was lost")]
    Lost,
    /// Nothing came for too long.
    #[error("the server took longer than {limit} s for {0}", limit = .0.limit().as_secs())]
    TimedOut(WaitFor),
    /// The server does not speak the protocol.
    #[error(transparent)]
    Violation(#[from] Violation),
    /// The body holds what may not be sent.
    #[error("the message cannot be sent: {0}")]
    BadBody(LineFault),
    /// The driver gave up.
    #[error("sending was given up")]
    Aborted,
}

/// What a server did that no server may do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// What came is not a reply.
    #[error("the server does not speak SMTP: {0}")]
    Malformed(#[from] ReplyError),
    /// A reply without a command, or before its command was sent.
    #[error("the server replied to nothing: {0}")]
    Unsolicited(Reply),
    /// A reply of a class that the command never has (RFC 5321 §4.3.2), such as 354 to MAIL.
    #[error("the server gave a reply that this command never has: {reply}")]
    Unexpected {
        /// What was answered.
        stage: Stage,
        /// With what.
        reply: Reply,
    },
}

impl Outcome {
    /// The failure, if it is one.
    #[must_use]
    pub const fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Temporary(failure) | Self::Permanent(failure) => Some(failure),
            Self::Accepted(_) | Self::NotTried(_) => None,
        }
    }
}

impl From<Failure> for Outcome {
    fn from(failure: Failure) -> Self {
        if failure.is_permanent() { Self::Permanent(failure) } else { Self::Temporary(failure) }
    }
}

impl Failure {
    /// A refusal by the server.
    #[must_use]
    pub const fn by_reply(stage: Stage, reply: Reply) -> Self {
        Self { stage, cause: Cause::Reply(reply) }
    }

    /// Whether trying the same again on this host is useless. Only the first digit of a reply decides (RFC 5321
    /// §4.2.1).
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match &self.cause {
            Cause::Reply(reply) => reply.code >= 500,
            Cause::Unsupported(_) => true,
            Cause::End(end) => matches!(**end, End::BadBody(_)),
        }
    }

    /// For reports (RFC 3464 §2.3.4): what the server said, or what RFC 3463 has for our own findings.
    #[must_use]
    pub fn enhanced_status(&self) -> EnhancedStatus {
        match &self.cause {
            Cause::Reply(reply) => reply.enhanced.unwrap_or(if reply.code >= 500 {
                EnhancedStatus::permanent(0, 0)
            } else {
                EnhancedStatus::transient(0, 0)
            }),
            Cause::Unsupported(Unsupported::Size { .. }) => EnhancedStatus::permanent(3, 4),
            Cause::Unsupported(Unsupported::EightBitMime | Unsupported::BinaryMime) => {
                EnhancedStatus::permanent(6, 3)
            }
            Cause::Unsupported(Unsupported::SmtpUtf8) => EnhancedStatus::permanent(6, 7),
            Cause::End(end) => match &**end {
                // `End::failure` makes a `Cause::Reply` of these two.
                End::ByServer(_) | End::RefusedEarly(_) => EnhancedStatus::transient(3, 2),
                End::Violation(_) => EnhancedStatus::transient(5, 0),
                End::BadBody(_) => EnhancedStatus::permanent(6, 0),
                End::Quit | End::Lost | End::TimedOut(_) | End::Aborted => EnhancedStatus::transient(4, 2),
            },
        }
    }
}

/// For people: the reply, or what happened.
impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.cause {
            Cause::Reply(reply) => reply.fmt(f),
            Cause::Unsupported(unsupported) => unsupported.fmt(f),
            Cause::End(end) => end.fmt(f),
        }
    }
}

impl End {
    /// The failure that this end means for what was under way.
    #[must_use]
    pub fn failure(&self, stage: Stage) -> Failure {
        let cause = match self {
            Self::ByServer(reply) | Self::RefusedEarly(reply) => Cause::Reply(reply.clone()),
            end => Cause::End(Box::new(end.clone())),
        };
        Failure { stage, cause }
    }
}
