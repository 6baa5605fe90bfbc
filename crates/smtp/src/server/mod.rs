//! The server side of a connection: ordering of commands and the transaction (RFC 5321 §4.1.4 and §3.3).
//!
//! [`Session`] is fed octets and says what it needs by [`Step`]: more octets, an answer to a [`Question`] (whether
//! a sender, a recipient or a whole message is taken, or who the client is, is not decided here), room for the
//! message, or that the connection is to be closed. Replies gather in [`Session::output`], so that a pipelined
//! batch is answered with one write (RFC 2920 §3.2).
//!
//! What a verb does stands in the file of its name.

mod answer;
mod auth;
mod bdat;
mod config;
mod data;
mod etrn;
mod hello;
mod help;
mod line;
mod mail;
mod output;
mod rcpt;
mod reversal;
mod starttls;
mod transaction;
mod verify;
mod xclient;

pub use answer::Question;
pub use auth::{AUTH_LINE_BYTES_MAX, AuthNeed, AuthOffer};
pub use config::{Config, Extensions, HandTyped, Role};
pub use hello::Hello;
pub use output::Refusal;
pub use reversal::{ReversalVerb, Turn};
pub use starttls::{Security, TlsOffer, TlsPolicy};
pub use transaction::{Message, Recipient, Transaction};

use std::sync::Arc;

use types::{MailId, Reply, ReplyKind, Timestamp};

use crate::codec::data::DataDecoder;
use crate::grammar::auth::{Auth, SaslData};
use crate::grammar::command::{self, Command, CommandError, Mail, Rcpt, Verb};
use crate::grammar::reversal::Node;
use crate::grammar::xclient::Xclient;
use auth::Authentication;
use line::{Line, LineReader, Listening};
use output::Charset;
use transaction::Chunks;
use verify::{Asked, LookupVerb};

/// One SMTP session. `R` is what the driver wants to keep with each accepted recipient.
#[derive(Debug)]
pub struct Session<R> {
    config: Arc<Config>,
    state: State<R>,
    security: Security,
    authentication: Authentication,
    hello: Option<Hello>,
    lines: LineReader,
    output: Vec<u8>,
    errors: u32,
    idle_commands: u32,
    auth_failures: u32,
    xclient_allowed: bool,
    /// The driver decides whether a name is taken.
    hello_asked: bool,
    /// Stands at the end of refusals.
    quoted_id: Option<MailId>,
    /// What time it is, where the driver has said.
    now: Option<Timestamp>,
    /// The verb that is being answered.
    verb: &'static str,
    refusals: Vec<Refusal>,
    /// In LMTP, how many replies BDAT LAST owes for a message whose chunk was refused before.
    failed_recipients: Option<usize>,
}

/// What the session needs now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// More octets; until then, what is in the output is due.
    Input,
    /// An answer to [`Session::question`], by [`Session::answer`] or what the question names.
    Answer,
    /// That [`Session::take_body`] is called.
    Body,
    /// That the output is sent, what was read and not consumed is thrown away, and TLS is begun; then
    /// [`Session::secured`].
    StartTls,
    /// That the output is sent, what was read and not consumed is thrown away, and the driver becomes the client on this
    /// connection. The session is over.
    Reverse,
    /// That the output is sent and the connection closed.
    Close,
}

/// What the session waits for from the peer: the driver's timeouts hang on it (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// A command, or a line of an authentication.
    Command,
    /// The message.
    Data,
}

#[derive(Debug)]
enum State<R> {
    Idle,
    AskedHello(Box<Self>, Hello),
    AskedSender(Mail),
    InTransaction(Transaction<R>),
    AskedRecipient(Transaction<R>, Rcpt),
    AskedLookup(Box<Self>, Asked),
    ReceivingData(Transaction<R>, DataDecoder, Vec<u8>),
    BetweenChunks(Chunks<R>),
    ReceivingChunk(Chunks<R>, command::Chunk),
    /// The octets of a refused chunk are passed over, then the reply is due: once, or in LMTP as often as said.
    DiscardingChunk(u64, Reply, usize),
    AskedMessage(Message<R>),
    AskedStartTls(Box<Self>),
    StartingTls,
    AskedAuthenticate(Auth),
    /// A challenge was sent.
    Authenticating,
    AskedResponse(SaslData),
    AskedXclient(Box<Xclient>),
    AskedEtrn(Node),
    AskedReversal(reversal::Asked),
    /// The driver is the client.
    Reversed,
    /// By QUIT: the peer expects nothing more.
    Quit,
    /// By us.
    Closed,
}

impl<R> State<R> {
    /// The state that a question interrupts which changes nothing: what was received of a message stays of use.
    const fn underneath(&self) -> &Self {
        match self {
            Self::AskedHello(before, _) | Self::AskedLookup(before, _) | Self::AskedStartTls(before) => {
                before
            }
            state => state,
        }
    }
}

/// Octets that came in chunks for which one more command is no idling.
const CHUNK_BYTES_OF_WORK: u64 = 1024;

impl<R> Session<R> {
    /// A session that begins with the greeting.
    #[must_use]
    pub fn new(config: Arc<Config>, security: Security) -> Self {
        let lines = LineReader::new(&config);
        let mut session = Self {
            config,
            state: State::Idle,
            security,
            authentication: Authentication::None,
            hello: None,
            lines,
            output: Vec::with_capacity(256),
            errors: 0,
            idle_commands: 0,
            auth_failures: 0,
            xclient_allowed: false,
            hello_asked: false,
            quoted_id: None,
            now: None,
            verb: output::NO_VERB,
            refusals: Vec::new(),
            failed_recipients: None,
        };
        session.greet();
        session
    }

    /// Says what time it is, for FUTURERELEASE. A session that was never told does not offer that.
    pub const fn set_now(&mut self, now: Timestamp) {
        self.now = Some(now);
    }

    /// Takes octets of the peer: returns how many were consumed and what is needed next. What was not consumed is
    /// to be given again. A line is consumed whole, so the driver's buffer must hold
    /// [`Session::line_bytes_max`] octets.
    pub fn receive(&mut self, input: &[u8]) -> (usize, Step) {
        let mut consumed = 0;
        loop {
            let (octets, step) = match &mut self.state {
                State::Quit | State::Closed => (0, Some(Step::Close)),
                State::StartingTls => (0, Some(Step::StartTls)),
                State::Reversed => (0, Some(Step::Reverse)),
                State::AskedHello(..)
                | State::AskedSender(_)
                | State::AskedRecipient(..)
                | State::AskedLookup(..)
                | State::AskedMessage(_)
                | State::AskedStartTls(_)
                | State::AskedAuthenticate(_)
                | State::AskedResponse(_)
                | State::AskedXclient(_)
                | State::AskedEtrn(_)
                | State::AskedReversal(_) => (0, Some(Step::Answer)),
                State::ReceivingData(..) => self.receive_data(&input[consumed..]),
                State::ReceivingChunk(..) => self.receive_chunk(&input[consumed..]),
                State::DiscardingChunk(..) => self.discard_chunk(&input[consumed..]),
                State::Idle | State::InTransaction(_) | State::BetweenChunks(_) => {
                    self.receive_line(&input[consumed..], Listening::ForCommands)
                }
                State::Authenticating => self.receive_line(&input[consumed..], Listening::ForResponse),
            };
            consumed += octets;
            if let Some(step) = step {
                return (consumed, step);
            }
        }
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
            self.state.underneath(),
            State::ReceivingData(..)
                | State::ReceivingChunk(..)
                | State::BetweenChunks(_)
                | State::AskedMessage(_)
        )
    }

    /// The transaction whose message is coming in or complete.
    #[must_use]
    pub const fn transaction(&self) -> Option<&Transaction<R>> {
        match self.state.underneath() {
            State::ReceivingData(transaction, ..) => Some(transaction),
            State::ReceivingChunk(chunks, _) | State::BetweenChunks(chunks) => Some(&chunks.transaction),
            State::AskedMessage(message) => Some(&message.transaction),
            _ => None,
        }
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
        matches!(
            self.state.underneath(),
            State::Idle | State::Authenticating | State::Reversed | State::Quit | State::Closed
        )
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

    /// Octets of the longest line that may come now: as many the driver's buffer must hold.
    #[must_use]
    pub fn line_bytes_max(&self) -> usize {
        self.lines.line_bytes_max()
    }

    fn receive_line(&mut self, input: &[u8], listening: Listening) -> (usize, Option<Step>) {
        let (consumed, line) = self.lines.read(input, listening);
        match (line, listening) {
            (Line::Partial, _) => return (consumed, Some(Step::Input)),
            (Line::BareLf, _) => {
                self.verb = output::NO_VERB;
                self.give_up(&ReplyKind::BareLf.reply());
            }
            (Line::Complete(line), Listening::ForCommands) => self.command_line(line),
            (Line::Complete(line), Listening::ForResponse) => {
                if !self.is_idle_for_too_long() {
                    self.auth_response(line);
                }
            }
            (Line::HoldsCr, Listening::ForResponse) => self.end_exchange(ReplyKind::NotBase64),
            (Line::HoldsCr, Listening::ForCommands) => {
                self.verb = output::NO_VERB;
                self.refuse(&ReplyKind::LineMalformed.reply());
            }
            (Line::TooLong(max), _) => {
                if listening == Listening::ForResponse {
                    self.state = State::Idle;
                }
                let reply = self.line_too_long(max);
                self.refuse(&reply);
            }
            (Line::Endless(max), _) => {
                let reply = self.line_too_long(max);
                self.give_up(&reply);
            }
        }
        (consumed, None)
    }

    fn line_too_long(&mut self, max: usize) -> Reply {
        // RFC 4954 §4 has a code of its own for the lines of an authentication.
        if max == AUTH_LINE_BYTES_MAX {
            self.verb = Verb::Auth.name();
            return ReplyKind::AuthLineTooLong.with(max - 2);
        }
        self.verb = output::NO_VERB;
        ReplyKind::LineTooLong.with(max)
    }

    fn command_line(&mut self, line: &[u8]) {
        let verb = Verb::of(line);
        self.verb = verb.map_or(output::NO_VERB, Verb::name);
        if self.is_idle_for_too_long() {
            return;
        }
        if verb != Some(Verb::Bdat) {
            self.failed_recipients = None;
        }
        match verb.and_then(|verb| self.out_of_place(verb)) {
            Some(reply) => self.refuse(&reply),
            None => self.command(command::parse(line)),
        }
    }

    /// The reply to a verb that does not belong to this listener or this client, or comes before STARTTLS or AUTH,
    /// whatever its arguments are. BDAT takes care of itself: its chunk follows in any case.
    fn out_of_place(&self, verb: Verb) -> Option<Reply> {
        match (verb, self.config.role) {
            (Verb::Ehlo | Verb::Helo, Role::Lmtp) => {
                return Some(ReplyKind::WrongHello.with("This is LMTP: say LHLO instead"));
            }
            (Verb::Lhlo, Role::Transfer | Role::Submission | Role::OnDemand) => {
                return Some(ReplyKind::WrongHello.with("This is SMTP, not LMTP: say EHLO instead"));
            }
            // RFC 2645 §5.4.
            (verb, Role::OnDemand) if !is_for_on_demand(verb) => {
                return Some(ReplyKind::CommandNotImplemented.with(verb.name()));
            }
            (Verb::Etrn, _) if !self.config.extensions.etrn => {
                return Some(ReplyKind::CommandNotImplemented.with("ETRN"));
            }
            (Verb::Atrn, _) if !self.config.extensions.atrn => {
                return Some(ReplyKind::CommandNotImplemented.with("ATRN"));
            }
            (Verb::Turn, _) if self.config.extensions.turn == Turn::Off => {
                return Some(ReplyKind::TurnOff.reply());
            }
            _ => {}
        }
        let before_tls = matches!(
            verb,
            Verb::Noop
                | Verb::Ehlo
                | Verb::Lhlo
                | Verb::StartTls
                | Verb::Quit
                | Verb::Help
                | Verb::Rset
                | Verb::Bdat
        );
        if self.needs_tls() && !before_tls {
            return Some(ReplyKind::TlsRequired.reply());
        }
        match (verb, self.config.auth.need) {
            (Verb::Turn, _) if self.security == Security::Clear => Some(ReplyKind::TlsRequired.reply()),
            // RFC 2645 §5.2.1; TURN hands out no less.
            (Verb::Atrn | Verb::Turn, _) if !self.is_authenticated() => {
                Some(ReplyKind::AuthenticationRequired.reply())
            }
            (Verb::Auth, AuthNeed::Off) => Some(ReplyKind::CommandNotImplemented.with("AUTH")),
            (Verb::Mail | Verb::Vrfy | Verb::Expn | Verb::Etrn, AuthNeed::Required)
                if !self.is_authenticated() =>
            {
                Some(ReplyKind::AuthenticationRequired.reply())
            }
            (Verb::Xclient, _) if !self.xclient_allowed => Some(ReplyKind::XclientDenied.reply()),
            _ => None,
        }
    }

    fn command(&mut self, command: Result<Command<'_>, CommandError>) {
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
            Ok(Command::Auth(auth)) => self.auth_command(auth),
            Ok(Command::Xclient(xclient)) => self.xclient_command(xclient),
            Ok(Command::Vrfy(lookup)) => self.lookup_command(LookupVerb::Verify, lookup),
            Ok(Command::Expn(lookup)) => self.lookup_command(LookupVerb::Expand, lookup),
            Ok(Command::Help(about)) => self.help_command(about),
            Ok(Command::Etrn(node)) => self.etrn_command(node),
            Ok(Command::Atrn(domains)) => self.reversal_command(ReversalVerb::Atrn, domains),
            Ok(Command::Turn) => self.reversal_command(ReversalVerb::Turn, Vec::new()),
            Ok(Command::NotOffered(verb)) => {
                self.verb = verb;
                self.refuse(&ReplyKind::CommandNotImplemented.with(verb));
            }
            // The chunk that follows cannot be told from commands: nothing more is read.
            Err(error @ CommandError::ChunkSize) => self.give_up(&error.reply()),
            Err(error) => self.refuse(&error.reply()),
        }
    }

    /// Counts a line; true where there were too many, and the session is closed.
    fn is_idle_for_too_long(&mut self) -> bool {
        self.idle_commands = self.idle_commands.saturating_add(1);
        let too_long = self.idle_commands > self.config.idle_commands_max.saturating_add(self.work_so_far());
        if too_long {
            self.give_up(&ReplyKind::TooManyIdleCommands.reply());
        }
        too_long
    }

    /// Accepted recipients and chunks are work, not idling: a transaction with many of them is no abuse. Recipients
    /// that were refused and tiny chunks are.
    fn work_so_far(&self) -> u32 {
        let work = match &self.state {
            State::InTransaction(transaction) => transaction.recipients.len() as u64,
            State::BetweenChunks(chunks) => {
                chunks.transaction.recipients.len() as u64 + chunks.checker.size_bytes() / CHUNK_BYTES_OF_WORK
            }
            _ => 0,
        };
        u32::try_from(work).unwrap_or(u32::MAX)
    }
}

/// What a listener for ATRN knows (RFC 2645 §5.4): what leads to ATRN, and what does nothing. BDAT takes care of itself.
const fn is_for_on_demand(verb: Verb) -> bool {
    matches!(
        verb,
        Verb::Ehlo
            | Verb::StartTls
            | Verb::Auth
            | Verb::Atrn
            | Verb::Quit
            | Verb::Rset
            | Verb::Noop
            | Verb::Help
            | Verb::Xclient
            | Verb::Bdat
    )
}
