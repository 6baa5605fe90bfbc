//! Several Posta nodes with clients, peers, a network, names, clocks and disks that a seed decides.
//!
//! One seed is one world of about an hour: clients give messages to nodes, which send them to each other, over each
//! other, and to hosts that are honest, poor or hostile. Meanwhile nodes are killed and lose their power at any
//! operation on their disk or the network, disks are full, clocks jump, links are cut. Then the world heals, and runs on
//! until the queues are empty. What was promised is then compared with what is found (`verify.rs`; the promises are in
//! `docs/simulation.md`).
//!
//! The network and the machines' runtimes are turmoil's; disks are [`crate::disk::SimDisk`]; what a node asks of the
//! outside, and what stands between it and its disk, is in `network.rs` and `gate.rs`.
//!
//! Left out on purpose: TLS and logins, which work on threads and with random numbers of the machine, and have tests of
//! their own.

mod client;
mod found;
mod gate;
mod ledger;
mod life;
mod network;
mod node;
mod peer;
mod plan;
pub mod plant;
mod sniffer;
mod verify;
mod world;

use std::collections::BTreeMap;
use std::sync::Arc;

use store::Store;
use store::embedded::disk::Disk;

pub use self::gate::Operation;
use self::life::Life;
use self::node::Node;
use self::plan::Plan;
use self::verify::Counts;
pub use self::world::Entry;
use self::world::World;

/// What stands between the nodes and what they build on, to plant bugs.
#[derive(Debug, Clone, Copy)]
pub struct Plant {
    /// Before the store.
    pub store: fn(Arc<dyn Store>) -> Arc<dyn Store>,
    /// Before the disk.
    pub disk: fn(Arc<dyn Disk>) -> Arc<dyn Disk>,
}

impl Plant {
    /// Nothing.
    pub const NONE: Self = Self { store: |store| store, disk: |disk| disk };
}

macro_rules! summary {
    ($( $(#[doc = $doc:literal])* $name:ident, )*) => {
        /// What happened under a seed, or under many.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct Summary { $( $(#[doc = $doc])* pub $name: u64, )* }

        impl std::ops::AddAssign for Summary {
            fn add_assign(&mut self, other: Self) {
                $( self.$name = self.$name.wrapping_add(other.$name); )*
            }
        }
    };
}

summary! {
    /// Nodes.
    nodes,
    /// Messages that were answered 250.
    promised,
    /// Messages of which the client never heard.
    unknown,
    /// Recipients that were reached.
    delivered,
    /// Recipients whose failure was reported.
    reported,
    /// Copies that came twice, because nobody could know that the first one had come.
    duplicates,
    /// Recipients that were reached and reported as failed, for the same reason.
    both,
    /// Reports.
    reports,
    /// Of them those of a delay.
    delays,
    /// Ends of recipients that the trace forgot when its node died.
    forgotten,
    /// Nodes whose process was killed.
    kills,
    /// Nodes that lost their power.
    power_cuts,
    /// Links that were cut for a while.
    partitions,
    /// Links on which all waited for a while.
    holds,
    /// Disks that were full for a while.
    full,
    /// Clocks that were set.
    clocks_set,
    /// Questions that the DNS did not answer.
    dns_troubles,
    /// Connections that nodes opened.
    connections,
    /// Operations on disks and the network.
    operations,
    /// The most items of a queue in memory at one time; of several seeds the sum.
    items_max,
    /// Seconds of the worlds' time.
    virtual_s,
    /// A digest of all operations on disks and the network.
    digest,
}

impl Summary {
    const fn add(&mut self, counts: Counts) {
        self.promised += counts.promised;
        self.unknown += counts.unknown;
        self.delivered += counts.delivered;
        self.reported += counts.reported;
        self.duplicates += counts.duplicates;
        self.both += counts.both;
    }
}

/// Runs the world of a seed.
///
/// # Errors
/// The promise that was broken, in words, with all that is known of the message.
pub fn run_seed(seed: u64, plant: Plant) -> Result<Summary, String> {
    run_seed_taped(seed, plant).0
}

/// As [`run_seed`], with all operations on disks and the network, to see where two runs part.
pub fn run_seed_taped(seed: u64, plant: Plant) -> (Result<Summary, String>, Vec<Entry>) {
    let world = World::new(Plan::new(seed));
    let nodes = (0..world.plan.nodes.len()).map(|number| Node::new(&world, number, plant));
    let mut life = Life::begin(&world, nodes.collect());
    let lived = life.run();
    let done = match lived {
        Ok(()) => verify::verify(&mut life, &world),
        Err(what) => Err(what + &left(&mut life, &world)),
    };
    life.nodes.iter().for_each(|node| node.tape());
    let mut summary = world.state().summary;
    summary.nodes = world.plan.nodes.len() as u64;
    let (tape, digest) = world.taped();
    summary.digest = digest;
    (done.map(|()| summary), tape)
}

/// What waits in the queues, for whoever reads a failure.
fn left(life: &mut Life<'_>, world: &World) -> String {
    use store::Queue as _;
    let mut text = String::new();
    let mut seen = BTreeMap::new();
    for node in life.nodes.clone() {
        let Some(store) = node.store() else { continue };
        for item in life.ask("the queue", store.queue_page(None, None, 20)).unwrap_or_default() {
            let name = &world.plan.nodes[node.number].name;
            text.push_str(&format!("\n{name}: {} for {}: {:?}", item.id, item.destination, item.state));
            seen.entry(node.number).or_insert(item.id.mail_id);
        }
    }
    for (node, mail_id) in seen {
        for event in found::timeline(life, node, mail_id) {
            text.push_str(&format!("\n  {} {} ({})", event.at, event.step.name(), event.reason));
        }
    }
    text
}
