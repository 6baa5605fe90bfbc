//! Quotas, looked at again when a message comes to its recipients: who had room for it at RCPT may have none now.

use std::collections::BTreeMap;

use mta::admission::recipient::OverQuota;
use mta::outcome::{Again, Diagnostic, Duplicate, Finding, Greylisting, Outcome, Reach};
use mta::resolve::Addressed;
use store::{Account, AccountId, QueueItem, StoreError};
use types::EnhancedStatus;
use types::directory::AccountStatus;

use crate::config::QuotaReply;
use crate::directory::Route;
use crate::quotas::{Quota, Room};
use crate::shared::Shared;

/// Room for one message in the accounts that its recipients lead to, until it is stored: what comes beside it sees it.
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    rooms: Vec<Room>,
    /// Accounts that have none.
    without: Vec<AccountId>,
}

impl Rooms {
    /// In all accounts with a quota.
    ///
    /// # Errors
    /// Where the store does not say how much is in an account.
    pub(crate) async fn take(shared: &Shared, limits: Limits, size_bytes: u64) -> Result<Self, StoreError> {
        let mut taken = Self::default();
        for (account, limit_bytes) in limits.0 {
            let quota = Quota { account, limit_bytes };
            match shared.quotas.room(&*shared.store, quota, size_bytes).await? {
                Some(room) => taken.rooms.push(room),
                None => taken.without.push(account),
            }
        }
        Ok(taken)
    }

    /// Whether there is no room in any mailbox that a recipient leads to. Where there is in one, the full ones get their copy
    /// too, as at RCPT.
    pub(crate) fn is_full(&self, route: &Route) -> bool {
        let is_closed =
            |account: &Account| self.without(account) || account.settings.status != AccountStatus::Active;
        let mut accounts = route.accounts();
        // Whoever has no quota has room for all that it leads to.
        route.addressed != Addressed::Role
            && route.accounts().count() == route.targets.len()
            && accounts.all(|account| is_closed(account))
            && route.accounts().any(|account| self.without(account))
    }

    fn without(&self, account: &Account) -> bool {
        self.without.contains(&account.id)
    }
}

/// The quotas of accounts, each once and in order.
pub(crate) struct Limits(BTreeMap<AccountId, u64>);

impl Limits {
    /// Of those to whom a quota matters: the postmaster is always reached (RFC 5321 §4.5.1).
    pub(crate) fn of<'r>(routes: impl Iterator<Item = &'r Route>) -> Self {
        let accounts = routes.filter(|route| route.addressed != Addressed::Role).flat_map(Route::accounts);
        Self(accounts.filter_map(|account| Some((account.id, account.settings.quota_bytes?))).collect())
    }
}

/// Room for a held item, and those of its recipients for whom there is none, by their index.
pub(crate) async fn rooms_of_held(
    shared: &Shared,
    item: &QueueItem,
) -> Result<(Rooms, Vec<usize>), StoreError> {
    let mut routes = Vec::new();
    for queued in &item.state.recipients {
        routes.push(shared.directory.route(&*shared.store, &queued.recipient.forward_path).await?);
    }
    let limits = Limits::of(routes.iter().map(|route| &**route));
    let rooms = Rooms::take(shared, limits, item.size_bytes).await?;
    let full = routes.iter().enumerate().filter(|(_, route)| rooms.is_full(route));
    let full = full.map(|(index, _)| index).collect();
    Ok((rooms, full))
}

/// What a full mailbox means for a message that waited, by the same word of the operator as at RCPT.
pub(crate) fn over_quota_outcome(shared: &Shared) -> Outcome {
    let text = "the mailbox is full";
    let diagnostic = Diagnostic::Local(text.to_owned());
    match over_quota_policy(shared) {
        OverQuota::Defer => Outcome::Deferred {
            finding: Finding { status: EnhancedStatus::transient(2, 2), diagnostic },
            again: Again::Later { hint: None, greylisting: Greylisting::Unnamed },
            duplicate: Duplicate::Impossible,
        },
        OverQuota::Refuse => Outcome::Failed {
            finding: Finding { status: EnhancedStatus::permanent(2, 2), diagnostic },
            reach: Reach::Final,
        },
    }
}

/// What the operator has said of full mailboxes.
pub(crate) fn over_quota_policy(shared: &Shared) -> OverQuota {
    match shared.config.policy.quota_reply {
        QuotaReply::Temporary => OverQuota::Defer,
        QuotaReply::Permanent => OverQuota::Refuse,
    }
}
