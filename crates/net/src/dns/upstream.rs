//! One question to the resolvers: by UDP, by TCP where the answer is too large for it, again where nobody answers.
//!
//! A resolver that fails (SERVFAIL, REFUSED) is not asked again for this question: it has done its own attempts. One that
//! is silent, or cannot be understood, is. Which of several answered last is asked first the next time.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{EdnsCode, EdnsOption};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::sync::Semaphore;
use types::dns::DnsTrouble;

use super::system::Servers;

/// The resolvers.
#[derive(Debug)]
pub(super) struct Upstream {
    servers: Servers,
    timeout: Duration,
    attempts: usize,
    /// Which server of the list is asked first.
    first: AtomicUsize,
    permits: Semaphore,
}

/// What a question asks for beside records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flavour {
    /// Nothing.
    Plain,
    /// The resolver's word on DNSSEC (RFC 6840 §5.7).
    Authenticated,
    /// Signatures, and no checks by the resolver, so that a false answer is seen as such here (RFC 6840 §5.9).
    Signed,
}

/// An answer that fits the question.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) message: Message,
    /// Whether what it says of DNSSEC can be believed.
    pub(super) is_trusted: bool,
}

/// Questions that are under way at once. Each takes a socket.
const QUESTIONS_MAX: usize = 256;
/// What an answer by UDP may have (RFC 9715 §3.2): it is never fragmented.
const UDP_BYTES_MAX: u16 = 1232;
/// Extended errors (RFC 8914 §6).
const EXTENDED_ERROR: u16 = 15;

impl Upstream {
    pub(super) fn new(servers: Servers, timeout: Duration, attempts: usize) -> Self {
        let (first, permits) = (AtomicUsize::new(0), Semaphore::new(QUESTIONS_MAX));
        Self { servers, timeout, attempts: attempts.max(1), first, permits }
    }

    /// How long all attempts take at most.
    pub(super) fn patience(&self) -> Duration {
        let attempts = self.attempts.saturating_mul(self.servers.list(Instant::now()).len());
        self.timeout.saturating_mul(u32::try_from(attempts).unwrap_or(u32::MAX))
    }

    /// Asks until somebody answers: NOERROR or NXDOMAIN.
    pub(super) async fn ask(&self, query: &Query, flavour: Flavour) -> Result<Reply, DnsTrouble> {
        let Ok(_permit) = self.permits.acquire().await else { return Err(DnsTrouble::TimedOut) };
        let servers = self.servers.list(Instant::now());
        let first = self.first.load(Ordering::Relaxed);
        let mut worth_asking: Vec<usize> = (0..servers.len()).map(|n| (first + n) % servers.len()).collect();
        let mut trouble = None;
        for _ in 0..self.attempts {
            let mut again = Vec::new();
            for place in worth_asking {
                let server = servers[place];
                match self.ask_one(server.address, query, flavour).await {
                    Ok(message) => {
                        self.first.store(place, Ordering::Relaxed);
                        return Ok(Reply { message, is_trusted: server.is_trusted });
                    }
                    // No other resolver's unsigned word counts against it.
                    Err(DnsTrouble::Bogus) => return Err(DnsTrouble::Bogus),
                    Err(DnsTrouble::ServerFailure) => trouble = Some(DnsTrouble::ServerFailure),
                    Err(silence) => {
                        again.push(place);
                        trouble = trouble.or(Some(silence));
                    }
                }
            }
            worth_asking = again;
        }
        Err(trouble.unwrap_or(DnsTrouble::TimedOut))
    }

    async fn ask_one(
        &self,
        server: SocketAddr,
        query: &Query,
        flavour: Flavour,
    ) -> Result<Message, DnsTrouble> {
        let with_edns = self.exchange(server, &request(query, flavour, true)).await?;
        match (with_edns.metadata.response_code, flavour) {
            // RFC 6891 §7: from a server that does not know of it.
            (ResponseCode::FormErr | ResponseCode::NotImp, Flavour::Plain | Flavour::Authenticated) => {
                judge(self.exchange(server, &request(query, flavour, false)).await?)
            }
            _ => judge(with_edns),
        }
    }

    async fn exchange(&self, server: SocketAddr, request: &Message) -> Result<Message, DnsTrouble> {
        let within = |result: Result<_, tokio::time::error::Elapsed>| match result {
            Ok(Ok(message)) => Ok(message),
            Ok(Err(failure)) => Err(failure),
            Err(_) => Err(Failure::Silence),
        };
        let octets = request.to_vec().map_err(|_| DnsTrouble::Malformed)?;
        let by_udp = within(tokio::time::timeout(self.timeout, by_udp(server, request, &octets)).await);
        match by_udp {
            Ok(message) if !message.metadata.truncation => Ok(message),
            Err(Failure::Silence) => Err(DnsTrouble::TimedOut),
            // RFC 7766 §5. What cannot be read may have been meddled with, which is harder by TCP.
            Ok(_) | Err(Failure::Unreadable) => {
                match within(tokio::time::timeout(self.timeout, by_tcp(server, request, &octets)).await) {
                    Ok(message) if !message.metadata.truncation => Ok(message),
                    Ok(_) | Err(Failure::Unreadable) => Err(DnsTrouble::Malformed),
                    Err(Failure::Silence) => Err(DnsTrouble::TimedOut),
                }
            }
        }
    }
}

/// Why an exchange came to nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failure {
    /// No answer, or nobody is there.
    Silence,
    /// An answer that is none.
    Unreadable,
}

impl From<std::io::Error> for Failure {
    fn from(_: std::io::Error) -> Self {
        Self::Silence
    }
}

fn request(query: &Query, flavour: Flavour, edns: bool) -> Message {
    // The id comes from a generator that nobody predicts.
    let mut message = Message::query();
    message.add_query(query.clone());
    message.metadata.recursion_desired = true;
    message.metadata.authentic_data = flavour == Flavour::Authenticated;
    message.metadata.checking_disabled = flavour == Flavour::Signed;
    if edns {
        let mut edns = Edns::new();
        edns.set_max_payload(UDP_BYTES_MAX).set_dnssec_ok(flavour == Flavour::Signed);
        message.set_edns(edns);
    }
    message
}

/// The socket is connected: the kernel drops what comes from elsewhere, and tells that nobody listens there.
async fn by_udp(server: SocketAddr, request: &Message, octets: &[u8]) -> Result<Message, Failure> {
    // The kernel chooses the port at random (RFC 5452 §9.2).
    let any: SocketAddr =
        if server.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    socket.send(octets).await?;
    let mut buffer = [0; 4096];
    loop {
        let count = socket.recv(&mut buffer).await?;
        if !has_id(&buffer[..count], request) {
            continue;
        }
        let message = Message::from_vec(&buffer[..count]).map_err(|_| Failure::Unreadable)?;
        if fits(&message, request) {
            return Ok(message);
        }
    }
}

async fn by_tcp(server: SocketAddr, request: &Message, octets: &[u8]) -> Result<Message, Failure> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(octets.len()).map_err(|_| Failure::Unreadable)?;
    // In one write: some servers read one packet and take it for the whole (RFC 7766 §8).
    let framed = [&length.to_be_bytes(), octets].concat();
    stream.write_all(&framed).await?;
    let length = usize::from(stream.read_u16().await?);
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    let message = Message::from_vec(&answer).map_err(|_| Failure::Unreadable)?;
    if fits(&message, request) { Ok(message) } else { Err(Failure::Unreadable) }
}

fn has_id(octets: &[u8], request: &Message) -> bool {
    octets.first_chunk() == Some(&request.metadata.id.to_be_bytes())
}

/// RFC 5452 §9.1: an answer to this very question. A server that refuses may leave the question out.
fn fits(message: &Message, request: &Message) -> bool {
    message.metadata.id == request.metadata.id
        && message.metadata.message_type == MessageType::Response
        && (message.queries == request.queries
            || (message.queries.is_empty() && message.metadata.response_code != ResponseCode::NoError))
}

fn judge(message: Message) -> Result<Message, DnsTrouble> {
    match message.metadata.response_code {
        ResponseCode::NoError => Ok(message),
        ResponseCode::NXDomain if !message.queries.is_empty() => Ok(message),
        _ => Err(extended_error(&message).unwrap_or(DnsTrouble::ServerFailure)),
    }
}

/// What a resolver says of its own failure (RFC 8914 §4).
fn extended_error(message: &Message) -> Option<DnsTrouble> {
    let EdnsOption::Unknown(_, octets) = message.edns.as_ref()?.option(EdnsCode::Unknown(EXTENDED_ERROR))?
    else {
        return None;
    };
    match u16::from_be_bytes(*octets.first_chunk()?) {
        // Indeterminate, Bogus, expired, not yet valid, keys, signatures or proofs missing.
        5..=12 => Some(DnsTrouble::Bogus),
        // No reachable authority; network error.
        22 | 23 => Some(DnsTrouble::TimedOut),
        _ => None,
    }
}
