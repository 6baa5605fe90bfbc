//! Walks through the parts of a message as its octets come, and tells a [`Visitor`] of them.
//!
//! A delimiter is a whole line (RFC 2046 §5.1.1): `--`, the boundary, `--` where it is the last, white space. A line that
//! merely begins like one is content. The innermost multipart comes first; the delimiter of an outer one ends all that
//! is open in it. Memory: one line, one header section, the boundaries that are open.

use memchr::memchr;

use super::content::{Content, Header, Origin};
use super::{DEPTH_MAX, NotConvertible, PARTS_MAX};
use crate::header::HEADER_BYTES_MAX;

/// What there is, in order.
pub(super) trait Visitor {
    /// A header section, with its empty line where it has one. Entities are counted from 0.
    fn header(&mut self, entity: usize, octets: &[u8], header: &Header);
    /// What stands in a body.
    fn body(&mut self, place: Place, chunk: Chunk<'_>);
    /// A whole line between two parts.
    fn delimiter(&mut self, line: &[u8]);
    /// The end of the message.
    fn end(&mut self);
}

/// Where octets of a body stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In a part that holds no others.
    Leaf(usize),
    /// Before the first or after the last part of a multipart.
    Between,
    /// Where nothing is looked for, and why.
    Opaque(NotConvertible),
}

/// A line, or a piece of a long one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chunk<'a> {
    /// With the line end, where it has one.
    pub octets: &'a [u8],
    pub starts_line: bool,
    /// It ends in CRLF.
    pub ends_line: bool,
}

/// The state of the walk.
#[derive(Debug)]
pub(super) struct Walker {
    /// The line so far.
    line: Vec<u8>,
    is_line_start: bool,
    levels: Vec<Level>,
    at: At,
    entities: usize,
}

#[derive(Debug)]
enum At {
    Header { octets: Vec<u8>, origin: Origin },
    Body(Place),
}

/// A multipart that is open.
#[derive(Debug)]
struct Level {
    boundary: Vec<u8>,
    parts: Origin,
}

/// Octets of a line that are kept together. A delimiter has 70 and a few.
const CHUNK_BYTES: usize = 2048;

impl Chunk<'_> {
    pub(super) fn without_end(&self) -> &[u8] {
        if self.ends_line { &self.octets[..self.octets.len() - 2] } else { self.octets }
    }
}

impl Walker {
    pub(super) const fn new() -> Self {
        let at = At::Header { octets: Vec::new(), origin: Origin::Message };
        Self { line: Vec::new(), is_line_start: true, levels: Vec::new(), at, entities: 0 }
    }

    pub(super) fn push(&mut self, piece: &[u8], visitor: &mut impl Visitor) {
        let mut rest = piece;
        while !rest.is_empty() {
            let room = CHUNK_BYTES.saturating_sub(self.line.len()).max(1);
            let window = &rest[..rest.len().min(room)];
            let len = memchr(b'\n', window).map_or(window.len(), |lf| lf + 1);
            self.line.extend_from_slice(&rest[..len]);
            rest = &rest[len..];
            if self.line.ends_with(b"\r\n") {
                self.take_line(Ending::LineEnd, visitor);
            } else if self.line.len() >= CHUNK_BYTES {
                // A CR at the end may be half of a line end.
                let cr = self.line.pop_if(|octet| *octet == b'\r');
                self.take_line(Ending::None, visitor);
                self.line.extend(cr);
            }
        }
    }

    pub(super) fn finish(&mut self, visitor: &mut impl Visitor) {
        if !self.line.is_empty() {
            self.take_line(Ending::Message, visitor);
        }
        self.end_header(visitor);
        visitor.end();
    }

    fn take_line(&mut self, ending: Ending, visitor: &mut impl Visitor) {
        let mut line = std::mem::take(&mut self.line);
        let ends_line = ending == Ending::LineEnd;
        let chunk = Chunk { octets: &line, starts_line: self.is_line_start, ends_line };
        let is_whole = self.is_line_start && ending != Ending::None;
        match is_whole.then(|| self.delimiter(&line)).flatten() {
            Some((level, kind)) => {
                self.end_header(visitor);
                visitor.delimiter(&line);
                self.enter_part(level, kind);
            }
            None => self.take(chunk, visitor),
        }
        self.is_line_start = ends_line;
        line.clear();
        self.line = line;
    }

    fn take(&mut self, chunk: Chunk<'_>, visitor: &mut impl Visitor) {
        match &mut self.at {
            At::Header { octets, .. } => {
                let is_empty_line = chunk.starts_line && chunk.octets == b"\r\n";
                octets.extend_from_slice(chunk.octets);
                if is_empty_line {
                    self.end_header(visitor);
                } else if octets.len() > HEADER_BYTES_MAX {
                    self.pass_header(NotConvertible::Malformed, visitor);
                }
            }
            At::Body(place) => visitor.body(*place, chunk),
        }
    }

    /// The open multipart, the innermost first, to which the line is a delimiter.
    fn delimiter(&self, line: &[u8]) -> Option<(usize, Delimiter)> {
        let line = line.trim_ascii_end().strip_prefix(b"--")?;
        let fit = |boundary: &[u8]| match line.strip_prefix(boundary)? {
            b"" => Some(Delimiter::Next),
            b"--" => Some(Delimiter::Close),
            _ => None,
        };
        let mut levels = self.levels.iter().enumerate().rev();
        levels.find_map(|(level, open)| Some((level, fit(&open.boundary)?)))
    }

    fn enter_part(&mut self, level: usize, kind: Delimiter) {
        self.levels.truncate(level + 1);
        self.at = match (kind, self.levels.last()) {
            (Delimiter::Next, Some(open)) => At::Header { octets: Vec::new(), origin: open.parts },
            _ => {
                self.levels.pop();
                At::Body(Place::Between)
            }
        };
    }

    /// The header section is whole, or something else has ended it.
    fn end_header(&mut self, visitor: &mut impl Visitor) {
        let At::Header { octets, origin } = &mut self.at else { return };
        if self.entities >= PARTS_MAX {
            return self.pass_header(NotConvertible::TooManyParts, visitor);
        }
        let (octets, origin) = (std::mem::take(octets), *origin);
        let entity = self.entities;
        self.entities += 1;
        let header = Header::read(&octets, origin);
        visitor.header(entity, &octets, &header);
        self.at = match header.content {
            Content::Multipart { .. } if self.levels.len() >= DEPTH_MAX => {
                At::Body(Place::Opaque(NotConvertible::TooManyParts))
            }
            Content::Multipart { boundary, parts } => {
                self.levels.push(Level { boundary, parts });
                At::Body(Place::Between)
            }
            Content::Message => At::Header { octets: Vec::new(), origin: Origin::Message },
            Content::Leaf(_) => At::Body(Place::Leaf(entity)),
            Content::Opaque(why) => At::Body(Place::Opaque(why)),
        };
    }

    /// A header section that is not read.
    fn pass_header(&mut self, why: NotConvertible, visitor: &mut impl Visitor) {
        let place = Place::Opaque(why);
        if let At::Header { octets, .. } = std::mem::replace(&mut self.at, At::Body(place)) {
            visitor.body(place, Chunk { octets: &octets, starts_line: true, ends_line: false });
        }
    }
}

/// How a line came to its end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// By CRLF.
    LineEnd,
    /// With the message.
    Message,
    /// It goes on.
    None,
}

enum Delimiter {
    Next,
    Close,
}
