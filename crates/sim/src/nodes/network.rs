//! The outside of a simulated node: its clock, its random numbers, its connections and the names in them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use server::outside::{Incoming, Lookups, Outside, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};
use types::dns::{DnsTrouble, Lookup, MxRecord, Validation};
use types::{Domain, Timestamp};

use super::gate::{Gate, Operation, Pass};
use super::plan::{HAVEN, Mail, Manner, OUTSIDE};
use super::sniffer::{Heard, Sniffer};
use super::world::World;
use crate::random::Random;

/// What is outside of one life of a node.
pub(super) struct Surroundings {
    pub(super) gate: Arc<Gate>,
    /// How far the wall clock is from the world's time.
    pub(super) clock_ms: Arc<AtomicI64>,
    random: Mutex<Random>,
}

/// What the world's time begins at, on a clock that is right.
const EPOCH_MS: i64 = 1_795_322_124_250;
/// How long it takes to hear that nobody listens, and that the DNS does not answer.
const REFUSAL: Duration = Duration::from_millis(300);
const DNS_SILENCE: Duration = Duration::from_secs(5);

impl Surroundings {
    pub(super) fn new(gate: Arc<Gate>, clock_ms: Arc<AtomicI64>, random: Random) -> Self {
        Self { gate, clock_ms, random: Mutex::new(random) }
    }
}

/// For ever: whoever waits is dead.
async fn never<T>() -> T {
    std::future::pending().await
}

#[async_trait]
impl Outside for Surroundings {
    fn now(&self) -> Timestamp {
        let elapsed = i64::try_from(self.gate.world.elapsed().as_millis()).unwrap_or(i64::MAX);
        let at = EPOCH_MS + elapsed + self.clock_ms.load(Ordering::Relaxed);
        Timestamp::from_millis(u64::try_from(at).unwrap_or(0))
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap_or_else(PoisonError::into_inner).number()
    }

    fn own_addresses(&self) -> Vec<IpAddr> {
        vec![self.gate.world.plan.nodes[self.gate.node].ip.into()]
    }

    async fn connect(&self, to: SocketAddr, _source: Option<IpAddr>) -> io::Result<Box<dyn Stream>> {
        if self.gate.pass(Operation::Connect, to.to_string().as_bytes()) != Pass::Open {
            return never().await;
        }
        self.gate.world.state().summary.connections += 1;
        let stream = reach(&self.gate.world, to).await?;
        Ok(Box::new(GatedStream::new(stream, &self.gate, Some(Sniffer::new()))))
    }

    async fn listen(&self, at: SocketAddr) -> io::Result<Box<dyn Incoming>> {
        let listener = TcpListener::bind(at).await?;
        Ok(Box::new(GatedListener { listener, gate: Arc::clone(&self.gate) }))
    }

    fn names(&self) -> Option<Arc<dyn Lookups>> {
        Some(Arc::new(Names(Arc::clone(&self.gate.world))))
    }
}

/// Opens a connection to whoever has an address in the plan.
async fn reach(world: &World, to: SocketAddr) -> io::Result<TcpStream> {
    let plan = &world.plan;
    let IpAddr::V4(ip) = to.ip() else { return Err(io::ErrorKind::AddrNotAvailable.into()) };
    if plan.nodes.iter().any(|node| node.ip == ip) {
        return TcpStream::connect(to).await;
    }
    let Some(peer) = plan.peer_at(ip) else { return never().await };
    let machine = if ip == plan.peers[0].ip { HAVEN } else { OUTSIDE };
    match peer.manner {
        Manner::Refusing if !world.is_healed() => {
            tokio::time::sleep(REFUSAL).await;
            Err(io::ErrorKind::ConnectionRefused.into())
        }
        Manner::Unreachable if !world.is_healed() => never().await,
        _ => TcpStream::connect((machine, peer.port)).await,
    }
}

struct GatedListener {
    listener: TcpListener,
    gate: Arc<Gate>,
}

#[async_trait]
impl Incoming for GatedListener {
    async fn accept(&self) -> io::Result<(Box<dyn Stream>, SocketAddr)> {
        let (stream, from) = self.listener.accept().await?;
        if self.gate.pass(Operation::Accept, from.to_string().as_bytes()) != Pass::Open {
            return never().await;
        }
        Ok((Box::new(GatedStream::new(stream, &self.gate, None)), from))
    }

    fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// A connection behind a gate.
struct GatedStream {
    /// There until it is dropped.
    stream: Option<TcpStream>,
    number: u64,
    gate: Arc<Gate>,
    /// For those that the node has opened.
    sniffer: Option<Sniffer>,
}

/// The connection of a stream that is being dropped.
fn closed() -> io::Error {
    io::ErrorKind::NotConnected.into()
}

impl AsyncRead for GatedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.gate.is_closed() {
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(closed())) };
        let done = ready!(Pin::new(stream).poll_read(context, buffer));
        let got = &buffer.filled()[before..];
        if self.gate.pass(Operation::Receive, got) != Pass::Open {
            return Poll::Pending;
        }
        let this = &mut *self;
        if let Some(Heard::Answered(tag, code)) =
            this.sniffer.as_mut().and_then(|sniffer| sniffer.received(got))
        {
            this.heard(tag, code);
        }
        Poll::Ready(done)
    }
}

impl GatedStream {
    fn new(stream: TcpStream, gate: &Arc<Gate>, sniffer: Option<Sniffer>) -> Self {
        Self { stream: Some(stream), number: gate.next_connection(), gate: Arc::clone(gate), sniffer }
    }

    fn heard(&self, tag: String, code: u16) {
        let world = &self.gate.world;
        let at = world.elapsed();
        // Any code of success is one: a host that says 299 has taken it, too.
        if (200..300).contains(&code) {
            world.state().ledger.answered.push((self.gate.node, tag, at));
        } else if !(400..600).contains(&code) {
            world.state().ledger.doubt(tag);
        }
    }
}

impl GatedStream {
    /// What the node says to a client: when it takes a message, that is written down.
    fn says(&self, octets: &[u8]) {
        let text = String::from_utf8_lossy(octets);
        let ids =
            text.split("stored as ").skip(1).filter_map(|rest| rest.split_whitespace().next()?.parse().ok());
        for mail_id in ids {
            let at = self.gate.world.elapsed();
            self.gate.world.state().ledger.accepted.insert(mail_id, at);
        }
    }
}

impl AsyncWrite for GatedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.gate.pass(Operation::Send, octets) != Pass::Open {
            return Poll::Pending;
        }
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(closed())) };
        let done = ready!(Pin::new(stream).poll_write(context, octets));
        if let Ok(n) = &done {
            match &mut self.sniffer {
                Some(sniffer) => drop(sniffer.sent(&octets[..*n])),
                None => self.says(&octets[..*n]),
            }
        }
        Poll::Ready(done)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(closed())) };
        Pin::new(stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gate.is_closed() {
            return Poll::Pending;
        }
        let Some(stream) = &mut self.stream else { return Poll::Ready(Err(closed())) };
        Pin::new(stream).poll_shutdown(context)
    }
}

impl Drop for GatedStream {
    fn drop(&mut self) {
        if let Some(tag) = self.sniffer.as_mut().and_then(Sniffer::unanswered) {
            self.gate.world.state().ledger.doubt(tag);
        }
        if let Some(stream) = self.stream.take() {
            self.gate.close_connection(self.number, stream);
        }
    }
}

/// What the DNS says.
struct Names(Arc<World>);

impl Names {
    /// The trouble that there is with a domain now.
    async fn trouble(&self, domain: &str) -> Option<DnsTrouble> {
        let now = self.0.elapsed();
        let (from, to, trouble) = self.0.plan.zones.get(domain)?.trouble?;
        if now < from || now >= to {
            return None;
        }
        self.0.state().summary.dns_troubles += 1;
        if trouble == DnsTrouble::TimedOut {
            tokio::time::sleep(DNS_SILENCE).await;
        }
        Some(trouble)
    }
}

const fn records<R>(records: Vec<R>) -> Lookup<R> {
    Lookup::Records { records, alias_of: None, validation: Validation::Insecure }
}

#[async_trait]
impl Lookups for Names {
    async fn mx(&self, domain: &Domain) -> Lookup<MxRecord> {
        let name = domain.ascii().to_ascii_lowercase();
        if let Some(trouble) = self.trouble(&name).await {
            return Lookup::Trouble(trouble);
        }
        let of = |preference, exchange: &str| MxRecord { preference, exchange: exchange.to_owned() };
        match self.0.plan.zones.get(&name).map(|zone| &zone.mail) {
            Some(Mail::Hosts(hosts)) => {
                records(hosts.iter().map(|(preference, host)| of(*preference, host)).collect())
            }
            Some(Mail::Never) => records(vec![of(0, ".")]),
            Some(Mail::NoSuchName) => Lookup::NoSuchName,
            None if self.0.plan.hosts.contains_key(&name) => Lookup::NoData { alias_of: None },
            None => Lookup::NoSuchName,
        }
    }

    async fn ipv4(&self, host: &Domain) -> Lookup<Ipv4Addr> {
        let name = host.ascii().to_ascii_lowercase();
        match self.0.plan.hosts.get(&name) {
            Some(ip) => records(vec![*ip]),
            // Hosts that are in the DNS alone.
            None if name.starts_with("dead.") => records(vec![Ipv4Addr::new(10, 8, 0, 1)]),
            None => Lookup::NoSuchName,
        }
    }

    async fn ipv6(&self, host: &Domain) -> Lookup<Ipv6Addr> {
        let name = host.ascii().to_ascii_lowercase();
        let is_there = self.0.plan.hosts.contains_key(&name) || name.starts_with("dead.");
        if is_there { Lookup::NoData { alias_of: None } } else { Lookup::NoSuchName }
    }
}
