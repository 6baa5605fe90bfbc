//! `posta queue stats`.

use std::process::ExitCode;

use server::control::{QueueRequest, QueueResponse};

use super::StatsArgs;
use crate::directory::{number, table, text, time};
use crate::exit::Outcome;
use crate::{data, terminal};

pub(super) fn run(args: &StatsArgs) -> Outcome {
    let mut queue = super::open(&args.place)?;
    let request = QueueRequest::Figures { destinations: args.top };
    let QueueResponse::Figures(totals) = super::ask(&mut queue, request)? else {
        return Err(data::unexpected());
    };
    if args.place.json {
        terminal::print_json(&totals)?;
        return Ok(ExitCode::SUCCESS);
    }
    let destinations = if totals.destinations == 1 { "destination" } else { "destinations" };
    let mut page = match totals.waiting + totals.held {
        0 => "nothing waits\n".to_owned(),
        _ => format!(
            "{} waiting, {} held, for {} {destinations}\n",
            totals.waiting, totals.held, totals.destinations
        ),
    };
    if !totals.top.is_empty() {
        let rows = totals.top.iter().map(|destination| {
            vec![
                text(&destination.destination),
                number(destination.waiting),
                number(destination.held),
                text(&destination.due_at.as_deref().map(time).unwrap_or_default()),
            ]
        });
        page.push('\n');
        page.push_str(&table(&["DESTINATION", "WAITING", "HELD", "NEXT (UTC)"], rows));
    }
    terminal::print(&page)?;
    Ok(ExitCode::SUCCESS)
}
