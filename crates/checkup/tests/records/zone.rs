//! Zones as another program reads them: hickory's parser of master files (RFC 1035 §5).

use checkup::records::{Data, Facts, Mail, line, policy_file, wanted, zone};
use hickory_proto::rr::{Name, RData};
use hickory_proto::serialize::txt::Parser;

use super::{facts, long_key};

/// `name type data` of each record, sorted.
fn read_back(text: &str) -> Vec<(String, RData)> {
    let origin = Name::from_ascii("elsewhere.example.").unwrap();
    let (_, sets) =
        Parser::new(text, None, Some(origin)).parse().unwrap_or_else(|error| panic!("{error}\n{text}"));
    let records = sets.values().flat_map(|set| set.records_without_rrsigs().cloned().collect::<Vec<_>>());
    let mut all: Vec<_> = records.map(|record| (record.name.to_ascii(), record.data.clone())).collect();
    all.sort_by_key(|(name, data)| (name.clone(), data.record_type().to_string()));
    all
}

fn texts_of(records: &[(String, RData)], name: &str) -> Vec<Vec<Vec<u8>>> {
    let of_name = records.iter().filter(|(owner, _)| owner == name);
    let texts = of_name.filter_map(|(_, data)| match data {
        RData::TXT(txt) => Some(txt.txt_data.iter().map(|text| text.to_vec()).collect()),
        _ => None,
    });
    texts.collect()
}

#[test]
fn another_parser_reads_the_zone_as_it_was_meant() {
    let facts = facts();
    let records = read_back(&zone(&facts, &wanted(&facts)));
    let kinds: Vec<String> =
        records.iter().map(|(name, data)| format!("{name} {}", data.record_type())).collect();
    for expected in [
        "example.org. MX",
        "mail.example.org. A",
        "mail.example.org. AAAA",
        "_dmarc.example.org. TXT",
        "_submissions._tcp.example.org. SRV",
        "_imaps._tcp.example.org. SRV",
        "rsa1._domainkey.example.org. TXT",
    ] {
        assert!(kinds.contains(&expected.to_owned()), "{expected}\n{kinds:#?}");
    }
    assert!(records.iter().all(|(name, _)| name.ends_with("example.org.")), "{kinds:#?}");
    assert!(!kinds.iter().any(|kind| kind.contains("CNAME") || kind.contains("PTR")), "{kinds:#?}");
    let Some((_, RData::SRV(none))) = records.iter().find(|(name, _)| name.starts_with("_imaps")) else {
        panic!()
    };
    assert!(none.target.is_root());
}

/// RFC 6376 §3.6.2.2: strings are joined without anything between them.
#[test]
fn a_long_key_is_cut_into_strings_that_join_to_it() {
    let facts = facts();
    let records = read_back(&zone(&facts, &wanted(&facts)));
    let texts = texts_of(&records, "rsa1._domainkey.example.org.");
    assert_eq!(texts.len(), 1);
    assert!(texts[0].len() > 1 && texts[0].iter().all(|string| string.len() <= 255));
    assert_eq!(texts[0].concat(), long_key().into_bytes());
}

#[test]
fn nothing_in_a_text_ends_it() {
    let text = "a \"b\" \\ ; c\u{e4}\n( ) $TTL @";
    let written = line("x.example.org", &Data::Txt(text.into()));
    assert_eq!(written, "x.example.org. 3600 IN TXT \"a \\\"b\\\" \\\\ ; c\\195\\164\\010( ) $TTL @\"");
    assert_eq!(line("x.example.org", &Data::Txt(String::new())), "x.example.org. 3600 IN TXT \"\"");
    // Exactly one string, and one octet more.
    let strings = |length| line("x.example", &Data::Txt("a".repeat(length))).matches("\" \"").count() + 1;
    assert_eq!((strings(255), strings(256), strings(510), strings(511)), (1, 2, 2, 3));
}

#[test]
fn nothing_in_a_name_means_something_else() {
    let written = line("a b;c.example.org", &Data::Cname("x\"y\\z.example.org.".into()));
    assert_eq!(written, "a\\032b\\;c.example.org. 3600 IN CNAME x\\\"y\\\\z.example.org.");
}

/// A name server refuses a file with records of another zone.
#[test]
fn records_of_other_zones_are_comments() {
    let facts =
        Facts { host: "mx.example.net".parse().unwrap(), reports: "dmarc@example.com".into(), ..facts() };
    let text = zone(&facts, &wanted(&facts));
    let records = read_back(&text);
    assert!(records.iter().all(|(name, _)| name.ends_with("example.org.")), "{text}");
    assert!(text.contains("; mx.example.net. 3600 IN A 192.0.2.25"), "{text}");
    assert!(text.contains("; 25.2.0.192.in-addr.arpa. 3600 IN PTR mx.example.net."), "{text}");
    assert!(
        text.contains("; in the zone of example.com:\n; example.org._report._dmarc.example.com."),
        "{text}"
    );
}

#[test]
fn a_domain_of_another_script_stands_in_the_zone_with_a_labels() {
    let facts = Facts {
        domain: "bücher.example".parse().unwrap(),
        host: "mail.bücher.example".parse().unwrap(),
        ..facts()
    };
    let text = zone(&facts, &wanted(&facts));
    let records = read_back(&text);
    assert!(text.starts_with("; What bücher.example (xn--bcher-kva.example) needs"), "{text}");
    assert!(records.iter().all(|(name, _)| name.ends_with("xn--bcher-kva.example.")), "{text}");
    assert!(text.lines().filter(|line| !line.starts_with(';')).all(str::is_ascii), "{text}");
}

#[test]
fn a_zone_of_a_domain_without_mail_is_read_too() {
    let facts = Facts { mail: Mail::None, ..facts() };
    let records = read_back(&zone(&facts, &wanted(&facts)));
    assert_eq!(records.len(), 4);
    let Some((_, RData::MX(mx))) = records.iter().find(|(_, data)| matches!(data, RData::MX(_))) else {
        panic!()
    };
    assert!(mx.exchange.is_root() && mx.preference == 0);
    assert_eq!(texts_of(&records, "*._domainkey.example.org.").len(), 1);
}

#[test]
fn the_policy_file_is_one_of_mta_sts_that_names_the_host() {
    let facts = facts();
    let policy = net::mta_sts::Policy::parse(policy_file(&facts).as_bytes()).unwrap();
    assert!(policy.names(&facts.host));
    let text = zone(&facts, &wanted(&facts));
    assert!(text.contains(";   mx: mail.example.org\n"), "{text}");
}
