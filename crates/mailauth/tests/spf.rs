//! What the suites of SPF do not ask.

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

mod common;

use common::{Zone, run};
use mailauth::spf::{
    Client, EXPLANATION_BYTES_MAX, Identity, Outcome, SURVEY_TERMS_MAX, SpfProblem, SpfResult, TermKind,
    check_host, survey,
};
use types::Timestamp;

fn check(zone: &Zone, ip: &str, helo: &str, identity: Identity<'_>) -> Outcome {
    let now = Timestamp::from_millis(1_000_000_000_000);
    run(check_host(
        zone,
        &Client { ip: ip.parse().unwrap(), helo, receiver: "mx.example.org", now },
        identity,
    ))
}

#[test]
fn a_domain_with_two_dots_at_its_end_is_none() {
    let zone = Zone::with_texts(&[("example.net", "v=spf1 -all")]);
    for (domain, result) in [
        ("example.net", SpfResult::Fail),
        ("example.net.", SpfResult::Fail),
        ("example.net..", SpfResult::None),
    ] {
        assert_eq!(check(&zone, "192.0.2.1", "x", Identity::MailFrom(&format!("a@{domain}"))).result, result);
        assert_eq!(check(&zone, "192.0.2.1", domain, Identity::Helo).result, result, "{domain}");
    }
}

#[test]
fn the_name_of_helo_is_checked_for_itself_and_for_an_empty_reverse_path() {
    let zone = Zone::with_texts(&[
        ("mail.example.net", "v=spf1 ip4:192.0.2.1 -all"),
        ("example.net", "v=spf1 -all"),
    ]);
    for identity in [Identity::Helo, Identity::MailFrom("")] {
        let outcome = check(&zone, "::ffff:192.0.2.1", "mail.example.net", identity);
        assert_eq!((outcome.result, outcome.domain.as_str()), (SpfResult::Pass, "mail.example.net"));
        assert_eq!(outcome.mechanism.as_deref(), Some("ip4:192.0.2.1"));
    }
    let outcome = check(&zone, "192.0.2.1", "mail.example.net", Identity::MailFrom("a@example.net"));
    assert_eq!((outcome.result, outcome.mechanism.as_deref()), (SpfResult::Fail, Some("-all")));
}

#[test]
fn the_way_through_the_records_is_told() {
    let zone = Zone::with_texts(&[
        ("example.net", "v=spf1 include:_spf.example.net redirect=other.example.net"),
        ("_spf.example.net", "v=spf1 a:nothing.example.net ?all"),
        ("other.example.net", "v=spf1 ip4:192.0.2.0/24 -all"),
    ]);
    let outcome = check(&zone, "192.0.2.1", "x", Identity::MailFrom("a@example.net"));
    let walked: Vec<(u32, &str, &str, bool)> =
        outcome.walked.iter().map(|step| (step.depth, &*step.domain, &*step.term, step.is_match)).collect();
    assert_eq!(
        walked,
        [
            (0, "example.net", "include:_spf.example.net", false),
            (1, "_spf.example.net", "a:nothing.example.net", false),
            (1, "_spf.example.net", "?all", true),
            (0, "example.net", "redirect=other.example.net", true),
            (0, "other.example.net", "ip4:192.0.2.0/24", true),
        ]
    );
    assert_eq!((outcome.result, outcome.lookup_terms, outcome.void_lookups), (SpfResult::Pass, 3, 1));
}

#[test]
fn records_that_lead_in_a_circle_or_far_cost_what_the_limit_says() {
    let wide: String = (0..200).map(|n| format!(" include:i{n}.example.net")).collect();
    let mut zone = Zone::with_texts(&[("example.net", &format!("v=spf1{wide} -all"))]);
    for n in 0..200 {
        zone.node(&format!("i{n}.example.net")).txt.push(b"v=spf1 include:example.net".to_vec());
    }
    let outcome = check(&zone, "192.0.2.1", "x", Identity::MailFrom("a@example.net"));
    assert_eq!((outcome.result, outcome.problem), (SpfResult::PermError, Some(SpfProblem::TooManyLookups)));
    assert_eq!(zone.asked.lock().unwrap().len(), 11);
}

#[test]
fn a_record_may_be_long_but_not_without_end() {
    let record = |terms: usize| format!("v=spf1{} -all", " ip4:198.51.100.1".repeat(terms));
    let result = |text: &str| {
        check(
            &Zone::with_texts(&[("example.net", text)]),
            "192.0.2.1",
            "x",
            Identity::MailFrom("a@example.net"),
        )
        .result
    };
    assert_eq!(result(&record(900)), SpfResult::Fail);
    assert_eq!(result(&record(1000)), SpfResult::PermError);
}

#[test]
fn explanations_are_short_printable_and_never_in_the_way() {
    let explain = |text: &str, path: &str| {
        let zone =
            Zone::with_texts(&[("example.net", "v=spf1 -all exp=e.example.net"), ("e.example.net", text)]);
        let outcome = check(&zone, "192.0.2.1", "x", Identity::MailFrom(path));
        assert_eq!(outcome.result, SpfResult::Fail);
        outcome.explanation
    };
    let path = "a@example.net";
    assert_eq!(
        explain("%{i} is none of %{d}'s, says %{r}", path).as_deref(),
        Some("192.0.2.1 is none of example.net's, says mx.example.org")
    );
    assert_eq!(explain(&"x".repeat(2000), path).map(|text| text.len()), Some(EXPLANATION_BYTES_MAX));
    for text in ["%{", "%{z}", "é", "line\r\nend", "\u{1b}[2J"] {
        assert_eq!(explain(text, path), None, "{text:?}");
    }
    assert_eq!(explain("%{l}", "a\r\nb@example.net"), None);
    assert_eq!(explain("%{s}", "josé@example.net"), None);
}

#[test]
fn mail_hosts_without_an_address_of_the_client_s_family_count_once() {
    let mut zone = Zone::with_texts(&[("example.net", "v=spf1 mx mx mx -all")]);
    for n in 0..5 {
        let exchange = format!("m{n}.example.net.");
        zone.node(&exchange).ipv4.push("192.0.2.1".parse().unwrap());
        zone.node("example.net").mx.push(types::dns::MxRecord { preference: n, exchange });
    }
    let result = |ip| check(&zone, ip, "x", Identity::MailFrom("a@example.net"));
    assert_eq!(result("192.0.2.1").result, SpfResult::Pass);
    assert_eq!(result("2001:db8::1").problem, Some(SpfProblem::TooManyVoidLookups));
    let mut once = Zone::with_texts(&[("example.net", "v=spf1 mx -all")]);
    once.node("example.net").mx = zone.names["example.net"].mx.clone();
    assert_eq!(check(&once, "2001:db8::1", "x", Identity::MailFrom("a@example.net")).result, SpfResult::Fail);
}

#[test]
fn a_survey_tells_what_all_branches_ask_and_find() {
    let mut zone = Zone::with_texts(&[
        (
            "example.net",
            "v=spf1 mx include:_spf.example.net a:gone.example.net exists:%{i}.x.example.net -all exp=e.example.net",
        ),
        ("_spf.example.net", "v=spf1 ip4:192.0.2.0/24 include:deep.example.net ?all"),
        ("deep.example.net", "v=spf1 a:host.example.net ~all"),
    ]);
    zone.node("example.net").mx =
        vec![types::dns::MxRecord { preference: 10, exchange: "host.example.net.".to_owned() }];
    zone.node("host.example.net").ipv4.push("198.51.100.7".parse().unwrap());
    let found = run(survey(&zone, "example.net", None, ""));
    assert_eq!((found.lookup_terms, found.void_lookups, found.is_cut), (6, 1, false));
    let terms: Vec<(&str, Option<u32>)> =
        found.root.terms.iter().map(|term| (term.text.as_str(), term.place)).collect();
    assert_eq!(
        terms,
        [
            ("mx", Some(1)),
            ("include:_spf.example.net", Some(2)),
            ("a:gone.example.net", Some(5)),
            ("exists:%{i}.x.example.net", Some(6)),
            ("-all", None),
        ]
    );
    assert_eq!(found.root.terms[0].found, ["host.example.net (198.51.100.7)"]);
    assert!(found.root.terms[2].is_void && found.root.has_explanation);
    let exists = &found.root.terms[3];
    assert_eq!((exists.depends_on_client, exists.target.as_deref(), exists.is_match), (true, None, None));
    let deep = found.root.terms[1].branch.as_ref().unwrap().terms[1].branch.as_ref().unwrap();
    assert_eq!((deep.terms[0].place, deep.terms[0].kind), (Some(4), TermKind::A));
    assert_eq!(deep.terms[0].found, ["198.51.100.7"]);

    let client = Client {
        ip: "198.51.100.7".parse().unwrap(),
        helo: "x.example",
        receiver: "",
        now: Timestamp::from_millis(0),
    };
    let found = run(survey(&zone, "example.net", Some(&client), "ada@example.net"));
    assert_eq!(found.root.result, Some(SpfResult::Pass));
    assert_eq!(found.root.terms[3].target.as_deref(), Some("198.51.100.7.x.example.net"));
    let matches: Vec<Option<bool>> = found.root.terms.iter().map(|term| term.is_match).collect();
    assert_eq!(matches, [Some(true), Some(true), Some(false), Some(false), Some(true)]);
}

#[test]
fn a_survey_ends_in_circles_and_in_forests() {
    let zone = Zone::with_texts(&[
        ("a.example", "v=spf1 include:b.example -all"),
        ("b.example", "v=spf1 redirect=a.example"),
    ]);
    let found = run(survey(&zone, "a.example", None, ""));
    assert_eq!((found.lookup_terms, found.is_cut), (2, false));
    let below = found.root.terms[0].branch.as_ref().unwrap().terms[0].branch.as_ref().unwrap();
    assert_eq!(below.problem, Some(SpfProblem::TooManyLookups));

    let mut zone = Zone::default();
    for depth in 0..6 {
        let includes: Vec<String> = (0..9).map(|n| format!("include:n{n}.d{}.example", depth + 1)).collect();
        for n in 0..9 {
            let text = format!("v=spf1 {} -all", includes.join(" "));
            zone.node(&format!("n{n}.d{depth}.example")).txt.push(text.into_bytes());
        }
    }
    let found = run(survey(&zone, "n0.d0.example", None, ""));
    assert!(found.is_cut);
    assert_eq!(found.lookup_terms, SURVEY_TERMS_MAX);
    assert!(zone.asked.lock().unwrap().len() <= SURVEY_TERMS_MAX as usize + 1);
}
