//! The memory of greylisting, and its file.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mta::admission::greylist::{
    Attempt, Author, GreylistFacts, GreylistMode, GreylistPolicy, Greylisting, Key, KnownClient, Memory,
    Remembered, decide,
};
use tracing::warn;
use types::Timestamp;

use crate::config::Config;
use crate::control::{GreylistEntry as Entry, GreylistRequest, GreylistResponse};
use crate::counts_file::{self, CountsFile};

/// Who was seen before, in memory, and in a file once a minute: what a crash forgets costs somebody a wait.
#[derive(Debug)]
pub(crate) struct Greylist {
    mode: GreylistMode,
    policy: GreylistPolicy,
    memory: Mutex<Memory>,
    file: CountsFile,
}

/// In the data folder.
const FILE: &str = "greylist";
/// Entries of one answer, so that it stays within a line of the control socket.
const ENTRIES_TOLD_MAX: usize = 1000;
/// Octets of the file at most: those of an entry are bounded.
const ENTRY_OCTETS_MAX: u64 = 4096;

impl Greylist {
    /// With nothing in it, and no file.
    pub(crate) fn passing(config: &Config) -> Self {
        Self {
            mode: config.greylisting.mode(),
            policy: config.greylisting.policy(),
            memory: Mutex::default(),
            file: CountsFile::default(),
        }
    }

    /// With what is in the file of the data folder.
    pub(crate) fn open(config: &Config) -> Self {
        let greylist = Self::passing(config);
        if greylist.mode == GreylistMode::Off {
            return greylist;
        }
        let path = config.data.join(FILE);
        let greylist = Self { file: CountsFile::at(&path), ..greylist };
        greylist.read(&path);
        greylist
    }

    fn read(&self, path: &Path) {
        let entries_max = self.policy.entries_max;
        let octets_max = (entries_max as u64).saturating_mul(3 * ENTRY_OCTETS_MAX);
        let entries = match counts_file::read::<Entry>(path, octets_max) {
            Ok(entries) => entries,
            Err(problem) => {
                return warn!(path = %path.display(), %problem, "greylisting begins anew: each sender waits once more");
            }
        };
        let mut memory = self.lock();
        for entry in entries {
            restore(entry, &mut memory, entries_max);
        }
    }

    pub(crate) const fn mode(&self) -> GreylistMode {
        self.mode
    }

    pub(super) fn decide(&self, facts: &GreylistFacts<'_>, attempt: &Attempt, now: Timestamp) -> Greylisting {
        let mut memory = self.lock();
        let greylisting = decide(&mut memory, facts, attempt, &self.policy, now);
        if let (Greylisting::Passes(_), Some(author)) = (greylisting, facts.author) {
            memory.saw_author(author, &self.policy, now);
        }
        drop(memory);
        self.file.changed();
        greylisting
    }

    /// All that is remembered.
    fn entries(&self) -> Vec<Entry> {
        let memory = self.lock();
        let senders = memory.attempts().map(|(key, entry)| Entry::Sender {
            client: key.client.clone(),
            sender: key.sender.clone(),
            recipient: key.recipient.clone(),
            first: entry.first_at.millis(),
            last: entry.last_at.millis(),
            passed: entry.passed,
        });
        let clients = memory.clients().map(|(name, client)| Entry::Client {
            client: name.to_owned(),
            retries: client.retries,
            last: client.last_at.millis(),
        });
        let authors = memory.authors().map(|(name, author)| Entry::Author {
            domain: name.to_owned(),
            messages: author.messages,
            days: author.days,
            last: author.last_at.millis(),
        });
        senders.chain(clients).chain(authors).collect()
    }

    /// What an operator asks.
    pub(crate) fn answer(&self, request: &GreylistRequest) -> GreylistResponse {
        match request {
            GreylistRequest::Entries { with } => {
                let is_meant =
                    |entry: &Entry| with.as_ref().is_none_or(|with| entry.has(&with.to_lowercase()));
                let mut entries: Vec<_> = self.entries().into_iter().filter(is_meant).collect();
                let total = entries.len();
                entries.truncate(ENTRIES_TOLD_MAX);
                GreylistResponse::Entries { entries, total }
            }
            GreylistRequest::Forget { name } => GreylistResponse::Forgotten(self.forget(name)),
        }
    }

    /// Forgets a client, a sender, a recipient or a domain; how many entries that were.
    fn forget(&self, name: &str) -> usize {
        let forgotten = self.lock().forget(name);
        self.file.changed();
        forgotten
    }

    /// Forgets what is over, and writes the file where something has changed.
    pub(crate) fn save(&self, now: Timestamp) {
        self.lock().expire(&self.policy, now);
        if let Err(error) = self.file.save(|| self.entries()) {
            warn!(%error, "what greylisting remembers cannot be written");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        // Nothing panics while it is held; were it so, somebody waits once more.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An entry of the file goes back where it was. One that a newer version has made is passed over.
fn restore(entry: Entry, memory: &mut Memory, entries_max: usize) {
    let at = Timestamp::from_millis;
    match entry {
        Entry::Sender { client, sender, recipient, first, last, passed } => {
            let entry = Remembered { first_at: at(first), last_at: at(last), passed };
            memory.restore_attempt(&Key { client, sender, recipient }, entry, entries_max);
        }
        Entry::Client { client, retries, last } => {
            memory.restore_client(&client, KnownClient { retries, last_at: at(last) }, entries_max);
        }
        Entry::Author { domain, messages, days, last } => {
            let author = Author { messages, days, last_at: at(last) };
            memory.restore_author(&domain, author, entries_max);
        }
        Entry::Unknown => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::GreylistChoice;

    fn config(folder: &Path) -> Config {
        let mut config = Config { data: folder.to_owned(), ..Config::default() };
        config.greylisting.mode = GreylistChoice::All;
        config
    }

    fn attempt(greylist: &Greylist, author: Option<&str>, seconds: u64) -> Greylisting {
        let facts = GreylistFacts {
            mode: greylist.mode(),
            has_null_path: false,
            is_for_postmaster: false,
            score: 0,
            author,
            suspicion: None,
        };
        let attempt = Attempt {
            client: "192.0.2.0/24".into(),
            host: "192.0.2.0/24".into(),
            sender: "bob@sender.example".into(),
            recipients: vec!["ada@example.org".into()],
        };
        greylist.decide(&facts, &attempt, Timestamp::from_millis((1_700_000_000 + seconds) * 1000))
    }

    fn entries(greylist: &Greylist, with: Option<&str>) -> usize {
        let request = GreylistRequest::Entries { with: with.map(str::to_owned) };
        match greylist.answer(&request) {
            GreylistResponse::Entries { entries, total } => {
                assert_eq!(entries.len(), total);
                total
            }
            GreylistResponse::Forgotten(_) => panic!("nothing was to be forgotten"),
        }
    }

    #[test]
    fn what_was_saved_is_there_again_and_what_is_forgotten_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let config = config(folder.path());
        let now = Timestamp::from_millis(1_700_000_000_000);
        let greylist = Greylist::open(&config);
        assert!(matches!(attempt(&greylist, None, 0), Greylisting::Waits { is_first: true, .. }));
        assert!(matches!(attempt(&greylist, Some("sender.example"), 300), Greylisting::Passes(_)));
        greylist.save(now);
        let again = Greylist::open(&config);
        assert_eq!(again.entries(), greylist.entries());
        assert_eq!(
            (entries(&again, None), entries(&again, Some("ADA@")), entries(&again, Some("carol"))),
            (3, 1, 0)
        );
        let forget = |name: &str| again.answer(&GreylistRequest::Forget { name: name.to_owned() });
        assert_eq!(forget("nobody"), GreylistResponse::Forgotten(0));
        assert_eq!(forget("192.0.2.0/24"), GreylistResponse::Forgotten(2));
        assert!(matches!(attempt(&again, None, 301), Greylisting::Waits { is_first: true, .. }));
    }

    #[test]
    fn without_greylisting_there_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data: folder.path().to_owned(), ..Config::default() };
        Greylist::open(&config).save(Timestamp::from_millis(0));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
