//! Reverse-paths and forward-paths.

use std::fmt;
use std::str::FromStr;

use super::{AddressError, Domain, Mailbox};
use crate::limits::PATH_BYTES_MAX;

/// Where a failure is reported: `Path / "<>"` (RFC 5321 §4.1.1.2).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`: nowhere; the message is itself a report (RFC 5321 §4.5.5).
    Null,
    /// `<mailbox>`, its source route dropped.
    Mailbox(Mailbox),
}

/// Where a message goes: `Path / "<Postmaster>"` (RFC 5321 §4.1.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain, in any case: who runs this very host (RFC 5321 §4.5.1).
    Postmaster,
    /// `<mailbox>`, its source route dropped.
    Mailbox(Mailbox),
}

impl ReversePath {
    /// The mailbox, where there is one.
    #[must_use]
    pub const fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Reads a reverse-path from the front of `text`; returns it with what follows.
    ///
    /// # Errors
    /// The first rule that `text` breaks.
    pub fn split(text: &str) -> Result<(Self, &str), AddressError> {
        if let Some(rest) = text.strip_prefix("<>") {
            return Ok((Self::Null, rest));
        }
        split_path(text).map(|(mailbox, rest)| (Self::Mailbox(mailbox), rest))
    }
}

impl ForwardPath {
    /// The mailbox, where there is one.
    #[must_use]
    pub const fn mailbox(&self) -> Option<&Mailbox> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Reads a forward-path from the front of `text`; returns it with what follows.
    ///
    /// # Errors
    /// The first rule that `text` breaks.
    pub fn split(text: &str) -> Result<(Self, &str), AddressError> {
        const POSTMASTER: &str = "<Postmaster>";
        if let Some((head, rest)) = text.split_at_checked(POSTMASTER.len())
            && head.eq_ignore_ascii_case(POSTMASTER)
        {
            return Ok((Self::Postmaster, rest));
        }
        split_path(text).map(|(mailbox, rest)| (Self::Mailbox(mailbox), rest))
    }
}

impl FromStr for ReversePath {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        whole(Self::split(text)?)
    }
}

impl FromStr for ForwardPath {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        whole(Self::split(text)?)
    }
}

/// In angle brackets.
impl fmt::Display for ReversePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// In angle brackets.
impl fmt::Display for ForwardPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<Postmaster>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

fn whole<T>((path, rest): (T, &str)) -> Result<T, AddressError> {
    if rest.is_empty() { Ok(path) } else { Err(AddressError::NoAngleBrackets) }
}

/// `"<" [ A-d-l ":" ] Mailbox ">"`; the route is read and dropped (RFC 5321 §4.1.1.3 and Appendix C).
fn split_path(text: &str) -> Result<(Mailbox, &str), AddressError> {
    let inner = text.strip_prefix('<').ok_or(AddressError::NoAngleBrackets)?;
    let end = closing_bracket(inner).ok_or(AddressError::NoAngleBrackets)?;
    if end + 2 > PATH_BYTES_MAX {
        return Err(AddressError::PathTooLong);
    }
    let (path, rest) = (&inner[..end], &inner[end + 1..]);
    let mailbox = if path.starts_with('@') { after_source_route(path)? } else { path };
    Ok((mailbox.parse()?, rest))
}

/// The first `>` outside a quoted string and outside an address literal, either of which may hold one.
fn closing_bracket(text: &str) -> Option<usize> {
    let mut within = Within::Path;
    text.bytes().position(|b| {
        let is_end = b == b'>' && within == Within::Path;
        within = match (within, b) {
            (Within::Path, b'"') | (Within::QuotedPair, _) => Within::QuotedString,
            (Within::Path, b'[') => Within::Literal,
            (Within::QuotedString, b'\\') => Within::QuotedPair,
            (Within::QuotedString, b'"') | (Within::Literal, b']') => Within::Path,
            (same, _) => same,
        };
        is_end
    })
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Path,
    QuotedString,
    QuotedPair,
    Literal,
}

/// `A-d-l = At-domain *( "," At-domain )`, `At-domain = "@" Domain`
fn after_source_route(path: &str) -> Result<&str, AddressError> {
    let (route, mailbox) = path.split_once(':').ok_or(AddressError::SourceRoute)?;
    for at_domain in route.split(',') {
        let domain = at_domain.strip_prefix('@').ok_or(AddressError::SourceRoute)?;
        domain.parse::<Domain>().map_err(|_| AddressError::SourceRoute)?;
    }
    Ok(mailbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_written_back() {
        for text in [
            "<a@b.example>",
            "<\"a>b\"@b.example>",
            "<\"a\\\">\"@b.example>",
            "<\"[\"@b.example>",
            "<a@[192.0.2.1]>",
            "<a@[Tag:<\">]>",
        ] {
            assert_eq!(text.parse::<ReversePath>().map(|p| p.to_string()).as_deref(), Ok(text));
            assert_eq!(text.parse::<ForwardPath>().map(|p| p.to_string()).as_deref(), Ok(text));
        }
        assert_eq!("<>".parse(), Ok(ReversePath::Null));
        assert_eq!("<>".parse::<ForwardPath>(), Err(AddressError::Empty));
        assert_eq!("<pOSTMASTER>".parse(), Ok(ForwardPath::Postmaster));
        assert_eq!("<Postmaster>".parse::<ReversePath>(), Err(AddressError::NoAt));
    }

    #[test]
    fn a_source_route_is_taken_and_dropped() {
        let path: ForwardPath = "<@a.example,@b.example:user@c.example>".parse().unwrap();
        assert_eq!(path.to_string(), "<user@c.example>");
        for text in ["<@a.example>", "<@a.example,b.example:u@c.example>", "<@:u@c.example>", "<@a.example:>"]
        {
            assert!(text.parse::<ForwardPath>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_of_256_octets_is_taken_and_one_more_is_not() {
        let labels = format!("{0}.{0}.{1}", "d".repeat(63), "e".repeat(61));
        let path = format!("<{}@{labels}>", "l".repeat(64));
        assert_eq!(path.len(), 256);
        assert!(path.parse::<ReversePath>().is_ok());
        assert_eq!(path.replace("<l", "<@a:l").parse::<ReversePath>(), Err(AddressError::PathTooLong));
    }

    #[test]
    fn what_follows_the_bracket_is_handed_back() {
        assert_eq!(ReversePath::split("<> SIZE=1"), Ok((ReversePath::Null, " SIZE=1")));
        assert_eq!(ForwardPath::split("<a@b>x").map(|(_, rest)| rest), Ok("x"));
        for text in ["", "a@b", "<a@b", " <a@b>", "<<a@b>", "<\"a@b>"] {
            assert!(ReversePath::split(text).is_err(), "{text}");
        }
    }
}
