//! A DNS that is a table, and what runs a future without a runtime.

use std::collections::BTreeMap;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::pin::pin;
use std::sync::Mutex;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use mailauth::Names;
use types::dns::{DnsTrouble, Lookup, MxRecord, Validation};

/// Records by name in lower case.
#[derive(Debug, Default)]
pub(crate) struct Zone {
    pub(crate) names: BTreeMap<String, Node>,
    /// What was asked for, in order.
    pub(crate) asked: Mutex<Vec<String>>,
}

#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) txt: Vec<Vec<u8>>,
    pub(crate) ipv4: Vec<Ipv4Addr>,
    pub(crate) ipv6: Vec<Ipv6Addr>,
    pub(crate) mx: Vec<MxRecord>,
    pub(crate) ptr: Vec<String>,
    pub(crate) alias: Option<String>,
    /// Questions without a record here are not answered.
    pub(crate) times_out: bool,
}

#[allow(dead_code, reason = "each test file uses some of it")]
impl Zone {
    pub(crate) fn with_texts(texts: &[(&str, &str)]) -> Self {
        let mut zone = Self::default();
        for (name, text) in texts {
            zone.node(name).txt.push(text.as_bytes().to_vec());
        }
        zone
    }

    pub(crate) fn node(&mut self, name: &str) -> &mut Node {
        self.names.entry(name.trim_end_matches('.').to_ascii_lowercase()).or_default()
    }

    fn lookup<R: Clone>(&self, name: &str, records: impl Fn(&Node) -> &Vec<R>) -> Lookup<R> {
        assert!(mailauth::is_name(name), "asked for {name:?}");
        self.asked.lock().unwrap().push(name.to_owned());
        let mut name = name.to_ascii_lowercase();
        for _ in 0..10 {
            let Some(node) = self.names.get(&name) else {
                let below = format!(".{name}");
                let is_empty = self.names.keys().any(|other| other.ends_with(&below));
                return if is_empty { Lookup::NoData { alias_of: None } } else { Lookup::NoSuchName };
            };
            let found = records(node);
            if !found.is_empty() {
                return Lookup::Records {
                    records: found.clone(),
                    alias_of: None,
                    validation: Validation::Insecure,
                };
            }
            if node.times_out {
                return Lookup::Trouble(DnsTrouble::TimedOut);
            }
            match &node.alias {
                Some(alias) => name = alias.trim_end_matches('.').to_ascii_lowercase(),
                None => return Lookup::NoData { alias_of: None },
            }
        }
        Lookup::Trouble(DnsTrouble::ServerFailure)
    }
}

#[async_trait]
impl Names for Zone {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.lookup(name, |node| &node.txt)
    }
    async fn ipv4(&self, name: &str) -> Lookup<Ipv4Addr> {
        self.lookup(name, |node| &node.ipv4)
    }
    async fn ipv6(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.lookup(name, |node| &node.ipv6)
    }
    async fn mx(&self, name: &str) -> Lookup<MxRecord> {
        self.lookup(name, |node| &node.mx)
    }
    async fn ptr(&self, address: IpAddr) -> Lookup<String> {
        self.lookup(&reverse_name(address), |node| &node.ptr)
    }
}

pub(crate) fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(ip) => {
            let mut name = String::new();
            for octet in ip.octets().iter().rev() {
                name += &format!("{:x}.{:x}.", octet & 15, octet >> 4);
            }
            name + "ip6.arpa"
        }
    }
}

/// A table answers at once, so whoever waits waits for something that nothing will wake.
pub(crate) fn run<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("waits for something else than the names"),
    }
}
