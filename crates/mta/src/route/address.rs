//! Which addresses mail may be sent to, and in which order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ADDRESSES_PER_HOST_MAX;

/// Which addresses this host can reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Families {
    /// Both: in turn, IPv6 first (RFC 8305 §4).
    #[default]
    Both,
    /// Both: in turn, IPv4 first.
    BothIpv4First,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

/// Which addresses the DNS, or a literal, may lead to. What the operator names is never asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AddressPolicy {
    /// Those of the Internet: nobody can make this host talk to its own network by a record.
    #[default]
    Global,
    /// Those of private networks too (RFC 1918, RFC 6598, RFC 4193), where mail domains are inside one.
    GlobalAndPrivate,
    /// All: for tests on one machine.
    Any,
}

/// Why an address is none to send mail to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressProblem {
    /// Of this machine, of one link, of a group, or of nobody.
    #[error("its address is not that of a host in a network")]
    NotAHost,
    /// Of a private network.
    #[error("its address is private")]
    Private,
}

impl AddressPolicy {
    /// Whether mail, or a question about it, may go there.
    ///
    /// # Errors
    /// Why not.
    pub fn check(self, address: IpAddr) -> Result<(), AddressProblem> {
        let problem = match address.to_canonical() {
            IpAddr::V4(address) => ipv4(address),
            IpAddr::V6(address) => ipv6(address),
        };
        match (self, problem) {
            (Self::Any, _) | (Self::GlobalAndPrivate, Some(AddressProblem::Private)) | (_, None) => Ok(()),
            (_, Some(problem)) => Err(problem),
        }
    }
}

/// RFC 6890, as far as it matters to who could be meant.
fn ipv4(address: Ipv4Addr) -> Option<AddressProblem> {
    let octets = address.octets();
    match octets {
        // "This network", loopback, link-local, multicast, reserved and broadcast.
        [0 | 127, ..] | [169, 254, ..] | [224..=255, ..] => Some(AddressProblem::NotAHost),
        // RFC 1918, RFC 6598.
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Some(AddressProblem::Private),
        _ => None,
    }
}

fn ipv6(address: Ipv6Addr) -> Option<AddressProblem> {
    let segments = address.segments();
    if let Some(inner) = embedded(segments) {
        return ipv4(inner);
    }
    match segments[0] {
        // ::, ::1 and the obsolete ::a.b.c.d; link-local and site-local; multicast.
        0 | 0xfe80..=0xfeff | 0xff00.. => Some(AddressProblem::NotAHost),
        // RFC 4193.
        0xfc00..=0xfdff => Some(AddressProblem::Private),
        _ => None,
    }
}

/// The IPv4 address that NAT64 (RFC 6052) and 6to4 (RFC 3056) carry: the same host by another name.
fn embedded(segments: [u16; 8]) -> Option<Ipv4Addr> {
    let address = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => Some(address(high, low)),
        _ => None,
    }
}

/// Both families in turn, so that one that does not work costs one attempt and not all; each in the order of the
/// resolver, which RFC 5321 §5.1 asks to keep. Each address once, [`ADDRESSES_PER_HOST_MAX`] at most.
pub(super) fn interleave(ipv4: &[Ipv4Addr], ipv6: &[Ipv6Addr], families: Families) -> Vec<IpAddr> {
    let ipv4 = ipv4.iter().copied().map(IpAddr::V4);
    let ipv6 = ipv6.iter().copied().map(IpAddr::V6);
    let mut addresses = Vec::new();
    match families {
        Families::Ipv4 => in_turn(ipv4, std::iter::empty(), &mut addresses),
        Families::Ipv6 => in_turn(ipv6, std::iter::empty(), &mut addresses),
        Families::Both => in_turn(ipv6, ipv4, &mut addresses),
        Families::BothIpv4First => in_turn(ipv4, ipv6, &mut addresses),
    }
    addresses
}

fn in_turn(
    mut first: impl Iterator<Item = IpAddr>,
    mut second: impl Iterator<Item = IpAddr>,
    addresses: &mut Vec<IpAddr>,
) {
    loop {
        let pair = [first.next(), second.next()];
        if pair == [None, None] {
            return;
        }
        for address in pair.into_iter().flatten() {
            if addresses.len() == ADDRESSES_PER_HOST_MAX {
                return;
            }
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_no_host_and_of_private_networks_are_told_apart() {
        use AddressProblem::{NotAHost, Private};
        for (address, expected) in [
            ("192.0.2.1", None),
            ("8.8.8.8", None),
            ("172.15.255.255", None),
            ("172.32.0.0", None),
            ("100.63.255.255", None),
            ("100.128.0.0", None),
            ("2001:db8::1", None),
            ("0.0.0.0", Some(NotAHost)),
            ("127.0.0.1", Some(NotAHost)),
            ("127.255.255.255", Some(NotAHost)),
            ("169.254.169.254", Some(NotAHost)),
            ("224.0.0.1", Some(NotAHost)),
            ("255.255.255.255", Some(NotAHost)),
            ("::", Some(NotAHost)),
            ("::1", Some(NotAHost)),
            ("::7f00:1", Some(NotAHost)),
            ("::ffff:127.0.0.1", Some(NotAHost)),
            ("fe80::1", Some(NotAHost)),
            ("fec0::1", Some(NotAHost)),
            ("ff02::1", Some(NotAHost)),
            ("64:ff9b::7f00:1", Some(NotAHost)),
            ("2002:7f00:1::", Some(NotAHost)),
            ("10.0.0.1", Some(Private)),
            ("172.16.0.0", Some(Private)),
            ("172.31.255.255", Some(Private)),
            ("192.168.1.1", Some(Private)),
            ("100.64.0.0", Some(Private)),
            ("fc00::1", Some(Private)),
            ("fdff::1", Some(Private)),
            ("::ffff:10.0.0.1", Some(Private)),
        ] {
            let address = address.parse().unwrap();
            assert_eq!(AddressPolicy::Global.check(address).err(), expected, "{address}");
            let inside = AddressPolicy::GlobalAndPrivate.check(address).err();
            assert_eq!(inside, expected.filter(|problem| *problem == NotAHost), "{address}");
            assert_eq!(AddressPolicy::Any.check(address), Ok(()));
        }
    }

    #[test]
    fn both_families_take_turns_and_each_keeps_its_order() {
        let ipv4: Vec<Ipv4Addr> = (1..=20).map(|n| Ipv4Addr::new(192, 0, 2, n)).collect();
        let ipv6: Vec<Ipv6Addr> =
            ["2001:db8::9", "2001:db8::1", "2001:db8::9"].map(|a| a.parse().unwrap()).into();
        let text = |families| {
            interleave(&ipv4, &ipv6, families).iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(
            text(Families::Both),
            "2001:db8::9 192.0.2.1 2001:db8::1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5 192.0.2.6"
        );
        assert!(text(Families::BothIpv4First).starts_with("192.0.2.1 2001:db8::9 192.0.2.2 2001:db8::1 192"));
        assert_eq!(text(Families::Ipv6), "2001:db8::9 2001:db8::1");
        assert_eq!(interleave(&ipv4, &ipv6, Families::Ipv4).len(), ADDRESSES_PER_HOST_MAX);
        assert_eq!(interleave(&[], &[], Families::Both), Vec::<IpAddr>::new());
    }
}
