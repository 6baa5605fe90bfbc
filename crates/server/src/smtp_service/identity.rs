//! Who is at the other end, as far as it matters for what is allowed.

use mta::admission::{Client, Rights};
use store::{Account, Credentials, StoreError};
use types::Host;
use types::Mailbox;

use crate::auth::Grounds;
use crate::shared::{Peer, Shared};

/// An account that was logged in to, by AUTH or, as a trusted proxy says, at the proxy.
#[derive(Debug)]
pub(super) struct Identity {
    /// Without its credentials: they are of no more use.
    account: Account,
    /// Of the account's domain.
    subaddress_separator: Option<char>,
    /// The login ends with these.
    grounds: Grounds,
    /// Of the directory, before the account was read; none where nobody knows, since a login takes its time.
    version: Option<u64>,
}

/// Whether a login still holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LoginState {
    Holds,
    AccountGone,
    /// It was by an app password.
    PasswordRevoked,
}

impl Identity {
    /// Reads what its rights depend on.
    pub(super) async fn of(
        shared: &Shared,
        account: Account,
        grounds: Grounds,
        version: Option<u64>,
    ) -> Result<Self, StoreError> {
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
        let account = Account { credentials: Credentials::default(), ..account };
        Ok(Self { account, subaddress_separator, grounds, version })
    }

    /// Reads the account again where something in the directory has changed. What is gone is so whenever it is asked again.
    pub(super) async fn refresh(&mut self, shared: &Shared) -> Result<LoginState, StoreError> {
        let version = Some(shared.store.directory_version());
        if self.version == version {
            return Ok(LoginState::Holds);
        }
        match shared.store.account(&self.account.name).await? {
            Some(account) if account.id != self.account.id => Ok(LoginState::AccountGone),
            Some(account) if !self.grounds.hold(&account) => Ok(LoginState::PasswordRevoked),
            Some(account) => {
                *self = Self::of(shared, account, self.grounds.clone(), version).await?;
                Ok(LoginState::Holds)
            }
            None => Ok(LoginState::AccountGone),
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
