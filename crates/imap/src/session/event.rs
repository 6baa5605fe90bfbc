//! What happens beside the commands of this client.

use std::collections::VecDeque;

use super::account::Account;
use super::{EVENTS_MAX, FolderFacts, Session};
use crate::command::MailboxName;
use crate::response::Response;

/// A change that the driver tells without being asked. But for [`Event::Alert`] and [`Event::SelectedGone`] they come
/// from the answer to [`super::Task::Watch`] on, until it is called off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A mailbox is new, has another name, or others or other messages: its newest state.
    Folder {
        /// As it is now.
        facts: Box<FolderFacts>,
        /// The name that it had, where it was renamed.
        before: Option<MailboxName>,
    },
    /// A mailbox is gone.
    FolderGone(MailboxName),
    /// A name was subscribed to, or is no longer.
    Subscribed {
        /// Which.
        mailbox: MailboxName,
        /// Whether it is now.
        subscribed: bool,
    },
    /// Annotations changed.
    Metadata {
        /// None for those of the account.
        mailbox: Option<MailboxName>,
        /// Their names.
        entries: Vec<String>,
    },
    /// More happened than was kept: nothing is watched any more (RFC 5465 §5.8, NOTIFICATIONOVERFLOW).
    Lost,
    /// Something that the user must read (RFC 9051 §7.1, ALERT).
    Alert(String),
    /// The selected mailbox was deleted, or can no longer be read: the session ends with BYE.
    SelectedGone,
}

/// Why the server ends a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShutDown {
    /// The server stops.
    Stopping,
    /// Nothing came for too long (RFC 9051 §5.4).
    TimedOut,
    /// Too much was refused.
    TooManyErrors,
    /// Too many sessions of the account.
    TooManySessions,
    /// The account was disabled, or its password changed.
    LoginEnded,
    /// The store is not there.
    Unavailable,
}

impl Event {
    /// Whether it is told also where NOTIFY does not ask for other mailboxes, if it is.
    pub(super) const fn is_told_without_notify(&self) -> bool {
        matches!(self, Self::Metadata { .. } | Self::Alert(_) | Self::SelectedGone)
    }
}

impl Session {
    /// Something that nobody asked for happened.
    pub fn event(&mut self, event: Event) {
        match (&mut self.account, event) {
            (_, Event::SelectedGone) => self.ending = Some(Response::MailboxGone),
            // Of what nobody asked for nothing gathers until the next command.
            (Some(account), event) if !account.notify.watches_others() && !event.is_told_without_notify() => {
            }
            (Some(account), event) => push(&mut account.events, event),
            (None, _) => {}
        }
    }

    /// Whether the client hears of other mailboxes than the selected one (NOTIFY, RFC 5465).
    #[must_use]
    pub fn hears_of_mailboxes(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.notify.watches_others())
    }

    /// Whether the client hears of annotations without NOTIFY (ENABLE METADATA, RFC 5464 §4.4). Whoever could not follow what
    /// happened begins anew to watch for it.
    #[must_use]
    pub fn hears_of_annotations(&self) -> bool {
        self.account.as_ref().is_some_and(|account| account.hears_of_annotations())
    }
}

impl Account {
    fn hears_of_annotations(&self) -> bool {
        self.enabled.metadata && self.notify.is_default()
    }

    /// Whether the driver watches all mailboxes.
    pub(super) fn is_watching(&self) -> bool {
        self.notify.watches_others() || self.hears_of_annotations()
    }
}

fn push(events: &mut VecDeque<Event>, event: Event) {
    // Annotations are told without values: what changes again and again is told once.
    if let Event::Metadata { mailbox, entries } = &event {
        let last = events.iter_mut().rev().map_while(|event| match event {
            Event::Metadata { mailbox, entries } => Some((mailbox, entries)),
            _ => None,
        });
        if let Some((_, known)) = last.into_iter().find(|(of, _)| *of == mailbox) {
            for entry in entries {
                // A client that says nothing for so long is told of no more of them.
                if known.len() >= EVENTS_MAX {
                    break;
                }
                if !known.contains(entry) {
                    known.push(entry.clone());
                }
            }
            return;
        }
    }
    if events.len() >= EVENTS_MAX {
        events.retain(|event| matches!(event, Event::Alert(_)));
        events.truncate(EVENTS_MAX - 1);
        events.push_back(Event::Lost);
    } else {
        events.push_back(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(mailbox: &str, entry: usize) -> Event {
        let mailbox = Some(MailboxName(mailbox.to_owned()));
        Event::Metadata { mailbox, entries: vec![format!("/private/{entry}")] }
    }

    #[test]
    fn annotations_gather_once_each_and_no_more_than_other_events() {
        let mut events = VecDeque::new();
        for _ in 0..3 {
            for entry in 0..3 * EVENTS_MAX {
                push(&mut events, changed("INBOX", entry));
                push(&mut events, changed("Archive", 1));
            }
        }
        let entries = |event: &Event| match event {
            Event::Metadata { entries, .. } => entries.len(),
            other => panic!("{other:?}"),
        };
        assert!(events.iter().map(entries).eq([EVENTS_MAX, 1]));
    }

    #[test]
    fn what_the_user_must_read_is_not_lost_with_the_rest() {
        let mut events = VecDeque::from([Event::Alert("read this".to_owned())]);
        for number in 0..EVENTS_MAX {
            push(&mut events, Event::FolderGone(MailboxName(number.to_string())));
        }
        assert!(events.iter().eq([&Event::Alert("read this".to_owned()), &Event::Lost]));
    }
}
