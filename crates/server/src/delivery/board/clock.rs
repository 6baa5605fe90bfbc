//! A clock that was put back.

use types::Timestamp;

use super::{ASKED_FRESH, Board};

impl Board {
    /// Nothing that was said by the clock before lasts longer than it was meant to.
    pub(in crate::delivery) fn clock_is_back(&mut self, now: Timestamp) {
        for entry in self.entries.values_mut() {
            if let Some((_, until)) = &mut entry.route {
                *until = now;
            }
            entry.used_at = entry.used_at.min(now);
            entry.asked_until = entry.asked_until.map(|until| until.min(now.plus(ASKED_FRESH)));
        }
    }
}
