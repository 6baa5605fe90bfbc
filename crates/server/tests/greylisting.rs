//! Greylisting (RFC 6647) over real sockets. The clock is that of the machine: that time has passed is written into the file from
//! which the node remembers, which is read when it starts again.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;
#[path = "common/resolver.rs"]
mod resolver;
#[path = "common/strangers.rs"]
mod strangers;

use std::net::Ipv4Addr;

use common::TestNode;
use house::{TRUSTED, Way, id_in, inbox, logged_in, production, talk};
use mta::admission::reputation::Subject;
use resolver::{Resolver, Zone};
use server::config::{
    Config, DnsList, DnsServer, GreylistChoice, Service, Subjects, Switch, Weight, Zone as ListZone,
};
use store::{Trace as _, TraceQuery};
use strangers::{node, visit};

const ADA: &str = "ada@example.org";
const SENDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const TEXT: &str = "From: Bob <bob@sender.example>\r\nSubject: s\r\n\r\ntext";

async fn greylisting(zone: Zone, change: impl FnOnce(&mut Config)) -> (TestNode, Resolver) {
    node(zone, |config| {
        config.greylisting.mode = GreylistChoice::All;
        change(config);
    })
    .await
}

async fn post(node: &TestNode, ip: Ipv4Addr, mail: &str, to: &str) -> String {
    visit(node, ip).await.post(mail, &[to], TEXT).await
}

/// Starts the node again, so long after.
async fn later(
    node: TestNode,
    resolver: &Resolver,
    seconds: u64,
    change: impl FnOnce(&mut Config),
) -> TestNode {
    let server = DnsServer(resolver.address);
    let path = node.data().join("greylist");
    // What was seen is written at the stop, before anything reads it again.
    let node = node.restart(|config| same(config, server)).await;
    let mut entries: Vec<serde_json::Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    for entry in &mut entries {
        for key in ["first", "last"] {
            if let Some(time) = entry.get(key).and_then(serde_json::Value::as_u64) {
                entry[key] = (time - seconds * 1000).into();
            }
        }
    }
    let text = serde_json::to_vec(&entries).unwrap();
    node.restart(|config| {
        // The node before has stopped, and nothing has changed in it.
        std::fs::write(&path, text).unwrap();
        same(config, server);
        change(config);
    })
    .await
}

fn same(config: &mut Config, server: DnsServer) {
    production(config);
    config.authenticity.verify = Switch::On;
    config.dns.servers = vec![server];
    config.greylisting.mode = GreylistChoice::All;
    for listener in &mut config.listeners {
        if listener.service == Service::Smtp {
            listener.proxy_from = vec!["127.0.0.5/32".parse().unwrap()];
        }
    }
}

async fn has_reason(node: &TestNode, reply: &str, start: &str) -> bool {
    let query = TraceQuery { id: Some(id_in(reply)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    events.iter().any(|event| event.reason.starts_with(start))
}

#[tokio::test]
async fn a_new_sender_is_told_how_long_to_wait_and_taken_when_it_comes_again() {
    let (node, resolver) = greylisting(Zone::default(), |_| {}).await;
    let reply = post(&node, SENDER, "<bob@sender.example>", ADA).await;
    assert!(
        reply.starts_with(
            "451 4.7.1 Greylisted: this sender is new here; send the message again after 5 min ["
        ),
        "{reply}"
    );
    assert!(has_reason(&node, &reply, "greylisted: bob@sender.example from 192.0.2.0/24 is new").await);
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("451 4.7.1"));
    assert_eq!(inbox(&node, ADA).await.len(), 0);

    let node = later(node, &resolver, 301, |_| {}).await;
    // Another host of the same network.
    let neighbour = Ipv4Addr::new(192, 0, 2, 99);
    let reply = post(&node, neighbour, "<bob@sender.example>", ADA).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert!(has_reason(&node, &reply, "greylisting: it has come again").await);
    assert_eq!(inbox(&node, ADA).await.len(), 1);
    // Another sender, network or recipient is new.
    for (ip, mail, to) in [
        (SENDER, "<eve@sender.example>", ADA),
        (ELSEWHERE, "<bob@sender.example>", ADA),
        (SENDER, "<bob@sender.example>", "carol@example.org"),
    ] {
        assert!(post(&node, ip, mail, to).await.starts_with("451 4.7.1"), "{ip} {mail} {to}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_sender_that_spf_vouches_for_may_come_again_from_anywhere_that_spf_names() {
    let zone = Zone::default().txt("sender.example", "v=spf1 ip4:192.0.2.1 ip4:198.51.100.7 -all");
    let (node, resolver) = greylisting(zone, |_| {}).await;
    assert!(post(&node, SENDER, "<bounce-1@sender.example>", ADA).await.starts_with("451 4.7.1"));
    let node = later(node, &resolver, 301, |_| {}).await;
    let reply = post(&node, ELSEWHERE, "<bounce-2@sender.example>", ADA).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn reports_the_postmaster_and_those_who_are_known_do_not_wait() {
    let (node, _) = greylisting(Zone::default(), |_| {}).await;
    assert!(post(&node, SENDER, "<>", ADA).await.starts_with("250 2.0.0"));
    let reply = post(&node, SENDER, "<bob@sender.example>", "postmaster@example.org").await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    assert!(trusted.post("<x@sender.example>", &[ADA], TEXT).await.starts_with("250 2.0.0"));
    let mut bob = logged_in(&node, "bob@example.org").await;
    let own = "From: bob@example.org\r\n\r\ntext";
    assert!(bob.post("<bob@example.org>", &[ADA], own).await.starts_with("250 2.0.0"));
    node.stop().await;

    let (node, _) = greylisting(Zone::default(), |config| {
        config.reputation.trust = vec!["192.0.2.0/24".parse().unwrap()];
    })
    .await;
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("250 2.0.0"));
    assert!(post(&node, ELSEWHERE, "<bob@sender.example>", ADA).await.starts_with("451 4.7.1"));
    node.stop().await;
}

#[tokio::test]
async fn who_is_on_an_allow_list_does_not_wait() {
    let answer = Ipv4Addr::new(127, 0, 0, 2);
    let zone =
        Zone::default().address("2.0.0.127.wl.example", answer).address("1.2.0.192.wl.example", answer);
    let list = DnsList {
        zone: ListZone(Some("wl.example".parse().unwrap())),
        of: Subjects(vec![Subject::Address]),
        weight: Weight(-1),
        ..DnsList::default()
    };
    let (node, _) = greylisting(zone, |config| config.dnsbl = vec![list]).await;
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("250 2.0.0"));
    assert!(post(&node, ELSEWHERE, "<bob@sender.example>", ADA).await.starts_with("451 4.7.1"));
    node.stop().await;
}

#[tokio::test]
async fn a_domain_with_a_good_history_of_dmarc_does_not_wait() {
    let zone = Zone::default()
        .txt("sender.example", "v=spf1 ip4:192.0.2.1 ip4:198.51.100.7 -all")
        .txt("_dmarc.sender.example", "v=DMARC1; p=none");
    let (node, resolver) = greylisting(zone, |_| {}).await;
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("451 4.7.1"));
    let history = |config: &mut Config| {
        config.greylisting.author_messages = 1;
        config.greylisting.author_days = 1;
    };
    let node = later(node, &resolver, 301, history).await;
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("250 2.0.0"));
    let reply = post(&node, ELSEWHERE, "<eve@sender.example>", "carol@example.org").await;
    assert!(
        has_reason(&node, &reply, "greylisting: the author's domain has a good history").await,
        "{reply}"
    );
    // Without DMARC the name of the author is anybody's.
    let reply = post(&node, Ipv4Addr::new(203, 0, 113, 5), "<x@other.example>", ADA).await;
    assert!(reply.starts_with("451 4.7.1"), "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn only_who_looks_like_something_waits_where_that_is_asked_for() {
    let zone = Zone::default().host("mx.sender.example", SENDER);
    let (node, _) = node(zone, |config| config.greylisting.mode = GreylistChoice::Suspicious).await;
    let reply = post(&node, SENDER, "<bob@sender.example>", ADA).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    // This address has no name.
    assert!(post(&node, ELSEWHERE, "<bob@sender.example>", ADA).await.starts_with("451 4.7.1"));
    node.stop().await;
}

#[tokio::test]
async fn a_lost_or_damaged_memory_costs_a_wait_and_no_mail() {
    let (node, resolver) = greylisting(Zone::default(), |_| {}).await;
    let server = DnsServer(resolver.address);
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("451 4.7.1"));
    let node = later(node, &resolver, 301, |_| {}).await;
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("250 2.0.0"));
    let path = node.data().join("greylist");
    let node = node
        .restart(|config| {
            std::fs::write(&path, "[{\"is\":\"sender\",\"client\":7").unwrap();
            same(config, server);
        })
        .await;
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("451 4.7.1"));
    // What a newer version has written is passed over.
    let node = node
        .restart(|config| {
            std::fs::write(&path, "[{\"is\":\"moon\",\"phase\":3}]").unwrap();
            same(config, server);
        })
        .await;
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("451 4.7.1"));
    node.stop().await;
}

#[tokio::test]
async fn for_reports_of_dmarc_a_message_that_comes_again_is_one_message() {
    let zone = Zone::default().txt("_dmarc.sender.example", "v=DMARC1; p=none; rua=mailto:r@sender.example");
    let (node, resolver) = greylisting(zone, |_| {}).await;
    let counted = node.data().join("dmarc-results");
    for _ in 0..2 {
        assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("451 4.7.1"));
    }
    let node = later(node, &resolver, 301, |_| {}).await;
    assert!(!counted.exists());
    assert!(post(&node, SENDER, "<bob@sender.example>", ADA).await.starts_with("250 2.0.0"));
    // It is written at the stop.
    let node = later(node, &resolver, 0, |_| {}).await;
    let days: serde_json::Value = serde_json::from_slice(&std::fs::read(&counted).unwrap()).unwrap();
    let rows = &days[0]["domains"]["sender.example"][0]["rows"];
    assert_eq!((rows.as_array().map(Vec::len), &rows[0][1]), (Some(1), &1.into()), "{days}");
    node.stop().await;
}
