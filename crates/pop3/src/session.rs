//! The session machine: AUTHORIZATION, TRANSACTION, UPDATE (RFC 1939 §3).

mod authorization;
mod listing;
mod retrieval;
mod transaction;

use std::fmt;
use std::sync::Arc;

use self::listing::Listing;
use self::retrieval::Retrieval;
use crate::line::{LineError, LineReader, Reading};
use crate::maildrop::{MailSize, Maildrop, MarkedMaildrop};
use crate::{Command, CommandError, Flow, Password, Plaintext, Response, Security, TlsOffer};

/// Octets of a command line with its CRLF that every server takes (RFC 2449 §4).
pub const LINE_BYTES_MIN: usize = 255;

/// From so many octets of output on, the machine reads and lists no more until they are written. It passes this
/// by one line, or by what one call of [`Session::content`] brings.
pub const OUTPUT_BYTES_SOFT_MAX: usize = 32 * 1024;

/// What the operator decides.
#[derive(Debug, Clone)]
pub struct Config {
    /// The greeting names it.
    pub host_name: String,
    /// Octets of a command line with its CRLF; at least, and by default, [`LINE_BYTES_MIN`].
    pub line_bytes_max: usize,
    /// The session closes with this many refused commands and logins.
    pub errors_max: u32,
    /// Whether a client may ask for TLS on a connection that began without it.
    pub tls: TlsOffer,
    /// Where USER and PASS are offered and taken.
    pub plaintext: Plaintext,
    /// Whether a session whose first line ends in a bare LF is taken as typed by hand. Within TLS, which nobody
    /// types, lines end in CRLF whatever this says.
    pub hand_typed_lf: bool,
}

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
    errors: u32,
}

/// What the machine wants next.
#[derive(Debug)]
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
    /// Stream a message into [`Session::content`], then say [`Session::content_end`].
    Retrieve {
        /// Position in the [`Maildrop`].
        index: usize,
    },
    /// Remove these messages for good and release the maildrop; answer with [`Session::committed`].
    Commit {
        /// Positions in the [`Maildrop`], ascending; often none.
        deleted: Vec<usize>,
    },
    /// Write out the output and close the connection; release the maildrop, and delete nothing.
    Close,
}

/// The answer to [`Step::Authenticate`].
#[derive(Debug)]
pub enum Login {
    /// The password is right, the maildrop is locked for this session, and this is what it holds.
    Ok(Maildrop),
    /// There is no such account, or the password is wrong.
    Refused,
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
        let lines = line_reader(&config, security);
        let mut output = Vec::new();
        // A `<` would offer APOP (RFC 2449 §3, RFC 1939 §7).
        Response::Greeting.write_with(config.host_name.replace('<', "?"), &mut output);
        Self { config, security, lines, output, state: State::Authorization { name: None }, errors: 0 }
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
                State::Authenticating | State::Retrieving(..) | State::Updating { .. } => {
                    return (consumed, Step::NeedInput);
                }
                State::Listing(maildrop, listing) => {
                    if listing.write(maildrop, &mut self.output) == Flow::Enough {
                        self.end_listing();
                    }
                    continue;
                }
                State::Authorization { .. } | State::Transaction(_) => {}
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
    /// counts any more, neither a name nor the way lines end (RFC 2595 §4). Only the number of errors stays.
    pub fn secured(&mut self) {
        if matches!(self.state, State::StartingTls) {
            self.security = Security::Tls;
            self.lines = line_reader(&self.config, self.security);
            self.state = State::Authorization { name: None };
        }
    }

    /// Answers [`Step::Authenticate`]; without effect at any other time.
    pub fn authenticated(&mut self, result: Login) {
        if matches!(self.state, State::Authenticating) {
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
                Ok(()) => Response::Updated.write_with(kept, &mut self.output),
                Err(Failure::Temporary) => Response::UpdateUnavailable.write_to(&mut self.output),
                Err(Failure::Permanent) => Response::UpdateDamaged.write_to(&mut self.output),
            }
            self.state = State::Closed;
        }
    }

    /// Closes the session without a response and without the UPDATE state (RFC 1939 §3). The driver calls it
    /// when no command came for its timeout, which the RFC wants to be 10 minutes or more.
    pub fn time_out(&mut self) {
        self.state = State::Closed;
    }

    fn line(&mut self) -> Option<Step> {
        let next = match (Command::parse(self.lines.line()), self.take_state()) {
            (Ok(command), State::Authorization { name }) => {
                authorization::command(command, name, &self.config, self.security, &mut self.output)
            }
            (Ok(command), State::Transaction(maildrop)) => {
                transaction::command(command, maildrop, &self.config, self.security, &mut self.output)
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
                let argument = self.config.line_bytes_max.max(LINE_BYTES_MIN).to_string();
                let state = without_name(self.take_state());
                self.apply(Next::Refuse(state, Response::LineTooLong, argument));
                return;
            }
            LineError::Endless => Response::LineEndless,
            LineError::BareLf => Response::BareLf,
            LineError::UnexpectedCr => Response::UnexpectedCr,
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
            State::Authorization { .. } | State::StartingTls | State::Authenticating => "AUTHORIZATION",
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

fn line_reader(config: &Config, security: Security) -> LineReader {
    let hand_typed_lf = config.hand_typed_lf && security == Security::Clear;
    LineReader::new(config.line_bytes_max.max(LINE_BYTES_MIN), hand_typed_lf)
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
    }
}
