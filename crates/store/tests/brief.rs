//! What is accepted by who is at work on it, and gone soon after: nobody waits for the view because of it, and who asks
//! for it is told the truth.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use store::embedded::{Drive, Embedded, Options};
use store::{Accepted, Mailboxes as _, Queue as _, QueueClaim, QueueItem, Settled, Settlement, Spool as _};
use store::{Directory as _, Store as _};
use suite::drive::manual;
use suite::mail::{accept, account, id, text};
use suite::queue::{LEASE, deferred, enqueue, gone, later, new_item, part, queued, to, waits};
use types::MailId;

fn opened() -> (Embedded, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { drive: Drive::Manual, ..Options::at(folder.path()) };
    (Embedded::open(options).unwrap(), folder)
}

/// What is answered without that anything is committed or applied; none where that is waited for.
fn at_once<T>(asked: impl Future<Output = T>) -> Option<T> {
    match std::pin::pin!(asked).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(answer) => Some(answer),
        Poll::Pending => None,
    }
}

/// Commits something and leaves the view as it is.
fn committed<T>(store: &Embedded, asked: impl Future<Output = T>) -> T {
    let mut asked: Pin<Box<dyn Future<Output = T> + '_>> = Box::pin(asked);
    let mut context = Context::from_waker(Waker::noop());
    assert!(asked.as_mut().poll(&mut context).is_pending());
    store.commit_pending();
    match asked.as_mut().poll(&mut context) {
        Poll::Ready(answer) => answer,
        Poll::Pending => panic!("it waits for the view"),
    }
}

/// An item for `a.example` whose acceptance is at work on it.
fn at_work(store: &Embedded, mail_id: MailId) -> QueueItem {
    let acceptance =
        store::Acceptance { claim: QueueClaim::ByCaller, ..queued(mail_id, vec![new_item("a.example", 0)]) };
    let Accepted { mut queue, .. } = committed(store, store.accept(acceptance)).unwrap();
    queue.remove(0)
}

fn settle(store: &Embedded, settlement: Settlement) {
    let (settled, _) = committed(store, store.settle(vec![settlement], Vec::new())).unwrap();
    assert!(matches!(settled[..], [Settled::Done { .. }]), "{settled:?}");
}

/// Names of the destinations that have something due.
async fn due(store: &Embedded) -> Vec<String> {
    let due = store.destinations_due(later(1000), None, 10).await.unwrap();
    due.into_iter().map(|(_, destination)| destination.to_string()).collect()
}

#[test]
fn who_looks_for_work_does_not_wait_for_what_somebody_is_at_work_on() {
    let (store, _folder) = opened();
    let item = at_work(&store, id(1, 1));
    assert_eq!(at_once(due(&store)).unwrap(), [""; 0]);
    settle(&store, gone(&item));
    let next = at_work(&store, id(1, 2));
    assert_eq!(at_once(due(&store)).unwrap(), [""; 0]);
    assert_eq!(at_once(store.next_due(later(0))).unwrap(), Ok(None));
    assert_eq!(at_once(store.claim(&to("a.example"), later(1000), 9, LEASE)).unwrap(), Ok(Vec::new()));
    let stats = store.stats().unwrap();
    assert!(stats.applied_position < stats.log_position, "nothing was applied");
    // What is put off is another matter.
    settle(&store, waits(&next, deferred(&next, 3)));
    assert_eq!(at_once(due(&store)), None);
    assert_eq!(manual(&store, due(&store)), ["a.example"]);
}

#[test]
fn what_is_given_back_at_once_is_found_by_who_looks_next() {
    for looks_first in [true, false] {
        let (store, _folder) = opened();
        let item = at_work(&store, id(1, 1));
        store.release(&[item.id]);
        assert_eq!(at_once(due(&store)), None);
        if looks_first {
            assert_eq!(manual(&store, due(&store)), ["a.example"]);
        }
        let claimed = manual(&store, store.claim(&to("a.example"), later(0), 9, LEASE)).unwrap();
        assert_eq!(claimed, [item]);
    }
}

#[test]
fn what_nobody_waits_for_any_more_when_it_is_accepted_is_found_by_who_looks_next() {
    for gives_up_first in [true, false] {
        let (store, _folder) = opened();
        let item = new_item("a.example", 0);
        let acceptance =
            store::Acceptance { claim: QueueClaim::ByCaller, ..queued(id(1, 1), vec![item.clone()]) };
        let report = store::Acceptance { claim: QueueClaim::ByCaller, ..queued(id(1, 2), vec![item]) };
        let mut asked: Vec<Pin<Box<dyn Future<Output = bool> + '_>>> = vec![
            Box::pin(async { store.accept(acceptance).await.is_ok() }),
            Box::pin(async { store.settle(Vec::new(), vec![report]).await.is_ok() }),
        ];
        for asked in &mut asked {
            assert!(asked.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        }
        if gives_up_first {
            asked.clear();
        }
        assert_eq!(store.commit_pending(), 2);
        drop(asked);
        let claimed = manual(&store, store.claim(&to("a.example"), later(0), 9, LEASE)).unwrap();
        assert_eq!(claimed.len(), 2, "gives up first: {gives_up_first}");
    }
}

#[test]
fn what_is_refused_gives_back_no_claim_of_who_came_before() {
    let (store, _folder) = opened();
    let item = at_work(&store, id(1, 1));
    let acceptance =
        store::Acceptance { claim: QueueClaim::ByCaller, ..queued(id(1, 1), vec![new_item("a.example", 0)]) };
    assert!(committed(&store, store.accept(acceptance)).is_err());
    store.apply_pending().unwrap();
    assert_eq!(manual(&store, store.claim(&item.destination, later(0), 9, LEASE)).unwrap(), []);
}

#[test]
fn to_give_back_what_is_settled_makes_nobody_wait() {
    let (store, _folder) = opened();
    let item = at_work(&store, id(1, 1));
    settle(&store, gone(&item));
    store.release(&[item.id]);
    assert_eq!(at_once(due(&store)).unwrap(), [""; 0]);
}

#[test]
fn what_was_seen_to_wait_is_not_seen_any_more_when_it_is_gone() {
    let (store, _folder) = opened();
    let item = at_work(&store, id(1, 1));
    store.apply_pending().unwrap();
    assert_eq!(at_once(due(&store)).unwrap(), ["a.example"]);
    settle(&store, gone(&item));
    assert_eq!(at_once(due(&store)), None);
    assert_eq!(manual(&store, due(&store)), [""; 0]);
    // The same after a change that the view does not have.
    let item = at_work(&store, id(1, 2));
    settle(&store, waits(&item, deferred(&item, 3)));
    store.apply_pending().unwrap();
    let item = at_once(store.queue_item(item.id)).unwrap().unwrap().unwrap();
    settle(&store, waits(&item, deferred(&item, 4)));
    settle(&store, Settlement { revision: 3, ..gone(&item) });
    assert_eq!(manual(&store, due(&store)), [""; 0]);
}

#[test]
fn what_waited_before_a_restart_is_not_seen_any_more_when_it_is_gone() {
    let (store, folder) = opened();
    manual(&store, enqueue(&store, id(1, 1), vec![new_item("a.example", 0)]));
    drop(store);
    let options = Options { drive: Drive::Manual, ..Options::at(folder.path()) };
    let store = Embedded::open(options).unwrap();
    let item = at_once(store.queue_item(part(id(1, 1), 1))).unwrap().unwrap().unwrap();
    settle(&store, gone(&item));
    assert_eq!(manual(&store, due(&store)), [""; 0]);
}

#[test]
fn one_message_is_read_without_waiting_for_others() {
    let (store, _folder) = opened();
    let old = part(id(1, 1), 1);
    manual(&store, enqueue(&store, old.mail_id, vec![new_item("b.example", 5)]));
    store.apply_pending().unwrap();
    let new = at_work(&store, id(1, 2)).id;
    let is_read = |item: store::QueueItemId| {
        let asked = [
            at_once(store.queue_item(item)).map(|found| found.unwrap().is_some()),
            at_once(store.queue_items_of(item.mail_id)).map(|found| !found.unwrap().is_empty()),
            at_once(store.open_queued(item)).map(|found| found.is_ok()),
            at_once(store.envelope(item.mail_id)).map(|found| found.unwrap().is_some()),
        ];
        assert!(asked.windows(2).all(|pair| pair[0] == pair[1]), "{asked:?}");
        asked[0]
    };
    assert_eq!((is_read(old), is_read(new)), (Some(true), None));
    assert!(store.knows(old.mail_id) && store.knows(new.mail_id));
    store.apply_pending().unwrap();
    assert_eq!((is_read(old), is_read(new)), (Some(true), Some(true)));
    // What is settled is not read as it was.
    let item = at_once(store.queue_item(old)).unwrap().unwrap().unwrap();
    settle(&store, gone(&item));
    assert_eq!((is_read(old), is_read(new)), (None, Some(true)));
    store.apply_pending().unwrap();
    assert_eq!((is_read(old), is_read(new)), (Some(false), Some(true)));
    assert!(!store.knows(old.mail_id) && store.knows(new.mail_id));
}

#[test]
fn what_was_gone_before_the_view_had_it_is_not_known_any_more() {
    let (store, _folder) = opened();
    let item = at_work(&store, id(1, 1));
    settle(&store, gone(&item));
    store.apply_pending().unwrap();
    assert!(!store.knows(item.id.mail_id));
}

#[test]
fn of_a_message_that_was_removed_nobody_reads_the_envelope() {
    let (store, _folder) = opened();
    let owner = manual(&store, account(&store, "ada@example.org"));
    let message = |n| manual(&store, accept(&store, id(1, n), &text(n, 300), &[owner.inbox])).unwrap()[0].uid;
    let uid = message(1);
    message(2);
    store.apply_pending().unwrap();
    committed(&store, store.expunge(owner.inbox, &[uid], types::Timestamp::default())).unwrap();
    assert_eq!(manual(&store, store.envelope(id(1, 1))).unwrap(), None);
    committed(&store, store.remove_account(owner.id)).unwrap();
    assert_eq!(manual(&store, store.envelope(id(1, 2))).unwrap(), None);
}
