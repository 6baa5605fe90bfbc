//! What happens beside the commands of this client.

use super::FolderFacts;
use crate::command::MailboxName;

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
