//! What leaves a node with its signatures (RFC 6376, RFC 8463, RFC 8617): over real sockets, verified as anybody would who
//! finds the published records in the DNS.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/house.rs"]
mod house;
#[path = "common/resolver.rs"]
mod resolver;
#[path = "common/signatures.rs"]
mod signatures;

use std::net::Ipv4Addr;

use common::{Client, TestNode};
use house::{
    PROXY, TRUSTED, Talk, Way, add, alias, fields, from, house, id_in, inbox, list, logged_in, put, queue,
    queued, talk, talk_lmtp,
};
use resolver::Zone;
use server::config::{ArcSeal, ByteSize, DnsServer, Seconds, Service, Switch};
use signatures::{by_both_keys, make_keys, signers};
use store::{Directory as _, Put, Trace as _, TraceQuery};
use types::EventStep;
use types::directory::{
    AccountSettings, AddressKind, DomainEntry, Expandable, FromRewriting, ListBounces, MailingList, Posters,
    SendAs,
};

const ADA: &str = "ada@example.org";
const YOU: &str = "you@one.example";
const TEXT: &str = "From: ada@example.org\r\nSubject: s\r\n\r\ntext";

/// What each item that waits carries, in the order of their parts.
async fn leaving(node: &TestNode) -> Vec<String> {
    let mut messages = Vec::new();
    for item in queue(node).await {
        messages.push(queued(node, &item).await);
    }
    messages
}

/// What the trace tells of signing a message.
async fn told(node: &TestNode, reply: &str) -> Vec<String> {
    let query = TraceQuery { id: Some(id_in(reply)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    let signed = events.into_iter().filter(|event| event.step == EventStep::Signed);
    signed.map(|event| format!("{}: {}", event.address.unwrap_or_default(), event.reason)).collect()
}

/// A session with a client that is on another machine, as a proxy tells it.
async fn from_afar(node: &TestNode) -> Talk {
    let mut talk: Talk = Client::over(Box::new(from(PROXY, node.smtp).await));
    talk.send(b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\r\n").await;
    talk.expect("220 ").await;
    assert!(talk.say("EHLO mx.sender.example").await.starts_with("250 "));
    talk
}

/// Behind that proxy.
fn proxied(config: &mut server::config::Config) {
    for listener in &mut config.listeners {
        if listener.service == Service::Smtp {
            listener.proxy_from = vec!["127.0.0.5/32".parse().unwrap()];
        }
    }
}

#[tokio::test]
async fn what_somebody_here_sends_is_signed_once_with_both_keys_for_all_destinations() {
    let node = house(|_| {}).await;
    let records = make_keys(&node, "example.org").await;
    let mut ada = logged_in(&node, ADA).await;
    let reply = ada.post("<ada@example.org>", &[YOU, "he@two.example", "bob@example.org"], TEXT).await;
    let messages = leaving(&node).await;
    assert_eq!(messages.len(), 2);
    for message in &messages {
        assert_eq!(
            signers(message, &records).await,
            ["example.org rsa-sha256 pass", "example.org ed25519-sha256 pass"]
        );
        assert!(message.starts_with("DKIM-Signature: v=1; a=rsa-sha256;"), "{message}");
    }
    assert_eq!(fields(&messages[0], "DKIM-Signature"), fields(&messages[1], "DKIM-Signature"));
    // What stays here needs no proof.
    let copy = inbox(&node, "bob@example.org").await.pop().unwrap();
    assert!(fields(&copy, "DKIM-Signature").is_empty(), "{copy}");
    let told = told(&node, &reply).await;
    assert_eq!(told.len(), 1);
    assert!(told[0].starts_with("example.org: signed as example.org with "), "{told:?}");
    assert!(told[0].contains("(rsa-sha256) and ") && told[0].ends_with("(ed25519-sha256)"), "{told:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_is_changed_on_its_way_is_not_what_was_signed() {
    let node = house(|_| {}).await;
    let records = make_keys(&node, "example.org").await;
    logged_in(&node, ADA).await.post("<ada@example.org>", &[YOU], TEXT).await;
    let message = leaving(&node).await.remove(0);
    for (from, to) in [
        ("\r\ntext", "\r\ntexts"),
        ("Subject: s", "Subject: t"),
        ("From: ada@", "From: bob@example.org\r\nFrom: ada@"),
    ] {
        assert!(message.contains(from), "{from}");
        let found = signers(&message.replacen(from, to, 1), &records).await;
        assert_eq!(found, ["example.org rsa-sha256 fail", "example.org ed25519-sha256 fail"], "{to}");
    }
    // What every host adds does no harm.
    let relayed = format!("Received: from a by b; Mon, 1 Jan 2024 00:00:00 +0000\r\n{message}");
    assert_eq!(signers(&relayed, &records).await, by_both_keys("pass"));
    node.stop().await;
}

#[tokio::test]
async fn what_stays_here_is_not_signed_and_nothing_is_told_of_it() {
    let node = house(|_| {}).await;
    make_keys(&node, "example.org").await;
    let reply = logged_in(&node, ADA).await.post("<ada@example.org>", &["bob@example.org"], TEXT).await;
    let copy = inbox(&node, "bob@example.org").await.pop().unwrap();
    assert!(fields(&copy, "DKIM-Signature").is_empty());
    assert_eq!(told(&node, &reply).await, Vec::<String>::new());
    node.stop().await;
}

#[tokio::test]
async fn a_domain_without_keys_sends_unsigned_and_the_trace_says_what_would_mend_it() {
    let node = house(|_| {}).await;
    let reply = logged_in(&node, ADA).await.post("<ada@example.org>", &[YOU], TEXT).await;
    let message = leaving(&node).await.remove(0);
    assert!(message.starts_with("Received:"), "{message}");
    let why = "example.org: not signed: example.org has no keys: posta dkim rotate example.org makes them";
    assert_eq!(told(&node, &reply).await, [why]);
    node.stop().await;
}

#[tokio::test]
async fn nothing_is_signed_where_that_is_switched_off() {
    let node = house(|config| config.signing.sign = Switch::Off).await;
    make_keys(&node, "example.org").await;
    let reply = logged_in(&node, ADA).await.post("<ada@example.org>", &[YOU], TEXT).await;
    assert!(leaving(&node).await[0].starts_with("Received:"));
    assert_eq!(told(&node, &reply).await, Vec::<String>::new());
    node.stop().await;
}

#[tokio::test]
async fn a_signature_says_when_it_ends_where_that_is_asked_for() {
    let node = house(|config| config.signing.expire_s = Seconds(1000)).await;
    let records = make_keys(&node, "example.org").await;
    logged_in(&node, ADA).await.post("<ada@example.org>", &[YOU], TEXT).await;
    let message = leaving(&node).await.remove(0);
    for field in fields(&message, "DKIM-Signature") {
        let tag =
            |name: &str| field.split(';').find_map(|tag| tag.trim().strip_prefix(name)?.parse::<u64>().ok());
        assert_eq!(tag("x=").unwrap() - tag("t=").unwrap(), 1000, "{field}");
    }
    assert_eq!(signers(&message, &records).await, by_both_keys("pass"));
    node.stop().await;
}

#[tokio::test]
async fn a_network_that_is_trusted_is_signed_for_by_the_author_and_a_domain_below_by_the_one_above() {
    let node = house(|_| {}).await;
    let records = make_keys(&node, "example.org").await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    for (author, reverse_path, expected) in [
        ("ada@example.org", "<bounces@sender.example>", &["example.org"][..]),
        ("shop@www.example.org", "<bounces@sender.example>", &["example.org"]),
        // Not the author's, but somebody's who vouches.
        ("x@sender.example", "<ada@example.org>", &["example.org"]),
        ("x@sender.example", "<x@sender.example>", &[]),
        ("x@badexample.org", "<x@sender.example>", &[]),
    ] {
        let text = TEXT.replace("ada@example.org", author);
        trusted.post(reverse_path, &[YOU], &text).await;
        let message = leaving(&node).await.pop().unwrap();
        let mut domains: Vec<_> = signers(&message, &records).await;
        domains.retain(|signer| signer.ends_with(" rsa-sha256 pass"));
        let domains: Vec<_> = domains.iter().map(|signer| signer.split(' ').next().unwrap()).collect();
        assert_eq!(domains, expected, "{author} {reverse_path}");
    }
    node.stop().await;
}

#[tokio::test]
async fn an_account_is_not_signed_for_as_somebody_whose_mail_it_only_sends_on() {
    let node = house(|_| {}).await;
    node.store().put_domain(DomainEntry::new("bank.example".parse().unwrap()), Put::New).await.unwrap();
    let mut records = make_keys(&node, "example.org").await;
    records.extend(make_keys(&node, "bank.example").await);
    // RFC 5322 §3.6.6: the author stays, and is another one.
    let resent = "Resent-From: ada@example.org\r\nFrom: ceo@bank.example\r\nSubject: s\r\n\r\ntext";
    logged_in(&node, ADA).await.post("<ada@example.org>", &[YOU], resent).await;
    let message = leaving(&node).await.remove(0);
    assert_eq!(signers(&message, &records).await[0], "example.org rsa-sha256 pass");
    assert_eq!(signers(&message, &records).await.len(), 2);
    node.stop().await;
}

#[tokio::test]
async fn a_domain_does_not_sign_for_what_somebody_below_it_only_sends_on() {
    let node = house(|_| {}).await;
    node.store().put_domain(DomainEntry::new("shop.example.org".parse().unwrap()), Put::New).await.unwrap();
    let records = make_keys(&node, "example.org").await;
    add(&node, "eve@shop.example.org", AccountSettings::default()).await;
    let mut eve = logged_in(&node, "eve@shop.example.org").await;
    let resent = "Resent-From: eve@shop.example.org\r\nFrom: ceo@example.org\r\n\r\ntext";
    eve.post("<eve@shop.example.org>", &[YOU], resent).await;
    let own = "From: eve@shop.example.org\r\n\r\ntext";
    eve.post("<eve@shop.example.org>", &[YOU], own).await;
    let messages = leaving(&node).await;
    assert_eq!(signers(&messages[0], &records).await, Vec::<String>::new());
    assert_eq!(signers(&messages[1], &records).await[0], "example.org rsa-sha256 pass");
    node.stop().await;
}

#[tokio::test]
async fn of_several_authors_the_sender_vouches() {
    let node = house(|_| {}).await;
    let domain = "two.example.net";
    node.store().put_domain(DomainEntry::new(domain.parse().unwrap()), Put::New).await.unwrap();
    let mut records = make_keys(&node, "example.org").await;
    records.extend(make_keys(&node, domain).await);
    let may_be = vec![SendAs::Domain(domain.parse().unwrap())];
    add(&node, "eve@example.org", AccountSettings { send_as: may_be, ..AccountSettings::default() }).await;
    let text = "From: eve@example.org, eve@two.example.net\r\nSender: eve@two.example.net\r\n\r\ntext";
    logged_in(&node, "eve@example.org").await.post("<eve@example.org>", &[YOU], text).await;
    let message = leaving(&node).await.remove(0);
    assert_eq!(signers(&message, &records).await[0], "two.example.net rsa-sha256 pass");
    node.stop().await;
}

#[tokio::test]
async fn keys_that_follow_others_sign_from_then_on() {
    let node = house(|_| {}).await;
    let old = make_keys(&node, "example.org").await;
    let mut ada = logged_in(&node, ADA).await;
    ada.post("<ada@example.org>", &[YOU], TEXT).await;
    let new = make_keys(&node, "example.org").await;
    ada.post("<ada@example.org>", &[YOU], TEXT).await;
    let messages = leaving(&node).await;
    assert_eq!(signers(&messages[0], &old).await, by_both_keys("pass"));
    assert_eq!(signers(&messages[1], &new).await, by_both_keys("pass"));
    // The old ones are not among them.
    assert_eq!(signers(&messages[1], &old).await, by_both_keys("permerror"));
    node.stop().await;
}

#[tokio::test]
async fn a_message_that_goes_by_the_disk_is_signed_as_any_other() {
    let node = house(|config| config.limits.body_memory_per_message_bytes_max = ByteSize(16 << 10)).await;
    let records = make_keys(&node, "example.org").await;
    let lines = "The quick brown fox jumps over the lazy dog.  \r\n".repeat(20_000);
    let reply = logged_in(&node, ADA)
        .await
        .post("<ada@example.org>", &[YOU], &format!("{TEXT}{lines}\r\n\r\n"))
        .await;
    assert!(reply.starts_with("250 "), "{reply}");
    let message = leaving(&node).await.remove(0);
    assert!(message.len() > 900_000);
    assert_eq!(signers(&message, &records).await.len(), 2);
    assert_eq!(signers(&message, &records).await, by_both_keys("pass"));
    node.stop().await;
}

#[tokio::test]
async fn a_list_signs_what_it_sends_whoever_wrote_it_and_our_authors_sign_too() {
    let node = house(proxied).await;
    node.store().put_domain(DomainEntry::new("lists.example.net".parse().unwrap()), Put::New).await.unwrap();
    let mut records = make_keys(&node, "example.org").await;
    records.extend(make_keys(&node, "lists.example.net").await);
    list(&node, "engines@lists.example.net", Posters::Anyone, &[YOU, "he@two.example", "bob@example.org"])
        .await;
    logged_in(&node, ADA).await.post("<ada@example.org>", &["engines@lists.example.net"], TEXT).await;
    let messages = leaving(&node).await;
    assert_eq!(messages.len(), 2);
    for message in &messages {
        let found = signers(message, &records).await;
        let both = [
            "example.org rsa-sha256 pass",
            "example.org ed25519-sha256 pass",
            "lists.example.net rsa-sha256 pass",
            "lists.example.net ed25519-sha256 pass",
        ];
        assert_eq!(found, both, "{message}");
        // RFC 6376 §5.4.1: what the list says of itself is covered.
        let changed = message.replacen("List-Id: ", "List-Id: x", 1);
        let found = signers(&changed, &records).await;
        assert!(found.iter().any(|signer| signer == "lists.example.net rsa-sha256 fail"), "{found:?}");
    }
    from_afar(&node)
        .await
        .post(
            "<x@sender.example>",
            &["engines@lists.example.net"],
            &TEXT.replace("ada@example.org", "x@sender.example"),
        )
        .await;
    let message = leaving(&node).await.pop().unwrap();
    let found = signers(&message, &records).await;
    assert_eq!(found, ["lists.example.net rsa-sha256 pass", "lists.example.net ed25519-sha256 pass"]);
    node.stop().await;
}

/// A list that leaves `From` as it is.
async fn plain_list(node: &TestNode, address: &str) {
    let list = MailingList {
        owner: "bob@example.org".parse().unwrap(),
        members: vec![YOU.parse().unwrap()],
        posters: Posters::Anyone,
        bounces: ListBounces::Verp,
        description: String::new(),
        expandable: Expandable::Never,
        from: FromRewriting::Never,
    };
    put(node, address, AddressKind::List(list)).await;
}

#[tokio::test]
async fn a_list_lends_its_signature_to_no_author_of_its_own_domain_whom_nothing_proves() {
    let node = house(proxied).await;
    for domain in ["lists.example.org", "shop.example.org"] {
        node.store().put_domain(DomainEntry::new(domain.parse().unwrap()), Put::New).await.unwrap();
    }
    make_keys(&node, "example.org").await;
    for (list, author, why) in [
        ("engines@example.org", ADA, Some("example.org")),
        ("engines@lists.example.org", ADA, Some("example.org")),
        ("boilers@example.org", "x@shop.example.org", Some("shop.example.org")),
        ("boilers@lists.example.org", "x@shop.example.org", Some("shop.example.org")),
        ("wheels@example.org", "ada@badexample.org", None),
        ("pumps@example.org", "x@sender.example, ada@example.org", Some("example.org")),
    ] {
        plain_list(&node, list).await;
        let text = TEXT.replace(ADA, author);
        let reply = from_afar(&node).await.post("<x@sender.example>", &[list], &text).await;
        let message = leaving(&node).await.pop().unwrap();
        assert_eq!(fields(&message, "From"), [author]);
        let count = fields(&message, "DKIM-Signature").len();
        assert_eq!(count, if why.is_some() { 0 } else { 2 }, "{list} {author}");
        if let Some(domain) = why {
            let why = format!(
                "example.org: not signed: From names {domain}, and nothing proves that it is from there"
            );
            assert_eq!(told(&node, &reply).await, [why]);
        }
    }
    // Whoever has logged in is the author.
    logged_in(&node, ADA).await.post("<ada@example.org>", &["engines@example.org"], TEXT).await;
    assert_eq!(fields(&leaving(&node).await.pop().unwrap(), "DKIM-Signature").len(), 2);
    node.stop().await;
}

#[tokio::test]
async fn a_list_signs_for_an_author_of_its_own_domain_whom_spf_proves() {
    let zone = Zone::default().txt("example.org", "v=spf1 ip4:192.0.2.1 -all");
    let resolver = zone.host("mx.sender.example", Ipv4Addr::new(192, 0, 2, 1)).serve().await;
    let node = house(|config| {
        proxied(config);
        config.authenticity.verify = Switch::On;
        config.dns.servers = vec![DnsServer(resolver.address)];
    })
    .await;
    let records = make_keys(&node, "example.org").await;
    plain_list(&node, "engines@example.org").await;
    for (path, count) in [("<ada@example.org>", 2), ("<x@sender.example>", 0)] {
        from_afar(&node).await.post(path, &["engines@example.org"], TEXT).await;
        let found = signers(&leaving(&node).await.pop().unwrap(), &records).await;
        assert_eq!(found.len(), count, "{path}");
        assert!(found.iter().all(|signer| signer.ends_with(" pass")), "{found:?}");
    }
    node.stop().await;
}

#[tokio::test]
async fn what_strangers_send_and_an_alias_sends_on_is_vouched_for_by_nobody() {
    let node = house(proxied).await;
    make_keys(&node, "example.org").await;
    alias(&node, "abroad@example.org", &[YOU]).await;
    // As if it were ours.
    let reply = from_afar(&node).await.post("<x@sender.example>", &["abroad@example.org"], TEXT).await;
    // LMTP hands over what another server has taken from whomever.
    talk_lmtp(&node).await.post("<x@sender.example>", &["abroad@example.org"], TEXT).await;
    let messages = leaving(&node).await;
    assert_eq!(messages.len(), 2);
    for message in messages {
        assert!(fields(&message, "DKIM-Signature").is_empty() && fields(&message, "ARC-Seal").is_empty());
    }
    assert_eq!(told(&node, &reply).await, Vec::<String>::new());
    // What somebody here sends is signed by whatever way it leaves.
    logged_in(&node, ADA).await.post("<ada@example.org>", &["abroad@example.org"], TEXT).await;
    let message = leaving(&node).await.pop().unwrap();
    assert_eq!(fields(&message, "DKIM-Signature").len(), 2, "{message}");
    node.stop().await;
}

#[tokio::test]
async fn what_an_alias_sends_on_is_sealed_with_what_was_found_where_that_is_asked_for() {
    let resolver = Zone::default()
        .host("mx.sender.example", Ipv4Addr::new(192, 0, 2, 1))
        .txt("sender.example", "v=spf1 ip4:192.0.2.1 -all")
        .serve()
        .await;
    let node = house(|config| {
        proxied(config);
        config.authenticity.verify = Switch::On;
        config.dns.servers = vec![DnsServer(resolver.address)];
        config.signing.arc_seal = ArcSeal::Forwarded;
    })
    .await;
    let records = make_keys(&node, "example.org").await;
    alias(&node, "abroad@example.org", &[YOU]).await;
    let text = TEXT.replace("ada@example.org", "bob@sender.example");
    let to = ["abroad@example.org", "ada@example.org"];
    let reply = from_afar(&node).await.post("<bob@sender.example>", &to, &text).await;
    let message = leaving(&node).await.remove(0);
    assert!(message.starts_with("ARC-Seal: i=1; a=rsa-sha256;"), "{message}");
    let results = fields(&message, "ARC-Authentication-Results").remove(0);
    let results = results.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(results.starts_with("i=1; mail.example.org; iprev=pass"), "{results}");
    assert!(results.contains("spf=pass smtp.mailfrom=sender.example"), "{results}");
    assert_eq!(signatures::chain(&message, &records).await, "pass by example.org");
    assert!(fields(&message, "DKIM-Signature").is_empty(), "that would vouch for it");
    let broken = message.replacen("\r\ntext", "\r\nother", 1);
    assert_eq!(signatures::chain(&broken, &records).await, "fail by example.org");
    assert!(told(&node, &reply).await[0].starts_with("example.org: sealed as example.org with "));
    // Its mailbox here is the end of the way.
    assert!(fields(&inbox(&node, ADA).await[0], "ARC-Seal").is_empty());
    // What ours send on needs no seal: it is signed.
    logged_in(&node, ADA).await.post("<ada@example.org>", &["abroad@example.org"], TEXT).await;
    let own = leaving(&node).await.pop().unwrap();
    assert!(fields(&own, "ARC-Seal").is_empty() && fields(&own, "DKIM-Signature").len() == 2, "{own}");
    node.stop().await;
}

#[tokio::test]
async fn a_report_is_signed_as_who_it_is_from() {
    let node = house(|_| {}).await;
    let records = make_keys(&node, "example.org").await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    trusted
        .dialogue(&[
            ("MAIL FROM:<x@sender.example>", "250 "),
            ("RCPT TO:<ada@example.org> NOTIFY=SUCCESS", "250 "),
            ("DATA", "354 "),
        ])
        .await;
    let reply = trusted.say("From: x@sender.example\r\n\r\ntext\r\n.").await;
    assert!(reply.starts_with("250 "), "{reply}");
    let report = leaving(&node).await.pop().unwrap();
    assert!(fields(&report, "From")[0].contains("postmaster@mail.example.org"), "{report}");
    // RFC 9989 §4.4.1: aligned with the author, whose own name has no keys.
    assert_eq!(
        signers(&report, &records).await,
        ["example.org rsa-sha256 pass", "example.org ed25519-sha256 pass"]
    );
    node.stop().await;
}

#[tokio::test]
async fn a_message_with_several_from_is_not_signed_and_the_trace_says_so() {
    let node = house(|_| {}).await;
    make_keys(&node, "example.org").await;
    let mut trusted = talk(&node, TRUSTED, node.smtp, Way::Clear).await;
    let text = "From: ada@example.org\r\nFrom: bob@example.org\r\n\r\ntext";
    let reply = trusted.post("<ada@example.org>", &[YOU], text).await;
    assert!(fields(&leaving(&node).await[0], "DKIM-Signature").is_empty());
    let why = "example.org: not signed as example.org: the message has more than one From";
    assert_eq!(told(&node, &reply).await, [why]);
    let text = "Subject: s\r\n\r\ntext";
    trusted.post("<ada@example.org>", &[YOU], text).await;
    assert!(fields(&leaving(&node).await[1], "DKIM-Signature").is_empty());
    node.stop().await;
}
