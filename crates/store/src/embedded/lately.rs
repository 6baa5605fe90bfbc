//! Which messages changed so lately that the view may not have it yet, so that who asks for one message waits for no
//! other, and so that what was accepted is known at once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use types::MailId;

use super::record::Lsn;
use super::sync::lock;

/// By message.
#[derive(Debug, Default)]
pub(super) struct Lately(Mutex<Table>);

/// For changing many together.
#[derive(Debug, Default)]
pub(super) struct Table(HashMap<MailId, Change>);

#[derive(Debug, Clone, Copy)]
struct Change {
    /// The end of the batch that changed it last.
    end: Lsn,
    /// Its record is among what is not applied.
    is_stored: bool,
}

/// So many places are kept when there is nothing.
const IDLE_CAPACITY: usize = 1024;

impl Lately {
    pub(super) fn lock(&self) -> MutexGuard<'_, Table> {
        lock(&self.0)
    }

    /// What must be applied before a message is read, as far as it was stored or its items of the queue changed.
    pub(super) fn of(&self, id: MailId) -> Lsn {
        self.lock().0.get(&id).map_or(Lsn(0), |change| change.end)
    }

    /// Whether a message was stored by what a view with everything up to `applied` does not have.
    pub(super) fn is_stored(&self, id: MailId, applied: Lsn) -> bool {
        self.lock().0.get(&id).is_some_and(|change| change.is_stored && change.end > applied)
    }
}

impl Table {
    /// A message was stored by a batch that ends there.
    pub(super) fn stored(&mut self, id: MailId, end: Lsn) {
        self.0.insert(id, Change { end, is_stored: true });
    }

    /// An item of a message was changed by a batch that ends there.
    pub(super) fn changed(&mut self, id: MailId, end: Lsn) {
        self.0.entry(id).or_insert(Change { end, is_stored: false }).end = end;
    }

    /// Forgets a message where the view has all of it.
    pub(super) fn forget(&mut self, id: MailId, applied: Lsn) {
        if self.0.get(&id).is_some_and(|change| change.end <= applied) {
            self.0.remove(&id);
        }
    }

    /// Gives back what a burst took.
    pub(super) fn shrink(&mut self) {
        self.0.shrink_to(IDLE_CAPACITY);
    }
}

#[cfg(test)]
mod tests {
    use types::Timestamp;

    use super::*;

    #[test]
    fn a_message_is_kept_until_the_view_has_its_last_change() {
        let lately = Lately::default();
        let id = |n| MailId::new(Timestamp::from_millis(1), n);
        lately.lock().stored(id(1), Lsn(100));
        lately.lock().changed(id(1), Lsn(200));
        lately.lock().changed(id(2), Lsn(200));
        assert_eq!([id(1), id(2), id(3)].map(|id| lately.of(id)), [Lsn(200), Lsn(200), Lsn(0)]);
        assert_eq!([id(1), id(2), id(3)].map(|id| lately.is_stored(id, Lsn(199))), [true, false, false]);
        // Nobody has forgotten it yet, and the view has it.
        assert!(!lately.is_stored(id(1), Lsn(200)));
        lately.lock().forget(id(1), Lsn(199));
        assert!(lately.is_stored(id(1), Lsn(199)));
        lately.lock().forget(id(1), Lsn(200));
        assert_eq!((lately.of(id(1)), lately.is_stored(id(1), Lsn(0))), (Lsn(0), false));
    }
}
