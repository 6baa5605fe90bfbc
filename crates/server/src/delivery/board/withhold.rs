//! What an operator changes: nobody begins with it meanwhile.

use std::collections::{HashSet, VecDeque};

use store::{QueueItem, QueueItemId};

use super::{Board, Presence};

/// Where an item was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::delivery) enum Withheld {
    /// Nowhere: it is in memory now, and is to be given back by [`Board::finished`].
    Adopted,
    /// In memory: it is not begun any more.
    Withdrawn,
    /// It is being sent.
    UnderWay,
}

/// Items that somebody changed lately. Who has just accepted a message brings its items as they were when it came, and
/// an operator may have held or removed them in between.
#[derive(Default)]
pub(super) struct ChangedLately {
    ids: HashSet<QueueItemId>,
    order: VecDeque<QueueItemId>,
}

/// Far more than are changed while a message that was accepted is brought here.
const CHANGED_MAX: usize = 4096;
/// Of an item that nobody has changed.
const FIRST_REVISION: u32 = 1;

impl ChangedLately {
    pub(super) fn add(&mut self, id: QueueItemId) {
        if self.ids.insert(id) {
            self.order.push_back(id);
        }
        if self.order.len() > CHANGED_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }

    /// Whether the item is as it was before somebody changed it.
    pub(super) fn is_outdated(&self, item: &QueueItem) -> bool {
        item.revision == FIRST_REVISION && self.ids.contains(&item.id)
    }
}

impl Board {
    /// Keeps an item from being begun.
    pub(in crate::delivery) fn withhold(&mut self, item: &QueueItem) -> Withheld {
        self.changed_lately.add(item.id);
        if self.adopt(item) {
            return Withheld::Adopted;
        }
        match self.items.get_mut(&item.id) {
            Some(Presence::UnderWay) => Withheld::UnderWay,
            Some(presence) => {
                *presence = Presence::Withdrawn;
                Withheld::Withdrawn
            }
            // Nothing is begun any more.
            None => Withheld::Withdrawn,
        }
    }
}
