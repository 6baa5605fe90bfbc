//! The openspf.org test suites of RFC 7208 and RFC 4408 and pyspf's own cases, all through `check_host` with the suite's zone
//! as the DNS.

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

mod common;

use std::path::Path;

use common::{Zone, run};
use mailauth::spf::{Client, Identity, Outcome, SpfProblem, SpfResult, check_host, survey};
use saphyr::{LoadableYamlNode, Yaml};
use types::Timestamp;
use types::dns::MxRecord;

#[test]
fn every_case_of_the_suite_of_rfc_7208() {
    let Some(folder) = testdata::folder("spf") else { return };
    let cases = read_suite(&folder.join("rfc7208-tests.yml"));
    assert_eq!(cases.len(), 203);
    assert_eq!(failures(&cases), "");
}

/// Where RFC 7208 decided what RFC 4408 had left open, the older suite takes several results ([`DIFFERENCES`]): none fails.
#[test]
fn every_case_of_the_suite_of_rfc_4408_too() {
    let Some(folder) = testdata::folder("spf") else { return };
    let cases = read_suite(&folder.join("rfc4408-tests.yml"));
    assert_eq!(cases.len(), 191);
    assert_eq!(failures(&cases), "");
}

/// By the order of the older suite: a case, what may come of it by RFC 4408, what comes of it here, and by which rule.
const DIFFERENCES: [(&str, &str, &str, &str); 12] = [
    ("txtonly", "fail none", "fail", "records of type SPF are not asked for (§3.1)"),
    ("spfonly", "fail none", "none", "records of type SPF are not asked for (§3.1)"),
    ("spftimeout", "fail temperror", "fail", "records of type SPF are not asked for (§3.1)"),
    ("txttimeout", "fail temperror", "temperror", "records of type SPF are not asked for (§3.1)"),
    ("nospftxttimeout", "none temperror", "temperror", "records of type SPF are not asked for (§3.1)"),
    ("spfoverride", "fail pass", "fail", "records of type SPF are not asked for (§3.1)"),
    ("multitxt1", "pass permerror", "permerror", "records of type SPF are not asked for (§3.1)"),
    ("multispf2", "pass permerror", "pass", "records of type SPF are not asked for (§3.1)"),
    ("exists-dnserr", "fail temperror", "temperror", "trouble of the DNS ends the check (§5)"),
    ("cidr6-0-ip4", "neutral pass", "neutral", "an address mapped into IPv6 is one of IPv4 (§5)"),
    ("cidr6-ip4", "neutral pass", "neutral", "the same"),
    ("mx-limit", "neutral pass permerror", "permerror", "more than 10 mail hosts of a name (§4.6.4)"),
];

/// Nothing but these differs between the suites, but for cases that only the newer one has.
#[test]
fn what_rfc_4408_left_open_is_as_rfc_7208_has_it() {
    let Some(folder) = testdata::folder("spf") else { return };
    let newer = read_suite(&folder.join("rfc7208-tests.yml"));
    let sorted = |results: &[String]| {
        let mut results = results.to_vec();
        results.sort();
        results.join(" ")
    };
    let mut found = Vec::new();
    for case in read_suite(&folder.join("rfc4408-tests.yml")) {
        let now = newer.iter().find(|other| other.name == case.name).unwrap();
        let (then, is_now) = (sorted(&case.results), sorted(&now.results));
        if then != is_now {
            assert_eq!(case.outcome().result.keyword(), is_now, "{}", case.name);
            found.push((case.name, then, is_now));
        }
    }
    let listed: Vec<_> = DIFFERENCES
        .iter()
        .map(|(name, then, now, _)| ((*name).to_owned(), (*then).to_owned(), (*now).to_owned()))
        .collect();
    assert_eq!(found, listed);
}

#[test]
fn every_case_of_pyspf() {
    let Some(folder) = testdata::folder("spf") else { return };
    let cases = read_suite(&folder.join("pyspf-extra-test.yml"));
    assert_eq!(cases.len(), 16);
    // Two are of a modifier `default`, which pyspf alone knows, and of a result that no RFC has.
    let cases: Vec<Case> =
        cases.into_iter().filter(|case| !case.name.starts_with("default-modifier")).collect();
    assert_eq!(cases.len(), 14);
    assert_eq!(failures(&cases), "");
}

/// A survey walks through all branches, and says of the client what the evaluation does that stops at the first match.
#[test]
fn a_survey_agrees_with_the_evaluation_wherever_no_limit_ends_that() {
    let Some(folder) = testdata::folder("spf") else { return };
    let cases = read_suite(&folder.join("rfc7208-tests.yml"));
    let mut compared = 0;
    for case in &cases {
        let outcome = case.outcome();
        let is_of_limits = matches!(
            outcome.problem,
            Some(
                SpfProblem::TooManyLookups
                    | SpfProblem::TooManyVoidLookups
                    | SpfProblem::TooManyMailHosts { .. }
            )
        );
        // What `%{p}` stands for is not asked for in a survey.
        if is_of_limits
            || case.zone.names.values().flat_map(|node| &node.txt).any(|text| has_name_macro(text))
        {
            continue;
        }
        let (client, sender) = (case.client(), format!("{}@{}", "postmaster", outcome.domain));
        let sender = if case.mail_from.is_empty() { &sender } else { &case.mail_from };
        let found = run(survey(&*case.zone, &outcome.domain, Some(&client), sender));
        assert_eq!(found.root.result, Some(outcome.result), "{} {found:#?}", case.describe("?"));
        compared += 1;
    }
    assert!(compared > 150, "{compared}");
}

fn has_name_macro(text: &[u8]) -> bool {
    String::from_utf8_lossy(text).to_ascii_lowercase().contains("%{p")
}

fn failures(cases: &[Case]) -> String {
    let failures = cases.iter().filter_map(|case| case.failure().map(|got| case.describe(&got)));
    failures.collect::<Vec<_>>().join("\n")
}

struct Case {
    scenario: String,
    name: String,
    helo: String,
    mail_from: String,
    host: String,
    results: Vec<String>,
    explanation: Option<String>,
    zone: std::rc::Rc<Zone>,
}

impl Case {
    fn client(&self) -> Client<'_> {
        Client {
            ip: self.host.parse().unwrap(),
            helo: &self.helo,
            receiver: "receiver.example",
            now: Timestamp::from_millis(1_000_000_000_000),
        }
    }

    fn outcome(&self) -> Outcome {
        run(check_host(&*self.zone, &self.client(), Identity::MailFrom(&self.mail_from)))
    }

    /// What came instead of what the suite wants.
    fn failure(&self) -> Option<String> {
        let outcome = self.outcome();
        let got = outcome.result.keyword();
        if !self.results.iter().any(|result| result == got) {
            return Some(format!("{got} {:?}", outcome.problem));
        }
        // The suite's DEFAULT is an explanation of the checking program's own, which here is none at all.
        let wanted = self.explanation.as_deref().filter(|text| *text != "DEFAULT");
        let is_explained = outcome.result != SpfResult::Fail
            || self.explanation.is_none()
            || outcome.explanation.as_deref().map(str::to_ascii_lowercase)
                == wanted.map(str::to_ascii_lowercase);
        (!is_explained).then(|| format!("{:?}, not {:?}", outcome.explanation, self.explanation))
    }

    fn describe(&self, got: &str) -> String {
        format!("{} / {}: {got}, not {:?}", self.scenario, self.name, self.results)
    }
}

fn read_suite(path: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut cases = Vec::new();
    for scenario in Yaml::load_from_str(&text).unwrap() {
        let zone = std::rc::Rc::new(read_zone(&scenario["zonedata"]));
        for (name, case) in scenario["tests"].as_mapping().unwrap() {
            let field = |key: &str| case.as_mapping_get(key).and_then(text_of);
            let results = match case.as_mapping_get("result").unwrap() {
                Yaml::Sequence(results) => results.iter().filter_map(text_of).collect(),
                result => vec![text_of(result).unwrap()],
            };
            cases.push(Case {
                scenario: scenario.as_mapping_get("description").and_then(text_of).unwrap_or_default(),
                name: text_of(name).unwrap(),
                helo: field("helo").unwrap_or_default(),
                mail_from: field("mailfrom").unwrap_or_default(),
                host: field("host").unwrap(),
                results,
                explanation: field("explanation"),
                zone: zone.clone(),
            });
        }
    }
    cases
}

/// Records of type SPF are published as TXT too, unless the name has a TXT of its own (`NONE` is one of no record).
fn read_zone(zonedata: &Yaml<'_>) -> Zone {
    let mut zone = Zone::default();
    for (name, records) in zonedata.as_mapping().unwrap() {
        let node = zone.node(&text_of(name).unwrap());
        let mut spf = Vec::new();
        let mut has_txt = false;
        for record in records.as_vec().unwrap() {
            let Some(record) = record.as_mapping() else {
                assert_eq!(text_of(record).unwrap(), "TIMEOUT");
                node.times_out = true;
                continue;
            };
            for (kind, value) in record {
                match text_of(kind).unwrap().as_str() {
                    "SPF" => spf.push(octets_of(value)),
                    "TXT" => {
                        has_txt = true;
                        if text_of(value).as_deref() != Some("NONE") {
                            node.txt.push(octets_of(value));
                        }
                    }
                    "A" => node.ipv4.push(text_of(value).unwrap().parse().unwrap()),
                    "AAAA" => node.ipv6.push(text_of(value).unwrap().parse().unwrap()),
                    "MX" => node.mx.push(MxRecord {
                        preference: value[0].as_integer().unwrap().try_into().unwrap(),
                        exchange: text_of(&value[1]).unwrap(),
                    }),
                    "PTR" => node.ptr.push(text_of(value).unwrap()),
                    "CNAME" => node.alias = text_of(value),
                    kind => panic!("a record of type {kind}"),
                }
            }
        }
        if !has_txt {
            node.txt = spf;
        }
    }
    zone
}

fn text_of(value: &Yaml<'_>) -> Option<String> {
    match value {
        Yaml::Value(saphyr::Scalar::Integer(number)) => Some(number.to_string()),
        Yaml::Value(saphyr::Scalar::FloatingPoint(number)) => Some(number.to_string()),
        Yaml::Value(saphyr::Scalar::Null) => None,
        value => value.as_str().map(str::to_owned),
    }
}

/// The suite writes octets as characters of the same number.
fn octets_of(value: &Yaml<'_>) -> Vec<u8> {
    let text = match value {
        Yaml::Sequence(strings) => strings.iter().filter_map(text_of).collect(),
        value => text_of(value).unwrap_or_default(),
    };
    text.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect()
}
