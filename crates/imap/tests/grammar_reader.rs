//! Literals, limits and pieces: what the reader makes of octets, however they come.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod grammar_common;

use grammar_common::{Event, LIMITS, readings, replay};
use imap::command::{AppendCommand, AppendMessage, Command, FlagList, MailboxName, Numbering, SetValue, Tag};
use imap::grammar::{
    AppendReading, CommandReader, DISCARDED_BYTES_MAX, Expected, GrammarError, LiteralKind, LiteralSync,
    ReaderLimits, Reading,
};
use proptest::prelude::*;
use types::Timestamp;
use types::mailstore::Flags;

/// Small, so that tests reach them.
const SMALL: ReaderLimits =
    ReaderLimits { line_bytes_max: 64, literals_bytes_max: 32, append_bytes_max: 100 };

fn small(input: &[u8]) -> Vec<Event> {
    replay(&mut CommandReader::new(SMALL), SMALL, &[input], |_| true)
}

fn refused(tag: &str, problem: GrammarError) -> Event {
    let tag = (!tag.is_empty()).then(|| Tag(tag.into()));
    Event::Reading(Reading::Refused { tag, problem, closes: false })
}

fn closes(tag: &str, problem: GrammarError) -> Event {
    let tag = (!tag.is_empty()).then(|| Tag(tag.into()));
    Event::Reading(Reading::Refused { tag, problem, closes: true })
}

fn noop(tag: &str) -> Event {
    Event::Reading(Reading::Command(imap::command::Tagged { tag: Tag(tag.into()), command: Command::Noop }))
}

fn is_command(event: &Event) -> bool {
    matches!(event, Event::Reading(Reading::Command(_)))
}

#[test]
fn a_synchronizing_literal_is_waited_for_and_another_one_is_not() {
    let go_on = Event::Reading(Reading::Continue);
    let waits = readings(b"a LOGIN {1}\r\nx {1}\r\ny\r\n");
    assert_eq!(waits[..2], [go_on.clone(), go_on]);
    assert!(waits.len() == 3 && is_command(&waits[2]));
    let at_once = readings(b"a LOGIN {1+}\r\nx {1+}\r\ny\r\n");
    assert!(at_once.len() == 1 && is_command(&at_once[0]));
}

#[test]
fn tags_are_what_rfc_9051_allows() {
    assert_eq!(readings(b"A.]1-/= NOOP\r\n"), [noop("A.]1-/=")]);
    let untagged = refused("", GrammarError::NoTag);
    for line in ["\r\n", " \r\n", " NOOP\r\n", "+ NOOP\r\n", "a+b NOOP\r\n", "a* NOOP\r\n", "(a NOOP\r\n"] {
        assert_eq!(readings(line.as_bytes()), std::slice::from_ref(&untagged), "{line}");
    }
    assert_eq!(readings(b"NOOP\r\n"), [refused("NOOP", GrammarError::NoTag)]);
    assert_eq!(readings(b"a  NOOP\r\n"), [refused("a", GrammarError::UnknownCommand)]);
}

#[test]
fn a_line_of_the_allowed_length_is_read_and_one_octet_more_is_not() {
    let line =
        |octets: usize| format!("a LOGIN {} x\r\nb NOOP\r\n", "u".repeat(octets - "a LOGIN  x\r\n".len()));
    let whole = small(line(64).as_bytes());
    assert!(is_command(&whole[0]) && whole[1] == noop("b"));
    assert_eq!(small(line(65).as_bytes()), [refused("a", GrammarError::LineTooLong(64)), noop("b")]);
    // Lines count together, literals do not.
    let two_lines = |octets: usize| {
        let rest = "x".repeat(octets - "a LOGIN {8+}\r\n \r\n".len());
        format!("a LOGIN {{8+}}\r\n12345678 {rest}\r\nb NOOP\r\n")
    };
    assert!(is_command(&small(two_lines(64).as_bytes())[0]));
    assert_eq!(small(two_lines(65).as_bytes()), [refused("a", GrammarError::LineTooLong(64)), noop("b")]);
}

#[test]
fn what_belongs_to_a_line_that_is_too_long_is_read_away_with_its_literals() {
    let long = "x".repeat(100);
    let too_long = refused("a", GrammarError::LineTooLong(64));
    let at_once = format!("a {long} {{9+}}\r\nc NOOP\r\n  {{2+}}\r\nzz {long}\r\nb NOOP\r\n");
    assert_eq!(small(at_once.as_bytes()), [too_long.clone(), noop("b")]);
    // One that waits for leave to send its literal is told no instead.
    let waits = format!("a {long} {{9}}\r\nb NOOP\r\n");
    assert_eq!(small(waits.as_bytes()), [too_long, noop("b")]);
    let without_tag = format!("{long}\r\nb NOOP\r\n");
    assert_eq!(small(without_tag.as_bytes()), [refused("", GrammarError::LineTooLong(64)), noop("b")]);
}

#[test]
fn literals_are_gathered_up_to_their_limit_together() {
    let login = |first: usize, second: usize| {
        let (name, password) = ("n".repeat(first), "p".repeat(second));
        format!("a LOGIN {{{first}+}}\r\n{name} {{{second}+}}\r\n{password}\r\nb NOOP\r\n")
    };
    assert!(is_command(&small(login(32, 0).as_bytes())[0]));
    assert!(is_command(&small(login(16, 16).as_bytes())[0]));
    let too_large = refused("a", GrammarError::LiteralTooLarge(32));
    assert_eq!(small(login(33, 0).as_bytes()), [too_large.clone(), noop("b")]);
    assert_eq!(small(login(16, 17).as_bytes()), [too_large, noop("b")]);
}

#[test]
fn literals_of_four_gigabytes_and_of_more_than_any_number_are_refused_before_they_come() {
    for size in ["33", "4294967296", "9223372036854775808", "18446744073709551616", "99999999999999999999999"]
    {
        let waits = format!("a LOGIN {{{size}}}\r\nb NOOP\r\n");
        assert_eq!(small(waits.as_bytes()), [refused("a", GrammarError::LiteralTooLarge(32)), noop("b")]);
    }
    for size in [DISCARDED_BYTES_MAX + 1, 4_294_967_296, u64::MAX] {
        let at_once = format!("a LOGIN {{{size}+}}\r\nb NOOP\r\n");
        assert_eq!(small(at_once.as_bytes()), [closes("a", GrammarError::LiteralTooLarge(32))]);
    }
}

#[test]
fn a_command_without_end_is_given_up() {
    let mut reader = CommandReader::new(SMALL);
    let (mut total, chunk) = (0, [b'x'; 1000]);
    let reading = loop {
        let (consumed, reading) = reader.receive(&chunk);
        total += consumed as u64;
        assert!(total <= DISCARDED_BYTES_MAX + 2000);
        if reading != Reading::NeedInput {
            break reading;
        }
    };
    assert_eq!(Event::Reading(reading), closes("", GrammarError::LineTooLong(64)));
    assert!(total >= DISCARDED_BYTES_MAX);
    // And so is one whose literals have none.
    let literals = format!("a x{}", " {9+}\r\n123456789".repeat(200_000));
    assert_eq!(small(literals.as_bytes()), [closes("a", GrammarError::LiteralTooLarge(32))]);
}

#[test]
fn nothing_is_read_behind_a_bare_line_feed() {
    assert_eq!(readings(b"a NOOP\nb NOOP\r\n"), [closes("a", GrammarError::BareLf)]);
    let long = format!("a {}\nb NOOP\r\n", "x".repeat(100));
    assert_eq!(small(long.as_bytes()), [closes("a", GrammarError::LineTooLong(64))]);
    // A bare CR ends nothing.
    let carriage_return = readings(b"a NOOP\rb NOOP\r\nc NOOP\r\n");
    assert!(matches!(carriage_return[0], Event::Reading(Reading::Refused { closes: false, .. })));
    assert_eq!(carriage_return[1..], [noop("c")]);
}

#[test]
fn a_literal_inside_of_a_quoted_string_is_none() {
    let events = readings(b"a LOGIN \"{5}\" x\r\nb NOOP\r\n");
    assert!(is_command(&events[0]) && events[1] == noop("b"));
    // What looks like a literal at the end of a line is one, whoever opened quotes before.
    let events = readings(b"a LOGIN x \"{5+}\r\n12345\r\nb NOOP\r\n");
    assert!(matches!(events[0], Event::Reading(Reading::Refused { closes: false, .. })));
    assert_eq!(events[1..], [noop("b")]);
}

#[test]
fn lines_of_an_exchange_come_as_they_are_and_commands_follow() {
    let mut reader = CommandReader::new(SMALL);
    reader.expect(Expected::Line);
    let line = |octets: &[u8]| Event::Reading(Reading::Line(octets.to_vec()));
    assert_eq!(replay(&mut reader, SMALL, &[b"{5+}\r\na NOOP\r\n"], |_| true), [line(b"{5+}"), noop("a")]);
    let idle = replay(&mut reader, SMALL, &[b"a IDLE\r\nDONE\r\nb NOOP\r\n"], |_| true);
    assert!(is_command(&idle[0]));
    assert_eq!(idle[1..], [line(b"DONE"), noop("b")]);
    reader.expect(Expected::Line);
    let too_long = [&[b'x'; 65][..], b"\r\na NOOP\r\n"].concat();
    assert_eq!(
        replay(&mut reader, SMALL, &[&too_long], |_| true),
        [refused("", GrammarError::LineTooLong(64)), noop("a")]
    );
}

#[test]
fn names_are_utf_8_once_that_is_enabled() {
    let mut reader = CommandReader::new(LIMITS);
    reader.set_utf8();
    let line = "a DELETE \"Entw\u{fc}rfe & x\"\r\n";
    let events = replay(&mut reader, LIMITS, &[line.as_bytes()], |_| true);
    let [Event::Reading(Reading::Command(tagged))] = &events[..] else { panic!("{events:?}") };
    let mailbox = MailboxName("Entwürfe & x".into());
    assert_eq!(tagged.command, Command::Delete { mailbox, said: None });
}

fn begin(mailbox: &str, replaces: Option<(Numbering, SetValue)>) -> Event {
    append(AppendReading::Begin(AppendCommand {
        tag: Tag("a".into()),
        mailbox: MailboxName(mailbox.into()),
        said: None,
        replaces,
    }))
}

fn append(reading: AppendReading) -> Event {
    Event::Reading(Reading::Append(reading))
}

fn plain_message() -> Event {
    append(AppendReading::Message(AppendMessage::default()))
}

fn literal(size_bytes: u64, sync: LiteralSync, kind: LiteralKind) -> Event {
    append(AppendReading::Literal { size_bytes, sync, kind })
}

/// A literal that came.
fn came(octets: &[u8], sync: LiteralSync, kind: LiteralKind) -> Vec<Event> {
    let mut events = vec![literal(octets.len() as u64, sync, kind)];
    if !octets.is_empty() {
        events.push(Event::Octets(octets.to_vec()));
    }
    events.push(append(AppendReading::LiteralEnd));
    events
}

use LiteralKind::{Binary, Plain, Utf8};
use LiteralSync::{NonSynchronizing, Synchronizing};

#[test]
fn a_message_comes_out_in_pieces_with_its_flags_and_date() {
    let flags = FlagList { system: Flags::SEEN, keywords: vec!["$x".into()] };
    let internal_date = Some(Timestamp::from_millis(837_596_665_000));
    let expected = [
        vec![begin("INBOX", None), append(AppendReading::Message(AppendMessage { flags, internal_date }))],
        came(b"a: b\r\n\r\n", Synchronizing, Plain),
        vec![append(AppendReading::MessageEnd), append(AppendReading::End), noop("b")],
    ]
    .concat();
    let input =
        b"a APPEND inbox (\\Seen $x) \"17-Jul-1996 02:44:25 -0700\" {8}\r\na: b\r\n\r\n\r\nb NOOP\r\n";
    assert_eq!(readings(input), expected);
}

#[test]
fn several_messages_come_in_one_command_and_one_replaces_another() {
    let end = append(AppendReading::MessageEnd);
    let expected = [
        vec![begin("x y", None), plain_message()],
        came(b"1", NonSynchronizing, Plain),
        vec![end.clone(), plain_message()],
        came(b"\0", NonSynchronizing, Binary),
        vec![end.clone(), plain_message()],
        came("ü".as_bytes(), NonSynchronizing, Utf8),
        vec![end.clone(), plain_message()],
        came(b"", NonSynchronizing, Plain),
        vec![end.clone(), append(AppendReading::End)],
    ]
    .concat();
    let input = "a APPEND {3+}\r\nx y {1+}\r\n1 ~{1+}\r\n\0 UTF8 (~{2+}\r\nü) {0+}\r\n\r\n";
    assert_eq!(readings(input.as_bytes()), expected);

    for (line, numbering, number) in [
        ("a REPLACE 4 x", Numbering::Sequence, SetValue::Number(4)),
        ("a uid replace * x", Numbering::Uid, SetValue::Largest),
    ] {
        let expected = [
            vec![begin("x", Some((numbering, number))), plain_message()],
            came(b"1", NonSynchronizing, Plain),
            vec![end.clone(), append(AppendReading::End)],
        ]
        .concat();
        assert_eq!(readings(format!("{line} {{1+}}\r\n1\r\n").as_bytes()), expected);
        let twice = readings(format!("{line} {{1+}}\r\n1 {{1+}}\r\n2\r\nb NOOP\r\n").as_bytes());
        assert!(matches!(&twice[twice.len() - 2], Event::Reading(Reading::Refused { closes: false, .. })));
        assert_eq!(twice[twice.len() - 1], noop("b"));
    }
}

#[test]
fn a_message_is_put_together_of_texts_and_urls() {
    let input = "a APPEND x CATENATE (TEXT {1}\r\n1 URL {7+}\r\n/;UID=2 URL \"/y/;UID=3\" UTF8 (~{2+}\r\nü) TEXT ~{1+}\r\n\0)\r\n";
    let events = readings(input.as_bytes());
    let urls: Vec<_> = events
        .iter()
        .filter_map(|event| match event {
            Event::Reading(Reading::Append(AppendReading::Url(url))) => {
                Some((url.mailbox.clone(), url.uid.0))
            }
            _ => None,
        })
        .collect();
    assert_eq!(urls, [(None, 2), (Some(MailboxName("y".into())), 3)]);
    let rest: Vec<_> = events
        .into_iter()
        .filter(|event| !matches!(event, Event::Reading(Reading::Append(AppendReading::Url(_)))))
        .collect();
    let expected = [
        vec![begin("x", None), plain_message()],
        came(b"1", Synchronizing, Plain),
        came("ü".as_bytes(), NonSynchronizing, Utf8),
        came(b"\0", NonSynchronizing, Binary),
        vec![append(AppendReading::MessageEnd), append(AppendReading::End)],
    ]
    .concat();
    assert_eq!(rest, expected);
}

#[test]
fn appends_that_are_none_are_refused_and_read_away() {
    for (line, expected) in [
        ("APPEND", "the name of a mailbox"),
        ("APPEND x", "flags, a date or a literal"),
        ("APPEND x ", "a literal"),
        ("APPEND x y", "a literal"),
        ("APPEND x (\\Recent) {1+}\r\n1", "a flag"),
        ("APPEND x \"1-Jan-2000 00:00:00 +0000\" {1+}\r\n1", "a date and time"),
        ("APPEND x {1+}\r\n1{1+}\r\n2", "flags, a date or a literal"),
        ("APPEND x {1+}\r\n1 ", "a literal"),
        ("APPEND x UTF8 {1+}\r\n1", "`(`"),
        ("APPEND x UTF8 ({1+}\r\n1)", "a literal8"),
        ("APPEND x UTF8 (~{1+}\r\n1", "`)`"),
        ("APPEND x CATENATE ()", "TEXT, URL or UTF8"),
        ("APPEND x CATENATE (TEXT {1+}\r\n1 FOO {1+}\r\n2)", "TEXT, URL or UTF8"),
        ("APPEND x CATENATE (TEXT {1+}\r\n1", "a space or `)`"),
        ("APPEND x CATENATE (URL imap://other/x/;UID=1 TEXT {1+}\r\n1)", "leads to nothing"),
        ("REPLACE 0 x {1+}\r\n1", "the number of a message"),
        ("UID APPEND x {1+}\r\n1", "a command that has a UID form"),
        ("APPEND {x", "a literal"),
    ] {
        let events = readings(format!("a {line}\r\nb NOOP\r\n").as_bytes());
        let [.., Event::Reading(Reading::Refused { tag, problem, closes: false }), last] = &events[..] else {
            panic!("{line}: {events:?}")
        };
        assert!(problem.to_string().contains(expected), "{line}: {problem}");
        assert_eq!((tag, last), (&Some(Tag("a".into())), &noop("b")), "{line}");
    }
}

#[test]
fn dates_and_times_are_read_in_any_zone() {
    let date_of = |text: &str| {
        let events = readings(format!("a APPEND x \"{text}\" {{0+}}\r\n\r\n").as_bytes());
        events.iter().find_map(|event| match event {
            Event::Reading(Reading::Append(AppendReading::Message(message))) => {
                message.internal_date.map(Timestamp::seconds)
            }
            _ => None,
        })
    };
    for (text, expected) in [
        (" 1-Jan-1970 00:00:00 +0000", Some(0)),
        ("01-Jan-1970 01:00:00 +0100", Some(0)),
        ("31-Dec-1969 18:30:00 -0530", Some(0)),
        ("17-Jul-1996 02:44:25 -0700", Some(837_596_665)),
        ("29-feb-2000 23:59:59 +0000", Some(951_868_799)),
        // A leap second, and what comes before the epoch.
        ("31-Dec-2016 23:59:60 +0000", Some(1_483_228_799)),
        (" 1-Jan-1960 00:00:00 +0000", Some(0)),
        ("31-Dec-9999 23:59:59 +0000", Some(253_402_300_799)),
        ("1-Jan-1970 00:00:00 +0000", None),
        (" 01-Jan-1970 00:00:00 +0000", None),
        ("29-Feb-1999 00:00:00 +0000", None),
        ("01-Jan-1970 24:00:00 +0000", None),
        ("01-Jan-1970 00:60:00 +0000", None),
        ("01-Jan-1970 00:00:61 +0000", None),
        ("01-Jan-1970 00:00:00 +0060", None),
        ("01-Jan-1970 00:00:00 0000", None),
        ("01-Jan-1970 00:00:00", None),
        ("01-Jan-1970 00:00 +0000", None),
        ("01-Jan-70 00:00:00 +0000", None),
    ] {
        assert_eq!(date_of(text), expected, "{text}");
    }
}

#[test]
fn a_message_that_is_too_large_is_refused_before_it_comes() {
    let head = [begin("x", None), plain_message()];
    let whole = small(format!("a APPEND x {{100+}}\r\n{}\r\n", "y".repeat(100)).as_bytes());
    assert_eq!(whole.last(), Some(&append(AppendReading::End)));
    let too_large = GrammarError::MessageTooLarge(100);
    for input in [
        "a APPEND x {101}\r\nb NOOP\r\n".to_owned(),
        format!("a APPEND x {{101+}}\r\n{} {{3+}}\r\nzzz\r\nb NOOP\r\n", "y".repeat(101)),
    ] {
        assert_eq!(
            small(input.as_bytes()),
            [&head[..], &[refused("a", too_large.clone()), noop("b")]].concat()
        );
    }
    let budget = DISCARDED_BYTES_MAX + 100;
    let endless = format!("a APPEND x {{{}+}}\r\nb NOOP\r\n", budget + 1);
    assert_eq!(small(endless.as_bytes()), [&head[..], &[closes("a", too_large)]].concat());
}

#[test]
fn a_message_that_is_not_wanted_is_read_away_in_silence() {
    let head = |size, sync| [begin("x", None), plain_message(), literal(size, sync, Plain)];
    let refuse = |input: &[u8]| replay(&mut CommandReader::new(SMALL), SMALL, &[input], |_| false);
    let waits = refuse(b"a APPEND x {9}\r\nb NOOP\r\n");
    assert_eq!(waits, [&head(9, Synchronizing)[..], &[noop("b")]].concat());
    let at_once = refuse(b"a APPEND x {9+}\r\nc NOOP\r\n  {2+}\r\nzz\r\nb NOOP\r\n");
    assert_eq!(at_once, [&head(9, NonSynchronizing)[..], &[noop("b")]].concat());
    let endless = format!("a APPEND x {{9+}}\r\n123456789{}", " {9+}\r\n123456789".repeat(100_000));
    let events = refuse(endless.as_bytes());
    assert_eq!(events, [&head(9, NonSynchronizing)[..], &[closes("", GrammarError::Endless)]].concat());
}

/// What clients say, and what nobody should.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let said: Vec<Vec<u8>> = [
        &b"a NOOP\r\n"[..],
        b"a1 LOGIN {3}\r\nada {2+}\r\nxy\r\n",
        b"b APPEND INBOX (\\Seen) {12}\r\nSubject: x\r\n\r\n",
        b"c APPEND x {5+}\r\n12345 ~{3+}\r\n\0\0\0 UTF8 (~{2+}\r\nab)\r\n",
        b"d APPEND {1+}\r\nx CATENATE (URL {7+}\r\n/;UID=2 TEXT {3+}\r\nabc)\r\n",
        b"e UID REPLACE 7 x {5}\r\nabcde\r\n",
        b"f AUTHENTICATE PLAIN\r\nAGFkYQB4\r\n",
        b"g IDLE\r\nDONE\r\n",
        b"h FETCH 1:* (FLAGS BODY[HEADER.FIELDS (A)])\r\n",
        b"i SEARCH OR (NOT SEEN) TEXT {2+}\r\nhi\r\n",
        b"j LOGIN aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa b {3+}\r\n",
        b"k LOGIN {40+}\r\n",
        b"l APPEND x {200+}\r\n",
        b"{3}\r\n",
        b"{9+}\r\n",
        b"~{4+}\r\n",
        b"\"",
        b"(",
        b")",
        b" ",
        b"\r",
        b"\r\n",
        b"\n",
        b"\0",
        b"\xff",
    ]
    .iter()
    .map(|octets| octets.to_vec())
    .collect();
    prop_oneof![8 => prop::sample::select(said), 1 => prop::collection::vec(any::<u8>(), 0..12)]
}

proptest! {
    #[test]
    fn pieces_are_read_as_the_whole(
        fragments in prop::collection::vec(fragment(), 0..12),
        lengths in prop::collection::vec(1_usize..40, 1..8),
    ) {
        let input = fragments.concat();
        let accepts = |size| size % 3 != 0;
        let whole = replay(&mut CommandReader::new(SMALL), SMALL, &[&input], accepts);
        let octets: Vec<&[u8]> = input.chunks(1).collect();
        prop_assert_eq!(&replay(&mut CommandReader::new(SMALL), SMALL, &octets, accepts), &whole);
        let (mut pieces, mut rest) = (Vec::new(), &input[..]);
        for length in lengths.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*length).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        prop_assert_eq!(&replay(&mut CommandReader::new(SMALL), SMALL, &pieces, accepts), &whole);
    }

    #[test]
    fn names_in_modified_utf_7_are_read_as_they_were_written(name in "\\PC{0,40}") {
        let encoded = imap::name::to_modified_utf7(&name);
        prop_assert!(encoded.bytes().all(|octet| matches!(octet, b' '..=b'~')));
        prop_assert_eq!(imap::name::from_modified_utf7(encoded.as_bytes()), Ok(name));
    }

    #[test]
    fn what_is_read_as_modified_utf_7_is_written_the_same(encoded in "[ -~]{0,12}|(&[A-Za-z0-9+,]{0,12}-){1,3}") {
        if let Ok(name) = imap::name::from_modified_utf7(encoded.as_bytes()) {
            prop_assert_eq!(imap::name::to_modified_utf7(&name), encoded);
        }
    }

    #[test]
    fn strings_that_are_written_are_read_the_same(octets in prop::collection::vec(1_u8.., 0..60)) {
        let mut line = b"a LOGIN x ".to_vec();
        imap::response::astring(&octets, &mut line);
        line.extend_from_slice(b"\r\n");
        let mut events = readings(&line);
        events.retain(is_command);
        let [Event::Reading(Reading::Command(tagged))] = &events[..] else { panic!("{events:?}") };
        let Command::Login { password, .. } = &tagged.command else { panic!() };
        prop_assert_eq!(&password.0, &octets);
    }
}
