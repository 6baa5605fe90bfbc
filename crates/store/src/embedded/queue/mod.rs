//! The queue of the embedded store.
//!
//! - [`record`]: items in the log. [`super::view`] has where they stand and when they are due.
//! - [`claims`]: who is at work on which item.
//! - [`load`]: reading items.
//!
//! The committer decides each change ([`super::core`]); a claim is no change, and costs it nothing.

mod claims;
mod load;
mod record;

pub(super) use claims::Claims;
pub(super) use load::{change, record_of};
pub(super) use record::{
    EncodedItem, ItemNext, ItemNow, NEVER, QueueChange, QueuedPart, due_of, encode_state, new_item,
};

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use types::{MailId, Timestamp};

use super::core::{Op, Outcome, Settle, SettleItem, SettleNext};
use super::shared::Shared;
use super::store::unexpected;
use super::sync::blocking;
use super::view::{QueueRow, Reader};
use super::{Embedded, stream};
use crate::{
    Acceptance, Accepted, BodyStream, DamagedItem, Destination, DestinationFigures, Next, Queue,
    QueueFigures, QueueItem, QueueItemId, QueueState, Settled, Settlement, StoreError,
};

/// No lease is longer, so that its end is a time.
const LEASE_MAX: Duration = Duration::from_secs(365 * 24 * 3600);

#[async_trait]
impl Queue for Embedded {
    async fn destinations_due(
        &self,
        due_by: Timestamp,
        after: Option<&(Timestamp, Destination)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Destination)>, StoreError> {
        let reader = self.waiting_reader().await?;
        blocking(|| reader.destinations_due(due_by, after, limit))
    }

    async fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let reader = self.waiting_reader().await?;
        blocking(|| reader.next_due(after))
    }

    async fn claim(
        &self,
        destination: &Destination,
        due_by: Timestamp,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<QueueItem>, StoreError> {
        // What others have and settle is known without the view.
        self.shared.applied(self.shared.progress.of_destination(destination.as_str())).await?;
        blocking(|| self.claim_now(destination, due_by, limit, lease))
    }

    fn release(&self, ids: &[QueueItemId]) {
        self.shared.release(ids);
    }

    async fn settle(
        &self,
        settlements: Vec<Settlement>,
        reports: Vec<Acceptance>,
    ) -> Result<(Vec<Settled>, Vec<Accepted>), StoreError> {
        let settlements = settlements.into_iter().map(prepare).collect::<Result<_, _>>()?;
        let mut answers: Vec<Option<Accepted>> = Vec::with_capacity(reports.len());
        let (mut accepts, mut claimed) = (Vec::new(), Vec::new());
        for report in reports {
            // One that goes nowhere is not stored.
            if report.deliveries.is_empty() && report.queue.is_empty() {
                answers.push(Some(Accepted::nowhere(report.mail_id)));
                continue;
            }
            let (accept, items) = self.prepare(report)?;
            accepts.push(accept);
            claimed.push(items);
            answers.push(None);
        }
        let settle = Settle { settlements, reports: accepts };
        let unheard = Unheard::of(&self.shared, claimed.iter().flatten());
        let answer = self.submit(Op::Settle(Box::new(settle))).await;
        unheard.heard();
        let Outcome::Settled(settled, accepted) = answer? else { return Err(unexpected()) };
        let mut accepted = accepted.into_iter().zip(claimed).map(|(accepted, items)| accepted.with(items));
        let answers = answers.into_iter().filter_map(|answer| answer.or_else(|| accepted.next()));
        Ok((settled, answers.collect()))
    }

    async fn queue_item(&self, id: QueueItemId) -> Result<Option<QueueItem>, StoreError> {
        self.shared.applied(self.shared.lately.of(id.mail_id)).await?;
        blocking(|| load::item(&self.shared, id))
    }

    async fn queue_items_of(&self, mail_id: MailId) -> Result<Vec<QueueItem>, StoreError> {
        self.shared.applied(self.shared.lately.of(mail_id)).await?;
        let reader = self.shared.view.read()?;
        blocking(|| load::items_of(&self.shared, &reader, mail_id))
    }

    async fn damaged_items_of(&self, mail_id: MailId) -> Result<Vec<DamagedItem>, StoreError> {
        self.shared.applied(self.shared.lately.of(mail_id)).await?;
        let reader = self.shared.view.read()?;
        blocking(|| load::damaged_of(&self.shared, &reader, mail_id))
    }

    async fn queue_ahead(
        &self,
        later_than: Timestamp,
        after: Option<QueueItemId>,
    ) -> Result<(Vec<QueueItemId>, Option<QueueItemId>), StoreError> {
        let reader = self.queue_reader().await?;
        blocking(|| reader.queue_ahead(later_than, after))
    }

    async fn queue_page(
        &self,
        destination: Option<&Destination>,
        after: Option<QueueItemId>,
        limit: usize,
    ) -> Result<Vec<QueueItem>, StoreError> {
        let reader = self.queue_reader().await?;
        blocking(|| {
            let number = match destination {
                None => None,
                Some(name) => match reader.destination_number(name)? {
                    None => return Ok(Vec::new()),
                    number => number,
                },
            };
            let (mut page, mut after) = (Vec::new(), after);
            loop {
                let wanted = limit - page.len();
                let rows = reader.queue_page(number, after, wanted)?;
                page.extend(load::items(&self.shared, &reader, &rows)?.items);
                // Whoever reads on takes a page that is not full for the last.
                match rows.last() {
                    Some((id, _)) if rows.len() == wanted && page.len() < limit => after = Some(*id),
                    _ => return Ok(page),
                }
            }
        })
    }

    async fn queue_destinations(
        &self,
        after: Option<&Destination>,
        limit: usize,
    ) -> Result<Vec<DestinationFigures>, StoreError> {
        let reader = self.queue_reader().await?;
        blocking(|| reader.queue_destinations(after, limit))
    }

    async fn queue_figures(&self) -> Result<QueueFigures, StoreError> {
        self.queue_reader().await?.queue_figures()
    }

    async fn open_queued(&self, id: QueueItemId) -> Result<Box<dyn BodyStream>, StoreError> {
        self.shared.applied(self.shared.lately.of(id.mail_id)).await?;
        Ok(Box::new(blocking(|| stream::open_queued(&self.shared, id))?))
    }
}

impl Embedded {
    async fn queue_reader(&self) -> Result<Reader, StoreError> {
        self.shared.applied(self.shared.progress.of_queue()).await?;
        self.shared.view.read()
    }

    /// A view with all that waits and that nobody has.
    async fn waiting_reader(&self) -> Result<Reader, StoreError> {
        self.shared.applied(self.shared.progress.of_waiting()).await?;
        self.shared.view.read()
    }

    fn claim_now(
        &self,
        destination: &Destination,
        due_by: Timestamp,
        limit: usize,
        lease: Duration,
    ) -> Result<Vec<QueueItem>, StoreError> {
        let now = tokio::time::Instant::now();
        let until = now.checked_add(lease.min(LEASE_MAX)).unwrap_or(now);
        let claims = &self.shared.claims;
        let claimer = claims.claimer(self.shared.progress.applied(), until);
        let reader = self.shared.view.read()?;
        let Some(number) = reader.destination_number(destination)? else { return Ok(Vec::new()) };
        let mut taken: Vec<QueueItemId> = Vec::new();
        let looked = if limit == 0 {
            Ok(())
        } else {
            reader.each_due(number, due_by, |id| {
                if claimer.take(id) {
                    taken.push(id);
                }
                if taken.len() >= limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })
        };
        drop(claimer);
        let read = looked.and_then(|()| {
            let rows = rows(&reader, &taken)?;
            load::items(&self.shared, &reader, &rows)
        });
        match read {
            Ok(load::Read { items, damaged }) => {
                // What went meanwhile is no claim any more; in no case is one left behind that nobody knows of. What is
                // damaged stays claimed for its lease: it would come first again, in the way of what can be read.
                if items.len() + damaged.len() < taken.len() {
                    taken.retain(|id| items.iter().all(|item| item.id != *id) && !damaged.contains(id));
                    claims.release(&taken);
                }
                Ok(items)
            }
            Err(error) => {
                claims.release(&taken);
                Err(error)
            }
        }
    }
}

/// Gives back what an acceptance claims where who asked for it is gone before it is answered: nobody else would. What is
/// decided after that the committer gives back.
#[must_use]
pub(super) struct Unheard<'s> {
    shared: &'s Shared,
    claimed: Vec<QueueItemId>,
}

impl<'s> Unheard<'s> {
    pub(super) fn of<'i>(shared: &'s Shared, claimed: impl Iterator<Item = &'i QueueItem>) -> Self {
        Self { shared, claimed: claimed.map(|item| item.id).collect() }
    }

    /// Who asked has the answer, also that nothing was accepted.
    pub(super) fn heard(mut self) {
        self.claimed.clear();
    }
}

impl Drop for Unheard<'_> {
    fn drop(&mut self) {
        self.shared.release(&self.claimed);
    }
}

fn rows(reader: &Reader, ids: &[QueueItemId]) -> Result<Vec<(QueueItemId, QueueRow)>, StoreError> {
    let rows = ids.iter().map(|id| Ok(reader.queue_row(*id)?.map(|row| (*id, row))));
    rows.filter_map(Result::transpose).collect()
}

/// Encodes all that does not depend on what the item is now.
fn prepare(settlement: Settlement) -> Result<SettleItem, StoreError> {
    let Settlement { id, revision, next } = settlement;
    let encode = |state: &QueueState| {
        if state.recipients.is_empty() {
            return Err(StoreError::Conflict(format!("{id} cannot wait without a recipient")));
        }
        Ok(encode_state(state))
    };
    let next = match next {
        Next::Gone => SettleNext::Gone,
        Next::Waits(state) => {
            SettleNext::Waits { due: due_of(&state), destination: None, state: encode(&state)? }
        }
        Next::Moves { destination, state } => {
            let destination: Option<Arc<str>> = Some(destination.as_str().into());
            SettleNext::Waits { due: due_of(&state), destination, state: encode(&state)? }
        }
    };
    Ok(SettleItem { id, revision, next })
}

impl Accepted {
    /// Of a message that was stored nowhere.
    pub(super) fn nowhere(mail_id: MailId) -> Self {
        Self { mail_id, repeated: false, deliveries: Vec::new(), queue: Vec::new() }
    }

    /// With the items that came back claimed.
    pub(super) fn with(mut self, items: Vec<QueueItem>) -> Self {
        if !self.repeated {
            self.queue = items;
        }
        self
    }
}
