//! The check of a domain by tables: one domain that is in order, and many that differ from it in one thing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; a panic is its way to fail")]

#[path = "../common/mod.rs"]
mod common;
mod hosts;
mod lists;
mod texts;

use std::net::IpAddr;

use checkup::domain::{Question, Selector, Summary, check};
use checkup::{Finding, Secured, Topic, Verdict};
use common::{Table, meeting};
use mta::route::AddressPolicy;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use types::Timestamp;
use types::dns::Validation;

/// All that a domain could have.
const GOOD: &str = "
example.org MX 10 mx.example.org
mx.example.org A 192.0.2.1
mx.example.org AAAA 2001:db8::1
192.0.2.1 PTR mx.example.org
2001:db8::1 PTR mx.example.org
example.org TXT v=spf1 mx -all
sel._domainkey.example.org TXT v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
_dmarc.example.org TXT v=DMARC1; p=reject; rua=mailto:dmarc@example.org
_mta-sts.example.org TXT v=STSv1; id=1;
_smtp._tls.example.org TXT v=TLSRPTv1; rua=mailto:tls@example.org
_submissions._tcp.example.org SRV 0 1 465 mx.example.org
_imap._tcp.example.org SRV 0 0 0 .
autoconfig.example.org A 192.0.2.80
";
const POLICY: &str = "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 604800\n";
/// 2026-11-22.
const NOW_S: u64 = 1_795_305_600;
const DAY_S: u64 = 86_400;

/// A certificate in DER that ends after so many days, and the record for its key.
fn certificate(days: i64) -> (Vec<u8>, String) {
    let key = KeyPair::generate().unwrap();
    let mut parameters = CertificateParams::new(vec!["mx.example.org".to_owned()]).unwrap();
    let ends = i64::try_from(NOW_S).unwrap() + days * i64::try_from(DAY_S).unwrap();
    parameters.not_after = time::OffsetDateTime::from_unix_timestamp(ends + 60).unwrap();
    let der = parameters.self_signed(&key).unwrap().der().to_vec();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &key.subject_public_key_info());
    let hex: String = digest.as_ref().iter().map(|octet| format!("{octet:02x}")).collect();
    (der, format!("_25._tcp.mx.example.org TLSA 3 1 1 {hex}"))
}

fn encrypted(der: &[u8], distrust: Option<&str>) -> Secured {
    Secured::Yes {
        protocol: "TLS1.3".to_owned(),
        cipher: "TLS_AES_256_GCM_SHA384".to_owned(),
        chain: vec![der.to_vec()],
        distrust: distrust.map(str::to_owned),
    }
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn good() -> Table {
    let mut table = Table::new(GOOD);
    table.validation = Validation::Secure;
    let (der, record) = certificate(60);
    table.add(&record);
    table.policies.insert("example.org".to_owned(), Ok(POLICY.as_bytes().to_vec()));
    meets(&mut table, encrypted(&der, None));
    table
}

/// The same at both addresses.
fn meets(table: &mut Table, secured: Secured) {
    for address in ["192.0.2.1", "2001:db8::1"] {
        table.hosts.insert(ip(address), Ok(meeting("mx.example.org", secured.clone())));
    }
}

fn question() -> Question {
    Question {
        domain: "example.org".parse().unwrap(),
        sending_addresses: Vec::new(),
        selectors: vec![Selector { name: "sel".to_owned(), record: None }],
        lists: Vec::new(),
        recipients: Vec::new(),
        port: 25,
        address_policy: AddressPolicy::Global,
        now: Timestamp::from_millis(NOW_S * 1000),
    }
}

async fn look(table: &Table, question: &Question) -> Vec<Finding> {
    check(table, question, &()).await
}

/// The one finding that says so, with its mend.
#[track_caller]
fn expect<'a>(found: &'a [Finding], topic: Topic, verdict: Verdict, says: &str) -> &'a str {
    let all: Vec<&Finding> = found.iter().filter(|finding| finding.topic == topic).collect();
    let one = all.iter().find(|finding| finding.verdict == verdict && finding.says.contains(says));
    let Some(one) = one else { panic!("no {verdict:?} of {topic:?} that says {says:?}: {all:#?}") };
    one.mend.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn a_domain_that_has_everything_is_in_order() {
    let found = look(&good(), &question()).await;
    // Ed25519 alone is not for everybody yet.
    expect(&found, Topic::Dkim, Verdict::Warning, "Ed25519");
    let rest: Vec<&Finding> = found
        .iter()
        .filter(|finding| finding.verdict > Verdict::Notice && finding.topic != Topic::Dkim)
        .collect();
    assert!(rest.is_empty(), "{rest:#?}");
    for (topic, says) in [
        (Topic::Dnssec, "proves"),
        (Topic::Mx, "mail goes to 1 host"),
        (Topic::Address, "by IPv4 and by IPv6"),
        (Topic::Smtp, "all mail hosts answer"),
        (Topic::Ptr, "lead back"),
        (Topic::Hello, "name of their own"),
        (Topic::Tls, "TLS with certificates"),
        (Topic::Dane, "that of its TLSA records"),
        (Topic::MtaSts, "enforce"),
        (Topic::TlsRpt, "tls@example.org"),
        (Topic::Spf, "1 of 10 look-ups, 0 of 2"),
        (Topic::Spf, "(-all)"),
        (Topic::Spf, "all addresses that are known"),
        (Topic::Dkim, "has a key of Ed25519"),
        (Topic::Dmarc, "refuse"),
        (Topic::Srv, "(SRV)"),
        (Topic::Autoconfig, "autoconfig.example.org"),
    ] {
        expect(&found, topic, Verdict::Good, says);
    }
    assert_eq!(Summary::of(&found).in_words(), "mail gets through, less surely or less safely than it could");
}

/// What is changed in the good zone, and what is said of it then.
struct Row {
    without: &'static [&'static str],
    with: &'static [&'static str],
    says: (Topic, Verdict, &'static str),
    mend: &'static str,
}

const fn row(
    without: &'static [&'static str],
    with: &'static [&'static str],
    says: (Topic, Verdict, &'static str),
    mend: &'static str,
) -> Row {
    Row { without, with, says, mend }
}

async fn run(rows: &[Row]) {
    for Row { without, with, says: (topic, verdict, says), mend } in rows {
        let mut table = good();
        for line in *without {
            table.without(line);
        }
        for line in *with {
            table.add(line);
        }
        let found = look(&table, &question()).await;
        let told = expect(&found, *topic, *verdict, says);
        assert!(told.contains(mend), "{says}: {told}");
    }
}
