//! A full disk (attacks.md 25): what was expunged and is kept goes, as much as is needed. Mostly where all the work of a store is one
//! task on a clock of its own, and where it is that of threads for what depends on who wakes whom.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use sim::disk::{Faults, SimDisk};
use store::embedded::{Drive, Embedded, Options};
use store::{
    Acceptance, Account, Body, Delivery, Directory as _, Mailboxes as _, NewAccount, Spool as _, Store as _,
    StoreError, Uid,
};
use tokio::task::JoinHandle;
use types::{Envelope, MailId, ReversePath, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);
/// The view may have to grow to let go of something, and grows by as much as it has.
const MIN_FREE_BYTES: u64 = 4 * 1024 * 1024;
/// Messages, and the last of them that is expunged.
const COUNT: u32 = 60;
const EXPUNGED: u32 = 50;
/// Expunged messages with which a disk is filled.
const MORE: u32 = 1400;

struct Running {
    store: Arc<Embedded>,
    /// Of [`Drive::Task`].
    driver: Option<JoinHandle<()>>,
    owner: Account,
}

impl Running {
    /// A store with messages, of which most were expunged, a second after the other.
    async fn begin(disk: &SimDisk, drive: Drive) -> Self {
        let (store, driver) = open(disk, drive);
        let owner = store.create_account(NewAccount::new("a@example.org", NOW)).await.unwrap();
        let messages = (0..COUNT).map(|n| message(n, &owner)).collect();
        store.append(messages, None).await.unwrap();
        for uid in 1..=EXPUNGED {
            store.expunge(owner.inbox, &[Uid(uid)], at(uid)).await.unwrap();
        }
        let running = Self { store, driver, owner };
        assert_eq!(running.kept().await, EXPUNGED);
        running
    }

    /// How many expunged messages can be restored.
    async fn kept(&self) -> u32 {
        self.store.expunged(self.owner.id).await.unwrap().len().try_into().unwrap()
    }

    async fn accept(&self, n: u32) -> Result<(), StoreError> {
        self.store.accept(message(n, &self.owner)).await.map(drop)
    }

    async fn uids(&self) -> Vec<u32> {
        let entries = self.store.messages(self.owner.inbox, None, usize::MAX).await.unwrap();
        entries.iter().map(|entry| entry.uid.0).collect()
    }

    async fn end(self) {
        assert_eq!(self.store.fatal_error(), None);
        assert!(self.store.check().unwrap().is_clean());
        self.store.close().await;
        if let Some(driver) = self.driver {
            driver.await.unwrap();
        }
    }
}

fn open(disk: &SimDisk, drive: Drive) -> (Arc<Embedded>, Option<JoinHandle<()>>) {
    let options = Options {
        segment_bytes: 8 * 1024,
        min_free_bytes: MIN_FREE_BYTES,
        view_cache_bytes: 1024 * 1024,
        keep_expunged: true,
        disk: Arc::new(disk.clone()),
        drive,
        ..Options::at("/data")
    };
    let store = Arc::new(Embedded::open(options).unwrap());
    let driver = (drive == Drive::Task).then(|| {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.drive().await })
    });
    (store, driver)
}

fn at(seconds: u32) -> Timestamp {
    NOW.plus(Duration::from_secs(seconds.into()))
}

fn message(n: u32, owner: &Account) -> Acceptance {
    let envelope = Envelope::new(ReversePath::Null, ["<a@example.org>".parse().unwrap()]);
    let body = Body::Memory(vec![Bytes::from(vec![b'x'; 3000])]);
    let deliveries = vec![Delivery::to(owner.inbox)];
    Acceptance { deliveries, ..Acceptance::new(MailId::new(NOW, n.into()), NOW, envelope, body) }
}

/// Time in which the task does what it does now and then.
async fn a_while() {
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// Waits until threads have come so far.
async fn until(is_so: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !is_so().await {
        assert!(Instant::now() < deadline, "it does not come to that");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Segments that wait to be used again.
fn spares(disk: &SimDisk) -> usize {
    let names = store::embedded::disk::Disk::list(disk, Path::new("/data/log")).unwrap();
    names.iter().filter(|name| name.ends_with(".spare")).count()
}

fn log_bytes(disk: &SimDisk) -> usize {
    let logs = (1..2000).map(|n| format!("/data/log/{n:010}.log"));
    logs.filter_map(|log| disk.content(Path::new(&log))).map(|content| content.len()).sum()
}

#[tokio::test(start_paused = true)]
async fn below_the_low_water_mark_what_is_due_goes_when_it_is_asked_for_and_the_rest_by_itself() {
    let disk = SimDisk::new();
    let running = Running::begin(&disk, Drive::Task).await;
    let before = log_bytes(&disk);
    disk.set_faults(Faults { free_bytes: Some(MIN_FREE_BYTES - 1), ..Faults::default() });
    // The grace time of some is over.
    assert_eq!(running.store.purge_expunged(at(21), 1000).await, Ok(20));
    assert_eq!(running.kept().await, EXPUNGED - 20);
    a_while().await;
    assert_eq!(running.kept().await, 0);
    let after = log_bytes(&disk);
    assert!(after * 2 < before, "{after} of {before}");
    // The disk says still that it is full: nothing is taken in, and nothing more is kept.
    assert!(matches!(running.accept(100).await, Err(StoreError::Full(_))));
    running.store.expunge(running.owner.inbox, &[Uid(EXPUNGED + 1)], at(100)).await.unwrap();
    assert_eq!(running.kept().await, 0);
    disk.set_faults(Faults::default());
    running.accept(101).await.unwrap();
    let left: Vec<u32> = (EXPUNGED + 2..=COUNT + 1).collect();
    assert_eq!(running.uids().await, left);
    // With room again it is kept as before.
    running.store.expunge(running.owner.inbox, &[Uid(COUNT)], at(101)).await.unwrap();
    a_while().await;
    assert_eq!(running.kept().await, 1);
    running.end().await;
    // The log alone says the same.
    let disk = disk.process_killed();
    store::embedded::disk::Disk::remove(&disk, Path::new("/data/view.redb")).unwrap();
    let (store, driver) = open(&disk, Drive::Task);
    let owner = store.account("a@example.org").await.unwrap().unwrap();
    let running = Running { store, driver, owner };
    assert_eq!(running.kept().await, 1);
    assert_eq!(running.uids().await, left.iter().copied().filter(|uid| *uid != COUNT).collect::<Vec<_>>());
    running.end().await;
}

impl Running {
    /// Has more expunged messages than a step lets go of, in many segments, fill the disk, so that there is less than is kept free by
    /// what a third of a step gives back.
    async fn fill(&self, disk: &SimDisk) {
        let more: Vec<Uid> = (COUNT + 1..=COUNT + MORE).map(Uid).collect();
        for some in more.chunks(20) {
            let messages = some.iter().map(|uid| message(1000 + uid.0, &self.owner)).collect();
            self.store.append(messages, None).await.unwrap();
        }
        self.store.expunge(self.owner.inbox, &more, at(100)).await.unwrap();
        assert_eq!(self.kept().await, EXPUNGED + MORE);
        let used = log_bytes(disk) + disk.content(Path::new("/data/view.redb")).unwrap().len();
        let capacity_bytes = Some(used as u64 + MIN_FREE_BYTES - 1024 * 1024);
        disk.set_faults(Faults { capacity_bytes, ..Faults::default() });
        assert!(matches!(self.store.room(), Err(StoreError::Full(_))));
    }

    /// One step has made room: the rest can be restored as before.
    async fn has_let_go_of_one_step(&self) {
        assert_eq!(self.kept().await, EXPUNGED + MORE - 1000);
        self.accept(100).await.unwrap();
        let left: Vec<u32> = (EXPUNGED + 1..=COUNT).chain([COUNT + MORE + 1]).collect();
        assert_eq!(self.uids().await, left);
    }
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_what_was_expunged_has_filled_takes_mail_again_when_that_is_gone() {
    let disk = SimDisk::new();
    let running = Running::begin(&disk, Drive::Task).await;
    running.fill(&disk).await;
    a_while().await;
    running.has_let_go_of_one_step().await;
    running.end().await;
}

#[tokio::test]
async fn threads_let_go_of_no_more_than_a_task() {
    let disk = SimDisk::new();
    let running = Running::begin(&disk, Drive::Threads).await;
    running.fill(&disk).await;
    until(async || running.store.room().is_ok()).await;
    running.has_let_go_of_one_step().await;
    running.end().await;
}

#[tokio::test]
async fn a_disk_that_fills_while_nobody_commits_anything_is_cleared() {
    let disk = SimDisk::new();
    let running = Running::begin(&disk, Drive::Threads).await;
    // What is let go before it is full waits to be used again.
    assert_eq!(running.store.purge_expunged(at(46), 1000).await, Ok(45));
    running.store.checkpoint().unwrap();
    until(async || spares(&disk) > 0).await;
    disk.set_faults(Faults { free_bytes: Some(MIN_FREE_BYTES - 1), ..Faults::default() });
    // As MAIL asks, and is refused.
    assert!(matches!(running.store.room(), Err(StoreError::Full(_))));
    until(async || spares(&disk) == 0 && running.kept().await == 0).await;
    disk.set_faults(Faults::default());
    running.accept(100).await.unwrap();
    running.end().await;
}

#[tokio::test]
async fn a_disk_that_is_full_from_the_start_is_cleared_though_nobody_asks() {
    let disk = SimDisk::new();
    Running::begin(&disk, Drive::Threads).await.end().await;
    disk.set_faults(Faults { free_bytes: Some(MIN_FREE_BYTES - 1), ..Faults::default() });
    let (store, driver) = open(&disk, Drive::Threads);
    let owner = store.account("a@example.org").await.unwrap().unwrap();
    let running = Running { store, driver, owner };
    until(async || running.kept().await == 0).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_without_an_octet_free_loses_nothing_and_is_cleared_when_there_are_some() {
    let disk = SimDisk::new();
    let running = Running::begin(&disk, Drive::Task).await;
    a_while().await;
    let before = log_bytes(&disk);
    disk.set_faults(Faults { capacity_bytes: Some(0), ..Faults::default() });
    assert!(matches!(running.accept(100).await, Err(StoreError::Full(_))));
    for _ in 0..10 {
        a_while().await;
        // Whatever could be let go of: it is not an error for good, and who reads is not kept waiting.
        assert_eq!(running.store.fatal_error(), None);
        let _ = running.store.expunged(running.owner.id).await;
    }
    disk.set_faults(Faults { free_bytes: Some(MIN_FREE_BYTES - 1), ..Faults::default() });
    a_while().await;
    assert!(matches!(running.accept(100).await, Err(StoreError::Full(_))));
    a_while().await;
    assert_eq!(running.kept().await, 0);
    // What was tried in vain while it was full was not skipped.
    let after = log_bytes(&disk);
    assert!(after * 2 < before, "{after} of {before}");
    disk.set_faults(Faults::default());
    running.accept(100).await.unwrap();
    assert_eq!(running.uids().await, (EXPUNGED + 1..=COUNT + 1).collect::<Vec<_>>());
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn segments_that_wait_to_be_used_again_go_where_nothing_else_can() {
    let disk = SimDisk::new();
    let running = Running::begin(&disk, Drive::Task).await;
    assert_eq!(running.store.purge_expunged(at(100), 1000).await, Ok(EXPUNGED as usize));
    a_while().await;
    assert!(spares(&disk) > 0);
    let log = log_bytes(&disk);
    disk.set_faults(Faults { free_bytes: Some(MIN_FREE_BYTES - 1), ..Faults::default() });
    a_while().await;
    assert_eq!(spares(&disk), 0);
    assert_eq!(log_bytes(&disk), log, "no segment was given up");
    assert!(matches!(running.accept(100).await, Err(StoreError::Full(_))));
    disk.set_faults(Faults::default());
    running.accept(100).await.unwrap();
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_expunged_stays_where_others_made_room_before_it_was_let_go() {
    let disk = SimDisk::new();
    let running = Running::begin(&disk, Drive::Task).await;
    disk.set_faults(Faults { free_bytes: Some(MIN_FREE_BYTES - 1), ..Faults::default() });
    assert!(matches!(running.accept(100).await, Err(StoreError::Full(_))));
    disk.set_faults(Faults::default());
    a_while().await;
    assert_eq!(running.kept().await, EXPUNGED);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_does_not_say_what_is_free_is_not_taken_for_a_full_one() {
    let disk = SimDisk::new();
    let running = Running::begin(&disk, Drive::Task).await;
    disk.set_faults(Faults { fail_free_bytes: true, ..Faults::default() });
    assert!(matches!(running.accept(100).await, Err(StoreError::Unavailable(_))));
    running.store.expunge(running.owner.inbox, &[Uid(EXPUNGED + 1)], at(100)).await.unwrap();
    a_while().await;
    assert_eq!(running.kept().await, EXPUNGED + 1);
    disk.set_faults(Faults::default());
    running.end().await;
}
