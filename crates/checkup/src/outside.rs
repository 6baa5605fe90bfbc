//! What is asked of the outside.

use std::net::IpAddr;

use async_trait::async_trait;
use mailauth::Names;
use types::Domain;
use types::dns::{Lookup, SrvRecord, TlsaRecord};

/// The DNS, policies served by HTTPS, and other mail hosts. Each answer comes within a limit that the implementation
/// sets.
#[async_trait]
pub trait Outside: Names {
    /// What certificates a host has at a port of TCP (RFC 6698 §3).
    async fn tlsa(&self, port: u16, host: &Domain) -> Lookup<TlsaRecord>;

    /// Where a service is (RFC 2782).
    async fn srv(&self, name: &str) -> Lookup<SrvRecord>;

    /// What a name is another name of, without following it; no dot at the end.
    async fn cname(&self, name: &str) -> Lookup<String>;

    /// The file of MTA-STS as the domain serves it (RFC 8461 §3.3); else why it cannot be had.
    ///
    /// # Errors
    /// For people: what failed.
    async fn policy(&self, domain: &Domain) -> Result<Vec<u8>, String>;

    /// Connects to a mail host, says EHLO, and begins TLS where it is offered; no message is sent.
    ///
    /// # Errors
    /// For people: why there is no session.
    async fn meet(&self, host: &Domain, ip: IpAddr, port: u16) -> Result<Meeting, String>;
}

/// A conversation with a mail host that sent nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meeting {
    /// The lines of the greeting, with the code.
    pub greeting: Vec<String>,
    /// The lines of the reply to EHLO before TLS.
    pub ehlo: Vec<String>,
    /// What became of TLS.
    pub secured: Secured,
}

/// What became of STARTTLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Secured {
    /// It is not offered.
    NotOffered,
    /// It is offered and fails, for that reason.
    Failed(String),
    /// A session with whatever certificate the host showed.
    Yes {
        /// `TLSv1.3`.
        protocol: String,
        /// As the registry of IANA names it.
        cipher: String,
        /// In DER, the host's own first.
        chain: Vec<Vec<u8>>,
        /// Why the public authorities do not vouch for the chain and the host's name; none where they do.
        distrust: Option<String>,
    },
}
