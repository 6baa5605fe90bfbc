//! The configuration of a node: one TOML file for what belongs to the machine (listeners, paths, limits); what
//! an operator changes daily (accounts) lives in the store.
//!
//! Every key is declared once, in `sections.rs`, with its meaning, unit, default and RFC minimum; reading, the
//! sample file and the manual come from there. A file is read as a whole: all its faults are reported together,
//! each with its line and its mend. Unknown keys are faults.

mod findings;
mod manual;
mod read;
mod section;
mod sections;
mod value;

#[cfg(test)]
mod tests;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use types::Domain;

pub use findings::{Finding, InvalidConfig};
pub use manual::{manual, sample};
pub use read::ConfigError;
pub use sections::{Certificate, Limits, Listener, Log, Machine, Pop3, Smtp, Store, Tls};
pub use value::{ByteSize, HandTypedLf, HostName, LogFormat, LogLevel, Seconds, Service, TlsVersion};

/// Everything that a node is told at its start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
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
    /// Fetching mail by POP3.
    pub pop3: Pop3,
    /// What all sessions share.
    pub limits: Limits,
    /// How messages are kept.
    pub store: Store,
    /// What is written about the work.
    pub log: Log,
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
    /// Accounts in these domains; anything else is refused.
    Domains(Vec<Domain>),
}

/// How dev mode starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevOptions {
    /// The folder of everything that is kept.
    pub data: PathBuf,
    /// Which ports are taken.
    pub port_offset: PortOffset,
    /// How log lines look.
    pub log: Log,
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
    /// One address is everybody, so it may have all the connections.
    #[must_use]
    pub fn dev(options: DevOptions) -> Self {
        let listener = |service: Service, hand_typed_lf| Listener {
            service,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, options.port_offset.port(service.port()))),
            hand_typed_lf,
        };
        let limits = Limits::default();
        Self {
            data: options.data,
            recipients: Recipients::CatchAll,
            listeners: vec![
                listener(Service::Smtp, HandTypedLf::Allowed),
                listener(Service::Pop3, HandTypedLf::Refused),
                listener(Service::Pop3s, HandTypedLf::Refused),
            ],
            certificates: CertificateSource::Development,
            limits: Limits { connections_per_address_max: limits.connections_max, ..limits },
            log: options.log,
            ..Self::default()
        }
    }
}

/// What an empty file means.
impl Default for Config {
    fn default() -> Self {
        let machine = sections::Machine::default();
        Self {
            host_name: machine.host_name.domain(),
            data: machine.data,
            recipients: Recipients::Domains(machine.domains),
            listeners: default_listeners(),
            certificates: CertificateSource::Files(Vec::new()),
            tls: Tls::default(),
            smtp: Smtp::default(),
            pop3: Pop3::default(),
            limits: Limits::default(),
            store: Store::default(),
            log: Log::default(),
        }
    }
}

impl Service {
    /// The standard port.
    #[must_use]
    pub const fn port(self) -> u16 {
        match self {
            Self::Smtp => 25,
            Self::Pop3 => 110,
            Self::Pop3s => 995,
        }
    }
}

fn default_listeners() -> Vec<Listener> {
    let pop3 = SocketAddr::from((Ipv4Addr::LOCALHOST, Service::Pop3.port()));
    vec![Listener::default(), Listener { service: Service::Pop3, address: pop3, ..Listener::default() }]
}
