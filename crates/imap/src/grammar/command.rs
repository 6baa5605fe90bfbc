//! The commands: which there are, and those whose arguments are few.
//!
//! ```text
//! command = tag SP (command-any / command-auth / command-nonauth / command-select) CRLF
//! ```

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::cursor::{Cursor, Words, set_of};
use super::{GrammarError, Result, account, fetch, list, notify, search, select, store};
use crate::command::{Command, Numbering, Secret, Tag, Tagged};
use crate::name::NameEncoding;

/// Reads what stands behind the name of a command.
type Arguments = fn(&mut Cursor<'_>) -> Result<Command>;
/// Reads what stands behind the name of a command that may be a UID command.
type NumberedArguments = fn(&mut Cursor<'_>, Numbering) -> Result<Command>;

/// Reads a command without its last CRLF.
pub(super) fn parse(octets: &[u8], names: NameEncoding) -> Result<Tagged> {
    let mut cursor = Cursor::new(octets, names);
    let Some(tag) = cursor.tag() else { return Err(GrammarError::NoTag) };
    if !cursor.skip(b' ') {
        return Err(GrammarError::NoTag);
    }
    let command = command(&mut cursor)?;
    cursor.end()?;
    Ok(Tagged { tag: Tag(tag), command })
}

fn command(cursor: &mut Cursor<'_>) -> Result<Command> {
    if let Some(arguments) = cursor.try_words(COMMANDS) {
        return arguments(cursor);
    }
    if let Some(arguments) = cursor.try_words(NUMBERED) {
        return arguments(cursor, Numbering::Sequence);
    }
    if !cursor.word("UID") {
        return Err(GrammarError::UnknownCommand);
    }
    cursor.space("a space and a command")?;
    if cursor.word("EXPUNGE") {
        // RFC 4315 §2.1
        cursor.space(set_of(Numbering::Uid))?;
        return Ok(Command::Expunge(Some(cursor.set(Numbering::Uid)?)));
    }
    cursor.words(NUMBERED, "a command that has a UID form")?(cursor, Numbering::Uid)
}

const COMMANDS: &Words<Arguments> = &[
    ("AUTHENTICATE", authenticate),
    ("CAPABILITY", |_| Ok(Command::Capability)),
    ("CHECK", |_| Ok(Command::Check)),
    ("CLOSE", |_| Ok(Command::Close)),
    ("COMPRESS", compress),
    ("CREATE", select::create),
    ("DELETE", select::delete),
    ("DELETEACL", account::delete_acl),
    ("ENABLE", enable),
    ("EXAMINE", select::examine),
    ("EXPUNGE", |_| Ok(Command::Expunge(None))),
    ("GETACL", |cursor| one_mailbox(cursor, Command::GetAcl)),
    ("GETMETADATA", account::get_metadata),
    ("GETQUOTA", account::get_quota),
    ("GETQUOTAROOT", |cursor| one_mailbox(cursor, Command::GetQuotaRoot)),
    ("ID", account::id),
    ("IDLE", |_| Ok(Command::Idle)),
    ("LIST", list::list),
    ("LISTRIGHTS", account::list_rights),
    ("LOGIN", login),
    ("LOGOUT", |_| Ok(Command::Logout)),
    ("LSUB", list::lsub),
    ("MYRIGHTS", |cursor| one_mailbox(cursor, Command::MyRights)),
    ("NAMESPACE", |_| Ok(Command::Namespace)),
    ("NOOP", |_| Ok(Command::Noop)),
    ("NOTIFY", notify::notify),
    ("RENAME", select::rename),
    ("SELECT", select::select),
    ("SETACL", account::set_acl),
    ("SETMETADATA", account::set_metadata),
    ("SETQUOTA", account::set_quota),
    ("STARTTLS", |_| Ok(Command::StartTls)),
    ("STATUS", list::status),
    ("SUBSCRIBE", |cursor| one_mailbox(cursor, Command::Subscribe)),
    ("UNAUTHENTICATE", |_| Ok(Command::Unauthenticate)),
    ("UNSELECT", |_| Ok(Command::Unselect)),
    ("UNSUBSCRIBE", |cursor| one_mailbox(cursor, Command::Unsubscribe)),
];

const NUMBERED: &Words<NumberedArguments> = &[
    ("COPY", |cursor, numbering| copy(cursor, numbering, false)),
    ("FETCH", fetch::fetch),
    ("MOVE", |cursor, numbering| copy(cursor, numbering, true)),
    ("SEARCH", search::search),
    ("SORT", search::sort),
    ("STORE", store::store),
    ("THREAD", search::thread),
];

fn one_mailbox(
    cursor: &mut Cursor<'_>,
    command: fn(crate::command::MailboxName) -> Command,
) -> Result<Command> {
    cursor.space("the name of a mailbox")?;
    cursor.mailbox().map(command)
}

/// ```text
/// authenticate = "AUTHENTICATE" SP auth-type [SP initial-resp]
/// initial-resp = (base64 / "=")
/// ```
fn authenticate(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("the name of a mechanism")?;
    let mechanism = cursor.atom("the name of a mechanism")?.to_ascii_uppercase();
    let initial_response = if cursor.skip(b' ') { Some(initial_response(cursor)?) } else { None };
    Ok(Command::Authenticate { mechanism, initial_response })
}

/// RFC 4959 §3: `=` is an empty one.
fn initial_response(cursor: &mut Cursor<'_>) -> Result<Secret> {
    let at = cursor.at();
    let text = cursor.atom("an initial response")?;
    if text == "=" {
        return Ok(Secret(Vec::new()));
    }
    BASE64.decode(text).map(Secret).or_else(|_| cursor.expected_at("base64, or =", at))
}

/// ```text
/// login = "LOGIN" SP userid SP password
/// ```
fn login(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("the name of a user")?;
    let name = cursor.text("the name of a user")?;
    cursor.space("a password")?;
    let password = Secret(cursor.astring("a password")?.into_owned());
    Ok(Command::Login { name, password })
}

/// ```text
/// enable = "ENABLE" 1*(SP capability)
/// ```
fn enable(cursor: &mut Cursor<'_>) -> Result<Command> {
    let mut names = Vec::new();
    while names.is_empty() || cursor.peek() == Some(b' ') {
        cursor.space("a capability")?;
        names.push(cursor.atom("a capability")?.to_ascii_uppercase());
    }
    Ok(Command::Enable(names))
}

/// ```text
/// copy = "COPY" SP sequence-set SP mailbox
/// move = "MOVE" SP sequence-set SP mailbox
/// ```
fn copy(cursor: &mut Cursor<'_>, numbering: Numbering, moves: bool) -> Result<Command> {
    cursor.space(set_of(numbering))?;
    let set = cursor.set(numbering)?;
    cursor.space("the name of a mailbox")?;
    let mailbox = cursor.mailbox()?;
    Ok(Command::Copy { numbering, set, mailbox, moves })
}

/// RFC 4978 §3: `compress = "COMPRESS" SP algorithm`, of which there is one.
fn compress(cursor: &mut Cursor<'_>) -> Result<Command> {
    cursor.space("DEFLATE")?;
    if cursor.word("DEFLATE") { Ok(Command::Compress) } else { cursor.expected("DEFLATE") }
}

/// The tag of a command that is none, so that its refusal can name it.
pub(super) fn tag(octets: &[u8]) -> Option<Tag> {
    let mut cursor = Cursor::new(octets, NameEncoding::ModifiedUtf7);
    let tag = cursor.tag()?;
    matches!(cursor.peek(), Some(b' ' | b'\r')).then_some(Tag(tag))
}
