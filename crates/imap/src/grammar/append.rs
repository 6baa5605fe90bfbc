//! APPEND and REPLACE, read as they come in.

use std::collections::VecDeque;

use super::cursor::{Cursor, FIRST, Words};
use super::reader::{AppendReading, LiteralKind, LiteralSync};
use super::{GrammarError, Result, store, url};
use crate::command::{AppendCommand, AppendMessage, Numbering, Tag};
use crate::name::NameEncoding;

/// Where in an APPEND the reading stands.
///
/// ```text
/// append         = "APPEND" SP mailbox 1*append-message
/// replace        = "REPLACE" SP seq-number SP mailbox append-message
/// append-message = [SP flag-list] [SP date-time] SP append-data
/// append-data    = literal / literal8 / "UTF8" SP "(" literal8 ")" / "CATENATE" SP "(" cat-part *(SP cat-part) ")"
/// cat-part       = "TEXT" SP literal / "URL" SP astring / "UTF8" SP "(" literal8 ")"
/// ```
#[derive(Debug)]
pub(super) struct AppendReader {
    /// Octets of the command that were read.
    at: usize,
    /// The last word of the protocol that was read.
    behind: &'static str,
    stage: Stage,
    replaces: bool,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    Begin,
    Message,
    /// Behind the literal of a message, or its parenthesis.
    MessageEnd,
    /// `)` of UTF8.
    Utf8End,
    /// A part of CATENATE begins.
    Part,
    /// `)` of UTF8 within CATENATE.
    PartUtf8End,
    /// Behind a part of CATENATE.
    PartEnd,
    /// Behind a message.
    Next,
}

/// What comes behind the octets that were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ahead {
    /// A literal of the message.
    MessageLiteral { size_bytes: u64, sync: LiteralSync, kind: LiteralKind },
    /// The octets of a literal that is a name or a URL, which are gathered.
    OtherLiteral,
    /// Nothing: the command is whole.
    Nothing,
}

impl AppendReader {
    /// Whether a line begins a command that is read so.
    pub(super) fn reads(line: &[u8]) -> bool {
        let mut cursor = Cursor::new(line, NameEncoding::Utf8);
        if cursor.tag().is_none() || !cursor.skip(b' ') {
            return false;
        }
        let is_uid = cursor.word("UID") && cursor.skip(b' ');
        cursor.word("REPLACE") || !is_uid && cursor.word("APPEND")
    }

    pub(super) const fn new() -> Self {
        Self { at: 0, behind: FIRST, stage: Stage::Begin, replaces: false }
    }

    /// Reads on in `command`, which ends in CRLF; what is found is put behind `found`. An element that is not whole, since
    /// a literal is, is begun again with the next call.
    pub(super) fn read(
        &mut self,
        command: &[u8],
        names: NameEncoding,
        found: &mut VecDeque<AppendReading>,
    ) -> Result<Ahead> {
        loop {
            let mut cursor = Cursor::behind(command, self.at, self.behind, names);
            let ahead = match self.stage(&mut cursor, command, found) {
                Err(GrammarError::LiteralMissing(_)) => return Ok(Ahead::OtherLiteral),
                ahead => ahead?,
            };
            (self.at, self.behind) = (cursor.at(), cursor.last_word());
            if let Some(ahead) = ahead {
                return Ok(ahead);
            }
        }
    }

    fn stage(
        &mut self,
        cursor: &mut Cursor<'_>,
        command: &[u8],
        found: &mut VecDeque<AppendReading>,
    ) -> Result<Option<Ahead>> {
        match self.stage {
            Stage::Begin => {
                let begin = begin(cursor)?;
                self.replaces = begin.replaces.is_some();
                found.push_back(AppendReading::Begin(begin));
                self.stage = Stage::Message;
            }
            Stage::Message => return self.message(cursor, command, found),
            Stage::Utf8End => {
                cursor.octet(b')', "`)` behind the literal")?;
                self.stage = Stage::MessageEnd;
            }
            Stage::MessageEnd => {
                found.push_back(AppendReading::MessageEnd);
                self.stage = Stage::Next;
            }
            Stage::Next if &command[cursor.at()..] == b"\r\n" => {
                found.push_back(AppendReading::End);
                return Ok(Some(Ahead::Nothing));
            }
            Stage::Next if self.replaces => return cursor.expected("the end of the command"),
            Stage::Next => self.stage = Stage::Message,
            Stage::Part => return self.part(cursor, command, found),
            Stage::PartUtf8End => {
                cursor.octet(b')', "`)` behind the literal")?;
                self.stage = Stage::PartEnd;
            }
            Stage::PartEnd if cursor.skip(b')') => self.stage = Stage::MessageEnd,
            Stage::PartEnd => {
                cursor.space("a space or `)`")?;
                self.stage = Stage::Part;
            }
        }
        Ok(None)
    }

    fn message(
        &mut self,
        cursor: &mut Cursor<'_>,
        command: &[u8],
        found: &mut VecDeque<AppendReading>,
    ) -> Result<Option<Ahead>> {
        const EXPECTED: &str = "flags, a date or a literal";
        let mut message = AppendMessage::default();
        cursor.space(EXPECTED)?;
        if cursor.peek() == Some(b'(') {
            message.flags = store::flag_list(cursor)?;
            cursor.space("a date or a literal")?;
        }
        if cursor.peek() == Some(b'"') {
            message.internal_date = Some(cursor.date_time()?);
            cursor.space("a literal")?;
        }
        let form = cursor.try_words(FORMS);
        if form.is_some() {
            cursor.space("`(`")?;
            cursor.octet(b'(', "`(`")?;
        }
        let (kind, stage) = match form {
            Some(Form::Catenate) => {
                found.push_back(AppendReading::Message(message));
                self.stage = Stage::Part;
                return Ok(None);
            }
            Some(Form::Utf8) => (LiteralKind::Utf8, Stage::Utf8End),
            None if cursor.peek() == Some(b'~') => (LiteralKind::Binary, Stage::MessageEnd),
            None => (LiteralKind::Plain, Stage::MessageEnd),
        };
        let literal = announced(cursor, command, kind)?;
        self.stage = stage;
        found.push_back(AppendReading::Message(message));
        Ok(Some(literal))
    }

    fn part(
        &mut self,
        cursor: &mut Cursor<'_>,
        command: &[u8],
        found: &mut VecDeque<AppendReading>,
    ) -> Result<Option<Ahead>> {
        let part = cursor.words(PARTS, "TEXT, URL or UTF8")?;
        cursor.space("a literal or a URL")?;
        match part {
            Part::Url => {
                let text = cursor.astring("a URL")?;
                let Some(url) = url::parse(&text) else {
                    return Err(GrammarError::Url(String::from_utf8_lossy(&text).into_owned()));
                };
                found.push_back(AppendReading::Url(url));
                self.stage = Stage::PartEnd;
                Ok(None)
            }
            Part::Text => {
                let kind = if cursor.peek() == Some(b'~') { LiteralKind::Binary } else { LiteralKind::Plain };
                let literal = announced(cursor, command, kind)?;
                self.stage = Stage::PartEnd;
                Ok(Some(literal))
            }
            Part::Utf8 => {
                cursor.octet(b'(', "`(`")?;
                let literal = announced(cursor, command, LiteralKind::Utf8)?;
                self.stage = Stage::PartUtf8End;
                Ok(Some(literal))
            }
        }
    }
}

#[derive(Clone, Copy)]
enum Form {
    Utf8,
    Catenate,
}

const FORMS: &Words<Form> = &[("UTF8", Form::Utf8), ("CATENATE", Form::Catenate)];

#[derive(Clone, Copy)]
enum Part {
    Text,
    Url,
    Utf8,
}

const PARTS: &Words<Part> = &[("TEXT", Part::Text), ("URL", Part::Url), ("UTF8", Part::Utf8)];

fn begin(cursor: &mut Cursor<'_>) -> Result<AppendCommand> {
    let Some(tag) = cursor.tag().map(Tag) else { return Err(GrammarError::NoTag) };
    cursor.space("APPEND or REPLACE")?;
    let numbering = if cursor.word("UID") { Numbering::Uid } else { Numbering::Sequence };
    if numbering == Numbering::Uid {
        cursor.space("REPLACE")?;
    }
    let mut replaces = None;
    if cursor.word("REPLACE") {
        // RFC 8508 §5
        cursor.space("the number of a message")?;
        replaces = Some((numbering, cursor.set_value("the number of a message")?));
    } else if !cursor.word("APPEND") {
        return cursor.expected("APPEND or REPLACE");
    }
    cursor.space("the name of a mailbox")?;
    let (mailbox, said) = cursor.mailbox_as_said()?;
    Ok(AppendCommand { tag, mailbox, said, replaces })
}

/// The head of a literal that ends the line; its octets come out as they come in.
fn announced(cursor: &mut Cursor<'_>, command: &[u8], kind: LiteralKind) -> Result<Ahead> {
    if kind != LiteralKind::Plain {
        cursor.octet(b'~', "a literal8")?;
    }
    let size_bytes = cursor.literal_header()?;
    if cursor.at() != command.len() {
        return cursor.expected("the end of the line");
    }
    // Behind `+` stand `}` and the end of the line.
    let sync = match command.len().checked_sub(4).and_then(|at| cursor.octet_at(at)) {
        Some(b'+') => LiteralSync::NonSynchronizing,
        _ => LiteralSync::Synchronizing,
    };
    Ok(Ahead::MessageLiteral { size_bytes, sync, kind })
}
