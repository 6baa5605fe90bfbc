//! What is kept of a message, as those see it who ask.

use std::ops::Range;

use super::parser::{StructureLimits, StructureParser};
use super::record::{AddressRecord, EnvelopeRecord, PartKind, PartRecord, Records, Run};
use super::{PartPath, TransferEncoding, shown_fields};

/// The structure of a message. Offsets count from the first octet of what all mailboxes that have the message share: behind
/// the delivery's own header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Octets of the message, without the delivery's own header fields.
    pub size_bytes: u64,
    /// Octets of its header with the empty line behind it.
    pub header_bytes: u64,
    pub(super) records: Records,
}

impl Structure {
    /// Of a message that is in memory.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        let mut parser = StructureParser::new(StructureLimits::default());
        parser.feed(message);
        parser.finish()
    }

    /// Octets that it takes in memory, about.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let records = &self.records;
        size_of::<Self>()
            + records.text.len()
            + size_of_val(records.parts.as_slice())
            + size_of_val(records.parameters.as_slice())
            + size_of_val(records.envelopes.as_slice())
            + size_of_val(records.addresses.as_slice())
    }

    /// What ENVELOPE tells, and SORT and THREAD look at.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        self.envelope_of(&self.records.parts[0])
    }

    /// The References field, unfolded (RFC 5322 §3.6.4).
    #[must_use]
    pub fn references(&self) -> Option<&[u8]> {
        self.envelope().references
    }

    /// The first words of the text, as PREVIEW tells them (RFC 8970); empty where there is no text.
    #[must_use]
    pub fn preview(&self) -> &str {
        self.records
            .get(self.records.preview)
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }

    /// Of the message's own header the fields that clients show lists by, octet for octet, and the empty line at its end; none
    /// where they are too many to be kept, or one of `names` is none of them.
    pub(crate) fn shown_fields(&self, names: &[String]) -> Option<&[u8]> {
        let are_kept = names.iter().all(|name| shown_fields::is_kept(name));
        self.records.get(self.records.fields).filter(|_| are_kept)
    }

    /// The part that a path leads to.
    #[must_use]
    pub fn part(&self, path: &PartPath) -> Option<Part<'_>> {
        let (first, others) = path.0.split_first()?;
        let mut at = self.within_message(0, *first)?;
        for number in others {
            at = match self.records.parts[at].kind {
                PartKind::Leaf => return None,
                PartKind::Multipart => self.child(at, *number)?,
                PartKind::Message => self.within_message(at + 1, *number)?,
            };
        }
        Some(Part { structure: self, at })
    }

    /// All parts that have octets of their own or are messages, in the order of their octets; a message without parts is
    /// part 1.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        let parts = self.records.parts.iter().enumerate();
        parts
            .filter(|(_, record)| record.kind != PartKind::Multipart)
            .map(|(at, _)| Part { structure: self, at })
    }

    /// Where the headers of all parts are, those of multiparts and of the message itself too.
    pub fn headers(&self) -> impl Iterator<Item = Range<u64>> {
        (0..self.records.parts.len()).map(|at| Part { structure: self, at }.header())
    }

    /// The message itself as a part.
    pub(super) fn root(&self) -> Part<'_> {
        Part { structure: self, at: 0 }
    }

    /// A part of the message whose record is `message`: it is its only one where it is no multipart (RFC 9051 §6.4.5.1).
    fn within_message(&self, message: usize, number: u32) -> Option<usize> {
        match self.records.parts[message].kind {
            PartKind::Multipart => self.child(message, number),
            PartKind::Leaf | PartKind::Message => (number == 1).then_some(message),
        }
    }

    fn child(&self, of: usize, number: u32) -> Option<usize> {
        self.children(of).nth(number.checked_sub(1)? as usize)
    }

    /// The records of what a part has within itself.
    pub(super) fn children(&self, of: usize) -> impl Iterator<Item = usize> {
        let end = self.records.parts[of].end as usize;
        let mut at = of + 1;
        std::iter::from_fn(move || {
            let child = at;
            (child < end).then(|| {
                at = self.records.parts[child].end as usize;
                child
            })
        })
    }

    fn envelope_of(&self, part: &PartRecord) -> Envelope<'_> {
        let found = (part.envelope as usize).checked_sub(1).and_then(|at| self.records.envelopes.get(at));
        found.map_or(Envelope::default(), |record| Envelope::new(self, record))
    }
}

/// Fields of a message as they were written, unfolded (RFC 9051 §7.5.2). None where the field is absent, empty where it is
/// present and empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// Date
    pub date: Option<&'a [u8]>,
    /// Subject
    pub subject: Option<&'a [u8]>,
    /// From
    pub from: Addresses<'a>,
    /// Sender; what [`Envelope::from`] is where it is absent or empty.
    pub sender: Addresses<'a>,
    /// Reply-To; likewise.
    pub reply_to: Addresses<'a>,
    /// To
    pub to: Addresses<'a>,
    /// Cc
    pub cc: Addresses<'a>,
    /// Bcc
    pub bcc: Addresses<'a>,
    /// In-Reply-To
    pub in_reply_to: Option<&'a [u8]>,
    /// Message-ID
    pub message_id: Option<&'a [u8]>,
    /// References; not part of what ENVELOPE tells.
    pub references: Option<&'a [u8]>,
}

impl<'a> Envelope<'a> {
    fn new(structure: &'a Structure, record: &EnvelopeRecord) -> Self {
        let list = |run| Addresses { of: Some((structure, run)) };
        let or_from = |run: Run| list(if run.from == run.to { record.from } else { run });
        let records = &structure.records;
        Self {
            date: records.get(record.date),
            subject: records.get(record.subject),
            from: list(record.from),
            sender: or_from(record.sender),
            reply_to: or_from(record.reply_to),
            to: list(record.to),
            cc: list(record.cc),
            bcc: list(record.bcc),
            in_reply_to: records.get(record.in_reply_to),
            message_id: records.get(record.message_id),
            references: records.get(record.references),
        }
    }
}

/// The addresses of a field.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addresses<'a> {
    of: Option<(&'a Structure, Run)>,
}

impl<'a> Addresses<'a> {
    /// In order.
    pub fn iter(self) -> impl Iterator<Item = Address<'a>> {
        let run = self.of.map(|(structure, run)| {
            let records = &structure.records.addresses[run.from as usize..run.to as usize];
            records.iter().map(|record| Address::new(structure, record))
        });
        run.into_iter().flatten()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.of.is_none_or(|(_, run)| run.from == run.to)
    }
}

/// An address, or an end of a group: then `host` is none, and `mailbox` is the group's name where it begins. What is no
/// address has an empty `host`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Address<'a> {
    /// The name beside it, not decoded.
    pub name: Option<&'a [u8]>,
    /// The source route.
    pub adl: Option<&'a [u8]>,
    /// The local part, without quotes.
    pub mailbox: Option<&'a [u8]>,
    /// The domain.
    pub host: Option<&'a [u8]>,
}

impl<'a> Address<'a> {
    fn new(structure: &'a Structure, record: &AddressRecord) -> Self {
        let get = |span| structure.records.get(span);
        Self {
            name: get(record.name),
            adl: get(record.adl),
            mailbox: get(record.mailbox),
            host: get(record.host),
        }
    }
}

/// A part of a message.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    pub(super) structure: &'a Structure,
    pub(super) at: usize,
}

impl<'a> Part<'a> {
    pub(super) fn record(&self) -> &'a PartRecord {
        &self.structure.records.parts[self.at]
    }

    /// What leads to it.
    #[must_use]
    pub fn path(&self) -> PartPath {
        let parts = &self.structure.records.parts;
        let mut numbers = Vec::new();
        let mut at = self.at;
        loop {
            let record = &parts[at];
            let parent = record.parent as usize;
            if at > 0 && parts[parent].kind == PartKind::Multipart {
                numbers.push(record.number);
            } else if record.kind != PartKind::Multipart {
                // All that a message has.
                numbers.push(1);
            }
            if at == 0 {
                break;
            }
            at = parent;
        }
        numbers.reverse();
        PartPath(numbers)
    }

    /// Where its header is, with the empty line behind it.
    #[must_use]
    pub fn header(&self) -> Range<u64> {
        self.record().header_at..self.record().body_at
    }

    /// Where its content is, encoded as it is.
    #[must_use]
    pub fn body(&self) -> Range<u64> {
        self.record().body_at..self.record().body_end
    }

    /// Its type and subtype as they were written, `text` and `plain` where nothing was.
    #[must_use]
    pub fn media_type(&self) -> (&'a [u8], &'a [u8]) {
        let record = self.record();
        let records = &self.structure.records;
        match (records.get(record.media), records.get(record.subtype)) {
            // Parts deeper than we look.
            (Some(media), _) if record.kind == PartKind::Leaf && media.eq_ignore_ascii_case(b"multipart") => {
                (b"application", b"octet-stream")
            }
            (Some(media), Some(subtype)) => (media, subtype),
            _ if record.kind == PartKind::Message => (b"message", b"rfc822"),
            _ => (b"text", b"plain"),
        }
    }

    /// Whether it is text, to be searched.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.record().kind == PartKind::Leaf && self.media_type().0.eq_ignore_ascii_case(b"text")
    }

    /// Its charset.
    #[must_use]
    pub fn charset(&self) -> Option<&'a [u8]> {
        let records = &self.structure.records;
        let run = self.record().parameters;
        let parameters = &records.parameters[run.from as usize..run.to as usize];
        let is_charset = |name| records.get(name).is_some_and(|name| name.eq_ignore_ascii_case(b"charset"));
        parameters.iter().find(|one| is_charset(one.name)).and_then(|one| records.get(one.value))
    }

    /// How it is encoded.
    #[must_use]
    pub fn encoding(&self) -> TransferEncoding {
        self.record().encoding
    }

    /// Octets of its content when decoded; none where the encoding is not known.
    #[must_use]
    pub fn decoded_bytes(&self) -> Option<u64> {
        let record = self.record();
        match (record.kind, record.encoding) {
            (PartKind::Leaf, TransferEncoding::Unknown) => None,
            (PartKind::Leaf, _) => Some(record.decoded_bytes),
            // What has parts has no encoding, whatever it says (RFC 2045 §6.4).
            _ => Some(record.body_end - record.body_at),
        }
    }

    /// What undoes its encoding.
    #[must_use]
    pub fn decoder(&self) -> Option<super::decode::Decoder> {
        let encoding = match self.record().kind {
            PartKind::Leaf => self.encoding(),
            PartKind::Multipart | PartKind::Message => TransferEncoding::Identity,
        };
        super::decode::Decoder::new(encoding)
    }

    /// Whether NUL is in what it is decoded.
    #[must_use]
    pub fn has_nul(&self) -> bool {
        let parts = &self.structure.records.parts;
        parts[self.at..self.record().end as usize].iter().any(|record| record.has_nul)
    }

    /// The envelope of the message in it, and where that message's header is.
    #[must_use]
    pub fn message(&self) -> Option<(Envelope<'a>, Range<u64>)> {
        let within = self.message_part()?;
        Some((self.structure.envelope_of(within.record()), within.header()))
    }

    /// The message in it.
    pub(super) fn message_part(&self) -> Option<Self> {
        (self.record().kind == PartKind::Message)
            .then_some(Self { structure: self.structure, at: self.at + 1 })
    }

    /// Of a message: its envelope.
    pub(super) fn own_envelope(&self) -> Envelope<'a> {
        self.structure.envelope_of(self.record())
    }
}
