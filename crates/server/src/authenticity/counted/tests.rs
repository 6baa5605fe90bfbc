use std::sync::Arc;

use mailauth::dmarc::{Alignment, PublicSuffix};
use mailauth::spf::SpfResult;
use mailauth::{arc, iprev, spf};
use types::Domain;

use super::super::Sender;
use super::*;

const DAY: u64 = 20_000;

fn at(day: u64) -> Timestamp {
    Timestamp::from_millis((day * SECONDS_A_DAY + 43_200) * 1000)
}

fn record(policy: Policy, is_testing: bool, reports: &[&str]) -> Record {
    Record {
        policy,
        subdomain_policy: Some(Policy::Reject),
        non_existent_policy: None,
        dkim: Alignment::Strict,
        spf: Alignment::Relaxed,
        public_suffix: PublicSuffix::Unknown,
        is_testing,
        aggregate_reports: reports.iter().map(|address| (*address).to_owned()).collect(),
        failure_reports: Vec::new(),
        failure_options: "1".to_owned(),
    }
}

fn outcome(domain: &str, result: DmarcResult, record: Record) -> dmarc::Outcome {
    let author: Domain = domain.parse().unwrap();
    let lower = |policy| match policy {
        Policy::Reject => Policy::Quarantine,
        _ => Policy::None,
    };
    dmarc::Outcome {
        result,
        policy_domain: Some(domain.to_owned()),
        organizational_domain: Some(domain.to_owned()),
        policy: if record.is_testing { lower(record.policy) } else { record.policy },
        record: Some(record),
        is_spf_aligned: result == DmarcResult::Pass,
        dkim_aligned: Vec::new(),
        trouble: None,
        author,
    }
}

fn findings(reverse_path: &str, dmarc: Vec<dmarc::Outcome>) -> Findings {
    let sender = Sender {
        ip: "192.0.2.1".parse().unwrap(),
        helo: "mx.example".to_owned(),
        reverse_path: reverse_path.to_owned(),
        now: at(DAY),
    };
    Findings {
        sender: Arc::new(sender),
        receiver: "mail.example.org".to_owned(),
        spf: spf::Outcome {
            result: SpfResult::SoftFail,
            domain: "bank.example".to_owned(),
            problem: None,
            mechanism: None,
            explanation: None,
            walked: Vec::new(),
            lookup_terms: 0,
            void_lookups: 0,
        },
        helo: None,
        iprev: iprev::Iprev::Fail,
        dkim: Vec::new(),
        unread_signatures: 0,
        arc: arc::Outcome { result: arc::ArcResult::None, problem: None, sealers: Vec::new() },
        dmarc,
        from: None,
        allowed_by: Vec::new(),
        kept_by_lists: Vec::new(),
    }
}

fn rows(counts: &DmarcCounts, domain: &str) -> Vec<(Row, u64)> {
    let days = counts.lock();
    let tallies = days.values().filter_map(|day| day.domains.get(domain)).flatten();
    tallies.flat_map(|tally| tally.rows.clone()).collect()
}

const RUA: &[&str] = &["mailto:reports@bank.example"];

/// The dispositions of the draft of RFC 9990, and why they are not what the record asks for (its §3.1.6).
#[test]
fn what_was_done_and_why_not_more_is_told_as_reports_want_it() {
    use DmarcResult::{Fail, Pass};
    let (asked, told) = (DmarcHandling::AsAsked, DmarcHandling::Told);
    let table = [
        (Pass, Policy::Reject, false, asked, Disposition::Pass, None),
        (Fail, Policy::Reject, false, asked, Disposition::Reject, None),
        (Fail, Policy::Quarantine, false, asked, Disposition::Quarantine, None),
        (Fail, Policy::None, false, asked, Disposition::None, None),
        (Fail, Policy::None, false, told, Disposition::None, None),
        (Fail, Policy::Reject, false, told, Disposition::None, Some(Exemption::LocalPolicy)),
        (Fail, Policy::Reject, true, asked, Disposition::Quarantine, Some(Exemption::PolicyTestMode)),
        (Fail, Policy::Quarantine, true, asked, Disposition::None, Some(Exemption::PolicyTestMode)),
    ];
    for (result, policy, is_testing, handling, disposition, exemption) in table {
        let counts = DmarcCounts::default();
        let outcome = outcome("bank.example", result, record(policy, is_testing, RUA));
        counts.count(&findings("a@bank.example", vec![outcome]), handling, at(DAY));
        let (row, count) = rows(&counts, "bank.example").remove(0);
        assert_eq!(
            (row.disposition, row.exemption, count),
            (disposition, exemption, 1),
            "{result} {policy:?}"
        );
        assert_eq!(row.spf, ("bank.example".to_owned(), "softfail".to_owned()));
    }
}

#[test]
fn an_answer_that_is_missing_is_told_as_the_reason_why_nothing_was_done() {
    let counts = DmarcCounts::default();
    let failed = outcome("bank.example", DmarcResult::Fail, record(Policy::Reject, false, RUA));
    let mut findings = findings("a@bank.example", vec![failed]);
    findings.spf.result = SpfResult::TempError;
    counts.count(&findings, DmarcHandling::AsAsked, at(DAY));
    let (row, _) = rows(&counts, "bank.example").remove(0);
    assert_eq!((row.disposition, row.exemption), (Disposition::None, Some(Exemption::Other)));
}

#[test]
fn nothing_is_counted_that_nobody_asked_for_or_that_is_not_known() {
    let counts = DmarcCounts::default();
    let unasked = outcome("quiet.example", DmarcResult::Fail, record(Policy::Reject, false, &[]));
    let unknown = outcome("slow.example", DmarcResult::TempError, record(Policy::Reject, false, RUA));
    let mut none = outcome("none.example", DmarcResult::None, record(Policy::None, false, RUA));
    (none.record, none.policy_domain) = (None, None);
    counts.count(&findings("", vec![unasked, unknown, none]), DmarcHandling::AsAsked, at(DAY));
    assert_eq!(counts.days(), Vec::<u64>::new());
}

#[test]
fn equal_messages_count_together_and_outlive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dmarc-results");
    let count = |counts: &DmarcCounts| {
        for path in ["a@bank.example", "b@bank.example", ""] {
            let passed = outcome("bank.example", DmarcResult::Pass, record(Policy::Reject, false, RUA));
            counts.count(&findings(path, vec![passed]), DmarcHandling::AsAsked, at(DAY));
        }
    };
    let (counts, problem) = DmarcCounts::open(&path);
    assert_eq!(problem, None, "there is no file yet");
    count(&counts);
    counts.save().unwrap();
    let (again, problem) = DmarcCounts::open(&path);
    assert_eq!((problem, again.days()), (None, vec![DAY]));
    count(&again);
    let mut found: Vec<_> =
        rows(&again, "bank.example").into_iter().map(|(row, count)| (row.envelope_from, count)).collect();
    found.sort();
    assert_eq!(found, [(String::new(), 2), ("bank.example".to_owned(), 4)]);
    assert_eq!(again.totals(at(DAY)), DayTotals { counted: 6, uncounted: 0 });
    for octets in [&b"["[..], b"[{\"day\":1}]", b"\xff"] {
        std::fs::write(&path, octets).unwrap();
        let (counts, problem) = DmarcCounts::open(&path);
        assert!(problem.is_some() && counts.days().is_empty(), "{octets:?}");
    }
}

/// Whoever sends may make up as many domains, and a domain as many records, as it likes.
#[test]
fn names_that_are_made_up_are_counted_within_limits_and_the_rest_is_told() {
    let counts = DmarcCounts::default();
    let post = |domain: &str, rua: &str| {
        let passed = outcome(domain, DmarcResult::Pass, record(Policy::Reject, false, &[rua]));
        counts.count(&findings("a@x.example", vec![passed]), DmarcHandling::AsAsked, at(DAY));
    };
    for number in 0..DOMAINS_MAX + 5 {
        post(&format!("d{number}.example"), "mailto:r@x.example");
    }
    assert_eq!(counts.totals(at(DAY)), DayTotals { counted: DOMAINS_MAX as u64, uncounted: 5 });
    for number in 0..POLICIES_MAX + 5 {
        post("d0.example", &format!("mailto:r{number}@x.example"));
    }
    let days = counts.lock();
    assert_eq!(days[&DAY].domains["d0.example"].len(), POLICIES_MAX);
    assert_eq!(days[&DAY].uncounted, 5, "further policies count with the last");
}

#[test]
fn days_of_a_wrong_clock_go_first() {
    let counts = DmarcCounts::default();
    for day in [DAY, DAY + 9_000, DAY + 1, DAY + 2, DAY + 3] {
        let passed = outcome("bank.example", DmarcResult::Pass, record(Policy::Reject, false, RUA));
        counts.count(&findings("", vec![passed]), DmarcHandling::AsAsked, at(day));
    }
    assert_eq!(counts.days(), [DAY + 1, DAY + 2, DAY + 3]);
}
