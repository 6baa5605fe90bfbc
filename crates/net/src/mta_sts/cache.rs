//! Policies that hold, and when they are to be read again (RFC 8461 §3.3, §5.1).

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use types::{Domain, Timestamp};

use super::{Policy, PolicyId};

/// Domains whose policy is remembered.
pub const CACHE_ENTRIES_MAX: usize = 10_000;
/// Octets of all policies together, as they are written.
pub const CACHE_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// §3.3: once a day.
const REFRESH_AFTER: Duration = Duration::from_secs(24 * 60 * 60);
/// §3.3: at least five minutes after a fetch that failed.
const RETRY_AFTER: Duration = Duration::from_secs(5 * 60);
/// A policy to whose domain nobody sends any more is left to expire.
const UNUSED_AFTER: Duration = Duration::from_secs(30 * 24 * 60 * 60);
/// Failures that are remembered.
const FAILURES_MAX: usize = 10_000;

/// What is remembered.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: HashMap<Domain, Entry>,
    /// For what no new attempt is made for a while.
    failures: HashMap<Domain, Failure>,
    octets: usize,
    version: u64,
}

/// The policy of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// That the DNS told when it was fetched; none where the DNS told none.
    pub(super) id: Option<PolicyId>,
    pub(super) policy: Arc<Policy>,
    pub(super) fetched_at: Timestamp,
    pub(super) used_at: Timestamp,
    /// Of its text.
    pub(super) octets: usize,
}

#[derive(Debug)]
struct Failure {
    id: Option<PolicyId>,
    at: Timestamp,
}

/// What is to be done about the policy of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plan {
    /// This one holds, or none.
    Use(Option<Arc<Policy>>),
    /// This one holds, and is to be read again meanwhile.
    UseAndRefresh(Arc<Policy>),
    /// There may be another one: that is to be read first.
    Fetch,
}

impl Entry {
    pub(super) fn new(
        id: Option<PolicyId>,
        policy: Policy,
        fetched_at: Timestamp,
        used_at: Timestamp,
    ) -> Self {
        let octets = policy.lines().iter().map(String::len).sum();
        Self { id, policy: Arc::new(policy), fetched_at, used_at, octets }
    }

    fn holds(&self, now: Timestamp) -> bool {
        now.since(self.fetched_at) < self.policy.max_age
    }

    /// Well before it expires, however short it holds (§3.3, §10.2).
    fn is_to_be_refreshed(&self, now: Timestamp) -> bool {
        now.since(self.fetched_at) >= REFRESH_AFTER.min(self.policy.max_age / 2)
    }
}

impl Cache {
    /// §5.1: `id` is what the DNS tells now.
    pub(super) fn plan(&mut self, domain: &Domain, id: Option<&PolicyId>, now: Timestamp) -> Plan {
        let has_failed = self.has_failed(domain, id, now);
        let Some(entry) = self.entries.get_mut(domain).filter(|entry| entry.holds(now)) else {
            return if id.is_some() && !has_failed { Plan::Fetch } else { Plan::Use(None) };
        };
        entry.used_at = now;
        if has_failed {
            return Plan::Use(Some(Arc::clone(&entry.policy)));
        }
        match id {
            Some(id) if entry.id.as_ref() != Some(id) => Plan::Fetch,
            _ if entry.is_to_be_refreshed(now) => Plan::UseAndRefresh(Arc::clone(&entry.policy)),
            _ => Plan::Use(Some(Arc::clone(&entry.policy))),
        }
    }

    /// Whether it is still to be fetched, after waiting for another who did.
    pub(super) fn wants(&self, domain: &Domain, id: Option<&PolicyId>, now: Timestamp) -> bool {
        if self.has_failed(domain, id, now) {
            return false;
        }
        match self.entries.get(domain).filter(|entry| entry.holds(now)) {
            Some(entry) => entry.is_to_be_refreshed(now) || (id.is_some() && entry.id.as_ref() != id),
            None => id.is_some(),
        }
    }

    /// The policy that holds.
    pub(super) fn held(&self, domain: &Domain, now: Timestamp) -> Option<Arc<Policy>> {
        self.entries.get(domain).filter(|entry| entry.holds(now)).map(|entry| Arc::clone(&entry.policy))
    }

    pub(super) fn store(&mut self, domain: &Domain, id: Option<PolicyId>, policy: Policy, now: Timestamp) {
        self.failures.remove(domain);
        let former = self.entries.get(domain);
        // Read again without a word of the DNS, it is the policy that it was.
        let id = id.or_else(|| former.and_then(|former| former.id.clone()));
        let used_at = former.map_or(now, |former| former.used_at);
        self.insert(domain.clone(), Entry::new(id, policy, now, used_at));
        self.shrink(now);
    }

    pub(super) fn failed(&mut self, domain: &Domain, id: Option<PolicyId>, now: Timestamp) {
        if self.failures.len() >= FAILURES_MAX {
            self.failures.retain(|_, failure| failure.is_recent(now));
        }
        // Where all are recent, this one costs an attempt more.
        if self.failures.len() < FAILURES_MAX {
            self.failures.insert(domain.clone(), Failure { id, at: now });
        }
    }

    /// Those that are used and to be read again (§3.3).
    pub(super) fn due(&self, now: Timestamp) -> Vec<(Domain, PolicyId)> {
        let is_due = |entry: &Entry| {
            entry.holds(now) && entry.is_to_be_refreshed(now) && now.since(entry.used_at) < UNUSED_AFTER
        };
        let mut due: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| is_due(entry))
            .filter_map(|(domain, entry)| Some((domain.clone(), entry.id.clone()?)))
            .filter(|(domain, id)| !self.has_failed(domain, Some(id), now))
            .collect();
        due.sort_by(|(one, _), (other, _)| one.ascii().cmp(other.ascii()));
        due
    }

    /// What a former process knew.
    pub(super) fn restore(&mut self, entries: Vec<(Domain, Entry)>) {
        for (domain, entry) in entries {
            let is_room =
                self.entries.len() < CACHE_ENTRIES_MAX && self.octets + entry.octets <= CACHE_OCTETS_MAX;
            if is_room {
                self.insert(domain, entry);
            }
        }
    }

    pub(super) fn entries(&self) -> &HashMap<Domain, Entry> {
        &self.entries
    }

    /// Grows with each change.
    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn valid(&self, now: Timestamp) -> usize {
        self.entries.values().filter(|entry| entry.holds(now)).count()
    }

    fn has_failed(&self, domain: &Domain, id: Option<&PolicyId>, now: Timestamp) -> bool {
        // §3.3: another id may be tried at once.
        let is_same = |failure: &Failure| id.is_none() || failure.id.as_ref() == id;
        self.failures.get(domain).is_some_and(|failure| failure.is_recent(now) && is_same(failure))
    }

    fn insert(&mut self, domain: Domain, entry: Entry) {
        self.octets += entry.octets;
        if let Some(former) = self.entries.insert(domain, entry) {
            self.octets -= former.octets;
        }
        self.version += 1;
    }

    /// Makes room: what has expired goes first, then what has been unused longest.
    fn shrink(&mut self, now: Timestamp) {
        if self.is_within_limits() {
            return;
        }
        let mut domains: Vec<_> = self
            .entries
            .iter()
            .map(|(domain, entry)| (entry.holds(now), entry.used_at, domain.clone()))
            .collect();
        domains.sort_by_key(|(holds, used_at, _)| (*holds, *used_at));
        // An eighth at once, so that it is not sorted for each new domain.
        let least = domains.len() / 8 + 1;
        for (number, (_, _, domain)) in domains.into_iter().enumerate() {
            if number >= least && self.is_within_limits() {
                break;
            }
            if let Some(entry) = self.entries.remove(&domain) {
                self.octets -= entry.octets;
            }
        }
    }

    fn is_within_limits(&self) -> bool {
        self.entries.len() <= CACHE_ENTRIES_MAX && self.octets <= CACHE_OCTETS_MAX
    }
}

impl Failure {
    fn is_recent(&self, now: Timestamp) -> bool {
        now.since(self.at) < RETRY_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: u64 = 60_000;
    const DAY: u64 = 24 * 60 * MINUTE;
    const START: Timestamp = Timestamp::from_millis(1_795_322_124_250);

    fn after(millis: u64) -> Timestamp {
        START.plus(Duration::from_millis(millis))
    }

    fn domain(text: &str) -> Domain {
        text.parse().unwrap()
    }

    fn id(text: &str) -> PolicyId {
        PolicyId::parse(text).unwrap()
    }

    fn policy(max_age_s: u64) -> Policy {
        let text = format!("version: STSv1\nmode: enforce\nmx: mx.example.com\nmax_age: {max_age_s}");
        Policy::parse(text.as_bytes()).unwrap()
    }

    fn of(domain_name: &str, max_age_s: u64) -> Cache {
        let mut cache = Cache::default();
        cache.store(&domain(domain_name), Some(id("1")), policy(max_age_s), START);
        cache
    }

    fn week() -> Plan {
        Plan::Use(Some(Arc::new(policy(604_800))))
    }

    #[test]
    fn a_domain_that_tells_of_a_policy_has_it_fetched_and_one_that_does_not_has_none() {
        let mut cache = Cache::default();
        let name = domain("example.com");
        assert_eq!(cache.plan(&name, Some(&id("1")), START), Plan::Fetch);
        assert_eq!(cache.plan(&name, None, START), Plan::Use(None));
        cache.store(&name, Some(id("1")), policy(604_800), START);
        assert_eq!(cache.plan(&name, Some(&id("1")), START), week());
        assert_eq!(cache.plan(&name, Some(&id("2")), START), Plan::Fetch);
        assert_eq!(cache.plan(&domain("a.example.com"), None, START), Plan::Use(None));
    }

    /// RFC 8461 §3.1, §3.3: neither a silent DNS nor a silent policy host takes a policy away.
    #[test]
    fn a_policy_holds_without_a_word_of_the_dns_until_it_expires() {
        let mut cache = of("example.com", 3600);
        let name = domain("example.com");
        assert_eq!(cache.plan(&name, None, after(MINUTE)), Plan::Use(Some(Arc::new(policy(3600)))));
        let last = after(60 * MINUTE - 1);
        assert_eq!(cache.held(&name, last), Some(Arc::new(policy(3600))));
        assert_eq!(cache.plan(&name, None, after(60 * MINUTE)), Plan::Use(None));
        assert_eq!(cache.held(&name, after(60 * MINUTE)), None);
        assert_eq!(cache.plan(&name, Some(&id("1")), after(60 * MINUTE)), Plan::Fetch);
    }

    #[test]
    fn a_policy_that_holds_for_no_time_is_not_kept() {
        let mut cache = of("example.com", 0);
        assert_eq!(cache.plan(&domain("example.com"), None, START), Plan::Use(None));
    }

    #[test]
    fn a_policy_is_read_again_after_a_day_or_half_its_time() {
        let name = domain("example.com");
        let mut cache = of("example.com", 604_800);
        assert_eq!(cache.plan(&name, Some(&id("1")), after(DAY - 1)), week());
        let refresh = Plan::UseAndRefresh(Arc::new(policy(604_800)));
        assert_eq!(cache.plan(&name, Some(&id("1")), after(DAY)), refresh);
        assert_eq!(cache.plan(&name, None, after(DAY)), refresh);
        let mut short = of("example.com", 3600);
        let refresh = Plan::UseAndRefresh(Arc::new(policy(3600)));
        assert_eq!(short.plan(&name, None, after(30 * MINUTE)), refresh);
    }

    /// RFC 8461 §3.3.
    #[test]
    fn a_fetch_that_failed_is_tried_again_after_five_minutes_or_for_another_id() {
        let name = domain("example.com");
        let mut cache = Cache::default();
        cache.failed(&name, Some(id("1")), START);
        assert_eq!(cache.plan(&name, Some(&id("1")), after(5 * MINUTE - 1)), Plan::Use(None));
        assert_eq!(cache.plan(&name, Some(&id("2")), after(1)), Plan::Fetch);
        assert_eq!(cache.plan(&name, Some(&id("1")), after(5 * MINUTE)), Plan::Fetch);
        // With a policy that holds, that one is used meanwhile.
        let mut cache = of("example.com", 604_800);
        cache.failed(&name, Some(id("2")), after(MINUTE));
        assert_eq!(cache.plan(&name, Some(&id("2")), after(2 * MINUTE)), week());
        assert!(!cache.wants(&name, Some(&id("2")), after(2 * MINUTE)));
        assert_eq!(cache.plan(&name, Some(&id("2")), after(6 * MINUTE)), Plan::Fetch);
    }

    #[test]
    fn who_waited_for_another_fetch_does_not_fetch_again() {
        let name = domain("example.com");
        let cache = of("example.com", 604_800);
        assert!(!cache.wants(&name, Some(&id("1")), after(1)));
        assert!(cache.wants(&name, Some(&id("2")), after(1)));
        assert!(!cache.wants(&domain("other.example"), None, after(1)));
    }

    #[test]
    fn policies_of_domains_that_still_get_mail_are_due_once_a_day() {
        let name = domain("example.com");
        let mut cache = of("example.com", 31_557_600);
        assert_eq!(cache.due(after(DAY - 1)), []);
        assert_eq!(cache.due(after(DAY)), [(name.clone(), id("1"))]);
        cache.failed(&name, Some(id("1")), after(DAY));
        assert_eq!(cache.due(after(DAY)), []);
        assert_eq!(cache.due(after(30 * DAY)), []);
        cache.plan(&name, None, after(30 * DAY));
        assert_eq!(cache.due(after(30 * DAY)).len(), 1);
    }

    #[test]
    fn a_refresh_without_a_word_of_the_dns_keeps_the_id_and_the_time_of_use() {
        let name = domain("example.com");
        let mut cache = of("example.com", 604_800);
        cache.store(&name, None, policy(604_800), after(DAY));
        assert_eq!(cache.plan(&name, Some(&id("1")), after(DAY)), week());
        assert_eq!(cache.entries()[&name].fetched_at, after(DAY));
    }

    #[test]
    fn the_number_of_policies_is_limited_and_those_in_use_stay() {
        let mut cache = Cache::default();
        for number in 0..=CACHE_ENTRIES_MAX as u64 {
            let name = domain(&format!("d{number}.example"));
            cache.store(&name, Some(id("1")), policy(604_800), after(number));
            // This one gets mail all the time.
            cache.plan(&domain("d0.example"), None, after(number));
            assert!(cache.entries().len() <= CACHE_ENTRIES_MAX);
        }
        assert!(cache.entries().contains_key(&domain("d0.example")));
        assert!(!cache.entries().contains_key(&domain("d1.example")));
        assert!(cache.entries().contains_key(&domain(&format!("d{CACHE_ENTRIES_MAX}.example"))));
        let octets: usize = cache.entries().values().map(|entry| entry.octets).sum();
        assert_eq!(cache.octets, octets);
    }

    #[test]
    fn the_size_of_all_policies_is_limited() {
        let large = format!(
            "version: STSv1\nmode: enforce\nmax_age: 604800\n{}",
            format!("mx: {}.example\n", "a.".repeat(100)).replace(".\n", "\n").replace("..", ".").repeat(300)
        );
        let large = Policy::parse(large.as_bytes()).unwrap();
        let mut cache = Cache::default();
        for number in 0..400 {
            let name = domain(&format!("d{number}.example"));
            cache.store(&name, Some(id("1")), large.clone(), after(number));
            assert!(cache.octets <= CACHE_OCTETS_MAX);
        }
        assert!(cache.entries().len() < 400);
        assert!(cache.entries().contains_key(&domain("d399.example")));
    }

    #[test]
    fn failures_are_limited_in_number() {
        let mut cache = Cache::default();
        for number in 0..FAILURES_MAX + 10 {
            cache.failed(&domain(&format!("d{number}.example")), Some(id("1")), START);
        }
        assert_eq!(cache.failures.len(), FAILURES_MAX);
        cache.failed(&domain("later.example"), Some(id("1")), after(5 * MINUTE));
        assert_eq!(cache.failures.len(), 1);
    }
}
