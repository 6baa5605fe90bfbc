//! From the first octet of a message to its durable commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mta::admission::message::{MessageFacts, refusal};
use mta::admission::{Client, Decision};
use mta::rate::Rate;
use mta::trace_fields::{Receipt, received};
use smtp::grammar::command::HelloVerb;
use smtp::server::{Role, Transaction};
use store::{Acceptance, Accepted, Idempotency, StoreError};
use tracing::{error, info, warn};
use types::{EventStep, Host, MailId, Mailbox, Protocol, Reply, ReplyKind, Timestamp};

use super::content::{About, Care, Findings, Head};
use super::deliveries::Deliveries;
use super::identity::{Identity, standing};
use super::sender::{storage, submitter};
use super::{Driver, config, mta_role};
use crate::body::Collector;
use crate::directory::Route;
use crate::listener::ListenerFacts;
use crate::logging::Outside;
use crate::shared::{Peer, Shared, new_mail_id, now};
use crate::timeline::Timeline;

/// A message that is coming in.
pub(super) struct Incoming {
    mail_id: MailId,
    received_at: Timestamp,
    collector: Collector,
    /// `Received`, until it is stored.
    received: Vec<u8>,
    head: Head,
    findings: Findings,
    envelope: EnvelopeFacts,
    client_name: Host,
}

/// What of the envelope matters for the content.
struct EnvelopeFacts {
    role: mta::admission::Role,
    reverse_path: types::ReversePath,
    smtputf8: bool,
    lists: Vec<Mailbox>,
    only_lists: bool,
    is_trusted: bool,
}

/// `Received` fields of this host that a message may carry: it came back that often, to be sent on again each time.
const OWN_HOPS_MAX: usize = 10;

impl Driver {
    /// Gives the message its `Received` field.
    pub(super) fn begin_message(&self) -> Option<Incoming> {
        let transaction = self.session.transaction()?;
        let received_at = now();
        let mail_id = self.timeline.mail_id().unwrap_or_else(|| new_mail_id(received_at));
        let (client_name, verb) = self.session.hello().map_or_else(
            || (Host::Literal(types::AddressLiteral::Ip(self.peer.ip())), HelloVerb::Helo),
            |hello| (hello.host.clone(), hello.verb),
        );
        let role = config::role(self.facts.service);
        let smtputf8 = transaction.mail.parameters.smtputf8;
        let receipt = Receipt {
            client_name: &client_name,
            client_ip: self.peer.ip(),
            host_name: &self.shared.host_name,
            protocol: Protocol {
                lmtp: role == Role::Lmtp,
                extended: verb.is_extended(),
                tls: self.tls.is_some(),
                authenticated: self.session.is_authenticated(),
                smtputf8,
            },
            tls: self.tls.as_ref(),
            mail_id,
            received_at,
        };
        let received = received(&receipt, &transaction.envelope()).into_bytes();
        let lists: Vec<_> = transaction
            .recipients
            .iter()
            .flat_map(|recipient| recipient.route.lists())
            .map(|(address, _)| address.clone())
            .collect();
        let only_lists =
            !lists.is_empty() && transaction.recipients.iter().all(|r| r.route.accounts().next().is_none());
        let content_role = match mta_role(self.facts.service) {
            // Who has logged in submits, lest this listener be the way round what submission asks of an author.
            mta::admission::Role::Transfer if self.identity.is_some() => mta::admission::Role::Submission,
            role => role,
        };
        let is_submitted = content_role == mta::admission::Role::Submission;
        let care = if is_submitted || !lists.is_empty() { Care::Whole } else { Care::Joint };
        let client = standing(&self.shared, &self.peer, self.identity.as_ref());
        Some(Incoming {
            mail_id,
            received_at,
            collector: Collector::new(&self.shared.memory),
            received,
            head: Head::new(&care, self.shared.config.submission.header_bytes_max.as_usize()),
            findings: Findings::default(),
            envelope: EnvelopeFacts {
                role: content_role,
                reverse_path: transaction.mail.reverse_path.clone(),
                smtputf8,
                lists,
                only_lists,
                is_trusted: matches!(client, Client::TrustedNetwork),
            },
            client_name,
        })
    }
}

impl Incoming {
    pub(super) async fn append(
        &mut self,
        shared: &Shared,
        identity: Option<&Identity>,
        octets: &mut Vec<u8>,
    ) {
        self.dealt_with_head(shared, identity, octets, false).await;
        self.collector.append(&*shared.store, octets).await;
    }

    /// Stores the start of the message once it is known what that is to be.
    async fn dealt_with_head(
        &mut self,
        shared: &Shared,
        identity: Option<&Identity>,
        octets: &mut Vec<u8>,
        is_all: bool,
    ) {
        if matches!(self.head, Head::Done) {
            return;
        }
        let about = About {
            role: self.envelope.role,
            client: match identity {
                Some(identity) => Client::Authenticated(identity.rights()),
                None if self.envelope.is_trusted => Client::TrustedNetwork,
                None => Client::Stranger,
            },
            reverse_path: &self.envelope.reverse_path,
            smtputf8: self.envelope.smtputf8,
            lists: &self.envelope.lists,
            only_lists: self.envelope.only_lists,
            now: self.received_at,
            mail_id: self.mail_id,
            host_name: &shared.config.host_name,
        };
        if let Some(mut start) = self.head.take(octets, is_all, &about, &mut self.findings) {
            self.collector.append(&*shared.store, &mut self.received).await;
            if !start.is_empty() {
                self.collector.append(&*shared.store, &mut start).await;
            }
        }
    }

    /// Commits the message, and only then says `250` (design promise 1).
    pub(super) async fn accept(mut self, to: Acceptor<'_>, timeline: &mut Timeline) -> Reply {
        let mut rest = Vec::new();
        self.dealt_with_head(to.shared, to.identity, &mut rest, true).await;
        self.collector.append(&*to.shared.store, &mut rest).await;
        if let Some(Decision { reply, reason }) = self.refusal(&to) {
            info!(mail_id = %self.mail_id, reply = %reply, %reason, "message refused");
            timeline.decided(EventStep::Content, None, &reply, reason);
            return reply;
        }
        let mail_id = self.mail_id;
        let committed = self.commit(&to, timeline).await;
        log(&committed, mail_id, &to);
        let (reply, reason) = match committed {
            Ok(Some(Accepted { mail_id: first, repeated: true, .. })) => {
                let reason = format!("its key was used before, by {first}: nothing is stored again");
                (ReplyKind::MessageAccepted.with(first), reason)
            }
            Ok(Some(_)) => {
                to.shared.messages.fetch_add(1, Ordering::Relaxed);
                (
                    ReplyKind::MessageAccepted.with(mail_id),
                    format!("{} octets, synced to disk", to.size_bytes),
                )
            }
            Ok(None) => (ReplyKind::NoValidRecipients.reply(), "no recipient leads to a mailbox".to_owned()),
            Err(StoreError::Full(why)) => (ReplyKind::StorageFull.reply(), why),
            Err(error) => (ReplyKind::StorageFailed.reply(), error.to_string()),
        };
        timeline.decided(EventStep::Stored, None, &reply, reason);
        reply
    }

    /// Why the message is not taken, now that all of it is known.
    fn refusal(&self, to: &Acceptor<'_>) -> Option<Decision> {
        let client = standing(to.shared, to.peer, to.identity);
        let refused = refusal(&MessageFacts {
            client,
            size_bytes: to.size_bytes,
            message_bytes_max: to.facts.message_bytes_max,
            hops: self.findings.hops,
            hops_max: to.shared.config.smtp.hops_max,
            own_hops: self.findings.own_hops,
            own_hops_max: OWN_HOPS_MAX,
            delivered_before: self.findings.was_on.as_ref(),
            header: self.findings.problem.as_ref(),
            storage: storage(to.shared),
        });
        refused.or_else(|| {
            // Counted here and not at MAIL, so that only what is sent counts.
            let submitter = submitter(to.facts, to.peer, to.identity)?;
            match to.shared.rates.take(&submitter, now()) {
                Rate::Within => None,
                Rate::Exceeded { wait } => Some(mta::admission::sender::rate_exceeded(wait)),
            }
        })
    }

    /// `None` where there is no mailbox to deliver to.
    async fn commit(
        self,
        to: &Acceptor<'_>,
        timeline: &mut Timeline,
    ) -> Result<Option<Accepted>, StoreError> {
        let Acceptor { shared, peer, identity, transaction, .. } = *to;
        let mail = &transaction.mail;
        let client = standing(shared, peer, identity);
        let lists = transaction.recipients.iter().flat_map(|recipient| recipient.route.lists());
        let _turn = shared.directory.turn(lists.map(|(_, list)| list.members.len()).sum()).await;
        let deliveries = Deliveries::new(shared, client, &mail.reverse_path);
        let (deliveries, notes) = deliveries.of(transaction, |index| to.is_for(index)).await?;
        if deliveries.is_empty() {
            notes.tell(timeline);
            return Ok(None);
        }
        let window = shared.config.submission.idempotency_window_s.duration();
        let idempotency = match (&mail.parameters.idempotency_key, identity) {
            (Some(key), Some(identity)) => Some(Idempotency {
                account: identity.account().id,
                key: key.clone(),
                expires_at: self.received_at.plus(window),
            }),
            _ => None,
        };
        let (body, lease) = self.collector.finish()?;
        let mut envelope = transaction.envelope();
        let mut indices = 0..;
        envelope.recipients.retain(|_| indices.next().is_some_and(|index| to.is_for(index)));
        let acceptance = Acceptance {
            mail_id: self.mail_id,
            received_at: self.received_at,
            envelope,
            origin: format!("{} ({})", peer.ip(), self.client_name),
            body,
            deliveries,
            queue: Vec::new(),
            claim: store::QueueClaim::Later,
            idempotency,
        };
        let accepted = shared.store.accept(acceptance).await;
        drop(lease);
        if let Ok(Accepted { repeated: false, .. }) = &accepted {
            notes.tell(timeline);
        }
        accepted.map(Some)
    }
}

/// Whoever takes a message, and from whom.
#[derive(Clone, Copy)]
pub(super) struct Acceptor<'a> {
    pub(super) shared: &'a Shared,
    pub(super) facts: &'a ListenerFacts,
    pub(super) peer: &'a Peer,
    pub(super) identity: Option<&'a Identity>,
    pub(super) transaction: &'a Transaction<Arc<Route>>,
    pub(super) size_bytes: u64,
    /// For each recipient, in LMTP, the reply of those for whom it is not taken after all.
    pub(super) late: &'a [Option<Reply>],
}

impl Acceptor<'_> {
    /// Whether it is taken for this recipient.
    fn is_for(&self, index: usize) -> bool {
        !matches!(self.late.get(index), Some(Some(_)))
    }
}

fn log(committed: &Result<Option<Accepted>, StoreError>, mail_id: MailId, to: &Acceptor<'_>) {
    let session_id = to.peer.session_id;
    let peer_ip = to.peer.ip();
    let reverse_path = Outside(&to.transaction.mail.reverse_path);
    let recipients = to.transaction.recipients.len();
    match committed {
        Ok(Some(_)) => info!(%session_id, %peer_ip, %mail_id, %reverse_path, recipients, "message accepted"),
        Ok(None) => {
            info!(%session_id, %peer_ip, %mail_id, %reverse_path, recipients, "message refused: for nobody")
        }
        Err(StoreError::Full(why)) => {
            warn!(%session_id, %peer_ip, %mail_id, %why, "message refused: no room (452)");
        }
        Err(why) => error!(%session_id, %peer_ip, %mail_id, %why, "message refused: not stored (451)"),
    }
}
