//! What the DNS should say of the host on which a node runs.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mta::route::AddressPolicy;
use net::tls::{CertificateFiles, Certificates, TlsError};
use serde::{Deserialize, Serialize};

use crate::config::{CertificateSource, Config, ListenAddress, Listener};
use crate::outside::{Outside as _, System};

/// What records of the DNS are made of: nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeFacts {
    /// What it calls itself.
    pub host_name: String,
    /// Those of its addresses that others can see; none where it has only private ones.
    pub addresses: Vec<IpAddr>,
    /// Services that others can connect to, and their ports.
    pub services: Vec<(String, u16)>,
    /// The chains of certificates that it shows, each in base64 of DER, the host's own first.
    pub certificates: Vec<Vec<String>>,
}

impl NodeFacts {
    /// Of a node that listens at `bound`, in the order of the configuration, and shows these chains. The addresses are
    /// those from which the configuration has it send, else the machine's `own`.
    pub(crate) fn new<'a>(
        config: &Config,
        host_name: &str,
        bound: impl Iterator<Item = &'a ListenAddress>,
        own: &[IpAddr],
        chains: &[Vec<Vec<u8>>],
    ) -> Self {
        let sources = &config.delivery.source_addresses;
        let addresses = if sources.is_empty() { own } else { sources };
        let mut addresses: Vec<IpAddr> = addresses
            .iter()
            .map(IpAddr::to_canonical)
            .filter(|address| AddressPolicy::Global.check(*address).is_ok())
            .collect();
        addresses.sort_unstable();
        addresses.dedup();
        let in_text = |chain: &Vec<Vec<u8>>| chain.iter().map(|octets| STANDARD.encode(octets)).collect();
        Self {
            host_name: host_name.to_owned(),
            addresses,
            services: config.listeners.iter().zip(bound).filter_map(service).collect(),
            certificates: chains.iter().map(in_text).collect(),
        }
    }

    /// Of the node that a configuration describes, where none runs; and why its certificates are not known, where they
    /// cannot be read.
    #[must_use]
    pub fn of_config(config: &Config) -> (Self, Option<TlsError>) {
        let (chains, trouble) = match chains(config) {
            Ok(chains) => (chains, None),
            Err(error) => (Vec::new(), Some(error)),
        };
        let bound = config.listeners.iter().map(|listener| &listener.address);
        let own = System::default().own_addresses();
        (Self::new(config, config.host_name.ascii(), bound, &own, &chains), trouble)
    }

    /// The chains in DER; what is no base64 is left out.
    #[must_use]
    pub fn chains(&self) -> Vec<Vec<Vec<u8>>> {
        let octets =
            |chain: &Vec<String>| chain.iter().filter_map(|text| STANDARD.decode(text).ok()).collect();
        self.certificates.iter().map(octets).collect()
    }
}

fn service((listener, bound): (&Listener, &ListenAddress)) -> Option<(String, u16)> {
    match bound {
        ListenAddress::Tcp(address) if !listener.is_local() => {
            Some((listener.service.as_str().to_owned(), address.port()))
        }
        _ => None,
    }
}

fn chains(config: &Config) -> Result<Vec<Vec<Vec<u8>>>, TlsError> {
    let CertificateSource::Files(files) = &config.certificates else { return Ok(Vec::new()) };
    let files = files
        .iter()
        .map(|file| CertificateFiles { certificate: file.certificate.clone(), key: file.key.clone() });
    Ok(Certificates::load(files.collect())?.chains())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Service;

    #[test]
    fn others_see_public_addresses_and_what_does_not_listen_on_loopback_alone() {
        let mut config = Config::dev(crate::config::DevOptions {
            data: "/nowhere".into(),
            port_offset: crate::config::PortOffset::By(0),
            relay: None,
            log: crate::config::Log::default(),
        });
        config.listeners = vec![
            Listener::new(Service::Smtp, ([0, 0, 0, 0], 25)),
            Listener::new(Service::Submission, ([0, 0, 0, 0], 0)),
            Listener::new(Service::Pop3, ([127, 0, 0, 1], 110)),
            Listener::new(Service::Lmtp, ListenAddress::Unix("/nowhere/lmtp".into())),
        ];
        let bound: Vec<ListenAddress> =
            [("0.0.0.0:25"), "0.0.0.0:1587", "127.0.0.1:110", "unix:/nowhere/lmtp"]
                .map(|text| text.parse().unwrap())
                .to_vec();
        let own: Vec<IpAddr> = ["127.0.0.1", "192.168.1.2", "192.0.2.9", "::ffff:192.0.2.1", "192.0.2.9"]
            .map(|text| text.parse().unwrap())
            .to_vec();
        let chains = [vec![vec![1, 2], vec![3]]];
        let facts = NodeFacts::new(&config, "mail.example.org", bound.iter(), &own, &chains);
        assert_eq!(facts.services, [("smtp".to_owned(), 25), ("submission".to_owned(), 1587)]);
        let shown: Vec<String> = facts.addresses.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.1", "192.0.2.9"]);
        assert_eq!(facts.chains(), chains);
        config.delivery.source_addresses = vec!["192.0.2.77".parse().unwrap()];
        let facts = NodeFacts::new(&config, "mail.example.org", bound.iter(), &own, &[]);
        assert_eq!(facts.addresses, ["192.0.2.77".parse::<IpAddr>().unwrap()]);
    }
}
