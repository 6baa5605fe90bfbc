//! What was said on a connection, for the trace: who was at the other end, each reply on one line and cut, and how long
//! it took. Bounded, whatever the other side says, and without secrets.

use std::fmt;
use std::time::Duration;

use smtp::client::Stage;
use tokio::time::Instant;
use types::{Domain, Reply, TlsParameters};

use super::Target;

/// What was said in one part of a connection: its opening, or one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dialogue {
    /// The name of the host, where it was found by one.
    pub(crate) host: Option<Domain>,
    /// `192.0.2.1`, with its port where that is not 25, or the path of a socket.
    pub(crate) address: String,
    /// What TLS there is.
    pub(crate) tls: Option<Encryption>,
    /// Replies, the first ones.
    pub(crate) exchanges: Vec<Exchange>,
    /// Replies that are not among them, because there were too many.
    pub(crate) left_out: u32,
    /// All of it.
    pub(crate) took: Duration,
    /// How the connection ended, where it did.
    pub(crate) end: Option<String>,
}

/// What two sides agreed on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Encryption {
    /// Version and cipher suite.
    pub(crate) parameters: Option<TlsParameters>,
    /// Whom the certificate shows.
    pub(crate) shown: Shown,
}

/// Whom a certificate shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Nobody knows: it keeps those out who only listen.
    Anybody,
    /// The host, by an authority that is trusted here.
    Host,
    /// The host, by its TLSA records (RFC 7672).
    Dane,
    /// None: the host has logged in with us.
    Login,
}

/// Something that was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exchange {
    /// What.
    pub(crate) stage: Stage,
    /// The reply on one line.
    pub(crate) reply: String,
    /// How many in a row were answered like this: recipients that were taken, parts of a message.
    pub(crate) times: u32,
    /// When, since the beginning of this part.
    pub(crate) after: Duration,
}

/// Fills a [`Dialogue`].
#[derive(Debug)]
pub(super) struct Recorder {
    dialogue: Dialogue,
    began: Instant,
}

/// Replies of one part. A message of a hundred recipients that are all refused is cut.
const EXCHANGES_MAX: usize = 40;
/// More of them for the end of the message, which tells most.
const EXCHANGES_AT_END_MAX: usize = 60;
/// Characters of one reply.
const REPLY_CHARS_MAX: usize = 300;

impl Recorder {
    pub(super) fn new(target: &Target) -> Self {
        let host = match target {
            Target::Tcp { name, .. } => name.clone(),
            Target::Unix(_) => None,
        };
        let dialogue = Dialogue {
            host,
            address: target.address(),
            tls: None,
            exchanges: Vec::new(),
            left_out: 0,
            took: Duration::ZERO,
            end: None,
        };
        Self { dialogue, began: Instant::now() }
    }

    pub(super) const fn dialogue(&self) -> &Dialogue {
        &self.dialogue
    }

    pub(super) fn encrypted(&mut self, encryption: Encryption) {
        self.dialogue.tls = Some(encryption);
    }

    pub(super) fn ended(&mut self, how: impl fmt::Display) {
        self.dialogue.end.get_or_insert_with(|| cut(&how.to_string()));
    }

    pub(super) fn heard(&mut self, stage: Stage, reply: &Reply) {
        let said = match stage {
            // A challenge belongs to the secret, and a server that repeats the password shall find no record of it.
            Stage::Login => without_text(reply),
            _ => cut(&reply.to_string()),
        };
        let after = self.began.elapsed();
        let exchanges = &mut self.dialogue.exchanges;
        if let Some(last) = exchanges.last_mut()
            && last.stage == stage
            && matches!(stage, Stage::Rcpt | Stage::Body)
            && last.reply == said
        {
            last.times += 1;
            last.after = after;
            return;
        }
        let max = if stage == Stage::EndOfData { EXCHANGES_AT_END_MAX } else { EXCHANGES_MAX };
        if exchanges.len() >= max {
            self.dialogue.left_out += 1;
            return;
        }
        exchanges.push(Exchange { stage, reply: said, times: 1, after });
    }

    /// What was recorded; the next part begins.
    pub(super) fn take(&mut self) -> Dialogue {
        let next = Dialogue {
            host: self.dialogue.host.clone(),
            address: self.dialogue.address.clone(),
            tls: self.dialogue.tls.clone(),
            exchanges: Vec::new(),
            left_out: 0,
            took: Duration::ZERO,
            end: None,
        };
        let now = Instant::now();
        let mut taken = std::mem::replace(&mut self.dialogue, next);
        taken.took = now - self.began;
        self.began = now;
        taken
    }

    /// A new part begins, and what was recorded between two parts is of no interest.
    pub(super) fn restart(&mut self) {
        self.dialogue.exchanges.clear();
        self.dialogue.left_out = 0;
        self.began = Instant::now();
    }
}

impl Dialogue {
    /// `mx.example.org [192.0.2.1]`
    pub(crate) fn peer(&self) -> String {
        match &self.host {
            Some(host) => format!("{host} [{}]", self.address),
            None => format!("[{}]", self.address),
        }
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.parameters {
            Some(parameters) => write!(f, "{} with {}", parameters.version, parameters.cipher_suite)?,
            None => f.write_str("TLS")?,
        }
        write!(f, "; {}", self.shown)
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anybody => "the certificate was not checked",
            Self::Host => "the certificate is that of the host",
            Self::Login => "the host has logged in",
            Self::Dane => "the certificate is the one that DNS names (DANE)",
        })
    }
}

fn without_text(reply: &Reply) -> String {
    reply.enhanced.map_or_else(|| reply.code.to_string(), |enhanced| format!("{} {enhanced}", reply.code))
}

/// On one line, and not longer than a person reads.
fn cut(text: &str) -> String {
    let text = text.replace(['\r', '\n'], " ");
    match text.char_indices().nth(REPLY_CHARS_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
