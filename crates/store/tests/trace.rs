//! Which timelines a query means.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

use store::embedded::{Drive, Embedded, Options};
use store::{Trace as _, TraceQuery};
use types::{Event, EventStep, MailId, Timestamp, Verdict};

const START: u64 = 1_795_348_800_000;

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millis(START + ms)
}

/// An id made `ms` after the start.
fn id(ms: u64, random: u64) -> MailId {
    MailId::new(at(ms), random)
}

fn event(ms: u64, session: MailId, mail: Option<MailId>, address: &str, reason: &str) -> Event {
    let step = if mail.is_some() { EventStep::Recipient } else { EventStep::Connected };
    Event {
        mail_id: mail,
        address: (!address.is_empty()).then(|| address.to_owned()),
        ..Event::new(at(ms), session, step, Verdict::Noted, reason)
    }
}

struct Traced {
    store: Embedded,
    _folder: tempfile::TempDir,
}

/// Two connections with two messages each, a login without a message, and one more connection that passes the
/// first message on.
fn traced() -> Traced {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { drive: Drive::Manual, ..Options::at(folder.path()) };
    let store = Embedded::open(options).unwrap();
    let (one, two, login, out) = (id(0, 1), id(10, 2), id(20, 3), id(60_000, 4));
    let (a, b, c, d) = (id(1, 11), id(2, 12), id(11, 13), id(12, 14));
    store.record(vec![
        event(0, one, None, "", "one connects"),
        event(1, one, Some(a), "Ada@Example.org", "a to ada"),
        event(1, one, Some(a), "bob@example.org", "a to bob"),
        event(2, one, Some(b), "carol@example.org", "b to carol"),
    ]);
    store.record(vec![
        event(10, two, None, "", "two connects"),
        event(11, two, Some(c), "ada@example.org", "c to ada"),
        event(12, two, Some(d), "dave@example.org", "d to dave"),
        event(20, login, None, "", "login connects"),
        event(21, login, None, "ada@example.org", "ada logs in"),
    ]);
    store.record(vec![
        event(60_000, out, None, "", "out connects"),
        event(60_001, out, Some(a), "bob@example.org", "a goes out"),
        event(60_002, out, Some(d), "dave@example.org", "d goes out"),
        event(60_003, one, None, "", "one closes"),
    ]);
    Traced { store, _folder: folder }
}

impl Traced {
    async fn reasons(&self, query: TraceQuery) -> Vec<String> {
        self.store.trace(query).await.unwrap().into_iter().map(|event| event.reason).collect()
    }
}

fn by_id(id: MailId) -> TraceQuery {
    TraceQuery { id: Some(id), ..TraceQuery::default() }
}

fn by_address(address: &str) -> TraceQuery {
    TraceQuery { address: Some(address.to_owned()), ..TraceQuery::default() }
}

#[tokio::test]
async fn the_id_of_a_connection_means_all_of_its_events() {
    let traced = traced();
    let expected = ["one connects", "a to ada", "a to bob", "b to carol", "one closes"];
    assert_eq!(traced.reasons(by_id(id(0, 1))).await, expected);
}

#[tokio::test]
async fn the_id_of_a_message_means_its_events_wherever_and_those_of_its_connections_about_no_message() {
    let traced = traced();
    let expected = ["one connects", "a to ada", "a to bob", "out connects", "a goes out", "one closes"];
    assert_eq!(traced.reasons(by_id(id(1, 11))).await, expected);
}

#[tokio::test]
async fn an_unknown_id_means_nothing() {
    let traced = traced();
    assert!(traced.reasons(by_id(id(5, 5))).await.is_empty());
    assert!(traced.reasons(by_id(id(u64::from(u32::MAX), 5))).await.is_empty());
    assert!(traced.reasons(by_id(MailId::from_bytes([0; MailId::BYTES]))).await.is_empty());
}

#[tokio::test]
async fn an_address_means_the_timelines_of_its_messages_and_logins() {
    let traced = traced();
    let expected = [
        "one connects",
        "a to ada",
        "a to bob",
        "two connects",
        "c to ada",
        "login connects",
        "ada logs in",
        "out connects",
        "a goes out",
        "one closes",
    ];
    assert_eq!(traced.reasons(by_address("ADA@example.ORG")).await, expected);
    assert_eq!(traced.reasons(by_address("<ada@example.org>")).await, expected);
    assert!(traced.reasons(by_address("ada@example.net")).await.is_empty());
    assert!(traced.reasons(by_address("")).await.is_empty());
}

#[tokio::test]
async fn since_means_timelines_that_something_happened_in_and_shows_them_whole() {
    let traced = traced();
    let since = |ms, query| TraceQuery { since: Some(at(ms)), ..query };
    assert_eq!(
        traced.reasons(since(60_003, TraceQuery::default())).await,
        ["one connects", "a to ada", "a to bob", "b to carol", "one closes"]
    );
    assert_eq!(
        traced.reasons(since(12, by_address("ada@example.org"))).await,
        ["login connects", "ada logs in"]
    );
    assert!(traced.reasons(since(60_004, TraceQuery::default())).await.is_empty());
    assert!(traced.reasons(since(60_004, by_id(id(0, 1)))).await.is_empty());
}

#[tokio::test]
async fn the_limit_counts_timelines_and_keeps_the_newest() {
    let traced = traced();
    let limited = |limit, query| TraceQuery { limit, ..query };
    assert_eq!(
        traced.reasons(limited(1, by_address("ada@example.org"))).await,
        ["there are older timelines: these are the newest 1", "login connects", "ada logs in"]
    );
    assert_eq!(
        traced.reasons(limited(3, by_address("ada@example.org"))).await,
        traced.reasons(by_address("ada@example.org")).await
    );
    assert_eq!(
        traced.reasons(limited(2, TraceQuery::default())).await,
        [
            "there are older timelines: these are the newest 2",
            "one connects",
            "a to ada",
            "a to bob",
            "b to carol",
            "out connects",
            "a goes out",
            "d goes out",
            "one closes"
        ]
    );
    assert!(traced.reasons(limited(0, TraceQuery::default())).await.is_empty());
    assert_eq!(traced.reasons(limited(usize::MAX, TraceQuery::default())).await.len(), 13);
}

#[tokio::test]
async fn an_id_and_an_address_mean_what_both_mean() {
    let traced = traced();
    let both = |id, address: &str| TraceQuery { id: Some(id), ..by_address(address) };
    assert_eq!(traced.reasons(both(id(11, 13), "ada@example.org")).await, ["two connects", "c to ada"]);
    assert!(traced.reasons(both(id(12, 14), "ada@example.org")).await.is_empty());
}

#[tokio::test]
async fn events_come_in_the_order_of_time_whatever_the_order_of_recording() {
    let traced = traced();
    traced.store.record(vec![event(5, id(0, 1), None, "", "late news")]);
    let expected = ["one connects", "a to ada", "a to bob", "b to carol", "late news", "one closes"];
    assert_eq!(traced.reasons(by_id(id(0, 1))).await, expected);
}

#[tokio::test]
async fn of_too_many_events_the_newest_are_shown_and_the_rest_is_counted() {
    let traced = traced();
    let session = id(70_000, 9);
    let many = store::TRACE_EVENTS_MAX as u64 + 7;
    for n in 0..many {
        traced.store.record(vec![event(70_000 + n, session, None, "", "again")]);
        if n % 10_000 == 0 {
            traced.store.settle_trace();
        }
    }
    let events = traced.store.trace(by_id(session)).await.unwrap();
    assert_eq!(events.len(), store::TRACE_EVENTS_MAX + 1);
    assert_eq!(events[0].step, EventStep::Gap);
    assert!(events[0].reason.starts_with("7 earlier events are left out"), "{}", events[0].reason);
    assert_eq!(events.last().unwrap().at, at(70_000 + many - 1));
}
