//! The committer's thread: takes what waits, commits it together.

use std::time::Duration;

use tokio::sync::mpsc;

use super::core::{Core, Transaction};
use super::shared::Shared;

/// What comes to the committer.
#[derive(Debug)]
pub(super) enum Work {
    Commit(Transaction),
    /// Finish what is there and end.
    Stop,
}

/// So many transactions wait at most; who comes later waits to be taken in.
pub(super) const QUEUE_MAX: usize = 1024;
/// A batch takes no more once it has this many octets.
pub(super) const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// Where several were committed together, the next ones are given this part of the time of a sync to come together
/// too: each sync and each waking of a thread costs more than the wait, and one alone never waits.
const GATHER_PART: u32 = 2;
/// However slow the disk is.
const GATHER_MAX: Duration = Duration::from_micros(300);

/// Works until it is told to stop, or until nobody is left who could ask.
pub(super) fn run(mut core: Core, mut queue: mpsc::Receiver<Work>, shared: &Shared) {
    let mut together = 0;
    while let Some(first) = queue.blocking_recv() {
        if together > 1 && queue.len() + 1 < together {
            std::thread::sleep((core.sync_time() / GATHER_PART).min(GATHER_MAX));
        }
        // Readers wait for the view: it must not fall behind without bound.
        shared.backlog.wait_for_room();
        let (batch, stop) = gather(Some(first), &mut queue);
        together = batch.len();
        core.commit(batch);
        if stop {
            break;
        }
    }
    // Nothing more is taken in; what is in the queue is still answered.
    queue.close();
    loop {
        let (batch, _) = gather(None, &mut queue);
        if batch.is_empty() {
            break;
        }
        core.commit(batch);
    }
    shared.backlog.stop();
}

/// Everything that waits, up to a bound: that is what shares one sync.
pub(super) fn gather(first: Option<Work>, queue: &mut mpsc::Receiver<Work>) -> (Vec<Transaction>, bool) {
    let mut batch = Vec::new();
    let mut bytes = 0;
    let mut next = first.or_else(|| queue.try_recv().ok());
    while let Some(work) = next {
        match work {
            Work::Stop => return (batch, true),
            Work::Commit(transaction) => {
                bytes += transaction.op.size_bytes();
                batch.push(transaction);
            }
        }
        next = if bytes < BATCH_BYTES { queue.try_recv().ok() } else { None };
    }
    (batch, false)
}
