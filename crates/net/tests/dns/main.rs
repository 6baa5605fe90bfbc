//! The DNS as it may be met, row 21 of the attacks among it: every answer is by a resolver of this test on loopback.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod answers;
mod server;
mod signed;
mod zones;

use std::time::Duration;

use net::dns::{Dns, DnsOptions, Trust};
use types::Domain;
use types::dns::{Lookup, MxRecord, Validation};

use server::Server;

/// Asks that server alone. Nothing waits for its time limit, which is for machines that are slow.
fn dns(server: &Server, trust: Trust) -> Dns {
    Dns::new(&options(server, trust)).unwrap()
}

fn options(server: &Server, trust: Trust) -> DnsOptions {
    DnsOptions {
        servers: vec![server.address],
        timeout: Duration::from_secs(20),
        attempts: 2,
        trust,
        cache_entries: 1000,
        roots: None,
    }
}

/// For a server that is silent: how long that takes changes nothing.
fn impatient(server: &Server, attempts: usize) -> Dns {
    let timeout = Duration::from_millis(30);
    Dns::new(&DnsOptions { timeout, attempts, ..options(server, Trust::None) }).unwrap()
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

/// `a,b`, with ` < c` for an alias and a star for what is proven, or what there is in its place.
fn in_words<R>(lookup: &Lookup<R>, word: impl Fn(&R) -> String) -> String {
    let alias = |alias_of: &Option<Domain>| {
        alias_of.as_ref().map(|name| format!(" < {}", name.ascii())).unwrap_or_default()
    };
    match lookup {
        Lookup::Records { records, alias_of, validation } => {
            let words: Vec<_> = records.iter().map(word).collect();
            let star = if *validation == Validation::Secure { "*" } else { "" };
            format!("{}{}{star}", words.join(","), alias(alias_of))
        }
        Lookup::NoData { alias_of } => format!("no data{}", alias(alias_of)),
        Lookup::NoSuchName => "no such name".to_owned(),
        Lookup::Trouble(trouble) => format!("{trouble:?}"),
    }
}

async fn mx(dns: &Dns, name: &str) -> String {
    let word = |record: &MxRecord| format!("{} {}", record.preference, record.exchange);
    in_words(&dns.mx(&domain(name)).await, word)
}

async fn ipv4(dns: &Dns, name: &str) -> String {
    in_words(&dns.ipv4(&domain(name)).await, ToString::to_string)
}

async fn ipv6(dns: &Dns, name: &str) -> String {
    in_words(&dns.ipv6(&domain(name)).await, ToString::to_string)
}
