//! Who really sent the message that comes in: whose messages are asked about, and what becomes of the answer.

use mta::admission::Client as Standing;
use mta::admission::authenticity::Admitted;
use smtp::grammar::command::Mail;
use tracing::{info, warn};
use types::{AddressLiteral, EventStep, Host, MailId, Mailbox, Reply, ReplyKind, ReversePath, Verdict};

use super::accept::Acceptor;
use super::identity::standing;
use super::{Driver, mta_role};
use crate::authenticity::{Judgement, Sender, Verification};
use crate::config::Switch;
use crate::logging::Outside;
use crate::shared::{Client, Stage};
use crate::timeline::Timeline;

/// A message that is taken as far as its sender goes.
#[derive(Default)]
pub(super) struct Genuine {
    /// What stands on top of it.
    pub(super) fields: String,
    /// Nobody is told what becomes of it.
    pub(super) withholds_reports: bool,
}

impl Driver {
    /// Begins to ask who really sends, where the message comes from outside. Those who have logged in, trusted networks and
    /// this machine itself are known, and LMTP hands over what another server has taken.
    pub(super) fn begin_verification(&self, mail: &Mail) -> Option<Box<Verification>> {
        let shared = &self.shared;
        let is_stranger = matches!(standing(shared, &self.peer, self.identity.as_ref()), Standing::Stranger);
        let is_from_here = match self.peer.client {
            Client::Local => true,
            Client::Direct | Client::Proxied => self.peer.ip().is_loopback(),
            Client::BehindProxy => false,
        };
        let is_asked = shared.config.authenticity.verify == Switch::On
            && mta_role(self.facts.service) == mta::admission::Role::Transfer
            && is_stranger
            && !is_from_here
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

fn helo(host: &Host) -> String {
    match host {
        Host::Domain(domain) => domain.ascii().to_owned(),
        Host::Literal(literal) => literal.to_string(),
    }
}

fn with_a_labels(mailbox: &Mailbox) -> String {
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
    verification: Verification,
    to: &Acceptor<'_>,
    mail_id: MailId,
    timeline: &mut Timeline,
) -> Result<Genuine, Reply> {
    let mut stage = to.shared.stage.clone();
    let finished = tokio::select! {
        biased;
        _ = stage.wait_for(|stage| *stage >= Stage::Ending) => None,
        finished = verification.finish() => finished,
    };
    let Some(findings) = finished else {
        warn!(%mail_id, "it could not be found out who sent a message");
        let reply = ReplyKind::AuthorshipNotKnown.with("the check was broken off");
        timeline.decided(EventStep::Verified, None, &reply, "the check was broken off");
        return Err(reply);
    };
    findings.count(&to.shared.metrics);
    let policy = to.shared.config.authenticity.policy();
    to.shared.dmarc_counts.count(&findings, policy.dmarc, to.shared.now());
    for (about, words) in findings.events() {
        if about.is_empty() {
            timeline.note(EventStep::Verified, words);
        } else {
            timeline.note_about(EventStep::Verified, about, words);
        }
    }
    let Judgement { admitted, withholds_reports } = findings.judge(policy);
    match admitted {
        Admitted::Refused(decision) => {
            let reverse_path = Outside(&to.transaction.mail.reverse_path);
            info!(%mail_id, %reverse_path, reply = %decision.reply, reason = %decision.reason, "message refused");
            timeline.decided(EventStep::Content, None, &decision.reply, decision.reason);
            return Err(decision.reply);
        }
        Admitted::Suspicious(reason) => {
            timeline.judged(EventStep::Content, Verdict::Noted, None, format!("suspicious: {reason}"));
        }
        Admitted::Accepted => {}
    }
    if withholds_reports {
        let why = "nobody is told what becomes of it: nothing vouches for the reverse-path";
        timeline.note(EventStep::Reported, why);
    }
    Ok(Genuine { fields: findings.fields(), withholds_reports })
}
