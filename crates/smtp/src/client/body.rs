//! The body on its way out: DATA with transparency (RFC 5321 §4.5.2), or BDAT in chunks (RFC 3030 §2).

use types::BodyType;

use super::BodyError;
use super::config::Pipelining;
use super::event::Stage;
use super::wire::{Command, Wire};
use crate::codec::stuff::{LineCheck, Stuffer};

/// Octets of body that are held for the socket at most, about.
pub(super) const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Octets of one BDAT.
pub(super) const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// BDATs that wait for a reply at the same time, where PIPELINING is offered.
pub(super) const CHUNKS_OUTSTANDING_MAX: usize = 8;

#[derive(Debug)]
pub(super) enum Body {
    Data(Stuffer),
    Chunks(Chunks),
}

/// A message that travels by BDAT.
#[derive(Debug)]
pub(super) struct Chunks {
    /// None for a binary message, in which any octet may stand.
    check: Option<LineCheck>,
    chunk: Vec<u8>,
    filling: Filling,
}

#[derive(Debug, PartialEq, Eq)]
enum Filling {
    MoreComes,
    Complete,
}

impl Body {
    /// How many octets may be written now.
    pub(super) fn room(&self, wire: &Wire) -> usize {
        match self {
            Self::Data(_) => BUFFER_BYTES_MAX.saturating_sub(wire.unsent()),
            Self::Chunks(chunks)
                if chunks.filling == Filling::Complete || wire.unsent() > BUFFER_BYTES_MAX =>
            {
                0
            }
            Self::Chunks(chunks) => CHUNK_BYTES_MAX - chunks.chunk.len(),
        }
    }

    pub(super) fn write(&mut self, octets: &[u8], wire: &mut Wire) -> Result<usize, BodyError> {
        let octets = &octets[..octets.len().min(self.room(wire))];
        match self {
            Self::Data(stuffer) => stuffer.encode(octets, wire.body())?,
            Self::Chunks(chunks) => {
                if let Some(check) = &mut chunks.check {
                    check.check(octets)?;
                }
                chunks.chunk.extend_from_slice(octets);
            }
        }
        Ok(octets.len())
    }
}

impl Chunks {
    /// BDAT counts octets and needs no line ends, but the next host may send by DATA: only a BINARYMIME message
    /// may hold bare CR, LF and NUL.
    pub(super) fn new(body_type: BodyType) -> Self {
        let check = (body_type != BodyType::BinaryMime).then(LineCheck::default);
        Self { check, chunk: Vec::new(), filling: Filling::MoreComes }
    }

    /// Whether all of it is here.
    pub(super) fn is_complete(&self) -> bool {
        self.filling == Filling::Complete
    }

    pub(super) fn finish(&mut self) -> Result<(), BodyError> {
        if self.filling == Filling::Complete {
            return Err(BodyError::NotWanted);
        }
        if let Some(check) = &self.check {
            check.finish()?;
        }
        self.filling = Filling::Complete;
        Ok(())
    }

    /// Writes the chunk if it is full or the last, and one may be written now; returns whether it was the last,
    /// whose replies the caller awaits.
    pub(super) fn flush(&mut self, wire: &mut Wire, grouping: Pipelining) -> bool {
        let outstanding_max = match grouping {
            Pipelining::WhereOffered => CHUNKS_OUTSTANDING_MAX,
            Pipelining::Never => 1,
        };
        let is_last = self.filling == Filling::Complete;
        let is_due = is_last || self.chunk.len() == CHUNK_BYTES_MAX;
        if !is_due || wire.outstanding() >= outstanding_max {
            return false;
        }
        let line = format!("BDAT {}{}", self.chunk.len(), if is_last { " LAST" } else { "" });
        let stage = if is_last { Stage::EndOfData } else { Stage::Body };
        wire.note_said(stage, &line);
        let out = wire.body();
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
        out.append(&mut self.chunk);
        if !is_last {
            wire.await_reply(Command::Chunk);
        }
        is_last
    }
}
