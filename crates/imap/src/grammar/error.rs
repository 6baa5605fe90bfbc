//! What is no command, and why.

use crate::name::NameError;
use crate::response::{Response, ResponseCode};

/// Why octets are no command. Never holds what the client wrote, but for a URL: a password may stand anywhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GrammarError {
    /// The line does not begin with a tag and a command.
    #[error("Expected a tag, a space and a command")]
    NoTag,
    /// No such command.
    #[error("No such command")]
    UnknownCommand,
    /// Something else stands where something was expected.
    #[error("Expected {expected} behind {behind}, at octet {at}")]
    Expected {
        /// What.
        expected: &'static str,
        /// The last word of the protocol that was read.
        behind: &'static str,
        /// Octets of the command before it, literals and all.
        at: usize,
    },
    /// A literal is announced whose octets are not there yet.
    #[error("The literal at octet {0} is not whole")]
    LiteralMissing(usize),
    /// No name of a mailbox.
    #[error("The name of the mailbox behind {behind} {problem}")]
    Name {
        /// What is wrong.
        problem: NameError,
        /// The last word of the protocol before it.
        behind: &'static str,
    },
    /// Parentheses, NOT or OR within each other.
    #[error("Search keys are nested more than {0} deep")]
    TooDeep(usize),
    /// More ranges than [`crate::command::RANGES_MAX`].
    #[error("A set has more than {0} ranges")]
    TooManyRanges(usize),
    /// A line that is too long, literals not counted.
    #[error("The command is longer than {0} octets without its literals")]
    LineTooLong(usize),
    /// A literal that is too large, or more of them than are gathered.
    #[error("The literals of the command are larger than {0} octets")]
    LiteralTooLarge(u64),
    /// A message that is larger than any may be.
    #[error("The message is larger than {0} octets")]
    MessageTooLarge(u64),
    /// A URL of CATENATE that can lead nowhere here.
    #[error("The URL leads to nothing here")]
    Url(String),
    /// An event of NOTIFY that is not known.
    #[error("One of the events is not known here")]
    Event,
    /// A line that ended in a bare LF. What follows must not be read.
    #[error("Lines must end in CRLF, this one ended in a bare LF (by hand: nc -C, openssl s_client -crlf)")]
    BareLf,
    /// More than is read away of a command that was refused. What follows must not be read.
    #[error("The command that was refused has no end")]
    Endless,
}

impl GrammarError {
    /// The row that answers it, with the code that takes the place of the row's; its argument is the error itself.
    #[must_use]
    pub fn response(&self) -> (Response, Option<ResponseCode>) {
        match self {
            Self::UnknownCommand => (Response::CommandUnknown, None),
            Self::Name { .. } => (Response::NameUnusable, None),
            Self::LiteralTooLarge(_) => (Response::LiteralTooBig, None),
            Self::MessageTooLarge(_) => (Response::TooBig, None),
            Self::Url(url) => (Response::BadUrl, Some(ResponseCode::BadUrl(url.clone()))),
            Self::Event => (Response::BadEvent, None),
            _ => (Response::Syntax, None),
        }
    }
}
