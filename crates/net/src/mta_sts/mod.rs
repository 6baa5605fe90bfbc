//! Policies of domains about TLS to their mail servers: MTA-STS (RFC 8461).
//!
//! - [`discover`]: what a TXT record says of a policy (§3.1).
//! - [`Policy`]: the policy itself (§3.2), and which hosts it names (§4.1).
//! - [`Fetch`], [`Https`]: getting it (§3.3).
//! - [`MtaSts`]: all of that for one domain after another, with what was found remembered, across restarts too.
//!
//! A policy that was found once holds until it expires, whatever the DNS and the policy host say meanwhile: whoever
//! could make them silent could otherwise take the policy away (§10.2). A new one takes its place when it has been
//! read.
//!
//! Left out on purpose: what a policy means for a delivery, which `mta::tls` decides, and reports about it.

mod cache;
mod fetch;
mod file;
mod policy;
mod record;

pub use cache::{CACHE_ENTRIES_MAX, CACHE_OCTETS_MAX};
pub use fetch::{Addresses, FETCHES_MAX, Fetch, FetchError, Https, HttpsOptions, POLICY_OCTETS_MAX};
pub use policy::{MX_PATTERNS_MAX, Mode, MxPattern, Policy, PolicyError};
pub use record::{PolicyId, RecordError, discover};

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::future::join_all;
use types::dns::Lookup;
use types::{Domain, Timestamp};

use crate::files::{self, OWNER_ONLY};
use cache::{Cache, Plan};

/// Policies by domain. Cheap to clone.
#[derive(Clone)]
pub struct MtaSts {
    inner: Arc<Inner>,
}

struct Inner {
    fetch: Arc<dyn Fetch>,
    cache: Mutex<Cache>,
    /// One fetch for a domain at one time: the others wait for it and take what it found.
    turns: Mutex<HashMap<Domain, Arc<tokio::sync::Mutex<()>>>>,
    /// Where policies are kept.
    file: Option<PathBuf>,
    /// The state of the cache that is in the file.
    saved: tokio::sync::Mutex<u64>,
}

/// What is known of the policy of a domain.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// The policy that holds, of whatever mode; none where the domain has none.
    pub policy: Option<Arc<Policy>>,
    /// What went wrong just now, told once: for reports (§6) and the operator (§3.3).
    pub problem: Option<Problem>,
}

/// Why a policy could not be read anew.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The policy host does not give it.
    #[error("the MTA-STS policy cannot be fetched: {0}")]
    Fetch(FetchError),
    /// What it gives is none.
    #[error("the MTA-STS policy cannot be used: {0}")]
    Policy(PolicyError),
    /// What is remembered cannot be kept.
    #[error("MTA-STS policies cannot be kept in {}: {why}", path.display())]
    File {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Domains whose policy is being fetched, or was until whoever wanted it gave up.
const TURNS_MAX: usize = 1000;

impl MtaSts {
    /// With the policies that `file` holds, where there is such a file. What of it cannot be read is told, and fetched
    /// anew when it is needed.
    #[must_use]
    pub fn open(fetch: Arc<dyn Fetch>, file: Option<PathBuf>, now: Timestamp) -> (Self, Option<Problem>) {
        let mut problem = None;
        let mut cache = Cache::default();
        if let Some(path) = &file {
            match file::read(path, now) {
                Ok(entries) => cache.restore(entries),
                Err(why) => problem = Some(Problem::File { path: path.clone(), why }),
            }
        }
        let saved = tokio::sync::Mutex::new(cache.version());
        let turns = Mutex::default();
        let inner = Inner { fetch, cache: Mutex::new(cache), turns, file, saved };
        (Self { inner: Arc::new(inner) }, problem)
    }

    /// The policy of `domain`, whose TXT records at `_mta-sts` are `txt`. Waits for the policy host where there is a
    /// new policy, and reads one that is a day old again in the background (§3.3).
    pub async fn find(&self, domain: &Domain, txt: &Lookup<Vec<u8>>, now: Timestamp) -> Found {
        let id = match txt {
            Lookup::Records { records, .. } => discover(records).ok().flatten(),
            Lookup::NoData { .. } | Lookup::NoSuchName | Lookup::Trouble(_) => None,
        };
        let plan = self.cache().plan(domain, id.as_ref(), now);
        match (plan, id) {
            (Plan::Use(policy), _) => Found { policy, problem: None },
            (Plan::UseAndRefresh(policy), id) => {
                let (this, domain) = (self.clone(), domain.clone());
                tokio::spawn(async move {
                    let problem = this.fetch(&domain, id.as_ref(), now).await;
                    // §3.3: the administrator is told.
                    if let Some(problem) = problem {
                        tracing::warn!(domain = domain.ascii(), %problem, "an MTA-STS policy is not refreshed");
                    }
                });
                Found { policy: Some(policy), problem: None }
            }
            (Plan::Fetch, id) => {
                let problem = self.fetch(domain, id.as_ref(), now).await;
                Found { policy: self.cache().held(domain, now), problem }
            }
        }
    }

    /// Reads policies again that are a day old and were used in the last month (§3.3): to be called about once an
    /// hour. A policy that nobody uses any more expires.
    pub async fn refresh(&self, now: Timestamp) -> Vec<(Domain, Problem)> {
        let due = self.cache().due(now);
        let mut problems = Vec::new();
        // Some at a time, so that a few slow hosts do not keep all others from being asked.
        for some in due.chunks(FETCHES_MAX) {
            let fetches = some.iter().map(|(domain, id)| self.fetch(domain, Some(id), now));
            let found = join_all(fetches).await;
            let failed = some.iter().zip(found).filter_map(|((domain, _), problem)| Some((domain, problem?)));
            problems.extend(failed.map(|(domain, problem)| (domain.clone(), problem)));
        }
        problems
    }

    /// Domains with a policy that holds, for figures.
    #[must_use]
    pub fn known(&self, now: Timestamp) -> usize {
        self.cache().valid(now)
    }

    /// Fetches the policy, unless another has just done so or failed.
    async fn fetch(&self, domain: &Domain, id: Option<&PolicyId>, now: Timestamp) -> Option<Problem> {
        let turn = {
            let mut turns = self.turns();
            // Who gave up waiting has not tidied up.
            if turns.len() >= TURNS_MAX {
                turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            }
            Arc::clone(turns.entry(domain.clone()).or_default())
        };
        let problem = {
            let _turn = turn.lock().await;
            if self.cache().wants(domain, id, now) { self.fetch_now(domain, id, now).await } else { None }
        };
        drop(turn);
        let mut turns = self.turns();
        if turns.get(domain).is_some_and(|turn| Arc::strong_count(turn) == 1) {
            turns.remove(domain);
        }
        problem
    }

    async fn fetch_now(&self, domain: &Domain, id: Option<&PolicyId>, now: Timestamp) -> Option<Problem> {
        let fetched = self.inner.fetch.fetch(domain).await;
        let parsed = match fetched {
            Ok(text) => Policy::parse(&text).map_err(Problem::Policy),
            Err(error) => Err(Problem::Fetch(error)),
        };
        match parsed {
            Ok(policy) => {
                self.cache().store(domain, id.cloned(), policy, now);
                self.save().await.err()
            }
            Err(problem) => {
                self.cache().failed(domain, id.cloned(), now);
                Some(problem)
            }
        }
    }

    /// Puts what is known into the file. Of several who ask at one time, one writes for all.
    async fn save(&self) -> Result<(), Problem> {
        let Some(path) = self.inner.file.clone() else { return Ok(()) };
        let mut saved = self.inner.saved.lock().await;
        let (version, text) = {
            let cache = self.cache();
            if cache.version() == *saved {
                return Ok(());
            }
            (cache.version(), file::encode(cache.entries()))
        };
        let place = path.clone();
        let written = tokio::task::spawn_blocking(move || files::replace(&place, &text, OWNER_ONLY)).await;
        let why = match written {
            Ok(Ok(())) => {
                *saved = version;
                return Ok(());
            }
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Err(Problem::File { path, why })
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.inner.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turns(&self) -> MutexGuard<'_, HashMap<Domain, Arc<tokio::sync::Mutex<()>>>> {
        self.inner.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the fuzzer reads that a file could hold.
#[doc(hidden)]
#[must_use]
pub fn read_file(octets: &[u8], now: Timestamp) -> usize {
    file::decode(octets, now).map_or(0, |entries| entries.len())
}
