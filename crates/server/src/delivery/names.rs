//! Drives the router with what the DNS says.
//!
//! The router wants one thing after the other; the DNS is asked for all that it may want at once: both families of
//! addresses, and all hosts of a destination as soon as its MX records are known. All of it has one limit of time,
//! after which what is not known counts as silent, so that a domain of twenty lame hosts holds nobody up.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use futures_util::future::join_all;
use mta::route::{Answer, Families, HOSTS_MAX, Network, Query, Route, Router, Transport};
use net::dns::{DnsOptions, Trust};
use tokio::time::{Instant, timeout_at};
use types::dns::{DnsTrouble, Lookup, MxRecord};
use types::{Domain, Host};

use crate::config::{self, Config, DnsTrust};
use crate::outside::{Lookups, Outside};

/// For one route. A DNS that works takes milliseconds.
const ROUTE_TIMEOUT: Duration = Duration::from_secs(60);

/// What a host's addresses are, as far as is known.
type Addresses = (Lookup<Ipv4Addr>, Lookup<Ipv6Addr>);

/// Where mail for `destination` goes by `transport`. `random` orders hosts of equal preference.
pub(crate) async fn route(
    dns: &dyn Lookups,
    destination: &Host,
    transport: &Transport,
    network: &Network<'_>,
    random: u64,
) -> Route {
    let mut router = Router::new(destination, transport, network, random);
    let end = Instant::now() + ROUTE_TIMEOUT;
    let mut known: HashMap<Domain, Addresses> = HashMap::new();
    while let Some(query) = router.wanted() {
        let answer = match query {
            Query::Mx(domain) => {
                let lookup =
                    timeout_at(end, dns.mx(domain)).await.unwrap_or(Lookup::Trouble(DnsTrouble::TimedOut));
                if let Lookup::Records { records, .. } = &lookup {
                    known = addresses_of(dns, &hosts(records, network), network.families, end).await;
                }
                Answer::Mx(lookup)
            }
            Query::Addresses(host) => {
                let (ipv4, ipv6) = match known.remove(host) {
                    Some(addresses) => addresses,
                    None => addresses(dns, host, network.families, end).await,
                };
                Answer::Addresses { ipv4, ipv6 }
            }
        };
        router.supply(answer);
    }
    router.finish()
}

/// The hosts that the router will most likely want: the best, as many as it looks at. Where more are equal than are
/// looked at, chance decides, and what is not here is asked for when it is wanted.
fn hosts(records: &[MxRecord], network: &Network<'_>) -> Vec<Domain> {
    let mut records: Vec<&MxRecord> = records.iter().collect();
    records.sort_by_key(|record| record.preference);
    let mut hosts = Vec::new();
    for record in records {
        let name = record.exchange.strip_suffix('.').unwrap_or(&record.exchange);
        let Ok(host) = Domain::parse_host_name(name) else { continue };
        if network.own_names.contains(&host) {
            // RFC 5321 §5.1: nothing from here on is tried.
            break;
        }
        if !hosts.contains(&host) {
            hosts.push(host);
        }
        if hosts.len() == HOSTS_MAX {
            break;
        }
    }
    hosts
}

async fn addresses_of(
    dns: &dyn Lookups,
    hosts: &[Domain],
    families: Families,
    end: Instant,
) -> HashMap<Domain, Addresses> {
    let all = hosts.iter().map(|host| addresses(dns, host, families, end));
    hosts.iter().cloned().zip(join_all(all).await).collect()
}

/// Both families at the same time, and none that cannot be reached anyway.
async fn addresses(dns: &dyn Lookups, host: &Domain, families: Families, end: Instant) -> Addresses {
    let ipv4 = async {
        if families == Families::Ipv6 {
            return Lookup::NoData { alias_of: None };
        }
        timeout_at(end, dns.ipv4(host)).await.unwrap_or(Lookup::Trouble(DnsTrouble::TimedOut))
    };
    let ipv6 = async {
        if families == Families::Ipv4 {
            return Lookup::NoData { alias_of: None };
        }
        timeout_at(end, dns.ipv6(host)).await.unwrap_or(Lookup::Trouble(DnsTrouble::TimedOut))
    };
    tokio::join!(ipv4, ipv6)
}

/// What is the same for all destinations, but for what it borrows.
pub(crate) fn network<'a>(
    config: &Config,
    own_names: &'a [Domain],
    own_addresses: &'a [IpAddr],
) -> Network<'a> {
    Network {
        own_names,
        own_addresses,
        families: config.delivery.families(),
        policy: config.delivery.address_policy(),
        port: config.delivery.port,
    }
}

/// How the DNS is asked.
pub fn dns_options(config: &config::Dns) -> DnsOptions {
    DnsOptions {
        servers: config.servers.iter().map(|server| server.0).collect(),
        timeout: config.timeout_s.duration(),
        attempts: config.attempts,
        trust: match config.trust {
            DnsTrust::Resolver => Trust::LocalResolver,
            DnsTrust::Validate => Trust::Validate,
            DnsTrust::None => Trust::None,
        },
        cache_entries: config.cache_entries,
        roots: config.trust_anchors.0.clone(),
    }
}

/// The addresses by which this machine is reached: those of its interfaces, and those that `config` names besides. Those
/// of loopback are left out: everybody has them, and the policy for addresses knows what to do with them. Interfaces
/// come and go, so this is to be asked again now and then.
pub(crate) fn own_addresses(config: &Config, outside: &dyn Outside) -> Vec<IpAddr> {
    let mut addresses = outside.own_addresses();
    addresses.extend(&config.delivery.source_addresses);
    addresses.iter_mut().for_each(|address| *address = address.to_canonical());
    addresses.retain(|address| !address.is_loopback() && !address.is_unspecified());
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(preference: u16, exchange: &str) -> MxRecord {
        MxRecord { preference, exchange: exchange.to_owned() }
    }

    #[test]
    fn the_best_hosts_before_this_one_are_asked_for_and_no_more() {
        let own_names = ["mail.example.org".parse().unwrap()];
        let network = Network {
            own_names: &own_names,
            own_addresses: &[],
            families: Families::Both,
            policy: mta::route::AddressPolicy::Global,
            port: 25,
        };
        let names = |records: &[MxRecord]| {
            hosts(records, &network).iter().map(|host| host.ascii().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            names(&[record(20, "b.example."), record(10, "a.example."), record(30, "A.example")]),
            ["a.example", "b.example"]
        );
        assert_eq!(
            names(&[record(20, "mail.example.org."), record(10, "a.example"), record(30, "c.example")]),
            ["a.example"]
        );
        assert_eq!(
            names(&[record(0, "."), record(1, "a b"), record(2, "192.0.2.1 x")]),
            Vec::<String>::new()
        );
        let many: Vec<_> = (0..10_000u16).rev().map(|n| record(n, &format!("h{n}.example"))).collect();
        let best = names(&many);
        assert_eq!((best.len(), best[0].as_str()), (HOSTS_MAX, "h0.example"));
    }

    #[test]
    fn addresses_of_every_machine_are_not_those_of_this_one() {
        let mut config = Config::default();
        let source: IpAddr = "::ffff:192.0.2.77".parse().unwrap();
        config.delivery.source_addresses = vec![source, "127.0.0.1".parse().unwrap()];
        let own = own_addresses(&config, &crate::outside::System::default());
        assert!(own.contains(&source.to_canonical()));
        assert!(own.iter().all(|address| !address.is_loopback()), "{own:?}");
    }
}
