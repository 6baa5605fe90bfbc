//! The primitives: strings, names, flags, dates, sets. Each appends to `out`, and writes no space around itself.

use types::Timestamp;
use types::mailstore::{Flags, Uid};

use crate::command::MailboxName;
use crate::date::{MONTHS, day_of};
use crate::name::NameEncoding;

/// Octets of a string that is shown in quotes at most; a longer one is a literal, which readers take in one piece.
pub const QUOTED_BYTES_MAX: usize = 1000;

/// How a literal is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiteralForm {
    /// `{n}`: octets other than NUL.
    Plain,
    /// `~{n}`: any octets (RFC 9051 §4.3, RFC 3516).
    Binary,
}

/// `"…"`. What no quoted string of RFC 3501 holds is shown as `?`: only for text of this server's own making, or that
/// [`string`] has looked at.
///
/// ```text
/// quoted = DQUOTE *QUOTED-CHAR DQUOTE
/// ```
pub fn quoted(text: &[u8], out: &mut Vec<u8>) {
    write_quoted(text, classes_of(text), out);
}

/// A string: in quotes where it is short and 7-bit, else a literal. NUL, which a literal must not hold, is shown as `?`.
pub fn string(octets: &[u8], out: &mut Vec<u8>) {
    let classes = classes_of(octets);
    if octets.len() <= QUOTED_BYTES_MAX && classes & UNQUOTABLE == 0 {
        write_quoted(octets, classes, out);
    } else {
        literal(octets, out);
    }
}

/// What no quoted string holds; what stands behind a backslash there.
const UNQUOTABLE: u8 = 1;
const ESCAPED: u8 = 2;

const CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0x80;
    while octet < classes.len() {
        classes[octet] = UNQUOTABLE;
        octet += 1;
    }
    classes[0] = UNQUOTABLE;
    classes[b'\r' as usize] = UNQUOTABLE;
    classes[b'\n' as usize] = UNQUOTABLE;
    classes[b'"' as usize] = ESCAPED;
    classes[b'\\' as usize] = ESCAPED;
    classes
};

/// Those of all octets together: one look at each, without a branch, since nearly all strings are of plain ones.
fn classes_of(octets: &[u8]) -> u8 {
    octets.iter().fold(0, |classes, octet| classes | CLASSES[usize::from(*octet)])
}

/// `classes` are those of the text.
fn write_quoted(text: &[u8], classes: u8, out: &mut Vec<u8>) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    if classes == 0 {
        out.extend_from_slice(text);
    } else {
        for &octet in text {
            match CLASSES[usize::from(octet)] {
                ESCAPED => out.extend_from_slice(&[b'\\', octet]),
                UNQUOTABLE => out.push(b'?'),
                _ => out.push(octet),
            }
        }
    }
    out.push(b'"');
}

/// `NIL` or a [`string`].
pub fn nstring(octets: Option<&[u8]>, out: &mut Vec<u8>) {
    match octets {
        Some(octets) => string(octets, out),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// An atom where it can be one and is not `NIL`, else a [`string`].
pub fn astring(octets: &[u8], out: &mut Vec<u8>) {
    if !octets.is_empty() && octets.iter().all(|octet| is_astring_char(*octet)) && !is_nil(octets) {
        out.extend_from_slice(octets);
    } else {
        string(octets, out);
    }
}

/// `{n}` CRLF and the octets.
pub fn literal(octets: &[u8], out: &mut Vec<u8>) {
    literal_header(LiteralForm::Plain, octets.len() as u64, out);
    out.extend(octets.iter().map(|octet| if *octet == 0 { b'?' } else { *octet }));
}

/// `{n}` CRLF or `~{n}` CRLF: the octets follow.
pub fn literal_header(form: LiteralForm, size_bytes: u64, out: &mut Vec<u8>) {
    out.extend_from_slice(match form {
        LiteralForm::Plain => b"{",
        LiteralForm::Binary => b"~{",
    });
    number(size_bytes, out);
    out.extend_from_slice(b"}\r\n");
}

/// Decimal digits.
pub fn number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        // Below ten.
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The name of a mailbox: modified UTF-7 (RFC 3501 §5.1.3), or UTF-8 (RFC 9051 §5.1, RFC 6855 §3) in quotes.
pub fn mailbox_name(name: &MailboxName, encoding: NameEncoding, out: &mut Vec<u8>) {
    match encoding {
        NameEncoding::ModifiedUtf7 => {
            let encoded = crate::name::to_modified_utf7(&name.0);
            astring(encoded.as_bytes(), out);
        }
        NameEncoding::Utf8 if name.0.is_ascii() => astring(name.0.as_bytes(), out),
        NameEncoding::Utf8 => {
            out.push(b'"');
            for character in name.0.chars() {
                match character {
                    '"' | '\\' => out.extend_from_slice(&[b'\\', character as u8]),
                    '\0' | '\r' | '\n' => out.push(b'?'),
                    _ => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
                }
            }
            out.push(b'"');
        }
    }
}

/// `(\Seen $Forwarded)`: keywords at their places in `keywords`; one that has none there is passed over.
pub fn flag_list(flags: Flags, keywords: &[String], out: &mut Vec<u8>) {
    out.push(b'(');
    let start = out.len();
    for (flag, name) in SYSTEM_FLAGS {
        if flags.contains(*flag) {
            out.extend_from_slice(name.as_bytes());
            out.push(b' ');
        }
    }
    if flags.without(Flags::SYSTEM) != Flags::NONE {
        for keyword in flags.keywords().filter_map(|index| keywords.get(index)) {
            out.extend_from_slice(keyword.as_bytes());
            out.push(b' ');
        }
    }
    if out.len() > start {
        out.pop();
    }
    out.push(b')');
}

/// `"22-Nov-2026 04:35:24 +0000"`, always in UTC (RFC 9051 §9 `date-time`).
pub fn internal_date(at: Timestamp, out: &mut Vec<u8>) {
    out.push(b'"');
    out.extend_from_slice(&date_time_bytes(at));
    out.push(b'"');
}

/// A `date-time` without its quotes. A year past 9999 is shown as 9999.
#[must_use]
pub fn date_time_bytes(at: Timestamp) -> [u8; 26] {
    let (date, second) = day_of(at);
    let mut text = *b"00-Jan-0000 00:00:00 +0000";
    let mut two = |at: usize, number: i64| {
        // Both digits are below ten.
        text[at] = b'0' + (number / 10 % 10) as u8;
        text[at + 1] = b'0' + (number % 10) as u8;
    };
    let year = date.year.min(9999);
    two(0, i64::from(date.day));
    two(7, year / 100);
    two(9, year % 100);
    two(12, second / 3600);
    two(15, second / 60 % 60);
    two(18, second % 60);
    text[3..6].copy_from_slice(MONTHS[usize::from(date.month - 1)].as_bytes());
    text
}

/// UIDs as a set in the order in which they are given, runs as ranges: `3:5,9`. Nothing where there are none.
pub fn uid_set(uids: &[Uid], out: &mut Vec<u8>) {
    number_set(uids.iter().map(|uid| uid.0), out);
}

/// Numbers as a set in the order in which they come, ascending runs as ranges.
pub fn number_set(numbers: impl IntoIterator<Item = u32>, out: &mut Vec<u8>) {
    let mut numbers = numbers.into_iter();
    let Some(first) = numbers.next() else { return };
    let (mut from, mut to) = (first, first);
    for next in numbers {
        if to.checked_add(1) == Some(next) {
            to = next;
            continue;
        }
        range(from, to, out);
        out.push(b',');
        (from, to) = (next, next);
    }
    range(from, to, out);
}

/// A MAILBOXID, EMAILID or THREADID (RFC 8474 §4) of a letter, which keeps the three apart, and a number: `M17`.
pub fn object_id(letter: u8, number: u128, out: &mut Vec<u8>) {
    out.push(letter);
    out.extend_from_slice(number.to_string().as_bytes());
}

fn range(from: u32, to: u32, out: &mut Vec<u8>) {
    number(u64::from(from), out);
    if from != to {
        out.push(b':');
        number(u64::from(to), out);
    }
}

/// `ASTRING-CHAR` of RFC 9051 §9: ATOM-CHAR or `]`.
pub(crate) const fn is_astring_char(octet: u8) -> bool {
    is_atom_char(octet) || octet == b']'
}

/// `ATOM-CHAR` of RFC 9051 §9.
pub(crate) const fn is_atom_char(octet: u8) -> bool {
    matches!(octet, 0x21..=0x7e) && !matches!(octet, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']')
}

fn is_nil(octets: &[u8]) -> bool {
    octets.eq_ignore_ascii_case(b"NIL")
}

/// As they are shown.
pub(crate) const SYSTEM_FLAGS: &[(Flags, &str)] = &[
    (Flags::ANSWERED, "\\Answered"),
    (Flags::FLAGGED, "\\Flagged"),
    (Flags::DELETED, "\\Deleted"),
    (Flags::SEEN, "\\Seen"),
    (Flags::DRAFT, "\\Draft"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn strings_are_quoted_where_they_can_be() {
        for (octets, expected) in [
            (&b""[..], "\"\""),
            (b"a b", "\"a b\""),
            (b"a\"\\", "\"a\\\"\\\\\""),
            (b"a\r\nb", "{4}\r\na\r\nb"),
            ("é".as_bytes(), "{2}\r\né"),
            (b"a\0b", "{3}\r\na?b"),
        ] {
            assert_eq!(written(|out| string(octets, out)), expected);
        }
        let long = vec![b'x'; QUOTED_BYTES_MAX + 1];
        assert!(written(|out| string(&long, out)).starts_with("{1001}\r\n"));
        assert!(written(|out| string(&long[1..], out)).starts_with("\"x"));
        assert_eq!(written(|out| nstring(None, out)), "NIL");
        assert_eq!(written(|out| nstring(Some(b"NIL"), out)), "\"NIL\"");
    }

    #[test]
    fn an_astring_is_an_atom_where_it_can_be() {
        for (octets, expected) in [
            ("INBOX", "INBOX"),
            ("a]b", "a]b"),
            ("", "\"\""),
            ("nil", "\"nil\""),
            ("a b", "\"a b\""),
            ("a*", "\"a*\""),
            ("a%", "\"a%\""),
            ("a{", "\"a{\""),
        ] {
            assert_eq!(written(|out| astring(octets.as_bytes(), out)), expected);
        }
    }

    #[test]
    fn names_are_written_in_either_encoding() {
        let name = MailboxName("Entwürfe & \"x\"".into());
        assert_eq!(
            written(|out| mailbox_name(&name, NameEncoding::ModifiedUtf7, out)),
            "\"Entw&APw-rfe &- \\\"x\\\"\""
        );
        assert_eq!(written(|out| mailbox_name(&name, NameEncoding::Utf8, out)), "\"Entwürfe & \\\"x\\\"\"");
    }

    #[test]
    fn flags_are_listed_with_the_keywords_that_have_a_name() {
        let keywords = ["$Junk".to_owned(), "work".to_owned()];
        let flags = Flags::SEEN.with(Flags::DELETED).with(Flags::keyword(1).unwrap());
        let unnamed = flags.with(Flags::keyword(2).unwrap());
        assert_eq!(written(|out| flag_list(unnamed, &keywords, out)), "(\\Deleted \\Seen work)");
        assert_eq!(written(|out| flag_list(Flags::NONE, &keywords, out)), "()");
    }

    #[test]
    fn dates_are_written_in_utc() {
        for (seconds, expected) in [
            (0, "\"01-Jan-1970 00:00:00 +0000\""),
            (1_795_322_124, "\"22-Nov-2026 04:35:24 +0000\""),
            (253_402_300_800, "\"01-Jan-9999 00:00:00 +0000\""),
        ] {
            let at = Timestamp::from_millis(seconds * 1000);
            assert_eq!(written(|out| internal_date(at, out)), expected);
        }
    }

    #[test]
    fn sets_have_runs_as_ranges_and_keep_their_order() {
        for (uids, expected) in [
            (&[][..], ""),
            (&[7], "7"),
            (&[1, 2, 3, 5, 9, 10], "1:3,5,9:10"),
            (&[9, 1, 2], "9,1:2"),
            (&[u32::MAX - 1, u32::MAX], "4294967294:4294967295"),
        ] {
            let uids: Vec<Uid> = uids.iter().copied().map(Uid).collect();
            assert_eq!(written(|out| uid_set(&uids, out)), expected);
        }
        assert_eq!(written(|out| number(u64::MAX, out)), "18446744073709551615");
    }
}
