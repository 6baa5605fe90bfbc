//! A driver without sockets: it answers the machine's steps from a maildrop in memory.
#![allow(dead_code, unreachable_pub, reason = "a module of several tests, each of which uses its part")]

use std::sync::Arc;

use pop3::{
    Apop, Config, Expire, Failure, Flow, Login, Maildrop, Message, Plaintext, Security, Session, Step,
    TlsOffer, WithoutUtf8,
};
use sasl::{Exchange, Mechanism, ScramVerifier, Secret, Setup, TokenFault};

/// What the store and the directory hold, and how they fail.
#[derive(Debug, Clone, Default)]
pub struct World {
    pub account: Option<(String, String)>,
    pub messages: Vec<(String, Vec<u8>)>,
    /// Another answer than Ok to a right password.
    pub login: Option<LoginFault>,
    pub commit: Option<Failure>,
    /// Every message fails after so many octets.
    pub read: Option<(usize, Failure)>,
    /// Octets that one call of `content` brings; 0 is the whole message.
    pub chunk_bytes: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginFault {
    InUse,
    TooSoon,
    Unavailable,
    Disabled,
}

/// How the session went.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// All that the client saw.
    pub output: Vec<u8>,
    /// What UPDATE deleted, where it was reached and did not fail.
    pub committed: Option<Vec<usize>>,
    /// What it was to delete, where it failed.
    pub refused: Option<Vec<usize>>,
    /// What else was read, where UPDATE was reached and did not fail.
    pub retrieved: Vec<usize>,
    pub is_closed: bool,
    /// Octets of the input that the machine took.
    pub consumed: usize,
    /// Octets that came in clear after STLS, and were thrown away.
    pub dropped: usize,
    /// TLS is agreed on: what comes next is the handshake.
    pub is_starting_tls: bool,
}

pub struct Driver {
    pub session: Session,
    pub world: World,
    pub outcome: Outcome,
    unread: Vec<u8>,
    security: Security,
    config: Config,
    exchange: Option<Exchange>,
    has_committed: bool,
}

pub fn config() -> Config {
    Config {
        host_name: "mail.example".into(),
        line_bytes_max: 255,
        errors_max: 10,
        tls: TlsOffer::None,
        plaintext: Plaintext::Allowed,
        mechanisms_clear: Vec::new(),
        mechanisms_tls: Vec::new(),
        apop: Apop::Off,
        login_delay_s: 0,
        expire: Expire::Never,
        without_utf8: WithoutUtf8::AsStored,
    }
}

impl Driver {
    pub fn new(config: Config, world: World) -> Self {
        Self::with_security(config, world, Security::Clear)
    }

    /// On a connection that begins so.
    pub fn with_security(config: Config, world: World, security: Security) -> Self {
        let session = Session::new(Arc::new(config.clone()), security);
        let (outcome, unread) = (Outcome::default(), Vec::new());
        let mut driver =
            Self { session, world, outcome, unread, security, config, exchange: None, has_committed: false };
        driver.write_out();
        driver
    }

    /// The handshake, when the session has asked for it.
    pub fn secure(&mut self) {
        assert!(std::mem::take(&mut self.outcome.is_starting_tls), "the session has asked for TLS");
        self.session.secured();
        self.security = Security::Tls;
        assert!(self.unread.is_empty() && self.session.output().is_empty(), "TLS begins with nothing");
    }

    /// Feeds octets as one segment and answers all that is asked; returns what came out.
    pub fn feed(&mut self, octets: &[u8]) -> Vec<u8> {
        let seen = self.outcome.output.len();
        self.unread.extend_from_slice(octets);
        loop {
            let (consumed, step) = self.session.receive(&self.unread);
            self.unread.drain(..consumed);
            self.outcome.consumed += consumed;
            self.write_out();
            match step {
                Step::NeedInput => {
                    assert!(self.unread.is_empty(), "NeedInput leaves nothing behind");
                    break;
                }
                Step::Flush => {}
                Step::StartTls => {
                    assert_eq!(self.security, Security::Clear, "TLS begins once");
                    assert!(consumed == 0 || !self.outcome.is_starting_tls, "nothing is read before TLS");
                    self.outcome.is_starting_tls = true;
                    self.outcome.dropped += self.unread.len();
                    self.unread.clear();
                    break;
                }
                Step::Authenticate { name, password } => {
                    let is_permitted =
                        self.config.plaintext == Plaintext::Allowed || self.security == Security::Tls;
                    assert!(is_permitted, "no password is taken in clear");
                    let login = self.world.login(&name, password.reveal());
                    self.session.authenticated(login);
                }
                Step::Apop { name, digest } => {
                    let Apop::Timestamp(timestamp) = &self.config.apop else { panic!("APOP is not offered") };
                    let secret = self.world.password_of(&name).unwrap_or_default();
                    let is_right = !secret.is_empty() && sasl::apop_digest(timestamp, &secret) == digest;
                    let login = self.world.opened(is_right);
                    self.session.authenticated(login);
                }
                Step::SaslBegin { mechanism, initial_response } => {
                    let offered = match self.security {
                        Security::Clear => &self.config.mechanisms_clear,
                        Security::Tls => &self.config.mechanisms_tls,
                    };
                    assert!(offered.contains(&mechanism), "{mechanism} is not offered");
                    let mechanism = Mechanism::named(&mechanism).expect("one that there is");
                    let exchange = self.exchange.insert(Exchange::new(mechanism, setup()));
                    let step = exchange.start(initial_response.as_deref());
                    self.carry_on(step);
                }
                Step::SaslRespond(response) => {
                    let step = self.exchange.as_mut().expect("it has begun").respond(&response);
                    self.carry_on(step);
                }
                Step::Retrieve { index } => self.stream(index),
                Step::Commit { deleted, retrieved } => {
                    assert!(!self.has_committed, "UPDATE comes once");
                    self.has_committed = true;
                    let outcome = self.world.commit.map_or(Ok(()), Err);
                    if outcome.is_ok() {
                        self.outcome.retrieved = retrieved;
                        self.outcome.committed = Some(deleted);
                    } else {
                        self.outcome.refused = Some(deleted);
                    }
                    self.session.committed(outcome);
                }
                Step::Close => {
                    self.outcome.is_closed = true;
                    break;
                }
            }
            self.write_out();
        }
        self.outcome.output[seen..].to_vec()
    }

    /// Answers the steps of an exchange until the client has its turn or the exchange its end.
    fn carry_on(&mut self, mut step: sasl::Step) {
        let exchange = self.exchange.as_mut().expect("it has begun");
        loop {
            step = match step {
                sasl::Step::Challenge(octets) => return self.session.challenge(&octets),
                sasl::Step::Done(identity) => {
                    let is_himself = identity.authzid.is_empty() || identity.authzid == identity.authcid;
                    return self.session.authenticated(self.world.opened(is_himself));
                }
                sasl::Step::Refused(sasl::Refusal::Malformed) => {
                    return self.session.authenticated(Login::Malformed);
                }
                sasl::Step::Refused(_) => return self.session.authenticated(Login::Refused),
                sasl::Step::VerifyPassword { authcid, password, .. } => {
                    let expected = self.world.password_of(&authcid);
                    exchange.verified(expected.is_some_and(|expected| expected == password.reveal()))
                }
                sasl::Step::FetchScram { authcid, hash } => {
                    let password = self.world.password_of(&authcid);
                    exchange.scram(password.and_then(|p| ScramVerifier::new(hash, &p, b"salt", 4096).ok()))
                }
                sasl::Step::FetchSharedSecret { authcid } => {
                    exchange.shared_secret(self.world.password_of(&authcid).map(Secret::new))
                }
                sasl::Step::VerifyToken { .. } => exchange.token(Err(TokenFault::Invalid.into())),
            };
        }
    }

    fn stream(&mut self, index: usize) {
        let message = self.world.messages[index].1.clone();
        let (octets, result) = match self.world.read {
            Some((octets, failure)) => (octets.min(message.len()), Err(failure)),
            None => (message.len(), Ok(())),
        };
        let chunk_bytes =
            if self.world.chunk_bytes == 0 { message.len().max(1) } else { self.world.chunk_bytes };
        for chunk in message[..octets].chunks(chunk_bytes) {
            let flow = self.session.content(chunk);
            self.write_out();
            if flow == Flow::Enough {
                return self.session.content_end(Ok(()));
            }
        }
        self.session.content_end(result);
    }

    fn write_out(&mut self) {
        let output = self.session.output();
        self.outcome.output.extend_from_slice(output);
        output.clear();
    }
}

/// The time is that of RFC 2195's example.
fn setup() -> Setup {
    Setup {
        host_name: "mail.example".into(),
        nonce: [0; 18],
        time_s: 697_170_952,
        channel_bindings: Vec::new(),
        fake_salt_key: [7; 32],
    }
}

/// Plays segments in clear, and then `within_tls` where they led to TLS.
pub fn replay(config: &Config, world: &World, segments: &[&[u8]], within_tls: &[u8]) -> Outcome {
    let mut driver = Driver::new(config.clone(), world.clone());
    for segment in segments {
        if !driver.outcome.is_closed {
            driver.feed(segment);
        }
    }
    if driver.outcome.is_starting_tls {
        driver.secure();
        driver.feed(within_tls);
    }
    driver.outcome
}

impl World {
    /// An account `mrose` with the password `secret` and these messages.
    pub fn with_messages(messages: &[&[u8]]) -> Self {
        let messages = messages
            .iter()
            .enumerate()
            .map(|(index, message)| (format!("id-{}", index + 1), message.to_vec()));
        Self {
            account: Some(("mrose".into(), "secret".into())),
            messages: messages.collect(),
            ..Self::default()
        }
    }

    fn login(&self, name: &str, password: &str) -> Login {
        self.opened(self.password_of(name).is_some_and(|expected| expected == password))
    }

    fn password_of(&self, name: &str) -> Option<String> {
        self.account.as_ref().filter(|(known, _)| known == name).map(|(_, password)| password.clone())
    }

    /// What follows a check.
    fn opened(&self, is_right: bool) -> Login {
        match self.login {
            _ if !is_right => Login::Refused,
            Some(LoginFault::InUse) => Login::InUse,
            Some(LoginFault::TooSoon) => Login::TooSoon,
            Some(LoginFault::Disabled) => Login::Disabled,
            Some(LoginFault::Unavailable) => Login::Unavailable,
            None => Login::Ok(Maildrop {
                messages: self
                    .messages
                    .iter()
                    .map(|(unique_id, octets)| Message {
                        size_bytes: octets.len() as u64,
                        unique_id: unique_id.clone(),
                    })
                    .collect(),
            }),
        }
    }
}

/// Takes a multi-line response apart as RFC 1939 §3 tells the client to, and nothing of the product does: the
/// octets after the first line, with the stuffed dots taken away, and what follows the end.
pub fn unstuff(wire: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut content = Vec::new();
    let mut rest = wire;
    loop {
        let end = rest.windows(2).position(|pair| pair == b"\r\n")? + 2;
        let (line, after) = rest.split_at(end);
        if line == b".\r\n" {
            return Some((content, after));
        }
        content.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        rest = after;
    }
}
