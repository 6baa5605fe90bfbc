//! Requests about the directory, one after the other: a change reads what is there, looks whether it holds
//! together, and writes, and nobody else changes anything meanwhile.

use serde::Serialize;
use tokio::sync::{Mutex, MutexGuard};

use super::{accounts, addresses, dkim, domains, lists};
use crate::control::ControlTarget;
use crate::control::protocol::{ControlError, DirectoryRequest, DirectoryResponse};

/// Held while something is changed. One process has a store, and all who change its directory come by here;
/// so what a change has read is still so when it writes.
static CHANGES: Mutex<()> = Mutex::const_new(());

/// Keeps others from changing the directory while it is held, for who changes what it has read.
pub(crate) async fn changing() -> MutexGuard<'static, ()> {
    CHANGES.lock().await
}

/// Entries in a page.
const PAGE_ENTRIES_MAX: usize = 1000;
/// Octets of JSON in a page, far below what a client takes; one entry may be larger.
const PAGE_BYTES_MAX: usize = 1 << 20;
/// Warnings that are told; of further ones, the number.
const WARNINGS_MAX: usize = 20;

pub(super) async fn answer(
    target: &dyn ControlTarget,
    request: DirectoryRequest,
) -> Result<DirectoryResponse, ControlError> {
    use DirectoryRequest as Ask;
    let store = target.store().as_ref();
    let _changes = if is_change(&request) { Some(changing().await) } else { None };
    match request {
        Ask::Domains { after } => domains::list(store, after).await,
        Ask::Domain { domain } => domains::show(store, &domain).await,
        Ask::Account { account } => accounts::show(store, &account).await,
        Ask::Addresses { kind, after } => addresses::list(store, kind, after).await,
        Ask::Address { address, kind } => addresses::show(store, &address, kind).await,
        Ask::Members { list, after } => lists::members(store, &list, after).await,
        Ask::DomainPut { put, domain, change } => domains::put(target, put, &domain, change).await,
        Ask::DomainRemove { domain, used } => domains::remove(target, &domain, used).await,
        Ask::AccountAdd { account, password, shared_secret, change } => {
            accounts::add(target, &account, password, shared_secret, change).await
        }
        Ask::AccountSet { account, change } => accounts::set(store, &account, change).await,
        Ask::AccountRemove { account, mail } => accounts::remove(store, &account, mail).await,
        Ask::PasswordSet { account, password, shared_secret } => {
            accounts::set_password(store, &account, password, shared_secret).await
        }
        Ask::AppPasswordAdd { account, label } => accounts::add_app_password(store, &account, &label).await,
        Ask::AppPasswordRevoke { account, label } => {
            accounts::revoke_app_password(store, &account, &label).await
        }
        Ask::AliasPut { put, address, targets } => {
            addresses::put_alias(target, put, &address, &targets).await
        }
        Ask::MovedPut { put, address, to, handling } => {
            addresses::put_moved(target, put, &address, &to, handling).await
        }
        Ask::AddressRemove { address, kind } => addresses::remove(store, &address, kind).await,
        Ask::ListPut { put, address, change } => lists::put(target, put, &address, change).await,
        Ask::MembersChange { list, add, remove } => lists::change(target, &list, &add, &remove).await,
        Ask::DkimKeys { domain, after } => dkim::list(target, domain.as_deref(), after.as_deref()).await,
        Ask::DkimKey { domain, selector } => dkim::show(target, &domain, &selector).await,
        Ask::DkimRotate { domain, algorithm, when } => dkim::rotate(target, &domain, algorithm, when).await,
        Ask::DkimImport { domain, selector, key } => dkim::import(target, &domain, &selector, key).await,
        Ask::DkimRemove { domain, selector, last } => dkim::remove(target, &domain, &selector, last).await,
    }
}

const fn is_change(request: &DirectoryRequest) -> bool {
    use DirectoryRequest as Ask;
    !matches!(
        request,
        Ask::Domains { .. }
            | Ask::Domain { .. }
            | Ask::Account { .. }
            | Ask::Addresses { .. }
            | Ask::Address { .. }
            | Ask::Members { .. }
            | Ask::DkimKeys { .. }
            | Ask::DkimKey { .. }
    )
}

/// It was done.
pub(super) fn changed(name: String, warnings: Vec<String>) -> DirectoryResponse {
    DirectoryResponse::Changed { name, warnings: bounded(warnings) }
}

/// The first warnings, and how many more there are.
pub(super) fn bounded(mut warnings: Vec<String>) -> Vec<String> {
    if warnings.len() > WARNINGS_MAX {
        let more = warnings.len() - WARNINGS_MAX;
        warnings.truncate(WARNINGS_MAX);
        warnings.push(format!("and {more} more of this kind"));
    }
    warnings
}

/// How much is in a page.
#[derive(Default)]
pub(super) struct PageSize {
    entries: usize,
    bytes: usize,
}

impl PageSize {
    /// Whether `entry` still goes into the page; the first one always does.
    pub(super) fn has_room_for(&mut self, entry: &impl Serialize) -> bool {
        let bytes = serde_json::to_string(entry).map_or(0, |json| json.len() + 1);
        let has_room =
            self.entries == 0 || (self.entries < PAGE_ENTRIES_MAX && self.bytes + bytes <= PAGE_BYTES_MAX);
        self.entries += 1;
        self.bytes += bytes;
        has_room
    }
}
