//! What was counted, over a restart.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{DAY_OCTETS_MAX, DAYS_MAX, Day, DmarcCounts, Published, Row, Tally};
use crate::counts_file::{self, CountsFile, SAVE_EVERY};

/// In the data folder.
const FILE: &str = "dmarc-results";
/// Octets of a file: JSON is some times as long as what it says.
const FILE_OCTETS_MAX: u64 = (DAYS_MAX * DAY_OCTETS_MAX * 4) as u64;

#[derive(Debug, Serialize, Deserialize)]
struct WrittenDay {
    day: u64,
    uncounted: u64,
    domains: BTreeMap<String, Vec<WrittenTally>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct WrittenTally {
    published: Published,
    rows: Vec<(Row, u64)>,
}

impl DmarcCounts {
    /// Those of a data folder.
    pub(crate) fn of(data: &Path) -> Self {
        let path = data.join(FILE);
        let (counts, problem) = Self::open(&path);
        if let Some(problem) = problem {
            warn!(path = %path.display(), %problem, "what came of DMARC is counted anew");
        }
        counts
    }

    /// Until the node is gone.
    pub(crate) fn save_from_now_on(&self) {
        let (days, file) = (Arc::downgrade(&self.days), self.file.clone());
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(SAVE_EVERY).await;
                let Some(days) = days.upgrade() else { return };
                let counts = Self { days, file: file.clone() };
                // It has told what went wrong, and tries again.
                let _ = tokio::task::spawn_blocking(move || counts.save_or_tell()).await;
            }
        });
    }

    pub(crate) fn save_or_tell(&self) {
        if let Err(error) = self.save() {
            warn!(%error, "what came of DMARC cannot be written to the data folder");
        }
    }

    /// What is in the file, where it is written from now on, and, where it cannot be read, why: it is begun anew then.
    pub(crate) fn open(path: &Path) -> (Self, Option<String>) {
        let counts = Self { file: CountsFile::at(path), ..Self::default() };
        let problem = read(path).map(|days| *counts.lock() = days).err();
        (counts, problem)
    }

    /// Puts it into the file where something was counted since.
    ///
    /// # Errors
    /// What the system says; it is tried again the next time.
    pub(crate) fn save(&self) -> io::Result<()> {
        // Messages that are counted do not wait for the writing of JSON.
        self.file.save(|| self.lock().iter().map(|(day, counted)| WrittenDay::of(*day, counted)).collect())
    }
}

fn read(path: &Path) -> Result<BTreeMap<u64, Day>, String> {
    let days = counts_file::read::<WrittenDay>(path, FILE_OCTETS_MAX)?;
    let mut days: BTreeMap<u64, Day> = days.into_iter().map(|day| (day.day, day.counted())).collect();
    while days.len() > DAYS_MAX {
        days.pop_first();
    }
    Ok(days)
}

impl WrittenDay {
    fn of(day: u64, counted: &Day) -> Self {
        let tally = |tally: &Tally| WrittenTally {
            published: tally.published.clone(),
            rows: tally.rows.iter().map(|(row, count)| (row.clone(), *count)).collect(),
        };
        let domains = counted.domains.iter();
        let domains = domains.map(|(name, tallies)| (name.clone(), tallies.iter().map(tally).collect()));
        Self { day, uncounted: counted.uncounted, domains: domains.collect() }
    }

    fn counted(self) -> Day {
        let mut day = Day { uncounted: self.uncounted, ..Day::default() };
        for (name, written) in self.domains {
            let tallies = written.into_iter().map(|WrittenTally { published, rows }| {
                day.octets += published.octets() + rows.iter().map(|(row, _)| row.octets()).sum::<usize>();
                Tally { published, rows: rows.into_iter().collect() }
            });
            let tallies = tallies.collect();
            day.domains.insert(name, tallies);
        }
        day
    }
}
