//! SPF (RFC 7208): who may send for the domain, what that costs, and whether who sends is among them.

use std::net::IpAddr;

use futures_util::future::join_all;
use mailauth::spf::{
    self, Branch, Client, Identity, LOOKUP_TERMS_MAX, SpfProblem, SpfResult, Survey, Term, TermKind,
    VOID_LOOKUPS_MAX, check_host,
};

use super::mx::Mail;
use super::{ADDRESSES_MAX, Question, bad, good, notice, unknown, warning, zone};
use crate::spf::{FEWER_LOOKUPS, address_term, mend_of, with};
use crate::{Finding, Outside, Topic, Verdict};

/// Longer texts make answers that some cannot take by UDP (RFC 7208 §3.4).
const TEXT_BYTES_ADVISED: usize = 450;

/// All about the domain's SPF.
pub(super) async fn check(outside: &dyn Outside, question: &Question, mail: &Mail) -> Vec<Finding> {
    let domain = question.domain.ascii();
    let survey = spf::survey(outside, domain, None, "").await;
    let mut findings = record(domain, &survey, mail);
    if findings.iter().any(|finding| matches!(finding.verdict, Verdict::Bad | Verdict::Unknown))
        && survey.root.problem.is_some()
    {
        return findings;
    }
    if survey.root.record.is_some() {
        findings.extend(permissions(outside, question, &survey.root, mail).await);
    }
    findings
}

/// What the record is like, whoever sends.
fn record(domain: &str, survey: &Survey, mail: &Mail) -> Vec<Finding> {
    let root = &survey.root;
    if let Some(problem) = &root.problem {
        return vec![unusable(domain, root, problem)];
    }
    let Some(text) = &root.record else { return vec![missing(domain, mail)] };
    let mut findings = Vec::new();
    let cost = format!(
        "{} of {LOOKUP_TERMS_MAX} look-ups, {} of {VOID_LOOKUPS_MAX} that find nothing",
        survey.lookup_terms, survey.void_lookups
    );
    let below = problems_below(root);
    if below.is_empty() && survey.lookup_terms <= LOOKUP_TERMS_MAX {
        findings.push(good(Topic::Spf, domain, format!("the SPF record can be used ({cost})")).detail(text));
    }
    findings.extend(costs(domain, survey));
    findings.extend(below.into_iter().map(|(holder, problem)| {
        let says = format!(
            "a record that the SPF record leads to cannot be used, and so all of it fails: {problem}"
        );
        let verdict =
            if matches!(problem, SpfProblem::NoAnswer { .. }) { Verdict::Unknown } else { Verdict::Bad };
        Finding::new(Topic::Spf, domain, verdict, says)
            .mend(format!(
                "take the term that leads to {holder} out of the record, or have {holder} mend its record"
            ))
            .detail(text)
    }));
    findings.extend(catch_all(domain, root));
    findings.extend(habits(domain, root));
    findings
}

fn unusable(domain: &str, root: &Branch, problem: &SpfProblem) -> Finding {
    let says = format!("the SPF record cannot be used: {problem}");
    if let SpfProblem::NoAnswer { trouble, .. } = problem {
        return zone::trouble(Topic::Spf, domain, "the domain's SPF record", *trouble);
    }
    let finding = bad(Topic::Spf, domain, says).mend(mend_of(problem, domain));
    match &root.record {
        Some(text) => finding.detail(text),
        None => finding,
    }
}

fn missing(domain: &str, mail: &Mail) -> Finding {
    match mail {
        Mail::TakesNone | Mail::Nowhere => {
            let says = "the domain has no SPF record, so that anybody can send in its name";
            let mend = format!("if the domain sends no mail: {}", zone::txt(domain, "v=spf1 -all"));
            bad(Topic::Spf, domain, says).mend(mend)
        }
        _ => {
            let says = "the domain has no SPF record: nobody can tell its mail from forged mail, and large receivers refuse it";
            // RFC 7208 §5.4: without MX records, mx lets nobody in.
            let is_implicit = mail.hosts().iter().any(|host| host.preference.is_none());
            let term = if is_implicit { "a" } else { "mx" };
            bad(Topic::Spf, domain, says)
                .mend(zone::txt(domain, &format!("v=spf1 {term} ~all")))
                .detail("what else sends for the domain has to be in the record too")
        }
    }
}

/// RFC 7208 §4.6.4.
fn costs(domain: &str, survey: &Survey) -> Vec<Finding> {
    let mut findings = Vec::new();
    let count = survey.lookup_terms;
    let dear: Vec<String> = survey.root.terms.iter().filter_map(cost_of).collect();
    let with_costs = |finding: Finding| Finding { details: dear.clone(), ..finding };
    if count > LOOKUP_TERMS_MAX {
        let at_least = if survey.is_cut { "at least " } else { "" };
        let says = format!(
            "the SPF record takes {at_least}{count} look-ups of {LOOKUP_TERMS_MAX} that are allowed: mail from whoever stands behind the tenth is not believed"
        );
        findings.push(with_costs(bad(Topic::Spf, domain, says).mend(FEWER_LOOKUPS)));
    } else if count >= LOOKUP_TERMS_MAX - 1 {
        let says = format!(
            "the SPF record takes {count} look-ups of {LOOKUP_TERMS_MAX} that are allowed; one more service may break it"
        );
        findings.push(with_costs(notice(Topic::Spf, domain, says)));
    }
    if survey.void_lookups > VOID_LOOKUPS_MAX {
        let says = format!(
            "{} terms of the SPF record find nothing in the DNS, of {VOID_LOOKUPS_MAX} that are allowed: it may fail as a whole",
            survey.void_lookups
        );
        let voids: Vec<String> = voids(&survey.root);
        findings.push(
            bad(Topic::Spf, domain, says).mend(format!("remove what leads nowhere: {}", voids.join(", "))),
        );
    } else if survey.void_lookups > 0 {
        let says = format!(
            "the SPF record has terms that find nothing in the DNS: {}",
            voids(&survey.root).join(", ")
        );
        findings.push(
            warning(Topic::Spf, domain, says).mend("remove them from the record, or publish what they name"),
        );
    }
    findings
}

fn cost_of(term: &Term) -> Option<String> {
    let all = u32::from(term.place.is_some()) + term.branch.as_ref().map_or(0, count);
    (all > 0).then(|| {
        format!("{}: {}", term.text, zone::count(usize::try_from(all).unwrap_or_default(), "look-up"))
    })
}

fn count(branch: &Branch) -> u32 {
    branch
        .terms
        .iter()
        .map(|term| u32::from(term.place.is_some()) + term.branch.as_ref().map_or(0, count))
        .sum()
}

fn voids(branch: &Branch) -> Vec<String> {
    let mut found = Vec::new();
    for term in &branch.terms {
        if term.is_void {
            found.push(format!("{} (of {})", term.text, branch.domain));
        }
        found.extend(term.branch.as_ref().map(voids).unwrap_or_default());
    }
    found
}

/// What is wrong with records that this one includes, and whose they are.
fn problems_below(branch: &Branch) -> Vec<(String, SpfProblem)> {
    let mut found = Vec::new();
    for term in &branch.terms {
        let Some(below) = &term.branch else { continue };
        match &below.problem {
            Some(problem) => found.push((below.domain.clone(), problem.clone())),
            None if below.record.is_none() => {
                let problem =
                    SpfProblem::NoSuchRecord { domain: branch.domain.clone(), target: below.domain.clone() };
                found.push((below.domain.clone(), problem));
            }
            None => found.extend(problems_below(below)),
        }
    }
    found
}

/// What becomes of everybody else.
fn catch_all(domain: &str, root: &Branch) -> Option<Finding> {
    let ends = |branch: &Branch| {
        branch.terms.iter().find(|term| term.kind == TermKind::All).map(|term| term.qualifier)
    };
    // The record that a redirect leads to decides.
    let mut branch = root;
    while let Some(next) =
        branch.terms.iter().find(|term| term.kind == TermKind::Redirect).and_then(|term| term.branch.as_ref())
    {
        branch = next;
    }
    let mend = "when all that sends for the domain is in the record, end it with ~all, or with -all where nothing is forwarded";
    match ends(branch) {
        Some(SpfResult::Pass) => {
            let says = "the SPF record lets everybody in the world send for the domain (+all)";
            Some(
                bad(Topic::Spf, domain, says)
                    .mend("name what sends for the domain, and end the record with ~all, or with -all"),
            )
        }
        Some(SpfResult::Neutral) => {
            let says = "the SPF record says nothing of whoever it does not name (?all), so that anybody can send for the domain";
            Some(warning(Topic::Spf, domain, says).mend(mend))
        }
        Some(SpfResult::SoftFail) => {
            let says = "the SPF record asks for suspicion against whoever it does not name (~all)";
            Some(good(Topic::Spf, domain, says))
        }
        Some(_) => Some(good(Topic::Spf, domain, "the SPF record forbids whoever it does not name (-all)")),
        None => {
            let says = "the SPF record does not end with \"all\", so that anybody can send for the domain";
            Some(warning(Topic::Spf, domain, says).mend(mend))
        }
    }
}

/// What works and should not be there.
fn habits(domain: &str, root: &Branch) -> Vec<Finding> {
    let mut findings = Vec::new();
    if root.terms.iter().any(|term| term.kind == TermKind::Ptr) {
        let says =
            "the SPF record uses ptr, which is slow, unsure and deprecated, and which some receivers skip";
        findings.push(
            warning(Topic::Spf, domain, says).mend("name the addresses by ip4:, ip6: or a: in its place"),
        );
    }
    let is_everybody = |term: &&Term| {
        term.kind == TermKind::Ip
            && term.qualifier == SpfResult::Pass
            && term.found.iter().any(|network| network.ends_with("/0"))
    };
    if let Some(term) = root.terms.iter().find(is_everybody) {
        let says = format!("the SPF record lets everybody in the world send for the domain ({})", term.text);
        findings.push(bad(Topic::Spf, domain, says).mend(format!("remove the term {}", term.text)));
    }
    let behind = root.terms.iter().skip_while(|term| term.kind != TermKind::All).nth(1);
    if let Some(term) = behind {
        let says = format!("the SPF record goes on behind \"all\", where nobody reads it: {}", term.text);
        findings.push(warning(Topic::Spf, domain, says).mend("put what is to count before \"all\""));
    }
    let length = root.record.as_ref().map_or(0, String::len);
    if length > TEXT_BYTES_ADVISED {
        let says =
            format!("the SPF record has {length} octets, which is long: some resolvers do not get it whole");
        findings
            .push(notice(Topic::Spf, domain, says).mend("shorten it, or put a part of it behind an include"));
    }
    findings
}

/// Whether those that send, as far as they are known, are let in.
async fn permissions(outside: &dyn Outside, question: &Question, root: &Branch, mail: &Mail) -> Vec<Finding> {
    let domain = question.domain.ascii();
    let given = question.sending_addresses.iter().take(ADDRESSES_MAX).map(|ip| (*ip, Source::Given));
    let hosts = mail.hosts().iter().flat_map(|host| &host.addresses).map(|ip| (*ip, Source::MailHost));
    // Where it was said what sends, mail hosts need not be among it.
    let asked: Vec<(IpAddr, Source)> =
        if question.sending_addresses.is_empty() { hosts.collect() } else { given.collect() };
    let sender = format!("postmaster@{domain}");
    let checks = asked.iter().map(|(ip, source)| {
        let sender = sender.as_str();
        async move {
            let client = Client { ip: *ip, helo: domain, receiver: domain, now: question.now };
            let outcome = check_host(outside, &client, Identity::MailFrom(sender)).await;
            permission(domain, *ip, *source, &outcome, root)
        }
    });
    let findings = join_all(checks).await;
    super::hosts::gathered(domain, "all addresses that are known are let in by SPF", findings)
}

/// How an address is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    /// It sends, as whoever asks says.
    Given,
    /// A mail host has it, which often sends too.
    MailHost,
}

fn permission(domain: &str, ip: IpAddr, source: Source, outcome: &spf::Outcome, root: &Branch) -> Finding {
    let by = outcome.mechanism.as_ref().map_or_else(String::new, |term| format!(" by {term}"));
    match (outcome.result, source) {
        (SpfResult::Pass, _) => good(Topic::Spf, domain, format!("{ip} may send for the domain{by}")),
        (SpfResult::TempError, _) => {
            let why = outcome.problem.as_ref().map(ToString::to_string).unwrap_or_default();
            unknown(
                Topic::Spf,
                domain,
                format!("whether {ip} may send for the domain could not be found out: {why}"),
            )
        }
        (result, Source::Given) => {
            let says =
                format!("{ip} sends for the domain, and SPF does not let it: the result is {result}{by}");
            let finding = bad(Topic::Spf, domain, says);
            match &outcome.problem {
                // Of a record that is cut, or wrong in itself, nothing can be pasted.
                Some(problem @ (SpfProblem::Syntax { .. } | SpfProblem::SeveralRecords { .. })) => {
                    finding.mend(mend_of(problem, domain))
                }
                _ => {
                    let text = root.record.as_deref().unwrap_or("v=spf1 ~all");
                    finding.mend(zone::txt(domain, &with(text, &[address_term(ip)])))
                }
            }
        }
        (result, Source::MailHost) => {
            let says =
                format!("{ip} is a mail host's, and may not send for the domain: the result is {result}{by}");
            notice(Topic::Spf, domain, says).mend("if mail is sent from there, add the term mx to the record")
        }
    }
}
