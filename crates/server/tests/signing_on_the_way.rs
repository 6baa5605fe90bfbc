//! What becomes of signatures on the way out: what a host does not take as it is, is signed anew or goes without (RFC 6376 §5.3),
//! and what was held for its sender is signed as it goes (RFC 4865).

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;
#[path = "common/resolver.rs"]
mod resolver;
#[path = "common/signatures.rs"]
mod signatures;

use std::net::{Ipv4Addr, SocketAddr};

use common::Client;
use house::{
    PROXY, TRUSTED, Talk, Way, alias, fields, from, house, id_in, logged_in, production, queue, queued, talk,
};
use mta::route::{Pattern, Protocol, Transport};
use resolver::Zone;
use server::config::{ArcSeal, Config, DnsServer, Service, Switch, TransportRule, Transports};
use signatures::{chain, make_keys, remove_keys, signers};
use store::{Trace as _, TraceQuery};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use types::EventStep;

const ADA: &str = "ada@example.org";
const YOU: &str = "you@back.example";
const EIGHT_BIT: &str = "From: ada@example.org\r\nSubject: s\r\nMIME-Version: 1.0\r\n\
     Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\nGrüße";

/// A host that takes one message, and hands back what it was given. It offers what is in `offers`.
async fn host(offers: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let taken = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        let mut talk = Client::over(socket);
        talk.send(b"220 back.example ESMTP\r\n").await;
        loop {
            let command = talk.line().await;
            match command.split(' ').next().unwrap() {
                "EHLO" => talk.send(format!("250-back.example\r\n{offers}250 HELP\r\n").as_bytes()).await,
                "DATA" => {
                    talk.send(b"354 go\r\n").await;
                    let lines = talk.lines_until(".").await;
                    talk.send(b"250 2.0.0 taken\r\n").await;
                    return lines.iter().map(|line| format!("{line}\r\n")).collect();
                }
                "" => panic!("gone"),
                _ => talk.send(b"250 OK\r\n").await,
            }
        }
    });
    (address, taken)
}

/// All mail goes there.
fn to_host(config: &mut Config, address: SocketAddr) {
    let host = format!("[{}]", address.ip()).parse().unwrap();
    let to = Transport::Host { host, port: address.port(), protocol: Protocol::Smtp };
    config.transports = Transports::new(vec![TransportRule::new(Pattern::Everything, to)]);
}

/// What the trace tells of signing a message, once it has left.
async fn told(node: &common::TestNode, reply: &str) -> Vec<String> {
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while !queue(node).await.is_empty() {
        assert!(tokio::time::Instant::now() < deadline, "{:#?}", queue(node).await);
        tokio::task::yield_now().await;
    }
    let query = TraceQuery { id: Some(id_in(reply)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    let signed = events.into_iter().filter(|event| event.step == EventStep::Signed);
    signed.map(|event| event.reason).collect()
}

#[tokio::test]
async fn what_was_converted_for_a_host_is_signed_anew() {
    let (address, taken) = host("").await;
    let node = house(|config| to_host(config, address)).await;
    let records = make_keys(&node, "example.org").await;
    let reply = logged_in(&node, ADA).await.post("<ada@example.org> BODY=8BITMIME", &[YOU], EIGHT_BIT).await;
    let message = taken.await.unwrap();
    assert!(message.contains("\r\nContent-Transfer-Encoding: base64\r\n"), "{message}");
    assert!(message.contains("R3LDvMOfZQ0K"), "{message}");
    let both = ["example.org rsa-sha256 pass", "example.org ed25519-sha256 pass"];
    assert_eq!(signers(&message, &records).await, both, "{message}");
    let told = told(&node, &reply).await;
    assert!(told[0].starts_with("signed as example.org with "), "{told:?}");
    assert!(told[1].starts_with("after the conversion signed as example.org with "), "{told:?}");
    node.stop().await;
}

#[tokio::test]
async fn what_a_host_takes_as_it_is_keeps_its_signatures() {
    let (address, taken) = host("250-8BITMIME\r\n").await;
    let node = house(|config| to_host(config, address)).await;
    let records = make_keys(&node, "example.org").await;
    let reply = logged_in(&node, ADA).await.post("<ada@example.org> BODY=8BITMIME", &[YOU], EIGHT_BIT).await;
    let message = taken.await.unwrap();
    assert!(message.contains("Grüße"), "{message}");
    assert!(signers(&message, &records).await.iter().all(|signer| signer.ends_with(" pass")));
    assert_eq!(told(&node, &reply).await.len(), 1);
    node.stop().await;
}

#[tokio::test]
async fn what_was_converted_goes_without_a_signature_where_its_keys_are_gone() {
    let (address, taken) = host("").await;
    let node = house(|_| {}).await;
    make_keys(&node, "example.org").await;
    let reply = logged_in(&node, ADA).await.post("<ada@example.org> BODY=8BITMIME", &[YOU], EIGHT_BIT).await;
    let item = queue(&node).await.remove(0);
    assert_eq!(fields(&queued(&node, &item).await, "DKIM-Signature").len(), 2);
    remove_keys(&node, "example.org").await;
    let node = node
        .restart(|config| {
            production(config);
            to_host(config, address);
        })
        .await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    assert!(trusted.say("ETRN back.example").await.starts_with("25"));
    let message = taken.await.unwrap();
    assert!(message.contains("R3LDvMOfZQ0K") && message.starts_with("Received:"), "{message}");
    let told = told(&node, &reply).await;
    let why = "its signatures do not fit any more after the conversion, and were taken off: there are no keys to sign \
               it anew";
    assert_eq!(told.last().map(String::as_str), Some(why));
    node.stop().await;
}

#[tokio::test]
async fn a_seal_over_what_was_converted_is_made_anew_with_what_had_been_found() {
    let (address, taken) = host("").await;
    let zone = Zone::default().txt("sender.example", "v=spf1 ip4:192.0.2.1 -all");
    let resolver = zone.host("mx.sender.example", Ipv4Addr::new(192, 0, 2, 1)).serve().await;
    let node = house(|config| {
        to_host(config, address);
        config.authenticity.verify = Switch::On;
        config.dns.servers = vec![DnsServer(resolver.address)];
        config.signing.arc_seal = ArcSeal::Forwarded;
        for listener in &mut config.listeners {
            if listener.service == Service::Smtp {
                listener.proxy_from = vec!["127.0.0.5/32".parse().unwrap()];
            }
        }
    })
    .await;
    let records = make_keys(&node, "example.org").await;
    alias(&node, "abroad@example.org", &[YOU]).await;
    let mut stranger: Talk = Client::over(Box::new(from(PROXY, node.smtp).await));
    stranger.send(b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n").await;
    stranger.expect("220 ").await;
    assert!(stranger.say("EHLO mx.sender.example").await.starts_with("250 "));
    let text = EIGHT_BIT.replace(ADA, "bob@sender.example");
    stranger.post("<bob@sender.example> BODY=8BITMIME", &["abroad@example.org"], &text).await;
    let message = taken.await.unwrap();
    assert!(message.contains("R3LDvMOfZQ0K"), "{message}");
    assert_eq!(fields(&message, "ARC-Seal").len(), 1, "{message}");
    assert_eq!(chain(&message, &records).await, "pass by example.org", "{message}");
    assert!(fields(&message, "ARC-Authentication-Results")[0].contains("spf=pass"), "{message}");
    node.stop().await;
}

#[tokio::test]
async fn what_was_held_for_its_sender_is_signed_when_its_time_has_come() {
    let (address, taken) = host("").await;
    let node = house(|config| to_host(config, address)).await;
    let text = "From: ada@example.org\r\nSubject: s\r\n\r\ntext";
    let reply = logged_in(&node, ADA).await.post("<ada@example.org> HOLDFOR=1", &[YOU], text).await;
    // The keys are those of then.
    let records = make_keys(&node, "example.org").await;
    let message = taken.await.unwrap();
    let both = ["example.org rsa-sha256 pass", "example.org ed25519-sha256 pass"];
    assert_eq!(signers(&message, &records).await, both, "{message}");
    assert!(told(&node, &reply).await[0].starts_with("signed as example.org with "));
    node.stop().await;
}

#[tokio::test]
async fn what_was_held_for_an_alias_here_that_leads_elsewhere_is_signed_too() {
    let (address, taken) = host("").await;
    let node = house(|config| to_host(config, address)).await;
    let records = make_keys(&node, "example.org").await;
    alias(&node, "abroad@example.org", &[YOU]).await;
    let text = "From: ada@example.org\r\nSubject: s\r\n\r\ntext";
    logged_in(&node, ADA).await.post("<ada@example.org> HOLDFOR=1", &["abroad@example.org"], text).await;
    let message = taken.await.unwrap();
    assert!(message.contains("Delivered-To: abroad@example.org\r\n"), "{message}");
    assert_eq!(signers(&message, &records).await.len(), 2, "{message}");
    assert!(signers(&message, &records).await.iter().all(|signer| signer.ends_with(" pass")), "{message}");
    node.stop().await;
}
