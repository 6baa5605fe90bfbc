//! What lists of messages show of one, as the store keeps it: texts that are copied into answers.
//!
//! It stands in front of the structure within one row ([`super::bytes`]), so that a client that lists a mailbox costs a few
//! numbers of each row and a copy, and nothing is decoded. What needs the parts of a message needs its [`Structure`].

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::bytes::{Reader, VERSION};
use super::section::of_message;
use super::show::{BodyForm, StringForm};
use super::shown_fields::is_kept;
use super::structure::Structure;
use crate::command::Section;

/// How much of messages is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// [`Described::Summary`] is enough.
    Summary,
    /// [`Described::Whole`]
    Whole,
}

/// What is known of a message's structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// What lists show.
    Summary(Summary),
    /// All of it.
    Whole(Arc<Structure>),
}

/// The front of a row of [`Structure::to_bytes`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    row: Bytes,
    size_bytes: u64,
    header_bytes: u64,
    /// Places in the row.
    envelope: Text,
    body_structure: Text,
    preview: Option<Place>,
    fields: Option<Place>,
}

/// Where something begins in the row, and where it ends.
type Place = (u32, u32);

/// A text in both of its forms, which are mostly the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Text {
    ascii: Place,
    utf8: Place,
}

/// Octets of a text that are kept. One that is longer, of a message of very many parts or addresses, is written anew of the
/// structure each time.
const TEXT_BYTES_MAX: usize = 16 << 10;

impl Summary {
    /// Of a row; none where it has no texts, is damaged or of another version.
    #[must_use]
    pub fn from_bytes(row: Bytes) -> Option<Self> {
        let mut front = Front::read(&row)?;
        let at = row.len() - front.texts_and_rest.len();
        let mut end = u32::try_from(at).ok()?;
        let mut next = |length: Option<u32>| {
            let from = end;
            end = end.checked_add(length?)?;
            Some((from, end))
        };
        let mut text = |[ascii, utf8]: [Option<u32>; 2]| {
            let ascii = next(ascii)?;
            Some(Text { ascii, utf8: if utf8.is_some() { next(utf8)? } else { ascii } })
        };
        let (envelope, body_structure) = (text(front.envelope)?, text(front.body_structure)?);
        let mut reader = Reader::new(front.texts_and_rest.get(end as usize - at..)?);
        let text_len = reader.number()?;
        let text_at = (row.len() - reader.rest.len()) as u64;
        let text_end = text_at.checked_add(text_len).filter(|end| *end <= row.len() as u64)?;
        let place = |within: Option<(u64, u64)>| match within {
            None => Some(None),
            Some((from, len)) => {
                let from = text_at.checked_add(from)?;
                let to = from.checked_add(len).filter(|to| *to <= text_end)?;
                Some(Some((u32::try_from(from).ok()?, u32::try_from(to).ok()?)))
            }
        };
        let (preview, fields) = (place(front.preview.take())?, place(front.fields.take())?);
        let (size_bytes, header_bytes) = (front.size_bytes, front.header_bytes);
        if header_bytes > size_bytes {
            return None;
        }
        Some(Self { size_bytes, header_bytes, envelope, body_structure, preview, fields, row })
    }

    fn get(&self, (from, to): Place) -> &[u8] {
        // All places were looked at when it was read.
        self.row.get(from as usize..to as usize).unwrap_or_default()
    }

    fn text(&self, text: Text, form: StringForm) -> &[u8] {
        self.get(match form {
            StringForm::Ascii => text.ascii,
            StringForm::Utf8 => text.utf8,
        })
    }
}

impl Described {
    /// Octets of the message, without the delivery's own header fields.
    pub(crate) fn size_bytes(&self) -> u64 {
        match self {
            Self::Summary(summary) => summary.size_bytes,
            Self::Whole(structure) => structure.size_bytes,
        }
    }

    /// `("Sun, 22 Nov …" "Subject" …)`
    pub(crate) fn write_envelope(&self, form: StringForm, out: &mut Vec<u8>) {
        match self {
            Self::Summary(summary) => out.extend_from_slice(summary.text(summary.envelope, form)),
            Self::Whole(structure) => structure.write_envelope(form, out),
        }
    }

    /// What BODYSTRUCTURE shows.
    pub(crate) fn write_body_structure(&self, form: StringForm, out: &mut Vec<u8>) {
        match self {
            Self::Summary(summary) => out.extend_from_slice(summary.text(summary.body_structure, form)),
            Self::Whole(structure) => structure.write_body_structure(BodyForm::BodyStructure, form, out),
        }
    }

    /// As [`Structure::preview`].
    pub(crate) fn preview(&self) -> &[u8] {
        match self {
            Self::Summary(summary) => summary.preview.map(|place| summary.get(place)).unwrap_or_default(),
            Self::Whole(structure) => structure.preview().as_bytes(),
        }
    }

    /// As [`Structure::shown_fields`].
    pub(crate) fn shown_fields(&self, names: &[String]) -> Option<&[u8]> {
        match self {
            Self::Summary(summary) => {
                let fields = summary.fields.filter(|_| names.iter().all(|name| is_kept(name)))?;
                Some(summary.get(fields))
            }
            Self::Whole(structure) => structure.shown_fields(names),
        }
    }

    /// As [`Structure::section`]; a summary knows none of parts.
    pub(crate) fn section(&self, section: &Section, delivery_bytes: u64) -> Option<Range<u64>> {
        match (self, section) {
            (Self::Whole(structure), section) => structure.section(section, delivery_bytes),
            (Self::Summary(summary), Section::Message(text)) => {
                Some(of_message(text, summary.size_bytes, summary.header_bytes, delivery_bytes))
            }
            (Self::Summary(_), Section::Part(..)) => None,
        }
    }

    /// The structure, where all of it is known.
    pub(crate) fn whole(&self) -> Option<&Structure> {
        match self {
            Self::Summary(_) => None,
            Self::Whole(structure) => Some(structure),
        }
    }
}

/// What stands in front of a structure's records. Lengths of texts; spans of the records' text.
pub(super) struct Front<'r> {
    pub(super) size_bytes: u64,
    pub(super) header_bytes: u64,
    envelope: [Option<u32>; 2],
    body_structure: [Option<u32>; 2],
    preview: Option<(u64, u64)>,
    fields: Option<(u64, u64)>,
    texts_and_rest: &'r [u8],
}

impl<'r> Front<'r> {
    pub(super) fn read(row: &'r [u8]) -> Option<Self> {
        let (&VERSION, rest) = row.split_first()? else { return None };
        let mut reader = Reader::new(rest);
        let (size_bytes, header_bytes) = (reader.number()?, reader.number()?);
        let mut length = || Some(reader.small()?.checked_sub(1));
        let (envelope, body_structure) = ([length()?, length()?], [length()?, length()?]);
        let mut span = || match reader.number()?.checked_sub(1) {
            None => Some(None),
            Some(from) => Some(Some((from, reader.number()?))),
        };
        let (preview, fields) = (span()?, span()?);
        let texts_and_rest = reader.rest;
        Some(Self { size_bytes, header_bytes, envelope, body_structure, preview, fields, texts_and_rest })
    }

    /// What follows it: the records.
    pub(super) fn records(&self) -> Option<&'r [u8]> {
        let lengths = self.envelope.iter().chain(&self.body_structure);
        let bytes: u64 = lengths.map(|length| u64::from(length.unwrap_or(0))).sum();
        self.texts_and_rest.get(usize::try_from(bytes).ok()?..)
    }
}

/// The texts of a structure: both forms of its envelope, and of its body structure. The second is none where it is as the first;
/// both are where the text is too long to be kept.
pub(super) fn texts(structure: &Structure) -> [Option<Vec<u8>>; 4] {
    let both = |write: &dyn Fn(StringForm, &mut Vec<u8>)| {
        let [ascii, utf8] = [StringForm::Ascii, StringForm::Utf8].map(|form| {
            let mut text = Vec::new();
            write(form, &mut text);
            text
        });
        if ascii.len().max(utf8.len()) > TEXT_BYTES_MAX {
            return [None, None];
        }
        let utf8 = (utf8 != ascii).then_some(utf8);
        [Some(ascii), utf8]
    };
    let [envelope, envelope_utf8] = both(&|form, out| structure.write_envelope(form, out));
    let [body, body_utf8] =
        both(&|form, out| structure.write_body_structure(BodyForm::BodyStructure, form, out));
    [envelope, envelope_utf8, body, body_utf8]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(message: &str) -> (Structure, Option<Summary>) {
        let structure = Structure::of(message.as_bytes());
        let summary = Summary::from_bytes(structure.to_bytes().into());
        (structure, summary)
    }

    #[test]
    fn a_summary_shows_what_the_structure_shows() {
        for message in [
            "Subject: one\r\nFrom: Ada <a@b>\r\n\r\ntext\r\n",
            // Both forms differ.
            "Subject: Gr\u{fc}\u{df}e\r\nContent-Type: text/plain; name*=utf-8''%C3%BC\r\n\r\ntext\r\n",
            "",
            "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\n\r\ntwo\r\n--b--\r\n",
        ] {
            let (structure, summary) = summary(message);
            let known = [Described::Summary(summary.unwrap()), Described::Whole(structure.into())];
            let [summary, whole] = &known;
            let shown = |described: &Described| {
                let mut out = Vec::new();
                for form in [StringForm::Ascii, StringForm::Utf8] {
                    described.write_envelope(form, &mut out);
                    described.write_body_structure(form, &mut out);
                }
                (out, described.preview().to_vec(), described.size_bytes())
            };
            assert_eq!(shown(summary), shown(whole), "{message}");
            let names = ["subject".to_owned(), "From".to_owned()];
            assert_eq!(summary.shown_fields(&names), whole.shown_fields(&names));
            assert_eq!(summary.shown_fields(&["Return-Path".to_owned()]), None);
        }
    }

    #[test]
    fn texts_that_are_long_are_left_to_the_structure() {
        let to = format!("To: {}\r\n\r\n", "a@example.org,\r\n ".repeat(TEXT_BYTES_MAX / 20));
        let (structure, summary) = summary(&to);
        assert_eq!(summary, None);
        assert_eq!(Structure::from_bytes(&structure.to_bytes()), Some(structure));
    }

    #[test]
    fn what_is_cut_short_in_front_is_no_summary() {
        let (structure, summary) = summary("Subject: one\r\n\r\ntext\r\n");
        assert!(summary.is_some());
        let row = structure.to_bytes();
        let front = row.windows(4).rposition(|octets| octets == b"text").unwrap();
        for len in 0..front {
            assert_eq!(Summary::from_bytes(Bytes::copy_from_slice(&row[..len])), None, "{len}");
        }
    }
}
