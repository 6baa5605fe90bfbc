//! What an operator does to items of the queue.

use std::time::Duration;

use store::{
    Acceptance, DamagedItem, Destination, Next, Queue, QueueItem, QueueItemId, QueueState, QueueStatus,
    QueuedRecipient, Settled, Settlement, StoreError,
};
use types::{
    EnvelopeRecipient, Event, EventStep, ForwardPath, MailId, Mailbox, OriginalRecipient, RecipientDsn,
    Timestamp, Verdict,
};

use super::{ITEMS_MAX, select};
use crate::control::ControlTarget;
use crate::control::protocol::{ControlError, ErrorKind, QueueAct, QueueActed, QueueLeft, TellSender};
use crate::outside::{new_mail_id, now};

/// Why a message is given up before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GivenUp {
    /// An operator has ended its time.
    Expired,
    /// An operator has removed it, and wants its sender to know.
    Removed,
}

/// An act that makes sense.
#[derive(Debug)]
enum Act {
    Retry,
    Hold(String),
    Release,
    Remove,
    Redirect(Mailbox),
    GiveUp(GivenUp),
}

/// What an act makes of one item.
struct Change {
    next: Next,
    reports: Vec<Acceptance>,
    events: Vec<Event>,
}

/// What all changes of one request have in common.
struct Acting<'a> {
    target: &'a dyn ControlTarget,
    act: Act,
    /// `the operator (root)`
    operator: String,
    at: Timestamp,
    /// All of one request are told as one.
    session_id: MailId,
}

/// How often an item that changes meanwhile is looked at again.
const ROUNDS_MAX: usize = 5;
/// For what is being sent meanwhile.
const ROUND_WAIT: Duration = Duration::from_millis(200);
const IS_HELD: &str = "it is held; `posta queue release` lets it go on";
const IS_DAMAGED: &str = "it cannot be read";
const RETRIES: &str = "wants it tried now";
/// Characters of a reason, and of a name of an operator.
const REASON_MAX: usize = 500;
const NAME_MAX: usize = 64;

pub(super) async fn act(
    target: &dyn ControlTarget,
    act: QueueAct,
    ids: &[String],
    by: &str,
) -> Result<QueueActed, ControlError> {
    if ids.len() > ITEMS_MAX {
        let text = format!("at most {ITEMS_MAX} items at once");
        return Err(ControlError::new(ErrorKind::BadValue, text));
    }
    let mut pending = ids.iter().map(|id| select::item_id(id)).collect::<Result<Vec<_>, _>>()?;
    let at = now();
    let act = Act::read(act)?;
    let acting = Acting { target, act, operator: operator(by), at, session_id: new_mail_id(at) };
    let mut acted = QueueActed::default();
    let mut done = Vec::new();
    for round in 0..ROUNDS_MAX {
        if pending.is_empty() {
            break;
        }
        if round > 0 {
            tokio::time::sleep(ROUND_WAIT).await;
        }
        let round = acting.round(pending, &mut done, &mut acted).await;
        // Also where it ends early, the runner is told of what was done.
        pending = round.inspect_err(|_| acting.tell(&done))?;
    }
    for id in pending {
        acted.left.push(left(id, "it is being sent just now; ask again"));
    }
    acted.done = done.len() as u64;
    acting.tell(&done);
    Ok(acted)
}

impl Act {
    fn read(act: QueueAct) -> Result<Self, ControlError> {
        Ok(match act {
            QueueAct::Retry => Self::Retry,
            QueueAct::Hold { reason } => Self::Hold(plain(&reason, REASON_MAX)),
            QueueAct::Release => Self::Release,
            QueueAct::Remove { tell: TellSender::Silently } => Self::Remove,
            QueueAct::Remove { tell: TellSender::WithReport } => Self::GiveUp(GivenUp::Removed),
            QueueAct::Expire => Self::GiveUp(GivenUp::Expired),
            QueueAct::Redirect { to } => {
                let wrong = |error| ControlError::new(ErrorKind::BadValue, format!("{to}: {error}"));
                Self::Redirect(to.parse().map_err(wrong)?)
            }
        })
    }
}

impl Acting<'_> {
    /// Changes these items. Returns those that somebody else changed at the same time.
    async fn round(
        &self,
        ids: Vec<QueueItemId>,
        done: &mut Vec<QueueItemId>,
        acted: &mut QueueActed,
    ) -> Result<Vec<QueueItemId>, ControlError> {
        let queue = self.target.queue();
        let (mut items, mut again) = (Vec::new(), Vec::new());
        for id in ids {
            match select::one(queue, id).await? {
                Some(Ok(item)) => items.push(item),
                Some(Err(damaged)) if matches!(self.act, Act::Remove) => {
                    let settled = self.remove_damaged(queue, damaged).await?;
                    if settled { done.push(id) } else { again.push(id) }
                }
                Some(Err(damaged)) => {
                    let why = format!("{}; `posta queue remove` takes it away: {}", IS_DAMAGED, damaged.why);
                    acted.left.push(left(id, &why));
                }
                None => acted.left.push(left(id, "it is not in the queue any more")),
            }
        }
        if matches!(self.act, Act::Retry) && self.target.is_running() {
            self.start(&items, done, acted);
            return Ok(again);
        }
        let withheld = self.target.withhold(&items);
        // What was read before it was withheld may have been sent meanwhile: its revision tells.
        again.extend(&withheld.under_way);
        let (mut settlements, mut events) = (Vec::new(), Vec::new());
        for item in items {
            let id = item.id;
            if again.contains(&id) {
                continue;
            }
            let change = match self.change(&item).await? {
                Ok(change) => change,
                Err(why) => {
                    acted.left.push(left(id, why));
                    continue;
                }
            };
            let settlement = Settlement { id, revision: item.revision, next: change.next };
            if change.reports.is_empty() {
                settlements.push(settlement);
                events.push(change.events);
                continue;
            }
            match self.settle_with(queue, settlement, change.reports, change.events).await? {
                Settled::Done { .. } => done.push(id),
                Settled::Fenced => again.push(id),
            }
        }
        if settlements.is_empty() {
            return Ok(again);
        }
        let ids: Vec<_> = settlements.iter().map(|settlement| settlement.id).collect();
        let (settled, _) = queue.settle(settlements, Vec::new()).await?;
        for ((id, settled), events) in ids.into_iter().zip(settled).zip(events) {
            match settled {
                Settled::Done { .. } => {
                    self.target.store().record(events);
                    done.push(id);
                }
                Settled::Fenced => again.push(id),
            }
        }
        Ok(again)
    }

    /// Has the runner try items now: it knows which of them are on their way.
    fn start(&self, items: &[QueueItem], done: &mut Vec<QueueItemId>, acted: &mut QueueActed) {
        for item in items {
            if matches!(item.state.status, QueueStatus::Held { .. }) {
                acted.left.push(left(item.id, IS_HELD));
            } else {
                self.target.store().record(vec![self.event(item, EventStep::Operator, RETRIES)]);
                done.push(item.id);
            }
        }
    }

    /// Takes away what cannot be read; false where it has changed meanwhile.
    async fn remove_damaged(&self, queue: &dyn Queue, item: DamagedItem) -> Result<bool, ControlError> {
        let DamagedItem { id, revision, destination, why } = item;
        let gone = Settlement { id, revision, next: Next::Gone };
        let (settled, _) = queue.settle(vec![gone], Vec::new()).await?;
        let is_done = matches!(settled.first(), Some(Settled::Done { .. }));
        if is_done {
            let did = format!("removes what cannot be read; its sender is not told: {why}");
            let event = self.event_of(id.mail_id, EventStep::Discarded, &did);
            self.target.store().record(vec![event.about(destination.to_string())]);
        }
        Ok(is_done)
    }

    /// A settlement that owes reports is a step of its own: all of it is done, or nothing.
    async fn settle_with(
        &self,
        queue: &dyn Queue,
        settlement: Settlement,
        reports: Vec<Acceptance>,
        events: Vec<Event>,
    ) -> Result<Settled, ControlError> {
        match queue.settle(vec![settlement], reports).await {
            Ok((settled, accepted)) => {
                self.target.arrived(&accepted);
                self.target.store().record(events);
                Ok(settled.first().copied().unwrap_or(Settled::Fenced))
            }
            Err(StoreError::Conflict(_)) => Ok(Settled::Fenced),
            Err(error) => Err(error.into()),
        }
    }

    /// What becomes of an item, or why nothing does.
    async fn change(&self, item: &QueueItem) -> Result<Result<Change, &'static str>, ControlError> {
        let is_held = matches!(item.state.status, QueueStatus::Held { .. });
        let state = item.state.clone();
        let waits = |state, events| Ok(Change { next: Next::Waits(state), reports: Vec::new(), events });
        Ok(match &self.act {
            Act::Retry if is_held => Err(IS_HELD),
            Act::Retry => {
                let event = self.event(item, EventStep::Operator, RETRIES);
                waits(QueueState { due_at: self.at, ..state }, vec![event])
            }
            Act::Hold(_) if is_held => Err("it is held already"),
            Act::Hold(reason) => {
                let event = self.event(item, EventStep::Held, &format!("holds it: {reason}"));
                let status = QueueStatus::Held { reason: reason.clone() };
                waits(QueueState { status, ..state }, vec![event])
            }
            Act::Release if !is_held => Err("it is not held"),
            Act::Release => {
                let event = self.event(item, EventStep::Operator, "releases it");
                let status = QueueStatus::Waiting;
                waits(QueueState { status, due_at: self.at, own_failures: 0, ..state }, vec![event])
            }
            Act::Remove => {
                let gone = |to: &QueuedRecipient| {
                    let event = self.event(item, EventStep::Discarded, "removes it; its sender is not told");
                    event.about(address(&to.recipient.forward_path))
                };
                let events = item.state.recipients.iter().map(gone).collect();
                Ok(Change { next: Next::Gone, reports: Vec::new(), events })
            }
            Act::Redirect(to) => Ok(self.redirect(item, to)),
            Act::GiveUp(why) => Ok(self.give_up(item, *why).await?),
        })
    }

    fn redirect(&self, item: &QueueItem, to: &Mailbox) -> Change {
        let event = |from: &QueuedRecipient| {
            let from = address(&from.recipient.forward_path);
            self.event(item, EventStep::Operator, &format!("redirects it to {to}")).about(from)
        };
        let events = item.state.recipients.iter().map(event).collect();
        let recipient = item.state.recipients.first().map(|first| redirected(&first.recipient, to));
        let state = QueueState {
            status: item.state.status.clone(),
            notices: item.state.notices,
            ..QueueState::new(recipient.into_iter().collect(), self.at)
        };
        let next = Next::Moves { destination: Destination::of(&to.host), state };
        Change { next, reports: Vec::new(), events }
    }

    async fn give_up(&self, item: &QueueItem, why: GivenUp) -> Result<Change, ControlError> {
        let made = self.target.failure_reports(item, why, &self.operator, self.session_id).await?;
        let (reports, notes) = made;
        let told = match (reports.is_empty(), why) {
            (true, GivenUp::Expired) => "ends its time; nobody is to be told",
            (true, GivenUp::Removed) => "removes it; nobody is to be told",
            (false, GivenUp::Expired) => "ends its time; its sender is told",
            (false, GivenUp::Removed) => "removes it; its sender is told",
        };
        let failed = |to: &QueuedRecipient| {
            let event = self.event(item, EventStep::Failed, told).about(address(&to.recipient.forward_path));
            Event { verdict: Verdict::Refused, ..event }
        };
        let mut events: Vec<_> = item.state.recipients.iter().map(failed).collect();
        events.extend(notes);
        Ok(Change { next: Next::Gone, reports, events })
    }

    fn event(&self, item: &QueueItem, step: EventStep, did: &str) -> Event {
        self.event_of(item.id.mail_id, step, did)
    }

    fn event_of(&self, mail_id: MailId, step: EventStep, did: &str) -> Event {
        let reason = format!("{} {did}", self.operator);
        Event::new(self.at, self.session_id, step, Verdict::Noted, reason).of_mail(mail_id)
    }

    /// Tells the runner.
    fn tell(&self, done: &[QueueItemId]) {
        if done.is_empty() {
            return;
        }
        self.target.queue_changed(done);
        if matches!(self.act, Act::Retry) {
            self.target.start_now(done);
        }
    }
}

/// RFC 3461 §5.2.7: a report still names the address that the sender knows.
fn redirected(recipient: &EnvelopeRecipient, to: &Mailbox) -> EnvelopeRecipient {
    let original = recipient.dsn.original_recipient.clone().or_else(|| {
        let mailbox = recipient.forward_path.mailbox()?;
        let address_type = if mailbox.is_ascii() { "rfc822" } else { "utf-8" };
        Some(OriginalRecipient { address_type: address_type.to_owned(), address: mailbox.to_string() })
    });
    EnvelopeRecipient {
        forward_path: ForwardPath::Mailbox(to.clone()),
        dsn: RecipientDsn { original_recipient: original, ..recipient.dsn.clone() },
    }
}

/// Who acts, for the trace: nothing of it steers a line.
pub(super) fn operator(by: &str) -> String {
    match plain(by, NAME_MAX) {
        name if name.is_empty() => "the operator".to_owned(),
        name => format!("the operator ({name})"),
    }
}

/// As it stands in the trace and in lists.
pub(in crate::control) fn address(path: &ForwardPath) -> String {
    path.mailbox().map_or_else(|| "postmaster".to_owned(), ToString::to_string)
}

fn left(id: QueueItemId, why: &str) -> QueueLeft {
    QueueLeft { id: id.to_string(), why: why.to_owned() }
}

fn plain(text: &str, characters_max: usize) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(characters_max).collect()
}
