//! Whether the disk has room. Where it had some a moment ago it is not asked again, however many messages come.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use store::StoreError;
use store::embedded::Embedded;
use types::Timestamp;

/// What was found when it was asked last. The store asks again at each commit: this is for telling a client early.
#[derive(Debug, Default)]
pub(crate) struct Room {
    asked_at_ms: AtomicU64,
    is_low: AtomicBool,
}

const ASKED_EVERY_MS: u64 = 1000;

impl Room {
    /// Whether what is left is kept for what was accepted already.
    pub(crate) fn is_low(&self, store: &Embedded, now: Timestamp) -> bool {
        let asked_at_ms = self.asked_at_ms.load(Ordering::Relaxed);
        // Without room it is asked each time: there is nothing else to do, and mail flows as soon as it can. A clock
        // that went back asks again.
        if self.is_low.load(Ordering::Relaxed) || now.millis().abs_diff(asked_at_ms) >= ASKED_EVERY_MS {
            self.asked_at_ms.store(now.millis(), Ordering::Relaxed);
            self.is_low.store(matches!(store.room(), Err(StoreError::Full(_))), Ordering::Relaxed);
        }
        self.is_low.load(Ordering::Relaxed)
    }
}
