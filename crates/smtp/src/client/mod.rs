//! The client side of a connection, SMTP (RFC 5321) or LMTP (RFC 2033), as a machine without I/O.
//!
//! A driver owns the socket and does four things, in any order, as often as it can:
//!
//! 1. octets from the socket go into [`Client::receive`], the end of the stream into [`Client::lost`];
//! 2. octets of [`Client::transmit`] go to the socket, and [`Client::transmitted`] says how many went;
//! 3. [`Client::poll_event`] tells what happened;
//! 4. where [`Client::body_room`] is above zero, [`Client::write_body`] and [`Client::finish_body`] hand over
//!    the message in pieces.
//!
//! [`Client::wait`] names the timeout that runs (RFC 5321 §4.5.3.2); [`Client::timed_out`] ends it.
//!
//! What the machine promises: exactly one [`Outcome`] for each recipient of each message taken by
//! [`Client::send`], whatever the server does; a recipient is [`Outcome::Accepted`] only by a 2yz reply that came
//! after the last octet of the message had gone out. It refuses, and never repairs, a body with bare CR, bare LF
//! or NUL (see [`crate::codec::stuff`]).
//!
//! TLS and logins are the driver's as well: [`Event::StartTls`], [`Event::Authenticate`] and [`Event::Challenge`] ask
//! for them where the [`Config`] wants them, and they are over before [`Event::Ready`].
//!
//! Left out on purpose: which host, how often, and what to do with a failure (`mta`), DNS and TLS (`net`), what SASL
//! mechanisms say (`sasl`). Conversion of 8BITMIME to 7BIT is not done: such a message fails with 5.6.3 before anything
//! of it was sent, and [`Failure::asks_for_conversion`]. HOLDFOR= and HOLDUNTIL= are not passed on: who took them waits.

mod body;
mod config;
mod event;
mod hello;
mod login;
mod parameters;
mod tls;
mod transaction;
mod wait;
mod wire;

use types::{Envelope, Reply};

pub use config::{
    Certificate, Config, LoginPolicy, Mode, ONE_FLIGHT_BYTES_MAX, Passwords, Pipelining, Security, TlsPolicy,
    Transcript, Transfer,
};
pub use event::{Cause, End, Event, Failure, NotTried, Outcome, Report, Stage, Unsupported, Violation};
pub use login::{CHALLENGES_MAX, LoginError, MASK};
pub use wait::{CLIENT_QUIT_TIMEOUT, Wait, WaitFor};

use crate::codec::stuff::LineFault;
use crate::grammar::reply::{Extensions, ReplyParser};
use hello::{HelloVerb, Session};
use login::Login;
use transaction::Transaction;
use wire::{Command, Wire};

/// One connection.
#[derive(Debug)]
pub struct Client {
    config: Config,
    parser: ReplyParser,
    wire: Wire,
    state: State,
    security: Security,
}

/// What is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// From whom, to whom, and what kind of body.
    pub envelope: Envelope,
    /// Octets of the message as it will be handed over, where that is known (RFC 1870 §4: without the dots of
    /// transparency).
    pub size_bytes: Option<u64>,
}

/// Why [`Client::send`] did not take a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The machine has not said [`Event::Ready`], or works on another message.
    #[error("the connection is not ready for a message")]
    NotReady,
    /// The server's LIMITS MAILMAX (RFC 9422) is reached: the message needs another connection.
    #[error("the server takes no more messages on this connection")]
    MailMaxReached,
}

/// Why [`Client::write_body`] or [`Client::finish_body`] failed. The message has failed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// No body is wanted: the message failed already, or 354 has not come.
    #[error("no body is wanted now")]
    NotWanted,
    /// The body is not one that may be sent.
    #[error(transparent)]
    Line(#[from] LineFault),
}

#[derive(Debug)]
enum State {
    Greeting,
    Hello(HelloVerb),
    /// STARTTLS was said; what was offered before, for where it is refused.
    AskedTls(Extensions),
    /// The driver begins TLS.
    Handshake,
    Login(Login),
    Ready(Session),
    Sending(Session, Box<Transaction>),
    Quitting,
    Closed,
}

impl Client {
    /// A connection that has just been opened.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let wire = Wire::new(config.transcript);
        let security = config.security;
        Self { config, parser: ReplyParser::default(), wire, state: State::Greeting, security }
    }

    /// Octets came from the server.
    pub fn receive(&mut self, mut input: &[u8]) {
        while !input.is_empty() && !self.is_closed() {
            if matches!(self.state, State::Handshake) {
                return self.close(End::Violation(Violation::BeforeTls));
            }
            match self.parser.feed(input) {
                Ok((taken, reply)) => {
                    input = &input[taken..];
                    if let Some(reply) = reply {
                        self.on_reply(reply);
                    }
                }
                Err(error) => self.close(End::Violation(Violation::Malformed(error))),
            }
        }
    }

    /// The server closed the stream, or the connection broke.
    pub fn lost(&mut self) {
        // After QUIT nothing is owed to us any more (RFC 5321 §4.1.1.10).
        let end = if matches!(self.state, State::Quitting) { End::Quit } else { End::Lost };
        self.close(end);
    }

    /// The timeout that [`Client::wait`] named has passed.
    pub fn timed_out(&mut self) {
        let Some(wait) = self.wait() else { return };
        let end = if wait.wait_for == WaitFor::Quit { End::Quit } else { End::TimedOut(wait.wait_for) };
        self.close(end);
    }

    /// The driver gives the connection up, for example because the message cannot be read to its end. What is
    /// undecided fails for now.
    pub fn abort(&mut self) {
        self.close(End::Aborted);
    }

    /// What happened next, if anything did.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.wire.poll_event()
    }

    /// Octets that are to go to the server.
    #[must_use]
    pub fn transmit(&self) -> &[u8] {
        self.wire.transmit()
    }

    /// The first `count` octets of [`Client::transmit`] have gone.
    pub fn transmitted(&mut self, count: usize) {
        self.wire.transmitted(count);
    }

    /// The timeout that runs now; none while it is the driver's turn.
    #[must_use]
    pub fn wait(&self) -> Option<Wait> {
        if self.is_closed() { None } else { self.wire.wait() }
    }

    /// Whether the connection is over, and the socket to be closed once [`Client::poll_event`] is empty.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// What the server offers; none before [`Event::Ready`].
    #[must_use]
    pub const fn extensions(&self) -> Option<&Extensions> {
        match &self.state {
            State::Ready(session) | State::Sending(session, _) => Some(&session.extensions),
            State::Greeting
            | State::Hello(_)
            | State::AskedTls(_)
            | State::Handshake
            | State::Login(_)
            | State::Quitting
            | State::Closed => None,
        }
    }

    /// Whether [`Client::send`] would take a message now.
    #[must_use]
    pub const fn can_send(&self) -> bool {
        matches!(&self.state, State::Ready(session) if !session.is_spent())
    }

    /// How the bodies of messages travel from now on, where they leave the choice.
    pub const fn set_transfer(&mut self, transfer: Transfer) {
        self.config.transfer = transfer;
    }

    /// Starts a message. Its outcomes come with [`Event::Finished`].
    ///
    /// # Errors
    /// The message is not taken, and no outcome will come.
    pub fn send(&mut self, message: Message) -> Result<(), SendError> {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Ready(session) if session.is_spent() => {
                self.state = State::Ready(session);
                Err(SendError::MailMaxReached)
            }
            State::Ready(mut session) => {
                let transaction = Transaction::new(message, &mut session, &self.config);
                self.state = State::Sending(session, Box::new(transaction));
                self.proceed();
                Ok(())
            }
            state => {
                self.state = state;
                Err(SendError::NotReady)
            }
        }
    }

    /// How many octets of the body [`Client::write_body`] takes now; zero where none is wanted or the buffers
    /// are full.
    #[must_use]
    pub fn body_room(&self) -> usize {
        match &self.state {
            State::Sending(_, transaction) => transaction.body_room(&self.wire),
            _ => 0,
        }
    }

    /// Hands over the next octets of the body; returns how many were taken, which is `octets.len()` or less.
    ///
    /// # Errors
    /// The body may not be sent as it is, and the message has failed.
    pub fn write_body(&mut self, octets: &[u8]) -> Result<usize, BodyError> {
        let State::Sending(_, transaction) = &mut self.state else { return Err(BodyError::NotWanted) };
        let result = transaction.write_body(octets, &mut self.wire);
        self.after_body(result)
    }

    /// The body is complete.
    ///
    /// # Errors
    /// The body may not be sent as it is, and the message has failed.
    pub fn finish_body(&mut self) -> Result<(), BodyError> {
        let State::Sending(_, transaction) = &mut self.state else { return Err(BodyError::NotWanted) };
        let result = transaction.finish_body(&mut self.wire);
        self.after_body(result)
    }

    /// Says QUIT, if the machine is ready for a message; otherwise nothing happens.
    pub fn quit(&mut self) {
        if matches!(self.state, State::Ready(_)) {
            self.say_quit();
        }
    }

    fn say_quit(&mut self) {
        self.wire.command(Command::Quit, "QUIT");
        self.state = State::Quitting;
    }

    /// A message that may not be sent can only be stopped by ending the connection: after 354 there is no other
    /// way out, and after BDAT the server would wait for the rest.
    fn after_body<T>(&mut self, result: Result<T, BodyError>) -> Result<T, BodyError> {
        match &result {
            Ok(_) => self.proceed(),
            Err(BodyError::Line(fault)) => self.close(End::BadBody(*fault)),
            Err(BodyError::NotWanted) => {}
        }
        result
    }

    fn on_reply(&mut self, reply: Reply) {
        let command = match self.wire.answered() {
            Some(command) => command,
            // 421 may come at any time (RFC 5321 §3.8).
            None if reply.code == 421 => {
                self.wire.note_reply(Stage::Idle, &reply);
                return self.on_shutdown(self.wire.stage(), reply);
            }
            None => return self.on_unsolicited(reply),
        };
        let stage = command.stage();
        self.wire.note_reply(stage, &reply);
        if reply.code == 421 {
            return self.on_shutdown(stage, reply);
        }
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Greeting => self.on_greeting(reply),
            State::Hello(verb) => self.on_hello(verb, reply),
            State::AskedTls(extensions) => self.on_starttls(extensions, reply),
            State::Login(login) => self.on_login(login, reply),
            State::Sending(mut session, mut transaction) => {
                let result = transaction.on_reply(command, reply, &mut session, &mut self.wire);
                self.state = State::Sending(session, transaction);
                match result {
                    Ok(()) => self.proceed(),
                    Err(violation) => {
                        // What the other replies would have said nobody knows.
                        let stage = if self.wire.has_said_end() { Stage::EndOfData } else { stage };
                        self.close_at(stage, End::Violation(violation));
                    }
                }
            }
            state @ (State::Handshake | State::Quitting | State::Ready(_) | State::Closed) => {
                self.state = state;
                self.close(End::Quit);
            }
        }
    }

    /// The server stops. In a session that had not begun, the reply says why no mail is taken now.
    fn on_shutdown(&mut self, stage: Stage, reply: Reply) {
        let end = if stage == Stage::Quit { End::Quit } else { End::ByServer(reply) };
        self.close_at(stage, end);
    }

    /// A reply that no command asked for. While the body is on its way, a refusal is taken for what it says, too
    /// early; there is no way to stop the body but to close. Anything else means that replies and commands can
    /// no longer be matched.
    fn on_unsolicited(&mut self, reply: Reply) {
        self.wire.note_reply(Stage::Idle, &reply);
        let end = match &self.state {
            State::Sending(_, transaction)
                if transaction.is_in_body()
                    && matches!(self.wire.stage(), Stage::Body | Stage::EndOfData)
                    && reply.code >= 400 =>
            {
                End::RefusedEarly(reply)
            }
            _ => End::Violation(Violation::Unsolicited(reply)),
        };
        self.close(end);
    }

    /// Writes what may be written now, and takes note if the message is finished.
    fn proceed(&mut self) {
        let State::Sending(session, transaction) = &mut self.state else { return };
        transaction.pump(session, &mut self.wire);
        if !transaction.is_finished(&self.wire) {
            return;
        }
        let State::Sending(session, transaction) = std::mem::replace(&mut self.state, State::Closed) else {
            return;
        };
        let report = transaction.into_report();
        self.wire.release_buffer();
        self.state = State::Ready(session);
        self.wire.event(Event::Finished(report));
        self.wire.event(Event::Ready);
    }

    fn close(&mut self, end: End) {
        let stage = self.wire.stage();
        self.close_at(stage, end);
    }

    /// The connection is over. Everything undecided is decided now, as failed at `stage`.
    fn close_at(&mut self, stage: Stage, end: End) {
        match std::mem::replace(&mut self.state, State::Closed) {
            State::Closed => return,
            State::Greeting => self.wire.event(Event::Unusable(end.failure(Stage::Greeting))),
            State::Hello(_) => self.wire.event(Event::Unusable(end.failure(Stage::Hello))),
            State::AskedTls(_) | State::Handshake => {
                self.wire.event(Event::Unusable(end.failure(Stage::StartTls)));
            }
            State::Login(_) => self.wire.event(Event::Unusable(end.failure(Stage::Login))),
            State::Sending(_, mut transaction) => {
                transaction.fail_undecided(&end.failure(stage));
                self.wire.event(Event::Finished(transaction.into_report()));
            }
            State::Ready(_) | State::Quitting => {}
        }
        self.wire.clear();
        self.wire.event(Event::Closed(end));
    }
}
