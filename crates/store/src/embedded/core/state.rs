//! What the committer knows beyond the view.

mod flagged;
mod mailboxes;

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use bytes::Bytes;
use types::{MailId, Timestamp};

pub(super) use self::flagged::Changing;
use self::flagged::{Flagged, NewFlags};
use super::super::directory::{EntryKey, LastIds};
use super::super::folder::MailboxState;
use super::super::lately::Lately;
use super::super::record::Lsn;
use super::super::view::{EntryState, KeyRow, Reader};
use super::super::watchers::Watchers;
use super::queue::Queued;
use super::told::Told;
use crate::{Account, AccountId, MailboxId, QueueItemId, StoreError, Uid, UidValidity};

type MessageKey = (MailboxId, Uid);
/// Whose mailbox, and its name.
type FolderKey = (AccountId, Box<str>);
/// Whose key of a message, and the key.
type UsedKey = (AccountId, Box<str>);
/// A value with the record that says so.
type At<V> = (Lsn, V);

/// Mailboxes as they are, and what is committed and not applied yet.
#[derive(Debug)]
pub(in super::super) struct State {
    mailboxes: HashMap<MailboxId, CachedMailbox>,
    /// `None` is a message that was removed.
    entries: HashMap<MessageKey, At<Option<Known>>>,
    /// Flags that were changed of few messages.
    flags: HashMap<MessageKey, At<NewFlags>>,
    /// In order.
    flagged: VecDeque<Flagged>,
    mails: HashMap<MailId, Lsn>,
    /// `None` is an account that was removed; likewise below.
    accounts: HashMap<AccountId, At<Option<Account>>>,
    names: HashMap<String, At<Option<AccountId>>>,
    /// Mailboxes that are listed.
    folders: HashMap<FolderKey, At<Option<MailboxId>>>,
    directory: HashMap<EntryKey, At<Option<Vec<u8>>>>,
    keys: HashMap<UsedKey, At<KeyRow>>,
    /// `None` is an item of the queue that is gone.
    queue: HashMap<QueueItemId, At<Option<Queued>>>,
    /// Mailboxes that were removed.
    gone: HashSet<MailboxId>,
    /// What to forget when the view has come there, in order.
    unapplied: VecDeque<(Lsn, Key)>,
    undo: Vec<Undo>,
    pub(super) changed: Changed,
    pub(super) next_account: u64,
    pub(super) next_mailbox: u64,
    pub(super) last_validity: UidValidity,
    /// Mailboxes of an account that are listed.
    pub(super) mailboxes_max: usize,
    pub(super) watchers: Arc<Watchers>,
    /// The latest time that a message came in with; what expired before is of no use.
    pub(super) latest: Timestamp,
}

/// A message in a mailbox.
#[derive(Debug, Clone)]
pub(super) struct Known {
    pub(super) state: EntryState,
    /// The delivery's header fields.
    pub(super) header: Bytes,
}

#[derive(Debug, Clone)]
struct CachedMailbox {
    state: MailboxState,
    /// The last change; [`Lsn`] 0 where the view has all.
    changed: Lsn,
}

#[derive(Debug)]
enum Key {
    Entry(MessageKey),
    Flags(MessageKey),
    /// The first of them.
    Flagged,
    Mail(MailId),
    Account(AccountId),
    Name(String),
    Folder(FolderKey),
    Directory(EntryKey),
    Used(UsedKey),
    Queued(QueueItemId),
    Gone(MailboxId),
}

#[derive(Debug)]
enum Undo {
    Entry(MessageKey, Option<At<Option<Known>>>),
    Flags(MessageKey, Option<At<NewFlags>>),
    /// The last of them.
    Flagged,
    Mailbox(MailboxId, Option<Box<CachedMailbox>>),
    Mail(MailId, Option<Lsn>),
    Account(AccountId, Option<At<Option<Account>>>),
    Name(String, Option<At<Option<AccountId>>>),
    Folder(FolderKey, Option<At<Option<MailboxId>>>),
    Directory(EntryKey, Option<At<Option<Vec<u8>>>>),
    Used(UsedKey, Option<At<KeyRow>>),
    Queued(QueueItemId, Option<At<Option<Queued>>>),
    Gone(MailboxId),
}

/// What a batch has changed.
#[derive(Debug, Default)]
pub(super) struct Changed {
    pub(super) mails: Vec<MailId>,
    pub(super) mailboxes: HashSet<MailboxId>,
    pub(super) directory: bool,
    /// Subscriptions or annotations.
    pub(super) personal: bool,
    /// Which mailboxes there are, or what is known of one beside its messages.
    pub(super) folders: bool,
    /// For who watches the account.
    pub(super) told: Vec<(AccountId, Told)>,
    /// Accounts of which there was something to tell, and nobody watched. What was refused meanwhile is in it too.
    pub(super) unheard: Vec<AccountId>,
    /// Items of the queue that are new, and that who accepted them has.
    pub(super) claimed: Vec<QueueItemId>,
    /// Items of the queue that were settled.
    pub(super) settled: Vec<QueueItemId>,
    /// The oldest record that brought an item of the queue which is gone now.
    pub(super) gone_since: Option<Lsn>,
    /// Messages were removed from mailboxes.
    pub(super) removal: bool,
    /// Where something waits from now on that nobody has.
    pub(super) destinations: Vec<Arc<str>>,
}

impl Changed {
    /// Whether anything of the queue changed.
    pub(super) fn queue(&self) -> bool {
        !(self.claimed.is_empty() && self.settled.is_empty() && self.destinations.is_empty())
    }
}

/// How far a batch has come.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    undo: usize,
    told: usize,
    /// Messages in the last that is told, to which more may be added.
    told_messages: usize,
    mails: usize,
    claimed: usize,
    settled: usize,
    destinations: usize,
}

/// So many places are kept for what is not applied yet when there is nothing.
const IDLE_CAPACITY: usize = 1024;
/// So many mailboxes are kept in memory.
const MAILBOXES_MAX: usize = 16 * 1024;

impl State {
    /// `last_ids`: the greatest that were given.
    pub(in super::super) fn new(last_ids: LastIds, mailboxes_max: usize, watchers: Arc<Watchers>) -> Self {
        Self {
            mailboxes: HashMap::new(),
            entries: HashMap::new(),
            flags: HashMap::new(),
            flagged: VecDeque::new(),
            mails: HashMap::new(),
            accounts: HashMap::new(),
            names: HashMap::new(),
            folders: HashMap::new(),
            directory: HashMap::new(),
            keys: HashMap::new(),
            queue: HashMap::new(),
            gone: HashSet::new(),
            unapplied: VecDeque::new(),
            undo: Vec::new(),
            changed: Changed::default(),
            next_account: last_ids.account.0 + 1,
            next_mailbox: last_ids.mailbox.0 + 1,
            last_validity: last_ids.uid_validity,
            mailboxes_max,
            watchers,
            latest: Timestamp::default(),
        }
    }

    /// Forgets what the view has by now.
    pub(super) fn prune(&mut self, applied: Lsn, lately: &Lately) {
        let mut lately = lately.lock();
        while self.unapplied.front().is_some_and(|(lsn, _)| *lsn < applied) {
            let Some((_, key)) = self.unapplied.pop_front() else { break };
            match key {
                Key::Entry(key) => forget(&mut self.entries, &key, |(lsn, _)| *lsn < applied),
                Key::Flags(key) => forget(&mut self.flags, &key, |(lsn, _)| *lsn < applied),
                Key::Flagged => drop(self.flagged.pop_front()),
                Key::Mail(id) => {
                    lately.forget(id, applied);
                    forget(&mut self.mails, &id, |lsn| *lsn < applied);
                }
                Key::Account(id) => forget(&mut self.accounts, &id, |(lsn, _)| *lsn < applied),
                Key::Name(name) => forget(&mut self.names, &name, |(lsn, _)| *lsn < applied),
                Key::Folder(key) => forget(&mut self.folders, &key, |(lsn, _)| *lsn < applied),
                Key::Directory(key) => forget(&mut self.directory, &key, |(lsn, _)| *lsn < applied),
                Key::Used(key) => forget(&mut self.keys, &key, |(lsn, _)| *lsn < applied),
                Key::Queued(id) => {
                    lately.forget(id.mail_id, applied);
                    forget(&mut self.queue, &id, |(lsn, _)| *lsn < applied);
                }
                Key::Gone(id) => {
                    self.gone.remove(&id);
                    self.mailboxes.remove(&id);
                }
            }
        }
        if self.unapplied.is_empty() {
            // What a burst took is given back.
            self.unapplied.shrink_to(IDLE_CAPACITY);
            self.entries.shrink_to(IDLE_CAPACITY);
            self.flags.shrink_to(IDLE_CAPACITY);
            self.mails.shrink_to(IDLE_CAPACITY);
            self.queue.shrink_to(IDLE_CAPACITY);
            lately.shrink();
        }
        if self.mailboxes.len() > MAILBOXES_MAX {
            self.mailboxes.retain(|_, mailbox| mailbox.changed >= applied);
        }
    }

    /// The batch is durable. Returns what it changed.
    pub(super) fn settle(&mut self, end: Lsn) -> Changed {
        for undo in std::mem::take(&mut self.undo) {
            let key = match undo {
                Undo::Entry(key, _) => Key::Entry(key),
                Undo::Flags(key, _) => Key::Flags(key),
                Undo::Flagged => Key::Flagged,
                // It says itself when it changed.
                Undo::Mailbox(..) => continue,
                Undo::Mail(id, _) => Key::Mail(id),
                Undo::Account(id, _) => Key::Account(id),
                Undo::Name(name, _) => Key::Name(name),
                Undo::Folder(key, _) => Key::Folder(key),
                Undo::Directory(key, _) => Key::Directory(key),
                Undo::Used(key, _) => Key::Used(key),
                Undo::Queued(id, _) => Key::Queued(id),
                Undo::Gone(id) => Key::Gone(id),
            };
            // Each of the batch's records stands before its end.
            self.unapplied.push_back((Lsn(end.0 - 1), key));
        }
        std::mem::take(&mut self.changed)
    }

    /// The batch was refused. Numbers that were given are not given again, which leaves gaps that nobody saw.
    pub(super) fn undo(&mut self) {
        self.changed = Changed::default();
        self.back_to(Mark::default());
    }

    /// What was done so far in this batch.
    pub(super) fn mark(&self) -> Mark {
        let Changed { told, mails, claimed, settled, destinations, .. } = &self.changed;
        Mark {
            undo: self.undo.len(),
            told: told.len(),
            told_messages: told.last().map_or(0, |(_, told)| told.messages()),
            mails: mails.len(),
            claimed: claimed.len(),
            settled: settled.len(),
            destinations: destinations.len(),
        }
    }

    /// Undoes what was done since.
    pub(super) fn back_to(&mut self, mark: Mark) {
        let Changed { told, mails, claimed, settled, destinations, .. } = &mut self.changed;
        told.truncate(mark.told);
        if let Some((_, told)) = told.last_mut() {
            told.truncate(mark.told_messages);
        }
        mails.truncate(mark.mails);
        claimed.truncate(mark.claimed);
        settled.truncate(mark.settled);
        destinations.truncate(mark.destinations);
        while self.undo.len() > mark.undo
            && let Some(undo) = self.undo.pop()
        {
            match undo {
                Undo::Entry(key, before) => restore(&mut self.entries, key, before),
                Undo::Flags(key, before) => restore(&mut self.flags, key, before),
                Undo::Flagged => drop(self.flagged.pop_back()),
                Undo::Mailbox(id, before) => restore(&mut self.mailboxes, id, before.map(|before| *before)),
                Undo::Mail(id, before) => restore(&mut self.mails, id, before),
                Undo::Account(id, before) => restore(&mut self.accounts, id, before),
                Undo::Name(name, before) => restore(&mut self.names, name, before),
                Undo::Folder(key, before) => restore(&mut self.folders, key, before),
                Undo::Directory(key, before) => restore(&mut self.directory, key, before),
                Undo::Used(key, before) => restore(&mut self.keys, key, before),
                Undo::Queued(id, before) => restore(&mut self.queue, id, before),
                Undo::Gone(id) => drop(self.gone.remove(&id)),
            }
        }
    }

    /// Where a message's record is that the view does not have yet.
    pub(super) fn unapplied_mail(&self, id: MailId) -> Option<Lsn> {
        self.mails.get(&id).copied()
    }

    /// Whether a message is known.
    pub(super) fn has_mail(&self, id: MailId, reader: &Reader) -> Result<bool, StoreError> {
        Ok(self.mails.contains_key(&id) || reader.has_mail(id)?)
    }

    pub(super) fn set_mail(&mut self, id: MailId, lsn: Lsn) {
        let before = self.mails.insert(id, lsn);
        self.undo.push(Undo::Mail(id, before));
        self.changed.mails.push(id);
    }

    pub(super) fn account(&self, id: AccountId, reader: &Reader) -> Result<Option<Account>, StoreError> {
        if let Some((_, account)) = self.accounts.get(&id) {
            return Ok(account.clone());
        }
        reader.account(id)
    }

    /// Sets an account, or that it is gone.
    pub(super) fn set_account(&mut self, id: AccountId, lsn: Lsn, account: Option<Account>) {
        let before = self.accounts.insert(id, (lsn, account));
        self.undo.push(Undo::Account(id, before));
        self.changed.directory = true;
    }

    /// The account of a name in lower case.
    pub(super) fn account_id(&self, name: &str, reader: &Reader) -> Result<Option<AccountId>, StoreError> {
        if let Some((_, id)) = self.names.get(name) {
            return Ok(*id);
        }
        reader.account_id(name)
    }

    pub(super) fn set_name(&mut self, name: String, lsn: Lsn, id: Option<AccountId>) {
        let before = self.names.insert(name.clone(), (lsn, id));
        self.undo.push(Undo::Name(name, before));
    }

    /// An entry of the directory.
    pub(super) fn directory(&self, key: &EntryKey, reader: &Reader) -> Result<Option<Vec<u8>>, StoreError> {
        if let Some((_, value)) = self.directory.get(key) {
            return Ok(value.clone());
        }
        reader.directory(key)
    }

    pub(super) fn set_directory(&mut self, key: EntryKey, lsn: Lsn, value: Option<Vec<u8>>) {
        if key.is_personal() {
            self.changed.personal = true;
        } else {
            self.changed.directory = true;
        }
        let before = self.directory.insert(key.clone(), (lsn, value));
        self.undo.push(Undo::Directory(key, before));
    }

    /// All entries below a key, with what follows it in theirs.
    pub(super) fn directory_below(
        &self,
        prefix: &EntryKey,
        reader: &Reader,
    ) -> Result<BTreeMap<String, Vec<u8>>, StoreError> {
        let mut entries: BTreeMap<String, Vec<u8>> = reader.entries_below(prefix)?.into_iter().collect();
        for (key, (_, value)) in &self.directory {
            let Some(rest) = key.as_str().strip_prefix(prefix.as_str()) else { continue };
            match value {
                Some(value) => drop(entries.insert(rest.to_owned(), value.clone())),
                None => drop(entries.remove(rest)),
            }
        }
        Ok(entries)
    }

    /// The message that an account used a key for last.
    pub(super) fn key(
        &self,
        account: AccountId,
        key: &str,
        reader: &Reader,
    ) -> Result<Option<KeyRow>, StoreError> {
        if let Some((_, row)) = self.keys.get(&(account, key.into())) {
            return Ok(Some(*row));
        }
        reader.key(account, key)
    }

    pub(super) fn set_key(&mut self, account: AccountId, key: &str, lsn: Lsn, row: KeyRow) {
        let key: UsedKey = (account, key.into());
        let before = self.keys.insert(key.clone(), (lsn, row));
        self.undo.push(Undo::Used(key, before));
    }

    /// An item of the queue that the view does not have yet as it is; within, `None` where it is gone.
    pub(super) fn unapplied_queued(&self, id: QueueItemId) -> Option<Option<&Queued>> {
        self.queue.get(&id).map(|(_, queued)| queued.as_ref())
    }

    pub(super) fn set_queued(&mut self, id: QueueItemId, lsn: Lsn, queued: Option<Queued>) {
        let before = self.queue.insert(id, (lsn, queued));
        self.undo.push(Undo::Queued(id, before));
    }

    /// The mailbox is no more, nor is what is in it.
    pub(super) fn set_gone(&mut self, id: MailboxId) {
        self.gone.insert(id);
        self.changed.removal = true;
        self.changed.folders = true;
        self.undo.push(Undo::Gone(id));
        self.changed.mailboxes.insert(id);
    }

    /// Whether a mailbox is no more of which the view may still have messages.
    pub(super) fn is_gone(&self, id: MailboxId, reader: &Reader) -> Result<bool, StoreError> {
        Ok(self.gone.contains(&id) || reader.is_gone(id)?)
    }
}

fn forget<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, key: &K, old: impl Fn(&V) -> bool) {
    if map.get(key).is_some_and(old) {
        map.remove(key);
    }
}

fn restore<K: Eq + std::hash::Hash, V>(map: &mut HashMap<K, V>, key: K, before: Option<V>) {
    match before {
        Some(before) => drop(map.insert(key, before)),
        None => drop(map.remove(&key)),
    }
}
