//! The trace of an embedded store.

use async_trait::async_trait;
use types::Event;

use super::Embedded;
use crate::{StoreError, Trace, TraceQuery};

#[async_trait]
impl Trace for Embedded {
    fn record(&self, events: Vec<Event>) {
        drop(events);
    }

    async fn trace(&self, _query: TraceQuery) -> Result<Vec<Event>, StoreError> {
        Ok(Vec::new())
    }
}
