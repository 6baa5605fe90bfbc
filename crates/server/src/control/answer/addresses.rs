//! Aliases, users who have moved, and what holds of every address that is no account.

use store::{Put, Store, StoreError};
use types::Mailbox;
use types::directory::{AddressEntry, AddressKind, MovedHandling, key};

use super::directory::{PageSize, changed};
use super::facts::{Change, Facts};
use super::{names, summaries};
use crate::control::ControlTarget;
use crate::control::protocol::{AddressFilter, ControlError, DirectoryResponse, ErrorKind, PutMode};

/// Targets of an alias; who needs more wants a list.
const TARGETS_MAX: usize = 100;

pub(super) async fn list(
    store: &dyn Store,
    kind: AddressFilter,
    after: Option<String>,
) -> Result<DirectoryResponse, ControlError> {
    let after = after.map(|after| names::own(&after)).transpose()?.map(|after| key(&after));
    let mut entries: Vec<(String, AddressEntry)> = store
        .addresses()
        .await?
        .into_iter()
        .filter(|entry| is_meant(kind, entry))
        .map(|entry| (key(&entry.address), entry))
        .filter(|(name, _)| after.as_ref().is_none_or(|after| name > after))
        .collect();
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    let mut size = PageSize::default();
    let page = entries
        .into_iter()
        .map(|(_, entry)| summaries::address(entry))
        .take_while(|summary| size.has_room_for(summary));
    Ok(DirectoryResponse::Addresses(page.collect()))
}

pub(super) async fn show(
    store: &dyn Store,
    address: &str,
    kind: AddressFilter,
) -> Result<DirectoryResponse, ControlError> {
    let entry = find(store, &names::own(address)?, kind).await?;
    Ok(DirectoryResponse::Address(summaries::address(entry)))
}

pub(super) async fn put_alias(
    target: &dyn ControlTarget,
    mode: PutMode,
    address: &str,
    targets: &[String],
) -> Result<DirectoryResponse, ControlError> {
    let address = names::own(address)?;
    let targets = names::mailboxes(targets)?;
    match targets.len() {
        0 => return Err(names::bad(format!("the alias {address} needs an address that it leads to"))),
        1..=TARGETS_MAX => {}
        _ => {
            return Err(names::bad(format!(
                "an alias leads to {TARGETS_MAX} addresses at most; `posta list add {address}` makes a list, \
                 which takes more"
            )));
        }
    }
    put(target, mode, AddressEntry { address, kind: AddressKind::Alias { targets } }, "the target").await
}

pub(super) async fn put_moved(
    target: &dyn ControlTarget,
    mode: PutMode,
    address: &str,
    to: &str,
    handling: MovedHandling,
) -> Result<DirectoryResponse, ControlError> {
    let kind = AddressKind::Moved { to: names::mailbox(to)?, handling };
    put(target, mode, AddressEntry { address: names::own(address)?, kind }, "the new address").await
}

pub(super) async fn remove(
    store: &dyn Store,
    address: &str,
    kind: AddressFilter,
) -> Result<DirectoryResponse, ControlError> {
    let entry = find(store, &names::own(address)?, kind).await?;
    let name = key(&entry.address);
    let warnings = still_leading(store, &name).await?;
    store.remove_address(&entry.address).await?;
    Ok(changed(entry.address.to_string(), warnings))
}

/// Writes an entry that holds together, and tells what of it leads nowhere.
pub(super) async fn put(
    target: &dyn ControlTarget,
    mode: PutMode,
    entry: AddressEntry,
    what: &str,
) -> Result<DirectoryResponse, ControlError> {
    let warnings = write(target, mode, entry.clone(), what, next(&entry)).await?;
    Ok(changed(entry.address.to_string(), warnings))
}

/// Writes an entry that leads back to itself by none of its targets. `fresh` are those that were not looked
/// at before.
pub(super) async fn write(
    target: &dyn ControlTarget,
    mode: PutMode,
    entry: AddressEntry,
    what: &str,
    fresh: &[Mailbox],
) -> Result<Vec<String>, ControlError> {
    let store = target.store().as_ref();
    let address = entry.address.clone();
    if mode == PutMode::Replace {
        let kind = if matches!(entry.kind, AddressKind::List(_)) {
            AddressFilter::List
        } else {
            AddressFilter::Alias
        };
        find(store, &address, kind).await?;
    }
    let facts = Facts::of(target, Change::Address(key(&address)));
    let forwards = !matches!(entry.kind, AddressKind::Moved { handling: MovedHandling::Refuse, .. });
    if forwards && let Some(way) = facts.find_loop(&address, fresh).await? {
        return Err(names::bad(format!("mail to {address} would run in a circle: {way}")));
    }
    let mut warnings: Vec<String> = facts.domain_warning(&address).await?.into_iter().collect();
    warnings.extend(facts.target_warnings(what, fresh).await?);
    let put = match mode {
        PutMode::New => Put::New,
        PutMode::Replace => Put::Replace,
    };
    match store.put_address(entry, put).await {
        Ok(()) => Ok(warnings),
        Err(StoreError::Conflict(_)) => Err(taken(store, &address).await?),
        Err(error) => Err(error.into()),
    }
}

/// The entry of that address, where it is of that kind.
pub(super) async fn find(
    store: &dyn Store,
    address: &Mailbox,
    kind: AddressFilter,
) -> Result<AddressEntry, ControlError> {
    let what = match kind {
        AddressFilter::Any | AddressFilter::Alias => "alias",
        AddressFilter::List => "list",
    };
    match store.address(address).await? {
        Some(entry) if is_meant(kind, &entry) => Ok(entry),
        Some(entry) => {
            let (is, command) = noun(&entry.kind);
            let text = format!("{address} is no {what} but {is}; see `posta {command} show {address}`");
            Err(ControlError::new(ErrorKind::NoSuchAddress, text))
        }
        None if store.account(&key(address)).await?.is_some() => {
            let text = format!("{address} is no {what} but an account; see `posta account show {address}`");
            Err(ControlError::new(ErrorKind::NoSuchAddress, text))
        }
        None => {
            let text = format!("there is no {what} {address}; `posta {what} list` shows those that are");
            Err(ControlError::new(ErrorKind::NoSuchAddress, text))
        }
    }
}

/// That there is something of that name already, and what.
pub(super) async fn taken(store: &dyn Store, address: &Mailbox) -> Result<ControlError, ControlError> {
    let name = key(address);
    let text = match store.address(address).await? {
        Some(entry) => {
            let (is, command) = noun(&entry.kind);
            format!("{name} is {is} already; `posta {command} set {name}` changes it")
        }
        None => format!("there is an account {name} already"),
    };
    Ok(ControlError::new(ErrorKind::Conflict, text))
}

fn noun(kind: &AddressKind) -> (&'static str, &'static str) {
    match kind {
        AddressKind::Alias { .. } => ("an alias", "alias"),
        AddressKind::Moved { .. } => ("the old address of somebody who has moved", "alias"),
        AddressKind::List(_) => ("a list", "list"),
    }
}

fn is_meant(kind: AddressFilter, entry: &AddressEntry) -> bool {
    match kind {
        AddressFilter::Any => true,
        AddressFilter::Alias => !matches!(entry.kind, AddressKind::List(_)),
        AddressFilter::List => matches!(entry.kind, AddressKind::List(_)),
    }
}

/// Where mail to an entry goes next.
fn next(entry: &AddressEntry) -> &[Mailbox] {
    match &entry.kind {
        AddressKind::Alias { targets } => targets,
        AddressKind::List(list) => &list.members,
        AddressKind::Moved { to, .. } => std::slice::from_ref(to),
    }
}

/// What leads to an address that goes.
async fn still_leading(store: &dyn Store, name: &str) -> Result<Vec<String>, ControlError> {
    let leading =
        store.addresses().await?.into_iter().filter(|entry| {
            key(&entry.address) != name && next(entry).iter().any(|target| key(target) == name)
        });
    let mut warnings: Vec<String> =
        leading.map(|entry| format!("{} still leads to {name}", entry.address)).collect();
    for entry in store.domains().await? {
        if entry.catch_all.is_some_and(|all| key(&all) == name) {
            warnings.push(format!("the catch-all of {} is still {name}", entry.domain.ascii()));
        }
    }
    Ok(warnings)
}
