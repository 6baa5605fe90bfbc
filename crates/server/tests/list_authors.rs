//! Copies that show a list as their author, where more than the author is in question: their signatures (RFC 6376), a message that
//! was held for its sender (RFC 4865), and one that is sent again with its key.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;
#[path = "common/resolver.rs"]
mod resolver;
#[path = "common/signatures.rs"]
mod signatures;
#[path = "common/strangers.rs"]
mod strangers;

use std::net::Ipv4Addr;

use common::TestNode;
use house::{fields, house, id_in, inbox, logged_in, put, queue, queued};
use resolver::Zone;
use server::config::ByteSize;
use signatures::{make_keys, signers};
use store::{QueueItem, Trace as _, TraceQuery};
use types::directory::{AddressKind, Expandable, FromRewriting, ListBounces, MailingList, Posters};

const ADA: &str = "ada@example.org";
const BOB: &str = "bob@example.org";
const ENGINES: &str = "engines@example.org";
const TEXT: &str = "From: Ada <ada@example.org>\r\nSubject: s\r\n\r\ntext";
const BOTH: [&str; 2] = ["example.org rsa-sha256 pass", "example.org ed25519-sha256 pass"];
const SHOWN: &str = "Ada via engines <engines@example.org>";

/// A list of Bob, who is here, and of a member elsewhere.
async fn engines(node: &TestNode, from: FromRewriting) {
    let list = MailingList {
        owner: BOB.parse().unwrap(),
        members: vec![BOB.parse().unwrap(), "member@far.example".parse().unwrap()],
        posters: Posters::Anyone,
        bounces: ListBounces::Verp,
        description: String::new(),
        expandable: Expandable::Never,
        from,
    };
    put(node, ENGINES, AddressKind::List(list)).await;
}

fn is_for(item: &QueueItem, recipient: &str) -> bool {
    item.state.recipients.iter().any(|queued| queued.recipient.forward_path.to_string() == recipient)
}

/// Every message that waits for this recipient.
async fn waiting(node: &TestNode, recipient: &str) -> Vec<String> {
    let mut found = Vec::new();
    for item in queue(node).await {
        if is_for(&item, recipient) {
            found.push(queued(node, &item).await);
        }
    }
    found
}

#[tokio::test]
async fn copies_that_show_the_list_are_signed_by_it_and_the_others_as_they_came() {
    for in_memory_max in [1 << 20, 0] {
        let node = house(|config| {
            config.limits.body_memory_per_message_bytes_max = ByteSize(in_memory_max);
        })
        .await;
        engines(&node, FromRewriting::Always).await;
        let records = make_keys(&node, "example.org").await;
        let mut ada = logged_in(&node, ADA).await;
        let reply = ada.post("<ada@example.org>", &[ENGINES, "you@one.example"], TEXT).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
        let copy = waiting(&node, "<member@far.example>").await.remove(0);
        let direct = waiting(&node, "<you@one.example>").await.remove(0);
        assert_eq!(fields(&copy, "From"), [SHOWN]);
        assert_eq!(fields(&direct, "From"), ["Ada <ada@example.org>"]);
        for message in [&copy, &direct] {
            assert_eq!(signers(message, &records).await, BOTH, "{message}");
        }
        drop(ada);
        node.stop().await;
    }
}

#[tokio::test]
async fn a_strangers_message_leaves_with_the_signatures_of_the_list_alone() {
    const SENDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    let zone = Zone::default()
        .host("mx.sender.example", SENDER)
        .txt("strict.example", "v=spf1 ip4:192.0.2.1 -all")
        .txt("_dmarc.strict.example", "v=DMARC1; p=reject");
    let (node, _resolver) = strangers::node(zone, |_| {}).await;
    engines(&node, FromRewriting::IfNeeded).await;
    let records = make_keys(&node, "example.org").await;
    let message = "DKIM-Signature: v=1; a=rsa-sha256; d=strict.example; s=none; h=from; bh=AAAA; b=AAAA\r\n\
         From: Eve <eve@strict.example>\r\nSubject: s\r\n\r\ntext";
    let reply = strangers::visit(&node, SENDER).await.post("<eve@strict.example>", &[ENGINES], message).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let copy = waiting(&node, "<member@far.example>").await.remove(0);
    assert_eq!(fields(&copy, "From"), ["Eve via engines <engines@example.org>"]);
    assert_eq!(signers(&copy, &records).await, BOTH, "{copy}");
    node.stop().await;
}

#[tokio::test]
async fn what_was_held_for_a_list_shows_it_and_is_signed_when_its_time_has_come() {
    let node = house(|_| {}).await;
    engines(&node, FromRewriting::Always).await;
    let records = make_keys(&node, "example.org").await;
    let mut ada = logged_in(&node, ADA).await;
    let reply = ada.post("<ada@example.org> HOLDFOR=1", &[ENGINES], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    // It is released at some time.
    let copy = loop {
        if let Some(copy) = waiting(&node, "<member@far.example>").await.pop() {
            break copy;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(fields(&copy, "From"), [SHOWN]);
    assert_eq!(fields(&copy, "X-Original-From"), ["Ada <ada@example.org>"]);
    assert_eq!(signers(&copy, &records).await, BOTH, "{copy}");
    let here = inbox(&node, BOB).await;
    assert_eq!(here.len(), 1);
    assert_eq!(fields(&here[0], "From"), [SHOWN]);
    // Nothing waits but that copy, and the trace names no message that is not there.
    let items = queue(&node).await;
    assert_eq!(items.len(), 1, "{items:?}");
    let stored = items[0].id.mail_id.to_string();
    // It is told once it is stored, at some time.
    let told = loop {
        let query = TraceQuery { id: Some(id_in(&reply)), ..TraceQuery::default() };
        let events = node.store().trace(query).await.unwrap();
        let told =
            events.iter().filter_map(|event| Some(event.reason.split_once("released as ")?.1.to_owned()));
        let told: Vec<_> = told.collect();
        if !told.is_empty() {
            break told;
        }
        tokio::task::yield_now().await;
    };
    assert!(told.iter().all(|id| *id == stored), "{stored}: {told:?}");
    drop(ada);
    node.stop().await;
}

#[tokio::test]
async fn what_is_sent_again_with_its_key_is_not_sent_to_the_list_again() {
    let node = house(|_| {}).await;
    engines(&node, FromRewriting::Always).await;
    let mut ada = logged_in(&node, ADA).await;
    for (key, to) in [("alone", &[ENGINES][..]), ("beside", &[ENGINES, "carol@example.org"][..])] {
        let mail = format!("<ada@example.org> XIDEMPOTENCY={key}");
        let before = (inbox(&node, BOB).await.len(), queue(&node).await.len());
        let first = ada.post(&mail, to, TEXT).await;
        assert!(first.starts_with("250 2.0.0"), "{first}");
        assert_eq!(ada.post(&mail, to, TEXT).await, first);
        let after = (inbox(&node, BOB).await.len(), queue(&node).await.len());
        assert_eq!(after, (before.0 + 1, before.1 + 1), "{key}");
    }
    assert_eq!(inbox(&node, "carol@example.org").await.len(), 1);
    drop(ada);
    node.stop().await;
}
