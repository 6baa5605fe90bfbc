//! Figures about a store, for people and programs.

use std::sync::atomic::Ordering;

use serde::{Deserialize, Serialize};

use super::Embedded;
use super::segments::unavailable;
use super::sync::lock;
use crate::StoreError;

/// What [`Embedded::stats`] tells. Counters and latencies are those since the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoreStats {
    /// Accounts.
    pub accounts: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages in mailboxes; one in two mailboxes counts twice.
    pub messages: u64,
    /// Messages that were expunged and can be restored.
    #[serde(default)]
    pub expunged: u64,
    /// Bodies; one in two mailboxes counts once.
    pub bodies: u64,
    /// Of those, bodies that have a file of their own.
    pub body_files: u64,
    /// Items of the queue that wait.
    #[serde(default)]
    pub queue_waiting: u64,
    /// Items of the queue that are held.
    #[serde(default)]
    pub queue_held: u64,
    /// Destinations of the queue.
    #[serde(default)]
    pub queue_destinations: u64,
    /// Octets of the log that messages need.
    pub log_live_bytes: u64,
    /// Octets of the log that can be given up.
    pub log_dead_bytes: u64,
    /// Segments of the log.
    pub segments: u64,
    /// Segments that were given up since the start.
    pub segments_reclaimed: u64,
    /// Octets of the view's file.
    pub view_bytes: u64,
    /// Where the log ends: the segment's number in the upper 32 bits, the offset in the lower.
    pub log_position: u64,
    /// Up to where the view has it.
    pub applied_position: u64,
    /// Up to where the view is durable.
    pub checkpoint_position: u64,
    /// Seconds since the view was made durable last; nothing where it was not needed yet.
    pub checkpoint_age_s: Option<f64>,
    /// Batches committed: one sync each.
    pub batches: u64,
    /// Transactions committed.
    pub transactions: u64,
    /// Transactions in a batch, on average.
    pub batch_mean: f64,
    /// Microseconds of a sync of the log, on average.
    pub sync_mean_us: f64,
    /// Microseconds of the slowest sync of the log.
    pub sync_max_us: f64,
    /// Octets free on the disk.
    pub free_bytes: u64,
}

impl Embedded {
    /// Figures about the store. Reads all mailboxes' rows: not for every second.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Damaged`].
    pub fn stats(&self) -> Result<StoreStats, StoreError> {
        let shared = &self.shared;
        let reader = shared.view.read()?;
        let (mut mailboxes, mut messages, mut expunged) = (0, 0, 0);
        reader.each_mailbox(|_, row| {
            if row.now.role.is_listed() {
                mailboxes += 1;
                messages += row.counts.messages;
            } else {
                expunged += row.counts.messages;
            }
        })?;
        let (mut live, mut total) = (0, 0);
        let position = shared.progress.committed();
        for (number, row) in reader.segments()? {
            live += row.live_bytes;
            total += if number == position.segment() { position.offset() } else { row.total_bytes };
        }
        let queue = reader.queue_figures()?;
        let metrics = &shared.metrics;
        let load = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        let (batches, transactions) = (load(&metrics.batches), load(&metrics.transactions));
        Ok(StoreStats {
            accounts: reader.accounts()?.len() as u64,
            mailboxes,
            messages,
            expunged,
            bodies: reader.mail_count()?,
            body_files: reader.files()?.len() as u64,
            queue_waiting: queue.waiting,
            queue_held: queue.held,
            queue_destinations: queue.destinations,
            log_live_bytes: live,
            log_dead_bytes: total.saturating_sub(live),
            segments: shared.segments.numbers().len() as u64,
            segments_reclaimed: load(&metrics.segments_reclaimed),
            view_bytes: shared.view.size_bytes()?,
            log_position: position.0,
            applied_position: shared.progress.applied().0,
            checkpoint_position: shared.progress.checkpointed().0,
            checkpoint_age_s: lock(&metrics.last_checkpoint).map(|at| at.elapsed().as_secs_f64()),
            batches,
            transactions,
            batch_mean: mean(transactions, batches),
            sync_mean_us: mean(load(&metrics.sync_nanos), batches) / 1000.0,
            sync_max_us: mean(load(&metrics.sync_nanos_max), 1) / 1000.0,
            free_bytes: shared
                .disk
                .free_bytes(&shared.root)
                .map_err(|e| unavailable("ask for free space", &e))?,
        })
    }
}

#[allow(clippy::cast_precision_loss, reason = "figures for people")]
fn mean(sum: u64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum as f64 / count as f64 }
}
