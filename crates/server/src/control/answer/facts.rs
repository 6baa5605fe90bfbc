//! What an address is here and where it leads: the facts behind warnings, and the search for loops.
//!
//! What is found is advice about the directory as it stands; delivery decides for itself, and has its own
//! bound on expansion.

use std::collections::HashMap;

use store::Store;
use types::directory::{AddressKind, DomainEntry, MovedHandling, key};
use types::{Domain, Host, Mailbox};

use crate::control::protocol::ControlError;
use crate::control::{ControlTarget, LocalDomains};

/// Addresses that a search for a loop looks at.
const VISITS_MAX: usize = 100_000;

/// Between user and tag where the store does not know the domain.
const SEPARATOR: char = '+';

/// The directory as it will be when a change is made.
pub(super) struct Facts<'a> {
    store: &'a dyn Store,
    local: LocalDomains,
    /// The change; what it says goes before what the store says.
    change: Change,
}

/// What a search for a loop starts from.
pub(super) enum Change {
    /// Nothing is changed.
    None,
    /// The entry of this key.
    Address(String),
    /// This domain.
    Domain(DomainEntry),
}

/// Whether mail to a domain is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// By name.
    Taken,
    /// Dev mode: mail to any address is.
    Everything,
    /// No.
    NotTaken,
    /// Nothing runs, and the configuration may say so.
    Unknown,
}

/// What an address is.
enum Leads {
    Account,
    /// The entry that is being changed.
    Change,
    To(Vec<Mailbox>),
    /// To the members of a list.
    List(Vec<Mailbox>),
    /// Into the catch-all of its domain.
    CatchAll(Domain, Mailbox),
    /// For the postmaster and helpers of lists.
    Role,
    Nowhere,
}

impl<'a> Facts<'a> {
    pub(super) fn of(target: &'a dyn ControlTarget, change: Change) -> Self {
        Self { store: target.store().as_ref(), local: target.local_domains(), change }
    }

    /// Whether mail to a domain is taken.
    pub(super) async fn standing(&self, domain: &Domain) -> Result<Standing, ControlError> {
        match &self.local {
            LocalDomains::Everything => return Ok(Standing::Everything),
            LocalDomains::Listed(domains) if domains.contains(domain) => return Ok(Standing::Taken),
            _ => {}
        }
        if self.domain(domain).await?.is_some() {
            return Ok(Standing::Taken);
        }
        // Who keeps domains in the configuration alone has none in the store.
        let is_unknown = self.local == LocalDomains::Unknown && self.store.domains().await?.is_empty();
        Ok(if is_unknown { Standing::Unknown } else { Standing::NotTaken })
    }

    /// A warning where no mail to the domain of `mailbox` is taken.
    pub(super) async fn domain_warning(&self, mailbox: &Mailbox) -> Result<Option<String>, ControlError> {
        let Host::Domain(domain) = &mailbox.host else { return Ok(None) };
        if self.standing(domain).await? != Standing::NotTaken {
            return Ok(None);
        }
        let domain = domain.ascii();
        Ok(Some(format!(
            "{mailbox} gets no mail yet: there is no domain {domain}; `posta domain add {domain}` makes it"
        )))
    }

    /// A warning for each of `mailboxes` that is in a domain of ours and leads nowhere.
    pub(super) async fn target_warnings(
        &self,
        what: &str,
        mailboxes: &[Mailbox],
    ) -> Result<Vec<String>, ControlError> {
        let mut warnings = Vec::new();
        for mailbox in mailboxes {
            let Host::Domain(domain) = &mailbox.host else { continue };
            if self.standing(domain).await? == Standing::Taken
                && matches!(self.leads(mailbox).await?, Leads::Nowhere)
            {
                warnings.push(format!(
                    "{what} {mailbox} does not exist; `posta account add {mailbox}` makes an account, `posta alias \
                     add {mailbox} TARGET` an alias"
                ));
            }
        }
        Ok(warnings)
    }

    /// The way from the change back to itself, where one of `first` leads there: `a@x → b@x → a@x`.
    pub(super) async fn find_loop(
        &self,
        start: &Mailbox,
        first: &[Mailbox],
    ) -> Result<Option<String>, ControlError> {
        let mut came_from: HashMap<String, Option<String>> = HashMap::new();
        let mut open: Vec<(Mailbox, Option<String>)> =
            first.iter().rev().map(|mailbox| (mailbox.clone(), None)).collect();
        while let Some((mailbox, from)) = open.pop() {
            let name = key(&mailbox);
            if came_from.len() >= VISITS_MAX || came_from.contains_key(&name) {
                continue;
            }
            came_from.insert(name.clone(), from);
            let next = match self.leads(&mailbox).await? {
                Leads::Change => return Ok(Some(way(start, &name, &came_from))),
                Leads::CatchAll(domain, _) if self.is_changed_domain(&domain) => {
                    return Ok(Some(way(start, &name, &came_from)));
                }
                Leads::CatchAll(_, mailbox) => vec![mailbox],
                Leads::To(mailboxes) | Leads::List(mailboxes) => mailboxes,
                Leads::Account | Leads::Role | Leads::Nowhere => continue,
            };
            open.extend(next.into_iter().map(|mailbox| (mailbox, Some(name.clone()))));
        }
        Ok(None)
    }

    fn is_changed_domain(&self, domain: &Domain) -> bool {
        matches!(&self.change, Change::Domain(entry) if entry.domain == *domain)
    }

    async fn domain(&self, domain: &Domain) -> Result<Option<DomainEntry>, ControlError> {
        match &self.change {
            Change::Domain(entry) if entry.domain == *domain => Ok(Some(entry.clone())),
            _ => Ok(self.store.domain(domain).await?),
        }
    }

    async fn leads(&self, mailbox: &Mailbox) -> Result<Leads, ControlError> {
        let exact = self.exactly(mailbox).await?;
        let (Host::Domain(domain), Leads::Nowhere) = (&mailbox.host, &exact) else { return Ok(exact) };
        let entry = self.domain(domain).await?;
        let local_part = mailbox.local_part.unquoted();
        let separator = entry.as_ref().map_or(Some(SEPARATOR), |entry| entry.subaddress_separator);
        let base = separator.and_then(|separator| local_part.split_once(separator)).map(|(user, _)| user);
        if let Some(base) = base.and_then(|user| format!("{user}@{}", domain.ascii()).parse().ok()) {
            let leads = self.exactly(&base).await?;
            // A list has no subaddresses.
            if !matches!(leads, Leads::Nowhere | Leads::List(_)) {
                return Ok(leads);
            }
        }
        if self.is_role(&local_part, domain).await? {
            return Ok(Leads::Role);
        }
        let catch_all = entry.and_then(|entry| entry.catch_all);
        Ok(catch_all.map_or(Leads::Nowhere, |catch_all| Leads::CatchAll(domain.clone(), catch_all)))
    }

    async fn exactly(&self, mailbox: &Mailbox) -> Result<Leads, ControlError> {
        let name = key(mailbox);
        if matches!(&self.change, Change::Address(changed) if *changed == name) {
            return Ok(Leads::Change);
        }
        if self.store.account(&name).await?.is_some() {
            return Ok(Leads::Account);
        }
        let Some(entry) = self.store.address(mailbox).await? else { return Ok(Leads::Nowhere) };
        Ok(match entry.kind {
            AddressKind::Alias { targets } => Leads::To(targets),
            AddressKind::List(list) => Leads::List(list.members),
            AddressKind::Moved { to, handling: MovedHandling::Forward } => Leads::To(vec![to]),
            AddressKind::Moved { handling: MovedHandling::Refuse, .. } => Leads::To(Vec::new()),
        })
    }

    /// Always there where the domain is (RFC 2142 §4 and §5), or with a list (RFC 2142 §6).
    async fn is_role(&self, local_part: &str, domain: &Domain) -> Result<bool, ControlError> {
        if ["postmaster", "abuse"].iter().any(|role| local_part.eq_ignore_ascii_case(role)) {
            return Ok(true);
        }
        let lower = local_part.to_ascii_lowercase();
        let helper = ["-owner", "-request", "-bounces"].iter().find_map(|end| lower.strip_suffix(end));
        let Some(list) = helper.and_then(|list| format!("{list}@{}", domain.ascii()).parse().ok()) else {
            return Ok(false);
        };
        let entry = self.store.address(&list).await?;
        Ok(entry.is_some_and(|entry| matches!(entry.kind, AddressKind::List(_))))
    }
}

/// The way from `start` to `last` and back to `start`.
fn way(start: &Mailbox, last: &str, came_from: &HashMap<String, Option<String>>) -> String {
    /// A longer way is told in part.
    const STEPS_MAX: usize = 8;
    let mut steps = vec![last.to_owned()];
    let mut at = last;
    while let Some(Some(from)) = came_from.get(at) {
        steps.push(from.clone());
        at = from;
    }
    steps.reverse();
    let start = key(start);
    // An address that leads to itself by way of a tag or nothing at all.
    steps.retain(|step| *step != start);
    if steps.len() > STEPS_MAX {
        steps.truncate(STEPS_MAX);
        steps.push("…".to_owned());
    }
    let steps: String = steps.into_iter().map(|step| format!("{step} → ")).collect();
    format!("{start} → {steps}{start}")
}
