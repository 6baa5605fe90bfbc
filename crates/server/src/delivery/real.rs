//! The world as a node finds it: clock and connections of its [`Outside`], routes by the DNS, TLS by its policies.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use mta::outcome::{Again, Diagnostic, Duplicate, Finding, Outcome};
use mta::route::{Route, Transport, Unroutable};
use mta::tls::TlsPolicy;
use net::dns::Dns;
use tokio::net::UnixStream;
use tokio::sync::OnceCell;
use tracing::error;
use types::dns::DnsTrouble;
use types::{Domain, EnhancedStatus, Host, Timestamp};

use super::connection::Target;
use super::names;
use super::security::{HopSecurity, Security, Unusable};
use super::world::{Asked, HopRefusal, HopTerms, Routed, Stream, TlsQuestion, Way, World};
use crate::config::{Config, OutboundTls, TlsStart, TransportRule};
use crate::outside::{Lookups, Outside, System};

/// The world as a node finds it.
pub(crate) struct RealWorld {
    config: Arc<Config>,
    outside: Arc<dyn Outside>,
    own_names: Vec<Domain>,
    /// Made when the first message leaves: who sends nothing has no use for it.
    tools: OnceCell<Tools>,
}

/// What asks the outside.
struct Tools {
    dns: Option<Arc<dyn Lookups>>,
    security: Option<Security>,
    own_addresses: Vec<IpAddr>,
}

/// A clock may be put forward: it is looked at this often.
const NAP: Duration = Duration::from_secs(30);

impl RealWorld {
    pub(crate) fn new(config: Arc<Config>, outside: Arc<dyn Outside>) -> Self {
        let own_names = vec![config.host_name.clone()];
        Self { config, outside, own_names, tools: OnceCell::new() }
    }

    /// With what asks the outside, for one question.
    pub(super) fn with(config: Arc<Config>, dns: Dns, security: Security) -> Self {
        let outside = Arc::new(System::default());
        let own_addresses = names::own_addresses(&config, &*outside);
        let tools = Tools { dns: Some(Arc::new(dns)), security: Some(security), own_addresses };
        Self { tools: OnceCell::new_with(Some(tools)), ..Self::new(config, outside) }
    }

    async fn tools(&self) -> &Tools {
        let (config, outside) = (Arc::clone(&self.config), Arc::clone(&self.outside));
        self.tools
            .get_or_init(|| async move {
                if let Some(names) = outside.names() {
                    let own_addresses = names::own_addresses(&config, &*outside);
                    return Tools { dns: Some(names), security: None, own_addresses };
                }
                let made = tokio::task::spawn_blocking(move || Tools::new(&config, &*outside)).await;
                made.unwrap_or(Tools { dns: None, security: None, own_addresses: Vec::new() })
            })
            .await
    }
}

impl Tools {
    /// Reads files of the system.
    fn new(config: &Config, outside: &dyn Outside) -> Self {
        let dns = Dns::new(&names::dns_options(&config.dns));
        let dns = dns.inspect_err(|error| error!(%error, "the DNS cannot be asked: mail waits")).ok();
        let security = dns.as_ref().map(|dns| Security::of(config, dns));
        let security = security
            .transpose()
            .inspect_err(|error| error!(%error, "TLS to other servers cannot be had: mail waits"))
            .ok()
            .flatten();
        let dns = dns.map(|dns| Arc::new(dns) as Arc<dyn Lookups>);
        Self { dns, security, own_addresses: names::own_addresses(config, outside) }
    }
}

#[async_trait]
impl World for RealWorld {
    fn now(&self) -> Timestamp {
        self.outside.now()
    }

    fn random(&self) -> u64 {
        self.outside.random()
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(NAP)).await;
        }
    }

    async fn route(&self, destination: &Host, asked: Asked) -> Routed {
        let rule = Arc::clone(self.config.transports.rule(destination));
        let transport = match asked {
            Asked::Now => rule.rule.transport.when_asked(),
            Asked::Not => &rule.rule.transport,
        };
        let tools = self.tools().await;
        let route = match &tools.dns {
            Some(dns) => {
                let network = names::network(&self.config, &self.own_names, &tools.own_addresses);
                names::route(&**dns, destination, transport, &network, self.random()).await
            }
            None => {
                let reason =
                    Unroutable::Dns { domain: destination.to_string(), trouble: DnsTrouble::TimedOut };
                Route::Unroutable { reason, skipped: Vec::new() }
            }
        };
        Routed::new(rule, Way::Elsewhere(route))
    }

    async fn tls(&self, question: TlsQuestion<'_>) -> Result<HopTerms, Box<HopRefusal>> {
        let TlsQuestion { rule, destination, hop, port, require_tls } = question;
        let policy = policy(&self.config, rule);
        if policy == TlsPolicy::None && !require_tls {
            return Ok(HopTerms::none());
        }
        let Some(security) = &self.tools().await.security else {
            return Err(refusal("TLS cannot be had: its authorities cannot be read"));
        };
        let domain = next_hop(rule, destination);
        let decided = security.for_hop(domain, hop, port, &policy, require_tls, self.now()).await;
        match decided {
            Ok(HopSecurity { tls, handshake, why, counter }) => Ok(HopTerms { tls, handshake, why, counter }),
            Err(Unusable::Refused(refused)) => {
                Err(Box::new(HopRefusal { outcome: refused.outcome(), why: refused.to_string() }))
            }
            Err(Unusable::Tls(error)) => Err(refusal(&error.to_string())),
        }
    }

    async fn connect(&self, to: &Target, source: Option<IpAddr>) -> io::Result<Box<dyn Stream>> {
        match to {
            Target::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Target::Tcp { address, .. } => self.outside.connect(*address, source).await,
        }
    }
}

/// The operator's word on TLS.
fn policy(config: &Config, rule: &TransportRule) -> TlsPolicy {
    match (rule.tls.unwrap_or(config.delivery.tls), rule.tls_start) {
        (OutboundTls::Verified, _) => TlsPolicy::Verified { names: rule.tls_names.clone() },
        (OutboundTls::Dane, _) => TlsPolicy::Dane,
        (OutboundTls::Required, _) | (OutboundTls::None | OutboundTls::Opportunistic, TlsStart::AtOnce) => {
            TlsPolicy::Required
        }
        (OutboundTls::None, TlsStart::Negotiated) => TlsPolicy::None,
        (OutboundTls::Opportunistic, TlsStart::Negotiated) => TlsPolicy::Opportunistic,
    }
}

/// The domain whose mail servers were asked for.
fn next_hop<'a>(rule: &'a TransportRule, destination: &'a Host) -> Option<&'a Domain> {
    let host = match &rule.rule.transport {
        Transport::MxOf(domain) => return Some(domain),
        Transport::Host { host, .. } => host,
        _ => destination,
    };
    match host {
        Host::Domain(domain) => Some(domain),
        Host::Literal(_) => None,
    }
}

fn refusal(why: &str) -> Box<HopRefusal> {
    let finding =
        Finding { status: EnhancedStatus::transient(7, 5), diagnostic: Diagnostic::Local(why.to_owned()) };
    let outcome = Outcome::Deferred { finding, again: Again::NextHost, duplicate: Duplicate::Impossible };
    Box::new(HopRefusal { outcome, why: why.to_owned() })
}
