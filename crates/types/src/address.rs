//! Addresses and paths of the envelope, read strictly (RFC 5321 §4.1.2 and §4.1.3, RFC 6531 §3.3).
//!
//! ```text
//! Reverse-path   = Path / "<>"
//! Forward-path   = Path / "<Postmaster>"
//! Path           = "<" [ A-d-l ":" ] Mailbox ">"
//! A-d-l          = At-domain *( "," At-domain )
//! Mailbox        = Local-part "@" ( Domain / address-literal )
//! Local-part     = Dot-string / Quoted-string
//! Dot-string     = Atom *("." Atom)
//! Quoted-string  = DQUOTE *QcontentSMTP DQUOTE
//! Domain         = sub-domain *("." sub-domain)
//! sub-domain     = Let-dig [Ldh-str] / U-label
//! ```
//!
//! What is left out on purpose: comments and folding white space, which are of message headers (RFC 5322), not
//! of the envelope; the percent hack, which is an ordinary local part here.

mod domain;
mod literal;
mod local_part;
mod path;

pub use domain::Domain;
pub use literal::AddressLiteral;
pub use local_part::LocalPart;
pub use path::{ForwardPath, ReversePath};

use std::fmt;
use std::str::FromStr;

use crate::limits::MAILBOX_BYTES_MAX;

/// `Local-part "@" ( Domain / address-literal )`, kept as written, and short enough to stand in a path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Mailbox {
    /// Before the last `@`.
    pub local_part: LocalPart,
    /// After it.
    pub host: Host,
}

/// The right side of an address, or what EHLO names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Host {
    /// A domain name.
    Domain(Domain),
    /// An address literal in brackets.
    Literal(AddressLiteral),
}

/// Why an address was refused. The text is for the person who wrote the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Nothing there.
    #[error("the address is empty")]
    Empty,
    /// `<` or `>` is missing.
    #[error("an address stands between < and >")]
    NoAngleBrackets,
    /// No `@`.
    #[error("there is no @ between local part and domain")]
    NoAt,
    /// Over 64 octets.
    #[error("the local part is longer than 64 octets")]
    LocalPartTooLong,
    /// Not a dot-string, nor a quoted string.
    #[error("the local part is neither words with dots between them nor a string in double quotes")]
    LocalPart,
    /// Over 255 octets.
    #[error("the domain is longer than 255 octets")]
    DomainTooLong,
    /// Not labels of letters, digits and hyphens.
    #[error("the domain is not labels of letters, digits and inner hyphens with dots between them")]
    Domain,
    /// A label of over 63 octets.
    #[error("a label of the domain is longer than 63 octets")]
    LabelTooLong,
    /// Not a valid internationalized domain name (RFC 5890, UTS #46).
    #[error("the domain is not a valid internationalized name")]
    Idna,
    /// A literal that is not `[192.0.2.1]`, `[IPv6:2001:db8::1]` or `[Tag:text]`.
    #[error("the address literal is neither [IPv4], [IPv6:address] nor [Tag:text]")]
    Literal,
    /// Over 256 octets with the angle brackets.
    #[error("the path is longer than 256 octets")]
    PathTooLong,
    /// A malformed source route.
    #[error("the source route is not @domain,@domain:")]
    SourceRoute,
    /// Octets that are not UTF-8.
    #[error("the address is not UTF-8")]
    NotUtf8,
}

impl Mailbox {
    /// Whether the mailbox as written can travel without SMTPUTF8.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        self.local_part.as_str().is_ascii() && self.host.is_ascii()
    }

    /// The same mailbox in a form that can travel without SMTPUTF8: with A-labels. None where the local part is
    /// not ASCII, which nobody but its own host may change (RFC 6531 §3.2), or where the A-labels are too long.
    #[must_use]
    pub fn to_ascii(&self) -> Option<Self> {
        match &self.host {
            _ if !self.local_part.as_str().is_ascii() => None,
            Host::Domain(domain) if !self.host.is_ascii() => {
                format!("{}@{}", self.local_part, domain.ascii()).parse().ok()
            }
            _ => Some(self.clone()),
        }
    }
}

impl FromStr for Mailbox {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        let (local_part, rest) = LocalPart::split(text)?;
        let host = rest.strip_prefix('@').ok_or(if rest.is_empty() || !text.contains('@') {
            AddressError::NoAt
        } else {
            AddressError::LocalPart
        })?;
        let host = host.parse()?;
        if text.len() > MAILBOX_BYTES_MAX {
            return Err(AddressError::PathTooLong);
        }
        Ok(Self { local_part, host })
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local_part, self.host)
    }
}

impl Host {
    /// The domain, where it is one.
    #[must_use]
    pub const fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Domain(domain) => Some(domain),
            Self::Literal(_) => None,
        }
    }

    /// Whether it is written in ASCII.
    #[must_use]
    pub fn is_ascii(&self) -> bool {
        match self {
            Self::Domain(domain) => domain.as_str().is_ascii(),
            Self::Literal(_) => true,
        }
    }
}

impl FromStr for Host {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text.starts_with('[') { text.parse().map(Self::Literal) } else { text.parse().map(Self::Domain) }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => domain.fmt(f),
            Self::Literal(literal) => literal.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_at_outside_quotes_parts_local_part_and_domain() {
        let mailbox: Mailbox = "\"a@b\"@example.org".parse().unwrap();
        assert_eq!(mailbox.local_part.as_str(), "\"a@b\"");
        assert_eq!(mailbox.to_string(), "\"a@b\"@example.org");
        assert_eq!("a@b@example.org".parse::<Mailbox>(), Err(AddressError::Domain));
        assert_eq!("example.org".parse::<Mailbox>(), Err(AddressError::NoAt));
    }

    #[test]
    fn a_local_part_of_64_octets_and_a_mailbox_of_254_are_taken_and_one_more_is_not() {
        let local_part = "l".repeat(64);
        assert!(format!("{local_part}@example.org").parse::<Mailbox>().is_ok());
        assert_eq!(
            format!("{local_part}l@example.org").parse::<Mailbox>(),
            Err(AddressError::LocalPartTooLong)
        );
        let mailbox = format!("{local_part}@{0}.{0}.{1}", "d".repeat(63), "e".repeat(61));
        assert_eq!(mailbox.len(), 254);
        assert_eq!(mailbox.parse::<Mailbox>().map(|m| m.to_string()), Ok(mailbox.clone()));
        assert_eq!(format!("{mailbox}e").parse::<Mailbox>(), Err(AddressError::PathTooLong));
    }

    #[test]
    fn a_mailbox_has_an_ascii_form_unless_its_local_part_is_not_ascii() {
        for (written, ascii) in [
            ("info@bücher.example", Some("info@xn--bcher-kva.example")),
            ("Info@Example.ORG", Some("Info@Example.ORG")),
            ("info@[192.0.2.1]", Some("info@[192.0.2.1]")),
            ("用户@bücher.example", None),
            ("用户@example.org", None),
        ] {
            let mailbox: Mailbox = written.parse().unwrap();
            assert_eq!(mailbox.to_ascii().map(|m| m.to_string()).as_deref(), ascii);
            assert_eq!(mailbox.is_ascii(), ascii == Some(written));
        }
        // 216 octets as written, but as A-labels more than a DNS name may have.
        let long = format!("a@{}", vec!["äöü"; 31].join("."));
        assert_eq!(long.parse::<Mailbox>(), Err(AddressError::Idna));
    }
}
