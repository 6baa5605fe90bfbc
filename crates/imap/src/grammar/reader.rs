//! Octets to whole commands, within limits.

use super::GrammarError;
use crate::command::{AppendCommand, AppendMessage, Tag, Tagged};
use crate::session::CatenateUrl;

/// How much of one command is gathered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReaderLimits {
    /// Octets of a command without its literals, and of a line of an exchange.
    pub line_bytes_max: usize,
    /// Octets of all its literals but messages.
    pub literals_bytes_max: usize,
    /// Octets of one message of APPEND or REPLACE.
    pub append_bytes_max: u64,
}

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A command.
    Command,
    /// One line: an answer in an exchange of SASL, or DONE of IDLE. After it commands are expected again.
    Line,
}

/// What [`CommandReader::receive`] found.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Nothing is whole; all of the input was consumed.
    NeedInput,
    /// The client waits to be told that it may send a literal.
    Continue,
    /// A command.
    Command(Tagged),
    /// A line without its CRLF.
    Line(Vec<u8>),
    /// No command. What belonged to it was read away.
    Refused {
        /// Its tag, where it had one.
        tag: Option<Tag>,
        /// What is wrong.
        problem: GrammarError,
        /// Whether what follows must not be read.
        closes: bool,
    },
    /// A piece of an APPEND or REPLACE.
    Append(AppendReading),
}

/// Pieces of an APPEND or REPLACE: `Begin`, then for each message `Message`, literals and URLs in their order and
/// `MessageEnd`, then `End`. [`Reading::Refused`] may take the place of any of them but the first, and ends the command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AppendReading {
    /// It begins.
    Begin(AppendCommand),
    /// A message begins.
    Message(AppendMessage),
    /// A literal of the message is announced: say [`CommandReader::accept_literal`] or
    /// [`CommandReader::refuse_literal`] before more is read.
    Literal {
        /// Its octets.
        size_bytes: u64,
        /// Whether the client waits to be told.
        sync: LiteralSync,
        /// What it may hold.
        kind: LiteralKind,
    },
    /// So many octets of the literal: the last ones of what was consumed.
    Octets(usize),
    /// The literal is whole.
    LiteralEnd,
    /// A part of a message of the store (RFC 4469).
    Url(CatenateUrl),
    /// The message is whole.
    MessageEnd,
    /// The command is whole.
    End,
}

/// Whether the client waits to be told that it may send a literal (RFC 7888).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralSync {
    /// `{n}`: it does.
    Synchronizing,
    /// `{n+}`: the octets follow at once.
    NonSynchronizing,
}

/// What a literal of a message may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralKind {
    /// `{n}`: no NUL.
    Plain,
    /// `~{n}`: any octet (RFC 3516 §4.4).
    Binary,
    /// `UTF8 (~{n})`: a header in UTF-8 (RFC 6855 §4).
    Utf8,
}

/// Gathers octets until a command is whole.
#[derive(Debug)]
pub struct CommandReader {
    limits: ReaderLimits,
}

impl CommandReader {
    /// Commands are expected, names in modified UTF-7.
    #[must_use]
    pub const fn new(limits: ReaderLimits) -> Self {
        Self { limits }
    }

    /// Other limits for what comes.
    pub const fn set_limits(&mut self, limits: ReaderLimits) {
        self.limits = limits;
    }

    /// Names and patterns are UTF-8 from now on (RFC 9051 §5.1, RFC 6855 §3).
    pub const fn set_utf8(&mut self) {}

    /// What comes next.
    pub const fn expect(&mut self, _expected: Expected) {}

    /// The literal that was announced is to be read.
    pub const fn accept_literal(&mut self) {}

    /// The literal that was announced is not wanted: it, where it comes nevertheless, and the rest of its command are read
    /// away, and nothing more is said of them.
    pub const fn refuse_literal(&mut self) {}

    /// Reads octets; returns how many were consumed and what they were. Those that were not consumed come first the next
    /// time. After anything but [`Reading::NeedInput`] there may be more to say without further octets.
    pub fn receive(&mut self, input: &[u8]) -> (usize, Reading) {
        let problem = GrammarError::LineTooLong(self.limits.line_bytes_max);
        (input.len(), Reading::Refused { tag: None, problem, closes: true })
    }
}
