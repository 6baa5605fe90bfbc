//! All of a domain's SPF, for people: every branch of the records, whichever term would have matched first.
//!
//! [`check_host`](super::check_host) stops at the first match, as RFC 7208 §4.6.2 says, so it tells neither what a domain lets in
//! besides nor what an evaluation costs at most. This walks on, within limits of its own, and evaluates nothing: what a term
//! matches is told where a client is given.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;

use types::dns::{DnsTrouble, Lookup};

use super::check::identified;
use super::macros::{DomainSpec, Values};
use super::record::{Directive, Mechanism, Network, Prefixes, Record, printable, same_ipv4, same_ipv6};
use super::walk::{fetch_record, is_within};
use super::{ADDRESS_LOOKUPS_MAX, Client, Identity, SpfProblem, SpfResult};
use crate::{Names, is_name};

/// Terms that are asked about in one survey: far more than any evaluation may have.
pub const SURVEY_TERMS_MAX: u32 = 60;
/// Records within each other.
pub const SURVEY_DEPTH_MAX: u32 = 12;

/// What a domain says, with all that it includes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// The domain's own record.
    pub root: Branch,
    /// Terms that ask the DNS, of [`LOOKUP_TERMS_MAX`](super::LOOKUP_TERMS_MAX) in an evaluation.
    pub lookup_terms: u32,
    /// Terms that find nothing, of [`VOID_LOOKUPS_MAX`](super::VOID_LOOKUPS_MAX).
    pub void_lookups: u32,
    /// Whether there is more than was looked at.
    pub is_cut: bool,
}

/// The record of a domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Branch {
    /// Whose.
    pub domain: String,
    /// As published: printable, and cut where it is very long. None where there is none.
    pub record: Option<String>,
    /// Why it cannot be used.
    pub problem: Option<SpfProblem>,
    /// Its terms, `redirect` last.
    pub terms: Vec<Term>,
    /// What it says of the client. None without a client, and where a term below has no answer.
    pub result: Option<SpfResult>,
    /// Whether it has `exp`.
    pub has_explanation: bool,
}

/// A directive, or `redirect`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// As written.
    pub text: String,
    /// What it is.
    pub kind: TermKind,
    /// What follows from a match; `pass` stands for `redirect`, which has no qualifier.
    pub qualifier: SpfResult,
    /// The name that is asked for. None where there is none, where it depends on a client that is not given, and where the DNS
    /// cannot have it.
    pub target: Option<String>,
    /// Whether `target` depends on who connects.
    pub depends_on_client: bool,
    /// Which of the terms that ask the DNS it is, counted from 1 in the order of the walk.
    pub place: Option<u32>,
    /// The addresses, or the names of mail hosts with theirs, as text.
    pub found: Vec<String>,
    /// The DNS has nothing there.
    pub is_void: bool,
    /// No answer.
    pub trouble: Option<DnsTrouble>,
    /// Whether the client matches. None without a client.
    pub is_match: Option<bool>,
    /// Where `include` and `redirect` lead.
    pub branch: Option<Branch>,
}

/// The mechanisms of RFC 7208 §5, and `redirect`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TermKind {
    /// Everybody.
    All,
    /// Whom another record lets in.
    Include,
    /// The addresses of a name.
    A,
    /// The addresses of mail hosts.
    Mx,
    /// Whose address has a name there; deprecated (§5.5).
    Ptr,
    /// A network.
    Ip,
    /// Whether a name exists.
    Exists,
    /// Another record in place of this one.
    Redirect,
}

/// Walks through all branches of a domain's record. Without a client nothing is matched, and macros that depend on one have no
/// target; what `identity` leaves open is `postmaster` at the domain.
pub async fn survey(names: &dyn Names, domain: &str, client: Option<&Client<'_>>, sender: &str) -> Survey {
    let identity = if sender.is_empty() { Identity::MailFrom(domain) } else { Identity::MailFrom(sender) };
    let (sender_local, sender_domain) = identified(identity, domain);
    let domain = domain.strip_suffix('.').unwrap_or(domain);
    let ip = client.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |client| client.ip.to_canonical());
    let values = Values {
        sender_local,
        sender_domain,
        domain,
        ip,
        validated_name: None,
        helo: client.map_or(domain, |client| client.helo),
        receiver: client.map_or("", |client| client.receiver),
        now: client.map_or(types::Timestamp::from_millis(0), |client| client.now),
    };
    let mut surveyor = Surveyor {
        names,
        values,
        client: client.map(|_| ip),
        lookup_terms: 0,
        void_lookups: 0,
        is_cut: false,
        path: Vec::new(),
    };
    let root = surveyor.branch(domain.to_owned()).await;
    let Surveyor { lookup_terms, void_lookups, is_cut, .. } = surveyor;
    Survey { root, lookup_terms, void_lookups, is_cut }
}

struct Surveyor<'a> {
    names: &'a dyn Names,
    values: Values<'a>,
    client: Option<IpAddr>,
    lookup_terms: u32,
    void_lookups: u32,
    is_cut: bool,
    /// The domains whose records lead here.
    path: Vec<String>,
}

impl Surveyor<'_> {
    fn branch(&mut self, domain: String) -> Pin<Box<dyn Future<Output = Branch> + Send + '_>> {
        Box::pin(async move {
            let mut branch = Branch::new(domain);
            let fetched = fetch_record(self.names, &branch.domain).await;
            branch.record = fetched.text.as_deref().map(shown);
            match fetched.record {
                Ok(Some(record)) => self.fill(&mut branch, record).await,
                Ok(None) => branch.result = self.client.map(|_| SpfResult::None),
                Err(problem) => {
                    branch.result = self.client.map(|_| problem.result());
                    branch.problem = Some(problem);
                }
            }
            branch
        })
    }

    async fn fill(&mut self, branch: &mut Branch, record: Record) {
        self.path.push(branch.domain.to_ascii_lowercase());
        branch.has_explanation = record.explanation.is_some();
        for directive in &record.directives {
            if branch.terms.len() >= TERMS_SHOWN_MAX {
                self.is_cut = true;
                break;
            }
            let term = self.directive(directive, &branch.domain).await;
            branch.terms.push(term);
        }
        // RFC 7208 §6.1: with `all`, a redirect is never reached.
        let has_all = branch.terms.iter().any(|term| term.kind == TermKind::All);
        if let Some(redirect) = record.redirect.filter(|_| !has_all) {
            let mut term = Term::new("redirect", TermKind::Redirect, SpfResult::Pass);
            term.target = self.target(&redirect, &branch.domain, &mut term.depends_on_client);
            term.text = format!("redirect={}", term.target.as_deref().unwrap_or("?"));
            self.follow(&mut term).await;
            term.is_match = self.client.map(|_| true);
            branch.terms.push(term);
        }
        branch.result = self.client.and_then(|_| result_of(&branch.terms));
        self.path.pop();
    }

    async fn directive(&mut self, directive: &Directive, domain: &str) -> Term {
        let mut term = Term::new(&directive.text, kind(&directive.mechanism), directive.qualifier);
        let (spec, prefixes) = match &directive.mechanism {
            Mechanism::All => {
                term.is_match = self.client.map(|_| true);
                return term;
            }
            Mechanism::Ip(network) => {
                term.found.push(network_text(*network));
                term.is_match = self.client.map(|ip| network.contains(ip));
                return term;
            }
            Mechanism::Include(spec) | Mechanism::Exists(spec) => (Some(spec), None),
            Mechanism::Ptr(spec) => (spec.as_ref(), None),
            Mechanism::A(spec, prefixes) | Mechanism::Mx(spec, prefixes) => (spec.as_ref(), Some(*prefixes)),
        };
        term.target = match spec {
            Some(spec) => self.target(spec, domain, &mut term.depends_on_client),
            None => Some(domain.to_owned()),
        };
        match directive.mechanism {
            Mechanism::Include(_) => {
                self.follow(&mut term).await;
                let result = term.branch.as_ref().and_then(|branch| branch.result);
                term.is_match = self.client.map(|_| result == Some(SpfResult::Pass));
            }
            _ if !self.may_ask(&mut term) => {}
            Mechanism::A(..) => self.a(&mut term, prefixes.unwrap_or(WHOLE)).await,
            Mechanism::Mx(..) => self.mx(&mut term, prefixes.unwrap_or(WHOLE)).await,
            Mechanism::Exists(_) => self.exists(&mut term).await,
            _ => self.ptr(&mut term).await,
        }
        self.void_lookups += u32::from(term.is_void);
        term
    }

    /// `include` and `redirect`.
    async fn follow(&mut self, term: &mut Term) {
        if !self.may_ask(term) {
            return;
        }
        let Some(target) = term.target.clone() else { return };
        let is_circle = self.path.contains(&target.to_ascii_lowercase());
        if is_circle || self.path.len() >= SURVEY_DEPTH_MAX as usize {
            let mut branch = Branch::new(target);
            branch.problem = Some(SpfProblem::TooManyLookups);
            branch.result = self.client.map(|_| SpfResult::PermError);
            self.is_cut |= !is_circle;
            term.branch = Some(branch);
            return;
        }
        term.branch = Some(self.branch(target).await);
    }

    /// Counts a term that asks. Without a target there is nothing to ask.
    fn may_ask(&mut self, term: &mut Term) -> bool {
        if self.lookup_terms >= SURVEY_TERMS_MAX {
            self.is_cut = true;
            return false;
        }
        self.lookup_terms += 1;
        term.place = Some(self.lookup_terms);
        if term.target.is_none() {
            term.is_match = self.client.map(|_| false);
        }
        term.target.is_some()
    }

    fn target(&self, spec: &DomainSpec, domain: &str, depends: &mut bool) -> Option<String> {
        *depends = spec.depends_on_client();
        if *depends && self.client.is_none() {
            return None;
        }
        spec.target(&Values { domain, ..self.values })
    }

    async fn a(&self, term: &mut Term, prefixes: Prefixes) {
        let host = term.target.clone().unwrap_or_default();
        let found = self.addresses(&host, prefixes).await;
        term.take(&found);
        term.found = found.addresses.iter().map(ToString::to_string).collect();
        term.is_match = self.client.map(|_| found.is_match);
    }

    async fn mx(&self, term: &mut Term, prefixes: Prefixes) {
        let domain = term.target.clone().unwrap_or_default();
        let hosts = match self.names.mx(&domain).await {
            Lookup::Records { records, .. } => records,
            Lookup::NoData { .. } | Lookup::NoSuchName => Vec::new(),
            Lookup::Trouble(trouble) => {
                term.trouble = Some(trouble);
                return;
            }
        };
        let mut all = Addresses::default();
        for host in hosts.iter().take(ADDRESS_LOOKUPS_MAX) {
            let host = host.exchange.strip_suffix('.').unwrap_or(&host.exchange);
            if !is_name(host) {
                continue;
            }
            let found = self.addresses(host, prefixes).await;
            let listed: Vec<String> = found.addresses.iter().map(ToString::to_string).collect();
            let listed = if listed.is_empty() { "no address".to_owned() } else { listed.join(", ") };
            term.found.push(format!("{host} ({listed})"));
            all.addresses.extend(found.addresses);
            all.is_match |= found.is_match;
            all.trouble = all.trouble.or(found.trouble);
        }
        if hosts.len() > ADDRESS_LOOKUPS_MAX {
            term.found.push(format!("and {} more, which is an error", hosts.len() - ADDRESS_LOOKUPS_MAX));
        }
        term.take(&all);
        term.is_match = self.client.map(|_| all.is_match);
    }

    async fn exists(&self, term: &mut Term) {
        let name = term.target.clone().unwrap_or_default();
        match self.names.ipv4(&name).await {
            Lookup::Records { records, .. } => {
                term.found = records.iter().take(FOUND_MAX).map(ToString::to_string).collect();
            }
            Lookup::NoData { .. } | Lookup::NoSuchName => term.is_void = true,
            Lookup::Trouble(trouble) => term.trouble = Some(trouble),
        }
        term.is_match = self.client.map(|_| !term.found.is_empty());
    }

    async fn ptr(&self, term: &mut Term) {
        let Some(ip) = self.client else { return };
        let domain = term.target.clone().unwrap_or_default();
        let names = match self.names.ptr(ip).await {
            Lookup::Records { records, .. } => records,
            Lookup::NoData { .. } | Lookup::NoSuchName => {
                term.is_void = true;
                Vec::new()
            }
            Lookup::Trouble(trouble) => {
                term.trouble = Some(trouble);
                Vec::new()
            }
        };
        let mut is_match = false;
        for name in names.into_iter().take(ADDRESS_LOOKUPS_MAX) {
            let name = name.trim_end_matches('.').to_ascii_lowercase();
            let leads_back = is_name(&name) && self.addresses(&name, WHOLE).await.is_match;
            is_match |= leads_back && is_within(&name, &domain);
            term.found.push(if leads_back { name } else { format!("{name} (does not lead back)") });
        }
        term.is_match = Some(is_match);
    }

    /// Of both families; whether there is nothing is asked of the client's alone (§5.3), where there is one.
    async fn addresses(&self, host: &str, prefixes: Prefixes) -> Addresses {
        let mut all = Addresses::default();
        if !matches!(self.client, Some(IpAddr::V6(_))) {
            all.add(self.names.ipv4(host).await, IpAddr::V4);
        }
        if !matches!(self.client, Some(IpAddr::V4(_))) {
            all.add(self.names.ipv6(host).await, IpAddr::V6);
        }
        all.is_match = all.addresses.iter().any(|address| match (self.client, address) {
            (Some(IpAddr::V4(ip)), IpAddr::V4(other)) => same_ipv4(ip, *other, prefixes.ipv4),
            (Some(IpAddr::V6(ip)), IpAddr::V6(other)) => same_ipv6(ip, *other, prefixes.ipv6),
            _ => false,
        });
        all.addresses.truncate(FOUND_MAX);
        all
    }
}

#[derive(Default)]
struct Addresses {
    addresses: Vec<IpAddr>,
    is_match: bool,
    trouble: Option<DnsTrouble>,
}

impl Addresses {
    fn add<A>(&mut self, lookup: Lookup<A>, family: fn(A) -> IpAddr) {
        match lookup {
            Lookup::Records { records, .. } => self.addresses.extend(records.into_iter().map(family)),
            Lookup::NoData { .. } | Lookup::NoSuchName => {}
            Lookup::Trouble(trouble) => self.trouble = Some(trouble),
        }
    }
}

/// The first that matches decides (§4.6.2); an error on the way to it does too.
fn result_of(terms: &[Term]) -> Option<SpfResult> {
    for term in terms {
        if term.trouble.is_some() {
            return Some(SpfResult::TempError);
        }
        let below = term.branch.as_ref().and_then(|branch| branch.result);
        match (term.kind, below) {
            (TermKind::Include | TermKind::Redirect, Some(SpfResult::None)) => {
                return Some(SpfResult::PermError);
            }
            (TermKind::Include, Some(error @ (SpfResult::TempError | SpfResult::PermError))) => {
                return Some(error);
            }
            (TermKind::Redirect, result) => return result,
            _ if term.is_match == Some(true) => return Some(term.qualifier),
            _ => {}
        }
    }
    Some(SpfResult::Neutral)
}

impl Branch {
    const fn new(domain: String) -> Self {
        Self { domain, record: None, problem: None, terms: Vec::new(), result: None, has_explanation: false }
    }
}

impl Term {
    fn new(text: &str, kind: TermKind, qualifier: SpfResult) -> Self {
        Self {
            text: text.to_owned(),
            kind,
            qualifier,
            target: None,
            depends_on_client: false,
            place: None,
            found: Vec::new(),
            is_void: false,
            trouble: None,
            is_match: None,
            branch: None,
        }
    }

    fn take(&mut self, found: &Addresses) {
        self.trouble = found.trouble.filter(|_| found.addresses.is_empty());
        self.is_void = found.addresses.is_empty() && found.trouble.is_none();
    }
}

const fn kind(mechanism: &Mechanism) -> TermKind {
    match mechanism {
        Mechanism::All => TermKind::All,
        Mechanism::Include(_) => TermKind::Include,
        Mechanism::A(..) => TermKind::A,
        Mechanism::Mx(..) => TermKind::Mx,
        Mechanism::Ptr(_) => TermKind::Ptr,
        Mechanism::Ip(_) => TermKind::Ip,
        Mechanism::Exists(_) => TermKind::Exists,
    }
}

fn network_text(network: Network) -> String {
    match network {
        Network::V4(address, bits) => format!("{address}/{bits}"),
        Network::V6(address, bits) => format!("{address}/{bits}"),
    }
}

fn shown(text: &[u8]) -> String {
    let spaced = text.split(|octet| *octet == b' ').map(printable);
    let words: Vec<String> = spaced.take(TERMS_SHOWN_MAX).collect();
    words.join(" ")
}

const WHOLE: Prefixes = Prefixes { ipv4: 32, ipv6: 128 };

/// Addresses that are shown of one name.
const FOUND_MAX: usize = 20;
/// Terms of one record that are shown.
const TERMS_SHOWN_MAX: usize = 200;
