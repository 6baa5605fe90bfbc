//! What FETCH asks for.

use crate::mime::PartPath;

/// One item (RFC 9051 §6.4.5, RFC 3501 §6.4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchItem {
    /// ENVELOPE
    Envelope,
    /// FLAGS
    Flags,
    /// INTERNALDATE
    InternalDate,
    /// RFC822.SIZE
    Rfc822Size,
    /// UID
    Uid,
    /// BODY without a section
    Body,
    /// BODYSTRUCTURE
    BodyStructure,
    /// BODY[…], BODY.PEEK[…], RFC822, RFC822.HEADER, RFC822.TEXT, BINARY[…], BINARY.PEEK[…]
    Content(BodyItem),
    /// BINARY.SIZE[…] (RFC 3516)
    BinarySize(PartPath),
    /// MODSEQ (RFC 7162)
    ModSeq,
    /// EMAILID (RFC 8474)
    EmailId,
    /// THREADID (RFC 8474)
    ThreadId,
    /// SAVEDATE (RFC 8514)
    SaveDate,
    /// PREVIEW (RFC 8970), and whether LAZY was said
    Preview {
        /// LAZY
        lazy: bool,
    },
}

/// Octets of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BodyItem {
    /// Which.
    pub section: Section,
    /// `<0.1000>`; octets of what the section has.
    pub partial: Option<Partial>,
    /// Whether `\Seen` stays as it is: PEEK, RFC822.HEADER.
    pub peek: bool,
    /// The name of the data item in the answer.
    pub shown_as: MimePart,
}

/// How a [`BodyItem`] was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MimePart {
    /// `BODY[…]`
    Body,
    /// `BINARY[…]`: decoded
    Binary,
    /// `RFC822`
    Rfc822,
    /// `RFC822.HEADER`
    Rfc822Header,
    /// `RFC822.TEXT`
    Rfc822Text,
}

/// `<start.count>`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    /// The first octet, from 0.
    pub start: u64,
    /// How many at most; never zero.
    pub count: u64,
}

/// What stands in the brackets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Section {
    /// Of the message itself: `[]`, `[HEADER]`, `[TEXT]`, …
    Message(SectionText),
    /// Of a part: `[1.2]`, `[1.2.MIME]`, `[1.2.HEADER]`, …
    Part(PartPath, PartSection),
}

/// Of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SectionText {
    /// All of it.
    All,
    /// HEADER
    Header,
    /// HEADER.FIELDS, names as written
    HeaderFields(Vec<String>),
    /// HEADER.FIELDS.NOT
    HeaderFieldsNot(Vec<String>),
    /// TEXT
    Text,
}

/// Of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartSection {
    /// Its content.
    Content,
    /// MIME: its own header.
    Mime,
    /// Of the message in it, where it is a message/rfc822 or message/global: never [`SectionText::All`].
    Message(SectionText),
}
