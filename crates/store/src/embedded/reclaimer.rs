//! The thread that gives segments up, woken after each checkpoint of the view.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;

use tokio::sync::{mpsc, oneshot};
use types::Timestamp;

use super::committer::Work;
use super::core::{Carry, Op, Transaction};
use super::expunged::to_purge;
use super::reclaim::{Hands, Skipped, reclaim_one};
use super::shared::{Shared, closed};
use crate::StoreError;

/// Works until nobody can wake it any more.
pub(super) fn run(shared: &Arc<Shared>, woken: &Receiver<()>, queue: &mpsc::WeakSender<Work>) {
    let mut skipped = Skipped::default();
    let mut commit = |items| commit(queue, items);
    let mut checkpoint = || {
        let at = shared.progress.committed();
        if shared.backlog.wait_for_checkpoint(&shared.progress, at) { Ok(()) } else { Err(closed()) }
    };
    while woken.recv().is_ok() {
        if shared.keep_expunged
            && shared.is_short.load(Ordering::Relaxed)
            && let Err(error) = purge(shared, queue)
        {
            tracing::warn!(%error, "what was expunged could not be let go");
        }
        let mut hands = Hands { commit: &mut commit, checkpoint: &mut checkpoint };
        loop {
            match reclaim_one(shared, &mut skipped, &mut hands) {
                Ok(true) => {}
                Ok(false) => break,
                Err(_) if shared.backlog.is_stopping() => return,
                Err(error) => {
                    tracing::warn!(%error, "a segment of the log could not be given up");
                    break;
                }
            }
        }
    }
}

/// Messages that are let go at a time where the disk is full.
const PURGED_AT_ONCE: usize = 1000;

/// Lets go of the oldest that can be restored, to make room.
fn purge(shared: &Shared, queue: &mpsc::WeakSender<Work>) -> Result<(), StoreError> {
    let asked = to_purge(&shared.view.read()?, Timestamp::from_millis(u64::MAX), PURGED_AT_ONCE)?;
    if asked.is_empty() { Ok(()) } else { submit(queue, Op::Purge(asked)) }
}

fn commit(queue: &mpsc::WeakSender<Work>, items: Vec<Carry>) -> Result<(), StoreError> {
    submit(queue, Op::Carry(items))
}

fn submit(queue: &mpsc::WeakSender<Work>, op: Op) -> Result<(), StoreError> {
    let queue = queue.upgrade().ok_or_else(closed)?;
    let (reply, answer) = oneshot::channel();
    let work = Work::Commit(Transaction { op, reply });
    queue.blocking_send(work).map_err(|_| closed())?;
    // Held while waiting, the queue would never be seen to close.
    drop(queue);
    answer.blocking_recv().map_err(|_| closed())?.map(drop)
}
