//! What others know of who sends: asked at MAIL, decided about at RCPT and at the end of the message.

use std::sync::Arc;

use mta::admission::reputation::{Audience, Share, Stage as Place};
use mta::admission::{Client as Standing, Decision, Role};
use smtp::grammar::command::Mail;
use tracing::info;
use types::directory::key;
use types::{EventStep, ForwardPath, Host, MailId, Reply, ReversePath, Verdict};

use super::acceptor::Acceptor;
use super::identity::{Identity, standing};
use super::verification::with_a_labels;
use super::{Driver, mta_role};
use crate::config::ReputationStage;
use crate::listener::ListenerFacts;
use crate::reputation::{Complete, Inquiry, Known, Received, Visitor, of_address, refusal};
use crate::shared::{Client, Peer, Shared, Stage};
use crate::timeline::Timeline;

/// Whether mail of this client comes from outside, from an address that is known to be its own.
fn is_asked_about(shared: &Shared, facts: &ListenerFacts, peer: &Peer, identity: Option<&Identity>) -> bool {
    let is_visitor = match peer.client {
        Client::Direct | Client::Proxied => !peer.ip().is_loopback(),
        Client::BehindProxy | Client::Local => false,
    };
    is_visitor
        && mta_role(facts.service) == Role::Transfer
        && matches!(standing(shared, peer, identity), Standing::Stranger)
        // Names that are made up are on no list.
        && shared.outside.names().is_none()
        && shared.reputation.is_asked_about(shared, peer)
}

/// Why a client is not served at all, where the operator wants that decided before the greeting.
pub(super) async fn refused_greeting(
    shared: &Shared,
    facts: &ListenerFacts,
    peer: &Peer,
) -> Option<Decision> {
    let config = &shared.config.reputation;
    if config.at != ReputationStage::Connect || !is_asked_about(shared, facts, peer, None) {
        return None;
    }
    let shares = of_address(shared, peer.ip()).await;
    refusal(config.policy(), Place::Greeting, &shares)
}

impl Driver {
    /// What is asked about the message that MAIL begins.
    pub(super) fn new_inquiry(&self, mail: &Mail) -> Option<Box<Inquiry>> {
        let shared = &self.shared;
        if !is_asked_about(shared, &self.facts, &self.peer, self.identity.as_ref()) {
            return None;
        }
        let helo = self.session.hello().and_then(|hello| match &hello.host {
            Host::Domain(domain) => Some(domain.ascii().to_owned()),
            Host::Literal(_) => None,
        });
        let reverse_path = match &mail.reverse_path {
            ReversePath::Null => String::new(),
            ReversePath::Mailbox(mailbox) => with_a_labels(mailbox),
        };
        let visitor = Visitor { ip: self.peer.ip(), helo, reverse_path };
        Some(Box::new(Inquiry::new(shared, visitor)))
    }
}

/// Why a recipient is not taken from this client; a postmaster is.
pub(super) async fn refused_recipient(
    inquiry: &mut Inquiry,
    forward_path: &ForwardPath,
    shared: &Shared,
    timeline: &mut Timeline,
) -> Option<Decision> {
    let (shares, is_new) = inquiry.envelope().await;
    if is_new {
        tell(shares, timeline);
    }
    match Audience::of([forward_path]) {
        Audience::Postmaster => None,
        Audience::Others => refusal(shared.config.reputation.policy(), Place::Mail, shares),
    }
}

fn tell(shares: &[Share], timeline: &mut Timeline) {
    for share in shares {
        timeline.note_about(EventStep::Verified, &share.about, share.explained());
    }
}

/// A message that is taken as far as others' word goes.
pub(super) struct Judged {
    /// What speaks for it.
    pub(super) allowed_by: Vec<Share>,
    /// Why policy takes it as suspicious.
    pub(super) suspicion: Option<String>,
}

/// Decides about a message that is complete, and tells it.
///
/// # Errors
/// The reply to a message that is not taken.
pub(super) async fn judge(
    mut inquiry: Inquiry,
    known: &Known,
    to: &Acceptor<'_>,
    mail_id: MailId,
    timeline: &mut Timeline,
) -> Result<Judged, Reply> {
    let mut stage = to.shared.stage.clone();
    let before = inquiry.envelope().await.0.len();
    let shares = tokio::select! {
        biased;
        // What nobody has said by then speaks neither for nor against anybody.
        _ = stage.wait_for(|stage| *stage >= Stage::Ending) => Vec::new(),
        shares = inquiry.finish(known) => shares,
    };
    tell(shares.get(before..).unwrap_or_default(), timeline);
    let paths = || to.transaction.recipients.iter().map(|recipient| &recipient.forward_path);
    let recipients = paths().map(|path| path.mailbox().map_or_else(|| path.to_string(), key));
    let complete = Complete {
        visitor: inquiry.visitor(),
        shares,
        known,
        audience: Audience::of(paths()),
        recipients: recipients.collect(),
        now: to.shared.now(),
    };
    let Received { allowed_by, suspicion, greylisting } = match complete.judge(to.shared) {
        Ok(received) => received,
        Err(Decision { reply, reason }) => {
            info!(%mail_id, %reply, %reason, "message refused");
            timeline.decided(EventStep::Content, None, &reply, reason);
            return Err(reply);
        }
    };
    if let Some(reason) = &suspicion {
        timeline.judged(EventStep::Content, Verdict::Noted, None, format!("suspicious: {reason}"));
    }
    if let Some(why) = greylisting {
        timeline.note(EventStep::Verified, format!("greylisting: {why}"));
    }
    Ok(Judged { allowed_by, suspicion })
}

/// Asks at connect what is asked about at MAIL, so that it is known by then: the cache of names keeps it.
pub(super) fn ask_early(shared: &Arc<Shared>, facts: &ListenerFacts, peer: &Peer) {
    if is_asked_about(shared, facts, peer, None) {
        crate::reputation::ask_early(Arc::clone(shared), peer.ip());
    }
}
