//! Which maildrops are locked by a POP3 session (RFC 1939 §4: one session has it for itself).

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use store::AccountId;

/// The locked maildrops of a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Maildrops(Arc<Mutex<HashSet<AccountId>>>);

/// A locked maildrop; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct MaildropLock {
    maildrops: Maildrops,
    account: AccountId,
}

impl Maildrops {
    /// Locks it, unless somebody has.
    pub(crate) fn lock(&self, account: AccountId) -> Option<MaildropLock> {
        let is_free = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(account);
        is_free.then(|| MaildropLock { maildrops: self.clone(), account })
    }
}

impl Drop for MaildropLock {
    fn drop(&mut self) {
        self.maildrops.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}
