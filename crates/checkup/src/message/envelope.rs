//! The connection and the envelope: SPF, the name of the address, HELO, TLS.

use std::net::IpAddr;

use mailauth::iprev::{self, Iprev};
use mailauth::spf::{self, Client, Identity, SpfResult};
use mailauth::{Names, is_name};
use types::Domain;
use types::dns::Lookup;

use super::{Question, Transport};
use crate::records::{self, Data};
use crate::spf::address_term;
use crate::{Finding, Topic, Verdict};

/// What SPF says, for DMARC, and all findings.
pub(super) async fn check(
    names: &dyn Names,
    question: &Question<'_>,
) -> (Option<spf::Outcome>, Vec<Finding>) {
    let arrival = question.arrival;
    let mut findings = Vec::new();
    if let Some(transport) = &arrival.transport {
        findings.push(tls(transport));
    }
    let Some(ip) = arrival.ip else {
        let says = "it is not known where the message came from, so SPF cannot be checked";
        findings.push(
            Finding::new(Topic::Spf, "client", Verdict::Unknown, says)
                .mend("say it: --ip ADDRESS --helo NAME --from PATH"),
        );
        return (None, findings);
    };
    let helo = arrival.helo.as_deref().unwrap_or_default();
    let path = ascii_path(arrival.reverse_path.as_deref().unwrap_or_default());
    let client = Client { ip, helo, receiver: "receiver.invalid", now: question.at };
    let identity = if path.is_empty() { Identity::Helo } else { Identity::MailFrom(&path) };
    let hello = async {
        match helo {
            "" => None,
            helo => Some(hello(names, helo, ip).await),
        }
    };
    let (outcome, name, hello) =
        futures_util::join!(spf::check_host(names, &client, identity), iprev::check(names, ip), hello);
    let of_network = is_of_network(ip);
    findings.push(if of_network && outcome.result != SpfResult::Pass {
        let says =
            format!("{ip} is no address that other servers see, so it cannot be told what they will say");
        Finding::new(Topic::Spf, &outcome.domain, Verdict::Unknown, says)
            .mend("say the address that your mail leaves from: --ip ADDRESS --helo NAME")
    } else {
        sender(&outcome, ip, &path, &arrival.assumed)
    });
    if !of_network || matches!(name, Iprev::Pass { .. }) {
        findings.push(reverse(&name, ip));
    }
    findings.extend(hello);
    (Some(outcome), findings)
}

/// Whether mail that leaves for other servers has another address on its way (RFC 1918, 4193, 6598).
fn is_of_network(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let is_shared = matches!(ip.octets(), [100, 64..=127, ..]);
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || is_shared
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// With A-labels.
fn ascii_path(path: &str) -> String {
    match path.rsplit_once('@') {
        Some((local, domain)) if !domain.is_ascii() => {
            let domain: Result<Domain, _> = domain.parse();
            domain.map_or_else(|_| path.to_owned(), |domain| format!("{local}@{}", domain.ascii()))
        }
        _ => path.to_owned(),
    }
}

fn sender(outcome: &spf::Outcome, ip: IpAddr, path: &str, assumed: &[String]) -> Finding {
    let domain = &outcome.domain;
    let (verdict, points, says) = match outcome.result {
        SpfResult::Pass => (Verdict::Good, 0.0, format!("{domain} says that {ip} may send for it")),
        SpfResult::None => (Verdict::Warning, 1.0, format!("{domain} does not say who may send for it")),
        SpfResult::Neutral => (Verdict::Warning, 0.7, format!("{domain} neither permits nor denies {ip}")),
        SpfResult::SoftFail => {
            (Verdict::Warning, 1.5, format!("{domain} says that {ip} probably may not send for it"))
        }
        SpfResult::Fail => (Verdict::Bad, 3.0, format!("{domain} says that {ip} may not send for it")),
        SpfResult::TempError => {
            (Verdict::Unknown, 0.0, format!("the record of {domain} could not be asked for"))
        }
        SpfResult::PermError => (Verdict::Bad, 2.0, format!("what {domain} publishes makes no sense")),
    };
    let mut finding = Finding::new(Topic::Spf, domain, verdict, says).points(points);
    if path.is_empty() {
        finding = finding.detail("the reverse-path is empty, so the name of HELO is what is checked");
    }
    if let Some(mechanism) = &outcome.mechanism {
        finding = finding.detail(format!("decided by {mechanism}"));
    }
    if let Some(problem) = &outcome.problem {
        finding = finding.detail(problem.to_string());
    }
    if let Some(explanation) = &outcome.explanation {
        finding = finding.detail(format!("the domain says: {explanation}"));
    }
    finding = assumed.iter().fold(finding, |finding, line| finding.detail(format!("assumed: {line}")));
    match outcome.result {
        SpfResult::Pass | SpfResult::TempError => finding,
        SpfResult::PermError => finding.mend(format!("see what is wrong with: posta spf walk {domain}")),
        SpfResult::None => {
            let text = format!("v=spf1 {} ~all", address_term(ip));
            finding.mend(format!(
                "if {ip} is yours, publish it with what else sends: {}",
                records::line(domain, &Data::Txt(text))
            ))
        }
        _ => finding.mend(format!(
            "if {ip} is yours, put {} before `all` in the SPF record of {domain}; see: posta spf walk {domain} --ip {ip}",
            address_term(ip)
        )),
    }
}

fn reverse(outcome: &Iprev, ip: IpAddr) -> Finding {
    let about = ip.to_string();
    let mend = format!(
        "have who gave you the address set its PTR record to the host's name, and that name's address to {ip}"
    );
    match outcome {
        Iprev::Pass { name } => Finding::new(
            Topic::Ptr,
            about,
            Verdict::Good,
            format!("its name is {name}, which leads back to it"),
        ),
        Iprev::Fail => {
            let says = "it has a name, which does not lead back to it";
            Finding::new(Topic::Ptr, about, Verdict::Bad, says).mend(mend).points(1.5)
        }
        Iprev::PermError => {
            let says = "it has no name, and many receivers refuse mail from such addresses";
            Finding::new(Topic::Ptr, about, Verdict::Bad, says).mend(mend).points(2.0)
        }
        Iprev::TempError => {
            Finding::new(Topic::Ptr, about, Verdict::Unknown, "its name could not be asked for")
        }
    }
}

/// RFC 5321 §4.1.1.1: a name that leads to the host.
async fn hello(names: &dyn Names, helo: &str, ip: IpAddr) -> Finding {
    let mend = "let the server call itself by its full host name, which has its address";
    if helo.starts_with('[') {
        let says = "the client calls itself by an address in place of a name";
        return Finding::new(Topic::Hello, helo, Verdict::Warning, says).mend(mend).points(0.7);
    }
    let is_full = Domain::parse_host_name(helo).is_ok() && helo.contains('.') && is_name(helo);
    if !is_full {
        let says = "the client calls itself by what is no full name of a host";
        return Finding::new(Topic::Hello, helo, Verdict::Warning, says).mend(mend).points(1.0);
    }
    let found = match ip.to_canonical() {
        IpAddr::V4(ip) => leads(names.ipv4(helo).await, &ip),
        IpAddr::V6(ip) => leads(names.ipv6(helo).await, &ip),
    };
    match found {
        Leads::There => Finding::new(Topic::Hello, helo, Verdict::Good, "the name leads to the client"),
        Leads::Elsewhere => {
            let says = format!("the name leads elsewhere than to {ip}");
            Finding::new(Topic::Hello, helo, Verdict::Notice, says).mend(mend).points(0.2)
        }
        Leads::Nowhere => {
            let says = "the name has no address";
            Finding::new(Topic::Hello, helo, Verdict::Warning, says).mend(mend).points(0.7)
        }
        Leads::Unknown => {
            Finding::new(Topic::Hello, helo, Verdict::Unknown, "the name could not be asked for")
        }
    }
}

enum Leads {
    There,
    Elsewhere,
    Nowhere,
    Unknown,
}

fn leads<A: PartialEq>(lookup: Lookup<A>, ip: &A) -> Leads {
    match lookup {
        Lookup::Records { records, .. } if records.contains(ip) => Leads::There,
        Lookup::Records { .. } => Leads::Elsewhere,
        Lookup::NoData { .. } | Lookup::NoSuchName => Leads::Nowhere,
        Lookup::Trouble(_) => Leads::Unknown,
    }
}

fn tls(transport: &Transport) -> Finding {
    match transport {
        Transport::Tls(what) => {
            Finding::new(Topic::Tls, "connection", Verdict::Good, format!("the message came over {what}"))
        }
        Transport::Plain => {
            let says = "the message came without encryption, where everybody on the way could read it";
            Finding::new(Topic::Tls, "connection", Verdict::Warning, says)
                .mend("let the sending server use STARTTLS wherever it is offered")
                .points(0.5)
        }
    }
}
