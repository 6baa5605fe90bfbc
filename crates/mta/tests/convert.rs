//! Messages for hosts without 8BITMIME or BINARYMIME, by RFC 2045, 2046 and 6152; another implementation's expected
//! output; and that whoever decodes the result has the octets that were there before.

#![allow(clippy::unwrap_used, reason = "a test that fails has to say so")]

use mail_parser::{MessageParser, MimeHeaders, PartType};
use mta::convert::{Converter, DEPTH_MAX, NotConvertible, PARTS_MAX, Survey, Takes, convert};
use proptest::prelude::*;

fn seven(message: &str) -> Result<String, NotConvertible> {
    seven_octets(message.replace('\n', "\r\n").as_bytes())
}

fn seven_octets(message: &[u8]) -> Result<String, NotConvertible> {
    convert(message, Takes::SevenBit).map(|out| String::from_utf8(out).unwrap().replace("\r\n", "\n"))
}

fn in_pieces(message: &[u8], takes: Takes, size: usize) -> Result<Vec<u8>, NotConvertible> {
    let mut survey = Survey::new();
    message.chunks(size).for_each(|piece| survey.push(piece));
    let mut converter = Converter::new(survey.finish(takes)?);
    let mut out = Vec::new();
    message.chunks(size).for_each(|piece| converter.push(piece, &mut out));
    converter.finish(&mut out);
    Ok(out)
}

fn is_needed(message: &[u8], takes: Takes) -> bool {
    let mut survey = Survey::new();
    survey.push(message);
    survey.finish(takes).unwrap().is_needed()
}

/// The lines of a reference, without where they stand and without what is said about them.
fn reference(text: &str) -> String {
    let mut lines = String::new();
    let mut is_in_field = false;
    for line in text.lines() {
        let place = ["MAIN ", "MULT ", "NEST ", "BODY N "].iter().find_map(|place| line.strip_prefix(place));
        let content = place.and_then(|rest| rest.split_once("\t|"));
        match content {
            Some((_, content)) => lines.extend([content, "\n"]),
            None if is_in_field && line.starts_with([' ', '\t']) => lines.extend([line, "\n"]),
            None => {}
        }
        is_in_field = content.is_some() || (is_in_field && line.starts_with([' ', '\t']));
    }
    lines
}

#[test]
fn what_another_implementation_converts_becomes_the_same() {
    let Some(folder) = testdata::folder("mime/postfix-mime") else { return };
    for (input, expected) in [
        ("mime_cvt.in", "mime_cvt.ref"),
        ("mime_cvt.in2", "mime_cvt.ref2"),
        ("mime_cvt.in3", "mime_cvt.ref3"),
    ] {
        let input = std::fs::read_to_string(folder.join(input)).unwrap();
        let expected = reference(&std::fs::read_to_string(folder.join(expected)).unwrap());
        assert!(expected.lines().count() > 80);
        assert_eq!(seven(&input).unwrap(), expected);
    }
}

#[test]
fn what_another_implementation_leaves_as_it_is_stays_as_it_is() {
    let Some(folder) = testdata::folder("mime/postfix-mime") else { return };
    for name in ["test", "garb1", "garb2", "garb3", "garb4", "nest", "dom", "trunc"] {
        let input = std::fs::read_to_string(folder.join(format!("mime_{name}.in"))).unwrap();
        assert_eq!(seven(&input).as_deref(), Ok(&input[..]), "{name}");
    }
    let input = std::fs::read(folder.join("mime_8bit.in")).unwrap();
    let input = String::from_utf8_lossy(&input).replace('\n', "\r\n");
    assert_eq!(seven_octets(input.as_bytes()), Err(NotConvertible::Header));
}

/// RFC 6532 §3.7: `message/global` may be encoded as a whole.
#[test]
fn a_message_with_utf8_fields_inside_is_encoded_as_a_whole() {
    let Some(folder) = testdata::folder("mime/postfix-mime") else { return };
    let input = std::fs::read_to_string(folder.join("mime_global.in")).unwrap();
    let out = seven(&input).unwrap();
    assert!(out.contains("Content-Transfer-Encoding: 7bit\n"), "{out}");
    let part = out.split("--foobar\n").nth(1).unwrap();
    assert!(
        part.starts_with("content-type: message/global\nContent-Transfer-Encoding: quoted-printable\n\n")
    );
    assert!(part.contains("\nx=20\nxx=20\n"), "{part}");
}

#[test]
fn parts_are_encoded_by_what_they_are_and_keep_their_fields() {
    for (message, expected) in [
        // Text is for people to read, and its label stands where it stood.
        (
            "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: 8BIT\nSubject: x\n\n\
             Gr\u{fc}\u{df}e an alle = und an den Rest der Welt\n",
            "MIME-Version: 1.0\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\nSubject: x\n\n\
             Gr=C3=BC=C3=9Fe an alle =3D und an den Rest der Welt\n",
        ),
        // What says nothing of itself is said to be what nobody knows (RFC 1428 §3).
        (
            "Subject: x\n\nGr\u{fc}\u{df}e an alle und an den Rest der Welt\n",
            "Subject: x\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n\
             Content-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe an alle und an den Rest der Welt\n",
        ),
        // Where nearly all is quoted, base64 is shorter.
        (
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n\u{43f}\u{440}\u{438}\u{432}\u{435}\u{442}\n",
            "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64\n\n\
             0L/RgNC40LLQtdGCDQo=\n",
        ),
        // What is no text is base64, and its last line end belongs to the delimiter.
        (
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\
             Content-Type: application/x\n\n\u{fc}bc\n--b\n\nplain\n--b--\n",
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\
             Content-Type: application/x\nContent-Transfer-Encoding: base64\n\nw7xiYw==\n--b\n\nplain\n--b--\n",
        ),
        // A message in a message is walked, never encoded itself (RFC 2045 §6.4).
        (
            "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n\
             Subject: inner\n\n\u{fc} is inside\n",
            "MIME-Version: 1.0\nContent-Type: message/rfc822\nContent-Transfer-Encoding: 7bit\n\n\
             Subject: inner\nMIME-Version: 1.0\nContent-Type: text/plain; charset=unknown-8bit\n\
             Content-Transfer-Encoding: quoted-printable\n\n=C3=BC is inside\n",
        ),
        // So is one in a digest, which need not say that it is one (RFC 2046 §5.1.5).
        (
            "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nMIME-Version: 1.0\n\
             Content-Type: text/plain\n\n\u{fc} is inside\n--b--\n",
            "MIME-Version: 1.0\nContent-Type: multipart/digest; boundary=b\n\n--b\n\nMIME-Version: 1.0\n\
             Content-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC is inside\n--b--\n",
        ),
        // The delimiter of the outer multipart ends the inner one, which has no end of its own.
        (
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\
             Content-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: text/plain\n\n\u{fc} is inside\n\
             --a\nContent-Type: text/plain\n\n\u{fc} is inside\n--ab\nstill\n--a--\n",
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\n\
             Content-Type: multipart/mixed; boundary=ab\n\n--ab\nContent-Type: text/plain\n\
             Content-Transfer-Encoding: quoted-printable\n\n=C3=BC is inside\n\
             --a\nContent-Type: text/plain\nContent-Transfer-Encoding: quoted-printable\n\n\
             =C3=BC is inside\n=2D-ab\nstill\n--a--\n",
        ),
        // A part that never ends goes to the end.
        (
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b c\" \n\n--b c\t\n\
             Content-Type: text/html\n\n\u{fc} is inside \n",
            "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"b c\" \n\n--b c\t\n\
             Content-Type: text/html\nContent-Transfer-Encoding: quoted-printable\n\n=C3=BC is inside=20\n",
        ),
    ] {
        assert_eq!(seven(message).as_deref(), Ok(expected), "{message}");
    }
}

#[test]
fn eight_bit_text_that_no_part_can_encode_is_not_convertible() {
    const MIXED: &str = "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n";
    let mixed = |rest: &str| format!("{MIXED}{rest}");
    let typed = |content: &str| mixed(&format!("--b\nContent-Type: {content}\n\n\u{fc}\n--b--\n"));
    use NotConvertible::{AlreadyEncoded, BetweenParts, Header, Malformed, MediaType, Sealed, TooManyParts};
    for (message, why) in [
        ("Subject: \u{fc}\n\nx\n".to_owned(), Header),
        (mixed("--b\nContent-Disposition: attachment; filename=\u{fc}\n\nx\n--b--\n"), Header),
        (mixed("--b\nContent-Type: message/rfc822\n\nSubject: \u{fc}\n\nx\n--b--\n"), Header),
        (mixed("\u{fc}\n--b\n\nx\n--b--\n"), BetweenParts),
        (mixed("--b\n\nx\n--b--\n\u{fc}\n"), BetweenParts),
        (typed("multipart/signed; boundary=s; protocol=\"application/pgp-signature\""), Sealed),
        (typed("multipart/encrypted; boundary=s"), Sealed),
        (typed("message/partial; number=1; id=x"), MediaType),
        (typed("message/external-body; access-type=URL"), MediaType),
        (typed("message/delivery-status"), MediaType),
        (typed("text/plain\nContent-Transfer-Encoding: quoted-printable"), AlreadyEncoded),
        (typed("application/x\nContent-Transfer-Encoding: base64"), AlreadyEncoded),
        (typed("application/x\nContent-Transfer-Encoding: x-uuencode"), AlreadyEncoded),
        (typed("message/rfc822\nContent-Transfer-Encoding: base64"), MediaType),
        (typed("multipart/mixed"), Malformed),
        (typed("multipart/mixed; boundary=x; boundary=y"), Malformed),
        (typed("multipart/mixed; boundary*0=x; boundary*1=y"), Malformed),
        (typed("multipart/mixed; boundary=\"\""), Malformed),
        (typed("text/plain\nContent-Type: text/html"), Malformed),
        (typed("text/plain\njunk"), Malformed),
        (mixed(&"--b\n\nx\n".repeat(PARTS_MAX)) + "--b\n\n\u{fc}\n", TooManyParts),
    ] {
        assert_eq!(seven(&message), Err(why), "{}", &message[..message.len().min(300)]);
        // The same with what any host takes is no matter.
        let plain = message.replace('\u{fc}', "u");
        assert!(seven(&plain).is_ok() && !is_needed(plain.replace('\n', "\r\n").as_bytes(), Takes::SevenBit));
    }
}

#[test]
fn nesting_is_followed_to_its_limit_and_no_further() {
    let nested = |depth: usize| {
        let open = |level| format!("Content-Type: multipart/mixed; boundary=b{level}x\n\n--b{level}x\n");
        let levels: String = (0..depth).map(open).collect();
        format!("MIME-Version: 1.0\n{levels}Content-Type: text/plain\n\n\u{fc} is inside\n")
    };
    assert!(seven(&nested(DEPTH_MAX)).unwrap().ends_with("\n\n=C3=BC is inside\n"));
    assert_eq!(seven(&nested(DEPTH_MAX + 1)), Err(NotConvertible::TooManyParts));
    let plain = nested(10_000).replace('\u{fc}', "u");
    assert_eq!(seven(&plain).as_deref(), Ok(&plain[..]));
    let messages = "Content-Type: message/rfc822\n\n".repeat(PARTS_MAX + 1) + "Subject: x\n\n\u{fc}\n";
    assert_eq!(seven(&messages), Err(NotConvertible::TooManyParts));
}

#[test]
fn a_message_that_every_host_takes_needs_nothing_whatever_it_says_of_itself() {
    let labelled = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: binary\r\n\r\nplain\r\n";
    assert!(!is_needed(labelled, Takes::SevenBit) && !is_needed(labelled, Takes::EightBit));
    let eight = "MIME-Version: 1.0\r\n\r\n\u{fc}\r\n".as_bytes();
    assert!(is_needed(eight, Takes::SevenBit) && !is_needed(eight, Takes::EightBit));
    assert_eq!(convert(eight, Takes::EightBit).unwrap(), eight);
    let header = "Subject: \u{fc}\r\n\r\n\u{fc}\r\n".as_bytes();
    assert_eq!(convert(header, Takes::EightBit).unwrap(), header);
    let long = [&labelled[..], &[b'x'; 999], b"\r\n"].concat();
    assert!(is_needed(&long, Takes::EightBit));
}

/// RFC 3030 §3: without BINARYMIME a message has lines and no NUL.
#[test]
fn binary_parts_are_encoded_for_a_host_with_8bitmime_and_eight_bit_ones_stay() {
    let message = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\
        Content-Transfer-Encoding: binary\r\n\r\n--b\r\nContent-Type: image/x\r\n\
        Content-Transfer-Encoding: binary\r\n\r\n\x00\r\n\r\r\n\n\r\n--b\r\nContent-Type: text/plain\r\n\
        Content-Transfer-Encoding: binary\r\n\r\n\xfc\r\n--b\r\nContent-Type: text/plain\r\n\
        Content-Transfer-Encoding: 8bit\r\n\r\n\xfc\r\n--b--";
    let expected = b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\
        Content-Transfer-Encoding: 8bit\r\n\r\n--b\r\nContent-Type: image/x\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nAA0KDQ0KCg==\r\n--b\r\nContent-Type: text/plain\r\n\
        Content-Transfer-Encoding: 8bit\r\n\r\n\xfc\r\n--b\r\nContent-Type: text/plain\r\n\
        Content-Transfer-Encoding: 8bit\r\n\r\n\xfc\r\n--b--";
    assert_eq!(convert(message, Takes::EightBit).unwrap(), expected);
    let bare = b"Subject: x\r\n\r\na\nb\rc\r\n no line end \xfc";
    let out = convert(bare, Takes::SevenBit).unwrap();
    assert!(
        out.ends_with(b"\r\n\r\na=0Ab=0Dc\r\n no line end =FC=\r\n"),
        "{}",
        String::from_utf8_lossy(&out)
    );
    assert_eq!(convert(b"Subject: \0\r\n\r\n", Takes::EightBit), Err(NotConvertible::Header));
}

#[test]
fn no_line_of_the_result_looks_like_a_delimiter_that_was_none() {
    let long = format!("{}--b\n", "x".repeat(73));
    let message = format!(
        "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain\n\n\
         \u{fc}\n--bb\n{long}--b--\n"
    );
    let out = seven(&message).unwrap();
    let delimiters: Vec<_> = out.lines().filter(|line| line.starts_with("--")).collect();
    assert_eq!(delimiters, ["--b", "--b--"]);
}

#[test]
fn a_line_without_end_takes_no_memory_and_breaks_nothing() {
    for filler in [&b"\r"[..], b"\n", b"x", b"\0", b"--", b" ", b"\xfc"] {
        let body = filler.repeat(100_000);
        let message = [b"MIME-Version: 1.0\r\nContent-Type: application/x\r\n\r\n", &body[..]].concat();
        let out = convert(&message, Takes::SevenBit).unwrap();
        let parsed = MessageParser::new().parse(&out).unwrap();
        assert_eq!(parsed.parts[0].contents(), body);
        assert_eq!(out, in_pieces(&message, Takes::SevenBit, 2047).unwrap());
    }
}

/// What a reader makes of the parts that are no multiparts: their type and their octets.
fn decoded(message: &[u8]) -> Vec<(String, Vec<u8>)> {
    fn add(message: &mail_parser::Message<'_>, parts: &mut Vec<(String, Vec<u8>)>) {
        for part in &message.parts {
            let kind = part.content_type().map(|kind| format!("{kind:?}")).unwrap_or_default();
            match &part.body {
                PartType::Multipart(_) => {}
                PartType::Message(inner) => add(inner, parts),
                _ => parts.push((kind, part.contents().to_vec())),
            }
        }
    }
    let mut parts = Vec::new();
    if let Some(message) = MessageParser::new().parse(message) {
        add(&message, &mut parts);
    }
    parts
}

#[test]
fn real_mail_is_decoded_to_what_it_was() {
    let Some(folder) = testdata::folder("mime") else { return };
    let (mut same, mut converted, mut refused) = (0, 0, 0);
    for file in testdata::files_below(&folder) {
        let message = std::fs::read(&file).unwrap();
        let message: Vec<u8> =
            message.split_inclusive(|octet| *octet == b'\n').fold(Vec::new(), |mut all, line| {
                let text = line.strip_suffix(b"\n").unwrap_or(line);
                all.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
                all.extend_from_slice(b"\r\n");
                all
            });
        match convert(&message, Takes::SevenBit) {
            Ok(out) => {
                assert!(out.is_ascii(), "{}", file.display());
                let kinds =
                    |parts: Vec<(String, Vec<u8>)>| parts.into_iter().map(|part| part.1).collect::<Vec<_>>();
                assert_eq!(kinds(decoded(&message)), kinds(decoded(&out)), "{}", file.display());
                *if out == message { &mut same } else { &mut converted } += 1;
            }
            Err(_) => refused += 1,
        }
    }
    assert!(converted >= 20 && same >= 500, "{converted} converted, {same} the same, {refused} not");
}

/// A message of a few parts in one another, with any octets in them.
fn entity() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[ -~\u{e0}-\u{ff}\t]{0,200}".prop_map(String::into_bytes),
        prop::collection::vec(
            prop::sample::select(vec!["\r\n", "--b", "--", "\u{fc}", " ", "\t", "=", ".", "x"]),
            0..60
        )
        .prop_map(|words| words.concat().into_bytes()),
    ];
    let label = prop::sample::select(vec![
        "",
        "Content-Transfer-Encoding: 8bit\r\n",
        "Content-Transfer-Encoding: binary\r\n",
    ]);
    let kind =
        prop::sample::select(vec!["text/plain; charset=iso-8859-1", "application/octet-stream", "image/png"]);
    let leaf = (kind, label, body).prop_map(|(kind, label, body)| {
        [format!("Content-Type: {kind}\r\n{label}\r\n").as_bytes(), &body].concat()
    });
    leaf.prop_recursive(3, 12, 4, |inner| {
        (prop::collection::vec(inner, 1..4), "[a-z]{8}").prop_map(|(parts, boundary)| {
            let mut all = format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n").into_bytes();
            for part in parts {
                all.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
                all.extend_from_slice(&part);
                all.extend_from_slice(b"\r\n");
            }
            all.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
            all
        })
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn who_decodes_the_result_has_the_octets_that_were_there(entity in entity()) {
        let message = [b"MIME-Version: 1.0\r\n", &entity[..]].concat();
        let out = convert(&message, Takes::SevenBit).unwrap();
        prop_assert!(out.is_ascii() && !out.contains(&0));
        let text = String::from_utf8(out.clone()).unwrap();
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 998 && !line.contains(['\r', '\n'])));
        prop_assert_eq!(decoded(&message), decoded(&out));
        // What was converted needs no more.
        prop_assert_eq!(convert(&out, Takes::SevenBit), Ok(out));
    }

    #[test]
    fn it_is_the_same_however_the_message_comes(entity in entity(), size in 1_usize..100, eight: bool) {
        let message = [b"MIME-Version: 1.0\r\n", &entity[..]].concat();
        let takes = if eight { Takes::EightBit } else { Takes::SevenBit };
        prop_assert_eq!(in_pieces(&message, takes, size), convert(&message, takes));
    }

    #[test]
    fn whatever_comes_is_seven_bit_or_refused(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "Content-Type: ", "multipart/mixed", "message/rfc822", "text/plain", "; boundary=b", "; boundary=\"b", "\r\n",
            "\r\n\r\n", "--b\r\n", "--b--", "--bb\r\n", "\u{fc}", "\n", "\r", "\0", " ", "(", ")", "\\", "\"",
            "Content-Transfer-Encoding: 8bit\r\n", "junk",
        ]), 0..60),
    ) {
        let message = pieces.concat().into_bytes();
        if let Ok(out) = convert(&message, Takes::SevenBit) {
            prop_assert!(out.is_ascii() && !out.contains(&0));
            prop_assert!(!is_needed(&out, Takes::SevenBit));
        }
    }
}
