//! What the sessions of a node have in common.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use store::Store;
use tokio::sync::{OnceCell, watch};
use types::{MailId, Timestamp};

use crate::body::MemoryBudget;
use crate::config::Config;
use crate::maildrops::Maildrops;
use crate::tls::Tls;
use crate::verifier::Verifier;

/// One node's configuration, store and counters.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    pub(crate) host_name: String,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) memory: MemoryBudget,
    pub(crate) maildrops: Maildrops,
    pub(crate) verifier: Verifier,
    /// Certificates, where there are any.
    pub(crate) tls: Option<Tls>,
    pub(crate) sessions: AtomicUsize,
    pub(crate) messages: AtomicU64,
    /// In dev mode: where mail to anybody goes.
    pub(crate) catch_all: OnceCell<store::Account>,
    /// How far the node's stop has come.
    pub(crate) stage: watch::Receiver<Stage>,
}

/// From start to stop, each after the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// All is done.
    Serving,
    /// Nothing is begun any more: idle sessions are closed, transactions may be finished.
    Finishing,
    /// All sessions are closed.
    Ending,
}

/// One connection as the drivers see it.
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    pub(crate) session_id: u64,
}

impl Shared {
    /// Counts a session for as long as what is returned lives.
    pub(crate) fn count_session(self: &Arc<Self>) -> SessionCount {
        self.sessions.fetch_add(1, Ordering::Relaxed);
        SessionCount(Arc::clone(self))
    }
}

pub(crate) struct SessionCount(Arc<Shared>);

impl Drop for SessionCount {
    fn drop(&mut self) {
        self.0.sessions.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The node's clock.
pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

/// A new id. Where the system has no random numbers, the id repeats no other of this process.
pub(crate) fn new_mail_id(at: Timestamp) -> MailId {
    static FALLBACK: AtomicU64 = AtomicU64::new(0);
    let random = getrandom::u64().unwrap_or_else(|_| FALLBACK.fetch_add(1, Ordering::Relaxed));
    MailId::new(at, random)
}
