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
    PROXY, TRUSTED, Talk, Way, alias, fields, from, house, id_in, inbox, logged_in, production, queue,
    queued, talk,
};
use mta::route::{Pattern, Protocol, Transport};
use resolver::{Resolver, Zone};
use server::config::{ArcSeal, Config, DnsServer, Service, Switch, TransportRule, Transports, TroubleChoice};
use signatures::{by_both_keys, chain, make_keys, remove_keys, signers};
use store::{Directory as _, Put, Trace as _, TraceQuery};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use types::EventStep;
use types::directory::DomainEntry;

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

/// What strangers send by the proxy is verified, and sealed where it is sent on.
fn sealing(config: &mut Config, resolver: &Resolver) {
    config.authenticity.verify = Switch::On;
    config.dns.servers = vec![DnsServer(resolver.address)];
    config.signing.arc_seal = ArcSeal::Forwarded;
    for listener in &mut config.listeners {
        if listener.service == Service::Smtp {
            listener.proxy_from = vec!["127.0.0.5/32".parse().unwrap()];
        }
    }
}

/// Starts the node again with that host as the way out, and has it send what waits.
async fn sent_on_by_a_restart(node: common::TestNode, address: SocketAddr) -> common::TestNode {
    let node = node
        .restart(|config| {
            production(config);
            to_host(config, address);
        })
        .await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    assert!(trusted.say("ETRN back.example").await.starts_with("25"));
    node
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
    assert_eq!(signers(&message, &records).await, by_both_keys("pass"), "{message}");
    let told = told(&node, &reply).await;
    assert!(told[0].starts_with("signed as example.org with "), "{told:?}");
    assert!(told[1].starts_with("after the conversion signed as example.org with "), "{told:?}");
    node.stop().await;
}

#[tokio::test]
async fn what_is_binary_is_signed_as_it_came_and_anew_after_its_conversion() {
    let binary = "From: ada@example.org\r\nMIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\n\
         Content-Transfer-Encoding: binary\r\n\r\n.\0one\ntwo\rthree \t\r\n\r\n.\r\nno end ";
    for offers in ["", "250-8BITMIME\r\n"] {
        let (address, taken) = host(offers).await;
        let node = house(|_| {}).await;
        let records = make_keys(&node, "example.org").await;
        let mut ada = logged_in(&node, ADA).await;
        let (mail, rcpt) = ("MAIL FROM:<ada@example.org> BODY=BINARYMIME", "RCPT TO:<you@back.example>");
        ada.dialogue(&[(mail, "250 "), (rcpt, "25")]).await;
        ada.send(format!("BDAT {} LAST\r\n{binary}", binary.len()).as_bytes()).await;
        ada.expect("250 ").await;
        let item = queue(&node).await.remove(0);
        let stored = queued(&node, &item).await;
        assert!(stored.ends_with("\r\nno end "), "{stored:?}");
        assert_eq!(signers(&stored, &records).await, by_both_keys("pass"), "{stored:?}");
        let node = sent_on_by_a_restart(node, address).await;
        let message = taken.await.unwrap();
        assert!(message.contains("\r\nContent-Transfer-Encoding: base64\r\n"), "{message}");
        assert_eq!(signers(&message, &records).await, by_both_keys("pass"), "{message}");
        node.stop().await;
    }
}

#[tokio::test]
async fn what_a_host_takes_as_it_is_keeps_its_signatures() {
    let (address, taken) = host("250-8BITMIME\r\n").await;
    let node = house(|config| to_host(config, address)).await;
    let records = make_keys(&node, "example.org").await;
    let reply = logged_in(&node, ADA).await.post("<ada@example.org> BODY=8BITMIME", &[YOU], EIGHT_BIT).await;
    let message = taken.await.unwrap();
    assert!(message.contains("Grüße"), "{message}");
    assert_eq!(signers(&message, &records).await, by_both_keys("pass"), "{message}");
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
    let node = sent_on_by_a_restart(node, address).await;
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
        sealing(config, &resolver);
    })
    .await;
    let records = make_keys(&node, "example.org").await;
    alias(&node, "abroad@example.org", &[YOU]).await;
    let text = EIGHT_BIT.replace(ADA, "bob@sender.example");
    stranger(&node).await.post("<bob@sender.example> BODY=8BITMIME", &["abroad@example.org"], &text).await;
    let message = taken.await.unwrap();
    assert!(message.contains("R3LDvMOfZQ0K"), "{message}");
    assert_eq!(fields(&message, "ARC-Seal").len(), 1, "{message}");
    assert_eq!(chain(&message, &records).await, "pass by example.org", "{message}");
    assert!(fields(&message, "ARC-Authentication-Results")[0].contains("spf=pass"), "{message}");
    node.stop().await;
}

#[tokio::test]
async fn a_chain_of_somebody_else_is_continued_and_ended_where_it_is_broken() {
    let zone = || {
        let zone = Zone::default().txt("sender.example", "v=spf1 ip4:192.0.2.1 -all");
        zone.host("mx.sender.example", Ipv4Addr::new(192, 0, 2, 1))
    };
    let resolver = zone().serve().await;
    let first = house(|config| sealing(config, &resolver)).await;
    let mut records = make_keys(&first, "example.org").await;
    alias(&first, "abroad@example.org", &[YOU]).await;
    let once = sent_on(&first, "abroad@example.org", &EIGHT_BIT.replace(ADA, "bob@sender.example")).await;
    first.stop().await;
    assert_eq!(chain(&once, &records).await, "pass by example.org");

    let zone = records.iter().fold(zone(), |zone, (name, record)| zone.txt(name, record));
    let resolver = zone.serve().await;
    let second = house(|config| sealing(config, &resolver)).await;
    let club = DomainEntry::new("club.example.net".parse().unwrap());
    second.store().put_domain(club, Put::New).await.unwrap();
    alias(&second, "on@club.example.net", &[YOU]).await;
    records.extend(make_keys(&second, "club.example.net").await);
    let twice = sent_on(&second, "on@club.example.net", once.trim_end_matches("\r\n")).await;
    assert!(twice.starts_with("ARC-Seal: i=2; a=rsa-sha256;"), "{twice}");
    assert_eq!(chain(&twice, &records).await, "pass by example.org, club.example.net");
    assert!(fields(&twice, "ARC-Authentication-Results")[0].contains("arc=pass"), "{twice}");
    // What is changed between them is told as it is, and by its own set alone.
    let changed = once.replacen("Subject: s", "Subject: t", 1);
    let broken = sent_on(&second, "on@club.example.net", changed.trim_end_matches("\r\n")).await;
    let seal = fields(&broken, "ARC-Seal").remove(0);
    assert!(seal.starts_with("i=2;") && seal.contains("cv=fail"), "{seal}");
    assert_eq!(chain(&broken, &records).await, "fail by ");
    // That is the end of it.
    alias(&second, "further@club.example.net", &[YOU]).await;
    let ended = sent_on(&second, "further@club.example.net", broken.trim_end_matches("\r\n")).await;
    assert_eq!(fields(&ended, "ARC-Seal").len(), 2, "{ended}");
    second.stop().await;
}

/// A session with a host that is elsewhere, as a proxy tells it.
async fn stranger(node: &common::TestNode) -> Talk {
    let mut talk: Talk = Client::over(Box::new(from(PROXY, node.smtp).await));
    talk.send(b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n").await;
    talk.expect("220 ").await;
    assert!(talk.say("EHLO mx.sender.example").await.starts_with("250 "));
    talk
}

/// What leaves of a stranger's message.
async fn sent_on(node: &common::TestNode, to: &str, text: &str) -> String {
    let reply = stranger(node).await.post("<bob@sender.example> BODY=8BITMIME", &[to], text).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let item = queue(node).await.pop().unwrap();
    queued(node, &item).await
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
    assert_eq!(signers(&message, &records).await, by_both_keys("pass"), "{message}");
    assert!(told(&node, &reply).await[0].starts_with("signed as example.org with "));
    node.stop().await;
}

#[tokio::test]
async fn what_an_alias_sends_on_is_signed_though_it_was_to_be_held_until_a_time_that_is_over() {
    let node = house(|_| {}).await;
    let records = make_keys(&node, "example.org").await;
    alias(&node, "abroad@example.org", &[YOU]).await;
    let text = "From: ada@example.org\r\n\r\ntext";
    let mail = "<ada@example.org> HOLDUNTIL=2020-01-01T00:00:00Z";
    logged_in(&node, ADA).await.post(mail, &["abroad@example.org"], text).await;
    let item = queue(&node).await.remove(0);
    assert_eq!(signers(&queued(&node, &item).await, &records).await, by_both_keys("pass"));
    node.stop().await;
}

#[tokio::test]
async fn where_keys_cannot_be_opened_mail_goes_unsigned_or_comes_again_as_the_configuration_says() {
    let mut node = house(|_| {}).await;
    let records = make_keys(&node, "example.org").await;
    let master_key = node.data().join("secret.key");
    let right = std::fs::read(&master_key).unwrap();
    let text = "From: ada@example.org\r\n\r\ntext";
    for (key, trouble, answer, signatures) in [
        (&[9; 32][..], TroubleChoice::Accept, "250 2.0.0 ", Some(0)),
        (&[9; 32], TroubleChoice::Defer, "451 4.3.0 ", None),
        (&right, TroubleChoice::Defer, "250 2.0.0 ", Some(2)),
    ] {
        std::fs::write(&master_key, key).unwrap();
        node = node
            .restart(|config| {
                production(config);
                config.signing.trouble = trouble;
            })
            .await;
        let mut ada = logged_in(&node, ADA).await;
        let waiting = queue(&node).await.len();
        let reply = ada.post("<ada@example.org>", &[YOU, ADA], text).await;
        assert!(reply.starts_with(answer), "{trouble:?}: {reply}");
        let queue = queue(&node).await;
        assert_eq!(queue.len(), waiting + usize::from(signatures.is_some()));
        if let Some(count) = signatures {
            let message = queued(&node, queue.last().unwrap()).await;
            assert_eq!(signers(&message, &records).await.len(), count, "{message}");
        } else {
            assert_eq!(inbox(&node, ADA).await.len(), waiting, "nothing is stored of what comes again");
        }
        // What stays here needs no key.
        assert!(ada.post("<ada@example.org>", &["bob@example.org"], text).await.starts_with("250 "));
    }
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
