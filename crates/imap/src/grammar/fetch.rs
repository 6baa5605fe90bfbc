//! FETCH, and what it asks for.

use types::mailstore::ModSeq;

use super::Result;
use super::cursor::{Cursor, Words, set_of};
use crate::command::{
    BodyItem, Command, FetchItem, MimePart, Numbering, PartSection, Partial, Section, SectionText,
};
use crate::mime::PartPath;

/// Items of one FETCH: no client asks for more than a few, and each costs once for each message.
pub const FETCH_ITEMS_MAX: usize = 256;
/// Names of one HEADER.FIELDS: every field of a header is compared with each.
pub const HEADER_NAMES_MAX: usize = 256;

/// ```text
/// fetch           = "FETCH" SP sequence-set SP ("ALL" / "FULL" / "FAST" / fetch-att /
///                   "(" fetch-att *(SP fetch-att) ")") [fetch-modifiers]
/// fetch-modifiers = SP "(" fetch-modifier *(SP fetch-modifier) ")"
/// ```
pub(super) fn fetch(cursor: &mut Cursor<'_>, numbering: Numbering) -> Result<Command> {
    cursor.space(set_of(numbering))?;
    let set = cursor.set(numbering)?;
    cursor.space("what to fetch")?;
    let items = match cursor.try_words(MACROS) {
        Some(items) => items.to_vec(),
        None => fetch_items(cursor)?,
    };
    let (mut changed_since, mut vanished, mut partial) = (None, false, None);
    if cursor.peek() == Some(b' ') {
        cursor.space("modifiers")?;
        let start = cursor.at();
        cursor.list("modifiers in parentheses", |cursor| {
            match cursor.words(MODIFIERS, "CHANGEDSINCE, VANISHED or PARTIAL")? {
                Modifier::ChangedSince => {
                    cursor.space("a modification sequence")?;
                    changed_since = Some(ModSeq(cursor.nz_number64("a modification sequence")?));
                }
                Modifier::Vanished => vanished = true,
                Modifier::Partial => {
                    cursor.space("a range")?;
                    partial = Some(cursor.partial_range()?);
                }
            }
            Ok(())
        })?;
        // RFC 7162 §3.2.6
        if vanished && (changed_since.is_none() || numbering == Numbering::Sequence) {
            return cursor.expected_at("VANISHED only with CHANGEDSINCE and UID FETCH", start);
        }
        // RFC 9394 §3.3
        if partial.is_some() && numbering == Numbering::Sequence {
            return cursor.expected_at("PARTIAL only with UID FETCH", start);
        }
    }
    Ok(Command::Fetch { numbering, set, items, changed_since, vanished, partial })
}

/// RFC 9051 §6.4.5
const MACROS: &Words<&[FetchItem]> = &[
    ("ALL", &[FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size, FetchItem::Envelope]),
    ("FAST", &[FetchItem::Flags, FetchItem::InternalDate, FetchItem::Rfc822Size]),
    (
        "FULL",
        &[
            FetchItem::Flags,
            FetchItem::InternalDate,
            FetchItem::Rfc822Size,
            FetchItem::Envelope,
            FetchItem::Body,
        ],
    ),
];

#[derive(Clone, Copy)]
enum Modifier {
    ChangedSince,
    Vanished,
    Partial,
}

const MODIFIERS: &Words<Modifier> = &[
    ("CHANGEDSINCE", Modifier::ChangedSince),
    ("VANISHED", Modifier::Vanished),
    ("PARTIAL", Modifier::Partial),
];

/// One item or several in parentheses, once each.
pub(super) fn fetch_items(cursor: &mut Cursor<'_>) -> Result<Vec<FetchItem>> {
    let mut items = Vec::new();
    cursor.list_or_one("what to fetch", |cursor| {
        let item = fetch_item(cursor)?;
        if items.len() == FETCH_ITEMS_MAX {
            return cursor.expected("fewer items");
        }
        if !items.contains(&item) {
            items.push(item);
        }
        Ok(())
    })?;
    Ok(items)
}

fn fetch_item(cursor: &mut Cursor<'_>) -> Result<FetchItem> {
    cursor.words(ITEMS, "an item like FLAGS, ENVELOPE or BODY[]")?(cursor)
}

/// ```text
/// fetch-att = "ENVELOPE" / "FLAGS" / "INTERNALDATE" / "RFC822" [".HEADER" / ".SIZE" / ".TEXT"] /
///             "BODY" ["STRUCTURE"] / "UID" / "BODY" section [partial] / "BODY.PEEK" section [partial] /
///             "BINARY" [".PEEK"] section-binary [partial] / "BINARY.SIZE" section-binary
/// ```
const ITEMS: &Words<fn(&mut Cursor<'_>) -> Result<FetchItem>> = &[
    ("UID", |_| Ok(FetchItem::Uid)),
    ("FLAGS", |_| Ok(FetchItem::Flags)),
    ("ENVELOPE", |_| Ok(FetchItem::Envelope)),
    ("INTERNALDATE", |_| Ok(FetchItem::InternalDate)),
    ("RFC822.SIZE", |_| Ok(FetchItem::Rfc822Size)),
    ("BODY", body),
    ("BODY.PEEK", |cursor| body_section(cursor, true)),
    ("BODYSTRUCTURE", |_| Ok(FetchItem::BodyStructure)),
    ("MODSEQ", |_| Ok(FetchItem::ModSeq)),
    ("RFC822", |_| Ok(old_form(SectionText::All, false, MimePart::Rfc822))),
    ("RFC822.HEADER", |_| Ok(old_form(SectionText::Header, true, MimePart::Rfc822Header))),
    ("RFC822.TEXT", |_| Ok(old_form(SectionText::Text, false, MimePart::Rfc822Text))),
    ("BINARY", |cursor| binary(cursor, false)),
    ("BINARY.PEEK", |cursor| binary(cursor, true)),
    ("BINARY.SIZE", binary_size),
    ("EMAILID", |_| Ok(FetchItem::EmailId)),
    ("THREADID", |_| Ok(FetchItem::ThreadId)),
    ("SAVEDATE", |_| Ok(FetchItem::SaveDate)),
    ("PREVIEW", preview),
];

fn old_form(text: SectionText, peek: bool, shown_as: MimePart) -> FetchItem {
    FetchItem::Content(BodyItem { section: Section::Message(text), partial: None, peek, shown_as })
}

fn body(cursor: &mut Cursor<'_>) -> Result<FetchItem> {
    if cursor.peek() == Some(b'[') { body_section(cursor, false) } else { Ok(FetchItem::Body) }
}

fn body_section(cursor: &mut Cursor<'_>, peek: bool) -> Result<FetchItem> {
    cursor.octet(b'[', "a section in brackets")?;
    let section = section(cursor)?;
    cursor.octet(b']', "`]` behind the section")?;
    let partial = partial(cursor)?;
    Ok(FetchItem::Content(BodyItem { section, partial, peek, shown_as: MimePart::Body }))
}

/// RFC 3516 §6:
///
/// ```text
/// section-binary = "[" [section-part] "]"
/// ```
fn binary(cursor: &mut Cursor<'_>, peek: bool) -> Result<FetchItem> {
    let path = binary_path(cursor)?;
    let section = match path {
        Some(path) => Section::Part(path, PartSection::Content),
        None => Section::Message(SectionText::All),
    };
    let partial = partial(cursor)?;
    Ok(FetchItem::Content(BodyItem { section, partial, peek, shown_as: MimePart::Binary }))
}

fn binary_size(cursor: &mut Cursor<'_>) -> Result<FetchItem> {
    Ok(FetchItem::BinarySize(binary_path(cursor)?.unwrap_or(PartPath(Vec::new()))))
}

fn binary_path(cursor: &mut Cursor<'_>) -> Result<Option<PartPath>> {
    cursor.octet(b'[', "a part in brackets")?;
    if cursor.skip(b']') {
        return Ok(None);
    }
    let path = section_part(cursor)?;
    cursor.octet(b']', "`]` behind the part")?;
    Ok(Some(path))
}

/// RFC 8970 §6: `"PREVIEW" [SP "(" preview-mod *(SP preview-mod) ")"]`.
fn preview(cursor: &mut Cursor<'_>) -> Result<FetchItem> {
    // Behind PREVIEW without parentheses around all items, what comes are modifiers of FETCH.
    let start = cursor.at();
    if !cursor.parameters_follow() {
        return Ok(FetchItem::Preview { lazy: false });
    }
    if !cursor.word("LAZY") {
        cursor.back_to(start);
        return Ok(FetchItem::Preview { lazy: false });
    }
    cursor.octet(b')', "`)` behind LAZY")?;
    Ok(FetchItem::Preview { lazy: true })
}

/// ```text
/// partial = "<" number64 "." nz-number64 ">"
/// ```
fn partial(cursor: &mut Cursor<'_>) -> Result<Option<Partial>> {
    const EXPECTED: &str = "a range of octets like <0.1000>";
    if !cursor.skip(b'<') {
        return Ok(None);
    }
    let start = cursor.number64(EXPECTED)?;
    cursor.octet(b'.', EXPECTED)?;
    let count = cursor.nz_number64(EXPECTED)?;
    cursor.octet(b'>', EXPECTED)?;
    Ok(Some(Partial { start, count }))
}

/// ```text
/// section-spec = section-msgtext / (section-part ["." section-text])
/// section-text = section-msgtext / "MIME"
/// ```
pub(super) fn section(cursor: &mut Cursor<'_>) -> Result<Section> {
    match cursor.peek() {
        Some(b']') | None => return Ok(Section::Message(SectionText::All)),
        Some(b'0'..=b'9') => {}
        _ => return Ok(Section::Message(section_text(cursor)?)),
    }
    let path = section_part(cursor)?;
    let section = if !cursor.skip(b'.') {
        PartSection::Content
    } else if cursor.word("MIME") {
        PartSection::Mime
    } else {
        PartSection::Message(section_text(cursor)?)
    };
    Ok(Section::Part(path, section))
}

/// ```text
/// section-part = nz-number *("." nz-number)
/// ```
fn section_part(cursor: &mut Cursor<'_>) -> Result<PartPath> {
    const EXPECTED: &str = "the number of a part";
    let mut path = vec![cursor.nz_number(EXPECTED)?];
    while cursor.peek() == Some(b'.')
        && cursor.octet_at(cursor.at() + 1).is_some_and(|next| next.is_ascii_digit())
    {
        cursor.skip(b'.');
        path.push(cursor.nz_number(EXPECTED)?);
    }
    Ok(PartPath(path))
}

/// ```text
/// section-msgtext = "HEADER" / "HEADER.FIELDS" [".NOT"] SP header-list / "TEXT"
/// header-list     = "(" header-fld-name *(SP header-fld-name) ")"
/// ```
fn section_text(cursor: &mut Cursor<'_>) -> Result<SectionText> {
    cursor.words(TEXTS, "HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or the number of a part")?(cursor)
}

const TEXTS: &Words<fn(&mut Cursor<'_>) -> Result<SectionText>> = &[
    ("HEADER", |_| Ok(SectionText::Header)),
    ("HEADER.FIELDS", |cursor| header_list(cursor).map(SectionText::HeaderFields)),
    ("HEADER.FIELDS.NOT", |cursor| header_list(cursor).map(SectionText::HeaderFieldsNot)),
    ("TEXT", |_| Ok(SectionText::Text)),
];

fn header_list(cursor: &mut Cursor<'_>) -> Result<Vec<String>> {
    cursor.space("names of header fields")?;
    let mut left = HEADER_NAMES_MAX;
    cursor.list("names of header fields in parentheses", |cursor| {
        let name = cursor.text("the name of a header field")?;
        if left == 0 {
            return cursor.expected("fewer names");
        }
        left -= 1;
        Ok(name)
    })
}
