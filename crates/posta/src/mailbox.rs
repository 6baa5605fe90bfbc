//! `posta mailbox`: reads and moves stored messages, and looks after mailboxes. Whatever comes from a message is made safe
//! for the terminal first.

mod command;
mod content;
mod folders;
mod list;
mod messages;
mod restore;
mod search;
mod show;

pub(crate) use command::MailboxCommand;
pub(crate) use content::{Heading, heading};

use server::control::{Client, MailboxRequest, MailboxResponse, Request, Response, TransferMode};

use self::command::MailboxArg;
use crate::cli::DataArg;
use crate::data::{self, WhereNothingIs};
use crate::exit::{Failure, Outcome};

pub(crate) fn run(command: MailboxCommand) -> Outcome {
    match command {
        MailboxCommand::Folders { owner } => folders::list(&owner),
        MailboxCommand::List { mailbox, limit, json } => list::run(&mailbox, limit, json),
        MailboxCommand::Show { uid, mailbox, json, raw } => {
            let form = match (json, raw) {
                (true, _) => show::Form::Json,
                (_, true) => show::Form::Raw,
                _ => show::Form::Reader,
            };
            show::run(&mailbox, uid, form)
        }
        MailboxCommand::Search { what, mailbox, json } => search::run(&what, &mailbox, json),
        MailboxCommand::Copy(args) => messages::transfer(&args, TransferMode::Copy),
        MailboxCommand::Move(args) => messages::transfer(&args, TransferMode::Move),
        MailboxCommand::Remove { uids, mailbox, json } => messages::remove(&mailbox, &uids, json),
        MailboxCommand::Restore { ids, all, owner } => restore::run(ids, all, &owner),
        MailboxCommand::Create { name, special_use, owner } => folders::create(name, special_use, &owner),
        MailboxCommand::Rename { from, to, owner } => folders::rename(from, to, &owner),
        MailboxCommand::Delete { name, owner } => folders::delete(name, &owner),
    }
}

fn client(data: &DataArg) -> Result<Client, Failure> {
    data::client(&data::folder(data)?, WhereNothingIs::Refuse)
}

fn ask(client: &mut Client, request: Request) -> Result<Response, Failure> {
    client.ask(request).map_err(|error| data::failure(&error))
}

fn change(client: &mut Client, request: MailboxRequest) -> Result<MailboxResponse, Failure> {
    match ask(client, Request::Mailbox(request))? {
        Response::Mailbox(response) => Ok(response),
        _ => Err(data::unexpected()),
    }
}

/// Asks for a message, or its first octets.
fn open(mailbox: &MailboxArg, uid: u32, bytes_max: Option<u64>) -> Request {
    Request::Open { account: mailbox.account.clone(), mailbox: mailbox.mailbox.clone(), uid, bytes_max }
}

/// Whether a message is not there, or was removed after it was listed.
fn is_gone(error: &server::control::ClientError) -> bool {
    use server::control::{ClientError, ErrorKind};
    matches!(error, ClientError::Control(error) if error.kind == ErrorKind::NoSuchMessage)
}
