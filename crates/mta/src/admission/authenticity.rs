//! Who really sent a message: what was found out about that goes in, whether it is taken comes out.
//!
//! Standards: RFC 9989 §5.4 with §11.5 (DMARC, and what is outside of it), RFC 7208 §8 (SPF), RFC 7372 (codes), RFC 8601 §2.7.
//!
//! A message fails for what is known of it, never for what the DNS does not tell: that is trouble, for which policy has a word
//! of its own. Trouble counts only where an answer could have saved the message, lest a stranger's slow DNS be the way round
//! somebody else's policy.
//!
//! Left out on purpose: how the results are had, and ARC, which is told and moves nothing yet.

mod author;

use types::{Reply, ReplyKind};

use super::Decision;

pub use author::{AUTHOR_DOMAINS_MAX, AuthorProblem, author_domains};

/// What the operator wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AuthenticityPolicy {
    /// Where DMARC fails.
    pub dmarc: DmarcHandling,
    /// Where SPF says that the client may not send for the domain.
    pub spf_fail: Handling,
    /// Without a DKIM signature that is right.
    pub no_dkim: Handling,
    /// A message without one `From` that names an author.
    pub malformed_from: Handling,
    /// Where the DNS does not answer.
    pub trouble: TroubleHandling,
}

/// What becomes of a message that fails DMARC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DmarcHandling {
    /// What the author's domain asks for.
    AsAsked,
    /// It is taken, and its header section tells.
    Told,
}

/// What becomes of a message that fails a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Handling {
    /// It is taken.
    Accepted,
    /// It is not.
    Refused,
}

/// What becomes of a message that the DNS leaves open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TroubleHandling {
    /// It is taken.
    Accepted,
    /// It is to be sent again.
    Deferred,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// It vouches for the domain.
    Pass,
    /// It does not.
    Fail,
    /// Neither: there is nothing to check, or nothing that says more.
    Open,
    /// The DNS does not answer now.
    Trouble,
}

/// What is known of a message from outside.
#[derive(Debug, Clone, Copy)]
pub struct AuthenticityFacts<'a> {
    /// The operator's word.
    pub policy: AuthenticityPolicy,
    /// What is wrong with `From`.
    pub from: Option<&'a AuthorProblem>,
    /// Of the reverse-path, or of HELO where that is null.
    pub spf: SpfFacts<'a>,
    /// The best of the signatures.
    pub dkim: Check,
    /// For each domain of `From`.
    pub dmarc: &'a [DmarcFacts<'a>],
}

/// What SPF says.
#[derive(Debug, Clone, Copy)]
pub struct SpfFacts<'a> {
    /// How it ended; a softfail is [`Check::Open`].
    pub check: Check,
    /// The domain that was asked.
    pub domain: &'a str,
    /// The client, and what the domain has to say to who was refused.
    pub words: &'a str,
}

/// What DMARC says of one domain.
#[derive(Debug, Clone, Copy)]
pub struct DmarcFacts<'a> {
    /// The domain in `From`.
    pub domain: &'a str,
    /// How it ended.
    pub check: Check,
    /// What the domain asks for where it fails.
    pub wish: Wish,
    /// It fails, and an answer that the DNS did not give could have made it pass: of a key or an SPF record within the author's
    /// organization.
    pub is_undecided: bool,
    /// What vouches for which other domain, for the sender's postmaster.
    pub words: &'a str,
}

/// What the owner of a domain wants done with mail that fails DMARC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// Nothing.
    Nothing,
    /// To be taken for suspicious.
    Quarantine,
    /// To be refused.
    Reject,
}

/// What becomes of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admitted {
    /// It is taken.
    Accepted,
    /// It is taken as suspicious, for this reason.
    Suspicious(String),
    /// It is not.
    Refused(Decision),
}

/// Decides. What is refused for good goes before what is to come again.
#[must_use]
pub fn decide(facts: &AuthenticityFacts<'_>) -> Admitted {
    let AuthenticityFacts { policy, from, spf, dkim, dmarc } = *facts;
    if let (Some(problem), Handling::Refused) = (from, policy.malformed_from) {
        return refused(ReplyKind::MessageMalformed.with(problem), problem.to_string());
    }
    let failed = dmarc.iter().filter(|dmarc| dmarc.check == Check::Fail && !dmarc.is_undecided);
    let worst = failed.max_by_key(|dmarc| dmarc.wish);
    if let (Some(dmarc), DmarcHandling::AsAsked) = (worst, policy.dmarc)
        && dmarc.wish == Wish::Reject
    {
        let reason = format!("DMARC of {} fails, and its owner wants that refused", dmarc.domain);
        return refused(ReplyKind::DmarcFailed.with(dmarc.words), reason);
    }
    if spf.check == Check::Fail && policy.spf_fail == Handling::Refused {
        let reason = format!("SPF of {} fails, and the configuration refuses that", spf.domain);
        return refused(ReplyKind::SpfFailed.with(spf.words), reason);
    }
    if matches!(dkim, Check::Fail | Check::Open) && policy.no_dkim == Handling::Refused {
        let what =
            if dkim == Check::Fail { "none of its signatures is right" } else { "the message has none" };
        let reason = format!("the configuration wants a DKIM signature, and {what}");
        return refused(ReplyKind::DkimRequired.with(what), reason);
    }
    if let (Some(decision), TroubleHandling::Deferred) = (trouble(facts), policy.trouble) {
        return Admitted::Refused(decision);
    }
    match worst {
        Some(dmarc) if dmarc.wish == Wish::Quarantine && policy.dmarc == DmarcHandling::AsAsked => {
            let domain = dmarc.domain;
            Admitted::Suspicious(format!("DMARC of {domain} fails, and its owner wants that quarantined"))
        }
        _ => Admitted::Accepted,
    }
}

/// What cannot be found out now, where that matters: once DMARC has passed, nothing of it does.
fn trouble(facts: &AuthenticityFacts<'_>) -> Option<Decision> {
    let AuthenticityFacts { policy, spf, dkim, dmarc, .. } = *facts;
    let open = dmarc.iter().find(|dmarc| dmarc.check == Check::Trouble || dmarc.is_undecided);
    let has_passed = !dmarc.is_empty() && dmarc.iter().all(|dmarc| dmarc.check == Check::Pass);
    if spf.check == Check::Trouble && (!has_passed || policy.spf_fail == Handling::Refused) {
        let reason = format!("the DNS does not answer for SPF of {}", spf.domain);
        return Some(Decision::new(ReplyKind::SpfNotKnown.with(spf.domain), reason));
    }
    if let Some(dmarc) = open {
        let reason = format!("the DNS does not answer for DMARC of {}", dmarc.domain);
        return Some(Decision::new(ReplyKind::AuthorshipNotKnown.with(dmarc.domain), reason));
    }
    (dkim == Check::Trouble && (policy.no_dkim == Handling::Refused)).then(|| {
        let reply = ReplyKind::AuthorshipNotKnown.with("no answer for the DKIM key");
        Decision::new(reply, "the DNS does not answer for the key of the DKIM signature")
    })
}

fn refused(reply: Reply, reason: String) -> Admitted {
    Admitted::Refused(Decision::new(reply, reason))
}

/// Whether nobody is to be told of what becomes of the message (NOTIFY=NEVER, RFC 3461 §4.1): the reverse-path may be
/// anybody's, and reports to it would be backscatter. `is_vouched_for` says that a DKIM signature of the reverse-path's domain
/// is right, which outlives forwarding where SPF does not.
#[must_use]
pub fn withholds_reports(spf: Check, dmarc: &[DmarcFacts<'_>], is_vouched_for: bool) -> bool {
    let fails = dmarc.iter().any(|dmarc| dmarc.check == Check::Fail);
    match spf {
        Check::Pass => false,
        Check::Fail => !is_vouched_for,
        Check::Open | Check::Trouble => fails && !is_vouched_for,
    }
}

#[cfg(test)]
mod tests;
