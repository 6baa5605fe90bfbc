//! A DNS that is a table, and a policy host that serves one file.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use async_trait::async_trait;
use checkup::{Meeting, Outside, Unmet};
use mailauth::Names;
use types::dns::{DnsTrouble, Lookup, MxRecord, SrvRecord, TlsaRecord, Validation};
use types::{Domain, Mailbox, Reply};

/// Records by `name type`, each as its text.
#[derive(Debug, Default, Clone)]
pub(crate) struct Table {
    records: BTreeMap<String, Vec<String>>,
    /// Names for which nobody answers.
    silent: Vec<String>,
    pub(crate) policy: Option<String>,
    pub(crate) is_signed: bool,
}

impl Table {
    /// Lines of `name type value`.
    pub(crate) fn of(lines: &[&str]) -> Self {
        let mut table = Self::default();
        for line in lines {
            table.add(line);
        }
        table
    }

    pub(crate) fn add(&mut self, line: &str) -> &mut Self {
        let mut words = line.splitn(3, ' ');
        let key = format!("{} {}", words.next().unwrap(), words.next().unwrap());
        self.records.entry(key).or_default().push(words.next().unwrap().to_owned());
        self
    }

    /// In the place of whatever is there.
    pub(crate) fn put(&mut self, line: &str) -> &mut Self {
        let mut words = line.splitn(3, ' ');
        self.remove(&format!("{} {}", words.next().unwrap(), words.next().unwrap())).add(line)
    }

    pub(crate) fn remove(&mut self, key: &str) -> &mut Self {
        self.records.remove(key).unwrap_or_default();
        self
    }

    pub(crate) fn silence(&mut self, name: &str) -> &mut Self {
        self.silent.push(name.to_owned());
        self
    }

    fn lookup<R>(&self, name: &str, kind: &str, read: impl Fn(&str) -> R) -> Lookup<R> {
        assert!(mailauth::is_name(name), "asked for {name:?}");
        if self.silent.iter().any(|silent| silent == name) {
            return Lookup::Trouble(DnsTrouble::TimedOut);
        }
        let alias = self.records.get(&format!("{name} CNAME")).map(|target| target[0].clone());
        let (owner, _, above) =
            (alias.as_deref().unwrap_or(name), kind, name.split_once('.').map_or("", |(_, above)| above));
        let found = self
            .records
            .get(&format!("{owner} {kind}"))
            .or_else(|| self.records.get(&format!("*.{above} {kind}")));
        let alias_of: Option<Domain> = alias.as_deref().map(|alias| alias.parse().unwrap());
        let validation = if self.is_signed { Validation::Secure } else { Validation::Insecure };
        match found {
            Some(found) => Lookup::Records {
                records: found.iter().map(|text| read(text)).collect(),
                alias_of,
                validation,
            },
            None if self.records.keys().any(|key| key.starts_with(&format!("{owner} "))) => {
                Lookup::NoData { alias_of }
            }
            None => Lookup::NoSuchName,
        }
    }
}

#[async_trait]
impl Names for Table {
    async fn txt(&self, name: &str) -> Lookup<Vec<u8>> {
        self.lookup(name, "TXT", |text| text.as_bytes().to_vec())
    }
    async fn ipv4(&self, name: &str) -> Lookup<Ipv4Addr> {
        self.lookup(name, "A", |text| text.parse().unwrap())
    }
    async fn ipv6(&self, name: &str) -> Lookup<Ipv6Addr> {
        self.lookup(name, "AAAA", |text| text.parse().unwrap())
    }
    async fn mx(&self, name: &str) -> Lookup<MxRecord> {
        self.lookup(name, "MX", |text| {
            let (preference, exchange) = text.split_once(' ').unwrap();
            MxRecord { preference: preference.parse().unwrap(), exchange: exchange.to_owned() }
        })
    }
    async fn ptr(&self, address: IpAddr) -> Lookup<String> {
        self.lookup(&address.to_string().replace(':', "-"), "PTR", str::to_owned)
    }
}

#[async_trait]
impl Outside for Table {
    async fn tlsa(&self, port: u16, host: &Domain) -> Lookup<TlsaRecord> {
        self.lookup(&format!("_{port}._tcp.{}", host.ascii()), "TLSA", |text| {
            let words: Vec<&str> = text.split(' ').collect();
            let octet = |place: usize| u8::from_str_radix(&words[3][2 * place..2 * place + 2], 16).unwrap();
            TlsaRecord {
                usage: words[0].parse().unwrap(),
                selector: words[1].parse().unwrap(),
                matching: words[2].parse().unwrap(),
                data: (0..words[3].len() / 2).map(octet).collect(),
            }
        })
    }
    async fn srv(&self, name: &str) -> Lookup<SrvRecord> {
        self.lookup(name, "SRV", |text| {
            let words: Vec<&str> = text.split(' ').collect();
            SrvRecord {
                priority: words[0].parse().unwrap(),
                weight: words[1].parse().unwrap(),
                port: words[2].parse().unwrap(),
                target: words[3].to_owned(),
            }
        })
    }
    async fn cname(&self, name: &str) -> Lookup<String> {
        self.lookup(name, "CNAME", str::to_owned)
    }
    async fn policy(&self, _: &Domain) -> Result<Vec<u8>, String> {
        self.policy.clone().map(String::into_bytes).ok_or_else(|| "nobody listens there".to_owned())
    }
    async fn meet(&self, _: &Domain, _: IpAddr, _: u16) -> Result<Meeting, Unmet> {
        unreachable!("records are asked of the DNS alone")
    }
    async fn ask_recipients(
        &self,
        _: &Domain,
        _: IpAddr,
        _: u16,
        _: &[Mailbox],
    ) -> Result<Vec<Reply>, Unmet> {
        unreachable!("records are asked of the DNS alone")
    }
}
