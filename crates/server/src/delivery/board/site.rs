//! One site: what waits for it, how many connections it has, and whether it is being tried.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;

use mta::shaping::{self, Permit, Standing};
use store::Destination;
use tokio::sync::Notify;
use types::Timestamp;

use super::{Job, Limits};
use crate::delivery::figures::{SiteFigures, SiteState};
use crate::delivery::world::Routed;

/// Names a site.
pub(in crate::delivery) type SiteName = Arc<str>;

/// One site.
pub(in crate::delivery) struct Site {
    pub(super) name: SiteName,
    limits: shaping::Limits,
    /// What is urgent first (RFC 6710 §5.1), the destinations of a level in turn.
    levels: BTreeMap<Reverse<i8>, Level>,
    ready: usize,
    /// Connections that are open or being opened.
    pub(super) workers: usize,
    /// Workers that wait for work and have not been woken.
    idle: usize,
    /// Workers that have been woken and have not noticed.
    woken: usize,
    /// Workers that are to end, for another site.
    dismissed: usize,
    wake: Arc<Notify>,
    pub(super) wants: Wants,
    shape: shaping::Site,
    relayed: u64,
    last_replies: VecDeque<String>,
}

/// Whether a site waits for a connection that others have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wants {
    Nothing,
    /// It has one.
    More,
    /// It has none.
    First,
}

#[derive(Default)]
struct Level {
    turn: VecDeque<Destination>,
    queues: HashMap<Destination, VecDeque<Job>>,
}

/// Replies that are kept for people.
const LAST_REPLIES_MAX: usize = 5;

/// What a site may have: by the rule that leads to it, or as for all.
pub(super) fn limits(routed: &Routed, limits: &Limits) -> shaping::Limits {
    let rule = &routed.rule;
    let (connections_max, messages_per_minute) = match rule.connections_max {
        _ if !routed.is_connected() => (LOCAL_WORKERS_MAX, None),
        max => (max.map_or(limits.site.connections_max, number), rule.messages_per_minute_max),
    };
    shaping::Limits {
        connections_max: connections_max.max(1),
        messages_per_minute: messages_per_minute.map(number),
        ..limits.site.clone()
    }
}

fn number(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// Workers of what needs no connection.
const LOCAL_WORKERS_MAX: u32 = 4;

impl Site {
    pub(super) fn new(name: SiteName, limits: shaping::Limits) -> Self {
        Self {
            name,
            limits,
            levels: BTreeMap::new(),
            ready: 0,
            workers: 0,
            idle: 0,
            woken: 0,
            dismissed: 0,
            wake: Arc::new(Notify::new()),
            wants: Wants::Nothing,
            shape: shaping::Site::default(),
            relayed: 0,
            last_replies: VecDeque::new(),
        }
    }

    /// Items that wait for a connection.
    pub(super) const fn ready(&self) -> usize {
        self.ready
    }

    pub(super) fn push(&mut self, job: Job) {
        let level = self.levels.entry(Reverse(job.loaded.item.priority)).or_default();
        let destination = &job.loaded.item.destination;
        if let Some(queue) = level.queues.get_mut(destination) {
            queue.push_back(job);
        } else {
            level.turn.push_back(destination.clone());
            level.queues.insert(destination.clone(), VecDeque::from([job]));
        }
        self.ready += 1;
    }

    pub(super) fn pop(&mut self) -> Option<Job> {
        let mut level = self.levels.first_entry()?;
        let destination = level.get_mut().turn.pop_front()?;
        let queues = &mut level.get_mut().queues;
        let job = queues.get_mut(&destination).and_then(VecDeque::pop_front);
        if queues.get(&destination).is_some_and(|queue| !queue.is_empty()) {
            level.get_mut().turn.push_back(destination);
        } else {
            queues.remove(&destination);
        }
        if level.get().turn.is_empty() {
            level.remove();
        }
        self.ready = self.ready.saturating_sub(1);
        job
    }

    /// Takes away all that waits.
    pub(super) fn drain(&mut self) -> Vec<Job> {
        self.ready = 0;
        let levels = std::mem::take(&mut self.levels);
        let jobs = |mut level: Level| {
            level.turn.into_iter().filter_map(move |destination| level.queues.remove(&destination)).flatten()
        };
        levels.into_values().flat_map(jobs).collect()
    }

    /// Whether one more connection may be opened.
    pub(super) fn may_open(&self, now: Timestamp) -> bool {
        self.shape.may_open(&self.limits, now) == Permit::Now
    }

    /// A worker begins.
    pub(super) fn opened(&mut self, now: Timestamp) {
        self.workers += 1;
        self.shape.on_open(now);
    }

    /// A worker has ended.
    pub(super) fn closed(&mut self, now: Timestamp) {
        self.workers = self.workers.saturating_sub(1);
        self.shape.on_close(now);
    }

    /// Whether a worker has to end.
    pub(super) fn must_leave(&mut self, now: Timestamp) -> bool {
        if self.dismissed > 0 {
            self.dismissed -= 1;
            return true;
        }
        self.workers > self.shape.figures(&self.limits, now).allowed as usize
    }

    /// When the next message may go, where that is not now.
    pub(super) fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        match self.shape.may_send(now) {
            Permit::At(at) => Some(at),
            Permit::Now | Permit::WhenOneEnds => None,
        }
    }

    /// A message goes.
    pub(super) fn began(&mut self, now: Timestamp) {
        self.shape.on_send(&self.limits, now);
    }

    /// Wakes a worker that waits, where one does.
    pub(super) fn signal(&mut self) -> bool {
        if self.idle == 0 {
            return false;
        }
        self.idle -= 1;
        self.woken += 1;
        self.wake.notify_one();
        true
    }

    pub(super) const fn has_idle(&self) -> bool {
        self.idle > 0
    }

    /// Has a worker that waits end.
    pub(super) fn dismiss(&mut self) {
        if self.signal() {
            self.dismissed += 1;
        }
    }

    /// Has all of them end.
    pub(super) fn dismiss_all(&mut self) {
        while self.has_idle() {
            self.dismiss();
        }
    }

    /// A worker is about to wait.
    pub(super) fn wait(&mut self) -> Arc<Notify> {
        self.idle += 1;
        Arc::clone(&self.wake)
    }

    /// A worker that waited goes on: because it was woken, or because its time was over. Which of several it is does
    /// not matter.
    pub(super) const fn woke(&mut self) {
        if self.woken > 0 {
            self.woken -= 1;
        } else {
            self.idle = self.idle.saturating_sub(1);
        }
    }

    pub(super) fn went_well(&mut self, relayed: u64, now: Timestamp) {
        self.relayed += relayed;
        self.shape.on_answer(&self.limits, now);
    }

    /// Until when it is suspended, where this is what suspends it.
    pub(super) fn went_badly(&mut self, reason: &str, now: Timestamp, random: u64) -> Option<Timestamp> {
        let was_suspended = self.is_suspended(now);
        self.shape.on_trouble(&self.limits, reason, now, random);
        if was_suspended { None } else { self.suspension(now).map(|(until, _)| until) }
    }

    pub(super) fn is_suspended(&self, now: Timestamp) -> bool {
        matches!(self.shape.may_open(&self.limits, now), Permit::At(_)) && self.suspension(now).is_some()
    }

    /// Until when, and why.
    pub(super) fn suspension(&self, now: Timestamp) -> Option<(Timestamp, String)> {
        match self.shape.figures(&self.limits, now).standing {
            Standing::Suspended { until, reason } => Some((until, reason)),
            Standing::Flowing | Standing::Probing => None,
        }
    }

    pub(super) fn next_change(&self, now: Timestamp) -> Option<Timestamp> {
        self.shape.next_change_at(now)
    }

    pub(super) fn resume(&mut self) {
        self.shape.resume();
    }

    /// Whether nothing is lost when it is forgotten.
    pub(super) fn is_at_rest(&self, now: Timestamp) -> bool {
        self.workers == 0 && self.ready == 0 && self.shape.is_at_rest(now)
    }

    pub(super) fn note_reply(&mut self, reply: String) {
        if self.last_replies.front() != Some(&reply) {
            self.last_replies.push_front(reply);
            self.last_replies.truncate(LAST_REPLIES_MAX);
        }
    }

    pub(super) fn figures(&self, now: Timestamp) -> SiteFigures {
        let figures = self.shape.figures(&self.limits, now);
        SiteFigures {
            name: self.name.to_string(),
            state: match figures.standing {
                Standing::Flowing => SiteState::Active,
                Standing::Probing => SiteState::Probing,
                Standing::Suspended { until, reason } => SiteState::Suspended { until, reason },
            },
            connections: self.workers,
            connections_max: figures.allowed as usize,
            ready: self.ready,
            destinations: Vec::new(),
            relayed: self.relayed,
            last_replies: self.last_replies.iter().cloned().collect(),
        }
    }
}
