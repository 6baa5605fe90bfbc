//! What the trait `Directory` promises, and what the removal of an account means to the other traits.

use store::{
    APP_PASSWORDS_MAX, Account, AccountChange, AccountId, AppPassword, Credentials, Flags, NewAccount, Put,
    Store, StoreError, Uid, Usage,
};
use types::directory::{
    AccountSettings, AccountStatus, AddressEntry, AddressKind, DomainEntry, Expandable, FromRewriting,
    ListBounces, MailingList, MovedHandling, Posters, SendAs,
};
use types::{Domain, Mailbox, Timestamp};

use super::mail::{RECEIVED_AT, accept, account, id, read_all, text};

pub async fn run_all(store: &dyn Store) {
    an_account_keeps_what_it_was_made_with(store).await;
    another_password_leaves_app_passwords_and_settings(store).await;
    app_passwords_come_and_go_by_name(store).await;
    the_use_of_an_app_password_is_noted_once_an_hour(store).await;
    domains_are_kept_by_their_a_labels(store).await;
    addresses_are_kept_as_they_were_put(store).await;
    an_account_and_an_address_never_have_one_name(store).await;
    the_version_grows_with_every_change(store).await;
    an_account_uses_what_its_mailboxes_hold(store).await;
    a_removed_account_is_gone_with_its_messages(store).await;
    a_message_that_is_in_another_mailbox_stays(store).await;
    a_name_is_free_again_and_an_id_never_is(store).await;
}

fn mailbox(text: &str) -> Mailbox {
    text.parse().unwrap()
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

fn app_password(name: &str) -> AppPassword {
    AppPassword {
        name: name.into(),
        sha256: [name.len() as u8; 32],
        created_at: RECEIVED_AT,
        last_used_at: None,
    }
}

fn credentials(mark: &str) -> Credentials {
    Credentials {
        argon2id: format!("$argon2id${mark}"),
        scram_sha_256: Some(format!("SCRAM-SHA-256${mark}")),
        scram_sha_1: Some(format!("SCRAM-SHA-1${mark}")),
        shared_secret: Some(mark.to_owned()),
        app_passwords: vec![app_password("first")],
    }
}

fn settings() -> AccountSettings {
    AccountSettings {
        quota_bytes: Some(1 << 40),
        status: AccountStatus::Disabled { reason: "left \"us\"".into() },
        send_as: vec![
            SendAs::Domain(domain("bücher.example")),
            SendAs::Address(mailbox("\"a b\"@example.org")),
        ],
        messages_per_hour_max: Some(0),
        message_bytes_max: Some(u64::MAX),
        recipients_max: Some(u32::MAX),
        language: Some("es-MX".parse().unwrap()),
    }
}

pub async fn an_account_keeps_what_it_was_made_with(store: &dyn Store) {
    let new = NewAccount {
        credentials: credentials("x"),
        settings: settings(),
        ..NewAccount::new("kept@example.org", RECEIVED_AT)
    };
    let made = store.create_account(new).await.unwrap();
    assert_eq!((&made.credentials, &made.settings), (&credentials("x"), &settings()));
    assert_eq!(store.account("kept@example.org").await.unwrap(), Some(made));
    let plain = account(store, "plain@example.org").await;
    assert_eq!((plain.credentials, plain.settings), (Credentials::default(), AccountSettings::default()));
}

pub async fn another_password_leaves_app_passwords_and_settings(store: &dyn Store) {
    let new = NewAccount {
        credentials: credentials("old"),
        settings: settings(),
        ..NewAccount::new("password@example.org", RECEIVED_AT)
    };
    let made = store.create_account(new).await.unwrap();
    let change = AccountChange::Credentials {
        argon2id: "$argon2id$new".into(),
        scram_sha_256: Some("SCRAM-SHA-256$new".into()),
        scram_sha_1: None,
        shared_secret: None,
    };
    let changed = store.change_account(made.id, change.clone()).await.unwrap();
    let expected = Credentials {
        argon2id: "$argon2id$new".into(),
        scram_sha_256: Some("SCRAM-SHA-256$new".into()),
        scram_sha_1: None,
        shared_secret: None,
        app_passwords: vec![app_password("first")],
    };
    assert_eq!(changed, Account { credentials: expected, ..made });
    assert_eq!(store.account("password@example.org").await.unwrap(), Some(changed.clone()));
    let change_settings = AccountChange::Settings(AccountSettings::default());
    let again = store.change_account(changed.id, change_settings).await.unwrap();
    assert_eq!(again, Account { settings: AccountSettings::default(), ..changed });
    assert_eq!(store.account("password@example.org").await.unwrap(), Some(again));
    let missing = AccountId(1 << 40);
    assert_eq!(store.change_account(missing, change).await, Err(StoreError::NoSuchAccount));
}

pub async fn app_passwords_come_and_go_by_name(store: &dyn Store) {
    let made = account(store, "apps@example.org").await;
    for n in 0..APP_PASSWORDS_MAX {
        let change = AccountChange::AddAppPassword(app_password(&format!("app {n}")));
        assert_eq!(
            store.change_account(made.id, change).await.unwrap().credentials.app_passwords.len(),
            n + 1
        );
    }
    for name in ["app 7", "one more"] {
        let refused = store.change_account(made.id, AccountChange::AddAppPassword(app_password(name))).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{name}: {refused:?}");
    }
    let remove = || AccountChange::RemoveAppPassword { name: "app 7".into() };
    let left = store.change_account(made.id, remove()).await.unwrap().credentials.app_passwords;
    assert_eq!(left.len(), APP_PASSWORDS_MAX - 1);
    assert!(left.iter().all(|left| left.name != "app 7"));
    assert_eq!(store.change_account(made.id, remove()).await, Err(StoreError::NoSuchEntry));
    let used = AccountChange::AppPasswordUsed { name: "app 7".into(), at: RECEIVED_AT };
    assert_eq!(store.change_account(made.id, used).await, Err(StoreError::NoSuchEntry));
    assert_eq!(store.account("apps@example.org").await.unwrap().unwrap().credentials.app_passwords, left);
}

pub async fn the_use_of_an_app_password_is_noted_once_an_hour(store: &dyn Store) {
    let made = account(store, "used@example.org").await;
    let add = AccountChange::AddAppPassword(app_password("phone"));
    store.change_account(made.id, add).await.unwrap();
    let minutes = |n: u64| Timestamp::from_millis(RECEIVED_AT.millis() + n * 60_000);
    for (used_at, noted_at) in [(0, 0), (1, 0), (59, 0), (60, 60), (100, 60), (120, 120), (119, 120)] {
        let change = AccountChange::AppPasswordUsed { name: "phone".into(), at: minutes(used_at) };
        let changed = store.change_account(made.id, change).await.unwrap();
        assert_eq!(changed.credentials.app_passwords[0].last_used_at, Some(minutes(noted_at)));
        assert_eq!(store.account("used@example.org").await.unwrap(), Some(changed));
    }
}

pub async fn domains_are_kept_by_their_a_labels(store: &dyn Store) {
    let mut entry = DomainEntry::new(domain("Bücher.example"));
    assert_eq!(store.put_domain(entry.clone(), Put::Replace).await, Err(StoreError::NoSuchDomain));
    assert_eq!(store.domain(&entry.domain).await.unwrap(), None);
    store.put_domain(entry.clone(), Put::New).await.unwrap();
    let again = DomainEntry::new(domain("XN--BCHER-KVA.example"));
    assert!(matches!(store.put_domain(again.clone(), Put::New).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.domain(&again.domain).await.unwrap(), Some(entry.clone()));
    entry.catch_all = Some(mailbox("all@example.org"));
    entry.subaddress_separator = Some('-');
    store.put_domain(entry.clone(), Put::Replace).await.unwrap();
    store.put_domain(DomainEntry::new(domain("aa.example")), Put::New).await.unwrap();
    let all = store.domains().await.unwrap();
    assert_eq!(all, [DomainEntry::new(domain("aa.example")), entry.clone()]);
    store.remove_domain(&again.domain).await.unwrap();
    assert_eq!(store.domain(&entry.domain).await.unwrap(), None);
    assert_eq!(store.remove_domain(&entry.domain).await, Err(StoreError::NoSuchDomain));
    store.put_domain(entry.clone(), Put::New).await.unwrap();
    assert_eq!(store.domain(&entry.domain).await.unwrap(), Some(entry));
}

pub async fn addresses_are_kept_as_they_were_put(store: &dyn Store) {
    let list = MailingList {
        owner: mailbox("owner@example.org"),
        members: (0..2000).map(|n| mailbox(&format!("member{n}@example.net"))).collect(),
        posters: Posters::Listed(vec![mailbox("用户@example.net")]),
        bounces: ListBounces::Verp,
        description: "Engines".into(),
        expandable: Expandable::ToMembers,
        from: FromRewriting::IfNeeded,
    };
    let kinds = [
        AddressKind::Alias { targets: vec![mailbox("a@example.org"), mailbox("\"b b\"@example.net")] },
        AddressKind::List(list),
        AddressKind::Moved { to: mailbox("new@example.net"), handling: MovedHandling::Refuse },
    ];
    let mut entries = Vec::new();
    for (n, kind) in kinds.into_iter().enumerate() {
        let entry = AddressEntry { address: mailbox(&format!("Entry{n}@example.org")), kind };
        assert_eq!(store.put_address(entry.clone(), Put::Replace).await, Err(StoreError::NoSuchAddress));
        store.put_address(entry.clone(), Put::New).await.unwrap();
        let other_case = mailbox(&format!("\"eNTRY{n}\"@EXAMPLE.org"));
        assert_eq!(store.address(&other_case).await.unwrap(), Some(entry.clone()));
        assert!(matches!(store.put_address(entry.clone(), Put::New).await, Err(StoreError::Conflict(_))));
        entries.push(entry);
    }
    assert_eq!(store.addresses().await.unwrap(), entries);
    let replaced = AddressEntry { kind: entries[2].kind.clone(), ..entries[0].clone() };
    store.put_address(replaced.clone(), Put::Replace).await.unwrap();
    store.remove_address(&entries[1].address).await.unwrap();
    assert_eq!(store.remove_address(&entries[1].address).await, Err(StoreError::NoSuchAddress));
    assert_eq!(store.addresses().await.unwrap(), [replaced, entries[2].clone()]);
    assert_eq!(store.address(&entries[1].address).await.unwrap(), None);
}

pub async fn an_account_and_an_address_never_have_one_name(store: &dyn Store) {
    let alias = |address: &str| AddressEntry {
        address: mailbox(address),
        kind: AddressKind::Alias { targets: vec![mailbox("target@example.org")] },
    };
    let made = account(store, "name one@example.org").await;
    let refused = store.put_address(alias("\"Name One\"@example.org"), Put::New).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    store.put_address(alias("name.two@example.org"), Put::New).await.unwrap();
    let refused = store.create_account(NewAccount::new("Name.Two@example.org", RECEIVED_AT)).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    // What goes makes room for the other.
    store.remove_address(&mailbox("name.two@example.org")).await.unwrap();
    account(store, "name.two@example.org").await;
    store.remove_account(made.id).await.unwrap();
    store.put_address(alias("\"Name One\"@example.org"), Put::New).await.unwrap();
    // Two at the same time: one of them.
    let new = NewAccount::new("name.three@example.org", RECEIVED_AT);
    let (made, put) =
        tokio::join!(store.create_account(new), store.put_address(alias("name.three@example.org"), Put::New));
    assert!(made.is_ok() != put.is_ok(), "{made:?} {put:?}");
}

pub async fn the_version_grows_with_every_change(store: &dyn Store) {
    let mut version = store.directory_version();
    let mut grew = || {
        let now = store.directory_version();
        std::mem::replace(&mut version, now) < now
    };
    let owner = account(store, "version@example.org").await;
    assert!(grew());
    let change = AccountChange::Settings(settings());
    store.change_account(owner.id, change).await.unwrap();
    assert!(grew());
    let entry = DomainEntry::new(domain("version.example"));
    store.put_domain(entry.clone(), Put::New).await.unwrap();
    assert!(grew());
    store.remove_domain(&entry.domain).await.unwrap();
    assert!(grew());
    let kind = AddressKind::Moved { to: mailbox("a@b.example"), handling: MovedHandling::Forward };
    let address = mailbox("version.alias@example.org");
    store.put_address(AddressEntry { address: address.clone(), kind }, Put::New).await.unwrap();
    assert!(grew());
    store.remove_address(&address).await.unwrap();
    assert!(grew());
    // Mail is no change of the directory: otherwise nothing could be remembered under load.
    accept(store, id(20, 0), b"x\r\n", &[owner.inbox]).await.unwrap();
    store.store_flags(owner.inbox, &[Uid(1)], Flags::SEEN, Flags::NONE, None).await.unwrap();
    assert!(!grew());
    store.remove_account(owner.id).await.unwrap();
    assert!(grew());
}

pub async fn an_account_uses_what_its_mailboxes_hold(store: &dyn Store) {
    let owner = account(store, "usage@example.org").await;
    assert_eq!(store.account_usage(owner.id).await.unwrap(), Usage::default());
    for n in 0..3 {
        accept(store, id(21, n), &text(n, 1000), &[owner.inbox]).await.unwrap();
    }
    store.expunge(owner.inbox, &[Uid(2)], types::Timestamp::default()).await.unwrap();
    let entries = store.messages(owner.inbox, None, 10).await.unwrap();
    let size_bytes = entries.iter().map(|entry| entry.size_bytes).sum();
    assert!(size_bytes > 2000);
    assert_eq!(store.account_usage(owner.id).await.unwrap(), Usage { messages: 2, size_bytes });
    assert_eq!(store.account_usage(AccountId(1 << 40)).await, Err(StoreError::NoSuchAccount));
}

pub async fn a_removed_account_is_gone_with_its_messages(store: &dyn Store) {
    let owner = account(store, "gone@example.org").await;
    for (n, size) in [10, 5000, 2_000_000].into_iter().enumerate() {
        accept(store, id(22, n as u64), &text(n as u64, size), &[owner.inbox]).await.unwrap();
    }
    let mut stream = store.open(owner.inbox, Uid(2)).await.unwrap();
    store.remove_account(owner.id).await.unwrap();
    assert_eq!(store.account("gone@example.org").await.unwrap(), None);
    assert!(store.accounts().await.unwrap().iter().all(|account| account.id != owner.id));
    assert!(store.mailboxes(owner.id).await.unwrap().is_empty());
    assert_eq!(store.messages(owner.inbox, None, 10).await, Err(StoreError::NoSuchMailbox));
    assert!(matches!(store.open(owner.inbox, Uid(1)).await.err(), Some(StoreError::NoSuchMessage)));
    assert_eq!(
        store.expunge(owner.inbox, &[Uid(1)], types::Timestamp::default()).await,
        Err(StoreError::NoSuchMailbox)
    );
    let flags = store.store_flags(owner.inbox, &[Uid(1)], Flags::SEEN, Flags::NONE, None).await;
    assert_eq!(flags, Err(StoreError::NoSuchMailbox));
    let refused = accept(store, id(22, 9), b"x", &[owner.inbox]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    for n in 0..3 {
        assert!(!store.knows(id(22, n)));
        assert_eq!(store.envelope(id(22, n)).await.unwrap(), None);
    }
    assert_eq!(store.account_usage(owner.id).await, Err(StoreError::NoSuchAccount));
    assert_eq!(store.remove_account(owner.id).await, Err(StoreError::NoSuchAccount));
    let change = AccountChange::Settings(AccountSettings::default());
    assert_eq!(store.change_account(owner.id, change).await, Err(StoreError::NoSuchAccount));
    // Who reads is not cut off.
    let mut read = Vec::new();
    while let chunk = stream.next().await.unwrap()
        && !chunk.is_empty()
    {
        read.extend_from_slice(&chunk);
    }
    assert!(read.ends_with(&text(1, 5000)));
}

pub async fn a_message_that_is_in_another_mailbox_stays(store: &dyn Store) {
    let leaver = account(store, "leaver@example.org").await;
    let stayer = account(store, "stayer@example.org").await;
    for (n, size) in [1000, 2_000_000].into_iter().enumerate() {
        accept(store, id(23, n as u64), &text(n as u64, size), &[leaver.inbox, stayer.inbox]).await.unwrap();
    }
    let before = store.messages(stayer.inbox, None, 10).await.unwrap();
    store.remove_account(leaver.id).await.unwrap();
    assert_eq!(store.messages(stayer.inbox, None, 10).await.unwrap(), before);
    for (n, size) in [1000, 2_000_000].into_iter().enumerate() {
        let read = read_all(store, stayer.inbox, before[n].uid).await;
        assert!(read.ends_with(&text(n as u64, size)) && read.len() > size);
        assert!(store.knows(id(23, n as u64)));
    }
    store.expunge(stayer.inbox, &[before[0].uid], types::Timestamp::default()).await.unwrap();
    assert_eq!(store.messages(stayer.inbox, None, 10).await.unwrap(), before[1..]);
    assert_eq!(store.envelope(id(23, 0)).await.unwrap(), None);
    assert!(store.knows(id(23, 1)));
}

pub async fn a_name_is_free_again_and_an_id_never_is(store: &dyn Store) {
    let first = account(store, "again@example.org").await;
    accept(store, id(24, 0), b"old\r\n", &[first.inbox]).await.unwrap();
    store.remove_account(first.id).await.unwrap();
    let second = account(store, "again@example.org").await;
    assert!(second.id > first.id && second.inbox > first.inbox, "{second:?}");
    assert_eq!(store.account("again@example.org").await.unwrap(), Some(second.clone()));
    assert!(store.messages(second.inbox, None, 10).await.unwrap().is_empty());
    accept(store, id(24, 1), b"new\r\n", &[second.inbox]).await.unwrap();
    assert_eq!(store.messages(second.inbox, None, 10).await.unwrap().len(), 1);
}
