//! What happened and why, kept for the operator: every decision of every connection as an [`Event`].
//!
//! Beside the other traits in one thing only: recording never waits and never fails. The acceptance of a message
//! is durable by itself; the trace explains, so it may lose its last second in a power cut, and no mail is ever
//! refused because of it.

use async_trait::async_trait;
use types::{Event, MailId, Timestamp};

use crate::StoreError;

/// Keeps events and finds them again.
#[async_trait]
pub trait Trace: Send + Sync {
    /// Keeps events. Never waits: where they come faster than they can be written they are dropped, and the
    /// trace says so by an event of the step [`Gap`](types::EventStep::Gap).
    fn record(&self, events: Vec<Event>);

    /// The timelines that a query means, whole, in the order of time; all that was recorded before is seen.
    /// Where something that may belong there is missing, an event of the step [`Gap`](types::EventStep::Gap)
    /// stands in its place: a result with nothing else in it has found nothing.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    async fn trace(&self, query: TraceQuery) -> Result<Vec<Event>, StoreError>;
}

/// Which timelines.
///
/// A timeline is that of a connection (all of its events) or that of a message: the events of its id, wherever
/// they happened, and those of its connections that are about no message. What is asked for is all that
/// `id` and `address` both mean; where neither is set, every connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TraceQuery {
    /// A connection or a message.
    pub id: Option<MailId>,
    /// An address that an event is about, compared without regard to case: then the whole timeline of its
    /// message, or of its connection where it is about no message (a login).
    pub address: Option<String>,
    /// Only timelines in which something that was asked for happened then or later.
    pub since: Option<Timestamp>,
    /// The newest so many timelines; never more than [`TIMELINES_MAX`]. Where there are more, a gap says so.
    pub limit: usize,
}

/// The newest twenty connections.
impl Default for TraceQuery {
    fn default() -> Self {
        Self { id: None, address: None, since: None, limit: 20 }
    }
}

/// Timelines in one result at most.
pub const TIMELINES_MAX: usize = 1000;

/// Events in one result at most. Of more, the oldest are left out, and a gap says how many.
pub const TRACE_EVENTS_MAX: usize = 50_000;
