//! NOTIFY (RFC 5465).

use super::cursor::{Cursor, Words};
use super::{GrammarError, Result, fetch};
use crate::command::{Command, EventGroup, MailboxFilter, MailboxName, NotifyCommand, NotifyEvent};

/// ```text
/// notify     = "NOTIFY" SP (notify-set / notify-none)
/// notify-set = "SET" [SP "STATUS"] SP event-group *(SP event-group)
/// ```
pub(super) fn notify(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("SET or NONE")?;
    if cursor.word("NONE") {
        return Ok(Command::Notify(NotifyCommand::None));
    }
    if !cursor.word("SET") {
        return cursor.expected("SET or NONE");
    }
    let status = cursor.word_follows("STATUS");
    let mut groups = Vec::new();
    while groups.is_empty() || cursor.peek() == Some(b' ') {
        cursor.space("mailboxes and events in parentheses")?;
        let start = cursor.at();
        let group = event_group(cursor)?;
        let has_selected = groups.iter().any(|group: &EventGroup| is_selected(&group.filter));
        if has_selected && is_selected(&group.filter) {
            return cursor.expected_at("SELECTED or SELECTED-DELAYED once", start);
        }
        groups.push(group);
    }
    Ok(Command::Notify(NotifyCommand::Set { status, groups }))
}

const fn is_selected(filter: &MailboxFilter) -> bool {
    matches!(filter, MailboxFilter::Selected | MailboxFilter::SelectedDelayed)
}

/// ```text
/// event-group = "(" filter-mailboxes SP events ")"
/// events      = ("(" event *(SP event) ")") / "NONE"
/// ```
fn event_group(cursor: &mut Cursor<'_>) -> Result<EventGroup> {
    cursor.octet(b'(', "mailboxes and events in parentheses")?;
    let filter = cursor.words(FILTERS, "mailboxes: SELECTED, PERSONAL, INBOXES, SUBTREE or others")?(cursor)?;
    cursor.space("events")?;
    let start = cursor.at();
    let events = if cursor.word("NONE") {
        Vec::new()
    } else {
        cursor.list("events in parentheses, or NONE", event)?
    };
    cursor.octet(b')', "`)` behind the events")?;
    check(cursor, &filter, &events, start)?;
    Ok(EventGroup { filter, events })
}

/// RFC 5465 §5 and §8: which events go together.
fn check(cursor: &Cursor<'_>, filter: &MailboxFilter, events: &[NotifyEvent], start: usize) -> Result<()> {
    let has = |event: &NotifyEvent| events.contains(event);
    let new = events.iter().find_map(|event| match event {
        NotifyEvent::MessageNew(items) => Some(items),
        _ => None,
    });
    let expunge = has(&NotifyEvent::MessageExpunge);
    let flags = has(&NotifyEvent::FlagChange);
    if new.is_some() != expunge || flags && new.is_none() {
        return cursor.expected_at("MessageNew and MessageExpunge, both of them", start);
    }
    let of_messages = |event: &NotifyEvent| {
        matches!(event, NotifyEvent::MessageNew(_) | NotifyEvent::MessageExpunge | NotifyEvent::FlagChange)
    };
    if is_selected(filter) {
        if !events.iter().all(of_messages) {
            return cursor.expected_at("events of messages only for the selected mailbox", start);
        }
    } else if new.is_some_and(|items| !items.is_empty()) {
        return cursor.expected_at("what to fetch only for the selected mailbox", start);
    }
    Ok(())
}

const FILTERS: &Words<fn(&mut Cursor<'_>) -> Result<MailboxFilter>> = &[
    ("SELECTED", |_| Ok(MailboxFilter::Selected)),
    ("SELECTED-DELAYED", |_| Ok(MailboxFilter::SelectedDelayed)),
    ("INBOXES", |_| Ok(MailboxFilter::Inboxes)),
    ("PERSONAL", |_| Ok(MailboxFilter::Personal)),
    ("SUBSCRIBED", |_| Ok(MailboxFilter::Subscribed)),
    ("SUBTREE", |cursor| mailboxes(cursor).map(MailboxFilter::Subtree)),
    ("MAILBOXES", |cursor| mailboxes(cursor).map(MailboxFilter::Mailboxes)),
];

/// ```text
/// one-or-more-mailbox = mailbox / "(" mailbox *(SP mailbox) ")"
/// ```
fn mailboxes(cursor: &mut Cursor<'_>) -> Result<Vec<MailboxName>> {
    cursor.space("names of mailboxes")?;
    cursor.list_or_one("names of mailboxes", Cursor::mailbox)
}

fn event(cursor: &mut Cursor<'_>) -> Result<NotifyEvent> {
    if let Some(event) = cursor.try_words(EVENTS) {
        return event(cursor);
    }
    // `event-ext = atom`: one that there may be elsewhere, as is AnnotationChange (RFC 5257).
    cursor.atom("an event")?;
    Err(GrammarError::Event)
}

/// As [`super::NOTIFY_EVENTS`] lists them.
const EVENTS: &Words<fn(&mut Cursor<'_>) -> Result<NotifyEvent>> = &[
    ("MessageNew", |cursor| {
        if cursor.peek() == Some(b' ') && cursor.octet_at(cursor.at() + 1) == Some(b'(') {
            cursor.skip(b' ');
            return fetch::fetch_items(cursor).map(NotifyEvent::MessageNew);
        }
        Ok(NotifyEvent::MessageNew(Vec::new()))
    }),
    ("MessageExpunge", |_| Ok(NotifyEvent::MessageExpunge)),
    ("FlagChange", |_| Ok(NotifyEvent::FlagChange)),
    ("MailboxName", |_| Ok(NotifyEvent::MailboxName)),
    ("SubscriptionChange", |_| Ok(NotifyEvent::SubscriptionChange)),
    ("MailboxMetadataChange", |_| Ok(NotifyEvent::MailboxMetadataChange)),
    ("ServerMetadataChange", |_| Ok(NotifyEvent::ServerMetadataChange)),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_listed_as_badevent_shows_them() {
        let names: Vec<_> = EVENTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, crate::grammar::NOTIFY_EVENTS);
    }
}
