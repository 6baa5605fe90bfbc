//! Figures about the work, for Prometheus (docs/metrics.md lists them).
//!
//! What is counted on the way of a message is an atomic number that is found without a search; labels come from closed
//! lists, so that nobody outside makes their number grow.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use rustls::HandshakeKind;
use types::TlsParameters;

use crate::config::Service;

/// Figures of a node since its start.
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Mutex<Registry>,
    /// In the order of [`Service::ALL`].
    services: Vec<OfService>,
    turned_away: Family<TurnedAwayLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    accept_s: Histogram,
    handshakes: Family<HandshakeLabels, Counter>,
    handshakes_failed: Counter,
    authentications: Family<AuthenticationLabels, Counter>,
}

/// What is counted for each service.
#[derive(Debug, Clone)]
struct OfService {
    connections: Counter,
    open: Gauge,
    accepted: Counter,
}

/// Why a connection was not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TurnedAway {
    /// There were as many connections as there may be.
    Full,
    /// Its network had as many as it may have.
    FullForAddress,
    /// Its proxy did not say who the client is.
    NoProxyHeader,
}

/// How an attempt to log in ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthOutcome {
    /// With an account.
    Accepted,
    /// With a wrong name, password, token or proof, or one that may not log in.
    Refused,
    /// Without an answer: it could not be looked up, or there were too many at one time.
    Unavailable,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ServiceLabels {
    service: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct TurnedAwayLabels {
    service: &'static str,
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    verb: &'static str,
    code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HandshakeLabels {
    version: &'static str,
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AuthenticationLabels {
    mechanism: &'static str,
    outcome: &'static str,
}

/// Upper ends of the classes of a time in seconds: from a fast disk to one that hangs.
const TIME_CLASSES_S: [f64; 13] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// Verbs that have a figure of their own; all others are `OTHER`.
const VERBS: [&str; 22] = [
    "CONNECT", "HELO", "EHLO", "LHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT", "MESSAGE", "RSET",
    "NOOP", "VRFY", "EXPN", "HELP", "QUIT", "ETRN", "TURN", "ATRN", "XCLIENT", "BURL",
];

/// Mechanisms that have a figure of their own; `PASSWORD` is USER and PASS of POP3. All others are `OTHER`.
const MECHANISMS: [&str; 11] = [
    "PASSWORD",
    "APOP",
    "PLAIN",
    "LOGIN",
    "CRAM-MD5",
    "SCRAM-SHA-1",
    "SCRAM-SHA-1-PLUS",
    "SCRAM-SHA-256",
    "SCRAM-SHA-256-PLUS",
    "XOAUTH2",
    "OAUTHBEARER",
];

const OTHER: &str = "OTHER";

/// Of the closed list, the one that is meant.
fn known(list: &[&'static str], name: &str) -> &'static str {
    list.iter().find(|known| known.eq_ignore_ascii_case(name)).copied().unwrap_or(OTHER)
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("posta");
        let connections = Family::<ServiceLabels, Counter>::default();
        let open = Family::<ServiceLabels, Gauge>::default();
        let accepted = Family::<ServiceLabels, Counter>::default();
        let services = Service::ALL.iter().map(|service| {
            let labels = ServiceLabels { service: service.as_str() };
            OfService {
                connections: connections.get_or_create_owned(&labels),
                open: open.get_or_create_owned(&labels),
                accepted: if service.takes_mail() {
                    accepted.get_or_create_owned(&labels)
                } else {
                    Counter::default()
                },
            }
        });
        let metrics = Self {
            services: services.collect(),
            turned_away: Family::default(),
            refusals: Family::default(),
            accept_s: Histogram::new(TIME_CLASSES_S),
            handshakes: Family::default(),
            handshakes_failed: Counter::default(),
            authentications: Family::default(),
            registry: Mutex::new(Registry::default()),
        };
        registry.register("connections", "Connections that were served", connections);
        registry.register("connections_open", "Connections that are being served", open);
        registry.register(
            "connections_turned_away",
            "Connections that were not served",
            metrics.turned_away.clone(),
        );
        registry.register("messages_accepted", "Messages that were answered with 250", accepted);
        registry.register(
            "refusals",
            "Replies of 400 and above, by the command that they answer",
            metrics.refusals.clone(),
        );
        registry.register(
            "accept_seconds",
            "From the last octet of a message to its 250",
            metrics.accept_s.clone(),
        );
        registry.register("tls_handshakes", "TLS handshakes that were done", metrics.handshakes.clone());
        registry.register(
            "tls_handshakes_failed",
            "TLS handshakes that were begun and not done",
            metrics.handshakes_failed.clone(),
        );
        registry.register("authentications", "Attempts to log in", metrics.authentications.clone());
        Self { registry: Mutex::new(registry), ..metrics }
    }

    /// Counts a connection, as open until what is returned is dropped.
    pub(crate) fn connected(&self, service: Service) -> OpenConnection {
        let of_service = self.of(service);
        of_service.connections.inc();
        of_service.open.inc();
        OpenConnection(of_service.open.clone())
    }

    /// A connection was not served.
    pub(crate) fn turned_away(&self, service: Service, why: TurnedAway) {
        let reason = match why {
            TurnedAway::Full => "full",
            TurnedAway::FullForAddress => "full_for_address",
            TurnedAway::NoProxyHeader => "no_proxy_header",
        };
        self.turned_away.get_or_create(&TurnedAwayLabels { service: service.as_str(), reason }).inc();
    }

    /// A message was answered with 250, so long after its last octet.
    pub(crate) fn accepted(&self, service: Service, latency: Duration) {
        self.of(service).accepted.inc();
        self.accept_s.observe(latency.as_secs_f64());
    }

    /// A command was answered with 400 or above. The end of a message is `MESSAGE`, a connection `CONNECT`.
    pub(crate) fn refused(&self, verb: &str, code: u16) {
        self.refusals.get_or_create(&RefusalLabels { verb: known(&VERBS, verb), code }).inc();
    }

    /// Somebody tried to log in. USER and PASS of POP3 are the mechanism `PASSWORD`.
    pub(crate) fn authenticated(&self, mechanism: &str, outcome: AuthOutcome) {
        let outcome = match outcome {
            AuthOutcome::Accepted => "accepted",
            AuthOutcome::Refused => "refused",
            AuthOutcome::Unavailable => "unavailable",
        };
        let labels = AuthenticationLabels { mechanism: known(&MECHANISMS, mechanism), outcome };
        self.authentications.get_or_create(&labels).inc();
    }

    /// TLS has begun.
    pub(crate) fn handshake(&self, parameters: Option<&TlsParameters>, kind: Option<HandshakeKind>) {
        let version = match parameters.map(|parameters| parameters.version.as_str()) {
            Some("TLS1.3") => "1.3",
            Some("TLS1.2") => "1.2",
            _ => "other",
        };
        let kind = match kind {
            Some(HandshakeKind::Resumed) => "resumed",
            _ => "full",
        };
        self.handshakes.get_or_create(&HandshakeLabels { version, kind }).inc();
    }

    /// TLS could not be begun.
    pub(crate) fn handshake_failed(&self) {
        self.handshakes_failed.inc();
    }

    /// All figures as Prometheus reads them (OpenMetrics 1.0).
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry.lock().unwrap_or_else(PoisonError::into_inner))?;
        Ok(text)
    }

    fn of(&self, service: Service) -> &OfService {
        &self.services[service as usize]
    }
}

/// Counts a connection as open as long as it lives.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
