//! AUTHORIZATION (RFC 1939 §4): USER, PASS, APOP, CAPA, QUIT, STLS (RFC 2595 §4), and AUTH (RFC 5034).

use super::language;
use super::listing::{write_capabilities, write_mechanisms};
use super::{Config, Login, Next, State, Step, sasl_exchange};
use crate::maildrop::MarkedMaildrop;
use crate::{Command, Response, Security, TlsOffer};

/// Handles a command; `name` is what USER said right before.
pub(super) fn command(
    command: Command,
    name: Option<String>,
    config: &Config,
    security: Security,
    out: &mut Vec<u8>,
) -> Next {
    let anonymous = State::Authorization { name: None };
    match (command, name) {
        (Command::User(_) | Command::Pass(_), _) if !config.plaintext.permits(security) => {
            refuse(anonymous, Response::EncryptionNeeded)
        }
        // The name is not looked up: whether it exists is told to nobody (RFC 1939 §13).
        (Command::User(name), _) => {
            Response::NameTaken.write_to(out);
            Next::State(State::Authorization { name: Some(name) })
        }
        (Command::Pass(password), Some(name)) => {
            Next::Ask(State::Authenticating, Step::Authenticate { name, password })
        }
        (Command::Pass(_), None) => refuse(anonymous, Response::UserFirst),
        (Command::AuthList | Command::Auth { .. }, _) if !sasl_exchange::is_there(config) => {
            refuse(anonymous, Response::CommandUnknown)
        }
        (Command::AuthList, _) => {
            write_mechanisms(config, security, out);
            Next::State(anonymous)
        }
        (Command::Auth { mechanism, initial_response }, _) => {
            sasl_exchange::begin(mechanism, initial_response, config, security)
        }
        (Command::Apop { name, digest }, _) => match config.apop.timestamp() {
            Some(_) => Next::Ask(State::Authenticating, Step::Apop { name, digest }),
            None => refuse(anonymous, Response::CommandUnknown),
        },
        (Command::Capa, _) => {
            write_capabilities(config, config.tls, security, out);
            Next::State(anonymous)
        }
        (Command::Stls, _) => match (security, config.tls) {
            (Security::Tls, _) => refuse(anonymous, Response::TlsActive),
            (Security::Clear, TlsOffer::None) => refuse(anonymous, Response::CommandUnknown),
            (Security::Clear, TlsOffer::Stls) => {
                Response::BeginTls.write_to(out);
                Next::Ask(State::StartingTls, Step::StartTls)
            }
        },
        (Command::Lang(range), _) => language::command(range.as_deref(), anonymous, out),
        // `Session::line` has switched to UTF-8.
        (Command::Utf8, _) => {
            Response::Utf8On.write_to(out);
            Next::State(anonymous)
        }
        (Command::Quit, _) => {
            Response::Goodbye.write_to(out);
            Next::State(State::Closed)
        }
        (
            Command::Stat
            | Command::List(_)
            | Command::Uidl(_)
            | Command::Retr(_)
            | Command::Top(..)
            | Command::Dele(_)
            | Command::Rset
            | Command::Noop,
            _,
        ) => refuse(anonymous, Response::LoginFirst),
    }
}

/// Turns the driver's answer into a response and a state.
pub(super) fn authenticated(result: Login, out: &mut Vec<u8>) -> Next {
    let anonymous = State::Authorization { name: None };
    match result {
        Login::Ok(maildrop) => match MarkedMaildrop::open(maildrop) {
            Some(maildrop) => {
                Response::LoggedIn.write_with(maildrop.kept(), out);
                Next::State(State::Transaction(maildrop))
            }
            // The driver has locked the maildrop; closing makes it let go (RFC 1939 §4).
            None => {
                Response::MaildropUnusable.write_to(out);
                Next::State(State::Closed)
            }
        },
        Login::Refused => refuse(anonymous, Response::LoginRefused),
        Login::Disabled => refuse(anonymous, Response::AccountDisabled),
        Login::Malformed => refuse(anonymous, Response::SaslMalformed),
        Login::InUse => refuse(anonymous, Response::InUse),
        Login::TooSoon => refuse(anonymous, Response::LoginDelay),
        Login::Unavailable => refuse(anonymous, Response::LoginUnavailable),
    }
}

const fn refuse(state: State, response: Response) -> Next {
    Next::Refuse(state, response, String::new())
}
