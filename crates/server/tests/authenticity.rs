//! Mail from outside, and who really sent it: what is refused, what is told of the rest (RFC 7208, RFC 6376, RFC 9989,
//! RFC 8601), over real sockets and with a resolver that answers from a table.

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
    STRANGER, TRUSTED, Way, alias, fields, id_in, inbox, logged_in, queue, queued, set, talk, talk_lmtp,
};
use mailauth::dkim::{BodyHasher, Signer, SigningKey};
use resolver::Zone;
use server::config::{ByteSize, DmarcChoice, FailureChoice, Seconds, Switch, TroubleChoice};
use store::{Trace as _, TraceQuery};
use strangers::{node, visit};
use types::{EventStep, Notify, Timestamp};

const ADA: &str = "ada@example.org";
/// The host of `sender.example`.
const SENDER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// A host that is nobody's.
const OTHER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 66);

const TEXT: &str = "From: Bob <bob@sender.example>\r\nSubject: s\r\n\r\ntext";
const AS_BANK: &str = "From: Bank <bank@bank.example>\r\nSubject: s\r\n\r\ntext";

/// `sender.example` sends from [`SENDER`] alone; `bank.example` has all that it is forged in refused, `shop.example` wants it
/// quarantined.
fn zone() -> Zone {
    Zone::default()
        .host("mx.sender.example", SENDER)
        .txt("sender.example", "v=spf1 ip4:192.0.2.1 -all")
        .txt("mx.sender.example", "v=spf1 a -all")
        .txt("bank.example", "v=spf1 ip4:203.0.113.7 -all exp=why.bank.example")
        .txt("why.bank.example", "%{i} is not one of our hosts")
        .txt("_dmarc.bank.example", "v=DMARC1; p=reject")
        .txt("shop.example", "v=spf1 ip4:203.0.113.8 -all")
        .txt("_dmarc.shop.example", "v=DMARC1; p=quarantine")
}

/// The reply to a message from there to Ada.
async fn post(node: &TestNode, ip: Ipv4Addr, mail: &str, message: &str) -> String {
    visit(node, ip).await.post(mail, &[ADA], message).await
}

/// The results of the newest message to Ada, a line each.
async fn results(node: &TestNode) -> Vec<String> {
    let message = inbox(node, ADA).await.pop().unwrap();
    let mut found = fields(&message, "Authentication-Results");
    assert_eq!(found.len(), 1, "{message}");
    found.remove(0).split("; ").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn has(results: &[String], start: &str) -> bool {
    results.iter().any(|result| result.starts_with(start))
}

async fn events(node: &TestNode, reply: &str) -> Vec<String> {
    let query = TraceQuery { id: Some(id_in(reply)), ..TraceQuery::default() };
    let events = node.store().trace(query).await.unwrap();
    let verified = events.iter().filter(|event| event.step == EventStep::Verified);
    verified.map(|event| format!("{} {}", event.address.as_deref().unwrap_or("-"), event.reason)).collect()
}

fn signed(message: &str, domain: &str, key: &SigningKey) -> String {
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let mut hasher = BodyHasher::new([Signer::form()]);
    hasher.push(format!("{body}\r\n").as_bytes());
    let domain = domain.parse().unwrap();
    let signer = Signer::new(&domain, "sel", key).unwrap();
    let now = Timestamp::from_millis(1_700_000_000_000);
    let field = signer.sign(&mailauth::fields(header.as_bytes()), &hasher.finish(), now).unwrap();
    format!("{field}{message}")
}

fn key() -> SigningKey {
    SigningKey::ed25519_from_seed(&[7; 32]).unwrap()
}

#[tokio::test]
async fn what_was_found_stands_on_top_of_the_message_and_in_the_trace() {
    let (node, _) = node(zone(), |_| {}).await;
    let reply = post(&node, SENDER, "<bob@sender.example>", TEXT).await;
    assert!(reply.starts_with("250 2.0.0"), "{reply}");
    assert_eq!(
        results(&node).await,
        [
            "mail.example.org",
            "iprev=pass policy.iprev=192.0.2.1 policy.name=mx.sender.example",
            "spf=pass smtp.mailfrom=sender.example",
            "spf=pass smtp.helo=mx.sender.example",
            "dkim=none",
            "arc=none",
            "dmarc=none header.from=sender.example",
        ]
    );
    let message = inbox(&node, ADA).await.pop().unwrap();
    let names: Vec<_> = message
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with([' ', '\t']))
        .filter_map(|line| line.split(':').next())
        .collect();
    // RFC 8601 §4.1: above what was there when it was verified; RFC 5321 §4.4: Return-Path above all.
    let order = [
        "Return-Path",
        "Delivered-To",
        "Authentication-Results",
        "Received-SPF",
        "Received",
        "From",
        "Subject",
    ];
    assert_eq!(names, order);
    let received_spf = fields(&message, "Received-SPF").remove(0);
    assert!(received_spf.starts_with("pass (mail.example.org: domain of sender"), "{received_spf}");
    assert!(received_spf.contains("client-ip=192.0.2.1"), "{received_spf}");
    assert_eq!(
        events(&node, &reply).await,
        [
            "192.0.2.1 iprev: pass, the address is that of mx.sender.example",
            "sender.example SPF of MAIL: pass by ip4:192.0.2.1",
            "mx.sender.example SPF of HELO: pass by a",
            "- DKIM: none, the message has no signature",
            "sender.example DMARC: none, there is no record",
        ]
    );
    node.stop().await;
}

#[tokio::test]
async fn the_null_reverse_path_is_checked_by_the_name_of_helo() {
    let (node, _) = node(zone(), |_| {}).await;
    assert!(post(&node, SENDER, "<>", TEXT).await.starts_with("250 "));
    let results = results(&node).await;
    assert!(has(&results, "spf=pass smtp.helo=mx.sender.example"), "{results:?}");
    assert!(!results.iter().any(|result| result.contains("smtp.mailfrom")), "{results:?}");
    node.stop().await;
}

#[tokio::test]
async fn mail_that_fails_dmarc_is_refused_where_its_domain_asks_for_that() {
    let (node, _) = node(zone(), |_| {}).await;
    // SPF passes for another domain than the author shows.
    let reply = post(&node, SENDER, "<x@sender.example>", AS_BANK).await;
    assert!(
        reply.starts_with(
            "550 5.7.26 The domain of From wants mail refused that fails DMARC: bank.example: SPF pass for \
             sender.example, no DKIM signature; sign as bank.example"
        ),
        "{reply}"
    );
    let told = events(&node, &reply).await;
    let last = "bank.example DMARC: fail, neither SPF nor DKIM vouches for the domain; the record of bank.example \
                asks for reject";
    assert_eq!(told.last().map(String::as_str), Some(last));
    assert_eq!(inbox(&node, ADA).await.len(), 0);
    // From its own host it is taken.
    let reply = post(&node, Ipv4Addr::new(203, 0, 113, 7), "<bank@bank.example>", AS_BANK).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert!(has(&results(&node).await, "dmarc=pass header.from=bank.example policy.dmarc=reject"));
    // Two authors are one too many where one of them fails (RFC 9989 §11.5).
    let both = AS_BANK.replace("From: ", "From: bob@sender.example, ");
    assert!(post(&node, SENDER, "<x@sender.example>", &both).await.starts_with("550 5.7.26"));
    node.stop().await;
}

/// Else it would be counted for the reports of its author's domain each time that it comes.
#[tokio::test]
async fn mail_for_which_there_is_no_room_is_judged_when_there_is() {
    let (node, _) = node(zone(), |_| {}).await;
    set(&node, ADA, |settings| settings.quota_bytes = Some(20)).await;
    let reply = post(&node, SENDER, "<bob@sender.example>", TEXT).await;
    assert!(reply.starts_with("452 4.2.2") && events(&node, &reply).await.is_empty(), "{reply}");
    set(&node, ADA, |settings| settings.quota_bytes = None).await;
    let reply = post(&node, SENDER, "<bob@sender.example>", TEXT).await;
    assert!(reply.starts_with("250 ") && !events(&node, &reply).await.is_empty(), "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn quarantine_and_the_operators_word_take_the_message_and_tell_it() {
    let (node, _) = node(zone(), |config| config.mailboxes.junk = Switch::Off).await;
    let as_shop = AS_BANK.replace("bank", "shop");
    let reply = post(&node, OTHER, "<x@shop.example>", &as_shop).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let found = results(&node).await;
    assert!(has(&found, "dmarc=fail header.from=shop.example policy.dmarc=quarantine"), "{found:?}");
    let query = TraceQuery { id: Some(id_in(&reply)), ..TraceQuery::default() };
    let told = node.store().trace(query).await.unwrap();
    assert!(told.iter().any(|event| event.reason.starts_with("suspicious: DMARC of shop.example fails")));
    node.stop().await;

    let (node, _) = self::node(zone(), |config| config.authenticity.dmarc = DmarcChoice::Tag).await;
    assert!(post(&node, OTHER, "<x@bank.example>", AS_BANK).await.starts_with("250 "));
    assert!(has(&results(&node).await, "dmarc=fail header.from=bank.example policy.dmarc=reject"));
    node.stop().await;
}

#[tokio::test]
async fn a_signature_vouches_for_mail_that_was_forwarded_in_memory_and_on_disk() {
    let key = key();
    let zone = zone().txt("sel._domainkey.bank.example", &key.record().unwrap());
    for in_memory in [ByteSize::mib(1), ByteSize(0)] {
        let (node, _) = node(zone.clone(), |config| {
            config.limits.body_memory_per_message_bytes_max = in_memory;
        })
        .await;
        let message = format!("{AS_BANK}\r\n{}", "More of it,  with  spaces \r\n".repeat(9000));
        let message = signed(message.trim_end_matches("\r\n"), "bank.example", &key);
        let reply = post(&node, OTHER, "<x@bank.example>", &message).await;
        assert!(reply.starts_with("250 "), "{reply}");
        let found = results(&node).await;
        assert!(has(&found, "spf=fail smtp.mailfrom=bank.example"), "{found:?}");
        assert!(has(&found, "dkim=pass header.d=bank.example"), "{found:?}");
        assert!(has(&found, "dmarc=pass header.from=bank.example"), "{found:?}");
        let changed = message.replacen("More of it", "Less of it", 1);
        let reply = post(&node, OTHER, "<x@bank.example>", &changed).await;
        assert!(reply.starts_with("550 5.7.26") && reply.contains("DKIM fail for bank.example"), "{reply}");
        let told = events(&node, &reply).await;
        let broken = "bank.example DKIM: fail by the key sel: the body was changed after it was signed";
        assert!(told.contains(&broken.to_owned()), "{told:?}");
        node.stop().await;
    }
}

#[tokio::test]
async fn messages_that_other_programs_signed_pass() {
    let Some(folder) = testdata::folder("dkim/dkimpy") else { return };
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap().replace("\r\n", "\n");
    let key = read("test.txt");
    // RFC 6376's example, signed by dkimpy; the other key is that of RFC 8463 §A.2.
    let zone = zone()
        .txt("test._domainkey.football.example.com", key.trim())
        .txt(
            "brisbane._domainkey.football.example.com",
            "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
        )
        .txt("_dmarc.football.example.com", "v=DMARC1; p=reject");
    let (node, _) = node(zone, |_| {}).await;
    let message = read("rfc6376.signed.msg").replace('\n', "\r\n");
    let message = message.strip_suffix("\r\n").unwrap();
    let reply = post(&node, OTHER, "<joe@football.example.com>", message).await;
    assert!(reply.starts_with("250 "), "{reply}");
    let found = results(&node).await;
    let passed: Vec<_> = found.iter().filter(|result| result.starts_with("dkim=pass")).collect();
    assert_eq!(passed.len(), 2, "{found:?}");
    assert!(
        passed[0].contains("header.a=ed25519-sha256") && passed[1].contains("weak key of 1024 bits"),
        "{found:?}"
    );
    assert!(has(&found, "dmarc=pass"), "{found:?}");
    node.stop().await;
}

#[tokio::test]
async fn spf_alone_refuses_where_the_operator_says_so_and_hands_on_what_the_domain_explains() {
    let (node, _) = node(zone(), |config| config.authenticity.spf_fail = FailureChoice::Reject).await;
    let reply = post(&node, OTHER, "<x@bank.example>", TEXT).await;
    assert!(
        reply.starts_with(
            "550 5.7.23 The SPF record of the sender's domain forbids this: bank.example does not list 198.51.100.66;"
        ),
        "{reply}"
    );
    // RFC 7208 §6.2.
    assert!(reply.contains("it says: 198.51.100.66 is not one of our hosts"), "{reply}");
    assert!(post(&node, SENDER, "<x@sender.example>", TEXT).await.starts_with("250 "));
    node.stop().await;
}

#[tokio::test]
async fn a_signature_is_asked_for_where_the_operator_says_so() {
    let key = key();
    let zone = zone().txt("sel._domainkey.sender.example", &key.record().unwrap());
    let (node, _) = node(zone, |config| config.authenticity.no_dkim = FailureChoice::Reject).await;
    let reply = post(&node, SENDER, "<x@sender.example>", TEXT).await;
    assert!(reply.starts_with("550 5.7.20 A valid DKIM signature is needed here"), "{reply}");
    let reply = post(&node, SENDER, "<x@sender.example>", &signed(TEXT, "sender.example", &key)).await;
    assert!(reply.starts_with("250 "), "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn what_the_dns_does_not_answer_is_taken_and_told_or_put_off() {
    let zone =
        || zone().failing("silent.example").failing("_dmarc.mute.example").txt("mute.example", "v=spf1 -all");
    let (node, _) = self::node(zone(), |_| {}).await;
    let reply = post(&node, SENDER, "<x@silent.example>", TEXT).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert!(has(&results(&node).await, "spf=temperror"));
    let as_mute = AS_BANK.replace("bank", "mute");
    assert!(post(&node, SENDER, "<x@sender.example>", &as_mute).await.starts_with("250 "));
    assert!(has(&results(&node).await, "dmarc=temperror"));
    node.stop().await;

    let (node, _) = self::node(zone(), |config| config.authenticity.dns_trouble = TroubleChoice::Defer).await;
    let reply = post(&node, SENDER, "<x@silent.example>", TEXT).await;
    assert!(reply.starts_with("451 4.7.24 SPF cannot be checked now"), "{reply}");
    let reply = post(&node, SENDER, "<x@sender.example>", &as_mute).await;
    assert!(reply.starts_with("451 4.4.3 "), "{reply}");
    node.stop().await;
}

#[tokio::test]
async fn trouble_counts_for_the_domain_that_it_could_save_and_for_no_other() {
    let key = key();
    let zone = zone()
        .failing("sel._domainkey.bank.example")
        .failing("sel._domainkey.evil.example")
        .silent("sel._domainkey.slow.example");
    let (node, _) = node(zone, |config| {
        config.authenticity.timeout_s = Seconds(1);
        config.dns.timeout_s = Seconds(60);
    })
    .await;
    // The key that could make it pass is not to be had now.
    let reply = post(&node, OTHER, "<x@evil.example>", &signed(AS_BANK, "bank.example", &key)).await;
    assert!(reply.starts_with("250 "), "{reply}");
    assert!(has(&results(&node).await, "dkim=temperror"));
    // A signature of somebody else, whose DNS fails or never answers, is no way round the policy of the bank.
    for domain in ["evil.example", "slow.example"] {
        let reply = post(&node, OTHER, "<x@evil.example>", &signed(AS_BANK, domain, &key)).await;
        assert!(reply.starts_with("550 5.7.26"), "{domain}: {reply}");
        assert!(reply.contains(&format!("DKIM temperror for {domain}")), "{reply}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_message_whose_author_is_not_plain_is_refused() {
    let (node, _) = node(zone(), |_| {}).await;
    for (message, why) in [
        ("Subject: s\r\n\r\ntext", "The message has no From"),
        ("no field at all\r\nFrom: bob@sender.example\r\n\r\ntext", "The message has no From"),
        (
            "From: bob@sender.example\r\nFrom: bank@bank.example\r\n\r\ntext",
            "The message has more than one From",
        ),
        ("From: undisclosed:;\r\n\r\ntext", "From names nobody"),
        ("From: Bank\r\n\r\ntext", "From cannot be read"),
    ] {
        let reply = post(&node, SENDER, "<x@sender.example>", message).await;
        assert!(reply.starts_with(&format!("554 5.6.0 {why} [")), "{message}: {reply}");
    }
    node.stop().await;
    let (node, _) =
        self::node(zone(), |config| config.authenticity.malformed_from = FailureChoice::Accept).await;
    assert!(post(&node, SENDER, "<x@sender.example>", "Subject: s\r\n\r\ntext").await.starts_with("250 "));
    assert!(!has(&results(&node).await, "dmarc="));
    node.stop().await;
}

#[tokio::test]
async fn results_that_came_with_the_message_and_claim_to_be_ours_are_removed() {
    let (node, _) = node(zone(), |_| {}).await;
    let message = format!(
        "Authentication-Results: mail.example.org; dmarc=pass header.from=bank.example\r\n\
         AUTHENTICATION-RESULTS : (x) \"Mail.Example.ORG\"\r\n\t1; dkim=pass\r\n\
         Received-SPF: pass (mail.example.org: x) receiver=mail.example.org\r\n\
         Authentication-Results: other.example; spf=pass\r\n{TEXT}"
    );
    assert!(post(&node, SENDER, "<x@sender.example>", &message).await.starts_with("250 "));
    let stored = inbox(&node, ADA).await.pop().unwrap();
    let found = fields(&stored, "Authentication-Results");
    assert_eq!(found.len(), 2, "{stored}");
    assert!(found[0].starts_with("mail.example.org;") && found[1] == "other.example; spf=pass", "{stored}");
    assert!(!stored.contains("bank.example") && !stored.contains("\"Mail"), "{stored}");
    assert_eq!(fields(&stored, "Received-SPF").len(), 1);
    assert!(stored.ends_with("\r\n\r\ntext\r\n"), "{stored}");
    node.stop().await;
}

#[tokio::test]
async fn a_copy_for_elsewhere_carries_the_results_and_a_forged_sender_hears_nothing() {
    let (node, _) = node(zone(), |_| {}).await;
    alias(&node, "away@example.org", &["her@elsewhere.example"]).await;
    for (ip, mail, notify) in [
        (SENDER, "<x@sender.example>", Some(Notify::When { success: true, failure: true, delay: false })),
        (OTHER, "<x@sender.example>", Some(Notify::Never)),
    ] {
        let before = queue(&node).await.len();
        let mut talk = visit(&node, ip).await;
        talk.dialogue(&[
            (&format!("MAIL FROM:{mail} RET=HDRS"), "250 "),
            ("RCPT TO:<away@example.org> NOTIFY=SUCCESS,FAILURE", "250 "),
            ("RCPT TO:<ada@example.org> NOTIFY=SUCCESS", "250 "),
            ("DATA", "354 "),
            (&format!("{TEXT}\r\n."), "250 2.0.0"),
        ])
        .await;
        let items = queue(&node).await;
        let item = items.iter().rfind(|item| item.destination.as_str() == "elsewhere.example").unwrap();
        let asked = item.state.recipients[0].recipient.dsn.notify;
        let copy = queued(&node, item).await;
        assert_eq!(fields(&copy, "Authentication-Results").len(), 1, "{copy}");
        let top = "Delivered-To: away@example.org\r\nAuthentication-Results: mail.example.org;";
        assert!(copy.starts_with(top), "{copy}");
        let reports = items[before..].iter().filter(|item| item.destination.as_str() == "sender.example");
        match notify {
            // The report of what is in Ada's mailbox now (RFC 3461 §5.2.3).
            Some(Notify::When { .. }) => {
                assert_eq!((asked, reports.count()), (notify, 1));
            }
            _ => assert_eq!((asked, reports.count()), (notify, 0)),
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn nothing_is_asked_for_mail_of_users_trusted_networks_lmtp_and_this_machine() {
    let (node, resolver) = node(zone(), |_| {}).await;
    let mut known = vec![
        talk(&node, STRANGER, node.smtp, Way::Clear).await,
        talk(&node, TRUSTED, node.smtp, Way::Clear).await,
        talk_lmtp(&node).await,
    ];
    for talk in &mut known {
        // Of a bank, and with a From too many: nobody looks.
        let message = format!("From: x@example.net\r\n{AS_BANK}");
        let reply = talk.post("<x@bank.example>", &[ADA], &message).await;
        assert!(reply.starts_with("250 "), "{reply}");
    }
    let mut bob = logged_in(&node, "bob@example.org").await;
    let own = TEXT.replace("sender.example", "example.org");
    assert!(bob.post("<bob@example.org>", &[ADA], &own).await.starts_with("250 "));
    for message in inbox(&node, ADA).await {
        assert!(fields(&message, "Authentication-Results").is_empty(), "{message}");
    }
    assert_eq!(resolver.asked(), [""; 0]);
    // Nor where it is turned off.
    node.stop().await;
    let (node, resolver) = self::node(zone(), |config| config.authenticity.verify = Switch::Off).await;
    assert!(post(&node, OTHER, "<x@bank.example>", AS_BANK).await.starts_with("250 "));
    assert_eq!(resolver.asked(), [""; 0]);
    node.stop().await;
}

#[tokio::test]
async fn each_transaction_of_a_session_is_checked_by_what_it_says_itself() {
    let (node, _) = node(zone(), |_| {}).await;
    let mut talk = visit(&node, SENDER).await;
    talk.dialogue(&[
        ("MAIL FROM:<x@bank.example>", "250 "),
        ("RCPT TO:<ada@example.org>", "250 "),
        ("RSET", "250 "),
    ])
    .await;
    assert!(talk.post("<x@sender.example>", &[ADA], TEXT).await.starts_with("250 "));
    assert!(has(&results(&node).await, "spf=pass smtp.mailfrom=sender.example"));
    assert!(talk.post("<x@bank.example>", &[ADA], TEXT).await.starts_with("250 "));
    assert!(has(&results(&node).await, "spf=fail smtp.mailfrom=bank.example"));
    // By BDAT in pieces, and without a body at all.
    talk.dialogue(&[("MAIL FROM:<x@sender.example>", "250 "), ("RCPT TO:<ada@example.org>", "250 ")]).await;
    talk.send(b"BDAT 10\r\nFrom: bob@BDAT 16 LAST\r\nsender.example\r\n").await;
    talk.expect("250 ").await;
    talk.expect("250 2.0.0 Message accepted").await;
    assert!(has(&results(&node).await, "dmarc=none header.from=sender.example"));
    node.stop().await;
}

#[tokio::test]
async fn hostile_headers_and_records_cost_their_limit_and_no_more() {
    let zone = zone()
        .txt("loop.example", "v=spf1 include:loop.example -all")
        .txt("_dmarc.loop.example", "v=DMARC1; p=reject; p=none;;=;");
    let (node, resolver) = node(zone, |_| {}).await;
    assert!(post(&node, OTHER, "<x@loop.example>", TEXT).await.starts_with("250 "));
    assert!(has(&results(&node).await, "spf=permerror"));
    resolver.asked();
    let key = key();
    let one = signed(TEXT, "sender.example", &key);
    let (field, _) = one.split_at(one.len() - TEXT.len());
    let mut many = String::new();
    for n in 0..100 {
        many += &field.replace("s=sel;", &format!("s=sel{n};"));
    }
    assert!(post(&node, SENDER, "<x@sender.example>", &(many + TEXT)).await.starts_with("250 "));
    let keys = resolver.asked().iter().filter(|name| name.contains("_domainkey")).count();
    assert_eq!(keys, mailauth::dkim::SIGNATURES_MAX);
    let sets: String = (1..=60).map(|n| format!("ARC-Seal: i={n}; =;\r\n")).collect();
    assert!(post(&node, SENDER, "<x@sender.example>", &(sets + TEXT)).await.starts_with("250 "));
    assert!(has(&results(&node).await, "arc=fail"));
    let huge = format!("X: {}\r\n", "x".repeat(900)).repeat(400) + TEXT;
    let reply = post(&node, SENDER, "<x@sender.example>", &huge).await;
    assert!(reply.starts_with("552 5.3.4 The header section"), "{reply}");
    node.stop().await;
}
