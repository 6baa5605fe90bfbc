//! What was counted, over a restart: JSON, one object for each day.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use types::Domain;

use super::{AppliedPolicy, DAY_OCTETS_MAX, DAYS_MAX, Day, Failure, Tally, TlsResults};
use crate::counts_file::{self, CountsFile};

/// Octets of a file: JSON is some times as long as what it says.
const FILE_OCTETS_MAX: u64 = (DAYS_MAX * DAY_OCTETS_MAX * 4) as u64;

#[derive(Debug, Serialize, Deserialize)]
struct WrittenDay {
    day: u64,
    domains: BTreeMap<String, Vec<WrittenTally>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenTally {
    policy: AppliedPolicy,
    successes: u64,
    failures: u64,
    details: Vec<(Failure, u64)>,
}

impl TlsResults {
    /// What is in the file, where it is written from now on, and, where it cannot be read, why: it is begun anew then.
    pub(crate) fn open(path: &Path) -> (Self, Option<String>) {
        let results = Self { file: CountsFile::at(path), ..Self::default() };
        let problem = read(path).map(|days| *results.lock() = days).err();
        (results, problem)
    }

    /// Puts it into the file where something was counted since.
    ///
    /// # Errors
    /// What the system says; it is tried again the next time.
    pub(crate) fn save(&self) -> io::Result<()> {
        // Sessions that are counted do not wait for the writing of JSON.
        self.file.save(|| self.lock().iter().map(|(day, counted)| WrittenDay::of(*day, counted)).collect())
    }
}

fn read(path: &Path) -> Result<BTreeMap<u64, Day>, String> {
    let mut days = BTreeMap::new();
    for day in counts_file::read::<WrittenDay>(path, FILE_OCTETS_MAX)? {
        days.insert(day.day, day.counted()?);
    }
    while days.len() > DAYS_MAX {
        days.pop_first();
    }
    Ok(days)
}

impl WrittenDay {
    fn of(day: u64, counted: &Day) -> Self {
        let tallies = |tallies: &Vec<Tally>| tallies.iter().map(WrittenTally::of).collect();
        let domains = counted.domains.iter();
        Self {
            day,
            domains: domains.map(|(domain, all)| (domain.ascii().to_owned(), tallies(all))).collect(),
        }
    }

    fn counted(self) -> Result<Day, String> {
        let mut day = Day::default();
        for (name, written) in self.domains {
            let domain: Domain = name.parse().map_err(|error| format!("{name:?}: {error}"))?;
            let tallies: Vec<_> = written.into_iter().map(WrittenTally::tally).collect();
            day.octets += tallies.iter().map(Tally::octets).sum::<usize>();
            day.domains.insert(domain, tallies);
        }
        Ok(day)
    }
}

impl WrittenTally {
    fn of(tally: &Tally) -> Self {
        let Tally { policy, successes, failures, details } = tally;
        let details = details.iter().map(|(failure, count)| (failure.clone(), *count)).collect();
        Self { policy: AppliedPolicy::clone(policy), successes: *successes, failures: *failures, details }
    }

    fn tally(self) -> Tally {
        let Self { policy, successes, failures, details } = self;
        Tally { policy: Arc::new(policy), successes, failures, details: details.into_iter().collect() }
    }
}
