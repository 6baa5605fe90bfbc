//! The few file operations that the store needs, so that a test can stand in for the disk and cut its power.
//!
//! Two rules of POSIX shape it: what was written is on stable storage only after [`DiskFile::sync_data`], and a
//! name is only after [`Disk::sync_dir`] of its directory.

use std::fmt;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, IoSlice, Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::Arc;

/// A file system.
pub trait Disk: Send + Sync + fmt::Debug {
    /// Makes a directory with all its parents; one that is there stays.
    ///
    /// # Errors
    /// What the file system says.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// What the file system says; [`io::ErrorKind::NotFound`] for [`OpenMode::Existing`] that is not there.
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>>;

    /// Gives a file another name, replacing what has it, at once or not at all.
    ///
    /// # Errors
    /// What the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes the name of a file. Who has the file open reads on.
    ///
    /// # Errors
    /// What the file system says.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// The names of the files in a directory, sorted.
    ///
    /// # Errors
    /// What the file system says.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// What the file system says.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Takes the lock file for this process, until the guard is dropped.
    ///
    /// # Errors
    /// [`LockError::Held`] where another has it.
    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError>;

    /// Octets that may still be written below `path`.
    ///
    /// # Errors
    /// What the file system says.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// What [`Disk::open`] does about a file that is, or is not, there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenMode {
    /// It must be there.
    Existing,
    /// It is made where it is not there, and emptied where it is.
    Truncate,
}

/// An open file. It stays readable after its name was removed.
pub trait DiskFile: Send + Sync + fmt::Debug {
    /// Its length in octets.
    ///
    /// # Errors
    /// What the file system says.
    fn size_bytes(&self) -> io::Result<u64>;

    /// Reads at an offset; returns how many octets, 0 at the end.
    ///
    /// # Errors
    /// What the file system says.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Reads what can be had without waiting for the disk; returns how many octets, 0 where that is nothing, or not known.
    ///
    /// # Errors
    /// What the file system says.
    fn read_cached_at(&self, _buffer: &mut [u8], _offset: u64) -> io::Result<usize> {
        Ok(0)
    }

    /// Writes the slices one behind the other at an offset, lengthening the file where needed; returns how many
    /// octets were taken, which may be fewer than there are.
    ///
    /// # Errors
    /// What the file system says.
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize>;

    /// Makes the content and the length durable (`fdatasync`).
    ///
    /// # Errors
    /// What the file system says. What was written before is then in an unknown state, for good.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts or lengthens the file, with zeros.
    ///
    /// # Errors
    /// What the file system says.
    fn set_len(&self, size_bytes: u64) -> io::Result<()>;

    /// Fills the buffer.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`] where the file ends before.
    fn read_exact_at(&self, mut buffer: &mut [u8], mut offset: u64) -> io::Result<()> {
        while !buffer.is_empty() {
            let n = self.read_at(buffer, offset)?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            offset += n as u64;
            buffer = &mut buffer[n..];
        }
        Ok(())
    }

    /// Writes all octets.
    ///
    /// # Errors
    /// What the file system says; some of the octets may have been written.
    fn write_all_at(&self, mut octets: &[u8], mut offset: u64) -> io::Result<()> {
        while !octets.is_empty() {
            let n = self.write_at(&[IoSlice::new(octets)], offset)?;
            if n == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            offset += n as u64;
            octets = &octets[n..];
        }
        Ok(())
    }
}

/// Holds a lock until it is dropped.
pub trait DiskLock: Send + Sync + fmt::Debug {}

/// Why a lock was not given.
#[derive(Debug)]
pub enum LockError {
    /// Another has it; its process id where that is known.
    Held(Option<u32>),
    /// It could not be tried.
    Io(io::Error),
}

/// The file system of the machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        use std::os::unix::fs::DirBuilderExt as _;
        // Mail is nobody else's business.
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let truncate = mode == OpenMode::Truncate;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(truncate)
            .truncate(truncate)
            .mode(0o600)
            .open(path)?;
        Ok(Arc::new(RealFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(dir)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.push(entry.file_name().to_string_lossy().into_owned());
            }
        }
        names.sort();
        Ok(names)
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        File::open(dir)?.sync_all()
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let mut file = OpenOptions::new()
            .mode(0o600)
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let known = file.read_to_string(&mut text).is_ok();
                return Err(LockError::Held(known.then(|| text.trim().parse().ok()).flatten()));
            }
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        // The process id is a courtesy for the message above; the lock holds without it.
        let pid = format!("{}\n", std::process::id());
        let _ = file.set_len(0).and_then(|()| file.write_all(pid.as_bytes()));
        Ok(Box::new(RealLock { _file: file }))
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(path)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }
}

#[derive(Debug)]
struct RealFile(File);

impl DiskFile for RealFile {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        retry(|| self.0.read_at(buffer, offset))
    }

    #[cfg(target_os = "linux")]
    fn read_cached_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        use rustix::io::{ReadWriteFlags, preadv2};
        let slices = &mut [io::IoSliceMut::new(buffer)];
        // Most errors say that it would have to wait, or that this is not known here; any other comes again from the read
        // that waits.
        Ok(preadv2(&self.0, slices, offset, ReadWriteFlags::NOWAIT).unwrap_or(0))
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let slices = &slices[..slices.len().min(SLICES_MAX)];
        retry(|| rustix::io::pwritev(&self.0, slices, offset).map_err(io::Error::from))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_len(size_bytes)
    }
}

#[derive(Debug)]
struct RealLock {
    _file: File,
}

impl DiskLock for RealLock {}

/// `IOV_MAX` of Linux: one call takes no more slices.
const SLICES_MAX: usize = 1024;

fn retry(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_without_waiting_is_what_the_file_holds_and_nothing_beyond_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = RealDisk.open(&folder.path().join("f"), OpenMode::Truncate).expect("a file");
        file.write_all_at(b"0123456789", 0).expect("written");
        for offset in 0..12 {
            let mut buffer = [b'-'; 4];
            let n = file.read_cached_at(&mut buffer, offset).expect("read");
            let there = b"0123456789".get(offset as usize..).unwrap_or_default();
            // How many is the system's affair; a file system may say each time that it does not know.
            assert!(n <= there.len().min(4), "{n} octets at {offset}");
            assert_eq!(buffer[..n], there[..n]);
        }
    }

    #[test]
    fn a_read_without_waiting_that_fails_has_nothing_and_the_one_that_waits_says_why() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = RealFile(File::create(folder.path().join("f")).expect("a file for writing alone"));
        file.write_all_at(b"0123456789", 0).expect("written");
        let mut buffer = [0; 4];
        assert_eq!(file.read_cached_at(&mut buffer, 0).expect("nothing"), 0);
        file.read_at(&mut buffer, 0).expect_err("it is not open for reading");
    }
}
