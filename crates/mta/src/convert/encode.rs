//! The two encodings that octets survive in (RFC 2045 §6.7 and §6.8), written as the octets come.
//!
//! The line end before a delimiter belongs to the delimiter (RFC 2046 §5.1.1): each encoder holds the last line end back
//! until it knows what follows.

use super::walk::Chunk;

/// Quoted-printable.
#[derive(Debug, Default)]
pub(super) struct QuotedPrintable {
    /// Octets of the line that is being written.
    column: usize,
    /// White space that is only written as it is where something follows in its line.
    held: Option<u8>,
    line_end: LineEnd,
}

/// Base64.
#[derive(Debug, Default)]
pub(super) struct Base64 {
    column: usize,
    carry: Vec<u8>,
    line_end: LineEnd,
}

/// Whether the last line has ended.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum LineEnd {
    #[default]
    None,
    Held,
}

/// From this column on a line is broken before the next octet: three for it, and the `=` of the break, make 76.
const BREAK_COLUMN: usize = 73;
const LINE_MAX: usize = 76;
const HEX: &[u8; 16] = b"0123456789ABCDEF";
const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Whether quoted-printable writes it as it is, the end of the line aside.
pub(super) const fn is_literal(octet: u8) -> bool {
    matches!(octet, b' '..=b'~' | b'\t') && octet != b'='
}

impl QuotedPrintable {
    pub(super) fn push(&mut self, chunk: Chunk<'_>, out: &mut Vec<u8>) {
        self.write_line_end(out);
        let line = chunk.without_end();
        // What looks like a delimiter is no delimiter here, and no reader shall take it for one.
        let mut is_suspect = chunk.starts_line && line.starts_with(b"--");
        for octet in line {
            if let Some(white) = self.held.take() {
                self.write(white, Form::Literal, out);
            }
            match octet {
                b' ' | b'\t' => self.held = Some(*octet),
                b'-' if std::mem::take(&mut is_suspect) => self.write(*octet, Form::Quoted, out),
                octet if is_literal(*octet) => self.write(*octet, Form::Literal, out),
                octet => self.write(*octet, Form::Quoted, out),
            }
        }
        if chunk.ends_line {
            self.line_end = LineEnd::Held;
        }
    }

    pub(super) fn finish_before_delimiter(mut self, out: &mut Vec<u8>) {
        self.write_held(out);
        if self.line_end == LineEnd::Held {
            out.extend_from_slice(b"\r\n");
        }
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.write_held(out);
        match self.line_end {
            LineEnd::Held => out.extend_from_slice(b"\r\n"),
            // The content has no line end, the message must have one.
            LineEnd::None if self.column > 0 => out.extend_from_slice(b"=\r\n"),
            LineEnd::None => {}
        }
    }

    fn write_line_end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.line_end) == LineEnd::Held {
            self.write_held(out);
            out.extend_from_slice(b"\r\n");
            self.column = 0;
        }
    }

    /// White space at the end of a line.
    fn write_held(&mut self, out: &mut Vec<u8>) {
        if let Some(white) = self.held.take() {
            self.write(white, Form::Quoted, out);
        }
    }

    fn write(&mut self, octet: u8, form: Form, out: &mut Vec<u8>) {
        let mut form = form;
        if self.column >= BREAK_COLUMN {
            out.extend_from_slice(b"=\r\n");
            self.column = 0;
            if octet == b'-' {
                form = Form::Quoted;
            }
        }
        match form {
            Form::Literal => {
                out.push(octet);
                self.column += 1;
            }
            Form::Quoted => {
                out.extend_from_slice(&[b'=', HEX[usize::from(octet >> 4)], HEX[usize::from(octet & 15)]]);
                self.column += 3;
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Form {
    Literal,
    Quoted,
}

impl Base64 {
    pub(super) fn push(&mut self, chunk: Chunk<'_>, out: &mut Vec<u8>) {
        self.take_line_end(out);
        self.add(chunk.without_end(), out);
        if chunk.ends_line {
            self.line_end = LineEnd::Held;
        }
    }

    pub(super) fn finish_before_delimiter(mut self, out: &mut Vec<u8>) {
        self.write_carry(out);
        if self.column > 0 || self.line_end == LineEnd::Held {
            out.extend_from_slice(b"\r\n");
        }
    }

    pub(super) fn finish(mut self, out: &mut Vec<u8>) {
        self.take_line_end(out);
        self.write_carry(out);
        if self.column > 0 {
            out.extend_from_slice(b"\r\n");
        }
    }

    fn take_line_end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.line_end) == LineEnd::Held {
            self.add(b"\r\n", out);
        }
    }

    fn add(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let missing = (3 - self.carry.len() % 3) % 3;
        let (first, rest) = octets.split_at(missing.min(octets.len()));
        self.carry.extend_from_slice(first);
        if self.carry.len() == 3 {
            self.write_carry(out);
        }
        let mut groups = rest.chunks_exact(3);
        for group in groups.by_ref() {
            self.write_group(group, out);
        }
        self.carry.extend_from_slice(groups.remainder());
    }

    fn write_carry(&mut self, out: &mut Vec<u8>) {
        if !self.carry.is_empty() {
            let group = std::mem::take(&mut self.carry);
            self.write_group(&group, out);
            self.carry = group;
            self.carry.clear();
        }
    }

    /// One to three octets.
    fn write_group(&mut self, group: &[u8], out: &mut Vec<u8>) {
        if self.column == LINE_MAX {
            out.extend_from_slice(b"\r\n");
            self.column = 0;
        }
        let at = |index: usize| u32::from(group.get(index).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for index in 0..4 {
            let octet = if index <= group.len() {
                ALPHABET[usize::try_from(bits >> (18 - 6 * index) & 63).unwrap_or(0)]
            } else {
                b'='
            };
            out.push(octet);
        }
        self.column += 4;
    }
}
