//! The driver of POP3 sessions.

pub(crate) mod expiry;
mod login;
mod update;

use std::sync::Arc;

use pop3::{Apop, Config, Expire, Failure, Flow, Plaintext, Security, Session, Step, TlsOffer, WithoutUtf8};
use store::{BodyStream, StoreError};
use tokio::time::Instant;
use types::limits::COMMAND_LINE_BYTES_MIN;
use types::{EventStep, TlsParameters, Verdict};

use self::login::{Opened, apop_offer};
use crate::auth::{Attempt, Channel};
use crate::config::{Pop3Expiry, Switch};
use crate::connection::{Arrival, COMMAND_BUFFER_BYTES, Connection};
use crate::listener::{ClearPasswords, ListenerFacts};
use crate::shared::{Peer, Shared, Stage};
use crate::timeline::Timeline;
use crate::tls;

/// What a listener's sessions have in common.
#[derive(Clone)]
pub(crate) struct Speech {
    pub(crate) config: Arc<Config>,
    pub(crate) facts: Arc<ListenerFacts>,
}

impl Speech {
    pub(crate) fn new(shared: &Shared, facts: &Arc<ListenerFacts>) -> Self {
        let config = Config {
            host_name: shared.host_name.clone(),
            line_bytes_max: COMMAND_LINE_BYTES_MIN,
            errors_max: u32::try_from(shared.config.pop3.errors_max).unwrap_or(u32::MAX),
            tls: if facts.tls_config.is_some() { TlsOffer::Stls } else { TlsOffer::None },
            plaintext: match facts.logins_without_tls() {
                ClearPasswords::Allowed => Plaintext::Allowed,
                ClearPasswords::Refused => Plaintext::OnlyWithTls,
            },
            mechanisms_clear: shared.authenticator.mechanisms(Channel::without_tls(facts.clear_passwords)),
            mechanisms_tls: shared.authenticator.mechanisms(Channel::Tls),
            // Each session has a timestamp of its own.
            apop: Apop::Off,
            login_delay_s: shared.config.pop3.login_delay_s.0,
            expire: match shared.config.pop3.expire {
                Pop3Expiry::Never => Expire::Never,
                Pop3Expiry::AfterDays(days) => Expire::AfterDays(days),
            },
            without_utf8: match shared.config.pop3.surrogates {
                Switch::On => WithoutUtf8::Surrogate,
                Switch::Off => WithoutUtf8::AsStored,
            },
        };
        Self { config: Arc::new(config), facts: Arc::clone(facts) }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, speech: Speech, connection: Connection, peer: Peer) {
    let _count = shared.count_session();
    let mut timeline = Timeline::new(Arc::clone(&shared), peer.session_id);
    timeline.note(EventStep::Connected, format!("from {} to {}", peer.ip(), speech.facts.service.as_str()));
    let security = if let Some(TlsParameters { version, cipher_suite }) = &peer.tls {
        timeline.note(EventStep::Tls, format!("{version} {cipher_suite}"));
        Security::Tls
    } else {
        Security::Clear
    };
    let apop = apop_offer(&shared);
    let config = match &apop {
        Apop::Off => speech.config,
        Apop::Timestamp(_) => Arc::new(Config { apop: apop.clone(), ..Config::clone(&speech.config) }),
    };
    let driver = Box::new(Driver {
        connection,
        session: Session::new(config, security),
        apop,
        attempt: None,
        timeline,
        facts: speech.facts,
        opened: None,
        answered: Instant::now(),
        shared,
        peer,
    });
    driver.run().await;
}

struct Driver {
    shared: Arc<Shared>,
    peer: Peer,
    connection: Connection,
    session: Session,
    facts: Arc<ListenerFacts>,
    /// What the greeting offered.
    apop: Apop,
    /// An exchange of AUTH under way.
    attempt: Option<Attempt>,
    timeline: Timeline,
    opened: Option<Opened>,
    /// When something was sent last. The whole of a command must come within the time for one, however slowly
    /// its octets do.
    answered: Instant,
}

impl Driver {
    async fn run(mut self: Box<Self>) {
        // What is not waited for between commands has its own memory, and only as long as it goes on.
        loop {
            let (consumed, step) = self.session.receive(self.connection.input());
            self.connection.consume(consumed);
            let goes_on = match step {
                Step::NeedInput => self.send().await && self.receive().await,
                Step::Flush => self.send().await,
                Step::Authenticate { name, password } => {
                    let login = Box::pin(self.log_in(&name, &password)).await;
                    self.session.authenticated(login);
                    true
                }
                Step::Apop { name, digest } => {
                    let login = Box::pin(self.apop(&name, &digest)).await;
                    self.session.authenticated(login);
                    true
                }
                Step::SaslBegin { mechanism, initial_response } => {
                    Box::pin(self.sasl_begin(&mechanism, initial_response.as_deref())).await;
                    true
                }
                Step::SaslRespond(response) => {
                    Box::pin(self.sasl_respond(Some(&response))).await;
                    true
                }
                Step::Retrieve { index } => Box::pin(self.retrieve(index)).await,
                Step::Commit { deleted, retrieved } => {
                    let result = Box::pin(self.update(&deleted, &retrieved)).await;
                    self.session.committed(result);
                    true
                }
                Step::StartTls => {
                    let is_on = self.send().await && Box::pin(self.handshake()).await;
                    self.session.secured();
                    is_on
                }
                Step::Close => break,
            };
            if !goes_on {
                return self.ended("the client closed the connection without QUIT");
            }
        }
        self.ended(if self.session.has_quit() { "by QUIT" } else { "by the server" });
        // The next session may begin before this connection has drained.
        self.opened = None;
        if self.send().await {
            self.connection.close_and_drain(self.shared.stage.clone()).await;
        }
    }

    fn ended(&mut self, how: &str) {
        self.timeline.note(EventStep::Closed, how);
        self.timeline.set_due();
        self.timeline.flush();
    }

    /// Begins TLS; false where the peer does not.
    async fn handshake(&mut self) -> bool {
        let (shared, config) = (&self.shared, self.facts.tls_config.clone());
        let is_on = tls::begin(shared, config, &mut self.connection, &mut self.timeline, &self.peer).await;
        self.answered = Instant::now();
        is_on
    }

    async fn send(&mut self) -> bool {
        if !self.session.output().is_empty() {
            let is_sent = self.connection.send(self.session.output()).await.is_ok();
            self.answered = Instant::now();
            return is_sent;
        }
        true
    }

    async fn receive(&mut self) -> bool {
        self.timeline.flush();
        let deadline = self.answered + self.shared.config.pop3.command_timeout_s.duration();
        let stage = self.shared.stage.clone();
        self.connection.release_buffer();
        match self.connection.receive(COMMAND_BUFFER_BYTES, deadline, stage, Stage::Finishing).await {
            Arrival::Octets => {
                self.look_again().await;
                true
            }
            Arrival::End => false,
            arrival => {
                let why =
                    if arrival == Arrival::TimedOut { "no command came in time" } else { "the node stops" };
                self.timeline.judged(EventStep::Limit, Verdict::Deferred, None, why);
                // RFC 1939 §3: closed without entering UPDATE.
                self.session.time_out();
                true
            }
        }
    }

    /// Streams a message; false where the connection is of no more use.
    async fn retrieve(&mut self, index: usize) -> bool {
        let mut stream = match self.content(index).await {
            Ok(stream) => stream,
            Err(failure) => {
                self.session.content_end(Err(failure));
                return true;
            }
        };
        let result = loop {
            let octets = match stream.next().await {
                Ok(octets) => octets,
                Err(error) => break Err(failure(&error)),
            };
            if octets.is_empty() {
                break Ok(());
            }
            let flow = self.session.content(&octets);
            if flow == Flow::Enough {
                break Ok(());
            }
            if self.session.output().len() >= pop3::OUTPUT_BYTES_SOFT_MAX && !self.send().await {
                return false;
            }
        };
        self.session.content_end(result);
        true
    }

    async fn content(&mut self, index: usize) -> Result<Box<dyn BodyStream>, Failure> {
        self.check_standing().await?;
        let opened = self.opened.as_ref().ok_or(Failure::Gone)?;
        let entry = opened.entries.get(index).ok_or(Failure::Gone)?;
        self.shared.store.open(opened.mailbox, entry.uid).await.map_err(|error| failure(&error))
    }
}

fn failure(error: &StoreError) -> Failure {
    match error {
        StoreError::NoSuchMessage | StoreError::NoSuchMailbox => Failure::Gone,
        StoreError::Damaged(_) | StoreError::Conflict(_) => Failure::Permanent,
        _ => Failure::Temporary,
    }
}
