//! The search for where an address leads, breadth first.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use types::directory::{AddressEntry, AddressKind, DomainEntry, MailingList, MovedHandling, key};
use types::{Domain, ForwardPath, Host, Mailbox};

use super::{
    Addressed, By, DEPTH_MAX, DeadEnd, DeadEndReason, EverythingElse, Found, LeadsTo, Local, Lookup,
    MEMBERS_MAX, PathStep, Resolution, TARGETS_MAX, Target,
};
use crate::list::{Helper, at_host, helper};
use crate::srs::is_rewritten;

/// Finds where an address leads. `A` is what the caller knows of an account.
#[derive(Debug)]
pub struct Resolver<'a, A> {
    local: Local<'a>,
    /// Every address that came up, with the one that led to it.
    nodes: Vec<Node>,
    nodes_max: usize,
    /// Addresses that came up, by key.
    seen: BTreeSet<String>,
    /// Nodes that are still to be looked at.
    waiting: VecDeque<usize>,
    current: Option<Current>,
    domains: BTreeMap<String, Option<DomainEntry>>,
    /// Accounts that were reached.
    reached: BTreeSet<String>,
    /// More came up than there is room for.
    is_full: bool,
    addressed: Addressed,
    targets: Vec<Target<A>>,
    dead_ends: Vec<DeadEnd>,
}

#[derive(Debug)]
struct Node {
    address: Mailbox,
    key: String,
    by: By,
    parent: Option<usize>,
    depth: usize,
}

/// The address that is being looked at.
#[derive(Debug)]
struct Current {
    node: usize,
    /// Its domain's entry, once that is known.
    domain: Option<DomainEntry>,
    stage: Stage,
}

/// What is asked next.
#[derive(Debug)]
enum Stage {
    Domain(Domain),
    Account(String),
    Address(Mailbox),
    BaseAccount { base: Mailbox, name: String, detail: String },
    BaseAddress(Mailbox),
    ListOfHelper { list: Mailbox, helper: Helper },
    Fallback(String, By),
}

impl<'a, A> Resolver<'a, A> {
    /// For a recipient.
    #[must_use]
    pub fn new(forward_path: &ForwardPath, local: Local<'a>) -> Self {
        let mut resolver = Self::empty(local, TARGETS_MAX);
        let postmaster;
        let address = match forward_path {
            ForwardPath::Mailbox(mailbox) => Some(mailbox),
            ForwardPath::Postmaster => {
                postmaster = at_host(POSTMASTER, &Host::Domain(local.host_name.clone()));
                postmaster.as_ref()
            }
        };
        if let Some(address) = address {
            resolver.visit(address.clone(), By::Addressed, None);
        }
        resolver.next();
        resolver
    }

    /// For the members of the list at `address`. Lists among them are targets in their turn, but not those of
    /// `within`, the lists whose copies these are: there the way is a loop.
    #[must_use]
    pub fn of_members(address: &Mailbox, list: &MailingList, within: &[Mailbox], local: Local<'a>) -> Self {
        let mut resolver = Self::empty(local, MEMBERS_MAX);
        resolver.addressed = Addressed::Local;
        let mut parent = None;
        for address in within.iter().chain([address]) {
            let by = if parent.is_none() { By::Addressed } else { By::Member };
            resolver.seen.insert(key(address));
            parent = Some(resolver.node(address.clone(), by, parent));
        }
        for member in &list.members {
            resolver.visit(member.clone(), By::Member, parent);
        }
        resolver.next();
        resolver
    }

    fn empty(local: Local<'a>, nodes_max: usize) -> Self {
        Self {
            local,
            nodes: Vec::new(),
            nodes_max,
            seen: BTreeSet::new(),
            waiting: VecDeque::new(),
            current: None,
            domains: BTreeMap::new(),
            reached: BTreeSet::new(),
            is_full: false,
            addressed: Addressed::Missing,
            targets: Vec::new(),
            dead_ends: Vec::new(),
        }
    }

    /// What has to be looked up next; none where all is known.
    #[must_use]
    pub fn wanted(&self) -> Option<Lookup<'_>> {
        Some(match &self.current.as_ref()?.stage {
            Stage::Domain(domain) => Lookup::Domain(domain),
            Stage::Account(name) | Stage::BaseAccount { name, .. } | Stage::Fallback(name, _) => {
                Lookup::Account(name)
            }
            Stage::Address(address)
            | Stage::BaseAddress(address)
            | Stage::ListOfHelper { list: address, .. } => Lookup::Address(address),
        })
    }

    /// Takes what was found. An answer of another kind than was asked for says nothing.
    pub fn supply(&mut self, found: Found<A>) {
        let Some(Current { node, domain, stage }) = self.current.take() else { return };
        match (stage, found) {
            (Stage::Domain(name), Found::Domain(entry)) => self.domain(node, &name, entry),
            (Stage::Account(name), Found::Account(Some(account))) => {
                self.account(node, name, account, None);
            }
            (Stage::Account(_), Found::Account(None)) => {
                let address = self.nodes[node].address.clone();
                self.current = Some(Current { node, domain, stage: Stage::Address(address) });
            }
            (Stage::Address(_), Found::Address(Some(entry))) => self.entry(node, entry),
            (Stage::Address(_), Found::Address(None)) => self.without_subaddress(node, domain),
            (Stage::BaseAccount { base, name, detail }, Found::Account(Some(account))) => {
                let node = self.node(base, By::Subaddress, Some(node));
                self.account(node, name, account, Some(detail));
            }
            (Stage::BaseAccount { base, .. }, Found::Account(None)) => {
                self.current = Some(Current { node, domain, stage: Stage::BaseAddress(base) });
            }
            (Stage::BaseAddress(base), Found::Address(entry)) => match entry {
                Some(entry) if !matches!(entry.kind, AddressKind::List(_)) => {
                    let node = self.node(base, By::Subaddress, Some(node));
                    self.entry(node, entry);
                }
                _ => self.helper(node, domain),
            },
            (Stage::ListOfHelper { helper, .. }, Found::Address(entry)) => match entry {
                Some(AddressEntry { kind: AddressKind::List(list), .. }) => {
                    self.list_owner(node, helper, &list);
                }
                _ => self.role(node, domain),
            },
            (Stage::Fallback(name, by), Found::Account(Some(account))) => {
                self.fallback(node, name, by, account);
            }
            _ => self.dead_end(node, DeadEndReason::Missing),
        }
        self.next();
    }

    /// Where the address leads. What was not supplied is missing.
    #[must_use]
    pub fn finish(mut self) -> Resolution<A> {
        while self.current.is_some() {
            let Some(Current { node, .. }) = self.current.take() else { break };
            self.dead_end(node, DeadEndReason::Missing);
            self.next();
        }
        Resolution { addressed: self.addressed, targets: self.targets, dead_ends: self.dead_ends }
    }

    /// Takes up the next address, until one needs to be looked up.
    fn next(&mut self) {
        while self.current.is_none() {
            let Some(node) = self.waiting.pop_front() else { return };
            self.begin(node);
        }
    }

    fn begin(&mut self, node: usize) {
        let domain = match &self.nodes[node].address.host {
            Host::Domain(domain) => domain.clone(),
            Host::Literal(literal) => match literal.ip() {
                Some(ip) if self.is_ours(ip) => {
                    let local_part = self.nodes[node].address.local_part.unquoted();
                    let host = Host::Domain(self.local.host_name.clone());
                    if let Some(address) = at_host(&local_part, &host) {
                        self.nodes[node].key = key(&address);
                        self.nodes[node].address = address;
                    }
                    self.local.host_name.clone()
                }
                _ if self.local.everything_else == EverythingElse::ToFallbackAccount => {
                    return self.in_domain(node, Some(DomainEntry::new(self.local.host_name.clone())));
                }
                _ => return self.foreign(node),
            },
        };
        match self.domains.get(domain.ascii()) {
            Some(entry) => {
                let entry = entry.clone();
                self.in_domain(node, entry);
            }
            None => self.current = Some(Current { node, domain: None, stage: Stage::Domain(domain) }),
        }
    }

    fn is_ours(&self, ip: std::net::IpAddr) -> bool {
        self.local.addresses.iter().any(|own| own.to_canonical() == ip.to_canonical())
    }

    fn domain(&mut self, node: usize, name: &Domain, entry: Option<DomainEntry>) {
        let is_local =
            name == self.local.host_name || self.local.everything_else == EverythingElse::ToFallbackAccount;
        let entry = entry.or_else(|| is_local.then(|| DomainEntry::new(name.clone())));
        self.domains.insert(name.ascii().to_owned(), entry.clone());
        self.in_domain(node, entry);
    }

    fn in_domain(&mut self, node: usize, entry: Option<DomainEntry>) {
        let Some(entry) = entry else {
            if self.local.everything_else != EverythingElse::Relayed {
                return self.foreign(node);
            }
            // The address may be here all the same; where nobody has it, `role` is where the search for it ends.
            let name = self.nodes[node].key.clone();
            self.current = Some(Current { node, domain: None, stage: Stage::Account(name) });
            return;
        };
        if self.way_back(node) {
            return;
        }
        if self.is_addressed(node) && is_role(&self.nodes[node].address.local_part.unquoted()) {
            self.addressed = Addressed::Role;
        }
        let name = self.nodes[node].key.clone();
        self.current = Some(Current { node, domain: Some(entry), stage: Stage::Account(name) });
    }

    /// Whether the address is one that this host has written for a sender. An alias that names such an address is mistaken.
    fn way_back(&mut self, node: usize) -> bool {
        let Node { address, by, .. } = &self.nodes[node];
        let Some((srs, now)) = self.local.srs else { return false };
        if !matches!(by, By::Addressed | By::WayBack) || !is_rewritten(address) {
            return false;
        }
        let original = srs.original(address, now);
        if self.is_addressed(node) {
            self.addressed = Addressed::WayBack { problem: original.as_ref().err().copied() };
        }
        match original {
            Ok(original) => self.visit(original, By::WayBack, Some(node)),
            Err(_) => self.dead_end(node, DeadEndReason::Missing),
        }
        true
    }

    fn without_subaddress(&mut self, node: usize, domain: Option<DomainEntry>) {
        let address = &self.nodes[node].address;
        let local_part = address.local_part.unquoted();
        let split = domain
            .as_ref()
            .and_then(|domain| domain.subaddress_separator)
            .and_then(|separator| local_part.split_once(separator))
            .filter(|(base, _)| !base.is_empty())
            .and_then(|(base, detail)| Some((at_host(base, &address.host)?, detail.to_owned())));
        let Some((base, detail)) = split else { return self.helper(node, domain) };
        let stage = Stage::BaseAccount { name: key(&base), base, detail };
        self.current = Some(Current { node, domain, stage });
    }

    fn helper(&mut self, node: usize, domain: Option<DomainEntry>) {
        let address = &self.nodes[node].address;
        let local_part = address.local_part.unquoted();
        let named =
            helper(&local_part).and_then(|(name, helper)| Some((at_host(name, &address.host)?, helper)));
        match named {
            Some((list, helper)) => {
                self.current = Some(Current { node, domain, stage: Stage::ListOfHelper { list, helper } });
            }
            None => self.role(node, domain),
        }
    }

    /// The owner gets what is for the list's helpers. An owner that is the list again would have it post bounces.
    fn list_owner(&mut self, node: usize, helper: Helper, list: &MailingList) {
        if self.is_addressed(node) {
            let bounced_member = if let Helper::Bounces(member) = helper { member } else { None };
            self.addressed = Addressed::ListHelper { bounced_member };
        }
        self.visit(list.owner.clone(), By::ListHelper, Some(node));
    }

    fn role(&mut self, node: usize, domain: Option<DomainEntry>) {
        if domain.is_none() {
            // Of a domain that nobody made: see `in_domain`.
            return self.foreign(node);
        }
        let host = &self.nodes[node].address.host;
        let local_part = self.nodes[node].address.local_part.unquoted();
        if !is_role(&local_part) {
            return self.catch_all(node, domain);
        }
        let own_host = Host::Domain(self.local.host_name.clone());
        let stand_in = match local_part.eq_ignore_ascii_case(POSTMASTER) {
            true if *host == own_host => None,
            true => at_host(POSTMASTER, &own_host),
            false => at_host(POSTMASTER, host),
        };
        match (stand_in, self.local.fallback_account) {
            (Some(postmaster), _) => self.visit(postmaster, By::Role, Some(node)),
            (None, Some(account)) => {
                let stage = Stage::Fallback(account.to_owned(), By::Role);
                self.current = Some(Current { node, domain, stage });
            }
            (None, None) => self.dead_end(node, DeadEndReason::Missing),
        }
    }

    fn catch_all(&mut self, node: usize, domain: Option<DomainEntry>) {
        if let Some(catch_all) = domain.as_ref().and_then(|domain| domain.catch_all.clone()) {
            self.address_is(node, Addressed::Local);
            return self.visit(catch_all, By::CatchAll, Some(node));
        }
        match (self.local.everything_else, self.local.fallback_account) {
            (EverythingElse::ToFallbackAccount, Some(account)) => {
                let stage = Stage::Fallback(account.to_owned(), By::CatchAll);
                self.current = Some(Current { node, domain, stage });
            }
            _ => self.dead_end(node, DeadEndReason::Missing),
        }
    }

    fn fallback(&mut self, node: usize, name: String, by: By, account: A) {
        self.address_is(node, Addressed::Local);
        // The name of an account is its address, but for those that were named otherwise.
        let address = name.parse().unwrap_or_else(|_| self.nodes[node].address.clone());
        let node = self.node(address, by, Some(node));
        self.account(node, name, account, None);
    }

    fn account(&mut self, node: usize, name: String, account: A, detail: Option<String>) {
        self.address_is(node, Addressed::Local);
        if self.reached.insert(name.to_lowercase()) {
            let path = self.path(node);
            self.targets.push(Target { leads_to: LeadsTo::Account { name, account, detail }, path });
        }
    }

    fn foreign(&mut self, node: usize) {
        if self.is_addressed(node) {
            self.addressed = Addressed::Foreign;
        }
        let leads_to = LeadsTo::Foreign(self.nodes[node].address.clone());
        let path = self.path(node);
        self.targets.push(Target { leads_to, path });
    }

    fn entry(&mut self, node: usize, entry: AddressEntry) {
        match entry.kind {
            AddressKind::Alias { targets } => {
                self.address_is(node, Addressed::Local);
                for target in targets {
                    self.visit(target, By::Alias, Some(node));
                }
            }
            AddressKind::List(_) if self.way(node).any(|node| node.by == By::ListHelper) => {
                self.dead_end(node, DeadEndReason::Loop);
            }
            AddressKind::List(list) => {
                self.address_is(node, Addressed::Local);
                let leads_to = LeadsTo::List { address: entry.address, list: Box::new(list) };
                let path = self.path(node);
                self.targets.push(Target { leads_to, path });
            }
            AddressKind::Moved { to, handling } => {
                self.address_is(node, Addressed::Moved { to: to.clone(), handling });
                match handling {
                    MovedHandling::Forward => self.visit(to, By::Moved, Some(node)),
                    MovedHandling::Refuse => self.dead_end(node, DeadEndReason::Moved),
                }
            }
        }
    }

    /// Notes an address that is to be looked at, unless it was already.
    fn visit(&mut self, address: Mailbox, by: By, parent: Option<usize>) {
        let key = key(&address);
        if !self.seen.insert(key.clone()) {
            let is_loop = parent.is_some_and(|parent| self.way(parent).any(|node| node.key == key));
            if is_loop {
                let node = self.node(address, by, parent);
                self.dead_end(node, DeadEndReason::Loop);
            }
            return;
        }
        if self.nodes.len() >= self.nodes_max {
            // Said once: what is over the limit is not even counted.
            if !std::mem::replace(&mut self.is_full, true) {
                let path = parent.map(|parent| self.path(parent)).unwrap_or_default();
                self.dead_ends.push(DeadEnd { why: DeadEndReason::TooMany, path });
            }
            return;
        }
        let node = self.node(address, by, parent);
        if self.nodes[node].depth > DEPTH_MAX {
            return self.dead_end(node, DeadEndReason::TooDeep);
        }
        self.waiting.push_back(node);
    }

    fn node(&mut self, address: Mailbox, by: By, parent: Option<usize>) -> usize {
        let depth = parent.map_or(1, |parent| self.nodes[parent].depth + 1);
        self.nodes.push(Node { key: key(&address), address, by, parent, depth });
        self.nodes.len() - 1
    }

    /// What the address itself is, if `node` is that one or its base, and nothing was said before.
    fn address_is(&mut self, node: usize, addressed: Addressed) {
        let is_first = self.is_addressed(node)
            || (self.nodes[node].by == By::Subaddress && self.nodes[node].parent == Some(0));
        if is_first && self.addressed == Addressed::Missing {
            self.addressed = addressed;
        }
    }

    fn is_addressed(&self, node: usize) -> bool {
        self.nodes[node].by == By::Addressed
    }

    fn dead_end(&mut self, node: usize, why: DeadEndReason) {
        let path = self.path(node);
        self.dead_ends.push(DeadEnd { why, path });
    }

    /// From `node` back to the address.
    fn way(&self, node: usize) -> impl Iterator<Item = &Node> {
        std::iter::successors(self.nodes.get(node), |node| self.nodes.get(node.parent?))
    }

    fn path(&self, node: usize) -> Vec<PathStep> {
        let mut path: Vec<_> =
            self.way(node).map(|node| PathStep { address: node.address.clone(), by: node.by }).collect();
        path.reverse();
        path
    }
}

/// The addresses that each domain has (RFC 5321 §4.5.1, RFC 2142 §2 and §4).
fn is_role(local_part: &str) -> bool {
    [POSTMASTER, "abuse"].iter().any(|role| local_part.eq_ignore_ascii_case(role))
}

const POSTMASTER: &str = "postmaster";
