//! Where mail for the domain goes (RFC 5321 §5.1, RFC 7505).

use std::collections::BTreeSet;
use std::net::IpAddr;

use futures_util::future::join_all;
use types::Domain;
use types::dns::{DnsTrouble, Lookup, MxRecord, Validation};

use super::{ADDRESSES_MAX, HOSTS_MAX, Question, bad, good, notice, warning, zone};
use crate::{Finding, Outside, Topic, Verdict};

/// Where mail goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Mail {
    /// To these, the best first.
    Hosts(Vec<MailHost>),
    /// The domain takes no mail, and says so (RFC 7505).
    TakesNone,
    /// Nowhere: there is no such host.
    Nowhere,
    /// There is no such domain.
    NoDomain,
    /// Nobody knows now.
    Unknown,
}

/// A mail host with its addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MailHost {
    /// Its name.
    pub(super) name: Domain,
    /// What that is an alias of.
    pub(super) alias_of: Option<Domain>,
    /// Of its record; none where the domain's own address is meant.
    pub(super) preference: Option<u16>,
    /// Those that may be connected to; at least one.
    pub(super) addresses: Vec<IpAddr>,
    /// Whether DNSSEC proves the way to it.
    pub(super) is_proven: bool,
}

impl Mail {
    pub(super) fn hosts(&self) -> &[MailHost] {
        match self {
            Self::Hosts(hosts) => hosts,
            Self::TakesNone | Self::Nowhere | Self::NoDomain | Self::Unknown => &[],
        }
    }
}

/// Asks for the hosts and their addresses.
pub(super) async fn find(outside: &dyn Outside, question: &Question) -> (Mail, Vec<Finding>) {
    let domain = question.domain.ascii();
    match outside.mx(domain).await {
        Lookup::Records { records, validation, alias_of } => {
            let mut findings = Vec::new();
            if let Some(alias) = alias_of {
                // RFC 1912 §2.4: a name with a CNAME has nothing else, so no TXT of its own either.
                let says = format!(
                    "the domain is an alias (CNAME) of {alias}, so all of its records are those of {alias}"
                );
                findings.push(notice(Topic::Mx, domain, says));
            }
            findings.push(dnssec(domain, validation));
            let mail = named(outside, question, records, validation, &mut findings).await;
            (mail, findings)
        }
        Lookup::NoData { .. } => implicit(outside, question).await,
        Lookup::NoSuchName => {
            let says = "the DNS knows no such domain, so no mail reaches it and mail from it is refused";
            let mend =
                "check the spelling; else register the domain, and have its registrar name your name servers";
            (Mail::NoDomain, vec![bad(Topic::Mx, domain, says).mend(mend)])
        }
        Lookup::Trouble(trouble) => {
            (Mail::Unknown, vec![zone::trouble(Topic::Mx, domain, "where mail for the domain goes", trouble)])
        }
    }
}

fn dnssec(domain: &str, validation: Validation) -> Finding {
    match validation {
        Validation::Secure => {
            good(Topic::Dnssec, domain, "the DNS proves what it says of the domain (DNSSEC)")
        }
        Validation::Insecure => {
            let says = "the DNS does not prove what it says of the domain, or the name server that was asked does not \
                        tell (DNSSEC)";
            notice(Topic::Dnssec, domain, says)
                .mend("turn on DNSSEC where the domain is hosted; DANE needs it")
        }
    }
}

async fn named(
    outside: &dyn Outside,
    question: &Question,
    mut records: Vec<MxRecord>,
    validation: Validation,
    findings: &mut Vec<Finding>,
) -> Mail {
    let domain = question.domain.ascii();
    let is_null = |record: &MxRecord| matches!(record.exchange.as_str(), "" | ".");
    if records.iter().any(is_null) {
        if records.iter().all(is_null) {
            let says = "the domain says that it takes no mail at all (null MX)";
            findings.push(notice(Topic::Mx, domain, says));
            return Mail::TakesNone;
        }
        // RFC 7505 §3: it stands alone.
        let says =
            "one MX record says that the domain takes no mail, and others name hosts: many senders give up";
        let mend = format!("remove the record \"{domain}. IN MX 0 .\"");
        findings.push(bad(Topic::Mx, domain, says).mend(mend));
        records.retain(|record| !is_null(record));
    }
    records.sort_by(|one, other| (one.preference, &one.exchange).cmp(&(other.preference, &other.exchange)));
    if records.len() > HOSTS_MAX {
        let says =
            format!("the domain has {} mail hosts; the first {HOSTS_MAX} are looked at", records.len());
        findings.push(notice(Topic::Mx, domain, says));
        records.truncate(HOSTS_MAX);
    }
    let names: Vec<String> = records.iter().map(exchange).collect();
    let mut good_news = good(Topic::Mx, domain, format!("mail goes to {}", zone::count(names.len(), "host")));
    for (record, name) in records.iter().zip(&names) {
        good_news = good_news.detail(format!("{} {name}", record.preference));
    }
    findings.push(good_news);
    let looked = join_all(records.iter().map(|record| look(outside, question, record, validation))).await;
    let mut hosts = Vec::new();
    let mut problems = Vec::new();
    for (host, found) in looked {
        hosts.extend(host);
        problems.extend(found);
    }
    settle(domain, hosts, problems, findings)
}

/// What is wrong with one host is worse where there is no other.
fn settle(
    domain: &str,
    mut hosts: Vec<MailHost>,
    mut problems: Vec<Finding>,
    findings: &mut Vec<Finding>,
) -> Mail {
    if !hosts.is_empty() {
        let lost = problems.iter_mut().filter(|finding| finding.topic == Topic::Mx);
        lost.filter(|finding| finding.verdict == Verdict::Bad)
            .for_each(|finding| finding.verdict = Verdict::Warning);
    }
    let is_unknown = hosts.is_empty() && problems.iter().any(|finding| finding.verdict == Verdict::Unknown);
    findings.append(&mut problems);
    if hosts.is_empty() {
        return if is_unknown { Mail::Unknown } else { Mail::Nowhere };
    }
    limit(&mut hosts);
    findings.push(families(domain, &hosts));
    Mail::Hosts(hosts)
}

/// Each address once, and no more than are connected to.
fn limit(hosts: &mut [MailHost]) {
    let mut left = ADDRESSES_MAX;
    for host in hosts {
        host.addresses.truncate(left);
        left -= host.addresses.len();
    }
}

fn families(domain: &str, hosts: &[MailHost]) -> Finding {
    let mut addresses = hosts.iter().flat_map(|host| &host.addresses);
    let (has_ipv4, has_ipv6) = (addresses.clone().any(IpAddr::is_ipv4), addresses.any(IpAddr::is_ipv6));
    match (has_ipv4, has_ipv6) {
        (true, true) => good(Topic::Address, domain, "mail hosts are reached by IPv4 and by IPv6"),
        (false, _) => {
            let says =
                "no mail host has an IPv4 address, so whoever has no IPv6 cannot send mail to the domain";
            warning(Topic::Address, domain, says).mend(host_line(hosts, "A", "an IPv4 address"))
        }
        (true, false) => notice(Topic::Address, domain, "no mail host has an IPv6 address"),
    }
}

fn host_line(hosts: &[MailHost], kind: &str, what: &str) -> String {
    let name = hosts.first().map_or("mail", |host| host.name.ascii());
    format!("give {name} {what}: {}", zone::line(name, kind, "ADDRESS"))
}

fn exchange(record: &MxRecord) -> String {
    record.exchange.trim_end_matches('.').to_ascii_lowercase()
}

/// One host of a record. None where mail cannot go there.
async fn look(
    outside: &dyn Outside,
    question: &Question,
    record: &MxRecord,
    validation: Validation,
) -> (Option<MailHost>, Vec<Finding>) {
    let domain = question.domain.ascii();
    let text = exchange(record);
    let mend = format!(
        "name a host by its name: {}",
        zone::line(domain, "MX", &format!("{} mail.{domain}.", record.preference))
    );
    // RFC 5321 §5.1: the data of an MX record is a name.
    if text.parse::<IpAddr>().is_ok() {
        let says = format!("the MX record names the address {text}, where only the name of a host may stand");
        return (None, vec![bad(Topic::Mx, &text, says).mend(mend)]);
    }
    let is_local = text == "localhost" || text.ends_with(".localhost");
    let Some(name) = Domain::parse_host_name(&text).ok().filter(|_| !is_local) else {
        let says = format!("the MX record names {text:?}, which no host on the Internet can be called");
        return (None, vec![bad(Topic::Mx, &text, says).mend(mend)]);
    };
    let mut looked = addresses(outside, question, &name).await;
    if let Some(alias) = &looked.alias_of {
        // RFC 5321 §5.1, RFC 2181 §10.3.
        let says = format!(
            "the MX record names an alias: {text} is a CNAME of {alias}, which the standard forbids and some hosts refuse"
        );
        let data = format!("{} {}.", record.preference, alias.ascii());
        looked.findings.push(warning(Topic::Mx, &text, says).mend(zone::line(domain, "MX", &data)));
    }
    if looked.usable.is_empty() {
        if !looked.has_any && looked.trouble.is_none() {
            let says = format!("{text} is named as a mail host, and has no address");
            let mend =
                format!("{} (with its address), or remove its MX record", zone::line(&text, "A", "ADDRESS"));
            looked.findings.push(bad(Topic::Mx, &text, says).mend(mend));
        }
        return (None, looked.findings);
    }
    let is_proven = validation == Validation::Secure && looked.is_proven;
    let host = MailHost {
        name,
        alias_of: looked.alias_of,
        preference: Some(record.preference),
        addresses: looked.usable,
        is_proven,
    };
    (Some(host), looked.findings)
}

/// What is known of the addresses of a host.
struct Looked {
    usable: Vec<IpAddr>,
    /// Whether there is one, usable or not.
    has_any: bool,
    alias_of: Option<Domain>,
    is_proven: bool,
    trouble: Option<DnsTrouble>,
    findings: Vec<Finding>,
}

async fn addresses(outside: &dyn Outside, question: &Question, host: &Domain) -> Looked {
    let (ipv4, ipv6) = futures_util::join!(outside.ipv4(host.ascii()), outside.ipv6(host.ascii()));
    let mut looked = Looked {
        usable: Vec::new(),
        has_any: false,
        alias_of: None,
        is_proven: true,
        trouble: None,
        findings: Vec::new(),
    };
    let mut found = BTreeSet::new();
    looked.take(ipv4, IpAddr::V4, &mut found);
    looked.take(ipv6, IpAddr::V6, &mut found);
    looked.has_any = !found.is_empty();
    for address in found {
        match question.address_policy.check(address) {
            Ok(()) => looked.usable.push(address),
            Err(problem) => {
                let says =
                    format!("{host} has the address {address}, where nobody outside can reach it: {problem}");
                let mend =
                    format!("remove \"{}\" from the public zone", zone::address(host.ascii(), address));
                looked.findings.push(bad(Topic::Address, host.ascii(), says).mend(mend));
            }
        }
    }
    if let (Some(trouble), false) = (looked.trouble, looked.has_any) {
        looked.findings.push(zone::trouble(
            Topic::Mx,
            host.ascii(),
            "the addresses of the mail host",
            trouble,
        ));
    }
    looked
}

impl Looked {
    fn take<A>(&mut self, lookup: Lookup<A>, family: fn(A) -> IpAddr, found: &mut BTreeSet<IpAddr>) {
        match lookup {
            Lookup::Records { records, alias_of, validation } => {
                found.extend(records.into_iter().map(family));
                self.is_proven &= validation == Validation::Secure;
                self.alias_of = self.alias_of.take().or(alias_of);
            }
            Lookup::NoData { alias_of } => self.alias_of = self.alias_of.take().or(alias_of),
            Lookup::NoSuchName => {}
            Lookup::Trouble(trouble) => self.trouble = Some(trouble),
        }
    }
}

/// RFC 5321 §5.1: without MX records, mail goes to the domain's own address.
async fn implicit(outside: &dyn Outside, question: &Question) -> (Mail, Vec<Finding>) {
    let domain = question.domain.ascii();
    let mend = |host: &str| {
        let mx = zone::line(domain, "MX", &format!("10 {host}."));
        format!("{mx}, or where the domain is to take no mail {}", zone::line(domain, "MX", "0 ."))
    };
    let looked = addresses(outside, question, &question.domain).await;
    let mut findings = looked.findings;
    if looked.usable.is_empty() {
        if looked.trouble.is_some() && !looked.has_any {
            return (Mail::Unknown, findings);
        }
        let says = "the domain has no MX record and no address that takes its place, so no mail reaches it";
        findings.insert(0, bad(Topic::Mx, domain, says).mend(mend(&format!("mail.{domain}"))));
        return (Mail::Nowhere, findings);
    }
    let says = "the domain has no MX record: mail goes to the domain's own address, and some hosts refuse mail from it";
    findings.insert(0, warning(Topic::Mx, domain, says).mend(mend(domain)));
    // Nothing tells whether the absence of MX records is proven, so DANE is not counted on.
    let host = MailHost {
        name: question.domain.clone(),
        alias_of: looked.alias_of,
        preference: None,
        addresses: looked.usable,
        is_proven: false,
    };
    let mut hosts = vec![host];
    limit(&mut hosts);
    findings.push(families(domain, &hosts));
    (Mail::Hosts(hosts), findings)
}
