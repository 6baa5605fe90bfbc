//! What wakes one session, and what it has not heard yet.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use store::{Change, MailboxId};
use tokio::sync::Notify;

/// One session's.
#[derive(Debug, Default)]
pub(crate) struct Ear {
    /// Zero where none is; no mailbox has that id.
    selected: AtomicU64,
    has_news: AtomicBool,
    is_ended: AtomicBool,
    notify: Notify,
    /// None where the client wants to hear of the selected mailbox alone.
    events: Mutex<Option<Events>>,
}

#[derive(Debug, Default)]
struct Events {
    /// But for those of messages, in order.
    changes: Vec<Change>,
    /// In which messages changed.
    mailboxes: BTreeSet<MailboxId>,
    is_lost: bool,
}

/// What a session has not heard yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Changes of mailboxes, in order, and those in which messages changed.
    Changes(Vec<Change>, Vec<MailboxId>),
    /// More than was kept.
    Lost,
}

/// Changes that are kept for a session; then they are lost (RFC 5465 §5.8).
const CHANGES_MAX: usize = 1000;

impl Ear {
    /// From now on it is woken where this mailbox changes.
    pub(crate) fn select(&self, mailbox: Option<MailboxId>) {
        self.selected.store(mailbox.map_or(0, |mailbox| mailbox.0), Ordering::Relaxed);
    }

    pub(super) fn has_selected(&self, mailbox: MailboxId) -> bool {
        self.selected.load(Ordering::Relaxed) == mailbox.0
    }

    /// From now on it hears of all mailboxes, or no longer. Whoever did so before loses nothing.
    pub(crate) fn listen(&self, is_on: bool) {
        let mut events = self.events();
        *events = is_on.then(|| events.take().unwrap_or_default());
    }

    /// The account is gone.
    pub(crate) fn is_ended(&self) -> bool {
        self.is_ended.load(Ordering::Relaxed)
    }

    /// Whether it was woken since it was asked last.
    pub(crate) fn was_woken(&self) -> bool {
        self.has_news.swap(false, Ordering::Acquire)
    }

    /// Waits until it is woken; nothing is lost where this is dropped while it waits.
    pub(crate) async fn woken(&self) {
        while !self.has_news.load(Ordering::Acquire) {
            self.notify.notified().await;
        }
    }

    /// What it heard of all mailboxes.
    pub(crate) fn news(&self) -> Option<News> {
        let mut events = self.events();
        let Events { changes, mailboxes, is_lost } = std::mem::take(events.as_mut()?);
        if is_lost {
            *events = None;
            return Some(News::Lost);
        }
        let is_empty = changes.is_empty() && mailboxes.is_empty();
        (!is_empty).then(|| News::Changes(changes, mailboxes.into_iter().collect()))
    }

    pub(super) fn wake(&self) {
        self.has_news.store(true, Ordering::Release);
        self.notify.notify_one();
    }

    pub(super) fn hear(&self, change: &Change) {
        match change {
            Change::AccountGone => {
                self.is_ended.store(true, Ordering::Relaxed);
                return self.wake();
            }
            // Whoever is here looks whether it still may be.
            Change::Account => return self.wake(),
            // One of these may be among what is lost.
            Change::Lost => self.wake(),
            _ => {}
        }
        if let Some(events) = &mut *self.events() {
            events.hear(change);
            self.wake();
        }
    }

    fn events(&self) -> std::sync::MutexGuard<'_, Option<Events>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Events {
    fn hear(&mut self, change: &Change) {
        match change {
            Change::Messages { mailbox, .. }
            | Change::Flags { mailbox, .. }
            | Change::Gone { mailbox, .. } => {
                self.mailboxes.insert(*mailbox);
            }
            Change::Lost => self.is_lost = true,
            _ => self.changes.push(change.clone()),
        }
        if self.changes.len() > CHANGES_MAX || self.is_lost {
            *self = Self { is_lost: true, ..Self::default() };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gone(mailbox: u64) -> Change {
        Change::MailboxGone(MailboxId(mailbox))
    }

    fn messages(mailbox: u64) -> Change {
        Change::Messages { mailbox: MailboxId(mailbox), entries: [].into() }
    }

    #[tokio::test]
    async fn a_session_that_was_woken_before_it_waits_does_not_wait() {
        let ear = Ear::default();
        assert!(!ear.was_woken());
        ear.wake();
        ear.woken().await;
        assert!(ear.was_woken() && !ear.was_woken());
    }

    #[test]
    fn other_mailboxes_are_heard_of_only_where_that_is_wanted_and_messages_once_each() {
        let ear = Ear::default();
        ear.hear(&gone(1));
        assert!(!ear.was_woken() && ear.news().is_none());
        ear.listen(true);
        for change in [gone(1), messages(3), messages(2), messages(3)] {
            ear.hear(&change);
        }
        assert!(ear.was_woken());
        ear.listen(true);
        assert_eq!(ear.news(), Some(News::Changes(vec![gone(1)], vec![MailboxId(2), MailboxId(3)])));
        assert_eq!(ear.news(), None);
    }

    #[test]
    fn more_than_is_kept_is_lost_and_ends_it() {
        let ear = Ear::default();
        ear.listen(true);
        for mailbox in 0..=CHANGES_MAX as u64 {
            ear.hear(&gone(mailbox));
        }
        assert_eq!(ear.news(), Some(News::Lost));
        ear.hear(&gone(1));
        assert_eq!(ear.news(), None);
    }

    #[test]
    fn who_hears_that_changes_were_lost_looks_whether_it_may_still_be_there() {
        let ear = Ear::default();
        ear.hear(&Change::Lost);
        assert!(ear.was_woken() && !ear.is_ended() && ear.news().is_none());
    }

    #[test]
    fn the_end_of_the_account_is_heard_by_everybody() {
        let ear = Ear::default();
        ear.hear(&Change::AccountGone);
        assert!(ear.was_woken() && ear.is_ended());
    }
}
