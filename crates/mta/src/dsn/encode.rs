//! Octets into the parts of a report, so that nothing in them ends a line or a part (RFC 2045 §6, RFC 2046 §5.1.1).

use memchr::memmem;
use types::{MailId, Mailbox};

use crate::header::encoded_words;

/// One part of the report.
#[derive(Debug)]
pub(super) struct Part {
    /// The fields of its header, each with CRLF, `Content-Transfer-Encoding` not among them.
    pub(super) fields: String,
    pub(super) transfer: Transfer,
    /// Encoded.
    pub(super) body: Vec<u8>,
}

/// How a part travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transfer {
    SevenBit,
    /// Needs 8BITMIME.
    EightBit,
    QuotedPrintable,
    Base64,
}

/// What octets are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Lines of ASCII, each of at most [`LINE_BYTES_MAX`] octets.
    SevenBit,
    /// The same with octets over 127.
    EightBit,
    /// A bare CR or LF, a NUL, or a line that is too long.
    Wild,
}

/// RFC 5322 §2.1.1, without CRLF.
pub(super) const LINE_BYTES_MAX: usize = 998;
/// RFC 2045 §6.7 and §6.8, without CRLF.
const ENCODED_LINE_BYTES_MAX: usize = 76;

impl Part {
    /// A part whose octets are sent as they are where they may be, and quoted otherwise.
    pub(super) fn of_lines(fields: String, octets: Vec<u8>, reach: Transfer) -> Self {
        match (shape(&octets), reach) {
            (Shape::SevenBit, _) => Self { fields, transfer: Transfer::SevenBit, body: octets },
            (Shape::EightBit, Transfer::EightBit) => {
                Self { fields, transfer: Transfer::EightBit, body: octets }
            }
            _ => Self { fields, transfer: Transfer::QuotedPrintable, body: quoted_printable(&octets) },
        }
    }

    pub(super) fn write_to(&self, boundary: &str, out: &mut Vec<u8>) {
        let transfer = self.transfer.name();
        let head = format!("--{boundary}\r\n{}Content-Transfer-Encoding: {transfer}\r\n\r\n", self.fields);
        out.extend_from_slice(head.as_bytes());
        out.extend_from_slice(&self.body);
        // The CRLF before a boundary belongs to the boundary (RFC 2046 §5.1.1).
        out.extend_from_slice(b"\r\n");
    }
}

impl Transfer {
    const fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }
}

/// `Subject`, which is in UTF-8 where the whole header may be (RFC 6532 §3.2), and in encoded words otherwise.
pub(super) fn subject(text: &str, reach: Transfer) -> String {
    const BEGIN: &str = "Subject: ";
    if text.is_ascii() || reach == Transfer::EightBit {
        return format!("{BEGIN}{text}");
    }
    format!("{BEGIN}{}", encoded_words(text, BEGIN.len()))
}

/// `From`, with a name of ours: letters and spaces alone.
pub(super) fn from(name: &str, author: &Mailbox, reach: Transfer) -> String {
    const BEGIN: &str = "From: ";
    if name.is_ascii() || reach == Transfer::EightBit {
        return format!("{BEGIN}\"{name}\" <{author}>");
    }
    // No encoded word in quotes (RFC 2047 §5); the address has a line of its own.
    format!("{BEGIN}{}\r\n <{author}>", encoded_words(name, BEGIN.len()))
}

pub(super) fn shape(octets: &[u8]) -> Shape {
    let is_wild =
        |line: &[u8]| line.len() > LINE_BYTES_MAX || line.iter().any(|b| matches!(b, b'\r' | b'\n' | 0));
    let mut rest = octets;
    while let Some(end) = memmem::find(rest, b"\r\n") {
        if is_wild(&rest[..end]) {
            return Shape::Wild;
        }
        rest = &rest[end + 2..];
    }
    if is_wild(rest) {
        Shape::Wild
    } else if octets.is_ascii() {
        Shape::SevenBit
    } else {
        Shape::EightBit
    }
}

/// A boundary that is in none of the parts. `=_` is in nothing that is quoted or base64 (RFC 2045 §6.7), and the id is
/// of this report alone; where a part holds it all the same, a number makes it another one. It is never longer than
/// the 70 octets of RFC 2046 §5.1.1, and a part of finite length cannot hold all of them.
pub(super) fn boundary(report_id: MailId, parts: &[Part]) -> String {
    let is_free =
        |boundary: &str| !parts.iter().any(|part| memmem::find(&part.body, boundary.as_bytes()).is_some());
    let mut boundary = format!("=_{report_id}");
    let mut number = 0u64;
    while !is_free(&boundary) {
        boundary = format!("=_{report_id}_{number}_");
        number += 1;
    }
    boundary
}

/// RFC 2045 §6.7. CRLF ends a line; CR or LF alone is data.
pub(super) fn quoted_printable(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 4);
    let mut rest = octets;
    loop {
        let end = memmem::find(rest, b"\r\n");
        quote_line(&rest[..end.unwrap_or(rest.len())], &mut out);
        let Some(end) = end else { return out };
        out.extend_from_slice(b"\r\n");
        rest = &rest[end + 2..];
    }
}

fn quote_line(line: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    for (at, &octet) in line.iter().enumerate() {
        let is_last = at + 1 == line.len();
        // A dot or `From ` at the beginning of a line is changed by some hosts on the way.
        let is_plain = match octet {
            b' ' | b'\t' => !is_last,
            b'=' => false,
            b'.' | b'F' => column != 0,
            33..=126 => true,
            _ => false,
        };
        let width = if is_plain { 1 } else { 3 };
        // One octet is left for the `=` of a soft line break, where more follows.
        if column + width > ENCODED_LINE_BYTES_MAX - usize::from(!is_last) {
            out.extend_from_slice(b"=\r\n");
            column = 0;
        }
        if is_plain {
            out.push(octet);
        } else {
            out.push(b'=');
            out.extend([octet >> 4, octet & 15].map(|digit| HEX[usize::from(digit)]));
        }
        column += width;
    }
}

const HEX: &[u8; 16] = b"0123456789ABCDEF";

/// RFC 2045 §6.8, in lines.
pub(super) fn base64(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() / 3 * 4 + octets.len() / 40 + 4);
    for line in octets.chunks(ENCODED_LINE_BYTES_MAX / 4 * 3) {
        if !out.is_empty() {
            out.extend_from_slice(b"\r\n");
        }
        for group in line.chunks(3) {
            let bits = group.iter().fold(0u32, |bits, octet| bits << 8 | u32::from(*octet))
                << (8 * (3 - group.len()));
            for place in 0..4 {
                let sextet = bits >> (18 - 6 * place) & 63;
                let is_there = place <= group.len();
                // Six bits are always an index.
                out.push(if is_there { BASE64[sextet as usize] } else { b'=' });
            }
        }
    }
    out
}

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
