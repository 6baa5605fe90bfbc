//! An account in memory: what a driver does of the store, in the simplest way that is right.

use std::collections::BTreeSet;
use std::sync::Arc;

use imap::command::{MailboxName, SearchKey};
use imap::mime::Structure;
use imap::search::{HeaderFacts, Threader, make_header_facts};
use imap::session::{
    AppendOutcome, AppendTask, FolderFacts, Outcome, QuotaFacts, Refusal, SearchKind, Selected, Task,
};
use imap::view::{Message, Snapshot, View};
use types::mailstore::{Flags, MailboxId, ModSeq, SpecialUse, Uid, UidValidity};
use types::{MailId, Timestamp};

/// A mailbox with its messages.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    pub(crate) id: MailboxId,
    pub(crate) name: String,
    pub(crate) special_use: Option<SpecialUse>,
    pub(crate) uid_next: u32,
    pub(crate) modseq: u64,
    pub(crate) keywords: Vec<String>,
    pub(crate) messages: Vec<(Message, Vec<u8>)>,
    pub(crate) vanished: Vec<(Uid, u64)>,
    pub(crate) metadata: Vec<(String, Vec<u8>)>,
}

/// A message of an APPEND: keywords, flags, date and octets.
pub(crate) type Appended = (Vec<String>, Flags, Option<Timestamp>, Vec<u8>);

/// The answer to a piece of an APPEND.
pub(crate) enum Checked {
    Literal(Result<(), Refusal>),
    Url(Result<u64, Refusal>),
}

/// What the driver has behind it.
#[derive(Debug, Clone, Default)]
pub(crate) struct World {
    pub(crate) password: String,
    pub(crate) folders: Vec<Folder>,
    pub(crate) subscribed: BTreeSet<String>,
    pub(crate) selected: Option<MailboxId>,
    pub(crate) limit_bytes: Option<u64>,
    pub(crate) metadata: Vec<(String, Vec<u8>)>,
    /// Messages of an APPEND.
    pub(crate) appended: Vec<Appended>,
    /// Vanished UIDs are not remembered.
    pub(crate) forgets: bool,
    /// Nothing is kept of what messages are, before one of them is read.
    pub(crate) keeps_nothing: bool,
    /// Places for keywords.
    pub(crate) keywords_max: Option<usize>,
    /// Every task is refused so.
    pub(crate) fault: Option<Refusal>,
}

pub(crate) const UID_VALIDITY: UidValidity = UidValidity(67_890_007);

/// 1996-07-17 02:44:25 -0700, as in the RFCs.
pub(crate) fn arrival() -> Timestamp {
    Timestamp::from_millis(837_596_665_000)
}

impl Folder {
    pub(crate) fn snapshot(&self) -> Arc<Snapshot> {
        let messages: Vec<Message> = self.messages.iter().map(|(message, _)| *message).collect();
        Arc::new(Snapshot::new(
            self.id,
            UID_VALIDITY,
            Uid(self.uid_next),
            ModSeq(self.modseq),
            self.keywords.clone().into(),
            &messages,
        ))
    }

    pub(crate) fn deliver(
        &mut self,
        uid: u32,
        flags: Flags,
        octets: Vec<u8>,
        date: Option<Timestamp>,
    ) -> Uid {
        self.modseq += 1;
        self.uid_next = uid + 1;
        let message = Message {
            uid: Uid(uid),
            flags,
            modseq: ModSeq(self.modseq),
            size_bytes: octets.len() as u64,
            internal_date: date.unwrap_or_else(arrival),
            saved_at: arrival(),
            mail_id: MailId::new(arrival(), u64::from(uid)),
        };
        self.messages.push((message, octets));
        Uid(uid)
    }

    pub(crate) fn expunge(&mut self, uids: &[Uid]) {
        self.modseq += 1;
        let modseq = self.modseq;
        self.vanished.extend(uids.iter().map(|uid| (*uid, modseq)));
        self.messages.retain(|(message, _)| !uids.contains(&message.uid));
    }

    pub(crate) fn flags(&mut self, words: &[&str]) -> Flags {
        words.iter().fold(Flags::NONE, |flags, word| flags.with(self.flag(word)))
    }

    fn flag(&mut self, word: &str) -> Flags {
        match word {
            "\\Seen" => Flags::SEEN,
            "\\Answered" => Flags::ANSWERED,
            "\\Flagged" => Flags::FLAGGED,
            "\\Deleted" => Flags::DELETED,
            "\\Draft" => Flags::DRAFT,
            keyword => Flags::keyword(self.add_keyword(keyword)).unwrap(),
        }
    }

    fn add_keyword(&mut self, keyword: &str) -> usize {
        let known = self.keywords.iter().position(|known| known.eq_ignore_ascii_case(keyword));
        known.unwrap_or_else(|| {
            self.keywords.push(keyword.to_owned());
            self.keywords.len() - 1
        })
    }

    fn facts(&self) -> FolderFacts {
        let count = |wanted: &dyn Fn(&Message) -> bool| {
            self.messages.iter().filter(|(message, _)| wanted(message)).count() as u64
        };
        FolderFacts {
            id: self.id,
            name: MailboxName(self.name.clone()),
            special_use: self.special_use,
            uid_validity: UID_VALIDITY,
            uid_next: Uid(self.uid_next),
            highest_modseq: ModSeq(self.modseq),
            messages: self.messages.len() as u64,
            unseen: count(&|message| !message.flags.contains(Flags::SEEN)),
            deleted: count(&|message| message.flags.contains(Flags::DELETED)),
            deleted_bytes: 0,
            size_bytes: self.messages.iter().map(|(message, _)| message.size_bytes).sum(),
        }
    }
}

impl World {
    pub(crate) fn add(&mut self, name: &str, special_use: Option<SpecialUse>) -> MailboxId {
        let id = MailboxId(self.folders.iter().map(|folder| folder.id.0).max().unwrap_or(0) + 1);
        self.folders.push(Folder {
            id,
            name: name.to_owned(),
            special_use,
            uid_next: 1,
            modseq: 1,
            keywords: Vec::new(),
            messages: Vec::new(),
            vanished: Vec::new(),
            metadata: Vec::new(),
        });
        self.folders.sort_by(|one, other| {
            (one.name != "INBOX", &one.name).cmp(&(other.name != "INBOX", &other.name))
        });
        id
    }

    pub(crate) fn folder(&mut self, name: &str) -> Option<&mut Folder> {
        self.folders.iter_mut().find(|folder| folder.name == name)
    }

    pub(crate) fn open(&mut self) -> Option<&mut Folder> {
        let selected = self.selected?;
        self.folders.iter_mut().find(|folder| folder.id == selected)
    }

    pub(crate) fn facts(&self, name: &str) -> Option<FolderFacts> {
        self.folders.iter().find(|folder| folder.name == name).map(Folder::facts)
    }

    /// Does a task, and says what became of it.
    pub(crate) fn task(&mut self, task: Task) -> Outcome {
        match self.fault {
            Some(refusal) => Outcome::Refused(refusal),
            None => self.try_task(task).unwrap_or_else(Outcome::Refused),
        }
    }

    fn try_task(&mut self, task: Task) -> Result<Outcome, Refusal> {
        Ok(match task {
            Task::Select { mailbox, qresync, .. } => {
                self.selected = None;
                let forgets = self.forgets;
                let folder = self.folder(&mailbox.0).ok_or(Refusal::NoSuchMailbox)?;
                let (id, snapshot) = (folder.id, folder.snapshot());
                let since = qresync.map(|qresync| qresync.modseq.0);
                let vanished = since.filter(|_| !forgets).map(|since| folder.vanished_since(since));
                self.selected = Some(id);
                Outcome::Selected(Box::new(Selected { snapshot, vanished }))
            }
            Task::Unselect => {
                self.selected = None;
                Outcome::Done
            }
            Task::Folders | Task::Watch(_) => Outcome::Folders {
                folders: self.folders.iter().map(Folder::facts).collect(),
                subscribed: self.subscribed.iter().cloned().collect(),
            },
            Task::Folder(mailbox) => {
                let folder = self.folder(&mailbox.0).ok_or(Refusal::NoSuchMailbox)?;
                Outcome::Folder(Box::new(folder.facts()))
            }
            Task::Create { mailbox, special_use } => {
                if self.folder(&mailbox.0).is_some() {
                    return Err(Refusal::Exists);
                }
                Outcome::Created(self.add(&mailbox.0, special_use))
            }
            Task::Delete(mailbox) => {
                let below = format!("{}/", mailbox.0);
                if self.folder(&mailbox.0).is_none() {
                    let is_level = self.folders.iter().any(|folder| folder.name.starts_with(&below));
                    return Err(if is_level { Refusal::HasChildren } else { Refusal::NoSuchMailbox });
                }
                self.folders.retain(|folder| folder.name != mailbox.0);
                Outcome::Done
            }
            Task::Rename { from, to } => {
                if self.folder(&to.0).is_some() {
                    return Err(Refusal::Exists);
                }
                self.folder(&from.0).ok_or(Refusal::NoSuchMailbox)?.name = to.0;
                Outcome::Done
            }
            Task::Subscribe(mailbox) => {
                self.subscribed.insert(mailbox.0);
                Outcome::Done
            }
            Task::Unsubscribe(mailbox) => {
                self.subscribed.remove(&mailbox.0);
                Outcome::Done
            }
            Task::Quota => Outcome::Quota(QuotaFacts {
                used_bytes: self.folders.iter().map(|folder| folder.facts().size_bytes).sum(),
                limit_bytes: self.limit_bytes,
                messages: 0,
                mailboxes: self.folders.len() as u64,
            }),
            Task::Metadata(mailbox) => Outcome::Metadata(self.annotations(mailbox.as_ref())?.clone()),
            Task::SetMetadata { mailbox, entries } => {
                let annotations = self.annotations(mailbox.as_ref())?;
                for (name, value) in entries {
                    annotations.retain(|(known, _)| *known != name);
                    annotations.extend(value.map(|value| (name, value)));
                }
                annotations.sort();
                Outcome::Done
            }
            Task::ClientId(_) => Outcome::Done,
            task => self.task_of_mailbox(task)?,
        })
    }

    fn annotations(&mut self, mailbox: Option<&MailboxName>) -> Result<&mut Vec<(String, Vec<u8>)>, Refusal> {
        match mailbox {
            Some(name) => Ok(&mut self.folder(&name.0).ok_or(Refusal::NoSuchMailbox)?.metadata),
            None => Ok(&mut self.metadata),
        }
    }

    fn task_of_mailbox(&mut self, task: Task) -> Result<Outcome, Refusal> {
        let forgets = self.forgets;
        let keywords_max = self.keywords_max.unwrap_or(59);
        let folder = self.open().expect("a mailbox is selected");
        Ok(match task {
            Task::Search { view, key, kind } => Outcome::Found(found(folder, &view, &key, &kind)),
            Task::Store { uids, add, remove, unchanged_since } => {
                folder.store(&uids, add, remove, unchanged_since)
            }
            Task::AddKeywords(keywords) => {
                for keyword in keywords {
                    if folder.keywords.len() < keywords_max {
                        folder.add_keyword(&keyword);
                    }
                }
                Outcome::Keywords(folder.keywords.clone().into())
            }
            Task::Expunge { uids } => {
                let gone: Vec<Uid> = uids
                    .into_iter()
                    .filter(|uid| folder.messages.iter().any(|(message, _)| message.uid == *uid))
                    .collect();
                folder.expunge(&gone);
                Outcome::Expunged(gone)
            }
            Task::Vanished { since } => Outcome::Vanished((!forgets).then(|| folder.vanished_since(since.0))),
            Task::Copy { uids, mailbox, moves } => return self.copy(&uids, &mailbox.0, moves),
            _ => unreachable!("all others are above"),
        })
    }

    fn copy(&mut self, uids: &[Uid], to: &str, moves: bool) -> Result<Outcome, Refusal> {
        let source = self.open().expect("a mailbox is selected");
        let copied: Vec<(Message, Vec<u8>)> =
            source.messages.iter().filter(|(message, _)| uids.contains(&message.uid)).cloned().collect();
        let target = self.folder(to).ok_or(Refusal::NoSuchMailbox)?;
        let mut pairs = Vec::new();
        for (message, octets) in copied {
            let next = target.uid_next;
            let system = Flags(message.flags.0 & Flags::SYSTEM.0);
            pairs.push((message.uid, target.deliver(next, system, octets, Some(message.internal_date))));
        }
        if moves {
            self.open().expect("a mailbox is selected").expunge(uids);
        }
        Ok(Outcome::Copied { uid_validity: UID_VALIDITY, uids: pairs })
    }

    /// Takes a piece of an APPEND; what is answered, and by what.
    pub(crate) fn append(&mut self, task: AppendTask) -> Option<Result<Outcome, Checked>> {
        match task {
            AppendTask::Check { mailbox, size_bytes, before_bytes, .. } => {
                let used: u64 = self.folders.iter().map(|folder| folder.facts().size_bytes).sum();
                let is_over = self.limit_bytes.is_some_and(|limit| used + before_bytes + size_bytes > limit);
                Some(Err(Checked::Literal(match self.folder(&mailbox.0) {
                    None => Err(Refusal::NoSuchMailbox),
                    Some(_) if is_over => Err(Refusal::OverQuota),
                    Some(_) => Ok(()),
                })))
            }
            AppendTask::Begin(message) => {
                let keywords = message.flags.keywords;
                self.appended.push((keywords, message.flags.system, message.internal_date, Vec::new()));
                None
            }
            AppendTask::Octets(octets) => {
                self.appended.last_mut().expect("it has begun").3.extend(octets);
                None
            }
            AppendTask::Url { url, .. } => {
                let part = self.url(&url);
                let result = part.map(|octets| {
                    let size_bytes = octets.len() as u64;
                    self.appended.last_mut().expect("it has begun").3.extend(octets);
                    size_bytes
                });
                Some(Err(Checked::Url(result.ok_or(Refusal::BadUrl))))
            }
            AppendTask::End => None,
            AppendTask::Abandon => {
                self.appended.clear();
                None
            }
            AppendTask::Commit { mailbox, replaces } => Some(Ok(self.commit(&mailbox.0, replaces))),
        }
    }

    /// Of the whole message alone.
    fn url(&mut self, url: &imap::session::CatenateUrl) -> Option<Vec<u8>> {
        let folder = match &url.mailbox {
            Some(name) => self.folder(&name.0)?,
            None => self.open()?,
        };
        folder.messages.iter().find(|(message, _)| message.uid == url.uid).map(|(_, octets)| octets.clone())
    }

    fn commit(&mut self, mailbox: &str, replaces: Option<Uid>) -> Outcome {
        let messages = std::mem::take(&mut self.appended);
        let Some(folder) = self.folder(mailbox) else { return Outcome::Refused(Refusal::NoSuchMailbox) };
        let mut uids = Vec::new();
        for (keywords, system, date, octets) in messages {
            let words: Vec<&str> = keywords.iter().map(String::as_str).collect();
            let flags = folder.flags(&words).with(system);
            uids.push(folder.deliver(folder.uid_next, flags, octets, date));
        }
        if let Some(uid) = replaces {
            self.open().expect("a mailbox is selected").expunge(&[uid]);
        }
        Outcome::Appended(AppendOutcome { uid_validity: UID_VALIDITY, uids })
    }
}

impl Folder {
    fn vanished_since(&self, since: u64) -> Vec<Uid> {
        let mut uids: Vec<Uid> =
            self.vanished.iter().filter(|(_, modseq)| *modseq > since).map(|(uid, _)| *uid).collect();
        uids.sort_unstable();
        uids
    }

    pub(crate) fn store(
        &mut self,
        uids: &[Uid],
        add: Flags,
        remove: Flags,
        unchanged_since: Option<ModSeq>,
    ) -> Outcome {
        let (mut changed, mut modified) = (Vec::new(), Vec::new());
        let next = self.modseq + 1;
        for (message, _) in self.messages.iter_mut().filter(|(message, _)| uids.contains(&message.uid)) {
            if unchanged_since.is_some_and(|since| message.modseq > since) {
                modified.push(message.uid);
                continue;
            }
            let flags = message.flags.changed(add, remove);
            if flags != message.flags || unchanged_since.is_some() {
                message.flags = flags;
                message.modseq = ModSeq(next);
                changed.push((message.uid, flags, ModSeq(next)));
            }
        }
        if !changed.is_empty() {
            self.modseq = next;
        }
        Outcome::Stored { changed, modified }
    }
}

/// Those keys that the transcripts need; SORT by size alone.
fn found(folder: &Folder, view: &View, key: &SearchKey, kind: &SearchKind) -> imap::search::Found {
    let mut matching: Vec<&(Message, Vec<u8>)> = folder
        .messages
        .iter()
        .filter(|(message, _)| view.seq_of(message.uid).is_some())
        .filter(|(message, octets)| is_match(view, key, message, octets))
        .collect();
    let has_modseq = format!("{key:?}").contains("ModSeq(");
    let modseq = matching.iter().map(|(message, _)| message.modseq).max().filter(|_| has_modseq);
    match kind {
        SearchKind::Search => {
            imap::search::Found::Messages(matching.iter().map(|(message, _)| message.uid).collect(), modseq)
        }
        SearchKind::Sort(_) => {
            matching.sort_by_key(|(message, _)| message.size_bytes);
            imap::search::Found::Sorted(matching.iter().map(|(message, _)| message.uid).collect(), modseq)
        }
        SearchKind::Thread(algorithm) => {
            let mut threader = Threader::new(*algorithm);
            for (message, octets) in matching {
                let structure = Structure::of(octets);
                let header = &octets[..usize::try_from(structure.header_bytes).unwrap()];
                let facts = make_header_facts(header, &structure);
                threader.push(message, &HeaderFacts::from_bytes(&facts).expect("it was just made"));
            }
            imap::search::Found::Threads(threader.finish())
        }
    }
}

fn is_match(view: &View, key: &SearchKey, message: &Message, octets: &[u8]) -> bool {
    let is = |key: &SearchKey| is_match(view, key, message, octets);
    match key {
        SearchKey::All => true,
        SearchKey::And(keys) => keys.iter().all(is),
        SearchKey::Or(pair) => is(&pair.0) || is(&pair.1),
        SearchKey::Not(key) => !is(key),
        SearchKey::Flag(flag) => message.flags.contains(*flag),
        SearchKey::ModSeq(modseq) => message.modseq >= *modseq,
        SearchKey::Text(text) => String::from_utf8_lossy(octets).contains(text.as_str()),
        SearchKey::Header { value, .. } => String::from_utf8_lossy(octets).contains(value.as_str()),
        SearchKey::Sequence(set) => {
            let seq = view.seq_of(message.uid).expect("it was looked for");
            set.ranges(view.exists()).iter().any(|(from, to)| (*from..=*to).contains(&seq))
        }
        SearchKey::Uid(set) => {
            set.ranges(view.largest_uid().0).iter().any(|(from, to)| (*from..=*to).contains(&message.uid.0))
        }
        key => panic!("not in transcripts: {key:?}"),
    }
}
