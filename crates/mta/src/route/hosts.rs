//! MX records to hosts in order.

use std::collections::HashSet;

use types::{Domain, Host};

use super::{HOSTS_MAX, MxRecord, Network, SKIPPED_MAX, SkipReason, Skipped};

/// A host whose addresses are to be looked up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exchange {
    pub(super) name: Domain,
    pub(super) preference: u16,
}

/// What the MX records of a destination come to.
#[derive(Debug)]
pub(super) enum Exchanges {
    /// RFC 7505.
    Null,
    /// The best first, and whether this host is among the records.
    Hosts { hosts: Vec<Exchange>, skipped: Vec<Skipped>, ourselves: Ourselves },
}

/// Whether this host is among the MX records of a destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ourselves {
    Absent,
    Present,
}

/// Sorts by preference, at random among equals (RFC 5321 §5.1), leaves out what is no host, and everything that is not
/// preferred to this host.
pub(super) fn exchanges(records: &[MxRecord], network: &Network<'_>, random: u64) -> Exchanges {
    if let [record] = records
        && is_root(&record.exchange)
    {
        // RFC 7505 §3 says preference 0. With another it means the same, as there is no such host.
        return Exchanges::Null;
    }
    let mut skipped = Vec::new();
    let mut hosts: Vec<(u16, u64, Exchange)> = Vec::new();
    let mut ours: Option<u16> = None;
    let mut state = random;
    for MxRecord { preference, exchange } in records {
        match host_name(exchange) {
            Ok(name) if network.own_names.contains(&name) => {
                skip(&mut skipped, exchange, SkipReason::OurselvesByName);
                ours = Some(ours.map_or(*preference, |other| other.min(*preference)));
            }
            Ok(name) => {
                hosts.push((*preference, draw(&mut state), Exchange { name, preference: *preference }))
            }
            Err(why) => skip(&mut skipped, exchange, why),
        }
    }
    hosts.sort_by_key(|(preference, drawn, _)| (*preference, *drawn));
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    for (preference, _, exchange) in hosts {
        if ours.is_some_and(|ours| preference >= ours) {
            skip(&mut skipped, exchange.name.ascii(), SkipReason::NotBeforeOurselves);
        } else if seen.contains(exchange.name.ascii()) {
            // The same host again, at a preference that is not better.
        } else if kept.len() == HOSTS_MAX {
            skip(&mut skipped, exchange.name.ascii(), SkipReason::TooMany);
        } else {
            seen.insert(exchange.name.ascii().to_owned());
            kept.push(exchange);
        }
    }
    let ourselves = if ours.is_some() { Ourselves::Present } else { Ourselves::Absent };
    Exchanges::Hosts { hosts: kept, skipped, ourselves }
}

/// The name of a host in the DNS.
fn host_name(exchange: &str) -> Result<Domain, SkipReason> {
    if is_root(exchange) {
        return Err(SkipReason::NullAmongOthers);
    }
    let name = exchange.strip_suffix('.').unwrap_or(exchange);
    if name.parse::<std::net::IpAddr>().is_ok() || matches!(name.parse(), Ok(Host::Literal(_))) {
        return Err(SkipReason::IsAddress);
    }
    let name = Domain::parse_host_name(name).map_err(|_| SkipReason::NotAName)?;
    if is_localhost(&name) { Err(SkipReason::Localhost) } else { Ok(name) }
}

fn is_root(exchange: &str) -> bool {
    matches!(exchange, "" | ".")
}

/// RFC 6761 §6.3.
pub(super) fn is_localhost(name: &Domain) -> bool {
    name.ascii() == "localhost"
        || name.ascii().ends_with(".localhost")
        || name.ascii() == "localhost.localdomain"
}

pub(super) fn skip(skipped: &mut Vec<Skipped>, host: &str, why: SkipReason) {
    if skipped.len() < SKIPPED_MAX {
        let host = host.chars().take(types::limits::DOMAIN_BYTES_MAX).collect();
        skipped.push(Skipped { host, why });
    }
}

/// SplitMix64: the numbers only spread load, nobody gains by guessing them.
fn draw(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
