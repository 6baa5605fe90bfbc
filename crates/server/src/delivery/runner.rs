//! What runs: one task for each connection, one that finds what is due, some that record what became of it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak};
use std::time::Duration;

use mta::route::{Route, Unroutable};
use mta::schedule::Schedule;
use store::{Destination, QueueItem, QueueItemId, Store};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::task::JoinHandle;
use tracing::error;
use types::{EnhancedStatus, Event, EventStep, Host, MailId, Timestamp, Verdict};

use super::Fresh;
use super::addresses::Addresses;
use super::board::{Board, Effects, Job, Limits, Loaded, SiteName, Turn};
use super::caution::{self, Caution};
use super::fate::{Happened, Note};
use super::settling::Settling;
use super::world::{Asked, Routed, Way, World};
use super::{attempt, conclude, loader, settling};
use crate::config::Config;
use crate::metrics::DeliveryFigures;
use crate::shared::Shared;

/// The runner, from before its start to after its end.
pub(super) struct Runner {
    board: Mutex<Board>,
    setup: OnceLock<Setup>,
    pub(super) addresses: Addresses,
    /// Something may be due, or there is room.
    pub(super) wake: Notify,
    /// An item or a connection is done.
    pub(super) quiet: Notify,
    pub(super) stage: watch::Sender<Stage>,
    /// An item was accepted while there was no room: what is due has to be looked for.
    pub(super) is_short: AtomicBool,
    /// Routes that are found out at one time.
    routing: Semaphore,
    /// Reports that are made at one time: each may hold a message in memory.
    pub(super) reporting: Semaphore,
    ids: AtomicU64,
}

/// What it works with, once it is started.
pub(super) struct Setup {
    pub(super) store: Arc<dyn Store>,
    pub(super) world: Arc<dyn World>,
    pub(super) config: Arc<Config>,
    pub(super) schedule: Schedule,
    /// For where addresses of this node lead. It holds the runner, so that it is not held here.
    pub(super) shared: Weak<Shared>,
    pub(super) settle: mpsc::UnboundedSender<Settling>,
    pub(super) figures: DeliveryFigures,
    pub(super) caution: Caution,
}

/// How far the end has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Running,
    /// What is under way is finished, and nothing begun.
    Finishing,
    /// All ends where it is.
    Over,
}

/// A rest is never longer, as the rate of a site is that of a minute.
const REST_MAX: Duration = Duration::from_secs(60);
/// Routes that are found out at one time.
const ROUTING_MAX: usize = 64;
/// Reports that are made at one time.
const REPORTING_MAX: usize = 8;
/// Items in memory up to which bodies of new ones are kept there too.
const FRESH_BODIES_MAX: usize = 1000;
/// Octets of such a body.
const FRESH_BODY_BYTES_MAX: usize = 32 * 1024;
/// How long who asks for the mail of a destination waits for what of it is in memory just then.
const SETTLED_TIMEOUT: Duration = Duration::from_secs(2);
/// How long what is under way may take when the node stops.
const FINISHING_TIMEOUT: Duration = Duration::from_secs(10);

impl Runner {
    pub(super) fn new(config: &Config) -> Self {
        let limits = Limits {
            loaded_max: config.queue.loaded_max,
            connections_max: config.delivery.connections_max,
            site: config.delivery.site_limits(),
        };
        Self {
            board: Mutex::new(Board::new(limits)),
            setup: OnceLock::new(),
            addresses: Addresses::default(),
            wake: Notify::new(),
            quiet: Notify::new(),
            stage: watch::Sender::new(Stage::Running),
            is_short: AtomicBool::new(false),
            routing: Semaphore::new(ROUTING_MAX),
            reporting: Semaphore::new(REPORTING_MAX),
            ids: AtomicU64::new(0),
        }
    }

    /// Begins. A second call does nothing.
    pub(super) fn start(self: &Arc<Self>, shared: &Arc<Shared>, world: Arc<dyn World>) {
        let (settle, unsettled) = mpsc::unbounded_channel();
        let disk = Arc::clone(shared.embedded.disk());
        let (caution, alone) = Caution::begin(disk, &shared.config.data, world.now());
        let setup = Setup {
            store: Arc::clone(&shared.store),
            world,
            config: Arc::clone(&shared.config),
            schedule: shared.config.queue.schedule(),
            shared: Arc::downgrade(shared),
            settle,
            figures: shared.metrics.delivery.clone(),
            caution,
        };
        if self.setup.set(setup).is_err() {
            return;
        }
        self.spawn(loader::run(Arc::clone(self)));
        self.spawn(settling::run(Arc::clone(self), unsettled));
        self.spawn(caution::try_alone(Arc::clone(self), alone));
        self.spawn(caution::forget(Arc::clone(self)));
    }

    pub(super) fn setup(&self) -> Option<&Setup> {
        self.setup.get()
    }

    /// No decision of the board panics halfway: it is whole whoever held it.
    pub(super) fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs until it is done, or all is over, which it is only when this has ended.
    pub(super) fn spawn(self: &Arc<Self>, task: impl Future<Output = ()> + Send + 'static) {
        let mut stage = self.stage.subscribe();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = stage.wait_for(|stage| *stage == Stage::Over) => {}
                () = task => {}
            }
        });
    }

    /// Runs for a task that runs already, and ends with it.
    fn spawn_within<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> AbortOnDrop<T> {
        let stage = self.stage.subscribe();
        AbortOnDrop(tokio::spawn(async move {
            let output = task.await;
            drop(stage);
            output
        }))
    }

    /// Does what the board wants done.
    pub(super) fn apply(self: &Arc<Self>, effects: Effects) {
        let Effects { release, ask, start, load } = effects;
        if !release.is_empty()
            && let Some(setup) = self.setup()
        {
            setup.store.release(&release);
        }
        for (destination, asked) in ask {
            self.spawn(find_route(Arc::clone(self), destination, asked));
        }
        for site in start {
            self.spawn(keep_working(Arc::clone(self), site));
        }
        if load {
            self.wake.notify_one();
        }
    }

    /// Whether more items fit into memory.
    pub(super) fn has_room(&self) -> bool {
        let has_room = self.setup().is_some() && self.board().room() > 0;
        if !has_room {
            self.is_short.store(true, Ordering::Relaxed);
        }
        has_room
    }

    /// Takes items that are claimed.
    pub(super) fn take(self: &Arc<Self>, items: Vec<QueueItem>, fresh: Option<Fresh>) {
        let Some(setup) = self.setup() else { return };
        let now = setup.world.now();
        let fresh = fresh.map(|fresh| Arc::new(self.within_memory(fresh)));
        let mut effects = Effects::default();
        {
            let mut board = self.board();
            for item in items {
                board.add(Loaded { item, fresh: fresh.clone(), loaded_at: now }, now, &mut effects);
            }
        }
        self.apply(effects);
    }

    /// A body stays in memory as long as few wait there: all others are read again.
    fn within_memory(&self, fresh: Fresh) -> Fresh {
        let few = self.board().loaded() < FRESH_BODIES_MAX;
        Fresh { body: fresh.body.filter(|body| few && body_bytes(body) <= FRESH_BODY_BYTES_MAX), ..fresh }
    }

    /// An item is settled, or will never be.
    pub(super) fn finished(self: &Arc<Self>, items: impl IntoIterator<Item = (QueueItemId, Destination)>) {
        let mut effects = Effects::default();
        {
            let mut board = self.board();
            for (id, destination) in items {
                effects.load |= board.finished(id, &destination).load;
                // Whoever looked for work after the settlement and before this has claimed it, and found it here.
                effects.release.push(id);
            }
        }
        self.apply(effects);
        self.quiet.notify_waiters();
    }

    /// Gives a claim back of what was not tried.
    pub(super) fn give_back(self: &Arc<Self>, item: &QueueItem) {
        self.finished([(item.id, item.destination.clone())]);
        self.wake.notify_one();
    }

    /// Waits until nothing of a destination is in memory, so that the store has the last word on all of it; not for
    /// long.
    pub(super) async fn until_settled(&self, destination: &Destination) {
        let settled = async {
            loop {
                let quiet = self.quiet.notified();
                tokio::pin!(quiet);
                quiet.as_mut().enable();
                if !self.board().has_loaded(destination) {
                    return;
                }
                quiet.await;
            }
        };
        let _ = tokio::time::timeout(SETTLED_TIMEOUT, settled).await;
    }

    /// A new id for a connection or a report.
    pub(super) fn new_id(&self, setup: &Setup) -> MailId {
        // Two of one instant differ, whatever the world calls random.
        let number = self.ids.fetch_add(1, Ordering::Relaxed);
        MailId::new(setup.world.now(), setup.world.random() ^ (number << 32))
    }

    /// Finishes what is under way, and gives back what is not.
    pub(super) async fn stop(self: &Arc<Self>, can_finish: bool) {
        self.stage.send_replace(Stage::Finishing);
        let effects = self.board().stop();
        self.apply(effects);
        let all_done = async {
            loop {
                let quiet = self.quiet.notified();
                tokio::pin!(quiet);
                quiet.as_mut().enable();
                let is_done = {
                    let board = self.board();
                    board.loaded() == 0 && board.workers() == 0
                };
                if is_done {
                    return;
                }
                quiet.await;
            }
        };
        if can_finish {
            let _ = tokio::time::timeout(FINISHING_TIMEOUT, all_done).await;
        }
        self.stage.send_replace(Stage::Over);
        // Whoever runs listens to the stage until he has ended, and holds the store until then.
        let _ = tokio::time::timeout(FINISHING_TIMEOUT, self.stage.closed()).await;
        if let Some(setup) = self.setup() {
            setup.caution.end();
        }
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stage.borrow() != Stage::Running
    }
}

impl Setup {
    /// Attempts in a row that may fail by a fault of our own.
    pub(super) fn own_failures_max(&self) -> u32 {
        u32::try_from(self.config.queue.own_failures_max).unwrap_or(u32::MAX)
    }

    /// Writes lines of the trace.
    pub(super) fn record(&self, session_id: MailId, mail_id: Option<MailId>, notes: Vec<Note>) {
        if notes.is_empty() {
            return;
        }
        let at = self.world.now();
        let event = |note: Note| {
            let Note { step, verdict, address, reply, reason } = note;
            Event { at, session_id, mail_id, step, verdict, address, reply, reason }
        };
        self.store.record(notes.into_iter().map(event).collect());
    }

    /// Waits by the world's clock, and no longer where that is put back meanwhile.
    pub(super) async fn rest(&self, time: Duration) {
        let until = self.world.now().plus(time);
        tokio::select! {
            biased;
            () = self.world.sleep_until(until) => {}
            () = tokio::time::sleep(time) => {}
        }
    }
}

/// Where a destination is.
enum Found {
    Here,
    Elsewhere(Routed),
    Nowhere,
}

async fn find_route(runner: Arc<Runner>, destination: Destination, asked: Asked) {
    let Some(setup) = runner.setup() else { return };
    // It is never closed.
    let _turn = runner.routing.acquire().await;
    let (world, shared) = (Arc::clone(&setup.world), setup.shared.upgrade());
    let to = destination.clone();
    let lookup = async move {
        let is_here = match shared {
            Some(shared) => crate::local_delivery::is_here(&shared, &to).await,
            None => false,
        };
        match to.as_str().parse::<Host>() {
            _ if is_here => Found::Here,
            Ok(host) => Found::Elsewhere(world.route(&host, asked).await),
            Err(_) => Found::Nowhere,
        }
    };
    let nowhere = || {
        let reason = Unroutable::Literal(destination.to_string());
        let rule = setup.config.transports.rule(&Host::Domain(setup.config.host_name.clone()));
        Routed::new(Arc::clone(rule), Way::Elsewhere(Route::Unroutable { reason, skipped: Vec::new() }))
    };
    // What the DNS or the directory says must not stop the runner, whatever it is.
    let routed = match runner.spawn_within(lookup).await {
        Ok(Found::Here) => Routed { site: Arc::from(Routed::HERE), way: Way::Here, ..nowhere() },
        Ok(Found::Elsewhere(routed)) => routed,
        Ok(Found::Nowhere) => nowhere(),
        Err(why) => {
            error!(%destination, %why, "a route is not found out by a fault of this program");
            let text = "a fault of this server: where it goes cannot be found out".to_owned();
            let reason = Unroutable::Rule { status: EnhancedStatus::transient(3, 0), text };
            Routed { way: Way::Elsewhere(Route::Unroutable { reason, skipped: Vec::new() }), ..nowhere() }
        }
    };
    let mut effects = Effects::default();
    runner.board().routed(&destination, routed, setup.world.now(), &mut effects);
    runner.apply(effects);
}

/// What a worker has in its hands, for whoever finds it dead.
type InHand = Arc<Mutex<Option<Arc<Job>>>>;

/// Keeps a worker.
async fn keep_working(runner: Arc<Runner>, site: SiteName) {
    let in_hand = InHand::default();
    let worker = runner.spawn_within(work(Arc::clone(&runner), Arc::clone(&site), Arc::clone(&in_hand)));
    guarded(&runner, worker, in_hand).await;
    let Some(setup) = runner.setup() else { return };
    let effects = runner.board().left(&site, setup.world.now());
    runner.apply(effects);
    runner.quiet.notify_waiters();
}

/// Tries one item over a connection of its own.
pub(super) async fn work_on(runner: Arc<Runner>, site: SiteName, job: Box<Job>) {
    let job: Arc<Job> = Arc::from(job);
    let in_hand = InHand::new(Mutex::new(Some(Arc::clone(&job))));
    let worker = runner.spawn_within(work_once(Arc::clone(&runner), site, job));
    guarded(&runner, worker, in_hand).await;
}

async fn work_once(runner: Arc<Runner>, site: SiteName, job: Arc<Job>) {
    let Some(setup) = runner.setup() else { return };
    let mut line = attempt::Line::default();
    attempt::attempt(&runner, setup, &site, &job, &mut line).await;
    line.close(setup).await;
}

/// Lets a worker work, and counts a fault of ours against the message that it died of.
async fn guarded(runner: &Arc<Runner>, worker: AbortOnDrop<()>, in_hand: InHand) {
    let end = worker.await;
    let Some(setup) = runner.setup() else { return };
    let dropped = in_hand.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let (Err(why), Some(job)) = (end, dropped) {
        error!(item = %job.loaded.item.id, %why, "an attempt to deliver has failed by a fault of this program");
        let happened = Happened::Ours("the attempt came to an unexpected end".to_owned());
        let session = runner.new_id(setup);
        conclude::conclude(runner, setup, &job.loaded, None, happened, session).await;
    }
}

/// One connection, and what goes over it.
async fn work(runner: Arc<Runner>, site: SiteName, in_hand: InHand) {
    let Some(setup) = runner.setup() else { return };
    let mut line = attempt::Line::default();
    let mut is_last_look = false;
    loop {
        let (turn, effects) = runner.board().next(&site, line.served(), setup.world.now());
        runner.apply(effects);
        match turn {
            Turn::Leave => break,
            Turn::Rest(until) => {
                let mut stage = runner.stage.subscribe();
                tokio::select! {
                    biased;
                    _ = stage.wait_for(|stage| *stage != Stage::Running) => {}
                    () = setup.world.sleep_until(until) => {}
                    // The clock may be put back before then.
                    () = tokio::time::sleep(REST_MAX) => {}
                }
            }
            Turn::Wait(wake) => {
                let idle = setup.config.delivery.idle_s.duration();
                let is_of_use = line.is_open() && !is_last_look && !idle.is_zero();
                is_last_look = !is_of_use || tokio::time::timeout(idle, wake.notified()).await.is_err();
                runner.board().woke(&site);
                if !is_of_use {
                    break;
                }
            }
            Turn::Work(job) => {
                is_last_look = false;
                let Some(job) = caution::take_in_hand(&runner, setup, &site, job).await else { continue };
                let job: Arc<Job> = Arc::from(job);
                *in_hand.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&job));
                attempt::attempt(&runner, setup, &site, &job, &mut line).await;
                *in_hand.lock().unwrap_or_else(PoisonError::into_inner) = None;
            }
        }
    }
    line.close(setup).await;
}

/// A task that ends with whoever waits for it.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = <JoinHandle<T> as Future>::Output;

    fn poll(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Self::Output> {
        std::pin::Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn body_bytes(body: &[bytes::Bytes]) -> usize {
    body.iter().map(bytes::Bytes::len).sum()
}

/// What people read of a site.
pub(super) fn site_note(verdict: Verdict, site: &str, reason: String) -> Note {
    Note { address: Some(site.to_owned()), ..Note::new(EventStep::Site, verdict, reason) }
}

/// The time of a note that is not about now.
pub(super) fn in_words(until: Timestamp) -> String {
    until.to_string()
}
