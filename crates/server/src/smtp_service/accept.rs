//! From the first octet of a message to its durable commit.

use std::sync::atomic::Ordering;

use bytes::Bytes;
use smtp::grammar::command::HelloVerb;
use smtp::server::{Recipient, Session, Transaction};
use store::{Acceptance, Delivery, Flags, StoreError};
use tracing::{error, info, warn};
use types::{Host, MailId, Protocol, Reply, ReplyKind, Timestamp, TlsParameters};

use super::Route;
use crate::body::Collector;
use crate::logging::Outside;
use crate::shared::{Peer, Shared, new_mail_id, now};
use mta::trace_fields::{Receipt, delivery, received};

/// A message that is coming in.
pub(super) struct Incoming {
    mail_id: MailId,
    received_at: Timestamp,
    collector: Collector,
    client_name: Host,
    /// `Received` fields that the message came with, once its first octets are there.
    hops: Option<usize>,
}

impl Incoming {
    /// Gives the message its id and its `Received` field.
    pub(super) async fn begin(
        shared: &Shared,
        session: &Session<Route>,
        tls: Option<&TlsParameters>,
        peer: &Peer,
    ) -> Self {
        let received_at = now();
        let mail_id = new_mail_id(received_at);
        let (client_name, verb) = session.hello().map_or_else(
            || (Host::Literal(types::AddressLiteral::Ip(peer.address.ip())), HelloVerb::Helo),
            |hello| (hello.host.clone(), hello.verb),
        );
        let mut collector = Collector::new(&shared.memory);
        if let Some(transaction) = session.transaction() {
            let receipt = Receipt {
                client_name: &client_name,
                client_ip: peer.address.ip().to_canonical(),
                host_name: &shared.host_name,
                protocol: Protocol {
                    lmtp: false,
                    extended: verb == HelloVerb::Ehlo,
                    tls: tls.is_some(),
                    authenticated: false,
                    smtputf8: transaction.mail.parameters.smtputf8,
                },
                tls,
                mail_id,
                received_at,
            };
            let field = received(&receipt, &transaction.envelope());
            collector.append(&*shared.store, &mut field.into_bytes()).await;
        }
        Self { mail_id, received_at, collector, client_name, hops: None }
    }

    pub(super) async fn append(&mut self, shared: &Shared, octets: &mut Vec<u8>) {
        // The fields that count stand on top: the first octets that come hold them.
        self.hops.get_or_insert_with(|| mta::hops::received_count(octets));
        self.collector.append(&*shared.store, octets).await;
    }

    /// Commits the message, and only then says `250` (design promise 1).
    pub(super) async fn accept(
        self,
        shared: &Shared,
        transaction: &Transaction<Route>,
        peer: &Peer,
    ) -> Reply {
        let hops_max = shared.config.smtp.hops_max;
        if let Some(hops) = self.hops.filter(|hops| *hops > hops_max) {
            return ReplyKind::MailLoop.with(hops);
        }
        let mail_id = self.mail_id;
        let committed = self.commit(shared, transaction, peer).await;
        log(&committed, mail_id, transaction, peer);
        match committed {
            Ok(()) => {
                shared.messages.fetch_add(1, Ordering::Relaxed);
                ReplyKind::MessageAccepted.with(mail_id)
            }
            Err(StoreError::Full(_)) => ReplyKind::StorageFull.reply(),
            Err(_) => ReplyKind::StorageFailed.reply(),
        }
    }

    async fn commit(
        self,
        shared: &Shared,
        transaction: &Transaction<Route>,
        peer: &Peer,
    ) -> Result<(), StoreError> {
        let (body, lease) = self.collector.finish()?;
        let acceptance = Acceptance {
            mail_id: self.mail_id,
            received_at: self.received_at,
            envelope: transaction.envelope(),
            origin: format!("{} ({})", peer.address.ip().to_canonical(), self.client_name),
            body,
            deliveries: deliveries(transaction, &shared.host_name),
            idempotency: None,
        };
        let delivered = shared.store.accept(acceptance).await;
        drop(lease);
        delivered.map(drop)
    }
}

/// One delivery for each mailbox, however many recipients lead to it.
fn deliveries(transaction: &Transaction<Route>, host_name: &str) -> Vec<Delivery> {
    let mut deliveries: Vec<Delivery> = Vec::with_capacity(transaction.recipients.len());
    let mut seen = std::collections::HashSet::new();
    for Recipient { forward_path, route, .. } in &transaction.recipients {
        if seen.insert(route.mailbox) {
            deliveries.push(Delivery {
                mailbox: route.mailbox,
                header: Bytes::from(delivery(&transaction.mail.reverse_path, forward_path, host_name)),
                flags: Flags::NONE,
            });
        }
    }
    deliveries
}

fn log(committed: &Result<(), StoreError>, mail_id: MailId, transaction: &Transaction<Route>, peer: &Peer) {
    let session_id = peer.session_id;
    let peer_ip = peer.address.ip();
    let reverse_path = Outside(&transaction.mail.reverse_path);
    let recipients = transaction.recipients.len();
    match committed {
        Ok(()) => info!(%session_id, %peer_ip, %mail_id, %reverse_path, recipients, "message accepted"),
        Err(StoreError::Full(why)) => {
            warn!(%session_id, %peer_ip, %mail_id, %why, "message refused: no room (452)");
        }
        Err(why) => error!(%session_id, %peer_ip, %mail_id, %why, "message refused: not stored (451)"),
    }
}
