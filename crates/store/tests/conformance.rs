//! The embedded store does what every backend must.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::sync::Arc;

use store::embedded::{Drive, Embedded, Options};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_embedded_store_does_what_a_store_must() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(Options::at(folder.path())).unwrap();
    suite::run_all(&store).await;
    store.settled().await.unwrap();
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    store.close().await;
}

#[tokio::test]
async fn it_does_so_on_one_thread_and_with_small_segments_too() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 16 * 1024, backlog_bytes: 1024, ..Options::at(folder.path()) };
    let store = Embedded::open(options.clone()).unwrap();
    suite::run_all(&store).await;
    let accounts = store::Directory::accounts(&store).await.unwrap();
    drop(store);
    let store = Embedded::open(options).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(store::Directory::accounts(&store).await.unwrap(), accounts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_so_where_what_is_expunged_is_kept_for_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { keep_expunged: true, ..Options::at(folder.path()) };
    let store = Embedded::open(options.clone()).unwrap();
    suite::mailboxes::run_kept(&store).await;
    suite::mailboxes::run_all(&store).await;
    store.settled().await.unwrap();
    assert!(store.check().unwrap().is_clean());
    store.close().await;
    drop(store);
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    let store = Embedded::open(options).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    store.close().await;
}

#[tokio::test(start_paused = true)]
async fn it_does_so_in_one_task_on_a_clock_of_its_own_and_is_taken_up_after_that_task_was_dropped() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options {
        segment_bytes: 16 * 1024,
        backlog_bytes: 1024,
        drive: Drive::Task,
        ..Options::at(folder.path())
    };
    let store = Arc::new(Embedded::open(options.clone()).unwrap());
    let driver = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.drive().await }
    });
    suite::run_all(&*store).await;
    let accounts = store::Directory::accounts(&*store).await.unwrap();
    driver.abort();
    assert!(driver.await.unwrap_err().is_cancelled());
    drop(store);
    let store = Arc::new(Embedded::open(options).unwrap());
    let driver = tokio::spawn({
        let store = Arc::clone(&store);
        async move { store.drive().await }
    });
    assert_eq!(store::Directory::accounts(&*store).await.unwrap(), accounts);
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    // A close waits for what is being driven.
    store.close().await;
    driver.await.unwrap();
    assert!(store::Directory::accounts(&*store).await.is_err(), "it is closed");
}
