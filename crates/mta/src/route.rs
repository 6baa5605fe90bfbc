//! Which hosts take mail for a destination, and in which order.
//!
//! Standards: RFC 5321 §5 (MX and address records), RFC 7505 (null MX), RFC 2181 §10.3 (MX to an alias), RFC 8305 §4
//! (both families in turn), RFC 6761 §6.3 (`localhost`).
//!
//! An operator's [`Override`]s come first ([`transport`]). Then a [`Router`] says what it wants to know of the DNS, and
//! whoever asks the DNS tells it, until it wants nothing more:
//!
//! ```text
//! let mut router = Router::new(&destination, transport, &network, random);
//! while let Some(query) = router.wanted() {
//!     let answer = /* ask the DNS */;
//!     router.supply(answer);
//! }
//! let route = router.finish();
//! ```
//!
//! What the DNS says is from outside: the number of hosts and addresses has named limits, names and addresses that
//! cannot be those of a mail host elsewhere are left out, each with its reason. Left out on purpose: DNSSEC itself,
//! whose result is a fact here, and which hosts MTA-STS allows.

mod address;
mod hosts;
mod search;
#[cfg(test)]
mod tests;
mod transport;

pub use address::{AddressPolicy, AddressProblem, Families};
pub use search::Router;
pub use transport::{Override, Pattern, Protocol, Transport, fitting, transport};
pub use types::dns::{DnsTrouble, Lookup, MxRecord, Validation};

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use types::{Domain, EnhancedStatus};

/// What is the same for all destinations.
#[derive(Debug, Clone, Copy)]
pub struct Network<'a> {
    /// The names by which this host is known in mail (RFC 5321 §5.1).
    pub own_names: &'a [Domain],
    /// Its addresses, those behind which it is reached among them.
    pub own_addresses: &'a [IpAddr],
    /// Which kinds of addresses it can reach.
    pub families: Families,
    /// Which addresses the DNS may lead to.
    pub policy: AddressPolicy,
    /// Where mail is taken: 25.
    pub port: u16,
}

/// What the router wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Query<'a> {
    /// The MX records of the domain.
    Mx(&'a Domain),
    /// The A and AAAA records of the host, which may be asked for at the same time.
    Addresses(&'a Domain),
}

/// The answer to the last [`Query`], of the same kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// To [`Query::Mx`].
    Mx(Lookup<MxRecord>),
    /// To [`Query::Addresses`].
    Addresses {
        /// A.
        ipv4: Lookup<Ipv4Addr>,
        /// AAAA.
        ipv6: Lookup<Ipv6Addr>,
    },
}

/// Where mail for a destination goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Route {
    /// To the first of these hosts that takes it.
    Hosts(Itinerary),
    /// To an LMTP socket of this machine.
    Socket(String),
    /// Nowhere before its host asks for it; no attempt is made until then, and none counts. Its lifetime goes on.
    OnDemand,
    /// Nowhere, as the operator wants: it counts as delivered, and the record says by which rule.
    Discard,
    /// There is none, now or ever.
    Unroutable {
        /// Why.
        reason: Unroutable,
        /// What was looked at and left out.
        skipped: Vec<Skipped>,
    },
}

/// Hosts in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Itinerary {
    /// At least one.
    pub hops: Vec<Hop>,
    /// SMTP or LMTP.
    pub protocol: Protocol,
    /// The port of all of them.
    pub port: u16,
    /// The same for all destinations with the same hosts: limits are for a site, not for each of its domains.
    pub site: String,
    /// What was left out.
    pub skipped: Vec<Skipped>,
}

/// One host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// Its name; none for an address literal.
    pub name: Option<Domain>,
    /// What a CNAME of its name led to: names of certificates and TLSA records may be there (RFC 7672 §2.2.2).
    pub alias_of: Option<Domain>,
    /// In the order in which they are tried; at least one.
    pub addresses: Vec<IpAddr>,
    /// How it was found.
    pub found: Found,
    /// Whether DNSSEC proves the way to its addresses, that of the MX record among it.
    pub validation: Validation,
}

/// How a host was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Found {
    /// By an MX record.
    Mx {
        /// Of the record.
        preference: u16,
    },
    /// By the domain's own addresses, where it has no MX record (RFC 5321 §5.1).
    ImplicitMx,
    /// The destination is the host's address.
    Literal,
    /// The operator names it.
    Configured,
}

/// A host that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// As the DNS names it. It comes from outside, and is cut: control characters may be in it.
    pub host: String,
    /// Why.
    pub why: SkipReason,
}

/// Why a host was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SkipReason {
    /// It is no name of a host.
    #[error("it is not a host name")]
    NotAName,
    /// It is an address, and MX records hold names (RFC 5321 §5.1).
    #[error("it is an address, and an MX record must hold a name")]
    IsAddress,
    /// `.` among others (RFC 7505 §3).
    #[error("it stands for no host at all")]
    NullAmongOthers,
    /// `localhost` and names below it (RFC 6761 §6.3).
    #[error("it is a name for each host itself")]
    Localhost,
    /// It is this host.
    #[error("it is this host")]
    OurselvesByName,
    /// Its address is one of this host.
    #[error("its address is one of this host")]
    OurselvesByAddress,
    /// It is not better than this host itself (RFC 5321 §5.1).
    #[error("it is not preferred to this host")]
    NotBeforeOurselves,
    /// There is no such name.
    #[error("there is no such name")]
    NoSuchName,
    /// It has no address, or none of a kind that this host can reach.
    #[error("it has no address that this host can reach")]
    NoAddress,
    /// An address of it is none that mail may be sent to.
    #[error("{0}")]
    Address(#[from] AddressProblem),
    /// Its addresses are not known now.
    #[error("{0}")]
    Trouble(#[from] DnsTrouble),
    /// Over [`HOSTS_MAX`].
    #[error("there are more hosts than are tried")]
    TooMany,
}

/// Why a destination has no route.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unroutable {
    /// NXDOMAIN.
    #[error("the domain {0} does not exist")]
    NoSuchDomain(Domain),
    /// RFC 7505.
    #[error("the domain {0} says that it takes no mail")]
    NullMx(Domain),
    /// Neither MX nor addresses.
    #[error("the domain {0} has neither a mail server nor an address")]
    NoHost(Domain),
    /// MX records, and none of them of use.
    #[error("none of the mail servers that the domain {domain} names can be used: {host}: {why}")]
    NoUsableHost {
        /// The destination.
        domain: Domain,
        /// The most preferred one.
        host: HostText,
        /// Why not.
        why: SkipReason,
    },
    /// The best host is this one, which does not take it.
    #[error("mail for {0} comes back to this host, which does not take it")]
    Loop(String),
    /// A literal that mail may not be sent to, or that is no IP address.
    #[error("mail cannot be sent to {0}")]
    Literal(String),
    /// The host that the operator names has no address.
    #[error("the host {0}, which is configured for this destination, has no address")]
    ConfiguredHost(Domain),
    /// By the operator.
    #[error("{text}")]
    Rule {
        /// Of class 4 or 5.
        status: EnhancedStatus,
        /// What the sender reads.
        text: String,
    },
    /// The DNS does not tell now.
    #[error("{domain}: {trouble}")]
    Dns {
        /// Of whom it was asked.
        domain: String,
        /// Why.
        trouble: DnsTrouble,
    },
}

/// A name from the DNS, on one line and cut.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostText(String);

/// Hosts of one destination that are looked at, the best ones. Real domains name a dozen at most.
pub const HOSTS_MAX: usize = 20;
/// Addresses of one host that are tried. RFC 5321 §5.1: at least two of a destination should be.
pub const ADDRESSES_PER_HOST_MAX: usize = 8;
/// Hosts left out that are told by name; the rest is counted by the DNS itself.
pub const SKIPPED_MAX: usize = 50;

impl Unroutable {
    /// Whether no later attempt will find more.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::NoSuchDomain(_)
            | Self::NullMx(_)
            | Self::NoHost(_)
            | Self::NoUsableHost { .. }
            | Self::Loop(_)
            | Self::Literal(_) => true,
            // A slip of the operator is mended, and sends no mail back.
            Self::Dns { .. } | Self::ConfiguredHost(_) => false,
            Self::Rule { status, .. } => status.class == types::StatusClass::Permanent,
        }
    }

    /// For reports (RFC 3463, RFC 7505 §4.1).
    #[must_use]
    pub const fn status(&self) -> EnhancedStatus {
        match self {
            Self::NoSuchDomain(_) => EnhancedStatus::permanent(1, 2),
            Self::NullMx(_) => EnhancedStatus::permanent(1, 10),
            Self::NoHost(_) | Self::NoUsableHost { .. } | Self::Literal(_) => EnhancedStatus::permanent(4, 4),
            Self::Loop(_) => EnhancedStatus::permanent(4, 6),
            Self::ConfiguredHost(_) => EnhancedStatus::transient(4, 4),
            Self::Dns { trouble: DnsTrouble::Bogus, .. } => EnhancedStatus::transient(7, 0),
            Self::Dns { .. } => EnhancedStatus::transient(4, 3),
            Self::Rule { status, .. } => *status,
        }
    }
}

impl HostText {
    /// Of a name from outside.
    fn new(name: &str) -> Self {
        let visible = |c: char| if c.is_ascii_graphic() { c } else { '?' };
        Self(name.chars().take(types::limits::DOMAIN_BYTES_MAX).map(visible).collect())
    }
}

impl fmt::Display for HostText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
