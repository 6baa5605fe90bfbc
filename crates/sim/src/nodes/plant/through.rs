//! A store and a disk that hand everything on but what a bug does otherwise.

use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use store::embedded::disk::{Disk, DiskFile, DiskLock, LockError, OpenMode};
use store::{
    Acceptance, Accepted, Account, AccountChange, AccountId, BodyStream, DamagedItem, Derived, DerivedKind,
    DerivedRows, Destination, DestinationFigures, Directory, Expunged, Flags, FlagsStored, KnownMessages,
    MailboxId, MailboxInfo, Mailboxes, MessageEntry, Metadata, ModSeq, NewAccount, Put, Queue, QueueFigures,
    QueueItem, QueueItemId, Replaced, Settled, Settlement, SpecialUse, Spool, StagedBody, Store, StoreError,
    StoredDkimKey, Subscription, Trace, TraceQuery, Transfer, Transferred, Uid, Usage, Vanished, Watch,
};
use types::directory::{AddressEntry, DomainEntry};
use types::{Domain, Envelope, Event, MailId, Mailbox, Timestamp};

use super::Bug;

/// A store with a bug.
pub(super) struct Planted<B> {
    pub(super) store: Arc<dyn Store>,
    pub(super) bug: B,
}

type Done<T> = Result<T, StoreError>;

#[async_trait]
impl<B: Bug> Mailboxes for Planted<B> {
    async fn mailboxes(&self, account: AccountId) -> Done<Vec<MailboxInfo>> {
        self.store.mailboxes(account).await
    }
    async fn messages(
        &self,
        mailbox: MailboxId,
        after: Option<Uid>,
        limit: usize,
    ) -> Done<Vec<MessageEntry>> {
        self.store.messages(mailbox, after, limit).await
    }
    async fn open(&self, mailbox: MailboxId, uid: Uid) -> Done<Box<dyn BodyStream>> {
        self.store.open(mailbox, uid).await
    }
    async fn mailbox(&self, mailbox: MailboxId) -> Done<MailboxInfo> {
        self.store.mailbox(mailbox).await
    }
    async fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        at: Timestamp,
    ) -> Done<MailboxInfo> {
        self.store.create_mailbox(account, name, special_use, at).await
    }
    async fn rename_mailbox(&self, account: AccountId, from: &str, to: &str, at: Timestamp) -> Done<()> {
        self.store.rename_mailbox(account, from, to, at).await
    }
    async fn delete_mailbox(&self, mailbox: MailboxId, name: &str, at: Timestamp) -> Done<()> {
        self.store.delete_mailbox(mailbox, name, at).await
    }
    async fn subscriptions(&self, account: AccountId) -> Done<Vec<String>> {
        self.store.subscriptions(account).await
    }
    async fn subscribe(&self, account: AccountId, name: &str, subscription: Subscription) -> Done<()> {
        self.store.subscribe(account, name, subscription).await
    }
    async fn add_keywords(&self, mailbox: MailboxId, names: &[String]) -> Done<Vec<String>> {
        self.store.add_keywords(mailbox, names).await
    }
    async fn store_flags(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        add: Flags,
        remove: Flags,
        unchanged_since: Option<ModSeq>,
    ) -> Done<FlagsStored> {
        self.store.store_flags(mailbox, uids, add, remove, unchanged_since).await
    }
    async fn store_flags_of(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        change: (Flags, Flags),
        unchanged_since: Option<ModSeq>,
        known: Arc<dyn KnownMessages>,
    ) -> Done<FlagsStored> {
        self.store.store_flags_of(mailbox, uids, change, unchanged_since, known).await
    }
    async fn transfer(
        &self,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        how: Transfer,
        at: Timestamp,
    ) -> Done<Transferred> {
        self.store.transfer(from, uids, to, how, at).await
    }
    async fn expunge_flagged(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        flags: Flags,
        at: Timestamp,
    ) -> Done<Vec<Uid>> {
        self.store.expunge_flagged(mailbox, uids, flags, at).await
    }
    async fn vanished(&self, mailbox: MailboxId, since: ModSeq) -> Done<Vanished> {
        self.store.vanished(mailbox, since).await
    }
    async fn expunged(&self, account: AccountId) -> Done<Vec<Expunged>> {
        self.store.expunged(account).await
    }
    async fn restore(&self, account: AccountId, messages: &[(MailboxId, Uid)], at: Timestamp) -> Done<usize> {
        self.store.restore(account, messages, at).await
    }
    async fn purge_expunged(&self, before: Timestamp, limit: usize) -> Done<usize> {
        self.store.purge_expunged(before, limit).await
    }
    async fn metadata(&self, account: AccountId, mailbox: Option<MailboxId>) -> Done<Vec<Metadata>> {
        self.store.metadata(account, mailbox).await
    }
    async fn set_metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        changes: Vec<Metadata>,
    ) -> Done<()> {
        self.store.set_metadata(account, mailbox, changes).await
    }
    fn watch(&self, account: AccountId) -> Watch {
        self.store.watch(account)
    }
}

#[async_trait]
impl<B: Bug> Spool for Planted<B> {
    async fn accept(&self, acceptance: Acceptance) -> Done<Accepted> {
        self.bug.accept(&*self.store, acceptance).await
    }
    async fn append(&self, messages: Vec<Acceptance>, replaces: Option<Replaced>) -> Done<Vec<Accepted>> {
        self.store.append(messages, replaces).await
    }
    async fn accepted_before(&self, account: AccountId, key: &str, now: Timestamp) -> Done<Option<MailId>> {
        self.store.accepted_before(account, key, now).await
    }
    async fn envelope(&self, mail_id: MailId) -> Done<Option<(Envelope, String)>> {
        self.store.envelope(mail_id).await
    }
    async fn stage(&self) -> Done<Box<dyn StagedBody>> {
        self.store.stage().await
    }
}

#[async_trait]
impl<B: Bug> Directory for Planted<B> {
    async fn create_account(&self, account: NewAccount) -> Done<Account> {
        self.store.create_account(account).await
    }
    async fn change_account(&self, account: AccountId, change: AccountChange) -> Done<Account> {
        self.store.change_account(account, change).await
    }
    async fn remove_account(&self, account: AccountId) -> Done<()> {
        self.store.remove_account(account).await
    }
    async fn account(&self, name: &str) -> Done<Option<Account>> {
        self.store.account(name).await
    }
    async fn accounts(&self) -> Done<Vec<Account>> {
        self.store.accounts().await
    }
    async fn account_usage(&self, account: AccountId) -> Done<Usage> {
        self.store.account_usage(account).await
    }
    async fn put_domain(&self, entry: DomainEntry, put: Put) -> Done<()> {
        self.store.put_domain(entry, put).await
    }
    async fn remove_domain(&self, domain: &Domain) -> Done<()> {
        self.store.remove_domain(domain).await
    }
    async fn domain(&self, domain: &Domain) -> Done<Option<DomainEntry>> {
        self.store.domain(domain).await
    }
    async fn domains(&self) -> Done<Vec<DomainEntry>> {
        self.store.domains().await
    }
    async fn put_address(&self, entry: AddressEntry, put: Put) -> Done<()> {
        self.store.put_address(entry, put).await
    }
    async fn remove_address(&self, address: &Mailbox) -> Done<()> {
        self.store.remove_address(address).await
    }
    async fn address(&self, address: &Mailbox) -> Done<Option<AddressEntry>> {
        self.store.address(address).await
    }
    async fn addresses(&self) -> Done<Vec<AddressEntry>> {
        self.store.addresses().await
    }
    async fn put_dkim_keys(&self, keys: Vec<StoredDkimKey>) -> Done<()> {
        self.store.put_dkim_keys(keys).await
    }
    async fn remove_dkim_key(&self, domain: &Domain, selector: &str) -> Done<()> {
        self.store.remove_dkim_key(domain, selector).await
    }
    async fn dkim_keys(&self, domain: &Domain) -> Done<Vec<StoredDkimKey>> {
        self.store.dkim_keys(domain).await
    }
    async fn all_dkim_keys(&self) -> Done<Vec<StoredDkimKey>> {
        self.store.all_dkim_keys().await
    }
    fn directory_version(&self) -> u64 {
        self.store.directory_version()
    }
}

#[async_trait]
impl<B: Bug> Queue for Planted<B> {
    async fn destinations_due(
        &self,
        due_by: Timestamp,
        after: Option<&(Timestamp, Destination)>,
        limit: usize,
    ) -> Done<Vec<(Timestamp, Destination)>> {
        self.store.destinations_due(due_by, after, limit).await
    }
    async fn next_due(&self, after: Timestamp) -> Done<Option<Timestamp>> {
        self.store.next_due(after).await
    }
    async fn claim(
        &self,
        destination: &Destination,
        due_by: Timestamp,
        limit: usize,
        lease: Duration,
    ) -> Done<Vec<QueueItem>> {
        self.bug.claim(&*self.store, destination, due_by, limit, lease).await
    }
    fn release(&self, ids: &[QueueItemId]) {
        self.bug.release(&*self.store, ids);
    }
    async fn settle(
        &self,
        settlements: Vec<Settlement>,
        reports: Vec<Acceptance>,
    ) -> Done<(Vec<Settled>, Vec<Accepted>)> {
        self.bug.settle(&*self.store, settlements, reports).await
    }
    async fn queue_item(&self, id: QueueItemId) -> Done<Option<QueueItem>> {
        self.store.queue_item(id).await
    }
    async fn queue_items_of(&self, mail_id: MailId) -> Done<Vec<QueueItem>> {
        self.store.queue_items_of(mail_id).await
    }
    async fn damaged_items_of(&self, mail_id: MailId) -> Done<Vec<DamagedItem>> {
        self.store.damaged_items_of(mail_id).await
    }
    async fn queue_ahead(
        &self,
        later_than: Timestamp,
        after: Option<QueueItemId>,
    ) -> Done<(Vec<QueueItemId>, Option<QueueItemId>)> {
        self.store.queue_ahead(later_than, after).await
    }
    async fn queue_page(
        &self,
        destination: Option<&Destination>,
        after: Option<QueueItemId>,
        limit: usize,
    ) -> Done<Vec<QueueItem>> {
        self.store.queue_page(destination, after, limit).await
    }
    async fn queue_destinations(
        &self,
        after: Option<&Destination>,
        limit: usize,
    ) -> Done<Vec<DestinationFigures>> {
        self.store.queue_destinations(after, limit).await
    }
    async fn queue_figures(&self) -> Done<QueueFigures> {
        self.store.queue_figures().await
    }
    async fn open_queued(&self, id: QueueItemId) -> Done<Box<dyn BodyStream>> {
        self.store.open_queued(id).await
    }
}

#[async_trait]
impl<B: Bug> Trace for Planted<B> {
    fn record(&self, events: Vec<Event>) {
        self.store.record(events);
    }
    async fn trace(&self, query: TraceQuery) -> Done<Vec<Event>> {
        self.store.trace(query).await
    }
}

impl<B: Bug> Store for Planted<B> {
    fn fatal_error(&self) -> Option<String> {
        self.store.fatal_error()
    }
    fn knows(&self, mail_id: MailId) -> bool {
        self.store.knows(mail_id)
    }
}

/// A disk that says that it has synced the log, and has not; but for the header of a segment.
#[derive(Debug)]
pub(super) struct Lying(pub(super) Arc<dyn Disk>);

#[derive(Debug)]
struct LyingFile {
    file: Arc<dyn DiskFile>,
    has_header: AtomicBool,
}

impl Disk for Lying {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        self.0.create_dir_all(path)
    }
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let file = self.0.open(path, mode)?;
        if !path.starts_with("/data/log") {
            return Ok(file);
        }
        Ok(Arc::new(LyingFile { file, has_header: AtomicBool::new(mode == OpenMode::Existing) }))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.0.remove(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        self.0.list(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.0.sync_dir(dir)
    }
    fn lock(&self, path: &Path) -> Result<Box<dyn DiskLock>, LockError> {
        self.0.lock(path)
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.0.free_bytes(path)
    }
}

impl DiskFile for LyingFile {
    fn size_bytes(&self) -> io::Result<u64> {
        self.file.size_bytes()
    }
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }
    fn write_at(&self, slices: &[IoSlice<'_>], offset: u64) -> io::Result<usize> {
        self.file.write_at(slices, offset)
    }
    fn sync_data(&self) -> io::Result<()> {
        if self.has_header.swap(true, Ordering::Relaxed) { Ok(()) } else { self.file.sync_data() }
    }
    fn set_len(&self, size_bytes: u64) -> io::Result<()> {
        self.file.set_len(size_bytes)
    }
}

#[async_trait]
impl<B: Bug> Derived for Planted<B> {
    async fn derived(&self, kind: DerivedKind, ids: &[MailId]) -> Done<Vec<Option<Bytes>>> {
        self.store.derived(kind, ids).await
    }
    async fn put_derived(&self, rows: DerivedRows) -> Done<()> {
        self.store.put_derived(rows).await
    }
}
