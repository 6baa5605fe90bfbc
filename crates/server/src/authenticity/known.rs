//! What the checks of a message vouch for, as lists and greylisting want to know it.

use mailauth::dkim::DkimResult;
use mailauth::{dmarc, iprev, spf};
use mta::admission::reputation::{Proof, Share};

use super::Findings;
use crate::reputation::Known;

impl Findings {
    /// What is proven, and what looks odd.
    pub(crate) fn known(&self) -> Known {
        let passes = |outcome: &dmarc::Outcome| outcome.result == dmarc::DmarcResult::Pass;
        let authors = self.dmarc.iter().map(|outcome| {
            let proof = if passes(outcome) { Proof::Proven } else { Proof::Claimed };
            (outcome.author.clone(), proof)
        });
        let signers = self.dkim.iter().filter(|verified| verified.result == DkimResult::Pass);
        let author = match &self.dmarc[..] {
            [outcome] if passes(outcome) => Some(
                outcome.organizational_domain.clone().unwrap_or_else(|| outcome.author.ascii().to_owned()),
            ),
            _ => None,
        };
        let has_path = !self.sender.reverse_path.is_empty();
        let spf_domain =
            (has_path && self.spf.result == spf::SpfResult::Pass).then(|| self.spf.domain.clone());
        let of_helo = if has_path { self.helo.as_ref() } else { Some(&self.spf) };
        Known {
            authors: authors.collect(),
            signers: signers.map(|verified| verified.domain.clone()).collect(),
            author,
            spf_domain,
            host_name: match &self.iprev {
                iprev::Iprev::Pass { name } => Some(name.clone()),
                _ => None,
            },
            is_helo_proven: of_helo.is_some_and(|outcome| outcome.result == spf::SpfResult::Pass),
            doubts: self.doubts(),
        }
    }

    /// What no honest sender is wont to have. The DNS may be to blame for what it does not answer.
    fn doubts(&self) -> Option<String> {
        let mut doubts = Vec::new();
        if self.dmarc.iter().any(|outcome| outcome.result == dmarc::DmarcResult::Fail) {
            doubts.push("DMARC fails");
        }
        if matches!(self.spf.result, spf::SpfResult::Fail | spf::SpfResult::SoftFail) {
            doubts.push("SPF fails");
        }
        if matches!(self.iprev, iprev::Iprev::Fail | iprev::Iprev::PermError) {
            doubts.push("the address has no name that leads back to it");
        }
        (!doubts.is_empty()).then(|| doubts.join(", "))
    }

    /// What speaks for the sender stands among the results.
    pub(crate) fn allow(&mut self, allowed_by: Vec<Share>) {
        self.allowed_by = allowed_by;
    }
}
