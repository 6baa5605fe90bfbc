//! Events that were recorded and are not written yet: a bounded buffer of frames that are being filled.
//!
//! Who records an event encodes it into the buffer under a lock that is held for nothing else, so that it waits
//! for no disk and allocates nothing of its own. Whoever writes takes the whole buffer and leaves an empty one.

use types::{Event, EventStep, MailId, Timestamp, Verdict};

use super::event::{EVENT_BYTES_MAX, encode};
use super::frame::{FRAME_BYTES, FRAME_HEADER_BYTES, FrameHeader, seal};

/// Frames one behind the other.
#[derive(Debug, Default)]
pub(super) struct Batch {
    octets: Vec<u8>,
    /// Where each frame begins.
    frames: Vec<(usize, FrameHeader)>,
}

/// Octets of memory that an empty buffer keeps for the next events.
const KEPT_BYTES: usize = 256 * 1024;

impl Batch {
    pub(super) const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(super) const fn len(&self) -> usize {
        self.octets.len()
    }

    pub(super) fn clear(&mut self) {
        self.octets.clear();
        self.octets.shrink_to(KEPT_BYTES);
        self.frames.clear();
    }

    pub(super) fn push(&mut self, event: &Event) {
        let full = self
            .frames
            .last()
            .is_none_or(|(start, _)| self.octets.len() - start - FRAME_HEADER_BYTES >= FRAME_BYTES);
        if full {
            let header = FrameHeader { count: 0, first_ms: u64::MAX, last_ms: 0 };
            self.frames.push((self.octets.len(), header));
            self.octets.resize(self.octets.len() + FRAME_HEADER_BYTES, 0);
        }
        encode(event, &mut self.octets);
        if let Some((_, header)) = self.frames.last_mut() {
            header.count += 1;
            header.first_ms = header.first_ms.min(event.at.millis());
            header.last_ms = header.last_ms.max(event.at.millis());
        }
    }

    /// When the earliest of its first events happened.
    pub(super) fn first_ms(&self) -> u64 {
        self.frames.first().map_or(0, |(_, header)| header.first_ms)
    }

    /// When the latest of its last events happened.
    pub(super) fn last_ms(&self) -> u64 {
        self.frames.last().map_or(0, |(_, header)| header.last_ms)
    }

    /// As it is written, with the headers filled in.
    pub(super) fn sealed(&mut self) -> &[u8] {
        let mut end = self.octets.len();
        for (start, header) in self.frames.iter().rev() {
            seal(&mut self.octets[*start..end], *header);
            end = *start;
        }
        &self.octets
    }
}

/// The buffer.
#[derive(Debug)]
pub(super) struct Pending {
    batch: Batch,
    bytes_max: usize,
    /// Events that found no room since the buffer was taken, and when the first of them happened.
    dropped: u64,
    dropped_at: Timestamp,
    /// Events since the start.
    pub(super) recorded: u64,
    /// Of those, events that found no room.
    pub(super) dropped_in_all: u64,
    /// The thread that writes is to end.
    pub(super) stopping: bool,
}

impl Pending {
    pub(super) fn new(bytes_max: usize) -> Self {
        Self {
            batch: Batch::default(),
            bytes_max,
            dropped: 0,
            dropped_at: Timestamp::default(),
            recorded: 0,
            dropped_in_all: 0,
            stopping: false,
        }
    }

    pub(super) fn push(&mut self, event: &Event) {
        self.recorded += 1;
        if self.batch.len() + FRAME_HEADER_BYTES + EVENT_BYTES_MAX > self.bytes_max {
            if self.dropped == 0 {
                self.dropped_at = event.at;
            }
            self.dropped += 1;
            self.dropped_in_all += 1;
            return;
        }
        self.batch.push(event);
    }

    pub(super) const fn len(&self) -> usize {
        self.batch.len()
    }

    /// Whether so much has come since there were `before` octets that it is to be written at once.
    pub(super) const fn is_urgent(&self, before: usize) -> bool {
        before <= self.bytes_max / 8 && self.batch.len() > self.bytes_max / 8
    }

    /// Puts all that is there into `batch`, which is empty, and says at its end how many events had no room.
    pub(super) fn take(&mut self, batch: &mut Batch) {
        std::mem::swap(&mut self.batch, batch);
        self.batch.clear();
        if self.dropped > 0 {
            let text = format!(
                "{} events were dropped here: they came faster than they could be written",
                self.dropped
            );
            batch.push(&gap(self.dropped_at, text));
            self.dropped = 0;
        }
    }
}

/// The trace's word about itself.
pub(super) fn gap(at: Timestamp, reason: String) -> Event {
    Event::new(at, MailId::from_bytes([0; MailId::BYTES]), EventStep::Gap, Verdict::Noted, reason)
}
