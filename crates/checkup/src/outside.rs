//! What is asked of the outside.

use std::net::IpAddr;

use async_trait::async_trait;
use mailauth::Names;
use types::dns::{Lookup, SrvRecord, TlsaRecord};
use types::{Domain, Mailbox, Reply};

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
    /// Why there is no session.
    async fn meet(&self, host: &Domain, ip: IpAddr, port: u16) -> Result<Meeting, Unmet>;

    /// Asks a mail host whether it takes mail for each of the recipients, from the null sender, and leaves without having
    /// sent any. One reply for each of them.
    ///
    /// # Errors
    /// Why none of them could be asked for.
    async fn ask_recipients(
        &self,
        host: &Domain,
        ip: IpAddr,
        port: u16,
        recipients: &[Mailbox],
    ) -> Result<Vec<Reply>, Unmet>;
}

/// Why there is no session with a mail host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unmet {
    /// Nothing came back: the host is down, or somebody on the way drops what goes to that port.
    #[error("nothing answers")]
    Silence,
    /// Nobody listens there.
    #[error("nobody listens there")]
    Refused,
    /// There is no way to that network from here.
    #[error("there is no way to that address from here: {0}")]
    NoWay(String),
    /// Somebody is there who takes no mail now, or does not speak SMTP.
    #[error("{0}")]
    NoSession(String),
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
        /// `TLS1.3`
        protocol: String,
        /// As the registry of IANA names it.
        cipher: String,
        /// In DER, the host's own first.
        chain: Vec<Vec<u8>>,
        /// Why the public authorities do not vouch for the chain and the host's name; none where they do.
        distrust: Option<String>,
    },
}
