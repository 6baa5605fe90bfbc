//! The keys with which our domains sign (RFC 6376): made, kept sealed, loaded, and changed in time.
//!
//! The store keeps them, sealed with the master key ([`crate::secrets`]); what signs asks [`SigningKeys::of`]. When a key
//! follows another is decided in `mta::dkim_rotation` and done by [`rotation`].

pub(crate) mod making;
pub(crate) mod rotation;

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use mailauth::dkim::SigningKey;
use store::{Store, StoreError, StoredDkimKey};
use tracing::error;
use types::Domain;
use types::directory::DkimKeyState;

use crate::config::Recipients;
use crate::secrets::Secrets;
use crate::shared::Shared;

/// A key that is ready to sign.
#[derive(Debug)]
pub(crate) struct LoadedKey {
    pub(crate) selector: String,
    pub(crate) key: SigningKey,
}

/// The keys that sign, opened once and remembered.
#[derive(Debug, Default)]
pub(crate) struct SigningKeys {
    known: Mutex<HashMap<Domain, Known>>,
    /// Of keys that are to sign next: what the DNS has of them.
    pub(crate) watch: rotation::Watch,
}

/// What is known of a domain.
#[derive(Debug, Clone)]
struct Known {
    /// Of the directory, when it was looked up.
    version: u64,
    /// What the store had of active keys.
    stored: Arc<[StoredDkimKey]>,
    loaded: Arc<[LoadedKey]>,
}

/// Domains that are remembered, with or without keys; past it all are forgotten.
const DOMAINS_MAX: usize = 4096;

impl SigningKeys {
    /// The active keys of a domain, RSA first; none where the domain is not ours or has none that can be used.
    pub(crate) async fn of(&self, shared: &Shared, domain: &Domain) -> Result<Arc<[LoadedKey]>, StoreError> {
        // Read before anything is looked up: what changes meanwhile makes what was found too old.
        let version = shared.store.directory_version();
        let known = self.lock().get(domain).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.version == version) {
            return Ok(Arc::clone(&known.loaded));
        }
        let stored = active_keys(shared, domain).await?;
        // Most changes of the directory are none of the keys, and opening them costs more than a look-up.
        let now = match known.filter(|known| *known.stored == *stored) {
            Some(known) => Known { version, ..known },
            None => Known { version, loaded: load(&shared.secrets, &stored).into(), stored: stored.into() },
        };
        let loaded = Arc::clone(&now.loaded);
        let mut all = self.lock();
        if all.len() >= DOMAINS_MAX {
            all.clear();
        }
        all.insert(domain.clone(), now);
        Ok(loaded)
    }

    /// How many active keys of a domain could not be opened when they were looked up last.
    pub(crate) fn unusable(&self, domain: &Domain) -> usize {
        self.lock().get(domain).map_or(0, |known| known.stored.len() - known.loaded.len())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Domain, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// RSA first: some verifiers look at the first signature alone.
async fn active_keys(shared: &Shared, domain: &Domain) -> Result<Vec<StoredDkimKey>, StoreError> {
    let mut stored = shared.store.dkim_keys(domain).await?;
    stored.retain(|stored| stored.key.state == DkimKeyState::Active);
    if !stored.is_empty() && !is_ours(shared, domain).await? {
        stored.clear();
    }
    stored.sort_by_key(|stored| stored.key.algorithm);
    Ok(stored)
}

/// Whether mail of a domain may be signed here: the configuration may not name it any more.
async fn is_ours(shared: &Shared, domain: &Domain) -> Result<bool, StoreError> {
    let store: &dyn Store = shared.store.as_ref();
    Ok(!matches!(shared.config.recipients, Recipients::Domains(_))
        || shared.config.host_name == *domain
        || shared.directory.domain(store, domain).await?.is_some())
}

fn load(secrets: &Secrets, stored: &[StoredDkimKey]) -> Vec<LoadedKey> {
    let load = |stored: &StoredDkimKey| match making::open(secrets, stored) {
        Ok(key) => Some(LoadedKey { selector: stored.key.selector.clone(), key }),
        Err(why) => {
            let (domain, selector) = (stored.key.domain.ascii(), stored.key.selector.as_str());
            error!(domain, selector, %why, "mail is not signed with this key; {}", making::mend(&stored.key.domain));
            None
        }
    };
    stored.iter().filter_map(load).collect()
}
