//! Tables of command lines, from RFC 5321 §4.1 and the extensions.

use types::BodyType;

use super::*;

fn code(line: &str) -> u16 {
    parse(line.as_bytes()).map_or_else(|error| error.reply().code, |_| 250)
}

#[test]
fn verbs_are_read_in_any_case_and_with_white_space_at_the_end() {
    for line in ["QUIT", "quit", "qUiT", "QUIT  ", "QUIT\t"] {
        assert_eq!(parse(line.as_bytes()), Ok(Command::Quit), "{line:?}");
    }
    assert_eq!(parse(b"NOOP whatever it says"), Ok(Command::Noop));
    assert_eq!(parse(b"help Mail"), Ok(Command::Help(Some("Mail"))));
    let lookup = |argument, smtputf8| Lookup { argument, smtputf8 };
    assert_eq!(parse(b"VRFY  Fred Bloggs"), Ok(Command::Vrfy(lookup("Fred Bloggs", false))));
    // RFC 6531 §3.7.4.2
    assert_eq!(parse(b"VRFY Fred Bloggs smtputf8"), Ok(Command::Vrfy(lookup("Fred Bloggs", true))));
    assert_eq!(parse("EXPN später SMTPUTF8".as_bytes()), Ok(Command::Expn(lookup("später", true))));
    assert_eq!(parse(b"EXPN SMTPUTF8"), Ok(Command::Expn(lookup("SMTPUTF8", false))));
}

#[test]
fn mail_is_read_with_its_parameters() {
    let Ok(Command::Mail(mail)) =
        parse("MAIL FROM:<\"a b\"@example.org> SIZE=42 body=8bitmime SMTPUTF8".as_bytes())
    else {
        panic!("not taken")
    };
    assert_eq!(mail.reverse_path.to_string(), "<\"a b\"@example.org>");
    assert_eq!(
        (mail.size_bytes, mail.parameters.body_type, mail.parameters.smtputf8),
        (Some(42), BodyType::EightBitMime, true)
    );
    let Ok(Command::Mail(mail)) = parse(b"MAIL FROM:<> SIZE=99999999999999999999") else {
        panic!("not taken")
    };
    assert_eq!((mail.reverse_path, mail.size_bytes), (ReversePath::Null, Some(u64::MAX)));
}

#[test]
fn each_refusal_has_the_code_that_the_rfc_gives_it() {
    for (line, expected) in [
        // RFC 5321 §4.2.4: 500 for what is no command, 502 for what is one and is not implemented.
        ("", 500),
        ("FOO", 500),
        (" NOOP", 500),
        ("MAILFROM:<a@b.example>", 500),
        ("NOOP\u{1b}", 500),
        ("TURN", 250),
        // §4.1.1.1: a domain or a literal.
        ("EHLO", 501),
        ("EHLO ", 501),
        ("HELO a b", 501),
        ("EHLO [127.0.0.1]", 250),
        ("EHLO [127.0.0.300]", 501),
        ("EHLO -x", 501),
        // §4.1.1.2 and §4.1.1.3
        ("MAIL", 501),
        ("MAIL FROM", 501),
        ("MAIL <a@b.example>", 501),
        ("MAIL FROM:a@b.example", 501),
        ("MAIL FROM:<a@b.example", 501),
        ("MAIL FROM: <a@b.example>", 250),
        ("mail from:<a@b.example>", 250),
        ("MAIL TO:<a@b.example>", 501),
        ("MAIL FROM:<a@b.example>SIZE=1", 501),
        ("MAIL FROM:<a@b.example> SIZE=1 SIZE=1", 501),
        ("MAIL FROM:<a@b.example> SIZE", 501),
        ("MAIL FROM:<a@b.example> SIZE=x", 501),
        ("MAIL FROM:<a@b.example> SIZE=-1", 501),
        ("MAIL FROM:<a@b.example> SIZE=123456789012345678901", 501),
        ("MAIL FROM:<a@b.example> BODY=9BIT", 504),
        ("MAIL FROM:<a@b.example> BODY", 501),
        ("MAIL FROM:<a@b.example> SMTPUTF8=1", 501),
        ("MAIL FROM:<a@b.example> FOO", 555),
        ("MAIL FROM:<a@b.example> FOO=bar", 555),
        ("MAIL FROM:<a@b.example> =bar", 501),
        ("MAIL FROM:<a@b.example> FOO=a=b", 501),
        ("RCPT TO:<>", 501),
        ("RCPT TO:<postmaster>", 250),
        ("RCPT TO:<fred>", 501),
        ("RCPT TO:<@a.example,@b.example:c@d.example>", 250),
        ("RCPT TO:<a@b.example> FOO=1", 555),
        ("RCPT FROM:<a@b.example>", 501),
        // §4.1.1.4 ff.: no arguments.
        ("DATA x", 501),
        ("RSET x", 501),
        ("QUIT x", 501),
        ("VRFY", 501),
        ("EXPN", 501),
        ("HELP", 250),
        // RFC 3030 §2
        ("BDAT", 501),
        ("BDAT x", 501),
        ("BDAT -1", 501),
        ("BDAT 1 FIRST", 501),
        ("BDAT 0", 250),
        ("BDAT 1 last", 250),
        ("BDAT 99999999999999999999", 501),
        // RFC 1985 §5 and §7
        ("ETRN", 500),
        ("ETRN localname", 501),
        ("ETRN sigurd.example", 250),
        ("ETRN @sigurd.example", 250),
        ("ETRN @example", 501),
        ("ETRN #uucp", 250),
        ("ETRN #", 501),
        // RFC 2645 §5.2.1
        ("ATRN", 250),
        ("ATRN example.org,example.com", 250),
        ("ATRN example.org,,example.com", 501),
        ("ATRN org", 501),
        // RFC 821 §3.8
        ("TURN x", 501),
    ] {
        assert_eq!(code(line), expected, "{line:?}");
    }
}

#[test]
fn octets_that_are_not_utf8_are_no_command() {
    assert_eq!(parse(b"MAIL FROM:<\xff@b.example>"), Err(CommandError::Malformed));
    assert_eq!(parse(b"NO\0OP"), Err(CommandError::Malformed));
}
