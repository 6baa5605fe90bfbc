//! The TXT record that says that there is a policy (RFC 8461 §3.1).

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Which policy it is: where it changes, there is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyId(Box<str>);

/// Why TXT records tell of no policy, though they seem to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// Only one counts.
    #[error("there is more than one MTA-STS record")]
    Several,
    /// It is not what the grammar has.
    #[error("the MTA-STS record is malformed")]
    Malformed,
    /// It lacks `id`, or has one that is none.
    #[error("the MTA-STS record has no usable id")]
    NoId,
}

/// The policy that the TXT records at `_mta-sts` speak of, the strings of each joined. None where none of them is
/// about MTA-STS.
///
/// ```text
/// sts-text-record = sts-version 1*(sts-field-delim sts-field) [sts-field-delim]
/// sts-field       = sts-id / sts-extension
/// sts-field-delim = *WSP ";" *WSP
/// sts-version     = %s"v=STSv1"
/// sts-id          = %s"id=" 1*32(ALPHA / DIGIT)
/// sts-extension   = sts-ext-name "=" sts-ext-value
/// sts-ext-name    = (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".")
/// sts-ext-value   = 1*(%x21-3A / %x3C / %x3E-7E)
/// ```
///
/// # Errors
/// They speak of one, and not so that it could be used: it counts as if there were none.
pub fn discover(records: &[Vec<u8>]) -> Result<Option<PolicyId>, RecordError> {
    let mut ours = records.iter().filter_map(|record| record.strip_prefix(b"v=STSv1;"));
    match (ours.next(), ours.next()) {
        (None, _) => Ok(None),
        (Some(fields), None) => id_of(fields).map(Some),
        (Some(_), Some(_)) => Err(RecordError::Several),
    }
}

impl PolicyId {
    /// One that the grammar has.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let is_id =
            (1..=ID_OCTETS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        is_id.then(|| Self(text.into()))
    }

    /// One for the text of a policy: another text has another one.
    #[must_use]
    pub fn of(policy: &[u8]) -> Self {
        let hash = Sha256::digest(policy);
        let digits = hash.iter().take(10).map(|octet| format!("{octet:02x}"));
        Self(digits.collect::<String>().into())
    }

    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PolicyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 8461 §3.1.
const ID_OCTETS_MAX: usize = 32;
pub(super) const EXTENSION_NAME_OCTETS_MAX: usize = 32;

/// Of what follows the version and its semicolon. The first `id` counts (§3.2).
fn id_of(fields: &[u8]) -> Result<PolicyId, RecordError> {
    let text = std::str::from_utf8(fields).map_err(|_| RecordError::Malformed)?;
    let mut parts: Vec<&str> = text.split(';').collect();
    // Behind the last delimiter there is nothing but its white space.
    let is_closed = parts.len() > 1 && parts.last().is_some_and(|last| last.trim_matches(is_wsp).is_empty());
    if is_closed {
        parts.pop();
    }
    let mut id = None;
    let count = parts.len();
    for (number, part) in parts.into_iter().enumerate() {
        let part = part.trim_start_matches(is_wsp);
        // White space at the end belongs to a delimiter.
        let part = if is_closed || number + 1 < count { part.trim_end_matches(is_wsp) } else { part };
        let (name, value) = part.split_once('=').ok_or(RecordError::Malformed)?;
        if !is_extension_name(name) || value.is_empty() || !value.bytes().all(is_value_octet) {
            return Err(RecordError::Malformed);
        }
        if name == "id" && id.is_none() {
            id = Some(PolicyId::parse(value).ok_or(RecordError::NoId)?);
        }
    }
    id.ok_or(RecordError::NoId)
}

pub(super) fn is_extension_name(name: &str) -> bool {
    (1..=EXTENSION_NAME_OCTETS_MAX).contains(&name.len())
        && name.bytes().next().is_some_and(|octet| octet.is_ascii_alphanumeric())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-' | b'.'))
}

const fn is_value_octet(octet: u8) -> bool {
    matches!(octet, 0x21..=0x3a | 0x3c | 0x3e..=0x7e)
}

pub(super) const fn is_wsp(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(record: &str) -> Result<Option<String>, RecordError> {
        discover(&[record.as_bytes().to_vec()]).map(|id| id.map(|id| id.to_string()))
    }

    #[test]
    fn records_that_the_grammar_has_give_their_id() {
        for (record, id) in [
            // RFC 8461 §3.1 and Appendix A.1.
            ("v=STSv1; id=20160831085700Z;", "20160831085700Z"),
            ("v=STSv1; id=1;", "1"),
            ("v=STSv1;id=1", "1"),
            ("v=STSv1;\t id=1 \t;\t ", "1"),
            ("v=STSv1; ext=a;id=1", "1"),
            ("v=STSv1; id=1; ext=x:y<z", "1"),
            ("v=STSv1; id=1; 0_-.=!~;", "1"),
            // The first one of several fields of one name counts (§3.2).
            ("v=STSv1; id=1; id=2;", "1"),
            ("v=STSv1; id=1; id=no-id;", "1"),
            ("v=STSv1; ID=2; id=1;", "1"),
            ("v=STSv1; id=abcdefghijklmnopqrstuvwxyz012345;", "abcdefghijklmnopqrstuvwxyz012345"),
        ] {
            assert_eq!(one(record), Ok(Some(id.to_owned())), "{record:?}");
        }
    }

    #[test]
    fn records_that_the_grammar_has_not_give_none() {
        for (record, error) in [
            ("v=STSv1;", RecordError::Malformed),
            ("v=STSv1; ", RecordError::Malformed),
            ("v=STSv1;;", RecordError::Malformed),
            ("v=STSv1; id=1;;", RecordError::Malformed),
            ("v=STSv1;; id=1", RecordError::Malformed),
            ("v=STSv1; id=1 ", RecordError::Malformed),
            ("v=STSv1; id =1;", RecordError::Malformed),
            ("v=STSv1; id= 1;", RecordError::Malformed),
            ("v=STSv1; id", RecordError::Malformed),
            ("v=STSv1; id=1; e", RecordError::Malformed),
            ("v=STSv1; id=1; e=", RecordError::Malformed),
            ("v=STSv1; id=1; e=a b", RecordError::Malformed),
            ("v=STSv1; id=1; e=a=b", RecordError::Malformed),
            ("v=STSv1; id=1; _e=a", RecordError::Malformed),
            ("v=STSv1; id=1; e=\u{e9}", RecordError::Malformed),
            ("v=STSv1; id=1; \n", RecordError::Malformed),
            ("v=STSv1; id=1; a12345678901234567890123456789012=x", RecordError::Malformed),
            ("v=STSv1; e=a", RecordError::NoId),
            ("v=STSv1; ID=1;", RecordError::NoId),
            ("v=STSv1; id=no-id;", RecordError::NoId),
            ("v=STSv1; id=no-id; id=1;", RecordError::NoId),
            ("v=STSv1; id=abcdefghijklmnopqrstuvwxyz0123456;", RecordError::NoId),
        ] {
            assert_eq!(one(record), Err(error), "{record:?}");
        }
        assert_eq!(discover(&[b"v=STSv1; id=\xff".to_vec()]), Err(RecordError::Malformed));
    }

    #[test]
    fn other_records_are_not_looked_at() {
        for record in
            ["", "v=STSv1", "v=STSv1 ; id=1;", "v=stsv1; id=1;", " v=STSv1; id=1;", "v=STSv10; id=1;"]
        {
            assert_eq!(one(record), Ok(None), "{record:?}");
        }
        let of = |records: &[&str]| {
            let records: Vec<_> = records.iter().map(|record| record.as_bytes().to_vec()).collect();
            discover(&records).map(|id| id.map(|id| id.to_string()))
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(of(&["v=spf1 -all", "v=STSv1; id=7;", "x"]), Ok(Some("7".to_owned())));
        assert_eq!(of(&["v=STSv1; id=7;", "v=STSv1; id=7;"]), Err(RecordError::Several));
        assert_eq!(of(&["v=STSv1; id=7;", "v=STSv1;"]), Err(RecordError::Several));
    }

    #[test]
    fn the_id_of_a_policy_is_one_that_the_grammar_has_and_changes_with_it() {
        let (one, other) =
            (PolicyId::of(b"version: STSv1\nmode: testing\n"), PolicyId::of(b"mode: enforce\n"));
        assert_ne!(one, other);
        assert_eq!(PolicyId::parse(one.as_str()), Some(one.clone()));
        assert_eq!(discover(&[format!("v=STSv1; id={one}").into_bytes()]), Ok(Some(one)));
    }
}
