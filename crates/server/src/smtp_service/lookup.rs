//! VRFY and EXPN: what is known of an address.

use mta::admission::recipient::NewAddresses;
use mta::admission::verify::{Asked, Known, Query, VerifyFacts, VerifyPolicy, decide, is_told, query};
use mta::admission::{Client, Decision};
use mta::resolve::Addressed;
use store::StoreError;
use types::directory::{AccountStatus, AddressEntry, AddressKind, key};
use types::{ForwardPath, Host, Mailbox};

use crate::config::Verify;
use crate::shared::Shared;

/// Looks up what the argument names and has it decided about.
pub(super) async fn answer(shared: &Shared, client: Client<'_>, asked: Asked, argument: &str) -> Decision {
    let (query, smtputf8) = query(argument);
    let policy = match shared.config.policy.verify {
        Verify::Nobody => VerifyPolicy::Nobody,
        Verify::Authenticated => VerifyPolicy::AuthenticatedOrTrusted,
        Verify::Everybody => VerifyPolicy::Everybody,
    };
    let found = match &query {
        // Who is told nothing costs nothing, and cannot tell by the time that it takes.
        _ if !is_told(policy, &client) => Ok(Found::Unavailable),
        None => Ok(Found::Missing),
        Some(Query::Mailbox(mailbox)) => address(shared, mailbox).await,
        Some(Query::Name(name)) => named(shared, name).await,
    };
    let found = found.unwrap_or(Found::Unavailable);
    decide(&VerifyFacts {
        asked,
        policy,
        new_addresses: NewAddresses::Told,
        client,
        smtputf8,
        known: found.known(),
    })
}

/// Domains that a name without one is looked for in.
const DOMAINS_MAX: usize = 100;

/// What the directory has, owned.
enum Found {
    Unavailable,
    Missing,
    Foreign,
    Mailbox(Mailbox),
    Disabled(Mailbox),
    Entry(AddressEntry),
    Several(Vec<Mailbox>),
}

impl Found {
    fn known(&self) -> Known<'_> {
        match self {
            Self::Unavailable => Known::Unavailable,
            Self::Missing => Known::Missing,
            Self::Foreign => Known::Foreign,
            Self::Mailbox(mailbox) => Known::Mailbox(mailbox),
            Self::Disabled(mailbox) => Known::Disabled(mailbox),
            Self::Entry(AddressEntry { address, kind }) => match kind {
                AddressKind::Alias { targets } => Known::Alias(address, targets),
                AddressKind::List(list) => Known::List(address, list),
                AddressKind::Moved { to, handling } => Known::Moved(to, *handling),
            },
            Self::Several(mailboxes) => Known::Ambiguous(mailboxes),
        }
    }
}

async fn address(shared: &Shared, mailbox: &Mailbox) -> Result<Found, StoreError> {
    if let Some(account) = shared.store.account(&key(mailbox)).await? {
        let mailbox = mailbox.clone();
        return Ok(match account.settings.status {
            AccountStatus::Active => Found::Mailbox(mailbox),
            AccountStatus::Disabled { .. } => Found::Disabled(mailbox),
        });
    }
    if let Some(entry) = shared.store.address(mailbox).await? {
        return Ok(Found::Entry(entry));
    }
    let route = shared.directory.route(&*shared.store, &ForwardPath::Mailbox(mailbox.clone())).await?;
    Ok(match route.addressed {
        Addressed::Foreign => Found::Foreign,
        Addressed::Missing | Addressed::WayBack { problem: Some(_) } => Found::Missing,
        _ => Found::Mailbox(mailbox.clone()),
    })
}

/// A name without a domain may be that of somebody in each of ours.
async fn named(shared: &Shared, name: &str) -> Result<Found, StoreError> {
    let Ok(local_part) = name.parse::<types::LocalPart>() else { return Ok(Found::Missing) };
    let mut found = Vec::new();
    let domains = shared.directory.domains(&*shared.store).await?;
    let is_all = domains.len() <= DOMAINS_MAX;
    for domain in domains.into_iter().take(DOMAINS_MAX) {
        let mailbox = Mailbox { local_part: local_part.clone(), host: Host::Domain(domain) };
        let is_account = shared.store.account(&key(&mailbox)).await?.is_some();
        if is_account || shared.store.address(&mailbox).await?.is_some() {
            found.push(mailbox);
        }
    }
    match found.len() {
        0 if is_all => Ok(Found::Missing),
        0 => Ok(Found::Unavailable),
        1 => address(shared, &found.swap_remove(0)).await,
        _ => Ok(Found::Several(found)),
    }
}
