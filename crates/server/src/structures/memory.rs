//! Structures that were asked for lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use imap::mime::Structure;
use tokio::sync::Notify;
use tokio::time::sleep;
use types::MailId;

/// Octets that are kept, about.
const BYTES_MAX: usize = 4 * 1024 * 1024;
/// Nothing is kept when nobody asked for so long.
const IDLE_TIME: Duration = Duration::from_secs(60);

/// Structures in two generations: when the young ones have half of the room, they become the old ones, and those that nobody asked
/// for meanwhile go. They serve those who read one message in several steps; lists of messages go by what the store keeps.
#[derive(Debug, Default)]
pub(crate) struct StructureMemory {
    generations: Mutex<Generations>,
    /// There is something again.
    filled: Notify,
}

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<MailId, Arc<Structure>>,
    young_bytes: usize,
    old: HashMap<MailId, Arc<Structure>>,
    /// Somebody asked since that was looked at.
    is_in_use: bool,
}

impl StructureMemory {
    /// Those that are here, in order.
    pub(super) fn find(&self, ids: impl Iterator<Item = MailId>) -> Vec<Option<Arc<Structure>>> {
        let mut generations = self.lock();
        generations.is_in_use = true;
        ids.map(|id| generations.find(id)).collect()
    }

    pub(super) fn add(&self, structures: impl Iterator<Item = (MailId, Arc<Structure>)>) {
        let mut generations = self.lock();
        let was_empty = generations.is_empty();
        generations.is_in_use = true;
        structures.for_each(|(id, structure)| generations.add(id, structure));
        if was_empty && !generations.is_empty() {
            self.filled.notify_one();
        }
    }

    /// Forgets everything whenever nobody has asked for a time. Costs nothing while there is nothing.
    pub(crate) async fn forget_when_idle(&self) {
        loop {
            self.filled.notified().await;
            while self.lock().is_used() {
                sleep(IDLE_TIME).await;
            }
            *self.lock() = Generations::default();
            crate::memory::give_back_later();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Generations> {
        self.generations.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    fn is_empty(&self) -> bool {
        self.young.is_empty() && self.old.is_empty()
    }

    /// Whether it was used since this was asked last.
    const fn is_used(&mut self) -> bool {
        std::mem::replace(&mut self.is_in_use, false)
    }

    fn find(&mut self, id: MailId) -> Option<Arc<Structure>> {
        if let Some(structure) = self.young.get(&id) {
            return Some(Arc::clone(structure));
        }
        let structure = self.old.remove(&id)?;
        self.add(id, Arc::clone(&structure));
        Some(structure)
    }

    fn add(&mut self, id: MailId, structure: Arc<Structure>) {
        self.young_bytes += structure.memory_bytes();
        self.young.insert(id, structure);
        if self.young_bytes > BYTES_MAX / 2 {
            self.young_bytes = 0;
            self.old = std::mem::take(&mut self.young);
        }
    }
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let id = |n| MailId::new(Timestamp::from_millis(1), n);
        let memory = StructureMemory::default();
        let structure = Arc::new(Structure::of(b"Subject: one\r\n\r\ntext\r\n"));
        let half = u64::try_from(BYTES_MAX / 2 / structure.memory_bytes()).unwrap() + 1;
        memory.add([(id(0), Arc::clone(&structure)), (id(1), Arc::clone(&structure))].into_iter());
        for n in 2..5 * half {
            memory.add(std::iter::once((id(n), Arc::clone(&structure))));
            assert!(memory.find(std::iter::once(id(0)))[0].is_some(), "{n}");
        }
        assert_eq!(memory.find([id(1), id(5 * half - 1)].into_iter()), [None, Some(structure)]);
    }

    #[tokio::test(start_paused = true)]
    async fn everything_is_forgotten_when_nobody_asked_for_a_time() {
        let memory = Arc::new(StructureMemory::default());
        let forgetting = Arc::clone(&memory);
        let task = tokio::spawn(async move { forgetting.forget_when_idle().await });
        for round in 0..2 {
            let id = MailId::new(Timestamp::from_millis(1), round);
            memory.add(std::iter::once((id, Arc::new(Structure::of(b"Subject: one\r\n\r\n")))));
            for _ in 0..5 {
                sleep(IDLE_TIME * 2 / 3).await;
                assert!(memory.find(std::iter::once(id))[0].is_some());
            }
            sleep(IDLE_TIME * 3).await;
            assert!(memory.lock().is_empty());
        }
        task.abort();
    }
}
