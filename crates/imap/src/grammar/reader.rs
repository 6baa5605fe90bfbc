//! Octets to whole commands, within limits.

use std::collections::VecDeque;
use std::fmt;

use super::append::{Ahead, AppendReader};
use super::discard::{Discard, Discarded};
use super::line::{Announced, announced};
use super::{GrammarError, command};
use crate::command::{AppendCommand, AppendMessage, Tag, Tagged};
use crate::name::NameEncoding;
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
pub struct CommandReader {
    limits: ReaderLimits,
    names: NameEncoding,
    expected: Expected,
    /// What was gathered of the command: its lines, and behind each that announces one the literal, but for messages.
    command: Vec<u8>,
    /// Where in it the line begins that is gathered.
    line_start: usize,
    /// Octets of its literals that were gathered.
    literals_bytes: usize,
    append: Option<AppendReader>,
    /// Pieces of an APPEND that were read and not told yet.
    found: VecDeque<AppendReading>,
    state: State,
}

enum State {
    /// A line is gathered.
    Line,
    /// A literal is gathered.
    Literal { remaining: usize },
    /// Whoever drives this decides on the literal of a message.
    Announced { size_bytes: u64, sync: LiteralSync },
    /// The literal of a message comes out as it comes in.
    Message { remaining: u64 },
    /// What belongs to a command that was refused is read away.
    Discarding(Discard),
    /// To be told before anything else, once what was found before it is told.
    Refused { tag: Option<Tag>, problem: GrammarError, closes: bool },
    /// Nothing more is read.
    Closed,
}

/// Octets that are kept for the next command; a session that idles holds no more.
const KEPT_BYTES: usize = 256;

/// Octets of a refused command that are read and thrown away, beside a message that would have been taken.
pub const DISCARDED_BYTES_MAX: u64 = 1024 * 1024;

impl CommandReader {
    /// Commands are expected, names in modified UTF-7.
    #[must_use]
    pub const fn new(limits: ReaderLimits) -> Self {
        Self {
            limits,
            names: NameEncoding::ModifiedUtf7,
            expected: Expected::Command,
            command: Vec::new(),
            line_start: 0,
            literals_bytes: 0,
            append: None,
            found: VecDeque::new(),
            state: State::Line,
        }
    }

    /// Other limits for what comes.
    pub const fn set_limits(&mut self, limits: ReaderLimits) {
        self.limits = limits;
    }

    /// Names and patterns are UTF-8 from now on (RFC 9051 §5.1, RFC 6855 §3).
    pub const fn set_utf8(&mut self) {
        self.names = NameEncoding::Utf8;
    }

    /// What comes next.
    pub const fn expect(&mut self, expected: Expected) {
        self.expected = expected;
    }

    /// The literal that was announced is to be read.
    pub fn accept_literal(&mut self) {
        if let State::Announced { size_bytes, .. } = self.state {
            self.state = State::Message { remaining: size_bytes };
        }
    }

    /// The literal that was announced is not wanted: it, where it comes nevertheless, and the rest of its command are read
    /// away, and nothing more is said of them.
    pub fn refuse_literal(&mut self) {
        let State::Announced { size_bytes, sync } = self.state else { return };
        let mut discard = Discard::new(self.budget(), None);
        self.forget();
        if sync == LiteralSync::NonSynchronizing {
            self.state = match discard.literal(size_bytes) {
                Ok(()) => State::Discarding(discard),
                Err(problem) => State::Refused { tag: None, problem, closes: true },
            };
        }
    }

    /// Octets of memory that the command takes which is not whole yet: at most twice what the limits allow.
    #[must_use]
    pub const fn held_bytes(&self) -> usize {
        self.command.capacity()
    }

    /// Reads octets; returns how many were consumed and what they were. Those that were not consumed come first the next
    /// time. After anything but [`Reading::NeedInput`] there may be more to say without further octets.
    pub fn receive(&mut self, input: &[u8]) -> (usize, Reading) {
        let mut consumed = 0;
        loop {
            if let Some(found) = self.found.pop_front() {
                if self.found.is_empty() {
                    self.found = VecDeque::new();
                }
                return (consumed, Reading::Append(found));
            }
            let (octets, reading) = self.step(&input[consumed..]);
            consumed += octets;
            if let Some(reading) = reading {
                return (consumed, reading);
            }
        }
    }

    /// None where there may be more to read.
    fn step(&mut self, input: &[u8]) -> (usize, Option<Reading>) {
        match &mut self.state {
            State::Line => self.line(input),
            State::Literal { remaining } => {
                let octets = input.len().min(*remaining);
                *remaining -= octets;
                let is_whole = *remaining == 0;
                self.command.extend_from_slice(&input[..octets]);
                if is_whole {
                    self.next_line();
                }
                (octets, (!is_whole).then_some(Reading::NeedInput))
            }
            State::Announced { .. } => (0, Some(Reading::NeedInput)),
            State::Message { remaining: 0 } => {
                self.next_line();
                (0, Some(Reading::Append(AppendReading::LiteralEnd)))
            }
            State::Message { .. } if input.is_empty() => (0, Some(Reading::NeedInput)),
            State::Message { remaining } => {
                let octets = usize::try_from(*remaining).unwrap_or(usize::MAX).min(input.len());
                *remaining -= octets as u64;
                (octets, Some(Reading::Append(AppendReading::Octets(octets))))
            }
            State::Discarding(discard) => {
                let (octets, discarded) = discard.read(input);
                let Some(discarded) = discarded else { return (octets, Some(Reading::NeedInput)) };
                (octets, self.discarded(discarded))
            }
            State::Refused { tag, problem, closes } => {
                let (tag, problem, closes) = (tag.take(), problem.clone(), *closes);
                self.state = if closes { State::Closed } else { State::Line };
                (0, Some(Reading::Refused { tag, problem, closes }))
            }
            State::Closed => (input.len(), Some(Reading::NeedInput)),
        }
    }

    fn line(&mut self, input: &[u8]) -> (usize, Option<Reading>) {
        let line_feed = memchr::memchr(b'\n', input);
        let octets = line_feed.map_or(input.len(), |at| at + 1);
        let room = self.limits.line_bytes_max.saturating_sub(self.command.len() - self.literals_bytes);
        if octets > room {
            self.command.extend_from_slice(&input[..room]);
            let problem = GrammarError::LineTooLong(self.limits.line_bytes_max);
            let last = self.command[self.line_start..].to_vec();
            self.discard(problem, &last, 0);
            return (room, None);
        }
        self.command.extend_from_slice(&input[..octets]);
        if line_feed.is_none() {
            return (octets, Some(Reading::NeedInput));
        }
        let line = &self.command[self.line_start..];
        let Some(line) = line.strip_suffix(b"\r\n") else {
            self.refuse(GrammarError::BareLf, true);
            return (octets, None);
        };
        if self.expected == Expected::Line {
            let line = line.to_vec();
            self.forget();
            return (octets, Some(Reading::Line(line)));
        }
        let announced = announced(line);
        if self.line_start == 0 && AppendReader::reads(line) {
            self.append = Some(AppendReader::new());
        }
        let reading = match (&mut self.append, announced) {
            (Some(_), announced) => self.append_line(announced),
            (None, Some(announced)) => self.gathered_literal(announced),
            (None, None) => self.whole_command(),
        };
        (octets, reading)
    }

    fn whole_command(&mut self) -> Option<Reading> {
        let octets = &self.command[..self.command.len() - 2];
        match command::parse(octets, self.names) {
            Ok(tagged) => {
                self.forget();
                Some(Reading::Command(tagged))
            }
            Err(problem) => {
                self.refuse(problem, false);
                None
            }
        }
    }

    /// A literal that is gathered with its command.
    fn gathered_literal(&mut self, announced: Announced) -> Option<Reading> {
        let room = self.limits.literals_bytes_max - self.literals_bytes.min(self.limits.literals_bytes_max);
        let Some(size) = usize::try_from(announced.size_bytes).ok().filter(|size| *size <= room) else {
            let problem = GrammarError::LiteralTooLarge(self.limits.literals_bytes_max as u64);
            self.refuse_announced(problem, Some(announced));
            return None;
        };
        self.literals_bytes += size;
        self.state = State::Literal { remaining: size };
        (announced.sync == LiteralSync::Synchronizing).then_some(Reading::Continue)
    }

    fn append_line(&mut self, announced: Option<Announced>) -> Option<Reading> {
        let append = self.append.as_mut()?;
        match (append.read(&self.command, self.names, &mut self.found), announced) {
            (Ok(Ahead::Nothing), _) => {
                self.forget();
                None
            }
            (Ok(Ahead::MessageLiteral { size_bytes, sync, kind }), announced) => {
                if size_bytes > self.limits.append_bytes_max {
                    let problem = GrammarError::MessageTooLarge(self.limits.append_bytes_max);
                    self.refuse_announced(problem, announced);
                    return None;
                }
                self.found.push_back(AppendReading::Literal { size_bytes, sync, kind });
                self.state = State::Announced { size_bytes, sync };
                None
            }
            (Ok(Ahead::OtherLiteral), Some(announced)) => self.gathered_literal(announced),
            (Ok(Ahead::OtherLiteral), None) => {
                self.refuse(GrammarError::LiteralMissing(self.command.len()), false);
                None
            }
            (Err(problem), announced) => {
                self.refuse_announced(problem, announced);
                None
            }
        }
    }

    /// A line ended that is no command; where it announces a literal that comes at once, that and what follows it are read
    /// away first.
    fn refuse_announced(&mut self, problem: GrammarError, announced: Option<Announced>) {
        match announced {
            Some(Announced { size_bytes, sync: LiteralSync::NonSynchronizing }) => {
                self.discard(problem, b"", size_bytes);
            }
            _ => self.refuse(problem, false),
        }
    }

    /// Reads away what belongs to the command: the rest of a line of which `line` was gathered, or a literal.
    fn discard(&mut self, problem: GrammarError, line: &[u8], literal_bytes: u64) {
        let tag = self.tag();
        let mut discard = Discard::new(self.budget(), Some((tag.clone(), problem.clone())));
        discard.begin_line(line);
        let fits = discard.literal(literal_bytes);
        self.forget();
        self.state = match fits {
            Ok(()) => State::Discarding(discard),
            Err(_) => State::Refused { tag, problem, closes: true },
        };
    }

    fn discarded(&mut self, discarded: Discarded) -> Option<Reading> {
        self.state = State::Line;
        match discarded {
            Discarded::Silently => None,
            Discarded::Refused { tag, problem, closes } => {
                self.state = State::Refused { tag, problem, closes };
                None
            }
        }
    }

    fn refuse(&mut self, problem: GrammarError, closes: bool) {
        let tag = self.tag();
        self.forget();
        self.state = State::Refused { tag, problem, closes };
    }

    fn tag(&self) -> Option<Tag> {
        if self.expected == Expected::Line {
            return None;
        }
        command::tag(&self.command)
    }

    /// Octets that are read away at most.
    fn budget(&self) -> u64 {
        let message = if self.append.is_some() { self.limits.append_bytes_max } else { 0 };
        DISCARDED_BYTES_MAX.saturating_add(message)
    }

    fn next_line(&mut self) {
        self.state = State::Line;
        self.line_start = self.command.len();
    }

    /// The command is over. What was found of it is still told.
    fn forget(&mut self) {
        if self.command.capacity() > KEPT_BYTES {
            self.command = Vec::new();
        }
        self.command.clear();
        (self.line_start, self.literals_bytes) = (0, 0);
        self.append = None;
        self.expected = Expected::Command;
        self.state = State::Line;
    }
}

impl fmt::Debug for CommandReader {
    /// Without the octets: a password may be among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CommandReader").field("limits", &self.limits).finish_non_exhaustive()
    }
}
