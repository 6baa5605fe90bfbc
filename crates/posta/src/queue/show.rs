//! `posta queue show`.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use server::control::{
    QueueDamaged, QueueItemSummary, QueuePage, QueueRequest, QueueResponse, QueueWord, Request,
};

use super::ShowArgs;
use crate::directory::{Directory, properties, time};
use crate::exit::{Failure, Outcome, output};
use crate::mailbox::{Heading, heading};
use crate::{data, screen, terminal};

/// Octets of a message that are read for its heading.
const HEADING_BYTES_MAX: u64 = 64 * 1024;

pub(super) fn run(args: &ShowArgs) -> Outcome {
    let mut queue = super::open(&args.place)?;
    if args.raw {
        return raw(&mut queue, &args.id);
    }
    let request = QueueRequest::Show { id: args.id.clone() };
    let QueueResponse::Items(page) = super::ask(&mut queue, request)? else {
        return Err(data::unexpected());
    };
    let is_readable = page.items.first().is_some_and(|item| item.damage.is_none());
    let heading = if is_readable { read_heading(&mut queue, &args.id)? } else { Heading::default() };
    if args.place.json {
        let QueuePage { items, damaged, .. } = &page;
        let shown = serde_json::json!({ "heading": heading, "items": items, "damaged": damaged });
        terminal::print_json(&shown)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for item in &page.items {
        text.push_str(&item_text(item, &heading));
        text.push('\n');
    }
    for item in &page.damaged {
        text.push_str(&damaged_text(item));
        text.push('\n');
    }
    let mail_ids = page.items.iter().map(|item| &item.mail_id);
    if let Some(mail_id) = mail_ids.chain(page.damaged.iter().map(|item| &item.mail_id)).next() {
        text.push_str(&format!("`posta trace {mail_id}` tells what happened to it\n"));
    }
    terminal::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn item_text(item: &QueueItemSummary, heading: &Heading) -> String {
    let mut rows = match &item.damage {
        None => vec![("subject", heading.subject.clone()), ("author", heading.from.clone())],
        Some(why) => {
            vec![("damaged", format!("its message cannot be read: {why}")), ("", takes_away(&item.id))]
        }
    };
    rows.extend([
        ("sender", item.from.clone()),
        ("for", item.destination.clone()),
        ("came", format!("{} UTC", time(&item.received_at))),
        ("size", screen::size(item.size_bytes)),
    ]);
    match item.status {
        QueueWord::Waiting => rows.push(("next try", format!("{} UTC", time(&item.due_at)))),
        QueueWord::Held => rows.push(("held", item.reason.clone().unwrap_or_default())),
    }
    rows.push(("tries", item.attempts.to_string()));
    if let (Some(at), Some(host)) = (&item.last_attempt_at, &item.last_host) {
        rows.push(("last try", format!("{} UTC at {host}", time(at))));
    }
    if item.priority != 0 {
        rows.push(("priority", item.priority.to_string()));
    }
    if item.own_failures > 0 {
        rows.push(("own faults", item.own_failures.to_string()));
    }
    for recipient in &item.recipients {
        let notify = recipient.notify.as_ref().map(|notify| format!(" (NOTIFY={notify})"));
        rows.push(("recipient", format!("{}{}", recipient.address, notify.unwrap_or_default())));
        if let Some(last) = &recipient.last {
            rows.push(("", last.clone()));
        }
    }
    let hidden = item.recipient_count - item.recipients.len().min(item.recipient_count);
    if hidden > 0 {
        rows.push(("", format!("and {hidden} more recipients")));
    }
    // A message need not have a subject, or an author that can be read.
    rows.retain(|(_, value)| !value.is_empty());
    properties(&item.id, &rows)
}

/// Of an item whose record cannot be read no more is known.
fn damaged_text(item: &QueueDamaged) -> String {
    let rows = [
        ("damaged", format!("it cannot be read, and is not tried: {}", item.why)),
        ("", takes_away(&item.id)),
        ("for", item.destination.clone()),
    ];
    properties(&item.id, &rows)
}

fn takes_away(id: &str) -> String {
    format!("`posta queue remove {id}` takes it away")
}

fn read_heading(queue: &mut Directory, id: &str) -> Result<Heading, Failure> {
    let mut head = Vec::new();
    let request = Request::QueueOpen { id: id.to_owned(), bytes_max: Some(HEADING_BYTES_MAX) };
    queue.read(request, |octets| {
        head.extend_from_slice(octets);
        Ok(())
    })?;
    Ok(heading(&head))
}

/// Into a pipe or a file: exactly what is stored. On a terminal control characters are escaped all the same.
fn raw(queue: &mut Directory, id: &str) -> Outcome {
    let mut stdout = std::io::stdout().lock();
    let is_terminal = stdout.is_terminal();
    queue.read(Request::QueueOpen { id: id.to_owned(), bytes_max: None }, |octets| {
        if is_terminal {
            stdout.write_all(terminal::text(&String::from_utf8_lossy(octets)).as_bytes())
        } else {
            stdout.write_all(octets)
        }
    })?;
    stdout.flush().map_err(|error| output(&error))?;
    Ok(ExitCode::SUCCESS)
}
