//! The fields of a header section, as octets (RFC 5322 §2.2): what signatures are made of.

/// A field of a header section.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field<'a> {
    /// Before the colon, without the white space that may stand there (RFC 5322 §4.5). Empty where there is no colon.
    pub name: &'a [u8],
    /// After the colon: folded as it came, with the line end.
    pub value: &'a [u8],
    /// All of it, with the line end.
    pub raw: &'a [u8],
}

/// The fields of a header section, in their order, up to the empty line or the end.
///
/// A field ends with CRLF where the next line does not begin with white space. A line that is no field is one without a name,
/// which no signature covers.
#[must_use]
pub fn fields(header: &[u8]) -> Vec<Field<'_>> {
    let mut fields = Vec::new();
    let mut rest = header;
    while !rest.is_empty() && !rest.starts_with(b"\r\n") {
        let (raw, after) = rest.split_at(field_length(rest));
        fields.push(Field::read(raw));
        rest = after;
    }
    fields
}

impl<'a> Field<'a> {
    fn read(raw: &'a [u8]) -> Self {
        let line_end = raw.iter().position(|octet| *octet == b'\r').unwrap_or(raw.len());
        match raw.iter().position(|octet| *octet == b':') {
            Some(colon) if colon < line_end => {
                Self { name: raw[..colon].trim_ascii_end(), value: &raw[colon + 1..], raw }
            }
            _ => Self { name: b"", value: b"", raw },
        }
    }

    /// Whether it has that name.
    #[must_use]
    pub const fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// Up to the CRLF that no white space follows.
fn field_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(cr) = rest[at..].iter().position(|octet| *octet == b'\r') {
        at += cr + 1;
        if rest.get(at) == Some(&b'\n') {
            at += 1;
            if !matches!(rest.get(at), Some(b' ' | b'\t')) {
                return at;
            }
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_folded_lines_up_to_the_empty_one() {
        let header = b"From: a\r\n b\r\nsubject : x\r\nno field\r\n\r\nBody: no\r\n";
        let fields = fields(header);
        assert_eq!(fields.len(), 3);
        assert_eq!((fields[0].name, fields[0].value), (&b"From"[..], &b" a\r\n b\r\n"[..]));
        assert!(fields[1].is("Subject"));
        assert_eq!((fields[2].name, fields[2].raw), (&b""[..], &b"no field\r\n"[..]));
    }

    #[test]
    fn a_section_without_an_end_is_read_to_its_end() {
        assert_eq!(fields(b"A: 1\r\nB: 2")[1].value, b" 2");
        assert_eq!(fields(b"\r\n").len(), 0);
        assert_eq!(fields(b"A: \r\r\n\r\n")[0].value, b" \r\r\n");
    }
}
