//! A world of its own: a clock that stands still until it is moved, routes by hand, and hosts that say what they are
//! told to.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use mta::outcome::{Again, Diagnostic, Duplicate, Finding, Outcome};
use mta::route::{Found, Hop, Itinerary, Pattern, Protocol, Route, Transport, Unroutable};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream};
use tokio::sync::watch;
use types::dns::Validation;
use types::{EnhancedStatus, Host, Timestamp};

use crate::config::TransportRule;
use crate::delivery::connection::Target;
use crate::delivery::world::{Asked, HopRefusal, HopTerms, Routed, Stream, TlsQuestion, Way, World};

/// When each test begins.
pub(super) const START: Timestamp = Timestamp::from_millis(1_795_322_124_250);

/// All of it.
pub(super) struct TestWorld {
    clock: watch::Sender<Timestamp>,
    random: AtomicU64,
    routes: Mutex<HashMap<String, Route>>,
    hosts: Mutex<HashMap<IpAddr, Arc<TestHost>>>,
    /// Hosts of which it was asked which TLS they have to show.
    pub(super) asked_for_tls: AtomicUsize,
    /// Connections that were tried.
    pub(super) connects: AtomicUsize,
    /// Whether every message panics on its way, for the test of poison.
    pub(super) poison: Mutex<Option<String>>,
    /// Whether who looks for a route panics.
    pub(super) poisoned_routes: AtomicBool,
    /// What the machine says to each connection that is wanted, as `errno` has it.
    pub(super) connect_error: Mutex<Option<i32>>,
    /// Why no host may be used: a policy of its domain says so.
    pub(super) forbidden: Mutex<Option<String>>,
}

/// What a host says. Each is a reply without its CRLF; `{}` stands for nothing.
pub(super) struct TestHost {
    pub(super) greeting: Mutex<String>,
    pub(super) extensions: Mutex<Vec<&'static str>>,
    /// By forward-path, else 250.
    pub(super) rcpt: Mutex<HashMap<String, String>>,
    /// To the end of data.
    pub(super) end: Mutex<String>,
    /// Whether connections are refused.
    pub(super) is_down: Mutex<bool>,
    /// Whether nobody hears that a connection is wanted.
    pub(super) is_silent: Mutex<bool>,
    /// Whether the connection breaks in place of the reply to the end of data.
    pub(super) breaks_at_end: Mutex<bool>,
    /// What it took: the reverse-path, the forward-paths, the message.
    pub(super) taken: Mutex<Vec<Taken>>,
    pub(super) connections: AtomicUsize,
    /// Commands of MAIL as they came.
    pub(super) mails: Mutex<Vec<String>>,
}

/// A message that a host took.
#[derive(Debug, Clone)]
pub(super) struct Taken {
    pub(super) to: Vec<String>,
    pub(super) message: String,
}

impl TestWorld {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            clock: watch::Sender::new(START),
            random: AtomicU64::new(0),
            routes: Mutex::default(),
            hosts: Mutex::default(),
            asked_for_tls: AtomicUsize::new(0),
            connects: AtomicUsize::new(0),
            poison: Mutex::default(),
            poisoned_routes: AtomicBool::new(false),
            connect_error: Mutex::default(),
            forbidden: Mutex::default(),
        })
    }

    pub(super) fn pass(&self, time: Duration) {
        self.clock.send_modify(|now| *now = now.plus(time));
    }

    /// Sets the clock, in either direction.
    pub(super) fn set_clock(&self, at: Timestamp) {
        self.clock.send_replace(at);
    }

    /// A host for a domain, alone.
    pub(super) fn host(&self, domain: &str, ip: &str) -> Arc<TestHost> {
        let host = self.host_at(ip);
        self.leads(domain, hosts(&format!("mx.{domain}"), &[(&format!("mx.{domain}"), &[ip])]));
        host
    }

    /// A host at an address, which no domain leads to yet.
    pub(super) fn host_at(&self, ip: &str) -> Arc<TestHost> {
        let host = Arc::new(TestHost::new());
        self.hosts.lock().unwrap().insert(ip.parse().unwrap(), Arc::clone(&host));
        host
    }

    pub(super) fn leads(&self, domain: &str, route: Route) {
        self.routes.lock().unwrap().insert(domain.to_owned(), route);
    }
}

/// Hosts in their order, by name and addresses.
pub(super) fn hosts(site: &str, hosts: &[(&str, &[&str])]) -> Route {
    let hop = |(name, addresses): &(&str, &[&str])| Hop {
        name: Some(name.parse().unwrap()),
        alias_of: None,
        addresses: addresses.iter().map(|ip| ip.parse().unwrap()).collect(),
        found: Found::Mx { preference: 10 },
        validation: Validation::Insecure,
    };
    Route::Hosts(Itinerary {
        hops: hosts.iter().map(hop).collect(),
        protocol: Protocol::Smtp,
        port: 25,
        site: site.to_owned(),
        skipped: Vec::new(),
    })
}

#[async_trait]
impl World for TestWorld {
    fn now(&self) -> Timestamp {
        *self.clock.borrow()
    }

    fn random(&self) -> u64 {
        // Multiples of 1001 are no jitter at all.
        self.random.fetch_add(1001, Ordering::Relaxed)
    }

    async fn sleep_until(&self, at: Timestamp) {
        let _ = self.clock.subscribe().wait_for(|now| *now >= at).await;
    }

    async fn route(&self, destination: &Host, asked: Asked) -> Routed {
        assert!(!self.poisoned_routes.load(Ordering::Relaxed), "a route of the test");
        let name = destination.to_string();
        let rule = Arc::new(TransportRule::new(Pattern::Everything, Transport::Mx));
        let known = self.routes.lock().unwrap().get(&name).cloned();
        let route = match (known, asked) {
            (Some(Route::OnDemand), Asked::Now) => {
                self.routes.lock().unwrap()[&format!("asked.{name}")].clone()
            }
            (Some(route), _) => route,
            (None, _) => Route::Unroutable {
                reason: Unroutable::NoSuchDomain(name.parse().unwrap()),
                skipped: Vec::new(),
            },
        };
        Routed::new(rule, Way::Elsewhere(route))
    }

    async fn tls(&self, _question: TlsQuestion<'_>) -> Result<HopTerms, Box<HopRefusal>> {
        self.asked_for_tls.fetch_add(1, Ordering::Relaxed);
        let Some(why) = self.forbidden.lock().unwrap().clone() else { return Ok(HopTerms::none()) };
        let finding =
            Finding { status: EnhancedStatus::transient(7, 10), diagnostic: Diagnostic::Local(why.clone()) };
        let outcome = Outcome::Deferred { finding, again: Again::NextHost, duplicate: Duplicate::Impossible };
        Err(Box::new(HopRefusal { outcome, why }))
    }

    async fn connect(&self, to: &Target, _source: Option<IpAddr>) -> io::Result<Box<dyn Stream>> {
        let Target::Tcp { address: SocketAddr::V4(address), .. } = to else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        self.connects.fetch_add(1, Ordering::Relaxed);
        let poison = self.poison.lock().unwrap().clone();
        if let Some(text) = poison {
            panic!("{text}");
        }
        if let Some(error) = *self.connect_error.lock().unwrap() {
            return Err(io::Error::from_raw_os_error(error));
        }
        let host = self.hosts.lock().unwrap().get(&IpAddr::V4(*address.ip())).cloned();
        match host.filter(|host| !*host.is_down.lock().unwrap()) {
            None => Err(io::ErrorKind::ConnectionRefused.into()),
            Some(host) if *host.is_silent.lock().unwrap() => std::future::pending().await,
            Some(host) => {
                let (ours, theirs) = tokio::io::duplex(64 * 1024);
                host.connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(async move { host.serve(theirs).await });
                Ok(Box::new(ours))
            }
        }
    }
}

impl TestHost {
    pub(super) fn new() -> Self {
        Self {
            greeting: Mutex::new("220 mx ready".to_owned()),
            extensions: Mutex::new(vec!["PIPELINING", "8BITMIME", "DSN"]),
            rcpt: Mutex::default(),
            end: Mutex::new("250 2.0.0 taken".to_owned()),
            is_down: Mutex::new(false),
            is_silent: Mutex::new(false),
            breaks_at_end: Mutex::new(false),
            taken: Mutex::default(),
            connections: AtomicUsize::new(0),
            mails: Mutex::default(),
        }
    }

    /// From now on this forward-path is answered so.
    pub(super) fn answers(&self, path: &str, reply: &str) {
        self.rcpt.lock().unwrap().insert(path.to_owned(), reply.to_owned());
    }

    pub(super) fn taken(&self) -> Vec<Taken> {
        self.taken.lock().unwrap().clone()
    }

    /// Speaks SMTP until the client says QUIT or is gone.
    pub(super) async fn serve(&self, stream: DuplexStream) -> Option<()> {
        let mut stream = BufReader::new(stream);
        let greeting = self.greeting.lock().unwrap().clone();
        say(&mut stream, &greeting).await?;
        let mut to = Vec::new();
        loop {
            let mut line = String::new();
            if stream.read_line(&mut line).await.ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            match verb.as_str() {
                "EHLO" => {
                    say(&mut stream, "250-mx").await?;
                    let extensions = self.extensions.lock().unwrap().clone();
                    for extension in &extensions {
                        say(&mut stream, &format!("250-{extension}")).await?;
                    }
                    say(&mut stream, "250 ENHANCEDSTATUSCODES").await?;
                }
                "MAIL" => {
                    self.mails.lock().unwrap().push(line.to_owned());
                    say(&mut stream, "250 2.1.0 ok").await?;
                }
                "RCPT" => {
                    let path = line.split(['<', '>']).nth(1).unwrap_or_default();
                    let reply = self.rcpt.lock().unwrap().get(path).cloned();
                    let reply = reply.unwrap_or_else(|| "250 2.1.5 ok".to_owned());
                    if reply.starts_with('2') {
                        to.push(path.to_owned());
                    }
                    say(&mut stream, &reply).await?;
                }
                "DATA" if to.is_empty() => say(&mut stream, "554 5.5.1 no recipients").await?,
                "DATA" => {
                    say(&mut stream, "354 go on").await?;
                    let message = message(&mut stream).await?;
                    if *self.breaks_at_end.lock().unwrap() {
                        return None;
                    }
                    let end = self.end.lock().unwrap().clone();
                    if end.starts_with('2') {
                        self.taken.lock().unwrap().push(Taken { to: std::mem::take(&mut to), message });
                    }
                    to.clear();
                    say(&mut stream, &end).await?;
                }
                "QUIT" => return say(&mut stream, "221 2.0.0 bye").await,
                "RSET" => {
                    to.clear();
                    say(&mut stream, "250 2.0.0 ok").await?;
                }
                _ => say(&mut stream, "500 5.5.2 what").await?,
            }
        }
    }
}

async fn say(stream: &mut BufReader<DuplexStream>, reply: &str) -> Option<()> {
    stream.get_mut().write_all(format!("{reply}\r\n").as_bytes()).await.ok()
}

/// The message up to its final dot.
async fn message(stream: &mut BufReader<DuplexStream>) -> Option<String> {
    let mut octets = Vec::new();
    while !octets.ends_with(b"\r\n.\r\n") {
        octets.push(stream.read_u8().await.ok()?);
    }
    octets.truncate(octets.len() - 3);
    String::from_utf8(octets).ok()
}
