//! Domains without mail.

use checkup::records::{Facts, Mail, State, check, wanted};
use checkup::{Topic, Verdict};
use types::Timestamp;

use super::common::Table;
use super::facts;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn unused() -> Facts {
    Facts { mail: Mail::None, ..facts() }
}

#[test]
fn a_domain_without_mail_says_so_in_every_way() {
    let records = super::in_words(&wanted(&unused()));
    let expected = [
        "example.org MX 0 .",
        "example.org TXT v=spf1 -all",
        "*._domainkey.example.org TXT v=DKIM1; p=",
        "_dmarc.example.org TXT v=DMARC1; p=reject; sp=reject",
    ];
    assert_eq!(records, expected);
}

#[tokio::test]
async fn each_of_them_is_looked_for() {
    let mut table = Table::new("");
    for record in wanted(&unused()) {
        table.add(&format!("{} {} {}", record.name, record.data.kind(), record.data.value()));
    }
    for checked in check(&table, &unused(), NOW).await {
        assert_eq!((checked.state, checked.finding.verdict), (State::Matches, Verdict::Good), "{checked:#?}");
    }
    for checked in check(&Table::new(""), &unused(), NOW).await {
        assert_eq!(checked.state, State::Missing, "{checked:#?}");
    }
}

#[tokio::test]
async fn what_lets_others_use_its_name_is_told() {
    let table = Table::new(
        "example.org MX 10 mail.example.org
         example.org TXT v=spf1 mx ~all
         _dmarc.example.org TXT v=DMARC1; p=none",
    );
    let found = check(&table, &unused(), NOW).await;
    for (topic, verdict) in
        [(Topic::Mx, Verdict::Bad), (Topic::Spf, Verdict::Bad), (Topic::Dmarc, Verdict::Warning)]
    {
        let checked = found.iter().find(|checked| checked.finding.topic == topic).unwrap();
        assert_eq!((checked.state, checked.finding.verdict), (State::Differs, verdict), "{checked:#?}");
    }
}
