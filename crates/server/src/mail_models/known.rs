//! What sessions know of a mailbox, as the store may take it instead of reading it.

use std::sync::Arc;

use imap::view::Snapshot;
use store::{Flags, KnownMessages, ModSeq, Uid};

/// A snapshot of a model. Deltas come in the order of what was committed, so that one with the number of a change has all of
/// the mailbox up to it.
#[derive(Debug)]
pub(crate) struct Known(pub(crate) Arc<Snapshot>);

impl KnownMessages for Known {
    fn highest_modseq(&self) -> ModSeq {
        self.0.highest_modseq
    }

    fn each(&self, uids: &[Uid], visit: &mut dyn FnMut(Uid, Flags, ModSeq)) {
        self.0.each_of(uids, |message| visit(message.uid, message.flags, message.modseq));
    }
}
