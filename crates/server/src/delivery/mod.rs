//! The way out: takes what waits in the queue to the hosts that it is for, as often as the schedule says, and records
//! what became of it.

#![allow(dead_code, unused_imports, reason = "the parts come together one after the other")]

pub(crate) mod connection;
mod figures;
pub(crate) mod names;
pub(crate) mod outcomes;
pub(crate) mod security;
pub(crate) mod world;

use std::sync::Arc;

use store::{Destination, QueueItem, QueueItemId};
use types::{Domain, MailParameters};

pub(crate) use figures::{SiteFigures, SiteState};
pub(crate) use world::{Asked, Routed, Stream, World};

/// The runner, for the rest of the node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Delivery {
    inner: Arc<Inner>,
}

struct Inner {}

/// What is to be tried at once, whatever the schedule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Flush {
    /// What waits for one destination.
    Destination(Destination),
    /// What waits for a domain and all domains below it.
    Subtree(Domain),
    /// What waits for the destinations of a site, by its name in [`SiteFigures`].
    Site(String),
    /// These.
    Items(Vec<QueueItemId>),
    /// All that waits.
    All,
}

/// What of a message its acceptance knows already, so that nothing is read again while it is fresh.
#[derive(Debug, Clone)]
pub(crate) struct Fresh {
    /// Of MAIL.
    pub(crate) parameters: MailParameters,
    /// The message as it was stored, where it is in memory anyway.
    pub(crate) body: Option<Vec<bytes::Bytes>>,
}

/// What went over a connection whose direction was turned round (TURN, ATRN).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct ReversalReport {
    /// Messages that the other side took, for some recipient at least.
    pub(crate) relayed: u64,
    /// Messages that wait on.
    pub(crate) left: u64,
    /// Whether the connection lasted to the end.
    pub(crate) is_complete: bool,
}

impl Delivery {
    /// A runner that does nothing before it is started.
    pub(crate) fn new() -> Self {
        Self { inner: Arc::new(Inner {}) }
    }

    /// Whether new items are to be accepted with [`store::QueueClaim::ByCaller`] and handed over by
    /// [`Delivery::take`].
    pub(crate) fn has_room(&self) -> bool {
        false
    }

    /// Takes items that were claimed by their acceptance. Never waits.
    pub(crate) fn take(&self, items: Vec<QueueItem>) {
        self.take_fresh(items, None);
    }

    /// The same with what is known of their message.
    pub(crate) fn take_fresh(&self, _items: Vec<QueueItem>, _fresh: Option<Fresh>) {}

    /// Something in the queue may be due earlier than was known.
    pub(crate) fn wake(&self) {}

    /// Somebody changed these items: what of them was about to be tried is not.
    pub(crate) fn changed(&self, _ids: &[QueueItemId]) {}

    /// Tries what waits, in the background, whatever the schedule says. Sites that are suspended are tried again, and
    /// mail that waits until its host asks for it goes out.
    pub(crate) fn start_now(&self, _what: &Flush) {}

    /// Sites with work or a suspension, by their name.
    pub(crate) fn sites(&self) -> Vec<SiteFigures> {
        Vec::new()
    }

    /// Sends what waits for `domains` over a connection whose direction was turned round: we are the client now, and
    /// its first line is the other side's greeting.
    pub(crate) async fn over(&self, _stream: Box<dyn Stream>, _domains: &[Domain]) -> ReversalReport {
        ReversalReport::default()
    }

    /// Finishes what is under way, within a limit, and gives the rest back.
    pub(crate) async fn stop(&self) {}
}
