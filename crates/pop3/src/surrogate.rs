//! What is shown of a message whose header section holds more than ASCII to a client that has not said UTF8.
//!
//! RFC 6856 §2.1 leaves two ways: the request fails, or a surrogate is sent. A client that fails on one message of a
//! maildrop often fetches none behind it, so there are surrogates, where the operator wants them, of the simplest kind
//! (RFC 6858 §2): addresses that are not ASCII are replaced by one that leads nowhere and says what stood there, names and
//! the subject are encoded (RFC 2047), parameters of MIME fields are left out, and so are all other fields. The stored
//! message stays as it is.
//!
//! Left out on purpose: header sections of parts within the body, which go out as they are, as all of an 8-bit body
//! does; and the size, which LIST tells of the stored message (RFC 6858 §4).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Octets of one field that are held back until it is known what is in it. Of a longer one, what is not ASCII becomes `?`.
const FIELD_BYTES_MAX: usize = 64 * 1024;

/// Octets of text in one encoded word: 75 characters at most with what stands around them (RFC 2047 §2).
const WORD_BYTES_MAX: usize = 42;

/// Stands in the place of an address that is not ASCII (RFC 6858 §2.1).
const INVALID: &str = "<invalid@internationalized-address.invalid>";

/// Fields of addresses (RFC 6858 §2.1).
const ADDRESS_FIELDS: &[&str] = &[
    "Bcc",
    "Cc",
    "From",
    "Reply-To",
    "Resent-Bcc",
    "Resent-Cc",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Return-Path",
    "Sender",
    "To",
];

/// Turns a message, as it comes, into one whose header section is ASCII.
#[derive(Debug, Default)]
pub struct Surrogate {
    /// The lines of one field, the last of which may be incomplete.
    field: Vec<u8>,
    is_within_line: bool,
    stage: Stage,
}

#[derive(Debug, Default, PartialEq, Eq)]
enum Stage {
    /// What comes may belong to the field that is held.
    #[default]
    Field,
    /// In the middle of a field that is too long to be held.
    LongField,
    /// Behind the empty line.
    Body,
}

impl Surrogate {
    /// At the first octet of a message.
    #[must_use]
    pub const fn new() -> Self {
        Self { field: Vec::new(), is_within_line: false, stage: Stage::Field }
    }

    /// Whether all that comes stays as it is.
    #[must_use]
    pub fn is_past_header(&self) -> bool {
        self.stage == Stage::Body
    }

    /// Takes octets, and appends what is known of the surrogate to `out`.
    pub fn push(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        // As nearly all messages are.
        if self.stage == Stage::Field
            && self.field.is_empty()
            && let Some(end) = memchr::memmem::find(octets, b"\r\n\r\n")
            && octets[..end].is_ascii()
        {
            self.stage = Stage::Body;
        }
        let mut rest = octets;
        while !rest.is_empty() {
            if self.stage == Stage::Body {
                return out.extend_from_slice(rest);
            }
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let (piece, after) = rest.split_at(end);
            self.take(piece, out);
            rest = after;
        }
    }

    /// Appends what is left of a message that ended in its header section.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        self.end_field(out);
    }

    /// Takes a part of a line, which ends with the line at the latest.
    fn take(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if !self.is_within_line && !matches!(piece.first(), Some(b' ' | b'\t')) {
            self.end_field(out);
            self.stage = Stage::Field;
        }
        self.is_within_line = !piece.ends_with(b"\n");
        self.field.extend_from_slice(piece);
        if self.field == b"\r\n" || self.field == b"\n" {
            out.append(&mut self.field);
            self.stage = Stage::Body;
        } else if self.stage == Stage::LongField || self.field.len() > FIELD_BYTES_MAX {
            self.stage = Stage::LongField;
            out.extend(self.field.drain(..).map(|octet| if octet.is_ascii() { octet } else { b'?' }));
        }
    }

    fn end_field(&mut self, out: &mut Vec<u8>) {
        if self.field.is_ascii() {
            out.append(&mut self.field);
        } else {
            shown(&std::mem::take(&mut self.field), out);
        }
    }
}

/// Appends what is shown of a field that is not ASCII.
fn shown(field: &[u8], out: &mut Vec<u8>) {
    let Some(colon) = memchr::memchr(b':', field) else { return };
    let (name, value) = (&field[..colon], unfolded(&field[colon + 1..]));
    let Some(name) = std::str::from_utf8(name).ok().filter(|name| name.is_ascii()) else { return };
    let is = |known: &&str| known.eq_ignore_ascii_case(name.trim_end());
    let items = if ADDRESS_FIELDS.iter().any(is) {
        addresses(&value)
    } else if is(&"Subject") || is(&"Comments") {
        vec![encoded(&value)]
    } else if is(&"Content-Type") || is(&"Content-Disposition") {
        without_parameters(&value)
    } else {
        return;
    };
    if !items.is_empty() {
        out.extend_from_slice(format!("{name}: {}\r\n", items.join("\r\n ")).as_bytes());
    }
}

/// The value of a field on one line, without the white space around it.
fn unfolded(value: &[u8]) -> Vec<u8> {
    let line: Vec<u8> = value.iter().copied().filter(|octet| !matches!(octet, b'\r' | b'\n')).collect();
    line.trim_ascii().to_vec()
}

/// Each item of a list of addresses with the separator behind it.
fn addresses(value: &[u8]) -> Vec<String> {
    split(value, b",;:")
        .map(|(item, separator)| {
            let mut shown = match std::str::from_utf8(item) {
                Ok(text) if text.is_ascii() => text.to_owned(),
                // The name of a group.
                _ if separator == Some(b':') => encoded(item),
                _ => address(item),
            };
            shown.extend(separator.map(char::from));
            shown
        })
        .filter(|shown| !shown.is_empty())
        .collect()
}

/// One address that is not ASCII, or whose name is not.
fn address(item: &[u8]) -> String {
    let parts: Vec<_> = split(item, b"<>").map(|(part, _)| part).collect();
    match parts[..] {
        [name, address, ..] if address.is_ascii() => {
            let name = name.strip_prefix(b"\"").and_then(|name| name.strip_suffix(b"\"")).unwrap_or(name);
            format!("{} <{}>", encoded(name), String::from_utf8_lossy(address))
        }
        _ => format!("{} {INVALID}", encoded(item)),
    }
}

/// The value of a MIME field and those of its parameters that are ASCII.
fn without_parameters(value: &[u8]) -> Vec<String> {
    let mut parts = split(value, b";").map(|(part, _)| part);
    let Some(first) = parts.next().filter(|first| first.is_ascii()) else { return Vec::new() };
    let kept = parts.filter(|part| part.is_ascii() && !part.is_empty());
    let all: Vec<_> =
        std::iter::once(first).chain(kept).map(|part| String::from_utf8_lossy(part).into_owned()).collect();
    vec![all.join("; ")]
}

/// Splits at octets that stand neither in a quoted string nor in a comment nor, but for `<` and `>` themselves, in angle
/// brackets. Each part is without the white space around it and with the octet behind it.
fn split<'a>(value: &'a [u8], at: &'a [u8]) -> impl Iterator<Item = (&'a [u8], Option<u8>)> {
    let mut rest = Some(value);
    std::iter::from_fn(move || {
        let here = rest?;
        let (mut is_quoted, mut comments, mut is_angled, mut is_escaped) = (false, 0_usize, false, false);
        let end = here.iter().position(|octet| {
            if std::mem::take(&mut is_escaped) {
                return false;
            }
            let is_plain = !is_quoted && comments == 0;
            if is_plain && at.contains(octet) && (!is_angled || at.contains(&b'<')) {
                return true;
            }
            match octet {
                b'\\' => is_escaped = true,
                b'"' if comments == 0 => is_quoted = !is_quoted,
                b'(' if !is_quoted => comments += 1,
                b')' if !is_quoted => comments = comments.saturating_sub(1),
                b'<' | b'>' if is_plain => is_angled = *octet == b'<',
                _ => {}
            }
            false
        });
        rest = end.map(|end| &here[end + 1..]);
        Some((here[..end.unwrap_or(here.len())].trim_ascii(), end.map(|end| here[end])))
    })
}

/// As encoded words (RFC 2047), one a line. Octets that are no UTF-8 are said to be of no known charset (RFC 1428 §3).
fn encoded(text: &[u8]) -> String {
    let (charset, pieces) = match std::str::from_utf8(text) {
        Ok(text) => ("utf-8", of_characters(text)),
        Err(_) => ("unknown-8bit", text.chunks(WORD_BYTES_MAX).collect()),
    };
    let words = pieces.into_iter().map(|piece| format!("=?{charset}?b?{}?=", STANDARD.encode(piece)));
    words.collect::<Vec<_>>().join("\r\n ")
}

/// No character is in two of them (RFC 2047 §5).
fn of_characters(mut text: &str) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    while !text.is_empty() {
        let end = text.floor_char_boundary(WORD_BYTES_MAX);
        let (piece, after) = text.split_at(end);
        pieces.push(piece.as_bytes());
        text = after;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    fn surrogate(message: &[u8], chunk_bytes: usize) -> Vec<u8> {
        let (mut surrogate, mut out) = (Surrogate::new(), Vec::new());
        for chunk in message.chunks(chunk_bytes) {
            surrogate.push(chunk, &mut out);
        }
        surrogate.finish(&mut out);
        out
    }

    /// In pieces of any size.
    fn shown(message: &[u8]) -> String {
        let whole = surrogate(message, usize::MAX);
        for chunk_bytes in [1, 2, 3, 7, 64] {
            assert_eq!(surrogate(message, chunk_bytes), whole, "in pieces of {chunk_bytes}");
        }
        String::from_utf8(whole).unwrap()
    }

    #[test]
    fn an_ascii_header_section_and_every_body_stay_as_they_are() {
        for message in [
            &b"Subject: a\r\n b\r\nFrom: x@y\r\n\r\n\xFF\xFE body\r\nSubject: \xC3\xA9\r\n"[..],
            b"Subject: a\r\n\r\n",
            b"Subject: a\r\n",
            b"Subject: a",
            b"\r\n\xC3\xA9",
            b"\n\xC3\xA9",
            b"",
            b"no field\r\n\r\nbody",
        ] {
            assert_eq!(surrogate(message, 1), message);
            assert_eq!(surrogate(message, usize::MAX), message);
        }
    }

    #[test]
    fn the_addresses_of_rfc_6858_2_1_lead_nowhere_and_say_what_stood_there() {
        let rows = [
            ("From: ada@example.org", "From: ada@example.org"),
            // "Bücher"
            ("From: Bücher <ada@example.org>", "From: =?utf-8?b?QsO8Y2hlcg==?= <ada@example.org>"),
            ("From: \"Bü, cher\" <ada@example.org>", "From: =?utf-8?b?QsO8LCBjaGVy?= <ada@example.org>"),
            (
                "To: a@example.org, ü@example.org, Fred <b@example.org>",
                "To: a@example.org,\r\n =?utf-8?b?w7xAZXhhbXBsZS5vcmc=?= <invalid@internationalized-address.invalid>,\r\n Fred <b@example.org>",
            ),
            (
                "Sender: Fred <fred@bücher.example>",
                "Sender: =?utf-8?b?RnJlZCA8ZnJlZEBiw7xjaGVyLmV4YW1wbGU+?= <invalid@internationalized-address.invalid>",
            ),
            (
                "Cc: Ü: a@example.org, ü@b;",
                "Cc: =?utf-8?b?w5w=?=:\r\n a@example.org,\r\n =?utf-8?b?w7xAYg==?= <invalid@internationalized-address.invalid>;",
            ),
        ];
        for (field, expected) in rows {
            assert_eq!(shown(format!("{field}\r\n\r\n").as_bytes()), format!("{expected}\r\n\r\n"));
        }
    }

    #[test]
    fn subjects_are_encoded_parameters_and_other_fields_left_out() {
        let message = "Subject: gr\u{fc}\u{df}e\r\n aus K\u{f6}ln\r\nX-Note: \u{e9}\r\nReceived: by a\r\n\
             Content-Type: text/plain; charset=utf-8; name=\u{e9}.txt\r\nContent-Disposition: \u{e9}\r\n\
             K\u{e9}y: a\r\n\r\n\u{e9}\r\n";
        let expected = "Subject: =?utf-8?b?Z3LDvMOfZSBhdXMgS8O2bG4=?=\r\nReceived: by a\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n\u{e9}\r\n";
        assert_eq!(shown(message.as_bytes()), expected);
    }

    #[test]
    fn octets_that_are_no_utf_8_keep_their_values_and_words_their_limit() {
        assert_eq!(shown(b"Subject: caf\xE9\r\n\r\n"), "Subject: =?unknown-8bit?b?Y2Fm6Q==?=\r\n\r\n");
        let long = shown(format!("Subject: {}\r\n\r\n", "é密".repeat(500)).as_bytes());
        assert!(long.lines().all(|line| line.len() <= 76 + "Subject:".len()), "{long}");
        let mut text = Vec::new();
        for word in long.trim_start_matches("Subject:").split_whitespace() {
            assert!(word.len() <= 75, "{word}");
            let piece = word.strip_prefix("=?utf-8?b?").unwrap().strip_suffix("?=").unwrap();
            text.extend_from_slice(&STANDARD.decode(piece).unwrap());
            assert!(std::str::from_utf8(&text).is_ok(), "a character is in two words");
        }
        assert_eq!(String::from_utf8(text).unwrap(), "é密".repeat(500));
    }

    #[test]
    fn a_field_without_end_is_shown_in_bounded_memory() {
        let (mut surrogate, mut out) = (Surrogate::new(), Vec::new());
        surrogate.push(b"Subject: ", &mut out);
        for _ in 0..100 {
            surrogate.push(&[0xC3; 4096], &mut out);
            assert!(surrogate.field.len() <= FIELD_BYTES_MAX + 4096);
        }
        surrogate.push(b"\r\nTo: a@b\r\n\r\nbody", &mut out);
        surrogate.finish(&mut out);
        assert!(out.is_ascii() && out.ends_with(b"??\r\nTo: a@b\r\n\r\nbody"));
        assert_eq!(out.len(), "Subject: ".len() + 100 * 4096 + "\r\nTo: a@b\r\n\r\nbody".len());
    }
}
