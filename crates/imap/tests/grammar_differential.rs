//! Against imap-codec, another reader of IMAP: what it writes is understood, and lines are taken or refused alike but for
//! differences that are listed here with their reasons.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod grammar_common;

use grammar_common::{Event, readings};
use imap::grammar::{AppendReading, Reading};
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder as _;
use imap_codec::encode::Encoder as _;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

#[test]
fn lines_are_taken_or_refused_alike_and_mean_the_same() {
    let mut runner = TestRunner::deterministic();
    let lines = (select(COMMANDS), prop::collection::vec(select(ARGUMENTS), 0..5));
    let (mut taken, mut explained, mut unexplained) = (0, vec![0; DIFFERENCES.len()], Vec::new());
    for _ in 0..100_000 {
        let (command, arguments) = lines.new_tree(&mut runner).unwrap().current();
        let line = std::iter::once(command).chain(arguments).collect::<Vec<_>>().join(" ");
        let input = format!("a {line}\r\n");
        let here = read(input.as_bytes());
        match (here, read_there(input.as_bytes())) {
            (Ok(here), Some(written)) => {
                taken += 1;
                // What it understood, it writes in its own way: that means the same here.
                assert_eq!(read(&written), Ok(here), "{line}");
            }
            (Err(_), None) => {}
            (here, there) => match DIFFERENCES.iter().position(|(_, is_one)| is_one(&line, here.is_ok())) {
                Some(at) => explained[at] += 1,
                None => unexplained.push(format!("{line}: here {here:?}, there {}", there.is_some())),
            },
        }
    }
    assert!(unexplained.is_empty(), "{}", unexplained.join("\n"));
    assert!(taken > 5000, "{taken} lines are commands");
    let stale = DIFFERENCES.iter().zip(explained).filter(|(_, times)| *times == 0);
    assert_eq!(stale.map(|((reason, _), _)| *reason).collect::<Vec<_>>(), Vec::<&str>::new());
}

/// Why a line is taken by one alone; told by the line, and whether it is taken here.
type IsDifference = fn(&str, bool) -> bool;

const DIFFERENCES: &[(&str, IsDifference)] = &[
    ("quoted strings hold UTF-8 (RFC 9051 §9 QUOTED-CHAR); there they are 7-bit", |line, here| {
        here && line.contains("\"ä\"")
    }),
    ("LIST has several patterns in parentheses (RFC 5258 §6); there it has one", |line, here| {
        here && line.starts_with("LIST ") && line.contains(" (")
    }),
    ("APPEND has several messages (RFC 3502); there it has one", |line, here| {
        here && line.starts_with("APPEND ") && line.matches("+}\r\n").count() > 1
    }),
    ("STATUS and FETCH ask for something (RFC 9051 §9); there `()` is taken", |line, here| {
        !here && line.ends_with(" ()")
    }),
    ("THREAD has an algorithm that is known; there any atom is one", |line, here| {
        !here && line.starts_with("THREAD ")
    }),
];

/// What a line with its literals is here.
fn read(input: &[u8]) -> Result<Vec<Event>, String> {
    let mut events = readings(input);
    events.retain(|event| !matches!(event, Event::Reading(Reading::Continue)));
    match events.last() {
        Some(Event::Reading(Reading::Command(_))) if events.len() == 1 => Ok(events),
        Some(Event::Reading(Reading::Append(AppendReading::End))) => Ok(events),
        other => Err(format!("{other:?}")),
    }
}

/// Whether it is a command there, and how that writes it.
fn read_there(input: &[u8]) -> Option<Vec<u8>> {
    let codec = CommandCodec::default();
    let (rest, command) = codec.decode(input).ok()?;
    rest.is_empty().then(|| codec.encode(&command).dump())
}

const COMMANDS: &[&str] = &[
    "NOOP",
    "CAPABILITY",
    "LOGOUT",
    "LOGIN",
    "AUTHENTICATE",
    "STARTTLS",
    "SELECT",
    "EXAMINE",
    "CREATE",
    "DELETE",
    "RENAME",
    "SUBSCRIBE",
    "UNSUBSCRIBE",
    "LIST",
    "LSUB",
    "STATUS",
    "APPEND",
    "CHECK",
    "CLOSE",
    "EXPUNGE",
    "SEARCH",
    "FETCH",
    "STORE",
    "COPY",
    "MOVE",
    "UID",
    "ENABLE",
    "IDLE",
    "ID",
    "UNSELECT",
    "SORT",
    "THREAD",
    "GETQUOTA",
    "SETQUOTA",
    "NAMESPACE",
];

/// What may stand behind a command, and what may not.
const ARGUMENTS: &[&str] = &[
    "a",
    "INBOX",
    "\"a b\"",
    "\"a\\\"b\"",
    "\"a\\b\"",
    "{2+}\r\nab",
    "{0+}\r\n",
    "{1+}\r\na {1+}\r\nb",
    "\"\"",
    "NIL",
    "a]b",
    "a*",
    "%",
    "&Jjo-",
    "1",
    "1:*",
    "*:3,4",
    "0",
    "4294967295",
    "4294967296",
    "1,",
    "(FLAGS)",
    "(FLAGS UID)",
    "FLAGS",
    "+FLAGS",
    "-FLAGS.SILENT",
    "(\\Seen a)",
    "\\Seen",
    "\\Deleted a",
    "()",
    "ALL",
    "FULL",
    "FAST",
    "BODY[]",
    "BODY.PEEK[1.2.HEADER.FIELDS (a b)]<0.10>",
    "BODY[0]",
    "BODY[TEXT]<1.0>",
    "BINARY[1]",
    "BINARY.SIZE[1]",
    "RFC822.HEADER",
    "BODYSTRUCTURE",
    "ENVELOPE",
    "SEEN",
    "NOT",
    "OR",
    "(SEEN 1)",
    "SINCE",
    "1-Feb-1994",
    "\"01-feb-1994\"",
    "31-Feb-1994",
    "FROM",
    "HEADER",
    "KEYWORD",
    "UID",
    "LARGER",
    "5",
    "CHARSET",
    "UTF-8",
    "RETURN",
    "(MIN MAX)",
    "(MESSAGES UIDNEXT)",
    "(DATE REVERSE SUBJECT)",
    "REFERENCES",
    "PLAIN",
    "=",
    "AAAA",
    "AAA",
    "(STORAGE 5)",
    "FETCH",
    "SEARCH",
    "STORE",
    "COPY",
    "EXPUNGE",
    "CONDSTORE",
    "(\"a\" \"b\")",
    "(\"a\" NIL)",
    "ä",
    "\"ä\"",
    "\u{1}",
    "(",
    ")",
    "(CONDSTORE)",
    "(CHANGEDSINCE 5)",
    "(UNCHANGEDSINCE 5)",
    "\" 1-Jan-2000 00:00:00 +0000\"",
];
