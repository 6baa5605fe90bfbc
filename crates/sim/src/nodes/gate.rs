//! Stands between a node and all that lasts longer than it: its disk and its connections. When it is closed, the node
//! is dead: whatever it still does reaches nothing, until the simulation ends its tasks.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::embedded::disk::{Disk, DiskFile, DiskLock, LockError, OpenMode};

use turmoil::net::TcpStream;

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
    /// After how many more syncs that is decided, and after how many operations it is then.
    closes_after_syncs: Option<(u64, u64, Death)>,
    is_closed: bool,
    connections: u64,
    /// Connections that are to be closed when all tasks of the node have ended, by their number.
    closing: BTreeMap<u64, TcpStream>,
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
pub enum Operation {
    /// A file is opened, renamed or removed, or a folder synced.
    Name = 1,
    /// Octets are written.
    Write = 2,
    /// A file is synced.
    Sync = 3,
    /// A file is cut or lengthened.
    SetLen = 4,
    /// A connection is opened.
    Connect = 5,
    /// A connection is accepted.
    Accept = 6,
    /// Octets are sent.
    Send = 7,
    /// Octets are received.
    Receive = 8,
    /// A life has ended: a digest of all that its disk did.
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

    /// The node dies so many operations after one of the next syncs: around what is promised by it.
    pub(super) fn close_after_syncs(&self, syncs: u64, operations: u64, how: Death) {
        self.state().closes_after_syncs.get_or_insert((syncs, operations, how));
    }

    /// A number for a connection.
    pub(super) fn next_connection(&self) -> u64 {
        let mut state = self.state();
        state.connections += 1;
        state.connections
    }

    /// Closes a connection. One of a dead node waits until all of its tasks have ended: the order in which a runtime
    /// drops them follows from numbers that belong to the process, and no seed decides those.
    pub(super) fn close_connection(&self, number: u64, stream: TcpStream) {
        let mut state = self.state();
        if state.is_closed {
            state.closing.insert(number, stream);
        } else {
            drop(state);
            drop(stream);
        }
    }

    /// Closes the connections of a dead node, in their order.
    pub(super) fn close_connections(&self) {
        let closing = std::mem::take(&mut self.state().closing);
        closing.into_values().for_each(drop);
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
            if operation == Operation::Sync {
                match state.closes_after_syncs.take() {
                    Some((0, more, how)) => state.closes_at = state.closes_at.or(Some((at + 1 + more, how))),
                    Some((syncs, more, how)) => state.closes_after_syncs = Some((syncs - 1, more, how)),
                    None => {}
                }
            }
            match state.closes_at {
                Some((closes_at, how)) if at >= closes_at => {
                    state.is_closed = true;
                    if how == Death::PowerCut { Pass::Torn } else { Pass::Closed }
                }
                _ => Pass::Open,
            }
        };
        self.world.tape(self.node, operation, octets);
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
