//! Local parts.

use std::fmt;
use std::str::FromStr;

use super::AddressError;
use crate::limits::LOCAL_PART_BYTES_MAX;

/// `Dot-string / Quoted-string`, kept as written: only the final host gives it a meaning (RFC 5321 §2.3.11).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LocalPart(Box<str>);

impl LocalPart {
    /// As written, with quotes where there were any.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The meaning: without quotes and backslashes (RFC 5321 §4.1.2: `"a\bc"` is `abc`).
    #[must_use]
    pub fn unquoted(&self) -> String {
        let Some(inner) = self.0.strip_prefix('"').and_then(|s| s.strip_suffix('"')) else {
            return self.0.to_string();
        };
        let mut out = String::with_capacity(inner.len());
        let mut chars = inner.chars();
        while let Some(c) = chars.next() {
            out.extend(if c == '\\' { chars.next() } else { Some(c) });
        }
        out
    }

    /// Reads a local part from the front of `text`; returns it with what follows.
    pub(super) fn split(text: &str) -> Result<(Self, &str), AddressError> {
        let end = if text.starts_with('"') { quoted_string_len(text) } else { dot_string_len(text) };
        let end = end.ok_or(AddressError::LocalPart)?;
        if end > LOCAL_PART_BYTES_MAX {
            return Err(AddressError::LocalPartTooLong);
        }
        Ok((Self(text[..end].into()), &text[end..]))
    }
}

impl FromStr for LocalPart {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        match Self::split(text)? {
            (local_part, "") => Ok(local_part),
            _ => Err(AddressError::LocalPart),
        }
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// `atext` of RFC 5322 §3.2.3 with the UTF8-non-ascii of RFC 6531 §3.3.
const fn is_atext(c: char) -> bool {
    matches!(c, 'a'..='z' | 'A'..='Z' | '0'..='9' | '!' | '#' | '$' | '%' | '&' | '\'' | '*' | '+' | '-' | '/'
        | '=' | '?' | '^' | '_' | '`' | '{' | '|' | '}' | '~')
        || is_utf8_non_ascii(c)
}

/// UTF8-non-ascii without the C1 control characters, which no mailbox has and some terminals obey.
const fn is_utf8_non_ascii(c: char) -> bool {
    c as u32 > 0x9F
}

/// Octets of the longest `Atom *("." Atom)` at the front; none where there is no atom at the start or at the
/// end.
fn dot_string_len(text: &str) -> Option<usize> {
    let len = text.find(|c| !is_atext(c) && c != '.').unwrap_or(text.len());
    text[..len].split('.').all(|atom| !atom.is_empty()).then_some(len)
}

/// Octets of the `Quoted-string` at the front.
fn quoted_string_len(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Some(index + 1),
            // quoted-pairSMTP = %d92 %d32-126
            '\\' if !matches!(chars.next(), Some((_, ' '..='~'))) => return None,
            // qtextSMTP = %d32-33 / %d35-91 / %d93-126 / UTF8-non-ascii
            ' '..='~' => {}
            c if is_utf8_non_ascii(c) => {}
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quoting_is_kept_as_written_and_taken_off_for_the_meaning() {
        for (written, meaning) in [
            ("fred", "fred"),
            ("\"fred\"", "fred"),
            ("\"fr\\ed\"", "fred"),
            ("\"a b\\\"c\\\\\"", "a b\"c\\"),
            ("\"\"", ""),
            ("user+tag", "user+tag"),
            ("用户", "用户"),
        ] {
            let local_part: LocalPart = written.parse().unwrap();
            assert_eq!(local_part.as_str(), written);
            assert_eq!(local_part.unquoted(), meaning);
        }
    }

    #[test]
    fn what_is_neither_dot_string_nor_quoted_string_is_refused() {
        for text in [
            "",
            ".a",
            "a.",
            "a..b",
            "a b",
            "a\"b",
            "\"a",
            "\"a\"b",
            "\"\\\"",
            "\"a\u{7}\"",
            "a\0",
            "(a)",
            "a\u{85}",
            "\"\\é\"",
        ] {
            assert_eq!(text.parse::<LocalPart>(), Err(AddressError::LocalPart), "{text:?}");
        }
    }
}
