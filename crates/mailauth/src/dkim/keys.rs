//! The keys of signatures, asked for all at once.

use futures_util::future::join_all;
use types::dns::Lookup;

use super::key::KeyRecord;
use super::{Algorithm, DkimProblem};
use crate::Names;

/// What the DNS said about the keys of a message's signatures.
#[derive(Debug, Clone, Default)]
pub struct Keys {
    found: Vec<(String, Lookup<Vec<u8>>)>,
}

impl Keys {
    /// Asks for each name once, all at the same time.
    pub(crate) async fn fetch(names: &dyn Names, wanted: impl Iterator<Item = String>) -> Self {
        let mut wanted: Vec<String> = wanted.collect();
        wanted.sort_unstable();
        wanted.dedup();
        let lookups = wanted.into_iter().map(|name| async move {
            let found = names.txt(&name).await;
            (name, found)
        });
        Self { found: join_all(lookups).await }
    }

    /// The key at a name. Where several records are there, which RFC 6376 §3.6.2.2 leaves open, the first that fits.
    pub(crate) fn key(&self, name: &str, algorithm: Algorithm) -> Result<KeyRecord, DkimProblem> {
        let found = self.found.iter().find(|(other, _)| other == name).map(|(_, found)| found);
        let records = match found {
            Some(Lookup::Records { records, .. }) => records,
            Some(Lookup::Trouble(trouble)) => return Err(DkimProblem::NoAnswer(*trouble)),
            Some(Lookup::NoData { .. } | Lookup::NoSuchName) | None => {
                return Err(DkimProblem::NoKey(name.to_owned()));
            }
        };
        let mut problem = DkimProblem::NoKey(name.to_owned());
        for record in records.iter().take(RECORDS_MAX) {
            match KeyRecord::parse(record, algorithm) {
                Ok(key) => return Ok(key),
                Err(found) => problem = found,
            }
        }
        Err(problem)
    }
}

/// Records at one name that are looked at.
const RECORDS_MAX: usize = 4;
