//! The trace of an embedded store: append-only files beside the log.
//!
//! - [`event`] and [`frame`]: how events lie in a file. [`pending`]: those that are not written yet.
//! - [`files`]: writing, rotating, removing what is old. [`query`]: finding timelines again, by [`index`] where there is
//!   one.
//!
//! Recording costs an encoding into memory. A thread of its own writes what came together every tenth of a second,
//! and syncs about once a second: a power cut loses the last second of the trace, never anything of the mail,
//! whose acceptance is durable in the log. docs/trace.md tells what each failure means.

mod event;
mod files;
mod frame;
mod index;
mod pending;
mod query;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use types::Event;

use self::files::{FileInfo, Files};
use self::pending::{Batch, Pending};
use super::Embedded;
use super::disk::Disk;
use super::segments::unavailable;
use super::sync::{blocking, lock};
use crate::{StoreError, Trace, TraceQuery};

/// How much of the trace is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceOptions {
    /// Octets of all files together; beyond, the oldest are removed. Default 256 MiB.
    pub bytes_max: u64,
    /// Days after which a file is removed. Default 30.
    pub days_max: u32,
    /// Octets of one file, roughly. Default 16 MiB.
    pub file_bytes: u64,
    /// Octets of events that wait to be written; more are dropped and counted. Default 4 MiB.
    pub queue_bytes_max: usize,
    /// With fewer octets free on the disk nothing is written. Default half of what the mail keeps free, so that the
    /// trace still tells why mail is refused.
    pub min_free_bytes: u64,
}

impl Default for TraceOptions {
    fn default() -> Self {
        Self {
            bytes_max: 256 << 20,
            days_max: 30,
            file_bytes: 16 << 20,
            queue_bytes_max: 4 << 20,
            min_free_bytes: 32 << 20,
        }
    }
}

/// Figures about the trace, since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceStats {
    /// Events that were recorded.
    pub events: u64,
    /// Of those, events that found no room.
    pub events_dropped: u64,
    /// Writes that failed and were tried again.
    pub write_failures: u64,
    /// Files.
    pub files: u64,
    /// Octets of them and of their indices.
    pub file_bytes: u64,
}

/// The trace.
#[derive(Debug)]
pub(super) struct Journal {
    pending: Mutex<Pending>,
    /// There is something to do for the thread.
    filled: Condvar,
    writer: Mutex<Writer>,
    write_failures: AtomicU64,
}

#[derive(Debug)]
struct Writer {
    files: Files,
    /// What could not be written yet.
    batch: Batch,
    /// The last try failed, and that was said.
    failing: bool,
}

/// So long events are gathered before they are written.
const GATHER: Duration = Duration::from_millis(100);

/// So long after a write that failed the next try is.
const RETRY: Duration = Duration::from_secs(1);

/// So long what was written waits for a sync.
const SYNC_EVERY: Duration = Duration::from_secs(1);

impl Journal {
    pub(super) fn new(disk: Arc<dyn Disk>, root: PathBuf, options: TraceOptions) -> Self {
        Self {
            pending: Mutex::new(Pending::new(options.queue_bytes_max)),
            filled: Condvar::new(),
            writer: Mutex::new(Writer {
                files: Files::new(disk, root, options),
                batch: Batch::default(),
                failing: false,
            }),
            write_failures: AtomicU64::new(0),
        }
    }

    fn record(&self, events: &[Event]) {
        let mut pending = lock(&self.pending);
        let before = pending.len();
        for event in events {
            pending.push(event);
        }
        let wake = before == 0 || pending.is_urgent(before);
        drop(pending);
        if wake {
            self.filled.notify_one();
        }
    }

    /// Writes all that was recorded before.
    ///
    /// # Errors
    /// What the disk says; it is tried again the next time.
    fn flush(&self) -> Result<(), StoreError> {
        self.flush_with(&mut lock(&self.writer))
    }

    fn flush_with(&self, writer: &mut Writer) -> Result<(), StoreError> {
        // First what could not be written the last time, then what came since.
        for _ in 0..2 {
            if writer.batch.is_empty() {
                lock(&self.pending).take(&mut writer.batch);
            }
            if writer.batch.is_empty() {
                break;
            }
            if let Err(error) = writer.files.write(&mut writer.batch) {
                self.write_failures.fetch_add(1, Ordering::Relaxed);
                if !std::mem::replace(&mut writer.failing, true) {
                    tracing::warn!(%error, "the trace cannot be written; mail goes on without it");
                }
                return Err(unavailable("write the trace", &error));
            }
            writer.batch.clear();
            if std::mem::take(&mut writer.failing) {
                tracing::info!("the trace is written again");
            }
        }
        Ok(())
    }

    /// Writes and syncs all that was recorded before.
    fn settle(&self) {
        let mut writer = lock(&self.writer);
        // Said in the log already.
        let _ = self.flush_with(&mut writer);
        writer.files.sync();
    }

    /// Starts the thread that writes.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn start(self: &Arc<Self>) -> Result<JoinHandle<()>, StoreError> {
        let journal = Arc::clone(self);
        let thread = std::thread::Builder::new().name("store-trace".into()).spawn(move || journal.run());
        thread.map_err(|error| unavailable("start a thread", &error))
    }

    /// Makes one index that is missing; false where none is, or where none can be made now.
    fn index_next(&self) -> bool {
        lock(&self.writer).files.index_next().unwrap_or_else(|error| {
            tracing::warn!(%error, "an index of the trace cannot be made; all of its file is read instead");
            false
        })
    }

    fn run(&self) {
        while !lock(&self.pending).stopping && self.index_next() {
            // What comes meanwhile does not wait for all of them; what fails is said, and tried again below.
            let _ = self.flush();
        }
        let mut sync_due = None;
        while self.wait_for_events(sync_due) {
            let failed = self.flush().is_err();
            let now = Instant::now();
            if sync_due.is_some_and(|due| due <= now) {
                lock(&self.writer).files.sync();
            }
            // The file that was closed last, mostly none.
            self.index_next();
            let unsynced = lock(&self.writer).files.is_unsynced();
            sync_due = unsynced.then(|| sync_due.filter(|due| *due > now).unwrap_or(now + SYNC_EVERY));
            if failed {
                self.pause(RETRY);
            }
        }
        self.settle();
    }

    /// Waits until events have come and had time to come together, or until a sync is due; false at the stop.
    fn wait_for_events(&self, sync_due: Option<Instant>) -> bool {
        let mut pending = lock(&self.pending);
        while pending.len() == 0 && !pending.stopping {
            let now = Instant::now();
            pending = match sync_due {
                Some(due) if due <= now => return true,
                Some(due) => {
                    let wait = self.filled.wait_timeout(pending, due - now);
                    wait.unwrap_or_else(std::sync::PoisonError::into_inner).0
                }
                None => self.filled.wait(pending).unwrap_or_else(std::sync::PoisonError::into_inner),
            };
        }
        let stopping = pending.stopping;
        let urgent = pending.is_urgent(0);
        drop(pending);
        if !stopping && !urgent {
            self.pause(GATHER);
        }
        !stopping
    }

    /// Waits, unless it is stopped or much has come.
    fn pause(&self, duration: Duration) {
        let pending = lock(&self.pending);
        let wait = self
            .filled
            .wait_timeout_while(pending, duration, |pending| !pending.stopping && !pending.is_urgent(0));
        drop(wait);
    }

    /// Has all that was recorded written, and the thread end.
    pub(super) fn stop(&self) {
        lock(&self.pending).stopping = true;
        self.filled.notify_all();
    }

    /// The files as they are when all that was recorded is written, as far as it can be.
    fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut writer = lock(&self.writer);
        let unwritten = self.flush_with(&mut writer).err();
        let files = writer.files.list().map_err(|error| unavailable("list the trace", &error))?;
        Ok(Snapshot { files, reader: writer.files.reader(), unwritten })
    }

    fn stats(&self) -> TraceStats {
        let files = lock(&self.writer).files.list().unwrap_or_default();
        let pending = lock(&self.pending);
        TraceStats {
            events: pending.recorded,
            events_dropped: pending.dropped_in_all,
            write_failures: self.write_failures.load(Ordering::Relaxed),
            files: files.len() as u64,
            file_bytes: files.iter().map(FileInfo::bytes_with_index).sum(),
        }
    }
}

/// What a query reads.
#[derive(Debug)]
struct Snapshot {
    files: Vec<FileInfo>,
    reader: files::Reader,
    /// Why the newest events are not in the files.
    unwritten: Option<StoreError>,
}

#[async_trait]
impl Trace for Embedded {
    fn record(&self, events: Vec<Event>) {
        self.journal.record(&events);
    }

    async fn trace(&self, query: TraceQuery) -> Result<Vec<Event>, StoreError> {
        blocking(|| Ok(query::run(&self.journal.snapshot()?, &query)))
    }
}

impl Embedded {
    /// Figures about the trace.
    #[must_use]
    pub fn trace_stats(&self) -> TraceStats {
        blocking(|| self.journal.stats())
    }

    /// Writes the events that were recorded, and makes them durable. The store does so by itself, about once a
    /// second and at its end.
    pub fn settle_trace(&self) {
        blocking(|| {
            self.journal.settle();
            while self.journal.index_next() {}
        });
    }
}
