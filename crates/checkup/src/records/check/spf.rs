//! SPF: whether it lets the host send, by whatever terms (RFC 7208).

use mailauth::spf::{Client, Identity, Outcome, SpfProblem, SpfResult, check_host};

use super::{Checked, Look, State, records, text_line};
use crate::records::WantedRecord;
use crate::{Finding, Topic, Verdict};

pub(super) async fn domain(look: &Look<'_>) -> Vec<Checked> {
    let Some(record) = look.of(Topic::Spf).find(|record| record.name == look.facts.domain.ascii()) else {
        return Vec::new();
    };
    let sender = format!("postmaster@{}", record.name);
    vec![evaluated(look, record, Identity::MailFrom(&sender)).await]
}

pub(super) async fn hello(look: &Look<'_>) -> Vec<Checked> {
    let Some(record) = look.of(Topic::Spf).find(|record| record.name != look.facts.domain.ascii()) else {
        return Vec::new();
    };
    vec![evaluated(look, record, Identity::Helo).await]
}

/// For each address from which the host sends; the worst counts.
async fn evaluated(look: &Look<'_>, record: &WantedRecord, identity: Identity<'_>) -> Checked {
    let about = &record.name;
    let texts = match records(look.outside.txt(about).await) {
        Ok(texts) => texts,
        Err(trouble) => return Checked::unknown(Topic::Spf, about, trouble),
    };
    let published: Vec<Vec<u8>> = texts.into_iter().filter(|text| is_spf(text)).collect();
    if published.is_empty() {
        let verdict = if identity == Identity::Helo { Verdict::Notice } else { Verdict::Bad };
        return Checked::missing(record, verdict, "there is no SPF record");
    }
    let addresses = look.sending_addresses();
    if addresses.is_empty() {
        let says =
            "there is an SPF record; whether it lets this host send is not known without the host's address";
        let finding = Finding::new(Topic::Spf, about, Verdict::Unknown, says);
        return look.told(Checked::new(State::Unknown, finding), &published);
    }
    let mut said = Vec::new();
    for ip in addresses {
        let host = look.facts.host.ascii();
        let client = Client { ip, helo: host, receiver: host, now: look.now };
        let outcome = check_host(look.outside, &client, identity).await;
        if outcome.result != SpfResult::Pass {
            return refused(look, record, ip, &outcome, &published);
        }
        said.push(format!("{ip} passes by {}", outcome.mechanism.as_deref().unwrap_or("its record")));
    }
    let checked = Checked::good(Topic::Spf, about, "the record lets this host send");
    let checked = look.told(checked, &published);
    said.into_iter().fold(checked, Checked::detail)
}

fn refused(
    look: &Look<'_>,
    record: &WantedRecord,
    ip: std::net::IpAddr,
    outcome: &Outcome,
    published: &[Vec<u8>],
) -> Checked {
    let checked = match &outcome.problem {
        Some(problem @ SpfProblem::NoAnswer { .. }) => {
            let finding = Finding::new(Topic::Spf, &record.name, Verdict::Unknown, problem.to_string());
            Checked::new(State::Unknown, finding)
        }
        Some(problem @ SpfProblem::SeveralRecords { .. }) => {
            let says = format!("{problem}, so that none counts");
            Checked::differs(record, Verdict::Bad, says).mend("make one record of them")
        }
        Some(problem) => {
            let says = format!("the record is an error: {problem}");
            Checked::differs(record, Verdict::Bad, says)
        }
        None => {
            let says = format!("the record does not let {ip} of this host send ({})", outcome.result);
            let text = String::from_utf8_lossy(&published.concat()).into_owned();
            let mended = with_host(&text, look.facts.host.ascii());
            Checked::differs(record, Verdict::Bad, says).mend(text_line(&record.name, mended))
        }
    };
    look.told(checked, published)
}

/// The record with a term for the host, in front of what is there: it asks little, and others stay as they are.
fn with_host(text: &str, host: &str) -> String {
    let terms = text.trim_start_matches(|c: char| c != ' ');
    format!("v=spf1 a:{host}{terms}")
}

/// RFC 7208 §4.5.
pub(super) fn is_spf(text: &[u8]) -> bool {
    let version = text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"v=spf1"));
    version && matches!(text.get(6), None | Some(b' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_mended_by_a_term_in_front_of_the_others() {
        for (text, mended) in [
            ("v=spf1 include:x.example -all", "v=spf1 a:mail.example.org include:x.example -all"),
            ("v=spf1", "v=spf1 a:mail.example.org"),
            ("V=SPF1 ~all", "v=spf1 a:mail.example.org ~all"),
        ] {
            assert_eq!(with_host(text, "mail.example.org"), mended);
        }
    }
}
