//! How a store is opened.

use std::path::PathBuf;
use std::sync::Arc;

use super::disk::{Disk, RealDisk};
use super::trace::TraceOptions;

/// What an [`Embedded`](super::Embedded) store is to be like.
#[derive(Debug, Clone)]
pub struct Options {
    /// The data folder; it is made where it is not there.
    pub path: PathBuf,
    /// Octets of a segment of the log, roughly; what is given up is given up by segments. Default 64 MiB.
    pub segment_bytes: u64,
    /// A body of more octets has a file of its own. Default 1 MiB, and no more than that is of use.
    pub body_file_bytes: u64,
    /// Octets of the view that are kept in memory. Default 8 MiB.
    pub view_cache_bytes: usize,
    /// Octets of changes that may wait to be applied to the view; beyond, commits wait. Default 16 MiB.
    pub backlog_bytes: usize,
    /// With fewer octets free on the disk nothing is accepted ([`crate::StoreError::Full`]), so that what makes
    /// room can still be written. Default 64 MiB.
    pub min_free_bytes: u64,
    /// How much of the trace is kept.
    pub trace: TraceOptions,
    /// Keys of messages that are known of one account at most ([`crate::Idempotency`]); beyond, those that would
    /// expire first go. Default 10,000.
    pub idempotency_keys_max: u64,
    /// Whether messages that are expunged, and mailboxes that are deleted, can be restored until
    /// [`crate::Mailboxes::purge_expunged`] lets them go. Default no: they go at once.
    pub keep_expunged: bool,
    /// Mailboxes that an account may have by [`crate::Mailboxes::create_mailbox`] and
    /// [`crate::Mailboxes::rename_mailbox`]. Default 10,000.
    pub mailboxes_max: usize,
    /// The file system. Default the machine's.
    pub disk: Arc<dyn Disk>,
    /// Who does the work. Default threads.
    pub drive: Drive,
}

/// Who commits and applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drive {
    /// The store's own threads.
    Threads,
    /// Whoever has the store, by calling [`Embedded::commit_pending`](super::Embedded::commit_pending) and its
    /// like: the order of everything is then the caller's, for simulation and for reading offline.
    Manual,
    /// The runtime that polls [`Embedded::drive`](super::Embedded::drive), on tokio's clock: a simulation's runtime
    /// and clock then decide the order of everything.
    Task,
}

impl Options {
    /// The defaults, in a folder.
    #[must_use]
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), ..Self::default() }
    }
}

impl Default for Options {
    fn default() -> Self {
        Self {
            path: PathBuf::from("posta-data"),
            segment_bytes: 64 * 1024 * 1024,
            body_file_bytes: 1024 * 1024,
            view_cache_bytes: 8 * 1024 * 1024,
            backlog_bytes: 16 * 1024 * 1024,
            min_free_bytes: 64 * 1024 * 1024,
            trace: TraceOptions::default(),
            idempotency_keys_max: 10_000,
            keep_expunged: false,
            mailboxes_max: 10_000,
            disk: Arc::new(RealDisk),
            drive: Drive::Threads,
        }
    }
}
