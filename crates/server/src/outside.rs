//! What stands between a node and the outside: the wall clock, random numbers, the network and the names in it.
//!
//! A node uses nothing else of the machine but its disk, which stands behind the store, and time as tokio measures it.
//! So a simulation decides all that happens to a node by giving it an [`Outside`], a disk and a runtime of its own.
//!
//! Left out on purpose: what only a running machine has use for (the control socket, certificates, the node's secret),
//! of which a simulated node has none.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use net::dns::Dns;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use types::dns::{Lookup, MxRecord};
use types::{Domain, MailId, Timestamp};

use crate::socket::bind_tcp;

/// What of the outside a node uses. The machine's is [`System`]; a simulation has its own.
#[async_trait]
pub trait Outside: Send + Sync + 'static {
    /// The wall clock. It may jump, in both directions.
    fn now(&self) -> Timestamp;

    /// A random number, for ids, for the order of equal hosts, for waits that are not to be the same everywhere. Nobody
    /// gains by guessing it: secrets are made otherwise.
    fn random(&self) -> u64;

    /// The addresses of this machine's interfaces.
    fn own_addresses(&self) -> Vec<IpAddr>;

    /// Opens a connection, from `source` where one is given.
    ///
    /// # Errors
    /// There is none.
    async fn connect(&self, to: SocketAddr, source: Option<IpAddr>) -> io::Result<Box<dyn Stream>>;

    /// Begins to listen.
    ///
    /// # Errors
    /// Nobody can listen there.
    async fn listen(&self, at: SocketAddr) -> io::Result<Box<dyn Incoming>>;

    /// What is asked for names, where that is not the DNS over the network. It knows nothing of DNSSEC and MTA-STS.
    fn names(&self) -> Option<Arc<dyn Lookups>>;
}

/// Names and what the DNS has of them.
#[async_trait]
pub trait Lookups: Send + Sync {
    /// The mail hosts of a domain.
    async fn mx(&self, domain: &Domain) -> Lookup<MxRecord>;

    /// The IPv4 addresses of a host.
    async fn ipv4(&self, host: &Domain) -> Lookup<Ipv4Addr>;

    /// The IPv6 addresses of a host.
    async fn ipv6(&self, host: &Domain) -> Lookup<Ipv6Addr>;
}

/// What connections come in by.
#[async_trait]
pub trait Incoming: Send + Sync {
    /// The next connection, and who is at its other end.
    ///
    /// # Errors
    /// None can be accepted now.
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, SocketAddr)>;

    /// Where it listens.
    ///
    /// # Errors
    /// That is not known.
    fn address(&self) -> io::Result<SocketAddr>;
}

/// A connection in both directions.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for S {}

/// The outside of the machine that this runs on.
#[derive(Debug, Default)]
pub struct System {
    /// Where the system has no random numbers.
    fallback: AtomicU64,
}

/// Numbers that come after each other by this differ in most of their bits.
const FALLBACK_STEP: u64 = 0x9E37_79B9_7F4A_7C15;

#[async_trait]
impl Outside for System {
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
    }

    fn random(&self) -> u64 {
        // Without random numbers of the system what they spread is spread less, and no id repeats another of this process.
        getrandom::u64().unwrap_or_else(|_| self.fallback.fetch_add(FALLBACK_STEP, Ordering::Relaxed))
    }

    fn own_addresses(&self) -> Vec<IpAddr> {
        // A machine that does not tell its interfaces still knows itself by name.
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        interfaces.iter().map(if_addrs::Interface::ip).collect()
    }

    async fn connect(&self, to: SocketAddr, source: Option<IpAddr>) -> io::Result<Box<dyn Stream>> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        let stream = socket.connect(to).await?;
        stream.set_nodelay(true)?;
        Ok(Box::new(stream))
    }

    async fn listen(&self, at: SocketAddr) -> io::Result<Box<dyn Incoming>> {
        Ok(Box::new(bind_tcp(at)?))
    }

    fn names(&self) -> Option<Arc<dyn Lookups>> {
        None
    }
}

#[async_trait]
impl Incoming for TcpListener {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, SocketAddr)> {
        let (stream, address) = Self::accept(self).await?;
        // Without it a reply waits a little longer.
        let _ = stream.set_nodelay(true);
        Ok((Box::new(stream), address))
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.local_addr()
    }
}

#[async_trait]
impl Lookups for Dns {
    async fn mx(&self, domain: &Domain) -> Lookup<MxRecord> {
        Self::mx(self, domain).await
    }

    async fn ipv4(&self, host: &Domain) -> Lookup<Ipv4Addr> {
        Self::ipv4(self, host).await
    }

    async fn ipv6(&self, host: &Domain) -> Lookup<Ipv6Addr> {
        Self::ipv6(self, host).await
    }
}

/// The machine's clock, for what runs without a node too: the command line on a store that no node serves, and files of
/// the machine. Sessions and the way out ask [`Outside::now`].
pub(crate) fn now() -> Timestamp {
    System::default().now()
}

/// A new id by the machine, for the same.
pub(crate) fn new_mail_id(at: Timestamp) -> MailId {
    static SYSTEM: System = System { fallback: AtomicU64::new(0) };
    MailId::new(at, SYSTEM.random())
}
