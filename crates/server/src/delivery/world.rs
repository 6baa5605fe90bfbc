//! What of the outside the runner uses, behind one trait, so that a simulation can stand in for all of it.

use std::net::IpAddr;

use async_trait::async_trait;
use mta::route::Route;
use tokio::io::{AsyncRead, AsyncWrite};
use types::{Host, Timestamp};

use super::connection::Target;

/// Clock, randomness, names, and connections.
#[async_trait]
pub(crate) trait World: Send + Sync {
    /// The clock.
    fn now(&self) -> Timestamp;

    /// A random number. Nobody gains by guessing it.
    fn random(&self) -> u64;

    /// Returns when the clock has reached `at`.
    async fn sleep_until(&self, at: Timestamp);

    /// Where mail for `destination` goes now. With `asked` its host has asked for it, so that a rule that makes it
    /// wait for that does not hold.
    async fn route(&self, destination: &Host, asked: Asked) -> Routed;

    /// Opens a connection, from `source` where one is given.
    async fn connect(&self, to: &Target, source: Option<IpAddr>) -> std::io::Result<Box<dyn Stream>>;
}

/// Whether the host of a destination has asked for its mail (ETRN).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Asked {
    /// It has.
    Now,
    /// It has not.
    #[default]
    Not,
}

/// A connection in both directions.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Where mail for a destination goes, and by which rule.
#[derive(Debug, Clone)]
pub(crate) struct Routed {
    /// Where.
    pub(crate) route: Route,
}
