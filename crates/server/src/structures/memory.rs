//! Structures that were asked for lately.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use imap::mime::Structure;
use imap::session::Structures;
use types::MailId;

/// Octets that are kept, about.
const BYTES_MAX: usize = 16 * 1024 * 1024;

/// Structures in two generations: when the young ones have half of the room, they become the old ones, and those that nobody asked
/// for meanwhile go.
#[derive(Debug, Default)]
pub(crate) struct StructureMemory(Mutex<Generations>);

#[derive(Debug, Default)]
struct Generations {
    young: HashMap<MailId, Arc<Structure>>,
    young_bytes: usize,
    old: HashMap<MailId, Arc<Structure>>,
}

impl StructureMemory {
    /// Those that are here, in order.
    pub(super) fn find(&self, ids: impl Iterator<Item = MailId>) -> Structures {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ids.map(|id| generations.find(id)).collect()
    }

    pub(super) fn add(&self, structures: impl Iterator<Item = (MailId, Arc<Structure>)>) {
        let mut generations = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        structures.for_each(|(id, structure)| generations.add(id, structure));
    }
}

impl Generations {
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
}
