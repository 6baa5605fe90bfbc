//! Two nodes in a world of streams in memory, on a clock that stands still while anything can be done.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use server::config::{ByteSize, Config, Listener, PrivateAddresses, Recipients, Service};
use server::outside::{Incoming, Lookups, Outside, Stream};
use server::simulation::{SimNode, Simulated, Watch};
use sim::disk::SimDisk;
use sim::random::Random;
use store::{Directory as _, NewAccount, Put, Store};
use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader, DuplexStream, ReadBuf,
};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use types::directory::DomainEntry;
use types::dns::{Lookup, MxRecord, Validation};
use types::{Domain, Timestamp};

type Arrival = (Box<dyn Stream>, SocketAddr);

/// The network of all nodes, and all that was ever sent on it.
struct Net {
    begun: Instant,
    listeners: Mutex<BTreeMap<SocketAddr, mpsc::UnboundedSender<Arrival>>>,
    sent: Mutex<Vec<String>>,
}

/// What one host has of it.
struct HostOutside {
    net: Arc<Net>,
    ip: IpAddr,
    random: Mutex<Random>,
    booted: Instant,
}

/// Writes down what its host sends.
struct Tapped {
    stream: DuplexStream,
    from: IpAddr,
    net: Arc<Net>,
}

struct Door {
    arrivals: tokio::sync::Mutex<mpsc::UnboundedReceiver<Arrival>>,
    address: SocketAddr,
}

/// The mail hosts of `N.example` is `mx.N.example` at the address that ends with the number of its letter.
struct Names;

impl AsyncRead for Tapped {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Tapped {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, octets);
        if let Poll::Ready(Ok(count)) = written {
            let text = octets[..count].escape_ascii();
            self.net.sent.lock().unwrap().push(format!(
                "{:?} {} {text}",
                self.net.begun.elapsed(),
                self.from
            ));
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[async_trait]
impl Outside for HostOutside {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_322_124_250).plus(self.booted.elapsed())
    }

    fn random(&self) -> u64 {
        self.random.lock().unwrap().number()
    }

    fn own_addresses(&self) -> Vec<IpAddr> {
        vec![self.ip]
    }

    async fn connect(&self, to: SocketAddr, _source: Option<IpAddr>) -> io::Result<Box<dyn Stream>> {
        let IpAddr::V4(theirs_ip) = to.ip() else { return Err(io::ErrorKind::HostUnreachable.into()) };
        let (ours, theirs) = tokio::io::duplex(8 * 1024);
        let tapped = |stream, from| Tapped { stream, from, net: Arc::clone(&self.net) };
        let arrival =
            (Box::new(tapped(theirs, theirs_ip.into())) as Box<dyn Stream>, (self.ip, 40_000).into());
        let refused = io::Error::from(io::ErrorKind::ConnectionRefused);
        match self.net.listeners.lock().unwrap().get(&to).map(|door| door.send(arrival)) {
            Some(Ok(())) => Ok(Box::new(tapped(ours, self.ip))),
            _ => Err(refused),
        }
    }

    async fn listen(&self, at: SocketAddr) -> io::Result<Box<dyn Incoming>> {
        let (sender, arrivals) = mpsc::unbounded_channel();
        self.net.listeners.lock().unwrap().insert(at, sender);
        Ok(Box::new(Door { arrivals: tokio::sync::Mutex::new(arrivals), address: at }))
    }

    fn names(&self) -> Option<Arc<dyn Lookups>> {
        Some(Arc::new(Names))
    }
}

#[async_trait]
impl Incoming for Door {
    async fn accept(&self) -> io::Result<Arrival> {
        self.arrivals.lock().await.recv().await.ok_or_else(|| io::ErrorKind::BrokenPipe.into())
    }

    fn address(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

#[async_trait]
impl Lookups for Names {
    async fn mx(&self, domain: &Domain) -> Lookup<MxRecord> {
        let record = MxRecord { preference: 10, exchange: format!("mx.{}", domain.ascii()) };
        Lookup::Records { records: vec![record], alias_of: None, validation: Validation::Insecure }
    }

    async fn ipv4(&self, host: &Domain) -> Lookup<Ipv4Addr> {
        let letter = host.ascii().strip_prefix("mx.").and_then(|rest| rest.bytes().next());
        match letter {
            Some(letter) => {
                let records = vec![ip(letter)];
                Lookup::Records { records, alias_of: None, validation: Validation::Insecure }
            }
            None => Lookup::NoSuchName,
        }
    }

    async fn ipv6(&self, _host: &Domain) -> Lookup<Ipv6Addr> {
        Lookup::NoData { alias_of: None }
    }
}

fn ip(letter: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, letter - b'a' + 1)
}

/// A node that runs, with its disk.
struct House {
    node: Arc<dyn Store>,
    watch: Watch,
    disk: SimDisk,
    stop: oneshot::Sender<()>,
    running: tokio::task::JoinHandle<Result<(), server::NodeError>>,
}

impl House {
    async fn open(net: &Arc<Net>, letter: u8, random: &mut Random) -> Self {
        let disk = SimDisk::new();
        let domain: Domain = format!("{}.example", char::from(letter)).parse().unwrap();
        let mut config = Config {
            data: "/posta".into(),
            host_name: format!("mx.{}", domain.ascii()).parse().unwrap(),
            listeners: vec![Listener::new(Service::Smtp, SocketAddr::from((ip(letter), 25)))],
            recipients: Recipients::Domains(Vec::new()),
            ..Config::default()
        };
        config.policy.trusted_networks = vec!["10.0.0.99/32".parse().unwrap()];
        config.delivery.private_addresses = PrivateAddresses::Allowed;
        config.store.min_free_bytes = ByteSize(0);
        let outside = HostOutside {
            net: Arc::clone(net),
            ip: ip(letter).into(),
            random: Mutex::new(Random::new(random.number())),
            booted: Instant::now(),
        };
        let simulated = Simulated {
            config: Arc::new(config),
            disk: Arc::new(disk.clone()),
            outside: Arc::new(outside),
            wrap: |store| store,
        };
        let node: SimNode = simulated.start().await.unwrap();
        let (store, watch) = (node.store(), node.watch());
        store.put_domain(DomainEntry::new(domain.clone()), Put::New).await.unwrap();
        let name = format!("ada@{}", domain.ascii());
        store.create_account(NewAccount::new(name, Timestamp::from_millis(1))).await.unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let running = tokio::spawn(node.run_until(async move {
            let _ = stopped.await;
        }));
        Self { node: store, watch, disk, stop, running }
    }

    async fn count(&self, account: &str) -> usize {
        let account = self.node.account(account).await.unwrap().unwrap();
        self.node.messages(account.inbox, None, 10).await.unwrap().len()
    }

    /// Ends the node; what its disk has seen.
    async fn stop(self) -> (u64, u64) {
        drop(self.node);
        self.stop.send(()).unwrap();
        self.running.await.unwrap().unwrap();
        assert!(self.watch.figures().is_none(), "nothing of the node is left");
        (self.disk.operations(), self.disk.trace())
    }
}

/// Submits messages at one node for accounts of the other, and for one that is not there; all that was sent and
/// written.
async fn world(seed: u64) -> (Vec<String>, [(u64, u64); 2]) {
    let mut random = Random::new(seed);
    let net = Arc::new(Net { begun: Instant::now(), listeners: Mutex::default(), sent: Mutex::default() });
    let here = House::open(&net, b'a', &mut random).await;
    let there = House::open(&net, b'b', &mut random).await;
    let client = HostOutside {
        net: Arc::clone(&net),
        ip: [10, 0, 0, 99].into(),
        random: Mutex::new(Random::new(0)),
        booted: Instant::now(),
    };
    let stream = client.connect((ip(b'a'), 25).into(), None).await.unwrap();
    let mut stream = BufReader::new(stream);
    let mut said = String::new();
    for line in [
        "",
        "EHLO client.example\r\n",
        "MAIL FROM:<ada@a.example>\r\n",
        "RCPT TO:<ada@b.example>\r\n",
        "RCPT TO:<nobody@b.example>\r\n",
        "DATA\r\n",
        "Subject: Lunch\r\nMessage-ID: <lunch@a.example>\r\n\r\nToday at one?\r\n.\r\n",
        "QUIT\r\n",
    ] {
        stream.write_all(line.as_bytes()).await.unwrap();
        loop {
            let begin = said.len();
            stream.read_line(&mut said).await.unwrap();
            if said.as_bytes().get(begin + 3) != Some(&b'-') {
                break;
            }
        }
    }
    assert!(said.lines().all(|reply| reply.starts_with(['2', '3'])), "{said}");
    let arrived = async {
        // One for who is there, and for who is not a report.
        while there.count("ada@b.example").await < 1 || here.count("ada@a.example").await < 1 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), arrived).await.unwrap();
    let figures = here.watch.figures().unwrap();
    assert!(figures.items <= figures.items_max && figures.sites > 0, "{figures:?}");
    let disks = [here.stop().await, there.stop().await];
    let sent = std::mem::take(&mut *net.sent.lock().unwrap());
    (sent, disks)
}

fn run(seed: u64) -> (Vec<String>, [(u64, u64); 2]) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(world(seed))
}

#[test]
fn a_node_relays_to_another_in_a_world_of_a_test_and_a_seed_replays_to_the_octet() {
    let (sent, disks) = run(1);
    assert!(sent.iter().any(|line| line.contains("Today at one?")), "{sent:#?}");
    assert_eq!(run(1), (sent.clone(), disks));
    assert_ne!(run(2).0, sent, "another seed has other ids");
}
