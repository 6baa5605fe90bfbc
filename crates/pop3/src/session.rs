//! The session machine: AUTHORIZATION, TRANSACTION, UPDATE (RFC 1939 §3).

mod authorization;
mod config;
mod language;
mod listing;
mod retrieval;
mod sasl_exchange;
mod transaction;

use std::fmt;
use std::sync::Arc;

pub use self::config::{Config, Expire, LINE_BYTES_MIN, WithoutUtf8};
use self::listing::Listing;
use self::retrieval::Retrieval;
use crate::line::{LineError, LineReader, Reading};
use crate::maildrop::{MailSize, Maildrop, MarkedMaildrop};
use crate::{
    APOP_DIGEST_BYTES, Command, CommandError, Flow, Password, Response, SASL_LINE_BYTES_MAX, Security, sasl,
};

/// From so many octets of output on, the machine reads and lists no more until they are written. It passes this
/// by one line, or by what one call of [`Session::content`] brings.
pub const OUTPUT_BYTES_SOFT_MAX: usize = 32 * 1024;

/// One connection.
///
/// The driver writes out [`Self::output`], clears it, and gives [`Self::receive`] what it read; it does what the
/// returned [`Step`] asks, and again. Octets that were not consumed stay with the driver and come first next
/// time. A driver that loses the connection drops the session: nothing is deleted (RFC 1939 §6).
pub struct Session {
    config: Arc<Config>,
    security: Security,
    lines: LineReader,
    output: Vec<u8>,
    state: State,
    headers: Headers,
    errors: u32,
    has_quit: bool,
}

/// What the machine wants next.
pub enum Step {
    /// More octets. All of the input was consumed.
    NeedInput,
    /// [`Session::output`] holds more than [`OUTPUT_BYTES_SOFT_MAX`]: write it out, clear it, and call
    /// [`Session::receive`] again with what was not consumed.
    Flush,
    /// Write out the output, whose last line is the `+OK` to STLS; throw away every octet that was read and not
    /// consumed, for whoever sent it in clear may be somebody else than the client; then do the handshake and
    /// say [`Session::secured`], or close the connection where the handshake fails (RFC 2595 §4).
    StartTls,
    /// Check the password and lock the maildrop; answer with [`Session::authenticated`].
    Authenticate {
        /// What USER said: printable ASCII without spaces.
        name: String,
        /// What PASS said.
        password: Password,
    },
    /// Compare the digest of the greeting's timestamp and the account's secret, and lock the maildrop; answer with
    /// [`Session::authenticated`].
    Apop {
        /// As in [`Step::Authenticate`].
        name: String,
        /// What the client sent.
        digest: [u8; APOP_DIGEST_BYTES],
    },
    /// Begin an exchange of SASL, and forget one that had begun before; answer with [`Session::challenge`] or
    /// [`Session::authenticated`].
    SaslBegin {
        /// One of those that the configuration offers here.
        mechanism: String,
        /// What came with AUTH, decoded; an empty one is `Some` of nothing.
        initial_response: Option<Vec<u8>>,
    },
    /// Go on with the exchange, with what the client answered to the challenge, decoded; answer with
    /// [`Session::challenge`] or [`Session::authenticated`]. Instead of this step nothing comes where the client calls
    /// the exchange off.
    SaslRespond(Vec<u8>),
    /// Stream a message into [`Session::content`], then say [`Session::content_end`].
    Retrieve {
        /// Position in the [`Maildrop`].
        index: usize,
    },
    /// Remove what was deleted for good, do what is to be done about what was read, and release the maildrop; answer with
    /// [`Session::committed`].
    Commit {
        /// Positions in the [`Maildrop`] that DELE has named, ascending; often none.
        deleted: Vec<usize>,
        /// Positions of other messages that RETR has sent to their end, ascending.
        retrieved: Vec<usize>,
    },
    /// Write out the output and close the connection; release the maildrop, and delete nothing.
    Close,
}

/// The answer to [`Step::Authenticate`], to [`Step::Apop`], and the end of an exchange of SASL.
#[derive(Debug)]
pub enum Login {
    /// The password is right, the maildrop is locked for this session, and this is what it holds.
    Ok(Maildrop),
    /// There is no such account, or the password is wrong.
    Refused,
    /// The account must not be used. To be said to whoever has its password, and to nobody else.
    Disabled,
    /// What the client sent is no message of the mechanism.
    Malformed,
    /// The password is right, but another session holds the maildrop.
    InUse,
    /// Too soon after another login; nothing was checked.
    TooSoon,
    /// The password cannot be checked now, or the maildrop not be opened.
    Unavailable,
}

/// Why the driver could not do what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It may work later: `[SYS/TEMP]`.
    #[error("the store does not answer now")]
    Temporary,
    /// It will not work until somebody mends it: `[SYS/PERM]`.
    #[error("the stored message is damaged")]
    Permanent,
    /// Another program has removed the message since the session began.
    #[error("the message is gone")]
    Gone,
    /// Who logged in may not use the maildrop any more. The session ends with this.
    #[error("the account was disabled or removed, or its app password revoked")]
    LoginEnded,
}

/// What a client takes in header sections (RFC 6856 §2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Headers {
    /// ASCII alone: a message with more is shown by a surrogate.
    Ascii,
    /// What there is.
    Utf8,
}

enum State {
    /// With what USER said right before, where it did.
    Authorization {
        name: Option<String>,
    },
    /// The driver owes [`Session::secured`].
    StartingTls,
    /// The driver owes [`Session::authenticated`].
    Authenticating,
    /// The driver owes [`Session::challenge`] or [`Session::authenticated`].
    SaslDriver,
    /// The client owes the answer to a challenge.
    SaslClient,
    Transaction(MarkedMaildrop),
    /// In the middle of LIST or UIDL.
    Listing(MarkedMaildrop, Listing),
    /// The driver owes [`Session::content_end`].
    Retrieving(MarkedMaildrop, Retrieval),
    /// UPDATE: the driver owes [`Session::committed`].
    Updating {
        kept: MailSize,
    },
    Closed,
}

/// What a command does to the session, once its response is written.
enum Next {
    State(State),
    Ask(State, Step),
    Refuse(State, Response, String),
}

impl Session {
    /// A session whose output holds the greeting. With [`Security::Tls`] the handshake is done already, as on
    /// port 995 (RFC 8314 §3.1).
    #[must_use]
    pub fn new(config: Arc<Config>, security: Security) -> Self {
        let lines = LineReader::new(config.line_bytes_max.max(LINE_BYTES_MIN));
        let mut output = Vec::new();
        Response::write_greeting(&config.host_name, config.apop.timestamp(), &mut output);
        Self {
            config,
            security,
            lines,
            output,
            state: State::Authorization { name: None },
            headers: Headers::Ascii,
            errors: 0,
            has_quit: false,
        }
    }

    /// Consumes octets until it needs the driver or more octets; returns how many it consumed, and what it
    /// wants. While the driver owes an answer, nothing is consumed; the step that waits for TLS is said again.
    pub fn receive(&mut self, input: &[u8]) -> (usize, Step) {
        let mut consumed = 0;
        loop {
            if self.output.len() >= OUTPUT_BYTES_SOFT_MAX {
                return (consumed, Step::Flush);
            }
            match &mut self.state {
                State::Closed => return (consumed, Step::Close),
                State::StartingTls => return (consumed, Step::StartTls),
                State::Authenticating
                | State::SaslDriver
                | State::Retrieving(..)
                | State::Updating { .. } => return (consumed, Step::NeedInput),
                State::Listing(maildrop, listing) => {
                    if listing.write(maildrop, &mut self.output) == Flow::Enough {
                        self.end_listing();
                    }
                    continue;
                }
                State::Authorization { .. } | State::SaslClient | State::Transaction(_) => {}
            }
            let (octets, reading) = self.lines.read(&input[consumed..]);
            consumed += octets;
            match reading {
                Reading::NeedInput => return (consumed, Step::NeedInput),
                Reading::Line => {
                    if let Some(step) = self.line() {
                        return (consumed, step);
                    }
                }
                Reading::Refused(error) => self.refuse_line(error),
            }
        }
    }

    /// What is to be written to the client. The driver clears it when it has written it.
    pub const fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Answers [`Step::StartTls`] when the handshake is done; without effect at any other time.
    ///
    /// The session is as at the start of AUTHORIZATION, without a greeting: nothing that was said in clear
    /// counts any more (RFC 2595 §4). Only the number of errors stays.
    pub fn secured(&mut self) {
        if matches!(self.state, State::StartingTls) {
            self.security = Security::Tls;
            self.lines = LineReader::new(self.line_bytes_max());
            self.headers = Headers::Ascii;
            self.state = State::Authorization { name: None };
        }
    }

    /// Sends a challenge of the mechanism, which may be empty: an answer to [`Step::SaslBegin`] and
    /// [`Step::SaslRespond`], without effect at any other time.
    pub fn challenge(&mut self, challenge: &[u8]) {
        if matches!(self.state, State::SaslDriver) {
            sasl::write_challenge(challenge, &mut self.output);
            self.lines.set_line_bytes_max(self.line_bytes_max().max(SASL_LINE_BYTES_MAX));
            self.state = State::SaslClient;
        }
    }

    /// Answers [`Step::Authenticate`] and [`Step::Apop`], and ends an exchange that [`Step::SaslBegin`] began;
    /// without effect at any other time.
    pub fn authenticated(&mut self, result: Login) {
        if matches!(self.state, State::Authenticating | State::SaslDriver) {
            let next = authorization::authenticated(result, &mut self.output);
            self.apply(next);
        }
    }

    /// Takes octets of the message that [`Step::Retrieve`] asked for, and says whether it wants more. What it
    /// does not want it ignores; without effect at any other time.
    pub fn content(&mut self, octets: &[u8]) -> Flow {
        match &mut self.state {
            State::Retrieving(_, retrieval) => retrieval.content(octets, &mut self.output),
            _ => Flow::Enough,
        }
    }

    /// Says that the message is at its end, or that TOP had enough of it, or that it failed; without effect
    /// where no message was asked for.
    ///
    /// A failure before the first octet is an error response. One in the middle, and a message whose octets are
    /// not as many as its listed size, close the connection without the end of the response: the client must
    /// not take a part for the whole.
    pub fn content_end(&mut self, result: Result<(), Failure>) {
        match self.take_state() {
            State::Retrieving(maildrop, retrieval) => {
                let next = retrieval.end(maildrop, result, &mut self.output);
                self.apply(next);
            }
            other => self.state = other,
        }
    }

    /// Answers [`Step::Commit`]; without effect at any other time.
    pub fn committed(&mut self, result: Result<(), Failure>) {
        if let State::Updating { kept } = self.state {
            match result {
                Ok(()) if self.config.expire == Expire::Never => {
                    Response::Updated.write_with(kept, &mut self.output);
                }
                Ok(()) => Response::UpdatedAndExpired.write_to(&mut self.output),
                Err(Failure::Temporary) => Response::UpdateUnavailable.write_to(&mut self.output),
                Err(Failure::Permanent | Failure::Gone) => Response::UpdateDamaged.write_to(&mut self.output),
                Err(Failure::LoginEnded) => Response::LoginEnded.write_to(&mut self.output),
            }
            self.state = State::Closed;
        }
    }

    /// Closes the session without a response and without the UPDATE state (RFC 1939 §3). The driver calls it
    /// when no command came for its timeout, which the RFC wants to be 10 minutes or more.
    pub fn time_out(&mut self) {
        self.state = State::Closed;
    }

    /// Ends the session of somebody whose login holds no more, without the UPDATE state: the answer to the command that has come or
    /// is on its way. Without effect where no command of a session that is logged in is waited for.
    pub fn end_login(&mut self) {
        if matches!(self.state, State::Transaction(_)) {
            Response::LoginEnded.write_to(&mut self.output);
            self.state = State::Closed;
        }
    }

    /// Whether the last command was QUIT: then the peer has ended the session.
    #[must_use]
    pub const fn has_quit(&self) -> bool {
        self.has_quit
    }

    fn line(&mut self) -> Option<Step> {
        if let State::SaslClient = self.state {
            let next = sasl_exchange::response(self.lines.line());
            // What comes next is a command, unless the driver sends another challenge.
            self.lines.set_line_bytes_max(self.line_bytes_max());
            return self.apply(next);
        }
        let command = Command::parse(self.lines.line());
        self.has_quit = matches!(command, Ok(Command::Quit));
        let next = match (command, self.take_state()) {
            (Ok(Command::Stls), state @ State::Authorization { .. }) if self.headers == Headers::Utf8 => {
                Next::Refuse(without_name(state), Response::TlsBeforeUtf8, String::new())
            }
            (Ok(command), State::Authorization { name }) => {
                if let Command::Utf8 = command {
                    self.headers = Headers::Utf8;
                }
                authorization::command(command, name, &self.config, self.security, &mut self.output)
            }
            (Ok(command), State::Transaction(maildrop)) => {
                let (config, security) = (&self.config, self.security);
                let headers = match config.without_utf8 {
                    WithoutUtf8::AsStored => Headers::Utf8,
                    WithoutUtf8::Surrogate => self.headers,
                };
                transaction::command(command, maildrop, config, security, headers, &mut self.output)
            }
            (Err(error), state) => {
                let (response, argument) = command_error(error);
                Next::Refuse(without_name(state), response, argument)
            }
            // `receive` reads no line in any other state.
            (Ok(_), state) => Next::State(state),
        };
        self.apply(next)
    }

    fn refuse_line(&mut self, error: LineError) {
        let response = match error {
            LineError::TooLong => {
                let (line_bytes_max, state) = match self.take_state() {
                    State::SaslClient => {
                        let next_max = self.line_bytes_max();
                        self.lines.set_line_bytes_max(next_max);
                        (next_max.max(SASL_LINE_BYTES_MAX), State::Authorization { name: None })
                    }
                    state => (self.line_bytes_max(), without_name(state)),
                };
                self.apply(Next::Refuse(state, Response::LineTooLong, line_bytes_max.to_string()));
                return;
            }
            LineError::Endless => Response::LineEndless,
            LineError::BareLf => Response::BareLf,
        };
        // What follows such a line is not to be read as commands.
        response.write_to(&mut self.output);
        self.state = State::Closed;
    }

    /// The one place where a command changes the session.
    fn apply(&mut self, next: Next) -> Option<Step> {
        match next {
            Next::State(state) => self.state = state,
            Next::Ask(state, step) => {
                self.state = state;
                return Some(step);
            }
            Next::Refuse(state, response, argument) => {
                self.errors = self.errors.saturating_add(1);
                if self.errors < self.config.errors_max {
                    response.write_with(argument, &mut self.output);
                    self.state = state;
                } else {
                    response.write_last_straw(&argument, &mut self.output);
                    self.state = State::Closed;
                }
            }
        }
        None
    }

    /// Of a command.
    fn line_bytes_max(&self) -> usize {
        self.config.line_bytes_max.max(LINE_BYTES_MIN)
    }

    fn end_listing(&mut self) {
        self.state = match self.take_state() {
            State::Listing(maildrop, _) => State::Transaction(maildrop),
            other => other,
        };
    }

    const fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Closed)
    }
}

/// Without what was said: the line that is being read may hold a password.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match self.state {
            State::Authorization { .. }
            | State::StartingTls
            | State::Authenticating
            | State::SaslDriver
            | State::SaslClient => "AUTHORIZATION",
            State::Transaction(_) | State::Listing(..) | State::Retrieving(..) => "TRANSACTION",
            State::Updating { .. } => "UPDATE",
            State::Closed => "closed",
        };
        f.debug_struct("Session")
            .field("state", &state)
            .field("security", &self.security)
            .field("errors", &self.errors)
            .finish_non_exhaustive()
    }
}

/// Without what the client sent: a response of SASL may hold a password, and a digest can be tried.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NeedInput => f.write_str("NeedInput"),
            Self::Flush => f.write_str("Flush"),
            Self::StartTls => f.write_str("StartTls"),
            Self::Authenticate { name, .. } => write!(f, "Authenticate {{ name: {name:?}, .. }}"),
            Self::Apop { name, .. } => write!(f, "Apop {{ name: {name:?}, .. }}"),
            Self::SaslBegin { mechanism, .. } => write!(f, "SaslBegin {{ mechanism: {mechanism:?}, .. }}"),
            Self::SaslRespond(_) => f.write_str("SaslRespond(…)"),
            Self::Retrieve { index } => write!(f, "Retrieve {{ index: {index} }}"),
            Self::Commit { deleted, retrieved } => {
                write!(f, "Commit {{ deleted: {deleted:?}, retrieved: {retrieved:?} }}")
            }
            Self::Close => f.write_str("Close"),
        }
    }
}

/// PASS follows right after USER or not at all (RFC 1939 §7).
fn without_name(state: State) -> State {
    if let State::Authorization { .. } = state { State::Authorization { name: None } } else { state }
}

fn command_error(error: CommandError) -> (Response, String) {
    match error {
        CommandError::NotPrintable => (Response::LineNotPrintable, String::new()),
        CommandError::Unknown => (Response::CommandUnknown, String::new()),
        CommandError::Syntax(usage) => (Response::ArgumentSyntax, usage.to_owned()),
        CommandError::NotBase64 => (Response::NotBase64, String::new()),
    }
}
