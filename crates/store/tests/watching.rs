//! Who begins to watch an account while something of it is being committed.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::fmt;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use bytes::Bytes;
use store::embedded::disk::{Disk, DiskFile, DiskLock, LockError, OpenMode, RealDisk};
use store::embedded::{Drive, Embedded, Options};
use store::{
    AccountChange, Change, Directory as _, Mailboxes as _, Metadata, NewAccount, Subscription, Watch,
};
use suite::drive::manual;
use suite::mail::{RECEIVED_AT, accept, id};
use types::directory::AccountSettings;

/// A disk that has somebody begin to watch whenever something is synced: what is committed was decided then, and nobody
/// can read it yet.
#[derive(Clone, Default)]
struct LateDisk(Arc<Late>);

#[derive(Default)]
struct Late {
    store: OnceLock<Weak<Embedded>>,
    account: Mutex<Option<store::AccountId>>,
    made: Mutex<Vec<Watch>>,
}

impl Late {
    fn watch(&self) {
        let account = *self.account.lock().unwrap();
        if let (Some(store), Some(account)) = (self.store.get().and_then(Weak::upgrade), account) {
            self.made.lock().unwrap().push(store.watch(account));
        }
    }
}

impl fmt::Debug for LateDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LateDisk")
    }
}

impl Disk for LateDisk {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        RealDisk.create_dir_all(path)
    }
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        Ok(Arc::new(LateFile(RealDisk.open(path, mode)?, self.clone())))
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

#[derive(Debug)]
struct LateFile(Arc<dyn DiskFile>, LateDisk);

impl DiskFile for LateFile {
    fn size_bytes(&self) -> io::Result<u64> {
        self.0.size_bytes()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        self.0.write_at(slices, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.1.0.watch();
        self.0.sync_data()
    }
    fn set_len(&self, size_bytes: u64) -> io::Result<()> {
        self.0.set_len(size_bytes)
    }
}

#[test]
fn who_begins_to_watch_while_something_is_committed_is_told_to_read_anew_whatever_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let disk = LateDisk::default();
    let options =
        Options { drive: Drive::Manual, disk: Arc::new(disk.clone()), ..Options::at(folder.path()) };
    let store = Arc::new(Embedded::open(options).unwrap());
    disk.0.store.set(Arc::downgrade(&store)).unwrap();
    // Each of an account of its own: where somebody has watched it before, all are told of all.
    let account = |name: &str| {
        *disk.0.account.lock().unwrap() = None;
        let new = NewAccount::new(format!("{name}@example.org"), RECEIVED_AT);
        let account = manual(&store, store.create_account(new)).unwrap();
        *disk.0.account.lock().unwrap() = Some(account.id);
        account
    };
    let heard = |what: &str| {
        let made = std::mem::take(&mut *disk.0.made.lock().unwrap());
        assert!(!made.is_empty(), "{what} was synced");
        made.first().unwrap().take()
    };
    let anew = |what: &str| assert_eq!(heard(what), [Change::Lost], "{what}");

    let owner = account("message");
    manual(&store, accept(&*store, id(1, 0), b"x\r\n", &[owner.inbox])).unwrap();
    anew("a message");
    manual(&store, store.subscribe(account("subscription").id, "News", Subscription::On)).unwrap();
    anew("a subscription");
    let comment = Metadata { name: "/private/comment".into(), value: Some(Bytes::from_static(b"x")) };
    manual(&store, store.set_metadata(account("annotation").id, None, vec![comment])).unwrap();
    anew("an annotation");
    manual(&store, store.create_mailbox(account("mailbox").id, "New", None, RECEIVED_AT)).unwrap();
    anew("a mailbox");
    let settings = AccountSettings { quota_bytes: Some(1), ..AccountSettings::default() };
    let settings = AccountChange::Settings(settings);
    manual(&store, store.change_account(account("settings").id, settings)).unwrap();
    anew("the account's settings");
    manual(&store, store.remove_account(account("removed").id)).unwrap();
    anew("the end of the account");
    account("other");
    manual(&store, accept(&*store, id(1, 1), b"x\r\n", &[owner.inbox])).unwrap();
    assert_eq!(heard("a message for somebody else"), []);
}
