//! The machine that asks the DNS for what a route needs.

use std::collections::VecDeque;
use std::net::IpAddr;

use types::{AddressLiteral, Domain, Host};

use super::address::interleave;
use super::hosts::{Exchange, Exchanges, Ourselves, exchanges, is_localhost, skip};
use super::{
    AddressPolicy, Answer, DnsTrouble, Families, Found, Hop, HostText, Itinerary, Lookup, MxRecord, Network,
    Protocol, Query, Route, SkipReason, Skipped, Transport, Unroutable, Validation,
};

/// Finds the hosts for one destination.
#[derive(Debug)]
pub struct Router<'a> {
    network: &'a Network<'a>,
    random: u64,
    /// Of whom the operator's rule or the address speaks.
    destination: Destination,
    state: State,
}

/// What the hosts are looked up for.
#[derive(Debug, Clone)]
struct Destination {
    /// The domain whose records count; none where the hosts are known without.
    domain: Option<Domain>,
    port: u16,
    protocol: Protocol,
}

#[derive(Debug)]
enum State {
    Mx(Domain),
    Hosts(Hosts),
    Done(Route),
}

/// Hosts whose addresses are looked up one after the other.
#[derive(Debug)]
struct Hosts {
    by: By,
    pending: VecDeque<Exchange>,
    hops: Vec<Hop>,
    skipped: Vec<Skipped>,
    /// Whether this host was among the MX records, and whether any other was before it.
    ourselves: Ourselves,
    others: usize,
    site: String,
}

/// How the hosts of a destination were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Mx(Validation),
    ImplicitMx,
    Configured,
}

impl<'a> Router<'a> {
    /// A router for mail to `destination` by `transport`. `random` orders hosts of equal preference.
    #[must_use]
    pub fn new(destination: &Host, transport: &Transport, network: &'a Network<'a>, random: u64) -> Self {
        let mx = |domain: &Domain| {
            let destination =
                Destination { domain: Some(domain.clone()), port: network.port, protocol: Protocol::Smtp };
            (destination, State::Mx(domain.clone()))
        };
        let (destination, state) = match (transport, destination) {
            (Transport::Mx, Host::Domain(domain)) | (Transport::MxOf(domain), _) => mx(domain),
            (Transport::Mx, Host::Literal(literal)) => {
                let destination = Destination::at(network.port, Protocol::Smtp);
                let route = route_of_literal(literal, network);
                (destination, State::Done(route))
            }
            (Transport::Host { host, port, protocol }, _) => {
                let destination = Destination::at(*port, *protocol);
                let state = configured(host, &destination);
                (destination, state)
            }
            (Transport::Socket(path), _) => {
                (Destination::at(0, Protocol::Lmtp), State::Done(Route::Socket(path.clone())))
            }
            (Transport::OnDemand, _) => (Destination::at(0, Protocol::Smtp), State::Done(Route::OnDemand)),
            (Transport::Discard, _) => (Destination::at(0, Protocol::Smtp), State::Done(Route::Discard)),
            (Transport::Fail { status, text }, _) => {
                let reason = Unroutable::Rule { status: *status, text: text.clone() };
                (Destination::at(0, Protocol::Smtp), State::Done(unroutable(reason, Vec::new())))
            }
        };
        Self { network, random, destination, state }
    }

    /// What it wants to know next; nothing where the route is found.
    #[must_use]
    pub fn wanted(&self) -> Option<Query<'_>> {
        match &self.state {
            State::Mx(domain) => Some(Query::Mx(domain)),
            State::Hosts(hosts) => hosts.pending.front().map(|exchange| Query::Addresses(&exchange.name)),
            State::Done(_) => None,
        }
    }

    /// Takes the answer to what was [`Self::wanted`]. An answer of the other kind counts as none.
    pub fn supply(&mut self, answer: Answer) {
        let state = std::mem::replace(&mut self.state, State::Done(Route::Discard));
        self.state = match (state, answer) {
            (State::Mx(domain), Answer::Mx(lookup)) => self.mx(domain, lookup),
            (State::Mx(domain), Answer::Addresses { .. }) => {
                self.mx(domain, Lookup::Trouble(DnsTrouble::Malformed))
            }
            (State::Hosts(hosts), answer) => self.addresses(hosts, answer),
            (done @ State::Done(_), _) => done,
        };
    }

    /// The route. Where something is still wanted, the DNS counts as silent.
    #[must_use]
    pub fn finish(self) -> Route {
        match self.state {
            State::Done(route) => route,
            State::Mx(domain) => unroutable(no_answer(&domain, DnsTrouble::TimedOut), Vec::new()),
            State::Hosts(mut hosts) => {
                for exchange in std::mem::take(&mut hosts.pending) {
                    skip(&mut hosts.skipped, exchange.name.ascii(), DnsTrouble::TimedOut.into());
                }
                conclude(hosts, &self.destination)
            }
        }
    }

    fn mx(&self, domain: Domain, lookup: Lookup<MxRecord>) -> State {
        let (records, validation) = match lookup {
            Lookup::NoSuchName => {
                return State::Done(unroutable(Unroutable::NoSuchDomain(domain), Vec::new()));
            }
            Lookup::Trouble(trouble) => {
                return State::Done(unroutable(no_answer(&domain, trouble), Vec::new()));
            }
            Lookup::NoData { alias_of } => return self.implicit(alias_of.unwrap_or(domain)),
            Lookup::Records { records, alias_of, .. } if records.is_empty() => {
                return self.implicit(alias_of.unwrap_or(domain));
            }
            Lookup::Records { records, validation, .. } => (records, validation),
        };
        match exchanges(&records, self.network, self.random) {
            Exchanges::Null => State::Done(unroutable(Unroutable::NullMx(domain), Vec::new())),
            Exchanges::Hosts { hosts, skipped, ourselves } => {
                let site = site(&hosts);
                let others = hosts.len();
                let (hops, pending) = (Vec::new(), hosts.into());
                let by = By::Mx(validation);
                self.continued(Hosts { by, pending, hops, skipped, ourselves, others, site })
            }
        }
    }

    /// RFC 5321 §5.1: no MX record is one with preference 0 for the domain itself, or for what its alias leads to.
    fn implicit(&self, name: Domain) -> State {
        let mut skipped = Vec::new();
        let is_ours = self.network.own_names.contains(&name);
        let site = name.ascii().to_owned();
        let mut pending = VecDeque::new();
        if is_ours {
            skip(&mut skipped, name.ascii(), SkipReason::OurselvesByName);
        } else if is_localhost(&name) {
            skip(&mut skipped, name.ascii(), SkipReason::Localhost);
        } else {
            pending.push_back(Exchange { name, preference: 0 });
        }
        let ourselves = if is_ours { Ourselves::Present } else { Ourselves::Absent };
        let by = By::ImplicitMx;
        self.continued(Hosts {
            by,
            others: pending.len(),
            pending,
            hops: Vec::new(),
            skipped,
            ourselves,
            site,
        })
    }

    fn addresses(&self, mut hosts: Hosts, answer: Answer) -> State {
        let Some(exchange) = hosts.pending.pop_front() else { return self.continued(hosts) };
        match self.hop(&exchange, hosts.by, answer) {
            Ok(hop) => hosts.hops.push(hop),
            Err(SkipReason::OurselvesByAddress) => {
                skip(&mut hosts.skipped, exchange.name.ascii(), SkipReason::OurselvesByAddress);
                hosts.drop_not_before(exchange.preference);
            }
            Err(why) => skip(&mut hosts.skipped, exchange.name.ascii(), why),
        }
        self.continued(hosts)
    }

    fn continued(&self, hosts: Hosts) -> State {
        if hosts.pending.is_empty() {
            State::Done(conclude(hosts, &self.destination))
        } else {
            State::Hosts(hosts)
        }
    }

    /// The host with its addresses, or why it is of no use.
    fn hop(&self, exchange: &Exchange, by: By, answer: Answer) -> Result<Hop, SkipReason> {
        let Answer::Addresses { ipv4, ipv6 } = answer else { return Err(DnsTrouble::Malformed.into()) };
        let (wants_ipv4, wants_ipv6) = match self.network.families {
            Families::Both | Families::BothIpv4First => (true, true),
            Families::Ipv4 => (true, false),
            Families::Ipv6 => (false, true),
        };
        let ipv4 = if wants_ipv4 { Part::of(ipv4) } else { Part::default() };
        let ipv6 = if wants_ipv6 { Part::of(ipv6) } else { Part::default() };
        let troubles = [ipv4.trouble, ipv6.trouble];
        // RFC 7672 §2.1.2: a host with one false answer is no host, lest the false one is what leaves TLS out.
        if troubles.contains(&Some(DnsTrouble::Bogus)) {
            return Err(DnsTrouble::Bogus.into());
        }
        let found = |address: &IpAddr| self.network.own_addresses.contains(address);
        let all = || {
            ipv4.records.iter().copied().map(IpAddr::V4).chain(ipv6.records.iter().copied().map(IpAddr::V6))
        };
        if by != By::Configured && all().any(|address| found(&address.to_canonical())) {
            return Err(SkipReason::OurselvesByAddress);
        }
        let policy = if by == By::Configured { AddressPolicy::Any } else { self.network.policy };
        let is_allowed = |address: IpAddr| policy.check(address).is_ok();
        let allowed_ipv4: Vec<_> =
            ipv4.records.iter().copied().filter(|address| is_allowed(IpAddr::V4(*address))).collect();
        let allowed_ipv6: Vec<_> =
            ipv6.records.iter().copied().filter(|address| is_allowed(IpAddr::V6(*address))).collect();
        let addresses = interleave(&allowed_ipv4, &allowed_ipv6, self.network.families);
        if addresses.is_empty() {
            let refused = all().find_map(|address| policy.check(address).err());
            let trouble = troubles.into_iter().flatten().next();
            return Err(match (trouble, refused) {
                (Some(trouble), _) => trouble.into(),
                (None, Some(problem)) => problem.into(),
                (None, None) if ipv4.is_no_name || ipv6.is_no_name => SkipReason::NoSuchName,
                (None, None) => SkipReason::NoAddress,
            });
        }
        let is_secure = by.is_secure() && ipv4.is_secure() && ipv6.is_secure();
        Ok(Hop {
            name: Some(exchange.name.clone()),
            alias_of: ipv6.alias_of.or(ipv4.alias_of),
            addresses,
            found: by.found(exchange.preference),
            validation: if is_secure { Validation::Secure } else { Validation::Insecure },
        })
    }
}

impl Destination {
    const fn at(port: u16, protocol: Protocol) -> Self {
        Self { domain: None, port, protocol }
    }
}

impl By {
    const fn is_secure(self) -> bool {
        !matches!(self, Self::Mx(Validation::Insecure))
    }

    const fn found(self, preference: u16) -> Found {
        match self {
            Self::Mx(_) => Found::Mx { preference },
            Self::ImplicitMx => Found::ImplicitMx,
            Self::Configured => Found::Configured,
        }
    }
}

impl Hosts {
    /// RFC 5321 §5.1: this host has that preference, so that nothing of it and above is tried.
    fn drop_not_before(&mut self, preference: u16) {
        self.ourselves = Ourselves::Present;
        let pending = std::mem::take(&mut self.pending);
        for exchange in pending {
            // They are in order: all of them are of this preference or above.
            skip(&mut self.skipped, exchange.name.ascii(), SkipReason::NotBeforeOurselves);
        }
        let is_before = |hop: &Hop| !matches!(hop.found, Found::Mx { preference: of } if of >= preference);
        let (before, dropped): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.hops).into_iter().partition(is_before);
        for name in dropped.iter().filter_map(|hop| hop.name.as_ref()) {
            skip(&mut self.skipped, name.ascii(), SkipReason::NotBeforeOurselves);
        }
        self.hops = before;
    }
}

/// One family of a host's addresses.
#[derive(Debug)]
struct Part<R> {
    records: Vec<R>,
    alias_of: Option<Domain>,
    validation: Validation,
    trouble: Option<DnsTrouble>,
    is_no_name: bool,
}

impl<R> Default for Part<R> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            alias_of: None,
            validation: Validation::Insecure,
            trouble: None,
            is_no_name: false,
        }
    }
}

impl<R> Part<R> {
    fn of(lookup: Lookup<R>) -> Self {
        match lookup {
            Lookup::Records { records, alias_of, validation } => {
                Self { records, alias_of, validation, ..Self::default() }
            }
            Lookup::NoData { alias_of } => Self { alias_of, ..Self::default() },
            Lookup::NoSuchName => Self { is_no_name: true, ..Self::default() },
            Lookup::Trouble(trouble) => Self { trouble: Some(trouble), ..Self::default() },
        }
    }

    /// What is not there need not be proven.
    fn is_secure(&self) -> bool {
        self.records.is_empty() || self.validation == Validation::Secure
    }
}

fn route_of_literal(literal: &AddressLiteral, network: &Network<'_>) -> Route {
    let text = literal.to_string();
    let Some(address) = literal.ip() else { return unroutable(Unroutable::Literal(text), Vec::new()) };
    if network.own_addresses.contains(&address.to_canonical()) {
        return unroutable(Unroutable::Loop(text), Vec::new());
    }
    let reaches = match (network.families, address) {
        (Families::Ipv4, IpAddr::V6(_)) | (Families::Ipv6, IpAddr::V4(_)) => false,
        _ => network.policy.check(address).is_ok(),
    };
    if !reaches {
        return unroutable(Unroutable::Literal(text), Vec::new());
    }
    let destination = Destination::at(network.port, Protocol::Smtp);
    at_address(address, Found::Literal, &destination, text)
}

fn configured(host: &Host, destination: &Destination) -> State {
    let site = format!("{host}:{}", destination.port);
    match host {
        Host::Domain(name) => State::Hosts(Hosts {
            by: By::Configured,
            pending: [Exchange { name: name.clone(), preference: 0 }].into(),
            hops: Vec::new(),
            skipped: Vec::new(),
            ourselves: Ourselves::Absent,
            others: 1,
            site,
        }),
        Host::Literal(literal) => State::Done(match literal.ip() {
            Some(address) => at_address(address, Found::Configured, destination, site),
            None => unroutable(Unroutable::Literal(literal.to_string()), Vec::new()),
        }),
    }
}

fn at_address(address: IpAddr, found: Found, destination: &Destination, site: String) -> Route {
    let validation = Validation::Insecure;
    let hop = Hop { name: None, alias_of: None, addresses: vec![address], found, validation };
    let Destination { port, protocol, .. } = *destination;
    Route::Hosts(Itinerary { hops: vec![hop], protocol, port, site, skipped: Vec::new() })
}

fn conclude(hosts: Hosts, destination: &Destination) -> Route {
    let Hosts { by, hops, skipped, ourselves, others, site, .. } = hosts;
    if !hops.is_empty() {
        let Destination { port, protocol, .. } = *destination;
        return Route::Hosts(Itinerary { hops, protocol, port, site, skipped });
    }
    let reason = no_route(by, &skipped, ourselves, others, destination);
    unroutable(reason, skipped)
}

fn no_route(
    by: By,
    skipped: &[Skipped],
    ourselves: Ourselves,
    others: usize,
    destination: &Destination,
) -> Unroutable {
    let trouble = skipped.iter().find_map(|skipped| match skipped.why {
        SkipReason::Trouble(trouble) => Some((skipped.host.clone(), trouble)),
        _ => None,
    });
    // RFC 5321 §5.1: what is temporary is tried again, whatever else is wrong with the others.
    if let Some((domain, trouble)) = trouble {
        return Unroutable::Dns { domain, trouble };
    }
    let first = skipped.first();
    let Some(domain) = destination.domain.clone() else {
        // Without a domain there is one host, which the operator names.
        return match first.and_then(|skipped| skipped.host.parse().ok()) {
            Some(host) => Unroutable::ConfiguredHost(host),
            None => Unroutable::Literal(String::new()),
        };
    };
    let is_ours_alone = ourselves == Ourselves::Present
        && skipped.iter().filter(|skipped| !skipped.why.is_about_ourselves()).count() == 0;
    match (by, first) {
        _ if is_ours_alone || (ourselves == Ourselves::Present && others == 0) => {
            Unroutable::Loop(domain.to_string())
        }
        (By::ImplicitMx, Some(Skipped { why: SkipReason::NoSuchName, .. })) => {
            Unroutable::NoSuchDomain(domain)
        }
        (By::ImplicitMx, Some(Skipped { why: SkipReason::NoAddress, .. })) | (_, None) => {
            Unroutable::NoHost(domain)
        }
        (_, Some(Skipped { host, why })) => {
            Unroutable::NoUsableHost { domain, host: HostText::new(host), why: *why }
        }
    }
}

impl SkipReason {
    const fn is_about_ourselves(self) -> bool {
        matches!(self, Self::OurselvesByName | Self::OurselvesByAddress | Self::NotBeforeOurselves)
    }
}

/// The same for all destinations with the same mail servers, whatever their order.
fn site(hosts: &[Exchange]) -> String {
    let mut names: Vec<&str> = hosts.iter().map(|exchange| exchange.name.ascii()).collect();
    names.sort_unstable();
    names.join(",")
}

fn no_answer(domain: &Domain, trouble: DnsTrouble) -> Unroutable {
    Unroutable::Dns { domain: domain.ascii().to_owned(), trouble }
}

const fn unroutable(reason: Unroutable, skipped: Vec<Skipped>) -> Route {
    Route::Unroutable { reason, skipped }
}
