//! A structure as the store keeps it.
//!
//! The first octet is a version: what another one wrote is made anew of the message, as is what does not hold together:
//!
//! ```text
//! row = version size header-size text-length text records
//! ```
//!
//! Numbers are LEB128; a place in the text is told by its length and by how far it is from where the one before it ended,
//! which is mostly nothing.

use super::record::{
    AddressRecord, EnvelopeRecord, ParameterRecord, PartKind, PartRecord, Records, Run, Span,
};
use super::{Structure, TransferEncoding};

/// Of the rows of texts too ([`super::Summary`]): whoever changes how ENVELOPE or BODYSTRUCTURE are written raises it.
pub(super) const VERSION: u8 = 5;

impl Structure {
    /// For the store; begins with a version.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let records = &self.records;
        let mut writer = Writer::begin(self);
        writer.number(records.text.len() as u64);
        writer.out.extend_from_slice(&records.text);
        writer.number(records.parts.len() as u64);
        for (at, part) in records.parts.iter().enumerate() {
            writer.part(at, part);
        }
        writer.number(records.parameters.len() as u64);
        for parameter in &records.parameters {
            writer.number(u64::from(parameter.is_extended));
            writer.spans([parameter.name, parameter.value]);
        }
        writer.number(records.envelopes.len() as u64);
        for envelope in &records.envelopes {
            let EnvelopeRecord { date, subject, in_reply_to, message_id, references, .. } = *envelope;
            writer.spans([date, subject, in_reply_to, message_id, references]);
            let EnvelopeRecord { from, sender, reply_to, to, cc, bcc, .. } = *envelope;
            writer.runs([from, sender, reply_to, to, cc, bcc]);
        }
        writer.number(records.addresses.len() as u64);
        for address in &records.addresses {
            writer.spans([address.name, address.adl, address.mailbox, address.host]);
        }
        writer.spans([records.preview, records.fields]);
        writer.out
    }

    /// Of [`Structure::to_bytes`]; none where it is damaged or of another version: it is to be made anew.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (mut reader, size_bytes, header_bytes) = Reader::begin(bytes)?;
        let len = usize::try_from(reader.number()?).ok()?;
        let (text, rest) = reader.rest.split_at_checked(len)?;
        let text = text.to_vec();
        (reader.rest, reader.text_len) = (rest, u64::try_from(len).ok()?);
        let count = reader.count()?;
        let mut parts = Vec::with_capacity(count);
        for at in 0..count {
            let part = reader.part(at)?;
            parts.push(part);
        }
        let count = reader.count()?;
        let mut parameters = Vec::with_capacity(count);
        for _ in 0..count {
            let is_extended = reader.number()? == 1;
            let [name, value] = reader.spans()?;
            parameters.push(ParameterRecord { name, is_extended, value });
        }
        let count = reader.count()?;
        let mut envelopes = Vec::with_capacity(count);
        for _ in 0..count {
            let [date, subject, in_reply_to, message_id, references] = reader.spans()?;
            let [from, sender, reply_to, to, cc, bcc] = reader.runs()?;
            let dates =
                EnvelopeRecord { date, subject, in_reply_to, message_id, references, ..Default::default() };
            envelopes.push(EnvelopeRecord { from, sender, reply_to, to, cc, bcc, ..dates });
        }
        let count = reader.count()?;
        let mut addresses = Vec::with_capacity(count);
        for _ in 0..count {
            let [name, adl, mailbox, host] = reader.spans()?;
            addresses.push(AddressRecord { name, adl, mailbox, host });
        }
        let [preview, fields] = reader.spans()?;
        let records = Records { text, parts, parameters, envelopes, addresses, preview, fields };
        let structure = Self { size_bytes, header_bytes, records };
        (reader.rest.is_empty() && structure.holds_together()).then_some(structure)
    }

    /// Whether each number that leads somewhere does: what follows them need not look.
    fn holds_together(&self) -> bool {
        let records = &self.records;
        let run_is_in = |run: Run, len: usize| run.from <= run.to && run.to as usize <= len;
        let part_holds = |(at, part): (usize, &PartRecord)| {
            let parent = &records.parts[part.parent as usize];
            let is_within = if at == 0 {
                part.parent == 0
                    && part.end as usize == records.parts.len()
                    && part.body_at == self.header_bytes
            } else {
                (part.parent as usize) < at && part.end <= parent.end && parent.kind != PartKind::Leaf
            };
            let has_own = match part.kind {
                PartKind::Leaf => part.end as usize == at + 1,
                PartKind::Multipart => part.end as usize > at,
                PartKind::Message => part.end as usize > at + 1,
            };
            is_within
                && has_own
                && part.header_at <= part.body_at
                && part.body_at <= part.body_end
                && part.body_end <= self.size_bytes
                && part.envelope as usize <= records.envelopes.len()
                && run_is_in(part.parameters, records.parameters.len())
                && run_is_in(part.disposition_parameters, records.parameters.len())
        };
        let envelope_holds = |envelope: &EnvelopeRecord| {
            let EnvelopeRecord { from, sender, reply_to, to, cc, bcc, .. } = *envelope;
            [from, sender, reply_to, to, cc, bcc].iter().all(|run| run_is_in(*run, records.addresses.len()))
        };
        !records.parts.is_empty()
            && records.parts.iter().all(|part| (part.parent as usize) < records.parts.len())
            && records.parts.iter().enumerate().all(part_holds)
            && records.envelopes.iter().all(envelope_holds)
    }
}

pub(super) struct Writer {
    pub(super) out: Vec<u8>,
    /// Where the last span ended.
    text_at: u64,
}

impl Writer {
    /// What any row of a structure begins with.
    pub(super) fn begin(structure: &Structure) -> Self {
        let mut writer = Self { out: vec![VERSION], text_at: 0 };
        writer.number(structure.size_bytes);
        writer.number(structure.header_bytes);
        writer
    }

    pub(super) fn number(&mut self, number: u64) {
        let mut rest = number;
        while rest >= 0x80 {
            self.out.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.out.push(rest as u8);
    }

    fn spans<const N: usize>(&mut self, spans: [Span; N]) {
        for span in spans {
            match span {
                Span::Absent => self.number(0),
                Span::At(at, len) => {
                    self.number(u64::from(len) + 1);
                    let skipped = i64::from(at) - self.text_at.cast_signed();
                    self.number((skipped << 1 ^ skipped >> 63).cast_unsigned());
                    self.text_at = u64::from(at) + u64::from(len);
                }
            }
        }
    }

    fn runs<const N: usize>(&mut self, runs: [Run; N]) {
        for run in runs {
            self.number(u64::from(run.to - run.from));
            if run.from != run.to {
                self.number(u64::from(run.from));
            }
        }
    }

    fn part(&mut self, at: usize, part: &PartRecord) {
        let kind = match part.kind {
            PartKind::Leaf => 0,
            PartKind::Multipart => 1,
            PartKind::Message => 2,
        };
        let encoding = match part.encoding {
            TransferEncoding::Identity => 0,
            TransferEncoding::QuotedPrintable => 1,
            TransferEncoding::Base64 => 2,
            TransferEncoding::Unknown => 3,
        };
        self.number(kind | encoding << 2 | u64::from(part.has_nul) << 4);
        self.number(u64::from(part.parent));
        self.number(u64::from(part.number));
        self.number(u64::from(part.end) - at as u64);
        self.number(part.header_at);
        self.number(part.body_at - part.header_at);
        self.number(part.body_end - part.body_at);
        self.number(part.lines);
        self.number(part.decoded_bytes);
        self.number(u64::from(part.envelope));
        let PartRecord { media, subtype, encoding_name, id, description, .. } = *part;
        self.spans([media, subtype, encoding_name, id, description]);
        self.spans([part.md5, part.disposition, part.languages, part.location]);
        self.runs([part.parameters, part.disposition_parameters]);
    }
}

pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
    text_at: u64,
    text_len: u64,
}

impl<'a> Reader<'a> {
    /// Of a row, behind what any begins with: the octets of the message and of its header. None of another version.
    pub(super) fn begin(row: &'a [u8]) -> Option<(Self, u64, u64)> {
        let (&VERSION, rest) = row.split_first()? else { return None };
        let mut reader = Self { rest, text_at: 0, text_len: 0 };
        let (size_bytes, header_bytes) = (reader.number()?, reader.number()?);
        Some((reader, size_bytes, header_bytes))
    }

    pub(super) fn number(&mut self) -> Option<u64> {
        // Most are small.
        if let Some((&octet @ ..0x80, rest)) = self.rest.split_first() {
            self.rest = rest;
            return Some(u64::from(octet));
        }
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let (&octet, rest) = self.rest.split_first()?;
            self.rest = rest;
            let seven = u64::from(octet & 0x7F);
            if shift == 63 && seven > 1 {
                return None;
            }
            number |= seven << shift;
            if octet & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    pub(super) fn small(&mut self) -> Option<u32> {
        u32::try_from(self.number()?).ok()
    }

    /// Records that follow; each has an octet at least.
    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.number()?).ok().filter(|count| *count <= self.rest.len())
    }

    fn spans<const N: usize>(&mut self) -> Option<[Span; N]> {
        let mut spans = [Span::Absent; N];
        for span in &mut spans {
            let Some(len) = self.number()?.checked_sub(1) else { continue };
            let skipped = self.number()?;
            let skipped = (skipped >> 1).cast_signed() ^ -(skipped & 1).cast_signed();
            let at = self.text_at.checked_add_signed(skipped)?;
            self.text_at = at.checked_add(len).filter(|end| *end <= self.text_len)?;
            *span = Span::At(u32::try_from(at).ok()?, u32::try_from(len).ok()?);
        }
        Some(spans)
    }

    fn runs<const N: usize>(&mut self) -> Option<[Run; N]> {
        let mut runs = [Run::default(); N];
        for run in &mut runs {
            let count = self.small()?;
            if count > 0 {
                let from = self.small()?;
                *run = Run { from, to: from.checked_add(count)? };
            }
        }
        Some(runs)
    }

    fn part(&mut self, at: usize) -> Option<PartRecord> {
        let bits = self.number()?;
        let kind = match bits & 3 {
            0 => PartKind::Leaf,
            1 => PartKind::Multipart,
            2 => PartKind::Message,
            _ => return None,
        };
        let encoding = match bits >> 2 & 3 {
            0 => TransferEncoding::Identity,
            1 => TransferEncoding::QuotedPrintable,
            2 => TransferEncoding::Base64,
            _ => TransferEncoding::Unknown,
        };
        let (parent, number) = (self.small()?, self.small()?);
        let end = u32::try_from(at).ok()?.checked_add(self.small()?)?;
        let header_at = self.number()?;
        let body_at = header_at.checked_add(self.number()?)?;
        let body_end = body_at.checked_add(self.number()?)?;
        let (lines, decoded_bytes, envelope) = (self.number()?, self.number()?, self.small()?);
        let [media, subtype, encoding_name, id, description] = self.spans()?;
        let [md5, disposition, languages, location] = self.spans()?;
        let [parameters, disposition_parameters] = self.runs()?;
        Some(PartRecord {
            kind,
            parent,
            number,
            end,
            header_at,
            body_at,
            body_end,
            lines,
            decoded_bytes,
            has_nul: bits >> 4 & 1 == 1,
            encoding,
            media,
            subtype,
            parameters,
            encoding_name,
            id,
            description,
            md5,
            disposition,
            disposition_parameters,
            languages,
            location,
            envelope,
        })
    }
}
