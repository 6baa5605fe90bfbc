//! Transactions of the queue.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::bodies::BodyFile;
use super::super::log::Batch;
use super::super::queue::{ItemNext, ItemNow, QueueChange};
use super::super::record::{Kind, Lsn};
use super::super::view::Reader;
use super::transact::Done;
use super::{Accept, Outcome, State};
use crate::{QueueItemId, Settled, StoreError};

/// What becomes of items, with the reports that are owed of it.
#[derive(Debug)]
pub(in super::super) struct Settle {
    pub(in super::super) settlements: Vec<SettleItem>,
    pub(in super::super) reports: Vec<Accept>,
}

/// What becomes of an item, encoded.
#[derive(Debug)]
pub(in super::super) struct SettleItem {
    pub(in super::super) id: QueueItemId,
    pub(in super::super) revision: u32,
    pub(in super::super) next: SettleNext,
}

#[derive(Debug)]
pub(in super::super) enum SettleNext {
    Gone,
    Waits {
        due: u64,
        /// Where it goes from now on; none where that stays.
        destination: Option<Arc<str>>,
        state: Vec<u8>,
    },
}

/// An item as the committer knows it.
#[derive(Debug, Clone)]
pub(in super::super) struct Queued {
    pub(super) revision: u32,
    /// The record that brought it; 0 where the view has that.
    pub(super) since: Lsn,
    pub(super) destination: Arc<str>,
    /// What was said last of it, with when it is due; none where it stands in the record of its message.
    pub(super) changed: Option<(u64, Arc<[u8]>)>,
}

impl Settle {
    pub(super) fn size_bytes(&self) -> usize {
        let states = self.settlements.iter().map(|item| match &item.next {
            SettleNext::Gone => 80,
            SettleNext::Waits { state, .. } => 128 + state.len(),
        });
        states.sum::<usize>() + self.reports.iter().map(Accept::size_bytes).sum::<usize>()
    }
}

impl State {
    /// Settles items and accepts the reports of it, whose records count together or not at all.
    pub(super) fn settle_items(
        &mut self,
        settle: Settle,
        reader: &Reader,
        batch: &mut Batch,
        room: &Result<(), StoreError>,
    ) -> (Done, Vec<BodyFile>) {
        let Settle { settlements, mut reports } = settle;
        // Files of what is refused go when this returns.
        let files: Vec<Option<BodyFile>> = reports.iter_mut().map(|report| report.file.take()).collect();
        let current = match self.may_settle(&settlements, &reports, reader, batch.end(), room) {
            Ok(current) => current,
            Err(error) => return (Err(error), Vec::new()),
        };
        let first = batch.len();
        let has_reports = !reports.is_empty();
        let settled = settlements.into_iter().zip(current).map(|(item, current)| match current {
            None => Settled::Fenced,
            Some((current, home)) => Settled::Done { revision: self.settle_item(item, current, home, batch) },
        });
        let settled = settled.collect();
        let (mut accepted, mut kept) = (Vec::new(), Vec::new());
        for (report, file) in reports.into_iter().zip(files) {
            // All that could be refused was looked at before.
            match self.accept(report, reader, batch) {
                Ok(done) => {
                    kept.extend(file.filter(|_| !done.repeated));
                    accepted.push(done);
                }
                Err(error) => return (Err(error), Vec::new()),
            }
        }
        if has_reports {
            batch.tie(first);
        }
        (Ok(Outcome::Settled(settled, accepted)), kept)
    }

    /// The items as they are, with where their messages are, and `None` for each that has changed. With reports, all
    /// or nothing.
    fn may_settle(
        &mut self,
        settlements: &[SettleItem],
        reports: &[Accept],
        reader: &Reader,
        lsn: Lsn,
        room: &Result<(), StoreError>,
    ) -> Result<Vec<Option<(Queued, Lsn)>>, StoreError> {
        let mut current = Vec::with_capacity(settlements.len());
        let mut seen: HashSet<QueueItemId> = HashSet::new();
        for item in settlements {
            // Of two settlements of one item the second does not know of the first.
            let now = if seen.insert(item.id) { self.queued(item.id, reader)? } else { None };
            let now = now.filter(|now| now.revision == item.revision && now.revision < u32::MAX);
            if now.is_none() && !reports.is_empty() {
                return Err(StoreError::Conflict(format!("{} has changed or is gone", item.id)));
            }
            let home = match self.unapplied_mail(item.id.mail_id) {
                Some(home) => home,
                None => reader.mail(item.id.mail_id)?.map_or(lsn, |row| row.lsn),
            };
            current.push(now.map(|now| (now, home)));
        }
        if reports.is_empty() {
            return Ok(current);
        }
        room.clone()?;
        let mut ids = HashSet::new();
        for report in reports {
            if !ids.insert(report.mail_id) {
                return Err(StoreError::Conflict(format!("message {} is there twice", report.mail_id)));
            }
            self.may_accept(report, reader, lsn)?;
        }
        Ok(current)
    }

    /// Returns the item's new revision.
    fn settle_item(&mut self, item: SettleItem, current: Queued, home: Lsn, batch: &mut Batch) -> u32 {
        let (id, lsn) = (item.id, batch.end());
        let revision = current.revision + 1;
        match item.next {
            SettleNext::Gone => {
                let change = QueueChange { id, next: ItemNext::Gone { home } };
                batch.push(Kind::Queue, Vec::new(), |out| change.encode(out));
                let since = self.changed.gone_since.unwrap_or(current.since);
                self.changed.gone_since = Some(since.min(current.since));
                self.set_queued(id, lsn, None);
            }
            SettleNext::Waits { due, destination, state } => {
                let destination = destination.unwrap_or(current.destination);
                let state: Arc<[u8]> = state.into();
                let now = ItemNow { revision, due, destination: &destination, state: &state };
                let change = QueueChange { id, next: ItemNext::Now(now) };
                batch.push(Kind::Queue, Vec::new(), |out| change.encode(out));
                self.changed.destinations.push(Arc::clone(&destination));
                self.set_queued(
                    id,
                    lsn,
                    Some(Queued { revision, destination, changed: Some((due, state)), ..current }),
                );
            }
        }
        self.changed.settled.push(id);
        revision
    }

    /// An item as it is.
    pub(super) fn queued(&self, id: QueueItemId, reader: &Reader) -> Result<Option<Queued>, StoreError> {
        if let Some(queued) = self.unapplied_queued(id) {
            return Ok(queued.cloned());
        }
        let Some(row) = reader.queue_row(id)? else { return Ok(None) };
        let missing = || StoreError::Damaged(format!("{id} in the queue has no destination"));
        let destination = reader.destination(row.destination)?.ok_or_else(missing)?.name;
        let (since, destination) = (Lsn(0), destination.into());
        Ok(Some(Queued { revision: row.revision, since, destination, changed: None }))
    }
}
