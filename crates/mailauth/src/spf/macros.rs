//! Macros (RFC 7208 §7).
//!
//! ```text
//! domain-spec    = macro-string domain-end
//! domain-end     = ( "." toplabel [ "." ] ) / macro-expand
//! explain-string = *( macro-string / SP )
//! macro-string   = *( macro-expand / macro-literal )
//! macro-expand   = ( "%{" macro-letter transformers *delimiter "}" ) / "%%" / "%_" / "%-"
//! macro-literal  = %x21-24 / %x26-7E
//! transformers   = *DIGIT [ "r" ]
//! ```

use std::fmt::Write as _;
use std::net::IpAddr;

use types::Timestamp;

/// Text with macros in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MacroString {
    parts: Vec<Part>,
}

/// A macro string that makes a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DomainSpec(MacroString);

/// What the letters stand for. All but `domain` stay the same through `include` and `redirect`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Values<'a> {
    pub(super) sender_local: &'a str,
    pub(super) sender_domain: &'a str,
    pub(super) domain: &'a str,
    pub(super) ip: IpAddr,
    /// Where it was asked for and found.
    pub(super) validated_name: Option<&'a str>,
    pub(super) helo: &'a str,
    pub(super) receiver: &'a str,
    pub(super) now: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `%%`, `%_` and `%-`
    Escaped(&'static str),
    Expand(Expand),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Expand {
    letter: Letter,
    is_url_escaped: bool,
    /// How many parts on the right are left.
    keep: Option<usize>,
    is_reversed: bool,
    /// Dots where it is empty.
    delimiters: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Letter {
    Sender,
    LocalPart,
    SenderDomain,
    Domain,
    Ip,
    ValidatedName,
    Version,
    Helo,
    ReadableIp,
    Receiver,
    Timestamp,
}

/// Where a string stands decides what may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    DomainSpec,
    OtherModifier,
    Explanation,
}

impl MacroString {
    /// The value of a modifier that is not known.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::parse_at(text, Place::OtherModifier)
    }

    /// `explain-string`
    pub(super) fn parse_explanation(text: &str) -> Option<Self> {
        Self::parse_at(text, Place::Explanation)
    }

    fn parse_at(text: &str, place: Place) -> Option<Self> {
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let literal_ends = rest.find('%').unwrap_or(rest.len());
            let (literal, macros) = rest.split_at(literal_ends);
            if !literal.is_empty() {
                parts.push(Part::Literal(checked_literal(literal, place)?.to_owned()));
            }
            rest = macros;
            let Some(marked) = macros.strip_prefix('%') else { continue };
            let mark = marked.chars().next()?;
            let (part, after) = match mark {
                '%' => (Part::Escaped("%"), &marked[1..]),
                '_' => (Part::Escaped(" "), &marked[1..]),
                '-' => (Part::Escaped("%20"), &marked[1..]),
                '{' => {
                    let (inside, after) = marked[1..].split_once('}')?;
                    (Part::Expand(Expand::parse(inside, place)?), after)
                }
                _ => return None,
            };
            parts.push(part);
            rest = after;
        }
        Some(Self { parts })
    }

    /// Whether `%{p}` is in it, which asks the DNS.
    pub(super) fn wants_validated_name(&self) -> bool {
        self.has(|letter| letter == Letter::ValidatedName)
    }

    /// Whether what it makes depends on who connected.
    fn depends_on_client(&self) -> bool {
        self.has(|letter| {
            use Letter::{Helo, Ip, ReadableIp, ValidatedName, Version};
            matches!(letter, Helo | Ip | ReadableIp | ValidatedName | Version)
        })
    }

    /// What it makes. None where it is longer than any use has room for, or holds a local part that is not ASCII, with which
    /// nothing matches (RFC 8616 §4).
    pub(super) fn expand(&self, values: &Values<'_>) -> Option<String> {
        let is_of_local_part = |letter| matches!(letter, Letter::Sender | Letter::LocalPart);
        if !values.sender_local.is_ascii() && self.has(is_of_local_part) {
            return None;
        }
        let mut text = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(literal) => text.push_str(literal),
                Part::Escaped(escaped) => text.push_str(escaped),
                Part::Expand(expand) => expand.append(values, &mut text),
            }
            if text.len() > EXPANDED_BYTES_MAX {
                return None;
            }
        }
        Some(text)
    }

    fn has(&self, is_wanted: impl Fn(Letter) -> bool) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Expand(expand) if is_wanted(expand.letter)))
    }

    /// `domain-end`
    fn ends_like_a_name(&self) -> bool {
        match self.parts.last() {
            Some(Part::Literal(literal)) => {
                let name = literal.strip_suffix('.').unwrap_or(literal);
                name.rsplit_once('.').is_some_and(|(_, label)| is_top_label(label))
            }
            Some(_) => true,
            None => false,
        }
    }
}

impl DomainSpec {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let string = MacroString::parse_at(text, Place::DomainSpec)?;
        string.ends_like_a_name().then_some(Self(string))
    }

    pub(super) fn wants_validated_name(&self) -> bool {
        self.0.wants_validated_name()
    }

    /// Whether the name is another one for another client.
    pub(super) fn depends_on_client(&self) -> bool {
        self.0.depends_on_client()
    }

    /// The target name: without a dot at the end, and without labels on the left that make it too long (§7.3). None where the
    /// DNS cannot have such a name.
    pub(super) fn target(&self, values: &Values<'_>) -> Option<String> {
        let expanded = self.0.expand(values)?;
        let mut name = expanded.strip_suffix('.').unwrap_or(&expanded);
        while name.len() > crate::names::NAME_BYTES_MAX {
            name = name.split_once('.')?.1;
        }
        crate::is_name(name).then(|| name.to_owned())
    }
}

impl Expand {
    fn parse(inside: &str, place: Place) -> Option<Self> {
        let mut chars = inside.chars();
        let written = chars.next()?;
        let letter = Letter::parse(written)?;
        let is_for_people = matches!(letter, Letter::ReadableIp | Letter::Receiver | Letter::Timestamp);
        if is_for_people && place == Place::DomainSpec {
            return None;
        }
        let rest = chars.as_str();
        let digits_end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (digits, rest) = rest.split_at(digits_end);
        let keep = match digits {
            "" => None,
            _ if digits.bytes().all(|digit| digit == b'0') => return None,
            // More than any text has parts is as good as any other number of them.
            _ => Some(digits.parse().unwrap_or(usize::MAX)),
        };
        let (is_reversed, delimiters) = match rest.strip_prefix(['r', 'R']) {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let are_delimiters = delimiters.chars().all(|c| DELIMITERS.contains(c));
        are_delimiters.then(|| Self {
            letter,
            is_url_escaped: written.is_ascii_uppercase(),
            keep,
            is_reversed,
            delimiters: delimiters.to_owned(),
        })
    }

    fn append(&self, values: &Values<'_>, text: &mut String) {
        let value = self.letter.value(values);
        let value = if self.keep.is_none() && !self.is_reversed && self.delimiters.is_empty() {
            value
        } else {
            self.transform(&value)
        };
        if self.is_url_escaped { append_escaped(&value, text) } else { text.push_str(&value) }
    }

    /// Split, turned, cut, joined by dots (§7.3).
    fn transform(&self, value: &str) -> String {
        let delimiters = if self.delimiters.is_empty() { "." } else { &self.delimiters };
        let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
        if self.is_reversed {
            parts.reverse();
        }
        let cut = parts.len().saturating_sub(self.keep.unwrap_or(usize::MAX));
        parts[cut..].join(".")
    }
}

impl Letter {
    fn parse(letter: char) -> Option<Self> {
        Some(match letter.to_ascii_lowercase() {
            's' => Self::Sender,
            'l' => Self::LocalPart,
            'o' => Self::SenderDomain,
            'd' => Self::Domain,
            'i' => Self::Ip,
            'p' => Self::ValidatedName,
            'v' => Self::Version,
            'h' => Self::Helo,
            'c' => Self::ReadableIp,
            'r' => Self::Receiver,
            't' => Self::Timestamp,
            _ => return None,
        })
    }

    fn value(self, values: &Values<'_>) -> String {
        match self {
            Self::Sender => format!("{}@{}", values.sender_local, values.sender_domain),
            Self::LocalPart => values.sender_local.to_owned(),
            Self::SenderDomain => values.sender_domain.to_owned(),
            Self::Domain => values.domain.to_owned(),
            Self::Ip => dotted(values.ip),
            Self::ValidatedName => values.validated_name.unwrap_or("unknown").to_owned(),
            Self::Version if values.ip.is_ipv4() => "in-addr".to_owned(),
            Self::Version => "ip6".to_owned(),
            Self::Helo => values.helo.to_owned(),
            Self::ReadableIp => values.ip.to_string(),
            Self::Receiver => values.receiver.to_owned(),
            Self::Timestamp => values.now.seconds().to_string(),
        }
    }
}

/// Visible characters; in an explanation spaces too.
fn checked_literal(literal: &str, place: Place) -> Option<&str> {
    let is_allowed = |octet: u8| octet.is_ascii_graphic() || octet == b' ' && place == Place::Explanation;
    literal.bytes().all(is_allowed).then_some(literal)
}

/// Letters, digits and inner hyphens, not digits alone (§7.1).
fn is_top_label(label: &str) -> bool {
    label.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        && label.bytes().any(|octet| !octet.is_ascii_digit())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.is_empty()
}

/// IPv6 as 32 hexadecimal digits with dots between them (§7.3).
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => {
            let digits: Vec<String> = ip
                .octets()
                .iter()
                .flat_map(|octet| [octet >> 4, octet & 15])
                .map(|nibble| format!("{nibble:x}"))
                .collect();
            digits.join(".")
        }
    }
}

/// All but the unreserved characters of RFC 3986 §2.3.
fn append_escaped(value: &str, text: &mut String) {
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(octet));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(text, "%{octet:02X}");
        }
    }
}

const DELIMITERS: &str = ".-+,/_=";

/// A name has 253 octets of it, an explanation 400.
const EXPANDED_BYTES_MAX: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn values(ip: &str) -> Values<'_> {
        Values {
            sender_local: "strong-bad",
            sender_domain: "email.example.com",
            domain: "email.example.com",
            ip: ip.parse().unwrap(),
            validated_name: None,
            helo: "mx.example.org",
            receiver: "receiver.example",
            now: Timestamp::from_millis(1_234_000),
        }
    }

    #[test]
    fn the_examples_of_section_7_4_expand_as_there() {
        for (text, expanded) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("%{p}", "unknown"),
            ("%%%_%-%{S}", "% %20strong-bad%40email.example.com"),
            ("%{c} %{r} %{t}", "192.0.2.3 receiver.example 1234"),
        ] {
            let string = MacroString::parse_explanation(text).unwrap();
            assert_eq!(string.expand(&values("192.0.2.3")).as_deref(), Some(expanded), "{text}");
        }
        let string = MacroString::parse("%{ir}.%{v}._spf.%{d2}").unwrap();
        assert_eq!(
            string.expand(&values("2001:db8::cb01")).as_deref(),
            Some("1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com")
        );
    }

    #[test]
    fn what_is_no_macro_is_an_error() {
        for text in [
            "%", "%(d)", "%{", "%{}", "%{d", "%{x}", "%{d0}", "%{d00}", "%{d2x}", "%{d.r}", "%{dé}", "é",
            "a b",
        ] {
            assert_eq!(MacroString::parse(text), None, "{text}");
        }
        assert!(MacroString::parse("%{d99999999999999999999999}").is_some());
    }

    #[test]
    fn a_name_that_is_too_long_loses_labels_on_its_left() {
        let helo = ["abcdefghij"; 25].join(".");
        let spec = DomainSpec::parse("%{h}.example.org").unwrap();
        let target = spec.target(&Values { helo: &helo, ..values("192.0.2.3") }).unwrap();
        assert_eq!(target, format!("{}.example.org", ["abcdefghij"; 22].join(".")));
        let helo = "x".repeat(300);
        assert_eq!(
            spec.target(&Values { helo: &helo, ..values("192.0.2.3") }).as_deref(),
            Some("example.org")
        );
    }

    #[test]
    fn nothing_matches_with_a_local_part_that_is_not_ascii() {
        let spec = DomainSpec::parse("%{l}.example.org").unwrap();
        assert_eq!(spec.target(&Values { sender_local: "josé", ..values("192.0.2.3") }), None);
    }

    #[test]
    fn an_expansion_has_an_end() {
        let string = MacroString::parse(&"%{s}".repeat(4_000)).unwrap();
        assert_eq!(string.expand(&values("192.0.2.3")), None);
    }
}
