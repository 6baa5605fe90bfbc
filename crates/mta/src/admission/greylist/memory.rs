//! Who was seen before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use types::Timestamp;

use super::key::cut;
use super::{Attempt, GreylistPolicy, Greylisting, Key, RECIPIENTS_MAX};

/// All that is remembered. Its size is bounded by [`GreylistPolicy::entries_max`].
#[derive(Debug, Default)]
pub struct Memory {
    attempts: Table<Key, Remembered>,
    clients: Table<String, KnownClient>,
    authors: Table<String, Author>,
    /// The entries of a client that have not come again, the oldest first.
    waiting: BTreeMap<String, BTreeSet<(Timestamp, Arc<Key>)>>,
}

/// A network, a sender and a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// The first attempt.
    pub first_at: Timestamp,
    /// The last.
    pub last_at: Timestamp,
    /// Messages that were let through.
    pub passed: u32,
}

/// A client that has come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownClient {
    /// With so many messages.
    pub retries: u32,
    /// When it was last seen.
    pub last_at: Timestamp,
}

/// A domain for which DMARC has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Author {
    /// So many messages.
    pub messages: u32,
    /// On so many days.
    pub days: u32,
    /// When it was last seen.
    pub last_at: Timestamp,
}

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
/// Of the entries that wait, a client has one in so many at most.
const SHARE_OF_CLIENT: usize = 100;

impl Memory {
    /// What an attempt comes to: all recipients of a message wait for the newest of them.
    pub(super) fn attempted(
        &mut self,
        attempt: &Attempt,
        policy: &GreylistPolicy,
        now: Timestamp,
    ) -> Greylisting {
        let (client, host) = (cut(&attempt.client), cut(&attempt.host));
        let is_known = self
            .client(&host, policy, now)
            .is_some_and(|known| policy.client_retries > 0 && known.retries >= policy.client_retries);
        if is_known {
            self.saw_client(&host, policy, now, 0);
            return Greylisting::Passes("the client has come again often enough");
        }
        let mut recipients: Vec<&String> = attempt.recipients.iter().collect();
        recipients.sort_unstable();
        recipients.dedup();
        let keys: Vec<Key> = recipients
            .iter()
            .take(RECIPIENTS_MAX)
            .map(|recipient| Key::new(&client, &attempt.sender, recipient))
            .collect();
        let found: Vec<Option<Remembered>> =
            keys.iter().map(|key| self.remembered(key, policy, now)).collect();
        let wait = found.iter().map(|found| remaining(found.as_ref(), policy, now)).max().unwrap_or_default();
        let is_first = found.iter().any(Option::is_none);
        let has_waited = wait.is_zero();
        let is_retry = has_waited && found.iter().flatten().any(|found| found.passed == 0);
        for (key, found) in keys.into_iter().zip(found) {
            self.note(key, found, has_waited, policy, now);
        }
        if !has_waited {
            return Greylisting::Waits { wait, is_first };
        }
        self.saw_client(&host, policy, now, u32::from(is_retry));
        Greylisting::Passes(if is_retry { "it has come again" } else { "the sender has come again before" })
    }

    /// A message passed DMARC for this organizational domain.
    pub fn saw_author(&mut self, domain: &str, policy: &GreylistPolicy, now: Timestamp) {
        let domain = cut(&domain.to_ascii_lowercase());
        let before = self.author(&domain, policy, now);
        let author = before.map_or(Author { messages: 1, days: 1, last_at: now }, |author| Author {
            messages: author.messages.saturating_add(1),
            days: author.days.saturating_add(u32::from(day(author.last_at) != day(now))),
            last_at: now,
        });
        self.authors.put(Arc::new(domain), author, policy.entries_max);
    }

    /// Whether a domain has passed often enough, on enough days: one day's work of a spammer is no history.
    #[must_use]
    pub(super) fn has_history(&self, domain: &str, policy: &GreylistPolicy, now: Timestamp) -> bool {
        let author = self.author(&cut(&domain.to_ascii_lowercase()), policy, now);
        author.is_some_and(|author| {
            author.messages >= policy.author_messages.max(1) && author.days >= policy.author_days.max(1)
        })
    }

    /// Forgets what is too old to count.
    pub fn expire(&mut self, policy: &GreylistPolicy, now: Timestamp) {
        while let Some((key, _)) = self.attempts.first(|entry| !is_remembered(entry, policy, now)) {
            self.remove(&key);
        }
        let is_over = |last_at: Timestamp| now.since(last_at) > policy.remembered;
        while let Some((client, _)) = self.clients.first(|client| is_over(client.last_at)) {
            self.clients.remove(&client);
        }
        while let Some((author, _)) = self.authors.first(|author| is_over(author.last_at)) {
            self.authors.remove(&author);
        }
    }

    /// Forgets a client, a sender, a recipient or an author's domain, wherever it stands; how many entries that were.
    pub fn forget(&mut self, name: &str) -> usize {
        let is_named = |key: &Key| [&key.client, &key.sender, &key.recipient].contains(&&name.to_owned());
        let keys: Vec<_> = self.attempts.keys().filter(|key| is_named(key)).cloned().collect();
        for key in &keys {
            self.remove(key);
        }
        let (client, author) = (Arc::new(name.to_owned()), Arc::new(name.to_ascii_lowercase()));
        keys.len()
            + usize::from(self.clients.remove(&client).is_some())
            + usize::from(self.authors.remove(&author).is_some())
    }

    /// Attempts, in the order of their keys.
    pub fn attempts(&self) -> impl Iterator<Item = (&Key, &Remembered)> {
        self.attempts.iter()
    }

    /// Clients that have come again.
    pub fn clients(&self) -> impl Iterator<Item = (&str, &KnownClient)> {
        self.clients.iter().map(|(name, client)| (name.as_str(), client))
    }

    /// Domains that have passed DMARC.
    pub fn authors(&self) -> impl Iterator<Item = (&str, &Author)> {
        self.authors.iter().map(|(name, author)| (name.as_str(), author))
    }

    /// Puts back what was kept of an attempt.
    pub fn restore_attempt(&mut self, key: &Key, entry: Remembered, entries_max: usize) {
        self.put(Key::new(&key.client, &key.sender, &key.recipient), entry, entries_max);
    }

    /// Puts back what was kept of a client.
    pub fn restore_client(&mut self, name: &str, client: KnownClient, entries_max: usize) {
        self.clients.put(Arc::new(cut(name)), client, entries_max);
    }

    /// Puts back what was kept of a domain.
    pub fn restore_author(&mut self, name: &str, author: Author, entries_max: usize) {
        self.authors.put(Arc::new(cut(name)), author, entries_max);
    }

    fn remembered(&self, key: &Key, policy: &GreylistPolicy, now: Timestamp) -> Option<Remembered> {
        let entry = self.attempts.get(key).copied()?;
        is_remembered(&entry, policy, now).then_some(entry)
    }

    fn client(&self, name: &str, policy: &GreylistPolicy, now: Timestamp) -> Option<KnownClient> {
        let client = self.clients.get(&name.to_owned()).copied()?;
        (now.since(client.last_at) <= policy.remembered).then_some(client)
    }

    fn author(&self, name: &str, policy: &GreylistPolicy, now: Timestamp) -> Option<Author> {
        let author = self.authors.get(&name.to_owned()).copied()?;
        (now.since(author.last_at) <= policy.remembered).then_some(author)
    }

    fn note(
        &mut self,
        key: Key,
        found: Option<Remembered>,
        has_passed: bool,
        policy: &GreylistPolicy,
        now: Timestamp,
    ) {
        let before = found.unwrap_or(Remembered { first_at: now, last_at: now, passed: 0 });
        let passed = before.passed.saturating_add(u32::from(has_passed));
        // A clock that was put back: the time that is left counts from now, and nobody waits for a day that is over.
        let first_at = before.first_at.min(now);
        let entry = Remembered { first_at, last_at: now, passed };
        let share = (policy.entries_max / SHARE_OF_CLIENT).max(RECIPIENTS_MAX);
        if entry.passed == 0 && self.attempts.get(&key).is_none() {
            // Its own oldest makes room. Were the new one not remembered, it would wait for ever beside a spammer.
            let waiting = self.waiting.get(&key.client).filter(|waiting| waiting.len() >= share);
            if let Some((_, oldest)) = waiting.and_then(|waiting| waiting.first()).cloned() {
                self.remove(&oldest);
            }
        }
        self.put(key, entry, policy.entries_max);
    }

    fn saw_client(&mut self, name: &str, policy: &GreylistPolicy, now: Timestamp, more: u32) {
        let before = self.client(name, policy, now).map_or(0, |client| client.retries);
        let retries = before.saturating_add(more);
        if retries > 0 {
            let client = KnownClient { retries, last_at: now };
            self.clients.put(Arc::new(name.to_owned()), client, policy.entries_max);
        }
    }

    fn put(&mut self, key: Key, entry: Remembered, entries_max: usize) {
        let key = Arc::new(key);
        let (before, evicted) = self.attempts.put(Arc::clone(&key), entry, entries_max);
        if let Some(before) = before {
            self.leave(&key, before);
        }
        if let Some((key, entry)) = evicted {
            self.leave(&key, entry);
        }
        if entry.passed == 0 {
            self.waiting.entry(key.client.clone()).or_default().insert((entry.first_at, key));
        }
    }

    fn remove(&mut self, key: &Arc<Key>) {
        if let Some(entry) = self.attempts.remove(key) {
            self.leave(key, entry);
        }
    }

    fn leave(&mut self, key: &Arc<Key>, entry: Remembered) {
        if let Some(waiting) = self.waiting.get_mut(&key.client) {
            waiting.remove(&(entry.first_at, Arc::clone(key)));
            if waiting.is_empty() {
                self.waiting.remove(&key.client);
            }
        }
    }
}

fn day(at: Timestamp) -> u64 {
    at.millis() / DAY_MS
}

/// Who has not come again is remembered for as long as that counts.
fn is_remembered(entry: &Remembered, policy: &GreylistPolicy, now: Timestamp) -> bool {
    match entry.passed {
        0 => now.since(entry.first_at) <= policy.retry_within,
        _ => now.since(entry.last_at) <= policy.remembered,
    }
}

fn remaining(found: Option<&Remembered>, policy: &GreylistPolicy, now: Timestamp) -> Duration {
    match found {
        Some(entry) if entry.passed > 0 => Duration::ZERO,
        Some(entry) => policy.wait.saturating_sub(now.since(entry.first_at)),
        None => policy.wait,
    }
}

/// What makes room: what has proven nothing before what has, the oldest first.
trait Ranked: Copy {
    fn rank(&self) -> (bool, Timestamp);
}

impl Ranked for Remembered {
    fn rank(&self) -> (bool, Timestamp) {
        match self.passed {
            0 => (false, self.first_at),
            _ => (true, self.last_at),
        }
    }
}

impl Ranked for KnownClient {
    fn rank(&self) -> (bool, Timestamp) {
        (self.retries > 1, self.last_at)
    }
}

impl Ranked for Author {
    fn rank(&self) -> (bool, Timestamp) {
        (self.days > 1, self.last_at)
    }
}

/// A map with an end, and the order in which it makes room.
#[derive(Debug)]
struct Table<K, V> {
    entries: BTreeMap<Arc<K>, V>,
    /// What has proven nothing, the oldest first.
    unproven: BTreeSet<(Timestamp, Arc<K>)>,
    /// The rest.
    proven: BTreeSet<(Timestamp, Arc<K>)>,
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Self {
        Self { entries: BTreeMap::new(), unproven: BTreeSet::new(), proven: BTreeSet::new() }
    }
}

impl<K: Ord, V: Ranked> Table<K, V> {
    fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }

    fn keys(&self) -> impl Iterator<Item = &Arc<K>> {
        self.entries.keys()
    }

    /// What stood there before, and what made room.
    fn put(&mut self, key: Arc<K>, value: V, entries_max: usize) -> (Option<V>, Option<(Arc<K>, V)>) {
        let before = self.remove(&key);
        let evicted = if self.entries.len() >= entries_max.max(1) { self.pop() } else { None };
        let (is_proven, at) = value.rank();
        self.order(is_proven).insert((at, Arc::clone(&key)));
        self.entries.insert(key, value);
        (before, evicted)
    }

    fn remove(&mut self, key: &Arc<K>) -> Option<V> {
        let value = self.entries.remove(key)?;
        let (is_proven, at) = value.rank();
        self.order(is_proven).remove(&(at, Arc::clone(key)));
        Some(value)
    }

    fn pop(&mut self) -> Option<(Arc<K>, V)> {
        let (_, key) = self.unproven.pop_first().or_else(|| self.proven.pop_first())?;
        let value = self.entries.remove(&key)?;
        Some((key, value))
    }

    /// The oldest of what has proven nothing, else of the rest, where that is so of it.
    fn first(&self, is_wanted: impl Fn(&V) -> bool) -> Option<(Arc<K>, V)> {
        [self.unproven.first(), self.proven.first()].into_iter().flatten().find_map(|(_, key)| {
            let value = self.entries.get(key)?;
            is_wanted(value).then(|| (Arc::clone(key), *value))
        })
    }

    const fn order(&mut self, is_proven: bool) -> &mut BTreeSet<(Timestamp, Arc<K>)> {
        if is_proven { &mut self.proven } else { &mut self.unproven }
    }
}
