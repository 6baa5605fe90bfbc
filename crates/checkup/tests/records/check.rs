//! What is found where the records are there, are others, or are not there.

use checkup::records::{Checked, Facts, KeyState, State, check, wanted};
use checkup::{Topic, Verdict};
use types::Timestamp;
use types::dns::Validation;

use super::common::Table;
use super::{facts, key, long_key};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// All that is wanted, as it is wanted.
fn published(facts: &Facts) -> Table {
    let mut table = Table::new("");
    for record in wanted(facts) {
        match record.topic {
            Topic::Autoconfig => {}
            Topic::Ptr => {}
            _ => {
                table.add(&format!("{} {} {}", record.name, record.data.kind(), record.data.value()));
            }
        }
    }
    for address in &facts.addresses {
        table.add(&format!("{address} PTR {}.", facts.host.ascii()));
    }
    serve(&mut table, "version: STSv1\r\nmode: enforce\r\nmx: *.example.org\r\nmax_age: 604800\r\n");
    table
}

/// The policy of MTA-STS.
fn serve(table: &mut Table, policy: &str) {
    table.policies.insert("example.org".to_owned(), Ok(policy.as_bytes().to_vec()));
}

async fn checked(table: &Table, facts: &Facts, topic: Topic) -> Vec<Checked> {
    let all = check(table, facts, NOW).await;
    all.into_iter().filter(|checked| checked.finding.topic == topic).collect()
}

/// The only one of its topic.
async fn one(table: &Table, topic: Topic) -> Checked {
    let mut found = checked(table, &facts(), topic).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    found.remove(0)
}

#[track_caller]
fn assert_found(found: &Checked, state: State, verdict: Verdict, says: &str) {
    assert_eq!((found.state, found.finding.verdict), (state, verdict), "{found:#?}");
    assert!(found.finding.says.contains(says), "{found:#?}");
}

#[tokio::test]
async fn what_is_published_as_it_is_wanted_is_there() {
    let facts = facts();
    for checked in check(&published(&facts), &facts, NOW).await {
        assert_eq!(checked.state, State::Matches, "{checked:#?}");
        assert!(checked.finding.verdict <= Verdict::Notice, "{checked:#?}");
    }
}

#[tokio::test]
async fn without_any_record_each_is_missing_and_its_line_is_told() {
    let facts = facts();
    let found = check(&Table::new(""), &facts, NOW).await;
    assert!(found.iter().all(|checked| checked.state == State::Missing), "{found:#?}");
    assert!(found.iter().all(|checked| checked.finding.mend.is_some()), "{found:#?}");
    let mend = |topic| {
        let found = found.iter().find(|checked| checked.finding.topic == topic).unwrap();
        found.finding.mend.clone().unwrap()
    };
    assert_eq!(mend(Topic::Mx), "example.org. 3600 IN MX 10 mail.example.org.");
    assert_eq!(mend(Topic::Spf), "example.org. 3600 IN TXT \"v=spf1 mx ~all\"");
    assert!(mend(Topic::Ptr).contains("mail.example.org"));
}

#[tokio::test]
async fn what_nobody_answers_for_is_unknown_and_neither_there_nor_missing() {
    let facts = facts();
    let mut table = published(&facts);
    for record in wanted(&facts) {
        table.add(&format!("{} FAILS", record.name));
    }
    for address in &facts.addresses {
        table.add(&format!("{address} FAILS"));
    }
    for checked in check(&table, &facts, NOW).await {
        assert_eq!(
            (checked.state, checked.finding.verdict),
            (State::Unknown, Verdict::Unknown),
            "{checked:#?}"
        );
    }
}

#[tokio::test]
async fn mail_hosts_are_compared_by_name_and_by_address() {
    let mut table = published(&facts());
    let topic = Topic::Mx;
    table.put("example.org MX 0 MAIL.Example.Org.");
    assert_found(&one(&table, topic).await, State::Matches, Verdict::Good, "mail goes to mail.example.org");
    table.put("example.org MX 5 other.example.net").add("example.org MX 10 mail.example.org");
    assert_found(&one(&table, topic).await, State::Matches, Verdict::Notice, "hosts before it");
    table.put("example.org MX 5 other.example.net");
    let found = one(&table, topic).await;
    assert_found(
        &found,
        State::Differs,
        Verdict::Bad,
        "goes to other.example.net and not to mail.example.org",
    );
    assert_eq!(found.finding.details, ["found: 5 other.example.net"]);
    table.add("other.example.net A 192.0.2.25");
    assert_found(&one(&table, topic).await, State::Matches, Verdict::Notice, "has an address of this host");
    table.put("example.org MX 0 .");
    assert_found(&one(&table, topic).await, State::Differs, Verdict::Bad, "takes no mail");
    table.without("example.org MX").add("example.org A 192.0.2.25");
    assert_found(&one(&table, topic).await, State::Missing, Verdict::Warning, "domain's own address");
}

#[tokio::test]
async fn addresses_that_are_others_hidden_or_those_of_an_alias_are_told() {
    let mut table = published(&facts());
    let topic = Topic::Address;
    table.put("mail.example.org A 10.0.0.1").without("mail.example.org AAAA");
    let found = checked(&table, &facts(), topic).await;
    assert_found(&found[0], State::Differs, Verdict::Bad, "10.0.0.1 cannot be reached from outside");
    assert_found(&found[1], State::Differs, Verdict::Warning, "leads to 10.0.0.1 and not to 192.0.2.25");
    table.put("mail.example.org A 192.0.2.25");
    assert_found(
        &one(&table, topic).await,
        State::Differs,
        Verdict::Warning,
        "2001:db8::25 of this host is not among",
    );
    table.without("mail.example.org A").add("mail.example.org CNAME web.example.org");
    table.add("web.example.org A 192.0.2.25").add("web.example.org AAAA 2001:db8::25");
    assert_found(&one(&table, topic).await, State::Differs, Verdict::Warning, "CNAME) of web.example.org");
}

#[tokio::test]
async fn an_address_is_to_have_the_name_of_the_host() {
    let mut table = published(&facts());
    table.put("192.0.2.25 PTR 25.static.example.com.").without("2001:db8::25 PTR");
    let found = checked(&table, &facts(), Topic::Ptr).await;
    assert_found(&found[0], State::Differs, Verdict::Warning, "its name is 25.static.example.com");
    assert_found(&found[1], State::Missing, Verdict::Bad, "no name");
}

#[tokio::test]
async fn an_spf_record_that_lets_the_host_send_by_another_way_is_good() {
    let mut table = published(&facts());
    table.add("_spf.example.net TXT v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 -all");
    for text in [
        "v=spf1 include:_spf.example.net -all",
        "v=spf1 a:mail.example.org ?all",
        "V=SPF1 ip6:2001:db8::25 ip4:192.0.2.25",
    ] {
        table.put(&format!("example.org TXT {text}"));
        let found = checked(&table, &facts(), Topic::Spf).await;
        assert_found(&found[0], State::Matches, Verdict::Good, "lets this host send");
    }
}

#[tokio::test]
async fn an_spf_record_that_does_not_let_the_host_send_is_told_with_the_term_that_it_lacks() {
    let mut table = published(&facts());
    table.put("example.org TXT v=spf1 ip4:192.0.2.25 ip4:198.51.100.0/24 -all").add("example.org TXT other");
    let found = &checked(&table, &facts(), Topic::Spf).await[0];
    assert_found(found, State::Differs, Verdict::Bad, "does not let 2001:db8::25 of this host send (fail)");
    let mend =
        "example.org. 3600 IN TXT \"v=spf1 a:mail.example.org ip4:192.0.2.25 ip4:198.51.100.0/24 -all\"";
    assert_eq!(found.finding.mend.as_deref(), Some(mend));
    table.add("example.org TXT v=spf1 mx -all");
    let found = &checked(&table, &facts(), Topic::Spf).await[0];
    assert_found(found, State::Differs, Verdict::Bad, "more than one SPF record");
    table.put("example.org TXT v=spf1 mx frob -all");
    let found = &checked(&table, &facts(), Topic::Spf).await[0];
    assert_found(found, State::Differs, Verdict::Bad, "frob");
    // Another record in its place would shut out whoever else sends.
    assert_eq!(found.finding.mend.as_deref(), Some("correct or remove the term \"frob\""));
}

/// RFC 7208 §4.6.4: the eleventh question is an error, for whoever else sends.
#[tokio::test]
async fn an_spf_record_without_room_for_a_question_is_mended_by_addresses() {
    let mut table = published(&facts());
    let mut text = "example.org TXT v=spf1".to_owned();
    for number in 0..10 {
        table.add(&format!("i{number}.example.net TXT v=spf1 ip4:203.0.113.{number} -all"));
        text += &format!(" include:i{number}.example.net");
    }
    table.put(&format!("{text} -all"));
    let found = &checked(&table, &facts(), Topic::Spf).await[0];
    assert_found(found, State::Differs, Verdict::Bad, "does not let 192.0.2.25 of this host send (fail)");
    let mend = found.finding.mend.clone().unwrap();
    let start = "example.org. 3600 IN TXT \"v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 include:i0.example.net ";
    assert!(mend.starts_with(start), "{mend}");
    // Where the name leads elsewhere, it would let in nobody.
    table.put("example.org TXT v=spf1 -all").put("mail.example.org A 192.0.2.26");
    let found = &checked(&table, &facts(), Topic::Spf).await[0];
    let mend = "example.org. 3600 IN TXT \"v=spf1 ip4:192.0.2.25 ip6:2001:db8::25 -all\"";
    assert_eq!(found.finding.mend.as_deref(), Some(mend));
}

#[tokio::test]
async fn without_the_address_nobody_can_say_what_spf_means_for_the_host() {
    let facts = Facts { addresses: Vec::new(), ..facts() };
    let table = Table::new("example.org TXT v=spf1 mx -all");
    let found = &checked(&table, &facts, Topic::Spf).await[0];
    assert_found(found, State::Unknown, Verdict::Unknown, "not known without the host's address");
}

#[tokio::test]
async fn keys_are_compared_by_what_they_are() {
    let mut table = published(&facts());
    let name = "rsa1._domainkey.example.org";
    let p = long_key().rsplit_once("p=").unwrap().1.to_owned();
    let (half, rest) = p.split_at(100);
    // RFC 6376 §3.6.1: the version and RSA are what is meant anyway, and white space says nothing.
    for text in
        [format!("p={half} {rest}"), format!("k=rsa ; v=DKIM1;p={p};"), format!("n=note; p={p}; s=email")]
    {
        table.put(&format!("{name} TXT {text}"));
        assert_found(
            &checked(&table, &facts(), Topic::Dkim).await[0],
            State::Matches,
            Verdict::Good,
            "is there",
        );
    }
    for (text, state, verdict, says) in [
        (format!("v=DKIM1; p={p}; t=s:y"), State::Matches, Verdict::Notice, "t=y"),
        (format!("v=DKIM1; k=ed25519; p={p}"), State::Differs, Verdict::Bad, "another key"),
        ("v=DKIM1; p=MTIz".into(), State::Differs, Verdict::Bad, "another key"),
        ("v=DKIM1; p=".into(), State::Differs, Verdict::Bad, "revoked"),
        ("v=spf1 -all".into(), State::Differs, Verdict::Bad, "no key"),
    ] {
        table.put(&format!("{name} TXT {text}"));
        assert_found(&checked(&table, &facts(), Topic::Dkim).await[0], state, verdict, says);
    }
    table.add(&format!("{name} TXT p={p}"));
    assert_found(
        &checked(&table, &facts(), Topic::Dkim).await[0],
        State::Differs,
        Verdict::Bad,
        "more than one",
    );
}

#[tokio::test]
async fn a_key_that_is_missing_is_as_bad_as_its_state_says() {
    let states = [
        (KeyState::Active, Verdict::Bad),
        (KeyState::Next, Verdict::Warning),
        (KeyState::Retired, Verdict::Warning),
    ];
    for (state, verdict) in states {
        let facts = Facts { keys: vec![key("s", "p=MTIz", state)], ..facts() };
        let found = &checked(&Table::new(""), &facts, Topic::Dkim).await[0];
        assert_found(found, State::Missing, verdict, "not there");
        assert_eq!(found.finding.mend.as_deref(), Some("s._domainkey.example.org. 3600 IN TXT \"p=MTIz\""));
    }
}

/// RFC 4592: it answers for every name that is not there.
#[tokio::test]
async fn a_wildcard_is_no_key_and_is_told_as_what_it_is() {
    let facts = facts();
    let mut table = published(&facts);
    table.without("rsa1._domainkey.example.org TXT").without("_dmarc.example.org TXT");
    table.add("*._domainkey.example.org TXT v=spf1 -all").add("*.example.org TXT v=spf1 -all");
    let found = &checked(&table, &facts, Topic::Dkim).await[0];
    assert_found(found, State::Missing, Verdict::Bad, "a wildcard answers in its place");
    let found = &checked(&table, &facts, Topic::Dmarc).await[0];
    assert!(found.finding.details[0].contains("of a wildcard"), "{found:#?}");
}

#[tokio::test]
async fn any_policy_of_dmarc_is_one_and_none_stops_nothing() {
    let mut table = published(&facts());
    let topic = Topic::Dmarc;
    assert_found(&one(&table, topic).await, State::Matches, Verdict::Notice, "forged mail is not stopped");
    table.put("_dmarc.example.org TXT v=DMARC1;p=quarantine;pct=100;adkim=s");
    assert_found(&one(&table, topic).await, State::Matches, Verdict::Good, "the policy is quarantine");
    table.put("_dmarc.example.org TXT v=DMARC1");
    assert_found(&one(&table, topic).await, State::Differs, Verdict::Warning, "no DMARC record that counts");
    table.without("_dmarc.example.org TXT");
    assert_found(&one(&table, topic).await, State::Missing, Verdict::Warning, "no DMARC record");
}

#[tokio::test]
async fn reports_to_another_domain_are_looked_for_there() {
    let mut table = published(&facts());
    let name = "example.org._report._dmarc.reports.example.net";
    table.put("_dmarc.example.org TXT v=DMARC1; p=reject; rua=mailto:a@reports.example.net,mailto:b@sub.example.org");
    let found = checked(&table, &facts(), Topic::Dmarc).await;
    assert_eq!(found.len(), 2, "{found:#?}");
    assert_found(&found[1], State::Missing, Verdict::Warning, "does not say that it wants the reports");
    assert_eq!(found[1].finding.mend.as_deref(), Some(&*format!("{name}. 3600 IN TXT \"v=DMARC1\"")));
    table.add("*._report._dmarc.reports.example.net TXT v=DMARC1");
    table.add(&format!("{name} TXT v=DMARC1;"));
    assert_found(&checked(&table, &facts(), Topic::Dmarc).await[1], State::Matches, Verdict::Good, "wants");
}

#[tokio::test]
async fn the_policy_of_mta_sts_counts_and_not_its_id() {
    let mut table = published(&facts());
    let topic = Topic::MtaSts;
    table.put("_mta-sts.example.org TXT v=STSv1; id=20261122T1;");
    assert_found(&one(&table, topic).await, State::Matches, Verdict::Good, "mode enforce");
    serve(&mut table, "version: STSv1\nmode: enforce\nmx: mx.example.net\nmax_age: 86400\n");
    assert_found(&one(&table, topic).await, State::Differs, Verdict::Bad, "does not name mail.example.org");
    serve(&mut table, "version: STSv1\nmode: testing\nmx: mx.example.net\nmax_age: 86400\n");
    assert_found(&one(&table, topic).await, State::Differs, Verdict::Warning, "does not name");
    serve(&mut table, "<html>");
    assert_found(&one(&table, topic).await, State::Differs, Verdict::Warning, "the policy is none");
    table.policies.clear();
    assert_found(&one(&table, topic).await, State::Differs, Verdict::Warning, "nobody is there");
    table.put("_mta-sts.example.org TXT v=STSv1; id=2026-11-22");
    assert_found(&one(&table, topic).await, State::Differs, Verdict::Warning, "MTA-STS record");
}

#[tokio::test]
async fn reports_about_tls_go_somewhere() {
    let mut table = published(&facts());
    let topic = Topic::TlsRpt;
    table.put("_smtp._tls.example.org TXT v=TLSRPTv1;rua=https://reports.example.net/");
    assert_found(&one(&table, topic).await, State::Matches, Verdict::Good, "https://reports.example.net/");
    table.put("_smtp._tls.example.org TXT v=TLSRPTv1; ruf=mailto:a@example.org");
    assert_found(&one(&table, topic).await, State::Differs, Verdict::Warning, "rua");
}

#[tokio::test]
async fn services_are_to_be_where_they_are_and_nowhere_else() {
    let mut table = published(&facts());
    let about = async |table: &Table, name: &str| {
        let found = checked(table, &facts(), Topic::Srv).await;
        found.into_iter().find(|checked| checked.finding.about.starts_with(name)).unwrap()
    };
    table.put("_submissions._tcp.example.org SRV 10 5 465 mail.example.org.");
    assert_found(&about(&table, "_submissions").await, State::Matches, Verdict::Good, "port 465");
    table.put("_submissions._tcp.example.org SRV 0 1 587 mail.example.org.");
    assert_found(&about(&table, "_submissions").await, State::Differs, Verdict::Warning, "another port");
    table.put("_submissions._tcp.example.org SRV 0 1 465 smtp.example.net.");
    assert_found(
        &about(&table, "_submissions").await,
        State::Differs,
        Verdict::Warning,
        "though the service is here",
    );
    table.put("_imaps._tcp.example.org SRV 0 1 993 mail.example.org.");
    assert_found(&about(&table, "_imaps").await, State::Differs, Verdict::Warning, "does not have");
    table.put("_imaps._tcp.example.org SRV 0 1 993 imap.example.net.");
    assert_found(&about(&table, "_imaps").await, State::Matches, Verdict::Notice, "elsewhere");
}

#[tokio::test]
async fn tlsa_records_are_to_fit_the_certificate_and_count_with_dnssec_alone() {
    let made = rcgen::generate_simple_self_signed(["mail.example.org".to_owned()]).unwrap();
    let facts = Facts { certificates: vec![vec![made.cert.der().to_vec()]], ..facts() };
    let mut table = published(&facts);
    let found = &checked(&table, &facts, Topic::Dane).await[0];
    assert_found(found, State::Matches, Verdict::Notice, "fit the certificate");
    table.validation = Validation::Secure;
    assert_found(&checked(&table, &facts, Topic::Dane).await[0], State::Matches, Verdict::Good, "fit");
    // The key before, still published beside the one in use.
    table.add(&format!("_25._tcp.mail.example.org TLSA 3 1 1 {}", "00".repeat(32)));
    assert_found(&checked(&table, &facts, Topic::Dane).await[0], State::Matches, Verdict::Good, "fit");
    table.put(&format!("_25._tcp.mail.example.org TLSA 3 1 1 {}", "00".repeat(32)));
    assert_found(
        &checked(&table, &facts, Topic::Dane).await[0],
        State::Differs,
        Verdict::Bad,
        "no TLSA record fits",
    );
    table.validation = Validation::Insecure;
    assert_found(
        &checked(&table, &facts, Topic::Dane).await[0],
        State::Differs,
        Verdict::Warning,
        "no TLSA record",
    );
    let unknown = Facts { certificates: Vec::new(), ..facts };
    assert_found(
        &checked(&table, &unknown, Topic::Dane).await[0],
        State::Unknown,
        Verdict::Unknown,
        "not known",
    );
}
