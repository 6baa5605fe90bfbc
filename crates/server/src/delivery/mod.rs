//! The way out: takes what waits in the queue to the hosts that it is for, as often as the schedule says, and records
//! what became of it.

mod addresses;
mod attempt;
mod board;
mod caution;
mod conclude;
pub(crate) mod connection;
mod far_ahead;
mod fate;
mod figures;
mod flush;
mod loader;
pub(crate) mod names;
mod operator;
pub(crate) mod outcomes;
mod over;
mod policy_hosts;
pub(crate) mod preview;
mod real;
mod reports;
mod runner;
pub(crate) mod security;
mod settling;
#[cfg(test)]
mod tests;
pub(crate) mod tls_results;
pub(crate) mod world;

use std::sync::Arc;

use store::{Destination, QueueItem, QueueItemId};
use types::{Domain, Envelope, TlsParameters};

pub(crate) use fate::{Note, later};
pub use figures::Load;
pub(crate) use figures::{SiteFigures, SiteState};
pub use names::dns_options;
pub use policy_hosts::PolicyHosts;
pub(crate) use real::RealWorld;
use world::Stream;
pub(crate) use world::World;

use crate::config::Config;
use crate::shared::Shared;
use runner::Runner;

/// The runner, for the rest of the node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Delivery {
    runner: Arc<Runner>,
}

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
    /// Of the message; its recipients are those of the items.
    pub(crate) envelope: Envelope,
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
    pub(crate) fn new(config: &Config) -> Self {
        Self { runner: Arc::new(Runner::new(config)) }
    }

    /// Begins with what waits.
    pub(crate) fn start(&self, shared: &Arc<Shared>, world: Arc<dyn World>) {
        self.runner.start(shared, world);
    }

    /// Whether new items are to be accepted with [`store::QueueClaim::ByCaller`] and handed over by
    /// [`Delivery::take_fresh`].
    pub(crate) fn has_room(&self) -> bool {
        self.runner.has_room()
    }

    /// Takes items that were claimed by their acceptance, with what is known of their message. Never waits.
    pub(crate) fn take_fresh(&self, items: Vec<QueueItem>, fresh: Option<Fresh>) {
        self.runner.take(items, fresh);
    }

    /// Something in the queue may be due earlier than was known.
    pub(crate) fn wake(&self) {
        self.runner.wake.notify_one();
    }

    /// Somebody changed these items: what of them was about to be tried is not.
    pub(crate) fn changed(&self, ids: &[QueueItemId]) {
        self.runner.board().changed(ids);
        self.wake();
    }

    /// Tries what waits, in the background, whatever the schedule says. Sites that are suspended are tried again, and
    /// mail that waits until its host asks for it goes out.
    pub(crate) fn start_now(&self, what: &Flush) {
        self.runner.spawn(flush::flush(Arc::clone(&self.runner), what.clone()));
    }

    /// Sites with work or a past, by their name.
    pub(crate) fn sites(&self) -> Vec<SiteFigures> {
        let Some(setup) = self.runner.setup() else { return Vec::new() };
        let now = setup.world.now();
        self.runner.board().figures(now)
    }

    /// How much is in memory.
    pub(crate) fn load(&self) -> Load {
        self.runner.board().load()
    }

    /// Sends what waits for `domains` over a connection whose direction was turned round: we are the client now, and
    /// its first line is the other side's greeting. `tls` is what the login of the other side was protected by.
    pub(crate) async fn over(
        &self,
        stream: Box<dyn Stream>,
        tls: Option<TlsParameters>,
        domains: &[Domain],
    ) -> ReversalReport {
        let Some(setup) = self.runner.setup() else { return ReversalReport::default() };
        over::over(&self.runner, setup, stream, tls, domains).await
    }

    /// Gives back what was not begun, and ends what is under way: finished within a limit where the store can still
    /// record it.
    pub(crate) async fn stop(&self, can_finish: bool) {
        self.runner.stop(can_finish).await;
    }
}
