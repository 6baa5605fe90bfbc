//! The certificates of a node and what its listeners do with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use net::tls::{
    CertificateFiles, Certificates, ChannelBinding, MinimumVersion, TlsError, channel_bindings, local_ca,
    server_config,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::{info, warn};
use types::{EventStep, TlsParameters};

use crate::config::{CertificateSource, Config, TlsVersion};
use crate::connection::Connection;
use crate::outside::now;
use crate::shared::{Peer, Shared, Stage};
use crate::timeline::Timeline;

/// How often it is looked whether a certificate has changed.
const RELOAD_INTERVAL: Duration = Duration::from_secs(30);
/// Where dev mode keeps its authority, in the data folder.
const FOLDER: &str = "tls";

/// Leave to do one handshake; dropped, another one may begin.
#[derive(Debug)]
pub(crate) struct HandshakePermit(#[allow(dead_code, reason = "held, never looked at")] OwnedSemaphorePermit);

/// TLS of a node.
pub(crate) struct Tls {
    certificates: Arc<Certificates>,
    minimum: MinimumVersion,
    /// Handshakes that may begin. Each takes memory and processor time before anything is known of the client.
    handshakes: Arc<Semaphore>,
    /// Dev mode: whose word the certificate stands on.
    pub(crate) authority: Option<PathBuf>,
}

impl Tls {
    /// What the configuration says; nothing where it names no certificate.
    pub(crate) fn open(config: &Config, host_name: &str) -> Result<Option<Self>, TlsError> {
        let (files, authority) = match &config.certificates {
            CertificateSource::Files(files) if files.is_empty() => return Ok(None),
            CertificateSource::Files(files) => {
                let files = files.iter().map(|file| CertificateFiles {
                    certificate: file.certificate.clone(),
                    key: file.key.clone(),
                });
                (files.collect(), None)
            }
            CertificateSource::Development => {
                let seconds = i64::try_from(now().seconds()).unwrap_or(i64::MAX);
                let made = local_ca::open(&config.data.join(FOLDER), host_name, seconds)?;
                (vec![made.server], Some(made.authority))
            }
        };
        let minimum = match config.tls.minimum_version {
            TlsVersion::Tls12 => MinimumVersion::Tls12,
            TlsVersion::Tls13 => MinimumVersion::Tls13,
        };
        let handshakes_max = config.tls.handshakes_max.min(Semaphore::MAX_PERMITS);
        Ok(Some(Self {
            certificates: Arc::new(Certificates::load(files)?),
            minimum,
            handshakes: Arc::new(Semaphore::new(handshakes_max)),
            authority,
        }))
    }

    /// Leave to begin a handshake; nothing where there are as many as there may be, which STARTTLS answers with 454
    /// (RFC 3207 §4).
    pub(crate) fn may_begin(&self) -> Option<HandshakePermit> {
        Arc::clone(&self.handshakes).try_acquire_owned().ok().map(HandshakePermit)
    }

    /// Waits for leave to begin a handshake, for who cannot be told to come again.
    pub(crate) async fn in_turn(&self) -> Option<HandshakePermit> {
        Arc::clone(&self.handshakes).acquire_owned().await.ok().map(HandshakePermit)
    }

    /// What a login on this connection can be bound to (RFC 5801 §4); nothing in clear text.
    pub(crate) fn channel_bindings(&self, connection: &Connection) -> Vec<ChannelBinding> {
        let Some(tls) = connection.tls() else { return Vec::new() };
        let shown = self.certificates.shown_to(tls.server_name());
        channel_bindings(tls, shown.as_deref())
    }

    /// The chains of certificates that clients are shown, in DER.
    pub(crate) fn chains(&self) -> Vec<Vec<Vec<u8>>> {
        self.certificates.chains()
    }

    /// What one listener does; tickets of one listener are of no use at another.
    pub(crate) fn of_listener(&self) -> Result<Arc<rustls::ServerConfig>, TlsError> {
        server_config(Arc::clone(&self.certificates), self.minimum)
    }

    /// Reads certificates again when their files have changed, for as long as the task runs.
    pub(crate) fn keep_fresh(&self) -> tokio::task::JoinHandle<()> {
        let certificates = Arc::clone(&self.certificates);
        tokio::spawn(async move {
            let mut seen = changed_at(&certificates);
            loop {
                tokio::time::sleep(RELOAD_INTERVAL).await;
                let found = changed_at(&certificates);
                if found == seen {
                    continue;
                }
                seen = found;
                match certificates.reload() {
                    Ok(()) => info!("certificates were read again"),
                    Err(why) => {
                        warn!(%why, "a certificate has changed and cannot be used; the one before stays")
                    }
                }
            }
        })
    }
}

fn changed_at(certificates: &Certificates) -> Vec<Option<SystemTime>> {
    let modified = |path: &Path| std::fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
    certificates
        .files()
        .iter()
        .flat_map(|files| [modified(&files.certificate), modified(&files.key)])
        .collect()
}

/// Begins TLS that a client of POP3 or IMAP asked for; false where it does not come to stand, or the node stops. There is no
/// answer that says `later` (RFC 2595 §4, RFC 9051 §6.2.1): it waits its turn.
pub(crate) async fn begin(
    shared: &Shared,
    config: Option<Arc<rustls::ServerConfig>>,
    connection: &mut Connection,
    timeline: &mut Timeline,
    peer: &Peer,
) -> bool {
    let (Some(tls), Some(config)) = (&shared.tls, config) else { return false };
    let begun = async {
        let permit = tls.in_turn().await;
        connection.start_tls(config, permit, &shared.metrics).await
    };
    let mut stage = shared.stage.clone();
    let begun = tokio::select! {
        biased;
        _ = stage.wait_for(|stage| *stage > Stage::Serving) => return false,
        begun = begun => begun,
    };
    match begun {
        Ok(parameters) => {
            if let Some(TlsParameters { version, cipher_suite }) = parameters {
                timeline.note(EventStep::Tls, format!("{version} {cipher_suite}"));
            }
            true
        }
        Err(error) => {
            let (session_id, peer_ip) = (peer.session_id, peer.ip());
            info!(%session_id, %peer_ip, %error, "TLS could not be begun");
            timeline.note(EventStep::Tls, format!("the handshake failed: {error}"));
            false
        }
    }
}
