//! The directory of the embedded store over restarts, the loss of the view and the reclaiming of segments.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use bytes::Bytes;
use store::embedded::{Drive, Embedded, Options, check};
use store::{
    Accepted, Account, AccountChange, Body, Directory as _, Idempotency, Mailboxes as _, Put, Spool as _,
    StoreError, Uid,
};
use suite::dkim::key;
use suite::drive::{manual, reclaim_all};
use suite::fixture::fixture;
use suite::mail::{RECEIVED_AT, accept, acceptance, account, id, text};
use types::directory::{
    AccountSettings, AddressEntry, AddressKind, DkimKeyState, DomainEntry, MovedHandling,
};
use types::{Mailbox, Timestamp};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn small(folder: &tempfile::TempDir) -> Options {
    Options { segment_bytes: 4096, drive: Drive::Manual, ..Options::at(folder.path()) }
}

/// Opens the store again, without its view.
fn rebuilt(store: Embedded, options: &Options) -> Embedded {
    drop(store);
    std::fs::remove_file(options.path.join("view.redb")).unwrap();
    let store = Embedded::open(options.clone()).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    store
}

/// Fills segments with messages of which nothing is left.
fn churn(store: &Embedded, test: u64, of: &Account, count: u64) {
    for n in 0..count {
        let done = manual(store, accept(store, id(test, n), &text(n, 2000), &[of.inbox])).unwrap();
        manual(store, store.expunge(of.inbox, &[done[0].uid], types::Timestamp::default())).unwrap();
    }
}

/// Fills segments with messages that stay.
fn keep(store: &Embedded, test: u64, of: &Account, count: u64) {
    for n in 0..count {
        manual(store, accept(store, id(test, n), &text(n, 2000), &[of.inbox])).unwrap();
    }
}

fn moved(address: &str) -> AddressEntry {
    let to = "b@example.net".parse().unwrap();
    let kind = AddressKind::Moved { to, handling: MovedHandling::Refuse };
    AddressEntry { address: address.parse().unwrap(), kind }
}

fn put(store: &Embedded, entry: &AddressEntry) {
    manual(store, store.put_address(entry.clone(), Put::New)).unwrap();
}

fn addresses(store: &Embedded) -> Vec<String> {
    let addresses = manual(store, store.addresses()).unwrap();
    addresses.into_iter().map(|entry| entry.address.to_string()).collect()
}

#[test]
fn what_was_put_is_there_after_every_segment_of_it_was_given_up() {
    let folder = folder();
    let options = small(&folder);
    let mut store = Embedded::open(options.clone()).unwrap();
    let filler = manual(&store, account(&store, "filler@example.org"));
    let domain = DomainEntry::new("example.org".parse().unwrap());
    manual(&store, store.put_domain(domain.clone(), Put::New)).unwrap();
    put(&store, &moved("kept@example.org"));
    let settings = AccountSettings { quota_bytes: Some(17), ..AccountSettings::default() };
    let change = AccountChange::Settings(settings.clone());
    manual(&store, store.change_account(filler.id, change)).unwrap();
    for round in 0..3 {
        churn(&store, round, &filler, 12);
        assert!(reclaim_all(&store) > 2);
        store = rebuilt(store, &options);
        assert_eq!(manual(&store, store.domains()).unwrap(), std::slice::from_ref(&domain));
        assert_eq!(addresses(&store), ["kept@example.org"]);
        assert_eq!(manual(&store, store.accounts()).unwrap()[0].settings, settings);
    }
}

#[test]
fn keys_of_dkim_are_there_after_every_segment_was_given_up_and_removed_ones_are_not() {
    let folder = folder();
    let options = small(&folder);
    let mut store = Embedded::open(options.clone()).unwrap();
    let filler = manual(&store, account(&store, "filler@example.org"));
    let of = "example.org".parse().unwrap();
    let (kept, gone) = (
        key("example.org", "kept", DkimKeyState::Active, 1),
        key("example.org", "gone", DkimKeyState::Next, 2),
    );
    manual(&store, store.put_dkim_keys(vec![kept.clone(), gone])).unwrap();
    let other = key("gone.example", "s", DkimKeyState::Active, 3);
    manual(&store, store.put_dkim_keys(vec![other.clone()])).unwrap();
    // The first segment has them all, and stays, for most of it lives.
    keep(&store, 1, &filler, 4);
    manual(&store, store.remove_dkim_key(&of, "gone")).unwrap();
    manual(&store, store.remove_dkim_key(&other.key.domain, "s")).unwrap();
    for round in 0..3 {
        churn(&store, 10 + round, &filler, 12);
        assert!(reclaim_all(&store) > 2);
        store = rebuilt(store, &options);
        assert_eq!(manual(&store, store.all_dkim_keys()).unwrap(), std::slice::from_ref(&kept));
        assert_eq!(manual(&store, store.dkim_keys(&of)).unwrap(), std::slice::from_ref(&kept));
        assert_eq!(store.check().unwrap().dkim_keys, 1);
    }
}

#[test]
fn what_was_removed_does_not_come_back_while_an_older_segment_has_it() {
    let folder = folder();
    let options = small(&folder);
    let mut store = Embedded::open(options.clone()).unwrap();
    let filler = manual(&store, account(&store, "filler@example.org"));
    let leaver = manual(&store, account(&store, "leaver@example.org"));
    put(&store, &moved("removed@example.org"));
    put(&store, &moved("again@example.org"));
    // The first segment has them all, and stays, for most of it lives.
    keep(&store, 1, &filler, 1);
    keep(&store, 2, &leaver, 1);
    keep(&store, 3, &filler, 4);
    for address in ["removed@example.org", "again@example.org"] {
        manual(&store, store.remove_address(&address.parse().unwrap())).unwrap();
    }
    manual(&store, store.remove_account(leaver.id)).unwrap();
    put(&store, &AddressEntry { address: "again@example.org".parse().unwrap(), ..moved("x@example.org") });
    for round in 0..3 {
        // The segments with the tombstones go, one after the other.
        churn(&store, 10 + round, &filler, 12);
        assert!(reclaim_all(&store) > 2);
        assert!(folder.path().join("log/0000000001.log").exists());
        store = rebuilt(store, &options);
        assert_eq!(addresses(&store), ["again@example.org"]);
        assert_eq!(manual(&store, store.account("leaver@example.org")).unwrap(), None);
        let messages = manual(&store, store.messages(leaver.inbox, None, 10));
        assert_eq!(messages, Err(StoreError::NoSuchMailbox));
        assert_eq!(manual(&store, store.messages(filler.inbox, None, 10)).unwrap().len(), 5);
    }
}

#[test]
fn tombstones_go_when_nothing_older_is_there_and_ids_are_not_given_again() {
    let folder = folder();
    let options = small(&folder);
    let mut store = Embedded::open(options.clone()).unwrap();
    let filler = manual(&store, account(&store, "filler@example.org"));
    let mut last = filler.clone();
    for n in 0..40 {
        last = manual(&store, account(&store, &format!("account{n}@example.org")));
        keep(&store, 100 + n, &last, 1);
        manual(&store, store.remove_account(last.id)).unwrap();
        let address = format!("address{n}@example.org").parse::<Mailbox>().unwrap();
        put(&store, &moved(&address.to_string()));
        manual(&store, store.remove_address(&address)).unwrap();
    }
    churn(&store, 1, &filler, 6);
    let mut sizes = Vec::new();
    for round in 0..8 {
        churn(&store, 10 + round, &filler, 4);
        reclaim_all(&store);
        let log = std::fs::read_dir(folder.path().join("log")).unwrap().map(|file| file.unwrap().path());
        let log: Vec<u8> = log
            .filter(|path| path.extension().is_some_and(|e| e == "log"))
            .flat_map(|path| std::fs::read(path).unwrap())
            .collect();
        sizes.push(log.windows(7).filter(|octets| *octets == b"address").count());
    }
    // What is left of a segment that was used again may show for a while.
    assert_eq!(sizes.last(), Some(&0), "{sizes:?}");
    store = rebuilt(store, &options);
    let next = manual(&store, account(&store, "next@example.org"));
    assert!(next.id > last.id && next.inbox > last.inbox, "{next:?} after {last:?}");
}

#[test]
fn a_key_is_known_after_its_segment_was_given_up_and_the_view_was_lost() {
    let folder = folder();
    let options = small(&folder);
    let mut store = Embedded::open(options.clone()).unwrap();
    let filler = manual(&store, account(&store, "filler@example.org"));
    let send = |store: &Embedded, n: u64, key: &str, at: u64, lasts: u64| -> Accepted {
        let mut acceptance =
            acceptance(id(1, n), Body::Memory(vec![Bytes::from_static(b"x\r\n")]), &[filler.inbox]);
        acceptance.received_at = Timestamp::from_millis(RECEIVED_AT.millis() + at);
        let expires_at = Timestamp::from_millis(acceptance.received_at.millis() + lasts);
        acceptance.idempotency = Some(Idempotency { account: filler.id, key: key.into(), expires_at });
        manual(store, store.accept(acceptance)).unwrap()
    };
    let stays = send(&store, 0, "stays", 0, 1000);
    let goes = send(&store, 1, "goes", 0, 1000);
    send(&store, 2, "brief", 0, 10);
    manual(&store, store.expunge(filler.inbox, &[goes.deliveries[0].uid], types::Timestamp::default()))
        .unwrap();
    for round in 0..3 {
        churn(&store, 10 + round, &filler, 12);
        assert!(reclaim_all(&store) > 2);
        store = rebuilt(store, &options);
        for (key, first) in [("stays", &stays), ("goes", &goes)] {
            let again = send(&store, 20 + round, key, 20, 1000);
            assert_eq!((again.mail_id, again.repeated), (first.mail_id, true));
        }
    }
    assert!(!send(&store, 30, "brief", 20, 1000).repeated);
    assert!(!send(&store, 31, "goes", 1000, 1000).repeated);
    // The later use counts, whatever is carried behind it.
    churn(&store, 20, &filler, 12);
    assert!(reclaim_all(&store) > 2);
    store = rebuilt(store, &options);
    assert_eq!(send(&store, 32, "goes", 1500, 1000).mail_id, id(1, 31));
    assert_eq!(send(&store, 33, "brief", 1000, 1000).mail_id, id(1, 30));
}

#[test]
fn of_too_many_keys_of_an_account_those_that_expire_first_go() {
    let folder = folder();
    let options = Options { idempotency_keys_max: 5, ..small(&folder) };
    let store = Embedded::open(options.clone()).unwrap();
    let first = manual(&store, account(&store, "first@example.org"));
    let other = manual(&store, account(&store, "other@example.org"));
    let send = |store: &Embedded, of: &Account, test: u64, n: u64| -> bool {
        let mut acceptance = acceptance(id(test, n), Body::Memory(Vec::new()), &[of.inbox]);
        let expires_at = Timestamp::from_millis(RECEIVED_AT.millis() + 1000 + n);
        acceptance.idempotency = Some(Idempotency { account: of.id, key: n.to_string(), expires_at });
        manual(store, store.accept(acceptance)).unwrap().repeated
    };
    assert!(!send(&store, &other, 1, 0));
    for n in 0..12 {
        assert!(!send(&store, &first, 2, n));
    }
    let store = rebuilt(store, &options);
    assert!((7..12).all(|n| send(&store, &first, 3, n)));
    assert!(!send(&store, &first, 4, 6));
    // Another's keys are not touched.
    assert!(send(&store, &other, 5, 0));
}

#[tokio::test]
async fn many_messages_of_a_removed_account_are_cleared_away_behind_it_even_over_a_restart() {
    let folder = folder();
    let options = Options { segment_bytes: 64 * 1024, ..Options::at(folder.path()) };
    let store = Embedded::open(options.clone()).unwrap();
    let leaver = account(&store, "leaver@example.org").await;
    let stayer = account(&store, "stayer@example.org").await;
    let all = (0..3500_u64).map(|n| {
        let to = if n % 10 == 0 { vec![leaver.inbox, stayer.inbox] } else { vec![leaver.inbox] };
        store.accept(acceptance(id(1, n), Body::Memory(vec![text(n, 50)]), &to))
    });
    for done in suite::mail::join_all(all.collect()).await {
        done.unwrap();
    }
    store.remove_account(leaver.id).await.unwrap();
    assert_eq!(store.messages(leaver.inbox, None, 1).await, Err(StoreError::NoSuchMailbox));
    assert_eq!(store.messages(stayer.inbox, None, 1000).await.unwrap().len(), 350);
    // Wherever it has come to by now.
    store.close().await;
    drop(store);
    let report = check(folder.path()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.entries, report.mails, report.mailboxes, report.accounts), (350, 350, 6, 1));
    let store = Embedded::open(options).unwrap();
    assert!(store.check().unwrap().is_clean());
    assert_eq!(store.messages(stayer.inbox, None, 1000).await.unwrap().len(), 350);
    assert_eq!(store.stats().unwrap().messages, 350);
}

#[test]
fn a_body_stays_whose_file_has_the_number_of_one_that_was_removed() {
    let folder = folder();
    let options = Options { body_file_bytes: 1000, ..small(&folder) };
    let store = Embedded::open(options.clone()).unwrap();
    let leaver = manual(&store, account(&store, "leaver@example.org"));
    let stayer = manual(&store, account(&store, "stayer@example.org"));
    manual(&store, accept(&store, id(1, 0), &text(0, 2000), &[leaver.inbox])).unwrap();
    manual(&store, store.remove_account(leaver.id)).unwrap();
    drop(store);
    let store = Embedded::open(options.clone()).unwrap();
    let uid = manual(&store, accept(&store, id(1, 1), &text(1, 2000), &[stayer.inbox])).unwrap()[0].uid;
    let files: Vec<_> = std::fs::read_dir(folder.path().join("bodies")).unwrap().collect();
    assert_eq!(files[0].as_ref().unwrap().file_name(), "0000000000000001");
    // Made anew, the view clears the first account away after it has heard of the second one's message.
    let store = rebuilt(store, &options);
    let store = rebuilt(store, &options);
    assert!(manual(&store, suite::mail::read_all(&store, stayer.inbox, uid)).ends_with(&text(1, 2000)));
}

/// A folder that the last program of format 1 wrote: two accounts, the second one's password changed; eight
/// messages of which one has a file and three are in both mailboxes; one flag; two messages expunged.
fn version_1() -> tempfile::TempDir {
    fixture("version-1")
}

fn is_as_version_1_left_it(store: &Embedded) {
    let accounts = manual(store, store.accounts()).unwrap();
    let told: Vec<_> = accounts.iter().map(|a| (a.name.as_str(), a.credentials.argon2id.as_str())).collect();
    assert_eq!(told, [("Ada@example.org", "$argon2id$ada"), ("b@example.org", "$argon2id$b")]);
    assert!(accounts.iter().all(|account| account.settings == AccountSettings::default()));
    // From what that program printed.
    let expected = [vec![(1, 0), (2, 2), (3, 3), (4, 4), (5, 6)], vec![(3, 3), (4, 5), (5, 6), (6, 7)]];
    for (account, expected) in accounts.iter().zip(expected) {
        let entries = manual(store, store.messages(account.inbox, None, 100)).unwrap();
        let found: Vec<_> = entries.iter().map(|entry| (u64::from(entry.uid.0), entry.mail_id)).collect();
        assert_eq!(found, expected.iter().map(|(uid, n)| (*uid, id(0, *n))).collect::<Vec<_>>());
        for (entry, (_, n)) in entries.iter().zip(expected) {
            let size = if n == 5 { 4000 } else { 900 };
            let body = Bytes::from(vec![b'a' + u8::try_from(n).unwrap(); size]);
            assert!(manual(store, suite::mail::read_all(store, account.inbox, entry.uid)).ends_with(&body));
        }
    }
    let (envelope, origin) = manual(store, store.envelope(id(0, 0))).unwrap().unwrap();
    assert_eq!(envelope.reverse_path.to_string(), "<sender@example.net>");
    assert_eq!(origin, "192.0.2.1 (client.example)");
    let inboxes = manual(store, store.mailboxes(accounts[1].id)).unwrap();
    assert_eq!((inboxes[0].uid_next, inboxes[0].highest_modseq.0), (Uid(7), 8));
}

#[test]
fn a_folder_of_format_1_is_read_upgraded_and_used_on() {
    let folder = version_1();
    let options = small(&folder);
    let store = Embedded::open(options.clone()).unwrap();
    assert_eq!(std::fs::read_to_string(folder.path().join("format")).unwrap(), "posta-store 5\n");
    assert!(store.check().unwrap().is_clean());
    is_as_version_1_left_it(&store);
    // Records of both versions stand side by side, and those of the old one move to the new.
    let first = manual(&store, account(&store, "filler@example.org"));
    put(&store, &moved("x@example.org"));
    churn(&store, 1, &first, 12);
    let store = rebuilt(store, &options);
    assert_eq!(manual(&store, store.account("filler@example.org")).unwrap(), Some(first.clone()));
    assert!(reclaim_all(&store) > 2);
    manual(&store, store.remove_account(first.id)).unwrap();
    let store = rebuilt(store, &options);
    is_as_version_1_left_it(&store);
    assert_eq!(addresses(&store), ["x@example.org"]);
}

#[test]
fn a_view_of_format_1_is_made_anew() {
    let folder = version_1();
    {
        let database = redb::Database::create(folder.path().join("view.redb")).unwrap();
        let txn = database.begin_write().unwrap();
        let meta = redb::TableDefinition::<&str, u64>::new("meta");
        txn.open_table(meta).unwrap().insert("version", 1).unwrap();
        txn.commit().unwrap();
    }
    let store = Embedded::open(small(&folder)).unwrap();
    is_as_version_1_left_it(&store);
}
