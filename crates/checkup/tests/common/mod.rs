#![allow(dead_code, reason = "each test program uses a part of this")]
//! An outside that is a table: a zone as text, and mail hosts that were made up.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;
use checkup::{Meeting, Outside, Secured, Unmet};
use mailauth::Names;
use types::dns::{DnsTrouble, Lookup, MxRecord, SrvRecord, TlsaRecord, Validation};
use types::{Domain, Mailbox, Reply};

/// Lines of `NAME TYPE DATA`, of which `*.NAME` counts as in a zone; the name of an address is the address itself. `NAME FAILS` has no
/// answer, and `NAME NEVER` lets whoever asks for its MX wait for ever. Whoever is not met does not answer.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) lines: Vec<String>,
    pub(crate) validation: Validation,
    pub(crate) policies: BTreeMap<String, Result<Vec<u8>, String>>,
    pub(crate) hosts: BTreeMap<IpAddr, Result<Meeting, Unmet>>,
    pub(crate) refused: Vec<String>,
}

impl Table {
    pub(crate) fn new(zone: &str) -> Self {
        let lines = zone.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        Self {
            lines,
            validation: Validation::Insecure,
            policies: BTreeMap::new(),
            hosts: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, line: &str) -> &mut Self {
        self.lines.push(line.to_owned());
        self
    }

    /// In the place of whatever the name has of that type.
    pub(crate) fn put(&mut self, line: &str) -> &mut Self {
        let kind = line.match_indices(' ').nth(1).map_or(line.len(), |(end, _)| end + 1);
        self.lines.retain(|other| !other.starts_with(&line[..kind]));
        self.add(line)
    }

    /// Without the lines that begin so.
    pub(crate) fn without(&mut self, beginning: &str) -> &mut Self {
        let before = self.lines.len();
        self.lines.retain(|line| !line.starts_with(beginning));
        assert!(self.lines.len() < before, "no line begins with {beginning}");
        self
    }

    fn at<'a>(&'a self, name: &'a str, kind: &'a str) -> impl Iterator<Item = &'a str> {
        self.lines.iter().filter_map(move |line| {
            let (of, rest) = line.split_once(' ')?;
            let (is, data) = rest.split_once(' ').unwrap_or((rest, ""));
            (of.eq_ignore_ascii_case(name) && is == kind).then_some(data)
        })
    }

    fn exists(&self, name: &str) -> bool {
        let below = format!(".{}", name.to_ascii_lowercase());
        self.lines
            .iter()
            .filter_map(|line| line.split(' ').next())
            .map(str::to_ascii_lowercase)
            .any(|of| of == name.to_ascii_lowercase() || of.ends_with(&below))
    }

    fn lookup<R>(&self, name: &str, kind: &str, read: impl Fn(&str) -> R) -> Lookup<R> {
        assert!(mailauth::is_name(name), "asked for {name:?}");
        self.answer(name, kind, read)
    }

    fn answer<R>(&self, name: &str, kind: &str, read: impl Fn(&str) -> R) -> Lookup<R> {
        let (mut name, mut alias_of) = (name.to_owned(), None);
        for _ in 0..8 {
            if self.at(&name, "FAILS").next().is_some() {
                return Lookup::Trouble(DnsTrouble::ServerFailure);
            }
            let mut records: Vec<R> = self.at(&name, kind).map(&read).collect();
            if records.is_empty() && !self.exists(&name) {
                let above = name.split_once('.').map_or("", |(_, above)| above);
                records = self.at(&format!("*.{above}"), kind).map(&read).collect();
            }
            if !records.is_empty() {
                return Lookup::Records { records, alias_of, validation: self.validation };
            }
            let Some(target) = self.at(&name, "CNAME").next() else {
                return if self.exists(&name) { Lookup::NoData { alias_of } } else { Lookup::NoSuchName };
            };
            let target = target.to_owned();
            alias_of = Domain::parse_host_name(&target).ok();
            name = target;
        }
        Lookup::Trouble(DnsTrouble::Malformed)
    }
}

fn word(data: &str, place: usize) -> &str {
    data.split(' ').nth(place).unwrap_or_default()
}

#[async_trait]
impl Names for Table {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.lookup(name, "TXT", |data| data.as_bytes().to_vec())
    }
    async fn ipv4(&self, name: &str) -> Lookup<Ipv4Addr> {
        self.lookup(name, "A", |data| data.parse().unwrap())
    }
    async fn ipv6(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.lookup(name, "AAAA", |data| data.parse().unwrap())
    }
    async fn mx(&self, name: &str) -> Lookup<MxRecord> {
        if self.at(name, "NEVER").next().is_some() {
            std::future::pending::<()>().await;
        }
        self.lookup(name, "MX", |data| MxRecord {
            preference: word(data, 0).parse().unwrap(),
            exchange: word(data, 1).to_owned(),
        })
    }
    async fn ptr(&self, address: IpAddr) -> Lookup<String> {
        self.answer(&address.to_string(), "PTR", str::to_owned)
    }
}

#[async_trait]
impl Outside for Table {
    async fn tlsa(&self, port: u16, host: &Domain) -> Lookup<TlsaRecord> {
        self.lookup(&format!("_{port}._tcp.{}", host.ascii()), "TLSA", |data| {
            let hex = word(data, 3).as_bytes().chunks(2);
            TlsaRecord {
                usage: word(data, 0).parse().unwrap(),
                selector: word(data, 1).parse().unwrap(),
                matching: word(data, 2).parse().unwrap(),
                data: hex
                    .map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap())
                    .collect(),
            }
        })
    }
    async fn srv(&self, name: &str) -> Lookup<SrvRecord> {
        self.lookup(name, "SRV", |data| SrvRecord {
            priority: word(data, 0).parse().unwrap(),
            weight: word(data, 1).parse().unwrap(),
            port: word(data, 2).parse().unwrap(),
            target: word(data, 3).to_owned(),
        })
    }
    async fn cname(&self, name: &str) -> Lookup<String> {
        self.lookup(name, "CNAME", str::to_owned)
    }
    async fn policy(&self, domain: &Domain) -> Result<Vec<u8>, String> {
        self.policies.get(domain.ascii()).cloned().unwrap_or_else(|| Err("nobody is there".to_owned()))
    }
    async fn meet(&self, _: &Domain, ip: IpAddr, _: u16) -> Result<Meeting, Unmet> {
        self.hosts.get(&ip).cloned().unwrap_or(Err(Unmet::Silence))
    }
    async fn ask_recipients(
        &self,
        _: &Domain,
        ip: IpAddr,
        _: u16,
        recipients: &[Mailbox],
    ) -> Result<Vec<Reply>, Unmet> {
        self.hosts.get(&ip).cloned().unwrap_or(Err(Unmet::Silence))?;
        let answer = |mailbox: &Mailbox| {
            let is_refused = self.refused.contains(&mailbox.to_string());
            let (code, text) = if is_refused { (550, "no such address") } else { (250, "taken") };
            Reply { code, enhanced: None, text: text.into() }
        };
        Ok(recipients.iter().map(answer).collect())
    }
}

/// A host that greets by that name.
pub(crate) fn meeting(name: &str, secured: Secured) -> Meeting {
    Meeting {
        greeting: vec![format!("220 {name} ESMTP")],
        ehlo: vec![format!("250 {name}"), "250 STARTTLS".to_owned()],
        secured,
    }
}
