//! Where the hosts are that serve MTA-STS policies (RFC 8461 §3.3).

use std::net::IpAddr;

use async_trait::async_trait;
use mta::route::{AddressPolicy, Families};
use net::dns::Dns;
use net::mta_sts::Addresses;
use types::Domain;

/// Finds them by the same rules as mail hosts: a domain must not have whoever asks speak to its own neighbours.
#[derive(Debug, Clone)]
pub struct PolicyHosts {
    /// What is asked.
    pub dns: Dns,
    /// Which addresses can be reached from here.
    pub families: Families,
    /// Which of them may be.
    pub policy: AddressPolicy,
}

#[async_trait]
impl Addresses for PolicyHosts {
    async fn addresses(&self, host: &Domain) -> Vec<IpAddr> {
        let (wants_ipv4, wants_ipv6) = match self.families {
            Families::Both | Families::BothIpv4First => (true, true),
            Families::Ipv4 => (true, false),
            Families::Ipv6 => (false, true),
        };
        let ipv4 = async { if wants_ipv4 { self.dns.ipv4(host).await.into_records() } else { Vec::new() } };
        let ipv6 = async { if wants_ipv6 { self.dns.ipv6(host).await.into_records() } else { Vec::new() } };
        let (ipv4, ipv6) = tokio::join!(ipv4, ipv6);
        let all = ipv4.into_iter().map(IpAddr::V4).chain(ipv6.into_iter().map(IpAddr::V6));
        all.filter(|address| self.policy.check(*address).is_ok()).collect()
    }
}
