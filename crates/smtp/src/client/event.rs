//! What the machine tells: outcomes, failures and how a connection ended.

use types::{EnhancedStatus, Reply};

use super::wait::WaitFor;
use crate::codec::stuff::LineFault;
use crate::grammar::auth::SaslData;
use crate::grammar::reply::ReplyError;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The server is ready for TLS: the driver does the handshake, then says [`super::Client::secured`] or
    /// [`super::Client::tls_failed`]. Octets that it has read already are given to [`super::Client::receive`], and
    /// never to TLS.
    StartTls,
    /// A login is to begin, by [`super::Client::authenticate`]; [`super::Client::cancel_login`] where none of the
    /// mechanisms will do. It comes again where the server turns one of several down.
    Authenticate {
        /// What the server offers and may be used, in upper case, in its order.
        mechanisms: Vec<String>,
    },
    /// The server wants an answer, by [`super::Client::respond`] or [`super::Client::cancel_login`]. A server that
    /// never proves what the mechanism asks of it, and says 235 instead, is for the driver to find out at
    /// [`Event::Ready`].
    Challenge(SaslData),
    /// A message may be sent now.
    Ready,
    /// No message can be sent on this connection: the server refused, or was lost, before the session began.
    Unusable(Failure),
    /// The message is decided for each of its recipients.
    Finished(Report),
    /// A command line went into the transmit buffer; without its CRLF and its secrets. Only with [`super::Transcript::On`].
    Said {
        /// What it is.
        stage: Stage,
        /// The line.
        line: String,
    },
    /// A reply came. Not with [`super::Transcript::Off`].
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
    /// The sender requires TLS, and the server promises nothing for the way on (RFC 8689 §4.2.1).
    #[error("the message asks for TLS on its whole way, and the server does not offer REQUIRETLS")]
    RequireTls,
    /// The sender requires TLS, and there is none with a server that was verified (RFC 8689 §4.2.1).
    #[error("the message asks for TLS on its whole way, and this connection has none with a verified server")]
    VerifiedTls,
    /// The message is to come back when its time is over, and the server does not keep such times, or not such
    /// short ones (RFC 2852 §4.1.4.1).
    #[error("the message has to arrive within a time that the server does not undertake to keep")]
    DeliverBy,
    /// The policy is TLS, and there is none.
    #[error("the connection has to be encrypted, and the server does not offer STARTTLS")]
    StartTls,
    /// A login is wanted, and there is no AUTH.
    #[error("a login is wanted, and the server does not offer AUTH")]
    Auth,
    /// All that the server offers would say the password to whoever listens.
    #[error(
        "the server takes the password only as it is, and the connection is not encrypted to a verified server"
    )]
    AuthInClear,
    /// The server offers other mechanisms than we have.
    #[error("the server offers no way to log in that is known here")]
    AuthMechanism,
    /// The server's part of the login is not what the mechanism asks for.
    #[error("the server's part of the login is not as it must be")]
    AuthExchange,
}

/// What a reply answers, or what was under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// The opening of the connection.
    Greeting,
    /// EHLO, LHLO or HELO.
    Hello,
    /// STARTTLS, and the handshake.
    StartTls,
    /// AUTH, and the responses.
    Login,
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
    /// The handshake of TLS failed, for this reason.
    #[error("TLS cannot be begun: {0}")]
    Tls(String),
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
    /// Octets between the reply to STARTTLS and TLS, which are not the server's (RFC 3207 §6).
    #[error("something was said in clear text after STARTTLS, which somebody on the way may have put there")]
    BeforeTls,
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
    /// §4.2.1), but that a server without TLS may have it again later. A login that fails is permanent here; whoever
    /// keeps mail in a queue will rather wait for somebody to put it right.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match &self.cause {
            Cause::Reply(reply) => reply.code >= 500 && self.stage != Stage::StartTls,
            Cause::Unsupported(unsupported) => *unsupported != Unsupported::StartTls,
            Cause::End(end) => matches!(**end, End::BadBody(_)),
        }
    }

    /// Whether the message can be sent after its 8-bit and binary parts have been encoded (RFC 6152 §3); nothing was
    /// sent, and the connection is as good as before.
    #[must_use]
    pub const fn asks_for_conversion(&self) -> bool {
        matches!(self.cause, Cause::Unsupported(Unsupported::EightBitMime | Unsupported::BinaryMime))
    }

    /// For reports (RFC 3464 §2.3.4): what the server said, or what RFC 3463 has for our own findings.
    #[must_use]
    pub fn enhanced_status(&self) -> EnhancedStatus {
        match &self.cause {
            Cause::Reply(_) if self.stage == Stage::StartTls => EnhancedStatus::transient(7, 10),
            Cause::Reply(reply) => reply.enhanced.unwrap_or(if reply.code >= 500 {
                EnhancedStatus::permanent(0, 0)
            } else {
                EnhancedStatus::transient(0, 0)
            }),
            Cause::Unsupported(unsupported) => unsupported.enhanced_status(),
            Cause::End(end) => match &**end {
                // `End::failure` makes a `Cause::Reply` of these two.
                End::ByServer(_) | End::RefusedEarly(_) => EnhancedStatus::transient(3, 2),
                End::Violation(_) => EnhancedStatus::transient(5, 0),
                End::BadBody(_) => EnhancedStatus::permanent(6, 0),
                End::Tls(_) => EnhancedStatus::transient(7, 5),
                End::Quit | End::Lost | End::TimedOut(_) | End::Aborted => EnhancedStatus::transient(4, 2),
            },
        }
    }
}

impl Unsupported {
    const fn enhanced_status(self) -> EnhancedStatus {
        match self {
            Self::Size { .. } => EnhancedStatus::permanent(3, 4),
            Self::EightBitMime | Self::BinaryMime => EnhancedStatus::permanent(6, 3),
            Self::SmtpUtf8 => EnhancedStatus::permanent(6, 7),
            Self::RequireTls => EnhancedStatus::permanent(7, 30),
            Self::VerifiedTls => EnhancedStatus::permanent(7, 10),
            Self::DeliverBy => EnhancedStatus::permanent(4, 7),
            Self::StartTls => EnhancedStatus::transient(7, 10),
            Self::Auth | Self::AuthMechanism => EnhancedStatus::permanent(7, 4),
            Self::AuthInClear => EnhancedStatus::permanent(7, 11),
            Self::AuthExchange => EnhancedStatus::permanent(7, 8),
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
