//! What the control socket, or the command line without a server, asks about.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use async_trait::async_trait;
use mta::dkim_rotation::{DkimSchedule, DkimSeen};
use store::embedded::{CheckReport, Embedded, StoreStats};
use store::{Acceptance, Accepted, Destination, QueueItem, QueueItemId, Store, StoreError};
use types::directory::DkimKey;
use types::{Event, MailId};

use crate::config::{Dkim, Recipients};
use crate::control::{
    ControlError, ControlTarget, ErrorKind, GivenUp, GreylistRequest, GreylistResponse, LocalDomains,
    NodeFacts, QueueFlush, SiteSummary, SiteWord, Status, Withheld,
};
use crate::delivery::{Flush, Note, SiteFigures, SiteState};
use crate::outside::now;
use crate::quotas::Quotas;
use crate::secrets::{SecretError, Secrets};
use crate::shared::Shared;
use crate::tls::Tls;

/// A store, and the node that serves it if one does.
pub struct StoreTarget {
    embedded: Arc<Embedded>,
    store: Arc<dyn Store>,
    running: Option<Running>,
    /// Where nothing runs.
    quotas: Quotas,
}

/// What `posta status` tells.
pub(crate) struct Running {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Vec<(String, crate::config::ListenAddress)>,
    pub(crate) since: Instant,
}

impl StoreTarget {
    /// A store that no node serves.
    #[must_use]
    pub fn new(embedded: Arc<Embedded>) -> Self {
        Self {
            store: Arc::clone(&embedded) as Arc<dyn Store>,
            embedded,
            running: None,
            quotas: Quotas::default(),
        }
    }

    pub(crate) fn running(embedded: Arc<Embedded>, running: Running) -> Self {
        Self { running: Some(running), ..Self::new(embedded) }
    }
}

#[async_trait]
impl ControlTarget for StoreTarget {
    fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    fn arrived(&self, accepted: &[Accepted]) {
        if let Some(running) = &self.running {
            running.shared.mail_index.arrived(accepted);
        }
    }

    fn status(&self) -> Option<Status> {
        self.running.as_ref().map(|running| Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            process_id: std::process::id(),
            uptime_s: running.since.elapsed().as_secs(),
            listeners: running.listeners.clone(),
            open_sessions: running.shared.sessions.load(Ordering::Relaxed) as u64,
            lists: running.shared.reputation.lists.states(),
        })
    }

    fn greylist(&self, request: &GreylistRequest) -> Option<GreylistResponse> {
        Some(self.running.as_ref()?.shared.reputation.greylist.answer(request))
    }

    fn node_facts(&self) -> Option<NodeFacts> {
        let Running { shared, listeners, .. } = self.running.as_ref()?;
        let bound = listeners.iter().map(|(_, address)| address);
        let chains = shared.tls.as_ref().map(Tls::chains).unwrap_or_default();
        let own = shared.outside.own_addresses();
        Some(NodeFacts::new(&shared.config, &shared.host_name, bound, &own, &chains))
    }

    fn local_domains(&self) -> LocalDomains {
        let Some(running) = &self.running else { return LocalDomains::Unknown };
        let config = &running.shared.config;
        match &config.recipients {
            Recipients::CatchAll | Recipients::Relay => LocalDomains::Everything,
            // The host's own name is always one of them.
            Recipients::Domains(domains) => {
                LocalDomains::Listed([domains.as_slice(), std::slice::from_ref(&config.host_name)].concat())
            }
        }
    }

    fn secrets(&self) -> Result<Secrets, SecretError> {
        match &self.running {
            Some(running) => Ok(running.shared.secrets.clone()),
            None => Secrets::at(self.embedded.path()),
        }
    }

    fn quotas(&self) -> &Quotas {
        self.running.as_ref().map_or(&self.quotas, |running| &running.shared.quotas)
    }

    fn dkim_schedule(&self) -> DkimSchedule {
        match &self.running {
            Some(running) => running.shared.config.dkim.schedule(),
            None => Dkim::default().schedule(),
        }
    }

    fn dkim_seen(&self, key: &DkimKey) -> DkimSeen {
        self.running.as_ref().map_or(DkimSeen::Unknown, |running| running.shared.signing_keys.watch.of(key))
    }

    fn queue_changed(&self, ids: &[QueueItemId]) {
        if let Some(running) = &self.running {
            running.shared.delivery.changed(ids);
            running.shared.delivery.wake();
        }
    }

    fn withhold(&self, items: &[QueueItem]) -> Withheld<'_> {
        let Some(running) = &self.running else { return Withheld::default() };
        let mut withholding = running.shared.delivery.withhold(items);
        let under_way = std::mem::take(&mut withholding.under_way);
        Withheld { under_way, guard: Some(Box::new(withholding)) }
    }

    fn start_now(&self, ids: &[QueueItemId]) -> bool {
        let Some(running) = &self.running else { return false };
        running.shared.delivery.start_now(&Flush::Items(ids.to_vec()));
        true
    }

    async fn failure_reports(
        &self,
        item: &QueueItem,
        why: GivenUp,
        operator: &str,
        session_id: MailId,
    ) -> Result<(Vec<Acceptance>, Vec<Event>), ControlError> {
        let unavailable = |text: &str| ControlError::new(ErrorKind::Unavailable, text);
        let running = self.running.as_ref().ok_or_else(|| {
            unavailable("reports are made by a running server; start it, or remove without a report")
        })?;
        let made = running.shared.delivery.failure_reports(item, why, operator).await;
        let (acceptances, notes) = made.map_err(|text| unavailable(&text))?;
        let at = now();
        let event = |note: Note| {
            let Note { step, verdict, address, reply, reason } = note;
            Event { at, session_id, mail_id: Some(item.id.mail_id), step, verdict, address, reply, reason }
        };
        Ok((acceptances, notes.into_iter().map(event).collect()))
    }

    fn flush(&self, what: &QueueFlush) -> bool {
        let Some(running) = &self.running else { return false };
        let what = match what {
            QueueFlush::All => Some(Flush::All),
            QueueFlush::Site { site } => Some(Flush::Site(site.clone())),
            QueueFlush::Domain { domain } => match domain.strip_prefix('.') {
                Some(domain) => domain.parse().ok().map(Flush::Subtree),
                None => domain.parse().ok().map(|host| Flush::Destination(Destination::of(&host))),
            },
        };
        what.inspect(|what| running.shared.delivery.start_now(what)).is_some()
    }

    fn sites(&self) -> Option<Vec<SiteSummary>> {
        let running = self.running.as_ref()?;
        Some(running.shared.delivery.sites().into_iter().map(site).collect())
    }

    async fn check(&self) -> Result<CheckReport, StoreError> {
        self.embedded.settled().await?;
        let embedded = Arc::clone(&self.embedded);
        aside(move || embedded.check()).await
    }

    async fn stats(&self) -> Result<StoreStats, StoreError> {
        self.embedded.settled().await?;
        let embedded = Arc::clone(&self.embedded);
        aside(move || embedded.stats()).await
    }
}

/// Both read much and wait for the disk: on a thread where no session waits for them.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|panic| Err(StoreError::Unavailable(panic.to_string())))
}

fn site(site: SiteFigures) -> SiteSummary {
    let (state, suspended_until, reason) = match site.state {
        SiteState::Active => (SiteWord::Active, None, None),
        SiteState::Probing => (SiteWord::Probing, None, None),
        SiteState::Suspended { until, reason } => {
            (SiteWord::Suspended, Some(until.to_string()), Some(reason))
        }
    };
    SiteSummary {
        name: site.name,
        state,
        suspended_until,
        reason,
        connections: site.connections,
        connections_max: site.connections_max,
        ready: site.ready,
        relayed: site.relayed,
        destinations: site.destinations,
        last_replies: site.last_replies,
    }
}
