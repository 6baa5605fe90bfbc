//! Keys of DKIM: told, made, taken from elsewhere, removed.

use store::{StoreError, StoredDkimKey};
use types::directory::{DkimAlgorithm, DkimKeyState, dkim_record_name};
use types::{Domain, Timestamp};

use super::directory::{PageSize, changed};
use super::names;
use crate::control::protocol::{
    ControlError, DirectoryResponse, DkimKeySummary, ErrorKind, LastActive, Password, RotateWhen,
};
use crate::control::{ControlTarget, LocalDomains};
use crate::dkim::making::{self, DkimPlace, KeyTrouble};
use crate::outside::now;
use crate::secrets::Secrets;

mod summary;

pub(super) use summary::Counts;
use summary::Telling;

pub(super) async fn list(
    target: &dyn ControlTarget,
    domain: Option<&str>,
    after: Option<&str>,
) -> Result<DirectoryResponse, ControlError> {
    let stored = match domain {
        Some(domain) => target.store().dkim_keys(&names::domain(domain)?).await?,
        None => target.store().all_dkim_keys().await?,
    };
    let telling = Telling::of(target);
    let mut size = PageSize::default();
    // The order is that of the store, in which `after` is found again; where it is gone, the page begins anew behind it.
    let place = |stored: &StoredDkimKey| (stored.key.domain.ascii().to_owned(), stored.key.selector.clone());
    let after = after.and_then(|name| {
        let (selector, domain) = name.split_once("._domainkey.")?;
        Some((domain.to_owned(), selector.to_owned()))
    });
    let page = stored
        .iter()
        .filter(|stored| after.as_ref().is_none_or(|after| place(stored) > *after))
        .map(|stored| telling.summary(stored))
        .take_while(|summary| size.has_room_for(summary));
    Ok(DirectoryResponse::DkimKeys(page.collect()))
}

pub(super) async fn show(
    target: &dyn ControlTarget,
    domain: &str,
    selector: &str,
) -> Result<DirectoryResponse, ControlError> {
    let domain = names::domain(domain)?;
    let stored = target.store().dkim_keys(&domain).await?;
    let found = find(&stored, &domain, selector)?;
    Ok(DirectoryResponse::DkimKeys(vec![Telling::of(target).summary(found)]))
}

pub(super) async fn rotate(
    target: &dyn ControlTarget,
    domain: &str,
    algorithm: Option<DkimAlgorithm>,
    when: RotateWhen,
) -> Result<DirectoryResponse, ControlError> {
    let domain = names::domain(domain)?;
    let warnings = local_warnings(target, &domain).await?;
    let algorithms = algorithm.map_or_else(|| DkimAlgorithm::ALL.to_vec(), |algorithm| vec![algorithm]);
    let keys = change(target, &domain, algorithms, when).await?;
    Ok(DirectoryResponse::DkimRotated { keys, warnings })
}

/// The first keys of a new domain; none where it has some already.
pub(super) async fn begin(target: &dyn ControlTarget, domain: &Domain) -> Result<(), ControlError> {
    if target.store().dkim_keys(domain).await?.is_empty() {
        change(target, domain, DkimAlgorithm::ALL.to_vec(), RotateWhen::Published).await?;
    }
    Ok(())
}

/// Makes what is missing and puts it with what changes because of it, in one step; keys that nobody can open any more and
/// that never signed go.
async fn change(
    target: &dyn ControlTarget,
    domain: &Domain,
    algorithms: Vec<DkimAlgorithm>,
    when: RotateWhen,
) -> Result<Vec<DkimKeySummary>, ControlError> {
    let secrets = secrets(target)?;
    let before = target.store().dkim_keys(domain).await?;
    let (telling, at) = (Telling::of(target), now());
    let change = Change { secrets, domain: domain.clone(), at, when };
    // RSA takes its time.
    let made = tokio::task::spawn_blocking(move || change.made(before, &algorithms)).await;
    let Changed { put, useless } =
        made.map_err(|panic| unavailable(panic.to_string()))?.map_err(|trouble| refused(&trouble))?;
    target.store().put_dkim_keys(put.clone()).await?;
    for selector in useless {
        match target.store().remove_dkim_key(domain, &selector).await {
            Ok(()) | Err(StoreError::NoSuchEntry) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(put.iter().map(|stored| telling.summary(stored)).collect())
}

/// A change of the keys of a domain.
struct Change {
    secrets: Secrets,
    domain: Domain,
    at: Timestamp,
    when: RotateWhen,
}

/// What comes of it.
struct Changed {
    put: Vec<StoredDkimKey>,
    /// Selectors of keys that never signed and cannot any more.
    useless: Vec<String>,
}

impl Change {
    fn made(self, keys: Vec<StoredDkimKey>, algorithms: &[DkimAlgorithm]) -> Result<Changed, KeyTrouble> {
        let (mut put, mut useless) = (Vec::new(), Vec::new());
        for algorithm in algorithms {
            let of = |state| {
                let of = move |stored: &&StoredDkimKey| {
                    stored.key.algorithm == *algorithm && stored.key.state == state
                };
                keys.iter().filter(of)
            };
            let is_usable = |stored: &&StoredDkimKey| making::open(&self.secrets, stored).is_ok();
            let lost = of(DkimKeyState::Next).filter(|stored| !is_usable(stored));
            useless.extend(lost.map(|stored| stored.key.selector.clone()));
            let waiting =
                of(DkimKeyState::Next).filter(is_usable).max_by_key(|stored| stored.key.created_at).cloned();
            let signs_at_once = self.when == RotateWhen::Now || of(DkimKeyState::Active).next().is_none();
            let mut next = match waiting {
                Some(waiting) => waiting,
                None => self.make(*algorithm, &keys)?,
            };
            if signs_at_once {
                self.set(&mut next, DkimKeyState::Active);
                let others = of(DkimKeyState::Next).filter(is_usable);
                let others = others.filter(|other| other.key.selector != next.key.selector);
                put.extend(of(DkimKeyState::Active).chain(others).cloned().map(|mut stored| {
                    self.set(&mut stored, DkimKeyState::Retired);
                    stored
                }));
            }
            put.push(next);
        }
        Ok(Changed { put, useless })
    }

    fn make(&self, algorithm: DkimAlgorithm, keys: &[StoredDkimKey]) -> Result<StoredDkimKey, KeyTrouble> {
        let taken = keys.iter().map(|stored| stored.key.selector.as_str());
        let selector = making::new_selector(algorithm, self.at, taken);
        making::make(&self.secrets, &self.domain, selector, algorithm, DkimKeyState::Next, self.at)
    }

    fn set(&self, stored: &mut StoredDkimKey, state: DkimKeyState) {
        stored.key.state = state;
        stored.key.changed_at = self.at;
    }
}

pub(super) async fn import(
    target: &dyn ControlTarget,
    domain: &str,
    selector: &str,
    key: Password,
) -> Result<DirectoryResponse, ControlError> {
    let domain = names::domain(domain)?;
    let selector = read_selector(&domain, selector)?;
    let warnings = local_warnings(target, &domain).await?;
    let before = target.store().dkim_keys(&domain).await?;
    if before.iter().any(|stored| stored.key.selector == selector) {
        let text = format!(
            "{} has a key {selector} already; `posta dkim remove {0} {selector}` removes it",
            domain.ascii()
        );
        return Err(ControlError::new(ErrorKind::Conflict, text));
    }
    let (secrets, now) = (secrets(target)?, now());
    let place = DkimPlace { domain: &domain, selector, state: DkimKeyState::Active, now };
    let imported = making::import(&secrets, key.reveal(), place).map_err(|trouble| refused(&trouble))?;
    // Its record is there already, which nobody knows of those that were made here.
    let same = |stored: &StoredDkimKey| {
        stored.key.algorithm == imported.key.algorithm && stored.key.state == DkimKeyState::Active
    };
    let mut put: Vec<StoredDkimKey> = before.into_iter().filter(same).collect();
    for stored in &mut put {
        stored.key.state = DkimKeyState::Retired;
        stored.key.changed_at = now;
    }
    put.push(imported);
    target.store().put_dkim_keys(put.clone()).await?;
    let telling = Telling::of(target);
    let keys = put.iter().map(|stored| telling.summary(stored)).collect();
    Ok(DirectoryResponse::DkimRotated { keys, warnings })
}

pub(super) async fn remove(
    target: &dyn ControlTarget,
    domain: &str,
    selector: &str,
    last: LastActive,
) -> Result<DirectoryResponse, ControlError> {
    let domain = names::domain(domain)?;
    let stored = target.store().dkim_keys(&domain).await?;
    let found = find(&stored, &domain, selector)?;
    let is_active = |stored: &&StoredDkimKey| stored.key.state == DkimKeyState::Active;
    let is_last = is_active(&found) && stored.iter().filter(is_active).count() == 1;
    if is_last && last == LastActive::Refuse {
        let text = format!(
            "{selector} is the only key that signs for {}; `posta dkim rotate {0}` makes others, and --force removes it all \
             the same: the domain's mail is not signed then",
            domain.ascii()
        );
        return Err(ControlError::new(ErrorKind::Conflict, text));
    }
    let name = found.key.record_name();
    let mut warnings = Vec::new();
    if found.key.state != DkimKeyState::Next {
        warnings.push(format!(
            "leave the record of {name} in the DNS for {} days: mail that was signed with the key may be on its way",
            target.dkim_schedule().overlap.as_secs() / 86_400
        ));
    }
    target.store().remove_dkim_key(&domain, &found.key.selector).await?;
    Ok(changed(name, warnings))
}

/// The keys of a domain go with it. Returns how many.
pub(super) async fn remove_all(target: &dyn ControlTarget, domain: &Domain) -> Result<usize, ControlError> {
    let stored = target.store().dkim_keys(domain).await?;
    for stored in &stored {
        target.store().remove_dkim_key(domain, &stored.key.selector).await?;
    }
    Ok(stored.len())
}

fn find<'s>(
    stored: &'s [StoredDkimKey],
    domain: &Domain,
    selector: &str,
) -> Result<&'s StoredDkimKey, ControlError> {
    let found = stored.iter().find(|stored| stored.key.selector.eq_ignore_ascii_case(selector.trim()));
    found.ok_or_else(|| {
        let text = format!(
            "{} has no key {:?}; `posta dkim list {0}` shows those that it has",
            domain.ascii(),
            selector.trim()
        );
        ControlError::new(ErrorKind::NoSuchEntry, text)
    })
}

/// Labels as the DNS has them (RFC 6376 §3.1), in lower case.
fn read_selector(domain: &Domain, written: &str) -> Result<String, ControlError> {
    let selector = written.trim().to_ascii_lowercase();
    let is_label = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.');
    if selector.bytes().all(is_label) && mailauth::is_name(&dkim_record_name(&selector, domain)) {
        return Ok(selector);
    }
    Err(names::bad(format!("{written:?} is no selector: letters, digits and hyphens, as in `mail2026`")))
}

/// That nobody knows the domain; an error where it is known not to be ours.
async fn local_warnings(target: &dyn ControlTarget, domain: &Domain) -> Result<Vec<String>, ControlError> {
    let name = domain.ascii();
    if target.store().domain(domain).await?.is_some() {
        return Ok(Vec::new());
    }
    match target.local_domains() {
        LocalDomains::Everything => Ok(Vec::new()),
        LocalDomains::Listed(domains) if domains.contains(domain) => Ok(Vec::new()),
        LocalDomains::Listed(_) => {
            let text = format!("{name} is no domain of this server; `posta domain add {name}` makes it");
            Err(ControlError::new(ErrorKind::NoSuchDomain, text))
        }
        LocalDomains::Unknown => Ok(vec![format!(
            "{name} is not in the directory; its mail is signed only where the configuration names it"
        )]),
    }
}

fn secrets(target: &dyn ControlTarget) -> Result<Secrets, ControlError> {
    target.secrets().map_err(|error| unavailable(error.to_string()))
}

fn unavailable(text: String) -> ControlError {
    ControlError::new(ErrorKind::Unavailable, text)
}

fn refused(trouble: &KeyTrouble) -> ControlError {
    let kind = match trouble {
        KeyTrouble::Key(_) => ErrorKind::BadValue,
        KeyTrouble::Secret(_) | KeyTrouble::Failed(_) | KeyTrouble::Another => ErrorKind::Unavailable,
    };
    ControlError::new(kind, trouble.to_string())
}
