//! What a store has promised about its directory, and about keys of messages.

use std::collections::{BTreeMap, BTreeSet};

use store::{Account, AccountId, MailboxId, SealedSecret, StoredDkimKey};
use types::directory::{
    AccountSettings, AddressEntry, AddressKind, DkimAlgorithm, DkimKey, DkimKeyState, DomainEntry,
};
use types::{MailId, Mailbox, Timestamp};

use crate::random::Random;

/// Domains, addresses and keys of domains that come and go.
const NAMES: u64 = 12;
/// Names of accounts, each used again when its account is gone.
const ACCOUNT_NAMES: u64 = 12;

#[derive(Debug, Default)]
pub(super) struct Directory {
    pub(super) accounts: BTreeMap<AccountId, AccountPromise>,
    accounts_gone: BTreeSet<AccountId>,
    /// Removals without an answer.
    open_removals: BTreeSet<AccountId>,
    /// Names of accounts that were asked for without an answer.
    open_names: BTreeSet<String>,
    /// Ids are never given twice.
    last_ids: Option<(AccountId, MailboxId)>,
    /// What each name may have; nothing where it may not be there.
    entries: BTreeMap<Name, BTreeSet<Option<u64>>>,
    keys: BTreeMap<(AccountId, String), BTreeSet<Option<KeyState>>>,
    /// Messages with a key that got no answer.
    open_keys: Vec<(AccountId, String, MailId)>,
    next_value: u64,
}

#[derive(Debug)]
pub(super) struct AccountPromise {
    pub(super) inbox: MailboxId,
    name: String,
    /// Any of these; more than one after a change without an answer.
    quotas: BTreeSet<Option<u64>>,
}

/// A domain, an address, or a key with which a domain signs, in turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Name(u64);

/// What a key stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyState {
    mail_id: MailId,
    expires_at: Timestamp,
}

/// What a [`Name`] is one of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NameKind {
    Domain,
    Address,
    DkimKey,
}

/// Of all keys of the test: each has a domain of its own.
pub(super) const SELECTOR: &str = "s";

impl Name {
    pub(super) const fn kind(self) -> NameKind {
        match self.0 % 3 {
            0 => NameKind::Domain,
            1 => NameKind::Address,
            _ => NameKind::DkimKey,
        }
    }

    fn domain(self) -> String {
        format!("d{}.example", self.0)
    }

    fn address(self) -> String {
        format!("x{}@example.org", self.0)
    }

    /// The domain with a value in it.
    pub(super) fn domain_entry(self, value: u64) -> Option<DomainEntry> {
        let catch_all = mailbox_of(value);
        Some(DomainEntry { catch_all, ..DomainEntry::new(self.domain().parse().ok()?) })
    }

    /// The key with a value in it.
    pub(super) fn dkim_key(self, value: u64) -> Option<StoredDkimKey> {
        let key = DkimKey {
            domain: self.domain().parse().ok()?,
            selector: SELECTOR.into(),
            algorithm: DkimAlgorithm::RsaSha256,
            state: DkimKeyState::Active,
            record: format!("v{value}"),
            created_at: Timestamp::default(),
            changed_at: Timestamp::default(),
        };
        Some(StoredDkimKey { key, secret: SealedSecret::new(value.to_le_bytes().to_vec()) })
    }

    /// The address with a value in it.
    pub(super) fn address_entry(self, value: u64) -> Option<AddressEntry> {
        let kind = AddressKind::Alias { targets: vec![mailbox_of(value)?] };
        Some(AddressEntry { address: self.address().parse().ok()?, kind })
    }
}

fn mailbox_of(value: u64) -> Option<Mailbox> {
    format!("v{value}@example.net").parse().ok()
}

fn value_of(mailbox: Option<&Mailbox>) -> Option<u64> {
    mailbox?.local_part.as_str().strip_prefix('v')?.parse().ok()
}

/// Settings that can be told apart.
pub(super) fn settings(quota: u64) -> AccountSettings {
    AccountSettings { quota_bytes: Some(quota), ..AccountSettings::default() }
}

/// What is on the disk after a cut.
#[derive(Debug)]
pub(super) struct FoundDirectory {
    pub(super) accounts: Vec<Account>,
    pub(super) domains: Vec<DomainEntry>,
    pub(super) addresses: Vec<AddressEntry>,
    pub(super) dkim_keys: Vec<StoredDkimKey>,
}

impl Directory {
    /// A value that was never used.
    pub(super) const fn new_value(&mut self) -> u64 {
        self.next_value += 1;
        self.next_value
    }

    /// A name, and whether it is there; none where that is not certain.
    pub(super) fn any_name(&self, random: &mut Random) -> (Name, Option<bool>) {
        let name = Name(random.below(NAMES));
        let is_there = match self.entries.get(&name) {
            None => Some(false),
            Some(values) if values.iter().all(Option::is_some) => Some(true),
            Some(values) => (values.len() == 1).then_some(false),
        };
        (name, is_there)
    }

    /// A name for an account that no other has.
    pub(super) fn free_account_name(&mut self, random: &mut Random) -> String {
        let is_free = |name: &String| self.accounts.values().all(|account| account.name != *name);
        let name = format!("a{}@example.org", random.below(ACCOUNT_NAMES));
        if is_free(&name) { name } else { format!("b{}@example.org", self.new_value()) }
    }

    pub(super) fn any_account(&self, random: &mut Random) -> Option<AccountId> {
        let n = self.accounts.len() as u64;
        if n == 0 {
            return None;
        }
        self.accounts.keys().nth(usize::try_from(random.below(n)).ok()?).copied()
    }

    /// A key that was used before, or a new one.
    pub(super) fn any_key(&mut self, account: AccountId, random: &mut Random) -> String {
        let used: Vec<_> = self.keys.keys().filter(|(of, _)| *of == account).map(|(_, key)| key).collect();
        match usize::try_from(random.below(1 + 2 * used.len() as u64)).ok().and_then(|n| used.get(n)) {
            Some(used) => (*used).clone(),
            None => format!("k{}", self.new_value()),
        }
    }

    pub(super) fn created(&mut self, name: String, account: Option<&Account>) -> Result<(), String> {
        let Some(account) = account else {
            self.open_names.insert(name);
            return Ok(());
        };
        let ids = (account.id, account.inbox);
        if self.last_ids.is_some_and(|last| ids.0 <= last.0 || ids.1 <= last.1) {
            return Err(format!("ids {ids:?} were given before, up to {:?}", self.last_ids));
        }
        self.last_ids = Some(ids);
        let quotas = BTreeSet::from([None]);
        self.accounts.insert(account.id, AccountPromise { inbox: account.inbox, name, quotas });
        Ok(())
    }

    pub(super) fn quota_changed(&mut self, account: AccountId, quota: u64, is_certain: bool) {
        let Some(account) = self.accounts.get_mut(&account) else { return };
        if is_certain {
            account.quotas.clear();
        }
        account.quotas.insert(Some(quota));
    }

    /// Returns the mailbox that is gone with the account, where that is certain.
    pub(super) fn removed(&mut self, account: AccountId, is_certain: bool) -> Option<MailboxId> {
        if !is_certain {
            self.open_removals.insert(account);
            return None;
        }
        self.keys.retain(|(of, _), _| *of != account);
        self.accounts_gone.insert(account);
        self.accounts.remove(&account).map(|account| account.inbox)
    }

    pub(super) fn entry_put(&mut self, name: Name, value: Option<u64>, is_certain: bool) {
        let values = self.entries.entry(name).or_insert_with(|| BTreeSet::from([None]));
        if is_certain {
            values.clear();
        }
        values.insert(value);
    }

    /// A message with a key was answered: with its own id, or with the one that came first.
    pub(super) fn key_answered(
        &mut self,
        account: AccountId,
        key: &str,
        state: (MailId, Timestamp, Timestamp),
        told: Option<MailId>,
    ) -> Result<(), String> {
        let (mail_id, at, expires_at) = state;
        let new = KeyState { mail_id, expires_at };
        let possible = self.keys.entry((account, key.to_owned())).or_insert_with(|| BTreeSet::from([None]));
        let counts = |state: &Option<KeyState>| state.is_some_and(|state| state.expires_at > at);
        let now = match told {
            Some(first) => {
                let first =
                    possible.iter().find(|state| counts(state) && state.is_some_and(|s| s.mail_id == first));
                *first.ok_or_else(|| format!("{mail_id} with key {key} was told {told:?} of {possible:?}"))?
            }
            None if possible.iter().all(counts) => {
                return Err(format!("{mail_id} with key {key} was accepted again: {possible:?}"));
            }
            None => Some(new),
        };
        *possible = BTreeSet::from([now]);
        Ok(())
    }

    /// A message with a key got no answer.
    pub(super) fn key_open(
        &mut self,
        account: AccountId,
        key: String,
        state: (MailId, Timestamp, Timestamp),
    ) {
        let (mail_id, at, expires_at) = state;
        let possible = self.keys.entry((account, key.clone())).or_insert_with(|| BTreeSet::from([None]));
        if possible.iter().any(|state| state.is_none_or(|state| state.expires_at <= at)) {
            possible.insert(Some(KeyState { mail_id, expires_at }));
            self.open_keys.push((account, key, mail_id));
        }
    }

    /// Decides about keys without an answer by what became of their messages; `is_there` knows where one must be
    /// found if it was accepted.
    pub(super) fn settle_keys(&mut self, is_there: impl Fn(MailId) -> Option<bool>) {
        for (account, key, mail_id) in std::mem::take(&mut self.open_keys) {
            let Some(possible) = self.keys.get_mut(&(account, key)) else { continue };
            let is_it = |state: &Option<KeyState>| state.is_some_and(|state| state.mail_id == mail_id);
            match is_there(mail_id) {
                Some(true) => possible.retain(is_it),
                Some(false) => possible.retain(|state| !is_it(state)),
                None => {}
            }
        }
    }

    /// Compares with what is there, and takes it over as certain. Returns mailboxes that are gone.
    pub(super) fn compare(&mut self, found: &FoundDirectory) -> Result<Vec<MailboxId>, String> {
        let mut gone = Vec::new();
        let there: BTreeSet<AccountId> = found.accounts.iter().map(|account| account.id).collect();
        for id in self.accounts.keys().copied().collect::<Vec<_>>() {
            if there.contains(&id) {
                continue;
            }
            if !self.open_removals.contains(&id) {
                return Err(format!("account {id} is lost"));
            }
            gone.extend(self.removed(id, true));
        }
        self.open_removals.clear();
        for account in &found.accounts {
            self.compare_account(account)?;
        }
        self.open_names.clear();
        let mut entries = BTreeMap::new();
        for n in 0..NAMES {
            let name = Name(n);
            let value = found.value(name)?;
            let possible = self.entries.get(&name);
            if !possible.map_or(value.is_none(), |possible| possible.contains(&value)) {
                return Err(format!("{name:?} is {value:?} instead of {possible:?}"));
            }
            if value.is_some() {
                entries.insert(name, BTreeSet::from([value]));
            }
        }
        self.entries = entries;
        Ok(gone)
    }

    fn compare_account(&mut self, account: &Account) -> Result<(), String> {
        if self.accounts_gone.contains(&account.id) {
            return Err(format!("account {} was removed, and is back", account.id));
        }
        let quota = account.settings.quota_bytes;
        if !self.accounts.contains_key(&account.id) {
            if !self.open_names.contains(&account.name) {
                return Err(format!("nobody asked for account {}", account.name));
            }
            self.created(account.name.clone(), Some(account))?;
        }
        let Some(promise) = self.accounts.get_mut(&account.id) else { return Ok(()) };
        if promise.name != account.name || promise.inbox != account.inbox || !promise.quotas.contains(&quota)
        {
            return Err(format!("account {account:?} instead of {promise:?}"));
        }
        promise.quotas = BTreeSet::from([quota]);
        Ok(())
    }
}

impl FoundDirectory {
    fn value(&self, name: Name) -> Result<Option<u64>, String> {
        match name.kind() {
            NameKind::Domain => {
                let entry = self.domains.iter().find(|entry| entry.domain.as_str() == name.domain());
                return Ok(entry.and_then(|entry| value_of(entry.catch_all.as_ref())));
            }
            NameKind::DkimKey => {
                let found = self.dkim_keys.iter().find(|found| found.key.domain.as_str() == name.domain());
                return Ok(found.and_then(|found| found.key.record.strip_prefix('v')?.parse().ok()));
            }
            NameKind::Address => {}
        }
        match self.addresses.iter().find(|entry| entry.address.to_string() == name.address()) {
            None => Ok(None),
            Some(AddressEntry { kind: AddressKind::Alias { targets }, .. }) => Ok(value_of(targets.first())),
            Some(other) => Err(format!("{other:?} is not what was put")),
        }
    }
}
