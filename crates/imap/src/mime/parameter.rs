//! Content-Type and what is written like it (RFC 2045 §5.1, RFC 2183), with the continuations and charsets of RFC 2231.

use super::address::{comment, is_space, quoted};
use super::cost;
use super::decode::digit;

/// What stood before the first semicolon, and the parameters.
#[derive(Debug, Default)]
pub(super) struct Parameterized {
    /// Without comments and white space.
    pub(super) value: Vec<u8>,
    /// In the order in which each was written first.
    pub(super) parameters: Vec<Parameter>,
}

/// A parameter, its pieces joined.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    pub(super) name: Vec<u8>,
    /// `charset'language'octets` with `%` escapes: as the value of `name*` would be written.
    pub(super) is_extended: bool,
    pub(super) value: Vec<u8>,
}

/// Parameters of one field at most, and pieces of parameters (RFC 2231 §3).
const PARAMETERS_MAX: usize = 64;
const PIECES_MAX: usize = 1000;

/// Reads an unfolded field.
///
/// ```text
/// content   := type "/" subtype *(";" parameter)
/// parameter := attribute "=" value
/// ```
pub(super) fn read(field: &[u8]) -> Parameterized {
    let mut rest = field;
    let mut value = Vec::new();
    while let Some(&octet) = rest.first() {
        cost::count(1);
        match octet {
            b';' => break,
            b'(' => rest = &rest[comment(rest).1..],
            _ if is_space(octet) => {
                rest = &rest[1..];
                // Parameters whose semicolon was forgotten.
                if !value.is_empty() && value.last() != Some(&b'/') && is_attribute(rest) {
                    break;
                }
            }
            b'"' => {
                let (text, len) = quoted(rest);
                value.extend(text);
                rest = &rest[len..];
            }
            _ => {
                value.push(octet);
                rest = &rest[1..];
            }
        }
    }
    Parameterized { value, parameters: joined(pieces(rest)) }
}

/// Whether a token and `=` follow.
fn is_attribute(octets: &[u8]) -> bool {
    let len = octets.iter().take_while(|octet| is_attribute_char(**octet)).count();
    cost::count(len + 1);
    len > 0 && octets.get(len) == Some(&b'=')
}

/// `tspecials` of RFC 2045 §5.1, white space and controls are none; `*` and `%` have their meaning in RFC 2231.
fn is_attribute_char(octet: u8) -> bool {
    octet > b' ' && octet != 0x7F && !b"()<>@,;:\\\"/[]?=".contains(&octet)
}

/// A piece of a parameter as it was written.
struct Piece {
    name: Vec<u8>,
    /// `*2`
    number: Option<u16>,
    /// `*` at the end.
    is_extended: bool,
    value: Vec<u8>,
}

fn pieces(octets: &[u8]) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = octets;
    while pieces.len() < PIECES_MAX {
        rest = behind_separators(rest);
        if rest.is_empty() {
            break;
        }
        let len = rest.iter().take_while(|octet| is_attribute_char(**octet)).count();
        cost::count(len);
        let (name, behind) = rest.split_at(len);
        let behind = behind_separators_but_semicolons(behind);
        let (value, behind) = match behind.split_first() {
            Some((b'=', behind)) => {
                let (value, behind) = value_of(behind_separators_but_semicolons(behind));
                (Some(value), behind)
            }
            // No parameter: on to the next one.
            _ => {
                let skipped = behind.iter().position(|octet| *octet == b';').unwrap_or(behind.len());
                cost::count(skipped);
                (None, &behind[skipped..])
            }
        };
        if let Some(value) = value
            && !name.is_empty()
        {
            pieces.push(piece(name, value));
        }
        rest = behind;
    }
    pieces
}

fn behind_separators(octets: &[u8]) -> &[u8] {
    let mut rest = behind_separators_but_semicolons(octets);
    while let Some(behind) = rest.strip_prefix(b";") {
        rest = behind_separators_but_semicolons(behind);
    }
    rest
}

fn behind_separators_but_semicolons(octets: &[u8]) -> &[u8] {
    let mut rest = octets;
    while let Some(&octet) = rest.first() {
        cost::count(1);
        match octet {
            b'(' => rest = &rest[comment(rest).1..],
            _ if is_space(octet) => rest = &rest[1..],
            _ => break,
        }
    }
    rest
}

/// What stands in quotes, or up to the semicolon: many write `name=two words.pdf`. A comment ends it, and so does the next
/// parameter where the semicolon was forgotten.
fn value_of(octets: &[u8]) -> (Vec<u8>, &[u8]) {
    if octets.first() == Some(&b'"') {
        let (text, len) = quoted(octets);
        return (text, &octets[len..]);
    }
    let mut end = 0;
    while end < octets.len() && !matches!(octets[end], b';' | b'(') {
        if is_space(octets[end]) && is_attribute(&octets[end + 1..]) {
            break;
        }
        end += 1;
    }
    cost::count(end);
    let (value, behind) = octets.split_at(end);
    (trimmed(value).to_vec(), behind)
}

/// Without white space at the ends.
pub(super) fn trimmed(octets: &[u8]) -> &[u8] {
    let from = octets.iter().position(|octet| !is_space(*octet)).unwrap_or(octets.len());
    let to = octets.iter().rposition(|octet| !is_space(*octet)).map_or(from, |at| at + 1);
    &octets[from..to]
}

/// `name`, `name*`, `name*2` or `name*2*` (RFC 2231 §3 and §4).
fn piece(name: &[u8], value: Vec<u8>) -> Piece {
    let (stem, is_extended) = match name.strip_suffix(b"*") {
        Some(stem) if !stem.is_empty() => (stem, true),
        _ => (name, false),
    };
    let number = stem.iter().rposition(|octet| *octet == b'*').filter(|at| *at > 0).and_then(|at| {
        let digits = &stem[at + 1..];
        let is_number = (1..=4).contains(&digits.len()) && digits.iter().all(u8::is_ascii_digit);
        is_number
            .then(|| (at, digits.iter().fold(0, |number: u16, octet| number * 10 + u16::from(octet - b'0'))))
    });
    match number {
        Some((at, number)) => Piece { name: stem[..at].to_vec(), number: Some(number), is_extended, value },
        None => Piece { name: stem.to_vec(), number: None, is_extended, value },
    }
}

/// Joins pieces by their numbers, whatever their order (RFC 2231 §3); behind one that is missing, they are dropped. Of a
/// parameter that is there twice the first one counts; an extended form stands beside a plain one.
fn joined(pieces: Vec<Piece>) -> Vec<Parameter> {
    let mut groups: Vec<(Vec<u8>, Vec<Piece>)> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for piece in pieces {
        let is_plain = piece.number.is_none() && !piece.is_extended;
        let key = (piece.name.to_ascii_lowercase(), is_plain);
        let place = *places.entry(key).or_insert_with(|| {
            groups.push((piece.name.clone(), Vec::new()));
            groups.len() - 1
        });
        groups[place].1.push(piece);
    }
    groups.truncate(PARAMETERS_MAX);
    groups.into_iter().filter_map(|(name, pieces)| parameter(name, pieces)).collect()
}

fn parameter(name: Vec<u8>, mut pieces: Vec<Piece>) -> Option<Parameter> {
    if let Some(at) = pieces.iter().position(|piece| piece.number.is_none()) {
        let Piece { is_extended, value, .. } = pieces.swap_remove(at);
        return Some(Parameter { name, is_extended, value });
    }
    pieces.sort_by_key(|piece| piece.number);
    pieces.dedup_by_key(|piece| piece.number);
    let mut whole = Vec::new();
    for (number, piece) in pieces.iter().enumerate() {
        cost::count(1);
        if piece.number.map(usize::from) != Some(number) {
            break;
        }
        whole.push(piece);
    }
    let first = whole.first()?;
    let is_extended = whole.iter().any(|piece| piece.is_extended);
    let mut value = if is_extended && !first.is_extended { b"''".to_vec() } else { Vec::new() };
    for piece in whole {
        cost::count(piece.value.len());
        if is_extended && !piece.is_extended {
            piece.value.iter().for_each(|octet| escaped(*octet, &mut value));
        } else {
            value.extend_from_slice(&piece.value);
        }
    }
    Some(Parameter { name, is_extended, value })
}

/// RFC 2231 §7 `attribute-char`, and `%` for what is none.
fn escaped(octet: u8, out: &mut Vec<u8>) {
    if is_attribute_char(octet) && octet.is_ascii() && !b"*'%".contains(&octet) {
        out.push(octet);
    } else {
        out.push(b'%');
        let digit = |number: u8| b"0123456789ABCDEF"[usize::from(number)];
        out.extend([digit(octet >> 4), digit(octet & 15)]);
    }
}

/// The octets of an extended value, and their charset where one is named.
pub(super) fn extended(value: &[u8]) -> (Option<&[u8]>, Vec<u8>) {
    let mut quotes = value.splitn(3, |octet| *octet == b'\'');
    let (charset, text) = match (quotes.next(), quotes.next(), quotes.next()) {
        (Some(charset), Some(_), Some(text)) => (Some(charset).filter(|charset| !charset.is_empty()), text),
        _ => (None, value),
    };
    cost::count(value.len());
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&octet, behind)) = rest.split_first() {
        let escape = match (octet, behind) {
            (b'%', [high, low, ..]) => digit(*high).zip(digit(*low)),
            _ => None,
        };
        match escape {
            Some((high, low)) => {
                octets.push(high << 4 | low);
                rest = &behind[2..];
            }
            None => {
                octets.push(octet);
                rest = behind;
            }
        }
    }
    (charset, octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(field: &str) -> String {
        let read = read(field.as_bytes());
        let mut shown = String::from_utf8(read.value).unwrap();
        for Parameter { name, is_extended, value } in read.parameters {
            let star = if is_extended { "*" } else { "" };
            let text = |octets| String::from_utf8(octets).unwrap();
            shown += &format!(" {}{star}={}", text(name), text(value));
        }
        shown
    }

    #[test]
    fn parameters_are_read_as_mime_and_its_misreaders_write_them() {
        for (field, expected) in [
            ("text/plain", "text/plain"),
            ("text/plain; charset=us-ascii (Plain text)", "text/plain charset=us-ascii"),
            ("text/plain; charset=\"us-ascii\"", "text/plain charset=us-ascii"),
            (" text / plain ;charset = utf-8 ; ; format=flowed;", "text/plain charset=utf-8 format=flowed"),
            ("text/plain charset=utf-8 format=flowed", "text/plain charset=utf-8 format=flowed"),
            ("a/b; name=two words.pdf; x=y", "a/b name=two words.pdf x=y"),
            ("a/b; name=\"a;b\\\"c\"; x", "a/b name=a;b\"c"),
            ("a/b; boundary==_x=1", "a/b boundary==_x=1"),
            ("text", "text"),
            ("postscript; 2.0", "postscript"),
            ("a/b; x=1; X=2; x=3", "a/b x=1"),
            ("a/b; =3; name=\"unended", "a/b name=unended"),
            ("", ""),
        ] {
            assert_eq!(shown(field), expected, "{field}");
        }
    }

    #[test]
    fn continuations_are_joined_by_their_numbers() {
        for (field, expected) in [
            ("a/b; u*0=\"ftp://\"; u*1=\"x/y\"", "a/b u=ftp://x/y"),
            ("a/b; u*1=\"x/y\"; u*0=\"ftp://\"; z=1", "a/b u=ftp://x/y z=1"),
            ("a/b; t*=us-ascii'en-us'This%20is", "a/b t*=us-ascii'en-us'This%20is"),
            (
                "a/b; t*0*=us-ascii'en'This%20is%20; t*1*=%2A%2A%2Afun%2A%2A%2A%20; t*2=\"isn't it!\"",
                "a/b t*=us-ascii'en'This%20is%20%2A%2A%2Afun%2A%2A%2A%20isn%27t%20it!",
            ),
            ("a/b; t*0=x; t*2=z", "a/b t=x"),
            ("a/b; t*1=x; t*2=z", "a/b"),
            ("a/b; t*0=x; t*1*=%20y", "a/b t*=''x%20y"),
            ("a/b; name=x.txt; name*=utf-8''%C3%A4.txt", "a/b name=x.txt name*=utf-8''%C3%A4.txt"),
            ("a/b; t*99999=x; *=y; *0=z", "a/b t*99999=x *=y *0=z"),
        ] {
            assert_eq!(shown(field), expected, "{field}");
        }
    }

    #[test]
    fn a_bomb_of_pieces_is_a_bounded_number_of_parameters() {
        let bomb: String = (0..100_000).map(|at| format!("; p{at}*{}=x", at % 3)).collect();
        let read = read(format!("a/b{bomb}").as_bytes());
        assert!(read.parameters.len() <= PARAMETERS_MAX);
    }

    #[test]
    fn extended_values_are_octets_of_a_charset() {
        assert_eq!(extended(b"utf-8'de'%C3%A4%zz%4"), (Some(&b"utf-8"[..]), "ä%zz%4".as_bytes().to_vec()));
        assert_eq!(extended(b"''a"), (None, b"a".to_vec()));
        assert_eq!(extended(b"a'b"), (None, b"a'b".to_vec()));
    }
}
