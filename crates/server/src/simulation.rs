//! A node in a world that a test made: its disk, its clock, its network and the names in it are the test's, and all of
//! it runs on the test's runtime, on one thread and on tokio's clock. What happens to it then follows from a seed.
//!
//! Such a node has a store and listeners in clear text, and sends mail. It has none of what belongs to a machine: no
//! control socket, no file outside of its disk, no certificate, no threads. Logins work with random numbers of the
//! machine and on threads, so that a simulation that is to be repeated leaves them out; so do messages of more than
//! 512 KiB that are converted for hosts without 8BITMIME, and stops while sessions are open: those hear of it in an order
//! that is chance's.

use std::future::Future;
use std::sync::{Arc, Weak};

use store::Store;
use store::embedded::Embedded;
use store::embedded::disk::Disk;

pub use crate::delivery::Load as DeliveryFigures;

use crate::config::{Config, OutboundTls};
use crate::node::{Ground, Kind, Node, NodeError, StartError};
use crate::outside::Outside;
use crate::shared::Shared;

/// What a simulated node is made of.
pub struct Simulated {
    /// Its configuration. Mail leaves in clear text, whatever `[delivery]` says of TLS.
    pub config: Arc<Config>,
    /// All that it keeps.
    pub disk: Arc<dyn Disk>,
    /// Clock, random numbers, network and names.
    pub outside: Arc<dyn Outside>,
    /// Stands between the node and its store, to plant bugs.
    pub wrap: fn(Arc<dyn Store>) -> Arc<dyn Store>,
}

/// A simulated node that runs.
pub struct SimNode {
    node: Node,
}

/// Looks at a node while it runs, and keeps nothing of it alive.
#[derive(Clone)]
pub struct Watch {
    shared: Weak<Shared>,
}

impl Simulated {
    /// Opens the store and everything that listens. The store is driven by a task of the runtime that this is called on.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start(self) -> Result<SimNode, StartError> {
        let Self { config, disk, outside, wrap } = self;
        let mut config = Arc::unwrap_or_clone(config);
        config.delivery.tls = OutboundTls::None;
        let ground = Ground { kind: Kind::Simulation, disk, outside, world: None, wrap };
        Ok(SimNode { node: Node::start_in(Arc::new(config), ground).await? })
    }
}

impl SimNode {
    /// The store itself, without what stands between it and the node.
    #[must_use]
    pub fn store(&self) -> Arc<Embedded> {
        Arc::clone(self.node.store())
    }

    /// What of the queue is in memory.
    #[must_use]
    pub fn figures(&self) -> DeliveryFigures {
        self.node.shared().delivery.load()
    }

    /// For looking at it while it runs.
    #[must_use]
    pub fn watch(&self) -> Watch {
        Watch { shared: Arc::downgrade(self.node.shared()) }
    }

    /// As [`Node::run_until`].
    ///
    /// # Errors
    /// [`NodeError`] where the store fails for good.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> Result<(), NodeError> {
        self.node.run_silently_until(stop).await
    }
}

impl Watch {
    /// As [`SimNode::figures`]; none of a node that is gone.
    #[must_use]
    pub fn figures(&self) -> Option<DeliveryFigures> {
        self.shared.upgrade().map(|shared| shared.delivery.load())
    }
}
