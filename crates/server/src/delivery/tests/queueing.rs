//! What does not hold up what, who is fenced, and what is set aside.

use std::sync::atomic::Ordering;

use store::{Next, QueueStatus, Settlement};

use super::world::TestHost;
use super::*;
use mta::route::Route;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_destination_with_many_items_does_not_hold_up_another() {
    // attacks.md 24.
    let bench = Bench::start_with(|config| config.queue.loaded_max = 100).await;
    let dead = bench.world.host("dead.example", "192.0.2.1");
    *dead.is_down.lock().unwrap() = true;
    for _ in 0..300 {
        bench.accept(Mail::to(&["bob@dead.example"])).await;
    }
    let host = bench.world.host("to.example", "192.0.2.2");
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    // Four failures in a row, and it is left alone.
    let sites = bench.shared.delivery.sites();
    let site = sites.iter().find(|site| site.name == "mx.dead.example").unwrap();
    assert!(matches!(&site.state, crate::delivery::SiteState::Suspended { .. }), "{site:?}");
    assert!(bench.world.connects.load(Ordering::Relaxed) < 100);
    // When it is back, all of it goes out.
    *dead.is_down.lock().unwrap() = false;
    for _ in 0..20 {
        bench.pass(HOUR);
        bench.until(|| async { bench.shared.delivery.runner.board().loaded() == 0 }).await;
    }
    bench.until(|| async { bench.shared.store.queue_figures().await.unwrap().waiting == 0 }).await;
    assert_eq!(dead.taken().len(), 300);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_into_memory_waits_in_the_store_and_goes_out() {
    let bench = Bench::start_with(|config| config.queue.loaded_max = 100).await;
    let host = bench.world.host("to.example", "192.0.2.1");
    *host.is_down.lock().unwrap() = true;
    for _ in 0..250 {
        bench.accept(Mail::to(&["bob@to.example"])).await;
        assert!(bench.shared.delivery.runner.board().loaded() <= 100);
    }
    *host.is_down.lock().unwrap() = false;
    bench.shared.delivery.start_now(&Flush::All);
    bench.until(|| async { bench.shared.store.queue_figures().await.unwrap().waiting == 0 }).await;
    assert_eq!(host.taken().len(), 250);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_that_breaks_the_runner_is_set_aside_and_the_rest_flows() {
    // attacks.md 23.
    let bench = Bench::start_with(|config| config.queue.own_failures_max = 2).await;
    bench.world.host("to.example", "192.0.2.1");
    *bench.world.poison.lock().unwrap() = Some("poison".to_owned());
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    assert_eq!((item.state.own_failures, &item.state.status), (1, &QueueStatus::Waiting));
    bench.pass(15 * MINUTE);
    let item = bench.until_attempts(id, 2).await;
    assert!(matches!(&item.state.status, QueueStatus::Held { reason } if reason.contains("set aside")));
    assert_eq!(bench.trace(id, EventStep::Held).await.len(), 1);
    *bench.world.poison.lock().unwrap() = None;
    let next = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_gone(next).await;
    assert!(bench.inbox("ada@example.org").await.is_empty(), "a fault of ours sends no mail back");
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_operator_removed_before_its_attempt_is_not_sent() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "450 4.2.1 not now");
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    let removed = Settlement { id: item.id, revision: item.revision, next: Next::Gone };
    bench.shared.store.settle(vec![removed], Vec::new()).await.unwrap();
    bench.shared.delivery.changed(&[item.id]);
    host.answers("bob@to.example", "250 2.1.5 ok");
    bench.pass(HOUR);
    let other = bench.accept(Mail::to(&["eve@to.example"])).await;
    bench.until_gone(other).await;
    assert_eq!(host.taken().len(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_on_demand_waits_until_it_is_asked_for() {
    let bench = Bench::start().await;
    let host = bench.world.host("asked.to.example", "192.0.2.1");
    bench.world.leads("to.example", Route::OnDemand);
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until(|| async { bench.items(id).await.iter().all(|item| item.revision > 1) }).await;
    let item = bench.items(id).await.remove(0);
    assert_eq!(
        (item.state.attempts, item.state.due_at),
        (0, START.plus(4 * HOUR)),
        "until the notice of delay"
    );
    bench.shared.delivery.start_now(&Flush::Destination(item.destination));
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_goes_over_a_connection_that_was_turned_round() {
    // RFC 2645 §4.
    let bench = Bench::start().await;
    bench.world.leads("to.example", Route::OnDemand);
    let mut ids = Vec::new();
    for _ in 0..30 {
        ids.push(bench.accept(Mail::to(&["bob@to.example"])).await);
    }
    bench.until(|| async { bench.shared.delivery.runner.board().loaded() == 0 }).await;
    let host = Arc::new(TestHost::new());
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serving = Arc::clone(&host);
    tokio::spawn(async move { serving.serve(theirs).await });
    let report = bench.shared.delivery.over(Box::new(ours), None, &["to.example".parse().unwrap()]).await;
    assert_eq!((report.relayed, report.left, report.is_complete), (30, 0, true));
    for id in ids {
        bench.until_gone(id).await;
    }
    assert_eq!(host.taken().len(), 30);
    bench.stop().await;
}

/// RFC 8689 §4.2.1: who fetches the mail has logged in, and the connection is as encrypted as it was then.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requiretls_goes_over_a_turned_connection_that_is_encrypted_and_promises_it_and_over_no_other() {
    let bench = Bench::start().await;
    bench.world.leads("to.example", Route::OnDemand);
    let tls = || {
        let (version, cipher_suite) = ("TLS1.3".to_owned(), "TLS_AES_256_GCM_SHA384".to_owned());
        Some(types::TlsParameters { version, cipher_suite })
    };
    for (tls, extension, relayed) in
        [(None, "REQUIRETLS", 0), (tls(), "PIPELINING", 0), (tls(), "REQUIRETLS", 1)]
    {
        let parameters = MailParameters { require_tls: true, ..MailParameters::default() };
        let id = bench.accept(Mail { parameters, ..Mail::to(&["bob@to.example"]) }).await;
        let host = Arc::new(TestHost::new());
        *host.extensions.lock().unwrap() = vec![extension];
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let serving = Arc::clone(&host);
        tokio::spawn(async move { serving.serve(theirs).await });
        let domains = ["to.example".parse().unwrap()];
        let report = bench.shared.delivery.over(Box::new(ours), tls, &domains).await;
        assert_eq!((report.relayed, host.taken().len()), (relayed, usize::try_from(relayed).unwrap()));
        let mails = host.mails.lock().unwrap().clone();
        assert!(mails.iter().all(|mail| mail.ends_with(" REQUIRETLS")), "{mails:?}");
        // What the host cannot promise comes back (RFC 8689 §4.2.1).
        bench.until_gone(id).await;
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_is_turned_round_right_after_the_acceptance_gets_the_message() {
    // RFC 2645 §5.2.1: what the acceptance was told is what the host gets.
    let bench = Bench::start().await;
    bench.world.leads("to.example", Route::OnDemand);
    for round in 1..=50 {
        let id = bench.accept(Mail::to(&["bob@to.example"])).await;
        let host = Arc::new(TestHost::new());
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let serving = Arc::clone(&host);
        tokio::spawn(async move { serving.serve(theirs).await });
        let report = bench.shared.delivery.over(Box::new(ours), None, &["to.example".parse().unwrap()]).await;
        assert_eq!((report.relayed, host.taken().len()), (1, 1), "round {round}");
        bench.until_gone(id).await;
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_turned_connection_does_not_take_is_tried_once_and_does_not_hold_up_the_rest() {
    let bench = Bench::start().await;
    bench.world.leads("to.example", Route::OnDemand);
    for number in 0..60 {
        let to = if number < 30 { "eve@to.example" } else { "bob@to.example" };
        bench.accept(Mail::to(&[to])).await;
    }
    let host = Arc::new(TestHost::new());
    host.answers("eve@to.example", "450 4.2.1 not now");
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serving = Arc::clone(&host);
    tokio::spawn(async move { serving.serve(theirs).await });
    let report = bench.shared.delivery.over(Box::new(ours), None, &["to.example".parse().unwrap()]).await;
    assert_eq!((report.relayed, report.left, report.is_complete), (30, 30, true));
    assert_eq!((host.taken().len(), host.mails.lock().unwrap().len()), (30, 60));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_for_right_after_its_acceptance_goes_out() {
    // RFC 1985 §5.
    let bench = Bench::start().await;
    for round in 1..=20 {
        let name = format!("to{round}.example");
        let host = bench.world.host(&format!("asked.{name}"), "192.0.2.1");
        bench.world.leads(&name, Route::OnDemand);
        let to = format!("bob@{name}");
        let id = bench.accept(Mail::to(&[&to])).await;
        bench.shared.delivery.start_now(&Flush::Destination(Destination::named(&name).unwrap()));
        bench.until_gone(id).await;
        assert_eq!(host.taken().len(), 1, "round {round}");
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_claimed_anew_before_its_settlement_is_told_is_not_claimed_by_nobody() {
    let bench = Bench::start().await;
    let host = bench.world.host("to.example", "192.0.2.1");
    host.answers("bob@to.example", "450 4.2.1 not now");
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    let item = bench.until_attempts(id, 1).await;
    let runner = &bench.shared.delivery.runner;
    bench.until(|| async { runner.board().loaded() == 0 }).await;
    host.answers("bob@to.example", "250 2.1.5 now");
    // As ETRN makes it due.
    let now = crate::delivery::World::now(&*bench.world);
    assert!(runner.board().adopt(&item));
    let state = store::QueueState { due_at: now, ..item.state };
    let due = Settlement { id: item.id, revision: item.revision, next: Next::Waits(state) };
    bench.shared.store.settle(vec![due], Vec::new()).await.unwrap();
    // The loader looks just then, and finds it in memory.
    let claim = bench.shared.store.claim(&item.destination, now, 10, HOUR);
    for item in claim.await.unwrap() {
        let loaded = crate::delivery::board::Loaded { item, fresh: None, loaded_at: now };
        let mut effects = crate::delivery::board::Effects::default();
        runner.board().add(loaded, now, &mut effects);
        assert!(effects.release.is_empty());
    }
    runner.finished([(item.id, item.destination)]);
    bench.shared.delivery.wake();
    bench.until_gone(id).await;
    assert_eq!(host.taken().len(), 1);
    bench.stop().await;
}
