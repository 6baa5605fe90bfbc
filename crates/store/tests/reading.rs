//! Messages that are opened together say the same as each by itself.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::io;
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use store::embedded::disk::{Disk, DiskFile, RealDisk};
use store::embedded::{Drive, Embedded, Options};
use store::{
    Account, Body, BodyStream, Directory as _, Mailboxes as _, NewAccount, Spool as _, StoreError, Uid,
};
use suite::disk::{Different, DifferentDisk};
use suite::drive::{manual, reclaim_all};
use suite::mail::{RECEIVED_AT, acceptance, id, read_all, text};

/// A disk of whose files a few octets at a time are in memory.
#[derive(Debug)]
struct Forgetful;

impl Different for Forgetful {
    fn read_cached_at(&self, file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let len = buffer.len().min(7);
        file.read_at(&mut buffer[..len], offset)
    }
}

fn disks() -> [Arc<dyn Disk>; 2] {
    [Arc::new(RealDisk), Arc::new(DifferentDisk(Arc::new(Forgetful)))]
}

fn options(folder: &Path, disk: Arc<dyn Disk>) -> Options {
    Options {
        segment_bytes: 64 * 1024,
        body_file_bytes: 30_000,
        drive: Drive::Manual,
        disk,
        ..Options::at(folder)
    }
}

fn owner(store: &Embedded) -> Account {
    manual(store, store.create_account(NewAccount::new("reader@example.org", RECEIVED_AT))).unwrap()
}

fn put(store: &Embedded, owner: &Account, sizes: &[usize]) {
    for (n, size) in (0..).zip(sizes) {
        let mut message = acceptance(id(1, n), Body::Memory(vec![text(n, *size)]), &[owner.inbox]);
        // Some have none of their own.
        let header = if n % 3 == 0 { String::new() } else { format!("X-Number: {n}\r\n") };
        message.deliveries[0].header = Bytes::from(header);
        manual(store, store.accept(message)).unwrap();
    }
}

fn rest(store: &Embedded, mut stream: Box<dyn BodyStream>) -> Result<Vec<u8>, StoreError> {
    let (size_bytes, header_bytes) = (stream.size_bytes(), stream.header_bytes());
    let mut octets = Vec::new();
    loop {
        let chunk = manual(store, stream.next())?;
        if chunk.is_empty() {
            assert_eq!(octets.len() as u64, size_bytes);
            assert_eq!(octets.starts_with(b"X-Number"), header_bytes > 0);
            return Ok(octets);
        }
        octets.extend_from_slice(&chunk);
    }
}

#[test]
fn messages_that_are_opened_together_say_the_same_as_each_by_itself() {
    disks().into_iter().for_each(opened_together_and_each_by_itself);
}

fn opened_together_and_each_by_itself(disk: Arc<dyn Disk>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path(), disk)).unwrap();
    let owner = owner(&store);
    // Short ones, empty ones, more than is read at once, one with its own file, and some in the next segment.
    let sizes =
        [100, 0, 900, 0, 29_000, 29_000, 29_000, 40_000, 5, 100_000, 10, 20, 4_000, 4_000, 4_000, 0, 1, 1, 1];
    put(&store, &owner, &sizes);
    manual(&store, store.expunge(owner.inbox, &[Uid(3), Uid(18)], RECEIVED_AT)).unwrap();
    reclaim_all(&store);
    let there: Vec<Uid> = (1..=19).filter(|uid| ![3, 18].contains(uid)).map(Uid).collect();
    let (mut at, mut steps) = (0, 0);
    while at < there.len() {
        let streams = manual(&store, store.open_some(owner.inbox, &there[at..])).unwrap();
        assert!(!streams.is_empty());
        let size_bytes: u64 = streams.iter().map(|stream| stream.size_bytes()).sum();
        assert!(streams.len() == 1 || size_bytes <= 64 * 1024, "{} of {size_bytes}", streams.len());
        for stream in streams {
            assert_eq!(
                rest(&store, stream).unwrap(),
                manual(&store, read_all(&store, owner.inbox, there[at]))
            );
            at += 1;
        }
        steps += 1;
    }
    assert!(steps < 10, "{steps} steps for {} messages", there.len());
    assert!(manual(&store, store.open_some(owner.inbox, &[])).unwrap().is_empty());
    // One that is not there ends it; the first is an error.
    let some = [Uid(1), Uid(2), Uid(3), Uid(4)];
    assert_eq!(manual(&store, store.open_some(owner.inbox, &some)).unwrap().len(), 2);
    let none = manual(&store, store.open_some(owner.inbox, &some[2..]));
    assert_eq!(none.map(|streams| streams.len()), Err(StoreError::NoSuchMessage));
}

#[test]
fn a_damaged_body_among_those_that_are_opened_together_is_refused_and_the_others_are_read() {
    disks().into_iter().for_each(one_damaged_among_three);
}

fn one_damaged_among_three(disk: Arc<dyn Disk>) {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path(), disk)).unwrap();
    let owner = owner(&store);
    put(&store, &owner, &[500, 500, 500]);
    let log = folder.path().join("log/0000000001.log");
    let mut octets = std::fs::read(&log).unwrap();
    let body = text(1, 500);
    let at = octets.windows(body.len()).position(|window| window == &body[..]).unwrap();
    octets[at + 250] ^= 1;
    std::fs::write(&log, octets).unwrap();
    let streams = manual(&store, store.open_some(owner.inbox, &[Uid(1), Uid(2), Uid(3)])).unwrap();
    let read: Vec<_> =
        streams.into_iter().map(|stream| rest(&store, stream).map(|octets| octets.len())).collect();
    assert_eq!(read.len(), 3);
    assert!(matches!(&read[1], Err(StoreError::Damaged(_))), "{read:?}");
    assert_eq!((read[0].clone().unwrap(), read[2].clone().unwrap()), (500, 500 + 13));
}

#[test]
fn a_segment_that_is_read_is_not_written_over_however_many_others_were_opened_since() {
    const COUNT: u32 = 140;
    let folder = tempfile::tempdir().unwrap();
    let options = Options { segment_bytes: 4096, ..options(folder.path(), Arc::new(RealDisk)) };
    let store = Embedded::open(options.clone()).unwrap();
    let owner = owner(&store);
    // Each fills a segment, of which none is open behind a new start.
    put(&store, &owner, &[4200; COUNT as usize]);
    drop(store);
    let store = Embedded::open(options).unwrap();
    let held = manual(&store, store.open(owner.inbox, Uid(2))).unwrap();
    for uid in (1..=COUNT).filter(|uid| *uid != 2) {
        drop(manual(&store, store.open(owner.inbox, Uid(uid))).unwrap());
    }
    manual(&store, store.expunge(owner.inbox, &[Uid(2)], RECEIVED_AT)).unwrap();
    assert!(reclaim_all(&store) > 0);
    for n in 0..6 {
        let message = acceptance(id(2, n), Body::Memory(vec![text(1000 + n, 4200)]), &[owner.inbox]);
        manual(&store, store.accept(message)).unwrap();
    }
    let octets = rest(&store, held).unwrap();
    assert!(octets.ends_with(&text(1, 4200)) && octets.starts_with(b"X-Number: 1\r\n"));
}
