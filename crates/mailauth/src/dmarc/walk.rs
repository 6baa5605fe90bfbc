//! The walk from a domain towards the root (§4.10).

use std::collections::BTreeMap;

use types::dns::{DnsTrouble, Lookup};

use super::record::{PublicSuffix, Record, Text};
use super::{Trouble, WALK_QUERIES_MAX};
use crate::{Names, is_name};

/// Walks, and asks for each name once.
pub(super) struct Walker<'n> {
    names: &'n dyn Names,
    found: BTreeMap<String, Result<Option<Found>, DnsTrouble>>,
}

/// What stands at a name.
#[derive(Debug, Clone)]
enum Found {
    /// A record with policies that make no sense, to which nobody wants reports. It ends the search for a policy where it is
    /// the one that would apply.
    Useless,
    Record(Record),
}

/// The records on the way, from the longest name to the shortest.
pub(super) struct Walk {
    start: String,
    records: Vec<(String, Found)>,
    /// What ended it early: no answer.
    trouble: Option<Trouble>,
}

impl<'n> Walker<'n> {
    pub(super) const fn new(names: &'n dyn Names) -> Self {
        Self { names, found: BTreeMap::new() }
    }

    pub(super) async fn walk(&mut self, start: &str) -> Walk {
        let mut walk = Walk { start: start.to_owned(), records: Vec::new(), trouble: None };
        walk.trouble = self.fill(&mut walk.records, start).await.err();
        walk
    }

    async fn fill(&mut self, records: &mut Vec<(String, Found)>, start: &str) -> Result<(), Trouble> {
        let labels = start.split('.').count();
        let mut name = start;
        for query in 0..WALK_QUERIES_MAX {
            if let Some(found) = self.record(name).await? {
                let ends =
                    matches!(&found, Found::Record(record) if record.public_suffix != PublicSuffix::Unknown);
                records.push((name.to_owned(), found));
                if ends {
                    break;
                }
            }
            // From a long name the second question is for its last seven labels (step 4).
            let cut = if query == 0 { labels.saturating_sub(WALK_QUERIES_MAX - 1).max(1) } else { 1 };
            match name.splitn(cut + 1, '.').nth(cut) {
                Some(above) => name = above,
                None => break,
            }
        }
        Ok(())
    }

    /// Whether there is such a name, with whatever records (§3.2.13).
    pub(super) async fn exists(&self, domain: &str) -> Result<bool, Trouble> {
        if !is_name(domain) {
            return Ok(false);
        }
        match self.names.ipv4(domain).await {
            Lookup::NoSuchName => Ok(false),
            Lookup::Records { .. } | Lookup::NoData { .. } => Ok(true),
            Lookup::Trouble(trouble) => Err((domain.to_owned(), trouble)),
        }
    }

    async fn record(&mut self, domain: &str) -> Result<Option<Found>, Trouble> {
        let name = format!("_dmarc.{domain}");
        if !is_name(&name) {
            return Ok(None);
        }
        if !self.found.contains_key(&name) {
            let found = match self.names.txt(&name).await {
                Lookup::Records { records, .. } => Ok(only(&records)),
                Lookup::NoData { .. } | Lookup::NoSuchName => Ok(None),
                Lookup::Trouble(trouble) => Err(trouble),
            };
            self.found.insert(name.clone(), found);
        }
        match self.found.get(&name) {
            Some(Ok(found)) => Ok(found.clone()),
            Some(Err(trouble)) => Err((name, *trouble)),
            None => Ok(None),
        }
    }
}

/// Several records are none (step 2).
fn only(texts: &[Vec<u8>]) -> Option<Found> {
    let mut records = texts.iter().filter_map(|text| match Text::parse(text) {
        Text::Other => None,
        Text::Useless => Some(Found::Useless),
        Text::Record(record) => Some(Found::Record(record)),
    });
    let found = records.next()?;
    records.next().is_none().then_some(found)
}

impl Walk {
    /// Where it began.
    pub(super) fn start(&self) -> &str {
        &self.start
    }

    /// §4.10.2. Where the DNS did not answer all the way, a shorter name may be it.
    pub(super) fn organizational_domain(&self) -> Result<&str, Trouble> {
        if let Some(trouble) = &self.trouble {
            return Err(trouble.clone());
        }
        let mut shortest = self.start.as_str();
        for (name, found) in &self.records {
            let Found::Record(record) = found else { continue };
            match record.public_suffix {
                PublicSuffix::No => return Ok(name),
                PublicSuffix::Yes if *name != self.start => return Ok(self.below(name)),
                _ => shortest = name,
            }
        }
        Ok(shortest)
    }

    /// The record that applies, and where it stands: the author's own, the organization's, the public suffix's (§4.10.1).
    pub(super) fn policy(&self) -> Result<Option<(&str, &Record)>, Trouble> {
        let at = |place: &str| self.records.iter().find(|(name, _)| name == place);
        let found = match at(&self.start) {
            Some(own) => Some(own),
            None => at(self.organizational_domain()?)
                .or_else(|| self.records.iter().find(|(_, found)| is_public_suffix(found))),
        };
        Ok(found.and_then(|(name, found)| match found {
            Found::Record(record) => Some((name.as_str(), record)),
            Found::Useless => None,
        }))
    }

    /// The domain one label below `suffix` on the way from the start.
    fn below(&self, suffix: &str) -> &str {
        let above =
            self.start.strip_suffix(suffix).and_then(|above| above.strip_suffix('.')).unwrap_or_default();
        let label_starts = above.rfind('.').map_or(0, |dot| dot + 1);
        &self.start[label_starts..]
    }
}

const fn is_public_suffix(found: &Found) -> bool {
    matches!(found, Found::Record(Record { public_suffix: PublicSuffix::Yes, .. }))
}
