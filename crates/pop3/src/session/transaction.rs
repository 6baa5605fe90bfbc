//! TRANSACTION (RFC 1939 §5 and §7).

use super::language;
use super::listing::{Listing, write_capabilities};
use super::retrieval::Retrieval;
use super::{Config, Headers, Next, State, Step, sasl_exchange};
use crate::maildrop::{MarkedMaildrop, NoMessage};
use crate::{Command, MessageNumber, Response, Security, TlsOffer};

/// Handles a command.
pub(super) fn command(
    command: Command,
    maildrop: MarkedMaildrop,
    config: &Config,
    security: Security,
    headers: Headers,
    out: &mut Vec<u8>,
) -> Next {
    match command {
        Command::Stat => {
            let kept = maildrop.kept();
            Response::DropListing.write_with(format_args!("{} {}", kept.messages, kept.octets), out);
        }
        Command::List(None) => {
            Response::ScanListings.write_with(maildrop.kept(), out);
            return Next::State(State::Listing(maildrop, Listing::sizes()));
        }
        Command::Uidl(None) => {
            Response::UniqueIdListings.write_to(out);
            return Next::State(State::Listing(maildrop, Listing::unique_ids()));
        }
        Command::Rset => return rset(maildrop, out),
        Command::Noop => Response::Noop.write_to(out),
        // STLS is permitted in AUTHORIZATION only.
        Command::Capa => write_capabilities(config, TlsOffer::None, security, out),
        Command::Quit => {
            let kept = maildrop.kept();
            let (deleted, retrieved) = maildrop.into_update();
            return Next::Ask(State::Updating { kept }, Step::Commit { deleted, retrieved });
        }
        Command::User(_)
        | Command::Pass(_)
        | Command::AuthList
        | Command::Auth { .. }
        | Command::Apop { .. } => {
            let is_unknown = match command {
                Command::Apop { .. } => config.apop.timestamp().is_none(),
                _ => sasl_exchange::is_auth(&command) && !sasl_exchange::is_there(config),
            };
            let response = if is_unknown { Response::CommandUnknown } else { Response::AlreadyLoggedIn };
            return Next::Refuse(State::Transaction(maildrop), response, String::new());
        }
        Command::Stls => {
            let response = match (security, config.tls) {
                (Security::Tls, _) => Response::TlsActive,
                (Security::Clear, TlsOffer::None) => Response::CommandUnknown,
                (Security::Clear, TlsOffer::Stls) => Response::TlsBeforeLogin,
            };
            return Next::Refuse(State::Transaction(maildrop), response, String::new());
        }
        Command::Utf8 => {
            return Next::Refuse(State::Transaction(maildrop), Response::Utf8BeforeLogin, String::new());
        }
        Command::Lang(range) => {
            return language::command(range.as_deref(), State::Transaction(maildrop), out);
        }
        Command::List(Some(number)) => return list(maildrop, number, out),
        Command::Uidl(Some(number)) => return uidl(maildrop, number, out),
        Command::Dele(number) => return dele(maildrop, number, out),
        Command::Retr(number) => return retrieve(maildrop, number, None, headers),
        Command::Top(number, body_lines) => return retrieve(maildrop, number, Some(body_lines), headers),
    }
    Next::State(State::Transaction(maildrop))
}

fn rset(mut maildrop: MarkedMaildrop, out: &mut Vec<u8>) -> Next {
    maildrop.unmark_all();
    Response::Restored.write_with(maildrop.kept(), out);
    Next::State(State::Transaction(maildrop))
}

fn list(maildrop: MarkedMaildrop, number: MessageNumber, out: &mut Vec<u8>) -> Next {
    with_message(maildrop, number, |maildrop, index| {
        if let Some(message) = maildrop.unmarked(index) {
            Response::ScanListing.write_with(format_args!("{} {}", index + 1, message.size_bytes), out);
        }
        Next::State(State::Transaction(maildrop))
    })
}

fn uidl(maildrop: MarkedMaildrop, number: MessageNumber, out: &mut Vec<u8>) -> Next {
    with_message(maildrop, number, |maildrop, index| {
        if let Some(message) = maildrop.unmarked(index) {
            Response::UniqueIdListing.write_with(format_args!("{} {}", index + 1, message.unique_id), out);
        }
        Next::State(State::Transaction(maildrop))
    })
}

fn dele(maildrop: MarkedMaildrop, number: MessageNumber, out: &mut Vec<u8>) -> Next {
    with_message(maildrop, number, |mut maildrop, index| {
        maildrop.mark(index);
        Response::Deleted.write_with(index + 1, out);
        Next::State(State::Transaction(maildrop))
    })
}

/// RETR, and TOP where there are `body_lines`.
fn retrieve(
    maildrop: MarkedMaildrop,
    number: MessageNumber,
    body_lines: Option<u64>,
    headers: Headers,
) -> Next {
    with_message(maildrop, number, |maildrop, index| {
        let size_bytes = maildrop.unmarked(index).map_or(0, |message| message.size_bytes);
        let retrieval = match body_lines {
            None => Retrieval::whole(index, size_bytes, headers),
            Some(body_lines) => Retrieval::top(body_lines, headers),
        };
        Next::Ask(State::Retrieving(maildrop, retrieval), Step::Retrieve { index })
    })
}

fn with_message(
    maildrop: MarkedMaildrop,
    number: MessageNumber,
    then: impl FnOnce(MarkedMaildrop, usize) -> Next,
) -> Next {
    match maildrop.find(number) {
        Ok(index) => then(maildrop, index),
        Err(NoMessage::OutOfRange) => {
            let there_are = maildrop.len().to_string();
            Next::Refuse(State::Transaction(maildrop), Response::NoSuchMessage, there_are)
        }
        Err(NoMessage::MarkedDeleted) => {
            let argument = number.0.to_string();
            Next::Refuse(State::Transaction(maildrop), Response::MessageDeleted, argument)
        }
    }
}
