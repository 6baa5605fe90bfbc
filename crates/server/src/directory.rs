//! Where addresses lead, asked of the store's directory and kept until something in it changes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use mta::resolve::{EverythingElse, Found, Local, Lookup, Resolution, Resolver};
use mta::srs::{self, Srs};
use store::{Account, Credentials, Store, StoreError};
use tokio::sync::{Semaphore, SemaphorePermit};
use types::directory::{DomainEntry, MailingList, key};
use types::{Domain, ForwardPath, Mailbox, Timestamp};

use crate::config::{Config, ListenAddress, Recipients};
use crate::outside::Outside;

/// Where an address leads.
pub(crate) type Route = Resolution<Arc<Account>>;

/// Asks the store, and remembers.
pub(crate) struct Directory {
    host_name: Domain,
    /// Domains of the configuration, beside those of the store.
    domains: Vec<Domain>,
    everything_else: EverythingElse,
    addresses: Vec<IpAddr>,
    /// What writes and reads the reverse-paths of what is sent on.
    srs: Srs,
    outside: Arc<dyn Outside>,
    known: Mutex<Known>,
    /// Members of lists that messages may be copied for.
    members: Semaphore,
}

/// What was found out, as of a version of the directory.
#[derive(Default)]
struct Known {
    version: u64,
    routes: HashMap<String, Arc<Route>>,
    /// The account that was made first, once somebody asked; it seldom goes.
    first: Option<Arc<str>>,
}

/// Addresses that are remembered; past it all are forgotten. Lists, which may be long, are not among them.
const ROUTES_MAX: usize = 4096;
/// What leads to more than so many is not remembered either: with subaddresses, one alias has any number of names.
const ROUTE_TARGETS_MAX: usize = 16;
/// Members of lists that messages are copied for at one time, some 1 KiB each; messages for more take turns.
const MEMBERS_MAX: u32 = 100_000;
/// Where mail to anybody goes in dev mode, if there is such an account; else to the one that was made first.
pub const DEV_ACCOUNT: &str = "dev@localhost";

impl Directory {
    pub(crate) fn new(config: &Config, srs: Srs, outside: Arc<dyn Outside>) -> Self {
        let (domains, everything_else) = match &config.recipients {
            Recipients::Domains(domains) => (domains.clone(), EverythingElse::Refused),
            Recipients::CatchAll => (Vec::new(), EverythingElse::ToFallbackAccount),
            Recipients::Relay => (Vec::new(), EverythingElse::Relayed),
        };
        let ip = |address: &ListenAddress| match address {
            ListenAddress::Tcp(address) if !address.ip().is_unspecified() => {
                Some(address.ip().to_canonical())
            }
            _ => None,
        };
        Self {
            host_name: config.host_name.clone(),
            domains,
            everything_else,
            addresses: config.listeners.iter().filter_map(|listener| ip(&listener.address)).collect(),
            srs,
            outside,
            known: Mutex::default(),
            members: Semaphore::new(MEMBERS_MAX as usize),
        }
    }

    /// This host's own addresses, as far as its listeners name them.
    pub(crate) fn own_addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    /// What writes the reverse-paths of what is sent on.
    pub(crate) const fn srs(&self) -> &Srs {
        &self.srs
    }

    /// Where mail for `forward_path` goes.
    pub(crate) async fn route(
        &self,
        store: &dyn Store,
        forward_path: &ForwardPath,
    ) -> Result<Arc<Route>, StoreError> {
        let name = forward_path.mailbox().map(key).unwrap_or_default();
        // Read before anything is looked up: what changes meanwhile makes what was found too old.
        let version = store.directory_version();
        if let Some(route) = self.known(version).routes.get(&name) {
            return Ok(Arc::clone(route));
        }
        let first = self.first(store).await?;
        let now = self.outside.now();
        let route =
            self.search(store, Resolver::new(forward_path, self.local(first.as_deref(), now))).await?;
        let route = Arc::new(route);
        // What is the way back to a sender is that for a time alone.
        let is_lasting = !forward_path.mailbox().is_some_and(srs::is_rewritten);
        if is_lasting && route.targets.len() <= ROUTE_TARGETS_MAX && route.lists().next().is_none() {
            let mut known = self.known(version);
            if known.version == version {
                if known.routes.len() >= ROUTES_MAX {
                    known.routes.clear();
                }
                known.routes.insert(name, Arc::clone(&route));
            }
        }
        Ok(route)
    }

    /// Waits until copies for the members of lists can be made, `members` in all.
    pub(crate) async fn turn(&self, members: usize) -> Option<SemaphorePermit<'_>> {
        let members = u32::try_from(members).unwrap_or(u32::MAX).min(MEMBERS_MAX);
        // It is never closed.
        if members == 0 { None } else { self.members.acquire_many(members).await.ok() }
    }

    /// Where mail for the members of a list goes; `within` are the lists that it came by.
    pub(crate) async fn members(
        &self,
        store: &dyn Store,
        address: &Mailbox,
        list: &MailingList,
        within: &[Mailbox],
    ) -> Result<Route, StoreError> {
        let first = self.first(store).await?;
        let local = self.local(first.as_deref(), self.outside.now());
        let resolver = Resolver::of_members(address, list, within, local);
        self.search(store, resolver).await
    }

    /// The entry of a domain that is ours.
    pub(crate) async fn domain(
        &self,
        store: &dyn Store,
        domain: &Domain,
    ) -> Result<Option<DomainEntry>, StoreError> {
        let entry = store.domain(domain).await?;
        Ok(entry.or_else(|| self.domains.contains(domain).then(|| DomainEntry::new(domain.clone()))))
    }

    /// Whether a domain is ours. This host's name always is.
    pub(crate) async fn is_ours(&self, store: &dyn Store, domain: &Domain) -> Result<bool, StoreError> {
        Ok(*domain == self.host_name || self.domain(store, domain).await?.is_some())
    }

    /// All domains that are ours.
    pub(crate) async fn domains(&self, store: &dyn Store) -> Result<Vec<Domain>, StoreError> {
        let mut domains: Vec<_> = store.domains().await?.into_iter().map(|entry| entry.domain).collect();
        for domain in self.domains.iter().chain([&self.host_name]) {
            if !domains.contains(domain) {
                domains.push(domain.clone());
            }
        }
        Ok(domains)
    }

    async fn search(
        &self,
        store: &dyn Store,
        mut resolver: Resolver<'_, Arc<Account>>,
    ) -> Result<Route, StoreError> {
        while let Some(lookup) = resolver.wanted() {
            let found = match lookup {
                Lookup::Domain(domain) => Found::Domain(self.domain(store, domain).await?),
                // Neither what is remembered nor a session has a use for its credentials.
                Lookup::Account(name) => Found::Account(
                    store
                        .account(name)
                        .await?
                        .map(|account| Arc::new(Account { credentials: Credentials::default(), ..account })),
                ),
                Lookup::Address(address) => Found::Address(store.address(address).await?),
            };
            resolver.supply(found);
            // A list may be long, and look-ups do not wait: others have their turn too.
            tokio::task::consume_budget().await;
        }
        Ok(resolver.finish())
    }

    fn local<'a>(&'a self, fallback_account: Option<&'a str>, now: Timestamp) -> Local<'a> {
        Local {
            host_name: &self.host_name,
            addresses: &self.addresses,
            fallback_account,
            everything_else: self.everything_else,
            // What has no way out has no way back.
            srs: (self.everything_else == EverythingElse::Refused).then_some((&self.srs, now)),
        }
    }

    /// The account that stands in for a postmaster that nobody else is, and in dev mode for everybody.
    async fn first(&self, store: &dyn Store) -> Result<Option<Arc<str>>, StoreError> {
        let known = self.lock().first.clone();
        if let Some(name) = known
            && store.account(&name).await?.is_some()
        {
            return Ok(Some(name));
        }
        let first = match self.everything_else {
            EverythingElse::ToFallbackAccount | EverythingElse::Relayed => store.account(DEV_ACCOUNT).await?,
            EverythingElse::Refused => None,
        };
        let first = match first {
            Some(account) => Some(account),
            None => store.accounts().await?.into_iter().next(),
        };
        let name = first.map(|account| Arc::from(account.name));
        self.lock().first.clone_from(&name);
        Ok(name)
    }

    /// What is known as of `version`; what is older is forgotten.
    fn known(&self, version: u64) -> std::sync::MutexGuard<'_, Known> {
        let mut known = self.lock();
        if known.version < version {
            known.version = version;
            known.routes.clear();
        }
        known
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
