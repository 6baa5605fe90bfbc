//! A node: the store, the listeners and the control socket, from start to clean stop.

use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize};
use std::time::{Duration, Instant};

use mta::srs::Srs;
use net::tls::TlsError;
use store::embedded::disk::{Disk, RealDisk};
use store::embedded::{Drive, Embedded, Options, TraceOptions};
use store::{Store, StoreError};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tracing::{error, info, warn};

use crate::admission::Admission;
use crate::auth::Authenticator;
use crate::auth::secret::NodeSecret;
use crate::authenticity::{DmarcCounts, Resolver};
use crate::body::MemoryBudget;
use crate::config::{Config, ListenAddress, Listener, Service, TlsPolicy};
use crate::control;
use crate::delivery::{Delivery, RealWorld, World};
use crate::descriptors;
use crate::directory::Directory;
use crate::dkim::{self, SigningKeys};
use crate::expunged;
use crate::listener::{self, ListenerFacts, Listening};
use crate::mail_index::{Follows, MailIndex};
use crate::mail_models::MailModels;
use crate::maildrops::Maildrops;
use crate::memory;
use crate::metrics::Metrics;
use crate::outside::{Outside, System};
use crate::pop3_service;
use crate::quotas::Quotas;
use crate::rates::Rates;
use crate::reputation::{self, Greylist, Reputation};
use crate::reversal::Limits;
use crate::room::Room;
use crate::secrets::{SecretError, Secrets};
use crate::shared::{Shared, Stage};
use crate::signing::Signing;
use crate::socket::ListeningSocket;
use crate::target::{Running, StoreTarget};
use crate::tls::Tls;

/// Sessions in the middle of a transaction are given this long to finish when the node stops.
const FINISHING_TIMEOUT: Duration = Duration::from_secs(10);
/// After that, all sessions are given this long to say that they close.
const ENDING_TIMEOUT: Duration = Duration::from_secs(2);

/// In the data folder: what listens where, for programs on this machine.
const LISTENERS_FILE: &str = "listeners.json";

/// A running node.
pub struct Node {
    shared: Arc<Shared>,
    listeners: Vec<(String, ListenAddress)>,
    authority: Option<PathBuf>,
    stage: watch::Sender<Stage>,
    /// Ends when the last session has dropped its sender.
    alive: mpsc::Receiver<()>,
    /// None in a simulation.
    control: Option<control::Server>,
    /// Reads certificates again.
    fresh: Option<JoinHandle<()>>,
    /// What is done again and again while it serves.
    chores: Vec<JoinHandle<()>>,
}

/// What a node stands on.
pub(crate) struct Ground {
    pub(crate) kind: Kind,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) outside: Arc<dyn Outside>,
    /// In place of the way out to that outside.
    pub(crate) world: Option<Arc<dyn World>>,
    /// What stands between the node and its store.
    pub(crate) wrap: fn(Arc<dyn Store>) -> Arc<dyn Store>,
}

/// Whether there is a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is, with files, threads, and people who ask.
    Machine,
    /// All is what a test made of it: no file but the disk's, no thread, nobody to ask by the control socket.
    Simulation,
}

impl Ground {
    fn of_machine(disk: Arc<dyn Disk>) -> Self {
        let outside = Arc::new(System::default());
        Self { kind: Kind::Machine, disk, outside, world: None, wrap: |store| store }
    }
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store cannot be opened.
    #[error("cannot open the data folder {}: {error}", path.display())]
    Store {
        /// Which folder.
        path: PathBuf,
        /// Why.
        error: StoreError,
    },
    /// A listener cannot be opened.
    #[error("cannot listen on {address} for {service}: {error}{}", mend(error))]
    Listen {
        /// Where.
        address: ListenAddress,
        /// What for.
        service: &'static str,
        /// Why.
        error: std::io::Error,
    },
    /// TLS cannot be offered.
    #[error("{0}")]
    Tls(#[from] net::tls::TlsError),
    /// The master key cannot be used.
    #[error("{0}")]
    Secret(#[from] SecretError),
    /// The control socket or the list of listeners cannot be written.
    #[error("cannot write into the data folder {}: {error}", path.display())]
    Folder {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// Why a node has stopped by itself.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The store can no longer promise that what it takes is on disk. What was accepted before is safe.
    #[error("the store has failed and the server stops, lest it accept mail that it cannot keep: {0}")]
    Store(String),
}

fn mend(error: &std::io::Error) -> &'static str {
    match error.kind() {
        std::io::ErrorKind::AddrInUse => {
            "; another program listens there: stop it, or choose another port (posta dev --port-offset N)"
        }
        std::io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need root or the capability CAP_NET_BIND_SERVICE"
        }
        _ => "",
    }
}

impl Node {
    /// Opens the store and everything that listens.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left open then.
    pub async fn start(config: Arc<Config>) -> Result<Self, StartError> {
        Self::start_on(config, Arc::new(RealDisk)).await
    }

    /// As [`Node::start`], with the store on another file system.
    ///
    /// # Errors
    /// [`StartError`]; nothing is left open then.
    pub async fn start_on(config: Arc<Config>, disk: Arc<dyn Disk>) -> Result<Self, StartError> {
        Self::start_in(config, Ground::of_machine(disk)).await
    }

    /// As [`Node::start_on`], with mail that leaves in another world.
    #[cfg(test)]
    pub(crate) async fn start_with(
        config: Arc<Config>,
        disk: Arc<dyn Disk>,
        world: Arc<dyn World>,
    ) -> Result<(Self, Arc<Shared>), StartError> {
        let node = Self::start_in(config, Ground { world: Some(world), ..Ground::of_machine(disk) }).await?;
        let shared = Arc::clone(&node.shared);
        Ok((node, shared))
    }

    /// Opens the store and everything that listens, wherever that is.
    pub(crate) async fn start_in(config: Arc<Config>, ground: Ground) -> Result<Self, StartError> {
        let Ground { kind, disk, outside, world, wrap } = ground;
        let store = open_store(&config, disk, kind).await?;
        let bound = bind_all(&config, kind, &*outside).await?;
        let host_name = config.host_name.ascii().to_owned();
        let tls = Tls::open(&config, &host_name)?;
        let authority = tls.as_ref().and_then(|tls| tls.authority.clone());
        let fresh = tls.as_ref().map(Tls::keep_fresh);
        let (stage, stage_now) = watch::channel(Stage::Serving);
        let authenticator = Authenticator::new(
            &config.auth,
            &config.oauth,
            &host_name,
            &secret(&config, kind)?,
            Arc::clone(&outside),
            stage_now.clone(),
        );
        let secrets = secrets(&config, kind)?;
        let shared = Arc::new(Shared {
            host_name,
            tls,
            store: wrap(Arc::clone(&store) as Arc<dyn Store>),
            embedded: store,
            memory: MemoryBudget::new(
                config.limits.body_memory_bytes_max.bytes(),
                config.limits.body_memory_per_message_bytes_max.bytes(),
            ),
            maildrops: Maildrops::default(),
            mail_models: MailModels::default(),
            mail_index: MailIndex::new(follows(&config, kind)),
            authenticator: Arc::new(authenticator),
            reputation: Reputation::new(&config, greylist(&config, kind)),
            resolver: Resolver::default(),
            dmarc_counts: match kind {
                Kind::Machine => DmarcCounts::of(&config.data),
                Kind::Simulation => DmarcCounts::default(),
            },
            sessions: AtomicUsize::new(0),
            messages: AtomicU64::new(0),
            metrics: Metrics::new(),
            directory: Directory::new(&config, srs(&secrets, kind), Arc::clone(&outside)),
            secrets,
            signing_keys: SigningKeys::default(),
            signing: Signing::new(),
            rates: Rates::new(&config.submission),
            quotas: Quotas::default(),
            reversals: Limits::default(),
            room: Room::default(),
            delivery: Delivery::new(&config),
            stage: stage_now,
            outside: Arc::clone(&outside),
            config: Arc::clone(&config),
        });
        let (listeners, alive) = serve_all(bound, &shared, kind)?;
        let control = match kind {
            Kind::Machine => Some(Self::open_control(&shared, &listeners)?),
            Kind::Simulation => None,
        };
        let world = world.unwrap_or_else(|| Arc::new(RealWorld::new(Arc::clone(&config), outside)));
        shared.delivery.start(&shared, world);
        let mut chores = Vec::new();
        match kind {
            // What the start has taken, a first password for example.
            Kind::Machine => {
                memory::give_back_later();
                chores.push(dkim::rotation::start(&shared));
                chores.push(expunged::start(&shared));
                chores.extend(pop3_service::expiry::start(&shared));
                shared.dmarc_counts.save_from_now_on();
                chores.extend(reputation::start(&shared));
                chores.push(MailIndex::start(&shared));
            }
            Kind::Simulation => {
                let store = Arc::clone(&shared.embedded);
                tokio::spawn(async move { store.drive().await });
            }
        }
        info!(data = %config.data.display(), ?listeners, "ready");
        Ok(Self { shared, listeners, authority, stage, alive, control, fresh, chores })
    }

    /// Tells the command line of this machine what runs here.
    fn open_control(
        shared: &Arc<Shared>,
        listeners: &[(String, ListenAddress)],
    ) -> Result<control::Server, StartError> {
        let folder = |path: PathBuf| move |error| StartError::Folder { path, error };
        let data = &shared.config.data;
        let path = data.join(LISTENERS_FILE);
        let by_service: serde_json::Map<_, _> = listeners
            .iter()
            .map(|(service, address)| (service.clone(), address.to_string().into()))
            .collect();
        let text = serde_json::Value::Object(by_service).to_string();
        // Under another name first, so that nobody reads half of it.
        let fresh = path.with_extension("json.new");
        std::fs::write(&fresh, text)
            .and_then(|()| std::fs::rename(&fresh, &path))
            .map_err(folder(path.clone()))?;
        let running =
            Running { shared: Arc::clone(shared), listeners: listeners.to_vec(), since: Instant::now() };
        let target = StoreTarget::running(Arc::clone(&shared.embedded), running);
        control::Server::start(data, Arc::new(target)).map_err(folder(data.clone()))
    }

    /// What listens where: the service's name and its address. Port 0 of the configuration has become a real one.
    #[must_use]
    pub fn listeners(&self) -> &[(String, ListenAddress)] {
        &self.listeners
    }

    /// Dev mode: the certificate of the authority that vouches for this node, for who wants names checked.
    #[must_use]
    pub fn authority(&self) -> Option<&std::path::Path> {
        self.authority.as_deref()
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<Embedded> {
        &self.shared.embedded
    }

    pub(crate) const fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    /// Serves until `shutdown` is done, then stops cleanly: nothing new is accepted, messages that are coming in are
    /// finished, the store is closed.
    ///
    /// # Errors
    /// [`NodeError`] where the store fails for good.
    pub async fn run_until(self, shutdown: impl Future<Output = ()> + Send) -> Result<(), NodeError> {
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
        let failed = self.served(shutdown).await;
        let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
        self.stop(failed).await
    }

    /// As [`Node::run_until`], without a word to the machine.
    pub(crate) async fn run_silently_until(
        self,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), NodeError> {
        let failed = self.served(shutdown).await;
        self.stop(failed).await
    }

    /// Returns when the node is to stop, and why where the store has failed.
    async fn served(&self, shutdown: impl Future<Output = ()>) -> Option<String> {
        let mut fatal = self.shared.embedded.fatal();
        let failed = tokio::select! {
            biased;
            why = async { fatal.wait_for(Option::is_some).await.ok().and_then(|why| why.clone()) } => why,
            () = shutdown => None,
        };
        if let Some(why) = &failed {
            error!(%why, "the store has failed");
        }
        failed
    }

    async fn stop(mut self, failed: Option<String>) -> Result<(), NodeError> {
        // A failed store takes no message any more: there is nothing to finish, only replies to be sent.
        let is_finished = failed.is_none() && self.closed(Stage::Finishing, FINISHING_TIMEOUT).await;
        if !is_finished && !self.closed(Stage::Ending, ENDING_TIMEOUT).await {
            warn!("sessions were still open when the time to stop was over");
        }
        if let Some(fresh) = &self.fresh {
            fresh.abort();
        }
        // They end with the stage, and hold the store until then.
        for chore in self.chores {
            let _ = chore.await;
        }
        if let Some(control) = self.control {
            control.stop().await;
        }
        self.shared.delivery.stop(failed.is_none()).await;
        self.shared.dmarc_counts.save_or_tell();
        self.shared.reputation.greylist.save(self.shared.now());
        self.shared.embedded.close().await;
        info!("stopped");
        failed.map_or(Ok(()), |why| Err(NodeError::Store(why)))
    }

    /// Begins a stage; true when the last session has ended, false when the time is over.
    async fn closed(&mut self, stage: Stage, wait: Duration) -> bool {
        self.stage.send_replace(stage);
        tokio::time::timeout(wait, self.alive.recv()).await.is_ok()
    }
}

/// A simulated node keeps none: it has no file for it.
fn secret(config: &Config, kind: Kind) -> Result<NodeSecret, StartError> {
    let opened = match kind {
        Kind::Machine => NodeSecret::open(&config.data),
        Kind::Simulation => Ok(NodeSecret::passing()),
    };
    opened.map_err(|error| StartError::Folder { path: config.data.join(NodeSecret::FILE), error })
}

/// The same of the master key.
fn secrets(config: &Config, kind: Kind) -> Result<Secrets, SecretError> {
    match kind {
        Kind::Machine => Secrets::at(&config.data),
        Kind::Simulation => Ok(Secrets::passing()),
    }
}

/// Mail is indexed as it comes where somebody may read it by IMAP.
fn follows(config: &Config, kind: Kind) -> Follows {
    let is_read = config.listeners.iter().any(|one| matches!(one.service, Service::Imap | Service::Imaps));
    if is_read && kind == Kind::Machine { Follows::Arrivals } else { Follows::Opened }
}

/// The same of who sent what before.
fn greylist(config: &Config, kind: Kind) -> Greylist {
    match kind {
        Kind::Machine => Greylist::open(config),
        Kind::Simulation => Greylist::passing(config),
    }
}

/// What writes the reverse-paths of what is sent on. All that happens to a simulated node follows from its seed.
fn srs(secrets: &Secrets, kind: Kind) -> Srs {
    match kind {
        Kind::Machine => Srs::new(&secrets.derive("srs")),
        Kind::Simulation => Srs::new(b"no secret"),
    }
}

async fn bind_all<'a>(
    config: &'a Config,
    kind: Kind,
    outside: &dyn Outside,
) -> Result<Vec<(&'a Listener, ListeningSocket)>, StartError> {
    let mut bound = Vec::new();
    for listener in &config.listeners {
        let socket = match kind {
            Kind::Machine => ListeningSocket::bind(listener),
            Kind::Simulation => ListeningSocket::bind_in(outside, listener).await,
        };
        let socket = socket.map_err(|error| StartError::Listen {
            address: listener.address.clone(),
            service: listener.service.as_str(),
            error,
        })?;
        bound.push((listener, socket));
    }
    Ok(bound)
}

/// Serves on all that was bound. Sessions hold the sender of what is returned while they run.
#[allow(clippy::type_complexity, reason = "two values that are taken apart at once")]
fn serve_all(
    bound: Vec<(&Listener, ListeningSocket)>,
    shared: &Arc<Shared>,
    kind: Kind,
) -> Result<(Vec<(String, ListenAddress)>, mpsc::Receiver<()>), StartError> {
    let (sender, alive) = mpsc::channel(1);
    let limits = &shared.config.limits;
    let connections_max = match kind {
        Kind::Machine => descriptors::connections_max(limits.connections_max),
        Kind::Simulation => limits.connections_max,
    };
    let admission = Arc::new(Admission::new(connections_max, limits.connections_per_address_max));
    let mut listeners = Vec::new();
    let mut ready = Vec::new();
    for (listener, socket) in bound {
        let address = socket.address().unwrap_or_else(|_| listener.address.clone());
        listeners.push((listener.service.as_str().to_owned(), address));
        let tls_config = shared.tls.as_ref().map(Tls::of_listener).transpose()?;
        if listener.tls_policy() == TlsPolicy::Required && tls_config.is_none() {
            return Err(TlsError::NoCertificate.into());
        }
        let facts = Arc::new(ListenerFacts::new(listener, &shared.config, tls_config));
        ready.push(Listening { socket, facts });
    }
    for listening in ready {
        let (shared, admission) = (Arc::clone(shared), Arc::clone(&admission));
        tokio::spawn(listener::run(listening, shared, admission, sender.clone()));
    }
    Ok((listeners, alive))
}

async fn open_store(config: &Config, disk: Arc<dyn Disk>, kind: Kind) -> Result<Arc<Embedded>, StartError> {
    let options = Options {
        path: config.data.clone(),
        segment_bytes: config.store.segment_bytes.bytes(),
        view_cache_bytes: config.store.cache_bytes.as_usize(),
        min_free_bytes: config.store.min_free_bytes.bytes(),
        trace: TraceOptions {
            bytes_max: config.trace.bytes_max.bytes(),
            days_max: u32::try_from(config.trace.days_max).unwrap_or(u32::MAX),
            min_free_bytes: config.store.min_free_bytes.bytes() / 2,
            ..TraceOptions::default()
        },
        keep_expunged: config.store.expunged_days > 0,
        mailboxes_max: config.imap.mailboxes_max,
        disk,
        drive: match kind {
            Kind::Machine => Drive::Threads,
            Kind::Simulation => Drive::Task,
        },
        ..Options::default()
    };
    let opened = match kind {
        Kind::Machine => tokio::task::spawn_blocking(move || Embedded::open(options)).await,
        Kind::Simulation => Ok(Embedded::open(options)),
    };
    let opened = opened.unwrap_or_else(|panic| Err(StoreError::Unavailable(panic.to_string())));
    opened.map(Arc::new).map_err(|error| StartError::Store { path: config.data.clone(), error })
}
