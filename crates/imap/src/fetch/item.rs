//! Data items that are known without reading the message, and the names of those that are not (RFC 9051 §7.5.2).

use crate::command::{BodyItem, FetchItem, MimePart, PartSection, Section, SectionText};
use crate::mime::{BodyForm, Described, Detail, ListText, PartPath, StringForm};
use crate::response;
use crate::view::{Message, Snapshot};

/// Before the number of an EMAILID (RFC 8474 §5.1).
pub(crate) const EMAIL_ID_LETTER: u8 = b'E';

/// Writes an item that is none of content.
pub(super) fn write(
    item: &FetchItem,
    snapshot: &Snapshot,
    message: &Message,
    described: Option<&Described>,
    form: StringForm,
    out: &mut Vec<u8>,
) {
    match (item, described) {
        (FetchItem::Uid, _) => {
            out.extend_from_slice(b"UID ");
            response::number(u64::from(message.uid.0), out);
        }
        (FetchItem::Flags, _) => {
            out.extend_from_slice(b"FLAGS ");
            response::flag_list(message.flags, &snapshot.keywords, out);
        }
        (FetchItem::InternalDate, _) => {
            out.extend_from_slice(b"INTERNALDATE ");
            response::internal_date(message.internal_date, out);
        }
        (FetchItem::SaveDate, _) => {
            out.extend_from_slice(b"SAVEDATE ");
            response::internal_date(message.saved_at, out);
        }
        (FetchItem::Rfc822Size, _) => {
            out.extend_from_slice(b"RFC822.SIZE ");
            response::number(message.size_bytes, out);
        }
        (FetchItem::ModSeq, _) => {
            out.extend_from_slice(b"MODSEQ (");
            response::number(message.modseq.0, out);
            out.push(b')');
        }
        (FetchItem::EmailId, _) => {
            out.extend_from_slice(b"EMAILID (");
            response::object_id(EMAIL_ID_LETTER, u128::from_be_bytes(message.mail_id.to_bytes()), out);
            out.push(b')');
        }
        (FetchItem::ThreadId, _) => out.extend_from_slice(b"THREADID NIL"),
        (FetchItem::Envelope, Some(described)) => {
            out.extend_from_slice(b"ENVELOPE ");
            described.write_envelope(form, out);
        }
        (FetchItem::Body, Some(described)) => {
            // What needs all of the structure was asked for with all of it.
            if let Some(structure) = described.whole() {
                out.extend_from_slice(b"BODY ");
                structure.write_body_structure(BodyForm::Body, form, out);
            }
        }
        (FetchItem::BodyStructure, Some(described)) => {
            out.extend_from_slice(b"BODYSTRUCTURE ");
            described.write_body_structure(form, out);
        }
        (FetchItem::Preview { .. }, Some(described)) => {
            out.extend_from_slice(b"PREVIEW ");
            form.string(described.preview(), out);
        }
        // LAZY, and the message would have to be read for it (RFC 8970 §4.1).
        (FetchItem::Preview { .. }, None) => out.extend_from_slice(b"PREVIEW NIL"),
        // Asked for with a structure only; content is written elsewhere.
        (FetchItem::Envelope | FetchItem::Body | FetchItem::BodyStructure, None)
        | (FetchItem::Content(_) | FetchItem::BinarySize(_), _) => {}
    }
}

fn lists(text: ListText) -> Detail {
    Detail::Lists(text.into())
}

/// What an item needs to know of a message's structure; none where it needs nothing.
pub(super) fn detail(item: &FetchItem) -> Option<Detail> {
    match item {
        FetchItem::Content(body) => match &body.section {
            Section::Message(SectionText::All) => None,
            Section::Message(SectionText::HeaderFields(_)) => Some(lists(ListText::Fields)),
            // Of any row it is known where the header ends; these are the shortest.
            Section::Message(_) => Some(lists(ListText::BodyStructure)),
            Section::Part(..) => Some(Detail::Whole),
        },
        FetchItem::Preview { lazy: true } => Some(Detail::AtHand),
        FetchItem::Envelope | FetchItem::Preview { lazy: false } => Some(lists(ListText::Envelope)),
        FetchItem::BodyStructure => Some(lists(ListText::BodyStructure)),
        FetchItem::Body | FetchItem::BinarySize(_) => Some(Detail::Whole),
        _ => None,
    }
}

/// `BINARY.SIZE[1.2] 17`
pub(super) fn write_binary_size(path: &PartPath, size_bytes: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(b"BINARY.SIZE[");
    write_path(path, out);
    out.extend_from_slice(b"] ");
    response::number(size_bytes, out);
}

/// `BODY[1.2.HEADER]<0> `, with the space behind it.
pub(super) fn write_name(body: &BodyItem, out: &mut Vec<u8>) {
    match body.shown_as {
        MimePart::Rfc822 => return out.extend_from_slice(b"RFC822 "),
        MimePart::Rfc822Header => return out.extend_from_slice(b"RFC822.HEADER "),
        MimePart::Rfc822Text => return out.extend_from_slice(b"RFC822.TEXT "),
        MimePart::Body => out.extend_from_slice(b"BODY["),
        MimePart::Binary => out.extend_from_slice(b"BINARY["),
    }
    match &body.section {
        Section::Message(text) => write_text(text, out),
        Section::Part(path, within) => {
            write_path(path, out);
            match within {
                PartSection::Content => {}
                PartSection::Mime => out.extend_from_slice(b".MIME"),
                PartSection::Message(text) => {
                    out.push(b'.');
                    write_text(text, out);
                }
            }
        }
    }
    out.push(b']');
    if let Some(partial) = body.partial {
        out.push(b'<');
        response::number(partial.start, out);
        out.push(b'>');
    }
    out.push(b' ');
}

fn write_text(text: &SectionText, out: &mut Vec<u8>) {
    let (name, fields): (&[u8], _) = match text {
        SectionText::All => (b"", None),
        SectionText::Header => (b"HEADER", None),
        SectionText::Text => (b"TEXT", None),
        SectionText::HeaderFields(fields) => (b"HEADER.FIELDS", Some(fields)),
        SectionText::HeaderFieldsNot(fields) => (b"HEADER.FIELDS.NOT", Some(fields)),
    };
    out.extend_from_slice(name);
    let Some(fields) = fields else { return };
    for (at, field) in fields.iter().enumerate() {
        out.extend_from_slice(if at == 0 { b" (" } else { b" " });
        response::astring(field.as_bytes(), out);
    }
    out.push(b')');
}

fn write_path(path: &PartPath, out: &mut Vec<u8>) {
    for (at, number) in path.0.iter().enumerate() {
        if at > 0 {
            out.push(b'.');
        }
        response::number(u64::from(*number), out);
    }
}
