//! The data folder of the embedded store on a real disk: who may open it, and what is there afterwards.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::sync::Arc;

use store::embedded::{Drive, Embedded, Options, check};
use store::{Body, Directory as _, Mailboxes as _, Spool as _, Store as _, StoreError, Uid};
use suite::drive::{manual, reclaim_all};
use suite::mail::{accept, acceptance, account, id, join_all, read_all, text};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[tokio::test]
async fn a_second_instance_on_one_folder_is_refused_and_told_by_whom() {
    let folder = folder();
    let first = Embedded::open(Options::at(folder.path())).unwrap();
    let refused = Embedded::open(Options::at(folder.path())).unwrap_err();
    assert_eq!(refused, StoreError::InUse(format!(" (process {})", std::process::id())));
    assert_eq!(check(folder.path()).unwrap_err(), refused);
    first.close().await;
    drop(first);
    Embedded::open(Options::at(folder.path())).unwrap();
}

#[tokio::test]
async fn a_newer_format_is_refused_and_left_alone() {
    let folder = folder();
    drop(Embedded::open(Options::at(folder.path())).unwrap());
    std::fs::write(folder.path().join("format"), "posta-store 6\n").unwrap();
    let refused = Embedded::open(Options::at(folder.path())).unwrap_err();
    assert_eq!(refused, StoreError::NewerFormat { found: 6, known: 5 });
    std::fs::write(folder.path().join("format"), "something else").unwrap();
    assert!(matches!(Embedded::open(Options::at(folder.path())), Err(StoreError::Damaged(_))));
    // A log whose version nobody knows is not taken for one of ours.
    std::fs::remove_file(folder.path().join("format")).unwrap();
    assert!(matches!(Embedded::open(Options::at(folder.path())), Err(StoreError::Damaged(_))));
}

#[tokio::test]
async fn everything_is_there_after_a_clean_close() {
    let folder = folder();
    let store = Embedded::open(Options::at(folder.path())).unwrap();
    let owner = account(&store, "a@example.org").await;
    let large = text(1, 1_500_000);
    for (n, body) in [text(0, 300), large].into_iter().enumerate() {
        accept(&store, id(1, n as u64), &body, &[owner.inbox]).await.unwrap();
    }
    let entries = store.messages(owner.inbox, None, 10).await.unwrap();
    let mailboxes = store.mailboxes(owner.id).await.unwrap();
    store.close().await;
    assert!(matches!(accept(&store, id(1, 9), b"x", &[owner.inbox]).await, Err(StoreError::Unavailable(_))));
    drop(store);

    let report = check(folder.path()).unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.mails, report.body_files, report.entries, report.accounts), (2, 1, 2, 1));
    let store = Embedded::open(Options::at(folder.path())).unwrap();
    assert_eq!(store.account("A@EXAMPLE.ORG").await.unwrap(), Some(owner.clone()));
    assert_eq!(store.messages(owner.inbox, None, 10).await.unwrap(), entries);
    assert_eq!(store.mailboxes(owner.id).await.unwrap(), mailboxes);
    assert!(read_all(&store, owner.inbox, entries[1].uid).await.ends_with(&text(1, 1_500_000)));
}

#[tokio::test]
async fn what_is_staged_and_not_accepted_leaves_nothing() {
    let folder = folder();
    let bodies = || std::fs::read_dir(folder.path().join("bodies")).unwrap().count();
    let store = Embedded::open(Options::at(folder.path())).unwrap();
    let owner = account(&store, "a@example.org").await;
    let mut staged = store.stage().await.unwrap();
    staged.append(b"dropped").await.unwrap();
    assert_eq!(bodies(), 1);
    drop(staged);
    assert_eq!(bodies(), 0);
    // Refused as well.
    accept(&store, id(1, 0), b"x", &[owner.inbox]).await.unwrap();
    let mut staged = store.stage().await.unwrap();
    staged.append(b"refused").await.unwrap();
    let refused = store.accept(acceptance(id(1, 0), Body::Staged(staged), &[owner.inbox])).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))));
    assert_eq!(bodies(), 0);
    store.close().await;
    // And what a crash left goes at the next start.
    std::fs::write(folder.path().join("bodies/00000000000000aa.tmp"), "half").unwrap();
    std::fs::write(folder.path().join("bodies/00000000000000bb"), "whole, without a record").unwrap();
    drop(store);
    let store = Embedded::open(Options::at(folder.path())).unwrap();
    assert_eq!(bodies(), 0);
    store.close().await;
}

#[tokio::test]
async fn a_body_file_goes_with_the_last_message_that_has_it() {
    let folder = folder();
    let store = Embedded::open(Options { drive: Drive::Threads, ..Options::at(folder.path()) }).unwrap();
    let first = account(&store, "a@example.org").await.inbox;
    let second = account(&store, "b@example.org").await.inbox;
    let body = text(0, 1_100_000);
    accept(&store, id(1, 0), &body, &[first, second]).await.unwrap();
    let bodies = || std::fs::read_dir(folder.path().join("bodies")).unwrap().count();
    store.expunge(first, &[Uid(1)], types::Timestamp::default()).await.unwrap();
    assert!(store.messages(first, None, 10).await.unwrap().is_empty());
    assert_eq!(bodies(), 1);
    assert!(read_all(&store, second, Uid(1)).await.ends_with(&body));
    store.expunge(second, &[Uid(1)], types::Timestamp::default()).await.unwrap();
    store.close().await;
    assert_eq!(bodies(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn segments_are_given_up_under_load_and_nothing_is_lost() {
    let folder = folder();
    let options = Options { segment_bytes: 64 * 1024, ..Options::at(folder.path()) };
    let store = Arc::new(Embedded::open(options.clone()).unwrap());
    let inbox = account(&*store, "a@example.org").await.inbox;
    let mut kept = Vec::new();
    let mut n = 0;
    // As long as it takes, in work, not in time.
    for round in 0..2000 {
        let all =
            (n..n + 20).map(|n| suite::mail::accept_in(&*store, id(1, n), text(n, 2000), inbox)).collect();
        let uids: Vec<Uid> = join_all(all).await.into_iter().map(|done| done.unwrap()[0].uid).collect();
        kept.push((n, uids[0]));
        store.expunge(inbox, &uids[1..], types::Timestamp::default()).await.unwrap();
        n += 20;
        store.checkpoint().unwrap();
        if round > 50 && store.stats().unwrap().segments_reclaimed > 10 {
            break;
        }
    }
    let stats = store.stats().unwrap();
    assert!(stats.segments_reclaimed > 10, "{stats:?}");
    for (n, uid) in &kept {
        assert!(read_all(&*store, inbox, *uid).await.ends_with(&text(*n, 2000)));
    }
    assert!(store.check().unwrap().is_clean());
    store.close().await;
    drop(store);
    // The log alone suffices.
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    let store = Embedded::open(options).unwrap();
    assert!(store.check().unwrap().is_clean());
    let entries = store.messages(inbox, None, usize::MAX).await.unwrap();
    assert_eq!(
        entries.iter().map(|e| e.uid).collect::<Vec<_>>(),
        kept.iter().map(|k| k.1).collect::<Vec<_>>()
    );
    for (n, uid) in kept {
        assert!(store.knows(id(1, n)));
        assert!(read_all(&store, inbox, uid).await.ends_with(&text(n, 2000)));
    }
    let next = accept(&store, id(2, 0), b"x", &[inbox]).await.unwrap()[0];
    assert!(u64::from(next.uid.0) > n, "{next:?}");
}

#[test]
fn the_counters_of_an_emptied_mailbox_survive_the_loss_of_its_records_and_of_the_view() {
    let folder = folder();
    let options = Options { segment_bytes: 4096, drive: Drive::Manual, ..Options::at(folder.path()) };
    let store = Embedded::open(options.clone()).unwrap();
    let inbox = manual(&store, account(&store, "a@example.org")).inbox;
    let other = manual(&store, account(&store, "b@example.org")).inbox;
    let fill = |test, count, keep| {
        let mut last = None;
        for n in 0..count {
            let to = if keep { other } else { inbox };
            let done = manual(&store, accept(&store, id(test, n), &text(n, 2000), &[to])).unwrap()[0];
            last = Some((done.uid, done.modseq));
            if !keep {
                manual(&store, store.expunge(inbox, &[done.uid], types::Timestamp::default())).unwrap();
            }
        }
        last
    };
    // First the account's own record moves on, then the mailbox is used, then everything of that is given up
    // while the log's end is another's.
    fill(1, 6, false);
    assert!(reclaim_all(&store) > 1);
    fill(2, 6, true);
    let last = fill(3, 20, false).unwrap();
    fill(4, 6, true);
    assert!(reclaim_all(&store) > 5);
    drop(store);
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    let store = Embedded::open(options).unwrap();
    let next = manual(&store, accept(&store, id(9, 0), b"x", &[inbox])).unwrap()[0];
    assert!(next.uid > last.0 && next.modseq > last.1, "{next:?} after {last:?}");
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_stream_stays_readable_when_its_segment_is_given_up_and_used_again() {
    let folder = folder();
    let options = Options { segment_bytes: 400_000, drive: Drive::Manual, ..Options::at(folder.path()) };
    let store = Embedded::open(options).unwrap();
    let inbox = manual(&store, account(&store, "a@example.org")).inbox;
    let body = text(0, 300_000);
    let uid = manual(&store, accept(&store, id(1, 0), &body, &[inbox])).unwrap()[0].uid;
    let mut stream = manual(&store, store.open(inbox, uid)).unwrap();
    let mut read = manual(&store, stream.next()).unwrap().to_vec();
    manual(&store, store.expunge(inbox, &[uid], types::Timestamp::default())).unwrap();
    for n in 1..40 {
        let uid = manual(&store, accept(&store, id(1, n), &text(n, 300_000), &[inbox])).unwrap()[0].uid;
        manual(&store, store.expunge(inbox, &[uid], types::Timestamp::default())).unwrap();
        while store.reclaim().unwrap() {}
    }
    let stats = store.stats().unwrap();
    assert!(stats.segments_reclaimed > 10, "{stats:?}");
    loop {
        let chunk = manual(&store, stream.next()).unwrap();
        if chunk.is_empty() {
            break;
        }
        read.extend_from_slice(&chunk);
    }
    assert!(read.ends_with(&body));
}
