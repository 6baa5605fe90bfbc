//! The driver of POP3 sessions.

use std::sync::Arc;

use pop3::{
    Config, Failure, Flow, Login, Maildrop, Message, Password, Plaintext, Security, Session, Step, TlsOffer,
};
use store::{Account, BodyStream, MailboxId, StoreError, Uid};
use tokio::time::Instant;
use tracing::{info, warn};
use types::limits::COMMAND_LINE_BYTES_MIN;

use crate::account_name;
use crate::config::{HandTypedLf, TlsPolicy};
use crate::connection::{Arrival, COMMAND_BUFFER_BYTES, Connection};
use crate::listener::ListenerFacts;
use crate::maildrops::MaildropLock;
use crate::shared::{Peer, Shared, Stage};

/// Messages that are asked of the store at a time when a maildrop is opened.
const PAGE: usize = 1000;

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
            // Passwords in clear text stay within the machine.
            plaintext: if facts.is_loopback && facts.tls_policy != TlsPolicy::Required {
                Plaintext::Allowed
            } else {
                Plaintext::OnlyWithTls
            },
            // AUTH and APOP come when the driver knows the mechanisms.
            mechanisms_clear: Vec::new(),
            mechanisms_tls: Vec::new(),
            apop: pop3::Apop::Off,
            hand_typed_lf: facts.hand_typed_lf == HandTypedLf::Allowed,
        };
        Self { config: Arc::new(config), facts: Arc::clone(facts) }
    }
}

/// Serves one connection to its end.
pub(crate) async fn serve(shared: Arc<Shared>, speech: Speech, connection: Connection, peer: Peer) {
    let _count = shared.count_session();
    let security = if peer.tls.is_some() { Security::Tls } else { Security::Clear };
    let driver = Driver {
        connection,
        session: Session::new(speech.config, security),
        facts: speech.facts,
        opened: None,
        answered: Instant::now(),
        shared,
        peer,
    };
    driver.run().await;
}

struct Driver {
    shared: Arc<Shared>,
    peer: Peer,
    connection: Connection,
    session: Session,
    facts: Arc<ListenerFacts>,
    opened: Option<Opened>,
    /// When something was sent last. The whole of a command must come within the time for one, however slowly
    /// its octets do.
    answered: Instant,
}

/// The maildrop of a session, locked as long as this lives.
struct Opened {
    _lock: MaildropLock,
    mailbox: MailboxId,
    /// By position in the maildrop.
    uids: Vec<Uid>,
}

impl Driver {
    async fn run(mut self) {
        loop {
            let (consumed, step) = self.session.receive(self.connection.input());
            self.connection.consume(consumed);
            let goes_on = match step {
                Step::NeedInput => self.send().await && self.receive().await,
                Step::Flush => self.send().await,
                Step::Authenticate { name, password } => {
                    let login = self.log_in(&name, &password).await;
                    self.session.authenticated(login);
                    true
                }
                // Not offered yet.
                Step::Apop { .. } | Step::SaslBegin { .. } | Step::SaslRespond(_) => {
                    self.session.authenticated(Login::Refused);
                    true
                }
                Step::Retrieve { index } => self.retrieve(index).await,
                Step::Commit { deleted } => {
                    let result = self.commit(&deleted).await;
                    self.session.committed(result);
                    true
                }
                Step::StartTls => {
                    let is_on = self.send().await && self.handshake().await;
                    self.session.secured();
                    is_on
                }
                Step::Close => break,
            };
            if !goes_on {
                return;
            }
        }
        // The next session may begin before this connection has drained.
        self.opened = None;
        if self.send().await {
            self.connection.close_and_drain(self.shared.stage.clone()).await;
        }
    }

    /// Begins TLS; false where the peer does not.
    async fn handshake(&mut self) -> bool {
        let (Some(tls), Some(config)) = (&self.shared.tls, self.facts.tls_config.clone()) else {
            return false;
        };
        // STLS has no answer that says `later` (RFC 2595 §4): it waits its turn.
        let permit = tls.in_turn().await;
        let begun = self.connection.start_tls(config, permit, &self.shared.metrics).await;
        self.answered = Instant::now();
        if let Err(error) = &begun {
            let (session_id, peer_ip) = (self.peer.session_id, self.peer.address.ip());
            info!(%session_id, %peer_ip, %error, "TLS could not be begun");
        }
        begun.is_ok()
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
        let deadline = self.answered + self.shared.config.pop3.command_timeout_s.duration();
        let stage = self.shared.stage.clone();
        self.connection.release_buffer();
        match self.connection.receive(COMMAND_BUFFER_BYTES, deadline, stage, Stage::Finishing).await {
            Arrival::Octets => true,
            Arrival::End => false,
            Arrival::TimedOut | Arrival::Stopping => {
                // RFC 1939 §3: closed without entering UPDATE.
                self.session.time_out();
                true
            }
        }
    }

    async fn log_in(&mut self, name: &str, password: &Password) -> Login {
        let name = account_name::meant_by(name);
        let Ok(account) = self.shared.store.account(&name).await else { return Login::Unavailable };
        let peer_ip = self.peer.address.ip();
        let session_id = self.peer.session_id;
        let is_right = self.shared.verifier.verify(account.as_ref(), password.reveal()).await;
        let Some(account) = account.filter(|_| is_right) else {
            warn!(%session_id, %peer_ip, account = ?name, "login refused");
            return Login::Refused;
        };
        let Some(lock) = self.shared.maildrops.lock(account.id) else { return Login::InUse };
        match self.open(&account, lock).await {
            Ok(maildrop) => {
                info!(%session_id, %peer_ip, account = %account.name, messages = maildrop.messages.len(), "logged in");
                Login::Ok(maildrop)
            }
            Err(why) => {
                warn!(%session_id, %peer_ip, account = %account.name, %why, "the maildrop cannot be opened");
                Login::Unavailable
            }
        }
    }

    /// The INBOX as it stands now. Unique-ids are UIDVALIDITY and UID: they never name another message.
    async fn open(&mut self, account: &Account, lock: MaildropLock) -> Result<Maildrop, StoreError> {
        let mailboxes = self.shared.store.mailboxes(account.id).await?;
        let inbox = mailboxes.iter().find(|mailbox| mailbox.id == account.inbox);
        let uid_validity = inbox.ok_or(StoreError::NoSuchMailbox)?.uid_validity;
        let mut uids = Vec::new();
        let mut messages = Vec::new();
        loop {
            let page = self.shared.store.messages(account.inbox, uids.last().copied(), PAGE).await?;
            for entry in &page {
                uids.push(entry.uid);
                let unique_id = format!("{uid_validity}.{}", entry.uid);
                messages.push(Message { size_bytes: entry.size_bytes, unique_id });
            }
            if page.len() < PAGE {
                break;
            }
        }
        self.opened = Some(Opened { _lock: lock, mailbox: account.inbox, uids });
        Ok(Maildrop { messages })
    }

    /// Streams a message; false where the connection is of no more use.
    async fn retrieve(&mut self, index: usize) -> bool {
        let mut stream = match self.content(index).await {
            Ok(stream) => stream,
            Err(error) => {
                self.session.content_end(Err(failure(&error)));
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

    async fn content(&self, index: usize) -> Result<Box<dyn BodyStream>, StoreError> {
        let opened = self.opened.as_ref().ok_or(StoreError::NoSuchMailbox)?;
        let uid = opened.uids.get(index).ok_or(StoreError::NoSuchMessage)?;
        self.shared.store.open(opened.mailbox, *uid).await
    }

    async fn commit(&mut self, deleted: &[usize]) -> Result<(), Failure> {
        let Some(opened) = self.opened.as_ref().filter(|_| !deleted.is_empty()) else { return Ok(()) };
        let uids: Vec<Uid> = deleted.iter().filter_map(|index| opened.uids.get(*index).copied()).collect();
        let expunged = self.shared.store.expunge(opened.mailbox, &uids).await;
        let session_id = self.peer.session_id;
        match expunged {
            Ok(gone) => {
                info!(%session_id, mailbox = %opened.mailbox, messages = gone.len(), "messages removed by POP3");
                Ok(())
            }
            Err(why) => {
                warn!(%session_id, mailbox = %opened.mailbox, %why, "messages could not be removed");
                Err(failure(&why))
            }
        }
    }
}

fn failure(error: &StoreError) -> Failure {
    match error {
        StoreError::Damaged(_) | StoreError::NoSuchMessage | StoreError::NoSuchMailbox => Failure::Permanent,
        _ => Failure::Temporary,
    }
}
