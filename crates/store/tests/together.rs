//! What several steps do that are committed together, and what the log knows of what is gone.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::path::{Path, PathBuf};

use store::embedded::{Drive, Embedded, Options};
use store::{
    Body, Change, Directory as _, Mailboxes as _, NewAccount, Replaced, Spool as _, StoreError, Transfer, Uid,
};
use suite::drive::{manual, reclaim_all};
use suite::mail::{RECEIVED_AT, accept, acceptance, id, text};

fn options(folder: &std::path::Path) -> Options {
    Options { segment_bytes: 8 * 1024, drive: Drive::Manual, ..Options::at(folder) }
}

#[test]
fn who_watches_is_not_told_of_a_message_whose_step_was_refused() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let account = NewAccount::new("watched@example.org", RECEIVED_AT);
    let owner = manual(&store, store.create_account(account)).unwrap();
    let watch = store.watch(owner.id);
    let message = acceptance(id(1, 1), Body::Memory(vec![text(1, 100)]), &[owner.inbox]);
    let missing = Replaced { mailbox: owner.inbox, uid: Uid(77), at: RECEIVED_AT };
    let only = [owner.inbox];
    let both = async {
        tokio::join!(accept(&store, id(1, 0), b"x\r\n", &only), store.append(vec![message], Some(missing)))
    };
    let (accepted, refused) = manual(&store, both);
    assert_eq!(refused.err(), Some(StoreError::NoSuchMessage));
    let told: Vec<Uid> = watch
        .take()
        .into_iter()
        .flat_map(|change| match change {
            Change::Messages { entries, .. } => entries.iter().map(|entry| entry.uid).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [accepted.unwrap()[0].uid]);
}

#[test]
fn the_uidvalidity_of_a_mailbox_that_is_gone_is_not_given_again_whatever_the_log_gave_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let account = NewAccount::new("again@example.org", RECEIVED_AT);
    let owner = manual(&store, store.create_account(account)).unwrap();
    let create =
        |store: &Embedded| manual(store, store.create_mailbox(owner.id, "Again", None, RECEIVED_AT)).unwrap();
    let first = create(&store);
    for n in 0..8 {
        let done = manual(&store, accept(&store, id(2, n), &text(n, 3000), &[owner.inbox])).unwrap();
        manual(&store, store.expunge(owner.inbox, &[done[0].uid], RECEIVED_AT)).unwrap();
    }
    // That it is gone stands in the last segment, which stays; that it was made does not.
    manual(&store, store.delete_mailbox(first.id, "Again", RECEIVED_AT)).unwrap();
    assert!(reclaim_all(&store) > 0);
    drop(store);
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let second = create(&store);
    assert!(second.uid_validity > first.uid_validity && second.id > first.id, "{first:?} {second:?}");
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn copies_of_a_message_in_its_mailbox_do_not_double_without_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let account = NewAccount::new("doubled@example.org", RECEIVED_AT);
    let owner = manual(&store, store.create_account(account)).unwrap();
    manual(&store, accept(&store, id(3, 0), b"x\r\n", &[owner.inbox])).unwrap();
    let uids = || {
        let entries = manual(&store, store.messages(owner.inbox, None, usize::MAX)).unwrap();
        entries.into_iter().map(|entry| entry.uid).collect::<Vec<_>>()
    };
    let transfer = |to, how| manual(&store, store.transfer(owner.inbox, &uids(), to, how, RECEIVED_AT));
    let refused = (0..16).find_map(|_| transfer(owner.inbox, Transfer::Copy).err());
    assert!(matches!(refused, Some(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(uids().len(), 512);
    // Elsewhere there are none yet, and what moves does not become more.
    let other = manual(&store, store.create_mailbox(owner.id, "Other", None, RECEIVED_AT)).unwrap();
    assert_eq!(transfer(other.id, Transfer::Copy).unwrap().uids.len(), 512);
    assert!(matches!(transfer(other.id, Transfer::Copy), Err(StoreError::Conflict(_))));
    assert_eq!(transfer(other.id, Transfer::Move).unwrap().uids.len(), 512);
}

#[test]
fn two_that_make_mailboxes_at_once_do_not_pass_the_limit_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(Options { mailboxes_max: 10, ..options(folder.path()) }).unwrap();
    let account = NewAccount::new("many@example.org", RECEIVED_AT);
    let owner = manual(&store, store.create_account(account)).unwrap();
    let count = || manual(&store, store.mailboxes(owner.id)).unwrap().len();
    let create = |name: &'static str| store.create_mailbox(owner.id, name, None, RECEIVED_AT);
    for name in ["1", "2", "3", "4", "5", "6", "7", "8"].iter().take(9 - count()) {
        manual(&store, create(name)).unwrap();
    }
    assert_eq!(count(), 9);
    let is_limit = |done: &Result<_, StoreError>| matches!(done, Err(StoreError::Limit(_)));
    // Those above it are made too.
    assert!(is_limit(&manual(&store, create("above/below")).map(drop)));
    let (one, other) = manual(&store, async { tokio::join!(create("one"), create("other")) });
    assert!(one.is_ok() && is_limit(&other.map(drop)));
    assert_eq!(count(), 10);
    let rename = |from: &'static str, to: &'static str| {
        manual(&store, store.rename_mailbox(owner.id, from, to, RECEIVED_AT))
    };
    rename("one", "two").unwrap();
    assert!(is_limit(&rename("two", "above/two")) && is_limit(&rename("INBOX", "old")));
    assert_eq!(count(), 10);
}

#[test]
fn mailboxes_that_the_view_does_not_know_of_yet_count_once_and_those_that_are_gone_not_at_all() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(Options { mailboxes_max: 10, ..options(folder.path()) }).unwrap();
    let account = NewAccount::new("count@example.org", RECEIVED_AT);
    let owner = manual(&store, store.create_account(account)).unwrap();
    let count = || manual(&store, store.mailboxes(owner.id)).unwrap().len();
    let create = |name: &'static str| store.create_mailbox(owner.id, name, None, RECEIVED_AT);
    let names = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    for name in names.iter().take(10 - count()) {
        manual(&store, create(name)).unwrap();
    }
    assert_eq!(count(), 10);
    let listed = manual(&store, store.mailboxes(owner.id)).unwrap();
    let first = listed.iter().find(|mailbox| mailbox.name == "1").unwrap();
    // One batch: what went makes room for one, under its name or another, and no more.
    let (gone, new, more, again) = manual(&store, async {
        let delete = store.delete_mailbox(first.id, "1", RECEIVED_AT);
        tokio::join!(delete, create("1"), create("more"), create("2"))
    });
    gone.unwrap();
    new.unwrap();
    assert!(matches!(more, Err(StoreError::Limit(_))), "{more:?}");
    assert!(matches!(again, Err(StoreError::Conflict(_))), "{again:?}");
    assert_eq!(count(), 10);
}

/// Octets of the content of each transfer record, by the layout that docs/store.md gives.
fn transfer_records(log: &Path) -> Vec<usize> {
    const TRANSFER: u8 = 16;
    let mut segments: Vec<PathBuf> =
        std::fs::read_dir(log).unwrap().map(|file| file.unwrap().path()).collect();
    segments.retain(|path| path.extension().is_some_and(|extension| extension == "log"));
    segments.sort();
    let mut sizes = Vec::new();
    for octets in segments.iter().map(|path| std::fs::read(path).unwrap()) {
        let number = |at: usize| u32::from_le_bytes(octets[at..at + 4].try_into().unwrap()) as usize;
        let mut at = 32;
        // Each record says where it stands: what does not is none.
        while at + 40 <= octets.len() && number(at + 8) == at {
            let (meta_len, body_len) = (number(at + 24), number(at + 28));
            if octets[at + 32] == TRANSFER {
                sizes.push(meta_len);
            }
            at += (40 + meta_len + body_len).next_multiple_of(8);
        }
    }
    sizes
}

#[test]
fn messages_with_much_on_top_are_moved_by_several_records_that_hold_together() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let owner =
        manual(&store, store.create_account(NewAccount::new("top@example.org", RECEIVED_AT))).unwrap();
    let field = format!("X-Top: {}\r\n", "x".repeat(300_000));
    let header = bytes::Bytes::from(field.into_bytes());
    for n in 0..10 {
        let mut message = acceptance(id(6, n), Body::Memory(vec![text(n, 100)]), &[owner.inbox]);
        message.deliveries[0].header = header.clone();
        manual(&store, store.accept(message)).unwrap();
    }
    manual(&store, store.rename_mailbox(owner.id, "INBOX", "Old", RECEIVED_AT)).unwrap();
    drop(store);
    let sizes = transfer_records(&folder.path().join("log"));
    assert_eq!(sizes.len(), 4, "{sizes:?}");
    assert!(sizes.iter().all(|size| *size < 1024 * 1024), "{sizes:?}");
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let old = manual(&store, store.mailboxes(owner.id)).unwrap();
    assert_eq!(old.iter().find(|mailbox| mailbox.name == "Old").unwrap().messages, 10);
    assert!(store.check().unwrap().is_clean());
}
