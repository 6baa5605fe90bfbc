//! A disk that is full or fails (attacks.md 25): what the store says, and that it goes on or stops as it must.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use sim::disk::{Faults, SimDisk};
use sim::drive::{commit, run};
use sim::random::Random;
use store::embedded::{Drive, Embedded, Options};
use store::{
    Acceptance, Body, Delivered, Delivery, Destination, Directory as _, Flags, MailboxId, Mailboxes as _,
    NewAccount, NewQueueItem, Next, Queue as _, QueueClaim, QueueItem, Settled, Settlement, Spool as _,
    Store as _, StoreError, Uid,
};
use types::directory::AccountSettings;
use types::{Envelope, EnvelopeRecipient, MailId, RecipientDsn, ReversePath, Timestamp};

const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);

fn options(disk: &SimDisk) -> Options {
    Options {
        min_free_bytes: 0,
        view_cache_bytes: 1024 * 1024,
        disk: Arc::new(disk.clone()),
        drive: Drive::Manual,
        ..Options::at("/data")
    }
}

fn open(disk: &SimDisk) -> Embedded {
    Embedded::open(options(disk)).unwrap()
}

fn inbox(store: &Embedded) -> MailboxId {
    run(store, store.create_account(NewAccount::new("a@example.org", NOW))).unwrap().unwrap().inbox
}

fn message(n: u64, size: usize, mailbox: MailboxId) -> Acceptance {
    let envelope = Envelope::new(ReversePath::Null, ["<a@example.org>".parse().unwrap()]);
    let body = Body::Memory(vec![Bytes::from(vec![b'a' + (n % 26) as u8; size])]);
    let delivery = Delivery { header: Bytes::from_static(b"X: y\r\n"), ..Delivery::to(mailbox) };
    Acceptance { deliveries: vec![delivery], ..Acceptance::new(MailId::new(NOW, n), NOW, envelope, body) }
}

fn accept(store: &Embedded, acceptance: Acceptance) -> Result<Vec<Delivered>, StoreError> {
    run(store, store.accept(acceptance)).unwrap().map(|accepted| accepted.deliveries)
}

fn count(store: &Embedded, mailbox: MailboxId) -> usize {
    run(store, store.messages(mailbox, None, usize::MAX)).unwrap().unwrap().len()
}

/// The disk as the next start finds it, with the process gone and nothing of the kernel's memory lost.
fn killed(disk: &SimDisk) -> SimDisk {
    disk.process_killed()
}

fn log(segment: u32) -> PathBuf {
    PathBuf::from(format!("/data/log/{segment:010}.log"))
}

#[test]
fn a_full_disk_is_full_and_recovers_by_itself() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    accept(&store, message(0, 1000, inbox)).unwrap();
    let mut used = 0;
    for path in ["/data/view.redb", "/data/format"] {
        used += disk.content(Path::new(path)).unwrap().len() as u64;
    }
    used += disk.content(&log(1)).unwrap().len() as u64;
    // Room for the log's zeros to be written over, and for a little more.
    disk.set_faults(Faults {
        capacity_bytes: Some(used + 3000),
        free_bytes: Some(1 << 40),
        ..Faults::default()
    });
    let mut accepted = 1;
    let refused = loop {
        match accept(&store, message(accepted, 300_000, inbox)) {
            Ok(_) => accepted += 1,
            Err(error) => break error,
        }
        assert!(accepted < 100);
    };
    assert!(matches!(refused, StoreError::Full(_)), "{refused:?}");
    assert_eq!(store.fatal_error(), None);
    assert!(!store.knows(MailId::new(NOW, accepted)));
    disk.set_faults(Faults::default());
    // The same message, as a client sends it that was told 452.
    accept(&store, message(accepted, 300_000, inbox)).unwrap();
    assert_eq!(count(&store, inbox) as u64, accepted + 1);
    drop(store);
    let store = open(&disk);
    assert_eq!(count(&store, inbox) as u64, accepted + 1);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn below_the_low_water_mark_only_what_makes_room_is_done() {
    let disk = SimDisk::new();
    let store = Embedded::open(Options { min_free_bytes: 1000, ..options(&disk) }).unwrap();
    let inbox = inbox(&store);
    let kept = accept(&store, message(0, 10, inbox)).unwrap()[0];
    disk.set_faults(Faults { free_bytes: Some(999), ..Faults::default() });
    assert!(matches!(accept(&store, message(1, 10, inbox)), Err(StoreError::Full(_))));
    assert!(matches!(run(&store, store.stage()).unwrap(), Err(StoreError::Full(_))));
    run(&store, store.store_flags(inbox, &[kept.uid], Flags::SEEN, Flags::NONE, None)).unwrap().unwrap();
    assert_eq!(
        run(&store, store.expunge(inbox, &[kept.uid], types::Timestamp::default())).unwrap(),
        Ok(vec![kept.uid])
    );
    disk.set_faults(Faults { free_bytes: Some(1000), ..Faults::default() });
    accept(&store, message(1, 10, inbox)).unwrap();
}

fn queued(n: u64) -> Acceptance {
    let item = NewQueueItem {
        destination: Destination::named("d.example").unwrap(),
        reverse_path: ReversePath::Null,
        header: Bytes::new(),
        recipients: vec![EnvelopeRecipient {
            forward_path: "<a@d.example>".parse().unwrap(),
            dsn: RecipientDsn::default(),
        }],
        due_at: NOW,
    };
    let nowhere = message(n, 100, MailboxId(0));
    Acceptance { deliveries: Vec::new(), queue: vec![item], claim: QueueClaim::ByCaller, ..nowhere }
}

#[test]
fn on_a_full_disk_what_becomes_of_the_queue_is_recorded_but_no_report_is_accepted() {
    let disk = SimDisk::new();
    let store = Embedded::open(Options { min_free_bytes: 1000, ..options(&disk) }).unwrap();
    let inbox = inbox(&store);
    let mut items = Vec::new();
    for n in 0..3 {
        items.extend(run(&store, store.accept(queued(n))).unwrap().unwrap().queue);
    }
    disk.set_faults(Faults { free_bytes: Some(999), ..Faults::default() });
    assert!(matches!(run(&store, store.accept(queued(9))).unwrap(), Err(StoreError::Full(_))));
    let settle = |item: &QueueItem, next: Next, reports: Vec<Acceptance>| {
        let settlement = Settlement { id: item.id, revision: item.revision, next };
        run(&store, store.settle(vec![settlement], reports)).unwrap()
    };
    let done = vec![Settled::Done { revision: 2 }];
    assert_eq!(settle(&items[0], Next::Gone, Vec::new()).unwrap().0, done);
    assert_eq!(settle(&items[1], Next::Waits(items[1].state.clone()), Vec::new()).unwrap().0, done);
    let refused = settle(&items[2], Next::Gone, vec![message(10, 100, inbox)]);
    assert!(matches!(refused, Err(StoreError::Full(_))), "{refused:?}");
    let left = run(&store, store.queue_page(None, None, 9)).unwrap().unwrap();
    assert_eq!(left.iter().map(|item| item.revision).collect::<Vec<_>>(), [2, 1]);
    disk.set_faults(Faults::default());
    settle(&items[2], Next::Gone, vec![message(10, 100, inbox)]).unwrap();
    assert_eq!(count(&store, inbox), 1);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_settlement_whose_write_failed_is_not_done_and_can_be_done_again() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    let item = run(&store, store.accept(queued(0))).unwrap().unwrap().queue.remove(0);
    let settlement = || vec![Settlement { id: item.id, revision: 1, next: Next::Gone }];
    disk.set_faults(Faults { fail_writes: Some("/data/log".into()), ..Faults::default() });
    let refused = run(&store, store.settle(settlement(), vec![message(1, 100, inbox)])).unwrap();
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    disk.set_faults(Faults::default());
    // Who had it has it still.
    let destination = &item.destination;
    let claim = store.claim(destination, NOW, 9, std::time::Duration::from_secs(9));
    assert_eq!(run(&store, claim).unwrap().unwrap(), []);
    assert_eq!(run(&store, store.queue_item(item.id)).unwrap().unwrap(), Some(item.clone()));
    run(&store, store.settle(settlement(), vec![message(1, 100, inbox)])).unwrap().unwrap();
    assert_eq!((count(&store, inbox), run(&store, store.queue_item(item.id)).unwrap()), (1, Ok(None)));
    let store = open(&killed(&disk));
    assert_eq!((count(&store, inbox), run(&store, store.queue_item(item.id)).unwrap()), (1, Ok(None)));
}

#[test]
fn a_failed_write_is_unavailable_for_all_of_its_batch_and_never_comes_back() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    disk.set_faults(Faults { fail_writes: Some("/data/log".into()), ..Faults::default() });
    let asked = (0..3).map(|n| store.accept(message(n, 700, inbox))).collect();
    for told in commit(&store, asked) {
        assert!(matches!(told, Some(Err(StoreError::Unavailable(_)))), "{told:?}");
    }
    assert_eq!(store.fatal_error(), None);
    disk.set_faults(Faults::default());
    // A shorter one in the place of the three: nothing of theirs may show behind it.
    accept(&store, message(9, 100, inbox)).unwrap();
    assert_eq!(count(&store, inbox), 1);
    let store = open(&killed(&disk));
    assert_eq!(count(&store, inbox), 1);
    assert!(store.knows(MailId::new(NOW, 9)) && !store.knows(MailId::new(NOW, 1)));
    // And what was refused may be sent again.
    accept(&store, message(1, 700, inbox)).unwrap();
}

#[test]
fn a_failed_sync_is_fatal() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    let first = accept(&store, message(0, 10, inbox)).unwrap()[0];
    let mut fatal = store.fatal();
    assert!(!fatal.has_changed().unwrap());
    disk.set_faults(Faults { fail_syncs: Some("/data/log".into()), ..Faults::default() });
    let asked = (1..4).map(|n| store.accept(message(n, 10, inbox))).collect();
    for told in commit(&store, asked) {
        assert!(matches!(told, Some(Err(StoreError::Unavailable(_)))), "{told:?}");
    }
    assert!(store.fatal_error().is_some());
    assert!(fatal.has_changed().unwrap());
    assert_eq!(*fatal.borrow_and_update(), store.fatal_error());
    // The disk being well again changes nothing: what it lost is lost.
    disk.set_faults(Faults::default());
    assert!(matches!(accept(&store, message(5, 10, inbox)), Err(StoreError::Unavailable(_))));
    assert!(matches!(
        run(&store, store.expunge(inbox, &[first.uid], types::Timestamp::default())).unwrap(),
        Err(StoreError::Unavailable(_))
    ));
    // What was there before is still read.
    assert_eq!(count(&store, inbox), 1);
}

#[test]
fn a_log_that_cannot_be_cut_back_is_fatal() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    disk.set_faults(Faults {
        fail_writes: Some("/data/log".into()),
        fail_set_len: Some("/data/log".into()),
        ..Faults::default()
    });
    assert!(matches!(accept(&store, message(0, 10, inbox)), Err(StoreError::Unavailable(_))));
    assert!(store.fatal_error().is_some());
}

#[test]
fn a_failed_sync_of_a_body_file_is_fatal_and_leaves_no_message() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    disk.set_faults(Faults { fail_syncs: Some("/data/bodies".into()), ..Faults::default() });
    assert!(matches!(accept(&store, message(0, 2_000_000, inbox)), Err(StoreError::Unavailable(_))));
    assert!(store.fatal_error().is_some());
    let store = open(&killed(&disk));
    assert_eq!(count(&store, inbox), 0);
    assert!(store.check().unwrap().is_clean());
}

#[test]
fn a_view_that_cannot_be_written_is_healed_and_nothing_is_lost() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    for n in 0..20 {
        accept(&store, message(n, 1000, inbox)).unwrap();
    }
    assert_eq!(count(&store, inbox), 20);
    disk.set_faults(Faults { fail_syncs: Some("/data/view.redb".into()), ..Faults::default() });
    assert!(store.checkpoint().is_err());
    disk.set_faults(Faults { fail_writes: Some("/data/view.redb".into()), ..Faults::default() });
    let mut accepted = 20;
    for n in 20..40 {
        // What is said is kept, whatever becomes of the view.
        accepted += usize::from(accept(&store, message(n, 1000, inbox)).is_ok());
    }
    disk.set_faults(Faults::default());
    accept(&store, message(99, 10, inbox)).or_else(|_| accept(&store, message(99, 10, inbox))).unwrap();
    assert_eq!(count(&store, inbox), accepted + 1);
    store.checkpoint().unwrap();
    assert!(store.check().unwrap().is_clean());
    assert_eq!(store.fatal_error(), None);
}

#[test]
fn damage_in_the_middle_is_an_alarm_that_names_the_place() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    accept(&store, message(0, 100, inbox)).unwrap();
    let body_at = {
        let log = disk.content(&log(1)).unwrap();
        log.windows(100).position(|octets| octets == [b'a'; 100]).unwrap()
    };
    accept(&store, message(1, 100, inbox)).unwrap();
    let disk = killed(&disk);
    // The view's file goes, so that the start reads the whole log.
    store::embedded::disk::Disk::remove(&disk, Path::new("/data/view.redb")).unwrap();
    disk.damage(&log(1), body_at, b"X");
    let Err(StoreError::Damaged(text)) = Embedded::open(options(&disk)) else { panic!("it opened") };
    assert!(text.contains("segment 1 offset"), "{text}");
    // Nothing was cut away.
    assert!(disk.content(&log(1)).unwrap().windows(100).any(|octets| octets == [b'b'; 100]));
}

#[test]
fn a_torn_tail_is_cut_and_the_log_goes_on() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    accept(&store, message(0, 100, inbox)).unwrap();
    let asked = vec![store.accept(message(1, 5000, inbox)), store.accept(message(2, 5000, inbox))];
    commit(&store, asked);
    let disk = killed(&disk);
    let torn_at = disk.content(&log(1)).unwrap().windows(9).position(|octets| octets == [b'b'; 9]).unwrap();
    // The second of three records is torn, and the third, of the same write, is whole.
    disk.damage(&log(1), torn_at + 512, &[0; 512]);
    store::embedded::disk::Disk::remove(&disk, Path::new("/data/view.redb")).unwrap();
    let store = open(&disk);
    assert_eq!(count(&store, inbox), 1);
    accept(&store, message(3, 10, inbox)).unwrap();
    let store = open(&killed(&disk));
    assert_eq!(count(&store, inbox), 2);
    assert!(!store.knows(MailId::new(NOW, 2)));
}

#[test]
fn a_damaged_view_is_made_anew() {
    let disk = SimDisk::new();
    let store = Embedded::open(Options { segment_bytes: 8 * 1024, ..options(&disk) }).unwrap();
    let inbox = inbox(&store);
    let mut uids = Vec::new();
    for n in 0..60 {
        uids.push(accept(&store, message(n, 1000, inbox)).unwrap()[0].uid);
    }
    let (gone, left) = uids.split_at(50);
    run(&store, store.expunge(inbox, gone, types::Timestamp::default())).unwrap().unwrap();
    run(&store, store.store_flags(inbox, left, Flags::SEEN, Flags::NONE, None)).unwrap().unwrap();
    let settings = AccountSettings { quota_bytes: Some(17), ..AccountSettings::default() };
    let change = store::AccountChange::Settings(settings.clone());
    run(&store, store.change_account(store::AccountId(1), change)).unwrap().unwrap();
    let mut reclaimed = 0;
    while store.reclaim().unwrap() {
        reclaimed += 1;
    }
    assert!(reclaimed > 3, "{reclaimed}");
    let expected = run(&store, store.messages(inbox, None, 100)).unwrap().unwrap();
    let mailboxes = run(&store, store.mailboxes(store::AccountId(1))).unwrap().unwrap();
    store.checkpoint().unwrap();
    let mut random = Random::new(1);
    for case in 0..20 {
        let disk = killed(&disk);
        let size = disk.content(Path::new("/data/view.redb")).unwrap().len() as u64;
        if case == 0 {
            disk.damage(Path::new("/data/view.redb"), 0, &[0xff; 4096]);
        } else {
            let at = random.below(size / 4096) as usize * 4096;
            disk.damage(Path::new("/data/view.redb"), at, &[0xff; 4096]);
            if case % 2 == 0 {
                store::embedded::disk::Disk::remove(&disk, Path::new("/data/view.redb")).unwrap();
            }
        }
        // Damage in a page that the start does not read shows later, when it is read; never as wrong mail.
        let Ok(store) = Embedded::open(options(&disk)) else { panic!("case {case}: it did not open") };
        match run(&store, store.messages(inbox, None, 100)).unwrap() {
            Ok(entries) => assert_eq!(entries, expected, "case {case}"),
            Err(error) => {
                assert!(matches!(error, StoreError::Damaged(_)) && case % 2 == 1, "{case}: {error}")
            }
        }
        if case % 2 == 0 {
            assert_eq!(run(&store, store.mailboxes(store::AccountId(1))).unwrap().unwrap(), mailboxes);
            let account = run(&store, store.account("A@example.org")).unwrap().unwrap().unwrap();
            assert_eq!(account.settings, settings);
            assert!(store.check().unwrap().is_clean());
        }
    }
}

#[test]
fn the_check_names_what_is_damaged() {
    let disk = SimDisk::new();
    let store = open(&disk);
    let inbox = inbox(&store);
    accept(&store, message(0, 100, inbox)).unwrap();
    accept(&store, message(1, 2_000_000, inbox)).unwrap();
    accept(&store, message(2, 100, inbox)).unwrap();
    store.apply_pending().unwrap();
    assert!(store.check().unwrap().is_clean());
    let log_octets = disk.content(&log(1)).unwrap();
    let body_at = log_octets.windows(100).position(|octets| octets == [b'a'; 100]).unwrap();
    disk.damage(&log(1), body_at, b"X");
    disk.damage(Path::new("/data/bodies/0000000000000001"), 1_000_000, b"X");
    let texts: Vec<_> = store.check().unwrap().findings.into_iter().map(|finding| finding.text).collect();
    assert_eq!(texts.len(), 3, "{texts:?}");
    assert!(texts[0].contains("segment 1 offset"), "{texts:?}");
    assert!(texts[1].contains(&MailId::new(NOW, 0).to_string()), "{texts:?}");
    assert!(texts[2].contains("body file 0000000000000001"), "{texts:?}");
    // A reader is told, and gets no octet of a wrong body that fits one piece.
    let mut stream = run(&store, store.open(inbox, Uid(1))).unwrap().unwrap();
    assert!(matches!(run(&store, stream.next()).unwrap(), Err(StoreError::Damaged(_))));
}

#[test]
fn a_second_instance_refuses() {
    let disk = SimDisk::new();
    let store = open(&disk);
    assert!(matches!(Embedded::open(options(&disk)), Err(StoreError::InUse(_))));
    drop(store);
    open(&disk);
}

#[test]
fn a_damaged_segment_is_named_once_and_keeps_no_other_from_being_given_up() {
    let disk = SimDisk::new();
    let store = Embedded::open(Options { segment_bytes: 8 * 1024, ..options(&disk) }).unwrap();
    let inbox = inbox(&store);
    let uids: Vec<Uid> = (0..60).map(|n| accept(&store, message(n, 1000, inbox)).unwrap()[0].uid).collect();
    run(&store, store.expunge(inbox, &uids, types::Timestamp::default())).unwrap().unwrap();
    // What the first message's record says, of which nothing is needed any more.
    let octets = disk.content(&log(1)).unwrap();
    let body_at = octets.windows(100).position(|octets| octets == [b'a'; 100]).unwrap();
    disk.damage(&log(1), body_at - 8, &[0xff; 8]);
    let Err(StoreError::Damaged(text)) = store.reclaim() else { panic!("it is not noticed") };
    assert!(text.contains("segment 1 offset"), "{text}");
    let mut reclaimed = 0;
    while store.reclaim().unwrap() {
        reclaimed += 1;
    }
    assert!(reclaimed > 3, "{reclaimed}");
    assert!(disk.content(&log(1)).is_some());
}
