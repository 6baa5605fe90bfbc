//! Items as a table.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, Width, presets};
use server::control::{QueueItemSummary, QueueWord};

use crate::directory::{number, time};
use crate::{screen, terminal};

/// One line for each.
pub(super) fn items(items: &[QueueItemSummary]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["ID", "CAME (UTC)", "SIZE", "FROM", "TO", "TRIES", "NEXT (UTC)", "LAST WORD"]);
    for item in items {
        table.add_row([
            Cell::new(&item.id),
            Cell::new(time(&item.received_at)),
            number(screen::size(item.size_bytes)),
            Cell::new(terminal::line(&cut(item.from.trim_matches(['<', '>']), 40))),
            Cell::new(terminal::line(&cut(&to(item), 60))),
            number(item.attempts),
            Cell::new(next(item)),
            Cell::new(terminal::line(&cut(&last_word(item), 120))),
        ]);
    }
    for fixed in [0, 1, 2, 5, 6] {
        if let Some(column) = table.column_mut(fixed) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    for (address, width) in [(3, 32), (4, 40)] {
        if let Some(column) = table.column_mut(address) {
            column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(width)));
        }
    }
    format!("{}\n", table.trim_fmt())
}

/// When the next attempt may be.
pub(super) fn next(item: &QueueItemSummary) -> String {
    match item.status {
        QueueWord::Held => "held".to_owned(),
        QueueWord::Waiting => time(&item.due_at),
    }
}

fn to(item: &QueueItemSummary) -> String {
    let first = item.recipients.first().map_or("", |recipient| recipient.address.as_str());
    match item.recipient_count {
        0 | 1 => first.to_owned(),
        count => format!("{first} and {} more", count - 1),
    }
}

fn last_word(item: &QueueItemSummary) -> String {
    let last = item.recipients.iter().find_map(|recipient| recipient.last.clone());
    item.reason.clone().or(last).unwrap_or_default()
}

fn cut(text: &str, characters_max: usize) -> String {
    if text.chars().count() <= characters_max {
        return text.to_owned();
    }
    text.chars().take(characters_max - 1).chain(['…']).collect()
}
