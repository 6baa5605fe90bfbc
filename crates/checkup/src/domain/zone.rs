//! Lines of a zone to paste (RFC 1035 §5), and words for what the DNS did not say.

use std::net::IpAddr;

use types::dns::DnsTrouble;

use crate::records::{self, Data};
use crate::{Finding, Topic, Verdict};

/// A record with something to be filled in, or one that [`records::line`] has no room for.
pub(super) fn line(name: &str, kind: &str, data: &str) -> String {
    format!("{name}. 3600 IN {kind} {data}")
}

pub(super) fn txt(name: &str, text: &str) -> String {
    records::line(name, &Data::Txt(text.to_owned()))
}

/// The record of a host's address.
pub(super) fn address(name: &str, address: IpAddr) -> String {
    match address {
        IpAddr::V4(ip) => records::line(name, &Data::A(ip)),
        IpAddr::V6(ip) => records::line(name, &Data::Aaaa(ip)),
    }
}

/// The name of an address in the DNS, without the dot at the end.
pub(super) fn reverse_name(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(_) => format!("{}.in-addr.arpa", reversed(address)),
        IpAddr::V6(_) => format!("{}.ip6.arpa", reversed(address)),
    }
}

/// The parts of an address, the last one first: octets of IPv4, nibbles of IPv6 (RFC 5782 §2.1 and §2.4).
pub(super) fn reversed(address: IpAddr) -> String {
    let parts: Vec<String> = match address.to_canonical() {
        IpAddr::V4(ip) => ip.octets().iter().rev().map(ToString::to_string).collect(),
        IpAddr::V6(ip) => {
            let nibbles = ip.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect()
        }
    };
    parts.join(".")
}

/// The DNS did not answer.
pub(super) fn trouble(topic: Topic, about: &str, what: &str, trouble: DnsTrouble) -> Finding {
    match trouble {
        // Whoever checks signatures loses the mail.
        DnsTrouble::Bogus => {
            let says = format!("{what} cannot be used: {trouble}");
            Finding::new(topic, about, Verdict::Bad, says)
                .mend("sign the zone again, and have the parent zone's DS record name the key that signs it")
        }
        _ => {
            let says = format!("{what} could not be found out: {trouble}");
            Finding::new(topic, about, Verdict::Unknown, says).mend("try again in some minutes")
        }
    }
}

/// Octets from outside as text that can be shown: cut where it is long.
pub(super) fn shown(octets: &[u8]) -> String {
    let text = String::from_utf8_lossy(octets);
    let mut shown: String = text.chars().take(SHOWN_MAX).collect();
    if text.chars().nth(SHOWN_MAX).is_some() {
        shown.push('…');
    }
    shown
}

/// "1 host", "2 hosts", "2 addresses".
pub(super) fn count(number: usize, one: &str) -> String {
    let ending = match number {
        1 => "",
        _ if one.ends_with('s') => "es",
        _ => "s",
    };
    format!("{number} {one}{ending}")
}

/// "1 day", "2 days".
pub(super) fn days(number: i64) -> String {
    if number == 1 { "1 day".to_owned() } else { format!("{number} days") }
}

/// Characters of a record that are shown.
const SHOWN_MAX: usize = 600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_their_names() {
        assert_eq!(reverse_name("192.0.2.99".parse().unwrap()), "99.2.0.192.in-addr.arpa");
        assert_eq!(reverse_name("::ffff:192.0.2.99".parse().unwrap()), "99.2.0.192.in-addr.arpa");
        // RFC 5782 §2.4.
        assert_eq!(
            reversed("2001:db8:1:2:3:4:567:89ab".parse().unwrap()),
            "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2"
        );
        assert_eq!(address("mx.example", "::1".parse().unwrap()), "mx.example. 3600 IN AAAA ::1");
    }
}
