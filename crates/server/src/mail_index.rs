//! The index by which texts are found: a signature of the words of each message ([`imap::search::Signature`]), made in the
//! background for mailboxes that somebody has open by IMAP, and by searches that had to read a message anyway.
//!
//! It narrows: who has not the signature of a string has not the string, and everybody else is read. So it may be late, lost or
//! behind without any search being wrong. What is made of messages is kept by the store as derived.
//!
//! Left out on purpose: mailboxes that nobody opens, and strings of fewer than three octets, for which all messages are read.

mod making;
mod words;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;
use tokio::task::JoinHandle;
use types::mailstore::{MailboxId, Uid};

#[cfg(test)]
pub(crate) use self::making::index_now;
pub(crate) use self::words::WordsRow;
use crate::shared::Shared;
use crate::structures::StructureMemory;

/// What is to be indexed, and what is.
#[derive(Debug, Default)]
pub(crate) struct MailIndex {
    work: Mutex<Work>,
    woken: Notify,
    structures: Arc<StructureMemory>,
}

#[derive(Debug, Default)]
struct Work {
    wanted: BTreeSet<MailboxId>,
    /// Up to where mailboxes were looked through. One that is not here is looked through from its first message, which costs
    /// little where its messages are known.
    done: HashMap<MailboxId, Uid>,
}

/// Mailboxes that wait, and those of which it is remembered how far they were looked through, at most.
const MAILBOXES_MAX: usize = 10_000;

impl MailIndex {
    /// Somebody has this mailbox open, or it has new messages.
    pub(crate) fn wanted(&self, mailbox: MailboxId) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if work.wanted.len() < MAILBOXES_MAX && work.wanted.insert(mailbox) {
            self.woken.notify_one();
        }
    }

    /// Structures that are kept in memory.
    pub(crate) const fn structures(&self) -> &Arc<StructureMemory> {
        &self.structures
    }

    /// Begins to index, until the node stops.
    pub(crate) fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
        tokio::spawn(making::run(Arc::clone(shared)))
    }

    /// The next mailbox, and up to where it was looked through.
    fn next(&self) -> Option<(MailboxId, Option<Uid>)> {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        let mailbox = work.wanted.pop_first()?;
        Some((mailbox, work.done.get(&mailbox).copied()))
    }

    fn looked_through(&self, mailbox: MailboxId, to: Uid) {
        let mut work = self.work.lock().unwrap_or_else(PoisonError::into_inner);
        if work.done.len() >= MAILBOXES_MAX {
            work.done.clear();
        }
        work.done.insert(mailbox, to);
    }
}
