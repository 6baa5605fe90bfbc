//! What the sessions of a node have in common.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use store::Store;
use store::embedded::Embedded;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use types::{MailId, Timestamp, TlsParameters};

use crate::auth::Authenticator;
use crate::authenticity::{DmarcCounts, Resolver};
use crate::body::MemoryBudget;
use crate::config::{Config, Network, any_contains};
use crate::delivery::Delivery;
use crate::directory::Directory;
use crate::dkim::SigningKeys;
use crate::mail_index::MailIndex;
use crate::mail_models::MailModels;
use crate::maildrops::Maildrops;
use crate::metrics::Metrics;
use crate::outside::Outside;
use crate::quotas::Quotas;
use crate::rates::Rates;
use crate::reputation::Reputation;
use crate::reversal::Limits;
use crate::room::Room;
use crate::secrets::Secrets;
use crate::signing::Signing;
use crate::socket::Socket;
use crate::tls::Tls;

/// One node's configuration, store and counters.
pub(crate) struct Shared {
    pub(crate) config: Arc<Config>,
    /// Clock, random numbers and network.
    pub(crate) outside: Arc<dyn Outside>,
    pub(crate) host_name: String,
    pub(crate) store: Arc<dyn Store>,
    /// The same, for figures about it.
    pub(crate) embedded: Arc<Embedded>,
    pub(crate) memory: MemoryBudget,
    pub(crate) maildrops: Maildrops,
    /// By which the texts of messages are found.
    pub(crate) mail_index: MailIndex,
    /// Mailboxes that are open.
    pub(crate) mail_models: MailModels,
    pub(crate) authenticator: Arc<Authenticator>,
    /// What others know of who sends.
    pub(crate) reputation: Reputation,
    /// Who is asked who really sent a message.
    pub(crate) resolver: Resolver,
    /// What came of DMARC, for reports.
    pub(crate) dmarc_counts: DmarcCounts,
    /// Certificates, where there are any.
    pub(crate) tls: Option<Tls>,
    pub(crate) sessions: AtomicUsize,
    pub(crate) messages: AtomicU64,
    pub(crate) metrics: Metrics,
    pub(crate) directory: Directory,
    /// The master key of the data folder.
    pub(crate) secrets: Secrets,
    /// With which our domains sign.
    pub(crate) signing_keys: SigningKeys,
    pub(crate) signing: Signing,
    pub(crate) rates: Rates,
    /// Room within the quotas of accounts.
    pub(crate) quotas: Quotas,
    /// Requests for waiting mail.
    pub(crate) reversals: Limits,
    pub(crate) room: Room,
    /// The way out.
    pub(crate) delivery: Delivery,
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
    /// Of the client: where a proxy told it, not that of the proxy.
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
    /// What log lines and events of this connection carry.
    pub(crate) session_id: MailId,
    /// What was agreed on, where TLS began with the first octet.
    pub(crate) tls: Option<TlsParameters>,
}

/// How much is known of who is at the other end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    /// The address is the client's.
    Direct,
    /// A proxy told the client's address.
    Proxied,
    /// The address is that of a proxy, which has not told the client's, or speaks for itself.
    BehindProxy,
    /// On this machine, by a Unix domain socket.
    Local,
}

impl Client {
    /// Before anything was read.
    pub(crate) const fn of(socket: &Socket, is_from_proxy: bool) -> Self {
        match socket {
            _ if is_from_proxy => Self::BehindProxy,
            Socket::Tcp(_) | Socket::Foreign(_) => Self::Direct,
            Socket::Unix(_) => Self::Local,
        }
    }
}

impl Peer {
    /// Whether the client is in one of `networks`. What is only known to come from a proxy is not, wherever the proxy
    /// may be: else anybody behind it would be trusted as it is.
    pub(crate) fn is_in(&self, networks: &[Network]) -> bool {
        self.client != Client::BehindProxy && any_contains(networks, self.address.ip())
    }

    /// The client's address, with an address of IPv4 as such.
    pub(crate) fn ip(&self) -> IpAddr {
        self.address.ip().to_canonical()
    }
}

impl Shared {
    /// The node's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.outside.now()
    }

    /// A new id.
    pub(crate) fn new_mail_id(&self, at: Timestamp) -> MailId {
        MailId::new(at, self.outside.random())
    }

    /// Does what goes on in the background, on a task of its own, until the node stops.
    pub(crate) fn while_serving<F>(self: &Arc<Self>, work: impl FnOnce(Arc<Self>) -> F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (mut stage, work) = (self.stage.clone(), work(Arc::clone(self)));
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = stage.wait_for(|stage| *stage != Stage::Serving) => {}
                () = work => {}
            }
        })
    }

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
