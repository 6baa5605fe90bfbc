//! Rows of what was made of messages that somebody asked for lately.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::sleep;
use types::MailId;

/// Rows in two generations: after some time the young ones become the old ones, and those that nobody asked for meanwhile go. What
/// comes when it is full is not kept, so that who goes through a large mailbox once does not take the rows of all others.
#[derive(Debug)]
pub(crate) struct RowMemory<K = MailId> {
    generations: Mutex<Generations<K>>,
    bytes_max: usize,
    /// What nobody asks for goes after this time, or twice it.
    age: Duration,
    /// There is something again.
    filled: Notify,
}

#[derive(Debug)]
struct Generations<K> {
    young: Rows<K>,
    old: Rows<K>,
}

#[derive(Debug)]
struct Rows<K> {
    of: HashMap<K, Bytes, BuildHasherDefault<IdHasher>>,
    bytes: usize,
}

/// What a row takes besides its octets, about.
const ROW_BYTES: usize = 96;

impl<K: Copy + Eq + Hash> RowMemory<K> {
    /// Of rows that take so many octets, about.
    pub(super) fn new(bytes_max: usize, age: Duration) -> Self {
        let generations = Mutex::new(Generations { young: Rows::new(), old: Rows::new() });
        Self { generations, bytes_max, age, filled: Notify::new() }
    }

    /// Those that are here, in order.
    pub(super) fn find(&self, ids: &[K]) -> Vec<Option<Bytes>> {
        let mut generations = self.lock();
        ids.iter().map(|id| generations.find(*id)).collect()
    }

    /// Adds rows that were not here.
    pub(super) fn add<'r>(&self, rows: impl Iterator<Item = (K, &'r Bytes)>) {
        self.put(&mut self.lock(), rows);
    }

    /// Adds rows in place of those that may be here, and be of no use.
    pub(super) fn replace<'r>(&self, rows: impl Iterator<Item = (K, &'r Bytes)>) {
        let mut generations = self.lock();
        let rows: Vec<(K, &'r Bytes)> = rows.collect();
        for (id, _) in &rows {
            generations.young.take(*id);
            generations.old.take(*id);
        }
        self.put(&mut generations, rows.into_iter());
    }

    fn put<'r>(&self, generations: &mut Generations<K>, rows: impl Iterator<Item = (K, &'r Bytes)>) {
        let was_empty = generations.is_empty();
        for (id, row) in rows {
            if generations.bytes() + row.len() + ROW_BYTES <= self.bytes_max {
                // A row of its own: one of many that came together would keep all of them.
                generations.young.put(id, Bytes::copy_from_slice(row));
            }
        }
        if was_empty && !generations.is_empty() {
            self.filled.notify_one();
        }
    }

    /// Lets go of what nobody asks for, as long as there is something; while there is nothing it only waits.
    pub(crate) async fn age(&self) {
        loop {
            self.filled.notified().await;
            while !self.lock().is_empty() {
                sleep(self.age).await;
                let gone = self.lock().turn();
                drop(gone);
                crate::memory::give_back_later();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations<K>> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Generations<K> {
    fn is_empty(&self) -> bool {
        self.young.of.is_empty() && self.old.of.is_empty()
    }

    const fn bytes(&self) -> usize {
        self.young.bytes + self.old.bytes
    }

    fn find(&mut self, id: K) -> Option<Bytes> {
        if let Some(row) = self.young.of.get(&id) {
            return Some(row.clone());
        }
        let row = self.old.take(id)?;
        self.young.put(id, row.clone());
        Some(row)
    }

    /// Some time has gone by; returns what nobody asked for.
    fn turn(&mut self) -> Rows<K> {
        let young = std::mem::replace(&mut self.young, Rows::new());
        std::mem::replace(&mut self.old, young)
    }
}

impl<K: Eq + Hash> Rows<K> {
    fn new() -> Self {
        Self { of: HashMap::default(), bytes: 0 }
    }

    fn put(&mut self, id: K, row: Bytes) {
        self.bytes += row.len() + ROW_BYTES;
        if let Some(before) = self.of.insert(id, row) {
            self.bytes -= before.len() + ROW_BYTES;
        }
    }

    fn take(&mut self, id: K) -> Option<Bytes> {
        let row = self.of.remove(&id)?;
        self.bytes -= row.len() + ROW_BYTES;
        Some(row)
    }
}

/// Ids of messages have random bits of our own making, those of mailboxes are counted: nobody outside chooses where they come to
/// lie, and mixing them is enough.
#[derive(Debug, Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, octets: &[u8]) {
        octets.iter().for_each(|octet| self.write_u128(u128::from(*octet)));
    }

    fn write_u128(&mut self, number: u128) {
        // The upper half is the time, which differs little.
        let (low, high) = (number as u64, (number >> 64) as u64);
        self.0 = (self.0 ^ low ^ high.rotate_left(32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    }

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use types::Timestamp;

    use super::*;

    const AGE: Duration = Duration::from_secs(60);

    const fn id(n: u64) -> MailId {
        MailId::new(Timestamp::from_millis(1), n)
    }

    fn row() -> Bytes {
        Bytes::from_static(&[7; 1000])
    }

    #[test]
    fn what_comes_when_it_is_full_is_not_kept() {
        let memory = RowMemory::new(10 * (row().len() + ROW_BYTES), AGE);
        (0..20).for_each(|n| memory.add(std::iter::once((id(n), &row()))));
        // Those that are there already may come again.
        memory.replace(std::iter::once((id(3), &row())));
        let there = memory.find(&[id(0), id(9), id(10), id(19)]);
        assert_eq!(there, [Some(row()), Some(row()), None, None]);
        assert_eq!(memory.lock().bytes(), memory.bytes_max);
    }

    #[test]
    fn what_nobody_asks_for_goes_and_makes_room() {
        let memory = RowMemory::new(2 * (row().len() + ROW_BYTES), AGE);
        memory.add([(id(1), &row()), (id(2), &row())].into_iter());
        assert!(memory.lock().turn().of.is_empty());
        assert!(memory.find(&[id(2)])[0].is_some());
        assert_eq!(memory.lock().turn().of.len(), 1);
        memory.add(std::iter::once((id(3), &row())));
        assert_eq!(memory.find(&[id(1), id(2), id(3)]), [None, Some(row()), Some(row())]);
        let turn = || memory.lock().turn();
        assert_eq!((turn().bytes, turn().of.len()), (0, 2));
        assert_eq!(memory.lock().bytes(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_node_remembers_nothing() {
        let memory = Arc::new(RowMemory::new(1 << 20, AGE));
        let aging = Arc::clone(&memory);
        let task = tokio::spawn(async move { aging.age().await });
        for n in 0..2 {
            memory.add(std::iter::once((id(n), &row())));
            for _ in 0..5 {
                sleep(AGE * 2 / 3).await;
                assert!(memory.find(&[id(n)])[0].is_some());
            }
            sleep(AGE * 3).await;
            assert!(memory.lock().is_empty());
        }
        task.abort();
    }
}
