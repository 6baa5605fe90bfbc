//! `posta mailbox search`: finds messages as SEARCH of IMAP does, by the search of the server, or by the same over the store where
//! no server runs.

use std::collections::VecDeque;
use std::process::ExitCode;

use comfy_table::Cell;
use serde::Serialize;
use server::control::{Client, MessageSummary, Request, Response, SearchRequest};

use super::command::{MailboxArg, SearchArgs};
use super::content::Heading;
use super::folders;
use super::list::{cut, heading_of, page_of};
use crate::directory::{number, table, text, time};
use crate::exit::{Failure, Outcome};
use crate::{data, terminal};

/// A message that was found; with `--json` one element of the array.
#[derive(Serialize)]
struct Hit {
    mailbox: String,
    /// What `posta mailbox show` takes.
    n: u32,
    #[serde(flatten)]
    heading: Heading,
    #[serde(flatten)]
    summary: MessageSummary,
}

pub(super) fn run(what: &SearchArgs, mailbox: &MailboxArg, json: bool) -> Outcome {
    let mut client = super::client(&mailbox.data)?;
    let mailboxes = if what.everywhere {
        let all = folders::all(&mut client, mailbox.account.as_deref())?;
        all.into_iter().map(|found| MailboxArg { mailbox: found.name, ..mailbox.clone() }).collect()
    } else {
        vec![mailbox.clone()]
    };
    let mut hits = Vec::new();
    for mailbox in &mailboxes {
        let found = found(&mut client, mailbox, what)?;
        add_hits(&mut client, mailbox, found, &mut hits)?;
    }
    if json {
        terminal::print_json(&hits)?;
    } else if hits.is_empty() {
        terminal::print("nothing found\n")?;
    } else {
        let header = ["MAILBOX", "N", "DATE (UTC)", "FROM", "SUBJECT"];
        terminal::print(&table(&header, hits.iter().map(row)))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The UIDs of what is looked for, ascending.
fn found(client: &mut Client, mailbox: &MailboxArg, what: &SearchArgs) -> Result<VecDeque<u32>, Failure> {
    let mut found = VecDeque::new();
    loop {
        let request = SearchRequest {
            account: mailbox.account.clone(),
            mailbox: mailbox.mailbox.clone(),
            text: what.text.clone(),
            from: what.from.clone(),
            to: what.to.clone(),
            subject: what.subject.clone(),
            after: found.back().copied(),
        };
        match super::ask(client, Request::Search(request))? {
            Response::Found(page) if page.is_empty() => return Ok(found),
            Response::Found(page) => found.extend(page),
            _ => return Err(data::unexpected()),
        }
    }
}

/// Asks what is to be shown of messages, those together that stand close to each other. What is gone meanwhile is passed over.
fn add_hits(
    client: &mut Client,
    mailbox: &MailboxArg,
    mut found: VecDeque<u32>,
    hits: &mut Vec<Hit>,
) -> Result<(), Failure> {
    while let Some(&next) = found.front() {
        let page = page_of(client, mailbox, Some(next.saturating_sub(1)))?;
        let Some(last) = page.last().map(|summary| summary.uid) else { break };
        for summary in page {
            if found.binary_search(&summary.uid).is_err() {
                continue;
            }
            if let Some(heading) = heading_of(client, mailbox, summary.uid)? {
                hits.push(Hit { mailbox: mailbox.mailbox.clone(), n: summary.uid, heading, summary });
            }
        }
        found.drain(..found.partition_point(|uid| *uid <= last));
    }
    Ok(())
}

fn row(hit: &Hit) -> Vec<Cell> {
    let date = hit.heading.date.as_deref().unwrap_or(&hit.summary.delivered_at);
    vec![
        text(&hit.mailbox),
        number(hit.n),
        text(&time(date)),
        text(&cut(&hit.heading.from, 40)),
        text(&cut(&hit.heading.subject, 80)),
    ]
}
