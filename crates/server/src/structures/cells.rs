//! What SORT and THREAD need of messages, in memory: rows of cells (see `mail_search::order`), of one column each.

use std::time::Duration;

use bytes::Bytes;
use imap::search::Column;
use types::mailstore::MailboxId;

use super::memory::RowMemory;
use super::{Maker, Memory};

/// A column of the messages of a mailbox whose UIDs have all but the low octet in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct CellsKey(u128);

/// Octets of rows: those by which 100,000 messages are sorted by date and made threads of take some 9 MiB.
const BYTES_MAX: usize = 10 * 1024 * 1024;
/// They cost little memory and are made of all of a mailbox: who comes back after some minutes finds them.
const AGE: Duration = Duration::from_secs(300);

pub(super) fn memory() -> RowMemory<CellsKey> {
    RowMemory::new(BYTES_MAX, AGE)
}

impl CellsKey {
    /// `group` is the UID without its low octet.
    pub(crate) fn new(mailbox: MailboxId, group: u32, column: Column) -> Self {
        Self(u128::from(mailbox.0) << 64 | u128::from(group) << 8 | column as u128)
    }
}

impl Maker {
    /// The rows that are in memory, in order; empty where there is none.
    pub(crate) fn cells(&self, keys: &[CellsKey]) -> Vec<Bytes> {
        match self.memory.as_deref() {
            Some(Memory { cells, .. }) => {
                cells.find(keys).into_iter().map(Option::unwrap_or_default).collect()
            }
            None => vec![Bytes::new(); keys.len()],
        }
    }

    /// Keeps rows for the next who asks, as long as there is room.
    pub(crate) fn keep_cells(&self, keys: &[CellsKey], rows: &[Bytes]) {
        if let Some(Memory { cells, .. }) = self.memory.as_deref() {
            cells.replace(keys.iter().copied().zip(rows));
        }
    }
}
