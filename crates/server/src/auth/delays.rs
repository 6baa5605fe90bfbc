//! What guessing costs: failures are counted for an account as seen from one network, and for a network over all
//! accounts. Each failure is answered later than the one before; after some, attempts are refused without being looked
//! at, until old failures are forgotten.
//!
//! An account is never locked as such. Failures from one network say nothing about another; and a network from which
//! the account was logged in to lately is known to it: there each address counts by itself, and one over its limit is
//! heard more slowly instead of being refused, so that a telephone with an old password does not lock out the
//! computer beside it.
//!
//! A verdict is given under the same lock that counts it: of a thousand guesses that arrive together no more are
//! answered than of a thousand that come one after the other.
//!
//! Everything is bounded, and nothing reads a clock. Accounts are kept as keyed hashes: entries have one size, and
//! names that strangers make up are not kept.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use types::Timestamp;

/// What the operator decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Failures for one account from one network until attempts are refused.
    pub(crate) account_failures_max: u32,
    /// Failures from one network, whatever the account.
    pub(crate) network_failures_max: u32,
    /// One failure of an account's count is forgotten in this time.
    pub(crate) account_forgotten_after: Duration,
    /// One failure of a network's count is forgotten in this time.
    pub(crate) network_forgotten_after: Duration,
}

/// The failures that are remembered.
pub(crate) struct Failures {
    accounts: Table<Pair>,
    networks: Table<IpAddr>,
    /// Until when a network is known to an account.
    known: Expiring<Pair>,
    /// When the next attempt over the limit is heard, at known networks.
    next_hearing: Expiring<Pair>,
    hasher: RandomState,
}

/// An attempt that may be looked at, once `wait` is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Admitted {
    pub(crate) wait: Duration,
    place: Place,
}

/// Nothing is looked at before this time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooMany {
    pub(crate) wait: Duration,
}

/// What came out of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Finding {
    /// The credentials are right.
    Right,
    /// They are not, or there is no such account.
    Wrong,
}

/// What the client is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accepted,
    /// After `delay`.
    Refused {
        delay: Duration,
    },
    /// Whatever was found: others were answered first.
    TooMany(TooMany),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    pair: Pair,
    known: Pair,
    network: IpAddr,
    standing: Standing,
}

/// How the account stands to the client's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Stranger,
    Known,
    /// Known, over the limit, and heard in its turn.
    Heard,
}

/// A network or an address, and an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Pair {
    network: IpAddr,
    account: u64,
}

/// The first failure is answered after this time, each further one after twice the time before.
const FIRST_DELAY: Duration = Duration::from_secs(1);
const DELAY_MAX: Duration = Duration::from_secs(30);
/// Over the limit, a known network is heard once in this time …
const HEARING_INTERVAL: Duration = Duration::from_secs(4);
/// … by who waits no longer than this.
const HEARING_WAIT_MAX: Duration = Duration::from_secs(30);
/// A network is known to an account for this long after a login.
const KNOWN_FOR: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Entries that are kept, about 50 octets each.
const ACCOUNTS_MAX: usize = 65_536;
const NETWORKS_MAX: usize = 16_384;
const KNOWN_MAX: usize = 65_536;
const HEARINGS_MAX: usize = 4096;
/// Of a full table, the first to end of so many entries gives way to a new one.
const CANDIDATES: usize = 8;
/// It is looked through no more often than this.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

impl Failures {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            accounts: Table::new(limits.account_failures_max, limits.account_forgotten_after, ACCOUNTS_MAX),
            networks: Table::new(limits.network_failures_max, limits.network_forgotten_after, NETWORKS_MAX),
            known: Expiring::new(KNOWN_MAX),
            next_hearing: Expiring::new(HEARINGS_MAX),
            hasher: RandomState::new(),
        }
    }

    /// Whether an attempt at `account` from `ip` may be looked at. `account` is the one form of its name.
    pub(crate) fn admit(&mut self, now: Timestamp, ip: IpAddr, account: &str) -> Result<Admitted, TooMany> {
        let mut place = self.place(now, ip, account);
        match self.over(now, &place) {
            None => Ok(Admitted { wait: Duration::ZERO, place }),
            Some(wait) if place.standing == Standing::Stranger => Err(TooMany { wait }),
            Some(_) => {
                place.standing = Standing::Heard;
                Ok(Admitted { wait: self.hearing(now, place.pair)?, place })
            }
        }
    }

    /// Counts what came out of an attempt and says what the client is told.
    pub(crate) fn conclude(&mut self, now: Timestamp, admitted: Admitted, finding: Finding) -> Verdict {
        let place = admitted.place;
        if place.standing != Standing::Heard
            && let Some(wait) = self.over(now, &place)
        {
            return Verdict::TooMany(TooMany { wait });
        }
        match finding {
            Finding::Right => {
                self.accounts.forget(place.pair);
                self.known.insert(now, place.known, now.plus(KNOWN_FOR));
                Verdict::Accepted
            }
            Finding::Wrong => {
                self.networks.fail(now, place.network);
                let failures = self.accounts.fail(now, place.pair);
                Verdict::Refused { delay: delay(failures) }
            }
        }
    }

    fn place(&self, now: Timestamp, ip: IpAddr, account: &str) -> Place {
        let account = self.hasher.hash_one(account);
        let known = Pair { network: network(ip), account };
        let is_known = self.known.get(known).is_some_and(|until| until > now);
        let (pair, standing) = if is_known {
            (Pair { network: address(ip), account }, Standing::Known)
        } else {
            (known, Standing::Stranger)
        };
        Place { pair, known, network: wide_network(ip), standing }
    }

    /// How long nothing from there is looked at; none where it is.
    fn over(&self, now: Timestamp, place: &Place) -> Option<Duration> {
        let by_account = self.accounts.over(now, place.pair);
        // A spray over all accounts of an office's network is nothing that those who work there can help.
        let by_network = match place.standing {
            Standing::Stranger => self.networks.over(now, place.network),
            Standing::Known | Standing::Heard => None,
        };
        by_account.max(by_network)
    }

    /// The time to wait for a turn.
    fn hearing(&mut self, now: Timestamp, pair: Pair) -> Result<Duration, TooMany> {
        let turn = self.next_hearing.get(pair).unwrap_or(now).max(now);
        let wait = turn.since(now);
        if wait > HEARING_WAIT_MAX {
            return Err(TooMany { wait });
        }
        self.next_hearing.insert(now, pair, turn.plus(HEARING_INTERVAL));
        Ok(wait)
    }
}

/// Failures that leak away: each is forgotten after a time, one after the other. What is kept is when the last of them
/// is: as many are remembered now as there are such times until then.
struct Table<K> {
    failures_max: u32,
    forgotten_after_ms: u64,
    forgotten_at: Expiring<K>,
}

impl<K: Copy + Eq + Hash> Table<K> {
    fn new(failures_max: u32, forgotten_after: Duration, entries_max: usize) -> Self {
        let forgotten_after_ms = u64::try_from(forgotten_after.as_millis()).unwrap_or(u64::MAX).max(1);
        let forgotten_at = Expiring::new(entries_max);
        Self { failures_max: failures_max.max(1), forgotten_after_ms, forgotten_at }
    }

    /// Counts one more and returns how many are remembered now.
    fn fail(&mut self, now: Timestamp, key: K) -> u32 {
        let before = self.forgotten_at.get(key).unwrap_or(now).max(now);
        let forgotten_at = before.plus(Duration::from_millis(self.forgotten_after_ms));
        self.forgotten_at.insert(now, key, forgotten_at);
        let remembered_ms = forgotten_at.since(now).as_millis();
        u32::try_from(remembered_ms.div_ceil(u128::from(self.forgotten_after_ms))).unwrap_or(u32::MAX)
    }

    /// The time until one more failure is allowed; none where it is now.
    fn over(&self, now: Timestamp, key: K) -> Option<Duration> {
        let remembered_ms = self.forgotten_at.get(key)?.since(now).as_millis();
        let allowed_ms = u128::from(self.failures_max - 1) * u128::from(self.forgotten_after_ms);
        let excess_ms = remembered_ms.checked_sub(allowed_ms).filter(|excess| *excess > 0)?;
        Some(Duration::from_millis(u64::try_from(excess_ms).unwrap_or(u64::MAX)))
    }

    fn forget(&mut self, key: K) {
        self.forgotten_at.entries.remove(&key);
    }
}

/// Points in time by key, of no use once they are past, and never more than so many.
struct Expiring<K> {
    entries_max: usize,
    entries: HashMap<K, Timestamp>,
    swept_at: Timestamp,
}

impl<K: Copy + Eq + Hash> Expiring<K> {
    fn new(entries_max: usize) -> Self {
        Self { entries_max, entries: HashMap::new(), swept_at: Timestamp::default() }
    }

    fn get(&self, key: K) -> Option<Timestamp> {
        self.entries.get(&key).copied()
    }

    fn insert(&mut self, now: Timestamp, key: K, until: Timestamp) {
        if self.entries.len() >= self.entries_max && !self.entries.contains_key(&key) {
            self.make_room(now);
        }
        self.entries.insert(key, until);
    }

    /// Goes through all entries once in a while; else the first to end of a few gives way, which is much cheaper than
    /// finding the first of all.
    fn make_room(&mut self, now: Timestamp) {
        if now.since(self.swept_at) >= SWEEP_INTERVAL {
            self.swept_at = now;
            self.entries.retain(|_, until| *until > now);
        }
        if self.entries.len() < self.entries_max {
            return;
        }
        let candidates = self.entries.iter().take(CANDIDATES);
        let first = candidates.min_by_key(|(_, until)| **until).map(|(key, _)| *key);
        if let Some(key) = first {
            self.entries.remove(&key);
        }
    }
}

fn delay(failures: u32) -> Duration {
    let doubled = 2_u32.saturating_pow(failures.saturating_sub(1));
    FIRST_DELAY.saturating_mul(doubled).min(DELAY_MAX)
}

/// What one customer commonly has: 24 bits of IPv4, 64 of IPv6 (RFC 4291 §2.5.4).
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & (u32::MAX << 8))),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 64))),
    }
}

/// One machine's: the address itself; of IPv6 the network, in which a machine takes whatever address it likes
/// (RFC 8981).
fn address(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(_) => network(ip),
    }
}

/// What one who has many networks commonly has: 48 bits of IPv6 (RFC 6177).
fn wide_network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(_) => network(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << 80))),
    }
}

#[cfg(test)]
mod tests;
