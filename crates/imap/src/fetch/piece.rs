//! Content of one message: which octets are read, and how they become what is shown.

use std::ops::Range;

use super::filter::{HeaderFilter, Taken};
use crate::command::{BodyItem, MimePart, PartSection, Partial, Section, SectionText};
use crate::mime::Described;
use crate::mime::decode::Decoder;
use crate::response::{self, LiteralForm};

/// What an item shows.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    /// There is no such section, or it cannot be read.
    Nil,
    /// It has no octets, or none from there on.
    Empty,
    /// The transfer encoding is not known.
    UnknownEncoding,
    /// Some fields of the header, which are known.
    Fields(Vec<u8>, Option<Partial>),
    /// Octets of the message, those of these that `how` says.
    Octets(Source),
}

/// Octets that are read and become what is shown.
#[derive(Debug, Clone)]
pub(super) struct Source {
    /// From the delivery's own header fields on; never empty.
    pub(super) range: Range<u64>,
    pub(super) how: How,
}

#[derive(Debug, Clone)]
pub(super) enum How {
    /// As they are: all of them are shown.
    Raw,
    /// Some fields of a header.
    Fields(NamedFilter, Option<Partial>),
    /// Decoded.
    Decoded {
        decoder: Box<Decoder>,
        /// Of what is decoded.
        shown: Range<u64>,
        form: LiteralForm,
    },
}

/// A filter of the names that a client says.
type NamedFilter = HeaderFilter<Vec<String>>;

impl Piece {
    /// What an item shows of a message of `size_bytes`; of one that is not described only all of it can be told.
    pub(super) fn of(body: &BodyItem, size_bytes: u64, described: Option<&Described>) -> Self {
        let Some(described) = described else { return Self::raw(0..size_bytes, body.partial) };
        let delivery_bytes = size_bytes.saturating_sub(described.size_bytes());
        let Some(range) = described.section(&body.section, delivery_bytes) else { return Self::Nil };
        if body.shown_as == MimePart::Binary
            && let Section::Part(path, _) = &body.section
            && let Some(part) = described.whole().and_then(|structure| structure.part(path))
        {
            let (Some(decoded_bytes), Some(decoder)) = (part.decoded_bytes(), part.decoder()) else {
                return Self::UnknownEncoding;
            };
            let shown = part_of(&(0..decoded_bytes), body.partial);
            if shown.is_empty() {
                return Self::Empty;
            }
            let form = if part.has_nul() { LiteralForm::Binary } else { LiteralForm::Plain };
            return Self::Octets(Source {
                range,
                how: How::Decoded { decoder: Box::new(decoder), shown, form },
            });
        }
        let text = match &body.section {
            Section::Message(text) | Section::Part(_, PartSection::Message(text)) => Some(text),
            Section::Part(_, PartSection::Content | PartSection::Mime) => None,
        };
        if let Section::Message(SectionText::HeaderFields(names)) = &body.section
            && let Some(fields) = described.shown_fields(names)
        {
            return Self::Fields(taken(fields, names), body.partial);
        }
        let filter = match text {
            Some(SectionText::HeaderFields(names)) => HeaderFilter::new(names.clone(), Taken::Named),
            Some(SectionText::HeaderFieldsNot(names)) => HeaderFilter::new(names.clone(), Taken::Others),
            _ => return Self::raw(range, body.partial),
        };
        if range.is_empty() {
            return Self::Empty;
        }
        Self::Octets(Source { range, how: How::Fields(filter, body.partial) })
    }

    fn raw(range: Range<u64>, partial: Option<Partial>) -> Self {
        let range = part_of(&range, partial);
        if range.is_empty() { Self::Empty } else { Self::Octets(Source { range, how: How::Raw }) }
    }
}

/// The part of a range that `<start.count>` means; beyond its end there is nothing (RFC 9051 §6.4.5.1).
fn part_of(range: &Range<u64>, partial: Option<Partial>) -> Range<u64> {
    let Some(Partial { start, count }) = partial else { return range.clone() };
    let from = range.start.saturating_add(start).min(range.end);
    from..from.saturating_add(count).min(range.end)
}

/// Writes a piece of a message of which `window` are the octets from `window_from` on; all of the source's are there.
pub(super) fn write_from(source: Source, window: &[u8], window_from: u64, out: &mut Vec<u8>) {
    // The window was asked for as what spans all sources.
    let place =
        |at: u64| usize::try_from(at.saturating_sub(window_from)).unwrap_or(usize::MAX).min(window.len());
    let octets = &window[place(source.range.start)..place(source.range.end)];
    match source.how {
        How::Raw => write_literal(LiteralForm::Plain, octets, out),
        How::Fields(mut filter, partial) => {
            let mut taken = Vec::new();
            filter.feed(octets, &mut taken);
            filter.finish(&mut taken);
            write_taken(&taken, partial, out);
        }
        How::Decoded { mut decoder, shown, form } => {
            let mut decoded = Vec::with_capacity(octets.len());
            decoder.feed(octets, &mut decoded);
            decoder.finish(&mut decoded);
            write_literal(form, slice(&decoded, &shown), out);
        }
    }
}

/// Fields of a header that are named.
fn taken(header: &[u8], names: &[String]) -> Vec<u8> {
    let mut filter = HeaderFilter::new(names, Taken::Named);
    let mut taken = Vec::with_capacity(header.len());
    filter.feed(header, &mut taken);
    filter.finish(&mut taken);
    taken
}

/// Fields of a header that fit in memory.
pub(super) fn write_taken(taken: &[u8], partial: Option<Partial>, out: &mut Vec<u8>) {
    let shown = part_of(&(0..taken.len() as u64), partial);
    write_literal(LiteralForm::Plain, slice(taken, &shown), out);
}

fn write_literal(form: LiteralForm, octets: &[u8], out: &mut Vec<u8>) {
    if octets.is_empty() {
        out.extend_from_slice(b"\"\"");
        return;
    }
    response::literal_header(form, octets.len() as u64, out);
    push(form, octets, out);
}

/// NUL must not be in a literal (RFC 9051 §9 CHAR8); as other servers do, it is shown as 0x80 where a message has it
/// outside of BINARY.
fn push(form: LiteralForm, octets: &[u8], out: &mut Vec<u8>) {
    if form == LiteralForm::Binary || memchr::memchr(0, octets).is_none() {
        out.extend_from_slice(octets);
    } else {
        out.extend(octets.iter().map(|octet| if *octet == 0 { 0x80 } else { *octet }));
    }
}

fn slice<'a>(octets: &'a [u8], range: &Range<u64>) -> &'a [u8] {
    let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(octets.len());
    &octets[place(range.start)..place(range.end)]
}

/// Octets of a header that are held, so that their number is known before they are shown; where there are more, the header
/// is read twice.
const TAKEN_BYTES_MAX: usize = 64 << 10;

/// A piece that is written while its octets come.
#[derive(Debug)]
pub(super) struct Stream {
    range: Range<u64>,
    state: StreamState,
    /// Octets that are still to come.
    missing_bytes: u64,
}

#[derive(Debug)]
enum StreamState {
    Raw {
        has_begun: bool,
    },
    Decoded {
        decoder: Box<Decoder>,
        window: Window,
        form: LiteralForm,
        decoded: Vec<u8>,
        has_begun: bool,
    },
    /// The number of octets is not known yet: those that fit are held.
    Counting {
        filter: NamedFilter,
        begin: NamedFilter,
        partial: Option<Partial>,
        taken: Vec<u8>,
        taken_bytes: u64,
    },
    /// It is.
    Fields {
        filter: NamedFilter,
        window: Window,
        taken: Vec<u8>,
        has_begun: bool,
    },
}

/// Octets of a stream that are shown.
#[derive(Debug)]
struct Window {
    shown: Range<u64>,
    at: u64,
}

impl Window {
    fn new(shown: Range<u64>) -> Self {
        Self { shown, at: 0 }
    }

    fn len(&self) -> u64 {
        self.shown.end - self.shown.start
    }

    fn push(&mut self, form: LiteralForm, octets: &[u8], out: &mut Vec<u8>) {
        let end = self.at + octets.len() as u64;
        let from = self.shown.start.max(self.at).min(end);
        let to = self.shown.end.min(end).max(from);
        push(form, slice(octets, &(from - self.at..to - self.at)), out);
        self.at = end;
    }

    fn is_whole(&self) -> bool {
        self.at >= self.shown.end
    }
}

/// How a stream ended.
#[derive(Debug)]
pub(super) enum StreamEnd {
    /// It is written.
    Done,
    /// Nothing of it came: NIL was written.
    Nothing,
    /// Its octets are to be read once more.
    Again(Stream),
    /// It ended in the middle of a literal.
    Broken,
}

impl Stream {
    pub(super) fn new(source: Source) -> Self {
        let missing_bytes = source.range.end - source.range.start;
        let state = match source.how {
            How::Raw => StreamState::Raw { has_begun: false },
            How::Decoded { decoder, shown, form } => StreamState::Decoded {
                decoder,
                window: Window::new(shown),
                form,
                decoded: Vec::new(),
                has_begun: false,
            },
            How::Fields(filter, partial) => StreamState::Counting {
                begin: filter.clone(),
                filter,
                partial,
                taken: Vec::new(),
                taken_bytes: 0,
            },
        };
        Self { range: source.range, state, missing_bytes }
    }

    /// What is to be read.
    pub(super) fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    pub(super) fn feed(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let octets = slice(octets, &(0..self.missing_bytes));
        if octets.is_empty() {
            return;
        }
        self.missing_bytes -= octets.len() as u64;
        match &mut self.state {
            StreamState::Raw { has_begun } => {
                if !std::mem::replace(has_begun, true) {
                    response::literal_header(LiteralForm::Plain, self.range.end - self.range.start, out);
                }
                push(LiteralForm::Plain, octets, out);
            }
            StreamState::Decoded { decoder, window, form, decoded, has_begun } => {
                if !std::mem::replace(has_begun, true) {
                    response::literal_header(*form, window.len(), out);
                }
                if !window.is_whole() {
                    decoded.clear();
                    decoder.feed(octets, decoded);
                    window.push(*form, decoded, out);
                }
            }
            StreamState::Counting { filter, taken, taken_bytes, .. } => {
                let before = taken.len();
                filter.feed(octets, taken);
                *taken_bytes += (taken.len() - before) as u64;
                taken.truncate(TAKEN_BYTES_MAX);
            }
            StreamState::Fields { filter, window, taken, has_begun } => {
                if !std::mem::replace(has_begun, true) {
                    response::literal_header(LiteralForm::Plain, window.len(), out);
                }
                taken.clear();
                filter.feed(octets, taken);
                window.push(LiteralForm::Plain, taken, out);
            }
        }
    }

    /// No more octets come.
    pub(super) fn end(self, out: &mut Vec<u8>) -> StreamEnd {
        let is_whole = self.missing_bytes == 0;
        let has_begun = match &self.state {
            StreamState::Raw { has_begun }
            | StreamState::Decoded { has_begun, .. }
            | StreamState::Fields { has_begun, .. } => *has_begun,
            StreamState::Counting { .. } => false,
        };
        if !is_whole {
            if has_begun {
                return StreamEnd::Broken;
            }
            out.extend_from_slice(b"NIL");
            return StreamEnd::Nothing;
        }
        let window = match self.state {
            StreamState::Raw { .. } => return StreamEnd::Done,
            StreamState::Decoded { mut decoder, mut window, form, mut decoded, .. } => {
                decoded.clear();
                decoder.finish(&mut decoded);
                window.push(form, &decoded, out);
                window
            }
            StreamState::Fields { mut filter, mut window, mut taken, .. } => {
                taken.clear();
                filter.finish(&mut taken);
                window.push(LiteralForm::Plain, &taken, out);
                window
            }
            StreamState::Counting { mut filter, begin, partial, mut taken, mut taken_bytes } => {
                let before = taken.len();
                filter.finish(&mut taken);
                taken_bytes += (taken.len() - before) as u64;
                if taken_bytes == taken.len() as u64 {
                    write_taken(&taken, partial, out);
                    return StreamEnd::Done;
                }
                let shown = part_of(&(0..taken_bytes), partial);
                if shown.is_empty() {
                    out.extend_from_slice(b"\"\"");
                    return StreamEnd::Done;
                }
                let window = Window::new(shown);
                let missing_bytes = self.range.end - self.range.start;
                let state =
                    StreamState::Fields { filter: begin, window, taken: Vec::new(), has_begun: false };
                return StreamEnd::Again(Self { range: self.range, state, missing_bytes });
            }
        };
        // Otherwise the structure was another message's.
        if window.is_whole() { StreamEnd::Done } else { StreamEnd::Broken }
    }
}
