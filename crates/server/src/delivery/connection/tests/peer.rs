//! What all tests need: a host that follows a script, and messages.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use mta::outcome::{Again, Diagnostic, Outcome};
use mta::route::Protocol;
use mta::tls::HopTls;
use smtp::client::Transfer;
use store::{BodyStream, StoreError};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};
use types::{BodyType, Envelope, MailParameters};

use crate::delivery::connection::{
    Begin, Connection, Handshake, Outgoing, Refused, Sent, Target, Terms, Timeouts,
};

/// Octets that are under way in one direction.
pub(super) const PIPE_BYTES: usize = 64 * 1024;

/// A host that follows a script. `S: text` is said with CRLF; `C: text` must come; `LF: text` is said with a bare LF;
/// `...` takes what comes to the end of the data; `half` ends our side
/// and goes on listening; `hang` does nothing for ever.
pub(super) struct Peer<S = DuplexStream> {
    pub(super) stream: S,
    input: Vec<u8>,
}

impl<S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Peer<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, input: Vec::new() }
    }

    pub(super) async fn play(&mut self, script: &str) {
        for line in script.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once(' ').unwrap_or((line, "")) {
                ("S:", text) => self.say(&format!("{text}\r\n")).await,
                ("LF:", text) => self.say(&format!("{text}\n")).await,
                ("C:", text) => assert_eq!(self.line().await.as_deref(), Some(text)),
                ("...", _) => drop(self.data().await),
                ("half", _) => self.stream.shutdown().await.unwrap(),
                ("hang", _) => std::future::pending().await,
                _ => panic!("{line:?} is no line of a script"),
            }
        }
    }

    pub(super) async fn say(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next line without its CRLF; none at the end.
    pub(super) async fn line(&mut self) -> Option<String> {
        let end = loop {
            match self.input.windows(2).position(|two| two == b"\r\n") {
                Some(end) => break end,
                None if self.stream.read_buf(&mut self.input).await.unwrap_or(0) == 0 => return None,
                None => {}
            }
        };
        let line = String::from_utf8(self.input[..end].to_vec()).unwrap();
        self.input.drain(..end + 2);
        Some(line)
    }

    /// The message up to its dot, as it came.
    pub(super) async fn data(&mut self) -> String {
        let mut message = String::new();
        while let Some(line) = self.line().await.filter(|line| line != ".") {
            message.push_str(&line);
            message.push_str("\r\n");
        }
        message
    }

    /// The next octets, so many.
    pub(super) async fn octets(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count {
            assert_ne!(self.stream.read_buf(&mut self.input).await.unwrap(), 0, "it ends too early");
        }
        self.input.drain(..count).collect()
    }

    /// What comes until the other side closes.
    pub(super) async fn rest(mut self) -> String {
        let _ = self.stream.read_to_end(&mut self.input).await;
        String::from_utf8_lossy(&self.input).into_owned()
    }

    /// Nothing may have come but what was taken, when the other side closes.
    pub(super) async fn ends(self) {
        assert_eq!(self.rest().await, "");
    }
}

/// A message in pieces.
pub(super) struct Pieces {
    pieces: std::vec::IntoIter<Bytes>,
    size_bytes: u64,
    fails_at_end: bool,
}

#[async_trait]
impl BodyStream for Pieces {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    async fn next(&mut self) -> Result<Bytes, StoreError> {
        match self.pieces.next() {
            Some(piece) => Ok(piece),
            None if self.fails_at_end => Err(StoreError::Damaged("a checksum".to_owned())),
            None => Ok(Bytes::new()),
        }
    }
}

impl Pieces {
    pub(super) fn of(text: &[u8]) -> Self {
        let pieces: Vec<Bytes> = text.chunks(1000).map(Bytes::copy_from_slice).collect();
        Self { pieces: pieces.into_iter(), size_bytes: text.len() as u64, fails_at_end: false }
    }

    pub(super) fn failing(text: &[u8]) -> Self {
        Self { fails_at_end: true, ..Self::of(text) }
    }

    /// It says that it has another size than it has.
    pub(super) fn cut(text: &[u8], size_bytes: u64) -> Self {
        Self { size_bytes, ..Self::of(text) }
    }
}

pub(super) const TEXT: &[u8] = b"Subject: hello\r\n\r\n.a line\r\n";

pub(super) fn envelope(recipients: &[&str]) -> Envelope {
    Envelope::new(
        "<ada@example.org>".parse().unwrap(),
        recipients.iter().map(|name| format!("<{name}@example.net>").parse().unwrap()),
    )
}

pub(super) fn mail(recipients: &[&str]) -> Outgoing {
    mail_by(Transfer::Data, recipients, TEXT)
}

pub(super) fn mail_by(transfer: Transfer, recipients: &[&str], text: &[u8]) -> Outgoing {
    Outgoing { envelope: envelope(recipients), body: Box::new(Pieces::of(text)), transfer, renewal: None }
}

pub(super) fn mail_with(parameters: MailParameters, text: &[u8]) -> Outgoing {
    let envelope = Envelope { parameters, ..envelope(&["bob"]) };
    Outgoing { envelope, ..mail_by(Transfer::Data, &[], text) }
}

pub(super) fn body_type(body_type: BodyType) -> MailParameters {
    MailParameters { body_type, ..MailParameters::default() }
}

pub(super) fn target() -> Target {
    Target::Tcp { address: "192.0.2.1:25".parse().unwrap(), name: Some("mx.example.net".parse().unwrap()) }
}

pub(super) fn terms() -> Terms {
    Terms {
        protocol: Protocol::Smtp,
        hello_name: "relay.example.org".parse().unwrap(),
        begin: Begin::InClear,
        tls: HopTls::None,
        handshake: None::<Handshake>,
        login: None,
        timeouts: Timeouts::default(),
        convert_bytes_max: 1024 * 1024,
    }
}

/// A connection to a host, which is the second value.
pub(super) async fn open(terms: &Terms, greeting: &str) -> (Connection, Peer) {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let mut peer = Peer::new(theirs);
    let target = target();
    let (connection, ()) =
        tokio::join!(Connection::open(Box::new(ours), &target, terms), peer.play(greeting));
    (connection.unwrap(), peer)
}

/// The opening of a host that offers a few things.
pub(super) const READY: &str = "S: 220 mx.example.net
C: EHLO relay.example.org
S: 250-mx.example.net
S: 250-PIPELINING
S: 250-8BITMIME
S: 250 SIZE 1000000";

/// Tries to open a connection to a host that follows the script and then closes it.
pub(super) async fn refused(terms: &Terms, script: &str) -> Box<Refused> {
    let (ours, theirs) = tokio::io::duplex(PIPE_BYTES);
    let target = target();
    let script = async move {
        let mut peer = Peer::new(theirs);
        peer.play(script).await;
    };
    let (connection, ()) = tokio::join!(Connection::open(Box::new(ours), &target, terms), script);
    connection.unwrap_err()
}

/// Sends a message to a host that follows the script after its greeting and EHLO, and then closes the connection.
pub(super) async fn sent(mail: Outgoing, script: &str) -> Sent {
    let (mut connection, mut peer) = open(&terms(), READY).await;
    let script = async move { peer.play(script).await };
    tokio::join!(connection.send(mail), script).0
}

/// A word for each outcome, with its status.
pub(super) fn told(outcomes: &[Outcome]) -> Vec<String> {
    outcomes.iter().map(word).collect()
}

pub(super) fn word(outcome: &Outcome) -> String {
    let status = outcome.finding().map_or_else(String::new, |finding| finding.status.to_string());
    match outcome {
        Outcome::GoOn => "go on".to_owned(),
        Outcome::Relayed(_) => format!("relayed {status}"),
        Outcome::Failed { reach, .. } => format!("failed {status} {reach:?}"),
        Outcome::Deferred { again, duplicate, .. } => {
            let again = match again {
                Again::NextTransaction => "next transaction",
                Again::NextHost => "next host",
                Again::Later { .. } => "later",
            };
            format!("deferred {status} {again}, duplicate {duplicate:?}").to_lowercase()
        }
    }
}

pub(super) fn diagnostic(outcome: &Outcome) -> String {
    match &outcome.finding().unwrap().diagnostic {
        Diagnostic::Remote(reply) => reply.to_string(),
        Diagnostic::Local(text) => text.clone(),
    }
}

/// So much of the paused clock went by.
pub(super) async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let began = tokio::time::Instant::now();
    let value = future.await;
    (value, began.elapsed())
}
