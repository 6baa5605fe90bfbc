//! Batches that are committed and wait to be applied to the view.
//!
//! Whoever reads the view has them applied before; otherwise they are gathered, so that what comes and goes in one batch
//! touches no table.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::log::Batch;
use super::record::Lsn;
use super::shared::Progress;
use super::sync::lock;

/// Batches that wait to be applied to the view.
#[derive(Debug)]
pub(super) struct Backlog {
    inner: Mutex<Waiting>,
    /// There is something to do.
    filled: Condvar,
    /// Something was done.
    drained: Condvar,
    /// A reader waits, for [`super::drive`].
    demanded: Notify,
    bytes_max: usize,
}

#[derive(Debug)]
struct Waiting {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// When the oldest of the batches came.
    since: Option<Instant>,
    /// Where the last ended that was taken.
    taken: Lsn,
    /// Some of them have items of the queue that are about to be gone again.
    has_brief: bool,
    /// A reader waits for them.
    demanded: bool,
    stopping: bool,
    checkpoint_wanted: bool,
    /// Messages of mailboxes that are gone are to be cleared away, when nothing else is to be done.
    purge_wanted: bool,
}

/// So long batches are gathered before they are applied, unless somebody waits for them: each transaction of the
/// view costs some tens of microseconds whatever its size.
pub(super) const GATHER: Duration = Duration::from_millis(10);
/// The same where items of the queue came that somebody is at work on already: what is gone when they are applied gets
/// into no table, and a deep queue makes tables dear. What a relay has in hand at the end of that time does get there, so
/// the time is long beside that of an attempt. It is no longer than what a restart applies anyway.
const GATHER_BRIEF: Duration = Duration::from_secs(1);

/// What the applier has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    Apply,
    Checkpoint,
    Purge,
    Stop,
}

impl Backlog {
    /// The view has everything up to `applied`.
    pub(super) fn new(bytes_max: usize, applied: Lsn) -> Self {
        Self {
            inner: Mutex::new(Waiting {
                batches: VecDeque::new(),
                bytes: 0,
                since: None,
                taken: applied,
                has_brief: false,
                demanded: false,
                stopping: false,
                checkpoint_wanted: false,
                purge_wanted: false,
            }),
            filled: Condvar::new(),
            drained: Condvar::new(),
            demanded: Notify::new(),
            bytes_max,
        }
    }

    /// `has_brief`: whether it has new items of the queue that somebody is at work on. Returns where the oldest records
    /// may stand that are going to be applied in one step with it: what came there is not seen before it.
    pub(super) fn push(&self, batch: Batch, has_brief: bool) -> Lsn {
        let mut waiting = lock(&self.inner);
        waiting.has_brief |= has_brief;
        waiting.bytes += batch.memory_bytes();
        waiting.batches.push_back(batch);
        let first = waiting.since.is_none();
        if first {
            waiting.since = Some(Instant::now());
        }
        let urgent = first || waiting.bytes > self.gathered_bytes_max();
        let taken = waiting.taken;
        drop(waiting);
        if urgent {
            self.filled.notify_one();
        }
        taken
    }

    /// Has what is there applied at once: a reader waits.
    pub(super) fn demand(&self) {
        let mut waiting = lock(&self.inner);
        if !waiting.batches.is_empty() && !waiting.demanded {
            waiting.demanded = true;
            self.filled.notify_one();
            self.demanded.notify_one();
        }
    }

    /// Waits until a reader waits.
    pub(super) async fn demanded(&self) {
        self.demanded.notified().await;
    }

    /// Whether so much waits that commits have to.
    pub(super) fn is_full(&self) -> bool {
        lock(&self.inner).bytes > self.bytes_max
    }

    /// All that waits.
    pub(super) fn take(&self) -> Vec<Batch> {
        let mut waiting = lock(&self.inner);
        let batches = waiting.take();
        drop(waiting);
        self.drained.notify_all();
        batches
    }

    /// Drops all that waits, since the log is read up to where it is committed by now, which is returned.
    pub(super) fn give_up(&self, progress: &Progress) -> Lsn {
        let mut waiting = lock(&self.inner);
        drop(waiting.take());
        // What is committed and not here yet is read, too.
        let committed = progress.committed();
        waiting.taken = waiting.taken.max(committed);
        drop(waiting);
        self.drained.notify_all();
        committed
    }

    /// With more than that nothing is waited for: memory is for bursts.
    const fn gathered_bytes_max(&self) -> usize {
        self.bytes_max / 4
    }

    /// Waits until there is room for more; the committer does.
    pub(super) fn wait_for_room(&self) {
        let mut waiting = lock(&self.inner);
        while waiting.bytes > self.bytes_max && !waiting.stopping {
            waiting = self.drained.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    /// Waits until the view is durable up to a position; false where the store stops before.
    pub(super) fn wait_for_checkpoint(&self, progress: &Progress, at: Lsn) -> bool {
        let mut waiting = lock(&self.inner);
        while progress.checkpointed() < at {
            if waiting.stopping {
                return false;
            }
            waiting.checkpoint_wanted = true;
            self.filled.notify_one();
            waiting = self.drained.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        true
    }

    /// Tells who waits for a checkpoint that there was one, or none.
    pub(super) fn checkpoint_done(&self) {
        drop(lock(&self.inner));
        self.drained.notify_all();
    }

    /// Asks for a checkpoint now.
    pub(super) fn want_checkpoint(&self) {
        lock(&self.inner).checkpoint_wanted = true;
        self.filled.notify_one();
    }

    /// Asks for a step of clearing away what is gone.
    pub(super) fn want_purge(&self) {
        lock(&self.inner).purge_wanted = true;
        self.filled.notify_one();
    }

    /// Lets the applier finish what is there and end.
    pub(super) fn stop(&self) {
        lock(&self.inner).stopping = true;
        self.filled.notify_all();
        self.drained.notify_all();
    }

    pub(super) fn is_stopping(&self) -> bool {
        lock(&self.inner).stopping
    }

    /// Waits for something to do; `due` is when a checkpoint is.
    pub(super) fn duty(&self, due: Option<Instant>) -> Duty {
        let mut waiting = lock(&self.inner);
        loop {
            let now = Instant::now();
            let gather = if waiting.has_brief { GATHER_BRIEF } else { GATHER };
            let gathered = waiting.since.map(|since| since + gather);
            let urgent = waiting.demanded
                || waiting.stopping
                || waiting.checkpoint_wanted
                || waiting.bytes > self.gathered_bytes_max();
            if gathered.is_some_and(|gathered| urgent || gathered <= now) {
                return Duty::Apply;
            }
            if std::mem::take(&mut waiting.checkpoint_wanted) || due.is_some_and(|due| due <= now) {
                return Duty::Checkpoint;
            }
            if waiting.stopping {
                return Duty::Stop;
            }
            if std::mem::take(&mut waiting.purge_wanted) {
                return Duty::Purge;
            }
            waiting = match due.into_iter().chain(gathered).min() {
                None => self.filled.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner),
                Some(next) => {
                    let wait = self.filled.wait_timeout(waiting, next - now);
                    wait.unwrap_or_else(std::sync::PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Waiting {
    fn take(&mut self) -> Vec<Batch> {
        self.bytes = 0;
        self.since = None;
        self.has_brief = false;
        self.demanded = false;
        if let Some(last) = self.batches.back() {
            self.taken = self.taken.max(last.log_end());
        }
        self.batches.drain(..).collect()
    }
}
