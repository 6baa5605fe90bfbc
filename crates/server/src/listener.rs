//! Accepts connections, within the limits.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tracing::{debug, info, warn};
use types::ReplyKind;

use crate::config::{HandTypedLf, Service};
use crate::shared::{Peer, Shared, Stage};
use crate::{pop3_service, smtp_service};

/// When the system gives no more connections (no file descriptors, no memory), it is asked again after this.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a connection that is turned away is given to take its reply.
const TURN_AWAY_TIMEOUT: Duration = Duration::from_secs(5);
/// Connections that may be turned away at one time; past that they are closed without a word.
const TURNED_AWAY_MAX: usize = 100;

/// Counts connections, in all and by network.
#[derive(Debug)]
pub(crate) struct Admission {
    connections_max: usize,
    per_address_max: usize,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    all: usize,
    turned_away: usize,
    by_network: HashMap<IpAddr, usize>,
}

/// A connection's place; dropped, it is free again.
struct Place {
    admission: Arc<Admission>,
    network: Option<IpAddr>,
}

enum Refusal {
    Full,
    FullForAddress,
    Silent,
}

impl Admission {
    pub(crate) fn new(connections_max: usize, per_address_max: usize) -> Self {
        Self { connections_max, per_address_max, open: Mutex::default() }
    }

    /// A place, or why there is none with a place to say so.
    fn admit(self: &Arc<Self>, ip: IpAddr) -> Result<Place, (Refusal, Option<Place>)> {
        let network = network_of(ip);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let from_address = open.by_network.get(&network).copied().unwrap_or(0);
        let refusal = if open.all >= self.connections_max {
            Refusal::Full
        } else if from_address >= self.per_address_max {
            Refusal::FullForAddress
        } else {
            open.all += 1;
            *open.by_network.entry(network).or_default() += 1;
            return Ok(Place { admission: Arc::clone(self), network: Some(network) });
        };
        if open.turned_away >= TURNED_AWAY_MAX {
            return Err((Refusal::Silent, None));
        }
        open.turned_away += 1;
        Err((refusal, Some(Place { admission: Arc::clone(self), network: None })))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.admission.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(network) = self.network else {
            open.turned_away -= 1;
            return;
        };
        open.all -= 1;
        if let Some(count) = open.by_network.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                open.by_network.remove(&network);
            }
        }
    }
}

/// What counts as one address: of IPv6 a network of 64 bits, which is the least that one customer gets (RFC 6177).
fn network_of(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() >> 64 << 64).into(),
        ip => ip,
    }
}

/// One listener and what it speaks.
pub(crate) struct Listening {
    pub(crate) socket: TcpListener,
    pub(crate) service: Service,
    pub(crate) hand_typed_lf: HandTypedLf,
    /// Only this machine can connect.
    pub(crate) is_loopback: bool,
    /// Where there is a certificate.
    pub(crate) tls_config: Option<Arc<rustls::ServerConfig>>,
}

/// Accepts until the node stops. Each session holds a clone of `alive` while it runs.
pub(crate) async fn run(
    listening: Listening,
    shared: Arc<Shared>,
    admission: Arc<Admission>,
    alive: mpsc::Sender<()>,
) {
    let speaker = Speaker::new(&listening, &shared);
    let mut stage = shared.stage.clone();
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listening.socket.accept() => accepted,
            _ = stage.wait_for(|stage| *stage > Stage::Serving) => return,
        };
        let (socket, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Said once, however long it lasts.
                if !std::mem::replace(&mut is_failing, true) {
                    warn!(service = listening.service.as_str(), %error, "no connection can be accepted now");
                }
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if std::mem::take(&mut is_failing) {
            info!(service = listening.service.as_str(), "connections are accepted again");
        }
        let _ = socket.set_nodelay(true);
        let (speaker, shared, alive) = (speaker.clone(), Arc::clone(&shared), alive.clone());
        match admission.admit(address.ip()) {
            Ok(place) => {
                tokio::spawn(async move {
                    speaker.serve(shared, socket, address).await;
                    drop((place, alive));
                });
            }
            Err((refusal, Some(place))) => {
                tokio::spawn(async move {
                    let _ =
                        tokio::time::timeout(TURN_AWAY_TIMEOUT, speaker.turn_away(socket, address, &refusal))
                            .await;
                    drop((place, alive));
                });
            }
            Err((_, None)) => {}
        }
    }
}

/// Serves the sessions of one listener.
#[derive(Clone)]
enum Speaker {
    Smtp(smtp_service::Speech),
    Pop3(pop3_service::Speech),
}

impl Speaker {
    fn new(listening: &Listening, shared: &Shared) -> Self {
        let tls_config = listening.tls_config.clone();
        match listening.service {
            Service::Smtp => Self::Smtp(smtp_service::Speech {
                config: smtp_service::session_config(shared, listening.hand_typed_lf),
                tls_config,
            }),
            Service::Pop3 | Service::Pop3s => Self::Pop3(pop3_service::Speech {
                config: pop3_service::session_config(shared, listening),
                security: match listening.service {
                    Service::Pop3s => pop3::Security::Tls,
                    _ => pop3::Security::Clear,
                },
                tls_config,
            }),
        }
    }

    async fn serve(self, shared: Arc<Shared>, socket: TcpStream, address: SocketAddr) {
        static SESSIONS: AtomicU64 = AtomicU64::new(1);
        let peer = Peer { address, session_id: SESSIONS.fetch_add(1, Ordering::Relaxed) };
        debug!(session_id = peer.session_id, peer_ip = %address.ip(), "connected");
        match self {
            Self::Smtp(speech) => smtp_service::serve(shared, speech, socket, peer).await,
            Self::Pop3(speech) => pop3_service::serve(shared, speech, socket, peer).await,
        }
    }

    async fn turn_away(self, mut socket: TcpStream, address: SocketAddr, refusal: &Refusal) {
        debug!(peer_ip = %address.ip(), "turned away: too many connections");
        let reply = match refusal {
            Refusal::FullForAddress => {
                ReplyKind::TooManyConnectionsFromPeer.with(address.ip().to_canonical())
            }
            Refusal::Full | Refusal::Silent => ReplyKind::TooManyConnections.reply(),
        };
        let mut output = Vec::new();
        match self {
            Self::Smtp(_) => reply.write_to(&mut output),
            // Before the handshake nobody could read it.
            Self::Pop3(speech) if speech.security == pop3::Security::Tls => {}
            Self::Pop3(_) => pop3::Response::TooManyConnections.write_to(&mut output),
        }
        let _ = socket.write_all(&output).await;
        let _ = socket.shutdown().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_is_one_address_and_an_address_of_ipv4_is_itself() {
        for (ip, network) in [
            ("192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
            ("2001:db8:1:3::1", "2001:db8:1:3::"),
        ] {
            assert_eq!(network_of(ip.parse().unwrap()), network.parse::<IpAddr>().unwrap());
        }
    }

    #[test]
    fn a_network_has_its_share_and_a_place_that_is_given_back_can_be_had_again() {
        let admission = Arc::new(Admission::new(3, 2));
        let admit = |ip: &str| admission.admit(ip.parse().unwrap());
        let first = admit("2001:db8::1");
        let second = admit("2001:db8::2");
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(admit("2001:db8::3"), Err((Refusal::FullForAddress, Some(_)))));
        let third = admit("192.0.2.1");
        assert!(third.is_ok());
        assert!(matches!(admit("192.0.2.2"), Err((Refusal::Full, Some(_)))));
        drop(second);
        assert!(admit("2001:db8::3").is_ok());
        drop((first, third));
        let open = admission.open.lock().unwrap();
        assert!(open.all == 0 && open.turned_away == 0 && open.by_network.is_empty(), "{open:?}");
    }

    #[test]
    fn past_a_hundred_that_are_turned_away_at_one_time_connections_are_closed_without_a_word() {
        let admission = Arc::new(Admission::new(0, 1));
        let ip = IpAddr::from([192, 0, 2, 1]);
        let turned_away: Vec<_> = (0..TURNED_AWAY_MAX).map(|_| admission.admit(ip)).collect();
        assert!(turned_away.iter().all(|refused| matches!(refused, Err((_, Some(_))))));
        assert!(matches!(admission.admit(ip), Err((Refusal::Silent, None))));
        drop(turned_away);
        assert!(matches!(admission.admit(ip), Err((Refusal::Full, Some(_)))));
    }
}
