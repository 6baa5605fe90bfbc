//! The view: a B-tree (redb) of what the log says, so that mailboxes are read without reading the log.
//!
//! It is never the truth. The log position up to which it was made is stored in the same transaction as what was
//! made of it, transactions are not durable one by one, and a checkpoint makes all of them durable now and then.
//! Where it is lost or damaged it is made anew from the log.

mod apply;
pub(super) mod backend;
mod directory;
mod folders;
mod making;
mod purge;
mod queue;
mod queue_build;
mod queue_read;
mod read;
mod rows;

pub(super) use apply::Durable;
pub(super) use purge::Purged;
pub(super) use queue::{DestinationRow, QueueRow};
pub(super) use queue_build::RUN_ITEMS;
pub(super) use read::Reader;
pub(super) use rows::{Counts, EntryRow, EntryState, KeyRow, MailRow, MailboxRow, Row, SegmentRow};

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use redb::{Database, ReadableDatabase as _, TableDefinition};

use super::disk::{Disk, OpenMode};
use super::record::Lsn;
use super::segments::unavailable;
use super::sync::lock;
use crate::StoreError;

const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const ACCOUNTS: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("accounts");
const NAMES: TableDefinition<'_, &str, u64> = TableDefinition::new("account_names");
const MAILBOXES: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("mailboxes");
const ACCOUNT_MAILBOXES: TableDefinition<'_, (u64, u64), ()> = TableDefinition::new("account_mailboxes");
/// Mailboxes that are listed, by account and name.
const FOLDERS: TableDefinition<'_, (u64, &str), u64> = TableDefinition::new("folders");
/// Mailboxes that are not listed, and keep for a time what was removed.
const HIDDEN: TableDefinition<'_, u64, ()> = TableDefinition::new("hidden");
/// Ranges of UIDs that went from a mailbox: mailbox, modification sequence and first UID; last UID.
const VANISHED: TableDefinition<'_, (u64, u64, u32), u32> = TableDefinition::new("vanished");
/// While the view is made anew: messages that are in no mailbox any more, which a later record may bring into one.
const LOOSE: TableDefinition<'_, u128, ()> = TableDefinition::new("loose");
const ENTRIES: TableDefinition<'_, (u64, u32), &[u8]> = TableDefinition::new("entries");
const MAILS: TableDefinition<'_, u128, &[u8]> = TableDefinition::new("mails");
const FILES: TableDefinition<'_, u64, u128> = TableDefinition::new("body_files");
const SEGMENTS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("segments");
/// Entries of the directory, as JSON by their key.
const DIRECTORY: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("directory");
/// Keys that accounts gave messages; the same by when they expire; how many an account has.
const KEYS: TableDefinition<'_, (u64, &str), &[u8]> = TableDefinition::new("keys");
const KEY_TIMES: TableDefinition<'_, (u64, u64, &str), ()> = TableDefinition::new("key_times");
const KEY_COUNTS: TableDefinition<'_, u64, u64> = TableDefinition::new("key_counts");
/// Mailboxes that were removed and whose messages are not cleared away yet.
const GONE: TableDefinition<'_, u64, ()> = TableDefinition::new("gone");

/// Keys of [`META`].
const APPLIED: &str = "applied";
const LAST_ACCOUNT: &str = "last_account";
const LAST_MAILBOX: &str = "last_mailbox";
const LAST_VALIDITY: &str = "last_uid_validity";
const VERSION: &str = "version";
/// The view is being made anew and not whole: see [`queue_build`].
const BUILDING: &str = "building";
const VIEW_VERSION: u64 = 5;

/// The view, which may have to be opened again while the store runs.
#[derive(Debug)]
pub(super) struct View {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    cache_bytes: usize,
    keys_max: u64,
    database: RwLock<Option<Database>>,
    /// What who asks is told while the database is closed.
    why_closed: Mutex<StoreError>,
}

/// Why the view is of no use.
#[derive(Debug)]
pub(super) enum ViewError {
    /// What is in it is not what was written: it must be made anew.
    Damaged(String),
    /// The disk did not do what was asked.
    Disk(StoreError),
}

impl View {
    /// Opens the view, or makes an empty one where there is none.
    pub(super) fn open(
        disk: Arc<dyn Disk>,
        path: PathBuf,
        cache_bytes: usize,
        keys_max: u64,
    ) -> Result<Self, ViewError> {
        let database = open_database(&*disk, &path, cache_bytes)?;
        Ok(Self {
            disk,
            path,
            cache_bytes,
            keys_max,
            database: RwLock::new(Some(database)),
            why_closed: Mutex::new(StoreError::Unavailable("the store is closed".into())),
        })
    }

    /// Another view of the same file, for bringing it up to the log before anybody reads it. This one must be
    /// closed.
    pub(super) fn open_again(&self) -> Result<Self, ViewError> {
        Self::open(Arc::clone(&self.disk), self.path.clone(), self.cache_bytes, self.keys_max)
    }

    /// Another view of the same file instead of this one, which keeps so many octets in memory. What this one has must
    /// be durable.
    pub(super) fn with_cache(self, cache_bytes: usize) -> Result<Self, ViewError> {
        self.close(None);
        Self::open(Arc::clone(&self.disk), self.path.clone(), cache_bytes, self.keys_max)
    }

    pub(super) const fn cache_bytes(&self) -> usize {
        self.cache_bytes
    }

    /// Removes the database from the disk, so that [`View::open_again`] begins with an empty one.
    pub(super) fn discard(&self) -> Result<(), StoreError> {
        discard(&*self.disk, &self.path)
    }

    /// Takes the database of another.
    pub(super) fn adopt(&self, other: &Self) {
        let database = other.database.write().unwrap_or_else(PoisonError::into_inner).take();
        *self.database.write().unwrap_or_else(PoisonError::into_inner) = database;
    }

    /// Closes the database; who asks is told why.
    pub(super) fn close(&self, why: Option<StoreError>) {
        if let Some(why) = why {
            *lock(&self.why_closed) = why;
        }
        let database = self.database.write().unwrap_or_else(PoisonError::into_inner).take();
        // After a failed write redb may refuse to finish; the next opening repairs it.
        let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
    }

    pub(super) fn is_open(&self) -> bool {
        self.database.read().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Octets of its file.
    pub(super) fn size_bytes(&self) -> Result<u64, StoreError> {
        let size = self.disk.open(&self.path, OpenMode::Existing).and_then(|file| file.size_bytes());
        size.map_err(|e| unavailable("measure the view", &e))
    }

    fn closed(&self) -> StoreError {
        lock(&self.why_closed).clone()
    }

    /// A view of one moment.
    pub(super) fn read(&self) -> Result<Reader, StoreError> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or_else(|| self.closed())?;
        database.begin_read().map(Reader::new).map_err(|e| store_error(e.into()))
    }

    fn with<T>(&self, work: impl FnOnce(&Database) -> Result<T, redb::Error>) -> Result<T, StoreError> {
        let guard = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let database = guard.as_ref().ok_or_else(|| self.closed())?;
        catch_unwind(AssertUnwindSafe(|| work(database)))
            .unwrap_or_else(|_| Err(redb::Error::Corrupted("the view could not be changed".into())))
            .map_err(store_error)
    }
}

/// Removes the view at `path`.
pub(super) fn discard(disk: &dyn Disk, path: &Path) -> Result<(), StoreError> {
    match disk.remove(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(unavailable("remove the view", &e)),
        _ => Ok(()),
    }
}

fn open_database(disk: &dyn Disk, path: &Path, cache_bytes: usize) -> Result<Database, ViewError> {
    let on_disk = |e: &io::Error| ViewError::Disk(unavailable("open the view", e));
    let file = match disk.open(path, OpenMode::Existing) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let file = disk.open(path, OpenMode::Truncate).map_err(|e| on_disk(&e))?;
            let dir = path.parent().unwrap_or(path);
            disk.sync_dir(dir).map_err(|e| on_disk(&e))?;
            file
        }
        opened => opened.map_err(|e| on_disk(&e))?,
    };
    let open = || -> Result<Database, redb::Error> {
        let database =
            Database::builder().set_cache_size(cache_bytes).create_with_backend(backend::Backend(file))?;
        match version(&database)? {
            Some(VIEW_VERSION) if is_building(&database)? => {
                return Err(redb::Error::Corrupted("it was not finished".into()));
            }
            Some(VIEW_VERSION) => {}
            None => make_tables(&database)?,
            // A view of another version is not converted: it is made anew.
            Some(other) => return Err(redb::Error::Corrupted(format!("version {other}"))),
        }
        Ok(database)
    };
    // redb says of a damaged file that opening it "may panic".
    match catch_unwind(AssertUnwindSafe(open)) {
        Ok(Ok(database)) => Ok(database),
        Ok(Err(redb::Error::Io(e)))
            if e.kind() != io::ErrorKind::UnexpectedEof && e.kind() != io::ErrorKind::InvalidData =>
        {
            Err(on_disk(&e))
        }
        Ok(Err(other)) => Err(ViewError::Damaged(other.to_string())),
        Err(_) => Err(ViewError::Damaged("it cannot be read".into())),
    }
}

fn version(database: &Database) -> Result<Option<u64>, redb::Error> {
    let txn = database.begin_read()?;
    match txn.open_table(META) {
        Ok(meta) => Ok(meta.get(VERSION)?.map(|version| version.value())),
        Err(redb::TableError::TableDoesNotExist(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

fn is_building(database: &Database) -> Result<bool, redb::Error> {
    Ok(database.begin_read()?.open_table(META)?.get(BUILDING)?.is_some())
}

/// An empty view, in one transaction.
fn make_tables(database: &Database) -> Result<(), redb::Error> {
    let txn = database.begin_write()?;
    txn.open_table(ACCOUNTS)?;
    txn.open_table(NAMES)?;
    txn.open_table(MAILBOXES)?;
    txn.open_table(ACCOUNT_MAILBOXES)?;
    txn.open_table(FOLDERS)?;
    txn.open_table(HIDDEN)?;
    txn.open_table(VANISHED)?;
    txn.open_table(LOOSE)?;
    txn.open_table(ENTRIES)?;
    txn.open_table(MAILS)?;
    txn.open_table(FILES)?;
    txn.open_table(SEGMENTS)?;
    txn.open_table(DIRECTORY)?;
    txn.open_table(KEYS)?;
    txn.open_table(KEY_TIMES)?;
    txn.open_table(KEY_COUNTS)?;
    txn.open_table(GONE)?;
    queue::make_tables(&txn)?;
    txn.open_table(META)?.insert(VERSION, VIEW_VERSION)?;
    Ok(txn.commit()?)
}

/// What an error of redb means to who asked.
fn store_error(error: redb::Error) -> StoreError {
    match error {
        redb::Error::Io(e) => unavailable("use the view", &e),
        redb::Error::Corrupted(text) => StoreError::Damaged(format!("the view: {text}")),
        other => StoreError::Unavailable(format!("the view: {other}")),
    }
}

/// A value of the view that cannot be read.
fn malformed(_: super::codec::Malformed) -> redb::Error {
    redb::Error::Corrupted("a value that cannot be read".into())
}

fn lsn_of(value: u64) -> Lsn {
    Lsn(value)
}
