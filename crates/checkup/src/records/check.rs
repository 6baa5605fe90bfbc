//! Whether the records are there.

mod hosts;
mod services;
mod spf;
mod texts;
mod unused;

use std::net::IpAddr;
use std::pin::Pin;

use futures_util::future::join_all;
use mta::route::AddressPolicy;
use serde::Serialize;
use types::Timestamp;
use types::dns::{DnsTrouble, Lookup};

use super::facts::{Facts, Mail};
use super::{Data, WantedRecord, line, wanted};
use crate::{Finding, Outside, Topic, Verdict};

/// What was wanted, whether it is there, and what to do about it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checked {
    /// Whether it is there.
    pub state: State,
    /// The rest.
    #[serde(flatten)]
    pub finding: Finding,
}

/// Whether a record is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is, or another one that means the same.
    Matches,
    /// Another one is.
    Differs,
    /// None is.
    Missing,
    /// The DNS does not answer, or what is compared is not known.
    Unknown,
}

impl State {
    /// In one word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Matches => "there",
            Self::Differs => "differs",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        }
    }
}

/// A label that nobody has: what answers for it is a wildcard (RFC 4592).
pub const PROBE: &str = "posta-looks-for-a-wildcard";

/// Asks for all that [`wanted`] says, each in one finding, by topic. `now` is for the dates of certificates.
pub async fn check(outside: &dyn Outside, facts: &Facts, now: Timestamp) -> Vec<Checked> {
    let records = wanted(facts);
    if facts.mail == Mail::None {
        return unused::all(outside, facts, &records, now).await;
    }
    let seen = Seen::of(outside, facts).await;
    let look = Look { outside, facts, records: &records, seen: &seen, now };
    let work: Vec<Pin<Box<dyn Future<Output = Vec<Checked>> + Send + '_>>> = vec![
        Box::pin(hosts::mail_hosts(&look)),
        Box::pin(hosts::addresses(&look)),
        Box::pin(hosts::names(&look)),
        Box::pin(spf::domain(&look)),
        Box::pin(spf::hello(&look)),
        Box::pin(texts::dkim(&look)),
        Box::pin(texts::dmarc(&look)),
        Box::pin(texts::mta_sts(&look)),
        Box::pin(texts::tls_reports(&look)),
        Box::pin(services::tlsa(&look)),
        Box::pin(services::srv(&look)),
    ];
    join_all(work).await.concat()
}

/// What all that look have in common.
struct Look<'a> {
    outside: &'a dyn Outside,
    facts: &'a Facts,
    records: &'a [WantedRecord],
    seen: &'a Seen,
    now: Timestamp,
}

/// What is asked for once.
struct Seen {
    /// Where the DNS says that the host is.
    addresses: Result<Vec<IpAddr>, DnsTrouble>,
    /// What the name of the host is another name of.
    alias_of: Option<String>,
    /// Texts of a wildcard of the domain.
    wildcard: Vec<Vec<u8>>,
}

impl Seen {
    async fn of(outside: &dyn Outside, facts: &Facts) -> Self {
        let host = facts.host.ascii();
        let probe = format!("{PROBE}.{}", facts.domain.ascii());
        let (ipv4, ipv6, wildcard) =
            futures_util::join!(outside.ipv4(host), outside.ipv6(host), outside.txt(&probe));
        let alias_of = [alias(&ipv4), alias(&ipv6)].into_iter().flatten().next();
        let wildcard = records(wildcard).unwrap_or_default();
        Self { addresses: addresses(ipv4, ipv6), alias_of, wildcard }
    }
}

impl<'a> Look<'a> {
    fn of(&self, topic: Topic) -> impl Iterator<Item = &'a WantedRecord> {
        self.records.iter().filter(move |record| record.topic == topic)
    }

    /// The addresses from which the host sends: those that are known, else those of the DNS.
    fn sending_addresses(&self) -> Vec<IpAddr> {
        if !self.facts.addresses.is_empty() {
            return self.facts.addresses.clone();
        }
        let seen = self.seen.addresses.as_deref().unwrap_or_default();
        seen.iter().copied().filter(|address| is_public(*address)).collect()
    }

    /// The same with the texts that are there. A wildcard makes them for any name, which is worth telling.
    fn told(&self, checked: Checked, texts: &[Vec<u8>]) -> Checked {
        texts.iter().fold(checked, |checked, text| {
            let is_made = self.seen.wildcard.contains(text);
            let by = if is_made { " (of a wildcard, which answers for any name)" } else { "" };
            checked.detail(format!("found: \"{}\"{by}", printable(text)))
        })
    }
}

impl Checked {
    const fn new(state: State, finding: Finding) -> Self {
        Self { state, finding }
    }

    /// As it should be.
    fn good(topic: Topic, about: &str, says: impl Into<String>) -> Self {
        Self::new(State::Matches, Finding::new(topic, about, Verdict::Good, says))
    }

    /// The DNS did not answer.
    fn unknown(topic: Topic, about: &str, trouble: DnsTrouble) -> Self {
        let says = format!("could not be asked: {trouble}");
        Self::new(State::Unknown, Finding::new(topic, about, Verdict::Unknown, says))
    }

    /// Something else is there, and should be this.
    fn differs(record: &WantedRecord, verdict: Verdict, says: impl Into<String>) -> Self {
        let finding = Finding::new(record.topic, &record.name, verdict, says);
        Self::new(State::Differs, finding.mend(line(&record.name, &record.data)))
    }

    /// Nothing is there, and this should be.
    fn missing(record: &WantedRecord, verdict: Verdict, says: impl Into<String>) -> Self {
        Self { state: State::Missing, ..Self::differs(record, verdict, says) }
    }

    fn detail(self, detail: impl Into<String>) -> Self {
        Self { finding: self.finding.detail(detail), ..self }
    }

    fn mend(self, mend: impl Into<String>) -> Self {
        Self { finding: self.finding.mend(mend), ..self }
    }
}

/// The records, or none.
fn records<R>(lookup: Lookup<R>) -> Result<Vec<R>, DnsTrouble> {
    match lookup {
        Lookup::Records { records, .. } => Ok(records),
        Lookup::NoData { .. } | Lookup::NoSuchName => Ok(Vec::new()),
        Lookup::Trouble(trouble) => Err(trouble),
    }
}

fn alias<R>(lookup: &Lookup<R>) -> Option<String> {
    match lookup {
        Lookup::Records { alias_of, .. } | Lookup::NoData { alias_of } => {
            alias_of.as_ref().map(|name| name.ascii().to_owned())
        }
        Lookup::NoSuchName | Lookup::Trouble(_) => None,
    }
}

/// Of both families. Where one has none and the other does not answer, nothing is known.
fn addresses(
    ipv4: Lookup<std::net::Ipv4Addr>,
    ipv6: Lookup<std::net::Ipv6Addr>,
) -> Result<Vec<IpAddr>, DnsTrouble> {
    let (ipv4, ipv6) = (records(ipv4), records(ipv6));
    let trouble = ipv4.as_ref().err().or(ipv6.as_ref().err()).copied();
    let found: Vec<IpAddr> = [
        ipv4.unwrap_or_default().into_iter().map(IpAddr::from).collect::<Vec<_>>(),
        ipv6.unwrap_or_default().into_iter().map(IpAddr::from).collect(),
    ]
    .concat();
    match trouble {
        Some(trouble) if found.is_empty() => Err(trouble),
        _ => Ok(found),
    }
}

/// Whether others can reach an address.
fn is_public(address: IpAddr) -> bool {
    AddressPolicy::Global.check(address).is_ok()
}

/// Names in the DNS are the same in any case, with a dot at the end or without.
fn same_name(one: &str, other: &str) -> bool {
    one.trim_end_matches('.').eq_ignore_ascii_case(other.trim_end_matches('.'))
}

/// A text of the DNS for people, cut where it is longer than any honest one.
fn printable(text: &[u8]) -> String {
    const SHOWN_MAX: usize = 600;
    let shown = text.get(..SHOWN_MAX).unwrap_or(text);
    let end = if shown.len() < text.len() { "…" } else { "" };
    shown.escape_ascii().to_string().replace("\\\"", "\"").replace("\\'", "'") + end
}

/// `a, b and c`
fn listed<T: std::fmt::Display>(items: &[T]) -> String {
    let Some((last, others)) = items.split_last() else { return "none".to_owned() };
    if others.is_empty() {
        return last.to_string();
    }
    let others: Vec<String> = others.iter().map(ToString::to_string).collect();
    format!("{} and {last}", others.join(", "))
}

/// A text record that stands at that name.
fn text_line(name: &str, text: impl Into<String>) -> String {
    line(name, &Data::Txt(text.into()))
}
