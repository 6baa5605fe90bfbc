//! What changes in the mailboxes of an account, told to who watches.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use types::mailstore::{MailboxId, ModSeq, Uid};

use crate::{Flagging, MailboxInfo, MessageEntry};

/// Something that was committed. Changes of one mailbox come in the order in which they were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Messages are new.
    Messages {
        /// Where.
        mailbox: MailboxId,
        /// Ascending by UID; each with its modification sequence.
        entries: Arc<[MessageEntry]>,
    },
    /// The flags of messages are others.
    Flags {
        /// Where.
        mailbox: MailboxId,
        /// What changed.
        change: Flagging,
    },
    /// Messages are gone.
    Gone {
        /// Where.
        mailbox: MailboxId,
        /// Of the removal.
        modseq: ModSeq,
        /// Ascending.
        uids: Arc<[Uid]>,
    },
    /// A mailbox is new, has another name, more keywords, or other annotations. Its counters are of some time; its modification
    /// sequence is that of this change, or of the last one before it.
    Mailbox(Box<MailboxInfo>),
    /// A mailbox is gone.
    MailboxGone(MailboxId),
    /// The account subscribed to a name, or ended that.
    Subscription {
        /// Which.
        name: String,
        /// Whether it is subscribed to now.
        is_subscribed: bool,
    },
    /// Annotations changed, of a mailbox or of the account.
    Metadata {
        /// Which.
        mailbox: Option<MailboxId>,
        /// Their names.
        names: Vec<String>,
    },
    /// The account's settings are others, or it has an app password less: who is logged in may be so no longer.
    Account,
    /// The account is gone.
    AccountGone,
    /// More changed than was taken in time: read everything anew.
    Lost,
}

/// Changes that nobody has taken yet, at most. Beyond it there is one: [`Change::Lost`].
const PENDING_MAX: usize = 4096;

/// Hears of changes from when it was made until it is dropped.
#[derive(Debug)]
pub struct Watch(Arc<Watched>);

/// The other end of a [`Watch`], for who makes changes.
#[derive(Debug, Default)]
pub struct Watched {
    pending: Mutex<VecDeque<Change>>,
    notify: Notify,
}

impl Watch {
    /// With its other end. The store keeps a [`std::sync::Weak`] of that.
    #[must_use]
    pub fn new() -> (Self, Arc<Watched>) {
        let watched = Arc::new(Watched::default());
        (Self(Arc::clone(&watched)), watched)
    }

    /// Waits for changes, and takes all there are; none are lost where this is dropped while it waits.
    pub async fn changes(&mut self) -> Vec<Change> {
        loop {
            let taken = self.take();
            if !taken.is_empty() {
                return taken;
            }
            self.0.notify.notified().await;
        }
    }

    /// Waits until there are changes, and leaves them there. For one who waits at a time.
    pub async fn arrived(&self) {
        while self.pending().is_empty() {
            self.0.notify.notified().await;
        }
    }

    /// Takes what there is.
    pub fn take(&self) -> Vec<Change> {
        self.pending().drain(..).collect()
    }

    fn pending(&self) -> MutexGuard<'_, VecDeque<Change>> {
        self.0.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched {
    /// Tells of a change.
    pub fn tell(&self, change: Change) {
        {
            let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
            if pending.back() == Some(&Change::Lost) {
                return;
            }
            if pending.len() >= PENDING_MAX {
                pending.clear();
                pending.push_back(Change::Lost);
            } else {
                pending.push_back(change);
            }
        }
        self.notify.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_does_not_take_changes_is_told_to_read_anew() {
        let (mut watch, watched) = Watch::new();
        watched.tell(Change::MailboxGone(MailboxId(1)));
        assert_eq!(watch.changes().await, [Change::MailboxGone(MailboxId(1))]);
        for _ in 0..=PENDING_MAX + 5 {
            watched.tell(Change::AccountGone);
        }
        assert_eq!(watch.changes().await, [Change::Lost]);
        assert_eq!(watch.take(), []);
    }
}
