//! Drives the client machine over a connection, with blocking calls.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use smtp::client::{
    Cause, Client, Config, Event, Failure, LoginPolicy, Message, Mode, NotTried, Outcome, Pipelining,
    Security, Stage, Transcript, Transfer, Unsupported, Wait,
};
use types::{AddressLiteral, Envelope, Host};

use super::channel::{Channel, Secured};
use super::compose::Composed;
use super::login::Account;
use super::tls::{Tls, TlsChoice};

/// To connect takes no longer than this.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(30);
/// While the server takes no octets, it is listened to at least this often: it may have refused.
const WRITE_PATIENCE: Duration = Duration::from_millis(500);
/// One read.
const READ_BYTES: usize = 16 * 1024;
/// Connections for one message: a server whose LIMITS ask for more is not served.
const CONNECTIONS_MAX: usize = 100;

/// Where to and how.
#[derive(Debug)]
pub(crate) struct Connect {
    pub(crate) server: String,
    pub(crate) hello_name: Option<Host>,
    pub(crate) mode: Mode,
    pub(crate) transfer: Transfer,
    pub(crate) pipelining: Pipelining,
    pub(crate) transcript: Transcript,
    pub(crate) tls: Tls,
    pub(crate) account: Option<Account>,
    /// Takes the place of the standard's timeouts where it is shorter.
    pub(crate) timeout: Option<Duration>,
}

/// Why nothing could be sent at all.
#[derive(Debug, thiserror::Error, miette::Diagnostic)]
pub(crate) enum ConnectError {
    #[error("{server:?} is not HOST:PORT")]
    #[diagnostic(help("write it as 127.0.0.1:1025, [::1]:1025 or mail.example.org:25"))]
    Address { server: String },
    #[error("the host {host} is not found")]
    #[diagnostic(help("check the spelling, or use an IP address"))]
    Resolve {
        host: String,
        #[source]
        error: std::io::Error,
    },
    #[error("nothing listens on {server}")]
    #[diagnostic(help("start Posta with `posta dev`, or say where the server is with --server HOST:PORT"))]
    Refused { server: String },
    #[error("cannot connect to {server}")]
    #[diagnostic(help(
        "check the address and the network, or say where the server is with --server HOST:PORT"
    ))]
    Connect {
        server: String,
        #[source]
        error: std::io::Error,
    },
    #[error("TLS cannot be begun with {server}: {why}")]
    #[diagnostic(help(
        "name who vouches for the server with --ca FILE, and the server by the name in its certificate; \
         with --tls required, TLS is begun by STARTTLS"
    ))]
    Tls { server: String, why: String },
    #[error("cannot write the output")]
    Output(#[source] std::io::Error),
}

/// What can be shown while it happens.
pub(crate) enum Told<'a> {
    Event(&'a Event),
    /// TLS is on: what was agreed on.
    Secured(&'a str),
}

/// One message on its way, over one connection or several.
struct Delivery<'a, F> {
    composed: &'a Composed,
    /// One for each forward-path.
    outcomes: Vec<Option<Outcome>>,
    /// The indices of those that are in the transaction under way.
    under_way: Vec<usize>,
    /// Octets of the body that were handed over.
    body_done: usize,
    watch: F,
}

/// Sends the message and returns an outcome for each forward-path.
///
/// # Errors
/// No connection came about. Everything after that is an outcome.
pub(crate) fn deliver(
    connect: &Connect,
    composed: &Composed,
    watch: impl FnMut(Told<'_>) -> std::io::Result<()>,
) -> Result<Vec<Outcome>, ConnectError> {
    let recipients = composed.envelope.recipients.len();
    let mut delivery =
        Delivery { composed, outcomes: vec![None; recipients], under_way: Vec::new(), body_done: 0, watch };
    for _ in 0..CONNECTIONS_MAX {
        let before = delivery.remaining().len();
        let (channel, secured) = match open(connect).and_then(|stream| begin(stream, connect)) {
            Ok(opened) => opened,
            // A connection for the rest only, which the first one left over.
            Err(_) if before < recipients => break,
            Err(error) => return Err(error),
        };
        delivery.converse(channel, secured, connect).map_err(ConnectError::Output)?;
        let after = delivery.remaining().len();
        if after == 0 || after == before {
            break;
        }
    }
    let not_tried = || Outcome::NotTried(NotTried::RcptMax);
    Ok(delivery.outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(not_tried)).collect())
}

impl<F: FnMut(Told<'_>) -> std::io::Result<()>> Delivery<'_, F> {
    fn remaining(&self) -> Vec<usize> {
        (0..self.outcomes.len()).filter(|index| self.outcomes[*index].is_none()).collect()
    }

    /// One connection from its greeting to its end. Errors of the connection become outcomes; those that are
    /// returned come from `watch`.
    fn converse(
        &mut self,
        mut channel: Channel,
        secured: Option<Secured>,
        connect: &Connect,
    ) -> std::io::Result<()> {
        if let Some(secured) = &secured {
            (self.watch)(Told::Secured(&secured.told))?;
        }
        let hello_name = connect.hello_name.clone().unwrap_or_else(|| our_address(channel.tcp()));
        let mut client = Client::new(Config {
            mode: connect.mode,
            transfer: connect.transfer,
            pipelining: connect.pipelining,
            transcript: connect.transcript,
            security: secured.map_or(Security::Clear, |secured| Security::Tls(secured.certificate)),
            tls: connect.tls.policy(),
            login: connect
                .account
                .as_ref()
                .map_or(LoginPolicy::None, |account| LoginPolicy::Required(account.passwords)),
            ..Config::new(hello_name)
        });
        let mut login = connect.account.as_ref().map(Account::login);
        let mut timer = Timer::new(connect.timeout);
        loop {
            while let Some(event) = client.poll_event() {
                (self.watch)(Told::Event(&event))?;
                match (&event, &mut login) {
                    (Event::StartTls, _) => channel = self.secure(channel, &mut client, connect)?,
                    (Event::Authenticate { mechanisms }, Some(login)) => login.begin(mechanisms, &mut client),
                    (Event::Challenge(challenge), Some(login)) => {
                        login.answer(challenge.octets(), &mut client);
                    }
                    // A server that lets in without having proved itself is somebody else.
                    (Event::Ready, Some(login)) if !login.is_satisfied() => {
                        let cause = Cause::Unsupported(Unsupported::AuthExchange);
                        self.fail(&Failure { stage: Stage::Login, cause });
                        client.abort();
                    }
                    _ => self.on_event(event, &mut client),
                }
            }
            if client.is_closed() {
                return Ok(());
            }
            if self.feed_body(&mut client) {
                continue;
            }
            let result = if client.transmit().is_empty() {
                read_step(&mut channel, &mut client, &mut timer)
            } else {
                write_step(&mut channel, &mut client, &mut timer)
            };
            if result.is_err() {
                // What the server said before it broke off may still be there.
                let _gone_anyway = read_available(&mut channel, &mut client);
                client.lost();
            }
        }
    }

    fn on_event(&mut self, event: Event, client: &mut Client) {
        match event {
            Event::Ready => {
                let remaining = self.remaining();
                let made_progress = self.under_way.is_empty() || remaining.len() < self.under_way.len();
                let sent =
                    !remaining.is_empty() && made_progress && client.send(self.message(&remaining)).is_ok();
                if sent {
                    self.under_way = remaining;
                    self.body_done = 0;
                } else {
                    client.quit();
                }
            }
            Event::Finished(report) => {
                for (index, outcome) in self.under_way.iter().zip(report.outcomes) {
                    if !matches!(outcome, Outcome::NotTried(_)) {
                        self.outcomes[*index] = Some(outcome);
                    }
                }
            }
            Event::Unusable(failure) => self.fail(&failure),
            Event::Closed(_) => self.under_way.clear(),
            // Without an account none is asked for.
            Event::Authenticate { .. } | Event::Challenge(_) => client.cancel_login(),
            Event::StartTls | Event::Said { .. } | Event::Heard { .. } => {}
        }
    }

    /// Nothing more goes by this server.
    fn fail(&mut self, failure: &Failure) {
        for outcome in &mut self.outcomes {
            outcome.get_or_insert_with(|| failure.clone().into());
        }
    }

    /// The handshake that STARTTLS asked for.
    fn secure(
        &mut self,
        channel: Channel,
        client: &mut Client,
        connect: &Connect,
    ) -> std::io::Result<Channel> {
        match channel.secure(&connect.tls, host_of(&connect.server), handshake_timeout(connect)) {
            Ok((channel, secured)) => {
                client.secured(secured.certificate);
                (self.watch)(Told::Secured(&secured.told))?;
                Ok(channel)
            }
            Err((channel, why)) => {
                client.tls_failed(&why);
                Ok(channel)
            }
        }
    }

    fn message(&self, recipients: &[usize]) -> Message {
        let envelope = &self.composed.envelope;
        Message {
            envelope: Envelope {
                recipients: recipients.iter().map(|index| envelope.recipients[*index].clone()).collect(),
                ..envelope.clone()
            },
            size_bytes: u64::try_from(self.composed.octets.len()).ok(),
        }
    }

    /// Hands over what the machine takes; returns whether it took anything.
    fn feed_body(&mut self, client: &mut Client) -> bool {
        if client.body_room() == 0 {
            return false;
        }
        // A refusal of the body becomes the outcome of its recipients.
        match &self.composed.octets[self.body_done..] {
            [] => client.finish_body().is_ok(),
            rest => match client.write_body(rest) {
                Ok(taken) => {
                    self.body_done += taken;
                    true
                }
                Err(_) => false,
            },
        }
    }
}

/// The timeout that runs.
pub(crate) struct Timer {
    longest: Option<Duration>,
    running: Option<(Wait, Instant)>,
}

impl Timer {
    pub(crate) const fn new(longest: Option<Duration>) -> Self {
        Self { longest, running: None }
    }

    /// How long is left.
    fn left(&mut self, wait: Wait) -> Duration {
        let now = Instant::now();
        let limit = self.longest.map_or(wait.wait_for.limit(), |longest| longest.min(wait.wait_for.limit()));
        let since = match self.running {
            Some((running, since)) if running == wait => since,
            _ => now,
        };
        self.running = Some((wait, since));
        (since + limit).saturating_duration_since(now)
    }
}

/// Writes what goes at once. While nothing goes, it listens: a server that has refused may take nothing more.
pub(crate) fn write_step(
    channel: &mut Channel,
    client: &mut Client,
    timer: &mut Timer,
) -> std::io::Result<()> {
    let left = client.wait().map_or(WRITE_PATIENCE, |wait| timer.left(wait));
    if left.is_zero() {
        client.timed_out();
        return Ok(());
    }
    channel.tcp().set_write_timeout(Some(left.min(WRITE_PATIENCE)))?;
    match channel.write(client.transmit()) {
        Ok(0) => return Err(ErrorKind::WriteZero.into()),
        Ok(count) => client.transmitted(count),
        Err(error) if is_not_yet(&error) => {}
        Err(error) => return Err(error),
    }
    if client.transmit().is_empty() { Ok(()) } else { read_available(channel, client) }
}

pub(crate) fn read_step(
    channel: &mut Channel,
    client: &mut Client,
    timer: &mut Timer,
) -> std::io::Result<()> {
    let Some(wait) = client.wait() else {
        // Neither side has anything to do: this cannot go on.
        client.abort();
        return Ok(());
    };
    let left = timer.left(wait);
    if left.is_zero() {
        client.timed_out();
        return Ok(());
    }
    channel.tcp().set_read_timeout(Some(left))?;
    let mut buffer = [0; READ_BYTES];
    match channel.read(&mut buffer) {
        Ok(0) => client.lost(),
        Ok(count) => client.receive(&buffer[..count]),
        Err(error) if is_not_yet(&error) => {}
        Err(error) => return Err(error),
    }
    Ok(())
}

/// Takes what has come, without waiting.
fn read_available(channel: &mut Channel, client: &mut Client) -> std::io::Result<()> {
    channel.tcp().set_nonblocking(true)?;
    let mut buffer = [0; READ_BYTES];
    let result = loop {
        match channel.read(&mut buffer) {
            Ok(0) => break Err(ErrorKind::UnexpectedEof.into()),
            Ok(count) => client.receive(&buffer[..count]),
            Err(error) if is_not_yet(&error) => break Ok(()),
            Err(error) => break Err(error),
        }
        if client.is_closed() {
            break Ok(());
        }
    };
    channel.tcp().set_nonblocking(false)?;
    result
}

fn is_not_yet(error: &std::io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

pub(crate) fn open(connect: &Connect) -> Result<TcpStream, ConnectError> {
    let server = &connect.server;
    let timeout = connect.timeout.map_or(CONNECT_TIMEOUT, |timeout| timeout.min(CONNECT_TIMEOUT));
    let mut last = None;
    for address in resolve(server)? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => {
                // Commands are short, and each waits for its reply. Where it cannot be set, it is only slower.
                let _only_slower = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = Some(error),
        }
    }
    let server = server.clone();
    Err(match last {
        Some(error) if error.kind() == ErrorKind::ConnectionRefused => ConnectError::Refused { server },
        Some(error) => ConnectError::Connect { server, error },
        None => ConnectError::Address { server },
    })
}

/// The connection as it begins: TLS first, where that is the choice (RFC 8314 §3.3).
pub(crate) fn begin(
    stream: TcpStream,
    connect: &Connect,
) -> Result<(Channel, Option<Secured>), ConnectError> {
    let channel = Channel::Clear(stream);
    if connect.tls.choice != TlsChoice::Implicit {
        return Ok((channel, None));
    }
    match channel.secure(&connect.tls, host_of(&connect.server), handshake_timeout(connect)) {
        Ok((channel, secured)) => Ok((channel, Some(secured))),
        Err((_, why)) => Err(ConnectError::Tls { server: connect.server.clone(), why }),
    }
}

pub(crate) fn handshake_timeout(connect: &Connect) -> Duration {
    connect.timeout.map_or(CONNECT_TIMEOUT, |timeout| timeout.min(CONNECT_TIMEOUT))
}

/// The name or address that the certificate should have.
pub(crate) fn host_of(server: &str) -> &str {
    without_brackets(server.rsplit_once(':').map_or(server, |(host, _)| host))
}

fn without_brackets(host: &str) -> &str {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
}

fn resolve(server: &str) -> Result<Vec<SocketAddr>, ConnectError> {
    let parts = server.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let port = parts.and_then(|(_, port)| port.parse::<u16>().ok()).filter(|port| *port > 0);
    let (Some((host, _)), Some(port)) = (parts, port) else {
        return Err(ConnectError::Address { server: server.to_owned() });
    };
    let host = without_brackets(host);
    let addresses = (host, port).to_socket_addrs();
    Ok(addresses.map_err(|error| ConnectError::Resolve { host: host.to_owned(), error })?.collect())
}

/// A client without a name of its own greets with its address (RFC 5321 §4.1.4).
pub(crate) fn our_address(stream: &TcpStream) -> Host {
    let ip = stream.local_addr().map_or(std::net::Ipv4Addr::LOCALHOST.into(), |address| address.ip());
    Host::Literal(AddressLiteral::Ip(ip.to_canonical()))
}
