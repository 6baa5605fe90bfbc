//! What becomes of a message for a host that does not take its octets: 8-bit or binary parts are encoded.
//!
//! Standards: RFC 6152 §3 (without 8BITMIME no octet above 127 may be sent, and a conversion loses nothing), RFC 3030 §3
//! (BINARYMIME), RFC 2045 §6 (encodings), RFC 2046 §5.1 (multiparts), RFC 1847 §2.1 (what is signed or encrypted is not
//! touched), RFC 2046 §5.2.2 (`message/partial`), RFC 6532 §3.7 (`message/global` may be encoded).
//!
//! A message is read twice, in pieces, with a memory that does not grow with it: the [`Survey`] finds the parts and what
//! is in them, and the [`Converter`] writes the message anew by the [`Plan`] that comes of it. Each part that is encoded
//! keeps its octets exactly; of its header section only `Content-Transfer-Encoding` changes. All else stays as it is.
//!
//! What cannot be encoded without loss is [`NotConvertible`], with its reason: 8-bit octets in header sections, between
//! parts, in what is signed, and in what two readers may read in two ways. It is no matter where there are none.

mod content;
mod encode;
mod walk;

use types::EnhancedStatus;

use content::{Content, Encoding, Header, Medium, Origin};
use encode::{Base64, QuotedPrintable};
use walk::{Chunk, Place, Visitor, Walker};

/// What the next host takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Lines of octets up to 127.
    SevenBit,
    /// Lines of octets: 8BITMIME.
    EightBit,
}

/// Why a message cannot be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotConvertible {
    /// Encoding a field is for who wrote it.
    #[error("a header section has 8-bit text")]
    Header,
    /// No part contains it, so no part can encode it.
    #[error("there is 8-bit text before, between or after the parts of the message")]
    BetweenParts,
    /// RFC 1847 §2.1: it is opaque, and a signature would not fit any more.
    #[error("a signed or encrypted part has 8-bit text")]
    Sealed,
    /// RFC 2046 §5.2: such a part has no encoding.
    #[error("a part has 8-bit text, and its media type may not be encoded")]
    MediaType,
    /// It would be decoded to something else.
    #[error("a part that says it is encoded already has 8-bit text")]
    AlreadyEncoded,
    /// A header section that two readers read in two ways.
    #[error("a part has 8-bit text, and its header section is malformed")]
    Malformed,
    /// Deeper or more parts than [`DEPTH_MAX`] and [`PARTS_MAX`].
    #[error("the message has 8-bit text in too many or too deeply nested parts")]
    TooManyParts,
}

/// The first reading. Push the message, then [`Self::finish`].
#[derive(Debug)]
pub struct Survey {
    walker: Walker,
    findings: Findings,
}

/// What becomes of each part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// By the order of header sections.
    entities: Vec<Becomes>,
    is_needed: bool,
    is_changed: bool,
}

/// The second reading. Push the same message; what comes out goes to the host.
#[derive(Debug)]
pub struct Converter {
    walker: Walker,
    writer: Writer,
}

/// Multiparts in one another.
pub const DEPTH_MAX: usize = 100;
/// Header sections of one message: its own, and those of its parts.
pub const PARTS_MAX: usize = 10_000;

/// Octets of a line without its end (RFC 5321 §4.5.3.1.6).
const LINE_BYTES_MAX: usize = 998;

/// Both readings of a message that is in memory.
///
/// # Errors
/// [`NotConvertible`].
pub fn convert(message: &[u8], takes: Takes) -> Result<Vec<u8>, NotConvertible> {
    let mut survey = Survey::new();
    survey.push(message);
    let mut converter = Converter::new(survey.finish(takes)?);
    let mut out = Vec::with_capacity(message.len() + message.len() / 3);
    converter.push(message, &mut out);
    converter.finish(&mut out);
    Ok(out)
}

impl Survey {
    /// Of nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { walker: Walker::new(), findings: Findings::default() }
    }

    /// Reads on.
    pub fn push(&mut self, piece: &[u8]) {
        self.walker.push(piece, &mut self.findings);
    }

    /// What the message must become.
    ///
    /// # Errors
    /// [`NotConvertible`], only where the message has octets that the host does not take.
    pub fn finish(mut self, takes: Takes) -> Result<Plan, NotConvertible> {
        self.walker.finish(&mut self.findings);
        self.findings.plan(takes)
    }
}

impl Default for Survey {
    fn default() -> Self {
        Self::new()
    }
}

impl Plan {
    /// Whether the message has octets that the host does not take. Where it has none it is best sent as it is, so that
    /// signatures over it stay good, even where a part says that it is 8-bit.
    #[must_use]
    pub const fn is_needed(&self) -> bool {
        self.is_needed
    }
}

impl Converter {
    /// By a plan of the same message.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { walker: Walker::new(), writer: Writer { plan, encoder: Encoder::None, out: Vec::new() } }
    }

    /// Reads on, and adds to `out` what the host is to be sent.
    pub fn push(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        std::mem::swap(&mut self.writer.out, out);
        self.walker.push(piece, &mut self.writer);
        std::mem::swap(&mut self.writer.out, out);
    }

    /// The message is at its end.
    pub fn finish(mut self, out: &mut Vec<u8>) {
        std::mem::swap(&mut self.writer.out, out);
        self.walker.finish(&mut self.writer);
        std::mem::swap(&mut self.writer.out, out);
    }
}

impl NotConvertible {
    /// For reports: RFC 3463 §3.7, X.6.3 conversion required but not supported; RFC 6531 §4.3, X.6.9 a header section
    /// that cannot be transferred.
    #[must_use]
    pub const fn status(self) -> EnhancedStatus {
        match self {
            Self::Header => EnhancedStatus::permanent(6, 9),
            _ => EnhancedStatus::permanent(6, 3),
        }
    }
}

/// What becomes of an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Becomes {
    Same,
    /// Its label alone changes.
    Labelled(Encoding),
    Encoded {
        by: Encoding,
        type_field: TypeField,
    },
}

/// Whether an encoded part says of what type it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TypeField {
    Stays,
    /// RFC 1428 §3: text without a type is `us-ascii`, which this is not.
    Added,
}

/// What the first reading found.
#[derive(Debug, Default)]
struct Findings {
    entities: Vec<Entity>,
    elsewhere_8bit: Option<NotConvertible>,
    elsewhere_binary: Option<NotConvertible>,
}

#[derive(Debug)]
struct Entity {
    role: Role,
    encoding: Encoding,
    has_type: bool,
    octets: Octets,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Leaf(Medium),
    Composite,
    Untouchable,
}

/// What there is in a part.
#[derive(Debug, Default)]
struct Octets {
    count: u64,
    to_be_quoted: u64,
    has_8bit: bool,
    /// NUL, CR without LF, LF without CR.
    is_binary: bool,
    line_bytes: usize,
    has_long_line: bool,
}

impl Visitor for Findings {
    fn header(&mut self, entity: usize, octets: &[u8], header: &Header) {
        debug_assert_eq!(entity, self.entities.len());
        self.elsewhere(octets, NotConvertible::Header);
        let role = match header.content {
            Content::Leaf(medium) => Role::Leaf(medium),
            Content::Opaque(NotConvertible::Malformed) => Role::Untouchable,
            _ => Role::Composite,
        };
        let has_type = header.has_type;
        self.entities.push(Entity { role, encoding: header.encoding, has_type, octets: Octets::default() });
    }

    fn body(&mut self, place: Place, chunk: Chunk<'_>) {
        match place {
            Place::Leaf(entity) => {
                if let Some(entity) = self.entities.get_mut(entity) {
                    entity.octets.add(chunk);
                }
            }
            Place::Between => self.elsewhere(chunk.octets, NotConvertible::BetweenParts),
            Place::Opaque(why) => self.elsewhere(chunk.octets, why),
        }
    }

    fn delimiter(&mut self, line: &[u8]) {
        self.elsewhere(line, NotConvertible::BetweenParts);
    }

    fn end(&mut self) {}
}

impl Findings {
    /// Octets that nothing can encode.
    fn elsewhere(&mut self, octets: &[u8], why: NotConvertible) {
        if !octets.is_ascii() {
            self.elsewhere_8bit.get_or_insert(why);
        }
        if has_binary(octets) {
            self.elsewhere_binary.get_or_insert(why);
        }
    }

    fn plan(self, takes: Takes) -> Result<Plan, NotConvertible> {
        let elsewhere_8bit = self.elsewhere_8bit.filter(|_| takes == Takes::SevenBit);
        if let Some(why) = elsewhere_8bit.or(self.elsewhere_binary) {
            return Err(why);
        }
        let is_needed = self.entities.iter().any(|entity| entity.is_unfit(takes));
        let becomes = self.entities.iter().map(|entity| entity.becomes(takes));
        let entities = becomes.collect::<Result<Vec<_>, _>>()?;
        let is_changed = entities.iter().any(|becomes| *becomes != Becomes::Same);
        Ok(Plan { entities, is_needed, is_changed })
    }
}

impl Entity {
    /// Whether the host does not take its octets.
    fn is_unfit(&self, takes: Takes) -> bool {
        // Long lines that came in lines go out in lines; only what was binary is bound to them.
        let is_long = self.octets.has_long_line && self.encoding == Encoding::Binary;
        self.octets.is_unfit(takes) || is_long
    }

    fn becomes(&self, takes: Takes) -> Result<Becomes, NotConvertible> {
        let Role::Leaf(medium) = self.role else { return Ok(self.label(takes)) };
        let is_unfit = self.octets.is_unfit(takes);
        if self.encoding == Encoding::Other {
            return if is_unfit { Err(NotConvertible::AlreadyEncoded) } else { Ok(Becomes::Same) };
        }
        let is_by_label = takes == Takes::SevenBit && self.label(takes) != Becomes::Same;
        if !is_unfit && !self.octets.has_long_line && !is_by_label {
            return Ok(self.label(takes));
        }
        let is_text = medium == Medium::Text && self.octets.is_shorter_quoted();
        let by = if is_text { Encoding::QuotedPrintable } else { Encoding::Base64 };
        let type_field =
            if self.octets.has_8bit && !self.has_type { TypeField::Added } else { TypeField::Stays };
        Ok(Becomes::Encoded { by, type_field })
    }

    /// What its label becomes where its octets stay.
    fn label(&self, takes: Takes) -> Becomes {
        match (takes, self.encoding) {
            _ if self.role == Role::Untouchable => Becomes::Same,
            (Takes::SevenBit, Encoding::EightBit | Encoding::Binary) => Becomes::Labelled(Encoding::SevenBit),
            (Takes::EightBit, Encoding::Binary) => Becomes::Labelled(Encoding::EightBit),
            _ => Becomes::Same,
        }
    }
}

impl Octets {
    fn add(&mut self, chunk: Chunk<'_>) {
        let line = chunk.without_end();
        self.count += chunk.octets.len() as u64;
        self.to_be_quoted += line.iter().filter(|octet| !encode::is_literal(**octet)).count() as u64;
        self.has_8bit |= !line.is_ascii();
        self.is_binary |= has_binary(chunk.octets);
        self.line_bytes = if chunk.starts_line { line.len() } else { self.line_bytes + line.len() };
        self.has_long_line |= self.line_bytes > LINE_BYTES_MAX;
    }

    const fn is_unfit(&self, takes: Takes) -> bool {
        self.is_binary || (self.has_8bit && matches!(takes, Takes::SevenBit))
    }

    /// Three octets for each that is quoted, against four for three of all.
    const fn is_shorter_quoted(&self) -> bool {
        6 * self.to_be_quoted <= self.count
    }
}

/// NUL, CR without LF, LF without CR (RFC 2045 §2.9).
fn has_binary(octets: &[u8]) -> bool {
    let is_bare = |at: usize| match octets[at] {
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        b'\n' => at == 0 || octets[at - 1] != b'\r',
        _ => true,
    };
    memchr::memchr3_iter(0, b'\r', b'\n', octets).any(is_bare)
}

/// Writes the message anew.
#[derive(Debug)]
struct Writer {
    plan: Plan,
    encoder: Encoder,
    out: Vec<u8>,
}

/// Of the part that is being written.
#[derive(Debug)]
enum Encoder {
    None,
    QuotedPrintable(QuotedPrintable),
    Base64(Base64),
}

impl Visitor for Writer {
    fn header(&mut self, entity: usize, octets: &[u8], header: &Header) {
        let becomes = self.plan.entities.get(entity).copied().unwrap_or(Becomes::Same);
        let mut added = String::new();
        let is_marked = becomes != Becomes::Same || (entity == 0 && self.plan.is_changed);
        if header.origin == Origin::Message && !header.has_mime_version && is_marked {
            added.push_str("MIME-Version: 1.0\r\n");
        }
        let encoding = match becomes {
            Becomes::Same => None,
            Becomes::Labelled(encoding) => Some(encoding),
            Becomes::Encoded { by, type_field } => {
                if type_field == TypeField::Added {
                    added.push_str("Content-Type: text/plain; charset=unknown-8bit\r\n");
                }
                self.encoder = match by {
                    Encoding::Base64 => Encoder::Base64(Base64::default()),
                    _ => Encoder::QuotedPrintable(QuotedPrintable::default()),
                };
                Some(by)
            }
        };
        let label = encoding.map(|encoding| format!("Content-Transfer-Encoding: {}\r\n", encoding.name()));
        let (replaced, label) = match (&header.encoding_field, label) {
            (Some(field), Some(label)) => (field.clone(), label),
            (None, Some(label)) => {
                added.push_str(&label);
                (header.fields_end..header.fields_end, String::new())
            }
            (_, None) => (header.fields_end..header.fields_end, String::new()),
        };
        self.out.extend_from_slice(&octets[..replaced.start]);
        self.out.extend_from_slice(label.as_bytes());
        self.out.extend_from_slice(&octets[replaced.end..header.fields_end]);
        self.out.extend_from_slice(added.as_bytes());
        self.out.extend_from_slice(&octets[header.fields_end..]);
    }

    fn body(&mut self, place: Place, chunk: Chunk<'_>) {
        match (&mut self.encoder, place) {
            (Encoder::QuotedPrintable(encoder), Place::Leaf(_)) => encoder.push(chunk, &mut self.out),
            (Encoder::Base64(encoder), Place::Leaf(_)) => encoder.push(chunk, &mut self.out),
            _ => self.out.extend_from_slice(chunk.octets),
        }
    }

    fn delimiter(&mut self, line: &[u8]) {
        match std::mem::replace(&mut self.encoder, Encoder::None) {
            Encoder::None => {}
            Encoder::QuotedPrintable(encoder) => encoder.finish_before_delimiter(&mut self.out),
            Encoder::Base64(encoder) => encoder.finish_before_delimiter(&mut self.out),
        }
        self.out.extend_from_slice(line);
    }

    fn end(&mut self) {
        match std::mem::replace(&mut self.encoder, Encoder::None) {
            Encoder::None => {}
            Encoder::QuotedPrintable(encoder) => encoder.finish(&mut self.out),
            Encoder::Base64(encoder) => encoder.finish(&mut self.out),
        }
    }
}
