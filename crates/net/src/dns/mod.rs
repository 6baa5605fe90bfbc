//! Asking the DNS.
//!
//! Standards: RFC 1034 and RFC 1035, RFC 2308 and RFC 9520 (what is not there, and what fails, is remembered too), RFC
//! 4035 (DNSSEC, as a stub that validates), RFC 6761 (names that are not asked for), RFC 6891 (EDNS), RFC 7766 (TCP),
//! RFC 8914 (why a resolver does not answer).
//!
//! [`Dns`] asks the resolvers that it is told, or those of the system, and knows what they said as long as it holds. Names
//! are always whole: search lists are for people at a keyboard, and would send mail for `example` to
//! `example.intern.example`.
//!
//! ```text
//! Dns ── special names and the hosts file ── cache ── one question at a time for a name ── chain of aliases
//!     └─ trust: DNSSEC here, or the AD bit of a resolver on this machine ── upstream: UDP, TCP, attempts
//! ```
//!
//! An answer is read by the rules of those who asked: what is no answer to the question is thrown away before anything
//! looks at it, so that a hostile zone cannot make work with what nobody asked for.
//!
//! Left out on purpose: recursion from the root, which a resolver on this machine does better, and transports that hide
//! questions from the network: a resolver on this machine speaks them.

mod cache;
mod found;
mod resolver;
mod secure;
mod system;
mod upstream;
mod wildcard;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{Name, RData, RecordType};
use types::Domain;
use types::dns::{Lookup, MxRecord, SrvRecord, TlsaRecord};

use found::{domain, name_of, text_of};
use resolver::Resolver;

/// Asks the DNS; copies share what they know.
#[derive(Debug, Clone)]
pub struct Dns {
    resolver: Arc<Resolver>,
}

/// How the DNS is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsOptions {
    /// Resolvers; none for those in `/etc/resolv.conf`.
    pub servers: Vec<SocketAddr>,
    /// How long one attempt waits for one resolver.
    pub timeout: Duration,
    /// How often a resolver that does not answer is asked.
    pub attempts: usize,
    /// Whose word counts for what DNSSEC says.
    pub trust: Trust,
    /// Answers that are remembered at most.
    pub cache_entries: usize,
    /// A file of DNSKEY records that are trusted in place of the root's, for those who run a root of their own.
    pub roots: Option<PathBuf>,
}

/// Whose word counts for what DNSSEC says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Trust {
    /// Signatures are checked here.
    Validate,
    /// A resolver checks them, and says so by the AD bit (RFC 6840 §5.8). It counts where the resolver is on this
    /// machine, or named by the operator, or where `/etc/resolv.conf` says `options trust-ad`: of any other, whoever is
    /// on the way to it could set the bit.
    LocalResolver,
    /// Nothing is proven.
    #[default]
    None,
}

/// Why the DNS cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum DnsError {
    /// The file of trust anchors cannot be read or used.
    #[error("the trust anchors in {path} cannot be used: {reason}")]
    Roots {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Default for DnsOptions {
    fn default() -> Self {
        Self {
            servers: Vec::new(),
            timeout: Duration::from_secs(5),
            attempts: 2,
            trust: Trust::default(),
            cache_entries: 20_000,
            roots: None,
        }
    }
}

/// Whether a file of trust anchors can be used.
///
/// # Errors
/// Why not.
pub fn check_trust_anchors(path: &Path) -> Result<(), DnsError> {
    secure::anchors(path).map(drop)
}

impl Dns {
    /// A resolver with nothing in its cache.
    ///
    /// # Errors
    /// Where trust anchors of one's own cannot be read.
    pub fn new(options: &DnsOptions) -> Result<Self, DnsError> {
        let resolver = Resolver::new(options, Path::new(system::RESOLV_CONF), Path::new(system::HOSTS))?;
        Ok(Self { resolver: Arc::new(resolver) })
    }

    /// The mail hosts of a domain.
    pub async fn mx(&self, domain: &Domain) -> Lookup<MxRecord> {
        self.mx_at(domain.ascii()).await
    }

    /// The mail hosts at a name, which may be none that a host can have: records of SPF name such.
    pub async fn mx_at(&self, name: &str) -> Lookup<MxRecord> {
        let read = |data: &RData| match data {
            RData::MX(mx) => Some(MxRecord { preference: mx.preference, exchange: text_of(&mx.exchange) }),
            _ => None,
        };
        self.lookup(name, RecordType::MX, read).await
    }

    /// The IPv4 addresses of a host.
    pub async fn ipv4(&self, host: &Domain) -> Lookup<Ipv4Addr> {
        self.ipv4_at(host.ascii()).await
    }

    /// The IPv4 addresses at a name, whatever it is.
    pub async fn ipv4_at(&self, name: &str) -> Lookup<Ipv4Addr> {
        let read = |data: &RData| match data {
            RData::A(address) => Some(address.0),
            _ => None,
        };
        self.lookup(name, RecordType::A, read).await
    }

    /// The IPv6 addresses of a host.
    pub async fn ipv6(&self, host: &Domain) -> Lookup<Ipv6Addr> {
        self.ipv6_at(host.ascii()).await
    }

    /// The IPv6 addresses at a name, whatever it is.
    pub async fn ipv6_at(&self, name: &str) -> Lookup<Ipv6Addr> {
        let read = |data: &RData| match data {
            RData::AAAA(address) => Some(address.0),
            _ => None,
        };
        self.lookup(name, RecordType::AAAA, read).await
    }

    /// What certificates a host has at that port of TCP (RFC 6698 §3).
    pub async fn tlsa(&self, port: u16, host: &Domain) -> Lookup<TlsaRecord> {
        let read = |data: &RData| match data {
            RData::TLSA(tlsa) => Some(TlsaRecord {
                usage: tlsa.cert_usage.into(),
                selector: tlsa.selector.into(),
                matching: tlsa.matching.into(),
                data: tlsa.cert_data.clone(),
            }),
            _ => None,
        };
        self.lookup(&format!("_{port}._tcp.{}", host.ascii()), RecordType::TLSA, read).await
    }

    /// Texts, the strings of one record joined.
    pub async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        let read = |data: &RData| match data {
            RData::TXT(texts) => Some(texts.txt_data.concat()),
            _ => None,
        };
        self.lookup(name, RecordType::TXT, read).await
    }

    /// Where a service is: the name is `_service._tcp.domain` (RFC 2782).
    pub async fn srv(&self, name: &str) -> Lookup<SrvRecord> {
        let read = |data: &RData| match data {
            RData::SRV(srv) => Some(SrvRecord {
                priority: srv.priority,
                weight: srv.weight,
                port: srv.port,
                target: srv.target.to_ascii(),
            }),
            _ => None,
        };
        self.lookup(name, RecordType::SRV, read).await
    }

    /// What a name is another name of. It is not followed.
    pub async fn cname(&self, name: &str) -> Lookup<String> {
        let read = |data: &RData| match data {
            RData::CNAME(target) => Some(target.0.to_ascii().trim_end_matches('.').to_owned()),
            _ => None,
        };
        self.lookup(name, RecordType::CNAME, read).await
    }

    /// The names of an address. Those that no host can have are left out.
    pub async fn ptr(&self, address: IpAddr) -> Lookup<Domain> {
        let read = |data: &RData| match data {
            RData::PTR(name) => domain(&name.0),
            _ => None,
        };
        self.resolver.find(Name::from(address.to_canonical()), RecordType::PTR).await.lookup(read)
    }

    /// A name that the DNS cannot have is one that is not there.
    async fn lookup<R>(&self, name: &str, kind: RecordType, read: impl Fn(&RData) -> Option<R>) -> Lookup<R> {
        match name_of(name) {
            Some(name) => self.resolver.find(name, kind).await.lookup(read),
            None => Lookup::NoSuchName,
        }
    }
}
