//! What was said, as long as it holds.
//!
//! Bounded by entries and by octets: an answer may be as large as a DNS message, and a domain costs its owner nothing.
//! What was learned first goes first.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::{Duration, Instant};

/// Values by key, each until its time.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// Keys in the order in which they came.
    order: BTreeMap<u64, K>,
    next: u64,
    size_bytes: usize,
    entries_max: usize,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    until: Instant,
    place: u64,
    size_bytes: usize,
}

/// What an entry takes on average; honest answers are smaller.
const ENTRY_BYTES_AVERAGE: usize = 1024;

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    pub(super) fn new(entries_max: usize) -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), next: 0, size_bytes: 0, entries_max }
    }

    /// What is known of `key` at `now`.
    pub(super) fn find(&mut self, key: &K, now: Instant) -> Option<V> {
        let entry = self.entries.get(key)?;
        if now < entry.until {
            return Some(entry.value.clone());
        }
        self.remove(key);
        None
    }

    /// Remembers `value`, which takes about `size_bytes`. What holds for no time, or is larger than all there is room
    /// for, is not remembered.
    pub(super) fn insert(&mut self, key: K, value: V, size_bytes: usize, holds: Duration, now: Instant) {
        self.remove(&key);
        let size_bytes_max = self.entries_max.saturating_mul(ENTRY_BYTES_AVERAGE);
        let Some(until) = now.checked_add(holds) else { return };
        if holds.is_zero() || size_bytes > size_bytes_max || self.entries_max == 0 {
            return;
        }
        while self.entries.len() >= self.entries_max || self.size_bytes + size_bytes > size_bytes_max {
            let Some((_, oldest)) = self.order.pop_first() else { break };
            self.forget(&oldest);
        }
        let place = self.next;
        self.next += 1;
        self.size_bytes += size_bytes;
        self.order.insert(place, key.clone());
        self.entries.insert(key, Entry { value, until, place, size_bytes });
    }

    fn remove(&mut self, key: &K) {
        if let Some(place) = self.forget(key) {
            self.order.remove(&place);
        }
    }

    fn forget(&mut self, key: &K) -> Option<u64> {
        let entry = self.entries.remove(key)?;
        self.size_bytes -= entry.size_bytes;
        Some(entry.place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    #[test]
    fn an_answer_is_known_until_its_time_and_not_at_it() {
        let (mut cache, now) = (Cache::new(4), Instant::now());
        cache.insert("a", 1, 10, HOUR, now);
        cache.insert("b", 2, 10, Duration::ZERO, now);
        assert_eq!(cache.find(&"a", now), Some(1));
        assert_eq!(cache.find(&"b", now), None);
        assert_eq!(cache.find(&"a", now + HOUR - Duration::from_nanos(1)), Some(1));
        assert_eq!(cache.find(&"a", now + HOUR), None);
        assert_eq!((cache.entries.len(), cache.order.len(), cache.size_bytes), (0, 0, 0));
    }

    #[test]
    fn the_oldest_goes_first_where_entries_are_too_many_or_too_large() {
        let (mut cache, now) = (Cache::new(3), Instant::now());
        for n in 0..5 {
            cache.insert(n, n, 10, HOUR, now);
        }
        let known =
            |cache: &mut Cache<_, _>| (0..8).filter(|n| cache.find(n, now).is_some()).collect::<Vec<_>>();
        assert_eq!(known(&mut cache), [2, 3, 4]);
        cache.insert(2, 2, 10, HOUR, now);
        cache.insert(5, 5, 10, HOUR, now);
        assert_eq!(known(&mut cache), [2, 4, 5]);
        cache.insert(6, 6, 2 * ENTRY_BYTES_AVERAGE + 1024 - 20, HOUR, now);
        assert_eq!(known(&mut cache), [2, 5, 6]);
        cache.insert(7, 7, 3 * ENTRY_BYTES_AVERAGE + 1, HOUR, now);
        assert_eq!(known(&mut cache), [2, 5, 6]);
        assert_eq!(cache.order.len(), cache.entries.len());
    }
}
