//! Mailing lists and who is in them.

use std::collections::HashSet;

use store::Store;
use types::Mailbox;
use types::directory::{
    AddressEntry, AddressKind, Expandable, FromRewriting, ListBounces, MailingList, Posters, key,
};

use super::addresses::{find, put as put_entry, write};
use super::directory::{PageSize, bounded};
use super::names;
use crate::control::ControlTarget;
use crate::control::protocol::{
    AddressFilter, ControlError, DirectoryResponse, ErrorKind, ListChange, PosterRule, PutMode,
};

/// Members of a list: what one entry of the directory, and one expansion, can bear.
const MEMBERS_MAX: usize = 50_000;
/// Those who may post where they are listed.
const POSTERS_MAX: usize = 1000;
/// Names of those who had joined or left before.
const UNCHANGED_FIRST_MAX: usize = 100;

pub(super) async fn put(
    target: &dyn ControlTarget,
    mode: PutMode,
    address: &str,
    change: ListChange,
) -> Result<DirectoryResponse, ControlError> {
    let address = names::own(address)?;
    let (address, mut list) = match mode {
        PutMode::New => (address.clone(), new_list(&address, &change)?),
        PutMode::Replace => find_list(target.store().as_ref(), &address).await?,
    };
    if let Some(owner) = &change.owner {
        list.owner = names::mailbox(owner)?;
    }
    if let Some(members) = &change.members {
        list.members = names::mailboxes(members)?;
    }
    if let Some(posters) = change.posters {
        list.posters = read_posters(posters)?;
    }
    if let Some(description) = &change.description {
        list.description = names::one_line("the description", description)?;
    }
    list.bounces = change.bounces.unwrap_or(list.bounces);
    list.expandable = change.expandable.unwrap_or(list.expandable);
    list.from = change.from.unwrap_or(list.from);
    if key(&list.owner) == key(&address) {
        return Err(names::bad(format!(
            "{address} cannot be its own owner: its bounces would come back to it"
        )));
    }
    check_size(&list)?;
    put_entry(target, mode, AddressEntry { address, kind: AddressKind::List(list) }, "the member").await
}

pub(super) async fn members(
    store: &dyn Store,
    list: &str,
    after: Option<String>,
) -> Result<DirectoryResponse, ControlError> {
    let (_, list) = find_list(store, &names::own(list)?).await?;
    let after = after.map(|after| names::mailbox(&after)).transpose()?.map(|after| key(&after));
    let start = match &after {
        // Who left meanwhile leaves the reader at the end.
        Some(after) => list
            .members
            .iter()
            .position(|member| key(member) == *after)
            .map_or(list.members.len(), |at| at + 1),
        None => 0,
    };
    let mut size = PageSize::default();
    let page = list.members[start..].iter().map(ToString::to_string);
    Ok(DirectoryResponse::Members(page.take_while(|member| size.has_room_for(member)).collect()))
}

/// Who is in a list afterwards depends on nothing that somebody else does meanwhile: changes go one by one.
pub(super) async fn change(
    target: &dyn ControlTarget,
    list: &str,
    add: &[String],
    remove: &[String],
) -> Result<DirectoryResponse, ControlError> {
    let (address, mut list) = find_list(target.store().as_ref(), &names::own(list)?).await?;
    let (add, remove) = (names::mailboxes(add)?, names::mailboxes(remove)?);
    let mut unchanged = Vec::new();
    let had: HashSet<String> = list.members.iter().map(key).collect();
    let leaving: HashSet<String> = remove.iter().map(key).collect();
    if let Some(both) = add.iter().find(|member| leaving.contains(&key(member))) {
        return Err(names::bad(format!("{both} cannot join and leave at once")));
    }
    unchanged.extend(remove.iter().filter(|member| !had.contains(&key(member))));
    let (joined, fresh): (Vec<&Mailbox>, Vec<&Mailbox>) =
        add.iter().partition(|member| had.contains(&key(member)));
    unchanged.extend(joined);
    let fresh: Vec<Mailbox> = fresh.into_iter().cloned().collect();
    let changed = add.len() + remove.len() - unchanged.len();
    list.members.retain(|member| !leaving.contains(&key(member)));
    list.members.extend(fresh.iter().cloned());
    check_size(&list)?;
    let member_count = list.members.len();
    let name = address.to_string();
    let warnings = if changed == 0 {
        Vec::new()
    } else {
        let entry = AddressEntry { address, kind: AddressKind::List(list) };
        write(target, PutMode::Replace, entry, "the member", &fresh).await?
    };
    Ok(DirectoryResponse::MembersChanged {
        name,
        changed,
        unchanged: unchanged.len(),
        unchanged_first: unchanged.iter().take(UNCHANGED_FIRST_MAX).map(ToString::to_string).collect(),
        member_count,
        warnings: bounded(warnings),
    })
}

/// Closed until it is opened: members post, nobody reads who they are, and a bounce names its member.
fn new_list(address: &Mailbox, change: &ListChange) -> Result<MailingList, ControlError> {
    let Some(owner) = &change.owner else {
        return Err(names::bad(format!("the list {address} needs an owner; name one with --owner ADDRESS")));
    };
    Ok(MailingList {
        owner: names::mailbox(owner)?,
        members: Vec::new(),
        posters: Posters::Members,
        bounces: ListBounces::Verp,
        description: String::new(),
        expandable: Expandable::Never,
        from: FromRewriting::IfNeeded,
    })
}

async fn find_list(store: &dyn Store, address: &Mailbox) -> Result<(Mailbox, MailingList), ControlError> {
    let entry = find(store, address, AddressFilter::List).await?;
    match entry.kind {
        AddressKind::List(list) => Ok((entry.address, list)),
        _ => Err(ControlError::new(ErrorKind::NoSuchAddress, format!("there is no list {address}"))),
    }
}

fn read_posters(posters: PosterRule) -> Result<Posters, ControlError> {
    Ok(match posters {
        PosterRule::Anyone => Posters::Anyone,
        PosterRule::Members => Posters::Members,
        PosterRule::Owner => Posters::Owner,
        PosterRule::Listed(written) if written.len() > POSTERS_MAX => {
            return Err(names::bad(format!("at most {POSTERS_MAX} posters can be listed; let members post")));
        }
        PosterRule::Listed(written) => Posters::Listed(names::mailboxes(&written)?),
    })
}

fn check_size(list: &MailingList) -> Result<(), ControlError> {
    if list.members.len() <= MEMBERS_MAX {
        return Ok(());
    }
    Err(names::bad(format!("a list has {MEMBERS_MAX} members at most; make a list of lists for more")))
}
