//! The driver of SMTP and LMTP sessions: octets, waits, look-ups, and the durable commit before `250`.
//!
//! What a question of the machine needs to be answered stands in the file of its verb; [`answer`] puts the answers
//! together and tells them to the session, to the trace and to the metrics.

mod accept;
mod acceptor;
mod answer;
mod authentication;
mod config;
mod content;
mod identity;
mod lists;
mod lookup;
mod recipients;
mod reputation;
mod reverse;
mod rooms;
mod sender;
mod verification;
mod xclient;

use std::net::SocketAddr;
use std::sync::Arc;

use smtp::server::{Config, Phase, Security, Session, Step};
use tokio::time::Instant;
use tracing::{debug, info};
use types::{Domain, EventStep, MailId, ReplyKind, TlsParameters};

use crate::auth::Attempt;
use crate::authenticity::Verification;
use crate::config::Service;
use crate::connection::{Arrival, COMMAND_BUFFER_BYTES, Connection, DATA_BUFFER_BYTES};
use crate::directory::Route;
use crate::listener::ListenerFacts;
use crate::reputation::Inquiry;
use crate::shared::{Client, Peer, Shared, Stage};
use crate::timeline::Timeline;
use crate::tls::HandshakePermit;
use accept::Incoming;
use identity::Identity;

/// Replies that gather before they are sent even though more commands wait.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// What a listener's sessions have in common.
#[derive(Clone)]
pub(crate) struct Speech {
    pub(crate) config: Arc<Config>,
    pub(crate) facts: Arc<ListenerFacts>,
}

impl Speech {
    pub(crate) fn new(shared: &Shared, facts: &Arc<ListenerFacts>) -> Self {
        Self { config: config::session_config(shared, facts), facts: Arc::clone(facts) }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, speech: Speech, connection: Connection, peer: Peer) {
    let _count = shared.count_session();
    let Speech { config, facts } = speech;
    let mut timeline = Timeline::new(Arc::clone(&shared), peer.session_id);
    timeline.note(EventStep::Connected, format!("from {} to {}", peer.ip(), facts.service.as_str()));
    let security = if let Some(TlsParameters { version, cipher_suite }) = &peer.tls {
        timeline.note(EventStep::Tls, format!("{version} {cipher_suite}"));
        Security::Tls
    } else {
        Security::Clear
    };
    let mut session = Session::new(config, security);
    session.quote_id(peer.session_id);
    session.ask_about_hello();
    if peer.is_in(&facts.xclient_from) {
        session.allow_xclient();
    }
    reputation::ask_early(&shared, &facts, &peer);
    if let Some(decision) = Box::pin(reputation::refused_greeting(&shared, &facts, &peer)).await {
        shared.metrics.refused("CONNECT", decision.reply.code);
        timeline.decided(EventStep::Connected, None, &decision.reply, decision.reason);
        session.output().clear();
        session.close(&decision.reply);
    }
    let driver = Box::new(Driver {
        connection,
        session,
        timeline,
        tls: peer.tls.clone(),
        tls_permit: None,
        identity: None,
        attempt: None,
        unproxied: None,
        verification: None,
        inquiry: None,
        early_verifications: 0,
        is_repeated: false,
        incoming: None,
        began: Instant::now(),
        progress: Instant::now(),
        message_began: None,
        granted: Vec::new(),
        facts,
        shared,
        peer,
    });
    driver.run().await;
}

struct Driver {
    shared: Arc<Shared>,
    peer: Peer,
    connection: Connection,
    session: Session<Arc<Route>>,
    facts: Arc<ListenerFacts>,
    timeline: Timeline,
    /// What was agreed on, once TLS is on.
    tls: Option<TlsParameters>,
    /// Leave to begin TLS, from 220 to the end of the handshake.
    tls_permit: Option<HandshakePermit>,
    /// Who has logged in.
    identity: Option<Identity>,
    /// An authentication that is under way.
    attempt: Option<Box<Attempt>>,
    /// Who the peer was before XCLIENT said somebody else.
    unproxied: Option<(SocketAddr, Client)>,
    /// Who really sends is being asked, from MAIL to the first octet of the message.
    verification: Option<Box<Verification>>,
    /// What others know of who sends, for the same time.
    inquiry: Option<Box<Inquiry>>,
    /// How often that was asked at MAIL since a message was taken.
    early_verifications: u32,
    /// The message that MAIL began was accepted before, by its key.
    is_repeated: bool,
    /// The message that is coming in, if one is.
    incoming: Option<Box<Incoming>>,
    began: Instant,
    /// When a reply was sent last, or octets of a message came. The whole of a command must come within the time
    /// for one, however slowly its octets do.
    progress: Instant,
    /// Since when a message is coming in.
    message_began: Option<Instant>,
    /// Domains whose mail goes over this connection once client and server have changed places.
    granted: Vec<Domain>,
}

impl Driver {
    async fn run(mut self: Box<Self>) {
        loop {
            let (consumed, step) = self.session.receive(self.connection.input());
            self.connection.consume(consumed);
            self.follow();
            match step {
                Step::Input => {
                    if self.send().await.is_err() || !self.receive().await {
                        return self.ended("the client closed the connection without QUIT");
                    }
                }
                Step::Body => Box::pin(self.take_body()).await,
                // In memory of its own: what it needs while it runs would else be kept for each idle session.
                Step::Answer => Box::pin(self.answer()).await,
                Step::StartTls => {
                    if self.send().await.is_err() || !Box::pin(self.start_tls()).await {
                        return self.ended("TLS could not be begun");
                    }
                }
                Step::Reverse => return Box::pin(self.reverse()).await,
                Step::Close => break,
            }
            if self.session.output().len() > OUTPUT_BYTES_MAX && self.send().await.is_err() {
                return self.ended("the client takes no replies");
            }
        }
        self.ended(if self.session.has_quit() { "by QUIT" } else { "by the server" });
        if self.send().await.is_err() {
            return;
        }
        if self.session.has_quit() {
            self.connection.close().await;
        } else {
            Box::pin(self.connection.close_and_drain(self.shared.stage.clone())).await;
        }
    }

    /// Lets go of what the session has no more use for, and notes what it has refused by itself.
    fn follow(&mut self) {
        if !self.session.is_receiving() {
            self.incoming = None;
            if self.session.phase() == Phase::Command {
                self.message_began = None;
            }
        }
        for refusal in self.session.take_refusals() {
            self.shared.metrics.refused(refusal.verb, refusal.reply.code);
            let step = answer::step_of(refusal.verb);
            self.timeline.decided(step, None, &refusal.reply, "the protocol does not allow it");
        }
        if self.timeline.mail_id().is_some() && self.session.is_idle() {
            self.set_mail(None);
        }
    }

    /// What comes is about a message, or about the session again.
    fn set_mail(&mut self, mail_id: Option<MailId>) {
        self.verification = None;
        self.inquiry = None;
        self.timeline.set_mail(mail_id);
        self.session.quote_id(mail_id.unwrap_or(self.peer.session_id));
    }

    fn ended(&mut self, how: &str) {
        self.set_mail(None);
        self.timeline.note(EventStep::Closed, how);
        self.timeline.set_due();
        self.timeline.flush();
    }

    async fn send(&mut self) -> std::io::Result<()> {
        if self.session.output().is_empty() {
            return Ok(());
        }
        let sent = self.connection.send(self.session.output()).await;
        self.progress = Instant::now();
        sent
    }

    /// Begins TLS; false where the peer does not. What was known of the client is forgotten (RFC 3207 §4.2).
    async fn start_tls(&mut self) -> bool {
        let Some(config) = self.facts.tls_config.clone() else { return false };
        let (session_id, peer_ip) = (self.peer.session_id, self.peer.address.ip());
        let mut stage = self.shared.stage.clone();
        let begun = tokio::select! {
            biased;
            // Nothing is lost: the transaction is gone, and nothing can be said until TLS is on.
            _ = stage.wait_for(|stage| *stage > Stage::Serving) => return false,
            begun = self.connection.start_tls(config, self.tls_permit.take(), &self.shared.metrics) => begun,
        };
        match begun {
            Ok(parameters) => {
                debug!(%session_id, %peer_ip, ?parameters, "TLS begun");
                if let Some(TlsParameters { version, cipher_suite }) = &parameters {
                    self.timeline.note(EventStep::Tls, format!("{version} {cipher_suite}"));
                }
                self.tls = parameters;
                self.identity = None;
                self.attempt = None;
                if let Some((address, client)) = self.unproxied.take() {
                    self.peer.address = address;
                    self.peer.client = client;
                }
                self.session.secured();
                self.progress = Instant::now();
                true
            }
            Err(error) => {
                info!(%session_id, %peer_ip, %error, "TLS could not be begun");
                self.timeline.note(EventStep::Tls, format!("the handshake failed: {error}"));
                false
            }
        }
    }

    /// Waits for octets; false where the connection is of no more use. A wait that ends otherwise closes the
    /// session with the reply that says why.
    async fn receive(&mut self) -> bool {
        if self.session.is_idle() && self.session.hello().is_some() {
            // It may wait long: what it has told goes to the trace, and no memory is kept for the next reply.
            self.timeline.set_due();
            *self.session.output() = Vec::new();
        }
        self.timeline.flush();
        let smtp = &self.shared.config.smtp;
        let (capacity, wait) = match self.session.phase() {
            Phase::Command => {
                self.connection.release_buffer();
                (COMMAND_BUFFER_BYTES.max(self.session.line_bytes_max()), smtp.command_timeout_s)
            }
            Phase::Data => {
                self.progress = Instant::now();
                self.message_began.get_or_insert(self.progress);
                (DATA_BUFFER_BYTES, smtp.data_block_timeout_s)
            }
        };
        // Between the chunks of a message its time runs on.
        let (limit, since) = match self.message_began {
            Some(message_began) => (smtp.message_timeout_s, message_began),
            None => (smtp.session_timeout_s, self.began),
        };
        let (progress_until, all_until) = (self.progress + wait.duration(), since + limit.duration());
        let last_stage = if self.session.is_idle() { Stage::Finishing } else { Stage::Ending };
        let stage = self.shared.stage.clone();
        let deadline = progress_until.min(all_until);
        let arrival = if Instant::now() < all_until {
            self.connection.receive(capacity, deadline, stage, last_stage).await
        } else {
            // Even where octets are there already: a peer that always has some would never be stopped.
            Arrival::TimedOut
        };
        let reply = match arrival {
            Arrival::Octets => return true,
            Arrival::End => return false,
            Arrival::TimedOut if progress_until <= all_until => ReplyKind::IdleTimeout.with(wait.0),
            Arrival::TimedOut => ReplyKind::SessionTimeout.with(limit.0),
            Arrival::Stopping => ReplyKind::ShuttingDown.with(&self.shared.host_name),
        };
        self.shared.metrics.refused("CONNECT", reply.code);
        self.timeline.decided(EventStep::Limit, None, &reply, "the session is ended");
        self.session.close(&reply);
        true
    }

    async fn take_body(&mut self) {
        let mut octets = self.session.take_body();
        if self.incoming.is_none() {
            let verification = self.verification.take().or_else(|| self.late_verification());
            let inquiry = self.inquiry.take();
            let begun = self.begin_message(verification);
            self.incoming = begun.map(|mut incoming| {
                incoming.inquiry = inquiry;
                Box::new(incoming)
            });
        }
        if let Some(incoming) = &mut self.incoming {
            incoming.append(&self.shared, self.identity.as_ref(), &mut octets).await;
            self.session.give_back(octets);
        }
    }
}

/// What a listener is for, as decisions know it.
const fn mta_role(service: Service) -> mta::admission::Role {
    use mta::admission::Role;
    match config::role(service) {
        smtp::server::Role::Transfer => Role::Transfer,
        smtp::server::Role::Submission => Role::Submission,
        smtp::server::Role::Lmtp => Role::Lmtp,
        // Its clients have accounts, and send nothing.
        smtp::server::Role::OnDemand => Role::Submission,
    }
}
