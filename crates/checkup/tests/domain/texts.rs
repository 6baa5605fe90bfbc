//! Records of text: SPF, DKIM, DMARC, reports about TLS, and others.

use super::*;

#[tokio::test]
async fn spf_records_are_judged_in_all_of_their_branches() {
    use Verdict::{Bad, Good, Notice, Warning};
    const SPF: &[&str] = &["example.org TXT"];
    run(&[
        row(SPF, &[], (Topic::Spf, Bad, "has no SPF record"), "example.org. 3600 IN TXT \"v=spf1 mx ~all\""),
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
    table.add(&format!("example.org TXT v=spf1 {} -all", includes.join(" ")));
    for number in 0..6 {
        table.add(&format!("{number}.example TXT v=spf1 mx:example.org -all"));
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
        table.without("sel._domainkey").add(&format!("sel._domainkey.example.org TXT v=DKIM1; p={key}"));
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
    ])
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_tags_and_receivers_of_dmarc_is_told() {
    use Verdict::{Good, Warning};
    const DMARC: &[&str] = &["_dmarc"];
    run(&[
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
