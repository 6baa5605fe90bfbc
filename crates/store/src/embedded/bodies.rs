//! Bodies in files of their own: large ones, and those that were written out as they came.
//!
//! A body file is synced, gets its name and its directory is synced before the record that refers to it is
//! written. So every file that a record names is whole; one that no record names is removed at the next start.

use std::any::Any;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;

use super::disk::{DiskFile, OpenMode};
use super::segments::unavailable;
use super::shared::Shared;
use super::sync::blocking;
use crate::{StagedBody, StoreError};

/// A body that is being written.
#[derive(Debug)]
pub(super) struct Staged {
    file: Arc<dyn DiskFile>,
    size_bytes: u64,
    crc: u32,
    path: PathBuf,
    /// Removes the file unless it is kept.
    guard: BodyFile,
}

/// A body file that goes again unless it is kept.
#[derive(Debug)]
pub(super) struct BodyFile {
    shared: Arc<Shared>,
    pub(super) number: u64,
    path: Option<PathBuf>,
}

/// A body file that is whole and durable.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) file: BodyFile,
    pub(super) size_bytes: u64,
    pub(super) crc: u32,
}

impl Staged {
    pub(super) fn create(shared: &Arc<Shared>) -> Result<Self, StoreError> {
        if let Some(error) = shared.failed() {
            return Err(error);
        }
        shared.room()?;
        let number = shared.next_file.fetch_add(1, Ordering::Relaxed);
        let path = shared.bodies_dir().join(format!("{number:016x}.tmp"));
        let file = shared
            .disk
            .open(&path, OpenMode::Truncate)
            .map_err(|e| unavailable("make a file for a body", &e))?;
        let guard = BodyFile { shared: Arc::clone(shared), number, path: Some(path.clone()) };
        Ok(Self { file, size_bytes: 0, crc: 0, path, guard })
    }

    pub(super) fn write(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        self.file.write_all_at(octets, self.size_bytes).map_err(|e| unavailable("write a body", &e))?;
        self.size_bytes += octets.len() as u64;
        self.crc = crc32c::crc32c_append(self.crc, octets);
        Ok(())
    }

    pub(super) fn belongs_to(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.guard.shared, shared)
    }

    /// Makes the body durable under its name. A failed sync is fatal for the store: the disk has lost
    /// something that it had taken.
    pub(super) fn finish(self) -> Result<Finished, StoreError> {
        let Self { file, size_bytes, crc, path, mut guard } = self;
        let shared = Arc::clone(&guard.shared);
        let fatal = |what: &str, error: &io::Error| {
            let error = StoreError::Unavailable(format!("cannot {what}: {error}"));
            shared.fail(&error);
            error
        };
        file.sync_data().map_err(|e| fatal("sync a body", &e))?;
        let named = shared.body_path(guard.number);
        shared.disk.rename(&path, &named).map_err(|e| unavailable("name a body", &e))?;
        guard.path = Some(named);
        shared.disk.sync_dir(&shared.bodies_dir()).map_err(|e| fatal("sync the folder of bodies", &e))?;
        Ok(Finished { file: guard, size_bytes, crc })
    }
}

#[async_trait]
impl StagedBody for Staged {
    async fn append(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        blocking(|| self.write(octets))
    }

    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    async fn read_at(&self, offset: u64, len: usize) -> Result<Vec<u8>, StoreError> {
        let left = usize::try_from(self.size_bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
        let mut octets = vec![0; len.min(left)];
        blocking(|| self.file.read_exact_at(&mut octets, offset))
            .map_err(|error| unavailable("read a body", &error))?;
        Ok(octets)
    }

    fn into_any(self: Box<Self>) -> Box<dyn Any + Send> {
        self
    }
}

impl BodyFile {
    /// A record refers to the file now.
    pub(super) fn keep(mut self) {
        self.path = None;
    }
}

impl Drop for BodyFile {
    fn drop(&mut self) {
        if let Some(path) = self.path.take()
            && let Err(error) = self.shared.disk.remove(&path)
        {
            // The next start removes it.
            tracing::debug!(%error, "a body file that is not needed stays for now");
        }
    }
}

/// Removes the files of bodies that nothing refers to any more.
pub(super) fn remove_dead(shared: &Shared, numbers: &[u64]) {
    for number in numbers {
        if let Err(error) = shared.disk.remove(&shared.body_path(*number))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, number, "a dead body file stays until the next start");
        }
    }
}

/// The number in the name of a body file.
pub(super) fn number_of(name: &str) -> Option<u64> {
    (name.len() == 16).then(|| u64::from_str_radix(name, 16).ok()).flatten()
}
