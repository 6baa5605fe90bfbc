//! Header fields that tell of results (RFC 8601, RFC 7208 §9.1).

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

mod common;

use common::{Zone, run};
use mailauth::dkim::{Algorithm, DkimProblem, DkimResult, Verified};
use mailauth::dmarc::Authenticated;
use mailauth::iprev::Iprev;
use mailauth::results::{AuthenticationResults, is_forged, received_spf};
use mailauth::spf::{Client, Identity, check_host};
use mailauth::{dmarc, fields, iprev};
use types::Timestamp;

const FOLDED_LINE_BYTES_MAX: usize = 998;

fn client(helo: &str) -> Client<'_> {
    Client {
        ip: "192.0.2.1".parse().unwrap(),
        helo,
        receiver: "mx.example.org",
        now: Timestamp::from_millis(1_000_000_000_000),
    }
}

fn verified(result: DkimResult, problem: Option<DkimProblem>) -> Verified {
    Verified {
        result,
        problem,
        domain: "example.net".to_owned(),
        selector: "sel".to_owned(),
        identity: Some("joe@example.net".to_owned()),
        algorithm: Some(Algorithm::RsaSha256),
        rsa_bits: Some(1024),
        is_testing: false,
        prefix: "dVOVd0+/".to_owned(),
    }
}

#[test]
fn results_are_one_field_with_a_method_a_line() {
    let zone = Zone::with_texts(&[
        ("example.net", "v=spf1 ip4:192.0.2.0/24 -all"),
        ("_dmarc.example.net", "v=DMARC1; p=reject"),
    ]);
    let path = Identity::MailFrom("joe@example.net");
    let spf = run(check_host(&zone, &client("mail.example.net"), path));
    let authenticated = Authenticated { spf: Some("example.net"), dkim: &[] };
    let dmarc = run(dmarc::evaluate(&zone, &"example.net".parse().unwrap(), &authenticated));
    let mut results = AuthenticationResults::new("mx.example.org");
    results.iprev(&Iprev::Fail, "192.0.2.1".parse().unwrap());
    results.spf(&spf, path);
    results
        .dkim(&[verified(DkimResult::Pass, None), verified(DkimResult::Fail, Some(DkimProblem::BodyHash))]);
    results.dmarc(&dmarc);
    assert_eq!(
        results.into_field(),
        "Authentication-Results: mx.example.org;\r\n\tiprev=fail\r\n\t policy.iprev=192.0.2.1;\r\n\tspf=pass\r\n\t \
         smtp.mailfrom=example.net;\r\n\tdkim=pass\r\n\t reason=\"weak key of 1024 bits\"\r\n\t header.d=example.net\r\n\t \
         header.i=joe@example.net\r\n\t header.s=sel\r\n\t header.a=rsa-sha256\r\n\t header.b=\"dVOVd0+/\";\r\n\tdkim=fail\r\n\t \
         reason=\"the body was changed after it was signed\"\r\n\t header.d=example.net\r\n\t header.i=joe@example.net\r\n\t \
         header.s=sel\r\n\t header.a=rsa-sha256\r\n\t header.b=\"dVOVd0+/\";\r\n\tdmarc=pass\r\n\t header.from=example.net\r\n\t \
         policy.dmarc=reject\r\n"
    );
    assert_eq!(
        received_spf(&client("mail.example.net"), path, &spf),
        "Received-SPF: pass\r\n\t(mx.example.org: domain of sender designates the client as permitted sender)\r\n\t\
         receiver=mx.example.org; client-ip=192.0.2.1;\r\n\thelo=mail.example.net;\r\n\t\
         envelope-from=\"joe@example.net\";\r\n\tidentity=mailfrom;\r\n\tmechanism=\"ip4:192.0.2.0/24\";\r\n"
    );
}

/// RFC 7208 §2.6.7: an answer came, and what it says is wrong.
#[test]
fn a_record_that_is_wrong_is_not_one_that_could_not_be_asked_for() {
    let zone = Zone::with_texts(&[("example.net", "v=spf1 ipv4:192.0.2.0/24 -all")]);
    let path = Identity::MailFrom("joe@example.net");
    let spf = run(check_host(&zone, &client("mail.example.net"), path));
    let field = received_spf(&client("mail.example.net"), path, &spf);
    assert!(
        field.starts_with(
            "Received-SPF: permerror\r\n\t(mx.example.org: domain of sender publishes an SPF record that cannot be used)\r\n"
        ),
        "{field}"
    );
}

#[test]
fn a_message_of_which_nothing_is_known_has_no_results() {
    let field = AuthenticationResults::new("mx.example.org").into_field();
    assert_eq!(field, "Authentication-Results: mx.example.org; none\r\n");
    let mut results = AuthenticationResults::new("mx.example.org");
    results.dkim(&[]);
    assert_eq!(results.into_field(), "Authentication-Results: mx.example.org;\r\n\tdkim=none\r\n");
}

#[test]
fn nothing_that_a_stranger_says_makes_a_line_or_another_result() {
    let hostile = "a\"; dkim=pass header.d=bank.example (\\\r\nBcc: x\r\n\r\n\u{1b}[2Jé)";
    for text in [hostile, &hostile.repeat(200), "", "\"", "\\", "..", "(", &"\"".repeat(5000), "a@b;c"] {
        let path = format!("{text}@example.net");
        let identity = Identity::MailFrom(&path);
        let mut outcome = run(check_host(&Zone::default(), &client(text), identity));
        outcome.domain = text.to_owned();
        outcome.mechanism = Some(text.to_owned());
        let mut results = AuthenticationResults::new("mx.example.org");
        results.auth(text);
        results.iprev(&Iprev::Pass { name: text.to_owned() }, "::1".parse().unwrap());
        results.spf(&outcome, identity);
        let mut signature = verified(DkimResult::PermError, Some(DkimProblem::NoKey(text.to_owned())));
        for value in [&mut signature.domain, &mut signature.selector, &mut signature.prefix] {
            *value = text.to_owned();
        }
        signature.identity = Some(text.to_owned());
        results.dkim(&[signature]);
        for field in [results.into_field(), received_spf(&client(text), identity, &outcome)] {
            assert_eq!(fields(field.as_bytes()).len(), 1, "{field}");
            assert!(field.lines().all(|line| line.len() <= FOLDED_LINE_BYTES_MAX), "{field}");
            assert!(
                field.bytes().all(|octet| matches!(octet, b'\r' | b'\n' | b'\t' | b' '..=b'~')),
                "{field}"
            );
            assert_eq!(
                results_outside_of_quotes(&field),
                if field.starts_with('A') { 4 } else { 0 },
                "{field}"
            );
        }
    }
}

/// How often a method has a result that a reader would take for one.
fn results_outside_of_quotes(field: &str) -> usize {
    let mut bare = String::new();
    let mut is_quoted = false;
    let mut chars = field.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' if is_quoted => drop(chars.next()),
            '"' => is_quoted = !is_quoted,
            c if !is_quoted => bare.push(c),
            _ => {}
        }
    }
    assert!(!is_quoted);
    ["auth=", "iprev=", "spf=", "dkim="]
        .iter()
        .map(|method| bare.matches(&format!(";\r\n\t{method}")).count())
        .sum()
}

#[test]
fn fields_that_claim_to_be_ours_are_told_from_others() {
    let forged = [
        "Authentication-Results: mx.example.org; spf=pass",
        "authentication-results:mx.EXAMPLE.org;none",
        "Authentication-Results: mx.example.org 1; none",
        "Authentication-Results:\r\n\tmx.example.org\r\n\t; none",
        "Authentication-Results: (a (nested) \\) comment) mx.example.org; none",
        "Authentication-Results: \"mx.example.org\"; none",
        "Authentication-Results: \"mx\\.example.org\"; none",
        "Authentication-Results: mx.example.org(comment); none",
        // What cannot be read.
        "Authentication-Results: (no end mx.other.example; none",
        "Authentication-Results: \"no end; none",
        "Authentication-Results: ; none",
        "Authentication-Results: mx\"x\"; none",
        "Received-SPF: pass (mx.example.org: domain of a) receiver=mx.example.org;",
        "Received-SPF: pass receiver=\"mx.example.org\"",
    ];
    let honest = [
        "Authentication-Results: mx.example.net; spf=pass",
        "Authentication-Results: amx.example.org; spf=pass",
        "Authentication-Results: mx.example.net (mx.example.org); spf=pass",
        "Received-SPF: pass (mx.example.net: domain of a) receiver=mx.example.net;",
        "ARC-Authentication-Results: i=1; mx.example.org; spf=pass",
        "Subject: mx.example.org",
    ];
    let is_ours = |field: &str| is_forged(&fields(format!("{field}\r\n").as_bytes())[0], "mx.example.org");
    for field in forged {
        assert!(is_ours(field), "{field}");
    }
    for field in honest {
        assert!(!is_ours(field), "{field}");
    }
}

#[test]
fn the_name_of_an_address_leads_back_to_it_or_not() {
    let ip = "192.0.2.1".parse().unwrap();
    let check = |zone: &Zone| run(iprev::check(zone, ip));
    let mut zone = Zone::default();
    assert_eq!(check(&zone), Iprev::PermError);
    let reverse = common::reverse_name(ip);
    zone.node(&reverse).ptr.push("Mail.Example.net.".to_owned());
    assert_eq!(check(&zone), Iprev::Fail);
    zone.node("mail.example.net").times_out = true;
    assert_eq!(check(&zone), Iprev::TempError);
    zone.node("mail.example.net").ipv4.push("192.0.2.1".parse().unwrap());
    assert_eq!(check(&zone), Iprev::Pass { name: "mail.example.net".to_owned() });
    let mut zone = Zone::default();
    zone.node(&reverse).times_out = true;
    assert_eq!(check(&zone), Iprev::TempError);
    let mut zone = Zone::default();
    zone.node(&reverse).ptr = (0..1000).map(|n| format!("n{n}.example.net")).collect();
    assert_eq!(check(&zone), Iprev::Fail);
    assert_eq!(zone.asked.lock().unwrap().len(), 1 + iprev::NAMES_MAX);
}
