//! The work of all threads of the store in one task: on a runtime with one thread and a clock of its own, everything
//! then happens in an order that follows from a seed.

use std::future::poll_fn;

use tokio::time::{Instant, sleep_until};

use super::applier::{self, CHECKPOINT_INTERVAL};
use super::backlog::GATHER;
use super::committer::{self, Work};
use super::sync::lock;
use super::{Embedded, Manual};

/// What wakes the one who drives.
enum Woken {
    Work(Option<Work>),
    /// A reader waits for the view, or enough has come together for it.
    Apply,
    /// It is time for what is done now and then.
    Tidy,
}

impl Embedded {
    /// Commits, applies, makes the view durable, gives segments up and writes the trace, until the store is closed.
    /// Only with [`super::Drive::Task`]; who polls it is the only one. Dropped in the middle it leaves the store as a
    /// crash does.
    pub async fn drive(&self) {
        let Some(manual) = &self.manual else { return };
        let _driven = self.driven.lock().await;
        let mut apply_at = None;
        let mut tidy_at = Instant::now() + CHECKPOINT_INTERVAL;
        loop {
            let woken = tokio::select! {
                biased;
                work = poll_fn(|context| lock(manual).queue.poll_recv(context)) => Woken::Work(work),
                () = self.shared.backlog.demanded() => Woken::Apply,
                () = sleep_until(apply_at.unwrap_or(tidy_at)), if apply_at.is_some() => Woken::Apply,
                () = sleep_until(tidy_at) => Woken::Tidy,
            };
            match woken {
                Woken::Work(Some(Work::Commit(first))) => {
                    // Who else has something gets to say so: it shares the sync.
                    tokio::task::yield_now().await;
                    if self.shared.backlog.is_full() {
                        self.apply_or_warn();
                    }
                    let Manual { core, queue, .. } = &mut *lock(manual);
                    let (batch, stop) = committer::gather(Some(Work::Commit(first)), queue);
                    core.commit(batch);
                    apply_at.get_or_insert_with(|| Instant::now() + GATHER);
                    if stop {
                        break;
                    }
                }
                Woken::Work(_) => break,
                Woken::Apply => {
                    apply_at = None;
                    self.apply_or_warn();
                }
                Woken::Tidy => {
                    self.tidy();
                    tidy_at = Instant::now() + CHECKPOINT_INTERVAL;
                }
            }
        }
        lock(manual).queue.close();
        // Nothing more is taken in; what is in the queue is still answered.
        while self.commit_pending() > 0 {}
        self.tidy();
        self.shared.backlog.stop();
        self.shared.view.close(None);
    }

    fn apply_or_warn(&self) {
        if let Err(error) = self.apply_pending() {
            tracing::warn!(%error, "the view could not be brought up to the log");
        }
    }

    /// What threads do now and then.
    fn tidy(&self) {
        self.settle_trace();
        // A view that failed is healed.
        self.apply_or_warn();
        if let Err(error) = applier::checkpoint(&self.shared) {
            tracing::warn!(%error, "the view could not be made durable");
            self.shared.close_view(&error);
            return;
        }
        loop {
            match self.reclaim() {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => return tracing::warn!(%error, "a segment of the log could not be given up"),
            }
        }
    }
}
