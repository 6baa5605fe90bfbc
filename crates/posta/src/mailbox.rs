//! `posta mailbox`: reads stored messages. Whatever comes from a message is made safe for the terminal first.

mod content;
mod list;
mod show;

pub(crate) use content::{Heading, heading};

use std::process::ExitCode;

use server::control::{Client, Request, Response};

use crate::cli::{MailboxArg, MailboxCommand};
use crate::data::{self, WhereNothingIs};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;

pub(crate) fn run(command: MailboxCommand) -> Outcome {
    match command {
        MailboxCommand::List { mailbox, limit, json } => list::run(&mailbox, limit, json),
        MailboxCommand::Show { uid, mailbox, json, raw } => {
            let form = match (json, raw) {
                (true, _) => show::Form::Json,
                (_, true) => show::Form::Raw,
                _ => show::Form::Reader,
            };
            show::run(&mailbox, uid, form)
        }
        MailboxCommand::Delete { uids, mailbox } => delete(&mailbox, uids),
    }
}

fn delete(mailbox: &MailboxArg, uids: Vec<u32>) -> Outcome {
    /// Stays far within the size of a request.
    const UIDS_MAX: usize = 1000;
    let mut client = client(mailbox)?;
    let mut removed = Vec::new();
    for uids in uids.chunks(UIDS_MAX) {
        let request = Request::Expunge {
            account: mailbox.account.clone(),
            mailbox: mailbox.mailbox.clone(),
            uids: uids.to_vec(),
        };
        match client.ask(request).map_err(|error| data::failure(&error))? {
            Response::Expunged(uids) => removed.extend(uids),
            _ => return Err(data::unexpected()),
        }
    }
    let missing: Vec<String> =
        uids.iter().filter(|uid| !removed.contains(uid)).map(ToString::to_string).collect();
    terminal::print(&format!("{} removed\n", removed.len()))?;
    if missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(Exit::Failed, format_args!("there is no message {}", missing.join(", "))))
}

fn client(mailbox: &MailboxArg) -> Result<Client, Failure> {
    data::client(&data::folder(&mailbox.data)?, WhereNothingIs::Refuse)
}

/// Asks for a message, or its first octets.
fn open(mailbox: &MailboxArg, uid: u32, bytes_max: Option<u64>) -> Request {
    Request::Open { account: mailbox.account.clone(), mailbox: mailbox.mailbox.clone(), uid, bytes_max }
}
