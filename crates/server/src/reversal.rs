//! Who may have waiting mail tried at once (ETRN, RFC 1985) or handed over on the spot (ATRN, RFC 2645; TURN, RFC 821
//! §3.8), and what of it there is.
//!
//! ETRN only hastens what would happen anyway, over a connection of our own to wherever the DNS says. Its dangers are
//! work for nothing and knowledge for strangers (RFC 1985 §8): whom it is for is a policy, and how often, a limit. ATRN
//! and TURN give mail away: they are for the account that the operator gave the domain to, as `send_as = "@domain"`. The
//! right to send as anyone, which programs have that send for many, opens nobody's mail; nor does an address of one's
//! own in a domain.

mod limits;
mod waiting;

pub(crate) use limits::Limits;
pub(crate) use waiting::{Waiting, waiting_below, waiting_for};

use mta::admission::{Client, Decision};
use smtp::grammar::reversal::Node;
use types::directory::{AccountSettings, SendAs};
use types::{Domain, Reply, ReplyKind};

use crate::config::Etrn;

/// What is known when ETRN is decided about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EtrnFacts<'a> {
    pub(crate) policy: Etrn,
    pub(crate) client: Client<'a>,
    pub(crate) node: &'a Node,
    /// Mail for it goes into mailboxes here.
    pub(crate) is_local: bool,
    /// The operator has its mail wait until it is asked for.
    pub(crate) is_on_demand: bool,
    /// There is a queue of that name.
    pub(crate) is_queue: bool,
    pub(crate) waiting: Waiting,
}

/// Whether ETRN is for this client at all; else why not. Nothing needs to be looked up for that.
pub(crate) fn etrn_is_for(policy: Etrn, client: &Client<'_>, node: &Node) -> Result<(), &'static str> {
    match (policy, client, node) {
        (Etrn::Off, ..) => Err("ETRN is off here"),
        (Etrn::Trusted, Client::Stranger, _) => {
            Err("ETRN is for those who have logged in and trusted networks")
        }
        // RFC 1985 §8: those options only for systems that make sense.
        (_, Client::Stranger, Node::Subtree(_) | Node::Queue(_)) => Err("strangers name one host"),
        (_, Client::Authenticated(_), Node::Queue(_)) => Err("queues are for the operator's own networks"),
        (_, Client::Authenticated(rights), Node::Subtree(domain)) => {
            let is_own = own_domains(rights.settings).any(|own| is_at_or_below(domain, own));
            if is_own { Ok(()) } else { Err("the account has no right to that domain") }
        }
        _ => Ok(()),
    }
}

/// The answer to ETRN. Where it is 252 or 253, or 250, the queue is to be started.
pub(crate) fn decide_etrn(facts: &EtrnFacts<'_>) -> Decision {
    let node = facts.node;
    if let Err(why) = etrn_is_for(facts.policy, &facts.client, node) {
        return refused(node, why);
    }
    if facts.is_local {
        return refused(node, "its mail is delivered here and waits for nobody");
    }
    if matches!(node, Node::Queue(_)) {
        return if facts.is_queue {
            decision(ReplyKind::QueueStarted.with(node), "the queue is started")
        } else {
            refused(node, "there is no such queue")
        };
    }
    match facts.waiting {
        Waiting::Counted(0) if facts.is_queue => decision(
            ReplyKind::QueueStarted.with(node),
            "the domains that this host takes mail for are started",
        ),
        // Whoever is trusted may ask until it is empty; a stranger learns of no other domain.
        Waiting::Counted(0) if facts.client.may_relay() || facts.is_on_demand => {
            decision(ReplyKind::QueueEmpty.with(node), "nothing waits")
        }
        Waiting::Counted(0) => refused(node, "no mail is kept for it here"),
        Waiting::Counted(1) => counted("1 pending message".to_owned(), node),
        Waiting::Counted(number) => counted(format!("{number} pending messages"), node),
        Waiting::Many => decision(ReplyKind::QueuePending.with(node), "mail waits, too much to count"),
        Waiting::Unknown => {
            decision(ReplyKind::QueueNotStarted.with(node), "the store could not say what waits")
        }
    }
}

fn counted(number: String, node: &Node) -> Decision {
    let reply = ReplyKind::QueuePendingCounted.with(format_args!("{number} for node {node}"));
    Decision { reply, reason: number.into() }
}

pub(crate) fn refused(node: &Node, why: &'static str) -> Decision {
    decision(ReplyKind::NodeNotAllowed.with(format_args!("{node} not allowed: {why}")), why)
}

fn decision(reply: Reply, reason: &'static str) -> Decision {
    Decision { reply, reason: reason.into() }
}

/// The domains whose mail is the account's.
pub(crate) fn own_domains(settings: &AccountSettings) -> impl Iterator<Item = &Domain> {
    settings.send_as.iter().filter_map(|send_as| match send_as {
        SendAs::Domain(domain) => Some(domain),
        SendAs::Address(_) | SendAs::Anyone => None,
    })
}

/// Which domains an account asks for: those that it names, each once, or all of its own. Where it has no right to one
/// of them, that one: then it gets no mail for any (RFC 2645 §5.2.1).
pub(crate) fn asked_for<'a>(
    settings: &'a AccountSettings,
    named: &'a [Domain],
) -> Result<Vec<Domain>, &'a Domain> {
    if let Some(foreign) = named.iter().find(|named| !own_domains(settings).any(|own| own == *named)) {
        return Err(foreign);
    }
    let mut domains: Vec<Domain> = Vec::new();
    let all: Vec<&Domain> =
        if named.is_empty() { own_domains(settings).collect() } else { named.iter().collect() };
    for domain in all {
        if !domains.contains(domain) {
            domains.push(domain.clone());
        }
    }
    Ok(domains)
}

fn is_at_or_below(domain: &Domain, above: &Domain) -> bool {
    domain == above || domain.ascii().strip_suffix(above.ascii()).is_some_and(|below| below.ends_with('.'))
}

#[cfg(test)]
mod tests;
