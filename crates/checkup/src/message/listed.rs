//! What lists in the DNS say of where a message came from and whom it names (RFC 5782).

use mailauth::Names;
use mta::admission::authenticity::author_domains;
use mta::admission::reputation::{Answer, Kind, TestResult};
use mta::admission::reputation::{
    address_question, domain_question, read, test_questions, test_result, text_of,
};
use types::dns::Lookup;

use super::{Letter, Question};
use crate::{Finding, Topic, Verdict};

pub(super) async fn check(names: &dyn Names, question: &Question<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for zone in question.lists.iter().take(LISTS_MAX) {
        let zone = zone.trim_end_matches('.');
        findings.extend(ask(names, question, zone).await);
    }
    findings
}

/// A list may be of addresses or of domains; its test entries tell which.
async fn ask(names: &dyn Names, question: &Question<'_>, zone: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut reasons = Vec::new();
    let ip = question.arrival.ip;
    let of_address = if ip.is_some_and(|ip| ip.to_canonical().is_ipv6()) { Kind::Ipv6 } else { Kind::Ipv4 };
    let mut is_used = false;
    for kind in [of_address, Kind::Domain] {
        match soundness(names, kind, zone).await {
            TestResult::Sound => {}
            TestResult::Unsound(reason) => {
                reasons.push(reason);
                continue;
            }
            TestResult::Unknown(trouble) => {
                reasons.push(trouble.to_string());
                continue;
            }
        }
        is_used = true;
        let asked: Vec<(String, String)> = match (kind, ip) {
            (Kind::Domain, _) => domains(question.letter)
                .into_iter()
                .filter_map(|name| domain_question(&name, zone).map(|question| (name, question)))
                .collect(),
            (_, Some(ip)) => vec![(ip.to_string(), address_question(ip, zone))],
            (_, None) => Vec::new(),
        };
        for (about, question) in asked {
            findings.extend(listing(names, zone, &about, &question).await);
        }
    }
    if !is_used {
        let says = format!("the list {zone} is not to be used: {}", reasons.join("; "));
        findings.push(Finding::new(Topic::Dnsbl, zone, Verdict::Unknown, says));
    } else if findings.is_empty() {
        findings.push(Finding::new(Topic::Dnsbl, zone, Verdict::Good, format!("{zone} lists nothing of it")));
    }
    findings
}

async fn soundness(names: &dyn Names, kind: Kind, zone: &str) -> TestResult {
    let tests = test_questions(kind, zone, None);
    test_result(&names.ipv4(&tests.listed).await, &names.ipv4(&tests.unlisted).await)
}

async fn listing(names: &dyn Names, zone: &str, about: &str, question: &str) -> Option<Finding> {
    match read(&[], 1, &names.ipv4(question).await) {
        Answer::NotListed => None,
        Answer::Listed { codes, .. } => {
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            let says = format!("{zone} lists it ({})", codes.join(", "));
            let mut finding = Finding::new(Topic::Dnsbl, about, Verdict::Bad, says)
                .mend(format!("see what {zone} says, end the cause, and ask it for removal"))
                .points(3.0);
            if let Lookup::Records { records, .. } = names.txt(question).await {
                finding.details = records.iter().take(TEXTS_MAX).filter_map(|text| text_of(text)).collect();
            }
            Some(finding)
        }
        Answer::Broken(fault) => {
            Some(Finding::new(Topic::Dnsbl, about, Verdict::Unknown, format!("{zone}: {fault}")))
        }
        Answer::Trouble(trouble) => {
            Some(Finding::new(Topic::Dnsbl, about, Verdict::Unknown, format!("{zone}: {trouble}")))
        }
    }
}

/// Those of `From`.
fn domains(letter: &Letter<'_>) -> Vec<String> {
    author_domains(letter.header).unwrap_or_default().iter().map(|domain| domain.ascii().to_owned()).collect()
}

/// Lists that are asked.
const LISTS_MAX: usize = 20;
/// Texts of one listing.
const TEXTS_MAX: usize = 3;
