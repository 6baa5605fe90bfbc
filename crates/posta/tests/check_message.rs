//! `posta check message`, `posta spf walk`, `posta dkim verify` and `posta dmarc lookup` as a person and a script meet them. The
//! DNS is a resolver of this test's own; messages to `--listen` come by SMTP.

#![allow(clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod common;
#[path = "../../server/tests/common/resolver.rs"]
mod resolver;

use std::io::{Read as _, Write as _};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use common::{Dialogue, Server, code, posta};
use mailauth::dkim::{BodyHasher, Signer, SigningKey};
use resolver::{Resolver, Zone};
use serde_json::Value;
use types::Timestamp;

const CLIENT: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const HEADER: &str = "From: Ada <ada@example.org>\r\nTo: bob@example.net\r\nSubject: The engine\r\nDate: Sun, 22 Nov 2026 04:35:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n";
const TRACE: &str = "Return-Path: <ada@example.org>\r\nReceived: from mail.example.org ([198.51.100.7])\r\n by mx.example.net with ESMTPS id X;\r\n Sun, 22 Nov 2026 04:35:24 +0000\r\n";

/// A resolver, and the threads on which it answers.
struct Dns {
    resolver: Resolver,
    _runtime: tokio::runtime::Runtime,
}

impl Dns {
    fn serve(zone: Zone) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let resolver = runtime.block_on(zone.serve());
        Self { resolver, _runtime: runtime }
    }

    fn run(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut command = posta(arguments);
        command.arg("--dns").arg(self.resolver.address.to_string());
        let streams = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = streams.spawn().unwrap();
        // Who does not read it has ended already.
        let _ = process.stdin.take().unwrap().write_all(input);
        process.wait_with_output().unwrap()
    }

    fn json(&self, arguments: &[&str], input: &[u8]) -> (i32, Value) {
        let output = self.run(&[arguments, &["--json"]].concat(), input);
        let value = serde_json::from_slice(&output.stdout);
        (code(&output), value.unwrap_or_else(|_| panic!("{}", common::stderr(&output))))
    }

    fn page(&self, arguments: &[&str], input: &[u8]) -> (i32, String) {
        let output = self.run(arguments, input);
        (code(&output), String::from_utf8(output.stdout).unwrap())
    }
}

fn zone() -> Zone {
    Zone::default()
        .host("mail.example.org", CLIENT)
        .txt("example.org", "v=spf1 a:mail.example.org include:_spf.example.net -all")
        .txt("_spf.example.net", "v=spf1 ip4:192.0.2.0/24 a:gone.example.net ?all")
        .txt("_dmarc.example.org", "v=DMARC1; p=reject; sp=none; rua=mailto:r@reports.example; pct=50")
        .txt("k._domainkey.example.org", &key().record().unwrap())
}

fn key() -> SigningKey {
    SigningKey::ed25519_from_seed(&[9; 32]).unwrap()
}

fn signed(body: &str) -> String {
    let (key, domain) = (key(), "example.org".parse().unwrap());
    let mut hasher = BodyHasher::new([Signer::form()]);
    hasher.push(body.as_bytes());
    let fields = mailauth::fields(HEADER.as_bytes());
    let at = Timestamp::from_millis(1_795_322_100_000);
    let field = Signer::new(&domain, "k", &key).unwrap().sign(&fields, &hasher.finish(), at).unwrap();
    format!("{field}{HEADER}\r\n{body}")
}

fn finding<'v>(report: &'v Value, topic: &str) -> &'v Value {
    let findings = report["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["topic"] == topic).unwrap_or_else(|| panic!("{topic} {report:#}"))
}

#[test]
fn a_message_in_order_gets_all_points_and_one_that_is_forged_does_not() {
    let dns = Dns::serve(zone());
    let message = format!("{TRACE}{}", signed("It works.\r\n"));
    let (status, report) = dns.json(&["check", "message", "-"], message.as_bytes());
    assert_eq!((status, &report["score"], &report["grade"]), (0, &10.0.into(), &"good".into()), "{report:#}");
    assert_eq!((&report["client"], &report["helo"]), (&"198.51.100.7".into(), &"mail.example.org".into()));
    assert_eq!(report["assumed"].as_array().unwrap().len(), 3, "{report:#}");
    for topic in ["spf", "dkim", "dmarc", "ptr", "hello", "tls"] {
        assert_eq!(finding(&report, topic)["verdict"], "good", "{report:#}");
    }
    let arguments =
        ["check", "message", "-", "--ip", "203.0.113.1", "--helo", "x", "--from", "ada@example.org"];
    let (status, report) = dns.json(&arguments, format!("{HEADER}\r\nIt works.\r\n").as_bytes());
    assert_eq!((status, &report["grade"]), (1, &"bad".into()), "{report:#}");
    assert_eq!(finding(&report, "dmarc")["verdict"], "bad");
    let (status, page) = dns.page(&arguments, format!("{HEADER}\r\nIt works.\r\n").as_bytes());
    assert_eq!(status, 1);
    for part in ["DMARC\n", "(−5.0)", "> ", "0.0 of 10 points: bad"] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn a_file_of_this_system_is_read_like_what_came_over_the_wire() {
    let dns = Dns::serve(zone());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mail.eml");
    std::fs::write(&path, format!("{TRACE}{}", signed("It works.\r\n")).replace("\r\n", "\n")).unwrap();
    let (status, report) = dns.json(&["check", "message", path.to_str().unwrap()], b"");
    assert_eq!((status, &finding(&report, "dkim")["verdict"]), (0, &"good".into()), "{report:#}");
    let (status, _) = dns.page(&["check", "message", "/nowhere/at/all"], b"");
    assert_eq!(status, 65);
    let (status, _) = dns.page(&["check", "message"], b"");
    assert_eq!(status, 64);
}

#[test]
fn lists_that_were_named_are_asked() {
    let zone = zone()
        .address("2.0.0.127.list.example", Ipv4Addr::new(127, 0, 0, 2))
        .address("7.100.51.198.list.example", Ipv4Addr::new(127, 0, 0, 4))
        .txt("7.100.51.198.list.example", "see https://list.example/why");
    let dns = Dns::serve(zone);
    let message = format!("{TRACE}{}", signed("It works.\r\n"));
    let (status, report) =
        dns.json(&["check", "message", "-", "--dnsbl", "list.example"], message.as_bytes());
    let listed = finding(&report, "dnsbl");
    assert_eq!((status, &listed["verdict"], &listed["about"]), (1, &"bad".into(), &"198.51.100.7".into()));
    assert_eq!(listed["details"][0], "see https://list.example/why");
}

#[test]
fn nothing_of_a_message_steers_the_terminal() {
    let dns = Dns::serve(zone());
    let message = "From: \u{1b}[2J <a@example.org>\r\nSubject: \u{1b}]0;title\u{7}\r\nX-Mailer: \u{9b}31m\r\nContent-Type: x/\u{1b}[1m\r\n\r\n\u{1b}[2J";
    let (_, page) = dns.page(&["check", "message", "-"], message.as_bytes());
    assert!(!page.contains(['\u{1b}', '\u{9b}', '\u{7}']), "{page:?}");
    assert!(page.contains("points"), "{page}");
}

/// The message of a client, to the address that was made and to others.
#[test]
fn a_message_that_is_sent_to_the_address_is_checked_and_the_server_ends() {
    let dns = Dns::serve(zone());
    let mut command =
        posta(&["check", "message", "--listen", "127.0.0.1:0", "--domain", "check.example", "--json"]);
    command.arg("--dns").arg(dns.resolver.address.to_string());
    let mut server = Server::spawn(&mut command);
    let address = server.ready["address"].as_str().unwrap().to_owned();
    assert!(address.ends_with("@check.example") && address.starts_with("check-"), "{address}");
    let mut smtp = Dialogue::open(server.ready["listening"].as_str().unwrap());
    assert!(smtp.reply().starts_with("220 check.example"));
    smtp.say("HELO mail.example.org", "250");
    smtp.say("MAIL FROM:<ada@example.org>", "250");
    smtp.say("RCPT TO:<somebody@check.example>", "550");
    smtp.say("RCPT TO:<ada@example.org>", "550");
    smtp.say(&format!("RCPT TO:<{address}>"), "250");
    smtp.say("DATA", "354");
    smtp.0.get_mut().write_all(format!("{}.\r\n", signed("It works.\r\n")).as_bytes()).unwrap();
    let reply = smtp.reply();
    assert!(reply.starts_with("250 "), "{reply}");
    let mut rest = String::new();
    server.stdout.read_to_string(&mut rest).unwrap();
    let report: Value = serde_json::from_str(&rest).unwrap_or_else(|error| panic!("{error}: {rest}"));
    assert_eq!((&report["client"], &report["helo"]), (&"127.0.0.1".into(), &"mail.example.org".into()));
    assert_eq!(
        (&report["reverse_path"], report["assumed"].as_array().unwrap().len()),
        (&"ada@example.org".into(), 0)
    );
    // What proves it is the signature alone: what others will say of loopback nobody can tell.
    assert_eq!(finding(&report, "dkim")["verdict"], "good", "{report:#}");
    assert_eq!(finding(&report, "dmarc")["verdict"], "good", "{report:#}");
    assert_eq!(finding(&report, "spf")["verdict"], "unknown", "{report:#}");
    assert_eq!(finding(&report, "tls")["verdict"], "warning", "{report:#}");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_message_that_was_taken_while_the_server_stops_is_checked_too() {
    let dns = Dns::serve(zone());
    let mut command = posta(&["check", "message", "--listen", "127.0.0.1:0", "--json"]);
    command.arg("--dns").arg(dns.resolver.address.to_string());
    let mut server = Server::spawn(&mut command);
    let address = server.ready["address"].as_str().unwrap().to_owned();
    let begin = || {
        let mut smtp = Dialogue::open(server.ready["listening"].as_str().unwrap());
        assert!(smtp.reply().starts_with("220 "));
        smtp.say("HELO mail.example.org", "250");
        smtp.say("MAIL FROM:<ada@example.org>", "250");
        smtp.say(&format!("RCPT TO:<{address}>"), "250");
        smtp.say("DATA", "354");
        smtp
    };
    let (mut first, mut second) = (begin(), begin());
    // The body of the second is another one than was signed.
    let (right, wrong) = (signed("It works.\r\n"), signed("It works.\r\n").replace("It works.", "It broke."));
    for (smtp, text) in [(&mut first, right), (&mut second, wrong)] {
        smtp.0.get_mut().write_all(format!("{text}.\r\n").as_bytes()).unwrap();
        let reply = smtp.reply();
        assert!(reply.starts_with("250 "), "{reply}");
    }
    let mut rest = String::new();
    server.stdout.read_to_string(&mut rest).unwrap();
    let reports: Vec<Value> =
        serde_json::Deserializer::from_str(&rest).into_iter().collect::<Result<_, _>>().unwrap();
    let signatures: Vec<_> =
        reports.iter().map(|report| finding(report, "dkim")["verdict"].clone()).collect();
    assert_eq!(signatures.len(), 2, "{rest}");
    assert!(["good", "bad"].iter().all(|verdict| signatures.iter().any(|found| found == verdict)), "{rest}");
    assert_eq!(server.process.wait().unwrap().code(), Some(1));
}

#[test]
fn a_message_that_does_not_come_is_told_with_what_to_look_at() {
    let dns = Dns::serve(zone());
    let output = dns.run(&["check", "message", "--listen", "127.0.0.1:0", "--timeout", "0"], b"");
    assert_eq!(code(&output), 75);
    assert!(common::stderr(&output).contains("port 25 must be open"), "{}", common::stderr(&output));
    assert!(String::from_utf8(output.stdout).unwrap().contains("@localhost"));
}

#[test]
fn the_tree_of_spf_is_drawn_with_its_costs_and_what_matches() {
    let dns = Dns::serve(zone());
    let (status, page) = dns.page(&["spf", "walk", "example.org"], b"");
    assert_eq!(status, 0, "{page}");
    for part in [
        "v=spf1 a:mail.example.org include:_spf.example.net -all",
        "├─  1 a:mail.example.org",
        "198.51.100.7",
        "├─  2 include:_spf.example.net",
        "├─  3 a:gone.example.net",
        "finds nothing",
        "└─    -all",
        "3 of 10 terms that ask the DNS, 1 of 2 that find nothing",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let (status, page) = dns.page(&["spf", "walk", "example.org", "--ip", "192.0.2.9"], b"");
    assert!(page.contains("192.0.2.9 for example.org: pass, decided by include:_spf.example.net"), "{page}");
    assert_eq!(status, 0);
    let (status, value) = dns.json(&["spf", "walk", "example.org", "--ip", "203.0.113.1"], b"");
    assert_eq!((status, &value["result"]["result"]), (1, &"fail".into()), "{value:#}");
    assert_eq!(value["record"]["terms"][1]["record"]["terms"][0]["match"], false);
    let (status, page) = dns.page(&["spf", "walk", "example.com"], b"");
    assert!(status == 1 && page.contains("there is no SPF record"), "{page}");
    assert_eq!(dns.page(&["spf", "walk", "not a name"], b"").0, 65);
}

#[test]
fn a_dns_that_fails_is_no_fault_of_the_domain() {
    let dns = Dns::serve(Zone::default().failing("example.org").failing("_dmarc.example.org"));
    assert_eq!(dns.page(&["spf", "walk", "example.org"], b"").0, 75);
    assert_eq!(dns.page(&["dmarc", "lookup", "example.org"], b"").0, 75);
}

#[test]
fn each_signature_is_told_in_words_with_the_key_of_the_dns_or_one_that_is_given() {
    let dns = Dns::serve(zone());
    let message = signed("It works.\r\n");
    let (status, value) = dns.json(&["dkim", "verify", "-"], message.as_bytes());
    let signature = &value["signatures"][0];
    assert_eq!(
        (status, &signature["result"], &signature["selector"]),
        (0, &"pass".into(), &"k".into()),
        "{value:#}"
    );
    assert_eq!(signature["body_hash"], signature["signed_body_hash"]);
    let changed = message.replace("It works.", "It broke.");
    let (status, page) = dns.page(&["dkim", "verify", "-"], changed.as_bytes());
    assert_eq!(status, 1);
    for part in [
        "k._domainkey.example.org: fail: the body was changed",
        "signed: bh=",
        "came:   bh=",
        "relaxed form",
        "> sign last",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let elsewhere = Dns::serve(Zone::default());
    assert_eq!(elsewhere.page(&["dkim", "verify", "-"], message.as_bytes()).0, 1);
    let record = key().record().unwrap();
    assert_eq!(elsewhere.page(&["dkim", "verify", "-", "--record", &record], message.as_bytes()).0, 0);
    let folder = tempfile::tempdir().unwrap();
    let file: PathBuf = folder.path().join("key.txt");
    std::fs::write(&file, format!("k._domainkey.example.org. IN TXT \"{record}\"\n")).unwrap();
    let arguments = ["dkim", "verify", "-", "--key-file", file.to_str().unwrap()];
    assert_eq!(elsewhere.page(&arguments, message.as_bytes()).0, 0);
    let (status, page) = dns.page(&["dkim", "verify", "-"], b"From: a@b.example\r\n\r\n");
    assert!(status == 1 && page.contains("no DKIM signature"), "{page}");
}

#[test]
fn the_walk_of_dmarc_is_told_step_by_step() {
    let dns = Dns::serve(zone().host("news.example.org", Ipv4Addr::new(198, 51, 100, 8)));
    let (status, page) = dns.page(&["dmarc", "lookup", "news.example.org"], b"");
    assert_eq!(status, 1, "pct was dropped, and nobody at reports.example wants reports: {page}");
    for part in [
        "1. _dmarc.news.example.org\n     nothing there",
        "2. _dmarc.example.org",
        "organization   example.org",
        "record of      example.org",
        "policy         none: sp, since the record is of a domain above",
        "it was dropped from DMARC",
        "example.org._report._dmarc.reports.example",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let (_, value) = dns.json(&["dmarc", "lookup", "example.org"], b"");
    assert_eq!(
        (&value["policy"], &value["policy_domain"]),
        (&"reject".into(), &"example.org".into()),
        "{value:#}"
    );
    assert_eq!(value["receivers"][0]["willing"], false);
    let (status, page) = dns.page(&["dmarc", "lookup", "example.com"], b"");
    assert!(status == 1 && page.contains("no record applies"), "{page}");
}
