//! One exchange, from the mechanism's name to its outcome (RFC 4422 §3).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::bearer::{self, Form};
use crate::scram::{self, First, Last};
use crate::{Mechanism, ScramError, ScramHash, ScramVerifier, Secret, TokenProblem, cram_md5, login, plain};

/// Octets of a response, decoded. What SMTP can carry: a line of 12,288 octets in base64 (RFC 4954 §4).
pub const RESPONSE_BYTES_MAX: usize = 12_288 / 4 * 3;

/// Octets of a name or a password. RFC 4616 §2 wants at least 255.
pub const FIELD_BYTES_MAX: usize = 1024;

/// What an exchange must know of where it takes place.
#[derive(Clone)]
pub struct Setup {
    /// The server's name, for the challenge of CRAM-MD5.
    pub host_name: String,
    /// Random octets, other ones for each exchange: whoever can guess them can replay one.
    pub nonce: [u8; 18],
    /// Seconds since 1970, for the challenge of CRAM-MD5.
    pub time_s: u64,
    /// What this TLS connection can be bound to; empty where no -PLUS mechanism was offered, so that a client
    /// which says that it saw none is believed (RFC 5802 §6).
    pub channel_bindings: Vec<ChannelBinding>,
    /// A secret of the server, always the same: the made-up salts come of it.
    pub fake_salt_key: [u8; 32],
}

/// What a TLS connection can be bound to.
#[derive(Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    /// `tls-exporter` (RFC 9266 §2) or `tls-server-end-point` (RFC 5929 §4).
    pub name: &'static str,
    /// The data that both ends of the connection know.
    pub data: Vec<u8>,
}

/// What an exchange wants next. Each step is answered once, by the method that it names.
#[derive(Debug)]
pub enum Step {
    /// Send this to the client, and what it answers to [`Exchange::respond`].
    Challenge(Vec<u8>),
    /// Compare the password; answer with [`Exchange::verified`].
    VerifyPassword {
        /// Whose password it is said to be, prepared.
        authcid: String,
        /// As whom the client wants to act; empty for `authcid` itself.
        authzid: String,
        /// As it was said, prepared.
        password: Secret,
    },
    /// Look the verifier up; answer with [`Exchange::scram`], or with [`Exchange::scram_unknown`].
    FetchScram {
        /// Whose verifier, prepared.
        authcid: String,
        /// Made with this hash.
        hash: ScramHash,
    },
    /// Look the secret up; answer with [`Exchange::shared_secret`].
    FetchSharedSecret {
        /// Whose secret, prepared.
        authcid: String,
    },
    /// Check the token and find out whose it is; answer with [`Exchange::token`].
    VerifyToken {
        /// Whose the client says that it is; empty where it leaves that to the token.
        authcid: String,
        /// The token; empty where the client asks for the error alone (RFC 7628 §4.3), and then never good.
        token: Secret,
    },
    /// The client is who it says. Whether it may act as `authzid` is still to be decided.
    Done(Identity),
    /// The client is not let in by this exchange.
    Refused(Refusal),
}

/// Who was authenticated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose password, secret or token it was.
    pub authcid: String,
    /// As whom the client wants to act; empty for `authcid` itself. It may be another way to write the same name.
    pub authzid: String,
}

/// Why a client is not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// A message is not what the mechanism says, or came when none was due.
    #[error("the message is not one of this mechanism's")]
    Malformed,
    /// There is no such account, or the password, secret or token is another's: nobody is told which.
    #[error("name and secret do not agree")]
    Credentials,
    /// The client is bound to another TLS connection than this one, or somebody has meddled with what was offered.
    #[error("bound to another connection")]
    ChannelBinding,
    /// It cannot be decided now.
    #[error("cannot be verified now")]
    Unavailable,
}

/// One exchange: it is started, answered step by step, and ends with [`Step::Done`] or [`Step::Refused`]. Whatever
/// is said to it out of turn ends it with [`Refusal::Malformed`], and after its end it never lets anybody in.
pub struct Exchange {
    mechanism: Mechanism,
    setup: Setup,
    /// Random, printable, without a comma (RFC 5802 §7).
    server_nonce: String,
    state: State,
    scram_error: Option<ScramError>,
}

enum State {
    New,
    /// The client owes its first message.
    First(FirstMessage),
    LoginPassword {
        authcid: String,
    },
    ScramFinal(Box<Last>),
    /// The client owes the empty response to the server-final-message.
    ScramEnd(Identity),
    /// The client owes the response that ends a failed exchange.
    BearerEnd(Refusal),

    /// The driver owes [`Exchange::verified`].
    VerifyingPassword(Identity),
    /// The driver owes [`Exchange::scram`].
    FetchingScram(Box<First>, ScramHash),
    /// The driver owes [`Exchange::shared_secret`].
    FetchingSharedSecret(cram_md5::Response, String),
    /// The driver owes [`Exchange::token`].
    VerifyingToken {
        form: Form,
        user: String,
        is_query: bool,
    },
    Ended,
}

/// What the first message of the client is.
enum FirstMessage {
    Plain,
    LoginName,
    CramMd5 { challenge: String },
    Scram(ScramHash),
    Bearer(Form),
}

/// What a message leads to.
type Turn = Result<(State, Step), Refusal>;

impl Exchange {
    /// An exchange that nothing was said in yet.
    #[must_use]
    pub fn new(mechanism: Mechanism, setup: Setup) -> Self {
        let server_nonce = STANDARD.encode(setup.nonce);
        Self { mechanism, setup, server_nonce, state: State::New, scram_error: None }
    }

    /// The mechanism.
    #[must_use]
    pub const fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// Why an exchange of SCRAM was refused: the value of its `server-error`.
    #[must_use]
    pub const fn scram_error(&self) -> Option<ScramError> {
        self.scram_error
    }

    /// Begins, with the initial response where there was one; an empty one is `Some` of nothing.
    pub fn start(&mut self, initial: Option<&[u8]>) -> Step {
        let State::New = self.state else { return self.end(Refusal::Malformed) };
        let (first, challenge) = match self.mechanism {
            Mechanism::Plain => (FirstMessage::Plain, Vec::new()),
            Mechanism::Login => (FirstMessage::LoginName, login::NAME_CHALLENGE.to_vec()),
            Mechanism::CramMd5 => {
                // The server begins (RFC 4954 §4, RFC 5034 §4).
                if initial.is_some() {
                    return self.end(Refusal::Malformed);
                }
                let challenge = cram_md5::challenge(&self.setup);
                (FirstMessage::CramMd5 { challenge: challenge.clone() }, challenge.into_bytes())
            }
            Mechanism::ScramSha1 | Mechanism::ScramSha1Plus => {
                (FirstMessage::Scram(ScramHash::Sha1), Vec::new())
            }
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                (FirstMessage::Scram(ScramHash::Sha256), Vec::new())
            }
            Mechanism::XOAuth2 => (FirstMessage::Bearer(Form::XOAuth2), Vec::new()),
            Mechanism::OAuthBearer => (FirstMessage::Bearer(Form::OAuthBearer), Vec::new()),
        };
        self.state = State::First(first);
        match initial {
            Some(octets) => self.respond(octets),
            None => Step::Challenge(challenge),
        }
    }

    /// Takes what the client answered to [`Step::Challenge`].
    pub fn respond(&mut self, response: &[u8]) -> Step {
        if response.len() > RESPONSE_BYTES_MAX {
            return self.end(Refusal::Malformed);
        }
        let turn = match self.take_state() {
            State::First(first) => self.first_message(first, response),
            State::LoginPassword { authcid } => login_password(authcid, response),
            State::ScramFinal(last) => self.scram_final(*last, response),
            State::ScramEnd(identity) if response.is_empty() => Ok((State::Ended, Step::Done(identity))),
            State::BearerEnd(refusal) => Err(refusal),
            _ => Err(Refusal::Malformed),
        };
        self.take(turn)
    }

    /// Answers [`Step::VerifyPassword`]: whether the password is the account's.
    pub fn verified(&mut self, is_right: bool) -> Step {
        let turn = match self.take_state() {
            State::VerifyingPassword(identity) if is_right => Ok((State::Ended, Step::Done(identity))),
            State::VerifyingPassword(_) => Err(Refusal::Credentials),
            _ => Err(Refusal::Malformed),
        };
        self.take(turn)
    }

    /// Answers [`Step::FetchScram`]. Without a verifier of that hash the exchange goes on with a made-up one, as
    /// [`Self::scram_unknown`] says, which suits where names that mean the same are written alike but for case.
    pub fn scram(&mut self, verifier: Option<ScramVerifier>) -> Step {
        let turn = match self.take_state() {
            State::FetchingScram(first, hash) => {
                let known = verifier.filter(|verifier| verifier.hash() == hash);
                let is_known = known.is_some();
                let verifier =
                    known.unwrap_or_else(|| scram::fake_verifier(&self.setup, hash, &first.identity.authcid));
                Ok(scram_challenge(*first, verifier, is_known))
            }
            _ => Err(Refusal::Malformed),
        };
        self.take(turn)
    }

    /// Answers [`Step::FetchScram`] where there is no verifier: the exchange goes on with made-up salt and keys, and
    /// is refused at the proof, as it would be for a wrong password. `key` is the one form of all ways to write the
    /// name, by which the directory was asked; case makes no difference. Whoever asks twice sees the same salt, as
    /// with an account that exists.
    pub fn scram_unknown(&mut self, key: &str) -> Step {
        let turn = match self.take_state() {
            State::FetchingScram(first, hash) => {
                Ok(scram_challenge(*first, scram::fake_verifier(&self.setup, hash, key), false))
            }
            _ => Err(Refusal::Malformed),
        };
        self.take(turn)
    }

    /// Answers [`Step::FetchSharedSecret`]; `None` where there is no such account or it has no such secret.
    #[allow(clippy::needless_pass_by_value, reason = "whoever answers has no more use for the secret")]
    pub fn shared_secret(&mut self, secret: Option<Secret>) -> Step {
        let turn = match self.take_state() {
            State::FetchingSharedSecret(response, challenge) => {
                if response.is_made_with(secret.as_ref(), &challenge) {
                    let identity = Identity { authcid: response.authcid, authzid: String::new() };
                    Ok((State::Ended, Step::Done(identity)))
                } else {
                    Err(Refusal::Credentials)
                }
            }
            _ => Err(Refusal::Malformed),
        };
        self.take(turn)
    }

    /// Answers [`Step::VerifyToken`] with the name of the account that the token is good for, or with what is wrong
    /// with it. A failure becomes one more challenge; it is decided all the same, and to be counted now.
    pub fn token(&mut self, result: Result<String, TokenProblem>) -> Step {
        let turn = match self.take_state() {
            State::VerifyingToken { form, user, is_query } => match result {
                Ok(account) if !is_query && !account.is_empty() => {
                    let authzid = if user == account { String::new() } else { user };
                    Ok((State::Ended, Step::Done(Identity { authcid: account, authzid })))
                }
                Ok(_) => Ok(bearer_failed(form, &bearer::TokenFault::Invalid.into())),
                Err(problem) => Ok(bearer_failed(form, &problem)),
            },
            _ => Err(Refusal::Malformed),
        };
        self.take(turn)
    }

    fn first_message(&mut self, first: FirstMessage, response: &[u8]) -> Turn {
        match first {
            FirstMessage::Plain => {
                let (identity, password) = plain::message(response)?;
                Ok(verify_password(identity, password))
            }
            FirstMessage::LoginName => {
                let authcid = login::name(response)?;
                Ok((State::LoginPassword { authcid }, Step::Challenge(login::PASSWORD_CHALLENGE.to_vec())))
            }
            FirstMessage::CramMd5 { challenge } => {
                let response = cram_md5::Response::parse(response)?;
                let step = Step::FetchSharedSecret { authcid: response.authcid.clone() };
                Ok((State::FetchingSharedSecret(response, challenge), step))
            }
            FirstMessage::Scram(hash) => {
                let bindings = &self.setup.channel_bindings;
                let first = First::parse(response, self.mechanism, bindings, &self.server_nonce);
                let first = first.map_err(|error| self.fail(error))?;
                let step = Step::FetchScram { authcid: first.identity.authcid.clone(), hash };
                Ok((State::FetchingScram(Box::new(first), hash), step))
            }
            FirstMessage::Bearer(form) => {
                let bearer::Message { user, token } = form.parse(response)?;
                let is_query = token.reveal().is_empty();
                let step = Step::VerifyToken { authcid: user.clone(), token };
                Ok((State::VerifyingToken { form, user, is_query }, step))
            }
        }
    }

    /// The server-final-message goes out as a challenge, which an empty response answers, for neither SMTP
    /// (RFC 4954 §4) nor POP3 (RFC 5034 §4) has room for it in its word of success.
    fn scram_final(&mut self, last: Last, response: &[u8]) -> Turn {
        let (identity, server_final) = last.verify(response).map_err(|error| self.fail(error))?;
        Ok((State::ScramEnd(identity), Step::Challenge(server_final.into_bytes())))
    }

    const fn fail(&mut self, error: ScramError) -> Refusal {
        self.scram_error = Some(error);
        error.refusal()
    }

    /// The one place where a message changes the exchange.
    fn take(&mut self, turn: Turn) -> Step {
        match turn {
            Ok((state, step)) => {
                self.state = state;
                step
            }
            Err(refusal) => self.end(refusal),
        }
    }

    fn end(&mut self, refusal: Refusal) -> Step {
        self.state = State::Ended;
        Step::Refused(refusal)
    }

    const fn take_state(&mut self) -> State {
        std::mem::replace(&mut self.state, State::Ended)
    }
}

fn login_password(authcid: String, response: &[u8]) -> Turn {
    let password = login::password(response)?;
    Ok(verify_password(Identity { authcid, authzid: String::new() }, password))
}

fn verify_password(identity: Identity, password: Secret) -> (State, Step) {
    let Identity { authcid, authzid } = identity.clone();
    (State::VerifyingPassword(identity), Step::VerifyPassword { authcid, authzid, password })
}

fn scram_challenge(first: First, verifier: ScramVerifier, is_known: bool) -> (State, Step) {
    let (last, server_first) = first.answer(verifier, is_known);
    (State::ScramFinal(Box::new(last)), Step::Challenge(server_first.into_bytes()))
}

fn bearer_failed(form: Form, problem: &TokenProblem) -> (State, Step) {
    (State::BearerEnd(problem.fault.refusal()), Step::Challenge(form.error(problem)))
}

/// Without what was said.
impl fmt::Debug for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchange").field("mechanism", &self.mechanism).finish_non_exhaustive()
    }
}

/// Without the key, the nonce and the data of the bindings.
impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("host_name", &self.host_name)
            .field("channel_bindings", &self.channel_bindings)
            .finish_non_exhaustive()
    }
}

/// Without the data.
impl fmt::Debug for ChannelBinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChannelBinding").field(&self.name).finish()
    }
}

#[cfg(test)]
impl Exchange {
    /// With the nonce of an RFC's example.
    pub(crate) fn with_server_nonce(mechanism: Mechanism, setup: Setup, server_nonce: &str) -> Self {
        Self { server_nonce: server_nonce.to_owned(), ..Self::new(mechanism, setup) }
    }
}
