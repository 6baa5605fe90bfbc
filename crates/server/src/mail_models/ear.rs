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

    /// From now on it hears of all mailboxes, or no longer.
    pub(crate) fn listen(&self, is_on: bool) {
        *self.events() = is_on.then(Events::default);
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
        if *change == Change::AccountGone {
            self.is_ended.store(true, Ordering::Relaxed);
            return self.wake();
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
            Change::Messages { mailbox, .. } | Change::Gone { mailbox, .. } => {
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
