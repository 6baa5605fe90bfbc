//! Accepts connections, within the limits, and does what comes before a session: PROXY header, TLS from the first
//! octet, the wait before the greeting.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tracing::{debug, info, warn};
use types::{Event, EventStep, MailId, ReplyKind, Verdict};

use crate::admission::{Admission, Place, Refusal};
use crate::config::{
    AuthPolicy, Config, HandTypedLf, Listener, Mode, Network, Service, TlsPolicy, any_contains,
};
use crate::connection::{Arrival, COMMAND_BUFFER_BYTES, Connection};
use crate::metrics::TurnedAway;
use crate::shared::{Client, Peer, Shared, Stage};
use crate::socket::{ListeningSocket, Socket};
use crate::{http, imap_service, pop3_service, proxy_protocol, smtp_service};

/// When the system gives no more connections (no file descriptors, no memory), it is asked again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection that is turned away is given to take its reply.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(5);

/// What the sessions of one listener are told of it.
#[derive(Debug, Clone)]
pub(crate) struct ListenerFacts {
    pub(crate) service: Service,
    /// `Off` where there is no certificate.
    pub(crate) tls_policy: TlsPolicy,
    pub(crate) auth_policy: AuthPolicy,
    /// Whether AUTH takes passwords in clear text without TLS.
    pub(crate) clear_passwords: ClearPasswords,
    pub(crate) message_bytes_max: u64,
    pub(crate) recipients_max: usize,
    pub(crate) hand_typed_lf: HandTypedLf,
    /// Only who is on this machine speaks there.
    pub(crate) is_loopback: bool,
    pub(crate) greet_delay: Duration,
    pub(crate) proxy_from: Vec<Network>,
    pub(crate) xclient_from: Vec<Network>,
    /// Where there is a certificate and TLS is not off.
    pub(crate) tls_config: Option<Arc<rustls::ServerConfig>>,
}

/// Whether passwords are taken that everybody on the way can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ClearPasswords {
    /// In dev mode, from this machine: nobody is on the way.
    Allowed,
    Refused,
}

impl ListenerFacts {
    pub(crate) fn new(
        listener: &Listener,
        config: &Config,
        tls_config: Option<Arc<rustls::ServerConfig>>,
    ) -> Self {
        let tls_policy = if tls_config.is_some() { listener.tls_policy() } else { TlsPolicy::Off };
        let is_loopback = listener.is_local();
        Self {
            service: listener.service,
            tls_policy,
            auth_policy: listener.auth_policy(),
            clear_passwords: match config.mode {
                Mode::Development if is_loopback => ClearPasswords::Allowed,
                _ => ClearPasswords::Refused,
            },
            message_bytes_max: listener.message_bytes_max(&config.smtp),
            recipients_max: listener.recipients_max(&config.smtp),
            hand_typed_lf: listener.hand_typed_lf,
            is_loopback,
            greet_delay: listener.greet_delay_s.duration(),
            proxy_from: listener.proxy_from.clone(),
            xclient_from: listener.xclient_from.clone(),
            tls_config: tls_config.filter(|_| tls_policy != TlsPolicy::Off),
        }
    }

    /// Whether the logins of those who read mail (LOGIN of IMAP, USER of POP3) are taken without TLS. Who speaks on loopback is on
    /// this machine, in production too: a webmail beside the node, say.
    pub(crate) fn logins_without_tls(&self) -> ClearPasswords {
        if self.is_loopback && self.tls_policy != TlsPolicy::Required {
            ClearPasswords::Allowed
        } else {
            ClearPasswords::Refused
        }
    }
}

/// One listener and what it speaks.
pub(crate) struct Listening {
    pub(crate) socket: ListeningSocket,
    pub(crate) facts: Arc<ListenerFacts>,
}

/// Accepts until the node stops. Each session holds a clone of `alive` while it runs.
pub(crate) async fn run(
    listening: Listening,
    shared: Arc<Shared>,
    admission: Arc<Admission>,
    alive: mpsc::Sender<()>,
) {
    let Listening { socket: listener, facts } = listening;
    let service = facts.service.as_str();
    let speaker = Speaker::new(&facts, &shared);
    let mut stage = shared.stage.clone();
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stage.wait_for(|stage| *stage > Stage::Serving) => return,
            accepted = listener.accept() => accepted,
        };
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Said once, however long it lasts.
                if !std::mem::replace(&mut is_failing, true) {
                    warn!(service, %error, "no connection can be accepted now");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if std::mem::take(&mut is_failing) {
            info!(service, "connections are accepted again");
        }
        let client = Client::of(&socket, any_contains(&facts.proxy_from, address.ip()));
        // A proxy's clients count for themselves, and this machine has no share.
        let admitted = admission.admit((client == Client::Direct).then(|| address.ip()));
        let (socket, alive) = (
            Accepted { socket, address, client, session_id: shared.new_mail_id(shared.now()) },
            alive.clone(),
        );
        let (speaker, facts, shared) = (speaker.clone(), Arc::clone(&facts), Arc::clone(&shared));
        match admitted {
            Ok(place) => {
                tokio::spawn(async move {
                    begin(speaker, &facts, shared, socket, place).await;
                    drop(alive);
                });
            }
            Err((refusal, Some(place))) => {
                tokio::spawn(async move {
                    speaker.turn_away(&shared, socket, refusal).await;
                    drop((place, alive));
                });
            }
            Err((_, None)) => shared.metrics.turned_away(facts.service, TurnedAway::Full),
        }
    }
}

/// A connection, and who is at its other end as far as that is known.
struct Accepted {
    socket: Socket,
    address: SocketAddr,
    client: Client,
    session_id: MailId,
}

/// Hears who the client is where a proxy tells it, and serves it.
async fn begin(
    speaker: Speaker,
    facts: &ListenerFacts,
    shared: Arc<Shared>,
    mut accepted: Accepted,
    mut place: Place,
) {
    if accepted.client == Client::BehindProxy {
        let proxy_ip = accepted.address.ip();
        match Box::pin(proxy_protocol::receive(&mut accepted.socket, shared.stage.clone())).await {
            Ok(None) => {}
            Ok(Some(source)) => {
                accepted.address = source;
                accepted.client = Client::Proxied;
                let reason = format!("the proxy {proxy_ip} says that the client is {}", source.ip());
                tell(&shared, accepted.session_id, EventStep::Proxied, Verdict::Noted, reason);
                if let Err(refusal) = place.count_for(source.ip()) {
                    return speaker.turn_away(&shared, accepted, refusal).await;
                }
            }
            Err(error) => {
                let (service, session_id) = (facts.service.as_str(), accepted.session_id);
                warn!(%session_id, service, %proxy_ip, %error, "connection closed: its proxy did not say who the client is");
                let reason = format!("from the proxy {proxy_ip} to {service}: {error}");
                tell(&shared, session_id, EventStep::Connected, Verdict::Refused, reason);
                return shared.metrics.turned_away(facts.service, TurnedAway::NoProxyHeader);
            }
        }
    }
    let _open = shared.metrics.connected(facts.service);
    speaker.serve(facts, shared, accepted).await;
}

/// Serves the sessions of one listener.
#[derive(Clone)]
enum Speaker {
    Smtp(smtp_service::Speech),
    Imap(imap_service::Speech),
    Pop3(pop3_service::Speech),
    Http(http::Speech),
}

impl Speaker {
    fn new(facts: &Arc<ListenerFacts>, shared: &Arc<Shared>) -> Self {
        match facts.service {
            Service::Smtp | Service::Submission | Service::Submissions | Service::Lmtp | Service::Odmr => {
                Self::Smtp(smtp_service::Speech::new(shared, facts))
            }
            Service::Imap | Service::Imaps => Self::Imap(imap_service::Speech::new(shared, facts)),
            Service::Pop3 | Service::Pop3s => Self::Pop3(pop3_service::Speech::new(shared, facts)),
            Service::Http => Self::Http(http::Speech::new(shared)),
        }
    }

    /// What is done only now and then is done in memory of its own, which else each idle session would keep.
    async fn serve(self, facts: &ListenerFacts, shared: Arc<Shared>, accepted: Accepted) {
        let Accepted { socket, address, client, session_id } = accepted;
        let mut peer = Peer { address, client, session_id, tls: None };
        let peer_ip = peer.ip();
        debug!(%session_id, %peer_ip, service = facts.service.as_str(), "connected");
        if let Self::Http(speech) = self {
            return Box::pin(http::serve(shared, speech, socket)).await;
        }
        let mut connection = Connection::new(socket);
        // With implicit TLS nothing is said before it, the greeting neither (RFC 8314 §3).
        if facts.service.begins_with_tls() {
            let mut stage = shared.stage.clone();
            let begun = tokio::select! {
                biased;
                // Nothing can be said to a client that does not speak TLS yet.
                _ = stage.wait_for(|stage| *stage > Stage::Serving) => return,
                begun = Box::pin(connection.begin_with_tls(&shared, facts)) => begun,
            };
            match begun {
                Ok(parameters) => peer.tls = parameters,
                Err(error) => {
                    info!(%session_id, %peer_ip, %error, "TLS could not be begun");
                    let reason = format!("from {peer_ip} to {}: {error}", facts.service);
                    return tell(&shared, session_id, EventStep::Tls, Verdict::Refused, reason);
                }
            }
        }
        if !facts.greet_delay.is_zero() {
            match Box::pin(wait_before_greeting(&mut connection, &shared, facts)).await {
                Some(Arrival::End) => return,
                Some(_) => {
                    info!(%session_id, %peer_ip, "refused: it spoke before the greeting");
                    let reason = format!("{peer_ip} spoke to {} before the greeting", facts.service);
                    tell(&shared, session_id, EventStep::Connected, Verdict::Refused, reason);
                    return Box::pin(speak_out_of_turn(connection, &shared)).await;
                }
                None => {}
            }
        }
        match self {
            Self::Smtp(speech) => Box::pin(smtp_service::serve(shared, speech, connection, peer)).await,
            Self::Imap(speech) => Box::pin(imap_service::serve(shared, speech, connection, peer)).await,
            Self::Pop3(speech) => Box::pin(pop3_service::serve(shared, speech, connection, peer)).await,
            Self::Http(_) => {}
        }
    }

    async fn turn_away(self, shared: &Shared, accepted: Accepted, refusal: Refusal) {
        let Accepted { mut socket, address, session_id, .. } = accepted;
        let peer_ip = address.ip().to_canonical();
        debug!(%session_id, %peer_ip, "turned away: too many connections");
        let (reply, why) = match refusal {
            Refusal::FullForAddress => {
                (ReplyKind::TooManyConnectionsFromPeer.with(peer_ip), TurnedAway::FullForAddress)
            }
            Refusal::Full | Refusal::Silent => (ReplyKind::TooManyConnections.reply(), TurnedAway::Full),
        };
        let mut output = Vec::new();
        let service = match self {
            Self::Smtp(speech) => {
                // Before the handshake nobody could read it.
                if !speech.facts.service.begins_with_tls() {
                    reply.write_to(&mut output);
                }
                speech.facts.service
            }
            Self::Imap(speech) => {
                if !speech.facts.service.begins_with_tls() {
                    imap::response::Response::TooManyConnections.untagged(&mut output);
                }
                speech.facts.service
            }
            Self::Pop3(speech) => {
                if !speech.facts.service.begins_with_tls() {
                    pop3::Response::TooManyConnections.write_to(&mut output);
                }
                speech.facts.service
            }
            Self::Http(_) => {
                output.extend_from_slice(http::TOO_MANY_CONNECTIONS);
                Service::Http
            }
        };
        shared.metrics.turned_away(service, why);
        let reason = format!("{peer_ip} was turned away from {service}: too many connections");
        tell(shared, session_id, EventStep::Limit, Verdict::Deferred, reason);
        let said = async {
            let _ = socket.write_all(&output).await;
            let _ = socket.shutdown().await;
        };
        let _ = timeout(TURN_AWAY_TIMEOUT, said).await;
    }
}

/// One event of a connection that may never become a session.
fn tell(shared: &Shared, session_id: MailId, step: EventStep, verdict: Verdict, reason: String) {
    shared.store.record(vec![Event::new(shared.now(), session_id, step, verdict, reason)]);
}

/// Nothing where the client waited for the greeting, as it must (RFC 5321 §4.3.1); else what it did.
async fn wait_before_greeting(
    connection: &mut Connection,
    shared: &Shared,
    facts: &ListenerFacts,
) -> Option<Arrival> {
    let until = Instant::now() + facts.greet_delay;
    let stage = shared.stage.clone();
    match connection.receive(COMMAND_BUFFER_BYTES, until, stage, Stage::Finishing).await {
        // The session says 421 where the node stops.
        Arrival::TimedOut | Arrival::Stopping => None,
        arrival => Some(arrival),
    }
}

/// Refuses who spoke before the greeting.
async fn speak_out_of_turn(mut connection: Connection, shared: &Shared) {
    let reply = ReplyKind::SpokeBeforeGreeting.reply();
    shared.metrics.refused("CONNECT", reply.code);
    let mut output = Vec::new();
    reply.write_to(&mut output);
    if connection.send(&mut output).await.is_ok() {
        connection.close_and_drain(shared.stage.clone()).await;
    }
}
