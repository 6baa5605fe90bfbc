//! ETRN, ATRN and TURN: waiting mail is tried at once, or goes over this very connection.

use std::sync::Arc;

use mta::admission::{Client, Decision};
use mta::route::Transport;
use smtp::grammar::reversal::Node;
use smtp::server::Question;
use store::{Destination, Queue, StoreError};
use tracing::info;
use types::{Domain, EventStep, Host, Reply, ReplyKind};

use super::Driver;
use super::identity::standing;
use crate::config::AuthPolicy;
use crate::delivery::Flush;
use crate::reversal::{
    EtrnFacts, Waiting, asked_for, decide_etrn, etrn_is_for, refused, waiting_below, waiting_for,
};
use crate::shared::Shared;

impl Driver {
    /// Answers ETRN, and starts what it asks for.
    pub(super) async fn etrn(&mut self) {
        let Some(Question::Etrn(node)) = self.session.question() else { return };
        let node = node.clone();
        let decision = match self.stopped().await {
            Some(stopped) => {
                not_any_more(stopped, ReplyKind::QueueNotStarted.with(&node), |why| refused(&node, why).reply)
            }
            None => self.decide_etrn(&node).await,
        };
        let Decision { reply, reason } = decision;
        self.decided("ETRN", EventStep::Command, Some(node.to_string()), &reply, format!("ETRN: {reason}"));
        self.session.answer(&reply);
    }

    async fn decide_etrn(&self, node: &Node) -> Decision {
        let shared = &self.shared;
        let policy = shared.config.policy.etrn;
        let client = standing(shared, &self.peer, self.identity.as_ref());
        if let Err(why) = etrn_is_for(policy, &client, node) {
            // Who could log in here is told so.
            let can_log_in = matches!(client, Client::Stranger) && self.facts.auth_policy != AuthPolicy::Off;
            if can_log_in {
                return Decision { reply: ReplyKind::AuthenticationRequired.reply(), reason: why.into() };
            }
            return refused(node, why);
        }
        if !matches!(client, Client::TrustedNetwork)
            && !shared.reversals.may_ask(self.peer.ip(), shared.now())
        {
            return too_often(node);
        }
        let site =
            site_of(node).filter(|site| shared.delivery.sites().iter().any(|known| known.name == *site));
        let facts = EtrnFacts {
            policy,
            client,
            node,
            is_local: is_local(shared, node).await.unwrap_or(false),
            is_on_demand: is_on_demand(shared, node),
            is_queue: site.is_some() && client.may_relay(),
            waiting: waiting(shared, node).await.unwrap_or(Waiting::Unknown),
        };
        let decision = decide_etrn(&facts);
        let is_start = decision.is_accepted() && decision.reply.code != ReplyKind::QueueEmpty.entry().code;
        if !is_start {
            return decision;
        }
        if !shared.reversals.may_start(&node.to_string(), shared.now()) {
            return too_often(node);
        }
        match (node, site) {
            (Node::Domain(domain), _) if facts.waiting != Waiting::Counted(0) => {
                if let Some(destination) = Destination::named(domain.ascii()) {
                    shared.delivery.start_now(&Flush::Destination(destination));
                }
            }
            (Node::Subtree(domain), _) => shared.delivery.start_now(&Flush::Subtree(domain.clone())),
            (_, Some(site)) => shared.delivery.start_now(&Flush::Site(site.to_owned())),
            (_, None) => {}
        }
        decision
    }

    /// Answers ATRN and TURN.
    pub(super) async fn may_reverse(&mut self) {
        let Some(Question::Reverse { verb, domains }) = self.session.question() else { return };
        let (verb, named) = (verb.name(), domains.to_vec());
        let Decision { reply, reason } = match self.stopped().await {
            Some(stopped) => {
                let unavailable = ReplyKind::ReversalUnavailable.reply();
                not_any_more(stopped, unavailable, |why| ReplyKind::ReversalRefused.with(why))
            }
            None => self.grant(&named).await,
        };
        let account = self.identity.as_ref().map(|identity| identity.account().name.clone());
        self.decided(verb, EventStep::Command, account, &reply, format!("{verb}: {reason}"));
        self.session.answer(&reply);
    }

    /// Decides for which domains client and server change places.
    async fn grant(&mut self, named: &[Domain]) -> Decision {
        let Some(identity) = &self.identity else {
            return decision(ReplyKind::AuthenticationRequired, "nobody has logged in");
        };
        let account = identity.account();
        let domains = match asked_for(&account.settings, named) {
            Ok(domains) if domains.is_empty() => {
                let text = "the account has no domain of its own";
                return Decision { reply: ReplyKind::ReversalRefused.with(text), reason: text.into() };
            }
            Ok(domains) => domains,
            Err(foreign) => {
                let text = format!("the account has no right to the mail of {}", foreign.ascii());
                return Decision { reply: ReplyKind::ReversalRefused.with(&text), reason: text.into() };
            }
        };
        if !self.shared.reversals.may_reverse(&account.name, self.shared.now()) {
            let text = "too many requests; try again in a minute";
            return Decision { reply: ReplyKind::ReversalRefused.with(text), reason: text.into() };
        }
        match waiting_of(&self.shared, domains).await {
            Err(_) => decision(ReplyKind::ReversalUnavailable, "the store could not say what waits"),
            Ok((_, 0)) => decision(ReplyKind::NoMailWaits, "nothing waits"),
            Ok((domains, waiting)) => {
                let names: Vec<&str> = domains.iter().map(Domain::ascii).collect();
                let reason = format!("{waiting} waiting for {}", names.join(", "));
                self.granted = domains;
                Decision { reply: ReplyKind::Reversing.reply(), reason: reason.into() }
            }
        }
    }

    /// Client and server have changed places: what waits goes over this connection, and with it the connection ends.
    pub(super) async fn reverse(mut self: Box<Self>) {
        if self.send().await.is_err() {
            return self.ended("the client was gone before the connection was reversed");
        }
        self.timeline.set_due();
        self.timeline.flush();
        let Self { shared, peer, connection, tls, mut timeline, granted, .. } = *self;
        let Some(stream) = connection.into_stream() else { return };
        let report = shared.delivery.over(stream, tls, &granted).await;
        info!(session_id = %peer.session_id, peer_ip = %peer.ip(), ?report, "connection reversed");
        let how = if report.is_complete { "to its end" } else { "until it broke off" };
        let told = format!(
            "mail went the other way {how}: {} relayed, {} left to wait",
            report.relayed, report.left
        );
        timeline.note(EventStep::Closed, told);
        timeline.set_due();
        timeline.flush();
    }
}

fn decision(kind: ReplyKind, reason: &'static str) -> Decision {
    Decision { reply: Reply::from(kind), reason: reason.into() }
}

/// What is told whose login holds no more, or is not known to hold. A password that was revoked is told as anywhere else
/// (RFC 4954 §6).
fn not_any_more(stopped: Decision, unavailable: Reply, refused: impl Fn(&'static str) -> Reply) -> Decision {
    let Decision { reply, reason } = stopped;
    let is = |kind: ReplyKind| reply.code == kind.entry().code;
    let reply = if is(ReplyKind::LoginRevoked) {
        reply
    } else if is(ReplyKind::LookupFailed) {
        unavailable
    } else {
        refused("the account is not in use any more")
    };
    Decision { reply, reason }
}

fn too_often(node: &Node) -> Decision {
    Decision {
        reply: ReplyKind::QueueStartedTooOften.with(node),
        reason: "it was asked for too often within a minute".into(),
    }
}

/// The queue that a node may be: a site is known by its hosts.
fn site_of(node: &Node) -> Option<&str> {
    match node {
        Node::Queue(name) => Some(name),
        Node::Domain(domain) => Some(domain.ascii()),
        Node::Subtree(_) => None,
    }
}

async fn is_local(shared: &Shared, node: &Node) -> Result<bool, StoreError> {
    match node {
        Node::Domain(domain) => is_local_domain(shared, domain).await,
        // What is below a domain of ours may be elsewhere.
        Node::Subtree(_) | Node::Queue(_) => Ok(false),
    }
}

async fn is_local_domain(shared: &Shared, domain: &Domain) -> Result<bool, StoreError> {
    let is_host = domain.ascii() == shared.host_name;
    Ok(is_host || shared.directory.domain(&*shared.store, domain).await?.is_some())
}

fn is_on_demand(shared: &Shared, node: &Node) -> bool {
    match node {
        Node::Domain(domain) | Node::Subtree(domain) => {
            let rule = shared.config.transports.rule(&Host::Domain(domain.clone()));
            rule.rule.transport == Transport::OnDemand
        }
        Node::Queue(_) => false,
    }
}

async fn waiting(shared: &Arc<Shared>, node: &Node) -> Result<Waiting, StoreError> {
    let queue = queue(shared);
    match node {
        Node::Domain(domain) => Ok(Waiting::Counted(waiting_for(queue, domain).await?)),
        Node::Subtree(domain) => waiting_below(queue, domain).await,
        Node::Queue(_) => Ok(Waiting::Counted(0)),
    }
}

/// How much waits for domains, without those whose mail is delivered here: what waits of that is for mailboxes of this
/// node.
async fn waiting_of(shared: &Arc<Shared>, domains: Vec<Domain>) -> Result<(Vec<Domain>, u64), StoreError> {
    let mut foreign = Vec::with_capacity(domains.len());
    let mut waiting = 0;
    for domain in domains {
        if !is_local_domain(shared, &domain).await? {
            waiting += waiting_for(queue(shared), &domain).await?;
            foreign.push(domain);
        }
    }
    Ok((foreign, waiting))
}

fn queue(shared: &Shared) -> &dyn Queue {
    &*shared.store
}
