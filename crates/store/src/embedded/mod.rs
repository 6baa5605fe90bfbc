//! The embedded store: a log is the truth, a B-tree its view.
//!
//! - [`log`]: what is committed, in order, in segments; one write and one sync for all that came together.
//! - [`core`]: the committer's decisions, serial, so that nothing conflicts. [`committer`] is its thread, [`drive`] all
//!   threads in one task of a runtime.
//! - [`view`]: mailboxes as a B-tree (redb), applied behind the committer's back by [`applier`]. A reader waits
//!   until the view has what was committed when it began.
//! - [`bodies`]: large bodies in files of their own. [`stream`] reads them and those in the log.
//! - [`queue`]: what waits for other hosts.
//! - [`recover`]: what is done at start. [`reclaim`]: giving segments up. [`check`]: verifying all of it.
//!
//! - [`trace`]: the decisions of all sessions, in files that nothing else depends on.
//! - [`derived`]: what was made of messages once, as a cache.
//!
//! On disk, below the data folder: `format`, `lock`, `log/NNNNNNNNNN.log`, `bodies/NNNNNNNNNNNNNNNN`, `view.redb`,
//! `trace/NNNNNNNNNN.trace`, `derived.redb`.

mod applier;
mod backlog;
mod bodies;
mod check;
mod codec;
mod committer;
mod core;
mod derived;
mod directory;
pub mod disk;
mod drive;
mod envelope;
mod expunged;
mod figures;
mod folder;
mod format;
mod lately;
mod log;
mod mailboxes;
mod options;
mod queue;
mod reclaim;
mod reclaimer;
mod record;
mod recover;
mod segments;
mod shared;
mod stats;
mod store;
mod stream;
mod sync;
mod trace;
mod view;
mod watchers;

pub use check::{CheckReport, Finding, Severity, check};
pub use figures::{Figures, SyncTimes};
pub use options::{Drive, Options};
pub use stats::StoreStats;
pub use trace::{TraceOptions, TraceStats};

use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use self::backlog::Backlog;
use self::committer::Work;
use self::core::{Core, State};
use self::log::{AppendError, Log};
use self::shared::{Metrics, Progress, Shared};
use self::sync::{blocking, lock};
use crate::StoreError;

/// A store in one folder of one node.
#[derive(Debug)]
pub struct Embedded {
    shared: Arc<Shared>,
    queue: mpsc::Sender<Work>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    manual: Option<Mutex<Manual>>,
    /// Held by who drives it.
    driven: tokio::sync::Mutex<()>,
    journal: Arc<trace::Journal>,
    /// What was made of messages.
    derived: derived::Cache,
}

/// What threads would do, for [`Drive::Manual`] and [`Drive::Task`].
#[derive(Debug)]
struct Manual {
    core: Core,
    queue: mpsc::Receiver<Work>,
    skipped: reclaim::Skipped,
}

type ThreadWork = Box<dyn FnOnce(&Arc<Shared>) + Send>;

/// A thread that panics leaves nobody waiting for what does not come.
#[derive(Debug)]
struct Alarm(Arc<Shared>);

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.fail(&StoreError::Unavailable("a thread of the store panicked".into()));
            self.0.backlog.stop();
        }
    }
}

impl Embedded {
    /// Opens the store in a folder, or makes one there. What a crash left is put in order first: the log's torn
    /// end is cut, the view is brought up to the log, files that nothing refers to are removed.
    ///
    /// # Errors
    /// [`StoreError::InUse`], [`StoreError::NewerFormat`], [`StoreError::Damaged`], and what the disk says.
    pub fn open(options: Options) -> Result<Self, StoreError> {
        let Options { path: root, disk, .. } = &options;
        let lock_guard = format::prepare(&**disk, root)?;
        let segments = Arc::new(segments::Segments::load(Arc::clone(disk), root.join("log"))?);
        let view_path = root.join("view.redb");
        let recover::Recovered { view, end, unchanged } = recover::bring_up(
            &|| {
                view::View::open(
                    Arc::clone(disk),
                    view_path.clone(),
                    options.view_cache_bytes,
                    options.idempotency_keys_max,
                )
            },
            &|| view::discard(&**disk, &view_path),
            &segments,
            None,
        )?;
        recover::verify_segments(&view, &segments)?;
        let next_file = recover::remove_orphans(disk, &root.join("bodies"), &view)?;
        let last_ids = view.read()?.last_ids()?;
        let spares = Arc::default();
        let log = Log::resume(Arc::clone(&segments), options.segment_bytes, end, Arc::clone(&spares));
        let log = log.map_err(AppendError::into_error)?;
        let shared = Arc::new(Shared {
            disk: Arc::clone(disk),
            root: root.clone(),
            min_free_bytes: options.min_free_bytes,
            body_file_bytes: options.body_file_bytes,
            segments,
            spares,
            view,
            progress: Progress::new(end),
            backlog: Backlog::new(options.backlog_bytes, end),
            lately: lately::Lately::default(),
            claims: queue::Claims::default(),
            watchers: Arc::default(),
            keep_expunged: options.keep_expunged,
            is_short: false.into(),
            fatal: watch::Sender::new(None),
            next_file: next_file.into(),
            metrics: Metrics::default(),
            reclaiming: Mutex::new(()),
            _lock: lock_guard,
        });
        if unchanged {
            shared.progress.set_checkpointed(end);
        }
        // What was replayed need not be replayed again.
        applier::checkpoint(&shared)?;
        if shared.view.read()?.has_gone()? {
            shared.backlog.want_purge();
        }
        let state = State::new(last_ids, options.mailboxes_max, Arc::clone(&shared.watchers));
        let core = Core::new(Arc::clone(&shared), log, state);
        let (queue, receiver) = mpsc::channel(committer::QUEUE_MAX);
        let journal = Arc::new(trace::Journal::new(Arc::clone(disk), root.clone(), options.trace));
        let mut store = Self {
            shared,
            queue,
            threads: Mutex::default(),
            manual: None,
            driven: tokio::sync::Mutex::default(),
            journal,
            derived: derived::Cache::new(Arc::clone(disk), root.join("derived.redb")),
        };
        match options.drive {
            Drive::Threads => store.start(core, receiver)?,
            Drive::Manual | Drive::Task => {
                store.manual =
                    Some(Mutex::new(Manual { core, queue: receiver, skipped: reclaim::Skipped::default() }))
            }
        }
        Ok(store)
    }

    fn start(&self, core: Core, queue: mpsc::Receiver<Work>) -> Result<(), StoreError> {
        let mut threads = lock(&self.threads);
        let mut spawn = |name: &str, work: ThreadWork| {
            let alarm = Alarm(Arc::clone(&self.shared));
            let thread = std::thread::Builder::new().name(name.into()).spawn(move || work(&alarm.0));
            threads.push(thread.map_err(|e| segments::unavailable("start a thread", &e))?);
            Ok::<_, StoreError>(())
        };
        spawn("store-commit", Box::new(move |shared| committer::run(core, queue, shared)))?;
        let (wake, woken) = std::sync::mpsc::sync_channel(1);
        // Reclaiming that is at work already sees what is new when it looks for the next segment.
        let after_checkpoint = move || {
            let _ = wake.try_send(());
        };
        spawn("store-apply", Box::new(move |shared| applier::run(shared, &after_checkpoint)))?;
        let queue = self.queue.downgrade();
        spawn("store-reclaim", Box::new(move |shared| reclaimer::run(shared, &woken, &queue)))?;
        // Without the alarm: whatever befalls the trace, mail goes on.
        threads.push(self.journal.start()?);
        Ok(())
    }

    /// Finishes what was begun, makes the view durable and lets go of the folder. Whatever is asked afterwards is
    /// told [`StoreError::Unavailable`].
    pub async fn close(&self) {
        // It may be closed already.
        let _ = self.queue.send(Work::Stop).await;
        // Who drives it finishes first.
        drop(self.driven.lock().await);
        blocking(|| self.join());
    }

    /// The folder of the store.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.shared.root
    }

    /// The file system that it is on.
    #[must_use]
    pub fn disk(&self) -> &Arc<dyn disk::Disk> {
        &self.shared.disk
    }

    /// Tells when something went wrong for good: see [`crate::Store::fatal_error`]. A server stops then.
    #[must_use]
    pub fn fatal(&self) -> watch::Receiver<Option<String>> {
        self.shared.fatal.subscribe()
    }

    fn join(&self) {
        self.journal.stop();
        self.derived.close();
        if self.manual.is_some() {
            self.settle_trace();
        }
        let threads = std::mem::take(&mut *lock(&self.threads));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the store panicked");
            }
        }
    }

    /// Commits what waits, as one batch. Only with [`Drive::Manual`]; returns how many transactions it had.
    pub fn commit_pending(&self) -> usize {
        let Some(manual) = &self.manual else { return 0 };
        let mut manual = lock(manual);
        let (batch, _) = committer::gather(None, &mut manual.queue);
        let count = batch.len();
        if count > 0 {
            manual.core.commit(batch);
        }
        count
    }

    /// Brings the view up to the log. Only of use with [`Drive::Manual`].
    ///
    /// # Errors
    /// What the disk says; it is tried again the next time.
    pub fn apply_pending(&self) -> Result<(), StoreError> {
        applier::apply_pending(&self.shared)?;
        if self.manual.is_some() {
            self.clear_away()?;
        }
        Ok(())
    }

    /// Clears away all that was in mailboxes that are gone.
    fn clear_away(&self) -> Result<(), StoreError> {
        while self.shared.view.read()?.has_gone()? {
            applier::purge_step(&self.shared)?;
        }
        Ok(())
    }

    /// Gives up one segment of the log of which little is needed; false where there is none. Where there is no room on the disk, what
    /// waits to be used again is let go before, and, where no segment can be given up, some of what can be restored instead. Only with
    /// [`Drive::Manual`]; it commits, applies and makes the view durable as it needs.
    ///
    /// # Errors
    /// What the disk says; [`StoreError::Damaged`], once for a segment, where what is to be carried is not what was written.
    pub fn reclaim(&self) -> Result<bool, StoreError> {
        let Some(manual) = &self.manual else { return Ok(false) };
        let mut manual = lock(manual);
        let Manual { core, skipped, .. } = &mut *manual;
        let mut commit = |op| {
            let (reply, mut answer) = tokio::sync::oneshot::channel();
            core.commit(vec![core::Transaction { op, reply }]);
            answer.try_recv().map_err(|_| shared::closed())?.map(drop)
        };
        let mut checkpoint = || {
            self.apply_pending()?;
            applier::checkpoint(&self.shared)
        };
        checkpoint()?;
        let mut hands = reclaim::Hands { commit: &mut commit, checkpoint: &mut checkpoint };
        reclaimer::step(&self.shared, skipped, &mut hands)
    }

    /// Waits until the view has everything that was committed before, for figures that are up to date.
    ///
    /// # Errors
    /// Where the view cannot be brought up to the log.
    pub async fn settled(&self) -> Result<(), StoreError> {
        self.shared.applied(self.shared.progress.committed()).await
    }

    /// Makes the view durable, so that the next start has less to do.
    ///
    /// # Errors
    /// What the disk says.
    pub fn checkpoint(&self) -> Result<(), StoreError> {
        if self.manual.is_some() {
            return applier::checkpoint(&self.shared);
        }
        self.shared.backlog.want_checkpoint();
        Ok(())
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        // What `close` does, for who forgot it; the queue may be full, but then the committer sees it closed.
        let (closed, _) = mpsc::channel(1);
        drop(std::mem::replace(&mut self.queue, closed));
        self.join();
    }
}
