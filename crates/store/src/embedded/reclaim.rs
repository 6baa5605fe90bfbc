//! Giving segments of the log up when little of them is needed.
//!
//! What a segment holds that the log still needs is written again at the log's end, by ordinary transactions, as
//! it is then: messages that live with their items of the queue, changes of items, flags and accounts that nothing later
//! says, the counters of its mailboxes.
//! When that is durable in the view too, the segment goes. So the log alone always suffices to make the view
//! anew, whatever was given up, and a crash at any point leaves at worst the same twice, of which the later counts.
//!
//! A tombstone (that a message was expunged) is needed as long as the segment with the message's record is there:
//! without it, making the view anew would raise the message. The same holds where a crash left a segment behind
//! that was emptied and not yet removed: it may have an older copy of the message. One segment's name is durably
//! gone before the next is looked at.

mod needed;

use std::collections::HashSet;
use std::sync::Arc;

use super::core::{Carry, Op};
use super::segments::{Segments, name_of, unavailable};
use super::shared::Shared;
use super::sync::lock;
use super::view::{Reader, SegmentRow};
use crate::StoreError;
use needed::{Plan, plan};

/// What reclaiming asks of the rest of the store.
pub(super) struct Hands<'h> {
    /// Commits what is to be carried or let go of.
    pub(super) commit: &'h mut dyn FnMut(Op) -> Result<(), StoreError>,
    /// Makes the view durable with all that is committed.
    pub(super) checkpoint: &'h mut dyn FnMut() -> Result<(), StoreError>,
}

/// Segments that were looked at and are not worth it for now.
#[derive(Debug, Default)]
pub(super) struct Skipped {
    segments: HashSet<u32>,
    /// Those that stay as they are.
    damaged: HashSet<u32>,
    /// The log's last segment then.
    since: u32,
    /// Whether the disk was full then.
    is_full: bool,
}

impl Skipped {
    /// One that cannot be given up for that reason. One that is damaged stays as it is.
    fn add(&mut self, number: u32, error: &StoreError) {
        let damaged = matches!(error, StoreError::Damaged(_));
        let of_these = if damaged { &mut self.damaged } else { &mut self.segments };
        of_these.insert(number);
    }

    /// Has all of them looked at again: less is needed of them by now.
    pub(super) fn clear(&mut self) {
        self.segments.clear();
    }

    /// Has them looked at again where the disk was not as full as it is, or was and is not any more.
    pub(super) fn clear_where_changed(&mut self, is_full: bool) {
        if std::mem::replace(&mut self.is_full, is_full) != is_full {
            self.clear();
        }
    }
}

/// What came of looking for a segment to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    GivenUp,
    Nothing,
    /// Not known before all is cleared away that was in mailboxes that are gone.
    TooEarly,
}

/// Octets that are carried in one transaction, so that others are not kept waiting.
const CARRY_BYTES: usize = 512 * 1024;
/// After so many more segments, skipped ones are looked at again.
const SKIP_SEGMENTS: u32 = 16;

/// Gives up one segment. One that cannot be read, or is damaged, is an error once, and then skipped. One for which there is no
/// room at the log's end is an error where no other can be given up, and is looked at again each time.
pub(super) fn reclaim_one(
    shared: &Shared,
    skipped: &mut Skipped,
    hands: &mut Hands<'_>,
) -> Result<Search, StoreError> {
    let _guard = lock(&shared.reclaiming);
    let head = shared.progress.checkpointed().segment();
    if head >= skipped.since.saturating_add(SKIP_SEGMENTS) {
        skipped.clear();
        skipped.since = head;
    }
    // Where there is no room to carry so much, only what is less is tried.
    let mut live_bytes_max = u64::MAX;
    let mut found_no_room = None;
    loop {
        let reader = shared.view.read()?;
        // What is not cleared away yet counts as in use, and is not: it is looked at when that is done.
        if reader.has_gone()? {
            return Ok(Search::TooEarly);
        }
        let is_left_out = |number, live_bytes| {
            live_bytes >= live_bytes_max
                || skipped.segments.contains(&number)
                || skipped.damaged.contains(&number)
        };
        let Some(Chosen { number, live_bytes, total_bytes }) =
            choose(&reader, &shared.segments, head, is_left_out)?
        else {
            return found_no_room.map_or(Ok(Search::Nothing), Err);
        };
        let plan = plan(shared, &reader, number).inspect_err(|error| skipped.add(number, error))?;
        drop(reader);
        // Flags and counters are not counted as live; where they fill a segment, moving them gains nothing.
        if plan.bytes * 2 > total_bytes {
            skipped.segments.insert(number);
            continue;
        }
        match carry(plan, hands) {
            Ok(()) => {}
            Err(error @ StoreError::Full(_)) => {
                live_bytes_max = live_bytes;
                found_no_room.get_or_insert(error);
                continue;
            }
            Err(error) => {
                if matches!(error, StoreError::Damaged(_)) {
                    skipped.add(number, &error);
                }
                return Err(error);
            }
        }
        (hands.checkpoint)()?;
        let reader = shared.view.read()?;
        if reader.has_gone()? {
            return Ok(Search::TooEarly);
        }
        let live = reader.segments()?.into_iter().find(|(n, _)| *n == number);
        if live.is_some_and(|(_, row)| row.live_bytes > 0) {
            tracing::error!(segment = number, "a segment that was emptied is not empty, and is kept");
            skipped.segments.insert(number);
            continue;
        }
        remove(shared, number)?;
        shared.metrics.segments_reclaimed.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        return Ok(Search::GivenUp);
    }
}

/// A segment that may be given up.
struct Chosen {
    number: u32,
    live_bytes: u64,
    total_bytes: u64,
}

/// The segment to give up next: the oldest of which nothing lives, or else the one with the smallest part that does, if that is
/// less than half. `is_left_out` says of its number and its octets that live whether it is none.
fn choose(
    reader: &Reader,
    segments: &Segments,
    head: u32,
    is_left_out: impl Fn(u32, u64) -> bool,
) -> Result<Option<Chosen>, StoreError> {
    let mut best: Option<(u64, Chosen)> = None;
    for (number, SegmentRow { live_bytes, total_bytes, .. }) in reader.segments()? {
        // What is not sealed, applied and durable in the view is needed to bring the view up.
        let is_needed = number >= head || total_bytes == 0 || !segments.contains(number);
        if is_needed || is_left_out(number, live_bytes) {
            continue;
        }
        let chosen = Chosen { number, live_bytes, total_bytes };
        if live_bytes == 0 {
            return Ok(Some(chosen));
        }
        let per_mille = live_bytes * 1000 / total_bytes;
        if per_mille < 500 && best.as_ref().is_none_or(|(least, _)| per_mille < *least) {
            best = Some((per_mille, chosen));
        }
    }
    Ok(best.map(|(_, chosen)| chosen))
}

fn carry(plan: Plan, hands: &mut Hands<'_>) -> Result<(), StoreError> {
    let mut together = Vec::new();
    let mut bytes = 0;
    for (mut item, body_at) in plan.items {
        if let (Carry::Mail { mail_id, body, .. }, Some(at)) = (&mut item, body_at) {
            let mut octets = vec![0; at.len];
            plan.file
                .read_exact_at(&mut octets, at.offset)
                .map_err(|e| unavailable("read a segment that is given up", &e))?;
            if crc32c::crc32c(&octets) != at.crc {
                return Err(StoreError::Damaged(format!(
                    "the body of message {mail_id}; its segment is kept"
                )));
            }
            *body = octets.into();
        }
        bytes += item.size_bytes();
        together.push(item);
        if bytes >= CARRY_BYTES {
            (hands.commit)(Op::Carry(std::mem::take(&mut together)))?;
            bytes = 0;
        }
    }
    if together.is_empty() { Ok(()) } else { (hands.commit)(Op::Carry(together)) }
}

/// Takes a segment's name away, durably, and keeps the file for another use where nobody reads it and there is room on the disk: a
/// file may be as large as the largest batch, and who waits for room waits for that, too.
fn remove(shared: &Shared, number: u32) -> Result<(), StoreError> {
    let file = shared.segments.forget(number);
    let unread = file.is_none_or(|file| Arc::strong_count(&file) == 1);
    let path = shared.segments.path(number);
    let spare = shared.segments.dir.join(format!("{}.spare", name_of(number)));
    let disk = &shared.disk;
    let recycle = unread && shared.spares.has_room() && !shared.is_full();
    if recycle { disk.rename(&path, &spare) } else { disk.remove(&path) }
        .map_err(|e| unavailable("give a segment up", &e))?;
    sync_names(shared)?;
    if recycle {
        shared.spares.offer(spare);
    }
    shared.view.forget_segment(number)
}

pub(super) fn sync_names(shared: &Shared) -> Result<(), StoreError> {
    shared.disk.sync_dir(&shared.segments.dir).map_err(|e| {
        let error = StoreError::Unavailable(format!("cannot sync the log's folder: {e}"));
        shared.fail(&error);
        error
    })
}
