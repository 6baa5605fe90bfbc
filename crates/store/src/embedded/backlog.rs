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
    /// Up to where readers wait for the view, also of what is committed and comes here in a moment.
    demanded: Lsn,
    stopping: bool,
    checkpoint_wanted: bool,
    /// The last one failed; another is made in a while, whoever wants it.
    checkpoint_failed: bool,
    /// Messages of mailboxes that are gone are to be cleared away, when nothing else is to be done.
    purge_wanted: bool,
    /// The last step of that failed; the next is made then, whoever wants it before.
    purge_again: Option<Instant>,
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
                demanded: applied,
                stopping: false,
                checkpoint_wanted: false,
                checkpoint_failed: false,
                purge_wanted: false,
                purge_again: None,
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
        let urgent = first || waiting.is_urgent(self.gathered_bytes_max());
        let taken = waiting.taken;
        drop(waiting);
        if urgent {
            self.filled.notify_one();
        }
        taken
    }

    /// Has what is there and what comes up to a position applied at once: a reader waits.
    pub(super) fn demand(&self, at: Lsn) {
        let mut waiting = lock(&self.inner);
        if at > waiting.taken && at > waiting.demanded {
            waiting.demanded = at;
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
            if !waiting.checkpoint_failed {
                waiting.checkpoint_wanted = true;
                self.filled.notify_one();
            }
            waiting = self.drained.wait(waiting).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
        true
    }

    /// Tells who waits for a checkpoint that there was one.
    pub(super) fn checkpoint_done(&self) {
        lock(&self.inner).checkpoint_failed = false;
        self.drained.notify_all();
    }

    /// Has who waits for a checkpoint wait for the one that is made in a while.
    pub(super) fn checkpoint_failed(&self) {
        lock(&self.inner).checkpoint_failed = true;
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

    /// Asks for a step of clearing away at a later time, and for none before.
    pub(super) fn want_purge_at(&self, again: Instant) {
        let mut waiting = lock(&self.inner);
        waiting.purge_wanted = true;
        waiting.purge_again = Some(again);
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
            let next = match waiting.duty(now, due, self.gathered_bytes_max()) {
                Ok(duty) => return duty,
                Err(next) => next,
            };
            waiting = match next {
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
    /// What is to be done now, or when the next thing is.
    fn duty(
        &mut self,
        now: Instant,
        due: Option<Instant>,
        bytes_max: usize,
    ) -> Result<Duty, Option<Instant>> {
        let gather = if self.has_brief { GATHER_BRIEF } else { GATHER };
        let gathered = self.since.map(|since| since + gather);
        if gathered.is_some_and(|gathered| gathered <= now || self.is_urgent(bytes_max)) {
            return Ok(Duty::Apply);
        }
        if std::mem::take(&mut self.checkpoint_wanted) || due.is_some_and(|due| due <= now) {
            return Ok(Duty::Checkpoint);
        }
        if self.stopping {
            return Ok(Duty::Stop);
        }
        let purge_at = self.purge_wanted.then(|| self.purge_again.unwrap_or(now));
        if purge_at.is_some_and(|at| at <= now) {
            self.purge_wanted = false;
            self.purge_again = None;
            return Ok(Duty::Purge);
        }
        Err(due.into_iter().chain(gathered).chain(purge_at).min())
    }

    /// Whether what is gathered waits no longer.
    fn is_urgent(&self, bytes_max: usize) -> bool {
        self.demanded > self.taken || self.stopping || self.checkpoint_wanted || self.bytes > bytes_max
    }

    fn take(&mut self) -> Vec<Batch> {
        self.bytes = 0;
        self.since = None;
        self.has_brief = false;
        if let Some(last) = self.batches.back() {
            self.taken = self.taken.max(last.log_end());
        }
        self.batches.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::Kind;
    use super::*;

    /// Puts in a batch of one record with new items of the queue; returns where it ends.
    fn put(backlog: &Backlog, at: Lsn) -> Lsn {
        let mut batch = Batch::at(at);
        batch.push(Kind::Queue, Vec::new(), |out| out.push(1));
        let end = batch.end();
        backlog.push(batch, true);
        end
    }

    /// What is to be done as soon as a batch is there.
    fn at_once(backlog: &Backlog) -> Option<Duty> {
        let mut waiting = lock(&backlog.inner);
        let now = waiting.since.unwrap_or_else(Instant::now);
        waiting.duty(now, None, backlog.gathered_bytes_max()).ok()
    }

    #[test]
    fn a_reader_who_asks_before_what_it_waits_for_has_come_does_not_wait_for_the_gathering() {
        let start = Lsn::first_of(1);
        let backlog = Backlog::new(1 << 20, start);
        let first = put(&backlog, start);
        assert_eq!(at_once(&backlog), None);
        backlog.demand(first);
        assert_eq!(at_once(&backlog), Some(Duty::Apply));
        drop(backlog.take());
        // Committed, and on its way to the backlog.
        backlog.demand(Lsn(first.0 + 1));
        assert_eq!(at_once(&backlog), None);
        let second = put(&backlog, first);
        assert_eq!(at_once(&backlog), Some(Duty::Apply));
        drop(backlog.take());
        // What is being applied makes nothing else urgent.
        backlog.demand(second);
        put(&backlog, second);
        assert_eq!(at_once(&backlog), None);
    }

    #[test]
    fn clearing_away_that_failed_is_not_tried_again_before_its_time() {
        let backlog = Backlog::new(1 << 20, Lsn::first_of(1));
        let now = Instant::now();
        let again = now + Duration::from_secs(1);
        let duty = |at| lock(&backlog.inner).duty(at, None, backlog.gathered_bytes_max());
        backlog.want_purge();
        assert_eq!(duty(now), Ok(Duty::Purge));
        backlog.want_purge_at(again);
        // A view that was opened again asks for it, too.
        backlog.want_purge();
        assert_eq!(duty(now), Err(Some(again)));
        assert_eq!(duty(again), Ok(Duty::Purge));
        assert_eq!(duty(again), Err(None));
        backlog.want_purge();
        assert_eq!(duty(again), Ok(Duty::Purge));
    }
}
