//! What the committer, the applier, readers and those who ask share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::backlog::Backlog;
use super::disk::{Disk, DiskLock};
use super::figures::TimeClasses;
use super::lately::Lately;
use super::log::Spares;
use super::queue::Claims;
use super::record::Lsn;
use super::segments::{Segments, unavailable};
use super::view::View;
use super::watchers::Watchers;
use crate::{MailboxId, QueueItemId, StoreError};

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
    /// Messages that changed so lately that the view may not have it yet.
    pub(super) lately: Lately,
    /// Who is at work on which item of the queue.
    pub(super) claims: Claims,
    pub(super) watchers: Arc<Watchers>,
    /// Whether what is expunged can be restored for a time.
    pub(super) keep_expunged: bool,
    /// Somebody was told that there is no room on the disk, and the thread that makes some has not found any since.
    pub(super) is_short: AtomicBool,
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

    /// Refuses where the disk is nearly full. Room is made then, also where nobody commits anything, since all are refused before: a
    /// checkpoint wakes who does it.
    pub(super) fn room(&self) -> Result<(), StoreError> {
        let free = self.disk.free_bytes(&self.root).map_err(|e| unavailable("ask for free space", &e))?;
        if free < self.min_free_bytes {
            if !self.is_short.swap(true, Ordering::Relaxed) {
                self.backlog.want_checkpoint();
            }
            return Err(StoreError::Full(format!(
                "{free} octets are free on the disk, and {} are kept free",
                self.min_free_bytes
            )));
        }
        Ok(())
    }

    /// Whether the disk says that it is nearly full; one that says nothing is not.
    pub(super) fn is_full(&self) -> bool {
        matches!(self.room(), Err(StoreError::Full(_)))
    }

    /// Gives claims back. Of what was accepted but now the view knows nothing yet, and who looks for it next is to find it.
    pub(super) fn release(&self, ids: &[QueueItemId]) {
        for id in self.claims.release(ids) {
            self.progress.touch_released(self.lately.of(id.mail_id));
        }
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
    /// The view has come further, or the log has failed. Who waits is woken in the order of the waits: a `watch` wakes by
    /// chance, which no seed of a simulation decides.
    applied_changed: Notify,
    /// The last change of the mailboxes that fall on each place, so that a reader waits for what it reads only.
    touched: Vec<AtomicU64>,
    /// The same for destinations of the queue, as far as something waits there that nobody has.
    touched_destinations: Vec<AtomicU64>,
    directory: AtomicU64,
    /// The last change of which mailboxes there are.
    folders: AtomicU64,
    /// The last change of subscriptions and annotations.
    personal: AtomicU64,
    queue: AtomicU64,
    /// The last change of what waits and nobody has.
    waiting: AtomicU64,
    /// Up to where the view must have come for what was given back by who accepted it.
    released: AtomicU64,
    /// The last removal of messages from mailboxes.
    removal: AtomicU64,
    /// The view has something that is not durable and that no position tells.
    unsaved: AtomicBool,
}

const TOUCHED_PLACES: usize = 4096;

impl Progress {
    pub(super) fn new(at: Lsn) -> Self {
        Self {
            committed: AtomicU64::new(at.0),
            applied: AtomicU64::new(at.0),
            checkpointed: AtomicU64::new(0),
            applied_changed: Notify::new(),
            touched: (0..TOUCHED_PLACES).map(|_| AtomicU64::new(0)).collect(),
            touched_destinations: (0..TOUCHED_PLACES).map(|_| AtomicU64::new(0)).collect(),
            directory: AtomicU64::new(0),
            folders: AtomicU64::new(0),
            personal: AtomicU64::new(0),
            queue: AtomicU64::new(0),
            waiting: AtomicU64::new(0),
            released: AtomicU64::new(0),
            removal: AtomicU64::new(0),
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
        self.applied_changed.notify_waiters();
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

    pub(super) fn touch_folders(&self, at: Lsn) {
        self.folders.store(at.0, Ordering::Release);
    }

    pub(super) fn touch_personal(&self, at: Lsn) {
        self.personal.store(at.0, Ordering::Release);
    }

    pub(super) fn touch_queue(&self, at: Lsn) {
        self.queue.store(at.0, Ordering::Release);
    }

    pub(super) fn touch_waiting(&self, at: Lsn) {
        self.waiting.store(at.0, Ordering::Release);
    }

    /// Unlike the others not by the committer alone.
    pub(super) fn touch_released(&self, at: Lsn) {
        self.released.fetch_max(at.0, Ordering::AcqRel);
    }

    pub(super) fn touch_removal(&self, at: Lsn) {
        self.removal.store(at.0, Ordering::Release);
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

    /// What must be applied before it is asked which mailboxes there are.
    pub(super) fn of_folders(&self) -> Lsn {
        Lsn(self.folders.load(Ordering::Acquire))
    }

    /// What must be applied before subscriptions and annotations are read.
    pub(super) fn of_personal(&self) -> Lsn {
        Lsn(self.personal.load(Ordering::Acquire))
    }

    /// What must be applied before the queue is read.
    pub(super) fn of_queue(&self) -> Lsn {
        Lsn(self.queue.load(Ordering::Acquire))
    }

    /// What must be applied before somebody asks where something waits that nobody has.
    pub(super) fn of_waiting(&self) -> Lsn {
        Lsn(self.waiting.load(Ordering::Acquire).max(self.released.load(Ordering::Acquire)))
    }

    /// What must be applied before somebody looks for work at a destination.
    pub(super) fn of_destination(&self, name: &str) -> Lsn {
        let touched = self.destination_place(name).load(Ordering::Acquire);
        Lsn(touched.max(self.released.load(Ordering::Acquire)))
    }

    /// What must be applied before a message is looked for that may have been removed.
    pub(super) fn of_removals(&self) -> Lsn {
        Lsn(self.removal.load(Ordering::Acquire))
    }

    fn wake(&self) {
        self.applied_changed.notify_waiters();
    }
}

impl Shared {
    /// Waits until the view has come to a position.
    pub(super) async fn applied(&self, at: Lsn) -> Result<(), StoreError> {
        if self.progress.applied() >= at {
            return Ok(());
        }
        // What is committed is applied even after the log has failed, so only a view that cannot be brought up
        // ends the wait early.
        loop {
            let changed = self.progress.applied_changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.progress.applied() >= at {
                return Ok(());
            }
            self.backlog.demand(at);
            if !self.view.is_open()
                && let Err(error) = self.view.read()
            {
                return Err(error);
            }
            changed.await;
        }
    }
}

pub(super) fn closed() -> StoreError {
    StoreError::Unavailable("the store is closed".into())
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
