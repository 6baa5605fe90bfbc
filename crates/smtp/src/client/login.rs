//! AUTH (RFC 4954), the client's part of it. The machine carries octets between the server and the driver, which
//! knows the mechanisms and the secrets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use types::Reply;

use super::config::{Certificate, LoginPolicy, Passwords, Security};
use super::event::{Cause, Event, Failure, Stage, Unsupported};
use super::hello::Identity;
use super::wire::Command;
use super::{Client, State};
use crate::grammar::auth::{Response, SaslData, is_mechanism, response};
use crate::grammar::reply::Extensions;

/// Challenges of one login. No mechanism needs more than four.
pub const CHALLENGES_MAX: usize = 10;

/// What stands for a secret in [`Event::Said`].
pub const MASK: &str = "****";

/// Octets of the command with its initial response and CRLF (RFC 4954 §4, RFC 5321 §4.5.3.1.4): a longer response
/// waits for an empty challenge.
const AUTH_LINE_BYTES_MAX: usize = 512;

/// Why [`Client::authenticate`] did nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoginError {
    /// There was no [`Event::Authenticate`], or it has been answered.
    #[error("no login is wanted now")]
    NotWanted,
    /// [`Event::Authenticate`] did not list it.
    #[error("this mechanism cannot be used here")]
    NotOffered,
}

/// A login under way.
#[derive(Debug)]
pub(super) struct Login {
    extensions: Extensions,
    /// Those that are left.
    mechanisms: Vec<String>,
    /// The one that is tried.
    mechanism: String,
    challenges: usize,
    phase: Phase,
}

#[derive(Debug, PartialEq, Eq)]
enum Phase {
    /// It is the driver's turn to choose a mechanism.
    Choosing,
    /// The server's turn. What was too long for the command is held.
    Said(Option<SaslData>),
    /// It is the driver's turn to respond.
    Challenged,
    /// We said `*`.
    Cancelled,
}

impl Client {
    /// TLS is settled: who we are comes next, if the server is to know it.
    pub(super) fn log_in(&mut self, extensions: Extensions) {
        let LoginPolicy::Required(passwords) = self.config.login else {
            return self.ready(extensions, Identity::Nobody);
        };
        if extensions.auth.is_empty() {
            return self.no_login(Unsupported::Auth);
        }
        let is_safe =
            passwords == Passwords::InClear || self.security == Security::Tls(Certificate::Verified);
        // Each once: one that is turned down is gone from the list then.
        let mut mechanisms: Vec<String> = Vec::new();
        for name in &extensions.auth {
            let is_usable = is_mechanism(name) && (is_safe || hides_the_secret(name));
            if is_usable && !mechanisms.contains(name) {
                mechanisms.push(name.clone());
            }
        }
        if mechanisms.is_empty() {
            return self.no_login(if is_safe {
                Unsupported::AuthMechanism
            } else {
                Unsupported::AuthInClear
            });
        }
        let mechanism = String::new();
        self.choose(Login { extensions, mechanisms, mechanism, challenges: 0, phase: Phase::Choosing });
    }

    /// Answers [`Event::Authenticate`]: begins a login by one of its mechanisms. `initial` is the response that needs
    /// no challenge, if the mechanism has one.
    ///
    /// # Errors
    /// Nothing was said.
    pub fn authenticate(&mut self, mechanism: &str, initial: Option<&[u8]>) -> Result<(), LoginError> {
        let login = match &mut self.state {
            State::Login(login) => login,
            // The end of the connection overtook the question, and the events tell of it.
            State::Closed => return Ok(()),
            _ => return Err(LoginError::NotWanted),
        };
        if login.phase != Phase::Choosing {
            return Err(LoginError::NotWanted);
        }
        let listed = login.mechanisms.iter().find(|name| name.eq_ignore_ascii_case(mechanism));
        login.mechanism = listed.ok_or(LoginError::NotOffered)?.clone();
        let command = format!("AUTH {}", login.mechanism);
        let encoded = match initial {
            None => None,
            Some([]) => Some("=".to_owned()),
            Some(octets) => Some(STANDARD.encode(octets)),
        };
        let line_bytes = command.len() + " \r\n".len() + encoded.as_ref().map_or(0, String::len);
        login.challenges = 0;
        login.phase = match encoded.filter(|_| line_bytes <= AUTH_LINE_BYTES_MAX) {
            Some(encoded) => {
                let line = format!("{command} {encoded}");
                self.wire.secret_command(Command::Auth, &line, &format!("{command} {MASK}"));
                Phase::Said(None)
            }
            None => {
                self.wire.command(Command::Auth, &command);
                Phase::Said(initial.map(SaslData::from))
            }
        };
        Ok(())
    }

    /// Answers [`Event::Challenge`].
    pub fn respond(&mut self, octets: &[u8]) {
        if let State::Login(login) = &mut self.state
            && login.phase == Phase::Challenged
        {
            self.wire.secret_command(Command::Auth, &STANDARD.encode(octets), MASK);
            login.phase = Phase::Said(None);
        }
    }

    /// Answers [`Event::Authenticate`] or [`Event::Challenge`]: there will be no login, because no mechanism fits or
    /// because the server does not prove what it has to.
    pub fn cancel_login(&mut self) {
        let State::Login(login) = &mut self.state else { return };
        match login.phase {
            Phase::Choosing => self.no_login(Unsupported::AuthMechanism),
            Phase::Challenged => {
                self.wire.command(Command::Auth, "*");
                login.phase = Phase::Cancelled;
            }
            Phase::Said(_) | Phase::Cancelled => {}
        }
    }

    pub(super) fn on_login(&mut self, mut login: Login, reply: Reply) {
        match (std::mem::replace(&mut login.phase, Phase::Cancelled), reply.code) {
            (Phase::Said(None), 200..300) => self.ready(login.extensions, Identity::Authenticated),
            (Phase::Said(held), 300..400) => self.on_challenge(login, held, &reply),
            // Nothing was proved, or nothing is to be: the two sides no longer speak of the same.
            (_, 200..400) => self.unexpected(State::Login(login), Stage::Login, reply),
            (Phase::Cancelled, _) => self.no_login(Unsupported::AuthExchange),
            // RFC 4954 §6: this mechanism will not do; another may.
            (_, 504 | 534 | 538) if login.mechanisms.len() > 1 => {
                login.mechanisms.retain(|name| *name != login.mechanism);
                self.choose(login);
            }
            _ => self.unusable(Failure::by_reply(Stage::Login, reply)),
        }
    }

    fn on_challenge(&mut self, mut login: Login, held: Option<SaslData>, reply: &Reply) {
        login.challenges += 1;
        let challenge = match response(reply.text.as_bytes()) {
            Response::Data(data) if login.challenges <= CHALLENGES_MAX => Some(data),
            Response::Data(_) | Response::Cancel | Response::Malformed => None,
        };
        login.phase = Phase::Challenged;
        self.state = State::Login(login);
        match (challenge, held) {
            // RFC 4954 §4: the response that was held answers an empty challenge, and no other.
            (Some(challenge), Some(held)) if challenge.octets().is_empty() => self.respond(held.octets()),
            (Some(challenge), None) => self.wire.event(Event::Challenge(challenge)),
            _ => self.cancel_login(),
        }
    }

    fn choose(&mut self, mut login: Login) {
        login.phase = Phase::Choosing;
        self.wire.event(Event::Authenticate { mechanisms: login.mechanisms.clone() });
        self.state = State::Login(login);
    }

    fn no_login(&mut self, why: Unsupported) {
        self.unusable(Failure { stage: Stage::Login, cause: Cause::Unsupported(why) });
    }
}

/// Mechanisms of which somebody who listens learns no password. All others are taken for such as say it.
fn hides_the_secret(mechanism: &str) -> bool {
    mechanism.starts_with("SCRAM-") || mechanism == "CRAM-MD5"
}
