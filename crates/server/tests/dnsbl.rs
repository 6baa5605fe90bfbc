//! Lists in the DNS (RFC 5782, RFC 8904): who is refused, who is not, and what a list that does not work can do, over real sockets
//! and with a resolver that answers from a table.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;
#[path = "common/resolver.rs"]
mod resolver;
#[path = "common/strangers.rs"]
mod strangers;

use std::net::Ipv4Addr;

use common::{Client, TestNode};
use house::{PROXY, TRUSTED, Talk, Way, fields, from, id_in, inbox, logged_in, talk};
use mta::admission::reputation::Subject;
use resolver::{Resolver, Zone};
use server::config::{
    Config, DnsList, ReputationStage, Seconds, Subjects, Switch, Text, Weight, Zone as ListZone,
};
use store::{Trace as _, TraceQuery};
use strangers::{node, visit};

const ADA: &str = "ada@example.org";
/// A host that is on the list.
const LISTED: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
/// One that is not.
const OTHER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const TEXT: &str = "From: Bob <bob@sender.example>\r\nSubject: s\r\n\r\ntext";

const YES: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// A list that works: with its test entry, and the address [`LISTED`].
fn listing(zone: Zone, list: &str) -> Zone {
    zone.address(&format!("2.0.0.127.{list}"), YES).address(&format!("66.2.0.192.{list}"), YES)
}

/// A list of names that works.
fn names(zone: Zone, list: &str, name: &str) -> Zone {
    zone.address(&format!("test.{list}"), YES).address(&format!("{name}.{list}"), YES)
}

fn asks(list: &str) -> DnsList {
    DnsList { zone: ListZone(Some(list.parse().unwrap())), ..DnsList::default() }
}

fn about(subjects: &[Subject], weight: i32, list: &str) -> DnsList {
    DnsList { of: Subjects(subjects.to_vec()), weight: Weight(weight), ..asks(list) }
}

async fn node_with(zone: Zone, lists: &[DnsList]) -> (TestNode, Resolver) {
    let lists = lists.to_vec();
    node(zone, |config: &mut Config| config.dnsbl = lists).await
}

/// The reply to the first recipient, and where that is taken, to the message.
async fn post(node: &TestNode, ip: Ipv4Addr, mail: &str, message: &str) -> String {
    let mut talk = visit(node, ip).await;
    talk.dialogue(&[(&format!("MAIL FROM:{mail}"), "250 2.1.0")]).await;
    let reply = talk.say(&format!("RCPT TO:<{ADA}>")).await;
    if !reply.starts_with("250 ") {
        return reply;
    }
    assert!(talk.say("DATA").await.starts_with("354 "));
    talk.say(&format!("{message}\r\n.")).await
}

async fn reasons(node: &TestNode, reply: &str) -> Vec<String> {
    let query = TraceQuery { id: Some(id_in(reply)), ..TraceQuery::default() };
    node.store().trace(query).await.unwrap().into_iter().map(|event| event.reason).collect()
}

#[tokio::test]
async fn a_listed_client_is_refused_at_rcpt_with_the_words_of_the_list() {
    let zone =
        listing(Zone::default(), "bl.example").txt("66.2.0.192.bl.example", "see https://bl.example/66");
    let (node, _) = node_with(zone, &[asks("bl.example")]).await;
    let reply = post(&node, LISTED, "<bob@sender.example>", TEXT).await;
    assert!(
        reply.starts_with(
            "550 5.7.1 Refused for a bad reputation (DNSBL): 192.0.2.66 is listed by bl.example: see \
             https://bl.example/66 ["
        ),
        "{reply}"
    );
    let told = reasons(&node, &reply).await;
    let share = "bl.example lists the address with 127.0.0.2: +10";
    assert!(told.iter().any(|reason| reason == share), "{told:?}");
    assert!(told.contains(&format!("the lists add up to 10 of 10: {share}")), "{told:?}");
    assert!(post(&node, OTHER, "<bob@sender.example>", TEXT).await.starts_with("250 2.0.0"));
    node.stop().await;
}

#[tokio::test]
async fn the_postmaster_is_reached_by_who_is_listed_and_others_are_not_reached_by_that() {
    let (node, _) = node_with(listing(Zone::default(), "bl.example"), &[asks("bl.example")]).await;
    let mut talk = visit(&node, LISTED).await;
    talk.dialogue(&[
        ("MAIL FROM:<bob@sender.example>", "250 2.1.0"),
        ("RCPT TO:<postmaster@example.org>", "250 2.1.5"),
        ("RCPT TO:<ada@example.org>", "550 5.7.1"),
        ("DATA", "354 "),
    ])
    .await;
    let reply = talk.say(&format!("{TEXT}\r\n.")).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let told = reasons(&node, &reply).await;
    assert!(
        told.iter().any(|reason| reason.starts_with("suspicious: the lists add up to 10 of 5")),
        "{told:?}"
    );
    node.stop().await;
}

#[tokio::test]
async fn before_the_greeting_a_listed_client_is_told_554() {
    let (node, _) = node(listing(Zone::default(), "bl.example"), |config| {
        config.dnsbl = vec![asks("bl.example")];
        config.reputation.at = ReputationStage::Connect;
    })
    .await;
    let mut talk: Talk = Client::over(Box::new(from(PROXY, node.smtp).await));
    talk.send(format!("PROXY TCP4 {LISTED} 198.51.100.7 56324 25\r\n").as_bytes()).await;
    let reply = talk.line().await;
    assert!(
        reply.starts_with(
            "554 5.7.1 No mail is taken from you for a bad reputation (DNSBL): 192.0.2.66 is listed by bl.example ["
        ),
        "{reply}"
    );
    talk.say_no_more().await;
    talk.expect_end().await;
    assert!(post(&node, OTHER, "<bob@sender.example>", TEXT).await.starts_with("250 2.0.0"));
    node.stop().await;
}

#[tokio::test]
async fn a_list_that_does_not_work_refuses_nobody() {
    let parked = Ipv4Addr::new(203, 0, 113, 80);
    let refused = Ipv4Addr::new(127, 255, 255, 254);
    let entry = |zone: Zone, list: &str, answer| {
        zone.address(&format!("2.0.0.127.{list}"), answer)
            .address(&format!("1.0.0.127.{list}"), answer)
            .address(&format!("66.2.0.192.{list}"), answer)
    };
    let listed = |zone: Zone, list: &str, answer| zone.address(&format!("66.2.0.192.{list}"), answer);
    let sound = |zone: Zone, list: &str| zone.address(&format!("2.0.0.127.{list}"), YES);
    // What it answers to its tests, or to the question itself.
    let mut zone = entry(Zone::default(), "everything.example", YES);
    zone = entry(zone, "parked.example", parked);
    zone = entry(zone, "refused.example", refused);
    zone = listed(zone, "untested.example", YES);
    zone = listed(sound(zone, "later-parked.example"), "later-parked.example", parked);
    zone = listed(sound(zone, "later-refused.example"), "later-refused.example", refused);
    zone = sound(zone, "endless.example");
    for number in 0..40 {
        zone = listed(zone, "endless.example", Ipv4Addr::new(127, 1, 0, number));
    }
    zone = sound(zone, "looping.example")
        .alias("66.2.0.192.looping.example", "a.looping.example")
        .alias("a.looping.example", "66.2.0.192.looping.example");
    zone = sound(zone, "failing.example").failing("66.2.0.192.failing.example");
    let lists = [
        "everything.example",
        "parked.example",
        "refused.example",
        "untested.example",
        "later-parked.example",
        "later-refused.example",
        "endless.example",
        "looping.example",
        "failing.example",
    ];
    let (node, resolver) = node_with(zone, &lists.map(asks)).await;
    let reply = post(&node, LISTED, "<bob@sender.example>", TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let told = reasons(&node, &reply).await;
    assert!(!told.iter().any(|reason| reason.contains("lists the address")), "{told:?}");
    let asked = resolver.asked();
    for list in &lists[..4] {
        let question = format!("66.2.0.192.{list}");
        assert!(!asked.contains(&question), "a list that fails its test is not asked: {question}");
    }
    assert!(asked.contains(&"66.2.0.192.endless.example".to_owned()), "{asked:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_list_that_does_not_answer_holds_nobody_up_for_longer_than_its_time() {
    let zone = listing(Zone::default(), "bl.example").silent("66.2.0.192.bl.example");
    let (node, _) = node(zone, |config| {
        config.dnsbl = vec![asks("bl.example")];
        config.reputation.timeout_s = Seconds(1);
    })
    .await;
    assert!(post(&node, LISTED, "<bob@sender.example>", TEXT).await.starts_with("250 2.0.0"));
    node.stop().await;
}

#[tokio::test]
async fn what_a_list_says_is_printable_and_has_an_end() {
    let text = format!("why\r\n250 2.0.0 OK [not-an-id]\u{1b}[2J{}", "x".repeat(9000));
    let zone = listing(Zone::default(), "bl.example").txt("66.2.0.192.bl.example", &text);
    let (node, _) = node_with(zone, &[asks("bl.example")]).await;
    let reply = post(&node, LISTED, "<bob@sender.example>", TEXT).await;
    assert!(reply.starts_with("550 5.7.1"), "{reply}");
    assert!(reply.is_ascii() && !reply.contains('\u{1b}') && reply.len() < 512, "{reply}");
    // The id is the only one in brackets.
    assert_eq!(reply.matches('[').count(), 1, "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn an_allow_list_outweighs_and_stands_among_the_results() {
    let mut zone = listing(Zone::default(), "bl.example");
    zone = zone
        .address("2.0.0.127.wl.example", YES)
        .address("66.2.0.192.wl.example", Ipv4Addr::new(127, 0, 10, 1));
    let (node, _) =
        node_with(zone, &[asks("bl.example"), about(&[Subject::Address], -8, "wl.example")]).await;
    let reply = post(&node, LISTED, "<bob@sender.example>", TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let message = inbox(&node, ADA).await.pop().unwrap();
    let results = fields(&message, "Authentication-Results").remove(0);
    let results = results.split_whitespace().collect::<Vec<_>>().join(" ");
    // RFC 8904 §2.
    assert!(results.contains("; dnswl=pass dns.zone=wl.example policy.ip=127.0.10.1"), "{results}");
    node.stop().await;
}

#[tokio::test]
async fn names_are_asked_of_lists_of_names() {
    let zone = names(Zone::default(), "names.example", "mx.sender.example");
    let zone = zone.host("client.bad.example", LISTED).address("client.bad.example.names.example", YES);
    let zone = zone.address("spammer.example.names.example", YES);
    for (subject, mail, ip) in [
        (Subject::Helo, "<bob@good.example>", OTHER),
        (Subject::MailFrom, "<bob@spammer.example>", OTHER),
        (Subject::Ptr, "<bob@good.example>", LISTED),
    ] {
        let (node, _) = node_with(zone.clone(), &[about(&[subject], 10, "names.example")]).await;
        let reply = post(&node, ip, mail, TEXT).await;
        assert!(reply.starts_with("550 5.7.1 Refused for a bad reputation"), "{subject:?}: {reply}");
        let reply = post(&node, Ipv4Addr::new(203, 0, 113, 9), "<a@good.example>", TEXT).await;
        // HELO is the same from everywhere.
        assert_eq!(reply.starts_with("250 "), subject != Subject::Helo, "{subject:?}: {reply}");
        node.stop().await;
    }
}

#[tokio::test]
async fn the_author_and_the_signer_are_asked_about_once_the_message_is_there() {
    let zone = names(Zone::default(), "names.example", "spammer.example");
    let (node, _) = node_with(zone, &[about(&[Subject::From, Subject::Signer], 10, "names.example")]).await;
    let bad = TEXT.replace("sender.example", "spammer.example");
    let reply = post(&node, OTHER, "<bob@good.example>", &bad).await;
    assert!(
        reply.starts_with(
            "550 5.7.1 Refused for a bad reputation (DNSBL): spammer.example is listed by names.example"
        ),
        "{reply}"
    );
    assert_eq!(inbox(&node, ADA).await.len(), 0);
    // A signature that is not right says nothing about the signer.
    let forged = format!(
        "DKIM-Signature: v=1; a=rsa-sha256; d=spammer.example; s=s; h=From; bh=AAAA; b=AAAA\r\n{TEXT}"
    );
    assert!(post(&node, OTHER, "<bob@good.example>", &forged).await.starts_with("250 2.0.0"));
    node.stop().await;
}

#[tokio::test]
async fn a_signer_whose_signature_is_right_is_known_by_its_lists() {
    let Some(folder) = testdata::folder("dkim/dkimpy") else { return };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap().replace("\r\n", "\n");
    // RFC 6376's example, signed by dkimpy.
    let message = read("rfc6376.signed.msg").replace('\n', "\r\n");
    let message = message.strip_suffix("\r\n").unwrap();
    let zone = names(listing(Zone::default(), "bl.example"), "wl.example", "football.example.com")
        .txt("test._domainkey.football.example.com", read("test.txt").trim());
    let lists =
        [DnsList { weight: Weight(6), ..asks("bl.example") }, about(&[Subject::Signer], -6, "wl.example")];
    let (node, _) = node_with(zone, &lists).await;
    let reply = post(&node, LISTED, "<joe@football.example.com>", message).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let told = reasons(&node, &reply).await;
    assert!(told.contains(&"wl.example lists the signer with 127.0.0.2: -6".to_owned()), "{told:?}");
    assert!(!told.iter().any(|reason| reason.starts_with("suspicious")), "{told:?}");
    // Its body changed, the signature vouches for nobody.
    let changed = format!("{message}\r\nmore");
    let reply = post(&node, LISTED, "<joe@football.example.com>", &changed).await;
    let told = reasons(&node, &reply).await;
    assert!(told.iter().any(|reason| reason.starts_with("suspicious")), "{told:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_name_that_anybody_can_say_allows_nothing_unless_something_vouches_for_it() {
    let zone = names(listing(Zone::default(), "bl.example"), "wl.example", "sender.example");
    let lists =
        [DnsList { weight: Weight(6), ..asks("bl.example") }, about(&[Subject::MailFrom], -6, "wl.example")];
    let (node, _) = node_with(zone.clone(), &lists).await;
    let reply = post(&node, LISTED, "<bob@sender.example>", TEXT).await;
    let told = reasons(&node, &reply).await;
    assert!(told.iter().any(|reason| reason.starts_with("suspicious: the lists add up to 6")), "{told:?}");
    node.stop().await;
    let (node, _) = node_with(zone.txt("sender.example", "v=spf1 ip4:192.0.2.66 -all"), &lists).await;
    let reply = post(&node, LISTED, "<bob@sender.example>", TEXT).await;
    let told = reasons(&node, &reply).await;
    assert!(!told.iter().any(|reason| reason.starts_with("suspicious")), "{told:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_test_entry_of_its_own_shows_that_a_list_works() {
    let zone = Zone::default()
        .address("dbltest.example.names.example", YES)
        .address("spammer.example.names.example", YES);
    let plain = about(&[Subject::MailFrom], 10, "names.example");
    let own = DnsList { test_entry: Text("dbltest.example".to_owned()), ..plain.clone() };
    for (list, start) in [(plain, "250 2.0.0"), (own, "550 5.7.1")] {
        let (node, _) = node_with(zone.clone(), &[list]).await;
        let reply = post(&node, OTHER, "<bob@spammer.example>", TEXT).await;
        assert!(reply.starts_with(start), "{reply}");
        node.stop().await;
    }
}

#[tokio::test]
async fn nobody_asks_about_those_who_are_known_or_trusted_or_where_nothing_is_to_be_asked() {
    let lists = || vec![asks("bl.example")];
    let (node, resolver) = node(listing(Zone::default(), "bl.example"), |config| {
        config.dnsbl = lists();
        config.reputation.trust = vec!["192.0.2.0/24".parse().unwrap()];
    })
    .await;
    assert!(post(&node, LISTED, "<bob@sender.example>", TEXT).await.starts_with("250 2.0.0"));
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    assert!(trusted.post("<x@sender.example>", &[ADA], TEXT).await.starts_with("250 "));
    let mut bob = logged_in(&node, "bob@example.org").await;
    assert!(
        bob.post("<bob@example.org>", &[ADA], "From: bob@example.org\r\n\r\ntext").await.starts_with("250 ")
    );
    let asked = resolver.asked();
    assert!(!asked.iter().any(|name| name.ends_with("192.bl.example")), "{asked:?}");
    node.stop().await;

    let (node, resolver) = self::node(listing(Zone::default(), "bl.example"), |config| {
        config.dnsbl = vec![DnsList { enabled: Switch::Off, ..asks("bl.example") }];
    })
    .await;
    assert!(post(&node, LISTED, "<bob@sender.example>", TEXT).await.starts_with("250 2.0.0"));
    assert!(!resolver.asked().iter().any(|name| name.ends_with("bl.example")));
    node.stop().await;
}

#[tokio::test]
async fn without_verification_addresses_are_still_asked_about() {
    let (node, _) = node(listing(Zone::default(), "bl.example"), |config| {
        config.dnsbl = vec![asks("bl.example")];
        config.authenticity.verify = Switch::Off;
    })
    .await;
    assert!(post(&node, LISTED, "<bob@sender.example>", TEXT).await.starts_with("550 5.7.1"));
    assert!(post(&node, OTHER, "<bob@sender.example>", TEXT).await.starts_with("250 2.0.0"));
    node.stop().await;
}
