//! The queue in the view.
//!
//! A row is small, for there may be a million of them: when the item is due, and where in the log all else of it
//! stands. Destinations have numbers here, so that their names stand here once. [`HEADS`] has each destination by when
//! its first item is due, so that one with very many items is passed over in one step.
//!
//! What is accepted and gone within the same batch of records never gets into a table: that is most of the mail of a
//! day on which all goes well.

use std::collections::{BTreeMap, HashMap};

use redb::{ReadableTable as _, Table, TableDefinition, WriteTransaction};
use types::MailId;

use super::super::codec::{Get, Malformed, Put};
use super::super::queue::{ItemNext, ItemNow, NEVER, QueueChange, QueuedPart};
use super::super::record::{BodyPlace, Header, Lsn, Message};
use super::apply::Apply;
use super::read::decode;
use super::{META, MailRow, Row, malformed};
use crate::QueueItemId;

/// A row as the table has it: position of the record, due, number of the destination, revision, octets of the record.
pub(super) type RawRow = (u64, u64, u32, u32, u32);
/// An item in the order in which items of a destination are due.
pub(super) type Time = (u32, u64, u128, u32);

pub(super) const QUEUE: TableDefinition<'_, (u128, u32), RawRow> = TableDefinition::new("queue");
/// All items; held ones behind all times, see [`NEVER`].
pub(super) const TIMES: TableDefinition<'_, Time, ()> = TableDefinition::new("queue_times");
pub(super) const NUMBERS: TableDefinition<'_, &str, u32> = TableDefinition::new("queue_destination_numbers");
pub(super) const DESTINATIONS: TableDefinition<'_, u32, &[u8]> = TableDefinition::new("queue_destinations");
pub(super) const HEADS: TableDefinition<'_, (u64, &str), u32> = TableDefinition::new("queue_heads");

/// Key of [`META`]: held items.
pub(super) const HELD: &str = "queue_held";

/// An item of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct QueueRow {
    /// The record that says how it is now.
    pub(in super::super) lsn: Lsn,
    /// Octets of that record; 0 where it is the message's.
    pub(in super::super) record_len: u32,
    /// Milliseconds; [`NEVER`] where it is held.
    pub(in super::super) due: u64,
    /// The number of its destination.
    pub(in super::super) destination: u32,
    pub(in super::super) revision: u32,
}

impl QueueRow {
    pub(super) const fn raw(self) -> RawRow {
        (self.lsn.0, self.due, self.destination, self.revision, self.record_len)
    }

    pub(super) const fn of((lsn, due, destination, revision, record_len): RawRow) -> Self {
        Self { lsn: Lsn(lsn), record_len, due, destination, revision }
    }
}

/// A destination for which something waits or is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct DestinationRow {
    pub(in super::super) waiting: u64,
    pub(in super::super) held: u64,
    /// When the first is due; [`NEVER`] where none is.
    pub(in super::super) head: u64,
    pub(in super::super) name: String,
}

impl Row for DestinationRow {
    fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.waiting);
        out.put_u64(self.held);
        out.put_u64(self.head);
        out.put_bytes(self.name.as_bytes());
    }

    fn get(get: &mut Get<'_>) -> Result<Self, Malformed> {
        Ok(Self { waiting: get.u64()?, held: get.u64()?, head: get.u64()?, name: get.text()?.to_owned() })
    }
}

pub(super) fn make_tables(txn: &WriteTransaction) -> Result<(), redb::Error> {
    txn.open_table(QUEUE)?;
    txn.open_table(TIMES)?;
    txn.open_table(NUMBERS)?;
    txn.open_table(DESTINATIONS)?;
    txn.open_table(HEADS)?;
    Ok(())
}

/// The tables of the queue, opened with the first record that needs them.
pub(super) struct QueueTables<'t> {
    items: Table<'t, (u128, u32), RawRow>,
    times: Table<'t, Time, ()>,
    numbers: Table<'t, &'static str, u32>,
    pub(super) destinations: Table<'t, u32, &'static [u8]>,
    heads: Table<'t, (u64, &'static str), u32>,
    /// Rows of destinations that this batch changes, written once.
    pub(super) touched: BTreeMap<u32, DestinationRow>,
    known_numbers: HashMap<String, u32>,
    last_number: Option<u32>,
    held_more: i64,
    /// Messages that are new in this batch and have nothing but items of the queue.
    fresh: BTreeMap<u128, Fresh>,
    is_building: bool,
}

struct Fresh {
    row: MailRow,
    items: Vec<FreshItem>,
}

struct FreshItem {
    part: u32,
    place: Place,
    destination: String,
}

/// Where an item's state stands, and what of it is in its row.
#[derive(Clone, Copy)]
struct Place {
    lsn: Lsn,
    record_len: u32,
    due: u64,
    revision: u32,
}

impl Place {
    /// In a message's record.
    const fn in_message(header: &Header, now: &ItemNow<'_>) -> Self {
        Self { lsn: header.lsn, record_len: 0, due: now.due, revision: now.revision }
    }

    /// In a record of its own.
    fn alone(header: &Header, now: &ItemNow<'_>) -> Self {
        let record_len = super::super::codec::length(usize::try_from(header.len()).unwrap_or(usize::MAX));
        Self { lsn: header.lsn, record_len, due: now.due, revision: now.revision }
    }
}

impl<'t> Apply<'t> {
    fn queue(&mut self) -> Result<&mut QueueTables<'t>, redb::Error> {
        if self.queue.is_none() {
            let tables = QueueTables::open(self.txn)?;
            self.queue = Some(QueueTables { is_building: self.is_building, ..tables });
        }
        // It was set above where it was not there.
        self.queue.as_mut().ok_or_else(|| redb::Error::Corrupted("no tables of the queue".into()))
    }

    /// A message that is new and has nothing but items of the queue: it may be gone before the batch ends.
    pub(super) fn fresh_message(
        &mut self,
        header: &Header,
        row: MailRow,
        message: &Message<'_>,
    ) -> Result<(), redb::Error> {
        self.segment(header.lsn.segment())?.live_bytes += header.len();
        let items = message.queue.iter().map(|part| FreshItem {
            part: part.part,
            place: Place::in_message(header, &part.now),
            destination: part.now.destination.to_owned(),
        });
        let items = items.collect();
        let key = u128::from_be_bytes(message.mail_id.to_bytes());
        self.queue()?.fresh.insert(key, Fresh { row, items });
        Ok(())
    }

    /// Whether a message is new in this batch, and in no table yet.
    pub(super) fn is_fresh(&self, key: u128) -> bool {
        self.queue.as_ref().is_some_and(|queue| queue.fresh.contains_key(&key))
    }

    /// The items of a message are those that its record names, and no others.
    pub(super) fn queued_parts(
        &mut self,
        header: &Header,
        key: u128,
        parts: &[QueuedPart<'_>],
    ) -> Result<(), redb::Error> {
        for part in self.queue()?.parts_of(key)? {
            if parts.iter().all(|named| named.part != part)
                && let Some(row) = self.queue()?.remove(key, part)?
            {
                self.release_record(&row)?;
            }
        }
        for part in parts {
            let place = Place::in_message(header, &part.now);
            if let Some(before) = self.queue()?.put(key, part.part, place, part.now.destination)? {
                self.release_record(&before)?;
            }
        }
        Ok(())
    }

    pub(super) fn queue_change(
        &mut self,
        header: &Header,
        change: &QueueChange<'_>,
    ) -> Result<(), redb::Error> {
        let key = u128::from_be_bytes(change.id.mail_id.to_bytes());
        if self.is_fresh(key) {
            return self.fresh_change(header, key, change);
        }
        let part = change.id.part;
        // Only a message's record brings items.
        let Some(before) = self.queue()?.row(key, part)? else { return Ok(()) };
        match &change.next {
            ItemNext::Gone { .. } => {
                self.queue()?.remove(key, part)?;
                self.release_record(&before)?;
                self.unqueue(key)
            }
            // A record that was carried forward may be older than what is known.
            ItemNext::Now(now) if now.revision < before.revision => Ok(()),
            ItemNext::Now(now) => {
                self.queue()?.put(key, part, Place::alone(header, now), now.destination)?;
                self.release_record(&before)?;
                self.segment(header.lsn.segment())?.live_bytes += header.len();
                Ok(())
            }
        }
    }

    fn fresh_change(
        &mut self,
        header: &Header,
        key: u128,
        change: &QueueChange<'_>,
    ) -> Result<(), redb::Error> {
        let fresh = &mut self.queue()?.fresh;
        let Some(Fresh { items, .. }) = fresh.get_mut(&key) else { return Ok(()) };
        let Some(at) = items.iter().position(|item| item.part == change.id.part) else { return Ok(()) };
        let before = items[at].place;
        match &change.next {
            ItemNext::Gone { .. } => {
                items.swap_remove(at);
                let gone = if items.is_empty() { fresh.remove(&key) } else { None };
                self.release_place(&before)?;
                let Some(Fresh { row, .. }) = gone else { return Ok(()) };
                let segment = self.segment(row.lsn.segment())?;
                segment.live_bytes = segment.live_bytes.saturating_sub(row.record_len);
                if let BodyPlace::File(number) = row.place {
                    self.applied.dead_files.push(number);
                }
            }
            ItemNext::Now(now) if now.revision < before.revision => {}
            ItemNext::Now(now) => {
                items[at].place = Place::alone(header, now);
                if items[at].destination != now.destination {
                    now.destination.clone_into(&mut items[at].destination);
                }
                self.release_place(&before)?;
                self.segment(header.lsn.segment())?.live_bytes += header.len();
            }
        }
        Ok(())
    }

    /// Whether a message has items of the queue.
    pub(super) fn is_queued(&mut self, key: u128, row: &MailRow) -> Result<bool, redb::Error> {
        Ok(row.parts > 0 && self.queue()?.has_parts(key)?)
    }

    /// An item of a message went, and the message with it where that was the last that referred to it.
    fn unqueue(&mut self, key: u128) -> Result<(), redb::Error> {
        let row: Option<MailRow> = decode(self.mails.get(key)?)?;
        let Some(row) = row.filter(|row| row.entries.is_empty()) else { return Ok(()) };
        // Where it had but one, that was it.
        if row.parts > 1 && self.queue()?.has_parts(key)? {
            return Ok(());
        }
        self.forget_mail(key, &row)
    }

    /// Puts a message that is new in this batch into the tables.
    pub(super) fn settle_fresh(&mut self, key: u128) -> Result<(), redb::Error> {
        let Some(fresh) = self.queue()?.fresh.remove(&key) else { return Ok(()) };
        let Fresh { row, items } = fresh;
        if let BodyPlace::File(number) = row.place {
            self.files.insert(number, key)?;
        }
        self.mails.insert(key, row.encode().as_slice())?;
        let queue = self.queue()?;
        for item in items {
            queue.put(key, item.part, item.place, &item.destination)?;
        }
        Ok(())
    }

    pub(super) fn finish_queue(&mut self) -> Result<(), redb::Error> {
        while let Some(key) = self.queue.as_ref().and_then(|queue| queue.fresh.keys().next().copied()) {
            self.settle_fresh(key)?;
        }
        match self.queue.take() {
            Some(queue) => queue.finish(self.txn),
            None => Ok(()),
        }
    }

    /// An item's record is of no more use.
    fn release_record(&mut self, row: &QueueRow) -> Result<(), redb::Error> {
        self.release_len(row.lsn, row.record_len)
    }

    fn release_place(&mut self, place: &Place) -> Result<(), redb::Error> {
        self.release_len(place.lsn, place.record_len)
    }

    fn release_len(&mut self, lsn: Lsn, record_len: u32) -> Result<(), redb::Error> {
        if record_len > 0 {
            let segment = self.segment(lsn.segment())?;
            segment.live_bytes = segment.live_bytes.saturating_sub(u64::from(record_len));
        }
        Ok(())
    }
}

impl<'t> QueueTables<'t> {
    pub(super) fn open(txn: &'t WriteTransaction) -> Result<Self, redb::Error> {
        Ok(Self {
            items: txn.open_table(QUEUE)?,
            times: txn.open_table(TIMES)?,
            numbers: txn.open_table(NUMBERS)?,
            destinations: txn.open_table(DESTINATIONS)?,
            heads: txn.open_table(HEADS)?,
            touched: BTreeMap::new(),
            known_numbers: HashMap::new(),
            last_number: None,
            held_more: 0,
            fresh: BTreeMap::new(),
            is_building: false,
        })
    }

    fn row(&self, key: u128, part: u32) -> Result<Option<QueueRow>, redb::Error> {
        Ok(self.items.get((key, part))?.map(|row| QueueRow::of(row.value())))
    }

    fn has_parts(&self, key: u128) -> Result<bool, redb::Error> {
        Ok(self.items.range((key, 0)..=(key, u32::MAX))?.next().transpose()?.is_some())
    }

    fn parts_of(&self, key: u128) -> Result<Vec<u32>, redb::Error> {
        self.items.range((key, 0)..=(key, u32::MAX))?.map(|item| Ok(item?.0.value().1)).collect()
    }

    /// Puts an item; returns its row as it was. One that is known in a later state stays.
    fn put(
        &mut self,
        key: u128,
        part: u32,
        place: Place,
        destination: &str,
    ) -> Result<Option<QueueRow>, redb::Error> {
        let before = self.row(key, part)?;
        if before.is_some_and(|before| before.revision > place.revision) {
            return Ok(None);
        }
        let destination = self.number(destination)?;
        let Place { lsn, record_len, due, revision } = place;
        let row = QueueRow { lsn, record_len, due, destination, revision };
        self.items.insert((key, part), row.raw())?;
        let is_in_place = before.is_some_and(|before| (before.destination, before.due) == (destination, due));
        if !is_in_place && !self.is_building {
            if let Some(before) = &before {
                self.remove_time((before.destination, before.due, key, part))?;
            }
            self.put_time((destination, due, key, part))?;
        }
        Ok(before)
    }

    pub(super) fn put_time(&mut self, time: Time) -> Result<(), redb::Error> {
        self.times.insert(time, ())?;
        self.count(time.0, time.1, 1)
    }

    fn remove_time(&mut self, time: Time) -> Result<(), redb::Error> {
        self.times.remove(time)?;
        self.count(time.0, time.1, -1)
    }

    fn remove(&mut self, key: u128, part: u32) -> Result<Option<QueueRow>, redb::Error> {
        let Some(row) = self.items.remove((key, part))?.map(|row| QueueRow::of(row.value())) else {
            return Ok(None);
        };
        if !self.is_building {
            self.remove_time((row.destination, row.due, key, part))?;
        }
        Ok(Some(row))
    }

    fn count(&mut self, destination: u32, due: u64, more: i64) -> Result<(), redb::Error> {
        let row = self.destination(destination)?;
        let counter = if due == NEVER { &mut row.held } else { &mut row.waiting };
        *counter = counter.saturating_add_signed(more);
        if due == NEVER {
            self.held_more += more;
        }
        Ok(())
    }

    fn destination(&mut self, number: u32) -> Result<&mut DestinationRow, redb::Error> {
        use std::collections::btree_map::Entry;
        Ok(match self.touched.entry(number) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(vacant) => {
                let row = self.destinations.get(number)?;
                let missing = || redb::Error::Corrupted("a destination that is not there".into());
                vacant.insert(DestinationRow::decode(row.ok_or_else(missing)?.value()).map_err(malformed)?)
            }
        })
    }

    /// The number of a destination, which gets one where it has none.
    fn number(&mut self, name: &str) -> Result<u32, redb::Error> {
        if let Some(number) = self.known_numbers.get(name) {
            return Ok(*number);
        }
        let known = self.numbers.get(name)?.map(|number| number.value());
        let number = match known {
            Some(number) => number,
            None => self.new_number(name)?,
        };
        self.known_numbers.insert(name.to_owned(), number);
        Ok(number)
    }

    /// A number is given again only when nothing is left of the destination that had it.
    fn new_number(&mut self, name: &str) -> Result<u32, redb::Error> {
        let mut number = match self.last_number {
            Some(last) => last.wrapping_add(1),
            None => self.destinations.last()?.map_or(1, |(last, _)| last.value().wrapping_add(1)),
        };
        while self.touched.contains_key(&number) || self.destinations.get(number)?.is_some() {
            number = number.wrapping_add(1);
        }
        self.last_number = Some(number);
        self.numbers.insert(name, number)?;
        let row = DestinationRow { waiting: 0, held: 0, head: NEVER, name: name.to_owned() };
        self.touched.insert(number, row);
        Ok(number)
    }

    pub(super) fn finish(mut self, txn: &WriteTransaction) -> Result<(), redb::Error> {
        for (number, mut row) in std::mem::take(&mut self.touched) {
            let times = self.times.range((number, 0, 0, 0)..(number, NEVER, 0, 0))?;
            let first = times.map(|item| item.map(|(time, _)| time.value().1)).next().transpose()?;
            let head = first.unwrap_or(NEVER);
            if head != row.head {
                if row.head != NEVER {
                    self.heads.remove((row.head, row.name.as_str()))?;
                }
                if head != NEVER {
                    self.heads.insert((head, row.name.as_str()), number)?;
                }
                row.head = head;
            }
            if row.waiting + row.held == 0 && !self.is_building {
                self.destinations.remove(number)?;
                self.numbers.remove(row.name.as_str())?;
            } else {
                self.destinations.insert(number, row.encode().as_slice())?;
            }
        }
        if self.held_more != 0 {
            let mut meta = txn.open_table(META)?;
            let before = meta.get(HELD)?.map_or(0, |held| held.value());
            meta.insert(HELD, before.saturating_add_signed(self.held_more))?;
        }
        Ok(())
    }
}

/// The id of an item whose key this is.
pub(super) fn id_of(key: u128, part: u32) -> QueueItemId {
    QueueItemId { mail_id: MailId::from_bytes(key.to_be_bytes()), part }
}
