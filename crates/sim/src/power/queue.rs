//! What a store has promised about its queue: every item is there as it was settled last, nothing that is gone comes
//! back, nobody gets what another has, and a report is there if and only if its settlement is.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use store::{
    Destination, NewQueueItem, Next, QueueItem, QueueItemId, QueueState, QueueStatus, Settled, Settlement,
};
use types::{EnvelopeRecipient, MailId, RecipientDsn, ReversePath, Timestamp};

use super::mail::Mail;
use crate::random::Random;

/// Destinations that mail goes to.
const DESTINATIONS: u64 = 6;
/// Items are due within so many milliseconds.
pub(super) const DUE_MAX: u64 = 50;

/// What the store has said, and what was asked without an answer.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// What is certain.
    pub(super) items: BTreeMap<QueueItemId, Seen>,
    gone: BTreeSet<QueueItemId>,
    /// Items of messages that got no answer.
    asked: BTreeMap<MailId, Vec<(QueueItemId, Seen)>>,
    open: Vec<OpenSettlement>,
    /// Those that somebody has.
    claimed: BTreeSet<QueueItemId>,
}

/// What of an item can be told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) revision: u32,
    destination: Destination,
    due: u64,
    attempts: u32,
    is_held: bool,
}

/// A settlement that was asked for.
#[derive(Debug, Clone)]
pub(super) struct AskedSettlement {
    pub(super) id: QueueItemId,
    /// Whether somebody else has changed it since.
    is_stale: bool,
    before: Seen,
    /// None where it goes.
    after: Option<Seen>,
}

/// Settlements without an answer, with the reports of them.
#[derive(Debug)]
struct OpenSettlement {
    items: Vec<AskedSettlement>,
    reports: Vec<MailId>,
}

/// What is there after a cut.
#[derive(Debug)]
pub(super) struct FoundQueue {
    pub(super) items: Vec<(QueueItem, Vec<u8>)>,
}

impl Seen {
    fn of(item: &QueueItem) -> Self {
        Self {
            revision: item.revision,
            destination: item.destination.clone(),
            due: item.state.due_at.millis(),
            attempts: item.state.attempts,
            is_held: item.state.status != QueueStatus::Waiting,
        }
    }

    fn state(&self) -> QueueState {
        let status =
            if self.is_held { QueueStatus::Held { reason: "x".into() } } else { QueueStatus::Waiting };
        let state = QueueState::new(recipients(), Timestamp::from_millis(self.due));
        QueueState { status, attempts: self.attempts, ..state }
    }
}

fn recipients() -> Vec<EnvelopeRecipient> {
    let forward_path = "<a@d.example>".parse().ok();
    forward_path
        .into_iter()
        .map(|p| EnvelopeRecipient { forward_path: p, dsn: RecipientDsn::default() })
        .collect()
}

fn header(part: u32) -> Bytes {
    if part.is_multiple_of(2) { Bytes::new() } else { format!("X-Part: {part}\r\n").into() }
}

impl Queue {
    pub(super) fn any_destination(random: &mut Random) -> Option<Destination> {
        Destination::named(&format!("d{}.example", random.below(DESTINATIONS)))
    }

    /// Items for a message that is about to be accepted.
    pub(super) fn new_items(&mut self, mail_id: MailId, random: &mut Random) -> Vec<NewQueueItem> {
        let mut new = Vec::new();
        for part in 1..2 + u32::try_from(random.below(3)).unwrap_or(0) {
            let Some(destination) = Self::any_destination(random) else { continue };
            let due = mail_id.time().millis() + random.below(DUE_MAX);
            let seen =
                Seen { revision: 1, destination: destination.clone(), due, attempts: 0, is_held: false };
            self.asked.entry(mail_id).or_default().push((QueueItemId { mail_id, part }, seen));
            new.push(NewQueueItem {
                destination,
                reverse_path: ReversePath::Null,
                header: header(part),
                recipients: recipients(),
                due_at: Timestamp::from_millis(due),
            });
        }
        new
    }

    /// A message was accepted; some of its items are whose who accepted it.
    pub(super) fn accepted(&mut self, mail_id: MailId, claimed: &[QueueItem]) -> Result<(), String> {
        self.items.extend(self.asked.remove(&mail_id).unwrap_or_default());
        for item in claimed {
            self.given_out(item)?;
        }
        Ok(())
    }

    /// A message was refused, or was there before.
    pub(super) fn not_stored(&mut self, mail_id: MailId) {
        self.asked.remove(&mail_id);
    }

    /// Somebody got an item to work on.
    fn given_out(&mut self, item: &QueueItem) -> Result<(), String> {
        let seen = Seen::of(item);
        if self.items.get(&item.id) != Some(&seen) {
            let known = self.items.get(&item.id);
            return Err(format!("{} is given out as {seen:?} instead of {known:?}", item.id));
        }
        if !self.claimed.insert(item.id) {
            return Err(format!("{} is given out twice", item.id));
        }
        Ok(())
    }

    /// What a claim gave out: all that nobody has, the longest due first.
    pub(super) fn claimed(
        &mut self,
        destination: &Destination,
        due_by: Timestamp,
        limit: usize,
        items: &[QueueItem],
    ) -> Result<(), String> {
        let is_due =
            |seen: &Seen| seen.destination == *destination && seen.due <= due_by.millis() && !seen.is_held;
        let due = self.items.iter().filter(|(id, seen)| is_due(seen) && !self.claimed.contains(id));
        let mut due: Vec<(u64, QueueItemId)> = due.map(|(id, seen)| (seen.due, *id)).collect();
        due.sort_unstable();
        due.truncate(limit);
        let told: Vec<_> = items.iter().map(|item| (item.state.due_at.millis(), item.id)).collect();
        if told != due {
            return Err(format!("of {destination} {told:?} are given out instead of {due:?}"));
        }
        items.iter().try_for_each(|item| self.given_out(item))
    }

    /// Items that somebody gives back.
    pub(super) fn any_claimed(&mut self, random: &mut Random) -> Vec<QueueItemId> {
        let back: Vec<_> = self.claimed.iter().copied().filter(|_| random.chance(30)).collect();
        for id in &back {
            self.claimed.remove(id);
        }
        back
    }

    /// Nobody has anything after a restart.
    pub(super) fn restarted(&mut self) {
        self.claimed.clear();
    }

    /// Something that becomes of some item.
    pub(super) fn any_settlement(&self, random: &mut Random) -> Option<(Settlement, AskedSettlement)> {
        let n = usize::try_from(random.below((self.items.len() as u64).max(1))).ok()?;
        let (id, before) = self.items.iter().nth(n)?;
        let is_stale = random.chance(8);
        let revision = if is_stale { before.revision + 1 } else { before.revision };
        let changed = Seen {
            revision: before.revision + 1,
            due: before.due + random.below(DUE_MAX),
            attempts: before.attempts + 1,
            ..before.clone()
        };
        let (next, after) = match random.below(20) {
            0..10 => (Next::Gone, None),
            10..15 => (Next::Waits(changed.state()), Some(changed)),
            15..18 => {
                let held = Seen { is_held: !before.is_held, ..changed };
                (Next::Waits(held.state()), Some(held))
            }
            _ => {
                let moved = Seen { destination: Self::any_destination(random)?, ..changed };
                let next = Next::Moves { destination: moved.destination.clone(), state: moved.state() };
                (next, Some(moved))
            }
        };
        let asked = AskedSettlement { id: *id, is_stale, before: before.clone(), after };
        Some((Settlement { id: *id, revision, next }, asked))
    }

    /// Settlements were answered.
    pub(super) fn settled(&mut self, asked: Vec<AskedSettlement>, told: &[Settled]) -> Result<(), String> {
        for (asked, told) in asked.into_iter().zip(told) {
            let id = asked.id;
            let expected = match asked.is_stale {
                true => Settled::Fenced,
                false => Settled::Done { revision: asked.before.revision + 1 },
            };
            if *told != expected {
                return Err(format!("{id} was settled as {told:?} instead of {expected:?}"));
            }
            if asked.is_stale {
                continue;
            }
            self.claimed.remove(&id);
            match asked.after {
                Some(after) => drop(self.items.insert(id, after)),
                None => {
                    self.items.remove(&id);
                    self.gone.insert(id);
                }
            }
        }
        Ok(())
    }

    /// Whether settlements must be refused altogether where there are reports.
    pub(super) fn is_fenced(asked: &[AskedSettlement]) -> bool {
        asked.iter().any(|asked| asked.is_stale)
    }

    /// Settlements got no answer.
    pub(super) fn unsettled(&mut self, items: Vec<AskedSettlement>, reports: Vec<MailId>) {
        self.open.push(OpenSettlement { items, reports });
    }

    /// Compares with what is there, and takes it over as certain. `copies` is how many copies of a message must be in
    /// mailboxes where it was accepted, and how many are. Returns the messages of which something waits.
    pub(super) fn compare(
        &mut self,
        found: FoundQueue,
        mails: &BTreeMap<MailId, Mail>,
        copies: impl Fn(MailId) -> (usize, usize),
    ) -> Result<BTreeSet<MailId>, String> {
        let mut there = BTreeMap::new();
        for (item, octets) in found.items {
            let mail = mails.get(&item.id.mail_id);
            let mail = mail.ok_or_else(|| format!("nobody sent {}, which is in the queue", item.id))?;
            let mut expected = header(item.id.part).to_vec();
            expected.extend_from_slice(&mail.body);
            if octets != expected || item.size_bytes != expected.len() as u64 {
                return Err(format!("{} of the queue has other octets", item.id));
            }
            if self.gone.contains(&item.id) {
                return Err(format!("{} was settled, and is back", item.id));
            }
            there.insert(item.id, Seen::of(&item));
        }
        self.compare_open(&there, copies)?;
        for (id, seen) in &self.items {
            match there.get(id) {
                None => return Err(format!("{id} of the queue is lost")),
                Some(now) if now != seen => {
                    return Err(format!("{id} of the queue is {now:?} instead of {seen:?}"));
                }
                Some(_) => {}
            }
        }
        if let Some(id) = there.keys().find(|id| !self.items.contains_key(id)) {
            return Err(format!("{id} is in the queue, and nobody put it there"));
        }
        Ok(self.items.keys().map(|id| id.mail_id).collect())
    }

    /// What got no answer is done altogether or not at all; afterwards it is certain which.
    fn compare_open(
        &mut self,
        there: &BTreeMap<QueueItemId, Seen>,
        copies: impl Fn(MailId) -> (usize, usize),
    ) -> Result<(), String> {
        let mut stored: BTreeMap<MailId, Option<bool>> = BTreeMap::new();
        for (mail_id, items) in std::mem::take(&mut self.asked) {
            let count = items.iter().filter(|(id, _)| there.contains_key(id)).count();
            let (expected, copies) = copies(mail_id);
            if count != 0 && count != items.len() || expected > 0 && (copies > 0) != (count > 0) {
                return Err(format!(
                    "of {mail_id} there are {count} of {} items and {copies} of {expected} copies",
                    items.len()
                ));
            }
            stored.insert(mail_id, Some(count > 0));
            if count > 0 {
                self.items.extend(items);
            }
        }
        for OpenSettlement { items, reports } in std::mem::take(&mut self.open) {
            let has_reports = !reports.is_empty();
            let mut done: BTreeSet<bool> = BTreeSet::new();
            for asked in items.iter().filter(|asked| !asked.is_stale) {
                let now = there.get(&asked.id);
                let is_done = now == asked.after.as_ref();
                if !is_done && now != Some(&asked.before) {
                    return Err(format!("{} of the queue is {now:?} after {asked:?}", asked.id));
                }
                done.insert(is_done);
                if is_done {
                    self.items.remove(&asked.id);
                    match &asked.after {
                        Some(after) => drop(self.items.insert(asked.id, after.clone())),
                        None => drop(self.gone.insert(asked.id)),
                    }
                }
            }
            for report in reports {
                let is_there = stored.get(&report).copied().unwrap_or_else(|| match copies(report) {
                    // It went to mailboxes that are gone.
                    (0, _) => None,
                    (_, copies) => Some(copies > 0),
                });
                done.extend(is_there);
            }
            if has_reports && done.len() > 1 {
                return Err(format!("a settlement and its report are not both there: {items:?}"));
            }
        }
        Ok(())
    }
}
