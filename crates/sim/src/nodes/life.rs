//! The world from its beginning to its end: what runs, what goes wrong when, and when all is over.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use turmoil::Sim;

use super::node::Node;
use super::plan::{Death, HAVEN, Moment, OUTSIDE, Trouble};
use super::world::World;
use super::{client, peer};
use crate::random::Random;

/// A world that runs.
pub(super) struct Life<'s> {
    sim: Sim<'s>,
    world: Arc<World>,
    pub(super) nodes: Vec<Arc<Node>>,
    random: Random,
    /// What has begun and is to end.
    ends: Vec<(Duration, End)>,
    /// Links that are cut or held.
    cut: Vec<(Ipv4Addr, Ipv4Addr)>,
    /// How nodes die that are about to.
    dying: Vec<(usize, Death, Duration, Duration)>,
    down: BTreeSet<usize>,
}

#[derive(Debug, Clone, Copy)]
enum End {
    Cut(Ipv4Addr, Ipv4Addr),
    Hold(Ipv4Addr, Ipv4Addr),
    Full(usize),
    Down(usize),
}

/// All machines advance by so much in turn, and whatever one sends reaches another at the earliest in its next turn.
const TICK: Duration = Duration::from_millis(250);
/// A node that does so little that it does not come to the operation in which it is to die dies after that.
const DYING_MAX: Duration = Duration::from_secs(40);
/// How long after it has healed and all time for its mail is over the world is given.
const DRAIN: Duration = Duration::from_secs(90 * 60);
/// All must have been quiet for so long at the end.
const QUIET: Duration = Duration::from_secs(20);

impl Life<'_> {
    pub(super) fn begin(world: &Arc<World>, nodes: Vec<Arc<Node>>) -> Self {
        let mut builder = turmoil::Builder::new();
        builder
            .rng_seed(world.plan.seed)
            .tick_duration(TICK)
            .simulation_duration(Duration::from_secs(365 * 24 * 60 * 60))
            .min_message_latency(Duration::from_millis(1))
            .max_message_latency(Duration::from_millis(400))
            .epoch(std::time::SystemTime::UNIX_EPOCH)
            .enable_random_order();
        let mut sim = builder.build();
        for node in &nodes {
            let node = Arc::clone(node);
            sim.host(world.plan.nodes[node.number].ip, move || {
                let node = Arc::clone(&node);
                async move {
                    node.live().await;
                    Ok(())
                }
            });
        }
        let haven = Arc::clone(world);
        sim.host(HAVEN, move || {
            let haven = Arc::clone(&haven);
            async move {
                peer::listen(haven, 0).await;
                Ok(())
            }
        });
        let outside = Arc::clone(world);
        sim.host(OUTSIDE, move || {
            let world = Arc::clone(&outside);
            async move {
                for peer in 1..world.plan.peers.len() {
                    tokio::spawn(peer::listen(Arc::clone(&world), peer));
                }
                for message in 0..world.plan.messages.len() {
                    tokio::spawn(client::send(Arc::clone(&world), message));
                }
                std::future::pending::<()>().await;
                Ok(())
            }
        });
        let random = world.random(42);
        Self {
            sim,
            world: Arc::clone(world),
            nodes,
            random,
            ends: Vec::new(),
            cut: Vec::new(),
            dying: Vec::new(),
            down: BTreeSet::new(),
        }
    }

    /// Runs until all queues are empty.
    ///
    /// # Errors
    /// A promise that was broken.
    pub(super) fn run(&mut self) -> Result<(), String> {
        let world = Arc::clone(&self.world);
        let mut troubles = world.plan.troubles.iter().copied().peekable();
        let mut quiet_since = None;
        loop {
            self.step()?;
            let now = self.sim.elapsed();
            while let Some((_, trouble)) = troubles.next_if(|(at, _)| *at <= now) {
                self.begin_trouble(trouble, now);
            }
            self.end_troubles(now);
            self.bury(now);
            if now < world.plan.heals_at {
                continue;
            }
            self.heal(now);
            let is_quiet =
                self.nodes.iter().all(|node| node.queued() == Some(0)) && self.clients_are_done(now);
            quiet_since = if is_quiet { quiet_since.or(Some(now)) } else { None };
            if quiet_since.is_some_and(|since| now >= since + QUIET) {
                world.state().summary.virtual_s = now.as_secs();
                return Ok(());
            }
            if now > world.plan.heals_at + world.plan.lifetime + DRAIN {
                return Err("the queues do not drain after the world has healed".to_owned());
            }
        }
    }

    /// One turn of all machines.
    pub(super) fn step(&mut self) -> Result<(), String> {
        self.sim.step().map_err(|error| format!("a machine failed: {error}"))?;
        let mut state = self.world.state();
        state.elapsed = self.sim.elapsed();
        match &state.failure {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }

    /// Clients give up some time after they began.
    fn clients_are_done(&self, now: Duration) -> bool {
        let last = self.world.plan.messages.last().map_or(Duration::ZERO, |message| message.at);
        now > last.max(self.world.plan.heals_at) + Duration::from_secs(400)
    }

    fn machine(&self, number: usize) -> Ipv4Addr {
        self.world.plan.nodes.get(number).map_or(OUTSIDE, |node| node.ip)
    }

    fn begin_trouble(&mut self, trouble: Trouble, now: Duration) {
        match trouble {
            Trouble::Death { node, moment, down, how } => {
                let is_dying = self.dying.iter().any(|(of, ..)| *of == node);
                if !is_dying && !self.down.contains(&node) {
                    let gate = self.nodes[node].gate();
                    match moment {
                        Moment::Operation(operations) => gate.close_after(operations, how),
                        Moment::AfterSyncs(syncs, operations) => {
                            gate.close_after_syncs(syncs, operations, how)
                        }
                    }
                    self.dying.push((node, how, now + DYING_MAX, down));
                }
            }
            Trouble::Partition { a, b, lasts } => {
                let (a, b) = (self.machine(a), self.machine(b));
                if a != b && !self.cut.contains(&(a, b)) && !self.cut.contains(&(b, a)) {
                    self.sim.partition(a, b);
                    self.cut.push((a, b));
                    self.ends.push((now + lasts, End::Cut(a, b)));
                    self.world.state().summary.partitions += 1;
                }
            }
            Trouble::Hold { a, b, lasts } => {
                let (a, b) = (self.machine(a), self.machine(b));
                if a != b && !self.cut.contains(&(a, b)) && !self.cut.contains(&(b, a)) {
                    self.sim.hold(a, b);
                    self.cut.push((a, b));
                    self.ends.push((now + lasts, End::Hold(a, b)));
                    self.world.state().summary.holds += 1;
                }
            }
            Trouble::Full { node, lasts, how } => {
                self.nodes[node].fill(how);
                self.ends.push((now + lasts, End::Full(node)));
                self.world.state().summary.full += 1;
            }
            Trouble::Clock { node, by_ms } => {
                self.nodes[node].clock_ms.fetch_add(by_ms, Ordering::Relaxed);
                let back = Duration::from_millis(u64::try_from(-by_ms).unwrap_or(0));
                let mut state = self.world.state();
                *state.ledger.put_back.entry(node).or_default() += back;
                state.summary.clocks_set += 1;
            }
        }
    }

    fn end_troubles(&mut self, now: Duration) {
        let (over, ends) = std::mem::take(&mut self.ends).into_iter().partition(|(at, _)| *at <= now);
        self.ends = ends;
        let over: Vec<(Duration, End)> = over;
        for (_, end) in over {
            self.end(end, now);
        }
    }

    fn end(&mut self, end: End, now: Duration) {
        match end {
            End::Cut(a, b) => {
                self.cut.retain(|link| *link != (a, b));
                self.sim.repair(a, b);
            }
            End::Hold(a, b) => {
                self.cut.retain(|link| *link != (a, b));
                self.sim.release(a, b);
            }
            End::Full(node) => self.nodes[node].make_room(),
            End::Down(node) => {
                self.down.remove(&node);
                self.world.state().ledger.rises.push((node, now));
                self.sim.bounce(self.world.plan.nodes[node].ip);
            }
        }
    }

    /// Nodes that are dead, or too slow to die by themselves, end.
    fn bury(&mut self, now: Duration) {
        for (node, how, at_last, down) in std::mem::take(&mut self.dying) {
            let gate = self.nodes[node].gate();
            if !gate.is_closed() && now < at_last {
                self.dying.push((node, how, at_last, down));
                continue;
            }
            gate.close();
            let ip = self.world.plan.nodes[node].ip;
            let silenced = if how == Death::PowerCut { self.silence(ip) } else { Vec::new() };
            self.sim.crash(ip);
            for other in silenced {
                self.sim.repair(ip, other);
            }
            let random = &mut self.random;
            self.nodes[node].buried(|disk| match how {
                Death::Killed => disk.process_killed(),
                Death::PowerCut => disk.restore(random),
            });
            let mut state = self.world.state();
            match how {
                Death::Killed => state.summary.kills += 1,
                Death::PowerCut => state.summary.power_cuts += 1,
            }
            state.ledger.has_room(node, now);
            self.down.insert(node);
            self.ends.push((now + down, End::Down(node)));
        }
    }

    /// A machine without power says no goodbye: nothing of it reaches the others while its sockets are taken away.
    fn silence(&self, ip: Ipv4Addr) -> Vec<Ipv4Addr> {
        let plan = &self.world.plan;
        let mut others: Vec<Ipv4Addr> =
            plan.nodes.iter().map(|node| node.ip).chain([OUTSIDE, HAVEN]).collect();
        others.retain(|other| {
            *other != ip && !self.cut.contains(&(ip, *other)) && !self.cut.contains(&(*other, ip))
        });
        for other in &others {
            self.sim.partition(ip, *other);
        }
        others
    }

    /// Whatever is wrong ends now.
    fn heal(&mut self, now: Duration) {
        for (_, end) in std::mem::take(&mut self.ends) {
            self.end(end, now);
        }
    }

    /// Asks a store that a machine drives.
    ///
    /// # Errors
    /// It does not answer.
    pub(super) fn ask<T>(
        &mut self,
        what: &str,
        asked: impl Future<Output = Result<T, store::StoreError>> + Send,
    ) -> Result<T, String> {
        let mut asked: crate::drive::Asked<'_, _> = Box::pin(asked);
        for _ in 0..ASKED_MAX {
            if let Some(answer) = crate::drive::poll(&mut asked) {
                return answer.map_err(|error| format!("{what}: {error}"));
            }
            self.step()?;
        }
        Err(format!("{what}: no answer"))
    }
}

/// Turns after which a store has answered.
const ASKED_MAX: usize = 100;
