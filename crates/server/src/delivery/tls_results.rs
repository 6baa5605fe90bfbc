//! What became of TLS with other servers, counted for TLS-RPT (RFC 8460): sessions by day, domain, policy and kind of
//! failure, and the JSON that a report of them is.
//!
//! It is kept in memory, within limits, for today and the days before it that may still be reported, and in a file that
//! is written about once a minute, so that a restart forgets a minute at most. Sending reports is other work.

#![allow(dead_code, reason = "what sends reports reads all of it; until then it is counted and tested")]

mod file;
mod report;
#[cfg(test)]
mod tests;

pub(crate) use report::Reporter;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mta::outcome::TlsTrouble;
use net::mta_sts::{FetchError, Policy, Problem};
use net::tls::{HandshakeFailure, HandshakeFault, Observation};
use serde::{Deserialize, Serialize};
use types::dns::TlsaRecord;
use types::{Domain, Timestamp};

use super::connection::{Connection, Refused, TlsFailure};
use crate::counts_file::CountsFile;

/// Days that are kept: today, and those of which a report may still be due (RFC 8460 §4.1, §5.5).
pub(crate) const DAYS_MAX: usize = 3;
/// Domains of one day.
pub(crate) const DOMAINS_MAX: usize = 10_000;
/// Policies of one domain on one day: a host has its own TLSA records, and records change.
pub(crate) const POLICIES_MAX: usize = 32;
/// Kinds of failure of one policy, each with the host where it happened. Further ones are in the sum alone.
pub(crate) const FAILURES_MAX: usize = 64;
/// Octets of all policies and failures of one day.
pub(crate) const DAY_OCTETS_MAX: usize = 16 * 1024 * 1024;
/// Lines of one policy, and octets of one: what is over is left out of the report.
pub(crate) const LINES_MAX: usize = 64;
pub(crate) const LINE_OCTETS_MAX: usize = 1024;
/// Octets of the text of one failure.
pub(crate) const REASON_OCTETS_MAX: usize = 200;

/// What is counted. Copies count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsResults {
    days: Arc<Mutex<BTreeMap<u64, Day>>>,
    /// Where it is written.
    file: CountsFile,
}

/// What was counted on one day.
#[derive(Debug, Default)]
struct Day {
    /// With the policies that were applied.
    domains: HashMap<Domain, Vec<Tally>>,
    /// Of policies and failures, about.
    octets: usize,
}

/// The sessions of one domain under one policy.
#[derive(Debug)]
struct Tally {
    policy: Arc<AppliedPolicy>,
    successes: u64,
    failures: u64,
    details: HashMap<Failure, u64>,
}

/// A policy as reports tell it (RFC 8460 §4.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AppliedPolicy {
    kind: PolicyKind,
    /// That has the policy: for TLSA records their base domain (RFC 8460 §1.1).
    domain: Domain,
    /// RFC 8460 §4.5.
    lines: Vec<String>,
    /// For MTA-STS, the hosts that it names.
    mx: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum PolicyKind {
    Tlsa,
    Sts,
    NoPolicyFound,
}

/// One kind of failure, with where it happened.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Failure {
    /// What kind.
    pub(crate) result: ResultType,
    /// The host, by its MX record.
    pub(crate) mx: Option<Domain>,
    /// Its address.
    pub(crate) ip: Option<IpAddr>,
    /// In words.
    pub(crate) reason: Option<String>,
}

/// RFC 8460 §4.3, as far as it comes to it here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ResultType {
    StarttlsNotSupported,
    CertificateHostMismatch,
    CertificateExpired,
    CertificateNotTrusted,
    ValidationFailure,
    TlsaInvalid,
    DnssecInvalid,
    DaneRequired,
    StsPolicyFetchError,
    StsPolicyInvalid,
    StsWebpkiInvalid,
}

/// Counts the sessions with one host for one domain.
#[derive(Debug, Clone)]
pub(crate) struct Counter {
    results: TlsResults,
    domain: Domain,
    policy: Arc<AppliedPolicy>,
    mx: Option<Domain>,
    /// A policy that is only tested: what the certificate is worth shows here.
    observation: Option<Observation>,
    /// What is wrong whatever the session comes to: records that nobody can use, a host that a policy does not name.
    flaw: Option<ResultType>,
}

/// How far a session came with TLS.
#[derive(Debug, Clone, Copy)]
pub(crate) enum TlsSession<'a> {
    /// It is encrypted as the policy asks.
    Established,
    /// The server offers no STARTTLS, or refuses it.
    NotOffered,
    /// The handshake failed.
    Failed(&'a HandshakeFailure),
}

impl TlsResults {
    /// A counter of the sessions with a host for mail to `domain`.
    pub(crate) fn counter(
        &self,
        domain: &Domain,
        policy: AppliedPolicy,
        mx: Option<&Domain>,
        observation: Option<Observation>,
        flaw: Option<ResultType>,
    ) -> Counter {
        let (results, domain) = (self.clone(), domain.clone());
        Counter { results, domain, policy: Arc::new(policy), mx: mx.cloned(), observation, flaw }
    }

    /// Days of which something is known, since 1970-01-01, the first one first.
    pub(crate) fn days(&self) -> Vec<u64> {
        self.lock().keys().copied().collect()
    }

    /// Domains of which something is known, in order.
    pub(crate) fn domains(&self, day: u64) -> Vec<Domain> {
        let days = self.lock();
        let mut domains: Vec<_> =
            days.get(&day).into_iter().flat_map(|day| day.domains.keys()).cloned().collect();
        domains.sort_by(|one, other| one.ascii().cmp(other.ascii()));
        domains
    }

    /// The report about one domain and day (RFC 8460 §4.4); none where nothing was counted.
    pub(crate) fn report(&self, day: u64, domain: &Domain, by: &Reporter<'_>) -> Option<serde_json::Value> {
        let days = self.lock();
        let tallies = days.get(&day)?.domains.get(domain)?;
        Some(report::report(day, domain, tallies, by))
    }

    /// Counts something that is not a session: a host that may not be used, a policy that cannot be had.
    pub(crate) fn failed(&self, domain: &Domain, policy: AppliedPolicy, failure: Failure, now: Timestamp) {
        self.count(domain, &Arc::new(policy), now, vec![failure]);
    }

    /// A session with these failures, or a success where there are none.
    fn count(&self, domain: &Domain, policy: &Arc<AppliedPolicy>, now: Timestamp, failures: Vec<Failure>) {
        let mut days = self.lock();
        self.file.changed();
        let today = now.seconds() / SECONDS_A_DAY;
        let Day { domains, octets } = days.entry(today).or_default();
        if domains.len() < DOMAINS_MAX || domains.contains_key(domain) {
            let tallies = domains.entry(domain.clone()).or_default();
            let known = tallies.iter().position(|tally| tally.policy == *policy);
            if known.is_none() && tallies.len() < POLICIES_MAX && *octets < DAY_OCTETS_MAX {
                *octets += policy.octets();
                tallies.push(Tally::of(Arc::clone(policy)));
            }
            // Over a limit, a session counts with those of another policy rather than not at all.
            let tally = match known {
                Some(index) => tallies.get_mut(index),
                None => tallies.last_mut(),
            };
            if let Some(tally) = tally {
                tally.count(failures, octets);
            }
        }
        while days.len() > DAYS_MAX {
            // The one that is farthest away: a clock that was wrong for a while leaves days that are yet to come.
            let Some(farthest) = days.keys().copied().max_by_key(|day| day.abs_diff(today)) else { break };
            days.remove(&farthest);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Day>> {
        self.days.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

const SECONDS_A_DAY: u64 = 86_400;

impl Counter {
    /// Counts a connection that was opened, as far as it is a matter of TLS: who did not say a word is not reported
    /// (RFC 8460 §4.3.4).
    pub(crate) fn opened(
        &self,
        opened: &Result<Connection, Box<Refused>>,
        ip: Option<IpAddr>,
        now: Timestamp,
    ) {
        let refused = match opened {
            Ok(connection) if connection.encryption().is_some() => {
                return self.session(TlsSession::Established, ip, now);
            }
            Ok(_) => return self.session(TlsSession::NotOffered, ip, now),
            Err(refused) => refused,
        };
        match &refused.tls {
            Some(TlsFailure { trouble: TlsTrouble::NotOffered, .. }) => {
                self.session(TlsSession::NotOffered, ip, now);
            }
            Some(TlsFailure { error: Some(error), .. }) => {
                self.session(TlsSession::Failed(&error.into()), ip, now);
            }
            Some(TlsFailure { text, .. }) => {
                let failure = HandshakeFailure { kind: HandshakeFault::Handshake, text: text.clone() };
                self.session(TlsSession::Failed(&failure), ip, now);
            }
            // What came after TLS is no failure of it.
            None if refused.log.tls.is_some() => self.session(TlsSession::Established, ip, now),
            None => {}
        }
    }

    /// Counts one session, with the host at `ip`.
    pub(crate) fn session(&self, session: TlsSession<'_>, ip: Option<IpAddr>, now: Timestamp) {
        let failure = |result, reason: Option<&str>| {
            let reason = reason.map(|reason| cut(reason).to_owned());
            Failure { result, mx: self.mx.clone(), ip, reason }
        };
        let mut failures: Vec<_> = self.flaw.map(|flaw| failure(flaw, None)).into_iter().collect();
        let seen = self.observation.as_ref().and_then(Observation::take);
        match (session, seen) {
            (TlsSession::Established, Some(Err(seen))) => {
                failures.push(failure(seen.kind.into(), Some(&seen.text)));
            }
            (TlsSession::Established, _) => {}
            (TlsSession::NotOffered, _) => failures.push(failure(ResultType::StarttlsNotSupported, None)),
            (TlsSession::Failed(seen), _) => failures.push(failure(seen.kind.into(), Some(&seen.text))),
        }
        self.results.count(&self.domain, &self.policy, now, failures);
    }
}

impl Tally {
    fn of(policy: Arc<AppliedPolicy>) -> Self {
        Self { policy, successes: 0, failures: 0, details: HashMap::new() }
    }

    fn count(&mut self, failures: Vec<Failure>, octets: &mut usize) {
        if failures.is_empty() {
            self.successes += 1;
            return;
        }
        self.failures += 1;
        for failure in failures {
            if let Some(count) = self.details.get_mut(&failure) {
                *count += 1;
            } else if self.details.len() < FAILURES_MAX && *octets < DAY_OCTETS_MAX {
                *octets += failure.octets();
                self.details.insert(failure, 1);
            }
        }
    }
}

impl Tally {
    /// As much as counts for the limit of a day.
    fn octets(&self) -> usize {
        self.policy.octets() + self.details.keys().map(Failure::octets).sum::<usize>()
    }
}

impl AppliedPolicy {
    /// TLSA records of a base domain.
    pub(crate) fn tlsa(base: &Domain, records: &[TlsaRecord]) -> Self {
        let mut lines: Vec<_> = records.iter().take(LINES_MAX).map(presented).collect();
        // The DNS gives them in any order.
        lines.sort();
        Self { kind: PolicyKind::Tlsa, domain: base.clone(), lines, mx: Vec::new() }
    }

    /// A policy of MTA-STS.
    pub(crate) fn sts(domain: &Domain, policy: &Policy) -> Self {
        let mx = policy.mx.iter().take(LINES_MAX).map(ToString::to_string).collect();
        let mut lines = policy.lines();
        lines.truncate(LINES_MAX);
        Self { kind: PolicyKind::Sts, domain: domain.clone(), lines, mx }
    }

    /// Neither.
    pub(crate) fn none(domain: &Domain) -> Self {
        let (lines, mx) = (Vec::new(), Vec::new());
        Self { kind: PolicyKind::NoPolicyFound, domain: domain.clone(), lines, mx }
    }

    fn octets(&self) -> usize {
        size_of::<Tally>() + self.lines.iter().chain(&self.mx).map(String::len).sum::<usize>()
    }
}

/// RFC 6698 §2.2 without spaces in the data (RFC 8460 §4.5).
fn presented(record: &TlsaRecord) -> String {
    use std::fmt::Write as _;
    let TlsaRecord { usage, selector, matching, data } = record;
    let mut text = format!("{usage} {selector} {matching} ");
    for octet in data.iter().take((LINE_OCTETS_MAX - text.len()) / 2) {
        // Writing to a string does not fail.
        let _ = write!(text, "{octet:02X}");
    }
    text
}

impl Failure {
    fn octets(&self) -> usize {
        size_of::<Self>() + self.reason.as_ref().map_or(0, String::len)
    }

    /// Of a policy that could not be read anew; none where that is a matter of this node.
    pub(crate) fn of_policy(problem: &Problem) -> Option<Self> {
        let result = match problem {
            Problem::Fetch(FetchError::Certificate(_)) => ResultType::StsWebpkiInvalid,
            Problem::Fetch(_) => ResultType::StsPolicyFetchError,
            Problem::Policy(_) => ResultType::StsPolicyInvalid,
            Problem::File { .. } => return None,
        };
        let reason = Some(cut(&problem.to_string()).to_owned());
        Some(Self { result, mx: None, ip: None, reason })
    }
}

impl ResultType {
    /// RFC 8460 §4.3.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::StarttlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
            Self::StsPolicyFetchError => "sts-policy-fetch-error",
            Self::StsPolicyInvalid => "sts-policy-invalid",
            Self::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }
}

impl From<HandshakeFault> for ResultType {
    fn from(fault: HandshakeFault) -> Self {
        match fault {
            HandshakeFault::CertificateName => Self::CertificateHostMismatch,
            HandshakeFault::CertificateExpired => Self::CertificateExpired,
            HandshakeFault::CertificateUntrusted => Self::CertificateNotTrusted,
            HandshakeFault::Handshake | HandshakeFault::Connection => Self::ValidationFailure,
        }
    }
}

/// Within the limit, at the end of a character.
fn cut(text: &str) -> &str {
    let end = (0..=REASON_OCTETS_MAX.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
