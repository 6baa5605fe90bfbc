//! What records are made of.

use std::net::{IpAddr, Ipv6Addr};

use types::Domain;

/// What is known of a domain and of the node that takes its mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whose records they are.
    pub domain: Domain,
    /// Whether it has mail at all.
    pub mail: Mail,
    /// What the node calls itself.
    pub host: Domain,
    /// Under which addresses it is seen from outside; empty where that is not known.
    pub addresses: Vec<IpAddr>,
    /// What others can connect to; none where that is not known.
    pub services: Option<Vec<Offered>>,
    /// With what the domain signs.
    pub keys: Vec<Key>,
    /// The chains of certificates that the node shows, in DER, the host's own first.
    pub certificates: Vec<Vec<Vec<u8>>>,
    /// Where reports of others go.
    pub reports: String,
}

/// Whether a domain has mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mail {
    /// It takes mail and sends some.
    Some,
    /// It neither takes nor sends any.
    None,
}

/// A service that others can connect to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offered {
    /// As SRV records name it: `submission`, `submissions`, `imap`, `imaps`, `pop3`, `pop3s`.
    pub service: String,
    /// Where it listens.
    pub port: u16,
}

/// The public half of a key of DKIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// `s=`
    pub selector: String,
    /// What the DNS is to say of it: `v=DKIM1; …`.
    pub record: String,
    /// Where it is on its way.
    pub state: KeyState,
}

/// Where a key is on its way: as the directory says.
pub type KeyState = types::directory::DkimKeyState;

impl Facts {
    /// Whether a name belongs to the domain.
    #[must_use]
    pub fn is_within(&self, name: &str) -> bool {
        let domain = self.domain.ascii();
        name == domain || name.strip_suffix(domain).is_some_and(|below| below.ends_with('.'))
    }

    /// The domain that reports go to, where it is another one.
    #[must_use]
    pub fn reports_domain(&self) -> Option<Domain> {
        let domain: Domain = self.reports.rsplit_once('@')?.1.parse().ok()?;
        (!self.is_within(domain.ascii())).then_some(domain)
    }
}

/// Whether others can see an address: it is none of a machine, a link, a private network or a group of
/// hosts (RFC 6890).
#[must_use]
pub const fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [first, second, ..] = address.octets();
            !(first == 0
                || first >= 224
                || address.is_private()
                || address.is_loopback()
                || address.is_link_local()
                || (first == 100 && second & 0xc0 == 64)
                || (first == 198 && second & 0xfe == 18))
        }
        IpAddr::V6(address) => is_global(address),
    }
}

/// Global unicast addresses are those of 2000::/3 (RFC 4291 §2.4).
const fn is_global(address: Ipv6Addr) -> bool {
    address.segments()[0] & 0xe000 == 0x2000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_private_networks_are_none_that_others_see() {
        for address in [
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.1.1",
            "100.64.0.1",
            "198.18.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "::1",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "::",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in [
            "192.0.2.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "2001:db8::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
