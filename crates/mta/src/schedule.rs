//! When to try again, when to tell the sender that it takes longer, and when to give up.
//!
//! Standards: RFC 5321 §4.5.4.1 (sending strategy), RFC 2852 (DELIVERBY), RFC 4865 (FUTURERELEASE), RFC 6710 §5.1
//! (MT-PRIORITY), RFC 6647 (greylisting).
//!
//! The schedule is data: an operator changes it. The clock may jump: time that seems to run backwards counts as none,
//! and nothing is given up before it was tried.

#[cfg(test)]
mod tests;

use std::time::Duration;

use types::{ByMode, DeliverBy, Hold, MailParameters, ReversePath, Timestamp};

use crate::outcome::{Again, Greylisting, HINT_MAX, Outcome};

/// How often, and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The waits after the first, second … attempt; the last one is for all that follow.
    pub intervals: Vec<Duration>,
    /// The same where the other side speaks of greylisting: it wants a second attempt within minutes, and no more.
    pub greylisting_intervals: Vec<Duration>,
    /// How long a message is tried (RFC 5321 §4.5.4.1: four to five days at least).
    pub lifetime: Duration,
    /// How long a message with a null reverse-path is tried, which may be less (RFC 5321 §4.5.4.1).
    pub report_lifetime: Duration,
    /// After how long the sender is told that a message is late; none for never (RFC 3461 §5.2.5: never is allowed).
    pub delay_notice_after: Option<Duration>,
    /// How much later than asked an attempt may be, so that what failed together does not come back together.
    pub jitter_percent: u8,
}

/// What of a message the schedule depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Terms {
    /// When it was accepted.
    pub received_at: Timestamp,
    /// HOLDFOR= or HOLDUNTIL=
    pub hold: Option<Hold>,
    /// BY=, counted from `received_at`.
    pub deliver_by: Option<DeliverBy>,
    /// MT-PRIORITY=: -9 to 9, 0 where nothing was said.
    pub priority: i8,
    /// Whether it has a sender.
    pub kind: Kind,
}

/// Whether a message has a sender to tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It has.
    Mail,
    /// Its reverse-path is null.
    Report,
}

/// The attempts so far for one recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// How many there were, the one that just failed among them.
    pub attempts: u32,
    /// When the first one was.
    pub first_at: Timestamp,
}

/// What the last attempt says about the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Advice {
    /// How long the other side says to wait.
    pub hint: Option<Duration>,
    /// Whether it speaks of greylisting.
    pub greylisting: Greylisting,
}

/// What is next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// An attempt, not before then.
    At(Timestamp),
    /// None: the time is over.
    Expired(Expiry),
}

/// Which time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// The lifetime of the schedule: the report keeps the status of the last attempt (RFC 3464 §2.3.3).
    Lifetime,
    /// BY= with mode R: the report says 5.4.7 (RFC 2852 §4.1.3).
    DeliverBy,
}

/// What the sender is told while a message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Notice {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: NoticeReason,
}

/// Why the sender is told that a message waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeReason {
    /// It takes long: a courtesy (RFC 3461 §5.2.5).
    Late,
    /// BY= with mode N is over: the report says 4.4.7, and is a must (RFC 2852 §4.1.3).
    DeliverBy,
}

/// Between two attempts, whatever a schedule says: nobody is hammered.
pub const INTERVAL_MIN: Duration = Duration::from_secs(60);
/// The longest wait that is honoured: ten years. What is longer is a slip or a joke.
pub const HOLD_MAX: Duration = Duration::from_secs(10 * 366 * 24 * 60 * 60);

/// By how much one step of priority shortens or lengthens each wait.
const PERCENT_PER_PRIORITY: i32 = 5;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Default for Schedule {
    /// Twice in the first hour, then every few hours, for five days, as RFC 5321 §4.5.4.1 suggests.
    fn default() -> Self {
        let seconds = |all: &[u64]| all.iter().copied().map(Duration::from_secs).collect();
        Self {
            intervals: seconds(&[15 * MINUTE, 30 * MINUTE, HOUR, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR]),
            greylisting_intervals: seconds(&[
                6 * MINUTE,
                10 * MINUTE,
                30 * MINUTE,
                HOUR,
                HOUR,
                2 * HOUR,
                3 * HOUR,
                4 * HOUR,
            ]),
            lifetime: Duration::from_secs(5 * DAY),
            report_lifetime: Duration::from_secs(5 * DAY),
            delay_notice_after: Some(Duration::from_secs(4 * HOUR)),
            jitter_percent: 10,
        }
    }
}

impl Schedule {
    /// The longest time between an attempt and the next one, whatever the message and its host say.
    #[must_use]
    pub fn wait_max(&self) -> Duration {
        let planned = self.intervals.iter().chain(&self.greylisting_intervals).copied().max();
        let slowest = u32::try_from(100 + 9 * PERCENT_PER_PRIORITY).unwrap_or(u32::MAX);
        let planned = planned.unwrap_or(INTERVAL_MIN).saturating_mul(slowest) / 100;
        let wait = planned.max(HINT_MAX).max(INTERVAL_MIN);
        wait.saturating_add(wait.saturating_mul(self.jitter_percent.into()) / 100)
    }
}

impl Terms {
    /// Of a message that was accepted with these parameters.
    #[must_use]
    pub fn new(reverse_path: &ReversePath, parameters: &MailParameters, received_at: Timestamp) -> Self {
        let kind = if *reverse_path == ReversePath::Null { Kind::Report } else { Kind::Mail };
        let priority = parameters.priority.unwrap_or(0).clamp(-9, 9);
        Self { received_at, hold: parameters.hold, deliver_by: parameters.deliver_by, priority, kind }
    }

    /// When the first attempt may be: at once, or when the sender wants it released (RFC 4865 §4).
    #[must_use]
    pub fn released_at(&self) -> Timestamp {
        let asked = match self.hold {
            None => self.received_at,
            Some(Hold::For { seconds }) => self.received_at.plus(Duration::from_secs(seconds.into())),
            Some(Hold::Until(at)) => at.max(self.received_at),
        };
        asked.min(self.received_at.plus(HOLD_MAX))
    }

    /// When BY= is over.
    #[must_use]
    pub fn deliver_by_at(&self) -> Option<Timestamp> {
        let seconds = u64::try_from(self.deliver_by?.by_s).unwrap_or(0);
        Some(self.received_at.plus(Duration::from_secs(seconds)))
    }

    /// When no more attempt is made, and which time is over then. The time that a message was held at its sender's
    /// wish is not counted.
    #[must_use]
    pub fn deadline(&self, schedule: &Schedule) -> (Timestamp, Expiry) {
        let lifetime = match self.kind {
            Kind::Mail => schedule.lifetime,
            Kind::Report => schedule.report_lifetime,
        };
        let end = self.released_at().plus(lifetime);
        match (self.deliver_by, self.deliver_by_at()) {
            (Some(DeliverBy { mode: ByMode::Return, .. }), Some(by)) if by < end => (by, Expiry::DeliverBy),
            _ => (end, Expiry::Lifetime),
        }
    }

    /// What the sender is to be told while the message waits, the soonest first. Each is told once. Whether a
    /// recipient's NOTIFY= wants it is for `dsn::is_wanted` to say.
    #[must_use]
    pub fn notices(&self, schedule: &Schedule) -> Vec<Notice> {
        if self.kind == Kind::Report {
            return Vec::new();
        }
        let (deadline, _) = self.deadline(schedule);
        let late = schedule
            .delay_notice_after
            .map(|after| Notice { at: self.released_at().plus(after), why: NoticeReason::Late });
        let by = match self.deliver_by {
            Some(DeliverBy { mode: ByMode::Notify, .. }) => {
                self.deliver_by_at().map(|at| Notice { at, why: NoticeReason::DeliverBy })
            }
            _ => None,
        };
        let mut notices: Vec<_> = late.into_iter().chain(by).filter(|notice| notice.at < deadline).collect();
        notices.sort_by_key(|notice| notice.at);
        notices
    }
}

impl Advice {
    /// Of an attempt that came to this.
    #[must_use]
    pub fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Deferred { again: Again::Later { hint, greylisting }, .. } => {
                Self { hint: *hint, greylisting: *greylisting }
            }
            _ => Self::default(),
        }
    }
}

/// When the next attempt is, after one failed at `now`. `random` spreads what failed together.
///
/// The last attempt is at the deadline itself, so that a message is never given up a whole interval early.
#[must_use]
pub fn next(
    schedule: &Schedule,
    terms: &Terms,
    history: History,
    advice: Advice,
    now: Timestamp,
    random: u64,
) -> Next {
    let (deadline, expiry) = terms.deadline(schedule);
    // A clock that jumped days ahead while the message waited has not tried it for days.
    let deadline = if history.attempts < 2 && expiry == Expiry::Lifetime {
        deadline.max(history.first_at.plus(interval(schedule, terms, 1, advice)))
    } else {
        deadline
    };
    if now.plus(INTERVAL_MIN) > deadline {
        return Next::Expired(expiry);
    }
    let wait = interval(schedule, terms, history.attempts, advice);
    let percent = u128::from(random % 1001) * u128::from(schedule.jitter_percent);
    let jitter = wait.as_millis().saturating_mul(percent) / 100_000;
    let jitter = Duration::from_millis(u64::try_from(jitter).unwrap_or(u64::MAX));
    Next::At(now.plus(wait).plus(jitter).min(deadline))
}

/// The wait after this many attempts, without jitter.
fn interval(schedule: &Schedule, terms: &Terms, attempts: u32, advice: Advice) -> Duration {
    let intervals = match advice.greylisting {
        Greylisting::Named => &schedule.greylisting_intervals,
        Greylisting::Unnamed => &schedule.intervals,
    };
    let at = usize::try_from(attempts.saturating_sub(1)).unwrap_or(usize::MAX);
    let planned = intervals.get(at).or(intervals.last()).copied().unwrap_or(INTERVAL_MIN);
    // RFC 6710 §5.1: what is urgent is tried more often, what is not more seldom.
    let percent = u32::try_from(100 - i32::from(terms.priority) * PERCENT_PER_PRIORITY).unwrap_or(100);
    let planned = planned.saturating_mul(percent) / 100;
    // The first waits follow the other side's word. Later ones only where it asks for more time: a text that always
    // says "in 60 seconds" must not make us knock each minute for days.
    match advice.hint {
        Some(hint) if attempts <= HINTS_HONOURED => hint,
        Some(hint) => hint.max(planned),
        None => planned,
    }
    .max(INTERVAL_MIN)
}

/// Attempts after which a reply's word may make the wait shorter than the schedule.
const HINTS_HONOURED: u32 = 3;
