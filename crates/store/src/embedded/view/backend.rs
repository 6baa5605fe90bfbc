//! redb's file on a [`Disk`](super::super::disk::Disk), so that a simulated disk covers the view too.

use std::io;
use std::sync::Arc;

use redb::StorageBackend;

use super::super::disk::DiskFile;

#[derive(Debug)]
pub(in super::super) struct Backend(pub(in super::super) Arc<dyn DiskFile>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.size_bytes()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(out, offset)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.0.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.0.write_all_at(data, offset)
    }
}
