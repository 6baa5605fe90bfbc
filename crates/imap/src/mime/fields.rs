//! Header fields as they come, line by line: those that IMAP shows are read, the others are passed over.
//!
//! A header ends at the first empty line and nowhere else, as every reader of mail agrees; a line without a colon in it is
//! passed over. Of a field that is there more than once the first one counts (RFC 5322 §3.6 allows one), but the addresses of
//! all To, Cc and Bcc fields are one list (§4.5.3).

use super::address;
use super::decode::TransferEncoding;
use super::parameter::{self, Parameterized, trimmed};
use super::record::{EnvelopeRecord, ParameterRecord, PartRecord, Records, Run, Span};

/// The fields that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    ContentType,
    ContentTransferEncoding,
    ContentId,
    ContentDescription,
    ContentMd5,
    ContentDisposition,
    ContentLanguage,
    ContentLocation,
    Date,
    Subject,
    From,
    Sender,
    ReplyTo,
    To,
    Cc,
    Bcc,
    InReplyTo,
    MessageId,
    References,
}

const FIELDS: [(&[u8], Field); 19] = [
    (b"Content-Type", Field::ContentType),
    (b"Content-Transfer-Encoding", Field::ContentTransferEncoding),
    (b"Content-ID", Field::ContentId),
    (b"Content-Description", Field::ContentDescription),
    (b"Content-MD5", Field::ContentMd5),
    (b"Content-Disposition", Field::ContentDisposition),
    (b"Content-Language", Field::ContentLanguage),
    (b"Content-Location", Field::ContentLocation),
    (b"Date", Field::Date),
    (b"Subject", Field::Subject),
    (b"From", Field::From),
    (b"Sender", Field::Sender),
    (b"Reply-To", Field::ReplyTo),
    (b"To", Field::To),
    (b"Cc", Field::Cc),
    (b"Bcc", Field::Bcc),
    (b"In-Reply-To", Field::InReplyTo),
    (b"Message-ID", Field::MessageId),
    (b"References", Field::References),
];

/// Octets of one field that are kept, without its line breaks; what follows is dropped. Lists of addresses may be long.
const VALUE_BYTES_MAX: usize = 64 << 10;
const ADDRESSES_VALUE_BYTES_MAX: usize = 512 << 10;
/// Addresses of a message in all, those of the messages in it included.
const ADDRESSES_MAX: usize = 20_000;
/// Octets of all that is kept of a message.
pub(super) const TEXT_BYTES_MAX: usize = 2 << 20;

/// The name of the field that a line begins, where it is one: printable, and white space at most before the colon
/// (RFC 5322 §4.5, `obs-optional`).
pub(crate) fn name_of(line: &[u8]) -> Option<&[u8]> {
    let colon = memchr::memchr(b':', line)?;
    let name = &line[..colon];
    let name = &name[..name.iter().rposition(|octet| !matches!(octet, b' ' | b'\t'))? + 1];
    name.iter().all(|octet| (0x21..0x7F).contains(octet)).then_some(name)
}

/// The header of one part or message while it is read.
#[derive(Debug)]
pub(super) struct Fields {
    /// Of a message: the fields of its envelope count.
    is_message: bool,
    /// A bit for each that was there.
    seen: u32,
    current: Option<Field>,
    value: Vec<u8>,
    envelope: EnvelopeRecord,
    /// Values of To, Cc and Bcc, until the header is over: there may be more of each.
    destinations: [Vec<u8>; 3],
    /// Parameters of Content-Type and its value, until the header is over: which it is depends on where the part is.
    content_type: Option<Parameterized>,
}

impl Fields {
    pub(super) fn new(is_message: bool) -> Self {
        Self {
            is_message,
            seen: 0,
            current: None,
            value: Vec::new(),
            envelope: EnvelopeRecord::default(),
            destinations: Default::default(),
            content_type: None,
        }
    }

    /// A line that is not empty, or its beginning, without its line break.
    pub(super) fn line(&mut self, line: &[u8], part: &mut PartRecord, records: &mut Records) {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            self.more(line);
            return;
        }
        self.end_field(part, records);
        // No name that matters is longer.
        let Some(name) = name_of(&line[..line.len().min(NAME_AND_COLON_MAX)]) else { return };
        let found = FIELDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        let Some((_, field)) = found else { return };
        let is_wanted = self.is_message || (*field as u32) < Field::Date as u32;
        if is_wanted && (field.is_destination() || self.seen & (1 << *field as u32) == 0) {
            self.seen |= 1 << *field as u32;
            self.current = Some(*field);
            // The colon was found.
            let behind = memchr::memchr(b':', line).map_or(line.len(), |at| at + 1);
            self.more(&line[behind..]);
        }
    }

    /// More of the same line or field.
    pub(super) fn more(&mut self, octets: &[u8]) {
        let bytes_max = match self.current {
            None => return,
            Some(Field::From | Field::Sender | Field::ReplyTo | Field::To | Field::Cc | Field::Bcc) => {
                ADDRESSES_VALUE_BYTES_MAX
            }
            Some(_) => VALUE_BYTES_MAX,
        };
        let room = bytes_max.saturating_sub(self.value.len());
        self.value.extend_from_slice(&octets[..octets.len().min(room)]);
    }

    /// The field is whole.
    fn end_field(&mut self, part: &mut PartRecord, records: &mut Records) {
        let Some(field) = self.current.take() else { return };
        let value = std::mem::take(&mut self.value);
        let text = trimmed(&value);
        let keep = |records: &mut Records| records.keep(text, TEXT_BYTES_MAX);
        let list = |records: &mut Records| address::keep(text, ADDRESSES_MAX, TEXT_BYTES_MAX, records);
        let envelope = &mut self.envelope;
        match field {
            Field::ContentType => self.content_type = Some(parameter::read(text)),
            Field::ContentTransferEncoding => {
                let name = parameter::read(text).value;
                part.encoding = TransferEncoding::of(&name);
                if !name.is_empty() {
                    part.encoding_name = records.keep(&name, TEXT_BYTES_MAX);
                }
            }
            Field::ContentDisposition => {
                let Parameterized { value, parameters } = parameter::read(text);
                if !value.is_empty() {
                    part.disposition = records.keep(&value, TEXT_BYTES_MAX);
                    part.disposition_parameters = keep_parameters(parameters, records);
                }
            }
            Field::ContentLanguage => part.languages = languages(text, records),
            Field::ContentId => part.id = keep(records),
            Field::ContentDescription => part.description = keep(records),
            Field::ContentMd5 => part.md5 = keep(records),
            Field::ContentLocation => part.location = keep(records),
            Field::Date => envelope.date = keep(records),
            Field::Subject => envelope.subject = keep(records),
            Field::InReplyTo => envelope.in_reply_to = keep(records),
            Field::MessageId => envelope.message_id = keep(records),
            Field::References => envelope.references = keep(records),
            Field::From => envelope.from = list(records),
            Field::Sender => envelope.sender = list(records),
            Field::ReplyTo => envelope.reply_to = list(records),
            Field::To => join(&mut self.destinations[0], text),
            Field::Cc => join(&mut self.destinations[1], text),
            Field::Bcc => join(&mut self.destinations[2], text),
        }
    }

    /// The header is over.
    pub(super) fn end(mut self, part: &mut PartRecord, records: &mut Records) -> Header {
        self.end_field(part, records);
        if self.is_message {
            let [to, cc, bcc] =
                self.destinations.map(|list| address::keep(&list, ADDRESSES_MAX, TEXT_BYTES_MAX, records));
            records.envelopes.push(EnvelopeRecord { to, cc, bcc, ..self.envelope });
            // At most as many as there are parts.
            part.envelope = records.envelopes.len() as u32;
        }
        self.content_type.map_or(Header::default(), |content| Header::of(content, part, records))
    }
}

impl Field {
    /// Addresses of those who get the message: of several such fields, all count (RFC 5322 §4.5.3).
    const fn is_destination(self) -> bool {
        matches!(self, Self::To | Self::Cc | Self::Bcc)
    }
}

/// Adds a list of addresses, with a comma between (RFC 5322 §4.5.3).
fn join(list: &mut Vec<u8>, more: &[u8]) {
    let room = ADDRESSES_VALUE_BYTES_MAX.saturating_sub(list.len());
    if !list.is_empty() && !more.is_empty() && room > 0 {
        list.push(b',');
    }
    list.extend_from_slice(&more[..more.len().min(room.saturating_sub(1))]);
}

/// What the header says of the body.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) enum Header {
    /// Nothing: text, or in a digest a message.
    #[default]
    Untyped,
    /// Parts between such lines.
    Multipart {
        boundary: Vec<u8>,
    },
    /// A message.
    Message,
    /// Text whose first words may be shown.
    Text(TextKind),
    Other,
}

/// Text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TextKind {
    Plain,
    Html,
}

impl Header {
    /// What cannot be read as a type is as good as none (RFC 2045 §5.2); so is a multipart without a boundary, whose text
    /// would be seen by nobody otherwise, and a type of RFC 1049, which has no subtype.
    fn of(content: Parameterized, part: &mut PartRecord, records: &mut Records) -> Self {
        let Parameterized { value, parameters } = content;
        let Some(slash) = memchr::memchr(b'/', &value) else { return Self::Untyped };
        let (media, subtype) = (&value[..slash], &value[slash + 1..]);
        let is_token = |octets: &[u8]| {
            !octets.is_empty() && octets.iter().all(|octet| *octet > b' ' && *octet != 0x7F && *octet != b'"')
        };
        if !is_token(media) || !is_token(subtype) {
            return Self::Untyped;
        }
        let is = |octets: &[u8], known: &str| octets.eq_ignore_ascii_case(known.as_bytes());
        let header = if is(media, "multipart") {
            let boundary = parameters.iter().find(|parameter| is(&parameter.name, "boundary"));
            let Some(boundary) = boundary.map(plain).filter(|boundary| !boundary.is_empty()) else {
                return Self::Untyped;
            };
            Self::Multipart { boundary }
        } else if is(media, "message") && (is(subtype, "rfc822") || is(subtype, "global")) {
            Self::Message
        } else if is(media, "text") && is(subtype, "plain") {
            Self::Text(TextKind::Plain)
        } else if is(media, "text") && is(subtype, "html") {
            Self::Text(TextKind::Html)
        } else {
            Self::Other
        };
        part.media = records.keep(media, TEXT_BYTES_MAX);
        part.subtype = records.keep(subtype, TEXT_BYTES_MAX);
        part.parameters = keep_parameters(parameters, records);
        header
    }
}

/// The value of a boundary; white space at its end is none of it (RFC 2046 §5.1.1).
fn plain(parameter: &parameter::Parameter) -> Vec<u8> {
    let mut value = match parameter.is_extended {
        true => parameter::extended(&parameter.value).1,
        false => parameter.value.clone(),
    };
    let len = value.iter().rposition(|octet| !address::is_space(*octet)).map_or(0, |at| at + 1);
    value.truncate(len);
    value
}

/// Tags of RFC 3282 with a comma between them.
fn languages(text: &[u8], records: &mut Records) -> Span {
    let mut joined = Vec::new();
    for tag in text.split(|octet| *octet == b',') {
        let tag = parameter::read(tag).value;
        if !tag.is_empty() {
            if !joined.is_empty() {
                joined.push(b',');
            }
            joined.extend(tag);
        }
    }
    if joined.is_empty() { Span::Absent } else { records.keep(&joined, TEXT_BYTES_MAX) }
}

fn keep_parameters(parameters: Vec<parameter::Parameter>, records: &mut Records) -> Run {
    let from = records.parameters.len();
    for parameter in parameters {
        let name = records.keep(&parameter.name, TEXT_BYTES_MAX);
        let value = records.keep(&parameter.value, TEXT_BYTES_MAX);
        records.parameters.push(ParameterRecord { name, is_extended: parameter.is_extended, value });
    }
    Run::new(from, records.parameters.len())
}

/// Octets in which the colon of a field that matters is found, with the white space that may stand before it.
const NAME_AND_COLON_MAX: usize = 1000;
