//! Flags of many messages that are changed again before the view has them, and what is left of them in the log.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::future::Future;
use std::sync::Arc;

use bytes::Bytes;
use store::embedded::{Drive, Embedded, Options};
use store::{
    Body, Change, Directory as _, Flagging, Flags, FlagsStored, MailboxId, Mailboxes as _, ModSeq,
    NewAccount, Spool as _, Transfer, Uid,
};
use suite::drive::{manual, reclaim_all};
use suite::known::Known;
use suite::mail::{RECEIVED_AT, acceptance, id, read_all, text};

const COUNT: u32 = 40;

/// Commits what is asked; the view stays behind.
fn committed<T>(store: &Embedded, asked: impl Future<Output = T>) -> T {
    let mut asked = std::pin::pin!(asked);
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    for _ in 0..8 {
        if let std::task::Poll::Ready(value) = asked.as_mut().poll(&mut cx) {
            return value;
        }
        store.commit_pending();
    }
    panic!("it needs the view");
}

fn flag(store: &Embedded, inbox: MailboxId, uids: &[Uid], add: Flags, remove: Flags) -> FlagsStored {
    committed(store, store.store_flags(inbox, uids, add, remove, None)).unwrap()
}

fn options(folder: &std::path::Path) -> Options {
    Options { segment_bytes: 8 * 1024, drive: Drive::Manual, ..Options::at(folder) }
}

fn seen(store: &Embedded, mailbox: MailboxId) -> Vec<(Uid, Flags, ModSeq)> {
    let entries = manual(store, store.messages(mailbox, None, 1000)).unwrap();
    entries.iter().map(|entry| (entry.uid, entry.flags, entry.modseq)).collect()
}

#[test]
fn flags_that_the_view_does_not_have_yet_are_what_the_next_change_begins_with() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let account = NewAccount::new("flags@example.org", RECEIVED_AT);
    let owner = manual(&store, store.create_account(account)).unwrap();
    let inbox = owner.inbox;
    let to = manual(&store, store.create_mailbox(owner.id, "To", None, RECEIVED_AT)).unwrap().id;
    for n in 0..u64::from(COUNT) {
        let mut message = acceptance(id(1, n), Body::Memory(vec![text(n, 100)]), &[inbox]);
        message.deliveries[0].header = Bytes::from(format!("X-Number: {n}\r\n"));
        committed(&store, store.accept(message)).unwrap();
    }
    let all: Vec<Uid> = (1..=COUNT + 3).map(Uid).collect();
    let first = flag(&store, inbox, &all, Flags::SEEN, Flags::NONE).changed;
    assert_eq!(first.len(), COUNT as usize);
    let alone = flag(&store, inbox, &[Uid(3)], Flags::FLAGGED, Flags::NONE).changed;
    assert_eq!(alone.find(Uid(3)), Some(Flags::SEEN.with(Flags::FLAGGED)));
    assert_eq!(flag(&store, inbox, &all, Flags::SEEN, Flags::NONE), FlagsStored::default());
    let since = Some(first.modseq);
    let asked = store.store_flags(inbox, &all, Flags::ANSWERED, Flags::NONE, since);
    let stored = committed(&store, asked).unwrap();
    assert_eq!((stored.changed.len(), &stored.modified[..]), (COUNT as usize - 1, &[Uid(3)][..]));
    // One that goes is not flagged any more; one that is copied takes its flags and fields along.
    committed(&store, store.expunge(inbox, &[Uid(5)], RECEIVED_AT)).unwrap();
    let pair = [Uid(3), Uid(4)];
    committed(&store, store.transfer(inbox, &pair, to, Transfer::Copy, RECEIVED_AT)).unwrap();
    let mut last = flag(&store, inbox, &all, Flags::NONE, Flags::SEEN).changed;
    assert!(last.len() == COUNT as usize - 1 && last.find(Uid(5)).is_none());
    // More changes than are kept as lists.
    for round in 0..40 {
        let (add, remove) =
            if round % 2 == 0 { (Flags::DELETED, Flags::NONE) } else { (Flags::NONE, Flags::DELETED) };
        last = flag(&store, inbox, &all, add, remove).changed;
        assert_eq!(last.len(), COUNT as usize - 1, "round {round}");
        if round == 30 {
            store.apply_pending().unwrap();
        }
    }
    let expected: Vec<_> = last.iter().map(|(uid, flags)| (uid, flags, last.modseq)).collect();
    let flags_of = |uid: u32| expected.iter().find(|(of, ..)| *of == Uid(uid)).unwrap().1;
    assert_eq!((flags_of(3), flags_of(4)), (Flags::FLAGGED, Flags::ANSWERED));
    let copied = [Flags::SEEN.with(Flags::FLAGGED), Flags::SEEN.with(Flags::ANSWERED)];
    let is_right = |store: &Embedded| {
        assert_eq!(seen(store, inbox), expected);
        assert_eq!(seen(store, to).iter().map(|(_, flags, _)| *flags).collect::<Vec<_>>(), copied);
        assert!(manual(store, read_all(store, to, Uid(2))).starts_with(b"X-Number: 3\r\n"));
        assert!(store.check().unwrap().is_clean());
    };
    is_right(&store);
    drop(store);
    // The log alone says the same.
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    is_right(&Embedded::open(options(folder.path())).unwrap());
}

#[test]
fn messages_that_lie_far_apart_are_flagged_as_those_that_follow_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let account = NewAccount::new("apart@example.org", RECEIVED_AT);
    let inbox = manual(&store, store.create_account(account)).unwrap().inbox;
    let message = |n: u64| acceptance(id(2, n), Body::Memory(vec![text(n, 10)]), &[inbox]);
    for from in [0, 200, 400] {
        committed(&store, store.append((from..from + 200).map(message).collect(), None)).unwrap();
    }
    let gone: Vec<Uid> = (1..=600).filter(|uid| uid % 7 == 0).map(Uid).collect();
    manual(&store, store.expunge(inbox, &gone, RECEIVED_AT)).unwrap();
    for step in [1, 2, 15, 16, 17, 18, 50, 599] {
        let uids: Vec<Uid> = (1..=600).step_by(step).map(Uid).collect();
        let there: Vec<Uid> = uids.iter().copied().filter(|uid| uid.0 % 7 != 0).collect();
        for (add, remove) in [(Flags::FLAGGED, Flags::NONE), (Flags::NONE, Flags::FLAGGED)] {
            let changed = manual(&store, store.store_flags(inbox, &uids, add, remove, None)).unwrap().changed;
            assert!(changed.iter().map(|(uid, _)| uid).eq(there.iter().copied()), "each {step}");
        }
    }
    assert_eq!(flag(&store, inbox, &[], Flags::SEEN, Flags::NONE), FlagsStored::default());
}

#[test]
fn a_segment_with_short_records_of_flags_of_many_messages_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let account = NewAccount::new("short@example.org", RECEIVED_AT);
    let inbox = manual(&store, store.create_account(account)).unwrap().inbox;
    let message = |n: u64| acceptance(id(3, n), Body::Memory(vec![text(n, 10)]), &[inbox]);
    manual(&store, store.append((0..300).map(message).collect(), None)).unwrap();
    let uids: Vec<Uid> = (1..=300).map(Uid).collect();
    let newest = || std::fs::read_dir(folder.path().join("log")).unwrap().map(|f| f.unwrap().path()).max();
    let toggle = |uids: &[Uid], times: u32| {
        for n in 0..times {
            let (add, remove) =
                if n % 2 == 0 { (Flags::FLAGGED, Flags::NONE) } else { (Flags::NONE, Flags::FLAGGED) };
            manual(&store, store.store_flags(inbox, uids, add, remove, None)).unwrap();
        }
    };
    // A segment of its own, or nearly: then what is of no use, until the next.
    let before = newest();
    while newest() == before {
        toggle(&[Uid(300)], 2);
    }
    toggle(&uids[..299], 3);
    let flagged = newest().unwrap();
    while newest().as_ref() == Some(&flagged) {
        toggle(&[Uid(300)], 2);
    }
    toggle(&[Uid(300)], 2);
    let expected = seen(&store, inbox);
    assert!(expected[..299].iter().all(|(_, flags, _)| *flags == Flags::FLAGGED));
    reclaim_all(&store);
    assert!(!flagged.exists());
    assert!(store.check().unwrap().is_clean());
    drop(store);
    // The log alone says the same.
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    assert_eq!(seen(&Embedded::open(options(folder.path())).unwrap(), inbox), expected);
}

#[test]
fn who_knows_the_mailbox_is_believed_as_long_as_nothing_changed_since() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(options(folder.path())).unwrap();
    let account = NewAccount::new("known@example.org", RECEIVED_AT);
    let owner = manual(&store, store.create_account(account)).unwrap();
    let inbox = owner.inbox;
    let message = |n: u64| acceptance(id(4, n), Body::Memory(vec![text(n, 10)]), &[inbox]);
    committed(&store, store.append((0..u64::from(COUNT)).map(message).collect(), None)).unwrap();
    manual(&store, store.expunge(inbox, &[Uid(7)], RECEIVED_AT)).unwrap();
    let all: Vec<Uid> = (1..=COUNT + 3).map(Uid).collect();
    let flag_known = |known: &Arc<Known>, add: Flags, since: Option<ModSeq>| {
        let asked = store.store_flags_of(inbox, &all, (add, Flags::NONE), since, Arc::clone(known) as _);
        committed(&store, asked).unwrap()
    };
    let watch = store.watch(owner.id);
    let known = manual(&store, Known::of(&store, inbox));
    // What it says of one is not so, which shows who was asked.
    let mut wrong = Known::clone(&known);
    wrong.messages.insert(Uid(3), (Flags::SEEN, known.modseq));
    let first = flag_known(&Arc::new(wrong), Flags::SEEN, None).changed;
    let there: Vec<Uid> = known.messages.keys().copied().collect();
    assert_eq!((there.len(), there.contains(&Uid(7))), (COUNT as usize - 1, false));
    let changed = |change: &Flagging| change.iter().map(|(uid, _)| uid).collect::<Vec<_>>();
    assert!(changed(&first).iter().eq(there.iter().filter(|uid| **uid != Uid(3))));
    assert_eq!(watch.take(), [Change::Flags { mailbox: inbox, change: first.clone() }]);
    // The same is too old now, whether the view has what came or not.
    assert_eq!(changed(&flag_known(&known, Flags::SEEN, None).changed), [Uid(3)]);
    store.apply_pending().unwrap();
    assert_eq!(flag_known(&known, Flags::SEEN, None), FlagsStored::default());
    // Of what changed later nothing is changed.
    let newest = manual(&store, Known::of(&store, inbox));
    let stored = flag_known(&newest, Flags::FLAGGED, Some(first.modseq));
    assert_eq!((stored.changed.len(), &stored.modified[..]), (there.len() - 1, &[Uid(3)][..]));
    // What went after it was known is not flagged.
    let newest = manual(&store, Known::of(&store, inbox));
    committed(&store, store.expunge(inbox, &[Uid(5)], RECEIVED_AT)).unwrap();
    let last = flag_known(&newest, Flags::ANSWERED, None).changed;
    assert!(changed(&last).iter().eq(there.iter().filter(|uid| **uid != Uid(5))));
    let expected: Vec<_> = last.iter().map(|(uid, flags)| (uid, flags, last.modseq)).collect();
    assert_eq!(seen(&store, inbox), expected);
    drop(store);
    // The log alone says the same.
    std::fs::remove_file(folder.path().join("view.redb")).unwrap();
    assert_eq!(seen(&Embedded::open(options(folder.path())).unwrap(), inbox), expected);
}

#[test]
fn nobody_is_told_of_the_mailbox_that_keeps_what_was_expunged_whatever_its_keywords_are() {
    let folder = tempfile::tempdir().unwrap();
    let store = Embedded::open(Options { keep_expunged: true, ..options(folder.path()) }).unwrap();
    let account = NewAccount::new("kept@example.org", RECEIVED_AT);
    let owner = manual(&store, store.create_account(account)).unwrap();
    let inbox = owner.inbox;
    committed(&store, store.accept(acceptance(id(5, 0), Body::Memory(vec![text(0, 10)]), &[inbox]))).unwrap();
    manual(&store, store.add_keywords(inbox, &["$Label".to_owned()])).unwrap();
    flag(&store, inbox, &[Uid(1)], Flags::keyword(0).unwrap(), Flags::NONE);
    let watch = store.watch(owner.id);
    manual(&store, store.expunge(inbox, &[Uid(1)], RECEIVED_AT)).unwrap();
    assert_eq!(manual(&store, store.expunged(owner.id)).unwrap().len(), 1);
    let told = watch.take();
    assert!(matches!(&told[..], [Change::Gone { mailbox, .. }] if *mailbox == inbox), "{told:?}");
}
