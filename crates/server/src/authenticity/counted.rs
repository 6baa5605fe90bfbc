//! What came of DMARC, counted for the aggregate reports that domains ask for (RFC 9990, after the working group's last draft):
//! messages by day, policy domain, published policy, and all that a report tells of a message.
//!
//! It is kept in memory, within limits, for today and the days before it of which a report may still be due, and in a file that
//! is written about once a minute. Only what some address wants to be told is counted (`rua`). Making and sending the reports is
//! other work.

mod file;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mailauth::dmarc::{self, Alignment, DmarcResult, Policy, Record};
use mta::admission::authenticity::DmarcHandling;
use serde::{Deserialize, Serialize};
use types::Timestamp;

use super::Findings;
use super::findings::is_within;
use crate::counts_file::CountsFile;

/// Days that are kept: today, and those of which a report may still be due.
pub(crate) const DAYS_MAX: usize = 3;
/// Policy domains of one day.
pub(crate) const DOMAINS_MAX: usize = 10_000;
/// Policies of one domain on one day: records change.
pub(crate) const POLICIES_MAX: usize = 4;
/// Octets of all rows of one day, about. What is over is counted as that alone.
pub(crate) const DAY_OCTETS_MAX: usize = 16 * 1024 * 1024;
/// Signatures of a row; those that tell most stand first (§2.1.4 has 100 at most).
pub(crate) const SIGNATURES_MAX: usize = 4;

/// What is counted. Copies count together.
#[derive(Debug, Clone, Default)]
pub(crate) struct DmarcCounts {
    days: Arc<Mutex<BTreeMap<u64, Day>>>,
    /// Where it is written.
    file: CountsFile,
}

#[derive(Debug, Default)]
struct Day {
    /// By policy domain.
    domains: HashMap<String, Vec<Tally>>,
    octets: usize,
    uncounted: u64,
}

/// The messages that one policy was applied to.
#[derive(Debug)]
struct Tally {
    published: Published,
    rows: HashMap<Row, u64>,
}

/// `policy_published`, and where reports of it go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Published {
    /// `p`
    pub(crate) policy: String,
    /// `sp`
    pub(crate) subdomain_policy: Option<String>,
    /// `np`
    pub(crate) non_existent_policy: Option<String>,
    /// `adkim`: `r` or `s`.
    pub(crate) dkim: char,
    /// `aspf`
    pub(crate) spf: char,
    /// `t=y`
    pub(crate) is_testing: bool,
    /// `fo`
    pub(crate) failure_options: String,
    /// `rua`
    pub(crate) reports_to: Vec<String>,
}

/// What a report tells of a message; those that are the same count together (one `record` element).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Row {
    /// `source_ip`
    pub(crate) ip: IpAddr,
    /// What DMARC came to here, whatever else befell the message.
    pub(crate) disposition: Disposition,
    /// Whether DKIM vouches for the author domain.
    pub(crate) is_dkim_aligned: bool,
    /// Whether SPF does.
    pub(crate) is_spf_aligned: bool,
    /// Why the disposition is not what the policy asks for.
    pub(crate) exemption: Option<Exemption>,
    /// The author domain.
    pub(crate) header_from: String,
    /// The domain of the reverse-path; empty where that is null.
    pub(crate) envelope_from: String,
    /// Its signatures, those that vouch for the author first.
    pub(crate) dkim: Vec<DkimRow>,
    /// The domain that SPF was asked about, and its result.
    pub(crate) spf: (String, String),
}

/// A signature in a report.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct DkimRow {
    pub(crate) domain: String,
    pub(crate) selector: String,
    /// By RFC 8601 §2.7.1.
    pub(crate) result: String,
}

/// `disposition`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Disposition {
    /// It fails, and nothing was done.
    None,
    /// It passes.
    Pass,
    Quarantine,
    Reject,
}

/// `reason` (§3.1.6 of the draft).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Exemption {
    /// The operator's configuration only tags.
    LocalPolicy,
    /// `t=y` of the record.
    PolicyTestMode,
    /// An answer that the DNS did not give might have saved it.
    Other,
}

/// What is known of one day.
#[cfg(test)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct DayTotals {
    /// Messages that are in some row, by the author domain.
    pub(crate) counted: u64,
    /// Those for which there was no room.
    pub(crate) uncounted: u64,
}

const SECONDS_A_DAY: u64 = 86_400;

impl DmarcCounts {
    /// Counts a message for each of its author domains that has a record and wants reports.
    pub(crate) fn count(&self, findings: &Findings, handling: DmarcHandling, now: Timestamp) {
        for outcome in &findings.dmarc {
            let (Some(domain), Some(record)) = (&outcome.policy_domain, &outcome.record) else { continue };
            if outcome.result == DmarcResult::TempError || record.aggregate_reports.is_empty() {
                continue;
            }
            self.add(domain, Published::of(record), Row::of(findings, outcome, record, handling), now);
        }
    }

    /// Days of which something is known, since 1970-01-01, the first one first.
    #[cfg(test)]
    pub(crate) fn days(&self) -> Vec<u64> {
        self.lock().keys().copied().collect()
    }

    /// What is known of the day in which `now` is.
    #[cfg(test)]
    pub(crate) fn totals(&self, now: Timestamp) -> DayTotals {
        let days = self.lock();
        let Some(day) = days.get(&(now.seconds() / SECONDS_A_DAY)) else { return DayTotals::default() };
        let rows = day.domains.values().flatten().flat_map(|tally| tally.rows.values());
        DayTotals { counted: rows.sum(), uncounted: day.uncounted }
    }

    fn add(&self, domain: &str, published: Published, row: Row, now: Timestamp) {
        let mut days = self.lock();
        self.file.changed();
        let today = now.seconds() / SECONDS_A_DAY;
        days.entry(today).or_default().add(domain, published, row);
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

impl Day {
    fn add(&mut self, domain: &str, published: Published, row: Row) {
        let Self { domains, octets, uncounted } = self;
        let is_full = *octets >= DAY_OCTETS_MAX;
        if !domains.contains_key(domain) && (is_full || domains.len() >= DOMAINS_MAX) {
            *uncounted += 1;
            return;
        }
        let tallies = domains.entry(domain.to_owned()).or_default();
        let known = tallies.iter().position(|tally| tally.published == published);
        let index = known.unwrap_or_else(|| {
            if tallies.len() < POLICIES_MAX && !is_full {
                *octets += published.octets();
                tallies.push(Tally { published, rows: HashMap::new() });
            }
            // A report may mix what was counted under several policies of one period.
            tallies.len().saturating_sub(1)
        });
        let Some(tally) = tallies.get_mut(index) else {
            *uncounted += 1;
            return;
        };
        if let Some(count) = tally.rows.get_mut(&row) {
            *count += 1;
        } else if is_full {
            *uncounted += 1;
        } else {
            *octets += row.octets();
            tally.rows.insert(row, 1);
        }
    }
}

impl Published {
    fn of(record: &Record) -> Self {
        let keyword = |policy: Policy| policy.keyword().to_owned();
        let letter = |alignment| if alignment == Alignment::Strict { 's' } else { 'r' };
        Self {
            policy: keyword(record.policy),
            subdomain_policy: record.subdomain_policy.map(keyword),
            non_existent_policy: record.non_existent_policy.map(keyword),
            dkim: letter(record.dkim),
            spf: letter(record.spf),
            is_testing: record.is_testing,
            failure_options: cut(&record.failure_options),
            reports_to: record.aggregate_reports.iter().map(|address| cut(address)).collect(),
        }
    }

    fn octets(&self) -> usize {
        size_of::<Self>() + self.reports_to.iter().map(String::len).sum::<usize>()
    }
}

impl Row {
    fn of(findings: &Findings, outcome: &dmarc::Outcome, record: &Record, handling: DmarcHandling) -> Self {
        let (disposition, exemption) = match outcome.result {
            DmarcResult::Pass => (Disposition::Pass, None),
            _ => failed(outcome, record, handling, findings.is_undecided(outcome)),
        };
        let path = findings.sender.reverse_path.rsplit_once('@');
        Self {
            ip: findings.sender.ip,
            disposition,
            is_dkim_aligned: !outcome.dkim_aligned.is_empty(),
            is_spf_aligned: outcome.is_spf_aligned,
            exemption,
            header_from: outcome.author.ascii().to_owned(),
            envelope_from: cut(path.map_or("", |(_, domain)| domain)),
            dkim: signatures(findings, outcome),
            spf: (cut(&findings.spf.domain), findings.spf.result.keyword().to_owned()),
        }
    }

    fn octets(&self) -> usize {
        let signatures =
            self.dkim.iter().map(|row| size_of::<DkimRow>() + row.domain.len() + row.selector.len());
        size_of::<Self>()
            + self.header_from.len()
            + self.envelope_from.len()
            + self.spf.0.len()
            + signatures.sum::<usize>()
    }
}

/// What becomes of a message that fails, and why that is less than its author's domain asks for.
fn failed(
    outcome: &dmarc::Outcome,
    record: &Record,
    handling: DmarcHandling,
    is_undecided: bool,
) -> (Disposition, Option<Exemption>) {
    if outcome.policy == Policy::None && !record.is_testing {
        return (Disposition::None, None);
    }
    if is_undecided {
        return (Disposition::None, Some(Exemption::Other));
    }
    if handling == DmarcHandling::Told {
        return (Disposition::None, Some(Exemption::LocalPolicy));
    }
    let exemption = record.is_testing.then_some(Exemption::PolicyTestMode);
    match outcome.policy {
        Policy::None => (Disposition::None, exemption),
        Policy::Quarantine => (Disposition::Quarantine, exemption),
        Policy::Reject => (Disposition::Reject, exemption),
    }
}

/// Those that pass for the author domain itself, for its organization, for others, and the rest (§2.1.4).
fn signatures(findings: &Findings, outcome: &dmarc::Outcome) -> Vec<DkimRow> {
    let author = outcome.author.ascii();
    let organization = outcome.organizational_domain.as_deref().unwrap_or(author);
    let mut found: Vec<_> = findings.dkim.iter().filter(|found| !found.domain.is_empty()).collect();
    found.sort_by_key(|found| match found.result {
        mailauth::dkim::DkimResult::Pass if found.domain.eq_ignore_ascii_case(author) => 0,
        mailauth::dkim::DkimResult::Pass if is_within(&found.domain, organization) => 1,
        mailauth::dkim::DkimResult::Pass => 2,
        _ => 3,
    });
    let rows = found.into_iter().take(SIGNATURES_MAX).map(|found| DkimRow {
        domain: cut(&found.domain),
        selector: cut(&found.selector),
        result: found.result.keyword().to_owned(),
    });
    rows.collect()
}

/// As long as a name is at most, and a bit; names that are longer are none.
fn cut(text: &str) -> String {
    text.chars().take(TEXT_CHARACTERS_MAX).collect()
}

const TEXT_CHARACTERS_MAX: usize = 255;
