//! How a [`Structure`](super::Structure) holds what it knows: records with places in one text, so that thousands of
//! structures fit in memory and one is read from the store with a handful of allocations.

use super::TransferEncoding;

/// A place in [`Records::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Span {
    /// Nothing was written.
    #[default]
    Absent,
    /// It begins there and has so many octets.
    At(u32, u32),
}

/// Neighbours in one of the lists: from, and behind the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Run {
    pub(super) from: u32,
    pub(super) to: u32,
}

impl Run {
    /// Of indices that are far below 2^32.
    pub(super) fn new(from: usize, to: usize) -> Self {
        if from == to { Self::default() } else { Self { from: from as u32, to: to as u32 } }
    }
}

/// What a part has within itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum PartKind {
    /// Octets.
    #[default]
    Leaf,
    /// Parts.
    Multipart,
    /// A message, which is the next record.
    Message,
}

/// A part. Records stand in the order of their headers, so that what a part has within itself stands behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct PartRecord {
    pub(super) kind: PartKind,
    /// The part that has it; its own index for the message itself.
    pub(super) parent: u32,
    /// Its number in the part that has it, from 1.
    pub(super) number: u32,
    /// Behind the last record of what is within it.
    pub(super) end: u32,
    pub(super) header_at: u64,
    pub(super) body_at: u64,
    pub(super) body_end: u64,
    pub(super) lines: u64,
    /// Octets when decoded; meaningless where the encoding is not known.
    pub(super) decoded_bytes: u64,
    /// Whether NUL is among them.
    pub(super) has_nul: bool,
    pub(super) encoding: TransferEncoding,
    /// None where it is text/plain by default, or message/rfc822 in a digest.
    pub(super) media: Span,
    pub(super) subtype: Span,
    pub(super) parameters: Run,
    pub(super) encoding_name: Span,
    pub(super) id: Span,
    pub(super) description: Span,
    pub(super) md5: Span,
    pub(super) disposition: Span,
    pub(super) disposition_parameters: Run,
    /// Tags with a comma between them.
    pub(super) languages: Span,
    pub(super) location: Span,
    /// Of a message, the outermost one and those in parts: where its envelope is, plus one.
    pub(super) envelope: u32,
}

/// A parameter of Content-Type or Content-Disposition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ParameterRecord {
    pub(super) name: Span,
    /// Whether the value is `charset'language'octets` of RFC 2231, still encoded.
    pub(super) is_extended: bool,
    pub(super) value: Span,
}

/// What ENVELOPE tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct EnvelopeRecord {
    pub(super) date: Span,
    pub(super) subject: Span,
    pub(super) in_reply_to: Span,
    pub(super) message_id: Span,
    pub(super) references: Span,
    pub(super) from: Run,
    pub(super) sender: Run,
    pub(super) reply_to: Run,
    pub(super) to: Run,
    pub(super) cc: Run,
    pub(super) bcc: Run,
}

/// An address, or an end of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AddressRecord {
    pub(super) name: Span,
    pub(super) adl: Span,
    pub(super) mailbox: Span,
    pub(super) host: Span,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Records {
    pub(super) text: Vec<u8>,
    /// Never empty once the message was read.
    pub(super) parts: Vec<PartRecord>,
    pub(super) parameters: Vec<ParameterRecord>,
    pub(super) envelopes: Vec<EnvelopeRecord>,
    pub(super) addresses: Vec<AddressRecord>,
    /// UTF-8.
    pub(super) preview: Span,
    /// Fields of the message's own header as they were written: [`super::shown_fields`].
    pub(super) fields: Span,
}

impl Records {
    /// What stands at a place.
    pub(super) fn get(&self, span: Span) -> Option<&[u8]> {
        match span {
            Span::Absent => None,
            Span::At(at, len) => self.text.get(at as usize..at as usize + len as usize),
        }
    }

    /// Keeps octets; those that would make the text longer than `bytes_max` are cut off.
    pub(super) fn keep(&mut self, octets: &[u8], bytes_max: usize) -> Span {
        let room = bytes_max.min(u32::MAX as usize).saturating_sub(self.text.len());
        let kept = &octets[..octets.len().min(room)];
        super::cost::count(kept.len());
        let at = self.text.len();
        self.text.extend_from_slice(kept);
        // Both are below `bytes_max`, which is below 2^32.
        Span::At(at as u32, kept.len() as u32)
    }

    /// Gives back what the lists have more than they need.
    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
        self.parts.shrink_to_fit();
        self.parameters.shrink_to_fit();
        self.envelopes.shrink_to_fit();
        self.addresses.shrink_to_fit();
    }
}
