//! What others know of who sends mail from outside, and what is known here: lists in the DNS, and greylisting.
//!
//! ```text
//! connect ── lists of addresses (a refusal here where the operator wants that) ─┐
//! MAIL ── lists of the address, its name, HELO and MAIL, in a task ──────────── RCPT: a refusal ─┐
//! end of data ── lists of From and signers, with what SPF, DKIM and DMARC vouch for ── a refusal ── greylisting
//! ```
//!
//! Standards: RFC 5782, RFC 8904, RFC 6647. What answers mean and what follows from them is decided in
//! `mta::admission::reputation` and `mta::admission::greylist`.
//!
//! Questions have one time limit for all of a stage. What is not known by then says nothing: a list that does not answer
//! neither refuses mail nor holds it up.

mod greylist;
mod inquiry;
mod lists;

use std::sync::Arc;

use mta::admission::Decision;
use mta::admission::greylist::{
    Attempt, GreylistFacts, GreylistMode, Greylisting, client_key, host_key, sender_key,
};
use mta::admission::reputation::{Audience, Judged, ReputationPolicy, Share, Stage, decide, score};
use mta::admission::wait_in_words;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Duration, Instant, sleep};
use tracing::error;
use types::{ReplyKind, Timestamp};

use crate::config::{Config, any_contains};
use crate::shared::{Peer, Shared};
pub(crate) use greylist::Greylist;
pub(crate) use inquiry::{Inquiry, Known, Visitor, ask_early, of_address};
pub(crate) use lists::Lists;

/// Of a node.
#[derive(Debug)]
pub(crate) struct Reputation {
    pub(crate) lists: Lists,
    pub(crate) greylist: Greylist,
}

/// A message whose sender has nothing against it.
#[derive(Debug, Default)]
pub(crate) struct Received {
    /// What speaks for its sender, for `Authentication-Results`.
    pub(crate) allowed_by: Vec<Share>,
    /// Why it is taken for suspicious.
    pub(crate) suspicion: Option<String>,
    /// What greylisting says, for the trace.
    pub(crate) greylisting: Option<&'static str>,
}

impl Reputation {
    pub(crate) fn new(config: &Config, greylist: Greylist) -> Self {
        Self { lists: Lists::new(&config.dnsbl), greylist }
    }

    /// Whether anything is asked about this client's mail.
    pub(crate) fn is_asked_about(&self, shared: &Shared, peer: &Peer) -> bool {
        let has_work = !self.lists.is_empty() || self.greylist.mode() != GreylistMode::Off;
        has_work && !any_contains(&shared.config.reputation.trust, peer.ip())
    }
}

/// How often it is looked whether a list is to be tested, and whether something is to be written.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Tests lists and writes what is remembered, from now until the node stops.
pub(crate) fn start(shared: &Arc<Shared>) -> Option<JoinHandle<()>> {
    let reputation = &shared.reputation;
    if reputation.lists.is_empty() && reputation.greylist.mode() == GreylistMode::Off {
        return None;
    }
    Some(shared.while_serving(look_again_and_again))
}

async fn look_again_and_again(shared: Arc<Shared>) {
    loop {
        let until = Instant::now() + LOOK_EVERY;
        let names = shared.resolver.names_until(&shared.config, until).await;
        shared.reputation.lists.test_due(&names, &shared.metrics).await;
        sleep(LOOK_EVERY).await;
        let saving = Arc::clone(&shared);
        // It writes a file, and there may be much to write.
        let saved = spawn_blocking(move || saving.reputation.greylist.save(saving.now())).await;
        if let Err(error) = saved {
            error!(%error, "what greylisting remembers was not written");
        }
    }
}

/// Decides at RCPT, by what is known of the envelope; none where the recipient is taken.
pub(crate) fn refusal(policy: ReputationPolicy, stage: Stage, shares: &[Share]) -> Option<Decision> {
    match decide(policy, stage, Audience::Others, shares) {
        Judged::Refused(decision) => Some(decision),
        Judged::Accepted | Judged::Suspicious(_) => None,
    }
}

/// A message that is complete.
pub(crate) struct Complete<'a> {
    pub(crate) visitor: &'a Visitor,
    pub(crate) shares: Vec<Share>,
    pub(crate) known: &'a Known,
    pub(crate) audience: Audience,
    pub(crate) recipients: Vec<String>,
    pub(crate) now: Timestamp,
}

impl Complete<'_> {
    /// Decides about it.
    ///
    /// # Errors
    /// The reply to a message that is not taken, now or at all.
    pub(crate) fn judge(self, shared: &Shared) -> Result<Received, Decision> {
        let suspicion =
            match decide(shared.config.reputation.policy(), Stage::Mail, self.audience, &self.shares) {
                Judged::Refused(decision) => return Err(decision),
                Judged::Suspicious(reason) => Some(reason),
                Judged::Accepted => None,
            };
        let greylisting = self.greylisted(shared, suspicion.as_deref())?;
        let allowed_by = self.shares.into_iter().filter(|share| share.counted() < 0).collect();
        Ok(Received { allowed_by, suspicion, greylisting })
    }

    fn greylisted(&self, shared: &Shared, suspicion: Option<&str>) -> Result<Option<&'static str>, Decision> {
        let Known { author, spf_domain, host_name, doubts, .. } = self.known;
        let listed = (score(&self.shares) > 0).then_some("it is on a list");
        let facts = GreylistFacts {
            mode: shared.reputation.greylist.mode(),
            has_null_path: self.visitor.reverse_path.is_empty(),
            is_for_postmaster: self.audience == Audience::Postmaster,
            score: score(&self.shares),
            author: author.as_deref(),
            suspicion: suspicion.or(listed).or(doubts.as_deref()),
        };
        let attempt = Attempt {
            client: client_key(self.visitor.ip, spf_domain.as_deref()),
            host: host_key(self.visitor.ip, spf_domain.as_deref(), host_name.as_deref()),
            sender: sender_key(&self.visitor.reverse_path, spf_domain.as_deref()),
            recipients: self.recipients.clone(),
        };
        if facts.mode == GreylistMode::Off {
            return Ok(None);
        }
        match shared.reputation.greylist.decide(&facts, &attempt, self.now) {
            Greylisting::Passes(why) => Ok(Some(why)),
            Greylisting::Waits { wait, is_first } => {
                shared.metrics.greylisted();
                let what = if is_first { "new" } else { "too early" };
                let Attempt { client, sender, .. } = &attempt;
                Err(Decision {
                    reply: ReplyKind::Greylisted.with(wait_in_words(wait)),
                    reason: format!("greylisted: {sender} from {client} is {what}").into(),
                })
            }
        }
    }
}
