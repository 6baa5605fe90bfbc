use serde_json::json;

use super::*;

/// 2016-04-01, the day of the example of RFC 8460 Appendix B.
const DAY: u64 = 16_892;
const NOON: Timestamp = Timestamp::from_millis((DAY * SECONDS_A_DAY + 43_200) * 1000);

const REPORTER: Reporter<'_> = Reporter {
    organization: "Company-X",
    contact: "sts-reporting@company-x.example",
    report_id: "5065427c-23d3-47ca-b6e0-946ea0e8c4be",
};

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

fn failure(kind: HandshakeFault, text: &str) -> HandshakeFailure {
    HandshakeFailure { kind, text: text.to_owned() }
}

/// Sessions, refusals and policies that are in the file are in the report after a restart, and what is counted then is
/// added to them.
#[test]
fn what_was_counted_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls-results");
    let company = domain("company-y.example");
    let expired = failure(HandshakeFault::CertificateExpired, "certificate expired");
    let count = |results: &TlsResults| {
        let counter = results.counter(&company, company_y(), Some(&company), None, None);
        counter.session(TlsSession::Established, None, NOON);
        counter.session(TlsSession::Failed(&expired), Some("2001:db8::1".parse().unwrap()), NOON);
    };
    let (results, problem) = TlsResults::open(&path);
    assert_eq!(problem, None, "there is no file yet");
    count(&results);
    results.save().unwrap();
    let before = results.report(DAY, &company, &REPORTER).unwrap();
    let written = std::fs::metadata(&path).unwrap().modified().unwrap();
    results.save().unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), written, "nothing has changed");
    let (again, problem) = TlsResults::open(&path);
    assert_eq!((problem, again.days()), (None, vec![DAY]));
    assert_eq!(again.report(DAY, &company, &REPORTER), Some(before));
    count(&again);
    let report = again.report(DAY, &company, &REPORTER).unwrap();
    let policy = &report["policies"][0];
    assert_eq!(
        policy["summary"],
        json!({"total-successful-session-count": 2, "total-failure-session-count": 2})
    );
    assert_eq!(policy["failure-details"][0]["failed-session-count"], 2);
}

#[test]
fn a_file_that_is_damaged_is_told_and_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tls-results");
    for octets in [&b"["[..], b"[{\"day\":1}]", b"[{\"day\":1,\"domains\":{\"a b\":[]}}]", b"\xff"] {
        std::fs::write(&path, octets).unwrap();
        let (results, problem) = TlsResults::open(&path);
        assert!(problem.is_some() && results.days().is_empty(), "{octets:?}");
    }
}

fn company_y() -> AppliedPolicy {
    let text = "version: STSv1\nmode: testing\nmx: *.mail.company-y.example\nmax_age: 86400";
    AppliedPolicy::sts(&domain("company-y.example"), &Policy::parse(text.as_bytes()).unwrap())
}

/// The example of RFC 8460 Appendix B, without what this node does not tell, with `mx-host` as §4.4 defines it.
#[test]
fn the_example_of_the_rfc_is_what_its_sessions_come_to() {
    let results = TlsResults::default();
    let company = domain("company-y.example");
    let of = |mx: &str| results.counter(&company, company_y(), Some(&domain(mx)), None, None);
    let expired = failure(HandshakeFault::CertificateExpired, "certificate expired");
    let odd = failure(HandshakeFault::Handshake, "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED");
    let (one, two, backup) = (
        of("mx1.mail.company-y.example"),
        of("mx2.mail.company-y.example"),
        of("mx-backup.mail.company-y.example"),
    );
    for _ in 0..5326 {
        one.session(TlsSession::Established, None, NOON);
    }
    for _ in 0..100 {
        one.session(TlsSession::Failed(&expired), None, NOON);
    }
    for _ in 0..200 {
        two.session(TlsSession::NotOffered, Some("203.0.113.56".parse().unwrap()), NOON);
    }
    for _ in 0..3 {
        backup.session(TlsSession::Failed(&odd), Some("203.0.113.58".parse().unwrap()), NOON);
    }
    let expected = json!({
        "organization-name": "Company-X",
        "date-range": {
            "start-datetime": "2016-04-01T00:00:00Z",
            "end-datetime": "2016-04-01T23:59:59Z"
        },
        "contact-info": "sts-reporting@company-x.example",
        "report-id": "5065427c-23d3-47ca-b6e0-946ea0e8c4be_company-y.example",
        "policies": [{
            "policy": {
                "policy-type": "sts",
                "policy-string": [
                    "version: STSv1", "mode: testing", "mx: *.mail.company-y.example", "max_age: 86400"
                ],
                "policy-domain": "company-y.example",
                "mx-host": ["*.mail.company-y.example"]
            },
            "summary": {
                "total-successful-session-count": 5326,
                "total-failure-session-count": 303
            },
            "failure-details": [{
                "result-type": "certificate-expired",
                "receiving-mx-hostname": "mx1.mail.company-y.example",
                "failed-session-count": 100,
                "failure-reason-code": "certificate expired"
            }, {
                "result-type": "starttls-not-supported",
                "receiving-mx-hostname": "mx2.mail.company-y.example",
                "receiving-ip": "203.0.113.56",
                "failed-session-count": 200
            }, {
                "result-type": "validation-failure",
                "receiving-mx-hostname": "mx-backup.mail.company-y.example",
                "receiving-ip": "203.0.113.58",
                "failed-session-count": 3,
                "failure-reason-code": "X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED"
            }]
        }]
    });
    let mut report = results.report(DAY, &company, &REPORTER).unwrap();
    let details = report["policies"][0]["failure-details"].as_array_mut().unwrap();
    details.sort_by_key(|detail| detail["result-type"].to_string());
    assert_eq!(report, expected);
    assert_eq!(results.days(), [DAY]);
    assert_eq!(results.domains(DAY), [company]);
}

#[test]
fn tlsa_records_are_told_as_the_dns_presents_them() {
    let results = TlsResults::default();
    let (company, base) = (domain("company-y.example"), domain("mx.provider.example"));
    let records = [
        TlsaRecord { usage: 3, selector: 1, matching: 1, data: vec![0x1f, 0x85, 0x0a] },
        TlsaRecord { usage: 2, selector: 0, matching: 2, data: vec![0] },
    ];
    let counter = results.counter(&company, AppliedPolicy::tlsa(&base, &records), Some(&base), None, None);
    counter.session(TlsSession::Established, None, NOON);
    // The same records in another order are the same policy.
    let turned = [records[1].clone(), records[0].clone()];
    let counter = results.counter(&company, AppliedPolicy::tlsa(&base, &turned), Some(&base), None, None);
    counter.session(TlsSession::Established, None, NOON);
    let report = results.report(DAY, &company, &REPORTER).unwrap();
    let expected = json!([{
        "policy": {
            "policy-type": "tlsa",
            "policy-string": ["2 0 2 00", "3 1 1 1F850A"],
            // RFC 8460 §1.1: for DANE it is the TLSA base domain.
            "policy-domain": "mx.provider.example"
        },
        "summary": { "total-successful-session-count": 2, "total-failure-session-count": 0 }
    }]);
    assert_eq!(report["policies"], expected);
}

#[test]
fn sessions_without_a_policy_are_told_too_and_names_are_a_labels() {
    let results = TlsResults::default();
    let company = domain("b\u{fc}cher.example");
    let counter = results.counter(&company, AppliedPolicy::none(&company), None, None, None);
    counter.session(TlsSession::Established, None, NOON);
    let report = results.report(DAY, &company, &REPORTER).unwrap();
    let policy = json!({ "policy-type": "no-policy-found", "policy-domain": "xn--bcher-kva.example" });
    assert_eq!(report["policies"][0]["policy"], policy);
}

#[test]
fn what_is_wrong_with_a_policy_counts_whatever_the_session_comes_to() {
    let results = TlsResults::default();
    let company = domain("company-y.example");
    let flaw = Some(ResultType::TlsaInvalid);
    let counter = results.counter(&company, company_y(), None, None, flaw);
    counter.session(TlsSession::Established, None, NOON);
    counter.session(TlsSession::NotOffered, None, NOON);
    let report = results.report(DAY, &company, &REPORTER).unwrap();
    let summary = json!({ "total-successful-session-count": 0, "total-failure-session-count": 2 });
    assert_eq!(report["policies"][0]["summary"], summary);
    let details = json!([
        { "result-type": "starttls-not-supported", "failed-session-count": 1 },
        { "result-type": "tlsa-invalid", "failed-session-count": 2 },
    ]);
    let mut told = report["policies"][0]["failure-details"].as_array().unwrap().clone();
    told.sort_by_key(|detail| detail["result-type"].to_string());
    assert_eq!(serde_json::Value::Array(told), details);
}

#[test]
fn failures_to_get_a_policy_have_names_of_their_own() {
    let of = |problem: Problem| Failure::of_policy(&problem).map(|failure| failure.result);
    let certificate = Problem::Fetch(FetchError::Certificate("expired".to_owned()));
    assert_eq!(of(certificate), Some(ResultType::StsWebpkiInvalid));
    assert_eq!(of(Problem::Fetch(FetchError::Status(404))), Some(ResultType::StsPolicyFetchError));
    assert_eq!(of(Problem::Policy(net::mta_sts::PolicyError::Line(1))), Some(ResultType::StsPolicyInvalid));
    assert_eq!(of(Problem::File { path: "x".into(), why: "full".to_owned() }), None);
}

#[test]
fn days_that_are_over_for_long_are_forgotten() {
    let results = TlsResults::default();
    let company = domain("company-y.example");
    let counter = results.counter(&company, company_y(), None, None, None);
    for day in 0..10 {
        let now = Timestamp::from_millis((DAY + day) * SECONDS_A_DAY * 1000);
        counter.session(TlsSession::Established, None, now);
        assert!(results.days().len() <= DAYS_MAX);
    }
    assert_eq!(results.days(), [DAY + 7, DAY + 8, DAY + 9]);
    assert_eq!(results.report(DAY, &company, &REPORTER), None);
    assert_eq!(results.domains(DAY), []);
}

#[test]
fn days_of_a_clock_that_was_wrong_make_room_for_today() {
    let results = TlsResults::default();
    let company = domain("company-y.example");
    let counter = results.counter(&company, company_y(), None, None, None);
    let on = |day: u64| {
        let now = Timestamp::from_millis(day * SECONDS_A_DAY * 1000);
        counter.session(TlsSession::Established, None, now);
    };
    (0..DAYS_MAX as u64).for_each(|later| on(DAY + 5000 + later));
    (0..DAYS_MAX as u64).for_each(|day| on(DAY + day));
    assert_eq!(results.days(), [DAY, DAY + 1, DAY + 2]);
}

#[test]
fn domains_policies_and_failures_are_limited_in_number() {
    let results = TlsResults::default();
    for number in 0..DOMAINS_MAX + 5 {
        let name = domain(&format!("d{number}.example"));
        let policy = AppliedPolicy::none(&name);
        results.counter(&name, policy, None, None, None).session(TlsSession::Established, None, NOON);
    }
    assert_eq!(results.domains(DAY).len(), DOMAINS_MAX);
    let results = TlsResults::default();
    let company = domain("company-y.example");
    for number in 0..POLICIES_MAX + 5 {
        let policy = AppliedPolicy::none(&domain(&format!("d{number}.example")));
        results.counter(&company, policy, None, None, None).session(TlsSession::Established, None, NOON);
    }
    let report = results.report(DAY, &company, &REPORTER).unwrap();
    let policies = report["policies"].as_array().unwrap();
    assert_eq!(policies.len(), POLICIES_MAX);
    let counts = policies.iter().map(|policy| policy["summary"]["total-successful-session-count"].as_u64());
    assert_eq!(counts.sum::<Option<u64>>(), Some(POLICIES_MAX as u64 + 5));
    let results = TlsResults::default();
    let counter = results.counter(&company, company_y(), None, None, None);
    for number in 0..FAILURES_MAX + 5 {
        let text = format!("{}{number}", "\u{e9}".repeat(30));
        counter.session(TlsSession::Failed(&failure(HandshakeFault::Handshake, &text)), None, NOON);
    }
    let report = results.report(DAY, &company, &REPORTER).unwrap();
    assert_eq!(report["policies"][0]["failure-details"].as_array().unwrap().len(), FAILURES_MAX);
    let total = &report["policies"][0]["summary"]["total-failure-session-count"];
    assert_eq!(*total, json!(FAILURES_MAX as u64 + 5));
}

#[test]
fn what_a_host_says_is_cut_at_a_character() {
    assert_eq!(cut("short"), "short");
    assert_eq!(cut(&"x".repeat(REASON_OCTETS_MAX + 1)).len(), REASON_OCTETS_MAX);
    assert_eq!(cut(&format!("x{}", "\u{e9}".repeat(200))).len(), REASON_OCTETS_MAX - 1);
}
