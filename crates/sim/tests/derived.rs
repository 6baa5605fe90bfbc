//! The power fails while what was made of messages is kept: a cache, of which anything may be lost and nothing be wrong, and
//! which keeps nobody from the mail.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::sync::Arc;

use bytes::Bytes;
use sim::disk::SimDisk;
use sim::drive::run;
use sim::random::Random;
use store::embedded::{Drive, Embedded, Options};
use store::{
    Acceptance, Body, Delivery, Derived as _, DerivedKind, Directory as _, Mailboxes as _, NewAccount,
    Spool as _,
};
use types::{Envelope, MailId, ReversePath, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);
const COUNT: u64 = 20;

fn open(disk: &SimDisk) -> Embedded {
    let options = Options {
        min_free_bytes: 0,
        view_cache_bytes: 1024 * 1024,
        disk: Arc::new(disk.clone()),
        drive: Drive::Manual,
        ..Options::at("/data")
    };
    Embedded::open(options).unwrap()
}

fn ids() -> Vec<MailId> {
    (0..COUNT).map(|n| MailId::new(NOW, n)).collect()
}

/// What is derived of a message, of several octets or of several pages.
fn value(round: u8, n: usize) -> Bytes {
    Bytes::from(vec![round ^ n as u8; if n.is_multiple_of(5) { 9000 } else { 40 }])
}

fn items(round: u8) -> Vec<(MailId, Bytes)> {
    ids().into_iter().enumerate().map(|(n, id)| (id, value(round, n))).collect()
}

/// A store with messages, of which nothing was derived yet.
fn with_messages() -> SimDisk {
    let disk = SimDisk::new();
    let store = open(&disk);
    let owner = run(&store, store.create_account(NewAccount::new("a@example.org", NOW))).unwrap().unwrap();
    let message = |mail_id| {
        let envelope = Envelope::new(ReversePath::Null, ["<a@example.org>".parse().unwrap()]);
        let body = Body::Memory(vec![Bytes::from_static(b"Subject: s\r\n\r\n")]);
        let deliveries = vec![Delivery::to(owner.inbox)];
        Acceptance { deliveries, ..Acceptance::new(mail_id, NOW, envelope, body) }
    };
    run(&store, store.append(ids().into_iter().map(message).collect(), None)).unwrap().unwrap();
    drop(store);
    disk.process_killed()
}

/// Keeps two rounds of values, of which each is durable when the store is let go of, as far as the power lasts.
fn keep(disk: &SimDisk) {
    for round in [1, 2] {
        let opened = std::panic::catch_unwind(|| open(disk));
        let Ok(store) = opened else { return };
        for part in items(round).chunks(7) {
            let _ = run(&store, store.put_derived(vec![(DerivedKind::Words, part.to_vec())]));
        }
    }
}

#[test]
fn power_may_be_cut_at_any_point_while_what_was_derived_is_kept() {
    let whole = with_messages();
    let (mut cuts, mut lost, mut found) = (0, 0, 0);
    loop {
        let disk = whole.process_killed();
        disk.cut_after(cuts);
        keep(&disk);
        let is_cut = disk.is_cut();
        let disk = disk.restore(&mut Random::new(cuts));
        let store = open(&disk);
        let kept = run(&store, store.derived(DerivedKind::Words, &ids())).unwrap();
        let kept = kept.unwrap_or_else(|error| panic!("cut after {cuts}: {error}"));
        if !is_cut {
            // The file's name may be lost, since nothing syncs it; with it everything.
            let is_second = kept.iter().enumerate().all(|(n, kept)| *kept == Some(value(2, n)));
            assert!(is_second || kept.iter().all(Option::is_none));
        }
        // Whatever is there is whole, of one round or the other.
        for (n, kept) in kept.into_iter().enumerate() {
            match kept {
                None => lost += 1,
                Some(kept) => {
                    assert!(kept == value(1, n) || kept == value(2, n), "cut after {cuts}: of message {n}");
                    found += 1;
                }
            }
        }
        // What is lost is made again.
        run(&store, store.put_derived(vec![(DerivedKind::Words, items(3))])).unwrap().unwrap();
        let again = run(&store, store.derived(DerivedKind::Words, &ids())).unwrap().unwrap();
        assert!(again.into_iter().enumerate().all(|(n, kept)| kept == Some(value(3, n))), "cut after {cuts}");
        assert_eq!(run(&store, store.messages(store::MailboxId(1), None, 100)).unwrap().unwrap().len(), 20);
        assert!(store.check().unwrap().is_clean(), "cut after {cuts}");
        if !is_cut {
            break;
        }
        cuts += 1;
    }
    assert!(cuts > 20 && lost > 0 && found > 0, "{cuts} cuts, {lost} lost, {found} found");
}
