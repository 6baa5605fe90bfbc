//! The data folder: its parts, its lock and the version of its format.

use std::io;
use std::path::Path;

use super::disk::{Disk, DiskLock, LockError, OpenMode};
use super::segments::unavailable;
use crate::StoreError;

/// The version that this program writes, and the latest that it reads. Version 1 knew no directory beyond accounts
/// with one password hash, version 2 no queue and no records that are tied to each other, version 3 no keys of DKIM, which
/// it would keep and never sign with, version 4 no mailboxes but INBOX and no keywords. What an earlier version wrote is read where it stands and written in the present
/// form when it moves; the folder gets the present version before anything is added to it, so that an earlier program
/// refuses it rather than take new records for damage.
const FORMAT_VERSION: u32 = 5;
const FORMAT_PREFIX: &str = "posta-store ";
/// More than the file ever has.
const FORMAT_BYTES_MAX: usize = 64;

/// Takes the folder for this process and makes its parts where they are missing.
pub(super) fn prepare(disk: &dyn Disk, root: &Path) -> Result<Box<dyn DiskLock>, StoreError> {
    let make = |dir: &Path| disk.create_dir_all(dir).map_err(|e| unavailable("make the data folder", &e));
    make(root)?;
    let lock = disk.lock(&root.join("lock")).map_err(|error| match error {
        LockError::Held(pid) => {
            StoreError::InUse(pid.map_or_else(String::new, |pid| format!(" (process {pid})")))
        }
        LockError::Io(error) => unavailable("lock the data folder", &error),
    })?;
    let found = read_version(disk, &root.join("format"))?;
    match found {
        Some(found) if found > FORMAT_VERSION => {
            return Err(StoreError::NewerFormat { found, known: FORMAT_VERSION });
        }
        Some(0) => return Err(StoreError::Damaged("the file `format` says version 0".into())),
        _ => {}
    }
    make(&root.join("log"))?;
    make(&root.join("bodies"))?;
    if found.is_none()
        && !disk.list(&root.join("log")).map_err(|e| unavailable("list the log", &e))?.is_empty()
    {
        return Err(StoreError::Damaged("there is a log, but no file `format` that says its version".into()));
    }
    if found != Some(FORMAT_VERSION) {
        write_version(disk, root).map_err(|e| unavailable("write the format's version", &e))?;
    }
    if let Some(found) = found.filter(|found| *found < FORMAT_VERSION) {
        tracing::info!(found, now = FORMAT_VERSION, "the data folder has a new format version");
    }
    Ok(lock)
}

fn read_version(disk: &dyn Disk, path: &Path) -> Result<Option<u32>, StoreError> {
    let file = match disk.open(path, OpenMode::Existing) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|e| unavailable("open the format's version", &e))?,
    };
    let mut octets = [0; FORMAT_BYTES_MAX];
    let n = file.read_at(&mut octets, 0).map_err(|e| unavailable("read the format's version", &e))?;
    let text = std::str::from_utf8(&octets[..n]).ok();
    let version = text.and_then(|text| text.strip_prefix(FORMAT_PREFIX)?.trim_end().parse().ok());
    version.map(Some).ok_or_else(|| StoreError::Damaged("the file `format` says no version".into()))
}

/// Whole or not at all, and before the first segment.
fn write_version(disk: &dyn Disk, root: &Path) -> io::Result<()> {
    let unfinished = root.join("format.tmp");
    let file = disk.open(&unfinished, OpenMode::Truncate)?;
    file.write_all_at(format!("{FORMAT_PREFIX}{FORMAT_VERSION}\n").as_bytes(), 0)?;
    file.sync_data()?;
    disk.rename(&unfinished, &root.join("format"))?;
    disk.sync_dir(root)?;
    // The folder's own name, where it has just been made; a parent that is not ours to read has it already.
    match root.parent().map(|parent| if parent.as_os_str().is_empty() { Path::new(".") } else { parent }) {
        Some(parent) => match disk.sync_dir(parent) {
            Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            synced => synced,
        },
        None => Ok(()),
    }
}
