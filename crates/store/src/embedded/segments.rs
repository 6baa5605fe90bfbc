//! The log's files, as readers and the committer share them, and reading records in them.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::disk::{Disk, DiskFile, OpenMode};
use super::record::{
    BodyPlace, Header, Kind, LOG_VERSION, Lsn, Message, RECORD_HEADER_LEN, SEGMENT_HEADER_LEN, segment_header,
};
use super::sync::lock;
use crate::StoreError;

/// The segments that there are, and those of them that are open.
#[derive(Debug)]
pub(super) struct Segments {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) dir: PathBuf,
    known: Mutex<BTreeMap<u32, Option<Arc<dyn DiskFile>>>>,
}

/// Octets that hold all of most records but for the body.
const RECORD_OCTETS: usize = 1024;
/// So many segments are held open at most, apart from those that somebody reads.
const OPEN_SEGMENTS_MAX: usize = 128;

impl Segments {
    /// Reads which segments there are. Files that were not finished, and spare ones, are removed.
    pub(super) fn load(disk: Arc<dyn Disk>, dir: PathBuf) -> Result<Self, StoreError> {
        let mut known = BTreeMap::new();
        for name in disk.list(&dir).map_err(|e| unavailable("list the log", &e))? {
            if let Some(number) = number_of(&name) {
                known.insert(number, None);
            } else if name.ends_with(".tmp") || name.ends_with(".spare") {
                disk.remove(&dir.join(&name)).map_err(|e| unavailable("remove a file of the log", &e))?;
            } else {
                tracing::warn!(name, "a file in the log's folder that does not belong there");
            }
        }
        Ok(Self { disk, dir, known: Mutex::new(known) })
    }

    pub(super) fn path(&self, segment: u32) -> PathBuf {
        self.dir.join(name_of(segment))
    }

    pub(super) fn numbers(&self) -> Vec<u32> {
        lock(&self.known).keys().copied().collect()
    }

    pub(super) fn contains(&self, segment: u32) -> bool {
        lock(&self.known).contains_key(&segment)
    }

    pub(super) fn insert(&self, segment: u32, file: Arc<dyn DiskFile>) {
        lock(&self.known).insert(segment, Some(file));
    }

    /// Forgets a segment; returns its file where it was open.
    pub(super) fn forget(&self, segment: u32) -> Option<Arc<dyn DiskFile>> {
        lock(&self.known).remove(&segment).flatten()
    }

    /// The file of a segment; `None` where the segment is gone.
    pub(super) fn open(&self, segment: u32) -> Result<Option<Arc<dyn DiskFile>>, StoreError> {
        let mut known = lock(&self.known);
        match known.get(&segment) {
            None => return Ok(None),
            Some(Some(file)) => return Ok(Some(Arc::clone(file))),
            Some(None) => {}
        }
        if known.values().flatten().count() >= OPEN_SEGMENTS_MAX {
            // Only of what nobody else holds: a segment whose handle is here alone, or not at all, is unread, and its file is
            // used again when it is given up.
            for file in known.values_mut() {
                if file.as_ref().is_some_and(|file| Arc::strong_count(file) == 1) {
                    *file = None;
                }
            }
        }
        let file = self
            .disk
            .open(&self.path(segment), OpenMode::Existing)
            .map_err(|e| unavailable("open a segment", &e))?;
        known.insert(segment, Some(Arc::clone(&file)));
        Ok(Some(file))
    }

    /// The record at a position, without its body; `None` where the segment is gone.
    pub(super) fn record(&self, lsn: Lsn) -> Result<Option<Record>, StoreError> {
        let Some(file) = self.open(lsn.segment())? else { return Ok(None) };
        let io = |e: io::Error| unavailable("read the log", &e);
        let torn = || damaged(lsn, "a record is not what was written");
        let mut octets = vec![0; RECORD_OCTETS];
        let n = file.read_at(&mut octets, lsn.offset()).map_err(io)?;
        octets.truncate(n);
        let header = octets.first_chunk::<RECORD_HEADER_LEN>().and_then(|octets| Header::decode(octets, lsn));
        let header = header.ok_or_else(torn)?;
        let len = RECORD_HEADER_LEN + header.meta_len as usize;
        if octets.len() < len {
            let read = octets.len();
            octets.resize(len, 0);
            file.read_exact_at(&mut octets[read..], lsn.offset() + read as u64).map_err(io)?;
        }
        octets.truncate(len);
        let meta = octets.split_off(RECORD_HEADER_LEN);
        if crc32c::crc32c(&meta) != header.meta_crc {
            return Err(torn());
        }
        Ok(Some(Record { header, meta }))
    }

    /// Checks a segment's first octets.
    pub(super) fn verify_header(&self, segment: u32) -> Result<Arc<dyn DiskFile>, StoreError> {
        let file =
            self.open(segment)?.ok_or_else(|| damaged(Lsn::new(segment, 0), "the segment is missing"))?;
        let mut header = [0; SEGMENT_HEADER_LEN];
        match file.read_exact_at(&mut header, 0) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                return Err(damaged(Lsn::new(segment, 0), "the segment has no header"));
            }
            Err(e) => return Err(unavailable("read a segment", &e)),
        }
        let found = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
        let expected = segment_header(segment, found);
        if header == expected && (1..=LOG_VERSION).contains(&found) {
            return Ok(file);
        }
        if header[..8] == expected[..8] && found > LOG_VERSION {
            return Err(StoreError::NewerFormat { found, known: LOG_VERSION });
        }
        Err(damaged(Lsn::new(segment, 0), "the segment's header is not what was written"))
    }
}

/// A record that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) header: Header,
    pub(super) meta: Vec<u8>,
}

/// Whether a [`Scanner`] reads bodies to check them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bodies {
    Verify,
    Skip,
}

/// Reads the records of one segment in order.
#[derive(Debug)]
pub(super) struct Scanner {
    window: Window,
    at: Lsn,
    batch: Option<Lsn>,
    bodies: Bodies,
}

impl Scanner {
    pub(super) fn new(file: Arc<dyn DiskFile>, from: Lsn, bodies: Bodies) -> Self {
        Self { window: Window { file, start: 0, octets: Vec::new() }, at: from, batch: None, bodies }
    }

    /// Where the next record stands, or would stand.
    pub(super) const fn at(&self) -> Lsn {
        self.at
    }

    /// The next record; `None` where there is no valid one at [`Scanner::at`].
    pub(super) fn next(&mut self) -> Result<Option<Record>, StoreError> {
        self.try_next().map_err(|e| unavailable("read the log", &e))
    }

    fn try_next(&mut self) -> io::Result<Option<Record>> {
        let offset = self.at.offset();
        let Some(header) = self.window.header(self.at)? else { return Ok(None) };
        // A record belongs to the write before it or begins a new one; anything else is left over from a
        // write that was cut back.
        if self.batch.is_some_and(|batch| header.batch != batch) && header.batch != header.lsn {
            return Ok(None);
        }
        let meta_at = offset + RECORD_HEADER_LEN as u64;
        let Some(meta) = self.window.read(meta_at, header.meta_len as usize)? else { return Ok(None) };
        if crc32c::crc32c(meta) != header.meta_crc {
            return Ok(None);
        }
        let meta = meta.to_vec();
        let body_at = meta_at + u64::from(header.meta_len);
        let body_ok = match self.bodies {
            Bodies::Verify => self.body_agrees(&header, &meta, body_at)?,
            Bodies::Skip => body_at + u64::from(header.body_len) <= self.window.file.size_bytes()?,
        };
        if !body_ok {
            return Ok(None);
        }
        self.batch = Some(header.batch);
        self.at = header.end();
        Ok(Some(Record { header, meta }))
    }

    fn body_agrees(&mut self, header: &Header, meta: &[u8], at: u64) -> io::Result<bool> {
        if header.kind != Kind::Message || header.body_len == 0 {
            return Ok(true);
        }
        let Ok(message) = Message::decode(meta) else { return Ok(false) };
        let body = self.window.read(at, header.body_len as usize)?;
        Ok(message.place == BodyPlace::Inline && body.is_some_and(|b| crc32c::crc32c(b) == message.body_crc))
    }

    /// Goes on with the next octets that look like a record; false where there are none.
    pub(super) fn skip_to_next(&mut self) -> Result<bool, StoreError> {
        let found = self.find(|_, _| true)?;
        if let Some(at) = found {
            (self.at, self.batch) = (at, None);
        }
        Ok(found.is_some())
    }

    /// Looks behind the end for a record of a later write. One would prove that everything before it was
    /// synced once, so that what ends here is not a torn write but damage.
    pub(super) fn later_write(&mut self) -> Result<Option<Lsn>, StoreError> {
        self.find(|header, at| header.batch > at)
    }

    /// The first place behind the end with a record's header that is wanted.
    fn find(&mut self, wanted: impl Fn(&Header, Lsn) -> bool) -> Result<Option<Lsn>, StoreError> {
        let io = |e: io::Error| unavailable("read the log", &e);
        let end = self.window.file.size_bytes().map_err(io)?;
        let mut offset = self.at.offset() + 8;
        while offset + RECORD_HEADER_LEN as u64 <= end {
            let at = Lsn(self.at.0 - self.at.offset() + offset);
            if let Some(header) = self.window.header(at).map_err(io)?
                && wanted(&header, self.at)
            {
                return Ok(Some(at));
            }
            offset += 8;
        }
        Ok(None)
    }
}

/// Part of a file in memory.
#[derive(Debug)]
struct Window {
    file: Arc<dyn DiskFile>,
    start: u64,
    octets: Vec<u8>,
}

const WINDOW_BYTES: usize = 128 * 1024;

impl Window {
    fn header(&mut self, at: Lsn) -> io::Result<Option<Header>> {
        let Some(octets) = self.read(at.offset(), RECORD_HEADER_LEN)? else { return Ok(None) };
        // Looking through a whole segment for headers must be quick where there is none.
        if octets[8..16] != at.0.to_le_bytes() {
            return Ok(None);
        }
        Ok(<&[u8; RECORD_HEADER_LEN]>::try_from(octets).ok().and_then(|octets| Header::decode(octets, at)))
    }

    /// `n` octets at `offset`; `None` where the file ends before.
    fn read(&mut self, offset: u64, n: usize) -> io::Result<Option<&[u8]>> {
        let inside = offset.checked_sub(self.start).and_then(|skip| usize::try_from(skip).ok());
        let inside = inside.filter(|skip| skip.saturating_add(n) <= self.octets.len());
        if let Some(skip) = inside {
            return Ok(Some(&self.octets[skip..skip + n]));
        }
        if offset.saturating_add(n as u64) > self.file.size_bytes()? {
            return Ok(None);
        }
        self.octets.resize(n.max(WINDOW_BYTES), 0);
        self.start = offset;
        let mut filled = 0;
        while filled < self.octets.len() {
            match self.file.read_at(&mut self.octets[filled..], offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) => {
                    self.octets.clear();
                    return Err(error);
                }
            }
        }
        self.octets.truncate(filled);
        Ok(self.octets.get(..n))
    }
}

pub(super) fn name_of(segment: u32) -> String {
    format!("{segment:010}.log")
}

fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_suffix(".log")?;
    (digits.len() == 10).then(|| digits.parse().ok()).flatten()
}

pub(super) fn damaged(at: Lsn, what: &str) -> StoreError {
    StoreError::Damaged(format!("the log, {at}: {what}"))
}

/// What an error of the file system means to who asked.
pub(super) fn unavailable(what: &str, error: &io::Error) -> StoreError {
    let text = format!("cannot {what}: {error}");
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => StoreError::Full(text),
        _ => StoreError::Unavailable(text),
    }
}
