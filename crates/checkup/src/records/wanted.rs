//! The records of a domain.

use std::net::IpAddr;

use net::dane;
use net::mta_sts::PolicyId;
use types::directory::dkim_record_name;
use types::dns::{MxRecord, SrvRecord};

use super::facts::{Facts, KeyState, Mail};
use super::{Data, Need, Place, WantedRecord};
use crate::Topic;

/// The preference of the one mail host: others fit in front of it and behind it.
const PREFERENCE: u16 = 10;
/// A week in seconds: senders keep the policy of MTA-STS for so long (RFC 8461 §3.2 recommends weeks).
const POLICY_HOLDS_S: u32 = 604_800;
/// What mail programs look for (RFC 6186 §3, RFC 8314 §5.1), the ones that are encrypted from the first octet in front.
pub(super) const SERVICES: [(&str, &str); 6] = [
    ("submissions", "where mail programs send mail, encrypted from the first octet"),
    ("submission", "where mail programs send mail"),
    ("imaps", "where mail programs read mail by IMAP, encrypted from the first octet"),
    ("imap", "where mail programs read mail by IMAP"),
    ("pop3s", "where mail programs fetch mail by POP3, encrypted from the first octet"),
    ("pop3", "where mail programs fetch mail by POP3"),
];

/// What is to be published, by topic.
#[must_use]
pub fn wanted(facts: &Facts) -> Vec<WantedRecord> {
    if facts.mail == Mail::None {
        return without_mail(facts);
    }
    [
        mail_hosts(facts),
        names_and_addresses(facts),
        spf(facts),
        dkim(facts),
        dmarc(facts),
        mta_sts(facts),
        tls_reports(facts),
        tlsa(facts),
        services(facts),
        autoconfig(facts),
    ]
    .concat()
}

/// What `https://mta-sts.DOMAIN/.well-known/mta-sts.txt` is to say (RFC 8461 §3.2).
#[must_use]
pub fn policy_file(facts: &Facts) -> String {
    let host = facts.host.ascii();
    format!("version: STSv1\nmode: testing\nmx: {host}\nmax_age: {POLICY_HOLDS_S}\n")
}

fn mail_hosts(facts: &Facts) -> Vec<WantedRecord> {
    let mx = MxRecord { preference: PREFERENCE, exchange: facts.host.ascii().to_owned() };
    let purpose = "says which host takes the mail of the domain";
    vec![of_domain(facts, Topic::Mx, "", Data::Mx(mx), purpose, Need::Needed)]
}

/// Both directions have to agree: receivers ask for the name of an address, and for the addresses of that name.
fn names_and_addresses(facts: &Facts) -> Vec<WantedRecord> {
    let host = facts.host.ascii();
    let forward = facts.addresses.iter().map(|address| {
        let data = match address.to_canonical() {
            IpAddr::V4(address) => Data::A(address),
            IpAddr::V6(address) => Data::Aaaa(address),
        };
        of_host(facts, Topic::Address, host.to_owned(), data, "says where the host is", Need::Needed)
    });
    let backward = facts.addresses.iter().map(|address| WantedRecord {
        topic: Topic::Ptr,
        name: reverse_name(*address),
        data: Data::Ptr(host.to_owned()),
        purpose: "says which host has the address; many receivers take no mail from an address without it"
            .to_owned(),
        need: Need::Needed,
        place: Place::Addresses,
        remark: Some(format!("whoever gave you {address} sets it, most often in the panel of the server")),
    });
    forward.chain(backward).collect()
}

/// `~all` and not `-all`: a receiver may act on `-all` before it has looked at DKIM, and refuse what was forwarded
/// although DMARC passes (RFC 9989 §7.1). Forgers are stopped by the policy of DMARC. For the name in HELO, under which nobody
/// forwards anything, there is no such reason.
fn spf(facts: &Facts) -> Vec<WantedRecord> {
    let text = Data::Txt("v=spf1 mx ~all".to_owned());
    let purpose = "says which hosts may send mail of the domain: those that take its mail";
    let mut records = vec![of_domain(facts, Topic::Spf, "", text, purpose, Need::Needed)];
    if facts.host != facts.domain {
        let text = Data::Txt("v=spf1 a -all".to_owned());
        let purpose =
            "says the same of the name of the host, which counts for reports of what could not be delivered";
        let host = facts.host.ascii().to_owned();
        records.push(of_host(facts, Topic::Spf, host, text, purpose, Need::Recommended));
    }
    records
}

fn dkim(facts: &Facts) -> Vec<WantedRecord> {
    let record = |key: &super::Key| {
        let (purpose, need) = match key.state {
            KeyState::Active => ("is the key by which receivers verify what is signed now", Need::Needed),
            KeyState::Next => {
                ("is the key that signs next; receivers have to know it before", Need::Recommended)
            }
            KeyState::Retired => {
                ("is the key before, while mail that it has signed is on its way", Need::Recommended)
            }
        };
        WantedRecord {
            topic: Topic::Dkim,
            name: dkim_record_name(&key.selector, &facts.domain),
            data: Data::Txt(key.record.clone()),
            purpose: purpose.to_owned(),
            need,
            place: Place::Domain,
            remark: None,
        }
    };
    facts.keys.iter().map(record).collect()
}

/// `p=none` first: a domain of which nobody knows yet who else sends for it would lose that mail.
fn dmarc(facts: &Facts) -> Vec<WantedRecord> {
    let text = Data::Txt(format!("v=DMARC1; p=none; rua=mailto:{}", facts.reports));
    let purpose =
        "says what receivers do with mail in the name of the domain that is not proven to be the domain's";
    let remark =
        "once the reports show nothing but your own mail, write p=quarantine, and some weeks later p=reject";
    let record = of_domain(facts, Topic::Dmarc, "_dmarc.", text, purpose, Need::Recommended);
    let mut records = vec![WantedRecord { remark: Some(remark.to_owned()), ..record }];
    if let Some(reports) = facts.reports_domain() {
        records.push(WantedRecord {
            topic: Topic::Dmarc,
            name: format!("{}._report._dmarc.{}", facts.domain.ascii(), reports.ascii()),
            data: Data::Txt("v=DMARC1".to_owned()),
            purpose: format!(
                "says that {} wants the reports about {}",
                reports.as_str(),
                facts.domain.as_str()
            ),
            need: Need::Recommended,
            place: Place::Reports(reports.ascii().to_owned()),
            remark: None,
        });
    }
    records
}

fn mta_sts(facts: &Facts) -> Vec<WantedRecord> {
    let id = PolicyId::of(policy_file(facts).as_bytes());
    let text = Data::Txt(format!("v=STSv1; id={}", id.as_str()));
    let domain = facts.domain.ascii();
    let purpose = "says that senders find a policy which asks for TLS and a certificate of the host's name";
    let remark = format!(
        "publish it after https://mta-sts.{domain}/.well-known/mta-sts.txt is there, and change the id whenever that file \
         changes; Posta does not serve the file, a web server has to"
    );
    let record = of_domain(facts, Topic::MtaSts, "_mta-sts.", text, purpose, Need::Optional);
    vec![WantedRecord { remark: Some(remark), ..record }]
}

fn tls_reports(facts: &Facts) -> Vec<WantedRecord> {
    let text = Data::Txt(format!("v=TLSRPTv1; rua=mailto:{}", facts.reports));
    let purpose = "says where senders report connections that could not be encrypted";
    vec![of_domain(facts, Topic::TlsRpt, "_smtp._tls.", text, purpose, Need::Optional)]
}

fn tlsa(facts: &Facts) -> Vec<WantedRecord> {
    let name = format!("_25._tcp.{}", facts.host.ascii());
    let purpose =
        "says which key the host shows, so that nobody between a sender and it can show another one";
    let remark = "only where the zone of the host is signed by DNSSEC; before the key changes, publish a record of the \
                  next one too, and wait until the old answer has left all caches";
    let mut records: Vec<WantedRecord> = Vec::new();
    for certificate in facts.certificates.iter().filter_map(|chain| chain.first()) {
        let Some(data) = dane::record_of(certificate).map(Data::Tlsa) else { continue };
        if records.iter().any(|record| record.data == data) {
            continue;
        }
        let record = of_host(facts, Topic::Dane, name.clone(), data, purpose, Need::Optional);
        records.push(WantedRecord { remark: Some(remark.to_owned()), ..record });
    }
    records
}

/// A service that is not there has a record with a dot (RFC 6186 §3.4), so that programs do not try for it.
fn services(facts: &Facts) -> Vec<WantedRecord> {
    let Some(offered) = &facts.services else { return Vec::new() };
    let record = |(service, purpose): (&str, &str)| {
        let label = format!("_{service}._tcp.");
        let found = offered.iter().find(|offered| offered.service == service);
        let (srv, purpose) = match found {
            Some(found) => {
                let target = facts.host.ascii().to_owned();
                (SrvRecord { priority: 0, weight: 1, port: found.port, target }, format!("says {purpose}"))
            }
            None => {
                let none = SrvRecord { priority: 0, weight: 0, port: 0, target: ".".to_owned() };
                (none, format!("says that there is no {service} here"))
            }
        };
        of_domain(facts, Topic::Srv, &label, Data::Srv(srv), &purpose, Need::Optional)
    };
    SERVICES.into_iter().map(record).collect()
}

fn autoconfig(facts: &Facts) -> Vec<WantedRecord> {
    let record = |(label, programs): (&str, &str)| {
        let purpose = format!("is where {programs} look for the settings of an account");
        let data = Data::Cname(facts.host.ascii().to_owned());
        let record = of_domain(facts, Topic::Autoconfig, label, data, &purpose, Need::Optional);
        let remark = "nothing of Posta answers there yet; programs find the services by their SRV records";
        WantedRecord { place: Place::NotYet, remark: Some(remark.to_owned()), ..record }
    };
    [("autoconfig.", "Thunderbird and its like"), ("autodiscover.", "Outlook and its like")]
        .map(record)
        .to_vec()
}

/// A domain that neither takes nor sends mail says so, lest others use its name.
fn without_mail(facts: &Facts) -> Vec<WantedRecord> {
    let null = Data::Mx(MxRecord { preference: 0, exchange: ".".to_owned() });
    let nobody = Data::Txt("v=spf1 -all".to_owned());
    let no_key = Data::Txt("v=DKIM1; p=".to_owned());
    let reject = Data::Txt("v=DMARC1; p=reject; sp=reject".to_owned());
    vec![
        of_domain(facts, Topic::Mx, "", null, "says that the domain takes no mail", Need::Needed),
        of_domain(facts, Topic::Spf, "", nobody, "says that no host sends mail of the domain", Need::Needed),
        of_domain(
            facts,
            Topic::Dkim,
            "*._domainkey.",
            no_key,
            "says that no key signs for the domain",
            Need::Optional,
        ),
        of_domain(
            facts,
            Topic::Dmarc,
            "_dmarc.",
            reject,
            "says that all mail in its name is to be refused",
            Need::Needed,
        ),
    ]
}

fn of_domain(
    facts: &Facts,
    topic: Topic,
    labels: &str,
    data: Data,
    purpose: &str,
    need: Need,
) -> WantedRecord {
    let name = format!("{labels}{}", facts.domain.ascii());
    WantedRecord { topic, name, data, purpose: purpose.to_owned(), need, place: Place::Domain, remark: None }
}

fn of_host(facts: &Facts, topic: Topic, name: String, data: Data, purpose: &str, need: Need) -> WantedRecord {
    let place = if facts.is_within(facts.host.ascii()) { Place::Domain } else { Place::Host };
    WantedRecord { topic, name, data, purpose: purpose.to_owned(), need, place, remark: None }
}

/// RFC 1035 §3.5, RFC 3596 §2.5.
fn reverse_name(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles =
                address.octets().into_iter().rev().map(|octet| format!("{:x}.{:x}.", octet & 15, octet >> 4));
            nibbles.collect::<String>() + "ip6.arpa"
        }
    }
}
