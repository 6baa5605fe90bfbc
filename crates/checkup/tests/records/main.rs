//! The records of a domain: what they are, how a zone says it, and what is found where they are or are not there.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test; a panic is its way to fail")]

mod check;
#[path = "../common/mod.rs"]
mod common;
mod unused;
mod zone;

use checkup::records::{Facts, Key, KeyState, Mail, Offered, WantedRecord, wanted};

/// A domain with a host of its own, two keys, and everything known.
fn facts() -> Facts {
    Facts {
        domain: "example.org".parse().unwrap(),
        mail: Mail::Some,
        host: "mail.example.org".parse().unwrap(),
        addresses: vec!["192.0.2.25".parse().unwrap(), "2001:db8::25".parse().unwrap()],
        services: Some(vec![
            Offered { service: "submissions".into(), port: 465 },
            Offered { service: "pop3s".into(), port: 1995 },
        ]),
        keys: vec![
            key("rsa1", &long_key(), KeyState::Active),
            key("ed1", "v=DKIM1; k=ed25519; p=MTIz", KeyState::Next),
        ],
        certificates: Vec::new(),
        reports: "postmaster@example.org".into(),
    }
}

fn key(selector: &str, record: &str, state: KeyState) -> Key {
    Key { selector: selector.into(), record: record.into(), state }
}

/// As long as one of RSA with 2048 bits.
fn long_key() -> String {
    format!("v=DKIM1; k=rsa; p={}", "MIIB".repeat(98))
}

/// `name type value`, one for each record.
fn in_words(records: &[WantedRecord]) -> Vec<String> {
    let shown =
        |record: &WantedRecord| format!("{} {} {}", record.name, record.data.kind(), record.data.value());
    records.iter().map(shown).collect()
}

#[test]
fn the_records_are_those_of_the_standards() {
    let records = in_words(&wanted(&facts()));
    let expected = [
        "example.org MX 10 mail.example.org",
        "mail.example.org A 192.0.2.25",
        "mail.example.org AAAA 2001:db8::25",
        "25.2.0.192.in-addr.arpa PTR mail.example.org",
        "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mail.example.org",
        "example.org TXT v=spf1 mx ~all",
        "mail.example.org TXT v=spf1 a -all",
        "ed1._domainkey.example.org TXT v=DKIM1; k=ed25519; p=MTIz",
        "_dmarc.example.org TXT v=DMARC1; p=none; rua=mailto:postmaster@example.org",
        "_smtp._tls.example.org TXT v=TLSRPTv1; rua=mailto:postmaster@example.org",
        "_submissions._tcp.example.org SRV 0 1 465 mail.example.org",
        "_submission._tcp.example.org SRV 0 0 0 .",
        "_pop3s._tcp.example.org SRV 0 1 1995 mail.example.org",
        "_imaps._tcp.example.org SRV 0 0 0 .",
    ];
    for record in expected {
        assert!(records.contains(&record.to_owned()), "{record}\n{records:#?}");
    }
}

/// RFC 9990 §4: the other domain has to say that it wants them.
#[test]
fn reports_to_another_domain_need_a_record_there() {
    let at = |reports: &str| {
        let facts = Facts { reports: reports.into(), ..facts() };
        in_words(&wanted(&facts)).into_iter().find(|record| record.contains("_report._dmarc"))
    };
    assert_eq!(at("dmarc@example.net").unwrap(), "example.org._report._dmarc.example.net TXT v=DMARC1");
    assert_eq!(at("dmarc@reports.example.org"), None);
    assert_eq!(at("dmarc@example.org"), None);
}

#[test]
fn a_host_that_is_the_domain_has_one_spf_record() {
    let facts = Facts { host: "example.org".parse().unwrap(), ..facts() };
    let records = in_words(&wanted(&facts));
    let spf: Vec<_> = records.iter().filter(|record| record.contains("v=spf1")).collect();
    assert_eq!(spf, ["example.org TXT v=spf1 mx ~all"]);
}

#[test]
fn what_is_not_known_of_the_node_is_left_out() {
    let facts = Facts { services: None, addresses: Vec::new(), keys: Vec::new(), ..facts() };
    let kinds: Vec<&str> = wanted(&facts).iter().map(|record| record.data.kind()).collect();
    assert_eq!(kinds, ["MX", "TXT", "TXT", "TXT", "TXT", "TXT", "CNAME", "CNAME"]);
}

/// The record that RFC 7671 §5.1 recommends, of each certificate once.
#[test]
fn each_key_of_the_host_has_a_tlsa_record() {
    let made = rcgen::generate_simple_self_signed(["mail.example.org".to_owned()]).unwrap();
    let chain = vec![made.cert.der().to_vec()];
    let facts = Facts { certificates: vec![chain.clone(), chain, vec![b"none".to_vec()]], ..facts() };
    let tlsa: Vec<_> =
        in_words(&wanted(&facts)).into_iter().filter(|record| record.contains("TLSA")).collect();
    assert_eq!(tlsa.len(), 1, "{tlsa:?}");
    assert!(tlsa[0].starts_with("_25._tcp.mail.example.org TLSA 3 1 1 "), "{tlsa:?}");
    assert_eq!(tlsa[0].rsplit(' ').next().unwrap().len(), 64);
}

#[test]
fn records_are_told_to_programs_by_type_and_value() {
    let json = serde_json::to_value(&wanted(&facts())[0]).unwrap();
    assert_eq!(json["type"], "MX");
    assert_eq!(json["value"], "10 mail.example.org");
    assert_eq!(json["name"], "example.org");
    assert_eq!(json["need"], "needed");
    assert_eq!(json["place"], "domain");
}
