//! Hosts that are no Posta: some honest, some poor, some hostile. Each connection is a small script.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use turmoil::net::{TcpListener, TcpStream};

use super::ledger::{Taken, tag_of};
use super::plan::Manner;
use super::world::World;
use crate::random::Random;

/// Listens as one peer.
pub(super) async fn listen(world: Arc<World>, peer: usize) {
    let listener = match TcpListener::bind(("0.0.0.0", world.plan.peers[peer].port)).await {
        Ok(listener) => listener,
        Err(error) => return world.fail(format!("a peer cannot listen: {error}")),
    };
    let mut number = 0;
    while let Ok((stream, _)) = listener.accept().await {
        number += 1;
        let random = world.random(1_000_000 * (peer as u64 + 1) + number);
        let session = Session::new(stream, Arc::clone(&world), peer, random);
        tokio::spawn(async move { drop(session.run().await) });
    }
}

/// One connection.
struct Session {
    stream: TcpStream,
    world: Arc<World>,
    peer: usize,
    random: Random,
    manner: Manner,
    buffer: Vec<u8>,
    /// Octets in both directions until the connection breaks.
    left: Option<u64>,
}

/// A transaction.
#[derive(Default)]
struct Transaction {
    sender: Option<String>,
    recipients: Vec<String>,
}

/// A peer is done with a connection after that.
const IDLE: Duration = Duration::from_secs(300);
/// Longer than anybody waits for the reply to the end of data (RFC 5321 §4.5.3.2.6: 10 minutes).
const TOO_LATE: Duration = Duration::from_secs(11 * 60);
/// Greylisting knows a client that comes again after so long.
const GREYLISTED: Duration = Duration::from_secs(45);
const LINE_BYTES_MAX: usize = 4096;

fn broken() -> io::Error {
    io::ErrorKind::ConnectionReset.into()
}

impl Session {
    fn new(stream: TcpStream, world: Arc<World>, peer: usize, mut random: Random) -> Self {
        let manner = world.plan.peers[peer].manner;
        let manner = if world.is_healed() { manner.healed() } else { manner };
        let left = (manner == Manner::Cutting).then(|| random.below(1500));
        Self { stream, world, peer, random, manner, buffer: Vec::new(), left }
    }

    async fn run(mut self) -> io::Result<()> {
        if self.manner == Manner::Silent {
            tokio::time::sleep(IDLE * 2).await;
            return Ok(());
        }
        if self.manner == Manner::Forbidding && self.random.chance(30) {
            return self.say("554 5.7.1 Not from you\r\n").await;
        }
        self.say("220 peer.example ESMTP\r\n").await?;
        let mut transaction = Transaction::default();
        loop {
            let line = self.line().await?;
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
            self.misbehave().await?;
            match verb.as_str() {
                "EHLO" => self.say("250-peer.example\r\n250-PIPELINING\r\n250 8BITMIME\r\n").await?,
                "HELO" | "RSET" | "NOOP" => {
                    transaction = Transaction::default();
                    self.say("250 2.0.0 Ok\r\n").await?;
                }
                "MAIL" => {
                    transaction = Transaction { sender: Some(path(&line)), recipients: Vec::new() };
                    let reply = self.about_sender();
                    self.say(reply).await?;
                }
                "RCPT" => {
                    let recipient = path(&line);
                    let reply = self.about_recipient(&transaction, &recipient);
                    if reply.starts_with('2') {
                        transaction.recipients.push(recipient);
                    }
                    self.say(reply).await?;
                }
                "DATA" if transaction.recipients.is_empty() => self.say("554 5.5.1 For whom?\r\n").await?,
                "DATA" => {
                    self.say("354 Go on\r\n").await?;
                    let octets = self.data().await?;
                    self.end_of_data(std::mem::take(&mut transaction), octets).await?;
                }
                "QUIT" => return self.say("221 2.0.0 Bye\r\n").await,
                _ => self.say("500 5.5.2 What?\r\n").await?,
            }
        }
    }

    /// What may happen before any reply.
    async fn misbehave(&mut self) -> io::Result<()> {
        match self.manner {
            Manner::Tarpit => {
                let wait = Duration::from_millis(500 + self.random.below(20_000));
                tokio::time::sleep(wait).await;
            }
            Manner::Leaving if self.random.chance(15) => {
                self.say("421 4.3.2 Closing for now\r\n").await?;
                return Err(broken());
            }
            Manner::Babbling if self.random.chance(35) => {
                const BABBLE: [&str; 6] =
                    ["250", "999 What\r\n", "hello\r\n", "2\u{0}0 \u{1}\r\n", "250-never\r\n", "\r\n\r\n"];
                let babble = BABBLE[usize::try_from(self.random.below(6)).unwrap_or(0)];
                self.say(babble).await?;
                if self.random.chance(50) {
                    return Err(broken());
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn about_sender(&mut self) -> &'static str {
        match self.manner {
            Manner::Forbidding => "550 5.7.1 Not from you\r\n",
            Manner::Fickle if self.random.chance(25) => "451 4.3.0 Not now\r\n",
            _ => "250 2.1.0 Ok\r\n",
        }
    }

    fn about_recipient(&mut self, transaction: &Transaction, recipient: &str) -> &'static str {
        if recipient.starts_with('x') {
            return "550 5.1.1 Nobody of that name\r\n";
        }
        match self.manner {
            Manner::Stubborn => "450 4.2.1 Not today\r\n",
            Manner::Fickle if self.random.chance(25) => "452 4.5.3 Too many\r\n",
            Manner::Greylisting => {
                let key = format!("{} {:?} {recipient}", self.peer, transaction.sender);
                let now = self.world.elapsed();
                let seen = *self.world.state().ledger.greylist.entry(key).or_insert(now);
                let is_known = now >= seen + GREYLISTED;
                if is_known { "250 2.1.5 Ok\r\n" } else { "451 4.7.1 Greylisted, come again\r\n" }
            }
            _ => "250 2.1.5 Ok\r\n",
        }
    }

    /// The message is there: it is taken or not, and that is said or not.
    async fn end_of_data(&mut self, transaction: Transaction, octets: Vec<u8>) -> io::Result<()> {
        match self.manner {
            Manner::Fickle if self.random.chance(25) => return self.say("451 4.3.0 Not now\r\n").await,
            Manner::Forbidding => return self.say("554 5.6.0 Not such a thing\r\n").await,
            Manner::Leaving if self.random.chance(20) => {
                // It has not taken it, and closes.
                self.say("421 4.3.2 Closing for now\r\n").await?;
                return Err(broken());
            }
            Manner::CuttingReply if self.random.chance(20) => return Err(broken()),
            _ => {}
        }
        self.take(&transaction, octets);
        match self.manner {
            Manner::CuttingReply if self.random.chance(60) => Err(broken()),
            Manner::Late => {
                tokio::time::sleep(TOO_LATE).await;
                self.say("250 2.0.0 Taken\r\n").await
            }
            _ => self.say("250 2.0.0 Taken\r\n").await,
        }
    }

    fn take(&self, transaction: &Transaction, octets: Vec<u8>) {
        let Some(tag) = tag_of(&octets) else {
            return self.world.fail("a peer got a message without its Message-ID");
        };
        let taken = Taken {
            tag,
            recipients: transaction.recipients.clone(),
            octets,
            at: self.world.elapsed(),
            peer: self.world.plan.peers[self.peer].host.clone(),
        };
        self.world.state().ledger.taken.push(taken);
    }

    async fn say(&mut self, text: &str) -> io::Result<()> {
        let octets = text.as_bytes();
        let n = self.spend(octets.len());
        self.stream.write_all(&octets[..n]).await?;
        if n < octets.len() { Err(broken()) } else { Ok(()) }
    }

    /// How many of so many octets go before the connection breaks.
    fn spend(&mut self, octets: usize) -> usize {
        let Some(left) = &mut self.left else { return octets };
        let n = octets.min(usize::try_from(*left).unwrap_or(octets));
        *left -= n as u64;
        n
    }

    async fn more(&mut self) -> io::Result<()> {
        let mut octets = [0; 4096];
        let n = tokio::time::timeout(IDLE, self.stream.read(&mut octets)).await??;
        let spent = self.spend(n);
        if n == 0 || spent < n {
            return Err(broken());
        }
        self.buffer.extend_from_slice(&octets[..n]);
        Ok(())
    }

    async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                return Ok(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            if self.buffer.len() > LINE_BYTES_MAX {
                return Err(broken());
            }
            self.more().await?;
        }
    }

    /// The message, without the dots that were stuffed (RFC 5321 §4.5.2).
    async fn data(&mut self) -> io::Result<Vec<u8>> {
        let mut message = Vec::new();
        loop {
            let Some(end) = self.buffer.windows(2).position(|two| two == b"\r\n") else {
                self.more().await?;
                continue;
            };
            let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
            match line.strip_prefix(b".") {
                Some(b"\r\n") => return Ok(message),
                Some(rest) => message.extend_from_slice(rest),
                None => message.extend_from_slice(&line),
            }
        }
    }
}

/// What stands in angle brackets.
fn path(line: &str) -> String {
    let inner = line.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inner.map_or_else(String::new, |(path, _)| path.to_ascii_lowercase())
}
