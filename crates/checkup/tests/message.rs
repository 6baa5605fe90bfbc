//! The check of a message: tables of messages with the findings that they are to have, and what others wrote.

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

#[path = "../../mailauth/tests/common/mod.rs"]
mod common;

use std::path::{Path, PathBuf};

use checkup::message::{Arrival, Given, Grade, Letter, Oddity, Question, Report, SCORE_MAX, check};
use checkup::{Finding, Topic, Verdict};
use common::{Zone, reverse_name, run};
use mailauth::dkim::{Signer, SigningKey};
use types::Timestamp;

/// Sun, 22 Nov 2026 04:35:24 +0000
const NOW_S: u64 = 1_795_322_124;

const RECEIVED: &str = "Received: from mail.example.org ([198.51.100.7])\r\n by mx.example.net with ESMTPS id X;\r\n Sun, 22 Nov 2026 04:35:24 +0000\r\n";
const RETURN_PATH: &str = "Return-Path: <ada@example.org>\r\n";
const HEADER: &str = "From: Ada <ada@example.org>\r\nTo: bob@example.net\r\nSubject: The engine\r\nDate: Sun, 22 Nov 2026 04:35:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n";
const TEXT: &str = "Content-Type: text/plain; charset=utf-8\r\n\r\nIt works.\r\n";

fn now() -> Timestamp {
    Timestamp::from_millis(NOW_S * 1000)
}

fn report_of(zone: &Zone, octets: &[u8], lists: &[String]) -> Report {
    let letter = Letter::read(octets, Vec::new());
    let arrival = Arrival::read(&letter, Given::default());
    let at = arrival.at.unwrap_or_else(now);
    run(check(zone, &Question { letter: &letter, arrival: &arrival, lists, at }))
}

fn content(message: &str) -> Vec<Finding> {
    let findings = report_of(&Zone::default(), message.as_bytes(), &[]).findings;
    let of_content =
        [Topic::Header, Topic::Mime, Topic::Content, Topic::Link, Topic::Unsubscribe, Topic::Size];
    findings.into_iter().filter(|finding| of_content.contains(&finding.topic)).collect()
}

/// What is wrong, as topic and about.
fn wrong(findings: &[Finding]) -> Vec<(Topic, &str)> {
    let is_wrong = |finding: &&Finding| matches!(finding.verdict, Verdict::Warning | Verdict::Bad);
    findings.iter().filter(is_wrong).map(|finding| (finding.topic, finding.about.as_str())).collect()
}

/// A host that has all in order.
fn zone() -> Zone {
    let mut zone = Zone::with_texts(&[
        ("example.org", "v=spf1 a:mail.example.org -all"),
        ("_dmarc.example.org", "v=DMARC1; p=reject"),
    ]);
    let ip = "198.51.100.7".parse().unwrap();
    zone.node("mail.example.org").ipv4.push(ip);
    zone.node(&reverse_name(ip.into())).ptr.push("mail.example.org.".to_owned());
    zone
}

fn signed(zone: &mut Zone, message: &str) -> String {
    let key = SigningKey::ed25519_from_seed(&[7; 32]).unwrap();
    zone.node("k._domainkey.example.org").txt.push(key.record().unwrap().into_bytes());
    let (header, body) = message.split_once("\r\n\r\n").unwrap();
    let header = format!("{header}\r\n");
    let domain = "example.org".parse().unwrap();
    let fields = mailauth::fields(header.as_bytes());
    let mut hasher = mailauth::dkim::BodyHasher::new([Signer::form()]);
    hasher.push(body.as_bytes());
    let field = Signer::new(&domain, "k", &key).unwrap().sign(&fields, &hasher.finish(), now()).unwrap();
    format!("{field}{message}")
}

/// A message that was sent over the desk: nothing is to be published for 127.0.0.1.
#[test]
fn an_address_that_others_never_see_is_held_against_nobody_and_never_to_be_published() {
    for ip in ["127.0.0.1", "10.1.2.3", "192.168.0.9", "100.64.1.1", "IPv6:::1", "IPv6:fd00::1"] {
        let received = RECEIVED.replace("198.51.100.7", ip);
        let report = report_of(&zone(), format!("{RETURN_PATH}{received}{HEADER}{TEXT}").as_bytes(), &[]);
        let of =
            |topic| report.findings.iter().filter(move |finding| finding.topic == topic).collect::<Vec<_>>();
        let spf = of(Topic::Spf);
        assert_eq!((spf.len(), spf[0].verdict), (1, Verdict::Unknown), "{ip}: {spf:#?}");
        assert!(spf[0].mend.as_ref().unwrap().contains("--ip"), "{spf:?}");
        assert_eq!(of(Topic::Ptr), Vec::<&Finding>::new(), "{ip}");
    }
}

/// A record with `k=rsa` would break the signature for good.
#[test]
fn a_key_that_is_missing_is_to_be_published_as_what_it_is() {
    let mut elsewhere = zone();
    let message = signed(&mut elsewhere, &format!("{HEADER}{TEXT}"));
    let report = report_of(&zone(), format!("{RETURN_PATH}{RECEIVED}{message}").as_bytes(), &[]);
    let mend =
        report.findings.iter().find(|finding| finding.about.contains("_domainkey")).unwrap().mend.as_ref();
    assert!(mend.unwrap().contains("k._domainkey.example.org. IN TXT \"v=DKIM1; k=ed25519; p="), "{mend:?}");
}

#[test]
fn a_message_in_order_has_all_points() {
    let mut zone = zone();
    let message = signed(&mut zone, &format!("{HEADER}{TEXT}"));
    let report = report_of(&zone, format!("{RETURN_PATH}{RECEIVED}{message}").as_bytes(), &[]);
    assert_eq!(wrong(&report.findings), []);
    assert!((report.score - SCORE_MAX).abs() < 0.01, "{report:#?}");
    assert_eq!(report.grade(), Grade::Good);
    for topic in [Topic::Spf, Topic::Dkim, Topic::Dmarc, Topic::Ptr, Topic::Hello, Topic::Tls, Topic::Header]
    {
        assert!(report.findings.iter().any(|finding| finding.topic == topic), "{topic:?}");
    }
}

#[test]
fn a_message_that_nothing_proves_is_bad_under_a_policy_of_reject() {
    let zone = zone();
    let from_elsewhere = RECEIVED.replace("198.51.100.7", "203.0.113.9");
    let report = report_of(&zone, format!("{RETURN_PATH}{from_elsewhere}{HEADER}{TEXT}").as_bytes(), &[]);
    assert_eq!(report.grade(), Grade::Bad, "{report:#?}");
    let of = |topic| report.findings.iter().find(|finding| finding.topic == topic).unwrap();
    assert_eq!((of(Topic::Spf).verdict, of(Topic::Dmarc).verdict), (Verdict::Bad, Verdict::Bad));
    assert!(of(Topic::Dmarc).says.contains("refused"));
    assert!(of(Topic::Spf).mend.as_ref().unwrap().contains("ip4:203.0.113.9"), "{:?}", of(Topic::Spf));
    let cost: f32 = report.findings.iter().map(|finding| finding.points).sum();
    assert!((report.score - (SCORE_MAX - cost).max(0.0)).abs() < 0.01);
}

#[test]
fn a_body_that_was_changed_is_told_with_both_hashes() {
    let mut zone = zone();
    let message = signed(&mut zone, &format!("{HEADER}{TEXT}")).replace("It works.", "It broke.");
    let report = report_of(&zone, message.as_bytes(), &[]);
    let dkim = report.findings.iter().find(|finding| finding.about.starts_with("k._domainkey")).unwrap();
    assert_eq!(dkim.verdict, Verdict::Bad);
    assert!(dkim.says.contains("body was changed"), "{dkim:?}");
    let hashes = dkim.details.iter().filter(|line| line.contains("bh=")).count();
    assert_eq!(hashes, 2, "{dkim:?}");
    let with_subject = signed(&mut zone, &format!("{HEADER}{TEXT}")).replace("The engine", "Another");
    let report = report_of(&zone, with_subject.as_bytes(), &[]);
    let dkim = report.findings.iter().find(|finding| finding.about.starts_with("k._domainkey")).unwrap();
    assert!(dkim.details.iter().any(|line| line.contains("cannot be told")), "{dkim:?}");
}

/// What the DNS does not answer is no fault of the message, and costs nothing.
#[test]
fn what_could_not_be_asked_costs_nothing() {
    let mut silent = zone();
    let message = signed(&mut silent, &format!("{HEADER}{TEXT}"));
    let names = ["example.org", "k._domainkey.example.org", "mail.example.org"];
    for name in names.map(str::to_owned).into_iter().chain([reverse_name("198.51.100.7".parse().unwrap())]) {
        *silent.node(&name) = common::Node { times_out: true, ..common::Node::default() };
    }
    let report = report_of(&silent, format!("{RETURN_PATH}{RECEIVED}{message}").as_bytes(), &[]);
    assert_eq!(wrong(&report.findings), []);
    assert!((report.score - SCORE_MAX).abs() < 0.01, "{report:#?}");
    let of = |topic| report.findings.iter().filter(move |finding| finding.topic == topic);
    for topic in [Topic::Spf, Topic::Dkim, Topic::Dmarc, Topic::Ptr, Topic::Hello] {
        assert!(of(topic).all(|finding| finding.verdict == Verdict::Unknown), "{topic:?} {report:#?}");
        assert!(of(topic).next().is_some(), "{topic:?}");
    }
}

#[test]
fn fields_that_are_missing_double_or_malformed_are_found() {
    assert_eq!(wrong(&content(&format!("{HEADER}{TEXT}"))), []);
    let with = |name: &str, line: &str| {
        let kept: Vec<&str> =
            HEADER.split_inclusive("\r\n").filter(|field| !field.starts_with(&format!("{name}:"))).collect();
        format!("{}{line}{TEXT}", kept.concat())
    };
    for (name, line) in [
        ("From", ""),
        ("From", "From: a b c\r\n"),
        ("From", "From: a@example.org\r\nFrom: b@example.org\r\n"),
        ("From", "From: \"bank@example.com\" <x@example.org>\r\n"),
        ("Date", ""),
        ("Date", "Date: yesterday\r\n"),
        ("Date", "Date: Sun, 22 Nov 2027 04:35:00 +0000\r\n"),
        ("Message-ID", ""),
        ("Message-ID", "Message-ID: 1@example.org\r\n"),
        ("Message-ID", "Message-ID: <1 2@example.org>\r\n"),
        ("Subject", ""),
        ("Subject", "Subject: \r\n"),
        ("Subject", "Subject: BUY THIS ENGINE NOW\r\n"),
        ("Subject", "Subject: =?utf-8?Q?broken=?=\r\n"),
        ("Subject", "Subject: a\r\nSubject: b\r\n"),
        ("To", ""),
        ("MIME-Version", ""),
        ("Bcc", "Bcc: c@example.net\r\n"),
        ("Comments", "Comments: \u{fc}\r\n no space\r\nno field\r\n"),
    ] {
        let message = with(name, line);
        let findings = content(&message);
        assert!(!wrong(&findings).is_empty(), "{name} {line:?}: {findings:#?}");
    }
    let utf8 = content(&with("Subject", "Subject: B\u{fc}cher\r\n"));
    assert!(utf8.iter().any(|finding| finding.about == "Subject" && finding.verdict == Verdict::Notice));
}

#[test]
fn parts_are_whole_and_hold_no_programs() {
    let multipart = |kind: &str, parts: &str| {
        format!("{HEADER}Content-Type: multipart/{kind}; boundary=b\r\n\r\n{parts}")
    };
    let text = "--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nIt works, as the page says.\r\n";
    let html = "--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>It works, as the <a href=\"https://example.org/\">page</a> says.</p>\r\n";
    let file = |name: &str| {
        format!(
            "--b\r\nContent-Type: application/octet-stream\r\nContent-Disposition: attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n"
        )
    };
    let end = "--b--\r\n";
    assert_eq!(wrong(&content(&multipart("alternative", &format!("{text}{html}{end}")))), []);
    assert_eq!(wrong(&content(&multipart("mixed", &format!("{text}{}{end}", file("a.pdf"))))), []);
    for (parts, about) in [
        (format!("{text}{html}"), "multipart/mixed"),
        (format!("{html}{end}"), "text/plain"),
        (format!("{text}{}{end}", file("invoice.pdf.exe")), "invoice.pdf.exe"),
        (format!("{text}{}{end}", file("macro.docm")), "macro.docm"),
        (format!("{text}--b\r\nContent-Type: text/plain; charset=no-such\r\n\r\nx\r\n{end}"), "text/plain"),
        (format!("{text}--b\r\nContent-Transfer-Encoding: uuencode\r\n\r\nx\r\n{end}"), "text/plain"),
        (
            format!("{text}--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n\u{fc}\r\n{end}"),
            "text/plain",
        ),
        (
            format!(
                "{text}--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>Hello</p><script>x()</script>\r\n{end}"
            ),
            "<script>",
        ),
        (
            format!(
                "{text}--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<img src=\"https://example.org/x.png\">\r\n{end}"
            ),
            "text/html",
        ),
    ] {
        let findings = content(&multipart("mixed", &parts));
        assert!(wrong(&findings).iter().any(|(_, found)| *found == about), "{about}: {findings:#?}");
    }
    let nothing = content(&format!("{HEADER}Content-Type: multipart/mixed\r\n\r\nx"));
    assert!(wrong(&nothing).contains(&(Topic::Mime, "multipart/mixed")), "{nothing:#?}");
}

#[test]
fn lines_are_as_long_and_end_as_they_may() {
    let with_body =
        |body: &str| content(&format!("{HEADER}Content-Type: text/plain; charset=utf-8\r\n\r\n{body}"));
    for (body, about) in [
        (format!("{}\r\n", "x".repeat(999)), "line length"),
        ("a\rb\r\n".to_owned(), "line ends"),
        ("a\nb\r\n".to_owned(), "line ends"),
        ("a\0b\r\n".to_owned(), "NUL"),
    ] {
        assert_eq!(wrong(&with_body(&body)), [(Topic::Size, about)]);
    }
    assert_eq!(wrong(&with_body(&format!("{}\r\n", "x".repeat(998)))), []);
}

#[test]
fn who_writes_to_many_lets_them_leave_by_one_click() {
    let mut zone = zone();
    let bulk = |fields: &str| format!("List-Id: <l.example.org>\r\n{fields}{HEADER}{TEXT}");
    let verdict = |zone: &Zone, message: &str| {
        let report = report_of(zone, message.as_bytes(), &[]);
        report.findings.iter().filter(|finding| finding.topic == Topic::Unsubscribe).map(|f| f.verdict).max()
    };
    let link = "List-Unsubscribe: <https://example.org/u/1>\r\n";
    let post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n";
    assert_eq!(verdict(&zone, &format!("{HEADER}{TEXT}")), None);
    assert_eq!(verdict(&zone, &bulk("")), Some(Verdict::Bad));
    assert_eq!(verdict(&zone, &bulk("List-Unsubscribe: write to us\r\n")), Some(Verdict::Bad));
    assert_eq!(verdict(&zone, &bulk(link)), Some(Verdict::Warning));
    assert_eq!(
        verdict(&zone, &bulk(&format!("List-Unsubscribe: <mailto:u@example.org>\r\n{post}"))),
        Some(Verdict::Warning)
    );
    assert_eq!(verdict(&zone, &bulk(&format!("{link}{post}"))), Some(Verdict::Warning), "not signed");
    let all = signed(&mut zone, &bulk(&format!("{link}{post}")));
    assert_eq!(verdict(&zone, &all), Some(Verdict::Good), "{all}");
}

#[test]
fn lists_of_the_dns_are_believed_by_their_test_entries() {
    let mut zone = zone();
    let list = |zone: &mut Zone, name: &str| {
        zone.node(name).ipv4.push("127.0.0.2".parse().unwrap());
        zone.node(name).txt.push(b"see https://list.example/why".to_vec());
    };
    list(&mut zone, "2.0.0.127.list.example");
    list(&mut zone, "7.100.51.198.list.example");
    list(&mut zone, "test.names.example");
    list(&mut zone, "2.0.0.127.all.example");
    list(&mut zone, "1.0.0.127.all.example");
    let lists = ["list.example", "names.example", "all.example"].map(str::to_owned);
    let report = report_of(&zone, format!("{RETURN_PATH}{RECEIVED}{HEADER}{TEXT}").as_bytes(), &lists);
    let found: Vec<(&str, Verdict)> = report
        .findings
        .iter()
        .filter(|finding| finding.topic == Topic::Dnsbl)
        .map(|finding| (finding.about.as_str(), finding.verdict))
        .collect();
    assert_eq!(
        found,
        [("198.51.100.7", Verdict::Bad), ("example.org", Verdict::Good), ("all.example", Verdict::Unknown)]
    );
}

/// Of a file that was sent nowhere yet, or kept for years, nobody knows when it came.
#[test]
fn an_old_date_counts_only_where_it_is_known_when_the_message_came() {
    let header = HEADER.replace("Sun, 22 Nov 2026", "Sun, 1 Nov 2026");
    assert_eq!(wrong(&content(&format!("{header}{TEXT}"))), []);
    let report = report_of(&zone(), format!("{RETURN_PATH}{RECEIVED}{header}{TEXT}").as_bytes(), &[]);
    let date = report.findings.iter().find(|finding| finding.about == "Date").unwrap();
    assert_eq!(date.verdict, Verdict::Warning, "{date:?}");
    assert!(date.says.contains("before the message came"), "{date:?}");
}

/// Every message that others wrote to break readers is read to its end. What cannot be read costs points and never a panic.
#[test]
fn every_message_of_the_collections_is_checked() {
    let zone = zone();
    let mut checked = 0;
    for folder in ["mime", "dkim", "eai"] {
        let Some(folder) = testdata::folder(folder) else { return };
        for path in files(&folder) {
            let (octets, oddities) = Oddity::undo(std::fs::read(&path).unwrap());
            let letter = Letter::read(&octets, oddities);
            let arrival = Arrival::read(&letter, Given::default());
            let report =
                run(check(&zone, &Question { letter: &letter, arrival: &arrival, lists: &[], at: now() }));
            assert!((0.0..=SCORE_MAX).contains(&report.score), "{}", path.display());
            assert!(!report.findings.is_empty(), "{}", path.display());
            checked += 1;
        }
    }
    assert!(checked > 600, "{checked}");
}

/// The costliest shapes: nothing is looked at for each of another that can be many.
#[test]
fn large_and_odd_messages_cost_no_more_than_their_length() {
    let html = |body: &str| format!("{HEADER}Content-Type: text/html; charset=utf-8\r\n\r\n{body}\r\n");
    let mut nested = String::new();
    for depth in 0..500 {
        nested += &format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n");
    }
    for message in [
        html(&"<a href=\"https://a.example/\">".repeat(40_000)),
        html(&"<a ".repeat(300_000)),
        html(&"<".repeat(1_000_000)),
        format!("{HEADER}{nested}"),
        format!("{}{HEADER}{TEXT}", RECEIVED.repeat(5_000)),
        format!("{}{HEADER}{TEXT}", "X: y\r\n".repeat(50_000)),
        format!("{HEADER}Subject: {}\r\n{TEXT}", "=?".repeat(100_000)),
        format!("{HEADER}Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\n".repeat(100_000)),
    ] {
        let report = report_of(&Zone::default(), message.as_bytes(), &[]);
        assert!(report.findings.len() < 200, "{}", report.findings.len());
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}
