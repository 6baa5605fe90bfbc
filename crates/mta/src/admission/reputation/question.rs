//! The names under which lists are asked (RFC 5782 §2.1, §2.4, §3, §5).

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::limits::LABEL_BYTES_MAX;

/// What a list has entries of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Addresses of IPv4.
    Ipv4,
    /// Addresses of IPv6.
    Ipv6,
    /// Names.
    Domain,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ipv4, Self::Ipv6, Self::Domain];

    /// Of an address; one of IPv4 that is mapped into IPv6 is one of IPv4.
    #[must_use]
    pub const fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// For people and figures.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Domain => "domain",
        }
    }
}

/// What shows whether a list works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestQuestions {
    /// It must be listed.
    pub listed: String,
    /// It must not be.
    pub unlisted: String,
}

/// The octets of IPv4 backwards (RFC 5782 §2.1), or the nibbles of IPv6 (§2.4), in front of the zone.
#[must_use]
pub fn address_question(ip: IpAddr, zone: &str) -> String {
    let mut name = String::new();
    match ip.to_canonical() {
        IpAddr::V4(ip) => reversed_v4(&mut name, ip),
        IpAddr::V6(ip) => reversed_v6(&mut name, ip),
    }
    name + zone
}

fn reversed_v4(name: &mut String, ip: Ipv4Addr) {
    for octet in ip.octets().iter().rev() {
        let _ = write!(name, "{octet}.");
    }
}

fn reversed_v6(name: &mut String, ip: Ipv6Addr) {
    for octet in ip.octets().iter().rev() {
        let _ = write!(name, "{:x}.{:x}.", octet & 0xf, octet >> 4);
    }
}

/// The name in front of the zone (RFC 5782 §3). None where it is no name of a host on the Internet, or the DNS cannot have it:
/// lists of names answer a question for an address with anything.
#[must_use]
pub fn domain_question(name: &str, zone: &str) -> Option<String> {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    let mut labels = name.split('.');
    let is_label = |label: &str| {
        (1..=LABEL_BYTES_MAX).contains(&label.len())
            && label.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_name = name.contains('.')
        && labels.all(is_label)
        && !last.bytes().all(|octet| octet.is_ascii_digit())
        && name.len() + 1 + zone.len() <= NAME_BYTES_MAX;
    is_name.then(|| format!("{name}.{zone}"))
}

/// RFC 5782 §5: 127.0.0.2 and `TEST` are listed by each list that works, 127.0.0.1 and `INVALID` by none. `own` takes the place
/// of `TEST` for lists that have another entry for that.
#[must_use]
pub fn test_questions(kind: Kind, zone: &str, own: Option<&str>) -> TestQuestions {
    // With an IPv4 address mapped into IPv6 the nibbles are asked for, as such.
    let mapped = |ip: Ipv4Addr| {
        let mut name = String::new();
        reversed_v6(&mut name, ip.to_ipv6_mapped());
        name + zone
    };
    let (listed, unlisted) = (Ipv4Addr::new(127, 0, 0, 2), Ipv4Addr::LOCALHOST);
    let (listed, unlisted) = match kind {
        Kind::Ipv4 => (address_question(listed.into(), zone), address_question(unlisted.into(), zone)),
        Kind::Ipv6 => (mapped(listed), mapped(unlisted)),
        Kind::Domain => (format!("{}.{zone}", own.unwrap_or("test")), format!("invalid.{zone}")),
    };
    TestQuestions { listed, unlisted }
}

/// The longest name as text (RFC 1035 §2.3.4: 255 octets on the wire).
const NAME_BYTES_MAX: usize = 253;
