//! Mail to many: how a reader gets off the list (RFC 2369, RFC 8058), and that no program answers it (RFC 3834).

use super::Letter;
use super::header::short;
use super::signatures::Signature;
use crate::{Finding, Topic, Verdict};

pub(super) fn check(letter: &Letter<'_>, signatures: &[Signature]) -> Vec<Finding> {
    let Some(why) = sign_of_bulk(letter) else { return Vec::new() };
    let Some(value) = letter.value("List-Unsubscribe") else {
        let says = format!("it goes to many ({why}), and nothing tells a program how to get off the list");
        return vec![finding("List-Unsubscribe", Verdict::Bad, says, 2.0).mend(
            "add List-Unsubscribe: <https://…> and List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        )];
    };
    let mut findings = Vec::new();
    let targets: Vec<&str> =
        value.split('<').skip(1).filter_map(|part| part.split('>').next()).map(str::trim).collect();
    let is_scheme = |target: &&str, scheme: &str| {
        target.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    };
    let has_https = targets.iter().any(|target| is_scheme(target, "https:"));
    let has_mail = targets.iter().any(|target| is_scheme(target, "mailto:"));
    if !has_https && !has_mail {
        let says = format!("List-Unsubscribe has no address that a program could use: {}", short(&value));
        findings.push(
            finding("List-Unsubscribe", Verdict::Bad, says, 1.5).mend("write List-Unsubscribe: <https://…>"),
        );
    }
    let post = letter.value("List-Unsubscribe-Post");
    let is_post = post.as_deref().is_some_and(|post| post.eq_ignore_ascii_case("List-Unsubscribe=One-Click"));
    if !is_post || !has_https {
        let says = if is_post {
            "one click is promised, and there is no address of https for it".to_owned()
        } else {
            "large receivers want that one click is enough to get off the list, and it is not".to_owned()
        };
        findings.push(
            finding("List-Unsubscribe-Post", Verdict::Warning, says, 1.0)
                .mend("add List-Unsubscribe-Post: List-Unsubscribe=One-Click beside an address of https that takes a POST"),
        );
    } else if !is_covered(signatures) {
        let says = "no valid signature covers List-Unsubscribe and List-Unsubscribe-Post, so one click is not offered (RFC 8058 §4)";
        findings.push(
            finding("List-Unsubscribe-Post", Verdict::Warning, says.to_owned(), 0.5)
                .mend("name both in h= of the DKIM signature"),
        );
    }
    if findings.is_empty() {
        let says = "one click is enough to get off the list".to_owned();
        findings.push(finding("List-Unsubscribe", Verdict::Good, says, 0.0));
    }
    findings
}

fn finding(about: &str, verdict: Verdict, says: String, points: f32) -> Finding {
    Finding::new(Topic::Unsubscribe, about, verdict, says).points(points)
}

/// What shows that a message goes to many. What a program writes to one person alone (`Auto-Submitted`) does not.
fn sign_of_bulk(letter: &Letter<'_>) -> Option<&'static str> {
    let has = |name| letter.named(name).next().is_some();
    if has("List-Id") {
        return Some("List-Id");
    }
    let precedence = letter.value("Precedence").unwrap_or_default();
    if ["bulk", "list"].iter().any(|kind| precedence.eq_ignore_ascii_case(kind)) {
        return Some("Precedence");
    }
    ["Feedback-ID", "List-Unsubscribe", "X-CSA-Complaints"].into_iter().find(|name| has(name))
}

fn is_covered(signatures: &[Signature]) -> bool {
    let covers = |signature: &Signature| {
        signature.description.as_ref().is_some_and(|description| {
            description.covers("list-unsubscribe") > 0 && description.covers("list-unsubscribe-post") > 0
        })
    };
    signatures.iter().any(|signature| signature.is_pass() && covers(signature))
}
