//! The server side of a connection: ordering of commands and the transaction (RFC 5321 §4.1.4 and §3.3).
//!
//! [`Session`] is fed octets and says what it needs by [`Step`]: more octets, an answer to a [`Question`] (whether
//! a sender, a recipient or a whole message is taken is not decided here), room for the message, or that the
//! connection is to be closed. Replies gather in [`Session::output`], so that a pipelined batch is answered with
//! one write (RFC 2920 §3.2).
//!
//! What a verb does stands in the file of its name.

mod bdat;
mod data;
mod hello;
mod help;
mod line;
mod mail;
mod rcpt;
mod starttls;
mod transaction;
mod verify;

pub use hello::Hello;
pub use starttls::{Security, TlsOffer};
pub use transaction::{Message, Recipient, Transaction};

use std::sync::Arc;

use types::{Reply, ReplyKind};

use crate::codec::data::DataDecoder;
use crate::codec::fault::MessageLimits;
use crate::grammar::command::{self, Command, CommandError, Mail, Rcpt};
use line::{Line, LineReader};
use transaction::Chunks;

/// What a listener allows and offers.
#[derive(Debug, Clone)]
pub struct Config {
    /// Named in the greeting and in the replies to EHLO and QUIT.
    pub host_name: String,
    /// Whether bare LF may end the lines of a session that began with it.
    pub hand_typed: HandTyped,
    /// Whether STARTTLS is offered.
    pub tls: TlsOffer,
    /// Octets of a command line with its CRLF (RFC 5321 §4.5.3.1.4: at least 512).
    pub command_line_bytes_max: usize,
    /// Limits of a message.
    pub message: MessageLimits,
    /// RCPT commands of one transaction (RFC 5321 §4.5.3.1.8: at least 100).
    pub recipients_max: usize,
    /// Commands that were refused as malformed, unknown or out of order.
    pub errors_max: u32,
    /// Commands since a message was accepted last.
    pub idle_commands_max: u32,
    /// Octets of the message that gather before the driver is asked to take them.
    pub body_chunk_bytes: usize,
}

/// Whether a session whose very first line ends in bare LF is taken as typed by hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandTyped {
    /// LF is its line end throughout then, and any CR is refused.
    Allowed,
    /// It is told what to do, and closed.
    Refused,
}

/// One SMTP session. `R` is what the driver wants to keep with each accepted recipient.
#[derive(Debug)]
pub struct Session<R> {
    config: Arc<Config>,
    state: State<R>,
    security: Security,
    hello: Option<Hello>,
    lines: LineReader,
    output: Vec<u8>,
    errors: u32,
    idle_commands: u32,
}

/// What the session needs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// More octets; until then, what is in the output is due.
    Input,
    /// An answer to [`Session::question`], by [`Session::answer`] or [`Session::accept_recipient`].
    Answer,
    /// That [`Session::take_body`] is called.
    Body,
    /// That the output is sent, what was read and not consumed is thrown away, and TLS is begun; then
    /// [`Session::secured`].
    StartTls,
    /// That the output is sent and the connection closed.
    Close,
}

/// What the driver is asked. The answer is a reply; a positive one lets the session go on.
#[derive(Debug)]
pub enum Question<'a, R> {
    /// Is mail from this sender taken?
    Sender(&'a Mail),
    /// Is mail for this recipient taken, given the transaction so far? A positive answer is
    /// [`Session::accept_recipient`].
    Recipient(&'a Transaction<R>, &'a Rcpt),
    /// Does this address exist (VRFY)?
    Verify(&'a str),
    /// Who is on this list (EXPN)?
    Expand(&'a str),
    /// The message is complete; a positive answer takes responsibility for it (RFC 5321 §4.2.5). Whatever the
    /// answer, the transaction ends.
    Message(&'a Message<R>),
}

/// What the session waits for from the peer: the driver's timeouts hang on it (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A command.
    Command,
    /// The message.
    Data,
}

#[derive(Debug)]
enum State<R> {
    Idle,
    AskedSender(Mail),
    InTransaction(Transaction<R>),
    AskedRecipient(Transaction<R>, Rcpt),
    AskedVerify(Box<Self>, String),
    AskedExpand(Box<Self>, String),
    ReceivingData(Transaction<R>, DataDecoder, Vec<u8>),
    BetweenChunks(Chunks<R>),
    ReceivingChunk(Chunks<R>, command::Chunk),
    /// The octets of a refused chunk are passed over, then the reply is due.
    DiscardingChunk(u64, Reply),
    AskedMessage(Message<R>),
    StartingTls,
    /// By QUIT: the peer expects nothing more.
    Quit,
    /// By us.
    Closed,
}

/// Octets that came in chunks for which one more command is no idling.
const CHUNK_BYTES_OF_WORK: u64 = 1024;

impl<R> Session<R> {
    /// A session that begins with the greeting.
    #[must_use]
    pub fn new(config: Arc<Config>, security: Security) -> Self {
        let mut output = Vec::with_capacity(256);
        ReplyKind::Greeting.with(&config.host_name).write_to(&mut output);
        let lines = LineReader::new(config.hand_typed, config.command_line_bytes_max);
        Self { config, state: State::Idle, security, hello: None, lines, output, errors: 0, idle_commands: 0 }
    }

    /// Takes octets of the peer: returns how many were consumed and what is needed next. What was not consumed is
    /// to be given again. A line is consumed whole, so the driver's buffer must hold
    /// [`Config::command_line_bytes_max`] octets.
    pub fn receive(&mut self, input: &[u8]) -> (usize, Step) {
        let mut consumed = 0;
        loop {
            let (octets, step) = match &mut self.state {
                State::Quit | State::Closed => (0, Some(Step::Close)),
                State::StartingTls => (0, Some(Step::StartTls)),
                State::AskedSender(_)
                | State::AskedRecipient(..)
                | State::AskedVerify(..)
                | State::AskedExpand(..)
                | State::AskedMessage(_) => (0, Some(Step::Answer)),
                State::ReceivingData(..) => self.receive_data(&input[consumed..]),
                State::ReceivingChunk(..) => self.receive_chunk(&input[consumed..]),
                State::DiscardingChunk(..) => self.discard_chunk(&input[consumed..]),
                State::Idle | State::InTransaction(_) | State::BetweenChunks(_) => {
                    self.receive_line(&input[consumed..])
                }
            };
            consumed += octets;
            if let Some(step) = step {
                return (consumed, step);
            }
        }
    }

    /// What is asked, where [`Step::Answer`] is needed.
    #[must_use]
    pub fn question(&self) -> Option<Question<'_, R>> {
        match &self.state {
            State::AskedSender(mail) => Some(Question::Sender(mail)),
            State::AskedRecipient(transaction, rcpt) => Some(Question::Recipient(transaction, rcpt)),
            State::AskedVerify(_, argument) => Some(Question::Verify(argument)),
            State::AskedExpand(_, argument) => Some(Question::Expand(argument)),
            State::AskedMessage(message) => Some(Question::Message(message)),
            _ => None,
        }
    }

    /// Answers any question but with an accepted recipient.
    pub fn answer(&mut self, reply: &Reply) {
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::AskedSender(mail) if reply.is_positive() => State::InTransaction(Transaction::new(mail)),
            State::AskedSender(_) => State::Idle,
            State::AskedRecipient(transaction, _) => State::InTransaction(transaction),
            State::AskedVerify(before, _) | State::AskedExpand(before, _) => *before,
            State::AskedMessage(_) => {
                if reply.is_positive() {
                    self.idle_commands = 0;
                }
                State::Idle
            }
            state => state,
        };
        self.reply(reply);
    }

    /// Answers the question about a recipient: it is taken, and `route` is kept with it.
    pub fn accept_recipient(&mut self, reply: &Reply, route: R) {
        self.state = match std::mem::replace(&mut self.state, State::Idle) {
            State::AskedRecipient(mut transaction, rcpt) => {
                let Rcpt { forward_path, dsn, .. } = rcpt;
                transaction.recipients.push(Recipient { forward_path, dsn, route });
                State::InTransaction(transaction)
            }
            state => state,
        };
        self.reply(reply);
    }

    /// The message, where the question was about it: answers come after. The driver needs it whole.
    #[must_use]
    pub const fn message(&self) -> Option<&Message<R>> {
        match &self.state {
            State::AskedMessage(message) => Some(message),
            _ => None,
        }
    }

    /// The octets of the message that have gathered since the last call.
    pub fn take_body(&mut self) -> Vec<u8> {
        match &mut self.state {
            State::ReceivingData(_, _, body) => std::mem::take(body),
            State::ReceivingChunk(chunks, _) | State::BetweenChunks(chunks) => {
                std::mem::take(&mut chunks.body)
            }
            State::AskedMessage(message) => std::mem::take(&mut message.body),
            _ => Vec::new(),
        }
    }

    /// Gives back what [`Session::take_body`] gave: the octets to come gather in the same memory.
    pub fn give_back(&mut self, mut buffer: Vec<u8>) {
        let body = match &mut self.state {
            State::ReceivingData(_, _, body) => body,
            State::ReceivingChunk(chunks, _) | State::BetweenChunks(chunks) => &mut chunks.body,
            _ => return,
        };
        if body.is_empty() {
            buffer.clear();
            *body = buffer;
        }
    }

    /// Whether octets of a message are gathering: where not, what the driver took of one is of no more use.
    #[must_use]
    pub const fn is_receiving(&self) -> bool {
        matches!(
            self.state,
            State::ReceivingData(..)
                | State::ReceivingChunk(..)
                | State::BetweenChunks(_)
                | State::AskedMessage(_)
        )
    }

    /// The transaction whose message is coming in or complete.
    #[must_use]
    pub const fn transaction(&self) -> Option<&Transaction<R>> {
        match &self.state {
            State::ReceivingData(transaction, ..) => Some(transaction),
            State::ReceivingChunk(chunks, _) | State::BetweenChunks(chunks) => Some(&chunks.transaction),
            State::AskedMessage(message) => Some(&message.transaction),
            _ => None,
        }
    }

    /// What has to be sent to the peer; the driver empties it.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// What is waited for.
    #[must_use]
    pub const fn phase(&self) -> Phase {
        match self.state {
            State::ReceivingData(..) | State::ReceivingChunk(..) | State::DiscardingChunk(..) => Phase::Data,
            _ => Phase::Command,
        }
    }

    /// Whether there is no transaction, so that the session can be closed without harm.
    #[must_use]
    pub const fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle | State::Quit | State::Closed)
    }

    /// Whether the peer has ended the session by QUIT: it sends nothing more that would have to be drained.
    #[must_use]
    pub const fn has_quit(&self) -> bool {
        matches!(self.state, State::Quit)
    }

    /// How the client introduced itself, if it did.
    #[must_use]
    pub const fn hello(&self) -> Option<&Hello> {
        self.hello.as_ref()
    }

    /// What this listener allows.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Ends the session with a reply, for example at a timeout (421).
    pub fn close(&mut self, reply: &Reply) {
        if !matches!(self.state, State::Quit | State::Closed) {
            self.reply(reply);
            self.state = State::Closed;
        }
    }

    fn receive_line(&mut self, input: &[u8]) -> (usize, Option<Step>) {
        let (consumed, line) = self.lines.read(input);
        match line {
            Line::Partial => return (consumed, Some(Step::Input)),
            Line::Complete(line) => self.command(command::parse(line)),
            Line::TooLong => self.refuse(&ReplyKind::LineTooLong.with(self.config.command_line_bytes_max)),
            Line::HoldsCr => self.refuse(&ReplyKind::LineMalformed.reply()),
            Line::BareLf => self.close(&ReplyKind::BareLf.reply()),
            Line::Endless => self.close(&ReplyKind::LineTooLong.with(self.config.command_line_bytes_max)),
        }
        (consumed, None)
    }

    fn command(&mut self, command: Result<Command<'_>, CommandError>) {
        self.idle_commands = self.idle_commands.saturating_add(1);
        if self.idle_commands > self.config.idle_commands_max.saturating_add(self.work_so_far()) {
            return self.close(&ReplyKind::TooManyIdleCommands.reply());
        }
        match command {
            Ok(Command::Hello(verb, host)) => self.hello_command(verb, host),
            Ok(Command::Mail(mail)) => self.mail_command(mail),
            Ok(Command::Rcpt(rcpt)) => self.rcpt_command(rcpt),
            Ok(Command::Data) => self.data_command(),
            Ok(Command::Bdat(chunk)) => self.bdat_command(chunk),
            Ok(Command::Rset) => {
                self.state = State::Idle;
                self.reply(&ReplyKind::Reset.reply());
            }
            Ok(Command::Noop) => self.reply(&ReplyKind::Noop.reply()),
            Ok(Command::Quit) => {
                self.reply(&ReplyKind::Closing.with(&self.config.host_name));
                self.state = State::Quit;
            }
            Ok(Command::StartTls) => self.starttls_command(),
            Ok(Command::Vrfy(argument)) => self.vrfy_command(argument),
            Ok(Command::Expn(argument)) => self.expn_command(argument),
            Ok(Command::Help(about)) => self.help_command(about),
            Ok(Command::NotOffered(verb)) => self.refuse(&ReplyKind::CommandNotImplemented.with(verb)),
            // The chunk that follows cannot be told from commands: nothing more is read.
            Err(error @ CommandError::ChunkSize) => self.close(&error.reply()),
            Err(error) => self.refuse(&error.reply()),
        }
    }

    /// Recipients and chunks are work, not idling: a transaction with many of them is no abuse. Tiny chunks are.
    fn work_so_far(&self) -> u32 {
        let work = match &self.state {
            State::InTransaction(transaction) => transaction.rcpt_commands as u64,
            State::BetweenChunks(chunks) => {
                chunks.transaction.rcpt_commands as u64 + chunks.checker.size_bytes() / CHUNK_BYTES_OF_WORK
            }
            _ => 0,
        };
        u32::try_from(work).unwrap_or(u32::MAX)
    }

    /// RFC 6531 §3.7.4: what is not ASCII may stand in 251, 551 and some replies to VRFY and EXPN only, none of
    /// which is given here. Logs and traces keep the reply as it is.
    fn reply(&mut self, reply: &Reply) {
        let start = self.output.len();
        reply.write_to(&mut self.output);
        self.output[start..].iter_mut().filter(|octet| !octet.is_ascii()).for_each(|octet| *octet = b'?');
    }

    /// A reply to a command that breaks the protocol. The session's state stays, unless there were too many.
    fn refuse(&mut self, reply: &Reply) {
        self.errors = self.errors.saturating_add(1);
        if self.errors > self.config.errors_max {
            self.close(&ReplyKind::TooManyErrors.reply());
        } else {
            self.reply(reply);
        }
    }

    fn bad_sequence(&mut self, what_to_do: &'static str) {
        self.refuse(&ReplyKind::BadSequence.with(what_to_do));
    }
}
