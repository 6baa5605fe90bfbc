//! The log's end: one writer appends batches, each with one write and one sync.
//!
//! What a reader of the log relies on, and how it is kept:
//! - A batch is written only after all before it was synced. So a valid record of a later batch behind an invalid
//!   one means damage; an invalid tail with nothing later behind it means a write that was torn.
//! - A segment's last record is a seal, synced before the next segment gets its name. So only the last segment may
//!   have a torn tail.
//! - After a write that failed the file is cut back to the last good position, durably, before anybody is told.
//!   So what was refused never comes back.
//!
//! Space ahead is written with zeros up to [`AHEAD_BYTES`] at a time: a sync that only overwrites needs no change
//! of the file's metadata, which costs about half. Recycled segments are overwritten altogether.

use std::io::{self, IoSlice};
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::disk::{DiskFile, OpenMode};
use super::record::{Header, Kind, LOG_VERSION, Lsn, RECORD_HEADER_LEN, padded, segment_header};
use super::segments::{Segments, name_of, unavailable};
use super::sync::lock;
use crate::StoreError;

/// Why a batch was not committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AppendError {
    /// Nothing of it is left, and the log goes on.
    Refused(StoreError),
    /// It is not known what is on the disk: the log must not go on.
    Fatal(StoreError),
}

impl AppendError {
    pub(super) fn into_error(self) -> StoreError {
        let (Self::Refused(error) | Self::Fatal(error)) = self;
        error
    }
}

/// Records to be written together.
#[derive(Debug)]
pub(super) struct Batch {
    start: Lsn,
    end: Lsn,
    /// Headers, meta octets and padding, in order.
    meta: Vec<u8>,
    parts: Vec<Part>,
    records: Vec<(Header, Range<usize>)>,
    /// Octets that others keep of it until it is applied.
    held: usize,
}

/// How far a [`Batch`] has come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mark {
    end: Lsn,
    meta: usize,
    parts: usize,
    records: usize,
    held: usize,
}

#[derive(Debug)]
enum Part {
    Meta(Range<usize>),
    Body(Bytes),
}

impl Batch {
    /// Without records, for that place of the log.
    pub(super) const fn at(start: Lsn) -> Self {
        Self { start, end: start, meta: Vec::new(), parts: Vec::new(), records: Vec::new(), held: 0 }
    }

    /// Where the next record of it will stand.
    pub(super) const fn end(&self) -> Lsn {
        self.end
    }

    /// Where the log goes on after it: in the next segment after a seal.
    pub(super) fn log_end(&self) -> Lsn {
        self.records.last().map_or(self.end, |(header, _)| header.end())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Octets that it keeps in memory after it was written, with what others do until it is applied.
    pub(super) fn memory_bytes(&self) -> usize {
        self.meta.len() + self.records.len() * size_of::<(Header, Range<usize>)>() + self.held
    }

    /// Counts octets that others keep until it is applied: a short record may stand for a long list of messages.
    pub(super) fn hold(&mut self, bytes: usize) {
        self.held += bytes;
    }

    pub(super) fn records(&self) -> impl Iterator<Item = (Header, &[u8])> {
        self.records.iter().map(|(header, meta)| (*header, &self.meta[meta.clone()]))
    }

    /// Adds a record; `encode` appends its meta octets. Returns where it will stand.
    pub(super) fn push(&mut self, kind: Kind, body: Vec<Bytes>, encode: impl FnOnce(&mut Vec<u8>)) -> Lsn {
        let lsn = self.end;
        let header_at = self.meta.len();
        self.meta.resize(header_at + RECORD_HEADER_LEN, 0);
        let meta_at = self.meta.len();
        encode(&mut self.meta);
        let meta = meta_at..self.meta.len();
        let body_len: usize = body.iter().map(Bytes::len).sum();
        let header = Header {
            lsn,
            batch: self.start,
            meta_len: super::codec::length(meta.len()),
            body_len: super::codec::length(body_len),
            meta_crc: crc32c::crc32c(&self.meta[meta.clone()]),
            kind,
            is_tied: false,
        };
        self.meta[header_at..meta_at].copy_from_slice(&header.encode());
        self.meta_part(header_at..meta.end);
        self.parts.extend(body.into_iter().filter(|b| !b.is_empty()).map(Part::Body));
        let len = (RECORD_HEADER_LEN + meta.len() + body_len) as u64;
        let padding_at = self.meta.len();
        self.meta.resize(padding_at + usize::try_from(padded(len) - len).unwrap_or(0), 0);
        self.meta_part(padding_at..self.meta.len());
        self.records.push((header, meta));
        self.end = Lsn(lsn.0 + header.len());
        lsn
    }

    /// How many records it has.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Ties all records from the one of that number on to each other: after a write that was torn all of them are
    /// there, or none.
    pub(super) fn tie(&mut self, from: usize) {
        let last = self.records.len().saturating_sub(1);
        for (header, meta) in self.records.iter_mut().take(last).skip(from) {
            header.is_tied = true;
            let header_at = meta.start - RECORD_HEADER_LEN;
            self.meta[header_at..meta.start].copy_from_slice(&header.encode());
        }
    }

    /// How far it has come.
    pub(super) fn mark(&self) -> Mark {
        Mark {
            end: self.end,
            meta: self.meta.len(),
            parts: self.parts.len(),
            records: self.records.len(),
            held: self.held,
        }
    }

    /// Takes out what was added since.
    pub(super) fn back_to(&mut self, mark: Mark) {
        self.end = mark.end;
        self.meta.truncate(mark.meta);
        self.parts.truncate(mark.parts);
        if let Some(Part::Meta(last)) = self.parts.last_mut() {
            last.end = last.end.min(mark.meta);
        }
        self.records.truncate(mark.records);
        self.held = mark.held;
    }

    fn meta_part(&mut self, range: Range<usize>) {
        match self.parts.last_mut() {
            Some(Part::Meta(last)) if last.end == range.start => last.end = range.end,
            _ if range.is_empty() => {}
            _ => self.parts.push(Part::Meta(range)),
        }
    }

    /// Lets go of the bodies, which nobody needs once they are written.
    fn drop_bodies(&mut self) {
        self.parts = Vec::new();
    }
}

/// The writer.
#[derive(Debug)]
pub(super) struct Log {
    segments: Arc<Segments>,
    segment_bytes: u64,
    file: Arc<dyn DiskFile>,
    position: Lsn,
    /// Octets of the file up to here were written before, if only with zeros.
    written: u64,
    sealed: bool,
    /// Seals that were written and that the view has to hear of.
    seals: Vec<Batch>,
    spares: Arc<Spares>,
}

/// Segments that were given up, waiting to be used again.
#[derive(Debug, Default)]
pub(super) struct Spares(std::sync::Mutex<Vec<PathBuf>>);

/// So many are kept.
const SPARES_MAX: usize = 2;
/// Octets of zeros written ahead of a small batch.
const AHEAD_BYTES: u64 = 1024 * 1024;
/// A batch of this size or more pays for its own metadata.
const BIG_BATCH_BYTES: u64 = 256 * 1024;
static ZEROS: [u8; 64 * 1024] = [0; 64 * 1024];

impl Spares {
    pub(super) fn has_room(&self) -> bool {
        lock(&self.0).len() < SPARES_MAX
    }

    /// Takes in a file that nobody reads any more.
    pub(super) fn offer(&self, path: PathBuf) {
        lock(&self.0).push(path);
    }

    /// Gives out all of them.
    pub(super) fn take(&self) -> Vec<PathBuf> {
        std::mem::take(&mut *lock(&self.0))
    }
}

impl Log {
    /// Goes on at `position`, the end of the last valid record, and makes it and all before it durable.
    pub(super) fn resume(
        segments: Arc<Segments>,
        segment_bytes: u64,
        position: Lsn,
        spares: Arc<Spares>,
    ) -> Result<Self, AppendError> {
        let segment_bytes = segment_bytes.clamp(SEGMENT_BYTES_MIN, SEGMENT_BYTES_MAX);
        if !segments.contains(position.segment()) {
            let file = create_segment(&segments, position.segment(), &spares)?;
            let written = size(&file);
            return Ok(Self {
                segments,
                segment_bytes,
                file,
                position,
                written,
                sealed: false,
                seals: Vec::new(),
                spares,
            });
        }
        let open = segments.open(position.segment()).map_err(AppendError::Refused)?;
        let file = open.ok_or_else(|| {
            AppendError::Refused(StoreError::Unavailable("the last segment went away".into()))
        })?;
        let mut log = Self {
            segments,
            segment_bytes,
            file,
            position,
            written: position.offset(),
            sealed: false,
            seals: Vec::new(),
            spares,
        };
        // What a process wrote and did not sync before it was killed is readable, but not yet durable; what a
        // torn write left must not be taken for records later.
        log.cut_back()?;
        Ok(log)
    }

    /// An empty batch at the log's end, in a new segment where the last is full.
    pub(super) fn begin(&mut self, buffer: Vec<u8>) -> Result<Batch, AppendError> {
        if self.sealed || self.position.offset() >= self.segment_bytes {
            self.rotate()?;
        }
        Ok(self.batch(buffer))
    }

    /// Seals that were written since this was asked last.
    pub(super) fn take_seals(&mut self) -> Vec<Batch> {
        std::mem::take(&mut self.seals)
    }

    fn batch(&self, mut meta: Vec<u8>) -> Batch {
        meta.clear();
        Batch { meta, ..Batch::at(self.position) }
    }

    /// Writes and syncs a batch. Returns how long the sync took.
    pub(super) fn append(&mut self, batch: &mut Batch) -> Result<Duration, AppendError> {
        let len = batch.end.0 - batch.start.0;
        let end = batch.end.offset();
        let ahead = if end > self.written && len < BIG_BATCH_BYTES {
            AHEAD_BYTES.min(self.segment_bytes.saturating_sub(end))
        } else {
            0
        };
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(batch.parts.len() + 16);
        slices.extend(batch.parts.iter().map(|part| match part {
            Part::Meta(range) => IoSlice::new(&batch.meta[range.clone()]),
            Part::Body(body) => IoSlice::new(body),
        }));
        let mut zeros = ahead;
        while zeros > 0 {
            let n = zeros.min(ZEROS.len() as u64);
            slices.push(IoSlice::new(&ZEROS[..usize::try_from(n).unwrap_or(0)]));
            zeros -= n;
        }
        let (done, error) = write_slices(&*self.file, &mut slices, self.position.offset());
        if done < len {
            let error = error.unwrap_or_else(|| io::ErrorKind::WriteZero.into());
            let refused = unavailable("write the log", &error);
            self.cut_back()?;
            return Err(AppendError::Refused(refused));
        }
        let began = Instant::now();
        self.file.sync_data().map_err(|e| fatal("sync the log", &e))?;
        self.written = self.written.max(self.position.offset() + done);
        self.position = batch.end;
        batch.drop_bodies();
        Ok(began.elapsed())
    }

    /// Cuts the file at the last good position, durably.
    fn cut_back(&mut self) -> Result<(), AppendError> {
        self.written = self.position.offset();
        self.file
            .set_len(self.position.offset())
            .and_then(|()| self.file.sync_data())
            .map_err(|e| fatal("cut the log back after a write that failed", &e))
    }

    fn rotate(&mut self) -> Result<(), AppendError> {
        if !self.sealed {
            let mut seal = self.batch(Vec::new());
            seal.push(Kind::Seal, Vec::new(), |_| {});
            self.append(&mut seal)?;
            self.sealed = true;
            self.seals.push(seal);
        }
        let number = self.position.segment() + 1;
        self.file = create_segment(&self.segments, number, &self.spares)?;
        self.written = size(&self.file);
        self.position = Lsn::first_of(number);
        self.sealed = false;
        Ok(())
    }
}

/// Bounds of the configured size of a segment; offsets have 32 bits, and a batch may stand over the end.
const SEGMENT_BYTES_MIN: u64 = 4 * 1024;
const SEGMENT_BYTES_MAX: u64 = 1024 * 1024 * 1024;

fn size(file: &Arc<dyn DiskFile>) -> u64 {
    // Only a hint about what was written before.
    file.size_bytes().unwrap_or(0)
}

/// Makes a segment under another name and gives it its own when its header is durable.
fn create_segment(
    segments: &Segments,
    number: u32,
    spares: &Spares,
) -> Result<Arc<dyn DiskFile>, AppendError> {
    let spare = lock(&spares.0).pop();
    let (path, mode) = match spare {
        Some(path) => (path, OpenMode::Existing),
        None => (segments.dir.join(format!("{}.tmp", name_of(number))), OpenMode::Truncate),
    };
    let prepare = || {
        let file = segments.disk.open(&path, mode)?;
        file.write_all_at(&segment_header(number, LOG_VERSION), 0)?;
        Ok(file)
    };
    let file = prepare().map_err(|e: io::Error| {
        // What is left of it is removed now or at the next start.
        let _ = segments.disk.remove(&path);
        AppendError::Refused(unavailable("make a segment", &e))
    })?;
    file.sync_data().map_err(|e| fatal("sync a new segment", &e))?;
    segments
        .disk
        .rename(&path, &segments.path(number))
        .map_err(|e| AppendError::Refused(unavailable("name a segment", &e)))?;
    segments.disk.sync_dir(&segments.dir).map_err(|e| fatal("sync the log's folder", &e))?;
    segments.insert(number, Arc::clone(&file));
    Ok(file)
}

/// Writes as much as it can; returns how much that was.
fn write_slices(file: &dyn DiskFile, mut slices: &mut [IoSlice<'_>], at: u64) -> (u64, Option<io::Error>) {
    let mut done = 0;
    while !slices.is_empty() {
        match file.write_at(slices, at + done) {
            Ok(0) => break,
            Ok(n) => {
                done += n as u64;
                IoSlice::advance_slices(&mut slices, n);
            }
            Err(error) => return (done, Some(error)),
        }
    }
    (done, None)
}

fn fatal(what: &str, error: &io::Error) -> AppendError {
    AppendError::Fatal(StoreError::Unavailable(format!(
        "cannot {what}: {error}; nothing is accepted any more"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_counts_until_it_is_taken_back() {
        let mut batch = Batch::at(Lsn::first_of(1));
        batch.push(Kind::Flags, Vec::new(), |out| out.push(1));
        batch.hold(1000);
        let (mark, before) = (batch.mark(), batch.memory_bytes());
        assert!(before > 1000);
        batch.push(Kind::Flags, Vec::new(), |out| out.push(2));
        batch.hold(50_000);
        assert!(batch.memory_bytes() > before + 50_000);
        batch.back_to(mark);
        assert_eq!(batch.memory_bytes(), before);
    }
}
