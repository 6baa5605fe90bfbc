//! What is searched and sorted by of a message's header, as it is kept beside the message: texts are folded, so that a search
//! only compares octets.

use crate::mime::words;

use super::field::{self, Field};
use super::fold::{fold, fold_into};
use super::sent_date::SentDate;
use super::subject::BaseSubject;

/// A field that a search asks for by a key of its own (RFC 9051 §6.4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SearchedField {
    /// FROM
    From,
    /// TO
    To,
    /// CC
    Cc,
    /// BCC
    Bcc,
    /// SUBJECT
    Subject,
}

impl SearchedField {
    const ALL: [Self; 5] = [Self::From, Self::To, Self::Cc, Self::Bcc, Self::Subject];

    /// The one of that name, in any case.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name().eq_ignore_ascii_case(name))
    }

    const fn name(self) -> &'static str {
        match self {
            Self::From => "From",
            Self::To => "To",
            Self::Cc => "Cc",
            Self::Bcc => "Bcc",
            Self::Subject => "Subject",
        }
    }
}

/// The first address of a field, as SORT needs it; empty where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SortedAddress<'a> {
    /// The local part.
    pub mailbox: &'a [u8],
    /// What people are shown (RFC 5957 §3): the name, or the address where it has none.
    pub display: &'a [u8],
}

/// What is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HeaderFacts<'a> {
    /// By [`SearchedField`]: none where there is no such field.
    pub(super) fields: [Option<&'a [u8]>; 5],
    /// The Date field, where it can be read.
    pub sent: Option<SentDate>,
    /// Folded.
    pub base_subject: &'a [u8],
    /// As [`BaseSubject::is_reply_or_forward`].
    pub is_reply_or_forward: bool,
    /// Of From.
    pub from: SortedAddress<'a>,
    /// Of To.
    pub to: SortedAddress<'a>,
    /// Of Cc.
    pub cc: SortedAddress<'a>,
    /// Message-ID, without brackets and quotes; empty where there is none.
    pub message_id: &'a [u8],
    /// Message ids, each behind its length.
    pub(super) references: &'a [u8],
}

impl<'a> HeaderFacts<'a> {
    /// All fields of that name, as they are compared, with a line end between two of them.
    #[must_use]
    pub const fn field(&self, field: SearchedField) -> Option<&'a [u8]> {
        self.fields[field as usize]
    }

    /// The message ids of those that the message answers, oldest first (RFC 5256 §3).
    pub fn references(&self) -> impl Iterator<Item = &'a [u8]> {
        let mut reader = Reader(self.references);
        std::iter::from_fn(move || reader.octets())
    }

    /// Reads what [`make`] made; none where it is damaged or of another version.
    #[must_use]
    pub fn from_bytes(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        if reader.octet()? != VERSION {
            return None;
        }
        let flags = reader.octet()?;
        let mut facts = Self { is_reply_or_forward: flags & IS_REPLY != 0, ..Self::default() };
        if flags & HAS_DATE != 0 {
            let seconds = i64::from_le_bytes(reader.take(8)?.try_into().ok()?);
            let day = i32::from_le_bytes(reader.take(4)?.try_into().ok()?);
            facts.sent = Some(SentDate { seconds, day: i64::from(day) });
        }
        for (place, slot) in facts.fields.iter_mut().enumerate() {
            if flags & 1 << place != 0 {
                *slot = Some(reader.octets()?);
            }
        }
        facts.base_subject = reader.octets()?;
        for address in [&mut facts.from, &mut facts.to, &mut facts.cc] {
            *address = SortedAddress { mailbox: reader.octets()?, display: reader.octets()? };
        }
        facts.message_id = reader.octets()?;
        facts.references = reader.octets()?;
        Some(facts)
    }
}

/// Makes what is kept of a message's header: of its octets, and of what its structure tells of it.
#[must_use]
pub fn make(header: &[u8], structure: &crate::mime::Structure) -> Vec<u8> {
    let envelope = structure.envelope();
    let mut texts: [Option<String>; 5] = Default::default();
    for Field { name, value } in field::fields(header) {
        let known = SearchedField::ALL.into_iter().find(|f| f.name().as_bytes().eq_ignore_ascii_case(name));
        if let Some(known) = known {
            let text = texts[known as usize].get_or_insert_default();
            if !text.is_empty() {
                text.push('\n');
            }
            fold_into(&field::text(value), text);
        }
    }
    let sent = envelope.date.and_then(SentDate::of);
    let subject = BaseSubject::of(&envelope.subject.map(words::decode).unwrap_or_default());
    let mut out = vec![VERSION, 0];
    let flag = |condition: bool, flag: u8| if condition { flag } else { 0 };
    out[1] = flag(subject.is_reply_or_forward, IS_REPLY) | flag(sent.is_some(), HAS_DATE);
    if let Some(SentDate { seconds, day }) = sent {
        out.extend_from_slice(&seconds.to_le_bytes());
        out.extend_from_slice(&i32::try_from(day).unwrap_or(i32::MAX).to_le_bytes());
    }
    for (place, text) in texts.iter().enumerate() {
        if let Some(text) = text {
            out[1] |= 1 << place;
            write(text.as_bytes(), &mut out);
        }
    }
    write(fold(&subject.text).as_bytes(), &mut out);
    for addresses in [envelope.from, envelope.to, envelope.cc] {
        let (mailbox, display) = addresses.iter().next().map(|first| sorted(&first)).unwrap_or_default();
        write(fold(&mailbox).as_bytes(), &mut out);
        write(fold(&display).as_bytes(), &mut out);
    }
    let message_id = envelope.message_id.and_then(|raw| field::message_ids(raw).next());
    write(&message_id.unwrap_or_default(), &mut out);
    write(&references(structure), &mut out);
    out
}

/// The local part of an address, and what people are shown of it (RFC 5957 §3): the name of a group, the name beside the address,
/// or the address.
fn sorted(address: &crate::mime::Address<'_>) -> (String, String) {
    let mailbox = address.mailbox.map(|raw| String::from_utf8_lossy(raw).into_owned()).unwrap_or_default();
    let name = address.name.map(words::decode).filter(|name| !name.is_empty());
    let display = match (name, address.host) {
        (Some(name), _) => name,
        (None, Some(host)) => format!("{mailbox}@{}", String::from_utf8_lossy(host)),
        (None, None) => mailbox.clone(),
    };
    (mailbox, display)
}

/// RFC 5256 §3: the ids of References, or the first one of In-Reply-To where there are none.
fn references(structure: &crate::mime::Structure) -> Vec<u8> {
    let mut ids: Vec<Vec<u8>> =
        structure.references().map(|raw| field::message_ids(raw).collect()).unwrap_or_default();
    if ids.is_empty() {
        ids.extend(structure.envelope().in_reply_to.and_then(|raw| field::message_ids(raw).next()));
    }
    let mut out = Vec::new();
    for id in ids.iter().skip(ids.len().saturating_sub(REFERENCES_MAX)) {
        write(id, &mut out);
    }
    out
}

/// References that are kept of one message: those nearest to it, which come last. Long lists are cut in front by those who
/// write them, too (RFC 5537 §3.4.4).
const REFERENCES_MAX: usize = 200;

/// Of the rows of facts: whoever changes what is read of a header, or folded, raises it. What changes which parts and texts there are
/// raises `mime::bytes::VERSION` and the version of the index's words too, since all three are made of one reading.
const VERSION: u8 = 2;
const IS_REPLY: u8 = 0x20;
const HAS_DATE: u8 = 0x40;

pub(super) fn write(octets: &[u8], out: &mut Vec<u8>) {
    let mut length = octets.len();
    while length >= 0x80 {
        out.push(u8::try_from(length & 0x7f).unwrap_or(0) | 0x80);
        length >>= 7;
    }
    out.push(u8::try_from(length).unwrap_or(0));
    out.extend_from_slice(octets);
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn octet(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn octets(&mut self) -> Option<&'a [u8]> {
        let mut length = 0_usize;
        for shift in (0..usize::BITS).step_by(7) {
            let octet = self.octet()?;
            length |= usize::from(octet & 0x7f) << shift;
            if octet & 0x80 == 0 {
                return self.take(length);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mime::Structure;

    const MESSAGE: &[u8] = b"From: =?utf-8?q?J=C3=BCrgen?= <j@example.org>, b@example.org\r\n\
        To: undisclosed-recipients:;\r\n\
        Cc: x@one.example\r\n\
        Cc: y@two.example\r\n\
        Subject: Re: [list] \r\n =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\
        Date: Thu, 5 Nov 2026 23:00:00 -0500\r\n\
        Message-ID: <\"m\"@example.org>\r\n\
        In-Reply-To: <other@example.org>\r\n\
        References: <first@example.org>\r\n <second@example.org>\r\n\r\n";

    fn facts(message: &[u8]) -> Vec<u8> {
        make(message, &Structure::of(message))
    }

    #[test]
    fn what_is_kept_is_read_again() {
        let bytes = facts(MESSAGE);
        let facts = HeaderFacts::from_bytes(&bytes).unwrap();
        let field = |field| facts.field(field).map(String::from_utf8_lossy).map(std::borrow::Cow::into_owned);
        assert_eq!(field(SearchedField::From), Some(fold("J\u{fc}rgen <j@example.org>, b@example.org")));
        assert_eq!(field(SearchedField::Cc), Some("X@ONE.EXAMPLE\nY@TWO.EXAMPLE".into()));
        assert_eq!(field(SearchedField::Bcc), None);
        assert_eq!(
            (facts.base_subject, facts.is_reply_or_forward),
            (fold("Gr\u{fc}\u{df}e").as_bytes(), true)
        );
        assert_eq!((facts.from.mailbox, facts.from.display), (&b"J"[..], fold("J\u{fc}rgen").as_bytes()));
        // RFC 5957 §3: an address without a name is shown as it is.
        assert_eq!(facts.cc.display, b"X@ONE.EXAMPLE");
        assert_eq!(facts.sent.map(|sent| (sent.seconds, sent.day)), Some((1_793_937_600, 20_762)));
        assert_eq!(facts.message_id, b"m@example.org");
        let references: Vec<_> = facts.references().collect();
        assert_eq!(references, [&b"first@example.org"[..], b"second@example.org"]);
    }

    #[test]
    fn in_reply_to_counts_where_there_are_no_references() {
        let bytes = facts(b"In-Reply-To: Ada's of Monday <a@x> <b@x>\r\nReferences: none\r\n\r\n");
        let facts = HeaderFacts::from_bytes(&bytes).unwrap();
        assert_eq!(facts.references().collect::<Vec<_>>(), [&b"a@x"[..]]);
    }

    #[test]
    fn what_is_damaged_or_of_another_version_is_not_read() {
        let bytes = facts(MESSAGE);
        for len in 0..bytes.len() {
            assert_eq!(HeaderFacts::from_bytes(&bytes[..len]), None, "{len}");
        }
        assert_eq!(HeaderFacts::from_bytes(&[&[VERSION + 1], &bytes[1..]].concat()), None);
        assert!(HeaderFacts::from_bytes(&facts(b"")).is_some());
    }
}
