//! From the first octet of a message to its durable commit.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use mta::admission::message::{MessageFacts, refusal};
use mta::admission::{Client, Decision};
use mta::dsn::HEADER_BYTES_MAX;
use mta::list::author::Authorship;
use mta::resolve::{Addressed, LeadsTo};
use mta::trace_fields::{Receipt, received};
use smtp::grammar::command::HelloVerb;
use smtp::server::{Recipient, Role};
use store::{Acceptance, Accepted, Body, Idempotency, QueueClaim, StoreError};
use types::{Envelope, EventStep, Host, MailId, Mailbox, Notify, Protocol, Reply, ReplyKind, Timestamp};

use super::acceptor::{Acceptor, UNREPORTED, log, refused};
use super::content::{About, Care, Findings, Head};
use super::identity::{Identity, standing};
use super::rooms::rooms_of_all;
use super::sender::{over_rate, released_at, storage};
use super::verification::{Genuine, judge};
use super::{Driver, config, lists, mta_role};
use crate::authenticity::Verification;
use crate::body::Collector;
use crate::delivery::Fresh;
use crate::directory::Route;
use crate::local_delivery::{
    Distribution, Distributor, Leaving, ListMessage, Notes, Source, held, list_messages, success_reports,
};
use crate::reputation::Inquiry;
use crate::shared::Shared;
use crate::signing::{self, Author, Content, Found, Poster, Proof, Reading, Signed};
use crate::timeline::Timeline;

/// A message that is coming in.
pub(super) struct Incoming {
    mail_id: MailId,
    received_at: Timestamp,
    collector: Collector,
    /// `Received`, until it is stored.
    received: Vec<u8>,
    /// The first octets of what is stored, where a report may be due that quotes them.
    beginning: Option<Vec<u8>>,
    head: Head,
    findings: Findings,
    envelope: EnvelopeFacts,
    client_name: Host,
    /// Who really sent it, where that is asked.
    verification: Option<Box<Verification>>,
    /// What others know of who sends, where that is asked.
    pub(super) inquiry: Option<Box<Inquiry>>,
    /// What is signed of it, where it may leave with a signature.
    reading: Option<Box<Reading>>,
}

/// What of the envelope matters for the content.
struct EnvelopeFacts {
    role: mta::admission::Role,
    reverse_path: types::ReversePath,
    smtputf8: bool,
    lists: Vec<Mailbox>,
    only_lists: bool,
    /// Addresses here that send it on to other hosts.
    forwarders: Vec<Mailbox>,
    is_trusted: bool,
    /// What leaves of it is signed as ours.
    is_ours: bool,
}

/// `Received` fields of this host that a message may carry: it came back that often, to be sent on again each time.
const OWN_HOPS_MAX: usize = 10;
/// Octets of a message that the way out is handed in memory; a larger one is read again.
const FRESH_BYTES_MAX: usize = 16 * 1024;

impl Driver {
    /// Gives the message its `Received` field.
    pub(super) fn begin_message(&self, verification: Option<Box<Verification>>) -> Option<Incoming> {
        let transaction = self.session.transaction()?;
        let received_at = self.shared.now();
        let mail_id = self.timeline.mail_id().unwrap_or_else(|| self.shared.new_mail_id(received_at));
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
        let mut targets = transaction.recipients.iter().flat_map(|recipient| &recipient.route.targets);
        let only_lists =
            !lists.is_empty() && targets.all(|target| matches!(target.leads_to, LeadsTo::List { .. }));
        let forwarders: Vec<_> = transaction.recipients.iter().filter_map(forwarder).cloned().collect();
        let wants_report = transaction
            .recipients
            .iter()
            .any(|recipient| matches!(recipient.dsn.notify, Some(Notify::When { success: true, .. })));
        let content_role = match mta_role(self.facts.service) {
            // Who has logged in submits, lest this listener be the way round what submission asks of an author.
            mta::admission::Role::Transfer if self.identity.is_some() => mta::admission::Role::Submission,
            role => role,
        };
        let is_submitted = content_role == mta::admission::Role::Submission;
        // What is sent on to other hosts may come back from them.
        let is_sent_on =
            transaction.recipients.iter().any(|recipient| recipient.route.foreign().next().is_some());
        let is_whole = is_submitted || !lists.is_empty() || is_sent_on || verification.is_some();
        let care = if is_whole { Care::Whole } else { Care::Joint };
        let client = standing(&self.shared, &self.peer, self.identity.as_ref());
        let is_ours = self.is_ours();
        let is_signed = (is_sent_on || !lists.is_empty())
            // What is held is signed when it is released.
            && released_at(&transaction.mail, received_at) <= received_at
            && signing::is_wanted(&self.shared, is_ours || !lists.is_empty(), verification.is_some());
        Some(Incoming {
            mail_id,
            received_at,
            collector: Collector::new(&self.shared.memory),
            received,
            beginning: wants_report.then(Vec::new),
            head: Head::new(&care, self.shared.config.submission.header_bytes_max.as_usize()),
            findings: Findings::default(),
            envelope: EnvelopeFacts {
                role: content_role,
                reverse_path: transaction.mail.reverse_path.clone(),
                smtputf8,
                lists,
                only_lists,
                forwarders,
                is_trusted: matches!(client, Client::TrustedNetwork),
                is_ours,
            },
            client_name,
            verification,
            inquiry: None,
            reading: is_signed.then(|| Box::new(Reading::new())),
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
        if let Some(verification) = &mut self.verification {
            verification.push_body(octets);
        }
        if let Some(reading) = &mut self.reading {
            reading.push(octets);
        }
        self.store(shared, octets).await;
    }

    async fn store(&mut self, shared: &Shared, octets: &mut Vec<u8>) {
        if let Some(beginning) = &mut self.beginning {
            let room = HEADER_BYTES_MAX.saturating_sub(beginning.len());
            beginning.extend_from_slice(&octets[..octets.len().min(room)]);
        }
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
            forwarders: &self.envelope.forwarders,
            now: self.received_at,
            mail_id: self.mail_id,
            host_name: &shared.config.host_name,
            is_verified: self.verification.is_some(),
        };
        let start = self.head.take(octets, is_all, &about, &mut self.findings);
        if let (Some(header), Some(verification)) = (self.findings.header.take(), &mut self.verification) {
            verification.read_header(&header);
        }
        if let Some(mut start) = start {
            if let Some(reading) = &mut self.reading {
                reading.begin(&start);
            }
            let mut received = std::mem::take(&mut self.received);
            self.store(shared, &mut received).await;
            if !start.is_empty() {
                self.store(shared, &mut start).await;
            }
        }
    }

    /// Commits the message, and only then says `250` (design promise 1).
    pub(super) async fn accept(mut self, to: Acceptor<'_>, timeline: &mut Timeline) -> Reply {
        let mut rest = Vec::new();
        self.dealt_with_head(to.shared, to.identity, &mut rest, true).await;
        self.store(to.shared, &mut rest).await;
        let mail_id = self.mail_id;
        if let Some(decision) = self.refusal(&to) {
            return refused(decision, mail_id, timeline);
        }
        // Whether there is room now: what finds none comes again and again, and is not judged and counted each time.
        if let Err(decision) = rooms_of_all(&to).await {
            return self.refused_unless_repeated(decision, &to, timeline).await;
        }
        if let Some(decision) = over_rate(&to) {
            return self.refused_unless_repeated(decision, &to, timeline).await;
        }
        let judged = judge(self.verification.take(), self.inquiry.take(), &to, mail_id, timeline).await;
        let genuine = match judged {
            Ok(genuine) => genuine,
            Err(reply) => return reply,
        };
        let to = Acceptor { withholds_reports: genuine.withholds_reports, ..to };
        let _rooms = match rooms_of_all(&to).await {
            Ok(rooms) => rooms,
            Err(decision) => return self.refused_unless_repeated(decision, &to, timeline).await,
        };
        let committed = self.commit(&to, genuine, timeline).await;
        log(&committed, mail_id, &to);
        let (reply, reason) = match committed {
            Ok(Some(Accepted { mail_id: first, repeated: true, .. })) => repeated(first),
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

    /// What there is no room for, or is over a rate, is so perhaps because the same came before: then that is what became of it.
    async fn refused_unless_repeated(
        &self,
        decision: Decision,
        to: &Acceptor<'_>,
        timeline: &mut Timeline,
    ) -> Reply {
        if let Some(Idempotency { account, key, .. }) = self.idempotency(to)
            && let Ok(Some(first)) = to.shared.store.accepted_before(account, &key, self.received_at).await
        {
            let (reply, reason) = repeated(first);
            timeline.decided(EventStep::Stored, None, &reply, reason);
            return reply;
        }
        refused(decision, self.mail_id, timeline)
    }

    /// Why the message is not taken, now that all of it is known.
    fn refusal(&self, to: &Acceptor<'_>) -> Option<Decision> {
        let client = standing(to.shared, to.peer, to.identity);
        refusal(&MessageFacts {
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
        })
    }

    /// `None` where nobody gets it.
    async fn commit(
        mut self,
        to: &Acceptor<'_>,
        genuine: Genuine,
        timeline: &mut Timeline,
    ) -> Result<Option<Accepted>, StoreError> {
        let shared = to.shared;
        let lists = to.transaction.recipients.iter().flat_map(|recipient| recipient.route.lists());
        let _turn = shared.directory.turn(lists.map(|(_, list)| list.members.len()).sum()).await;
        let authorship = match genuine.authorship {
            Some(checked) => checked,
            None => lists::authorship(shared, self.envelope.is_ours, &self.findings.authors).await?,
        };
        let mut distribution =
            self.distribute(to, authorship, genuine.proof, genuine.suspicion.as_deref()).await?;
        if distribution.is_empty() {
            distribution.notes.tell(timeline);
            return Ok(None);
        }
        distribution.put_on_top(&genuine.fields);
        let mut envelope = to.transaction.envelope();
        if to.withholds_reports {
            envelope.recipients.iter_mut().for_each(|recipient| recipient.dsn = UNREPORTED.clone());
        }
        let mut indices = 0..;
        envelope.recipients.retain(|_| indices.next().is_some_and(|index| to.is_for(index)));
        let idempotency = self.idempotency(to);
        let reports = self.reports(to, &envelope, &distribution, idempotency.as_ref()).await?;
        let Distribution { mut deliveries, queue, mut notes, rewritten, .. } = distribution;
        let content = self.reading.take().map(|reading| reading.finish());
        let found = genuine.found.as_ref();
        let Signed { mut queue, notes: mut signatures } =
            self.signed(to, found, genuine.proof, content.as_ref(), queue).await?;
        let (mail_id, received_at) = (self.mail_id, self.received_at);
        let origin = format!("{} ({})", to.peer.ip(), self.client_name);
        let (mut body, lease) = self.collector.finish()?;
        let mut messages =
            list_messages(shared, rewritten, &body, content.as_ref(), found, received_at).await?;
        if deliveries.is_empty() && queue.is_empty() && !messages.is_empty() {
            // Nobody gets it as it came.
            let first = messages.remove(0);
            ListMessage { deliveries, queue, body, signatures, .. } = first;
        }
        let fresh = (!queue.is_empty()).then(|| Envelope {
            parameters: envelope.parameters.clone(),
            ..Envelope::new(envelope.reverse_path.clone(), [])
        });
        let fresh = fresh.map(|envelope| Fresh { envelope, body: in_memory(&body) });
        let is_claimed = fresh.is_some() && shared.delivery.has_room();
        let has_queue = !queue.is_empty();
        let acceptance = Acceptance {
            mail_id,
            received_at,
            envelope,
            origin,
            body,
            deliveries,
            queue,
            claim: if is_claimed { QueueClaim::ByCaller } else { QueueClaim::Later },
            idempotency,
        };
        let of_lists = lists::acceptances(shared, messages, &acceptance, &mut notes);
        let accepted = store(shared, acceptance, of_lists, reports, timeline).await;
        drop(lease);
        let mut accepted = accepted?;
        if !accepted.repeated {
            notes.tell(timeline);
            signatures
                .into_iter()
                .for_each(|(about, what)| timeline.note_about(EventStep::Signed, about, what));
            let claimed = std::mem::take(&mut accepted.queue);
            if !claimed.is_empty() {
                shared.delivery.take_fresh(claimed, fresh);
            } else if has_queue {
                shared.delivery.wake();
            }
        }
        Ok(Some(accepted))
    }

    /// What becomes of the message for each recipient that it is taken for.
    async fn distribute(
        &self,
        to: &Acceptor<'_>,
        authorship: Authorship,
        proof: Proof,
        suspicion: Option<&str>,
    ) -> Result<Distribution, StoreError> {
        let mail = &to.transaction.mail;
        let addressees = to.addressees();
        let released_at = released_at(mail, self.received_at);
        if released_at > self.received_at {
            return Ok(held(to.shared, &mail.reverse_path, &addressees, released_at));
        }
        let client = standing(to.shared, to.peer, to.identity);
        let distributor = Distributor::new(to.shared, client, &mail.reverse_path, released_at);
        let claimed = if proof == Proof::Missing { &self.findings.authors[..] } else { &[] };
        distributor.written_by(authorship, claimed).suspected(suspicion).distribute(&addressees).await
    }

    /// What leaves, with its signatures.
    async fn signed(
        &self,
        to: &Acceptor<'_>,
        found: Option<&Found>,
        proof: Proof,
        content: Option<&Content>,
        queue: Vec<Leaving>,
    ) -> Result<Signed, StoreError> {
        let client = standing(to.shared, to.peer, to.identity);
        let poster = if self.envelope.is_ours {
            let author = client.rights().map_or(Author::Any, |rights| Author::Of(*rights));
            Poster::Ours { author, reverse_path: &self.envelope.reverse_path }
        } else {
            Poster::Stranger { found, author: proof }
        };
        signing::sign(to.shared, content, poster, queue, to.shared.now()).await
    }

    fn idempotency(&self, to: &Acceptor<'_>) -> Option<Idempotency> {
        let window = to.shared.config.submission.idempotency_window_s.duration();
        Some(Idempotency {
            account: to.identity?.account().id,
            key: to.transaction.mail.parameters.idempotency_key.clone()?,
            expires_at: self.received_at.plus(window),
        })
    }

    /// Reports of what ends here with its acceptance, to be stored with the message (RFC 3461 §5.2.3).
    async fn reports(
        &mut self,
        to: &Acceptor<'_>,
        envelope: &types::Envelope,
        distribution: &Distribution,
        idempotency: Option<&Idempotency>,
    ) -> Result<Vec<(Acceptance, Notes)>, StoreError> {
        if distribution.successes.is_empty() {
            return Ok(Vec::new());
        }
        let source = Source {
            envelope,
            mail_id: self.mail_id,
            received_at: self.received_at,
            received_from: Some((&self.client_name, to.peer.ip())),
            beginning: &self.beginning.take().unwrap_or_default(),
        };
        let recipients = &envelope.recipients;
        let now = to.shared.now();
        success_reports(to.shared, &source, recipients, &distribution.successes, idempotency, now).await
    }
}

/// Stores a message with what lists send of it and the reports that are due of it, all in one durable step: `250` promises both, and a crash
/// leaves neither, or the message with all its reports before it was answered, which is then sent again.
async fn store(
    shared: &Shared,
    acceptance: Acceptance,
    of_lists: Vec<Acceptance>,
    reports: Vec<(Acceptance, Notes)>,
    timeline: &mut Timeline,
) -> Result<Accepted, StoreError> {
    if reports.is_empty() && of_lists.is_empty() {
        let accepted = shared.store.accept(acceptance).await?;
        shared.mail_index.arrived(std::slice::from_ref(&accepted));
        return Ok(accepted);
    }
    let reports: Vec<_> = reports.into_iter().map(|(report, _)| report).collect();
    let addresses: Vec<_> = reports
        .iter()
        .flat_map(|report| report.envelope.forward_paths().map(|path| (path.to_string(), report.mail_id)))
        .collect();
    let has_queue = of_lists.iter().chain(&reports).any(|other| !other.queue.is_empty());
    // The message first: what a torn write leaves was not answered, and has a message for each report at least.
    let all = std::iter::once(acceptance).chain(of_lists).chain(reports).collect();
    let (_, accepted) = shared.store.settle(Vec::new(), all).await?;
    shared.mail_index.arrived(&accepted);
    let accepted = accepted
        .into_iter()
        .next()
        .ok_or_else(|| StoreError::Unavailable("the store does not say what it did".to_owned()))?;
    if has_queue {
        shared.delivery.wake();
    }
    if !accepted.repeated {
        for (address, report_id) in addresses {
            let address = address.trim_matches(['<', '>']);
            timeline.note_about(
                EventStep::Reported,
                address,
                format!("delivered; the report is {report_id}"),
            );
        }
    }
    Ok(accepted)
}

/// A short message, which the way out then need not read again.
fn in_memory(body: &Body) -> Option<Vec<bytes::Bytes>> {
    match body {
        Body::Memory(pieces) if pieces.iter().map(bytes::Bytes::len).sum::<usize>() <= FRESH_BYTES_MAX => {
            Some(pieces.clone())
        }
        Body::Memory(_) | Body::Staged(_) => None,
    }
}

/// The address of a recipient here that sends its mail on to other hosts.
fn forwarder(recipient: &Recipient<Arc<Route>>) -> Option<&Mailbox> {
    let route = &recipient.route;
    let forwards = route.addressed != Addressed::Foreign && route.foreign().next().is_some();
    recipient.forward_path.mailbox().filter(|_| forwards)
}

/// The reply to a message whose key came before.
fn repeated(first: MailId) -> (Reply, String) {
    let reason = format!("its key was used before, by {first}: nothing is stored again");
    (ReplyKind::MessageAccepted.with(first), reason)
}
