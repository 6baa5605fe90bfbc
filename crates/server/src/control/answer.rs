//! The one implementation of the requests.

use std::time::SystemTime;

use store::{Account, AccountChange, Credentials, Flags, MailboxInfo, MessageEntry, NewAccount, Store, Uid};
use types::{Mailbox, Timestamp};

use super::ControlTarget;
use super::protocol::{
    AccountSummary, ControlError, ErrorKind, MESSAGES_MAX, MailboxSummary, MessageSummary, Request, Response,
};
use crate::account_name;
use crate::passwords::{self, PasswordError};

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
        Request::Accounts => accounts(store).await?,
        Request::AccountAdd { name, password } => add_account(store, name, password).await?,
        Request::AccountSetPassword { name, password } => set_password(store, &name, password).await?,
        Request::Mailboxes { account } => mailboxes(store, account.as_deref()).await?,
        Request::Messages { account, mailbox, after, limit } => {
            let mailbox = find_mailbox(store, account.as_deref(), &mailbox).await?;
            let entries = store.messages(mailbox.id, after.map(Uid), limit.min(MESSAGES_MAX)).await?;
            Response::Messages(entries.iter().map(message_summary).collect())
        }
        Request::Open { account, mailbox, uid, bytes_max } => {
            let mailbox = find_mailbox(store, account.as_deref(), &mailbox).await?;
            let stream = store.open(mailbox.id, Uid(uid)).await?;
            return Ok(Answer::Content { stream, bytes_max: bytes_max.unwrap_or(u64::MAX) });
        }
        Request::Expunge { account, mailbox, uids } => {
            let mailbox = find_mailbox(store, account.as_deref(), &mailbox).await?;
            let uids: Vec<_> = uids.into_iter().map(Uid).collect();
            let removed = store.expunge(mailbox.id, &uids).await?;
            Response::Expunged(removed.into_iter().map(|uid| uid.0).collect())
        }
        Request::Trace { id, address, since_ms, limit } => {
            let stream = super::trace::answer(store, id.as_deref(), address, since_ms, limit).await?;
            return Ok(Answer::Content { stream, bytes_max: u64::MAX });
        }
        Request::StoreCheck => Response::StoreCheck(target.check().await?),
        Request::StoreStats => Response::StoreStats(target.stats().await?),
    };
    Ok(Answer::Response(response))
}

fn not_running() -> ControlError {
    ControlError::new(ErrorKind::Unavailable, "no server runs on this data folder")
}

async fn accounts(store: &dyn Store) -> Result<Response, ControlError> {
    let mut summaries = Vec::new();
    for account in store.accounts().await? {
        let mailboxes = store.mailboxes(account.id).await?;
        summaries.push(AccountSummary {
            has_password: account.credentials.has_password(),
            messages: mailboxes.iter().map(|mailbox| mailbox.messages).sum(),
            size_bytes: mailboxes.iter().map(|mailbox| mailbox.size_bytes).sum(),
            name: account.name,
        });
    }
    Ok(Response::Accounts(summaries))
}

async fn add_account(store: &dyn Store, name: String, password: String) -> Result<Response, ControlError> {
    let name = match name.parse::<Mailbox>() {
        Ok(mailbox) => account_name::of(&mailbox),
        Err(error) => {
            let text = format!("{name:?} is no address for an account: {error}");
            return Err(ControlError::new(ErrorKind::BadValue, text));
        }
    };
    let credentials = Credentials { argon2id: hash(password).await?, ..Credentials::default() };
    let created_at = Timestamp::from_millis(now_millis());
    let new = NewAccount { credentials, ..NewAccount::new(name.clone(), created_at) };
    match store.create_account(new).await {
        Ok(_) => Ok(Response::Done),
        Err(store::StoreError::Conflict(_)) => {
            Err(ControlError::new(ErrorKind::Conflict, format!("there is an account {name} already")))
        }
        Err(error) => Err(error.into()),
    }
}

async fn set_password(store: &dyn Store, name: &str, password: String) -> Result<Response, ControlError> {
    let account = find_account(store, Some(name)).await?;
    let change = AccountChange::Credentials {
        argon2id: hash(password).await?,
        scram_sha_256: None,
        scram_sha_1: None,
        shared_secret: None,
    };
    store.change_account(account.id, change).await?;
    Ok(Response::Done)
}

async fn mailboxes(store: &dyn Store, account: Option<&str>) -> Result<Response, ControlError> {
    let account = find_account(store, account).await?;
    let mailboxes = store.mailboxes(account.id).await?;
    Ok(Response::Mailboxes(mailboxes.into_iter().map(mailbox_summary).collect()))
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
    let is_inbox = name.eq_ignore_ascii_case("INBOX");
    let mut mailboxes = store.mailboxes(account.id).await?;
    let found = mailboxes
        .iter()
        .position(|mailbox| if is_inbox { mailbox.id == account.inbox } else { mailbox.name == name });
    match found {
        Some(index) => Ok(mailboxes.swap_remove(index)),
        None => {
            let text = format!("{} has no mailbox {name}", account.name);
            Err(ControlError::new(ErrorKind::NoSuchMailbox, text))
        }
    }
}

/// On a thread that no session waits for.
async fn hash(password: String) -> Result<String, ControlError> {
    let hashed = tokio::task::spawn_blocking(move || passwords::hash(&password)).await;
    hashed.unwrap_or_else(|error| Err(PasswordError::System(error.to_string()))).map_err(|error| {
        let kind = match error {
            PasswordError::System(_) => ErrorKind::Unavailable,
            _ => ErrorKind::BadValue,
        };
        ControlError::new(kind, error.to_string())
    })
}

fn now_millis() -> u64 {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX)
}

fn mailbox_summary(mailbox: MailboxInfo) -> MailboxSummary {
    MailboxSummary {
        name: mailbox.name,
        uid_validity: mailbox.uid_validity.0,
        uid_next: mailbox.uid_next.0,
        messages: mailbox.messages,
        size_bytes: mailbox.size_bytes,
    }
}

fn message_summary(entry: &MessageEntry) -> MessageSummary {
    let names = [
        (Flags::SEEN, "\\Seen"),
        (Flags::ANSWERED, "\\Answered"),
        (Flags::FLAGGED, "\\Flagged"),
        (Flags::DELETED, "\\Deleted"),
        (Flags::DRAFT, "\\Draft"),
    ];
    let flags = names.iter().filter(|(flag, _)| entry.flags.contains(*flag));
    MessageSummary {
        uid: entry.uid.0,
        mail_id: entry.mail_id.to_string(),
        delivered_at: entry.internal_date.to_string(),
        size_bytes: entry.size_bytes,
        flags: flags.map(|(_, name)| (*name).to_owned()).collect(),
    }
}
