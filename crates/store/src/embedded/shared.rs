//! What the committer, the applier, readers and those who ask share.

use std::collections::{HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};
use types::MailId;

use super::disk::{Disk, DiskLock};
use super::figures::TimeClasses;
use super::log::{Batch, Spares};
use super::queue::Claims;
use super::record::Lsn;
use super::segments::{Segments, unavailable};
use super::sync::lock;
use super::view::View;
use crate::{MailboxId, StoreError};

/// The parts of an open store.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) root: PathBuf,
    pub(super) min_free_bytes: u64,
    pub(super) body_file_bytes: u64,
    pub(super) segments: Arc<Segments>,
    pub(super) spares: Arc<Spares>,
    pub(super) view: View,
    pub(super) progress: Progress,
    pub(super) backlog: Backlog,
    /// Messages that are committed and perhaps not applied yet.
    pub(super) recent: Mutex<HashSet<MailId>>,
    /// Who is at work on which item of the queue.
    pub(super) claims: Claims,
    pub(super) fatal: watch::Sender<Option<String>>,
    pub(super) next_file: AtomicU64,
    pub(super) metrics: Metrics,
    /// Held while segments are given up, and while a check needs them to stay.
    pub(super) reclaiming: Mutex<()>,
    /// Held for its lock of the data folder.
    pub(super) _lock: Box<dyn DiskLock>,
}

impl Shared {
    pub(super) fn bodies_dir(&self) -> PathBuf {
        self.root.join("bodies")
    }

    pub(super) fn body_path(&self, number: u64) -> PathBuf {
        self.bodies_dir().join(format!("{number:016x}"))
    }

    /// Refuses where the disk is nearly full.
    pub(super) fn room(&self) -> Result<(), StoreError> {
        let free = self.disk.free_bytes(&self.root).map_err(|e| unavailable("ask for free space", &e))?;
        if free < self.min_free_bytes {
            return Err(StoreError::Full(format!(
                "{free} octets are free on the disk, and {} are kept free",
                self.min_free_bytes
            )));
        }
        Ok(())
    }

    /// Notes what went wrong for good; the first cause stays.
    pub(super) fn fail(&self, error: &StoreError) {
        self.fatal.send_if_modified(|fatal| {
            let first = fatal.is_none();
            if first {
                tracing::error!(%error, "the store accepts nothing any more");
                *fatal = Some(error.to_string());
            }
            first
        });
        self.progress.wake();
    }

    /// Closes a view that failed; readers are told why, until it is healed.
    pub(super) fn close_view(&self, why: &StoreError) {
        self.view.close(Some(why.clone()));
        self.progress.wake();
    }

    pub(super) fn failed(&self) -> Option<StoreError> {
        self.fatal.borrow().clone().map(StoreError::Unavailable)
    }
}

/// Where the log is, and how far the view has come.
#[derive(Debug)]
pub(super) struct Progress {
    committed: AtomicU64,
    applied: AtomicU64,
    checkpointed: AtomicU64,
    applied_watch: watch::Sender<u64>,
    /// The last change of the mailboxes that fall on each place, so that a reader waits for what it reads only.
    touched: Vec<AtomicU64>,
    /// The same for destinations of the queue, as far as something waits there that nobody has.
    touched_destinations: Vec<AtomicU64>,
    directory: AtomicU64,
    queue: AtomicU64,
    /// The view has something that is not durable and that no position tells.
    unsaved: AtomicBool,
}

const TOUCHED_PLACES: usize = 256;

impl Progress {
    pub(super) fn new(at: Lsn) -> Self {
        Self {
            committed: AtomicU64::new(at.0),
            applied: AtomicU64::new(at.0),
            checkpointed: AtomicU64::new(0),
            applied_watch: watch::Sender::new(at.0),
            touched: (0..TOUCHED_PLACES).map(|_| AtomicU64::new(0)).collect(),
            touched_destinations: (0..TOUCHED_PLACES).map(|_| AtomicU64::new(0)).collect(),
            directory: AtomicU64::new(0),
            queue: AtomicU64::new(0),
            unsaved: AtomicBool::new(false),
        }
    }

    pub(super) fn committed(&self) -> Lsn {
        Lsn(self.committed.load(Ordering::Acquire))
    }

    pub(super) fn applied(&self) -> Lsn {
        Lsn(self.applied.load(Ordering::Acquire))
    }

    pub(super) fn checkpointed(&self) -> Lsn {
        Lsn(self.checkpointed.load(Ordering::Acquire))
    }

    pub(super) fn set_committed(&self, at: Lsn) {
        self.committed.store(at.0, Ordering::Release);
    }

    pub(super) fn set_applied(&self, at: Lsn) {
        self.applied.store(at.0, Ordering::Release);
        self.applied_watch.send_replace(at.0);
    }

    pub(super) fn set_checkpointed(&self, at: Lsn) {
        self.checkpointed.store(at.0, Ordering::Release);
    }

    pub(super) fn is_unsaved(&self) -> bool {
        self.unsaved.load(Ordering::Acquire)
    }

    pub(super) fn set_unsaved(&self, unsaved: bool) {
        self.unsaved.store(unsaved, Ordering::Release);
    }

    pub(super) fn touch_mailbox(&self, mailbox: MailboxId, at: Lsn) {
        self.place(mailbox).store(at.0, Ordering::Release);
    }

    pub(super) fn touch_directory(&self, at: Lsn) {
        self.directory.store(at.0, Ordering::Release);
    }

    pub(super) fn touch_queue(&self, at: Lsn) {
        self.queue.store(at.0, Ordering::Release);
    }

    pub(super) fn touch_destination(&self, name: &str, at: Lsn) {
        self.destination_place(name).store(at.0, Ordering::Release);
    }

    fn destination_place(&self, name: &str) -> &AtomicU64 {
        &self.touched_destinations[crc32c::crc32c(name.as_bytes()) as usize % TOUCHED_PLACES]
    }

    fn place(&self, mailbox: MailboxId) -> &AtomicU64 {
        let place = usize::try_from(mailbox.0 % TOUCHED_PLACES as u64).unwrap_or(0);
        &self.touched[place]
    }

    /// What must be applied before a mailbox is read.
    pub(super) fn of_mailbox(&self, mailbox: MailboxId) -> Lsn {
        Lsn(self.place(mailbox).load(Ordering::Acquire))
    }

    /// What must be applied before the directory is read.
    pub(super) fn of_directory(&self) -> Lsn {
        Lsn(self.directory.load(Ordering::Acquire))
    }

    /// What must be applied before the queue is read.
    pub(super) fn of_queue(&self) -> Lsn {
        Lsn(self.queue.load(Ordering::Acquire))
    }

    /// What must be applied before somebody looks for work at a destination.
    pub(super) fn of_destination(&self, name: &str) -> Lsn {
        Lsn(self.destination_place(name).load(Ordering::Acquire))
    }

    fn wake(&self) {
        self.applied_watch.send_modify(|_| {});
    }
}

impl Shared {
    /// Waits until the view has come to a position.
    pub(super) async fn applied(&self, at: Lsn) -> Result<(), StoreError> {
        if self.progress.applied() >= at {
            return Ok(());
        }
        let mut applied = self.progress.applied_watch.subscribe();
        let mut fatal = self.fatal.subscribe();
        // What is committed is applied even after the log has failed, so only a view that cannot be brought up
        // ends the wait early.
        loop {
            if *applied.borrow_and_update() >= at.0 {
                return Ok(());
            }
            self.backlog.demand();
            if !self.view.is_open()
                && let Err(error) = self.view.read()
            {
                return Err(error);
            }
            tokio::select! {
                changed = applied.changed() => changed.map_err(|_| closed())?,
                changed = fatal.changed() => changed.map_err(|_| closed())?,
            }
        }
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
}

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

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// When the oldest of the batches came.
    since: Option<Instant>,
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
/// into no table, and a deep queue makes tables dear.
const GATHER_BRIEF: Duration = Duration::from_millis(50);

/// What the applier has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Duty {
    Apply,
    Checkpoint,
    Purge,
    Stop,
}

impl Backlog {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            inner: Mutex::default(),
            filled: Condvar::new(),
            drained: Condvar::new(),
            demanded: Notify::new(),
            bytes_max,
        }
    }

    /// `has_brief`: whether it has new items of the queue that somebody is at work on.
    pub(super) fn push(&self, batch: Batch, has_brief: bool) {
        let mut waiting = lock(&self.inner);
        waiting.has_brief |= has_brief;
        waiting.bytes += batch.memory_bytes();
        waiting.batches.push_back(batch);
        let first = waiting.since.is_none();
        if first {
            waiting.since = Some(Instant::now());
        }
        let urgent = first || waiting.bytes > self.bytes_max / 2;
        drop(waiting);
        if urgent {
            self.filled.notify_one();
        }
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
        waiting.bytes = 0;
        waiting.since = None;
        waiting.has_brief = false;
        waiting.demanded = false;
        let batches = waiting.batches.drain(..).collect();
        drop(waiting);
        self.drained.notify_all();
        batches
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
                || waiting.bytes > self.bytes_max / 2;
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

/// Counters since the start.
#[derive(Debug, Default)]
pub(super) struct Metrics {
    pub(super) batches: AtomicU64,
    pub(super) transactions: AtomicU64,
    pub(super) sync_nanos: AtomicU64,
    pub(super) sync_nanos_max: AtomicU64,
    pub(super) sync_classes: TimeClasses,
    pub(super) last_checkpoint: Mutex<Option<Instant>>,
    pub(super) segments_reclaimed: AtomicU64,
}

impl Metrics {
    pub(super) fn batch(&self, transactions: usize, sync: Duration) {
        let nanos = u64::try_from(sync.as_nanos()).unwrap_or(u64::MAX);
        self.batches.fetch_add(1, Ordering::Relaxed);
        self.transactions.fetch_add(transactions as u64, Ordering::Relaxed);
        self.sync_nanos.fetch_add(nanos, Ordering::Relaxed);
        self.sync_nanos_max.fetch_max(nanos, Ordering::Relaxed);
        self.sync_classes.count(sync);
    }
}
