//! Rates: how often something may happen within a window of time that slides.
//!
//! Each key has a ring of [`BUCKETS`] counters. What happened in a bucket counts until the whole bucket has left the
//! window, so that no window of that length, wherever it begins, ever holds more than the limit; in exchange a
//! bucket's worth of time may pass before an event is forgotten.
//!
//! The memory for a key is fixed, and the number of keys is bounded: where there is no room for a new one, the least
//! used of a few others is forgotten. A flood of new keys so displaces keys that have done little, and hardly those
//! near their limit.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::time::Duration;

use types::Timestamp;

/// Whether something is within its rate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rate {
    /// It is.
    Within,
    /// It is not, and will be after `wait` if nothing else happens until then.
    Exceeded {
        /// Until it is worth trying again.
        wait: Duration,
    },
}

impl Rate {
    /// Both must be kept: the one that asks for the longer wait.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Exceeded { wait: one }, Self::Exceeded { wait: two }) => {
                Self::Exceeded { wait: one.max(two) }
            }
            (Self::Within, other) => other,
            (exceeded, Self::Within) => exceeded,
        }
    }
}

/// Counters of what happened in a sliding window, for each key.
#[derive(Debug, Clone)]
pub struct Windows<K> {
    bucket_ms: u64,
    keys_max: usize,
    places: BTreeMap<K, usize>,
    slots: Vec<Slot<K>>,
    /// Where the search for a slot to give up goes on.
    hand: usize,
}

impl<K: Ord + Clone> Windows<K> {
    /// Counters over `window`, for `keys_max` keys at most.
    #[must_use]
    pub fn new(window: Duration, keys_max: usize) -> Self {
        let window_ms = u64::try_from(window.as_millis()).unwrap_or(u64::MAX);
        Self {
            bucket_ms: window_ms.div_ceil(WHOLE_BUCKETS).max(1),
            keys_max: keys_max.max(1),
            places: BTreeMap::new(),
            slots: Vec::new(),
            hand: 0,
        }
    }

    /// How many keys are kept.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether nothing is kept.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Whether one more is within `limit` for a window, without counting it.
    #[must_use]
    pub fn check<Q: Ord + ?Sized>(&self, key: &Q, limit: u32, now: Timestamp) -> Rate
    where
        K: Borrow<Q>,
    {
        let bucket = now.millis() / self.bucket_ms;
        match self.places.get(key) {
            _ if limit == 0 => Rate::Exceeded { wait: self.until(bucket + BUCKETS as u64, now) },
            None => Rate::Within,
            Some(place) => self.rate(&self.slots[*place].ring.at(bucket), limit, now),
        }
    }

    /// Counts one more, if that is within `limit`.
    pub fn take(&mut self, key: &K, limit: u32, now: Timestamp) -> Rate {
        let rate = self.check(key, limit, now);
        if rate == Rate::Within {
            let bucket = now.millis() / self.bucket_ms;
            let place = self.place(key, bucket);
            let ring = &mut self.slots[place].ring;
            *ring = ring.at(bucket);
            ring.count_one();
        }
        rate
    }

    fn rate(&self, ring: &Ring, limit: u32, now: Timestamp) -> Rate {
        match ring.bucket_with_room_for_one(limit) {
            None => Rate::Within,
            Some(bucket) => Rate::Exceeded { wait: self.until(bucket, now) },
        }
    }

    /// The time from `now` to the start of a bucket.
    fn until(&self, bucket: u64, now: Timestamp) -> Duration {
        Timestamp::from_millis(bucket.saturating_mul(self.bucket_ms)).since(now)
    }

    /// The slot of `key`, which becomes its own if it had none.
    fn place(&mut self, key: &K, bucket: u64) -> usize {
        if let Some(place) = self.places.get(key) {
            return *place;
        }
        let slot = Slot { key: key.clone(), ring: Ring::new(bucket) };
        let place = if self.slots.len() < self.keys_max {
            self.slots.push(slot);
            self.slots.len() - 1
        } else {
            let place = self.least_used(bucket);
            let before = std::mem::replace(&mut self.slots[place], slot);
            self.places.remove(&before.key);
            place
        };
        self.places.insert(key.clone(), place);
        place
    }

    /// The least used of the next [`EVICTION_LOOKS`] slots.
    fn least_used(&mut self, bucket: u64) -> usize {
        let len = self.slots.len();
        let looks = EVICTION_LOOKS.min(len);
        let first = self.hand;
        self.hand = (first + looks) % len;
        (first..first + looks)
            .map(|index| index % len)
            .min_by_key(|place| self.slots[*place].ring.at(bucket).sum())
            .unwrap_or(0)
    }
}

#[derive(Debug, Clone)]
struct Slot<K> {
    key: K,
    ring: Ring,
}

/// Counts of the buckets `newest - BUCKETS + 1 ..= newest`.
#[derive(Debug, Clone, Copy)]
struct Ring {
    newest: u64,
    counts: [u32; BUCKETS],
}

impl Ring {
    const fn new(bucket: u64) -> Self {
        Self { newest: bucket, counts: [0; BUCKETS] }
    }

    /// The ring with `bucket` as the newest. A clock that was put back a little counts into the newest; one that was
    /// put back by more than a window begins anew, lest it stand still until the old time comes again.
    fn at(&self, bucket: u64) -> Self {
        let mut ring = *self;
        if bucket.saturating_add(BUCKETS as u64) < self.newest || bucket >= self.newest + BUCKETS as u64 {
            return Self::new(bucket);
        }
        while ring.newest < bucket {
            ring.newest += 1;
            ring.counts[index(ring.newest)] = 0;
        }
        ring
    }

    fn sum(&self) -> u64 {
        self.counts.iter().map(|count| u64::from(*count)).sum()
    }

    const fn count_one(&mut self) {
        let count = &mut self.counts[index(self.newest)];
        *count = count.saturating_add(1);
    }

    /// None where there is room now; else the first bucket to come in which there is.
    fn bucket_with_room_for_one(&self, limit: u32) -> Option<u64> {
        let mut sum = self.sum();
        if sum < u64::from(limit) {
            return None;
        }
        let mut bucket = self.newest;
        // Each step forgets the bucket whose place the next one takes; after BUCKETS steps all are forgotten.
        for _ in 0..BUCKETS {
            bucket += 1;
            sum -= u64::from(self.counts[index(bucket)]);
            if sum < u64::from(limit) {
                break;
            }
        }
        Some(bucket)
    }
}

const fn index(bucket: u64) -> usize {
    // Below BUCKETS, which fits.
    (bucket % BUCKETS as u64) as usize
}

/// Buckets that a window is divided into.
const WHOLE_BUCKETS: u64 = 20;
/// And one more, the oldest of which has partly left the window.
const BUCKETS: usize = WHOLE_BUCKETS as usize + 1;
/// Slots that are looked at to find one to give up.
const EVICTION_LOOKS: usize = 16;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW_MS: u64 = 20_000;
    const BUCKET_MS: u64 = WINDOW_MS / WHOLE_BUCKETS;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_795_322_124_250 + millis)
    }

    fn windows(keys_max: usize) -> Windows<u32> {
        Windows::new(Duration::from_millis(WINDOW_MS), keys_max)
    }

    #[test]
    fn the_limit_is_taken_and_one_more_has_to_wait_for_the_window() {
        let mut windows = windows(10);
        for _ in 0..3 {
            assert_eq!(windows.take(&1, 3, at(0)), Rate::Within);
        }
        let Rate::Exceeded { wait } = windows.take(&1, 3, at(5000)) else { panic!("a fourth was taken") };
        let wait_ms = u64::try_from(wait.as_millis()).unwrap();
        assert!((WINDOW_MS - 5000..=WINDOW_MS - 5000 + BUCKET_MS).contains(&wait_ms), "{wait_ms}");
        assert_eq!(windows.take(&2, 3, at(5000)), Rate::Within);
        assert_eq!(windows.take(&1, 3, at(5000 + wait_ms)), Rate::Within);
    }

    #[test]
    fn a_limit_of_none_is_never_within() {
        let mut windows = windows(10);
        assert!(
            matches!(windows.take(&1, 0, at(0)), Rate::Exceeded { wait } if wait >= Duration::from_secs(20))
        );
        assert!(windows.is_empty());
    }

    #[test]
    fn a_clock_that_was_put_back_by_a_year_does_not_stop_anybody_for_a_year() {
        const YEAR_MS: u64 = 365 * 24 * 3_600_000;
        let mut windows = windows(10);
        assert_eq!(windows.take(&1, 1, at(YEAR_MS)), Rate::Within);
        assert_eq!(windows.take(&1, 1, at(0)), Rate::Within);
        assert!(matches!(windows.take(&1, 1, at(1)), Rate::Exceeded { .. }));
        // A second is the adjustment of a clock: nothing is forgotten for it.
        assert_eq!(windows.take(&2, 1, at(5000)), Rate::Within);
        assert!(matches!(windows.take(&2, 1, at(4000)), Rate::Exceeded { .. }));
    }

    #[test]
    fn a_flood_of_keys_takes_no_more_room_and_leaves_those_near_their_limit() {
        let mut windows = windows(100);
        for _ in 0..50 {
            windows.take(&u32::MAX, 50, at(0));
        }
        for key in 0..100_000 {
            assert_eq!(windows.take(&key, 50, at(u64::from(key) % 10)), Rate::Within);
        }
        assert_eq!(windows.len(), 100);
        assert_eq!(windows.places.len(), 100);
        assert!(matches!(windows.check(&u32::MAX, 50, at(10)), Rate::Exceeded { .. }));
    }

    #[test]
    fn two_rates_together_ask_for_the_longer_wait() {
        let exceeded = |seconds| Rate::Exceeded { wait: Duration::from_secs(seconds) };
        assert_eq!(Rate::Within.and(Rate::Within), Rate::Within);
        assert_eq!(Rate::Within.and(exceeded(3)), exceeded(3));
        assert_eq!(exceeded(3).and(Rate::Within), exceeded(3));
        assert_eq!(exceeded(3).and(exceeded(9)), exceeded(9));
    }

    proptest! {
        /// The model remembers when each event was. What is taken never passes the limit in any window; what is
        /// refused would have passed it in a window that is longer by one bucket; and after the wait that was told,
        /// not a millisecond before, it is taken.
        #[test]
        fn windows_agree_with_a_model_that_remembers_everything(
            limit in 1_u32..6,
            steps in prop::collection::vec(0_u64..9000, 1..200),
        ) {
            let mut windows = windows(10);
            let mut taken: Vec<u64> = Vec::new();
            let mut now = 0;
            for step in steps {
                now += step;
                let within = |ms: u64| taken.iter().filter(|t| **t + ms > now).count() as u64;
                match windows.take(&1, limit, at(now)) {
                    Rate::Within => {
                        prop_assert!(within(WINDOW_MS) < u64::from(limit));
                        taken.push(now);
                    }
                    Rate::Exceeded { wait } => {
                        prop_assert!(within(WINDOW_MS + BUCKET_MS) >= u64::from(limit));
                        let wait_ms = u64::try_from(wait.as_millis()).unwrap();
                        prop_assert_eq!(windows.check(&1, limit, at(now + wait_ms)), Rate::Within);
                        prop_assert_ne!(windows.check(&1, limit, at(now + wait_ms - 1)), Rate::Within);
                    }
                }
            }
        }
    }
}
