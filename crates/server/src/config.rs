//! The configuration of a node: one TOML file for what belongs to the machine (listeners, paths, limits); what
//! an operator changes daily (accounts) lives in the store.
//!
//! Every key is declared once, in `sections.rs`, with its meaning, unit, default and RFC minimum; reading, the
//! sample file and the manual come from there. A file is read as a whole: all its faults are reported together,
//! each with its line and its mend. Unknown keys are faults.

mod address;
mod auth;
mod authenticity;
mod dkim;
mod findings;
mod forwarding;
mod listener;
mod mailboxes;
mod manual;
mod network;
mod outbound;
mod read;
mod reputation;
mod section;
mod sections;
mod signing;
mod transport;
mod value;
mod words;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use mta::route::{Pattern, Protocol, Transport};
use sasl::Mechanism;
use types::{AddressLiteral, Domain, Host};

pub use address::{ListenAddress, ListenAddressError};
pub use auth::{Auth, JwksSource, Oauth};
pub use authenticity::Authenticity;
pub use dkim::Dkim;
pub use findings::{Finding, InvalidConfig};
pub use forwarding::Forwarding;
pub use listener::{AuthPolicy, TlsPolicy};
pub use mailboxes::{Mailboxes, Pop3Expiry};
pub use manual::{manual, sample};
pub use network::{Network, NetworkError, any_contains};
pub use outbound::{Delivery, Dns, DnsServer, Queue};
pub use read::ConfigError;
pub use reputation::{DnsList, Greylisting, Reputation, Subjects, Weight, Zone};
pub use sections::{
    Certificate, Imap, Limits, Listener, Log, Machine, Policy, Pop3, Smtp, Store, Submission, Tls, Trace,
};
pub use signing::Signing;
pub use transport::{
    Password, Scheme, TlsStart, TransportLogin, TransportMatch, TransportRule, TransportTable, TransportTo,
    Transports, host_and_port,
};
pub use value::{ByteSize, FileMode, HandTypedLf, HostName, OptionalFile, Seconds, Text};
pub use words::{
    AddressFamilies, ArcSeal, AuthChoice, DmarcChoice, DnsTrust, DoubleBounces, Etrn, FailureChoice,
    GreylistChoice, HelloCheck, LogFormat, LogLevel, OutboundTls, Pop3Deleted, PrivateAddresses, QuotaReply,
    ReputationStage, Service, SubaddressFolder, Switch, TlsChoice, TlsVersion, TransportTls, TroubleChoice,
    TurnChoice, Verify,
};

/// Everything that a node is told at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Who it is for.
    pub mode: Mode,
    /// The name in the greeting, the reply to EHLO and `Received`.
    pub host_name: Domain,
    /// The folder of everything that is kept.
    pub data: PathBuf,
    /// Whose mail is taken.
    pub recipients: Recipients,
    /// Where to listen, in the order of the file.
    pub listeners: Vec<Listener>,
    /// Where certificates come from.
    pub certificates: CertificateSource,
    /// TLS on all listeners.
    pub tls: Tls,
    /// Receiving mail by SMTP.
    pub smtp: Smtp,
    /// Mail from users.
    pub submission: Submission,
    /// Who may do what.
    pub policy: Policy,
    /// Who really sent a message.
    pub authenticity: Authenticity,
    /// The keys with which our domains sign.
    pub dkim: Dkim,
    /// What leaves with a signature.
    pub signing: Signing,
    /// Mail that is sent on.
    pub forwarding: Forwarding,
    /// Lists in the DNS that are asked who sends.
    pub dnsbl: Vec<DnsList>,
    /// What becomes of what they say.
    pub reputation: Reputation,
    /// Asking new senders to come again.
    pub greylisting: Greylisting,
    /// Mail that waits.
    pub queue: Queue,
    /// How mail is sent.
    pub delivery: Delivery,
    /// Whom the DNS is asked of.
    pub dns: Dns,
    /// Where mail for some destinations goes.
    pub transports: Transports,
    /// How users prove who they are.
    pub auth: Auth,
    /// Issuers of tokens.
    pub oauth: Vec<Oauth>,
    /// Reading mail by IMAP.
    pub imap: Imap,
    /// Fetching mail by POP3.
    pub pop3: Pop3,
    /// Which mailbox a message goes into.
    pub mailboxes: Mailboxes,
    /// What all sessions share.
    pub limits: Limits,
    /// How messages are kept.
    pub store: Store,
    /// The decisions of every session.
    pub trace: Trace,
    /// What is written about the work.
    pub log: Log,
}

/// Who a node is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// Who runs a mail server.
    #[default]
    Production,
    /// Who tries things on one machine: passwords in clear text are taken on loopback, and mail to anybody.
    Development,
}

/// Where certificates come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CertificateSource {
    /// Files; without any there is no TLS.
    Files(Vec<Certificate>),
    /// Dev mode: an authority of its own in the data folder, made at the first start.
    Development,
}

/// Whose mail is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// Dev mode: mail to an account goes there, and every other address of every domain is delivered into the
    /// account that was made first. Until there is an account, mail has to wait (451).
    CatchAll,
    /// Dev mode with a smart host: mail to an account, an alias or a list goes there, and that to every other address of
    /// every domain goes out by the rules of [`Config::transports`].
    Relay,
    /// Accounts in these domains. What is for others is relayed for those who may, and refused for all else.
    Domains(Vec<Domain>),
}

/// How dev mode starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevOptions {
    /// The folder of everything that is kept.
    pub data: PathBuf,
    /// Which ports are taken.
    pub port_offset: PortOffset,
    /// The host to which mail for others goes; without one, nothing leaves the machine.
    pub relay: Option<Relay>,
    /// How log lines look.
    pub log: Log,
}

/// A host that takes mail on, and its port. As text `localhost:2525`, `192.0.2.1:25`, `[2001:db8::1]:25`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relay {
    /// A name or an address.
    pub host: Host,
    /// Where it listens.
    pub port: u16,
}

impl std::str::FromStr for Relay {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        host_and_port(text).map(|(host, port)| Self { host, port })
    }
}

impl std::fmt::Display for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.host {
            Host::Literal(AddressLiteral::Ip(IpAddr::V6(ip))) => write!(f, "[{ip}]:{}", self.port),
            Host::Literal(AddressLiteral::Ip(ip)) => write!(f, "{ip}:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

impl Relay {
    /// The rule that sends everything there. Who tries things out has no certificate at hand.
    fn rule(&self) -> TransportRule {
        let protocol = Protocol::Smtp;
        let transport = Transport::Host { host: self.host.clone(), port: self.port, protocol };
        let tls = Some(OutboundTls::Opportunistic);
        TransportRule { tls, ..TransportRule::new(Pattern::Everything, transport) }
    }
}

/// What dev mode adds to the standard port of each service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortOffset {
    /// This number.
    By(u16),
    /// Any free port, for tests.
    Auto,
}

impl Default for PortOffset {
    /// SMTP on 1025 is what people expect of a development mail server.
    fn default() -> Self {
        Self::By(1000)
    }
}

impl PortOffset {
    /// The port for a service whose standard port is `port`; 0, any free one, where it would be past 65535.
    #[must_use]
    pub const fn port(self, port: u16) -> u16 {
        match self {
            Self::By(offset) => match port.checked_add(offset) {
                Some(port) => port,
                None => 0,
            },
            Self::Auto => 0,
        }
    }
}

impl Config {
    /// The configuration of `posta dev`: the same engine, on loopback alone, all mail into the first account.
    /// One address is everybody, so it may have all the connections and fail to log in often; TLS and AUTH are there for
    /// who wants to try them.
    #[must_use]
    pub fn dev(options: DevOptions) -> Self {
        let listener = |service: Service| {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port_offset.port(service.port())));
            let listener = Listener::new(service, address);
            match service {
                Service::Smtp | Service::Submission => Listener {
                    tls: TlsChoice::Offered,
                    auth: AuthChoice::Offered,
                    hand_typed_lf: HandTypedLf::Allowed,
                    ..listener
                },
                Service::Submissions => Listener { auth: AuthChoice::Offered, ..listener },
                _ => listener,
            }
        };
        let http = SocketAddr::from((Ipv4Addr::LOCALHOST, options.port_offset.port(DEV_HTTP_PORT)));
        let limits = Limits::default();
        Self {
            mode: Mode::Development,
            listeners: vec![
                listener(Service::Smtp),
                listener(Service::Submission),
                listener(Service::Submissions),
                Listener::new(Service::Lmtp, ListenAddress::Unix(options.data.join(DEV_LMTP_SOCKET))),
                listener(Service::Imap),
                listener(Service::Imaps),
                listener(Service::Pop3),
                listener(Service::Pop3s),
                listener(Service::Odmr),
                Listener::new(Service::Http, http),
            ],
            data: options.data,
            recipients: if options.relay.is_some() { Recipients::Relay } else { Recipients::CatchAll },
            transports: Transports::new(options.relay.iter().map(Relay::rule).collect()),
            policy: Policy {
                // Only who is on this machine connects at all.
                trusted_networks: options.relay.iter().flat_map(|_| loopback()).collect(),
                ..Policy::default()
            },
            certificates: CertificateSource::Development,
            // Nothing comes from outside, and nobody is asked there.
            authenticity: Authenticity { verify: Switch::Off, ..Authenticity::default() },
            // Bounces would not find the way back to here.
            forwarding: Forwarding { srs: Switch::Off, ..Forwarding::default() },
            limits: Limits { connections_per_address_max: limits.connections_max, ..limits },
            auth: Auth {
                // The password of the first account lies readable in the data folder anyway.
                mechanisms: Mechanism::ALL.to_vec(),
                account_failures_max: 1000,
                network_failures_max: 10_000,
                ..Auth::default()
            },
            // Whoever tries things here is nobody's spammer.
            submission: Submission {
                messages_per_hour_per_account_max: 0,
                messages_per_hour_per_address_max: 0,
                ..Submission::default()
            },
            log: options.log,
            ..Self::default()
        }
    }
}

/// The addresses of this machine.
fn loopback() -> impl Iterator<Item = Network> {
    let networks = [(IpAddr::from([127, 0, 0, 0]), 8), (Ipv6Addr::LOCALHOST.into(), 128)];
    networks.into_iter().filter_map(|(address, prefix_bits)| Network::new(address, prefix_bits))
}

/// Where dev mode serves HTTP, without the offset: 8025 with it is what people expect of a development mail server.
const DEV_HTTP_PORT: u16 = 7025;
/// The name of dev mode's socket for LMTP, in the data folder.
const DEV_LMTP_SOCKET: &str = "lmtp.sock";

/// What an empty file means.
impl Default for Config {
    fn default() -> Self {
        let machine = sections::Machine::default();
        Self {
            mode: Mode::Production,
            host_name: machine.host_name.domain(),
            data: machine.data,
            recipients: Recipients::Domains(machine.domains),
            listeners: listener::default_listeners(false),
            certificates: CertificateSource::Files(Vec::new()),
            tls: Tls::default(),
            smtp: Smtp::default(),
            submission: Submission::default(),
            policy: Policy::default(),
            authenticity: Authenticity::default(),
            dkim: Dkim::default(),
            signing: Signing::default(),
            forwarding: Forwarding::default(),
            dnsbl: Vec::new(),
            reputation: Reputation::default(),
            greylisting: Greylisting::default(),
            queue: Queue::default(),
            delivery: Delivery::default(),
            dns: Dns::default(),
            transports: Transports::default(),
            auth: Auth::default(),
            oauth: Vec::new(),
            imap: Imap::default(),
            pop3: Pop3::default(),
            mailboxes: Mailboxes::default(),
            limits: Limits::default(),
            store: Store::default(),
            trace: Trace::default(),
            log: Log::default(),
        }
    }
}
