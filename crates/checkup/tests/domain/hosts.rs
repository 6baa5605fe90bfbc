//! Mail hosts: MX, addresses, names, encryption and what is promised of it.

use checkup::Unmet;
use types::dns::Validation;

use super::*;

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
    table.without("_25._tcp").add(&record);
    meets(&mut table, encrypted(&der, Some("self-signed")));
    expect(&look(&table, &question()).await, Topic::Dane, Verdict::Good, "that of its TLSA records");
    // Usage 1 is not for mail (RFC 7672 §3.1.3).
    let pkix = record.replace("3 1 1", "1 1 1");
    table.without("_25._tcp").add(&pkix);
    expect(&look(&table, &question()).await, Topic::Dane, Verdict::Warning, "none of them is of a kind");
    table.without("_25._tcp");
    let found = look(&table, &question()).await;
    let mend = expect(&found, Topic::Dane, Verdict::Notice, "has no TLSA records");
    assert_eq!(mend.replace(". 3600 IN TLSA", " TLSA"), record);
    table.add("_25._tcp.mx.example.org FAILS");
    expect(&look(&table, &question()).await, Topic::Dane, Verdict::Bad, "whoever does DANE sends no mail");
    // Nothing is held against a domain for what the name server does not prove.
    table.without("_25._tcp").add(&record);
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
