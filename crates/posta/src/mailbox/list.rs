//! `posta mailbox list`.

use std::collections::VecDeque;
use std::process::ExitCode;

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;
use server::control::{Client, MessageSummary, Request, Response};

use super::command::MailboxArg;
use super::content::{self, Heading};
use super::is_gone;
use crate::data;
use crate::exit::{Failure, Outcome};
use crate::{screen, terminal};

/// Octets of a message that are read for its heading; what a sender puts behind that is not listed.
pub(super) const HEADING_BYTES_MAX: u64 = 64 * 1024;
/// Messages asked for at one time.
const PAGE_MAX: usize = 1000;

/// One line of the list; with `--json` one element of the array.
#[derive(Serialize)]
struct Line {
    /// What `posta mailbox show` takes.
    n: u32,
    #[serde(flatten)]
    heading: Heading,
    #[serde(flatten)]
    summary: MessageSummary,
}

pub(crate) fn run(mailbox: &MailboxArg, limit: usize, json: bool) -> Outcome {
    let mut client = super::client(&mailbox.data)?;
    let (summaries, total) = newest(&mut client, mailbox, limit)?;
    let mut lines = Vec::with_capacity(summaries.len());
    for summary in summaries {
        if let Some(heading) = heading_of(&mut client, mailbox, summary.uid)? {
            lines.push(Line { n: summary.uid, heading, summary });
        }
    }
    if json {
        terminal::print_json(&lines)?;
        return Ok(ExitCode::SUCCESS);
    }
    if lines.is_empty() {
        terminal::print(&format!("{} is empty\n", terminal::line(&mailbox.mailbox)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!("{}\n", table(&lines).trim_fmt());
    if total > lines.len() {
        text.push_str(&format!("the newest {} of {total}; --limit N shows more\n", lines.len()));
    }
    terminal::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

/// The newest `limit` messages, oldest of them first, and how many there are altogether.
fn newest(
    client: &mut Client,
    mailbox: &MailboxArg,
    limit: usize,
) -> Result<(VecDeque<MessageSummary>, usize), Failure> {
    let (mut newest, mut total, mut after) = (VecDeque::new(), 0, None);
    loop {
        let page = page_of(client, mailbox, after)?;
        let Some(last) = page.last() else { return Ok((newest, total)) };
        after = Some(last.uid);
        total += page.len();
        newest.extend(page);
        newest.drain(..newest.len().saturating_sub(limit));
    }
}

/// Some messages with UIDs above `after`, ascending; none where there are none.
pub(super) fn page_of(
    client: &mut Client,
    mailbox: &MailboxArg,
    after: Option<u32>,
) -> Result<Vec<MessageSummary>, Failure> {
    let (account, mailbox) = (mailbox.account.clone(), mailbox.mailbox.clone());
    match super::ask(client, Request::Messages { account, mailbox, after, limit: PAGE_MAX })? {
        Response::Messages(page) => Ok(page),
        _ => Err(data::unexpected()),
    }
}

/// The heading of a message; none where it was removed since it was listed.
pub(super) fn heading_of(
    client: &mut Client,
    mailbox: &MailboxArg,
    uid: u32,
) -> Result<Option<Heading>, Failure> {
    let mut head = Vec::new();
    let read = client.read(super::open(mailbox, uid, Some(HEADING_BYTES_MAX)), |octets| {
        head.extend_from_slice(octets);
        Ok(())
    });
    match read {
        Ok(_) => Ok(Some(content::heading(&head))),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(data::failure(&error)),
    }
}

fn table(lines: &[Line]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header([
        "N",
        "DATE (UTC)",
        "FROM",
        "SUBJECT",
        "SIZE",
    ]);
    for line in lines {
        let date = line.heading.date.as_deref().unwrap_or(&line.summary.delivered_at);
        let from = match line.heading.from.as_str() {
            // Typed by hand, mostly: who it came from is known all the same.
            "" => format!("({})", line.heading.return_path),
            from => from.to_owned(),
        };
        table.add_row([
            Cell::new(line.n).set_alignment(CellAlignment::Right),
            Cell::new(date.chars().take(16).collect::<String>().replace('T', " ")),
            Cell::new(terminal::line(&cut(&from, 40))),
            Cell::new(terminal::line(&cut(&line.heading.subject, 120))),
            Cell::new(screen::size(line.summary.size_bytes)).set_alignment(CellAlignment::Right),
        ]);
    }
    for fixed in [0, 1, 4] {
        if let Some(column) = table.column_mut(fixed) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    if let Some(from) = table.column_mut(2) {
        from.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(42)));
    }
    table
}

pub(super) fn cut(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    text.chars().take(characters_max - 1).chain(['…']).collect()
}
