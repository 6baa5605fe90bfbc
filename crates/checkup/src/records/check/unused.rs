//! A domain without mail: whether it says so.

use std::net::{IpAddr, Ipv4Addr};

use mailauth::dmarc::{self, Authenticated, Policy};
use mailauth::spf::{Client, Identity, SpfResult, check_host};
use types::Timestamp;

use super::spf::is_spf;
use super::{Checked, Data, Facts, PROBE, WantedRecord, printable, records};
use crate::{Outside, Topic, Verdict};

/// An address of nobody (RFC 5737): whoever lets it send lets everybody send.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

pub(super) async fn all(
    outside: &dyn Outside,
    facts: &Facts,
    wanted: &[WantedRecord],
    now: Timestamp,
) -> Vec<Checked> {
    let mut all = Vec::new();
    for record in wanted {
        all.push(match record.topic {
            Topic::Mx => null_mx(outside, record).await,
            Topic::Spf => nobody_sends(outside, record, now).await,
            Topic::Dmarc => all_refused(outside, facts, record).await,
            _ => no_key(outside, record).await,
        });
    }
    all
}

async fn null_mx(outside: &dyn Outside, record: &WantedRecord) -> Checked {
    let found = match records(outside.mx(&record.name).await) {
        Ok(found) => found,
        Err(trouble) => return Checked::unknown(Topic::Mx, &record.name, trouble),
    };
    let is_null = |exchange: &str| exchange.trim_end_matches('.').is_empty();
    match &found[..] {
        [] => {
            let says = "there is no MX record, so senders try the domain's own address";
            Checked::missing(record, Verdict::Warning, says)
        }
        [mx] if is_null(&mx.exchange) => {
            Checked::good(Topic::Mx, &record.name, "the domain says that it takes no mail")
        }
        _ => {
            let checked = Checked::differs(record, Verdict::Bad, "the domain has mail hosts");
            found.iter().fold(checked, |checked, mx| {
                checked.detail(format!("found: {}", Data::Mx(mx.clone()).value()))
            })
        }
    }
}

async fn nobody_sends(outside: &dyn Outside, record: &WantedRecord, now: Timestamp) -> Checked {
    let texts = match records(outside.txt(&record.name).await) {
        Ok(texts) => texts,
        Err(trouble) => return Checked::unknown(Topic::Spf, &record.name, trouble),
    };
    if !texts.iter().any(|text| is_spf(text)) {
        return Checked::missing(
            record,
            Verdict::Bad,
            "there is no SPF record, so any host may send in its name",
        );
    }
    let client = Client { ip: NOBODY, helo: &record.name, receiver: &record.name, now };
    let sender = format!("postmaster@{}", record.name);
    let outcome = check_host(outside, &client, Identity::MailFrom(&sender)).await;
    if outcome.result == SpfResult::Fail {
        return Checked::good(Topic::Spf, &record.name, "no stranger may send in its name");
    }
    let says = format!("a stranger who sends in its name does not fail SPF ({})", outcome.result);
    Checked::differs(record, Verdict::Bad, says)
}

async fn all_refused(outside: &dyn Outside, facts: &Facts, record: &WantedRecord) -> Checked {
    let outcome = dmarc::evaluate(outside, &facts.domain, &Authenticated::default()).await;
    match (outcome.policy, outcome.record.is_some(), outcome.trouble) {
        (_, false, Some((_, trouble))) => Checked::unknown(Topic::Dmarc, &record.name, trouble),
        (Policy::Reject, ..) => {
            Checked::good(Topic::Dmarc, &record.name, "mail in its name is to be refused")
        }
        (_, true, _) => Checked::differs(record, Verdict::Warning, "mail in its name need not be refused"),
        (_, false, None) => Checked::missing(record, Verdict::Warning, "there is no DMARC record"),
    }
}

async fn no_key(outside: &dyn Outside, record: &WantedRecord) -> Checked {
    let name = record.name.replacen('*', PROBE, 1);
    let found = match records(outside.txt(&name).await) {
        Ok(found) => found,
        Err(trouble) => return Checked::unknown(record.topic, &record.name, trouble),
    };
    let text = found.first().map(|text| printable(text)).unwrap_or_default();
    if text.starts_with("v=DKIM1") && text.trim_end_matches([' ', ';']).ends_with("p=") {
        return Checked::good(record.topic, &record.name, "no key signs for the domain");
    }
    Checked::missing(record, Verdict::Notice, "keys are not said to be revoked")
}
