//! What is kept of a message.

use std::ops::Range;

use super::{PartPath, TransferEncoding};

/// What is kept of a message, and how deep it is looked into.
#[derive(Debug, Clone)]
pub struct StructureLimits {
    /// Parts within parts; what lies deeper is shown as octets.
    pub depth_max: usize,
    /// Parts in all; what follows belongs to the last one.
    pub parts_max: usize,
}

impl Default for StructureLimits {
    fn default() -> Self {
        Self { depth_max: 100, parts_max: 10_000 }
    }
}

/// Reads a message and makes a [`Structure`] of it.
#[derive(Debug)]
pub struct StructureParser {
    size_bytes: u64,
}

impl StructureParser {
    /// Before the first octet of what all mailboxes that have the message share.
    #[must_use]
    pub fn new(limits: StructureLimits) -> Self {
        let _ = limits;
        Self { size_bytes: 0 }
    }

    /// The next octets.
    pub fn feed(&mut self, octets: &[u8]) {
        self.size_bytes += octets.len() as u64;
    }

    /// There are no more.
    #[must_use]
    pub fn finish(self) -> Structure {
        Structure { size_bytes: self.size_bytes, header_bytes: 0 }
    }
}

/// The structure of a message. Offsets count from the first octet of what all mailboxes that have the message share: behind
/// the delivery's own header fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Structure {
    /// Octets of the message, without the delivery's own header fields.
    pub size_bytes: u64,
    /// Octets of its header with the empty line behind it.
    pub header_bytes: u64,
}

impl Structure {
    /// Of a message that is in memory.
    #[must_use]
    pub fn of(message: &[u8]) -> Self {
        let mut parser = StructureParser::new(StructureLimits::default());
        parser.feed(message);
        parser.finish()
    }

    /// For the store; begins with a version.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        Vec::new()
    }

    /// Of [`Structure::to_bytes`]; none where it is damaged or of another version: it is to be made anew.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let _ = bytes;
        None
    }

    /// What ENVELOPE tells, and SORT and THREAD look at.
    #[must_use]
    pub fn envelope(&self) -> Envelope<'_> {
        Envelope::default()
    }

    /// The References field, unfolded (RFC 5322 §3.6.4).
    #[must_use]
    pub fn references(&self) -> Option<&[u8]> {
        None
    }

    /// The first words of the text, as PREVIEW tells them (RFC 8970); empty where there is no text.
    #[must_use]
    pub fn preview(&self) -> &str {
        ""
    }

    /// The part that a path leads to.
    #[must_use]
    pub fn part(&self, path: &PartPath) -> Option<Part<'_>> {
        let _ = path;
        None
    }

    /// All parts that have octets of their own or are messages, in the order of their octets; a message without parts is
    /// part 1.
    pub fn parts(&self) -> impl Iterator<Item = Part<'_>> {
        std::iter::empty()
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
}

/// The addresses of a field.
#[derive(Debug, Clone, Copy, Default)]
pub struct Addresses<'a> {
    of: Option<&'a Structure>,
}

impl<'a> Addresses<'a> {
    /// In order.
    pub fn iter(self) -> impl Iterator<Item = Address<'a>> {
        let _ = self.of;
        std::iter::empty()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        true
    }
}

/// An address, or an end of a group: then `host` is none, and `mailbox` is the group's name where it begins.
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

/// A part of a message.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    structure: &'a Structure,
}

impl<'a> Part<'a> {
    /// What leads to it.
    #[must_use]
    pub fn path(&self) -> PartPath {
        PartPath(vec![1])
    }

    /// Where its header is, with the empty line behind it.
    #[must_use]
    pub fn header(&self) -> Range<u64> {
        0..self.structure.header_bytes
    }

    /// Where its content is.
    #[must_use]
    pub fn body(&self) -> Range<u64> {
        self.structure.header_bytes..self.structure.size_bytes
    }

    /// Its type and subtype as they were written, `text` and `plain` where nothing was.
    #[must_use]
    pub fn media_type(&self) -> (&'a [u8], &'a [u8]) {
        (b"text", b"plain")
    }

    /// Whether it is text, to be searched.
    #[must_use]
    pub fn is_text(&self) -> bool {
        true
    }

    /// Its charset.
    #[must_use]
    pub fn charset(&self) -> Option<&'a [u8]> {
        None
    }

    /// How it is encoded.
    #[must_use]
    pub fn encoding(&self) -> TransferEncoding {
        TransferEncoding::Identity
    }

    /// The envelope of the message in it, and where that message's header is.
    #[must_use]
    pub fn message(&self) -> Option<(Envelope<'a>, Range<u64>)> {
        None
    }
}
