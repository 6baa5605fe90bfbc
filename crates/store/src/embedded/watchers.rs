//! Who watches which account.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::sync::lock;
use crate::{AccountId, Change, Watch, Watched};

/// Watches by account. Where there are none, asking costs one look at a counter.
#[derive(Debug, Default)]
pub(super) struct Watchers {
    by_account: Mutex<HashMap<AccountId, Vec<Watcher>>>,
    /// Accounts in it.
    accounts: AtomicUsize,
    /// Watches that were ever made.
    made: AtomicU64,
}

#[derive(Debug)]
struct Watcher {
    /// Which of all it was.
    number: u64,
    watched: Weak<Watched>,
}

impl Watchers {
    pub(super) fn watch(&self, account: AccountId) -> Watch {
        let (watch, watched) = Watch::new();
        let mut by_account = lock(&self.by_account);
        let number = self.made.fetch_add(1, Ordering::AcqRel) + 1;
        let watchers = by_account.entry(account).or_default();
        watchers.retain(|watcher| watcher.watched.strong_count() > 0);
        watchers.push(Watcher { number, watched: Arc::downgrade(&watched) });
        // Kept by the watch alone from here on.
        drop(watched);
        self.accounts.store(by_account.len(), Ordering::Release);
        watch
    }

    /// How many there were so far.
    pub(super) fn made(&self) -> u64 {
        self.made.load(Ordering::Acquire)
    }

    /// Whether somebody watches an account.
    pub(super) fn has(&self, account: AccountId) -> bool {
        self.accounts.load(Ordering::Acquire) > 0 && lock(&self.by_account).contains_key(&account)
    }

    /// Tells who watches. Whoever came after `made` watches were there may have read before what it was not told of: of the
    /// accounts in `unheard`, of which something was not told since nobody watched yet, it is told to read anew.
    pub(super) fn tell(&self, changes: Vec<(AccountId, Change)>, made: u64, unheard: &[AccountId]) {
        let is_late = self.made() > made;
        if changes.is_empty() && !is_late {
            return;
        }
        let mut by_account = lock(&self.by_account);
        for (account, change) in changes {
            let Some(watchers) = by_account.get_mut(&account) else { continue };
            watchers.retain(|watcher| {
                let watched = watcher.watched.upgrade();
                if let Some(watched) = &watched {
                    watched.tell(change.clone());
                }
                watched.is_some()
            });
            if watchers.is_empty() {
                by_account.remove(&account);
            }
        }
        if is_late {
            // Sorted: who is woken first is the same each time.
            let unheard: BTreeSet<_> = unheard.iter().collect();
            for account in unheard {
                for watcher in by_account.get(account).into_iter().flatten() {
                    if watcher.number > made
                        && let Some(watched) = watcher.watched.upgrade()
                    {
                        watched.tell(Change::Lost);
                    }
                }
            }
        }
        self.accounts.store(by_account.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Wake};

    use super::*;
    use crate::MailboxId;

    /// Notes that it was woken.
    #[derive(Debug)]
    struct Noting(u64, Arc<Mutex<Vec<u64>>>);

    impl Wake for Noting {
        fn wake(self: Arc<Self>) {
            lock(&self.1).push(self.0);
        }
    }

    #[test]
    fn who_came_too_late_is_woken_once_each_in_the_order_of_accounts() {
        let watchers = Watchers::default();
        let woken = Arc::new(Mutex::new(Vec::new()));
        let watches: Vec<_> = (1..=30).map(|n| (n, watchers.watch(AccountId(n)))).collect();
        let mut waiting: Vec<_> = watches.iter().map(|(n, watch)| (n, Box::pin(watch.arrived()))).collect();
        for (n, waits) in &mut waiting {
            let waker = Arc::new(Noting(**n, Arc::clone(&woken))).into();
            assert!(pin!(waits).poll(&mut Context::from_waker(&waker)).is_pending());
        }
        let unheard: Vec<_> = (1..=30).rev().chain(10..20).map(AccountId).collect();
        watchers.tell(Vec::new(), 0, &unheard);
        assert_eq!(*lock(&woken), (1..=30).collect::<Vec<_>>());
        assert!(watches.iter().all(|(_, watch)| watch.take() == [Change::Lost]));
    }

    #[test]
    fn who_came_too_late_for_a_batch_is_told_to_read_anew_and_who_is_gone_is_forgotten() {
        let watchers = Watchers::default();
        let (one, two) = (AccountId(1), AccountId(2));
        assert!(!watchers.has(one));
        let early = watchers.watch(one);
        let made = watchers.made();
        let (late, other) = (watchers.watch(one), watchers.watch(two));
        assert!(watchers.has(one));
        let change = Change::MailboxGone(MailboxId(7));
        watchers.tell(vec![(one, change.clone())], made, &[one, one]);
        assert_eq!(early.take(), std::slice::from_ref(&change));
        assert_eq!(late.take(), [change, Change::Lost]);
        assert_eq!(other.take(), []);
        drop((early, late));
        watchers.tell(vec![(one, Change::AccountGone)], watchers.made(), &[]);
        assert!(!watchers.has(one) && watchers.has(two));
    }
}
