//! The driver of IMAP sessions.
//!
//! Standards: RFC 9051 §5.4 (how long is waited), RFC 2177 (IDLE), RFC 4978 (COMPRESS).
//!
//! - [`login`]: LOGIN and AUTHENTICATE.
//! - [`task`]: what the machine asks; [`folders`] and [`messages`] do it.
//! - [`append`]: messages on their way in.
//! - [`content`]: messages on their way out.
//! - [`news`]: what other sessions and deliveries change.
//!
//! Every mailbox that is used comes from the list of the account that is logged in: no id and no name leads to mail of
//! another one (attack 31).

mod append;
mod content;
mod folders;
mod login;
mod messages;
mod news;
mod task;

use std::sync::Arc;

use imap::session::{Compression, Config, Plaintext, Security, Session, ShutDown, Step, TlsOffer};
use tokio::time::Instant;
use types::{EventStep, TlsParameters, Verdict};

use self::append::Appending;
use self::content::{Ahead, Reading};
use self::login::LoggedIn;
use crate::auth::{Attempt, Channel};
use crate::connection::{Arrival, COMMAND_BUFFER_BYTES, Connection, DATA_BUFFER_BYTES};
use crate::listener::{ClearPasswords, ListenerFacts};
use crate::shared::{Peer, Shared, Stage};
use crate::timeline::Timeline;
use crate::tls;

/// What a listener's sessions have in common.
#[derive(Clone)]
pub(crate) struct Speech {
    config: Arc<Config>,
    pub(crate) facts: Arc<ListenerFacts>,
}

impl Speech {
    pub(crate) fn new(shared: &Shared, facts: &Arc<ListenerFacts>) -> Self {
        let settings = &shared.config.imap;
        let config = Config {
            host_name: shared.host_name.clone(),
            tls: if facts.tls_config.is_some() && !facts.service.begins_with_tls() {
                TlsOffer::StartTls
            } else {
                TlsOffer::None
            },
            plaintext: match facts.logins_without_tls() {
                ClearPasswords::Allowed => Plaintext::Allowed,
                ClearPasswords::Refused => Plaintext::OnlyWithTls,
            },
            mechanisms_clear: shared.authenticator.mechanisms(Channel::without_tls(facts.clear_passwords)),
            mechanisms_tls: shared.authenticator.mechanisms(Channel::Tls),
            compression: Compression::Deflate,
            append_bytes_max: settings.message_bytes_max.bytes(),
            errors_max: u32::try_from(settings.errors_max).unwrap_or(u32::MAX),
            server_id: vec![
                ("name".to_owned(), "Posta".to_owned()),
                ("version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ],
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
    let driver = Box::new(Driver {
        connection,
        session: Session::new(speech.config, security),
        attempt: None,
        timeline,
        facts: speech.facts,
        login: None,
        append: None,
        reading: None,
        ahead: None,
        heard_at: Instant::now(),
        strange_since: Instant::now(),
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
    /// An exchange of AUTHENTICATE under way.
    attempt: Option<Attempt>,
    timeline: Timeline,
    login: Option<Box<LoggedIn>>,
    /// An APPEND under way.
    append: Option<Box<Appending>>,
    /// A message that was read in part.
    reading: Option<Box<Reading>>,
    /// While messages are written: those behind them.
    ahead: Option<Box<Ahead>>,
    /// When something was sent last, or octets of a message came. The whole of a command must come within the time for
    /// one, however slowly its octets do.
    heard_at: Instant,
    /// Since when nobody is logged in, where nobody is: whatever a stranger says, it is no stranger for long.
    strange_since: Instant,
}

impl Driver {
    async fn run(mut self: Box<Self>) {
        // What is not waited for between commands has its own memory, and only as long as it goes on.
        loop {
            let (consumed, step) = self.session.receive(self.connection.input());
            self.connection.consume(consumed);
            let goes_on = match step {
                Step::NeedInput => self.send().await && self.wait().await,
                Step::Flush => {
                    // A long answer of facts alone ends here where its account does.
                    Box::pin(self.look_again()).await;
                    self.send().await
                }
                Step::StartTls => {
                    let is_on = self.send().await && Box::pin(self.handshake()).await;
                    self.session.secured();
                    is_on
                }
                Step::StartCompression => {
                    let is_sent = self.send().await;
                    self.connection.start_compression();
                    self.session.compressed();
                    is_sent
                }
                Step::Content { uid, from, len } => Box::pin(self.content(uid, from, len)).await,
                Step::Close => break,
                step => Box::pin(self.act(step)).await,
            };
            if !goes_on {
                return self.ended("the client closed the connection without LOGOUT");
            }
        }
        self.ended("the session is over");
        // What it had open is free before this connection has drained.
        (self.login, self.append, self.reading) = (None, None, None);
        self.ahead = None;
        if self.send().await {
            self.connection.close_and_drain(self.shared.stage.clone()).await;
        }
    }

    /// What is done now and then; false where the connection is of no more use.
    async fn act(&mut self, step: Step) -> bool {
        match step {
            Step::LogIn { name, password } => self.log_in(&name, &password).await,
            Step::SaslBegin { mechanism, initial_response } => {
                self.sasl_begin(&mechanism, initial_response.as_ref()).await;
            }
            Step::SaslRespond(response) => self.sasl_respond(Some(&response)).await,
            Step::LogOut => self.log_out(),
            Step::Task(task) => return self.task(task).await,
            Step::Structures(uids, detail) => return self.structures(&uids, detail).await,
            Step::Append(task) => self.append(task).await,
            // The loop has them.
            Step::NeedInput
            | Step::Flush
            | Step::StartTls
            | Step::StartCompression
            | Step::Content { .. }
            | Step::Close => {}
        }
        true
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
        self.heard_at = Instant::now();
        is_on
    }

    async fn send(&mut self) -> bool {
        if self.session.output().is_empty() {
            return true;
        }
        let is_sent = self.connection.send(self.session.output()).await.is_ok();
        self.heard_at = Instant::now();
        is_sent
    }

    /// Waits for octets or for news.
    async fn wait(&mut self) -> bool {
        if self.has_news() {
            Box::pin(self.tell_news()).await;
            return true;
        }
        self.timeline.flush();
        let settings = &self.shared.config.imap;
        let deadline = match &self.login {
            None => self.strange_since + settings.login_timeout_s.duration(),
            Some(_) => self.heard_at + settings.command_timeout_s.duration(),
        };
        let deadline = match &self.append {
            Some(append) => deadline.min(append.began + settings.append_timeout_s.duration()),
            None => deadline,
        };
        let stage = self.shared.stage.clone();
        // A message that is on its way may come to its end.
        let (capacity, last_stage) = match &self.append {
            Some(_) => (DATA_BUFFER_BYTES, Stage::Ending),
            None => (COMMAND_BUFFER_BYTES, Stage::Finishing),
        };
        self.ahead = None;
        self.connection.release_buffer();
        let octets = self.connection.receive(capacity, deadline, stage, last_stage);
        let arrival = match &self.login {
            None => octets.await,
            Some(login) => tokio::select! {
                biased;
                arrival = octets => arrival,
                () = login.member.ear().woken() => return true,
            },
        };
        match arrival {
            Arrival::Octets => {
                if self.append.is_some() {
                    self.heard_at = Instant::now();
                }
                self.catch_up().await;
                true
            }
            Arrival::End => false,
            Arrival::TimedOut => {
                self.timeline.judged(EventStep::Limit, Verdict::Deferred, None, "no command came in time");
                self.session.shut_down(ShutDown::TimedOut);
                true
            }
            Arrival::Stopping => {
                self.timeline.judged(EventStep::Limit, Verdict::Deferred, None, "the node stops");
                self.session.shut_down(ShutDown::Stopping);
                true
            }
        }
    }
}
