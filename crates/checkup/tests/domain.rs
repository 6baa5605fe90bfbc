//! The check of a domain by tables: one domain that is in order, and many that differ from it in one thing.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test; a panic is its way to fail")]

#[path = "domain/table.rs"]
mod table;

use std::net::IpAddr;

use checkup::domain::{Question, Selector, Summary, check};
use checkup::{Finding, Secured, Topic, Unmet, Verdict};
use mta::route::AddressPolicy;
use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use table::{Table, meeting};
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
    let (der, record) = certificate(60);
    table.with(&record);
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
        without.iter().for_each(|line| drop(table.without(line)));
        with.iter().for_each(|line| drop(table.with(line)));
        let found = look(&table, &question()).await;
        let told = expect(&found, *topic, *verdict, says);
        assert!(told.contains(mend), "{says}: {told}");
    }
}

#[tokio::test]
async fn mail_hosts_that_cannot_be_used_are_told() {
    use Verdict::{Bad, Notice, Warning};
    const MX: &[&str] = &["example.org MX"];
    run(&[
        row(
            &["mx.example.org A 192"],
            &[],
            (Topic::Address, Warning, "no IPv6 cannot send"),
            "mx.example.org. 3600 IN A",
        ),
        row(&["mx.example.org AAAA"], &[], (Topic::Address, Notice, "IPv6"), ""),
        row(MX, &["example.org MX 0 ."], (Topic::Mx, Notice, "takes no mail at all"), ""),
        row(&[], &["example.org MX 0 ."], (Topic::Mx, Bad, "many senders give up"), "remove"),
        row(
            MX,
            &["example.org MX 10 192.0.2.1"],
            (Topic::Mx, Bad, "where only the name"),
            "example.org. 3600 IN MX 10 mail",
        ),
        row(
            MX,
            &["example.org MX 10 localhost"],
            (Topic::Mx, Bad, "\"localhost\""),
            "IN MX 10 mail.example.org.",
        ),
        row(
            MX,
            &["example.org MX 10 gone.example.org"],
            (Topic::Mx, Bad, "no address"),
            "gone.example.org. 3600 IN A",
        ),
        // With another host it is not as bad.
        row(&[], &["example.org MX 20 gone.example.org"], (Topic::Mx, Warning, "no address"), "remove"),
        row(
            MX,
            &["example.org MX 10 www.example.org", "www.example.org CNAME mx.example.org"],
            (Topic::Mx, Warning, "an alias"),
            "example.org. 3600 IN MX 10 mx.example.org.",
        ),
        row(MX, &[], (Topic::Mx, Bad, "no MX record and no address"), "example.org. 3600 IN MX 0 ."),
        row(
            MX,
            &["example.org A 192.0.2.1"],
            (Topic::Mx, Warning, "own address"),
            "example.org. 3600 IN MX 10 example.org.",
        ),
        row(
            &[],
            &["mx.example.org A 10.0.0.1"],
            (Topic::Address, Bad, "private"),
            "mx.example.org. 3600 IN A 10.0.0.1",
        ),
        row(&[], &["mx.example.org A 127.0.0.1"], (Topic::Address, Bad, "127.0.0.1"), "remove"),
        row(MX, &["example.org FAILS"], (Topic::Mx, Verdict::Unknown, "could not be found out"), "again"),
    ])
    .await;
}

#[tokio::test]
async fn a_domain_that_is_not_there_is_told_alone() {
    let mut question = question();
    question.domain = "gone.example".parse().unwrap();
    let found = look(&good(), &question).await;
    assert_eq!(found.len(), 1);
    expect(&found, Topic::Mx, Verdict::Bad, "knows no such domain");
}

#[tokio::test]
async fn names_of_addresses_and_greetings_that_lead_elsewhere_are_told() {
    use Verdict::{Notice, Warning};
    run(&[
        row(
            &["192.0.2.1 PTR"],
            &[],
            (Topic::Ptr, Warning, "has no name"),
            "1.2.0.192.in-addr.arpa. 3600 IN PTR mx.example.org.",
        ),
        row(
            &["192.0.2.1 PTR"],
            &["192.0.2.1 PTR other.example", "other.example A 192.0.2.9"],
            (Topic::Ptr, Warning, "none of them leads back"),
            "IN PTR",
        ),
    ])
    .await;
    for (name, verdict, says) in [
        ("localhost", Warning, "no whole name"),
        ("gone.example.org", Warning, "no address"),
        ("autoconfig.example.org", Notice, "another address"),
    ] {
        let mut table = good();
        let other = table.hosts[&ip("192.0.2.1")].clone().unwrap();
        table.hosts.insert(ip("192.0.2.1"), Ok(meeting(name, other.secured)));
        let mend = expect(&look(&table, &question()).await, Topic::Hello, verdict, says).to_owned();
        assert!(mend.contains("call itself mx.example.org"), "{mend}");
    }
}

#[tokio::test]
async fn a_blocked_port_is_no_fault_of_the_domain() {
    let mut table = good();
    table.hosts.insert(ip("192.0.2.1"), Err(Unmet::Silence));
    table.hosts.insert(ip("2001:db8::1"), Err(Unmet::NoWay("no IPv6 here".to_owned())));
    let found = look(&table, &question()).await;
    expect(&found, Topic::Smtp, Verdict::Unknown, "blocks connections to that port");
    assert!(!found.iter().any(|finding| finding.verdict == Verdict::Bad), "{found:#?}");
    // Where one of them answers, the other is at fault.
    let (der, _) = certificate(60);
    table.hosts.insert(ip("192.0.2.1"), Ok(meeting("mx.example.org", encrypted(&der, None))));
    table.hosts.insert(ip("2001:db8::1"), Err(Unmet::Silence));
    expect(&look(&table, &question()).await, Topic::Smtp, Verdict::Warning, "does not answer");
    table.hosts.insert(ip("192.0.2.1"), Err(Unmet::Refused));
    table.hosts.insert(ip("2001:db8::1"), Err(Unmet::NoSession("554 go away".to_owned())));
    let found = look(&table, &question()).await;
    expect(&found, Topic::Smtp, Verdict::Bad, "nobody listens");
    expect(&found, Topic::Smtp, Verdict::Bad, "554 go away");
}

#[tokio::test]
async fn certificates_that_are_worth_little_are_told() {
    for (days, distrust, verdict, says) in [
        (5, None, Verdict::Warning, "ends in 5 days"),
        (20, None, Verdict::Warning, "ends in 20 days"),
        (21, None, Verdict::Good, "TLS with certificates"),
        (-1, Some("expired"), Verdict::Warning, "ended 1 day ago"),
        (60, Some("UnknownIssuer"), Verdict::Warning, "UnknownIssuer"),
    ] {
        let mut table = good();
        let (der, _) = certificate(days);
        meets(&mut table, encrypted(&der, distrust));
        expect(&look(&table, &question()).await, Topic::Tls, verdict, says);
    }
    let mut table = good();
    meets(&mut table, Secured::NotOffered);
    let found = look(&table, &question()).await;
    expect(&found, Topic::Tls, Verdict::Warning, "offers no encryption");
    // What DANE and MTA-STS promise is not kept then.
    expect(&found, Topic::Dane, Verdict::Bad, "offers no encryption");
    expect(&found, Topic::MtaSts, Verdict::Bad, "offers no encryption");
    meets(&mut table, Secured::Failed("handshake failure".to_owned()));
    expect(&look(&table, &question()).await, Topic::Tls, Verdict::Bad, "handshake failure");
}

#[tokio::test]
async fn tlsa_records_are_compared_with_what_the_host_shows() {
    let (der, record) = certificate(60);
    let mut table = good();
    meets(&mut table, encrypted(&der, None));
    let found = look(&table, &question()).await;
    let mend = expect(&found, Topic::Dane, Verdict::Bad, "no TLSA record fits");
    assert_eq!(mend.replace(". 3600 IN TLSA", " TLSA"), record);
    // A certificate that nobody vouches for is as good by DANE.
    table.without("_25._tcp").with(&record);
    meets(&mut table, encrypted(&der, Some("self-signed")));
    expect(&look(&table, &question()).await, Topic::Dane, Verdict::Good, "that of its TLSA records");
    // Usage 1 is not for mail (RFC 7672 §3.1.3).
    let pkix = record.replace("3 1 1", "1 1 1");
    table.without("_25._tcp").with(&pkix);
    expect(&look(&table, &question()).await, Topic::Dane, Verdict::Warning, "none of them is of a kind");
    table.without("_25._tcp");
    let found = look(&table, &question()).await;
    let mend = expect(&found, Topic::Dane, Verdict::Notice, "has no TLSA records");
    assert_eq!(mend.replace(". 3600 IN TLSA", " TLSA"), record);
    table.with("_25._tcp.mx.example.org FAILS");
    expect(&look(&table, &question()).await, Topic::Dane, Verdict::Bad, "whoever does DANE sends no mail");
    // Nothing is held against a domain for what the name server does not prove.
    table.without("_25._tcp").with(&record);
    table.validation = Validation::Insecure;
    let found = look(&table, &question()).await;
    expect(&found, Topic::Dane, Verdict::Unknown, "nothing proves them");
    expect(&found, Topic::Dnssec, Verdict::Notice, "does not prove");
}

#[tokio::test]
async fn a_policy_of_mta_sts_has_to_be_there_and_to_fit() {
    use Verdict::{Bad, Good, Notice, Warning};
    run(&[
        row(&["_mta-sts"], &[], (Topic::MtaSts, Notice, "has no MTA-STS policy"), "mx: mx.example.org\\n"),
        row(&["_mta-sts"], &["_mta-sts.example.org TXT v=STSv1;"], (Topic::MtaSts, Bad, "malformed"), "id="),
        row(
            &[],
            &["_mta-sts.example.org TXT v=STSv1; id=2;"],
            (Topic::MtaSts, Bad, "more than one"),
            "_mta-sts",
        ),
        row(
            &[],
            &["example.org MX 20 b.example.org", "b.example.org A 192.0.2.2"],
            (Topic::MtaSts, Bad, "does not name the mail host b.example.org"),
            "mx: b.example.org",
        ),
    ])
    .await;
    for (policy, verdict, says) in [
        (POLICY.replace("enforce", "testing"), Notice, "only tested"),
        (POLICY.replace("enforce", "none"), Notice, "gives its MTA-STS policy up"),
        (POLICY.replace("604800", "3600"), Warning, "3600 seconds"),
        (POLICY.replace("mx.example", "*.mail.example"), Bad, "does not name"),
        (POLICY.replace("mx.example", "*.mail.example"), Notice, "*.mail.example.org, which is no mail host"),
        (POLICY.replace("mx.example.org", "*.example.org"), Good, "enforce"),
        (POLICY.replace("version: STSv1\n", ""), Bad, "is no policy"),
    ] {
        let mut table = good();
        table.policies.insert("example.org".to_owned(), Ok(policy.into_bytes()));
        expect(&look(&table, &question()).await, Topic::MtaSts, verdict, says);
    }
    let mut table = good();
    table.policies.clear();
    expect(&look(&table, &question()).await, Topic::MtaSts, Bad, "cannot be fetched: nobody is there");
    let mut table = good();
    let (der, _) = certificate(60);
    meets(&mut table, encrypted(&der, Some("UnknownIssuer")));
    expect(&look(&table, &question()).await, Topic::MtaSts, Bad, "UnknownIssuer");
}

#[tokio::test]
async fn spf_records_are_judged_in_all_of_their_branches() {
    use Verdict::{Bad, Good, Notice, Warning};
    const SPF: &[&str] = &["example.org TXT"];
    run(&[
        row(SPF, &[], (Topic::Spf, Bad, "has no SPF record"), "example.org. 3600 IN TXT \"v=spf1 mx -all\""),
        row(
            &[],
            &["example.org TXT v=spf1 -all"],
            (Topic::Spf, Bad, "more than one SPF record"),
            "one record",
        ),
        row(
            SPF,
            &["example.org TXT v=spf1 mx include: -all"],
            (Topic::Spf, Bad, "makes no sense: include:"),
            "include:",
        ),
        row(SPF, &["example.org TXT v=spf1 mx +all"], (Topic::Spf, Bad, "everybody in the world"), "-all"),
        row(
            SPF,
            &["example.org TXT v=spf1 ip4:0.0.0.0/0 -all"],
            (Topic::Spf, Bad, "everybody in the world"),
            "remove",
        ),
        row(SPF, &["example.org TXT v=spf1 mx ?all"], (Topic::Spf, Warning, "(?all)"), "-all"),
        row(SPF, &["example.org TXT v=spf1 mx ~all"], (Topic::Spf, Good, "(~all)"), ""),
        row(SPF, &["example.org TXT v=spf1 mx"], (Topic::Spf, Warning, "does not end with"), "-all"),
        row(SPF, &["example.org TXT v=spf1 ptr -all"], (Topic::Spf, Warning, "ptr"), "ip4:"),
        row(SPF, &["example.org TXT v=spf1 -all mx"], (Topic::Spf, Warning, "goes on behind"), "before"),
        row(
            SPF,
            &["example.org TXT v=spf1 a:gone.example mx -all"],
            (Topic::Spf, Warning, "a:gone.example"),
            "remove",
        ),
        row(
            SPF,
            &["example.org TXT v=spf1 mx a:1.example a:2.example a:3.example -all"],
            (Topic::Spf, Bad, "3 terms of the SPF record find nothing"),
            "a:3.example",
        ),
        // Behind a match, and all the same wrong.
        row(
            SPF,
            &["example.org TXT v=spf1 mx include:gone.example -all"],
            (Topic::Spf, Bad, "leads to gone.example, which has no SPF record"),
            "gone.example",
        ),
        row(
            SPF,
            &["example.org TXT v=spf1 redirect=_spf.example.org", "_spf.example.org TXT v=spf1 mx +all"],
            (Topic::Spf, Bad, "everybody in the world"),
            "",
        ),
        row(
            SPF,
            &["example.org TXT v=spf1 ip4:203.0.113.1 -all"],
            (Topic::Spf, Notice, "192.0.2.1 is a mail host's"),
            "mx",
        ),
    ])
    .await;
    let mut table = good();
    table.without("example.org TXT");
    let includes: Vec<String> = (0..6).map(|number| format!("include:{number}.example")).collect();
    table.with(&format!("example.org TXT v=spf1 {} -all", includes.join(" ")));
    for number in 0..6 {
        table.with(&format!("{number}.example TXT v=spf1 mx:example.org -all"));
    }
    let found = look(&table, &question()).await;
    expect(&found, Topic::Spf, Bad, "takes 12 look-ups of 10");
}

#[tokio::test]
async fn an_address_that_sends_has_to_be_let_in() {
    let mut question = question();
    question.sending_addresses = vec![ip("203.0.113.7"), ip("2001:db8::1")];
    let found = look(&good(), &question).await;
    let mend = expect(&found, Topic::Spf, Verdict::Bad, "203.0.113.7 sends for the domain");
    assert_eq!(mend, "example.org. 3600 IN TXT \"v=spf1 ip4:203.0.113.7 mx -all\"");
    expect(&found, Topic::Spf, Verdict::Good, "2001:db8::1 may send for the domain by mx");
}

#[tokio::test]
async fn keys_of_dkim_are_read() {
    use Verdict::{Bad, Good, Notice, Unknown, Warning};
    const KEY: &[&str] = &["sel._domainkey"];
    run(&[
        row(KEY, &[], (Topic::Dkim, Bad, "no key at sel._domainkey.example.org"), "posta domain dns"),
        row(KEY, &["sel._domainkey.example.org TXT v=DKIM1; p="], (Topic::Dkim, Bad, "was revoked"), "another selector"),
        row(KEY, &["sel._domainkey.example.org TXT v=DKIM1; p=!"], (Topic::Dkim, Bad, "cannot be used"), "again"),
        row(KEY, &["sel._domainkey.example.org FAILS"], (Topic::Dkim, Unknown, "could not be found out"), "again"),
        row(
            &[],
            &["sel._domainkey.example.org TXT other"],
            (Topic::Dkim, Warning, "2 texts"),
            "only the key",
        ),
        row(
            KEY,
            &["sel._domainkey.example.org TXT v=DKIM1; k=ed25519; t=y; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="],
            (Topic::Dkim, Warning, "marked as a test"),
            "t=y",
        ),
        // Found by its usual name, and what a wildcard says is no key.
        row(
            &[],
            &["google._domainkey.example.org TXT v=DKIM1; p=", "k1._domainkey.example.org TXT hello"],
            (Topic::Dkim, Notice, "google was revoked"),
            "",
        ),
    ])
    .await;
    let mut question = question();
    question.selectors[0].record = Some("v=DKIM1; k=ed25519; p=AAAA".to_owned());
    let found = look(&good(), &question).await;
    let mend = expect(&found, Topic::Dkim, Bad, "another one than this server signs with");
    assert!(mend.contains("p=AAAA"), "{mend}");
    question.selectors[0].record =
        Some("v=DKIM1;k=ed25519;p=11qYAYKxCrfVS/7TyWQHOg7h cvPapiMlrwIaaPcHURo=".to_owned());
    expect(&look(&good(), &question).await, Topic::Dkim, Good, "Ed25519");
    // Without a selector, the DNS tells whether there is any key.
    question.selectors.clear();
    expect(&look(&good(), &question).await, Topic::Dkim, Unknown, "selectors that are not known");
    let mut table = good();
    table.without("sel._domainkey");
    expect(&look(&table, &question).await, Topic::Dkim, Bad, "publishes no key of DKIM");
}

#[tokio::test]
async fn weak_keys_are_told_by_their_length() {
    use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
    use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
    use aws_lc_rs::signature::KeyPair as _;
    use base64::Engine as _;
    let pair = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
    let strong = base64::engine::general_purpose::STANDARD.encode(der.as_ref());
    // RFC 6376 Appendix C: a key of 1024 bits.
    let weak = "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB";
    for (key, verdict, says) in [
        (strong.as_str(), Verdict::Good, "RSA with 2048 bits"),
        (weak, Verdict::Warning, "1024 bits, which is weak"),
    ] {
        let mut table = good();
        table.without("sel._domainkey").with(&format!("sel._domainkey.example.org TXT v=DKIM1; p={key}"));
        expect(&look(&table, &question()).await, Topic::Dkim, verdict, says);
    }
}

#[tokio::test]
async fn dmarc_records_are_read_tag_by_tag() {
    use Verdict::{Bad, Good, Notice, Warning};
    const DMARC: &[&str] = &["_dmarc"];
    run(&[
        row(
            DMARC,
            &[],
            (Topic::Dmarc, Bad, "no DMARC record"),
            "_dmarc.example.org. 3600 IN TXT \"v=DMARC1; p=none; rua=",
        ),
        row(
            &[],
            &["_dmarc.example.org TXT v=DMARC1; p=none"],
            (Topic::Dmarc, Bad, "2 DMARC records"),
            "one of them",
        ),
        row(
            DMARC,
            &["_dmarc.example.org TXT v=DMARC1; p=maybe"],
            (Topic::Dmarc, Bad, "no policy that makes sense"),
            "p=none",
        ),
        row(
            DMARC,
            &["_dmarc.example.org TXT p=none; v=DMARC1"],
            (Topic::Dmarc, Bad, "has to begin with"),
            "v=DMARC1",
        ),
        row(
            DMARC,
            &["_dmarc.example.org TXT v=DMARC1; p=none; rua=mailto:a@example.org"],
            (Topic::Dmarc, Warning, "p=none"),
            "p=quarantine",
        ),
        row(
            DMARC,
            &["_dmarc.example.org TXT v=DMARC1; p=quarantine"],
            (Topic::Dmarc, Good, "suspicious"),
            "",
        ),
        row(
            DMARC,
            &["_dmarc.example.org TXT v=DMARC1; p=reject"],
            (Topic::Dmarc, Notice, "no reports"),
            "rua=mailto:",
        ),
        row(
            DMARC,
            &["_dmarc.example.org TXT v=DMARC1; p=reject; sp=none"],
            (Topic::Dmarc, Warning, "(sp) is weaker"),
            "sp=reject",
        ),
        row(DMARC, &["_dmarc.example.org TXT v=DMARC1; p=reject; t=y"], (Topic::Dmarc, Notice, "t=y"), "t=y"),
        row(
            DMARC,
            &["_dmarc.example.org TXT v=DMARC1; p=reject; adkim=x"],
            (Topic::Dmarc, Warning, "adkim=x"),
            "adkim",
        ),
        row(
            DMARC,
            &["_dmarc.example.org TXT v=DMARC1; p=reject; rua=a@example.org"],
            (Topic::Dmarc, Warning, "mailto:"),
            "rua",
        ),
        row(
            DMARC,
            &["_dmarc.example.org TXT v=DMARC1; p=reject; rua=mailto:x@reports.example"],
            (Topic::Dmarc, Warning, "another organization"),
            "example.org._report._dmarc.reports.example. 3600 IN TXT \"v=DMARC1;\"",
        ),
        row(
            DMARC,
            &[
                "_dmarc.example.org TXT v=DMARC1; p=reject; rua=mailto:x@reports.example",
                "example.org._report._dmarc.reports.example TXT v=DMARC1;",
            ],
            (Topic::Dmarc, Good, "takes the domain's reports"),
            "",
        ),
    ])
    .await;
}

#[tokio::test]
async fn reports_about_tls_and_a_logo_are_told() {
    use Verdict::{Bad, Good, Notice, Warning};
    run(&[
        row(
            &["_smtp._tls"],
            &[],
            (Topic::TlsRpt, Notice, "asks for no reports"),
            "_smtp._tls.example.org. 3600 IN TXT",
        ),
        row(
            &["_smtp._tls"],
            &["_smtp._tls.example.org TXT v=TLSRPTv1; rua=a@b.example"],
            (Topic::TlsRpt, Bad, "neither"),
            "rua=",
        ),
        row(
            &[],
            &["_smtp._tls.example.org TXT v=TLSRPTv1; rua=mailto:a@b.example"],
            (Topic::TlsRpt, Bad, "2 records"),
            "",
        ),
        row(
            &[],
            &["default._bimi.example.org TXT v=BIMI1; l=https://a.example/"],
            (Topic::Bimi, Good, "a logo"),
            "",
        ),
        row(
            &["_dmarc"],
            &["default._bimi.example.org TXT v=BIMI1; l=https://a.example/"],
            (Topic::Bimi, Warning, "nobody shows"),
            "p=quarantine",
        ),
        row(
            &["_submissions", "_imap"],
            &[],
            (Topic::Srv, Notice, "does not tell"),
            "_submissions._tcp.example.org. 3600 IN SRV",
        ),
    ])
    .await;
}

/// RFC 5782 §5.
const LIST: &str = "
2.0.0.127.list.example A 127.0.0.2
test.list.example A 127.0.0.2
1.2.0.192.list.example A 127.0.0.4
1.2.0.192.list.example TXT see https://list.example/192.0.2.1
";

#[tokio::test]
async fn lists_are_believed_after_their_test_entries() {
    let mut question = question();
    question.lists = vec!["list.example".to_owned()];
    let with = |lines: &str| {
        let mut table = good();
        lines.lines().filter(|line| !line.is_empty()).for_each(|line| drop(table.with(line)));
        table
    };
    let found = look(&with(LIST), &question).await;
    expect(&found, Topic::Dnsbl, Verdict::Bad, "192.0.2.1 is on the list list.example (127.0.0.4)");
    expect(&found, Topic::Dnsbl, Verdict::Good, "example.org is not on the list");
    // Nobody asks it about IPv6, which it does not know of.
    assert!(!found.iter().any(|finding| finding.topic == Topic::Dnsbl && finding.says.contains("2001:db8")));
    let listed = found
        .iter()
        .find(|finding| finding.topic == Topic::Dnsbl && finding.verdict == Verdict::Bad)
        .unwrap();
    assert_eq!(listed.details, ["see https://list.example/192.0.2.1"]);
    for (lines, why) in [
        ("", "nothing is there"),
        ("2.0.0.127.list.example A 127.0.0.2\n1.0.0.127.list.example A 127.0.0.2", "it lists everything"),
        ("2.0.0.127.list.example A 127.255.255.254", "it does not serve us"),
        ("2.0.0.127.list.example A 203.0.113.1", "the domain was taken by somebody else"),
    ] {
        let found = look(&with(lines), &question).await;
        expect(&found, Topic::Dnsbl, Verdict::Unknown, "does not answer for its test entries");
        assert!(
            !found.iter().any(|finding| finding.topic == Topic::Dnsbl && finding.verdict == Verdict::Bad),
            "{why}"
        );
    }
}

#[tokio::test]
async fn addresses_of_duty_are_asked_for_where_one_was_asked_for() {
    let mut question = question();
    question.recipients = vec!["ada@example.org".parse().unwrap()];
    let mut table = good();
    table.refused = vec!["abuse@example.org".to_owned()];
    let found = look(&table, &question).await;
    expect(&found, Topic::Recipient, Verdict::Good, "ada@example.org");
    expect(&found, Topic::Recipient, Verdict::Good, "postmaster@example.org");
    expect(&found, Topic::Recipient, Verdict::Warning, "RFC 2142");
    table.refused.push("ada@example.org".to_owned());
    expect(&look(&table, &question).await, Topic::Recipient, Verdict::Bad, "no such address");
    question.recipients.clear();
    assert!(!look(&table, &question).await.iter().any(|finding| finding.topic == Topic::Recipient));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_in_time_is_not_found_out() {
    let mut table = good();
    table.with("example.org NEVER");
    let found = look(&table, &question()).await;
    expect(&found, Topic::Mx, Verdict::Unknown, "within 40 seconds");
    // Of its term mx; the rest is found out all the same.
    expect(&found, Topic::Spf, Verdict::Unknown, "within 40 seconds");
    expect(&found, Topic::Dmarc, Verdict::Good, "refuse");
}
