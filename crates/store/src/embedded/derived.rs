//! What was made of messages, kept as a cache: `derived.redb` in the data folder.
//!
//! It is opened when somebody first asks, so that a store that nobody reads has none. Nothing waits for it to be durable:
//! what a crash takes is made again. A file that is damaged, or of another version, is removed and begun anew.

mod table;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use redb::{Database, Durability, ReadableDatabase as _};
use types::MailId;

use self::table::{SWEPT, definition};
use super::Embedded;
use super::disk::{Disk, OpenMode};
use super::segments::unavailable;
use super::shared::{Shared, closed};
use super::sync::{blocking, lock};
use super::view::backend::Backend;
use crate::{Derived, DerivedKind, DerivedRows, StoreError};

/// The cache of one store.
#[derive(Debug)]
pub(super) struct Cache {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    /// Nobody has asked yet, or what was there was of no use.
    Unopened,
    Open {
        database: Arc<Database>,
        unsaved: Unsaved,
    },
    Closed,
}

/// What was put since it was made durable.
#[derive(Debug, Clone, Copy, Default)]
struct Unsaved {
    bytes: usize,
    writes: usize,
}

/// Octets of it that are kept in memory.
const CACHE_BYTES: usize = 4 * 1024 * 1024;
/// So much at most is lost by a crash, and must be made again. More would save few syncs, which mail has to wait for.
const UNSAVED_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Pages that a write frees are used again when what freed them is durable: many small writes must not make the file large.
const UNSAVED_WRITES_MAX: usize = 500;
/// Entries that each write looks at, besides as many as it adds: whether their messages are still there.
const SWEEP_MIN: usize = 64;

impl Cache {
    pub(super) fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path, state: Mutex::new(State::Unopened) }
    }

    fn get(&self, kind: DerivedKind, ids: &[MailId]) -> Result<Vec<Option<Bytes>>, StoreError> {
        let database = self.database()?;
        self.with(&database, || {
            let txn = database.begin_read()?;
            table::get(&txn.open_table(definition(kind))?, ids)
        })
    }

    fn put(&self, rows: &DerivedRows, shared: &Shared) -> Result<(), StoreError> {
        shared.room()?;
        let database = self.database()?;
        let bytes = rows.iter().flat_map(|(_, items)| items).map(|(_, value)| value.len()).sum();
        let durability = self.due(bytes);
        self.with(&database, || {
            let mut txn = database.begin_write()?;
            let is_known = knows(shared);
            let mut swept = txn.open_table(SWEPT)?;
            for (kind, items) in rows {
                let mut table = txn.open_table(definition(*kind))?;
                for (id, value) in items {
                    table.insert(u128::from_be_bytes(id.to_bytes()), &value[..])?;
                }
                let looked_at = items.len() + SWEEP_MIN / rows.len();
                table::sweep(&mut table, &mut swept, *kind, looked_at, &is_known)?;
            }
            drop(swept);
            match durability {
                // Opening after a crash is then quick whatever the size.
                Durability::Immediate => txn.set_quick_repair(true),
                other => txn.set_durability(other)?,
            }
            Ok(txn.commit()?)
        })
    }

    /// How durable the next write is.
    fn due(&self, bytes: usize) -> Durability {
        if let State::Open { unsaved, .. } = &mut *lock(&self.state) {
            unsaved.bytes += bytes;
            unsaved.writes += 1;
            if unsaved.bytes >= UNSAVED_BYTES_MAX || unsaved.writes >= UNSAVED_WRITES_MAX {
                *unsaved = Unsaved::default();
                return Durability::Immediate;
            }
        }
        Durability::None
    }

    /// Makes it durable and lets go of it.
    pub(super) fn close(&self) {
        let State::Open { database, unsaved } = std::mem::replace(&mut *lock(&self.state), State::Closed)
        else {
            return;
        };
        // After a failed write redb may refuse to finish; what is lost is made again.
        let _ = catch_unwind(AssertUnwindSafe(|| {
            if unsaved.writes > 0
                && let Ok(mut txn) = database.begin_write()
            {
                txn.set_quick_repair(true);
                let _ = txn.commit();
            }
            drop(database);
        }));
    }

    /// It, opened where it is not.
    fn database(&self) -> Result<Arc<Database>, StoreError> {
        let mut state = lock(&self.state);
        match &*state {
            State::Open { database, .. } => return Ok(Arc::clone(database)),
            State::Closed => return Err(closed()),
            State::Unopened => {}
        }
        let database = match self.open() {
            Ok(database) => database,
            Err(redb::Error::Io(e)) if is_of_the_disk(&e) => {
                return Err(unavailable("open what was derived of messages", &e));
            }
            Err(error) => {
                tracing::info!(%error, "what was derived of messages is of no use and made anew");
                self.discard()?;
                self.open().map_err(store_error)?
            }
        };
        let database = Arc::new(database);
        *state = State::Open { database: Arc::clone(&database), unsaved: Unsaved::default() };
        Ok(database)
    }

    fn open(&self) -> Result<Database, redb::Error> {
        let file = match self.disk.open(&self.path, OpenMode::Existing) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.disk.open(&self.path, OpenMode::Truncate)?
            }
            opened => opened?,
        };
        // redb says of a damaged file that opening it "may panic".
        let opened = catch_unwind(AssertUnwindSafe(|| {
            let database =
                Database::builder().set_cache_size(CACHE_BYTES).create_with_backend(Backend(file))?;
            table::check_or_make(&database)?;
            Ok(database)
        }));
        opened.unwrap_or_else(|_| Err(redb::Error::Corrupted("it cannot be read".into())))
    }

    fn discard(&self) -> Result<(), StoreError> {
        match self.disk.remove(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                Err(unavailable("remove what was derived of messages", &e))
            }
            _ => Ok(()),
        }
    }

    /// Does something with the database. Where that shows that it is damaged, it is begun anew by who asks next.
    fn with<T>(
        &self,
        database: &Arc<Database>,
        work: impl FnOnce() -> Result<T, redb::Error>,
    ) -> Result<T, StoreError> {
        let done = catch_unwind(AssertUnwindSafe(work))
            .unwrap_or_else(|_| Err(redb::Error::Corrupted("it could not be used".into())));
        done.map_err(|error| {
            if matches!(error, redb::Error::Corrupted(_)) {
                self.give_up(database);
            }
            store_error(error)
        })
    }

    fn give_up(&self, damaged: &Arc<Database>) {
        let mut state = lock(&self.state);
        if matches!(&*state, State::Open { database, .. } if Arc::ptr_eq(database, damaged)) {
            *state = State::Unopened;
            // Who has it open yet reads on.
            if let Err(error) = self.discard() {
                tracing::warn!(%error, "what was derived of messages stays though it is damaged");
            }
        }
    }
}

/// Whether a message is still there. Where that cannot be told, every one is.
fn knows(shared: &Shared) -> impl Fn(MailId) -> bool {
    let applied = shared.progress.applied();
    let reader = shared.view.read().ok();
    move |id| {
        shared.lately.is_stored(id, applied)
            || reader.as_ref().is_none_or(|reader| reader.has_mail(id).unwrap_or(true))
    }
}

fn is_of_the_disk(error: &io::Error) -> bool {
    !matches!(error.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidData)
}

fn store_error(error: redb::Error) -> StoreError {
    StoreError::Unavailable(format!("what was derived of messages: {error}"))
}

#[async_trait]
impl Derived for Embedded {
    async fn derived(&self, kind: DerivedKind, ids: &[MailId]) -> Result<Vec<Option<Bytes>>, StoreError> {
        blocking(|| self.derived.get(kind, ids))
    }

    async fn put_derived(&self, rows: DerivedRows) -> Result<(), StoreError> {
        blocking(|| self.derived.put(&rows, &self.shared))
    }
}
