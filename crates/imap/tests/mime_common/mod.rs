//! BODYSTRUCTURE as a client reads it.

#![allow(dead_code, reason = "each test uses some of it")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails has to say so")]

use imap::mime::{BodyForm, PartPath, StringForm, Structure};

/// A value of a response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// NIL
    Nil,
    /// A number.
    Number(u64),
    /// A string, in quotes or a literal.
    String(Vec<u8>),
    /// `(…)`
    List(Vec<Self>),
}

impl Value {
    /// The elements of a list.
    pub(crate) fn list(&self) -> &[Self] {
        let Self::List(list) = self else { panic!("no list: {self:?}") };
        list
    }

    /// A string in lower case.
    pub(crate) fn lower(&self) -> String {
        let Self::String(octets) = self else { panic!("no string: {self:?}") };
        String::from_utf8_lossy(octets).to_lowercase()
    }

    /// A number.
    pub(crate) fn number(&self) -> u64 {
        let Self::Number(number) = self else { panic!("no number: {self:?}") };
        *number
    }
}

/// Reads one value that is all of `octets`.
pub(crate) fn value(octets: &[u8]) -> Value {
    let mut rest = octets;
    let value = read(&mut rest);
    assert!(rest.is_empty(), "behind the value: {}", String::from_utf8_lossy(rest));
    value
}

fn read(rest: &mut &[u8]) -> Value {
    let (&first, behind) = rest.split_first().expect("a value");
    match first {
        b'(' => {
            *rest = behind;
            let mut list = Vec::new();
            while rest.first() != Some(&b')') {
                let is_body = matches!(list.last(), Some(Value::List(_))) && rest.starts_with(b"(");
                if !list.is_empty() && !is_body {
                    *rest = rest.strip_prefix(b" ").expect("a space between values");
                }
                list.push(read(rest));
            }
            *rest = &rest[1..];
            Value::List(list)
        }
        b'"' => {
            let mut text = Vec::new();
            let mut at = 1;
            while rest[at] != b'"' {
                assert!(!matches!(rest[at], 0 | b'\r' | b'\n'), "no octet of a quoted string");
                at += usize::from(rest[at] == b'\\');
                text.push(rest[at]);
                at += 1;
            }
            *rest = &rest[at + 1..];
            Value::String(text)
        }
        b'{' => {
            let end = rest.iter().position(|octet| *octet == b'}').expect("the end of a literal's length");
            let len: usize = std::str::from_utf8(&rest[1..end]).unwrap().parse().unwrap();
            let octets = rest[end..].strip_prefix(b"}\r\n").expect("a line break before a literal");
            let (text, behind) = octets.split_at(len);
            assert!(!text.contains(&0));
            *rest = behind;
            Value::String(text.to_vec())
        }
        _ => {
            let len = rest.iter().position(|octet| matches!(octet, b' ' | b')')).unwrap_or(rest.len());
            let (atom, behind) = rest.split_at(len);
            *rest = behind;
            match atom {
                b"NIL" => Value::Nil,
                _ => Value::Number(std::str::from_utf8(atom).unwrap().parse().expect("a number or NIL")),
            }
        }
    }
}

/// A part as BODYSTRUCTURE shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Body {
    /// Octets.
    Leaf {
        /// What leads to it.
        path: Vec<u32>,
        /// In lower case.
        media_type: String,
    },
    /// Parts.
    Multipart {
        /// In lower case.
        subtype: String,
        /// In order.
        parts: Vec<Self>,
    },
    /// A message.
    Message(Box<Self>),
}

/// BODYSTRUCTURE of a message.
pub(crate) fn body_structure(structure: &Structure) -> Value {
    let mut out = Vec::new();
    structure.write_body_structure(BodyForm::BodyStructure, StringForm::Ascii, &mut out);
    value(&out)
}

/// ENVELOPE of a message.
pub(crate) fn envelope(structure: &Structure) -> Value {
    let mut out = Vec::new();
    structure.write_envelope(StringForm::Ascii, &mut out);
    value(&out)
}

/// What a client makes of BODYSTRUCTURE.
pub(crate) fn body(structure: &Structure) -> Body {
    within_message(&body_structure(structure), &[])
}

/// A message's body: it is its only part where it is no multipart.
fn within_message(value: &Value, path: &[u32]) -> Body {
    let is_multipart = matches!(value.list()[0], Value::List(_));
    let path = if is_multipart { path.to_vec() } else { [path, &[1]].concat() };
    part(value, &path)
}

fn part(value: &Value, path: &[u32]) -> Body {
    let fields = value.list();
    if matches!(fields[0], Value::List(_)) {
        let parts = fields.iter().take_while(|field| matches!(field, Value::List(_)));
        let numbered = parts.zip(1..).map(|(value, number)| part(value, &[path, &[number]].concat()));
        let parts: Vec<Body> = numbered.collect();
        return Body::Multipart { subtype: fields[parts.len()].lower(), parts };
    }
    let media_type = format!("{}/{}", fields[0].lower(), fields[1].lower());
    let is_encoded = !matches!(fields[5].lower().as_str(), "7bit" | "8bit" | "binary");
    if matches!(media_type.as_str(), "message/rfc822" | "message/global") && !is_encoded {
        return Body::Message(Box::new(within_message(&fields[8], path)));
    }
    Body::Leaf { path: path.to_vec(), media_type }
}

/// The content of a part, decoded.
pub(crate) fn content(structure: &Structure, message: &[u8], path: &[u32]) -> Option<Vec<u8>> {
    let part = structure.part(&PartPath(path.to_vec()))?;
    let range = part.body();
    let octets = &message[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()];
    let mut decoder = part.decoder()?;
    let mut decoded = Vec::new();
    decoder.feed(octets, &mut decoded);
    decoder.finish(&mut decoded);
    assert_eq!(part.decoded_bytes(), Some(decoded.len() as u64));
    Some(decoded)
}
