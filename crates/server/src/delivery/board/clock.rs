//! A clock that was put back.

use types::Timestamp;

use super::{ASKED_FRESH, Board};
use crate::delivery::far_ahead::JUMP_MIN;

impl Board {
    /// Whether the clock was put back since it was looked at last. Nothing that was said by it before lasts longer than
    /// it was meant to.
    pub(in crate::delivery) fn is_clock_back(&mut self, now: Timestamp) -> bool {
        if now.plus(JUMP_MIN) >= self.latest {
            self.latest = self.latest.max(now);
            return false;
        }
        self.latest = now;
        for entry in self.entries.values_mut() {
            if let Some((_, until)) = &mut entry.route {
                *until = now;
            }
            entry.used_at = entry.used_at.min(now);
            entry.asked_until = entry.asked_until.map(|until| until.min(now.plus(ASKED_FRESH)));
        }
        true
    }
}
