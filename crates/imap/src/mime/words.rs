//! Text of headers as UTF-8 (RFC 2047), and charsets.
//!
//! Charsets are those of the web's Encoding standard, which has all that mail uses but UTF-7. Octets without a charset, or of
//! one that is not known, are read as UTF-8 where they are it (RFC 6532), else as windows-1252, in which old mail without a
//! charset is mostly written.

use std::borrow::Cow;

use encoding_rs::{Encoding, REPLACEMENT, UTF_8, WINDOWS_1252};

use super::cost;
use super::decode::{self, TransferEncoding, digit};

/// The text of an unfolded unstructured field, or of a phrase, with its encoded words decoded. What is no encoded word is
/// shown as it stands; one within a word is decoded too, since many write it (RFC 2047 §5 forbids it).
///
/// ```text
/// encoded-word = "=?" charset ["*" language] "?" encoding "?" encoded-text "?="
/// ```
#[must_use]
pub fn decode(raw: &[u8]) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut word = Joined::default();
    let mut rest = raw;
    while let Some(at) = memchr::memmem::find(rest, b"=?") {
        cost::count(at + 2);
        let (before, from_word) = rest.split_at(at);
        let Some((encoded, behind)) = EncodedWord::read(from_word) else {
            word.end(&mut text);
            text.push_str(&to_utf8(None, &rest[..at + 2]));
            rest = &rest[at + 2..];
            continue;
        };
        // White space between two of them is none of the text (RFC 2047 §6.2).
        let is_between = word.charset.is_some() && before.iter().all(u8::is_ascii_whitespace);
        if !is_between {
            word.end(&mut text);
            text.push_str(&to_utf8(None, before));
        }
        word.push(encoded, &mut text);
        rest = behind;
    }
    word.end(&mut text);
    text.push_str(&to_utf8(None, rest));
    text
}

/// Octets of a charset as UTF-8. What is no character of it is shown as U+FFFD.
#[must_use]
pub fn to_utf8<'a>(charset: Option<&[u8]>, octets: &'a [u8]) -> Cow<'a, str> {
    cost::count(octets.len());
    match charset.and_then(Encoding::for_label).filter(|known| *known != REPLACEMENT) {
        // What says that it is ASCII, or says nothing, is often more.
        None => undeclared(octets),
        Some(known) if known == WINDOWS_1252 => undeclared(octets),
        Some(known) => known.decode_without_bom_handling(octets).0,
    }
}

fn undeclared(octets: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(octets) {
        Ok(text) => Cow::Borrowed(text),
        // A character that a limit cut off at the end does not make another charset of it.
        Err(problem) if problem.error_len().is_none() && !octets[..problem.valid_up_to()].is_ascii() => {
            UTF_8.decode_without_bom_handling(octets).0
        }
        Err(_) => WINDOWS_1252.decode_without_bom_handling(octets).0,
    }
}

struct EncodedWord<'a> {
    charset: &'a [u8],
    octets: Vec<u8>,
}

impl<'a> EncodedWord<'a> {
    /// The word that `octets` begin with, and what stands behind it.
    fn read(octets: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let rest = octets.strip_prefix(b"=?")?;
        let (charset, rest) = before_question_mark(rest)?;
        let (encoding, rest) = before_question_mark(rest)?;
        let (text, rest) = before_question_mark(rest)?;
        let behind = rest.strip_prefix(b"=")?;
        let charset = charset.split(|octet| *octet == b'*').next().filter(|charset| !charset.is_empty())?;
        let octets = match encoding {
            b"B" | b"b" => decode::decoded(TransferEncoding::Base64, text)?,
            b"Q" | b"q" => q(text),
            _ => return None,
        };
        Some((Self { charset, octets }, behind))
    }
}

fn before_question_mark(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let found = memchr::memchr(b'?', octets);
    cost::count(found.unwrap_or(octets.len()));
    let at = found?;
    Some((&octets[..at], &octets[at + 1..]))
}

/// RFC 2047 §4.2.
fn q(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        match (octet, behind) {
            (b'_', _) => out.push(b' '),
            (b'=', [high, low, after @ ..]) if let (Some(high), Some(low)) = (digit(*high), digit(*low)) => {
                out.push(high << 4 | low);
                rest = after;
            }
            _ => out.push(octet),
        }
    }
    out
}

/// Neighbours of one charset: some cut a character in two between them.
#[derive(Default)]
struct Joined<'a> {
    charset: Option<&'a [u8]>,
    octets: Vec<u8>,
}

impl<'a> Joined<'a> {
    fn push(&mut self, word: EncodedWord<'a>, text: &mut String) {
        if self.charset.is_none_or(|charset| !charset.eq_ignore_ascii_case(word.charset)) {
            self.end(text);
        }
        self.charset = Some(word.charset);
        self.octets.extend(word.octets);
    }

    fn end(&mut self, text: &mut String) {
        if let Some(charset) = self.charset.take() {
            text.push_str(&to_utf8(Some(charset), &std::mem::take(&mut self.octets)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_decoded_as_rfc_2047_8_shows() {
        for (raw, text) in [
            ("=?ISO-8859-1?Q?a?=", "a"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=  \t =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"),
            ("=?US-ASCII?Q?Keith_Moore?= <moore@cs.utk.edu>", "Keith Moore <moore@cs.utk.edu>"),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            (
                "=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
                "If you can read this you understand the example.",
            ),
            ("=?us-ascii*en?q?lang?=", "lang"),
        ] {
            assert_eq!(decode(raw.as_bytes()), text, "{raw}");
        }
    }

    #[test]
    fn what_is_no_encoded_word_is_shown_as_it_stands() {
        for (raw, text) in [
            ("plain", "plain"),
            ("=?utf-8?x?a?=", "=?utf-8?x?a?="),
            ("=?utf-8?q?a", "=?utf-8?q?a"),
            ("=?utf-8?q?a?b", "=?utf-8?q?a?b"),
            ("=??q?a?=", "=??q?a?="),
            ("=?=?utf-8?q?a?=", "=?a"),
            ("a =?utf-8?q?b?=c", "a bc"),
            ("naïve", "naïve"),
            ("=?x-unknown?q?=C3=A4?=", "ä"),
            ("=?utf-8?q?=C3?= =?utf-8?q?=A4?=", "ä"),
        ] {
            assert_eq!(decode(raw.as_bytes()), text, "{raw}");
        }
        assert_eq!(decode(b"caf\xE9"), "café");
    }

    #[test]
    fn charsets_of_old_mail_are_known() {
        assert_eq!(to_utf8(Some(b"koi8-r"), b"\xD0\xD2\xC9"), "при");
        assert_eq!(to_utf8(Some(b"ISO-2022-JP"), b"\x1B$B$\"\x1B(B"), "あ");
        assert_eq!(to_utf8(Some(b"gb2312"), b"\xC4\xE3"), "你");
        assert_eq!(to_utf8(Some(b"us-ascii"), "ä".as_bytes()), "ä");
        assert_eq!(to_utf8(Some(b"utf-8"), b"a\xFFb"), "a\u{FFFD}b");
        assert_eq!(to_utf8(Some(b"hz-gb-2312"), b"abc"), "abc");
    }
}
