//! Records of the directory: accounts, entries by key, removals, and keys of messages.
//!
//! An account and an entry stand in their record as they are then: the latest counts. A removal is a tombstone,
//! and says when it was made first: as long as there are segments before that, one of them may hold what was
//! removed, and the log needs the tombstone (see [`super::reclaim`]). Entries are JSON, so that what is added to
//! them later needs no other format.

use types::directory::AccountSettings;
use types::{Domain, MailId, Mailbox, Timestamp};

use super::codec::{Get, Malformed, Put, length};
use super::folder::MailboxState;
use super::record::Lsn;
use crate::{Account, AccountId, AppPassword, Credentials, MailboxId, StoreError, UidValidity};

/// The key of an entry: its kind, and a name in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct EntryKey(String);

const DOMAIN: &str = "domain:";
const ADDRESS: &str = "address:";
const DKIM: &str = "dkim:";
const SUBSCRIPTION: &str = "subscription:";
const ANNOTATION: &str = "annotation:";

impl EntryKey {
    pub(super) fn domain(domain: &Domain) -> Self {
        Self(format!("{DOMAIN}{}", domain.ascii()))
    }

    pub(super) fn address(address: &Mailbox) -> Self {
        Self::address_named(&types::directory::key(address))
    }

    /// Of all keys with which a domain signs.
    pub(super) fn dkim(domain: &Domain) -> Self {
        Self(format!("{DKIM}{}", domain.ascii()))
    }

    /// What the keys of all names begin with that an account has subscribed to; the name follows.
    pub(super) fn subscriptions(account: AccountId) -> Self {
        Self(format!("{SUBSCRIPTION}{:016x}:", account.0))
    }

    /// What the keys of all annotations begin with of a mailbox, or with none of the account itself; the name follows.
    pub(super) fn annotations(account: AccountId, mailbox: Option<MailboxId>) -> Self {
        // No mailbox has number 0.
        Self(format!("{ANNOTATION}{:016x}:{:016x}:", account.0, mailbox.map_or(0, |mailbox| mailbox.0)))
    }

    /// What the keys of all annotations of an account and its mailboxes begin with.
    pub(super) fn all_annotations(account: AccountId) -> Self {
        Self(format!("{ANNOTATION}{:016x}:", account.0))
    }

    /// With what follows.
    pub(super) fn named(mut self, name: &str) -> Self {
        self.0.push_str(name);
        self
    }

    /// Whether it is what one account has for itself, and says nothing of addresses.
    pub(super) fn is_personal(&self) -> bool {
        self.0.starts_with(SUBSCRIPTION) || self.0.starts_with(ANNOTATION)
    }

    /// Of an address by its name in lower case.
    pub(super) fn address_named(name: &str) -> Self {
        Self(format!("{ADDRESS}{name}"))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name of an account that would be the same address.
    pub(super) fn account_name(&self) -> Option<&str> {
        self.0.strip_prefix(ADDRESS)
    }

    /// What all keys of a kind begin with.
    pub(super) const fn prefix(kind: EntryKind) -> &'static str {
        match kind {
            EntryKind::Domain => DOMAIN,
            EntryKind::Address => ADDRESS,
            EntryKind::Dkim => DKIM,
        }
    }

    pub(super) fn missing(&self) -> StoreError {
        match self.0.split_inclusive(':').next() {
            Some(DOMAIN) => StoreError::NoSuchDomain,
            Some(DKIM | SUBSCRIPTION | ANNOTATION) => StoreError::NoSuchEntry,
            _ => StoreError::NoSuchAddress,
        }
    }

    /// That it is there, or too long, in words.
    pub(super) fn conflict(&self, what: &str) -> StoreError {
        StoreError::Conflict(format!("the {} {what}", self.0.replacen(':', " ", 1)))
    }
}

impl From<&str> for EntryKey {
    fn from(key: &str) -> Self {
        Self(key.to_owned())
    }
}

/// What an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EntryKind {
    Domain,
    Address,
    /// The keys with which a domain signs.
    Dkim,
}

/// The content of an entry's record: the entry as it is now, or that it is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EntryChange<'a> {
    pub(super) key: &'a str,
    /// JSON; none where it was removed.
    pub(super) value: Option<&'a [u8]>,
    /// Where a removal was first.
    pub(super) since: Lsn,
}

impl<'a> EntryChange<'a> {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_bytes(self.key.as_bytes());
        out.put_u64(self.since.0);
        out.put_u8(u8::from(self.value.is_some()));
        out.put_bytes(self.value.unwrap_or_default());
    }

    pub(super) fn decode(meta: &'a [u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let key = get.text()?;
        let since = Lsn(get.u64()?);
        let is_there = flag(&mut get)?;
        let value = get.bytes()?;
        get.end()?;
        Ok(Self { key, value: is_there.then_some(value), since })
    }
}

/// The record of an account as earlier versions wrote it: with its INBOX.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountState {
    pub(super) account: Account,
    pub(super) inbox: MailboxState,
}

impl AccountState {
    /// The form of versions 2 to 4.
    pub(super) fn decode_version_4(meta: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let account = get_account(&mut get)?;
        let inbox = MailboxState::get_version_4(&mut get)?;
        get.end()?;
        if account.inbox != inbox.id {
            return Err(Malformed);
        }
        Ok(Self { account, inbox })
    }

    /// The form of version 1, which had a password hash and nothing else.
    pub(super) fn decode_version_1(meta: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let id = AccountId(get.u64()?);
        let (name, argon2id) = (get.text()?.to_owned(), get.text()?.to_owned());
        let inbox = MailboxState::get_version_4(&mut get)?;
        get.end()?;
        let credentials = Credentials { argon2id, ..Credentials::default() };
        let account =
            Account { id, name, credentials, settings: AccountSettings::default(), inbox: inbox.id };
        Ok(Self { account, inbox })
    }
}

pub(super) fn decode_account(meta: &[u8]) -> Result<Account, Malformed> {
    let mut get = Get(meta);
    let account = get_account(&mut get)?;
    get.end()?;
    Ok(account)
}

/// An account, for its record and for its row in the view.
pub(super) fn put_account(out: &mut Vec<u8>, account: &Account) {
    let Account { id, name, credentials, settings, inbox } = account;
    out.put_u64(id.0);
    out.put_bytes(name.as_bytes());
    out.put_u64(inbox.0);
    let Credentials { argon2id, scram_sha_256, scram_sha_1, shared_secret, app_passwords } = credentials;
    out.put_bytes(argon2id.as_bytes());
    for text in [scram_sha_256, scram_sha_1, shared_secret] {
        out.put_u8(u8::from(text.is_some()));
        out.put_bytes(text.as_deref().unwrap_or_default().as_bytes());
    }
    out.put_u32(length(app_passwords.len()));
    for AppPassword { name, sha256, created_at, last_used_at } in app_passwords {
        out.put_bytes(name.as_bytes());
        out.put(sha256);
        out.put_u64(created_at.millis());
        out.put_u8(u8::from(last_used_at.is_some()));
        out.put_u64(last_used_at.unwrap_or_default().millis());
    }
    // Numbers and strings alone are always JSON.
    out.put_bytes(&serde_json::to_vec(settings).unwrap_or_default());
}

pub(super) fn get_account(get: &mut Get<'_>) -> Result<Account, Malformed> {
    let id = AccountId(get.u64()?);
    let name = get.text()?.to_owned();
    let inbox = MailboxId(get.u64()?);
    let argon2id = get.text()?.to_owned();
    let mut text = || -> Result<Option<String>, Malformed> {
        let is_there = flag(get)?;
        let text = get.text()?;
        Ok(is_there.then(|| text.to_owned()))
    };
    let (scram_sha_256, scram_sha_1, shared_secret) = (text()?, text()?, text()?);
    let app_passwords = (0..get.u32()?)
        .map(|_| {
            let name = get.text()?.to_owned();
            let sha256 = get.array()?;
            let created_at = Timestamp::from_millis(get.u64()?);
            let (was_used, at) = (flag(get)?, Timestamp::from_millis(get.u64()?));
            Ok(AppPassword { name, sha256, created_at, last_used_at: was_used.then_some(at) })
        })
        .collect::<Result<_, Malformed>>()?;
    let settings = serde_json::from_slice(get.bytes()?).map_err(|_| Malformed)?;
    let credentials = Credentials { argon2id, scram_sha_256, scram_sha_1, shared_secret, app_passwords };
    Ok(Account { id, name, credentials, settings, inbox })
}

fn flag(get: &mut Get<'_>) -> Result<bool, Malformed> {
    match get.u8()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Malformed),
    }
}

/// The record that an account is gone with its mailboxes, whatever is in them: as long as the account itself,
/// however many messages it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccountGone {
    pub(super) account: AccountId,
    pub(super) mailboxes: Vec<MailboxId>,
    /// Where it was removed first.
    pub(super) since: Lsn,
}

impl AccountGone {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.put_u64(self.account.0);
        out.put_u64(self.since.0);
        out.put_u32(length(self.mailboxes.len()));
        for mailbox in &self.mailboxes {
            out.put_u64(mailbox.0);
        }
    }

    pub(super) fn decode(meta: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let (account, since) = (AccountId(get.u64()?), Lsn(get.u64()?));
        let mailboxes =
            (0..get.u32()?).map(|_| Ok(MailboxId(get.u64()?))).collect::<Result<_, Malformed>>()?;
        get.end()?;
        Ok(Self { account, mailboxes, since })
    }
}

/// The record of ids that were given, so that those of what is gone are not given again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LastIds {
    pub(super) account: AccountId,
    pub(super) mailbox: MailboxId,
    /// Versions 1 to 4 did not say it.
    pub(super) uid_validity: UidValidity,
}

impl LastIds {
    /// Of what is gone.
    pub(super) const fn of(account: AccountId, mailbox: MailboxId) -> Self {
        Self { account, mailbox, uid_validity: UidValidity(0) }
    }

    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.put_u64(self.account.0);
        out.put_u64(self.mailbox.0);
        out.put_u32(self.uid_validity.0);
    }

    pub(super) fn decode(meta: &[u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let (account, mailbox) = (AccountId(get.u64()?), MailboxId(get.u64()?));
        let uid_validity = UidValidity(if get.0.is_empty() { 0 } else { get.u32()? });
        get.end()?;
        Ok(Self { account, mailbox, uid_validity })
    }
}

/// The key that an account gave a message; at the end of the message's record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyUse<'a> {
    pub(super) account: AccountId,
    pub(super) key: &'a str,
    pub(super) expires_at: Timestamp,
}

impl<'a> KeyUse<'a> {
    pub(super) fn put(self, out: &mut Vec<u8>) {
        out.put_u64(self.account.0);
        out.put_bytes(self.key.as_bytes());
        out.put_u64(self.expires_at.millis());
    }

    pub(super) fn get(get: &mut Get<'a>) -> Result<Self, Malformed> {
        Ok(Self {
            account: AccountId(get.u64()?),
            key: get.text()?,
            expires_at: Timestamp::from_millis(get.u64()?),
        })
    }
}

/// The record of a key that outlives its message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyAlone<'a> {
    pub(super) mail_id: MailId,
    pub(super) used: KeyUse<'a>,
}

impl<'a> KeyAlone<'a> {
    pub(super) fn encode(self, out: &mut Vec<u8>) {
        out.put(&self.mail_id.to_bytes());
        self.used.put(out);
    }

    pub(super) fn decode(meta: &'a [u8]) -> Result<Self, Malformed> {
        let mut get = Get(meta);
        let alone = Self { mail_id: get.id()?, used: KeyUse::get(&mut get)? };
        get.end()?;
        Ok(alone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Uid;

    fn inbox() -> MailboxState {
        let new = MailboxState::new(MailboxId(9), AccountId(7), UidValidity(3), "INBOX");
        let modseq = crate::ModSeq(5);
        MailboxState { uid_next: Uid(4), modseq, forgotten: modseq, ..new }
    }

    fn account() -> Account {
        let app_password = |name: &str, last_used_at| AppPassword {
            name: name.into(),
            sha256: [7; 32],
            created_at: Timestamp::from_millis(1),
            last_used_at,
        };
        let credentials = Credentials {
            argon2id: "$argon2id$x".into(),
            scram_sha_256: Some("SCRAM-SHA-256$4096:a$b:c".into()),
            scram_sha_1: None,
            shared_secret: Some("tanstaaf".into()),
            app_passwords: vec![
                app_password("phone", None),
                app_password("printer", Some(Timestamp::from_millis(2))),
            ],
        };
        let settings = AccountSettings { quota_bytes: Some(17), ..AccountSettings::default() };
        Account {
            id: AccountId(7),
            name: "ada@example.org".into(),
            credentials,
            settings,
            inbox: MailboxId(9),
        }
    }

    #[test]
    fn every_record_is_read_as_it_was_written_and_no_part_of_one() {
        let known = account();
        let gone = AccountGone {
            account: AccountId(7),
            mailboxes: vec![MailboxId(9), MailboxId(10)],
            since: Lsn::new(3, 80),
        };
        let used = KeyUse { account: AccountId(7), key: "order 17", expires_at: Timestamp::from_millis(5) };
        let alone = KeyAlone { mail_id: MailId::new(Timestamp::from_millis(4), 4), used };
        let ids = LastIds { account: AccountId(7), mailbox: MailboxId(9), uid_validity: UidValidity(3) };
        let put = EntryChange { key: "domain:example.org", value: Some(b"{}"), since: Lsn(0) };
        let removed = EntryChange { value: None, since: Lsn::new(1, 32), ..put.clone() };
        let encode = |write: &dyn Fn(&mut Vec<u8>)| {
            let mut out = Vec::new();
            write(&mut out);
            out
        };
        type Row<'r> = (Vec<u8>, &'r dyn Fn(&[u8]) -> bool);
        let rows: [Row<'_>; 6] = [
            (encode(&|out| put_account(out, &known)), &|octets| {
                decode_account(octets).is_ok_and(|r| r == known)
            }),
            (encode(&|out| gone.encode(out)), &|octets| AccountGone::decode(octets).is_ok_and(|r| r == gone)),
            (encode(&|out| alone.encode(out)), &|octets| KeyAlone::decode(octets).is_ok_and(|r| r == alone)),
            (encode(&|out| ids.encode(out)), &|octets| LastIds::decode(octets).is_ok_and(|r| r == ids)),
            (encode(&|out| put.encode(out)), &|octets| EntryChange::decode(octets).is_ok_and(|r| r == put)),
            (encode(&|out| removed.encode(out)), &|o| EntryChange::decode(o).is_ok_and(|r| r == removed)),
        ];
        for (octets, is_same) in rows {
            assert!(is_same(&octets));
            assert!((0..octets.len()).all(|end| !is_same(&octets[..end])));
        }
    }

    #[test]
    fn an_account_of_version_1_has_its_password_and_nothing_special() {
        // id, name, hash; then the INBOX: id, account, UIDVALIDITY, UIDNEXT, MODSEQ, name.
        let mut octets = b"\x07\0\0\0\0\0\0\0\x03\0\0\0a@b\x02\0\0\0$x".to_vec();
        octets.extend_from_slice(b"\x09\0\0\0\0\0\0\0\x07\0\0\0\0\0\0\0\x03\0\0\0\x04\0\0\0");
        octets.extend_from_slice(b"\x05\0\0\0\0\0\0\0\x05\0\0\0INBOX");
        let AccountState { account, inbox: mailbox } = AccountState::decode_version_1(&octets).unwrap();
        assert_eq!(mailbox, inbox());
        assert_eq!((account.name.as_str(), account.credentials.argon2id.as_str()), ("a@b", "$x"));
        assert_eq!((account.id, account.inbox), (AccountId(7), MailboxId(9)));
        assert_eq!(account.settings, AccountSettings::default());
        assert!(account.credentials.scram_sha_256.is_none() && account.credentials.app_passwords.is_empty());
    }
}
