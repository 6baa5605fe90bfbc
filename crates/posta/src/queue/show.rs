//! `posta queue show`.

use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use server::control::{QueueItemSummary, QueueRequest, QueueResponse, QueueWord, Request};

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
    let heading = read_heading(&mut queue, &args.id)?;
    if args.place.json {
        terminal::print_json(&serde_json::json!({ "heading": heading, "items": page.items }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::new();
    for item in &page.items {
        text.push_str(&item_text(item, &heading));
        text.push('\n');
    }
    if let Some(item) = page.items.first() {
        text.push_str(&format!("`posta trace {}` tells what happened to it\n", item.mail_id));
    }
    terminal::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn item_text(item: &QueueItemSummary, heading: &Heading) -> String {
    let mut rows = vec![
        ("subject", heading.subject.clone()),
        ("author", heading.from.clone()),
        ("sender", item.from.clone()),
        ("for", item.destination.clone()),
        ("came", format!("{} UTC", time(&item.received_at))),
        ("size", screen::size(item.size_bytes)),
    ];
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
    properties(&item.id, &rows)
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
