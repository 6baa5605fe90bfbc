//! Charsets of texts that come in pieces, read as [`crate::mime::words::to_utf8`] reads those that come whole.

use encoding_rs::{Decoder, Encoding, REPLACEMENT, WINDOWS_1252};

/// Makes UTF-8 of the octets of a text.
#[derive(Debug)]
pub(super) struct TextDecoder {
    state: State,
}

#[derive(Debug)]
enum State {
    Known(Box<Decoder>),
    /// UTF-8 as far as it goes, with the octets of a character that is not whole.
    Undeclared(Vec<u8>),
}

impl TextDecoder {
    /// Of a charset as it is named.
    pub(super) fn new(charset: Option<&[u8]>) -> Self {
        let known = charset.and_then(Encoding::for_label);
        let known = known.filter(|known| *known != REPLACEMENT && *known != WINDOWS_1252);
        let state = known.map_or(State::Undeclared(Vec::new()), State::known);
        Self { state }
    }

    /// Appends the next octets.
    pub(super) fn feed(&mut self, octets: &[u8], text: &mut String) {
        match &mut self.state {
            State::Known(decoder) => append(decoder, octets, false, text),
            State::Undeclared(held) => {
                held.extend_from_slice(octets);
                let (valid, rest, is_other) = utf8_head(held);
                text.push_str(valid);
                let rest = rest.to_vec();
                if is_other {
                    self.state = State::known(WINDOWS_1252);
                    self.feed(&rest, text);
                } else {
                    *held = rest;
                }
            }
        }
    }

    /// There are no more.
    pub(super) fn finish(&mut self, text: &mut String) {
        match &mut self.state {
            State::Known(decoder) => append(decoder, &[], true, text),
            State::Undeclared(held) => text.push_str(&String::from_utf8_lossy(held)),
        }
    }
}

impl State {
    fn known(encoding: &'static Encoding) -> Self {
        Self::Known(Box::new(encoding.new_decoder_without_bom_handling()))
    }
}

/// What is UTF-8, the rest, and whether that is something else; else more may come of it.
fn utf8_head(octets: &[u8]) -> (&str, &[u8], bool) {
    match std::str::from_utf8(octets) {
        Ok(text) => (text, &[], false),
        Err(problem) => {
            let (valid, rest) = octets.split_at(problem.valid_up_to());
            (std::str::from_utf8(valid).unwrap_or_default(), rest, problem.error_len().is_some())
        }
    }
}

fn append(decoder: &mut Decoder, octets: &[u8], is_last: bool, text: &mut String) {
    // Enough for all of them; where it cannot be told, three octets for each and some more are.
    let room = decoder.max_utf8_buffer_length(octets.len()).unwrap_or(octets.len() * 3 + 16);
    text.reserve(room);
    let _ = decoder.decode_to_string(octets, text, is_last);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::words::to_utf8;

    fn in_pieces(charset: Option<&[u8]>, octets: &[u8], size: usize) -> String {
        let mut decoder = TextDecoder::new(charset);
        let mut text = String::new();
        octets.chunks(size).for_each(|piece| decoder.feed(piece, &mut text));
        decoder.finish(&mut text);
        text
    }

    #[test]
    fn pieces_are_read_as_the_whole() {
        for (charset, octets, expected) in [
            (Some("utf-8"), "größer als 漢字".as_bytes(), "größer als 漢字"),
            (Some("ISO-8859-1"), &b"gr\xf6\xdfer"[..], "größer"),
            (Some("us-ascii"), "größer".as_bytes(), "größer"),
            (None, b"gr\xf6\xdfer", "größer"),
            (Some("iso-2022-jp"), b"\x1b$B4A;z\x1b(B", "漢字"),
            (Some("koi8-r"), b"\xd0\xd2\xc9\xd7\xc5\xd4", "привет"),
            (Some("x-unheard-of"), b"plain", "plain"),
        ] {
            let charset = charset.map(str::as_bytes);
            assert_eq!(to_utf8(charset, octets), expected);
            for size in 1..=octets.len() {
                assert_eq!(in_pieces(charset, octets, size), expected, "{size}");
            }
        }
    }
}
