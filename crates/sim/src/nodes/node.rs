//! One Posta over its lives: what stays when it dies, and what runs on its machine.

use std::future::Future;
use std::path::PathBuf;
use std::sync::atomic::AtomicI64;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use server::config::{
    ByteSize, Config, Limits, Listener, Network, OutboundTls, Policy, PrivateAddresses, Recipients, Seconds,
    Service, Store as StoreConfig, Submission, Switch, TlsChoice, TransportRule, Transports,
};
use server::simulation::{DeliveryFigures, SimNode, Simulated, Watch};
use store::embedded::Embedded;
use store::{Directory as _, Mailboxes as _, NewAccount, Queue as _};
use types::{Domain, Host, Timestamp};

use mta::route::{Pattern, Protocol, Transport};

use super::Plant;
use super::gate::{Gate, GatedDisk, Operation};
use super::network::Surroundings;
use super::plan::Fullness;
use super::world::World;
use crate::disk::{Faults, SimDisk};

/// A node over its lives.
pub(super) struct Node {
    pub(super) number: usize,
    pub(super) world: Arc<World>,
    plant: Plant,
    state: Mutex<State>,
    /// How far its wall clock is from the world's time.
    pub(super) clock_ms: Arc<AtomicI64>,
}

struct State {
    disk: SimDisk,
    gate: Arc<Gate>,
    life: u64,
    /// Of the life that is, once it has begun.
    store: Option<Arc<Embedded>>,
    /// Items of its queue, as they were seen last.
    queued: Option<u64>,
}

/// How often a node is looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// Of the store's segments: small, so that they are given up within a short life.
const SEGMENT_BYTES: u64 = 128 * 1024;
const MIN_FREE_BYTES: u64 = 1024 * 1024;
/// Connections to other hosts at one time: few, so that the limit is reached.
pub(super) const CONNECTIONS_MAX: u32 = 12;

impl Node {
    pub(super) fn new(world: &Arc<World>, number: usize, plant: Plant) -> Arc<Self> {
        let state = State {
            disk: SimDisk::new(),
            gate: Gate::new(number, Arc::clone(world)),
            life: 0,
            store: None,
            queued: None,
        };
        let clock_ms = Arc::new(AtomicI64::new(world.plan.nodes[number].skew_ms));
        Arc::new(Self { number, world: Arc::clone(world), plant, state: Mutex::new(state), clock_ms })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.state().gate)
    }

    pub(super) fn store(&self) -> Option<Arc<Embedded>> {
        self.state().store.clone()
    }

    /// Items of its queue; none while it is not up.
    pub(super) fn queued(&self) -> Option<u64> {
        self.state().queued
    }

    /// Puts all that its disk did in this life on the tape.
    pub(super) fn tape(&self) {
        let trace = self.state().disk.trace();
        self.world.tape(self.number, Operation::Life, &trace.to_be_bytes());
    }

    /// The disk takes nothing more.
    pub(super) fn fill(&self, how: Fullness) {
        let faults = match how {
            Fullness::Low => Faults { free_bytes: Some(0), ..Faults::default() },
            Fullness::Hard => Faults { free_bytes: Some(0), capacity_bytes: Some(0), ..Faults::default() },
        };
        self.state().disk.set_faults(faults);
        let at = self.world.elapsed();
        self.world.state().ledger.full_since.entry(self.number).or_insert(at);
    }

    /// The disk has room again.
    pub(super) fn make_room(&self) {
        self.state().disk.set_faults(Faults::default());
        let at = self.world.elapsed();
        self.world.state().ledger.has_room(self.number, at);
    }

    /// Its tasks have ended: what is left is what the next life finds.
    pub(super) fn buried(&self, disk: impl FnOnce(&SimDisk) -> SimDisk) {
        self.tape();
        let mut state = self.state();
        state.disk = disk(&state.disk);
        state.gate = Gate::new(self.number, Arc::clone(&self.world));
        state.life += 1;
        state.store = None;
        state.queued = None;
    }

    /// What runs on its machine, for ever: when it is dead, its machine ends it.
    pub(super) async fn live(self: Arc<Self>) {
        // Dropped last.
        let _closing = Closing(self.gate());
        self.serve().await;
        std::future::pending().await
    }

    async fn serve(self: Arc<Self>) {
        let (disk, gate, life) = {
            let state = self.state();
            (state.disk.clone(), Arc::clone(&state.gate), state.life)
        };
        let random = self.world.random(100_000 * (self.number as u64 + 1) + life);
        let outside = Surroundings::new(Arc::clone(&gate), Arc::clone(&self.clock_ms), random);
        let simulated = Simulated {
            config: Arc::new(self.config()),
            disk: (self.plant.disk)(Arc::new(GatedDisk { disk, gate: Arc::clone(&gate) })),
            outside: Arc::new(outside),
            wrap: self.plant.store,
        };
        let name = &self.world.plan.nodes[self.number].name;
        let running = match simulated.start().await {
            Ok(running) => running,
            Err(_) if gate.is_closed() => return,
            Err(error) => return self.world.fail(format!("{name} does not start: {error}")),
        };
        let (store, watch) = (running.store(), running.watch());
        self.state().store = Some(Arc::clone(&store));
        let kept = Arc::clone(&self);
        let ended = with(running, kept.keep(store, watch)).await;
        if !gate.is_closed() {
            self.world.fail(format!("{name} has ended by itself: {ended}"));
        }
    }

    /// Makes its accounts, and looks at it for as long as it lives.
    async fn keep(self: Arc<Self>, store: Arc<Embedded>, watch: Watch) {
        for (n, account) in self.world.plan.accounts(self.number).enumerate() {
            if matches!(store.account(&account).await, Ok(None)) {
                let at = Timestamp::from_millis(1_795_322_124_250 + n as u64);
                if store.create_account(NewAccount::new(account, at)).await.is_err() {
                    break;
                }
            }
        }
        let mut looks = 0;
        loop {
            if let Ok(figures) = store.queue_figures().await {
                self.state().queued = Some(figures.waiting + figures.held);
            }
            if let Some(figures) = watch.figures() {
                self.weigh(&figures);
            }
            if looks % 12 == 0 {
                self.look_at_uids(&store).await;
            }
            looks += 1;
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
    }

    /// Memory is bounded.
    fn weigh(&self, figures: &DeliveryFigures) {
        let is_within = figures.items <= figures.items_max
            && figures.connections <= figures.connections_max
            && figures.connections_of_one_site <= figures.connections_of_one_site_max;
        if !is_within {
            let name = &self.world.plan.nodes[self.number].name;
            self.world.fail(format!("{name} has more in memory than it may: {figures:?}"));
        }
        let mut state = self.world.state();
        state.summary.items_max = state.summary.items_max.max(figures.items as u64);
    }

    /// No UID is given to a second message.
    async fn look_at_uids(&self, store: &Embedded) {
        let Ok(accounts) = store.accounts().await else { return };
        for account in accounts {
            let Ok(entries) = store.messages(account.inbox, None, usize::MAX).await else { return };
            for entry in entries {
                let key = (self.number, account.inbox, entry.uid);
                let first = *self.world.state().uids.entry(key).or_insert(entry.mail_id);
                if first != entry.mail_id {
                    let name = &self.world.plan.nodes[self.number].name;
                    let of = format!("UID {} of {}", entry.uid, account.name);
                    self.world.fail(format!("{name}: {of} is {}, and was {first}", entry.mail_id));
                }
            }
        }
    }

    fn config(&self) -> Config {
        let plan = &self.world.plan;
        let node = &plan.nodes[self.number];
        let everybody = Network::new([10, 0, 0, 0].into(), 8);
        let listener = Listener {
            tls: TlsChoice::Off,
            ..Listener::new(Service::Smtp, std::net::SocketAddr::from(([0, 0, 0, 0], 25)))
        };
        let mut config = Config {
            host_name: domain(&node.name),
            data: PathBuf::from("/data"),
            recipients: Recipients::Domains(vec![domain(&node.domain)]),
            listeners: vec![listener],
            policy: Policy { trusted_networks: everybody.into_iter().collect(), ..Policy::default() },
            submission: Submission {
                messages_per_hour_per_account_max: 0,
                messages_per_hour_per_address_max: 0,
                ..Submission::default()
            },
            limits: Limits { connections_per_address_max: 1000, ..Limits::default() },
            store: StoreConfig {
                segment_bytes: ByteSize(SEGMENT_BYTES),
                min_free_bytes: ByteSize(MIN_FREE_BYTES),
                ..StoreConfig::default()
            },
            transports: Transports::new(
                node.smart_host.map(|to| smart_host(&plan.nodes[to].name)).into_iter().collect(),
            ),
            ..Config::default()
        };
        config.queue.retry_intervals_s = [60, 90, 120].map(Seconds).to_vec();
        config.queue.greylisting_intervals_s = vec![Seconds(60)];
        config.queue.lifetime_s = Seconds(plan.lifetime.as_secs());
        config.queue.report_lifetime_s = Seconds(60 * 60);
        config.queue.delay_notice_after_s = Seconds(5 * 60);
        // Few, so that limits are reached.
        config.queue.loaded_max = 100;
        config.delivery.connections_max = CONNECTIONS_MAX as usize;
        config.delivery.connections_per_site_max = 3;
        config.delivery.tls = OutboundTls::None;
        config.delivery.dane = Switch::Off;
        config.delivery.mta_sts = Switch::Off;
        config.delivery.private_addresses = PrivateAddresses::Any;
        config
    }
}

/// Closes the connections of a node when all of its tasks have ended.
struct Closing(Arc<Gate>);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.close_connections();
    }
}

/// Names of the plan are domains.
#[allow(clippy::expect_used, reason = "names of the plan are domains")]
fn domain(name: &str) -> Domain {
    name.parse().expect("a domain")
}

fn smart_host(name: &str) -> TransportRule {
    let transport = Transport::Host { host: Host::Domain(domain(name)), port: 25, protocol: Protocol::Smtp };
    TransportRule::new(Pattern::Everything, transport)
}

/// Runs a node until it ends by itself, and something beside it.
async fn with(running: SimNode, beside: impl Future<Output = ()>) -> String {
    tokio::select! {
        biased;
        ended = running.run_until(std::future::pending()) => match ended {
            Ok(()) => "stopped".to_owned(),
            Err(error) => error.to_string(),
        },
        () = beside => "nobody looks at it any more".to_owned(),
    }
}
