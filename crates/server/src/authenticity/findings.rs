//! What the checks of a message came to: told to the reader, to the trace, to the figures, and to who decides.

use std::sync::Arc;

use mailauth::dkim::{DkimResult, Verified};
use mailauth::results::{AuthenticationResults, received_spf};
use mailauth::{arc, dmarc, iprev, spf};
use mta::admission::authenticity::{
    Admitted, AuthenticityFacts, AuthenticityPolicy, AuthorProblem, Check, DmarcFacts, SpfFacts, Wish,
    decide, withholds_reports,
};

use mta::admission::reputation::Share;

use super::Sender;
use crate::metrics::Metrics;
use crate::signing::Found;

/// The results of all checks of one message.
#[derive(Debug)]
pub(crate) struct Findings {
    pub(super) sender: Arc<Sender>,
    /// This server's name.
    pub(super) receiver: String,
    /// Of the reverse-path, or of HELO where that is null.
    pub(super) spf: spf::Outcome,
    pub(super) helo: Option<spf::Outcome>,
    pub(super) iprev: iprev::Iprev,
    pub(super) dkim: Vec<Verified>,
    /// Of each of them, whether what a list puts on top leaves it right.
    pub(super) kept_by_lists: Vec<bool>,
    pub(super) unread_signatures: usize,
    pub(super) arc: arc::Outcome,
    /// One for each domain of `From`.
    pub(super) dmarc: Vec<dmarc::Outcome>,
    pub(super) from: Option<AuthorProblem>,
    /// Allow lists that know the sender.
    pub(super) allowed_by: Vec<Share>,
}

/// What follows from them.
#[derive(Debug)]
pub(crate) struct Judgement {
    pub(crate) admitted: Admitted,
    /// Nobody is to be told what becomes of the message.
    pub(crate) withholds_reports: bool,
}

impl Findings {
    /// The decision.
    pub(crate) fn judge(&self, policy: AuthenticityPolicy) -> Judgement {
        let words: Vec<String> = self.dmarc.iter().map(|outcome| self.advice(outcome)).collect();
        let dmarc: Vec<DmarcFacts<'_>> =
            self.dmarc.iter().zip(&words).map(|(outcome, words)| self.dmarc_facts(outcome, words)).collect();
        let spf = check_of(&self.spf);
        let spf_words = self.spf_advice();
        let admitted = decide(&AuthenticityFacts {
            policy,
            from: self.from.as_ref(),
            spf: SpfFacts { check: spf, domain: &self.spf.domain, words: &spf_words },
            dkim: best(&self.dkim),
            dmarc: &dmarc,
        });
        Judgement { admitted, withholds_reports: withholds_reports(spf, &dmarc, self.is_path_signed()) }
    }

    /// The fields that stand on top of the message.
    pub(crate) fn fields(&self) -> String {
        let Sender { ip, helo, now, .. } = &*self.sender;
        let client = spf::Client { ip: *ip, helo, receiver: &self.receiver, now: *now };
        self.results_field() + &received_spf(&client, self.sender.identity(), &self.spf)
    }

    /// What a seal says of the message.
    pub(crate) fn for_seal(&self) -> Found {
        let field = self.results_field();
        let (_, results) = field.split_once(':').unwrap_or_default();
        Found { results: results.trim().to_owned(), chain: self.arc.result }
    }

    fn results_field(&self) -> String {
        let Sender { ip, .. } = &*self.sender;
        let mut results = AuthenticationResults::new(&self.receiver);
        results.iprev(&self.iprev, *ip);
        results.spf(&self.spf, self.sender.identity());
        if let Some(outcome) = &self.helo {
            results.spf(outcome, spf::Identity::Helo);
        }
        results.dkim(&self.dkim);
        results.arc(&self.arc);
        for outcome in &self.dmarc {
            results.dmarc(outcome);
        }
        for share in &self.allowed_by {
            results.dnswl(&share.zone, &share.codes);
        }
        results.into_field()
    }

    /// Lines for the trace: what each is about, and what came out.
    pub(crate) fn events(&self) -> Vec<(String, String)> {
        let ip = self.sender.ip.to_string();
        let what = if self.sender.reverse_path.is_empty() { "SPF of HELO" } else { "SPF of MAIL" };
        let mut events =
            vec![(ip, self.iprev_in_words()), (self.spf.domain.clone(), in_words(what, &self.spf))];
        if let Some(outcome) = &self.helo {
            events.push((outcome.domain.clone(), in_words("SPF of HELO", outcome)));
        }
        events
            .extend(self.dkim.iter().map(|verified| (verified.domain.clone(), signature_in_words(verified))));
        let unread = self.unread_signatures;
        if self.dkim.is_empty() {
            events.push((String::new(), "DKIM: none, the message has no signature".to_owned()));
        } else if unread > 0 {
            events.push((String::new(), format!("DKIM: {unread} more signatures were not looked at")));
        }
        let sealer = self.arc.sealers.last().cloned().unwrap_or_default();
        match (&self.arc.problem, self.arc.result) {
            (_, arc::ArcResult::None) => {}
            (Some(problem), result) => events.push((sealer, format!("ARC: {result}: {problem}"))),
            (None, result) => events.push((sealer, format!("ARC: {result}"))),
        }
        events.extend(self.dmarc.iter().map(|outcome| (outcome.author.to_string(), dmarc_in_words(outcome))));
        events
            .extend(self.from.iter().map(|problem| (String::new(), format!("DMARC: not asked: {problem}"))));
        events
    }

    pub(crate) fn count(&self, metrics: &Metrics) {
        metrics.verified("iprev", self.iprev.keyword());
        metrics.verified("spf", self.spf.result.keyword());
        if self.dkim.is_empty() {
            metrics.verified("dkim", "none");
        }
        for verified in &self.dkim {
            metrics.verified("dkim", verified.result.keyword());
        }
        metrics.verified("arc", self.arc.result.keyword());
        if self.dmarc.is_empty() {
            metrics.verified("dmarc", "none");
        }
        for outcome in &self.dmarc {
            metrics.verified("dmarc", outcome.result.keyword());
        }
    }

    /// Whether an answer that the DNS did not give could have made it pass.
    pub(super) fn is_undecided(&self, outcome: &dmarc::Outcome) -> bool {
        let organization = outcome.organizational_domain.as_deref().unwrap_or(outcome.author.ascii());
        let could_align = |domain: &str| is_within(domain, organization);
        let is_open =
            |verified: &Verified| verified.result == DkimResult::TempError && could_align(&verified.domain);
        let is_spf_open = self.spf.result == spf::SpfResult::TempError && could_align(&self.spf.domain);
        is_spf_open || self.dkim.iter().any(is_open)
    }

    fn dmarc_facts<'a>(&'a self, outcome: &'a dmarc::Outcome, words: &'a str) -> DmarcFacts<'a> {
        DmarcFacts {
            domain: outcome.author.ascii(),
            check: match outcome.result {
                dmarc::DmarcResult::Pass => Check::Pass,
                dmarc::DmarcResult::Fail => Check::Fail,
                dmarc::DmarcResult::None => Check::Open,
                dmarc::DmarcResult::TempError => Check::Trouble,
            },
            wish: wish_of(outcome.policy),
            is_undecided: self.is_undecided(outcome),
            words,
        }
    }

    /// Whether a signature of the reverse-path's domain, or of one above it, is right.
    fn is_path_signed(&self) -> bool {
        let Some((_, domain)) = self.sender.reverse_path.rsplit_once('@') else { return false };
        let vouches =
            |verified: &Verified| verified.result == DkimResult::Pass && is_within(domain, &verified.domain);
        self.dkim.iter().any(vouches)
    }

    /// For the postmaster of who failed DMARC: what was found, and what would mend it.
    fn advice(&self, outcome: &dmarc::Outcome) -> String {
        let author = outcome.author.ascii();
        let Self { spf, sender, .. } = self;
        let signatures = match &self.dkim[..] {
            [] => "no DKIM signature".to_owned(),
            found => {
                let told = |verified: &Verified| format!("{} for {}", verified.result, verified.domain);
                let told: Vec<_> = found.iter().take(ADVICE_SIGNATURES_MAX).map(told).collect();
                format!("DKIM {}", told.join(", "))
            }
        };
        format!(
            "{author}: SPF {} for {}, {signatures}; sign as {author}, or send as it from a host that its SPF record \
             names, as it does not {}",
            spf.result, spf.domain, sender.ip
        )
    }

    fn spf_advice(&self) -> String {
        let Self { spf, sender, .. } = self;
        let said = spf.explanation.as_ref().map(|said| format!("; it says: {said}")).unwrap_or_default();
        format!(
            "{} does not list {}; add it there, or send by a host that is listed{said}",
            spf.domain, sender.ip
        )
    }

    fn iprev_in_words(&self) -> String {
        match &self.iprev {
            iprev::Iprev::Pass { name } => format!("iprev: pass, the address is that of {name}"),
            iprev::Iprev::Fail => "iprev: fail, the names of the address do not lead back to it".to_owned(),
            iprev::Iprev::PermError => "iprev: permerror, the address has no name".to_owned(),
            iprev::Iprev::TempError => "iprev: temperror, the DNS does not answer".to_owned(),
        }
    }
}

/// More of them make a reply that nobody reads.
const ADVICE_SIGNATURES_MAX: usize = 2;

pub(super) const fn wish_of(policy: dmarc::Policy) -> Wish {
    match policy {
        dmarc::Policy::None => Wish::Nothing,
        dmarc::Policy::Quarantine => Wish::Quarantine,
        dmarc::Policy::Reject => Wish::Reject,
    }
}

fn check_of(outcome: &spf::Outcome) -> Check {
    match outcome.result {
        spf::SpfResult::Pass => Check::Pass,
        spf::SpfResult::Fail => Check::Fail,
        spf::SpfResult::TempError => Check::Trouble,
        spf::SpfResult::None
        | spf::SpfResult::Neutral
        | spf::SpfResult::SoftFail
        | spf::SpfResult::PermError => Check::Open,
    }
}

fn best(found: &[Verified]) -> Check {
    let has = |result| found.iter().any(|verified| verified.result == result);
    match found {
        [] => Check::Open,
        _ if has(DkimResult::Pass) => Check::Pass,
        _ if has(DkimResult::TempError) => Check::Trouble,
        _ => Check::Fail,
    }
}

/// Whether `name` is `domain` or below it; both as the DNS has them, in any case.
pub(crate) fn is_within(name: &str, domain: &str) -> bool {
    let Some(at) = name.len().checked_sub(domain.len()) else { return false };
    let (above, end) = (name.get(..at), name.get(at..));
    !domain.is_empty()
        && end.is_some_and(|end| end.eq_ignore_ascii_case(domain))
        && above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

fn in_words(what: &str, outcome: &spf::Outcome) -> String {
    let result = outcome.result;
    match (&outcome.problem, &outcome.mechanism) {
        (Some(problem), _) => format!("{what}: {result}: {problem}"),
        (None, Some(mechanism)) => format!("{what}: {result} by {mechanism}"),
        (None, None) => format!("{what}: {result}"),
    }
}

fn signature_in_words(verified: &Verified) -> String {
    let Verified { result, selector, .. } = verified;
    let why = match (&verified.problem, verified.rsa_bits) {
        (Some(problem), _) => format!(": {problem}"),
        (None, Some(bits)) if verified.is_weak() => format!(", with a weak key of {bits} bits"),
        (None, _) => String::new(),
    };
    format!("DKIM: {result} by the key {selector}{why}")
}

fn dmarc_in_words(outcome: &dmarc::Outcome) -> String {
    let result = outcome.result;
    if let Some((name, trouble)) = &outcome.trouble {
        return format!("DMARC: {result}: no answer for {name}: {trouble}");
    }
    let Some(record) = &outcome.policy_domain else {
        return format!("DMARC: {result}, there is no record");
    };
    let by = match (outcome.is_spf_aligned, &outcome.dkim_aligned[..]) {
        (true, []) => " by SPF".to_owned(),
        (false, []) => ", neither SPF nor DKIM vouches for the domain".to_owned(),
        (true, [..]) => " by SPF and DKIM".to_owned(),
        (false, [..]) => " by DKIM".to_owned(),
    };
    format!("DMARC: {result}{by}; the record of {record} asks for {}", outcome.policy.keyword())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_within_a_domain_at_its_dots_alone() {
        for (name, domain, within) in [
            ("example.org", "example.org", true),
            ("A.Example.ORG", "example.org", true),
            ("badexample.org", "example.org", false),
            ("org", "example.org", false),
            ("example.org", "", false),
        ] {
            assert_eq!(is_within(name, domain), within, "{name} in {domain}");
        }
    }
}
