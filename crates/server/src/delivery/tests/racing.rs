//! Several addresses of one host, and several hosts.

use std::sync::atomic::Ordering;

use super::*;
use crate::config::Seconds;

/// RFC 8305 §5.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_is_silent_is_outrun_by_another_of_its_host_and_asked_after_it_from_then_on() {
    let bench = Bench::start_with(|config| config.delivery.idle_s = Seconds(0)).await;
    let silent = bench.world.host_at("192.0.2.1");
    let host = bench.world.host_at("192.0.2.2");
    *silent.is_silent.lock().unwrap() = true;
    let addresses: &[&str] = &["192.0.2.1", "192.0.2.2"];
    bench.world.leads("to.example", world::hosts("mx.to.example", &[("mx.to.example", addresses)]));
    // The second message does not ask the silent one any more.
    for (messages, connects) in [(1, 2), (2, 3)] {
        let id = bench.accept(Mail::to(&["bob@to.example"])).await;
        bench.until_gone(id).await;
        assert_eq!(host.taken().len(), messages);
        assert_eq!(bench.world.connects.load(Ordering::Relaxed), connects);
        // It has said nothing, and nothing is said of it.
        let relayed = bench.trace(id, EventStep::Relayed).await;
        assert!(relayed[0].reason.contains("mx.to.example [192.0.2.2]"), "{}", relayed[0].reason);
        assert_eq!(bench.trace(id, EventStep::Attempt).await, []);
    }
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_behind_the_one_that_takes_it_are_not_even_looked_at() {
    let bench = Bench::start().await;
    let hosts = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|ip| bench.world.host_at(ip));
    let first: &[&str] = &["192.0.2.1", "192.0.2.2"];
    let route = world::hosts("mx", &[("mx1.to.example", first), ("mx2.to.example", &["192.0.2.3"])]);
    bench.world.leads("to.example", route);
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_gone(id).await;
    assert_eq!(hosts.map(|host| host.taken().len()), [1, 0, 0]);
    assert_eq!(bench.world.connects.load(Ordering::Relaxed), 1);
    assert_eq!(bench.world.asked_for_tls.load(Ordering::Relaxed), 1);
    bench.stop().await;
}

/// RFC 5321 §5.1: hosts do not race, whatever their addresses do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_address_said_is_told_and_the_next_host_comes_after_all_of_them() {
    let bench = Bench::start().await;
    let hosts = ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|ip| bench.world.host_at(ip));
    *hosts[0].is_down.lock().unwrap() = true;
    *hosts[1].greeting.lock().unwrap() = "421 4.3.2 not now".to_owned();
    let first: &[&str] = &["192.0.2.1", "192.0.2.2"];
    let route = world::hosts("mx", &[("mx1.to.example", first), ("mx2.to.example", &["192.0.2.3"])]);
    bench.world.leads("to.example", route);
    let id = bench.accept(Mail::to(&["bob@to.example"])).await;
    bench.until_gone(id).await;
    assert_eq!(hosts.map(|host| host.taken().len()), [0, 0, 1]);
    let attempts = bench.trace(id, EventStep::Attempt).await;
    let asked: Vec<_> = attempts.iter().filter_map(|event| event.address.as_deref()).collect();
    assert_eq!(asked, ["mx1.to.example [192.0.2.1]", "mx1.to.example [192.0.2.2]"]);
    bench.stop().await;
}
