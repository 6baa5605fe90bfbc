//! The index by which texts are found: a signature of the words of each message ([`imap::search::Signature`]), made in the
//! background for mail that comes and for mailboxes that somebody opens by IMAP, and by searches that had to read a message
//! anyway. The same reading of a message makes what lists of messages show ([`crate::structures`]).
//!
//! It narrows: who has not the signature of a string has not the string, and everybody else is read. So it may be late, lost or
//! behind without any search being wrong. What is made of messages is kept by the store as derived.
//!
//! Left out on purpose: nodes that nobody reads by IMAP, what was in mailboxes before anybody opened them, and strings of fewer
//! than three octets, for which all messages are read.

mod making;
mod words;

use std::collections::HashMap;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::Accepted;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use types::mailstore::{MailboxId, Uid};

#[cfg(test)]
pub(crate) use self::making::index_now;
pub(crate) use self::words::WordsRow;
use crate::shared::Shared;
use crate::structures::Memory;

/// What is to be indexed, and what is.
#[derive(Debug)]
pub(crate) struct MailIndex {
    follows: Follows,
    work: Mutex<Work>,
    woken: Notify,
    /// Messages that came by IMAP; the others are counted where they are accepted.
    arrived: AtomicU64,
    memory: Arc<Memory>,
}

/// What is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Follows {
    /// Mailboxes that somebody opens.
    Opened,
    /// All mail that comes, too.
    Arrivals,
}

#[derive(Debug, Default)]
struct Work {
    wanted: BTreeMap<MailboxId, Wanted>,
    /// Up to where mailboxes were looked through. One that is not here is looked through from its first message, which costs
    /// little where its messages are known.
    done: HashMap<MailboxId, Uid>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// All that was not looked through.
    All,
    /// At least what is behind this message.
    Behind(Uid),
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Errand {
    mailbox: MailboxId,
    /// Messages up to this one are passed over.
    after: Option<Uid>,
    /// Whether they were looked through.
    is_known_before: bool,
}

/// Mailboxes that wait, and those of which it is remembered how far they were looked through, at most.
const MAILBOXES_MAX: usize = 10_000;

impl MailIndex {
    pub(crate) fn new(follows: Follows) -> Self {
        Self {
            follows,
            work: Mutex::default(),
            woken: Notify::new(),
            arrived: AtomicU64::new(0),
            memory: Arc::default(),
        }
    }

    /// Somebody opens this mailbox or searches it.
    pub(crate) fn wanted(&self, mailbox: MailboxId) {
        self.put(mailbox, Wanted::All);
    }

    /// These messages came.
    pub(crate) fn arrived(&self, accepted: &[Accepted]) {
        if self.follows == Follows::Opened {
            return;
        }
        for delivered in accepted.iter().flat_map(|accepted| &accepted.deliveries) {
            self.put(delivered.mailbox, Wanted::Behind(Uid(delivered.uid.0.saturating_sub(1))));
        }
    }

    /// These messages came by IMAP.
    pub(crate) fn appended(&self, accepted: &[Accepted]) {
        self.arrived.fetch_add(accepted.len() as u64, Ordering::Relaxed);
        self.arrived(accepted);
    }

    fn put(&self, mailbox: MailboxId, wanted: Wanted) {
        let mut work = self.lock();
        let is_full = work.wanted.len() >= MAILBOXES_MAX;
        match work.wanted.entry(mailbox) {
            Entry::Vacant(_) if is_full => {}
            Entry::Vacant(vacant) => {
                vacant.insert(wanted);
                self.woken.notify_one();
            }
            Entry::Occupied(mut occupied) => {
                let both = match (*occupied.get(), wanted) {
                    (Wanted::Behind(one), Wanted::Behind(other)) => Wanted::Behind(one.min(other)),
                    _ => Wanted::All,
                };
                occupied.insert(both);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept in memory of what was made of messages.
    pub(crate) const fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    /// Begins to index, until the node stops.
    pub(crate) fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
        tokio::spawn(making::run(Arc::clone(shared)))
    }

    /// The next mailbox.
    fn next(&self) -> Option<Errand> {
        let mut work = self.lock();
        let (mailbox, wanted) = work.wanted.pop_first()?;
        Some(match (work.done.get(&mailbox), wanted) {
            (Some(done), _) => Errand { mailbox, after: Some(*done), is_known_before: true },
            (None, Wanted::All) => Errand { mailbox, after: None, is_known_before: true },
            (None, Wanted::Behind(uid)) => Errand { mailbox, after: Some(uid), is_known_before: false },
        })
    }

    fn looked_through(&self, mailbox: MailboxId, to: Uid) {
        let mut work = self.lock();
        if work.done.len() >= MAILBOXES_MAX {
            work.done.clear();
        }
        work.done.insert(mailbox, to);
    }
}

#[cfg(test)]
mod tests {
    use store::{Delivered, ModSeq};
    use types::{MailId, Timestamp};

    use super::*;

    fn arrival(mailbox: u64, uid: u32) -> Accepted {
        Accepted {
            mail_id: MailId::new(Timestamp::from_millis(1), uid.into()),
            repeated: false,
            deliveries: vec![Delivered { mailbox: MailboxId(mailbox), uid: Uid(uid), modseq: ModSeq(1) }],
            queue: Vec::new(),
        }
    }

    fn errand(after: Option<u32>, is_known_before: bool) -> Option<Errand> {
        Some(Errand { mailbox: MailboxId(1), after: after.map(Uid), is_known_before })
    }

    #[test]
    fn mail_that_comes_is_looked_at_without_the_mail_before_it() {
        let index = MailIndex::new(Follows::Arrivals);
        index.arrived(&[arrival(1, 8), arrival(1, 7), arrival(1, 9)]);
        assert_eq!((index.next(), index.next()), (errand(Some(6), false), None));
        // Who opens the mailbox wants all of it.
        index.arrived(&[arrival(1, 10)]);
        index.wanted(MailboxId(1));
        index.arrived(&[arrival(1, 11)]);
        assert_eq!(index.next(), errand(None, true));
        // What was looked through is not looked at again.
        index.looked_through(MailboxId(1), Uid(11));
        index.arrived(&[arrival(1, 12)]);
        assert_eq!(index.next(), errand(Some(11), true));
    }

    #[test]
    fn what_comes_by_smtp_is_not_counted_here_too() {
        let index = MailIndex::new(Follows::Arrivals);
        index.arrived(&[arrival(1, 1)]);
        assert_eq!(index.arrived.load(Ordering::Relaxed), 0);
        index.appended(&[arrival(1, 2), arrival(1, 3)]);
        assert_eq!(index.arrived.load(Ordering::Relaxed), 2);
        assert_eq!(index.next(), errand(Some(0), false));
    }

    #[test]
    fn a_node_that_nobody_reads_by_imap_indexes_nothing_that_comes() {
        let index = MailIndex::new(Follows::Opened);
        index.arrived(&[arrival(1, 1)]);
        assert_eq!(index.next(), None);
    }
}
