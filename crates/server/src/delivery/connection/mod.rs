//! One connection to a host that takes mail, and any number of messages over it: drives [`smtp::client::Client`].
//!
//! [`Connection::open`] goes from the greeting to where a message may be sent, with TLS and a login as the [`Terms`] ask;
//! [`Connection::send`] brings one message to its recipients there. Whatever the other side does, each of them gets one
//! [`Outcome`] of `mta`, each wait has an end, and what is held is bounded.
//!
//! Left out on purpose: which host and when (`delivery`), which TLS (`mta::tls`), and what an outcome leads to.

mod channel;
mod dialogue;
mod drive;
mod login;
mod message;
mod opening;
#[cfg(test)]
mod tests;
mod timer;

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use mta::outcome::Outcome;
use mta::route::Protocol;
use mta::tls::HopTls;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use sasl::Secret;
use smtp::client::{Client, Passwords, Transfer};
use store::BodyStream;
use tokio::time::{Instant, timeout};
use types::{Domain, Envelope, TlsParameters};

pub(crate) use dialogue::{Dialogue, Encryption};
pub(crate) use opening::{Refused, TlsFailure};
pub(crate) use timer::Timeouts;

use super::world::Stream;
use crate::signing::renewal::Renewal;
use channel::Channel;
use dialogue::Recorder;
use timer::Timer;

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// A host in the network.
    Tcp {
        /// Its address.
        address: SocketAddr,
        /// Its name; none for an address literal.
        name: Option<Domain>,
    },
    /// A socket of this machine.
    Unix(PathBuf),
}

/// What a connection is to be.
#[derive(Debug, Clone)]
pub(crate) struct Terms {
    /// SMTP or LMTP.
    pub(crate) protocol: Protocol,
    /// Who we are (RFC 5321 §4.1.1.1).
    pub(crate) hello_name: Domain,
    /// What it is before the first octet.
    pub(crate) begin: Begin,
    /// Which TLS it needs. With [`Begin::WithTls`], the same of a handshake that comes first.
    pub(crate) tls: HopTls,
    /// What a handshake needs; without it none succeeds.
    pub(crate) handshake: Option<Handshake>,
    /// Who we log in as, where the host wants it.
    pub(crate) login: Option<Login>,
    /// How long all of it may take.
    pub(crate) timeouts: Timeouts,
    /// Messages up to this size are converted for a host without 8BITMIME or BINARYMIME.
    pub(crate) convert_bytes_max: u64,
}

/// What a connection is before the first octet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) enum Begin {
    /// In clear text; STARTTLS comes later, if at all.
    #[default]
    InClear,
    /// TLS comes first (RFC 8314 §3.3).
    WithTls,
    /// TLS is there, and within it the other side has proved by a login who it is: a connection that was turned round.
    Encrypted(TlsParameters),
}

/// What a handshake needs.
#[derive(Clone)]
pub(crate) struct Handshake {
    /// Checks the certificate as the [`HopTls`] asks: a handshake that succeeds is one that will do.
    pub(crate) config: Arc<ClientConfig>,
    /// Whom it asks for.
    pub(crate) name: ServerName<'static>,
}

/// Who logs in. `Debug` does not show the password.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: Secret,
    /// Where mechanisms may be used that say the password as it is.
    pub(crate) passwords: Passwords,
}

/// A message for some recipients.
pub(crate) struct Outgoing {
    /// With the recipients of this transaction alone; at least one.
    pub(crate) envelope: Envelope,
    /// The message. Its size is announced, and a body that is not that long is not sent to its end.
    pub(crate) body: Box<dyn BodyStream>,
    /// How it may travel. One flight is only for a connection over which the host has just taken a message.
    pub(crate) transfer: Transfer,
    /// How it is signed anew where it has to be converted; none where it has no signature of ours.
    pub(crate) renewal: Option<Renewal>,
}

/// What became of a message.
#[derive(Debug)]
pub(crate) struct Sent {
    /// One for each recipient, in the order of the envelope; never [`Outcome::GoOn`].
    pub(crate) outcomes: Vec<Outcome>,
    /// Where it came to it.
    pub(crate) fate: Fate,
    /// What the host offers, as far as it decides who sends reports.
    pub(crate) offers: Offers,
    /// What was said.
    pub(crate) log: Dialogue,
    /// What became of our signatures where it had to be converted.
    pub(crate) renewed: Option<String>,
}

/// Whose doing the outcomes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// The host's.
    Theirs,
    /// The connection had been used before and was gone, as idle ones are: nothing was begun, and the outcomes are to be
    /// passed over for a new connection to the same host.
    Stale,
    /// Our own: the message cannot be read or may not be sent as it is (attacks of poison).
    Ours,
}

/// What a host takes over from us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Offers {
    /// Reports (RFC 3461 §5.2).
    pub(crate) dsn: bool,
    /// Keeping the time (RFC 2852 §4.1).
    pub(crate) deliver_by: bool,
}

/// A connection that is ready for messages, or was.
pub(crate) struct Connection {
    channel: Channel,
    client: Client,
    timer: Timer,
    log: Recorder,
    settings: Settings,
    /// Octets went into TLS and have perhaps not left it.
    unflushed: bool,
    /// Messages so far.
    messages: u32,
    /// When the host last took one.
    took_at: Option<Instant>,
    /// A recipient was left out for RCPTDOMAINMAX: only a new connection has room.
    is_spent: bool,
    offers: Offers,
}

/// What of the [`Terms`] lasts.
#[derive(Debug, Clone, Copy)]
struct Settings {
    timeouts: Timeouts,
    convert_bytes_max: u64,
}

impl Connection {
    /// Makes a session of a connection that has just been opened.
    ///
    /// # Errors
    /// No message can be sent over it, which says why and what to try instead.
    pub(crate) async fn open(
        stream: Box<dyn Stream>,
        target: &Target,
        terms: &Terms,
    ) -> Result<Self, Box<Refused>> {
        opening::open(stream, target, terms).await
    }

    /// Sends a message. There is one outcome for each recipient, whatever happens.
    pub(crate) async fn send(&mut self, mail: Outgoing) -> Sent {
        message::send(self, mail).await
    }

    /// Whether another message may be sent. What has come in the meantime, such as a 421, is looked at.
    pub(crate) fn is_reusable(&mut self) -> bool {
        self.take_what_came();
        self.client.can_send() && !self.is_spent
    }

    /// What TLS there is.
    pub(crate) fn encryption(&self) -> Option<&Encryption> {
        self.log.dialogue().tls.as_ref()
    }

    /// Says goodbye, and waits a little for the answer (RFC 5321 §4.1.1.10).
    pub(crate) async fn quit(mut self) {
        self.client.quit();
        self.part().await;
    }

    /// Sends what is due, hears the last reply, and closes.
    async fn part(&mut self) {
        let limit = self.settings.timeouts.parting;
        self.timer.restart(limit);
        while !self.client.is_closed() {
            while self.client.poll_event().is_some() {}
            self.step().await;
        }
        if self.encryption().is_some() {
            // Who does not take it does not hold us up.
            let _ = timeout(limit, self.channel.close()).await;
        }
    }
}

impl Target {
    /// For people: `192.0.2.1`, with the port where it is not 25, or the path of a socket.
    pub(crate) fn address(&self) -> String {
        match self {
            Self::Tcp { address, .. } if address.port() == 25 => address.ip().to_string(),
            Self::Tcp { address: SocketAddr::V4(address), .. } => address.to_string(),
            Self::Tcp { address, .. } => format!("{}:{}", address.ip(), address.port()),
            Self::Unix(path) => path.display().to_string(),
        }
    }

    /// The address of a host in the network.
    pub(crate) const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Tcp { address, .. } => Some(address.ip()),
            Self::Unix(_) => None,
        }
    }
}

/// Without what is inside.
impl std::fmt::Debug for Handshake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Handshake").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Without what is inside.
impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("messages", &self.messages).finish_non_exhaustive()
    }
}
