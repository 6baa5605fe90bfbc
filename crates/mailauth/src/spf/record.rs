//! The record of a domain (RFC 7208 §4.6.1, §5, §6 and §12).
//!
//! ```text
//! record      = version terms *SP
//! version     = "v=spf1"
//! terms       = *( 1*SP ( directive / modifier ) )
//! directive   = [ qualifier ] mechanism
//! qualifier   = "+" / "-" / "?" / "~"
//! mechanism   = ( all / include / a / mx / ptr / ip4 / ip6 / exists )
//! modifier    = redirect / explanation / unknown-modifier
//! dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ]
//! ip4-cidr-length  = "/" ("0" / %x31-39 0*1DIGIT)
//! ip6-cidr-length  = "/" ("0" / %x31-39 0*2DIGIT)
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::SpfResult;
use super::macros::{DomainSpec, MacroString};

/// A record, all of which was read: an error anywhere in it is an error of the whole (§4.6).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Record {
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<DomainSpec>,
    pub(super) explanation: Option<DomainSpec>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) qualifier: SpfResult,
    pub(super) mechanism: Mechanism,
    pub(super) text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(DomainSpec),
    A(Option<DomainSpec>, Prefixes),
    Mx(Option<DomainSpec>, Prefixes),
    Ptr(Option<DomainSpec>),
    Ip(Network),
    Exists(DomainSpec),
}

/// How many bits of an address matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Prefixes {
    pub(super) ipv4: u32,
    pub(super) ipv6: u32,
}

/// `ip4:192.0.2.0/24`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Network {
    V4(Ipv4Addr, u32),
    V6(Ipv6Addr, u32),
}

/// The first term that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct BadTerm(pub(super) String);

impl Record {
    /// What follows the version. None where the text is no SPF record at all (§4.5).
    pub(super) fn terms_of(text: &[u8]) -> Option<&[u8]> {
        let (version, rest) = text.split_at_checked(VERSION.len())?;
        let ends = rest.first().is_none_or(|octet| *octet == b' ');
        (version.eq_ignore_ascii_case(VERSION.as_bytes()) && ends).then_some(rest)
    }

    pub(super) fn parse(terms: &[u8]) -> Result<Self, BadTerm> {
        let mut record = Self::default();
        for term in terms.split(|octet| *octet == b' ').filter(|term| !term.is_empty()) {
            let bad = || BadTerm(printable(term));
            let text = std::str::from_utf8(term).ok().filter(|text| text.is_ascii()).ok_or_else(bad)?;
            record.read_term(text).ok_or_else(bad)?;
        }
        Ok(record)
    }

    fn read_term(&mut self, term: &str) -> Option<()> {
        let name_ends = term.find([':', '/', '=']).unwrap_or(term.len());
        let (name, rest) = term.split_at(name_ends);
        if let Some(value) = rest.strip_prefix('=') {
            return self.read_modifier(name, value);
        }
        let (qualifier, name) = match name.as_bytes().first()? {
            b'+' => (SpfResult::Pass, &name[1..]),
            b'-' => (SpfResult::Fail, &name[1..]),
            b'?' => (SpfResult::Neutral, &name[1..]),
            b'~' => (SpfResult::SoftFail, &name[1..]),
            _ => (SpfResult::Pass, name),
        };
        let mechanism = Mechanism::parse(name, rest)?;
        self.directives.push(Directive { qualifier, mechanism, text: term.to_owned() });
        Some(())
    }

    /// `redirect` and `exp` may stand there once; others are ignored, if they are well formed (§6).
    fn read_modifier(&mut self, name: &str, value: &str) -> Option<()> {
        let slot = if name.eq_ignore_ascii_case("redirect") {
            &mut self.redirect
        } else if name.eq_ignore_ascii_case("exp") {
            &mut self.explanation
        } else {
            return (is_modifier_name(name) && MacroString::parse(value).is_some()).then_some(());
        };
        if slot.is_some() {
            return None;
        }
        *slot = Some(DomainSpec::parse(value)?);
        Some(())
    }
}

impl Mechanism {
    fn parse(name: &str, rest: &str) -> Option<Self> {
        let named = |wanted: &str| name.eq_ignore_ascii_case(wanted);
        let required = || DomainSpec::parse(rest.strip_prefix(':')?);
        if named("all") {
            return rest.is_empty().then_some(Self::All);
        }
        if named("include") {
            return Some(Self::Include(required()?));
        }
        if named("exists") {
            return Some(Self::Exists(required()?));
        }
        if named("ptr") {
            return Some(Self::Ptr(optional_target(rest)?));
        }
        if named("a") {
            let (target, prefixes) = target_and_prefixes(rest)?;
            return Some(Self::A(target, prefixes));
        }
        if named("mx") {
            let (target, prefixes) = target_and_prefixes(rest)?;
            return Some(Self::Mx(target, prefixes));
        }
        if named("ip4") {
            let (address, bits) = network(rest, 32)?;
            return Some(Self::Ip(Network::V4(address.parse().ok()?, bits)));
        }
        if named("ip6") {
            let (address, bits) = network(rest, 128)?;
            return Some(Self::Ip(Network::V6(address.parse().ok()?, bits)));
        }
        None
    }

    /// Whether it counts among the terms that ask the DNS (§4.6.4).
    pub(super) const fn asks(&self) -> bool {
        !matches!(self, Self::All | Self::Ip(_))
    }
}

impl Network {
    pub(super) fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Self::V4(network, bits), IpAddr::V4(address)) => same_ipv4(network, address, bits),
            (Self::V6(network, bits), IpAddr::V6(address)) => same_ipv6(network, address, bits),
            _ => false,
        }
    }
}

/// Whether the first `bits` are the same.
pub(super) fn same_ipv4(one: Ipv4Addr, other: Ipv4Addr, bits: u32) -> bool {
    let shift = 32_u32.saturating_sub(bits);
    (one.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
}

/// Whether the first `bits` are the same.
pub(super) fn same_ipv6(one: Ipv6Addr, other: Ipv6Addr, bits: u32) -> bool {
    let shift = 128_u32.saturating_sub(bits);
    (one.to_bits() ^ other.to_bits()).checked_shr(shift).unwrap_or(0) == 0
}

/// Octets of a record for people: nothing that a terminal or a header field could take for its own, and not long.
pub(super) fn printable(octets: &[u8]) -> String {
    octets
        .iter()
        .take(TERM_SHOWN_BYTES_MAX)
        .map(|octet| if octet.is_ascii_graphic() { char::from(*octet) } else { '?' })
        .collect()
}

fn optional_target(rest: &str) -> Option<Option<DomainSpec>> {
    match rest.strip_prefix(':') {
        Some(spec) => DomainSpec::parse(spec).map(Some),
        None => rest.is_empty().then_some(None),
    }
}

/// `[ ":" domain-spec ] [ dual-cidr-length ]`. The lengths are taken off the end, since a domain-spec may hold `/` too.
fn target_and_prefixes(rest: &str) -> Option<(Option<DomainSpec>, Prefixes)> {
    let (rest, ipv6) = match split_digits(rest, "//") {
        Some((rest, digits)) => (rest, prefix_length(digits, 128)?),
        None => (rest, 128),
    };
    let (rest, ipv4) = match split_digits(rest, "/") {
        Some((rest, digits)) => (rest, prefix_length(digits, 32)?),
        None => (rest, 32),
    };
    Some((optional_target(rest)?, Prefixes { ipv4, ipv6 }))
}

fn split_digits<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let head = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &text[head.len()..];
    let head = head.strip_suffix(mark)?;
    (!digits.is_empty()).then_some((head, digits))
}

/// `":" address [ cidr-length ]`
fn network(rest: &str, bits_max: u32) -> Option<(&str, u32)> {
    let rest = rest.strip_prefix(':')?;
    match rest.split_once('/') {
        Some((address, digits)) => Some((address, prefix_length(digits, bits_max)?)),
        None => Some((rest, bits_max)),
    }
}

fn prefix_length(digits: &str, bits_max: u32) -> Option<u32> {
    let is_number =
        digits == "0" || !digits.starts_with('0') && digits.bytes().all(|octet| octet.is_ascii_digit());
    let bits = digits.parse().ok().filter(|_| is_number && digits.len() <= 3)?;
    (bits <= bits_max).then_some(bits)
}

/// `name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )`
fn is_modifier_name(name: &str) -> bool {
    name.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'))
}

const VERSION: &str = "v=spf1";

const TERM_SHOWN_BYTES_MAX: usize = 80;

#[cfg(test)]
mod tests {
    use super::*;

    fn is_read(terms: &str) -> bool {
        Record::parse(terms.as_bytes()).is_ok()
    }

    #[test]
    fn a_record_begins_with_its_version_and_a_space() {
        assert_eq!(Record::terms_of(b"v=spf1 -all"), Some(&b" -all"[..]));
        assert_eq!(Record::terms_of(b"V=SPF1"), Some(&b""[..]));
        assert_eq!(Record::terms_of(b"v=spf10 -all"), None);
        assert_eq!(Record::terms_of(b"v=spf"), None);
    }

    #[test]
    fn terms_of_the_grammar_are_read_and_their_neighbours_are_not() {
        for term in [
            "all",
            "-ALL",
            "~include:a.example",
            "a",
            "a/24",
            "a//64",
            "a/24//64",
            "a:b.example/0//0",
            "mx:%{d}",
            "ptr",
            "ptr:%{d}",
            "ip4:192.0.2.1",
            "ip4:192.0.2.0/32",
            "ip6:2001:db8::/128",
            "exists:%{ir}.x.example",
            "redirect=a.example",
            "exp=a.example",
            "unknown=",
            "x-y_z.1=%{c}/anything",
            "a:1-2",
        ] {
            assert_eq!(is_read(term), term != "a:1-2", "{term}");
        }
        for term in [
            "all:x",
            "all/8",
            "include",
            "include:",
            "include:a.example/24",
            "a:",
            "a/",
            "a/33",
            "a//129",
            "a/024",
            "a//",
            "a/24/64",
            "a:museum",
            "a:b.123",
            "a:b.example/24a",
            "ip4",
            "ip4:",
            "ip4:192.0.2",
            "ip4:192.0.2.1/33",
            "ip4:192.0.2.1/",
            "ip6:::1/129",
            "ip6:192.0.2.1",
            "ip4:2001:db8::1",
            "exists",
            "exists:",
            "redirect=",
            "exp=",
            "-redirect=a.example",
            "=x",
            "1x=y",
            "unknown=%",
            "unknown=%(x)",
            "foo",
            "--all",
            "+",
            "a:%{c}.x.example",
        ] {
            assert!(!is_read(term), "{term}");
        }
    }

    #[test]
    fn redirect_and_exp_stand_there_once() {
        assert!(!is_read("redirect=a.example redirect=a.example"));
        assert!(!is_read("exp=a.example -all exp=b.example"));
    }

    #[test]
    fn networks_of_no_bits_hold_every_address_of_their_family() {
        let all: Network = Network::V4(Ipv4Addr::new(1, 2, 3, 4), 0);
        assert!(all.contains("255.0.0.1".parse().unwrap()));
        assert!(!all.contains("::1".parse().unwrap()));
        assert!(Network::V6(Ipv6Addr::LOCALHOST, 0).contains("2001:db8::1".parse().unwrap()));
        assert!(!Network::V6(Ipv6Addr::LOCALHOST, 128).contains("::2".parse().unwrap()));
    }
}
