//! The queue: what waits, who has it, what becomes of it.

use std::time::Duration;

use bytes::Bytes;
use store::{
    Acceptance, Accepted, Body, Destination, Idempotency, LastWord, NewQueueItem, Next, QueueClaim,
    QueueItem, QueueItemId, QueueState, QueueStatus, Settled, Settlement, Store, StoreError,
};
use types::{EnhancedStatus, EnvelopeRecipient, MailId, Notify, RecipientDsn, ReversePath, Timestamp};

use super::mail::{RECEIVED_AT, acceptance, account, envelope, id, join_all, text};

pub const LEASE: Duration = Duration::from_secs(3600);

pub async fn run_all(store: &dyn Store) {
    what_waits_is_claimed_once_the_longest_due_first(store).await;
    a_claim_ends_when_it_is_given_back_or_its_time_is_over(store).await;
    who_accepts_has_what_is_due_at_once(store).await;
    a_settlement_of_an_item_that_has_changed_is_fenced(store).await;
    what_waits_on_keeps_all_that_was_said_of_it(store).await;
    an_item_that_is_gone_takes_its_message_with_it(store).await;
    a_message_lives_while_a_mailbox_or_an_item_refers_to_it(store).await;
    a_held_item_is_not_due_until_it_is_released(store).await;
    an_item_that_moves_waits_elsewhere(store).await;
    a_report_comes_with_its_settlement_or_not_at_all(store).await;
    destinations_are_due_in_order_however_many_items_they_have(store).await;
    pages_show_every_item_once(store).await;
    the_message_is_read_with_the_header_of_its_item(store).await;
    a_key_is_known_of_a_message_that_only_waits(store).await;
    what_cannot_be_is_refused(store).await;
    many_at_once_are_each_sent_once(store).await;
}

pub fn later(millis: u64) -> Timestamp {
    Timestamp::from_millis(RECEIVED_AT.millis() + millis)
}

pub fn to(name: &str) -> Destination {
    Destination::named(name).unwrap()
}

pub fn recipient(path: &str) -> EnvelopeRecipient {
    EnvelopeRecipient { forward_path: path.parse().unwrap(), dsn: RecipientDsn::default() }
}

/// An item that is due so many milliseconds after the message came.
pub fn new_item(destination: &str, due: u64) -> NewQueueItem {
    NewQueueItem {
        destination: to(destination),
        reverse_path: "<sender@example.net>".parse().unwrap(),
        header: Bytes::new(),
        recipients: vec![recipient(&format!("<one@{destination}>"))],
        due_at: later(due),
    }
}

pub fn queued(mail_id: MailId, items: Vec<NewQueueItem>) -> Acceptance {
    let body = Body::Memory(vec![Bytes::from_static(b"Subject: x\r\n\r\nx\r\n")]);
    Acceptance { queue: items, ..acceptance(mail_id, body, &[]) }
}

pub async fn enqueue(store: &dyn Store, mail_id: MailId, items: Vec<NewQueueItem>) -> Accepted {
    store.accept(queued(mail_id, items)).await.unwrap()
}

pub fn part(mail_id: MailId, part: u32) -> QueueItemId {
    QueueItemId { mail_id, part }
}

pub fn gone(item: &QueueItem) -> Settlement {
    Settlement { id: item.id, revision: item.revision, next: Next::Gone }
}

pub fn waits(item: &QueueItem, state: QueueState) -> Settlement {
    Settlement { id: item.id, revision: item.revision, next: Next::Waits(state) }
}

/// As after an attempt that came to nothing.
pub fn deferred(item: &QueueItem, due: u64) -> QueueState {
    let mut state = item.state.clone();
    state.attempts += 1;
    state.due_at = later(due);
    state
}

pub async fn settle(store: &dyn Store, settlement: Settlement) -> Settled {
    let (settled, reports) = store.settle(vec![settlement], Vec::new()).await.unwrap();
    assert!(reports.is_empty());
    settled[0]
}

pub async fn claim(store: &dyn Store, destination: &str, due: u64) -> Vec<QueueItem> {
    store.claim(&to(destination), later(due), 100, LEASE).await.unwrap()
}

pub async fn drain(store: &dyn Store, destination: &str) {
    let items = store.queue_page(Some(&to(destination)), None, usize::MAX).await.unwrap();
    store.settle(items.iter().map(gone).collect(), Vec::new()).await.unwrap();
    assert!(store.queue_page(Some(&to(destination)), None, 1).await.unwrap().is_empty());
}

fn ids(items: &[QueueItem]) -> Vec<QueueItemId> {
    items.iter().map(|item| item.id).collect()
}

pub async fn what_waits_is_claimed_once_the_longest_due_first(store: &dyn Store) {
    let name = "order.example";
    for (n, due) in [(0, 300), (1, 100), (2, 200), (3, 100), (4, 1000)] {
        let accepted = enqueue(store, id(50, n), vec![new_item(name, due)]).await;
        assert!(accepted.queue.is_empty() && accepted.deliveries.is_empty() && !accepted.repeated);
    }
    let first = store.claim(&to(name), later(300), 3, LEASE).await.unwrap();
    assert_eq!(ids(&first), [part(id(50, 1), 1), part(id(50, 3), 1), part(id(50, 2), 1)]);
    assert_eq!(ids(&claim(store, name, 300).await), [part(id(50, 0), 1)]);
    assert!(claim(store, name, 300).await.is_empty());
    assert!(claim(store, "other.example", 300).await.is_empty());
    let expected = QueueItem {
        id: part(id(50, 1), 1),
        revision: 1,
        destination: to(name),
        reverse_path: "<sender@example.net>".parse().unwrap(),
        header: Bytes::new(),
        received_at: RECEIVED_AT,
        size_bytes: 17,
        priority: 0,
        state: QueueState::new(vec![recipient("<one@order.example>")], later(100)),
    };
    assert_eq!(first[0], expected);
    assert_eq!(store.queue_item(expected.id).await.unwrap(), Some(expected));
    drain(store, name).await;
}

pub async fn a_claim_ends_when_it_is_given_back_or_its_time_is_over(store: &dyn Store) {
    let name = "lease.example";
    enqueue(store, id(51, 0), vec![new_item(name, 0)]).await;
    assert_eq!(claim(store, name, 0).await.len(), 1);
    assert!(claim(store, name, 0).await.is_empty());
    store.release(&[part(id(51, 0), 1), part(id(51, 9), 1)]);
    // A lease that is over at once, and the next.
    assert_eq!(store.claim(&to(name), later(0), 1, Duration::ZERO).await.unwrap().len(), 1);
    let second = claim(store, name, 0).await;
    assert_eq!((second.len(), second[0].revision), (1, 1));
    // Whoever settles first has done it.
    assert_eq!(settle(store, gone(&second[0])).await, Settled::Done { revision: 2 });
    assert_eq!(settle(store, gone(&second[0])).await, Settled::Fenced);
}

pub async fn who_accepts_has_what_is_due_at_once(store: &dyn Store) {
    let name = "mine.example";
    let items = vec![new_item(name, 0), new_item(name, 1), new_item("yours.example", 0)];
    let accepted =
        store.accept(Acceptance { claim: QueueClaim::ByCaller, ..queued(id(52, 0), items) }).await.unwrap();
    assert_eq!(ids(&accepted.queue), [part(id(52, 0), 1), part(id(52, 0), 3)]);
    assert_eq!(store.queue_item(part(id(52, 0), 1)).await.unwrap(), Some(accepted.queue[0].clone()));
    assert!(claim(store, "yours.example", 0).await.is_empty());
    assert_eq!(ids(&claim(store, name, 1).await), [part(id(52, 0), 2)]);
    store.release(&[part(id(52, 0), 3)]);
    assert_eq!(ids(&claim(store, "yours.example", 0).await), [part(id(52, 0), 3)]);
    // What waits after an attempt is anybody's.
    let again = deferred(&accepted.queue[0], 5);
    assert_eq!(settle(store, waits(&accepted.queue[0], again)).await, Settled::Done { revision: 2 });
    assert!(claim(store, name, 4).await.is_empty());
    let items = claim(store, name, 5).await;
    assert_eq!((ids(&items), items[0].revision, items[0].state.attempts), (vec![part(id(52, 0), 1)], 2, 1));
    drain(store, name).await;
    drain(store, "yours.example").await;
    assert!(!store.knows(id(52, 0)) || store.queue_items_of(id(52, 0)).await.unwrap().is_empty());
}

pub async fn a_settlement_of_an_item_that_has_changed_is_fenced(store: &dyn Store) {
    let name = "fence.example";
    enqueue(store, id(53, 0), vec![new_item(name, 0)]).await;
    enqueue(store, id(53, 1), vec![new_item(name, 0)]).await;
    let items = claim(store, name, 0).await;
    // An operator changes the first while a runner has it.
    let by_operator = waits(&items[0], deferred(&items[0], 7));
    assert_eq!(settle(store, by_operator).await, Settled::Done { revision: 2 });
    let both = items.iter().map(gone).collect();
    let (settled, _) = store.settle(both, Vec::new()).await.unwrap();
    assert_eq!(settled, [Settled::Fenced, Settled::Done { revision: 2 }]);
    let left = claim(store, name, 7).await;
    assert_eq!((ids(&left), left[0].revision, left[0].state.due_at), (vec![items[0].id], 2, later(7)));
    // The revision that a settlement returns is good for the next one.
    let next = waits(&left[0], deferred(&left[0], 9));
    let Settled::Done { revision } = settle(store, next).await else { panic!() };
    let last = Settlement { id: left[0].id, revision, next: Next::Gone };
    // Of two for the same item in one call the second does not know of the first.
    let (settled, _) = store.settle(vec![last.clone(), last], Vec::new()).await.unwrap();
    assert_eq!(settled, [Settled::Done { revision: revision + 1 }, Settled::Fenced]);
    let unknown = Settlement { id: part(id(53, 9), 1), revision: 1, next: Next::Gone };
    assert_eq!(settle(store, unknown).await, Settled::Fenced);
    assert!(store.queue_page(Some(&to(name)), None, 10).await.unwrap().is_empty());
}

/// A state with everything that one can hold.
pub fn full_state() -> QueueState {
    let word =
        |text: &str, code| LastWord { status: EnhancedStatus::transient(4, 26), code, text: text.into() };
    let mut state = QueueState::new(
        ["<a@full.example>", "<b@full.example>", "<c@full.example>", "<Ü@full.example>"]
            .map(recipient)
            .into(),
        later(60_000),
    );
    state.attempts = 7;
    state.first_attempt_at = Some(later(1));
    state.last_attempt_at = Some(later(2));
    state.own_failures = 3;
    state.notices = 1;
    state.last_host = Some("mx.full.example [192.0.2.1]".into());
    state.recipients[0].recipient.dsn.notify =
        Some(Notify::When { success: false, failure: true, delay: true });
    state.recipients[0].last = Some(word("Try again\nlater, ünless", Some(451)));
    state.recipients[1].last = Some(word("Try again\nlater, ünless", Some(451)));
    state.recipients[3].last = Some(word("no route", None));
    state
}

pub async fn what_waits_on_keeps_all_that_was_said_of_it(store: &dyn Store) {
    let name = "full.example";
    let mut accept = queued(id(54, 0), vec![new_item(name, 0)]);
    accept.envelope.parameters.priority = Some(-3);
    accept.queue[0].reverse_path = ReversePath::Null;
    accept.queue[0].header = Bytes::from_static(b"List-Id: <l.example>\r\n");
    store.accept(accept).await.unwrap();
    let item = claim(store, name, 0).await.remove(0);
    assert_eq!((item.priority, &item.reverse_path, item.size_bytes), (-3, &ReversePath::Null, 39));
    settle(store, waits(&item, full_state())).await;
    let expected = QueueItem { revision: 2, state: full_state(), ..item };
    assert_eq!(store.queue_item(expected.id).await.unwrap(), Some(expected.clone()));
    assert_eq!(claim(store, name, 60_000).await, [expected]);
    drain(store, name).await;
}

pub async fn an_item_that_is_gone_takes_its_message_with_it(store: &dyn Store) {
    let name = "gone.example";
    enqueue(store, id(55, 0), vec![new_item(name, 0), new_item("still.example", 0)]).await;
    let expected = (envelope(), "192.0.2.1 (client.example)".to_owned());
    assert_eq!(store.envelope(id(55, 0)).await.unwrap(), Some(expected.clone()));
    assert!(store.knows(id(55, 0)));
    let before = store.queue_figures().await.unwrap();
    settle(store, gone(&claim(store, name, 0).await[0])).await;
    assert_eq!(store.queue_item(part(id(55, 0), 1)).await.unwrap(), None);
    assert_eq!(store.queue_items_of(id(55, 0)).await.unwrap().len(), 1);
    assert_eq!(store.envelope(id(55, 0)).await.unwrap(), Some(expected));
    assert!(matches!(store.open_queued(part(id(55, 0), 1)).await.err(), Some(StoreError::NoSuchMessage)));
    settle(store, gone(&claim(store, "still.example", 0).await[0])).await;
    assert_eq!(store.envelope(id(55, 0)).await.unwrap(), None);
    let after = store.queue_figures().await.unwrap();
    assert_eq!((before.waiting - after.waiting, before.destinations - after.destinations), (2, 2));
}

pub async fn a_message_lives_while_a_mailbox_or_an_item_refers_to_it(store: &dyn Store) {
    let inbox = account(store, "both@example.org").await.inbox;
    for (n, item_first) in [(0, true), (1, false)] {
        let body = text(n, 2_000 + 1_500_000 * n as usize);
        let mut both = acceptance(id(56, n), Body::Memory(vec![body.clone()]), &[inbox]);
        both.queue = vec![new_item("both.example", 0)];
        let uid = store.accept(both).await.unwrap().deliveries[0].uid;
        let item = claim(store, "both.example", 0).await.remove(0);
        if item_first {
            settle(store, gone(&item)).await;
            assert!(super::mail::read_all(store, inbox, uid).await.ends_with(&body));
            assert!(store.knows(id(56, n)));
            store.expunge(inbox, &[uid], types::Timestamp::default()).await.unwrap();
        } else {
            store.expunge(inbox, &[uid], types::Timestamp::default()).await.unwrap();
            assert!(read_queued(store, item.id).await.ends_with(&body));
            assert!(store.knows(id(56, n)));
            settle(store, gone(&item)).await;
        }
        assert_eq!(store.envelope(id(56, n)).await.unwrap(), None);
    }
}

pub async fn a_held_item_is_not_due_until_it_is_released(store: &dyn Store) {
    let name = "held.example";
    enqueue(store, id(57, 0), vec![new_item(name, 0)]).await;
    let item = claim(store, name, 0).await.remove(0);
    let mut held = item.state.clone();
    held.status = QueueStatus::Held { reason: "an operator looks at it".into() };
    let before = store.queue_figures().await.unwrap();
    settle(store, waits(&item, held.clone())).await;
    assert!(claim(store, name, u64::MAX / 2).await.is_empty());
    let due = store.destinations_due(later(u64::MAX / 2), None, 1000).await.unwrap();
    assert!(due.iter().all(|(_, destination)| *destination != to(name)));
    let after = store.queue_figures().await.unwrap();
    assert_eq!((after.waiting, after.held), (before.waiting - 1, before.held + 1));
    let figures = figures_of(store, name).await;
    assert_eq!((figures.waiting, figures.held, figures.due_at), (0, 1, None));
    let seen = store.queue_page(Some(&to(name)), None, 10).await.unwrap().remove(0);
    assert_eq!((seen.revision, &seen.state), (2, &held));
    let released = QueueState { status: QueueStatus::Waiting, ..held };
    settle(store, waits(&seen, released)).await;
    assert_eq!(figures_of(store, name).await.due_at, Some(later(0)));
    assert_eq!(claim(store, name, 0).await[0].revision, 3);
    drain(store, name).await;
    assert_eq!(store.queue_figures().await.unwrap().held, before.held);
}

async fn figures_of(store: &dyn Store, name: &str) -> store::DestinationFigures {
    let all = store.queue_destinations(None, usize::MAX).await.unwrap();
    all.into_iter().find(|figures| figures.destination == to(name)).unwrap()
}

pub async fn an_item_that_moves_waits_elsewhere(store: &dyn Store) {
    enqueue(store, id(58, 0), vec![new_item("from.example", 0)]).await;
    let item = claim(store, "from.example", 0).await.remove(0);
    let mut state = item.state.clone();
    state.recipients[0].recipient = recipient("<other@there.example>");
    let moves = Next::Moves { destination: to("there.example"), state: state.clone() };
    settle(store, Settlement { id: item.id, revision: 1, next: moves }).await;
    assert!(claim(store, "from.example", 0).await.is_empty());
    let all = store.queue_destinations(None, usize::MAX).await.unwrap();
    assert!(all.iter().all(|figures| figures.destination != to("from.example")));
    let moved = claim(store, "there.example", 0).await.remove(0);
    assert_eq!(moved, QueueItem { revision: 2, destination: to("there.example"), state, ..item });
    // It stays there when it waits again.
    settle(store, waits(&moved, deferred(&moved, 3))).await;
    assert_eq!(claim(store, "there.example", 3).await[0].destination, to("there.example"));
    drain(store, "there.example").await;
}

pub async fn a_report_comes_with_its_settlement_or_not_at_all(store: &dyn Store) {
    let name = "report.example";
    let inbox = account(store, "sender.of.report@example.org").await.inbox;
    for n in 0..3 {
        enqueue(store, id(59, n), vec![new_item(name, 0)]).await;
    }
    let items = claim(store, name, 0).await;
    let report = |n: u64| acceptance(id(59, 100 + n), Body::Memory(vec![text(n, 900)]), &[inbox]);
    let count = async || store.messages(inbox, None, 100).await.unwrap().len();
    // Two reports for two items, one of them to a sender elsewhere, and one that goes nowhere.
    let elsewhere = Acceptance {
        claim: QueueClaim::ByCaller,
        ..queued(id(59, 101), vec![new_item("sender.example", 0)])
    };
    let nowhere = acceptance(id(59, 102), Body::Memory(Vec::new()), &[]);
    let settlements = items[..2].iter().map(gone).collect();
    let (settled, accepted) = store.settle(settlements, vec![report(0), nowhere, elsewhere]).await.unwrap();
    assert_eq!(settled, [Settled::Done { revision: 2 }; 2]);
    assert_eq!(
        accepted.iter().map(|a| a.mail_id).collect::<Vec<_>>(),
        [id(59, 100), id(59, 102), id(59, 101)]
    );
    assert_eq!((accepted[0].deliveries.len(), accepted[1].deliveries.len()), (1, 0));
    assert_eq!(ids(&accepted[2].queue), [part(id(59, 101), 1)]);
    assert_eq!(count().await, 1);
    assert!(!store.knows(id(59, 102)));
    // One item is fenced: nothing is done, for none of them.
    let settlements = items[1..].iter().map(gone).collect();
    let refused = store.settle(settlements, vec![report(3)]).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert!(store.queue_item(items[2].id).await.unwrap().is_some());
    // One report cannot be accepted: likewise.
    let impossible = [
        vec![report(4), acceptance(id(59, 105), Body::Memory(Vec::new()), &[store::MailboxId(1 << 40)])],
        vec![report(4), report(0)],
        vec![report(4), report(4)],
    ];
    for reports in impossible {
        let refused = store.settle(vec![gone(&items[2])], reports).await;
        assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
        assert_eq!(count().await, 1);
        assert!(store.queue_item(items[2].id).await.unwrap().is_some());
        assert!(!store.knows(id(59, 104)));
    }
    let (settled, _) = store.settle(vec![gone(&items[2])], vec![report(4)]).await.unwrap();
    assert_eq!((settled, count().await), (vec![Settled::Done { revision: 2 }], 2));
    settle(store, gone(&accepted[2].queue[0])).await;
}

pub async fn destinations_are_due_in_order_however_many_items_they_have(store: &dyn Store) {
    let names = ["a.due.example", "b.due.example", "c.due.example", "d.due.example"];
    for (n, (name, due)) in
        [(0, 500), (0, 800), (1, 400), (1, 401), (1, 402), (2, 500), (3, 900)].into_iter().enumerate()
    {
        enqueue(store, id(60, n as u64), vec![new_item(names[name], due)]).await;
    }
    let due = async |by, after: Option<&(Timestamp, Destination)>, limit| {
        let all = store.destinations_due(later(by), after, limit).await.unwrap();
        all.into_iter()
            .map(|(at, to)| (at.since(RECEIVED_AT).as_millis(), to.to_string()))
            .collect::<Vec<_>>()
    };
    let row = |due, n: usize| (due, names[n].to_owned());
    assert_eq!(due(500, None, 10).await, [row(400, 1), row(500, 0), row(500, 2)]);
    assert_eq!(due(399, None, 10).await, []);
    assert_eq!(due(499, None, 10).await, [row(400, 1)]);
    assert_eq!(due(500, None, 2).await, [row(400, 1), row(500, 0)]);
    assert_eq!(due(500, Some(&(later(500), to(names[0]))), 2).await, [row(500, 2)]);
    // A claim changes nothing of that; a settlement does.
    let items = claim(store, names[1], 401).await;
    assert_eq!((items.len(), due(500, None, 1).await), (2, vec![row(400, 1)]));
    for (next, after) in
        [(0, 400), (399, 400), (400, 401), (401, 402), (402, 500), (500, 800), (799, 800), (800, 900)]
            .map(|(after, next)| (next, after))
    {
        assert_eq!(store.next_due(later(after)).await.unwrap(), Some(later(next)), "after {after}");
    }
    assert_eq!(store.next_due(later(900)).await.unwrap(), None);
    store
        .settle(items.iter().map(|item| waits(item, deferred(item, 700))).collect(), Vec::new())
        .await
        .unwrap();
    assert_eq!(due(1000, None, 10).await, [row(402, 1), row(500, 0), row(500, 2), row(900, 3)]);
    let figures = store.queue_destinations(Some(&to(names[0])), 2).await.unwrap();
    let seen: Vec<_> = figures.iter().map(|f| (f.destination.as_str(), f.waiting, f.due_at)).collect();
    assert_eq!(seen, [(names[1], 3, Some(later(402))), (names[2], 1, Some(later(500)))]);
    for name in names {
        drain(store, name).await;
    }
    assert_eq!(due(1000, None, 10).await, []);
    assert_eq!(store.next_due(Timestamp::default()).await.unwrap(), None);
}

pub async fn pages_show_every_item_once(store: &dyn Store) {
    for n in 0..7 {
        let items = vec![new_item("even.page.example", 100 - n), new_item("odd.page.example", n)];
        enqueue(store, id(61, n), items).await;
    }
    for (destination, expected) in [(None, 14), (Some(to("even.page.example")), 7)] {
        let mut seen: Vec<QueueItemId> = Vec::new();
        loop {
            let page = store.queue_page(destination.as_ref(), seen.last().copied(), 3).await.unwrap();
            if page.is_empty() {
                break;
            }
            assert!(page.len() <= 3);
            assert!(page.iter().all(|item| destination.as_ref().is_none_or(|d| item.destination == *d)));
            seen.extend(ids(&page));
        }
        assert_eq!(seen.len(), expected);
        assert!(seen.is_sorted_by(|a, b| a < b));
    }
    assert!(store.queue_page(Some(&to("no.page.example")), None, 3).await.unwrap().is_empty());
    let of_one = store.queue_items_of(id(61, 3)).await.unwrap();
    assert_eq!(ids(&of_one), [part(id(61, 3), 1), part(id(61, 3), 2)]);
    assert!(store.queue_items_of(id(61, 9)).await.unwrap().is_empty());
    drain(store, "even.page.example").await;
    drain(store, "odd.page.example").await;
}

pub async fn read_queued(store: &dyn Store, id: QueueItemId) -> Vec<u8> {
    let mut stream = store.open_queued(id).await.unwrap();
    let mut octets = Vec::new();
    loop {
        let chunk = stream.next().await.unwrap();
        if chunk.is_empty() {
            break;
        }
        octets.extend_from_slice(&chunk);
    }
    assert_eq!(octets.len() as u64, stream.size_bytes());
    octets
}

pub async fn the_message_is_read_with_the_header_of_its_item(store: &dyn Store) {
    for (n, size) in [0, 5000, 2_000_000].into_iter().enumerate() {
        let body = text(n as u64, size);
        let mail_id = id(62, n as u64);
        let mut accept = acceptance(mail_id, Body::Memory(vec![body.clone()]), &[]);
        accept.queue = vec![new_item("read.example", 0), new_item("read.example", 0)];
        accept.queue[1].header = Bytes::from_static(b"List-Id: <l.example>\r\n");
        store.accept(accept).await.unwrap();
        assert!(read_queued(store, part(mail_id, 1)).await == body);
        let mut with_header = b"List-Id: <l.example>\r\n".to_vec();
        with_header.extend_from_slice(&body);
        let mut stream = store.open_queued(part(mail_id, 2)).await.unwrap();
        let mut octets = stream.next().await.unwrap().to_vec();
        // Who reads reads on.
        drain(store, "read.example").await;
        while octets.len() < with_header.len() {
            octets.extend_from_slice(&stream.next().await.unwrap());
        }
        assert!(octets == with_header);
    }
}

pub async fn a_key_is_known_of_a_message_that_only_waits(store: &dyn Store) {
    let owner = account(store, "key.queue@example.org").await;
    let send = async |n| {
        let mut accept = queued(id(63, n), vec![new_item("key.example", 0)]);
        accept.claim = QueueClaim::ByCaller;
        accept.idempotency =
            Some(Idempotency { account: owner.id, key: "a".into(), expires_at: later(1_000_000) });
        store.accept(accept).await.unwrap()
    };
    let first = send(0).await;
    assert_eq!((first.repeated, first.queue.len()), (false, 1));
    let again = send(1).await;
    assert_eq!((again.mail_id, again.repeated, again.queue.len()), (id(63, 0), true, 0));
    settle(store, gone(&first.queue[0])).await;
    assert_eq!(send(2).await.mail_id, id(63, 0));
    assert!(store.queue_page(Some(&to("key.example")), None, 9).await.unwrap().is_empty());
}

pub async fn what_cannot_be_is_refused(store: &dyn Store) {
    let nobody = NewQueueItem { recipients: Vec::new(), ..new_item("nobody.example", 0) };
    let refused = store.accept(queued(id(64, 0), vec![nobody])).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    enqueue(store, id(64, 1), vec![new_item("nobody.example", 0)]).await;
    let refused = store.accept(queued(id(64, 1), vec![new_item("nobody.example", 0)])).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    let item = claim(store, "nobody.example", 0).await.remove(0);
    let empty = QueueState { recipients: Vec::new(), ..item.state.clone() };
    let refused = store.settle(vec![waits(&item, empty)], Vec::new()).await;
    assert!(matches!(refused, Err(StoreError::Conflict(_))), "{refused:?}");
    assert_eq!(store.queue_item(item.id).await.unwrap(), Some(item.clone()));
    assert_eq!(store.claim(&to("nobody.example"), later(0), 0, LEASE).await.unwrap(), []);
    settle(store, gone(&item)).await;
}

/// Whoever claims, however the view lags: no item is given out twice.
pub async fn many_at_once_are_each_sent_once(store: &dyn Store) {
    let names = ["x.many.example", "y.many.example", "z.many.example"];
    let runner = async |n: u64| {
        let mut sent = Vec::new();
        for round in 0..40 {
            let name = names[(round % 3) as usize];
            let mut accept = queued(id(65, n << 16 | round), vec![new_item(name, round)]);
            if round % 2 == 0 {
                accept.claim = QueueClaim::ByCaller;
            }
            let mut items = store.accept(accept).await.unwrap().queue;
            items.extend(store.claim(&to(name), later(1000), 5, LEASE).await.unwrap());
            let settlements = items.iter().map(gone).collect();
            let (settled, _) = store.settle(settlements, Vec::new()).await.unwrap();
            assert!(settled.iter().all(|settled| *settled == Settled::Done { revision: 2 }), "{settled:?}");
            sent.extend(ids(&items));
        }
        sent
    };
    let mut sent = join_all((0..8).map(runner).collect()).await.concat();
    for name in names {
        let left = claim(store, name, 1000).await;
        store.settle(left.iter().map(gone).collect(), Vec::new()).await.unwrap();
        sent.extend(ids(&left));
    }
    assert_eq!(sent.len(), 320);
    sent.sort();
    sent.dedup();
    assert_eq!(sent.len(), 320);
}
