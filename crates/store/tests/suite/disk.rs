//! The machine's disk with something different about its files.

use std::fmt;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use store::embedded::disk::{Disk, DiskFile, DiskLock, LockError, OpenMode, RealDisk};

/// What is different.
pub trait Different: fmt::Debug + Send + Sync + 'static {
    /// See [`DiskFile::read_cached_at`].
    fn read_cached_at(&self, file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        file.read_cached_at(buffer, offset)
    }

    /// Before something is synced.
    fn syncs(&self) {}
}

/// The disk; everything else is as [`RealDisk`] does it.
#[derive(Debug)]
pub struct DifferentDisk<D>(pub Arc<D>);

#[derive(Debug)]
struct DifferentFile<D>(Arc<dyn DiskFile>, Arc<D>);

impl<D: Different> Disk for DifferentDisk<D> {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(DifferentFile(RealDisk.open(path, mode)?, Arc::clone(&self.0))))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        RealDisk.list(dir)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        RealDisk.sync_dir(dir)
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        RealDisk.lock(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(path)
    }
}

impl<D: Different> DiskFile for DifferentFile<D> {
    fn size_bytes(&self) -> io::Result<u64> {
        self.0.size_bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.1.read_cached_at(&*self.0, buffer, offset)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        self.0.write_at(slices, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.1.syncs();
        self.0.sync_data()
    }

    fn set_len(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_len(size_bytes)
    }
}
