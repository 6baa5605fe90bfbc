//! DKIM, DMARC, MTA-STS and reports about TLS.

use mailauth::dmarc::{self, Authenticated, Policy as DmarcPolicy};
use net::mta_sts::{Mode, Policy, discover};
use types::Domain;
use types::directory::DkimKeyState;

use super::{Checked, Look, State, printable, records};
use crate::records::facts::Key;
use crate::records::{WantedRecord, policy_file};
use crate::{Finding, Topic, Verdict};

/// Addresses for reports of one record that are looked at.
const REPORTS_MAX: usize = 10;

pub(super) async fn dkim(look: &Look<'_>) -> Vec<Checked> {
    if look.facts.keys.is_empty() {
        let domain = look.facts.domain.ascii();
        let finding =
            Finding::new(Topic::Dkim, domain, Verdict::Notice, "the directory has no key for the domain");
        return vec![Checked::new(State::Unknown, finding)];
    }
    let mut all = Vec::new();
    for (record, key) in look.of(Topic::Dkim).zip(&look.facts.keys) {
        all.push(one_key(look, record, key).await);
    }
    all
}

async fn one_key(look: &Look<'_>, record: &WantedRecord, key: &Key) -> Checked {
    let about = &record.name;
    let texts = match records(look.outside.txt(about).await) {
        Ok(texts) => texts,
        Err(trouble) => return Checked::unknown(Topic::Dkim, about, trouble),
    };
    let verdict = match key.state {
        DkimKeyState::Active => Verdict::Bad,
        DkimKeyState::Next | DkimKeyState::Retired => Verdict::Warning,
    };
    let is_made = !texts.is_empty() && texts == look.seen.wildcard;
    let found = match &texts[..] {
        [] => return Checked::missing(record, verdict, absent_key(key.state)),
        _ if is_made => {
            let says = format!("{}: a wildcard answers in its place", absent_key(key.state));
            let checked = Checked::missing(record, verdict, says);
            return look.told(checked, &texts);
        }
        [text] => text,
        // RFC 6376 §3.6.2.2: what several records mean is not defined.
        _ => {
            let says = "there is more than one text, and receivers may take any of them for the key";
            let checked = Checked::differs(record, verdict, says);
            return look.told(checked, &texts);
        }
    };
    let (wanted, found_tags) = (Tags::read(key.record.as_bytes()), Tags::read(found));
    if wanted.value("p") == found_tags.value("p") && wanted.kind() == found_tags.kind() {
        let says = format!("the {} key is there", key.state.keyword());
        if found_tags.value("t").is_some_and(|flags| flags.split(':').any(|flag| flag == "y")) {
            let says = format!("{says}, with t=y, by which some receivers count it as a test");
            let finding = Finding::new(Topic::Dkim, about, Verdict::Notice, says);
            return Checked::new(State::Matches, finding).mend(super::line(about, &record.data));
        }
        return Checked::good(Topic::Dkim, about, says);
    }
    let says = match found_tags.value("p").as_deref() {
        None => "the text there is no key",
        Some("") => "the key there is revoked (p= is empty)",
        Some(_) => "there is another key",
    };
    let checked = Checked::differs(record, verdict, says);
    look.told(checked, &texts)
}

const fn absent_key(state: DkimKeyState) -> &'static str {
    match state {
        DkimKeyState::Active => "the key that signs now is not there, so nobody can verify what is signed",
        DkimKeyState::Next => "the key that signs next is not there; it cannot sign until it is",
        DkimKeyState::Retired => {
            "the key before is not there, so what it has signed cannot be verified any more"
        }
    }
}

/// RFC 6376 §3.6.1; space within a value says nothing.
struct Tags(Vec<(String, String)>);

impl Tags {
    fn read(text: &[u8]) -> Self {
        let text = String::from_utf8_lossy(text);
        let tag = |tag: &str| {
            let (name, value) = tag.split_once('=')?;
            let value = value.chars().filter(|character| !character.is_ascii_whitespace()).collect();
            Some((name.trim().to_owned(), value))
        };
        Self(text.split(';').filter_map(tag).collect())
    }

    fn value(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.clone())
    }

    fn kind(&self) -> String {
        self.value("k").unwrap_or_else(|| "rsa".to_owned())
    }
}

pub(super) async fn dmarc(look: &Look<'_>) -> Vec<Checked> {
    let Some(record) = look.of(Topic::Dmarc).next() else { return Vec::new() };
    let domain = look.facts.domain.ascii();
    let outcome = dmarc::evaluate(look.outside, &look.facts.domain, &Authenticated::default()).await;
    let Some(found) = &outcome.record else {
        if let Some((_, trouble)) = outcome.trouble {
            return vec![Checked::unknown(Topic::Dmarc, &record.name, trouble)];
        }
        let texts = records(look.outside.txt(&record.name).await).unwrap_or_default();
        let checked = if texts.is_empty() {
            Checked::missing(record, Verdict::Warning, "there is no DMARC record")
        } else {
            Checked::differs(record, Verdict::Warning, "what is there is no DMARC record that counts")
        };
        return vec![look.told(checked, &texts)];
    };
    let at = outcome.policy_domain.as_deref().unwrap_or(domain);
    let policy = policy_word(outcome.policy);
    let says = if at == domain {
        format!("the policy is {policy}")
    } else {
        format!("the policy is {policy}, by the record of {at}")
    };
    let mut all = vec![judged(record, found, outcome.policy, says)];
    for reports in found.aggregate_reports.iter().take(REPORTS_MAX) {
        all.extend(reports_elsewhere(look, at, reports).await);
    }
    all
}

fn judged(record: &WantedRecord, found: &dmarc::Record, policy: DmarcPolicy, says: String) -> Checked {
    if policy != DmarcPolicy::None {
        return Checked::good(Topic::Dmarc, &record.name, says);
    }
    let finding =
        Finding::new(Topic::Dmarc, &record.name, Verdict::Notice, says + ", so forged mail is not stopped");
    let checked = Checked::new(State::Matches, finding);
    if found.aggregate_reports.is_empty() {
        return checked.mend(super::line(&record.name, &record.data)).detail(
            "nobody gets reports, without which \
             nothing shows who else sends for the domain",
        );
    }
    checked.mend(
        "once the reports show nothing but your own mail, write p=quarantine, and some weeks later p=reject",
    )
}

const fn policy_word(policy: DmarcPolicy) -> &'static str {
    match policy {
        DmarcPolicy::None => "none",
        DmarcPolicy::Quarantine => "quarantine",
        DmarcPolicy::Reject => "reject",
    }
}

/// RFC 9990 §4 (RFC 7489 §7.1): another domain has to say that it wants the reports. `at` is where the policy stands.
async fn reports_elsewhere(look: &Look<'_>, at: &str, uri: &str) -> Option<Checked> {
    let address = uri.strip_prefix("mailto:").unwrap_or(uri);
    let host: Domain = address.rsplit_once('@')?.1.parse().ok()?;
    let host = host.ascii();
    let is_below = |name: &str, above: &str| name.strip_suffix(above).is_some_and(|rest| rest.ends_with('.'));
    if host == at || is_below(host, at) || is_below(at, host) {
        return None;
    }
    let name = format!("{at}._report._dmarc.{host}");
    if !mailauth::is_name(&name) {
        return None;
    }
    let found = match records(look.outside.txt(&name).await) {
        Ok(found) => found,
        Err(trouble) => return Some(Checked::unknown(Topic::Dmarc, &name, trouble)),
    };
    if found.iter().any(|text| text.starts_with(b"v=DMARC1")) {
        return Some(Checked::good(Topic::Dmarc, &name, format!("{host} wants the reports")));
    }
    let says = format!("{host} does not say that it wants the reports, so they are not sent there");
    let finding = Finding::new(Topic::Dmarc, &name, Verdict::Warning, says);
    Some(Checked::new(State::Missing, finding).mend(super::text_line(&name, "v=DMARC1")))
}

pub(super) async fn mta_sts(look: &Look<'_>) -> Vec<Checked> {
    let Some(record) = look.of(Topic::MtaSts).next() else { return Vec::new() };
    let texts = match records(look.outside.txt(&record.name).await) {
        Ok(texts) => texts,
        Err(trouble) => return vec![Checked::unknown(Topic::MtaSts, &record.name, trouble)],
    };
    let checked = match discover(&texts) {
        Ok(None) => Checked::missing(
            record,
            Verdict::Notice,
            "there is no MTA-STS record, so senders take any certificate",
        )
        .detail(format!("first serve https://mta-sts.{}/.well-known/mta-sts.txt:", look.facts.domain.ascii()))
        .detail(policy_file(look.facts).trim_end().replace('\n', " | ")),
        Err(error) => Checked::differs(record, Verdict::Warning, error.to_string()),
        Ok(Some(_)) => return vec![policy(look, record).await],
    };
    vec![look.told(checked, &texts)]
}

/// The file is what counts: whatever the id, it is right as long as it changes with the file.
async fn policy(look: &Look<'_>, record: &WantedRecord) -> Checked {
    let (domain, host) = (look.facts.domain.ascii(), look.facts.host.ascii());
    let file = format!("https://mta-sts.{domain}/.well-known/mta-sts.txt");
    let text = match look.outside.policy(&look.facts.domain).await {
        Ok(text) => text,
        Err(why) => {
            let says = format!("the record is there, and the policy cannot be had: {why}");
            let finding = Finding::new(Topic::MtaSts, &record.name, Verdict::Warning, says);
            return Checked::new(State::Differs, finding).mend(format!("serve {file}"));
        }
    };
    let policy = match Policy::parse(&text) {
        Ok(policy) => policy,
        Err(error) => {
            let finding = Finding::new(
                Topic::MtaSts,
                &record.name,
                Verdict::Warning,
                format!("the policy is none: {error}"),
            );
            return Checked::new(State::Differs, finding).mend(format!(
                "serve at {file}: {}",
                policy_file(look.facts).trim_end().replace('\n', " | ")
            ));
        }
    };
    if policy.mode == Mode::None || policy.names(&look.facts.host) {
        let says = format!("the record and the policy (mode {}) are there", policy.mode);
        return Checked::good(Topic::MtaSts, &record.name, says);
    }
    let verdict = if policy.mode == Mode::Enforce { Verdict::Bad } else { Verdict::Warning };
    let says = format!(
        "the policy (mode {}) does not name {host}: senders that keep to it give it no mail",
        policy.mode
    );
    let finding = Finding::new(Topic::MtaSts, &record.name, verdict, says)
        .mend(format!("add a line `mx: {host}` to {file}, then change the id of the record"));
    Checked::new(State::Differs, finding)
}

pub(super) async fn tls_reports(look: &Look<'_>) -> Vec<Checked> {
    let Some(record) = look.of(Topic::TlsRpt).next() else { return Vec::new() };
    let texts = match records(look.outside.txt(&record.name).await) {
        Ok(texts) => texts,
        Err(trouble) => return vec![Checked::unknown(Topic::TlsRpt, &record.name, trouble)],
    };
    // RFC 8460 §3: what does not begin so is another text, and of several none counts.
    let ours: Vec<&Vec<u8>> = texts.iter().filter(|text| text.starts_with(b"v=TLSRPTv1;")).collect();
    let checked = match &ours[..] {
        [] => Checked::missing(
            record,
            Verdict::Notice,
            "there is no TLS-RPT record, so nobody reports broken TLS",
        ),
        [text] if Tags::read(text).value("rua").is_some_and(|rua| !rua.is_empty()) => {
            let rua = Tags::read(text).value("rua").unwrap_or_default();
            let says = format!("reports go to {}", printable(rua.as_bytes()));
            return vec![Checked::good(Topic::TlsRpt, &record.name, says)];
        }
        [_] => Checked::differs(record, Verdict::Warning, "the record says nowhere where reports go (rua)"),
        _ => Checked::differs(
            record,
            Verdict::Warning,
            "there are several TLS-RPT records, of which none counts",
        ),
    };
    vec![look.told(checked, &texts)]
}
