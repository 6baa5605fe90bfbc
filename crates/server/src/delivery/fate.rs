//! What an attempt leads to: for each recipient the end or another attempt, for the item its new state, and what is
//! told of it to the sender and to the trace. Pure decisions: nothing is read or written here.

#[cfg(test)]
mod tests;
mod untold;
mod words;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mta::dsn::{Action, Occasion};
use mta::outcome::{Again, Diagnostic, Duplicate, Finding, Outcome};
use mta::route::Protocol;
use mta::schedule::{
    Advice, Expiry, History, INTERVAL_MIN, Next as Attempt, Notice, NoticeReason, Schedule, Terms, next,
};
use store::{LastWord, Next, QueueItem, QueueState, QueueStatus, QueuedRecipient};
use types::{
    Domain, EnhancedStatus, EnvelopeRecipient, EventStep, MailParameters, Reply, Timestamp, Verdict,
};

use super::connection::Offers;
pub(super) use untold::{Untold, untold_failure};
pub(crate) use words::later;
pub(super) use words::one_line;
use words::time_left;

/// A message in the queue, and what rules there are for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct About<'a> {
    pub(super) item: &'a QueueItem,
    pub(super) parameters: &'a MailParameters,
    pub(super) schedule: &'a Schedule,
    /// Attempts in a row that may fail by a fault of our own.
    pub(super) own_failures_max: u32,
    pub(super) now: Timestamp,
    pub(super) random: u64,
}

/// What happened.
#[derive(Debug)]
pub(super) enum Happened {
    /// An attempt: one result for each recipient, in order.
    Tried(Vec<Reached>),
    /// An attempt that failed by a fault of our own.
    Ours(String),
    /// No attempt, for a reason that has nothing to do with this message.
    NotTried {
        why: String,
        /// Until when there will be none; none where nobody knows.
        until: Option<Timestamp>,
    },
    /// The operator wants it to go nowhere.
    Discarded(String),
}

/// What became of one recipient, and where.
#[derive(Debug, Clone)]
pub(super) struct Reached {
    pub(super) outcome: Outcome,
    pub(super) place: Option<Arc<Place>>,
}

/// A host that was asked.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: Option<Domain>,
    pub(super) address: Option<IpAddr>,
    /// `mx.example.org [192.0.2.1]`
    pub(super) text: String,
    pub(super) protocol: Protocol,
    pub(super) offers: Offers,
    /// What TLS there was, for people.
    pub(super) tls: Option<String>,
}

impl Place {
    pub(super) fn unknown() -> Self {
        Self {
            name: None,
            address: None,
            text: String::new(),
            protocol: Protocol::Smtp,
            offers: Offers::default(),
            tls: None,
        }
    }
}

/// What it leads to.
#[derive(Debug)]
pub(super) struct Decision {
    /// What becomes of the item.
    pub(super) next: Next,
    /// Where there is no room for a report of a failure: what becomes of the item until there is.
    pub(super) without_reports: Option<QueueState>,
    /// Of whom a report may be due.
    pub(super) told: Vec<Told>,
    /// For the trace.
    pub(super) notes: Vec<Note>,
    /// Recipients by what became of them.
    pub(super) counts: Counts,
}

/// Recipients by what became of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) relayed: u64,
    pub(super) failed: u64,
    pub(super) waiting: u64,
}

/// One recipient of whom a report may be due.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) recipient: EnvelopeRecipient,
    pub(super) action: Action,
    pub(super) occasion: Occasion,
    pub(super) finding: Finding,
    pub(super) place: Option<Arc<Place>>,
    pub(super) last_attempt_at: Option<Timestamp>,
    pub(super) will_retry_until: Option<Timestamp>,
}

/// A line of the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) step: EventStep,
    pub(crate) verdict: Verdict,
    pub(crate) address: Option<String>,
    pub(crate) reply: Option<String>,
    pub(crate) reason: String,
}

/// How much longer than its time a message waits that was never tried: a clock may have jumped.
const GRACE: Duration = Duration::from_secs(24 * 60 * 60);

/// What `happened` leads to.
pub(super) fn decide(about: About<'_>, happened: Happened) -> Decision {
    match happened {
        Happened::Tried(results) => Deciding::new(about).tried(results),
        Happened::Ours(why) => Deciding::new(about).ours(&why),
        Happened::NotTried { why, until } => Deciding::new(about).not_tried(&why, until),
        Happened::Discarded(why) => Deciding::new(about).discarded(&why),
    }
}

struct Deciding<'a> {
    about: About<'a>,
    terms: Terms,
    state: QueueState,
    /// Those that failed, as they would wait on where that cannot be told to anybody.
    failed: Vec<QueuedRecipient>,
    told: Vec<Told>,
    notes: Vec<Note>,
    counts: Counts,
}

impl<'a> Deciding<'a> {
    fn new(about: About<'a>) -> Self {
        let item = about.item;
        let terms = Terms {
            priority: item.priority,
            ..Terms::new(&item.reverse_path, about.parameters, item.received_at)
        };
        let state = QueueState { recipients: Vec::new(), ..item.state.clone() };
        Self {
            about,
            terms,
            state,
            failed: Vec::new(),
            told: Vec::new(),
            notes: Vec::new(),
            counts: Counts::default(),
        }
    }

    /// Counts the attempt.
    fn attempted(&mut self) -> History {
        let now = self.about.now;
        self.state.attempts = self.state.attempts.saturating_add(1);
        let first_at = *self.state.first_attempt_at.get_or_insert(now);
        self.state.last_attempt_at = Some(now);
        History { attempts: self.state.attempts, first_at }
    }

    fn tried(mut self, results: Vec<Reached>) -> Decision {
        let history = self.attempted();
        self.state.own_failures = 0;
        if let Some(place) = results.iter().rev().find_map(|reached| reached.place.as_ref()) {
            self.state.last_host = Some(place.text.clone());
        }
        let recipients = self.about.item.state.recipients.iter();
        let mut due_at: Option<Timestamp> = None;
        let mut waiting = Vec::new();
        // A recipient without a result was not asked: none may get lost here.
        let unasked = std::iter::repeat_with(|| Reached { outcome: Outcome::GoOn, place: None });
        for (queued, Reached { outcome, place }) in recipients.zip(results.into_iter().chain(unasked)) {
            match outcome {
                // Nobody was asked: it is tried again, as long as there is time.
                Outcome::GoOn => match self.next_attempt(history, Advice::default()) {
                    Ok(at) => {
                        due_at = earliest(due_at, at);
                        waiting.push((queued.clone(), None));
                    }
                    Err(expiry) => self.expired(queued, not_reached(queued), place, expiry),
                },
                Outcome::Relayed(finding) => self.relayed(&queued.recipient, finding, place),
                Outcome::Failed { finding, .. } => self.failed(queued, finding, place),
                Outcome::Deferred { .. } => match self.next_attempt(history, Advice::of(&outcome)) {
                    Ok(at) => {
                        due_at = earliest(due_at, at);
                        let last = outcome.finding().map(last_word);
                        let queued = QueuedRecipient { last, ..queued.clone() };
                        waiting.push((queued, Some(Reached { outcome, place })));
                    }
                    Err(expiry) => self.expired(queued, Some(outcome), place, expiry),
                },
            }
        }
        self.wait(waiting, due_at.unwrap_or(self.about.now));
        self.finish()
    }

    /// A fault of our own is no reason to send mail back, and after some of them none to go on.
    fn ours(mut self, why: &str) -> Decision {
        let history = self.attempted();
        self.state.own_failures = self.state.own_failures.saturating_add(1);
        let at = self.next_attempt(history, Advice::default());
        let at = at.unwrap_or(self.about.now.plus(INTERVAL_MIN));
        let finding = Finding {
            status: EnhancedStatus::transient(3, 0),
            diagnostic: Diagnostic::Local(format!("a fault of this server: {why}")),
        };
        let mut notes = Vec::new();
        if self.state.own_failures >= self.about.own_failures_max {
            let reason =
                format!("set aside after {} failures of this server: {why}", self.state.own_failures);
            notes.push(Note::new(EventStep::Held, Verdict::Deferred, reason.clone()));
            self.state.status = QueueStatus::Held { reason };
        } else {
            let reason = format!("a fault of this server: {why}; {}", later(self.about.now, at));
            notes.push(Note::new(EventStep::Postponed, Verdict::Deferred, reason));
        }
        self.state.due_at = at;
        for queued in &self.about.item.state.recipients {
            self.state.recipients.push(QueuedRecipient { last: Some(last_word(&finding)), ..queued.clone() });
        }
        self.counts.waiting = self.state.recipients.len() as u64;
        self.notes = notes;
        self.finish()
    }

    fn not_tried(mut self, why: &str, until: Option<Timestamp>) -> Decision {
        let now = self.about.now;
        let (deadline, expiry) = self.terms.deadline(self.about.schedule);
        let is_over = if self.state.attempts > 0 || until.is_none() || expiry == Expiry::DeliverBy {
            now >= deadline
        } else {
            now >= deadline.plus(GRACE)
        };
        let recipients = &self.about.item.state.recipients;
        if is_over {
            for queued in recipients {
                let last = queued.last.as_ref().map(finding_of);
                let finding = last.unwrap_or_else(|| Finding {
                    status: EnhancedStatus::transient(4, 7),
                    diagnostic: Diagnostic::Local(why.to_owned()),
                });
                let again = Again::NextHost;
                let outcome = Outcome::Deferred { finding, again, duplicate: Duplicate::Impossible };
                self.expired(queued, Some(outcome), None, expiry);
            }
            return self.finish();
        }
        let at = until.map_or(deadline, |until| until.min(deadline)).max(now.plus(INTERVAL_MIN));
        let waiting: Vec<_> = recipients.iter().map(|queued| (queued.clone(), None)).collect();
        self.wait(waiting, at);
        let reason = format!("not tried: {why}; {}", later(now, self.state.due_at));
        self.notes.push(Note::new(EventStep::Postponed, Verdict::Deferred, reason));
        self.finish()
    }

    fn discarded(mut self, why: &str) -> Decision {
        for queued in &self.about.item.state.recipients {
            let mut note = Note::new(EventStep::Discarded, Verdict::Accepted, why.to_owned());
            note.address = Some(address(&queued.recipient));
            self.notes.push(note);
        }
        self.finish()
    }

    fn next_attempt(&self, history: History, advice: Advice) -> Result<Timestamp, Expiry> {
        let About { schedule, now, random, .. } = self.about;
        match next(schedule, &self.terms, history, advice, now, random) {
            Attempt::At(at) => Ok(at),
            Attempt::Expired(expiry) => Err(expiry),
        }
    }

    fn relayed(&mut self, recipient: &EnvelopeRecipient, finding: Finding, place: Option<Arc<Place>>) {
        self.counts.relayed += 1;
        let offers = place.as_ref().map_or(Offers::default(), |place| place.offers);
        let is_final = place.as_ref().is_some_and(|place| place.protocol == Protocol::Lmtp);
        let mut note = Note::new(EventStep::Relayed, Verdict::Accepted, by(place.as_deref()));
        note.address = Some(address(recipient));
        note.reply = Some(finding.diagnostic.to_string());
        self.notes.push(note);
        // RFC 3461 §5.2.2: who takes it with the parameters of DSN reports themselves.
        let action = if is_final { Action::Delivered } else { Action::Relayed };
        let by = self.about.parameters.deliver_by;
        let occasion = match by {
            Some(by) if !is_final && (by.trace || !offers.deliver_by) => Occasion::DeliverBy,
            _ if offers.dsn => return,
            _ => Occasion::Ordinary,
        };
        self.tell(recipient, action, occasion, finding, place, None);
    }

    fn failed(&mut self, queued: &QueuedRecipient, finding: Finding, place: Option<Arc<Place>>) {
        self.counts.failed += 1;
        let reason = format!("refused for good{}", at(place.as_deref()));
        self.note_of(queued, EventStep::Failed, Verdict::Refused, &finding, reason);
        self.failed.push(QueuedRecipient { last: Some(last_word(&finding)), ..queued.clone() });
        self.tell(&queued.recipient, Action::Failed, Occasion::Ordinary, finding, place, None);
    }

    fn expired(
        &mut self,
        queued: &QueuedRecipient,
        outcome: Option<Outcome>,
        place: Option<Arc<Place>>,
        expiry: Expiry,
    ) {
        self.counts.failed += 1;
        let last = outcome.as_ref().and_then(Outcome::finding).cloned();
        let (finding, what) = match (expiry, last) {
            // RFC 2852 §4.1.3.
            (Expiry::DeliverBy, _) | (_, None) => {
                let text = "the time is over within which it was to be delivered";
                let diagnostic = Diagnostic::Local(text.to_owned());
                let finding = Finding { status: EnhancedStatus::permanent(4, 7), diagnostic };
                (finding, "given up: the time that its sender set is over")
            }
            (Expiry::Lifetime, Some(finding)) => {
                (finding, "given up: it was tried for as long as mail is tried")
            }
        };
        let reason = format!("{what}{}", at(place.as_deref()));
        self.note_of(queued, EventStep::Failed, Verdict::Refused, &finding, reason);
        self.failed.push(QueuedRecipient { last: Some(last_word(&finding)), ..queued.clone() });
        self.tell(&queued.recipient, Action::Failed, Occasion::Ordinary, finding, place, None);
    }

    /// What waits on: its notices, its lines in the trace, its next attempt.
    fn wait(&mut self, waiting: Vec<(QueuedRecipient, Option<Reached>)>, due_at: Timestamp) {
        if waiting.is_empty() {
            return;
        }
        let now = self.about.now;
        let notices = self.terms.notices(self.about.schedule);
        let told = usize::from(self.state.notices).min(notices.len());
        let (due, ahead): (Vec<Notice>, Vec<Notice>) =
            notices[told..].iter().copied().partition(|notice| notice.at <= now);
        self.state.notices = self.state.notices.saturating_add(u8::try_from(due.len()).unwrap_or(u8::MAX));
        // The sender is told in time, by an attempt more.
        let due_at = ahead.first().map_or(due_at, |notice| due_at.min(notice.at.max(now.plus(INTERVAL_MIN))));
        self.state.due_at = due_at;
        let (deadline, _) = self.terms.deadline(self.about.schedule);
        for (queued, attempt) in waiting {
            self.counts.waiting += 1;
            if let Some(notice) = due.iter().max_by_key(|notice| notice.why == NoticeReason::DeliverBy) {
                let finding = delay_finding(&queued, notice.why);
                let occasion = match notice.why {
                    NoticeReason::DeliverBy => Occasion::DeliverBy,
                    NoticeReason::Late => Occasion::Ordinary,
                };
                let place = attempt.as_ref().and_then(|reached| reached.place.clone());
                self.tell(&queued.recipient, Action::Delayed, occasion, finding, place, Some(deadline));
            }
            if let Some(Reached { outcome, place }) = attempt
                && let Outcome::Deferred { finding, duplicate, .. } = &outcome
            {
                let twice = match duplicate {
                    Duplicate::Possible => "; it may have been taken all the same, and then comes twice",
                    Duplicate::Impossible => "",
                };
                let reason = format!(
                    "attempt {}{}{twice}; {}; {}",
                    self.state.attempts,
                    at(place.as_deref()),
                    later(now, due_at),
                    time_left(now, deadline),
                );
                self.note_of(&queued, EventStep::Postponed, Verdict::Deferred, finding, reason);
            }
            self.state.recipients.push(queued);
        }
    }

    fn tell(
        &mut self,
        recipient: &EnvelopeRecipient,
        action: Action,
        occasion: Occasion,
        finding: Finding,
        place: Option<Arc<Place>>,
        will_retry_until: Option<Timestamp>,
    ) {
        self.told.push(Told {
            recipient: recipient.clone(),
            action,
            occasion,
            finding,
            place,
            last_attempt_at: self.state.last_attempt_at,
            will_retry_until,
        });
    }

    fn note_of(
        &mut self,
        queued: &QueuedRecipient,
        step: EventStep,
        verdict: Verdict,
        finding: &Finding,
        reason: String,
    ) {
        let mut note = Note::new(step, verdict, reason);
        note.address = Some(address(&queued.recipient));
        note.reply = Some(one_line(finding));
        self.notes.push(note);
    }

    fn finish(self) -> Decision {
        let Self { state, failed, told, notes, counts, about, .. } = self;
        let without_reports = (!failed.is_empty()).then(|| {
            let mut waits = state.clone();
            waits.recipients.extend(failed);
            waits.due_at = about.now.plus(WITHOUT_ROOM);
            // Its faults go on where they were before the attempt: what is tried again and again is this report.
            waits.own_failures = about.item.state.own_failures;
            waits
        });
        let next = if state.recipients.is_empty() { Next::Gone } else { Next::Waits(state) };
        Decision { next, without_reports, told, notes, counts }
    }
}

/// How long a failure waits that nobody could be told of for want of room.
const WITHOUT_ROOM: Duration = Duration::from_secs(15 * 60);

impl Note {
    pub(super) const fn new(step: EventStep, verdict: Verdict, reason: String) -> Self {
        Self { step, verdict, address: None, reply: None, reason }
    }
}

/// As it stands in the trace.
pub(super) fn address(recipient: &EnvelopeRecipient) -> String {
    recipient.forward_path.mailbox().map_or_else(|| "postmaster".to_owned(), ToString::to_string)
}

fn earliest(one: Option<Timestamp>, other: Timestamp) -> Option<Timestamp> {
    Some(one.map_or(other, |one| one.min(other)))
}

fn by(place: Option<&Place>) -> String {
    match place {
        Some(place) => match &place.tls {
            Some(tls) => format!("by {} over {tls}", place.text),
            None => format!("by {} in clear text", place.text),
        },
        None => String::new(),
    }
}

fn at(place: Option<&Place>) -> String {
    place.map_or_else(String::new, |place| format!(" at {}", place.text))
}

/// Of whom nobody was asked, the last attempt stands.
fn not_reached(queued: &QueuedRecipient) -> Option<Outcome> {
    let finding = queued.last.as_ref().map_or_else(
        || Finding {
            status: EnhancedStatus::transient(4, 1),
            diagnostic: Diagnostic::Local("no host could be asked".to_owned()),
        },
        finding_of,
    );
    Some(Outcome::Deferred { finding, again: Again::NextHost, duplicate: Duplicate::Impossible })
}

/// What is kept of a finding.
fn last_word(finding: &Finding) -> LastWord {
    match &finding.diagnostic {
        Diagnostic::Remote(reply) => {
            LastWord { status: finding.status, code: Some(reply.code), text: reply.text.to_string() }
        }
        Diagnostic::Local(text) => LastWord { status: finding.status, code: None, text: text.clone() },
    }
}

/// The finding again.
pub(super) fn finding_of(last: &LastWord) -> Finding {
    let diagnostic = match last.code {
        Some(code) => {
            Diagnostic::Remote(Reply { code, enhanced: Some(last.status), text: last.text.clone().into() })
        }
        None => Diagnostic::Local(last.text.clone()),
    };
    Finding { status: last.status, diagnostic }
}

/// Why a message is late: what its last attempt came to, and with BY= that its time is over (RFC 2852 §4.1.3).
fn delay_finding(queued: &QueuedRecipient, why: NoticeReason) -> Finding {
    let last = queued.last.as_ref().map(finding_of);
    let local = |text: &str| Diagnostic::Local(text.to_owned());
    match (why, last) {
        (NoticeReason::Late, Some(finding)) => finding,
        (NoticeReason::Late, None) => {
            Finding { status: EnhancedStatus::transient(4, 1), diagnostic: local("it was not reached yet") }
        }
        (NoticeReason::DeliverBy, last) => {
            let over = local("the time is over within which it was to be delivered; it is tried on");
            let diagnostic = last.map_or(over, |finding| finding.diagnostic);
            Finding { status: EnhancedStatus::transient(4, 7), diagnostic }
        }
    }
}
