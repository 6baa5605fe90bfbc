//! Mailboxes are made, renamed and removed; messages copied, moved and restored.

use std::collections::BTreeSet;

use imap::command::MailboxName;
use store::{Account, BodyStream, Expunged, MailboxId, MailboxInfo, Store, StoreError, Transfer, Uid};

use super::names::bad;
use super::{find_account, find_mailbox, summaries};
use crate::control::ControlTarget;
use crate::control::protocol::{
    ControlError, ErrorKind, ExpungedSummary, MESSAGES_MAX, MailboxRequest, MailboxResponse, TransferMode,
};
use crate::outside::now;
use crate::quotas::{Quota, Room};

pub(super) async fn answer(
    target: &dyn ControlTarget,
    request: MailboxRequest,
) -> Result<MailboxResponse, ControlError> {
    let store = target.store().as_ref();
    match request {
        MailboxRequest::Create { account, name, special_use } => {
            let account = find_account(store, account.as_deref()).await?;
            let name = usable(&name)?;
            let made = store.create_mailbox(account.id, &name, special_use, now()).await;
            let made = made.map_err(|error| taken(error, &account))?;
            Ok(MailboxResponse::Mailbox(summaries::mailbox(made)))
        }
        MailboxRequest::Rename { account, from, to } => {
            let account = find_account(store, account.as_deref()).await?;
            let MailboxInfo { name: from, .. } = find_mailbox(store, Some(&account.name), &from).await?;
            let to = usable(&to)?;
            let renamed = store.rename_mailbox(account.id, &from, &to, now()).await;
            renamed.map_err(|error| taken(error, &account))?;
            Ok(MailboxResponse::Done)
        }
        MailboxRequest::Delete { account, name } => {
            let mailbox = find_mailbox(store, account.as_deref(), &name).await?;
            if mailbox.name == "INBOX" {
                return Err(bad("INBOX is always there; `posta mailbox remove` removes its messages"));
            }
            store.delete_mailbox(mailbox.id, &mailbox.name, now()).await?;
            Ok(MailboxResponse::Done)
        }
        MailboxRequest::Transfer { account, from, uids, to, how } => {
            let account = find_account(store, account.as_deref()).await?;
            let from = find_mailbox(store, Some(&account.name), &from).await?;
            let to = find_mailbox(store, Some(&account.name), &to).await?;
            let uids: Vec<_> = uids.into_iter().map(Uid).collect();
            let (how, _room) = match how {
                TransferMode::Move => (Transfer::Move, None),
                TransferMode::Copy => {
                    let size_bytes = size_of(store, from.id, &uids).await?;
                    (Transfer::Copy, room(target, &account, size_bytes).await?)
                }
            };
            let done = store.transfer(from.id, &uids, to.id, how, now()).await?;
            Ok(MailboxResponse::Transferred(done.uids.into_iter().map(|(from, to)| (from.0, to.0)).collect()))
        }
        MailboxRequest::Expunged { account, after } => {
            let account = find_account(store, account.as_deref()).await?;
            let after = after.as_deref().map(of_id).transpose()?;
            Ok(MailboxResponse::Expunged(page(&store.expunged(account.id).await?, after)))
        }
        MailboxRequest::Restore { account, messages } => {
            let account = find_account(store, account.as_deref()).await?;
            let messages = messages.iter().map(|id| of_id(id)).collect::<Result<Vec<_>, _>>()?;
            let is_asked = |one: &Expunged| messages.contains(&(one.kept_in, one.message.uid));
            let kept = store.expunged(account.id).await?;
            let size_bytes = kept.iter().filter(|one| is_asked(one)).map(|one| one.message.size_bytes);
            let _room = room(target, &account, size_bytes.sum()).await?;
            Ok(MailboxResponse::Restored(store.restore(account.id, &messages, now()).await?))
        }
    }
}

/// Room within the account's quota, until it is dropped; none where there is no quota.
async fn room(
    target: &dyn ControlTarget,
    account: &Account,
    size_bytes: u64,
) -> Result<Option<Room>, ControlError> {
    let Some(limit_bytes) = account.settings.quota_bytes.filter(|_| size_bytes > 0) else { return Ok(None) };
    let quota = Quota { account: account.id, limit_bytes };
    match target.quotas().room(target.store().as_ref(), quota, size_bytes).await? {
        Some(room) => Ok(Some(room)),
        None => {
            let text = format!(
                "{size_bytes} octets more do not fit into the quota of {limit_bytes} of {}; \
                 `posta account set NAME --quota SIZE` changes it",
                account.name
            );
            Err(ControlError::new(ErrorKind::Full, text))
        }
    }
}

/// Octets of messages of a mailbox.
async fn size_of(store: &dyn Store, mailbox: MailboxId, uids: &[Uid]) -> Result<u64, StoreError> {
    let mut size_bytes = 0;
    for uid in uids.iter().collect::<BTreeSet<_>>() {
        let entries = store.messages(mailbox, Some(Uid(uid.0.saturating_sub(1))), 1).await?;
        let found = entries.first().filter(|entry| entry.uid == *uid);
        size_bytes += found.map_or(0, |entry| entry.size_bytes);
    }
    Ok(size_bytes)
}

/// Opens the content of a message that was expunged, of an account alone.
pub(super) async fn open_expunged(
    store: &dyn Store,
    account: Option<&str>,
    id: &str,
) -> Result<Box<dyn BodyStream>, ControlError> {
    let account = find_account(store, account).await?;
    let (kept_in, uid) = of_id(id)?;
    let is_it = |expunged: &Expunged| (expunged.kept_in, expunged.message.uid) == (kept_in, uid);
    if !store.expunged(account.id).await?.iter().any(is_it) {
        return Err(StoreError::NoSuchMessage.into());
    }
    Ok(store.open(kept_in, uid).await?)
}

fn page(expunged: &[Expunged], after: Option<(MailboxId, Uid)>) -> Vec<ExpungedSummary> {
    let begin = after.and_then(|after| {
        expunged.iter().position(|one| (one.kept_in, one.message.uid) == after).map(|at| at + 1)
    });
    // Where the last one of the page before is gone, what follows is not known: the rest is not told twice.
    let begin = if after.is_some() { begin.unwrap_or(expunged.len()) } else { 0 };
    let summary = |one: &Expunged| ExpungedSummary {
        id: format!("{}.{}", one.kept_in, one.message.uid),
        mailbox: one.mailbox_name.clone(),
        expunged_at: one.message.saved_at.to_string(),
        message: summaries::message(&one.message),
    };
    expunged[begin..].iter().take(MESSAGES_MAX).map(summary).collect()
}

fn of_id(id: &str) -> Result<(MailboxId, Uid), ControlError> {
    let numbers =
        id.split_once('.').and_then(|(kept_in, uid)| Some((kept_in.parse().ok()?, uid.parse().ok()?)));
    numbers.map(|(kept_in, uid)| (MailboxId(kept_in), Uid(uid))).ok_or_else(|| {
        bad(format!("{id:?} is not of the form 12.34; `posta mailbox restore` lists what there is"))
    })
}

/// A name that a mailbox may have.
fn usable(name: &str) -> Result<String, ControlError> {
    let name = MailboxName::canonical(name.to_owned());
    name.check().map_err(|error| bad(format!("the name {:?} {error}", name.0)))?;
    Ok(name.0)
}

fn taken(error: StoreError, account: &Account) -> ControlError {
    match error {
        StoreError::Conflict(why) | StoreError::Limit(why) => {
            ControlError::new(ErrorKind::Conflict, format!("{}: {why}", account.name))
        }
        error => error.into(),
    }
}
