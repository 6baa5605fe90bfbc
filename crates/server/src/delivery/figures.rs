//! What people are told of sites.

use types::Timestamp;

/// How much of the queue is in memory, and how much of it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Load {
    /// Items of the queue.
    pub items: usize,
    /// The most of them that there may be.
    pub items_max: usize,
    /// Connections that are open or being opened.
    pub connections: usize,
    /// The most of them that there may be.
    pub connections_max: usize,
    /// Connections of the site that has most of them.
    pub connections_of_one_site: usize,
    /// The most of them that there may be.
    pub connections_of_one_site_max: usize,
    /// Sites with work or a past.
    pub sites: usize,
    /// Destinations with work or a past.
    pub destinations: usize,
}

/// A site: the hosts that take mail for one or many destinations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SiteFigures {
    /// Its name: its best hosts, or what stands in their place.
    pub(crate) name: String,
    /// Whether it is being tried.
    pub(crate) state: SiteState,
    /// Connections that are open or being opened.
    pub(crate) connections: usize,
    /// How many there may be now.
    pub(crate) connections_max: usize,
    /// Items in memory that wait for a connection.
    pub(crate) ready: usize,
    /// Some of the destinations that it takes mail for.
    pub(crate) destinations: Vec<String>,
    /// Messages that it took since the start.
    pub(crate) relayed: u64,
    /// The last replies that were no success, or how connections failed: the newest first, each on one line.
    pub(crate) last_replies: Vec<String>,
}

/// Whether a site is being tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SiteState {
    /// It is.
    Active,
    /// It was suspended, and one connection finds out whether it is back.
    Probing,
    /// Nothing is begun before then.
    Suspended {
        /// When one connection is tried.
        until: Timestamp,
        /// Why, in plain words.
        reason: String,
    },
}
