//! The outside as it is: name servers, policy hosts and mail hosts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use checkup::{Meeting, Outside, Unmet};
use clap::Args;
use mailauth::Names;
use mta::route::{AddressPolicy, Families};
use net::dns::{Dns, DnsOptions, Trust};
use net::mta_sts::{Fetch, Https, HttpsOptions};
use net::tls::Roots;
use server::PolicyHosts;
use server::config::Config;
use tokio::sync::Semaphore;
use types::dns::{Lookup, MxRecord, SrvRecord, TlsaRecord};
use types::{Domain, Host, Mailbox, Reply};

use super::visit::Visitor;
use crate::exit::{Exit, Failure};

/// Which name servers are asked.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct DnsArgs {
    /// Ask this name server; the option again for more [default: those of this machine]
    #[arg(long, value_name = "HOST:PORT", value_parser = name_server)]
    pub(crate) dns: Vec<SocketAddr>,
    /// Prove what the DNS says here, and not by the word of the name server (DNSSEC)
    #[arg(long)]
    pub(crate) dnssec: bool,
}

/// How the outside is met.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manner {
    /// Whom we call ourselves towards mail hosts; by default our address.
    pub(crate) hello_name: Option<Host>,
    /// Where policy hosts listen; by default 443.
    pub(crate) https_port: Option<u16>,
    /// Who vouches for servers; by default whom this machine trusts.
    pub(crate) ca: Option<PathBuf>,
    /// Which addresses policy hosts may have.
    pub(crate) address_policy: AddressPolicy,
}

/// Questions that wait for name servers at one time: routers at home forget some of many more.
const QUESTIONS_MAX: usize = 32;
/// One policy host takes no longer.
const POLICY_TIMEOUT: Duration = Duration::from_secs(15);
/// One attempt of one name server, of two.
const DNS_TIMEOUT: Duration = Duration::from_secs(4);

/// The outside as it is.
pub(crate) struct Real {
    dns: Dns,
    questions: Semaphore,
    policies: Https,
    visitor: Arc<Visitor>,
}

impl DnsArgs {
    /// What was said here counts before what the configuration says.
    pub(crate) fn options(&self, config: Option<&Config>) -> DnsOptions {
        let mut options = match config {
            Some(config) => server::dns_options(&config.dns),
            None => DnsOptions { timeout: DNS_TIMEOUT, trust: Trust::LocalResolver, ..DnsOptions::default() },
        };
        if !self.dns.is_empty() {
            options.servers.clone_from(&self.dns);
        }
        if self.dnssec {
            options.trust = Trust::Validate;
        }
        options
    }

    /// Asks the DNS by what was said.
    pub(crate) fn resolver(&self, config: Option<&Config>) -> Result<Dns, Failure> {
        Dns::new(&self.options(config))
            .map_err(|error| Failure::new(Exit::Config, format_args!("the DNS cannot be asked: {error}")))
    }
}

impl Real {
    pub(crate) fn new(dns: Dns, manner: &Manner) -> Result<Self, Failure> {
        let unusable = |error| Failure::new(Exit::BadInput, format_args!("TLS cannot be checked: {error}"));
        let roots = manner.ca.clone().map_or(Roots::System, Roots::File);
        let hosts = PolicyHosts { dns: dns.clone(), families: Families::Both, policy: manner.address_policy };
        let mut options = HttpsOptions { roots, timeout: POLICY_TIMEOUT, ..HttpsOptions::default() };
        options.port = manner.https_port.unwrap_or(options.port);
        let policies = Https::new(Arc::new(hosts), options).map_err(unusable)?;
        let visitor = Visitor::new(manner.ca.as_deref(), manner.hello_name.clone()).map_err(unusable)?;
        Ok(Self { dns, questions: Semaphore::new(QUESTIONS_MAX), policies, visitor: Arc::new(visitor) })
    }

    /// The answer, when it is its turn.
    async fn in_turn<R>(&self, answer: impl Future<Output = Lookup<R>> + Send) -> Lookup<R> {
        // It is never closed; without a turn the question is asked all the same.
        let _turn = self.questions.acquire().await;
        answer.await
    }
}

#[async_trait]
impl Names for Real {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.in_turn(self.dns.txt(name)).await
    }

    async fn ipv4(&self, name: &str) -> Lookup<Ipv4Addr> {
        self.in_turn(self.dns.ipv4_at(name)).await
    }

    async fn ipv6(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.in_turn(self.dns.ipv6_at(name)).await
    }

    async fn mx(&self, name: &str) -> Lookup<MxRecord> {
        self.in_turn(self.dns.mx_at(name)).await
    }

    async fn ptr(&self, address: IpAddr) -> Lookup<String> {
        self.in_turn(self.dns.ptr(address)).await.map(|domain| domain.ascii().to_owned())
    }
}

#[async_trait]
impl Outside for Real {
    async fn tlsa(&self, port: u16, host: &Domain) -> Lookup<TlsaRecord> {
        self.in_turn(self.dns.tlsa(port, host)).await
    }

    async fn srv(&self, name: &str) -> Lookup<SrvRecord> {
        self.in_turn(self.dns.srv(name)).await
    }

    async fn cname(&self, name: &str) -> Lookup<String> {
        self.in_turn(self.dns.cname(name)).await
    }

    async fn policy(&self, domain: &Domain) -> Result<Vec<u8>, String> {
        self.policies.fetch(domain).await.map_err(|error| error.to_string())
    }

    async fn meet(&self, host: &Domain, ip: IpAddr, port: u16) -> Result<Meeting, Unmet> {
        let (visitor, host) = (Arc::clone(&self.visitor), host.ascii().to_owned());
        blocking(move || visitor.meet(&host, SocketAddr::new(ip, port))).await
    }

    async fn ask_recipients(
        &self,
        host: &Domain,
        ip: IpAddr,
        port: u16,
        recipients: &[Mailbox],
    ) -> Result<Vec<Reply>, Unmet> {
        let (visitor, host) = (Arc::clone(&self.visitor), host.ascii().to_owned());
        let recipients = recipients.to_vec();
        blocking(move || visitor.ask_recipients(&host, SocketAddr::new(ip, port), &recipients)).await
    }
}

/// On a thread of its own, since the client of the command line waits for its sockets.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Unmet> + Send + 'static,
) -> Result<T, Unmet> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(Unmet::NoSession(error.to_string())))
}

/// An address, with a port or not.
fn name_server(text: &str) -> Result<SocketAddr, String> {
    /// RFC 1035 §4.2.
    const PORT: u16 = 53;
    let address = text.parse().ok().or_else(|| {
        let ip = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
        Some(SocketAddr::new(ip.parse().ok()?, PORT))
    });
    address
        .ok_or_else(|| "write the address of a name server, such as 192.0.2.53 or 127.0.0.1:5353".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_server_is_an_address_with_a_port_or_not() {
        for (text, address) in [
            ("192.0.2.53", Some("192.0.2.53:53")),
            ("192.0.2.53:5353", Some("192.0.2.53:5353")),
            ("2001:db8::1", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]:5353", Some("[2001:db8::1]:5353")),
            ("ns.example.org", None),
            ("", None),
        ] {
            assert_eq!(name_server(text).ok().map(|found| found.to_string()).as_deref(), address, "{text}");
        }
    }
}
