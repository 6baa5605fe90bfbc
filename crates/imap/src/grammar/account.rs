//! ID, annotations, quota and rights.

use super::Result;
use super::cursor::{Cursor, Words};
use crate::command::{Command, MailboxName, MetadataDepth};

/// RFC 2971 §3.3: pairs of an ID.
pub const ID_FIELDS_MAX: usize = 30;
/// RFC 2971 §3.3: octets of a name in an ID.
pub const ID_NAME_BYTES_MAX: usize = 30;
/// RFC 2971 §3.3: octets of a value in an ID.
pub const ID_VALUE_BYTES_MAX: usize = 1024;

/// ```text
/// id             = "ID" SP id-params-list
/// id-params-list = "(" *(string SP nstring) ")" / nil
/// ```
/// A space stands between pairs too, as the examples of RFC 2971 §3.1 have it.
pub(super) fn id(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("fields in parentheses, or NIL")?;
    if cursor.word("NIL") {
        return Ok(Command::Id(None));
    }
    let mut fields = Vec::new();
    cursor.list_or_none("fields in parentheses, or NIL", |cursor| {
        if fields.len() == ID_FIELDS_MAX {
            return cursor.expected("at most 30 fields");
        }
        let name = id_text(cursor, ID_NAME_BYTES_MAX)?.unwrap_or_default();
        cursor.space("the value of a field")?;
        fields.push((name, id_text(cursor, ID_VALUE_BYTES_MAX)?));
        Ok(())
    })?;
    Ok(Command::Id(Some(fields)))
}

fn id_text(cursor: &mut Cursor<'_>, bytes_max: usize) -> Result<Option<String>> {
    let start = cursor.at();
    let text = cursor.nstring("a string")?;
    if text.as_ref().is_some_and(|text| text.len() > bytes_max) {
        return cursor.expected_at("a shorter string", start);
    }
    Ok(text.map(|text| String::from_utf8_lossy(&text).into_owned()))
}

/// ```text
/// getmetadata = "GETMETADATA" [SP getmetadata-options] SP mailbox SP entries
/// entries     = entry / "(" entry *(SP entry) ")"
/// ```
/// The examples of RFC 5464 §4.2 have the options behind the mailbox; both are read.
pub(super) fn get_metadata(cursor: &mut Cursor<'_>) -> Result<Command> {
    let mut options = (None, MetadataDepth::Zero);
    cursor.space("the name of a mailbox")?;
    if cursor.peek() == Some(b'(') {
        metadata_options(cursor, &mut options)?;
        cursor.space("the name of a mailbox")?;
    }
    let mailbox = metadata_mailbox(cursor)?;
    cursor.space("names of annotations")?;
    // The name of an annotation begins with `/`.
    let option = cursor.octet_at(cursor.at() + 1).filter(u8::is_ascii_alphabetic);
    if cursor.peek() == Some(b'(') && option.is_some() {
        metadata_options(cursor, &mut options)?;
        cursor.space("names of annotations")?;
    }
    let entries = cursor.list_or_one("names of annotations", entry)?;
    Ok(Command::GetMetadata { mailbox, size_max: options.0, depth: options.1, entries })
}

fn metadata_options(cursor: &mut Cursor<'_>, options: &mut (Option<u64>, MetadataDepth)) -> Result<()> {
    cursor.list("options in parentheses", |cursor| {
        match cursor.words(METADATA_OPTIONS, "MAXSIZE or DEPTH")? {
            MetadataOption::SizeMax => {
                cursor.space("a number of octets")?;
                options.0 = Some(cursor.number64("a number of octets")?);
            }
            MetadataOption::Depth => {
                cursor.space("0, 1 or infinity")?;
                options.1 = cursor.words(DEPTHS, "0, 1 or infinity")?;
            }
        }
        Ok(())
    })?;
    Ok(())
}

#[derive(Clone, Copy)]
enum MetadataOption {
    SizeMax,
    Depth,
}

const METADATA_OPTIONS: &Words<MetadataOption> =
    &[("MAXSIZE", MetadataOption::SizeMax), ("DEPTH", MetadataOption::Depth)];

const DEPTHS: &Words<MetadataDepth> =
    &[("0", MetadataDepth::Zero), ("1", MetadataDepth::One), ("infinity", MetadataDepth::Infinity)];

/// The empty name is the server's.
fn metadata_mailbox(cursor: &mut Cursor<'_>) -> Result<Option<MailboxName>> {
    cursor.mailbox().map(|name| (!name.0.is_empty()).then_some(name))
}

/// RFC 5464 §3.2: begins with `/`, has no empty component, neither `*` nor `%`, and printable ASCII only.
pub(super) fn entry(cursor: &mut Cursor<'_>) -> Result<String> {
    const EXPECTED: &str = "the name of an annotation like /private/comment";
    let start = cursor.at();
    let entry = cursor.text(EXPECTED)?.to_ascii_lowercase();
    let is_plain = |octet: u8| matches!(octet, b' '..=b'~') && !matches!(octet, b'*' | b'%');
    let levels = entry.strip_prefix('/').map(|levels| levels.split('/').all(|level| !level.is_empty()));
    if levels == Some(true) && entry.bytes().all(is_plain) {
        return Ok(entry);
    }
    cursor.expected_at(EXPECTED, start)
}

/// ```text
/// setmetadata  = "SETMETADATA" SP mailbox SP "(" entry-value *(SP entry-value) ")"
/// entry-value  = entry SP (nstring / literal8)
/// ```
pub(super) fn set_metadata(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("the name of a mailbox")?;
    let mailbox = metadata_mailbox(cursor)?;
    cursor.space("annotations")?;
    let entries = cursor.list("annotations in parentheses", |cursor| {
        let entry = entry(cursor)?;
        cursor.space("the value of an annotation")?;
        let value = match cursor.peek() {
            Some(b'~') => Some(cursor.literal8()?.to_vec()),
            _ => cursor.nstring("the value of an annotation")?.map(std::borrow::Cow::into_owned),
        };
        Ok((entry, value))
    })?;
    Ok(Command::SetMetadata { mailbox, entries })
}

/// ```text
/// getquota = "GETQUOTA" SP quota-root-name
/// ```
pub(super) fn get_quota(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("the name of a quota root")?;
    cursor.text("the name of a quota root").map(Command::GetQuota)
}

/// ```text
/// setquota      = "SETQUOTA" SP quota-root-name SP setquota-list
/// setquota-list = "(" [resource-name SP resource-limit *(SP …)] ")"
/// ```
pub(super) fn set_quota(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("the name of a quota root")?;
    let root = cursor.text("the name of a quota root")?;
    cursor.space("limits")?;
    let limits = cursor.list_or_none("limits in parentheses", |cursor| {
        let resource = cursor.atom("a resource like STORAGE")?.to_ascii_uppercase();
        cursor.space("the limit of a resource")?;
        Ok((resource, cursor.number64("the limit of a resource")?))
    })?;
    Ok(Command::SetQuota { root, limits })
}

/// RFC 4314 §3.5.
pub(super) fn list_rights(cursor: &mut Cursor<'_>) -> Result<Command> {
    let (mailbox, identifier) = mailbox_and_identifier(cursor)?;
    Ok(Command::ListRights { mailbox, identifier })
}

/// RFC 4314 §3.1.
pub(super) fn set_acl(cursor: &mut Cursor<'_>) -> Result<Command> {
    let (mailbox, identifier) = mailbox_and_identifier(cursor)?;
    cursor.space("rights")?;
    let rights = cursor.text("rights")?;
    Ok(Command::SetAcl { mailbox, identifier, rights: Some(rights) })
}

/// RFC 4314 §3.2.
pub(super) fn delete_acl(cursor: &mut Cursor<'_>) -> Result<Command> {
    let (mailbox, identifier) = mailbox_and_identifier(cursor)?;
    Ok(Command::SetAcl { mailbox, identifier, rights: None })
}

fn mailbox_and_identifier(cursor: &mut Cursor<'_>) -> Result<(MailboxName, String)> {
    cursor.space("the name of a mailbox")?;
    let mailbox = cursor.mailbox()?;
    cursor.space("an identifier")?;
    Ok((mailbox, cursor.text("an identifier")?))
}
