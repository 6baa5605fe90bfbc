//! `posta queue list`.

use std::process::ExitCode;

use super::{ListArgs, select, table};
use crate::exit::Outcome;
use crate::terminal;

pub(super) fn run(args: &ListArgs) -> Outcome {
    let ListArgs { filter, limit, place } = args;
    let filter = filter.filter();
    let mut queue = super::open(place)?;
    let (items, is_more) = select::first(&mut queue, &filter, *limit)?;
    if place.json {
        terminal::print_json(&serde_json::json!({ "items": items, "more": is_more }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if items.is_empty() {
        let is_everything = filter == server::control::QueueFilter::default();
        let nothing = if is_everything { "nothing waits" } else { "nothing in the queue matches" };
        terminal::print(&format!("{nothing}\n"))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = table::items(&items);
    if is_more {
        text.push_str(&format!("the oldest {}; --limit N shows more\n", items.len()));
    }
    terminal::print(&text)?;
    Ok(ExitCode::SUCCESS)
}
