//! The directory in the view, and the keys of messages: rare beside messages, so tables are opened as needed.

use redb::{ReadableTable as _, ReadableTableMetadata as _, Table};
use types::{MailId, Timestamp};

use super::super::directory::{AccountGone, AccountState, EntryChange, EntryKey, EntryKind, KeyUse, LastIds};
use super::apply::Apply;
use super::read::{Reader, decode, found};
use super::{
    DIRECTORY, GONE, KEY_COUNTS, KEY_TIMES, KEYS, KeyRow, LAST_ACCOUNT, LAST_MAILBOX, LAST_VALIDITY, META,
    Row as _,
};
use crate::{Account, AccountId, MailboxId, StoreError, UidValidity};

/// Expired keys that go when one comes: more than one, so that they become fewer.
const EXPIRED_AT_ONCE: usize = 4;

impl Apply<'_> {
    /// As earlier versions wrote it.
    pub(super) fn account_with_inbox(&mut self, state: AccountState) -> Result<(), redb::Error> {
        self.account(&state.account)?;
        self.mailbox(state.inbox)
    }

    pub(super) fn account(&mut self, account: &Account) -> Result<(), redb::Error> {
        self.names.insert(account.name.to_lowercase().as_str(), account.id.0)?;
        self.accounts.insert(account.id.0, account.encode().as_slice())?;
        Ok(())
    }

    pub(super) fn entry_change(&mut self, change: &EntryChange<'_>) -> Result<(), redb::Error> {
        let mut directory = self.txn.open_table(DIRECTORY)?;
        match change.value {
            Some(value) => drop(directory.insert(change.key, value)?),
            None => drop(directory.remove(change.key)?),
        }
        Ok(())
    }

    /// The account and its mailboxes are gone for every reader at once; the messages in them go in steps, see
    /// [`super::purge`].
    pub(super) fn account_gone(&mut self, gone: &AccountGone) -> Result<(), redb::Error> {
        let id = gone.account.0;
        let account: Option<Account> = decode(self.accounts.remove(id)?)?;
        if let Some(account) = account {
            let name = account.name.to_lowercase();
            // Another account may have the name by now.
            let is_its_own = self.names.get(name.as_str())?.is_some_and(|named| named.value() == id);
            if is_its_own {
                self.names.remove(name.as_str())?;
            }
        }
        for mailbox in &gone.mailboxes {
            self.forget_mailbox(id, *mailbox)?;
            self.txn.open_table(GONE)?.insert(mailbox.0, ())?;
        }
        self.applied.mailboxes_gone = true;
        self.forget_keys(id)?;
        self.forget_personal(gone.account)?;
        let mailbox = gone.mailboxes.iter().copied().max().unwrap_or(MailboxId(0));
        self.last_ids(LastIds::of(gone.account, mailbox))
    }

    /// All subscriptions and annotations of an account.
    fn forget_personal(&self, account: AccountId) -> Result<(), redb::Error> {
        let mut directory = self.txn.open_table(DIRECTORY)?;
        for prefix in [EntryKey::subscriptions(account), EntryKey::all_annotations(account)] {
            remove_below(&mut directory, &prefix)?;
        }
        Ok(())
    }

    /// All annotations of a mailbox.
    pub(super) fn forget_annotations(
        &self,
        account: AccountId,
        mailbox: MailboxId,
    ) -> Result<(), redb::Error> {
        let mut directory = self.txn.open_table(DIRECTORY)?;
        remove_below(&mut directory, &EntryKey::annotations(account, Some(mailbox)))
    }

    pub(super) fn raise_validity(&self, given: UidValidity) -> Result<(), redb::Error> {
        let mut meta = self.txn.open_table(META)?;
        let before = meta.get(LAST_VALIDITY)?.map_or(0, |last| last.value());
        meta.insert(LAST_VALIDITY, before.max(u64::from(given.0)))?;
        Ok(())
    }

    pub(super) fn last_ids(&mut self, ids: LastIds) -> Result<(), redb::Error> {
        let mut meta = self.txn.open_table(META)?;
        let validity = u64::from(ids.uid_validity.0);
        for (key, id) in
            [(LAST_ACCOUNT, ids.account.0), (LAST_MAILBOX, ids.mailbox.0), (LAST_VALIDITY, validity)]
        {
            let before = meta.get(key)?.map_or(0, |id| id.value());
            meta.insert(key, id.max(before))?;
        }
        Ok(())
    }

    /// Notes what a key stands for; `now` where it is known. The latest use counts, in whatever order they come.
    pub(super) fn key_used(
        &mut self,
        mail_id: MailId,
        used: KeyUse<'_>,
        now: Option<Timestamp>,
    ) -> Result<(), redb::Error> {
        let account = used.account.0;
        let mut keys = self.txn.open_table(KEYS)?;
        let mut times = self.txn.open_table(KEY_TIMES)?;
        let mut counts = self.txn.open_table(KEY_COUNTS)?;
        let before: Option<KeyRow> = decode(keys.get((account, used.key))?)?;
        let mut count = counts.get(account)?.map_or(0, |count| count.value());
        match before {
            Some(before) if before.expires_at > used.expires_at => return Ok(()),
            Some(before) => drop(times.remove((account, before.expires_at.millis(), used.key))?),
            None => count += 1,
        }
        let row = KeyRow { mail_id, expires_at: used.expires_at };
        keys.insert((account, used.key), row.encode().as_slice())?;
        times.insert((account, used.expires_at.millis(), used.key), ())?;
        let mut going: Vec<(u64, String)> = Vec::new();
        for item in times.range((account, 0, "")..)?.take(EXPIRED_AT_ONCE) {
            let item = item?.0;
            let (of, expires_at, key) = item.value();
            let is_expired = now.is_some_and(|now| expires_at <= now.millis());
            let is_too_many = count - going.len() as u64 > self.keys_max;
            if of != account || !(is_expired || is_too_many) {
                break;
            }
            going.push((expires_at, key.to_owned()));
        }
        for (expires_at, key) in going {
            times.remove((account, expires_at, key.as_str()))?;
            keys.remove((account, key.as_str()))?;
            count -= 1;
        }
        counts.insert(account, count)?;
        Ok(())
    }

    fn forget_keys(&mut self, account: u64) -> Result<(), redb::Error> {
        if self.txn.open_table(KEY_COUNTS)?.remove(account)?.is_none() {
            return Ok(());
        }
        let from = (account, "");
        self.txn.open_table(KEYS)?.retain_in(from..(account + 1, ""), |_, _| false)?;
        self.txn.open_table(KEY_TIMES)?.retain_in((account, 0, "")..(account + 1, 0, ""), |_, ()| false)?;
        Ok(())
    }
}

fn remove_below(
    directory: &mut Table<'_, &'static str, &'static [u8]>,
    prefix: &EntryKey,
) -> Result<(), redb::Error> {
    let prefix = prefix.as_str();
    let keys = directory
        .range(prefix..)?
        .map(|item| Ok(item?.0.value().to_owned()))
        .take_while(|key: &Result<String, redb::StorageError>| {
            key.as_ref().is_ok_and(|key| key.starts_with(prefix)) || key.is_err()
        })
        .collect::<Result<Vec<_>, redb::StorageError>>()?;
    for key in keys {
        directory.remove(key.as_str())?;
    }
    Ok(())
}

impl Reader {
    pub(in super::super) fn directory(&self, key: &EntryKey) -> Result<Option<Vec<u8>>, StoreError> {
        found(|| Ok(self.txn.open_table(DIRECTORY)?.get(key.as_str())?.map(|value| value.value().to_vec())))
    }

    /// All entries of a kind, by key.
    pub(in super::super) fn entries_of_kind(
        &self,
        kind: EntryKind,
    ) -> Result<Vec<(EntryKey, Vec<u8>)>, StoreError> {
        let prefix = EntryKey::prefix(kind);
        found(|| {
            let table = self.txn.open_table(DIRECTORY)?;
            let mut entries = Vec::new();
            for item in table.range(prefix..)? {
                let (key, value) = item?;
                if !key.value().starts_with(prefix) {
                    break;
                }
                entries.push((EntryKey::from(key.value()), value.value().to_vec()));
            }
            Ok(entries)
        })
    }

    /// All entries below a key, with what follows it in theirs.
    pub(in super::super) fn entries_below(
        &self,
        prefix: &EntryKey,
    ) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
        found(|| {
            let table = self.txn.open_table(DIRECTORY)?;
            let mut entries = Vec::new();
            for item in table.range(prefix.as_str()..)? {
                let (key, value) = item?;
                let Some(rest) = key.value().strip_prefix(prefix.as_str()) else { break };
                entries.push((rest.to_owned(), value.value().to_vec()));
            }
            Ok(entries)
        })
    }

    /// What a key of an account stands for; it may have expired.
    pub(in super::super) fn key(&self, account: AccountId, key: &str) -> Result<Option<KeyRow>, StoreError> {
        found(|| decode(self.txn.open_table(KEYS)?.get((account.0, key))?))
    }

    /// Keys that are kept, and what the counts of all accounts sum up to.
    pub(in super::super) fn key_counts(&self) -> Result<[u64; 3], StoreError> {
        found(|| {
            let mut sum = 0;
            for item in self.txn.open_table(KEY_COUNTS)?.iter()? {
                sum += item?.1.value();
            }
            Ok([self.txn.open_table(KEYS)?.len()?, self.txn.open_table(KEY_TIMES)?.len()?, sum])
        })
    }

    /// Whether a mailbox is gone that may have messages in the view yet.
    pub(in super::super) fn is_gone(&self, mailbox: MailboxId) -> Result<bool, StoreError> {
        found(|| Ok(self.txn.open_table(GONE)?.get(mailbox.0)?.is_some()))
    }

    /// Whether messages of mailboxes that are gone are not cleared away yet.
    pub(in super::super) fn has_gone(&self) -> Result<bool, StoreError> {
        found(|| Ok(!self.txn.open_table(GONE)?.is_empty()?))
    }
}
