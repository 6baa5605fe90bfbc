//! How much one site is given at a time: how many connections, how fast, and whether it is left alone for a while.
//!
//! A site is the hosts that a destination's mail goes to; many domains share one. It starts with few connections and is
//! given more with each message that it answers, until it shows trouble: then half of them (additive increase and
//! multiplicative decrease, as in RFC 5681). Troubles in a row suspend it: nothing is sent for a while that grows each
//! time (RFC 5321 §4.5.4.1 asks a client not to try an unreachable host again and again), then one connection asks
//! whether it is back. What is known of a site is little, is forgotten when it rests, and is lost with the process.
//!
//! The clock may jump: a wait is never longer than it was meant to be, wherever the clock is put.

#[cfg(test)]
mod tests;

use std::time::Duration;

use types::{EnhancedStatus, StatusClass, Timestamp};

use crate::outcome::{Again, Diagnostic, Outcome, Step};

/// What an operator allows for each site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time for a site of which nothing is known.
    pub connections_first: u32,
    /// Connections at a time at most.
    pub connections_max: u32,
    /// Messages in any minute; none for as many as go.
    pub messages_per_minute: Option<u32>,
    /// After how many troubles in a row the site is left alone.
    pub suspend_after: u32,
    /// For how long, the first time; twice as long each time after.
    pub suspension_first: Duration,
    /// For how long at most.
    pub suspension_max: Duration,
    /// How much longer than that, so that sites that failed together do not come back together.
    pub jitter_percent: u8,
}

/// What is known of one site.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// Connections that are open, or being opened.
    open: u32,
    /// Connections that it is given; 0 before the first one.
    allowed: u32,
    /// Messages answered since `allowed` last grew.
    answered: u32,
    growth: Growth,
    /// When `allowed` was last halved.
    halved_at: Option<Timestamp>,
    /// Troubles since the last answer.
    troubles: u32,
    state: State,
    /// How many suspensions there were since the last answer.
    suspensions: u32,
    /// When the next message may go, where there is a rate, and when that was said.
    next_message: Option<Wait>,
    last_used_at: Option<Timestamp>,
    last_trouble: Option<Trouble>,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// When.
    pub at: Timestamp,
    /// What was said, in plain words or the host's own.
    pub reason: String,
}

/// Whether something may be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permit {
    /// It may.
    Now,
    /// Not before then.
    At(Timestamp),
    /// Not before a connection has come to its end, or the site has answered on one.
    WhenOneEnds,
}

/// What a site does, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Whether mail goes to it.
    pub standing: Standing,
    /// Connections that are open, or being opened.
    pub open: u32,
    /// Connections that it is given.
    pub allowed: u32,
    /// Troubles since it last answered.
    pub troubles: u32,
    /// The last trouble, however long ago.
    pub last_trouble: Option<Trouble>,
}

/// Whether mail goes to a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It does.
    Flowing,
    /// It was left alone, and one connection finds out whether it is back.
    Probing,
    /// It is left alone.
    Suspended {
        /// Until then.
        until: Timestamp,
        /// Why.
        reason: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum State {
    #[default]
    Flowing,
    Suspended(Wait),
    /// After a suspension, until the first answer.
    Probing,
}

/// How `allowed` grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Growth {
    /// By one with each answer, so that it doubles with each round: no trouble yet.
    #[default]
    Fast,
    /// By one with each round.
    Slow,
}

/// A time to come, and when it was set: a clock that is put back must not make it longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Wait {
    from: Timestamp,
    until: Timestamp,
}

/// Troubles so soon after a halving are of the same round: they halve nothing more.
const ROUND: Duration = Duration::from_secs(2);
/// A site that rested so long is as good as unknown.
const REST: Duration = Duration::from_secs(10 * 60);
/// Octets of a reason that are kept.
const REASON_BYTES_MAX: usize = 500;

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections_first: 4,
            connections_max: 20,
            messages_per_minute: None,
            suspend_after: 4,
            suspension_first: Duration::from_secs(60),
            suspension_max: Duration::from_secs(30 * 60),
            jitter_percent: 20,
        }
    }
}

impl Site {
    /// Whether another connection may be opened. Who opens it says so by [`Self::on_open`].
    #[must_use]
    pub fn may_open(&self, limits: &Limits, now: Timestamp) -> Permit {
        match self.state {
            State::Suspended(wait) if wait.is_on(now) => Permit::At(wait.until),
            State::Suspended(_) | State::Probing if self.open > 0 => Permit::WhenOneEnds,
            State::Suspended(_) | State::Probing => Permit::Now,
            State::Flowing if self.open >= self.allowed(limits) => Permit::WhenOneEnds,
            // A connection that may not send anything yet only costs.
            State::Flowing => self.may_send(now),
        }
    }

    /// Whether a message may go now, on a connection that is open. Who sends it says so by [`Self::on_send`].
    #[must_use]
    pub fn may_send(&self, now: Timestamp) -> Permit {
        match self.next_message {
            Some(wait) if wait.is_on(now) => Permit::At(wait.until),
            _ => Permit::Now,
        }
    }

    /// A connection is being opened.
    pub const fn on_open(&mut self, now: Timestamp) {
        if matches!(self.state, State::Suspended(_)) {
            self.state = State::Probing;
        }
        self.open = self.open.saturating_add(1);
        self.last_used_at = Some(now);
    }

    /// A connection has come to its end, or was not made, whatever else is said of it.
    pub const fn on_close(&mut self, now: Timestamp) {
        self.open = self.open.saturating_sub(1);
        self.last_used_at = Some(now);
    }

    /// A message is on its way.
    pub fn on_send(&mut self, limits: &Limits, now: Timestamp) {
        self.last_used_at = Some(now);
        self.next_message = limits.messages_per_minute.map(|rate| {
            let interval_ms = MINUTE_MS.div_ceil(u64::from(rate.max(1)));
            Wait { from: now, until: now.plus(Duration::from_millis(interval_ms)) }
        });
    }

    /// The site has answered for a message, and nothing in the answer is about the site: it works, whatever it said of
    /// the message.
    pub fn on_answer(&mut self, limits: &Limits, now: Timestamp) {
        self.last_used_at = Some(now);
        self.troubles = 0;
        self.suspensions = 0;
        if self.state != State::Flowing {
            self.state = State::Flowing;
            self.allowed = limits.connections_first.clamp(1, limits.connections_max.max(1));
            self.answered = 0;
            return;
        }
        let allowed = self.allowed(limits);
        // What is not used need not grow.
        let is_used = self.open >= allowed;
        self.answered = self.answered.saturating_add(1);
        let due = if self.growth == Growth::Fast { 1 } else { allowed };
        if is_used && self.answered >= due {
            self.allowed = allowed.saturating_add(1).min(limits.connections_max.max(1));
            self.answered = 0;
        }
    }

    /// A connection could not be made or was lost, or the site asked for less ([`is_about_site`]). `reason` is what
    /// people read.
    pub fn on_trouble(&mut self, limits: &Limits, reason: &str, now: Timestamp, random: u64) {
        self.last_used_at = Some(now);
        self.last_trouble = Some(Trouble { at: now, reason: cut(reason) });
        self.growth = Growth::Slow;
        self.answered = 0;
        self.troubles = self.troubles.saturating_add(1);
        let is_same_round = self.halved_at.is_some_and(|at| at <= now && now.since(at) < ROUND);
        if !is_same_round {
            self.allowed = (self.allowed(limits) / 2).max(1);
            self.halved_at = Some(now);
        }
        match self.state {
            State::Probing => self.suspend(limits, now, random),
            State::Flowing if self.troubles >= limits.suspend_after.max(1) => {
                self.suspend(limits, now, random)
            }
            State::Flowing | State::Suspended(_) => {}
        }
    }

    /// Somebody asks that it be tried now: an operator, or the host itself by ETRN.
    pub fn resume(&mut self) {
        if matches!(self.state, State::Suspended(_)) {
            self.state = State::Probing;
        }
        self.troubles = 0;
        self.suspensions = 0;
    }

    /// When something may be possible that is not now; none where only an end or an answer changes anything.
    #[must_use]
    pub fn next_change_at(&self, now: Timestamp) -> Option<Timestamp> {
        match (self.state, self.next_message) {
            (State::Suspended(wait), _) if wait.is_on(now) => Some(wait.until),
            (_, Some(wait)) if wait.is_on(now) => Some(wait.until),
            _ => None,
        }
    }

    /// Whether nothing is lost when it is forgotten.
    #[must_use]
    pub fn is_at_rest(&self, now: Timestamp) -> bool {
        let is_recent = self.last_used_at.is_some_and(|at| at <= now && now.since(at) < REST);
        // A suspension that is over is worth remembering for as long: the next one is longer for it.
        self.open == 0 && !is_recent && self.next_change_at(now).is_none()
    }

    /// For people.
    #[must_use]
    pub fn figures(&self, limits: &Limits, now: Timestamp) -> Figures {
        let standing = match self.state {
            State::Flowing => Standing::Flowing,
            State::Suspended(wait) if wait.is_on(now) => {
                let reason = self.last_trouble.as_ref().map(|trouble| trouble.reason.clone());
                Standing::Suspended { until: wait.until, reason: reason.unwrap_or_default() }
            }
            State::Suspended(_) | State::Probing => Standing::Probing,
        };
        let allowed = match standing {
            Standing::Flowing => self.allowed(limits),
            Standing::Probing => 1,
            Standing::Suspended { .. } => 0,
        };
        let last_trouble = self.last_trouble.clone();
        Figures { standing, open: self.open, allowed, troubles: self.troubles, last_trouble }
    }

    fn allowed(&self, limits: &Limits) -> u32 {
        let allowed = if self.allowed == 0 { limits.connections_first } else { self.allowed };
        allowed.clamp(1, limits.connections_max.max(1))
    }

    fn suspend(&mut self, limits: &Limits, now: Timestamp, random: u64) {
        let factor = 1_u32.checked_shl(self.suspensions).unwrap_or(u32::MAX);
        let wait = limits.suspension_first.saturating_mul(factor).min(limits.suspension_max);
        let percent = u128::from(random % 1001) * u128::from(limits.jitter_percent);
        let jitter_ms = u64::try_from(wait.as_millis().saturating_mul(percent) / 100_000).unwrap_or(u64::MAX);
        let until = now.plus(wait).plus(Duration::from_millis(jitter_ms));
        self.state = State::Suspended(Wait { from: now, until });
        self.suspensions = self.suspensions.saturating_add(1);
    }
}

impl Wait {
    fn is_on(&self, now: Timestamp) -> bool {
        (self.from..self.until).contains(&now)
    }
}

/// Whether what became of an attempt speaks of the site, and not of the message alone: no connection, a lost one, 421,
/// and replies that ask for less. Such an attempt is a trouble of the site, any other that reached a host an answer.
#[must_use]
pub fn is_about_site(step: Step, outcome: &Outcome) -> bool {
    let (finding, is_elsewhere_better) = match outcome {
        Outcome::GoOn | Outcome::Relayed(_) => return false,
        Outcome::Deferred { finding, again, .. } => (finding, *again == Again::NextHost),
        Outcome::Failed { finding, .. } => {
            return matches!(step, Step::Connect | Step::Greeting | Step::Hello)
                && matches!(finding.diagnostic, Diagnostic::Remote(_));
        }
    };
    let asks_for_less = matches!(finding.diagnostic, Diagnostic::Remote(_)) && is_load(finding.status);
    let is_lost = finding.status == EnhancedStatus::transient(4, 2);
    is_elsewhere_better || asks_for_less || is_lost
}

/// RFC 3463 §3.4 and §3.5: X.3.2 system not accepting network messages, X.4.5 mail system congestion, X.4.1 and X.4.2 no
/// answer and a bad connection.
const fn is_load(status: EnhancedStatus) -> bool {
    matches!(status.class, StatusClass::PersistentTransient)
        && matches!((status.subject, status.detail), (3, 2) | (4, 1 | 2 | 5))
}

fn cut(reason: &str) -> String {
    let end = (0..=REASON_BYTES_MAX.min(reason.len())).rev().find(|end| reason.is_char_boundary(*end));
    reason[..end.unwrap_or(0)].to_owned()
}

const MINUTE_MS: u64 = 60_000;
