//! What names a sender (RFC 6647 §2.4).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Network, sender and recipient: what has to come again.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// [`client_key`].
    pub client: String,
    /// [`sender_key`].
    pub sender: String,
    /// The recipient, as a key of the directory.
    pub recipient: String,
}

/// Octets of each part; what is longer is cut, and so at worst taken for another.
const PART_BYTES_MAX: usize = 320;

impl Key {
    pub(super) fn new(client: &str, sender: &str, recipient: &str) -> Self {
        Self { client: cut(client), sender: cut(sender), recipient: cut(recipient) }
    }
}

pub(super) fn cut(text: &str) -> String {
    let mut end = text.len().min(PART_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

/// Where somebody sends from: the domain that SPF vouches for, since large senders try again from another of their hosts, else
/// the network of the address (a /24, for IPv6 a /64).
#[must_use]
pub fn client_key(ip: IpAddr, spf_domain: Option<&str>) -> String {
    if let Some(domain) = spf_domain {
        return cut(&format!("spf:{}", domain.to_ascii_lowercase()));
    }
    match ip.to_canonical() {
        IpAddr::V4(ip) => format!("{}/24", Ipv4Addr::from_bits(ip.to_bits() & !0xff)),
        IpAddr::V6(ip) => format!("{}/64", Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

/// Which of the hosts there it is: as [`client_key`], but where SPF vouches for nothing and the client's address has a name that leads
/// back to it, that name. What one host has earned by coming again is nothing to its neighbours.
#[must_use]
pub fn host_key(ip: IpAddr, spf_domain: Option<&str>, name: Option<&str>) -> String {
    match (spf_domain, name) {
        (None, Some(name)) => cut(&format!("host:{}", name.to_ascii_lowercase())),
        _ => client_key(ip, spf_domain),
    }
}

/// Who sends. Where SPF vouches for the domain, that is enough; else the address, without what many senders make anew for each
/// message: numbers and ids (VERP), the tag of BATV, the hash of SRS.
#[must_use]
pub fn sender_key(reverse_path: &str, spf_domain: Option<&str>) -> String {
    let (local_part, domain) = reverse_path.rsplit_once('@').unwrap_or((reverse_path, ""));
    let domain = domain.to_lowercase();
    if spf_domain.is_some() {
        return cut(&format!("@{domain}"));
    }
    cut(&format!("{}@{domain}", lasting(local_part)))
}

/// The part of a local part that stays.
fn lasting(local_part: &str) -> String {
    let mut local_part = local_part.to_lowercase();
    // `prvs=TAG=local` (BATV) and `SRS0=HASH=TT=domain=local`.
    for (prefix, passing) in [("prvs=", 1), ("srs0=", 2), ("srs1=", 1)] {
        if let Some(rest) = local_part.strip_prefix(prefix) {
            local_part = rest.splitn(passing + 1, '=').nth(passing).unwrap_or(rest).to_owned();
            break;
        }
    }
    let mut lasting = String::new();
    for token in local_part.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let (word, end) = match token.char_indices().next_back() {
            Some((at, last)) if !last.is_alphanumeric() => token.split_at(at),
            _ => (token, ""),
        };
        // `bounce-1234-a8f2e0`: a word with a digit was counted or made up.
        lasting += if word.chars().any(|c| c.is_ascii_digit()) { "#" } else { word };
        lasting += end;
    }
    lasting
}
