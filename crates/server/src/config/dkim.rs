//! The keys with which our domains sign.

use std::time::Duration;

use mta::dkim_rotation::DkimSchedule;

use super::section::sections;

sections! {
    /// The keys with which our domains sign (docs/dkim.md). They are made with `posta domain add` and `posta dkim rotate`.
    struct Dkim {
        /// Days for which a key signs before the next one is made; 0 means that keys are made by `posta dkim rotate` alone.
        /// The next one does not sign before the DNS has its record: until somebody publishes that, the old one signs on, and
        /// the log says once a day what is missing.
        rotate_days: usize = 180;
        /// Days for which a key that signs no more is kept, and its record has to stay: more than mail may be on its way.
        overlap_days: usize = 14, min 7, "";
    }
}

impl Dkim {
    pub(crate) fn schedule(&self) -> DkimSchedule {
        DkimSchedule {
            rotate_after: (self.rotate_days > 0).then(|| days(self.rotate_days)),
            overlap: days(self.overlap_days),
            settled_after: SETTLED_AFTER,
        }
    }
}

fn days(days: usize) -> Duration {
    Duration::from_secs((days as u64).saturating_mul(24 * 60 * 60))
}

/// Longer than most caches say that there is no record (RFC 2308 §5 recommends no more than three hours; zones mostly say one).
const SETTLED_AFTER: Duration = Duration::from_secs(60 * 60);
