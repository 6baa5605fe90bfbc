//! Bringing the view up to the log, at start and when it was lost.
//!
//! The view says up to where it was made of the log; what stands behind is applied. Where there is no view, or a
//! damaged one, the whole log is: of segments that were given up, everything that counts was carried forward
//! first (see [`super::reclaim`]).

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use super::bodies;
use super::disk::Disk;
use super::record::{Kind, Lsn};
use super::segments::{Bodies, Record, Scanner, Segments, damaged, unavailable};
use super::view::{Durable, RUN_ITEMS, View, ViewError};
use crate::StoreError;

/// Octets of records that are applied in one transaction.
const CHUNK_BYTES: usize = 4 * 1024 * 1024;
/// Octets of the view that are kept in memory while it is made anew.
const BUILD_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// A view that has all of the log.
#[derive(Debug)]
pub(super) struct Recovered {
    pub(super) view: View,
    /// Where the log ends.
    pub(super) end: Lsn,
    /// Whether the view had it all, durably, before.
    pub(super) unchanged: bool,
}

/// Opens the view and applies to it what the log has more, up to `until` or to the log's end.
pub(super) fn bring_up(
    open: &dyn Fn() -> Result<View, ViewError>,
    discard: &dyn Fn() -> Result<(), StoreError>,
    segments: &Segments,
    until: Option<Lsn>,
) -> Result<Recovered, StoreError> {
    let attempt = || -> Result<Recovered, ViewError> {
        let view = open()?;
        let applied = view.read().and_then(|reader| reader.applied()).map_err(of_view)?;
        // In a log of which the first segment is all, every record stands where it was first.
        if applied.is_none() && segments.numbers().last().is_some_and(|last| *last > 1) {
            return build(view, segments, until, RUN_ITEMS);
        }
        let end = catch_up(segments, applied, until, &|records, end| apply(&view, records, end))?;
        Ok(Recovered { view, end, unchanged: applied == Some(end) })
    };
    match attempt() {
        Ok(done) => Ok(done),
        Err(ViewError::Disk(error)) => Err(error),
        Err(ViewError::Damaged(why)) => {
            tracing::warn!(why, "the view is damaged and is made anew from the log");
            discard()?;
            attempt().map_err(|error| match error {
                ViewError::Disk(error) => error,
                ViewError::Damaged(why) => StoreError::Damaged(format!("the view, made anew: {why}")),
            })
        }
    }
}

/// Makes the view anew of a log of several segments, with more memory than it has afterwards.
fn build(
    view: View,
    segments: &Segments,
    until: Option<Lsn>,
    run_items: usize,
) -> Result<Recovered, ViewError> {
    let cache_bytes = view.cache_bytes();
    let view = view.with_cache(cache_bytes.max(BUILD_CACHE_BYTES))?;
    let end = catch_up(segments, None, until, &|records, end| {
        view.build(records.iter().map(|r| (r.header, r.meta.as_slice())), end)
    })?;
    view.finish_building(run_items).map_err(of_view)?;
    Ok(Recovered { view: view.with_cache(cache_bytes)?, end, unchanged: false })
}

/// Applies records up to a position.
type ApplyChunk<'a> = dyn Fn(&[Record], Lsn) -> Result<(), StoreError> + 'a;

/// Applies what the view does not have yet. Returns the log's end.
fn catch_up(
    segments: &Segments,
    applied: Option<Lsn>,
    until: Option<Lsn>,
    apply: &ApplyChunk<'_>,
) -> Result<Lsn, ViewError> {
    let mut chunk: Vec<Record> = Vec::new();
    let mut bytes = 0;
    // An error of the view ends the walk, and is told apart from one of the log.
    let mut view_error = None;
    let walked = walk(segments, applied, until, |record| {
        bytes += record.meta.len() + 64;
        let end = record.header.end();
        chunk.push(record);
        if bytes >= CHUNK_BYTES {
            bytes = 0;
            apply(&std::mem::take(&mut chunk), end).inspect_err(|error| view_error = Some(error.clone()))?;
        }
        Ok(())
    });
    if let Some(error) = view_error {
        return Err(of_view(error));
    }
    let end = walked.map_err(ViewError::Disk)?;
    if !chunk.is_empty() || applied.is_none() {
        apply(&chunk, end).map_err(of_view)?;
    }
    Ok(end)
}

/// Body files that die here are removed when all of the log is applied: see [`remove_orphans`].
fn apply(view: &View, records: &[Record], end: Lsn) -> Result<(), StoreError> {
    view.apply(records.iter().map(|r| (r.header, r.meta.as_slice())), end, Durable::Later).map(drop)
}

fn of_view(error: StoreError) -> ViewError {
    match error {
        StoreError::Damaged(why) => ViewError::Damaged(why),
        error => ViewError::Disk(error),
    }
}

/// Calls `visit` for each record from `from`, or from the log's beginning. Returns the log's end.
fn walk(
    segments: &Segments,
    from: Option<Lsn>,
    until: Option<Lsn>,
    mut visit: impl FnMut(Record) -> Result<(), StoreError>,
) -> Result<Lsn, StoreError> {
    let numbers = segments.numbers();
    let Some(last) = numbers.last().copied() else { return Ok(from.unwrap_or(Lsn::first_of(1))) };
    let mut at = from.unwrap_or_else(|| Lsn::first_of(numbers[0]));
    loop {
        let number = at.segment();
        if until.is_some_and(|until| at >= until) || number > last {
            return Ok(at);
        }
        if !segments.contains(number) {
            if from.is_some() {
                return Err(damaged(at, "the segment is missing"));
            }
            at = Lsn::first_of(number + 1);
            continue;
        }
        let file = segments.verify_header(number)?;
        if file.size_bytes().map_err(|e| unavailable("read the log", &e))? < at.offset() {
            return Err(damaged(at, "the segment is shorter than it was"));
        }
        // Before a segment was sealed, all of it was synced: only the last may have a torn body.
        let bodies = if number == last { Bodies::Verify } else { Bodies::Skip };
        let mut scanner = Scanner::new(file, at, bodies);
        let mut sealed = false;
        // Records that are tied to one that has not come yet.
        let mut tied: Vec<Record> = Vec::new();
        while until.is_none_or(|until| scanner.at() < until)
            && let Some(record) = scanner.next()?
        {
            sealed = record.header.kind == Kind::Seal;
            if record.header.is_tied {
                tied.push(record);
                continue;
            }
            tied.drain(..).try_for_each(&mut visit)?;
            visit(record)?;
            if sealed {
                break;
            }
        }
        at = scanner.at();
        if tied.is_empty() && (sealed || until.is_some_and(|until| at >= until)) {
            continue;
        }
        let end = tied.first().map_or(at, |first| first.header.lsn);
        return tail(&mut scanner, end, number == last, until.is_some());
    }
}

/// Decides what it means that a segment ends without a seal, at `end` or where the records end that are tied to what
/// should stand behind them.
fn tail(scanner: &mut Scanner, end: Lsn, last: bool, bounded: bool) -> Result<Lsn, StoreError> {
    let at = scanner.at();
    if !last {
        return Err(damaged(at, "a record is not what was written, and the log goes on in the next segment"));
    }
    if bounded {
        return Err(damaged(at, "a record that was synced is not what was written"));
    }
    if let Some(later) = scanner.later_write()? {
        let what =
            format!("a record is not what was written, and a later one stands at offset {}", later.offset());
        return Err(damaged(at, &what));
    }
    Ok(end)
}

/// Segments in which the view has messages must be there.
pub(super) fn verify_segments(view: &View, segments: &Segments) -> Result<(), StoreError> {
    for (number, row) in view.read()?.segments()? {
        if row.live_bytes > 0 && !segments.contains(number) {
            return Err(damaged(Lsn::new(number, 0), "the segment is missing, and messages are in it"));
        }
    }
    Ok(())
}

/// Removes unfinished body files and those that nothing refers to. Returns a number above all in use.
pub(super) fn remove_orphans(disk: &Arc<dyn Disk>, dir: &Path, view: &View) -> Result<u64, StoreError> {
    let live: HashSet<u64> = view.read()?.files()?.into_iter().map(|(number, _)| number).collect();
    let mut next = live.iter().max().map_or(1, |n| n + 1);
    for name in disk.list(dir).map_err(|e| unavailable("list the bodies", &e))? {
        let number = bodies::number_of(name.strip_suffix(".tmp").unwrap_or(&name));
        let Some(number) = number else {
            tracing::warn!(name, "a file in the folder of bodies that does not belong there");
            continue;
        };
        next = next.max(number + 1);
        if name.ends_with(".tmp") || !live.contains(&number) {
            disk.remove(&dir.join(&name)).map_err(|e| unavailable("remove a body", &e))?;
        }
    }
    Ok(next)
}

#[cfg(test)]
mod tests;
