//! Figures of the keys with which our domains sign.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How many keys need somebody.
#[derive(Debug, Default)]
pub(crate) struct DkimFigures {
    waiting: Gauge,
    unusable: Gauge,
}

impl DkimFigures {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "dkim_keys_waiting",
            "DKIM keys that wait until the DNS has their records",
            self.waiting.clone(),
        );
        registry.register(
            "dkim_keys_unusable",
            "DKIM keys that should sign and cannot be opened with the master key",
            self.unusable.clone(),
        );
    }

    /// As they were counted last.
    pub(crate) fn set(&self, waiting: i64, unusable: i64) {
        self.waiting.set(waiting);
        self.unusable.set(unusable);
    }
}
