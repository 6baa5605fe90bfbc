//! Reports: of what was delivered here, and where any report goes.

use std::net::IpAddr;

use bytes::Bytes;
use mta::admission::Client;
use mta::dsn::{
    Action, Addressee as Told, Extent, Language, Notification, Occasion, Original, RECIPIENTS_MAX,
    RecipientReport, Report, compose,
};
use mta::outcome::{Diagnostic, Finding};
use store::{Acceptance, Body, Idempotency, QueueClaim, StoreError};
use types::{
    EnhancedStatus, Envelope, EnvelopeRecipient, EventStep, ForwardPath, Host, MailId, Mailbox, Timestamp,
};

use super::{Addressee, Distribution, Distributor, Notes};
use crate::shared::Shared;
use crate::signing::{self, Author, Content, Poster};

/// What a recipient has come to that is reported where its sender wants that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Success {
    /// It is in a mailbox here, or a list has it.
    Delivered,
    /// It stands for several others, which are not reported of.
    Expanded,
}

/// A message that is reported of.
pub(crate) struct Source<'a> {
    pub(crate) envelope: &'a Envelope,
    pub(crate) mail_id: MailId,
    pub(crate) received_at: Timestamp,
    /// What the client called itself, and its address.
    pub(crate) received_from: Option<(&'a Host, IpAddr)>,
    /// From its first octet on, with the header section at least.
    pub(crate) beginning: &'a [u8],
}

impl Success {
    const fn action(self) -> Action {
        match self {
            Self::Delivered => Action::Delivered,
            Self::Expanded => Action::Expanded,
        }
    }

    fn finding(self) -> Finding {
        let text = match self {
            Self::Delivered => "It was delivered here",
            Self::Expanded => "It was sent on to all addresses that this one stands for",
        };
        let status = EnhancedStatus::success(1, 5);
        Finding { status, diagnostic: Diagnostic::Local(text.to_owned()) }
    }
}

/// The reports that are due of `successes`, by the index of the recipient in `recipients`, each ready to be stored
/// together with the message. With a key of the message's own each has one too, so that a message that is sent again is
/// not reported of again.
pub(crate) async fn success_reports(
    shared: &Shared,
    source: &Source<'_>,
    recipients: &[EnvelopeRecipient],
    successes: &[(usize, Success)],
    idempotency: Option<&Idempotency>,
    now: Timestamp,
) -> Result<Vec<(Acceptance, Notes)>, StoreError> {
    if successes.is_empty() {
        return Ok(Vec::new());
    }
    let language = language_for(shared, Told::Sender, source.envelope).await?;
    let mut reports = Vec::new();
    for (number, successes) in successes.chunks(RECIPIENTS_MAX).enumerate() {
        let findings: Vec<_> = successes.iter().map(|(_, success)| success.finding()).collect();
        let told: Vec<_> = successes
            .iter()
            .zip(&findings)
            .filter_map(|((index, success), finding)| {
                Some(RecipientReport {
                    recipient: recipients.get(*index)?,
                    action: success.action(),
                    occasion: Occasion::Ordinary,
                    finding,
                    remote: None,
                    last_attempt_at: None,
                    will_retry_until: None,
                })
            })
            .collect();
        let report_id = shared.new_mail_id(now);
        let composed = compose(&Notification {
            host_name: &shared.config.host_name,
            postmaster: &postmaster(shared),
            addressee: Told::Sender,
            envelope: source.envelope,
            mail_id: source.mail_id,
            report_id,
            received_at: source.received_at,
            received_from: source.received_from,
            now,
            recipients: &told,
            // RFC 3461 §6.2: the whole of it goes back with failures alone.
            original: Original { octets: source.beginning, extent: Extent::Beginning },
            full_bytes_max: 0,
            language,
        });
        let Some(composed) = composed else { continue };
        let origin = format!("a report of {}", source.mail_id);
        if let Some((mut acceptance, notes)) = report(shared, composed, report_id, origin, now).await? {
            acceptance.idempotency = idempotency.map(|of_message| Idempotency {
                key: format!("report {number} of {}", of_message.key),
                ..of_message.clone()
            });
            reports.push((acceptance, notes));
        }
    }
    Ok(reports)
}

/// The language of a report: that of the account which its address leads to, and the configured one for everybody
/// else. Of several accounts the first that has one decides.
pub(crate) async fn language_for(
    shared: &Shared,
    addressee: Told,
    envelope: &Envelope,
) -> Result<Language, StoreError> {
    let configured = shared.config.queue.report_language;
    let mailbox = match addressee {
        Told::Sender => envelope.reverse_path.mailbox().cloned(),
        Told::Postmaster => Some(postmaster(shared)),
    };
    let Some(mailbox) = mailbox else { return Ok(configured) };
    let route = shared.directory.route(&*shared.store, &ForwardPath::Mailbox(mailbox)).await?;
    Ok(route.accounts().find_map(|account| account.settings.language()).unwrap_or(configured))
}

/// A report as it is stored: in the mailboxes and the queue to which its address leads. None where it leads nowhere.
pub(crate) async fn report(
    shared: &Shared,
    report: Report,
    report_id: MailId,
    origin: String,
    now: Timestamp,
) -> Result<Option<(Acceptance, Notes)>, StoreError> {
    let Report { envelope, message } = report;
    let mut routes = Vec::new();
    for recipient in &envelope.recipients {
        routes.push(shared.directory.route(&*shared.store, &recipient.forward_path).await?);
    }
    let addressees: Vec<_> = envelope
        .recipients
        .iter()
        .zip(&routes)
        .map(|(EnvelopeRecipient { forward_path, dsn }, route)| Addressee { forward_path, dsn, route })
        .collect();
    let distributor = Distributor::new(shared, Client::Stranger, &envelope.reverse_path, now);
    let distribution = distributor.distribute(&addressees).await?;
    if distribution.is_empty() {
        return Ok(None);
    }
    let Distribution { deliveries, queue, mut notes, .. } = distribution;
    // Nothing but a signature vouches for it where SPF has no reverse-path to ask about.
    let content = (!queue.is_empty()).then(|| Content::of(&message));
    let poster = Poster::Ours { author: Author::Any, reverse_path: &envelope.reverse_path };
    let signed = signing::sign(shared, content.as_ref(), poster, queue, now).await?;
    for (about, what) in signed.notes {
        notes.add(EventStep::Signed, about, what);
    }
    let acceptance = Acceptance {
        mail_id: report_id,
        received_at: now,
        envelope,
        origin,
        body: Body::Memory(vec![Bytes::from(message)]),
        deliveries,
        queue: signed.queue,
        claim: QueueClaim::Later,
        idempotency: None,
    };
    Ok(Some((acceptance, notes)))
}

/// The author of reports.
pub(crate) fn postmaster(shared: &Shared) -> Mailbox {
    // A dot-atom that is short enough to stand before any domain.
    #[allow(clippy::expect_used, reason = "`postmaster` is a local part")]
    let local_part = "postmaster".parse().expect("postmaster is a local part");
    Mailbox { local_part, host: Host::Domain(shared.config.host_name.clone()) }
}
