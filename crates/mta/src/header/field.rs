//! The fields of a header section, as ranges of its octets.

use std::ops::Range;

use memchr::memchr;

/// One field with the lines that it is folded over.
///
/// ```text
/// field      = field-name *WSP ":" unstructured CRLF   ; the white space is obsolete (RFC 5322 §4.5)
/// field-name = 1*%d33-57 / %d59-126
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// All of it, with its line ends.
    pub range: Range<usize>,
    /// Its name; none where the line is no field.
    pub name: Option<Range<usize>>,
    /// Where the value begins: after the colon.
    value_start: usize,
}

/// The fields of a header section, until its empty line or its end.
#[derive(Debug, Clone)]
pub struct FieldsOf<'a> {
    header: &'a [u8],
    at: usize,
}

impl Field {
    /// Whether it has this name. `header` is what it was read from.
    #[must_use]
    pub fn is(&self, header: &[u8], name: &str) -> bool {
        self.name(header).eq_ignore_ascii_case(name.as_bytes()) && self.name.is_some()
    }

    /// Its name; empty where it is no field.
    #[must_use]
    pub fn name<'h>(&self, header: &'h [u8]) -> &'h [u8] {
        self.name.clone().and_then(|name| header.get(name)).unwrap_or_default()
    }

    /// What follows the colon, folded as it is.
    #[must_use]
    pub fn value<'h>(&self, header: &'h [u8]) -> &'h [u8] {
        header.get(self.value_start..self.range.end).unwrap_or_default()
    }

    /// Whether white space stands before the colon.
    #[must_use]
    pub fn has_space_before_colon(&self) -> bool {
        self.name.as_ref().is_some_and(|name| name.end + 1 != self.value_start)
    }
}

impl<'a> FieldsOf<'a> {
    /// `header` may go on with the body, which is not read.
    #[must_use]
    pub const fn new(header: &'a [u8]) -> Self {
        Self { header, at: 0 }
    }
}

impl Iterator for FieldsOf<'_> {
    type Item = Field;

    fn next(&mut self) -> Option<Field> {
        let rest = self.header.get(self.at..)?;
        if rest.is_empty() || is_empty_line(rest) {
            return None;
        }
        let start = self.at;
        self.at += line_len(rest);
        while self.header.get(self.at).is_some_and(|b| is_white(*b)) {
            self.at += line_len(&self.header[self.at..]);
        }
        let name = field_name_len(rest);
        let value_start = name.map_or(start, |(_, colon)| start + colon + 1);
        Some(Field { range: start..self.at, name: name.map(|(len, _)| start..start + len), value_start })
    }
}

/// How many octets of a line are the name of a field, and where its colon is.
pub(super) fn field_name_len(line: &[u8]) -> Option<(usize, usize)> {
    let len = line.iter().position(|b| !is_ftext(*b)).filter(|len| *len > 0)?;
    let space = line[len..].iter().position(|b| !is_white(*b))?;
    (line[len + space] == b':').then_some((len, len + space))
}

/// `ftext` of RFC 5322 §3.6.8.
pub(super) const fn is_ftext(octet: u8) -> bool {
    octet.is_ascii_graphic() && octet != b':'
}

/// WSP
pub(super) const fn is_white(octet: u8) -> bool {
    matches!(octet, b' ' | b'\t')
}

/// Octets of the first line with its line end.
pub(super) fn line_len(rest: &[u8]) -> usize {
    memchr(b'\n', rest).map_or(rest.len(), |lf| lf + 1)
}

/// Whether an empty line begins here.
pub(super) fn is_empty_line(rest: &[u8]) -> bool {
    rest.starts_with(b"\r\n") || rest.starts_with(b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_with_their_folded_lines_until_the_empty_line() {
        let header = b"A: 1\r\nB-b :2\r\n\t3\r\nno field\r\n: x\r\nC:\r\n\r\nD: 4\r\n";
        let found: Vec<_> = FieldsOf::new(header)
            .map(|field| {
                let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
                (text(field.name(header)), text(field.value(header)), field.has_space_before_colon())
            })
            .collect();
        let row = |name: &str, value: &str, space| (name.to_owned(), value.to_owned(), space);
        assert_eq!(
            found,
            [
                row("A", " 1\r\n", false),
                row("B-b", "2\r\n\t3\r\n", true),
                row("", "no field\r\n", false),
                row("", ": x\r\n", false),
                row("C", "\r\n", false),
            ]
        );
    }

    #[test]
    fn a_header_section_that_ends_anywhere_is_read() {
        for (header, fields) in
            [("", 0), ("A", 1), ("A:", 1), ("A: b\r", 1), ("\r\nA: b", 0), ("\nA: b", 0), (" x\r\nA: b", 2)]
        {
            assert_eq!(FieldsOf::new(header.as_bytes()).count(), fields, "{header:?}");
        }
    }
}
