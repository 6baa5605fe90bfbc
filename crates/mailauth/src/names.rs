//! The DNS as verification asks it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;
use types::dns::{Lookup, MxRecord};

/// Answers questions to the DNS, aliases followed.
///
/// Names come as ASCII without a dot at the end. They may hold what no host has, such as `_` (`_dmarc.example.org`, or what
/// a macro of SPF makes), but no backslash and no control character. What DNSSEC proves is not asked for here.
#[async_trait]
pub trait Names: Send + Sync {
    /// Texts, the strings of one record joined without anything between them.
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>>;
    /// IPv4 addresses.
    async fn ipv4(&self, name: &str) -> Lookup<Ipv4Addr>;
    /// IPv6 addresses.
    async fn ipv6(&self, name: &str) -> Lookup<Ipv6Addr>;
    /// Mail hosts.
    async fn mx(&self, name: &str) -> Lookup<MxRecord>;
    /// The names of an address, by `in-addr.arpa` or `ip6.arpa`.
    async fn ptr(&self, address: IpAddr) -> Lookup<String>;
}

/// A DNS of texts alone, by a function that has them: what keys need whose records are not asked of the DNS. There is no such name
/// as any other record is asked of.
pub struct Texts<F>(pub F);

#[async_trait]
impl<F: Fn(&str) -> Lookup<Vec<u8>> + Send + Sync> Names for Texts<F> {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        (self.0)(name)
    }
    async fn ipv4(&self, _name: &str) -> Lookup<Ipv4Addr> {
        Lookup::NoSuchName
    }
    async fn ipv6(&self, _name: &str) -> Lookup<Ipv6Addr> {
        Lookup::NoSuchName
    }
    async fn mx(&self, _name: &str) -> Lookup<MxRecord> {
        Lookup::NoSuchName
    }
    async fn ptr(&self, _address: IpAddr) -> Lookup<String> {
        Lookup::NoSuchName
    }
}

/// Whether the DNS can have the name (RFC 1035 §2.3.4), and [`Names`] be asked for it: with a dot at the end it is not.
#[must_use]
pub fn is_name(name: &str) -> bool {
    name.len() <= NAME_BYTES_MAX
        && name.split('.').all(|label| (1..=LABEL_BYTES_MAX).contains(&label.len()))
        && name.bytes().all(|octet| matches!(octet, b' '..=b'~') && octet != b'\\')
}

/// The longest name as text, without the dot of the root (RFC 1035 §2.3.4: 255 octets on the wire).
pub(crate) const NAME_BYTES_MAX: usize = 253;

const LABEL_BYTES_MAX: usize = types::limits::LABEL_BYTES_MAX;
