//! `posta mailbox remove`, `copy` and `move`.

use std::process::ExitCode;

use serde_json::json;
use server::control::{MailboxRequest, MailboxResponse, Request, Response, TransferMode};

use super::command::{MailboxArg, TransferArgs};
use crate::exit::{Exit, Failure, Outcome};
use crate::{data, terminal};

/// Messages of one request: it stays far within its size.
pub(super) const AT_ONCE_MAX: usize = 1000;

pub(super) fn remove(mailbox: &MailboxArg, uids: &[u32], json: bool) -> Outcome {
    let mut client = super::client(&mailbox.data)?;
    let mut removed = Vec::new();
    for uids in uids.chunks(AT_ONCE_MAX) {
        let request = Request::Expunge {
            account: mailbox.account.clone(),
            mailbox: mailbox.mailbox.clone(),
            uids: uids.to_vec(),
        };
        match super::ask(&mut client, request)? {
            Response::Expunged(uids) => removed.extend(uids),
            _ => return Err(data::unexpected()),
        }
    }
    if json {
        terminal::print_json(&json!({ "removed": removed }))?;
    } else {
        terminal::print(&format!("{} removed\n", removed.len()))?;
    }
    none_missing(uids, &removed)
}

pub(super) fn transfer(args: &TransferArgs, how: TransferMode) -> Outcome {
    let TransferArgs { uids, to, mailbox, json } = args;
    let mut client = super::client(&mailbox.data)?;
    let mut done = Vec::new();
    for uids in uids.chunks(AT_ONCE_MAX) {
        let request = MailboxRequest::Transfer {
            account: mailbox.account.clone(),
            from: mailbox.mailbox.clone(),
            uids: uids.to_vec(),
            to: to.clone(),
            how,
        };
        match super::change(&mut client, request)? {
            MailboxResponse::Transferred(uids) => done.extend(uids),
            _ => return Err(data::unexpected()),
        }
    }
    if *json {
        let pairs: Vec<_> = done.iter().map(|(from, to)| json!({ "from": from, "to": to })).collect();
        terminal::print_json(&json!({ "mailbox": to, "messages": pairs }))?;
    } else {
        let verb = match how {
            TransferMode::Copy => "copied",
            TransferMode::Move => "moved",
        };
        terminal::print(&format!("{} {verb} into {}\n", done.len(), terminal::line(to)))?;
    }
    none_missing(uids, &done.into_iter().map(|(from, _)| from).collect::<Vec<_>>())
}

fn none_missing(wanted: &[u32], found: &[u32]) -> Outcome {
    let missing: Vec<String> =
        wanted.iter().filter(|uid| !found.contains(uid)).map(ToString::to_string).collect();
    if missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(Exit::Failed, format_args!("there is no message {}", missing.join(", "))))
}
