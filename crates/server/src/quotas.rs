//! Room within the quotas of accounts, given to whoever is about to store something.
//!
//! What an account has stored is known to the store; what is about to be stored is known here. Whoever asks for room is first
//! counted and only then looks at the store, so that of two who come at once each sees the other: together they do not
//! pass a quota. Where there is no room while others are on their way, and there would be without them, it is waited for what
//! becomes of them.
//!
//! Whoever needs room in several accounts asks in the order of their ids, lest two wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use store::{AccountId, Store, StoreError};
use tokio::sync::Notify;

/// The accounts for which somebody has room, or asks for it.
#[derive(Debug, Default)]
pub struct Quotas {
    accounts: Mutex<HashMap<AccountId, Weak<Promised>>>,
}

/// What of one account's room is promised.
#[derive(Debug, Default)]
struct Promised {
    size_bytes: Mutex<u64>,
    /// Somebody's room was used, or given back.
    freed: Notify,
    /// One asks at a time, the others behind it in their order.
    asking: tokio::sync::Mutex<()>,
}

/// Room that is promised, until it is dropped: when what it was for is committed, or will not be.
#[derive(Debug)]
pub(crate) struct Room {
    promised: Arc<Promised>,
    size_bytes: u64,
}

/// Whose room, and how much of it there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Quota {
    pub(crate) account: AccountId,
    pub(crate) limit_bytes: u64,
}

/// Accounts beyond which those that nobody asks about any more are forgotten.
const ACCOUNTS_KEPT: usize = 256;

impl Quotas {
    /// Room for so many octets; none where there is none.
    ///
    /// # Errors
    /// Where the store does not say what is in the account.
    pub(crate) async fn room(
        &self,
        store: &dyn Store,
        quota: Quota,
        size_bytes: u64,
    ) -> Result<Option<Room>, StoreError> {
        let promised = self.of(quota.account);
        let _turn = promised.asking.lock().await;
        loop {
            // Before the store is asked: what is committed behind this is counted twice at worst.
            let others = *promised.lock();
            let used = store.account_usage(quota.account).await?.size_bytes;
            if used.saturating_add(others).saturating_add(size_bytes) <= quota.limit_bytes {
                *promised.lock() += size_bytes;
                return Ok(Some(Room { promised: Arc::clone(&promised), size_bytes }));
            }
            // Nor is it waited for others where there were none without them.
            if others == 0 || used.saturating_add(size_bytes) > quota.limit_bytes {
                return Ok(None);
            }
            promised.freed.notified().await;
        }
    }

    fn of(&self, account: AccountId) -> Arc<Promised> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(promised) = accounts.get(&account).and_then(Weak::upgrade) {
            return promised;
        }
        if accounts.len() >= ACCOUNTS_KEPT {
            accounts.retain(|_, promised| promised.strong_count() > 0);
        }
        let promised = Arc::<Promised>::default();
        accounts.insert(account, Arc::downgrade(&promised));
        promised
    }
}

impl Promised {
    fn lock(&self) -> MutexGuard<'_, u64> {
        self.size_bytes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let mut promised = self.promised.lock();
        *promised = promised.saturating_sub(self.size_bytes);
        drop(promised);
        self.promised.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use store::embedded::{Embedded, Options};
    use store::{Directory as _, NewAccount};
    use types::Timestamp;

    use super::*;

    #[tokio::test]
    async fn what_is_promised_to_one_is_not_promised_to_another_until_it_is_given_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(Options { min_free_bytes: 0, ..Options::at(folder.path()) }).unwrap();
        let at = Timestamp::from_millis(1_795_000_000_000);
        let account = store.create_account(NewAccount::new("ada@example.org", at)).await.unwrap().id;
        let (quotas, quota) = (Quotas::default(), Quota { account, limit_bytes: 100 });
        let one = quotas.room(&store, quota, 60).await.unwrap().unwrap();
        let two = quotas.room(&store, quota, 40).await.unwrap().unwrap();
        assert!(quotas.room(&store, Quota { limit_bytes: 200, ..quota }, 100).await.unwrap().is_some());
        let never = tokio::time::timeout(Duration::from_secs(60), quotas.room(&store, quota, 101)).await;
        assert!(never.expect("it waits for nobody").unwrap().is_none());
        let mut third = std::pin::pin!(quotas.room(&store, quota, 50));
        let is_waiting = tokio::time::timeout(Duration::ZERO, &mut third).await.is_err();
        assert!(is_waiting, "what becomes of the others is not known");
        drop(two);
        drop(one);
        assert!(third.await.unwrap().is_some());
        assert!(quotas.room(&store, quota, 101).await.unwrap().is_none());
        assert!(quotas.room(&store, quota, 100).await.unwrap().is_some(), "all was given back");
        store.close().await;
    }
}
