//! What lists in the DNS say of addresses and domains (RFC 5782): asked and read as `mta` does it where mail is taken.
//!
//! A list is believed after its test entries say what they must (§5): one that answers for everything, or for nothing, since
//! it does not serve this name server, would tell falsehoods.

use std::net::IpAddr;

use futures_util::future::join_all;
use mailauth::Names;
use mta::admission::reputation::{
    Answer, Kind, TestResult, address_question, domain_question, read, test_questions, test_result, text_of,
};
use types::dns::Lookup;

use crate::{Finding, Topic, Verdict};

/// Lists that are asked.
pub(crate) const LISTS_MAX: usize = 20;
/// Texts of one entry that are told.
const TEXTS_MAX: usize = 3;

/// What lists are asked about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Subject {
    Address(IpAddr),
    /// With A-labels.
    Domain(String),
}

impl Subject {
    const fn kind(&self) -> Kind {
        match self {
            Self::Address(ip) => Kind::of(*ip),
            Self::Domain(_) => Kind::Domain,
        }
    }

    fn question(&self, zone: &str) -> Option<String> {
        match self {
            Self::Address(ip) => Some(address_question(*ip, zone)),
            Self::Domain(name) => domain_question(name, zone),
        }
    }
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(ip) => ip.fmt(f),
            Self::Domain(name) => f.write_str(name),
        }
    }
}

/// What each of the lists says of each of the subjects, the lists in their order.
pub(crate) async fn check<N: Names + ?Sized>(
    names: &N,
    zones: &[String],
    subjects: &[Subject],
) -> Vec<Vec<Finding>> {
    let zones = zones.iter().take(LISTS_MAX).map(|zone| zone.trim_end_matches('.'));
    join_all(zones.map(|zone| one(names, zone, subjects))).await
}

async fn one<N: Names + ?Sized>(names: &N, zone: &str, subjects: &[Subject]) -> Vec<Finding> {
    let tests = join_all(Kind::ALL.map(|kind| test(names, kind, zone))).await;
    let is_sound =
        |kind| Kind::ALL.iter().zip(&tests).any(|(other, test)| *other == kind && *test == TestResult::Sound);
    if !Kind::ALL.into_iter().any(is_sound) {
        return vec![unsound(zone, &tests)];
    }
    let asked: Vec<&Subject> = subjects.iter().filter(|subject| is_sound(subject.kind())).collect();
    if asked.is_empty() {
        let says = format!("the list {zone} has no entries of the kinds that it could be asked about");
        return vec![Finding::new(Topic::Dnsbl, zone, Verdict::Notice, says)];
    }
    join_all(asked.into_iter().map(|subject| entry(names, zone, subject))).await
}

async fn test<N: Names + ?Sized>(names: &N, kind: Kind, zone: &str) -> TestResult {
    let questions = test_questions(kind, zone, None);
    let (listed, unlisted) =
        futures_util::join!(names.ipv4(&questions.listed), names.ipv4(&questions.unlisted));
    test_result(&listed, &unlisted)
}

fn unsound(zone: &str, tests: &[TestResult]) -> Finding {
    let says = format!(
        "the list {zone} does not answer for its test entries as it must, so that what it says counts for nothing"
    );
    let mend = "ask it by a name server of your own: many lists answer no public ones; or see whether it still exists";
    let mut finding = Finding::new(Topic::Dnsbl, zone, Verdict::Unknown, says).mend(mend);
    for (kind, test) in Kind::ALL.iter().zip(tests) {
        let why = match test {
            TestResult::Sound => continue,
            TestResult::Unsound(why) => why.clone(),
            TestResult::Unknown(trouble) => trouble.to_string(),
        };
        finding = finding.detail(format!("{}: {why}", kind.keyword()));
    }
    finding
}

async fn entry<N: Names + ?Sized>(names: &N, zone: &str, subject: &Subject) -> Finding {
    let about = subject.to_string();
    let unknown = |why: &dyn std::fmt::Display| {
        let says = format!("whether {about} is on the list {zone} could not be found out: {why}");
        Finding::new(Topic::Dnsbl, about.clone(), Verdict::Unknown, says)
    };
    let Some(question) = subject.question(zone) else { return unknown(&"the DNS can have no such name") };
    match read(&[], 1, &names.ipv4(&question).await) {
        Answer::NotListed => {
            let says = format!("{about} is not on the list {zone}");
            Finding::new(Topic::Dnsbl, about, Verdict::Good, says)
        }
        Answer::Broken(fault) => unknown(&fault),
        Answer::Trouble(trouble) => unknown(&trouble),
        Answer::Listed { codes, .. } => {
            let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
            let says = format!(
                "{about} is on the list {zone} ({}): hosts that use it refuse mail from there",
                codes.join(", ")
            );
            let mend = format!(
                "see at the list's web page why and how to be taken off; {question} TXT often says it"
            );
            let mut finding = Finding::new(Topic::Dnsbl, about, Verdict::Bad, says).mend(mend);
            // RFC 5782 §2.1: why, and often where to read more.
            if let Lookup::Records { records, .. } = names.txt(&question).await {
                finding.details = records.iter().filter_map(|text| text_of(text)).take(TEXTS_MAX).collect();
            }
            finding
        }
    }
}
