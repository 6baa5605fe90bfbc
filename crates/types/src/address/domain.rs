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
        if !text.contains('_') {
            return text.parse();
        }
        if text.len() > DOMAIN_BYTES_MAX {
            return Err(AddressError::DomainTooLong);
        }
        check_labels(&text.replace('_', "x"))?;
        Ok(Self::from_forms(text, &text.to_ascii_lowercase()))
    }

    fn from_forms(written: &str, ascii: &str) -> Self {
        Self { written: written.into(), ascii: (ascii != written).then(|| ascii.into()) }
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
            if !text.split('.').any(is_xn_label) {
                return Ok(Self::from_forms(text, &text.to_ascii_lowercase()));
            }
        }
        let ascii = to_ascii(text)?;
        check_labels(&ascii)?;
        check_written_labels(text, &ascii)?;
        Ok(Self::from_forms(text, &ascii))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

fn is_xn_label(label: &str) -> bool {
    label.as_bytes().get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"xn--"))
}

/// UTS #46 without transitional processing: U-labels become A-labels, A-labels are checked.
fn to_ascii(text: &str) -> Result<String, AddressError> {
    Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| AddressError::Idna)
}

/// Each label must be written as its own A-label or U-label, upper case aside. UTS #46 maps more than that: full
/// width letters, decomposed accents, invisible characters, other dots. Such a label is no U-label (RFC 5890
/// §2.3.2.1, RFC 5891 §4.2.1), and the next host might read it otherwise than this one.
fn check_written_labels(written: &str, ascii: &str) -> Result<(), AddressError> {
    let (unicode, result) =
        Uts46::new().to_unicode(ascii.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast);
    result.map_err(|_| AddressError::Idna)?;
    let mut forms = ascii.split('.').zip(unicode.split('.'));
    for written in written.split('.') {
        let (a_label, u_label) = forms.next().ok_or(AddressError::Idna)?;
        if !written.eq_ignore_ascii_case(a_label) && !is_written_as(u_label, written) {
            return Err(AddressError::Idna);
        }
    }
    if forms.next().is_none() { Ok(()) } else { Err(AddressError::Idna) }
}

/// Whether `written` is `u_label`, or has upper-case letters in their places. A letter and its upper case are each
/// other's: the Kelvin sign, whose lower case is `k`, is no upper case of it.
fn is_written_as(u_label: &str, written: &str) -> bool {
    let is_same = |u: char, c: char| u == c || (u.to_uppercase().eq([c]) && c.to_lowercase().eq([u]));
    let mut chars = written.chars();
    u_label.chars().all(|u| chars.next().is_some_and(|c| is_same(u, c))) && chars.next().is_none()
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
    fn a_domain_of_255_octets_is_taken_in_any_case_and_one_more_is_not() {
        let domain = format!("{0}.{0}.{0}.{1}", "d".repeat(63), "e".repeat(63));
        assert_eq!(domain.len(), 255);
        assert_eq!(domain.parse::<Domain>(), domain.to_uppercase().parse());
        assert_eq!(domain.parse::<Domain>().unwrap().ascii(), domain);
        assert_eq!(format!("{domain}x").parse::<Domain>(), Err(AddressError::DomainTooLong));
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
    fn a_label_that_is_neither_a_label_nor_u_label_is_refused() {
        for text in [
            "ｅｘａｍｐｌｅ.org",
            "bu\u{308}cher.example",
            "bü\u{AD}cher.example",
            "bücher\u{200B}.example",
            "bücher\u{FF0E}example",
            "bücher\u{3002}example",
            "ﬁ.example",
            "①.example",
            "xn--bucher-xyd.example",
            "xn--qi7c.example",
            "xn--ls8h=.example",
            "XN--A.example",
            "a\u{202E}b.example",
            "\u{5D0}a.example",
        ] {
            assert!(text.parse::<Domain>().is_err(), "{text:?}");
        }
        for (text, ascii) in [
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.Example", "xn--bcher-kva.example"),
            ("straße.example", "xn--strae-oqa.example"),
            ("ΣΟΦΟΣ.example", "xn--0xaakcn.example"),
            ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
            ("xn--bcher-kva.bücher.c--n.example", "xn--bcher-kva.xn--bcher-kva.c--n.example"),
        ] {
            assert_eq!(text.parse::<Domain>().map(|d| d.ascii().to_owned()).as_deref(), Ok(ascii), "{text}");
        }
    }

    #[test]
    fn a_host_name_may_hold_an_underscore_and_nothing_else_more() {
        let name = Domain::parse_host_name("WIN_PC.local").unwrap();
        assert_eq!((name.as_str(), name.ascii()), ("WIN_PC.local", "win_pc.local"));
        assert_eq!(Domain::parse_host_name("bü_cher.local"), Err(AddressError::Domain));
        for text in ["", "_", "a b", "a_;rm"] {
            // A lone underscore stands for a letter, so it is a label too.
            assert_eq!(Domain::parse_host_name(text).is_ok(), text == "_", "{text:?}");
        }
    }
}
