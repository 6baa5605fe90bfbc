//! Frames: some events that were written together, behind a header with their checksum.
//!
//! ```text
//! file  = "POSTATRC" version:u32 0:u32 *frame
//! frame = FF 54 FE 01 crc:u32 length:u32 count:u32 first_ms:u64 last_ms:u64 *event
//! ```
//!
//! The checksum (CRC-32C) covers all that follows it in the frame. FF and FE occur in no text of UTF-8, so nobody
//! can write what looks like a frame into an address, and a reader that has lost its place in a damaged file
//! finds the next frame again. `first_ms` and `last_ms` are the earliest and the latest time of an event in it.

use std::io;
use std::sync::Arc;

use super::super::disk::DiskFile;

/// Octets before the first frame of a file.
pub(super) const FILE_HEADER_BYTES: u64 = 16;

/// Octets of a frame before its events.
pub(super) const FRAME_HEADER_BYTES: usize = 32;

/// Octets of events after which a frame is closed. One that is damaged loses no more than that.
pub(super) const FRAME_BYTES: usize = 64 * 1024;

/// No frame has more octets of events: the last event began before [`FRAME_BYTES`].
const FRAME_BYTES_MAX: usize = FRAME_BYTES + super::event::EVENT_BYTES_MAX;

/// The version of files and frames.
const VERSION: u32 = 1;
const FILE_MAGIC: &[u8; 8] = b"POSTATRC";
const FRAME_MAGIC: [u8; 4] = [0xFF, b'T', 0xFE, VERSION as u8];

/// What stands in front of a frame's events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct FrameHeader {
    pub(super) count: u32,
    pub(super) first_ms: u64,
    pub(super) last_ms: u64,
}

pub(super) fn file_header() -> [u8; FILE_HEADER_BYTES as usize] {
    let mut header = [0; FILE_HEADER_BYTES as usize];
    header[..8].copy_from_slice(FILE_MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header
}

/// Fills in the header of a whole frame, whose events are there already.
pub(super) fn seal(frame: &mut [u8], header: FrameHeader) {
    let length = u32::try_from(frame.len() - FRAME_HEADER_BYTES).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&FRAME_MAGIC);
    frame[8..12].copy_from_slice(&length.to_le_bytes());
    frame[12..16].copy_from_slice(&header.count.to_le_bytes());
    frame[16..24].copy_from_slice(&header.first_ms.to_le_bytes());
    frame[24..32].copy_from_slice(&header.last_ms.to_le_bytes());
    let crc = crc32c::crc32c(&frame[8..]);
    frame[4..8].copy_from_slice(&crc.to_le_bytes());
}

/// What comes next in a file.
#[derive(Debug)]
pub(super) enum Found<'a> {
    /// A frame that is whole.
    Frame(FrameHeader, &'a [u8]),
    /// So many octets that are no frame, with frames behind them.
    Damage(u64),
    /// So many octets that are no frame, up to the end of the file.
    Tail(u64),
    /// There is no more.
    End,
    /// The file is of a newer version.
    Newer,
}

/// Reads the frames of a file, from its beginning to where it ended when the reading began.
#[derive(Debug)]
pub(super) struct Frames {
    file: Arc<dyn DiskFile>,
    offset: u64,
    end: u64,
    /// Octets of the file from `window_at` on.
    window: Vec<u8>,
    window_at: u64,
}

/// Octets that are read at once.
const WINDOW_BYTES: usize = 256 * 1024;

impl Frames {
    pub(super) fn of(file: Arc<dyn DiskFile>, end: u64) -> Self {
        Self { file, offset: 0, end, window: Vec::new(), window_at: 0 }
    }

    /// Where the next frame begins.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    /// The frame that begins at an offset, where a whole one does.
    pub(super) fn at(&mut self, offset: u64) -> io::Result<Option<(FrameHeader, &[u8])>> {
        match self.frame_at(offset)? {
            None => Ok(None),
            Some((header, length)) => {
                let events = self.octets(offset + FRAME_HEADER_BYTES as u64, length)?;
                Ok(events.map(|events| (header, events)))
            }
        }
    }

    pub(super) fn next(&mut self) -> io::Result<Found<'_>> {
        if self.offset == 0 {
            match self.octets(0, FILE_HEADER_BYTES as usize)? {
                Some(header) if &header[..8] != FILE_MAGIC => return self.skip(),
                Some(header) if header[8..12] != VERSION.to_le_bytes() => return Ok(Found::Newer),
                Some(_) => self.offset = FILE_HEADER_BYTES,
                // A file whose header was not written yet has nothing in it.
                None => return Ok(Found::End),
            }
        }
        if self.offset >= self.end {
            return Ok(Found::End);
        }
        match self.frame_at(self.offset)? {
            Some((header, length)) => {
                let events_at = self.offset + FRAME_HEADER_BYTES as u64;
                self.offset = events_at + length as u64;
                let events = self.octets(events_at, length)?.unwrap_or_default();
                Ok(Found::Frame(header, events))
            }
            None => self.skip(),
        }
    }

    /// Looks for the next frame behind what is none.
    fn skip(&mut self) -> io::Result<Found<'_>> {
        let from = self.offset;
        let mut at = from + 1;
        while at + FRAME_HEADER_BYTES as u64 <= self.end {
            let length = usize::try_from(self.end - at).unwrap_or(usize::MAX).min(WINDOW_BYTES);
            let Some(octets) = self.octets(at, length)? else { break };
            match octets.windows(FRAME_MAGIC.len()).position(|four| four == FRAME_MAGIC) {
                None => at += (length - FRAME_MAGIC.len() + 1) as u64,
                Some(place) => {
                    at += place as u64;
                    if self.frame_at(at)?.is_some() {
                        self.offset = at;
                        return Ok(Found::Damage(at - from));
                    }
                    at += 1;
                }
            }
        }
        self.offset = self.end;
        Ok(Found::Tail(self.end - from))
    }

    /// The header of the frame at `at` and the length of its events, where a whole one is there.
    fn frame_at(&mut self, at: u64) -> io::Result<Option<(FrameHeader, usize)>> {
        let Some(header) = self.octets(at, FRAME_HEADER_BYTES)? else { return Ok(None) };
        let u32_at = |from: usize| header[from..from + 4].try_into().map_or(0, u32::from_le_bytes);
        let u64_at = |from: usize| header[from..from + 8].try_into().map_or(0, u64::from_le_bytes);
        let (crc, length) = (u32_at(4), u32_at(8) as usize);
        let read = FrameHeader { count: u32_at(12), first_ms: u64_at(16), last_ms: u64_at(24) };
        if header[..4] != FRAME_MAGIC || length > FRAME_BYTES_MAX {
            return Ok(None);
        }
        let Some(frame) = self.octets(at, FRAME_HEADER_BYTES + length)? else { return Ok(None) };
        Ok((crc32c::crc32c(&frame[8..]) == crc).then_some((read, length)))
    }

    /// Octets of the file; `None` where it ends before.
    fn octets(&mut self, at: u64, length: usize) -> io::Result<Option<&[u8]>> {
        if at + length as u64 > self.end {
            return Ok(None);
        }
        let inside = at >= self.window_at && at + length as u64 <= self.window_at + self.window.len() as u64;
        if !inside {
            let rest = usize::try_from(self.end - at).unwrap_or(usize::MAX);
            self.window.clear();
            self.window.resize(rest.min(WINDOW_BYTES.max(length)), 0);
            self.window_at = at;
            if let Err(error) = self.file.read_exact_at(&mut self.window, at) {
                self.window.clear();
                return Err(error);
            }
        }
        let from = usize::try_from(at - self.window_at).unwrap_or(usize::MAX);
        Ok(self.window.get(from..from + length))
    }
}
