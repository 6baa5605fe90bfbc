//! Which mailbox of an account a message goes into: what is asked of the store for it, and made there.

use mta::filing::{Filing, FilingPolicy, Folder, SubaddressHandling, SuspiciousHandling, Wish, place_of};
use store::{Account, AccountId, MailboxId, MailboxInfo, SpecialUse, StoreError};
use tracing::warn;
use types::Timestamp;

use crate::config::{Mailboxes, SubaddressFolder, Switch};
use crate::shared::Shared;

/// Where a message goes.
#[derive(Debug)]
pub(crate) struct Filed {
    pub(crate) mailbox: MailboxId,
    /// For the trace: `INBOX`, or `Lists, by the subaddress lists`.
    pub(crate) words: String,
}

/// What the operator has said.
pub(crate) const fn policy(config: &Mailboxes) -> FilingPolicy {
    FilingPolicy {
        subaddress: match config.subaddress {
            SubaddressFolder::Ignore => SubaddressHandling::Ignored,
            SubaddressFolder::Existing => SubaddressHandling::Existing,
            SubaddressFolder::Create => SubaddressHandling::Made,
        },
        suspicious: match config.junk {
            Switch::On => SuspiciousHandling::Junk,
            Switch::Off => SuspiciousHandling::AsOthers,
        },
    }
}

/// Where a message goes that wishes so. What cannot be made keeps no mail from coming: it goes into INBOX then.
///
/// # Errors
/// Where the store cannot be asked, or is full.
pub(crate) async fn file(
    shared: &Shared,
    account: &Account,
    wish: Option<Wish<'_>>,
    at: Timestamp,
) -> Result<Filed, StoreError> {
    let Some(wish) = wish else {
        return Ok(Filed { mailbox: account.inbox, words: "INBOX".to_owned() });
    };
    match found_or_made(shared, account.id, |mailboxes| wish.place(mailboxes), at).await? {
        Place::Mailbox { mailbox, name, why } => Ok(Filed { mailbox, words: format!("{name}, {why}") }),
        Place::Nowhere { why } => {
            Ok(Filed { mailbox: account.inbox, words: format!("INBOX, in spite of this: {why}") })
        }
        Place::Inbox { why } => Ok(Filed { mailbox: account.inbox, words: format!("INBOX, {why}") }),
    }
}

/// The mailbox of an account with a special use, which is made where there is none.
///
/// # Errors
/// Where it can be neither found nor made.
pub(crate) async fn mailbox_for(
    shared: &Shared,
    account: AccountId,
    special_use: SpecialUse,
    at: Timestamp,
) -> Result<MailboxId, StoreError> {
    match found_or_made(shared, account, |mailboxes| place_of(special_use, "", mailboxes), at).await? {
        Place::Mailbox { mailbox, .. } => Ok(mailbox),
        Place::Inbox { .. } => {
            Err(StoreError::Conflict(format!("the name {special_use} is taken by a mailbox of another use")))
        }
        Place::Nowhere { why } => Err(StoreError::Unavailable(why)),
    }
}

enum Place {
    Mailbox { mailbox: MailboxId, name: String, why: String },
    Inbox { why: String },
    Nowhere { why: String },
}

async fn found_or_made(
    shared: &Shared,
    account: AccountId,
    place: impl Fn(&[Folder<'_>]) -> Filing + Send,
    at: Timestamp,
) -> Result<Place, StoreError> {
    /// Another session may make it, or remove it, between two looks.
    const LOOKS_MAX: usize = 3;
    let mut conflict = String::new();
    for _ in 0..LOOKS_MAX {
        let mut mailboxes = shared.store.mailboxes(account).await?;
        let (name, special_use, why) = match place(&folders(&mailboxes)) {
            Filing::Inbox { why } => return Ok(Place::Inbox { why }),
            Filing::Existing { index, why } => {
                let MailboxInfo { id, name, .. } = mailboxes.swap_remove(index);
                return Ok(Place::Mailbox { mailbox: id, name, why });
            }
            Filing::Made { name, special_use, why } => (name, special_use, why),
        };
        match shared.store.create_mailbox(account, &name, special_use, at).await {
            Ok(made) => {
                let why = format!("{why}; made for it");
                return Ok(Place::Mailbox { mailbox: made.id, name: made.name, why });
            }
            Err(StoreError::Conflict(why)) => conflict = why,
            // Whoever sends could bring that about: it is in the trace, and no warning.
            Err(StoreError::Limit(limit)) => return Ok(Place::Nowhere { why: format!("{why}; {limit}") }),
            Err(error @ StoreError::Full(_)) => return Err(error),
            Err(error) => {
                warn!(%account, mailbox = %name, %error, "a mailbox could not be made");
                return Ok(Place::Nowhere { why: format!("{why}; {name} could not be made: {error}") });
            }
        }
    }
    Ok(Place::Nowhere { why: format!("it could be neither found nor made: {conflict}") })
}

fn folders(mailboxes: &[MailboxInfo]) -> Vec<Folder<'_>> {
    mailboxes.iter().map(|mailbox| Folder { name: &mailbox.name, special_use: mailbox.special_use }).collect()
}
