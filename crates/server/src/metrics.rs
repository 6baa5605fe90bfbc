//! Figures about the work, for Prometheus (docs/metrics.md lists them).
//!
//! What is counted on the way of a message is an atomic number that is found without a search; labels come from closed
//! lists, so that nobody outside makes their number grow.

mod delivery_figures;
mod dkim_figures;
mod imap_figures;
mod store_figures;

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use rustls::HandshakeKind;
use types::TlsParameters;

use crate::config::Service;
use crate::logging;

pub(crate) use delivery_figures::{DeliveryFigures, OpenDelivery};
pub(crate) use dkim_figures::DkimFigures;
pub(crate) use imap_figures::{ImapChange, ImapFigures};
pub(crate) use store_figures::StoreFigures;

/// Figures of a node since its start.
#[derive(Debug)]
pub(crate) struct Metrics {
    connections: Family<ServiceLabels, Counter>,
    open: Family<ServiceLabels, Gauge>,
    accepted: Family<ServiceLabels, Counter>,
    /// Of those three, what is counted for each service, in the order of [`Service::ALL`].
    services: Vec<OfService>,
    turned_away: Family<TurnedAwayLabels, Counter>,
    refusals: Family<RefusalLabels, Counter>,
    accept_s: Histogram,
    handshakes: Family<HandshakeLabels, Counter>,
    handshakes_failed: Counter,
    authentications: Family<AuthenticationLabels, Counter>,
    verifications: Family<VerificationLabels, Counter>,
    lists_asked: Family<ListAnswerLabels, Counter>,
    lists: Family<ListLabels, Gauge>,
    greylisted: Counter,
    signatures: Family<VerificationLabels, Counter>,
    /// Of the way out.
    pub(crate) delivery: DeliveryFigures,
    /// Of the keys with which our domains sign.
    pub(crate) dkim: DkimFigures,
    /// Of what IMAP clients do.
    pub(crate) imap: ImapFigures,
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

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct VerificationLabels {
    method: &'static str,
    result: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListAnswerLabels {
    zone: String,
    answer: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ListLabels {
    zone: String,
    kind: &'static str,
}

/// Upper ends of the classes of a time in seconds: from a fast disk to one that hangs.
const TIME_CLASSES_S: [f64; 13] =
    [0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// Verbs that have a figure of their own; all others are `OTHER`.
const VERBS: [&str; 22] = [
    "CONNECT", "HELO", "EHLO", "LHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA", "BDAT", "MESSAGE", "RSET",
    "NOOP", "VRFY", "EXPN", "HELP", "QUIT", "ETRN", "TURN", "ATRN", "XCLIENT", "BURL",
];

/// Mechanisms that have a figure of their own; `PASSWORD` is USER and PASS of POP3, and LOGIN of IMAP. All others are `OTHER`.
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
        Self {
            services: services.collect(),
            connections,
            open,
            accepted,
            turned_away: Family::default(),
            refusals: Family::default(),
            accept_s: Histogram::new(TIME_CLASSES_S),
            handshakes: Family::default(),
            handshakes_failed: Counter::default(),
            authentications: Family::default(),
            verifications: Family::default(),
            lists_asked: Family::default(),
            lists: Family::default(),
            greylisted: Counter::default(),
            signatures: Family::default(),
            delivery: DeliveryFigures::new(),
            dkim: DkimFigures::default(),
            imap: ImapFigures::default(),
        }
    }

    /// All figures by name; none of them is copied.
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix("posta");
        registry.register("connections", "Connections that were served", self.connections.clone());
        registry.register("connections_open", "Connections that are being served", self.open.clone());
        registry.register(
            "connections_turned_away",
            "Connections that were not served",
            self.turned_away.clone(),
        );
        registry.register("messages_accepted", "Messages that were answered with 250", self.accepted.clone());
        registry.register(
            "refusals",
            "Replies of 400 and above, by the command that they answer",
            self.refusals.clone(),
        );
        registry.register(
            "accept_seconds",
            "From the last octet of a message to its 250",
            self.accept_s.clone(),
        );
        registry.register("tls_handshakes", "TLS handshakes that were done", self.handshakes.clone());
        registry.register(
            "tls_handshakes_failed",
            "TLS handshakes that were begun and not done",
            self.handshakes_failed.clone(),
        );
        registry.register("authentications", "Attempts to log in", self.authentications.clone());
        registry.register(
            "signatures",
            "Signatures over what leaves, by method and what became of them",
            self.signatures.clone(),
        );
        registry.register(
            "verifications",
            "Checks of who sent a message from outside, by method and result of RFC 8601",
            self.verifications.clone(),
        );
        registry.register(
            "dnsbl_answers",
            "Questions to lists in the DNS: listed, not_listed, broken, trouble",
            self.lists_asked.clone(),
        );
        registry.register(
            "dnsbl_state",
            "Whether a list in the DNS works and is asked, by its test entries: 1 or 0",
            self.lists.clone(),
        );
        registry.register("greylisted", "Messages that were asked to come again", self.greylisted.clone());
        self.delivery.register(&mut registry);
        self.dkim.register(&mut registry);
        self.imap.register(&mut registry);
        registry.register(
            "log_lines_lost",
            "Lines of the log that could not be written, or that nobody read in time",
            ConstCounter::new(logging::lines_lost()),
        );
        registry
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

    /// Somebody tried to log in. USER and PASS of POP3, and LOGIN of IMAP, are the mechanism `PASSWORD`.
    pub(crate) fn authenticated(&self, mechanism: &str, outcome: AuthOutcome) {
        let outcome = match outcome {
            AuthOutcome::Accepted => "accepted",
            AuthOutcome::Refused => "refused",
            AuthOutcome::Unavailable => "unavailable",
        };
        let labels = AuthenticationLabels { mechanism: known(&MECHANISMS, mechanism), outcome };
        self.authentications.get_or_create(&labels).inc();
    }

    /// A signature over what leaves, by what became of it.
    pub(crate) fn signed(&self, method: &'static str, result: &'static str) {
        self.signatures.get_or_create(&VerificationLabels { method, result }).inc();
    }

    /// A message from outside was checked: words of RFC 8601 both.
    pub(crate) fn verified(&self, method: &'static str, result: &'static str) {
        self.verifications.get_or_create(&VerificationLabels { method, result }).inc();
    }

    /// A list of the configuration was asked.
    pub(crate) fn asked_list(&self, zone: &str, answer: &'static str) {
        self.lists_asked.get_or_create(&ListAnswerLabels { zone: zone.to_owned(), answer }).inc();
    }

    /// A list of the configuration was tested.
    pub(crate) fn tested_list(&self, zone: &str, kind: &'static str, is_sound: bool) {
        let state = self.lists.get_or_create_owned(&ListLabels { zone: zone.to_owned(), kind });
        state.set(i64::from(is_sound));
    }

    /// A message was asked to come again.
    pub(crate) fn greylisted(&self) {
        self.greylisted.inc();
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

    /// All figures as Prometheus reads them (OpenMetrics 1.0), with those of the store where it told them.
    pub(crate) fn text(&self, store: Option<StoreFigures>) -> Result<String, std::fmt::Error> {
        let mut registry = self.registry();
        if let Some(store) = store {
            registry.sub_registry_with_prefix("store").register_collector(Box::new(store));
        }
        let mut text = String::new();
        encode(&mut text, &registry)?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_in_the_text_by_its_name_and_labels() {
        let metrics = Metrics::new();
        let open = metrics.connected(Service::Smtp);
        drop(metrics.connected(Service::Smtp));
        metrics.turned_away(Service::Pop3, TurnedAway::FullForAddress);
        metrics.accepted(Service::Submission, Duration::from_millis(3));
        metrics.refused("RCPT", 550);
        metrics.refused("RCPT", 550);
        metrics.authenticated("scram-sha-256", AuthOutcome::Refused);
        metrics.handshake_failed();
        let text = metrics.text(None).unwrap();
        for line in [
            "posta_connections_total{service=\"smtp\"} 2",
            "posta_connections_open{service=\"smtp\"} 1",
            "posta_connections_turned_away_total{service=\"pop3\",reason=\"full_for_address\"} 1",
            "posta_messages_accepted_total{service=\"submission\"} 1",
            "posta_messages_accepted_total{service=\"lmtp\"} 0",
            "posta_refusals_total{verb=\"RCPT\",code=\"550\"} 2",
            "posta_accept_seconds_bucket{le=\"0.002\"} 0",
            "posta_accept_seconds_bucket{le=\"0.005\"} 1",
            "posta_accept_seconds_count 1",
            "posta_authentications_total{mechanism=\"SCRAM-SHA-256\",outcome=\"refused\"} 1",
            "posta_tls_handshakes_failed_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("posta_messages_accepted_total{service=\"pop3\"}"), "{text}");
        assert!(text.ends_with("# EOF\n"));
        drop(open);
        assert!(metrics.text(None).unwrap().contains("posta_connections_open{service=\"smtp\"} 0"));
    }

    #[test]
    fn labels_come_from_closed_lists_whatever_a_client_says() {
        let metrics = Metrics::new();
        for number in 0..100 {
            metrics.refused(&format!("X{number}"), 500);
            metrics.authenticated(&format!("X{number}"), AuthOutcome::Refused);
        }
        let text = metrics.text(None).unwrap();
        assert!(text.contains("posta_refusals_total{verb=\"OTHER\",code=\"500\"} 100"), "{text}");
        assert!(text.contains("{mechanism=\"OTHER\",outcome=\"refused\"} 100"), "{text}");
    }

    #[test]
    fn docs_metrics_lists_each_figure_with_its_labels() {
        let metrics = Metrics::new();
        let _open = metrics.connected(Service::Smtp);
        metrics.turned_away(Service::Smtp, TurnedAway::Full);
        metrics.refused("RCPT", 550);
        metrics.authenticated("PLAIN", AuthOutcome::Accepted);
        metrics.verified("spf", "pass");
        metrics.signed("dkim", "made");
        metrics.asked_list("bl.example.org", "listed");
        metrics.tested_list("bl.example.org", "ipv4", true);
        metrics.handshake(None, None);
        metrics.imap.changed(ImapChange::Appended, 1);
        let folder = tempfile::tempdir().unwrap();
        let options = store::embedded::Options { path: folder.path().to_owned(), ..Default::default() };
        let store = store::embedded::Embedded::open(options).unwrap();
        let text = metrics.text(Some(StoreFigures::read(&store).unwrap())).unwrap();
        let path = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
        let written = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = written.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let made = format!("{before}{BEGIN}\n{}{END}{after}", table(&text));
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), made, "UPDATE_GOLDEN=1 rewrites it");
    }

    const BEGIN: &str = "<!-- figures: made by the test of the same name -->\n";
    const END: &str = "<!-- end of figures -->";

    /// A row for each figure, out of the text that Prometheus reads.
    fn table(text: &str) -> String {
        let mut rows = "| Figure | Kind | Labels | Meaning |\n|---|---|---|---|\n".to_owned();
        let mut help = "";
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# HELP ") {
                help = rest.split_once(' ').unwrap().1.trim_end_matches('.');
            } else if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').unwrap();
                let shown = if kind == "counter" { format!("{name}_total") } else { name.to_owned() };
                let sample = text.lines().find_map(|line| line.strip_prefix(&format!("{shown}{{")));
                let labels: Vec<String> = sample
                    .and_then(|sample| sample.split_once('}'))
                    .map(|(labels, _)| labels.split(',').collect::<Vec<_>>())
                    .unwrap_or_default()
                    .iter()
                    .map(|label| format!("`{}`", label.split_once('=').unwrap().0))
                    .collect();
                rows.push_str(&format!("| `{shown}` | {kind} | {} | {help} |\n", labels.join(" ")));
            }
        }
        rows
    }
}
