//! Where mail would go now, for people: the same rules, the same questions to the DNS and the same decision on TLS as
//! for a message, and no connection to a mail server.

use std::net::IpAddr;
use std::sync::Arc;

use mta::route::{Found, Hop, Itinerary, Pattern, Protocol, Route, Skipped, Transport};
use mta::tls::HopTls;
use net::dns::Dns;
use types::dns::Validation;
use types::{EnhancedStatus, Host};

use super::names;
use super::real::RealWorld;
use super::security::Security;
use super::world::{Asked, TlsQuestion, Way as Routed, World};
use crate::config::{Config, Recipients, TlsStart, TransportRule};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewOptions {
    /// For mail to whom.
    pub destination: Host,
    /// Whether the sender asks for TLS on the whole way (RFC 8689).
    pub require_tls: bool,
}

/// Where mail would go now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preview {
    /// By which rule of the operator; none where the DNS decides.
    pub rule: Option<PreviewRule>,
    /// Where to.
    pub way: PreviewWay,
}

/// A rule, as it stands in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewRule {
    /// For which destinations.
    pub matches: String,
    /// Where to.
    pub to: String,
}

/// Where to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreviewWay {
    /// Into the mailboxes of this server.
    Here,
    /// To the first of these hosts that takes it.
    Hosts {
        /// At least one.
        hosts: Vec<PreviewHost>,
        /// `SMTP` or `LMTP`.
        protocol: &'static str,
        /// Of all of them.
        port: u16,
        /// What they share limits by.
        site: String,
        /// What was left out.
        skipped: Vec<PreviewSkipped>,
    },
    /// To an LMTP socket of this machine.
    Socket(String),
    /// Nowhere before its host asks for it.
    OnDemand,
    /// Nowhere.
    Discard,
    /// There is no way.
    None {
        /// What a report says.
        status: EnhancedStatus,
        /// In plain words.
        reason: String,
        /// Whether it stays so.
        is_permanent: bool,
        /// What was looked at and left out.
        skipped: Vec<PreviewSkipped>,
    },
}

/// A host that would be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewHost {
    /// None where only an address is known.
    pub name: Option<String>,
    /// What it is an alias of.
    pub alias_of: Option<String>,
    /// In the order in which they are tried.
    pub addresses: Vec<IpAddr>,
    /// Of its MX record; none where there is none.
    pub preference: Option<u16>,
    /// How it was found, in plain words.
    pub found: &'static str,
    /// Whether DNSSEC proves the way to it.
    pub is_proven: bool,
    /// Which TLS it must show, or why it may not be used.
    pub tls: Result<PreviewTls, String>,
}

/// Which TLS a host must show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewTls {
    /// In one word: `none`, `opportunistic`, `required`, `verified` or `dane`.
    pub level: &'static str,
    /// The names of which the certificate must have one, where it must.
    pub names: Vec<String>,
    /// Why, in plain words.
    pub why: String,
}

/// A host that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewSkipped {
    /// As the DNS names it: any character may be in it.
    pub host: String,
    /// Why.
    pub why: String,
}

/// Where mail would go now. Domains of accounts that only the store knows are not known here.
///
/// # Errors
/// Why the DNS or the authorities for TLS cannot be asked, in plain words.
pub async fn preview(config: Config, options: &PreviewOptions) -> Result<Preview, String> {
    let PreviewOptions { destination, require_tls } = options;
    if is_here(&config, destination) {
        return Ok(Preview { rule: None, way: PreviewWay::Here });
    }
    let dns = Dns::new(&names::dns_options(&config.dns)).map_err(|error| error.to_string())?;
    let security = Security::passing(&config, &dns).map_err(|error| error.to_string())?;
    let config = Arc::new(config);
    let world = RealWorld::with(Arc::clone(&config), dns, security);
    let routed = world.route(destination, Asked::Not).await;
    let rule = Arc::clone(&routed.rule);
    let way = match routed.way {
        Routed::Here => PreviewWay::Here,
        Routed::Elsewhere(Route::Hosts(itinerary)) => {
            hosts(&world, &rule, destination, itinerary, *require_tls).await
        }
        Routed::Elsewhere(Route::Socket(path)) => PreviewWay::Socket(path),
        Routed::Elsewhere(Route::OnDemand) => PreviewWay::OnDemand,
        Routed::Elsewhere(Route::Discard) => PreviewWay::Discard,
        Routed::Elsewhere(Route::Unroutable { reason, skipped: left_out }) => PreviewWay::None {
            status: reason.status(),
            reason: reason.to_string(),
            is_permanent: reason.is_permanent(),
            skipped: skipped(left_out),
        },
    };
    let is_configured = config.transports.iter().any(|configured| Arc::ptr_eq(configured, &rule));
    Ok(Preview { rule: is_configured.then(|| rule_in_words(&rule)), way })
}

fn is_here(config: &Config, destination: &Host) -> bool {
    match (&config.recipients, destination) {
        (Recipients::Domains(domains), Host::Domain(domain)) => domains.contains(domain),
        (Recipients::CatchAll, _) => true,
        _ => false,
    }
}

async fn hosts(
    world: &RealWorld,
    rule: &TransportRule,
    destination: &Host,
    itinerary: Itinerary,
    require_tls: bool,
) -> PreviewWay {
    let Itinerary { hops, protocol, port, site, skipped: left_out } = itinerary;
    let mut hosts = Vec::new();
    for hop in hops {
        let question = TlsQuestion { rule, destination, hop: &hop, port, require_tls };
        let tls = match world.tls(question).await {
            Ok(terms) => Ok(tls(&terms.tls, terms.why)),
            Err(refused) => Err(refused.why),
        };
        hosts.push(host(hop, tls));
    }
    let protocol = match protocol {
        Protocol::Smtp => "SMTP",
        Protocol::Lmtp => "LMTP",
    };
    PreviewWay::Hosts { hosts, protocol, port, site, skipped: skipped(left_out) }
}

fn host(hop: Hop, tls: Result<PreviewTls, String>) -> PreviewHost {
    let (preference, found) = match hop.found {
        Found::Mx { preference } => (Some(preference), "an MX record"),
        Found::ImplicitMx => (None, "the addresses of the domain, which has no MX record"),
        Found::Literal => (None, "the address itself"),
        Found::Configured => (None, "the configuration"),
    };
    PreviewHost {
        name: hop.name.map(|name| name.to_string()),
        alias_of: hop.alias_of.map(|name| name.to_string()),
        addresses: hop.addresses,
        preference,
        found,
        is_proven: hop.validation == Validation::Secure,
        tls,
    }
}

fn tls(tls: &HopTls, why: String) -> PreviewTls {
    let (level, names) = match tls {
        HopTls::None => ("none", &[][..]),
        HopTls::Opportunistic => ("opportunistic", &[][..]),
        HopTls::Required => ("required", &[][..]),
        HopTls::Verified { names } => ("verified", names.as_slice()),
        HopTls::Dane { names, .. } => ("dane", names.as_slice()),
    };
    PreviewTls { level, names: names.iter().map(ToString::to_string).collect(), why }
}

fn skipped(skipped: Vec<Skipped>) -> Vec<PreviewSkipped> {
    let in_words = |Skipped { host, why }| PreviewSkipped { host, why: why.to_string() };
    skipped.into_iter().map(in_words).collect()
}

/// A rule as one would write it in the configuration.
#[must_use]
pub fn rule_in_words(rule: &TransportRule) -> PreviewRule {
    let matches = match &rule.rule.pattern {
        Pattern::Everything => "*".to_owned(),
        Pattern::Domain(domain) => domain.to_string(),
        Pattern::Below(domain) => format!(".{domain}"),
    };
    let to = match &rule.rule.transport {
        Transport::Mx => "mx".to_owned(),
        Transport::MxOf(domain) => format!("mx:{domain}"),
        Transport::Host { host, port, protocol } => {
            let scheme = match (protocol, rule.tls_start) {
                (Protocol::Lmtp, _) => "lmtp",
                (Protocol::Smtp, TlsStart::AtOnce) => "smtps",
                (Protocol::Smtp, TlsStart::Negotiated) => "smtp",
            };
            format!("{scheme}://{host}:{port}")
        }
        Transport::Socket(path) => format!("lmtp:{path}"),
        Transport::OnDemand => "on-demand".to_owned(),
        Transport::Discard => "discard".to_owned(),
        Transport::Fail { .. } => "fail".to_owned(),
    };
    PreviewRule { matches, to }
}
