//! Which maildrops are locked by a POP3 session (RFC 1939 §4: one session has it for itself), and when each was opened last
//! (RFC 2449 §6.5).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::AccountId;
use types::Timestamp;

/// The maildrops of a node.
#[derive(Debug, Clone, Default)]
pub(crate) struct Maildrops(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    locked: HashSet<AccountId>,
    /// When accounts logged in that are to wait before they do again.
    opened: HashMap<AccountId, Timestamp>,
}

/// A locked maildrop; dropped, it is free again.
#[derive(Debug)]
pub(crate) struct MaildropLock {
    maildrops: Maildrops,
    account: AccountId,
}

/// Why a maildrop is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Closed {
    /// Another session has it.
    InUse,
    /// It was opened a short while ago.
    TooSoon,
}

/// Logins that are remembered; before there are more, those whose time has come are forgotten.
const OPENED_MAX: usize = 100_000;

impl Maildrops {
    /// Locks it, unless somebody has, or had it less than `delay` ago.
    pub(crate) fn lock(
        &self,
        account: AccountId,
        delay: Duration,
        now: Timestamp,
    ) -> Result<MaildropLock, Closed> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.locked.contains(&account) {
            return Err(Closed::InUse);
        }
        // A clock that was put back makes nobody wait longer than that.
        let is_recent = |opened: &Timestamp| *opened <= now && now.since(*opened) < delay;
        if state.opened.get(&account).is_some_and(is_recent) {
            return Err(Closed::TooSoon);
        }
        if !delay.is_zero() {
            if state.opened.len() >= OPENED_MAX {
                state.opened.retain(|_, opened| is_recent(opened));
            }
            if state.opened.len() < OPENED_MAX {
                state.opened.insert(account, now);
            }
        }
        state.locked.insert(account);
        drop(state);
        Ok(MaildropLock { maildrops: self.clone(), account })
    }
}

impl Drop for MaildropLock {
    fn drop(&mut self) {
        self.maildrops.0.lock().unwrap_or_else(PoisonError::into_inner).locked.remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELAY: Duration = Duration::from_secs(60);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + seconds * 1000)
    }

    #[test]
    fn a_maildrop_is_for_one_session_and_opens_again_after_the_delay() {
        let maildrops = Maildrops::default();
        let (ada, bob) = (AccountId(1), AccountId(2));
        let lock = maildrops.lock(ada, DELAY, at(0)).unwrap();
        assert_eq!(maildrops.lock(ada, DELAY, at(61)).unwrap_err(), Closed::InUse);
        assert!(maildrops.lock(bob, DELAY, at(1)).is_ok());
        drop(lock);
        assert_eq!(maildrops.lock(ada, DELAY, at(59)).unwrap_err(), Closed::TooSoon);
        // Being refused does not begin the time anew.
        assert!(maildrops.lock(ada, DELAY, at(60)).is_ok());
        assert_eq!(maildrops.lock(ada, DELAY, at(61)).unwrap_err(), Closed::TooSoon);
        assert!(maildrops.lock(ada, Duration::ZERO, at(61)).is_ok());
        assert!(maildrops.lock(ada, DELAY, at(2)).is_ok(), "the clock was put back");
    }
}
