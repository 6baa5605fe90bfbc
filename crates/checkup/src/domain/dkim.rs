//! DKIM (RFC 6376, RFC 8301, RFC 8463): the keys that the domain publishes.
//!
//! The DNS does not tell which selectors there are, so those that are given are asked for, and some that many use.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use mailauth::dkim::{Algorithm, DkimProblem, PublishedKey, RSA_BITS_STRONG};
use mailauth::is_name;
use types::dns::Lookup;

use super::mx::Mail;
use super::{Question, SELECTORS_MAX, bad, good, notice, unknown, warning, zone};
use crate::{Finding, Outside, Topic};

/// Selectors that services and programs use by habit.
const COMMON_SELECTORS: &[&str] = &[
    "default",
    "dkim",
    "mail",
    "email",
    "selector1",
    "selector2",
    "google",
    "k1",
    "k2",
    "k3",
    "s1",
    "s2",
    "s1024",
    "s2048",
    "key1",
    "key2",
    "mx",
    "smtp",
    "mandrill",
    "mailjet",
    "zoho",
    "protonmail",
    "protonmail2",
    "protonmail3",
    "fm1",
    "fm2",
    "fm3",
    "sig1",
    "pm",
    "amazonses",
    "mte1",
    "mte2",
    "cm",
    "everlytickey1",
    "dk",
    "zendesk1",
    "zendesk2",
    "hs1",
    "hs2",
    "20230601",
    "20240101",
    "202401",
    "2024",
    "2025",
    "2026",
    "rsa",
    "ed25519",
    "dkim1",
    "dkim2",
];

/// Why a selector is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked<'a> {
    /// It must be there, with this record where it is known.
    Given(Option<&'a str>),
    /// It may be.
    Guessed,
}

/// What stands at one selector.
enum Key {
    None,
    Unknown(Finding),
    Found { findings: Vec<Finding>, algorithm: Option<Algorithm> },
}

/// All about the domain's keys.
pub(super) async fn check(outside: &dyn Outside, question: &Question, mail: &Mail) -> Vec<Finding> {
    let domain = question.domain.ascii();
    let mut asked: Vec<(String, Asked)> = Vec::new();
    for selector in question.selectors.iter().take(SELECTORS_MAX) {
        let name = selector.name.to_ascii_lowercase();
        if asked.iter().all(|(other, _)| *other != name) {
            asked.push((name, Asked::Given(selector.record.as_deref())));
        }
    }
    let is_any_given = !asked.is_empty();
    let given: BTreeSet<String> = asked.iter().map(|(name, _)| name.clone()).collect();
    let guessed = COMMON_SELECTORS.iter().filter(|selector| !given.contains(**selector));
    asked.extend(guessed.map(|selector| ((*selector).to_owned(), Asked::Guessed)));
    let looks = join_all(asked.iter().map(|(selector, asked)| look(outside, domain, selector, *asked))).await;
    let mut findings = Vec::new();
    let mut algorithms = Vec::new();
    let (mut has_any, mut is_unsure) = (false, false);
    for ((_, asked), look) in asked.iter().zip(looks) {
        match look {
            Key::None => {}
            Key::Unknown(finding) => {
                is_unsure = true;
                if matches!(asked, Asked::Given(_)) {
                    findings.push(finding);
                }
            }
            Key::Found { findings: found, algorithm } => {
                has_any = true;
                findings.extend(found);
                algorithms.extend(algorithm);
            }
        }
    }
    if has_any || is_any_given {
        if !algorithms.is_empty() && !algorithms.contains(&Algorithm::RsaSha256) {
            let says = "all keys that were found are of Ed25519, which many receivers cannot check yet";
            findings.push(
                warning(Topic::Dkim, domain, says).mend("sign with a key of RSA with 2048 bits as well"),
            );
        }
    } else if *mail != Mail::TakesNone {
        // Who takes no mail rarely sends any.
        findings.push(none_found(outside, domain, is_unsure).await);
    }
    findings
}

async fn look(outside: &dyn Outside, domain: &str, selector: &str, asked: Asked<'_>) -> Key {
    let name = format!("{selector}._domainkey.{domain}");
    let missing = |says: String| {
        let finding = bad(Topic::Dkim, selector, says);
        finding.mend("publish the key, as `posta domain dns` prints it, or sign with another selector")
    };
    if !is_name(&name) {
        let findings = vec![missing(format!("{selector:?} cannot be a selector"))];
        return if matches!(asked, Asked::Given(_)) {
            Key::Found { findings, algorithm: None }
        } else {
            Key::None
        };
    }
    match outside.txt(&name).await {
        Lookup::Records { records, .. } => judge(&name, selector, &records, asked),
        Lookup::NoData { .. } | Lookup::NoSuchName if matches!(asked, Asked::Given(_)) => {
            let says =
                format!("there is no key at {name}: signatures by the selector {selector} count for nothing");
            Key::Found { findings: vec![missing(says)], algorithm: None }
        }
        Lookup::NoData { .. } | Lookup::NoSuchName => Key::None,
        Lookup::Trouble(trouble) => {
            Key::Unknown(zone::trouble(Topic::Dkim, selector, &format!("the key at {name}"), trouble))
        }
    }
}

fn judge(name: &str, selector: &str, records: &[Vec<u8>], asked: Asked<'_>) -> Key {
    let mut findings = Vec::new();
    if records.len() > 1 {
        let says = format!("there are {} texts at {name}, of which receivers may take any", records.len());
        findings.push(warning(Topic::Dkim, selector, says).mend("leave only the key there"));
    }
    let parsed: Vec<_> = records.iter().map(|record| (record, PublishedKey::parse(record))).collect();
    let Some((record, key)) = parsed.iter().find(|(_, key)| key.is_ok()).or_else(|| parsed.first()) else {
        return Key::None;
    };
    // A wildcard of the zone answers for every name with something else.
    let looks_like_a_key =
        String::from_utf8_lossy(record).split(';').any(|tag| tag.trim_start().starts_with("p="));
    if asked == Asked::Guessed && !looks_like_a_key {
        return Key::None;
    }
    match key {
        Ok(key) => {
            findings.push(match asked {
                Asked::Given(Some(wanted)) if key_data(wanted.as_bytes()) != key_data(record) => {
                    let says = format!("the key at {name} is another one than this server signs with, so that its signatures fail");
                    bad(Topic::Dkim, selector, says).mend(zone::txt(name, wanted)).detail(zone::shown(record))
                }
                _ => usable(selector, key),
            });
            if key.is_testing {
                let says = format!(
                    "the key of the selector {selector} is marked as a test (t=y): signatures by it may count for nothing"
                );
                findings.push(warning(Topic::Dkim, selector, says).mend("take t=y out of the record"));
            }
            Key::Found { findings, algorithm: Some(key.algorithm) }
        }
        Err(problem) => {
            findings.push(unusable(name, selector, record, problem, asked));
            Key::Found { findings, algorithm: None }
        }
    }
}

/// What stands behind `p=`, without white space.
fn key_data(record: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(record);
    let data = text.split(';').find_map(|tag| tag.trim().strip_prefix("p=").map(str::to_owned));
    data.map(|data| data.split_ascii_whitespace().collect())
}

fn usable(selector: &str, key: &PublishedKey) -> Finding {
    match (key.algorithm, key.rsa_bits) {
        (Algorithm::RsaSha256, Some(bits)) if bits < RSA_BITS_STRONG => {
            let says =
                format!("the key of the selector {selector} is of RSA with {bits} bits, which is weak");
            let mend = format!(
                "make a new key of {RSA_BITS_STRONG} bits, with another selector: `posta dkim rotate`"
            );
            warning(Topic::Dkim, selector, says).mend(mend)
        }
        (Algorithm::RsaSha256, bits) => {
            let bits = bits.map_or_else(String::new, |bits| format!(" with {bits} bits"));
            good(Topic::Dkim, selector, format!("the selector {selector} has a key of RSA{bits}"))
        }
        (Algorithm::Ed25519Sha256, _) => {
            good(Topic::Dkim, selector, format!("the selector {selector} has a key of Ed25519"))
        }
    }
}

fn unusable(name: &str, selector: &str, record: &[u8], problem: &DkimProblem, asked: Asked<'_>) -> Finding {
    let finding = match problem {
        DkimProblem::Revoked => {
            let says = format!("the key of the selector {selector} was revoked");
            match asked {
                Asked::Given(_) => bad(Topic::Dkim, selector, says).mend("sign with another selector"),
                Asked::Guessed => notice(Topic::Dkim, selector, says),
            }
        }
        DkimProblem::ShortKey(bits) => {
            let says = format!(
                "the key of the selector {selector} has {bits} bits, so that its signatures count for nothing"
            );
            bad(Topic::Dkim, selector, says)
                .mend("make a new key of 2048 bits, with another selector: `posta dkim rotate`")
        }
        _ => {
            let says = format!("the key at {name} cannot be used: {problem}");
            bad(Topic::Dkim, selector, says)
                .mend("publish the record again, as one text without anything left out")
        }
    };
    finding.detail(zone::shown(record))
}

/// RFC 8020: where `_domainkey` does not exist, nothing below it does.
async fn none_found(outside: &dyn Outside, domain: &str, is_unsure: bool) -> Finding {
    let name = format!("_domainkey.{domain}");
    let tell = "name the selectors that the domain signs with by --selector: they stand as s= in the DKIM-Signature of a message";
    match outside.txt(&name).await {
        Lookup::NoSuchName => {
            let says = "the domain publishes no key of DKIM: large receivers refuse mail that is not signed, and anybody can forge it";
            bad(Topic::Dkim, domain, says)
                .mend("sign what is sent, and publish the key: `posta domain add` makes keys, `posta domain dns` prints their records")
        }
        Lookup::Trouble(trouble) => {
            zone::trouble(Topic::Dkim, domain, "whether the domain publishes keys of DKIM", trouble)
        }
        Lookup::NoData { .. } | Lookup::Records { .. } => {
            let says = if is_unsure {
                "the DNS did not answer for all of the usual selectors of DKIM"
            } else {
                "the domain seems to publish keys of DKIM, by selectors that are not known here"
            };
            unknown(Topic::Dkim, domain, says).mend(tell)
        }
    }
}
