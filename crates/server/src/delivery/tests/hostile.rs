//! Hosts, names, disks and clocks that do harm: nothing is lost, nothing goes twice, and nothing else is held up.

use std::sync::atomic::Ordering;

use mta::route::{Route, Unroutable};
use sim::disk::{Faults, SimDisk};
use store::QueueStatus;
use types::dns::DnsTrouble;

use super::*;
use crate::delivery::World as _;

/// `errno` of Linux.
const EMFILE: i32 = 24;
/// `errno` of Linux.
const ENOMEM: i32 = 12;
const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_hosts_could_read_in_two_ways_is_held_and_the_next_one_goes() {
    // attacks.md 2. Nothing accepts such a message as text, so that it is a fault of ours, and nobody's mail comes back.
    let bench = Bench::start_with(|config| config.queue.own_failures_max = 1).await;
    let host = bench.world.host("to.example", "192.0.2.1");
    let mut held = Vec::new();
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\0"] {
        let body = format!("Subject: x\r\n\r\na{end}MAIL FROM:<eve@to.example>\r\n");
        let id = bench.accept(Mail { body, ..Mail::to(&["bob@to.example"]) }).await;
        bench.until_attempts(id, 1).await;
        held.push(id);
    }
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    assert!(host.mails.lock().unwrap().iter().all(|mail| mail.starts_with("MAIL FROM:<ada@example.org>")));
    for id in held {
        let item = bench.items(id).await.remove(0);
        assert!(matches!(&item.state.status, QueueStatus::Held { .. }), "{item:?}");
    }
    assert!(bench.inbox("ada@example.org").await.is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_that_leads_nowhere_for_good_is_reported_once_and_nobody_is_asked() {
    // attacks.md 14 and 21.
    let bench = Bench::start().await;
    let name = "to1.example".parse::<types::Domain>().unwrap();
    let reasons = [
        (Unroutable::NullMx(name.clone()), "5.1.10"),
        (Unroutable::NoHost(name), "5.4.4"),
        (Unroutable::Loop("to2.example".to_owned()), "5.4.6"),
    ];
    for (reports, (reason, status)) in reasons.into_iter().enumerate() {
        let name = format!("to{reports}.example");
        bench.world.leads(&name, Route::Unroutable { reason, skipped: Vec::new() });
        let id = bench.accept(Mail::to(&[&format!("bob@{name}")])).await;
        bench.until_gone(id).await;
        let inbox = bench.inbox("ada@example.org").await;
        assert_eq!(inbox.len(), reports + 1);
        let told = inbox.iter().filter(|mail| field(&report_fields(mail), "Status") == [status]);
        assert_eq!(told.count(), 1, "{status}: {inbox:?}");
    }
    assert_eq!(bench.world.connects.load(Ordering::Relaxed), 0);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_domain_that_is_mended_gets_the_next_message_whatever_was_known_of_it() {
    let bench = Bench::start().await;
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_gone(id).await;
    assert_eq!(bench.inbox("ada@example.org").await.len(), 1);
    let host = bench.world.host("to.example", "192.0.2.1");
    bench.pass(2 * MINUTE);
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    assert_eq!(bench.inbox("ada@example.org").await.len(), 1, "nothing more came back");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_dns_does_not_tell_or_tells_falsely_is_waited_for() {
    // attacks.md 21: a false answer is never taken for an unsigned one, and sends nothing back.
    let bench = Bench::start().await;
    let host = bench.world.host_at("192.0.2.1");
    let troubles =
        [DnsTrouble::ServerFailure, DnsTrouble::TimedOut, DnsTrouble::Bogus, DnsTrouble::Malformed];
    let mut ids = Vec::new();
    for (at, trouble) in troubles.into_iter().enumerate() {
        let name = format!("to{at}.example");
        let reason = Unroutable::Dns { domain: name.clone(), trouble };
        bench.world.leads(&name, Route::Unroutable { reason, skipped: Vec::new() });
        let id = bench.accept(Mail::to(&[&format!("bob@{name}")])).await;
        let item = bench.until_attempts(id, 1).await;
        assert_eq!((item.state.recipients.len(), &item.state.status), (1, &QueueStatus::Waiting));
        bench.world.leads(&name, world::hosts(&name, &[("mx.to.example", &["192.0.2.1"])]));
        ids.push(id);
    }
    assert_eq!(bench.world.connects.load(Ordering::Relaxed), 0);
    bench.pass(HOUR);
    for id in ids {
        bench.until_gone(id).await;
    }
    assert_eq!(host.taken().len(), 4);
    assert!(bench.inbox("ada@example.org").await.is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_policy_of_the_domain_forbids_waits_and_goes_when_it_is_allowed() {
    // attacks.md 22: an enforced policy keeps mail back, and loses none.
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    *bench.world.forbidden.lock().unwrap() = Some("the policy of to.example does not list it".to_owned());
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    let last = item.state.recipients[0].last.as_ref().unwrap();
    assert_eq!(last.status.to_string(), "4.7.10");
    assert_eq!(host.connections.load(Ordering::Relaxed), 0, "nothing is said to it");
    *bench.world.forbidden.lock().unwrap() = None;
    bench.pass(HOUR);
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    assert!(bench.inbox("ada@example.org").await.is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_whose_addressee_is_nowhere_ends_with_the_postmaster() {
    // attacks.md 14: a bounce of a bounce.
    let bench = Bench::start().await;
    let id = bench.accept(Mail { from: "<zoe@nowhere.example>", ..Mail::to(&["bob@nobody.example"]) }).await;
    bench.until_gone(id).await;
    bench.until(|| async { bench.shared.store.queue_figures().await.unwrap().waiting == 0 }).await;
    let inbox = bench.inbox("postmaster@mail.example.org").await;
    assert_eq!(inbox.len(), 1);
    assert!(inbox[0].starts_with("Return-Path: <>\r\n"));
    assert_eq!(field(&report_fields(&inbox[0]), "Final-Recipient"), ["rfc822; zoe@nowhere.example"]);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_without_descriptors_or_memory_sends_nothing_back_and_recovers() {
    // attacks.md 25.
    for error in [EMFILE, ENOMEM] {
        let bench = Bench::start().await;
        let host = bench.world.host("to.example", "192.0.2.1");
        *bench.world.connect_error.lock().unwrap() = Some(error);
        let mut ids = Vec::new();
        for _ in 0..10 {
            ids.push(bench.accept(Mail::to(&["bob@to.example"])).await);
        }
        bench.until(|| async { bench.shared.delivery.runner.board().loaded() == 0 }).await;
        assert_eq!(host.taken().len(), 0);
        *bench.world.connect_error.lock().unwrap() = None;
        for _ in 0..20 {
            bench.pass(HOUR);
            bench.until(|| async { bench.shared.delivery.runner.board().loaded() == 0 }).await;
        }
        for id in ids {
            bench.until_gone(id).await;
        }
        assert_eq!(host.taken().len(), 10);
        assert!(bench.inbox("ada@example.org").await.is_empty());
        bench.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_relayed_while_the_disk_fails_is_not_sent_again_and_is_settled_when_it_works() {
    // attacks.md 25 and 26: between the 250 of the host and the removal here.
    let disk = SimDisk::new();
    let bench = Bench::start_on(Arc::new(disk.clone()), |_| {}).await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "450 4.2.1 not now");
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_attempts(id, 1).await;
    bench.until(|| async { bench.shared.delivery.runner.board().loaded() == 0 }).await;
    host.answers("bob@to.example", "250 2.1.5 ok");
    disk.set_faults(Faults { fail_writes: Some(bench.data.path().to_path_buf()), ..Faults::default() });
    bench.pass(15 * MINUTE);
    while host.taken().is_empty() {
        tokio::task::yield_now().await;
    }
    // Whatever else is asked for meanwhile.
    bench.shared.delivery.start_now(&Flush::All);
    bench.pass(HOUR);
    assert_eq!(bench.items(id).await.len(), 1, "it is not recorded yet");
    disk.set_faults(Faults::default());
    while !bench.items(id).await.is_empty() {
        bench.pass(MINUTE);
        tokio::task::yield_now().await;
    }
    assert_eq!(host.taken().len(), 1, "it went once");
    assert!(bench.inbox("ada@example.org").await.is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_jumps_ahead_ends_nothing_without_another_attempt() {
    // attacks.md 25.
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    *host.is_down.lock().unwrap() = true;
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_attempts(id, 1).await;
    *host.is_down.lock().unwrap() = false;
    bench.pass(YEAR);
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1, "the attempt after the jump is made");
    assert!(bench.inbox("ada@example.org").await.iter().all(|mail| !mail.contains("Action: failed")));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_is_put_back_holds_up_nothing_that_comes_after() {
    // attacks.md 25. A site that was suspended by the wrong clock is not suspended for a year.
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    *host.is_down.lock().unwrap() = true;
    bench.pass(YEAR);
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(bench.accept(Mail::to(&["bob@to.example"])).await);
    }
    bench.until(|| async { bench.shared.delivery.runner.board().loaded() == 0 }).await;
    *host.is_down.lock().unwrap() = false;
    bench.world.set_clock(START);
    bench.pass(2 * HOUR);
    ids.push(bench.accept(Mail::to(&["eve@to.example"])).await);
    // What was put off by the wrong clock goes out by the right one.
    for id in ids {
        bench.until_gone(id).await;
    }
    assert_eq!(host.taken().len(), 6);
    let now = bench.world.now();
    assert!(now < START.plus(YEAR), "the clock of the test stayed back");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_wrong_clock_put_off_is_found_at_the_next_start_and_what_its_sender_put_off_stays() {
    // attacks.md 25.
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "450 4.2.1 not now");
    let hold = types::Hold::For { seconds: 30 * 24 * 3600 };
    let parameters = MailParameters { hold: Some(hold), ..MailParameters::default() };
    let held = bench.accept(Mail { parameters, ..Mail::to(&["eve@to.example"]) }).await;
    bench.pass(YEAR / 100);
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    assert!(item.state.due_at > START.plus(YEAR / 100));
    bench.until(|| async { bench.shared.delivery.runner.board().loaded() == 0 }).await;
    let (data, config, world) = bench.stop().await;
    world.set_clock(START.plus(HOUR));
    host.answers("bob@to.example", "250 2.1.5 ok");
    let bench = Bench::open(data, config, world).await;
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    bench.until_told(id, EventStep::Postponed, "a clock that jumped").await;
    let held = bench.items(held).await.remove(0);
    assert_eq!(held.state.due_at, START.plus(30 * 24 * HOUR));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fault_in_finding_a_route_keeps_mail_waiting_and_nothing_else_back() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    bench.world.poisoned_routes.store(true, Ordering::Relaxed);
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    assert_eq!(item.state.recipients.len(), 1, "a fault of ours sends nothing back");
    bench.world.poisoned_routes.store(false, Ordering::Relaxed);
    bench.pass(15 * MINUTE);
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    assert!(bench.inbox("ada@example.org").await.is_empty());
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failure_that_nobody_can_be_told_for_want_of_room_is_told_when_there_is_some() {
    // attacks.md 25.
    let disk = SimDisk::new();
    let bench = Bench::start_on(Arc::new(disk.clone()), |config| {
        config.store.min_free_bytes = ByteSize(1000);
    })
    .await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "450 4.2.1 not now");
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_attempts(id, 1).await;
    bench.until(|| async { bench.shared.delivery.runner.board().loaded() == 0 }).await;
    host.answers("bob@to.example", "550 5.1.1 nobody");
    disk.set_faults(Faults { free_bytes: Some(0), ..Faults::default() });
    let held = |item: &store::QueueItem| matches!(item.state.status, QueueStatus::Held { .. });
    while !held(&bench.items(id).await.remove(0)) {
        bench.pass(15 * MINUTE);
        tokio::task::yield_now().await;
    }
    assert!(bench.world.now() > START.plus(5 * 24 * HOUR), "its time was not over");
    assert!(bench.inbox("ada@example.org").await.is_empty());
    // Somebody has made room, and lets it go on.
    disk.set_faults(Faults::default());
    let item = bench.items(id).await.remove(0);
    let QueueStatus::Held { reason } = &item.state.status else { panic!("{item:?}") };
    assert!(reason.contains("nobody can be told"), "{reason}");
    bench.until_told(id, EventStep::Held, "nobody can be told").await;
    let state = store::QueueState { status: QueueStatus::Waiting, own_failures: 0, ..item.state };
    let next = store::Next::Waits(state);
    let release = store::Settlement { id: item.id, revision: item.revision, next };
    bench.shared.store.settle(vec![release], Vec::new()).await.unwrap();
    bench.shared.delivery.changed(&[item.id]);
    bench.until_gone(id).await;
    assert_eq!(bench.inbox("ada@example.org").await.iter().filter(|mail| mail.contains("failed")).count(), 1);
    bench.stop().await;
}
