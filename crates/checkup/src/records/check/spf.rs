//! SPF: whether it lets the host send, by whatever terms (RFC 7208).

use std::net::IpAddr;

use mailauth::spf::{self, Client, Identity, LOOKUP_TERMS_MAX, SpfProblem, SpfResult, check_host};

use super::{Checked, Look, State, records, text_line};
use crate::records::WantedRecord;
use crate::spf::{address_term, mend_of, with};
use crate::{Finding, Topic, Verdict};

/// Addresses of a host that are asked about.
const ADDRESSES_MAX: usize = 8;

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

/// For each address from which the host sends; the first that is not let in is told.
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
    let (mut said, mut refused) = (Vec::new(), Vec::new());
    for ip in addresses.into_iter().take(ADDRESSES_MAX) {
        let host = look.facts.host.ascii();
        let client = Client { ip, helo: host, receiver: host, now: look.now };
        let outcome = check_host(look.outside, &client, identity).await;
        if outcome.result == SpfResult::Pass {
            said.push(format!("{ip} passes by {}", outcome.mechanism.as_deref().unwrap_or("its record")));
        } else {
            refused.push((ip, outcome));
        }
    }
    let Some((ip, outcome)) = refused.first() else {
        let checked = Checked::good(Topic::Spf, about, "the record lets this host send");
        let checked = look.told(checked, &published);
        return said.into_iter().fold(checked, Checked::detail);
    };
    let addresses: Vec<IpAddr> = refused.iter().map(|(ip, _)| *ip).collect();
    let checked = match &outcome.problem {
        Some(problem @ SpfProblem::NoAnswer { .. }) => {
            let finding = Finding::new(Topic::Spf, about, Verdict::Unknown, problem.to_string());
            Checked::new(State::Unknown, finding)
        }
        Some(problem) => {
            let says = format!("the record cannot be used: {problem}");
            Checked::differs(record, Verdict::Bad, says).mend(mend_of(problem, about))
        }
        None => {
            let says = format!("the record does not let {ip} of this host send ({})", outcome.result);
            let text = String::from_utf8_lossy(&published.concat()).into_owned();
            let mended = with(&text, &terms(look, about, &addresses).await);
            Checked::differs(record, Verdict::Bad, says).mend(text_line(about, mended))
        }
    };
    look.told(checked, &published)
}

/// The host by its name, which stays right when its addresses change. That is one more question of ten to the DNS (§4.6.4), so
/// where there is no room, and where the name does not lead to all of them, the addresses themselves.
async fn terms(look: &Look<'_>, about: &str, addresses: &[IpAddr]) -> Vec<String> {
    let known = look.seen.addresses.as_deref().unwrap_or_default();
    let survey = spf::survey(look.outside, about, None, "").await;
    let has_room = survey.lookup_terms < LOOKUP_TERMS_MAX && !survey.is_cut;
    if has_room && addresses.iter().all(|address| known.contains(address)) {
        vec![format!("a:{}", look.facts.host.ascii())]
    } else {
        addresses.iter().map(|address| address_term(*address)).collect()
    }
}

/// RFC 7208 §4.5.
pub(super) fn is_spf(text: &[u8]) -> bool {
    let version = text.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"v=spf1"));
    version && matches!(text.get(6), None | Some(b' '))
}
