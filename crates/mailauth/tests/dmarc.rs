//! DMARC as the working group's last draft before RFC 9989 has it; sections are of that draft.

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

mod common;

use common::{Zone, run};
use mailauth::dmarc::{
    Applies, Authenticated, Counts, DmarcResult, Outcome, Policy, PublicSuffix, Published, WALK_QUERIES_MAX,
    evaluate, survey,
};
use types::dns::DnsTrouble;

#[test]
fn what_is_aligned_passes() {
    let zone = Zone::with_texts(&[("_dmarc.example.com", "v=DMARC1; p=reject")]);
    for (author, spf, dkim, result) in [
        ("example.com", Some("example.com"), vec![], DmarcResult::Pass),
        ("example.com", None, vec!["example.com"], DmarcResult::Pass),
        ("news.example.com", None, vec!["example.com"], DmarcResult::Pass),
        ("example.com", Some("bounces.example.com"), vec![], DmarcResult::Pass),
        ("a.example.com", None, vec!["b.example.com"], DmarcResult::Pass),
        ("EXAMPLE.com", None, vec!["Example.COM"], DmarcResult::Pass),
        ("example.com", Some("example.net"), vec!["example.net", "badexample.com"], DmarcResult::Fail),
        ("example.com", Some("com"), vec!["com"], DmarcResult::Fail),
        ("example.com", None, vec![], DmarcResult::Fail),
        ("example.net", Some("example.net"), vec!["example.net"], DmarcResult::None),
    ] {
        let outcome = check(&zone, author, spf, &dkim);
        assert_eq!(outcome.result, result, "{author} {spf:?} {dkim:?}");
    }
}

#[test]
fn strict_alignment_wants_the_very_same_domain_for_each_mechanism() {
    let zone = Zone::with_texts(&[("_dmarc.example.com", "v=DMARC1; p=reject; adkim=s")]);
    assert_eq!(check(&zone, "example.com", None, &["a.example.com"]).result, DmarcResult::Fail);
    let outcome = check(&zone, "example.com", Some("a.example.com"), &["a.example.com", "example.com"]);
    assert_eq!(outcome.result, DmarcResult::Pass);
    assert!(outcome.is_spf_aligned);
    assert_eq!(outcome.dkim_aligned, ["example.com"]);
    let zone = Zone::with_texts(&[("_dmarc.example.com", "v=DMARC1; p=reject; aspf=S")]);
    assert_eq!(check(&zone, "example.com", Some("a.example.com"), &[]).result, DmarcResult::Fail);
    assert_eq!(check(&zone, "example.com", None, &["a.example.com"]).result, DmarcResult::Pass);
}

#[test]
fn a_walk_asks_the_eight_questions_of_section_4_10() {
    let zone = Zone::default();
    check(&zone, "a.b.c.d.e.f.g.h.i.j.mail.example.com", None, &[]);
    let asked = zone.asked.lock().unwrap().clone();
    assert_eq!(
        asked,
        [
            "_dmarc.a.b.c.d.e.f.g.h.i.j.mail.example.com",
            "_dmarc.g.h.i.j.mail.example.com",
            "_dmarc.h.i.j.mail.example.com",
            "_dmarc.i.j.mail.example.com",
            "_dmarc.j.mail.example.com",
            "_dmarc.mail.example.com",
            "_dmarc.example.com",
            "_dmarc.com",
        ]
    );
    assert_eq!(asked.len(), WALK_QUERIES_MAX);
    for (author, count) in [("a.b.c.d.e.f.example.com", 8), ("a.b.c.d.e.example.com", 7), ("com", 1)] {
        let zone = Zone::default();
        check(&zone, author, None, &[]);
        assert_eq!(zone.asked.lock().unwrap().len(), count, "{author}");
    }
}

#[test]
fn the_organizational_domains_of_section_4_10_2() {
    for (records, organization) in [
        (
            &[("_dmarc.mail.example.com", "v=DMARC1; p=none"), ("_dmarc.example.com", "v=DMARC1; p=none")][..],
            "example.com",
        ),
        (
            &[("_dmarc.mail.example.com", "v=DMARC1; p=none; psd=n"), ("_dmarc.example.com", "v=DMARC1")],
            "mail.example.com",
        ),
        (&[("_dmarc.com", "v=DMARC1; p=none; psd=y")], "example.com"),
        (&[("_dmarc.example.com", "v=DMARC1; p=none; psd=y")], "mail.example.com"),
        (&[("_dmarc.a.mail.example.com", "v=DMARC1; p=none; psd=y")], "a.mail.example.com"),
    ] {
        let outcome = check(&Zone::with_texts(records), "a.mail.example.com", None, &[]);
        assert_eq!(outcome.organizational_domain.as_deref(), Some(organization), "{records:?}");
    }
}

#[test]
fn domains_below_a_public_suffix_are_not_of_one_organization() {
    let zone = Zone::with_texts(&[("_dmarc.co.example", "v=DMARC1; p=reject; psd=y; np=quarantine")]);
    let outcome = check(&zone, "one.co.example", Some("two.co.example"), &["co.example", "a.one.co.example"]);
    assert_eq!(outcome.dkim_aligned, ["a.one.co.example"]);
    assert!(!outcome.is_spf_aligned);
    assert_eq!(outcome.policy_domain.as_deref(), Some("co.example"));
    assert_eq!(outcome.record.unwrap().public_suffix, PublicSuffix::Yes);
}

#[test]
fn the_policy_is_that_of_the_domain_of_the_subdomain_or_of_what_does_not_exist() {
    let policy = |record: &str, author: &str| {
        let mut zone = Zone::with_texts(&[("_dmarc.example.com", record)]);
        zone.node("real.example.com").ipv4.push("192.0.2.1".parse().unwrap());
        zone.node("mail.only.example.com");
        check(&zone, author, None, &[]).policy
    };
    let all = "v=DMARC1; p=reject; sp=quarantine; np=none";
    assert_eq!(policy(all, "example.com"), Policy::Reject);
    assert_eq!(policy(all, "real.example.com"), Policy::Quarantine);
    assert_eq!(policy(all, "only.example.com"), Policy::Quarantine);
    assert_eq!(policy(all, "nothing.example.com"), Policy::None);
    assert_eq!(policy("v=DMARC1; p=none; np=reject", "nothing.example.com"), Policy::Reject);
    assert_eq!(policy("v=DMARC1; p=none; np=reject", "real.example.com"), Policy::None);
    assert_eq!(policy("v=DMARC1; p=reject; sp=none", "nothing.example.com"), Policy::None);
    assert_eq!(policy("v=DMARC1; p=reject", "nothing.example.com"), Policy::Reject);
}

#[test]
fn test_mode_lowers_a_policy_by_one_step_and_pct_means_nothing() {
    let policy = |record: &str| {
        check(&Zone::with_texts(&[("_dmarc.example.com", record)]), "example.com", None, &[]).policy
    };
    assert_eq!(policy("v=DMARC1; p=reject; t=y"), Policy::Quarantine);
    assert_eq!(policy("v=DMARC1; p=quarantine; t=y"), Policy::None);
    assert_eq!(policy("v=DMARC1; p=none; t=y"), Policy::None);
    assert_eq!(policy("v=DMARC1; p=reject; t=n"), Policy::Reject);
    assert_eq!(policy("v=DMARC1; p=reject; pct=0"), Policy::Reject);
}

#[test]
fn the_author_s_own_record_comes_before_the_organization_s() {
    let zone = Zone::with_texts(&[
        ("_dmarc.example.com", "v=DMARC1; p=reject; sp=reject"),
        ("_dmarc.news.example.com", "v=DMARC1; p=none; sp=quarantine"),
        ("_dmarc.com", "v=DMARC1; p=quarantine; psd=y"),
    ]);
    let outcome = check(&zone, "news.example.com", None, &["example.com"]);
    assert_eq!((outcome.policy, outcome.policy_domain.as_deref()), (Policy::None, Some("news.example.com")));
    assert_eq!(outcome.result, DmarcResult::Pass);
    let outcome = check(&zone, "a.news.example.com", None, &[]);
    assert_eq!((outcome.policy, outcome.policy_domain.as_deref()), (Policy::Reject, Some("example.com")));
}

#[test]
fn records_are_read_leniently_behind_their_version() {
    let read = |record: &str| {
        check(&Zone::with_texts(&[("_dmarc.example.com", record)]), "example.com", None, &[]).record
    };
    for record in [
        "v=DMARC1;p=reject",
        "v = DMARC1 ; p = REJECT ;",
        "V=DMARC1; p=reject; unknown; x=y; adkim=strict",
        "v=DMARC1; p=reject; rua=nonsense; psd=maybe; t=perhaps",
    ] {
        assert_eq!(read(record).map(|record| record.policy), Some(Policy::Reject), "{record}");
    }
    for record in [
        "v=dmarc1; p=reject",
        "v=DMARC2; p=reject",
        "p=reject; v=DMARC1",
        "p=reject",
        "v=DMARC1",
        "v=DMARC1; p=maybe",
        "v=DMARC1; p=reject; sp=maybe",
        "v=DMARC1; p=maybe; rua=nonsense",
        "",
        ";",
        "v=DMARC1 p=reject",
        "junk; v=DMARC1; p=reject",
    ] {
        assert_eq!(read(record), None, "{record}");
    }
    // Wrong, but somebody wants to know (§4.10.1).
    for record in ["v=DMARC1; rua=mailto:a@example.com", "v=DMARC1; p=reject; sp=x; rua=mailto:a@example.com"]
    {
        assert_eq!(read(record).map(|record| record.policy), Some(Policy::None), "{record}");
    }
    let record = read(
        "v=DMARC1; p=none; rua=mailto:a@example.com!10m, https://example.com/r ,:x; ruf=mailto:f@example.com; fo=1:d",
    );
    let record = record.unwrap();
    assert_eq!(record.aggregate_reports, ["mailto:a@example.com", "https://example.com/r"]);
    assert_eq!(record.failure_reports, ["mailto:f@example.com"]);
    assert_eq!(record.failure_options, "1:d");
}

#[test]
fn several_records_at_one_name_are_none_and_other_texts_do_not_count() {
    let record = ("_dmarc.example.com", "v=DMARC1; p=reject");
    let zone = Zone::with_texts(&[record, ("_dmarc.example.com", "v=DMARC1; p=none")]);
    assert_eq!(check(&zone, "example.com", None, &[]).result, DmarcResult::None);
    let zone = Zone::with_texts(&[("_dmarc.example.com", "other"), record]);
    assert_eq!(check(&zone, "example.com", None, &[]).policy, Policy::Reject);
}

#[test]
fn no_answer_is_neither_pass_nor_fail() {
    let mut zone = Zone::default();
    zone.node("_dmarc.example.com").times_out = true;
    let outcome = check(&zone, "a.example.com", None, &["a.example.com"]);
    assert_eq!(outcome.result, DmarcResult::TempError);
    assert_eq!(outcome.trouble, Some(("_dmarc.example.com".to_owned(), DnsTrouble::TimedOut)));
    assert_eq!(outcome.policy, Policy::None);
    // A signature whose organization cannot be found does not matter beside one that is aligned.
    let mut zone = Zone::with_texts(&[("_dmarc.example.com", "v=DMARC1; p=reject")]);
    zone.node("_dmarc.b.example.com").times_out = true;
    assert_eq!(check(&zone, "example.com", None, &["b.example.com"]).result, DmarcResult::TempError);
    assert_eq!(
        check(&zone, "example.com", None, &["b.example.com", "example.com"]).result,
        DmarcResult::Pass
    );
}

#[test]
fn a_domain_above_that_does_not_answer_does_not_matter_to_the_very_same_domain() {
    let mut zone = Zone::with_texts(&[("_dmarc.news.example.com", "v=DMARC1; p=reject; aspf=s")]);
    zone.node("_dmarc.com").times_out = true;
    let outcome = check(&zone, "news.example.com", None, &["news.example.com"]);
    assert_eq!((outcome.result, outcome.organizational_domain), (DmarcResult::Pass, None));
    // Of another domain nobody can tell whether it is of the same organization, unless the alignment is strict.
    assert_eq!(check(&zone, "news.example.com", None, &["example.com"]).result, DmarcResult::TempError);
    assert_eq!(check(&zone, "news.example.com", Some("example.com"), &[]).result, DmarcResult::Fail);
    assert_eq!(check(&zone, "news.example.com", None, &[]).policy, Policy::Reject);
}

#[test]
fn many_signatures_cost_few_questions() {
    let zone = Zone::with_texts(&[("_dmarc.example.com", "v=DMARC1; p=reject")]);
    let names: Vec<String> = (0..100).map(|n| format!("a.b.c.d.e.f.g.h.{n}.example.net")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    check(&zone, "example.com", None, &names);
    assert_eq!(zone.asked.lock().unwrap().len(), 2);
}

/// The walk finds what the list of public suffixes says, where those suffixes publish that they are some.
#[test]
fn a_walk_agrees_with_the_list_of_public_suffixes() {
    let Some(folder) = testdata::folder("psl") else { return };
    let list = std::fs::read_to_string(folder.join("public_suffix_list.dat")).unwrap();
    let rules = list.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    let suffixes: Vec<&str> = rules.filter(|rule| rule.is_ascii() && !rule.starts_with(['*', '!'])).collect();
    assert!(suffixes.len() > 5000);
    let mut zone = Zone::default();
    for suffix in &suffixes {
        zone.node(&format!("_dmarc.{suffix}")).txt.push(b"v=DMARC1; p=none; psd=y".to_vec());
    }
    for suffix in suffixes.iter().step_by(7) {
        let outcome = check(&zone, &format!("mail.zz--registered.{suffix}"), None, &[]);
        let organization = format!("zz--registered.{suffix}");
        assert_eq!(outcome.organizational_domain, Some(organization));
    }
}

fn check(zone: &Zone, author: &str, spf: Option<&str>, dkim: &[&str]) -> Outcome {
    run(evaluate(zone, &author.parse().unwrap(), &Authenticated { spf, dkim }))
}

#[test]
fn a_survey_tells_each_step_and_which_policy_applies() {
    let mut zone = Zone::with_texts(&[(
        "_dmarc.example.com",
        "v=DMARC1; p=reject; sp=quarantine; np=none; rua=mailto:a@example.com,mailto:b@reports.example,mailto:c@closed.example",
    )]);
    zone.node("_dmarc.mail.example.com").txt.push(b"something else".to_vec());
    zone.node("example.com._report._dmarc.reports.example").txt.push(b"v=DMARC1".to_vec());
    zone.node("mail.example.com").ipv4.push("192.0.2.1".parse().unwrap());
    let found = run(survey(&zone, "Mail.Example.com."));
    let steps: Vec<&str> = found.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(steps, ["_dmarc.mail.example.com", "_dmarc.example.com", "_dmarc.com"]);
    assert_eq!(found.steps[0].texts[0].counts, Counts::AsOther);
    assert_eq!(found.steps[1].texts[0].counts, Counts::AsRecord);
    assert_eq!(found.organizational_domain.as_deref(), Some("example.com"));
    assert_eq!(found.policy_domain.as_deref(), Some("example.com"));
    assert_eq!((found.applies, found.policy), (Applies::ToSubdomain, Policy::Quarantine));
    let receivers: Vec<(&str, Option<bool>)> =
        found.receivers.iter().map(|receiver| (receiver.asked.as_str(), receiver.is_willing)).collect();
    assert_eq!(
        receivers,
        [
            ("example.com._report._dmarc.reports.example", Some(true)),
            ("example.com._report._dmarc.closed.example", Some(false)),
        ]
    );
    let found = run(survey(&zone, "gone.example.com"));
    assert_eq!((found.applies, found.policy), (Applies::ToNonExistent, Policy::None));
    let found = run(survey(&zone, "example.com"));
    assert_eq!((found.applies, found.policy), (Applies::Own, Policy::Reject));
    let found = run(survey(&zone, "example.net"));
    assert_eq!((found.applies, found.record), (Applies::Nothing, None));
    assert_eq!(found.organizational_domain.as_deref(), Some("example.net"));
}

#[test]
fn a_survey_of_what_is_no_name_asks_for_nothing() {
    // A name above it has a record, which is what makes it matter whether this one exists.
    let zone = Zone::with_texts(&[("_dmarc.example.com", "v=DMARC1; p=reject; np=quarantine")]);
    let found = run(survey(&zone, "f\u{fffd}.example.com"));
    assert_eq!((found.applies, found.policy), (Applies::ToNonExistent, Policy::Quarantine));
    assert_eq!(*zone.asked.lock().unwrap(), ["_dmarc.example.com", "_dmarc.com"]);
}

#[test]
fn a_survey_tells_where_the_dns_does_not_answer() {
    let mut zone = Zone::with_texts(&[("_dmarc.mail.example.com", "v=DMARC1; p=reject")]);
    zone.node("_dmarc.example.com").times_out = true;
    let found = run(survey(&zone, "mail.example.com"));
    assert_eq!(found.trouble, Some(("_dmarc.example.com".to_owned(), DnsTrouble::TimedOut)));
    assert_eq!((found.policy, found.organizational_domain), (Policy::Reject, None));
    assert_eq!(found.steps[1].trouble, Some(DnsTrouble::TimedOut));
}

#[test]
fn what_is_wrong_with_a_tag_is_told_of_that_tag() {
    for (text, wrong) in [
        ("v=DMARC1; p=reject", &[][..]),
        ("v=DMARC1; p=rejct; rua=mailto:a@b.example", &["p"]),
        ("v=DMARC1; p=none; aspf=x; adkim=s", &["aspf"]),
        ("v=DMARC1; p=none; pct=50; rf=afrf; ri=1", &["pct", "rf", "ri"]),
        ("v=DMARC1; p=none; p=reject", &["p"]),
        ("v=DMARC1; p=none; rua=a@b.example", &["rua"]),
        ("v=DMARC1; p=none; rua=mailto:a@b.example!10m, mailto:c@d.example", &[]),
        ("v=DMARC1; p=none; fo=1:d:s", &[]),
        ("v=DMARC1; p=none; fo=2; hello; x=y", &["fo", "hello", "x"]),
        ("v=DMARC1; p=none; t=maybe; psd=maybe", &["t", "psd"]),
    ] {
        let tags = Published::read(text.as_bytes()).tags;
        let found: Vec<&str> =
            tags.iter().filter(|tag| tag.problem.is_some()).map(|tag| tag.name.as_str()).collect();
        assert_eq!(found, wrong, "{text}");
    }
    assert_eq!(Published::read(b"v=DMARC1; p=rejct").counts, Counts::AsUseless);
    assert!(Published::read(b"v=spf1 -all").tags.is_empty());
}
