//! SELECT, EXAMINE and CREATE.

use types::mailstore::{ModSeq, SpecialUse, UidValidity};

use super::Result;
use super::cursor::{Cursor, Words};
use crate::command::{Access, Command, MailboxName, Qresync};
use crate::name::SEPARATOR;

pub(super) fn select(cursor: &mut Cursor<'_>) -> Result<Command> {
    open(cursor, Access::ReadWrite)
}

pub(super) fn examine(cursor: &mut Cursor<'_>) -> Result<Command> {
    open(cursor, Access::ReadOnly)
}

/// ```text
/// select        = "SELECT" SP mailbox [select-params]
/// select-params = SP "(" select-param *(SP select-param) ")"
/// select-param  =/ condstore-param / "QRESYNC" SP "(" uidvalidity SP mod-sequence-value … ")"
/// ```
fn open(cursor: &mut Cursor<'_>, access: Access) -> Result<Command> {
    cursor.space("the name of a mailbox")?;
    let (mailbox, said) = cursor.mailbox_as_said()?;
    let (mut condstore, mut qresync) = (false, None);
    if cursor.peek() == Some(b' ') {
        cursor.space("parameters")?;
        cursor.list("parameters in parentheses", |cursor| {
            if cursor.words(PARAMETERS, "CONDSTORE or QRESYNC")? == Parameter::Condstore {
                condstore = true;
            } else {
                qresync = Some(known(cursor)?);
            }
            Ok(())
        })?;
    }
    Ok(Command::Select { mailbox, said, access, condstore, qresync })
}

#[derive(Clone, Copy, PartialEq)]
enum Parameter {
    Condstore,
    Qresync,
}

const PARAMETERS: &Words<Parameter> = &[("CONDSTORE", Parameter::Condstore), ("QRESYNC", Parameter::Qresync)];

/// RFC 7162 §7:
///
/// ```text
/// "QRESYNC" SP "(" uidvalidity SP mod-sequence-value [SP known-uids] [SP seq-match-data] ")"
/// seq-match-data = "(" known-sequence-set SP known-uid-set ")"
/// ```
fn known(cursor: &mut Cursor<'_>) -> Result<Qresync> {
    const SET: &str = "a set of UIDs without *";
    const NUMBERS: &str = "a set of sequence numbers without *";
    cursor.space("parameters of QRESYNC")?;
    cursor.octet(b'(', "parameters of QRESYNC in parentheses")?;
    let uid_validity = UidValidity(cursor.nz_number("UIDVALIDITY")?);
    cursor.space("a modification sequence")?;
    let modseq = ModSeq(cursor.nz_number64("a modification sequence")?);
    let (mut known_uids, mut match_data) = (None, None);
    if cursor.skip(b' ') {
        if cursor.peek() != Some(b'(') {
            known_uids = Some(cursor.known_set(SET)?);
        }
        if known_uids.is_none() || cursor.skip(b' ') {
            cursor.octet(b'(', "sequence numbers and UIDs in parentheses")?;
            let numbers = cursor.known_set(NUMBERS)?;
            cursor.space(SET)?;
            match_data = Some((numbers, cursor.known_set(SET)?));
            cursor.octet(b')', "`)` behind the set of UIDs")?;
        }
    }
    cursor.octet(b')', "`)` behind the parameters of QRESYNC")?;
    Ok(Qresync { uid_validity, modseq, known_uids, match_data })
}

/// ```text
/// create       = "CREATE" SP mailbox [SP "(" create-param *(SP create-param) ")"]
/// create-param =/ "USE" SP "(" [use-attr *(SP use-attr)] ")"
/// ```
pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("the name of a mailbox")?;
    let (mailbox, said) = new_mailbox(cursor)?;
    let mut special_uses = Vec::new();
    if cursor.peek() == Some(b' ') {
        cursor.space("parameters")?;
        cursor.list("parameters in parentheses", |cursor| {
            if !cursor.word("USE") {
                return cursor.expected("USE");
            }
            cursor.space("special uses")?;
            special_uses.extend(cursor.list_or_none("special uses in parentheses", special_use)?);
            Ok(())
        })?;
    }
    Ok(Command::Create { mailbox, said, special_uses })
}

/// ```text
/// delete = "DELETE" SP mailbox
/// ```
pub(super) fn delete(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("the name of a mailbox")?;
    let (mailbox, said) = cursor.mailbox_as_said()?;
    Ok(Command::Delete { mailbox, said })
}

/// ```text
/// rename = "RENAME" SP mailbox SP mailbox
/// ```
pub(super) fn rename(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("the name of a mailbox")?;
    let (from, from_said) = cursor.mailbox_as_said()?;
    cursor.space("the new name of the mailbox")?;
    let (to, to_said) = new_mailbox(cursor)?;
    // INBOX stays: what its messages are in is a new mailbox, as by CREATE.
    let said = if from.0 == "INBOX" { to_said } else { from_said.or_else(|| to_said.map(|_| from.clone())) };
    Ok(Command::Rename { from, to, said })
}

/// A name that is given; a separator at its end says that there will be others below (RFC 9051 §6.3.4) and is no part of
/// it. Behind it is what was written, where that is another name.
fn new_mailbox(cursor: &mut Cursor<'_>) -> Result<(MailboxName, Option<MailboxName>)> {
    let (MailboxName(mut name), said) = cursor.mailbox_as_said()?;
    if name.len() > 1 && name.ends_with(SEPARATOR) {
        name.pop();
    }
    Ok((MailboxName::canonical(name), said))
}

/// ```text
/// use-attr = "\All" / "\Archive" / … / use-attr-ext
/// use-attr-ext = "\" atom
/// ```
fn special_use(cursor: &mut Cursor<'_>) -> Result<std::result::Result<SpecialUse, String>> {
    cursor.octet(b'\\', "a special use")?;
    let name = cursor.atom("a special use")?;
    Ok(name.parse().map_err(|_| format!("\\{name}")))
}
