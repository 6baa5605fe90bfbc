//! What the checks of a message mean for lists that send it on.

use mailauth::dkim::{DkimResult, Verified};
use mailauth::dmarc::{DmarcResult, Outcome};
use mailauth::spf::SpfResult;
use mta::list::author::{AuthorDomain, Authorship};

use super::Findings;
use super::findings::wish_of;
use crate::signing::Proof;

impl Findings {
    /// What the domains in `From` want, and whether a signature speaks for them where a list sends the message.
    pub(crate) fn authorship(&self) -> Authorship {
        if self.from.is_some() {
            return Authorship::Unchecked;
        }
        let kept = self.dkim.iter().zip(&self.kept_by_lists).filter(|(_, is_kept)| **is_kept);
        let right = kept.filter(|(verified, _)| verified.result == DkimResult::Pass);
        let signers: Vec<&str> = right.map(|(verified, _)| verified.domain.as_str()).collect();
        let domains = self.dmarc.iter().map(|outcome| {
            let author = outcome.author.ascii();
            // Where the DNS has not told which other domains speak for it, it does itself.
            let is_signed = |signer: &&str| {
                outcome.dkim_aligned.iter().any(|aligned| aligned == signer) || *signer == author
            };
            AuthorDomain {
                domain: author.to_owned(),
                wish: outcome.trouble.is_none().then(|| wish_of(outcome.policy)),
                is_signed: signers.iter().any(is_signed),
            }
        });
        Authorship::Checked(domains.collect())
    }

    /// Whether SPF or DKIM vouches for each domain in `From`.
    pub(crate) fn proof(&self) -> Proof {
        let is_right = |verified: &&Verified| verified.result == DkimResult::Pass;
        let is_proven = |outcome: &Outcome| {
            // Where there is no record of DMARC, nobody has asked which other domains speak for it.
            let is_itself = |domain: &str| domain.eq_ignore_ascii_case(outcome.author.ascii());
            outcome.result == DmarcResult::Pass
                || self.dkim.iter().filter(is_right).any(|verified| is_itself(&verified.domain))
                || self.spf.result == SpfResult::Pass && is_itself(&self.spf.domain)
        };
        let is_known = self.from.is_none() && !self.dmarc.is_empty();
        if is_known && self.dmarc.iter().all(is_proven) { Proof::Given } else { Proof::Missing }
    }
}
