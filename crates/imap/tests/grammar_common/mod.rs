//! Drives a reader of commands and watches over it; for the tests of the grammar and for the fuzzer.
#![allow(dead_code, reason = "each test uses a part")]
#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

use imap::command::{Command, MailboxName, SequenceSet, SetRange, SetValue, Tagged};
use imap::grammar::{AppendReading, CommandReader, Expected, GrammarError, ReaderLimits, Reading};

/// What came out, with the octets of messages put together.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Event {
    Reading(Reading),
    Octets(Vec<u8>),
}

/// As a session has them that is logged in.
pub(crate) const LIMITS: ReaderLimits =
    ReaderLimits { line_bytes_max: 65_536, literals_bytes_max: 65_536, append_bytes_max: 2_000_000 };

/// Feeds `pieces`; a literal of a message is refused where `accepts` says so of its size.
///
/// Fails where more is consumed than given or held than the limits allow, and where the reader does not go on.
pub(crate) fn replay(
    reader: &mut CommandReader,
    limits: ReaderLimits,
    pieces: &[&[u8]],
    accepts: fn(u64) -> bool,
) -> Vec<Event> {
    let held_bytes_max = 2 * (limits.line_bytes_max + limits.literals_bytes_max) + 256;
    let mut events = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        // Each reading but the last consumes an octet or is one of the few that follow one.
        for _ in 0..8 * piece.len() + 8 {
            let (consumed, reading) = reader.receive(rest);
            assert!(consumed <= rest.len(), "more was consumed than given");
            assert!(reader.held_bytes() <= held_bytes_max, "{} octets are held", reader.held_bytes());
            let (taken, after) = rest.split_at(consumed);
            rest = after;
            match reading {
                Reading::NeedInput => {
                    assert!(rest.is_empty(), "input was left though more was asked for");
                    break;
                }
                Reading::Append(AppendReading::Octets(octets)) => {
                    assert!(octets > 0 && octets <= taken.len());
                    let octets = &taken[taken.len() - octets..];
                    match events.last_mut() {
                        Some(Event::Octets(before)) => before.extend_from_slice(octets),
                        _ => events.push(Event::Octets(octets.to_vec())),
                    }
                    continue;
                }
                Reading::Append(AppendReading::Literal { size_bytes, .. }) if accepts(size_bytes) => {
                    reader.accept_literal();
                }
                Reading::Append(AppendReading::Literal { .. }) => reader.refuse_literal(),
                Reading::Command(Tagged {
                    command: Command::Authenticate { .. } | Command::Idle, ..
                }) => {
                    reader.expect(Expected::Line);
                }
                _ => {}
            }
            events.push(Event::Reading(reading));
        }
        assert!(rest.is_empty(), "the reader does not go on");
    }
    events
}

/// All that came out of `input` at once.
pub(crate) fn readings(input: &[u8]) -> Vec<Event> {
    replay(&mut CommandReader::new(LIMITS), LIMITS, &[input], |_| true)
}

/// The one command of a line without its CRLF; literals are not waited for.
pub(crate) fn command(line: &[u8]) -> Result<Command, GrammarError> {
    let input = [b"a1 ", line, b"\r\n"].concat();
    let mut events = readings(&input);
    events.retain(|event| !matches!(event, Event::Reading(Reading::Continue)));
    match events.pop() {
        Some(Event::Reading(Reading::Command(tagged))) => {
            assert_eq!((tagged.tag.0.as_str(), events.len()), ("a1", 0), "{}", line.escape_ascii());
            Ok(tagged.command)
        }
        Some(Event::Reading(Reading::Refused { problem, .. })) => Err(problem),
        other => panic!("{}: {other:?}", line.escape_ascii()),
    }
}

/// The name of a mailbox.
pub(crate) fn name(text: &str) -> MailboxName {
    MailboxName(text.into())
}

/// Each line means its command.
pub(crate) fn means(rows: impl IntoIterator<Item = (&'static str, Command)>) {
    for (line, expected) in rows {
        assert_eq!(command(line.as_bytes()), Ok(expected), "{line}");
    }
}

/// Each line is refused, with a text that has this in it.
pub(crate) fn refused(rows: &[(&str, &str)]) {
    for (line, expected) in rows {
        let problem = command(line.as_bytes()).unwrap_err().to_string();
        assert!(problem.contains(expected), "{line}: {problem}");
    }
}

/// `1,3:*` and the like; 0 stands for `*`.
pub(crate) fn set(ranges: &[(u32, u32)]) -> SequenceSet {
    let value = |number| if number == 0 { SetValue::Largest } else { SetValue::Number(number) };
    SequenceSet::Ranges(
        ranges.iter().map(|(from, to)| SetRange { from: value(*from), to: value(*to) }).collect(),
    )
}
