//! Names and passwords in the one form in which they are compared and hashed (RFC 4013).

use crate::exchange::Refusal;

/// Why a string cannot be prepared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PrepareError {
    /// A control character, one that is not assigned in Unicode 3.2, or a mixture of directions (RFC 4013 §2.3–§2.5).
    #[error("it holds characters that names and passwords must not hold")]
    Prohibited,
    /// Nothing is left of it.
    #[error("nothing is left of it")]
    Empty,
}

/// Prepares a name or password with SASLprep (RFC 4013).
///
/// Unassigned characters are refused, as "stored strings" want it (RFC 3454 §7). Queries may hold them, but could
/// match nothing that is stored, so that one rule serves for both.
///
/// # Errors
/// Where the string holds what is prohibited, and where nothing is left of it.
pub fn saslprep(text: &str) -> Result<String, PrepareError> {
    let prepared = stringprep::saslprep(text).map_err(|_| PrepareError::Prohibited)?;
    if prepared.is_empty() { Err(PrepareError::Empty) } else { Ok(prepared.into_owned()) }
}

/// A name that the client said. One that cannot be prepared is malformed (RFC 5802 §5.1: the exchange ends).
pub(crate) fn name(text: &str) -> Result<String, Refusal> {
    saslprep(text).map_err(|_| Refusal::Malformed)
}

/// An authorization identity: empty where the client gave none, but not where nothing is left of it (RFC 4954 §4,
/// RFC 5034 §4).
pub(crate) fn authorization_identity(text: &str) -> Result<String, Refusal> {
    if text.is_empty() { Ok(String::new()) } else { name(text) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_4013_3() {
        for (text, prepared) in [
            ("I\u{AD}X", Ok("IX")),
            ("user", Ok("user")),
            ("USER", Ok("USER")),
            ("\u{AA}", Ok("a")),
            ("\u{2168}", Ok("IX")),
            ("\u{7}", Err(PrepareError::Prohibited)),
            ("\u{627}1", Err(PrepareError::Prohibited)),
        ] {
            assert_eq!(saslprep(text), prepared.map(str::to_owned), "{text:?}");
        }
    }

    #[test]
    fn spaces_become_one_kind_and_what_leaves_nothing_is_refused() {
        assert_eq!(saslprep("a\u{A0}b\u{3000}c"), Ok("a b c".to_owned()));
        assert_eq!(saslprep("\u{BD}"), Ok("1\u{2044}2".to_owned()), "the fraction of RFC 5802 §3");
        for text in ["", "\u{AD}", "\u{2060}\u{FEFF}"] {
            assert_eq!(saslprep(text), Err(PrepareError::Empty), "{text:?}");
        }
        for text in ["a\0b", "\u{7F}", "\u{E000}", "\u{FFFD}", "\u{1F600}", "\u{202E}x"] {
            assert_eq!(saslprep(text), Err(PrepareError::Prohibited), "{text:?}");
        }
    }
}
