//! Figures of the store, as it stands when they are asked for.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use store::StoreError;
use store::embedded::{Embedded, Figures, TraceStats};

/// What the store told.
#[derive(Debug, Clone)]
pub(crate) struct StoreFigures {
    store: Figures,
    trace: TraceStats,
}

impl StoreFigures {
    /// Asks the store, which reads the disk.
    pub(crate) fn read(store: &Embedded) -> Result<Self, StoreError> {
        Ok(Self { store: store.figures()?, trace: store.trace_stats() })
    }
}

impl Collector for StoreFigures {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Self { store, trace } = self;
        for (name, help, value) in [
            ("bodies", "Messages that are kept; one in two mailboxes counts once", store.bodies),
            ("queue_waiting", "Messages for one destination each that wait", store.queue.waiting),
            ("queue_held", "The same that are held until somebody releases them", store.queue.held),
            ("queue_destinations", "Destinations of both", store.queue.destinations),
            ("log_live_bytes", "Octets of the log that messages need", store.log_live_bytes),
            ("log_dead_bytes", "Octets of the log that can be given up", store.log_dead_bytes),
            ("log_segments", "Segments of the log", store.segments),
            ("view_bytes", "Octets of the index", store.view_bytes),
            ("disk_free_bytes", "Octets free on the disk", store.free_bytes),
            ("trace_bytes", "Octets of the trace", trace.file_bytes),
        ] {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)?;
        }
        for (name, help, value) in [
            ("batches", "Groups of transactions that were committed, one sync each", store.batches),
            ("transactions", "Transactions that were committed", store.transactions),
            ("trace_events", "Events that were recorded", trace.events),
            ("trace_events_dropped", "Events that found no room in the trace", trace.events_dropped),
            ("trace_write_failures", "Writes of the trace that failed", trace.write_failures),
        ] {
            let counter = ConstCounter::new(value);
            counter.encode(encoder.encode_descriptor(name, help, None, counter.metric_type())?)?;
        }
        let syncs = &store.syncs;
        // What has no end is written as +Inf, which the encoder knows by the largest number.
        let classes: Vec<(f64, u64)> =
            syncs.classes.iter().map(|(end, count)| (end.min(f64::MAX), *count)).collect();
        let count = classes.iter().map(|(_, count)| count).sum();
        encoder
            .encode_descriptor("sync_seconds", "Time of a sync of the log", None, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(syncs.sum_s, count, &classes, None)
    }
}
