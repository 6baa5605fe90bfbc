//! Stands between a node and all that lasts longer than it: its disk and its connections. When it is closed, the node
//! is dead: whatever it still does reaches nothing, until the simulation ends its tasks.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::embedded::disk::{Disk, DiskFile, DiskLock, LockError, OpenMode};

use super::plan::Death;
use super::world::World;
use crate::disk::SimDisk;

/// The gate of one life of a node.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) node: usize,
    pub(super) world: Arc<World>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    operations: u64,
    /// In which operation the node dies, and how.
    closes_at: Option<(u64, Death)>,
    is_closed: bool,
}

/// Whether an operation is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    Open,
    /// The power fails in the middle of it.
    Torn,
    Closed,
}

/// What is done, for the tape.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Name = 1,
    Write = 2,
    Sync = 3,
    SetLen = 4,
    Connect = 5,
    Accept = 6,
    Send = 7,
    Receive = 8,
    /// All that a disk did in one life.
    Life = 9,
}

impl Gate {
    pub(super) fn new(node: usize, world: Arc<World>) -> Arc<Self> {
        Arc::new(Self { node, world, state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The node dies in the operation that comes after `operations` more.
    pub(super) fn close_after(&self, operations: u64, how: Death) {
        let mut state = self.state();
        let at = state.operations + operations;
        state.closes_at.get_or_insert((at, how));
    }

    /// The node dies now.
    pub(super) fn close(&self) {
        let was_closed = std::mem::replace(&mut self.state().is_closed, true);
        if !was_closed {
            self.died();
        }
    }

    pub(super) fn is_closed(&self) -> bool {
        self.state().is_closed
    }

    fn died(&self) {
        let at = self.world.elapsed();
        self.world.state().ledger.died(self.node, at);
    }

    /// Asks whether something may still be done.
    pub(super) fn pass(&self, operation: Operation, octets: &[u8]) -> Pass {
        let pass = {
            let mut state = self.state();
            if state.is_closed {
                return Pass::Closed;
            }
            let at = state.operations;
            state.operations += 1;
            match state.closes_at {
                Some((closes_at, how)) if at >= closes_at => {
                    state.is_closed = true;
                    if how == Death::PowerCut { Pass::Torn } else { Pass::Closed }
                }
                _ => Pass::Open,
            }
        };
        self.world.tape(self.node, operation as u8, octets);
        if pass != Pass::Open {
            self.died();
        }
        pass
    }
}

/// A disk behind a gate.
#[derive(Debug)]
pub(super) struct GatedDisk {
    pub(super) disk: SimDisk,
    pub(super) gate: Arc<Gate>,
}

#[derive(Debug)]
struct GatedFile {
    file: Arc<dyn DiskFile>,
    disk: SimDisk,
    gate: Arc<Gate>,
}

fn gone() -> io::Error {
    io::Error::other("the machine is gone")
}

/// Does an operation as far as the gate lets it.
fn through<T>(
    gate: &Gate,
    disk: &SimDisk,
    operation: Operation,
    octets: &[u8],
    work: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    match gate.pass(operation, octets) {
        Pass::Open => work(),
        Pass::Torn => {
            disk.cut_after(0);
            work()
        }
        Pass::Closed => Err(gone()),
    }
}

impl GatedDisk {
    fn name<T>(&self, path: &Path, work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        through(&self.gate, &self.disk, Operation::Name, path.as_os_str().as_encoded_bytes(), work)
    }
}

impl Disk for GatedDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.name(path, || self.disk.create_dir_all(path))
    }

    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.name(path, || self.disk.open(path, mode))?;
        Ok(Arc::new(GatedFile { file, disk: self.disk.clone(), gate: Arc::clone(&self.gate) }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.name(to, || self.disk.rename(from, to))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.name(path, || self.disk.remove(path))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        if self.gate.is_closed() { Err(gone()) } else { self.disk.list(dir) }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.name(dir, || self.disk.sync_dir(dir))
    }

    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        self.disk.lock(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.disk.free_bytes(path)
    }
}

impl DiskFile for GatedFile {
    fn size_bytes(&self) -> io::Result<u64> {
        self.file.size_bytes()
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        if self.gate.is_closed() { Err(gone()) } else { self.file.read_at(buffer, offset) }
    }

    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        let first = slices.first().map_or(&[][..], |slice| slice);
        through(&self.gate, &self.disk, Operation::Write, first, || self.file.write_at(slices, offset))
    }

    fn sync_data(&self) -> io::Result<()> {
        through(&self.gate, &self.disk, Operation::Sync, &[], || self.file.sync_data())
    }

    fn set_len(&self, size_bytes: u64) -> io::Result<()> {
        let len = size_bytes.to_be_bytes();
        through(&self.gate, &self.disk, Operation::SetLen, &len, || self.file.set_len(size_bytes))
    }
}
