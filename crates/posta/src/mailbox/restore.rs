//! `posta mailbox restore`: what was removed, and how it comes back.

use std::process::ExitCode;

use comfy_table::Cell;
use serde::Serialize;
use server::control::{Client, ExpungedSummary, MailboxRequest, MailboxResponse, Request};

use super::command::OwnerArgs;
use super::content::{Heading, heading};
use super::list::{HEADING_BYTES_MAX, cut};
use super::messages::AT_ONCE_MAX;
use crate::directory::{number, print_entries, text, time};
use crate::exit::{Exit, Failure, Outcome};
use crate::{data, screen, terminal};

/// One line of the list; with `--json` one element of the array.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    expunged: ExpungedSummary,
    #[serde(flatten)]
    heading: Heading,
}

pub(super) fn run(ids: Vec<String>, all: bool, owner: &OwnerArgs) -> Outcome {
    let mut client = super::client(&owner.place.data)?;
    if all {
        let ids = expunged(&mut client, owner)?.into_iter().map(|one| one.id).collect();
        return restore(&mut client, ids, owner);
    }
    if ids.is_empty() { list(&mut client, owner) } else { restore(&mut client, ids, owner) }
}

fn expunged(client: &mut Client, owner: &OwnerArgs) -> Result<Vec<ExpungedSummary>, Failure> {
    let mut all: Vec<ExpungedSummary> = Vec::new();
    loop {
        let after = all.last().map(|one| one.id.clone());
        let request = MailboxRequest::Expunged { account: owner.account.clone(), after };
        let MailboxResponse::Expunged(page) = super::change(client, request)? else {
            return Err(data::unexpected());
        };
        if page.is_empty() {
            return Ok(all);
        }
        all.extend(page);
    }
}

fn list(client: &mut Client, owner: &OwnerArgs) -> Outcome {
    let mut lines = Vec::new();
    for expunged in expunged(client, owner)? {
        let mut head = Vec::new();
        let (account, id) = (owner.account.clone(), expunged.id.clone());
        let request = Request::OpenExpunged { account, id, bytes_max: Some(HEADING_BYTES_MAX) };
        let read = client.read(request, |octets| {
            head.extend_from_slice(octets);
            Ok(())
        });
        match read {
            Ok(_) => lines.push(Line { expunged, heading: heading(&head) }),
            Err(error) if super::is_gone(&error) => {}
            Err(error) => return Err(data::failure(&error)),
        }
    }
    let header = ["ID", "REMOVED (UTC)", "MAILBOX", "FROM", "SUBJECT", "SIZE"];
    print_entries(&owner.place, &lines, "nothing can be restored", &header, row)
}

fn row(line: &Line) -> Vec<Cell> {
    let Line { expunged, heading } = line;
    vec![
        text(&expunged.id),
        text(&time(&expunged.expunged_at)),
        text(&expunged.mailbox),
        text(&cut(&heading.from, 40)),
        text(&cut(&heading.subject, 60)),
        number(screen::size(expunged.message.size_bytes)),
    ]
}

fn restore(client: &mut Client, ids: Vec<String>, owner: &OwnerArgs) -> Outcome {
    let mut restored = 0;
    for ids in ids.chunks(AT_ONCE_MAX) {
        let request = MailboxRequest::Restore { account: owner.account.clone(), messages: ids.to_vec() };
        match super::change(client, request)? {
            MailboxResponse::Restored(messages) => restored += messages,
            _ => return Err(data::unexpected()),
        }
    }
    if owner.place.json {
        terminal::print_json(&serde_json::json!({ "restored": restored }))?;
    } else {
        terminal::print(&format!("{restored} restored\n"))?;
    }
    let missing = ids.len().saturating_sub(restored);
    if missing == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    Err(Failure::new(Exit::Failed, format_args!("{missing} of them cannot be restored any more")))
}
