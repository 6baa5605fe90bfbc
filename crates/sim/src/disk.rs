//! A disk in memory whose power can be cut.
//!
//! It is as unkind as POSIX allows. What was written and not synced is lost, kept, or kept in part, sector by
//! sector and in any order; the same holds for a file's length. A name that was made, changed or removed without
//! a sync of its directory may be as before, whatever was synced of the file. After the cut nothing answers,
//! until [`SimDisk::restore`] gives the disk as it is found when the power is back.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::embedded::disk::{Disk, DiskFile, DiskLock, LockError, OpenMode};

use crate::random::Random;

/// What a power cut may tear a write at.
const SECTOR_BYTES: usize = 512;

/// The disk.
#[derive(Debug, Clone, Default)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug, Default)]
struct Inner {
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    /// Changes of names since their directory was synced, in order.
    pending_names: Vec<NameChange>,
    locks: BTreeSet<PathBuf>,
    next_file: u64,
    operations: u64,
    cut_at: Option<u64>,
    faults: Faults,
    /// A digest of all operations, to see whether a seed replays.
    trace: u64,
}

/// What goes wrong on a disk that has power.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Octets that fit on the disk; beyond, writes are short and then refused.
    pub capacity_bytes: Option<u64>,
    /// Octets that are said to be free; what fits where this is not set.
    pub free_bytes: Option<u64>,
    /// It is not told how many octets are free.
    pub fail_free_bytes: bool,
    /// Writes to files below this path fail, after half of the octets were taken.
    pub fail_writes: Option<PathBuf>,
    /// Syncs of files below this path fail.
    pub fail_syncs: Option<PathBuf>,
    /// Cutting and lengthening files below this path fails.
    pub fail_set_len: Option<PathBuf>,
}

#[derive(Debug, Default)]
struct Content {
    path: PathBuf,
    durable: Vec<u8>,
    current: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Debug)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

#[derive(Debug, Clone)]
struct NameChange {
    dir: PathBuf,
    removed: Option<PathBuf>,
    added: Option<(PathBuf, u64)>,
}

impl SimDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power in the middle of the operation that comes after `operations` more.
    pub fn cut_after(&self, operations: u64) {
        let mut inner = self.inner();
        inner.cut_at = Some(inner.operations + operations);
    }

    /// Whether the power was cut.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        let inner = self.inner();
        inner.cut_at.is_some_and(|at| inner.operations > at)
    }

    /// Operations so far.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.inner().operations
    }

    /// A digest of all operations so far and of what they wrote.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.inner().trace
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.inner().faults = faults;
    }

    /// Changes octets of a file on the platter, as a failing disk does.
    ///
    /// # Panics
    /// Where there is no such file, or it is shorter.
    pub fn damage(&self, path: &Path, offset: usize, octets: &[u8]) {
        let mut inner = self.inner();
        let id = inner.names[path];
        let content = inner.files.get_mut(&id).unwrap_or_else(|| panic!("{} is open", path.display()));
        content.current[offset..offset + octets.len()].copy_from_slice(octets);
        if let Some(durable) = content.durable.get_mut(offset..offset + octets.len()) {
            durable.copy_from_slice(octets);
        }
    }

    /// What is in a file, as a reader finds it.
    #[must_use]
    pub fn content(&self, path: &Path) -> Option<Vec<u8>> {
        let inner = self.inner();
        inner.names.get(path).map(|id| inner.files[id].current.clone())
    }

    /// The disk as another process finds it when this one was killed: nothing of what was written is lost.
    #[must_use]
    pub fn process_killed(&self) -> Self {
        let inner = self.inner();
        let files = inner.files.iter().map(|(id, content)| {
            let octets = content.current.clone();
            (
                *id,
                Content {
                    path: content.path.clone(),
                    durable: octets.clone(),
                    current: octets,
                    pending: Vec::new(),
                },
            )
        });
        let restored = Inner {
            files: files.collect(),
            names: inner.names.clone(),
            durable_names: inner.names.clone(),
            next_file: inner.next_file,
            ..Inner::default()
        };
        Self { inner: Arc::new(Mutex::new(restored)) }
    }

    /// The disk as it is found when the power is back; `random` decides what of the unsynced was kept.
    #[must_use]
    pub fn restore(&self, random: &mut Random) -> Self {
        let inner = self.inner();
        let mut names = inner.durable_names.clone();
        // Some file systems keep the order of such changes, and then a prefix of them stays.
        let prefix = random.chance(50).then(|| random.below(inner.pending_names.len() as u64 + 1));
        for (n, change) in inner.pending_names.iter().enumerate() {
            let kept = prefix.map_or_else(|| random.chance(50), |prefix| (n as u64) < prefix);
            if kept {
                change.apply(&mut names);
            }
        }
        let mut files = BTreeMap::new();
        for (path, id) in &names {
            let octets = inner.files[id].after_cut(random);
            files.insert(
                *id,
                Content { path: path.clone(), durable: octets.clone(), current: octets, pending: Vec::new() },
            );
        }
        let restored = Inner {
            files,
            durable_names: names.clone(),
            names,
            next_file: inner.next_file,
            ..Inner::default()
        };
        Self { inner: Arc::new(Mutex::new(restored)) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, u64>) {
        if let Some(removed) = &self.removed {
            names.remove(removed);
        }
        if let Some((path, id)) = &self.added {
            names.insert(path.clone(), *id);
        }
    }
}

impl Content {
    /// What is left of it.
    fn after_cut(&self, random: &mut Random) -> Vec<u8> {
        let mut octets = self.durable.clone();
        // All or nothing happens too, and is where most faults hide.
        let kept = [0, 10, 50, 90, 100][random.below(5) as usize];
        for change in &self.pending {
            match change {
                Change::SetLen(len) if random.chance(kept) => octets.resize(*len, 0),
                Change::SetLen(_) => {}
                Change::Write(offset, data) => {
                    let mut at = 0;
                    while at < data.len() {
                        let sector_end = (offset + at) / SECTOR_BYTES * SECTOR_BYTES + SECTOR_BYTES;
                        let end = (sector_end - offset).min(data.len());
                        if random.chance(kept) {
                            write_at(&mut octets, offset + at, &data[at..end]);
                        }
                        at = end;
                    }
                }
            }
        }
        octets
    }
}

fn write_at(octets: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if octets.len() < offset + data.len() {
        octets.resize(offset + data.len(), 0);
    }
    octets[offset..offset + data.len()].copy_from_slice(data);
}

fn power_is_off() -> io::Error {
    io::Error::other("the power is off")
}

impl Inner {
    /// Counts an operation. The one in which the power fails is still begun: `Ok(false)`.
    fn step(&mut self, what: u64) -> io::Result<bool> {
        let at = self.operations;
        if self.cut_at.is_some_and(|cut| at > cut) {
            return Err(power_is_off());
        }
        self.operations += 1;
        self.note(what);
        Ok(self.cut_at != Some(at))
    }

    fn note(&mut self, what: u64) {
        self.trace = Random::new(self.trace ^ what).number();
    }

    fn used(&self) -> u64 {
        self.names.values().map(|id| self.files[id].current.len() as u64).sum()
    }

    fn change_name(&mut self, dir: &Path, removed: Option<&Path>, added: Option<(&Path, u64)>) {
        let change = NameChange {
            dir: dir.to_owned(),
            removed: removed.map(Path::to_owned),
            added: added.map(|(path, id)| (path.to_owned(), id)),
        };
        change.apply(&mut self.names);
        if let Some((path, id)) = added
            && let Some(content) = self.files.get_mut(&id)
        {
            content.path = path.to_owned();
        }
        self.pending_names.push(change);
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

fn found<T>(value: Option<T>) -> io::Result<T> {
    value.ok_or_else(|| io::ErrorKind::NotFound.into())
}

fn finish(power: bool) -> io::Result<()> {
    if power { Ok(()) } else { Err(power_is_off()) }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, _path: &Path) -> io::Result<()> {
        // Directories are there; losing a whole one is losing all that is in it.
        finish(self.inner().step(1)?)
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut inner = self.inner();
        let power = inner.step(2)?;
        let existing = inner.names.get(path).copied();
        let id = match (existing, mode) {
            (Some(id), OpenMode::Existing) => id,
            (Some(id), OpenMode::Truncate) => {
                let content = found(inner.files.get_mut(&id))?;
                content.current.clear();
                content.pending.push(Change::SetLen(0));
                id
            }
            (None, OpenMode::Existing) => return Err(io::ErrorKind::NotFound.into()),
            (None, OpenMode::Truncate) => {
                let id = inner.next_file;
                inner.next_file += 1;
                inner.files.insert(id, Content::default());
                inner.change_name(parent(path), None, Some((path, id)));
                id
            }
        };
        finish(power)?;
        Ok(Arc::new(SimFile { inner: Arc::clone(&self.inner), id }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let power = inner.step(3)?;
        let id = found(inner.names.get(from).copied())?;
        inner.change_name(parent(to), Some(from), Some((to, id)));
        finish(power)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        let power = inner.step(4)?;
        found(inner.names.get(path))?;
        inner.change_name(parent(path), Some(path), None);
        finish(power)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let mut inner = self.inner();
        finish(inner.step(5)?)?;
        let names = inner.names.keys().filter(|path| parent(path) == dir);
        Ok(names.filter_map(|path| Some(path.file_name()?.to_string_lossy().into_owned())).collect())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut inner = self.inner();
        finish(inner.step(6)?)?;
        let (synced, rest) =
            std::mem::take(&mut inner.pending_names).into_iter().partition::<Vec<_>, _>(|c| c.dir == dir);
        inner.pending_names = rest;
        for change in synced {
            change.apply(&mut inner.durable_names);
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        let mut inner = self.inner();
        if !inner.locks.insert(path.to_owned()) {
            return Err(LockError::Held(None));
        }
        Ok(Box::new(SimLock { inner: Arc::clone(&self.inner), path: path.to_owned() }))
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        let inner = self.inner();
        if inner.faults.fail_free_bytes {
            return Err(io::Error::other("the disk does not say what is free"));
        }
        let fits =
            inner.faults.capacity_bytes.map_or(u64::MAX, |capacity| capacity.saturating_sub(inner.used()));
        Ok(inner.faults.free_bytes.unwrap_or(fits))
    }
}

#[derive(Debug)]
struct SimLock {
    inner: Arc<Mutex<Inner>>,
    path: PathBuf,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).locks.remove(&self.path);
    }
}

#[derive(Debug)]
struct SimFile {
    inner: Arc<Mutex<Inner>>,
    id: u64,
}

impl SimFile {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a fault that is set for a path concerns this file.
fn concerns(fault: Option<&PathBuf>, path: &Path) -> bool {
    fault.is_some_and(|fault| path.starts_with(fault))
}

impl DiskFile for SimFile {
    fn size_bytes(&self) -> io::Result<u64> {
        Ok(found(self.inner().files.get(&self.id))?.current.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut inner = self.inner();
        // Reads are not counted: they change nothing, and who reads more often is not to move the cut.
        if inner.cut_at.is_some_and(|cut| inner.operations > cut) {
            return Err(power_is_off());
        }
        let content = found(inner.files.get_mut(&self.id))?;
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(content.current.len());
        let n = buffer.len().min(content.current.len() - from);
        buffer[..n].copy_from_slice(&content.current[from..from + n]);
        Ok(n)
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let mut data: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let mut inner = self.inner();
        let power = inner.step(7)?;
        let offset = usize::try_from(offset).map_err(io::Error::other)?;
        let path = found(inner.files.get(&self.id))?.path.clone();
        let mut failure = None;
        if let Some(capacity) = inner.faults.capacity_bytes {
            let grows = (offset + data.len()).saturating_sub(found(inner.files.get(&self.id))?.current.len());
            let over = (inner.used() + grows as u64).saturating_sub(capacity);
            let fits = grows.saturating_sub(usize::try_from(over).unwrap_or(usize::MAX));
            data.truncate(data.len() - (grows - fits));
            failure = (over > 0 && data.is_empty()).then_some(io::ErrorKind::StorageFull.into());
        }
        if concerns(inner.faults.fail_writes.as_ref(), &path) {
            data.truncate(data.len() / 2);
            failure = Some(io::Error::other("the disk failed"));
        }
        for chunk in data.chunks(8) {
            inner.note(chunk.iter().fold(offset as u64, |sum, octet| sum << 8 ^ u64::from(*octet)));
        }
        let n = data.len();
        let content = found(inner.files.get_mut(&self.id))?;
        write_at(&mut content.current, offset, &data);
        content.pending.push(Change::Write(offset, data));
        finish(power)?;
        failure.map_or(Ok(n), Err)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut inner = self.inner();
        finish(inner.step(8)?)?;
        let path = found(inner.files.get(&self.id))?.path.clone();
        if concerns(inner.faults.fail_syncs.as_ref(), &path) {
            return Err(io::Error::other("the disk failed"));
        }
        let content = found(inner.files.get_mut(&self.id))?;
        for change in std::mem::take(&mut content.pending) {
            match change {
                Change::Write(offset, data) => write_at(&mut content.durable, offset, &data),
                Change::SetLen(len) => content.durable.resize(len, 0),
            }
        }
        Ok(())
    }

    fn set_len(&self, size_bytes: u64) -> io::Result<()> {
        let mut inner = self.inner();
        let power = inner.step(9)?;
        let path = found(inner.files.get(&self.id))?.path.clone();
        if concerns(inner.faults.fail_set_len.as_ref(), &path) {
            return Err(io::Error::other("the disk failed"));
        }
        let used = inner.used();
        let capacity = inner.faults.capacity_bytes;
        let content = found(inner.files.get_mut(&self.id))?;
        let len = usize::try_from(size_bytes).map_err(io::Error::other)?;
        let grows = len.saturating_sub(content.current.len()) as u64;
        if capacity.is_some_and(|capacity| grows > 0 && used + grows > capacity) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        content.current.resize(len, 0);
        content.pending.push(Change::SetLen(len));
        finish(power)
    }
}
