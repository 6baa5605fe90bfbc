//! DMARC: whether what was proven is of the domain that the reader sees.

use mailauth::dkim::DkimResult;
use mailauth::dmarc::{self, Alignment, Authenticated, DmarcResult, Policy};
use mailauth::{Names, spf};
use mta::admission::authenticity::{AuthorProblem, author_domains};
use types::Domain;

use super::Letter;
use super::signatures::Signature;
use crate::domain::dmarc_line;
use crate::{Finding, Topic, Verdict};

/// What authenticated the message.
pub(super) struct Known<'a> {
    pub(super) spf: Option<&'a spf::Outcome>,
    pub(super) signatures: &'a [Signature],
}

impl Known<'_> {
    fn has_open_signature(&self) -> bool {
        self.signatures.iter().any(|signature| signature.verified.result == DkimResult::TempError)
    }

    /// Whether something that could prove the author is not known.
    fn is_open(&self) -> bool {
        self.has_open_signature()
            || self.spf.is_none_or(|outcome| outcome.result == spf::SpfResult::TempError)
    }
}

pub(super) async fn check(names: &dyn Names, letter: &Letter<'_>, known: &Known<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let passed = || known.signatures.iter().filter(|signature| signature.is_pass());
    if known.signatures.is_empty() {
        let says = "the message is not signed, which large receivers want of whoever sends much";
        findings.push(
            Finding::new(Topic::Dkim, "message", Verdict::Warning, says)
                .mend("sign with DKIM by the domain of From; posta domain dns DOMAIN tells the records")
                .points(1.5),
        );
    } else if passed().next().is_none() && !known.has_open_signature() {
        let says = "no signature passes, so that the message counts as unsigned";
        findings.push(Finding::new(Topic::Dkim, "message", Verdict::Bad, says).points(1.0));
    }
    let signers: Vec<&str> = passed().map(|signature| signature.verified.domain.as_str()).collect();
    let spf = known.spf.filter(|outcome| outcome.result == spf::SpfResult::Pass);
    let authenticated = Authenticated { spf: spf.map(|outcome| outcome.domain.as_str()), dkim: &signers };
    match author_domains(letter.header) {
        Ok(authors) => {
            for author in &authors {
                let outcome = dmarc::evaluate(names, author, &authenticated).await;
                findings.push(finding(author, &outcome, &authenticated, known.is_open()));
            }
        }
        // That there is no author is told of the field.
        Err(AuthorProblem::Missing | AuthorProblem::Repeated) => {}
        Err(_) => {
            let says = "From names no domain that DMARC could be asked about";
            findings.push(Finding::new(Topic::Dmarc, "From", Verdict::Bad, says).points(2.0));
        }
    }
    findings
}

fn finding(
    author: &Domain,
    outcome: &dmarc::Outcome,
    authenticated: &Authenticated<'_>,
    is_open: bool,
) -> Finding {
    let name = author.ascii();
    let finding = match outcome.result {
        DmarcResult::Pass => Finding::new(
            Topic::Dmarc,
            name,
            Verdict::Good,
            format!("what was proven is of {author}, whom the reader sees"),
        ),
        DmarcResult::None => {
            let says =
                format!("{author} has no DMARC record, which large receivers want of whoever sends much");
            Finding::new(Topic::Dmarc, name, Verdict::Warning, says).mend(dmarc_line(name)).points(1.0)
        }
        DmarcResult::TempError => {
            Finding::new(Topic::Dmarc, name, Verdict::Unknown, "its policy could not be asked for")
        }
        DmarcResult::Fail => failed(author, outcome, is_open),
    };
    explained(finding, outcome, authenticated)
}

fn failed(author: &Domain, outcome: &dmarc::Outcome, is_open: bool) -> Finding {
    let name = author.ascii();
    if is_open {
        let says = "nothing that could be found out proves it, and not all could be: it may fail";
        return Finding::new(Topic::Dmarc, name, Verdict::Unknown, says)
            .mend("where it is not known where the message came from, say it: --ip ADDRESS --from PATH");
    }
    let (verdict, points, then) = match outcome.policy {
        Policy::Reject => (Verdict::Bad, 5.0, "refused, as its domain wants"),
        Policy::Quarantine => (Verdict::Bad, 3.0, "put among junk, as its domain wants"),
        Policy::None => (Verdict::Warning, 2.0, "taken for suspicious, though its domain asks for nothing"),
    };
    let says = format!("nothing proves that {author}, whom the reader sees, sent it: it will be {then}");
    Finding::new(Topic::Dmarc, name, verdict, says)
        .mend(format!(
            "sign with d={name}, or send with a reverse-path of {name} from where its SPF record permits it"
        ))
        .points(points)
}

fn explained(mut finding: Finding, outcome: &dmarc::Outcome, authenticated: &Authenticated<'_>) -> Finding {
    if let (Some(domain), Some(_)) = (&outcome.policy_domain, &outcome.record) {
        finding = finding.detail(format!("the policy is that of {domain}: p={}", outcome.policy.keyword()));
    }
    if let Some(organization) = &outcome.organizational_domain {
        finding = finding.detail(format!("the organizational domain is {organization}"));
    }
    let how = |alignment: Option<Alignment>| match alignment {
        Some(Alignment::Strict) => "strictly aligned",
        _ => "aligned",
    };
    let record = outcome.record.as_ref();
    if record.is_some() {
        finding = finding.detail(match authenticated.spf {
            Some(domain) if outcome.is_spf_aligned => {
                format!("SPF proves {domain}: {}", how(record.map(|record| record.spf)))
            }
            Some(domain) => format!("SPF proves {domain}: not {}", how(record.map(|record| record.spf))),
            None => "SPF proves nothing".to_owned(),
        });
        for signer in authenticated.dkim {
            let is_aligned = outcome.dkim_aligned.iter().any(|aligned| aligned.eq_ignore_ascii_case(signer));
            let not = if is_aligned { "" } else { "not " };
            finding = finding
                .detail(format!("DKIM proves {signer}: {not}{}", how(record.map(|record| record.dkim))));
        }
        if authenticated.dkim.is_empty() {
            finding = finding.detail("DKIM proves nothing");
        }
    }
    match &outcome.trouble {
        Some((name, trouble)) => finding.detail(format!("no answer for {name}: {trouble}")),
        None => finding,
    }
}
