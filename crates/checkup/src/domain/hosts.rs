//! The mail hosts as they are met: their names, their greetings, their certificates, and what the DNS says of these.

use std::net::IpAddr;

use futures_util::future::join_all;
use mailauth::iprev::{self, Iprev};
use types::Domain;
use types::dns::{Lookup, TlsaRecord};

use super::mx::MailHost;
use super::{Question, smtp, tls};
use crate::{Finding, Meeting, Outside, Topic, Unmet, Verdict};

/// A mail host that was visited.
#[derive(Debug)]
pub(super) struct MetHost {
    /// One for each of its addresses.
    pub(super) sessions: Vec<Met>,
    /// The name at which TLSA records were found, or else the host's own (RFC 7672 §2.2.2).
    pub(super) tlsa_base: Domain,
    pub(super) tlsa: Lookup<TlsaRecord>,
}

/// An address that was visited.
#[derive(Debug)]
pub(super) struct Met {
    pub(super) ip: IpAddr,
    pub(super) reverse: Iprev,
    pub(super) meeting: Result<Meeting, Unmet>,
    /// What the host calls itself; none where it was not met, or said none.
    pub(super) hello: Option<Hello>,
}

/// What a host calls itself.
#[derive(Debug)]
pub(super) struct Hello {
    pub(super) name: String,
    pub(super) leads: Leads,
}

/// Where a name leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Leads {
    /// To the address where it was said.
    Here,
    /// To another address.
    Elsewhere,
    /// Nowhere.
    Nowhere,
    /// It is no whole name of a host.
    NoName,
    /// The DNS does not answer.
    Unknown,
}

/// Visits each address of each host, all at the same time.
pub(super) async fn meet(outside: &dyn Outside, question: &Question, hosts: &[MailHost]) -> Vec<MetHost> {
    join_all(hosts.iter().map(|host| async move {
        let sessions = host.addresses.iter().map(|ip| visit(outside, question, host, *ip));
        let (sessions, (tlsa_base, tlsa)) =
            futures_util::join!(join_all(sessions), tlsa(outside, question, host));
        MetHost { sessions, tlsa_base, tlsa }
    }))
    .await
}

async fn visit(outside: &dyn Outside, question: &Question, host: &MailHost, ip: IpAddr) -> Met {
    let (reverse, meeting) =
        futures_util::join!(iprev::check(outside, ip), outside.meet(&host.name, ip, question.port));
    let said = meeting.as_ref().ok().and_then(|meeting| meeting.greeting.first());
    // RFC 5321 §4.2: 220, a space, the name.
    let name = said.and_then(|line| line.get(4..)).and_then(|text| text.split_ascii_whitespace().next());
    let hello = match name {
        Some(name) => Some(Hello { name: name.to_owned(), leads: leads(outside, name, ip).await }),
        None => None,
    };
    Met { ip, reverse, meeting, hello }
}

async fn leads(outside: &dyn Outside, name: &str, ip: IpAddr) -> Leads {
    let Some(name) = Domain::parse_host_name(name).ok().filter(|name| name.ascii().contains('.')) else {
        return Leads::NoName;
    };
    match ip.to_canonical() {
        IpAddr::V4(ip) => leads_by(outside.ipv4(name.ascii()).await, ip),
        IpAddr::V6(ip) => leads_by(outside.ipv6(name.ascii()).await, ip),
    }
}

fn leads_by<A: PartialEq>(lookup: Lookup<A>, ip: A) -> Leads {
    match lookup {
        Lookup::Records { records, .. } if records.contains(&ip) => Leads::Here,
        Lookup::Records { .. } => Leads::Elsewhere,
        Lookup::NoData { .. } | Lookup::NoSuchName => Leads::Nowhere,
        Lookup::Trouble(_) => Leads::Unknown,
    }
}

/// RFC 7672 §2.2.2: what a host's name is an alias of comes first.
async fn tlsa(outside: &dyn Outside, question: &Question, host: &MailHost) -> (Domain, Lookup<TlsaRecord>) {
    if let Some(alias) = &host.alias_of {
        let found = outside.tlsa(question.port, alias).await;
        if matches!(found, Lookup::Records { .. }) {
            return (alias.clone(), found);
        }
    }
    (host.name.clone(), outside.tlsa(question.port, &host.name).await)
}

/// What of it is right and wrong.
pub(super) fn judge(question: &Question, hosts: &[MailHost], met: &[MetHost]) -> Vec<Finding> {
    let domain = question.domain.ascii();
    let visits: Vec<(&MailHost, &Met)> = hosts
        .iter()
        .zip(met)
        .flat_map(|(host, met)| met.sessions.iter().map(move |session| (host, session)))
        .collect();
    let of_each = |judge: fn(&MailHost, &Met) -> Option<Finding>| {
        visits.iter().filter_map(|(host, session)| judge(host, session)).collect::<Vec<_>>()
    };
    let mut findings = gathered(domain, "all mail hosts answer", smtp::answers(question, &visits));
    findings.extend(gathered(
        domain,
        "all addresses have names that lead back to them",
        of_each(smtp::reverse),
    ));
    findings.extend(gathered(domain, "all hosts greet with a name of their own", of_each(smtp::hello)));
    findings.extend(gathered(
        domain,
        "all mail hosts offer TLS with certificates that can be checked",
        visits.iter().flat_map(|(host, session)| tls::session(question, host, session)).collect(),
    ));
    let dane = hosts.iter().zip(met).filter_map(|(host, met)| tls::dane(question, host, met)).collect();
    findings.extend(gathered(
        domain,
        "the certificates of all mail hosts are those of their TLSA records (DANE)",
        dane,
    ));
    findings
}

/// Several good findings of one topic become one.
pub(super) fn gathered(about: &str, all_good: &str, findings: Vec<Finding>) -> Vec<Finding> {
    let (good, mut rest): (Vec<_>, Vec<_>) =
        findings.into_iter().partition(|finding| finding.verdict == Verdict::Good);
    match good.len() {
        0 | 1 => rest.splice(0..0, good).for_each(drop),
        number => {
            let topic = good.first().map_or(Topic::Smtp, |finding| finding.topic);
            let says = if rest.is_empty() {
                all_good.to_owned()
            } else {
                format!("{number} of {} are as they should be", number + rest.len())
            };
            let details = good.into_iter().map(|finding| finding.says);
            let all = Finding { details: details.collect(), ..super::good(topic, about, says) };
            rest.insert(0, all);
        }
    }
    rest
}
