//! What a header section says of the body below it (RFC 2045 §5 and §6).
//!
//! ```text
//! content   = type "/" subtype *(";" attribute "=" value)   ; comments and white space between all of them
//! encoding  = "7bit" / "8bit" / "binary" / token
//! ```

use std::ops::Range;

use super::NotConvertible;
use crate::header::field::{Field, FieldsOf};

/// What was read.
#[derive(Debug)]
pub(super) struct Header {
    pub origin: Origin,
    pub content: Content,
    pub encoding: Encoding,
    pub has_type: bool,
    pub has_mime_version: bool,
    /// The field of the encoding, with its line end.
    pub encoding_field: Option<Range<usize>>,
    /// Where another field may be added.
    pub fields_end: usize,
}

/// Where a header section stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    /// On top of a message.
    Message,
    /// In a multipart.
    Part,
    /// In a `multipart/digest`, where a part is a message if it does not say what it is (RFC 2046 §5.1.5).
    DigestPart,
}

/// What stands below.
#[derive(Debug)]
pub(super) enum Content {
    Multipart { boundary: Vec<u8>, parts: Origin },
    Message,
    Leaf(Medium),
    Opaque(NotConvertible),
}

/// Whether people read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Medium {
    Text,
    Other,
}

/// A `Content-Transfer-Encoding`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    SevenBit,
    EightBit,
    Binary,
    QuotedPrintable,
    Base64,
    /// One that is decoded already, or that nobody knows.
    Other,
}

/// Octets of a boundary that are borne. RFC 2046 §5.1.1 has 70.
const BOUNDARY_BYTES_MAX: usize = 256;

impl Encoding {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::SevenBit => "7bit",
            Self::EightBit => "8bit",
            Self::Binary => "binary",
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 | Self::Other => "base64",
        }
    }

    fn read(value: &[u8]) -> Self {
        let mut words = Words { rest: value };
        let word = words.token().to_ascii_lowercase();
        match &word[..] {
            b"7bit" | b"" => Self::SevenBit,
            b"8bit" => Self::EightBit,
            b"binary" => Self::Binary,
            _ => Self::Other,
        }
    }
}

impl Header {
    pub(super) fn read(octets: &[u8], origin: Origin) -> Self {
        let (mut types, mut encodings) = (Vec::new(), Vec::new());
        let (mut has_mime_version, mut is_malformed, mut fields_end) = (false, false, 0);
        for field in FieldsOf::new(octets) {
            fields_end = field.range.end;
            is_malformed |= field.name.is_none();
            has_mime_version |= field.is(octets, "MIME-Version");
            if field.is(octets, "Content-Type") {
                types.push(field);
            } else if field.is(octets, "Content-Transfer-Encoding") {
                encodings.push(field);
            }
        }
        // A line that no CRLF ends can have no field behind it.
        is_malformed |= !octets[..fields_end].ends_with(b"\r\n") && fields_end > 0;
        let encoding =
            encodings.first().map_or(Encoding::SevenBit, |field| Encoding::read(field.value(octets)));
        let is_twofold = types.len() > 1 || encodings.len() > 1;
        let content = if is_malformed || is_twofold {
            Content::Opaque(NotConvertible::Malformed)
        } else {
            content(types.first().map(|field: &Field| field.value(octets)), origin, encoding)
        };
        Self {
            origin,
            content,
            encoding,
            has_type: !types.is_empty(),
            has_mime_version,
            encoding_field: encodings.into_iter().next().map(|field| field.range),
            fields_end,
        }
    }
}

fn content(value: Option<&[u8]>, origin: Origin, encoding: Encoding) -> Content {
    let default: &[u8] = if origin == Origin::DigestPart { b"message/rfc822" } else { b"text/plain" };
    let mut words = Words { rest: value.unwrap_or(default) };
    let kind = words.token().to_ascii_lowercase();
    let subtype = if words.take(b'/') { words.token().to_ascii_lowercase() } else { Vec::new() };
    match (&kind[..], &subtype[..]) {
        (b"multipart", b"signed" | b"encrypted") => Content::Opaque(NotConvertible::Sealed),
        (b"multipart", _) => {
            let parts = if subtype == b"digest" { Origin::DigestPart } else { Origin::Part };
            match words.boundary() {
                Some(boundary) => Content::Multipart { boundary, parts },
                None => Content::Opaque(NotConvertible::Malformed),
            }
        }
        (b"message", b"rfc822") if encoding != Encoding::Other => Content::Message,
        // RFC 6532 §3.7, RFC 6533 §4: these may be encoded, and their fields are UTF-8.
        (b"message", subtype) if subtype.starts_with(b"global") => Content::Leaf(Medium::Text),
        (b"message", _) => Content::Opaque(NotConvertible::MediaType),
        (b"text" | b"", _) => Content::Leaf(Medium::Text),
        _ => Content::Leaf(Medium::Other),
    }
}

/// The words of a structured field.
struct Words<'a> {
    rest: &'a [u8],
}

impl Words<'_> {
    /// The one boundary among the parameters; none where there is none, or more than one.
    fn boundary(&mut self) -> Option<Vec<u8>> {
        let mut found = None;
        while self.skip_to_semicolon() {
            let name = self.token().to_ascii_lowercase();
            if name.starts_with(b"boundary*") {
                return None;
            }
            if name == b"boundary" && self.take(b'=') && found.replace(self.value()).is_some() {
                return None;
            }
        }
        let boundary = found?.trim_ascii_end().to_vec();
        (1..=BOUNDARY_BYTES_MAX).contains(&boundary.len()).then_some(boundary)
    }

    fn token(&mut self) -> &[u8] {
        self.skip_space();
        let is_end = |octet: &u8| matches!(octet, 0..=b' ' | 127) || b"()<>@,;:\\\"/[]?=".contains(octet);
        let len = self.rest.iter().position(is_end).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(len);
        self.rest = rest;
        token
    }

    fn take(&mut self, octet: u8) -> bool {
        self.skip_space();
        let rest = self.rest.strip_prefix(&[octet]);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    /// Of a parameter. Deviation: many programs write `----=_Part` without the quotes that it needs.
    fn value(&mut self) -> Vec<u8> {
        self.skip_space();
        if self.rest.first() == Some(&b'"') {
            return self.quoted();
        }
        let is_end = |octet: &u8| matches!(octet, 0..=b' ' | 127 | b';' | b'"' | b'(');
        let len = self.rest.iter().position(is_end).unwrap_or(self.rest.len());
        let (value, rest) = self.rest.split_at(len);
        self.rest = rest;
        value.to_vec()
    }

    /// A quoted string without its quotes. A folded line in it is one space.
    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        let mut at = 1;
        while let Some(octet) = self.rest.get(at) {
            at += 1;
            match octet {
                b'"' => break,
                b'\\' => {
                    value.extend(self.rest.get(at));
                    at += 1;
                }
                b'\r' | b'\n' => {
                    value.truncate(value.trim_ascii_end().len());
                    let folded =
                        self.rest[at..].iter().take_while(|octet| octet.is_ascii_whitespace()).count();
                    at += folded;
                    value.push(b' ');
                }
                octet => value.push(*octet),
            }
        }
        self.rest = self.rest.get(at..).unwrap_or_default();
        value
    }

    /// Whether there is another parameter; quoted strings and comments are passed over.
    fn skip_to_semicolon(&mut self) -> bool {
        loop {
            self.skip_space();
            match self.rest.first() {
                None => return false,
                Some(b';') => {
                    self.rest = &self.rest[1..];
                    return true;
                }
                Some(b'"') => drop(self.quoted()),
                Some(_) => self.rest = &self.rest[1..],
            }
        }
    }

    /// White space, line ends and comments, nested or not.
    fn skip_space(&mut self) {
        let mut depth = 0_usize;
        let mut is_quoted = false;
        let is_word = |octet: &u8| {
            match octet {
                _ if is_quoted => is_quoted = false,
                b'\\' if depth > 0 => is_quoted = true,
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                _ => return depth == 0 && !octet.is_ascii_whitespace(),
            }
            false
        };
        let end = self.rest.iter().position(is_word).unwrap_or(self.rest.len());
        self.rest = &self.rest[end..];
    }
}
