//! What happens in one session, gathered for the trace (design promise 3).

use std::fmt::Display;
use std::sync::Arc;

use types::{Event, EventStep, MailId, Reply, Verdict};

use crate::shared::Shared;

/// The events of a session that were not handed to the trace yet. What is left goes when it is dropped, so that a
/// session that ends in any way is told to its end.
pub(crate) struct Timeline {
    shared: Arc<Shared>,
    session_id: MailId,
    mail_id: Option<MailId>,
    events: Vec<Event>,
    /// Somebody may ask about one of them at once.
    is_due: bool,
}

/// So many events wait at most for the message that they belong to.
const WAITING_MAX: usize = 32;

impl Timeline {
    pub(crate) const fn new(shared: Arc<Shared>, session_id: MailId) -> Self {
        Self { shared, session_id, mail_id: None, events: Vec::new(), is_due: false }
    }

    /// What comes is about this message; `None` where it is about the session again.
    pub(crate) const fn set_mail(&mut self, mail_id: Option<MailId>) {
        self.mail_id = mail_id;
    }

    /// The message that what comes is about.
    pub(crate) const fn mail_id(&self) -> Option<MailId> {
        self.mail_id
    }

    /// Something that was not decided here.
    pub(crate) fn note(&mut self, step: EventStep, reason: impl Into<String>) {
        let event = self.event(step, Verdict::Noted, reason.into());
        self.add(event);
    }

    /// The same about an address.
    pub(crate) fn note_about(&mut self, step: EventStep, address: impl Display, reason: impl Into<String>) {
        let event = self.event(step, Verdict::Noted, reason.into());
        self.add(event.about(address.to_string()));
    }

    /// Something that was decided and answered, about an address where there is one.
    pub(crate) fn decided(
        &mut self,
        step: EventStep,
        address: Option<String>,
        reply: &Reply,
        reason: impl Into<String>,
    ) {
        let verdict = match reply.code {
            ..400 => Verdict::Accepted,
            400..500 => Verdict::Deferred,
            _ => Verdict::Refused,
        };
        let mut event = self.event(step, verdict, reason.into()).replied(reply.to_string());
        event.address = address;
        self.is_due |= verdict != Verdict::Accepted;
        self.add(event);
    }

    /// Something that was decided, and answered with what tells nothing more.
    pub(crate) fn judged(
        &mut self,
        step: EventStep,
        verdict: Verdict,
        address: Option<&str>,
        reason: impl Into<String>,
    ) {
        let mut event = self.event(step, verdict, reason.into());
        event.address = address.map(str::to_owned);
        self.is_due = true;
        self.add(event);
    }

    /// A message is complete, or the session ended: whoever asks now is told.
    pub(crate) const fn set_due(&mut self) {
        self.is_due = true;
    }

    /// Hands over what is due; called where the session waits anyway.
    pub(crate) fn flush(&mut self) {
        let is_due = std::mem::take(&mut self.is_due) || self.events.len() >= WAITING_MAX;
        if is_due && !self.events.is_empty() {
            self.shared.store.record(std::mem::take(&mut self.events));
        }
    }

    fn event(&self, step: EventStep, verdict: Verdict, reason: String) -> Event {
        let event = Event::new(self.shared.now(), self.session_id, step, verdict, reason);
        match self.mail_id {
            Some(mail_id) => event.of_mail(mail_id),
            None => event,
        }
    }

    fn add(&mut self, event: Event) {
        self.events.push(event);
    }
}

impl Drop for Timeline {
    fn drop(&mut self) {
        if !self.events.is_empty() {
            self.shared.store.record(std::mem::take(&mut self.events));
        }
    }
}
