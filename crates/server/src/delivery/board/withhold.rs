//! What an operator changes: nobody begins with it meanwhile.

use store::QueueItem;

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

impl Board {
    /// Keeps an item from being begun.
    pub(in crate::delivery) fn withhold(&mut self, item: &QueueItem) -> Withheld {
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
