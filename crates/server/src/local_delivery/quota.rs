//! Quotas, looked at again when a held message comes to its recipients: who had room for it at RCPT may have none now.

use mta::admission::recipient::{MailboxState, OverQuota};
use mta::outcome::{Again, Diagnostic, Duplicate, Finding, Greylisting, Outcome, Reach};
use mta::resolve::Addressed;
use store::{QueueItem, StoreError};
use types::EnhancedStatus;

use crate::config::QuotaReply;
use crate::shared::Shared;

/// Those recipients of a held item whose mailboxes are full, by their index. The postmaster's is never (RFC 5321
/// §4.5.1).
pub(crate) async fn over_quota(shared: &Shared, item: &QueueItem) -> Result<Vec<usize>, StoreError> {
    let mut full = Vec::new();
    for (index, queued) in item.state.recipients.iter().enumerate() {
        let route = shared.directory.route(&*shared.store, &queued.recipient.forward_path).await?;
        if route.addressed == Addressed::Role {
            continue;
        }
        let mut states = Vec::new();
        for account in route.accounts().filter(|account| account.settings.quota_bytes.is_some()) {
            let used_bytes = shared.store.account_usage(account.id).await?.size_bytes;
            states.push(MailboxState::of(&account.settings, used_bytes, Some(item.size_bytes)));
        }
        // Whoever has no quota has room for all that it leads to.
        let are_all_limited = states.len() == route.targets.len();
        if are_all_limited && MailboxState::of_all(states) == MailboxState::Full {
            full.push(index);
        }
    }
    Ok(full)
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
