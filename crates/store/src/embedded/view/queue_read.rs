//! Reading the queue at one moment.

use std::collections::BinaryHeap;
use std::ops::{Bound, ControlFlow};

use redb::{ReadableTable as _, ReadableTableMetadata as _};
use types::{MailId, Timestamp};

use super::super::queue::NEVER;
use super::queue::{DESTINATIONS, HEADS, HELD, NUMBERS, QUEUE, TIMES, id_of};
use super::read::{Reader, decode, found};
use super::{DestinationRow, META, MailRow, QueueRow, Row as _, malformed};
use crate::{Destination, DestinationFigures, QueueFigures, QueueItemId, StoreError};

/// Of a destination with up to so many items a page is chosen among them all; beyond, it is looked for in the whole
/// queue, of which such a destination is a good part.
const SORTED_ITEMS_MAX: u64 = 50_000;

/// Items whose rows one look goes through.
const SCANNED_ITEMS_MAX: usize = 20_000;

fn key(mail_id: MailId) -> u128 {
    u128::from_be_bytes(mail_id.to_bytes())
}

impl Reader {
    pub(in super::super) fn queue_row(&self, id: QueueItemId) -> Result<Option<QueueRow>, StoreError> {
        found(|| {
            let row = self.txn.open_table(QUEUE)?.get((key(id.mail_id), id.part))?;
            Ok(row.map(|row| QueueRow::of(row.value())))
        })
    }

    /// The items of a message.
    pub(in super::super) fn queue_rows_of(
        &self,
        mail_id: MailId,
    ) -> Result<Vec<(QueueItemId, QueueRow)>, StoreError> {
        let key = key(mail_id);
        found(|| {
            let table = self.txn.open_table(QUEUE)?;
            let rows = table.range((key, 0)..=(key, u32::MAX))?;
            rows.map(|item| {
                let (at, row) = item?;
                Ok((id_of(key, at.value().1), QueueRow::of(row.value())))
            })
            .collect()
        })
    }

    /// Whether a message has items of the queue.
    pub(super) fn is_queued(&self, id: MailId, row: &MailRow) -> Result<bool, StoreError> {
        Ok(row.parts > 0 && !self.queue_rows_of(id)?.is_empty())
    }

    /// The number of a destination for which something waits or is held.
    pub(in super::super) fn destination_number(&self, name: &Destination) -> Result<Option<u32>, StoreError> {
        found(|| Ok(self.txn.open_table(NUMBERS)?.get(name.as_str())?.map(|number| number.value())))
    }

    /// The destination of a number.
    pub(in super::super) fn destination(&self, number: u32) -> Result<Option<DestinationRow>, StoreError> {
        found(|| decode(self.txn.open_table(DESTINATIONS)?.get(number)?))
    }

    /// Calls `visit` for the items of a destination that are due by then, the longest due first.
    pub(in super::super) fn each_due(
        &self,
        destination: u32,
        due_by: Timestamp,
        mut visit: impl FnMut(QueueItemId) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let last = due_by.millis().min(NEVER - 1);
        found(|| {
            let table = self.txn.open_table(TIMES)?;
            for item in table.range((destination, 0, 0, 0)..=(destination, last, u128::MAX, u32::MAX))? {
                let (_, _, key, part) = item?.0.value();
                if visit(id_of(key, part)).is_break() {
                    break;
                }
            }
            Ok(())
        })
    }

    pub(in super::super) fn destinations_due(
        &self,
        due_by: Timestamp,
        after: Option<&(Timestamp, Destination)>,
        limit: usize,
    ) -> Result<Vec<(Timestamp, Destination)>, StoreError> {
        let from = match after {
            Some((due, name)) => Bound::Excluded((due.millis(), name.as_str())),
            None => Bound::Unbounded,
        };
        found(|| {
            let table = self.txn.open_table(HEADS)?;
            let mut destinations = Vec::new();
            for item in table.range::<(u64, &str)>((from, Bound::Unbounded))?.take(limit) {
                let (head, _) = item?;
                let (due, name) = head.value();
                if due > due_by.millis() {
                    break;
                }
                destinations.push((Timestamp::from_millis(due), named(name)?));
            }
            Ok(destinations)
        })
    }

    /// When the next item is due after a time. Takes a step for each destination that has something due by then.
    pub(in super::super) fn next_due(&self, after: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let after = after.millis();
        if after >= NEVER - 1 {
            return Ok(None);
        }
        found(|| {
            let times = self.txn.open_table(TIMES)?;
            let mut next: Option<u64> = None;
            for item in self.txn.open_table(HEADS)?.iter()? {
                let (head, number) = item?;
                let (due, number) = (head.value().0, number.value());
                if due > after {
                    next = next.into_iter().chain([due]).min();
                    break;
                }
                let later = times.range((number, after + 1, 0, 0)..(number, NEVER, 0, 0))?;
                let later = later.map(|item| item.map(|(time, _)| time.value().1)).next().transpose()?;
                next = next.into_iter().chain(later).min();
            }
            Ok(next.map(Timestamp::from_millis))
        })
    }

    /// Items that are due later than that and are not held, and behind which to go on.
    pub(in super::super) fn queue_ahead(
        &self,
        later_than: Timestamp,
        after: Option<QueueItemId>,
    ) -> Result<(Vec<QueueItemId>, Option<QueueItemId>), StoreError> {
        let from = after.map_or(Bound::Unbounded, |id| Bound::Excluded((key(id.mail_id), id.part)));
        let ahead = later_than.millis().saturating_add(1)..NEVER;
        found(|| {
            let table = self.txn.open_table(QUEUE)?;
            let (mut found, mut last, mut scanned) = (Vec::new(), None, 0);
            for item in table.range((from, Bound::Unbounded))?.take(SCANNED_ITEMS_MAX) {
                let (at, row) = item?;
                let (key, part) = at.value();
                if ahead.contains(&QueueRow::of(row.value()).due) {
                    found.push(id_of(key, part));
                }
                (last, scanned) = (Some(id_of(key, part)), scanned + 1);
            }
            Ok((found, last.filter(|_| scanned == SCANNED_ITEMS_MAX)))
        })
    }

    /// Items by their id, of one destination or of all.
    pub(in super::super) fn queue_page(
        &self,
        destination: Option<u32>,
        after: Option<QueueItemId>,
        limit: usize,
    ) -> Result<Vec<(QueueItemId, QueueRow)>, StoreError> {
        if let Some(number) = destination {
            let row = self.destination(number)?;
            if row.is_none_or(|row| row.waiting + row.held <= SORTED_ITEMS_MAX) {
                return self.sorted_page(number, after, limit);
            }
        }
        let from = after.map_or(Bound::Unbounded, |id| Bound::Excluded((key(id.mail_id), id.part)));
        found(|| {
            let table = self.txn.open_table(QUEUE)?;
            let mut page = Vec::new();
            for item in table.range((from, Bound::Unbounded))? {
                if page.len() >= limit {
                    break;
                }
                let (at, row) = item?;
                let ((key, part), row) = (at.value(), QueueRow::of(row.value()));
                if destination.is_none_or(|number| row.destination == number) {
                    page.push((id_of(key, part), row));
                }
            }
            Ok(page)
        })
    }

    /// The first items of a destination by their id, though its index is by time.
    fn sorted_page(
        &self,
        number: u32,
        after: Option<QueueItemId>,
        limit: usize,
    ) -> Result<Vec<(QueueItemId, QueueRow)>, StoreError> {
        let after = after.map(|id| (key(id.mail_id), id.part));
        found(|| {
            let times = self.txn.open_table(TIMES)?;
            let mut first = BinaryHeap::new();
            for item in times.range((number, 0, 0, 0)..=(number, u64::MAX, u128::MAX, u32::MAX))? {
                let (_, _, key, part) = item?.0.value();
                if after.is_none_or(|after| (key, part) > after) {
                    first.push((key, part));
                    if first.len() > limit {
                        first.pop();
                    }
                }
            }
            let table = self.txn.open_table(QUEUE)?;
            let mut page = Vec::with_capacity(first.len());
            for (key, part) in first.into_sorted_vec() {
                if let Some(row) = table.get((key, part))? {
                    page.push((id_of(key, part), QueueRow::of(row.value())));
                }
            }
            Ok(page)
        })
    }

    pub(in super::super) fn queue_destinations(
        &self,
        after: Option<&Destination>,
        limit: usize,
    ) -> Result<Vec<DestinationFigures>, StoreError> {
        let from = after.map_or(Bound::Unbounded, |name| Bound::Excluded(name.as_str()));
        found(|| {
            let table = self.txn.open_table(DESTINATIONS)?;
            let names = self.txn.open_table(NUMBERS)?;
            let mut figures = Vec::new();
            for item in names.range::<&str>((from, Bound::Unbounded))?.take(limit) {
                let (name, number) = item?;
                let row: Option<DestinationRow> = decode(table.get(number.value())?)?;
                let Some(row) = row else { continue };
                figures.push(DestinationFigures {
                    destination: named(name.value())?,
                    waiting: row.waiting,
                    held: row.held,
                    due_at: (row.head != NEVER).then_some(Timestamp::from_millis(row.head)),
                });
            }
            Ok(figures)
        })
    }

    pub(in super::super) fn queue_figures(&self) -> Result<QueueFigures, StoreError> {
        found(|| {
            let held = self.txn.open_table(META)?.get(HELD)?.map_or(0, |held| held.value());
            let items = self.txn.open_table(QUEUE)?.len()?;
            let destinations = self.txn.open_table(NUMBERS)?.len()?;
            Ok(QueueFigures { waiting: items.saturating_sub(held), held, destinations })
        })
    }

    /// Calls `visit` for every item.
    pub(in super::super) fn each_queued(
        &self,
        mut visit: impl FnMut(QueueItemId, QueueRow),
    ) -> Result<(), StoreError> {
        found(|| {
            for item in self.txn.open_table(QUEUE)?.iter()? {
                let (at, row) = item?;
                let (key, part) = at.value();
                visit(id_of(key, part), QueueRow::of(row.value()));
            }
            Ok(())
        })
    }

    /// Whether an item stands among the times as its row says.
    pub(in super::super) fn has_time(&self, id: QueueItemId, row: &QueueRow) -> Result<bool, StoreError> {
        let time = (row.destination, row.due, key(id.mail_id), id.part);
        found(|| Ok(self.txn.open_table(TIMES)?.get(time)?.is_some()))
    }

    /// Times of items, numbers of destinations, and destinations with something that is due some time.
    pub(in super::super) fn queue_lengths(&self) -> Result<[u64; 3], StoreError> {
        found(|| {
            let numbers = self.txn.open_table(NUMBERS)?.len()?;
            Ok([self.txn.open_table(TIMES)?.len()?, numbers, self.txn.open_table(HEADS)?.len()?])
        })
    }

    /// Every destination with its number, and whether it stands among the heads as its row says.
    pub(in super::super) fn each_destination(
        &self,
        mut visit: impl FnMut(u32, DestinationRow, bool),
    ) -> Result<(), StoreError> {
        found(|| {
            let heads = self.txn.open_table(HEADS)?;
            for item in self.txn.open_table(DESTINATIONS)?.iter()? {
                let (number, row) = item?;
                let row = DestinationRow::decode(row.value()).map_err(malformed)?;
                let head = heads.get((row.head, row.name.as_str()))?.map(|number| number.value());
                let is_right = if row.head == NEVER { head.is_none() } else { head == Some(number.value()) };
                visit(number.value(), row, is_right);
            }
            Ok(())
        })
    }
}

fn named(name: &str) -> Result<Destination, redb::Error> {
    Destination::named(name).ok_or_else(|| redb::Error::Corrupted("a destination without a name".into()))
}
