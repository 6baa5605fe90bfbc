//! The ARC chain of a message.

use mailauth::arc::{ArcResult, Chain};
use mailauth::dkim::BodyHasher;
use mailauth::{Names, fields};
use types::Timestamp;

use super::Letter;
use crate::{Finding, Topic, Verdict};

/// Nothing where there is no chain: few messages need one.
pub(super) async fn check(names: &dyn Names, letter: &Letter<'_>, now: Timestamp) -> Option<Finding> {
    let fields = fields(letter.header);
    let chain = Chain::read(&fields, now);
    let mut hasher = BodyHasher::new(chain.forms());
    hasher.push(letter.body);
    let outcome = chain.verify(&chain.keys(names).await, &hasher.finish());
    let about = format!("{} sets", outcome.sealers.len());
    match (outcome.result, outcome.problem) {
        (ArcResult::None, _) => None,
        (ArcResult::Pass, _) => {
            let says = format!("the chain is whole, sealed by {}", outcome.sealers.join(", then "));
            Some(Finding::new(Topic::Arc, about, Verdict::Good, says))
        }
        (ArcResult::Fail, problem) => {
            let why = problem.map(|problem| problem.to_string()).unwrap_or_default();
            let says = format!("the chain does not hold: {why}");
            let mend = "whoever passed it on last must seal after all changes, or leave the chain as it came";
            Some(Finding::new(Topic::Arc, about, Verdict::Warning, says).mend(mend).points(0.3))
        }
    }
}
