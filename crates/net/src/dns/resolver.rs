//! From a question to what is known: special names, the cache, one question at a time, aliases.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hickory_proto::op::Query;
use hickory_proto::rr::rdata::{A, AAAA};
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::sync::OnceCell;
use types::dns::{DnsTrouble, Validation};

use super::cache::Cache;
use super::found::{Chain, Found, Reading, What, Word, strip};
use super::secure::Secure;
use super::system::{Hosts, Servers};
use super::upstream::{Flavour, Upstream};
use super::{DnsError, DnsOptions, Trust};

/// Answers questions for names.
#[derive(Debug)]
pub(super) struct Resolver {
    trust: How,
    upstream: Arc<Upstream>,
    hosts: Hosts,
    cache: Mutex<Cache<Key, Arc<Found>>>,
    /// Questions that are being asked: whoever has the same one waits for the answer.
    under_way: Mutex<HashMap<Key, Arc<OnceCell<Arc<Found>>>>>,
}

type Key = (Name, RecordType);

#[derive(Debug)]
enum How {
    Here(Secure),
    LocalResolver,
    Unproven,
}

/// All questions that one answer takes, against one that is answered at once: an alias, keys, signatures.
const PATIENCE_FACTOR: u32 = 3;

impl Resolver {
    pub(super) fn new(options: &DnsOptions, resolv_conf: &Path, hosts: &Path) -> Result<Self, DnsError> {
        let servers = Servers::new(&options.servers, resolv_conf);
        let upstream = Arc::new(Upstream::new(servers, options.timeout, options.attempts));
        let trust = match options.trust {
            Trust::Validate => How::Here(Secure::new(Arc::clone(&upstream), options.roots.as_deref())?),
            Trust::LocalResolver => How::LocalResolver,
            Trust::None => How::Unproven,
        };
        Ok(Self {
            trust,
            upstream,
            hosts: Hosts::read(hosts),
            cache: Mutex::new(Cache::new(options.cache_entries)),
            under_way: Mutex::default(),
        })
    }

    /// What is known of that name, asking where nothing is.
    pub(super) async fn find(&self, name: Name, kind: RecordType) -> Arc<Found> {
        let name = name.to_lowercase();
        if let Some(found) = self.special(&name, kind) {
            return Arc::new(found);
        }
        let key = (name, kind);
        if let Some(found) = lock(&self.cache).find(&key, Instant::now()) {
            return found;
        }
        let place = Place::take(self, key);
        Arc::clone(place.cell.get_or_init(|| self.ask_and_remember(&place.key)).await)
    }

    async fn ask_and_remember(&self, key: &Key) -> Arc<Found> {
        let (name, kind) = key;
        // Somebody may have finished between our look into the cache and our turn.
        if let Some(found) = lock(&self.cache).find(key, Instant::now()) {
            return found;
        }
        let patience = self.upstream.patience().saturating_mul(PATIENCE_FACTOR);
        let found = match tokio::time::timeout(patience, self.follow(name.clone(), *kind)).await {
            Ok(found) => Arc::new(found),
            Err(_) => Arc::new(Found::trouble(DnsTrouble::TimedOut)),
        };
        let size_bytes = found.size_bytes();
        lock(&self.cache).insert(key.clone(), Arc::clone(&found), size_bytes, found.holds, Instant::now());
        found
    }

    /// Asks for the name, and for what its aliases lead to.
    async fn follow(&self, name: Name, kind: RecordType) -> Found {
        let mut chain = Chain::new(name);
        loop {
            let query = Query::query(chain.name.clone(), kind);
            let (message, word) = match self.ask(query).await {
                Ok(answer) => answer,
                Err(trouble) => return Found::trouble(trouble),
            };
            match chain.read(&message, kind, word) {
                Reading::End(found) => return found,
                Reading::Alias(further) => chain = further,
            }
        }
    }

    async fn ask(&self, query: Query) -> Result<(hickory_proto::op::Message, Word), DnsTrouble> {
        let flavour = match &self.trust {
            How::Here(secure) => return Ok((secure.ask(query).await?, Word::OfEach)),
            How::LocalResolver => Flavour::Authenticated,
            How::Unproven => Flavour::Plain,
        };
        let reply = self.upstream.ask(&query, flavour).await?;
        let is_proven =
            flavour == Flavour::Authenticated && reply.is_trusted && reply.message.metadata.authentic_data;
        let validation = if is_proven { Validation::Secure } else { Validation::Insecure };
        let mut message = reply.message;
        strip(&mut message, &query);
        Ok((message, Word::OfAll(validation)))
    }

    /// Names that the DNS is not asked for.
    fn special(&self, name: &Name, kind: RecordType) -> Option<Found> {
        let text = name.to_ascii();
        let text = text.strip_suffix('.').unwrap_or(&text);
        let last = text.rsplit('.').next().unwrap_or_default();
        match last {
            // RFC 6761 §6.3 and §6.4, RFC 7686 §2.
            "localhost" => return Some(localhost(kind)),
            "invalid" | "onion" => return Some(known(What::NoSuchName)),
            _ => {}
        }
        let addresses = self.hosts.find(text)?;
        let data: Vec<RData> = addresses.iter().filter_map(|address| record(*address, kind)).collect();
        match kind {
            RecordType::A | RecordType::AAAA => Some(known(of(data))),
            _ => None,
        }
    }
}

fn localhost(kind: RecordType) -> Found {
    let addresses = [IpAddr::from(Ipv4Addr::LOCALHOST), Ipv6Addr::LOCALHOST.into()];
    known(of(addresses.into_iter().filter_map(|address| record(address, kind)).collect()))
}

fn record(address: IpAddr, kind: RecordType) -> Option<RData> {
    match (address, kind) {
        (IpAddr::V4(address), RecordType::A) => Some(RData::A(A(address))),
        (IpAddr::V6(address), RecordType::AAAA) => Some(RData::AAAA(AAAA(address))),
        _ => None,
    }
}

fn of(data: Vec<RData>) -> What {
    if data.is_empty() {
        return What::NoData { alias_of: None };
    }
    What::Records { data, alias_of: None, validation: Validation::Insecure }
}

const fn known(what: What) -> Found {
    Found { what, holds: Duration::ZERO }
}

/// A place among those who wait for one answer. The last one to leave clears it away, whether the answer came or
/// everybody gave up.
struct Place<'a> {
    resolver: &'a Resolver,
    key: Key,
    cell: Arc<OnceCell<Arc<Found>>>,
}

impl<'a> Place<'a> {
    fn take(resolver: &'a Resolver, key: Key) -> Self {
        let cell = Arc::clone(lock(&resolver.under_way).entry(key.clone()).or_default());
        Self { resolver, key, cell }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.resolver.under_way);
        drop(std::mem::take(&mut self.cell));
        if under_way.get(&self.key).is_some_and(|cell| Arc::strong_count(cell) == 1) {
            under_way.remove(&self.key);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it is held; were it so, a cache that is half changed is still a cache.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
