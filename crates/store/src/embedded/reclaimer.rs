//! The thread that gives segments up, woken after each checkpoint of the view, and now and then where the disk is full.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};

use tokio::sync::{mpsc, oneshot};
use types::Timestamp;

use super::applier::CHECKPOINT_INTERVAL;
use super::committer::Work;
use super::core::{Carry, Op, Transaction};
use super::expunged::to_purge;
use super::reclaim::{Hands, Skipped, drop_spares, reclaim_one};
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
    loop {
        let waited = wait(shared, woken);
        if waited == Err(RecvTimeoutError::Disconnected) {
            return;
        }
        make_room(shared, &mut |op| submit(queue, op));
        if waited.is_err() {
            if shared.is_full() {
                // Segments are given up behind it.
                shared.backlog.want_checkpoint();
            } else {
                // Somebody else made room. Who finds none again says so.
                shared.is_short.store(false, Ordering::Relaxed);
            }
            continue;
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

/// Waits until it is woken. Where there was no room on the disk it waits no longer than for a checkpoint: what failed then is
/// tried again, also where nobody commits anything.
fn wait(shared: &Shared, woken: &Receiver<()>) -> Result<(), RecvTimeoutError> {
    if shared.is_short.load(Ordering::Relaxed) {
        return woken.recv_timeout(CHECKPOINT_INTERVAL);
    }
    woken.recv().map_err(|_| RecvTimeoutError::Disconnected)
}

/// Messages that are let go at a time where the disk is full.
const PURGED_AT_ONCE: usize = 1000;

/// Where there is no room on the disk, lets go of the segments that wait to be used again, and where that does not suffice of the
/// oldest messages that can be restored. What fails there keeps no segment from being given up, which makes room, too.
pub(super) fn make_room(shared: &Shared, commit: &mut dyn FnMut(Op) -> Result<(), StoreError>) {
    if !shared.is_full() {
        return;
    }
    if let Err(error) = drop_spares(shared) {
        tracing::warn!(%error, "segments that wait to be used again could not be let go");
    }
    if !shared.keep_expunged || !shared.is_full() {
        return;
    }
    let asked =
        shared.view.read().and_then(|view| to_purge(&view, Timestamp::from_millis(u64::MAX), PURGED_AT_ONCE));
    let purged = asked.and_then(|asked| if asked.is_empty() { Ok(()) } else { commit(Op::Purge(asked)) });
    if let Err(error) = purged {
        tracing::warn!(%error, "what was expunged could not be let go");
    }
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
