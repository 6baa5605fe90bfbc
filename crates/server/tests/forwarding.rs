//! What addresses here send on, and what lists send: the reverse-path that it leaves with and the way back of its bounces
//! (SRS), and whom copies of a list show as their author (RFC 5321 §3.9, RFC 3461 §5.2.7, RFC 9989 §7.4).

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
use house::{
    STRANGER, TRUSTED, Talk, Way, alias, fields, house, id_in, inbox, list, logged_in, put, queue, queued,
    talk,
};
use mailauth::dkim::{BodyHasher, Signer, SigningKey};
use mta::route::{Pattern, Transport};
use resolver::Zone;
use server::config::{ByteSize, Config, Forwarding, Switch, TransportRule, Transports, Verify};
use store::{Directory as _, Put, QueueItem, Trace as _, TraceQuery};
use types::directory::{
    AddressKind, DomainEntry, Expandable, FromRewriting, ListBounces, MailingList, MovedHandling, Posters,
};
use types::{EnhancedStatus, ReversePath, Timestamp};

const EVE: &str = "<eve@sender.example>";
const TEXT: &str = "From: Eve <eve@sender.example>\r\nSubject: s\r\n\r\ntext";
const BOUNCE: &str = "From: <postmaster@elsewhere.example>\r\nSubject: Undelivered\r\n\r\ntext";

/// A house with SRS, and an address that sends on.
async fn forwarder(change: impl FnOnce(&mut Config)) -> TestNode {
    let node = house(|config| {
        config.forwarding = Forwarding::default();
        change(config);
    })
    .await;
    alias(&node, "out@example.org", &["friend@elsewhere.example"]).await;
    node
}

async fn stranger(node: &TestNode) -> Talk {
    talk(node, STRANGER, node.smtp, Way::Clear).await
}

/// The one item that waits for this recipient.
async fn item_for(node: &TestNode, recipient: &str) -> QueueItem {
    let is_for = |item: &QueueItem| {
        item.state.recipients.iter().any(|queued| queued.recipient.forward_path.to_string() == recipient)
    };
    let mut found: Vec<_> = queue(node).await.into_iter().filter(is_for).collect();
    assert_eq!(found.len(), 1, "{recipient}: {found:?}");
    found.remove(0)
}

/// What stands for `sender` in what is sent on, without brackets.
async fn sent_on(node: &TestNode, sender: &str) -> String {
    let reply = stranger(node).await.post(sender, &["out@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let item = item_for(node, "<friend@elsewhere.example>").await;
    item.reverse_path.to_string().trim_matches(['<', '>']).to_owned()
}

async fn reasons(node: &TestNode, reply: &str) -> Vec<String> {
    let query = TraceQuery { id: Some(id_in(reply)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    events.iter().map(|event| event.reason.clone()).collect()
}

// The reverse-path.

#[tokio::test]
async fn what_a_stranger_sends_is_sent_on_with_a_reverse_path_of_ours_and_its_bounces_find_back() {
    let node = forwarder(|_| {}).await;
    let mut talk = stranger(&node).await;
    let reply = talk.post(&format!("{EVE} ENVID=e RET=HDRS"), &["out@example.org"], TEXT).await;
    let item = item_for(&node, "<friend@elsewhere.example>").await;
    let address = item.reverse_path.to_string();
    let address = address.trim_matches(['<', '>']);
    assert!(
        address.starts_with("SRS0=") && address.ends_with("=sender.example=eve@example.org"),
        "{address}"
    );
    assert_eq!(fields(&queued(&node, &item).await, "Delivered-To"), ["out@example.org"]);
    let told = format!("reverse-path rewritten (SRS): {address}");
    let found = reasons(&node, &reply).await;
    assert!(found.iter().any(|reason| reason.ends_with(&told)), "{found:?}");
    // The other host has nobody of that name.
    let reply = talk.post("<>", &[address], BOUNCE).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let bounce = item_for(&node, EVE).await;
    assert_eq!(bounce.reverse_path, ReversePath::Null);
    assert!(fields(&queued(&node, &bounce).await, "Delivered-To").is_empty());
    node.stop().await;
}

#[tokio::test]
async fn the_way_back_is_for_reports_alone_and_for_what_was_made_here() {
    let node = forwarder(|config| config.policy.verify = Verify::Everybody).await;
    let address = sent_on(&node, EVE).await;
    let (forged, other) = (address.replace("=eve@", "=victim@"), address.replace("SRS0=", "SRS0=AAAAAA="));
    for who in [STRANGER, TRUSTED] {
        let mut talk = talk(&node, who, node.smtp, Way::Clear).await;
        talk.dialogue(&[
            ("MAIL FROM:<spam@sender.example>", "250 "),
            (&format!("RCPT TO:<{address}>"), "550 5.7.1 This return address takes reports"),
            ("RSET", "250 "),
            ("MAIL FROM:<>", "250 "),
            (
                &format!("RCPT TO:<{forged}>"),
                "550 5.1.1 This return address leads to nobody: it was not made",
            ),
            (&format!("RCPT TO:<{other}>"), "550 5.1.1 "),
            ("RCPT TO:<SRS0=@example.org>", "550 5.1.1 "),
            (&format!("VRFY <{forged}>"), "550 5.1.1 "),
            // Case may change on the way.
            (&format!("RCPT TO:<{}>", address.to_lowercase()), "250 2.1.5"),
            ("QUIT", "221 "),
        ])
        .await;
    }
    let mut ada = logged_in(&node, "ada@example.org").await;
    ada.dialogue(&[("MAIL FROM:<ada@example.org>", "250 "), (&format!("RCPT TO:<{address}>"), "550 5.7.1 ")])
        .await;
    drop(ada);
    node.stop().await;
}

#[tokio::test]
async fn one_sender_gets_a_hundred_bounces_an_hour_by_it() {
    let node = forwarder(|config| config.smtp.recipients_max = 1000).await;
    let address = sent_on(&node, EVE).await;
    let mut talk = stranger(&node).await;
    assert!(talk.say("MAIL FROM:<>").await.starts_with("250 "));
    for _ in 0..100 {
        assert!(talk.say(&format!("RCPT TO:<{address}>")).await.starts_with("250 "));
    }
    assert!(talk.say(&format!("RCPT TO:<{address}>")).await.starts_with("450 4.7.1 "));
    assert!(talk.say("RCPT TO:<ada@example.org>").await.starts_with("250 "));
    drop(talk);
    node.stop().await;
}

#[tokio::test]
async fn the_reverse_path_stays_where_it_is_ours_null_or_without_room() {
    let node = forwarder(|_| {}).await;
    let long = format!("<{}@sender.example>", "a".repeat(60));
    for (sender, note) in [("<>", ""), ("<ada@example.org>", ""), (&long, "reverse-path kept: the rewritten")]
    {
        alias(
            &node,
            &format!("to{}@example.org", sender.len()),
            &[&format!("x{}@far.example", sender.len())],
        )
        .await;
        let to = format!("to{}@example.org", sender.len());
        let mut talk = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
        if note.is_empty() {
            talk.post(sender, &[&to], TEXT).await;
        } else {
            let reply = stranger(&node).await.post(sender, &[&to], TEXT).await;
            let found = reasons(&node, &reply).await;
            assert!(found.iter().any(|reason| reason.contains(note)), "{found:?}");
        }
        let item = item_for(&node, &format!("<x{}@far.example>", sender.len())).await;
        assert_eq!(item.reverse_path.to_string(), sender);
    }
    // What a trusted network sends has its own way to be vouched for.
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    trusted.post(EVE, &["out@example.org"], TEXT).await;
    assert_eq!(item_for(&node, "<friend@elsewhere.example>").await.reverse_path.to_string(), EVE);
    drop(trusted);
    node.stop().await;
}

/// With our reverse-path SPF would pass for our domain at the next host, and DMARC with it (RFC 9989 §4.4.2).
#[tokio::test]
async fn a_stranger_who_writes_as_one_of_ours_is_not_sent_on_with_a_reverse_path_of_ours() {
    let node = forwarder(|_| {}).await;
    for (author, is_rewritten) in [
        ("ceo@example.org", false),
        ("ceo@shop.Example.ORG", false),
        ("ceo@sender.example, ceo@example.org", false),
        ("ceo@notexample.org", true),
        ("ceo@sender.example", true),
    ] {
        let text = format!("From: {author}\r\nSender: a@sender.example\r\nSubject: s\r\n\r\ntext");
        let reply = stranger(&node).await.post(EVE, &["out@example.org"], &text).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
        let path = queue(&node).await.pop().unwrap().reverse_path.to_string();
        assert_eq!(path.starts_with("<SRS0="), is_rewritten, "{author}: {path}");
        let found = reasons(&node, &reply).await;
        let is_told = found.iter().any(|reason| reason.contains("reverse-path kept: nothing proves"));
        assert_eq!(is_told, !is_rewritten, "{found:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn with_srs_off_the_reverse_path_stays_and_what_was_rewritten_leads_back_all_the_same() {
    let node = forwarder(|config| config.forwarding.srs = Switch::Off).await;
    assert_eq!(format!("<{}>", sent_on(&node, EVE).await), EVE);
    let mut talk = stranger(&node).await;
    let forged = "RCPT TO:<SRS0=AAAAAA=AA=victim.example=x@example.org>";
    talk.dialogue(&[("MAIL FROM:<>", "250 "), (forged, "550 5.1.1 This return address")]).await;
    drop(talk);
    node.stop().await;
}

#[tokio::test]
async fn users_who_moved_and_catch_alls_send_on_as_aliases_do_and_the_domain_may_be_another() {
    let node =
        forwarder(|config| config.forwarding.srs_domain = Some("bounces.example".parse().unwrap())).await;
    let to = "her@far.example".parse().unwrap();
    put(&node, "abroad@example.org", AddressKind::Moved { to, handling: MovedHandling::Forward }).await;
    let mut talk = stranger(&node).await;
    // Bounces would go to a stranger: it is not ours yet.
    let reply = talk.post(EVE, &["abroad@example.org"], TEXT).await;
    assert_eq!(item_for(&node, "<her@far.example>").await.reverse_path.to_string(), EVE);
    let found = reasons(&node, &reply).await;
    assert!(
        found.iter().any(|reason| reason.contains("bounces.example of forwarding.srs_domain")),
        "{found:?}"
    );
    let domain = |name: &str, catch_all: Option<&str>| DomainEntry {
        catch_all: catch_all.map(|address| address.parse().unwrap()),
        ..DomainEntry::new(name.parse().unwrap())
    };
    node.store().put_domain(domain("bounces.example", None), Put::New).await.unwrap();
    node.store().put_domain(domain("shop.example", Some("all@far.example")), Put::New).await.unwrap();
    let reply = talk.post(EVE, &["whoever@shop.example"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let path = item_for(&node, "<all@far.example>").await.reverse_path.to_string();
    assert!(path.starts_with("<SRS0=") && path.ends_with("=sender.example=eve@bounces.example>"), "{path}");
    drop(talk);
    node.stop().await;
}

#[tokio::test]
async fn a_report_of_ours_about_what_was_sent_on_goes_to_the_sender_without_a_detour() {
    let node = forwarder(|config| {
        let fail = Transport::Fail { status: EnhancedStatus::permanent(1, 1), text: "nobody".to_owned() };
        let everything = TransportRule::new(Pattern::Everything, Transport::OnDemand);
        let elsewhere = TransportRule::new(Pattern::Domain("elsewhere.example".parse().unwrap()), fail);
        config.transports = Transports::new(vec![elsewhere, everything]);
    })
    .await;
    let mut talk = stranger(&node).await;
    let reply = talk.post(&format!("{EVE} ENVID=envid"), &["out@example.org"], TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    // It is stored with the failure, at some time.
    let report = loop {
        if let Some(item) = queue(&node).await.into_iter().find(|item| item.reverse_path == ReversePath::Null)
        {
            break item;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(report.state.recipients[0].recipient.forward_path.to_string(), EVE);
    let text = queued(&node, &report).await;
    assert!(fields(&text, "To")[0].contains("eve@sender.example"), "{text}");
    // Of the message as it was sent (RFC 3461 §5.2.7.2): its ENVID, and the recipient that the sender knows.
    assert!(text.contains("Original-Envelope-Id: envid"), "{text}");
    assert!(text.contains("Original-Recipient: rfc822; out@example.org"), "{text}");
    assert!(!text.to_lowercase().contains("to: <srs0="), "{text}");
    drop(talk);
    node.stop().await;
}

// The author.

/// The host of `sender.example`.
const SENDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const STRICT: &str = "From: \"Ada Lovelace\" <ada@strict.example>\r\nSubject: s\r\n\r\ntext";
const LAX: &str = "From: Bob <bob@sender.example>\r\nSubject: s\r\n\r\ntext";

fn key() -> SigningKey {
    SigningKey::ed25519_from_seed(&[7; 32]).unwrap()
}

/// `strict.example` sends from [`SENDER`], signs some of it, and wants what fails DMARC refused.
fn zone() -> Zone {
    Zone::default()
        .host("mx.sender.example", SENDER)
        .txt("sender.example", "v=spf1 ip4:192.0.2.1 -all")
        .txt("strict.example", "v=spf1 ip4:192.0.2.1 -all")
        .txt("_dmarc.strict.example", "v=DMARC1; p=reject")
        .txt("sel._domainkey.strict.example", &key().record().unwrap())
        .failing("_dmarc.silent.example")
}

/// A node with a list of Ada, who is here, and a member elsewhere.
async fn lists(zone: Zone, change: impl FnOnce(&mut Config)) -> TestNode {
    let (node, _) = strangers::node(zone, change).await;
    list(&node, "engines@example.org", Posters::Anyone, &["ada@example.org", "member@far.example"]).await;
    node
}

fn signed(message: &str, also: &str) -> String {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n{also}");
    let mut hasher = BodyHasher::new([Signer::form()]);
    hasher.push(format!("{body}\r\n").as_bytes());
    let domain = "strict.example".parse().unwrap();
    let key = key();
    let signer = Signer::new(&domain, "sel", &key).unwrap();
    let now = Timestamp::from_millis(1_700_000_000_000);
    let field = signer.sign(&mailauth::fields(header.as_bytes()), &hasher.finish(), now).unwrap();
    format!("{field}{header}\r\n{body}")
}

/// `From` of both copies, which are the same, and the copy that leaves.
async fn copies(node: &TestNode, mail: &str, message: &str) -> (String, String) {
    let reply = strangers::visit(node, SENDER).await.post(mail, &["engines@example.org"], message).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let here = inbox(node, "ada@example.org").await.pop().unwrap();
    let items = queue(node).await;
    let item = items.last().unwrap();
    assert!(item.reverse_path.to_string().starts_with("<engines-bounces+member=far.example@"), "{item:?}");
    let there = queued(node, item).await;
    assert_eq!(fields(&here, "From"), fields(&there, "From"));
    assert_eq!(fields(&here, "List-Id"), fields(&there, "List-Id"));
    assert_eq!(fields(&here, "From").len(), 1, "{here}");
    (fields(&here, "From").remove(0), there)
}

#[tokio::test]
async fn a_list_takes_the_place_of_an_author_whose_domain_would_have_its_copies_refused() {
    let node = lists(zone(), |_| {}).await;
    let (from, message) = copies(&node, "<ada@strict.example>", STRICT).await;
    assert_eq!(from, "Ada Lovelace via engines <engines@example.org>");
    assert_eq!(fields(&message, "Reply-To"), ["\"Ada Lovelace\" <ada@strict.example>"]);
    assert_eq!(fields(&message, "X-Original-From"), ["\"Ada Lovelace\" <ada@strict.example>"]);
    assert!(message.ends_with("\r\n\r\ntext\r\n"), "{message}");
    assert_eq!(fields(&message, "Authentication-Results").len(), 1, "{message}");
    // A domain that asks for nothing, and one that has signed what the list leaves as it is.
    let (from, message) = copies(&node, "<bob@sender.example>", LAX).await;
    assert_eq!(from, "Bob <bob@sender.example>");
    assert!(fields(&message, "X-Original-From").is_empty());
    let (from, message) = copies(&node, "<ada@strict.example>", &signed(STRICT, "")).await;
    assert_eq!(from, "\"Ada Lovelace\" <ada@strict.example>");
    assert_eq!(fields(&message, "DKIM-Signature").len(), 1, "{message}");
    node.stop().await;
}

#[tokio::test]
async fn where_the_dns_does_not_answer_the_list_takes_the_authors_place_and_the_trace_says_why() {
    let node = lists(zone(), |_| {}).await;
    let message = "From: x@silent.example\r\n\r\ntext";
    let (from, _) = copies(&node, "<bob@sender.example>", message).await;
    assert_eq!(from, "x via engines <engines@example.org>");
    let items = queue(&node).await;
    let query = TraceQuery { id: Some(items.last().unwrap().id.mail_id), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    let told = events
        .iter()
        .any(|event| event.reason.contains("the DNS does not say now what silent.example wants"));
    assert!(told, "{events:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_list_can_be_told_always_or_never_to_do_so() {
    let node = lists(zone(), |_| {}).await;
    for (from, strict, lax) in [
        (FromRewriting::Always, "Ada Lovelace via engines", "Bob via engines"),
        (FromRewriting::Never, "\"Ada Lovelace\" <ada@strict.example>", "Bob <bob@sender.example>"),
    ] {
        let mailbox = |text: &str| text.parse().unwrap();
        let list = MailingList {
            owner: mailbox("bob@example.org"),
            members: vec![mailbox("ada@example.org"), mailbox("member@far.example")],
            posters: Posters::Anyone,
            bounces: ListBounces::Verp,
            description: String::new(),
            expandable: Expandable::Never,
            from,
        };
        let entry = types::directory::AddressEntry {
            address: mailbox("engines@example.org"),
            kind: AddressKind::List(list),
        };
        node.store().put_address(entry, Put::Replace).await.unwrap();
        assert!(copies(&node, "<ada@strict.example>", STRICT).await.0.starts_with(strict), "{from:?}");
        assert!(copies(&node, "<bob@sender.example>", LAX).await.0.starts_with(lax), "{from:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn who_is_addressed_beside_the_list_gets_the_message_as_it_came_in_memory_and_on_disk() {
    for per_message_max in [1 << 20, 0] {
        let node = lists(zone(), |config| {
            config.limits.body_memory_per_message_bytes_max = ByteSize(per_message_max);
        })
        .await;
        let body = "0123456789abcdef\r\n".repeat(20_000);
        let message = format!("From: Ada <ada@strict.example>\r\nSubject: s\r\n\r\n{body}end");
        let mut talk = strangers::visit(&node, SENDER).await;
        let to = ["carol@example.org", "engines@example.org"];
        let reply = talk.post("<ada@strict.example>", &to, &message).await;
        assert!(reply.starts_with("250 2.0.0"), "{reply}");
        let direct = inbox(&node, "carol@example.org").await.pop().unwrap();
        assert_eq!(fields(&direct, "From"), ["Ada <ada@strict.example>"]);
        let copy = inbox(&node, "ada@example.org").await.pop().unwrap();
        assert_eq!(fields(&copy, "From"), ["Ada via engines <engines@example.org>"]);
        for message in [&direct, &copy] {
            assert!(message.ends_with(&format!("\r\n\r\n{body}end\r\n")));
        }
        let item = item_for(&node, "<member@far.example>").await;
        assert_ne!(item.id.mail_id, id_in(&reply));
        let found = reasons(&node, &reply).await;
        let told = format!("what this list sends is stored as {}", item.id.mail_id);
        assert!(found.contains(&told), "{found:?}");
        drop(talk);
        node.stop().await;
    }
}

#[tokio::test]
async fn users_of_ours_stay_the_authors_of_what_they_post() {
    let node = lists(zone(), |_| {}).await;
    let mut ada = logged_in(&node, "ada@example.org").await;
    let message = "From: Ada <ada@example.org>\r\nSubject: s\r\n\r\ntext";
    let reply = ada.post("<ada@example.org>", &["engines@example.org"], message).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    let item = item_for(&node, "<member@far.example>").await;
    assert_eq!(fields(&queued(&node, &item).await, "From"), ["Ada <ada@example.org>"]);
    drop(ada);
    node.stop().await;
}

#[tokio::test]
async fn what_a_list_would_break_of_a_signature_is_no_reason_to_keep_the_author() {
    let node = lists(zone(), |_| {}).await;
    // It covers `List-Unsubscribe`, where the list puts its own.
    let own = "List-Unsubscribe: <mailto:leave@strict.example>\r\n";
    let message = signed(STRICT, own);
    assert!(message.to_lowercase().split("b=").next().unwrap().contains("list-unsubscribe"), "{message}");
    let (from, _) = copies(&node, "<ada@strict.example>", &message).await;
    assert_eq!(from, "Ada Lovelace via engines <engines@example.org>");
    node.stop().await;
}
