//! What holds for every input.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;

use common::{Driver, LoginFault, World, config, replay, unstuff};
use pop3::{
    Apop, Command, Config, Excerpt, Failure, Flow, LineReader, MultiLine, OUTPUT_BYTES_SOFT_MAX, Plaintext,
    Reading, Surrogate, TlsOffer, UNIQUE_ID_BYTES_MAX, WithoutUtf8,
};
use proptest::prelude::*;

fn stuffed<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    let (mut lines, mut out) = (MultiLine::new(), Vec::new());
    chunks.into_iter().for_each(|chunk| lines.push(chunk, &mut out));
    lines.finish(&mut out);
    out
}

/// Octets among which line ends and dots are common, as in mail that was made to harm.
fn dotty() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), Just(b'a'), any::<u8>()], 0..300)
}

/// Messages as most are: lines that end in CRLF.
fn lines() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec("[.a]{0,4}\r\n", 0..40).prop_map(|lines| lines.concat().into_bytes())
}

/// Command lines, right and wrong, and noise.
fn conversation() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => prop::sample::select(vec![
            "USER mrose\r\n", "PASS secret\r\n", "CAPA\r\n", "STAT\r\n", "LIST\r\n", "UIDL\r\n", "LIST 1\r\n",
            "UIDL 2\r\n", "RETR 1\r\n", "RETR 2\r\n", "TOP 1 1\r\n", "TOP 2 0\r\n", "DELE 1\r\n", "DELE 2\r\n",
            "RSET\r\n", "NOOP\r\n", "UTF8\r\n", "LANG\r\n", "LANG *\r\n", "QUIT\r\n", "AUTH\r\n", "AUTH PLAIN\r\n",
            "AUTH PLAIN AG1yb3NlAHNlY3JldA==\r\n", "AG1yb3NlAHNlY3JldA==\r\n", "AUTH LOGIN\r\n", "bXJvc2U=\r\n",
            "c2VjcmV0\r\n", "AUTH CRAM-MD5\r\n", "AUTH SCRAM-SHA-256 biwsbj1tcm9zZSxyPXg=\r\n", "*\r\n",
            "APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n", "NOOP\n", "RETR 3\r\n", "\r\n", "\r", "\n", "USER mrose\n", "STLS\r\n",
        ]).prop_map(|text| text.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 0..400),
        1 => "[A-Z]{3,4}( [0-9a-z-]{1,20}){0,3}\r\n".prop_map(String::into_bytes),
    ];
    prop::collection::vec(piece, 0..30).prop_map(|pieces| pieces.concat())
}

fn world() -> impl Strategy<Value = World> {
    let failure =
        || prop::option::weighted(0.2, prop_oneof![Just(Failure::Temporary), Just(Failure::Permanent)]);
    let login = prop::option::weighted(
        0.1,
        prop_oneof![Just(LoginFault::InUse), Just(LoginFault::TooSoon), Just(LoginFault::Unavailable)],
    );
    (dotty(), dotty(), login, failure(), failure(), 0..40_usize, 0..9_usize).prop_map(
        |(one, two, login, commit, read, octets, chunk_bytes)| World {
            login,
            commit,
            read: read.map(|failure| (octets, failure)),
            chunk_bytes,
            ..World::with_messages(&[&one, &two])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_message_of_crlf_lines_comes_back_from_an_independent_decoder(message in lines(), at in any::<prop::sample::Index>()) {
        let wire = stuffed([&message[..]]);
        let (content, after) = unstuff(&wire).unwrap();
        prop_assert_eq!(&content, &message);
        prop_assert!(after.is_empty());
        let (before, after) = message.split_at(at.index(message.len() + 1));
        prop_assert_eq!(stuffed([before, after]), wire);
    }

    #[test]
    fn any_message_ends_only_at_its_end_for_readers_of_crlf_and_of_lf(message in dotty()) {
        let wire = stuffed([&message[..]]);
        let (content, after) = unstuff(&wire).unwrap();
        prop_assert!(after.is_empty());
        prop_assert!(content.len() >= message.len());
        // A reader that takes LF for a line end, with or without CR before it.
        let lines: Vec<&[u8]> = wire.split_inclusive(|b| *b == b'\n').collect();
        let is_end = |line: &[u8]| matches!(line, b".\r\n" | b".\n");
        prop_assert_eq!(lines.iter().position(|line| is_end(line)), Some(lines.len() - 1));
        // And it gets the message back, whatever its octets are; one CRLF may have been added at the end.
        let lenient: Vec<u8> =
            lines[..lines.len() - 1].iter().flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect();
        let added = if message.is_empty() || message.ends_with(b"\r\n") { &b""[..] } else { b"\r\n" };
        prop_assert_eq!(lenient, [&message[..], added].concat());
    }

    #[test]
    fn chunks_make_no_difference_to_stuffing_and_to_top(
        message in dotty(),
        chunk_bytes in 1..20_usize,
        body_lines in 0..6_u64,
    ) {
        prop_assert_eq!(stuffed(message.chunks(chunk_bytes)), stuffed([&message[..]]));
        let (whole, _) = Excerpt::new(body_lines).measure(&message);
        let mut excerpt = Excerpt::new(body_lines);
        let mut octets = 0;
        for chunk in message.chunks(chunk_bytes) {
            let (wanted, flow) = excerpt.measure(chunk);
            octets += wanted;
            prop_assert!(wanted == chunk.len() || flow == Flow::Enough);
        }
        prop_assert_eq!(octets, whole);
    }

    #[test]
    fn top_is_header_blank_line_and_body_lines_by_a_reader_that_splits_at_lf(message in dotty(), body_lines in 0..6_usize) {
        let (octets, _) = Excerpt::new(body_lines as u64).measure(&message);
        let lines: Vec<&[u8]> = message.split_inclusive(|b| *b == b'\n').collect();
        let blank = lines.iter().position(|line| matches!(*line, b"\r\n" | b"\n"));
        let taken = blank.map_or(lines.len(), |blank| (blank + 1 + body_lines).min(lines.len()));
        prop_assert_eq!(octets, lines[..taken].concat().len());
    }

    #[test]
    fn any_octets_in_any_segments_get_the_same_answer_and_never_panic(
        input in conversation(),
        world in world(),
        within_tls in conversation(),
        tls in prop::sample::select(vec![TlsOffer::None, TlsOffer::Stls]),
        plaintext in prop::sample::select(vec![Plaintext::Allowed, Plaintext::OnlyWithTls]),
        without_utf8 in prop::sample::select(vec![WithoutUtf8::AsStored, WithoutUtf8::Surrogate]),
        has_sasl in any::<bool>(),
        has_apop in any::<bool>(),
        errors_max in 0..6_u32,
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let mechanisms = |names: &[&str]| -> Vec<String> {
            names.iter().filter(|_| has_sasl).map(|name| (*name).to_owned()).collect()
        };
        let config = Config {
            tls,
            plaintext,
            without_utf8,
            errors_max,
            mechanisms_clear: mechanisms(&["CRAM-MD5", "SCRAM-SHA-256"]),
            mechanisms_tls: mechanisms(&["PLAIN", "LOGIN"]),
            apop: if has_apop { Apop::Timestamp("<1896.697170952@dbc.mtview.ca.us>".into()) } else { Apop::Off },
            ..config()
        };
        let whole = replay(&config, &world, &[&input], &within_tls);
        let octets: Vec<&[u8]> = input.chunks(1).collect();
        prop_assert_eq!(&replay(&config, &world, &octets, &within_tls), &whole);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(input.len() + 1)).collect();
        cuts.extend([0, input.len()]);
        cuts.sort_unstable();
        let segments: Vec<&[u8]> = cuts.windows(2).map(|cut| &input[cut[0]..cut[1]]).collect();
        prop_assert_eq!(&replay(&config, &world, &segments, &within_tls), &whole);
        // Without TLS, all was consumed or the session closed; with TLS, that holds for both parts together.
        let sent = [input.len(), input.len() + within_tls.len()];
        let taken = whole.consumed + whole.dropped;
        prop_assert!(taken <= sent[1]);
        prop_assert!(whole.is_closed || sent.contains(&taken));
        prop_assert!(whole.output.starts_with(b"+OK "));
        // Only a QUIT after a login deletes.
        if let Some(deleted) = &whole.committed {
            prop_assert!(whole.is_closed && deleted.iter().all(|index| *index < 2));
        }
    }

    #[test]
    fn a_line_reader_never_holds_more_than_a_line(input in prop::collection::vec(any::<u8>(), 0..2000), max in 255..600_usize) {
        let mut reader = LineReader::new(max);
        let mut rest = &input[..];
        while !rest.is_empty() {
            let (consumed, reading) = reader.read(rest);
            prop_assert!(consumed > 0 && consumed <= rest.len());
            prop_assert!(reader.line().len() < max);
            if reading == Reading::Line {
                prop_assert!(reader.line().len() + 2 <= max && !reader.line().contains(&b'\n'));
            }
            rest = &rest[consumed..];
        }
    }

    #[test]
    fn what_a_command_prints_reads_back_as_the_same_command(line in "[A-Za-z]{3,4}( [ -~]{0,12})?") {
        if let Ok(command) = Command::parse(line.as_bytes()) {
            let printed = command.to_string();
            prop_assert!(printed.starts_with(&line.split(' ').next().unwrap().to_ascii_uppercase()));
            let hides = matches!(
                command,
                Command::Pass(_) | Command::Auth { initial_response: Some(_), .. } | Command::Apop { .. }
            );
            if !hides {
                prop_assert_eq!(Command::parse(printed.as_bytes()).unwrap().to_string(), printed);
            }
        }
    }
}

#[test]
fn the_mail_corpus_comes_back_bit_by_bit() {
    let Some(folder) = testdata::folder("mime") else { return };
    let mut messages = 0;
    for file in testdata::files_below(&folder) {
        let message = std::fs::read(&file).unwrap();
        let world = World { chunk_bytes: 4096, ..World::with_messages(&[&message]) };
        let mut driver = Driver::new(config(), world);
        driver.feed(b"UTF8\r\nUSER mrose\r\nPASS secret\r\n");
        let wire = driver.feed(b"RETR 1\r\n");
        let line = format!("+OK {} octets\r\n", message.len());
        let lines = wire.strip_prefix(line.as_bytes()).unwrap();
        let lines: Vec<&[u8]> = lines.split_inclusive(|b| *b == b'\n').collect();
        let (end, lines) = lines.split_last().unwrap();
        assert_eq!(*end, b".\r\n");
        let mut content: Vec<u8> =
            lines.iter().flat_map(|line| line.strip_prefix(b".").unwrap_or(line)).copied().collect();
        if !message.is_empty() && !message.ends_with(b"\r\n") {
            assert!(content.ends_with(b"\r\n"));
            content.truncate(content.len() - 2);
        }
        assert!(content == message, "{}", file.display());
        messages += 1;
    }
    assert!(messages > 100, "{messages} messages");
}

/// Behind the first empty line.
fn body_of(message: &[u8]) -> usize {
    let mut at = 0;
    for line in message.split_inclusive(|b| *b == b'\n') {
        at += line.len();
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
    }
    at
}

#[test]
fn the_mail_corpus_has_surrogates_with_ascii_headers_and_the_same_bodies() {
    let Some(folder) = testdata::folder("mime") else { return };
    let mut changed = 0;
    for file in testdata::files_below(&folder) {
        let message = std::fs::read(&file).unwrap();
        let made = |chunk_bytes| {
            let (mut surrogate, mut out) = (Surrogate::new(), Vec::new());
            message.chunks(chunk_bytes).for_each(|chunk| surrogate.push(chunk, &mut out));
            surrogate.finish(&mut out);
            out
        };
        let shown = made(4096);
        assert!(shown == made(1), "{}", file.display());
        let (header, body) = message.split_at(body_of(&message));
        let (shown_header, shown_body) = shown.split_at(shown.len() - body.len());
        assert!(shown_header.is_ascii() && shown_body == body, "{}", file.display());
        if header.is_ascii() {
            assert!(shown_header == header, "{}", file.display());
        } else {
            changed += 1;
        }
    }
    assert!(changed > 5, "{changed} messages");
}

#[test]
fn limits_are_those_of_the_rfcs() {
    assert_eq!(pop3::LINE_BYTES_MIN, 255, "RFC 2449 §4");
    assert_eq!(pop3::RESPONSE_LINE_BYTES_MAX, 512, "RFC 2449 §4");
    assert_eq!(UNIQUE_ID_BYTES_MAX, 70, "RFC 1939 §7");
    const { assert!(OUTPUT_BYTES_SOFT_MAX > 512) };
}
