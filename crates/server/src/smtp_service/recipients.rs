//! The facts about a recipient.

use mta::admission::{Admission, DomainStanding, MailboxStanding, RecipientFacts, recipient};
use store::{Account, StoreError};
use types::{ForwardPath, Host};

use super::Route;
use crate::account_name;
use crate::config::Recipients;
use crate::shared::Shared;

/// Looks the recipient up and has it decided about.
pub(super) async fn admit(shared: &Shared, forward_path: &ForwardPath) -> (Admission, Option<Route>) {
    let domain = domain_standing(shared, forward_path);
    let account = match domain {
        DomainStanding::Local => account(shared, forward_path).await,
        DomainStanding::Foreign => Ok(None),
    };
    let mailbox = match &account {
        Ok(Some(_)) => MailboxStanding::Exists,
        Ok(None) => MailboxStanding::Missing,
        Err(_) => MailboxStanding::Unknown,
    };
    let route = account.ok().flatten().map(|account| Route { mailbox: account.inbox });
    (recipient(forward_path, RecipientFacts { domain, mailbox }), route)
}

fn domain_standing(shared: &Shared, forward_path: &ForwardPath) -> DomainStanding {
    let (Recipients::Domains(domains), ForwardPath::Mailbox(mailbox)) =
        (&shared.config.recipients, forward_path)
    else {
        return DomainStanding::Local;
    };
    match &mailbox.host {
        Host::Domain(domain) if domains.contains(domain) => DomainStanding::Local,
        _ => DomainStanding::Foreign,
    }
}

async fn account(shared: &Shared, forward_path: &ForwardPath) -> Result<Option<Account>, StoreError> {
    if let ForwardPath::Mailbox(mailbox) = forward_path
        && let Some(account) = shared.store.account(&account_name::of(mailbox)).await?
    {
        return Ok(Some(account));
    }
    let is_postmaster = forward_path
        .mailbox()
        .is_none_or(|mailbox| mailbox.local_part.unquoted().eq_ignore_ascii_case("postmaster"));
    match shared.config.recipients {
        // RFC 5321 §4.5.1: mail for the postmaster is always taken.
        Recipients::Domains(_) if is_postmaster => first_account(shared).await.map(Some),
        Recipients::Domains(_) => Ok(None),
        Recipients::CatchAll => first_account(shared).await.map(Some),
    }
}

/// The account that was made first: it stands in for the postmaster, and in dev mode for everybody.
async fn first_account(shared: &Shared) -> Result<Account, StoreError> {
    let first = shared.catch_all.get_or_try_init(|| async {
        let accounts = shared.store.accounts().await?;
        accounts
            .into_iter()
            .next()
            .ok_or_else(|| StoreError::Unavailable("there is no account yet".to_owned()))
    });
    first.await.cloned()
}
