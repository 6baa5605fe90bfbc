//! What is known of a message beside the trace, in the words of the trace: for one whose events are gone, as old ones
//! are, while it waits in the queue or lies in a mailbox.

use store::{DamagedItem, QueueItem, QueueStatus, Store, StoreError};
use types::{Envelope, Event, EventStep, MailId, Timestamp, Verdict};

use super::queue::address;
use crate::delivery::later;
use crate::outside::now;

/// What is put beside the events of a message.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// How it came.
    pub(super) before: Vec<Event>,
    /// How it is now.
    pub(super) after: Vec<Event>,
}

/// Says what is missing.
const GONE: &str = "the trace does not tell any more how this message came, as old events are removed: what follows \
                    is what the queue and the mailboxes know of it now";

/// What is known of a message; nothing where its events tell how it came, and where nothing is known.
pub(super) async fn known(store: &dyn Store, mail_id: MailId, events: &[Event]) -> Result<Known, StoreError> {
    let tells = |event: &Event| event.mail_id == Some(mail_id) && is_a_beginning(event.step);
    if events.iter().any(tells) {
        return Ok(Known::default());
    }
    let items = store.queue_items_of(mail_id).await?;
    let damaged = store.damaged_items_of(mail_id).await?;
    let envelope = match store.envelope(mail_id).await {
        Ok(envelope) => envelope,
        Err(StoreError::Damaged(_)) => None,
        Err(error) => return Err(error),
    };
    if items.is_empty() && damaged.is_empty() && envelope.is_none() {
        return Ok(Known::default());
    }
    let came_at = items.first().map_or(mail_id.time(), |item| item.received_at);
    let gap =
        Event::new(came_at, MailId::from_bytes([0; MailId::BYTES]), EventStep::Gap, Verdict::Noted, GONE);
    let telling = Telling { mail_id, at: now() };
    let mut before = vec![gap];
    before.extend(envelope.map(|(envelope, origin)| telling.came(came_at, &envelope, &origin)));
    let mut after: Vec<Event> = items.iter().flat_map(|item| telling.item(item)).collect();
    after.extend(damaged.iter().map(|item| telling.damaged(item)));
    if after.is_empty() {
        let reason = "nothing of it waits for other hosts; it is in a mailbox of this server";
        after.push(telling.event(telling.at, EventStep::Delivered, Verdict::Noted, reason.to_owned()));
    }
    Ok(Known { before, after })
}

/// Whether an event stands at the beginning of every message.
const fn is_a_beginning(step: EventStep) -> bool {
    matches!(step, EventStep::Sender | EventStep::Stored | EventStep::Queued | EventStep::Delivered)
}

/// Tells of one message.
struct Telling {
    mail_id: MailId,
    at: Timestamp,
}

impl Telling {
    fn came(&self, at: Timestamp, envelope: &Envelope, origin: &str) -> Event {
        let from = envelope.reverse_path.to_string();
        let origin = if origin.is_empty() { "this server" } else { origin };
        let reason = format!("it came from {origin}");
        self.event(at, EventStep::Sender, Verdict::Accepted, reason).about(from.trim_matches(['<', '>']))
    }

    /// What became of it so far, and what comes next, for each recipient.
    fn item(&self, item: &QueueItem) -> Vec<Event> {
        let state = &item.state;
        let tried = match state.attempts {
            0 => "not tried yet".to_owned(),
            1 => "tried once".to_owned(),
            attempts => format!("tried {attempts} times"),
        };
        let first = state.first_attempt_at.filter(|_| state.attempts > 1);
        let first = first.map_or_else(String::new, |at| format!(", first at {at}"));
        let last = state.last_attempt_at.map_or_else(String::new, |at| format!(", last at {at}"));
        let host = state.last_host.as_ref().map_or_else(String::new, |host| format!(" by {host}"));
        let (step, next) = match &state.status {
            QueueStatus::Held { reason } => {
                (EventStep::Held, format!("held: {reason}; `posta queue release {}` lets it go on", item.id))
            }
            QueueStatus::Waiting if state.due_at <= self.at => {
                (EventStep::Postponed, "it is due now".to_owned())
            }
            QueueStatus::Waiting => (EventStep::Postponed, later(self.at, state.due_at)),
        };
        let reason = format!("{}: {tried}{first}{last}{host}; {next}", item.id);
        let told = state.recipients.iter().map(|queued| {
            let event = self.event(self.at, step, Verdict::Deferred, reason.clone());
            let event = event.about(address(&queued.recipient.forward_path));
            Event { reply: queued.last.as_ref().map(store::LastWord::one_line), ..event }
        });
        told.collect()
    }

    fn damaged(&self, item: &DamagedItem) -> Event {
        let DamagedItem { id, destination, why, .. } = item;
        let reason =
            format!("{id} cannot be read, and is not tried: {why}; `posta queue remove {id}` takes it away");
        self.event(self.at, EventStep::Queued, Verdict::Deferred, reason).about(destination.to_string())
    }

    /// Of the message itself: no connection is named.
    fn event(&self, at: Timestamp, step: EventStep, verdict: Verdict, reason: String) -> Event {
        Event::new(at, self.mail_id, step, verdict, reason).of_mail(self.mail_id)
    }
}
