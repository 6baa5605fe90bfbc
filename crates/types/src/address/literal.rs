//! Address literals (RFC 5321 §4.1.3).

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use super::AddressError;
use crate::limits::DOMAIN_BYTES_MAX;

/// ```text
/// address-literal = "[" ( IPv4-address-literal / IPv6-address-literal / General-address-literal ) "]"
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum AddressLiteral {
    /// `[192.0.2.1]` or `[IPv6:2001:db8::1]`
    Ip(IpAddr),
    /// `[Standardized-tag:dcontent]`: no tag but IPv6 is registered today.
    General {
        /// `Ldh-str`
        tag: Box<str>,
        /// `1*dcontent`
        content: Box<str>,
    },
}

impl AddressLiteral {
    /// The IP address, where it is one.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(*ip),
            Self::General { .. } => None,
        }
    }
}

impl FromStr for AddressLiteral {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).ok_or(AddressError::Literal)?;
        if text.len() > DOMAIN_BYTES_MAX {
            return Err(AddressError::DomainTooLong);
        }
        let Some((tag, content)) = inner.split_once(':') else {
            return ipv4(inner).map(|ip| Self::Ip(IpAddr::V4(ip))).ok_or(AddressError::Literal);
        };
        if tag.eq_ignore_ascii_case("IPv6") {
            return ipv6(content).map(|ip| Self::Ip(IpAddr::V6(ip))).ok_or(AddressError::Literal);
        }
        // Ldh-str = *( ALPHA / DIGIT / "-" ) Let-dig; dcontent = %d33-90 / %d94-126
        let is_tag = tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && tag.bytes().last().is_some_and(|b| b.is_ascii_alphanumeric());
        let is_content = !content.is_empty() && content.bytes().all(|b| matches!(b, 33..=90 | 94..=126));
        // `[2001:db8::1]` fits the grammar, but it is an IPv6 address whose tag was forgotten.
        if is_tag && is_content && ipv6(inner).is_none() {
            Ok(Self::General { tag: tag.into(), content: content.into() })
        } else {
            Err(AddressError::Literal)
        }
    }
}

impl fmt::Display for AddressLiteral {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(IpAddr::V4(ip)) => write!(f, "[{ip}]"),
            Self::Ip(IpAddr::V6(ip)) => write!(f, "[IPv6:{ip}]"),
            Self::General { tag, content } => write!(f, "[{tag}:{content}]"),
        }
    }
}

/// `Snum 3("." Snum)`, `Snum = 1*3DIGIT`: unlike the text form of `Ipv4Addr`, leading zeros are allowed, and
/// decimal.
fn ipv4(text: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut parts = text.split('.');
    for octet in &mut octets {
        let part =
            parts.next().filter(|p| (1..=3).contains(&p.len()) && p.bytes().all(|b| b.is_ascii_digit()))?;
        *octet = part.parse().ok()?;
    }
    parts.next().is_none().then(|| octets.into())
}

/// `IPv6-full / IPv6-comp / IPv6v4-full / IPv6v4-comp`. RFC 5321 says that `::` stands for two groups of zeros
/// or more; one group is read too (RFC 4291 §2.2 allows it, and RFC 5952 only forbids writing it).
///
/// The IPv4 address at the end is an IPv4-address-literal, leading zeros and all.
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    match text.rsplit_once(':') {
        Some((head, tail)) if tail.contains('.') => format!("{head}:{}", ipv4(tail)?).parse().ok(),
        _ => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_in_each_form_and_written_canonically() {
        for (text, written) in [
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[192.000.002.001]", "[192.0.2.1]"),
            ("[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"),
            ("[ipv6:::ffff:192.0.2.1]", "[IPv6:::ffff:192.0.2.1]"),
            ("[IPv6:::FFFF:192.000.002.001]", "[IPv6:::ffff:192.0.2.1]"),
            ("[IPv6:1:2:3:4:5:6:192.0.2.1]", "[IPv6:1:2:3:4:5:6:c000:201]"),
            ("[X400:c=us;a=b]", "[X400:c=us;a=b]"),
        ] {
            assert_eq!(text.parse::<AddressLiteral>().unwrap().to_string(), written);
        }
        for text in [
            "[]",
            "[1.2.3]",
            "[1.2.3.256]",
            "[1.2.3.4.5]",
            "[1.2.3.4",
            "[2001:db8::1]",
            "[IPv6:]",
            "[IPv6:1::2::3]",
            "[IPv6:fe80::1%eth0]",
            "[IPv6:192.0.2.1]",
            "[IPv6::192.0.2.1]",
            "[IPv6:::192.0.2]",
            "[IPv6:::0192.0.2.1]",
            "[tag:]",
            "[tag-:x]",
            "[:x]",
            "[tag:a b]",
            "[tag:a]b]",
        ] {
            assert_eq!(text.parse::<AddressLiteral>(), Err(AddressError::Literal), "{text}");
        }
    }
}
