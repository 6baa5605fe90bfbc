//! Who really sent the message that comes in: whose messages are asked about, and what becomes of the answer.

use mta::admission::Client as Standing;
use mta::admission::authenticity::Admitted;
use mta::list::author::Authorship;
use smtp::grammar::command::Mail;
use tracing::{info, warn};
use types::{AddressLiteral, EventStep, Host, MailId, Mailbox, Reply, ReplyKind, ReversePath, Verdict};

use super::acceptor::Acceptor;
use super::identity::standing;
use super::{Driver, mta_role, reputation};
use crate::authenticity::{Findings, Judgement, Sender, Verification};
use crate::config::Switch;
use crate::logging::Outside;
use crate::reputation::{Inquiry, Known};
use crate::shared::{Client, Shared, Stage};
use crate::signing::{Found, Proof};
use crate::timeline::Timeline;

/// A message that is taken as far as its sender goes.
#[derive(Default)]
pub(super) struct Genuine {
    /// What stands on top of it.
    pub(super) fields: String,
    /// Nobody is told what becomes of it.
    pub(super) withholds_reports: bool,
    /// For a seal over what is passed on.
    pub(super) found: Option<Found>,
    /// Whether that proves who has written it.
    pub(super) proof: Proof,
    /// What that means for lists, where it was asked.
    pub(super) authorship: Option<Authorship>,
    /// Why policy takes it as suspicious.
    pub(super) suspicion: Option<String>,
}

/// Who says MAIL more often than that without a message being taken is not asked about until a message comes: else MAIL and
/// RSET alone would cost as many questions to the DNS as a client likes.
pub(super) const EARLY_VERIFICATIONS_MAX: u32 = 10;

impl Driver {
    /// Of the message that comes now, where MAIL has asked nothing.
    pub(super) fn late_verification(&self) -> Option<Box<Verification>> {
        if self.early_verifications < EARLY_VERIFICATIONS_MAX {
            return None;
        }
        self.begin_verification(&self.session.transaction()?.mail)
    }

    /// Begins to ask who really sends, where the message comes from outside. Those who have logged in, trusted networks and
    /// this machine itself are known, and LMTP hands over what another server has taken.
    pub(super) fn begin_verification(&self, mail: &Mail) -> Option<Box<Verification>> {
        let shared = &self.shared;
        let is_stranger = matches!(standing(shared, &self.peer, self.identity.as_ref()), Standing::Stranger);
        let is_asked = shared.config.authenticity.verify == Switch::On
            && mta_role(self.facts.service) == mta::admission::Role::Transfer
            && is_stranger
            && !self.is_from_here()
            // Names that are made up have no records that vouch for anybody.
            && shared.outside.names().is_none();
        is_asked.then(|| {
            let sender = Sender {
                ip: self.peer.ip(),
                helo: self.session.hello().map_or_else(
                    || AddressLiteral::Ip(self.peer.ip()).to_string(),
                    |hello| helo(&hello.host),
                ),
                reverse_path: match &mail.reverse_path {
                    ReversePath::Null => String::new(),
                    ReversePath::Mailbox(mailbox) => with_a_labels(mailbox),
                },
                now: shared.now(),
            };
            Box::new(Verification::begin(shared, sender))
        })
    }
}

impl Driver {
    /// Whether the client is on this machine.
    fn is_from_here(&self) -> bool {
        match self.peer.client {
            Client::Local => true,
            Client::Direct | Client::Proxied => self.peer.ip().is_loopback(),
            Client::BehindProxy => false,
        }
    }

    /// Whether what leaves of the message is signed as ours. What LMTP hands over is not: another server has taken it from
    /// whomever.
    pub(super) fn is_ours(&self) -> bool {
        let standing = standing(&self.shared, &self.peer, self.identity.as_ref());
        let is_lmtp = mta_role(self.facts.service) == mta::admission::Role::Lmtp;
        self.identity.is_some() || !is_lmtp && (standing.may_relay() || self.is_from_here())
    }
}

fn helo(host: &Host) -> String {
    match host {
        Host::Domain(domain) => domain.ascii().to_owned(),
        Host::Literal(literal) => literal.to_string(),
    }
}

pub(super) fn with_a_labels(mailbox: &Mailbox) -> String {
    match &mailbox.host {
        Host::Domain(domain) => format!("{}@{}", mailbox.local_part, domain.ascii()),
        Host::Literal(_) => mailbox.to_string(),
    }
}

/// Waits for what is not known yet, tells what came out, and decides.
///
/// # Errors
/// The reply to a message that is not taken.
pub(super) async fn judge(
    verification: Option<Box<Verification>>,
    inquiry: Option<Box<Inquiry>>,
    to: &Acceptor<'_>,
    mail_id: MailId,
    timeline: &mut Timeline,
) -> Result<Genuine, Reply> {
    let Some(verification) = verification else {
        let mut genuine = Genuine::default();
        if let Some(inquiry) = inquiry {
            let judged = reputation::judge(*inquiry, &Known::default(), to, mail_id, timeline).await?;
            genuine.suspicion = judged.suspicion;
        }
        return Ok(genuine);
    };
    let mut stage = to.shared.stage.clone();
    let finished = tokio::select! {
        biased;
        _ = stage.wait_for(|stage| *stage >= Stage::Ending) => None,
        finished = verification.finish() => finished,
    };
    let Some(mut findings) = finished else {
        warn!(%mail_id, "it could not be found out who sent a message");
        let reply = ReplyKind::AuthorshipNotKnown.with("the check was broken off");
        timeline.decided(EventStep::Verified, None, &reply, "the check was broken off");
        return Err(reply);
    };
    findings.count(&to.shared.metrics);
    let policy = to.shared.config.authenticity.policy();
    for (about, words) in findings.events() {
        if about.is_empty() {
            timeline.note(EventStep::Verified, words);
        } else {
            timeline.note_about(EventStep::Verified, about, words);
        }
    }
    let Judgement { admitted, withholds_reports } = findings.judge(policy);
    let mut suspicion = None;
    match admitted {
        Admitted::Refused(decision) => {
            let reverse_path = Outside(&to.transaction.mail.reverse_path);
            info!(%mail_id, %reverse_path, reply = %decision.reply, reason = %decision.reason, "message refused");
            timeline.decided(EventStep::Content, None, &decision.reply, decision.reason);
            count_dmarc(&findings, to.shared, Some(&decision.reply));
            return Err(decision.reply);
        }
        Admitted::Suspicious(reason) => {
            timeline.judged(EventStep::Content, Verdict::Noted, None, format!("suspicious: {reason}"));
            suspicion = Some(reason);
        }
        Admitted::Accepted => {}
    }
    if let Some(inquiry) = inquiry {
        let known = findings.known();
        let judged = reputation::judge(*inquiry, &known, to, mail_id, timeline).await;
        let judged = judged.inspect_err(|reply| count_dmarc(&findings, to.shared, Some(reply)))?;
        findings.allow(judged.allowed_by);
        suspicion = suspicion.or(judged.suspicion);
    }
    count_dmarc(&findings, to.shared, None);
    if withholds_reports {
        let why = "nobody is told what becomes of it: nothing vouches for the reverse-path";
        timeline.note(EventStep::Reported, why);
    }
    Ok(Genuine {
        fields: findings.fields(),
        withholds_reports,
        found: Some(findings.for_seal()),
        proof: findings.proof(),
        authorship: Some(findings.authorship()),
        suspicion,
    })
}

/// Counts a message for the reports that the domains of its authors ask for, unless it is to come again: greylisting alone would
/// make two messages of each.
fn count_dmarc(findings: &Findings, shared: &Shared, refused: Option<&Reply>) {
    if refused.is_none_or(|reply| reply.code >= 500) {
        let handling = shared.config.authenticity.policy().dmarc;
        shared.dmarc_counts.count(findings, handling, shared.now());
    }
}
