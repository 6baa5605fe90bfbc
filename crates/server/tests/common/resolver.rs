#![allow(dead_code, reason = "each test program uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]
//! A resolver on loopback that answers from a table.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Edns, Message, ResponseCode};
use hickory_proto::rr::rdata::{A, CNAME, PTR, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// Names as they are asked for, without a dot at the end.
#[derive(Debug, Default, Clone)]
pub(crate) struct Zone {
    records: BTreeMap<String, Vec<RData>>,
    failing: BTreeSet<String>,
    silent: BTreeSet<String>,
}

/// It ends with the runtime of the test.
#[derive(Debug, Clone)]
pub(crate) struct Resolver {
    pub(crate) address: SocketAddr,
    zone: Arc<Zone>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Zone {
    /// With a text, in strings of at most 255 octets as the DNS wants it.
    pub(crate) fn txt(mut self, name: &str, text: &str) -> Self {
        let strings = text.as_bytes().chunks(255).map(|part| String::from_utf8(part.to_vec()).unwrap());
        self.add(name, RData::TXT(TXT::new(strings.collect())));
        self
    }

    /// With an address, and its name.
    pub(crate) fn host(mut self, name: &str, address: Ipv4Addr) -> Self {
        let [a, b, c, d] = address.octets();
        self.add(name, RData::A(A(address)));
        self.add(&format!("{d}.{c}.{b}.{a}.in-addr.arpa"), RData::PTR(PTR(domain(name))));
        self
    }

    /// With an address alone: what a list answers, for example.
    pub(crate) fn address(mut self, name: &str, address: Ipv4Addr) -> Self {
        self.add(name, RData::A(A(address)));
        self
    }

    /// With another name.
    pub(crate) fn alias(mut self, name: &str, to: &str) -> Self {
        self.add(name, RData::CNAME(CNAME(domain(to))));
        self
    }

    /// SERVFAIL.
    pub(crate) fn failing(mut self, name: &str) -> Self {
        self.failing.insert(name.to_owned());
        self
    }

    /// No answer.
    pub(crate) fn silent(mut self, name: &str) -> Self {
        self.silent.insert(name.to_owned());
        self
    }

    fn add(&mut self, name: &str, data: RData) {
        self.records.entry(name.to_owned()).or_default().push(data);
    }

    pub(crate) async fn serve(self) -> Resolver {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let resolver = Resolver { address, zone: Arc::new(self), asked: Arc::default() };
        tokio::spawn(resolver.clone().run(socket));
        resolver
    }
}

impl Resolver {
    /// What was asked for since the last time.
    pub(crate) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock().unwrap())
    }

    async fn run(self, socket: UdpSocket) {
        let mut buffer = [0; 4096];
        loop {
            let (count, peer) = socket.recv_from(&mut buffer).await.unwrap();
            if let Some(answer) = self.answer(&buffer[..count]) {
                socket.send_to(&answer, peer).await.unwrap();
            }
        }
    }

    fn answer(&self, octets: &[u8]) -> Option<Vec<u8>> {
        let request = Message::from_vec(octets).unwrap();
        let query = request.queries[0].clone();
        let asked = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
        self.asked.lock().unwrap().push(asked.clone());
        if self.zone.silent.contains(&asked) {
            return None;
        }
        let mut answer = Message::response(request.metadata.id, request.metadata.op_code);
        answer.metadata.recursion_available = true;
        answer.add_query(query.clone());
        if request.edns.is_some() {
            answer.set_edns(Edns::new());
        }
        let below = format!(".{asked}");
        match self.zone.records.get(&asked) {
            _ if self.zone.failing.contains(&asked) => {
                answer.metadata.response_code = ResponseCode::ServFail;
            }
            Some(records) => {
                let is_fitting = |data: &&RData| {
                    data.record_type() == query.query_type() || data.record_type() == RecordType::CNAME
                };
                let fitting = records.iter().filter(is_fitting);
                let of_name = |data: &RData| Record::from_rdata(query.name().clone(), 3600, data.clone());
                answer.answers.extend(fitting.map(of_name));
            }
            None if self.zone.records.keys().any(|name| name.ends_with(&below)) => {}
            None => answer.metadata.response_code = ResponseCode::NXDomain,
        }
        Some(answer.to_vec().unwrap())
    }
}

fn domain(name: &str) -> Name {
    let mut name = Name::from_ascii(name).unwrap();
    name.set_fqdn(true);
    name
}
