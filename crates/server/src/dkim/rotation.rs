//! The task that lets keys follow one another: it looks whether the DNS has the records of new keys, and does what
//! `mta::dkim_rotation` says. One look at a time, far apart, and nothing waits for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mailauth::Names;
use mta::dkim_rotation::{self, DkimFacts, DkimSeen, DkimStep};
use store::{StoreError, StoredDkimKey};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tracing::{error, info, warn};
use types::directory::{DkimAlgorithm, DkimKey, DkimKeyState};
use types::dns::Lookup;
use types::{Domain, Timestamp};

use super::making;
use crate::control::changing;
use crate::shared::Shared;

/// From one look to the next.
const LOOK_INTERVAL: Duration = Duration::from_secs(15 * 60);
/// From the start of the node to the first look: it has more to do then.
const FIRST_LOOK: Duration = Duration::from_secs(60);
/// For an answer of the DNS.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Domains whose records are asked for in one look; the others have their turn in the next ones.
const DOMAINS_MAX: usize = 200;
/// What waits for somebody is said again after this time.
const REMINDER_INTERVAL: Duration = Duration::from_secs(24 * 60 * 60);

/// What the DNS was found to have, since the node's start.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    seen: Mutex<HashMap<(Domain, String), DkimSeen>>,
}

impl Watch {
    /// What is known of a key.
    pub(crate) fn of(&self, key: &DkimKey) -> DkimSeen {
        let place = (key.domain.clone(), key.selector.clone());
        self.lock().get(&place).copied().unwrap_or(DkimSeen::Unknown)
    }

    /// Notes an answer: a record counts from when it was seen first, and anew after an answer without it.
    fn note(&self, key: &DkimKey, found: Found, now: Timestamp) {
        let mut seen = self.lock();
        let known = seen.entry((key.domain.clone(), key.selector.clone())).or_insert(DkimSeen::Unknown);
        *known = match (found, *known) {
            (Found::Record, DkimSeen::Since(at)) => DkimSeen::Since(at.min(now)),
            (Found::Record, _) => DkimSeen::Since(now),
            (Found::Nothing, _) => DkimSeen::Missing,
            // Neither for nor against it.
            (Found::NoAnswer, known) => known,
        };
    }

    fn retain(&self, is_waiting: impl Fn(&(Domain, String)) -> bool) {
        self.lock().retain(|place, _| is_waiting(place));
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Domain, String), DkimSeen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the DNS says of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Found {
    Record,
    Nothing,
    NoAnswer,
}

/// Looks again and again until the node stops.
pub(crate) fn start(shared: &Arc<Shared>) -> JoinHandle<()> {
    shared.while_serving(look_again_and_again)
}

async fn look_again_and_again(shared: Arc<Shared>) {
    sleep(FIRST_LOOK).await;
    let mut rotation = Rotation::default();
    loop {
        let until = Instant::now() + ANSWER_TIMEOUT * u32::try_from(DOMAINS_MAX).unwrap_or(u32::MAX);
        let names = shared.resolver.names_until(&shared.config, until).await;
        if let Err(error) = rotation.look(&shared, &names, shared.now()).await {
            warn!(%error, "keys of DKIM cannot be looked after now");
        }
        sleep(LOOK_INTERVAL).await;
    }
}

/// What is remembered from one look to the next.
#[derive(Debug, Default)]
pub(crate) struct Rotation {
    /// When was said last that something waits.
    reminded_at: Option<Timestamp>,
    /// The domain that was asked about last.
    asked_last: Option<String>,
}

impl Rotation {
    /// One look at all keys.
    pub(crate) async fn look(
        &mut self,
        shared: &Shared,
        names: &dyn Names,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut domains: BTreeMap<String, Vec<StoredDkimKey>> = BTreeMap::new();
        for stored in shared.store.all_dkim_keys().await? {
            domains.entry(stored.key.domain.ascii().to_owned()).or_default().push(stored);
        }
        self.ask(&shared.signing_keys.watch, &domains, names, now).await;
        for (name, keys) in &domains {
            // A failure with one domain is none of the others.
            if let Err(why) = tend(shared, &keys[0].key.domain, now).await {
                warn!(domain = name, %why, "the keys of this domain stay as they are");
            }
        }
        self.tell(shared, now).await
    }

    /// Asks for the records of keys that wait, those first that had no turn in the last look.
    async fn ask(
        &mut self,
        watch: &Watch,
        domains: &BTreeMap<String, Vec<StoredDkimKey>>,
        names: &dyn Names,
        now: Timestamp,
    ) {
        let waits = |stored: &&StoredDkimKey| stored.key.state == DkimKeyState::Next;
        let waiting: Vec<_> =
            domains.iter().filter(|(_, keys)| keys.iter().any(|stored| waits(&stored))).collect();
        watch.retain(|(domain, selector)| {
            let of_domain = domains.get(domain.ascii()).into_iter().flatten();
            of_domain.filter(waits).any(|stored| stored.key.selector == *selector)
        });
        let first =
            self.asked_last.take().map_or(0, |last| waiting.partition_point(|(name, _)| **name <= last));
        let (before, after) = waiting.split_at(first);
        for (name, keys) in after.iter().chain(before).take(DOMAINS_MAX) {
            for stored in keys.iter().filter(waits) {
                watch.note(&stored.key, find(&stored.key, names).await, now);
            }
            self.asked_last = Some((*name).clone());
        }
    }

    /// Says once a day, and in the figures, what waits for somebody or cannot be used.
    async fn tell(&mut self, shared: &Shared, now: Timestamp) -> Result<(), StoreError> {
        let is_due = self.reminded_at.is_none_or(|at| now.since(at) >= REMINDER_INTERVAL || now < at);
        let (mut waiting, mut unusable) = (0, 0);
        for stored in shared.store.all_dkim_keys().await? {
            let (domain, selector) = (stored.key.domain.ascii(), stored.key.selector.as_str());
            let trouble = making::open(&shared.secrets, &stored).err();
            // Opening RSA keys takes its time, and others have their turn too.
            tokio::task::yield_now().await;
            match (stored.key.state, trouble) {
                (DkimKeyState::Active, Some(why)) => {
                    unusable += 1;
                    if is_due {
                        error!(domain, selector, %why, "mail is not signed with this key; {}", making::mend(&stored.key.domain));
                    }
                }
                (DkimKeyState::Next, None) => {
                    waiting += 1;
                    let seen = shared.signing_keys.watch.of(&stored.key);
                    if is_due && seen == DkimSeen::Missing {
                        let record = stored.key.zone_line();
                        warn!(domain, selector, record, "a new DKIM key waits until the DNS has its record");
                    }
                }
                _ => {}
            }
        }
        shared.metrics.dkim.set(waiting, unusable);
        if is_due {
            self.reminded_at = Some(now);
        }
        Ok(())
    }
}

/// Whether the DNS has the record of a key: its `p=` is what counts, the rest may be written otherwise.
async fn find(key: &DkimKey, names: &dyn Names) -> Found {
    match names.txt(&key.record_name()).await {
        // Of two records nobody knows which one is read (RFC 6376 §3.6.2.2).
        Lookup::Records { records, .. } => match records.as_slice() {
            [record] if public_key(&String::from_utf8_lossy(record)) == public_key(&key.record) => {
                Found::Record
            }
            _ => Found::Nothing,
        },
        Lookup::NoData { .. } | Lookup::NoSuchName => Found::Nothing,
        Lookup::Trouble(_) => Found::NoAnswer,
    }
}

/// The value of `p=` without white space (RFC 6376 §3.6.1).
fn public_key(record: &str) -> Option<String> {
    let value = record.split(';').find_map(|tag| {
        let (name, value) = tag.split_once('=')?;
        (name.trim() == "p").then_some(value)
    })?;
    Some(value.split_ascii_whitespace().collect())
}

/// Does what is due for one domain.
async fn tend(
    shared: &Shared,
    domain: &Domain,
    now: Timestamp,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    // Nobody else changes them between the look and the change.
    let _changing = changing().await;
    let stored = shared.store.dkim_keys(domain).await?;
    // What cannot be opened neither follows nor is followed: people have to know.
    let usable: Vec<&StoredDkimKey> = stored
        .iter()
        .filter(|stored| {
            stored.key.state != DkimKeyState::Next || making::open(&shared.secrets, stored).is_ok()
        })
        .collect();
    let facts: Vec<DkimFacts<'_>> = usable
        .iter()
        .map(|stored| DkimFacts { key: &stored.key, seen: shared.signing_keys.watch.of(&stored.key) })
        .collect();
    for step in dkim_rotation::due(&facts, now, &shared.config.dkim.schedule()) {
        match step {
            DkimStep::Make(algorithm) => make(shared, domain, &stored, algorithm, now).await?,
            DkimStep::Switch { to, from } => switch(shared, &stored, &to, &from, now).await?,
            DkimStep::Remove { selector } => {
                shared.store.remove_dkim_key(domain, &selector).await?;
                let record = types::directory::dkim_record_name(&selector, domain);
                info!(
                    domain = domain.ascii(),
                    selector, record, "a DKIM key is removed: its record may go from the DNS now"
                );
            }
        }
    }
    Ok(())
}

async fn make(
    shared: &Shared,
    domain: &Domain,
    stored: &[StoredDkimKey],
    algorithm: DkimAlgorithm,
    now: Timestamp,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let taken = stored.iter().map(|stored| stored.key.selector.as_str());
    let selector = making::new_selector(algorithm, now, taken);
    let (secrets, domain) = (shared.secrets.clone(), domain.clone());
    let made = tokio::task::spawn_blocking(move || {
        making::make(&secrets, &domain, selector, algorithm, DkimKeyState::Next, now)
    });
    let made = made.await??;
    let (domain, selector) = (made.key.domain.ascii().to_owned(), made.key.selector.clone());
    let record = made.key.zone_line();
    shared.store.put_dkim_keys(vec![made]).await?;
    warn!(
        domain,
        selector,
        record,
        "a new DKIM key was made by schedule: publish its record, it signs when the DNS has it"
    );
    Ok(())
}

async fn switch(
    shared: &Shared,
    stored: &[StoredDkimKey],
    to: &[String],
    from: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    let state_of = |selector: &String| {
        if to.contains(selector) {
            Some(DkimKeyState::Active)
        } else {
            from.contains(selector).then_some(DkimKeyState::Retired)
        }
    };
    let changed = stored.iter().filter_map(|stored| {
        let state = state_of(&stored.key.selector)?;
        let key = DkimKey { state, changed_at: now, ..stored.key.clone() };
        Some(StoredDkimKey { key, secret: stored.secret.clone() })
    });
    let changed: Vec<StoredDkimKey> = changed.collect();
    let domain = changed.first().map(|stored| stored.key.domain.ascii().to_owned());
    shared.store.put_dkim_keys(changed).await?;
    let (domain, to, from) = (domain.unwrap_or_default(), to.join(", "), from.join(", "));
    info!(
        domain,
        to, from, "DKIM keys have changed: leave the records of the old ones in the DNS for the overlap"
    );
    Ok(())
}
