//! The queue of the embedded store over restarts, the loss of the view and the reclaiming of segments.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::path::Path;

use bytes::Bytes;
use store::embedded::{Drive, Embedded, Options};
use store::{
    Acceptance, Account, Body, Destination, Directory as _, Idempotency, Mailboxes as _, NewQueueItem, Next,
    Queue as _, QueueClaim, QueueItem, QueueState, QueueStatus, Settled, Settlement, Spool as _, Store as _,
    Uid,
};
use suite::dkim::key;
use suite::drive::{manual, reclaim_all};
use suite::fixture::fixture;
use suite::mail::{RECEIVED_AT, accept, acceptance, account, id, read_all, text};
use suite::queue::{
    LEASE, deferred, enqueue, full_state, gone, later, new_item, part, queued, read_queued, recipient, to,
    waits,
};
use types::Timestamp;
use types::directory::{DkimKeyState, SendAs};

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn small(folder: &Path) -> Options {
    Options { segment_bytes: 4096, body_file_bytes: 4000, drive: Drive::Manual, ..Options::at(folder) }
}

fn opened(options: &Options) -> Embedded {
    let store = Embedded::open(options.clone()).unwrap();
    let report = store.check().unwrap();
    assert!(report.is_clean(), "{report:?}");
    store
}

/// Opens the store again, without its view.
fn rebuilt(store: Embedded, options: &Options) -> Embedded {
    drop(store);
    std::fs::remove_file(options.path.join("view.redb")).unwrap();
    opened(options)
}

/// All that is in the queue, and what can be read of it.
fn contents(store: &Embedded) -> Vec<(QueueItem, Vec<u8>)> {
    let items = manual(store, store.queue_page(None, None, usize::MAX)).unwrap();
    items.into_iter().map(|item| (item.clone(), manual(store, read_queued(store, item.id)))).collect()
}

fn settle(store: &Embedded, settlement: Settlement) {
    let (settled, _) = manual(store, store.settle(vec![settlement], Vec::new())).unwrap();
    assert!(matches!(settled[0], Settled::Done { .. }), "{settled:?}");
}

fn item(store: &Embedded, mail: u64, n: u32) -> QueueItem {
    manual(store, store.queue_item(part(id(1, mail), n))).unwrap().unwrap()
}

/// Fills segments with messages of which nothing is left.
fn churn(store: &Embedded, test: u64, of: &Account, count: u64) {
    for n in 0..count {
        let done = manual(store, accept(store, id(test, n), &text(n, 2000), &[of.inbox])).unwrap();
        manual(store, store.expunge(of.inbox, &[done[0].uid], types::Timestamp::default())).unwrap();
    }
}

/// A queue with items in every state: never tried, tried, moved, held, one of several left, with a mailbox, large.
fn varied(store: &Embedded, owner: &Account) {
    let accept = |n: u64, size: usize, items: Vec<NewQueueItem>| {
        let acceptance =
            Acceptance { queue: items, ..acceptance(id(1, n), Body::Memory(vec![text(n, size)]), &[]) };
        manual(store, store.accept(acceptance)).unwrap();
        // So that little of any segment lives.
        churn(store, 200 + n, owner, 2);
    };
    accept(0, 300, vec![new_item("a.example", 5)]);
    accept(1, 300, vec![new_item("a.example", 3)]);
    settle(store, waits(&item(store, 1, 1), full_state()));
    accept(2, 300, vec![new_item("b.example", 3)]);
    let mut state = deferred(&item(store, 2, 1), 70);
    state.recipients[0].recipient = recipient("<x@moved.example>");
    let next = Next::Moves { destination: to("moved.example"), state };
    settle(store, Settlement { next, ..gone(&item(store, 2, 1)) });
    settle(store, waits(&item(store, 2, 1), deferred(&item(store, 2, 1), 90)));
    accept(3, 300, vec![new_item("b.example", 4)]);
    let mut held = item(store, 3, 1).state;
    held.status = QueueStatus::Held { reason: "later".into() };
    settle(store, waits(&item(store, 3, 1), held));
    accept(4, 300, vec![new_item("a.example", 1), new_item("b.example", 1), new_item("c.example", 1)]);
    settle(store, gone(&item(store, 4, 1)));
    settle(store, waits(&item(store, 4, 3), deferred(&item(store, 4, 3), 33)));
    let mut both = acceptance(id(1, 5), Body::Memory(vec![text(5, 300)]), &[owner.inbox]);
    both.queue = vec![new_item("a.example", 2), new_item("b.example", 2)];
    both.queue[1].header = Bytes::from_static(b"List-Id: <l.example>\r\n");
    manual(store, store.accept(both)).unwrap();
    settle(store, gone(&item(store, 5, 1)));
    accept(6, 5000, vec![new_item("large.example", 6)]);
    settle(store, waits(&item(store, 6, 1), deferred(&item(store, 6, 1), 66)));
    accept(7, 5000, vec![new_item("large.example", 7)]);
    settle(store, gone(&item(store, 7, 1)));
}

#[test]
fn the_queue_is_the_same_after_a_restart_without_the_view_and_after_every_segment_was_given_up() {
    let folder = folder();
    let options = small(folder.path());
    let mut store = opened(&options);
    // With nothing but INBOX, so that little of the first segment lives.
    let new =
        store::NewAccount { mailboxes: Vec::new(), ..store::NewAccount::new("a@example.org", RECEIVED_AT) };
    let owner = manual(&store, store.create_account(new)).unwrap();
    varied(&store, &owner);
    let expected = contents(&store);
    assert_eq!(expected.len(), 8);
    let figures = manual(&store, store.queue_figures()).unwrap();
    let destinations = manual(&store, store.queue_destinations(None, 100)).unwrap();
    let heads = manual(&store, store.destinations_due(later(1_000_000), None, 100)).unwrap();
    for round in 0..4 {
        drop(store);
        store = opened(&options);
        assert_eq!(contents(&store), expected);
        store = rebuilt(store, &options);
        assert_eq!(contents(&store), expected);
        assert_eq!(manual(&store, store.queue_figures()).unwrap(), figures);
        assert_eq!(manual(&store, store.queue_destinations(None, 100)).unwrap(), destinations);
        assert_eq!(manual(&store, store.destinations_due(later(1_000_000), None, 100)).unwrap(), heads);
        churn(&store, 10 + round, &owner, 12);
        assert!(reclaim_all(&store) > 2);
        assert!(store.check().unwrap().is_clean());
    }
    assert!(!folder.path().join("log/0000000001.log").exists());
    // And it can be worked off.
    for (item, _) in contents(&store) {
        settle(&store, gone(&item));
    }
    let uid = manual(&store, store.messages(owner.inbox, None, 9)).unwrap()[0].uid;
    assert!(manual(&store, read_all(&store, owner.inbox, uid)).ends_with(&text(5, 300)));
    assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), 0);
    let store = rebuilt(store, &options);
    assert_eq!(contents(&store), []);
    assert_eq!(manual(&store, store.queue_figures()).unwrap(), store::QueueFigures::default());
}

#[test]
fn what_is_gone_does_not_come_back_whatever_is_given_up_of_the_log() {
    let folder = folder();
    let options = small(folder.path());
    let mut store = opened(&options);
    let owner = manual(&store, account(&store, "a@example.org"));
    let mut n = 0;
    let mut left = Vec::new();
    for round in 0..12 {
        // Messages of three items, one of which goes at once, one after a while, and one stays long.
        for _ in 0..4 {
            let items = ["a.example", "b.example", "c.example"].map(|name| new_item(name, 0)).into();
            let body = Body::Memory(vec![text(n, 500)]);
            let queued = Acceptance { queue: items, ..acceptance(id(1, n), body, &[]) };
            manual(&store, store.accept(queued)).unwrap();
            settle(&store, gone(&item(&store, n, 1)));
            settle(&store, waits(&item(&store, n, 2), deferred(&item(&store, n, 2), 5)));
            settle(&store, waits(&item(&store, n, 3), deferred(&item(&store, n, 3), 9)));
            n += 1;
        }
        for old in n.saturating_sub(8)..n.saturating_sub(4) {
            settle(&store, gone(&item(&store, old, 2)));
        }
        if n >= 20 {
            for old in n - 20..n - 16 {
                settle(&store, gone(&item(&store, old, 3)));
            }
        }
        churn(&store, 100 + round, &owner, 3);
        reclaim_all(&store);
        left = contents(&store);
        store = rebuilt(store, &options);
        assert_eq!(contents(&store), left, "round {round}");
    }
    assert_eq!(left.len(), 4 + 16);
    assert!(!folder.path().join("log/0000000001.log").exists());
}

#[test]
fn a_report_whose_write_was_torn_takes_its_settlement_with_it() {
    let folder = folder();
    let options = Options { segment_bytes: 1 << 20, ..small(folder.path()) };
    let store = opened(&options);
    let owner = manual(&store, account(&store, "a@example.org"));
    for n in 0..2 {
        manual(&store, enqueue(&store, id(1, n), vec![new_item("a.example", 0)]));
    }
    let log = folder.path().join("log/0000000001.log");
    let before = std::fs::read(&log).unwrap();
    let settlements = vec![gone(&item(&store, 0, 1)), waits(&item(&store, 1, 1), full_state())];
    let report = |n: u64| acceptance(id(2, n), Body::Memory(vec![text(n, 600)]), &[owner.inbox]);
    manual(&store, store.settle(settlements, vec![report(0), report(1)])).unwrap();
    drop(store);
    let after = std::fs::read(&log).unwrap();
    let written = before.iter().zip(&after).rposition(|(a, b)| a != b).unwrap() + 1;
    let began = before.iter().zip(&after).position(|(a, b)| a != b).unwrap();
    let mut seen = [0; 2];
    for end in (began..written).step_by(32).chain([written]) {
        // What came to the disk before the power failed: the first part of the write.
        let mut torn = before.clone();
        torn[..end].copy_from_slice(&after[..end]);
        std::fs::write(&log, &torn).unwrap();
        std::fs::remove_file(folder.path().join("view.redb")).unwrap();
        let store = opened(&options);
        let reports = manual(&store, store.messages(owner.inbox, None, 9)).unwrap().len();
        let items = manual(&store, store.queue_page(None, None, 9)).unwrap();
        let revisions: Vec<u32> = items.iter().map(|item| item.revision).collect();
        match reports {
            0 => assert_eq!(revisions, [1, 1], "cut at {end}"),
            2 => assert_eq!(revisions, [2], "cut at {end}"),
            other => panic!("cut at {end}: {other} reports"),
        }
        seen[reports / 2] += 1;
        // The log goes on from there.
        manual(&store, enqueue(&store, id(1, 9), vec![new_item("a.example", 0)]));
        drop(opened_again(store, &options));
    }
    assert!(seen[0] > 30 && seen[1] > 0, "{seen:?}");
}

fn opened_again(store: Embedded, options: &Options) -> Embedded {
    drop(store);
    let store = opened(options);
    assert!(store.knows(id(1, 9)));
    store
}

#[test]
fn what_comes_and_goes_within_one_batch_leaves_nothing() {
    let folder = folder();
    let options = small(folder.path());
    let store = opened(&options);
    for (n, size) in [(0, 300), (1, 5000)] {
        let mut accept = queued(id(1, n), vec![new_item("a.example", 0), new_item("b.example", 0)]);
        accept.body = Body::Memory(vec![text(n, size)]);
        accept.claim = QueueClaim::ByCaller;
        let mut asked = Box::pin(store.accept(accept));
        let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
        assert!(asked.as_mut().poll(&mut cx).is_pending());
        // Committed, and not applied.
        store.commit_pending();
        let std::task::Poll::Ready(Ok(accepted)) = asked.as_mut().poll(&mut cx) else { panic!() };
        let [first, second] = &accepted.queue[..] else { panic!() };
        let deferred = waits(first, deferred(first, 3));
        for settlement in [deferred.clone(), Settlement { revision: 2, ..gone(first) }, gone(second)] {
            let mut asked = Box::pin(store.settle(vec![settlement], Vec::new()));
            assert!(asked.as_mut().poll(&mut cx).is_pending());
            store.commit_pending();
            let std::task::Poll::Ready(Ok((settled, _))) = asked.as_mut().poll(&mut cx) else { panic!() };
            assert!(matches!(settled[0], Settled::Done { .. }), "{settled:?}");
        }
    }
    store.apply_pending().unwrap();
    assert!(store.check().unwrap().is_clean());
    let stats = store.stats().unwrap();
    assert_eq!((stats.bodies, stats.log_live_bytes, stats.queue_waiting, stats.body_files), (0, 0, 0, 0));
    assert_eq!(std::fs::read_dir(folder.path().join("bodies")).unwrap().count(), 0);
    assert_eq!(contents(&rebuilt(store, &options)), []);
}

#[test]
fn a_restart_ends_all_claims() {
    let folder = folder();
    let options = small(folder.path());
    let store = opened(&options);
    let mut accept = queued(id(1, 0), vec![new_item("a.example", 0)]);
    accept.claim = QueueClaim::ByCaller;
    assert_eq!(manual(&store, store.accept(accept)).unwrap().queue.len(), 1);
    let claim =
        |store: &Embedded| manual(store, store.claim(&to("a.example"), later(0), 9, LEASE)).unwrap().len();
    assert_eq!(claim(&store), 0);
    drop(store);
    assert_eq!(claim(&opened(&options)), 1);
}

/// A folder that the last program of format 2 wrote: two accounts, a domain, an address that moved; eight messages of
/// which three have keys, one a file, and three are in both mailboxes; one flag; two messages expunged.
fn version_2() -> tempfile::TempDir {
    fixture("version-2")
}

fn is_as_version_2_left_it(store: &Embedded) -> Vec<Account> {
    let accounts = manual(store, store.accounts()).unwrap();
    let names: Vec<_> = accounts.iter().map(|a| a.name.as_str()).collect();
    assert_eq!(names, ["Ada@example.org", "b@example.org"]);
    assert_eq!(manual(store, store.domains()).unwrap().len(), 1);
    assert_eq!(manual(store, store.addresses()).unwrap()[0].address.to_string(), "moved@example.org");
    // From what that program printed.
    let expected = [
        vec![(1, 0, 1), (3, 2, 0), (4, 3, 0), (5, 4, 0), (6, 5, 0), (7, 6, 0)],
        vec![(1, 0, 0), (2, 3, 0), (3, 6, 0)],
    ];
    for (account, expected) in accounts.iter().zip(expected) {
        let entries = manual(store, store.messages(account.inbox, None, 100)).unwrap();
        let found: Vec<_> = entries.iter().map(|e| (e.uid, e.mail_id, e.flags.0)).collect();
        let wanted: Vec<_> = expected.iter().map(|(uid, n, flags)| (Uid(*uid), id(0, *n), *flags)).collect();
        assert_eq!(found, wanted);
        for (entry, (_, n, _)) in entries.iter().zip(expected) {
            let size = if n == 5 { 4000 } else { 900 };
            let body = Bytes::from(vec![b'a' + u8::try_from(n).unwrap(); size]);
            assert!(manual(store, read_all(store, account.inbox, entry.uid)).ends_with(&body));
        }
    }
    for n in 0..3 {
        let mut again = acceptance(id(0, 50 + n), Body::Memory(Vec::new()), &[accounts[0].inbox]);
        let expires_at = Timestamp::from_millis(RECEIVED_AT.millis() + 9);
        again.idempotency =
            Some(Idempotency { account: accounts[0].id, key: format!("key {n}"), expires_at });
        let told = manual(store, store.accept(again)).unwrap();
        assert_eq!((told.mail_id, told.repeated), (id(0, n), true));
    }
    accounts
}

#[test]
fn a_folder_of_format_2_is_read_upgraded_and_used_on() {
    let folder = version_2();
    let options = small(folder.path());
    let store = opened(&options);
    assert_eq!(std::fs::read_to_string(folder.path().join("format")).unwrap(), "posta-store 5\n");
    let accounts = is_as_version_2_left_it(&store);
    // Records of both versions stand side by side, and those of the old one move to the new.
    manual(&store, enqueue(&store, id(1, 0), vec![new_item("a.example", 0)]));
    let expected = contents(&store);
    churn(&store, 9, &accounts[1], 12);
    let before = store.stats().unwrap();
    let store = rebuilt(store, &options);
    assert!(reclaim_all(&store) > 2, "{before:?}");
    let store = rebuilt(store, &options);
    assert_eq!(contents(&store), expected);
    is_as_version_2_left_it(&store);
}

/// In a folder that a program of format 3 wrote (`posta dev`, `posta send`): an account with its message, and a message for another
/// host that has refused the connection once.
fn is_as_version_3_left_it(store: &Embedded) -> Account {
    let accounts = manual(store, store.accounts()).unwrap();
    let [account] = &accounts[..] else { panic!("{accounts:?}") };
    assert_eq!(
        (account.name.as_str(), &account.settings.send_as[..]),
        ("dev@localhost", &[SendAs::Anyone][..])
    );
    let entries = manual(store, store.messages(account.inbox, None, 9)).unwrap();
    assert_eq!(entries[0].mail_id.to_string(), "06H09FA0SZSBY9ZQB1MG");
    assert!(
        manual(store, read_all(store, account.inbox, entries[0].uid)).ends_with(b"\r\n\r\nOne line.\r\n")
    );
    let waiting = contents(store);
    let (item, body) = &waiting[0];
    assert_eq!(
        (item.id.to_string().as_str(), item.destination.as_str()),
        ("06H09FA17T5E05YZB5X8.1", "to.example")
    );
    assert_eq!((item.state.attempts, item.state.recipients.len()), (1, 1));
    assert!(body.ends_with(b"\r\n\r\nIt waits.\r\n"));
    account.clone()
}

#[test]
fn a_folder_of_format_3_is_read_upgraded_and_used_on() {
    let folder = fixture("version-3");
    let options = small(folder.path());
    let store = opened(&options);
    assert_eq!(std::fs::read_to_string(folder.path().join("format")).unwrap(), "posta-store 5\n");
    let account = is_as_version_3_left_it(&store);
    // What that format did not know, and what was there, beside each other.
    let keys = vec![key("example.org", "a", DkimKeyState::Active, 1)];
    manual(&store, store.put_dkim_keys(keys.clone())).unwrap();
    churn(&store, 9, &account, 12);
    let store = rebuilt(store, &options);
    assert!(reclaim_all(&store) > 2);
    let store = rebuilt(store, &options);
    is_as_version_3_left_it(&store);
    assert_eq!(manual(&store, store.all_dkim_keys()).unwrap(), keys);
}

/// Many destinations that come and go: what the queue keeps of them goes, too.
#[test]
fn destinations_that_are_done_leave_nothing() {
    let folder = folder();
    let options = Options { segment_bytes: 1 << 20, ..small(folder.path()) };
    let store = opened(&options);
    for round in 0..5_u64 {
        for n in 0..50 {
            let name = format!("d{n}.r{round}.example");
            manual(&store, enqueue(&store, id(1, round << 8 | n), vec![new_item(&name, n)]));
            store.apply_pending().unwrap();
        }
        assert_eq!(manual(&store, store.queue_figures()).unwrap().destinations, 50);
        let heads = manual(&store, store.destinations_due(later(100), None, 100)).unwrap();
        let names: Vec<Destination> = (0..50).map(|n| to(&format!("d{n}.r{round}.example"))).collect();
        assert_eq!(heads.into_iter().map(|(_, name)| name).collect::<Vec<_>>(), names);
        let items = manual(&store, store.queue_page(None, None, 100)).unwrap();
        manual(&store, store.settle(items.iter().map(gone).collect(), Vec::new())).unwrap();
        assert!(store.check().unwrap().is_clean());
    }
    assert_eq!(manual(&store, store.queue_destinations(None, 9)).unwrap(), []);
}

#[test]
fn a_damaged_item_does_not_hold_up_those_beside_it() {
    // attacks.md 23 and 26.
    let folder = folder();
    let options = small(folder.path());
    let store = opened(&options);
    for n in 0..4 {
        let mut new = new_item("a.example", n);
        new.recipients = vec![recipient(&format!("<to-number-{n}@a.example>"))];
        manual(&store, enqueue(&store, id(1, n), vec![new]));
    }
    drop(store);
    for entry in std::fs::read_dir(folder.path().join("log")).unwrap() {
        let path = entry.unwrap().path();
        let mut octets = std::fs::read(&path).unwrap();
        let name = b"to-number-0@";
        let places = octets.windows(name.len()).enumerate();
        let places: Vec<_> = places.filter(|(_, octets)| octets == name).map(|(at, _)| at).collect();
        places.into_iter().for_each(|at| octets[at] ^= 0x20);
        std::fs::write(&path, octets).unwrap();
    }
    let store = Embedded::open(options).unwrap();
    let damaged = manual(&store, store.queue_item(part(id(1, 0), 1)));
    assert!(matches!(damaged, Err(store::StoreError::Damaged(_))), "{damaged:?}");
    // One at a time: the damaged one would come first each time.
    let mut claimed = Vec::new();
    for _ in 0..4 {
        claimed.extend(manual(&store, store.claim(&to("a.example"), later(100), 1, LEASE)).unwrap());
    }
    let numbers: Vec<_> = claimed.iter().map(|item| item.id).collect();
    assert_eq!(numbers, [1, 2, 3].map(|n| part(id(1, n), 1)));
    // Nor does a page end with it.
    let page = manual(&store, store.queue_page(Some(&to("a.example")), None, 2)).unwrap();
    assert_eq!(page.len(), 2);
    assert_eq!(manual(&store, store.queue_page(None, None, 100)).unwrap().len(), 3);
    // It is known by name, and can be taken away.
    assert_eq!(manual(&store, store.queue_items_of(id(1, 0))).unwrap(), []);
    assert_eq!(manual(&store, store.damaged_items_of(id(1, 1))).unwrap(), []);
    let damaged = manual(&store, store.damaged_items_of(id(1, 0))).unwrap().remove(0);
    assert_eq!((damaged.id, &damaged.destination), (part(id(1, 0), 1), &to("a.example")));
    assert!(!damaged.why.is_empty());
    let before = store.check().unwrap().findings;
    let gone = Settlement { id: damaged.id, revision: damaged.revision, next: Next::Gone };
    let (settled, _) = manual(&store, store.settle(vec![gone], Vec::new())).unwrap();
    assert!(matches!(settled[..], [Settled::Done { .. }]), "{settled:?}");
    assert_eq!(manual(&store, store.damaged_items_of(id(1, 0))).unwrap(), []);
    assert_eq!(manual(&store, store.queue_figures()).unwrap().waiting, 3);
    // The record stands in the log as it is, and nothing else became wrong.
    let after = store.check().unwrap().findings;
    assert!(!after.is_empty() && after.len() <= before.len(), "{before:?}, then {after:?}");
}

#[test]
fn what_is_due_later_than_a_time_is_found_without_what_is_held() {
    let folder = folder();
    let store = opened(&small(folder.path()));
    for n in 0..6 {
        manual(&store, enqueue(&store, id(1, n), vec![new_item("a.example", n * 10)]));
    }
    let held = manual(&store, store.queue_item(part(id(1, 4), 1))).unwrap().unwrap();
    let status = QueueStatus::Held { reason: "looked at".to_owned() };
    let state = QueueState { status, ..held.state };
    let hold = Settlement { id: held.id, revision: held.revision, next: Next::Waits(state) };
    manual(&store, store.settle(vec![hold], Vec::new())).unwrap();
    let due = new_item("a.example", 20).due_at;
    let (ahead, next) = manual(&store, store.queue_ahead(due, None)).unwrap();
    assert_eq!((ahead, next), (vec![part(id(1, 3), 1), part(id(1, 5), 1)], None));
    let (ahead, _) = manual(&store, store.queue_ahead(due, Some(part(id(1, 3), 1)))).unwrap();
    assert_eq!(ahead, [part(id(1, 5), 1)]);
}
