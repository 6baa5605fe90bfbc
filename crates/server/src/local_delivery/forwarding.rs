//! The reverse-path of what an address here sends on to another host.
//!
//! It stays that of who sent the message (RFC 5321 §3.9.1), but for strangers, whose domains do not name this host in their SPF
//! records: for theirs an address of ours is put (`mta::srs`), by which bounces find back.
//!
//! SPF of the next host then passes for our domain, and so does DMARC where `From` is of our organization too (RFC 9989 §4.4.2).
//! Where nothing proves such an author the reverse-path stays the stranger's, lest our name make the forgery pass.

use mta::admission::Client;
use mta::resolve::Addressed;
use types::{Domain, ForwardPath, Host, Mailbox, ReversePath, Timestamp};

use super::Addressee;
use crate::authenticity::is_within;
use crate::config::Switch;
use crate::directory::Route;
use crate::shared::Shared;
use crate::signing::{above, is_ours};

/// Gives what is sent on its reverse-path.
pub(super) struct Forwarding<'a> {
    shared: &'a Shared,
    now: Timestamp,
    sender: Sender<'a>,
    /// Whom the message shows as its author and nothing proves, and the domains of ours above those.
    claimed: Vec<Domain>,
}

enum Sender<'a> {
    /// Nobody, one of ours, or nothing is to be rewritten.
    Kept,
    /// Somebody elsewhere.
    Stranger { sender: &'a Mailbox, domain: Option<&'a Domain> },
    /// Somebody elsewhere; and bounces to the domain of the configuration would not come here.
    NoDomain(&'a Domain),
}

impl<'a> Forwarding<'a> {
    /// Of a message from `reverse_path`. What is not sent on costs no look-up.
    ///
    /// # Errors
    /// The store cannot be asked whose domain that is.
    pub(super) async fn of(
        shared: &'a Shared,
        client: Client<'_>,
        reverse_path: &'a ReversePath,
        claimed: &[Domain],
        addressees: &[Addressee<'_>],
    ) -> Result<Self, store::StoreError> {
        let Shared { config, directory, .. } = shared;
        let store = &*shared.store;
        let config = &config.forwarding;
        let domain = config.srs_domain.as_ref();
        let is_stranger = matches!(client, Client::Stranger);
        let sends_on = |route: &Route| {
            let is_local = !matches!(route.addressed, Addressed::Foreign | Addressed::WayBack { .. });
            is_local && route.foreign().next().is_some()
        };
        let is_sent_on = addressees.iter().any(|addressee| sends_on(addressee.route));
        let sender = match reverse_path {
            ReversePath::Mailbox(sender) if is_stranger && is_sent_on && config.srs == Switch::On => {
                if let Host::Domain(of_sender) = &sender.host
                    && directory.is_ours(store, of_sender).await?
                {
                    Sender::Kept
                } else {
                    match domain {
                        Some(domain) if !directory.is_ours(store, domain).await? => Sender::NoDomain(domain),
                        domain => Sender::Stranger { sender, domain },
                    }
                }
            }
            ReversePath::Mailbox(_) | ReversePath::Null => Sender::Kept,
        };
        let is_rewritten = matches!(sender, Sender::Stranger { .. });
        let claimed = if is_rewritten { organizations(shared, claimed).await? } else { Vec::new() };
        Ok(Self { shared, now: shared.now(), sender, claimed })
    }

    /// One of the author's organization, as far as is known here, for whom nobody vouches.
    fn author_at(&self, domain: &Domain) -> Option<&Domain> {
        let (claimed, ours) = (&self.claimed, domain.ascii());
        claimed.iter().find(|author| is_within(author.ascii(), ours) || is_within(ours, author.ascii()))
    }

    /// The reverse-path of what the address `by` sends on where it is rewritten, and what the trace is told of that.
    pub(super) fn rewritten(&self, by: &ForwardPath) -> (Option<ReversePath>, String) {
        match self.sender {
            Sender::Kept => (None, String::new()),
            Sender::NoDomain(domain) => (
                None,
                format!("; reverse-path kept: {domain} of forwarding.srs_domain is no domain of this server"),
            ),
            Sender::Stranger { sender, domain } => {
                let of_address = by.mailbox().and_then(|by| by.host.domain());
                let domain = domain.or(of_address).unwrap_or(&self.shared.config.host_name);
                if let Some(author) = self.author_at(domain) {
                    let words = format!("; reverse-path kept: nothing proves that the author is of {author}");
                    return (None, words);
                }
                match self.shared.directory.srs().rewritten(sender, domain, self.now) {
                    Ok(rewritten) => {
                        let words = format!("; reverse-path rewritten (SRS): {rewritten}");
                        (Some(ReversePath::Mailbox(rewritten)), words)
                    }
                    Err(why) => (None, format!("; reverse-path kept: {why}")),
                }
            }
        }
    }
}

/// The domains, and those above them that are of this server.
async fn organizations(shared: &Shared, claimed: &[Domain]) -> Result<Vec<Domain>, store::StoreError> {
    let mut all = Vec::new();
    for author in claimed {
        for domain in above(author) {
            if domain == *author || is_ours(shared, &domain).await? {
                all.push(domain);
            }
        }
    }
    Ok(all)
}
