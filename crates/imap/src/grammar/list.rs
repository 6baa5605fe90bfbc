//! LIST, LSUB and STATUS.

use super::Result;
use super::cursor::{Cursor, Words};
use crate::command::{Command, ListCommand, ListReturn, ListSelection, StatusItem};

/// ```text
/// list             = "LIST" [SP list-select-opts] SP mailbox SP mbox-or-pat [SP list-return-opts]
/// mbox-or-pat      = list-mailbox / patterns
/// patterns         = "(" list-mailbox *(SP list-mailbox) ")"
/// list-return-opts = "RETURN" SP "(" [return-option *(SP return-option)] ")"
/// ```
pub(super) fn list(cursor: &mut Cursor<'_>) -> Result<Command> {
    let mut list = ListCommand::default();
    cursor.space("a reference")?;
    if cursor.peek() == Some(b'(') {
        list.is_extended = true;
        list.selection = selection(cursor)?;
        cursor.space("a reference")?;
    }
    list.reference = cursor.mailbox()?.0;
    cursor.space("a pattern")?;
    list.is_extended |= cursor.peek() == Some(b'(');
    list.patterns = cursor.list_or_one("patterns in parentheses", Cursor::list_mailbox)?;
    if cursor.word_follows("RETURN") {
        list.is_extended = true;
        cursor.space("return options")?;
        for option in cursor.list_or_none("return options in parentheses", return_option)? {
            if !list.returns.contains(&option) {
                list.returns.push(option);
            }
        }
    }
    Ok(Command::List(list))
}

/// RFC 5258 §6: RECURSIVEMATCH needs a base option beside it, of which SUBSCRIBED is the only one; RFC 6154 §6 counts
/// SPECIAL-USE among the independent ones.
fn selection(cursor: &mut Cursor<'_>) -> Result<Vec<ListSelection>> {
    let start = cursor.at();
    let mut selection = Vec::new();
    for option in cursor.list_or_none("selection options", |cursor| {
        cursor.words(SELECTION, "SUBSCRIBED, REMOTE, RECURSIVEMATCH or SPECIAL-USE")
    })? {
        if !selection.contains(&option) {
            selection.push(option);
        }
    }
    let needs_base = selection.contains(&ListSelection::RecursiveMatch);
    if needs_base && !selection.contains(&ListSelection::Subscribed) {
        return cursor.expected_at("SUBSCRIBED beside RECURSIVEMATCH", start);
    }
    Ok(selection)
}

const SELECTION: &Words<ListSelection> = &[
    ("SUBSCRIBED", ListSelection::Subscribed),
    ("REMOTE", ListSelection::Remote),
    ("RECURSIVEMATCH", ListSelection::RecursiveMatch),
    ("SPECIAL-USE", ListSelection::SpecialUse),
];

fn return_option(cursor: &mut Cursor<'_>) -> Result<ListReturn> {
    const EXPECTED: &str = "SUBSCRIBED, CHILDREN, SPECIAL-USE, STATUS, MYRIGHTS or METADATA";
    cursor.words(RETURNS, EXPECTED)?(cursor)
}

const RETURNS: &Words<fn(&mut Cursor<'_>) -> Result<ListReturn>> = &[
    ("SUBSCRIBED", |_| Ok(ListReturn::Subscribed)),
    ("CHILDREN", |_| Ok(ListReturn::Children)),
    ("SPECIAL-USE", |_| Ok(ListReturn::SpecialUse)),
    ("MYRIGHTS", |_| Ok(ListReturn::MyRights)),
    // RFC 5819 §4
    ("STATUS", |cursor| status_items(cursor).map(ListReturn::Status)),
    // RFC 9590 §3
    ("METADATA", |cursor| {
        cursor.space("names of annotations")?;
        let entries = cursor.list("names of annotations in parentheses", super::account::entry)?;
        Ok(ListReturn::Metadata(entries))
    }),
];

/// ```text
/// lsub = "LSUB" SP mailbox SP list-mailbox
/// ```
pub(super) fn lsub(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("a reference")?;
    let reference = cursor.mailbox()?.0;
    cursor.space("a pattern")?;
    let pattern = cursor.list_mailbox()?;
    Ok(Command::Lsub { reference, pattern })
}

/// ```text
/// status = "STATUS" SP mailbox SP "(" status-att *(SP status-att) ")"
/// ```
pub(super) fn status(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("the name of a mailbox")?;
    let mailbox = cursor.mailbox()?;
    let items = status_items(cursor)?;
    Ok(Command::Status { mailbox, items })
}

fn status_items(cursor: &mut Cursor<'_>) -> Result<Vec<StatusItem>> {
    cursor.space("what to tell")?;
    let mut items = Vec::new();
    for item in cursor.list("what to tell, in parentheses", |cursor| {
        cursor.words(STATUS_ITEMS, "an item like MESSAGES, UIDNEXT or UNSEEN")
    })? {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    Ok(items)
}

const STATUS_ITEMS: &Words<StatusItem> = &[
    ("MESSAGES", StatusItem::Messages),
    ("RECENT", StatusItem::Recent),
    ("UIDNEXT", StatusItem::UidNext),
    ("UIDVALIDITY", StatusItem::UidValidity),
    ("UNSEEN", StatusItem::Unseen),
    ("DELETED", StatusItem::Deleted),
    ("DELETED-STORAGE", StatusItem::DeletedStorage),
    ("SIZE", StatusItem::Size),
    ("HIGHESTMODSEQ", StatusItem::HighestModSeq),
    ("APPENDLIMIT", StatusItem::AppendLimit),
    ("MAILBOXID", StatusItem::MailboxId),
];
