//! The indices of the queue when the view is made anew of a long log.
//!
//! Each change of an item would take it from one place of [`TIMES`] to another, at random. So while the view is being made
//! only the items are kept, and then their times are put in, sorted, in runs that fit into memory. Until that is done
//! [`BUILDING`] says so, and a view that a crash left in between is thrown away.

use std::ops::Bound;

use redb::{ReadableTable as _, WriteTransaction};

use super::super::record::{Header, Lsn};
use super::apply::{Apply, Durable};
use super::queue::{QUEUE, QueueRow, QueueTables, Time};
use super::{APPLIED, BUILDING, META, Row as _, View, malformed};
use crate::StoreError;

/// Items of one run; 48 octets of memory each.
pub(in super::super) const RUN_ITEMS: usize = 512 * 1024;
/// Destinations of which nothing is left that are taken out in one transaction.
const IDLE_DESTINATIONS: usize = 10_000;

/// An item among [`QUEUE`].
type ItemKey = (u128, u32);

impl View {
    /// Applies records up to the log position `end` to a view that is being made, but for the indices of the queue.
    pub(in super::super) fn build<'r>(
        &self,
        records: impl Iterator<Item = (Header, &'r [u8])>,
        end: Lsn,
    ) -> Result<(), StoreError> {
        self.change(|txn| {
            let mut apply = Apply::new(txn, self.keys_max)?;
            apply.is_building = true;
            for (header, meta) in records {
                apply.record(&header, meta)?;
            }
            apply.finish()?;
            let mut meta = txn.open_table(META)?;
            meta.insert(BUILDING, 1)?;
            meta.insert(APPLIED, end.0)?;
            Ok(((), Durable::Later))
        })
    }

    /// Makes the indices, with so many items at a time; the view is whole and durable then.
    pub(in super::super) fn finish_building(&self, run_items: usize) -> Result<(), StoreError> {
        self.remove_loose()?;
        let mut after: Option<ItemKey> = None;
        loop {
            after = self.change(|txn| Ok((put_run(txn, after, run_items)?, Durable::Later)))?;
            if after.is_none() {
                break;
            }
        }
        let mut after = None;
        loop {
            after = self.change(|txn| Ok((remove_idle(txn, after)?, Durable::Later)))?;
            if after.is_none() {
                break;
            }
        }
        self.change(|txn| {
            txn.open_table(META)?.remove(BUILDING)?;
            Ok(((), Durable::Yes))
        })
    }
}

/// Puts in the times of the next items; returns the last of them, none where they were the last of all.
fn put_run(
    txn: &WriteTransaction,
    after: Option<ItemKey>,
    limit: usize,
) -> Result<Option<ItemKey>, redb::Error> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let (mut run, mut last): (Vec<Time>, _) = (Vec::new(), None);
    for item in txn.open_table(QUEUE)?.range::<ItemKey>((from, Bound::Unbounded))?.take(limit) {
        let (at, row) = item?;
        let ((key, part), row) = (at.value(), QueueRow::of(row.value()));
        run.push((row.destination, row.due, key, part));
        last = Some((key, part));
    }
    let is_full = run.len() == limit;
    run.sort_unstable();
    let mut tables = QueueTables::open(txn)?;
    for time in run {
        tables.put_time(time)?;
    }
    tables.finish(txn)?;
    Ok(last.filter(|_| is_full))
}

/// Takes out destinations of which all items went while the view was being made; returns the last that was looked at,
/// none at the end.
fn remove_idle(txn: &WriteTransaction, after: Option<u32>) -> Result<Option<u32>, redb::Error> {
    let from = after.map_or(Bound::Unbounded, Bound::Excluded);
    let (mut idle, mut last) = (Vec::new(), None);
    let mut tables = QueueTables::open(txn)?;
    for item in tables.destinations.range::<u32>((from, Bound::Unbounded))? {
        let (number, row) = item?;
        let row = super::DestinationRow::decode(row.value()).map_err(malformed)?;
        if row.waiting + row.held == 0 {
            idle.push((number.value(), row));
        }
        if idle.len() == IDLE_DESTINATIONS {
            last = Some(number.value());
            break;
        }
    }
    tables.touched.extend(idle);
    // It takes out those that nothing is left of.
    tables.finish(txn)?;
    Ok(last)
}
