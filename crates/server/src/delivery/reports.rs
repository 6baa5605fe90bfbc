//! Reports, each ready to be stored with the settlement that it tells of; and what a held message comes to when its
//! time is over.

use std::net::IpAddr;

use bytes::Bytes;
use mta::dsn::{
    Action, Addressee, Extent, HEADER_BYTES_MAX, Notification, Occasion, Original, RECIPIENTS_MAX,
    RecipientReport, Remote, compose, is_wanted,
};
use mta::outcome::{Diagnostic, Finding};
use store::{Acceptance, Body, BodyStream, QueueClaim, QueueItem, StoreError};
use types::{
    DsnReturn, EnhancedStatus, Envelope, EnvelopeRecipient, EventStep, Host, MailId, MailParameters,
    ReversePath, Timestamp, Verdict,
};

use super::attempt::body;
use super::board::Loaded;
use super::fate::{Note, Told};
use super::runner::{Runner, Setup};
use crate::config::DoubleBounces;
use crate::local_delivery::{
    self, Distribution, Leaving, ListMessage, Released, Source, Success, language_for, list_messages,
    parameters_of, postmaster, sender_of, success_reports,
};
use crate::shared::Shared;
use crate::signing::{self, Author, Content, Poster, Signed};

/// Messages that are to be stored, and what the trace is told once they are.
#[derive(Default)]
pub(super) struct Made {
    pub(super) acceptances: Vec<Acceptance>,
    pub(super) notes: Vec<Note>,
}

/// Whether anybody is to be told anything, were it only the trace.
pub(super) fn are_due(item: &QueueItem, told: &[Told]) -> bool {
    told.iter().any(|told| is_for_sender(item, told) || is_double_bounce(item, told))
}

fn is_for_sender(item: &QueueItem, told: &Told) -> bool {
    is_wanted(&item.reverse_path, &told.recipient.dsn, told.action, told.occasion)
}

/// A report that failed itself: it has no sender.
fn is_double_bounce(item: &QueueItem, told: &Told) -> bool {
    item.reverse_path == ReversePath::Null && told.action == Action::Failed
}

/// A message that is reported of.
struct Reported<'a> {
    item: &'a QueueItem,
    envelope: Envelope,
    received_from: Option<(Host, IpAddr)>,
    octets: Vec<u8>,
    extent: Extent,
    /// It is a report of ours to our postmaster itself.
    is_for_postmaster: bool,
}

/// How the origin of a report of ours begins; no address does.
const REPORT_ORIGIN: &str = "a report of ";

/// The reports that are due of `told`.
///
/// # Errors
/// The message cannot be read now, or where its sender's address leads cannot be found out.
pub(super) async fn make(
    runner: &Runner,
    setup: &Setup,
    shared: &Shared,
    loaded: &Loaded,
    told: &[Told],
) -> Result<Made, String> {
    let item = &loaded.item;
    let is_double = told.iter().any(|told| is_double_bounce(item, told));
    if is_double && setup.config.queue.double_bounces == DoubleBounces::Discard {
        let reason =
            "a report that cannot be delivered has no sender to be told: discarded, as is configured";
        let note = Note::new(EventStep::Discarded, Verdict::Refused, reason.to_owned());
        return Ok(Made { acceptances: Vec::new(), notes: vec![note] });
    }
    let is_full = told.iter().any(|told| told.action == Action::Failed);
    let reported = read(setup, shared, loaded, is_full).await?;
    if is_double && reported.is_for_postmaster {
        // It may fail at an address elsewhere that the postmaster's mail goes on to: another one would fail there too.
        let reason = "a report to the postmaster cannot be delivered: it is recorded here alone";
        let note = Note::new(EventStep::Discarded, Verdict::Refused, reason.to_owned());
        return Ok(Made { acceptances: Vec::new(), notes: vec![note] });
    }
    let addressee = if is_double { Addressee::Postmaster } else { Addressee::Sender };
    let mut made = Made::default();
    for told in told.chunks(RECIPIENTS_MAX) {
        one(runner, setup, shared, &reported, told, addressee, &mut made).await?;
    }
    Ok(made)
}

/// One report, to whom it can be told: where the sender's address leads nowhere, the postmaster hears of failures.
async fn one(
    runner: &Runner,
    setup: &Setup,
    shared: &Shared,
    reported: &Reported<'_>,
    told: &[Told],
    addressee: Addressee,
    made: &mut Made,
) -> Result<(), String> {
    let now = setup.world.now();
    let failed = told.iter().any(|told| told.action == Action::Failed);
    for addressee in [addressee, Addressee::Postmaster] {
        if addressee == Addressee::Postmaster
            && (!failed || setup.config.queue.double_bounces == DoubleBounces::Discard)
        {
            break;
        }
        let report_id = runner.new_id(setup);
        let Some(report) = composed(setup, shared, reported, told, addressee, report_id, now).await? else {
            continue;
        };
        let to = report.envelope.forward_paths().next().map(ToString::to_string).unwrap_or_default();
        let to = to.trim_matches(['<', '>']).to_owned();
        let origin = format!("{REPORT_ORIGIN}{}", reported.item.id.mail_id);
        let stored = local_delivery::report(shared, report, report_id, origin, now).await;
        match stored.map_err(|error| error.to_string())? {
            Some((acceptance, notes)) => {
                made.acceptances.push(acceptance);
                let reason = format!("{}; the report is {report_id}", kinds(told));
                made.notes.push(about(EventStep::Reported, Verdict::Accepted, to, reason));
                made.notes.extend(notes.into_told().map(|(step, address, reason)| {
                    about(step, Verdict::Noted, address, format!("the report {report_id}: {reason}"))
                }));
                return Ok(());
            }
            None => {
                let reason = "nobody is there who could get the report".to_owned();
                made.notes.push(about(EventStep::Reported, Verdict::Refused, to, reason));
            }
        }
    }
    if failed {
        let reason = "nobody can be told of the failure: it is recorded here alone".to_owned();
        made.notes.push(Note::new(EventStep::Discarded, Verdict::Refused, reason));
    }
    Ok(())
}

fn about(step: EventStep, verdict: Verdict, address: String, reason: String) -> Note {
    Note { address: Some(address).filter(|address| !address.is_empty()), ..Note::new(step, verdict, reason) }
}

/// `failed`, `delayed, relayed`
fn kinds(told: &[Told]) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for told in told {
        let kind = match told.action {
            Action::Failed => "failed",
            Action::Delayed => "delayed",
            Action::Delivered => "delivered",
            Action::Relayed => "relayed",
            Action::Expanded => "expanded",
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    kinds.join(", ")
}

/// The report, in the language of who gets it; none where nobody is to be told.
async fn composed(
    setup: &Setup,
    shared: &Shared,
    reported: &Reported<'_>,
    told: &[Told],
    addressee: Addressee,
    report_id: MailId,
    now: Timestamp,
) -> Result<Option<mta::dsn::Report>, String> {
    let language = language_for(shared, addressee, &reported.envelope).await;
    let recipients: Vec<_> = told.iter().map(recipient_report).collect();
    let received_from = reported.received_from.as_ref().map(|(host, ip)| (host, *ip));
    Ok(compose(&Notification {
        host_name: &setup.config.host_name,
        postmaster: &postmaster(shared),
        addressee,
        envelope: &reported.envelope,
        mail_id: reported.item.id.mail_id,
        report_id,
        received_at: reported.item.received_at,
        received_from,
        now,
        recipients: &recipients,
        original: Original { octets: &reported.octets, extent: reported.extent },
        full_bytes_max: setup.config.queue.report_full_bytes_max.as_usize(),
        language: language.map_err(|error| error.to_string())?,
    }))
}

fn recipient_report(told: &Told) -> RecipientReport<'_> {
    let remote = told
        .place
        .as_ref()
        .and_then(|place| place.address.map(|address| Remote { name: place.name.as_ref(), address }));
    RecipientReport {
        recipient: &told.recipient,
        action: told.action,
        occasion: told.occasion,
        finding: &told.finding,
        remote,
        last_attempt_at: told.last_attempt_at,
        will_retry_until: told.will_retry_until,
    }
}

/// What a report says of the message itself.
async fn read<'a>(
    setup: &Setup,
    shared: &Shared,
    loaded: &'a Loaded,
    is_full: bool,
) -> Result<Reported<'a>, String> {
    let item = &loaded.item;
    let found = setup.store.envelope(item.id.mail_id).await.map_err(|error| error.to_string())?;
    let (envelope, origin) =
        found.unwrap_or_else(|| (Envelope::new(item.reverse_path.clone(), []), String::new()));
    let is_for_postmaster = origin.starts_with(REPORT_ORIGIN)
        && envelope.forward_paths().any(|path| path.mailbox() == Some(&postmaster(shared)));
    let reverse_path = sender_of(item, &envelope).clone();
    let parameters = if reverse_path == envelope.reverse_path {
        // With HOLDFOR=, of which the report tells (RFC 4865 §5.1.2).
        envelope.parameters.clone()
    } else {
        parameters_of(item, &envelope)
    };
    let whole_max = setup.config.queue.report_full_bytes_max.bytes();
    let is_whole = is_full && parameters.ret == Some(DsnReturn::Full) && item.size_bytes <= whole_max;
    // A message that is damaged is reported of without a word of it.
    let (octets, extent) = match body::open(setup, loaded).await {
        Ok(mut body) => beginning(&mut *body, is_whole).await,
        Err(_) => (Vec::new(), Extent::Beginning),
    };
    let recipients = item.state.recipients.iter().map(|queued| queued.recipient.clone()).collect();
    Ok(Reported {
        item,
        envelope: Envelope { reverse_path, recipients, parameters },
        received_from: received_from(&origin),
        octets,
        extent,
        is_for_postmaster,
    })
}

/// All of a message, or its header section.
async fn beginning(body: &mut dyn BodyStream, is_whole: bool) -> (Vec<u8>, Extent) {
    let mut octets = Vec::new();
    loop {
        match body.next().await {
            Ok(more) if more.is_empty() => return (octets, Extent::Whole),
            Ok(more) => octets.extend_from_slice(&more),
            Err(_) => return (octets, Extent::Beginning),
        }
        let has_header = octets.windows(4).any(|four| four == b"\r\n\r\n");
        if !is_whole && (has_header || octets.len() > HEADER_BYTES_MAX) {
            return (octets, Extent::Beginning);
        }
    }
}

/// Of `192.0.2.1 (client.example)`.
fn received_from(origin: &str) -> Option<(Host, IpAddr)> {
    let (ip, name) = origin.split_once(" (")?;
    Some((name.strip_suffix(')')?.parse().ok()?, ip.parse().ok()?))
}

/// Where a message goes that was held and is held no more: all of it in one step, with the reports that are due.
///
/// # Errors
/// It cannot be read now, or where its recipients lead cannot be found out.
pub(super) async fn release(
    runner: &Runner,
    setup: &Setup,
    shared: &Shared,
    loaded: &Loaded,
    parameters: &MailParameters,
) -> Result<Made, String> {
    let item = &loaded.item;
    let now = setup.world.now();
    let released = local_delivery::release(shared, item, now).await.map_err(|error| error.to_string())?;
    let Released { distribution, lost } = released;
    let mut made = Made::default();
    let gone: Vec<_> = lost.iter().filter_map(|at| item.state.recipients.get(*at)).collect();
    let told: Vec<_> = gone.iter().map(|queued| gone_since(queued)).collect();
    made.notes.extend(told.iter().map(lost_in_words));
    if are_due(item, &told) {
        let reports = make(runner, setup, shared, loaded, &told).await?;
        made.acceptances.extend(reports.acceptances);
        made.notes.extend(reports.notes);
    }
    let recipients: Vec<_> = item.state.recipients.iter().map(|queued| queued.recipient.clone()).collect();
    let mut parameters = parameters.clone();
    if let Some(by) = &mut parameters.deliver_by {
        // RFC 2852 §4.1.3: the time runs on while it waits.
        let waited_s = i64::try_from(now.since(item.received_at).as_secs()).unwrap_or(i64::MAX);
        by.by_s = by.by_s.saturating_sub(waited_s);
    }
    let envelope =
        Envelope { reverse_path: item.reverse_path.clone(), recipients: recipients.clone(), parameters };
    let delivered = of_successes(setup, shared, loaded, &recipients, &distribution.successes).await?;
    made.acceptances.extend(delivered.acceptances);
    made.notes.extend(delivered.notes);
    let mail_id = runner.new_id(setup);
    let is_empty = distribution.is_empty();
    let Distribution { mut deliveries, queue, rewritten, mut notes, .. } = distribution;
    if is_empty {
        // Why nobody gets it is told all the same.
        let told = notes.into_told().map(|(_, address, reason)| (address, reason));
        made.notes.extend(told.map(|(whom, why)| about(EventStep::Discarded, Verdict::Noted, whom, why)));
        return Ok(made);
    }
    let unreadable = |error: StoreError| format!("the message cannot be read: {error}");
    let is_signed = !queue.is_empty() || !rewritten.is_empty();
    let content = if is_signed { content(setup, shared, loaded).await.map_err(unreadable)? } else { None };
    let Signed { mut queue, notes: mut signatures } =
        signed(shared, loaded, content.as_ref(), queue, now).await.map_err(unreadable)?;
    let mut body = whole(setup, loaded).await.map_err(unreadable)?;
    let of_lists = list_messages(shared, rewritten, &body, content.as_ref(), None, now).await;
    let mut of_lists = of_lists.map_err(unreadable)?.into_iter();
    if deliveries.is_empty()
        && queue.is_empty()
        && let Some(first) = of_lists.next()
    {
        // Nobody gets it as it came.
        ListMessage { deliveries, queue, body, signatures, .. } = first;
    }
    for (about, what) in signatures {
        notes.add(EventStep::Signed, about, what);
    }
    let origin = format!("held as {}", item.id.mail_id);
    for message in of_lists {
        let id = runner.new_id(setup);
        made.acceptances.push(message.stored_as(id, now, &envelope, &origin, &mut notes));
    }
    made.notes.extend(notes.into_told().map(|(step, address, reason)| {
        about(step, Verdict::Accepted, address, format!("{reason}; released as {mail_id}"))
    }));
    made.acceptances.push(Acceptance {
        mail_id,
        received_at: now,
        envelope,
        origin,
        body,
        deliveries,
        queue,
        claim: QueueClaim::Later,
        idempotency: None,
    });
    Ok(made)
}

/// The reports of what is delivered here as it is released.
async fn of_successes(
    setup: &Setup,
    shared: &Shared,
    loaded: &Loaded,
    recipients: &[EnvelopeRecipient],
    successes: &[(usize, Success)],
) -> Result<Made, String> {
    let mut made = Made::default();
    let item = &loaded.item;
    let reported = read(setup, shared, loaded, false).await?;
    let source = Source {
        envelope: &reported.envelope,
        mail_id: item.id.mail_id,
        received_at: item.received_at,
        received_from: reported.received_from.as_ref().map(|(host, ip)| (host, *ip)),
        beginning: &reported.octets,
    };
    let reports = success_reports(shared, &source, recipients, successes, None, setup.world.now()).await;
    for (acceptance, _) in reports.map_err(|error| error.to_string())? {
        let reason = format!("delivered; the report is {}", acceptance.mail_id);
        let to = acceptance.envelope.forward_paths().next().map(ToString::to_string).unwrap_or_default();
        made.notes.push(about(EventStep::Reported, Verdict::Accepted, to, reason));
        made.acceptances.push(acceptance);
    }
    Ok(made)
}

/// What of a message that was held is signed, if that is.
async fn content(setup: &Setup, shared: &Shared, loaded: &Loaded) -> Result<Option<Content>, StoreError> {
    if !signing::is_wanted(shared, true, false) {
        return Ok(None);
    }
    let mut body = body::open(setup, loaded).await.map_err(StoreError::Unavailable)?;
    Content::read(&mut *body, shared.config.submission.header_bytes_max.as_usize()).await
}

/// What leaves of a message that was held. Only who may send in our name has mail held.
async fn signed(
    shared: &Shared,
    loaded: &Loaded,
    content: Option<&Content>,
    queue: Vec<Leaving>,
    now: Timestamp,
) -> Result<Signed, StoreError> {
    let poster = Poster::Ours { author: Author::UnlessResent, reverse_path: &loaded.item.reverse_path };
    signing::sign(shared, content, poster, queue, now).await
}

fn lost_in_words(told: &Told) -> Note {
    let address = super::fate::address(&told.recipient);
    let reason = "nobody is there of that name any more".to_owned();
    about(EventStep::Failed, Verdict::Refused, address, reason)
}

fn gone_since(queued: &store::QueuedRecipient) -> Told {
    let text = "nobody of that name is there any more";
    let diagnostic = Diagnostic::Local(text.to_owned());
    Told {
        recipient: queued.recipient.clone(),
        action: Action::Failed,
        occasion: Occasion::Ordinary,
        finding: Finding { status: EnhancedStatus::permanent(1, 1), diagnostic },
        place: None,
        last_attempt_at: None,
        will_retry_until: None,
    }
}

/// Octets of a message that is copied in memory; a larger one by way of the disk.
const IN_MEMORY_BYTES_MAX: u64 = 1024 * 1024;

/// A copy of the message.
async fn whole(setup: &Setup, loaded: &Loaded) -> Result<Body, StoreError> {
    let mut body = match body::open(setup, loaded).await {
        Ok(body) => body,
        Err(why) => return Err(StoreError::Unavailable(why)),
    };
    if body.size_bytes() <= IN_MEMORY_BYTES_MAX {
        let mut parts: Vec<Bytes> = Vec::new();
        loop {
            let part = body.next().await?;
            if part.is_empty() {
                return Ok(Body::Memory(parts));
            }
            parts.push(part);
        }
    }
    let mut staged = setup.store.stage().await?;
    loop {
        let part = body.next().await?;
        if part.is_empty() {
            return Ok(Body::Staged(staged));
        }
        staged.append(&part).await?;
    }
}
