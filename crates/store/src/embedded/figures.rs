//! Figures that are there at no cost, for programs that ask every few seconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::Embedded;
use super::segments::unavailable;
use crate::{QueueFigures, StoreError};

/// What [`Embedded::figures`] tells. Counters are those since the start.
#[derive(Debug, Clone, PartialEq)]
pub struct Figures {
    /// Bodies; one in two mailboxes counts once.
    pub bodies: u64,
    /// The queue.
    pub queue: QueueFigures,
    /// Octets of the log that messages need.
    pub log_live_bytes: u64,
    /// Octets of the log that can be given up.
    pub log_dead_bytes: u64,
    /// Segments of the log.
    pub segments: u64,
    /// Octets of the view's file.
    pub view_bytes: u64,
    /// Octets free on the disk.
    pub free_bytes: u64,
    /// Batches committed: one sync each.
    pub batches: u64,
    /// Transactions committed.
    pub transactions: u64,
    /// How long syncs of the log took.
    pub syncs: SyncTimes,
}

/// Times of syncs, in classes.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncTimes {
    /// Seconds of all of them together.
    pub sum_s: f64,
    /// The upper end of each class in seconds, and how many were in it and in no lower one. The last has no end.
    pub classes: Vec<(f64, u64)>,
}

/// Upper ends of the classes: from a disk that holds data safe in its memory to one that hangs.
const CLASSES: [Duration; 12] = [
    Duration::from_micros(100),
    Duration::from_micros(200),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_millis(2),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(20),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
];

/// Counts times by class.
#[derive(Debug, Default)]
pub(super) struct TimeClasses {
    counts: [AtomicU64; CLASSES.len() + 1],
}

impl TimeClasses {
    pub(super) fn count(&self, time: Duration) {
        let class = CLASSES.partition_point(|end| *end < time);
        self.counts[class].fetch_add(1, Ordering::Relaxed);
    }

    fn read(&self) -> Vec<(f64, u64)> {
        let ends = CLASSES.iter().map(Duration::as_secs_f64).chain([f64::INFINITY]);
        ends.zip(&self.counts).map(|(end, count)| (end, count.load(Ordering::Relaxed))).collect()
    }
}

impl Embedded {
    /// Whether a message would be refused for want of room on the disk.
    ///
    /// # Errors
    /// [`StoreError::Full`] where it would, [`StoreError::Unavailable`] where the disk does not say.
    pub fn room(&self) -> Result<(), StoreError> {
        self.shared.room()
    }

    /// Figures about the store, read without going through accounts or messages. Asks the disk for its free room.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`], [`StoreError::Damaged`].
    pub fn figures(&self) -> Result<Figures, StoreError> {
        let shared = &self.shared;
        let reader = shared.view.read()?;
        let (mut live, mut total) = (0, 0);
        let position = shared.progress.committed();
        for (number, row) in reader.segments()? {
            live += row.live_bytes;
            total += if number == position.segment() { position.offset() } else { row.total_bytes };
        }
        let metrics = &shared.metrics;
        let free_bytes =
            shared.disk.free_bytes(&shared.root).map_err(|e| unavailable("ask for free space", &e))?;
        Ok(Figures {
            bodies: reader.mail_count()?,
            queue: reader.queue_figures()?,
            log_live_bytes: live,
            log_dead_bytes: total.saturating_sub(live),
            segments: shared.segments.numbers().len() as u64,
            view_bytes: shared.view.size_bytes()?,
            free_bytes,
            batches: metrics.batches.load(Ordering::Relaxed),
            transactions: metrics.transactions.load(Ordering::Relaxed),
            syncs: SyncTimes {
                sum_s: Duration::from_nanos(metrics.sync_nanos.load(Ordering::Relaxed)).as_secs_f64(),
                classes: metrics.sync_classes.read(),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_counted_once_in_the_lowest_class_that_holds_it() {
        let classes = TimeClasses::default();
        for time in [
            Duration::ZERO,
            Duration::from_micros(100),
            Duration::from_nanos(100_001),
            Duration::from_secs(2),
            Duration::from_secs(3),
        ] {
            classes.count(time);
        }
        let found = classes.read();
        assert_eq!(found[0], (0.000_1, 2));
        assert_eq!(found[1], (0.000_2, 1));
        assert_eq!(found[CLASSES.len() - 1], (2.0, 1));
        assert_eq!(found[CLASSES.len()], (f64::INFINITY, 1));
        assert_eq!(found.iter().map(|(_, count)| count).sum::<u64>(), 5);
    }
}
