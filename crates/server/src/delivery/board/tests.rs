//! Who is given what, without a store and without a runtime.

use bytes::Bytes;
use mta::route::{Found, Hop, Itinerary, Pattern, Protocol, Transport, Unroutable};
use store::QueueState;
use types::dns::Validation;
use types::{MailId, ReversePath};

use super::turns::QUANTUM;
use super::*;
use crate::config::TransportRule;

const NOW: Timestamp = Timestamp::from_millis(1_795_322_124_250);

fn board(loaded_max: usize, connections_max: usize) -> Board {
    let site = shaping::Limits { connections_max: 4, ..shaping::Limits::default() };
    Board::new(Limits { loaded_max, connections_max, site })
}

fn destination(name: &str) -> Destination {
    Destination::named(name).unwrap()
}

fn item(number: u64, to: &str, priority: i8) -> Loaded {
    let recipients = vec![format!("<bob@{to}>").parse::<types::ForwardPath>().unwrap().into()];
    let item = QueueItem {
        id: QueueItemId { mail_id: MailId::new(NOW, number), part: 1 },
        revision: 1,
        destination: destination(to),
        reverse_path: ReversePath::Null,
        header: Bytes::new(),
        received_at: NOW,
        size_bytes: 10,
        priority,
        state: QueueState::new(recipients, NOW),
    };
    Loaded { item, fresh: None, loaded_at: NOW }
}

fn route(site: &str) -> Routed {
    let rule = Arc::new(TransportRule::new(Pattern::Everything, Transport::Mx));
    let hop = Hop {
        name: None,
        alias_of: None,
        addresses: vec!["192.0.2.1".parse().unwrap()],
        found: Found::ImplicitMx,
        validation: Validation::Insecure,
    };
    let itinerary = Itinerary {
        hops: vec![hop],
        protocol: Protocol::Smtp,
        port: 25,
        site: site.to_owned(),
        skipped: Vec::new(),
    };
    Routed::new(rule, Way::Elsewhere(Route::Hosts(itinerary)))
}

/// Adds items, and answers what is asked of the routes: each destination is a site of its own unless `site` says more.
fn add(board: &mut Board, items: Vec<Loaded>, site: Option<&str>) -> Effects {
    let mut effects = Effects::default();
    for item in items {
        board.add(item, NOW, &mut effects);
        for (to, _) in std::mem::take(&mut effects.ask) {
            let routed = route(site.unwrap_or(to.as_str()));
            board.routed(&to, routed, NOW, &mut effects);
        }
    }
    effects
}

/// The destinations of what a site's worker is given, until it is to wait.
fn work(board: &mut Board, site: &str) -> Vec<(String, i8)> {
    let name: SiteName = Arc::from(site);
    let mut given = Vec::new();
    while let (Turn::Work(job), _) = board.next(&name, 0, NOW) {
        let item = &job.loaded.item;
        given.push((item.destination.to_string(), item.priority));
        board.finished(item.id, &item.destination);
    }
    given
}

#[test]
fn destinations_of_a_site_take_turns_and_what_is_urgent_goes_first() {
    let mut board = board(1000, 10);
    let items = [("a.example", 0), ("a.example", 0), ("a.example", 0), ("b.example", 0), ("c.example", 4)];
    let items = items.iter().zip(0..).map(|((to, priority), n)| item(n, to, *priority)).collect();
    add(&mut board, items, Some("site"));
    let given: Vec<_> = work(&mut board, "site").into_iter().map(|(to, _)| to).collect();
    assert_eq!(given, ["c.example", "a.example", "b.example", "a.example", "a.example"]);
    assert_eq!(board.loaded(), 0);
}

#[test]
fn one_destination_never_takes_all_the_room() {
    let mut board = board(100, 10);
    let effects = add(&mut board, (0..200).map(|n| item(n, "flood.example", 0)).collect(), None);
    assert_eq!(board.loaded() + effects.release.len(), 200);
    assert!(board.loaded() <= 40, "{}", board.loaded());
    assert!(board.room() > 0);
    // However many of them there are.
    for number in 0..100_u64 {
        let to = format!("d{number}.example");
        add(&mut board, (0..10).map(|n| item(1000 + number * 10 + n, &to, 0)).collect(), None);
    }
    assert!(board.loaded() <= 100);
    let mut effects = Effects::default();
    board.add(item(9, "late.example", 0), NOW, &mut effects);
    assert_eq!(board.loaded() + board.room(), 100);
}

#[test]
fn a_suspended_site_keeps_nothing_in_memory_and_is_not_asked_for_more() {
    let mut board = board(1000, 10);
    add(&mut board, (0..5).map(|n| item(n, "dead.example", 0)).collect(), None);
    let name: SiteName = Arc::from("dead.example");
    let mut released = Vec::new();
    let mut until = None;
    for _ in 0..10 {
        let (at, effects) = board.went_badly(&name, "nobody answers", NOW, 0);
        released.extend(effects.release);
        until = until.or(at);
    }
    let until = until.expect("it is suspended");
    assert_eq!((released.len(), board.loaded()), (5, 0));
    assert_eq!(board.wants(&destination("dead.example"), NOW), 0);
    assert!(board.wants(&destination("other.example"), NOW) > 0);
    assert_eq!(board.next_change(NOW), Some(until));
    assert!(
        board.suspension(&destination("dead.example"), NOW).is_some_and(|(_, why)| why.contains("nobody"))
    );
    // When the time is over, one connection finds out.
    assert!(board.wants(&destination("dead.example"), until) > 0);
    let mut effects = Effects::default();
    for _ in 0..4 {
        board.left(&name, NOW);
    }
    for number in 10..15 {
        board.add(item(number, "dead.example", 0), until, &mut effects);
    }
    assert_eq!(effects.start.len(), 1);
}

#[test]
fn where_connections_run_out_the_sites_take_turns() {
    let mut board = board(1000, 1);
    let effects = add(&mut board, (0..3).map(|n| item(n, "a.example", 0)).collect(), None);
    assert_eq!(effects.start.len(), 1);
    let effects = add(&mut board, vec![item(10, "b.example", 0)], None);
    assert!(effects.start.is_empty(), "there is no connection left");
    let name: SiteName = Arc::from("a.example");
    assert!(matches!(board.next(&name, QUANTUM, NOW), (Turn::Leave, _)), "it has had its share");
    let effects = board.left(&name, NOW);
    assert_eq!(effects.start.iter().map(|site| &**site).collect::<Vec<_>>(), ["b.example"]);
}

#[test]
fn slow_sites_that_want_many_connections_leave_some_for_those_that_come_later() {
    let mut board = board(1000, 12);
    let mut first = Vec::new();
    for site in 0..12_u64 {
        let to = format!("slow{site}.example");
        // What it has never ends.
        let effects = add(&mut board, (0..10).map(|n| item(site * 10 + n, &to, 0)).collect(), None);
        first.push(effects.start.iter().filter(|started| ***started == *to).count());
    }
    assert!(first[0] > 1, "as long as nobody else wants any: {first:?}");
    assert!(first[..6].iter().all(|started| *started > 0), "{first:?}");
    assert_eq!(board.workers(), 12);
}

#[test]
fn who_wanted_more_connections_gets_them_when_enough_are_free() {
    let mut board = board(1000, 4);
    add(&mut board, (0..2).map(|n| item(n, "a.example", 0)).collect(), None);
    work(&mut board, "a.example");
    work(&mut board, "a.example");
    add(&mut board, vec![item(10, "b.example", 0)], None);
    add(&mut board, (20..23).map(|n| item(n, "c.example", 0)).collect(), None);
    work(&mut board, "b.example");
    assert_eq!(board.workers(), 4);
    let a: SiteName = Arc::from("a.example");
    // The one that is free now is for those that have none.
    assert!(board.left(&a, NOW).start.is_empty());
    assert_eq!(board.workers(), 3);
    let started = board.left(&Arc::from("b.example"), NOW).start;
    assert_eq!(started.iter().map(|site| &**site).collect::<Vec<_>>(), ["c.example"]);
}

#[test]
fn an_idle_connection_makes_room_for_a_site_that_waits_for_one() {
    let mut board = board(1000, 1);
    add(&mut board, vec![item(0, "a.example", 0)], None);
    work(&mut board, "a.example");
    // The worker waits now, as the end of `work` has shown.
    add(&mut board, vec![item(1, "b.example", 0)], None);
    let name: SiteName = Arc::from("a.example");
    board.woke(&name);
    assert!(matches!(board.next(&name, 1, NOW), (Turn::Leave, _)));
    assert_eq!(board.left(&name, NOW).start.len(), 1);
}

#[test]
fn what_somebody_changed_is_not_begun_and_its_claim_is_given_back() {
    let mut board = board(1000, 10);
    let first = item(0, "a.example", 0);
    let id = first.item.id;
    add(&mut board, vec![first, item(1, "a.example", 0)], None);
    board.changed(&[id]);
    let name: SiteName = Arc::from("a.example");
    let (turn, effects) = board.next(&name, 0, NOW);
    let Turn::Work(job) = turn else { panic!("{turn:?}") };
    assert_ne!(job.loaded.item.id, id);
    assert_eq!(effects.release, [id]);
}

#[test]
fn what_an_operator_changed_before_its_acceptor_brought_it_is_not_taken_as_it_was() {
    let mut board = board(1000, 10);
    let new = item(0, "a.example", 0);
    assert_eq!(board.withhold(&new.item), Withheld::Adopted);
    // It is held in the store now, and nobody has it here.
    board.finished(new.item.id, &new.item.destination);
    let effects = add(&mut board, vec![new.clone()], None);
    assert_eq!((effects.release, effects.load, board.loaded()), (vec![new.item.id], true, 0));
    let mut other = item(1, "a.example", 0);
    board.changed(&[other.item.id]);
    assert_eq!(add(&mut board, vec![other.clone()], None).release, [other.item.id]);
    // As it is now, it is found in the store, and taken.
    other.item.revision = 2;
    assert!(add(&mut board, vec![other], None).release.is_empty());
    assert_eq!(board.loaded(), 1);
}

#[test]
fn an_item_that_is_here_already_is_not_taken_twice() {
    let mut board = board(1000, 10);
    add(&mut board, vec![item(0, "a.example", 0), item(0, "a.example", 0)], None);
    assert_eq!((board.loaded(), work(&mut board, "a.example").len()), (1, 1));
}

#[test]
fn a_stop_gives_everything_back_that_was_not_begun() {
    let mut board = board(1000, 10);
    add(&mut board, (0..3).map(|n| item(n, "a.example", 0)).collect(), None);
    let mut effects = Effects::default();
    // Its route is not known yet.
    board.add(item(9, "b.example", 0), NOW, &mut effects);
    let name: SiteName = Arc::from("a.example");
    let (Turn::Work(job), _) = board.next(&name, 0, NOW) else { panic!() };
    assert_eq!(board.stop().release.len(), 3);
    assert_eq!(board.loaded(), 1);
    assert!(matches!(board.next(&name, 0, NOW), (Turn::Leave, _)));
    board.finished(job.loaded.item.id, &job.loaded.item.destination);
    assert_eq!((board.loaded(), board.room()), (0, 0));
}

#[test]
fn a_route_is_asked_for_once_and_anew_when_it_is_old() {
    let mut board = board(1000, 10);
    let mut effects = Effects::default();
    board.add(item(0, "a.example", 0), NOW, &mut effects);
    board.add(item(1, "a.example", 0), NOW, &mut effects);
    assert_eq!(effects.ask.len(), 1);
    board.routed(&destination("a.example"), route("site"), NOW, &mut effects);
    assert_eq!(effects.start.len(), 2);
    let mut effects = Effects::default();
    board.add(item(2, "a.example", 0), NOW.plus(ROUTE_FRESH), &mut effects);
    assert_eq!(effects.ask.len(), 1);
    // The old one holds until the new one is known.
    assert_eq!(work(&mut board, "site").len(), 3);
}

#[test]
fn destinations_and_sites_without_work_are_forgotten() {
    let mut board = board(1000, 10);
    add(&mut board, vec![item(0, "a.example", 0)], None);
    work(&mut board, "a.example");
    board.left(&Arc::from("a.example"), NOW);
    board.tidy(NOW);
    assert_eq!(board.figures(NOW).len(), 1);
    board.tidy(NOW.plus(FORGOTTEN_AFTER * 2));
    assert!(board.figures(NOW).is_empty() && board.entries.is_empty());
}

#[test]
fn what_has_no_route_needs_no_connection() {
    let mut board = board(1000, 10);
    let rule = Arc::new(TransportRule::new(Pattern::Everything, Transport::Mx));
    let reason = Unroutable::Literal("a".to_owned());
    let nowhere = Routed::new(rule, Way::Elsewhere(Route::Unroutable { reason, skipped: Vec::new() }));
    let mut effects = Effects::default();
    board.add(item(0, "a.example", 0), NOW, &mut effects);
    board.routed(&destination("a.example"), nowhere, NOW, &mut effects);
    assert_eq!(work(&mut board, "(no route)").len(), 1);
}
