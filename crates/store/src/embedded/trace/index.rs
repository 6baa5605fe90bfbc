//! Where in a file of the trace the events of an id are, so that looking for one message does not read all files.
//!
//! A file gets its index when the next one begins; until then it is read as a whole, and so is one whose index is
//! missing or is not what was written. An index that is not there is made anew in the background. Nothing depends on it.
//!
//! ```text
//! index  = "POSTAIDX" crc:u32 version:u32 trace_bytes:u64 entries:u32 buckets:u32 *bucket *entry
//! bucket = first:u32 crc:u32              ; the number of its first entry, checksum of its entries
//! entry  = hash:u32 frame:u32             ; what is looked for, and where a frame with it begins; sorted
//! ```
//!
//! The first checksum (CRC-32C) covers all from `version` to the last bucket. There is a power of two of buckets, which
//! part the hashes evenly, so that one id costs two reads. `trace_bytes` is how long the file of the trace is.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use types::{EventStep, MailId};

use super::super::codec::{Get, Put as _, length};
use super::super::disk::DiskFile;
use super::event::EventRef;
use super::frame::{FILE_HEADER_BYTES, Found, Frames};

/// What an index knows frames by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Key {
    /// Any event of a connection.
    Session(MailId),
    /// Events of a connection about no message.
    Around(MailId),
    /// Events of a message.
    Mail(MailId),
    /// Gaps, whatever they concern.
    Gap,
}

const MAGIC: &[u8; 8] = b"POSTAIDX";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 32;
const BUCKET_BYTES: usize = 8;
const ENTRY_BYTES: usize = 8;
/// Entries of a bucket, about.
const BUCKET_ENTRIES: usize = 256;
/// A larger file gets no index: making it takes memory for each event.
const TRACE_BYTES_MAX: u64 = 32 * 1024 * 1024;
/// With so many keys a file is read as a whole, which is quicker.
const KEYS_MAX: usize = 256;

impl Key {
    /// Two keys with one hash cost a frame that is read for nothing.
    fn hash(self) -> u32 {
        let (kind, id) = match self {
            Self::Session(id) => (1, id),
            Self::Around(id) => (2, id),
            Self::Mail(id) => (3, id),
            Self::Gap => return 0,
        };
        crc32c::crc32c_append(kind, &id.to_bytes())
    }

    /// Those of an event.
    fn of(event: &EventRef<'_>) -> [Option<Self>; 2] {
        if event.step == EventStep::Gap {
            return [Some(Self::Gap), None];
        }
        let more = event.mail_id.map_or(Self::Around(event.session_id), Self::Mail);
        [Some(Self::Session(event.session_id)), Some(more)]
    }
}

/// The index of a file that is written no more, as octets; `None` where not all of the file can be read, so that who
/// looks for something reads it as a whole and says what is missing.
pub(super) fn build(trace: Arc<dyn DiskFile>, trace_bytes: u64) -> io::Result<Option<Vec<u8>>> {
    if trace_bytes > TRACE_BYTES_MAX {
        return Ok(None);
    }
    let mut frames = Frames::of(trace, trace_bytes);
    let mut entries: Vec<(u32, u32)> = Vec::new();
    let (mut at, mut hashes) = (FILE_HEADER_BYTES, Vec::new());
    loop {
        let mut events = match frames.next()? {
            Found::Frame(_, octets) => Get(octets),
            Found::End => break,
            Found::Damage(_) | Found::Tail(_) | Found::Newer => return Ok(None),
        };
        while !events.0.is_empty() {
            let Ok(event) = EventRef::decode(&mut events) else { return Ok(None) };
            hashes.extend(Key::of(&event).into_iter().flatten().map(Key::hash));
        }
        hashes.sort_unstable();
        hashes.dedup();
        let frame = u32::try_from(at).map_err(io::Error::other)?;
        entries.extend(hashes.drain(..).map(|hash| (hash, frame)));
        at = frames.offset();
    }
    entries.sort_unstable();
    Ok(Some(encode(&entries, trace_bytes)))
}

/// Entries that are sorted.
fn encode(entries: &[(u32, u32)], trace_bytes: u64) -> Vec<u8> {
    let buckets = entries.len().div_ceil(BUCKET_ENTRIES).next_power_of_two();
    let mut heads = Vec::new();
    heads.put_u32(VERSION);
    heads.put_u64(trace_bytes);
    heads.put_u32(length(entries.len()));
    heads.put_u32(length(buckets));
    let mut octets = Vec::with_capacity(entries.len() * ENTRY_BYTES);
    for bucket in 0..buckets {
        let first = octets.len();
        let before = first / ENTRY_BYTES;
        for (hash, frame) in
            entries[before..].iter().take_while(|entry| bucket_of(entry.0, buckets) == bucket)
        {
            octets.put_u32(*hash);
            octets.put_u32(*frame);
        }
        heads.put_u32(length(before));
        heads.put_u32(crc32c::crc32c(&octets[first..]));
    }
    let mut index = MAGIC.to_vec();
    index.put_u32(crc32c::crc32c(&heads));
    index.put(&heads);
    index.put(&octets);
    index
}

/// `buckets` is a power of two.
const fn bucket_of(hash: u32, buckets: usize) -> usize {
    // At most 2^32 entries make fewer buckets than that, so nothing is lost.
    ((hash as u64 * buckets as u64) >> 32) as usize
}

/// The index of a file.
#[derive(Debug)]
pub(super) struct Index {
    file: Arc<dyn DiskFile>,
    /// The number of the first entry of each, and the checksum; behind the last one, how many there are.
    buckets: Vec<(u32, u32)>,
    entries_at: u64,
}

impl Index {
    /// That of a file of the trace that is so long; `None` where it is none.
    pub(super) fn open(file: Arc<dyn DiskFile>, trace_bytes: u64) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER_BYTES];
        let size_bytes = file.size_bytes()?;
        if size_bytes < HEADER_BYTES as u64 {
            return Ok(None);
        }
        file.read_exact_at(&mut header, 0)?;
        let Some((crc, entries, buckets)) = read_header(&header, trace_bytes) else { return Ok(None) };
        let entries_at = HEADER_BYTES as u64 + u64::from(buckets) * BUCKET_BYTES as u64;
        if size_bytes != entries_at + u64::from(entries) * ENTRY_BYTES as u64 {
            return Ok(None);
        }
        // No more than the file has.
        let mut octets = vec![0; usize::try_from(buckets).map_err(io::Error::other)? * BUCKET_BYTES];
        file.read_exact_at(&mut octets, HEADER_BYTES as u64)?;
        if crc32c::crc32c_append(crc32c::crc32c(&header[MAGIC.len() + 4..]), &octets) != crc {
            return Ok(None);
        }
        let mut buckets: Vec<_> = octets.chunks_exact(BUCKET_BYTES).map(pair).collect();
        buckets.push((entries, 0));
        Ok(Some(Self { file, buckets, entries_at }))
    }

    /// Where the frames begin that have events of these keys, and some others; `None` where all of the file is to be
    /// read.
    pub(super) fn frames(&self, keys: &[Key]) -> io::Result<Option<BTreeSet<u64>>> {
        let mut frames = BTreeSet::new();
        if keys.len() > KEYS_MAX {
            return Ok(None);
        }
        let hashes: BTreeSet<u32> = keys.iter().map(|key| key.hash()).collect();
        let mut entries = (usize::MAX, Vec::new());
        for hash in hashes {
            let number = bucket_of(hash, self.buckets.len() - 1);
            if entries.0 != number {
                let Some(read) = self.bucket(number)? else { return Ok(None) };
                entries = (number, read);
            }
            let from = entries.1.partition_point(|entry| entry.0 < hash);
            let found = entries.1[from..].iter().take_while(|entry| entry.0 == hash);
            frames.extend(found.map(|entry| u64::from(entry.1)));
        }
        Ok(Some(frames))
    }

    /// Whether all of it is what was written.
    pub(super) fn is_whole(&self) -> io::Result<bool> {
        for number in 0..self.buckets.len() - 1 {
            if self.bucket(number)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The entries of a bucket; `None` where they are not what was written.
    fn bucket(&self, number: usize) -> io::Result<Option<Vec<(u32, u32)>>> {
        let [(first, crc), (end, _)] = self.buckets[number..][..2] else { return Ok(None) };
        let mut octets = vec![0; end.saturating_sub(first) as usize * ENTRY_BYTES];
        self.file.read_exact_at(&mut octets, self.entries_at + u64::from(first) * ENTRY_BYTES as u64)?;
        let is_whole = crc32c::crc32c(&octets) == crc;
        Ok(is_whole.then(|| octets.chunks_exact(ENTRY_BYTES).map(pair).collect()))
    }
}

/// Checksum, entries and buckets of an index of a file that is so long.
fn read_header(header: &[u8], trace_bytes: u64) -> Option<(u32, u32, u32)> {
    let mut get = Get(header.strip_prefix(MAGIC)?);
    let crc = get.u32().ok()?;
    let (version, of_bytes) = (get.u32().ok()?, get.u64().ok()?);
    let (entries, buckets) = (get.u32().ok()?, get.u32().ok()?);
    let is_ours = version == VERSION && of_bytes == trace_bytes && buckets.is_power_of_two();
    is_ours.then_some((crc, entries, buckets))
}

/// Two numbers.
fn pair(octets: &[u8]) -> (u32, u32) {
    let number = |octets: Option<&[u8; 4]>| octets.map_or(0, |octets| u32::from_le_bytes(*octets));
    (number(octets.first_chunk()), number(octets.last_chunk()))
}
