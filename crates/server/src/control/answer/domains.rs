//! Domains: whose mail is taken.

use std::collections::HashMap;

use store::{Put, Store, StoreError};
use types::Domain;
use types::directory::{AddressKind, DomainEntry};

use super::directory::{PageSize, changed};
use super::facts::{Change, Facts};
use super::{dkim, names};
use crate::control::ControlTarget;
use crate::control::protocol::{
    ControlError, DirectoryResponse, DomainChange, DomainSummary, ErrorKind, PutMode, WhileUsed,
};

pub(super) async fn list(
    store: &dyn Store,
    after: Option<String>,
) -> Result<DirectoryResponse, ControlError> {
    let after = after.map(|after| names::domain(&after)).transpose()?;
    let mut domains = store.domains().await?;
    domains.sort_by(|a, b| a.domain.ascii().cmp(b.domain.ascii()));
    let mut residents = Residents::count(store).await?;
    let mut size = PageSize::default();
    let page = domains
        .into_iter()
        .filter(|entry| after.as_ref().is_none_or(|after| entry.domain.ascii() > after.ascii()))
        .map(|entry| residents.summary(entry))
        .take_while(|summary| size.has_room_for(summary));
    Ok(DirectoryResponse::Domains(page.collect()))
}

pub(super) async fn show(store: &dyn Store, domain: &str) -> Result<DirectoryResponse, ControlError> {
    let entry = find(store, &names::domain(domain)?).await?;
    Ok(DirectoryResponse::Domain(Residents::count(store).await?.summary(entry)))
}

pub(super) async fn put(
    target: &dyn ControlTarget,
    mode: PutMode,
    domain: &str,
    change: DomainChange,
) -> Result<DirectoryResponse, ControlError> {
    let store = target.store().as_ref();
    let domain = names::domain(domain)?;
    let mut entry = match mode {
        PutMode::New => DomainEntry::new(domain),
        PutMode::Replace => find(store, &domain).await?,
    };
    change.subaddress_separator.try_map(names::separator)?.apply(&mut entry.subaddress_separator);
    change.catch_all.try_map(|written| names::mailbox(&written))?.apply(&mut entry.catch_all);
    let (made, name) = (entry.domain.clone(), entry.domain.ascii().to_owned());
    let facts = Facts::of(target, Change::Domain(entry.clone()));
    let mut warnings = Vec::new();
    if let Some(catch_all) = &entry.catch_all {
        let first = std::slice::from_ref(catch_all);
        if let Some(way) = facts.find_loop(catch_all, first).await? {
            return Err(names::bad(format!(
                "the catch-all of {name} would run in a circle: {way}; name an account, or an alias that leads to one"
            )));
        }
        warnings = facts.target_warnings("the catch-all", first).await?;
    }
    let mode = match mode {
        PutMode::New => Put::New,
        PutMode::Replace => Put::Replace,
    };
    store.put_domain(entry, mode).await.map_err(|error| match error {
        StoreError::Conflict(_) => ControlError::new(
            ErrorKind::Conflict,
            format!("there is a domain {name} already; `posta domain set {name}` changes it"),
        ),
        error => error.into(),
    })?;
    if mode == Put::New
        && let Err(error) = dkim::begin(target, &made).await
    {
        warnings.push(format!(
            "{name} has no keys to sign its mail with: {error}; `posta dkim rotate {name}` makes them"
        ));
    }
    Ok(changed(name, warnings))
}

pub(super) async fn remove(
    target: &dyn ControlTarget,
    domain: &str,
    used: WhileUsed,
) -> Result<DirectoryResponse, ControlError> {
    let store = target.store().as_ref();
    let entry = find(store, &names::domain(domain)?).await?;
    let name = entry.domain.ascii().to_owned();
    let summary = Residents::count(store).await?.summary(entry.clone());
    let residents = [
        (summary.accounts, "account", "accounts"),
        (summary.aliases, "alias", "aliases"),
        (summary.lists, "list", "lists"),
    ];
    let residents: Vec<String> = residents
        .iter()
        .filter(|(count, ..)| *count > 0)
        .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
        .collect();
    let residents = residents.join(" and ");
    if !residents.is_empty() && used == WhileUsed::Refuse {
        let text = format!(
            "{name} still has {residents}; remove what bears its name first, or leave it there with \
             --keep-addresses"
        );
        return Err(ControlError::new(ErrorKind::Conflict, text));
    }
    store.remove_domain(&entry.domain).await?;
    let mut warnings = Vec::new();
    if !residents.is_empty() {
        warnings.push(format!(
            "{residents} of {name} stay, and get no mail unless the configuration names the domain"
        ));
    }
    let keys = dkim::remove_all(target, &entry.domain).await?;
    if keys > 0 {
        warnings.push(format!(
            "its {keys} DKIM keys are removed too; leave their records in the DNS for two weeks, while mail that they signed \
             may be on its way"
        ));
    }
    Ok(changed(name, warnings))
}

async fn find(store: &dyn Store, domain: &Domain) -> Result<DomainEntry, ControlError> {
    store.domain(domain).await?.ok_or_else(|| {
        let name = domain.ascii();
        let text = format!("there is no domain {name} in the directory; `posta domain add {name}` makes it");
        ControlError::new(ErrorKind::NoSuchDomain, text)
    })
}

/// How many accounts, aliases, lists and keys a domain has.
struct Residents {
    counts: HashMap<String, [usize; 3]>,
    keys: dkim::Counts,
}

impl Residents {
    async fn count(store: &dyn Store) -> Result<Self, ControlError> {
        let mut counts: HashMap<String, [usize; 3]> = HashMap::new();
        for account in store.accounts().await? {
            if let Some((_, domain)) = account.name.rsplit_once('@') {
                counts.entry(domain.to_ascii_lowercase()).or_default()[0] += 1;
            }
        }
        for entry in store.addresses().await? {
            if let Some(domain) = entry.address.host.domain() {
                let kind = if matches!(entry.kind, AddressKind::List(_)) { 2 } else { 1 };
                counts.entry(domain.ascii().to_owned()).or_default()[kind] += 1;
            }
        }
        Ok(Self { counts, keys: dkim::Counts::read(store).await? })
    }

    fn summary(&mut self, entry: DomainEntry) -> DomainSummary {
        let domain = entry.domain.ascii().to_owned();
        let [accounts, aliases, lists] = self.counts.remove(&domain).unwrap_or_default();
        let [dkim_active, dkim_next] = self.keys.of(&domain);
        DomainSummary {
            catch_all: entry.catch_all.map(|mailbox| mailbox.to_string()),
            subaddress_separator: entry.subaddress_separator,
            domain,
            accounts,
            aliases,
            lists,
            dkim_active,
            dkim_next,
        }
    }
}
