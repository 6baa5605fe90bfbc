//! Figures of the way out.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// What is counted of the way out. Cheap to clone: all clones count together.
#[derive(Debug, Clone)]
pub(crate) struct DeliveryFigures {
    recipients: Family<OutcomeLabels, Counter>,
    relayed: Counter,
    deferred: Counter,
    failed: Counter,
    connections: Counter,
    open: Gauge,
    relay_s: Histogram,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Upper ends of the classes of a time in seconds: from a host beside us to one that was down for days.
const TIME_CLASSES_S: [f64; 12] =
    [0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0, 300.0, 3600.0, 21_600.0, 86_400.0];

impl DeliveryFigures {
    pub(super) fn new() -> Self {
        let recipients = Family::<OutcomeLabels, Counter>::default();
        let of = |outcome| recipients.get_or_create_owned(&OutcomeLabels { outcome });
        let (relayed, deferred, failed) = (of("relayed"), of("deferred"), of("failed"));
        let relay_s = Histogram::new(TIME_CLASSES_S);
        let (connections, open) = (Counter::default(), Gauge::default());
        Self { recipients, relayed, deferred, failed, connections, open, relay_s }
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "delivery_recipients",
            "Recipients by what an attempt came to: a recipient that is deferred is counted with each attempt",
            self.recipients.clone(),
        );
        registry.register(
            "delivery_connections",
            "Connections to other servers over which a message could go",
            self.connections.clone(),
        );
        registry.register(
            "delivery_connections_open",
            "Connections to other servers that are open",
            self.open.clone(),
        );
        registry.register(
            "delivery_seconds",
            "From the acceptance of a message to its acceptance by another server",
            self.relay_s.clone(),
        );
    }

    /// What an attempt came to, for so many recipients each.
    pub(crate) fn attempted(&self, relayed: u64, deferred: u64, failed: u64) {
        self.relayed.inc_by(relayed);
        self.deferred.inc_by(deferred);
        self.failed.inc_by(failed);
    }

    /// A message was taken, so long after it was accepted.
    pub(crate) fn relayed(&self, after: Duration) {
        self.relay_s.observe(after.as_secs_f64());
    }

    /// Counts a connection, as open until what is returned is dropped.
    pub(crate) fn connected(&self) -> OpenDelivery {
        self.connections.inc();
        self.open.inc();
        OpenDelivery(self.open.clone())
    }
}

/// Counts a connection as open as long as it lives.
#[derive(Debug)]
pub(crate) struct OpenDelivery(Gauge);

impl Drop for OpenDelivery {
    fn drop(&mut self) {
        self.0.dec();
    }
}
