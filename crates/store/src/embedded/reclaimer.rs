//! Giving segments up, and making room on a full disk: the thread that does it, woken after each checkpoint of the view, and now and
//! then where the disk is full.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use tokio::sync::{mpsc, oneshot};
use types::Timestamp;

use super::applier::CHECKPOINT_INTERVAL;
use super::committer::Work;
use super::core::{Op, Transaction};
use super::expunged::to_purge;
use super::reclaim::{Hands, Search, Skipped, reclaim_one, sync_names};
use super::shared::{Shared, closed};
use crate::StoreError;

/// Works until nobody can wake it any more.
pub(super) fn run(shared: &Arc<Shared>, woken: &Receiver<()>, queue: &mpsc::WeakSender<Work>) {
    let mut skipped = Skipped::default();
    let mut commit = |op| submit(queue, op);
    let mut checkpoint = || {
        let at = shared.progress.committed();
        if shared.backlog.wait_for_checkpoint(&shared.progress, at) { Ok(()) } else { Err(closed()) }
    };
    let mut hands = Hands { commit: &mut commit, checkpoint: &mut checkpoint };
    ask_for_room(shared);
    loop {
        match wait(shared, woken) {
            Ok(()) => work(shared, &mut skipped, &mut hands),
            Err(RecvTimeoutError::Timeout) => ask_for_room(shared),
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// Where the disk is full this has a checkpoint made, which wakes the thread: nothing is let go before all that was done is durable.
/// Where it is not any more, nothing more is done, until somebody finds it full.
fn ask_for_room(shared: &Shared) {
    shared.is_short.store(false, Ordering::Relaxed);
    let _ = shared.room();
}

/// Waits until it is woken. Where there was no room on the disk it waits no longer than for a checkpoint: what failed then is
/// tried again, also where nobody commits anything.
fn wait(shared: &Shared, woken: &Receiver<()>) -> Result<(), RecvTimeoutError> {
    if shared.is_short.load(Ordering::Relaxed) {
        return woken.recv_timeout(CHECKPOINT_INTERVAL);
    }
    woken.recv().map_err(|_| RecvTimeoutError::Disconnected)
}

fn work(shared: &Shared, skipped: &mut Skipped, hands: &mut Hands<'_>) {
    loop {
        match step(shared, skipped, hands) {
            Ok(true) => {}
            Ok(false) => return,
            Err(_) if shared.backlog.is_stopping() => return,
            Err(error) => return tracing::warn!(%error, "a segment of the log could not be given up"),
        }
    }
}

/// Messages that are let go at a time where the disk is full.
const PURGED_AT_ONCE: usize = 1000;

/// Gives up one segment of the log. Where there is no room on the disk, segments that wait to be used again go first, and where none
/// can be given up the oldest messages that can be restored: a few, whose segments are given up before more of them go. What was
/// done before must be durable. False where nothing is left to do.
pub(super) fn step(
    shared: &Shared,
    skipped: &mut Skipped,
    hands: &mut Hands<'_>,
) -> Result<bool, StoreError> {
    let is_full = shared.is_full();
    skipped.clear_where_changed(is_full);
    if is_full && let Err(error) = drop_spares(shared) {
        tracing::warn!(%error, "segments that wait to be used again could not be let go");
    }
    let found = match reclaim_one(shared, skipped, hands) {
        Ok(Search::GivenUp) => return Ok(true),
        Ok(Search::TooEarly) => return Ok(false),
        Ok(Search::Nothing) => Ok(false),
        // Of a segment of which less is needed less has to be written again.
        Err(error @ StoreError::Full(_)) => Err(error),
        Err(error) => return Err(error),
    };
    if !shared.keep_expunged || !shared.is_full() || !let_go(shared, hands)? {
        return found;
    }
    skipped.clear();
    (hands.checkpoint)()?;
    Ok(true)
}

/// Lets go of the files that wait to be used again.
fn drop_spares(shared: &Shared) -> Result<(), StoreError> {
    let spares = shared.spares.take();
    if spares.is_empty() {
        return Ok(());
    }
    // One that stays is removed at the next start.
    spares.iter().for_each(|spare| drop(shared.disk.remove(spare)));
    sync_names(shared)
}

/// Lets go of the oldest messages that can be restored; false where there are none.
fn let_go(shared: &Shared, hands: &mut Hands<'_>) -> Result<bool, StoreError> {
    let asked = to_purge(&shared.view.read()?, Timestamp::from_millis(u64::MAX), PURGED_AT_ONCE)?;
    if asked.is_empty() {
        return Ok(false);
    }
    let before = shared.progress.committed();
    (hands.commit)(Op::Purge(asked))?;
    // Others may have let go of them just now.
    Ok(shared.progress.committed() > before)
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
