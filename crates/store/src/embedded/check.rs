//! Verifying a store: every checksum of every record and body, and everything that refers to something else.

mod folders;
mod queue;

use std::collections::{HashMap, HashSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use types::directory::{AddressEntry, DomainEntry};

use super::directory::{EntryKey, EntryKind};
use super::record::{BodyPlace, Kind, Lsn, Message};
use super::segments::{Bodies, Record, Scanner};
use super::shared::Shared;
use super::sync::lock;
use super::view::{Counts, MailRow, Reader};
use super::{Drive, Embedded, Options, bodies, envelope, stream};
use crate::dkim::DkimKeys;
use crate::{Flags, MailboxId, ModSeq, QueueItemId, StoreError, StoredDkimKey, Uid};

/// What was looked at, and what is wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    /// Segments of the log.
    pub segments: u64,
    /// Records in them.
    pub records: u64,
    /// Messages, wherever they are delivered to.
    pub mails: u64,
    /// Body files.
    pub body_files: u64,
    /// Accounts.
    pub accounts: u64,
    /// Domains.
    #[serde(default)]
    pub domains: u64,
    /// Addresses that are no accounts.
    #[serde(default)]
    pub addresses: u64,
    /// Keys with which domains sign.
    #[serde(default)]
    pub dkim_keys: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages in mailboxes.
    pub entries: u64,
    /// Items of the queue.
    #[serde(default)]
    pub queued: u64,
    /// What is wrong; empty where all is well.
    pub findings: Vec<Finding>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is, in plain words.
    pub text: String,
}

/// How bad a [`Finding`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing is lost.
    Warning,
    /// Something is lost or contradicts something else.
    Error,
}

impl CheckReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    fn error(&mut self, text: String) {
        self.findings.push(Finding { severity: Severity::Error, text });
    }
}

/// Verifies a store that nobody has open. Opening puts in order what a crash left, as every start does.
///
/// # Errors
/// [`StoreError::InUse`], [`StoreError::NewerFormat`], [`StoreError::Unavailable`]. That the store is damaged is
/// no error here, but a finding.
pub fn check(path: &Path) -> Result<CheckReport, StoreError> {
    match Embedded::open(Options { drive: Drive::Manual, ..Options::at(path) }) {
        Ok(store) => store.check(),
        Err(StoreError::Damaged(text)) => {
            let mut report = CheckReport::default();
            report.error(text);
            Ok(report)
        }
        Err(error) => Err(error),
    }
}

impl Embedded {
    /// Verifies this store while it runs. Nothing is given up meanwhile; everything else goes on. Reads all that
    /// there is, and waits for the disk: not for an async task of a busy runtime.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] where the disk cannot be read.
    pub fn check(&self) -> Result<CheckReport, StoreError> {
        let _no_reclaim = lock(&self.shared.reclaiming);
        self.clear_away()?;
        let reader = self.shared.view.read()?;
        let mut check = Check {
            shared: &self.shared,
            reader,
            report: CheckReport::default(),
            messages: HashSet::new(),
            changes: HashMap::new(),
        };
        let done = check.log().and_then(|()| check.view()).and_then(|()| check.body_files());
        match done {
            Ok(()) => {}
            Err(StoreError::Damaged(text)) => check.report.error(text),
            Err(error) => return Err(error),
        }
        Ok(check.report)
    }
}

struct Check<'s> {
    shared: &'s Shared,
    reader: Reader,
    report: CheckReport,
    /// Where records of messages are that are whole.
    messages: HashSet<Lsn>,
    /// Revisions of items of the queue, by where a record of their own says so.
    changes: HashMap<Lsn, (QueueItemId, u32)>,
}

/// What the entries of a mailbox sum up to.
#[derive(Debug, Default)]
struct Tally {
    counts: Counts,
    last_uid: Option<Uid>,
    last_modseq: Option<ModSeq>,
    keywords: Flags,
}

impl Check<'_> {
    /// Every record up to what the view has; behind that, the committer is writing.
    fn log(&mut self) -> Result<(), StoreError> {
        let end = self.reader.applied()?.unwrap_or(Lsn(0));
        for number in self.shared.segments.numbers() {
            if number > end.segment() {
                break;
            }
            self.report.segments += 1;
            match self.shared.segments.verify_header(number) {
                Ok(file) => {
                    let scanner = Scanner::new(file, Lsn::first_of(number), Bodies::Verify);
                    self.segment(scanner, end)?;
                }
                Err(StoreError::Damaged(text)) => self.report.error(text),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn segment(&mut self, mut scanner: Scanner, end: Lsn) -> Result<(), StoreError> {
        while scanner.at() < end {
            let at = scanner.at();
            let Some(record) = scanner.next()? else {
                self.report.error(format!("the log, {at}: a record is not what was written"));
                if !scanner.skip_to_next()? {
                    return Ok(());
                }
                continue;
            };
            self.report.records += 1;
            if record.header.kind == Kind::Seal {
                return Ok(());
            }
            self.record(&record);
        }
        Ok(())
    }

    fn record(&mut self, record: &Record) {
        let at = record.header.lsn;
        if record.header.kind == Kind::Queue {
            return self.queue_record(at, &record.meta);
        }
        if record.header.kind != Kind::Message {
            return;
        }
        match Message::decode(&record.meta) {
            Ok(message) if envelope::decode(message.envelope).is_ok() => drop(self.messages.insert(at)),
            _ => self.report.error(format!("the log, {at}: a message's record cannot be read")),
        }
    }

    fn view(&mut self) -> Result<(), StoreError> {
        let tallies = self.entries()?;
        self.mailboxes(&tallies)?;
        self.names()?;
        let changes = self.queue()?;
        self.mails(changes)?;
        self.accounts()?;
        self.directory()
    }

    fn entries(&mut self) -> Result<HashMap<MailboxId, Tally>, StoreError> {
        let mut tallies: HashMap<MailboxId, Tally> = HashMap::new();
        let mut errors = Vec::new();
        let mut failed = Ok(());
        let reader = &self.reader;
        reader.each_entry(|mailbox, uid, state| {
            let tally = tallies.entry(mailbox).or_default();
            tally.counts.add(state.flags, state.size_bytes);
            tally.keywords = tally.keywords.with(state.flags);
            tally.last_uid = tally.last_uid.max(Some(uid));
            tally.last_modseq = tally.last_modseq.max(Some(state.modseq));
            match reader.mail(state.mail_id) {
                Ok(Some(row)) if row.entries.contains(&(mailbox, uid)) => {}
                Ok(Some(_)) => errors.push(format!(
                    "message {uid} of mailbox {mailbox}: {} does not know of this delivery",
                    state.mail_id
                )),
                Ok(None) => {
                    errors.push(format!("message {uid} of mailbox {mailbox}: there is no {}", state.mail_id))
                }
                Err(error) => failed = Err(error),
            }
        })?;
        self.report.entries = tallies.values().map(|t| t.counts.messages).sum();
        errors.into_iter().for_each(|text| self.report.error(text));
        failed.map(|()| tallies)
    }

    fn mailboxes(&mut self, tallies: &HashMap<MailboxId, Tally>) -> Result<(), StoreError> {
        let mut errors = Vec::new();
        let mut known = HashSet::new();
        let none = Tally::default();
        self.reader.each_mailbox(|id, row| {
            known.insert(id);
            folders::mailbox(id, &row, tallies.get(&id).unwrap_or(&none), &mut errors);
        })?;
        for id in tallies.keys().filter(|id| !known.contains(*id)) {
            errors.push(format!("there are messages in mailbox {id}, but no such mailbox"));
        }
        self.report.mailboxes = known.len() as u64;
        errors.into_iter().for_each(|text| self.report.error(text));
        Ok(())
    }

    /// `live`: octets in use for other reasons, by segment.
    fn mails(&mut self, mut live: HashMap<u32, u64>) -> Result<(), StoreError> {
        let mut errors = Vec::new();
        let mut failed = Ok(());
        let (reader, messages) = (&self.reader, &self.messages);
        let mut mails = 0;
        reader.each_mail(|id, row: MailRow| {
            mails += 1;
            *live.entry(row.lsn.segment()).or_default() += row.record_len;
            if !messages.contains(&row.lsn) {
                errors.push(format!("message {id}: there is no whole record at {}", row.lsn));
            }
            if row.entries.is_empty() {
                match reader.lives(id) {
                    Ok(true) => {}
                    Ok(false) => errors.push(format!("message {id} is in no mailbox and not in the queue")),
                    Err(error) => failed = Err(error),
                }
            }
            for (mailbox, uid) in &row.entries {
                match reader.entry(*mailbox, *uid) {
                    Ok(Some(entry)) if entry.state.mail_id == id => {}
                    Ok(_) => errors.push(format!("message {id} is not message {uid} of mailbox {mailbox}")),
                    Err(error) => failed = Err(error),
                }
            }
        })?;
        failed?;
        self.report.mails = mails;
        for (number, row) in self.reader.segments()? {
            let counted = live.get(&number).copied().unwrap_or(0);
            if row.live_bytes != counted {
                errors.push(format!(
                    "segment {number} is said to have {} octets in use, and has {counted}",
                    row.live_bytes
                ));
            }
        }
        errors.into_iter().for_each(|text| self.report.error(text));
        Ok(())
    }

    fn accounts(&mut self) -> Result<(), StoreError> {
        for account in self.reader.accounts()? {
            self.report.accounts += 1;
            if self.reader.account_id(&account.name.to_lowercase())? != Some(account.id) {
                self.report.error(format!("account {} is not found by its name", account.name));
            }
            let inbox = self.reader.mailbox(account.inbox)?;
            if inbox.is_none_or(|row| row.now.account != account.id) {
                self.report.error(format!("account {} has no INBOX", account.name));
            }
        }
        Ok(())
    }

    fn directory(&mut self) -> Result<(), StoreError> {
        let is_domain = |value: &[u8]| serde_json::from_slice::<DomainEntry>(value).is_ok();
        for (key, value) in self.reader.entries_of_kind(EntryKind::Domain)? {
            self.report.domains += 1;
            if !is_domain(&value) {
                self.report.error(format!("{} of the directory cannot be read", key.as_str()));
            }
        }
        for (key, value) in self.reader.entries_of_kind(EntryKind::Address)? {
            self.report.addresses += 1;
            let entry = serde_json::from_slice::<AddressEntry>(&value);
            if !entry.is_ok_and(|entry| EntryKey::address(&entry.address) == key) {
                self.report.error(format!("{} of the directory cannot be read", key.as_str()));
            }
            let account = key.account_name().map(|name| self.reader.account_id(name)).transpose()?;
            if account.flatten().is_some() {
                self.report.error(format!("{} of the directory is an account, too", key.as_str()));
            }
        }
        for (key, value) in self.reader.entries_of_kind(EntryKind::Dkim)? {
            let keys = serde_json::from_slice::<DkimKeys>(&value).map(|keys| keys.keys);
            let is_of = |stored: &StoredDkimKey| EntryKey::dkim(&stored.key.domain) == key;
            match keys {
                Ok(keys) if keys.iter().all(is_of) => self.report.dkim_keys += keys.len() as u64,
                _ => self.report.error(format!("{} of the directory cannot be read", key.as_str())),
            }
        }
        let [keys, times, counted] = self.reader.key_counts()?;
        if keys != times || keys != counted {
            self.report
                .error(format!("there are {keys} keys of messages, {times} times and {counted} counted"));
        }
        Ok(())
    }

    fn body_files(&mut self) -> Result<(), StoreError> {
        let dir = self.shared.bodies_dir();
        let names = self.shared.disk.list(&dir);
        for name in names.map_err(|e| super::segments::unavailable("list the bodies", &e))? {
            if bodies::number_of(name.strip_suffix(".tmp").unwrap_or(&name)).is_none() {
                let text = format!("{} does not belong there", dir.join(name).display());
                self.report.findings.push(Finding { severity: Severity::Warning, text });
            }
        }
        for (number, mail_id) in self.reader.files()? {
            self.report.body_files += 1;
            let row = self.reader.mail(mail_id)?;
            let Some(row) = row.filter(|row| row.place == BodyPlace::File(number)) else {
                self.report.error(format!("body file {number:016x}: {mail_id} does not know of it"));
                continue;
            };
            if let Err(text) = self.body_file(&row)? {
                // It may have been expunged since.
                if self.shared.view.read()?.has_mail(mail_id)? {
                    self.report.error(format!("message {mail_id}: body file {number:016x} {text}"));
                }
            }
        }
        Ok(())
    }

    fn body_file(&self, row: &MailRow) -> Result<Result<(), String>, StoreError> {
        let Some((file, _)) = stream::open_body(self.shared, row)? else {
            return Ok(Err("is missing".into()));
        };
        let io = |e: std::io::Error| super::segments::unavailable("read a body", &e);
        let size_bytes = file.size_bytes().map_err(io)?;
        if size_bytes != row.body_len {
            return Ok(Err(format!("has {size_bytes} octets instead of {}", row.body_len)));
        }
        let mut chunk = vec![0; 256 * 1024];
        let (mut offset, mut crc) = (0, 0);
        while offset < size_bytes {
            let n = file.read_at(&mut chunk, offset).map_err(io)?;
            if n == 0 {
                break;
            }
            crc = crc32c::crc32c_append(crc, &chunk[..n]);
            offset += n as u64;
        }
        Ok(if crc == row.body_crc { Ok(()) } else { Err("is not what was written".into()) })
    }
}
