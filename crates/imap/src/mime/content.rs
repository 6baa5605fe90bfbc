//! The content of a part while a message is read: how large it is decoded, and its first words.

use super::decode::{Decoder, TransferEncoding};
use super::fields::TextKind;
use super::preview;
use super::record::PartRecord;

/// The body of the innermost part, decoded as it comes. Its last line break is held back: it may be a delimiter's.
#[derive(Debug, Default)]
pub(super) struct Content {
    decoder: Option<Decoder>,
    is_identity: bool,
    decoded: Vec<u8>,
    /// A line break, or a CR that may be the first octet of one.
    held: &'static [u8],
    done: ContentDone,
}

#[derive(Debug, Default)]
pub(super) struct ContentDone {
    pub(super) decoded_bytes: u64,
    pub(super) has_nul: bool,
    /// The first octets of a text, decoded.
    pub(super) sample: Option<(TextKind, Vec<u8>)>,
}

impl Content {
    pub(super) fn new(record: &PartRecord, text: Option<TextKind>) -> Self {
        Self {
            decoder: Decoder::new(record.encoding),
            is_identity: record.encoding == TransferEncoding::Identity,
            done: ContentDone { sample: text.map(|kind| (kind, Vec::new())), ..ContentDone::default() },
            ..Self::default()
        }
    }

    /// A piece of a line; `text_len` octets of it are no line break.
    pub(super) fn feed(&mut self, piece: &[u8], text_len: usize) {
        if self.decoder.is_none() {
            return;
        }
        let (mut text, line_break) = piece.split_at(text_len);
        let mut held = match line_break {
            b"\r\n" => &b"\r\n"[..],
            b"\n" => b"\n",
            _ => b"",
        };
        if line_break.is_empty()
            && let Some(without) = text.strip_suffix(b"\r")
        {
            (text, held) = (without, b"\r");
        }
        if piece == b"\n" && self.held == b"\r" {
            self.held = b"\r\n";
            return;
        }
        let before = std::mem::replace(&mut self.held, held);
        self.decode(before);
        self.decode(text);
    }

    fn decode(&mut self, octets: &[u8]) {
        if octets.is_empty() {
            return;
        }
        if self.is_identity {
            self.done.take(octets);
        } else if let Some(decoder) = &mut self.decoder {
            self.decoded.clear();
            decoder.feed(octets, &mut self.decoded);
            self.done.take(&self.decoded);
        }
    }

    /// No delimiter follows: what was held back is part of it.
    pub(super) fn release(&mut self) {
        let held = std::mem::take(&mut self.held);
        self.decode(held);
    }

    pub(super) fn finish(mut self) -> ContentDone {
        if let Some(decoder) = &mut self.decoder {
            self.decoded.clear();
            decoder.finish(&mut self.decoded);
            self.done.take(&self.decoded);
        }
        self.done
    }
}

impl ContentDone {
    fn take(&mut self, decoded: &[u8]) {
        self.decoded_bytes += decoded.len() as u64;
        self.has_nul |= memchr::memchr(0, decoded).is_some();
        if let Some((kind, sample)) = &mut self.sample {
            let bytes_max = match kind {
                TextKind::Plain => preview::PLAIN_BYTES,
                TextKind::Html => preview::HTML_BYTES,
            };
            let room = bytes_max.saturating_sub(sample.len());
            sample.extend_from_slice(&decoded[..decoded.len().min(room)]);
        }
    }
}
