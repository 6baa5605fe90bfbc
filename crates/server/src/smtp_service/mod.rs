//! The driver of SMTP sessions: octets, waits, look-ups, and the durable commit before `250`.

mod accept;
mod recipients;

use std::sync::Arc;
use std::time::{Duration, Instant};

use smtp::codec::fault::MessageLimits;
use smtp::server::{Config, HandTyped, Phase, Question, Session, Step};
use store::MailboxId;
use tokio::net::TcpStream;
use tracing::debug;
use types::{Reply, ReplyKind};

use crate::config::HandTypedLf;
use crate::connection::{Arrival, COMMAND_BUFFER_BYTES, Connection, DATA_BUFFER_BYTES};
use crate::shared::{Peer, Shared};
use accept::Incoming;

/// Replies that gather before they are sent even though more commands wait.
const OUTPUT_BYTES_MAX: usize = 16 * 1024;

/// What an accepted recipient leads to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    mailbox: MailboxId,
}

/// What a listener's sessions are told.
pub(crate) fn session_config(shared: &Shared, hand_typed_lf: HandTypedLf) -> Arc<Config> {
    let smtp = &shared.config.smtp;
    Arc::new(Config {
        host_name: shared.host_name.clone(),
        hand_typed: match hand_typed_lf {
            HandTypedLf::Allowed => HandTyped::Allowed,
            HandTypedLf::Refused => HandTyped::Refused,
        },
        command_line_bytes_max: smtp.command_line_bytes_max.as_usize(),
        message: MessageLimits {
            line_bytes_max: smtp.text_line_bytes_max.as_usize(),
            message_bytes_max: smtp.message_bytes_max.bytes(),
        },
        recipients_max: smtp.recipients_max,
        errors_max: u32::try_from(smtp.errors_max).unwrap_or(u32::MAX),
        idle_commands_max: u32::try_from(smtp.idle_commands_max).unwrap_or(u32::MAX),
        body_chunk_bytes: BODY_CHUNK_BYTES,
    })
}

/// Octets of a message that gather before they count against the memory or go to disk.
const BODY_CHUNK_BYTES: usize = 64 * 1024;

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, config: Arc<Config>, socket: TcpStream, peer: Peer) {
    let _count = shared.count_session();
    let driver = Driver {
        connection: Connection::new(socket),
        session: Session::new(config),
        incoming: None,
        began: Instant::now(),
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
    /// The message that is coming in, if one is.
    incoming: Option<Incoming>,
    began: Instant,
    message_began: Option<Instant>,
}

impl Driver {
    async fn run(mut self) {
        loop {
            let (consumed, step) = self.session.receive(self.connection.input());
            self.connection.consume(consumed);
            if !self.session.is_receiving() {
                self.incoming = None;
            }
            match step {
                Step::Input => {
                    if self.send().await.is_err() || !self.receive().await {
                        return;
                    }
                }
                Step::Body => self.take_body().await,
                Step::Answer => self.answer().await,
                Step::Close => break,
            }
            if self.session.output().len() > OUTPUT_BYTES_MAX && self.send().await.is_err() {
                return;
            }
        }
        if self.send().await.is_ok() && !self.session.has_quit() {
            self.connection.close_and_drain(self.shared.stopping.clone()).await;
        }
    }

    async fn send(&mut self) -> std::io::Result<()> {
        self.connection.send(self.session.output()).await
    }

    /// Waits for octets; false where the connection is of no more use. A wait that ends otherwise closes the
    /// session with the reply that says why.
    async fn receive(&mut self) -> bool {
        let smtp = &self.shared.config.smtp;
        let phase = self.session.phase();
        let (capacity, wait) = match phase {
            Phase::Command => {
                self.message_began = None;
                (COMMAND_BUFFER_BYTES, smtp.command_timeout_s.duration())
            }
            Phase::Data => (DATA_BUFFER_BYTES, smtp.data_block_timeout_s.duration()),
        };
        let (limit, since) = match phase {
            Phase::Command => (smtp.session_timeout_s.duration(), self.began),
            Phase::Data => {
                let since = *self.message_began.get_or_insert_with(Instant::now);
                (smtp.message_timeout_s.duration(), since)
            }
        };
        let left = limit.saturating_sub(since.elapsed());
        if left == Duration::ZERO {
            self.session.close(&ReplyKind::SessionTimeout.with(limit.as_secs()));
            return true;
        }
        let capacity = capacity.max(smtp.command_line_bytes_max.as_usize());
        let mut stopping = self.shared.stopping.clone();
        let stop_now = self.session.is_idle().then_some(&mut stopping);
        match self.connection.receive(capacity, wait.min(left), stop_now).await {
            Arrival::Octets => {}
            Arrival::End => return false,
            Arrival::TimedOut if wait <= left => {
                self.session.close(&ReplyKind::IdleTimeout.with(wait.as_secs()));
            }
            Arrival::TimedOut => self.session.close(&ReplyKind::SessionTimeout.with(limit.as_secs())),
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
            Some(Question::Recipient(_, forward_path)) => {
                let (admission, route) = recipients::admit(&self.shared, forward_path).await;
                match (admission, route) {
                    (mta::admission::Admission::Accept(reply), Some(route)) => {
                        return self.session.accept_recipient(&reply, route);
                    }
                    (mta::admission::Admission::Accept(_), None) => ReplyKind::LookupFailed.reply(),
                    (mta::admission::Admission::Refuse(reply), _) => reply,
                }
            }
            Some(Question::Message(_)) => self.message().await,
        };
        debug!(session_id = self.peer.session_id, peer_ip = %self.peer.address.ip(), reply = %reply, "answered");
        self.session.answer(&reply);
    }

    async fn take_body(&mut self) {
        let octets = self.session.take_body();
        if self.incoming.is_none() {
            self.incoming = Some(Incoming::begin(&self.shared, &self.session, &self.peer).await);
        }
        if let Some(incoming) = &mut self.incoming {
            incoming.append(&self.shared, octets).await;
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
