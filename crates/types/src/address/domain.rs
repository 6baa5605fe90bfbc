//! Domain names.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use super::AddressError;
use crate::limits::{DOMAIN_BYTES_MAX, LABEL_BYTES_MAX};

/// A domain name as written, with the lower-case A-label form by which it is compared (RFC 5890).
#[derive(Debug, Clone)]
pub struct Domain {
    written: Box<str>,
    /// Only where it differs from `written`.
    ascii: Option<Box<str>>,
}

impl Domain {
    /// As written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// In lower case, with A-labels: the form for DNS, look-ups and comparison.
    #[must_use]
    pub fn ascii(&self) -> &str {
        self.ascii.as_deref().unwrap_or(&self.written)
    }

    /// The domain that EHLO and HELO name. Deviation: Windows hosts say names with `_`, which no mail domain
    /// has; they are taken, and nothing is decided by them.
    ///
    /// # Errors
    /// As for parsing a domain.
    pub fn parse_host_name(text: &str) -> Result<Self, AddressError> {
        let standard: Result<Self, _> = text.replace('_', "x").parse();
        standard.map(
            |domain| if text.contains('_') { Self { written: text.into(), ascii: None } } else { domain },
        )
    }
}

impl PartialEq for Domain {
    fn eq(&self, other: &Self) -> bool {
        self.ascii() == other.ascii()
    }
}

impl Eq for Domain {}

impl Hash for Domain {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.ascii().hash(state);
    }
}

impl FromStr for Domain {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.len() > DOMAIN_BYTES_MAX {
            return Err(AddressError::DomainTooLong);
        }
        if text.is_ascii() {
            check_labels(text)?;
            let is_plain = !text.bytes().any(|b| b.is_ascii_uppercase());
            if is_plain && !text.split('.').any(|label| label.starts_with("xn--")) {
                return Ok(Self { written: text.into(), ascii: None });
            }
        }
        let ascii = to_ascii(text)?;
        check_labels(&ascii)?;
        Ok(Self { written: text.into(), ascii: (*ascii != *text).then(|| ascii.into()) })
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// UTS #46 without transitional processing: U-labels become A-labels, A-labels are checked.
fn to_ascii(text: &str) -> Result<String, AddressError> {
    // Only the ASCII dot parts labels in SMTP (RFC 5321 §4.1.2); UTS #46 knows three more.
    if text.contains(['\u{3002}', '\u{FF0E}', '\u{FF61}']) {
        return Err(AddressError::Idna);
    }
    Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| AddressError::Idna)
}

fn check_labels(text: &str) -> Result<(), AddressError> {
    for label in text.split('.') {
        let octets = label.as_bytes();
        let is_let_dig = |octet: Option<&u8>| octet.is_some_and(u8::is_ascii_alphanumeric);
        if !is_let_dig(octets.first()) || !is_let_dig(octets.last()) {
            return Err(AddressError::Domain);
        }
        if !octets.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-') {
            return Err(AddressError::Domain);
        }
        if octets.len() > LABEL_BYTES_MAX {
            return Err(AddressError::LabelTooLong);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_equal_by_their_a_labels_and_kept_as_written() {
        let u: Domain = "Bücher.Example".parse().unwrap();
        let a: Domain = "xn--bcher-kva.example".parse().unwrap();
        assert_eq!(u, a);
        assert_eq!(u.ascii(), "xn--bcher-kva.example");
        assert_eq!(u.as_str(), "Bücher.Example");
        assert_eq!("EXAMPLE.org".parse::<Domain>(), "example.ORG".parse());
    }

    #[test]
    fn labels_of_63_octets_are_taken_and_64_are_not() {
        assert!(format!("{}.org", "a".repeat(63)).parse::<Domain>().is_ok());
        assert_eq!(format!("{}.org", "a".repeat(64)).parse::<Domain>(), Err(AddressError::LabelTooLong));
    }

    #[test]
    fn what_is_no_domain_is_refused() {
        for text in
            ["", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a_b.c", "a b", "a\0b", "a/b", "a,b", "a@b", "[a]"]
        {
            assert_eq!(text.parse::<Domain>(), Err(AddressError::Domain), "{text:?}");
        }
        for text in
            ["xn--a.example", "a\u{3002}b", "\u{200d}.example", "é\u{0}.org", "xn--zzzzzzzz999999.org"]
        {
            assert!(text.parse::<Domain>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_host_name_may_hold_an_underscore_and_nothing_else_more() {
        assert_eq!(Domain::parse_host_name("WIN_PC.local").unwrap().as_str(), "WIN_PC.local");
        for text in ["", "_", "a b", "a_;rm"] {
            // A lone underscore stands for a letter, so it is a label too.
            assert_eq!(Domain::parse_host_name(text).is_ok(), text == "_", "{text:?}");
        }
    }
}
