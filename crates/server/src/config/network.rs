//! Networks of IP addresses (RFC 4632, RFC 4291 §2.3).

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use toml::de::DeValue;

use super::value::{Fault, Value, quoted};

/// All addresses that begin with the same bits. An address of IPv4 is the same however it came to be written: as one
/// of IPv4 or mapped into IPv6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Network {
    first: IpAddr,
    prefix_bits: u8,
}

/// Why a text is no [`Network`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// No IP address stands before the slash.
    #[error("no IP address")]
    Address,
    /// What stands behind the slash is no number of bits that such an address has.
    #[error("the number behind the slash is 0 to {0}")]
    PrefixBits(u8),
    /// The address has bits behind the prefix: which network is meant can be read in two ways.
    #[error("the address goes on behind the first {} bits", .0.prefix_bits)]
    HostBits(
        /// The network that the prefix alone names.
        Network,
    ),
}

/// In front of an address of IPv4 that is mapped into IPv6 (RFC 4291 §2.5.5.2).
const MAPPED_BITS: u8 = 96;

impl Network {
    /// The network of the addresses that share the first `prefix_bits` with `address`. Nothing where an address of
    /// that kind has not so many.
    #[must_use]
    pub fn new(address: IpAddr, prefix_bits: u8) -> Option<Self> {
        let (address, prefix_bits) = match (address, address.to_canonical()) {
            (IpAddr::V6(_), IpAddr::V4(mapped)) if prefix_bits >= MAPPED_BITS => {
                (IpAddr::V4(mapped), prefix_bits - MAPPED_BITS)
            }
            _ => (address, prefix_bits),
        };
        (prefix_bits <= bits_of(address)).then(|| Self { first: first_of(address, prefix_bits), prefix_bits })
    }

    /// Whether `ip` is one of its addresses.
    #[must_use]
    pub fn contains(self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        ip.is_ipv4() == self.first.is_ipv4() && first_of(ip, self.prefix_bits) == self.first
    }
}

/// Whether one of `networks` has `ip`.
#[must_use]
pub fn any_contains(networks: &[Network], ip: IpAddr) -> bool {
    networks.iter().any(|network| network.contains(ip))
}

const fn bits_of(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The address with all bits behind the prefix cleared.
fn first_of(address: IpAddr, prefix_bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix_bits)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

/// `10.0.0.0/8`, `2001:db8::/32`, or one address alone.
impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Address)?;
        let bits_max = bits_of(address);
        let wrong_bits = NetworkError::PrefixBits(bits_max);
        let prefix_bits = match bits {
            None => bits_max,
            // `parse` alone takes a sign and leading zeros.
            Some(bits) if bits.len() > 1 && !bits.starts_with(|first: char| ('1'..='9').contains(&first)) => {
                return Err(wrong_bits);
            }
            Some(bits) => bits.parse().map_err(|_| wrong_bits.clone())?,
        };
        let network = Self::new(address, prefix_bits).ok_or(wrong_bits)?;
        if first_of(address, prefix_bits) != address {
            return Err(NetworkError::HostBits(network));
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.prefix_bits == bits_of(self.first) {
            return self.first.fmt(f);
        }
        write!(f, "{}/{}", self.first, self.prefix_bits)
    }
}

impl Value for Network {
    fn read(value: &DeValue<'_>) -> Result<Self, Fault> {
        const MEND: &str = "write a network or an address, for example \"10.0.0.0/8\" or \"2001:db8::1\"";
        let text = value.as_str().ok_or_else(|| Fault::of_type(value, "a network", MEND))?;
        text.parse().map_err(|error| {
            let mend = match &error {
                NetworkError::HostBits(network) => format!("write \"{network}\""),
                _ => MEND.to_owned(),
            };
            Fault::new(format!("{text:?}: {error}"), mend)
        })
    }

    fn write(&self) -> String {
        quoted(&self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_written_as_it_was_read_and_has_its_addresses_alone() {
        // As read, as written, an address within, an address one past.
        for (text, written, within, without) in [
            ("10.0.0.0/8", "10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.1/32", "192.0.2.1", "::ffff:192.0.2.1", "192.0.2.0"),
            ("192.0.2.128/25", "192.0.2.128/25", "192.0.2.128", "192.0.2.127"),
            ("0.0.0.0/0", "0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("::/0", "::/0", "2001:db8::1", "192.0.2.1"),
            ("2001:db8::/32", "2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"),
            ("2001:db8::1", "2001:db8::1", "2001:db8::1", "2001:db8::2"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.2.3", "::10.1.2.3"),
        ] {
            let network: Network = text.parse().unwrap();
            assert_eq!(network.to_string(), written);
            assert_eq!(written.parse(), Ok(network));
            assert!(network.contains(within.parse().unwrap()), "{within} in {text}");
            assert!(!network.contains(without.parse().unwrap()), "{without} not in {text}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_no_network() {
        for (text, error) in [
            ("", NetworkError::Address),
            ("10.0.0/8", NetworkError::Address),
            ("localhost/8", NetworkError::Address),
            ("10.0.0.0/", NetworkError::PrefixBits(32)),
            ("10.0.0.0/33", NetworkError::PrefixBits(32)),
            ("10.0.0.0/08", NetworkError::PrefixBits(32)),
            ("10.0.0.0/+8", NetworkError::PrefixBits(32)),
            ("10.0.0.0/8/8", NetworkError::PrefixBits(32)),
            ("2001:db8::/129", NetworkError::PrefixBits(128)),
            ("10.0.0.1/8", NetworkError::HostBits("10.0.0.0/8".parse().unwrap())),
            ("2001:db8::1/64", NetworkError::HostBits("2001:db8::/64".parse().unwrap())),
        ] {
            assert_eq!(text.parse::<Network>(), Err(error), "{text}");
        }
    }
}
