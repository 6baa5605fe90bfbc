//! What lists of messages show of one, as the store keeps it: texts that are copied into answers.
//!
//! Each is a row of its own beside that of the structure, so that a client that lists a mailbox costs the octets that it is shown
//! and few others, and nothing is decoded. What needs the parts of a message needs its [`Structure`].
//!
//! ```text
//! row      = version size header-size 3length *text
//! length   = 0 for none, else the length plus 1
//! envelope = ENVELOPE, the same in UTF-8 where that is another one, PREVIEW
//! body structure = BODYSTRUCTURE, the same in UTF-8 where that is another one, none
//! fields   = as they were written, none, none
//! ```

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::bytes::{Reader, Writer};
use super::section::of_message;
use super::show::{BodyForm, StringForm};
use super::shown_fields::is_kept;
use super::structure::Structure;
use crate::command::Section;

/// How much of messages is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// [`Described::Summary`] of these texts is enough.
    Lists(ListTexts),
    /// [`Described::Whole`]
    Whole,
    /// What PREVIEW needs, of those messages of which it is kept: for its sake none is read (RFC 8970 §4.1, LAZY).
    AtHand,
}

/// What lists show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListText {
    /// ENVELOPE and PREVIEW.
    Envelope,
    /// BODYSTRUCTURE
    BodyStructure,
    /// HEADER.FIELDS
    Fields,
}

/// Several of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListTexts(u8);

/// What is known of a message's structure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Described {
    /// What lists show.
    Summary(Summary),
    /// All of it.
    Whole(Arc<Structure>),
}

/// What rows of [`Structure::list_row`] hold.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Summary {
    size_bytes: u64,
    header_bytes: u64,
    envelope: Option<Text>,
    body_structure: Option<Text>,
    preview: Bytes,
    fields: Option<Bytes>,
}

/// A text in both of its forms; the second only where it is another one.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Text {
    ascii: Bytes,
    utf8: Option<Bytes>,
}

/// Octets of a text that are kept. One that is longer, of a message of very many parts or addresses, is written anew of the
/// structure each time.
const TEXT_BYTES_MAX: usize = 16 << 10;

impl ListText {
    /// Each of them.
    pub const ALL: [Self; 3] = [Self::Envelope, Self::BodyStructure, Self::Fields];

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl From<ListText> for ListTexts {
    fn from(text: ListText) -> Self {
        Self(text.bit())
    }
}

impl ListTexts {
    /// Those of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// One by one.
    pub fn iter(self) -> impl Iterator<Item = ListText> {
        ListText::ALL.into_iter().filter(move |text| self.0 & text.bit() != 0)
    }
}

impl Detail {
    /// What is enough for both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Lists(one), Self::Lists(other)) => Self::Lists(one.and(other)),
            // The message is read where it must be, and all of its texts are there then.
            (Self::Lists(texts), Self::AtHand) | (Self::AtHand, Self::Lists(texts)) => {
                Self::Lists(texts.and(ListTexts(ListText::Envelope.bit())))
            }
            (Self::AtHand, Self::AtHand) => Self::AtHand,
            (Self::Whole, _) | (_, Self::Whole) => Self::Whole,
        }
    }
}

impl Structure {
    /// One text for the store; begins with a version. Made of every message, also where its text is too long to be kept.
    #[must_use]
    pub fn list_row(&self, text: ListText) -> Vec<u8> {
        let texts = match text {
            ListText::Envelope => {
                let [ascii, utf8] = both(|form, out| self.write_envelope(form, out));
                [ascii, utf8, Some(self.preview().as_bytes().to_vec())]
            }
            ListText::BodyStructure => {
                let form = BodyForm::BodyStructure;
                let [ascii, utf8] = both(|strings, out| self.write_body_structure(form, strings, out));
                [ascii, utf8, None]
            }
            // Of no names: all that are kept.
            ListText::Fields => [self.shown_fields(&[]).map(<[u8]>::to_vec), None, None],
        };
        let mut writer = Writer::begin(self);
        for text in &texts {
            writer.number(text.as_ref().map_or(0, |text| text.len() as u64 + 1));
        }
        writer.out.extend(texts.into_iter().flatten().flatten());
        writer.out
    }
}

/// A text in both forms. The second is none where it is as the first; both are where the text is too long to be kept.
fn both(write: impl Fn(StringForm, &mut Vec<u8>)) -> [Option<Vec<u8>>; 2] {
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
}

impl Summary {
    /// With what a row of a text has; none where it has no text that can be copied, is damaged or of another version.
    #[must_use]
    pub fn with(mut self, text: ListText, row: &Bytes) -> Option<Self> {
        let (mut reader, size_bytes, header_bytes) = Reader::begin(row)?;
        if header_bytes > size_bytes {
            return None;
        }
        (self.size_bytes, self.header_bytes) = (size_bytes, header_bytes);
        let lengths = [reader.small()?, reader.small()?, reader.small()?];
        let mut from = row.len() - reader.rest.len();
        let mut next = |length: u32| match length.checked_sub(1) {
            None => Some(None),
            Some(len) => {
                let to = from.checked_add(usize::try_from(len).ok()?).filter(|to| *to <= row.len())?;
                let text = row.slice(from..to);
                from = to;
                Some(Some(text))
            }
        };
        let [first, second, third] = [next(lengths[0])?, next(lengths[1])?, next(lengths[2])?];
        match text {
            ListText::Envelope => {
                self.envelope = Some(Text { ascii: first?, utf8: second });
                self.preview = third.unwrap_or_default();
            }
            ListText::BodyStructure => self.body_structure = Some(Text { ascii: first?, utf8: second }),
            ListText::Fields => self.fields = first,
        }
        Some(self)
    }
}

impl Text {
    /// Nothing where there is none: it was asked for other texts then.
    fn copy(text: Option<&Self>, form: StringForm, out: &mut Vec<u8>) {
        let Some(text) = text else { return };
        out.extend_from_slice(match form {
            StringForm::Ascii => &text.ascii,
            StringForm::Utf8 => text.utf8.as_ref().unwrap_or(&text.ascii),
        });
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
            Self::Summary(summary) => Text::copy(summary.envelope.as_ref(), form, out),
            Self::Whole(structure) => structure.write_envelope(form, out),
        }
    }

    /// What BODYSTRUCTURE shows.
    pub(crate) fn write_body_structure(&self, form: StringForm, out: &mut Vec<u8>) {
        match self {
            Self::Summary(summary) => Text::copy(summary.body_structure.as_ref(), form, out),
            Self::Whole(structure) => structure.write_body_structure(BodyForm::BodyStructure, form, out),
        }
    }

    /// As [`Structure::preview`].
    pub(crate) fn preview(&self) -> &[u8] {
        match self {
            Self::Summary(summary) => &summary.preview,
            Self::Whole(structure) => structure.preview().as_bytes(),
        }
    }

    /// As [`Structure::shown_fields`].
    pub(crate) fn shown_fields(&self, names: &[String]) -> Option<&[u8]> {
        match self {
            Self::Summary(summary) => {
                summary.fields.as_deref().filter(|_| names.iter().all(|name| is_kept(name)))
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Of all of its texts, as they are kept.
    fn summary(message: &str) -> (Structure, Option<Summary>) {
        let structure = Structure::of(message.as_bytes());
        let with = |summary: Summary, text: ListText| summary.with(text, &structure.list_row(text).into());
        let summary = ListText::ALL.into_iter().try_fold(Summary::default(), with);
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
    fn a_row_that_is_cut_short_is_no_summary() {
        let structure = Structure::of(b"Subject: one\r\n\r\ntext\r\n");
        for text in ListText::ALL {
            let row = Bytes::from(structure.list_row(text));
            assert!(Summary::default().with(text, &row).is_some());
            for len in 0..row.len() {
                assert_eq!(Summary::default().with(text, &row.slice(..len)), None, "{text:?} {len}");
            }
        }
    }

    #[test]
    fn what_is_enough_for_two_items_is_enough_for_each() {
        let [envelope, fields] =
            [ListText::Envelope, ListText::Fields].map(|text| Detail::Lists(text.into()));
        let Detail::Lists(texts) = envelope.and(fields).and(envelope) else { panic!() };
        assert!(texts.iter().eq([ListText::Envelope, ListText::Fields]));
        assert_eq!(fields.and(Detail::Whole), Detail::Whole);
        assert_eq!(fields.and(Detail::AtHand), fields.and(envelope));
        assert_eq!(Detail::AtHand.and(Detail::AtHand), Detail::AtHand);
    }
}
