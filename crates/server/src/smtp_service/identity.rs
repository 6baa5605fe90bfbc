//! Who is at the other end, as far as it matters for what is allowed.

use std::sync::Arc;

use mta::admission::{Client, Rights};
use store::{Account, StoreError};
use types::Host;
use types::Mailbox;

use crate::shared::{Peer, Shared};

/// An account that was logged in to, by AUTH or, as a trusted proxy says, at the proxy.
#[derive(Debug)]
pub(super) struct Identity {
    account: Arc<Account>,
    /// Of the account's domain.
    subaddress_separator: Option<char>,
    /// Of the directory, when the account was read.
    version: u64,
}

impl Identity {
    /// Reads what its rights depend on.
    pub(super) async fn of(shared: &Shared, account: Account) -> Result<Self, StoreError> {
        let version = shared.store.directory_version();
        let domain = match account.name.parse::<Mailbox>() {
            Ok(Mailbox { host: Host::Domain(domain), .. }) => Some(domain),
            _ => None,
        };
        let entry = match &domain {
            Some(domain) => shared.directory.domain(&*shared.store, domain).await?,
            None => None,
        };
        let subaddress_separator = match entry {
            Some(entry) => entry.subaddress_separator,
            // Nobody made the domain: it is as one that was just made.
            None => Some('+'),
        };
        Ok(Self { account: Arc::new(account), subaddress_separator, version })
    }

    /// Reads the account again where something in the directory has changed; `None` where it is gone.
    pub(super) async fn refreshed(self, shared: &Shared) -> Result<Option<Self>, StoreError> {
        if self.version == shared.store.directory_version() {
            return Ok(Some(self));
        }
        match shared.store.account(&self.account.name).await? {
            Some(account) if account.id == self.account.id => Self::of(shared, account).await.map(Some),
            _ => Ok(None),
        }
    }

    pub(super) fn account(&self) -> &Account {
        &self.account
    }

    pub(super) fn rights(&self) -> Rights<'_> {
        Rights {
            account: &self.account.name,
            settings: &self.account.settings,
            subaddress_separator: self.subaddress_separator,
        }
    }
}

/// What the client is.
pub(super) fn standing<'a>(shared: &Shared, peer: &Peer, identity: Option<&'a Identity>) -> Client<'a> {
    match identity {
        Some(identity) => Client::Authenticated(identity.rights()),
        None if peer.is_in(&shared.config.policy.trusted_networks) => Client::TrustedNetwork,
        None => Client::Stranger,
    }
}
