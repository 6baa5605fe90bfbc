//! DMARC (RFC 9989): what the domain wants done with mail that is not its own.

use mailauth::dmarc::{self, Applies, Counts, Policy, Published, Survey};

use super::mx::Mail;
use super::{Question, bad, good, notice, unknown, warning, zone};
use crate::{Finding, Outside, Topic};

/// All about the domain's DMARC.
pub(super) async fn check(outside: &dyn Outside, question: &Question, mail: &Mail) -> Vec<Finding> {
    let domain = question.domain.ascii();
    judge(domain, &dmarc::survey(outside, domain).await, mail)
}

/// The record that a domain begins with: `p=none`, since nobody knows yet who else sends for it.
pub(crate) fn line(domain: &str) -> String {
    zone::txt(&format!("_dmarc.{domain}"), &format!("v=DMARC1; p=none; rua=mailto:postmaster@{domain}"))
}

fn judge(domain: &str, survey: &Survey, mail: &Mail) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((name, trouble)) = &survey.trouble {
        findings.push(zone::trouble(Topic::Dmarc, domain, &format!("the DMARC record at {name}"), *trouble));
        if survey.record.is_none() {
            return findings;
        }
    }
    let place = format!("_dmarc.{}", survey.policy_domain.as_deref().unwrap_or(domain));
    let published: &[Published] =
        survey.steps.iter().find(|step| step.name == place).map_or(&[], |step| &step.texts);
    let ours: Vec<&Published> = published.iter().filter(|text| text.counts != Counts::AsOther).collect();
    if ours.len() > 1 {
        let says = format!("there are {} DMARC records at {place}, so that none of them counts", ours.len());
        findings.push(bad(Topic::Dmarc, &place, says).mend("leave one of them").detail(texts(&ours)));
        return findings;
    }
    let Some(record) = &survey.record else {
        findings.push(missing(domain, published, mail));
        return findings;
    };
    let text = ours.first().map_or("", |text| text.text.as_str());
    findings.push(policy(domain, survey).detail(text));
    findings.extend(tags(&place, &ours));
    if record.is_testing {
        let says =
            "the DMARC record is marked as a test (t=y): its policy counts one step lower than it says";
        findings.push(
            notice(Topic::Dmarc, &place, says)
                .mend(format!("when the reports are clean, take t=y out of {place}")),
        );
    }
    if survey.applies == Applies::Own && record.subdomain_policy.is_some_and(|below| below < record.policy) {
        let says = "the DMARC policy for subdomains (sp) is weaker than the domain's own, so that whoever forges takes a subdomain";
        findings.push(
            warning(Topic::Dmarc, &place, says)
                .mend(format!("take sp out of {place}, or say sp={}", record.policy.keyword())),
        );
    }
    if record.aggregate_reports.is_empty() {
        let says =
            "the DMARC record asks for no reports (rua), so that nobody tells you who sends in your name";
        let mend = format!("{place}: add rua=mailto:ADDRESS");
        findings.push(notice(Topic::Dmarc, &place, says).mend(mend));
    }
    findings.extend(receivers(survey));
    findings
}

fn missing(domain: &str, published: &[Published], mail: &Mail) -> Finding {
    let name = format!("_dmarc.{domain}");
    let line = match mail {
        // No mail of its own can be lost.
        Mail::TakesNone => zone::txt(&name, "v=DMARC1; p=reject; sp=reject"),
        _ => line(domain),
    };
    if let Some(useless) = published.iter().find(|text| text.counts == Counts::AsUseless) {
        let says = "the DMARC record has no policy that makes sense (p), so that it counts for nothing";
        return bad(Topic::Dmarc, &name, says).mend(line).detail(&useless.text);
    }
    if let Some(other) = published.iter().find(|text| text.text.to_ascii_lowercase().contains("dmarc1")) {
        let says = "the text at the place of the DMARC record is none: it has to begin with \"v=DMARC1;\"";
        return bad(Topic::Dmarc, &name, says).mend(line).detail(&other.text);
    }
    let says = "the domain has no DMARC record: anybody can write it into From, and large receivers refuse bulk mail without one";
    bad(Topic::Dmarc, domain, says).mend(line)
}

fn policy(domain: &str, survey: &Survey) -> Finding {
    let from = match (survey.applies, &survey.policy_domain) {
        (Applies::ToSubdomain | Applies::ToNonExistent, Some(above)) => {
            format!(" (by the record of {above})")
        }
        _ => String::new(),
    };
    match survey.policy {
        Policy::Reject => {
            good(Topic::Dmarc, domain, format!("DMARC asks to refuse mail that forges the domain{from}"))
        }
        Policy::Quarantine => {
            let says = format!("DMARC asks to treat mail that forges the domain as suspicious{from}");
            good(Topic::Dmarc, domain, says)
        }
        Policy::None => {
            let says = format!(
                "DMARC asks for nothing where the domain is forged (p=none){from}: it is only reported"
            );
            warning(Topic::Dmarc, domain, says).mend(
                "when the reports show that all of your own mail passes, say p=quarantine, and then p=reject",
            )
        }
    }
}

fn tags(place: &str, records: &[&Published]) -> Vec<Finding> {
    let tags = records.iter().flat_map(|record| &record.tags);
    tags.filter_map(|tag| {
        let problem = tag.problem?;
        let says = format!("the tag {}={} of the DMARC record: {problem}", tag.name, tag.value);
        let mend = format!("correct or remove {} in {place}", tag.name);
        let is_obsolete = matches!(tag.name.to_ascii_lowercase().as_str(), "rf" | "ri");
        let judge = if is_obsolete { notice } else { warning };
        Some(judge(Topic::Dmarc, place, says).mend(mend))
    })
    .collect()
}

/// RFC 9990 §4.
fn receivers(survey: &Survey) -> Vec<Finding> {
    let of_each = survey.receivers.iter().map(|receiver| match receiver.is_willing {
        Some(true) => good(Topic::Dmarc, &receiver.uri, format!("{} takes the domain's reports", receiver.uri)),
        Some(false) => {
            let says = format!("{} is of another organization, which does not say that it takes the domain's reports, so that none come", receiver.uri);
            let line = zone::txt(&receiver.asked, "v=DMARC1;");
            warning(Topic::Dmarc, &receiver.uri, says).mend(format!("have that organization publish {line}"))
        }
        None => {
            let says = format!("the DNS does not answer for whether {} takes the domain's reports", receiver.uri);
            unknown(Topic::Dmarc, &receiver.uri, says)
        }
    });
    of_each.collect()
}

fn texts(records: &[&Published]) -> String {
    records.iter().map(|record| record.text.as_str()).collect::<Vec<_>>().join(" | ")
}
