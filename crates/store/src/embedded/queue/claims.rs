//! Who is at work on which item: in memory alone, for a restart ends all of it.
//!
//! The view lags behind what is committed, so an item may stand there as waiting that was settled meanwhile. The same
//! table therefore says which items were changed so lately that the view of some reader may not have it yet: they are
//! not given out on the word of such a view. Otherwise a message would be sent twice.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;

use tokio::time::Instant;

use super::super::record::Lsn;
use super::super::sync::lock;
use crate::QueueItemId;

/// Claims of all items.
#[derive(Debug, Default)]
pub(in super::super) struct Claims(Mutex<Table>);

#[derive(Debug, Default)]
struct Table {
    items: HashMap<QueueItemId, Claim>,
    /// What to forget when every view has it, in order.
    changed: VecDeque<(Lsn, QueueItemId)>,
    /// Up to where the views of those who look for items have it, at least.
    floors: Vec<Lsn>,
}

#[derive(Debug)]
struct Claim {
    held: Hold,
    /// The end of the batch that changed the item last; 0 where the view has it.
    changed: Lsn,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hold {
    Nobody,
    /// By who accepted it.
    Always,
    Until(Instant),
}

/// Somebody who looks for items in a view that has everything up to `floor`.
#[derive(Debug)]
pub(in super::super) struct Claimer<'c> {
    claims: &'c Claims,
    floor: Lsn,
    until: Instant,
}

impl Claims {
    /// Begins to look. Must come before the view is opened for reading; `applied` is what it has at least.
    pub(in super::super) fn claimer(&self, applied: Lsn, until: Instant) -> Claimer<'_> {
        let mut table = lock(&self.0);
        table.prune(applied);
        table.floors.push(applied);
        drop(table);
        Claimer { claims: self, floor: applied, until }
    }

    /// Items are new, and those who accepted them have them. Must come before the view has them.
    pub(in super::super) fn accepted(&self, ids: &[QueueItemId]) {
        let mut table = lock(&self.0);
        table.items.extend(ids.iter().map(|id| (*id, Claim { held: Hold::Always, changed: Lsn(0) })));
    }

    /// Items were changed by a batch that ends there: nobody has them any more. Must come before that is answered.
    pub(in super::super) fn changed(&self, ids: &[QueueItemId], end: Lsn, applied: Lsn) {
        let mut table = lock(&self.0);
        for id in ids {
            table.items.insert(*id, Claim { held: Hold::Nobody, changed: end });
            table.changed.push_back((end, *id));
        }
        table.prune(applied);
    }

    /// Gives claims back. Returns the items that those who accepted them had.
    pub(in super::super) fn release(&self, ids: &[QueueItemId]) -> Vec<QueueItemId> {
        let mut table = lock(&self.0);
        let mut fresh = Vec::new();
        for id in ids {
            if let Some(claim) = table.items.get_mut(id) {
                if std::mem::replace(&mut claim.held, Hold::Nobody) == Hold::Always {
                    fresh.push(*id);
                }
                if claim.changed == Lsn(0) {
                    table.items.remove(id);
                }
            }
        }
        fresh
    }
}

impl Claimer<'_> {
    /// Takes an item that stands in the view; false where somebody has it, or where the view is behind.
    pub(in super::super) fn take(&self, id: QueueItemId) -> bool {
        let mut table = lock(&self.claims.0);
        let mut changed = Lsn(0);
        if let Some(claim) = table.items.get(&id) {
            changed = claim.changed;
            let is_held = match claim.held {
                Hold::Nobody => false,
                Hold::Always => true,
                Hold::Until(until) => until > Instant::now(),
            };
            if is_held || claim.changed > self.floor {
                return false;
            }
        }
        table.items.insert(id, Claim { held: Hold::Until(self.until), changed });
        true
    }
}

impl Drop for Claimer<'_> {
    fn drop(&mut self) {
        let mut table = lock(&self.claims.0);
        if let Some(at) = table.floors.iter().position(|floor| *floor == self.floor) {
            table.floors.swap_remove(at);
        }
    }
}

impl Table {
    fn prune(&mut self, applied: Lsn) {
        let floor = self.floors.iter().copied().min().unwrap_or(applied).min(applied);
        while let Some((end, id)) = self.changed.front().copied().filter(|(end, _)| *end <= floor) {
            self.changed.pop_front();
            match self.items.get_mut(&id) {
                Some(claim) if claim.changed == end && claim.held == Hold::Nobody => {
                    self.items.remove(&id);
                }
                Some(claim) if claim.changed == end => claim.changed = Lsn(0),
                // There was a later change.
                _ => {}
            }
        }
        if self.changed.is_empty() {
            // What a burst took is given back.
            self.items.shrink_to(IDLE_CAPACITY.max(self.items.len() * 2));
            self.changed.shrink_to(IDLE_CAPACITY);
        }
    }
}

/// So many places are kept when there is nothing.
const IDLE_CAPACITY: usize = 1024;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use types::{MailId, Timestamp};

    use super::*;

    fn id(n: u64) -> QueueItemId {
        QueueItemId { mail_id: MailId::new(Timestamp::from_millis(1), n), part: 1 }
    }

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(3600)
    }

    fn memory(claims: &Claims) -> (usize, usize) {
        let table = lock(&claims.0);
        (table.items.len(), table.changed.len())
    }

    #[test]
    fn what_one_has_another_does_not_get_until_it_is_given_back_or_its_time_is_over() {
        let claims = Claims::default();
        assert!(claims.claimer(Lsn(1), later()).take(id(1)));
        assert!(!claims.claimer(Lsn(1), later()).take(id(1)));
        claims.release(&[id(1)]);
        // Over at once.
        assert!(claims.claimer(Lsn(1), Instant::now()).take(id(1)));
        assert!(claims.claimer(Lsn(1), later()).take(id(1)));
        claims.accepted(&[id(2)]);
        assert!(!claims.claimer(Lsn(1), later()).take(id(2)));
    }

    #[test]
    fn what_was_settled_is_not_given_out_by_a_view_that_does_not_have_it() {
        let claims = Claims::default();
        let behind = claims.claimer(Lsn(100), later());
        claims.accepted(&[id(1)]);
        claims.changed(&[id(1)], Lsn(200), Lsn(100));
        // The view has it by now, but the one that is being read may be older.
        claims.changed(&[], Lsn(300), Lsn(300));
        assert!(!behind.take(id(1)));
        drop(behind);
        assert!(claims.claimer(Lsn(300), later()).take(id(1)));
    }

    #[test]
    fn what_was_taken_and_given_back_since_is_not_given_out_by_an_older_view_either() {
        let claims = Claims::default();
        let behind = claims.claimer(Lsn(100), later());
        claims.changed(&[id(1)], Lsn(200), Lsn(100));
        assert!(claims.claimer(Lsn(200), later()).take(id(1)));
        claims.release(&[id(1)]);
        assert!(!behind.take(id(1)));
        assert!(claims.claimer(Lsn(200), later()).take(id(1)));
        drop(behind);
        // It is still held when what was changed is forgotten.
        claims.changed(&[], Lsn(200), Lsn(200));
        assert!(!claims.claimer(Lsn(200), later()).take(id(1)));
        assert_eq!(memory(&claims), (1, 0));
        claims.release(&[id(1)]);
        assert_eq!(memory(&claims), (0, 0));
    }

    #[test]
    fn what_every_view_has_takes_no_memory() {
        let claims = Claims::default();
        for n in 0..100 {
            claims.accepted(&[id(n)]);
            claims.changed(&[id(n)], Lsn(n + 1), Lsn(0));
        }
        assert_eq!(memory(&claims), (100, 100));
        let behind = claims.claimer(Lsn(40), later());
        claims.changed(&[], Lsn(100), Lsn(100));
        assert_eq!(memory(&claims), (60, 60));
        drop(behind);
        claims.changed(&[], Lsn(100), Lsn(100));
        assert_eq!(memory(&claims), (0, 0));
    }
}
