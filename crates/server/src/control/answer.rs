//! The one implementation of the requests.

mod accounts;
mod addresses;
mod directory;
mod dkim;
mod domains;
mod facts;
mod lists;
mod mailboxes;
mod names;
mod search;
mod summaries;

pub(crate) use directory::changing;
use imap::command::MailboxName;
use store::{Account, MailboxInfo, Store, Uid};

use super::ControlTarget;
use super::protocol::{ControlError, ErrorKind, MESSAGES_MAX, Request, Response};
use crate::account_name;

/// What became of a request.
pub enum Answer {
    /// This is all.
    Response(Response),
    /// The content of a message follows.
    Content {
        /// From its first octet.
        stream: Box<dyn store::BodyStream>,
        /// Stop after about so many octets.
        bytes_max: u64,
    },
}

/// Does what a request asks.
///
/// # Errors
/// [`ControlError`]; nothing was changed then.
pub async fn answer(target: &dyn ControlTarget, request: Request) -> Result<Answer, ControlError> {
    let store = target.store().as_ref();
    let response = match request {
        Request::Status => Response::Status(target.status().ok_or_else(not_running)?),
        Request::NodeFacts => Response::NodeFacts(target.node_facts().ok_or_else(not_running)?),
        Request::Accounts { after } => Response::Accounts(accounts::list(store, after.as_deref()).await?),
        Request::Directory(request) => Response::Directory(directory::answer(target, request).await?),
        Request::Queue(request) => Response::Queue(super::queue::answer(target, request).await?),
        Request::QueueOpen { id, bytes_max } => {
            let stream = super::queue::open(target.queue(), &id).await?;
            return Ok(Answer::Content { stream, bytes_max: bytes_max.unwrap_or(u64::MAX) });
        }
        Request::Mailboxes { account } => all_mailboxes(store, account.as_deref()).await?,
        Request::Mailbox(request) => Response::Mailbox(mailboxes::answer(target, request).await?),
        Request::OpenExpunged { account, id, bytes_max } => {
            let stream = mailboxes::open_expunged(store, account.as_deref(), &id).await?;
            return Ok(Answer::Content { stream, bytes_max: bytes_max.unwrap_or(u64::MAX) });
        }
        Request::Search(request) => Response::Found(search::answer(target.store(), request).await?),
        Request::Messages { account, mailbox, after, limit } => {
            let mailbox = find_mailbox(store, account.as_deref(), &mailbox).await?;
            let entries = store.messages(mailbox.id, after.map(Uid), limit.min(MESSAGES_MAX)).await?;
            Response::Messages(entries.iter().map(summaries::message).collect())
        }
        Request::Open { account, mailbox, uid, bytes_max } => {
            let mailbox = find_mailbox(store, account.as_deref(), &mailbox).await?;
            let stream = store.open(mailbox.id, Uid(uid)).await?;
            return Ok(Answer::Content { stream, bytes_max: bytes_max.unwrap_or(u64::MAX) });
        }
        Request::Expunge { account, mailbox, uids } => {
            let mailbox = find_mailbox(store, account.as_deref(), &mailbox).await?;
            let uids: Vec<_> = uids.into_iter().map(Uid).collect();
            let removed = store.expunge(mailbox.id, &uids, crate::outside::now()).await?;
            Response::Expunged(removed.into_iter().map(|uid| uid.0).collect())
        }
        Request::Trace { id, address, since_ms, limit } => {
            let stream = super::trace::answer(store, id.as_deref(), address, since_ms, limit).await?;
            return Ok(Answer::Content { stream, bytes_max: u64::MAX });
        }
        Request::Greylist(request) => Response::Greylist(target.greylist(&request).ok_or_else(not_running)?),
        Request::StoreCheck => Response::StoreCheck(target.check().await?),
        Request::StoreStats => Response::StoreStats(target.stats().await?),
    };
    Ok(Answer::Response(response))
}

fn not_running() -> ControlError {
    ControlError::new(ErrorKind::Unavailable, "no server runs on this data folder")
}

async fn all_mailboxes(store: &dyn Store, account: Option<&str>) -> Result<Response, ControlError> {
    let account = find_account(store, account).await?;
    let mailboxes = store.mailboxes(account.id).await?;
    Ok(Response::Mailboxes(mailboxes.into_iter().map(summaries::mailbox).collect()))
}

async fn find_account(store: &dyn Store, name: Option<&str>) -> Result<Account, ControlError> {
    let account = match name {
        Some(name) => store.account(&account_name::meant_by(name)).await?,
        None => store.accounts().await?.into_iter().next(),
    };
    account.ok_or_else(|| {
        let text = match name {
            Some(name) => format!("there is no account {name}; `posta account list` shows those that are"),
            None => "there is no account yet; `posta account add NAME` makes one".to_owned(),
        };
        ControlError::new(ErrorKind::NoSuchAccount, text)
    })
}

/// INBOX is the same in any case of letters (RFC 9051 §5.1).
async fn find_mailbox(
    store: &dyn Store,
    account: Option<&str>,
    name: &str,
) -> Result<MailboxInfo, ControlError> {
    let account = find_account(store, account).await?;
    let MailboxName(name) = MailboxName::canonical(name.to_owned());
    let mut mailboxes = store.mailboxes(account.id).await?;
    let found = mailboxes.iter().position(|mailbox| mailbox.name == name);
    match found {
        Some(index) => Ok(mailboxes.swap_remove(index)),
        None => {
            let text = format!("{} has no mailbox {name}", account.name);
            Err(ControlError::new(ErrorKind::NoSuchMailbox, text))
        }
    }
}
