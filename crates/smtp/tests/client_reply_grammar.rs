//! Replies in both directions (RFC 5321 §4.2, RFC 2034), each limit with the row one past it, and EHLO's offers.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use smtp::grammar::reply::{
    BYTES_MAX, Extensions, LINE_BYTES_MAX, LINES_MAX, ReplyError, ReplyParser, SessionLimits, SizeOffer,
};
use types::Reply;

/// Reads one reply, in one piece and octet by octet, which must agree.
fn parse(octets: &[u8]) -> Result<Option<Reply>, ReplyError> {
    let mut whole = ReplyParser::default();
    let at_once = whole.feed(octets);
    let mut parser = ReplyParser::default();
    let mut one_by_one = Ok((0, None));
    for (index, octet) in octets.iter().enumerate() {
        match parser.feed(&[*octet]) {
            Ok((1, None)) => one_by_one = Ok((index + 1, None)),
            Ok((taken, reply)) => {
                one_by_one = Ok((index + taken, reply));
                break;
            }
            Err(error) => {
                one_by_one = Err(error);
                break;
            }
        }
    }
    assert_eq!(at_once, one_by_one, "{:?}", octets.escape_ascii().to_string());
    at_once.map(|(_, reply)| reply)
}

fn reply(code: u16, enhanced: &str, text: &str) -> Reply {
    Reply { code, enhanced: enhanced.parse().ok(), text: text.to_owned().into() }
}

#[test]
fn replies_are_read_and_written_back_octet_for_octet() {
    let rows: &[(&str, Reply)] = &[
        ("220 foo.com Service Ready\r\n", reply(220, "", "foo.com Service Ready")),
        (
            "250-First line\r\n250-Second line\r\n250-234 Text beginning with numbers\r\n250 The last line\r\n",
            reply(250, "", "First line\nSecond line\n234 Text beginning with numbers\nThe last line"),
        ),
        ("550 5.1.1 No such mailbox\r\n", reply(550, "5.1.1", "No such mailbox")),
        ("550-5.7.1 One\r\n550 5.7.1 two\r\n", reply(550, "5.7.1", "One\ntwo")),
        ("450 4.7.23 x\r\n", reply(450, "4.7.23", "x")),
        // The class must be that of the code, or it is only text (RFC 2034 §4).
        ("250 5.1.1 x\r\n", reply(250, "", "5.1.1 x")),
        ("250 2.0 x\r\n", reply(250, "", "2.0 x")),
        ("354 3.0.0 x\r\n", reply(354, "", "3.0.0 x")),
        ("571 5.7.1 x\r\n", reply(571, "5.7.1", "x")),
        ("599 x\r\n", reply(599, "", "x")),
        ("250 Grüße\r\n", reply(250, "", "Grüße")),
        ("250 \r\n", reply(250, "", "")),
    ];
    for (octets, expected) in rows {
        let read = parse(octets.as_bytes()).unwrap().unwrap();
        assert_eq!(read, *expected);
        let mut written = Vec::new();
        read.write_to(&mut written);
        assert_eq!(std::str::from_utf8(&written), Ok(*octets));
    }
}

#[test]
fn forms_that_are_read_and_written_in_another_way() {
    let rows: &[(&[u8], Reply)] = &[
        (b"250\r\n", reply(250, "", "")),
        (b"250-\r\n250\r\n", reply(250, "", "\n")),
        (b"550-5.7.1 One\r\n550 two\r\n", reply(550, "5.7.1", "One\ntwo")),
        (b"550-5.7.1\r\n550 5.7.1 two\r\n", reply(550, "5.7.1", "\ntwo")),
        (b"250 5\xff\xfe\r\n", reply(250, "", "5\u{fffd}\u{fffd}")),
        (b"250 a\tb\x1b[2J\x07\x7f\r\n", reply(250, "", "a b?[2J??")),
        (b"250 \xc2\x9b31m \xe2\x80\xaeabc\r\n", reply(250, "", "?31m ?abc")),
    ];
    for (octets, expected) in rows {
        assert_eq!(parse(octets), Ok(Some(expected.clone())));
    }
}

#[test]
fn what_is_no_reply_is_named() {
    let rows: &[(&[u8], ReplyError)] = &[
        (b"\r\n", ReplyError::Code(String::new())),
        (b"25\r\n", ReplyError::Code("25".to_owned())),
        (b"199 x\r\n", ReplyError::Code("199 x".to_owned())),
        (b"600 x\r\n", ReplyError::Code("600 x".to_owned())),
        (b"2a0 x\r\n", ReplyError::Code("2a0 x".to_owned())),
        (b" 250 x\r\n", ReplyError::Code(" 250 x".to_owned())),
        (b"HTTP/1.1 400 Bad Request\r\n", ReplyError::Code("HTTP/1.1 400 Bad Request".to_owned())),
        (b"2500 x\r\n", ReplyError::Separator("2500 x".to_owned())),
        (b"250x\r\n", ReplyError::Separator("250x".to_owned())),
        (b"250\tx\r\n", ReplyError::Separator("250 x".to_owned())),
        (b"250-a\r\n251 b\r\n", ReplyError::MixedCodes { first: 250, then: 251 }),
        (b"250-a\r\nb\r\n", ReplyError::Code("b".to_owned())),
        (b"250 x\n", ReplyError::BareLf("250 x".to_owned())),
        (b"250-x\r\n250 y\n", ReplyError::BareLf("250 y".to_owned())),
        (b"250 x\ry\r\n", ReplyError::BareCr("250 x?y".to_owned())),
        (b"250 x\r\r\n", ReplyError::BareCr("250 x?".to_owned())),
        (b"250 x\0\r\n", ReplyError::Nul("250 x?".to_owned())),
    ];
    for (octets, expected) in rows {
        assert_eq!(parse(octets), Err(expected.clone()));
    }
}

#[test]
fn an_excerpt_is_short_and_cannot_steer_a_terminal() {
    let Err(ReplyError::Code(excerpt)) = parse(format!("\x1b]0;{}\r\n", "x".repeat(1000)).as_bytes()) else {
        panic!("it is no reply");
    };
    assert!(excerpt.len() <= 64 && !excerpt.contains(char::is_control), "{excerpt}");
}

#[test]
fn a_line_at_the_limit_is_read_and_one_octet_more_is_not() {
    let line = |len: usize| format!("250 {}\r\n", "x".repeat(len - 6));
    assert!(parse(line(512).as_bytes()).unwrap().is_some(), "the RFC's own limit");
    assert!(parse(line(LINE_BYTES_MAX).as_bytes()).unwrap().is_some());
    assert_eq!(parse(line(LINE_BYTES_MAX + 1).as_bytes()), Err(ReplyError::LineTooLong));
    // It is refused before its end, which may never come.
    assert_eq!(parse("2".repeat(LINE_BYTES_MAX).as_bytes()), Ok(None));
    assert_eq!(parse("2".repeat(LINE_BYTES_MAX + 1).as_bytes()), Err(ReplyError::LineTooLong));
}

#[test]
fn a_reply_of_as_many_lines_as_the_limit_is_read_and_one_line_more_is_not() {
    let lines = |count: usize| format!("{}250 x\r\n", "250-x\r\n".repeat(count - 1));
    assert!(parse(lines(LINES_MAX).as_bytes()).unwrap().is_some());
    assert_eq!(parse(lines(LINES_MAX + 1).as_bytes()), Err(ReplyError::TooManyLines));
}

#[test]
fn a_reply_of_as_many_octets_as_the_limit_is_read_and_one_octet_more_is_not() {
    let long_line = format!("250-{}\r\n", "x".repeat(4090));
    assert_eq!(long_line.len(), LINE_BYTES_MAX);
    let begun = long_line.repeat(BYTES_MAX / LINE_BYTES_MAX - 1);
    let last = |len: usize| format!("{begun}250 {}\r\n", "x".repeat(len - 6));
    assert!(parse(last(LINE_BYTES_MAX).as_bytes()).unwrap().is_some());
    let one_more = format!("{begun}250-{}\r\n250 x\r\n", "x".repeat(LINE_BYTES_MAX - 12));
    assert_eq!(parse(one_more.as_bytes()), Err(ReplyError::TooLong));
}

#[test]
fn one_reply_is_taken_at_a_time_and_the_next_is_left() {
    let mut parser = ReplyParser::default();
    let octets = b"250-a\r\n250 b\r\n354 c\r\n2";
    let (taken, first) = parser.feed(octets).unwrap();
    assert_eq!((taken, first), (14, Some(reply(250, "", "a\nb"))));
    let (more, second) = parser.feed(&octets[taken..]).unwrap();
    assert_eq!((more, second), (7, Some(reply(354, "", "c"))));
    assert!(!parser.is_mid_reply());
    assert_eq!(parser.feed(&octets[taken + more..]), Ok((1, None)));
    assert!(parser.is_mid_reply());
}

#[test]
fn every_extension_is_a_typed_value_and_the_unknown_are_kept() {
    let offered = Extensions::parse(&reply(
        250,
        "",
        "SIZE is no offer on the first line\nsize 35882577\nPIPELINING\n8BITMIME\nSMTPUTF8\nCHUNKING\nBINARYMIME\n\
         DSN\nENHANCEDSTATUSCODES\nSTARTTLS\nAUTH plain SCRAM-SHA-256\nLIMITS MAILMAX=100 RCPTMAX=200\n\
         XCLIENT NAME ADDR\n\nREQUIRETLS\nMt-Priority MIXER\nDELIVERBY 60\nDELIVERBY 5\nHELP",
    ));
    assert_eq!(
        offered,
        Extensions {
            size: Some(SizeOffer::Max(35_882_577)),
            pipelining: true,
            eight_bit_mime: true,
            smtputf8: true,
            chunking: true,
            binarymime: true,
            dsn: true,
            enhanced_status_codes: true,
            starttls: true,
            auth: vec!["PLAIN".to_owned(), "SCRAM-SHA-256".to_owned()],
            require_tls: true,
            mt_priority: true,
            deliver_by_min_s: Some(60),
            limits: SessionLimits { mail_max: Some(100), rcpt_max: Some(200), rcpt_domain_max: None },
            unknown: vec!["XCLIENT NAME ADDR".to_owned(), "HELP".to_owned()],
        }
    );
    assert_eq!(Extensions::parse(&reply(250, "", "SIZE 5")), Extensions::default());
}

#[test]
fn size_limits_only_where_it_gives_a_number_over_zero() {
    let rows = [
        ("SIZE", SizeOffer::NoLimit),
        ("SIZE 0", SizeOffer::NoLimit),
        ("SIZE 1", SizeOffer::Max(1)),
        ("SIZE 18446744073709551615", SizeOffer::Max(u64::MAX)),
        ("SIZE 18446744073709551616", SizeOffer::NoLimit),
        ("SIZE -1", SizeOffer::NoLimit),
        ("SIZE +1", SizeOffer::NoLimit),
        ("SIZE x", SizeOffer::NoLimit),
        ("SIZE 10\nSIZE 20", SizeOffer::Max(10)),
    ];
    for (line, expected) in rows {
        assert_eq!(Extensions::parse(&reply(250, "", &format!("x\n{line}"))).size, Some(expected), "{line}");
    }
}

#[test]
fn limits_are_one_to_six_digits_and_over_zero() {
    let rows = [
        ("LIMITS MAILMAX=1", Some(1)),
        ("limits mailmax=999999", Some(999_999)),
        ("LIMITS MAILMAX=1000000", None),
        ("LIMITS MAILMAX=0", None),
        ("LIMITS MAILMAX=", None),
        ("LIMITS MAILMAX", None),
        ("LIMITS MAILMAX=+5", None),
        ("LIMITS MAILMAX=5x", None),
        ("LIMITS X=1 MAILMAX=7 MAILMAX=8", Some(7)),
    ];
    for (line, expected) in rows {
        let offered = Extensions::parse(&reply(250, "", &format!("x\n{line}")));
        assert_eq!(offered.limits.mail_max, expected, "{line}");
    }
}
