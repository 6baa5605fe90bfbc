//! The driver of SMTP sessions: octets, waits, look-ups, and the durable commit before `250`.

mod accept;
mod recipients;

use std::sync::Arc;

use smtp::codec::fault::MessageLimits;
use smtp::server::{AuthOffer, Config, Extensions, HandTyped, Role, TlsPolicy, Phase, Question, Security, Session, Step, TlsOffer};
use store::MailboxId;
use tokio::time::Instant;
use tracing::{debug, info};
use types::{Reply, ReplyKind, TlsParameters};

use crate::config::HandTypedLf;
use crate::connection::{Arrival, COMMAND_BUFFER_BYTES, Connection, DATA_BUFFER_BYTES};
use crate::listener::ListenerFacts;
use crate::shared::{Peer, Shared, Stage};
use crate::tls::{HandshakePermit, Tls};
use accept::Incoming;

/// Replies that gather before they are sent even though more commands wait.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// What an accepted recipient leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    mailbox: MailboxId,
}

/// What a listener's sessions are told.
fn session_config(shared: &Shared, facts: &ListenerFacts) -> Arc<Config> {
    let smtp = &shared.config.smtp;
    Arc::new(Config {
        host_name: shared.host_name.clone(),
        role: Role::Transfer,
        hand_typed: match facts.hand_typed_lf {
            HandTypedLf::Allowed => HandTyped::Allowed,
            HandTypedLf::Refused => HandTyped::Refused,
        },
        tls: if facts.tls_config.is_some() { TlsOffer::StartTls } else { TlsOffer::None },
        tls_policy: TlsPolicy::Optional,
        auth: AuthOffer::default(),
        extensions: Extensions::default(),
        command_line_bytes_max: smtp.command_line_bytes_max.as_usize(),
        message: MessageLimits {
            line_bytes_max: smtp.text_line_bytes_max.as_usize(),
            message_bytes_max: facts.message_bytes_max,
        },
        recipients_max: facts.recipients_max,
        errors_max: u32::try_from(smtp.errors_max).unwrap_or(u32::MAX),
        idle_commands_max: u32::try_from(smtp.idle_commands_max).unwrap_or(u32::MAX),
        body_chunk_bytes: BODY_CHUNK_BYTES,
    })
}

/// What a listener's sessions have in common.
#[derive(Clone)]
pub(crate) struct Speech {
    pub(crate) config: Arc<Config>,
    pub(crate) facts: Arc<ListenerFacts>,
}

impl Speech {
    pub(crate) fn new(shared: &Shared, facts: &Arc<ListenerFacts>) -> Self {
        Self { config: session_config(shared, facts), facts: Arc::clone(facts) }
    }
}

/// Octets of a message that gather before they count against the memory or go to disk.
const BODY_CHUNK_BYTES: usize = 64 * 1024;

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, speech: Speech, connection: Connection, peer: Peer) {
    let _count = shared.count_session();
    let driver = Driver {
        connection,
        session: Session::new(
            speech.config,
            if peer.tls.is_some() { Security::Tls } else { Security::Clear },
        ),
        facts: speech.facts,
        tls: peer.tls.clone(),
        tls_permit: None,
        incoming: None,
        began: Instant::now(),
        progress: Instant::now(),
        message_began: None,
        shared,
        peer,
    };
    driver.run().await;
}

struct Driver {
    shared: Arc<Shared>,
    peer: Peer,
    connection: Connection,
    session: Session<Route>,
    facts: Arc<ListenerFacts>,
    /// What was agreed on, once TLS is on.
    tls: Option<TlsParameters>,
    /// Leave to begin TLS, from 220 to the end of the handshake.
    tls_permit: Option<HandshakePermit>,
    /// The message that is coming in, if one is.
    incoming: Option<Incoming>,
    began: Instant,
    /// When a reply was sent last, or octets of a message came. The whole of a command must come within the time
    /// for one, however slowly its octets do.
    progress: Instant,
    /// Since when a message is coming in.
    message_began: Option<Instant>,
}

impl Driver {
    async fn run(mut self) {
        loop {
            let (consumed, step) = self.session.receive(self.connection.input());
            self.connection.consume(consumed);
            if !self.session.is_receiving() {
                self.incoming = None;
                if self.session.phase() == Phase::Command {
                    self.message_began = None;
                }
            }
            match step {
                Step::Input => {
                    if self.send().await.is_err() || !self.receive().await {
                        return;
                    }
                }
                Step::Body => self.take_body().await,
                Step::Answer => self.answer().await,
                Step::StartTls => {
                    if self.send().await.is_err() || !self.start_tls().await {
                        return;
                    }
                }
                Step::Close => break,
            }
            if self.session.output().len() > OUTPUT_BYTES_MAX && self.send().await.is_err() {
                return;
            }
        }
        if self.send().await.is_err() {
            return;
        }
        if self.session.has_quit() {
            self.connection.close().await;
        } else {
            self.connection.close_and_drain(self.shared.stage.clone()).await;
        }
    }

    async fn send(&mut self) -> std::io::Result<()> {
        if self.session.output().is_empty() {
            return Ok(());
        }
        let sent = self.connection.send(self.session.output()).await;
        self.progress = Instant::now();
        sent
    }

    /// Begins TLS; false where the peer does not.
    async fn start_tls(&mut self) -> bool {
        let Some(config) = self.facts.tls_config.clone() else { return false };
        let (session_id, peer_ip) = (self.peer.session_id, self.peer.address.ip());
        match self.connection.start_tls(config, self.tls_permit.take(), &self.shared.metrics).await {
            Ok(parameters) => {
                debug!(%session_id, %peer_ip, ?parameters, "TLS begun");
                self.tls = parameters;
                self.session.secured();
                self.progress = Instant::now();
                true
            }
            Err(error) => {
                info!(%session_id, %peer_ip, %error, "TLS could not be begun");
                false
            }
        }
    }

    /// Waits for octets; false where the connection is of no more use. A wait that ends otherwise closes the
    /// session with the reply that says why.
    async fn receive(&mut self) -> bool {
        let smtp = &self.shared.config.smtp;
        let (capacity, wait) = match self.session.phase() {
            Phase::Command => {
                self.connection.release_buffer();
                (COMMAND_BUFFER_BYTES.max(smtp.command_line_bytes_max.as_usize()), smtp.command_timeout_s)
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
        match arrival {
            Arrival::Octets => {}
            Arrival::End => return false,
            Arrival::TimedOut if progress_until <= all_until => {
                self.session.close(&ReplyKind::IdleTimeout.with(wait.0));
            }
            Arrival::TimedOut => self.session.close(&ReplyKind::SessionTimeout.with(limit.0)),
            Arrival::Stopping => self.session.close(&ReplyKind::ShuttingDown.with(&self.shared.host_name)),
        }
        true
    }

    /// Decides, then tells the session once.
    async fn answer(&mut self) {
        let reply = match self.session.question() {
            None => return,
            Some(Question::Sender(_)) => ReplyKind::SenderOk.reply(),
            Some(Question::Verify(_) | Question::Expand(_)) => ReplyKind::CannotVerify.reply(),
            Some(Question::Recipient(_, rcpt)) => {
                let (admission, route) = recipients::admit(&self.shared, &rcpt.forward_path).await;
                match (admission, route) {
                    (mta::admission::Admission::Accept(reply), Some(route)) => {
                        return self.session.accept_recipient(&reply, route);
                    }
                    (mta::admission::Admission::Accept(_), None) => ReplyKind::LookupFailed.reply(),
                    (mta::admission::Admission::Refuse(reply), _) => reply,
                }
            }
            Some(Question::Message(_)) => self.message().await,
            Some(Question::StartTls) => {
                self.tls_permit = self.shared.tls.as_ref().and_then(Tls::may_begin);
                match self.tls_permit {
                    Some(_) => ReplyKind::ReadyForTls.reply(),
                    None => ReplyKind::TlsUnavailable.reply(),
                }
            }
            // None of them is offered yet.
            Some(
                Question::Authenticate { .. } | Question::AuthenticationResponse(_) | Question::Xclient(_),
            ) => ReplyKind::CommandNotImplemented.with("This"),
        };
        debug!(session_id = %self.peer.session_id, peer_ip = %self.peer.address.ip(), reply = %reply, "answered");
        self.session.answer(&reply);
    }

    async fn take_body(&mut self) {
        let mut octets = self.session.take_body();
        if self.incoming.is_none() {
            self.incoming =
                Some(Incoming::begin(&self.shared, &self.session, self.tls.as_ref(), &self.peer).await);
        }
        if let Some(incoming) = &mut self.incoming {
            incoming.append(&self.shared, &mut octets).await;
            self.session.give_back(octets);
        }
    }

    async fn message(&mut self) -> Reply {
        self.take_body().await;
        match (self.incoming.take(), self.session.message()) {
            (Some(incoming), Some(message)) => {
                incoming.accept(&self.shared, &message.transaction, &self.peer).await
            }
            _ => ReplyKind::StorageFailed.reply(),
        }
    }
}
