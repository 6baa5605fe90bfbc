//! Transactions of the directory: accounts, domains and addresses.

use types::Timestamp;

use super::super::directory::{AccountGone, EntryChange, EntryKey, put_account};
use super::super::folder::Role;
use super::super::log::Batch;
use super::super::record::{Kind, Lsn};
use super::super::store::read_entry;
use super::super::view::Reader;
use super::folders::{INBOX, canonical};
use super::transact::Done;
use super::{Outcome, State};
use crate::dkim::{DKIM_KEYS_MAX, DkimChange, DkimKeys};
use crate::{
    APP_PASSWORDS_MAX, Account, AccountChange, AccountId, AppPassword, Change, Credentials, NewAccount, Put,
    StoreError,
};

/// Octets of an entry at most: room for some hundred thousand members of a list.
const ENTRY_BYTES_MAX: usize = 16 * 1024 * 1024;
/// That an app password was used is noted no more often than this.
const USE_NOTED_S: u64 = 3600;

impl State {
    pub(super) fn create_account(&mut self, new: NewAccount, reader: &Reader, batch: &mut Batch) -> Done {
        let key = new.name.to_lowercase();
        if key.is_empty() {
            return Err(StoreError::Conflict("an account needs a name".into()));
        }
        if self.account_id(&key, reader)?.is_some() {
            return Err(StoreError::Conflict(format!("there is an account {}", new.name)));
        }
        let address = EntryKey::address_named(&key);
        if self.directory(&address, reader)?.is_some() {
            return Err(address.conflict("is there, and is no account"));
        }
        let id = AccountId(self.next_account);
        self.next_account += 1;
        let NewAccount { name, credentials, settings, created_at, mailboxes } = new;
        let first = batch.len();
        let inbox = self.make_mailbox((id, INBOX), None, Role::Listed, created_at, batch).id;
        self.subscribe_to(id, INBOX, batch);
        for (name, special_use) in mailboxes {
            let name = canonical(&name);
            // One that is there already, as the first of its name.
            if name.is_empty() || self.folder(id, &name, reader)?.is_some() {
                continue;
            }
            for parent in self.missing_above(id, &name, reader)? {
                self.make_mailbox((id, &parent), None, Role::Listed, created_at, batch);
            }
            self.make_mailbox((id, &name), special_use, Role::Listed, created_at, batch);
            self.subscribe_to(id, &name, batch);
        }
        let account = Account { id, name, credentials, settings, inbox };
        self.set_name(key, batch.end(), Some(id));
        self.log_account(account.clone(), batch);
        batch.tie(first);
        Ok(Outcome::Account(account.into()))
    }

    pub(super) fn change_account(
        &mut self,
        id: AccountId,
        change: AccountChange,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        let before = self.account(id, reader)?.ok_or(StoreError::NoSuchAccount)?;
        let mut account = before.clone();
        apply_change(&mut account, change)?;
        // What changes nothing costs no sync.
        if account != before {
            self.log_account(account.clone(), batch);
        }
        let kept = |account: &Account| account.credentials.app_passwords.len();
        if account.settings != before.settings || kept(&account) < kept(&before) {
            self.tell(id, || Change::Account);
        }
        Ok(Outcome::Account(account.into()))
    }

    pub(super) fn log_account(&mut self, account: Account, batch: &mut Batch) {
        let lsn = batch.push(Kind::Account, Vec::new(), |out| put_account(out, &account));
        self.set_account(account.id, lsn, Some(account));
    }

    /// One record, whatever there is in the mailboxes: the applier clears them away in steps behind it.
    pub(super) fn remove_account(&mut self, id: AccountId, reader: &Reader, batch: &mut Batch) -> Done {
        let account = self.account(id, reader)?.ok_or(StoreError::NoSuchAccount)?;
        let mailboxes = self.all_mailboxes(id, reader)?;
        for name in self.folders(id, reader)?.into_keys() {
            self.set_folder(id, &name, batch.end(), None);
        }
        let lsn = batch.end();
        self.set_account(id, lsn, None);
        self.set_name(account.name.to_lowercase(), lsn, None);
        for mailbox in &mailboxes {
            self.set_gone(*mailbox);
        }
        self.changed.personal = true;
        self.tell(id, || Change::AccountGone);
        log_gone(&AccountGone { account: id, mailboxes, since: lsn }, batch);
        Ok(Outcome::Done)
    }

    pub(super) fn put_entry(
        &mut self,
        key: EntryKey,
        value: Vec<u8>,
        put: Put,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        if value.len() > ENTRY_BYTES_MAX {
            return Err(key.conflict("has too much in it"));
        }
        if let Some(name) = key.account_name()
            && self.account_id(name, reader)?.is_some()
        {
            return Err(key.conflict("is an account"));
        }
        let before = self.directory(&key, reader)?;
        match (put, &before) {
            (Put::New, Some(_)) => return Err(key.conflict("is there")),
            (Put::Replace, None) => return Err(key.missing()),
            _ => {}
        }
        if before.as_ref() != Some(&value) {
            self.log_entry(key, Some(value), Lsn(0), batch);
        }
        Ok(Outcome::Done)
    }

    pub(super) fn remove_entry(&mut self, key: EntryKey, reader: &Reader, batch: &mut Batch) -> Done {
        if self.directory(&key, reader)?.is_none() {
            return Err(key.missing());
        }
        let since = batch.end();
        self.log_entry(key, None, since, batch);
        Ok(Outcome::Done)
    }

    /// Changes the keys of a domain; the last one takes the entry with it.
    pub(super) fn change_dkim(
        &mut self,
        key: EntryKey,
        change: DkimChange,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        let before = self.directory(&key, reader)?;
        let keys: DkimKeys =
            before.as_deref().map(|value| read_entry(&key, value)).transpose()?.unwrap_or_default();
        let keys = keys.changed(change).ok_or_else(|| key.missing())?;
        if keys.keys.is_empty() {
            return self.remove_entry(key, reader, batch);
        }
        if keys.keys.len() > DKIM_KEYS_MAX {
            return Err(StoreError::Conflict(format!("a domain has {DKIM_KEYS_MAX} DKIM keys at most")));
        }
        let value = serde_json::to_vec(&keys).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        if before.as_ref() != Some(&value) {
            self.log_entry(key, Some(value), Lsn(0), batch);
        }
        Ok(Outcome::Done)
    }

    /// Writes an entry as it is now; where it is gone, since when.
    pub(super) fn log_entry(&mut self, key: EntryKey, value: Option<Vec<u8>>, since: Lsn, batch: &mut Batch) {
        let change = EntryChange { key: key.as_str(), value: value.as_deref(), since };
        let lsn = batch.push(Kind::Entry, Vec::new(), |out| change.encode(out));
        self.set_directory(key, lsn, value);
    }
}

pub(super) fn log_gone(gone: &AccountGone, batch: &mut Batch) {
    batch.push(Kind::AccountGone, Vec::new(), |out| gone.encode(out));
}

fn apply_change(account: &mut Account, change: AccountChange) -> Result<(), StoreError> {
    let app_passwords = &mut account.credentials.app_passwords;
    let find = |app_passwords: &[AppPassword], name: &str| {
        app_passwords.iter().position(|known| known.name == name).ok_or(StoreError::NoSuchEntry)
    };
    match change {
        AccountChange::Credentials { argon2id, scram_sha_256, scram_sha_1, shared_secret } => {
            let app_passwords = std::mem::take(app_passwords);
            account.credentials =
                Credentials { argon2id, scram_sha_256, scram_sha_1, shared_secret, app_passwords };
        }
        AccountChange::ScramVerifiers { argon2id, scram_sha_256, scram_sha_1 } => {
            if account.credentials.argon2id != argon2id {
                return Err(StoreError::Conflict("the account has another password now".into()));
            }
            account.credentials.scram_sha_256 = Some(scram_sha_256);
            account.credentials.scram_sha_1 = Some(scram_sha_1);
        }
        AccountChange::Settings(settings) => account.settings = settings,
        AccountChange::AddAppPassword(added) => {
            if find(app_passwords, &added.name).is_ok() {
                return Err(StoreError::Conflict(format!("there is an app password {}", added.name)));
            }
            if app_passwords.len() >= APP_PASSWORDS_MAX {
                let text = format!("an account has {APP_PASSWORDS_MAX} app passwords at most");
                return Err(StoreError::Conflict(text));
            }
            app_passwords.push(added);
        }
        AccountChange::RemoveAppPassword { name } => {
            let at = find(app_passwords, &name)?;
            app_passwords.remove(at);
        }
        AccountChange::AppPasswordUsed { name, at } => {
            let index = find(app_passwords, &name)?;
            let last = &mut app_passwords[index].last_used_at;
            if last.is_none_or(|last| is_worth_noting(last, at)) {
                *last = Some(at);
            }
        }
    }
    Ok(())
}

/// An hour or more apart. A clock that was set back is believed, too.
fn is_worth_noting(last: Timestamp, at: Timestamp) -> bool {
    at.seconds().abs_diff(last.seconds()) >= USE_NOTED_S
}
