//! Verifying the queue: each item with its message, its record, its time and its destination.

use std::collections::HashMap;

use super::super::queue::{ItemNext, NEVER, QueueChange};
use super::super::record::Lsn;
use super::super::view::QueueRow;
use super::Check;
use crate::{QueueItemId, StoreError};

/// What the items of a destination sum up to.
#[derive(Debug, Default)]
struct Tally {
    waiting: u64,
    held: u64,
    head: Option<u64>,
}

impl Check<'_> {
    pub(super) fn queue_record(&mut self, at: Lsn, meta: &[u8]) {
        match QueueChange::decode(meta) {
            Ok(QueueChange { id, next: ItemNext::Now(now) }) => {
                self.changes.insert(at, (id, now.revision));
            }
            Ok(_) => {}
            Err(_) => {
                self.report
                    .error(format!("the log, {at}: the record of an item of the queue cannot be read"));
            }
        }
    }

    /// Returns the octets of items' own records that are in use, by segment.
    pub(super) fn queue(&mut self) -> Result<HashMap<u32, u64>, StoreError> {
        let mut live: HashMap<u32, u64> = HashMap::new();
        let mut tallies: HashMap<u32, Tally> = HashMap::new();
        let (mut errors, mut failed) = (Vec::new(), Ok(()));
        let mut items = 0;
        self.reader.each_queued(|id, row| {
            items += 1;
            let tally = tallies.entry(row.destination).or_default();
            if row.due == NEVER {
                tally.held += 1;
            } else {
                tally.waiting += 1;
                tally.head = tally.head.into_iter().chain([row.due]).min();
            }
            if row.record_len > 0 {
                *live.entry(row.lsn.segment()).or_default() += u64::from(row.record_len);
            }
            match self.item(id, &row) {
                Ok(wrong) => errors.extend(wrong.map(|wrong| format!("{id} of the queue {wrong}"))),
                Err(error) => failed = Err(error),
            }
        })?;
        failed?;
        self.report.queued = items;
        let held = tallies.values().map(|tally| tally.held).sum::<u64>();
        self.queue_figures(&mut tallies, items, held, &mut errors)?;
        errors.into_iter().for_each(|text| self.report.error(text));
        Ok(live)
    }

    /// What is wrong with an item.
    fn item(&self, id: QueueItemId, row: &QueueRow) -> Result<Option<&'static str>, StoreError> {
        let Some(mail) = self.reader.mail(id.mail_id)? else { return Ok(Some("has no message")) };
        if mail.parts == 0 {
            return Ok(Some("is not known to its message"));
        }
        if row.record_len > 0 && self.changes.get(&row.lsn) != Some(&(id, row.revision)) {
            return Ok(Some("has no whole record"));
        }
        let is_timed = self.reader.has_time(id, row)?;
        Ok((!is_timed).then_some("does not stand among those of its destination"))
    }

    fn queue_figures(
        &self,
        tallies: &mut HashMap<u32, Tally>,
        items: u64,
        held: u64,
        errors: &mut Vec<String>,
    ) -> Result<(), StoreError> {
        let (mut destinations, mut with_head) = (0, 0);
        self.reader.each_destination(|number, row, is_head_right| {
            destinations += 1;
            with_head += u64::from(row.head != NEVER);
            let tally = tallies.remove(&number).unwrap_or_default();
            let is_right = (row.waiting, row.held) == (tally.waiting, tally.held)
                && row.head == tally.head.unwrap_or(NEVER)
                && is_head_right
                && row.waiting + row.held > 0;
            if !is_right {
                errors
                    .push(format!("destination {} of the queue: {row:?}, and there is {tally:?}", row.name));
            }
        })?;
        errors.extend(tallies.keys().map(|number| format!("destination {number} of the queue has no name")));
        let lengths = self.reader.queue_lengths()?;
        if lengths != [items, destinations, with_head] {
            errors.push(format!(
                "the queue has {items} items, {destinations} destinations and {with_head} of them waiting, and its \
                 indexes {lengths:?}"
            ));
        }
        let figures = self.reader.queue_figures()?;
        if (figures.waiting, figures.held) != (items - held, held) {
            errors.push(format!("the queue counts {figures:?}, and {held} of {items} items are held"));
        }
        Ok(())
    }
}
