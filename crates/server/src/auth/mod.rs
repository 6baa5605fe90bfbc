//! Who logs in: mechanisms of SASL, the passwords of POP3, and what failures cost.
//!
//! Standards: RFC 4954 (SMTP), RFC 5034 and RFC 1939 §7 (POP3), RFC 4422 and the mechanisms that [`sasl`] speaks,
//! RFC 7519 for tokens. docs/authentication.md says for operators what is decided here.
//!
//! - [`Authenticator`]: begins an [`Attempt`], or checks a password at once.
//! - [`delays`]: what guessing costs, and how it locks nobody else out.
//! - [`hashing`]: argon2 off the threads that serve sessions, bounded.
//! - [`token`] and [`oauth`]: bearer tokens.
//! - [`reader`]: what becomes of a login to read mail.
//! - [`secret`]: the secret of the node, from which keys are derived.
//!
//! A verdict is given, and its failure counted, before a client hears anything of it: who breaks off has been
//! counted too.
//!
//! Left out on purpose: what an account may do once it is logged in, and the ways in which SMTP and POP3 carry an
//! exchange.

mod attempt;
mod check;
pub(crate) mod delays;
mod hashing;
mod mechanisms;
mod oauth;
mod reader;
mod refusal;
pub(crate) mod secret;
mod token;

pub(crate) use attempt::{Attempt, Outcome};
pub(crate) use mechanisms::Channel;
pub(crate) use reader::{Grounds, LOGIN_ENDED, LookedAt, Standing, is_active, note_login, note_refusal};
pub(crate) use refusal::{Refusal, Why};

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use net::tls::ChannelBinding;
use sasl::{Exchange, Mechanism, Setup};
use store::{Account, Store};
use tokio::sync::watch;
use types::Timestamp;

use self::delays::{Failures, Limits};
use self::hashing::Hashing;
use self::oauth::Issuers;
use self::secret::NodeSecret;
use self::token::{NoIssuer, TokenVerifier};
use crate::config::{Auth, Oauth};
use crate::connection::Connection;
use crate::listener::ListenerFacts;
use crate::outside::Outside;
use crate::shared::{Peer, Shared, Stage};

/// Lets accounts in. One for a node: what it counts, it counts over all protocols.
pub(crate) struct Authenticator {
    mechanisms: Vec<Mechanism>,
    host_name: String,
    fake_salt_key: [u8; 32],
    failures: Mutex<Failures>,
    hashing: Hashing,
    tokens: Box<dyn TokenVerifier>,
    /// Nobody is kept waiting by a node that stops.
    outside: Arc<dyn Outside>,
    stage: watch::Receiver<Stage>,
}

/// What is known of a client before it says who it is.
#[derive(Debug, Clone)]
pub(crate) struct ClientFacts {
    pub(crate) ip: IpAddr,
    pub(crate) security: Channel,
    /// Of its TLS connection.
    pub(crate) channel_bindings: Vec<ChannelBinding>,
}

/// An account that is logged in to: the permission itself.
#[derive(Debug, Clone)]
pub(crate) struct Login {
    pub(crate) account: Account,
    /// As in IANA's registry; `PASSWORD` and `APOP` for those of POP3.
    pub(crate) mechanism: &'static str,
    /// The name of the app password that was used, where it was one.
    pub(crate) app_password: Option<String>,
}

impl ClientFacts {
    pub(crate) fn new(
        shared: &Shared,
        listener: &ListenerFacts,
        peer: &Peer,
        connection: &Connection,
    ) -> Self {
        let security = match connection.tls() {
            Some(_) => Channel::Tls,
            None => Channel::without_tls(listener.clear_passwords),
        };
        let channel_bindings = shared.tls.as_ref().map(|tls| tls.channel_bindings(connection));
        Self { ip: peer.ip(), security, channel_bindings: channel_bindings.unwrap_or_default() }
    }
}

impl Login {
    /// For the trace.
    pub(crate) fn reason(&self) -> String {
        match &self.app_password {
            Some(name) => format!("logged in by {} with the app password {name:?}", self.mechanism),
            None => format!("logged in by {}", self.mechanism),
        }
    }
}

impl Authenticator {
    pub(crate) fn new(
        auth: &Auth,
        issuers: &[Oauth],
        host_name: &str,
        secret: &NodeSecret,
        outside: Arc<dyn Outside>,
        stage: watch::Receiver<Stage>,
    ) -> Self {
        let tokens: Box<dyn TokenVerifier> =
            if issuers.is_empty() { Box::new(NoIssuer) } else { Box::new(Issuers::new(issuers)) };
        let has_issuer = !issuers.is_empty();
        let is_usable = |mechanism: &Mechanism| has_issuer || !mechanisms::needs_issuer(*mechanism);
        Self {
            mechanisms: auth.mechanisms.iter().copied().filter(is_usable).collect(),
            host_name: host_name.to_owned(),
            fake_salt_key: secret.key("salts of accounts that do not exist"),
            failures: Mutex::new(Failures::new(limits(auth))),
            hashing: Hashing::new(auth.hashing_concurrency_max),
            tokens,
            outside,
            stage,
        }
    }

    /// The names of the mechanisms that are offered on such a connection, in the order of the configuration.
    pub(crate) fn mechanisms(&self, security: Channel) -> Vec<String> {
        let offered =
            self.mechanisms.iter().filter(|mechanism| mechanisms::is_offered(**mechanism, security));
        offered.map(|mechanism| mechanism.name().to_owned()).collect()
    }

    /// Whether there may be accounts that keep a secret for APOP: it is offered where CRAM-MD5 is.
    pub(crate) fn offers_apop(&self) -> bool {
        self.mechanisms.contains(&Mechanism::CramMd5)
    }

    /// Begins an exchange.
    ///
    /// # Errors
    /// A mechanism that is not offered there, and a system without random numbers.
    pub(crate) fn begin(self: &Arc<Self>, mechanism: &str, client: &ClientFacts) -> Result<Attempt, Refusal> {
        let mechanism = Mechanism::named(mechanism).ok_or(Refusal::UnknownMechanism)?;
        if !self.mechanisms.contains(&mechanism) || !mechanisms::is_offered(mechanism, client.security) {
            return Err(Refusal::WeakMechanism);
        }
        let mut nonce = [0; 18];
        getrandom::fill(&mut nonce).map_err(|_| Refusal::Unavailable("a random number"))?;
        // Where no -PLUS mechanism is offered, a client that can bind must not take that for a trick (RFC 5802 §6).
        let binds = self.mechanisms.iter().any(|mechanism| mechanism.binds_channel());
        let setup = Setup {
            host_name: self.host_name.clone(),
            nonce,
            time_s: self.now().seconds(),
            channel_bindings: client.channel_bindings.iter().filter(|_| binds).map(binding).collect(),
            fake_salt_key: self.fake_salt_key,
        };
        Ok(Attempt::new(Arc::clone(self), Exchange::new(mechanism, setup), client.ip))
    }

    /// Checks the password that POP3's USER and PASS brought.
    ///
    /// # Errors
    /// Why nobody is logged in; failures are told after their delay.
    pub(crate) async fn password(
        &self,
        store: &Arc<dyn Store>,
        name: &str,
        password: &str,
        ip: IpAddr,
    ) -> Result<Login, Refusal> {
        self.check_password(store, "PASSWORD", name, password, ip).await
    }

    /// Checks the digest that POP3's APOP brought (RFC 1939 §7); `timestamp` is that of the greeting, with its angle
    /// brackets.
    ///
    /// # Errors
    /// Why nobody is logged in; failures are told after their delay.
    pub(crate) async fn apop(
        &self,
        store: &Arc<dyn Store>,
        name: &str,
        timestamp: &str,
        digest: &[u8],
        ip: IpAddr,
    ) -> Result<Login, Refusal> {
        let subject = self.admit(store, name, ip).await?;
        let secret = subject.account().and_then(|account| account.credentials.shared_secret.clone());
        // Without a secret the same work is done.
        let expected = sasl::apop_digest(timestamp, secret.as_deref().unwrap_or_default());
        let is_right = sasl::same_octets(&expected, digest) && secret.is_some();
        let why = subject.why(if secret.is_some() { Why::Password } else { Why::NoSharedSecret });
        self.conclude(subject, is_right, why, "APOP", None).await
    }

    fn now(&self) -> Timestamp {
        self.outside.now()
    }

    fn lock_failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        // Counts stay usable whatever happened to a thread that held them.
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass, unless the node stops.
    async fn wait(&self, time: Duration) {
        let mut stage = self.stage.clone();
        tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage > Stage::Serving) => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

fn binding(binding: &ChannelBinding) -> sasl::ChannelBinding {
    sasl::ChannelBinding { name: binding.name, data: binding.data.clone() }
}

fn limits(auth: &Auth) -> Limits {
    Limits {
        account_failures_max: u32::try_from(auth.account_failures_max).unwrap_or(u32::MAX),
        network_failures_max: u32::try_from(auth.network_failures_max).unwrap_or(u32::MAX),
        account_forgotten_after: auth.account_failure_forgotten_s.duration(),
        network_forgotten_after: auth.network_failure_forgotten_s.duration(),
    }
}

#[cfg(test)]
mod tests;
