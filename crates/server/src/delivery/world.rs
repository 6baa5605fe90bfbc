//! What of the outside the runner uses, behind one trait: routes and TLS beside the clock and connections of
//! [`crate::outside`], so that the runner can be tried with routes by hand.

use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use mta::outcome::Outcome;
use mta::route::{Hop, Route};
use mta::tls::HopTls;
use types::{Host, Timestamp};

use super::connection::{Handshake, Target};
use super::tls_results::Counter;
use crate::config::TransportRule;
pub(crate) use crate::outside::Stream;

/// Clock, randomness, names, and connections.
#[async_trait]
pub(crate) trait World: Send + Sync {
    /// The clock.
    fn now(&self) -> Timestamp;

    /// A random number. Nobody gains by guessing it.
    fn random(&self) -> u64;

    /// Returns when the clock has reached `at`.
    async fn sleep_until(&self, at: Timestamp);

    /// Where mail for `destination` goes now.
    async fn route(&self, destination: &Host, asked: Asked) -> Routed;

    /// Which TLS a host of the route has to show for a message.
    ///
    /// # Errors
    /// It may not be used now, or for this message.
    async fn tls(&self, ask: TlsQuestion<'_>) -> Result<HopTerms, Box<HopRefusal>>;

    /// Opens a connection, from `source` where one is given.
    async fn connect(&self, to: &Target, source: Option<IpAddr>) -> std::io::Result<Box<dyn Stream>>;
}

/// Whose TLS is asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TlsQuestion<'a> {
    /// By which rule mail goes there.
    pub(crate) rule: &'a TransportRule,
    /// The destination; an address literal has no policy.
    pub(crate) destination: &'a Host,
    /// The host.
    pub(crate) hop: &'a Hop,
    /// Where it listens.
    pub(crate) port: u16,
    /// Whether the message asks for TLS on its whole way (RFC 8689).
    pub(crate) require_tls: bool,
}

/// Which TLS a host has to show.
#[derive(Debug, Clone)]
pub(crate) struct HopTerms {
    /// Which.
    pub(crate) tls: HopTls,
    /// What the handshake needs.
    pub(crate) handshake: Option<Handshake>,
    /// Why, in plain words.
    pub(crate) why: String,
    /// Is told what each session came to (RFC 8460).
    pub(crate) counter: Option<Counter>,
}

impl HopTerms {
    /// Clear text.
    pub(crate) const fn none() -> Self {
        Self { tls: HopTls::None, handshake: None, why: String::new(), counter: None }
    }
}

/// A host that may not be used.
#[derive(Debug, Clone)]
pub(crate) struct HopRefusal {
    /// What that means for the message.
    pub(crate) outcome: Outcome,
    /// Why, in plain words.
    pub(crate) why: String,
}

/// Whether the host of a destination has asked for its mail (ETRN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Asked {
    /// It has, so that a rule that makes its mail wait for that does not hold.
    Now,
    /// It has not.
    #[default]
    Not,
}

/// Where mail for a destination goes, and by which rule.
#[derive(Debug, Clone)]
pub(crate) struct Routed {
    /// By which rule.
    pub(crate) rule: Arc<TransportRule>,
    /// Where.
    pub(crate) way: Way,
    /// What its mail shares limits with.
    pub(crate) site: Arc<str>,
}

/// Where mail goes.
#[derive(Debug, Clone)]
pub(crate) enum Way {
    /// Into the mailboxes of this node.
    Here,
    /// To other hosts, or nowhere.
    Elsewhere(Route),
}

impl Routed {
    /// The site of what goes into mailboxes here.
    pub(crate) const HERE: &str = "(mailboxes of this server)";

    /// By this rule, there.
    pub(crate) fn new(rule: Arc<TransportRule>, way: Way) -> Self {
        let site = match &way {
            Way::Here => Self::HERE,
            Way::Elsewhere(Route::Hosts(itinerary)) => &itinerary.site,
            Way::Elsewhere(Route::Socket(path)) => path,
            Way::Elsewhere(Route::OnDemand) => "(on demand)",
            Way::Elsewhere(Route::Discard) => "(discarded)",
            Way::Elsewhere(Route::Unroutable { .. }) => "(no route)",
        };
        let site = Arc::from(site);
        Self { rule, way, site }
    }

    /// Whether a connection is needed for it.
    pub(crate) const fn is_connected(&self) -> bool {
        matches!(self.way, Way::Elsewhere(Route::Hosts(_) | Route::Socket(_)))
    }
}
