//! DNS lists, recipients, and limits of time.

use super::*;

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
        for line in lines.lines().filter(|line| !line.is_empty()) {
            table.add(line);
        }
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

/// RFC 7208 §5.4: `mx` stands for MX records, and for nothing where there are none.
#[tokio::test]
async fn a_domain_without_mx_records_is_told_of_a_term_that_lets_it_send() {
    let mut table = good();
    table.without("example.org MX").without("example.org TXT").add("example.org A 192.0.2.1");
    let found = look(&table, &question()).await;
    expect(&found, Topic::Mx, Verdict::Warning, "no MX record");
    let spf = found.iter().find(|finding| finding.topic == Topic::Spf).unwrap();
    assert_eq!(spf.mend.as_deref(), Some("example.org. 3600 IN TXT \"v=spf1 a ~all\""));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_answered_in_time_is_not_found_out() {
    let mut table = good();
    table.add("example.org NEVER");
    let found = look(&table, &question()).await;
    expect(&found, Topic::Mx, Verdict::Unknown, "within 45 seconds");
    // Of its term mx; the rest is found out all the same.
    expect(&found, Topic::Spf, Verdict::Unknown, "within 45 seconds");
    expect(&found, Topic::Dmarc, Verdict::Good, "refuse");
}

#[tokio::test]
async fn a_domain_without_mail_is_not_asked_for_what_mail_needs() {
    let mut table = good();
    for line in [
        "example.org MX",
        "example.org TXT",
        "sel._domainkey",
        "_smtp._tls",
        "_mta-sts",
        "_submissions",
        "_imap",
    ] {
        table.without(line);
    }
    table.add("example.org MX 0 .").add("example.org TXT v=spf1 -all").without("_dmarc.example.org TXT");
    let mut question = question();
    question.selectors.clear();
    let found = look(&table, &question).await;
    expect(&found, Topic::Mx, Verdict::Notice, "takes no mail at all");
    expect(&found, Topic::Spf, Verdict::Good, "(-all)");
    let dmarc = found.iter().find(|finding| finding.topic == Topic::Dmarc).unwrap();
    assert_eq!(
        dmarc.mend.as_deref(),
        Some("_dmarc.example.org. 3600 IN TXT \"v=DMARC1; p=reject; sp=reject\""),
        "no mail of its own can be lost"
    );
    let rest = found.iter().filter(|finding| {
        matches!(
            finding.topic,
            Topic::Dkim | Topic::TlsRpt | Topic::MtaSts | Topic::Srv | Topic::Tls | Topic::Smtp
        )
    });
    assert_eq!(rest.count(), 0, "{found:#?}");
}
