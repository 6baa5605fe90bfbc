//! Reads a message once: lines, headers, and the delimiters of parts (RFC 2046 §5.1).
//!
//! Every octet is looked at a fixed number of times. What is held is the beginning of a line, one header field, the
//! boundaries of the parts that are open, and what becomes the [`Structure`]; all of it has limits.

use super::content::Content;
use super::fields::{Fields, Header, TEXT_BYTES_MAX, TextKind};
use super::preview;
use super::record::{PartKind, PartRecord, Records};
use super::shown_fields::ShownFields;
use super::structure::Structure;

/// How deep a message is looked into.
#[derive(Debug, Clone)]
pub struct StructureLimits {
    /// Parts within parts; what lies deeper is shown as octets. Real mail has less than ten.
    pub depth_max: usize,
    /// Parts in all; what follows belongs to the last one.
    pub parts_max: usize,
}

impl Default for StructureLimits {
    fn default() -> Self {
        Self { depth_max: 100, parts_max: 10_000 }
    }
}

/// Reads a message and makes a [`Structure`] of it.
#[derive(Debug)]
pub struct StructureParser {
    limits: StructureLimits,
    records: Records,
    /// What is open, the message itself first. Never empty.
    open: Vec<Open>,
    content: Content,
    preview: Option<(TextKind, String)>,
    shown_fields: ShownFields,
    /// Octets before the line that is read.
    line_at: u64,
    /// The beginning of a line whose end has not come.
    held: Vec<u8>,
    /// Octets of the line that were handed on, where it was too long to be held.
    line_bytes: u64,
    /// The last octet of what was handed on of the line.
    line_last: u8,
    line_kind: LineKind,
    /// Octets of a line's beginning that are held until it is known what the line is.
    held_max: usize,
    /// Lines that are over.
    lines: u64,
    /// Whether the line before had octets.
    line_was_empty: bool,
    /// Octets of its line break.
    line_break_bytes: u64,
    #[cfg(test)]
    pub(super) steps: u64,
}

/// A part that has begun.
#[derive(Debug)]
struct Open {
    /// Its record.
    part: usize,
    state: OpenState,
    /// Parts that it has.
    children: u32,
    /// [`StructureParser::lines`] when its body began.
    lines_before: u64,
    /// Parts without a type are messages: multipart/digest.
    is_digest: bool,
}

#[derive(Debug)]
enum OpenState {
    Header(Box<Fields>),
    Leaf,
    /// A message is in it.
    Message,
    /// Its parts stand between lines that begin with `--` and this.
    Multipart {
        boundary: Vec<u8>,
        phase: Phase,
    },
}

/// How far a multipart is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    /// Its last delimiter has come: it has no more parts.
    Closed,
    /// Delimiters begin parts.
    Open,
}

/// What the line is that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineKind {
    /// Part of a header or a body.
    Text,
    /// A delimiter, behind which a part begins.
    Delimiter,
    /// The last one of a multipart.
    CloseDelimiter,
}

/// Octets of a line's beginning that are held, where no boundary is longer.
const HELD_MIN: usize = 1024;
/// A multipart whose boundary has more octets is shown as octets. RFC 2046 §5.1.1 allows 70, and all lines of a message that
/// begins with such a line are compared to it.
const BOUNDARY_MAX: usize = 8 << 10;
/// Of a delimiter: `--` before and behind the boundary.
const DASHES: usize = 4;

impl StructureParser {
    /// Before the first octet of what all mailboxes that have the message share.
    #[must_use]
    pub fn new(limits: StructureLimits) -> Self {
        let root = Open {
            part: 0,
            state: OpenState::Header(Box::new(Fields::new(true))),
            children: 0,
            lines_before: 0,
            is_digest: false,
        };
        let records = Records {
            parts: vec![PartRecord { number: 1, end: 1, ..PartRecord::default() }],
            ..Records::default()
        };
        Self {
            limits,
            records,
            open: vec![root],
            content: Content::default(),
            preview: None,
            shown_fields: ShownFields::new(),
            line_at: 0,
            held: Vec::new(),
            line_bytes: 0,
            line_last: 0,
            line_kind: LineKind::Text,
            held_max: HELD_MIN,
            lines: 0,
            line_was_empty: true,
            line_break_bytes: 0,
            #[cfg(test)]
            steps: 0,
        }
    }

    /// The next octets.
    pub fn feed(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() {
            let len = memchr::memchr(b'\n', rest).map(|at| at + 1);
            let (piece, behind) = rest.split_at(len.unwrap_or(rest.len()));
            rest = behind;
            let is_whole = len.is_some() || self.line_bytes > 0;
            if self.held.is_empty() && (is_whole || piece.len() >= self.held_max) {
                self.piece(piece);
            } else {
                self.held.extend_from_slice(piece);
                if len.is_some() || self.held.len() >= self.held_max {
                    self.held_piece();
                }
            }
        }
    }

    /// There are no more.
    #[must_use]
    pub fn finish(mut self) -> Structure {
        if !self.held.is_empty() {
            self.held_piece();
        }
        let end = self.line_at + self.line_bytes;
        if self.line_bytes > 0 {
            // The last line has no end.
            self.end_delimiter(end);
            self.lines += 1;
        }
        self.content.release();
        self.close_down_to(0, end, self.lines);
        let root = &self.records.parts[0];
        let (header_bytes, preview) = (root.body_at, self.preview.take());
        if let Some((_, preview)) = preview {
            self.records.preview = self.records.keep(preview.as_bytes(), TEXT_BYTES_MAX + 1024);
        }
        self.records.fields = self.shown_fields.keep(&mut self.records);
        self.records.shrink();
        Structure { size_bytes: end, header_bytes, records: self.records }
    }

    fn held_piece(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        self.piece(&held);
        held.clear();
        self.held = held;
    }

    /// A line, or a part of one that is longer than what is held. Only the last line of a message may come without its break
    /// and be shorter.
    fn piece(&mut self, piece: &[u8]) {
        let begins = self.line_bytes == 0;
        let ends = piece.ends_with(b"\n");
        #[cfg(test)]
        {
            self.steps += piece.len() as u64;
            super::cost::count(piece.len());
        }
        let before = match piece.len() {
            1 => self.line_last,
            len => piece[len.saturating_sub(2)],
        };
        let break_bytes =
            u64::from(ends) + u64::from(ends && before == b'\r' && (piece.len() > 1 || !begins));
        let text_len = piece.len() - (break_bytes as usize).min(piece.len());
        if begins {
            self.line_kind = self.delimiter(&piece[..text_len]);
        }
        if self.line_kind == LineKind::Text {
            self.text(piece, text_len, begins, ends);
        }
        self.line_bytes += piece.len() as u64;
        self.line_last = piece.last().copied().unwrap_or(0);
        if ends {
            self.end_delimiter(self.line_at + self.line_bytes);
            self.lines += 1;
            self.line_was_empty = self.line_bytes == break_bytes;
            self.line_break_bytes = break_bytes;
            self.line_at += self.line_bytes;
            (self.line_bytes, self.line_last) = (0, 0);
        }
    }

    /// Octets of a header or a body.
    fn text(&mut self, piece: &[u8], text_len: usize, begins: bool, ends: bool) {
        let is_own = self.open.len() == 1;
        let Some(top) = self.open.last_mut() else { return };
        if is_own && matches!(top.state, OpenState::Header(_)) {
            self.shown_fields.feed(piece);
        }
        match &mut top.state {
            OpenState::Header(_) if begins && ends && text_len == 0 => {
                self.end_header(self.line_at + piece.len() as u64, self.lines + 1);
            }
            OpenState::Header(fields) => {
                let part = top.part;
                let mut record = self.records.parts[part];
                // A CR before what may be the other half of the line break waits for it.
                let text = &piece[..text_len];
                let text = if ends { text } else { text.strip_suffix(b"\r").unwrap_or(text) };
                if begins {
                    fields.line(text, &mut record, &mut self.records);
                } else {
                    if self.line_last == b'\r' && piece != b"\n" {
                        fields.more(b"\r");
                    }
                    fields.more(text);
                }
                self.records.parts[part] = record;
            }
            OpenState::Leaf => self.content.feed(piece, text_len),
            OpenState::Message | OpenState::Multipart { .. } => {}
        }
    }

    /// The header of the innermost part is over; its body begins there.
    fn end_header(&mut self, body_at: u64, lines: u64) {
        let depth = self.open.len();
        let is_in_digest = depth > 1 && self.open[depth - 2].is_digest;
        let has_room = depth < self.limits.depth_max && self.records.parts.len() < self.limits.parts_max;
        let is_own_text = self.open[1..].iter().all(|open| !matches!(open.state, OpenState::Message));
        let Some(top) = self.open.last_mut() else { return };
        let OpenState::Header(fields) = std::mem::replace(&mut top.state, OpenState::Leaf) else { return };
        let part = top.part;
        let mut record = self.records.parts[part];
        let header = fields.end(&mut record, &mut self.records);
        (record.body_at, record.body_end) = (body_at, body_at);
        top.lines_before = lines;
        let is_encoded = record.encoding != super::TransferEncoding::Identity;
        let is_untyped_message = header == Header::Untyped && is_in_digest;
        self.content = Content::default();
        match header {
            Header::Multipart { boundary } if has_room && boundary.len() <= BOUNDARY_MAX => {
                record.kind = PartKind::Multipart;
                let subtype = self.records.get(record.subtype).unwrap_or_default();
                top.is_digest = subtype.eq_ignore_ascii_case(b"digest");
                // It never shrinks, so that what a line is does not depend on how the octets are cut.
                self.held_max = self.held_max.max(boundary.len() + DASHES);
                top.state = OpenState::Multipart { boundary, phase: Phase::Open };
            }
            // A message that is encoded is octets: it has no parts that could be named (RFC 2046 §5.2.1).
            _ if (header == Header::Message || is_untyped_message) && has_room && !is_encoded => {
                record.kind = PartKind::Message;
                top.state = OpenState::Message;
            }
            _ => {
                let text = match header {
                    Header::Untyped if !is_in_digest => Some(TextKind::Plain),
                    Header::Text(kind) => Some(kind),
                    _ => None,
                };
                let text = text.filter(|kind| is_own_text && self.wants_preview(*kind, &record));
                self.content = Content::new(&record, text);
            }
        }
        self.records.parts[part] = record;
        if record.kind == PartKind::Message {
            self.begin_part(body_at, true);
        }
    }

    /// Whether the first words of such a text could be what is shown of the message.
    fn wants_preview(&self, kind: TextKind, record: &PartRecord) -> bool {
        let disposition = self.records.get(record.disposition).unwrap_or_default();
        let is_shown = !disposition.eq_ignore_ascii_case(b"attachment");
        match &self.preview {
            None => is_shown,
            // Plain text is better.
            Some((TextKind::Html, _)) => is_shown && kind == TextKind::Plain,
            Some((TextKind::Plain, _)) => false,
        }
    }

    /// A part of the innermost that is open.
    fn begin_part(&mut self, header_at: u64, is_message: bool) {
        let part = self.records.parts.len();
        let Some(top) = self.open.last_mut() else { return };
        top.children += 1;
        // Parts are fewer than `parts_max`.
        let record = PartRecord {
            parent: top.part as u32,
            number: top.children,
            end: part as u32 + 1,
            header_at,
            body_at: header_at,
            body_end: header_at,
            ..PartRecord::default()
        };
        self.records.parts.push(record);
        self.open.push(Open {
            part,
            state: OpenState::Header(Box::new(Fields::new(is_message))),
            children: 0,
            lines_before: self.lines,
            is_digest: false,
        });
    }

    /// Looks whether a line that begins so delimits parts, and ends those that it ends.
    ///
    /// ```text
    /// delimiter       := CRLF "--" boundary
    /// close-delimiter := delimiter "--"
    /// ```
    ///
    /// A delimiter is what begins with a boundary, whatever follows on its line (RFC 2046 §5.1.1, the note to implementors).
    /// Where one boundary begins with another one, the longest of them is meant: many programs make those of inner parts by
    /// adding to that of the outer one. The delimiter of an outer part ends the inner ones (§5.1.2).
    fn delimiter(&mut self, line: &[u8]) -> LineKind {
        if !line.starts_with(b"--") || self.records.parts.len() >= self.limits.parts_max {
            return LineKind::Text;
        }
        #[cfg(test)]
        {
            self.steps += self.open.len() as u64;
            let boundaries = self.open.iter().map(|open| match &open.state {
                OpenState::Multipart { boundary, .. } => boundary.len().min(line.len()),
                _ => 1,
            });
            super::cost::count(boundaries.sum());
        }
        let found = self.open.iter().enumerate().filter_map(|(depth, open)| {
            let OpenState::Multipart { boundary, phase } = &open.state else { return None };
            line[2..].starts_with(boundary).then_some((boundary.len(), *phase, depth))
        });
        // What a multipart was delimited by is no delimiter of an outer one.
        let Some((len, Phase::Open, depth)) = found.max() else { return LineKind::Text };
        let lines = self.lines - u64::from(self.line_was_empty && self.lines > 0);
        self.close_down_to(depth + 1, self.line_at - self.line_break_bytes, lines);
        if !line[2 + len..].starts_with(b"--") {
            return LineKind::Delimiter;
        }
        if let OpenState::Multipart { phase, .. } = &mut self.open[depth].state {
            *phase = Phase::Closed;
        }
        LineKind::CloseDelimiter
    }

    /// The line is over; where it was a delimiter, the next part begins at `at`.
    fn end_delimiter(&mut self, at: u64) {
        if std::mem::replace(&mut self.line_kind, LineKind::Text) == LineKind::Delimiter {
            self.begin_part(at, false);
        }
    }

    /// Ends what is open from `depth` on; the last octet was before `end`.
    fn close_down_to(&mut self, depth: usize, end: u64, lines: u64) {
        while self.open.len() > depth {
            if matches!(self.open.last().map(|open| &open.state), Some(OpenState::Header(_))) {
                // No empty line came: the body is empty. A delimiter's line break ended the last field.
                let header_end = end.max(self.line_at);
                self.end_header(header_end, lines);
                if matches!(self.open.last().map(|open| &open.state), Some(OpenState::Header(_))) {
                    // It is a message, whose header is empty too.
                    continue;
                }
            }
            let Some(open) = self.open.pop() else { return };
            let count = self.records.parts.len();
            let record = &mut self.records.parts[open.part];
            // Below `parts_max`.
            record.end = count as u32;
            record.body_end = end.max(record.body_at);
            record.lines = if end > record.body_at { lines.saturating_sub(open.lines_before) } else { 0 };
            if matches!(open.state, OpenState::Leaf) {
                self.close_content(open.part);
            }
        }
    }

    fn close_content(&mut self, part: usize) {
        let record = &mut self.records.parts[part];
        let content = std::mem::take(&mut self.content);
        let done = content.finish();
        record.has_nul = done.has_nul;
        record.decoded_bytes = match record.encoding {
            super::TransferEncoding::Identity => record.body_end - record.body_at,
            _ => done.decoded_bytes,
        };
        let Some((kind, sample)) = done.sample else { return };
        let parameters = record.parameters;
        let charset = self.records.parameters[parameters.from as usize..parameters.to as usize]
            .iter()
            .find(|one| self.records.get(one.name).is_some_and(|name| name.eq_ignore_ascii_case(b"charset")))
            .and_then(|one| self.records.get(one.value));
        let text = match kind {
            TextKind::Plain => preview::of_plain(&sample, charset),
            TextKind::Html => preview::of_html(&sample, charset),
        };
        if !text.is_empty() {
            self.preview = Some((kind, text));
        }
    }
}
