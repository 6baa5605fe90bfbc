//! A store under random work whose power is cut, and whether it kept its promises.
//!
//! One seed is one life of a data folder: several times the store is opened, works, and loses its power in the
//! middle of some operation; then it is opened again and compared with what it had promised. Every accept that was
//! answered `Ok` is there exactly once with the same octets, every expunge that was answered stays done; what got
//! no answer is done altogether or not at all; UIDs are never given twice; and the store's own check finds nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use store::embedded::disk::Disk;
use store::embedded::{Drive, Embedded, Options};
use store::{
    Acceptance, Body, Delivered, Delivery, Directory as _, Flags, MailboxId, Mailboxes as _, NewAccount,
    Spool as _, StoreError, Uid,
};
use types::{Envelope, MailId, ReversePath, Timestamp};

use crate::disk::SimDisk;
use crate::drive::{Asked, commit, run};
use crate::random::Random;

/// What happened under a seed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Power cuts.
    pub cuts: u64,
    /// Accepts that were answered `Ok`.
    pub accepted: u64,
    /// Segments given up.
    pub reclaimed: u64,
    /// Times the view was thrown away before the start.
    pub rebuilt: u64,
    /// A digest of every operation on the disk.
    pub trace: u64,
}

/// Puts something between the store and the disk.
pub type Wrap = fn(SimDisk) -> Arc<dyn Disk>;

/// The disk as it is.
#[must_use]
pub fn honest(disk: SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk)
}

/// Runs the life of a seed.
///
/// # Errors
/// The promise that was broken.
pub fn run_seed(seed: u64, wrap: Wrap) -> Result<Summary, String> {
    let mut random = Random::new(seed);
    let mut life = Life {
        disk: SimDisk::new(),
        promises: Promises::default(),
        summary: Summary::default(),
        next_mail: 0,
    };
    for _ in 0..1 + random.below(4) {
        life.work(&mut random, wrap)?;
        let trace = life.disk.trace();
        life.summary.trace = Random::new(life.summary.trace ^ trace).number();
        life.disk = life.disk.restore(&mut random);
        life.summary.cuts += 1;
        if random.chance(20) && life.disk.remove(&root().join("view.redb")).is_ok() {
            life.summary.rebuilt += 1;
        }
        life.verify(wrap)?;
    }
    Ok(life.summary)
}

fn root() -> PathBuf {
    PathBuf::from("/data")
}

fn options(disk: Arc<dyn Disk>) -> Options {
    Options {
        // Small, so that segments fill up and are given up within a short life.
        segment_bytes: 24 * 1024,
        body_file_bytes: 8 * 1024,
        view_cache_bytes: 1024 * 1024,
        min_free_bytes: 0,
        disk,
        drive: Drive::Manual,
        ..Options::at(root())
    }
}

/// One data folder over several power cuts.
struct Life {
    disk: SimDisk,
    promises: Promises,
    summary: Summary,
    next_mail: u64,
}

/// What the store has said, and what was asked without an answer.
#[derive(Debug, Default)]
struct Promises {
    mailboxes: BTreeSet<MailboxId>,
    accounts_asked: u64,
    mails: BTreeMap<MailId, Mail>,
    /// What is certain about the messages of each mailbox.
    entries: BTreeMap<(MailboxId, Uid), Entry>,
    last_uid: BTreeMap<MailboxId, Uid>,
    /// Expunges without an answer; each is done for all of its messages or for none.
    open_expunges: Vec<(MailboxId, Vec<Uid>)>,
}

#[derive(Debug)]
struct Mail {
    body: Bytes,
    mailboxes: Vec<MailboxId>,
    state: MailState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MailState {
    /// No answer: all of its deliveries are there, or none.
    Unanswered,
    Accepted,
}

#[derive(Debug, Clone)]
struct Entry {
    mail_id: MailId,
    /// Any of these; more than one after a change without an answer.
    flags: BTreeSet<u32>,
}

/// What the driver asks in one batch.
enum Ask {
    Accept(MailId),
    Flags(MailboxId, Uid, Flags),
    Expunge(MailboxId, Vec<Uid>),
}

/// And what it is told.
enum Told {
    Delivered(Vec<Delivered>),
    Flags,
    Gone(Vec<Uid>),
}

impl Life {
    /// Opens the store and works until the power is cut.
    fn work(&mut self, random: &mut Random, wrap: Wrap) -> Result<(), String> {
        let disk = self.disk.clone();
        // From the first moment of the opening up to well into the work.
        let reach = if random.chance(20) { 60 } else { 1500 };
        disk.cut_after(random.below(reach));
        let store = match Embedded::open(options(wrap(disk.clone()))) {
            Ok(store) => store,
            Err(error) if disk.is_cut() => {
                let damaged = matches!(error, StoreError::Damaged(_) | StoreError::NewerFormat { .. });
                return if damaged { Err(format!("opening: {error}")) } else { Ok(()) };
            }
            Err(error) => return Err(format!("opening: {error}")),
        };
        while !disk.is_cut() {
            match random.below(20) {
                _ if self.promises.mailboxes.len() < 2 => self.create_account(&store),
                0 => drop(store.apply_pending()),
                1 => drop(store.apply_pending().and_then(|()| store.checkpoint())),
                2 => match store.reclaim() {
                    Ok(true) => self.summary.reclaimed += 1,
                    Ok(false) => {}
                    Err(error) if disk.is_cut() => drop(error),
                    Err(error) => return Err(format!("reclaiming: {error}")),
                },
                3 if self.promises.mailboxes.len() < 5 => self.create_account(&store),
                _ => self.batch(&store, random)?,
            }
        }
        Ok(())
    }

    fn create_account(&mut self, store: &Embedded) {
        self.promises.accounts_asked += 1;
        let name = format!("a{}@example.org", self.promises.accounts_asked);
        let new = NewAccount::new(name, Timestamp::from_millis(1_795_322_124_250));
        if let Some(Ok(account)) = run(store, store.create_account(new)) {
            self.promises.mailboxes.insert(account.inbox);
        }
    }

    fn batch(&mut self, store: &Embedded, random: &mut Random) -> Result<(), String> {
        let count = if random.chance(50) { 1 } else { 1 + random.below(6) };
        let mut asks = Vec::new();
        let mut asked: Vec<Asked<'_, Result<Told, StoreError>>> = Vec::new();
        let mut used = BTreeSet::new();
        for _ in 0..count {
            let entry = self.promises.any_entry(random).filter(|entry| used.insert(*entry));
            match (random.below(10), entry) {
                (0..2, Some((mailbox, uid))) => {
                    let add = Flags(1 << random.below(5));
                    asks.push(Ask::Flags(mailbox, uid, add));
                    asked.push(Box::pin(async move {
                        store.store_flags(mailbox, &[uid], add, Flags::NONE).await.map(|_| Told::Flags)
                    }));
                }
                (2..6, Some((mailbox, uid))) => {
                    let mut uids = vec![uid];
                    uids.extend(
                        self.promises
                            .any_entry_of(mailbox, random)
                            .filter(|uid| used.insert((mailbox, *uid))),
                    );
                    asks.push(Ask::Expunge(mailbox, uids.clone()));
                    asked.push(Box::pin(async move { store.expunge(mailbox, &uids).await.map(Told::Gone) }));
                }
                _ => {
                    let acceptance = self.acceptance(store, random);
                    let Some(acceptance) = acceptance else { continue };
                    asks.push(Ask::Accept(acceptance.mail_id));
                    asked.push(Box::pin(async move {
                        store.accept(acceptance).await.map(|accepted| Told::Delivered(accepted.deliveries))
                    }));
                }
            }
        }
        let told = commit(store, asked);
        for (ask, told) in asks.into_iter().zip(told) {
            self.promises.note(ask, told)?;
        }
        self.summary.accepted =
            self.promises.mails.values().filter(|mail| mail.state == MailState::Accepted).count() as u64;
        Ok(())
    }

    fn acceptance(&mut self, store: &Embedded, random: &mut Random) -> Option<Acceptance> {
        self.next_mail += 1;
        let mail_id =
            MailId::new(Timestamp::from_millis(1_795_322_124_250 + self.next_mail), random.number());
        let size = match random.below(10) {
            0 => random.below(20_000),
            1..3 => random.below(10),
            _ => random.below(3000),
        };
        let body: Bytes = (0..size).map(|_| random.below(256) as u8).collect();
        let mut mailboxes: Vec<MailboxId> = self.promises.mailboxes.iter().copied().collect();
        mailboxes.retain(|_| random.chance(50));
        if mailboxes.is_empty() {
            mailboxes.extend(self.promises.mailboxes.first());
        }
        let staged = random.chance(15);
        let body_value = if staged {
            let mut staged = run(store, store.stage())?.ok()?;
            for part in body.chunks(3000) {
                run(store, staged.append(part))?.ok()?;
            }
            if random.chance(10) {
                return None;
            }
            Body::Staged(staged)
        } else {
            let middle = body.len() / 3;
            Body::Memory(vec![body.slice(..middle), body.slice(middle..)])
        };
        self.promises
            .mails
            .insert(mail_id, Mail { body, mailboxes: mailboxes.clone(), state: MailState::Unanswered });
        Some(Acceptance {
            mail_id,
            received_at: mail_id.time(),
            envelope: Envelope::new("<s@example.net>".parse().unwrap_or(ReversePath::Null), []),
            origin: "192.0.2.1".into(),
            body: body_value,
            deliveries: mailboxes.into_iter().map(delivery).collect(),
            idempotency: None,
        })
    }

    /// Opens the store with the power on and compares.
    fn verify(&mut self, wrap: Wrap) -> Result<(), String> {
        let store =
            Embedded::open(options(wrap(self.disk.clone()))).map_err(|e| format!("after the cut: {e}"))?;
        let report = store.check().map_err(|e| format!("the check: {e}"))?;
        if !report.is_clean() {
            let first: Vec<_> = report.findings.iter().take(3).map(|finding| &finding.text).collect();
            return Err(format!("the check found {}: {first:?} …", report.findings.len()));
        }
        let mut mailboxes = BTreeSet::new();
        for account in run(&store, store.accounts()).ok_or("no answer")?.map_err(|e| e.to_string())? {
            mailboxes.insert(account.inbox);
        }
        if let Some(lost) = self.promises.mailboxes.iter().find(|id| !mailboxes.contains(id)) {
            return Err(format!("the account of mailbox {lost} is lost"));
        }
        self.promises.mailboxes.clone_from(&mailboxes);
        let mut found = BTreeMap::new();
        for mailbox in mailboxes {
            let entries = run(&store, store.messages(mailbox, None, usize::MAX)).ok_or("no answer")?;
            for entry in entries.map_err(|e| e.to_string())? {
                let octets = read_all(&store, mailbox, entry.uid)
                    .map_err(|e| format!("message {} of mailbox {mailbox}: {e}", entry.uid))?;
                found.insert((mailbox, entry.uid), (entry, octets));
            }
        }
        self.promises.compare(found)
    }
}

fn delivery(mailbox: MailboxId) -> Delivery {
    Delivery { mailbox, header: header(mailbox), flags: Flags::NONE }
}

fn header(mailbox: MailboxId) -> Bytes {
    format!("Delivered-To: {mailbox}\r\n").into()
}

fn read_all(store: &Embedded, mailbox: MailboxId, uid: Uid) -> Result<Vec<u8>, String> {
    let read = async {
        let mut stream = store.open(mailbox, uid).await?;
        let mut octets = Vec::new();
        loop {
            let chunk = stream.next().await?;
            if chunk.is_empty() {
                return Ok::<_, StoreError>(octets);
            }
            octets.extend_from_slice(&chunk);
        }
    };
    run(store, read).ok_or("no answer")?.map_err(|e| e.to_string())
}

type Found = BTreeMap<(MailboxId, Uid), (store::MessageEntry, Vec<u8>)>;

impl Promises {
    fn any_entry(&self, random: &mut Random) -> Option<(MailboxId, Uid)> {
        let n = self.entries.len() as u64;
        if n == 0 {
            return None;
        }
        self.entries.keys().nth(usize::try_from(random.below(n)).ok()?).copied()
    }

    fn any_entry_of(&self, mailbox: MailboxId, random: &mut Random) -> Option<Uid> {
        self.any_entry(random).filter(|(other, _)| *other == mailbox).map(|(_, uid)| uid)
    }

    /// Notes what was asked and what was said.
    fn note(&mut self, ask: Ask, told: Option<Result<Told, StoreError>>) -> Result<(), String> {
        match (ask, told) {
            (Ask::Accept(mail_id), Some(Ok(Told::Delivered(delivered)))) => {
                for Delivered { mailbox, uid, .. } in delivered {
                    if self.last_uid.get(&mailbox).is_some_and(|last| *last >= uid) {
                        return Err(format!("UID {uid} of mailbox {mailbox} was given before"));
                    }
                    self.last_uid.insert(mailbox, uid);
                    self.entries.insert((mailbox, uid), Entry { mail_id, flags: BTreeSet::from([0]) });
                }
                if let Some(mail) = self.mails.get_mut(&mail_id) {
                    mail.state = MailState::Accepted;
                }
            }
            (Ask::Accept(_), _) => {}
            (Ask::Flags(mailbox, uid, add), told) => {
                let Some(entry) = self.entries.get_mut(&(mailbox, uid)) else { return Ok(()) };
                let with: BTreeSet<u32> = entry.flags.iter().map(|flags| flags | add.0).collect();
                match told {
                    Some(Ok(Told::Flags)) => entry.flags = with,
                    _ => entry.flags.extend(with),
                }
            }
            (Ask::Expunge(mailbox, uids), Some(Ok(Told::Gone(gone)))) => {
                if gone.iter().collect::<BTreeSet<_>>() != uids.iter().collect() {
                    return Err(format!("mailbox {mailbox}: of {uids:?} only {gone:?} were expunged"));
                }
                for uid in uids {
                    self.entries.remove(&(mailbox, uid));
                }
            }
            (Ask::Expunge(mailbox, uids), _) => self.open_expunges.push((mailbox, uids)),
        }
        Ok(())
    }

    /// Compares with what is there, and takes it over as certain.
    fn compare(&mut self, found: Found) -> Result<(), String> {
        let mut copies: BTreeMap<MailId, BTreeSet<MailboxId>> = BTreeMap::new();
        for ((mailbox, uid), (entry, octets)) in &found {
            let mail = self.mails.get(&entry.mail_id);
            let mail = mail.ok_or_else(|| format!("nobody sent {}", entry.mail_id))?;
            let mut expected = header(*mailbox).to_vec();
            expected.extend_from_slice(&mail.body);
            if *octets != expected || entry.size_bytes != expected.len() as u64 {
                return Err(format!("message {} has other octets", entry.mail_id));
            }
            if !copies.entry(entry.mail_id).or_default().insert(*mailbox) {
                return Err(format!("message {} is in mailbox {mailbox} twice", entry.mail_id));
            }
            match self.entries.get(&(*mailbox, *uid)) {
                Some(known) if known.mail_id != entry.mail_id || !known.flags.contains(&entry.flags.0) => {
                    return Err(format!(
                        "message {uid} of mailbox {mailbox}: {entry:?} instead of {known:?}"
                    ));
                }
                None if mail.state == MailState::Accepted => {
                    return Err(format!("message {uid} of mailbox {mailbox} was expunged, and is back"));
                }
                _ => {}
            }
        }
        self.compare_unanswered(&copies)?;
        self.compare_expunges(&found)?;
        for (key, entry) in &self.entries {
            if !found.contains_key(key) {
                return Err(format!("message {} is lost: {} of mailbox {}", entry.mail_id, key.1, key.0));
            }
        }
        self.take_over(found);
        Ok(())
    }

    fn compare_unanswered(&self, copies: &BTreeMap<MailId, BTreeSet<MailboxId>>) -> Result<(), String> {
        for (mail_id, there) in copies {
            let Some(mail) = self.mails.get(mail_id) else { continue };
            if mail.state == MailState::Unanswered && there.len() != mail.mailboxes.len() {
                return Err(format!("message {mail_id} is in {there:?} only, of {:?}", mail.mailboxes));
            }
        }
        Ok(())
    }

    fn compare_expunges(&mut self, found: &Found) -> Result<(), String> {
        for (mailbox, uids) in std::mem::take(&mut self.open_expunges) {
            let left = uids.iter().filter(|uid| found.contains_key(&(mailbox, **uid))).count();
            if left != 0 && left != uids.len() {
                return Err(format!("the expunge of {uids:?} of mailbox {mailbox} was done in part"));
            }
            if left == 0 {
                uids.iter().for_each(|uid| drop(self.entries.remove(&(mailbox, *uid))));
            }
        }
        Ok(())
    }

    fn take_over(&mut self, found: Found) {
        for ((mailbox, uid), (entry, _)) in found {
            let last = self.last_uid.entry(mailbox).or_insert(uid);
            *last = uid.max(*last);
            let flags = BTreeSet::from([entry.flags.0]);
            self.entries.insert((mailbox, uid), Entry { mail_id: entry.mail_id, flags });
            if let Some(mail) = self.mails.get_mut(&entry.mail_id) {
                mail.state = MailState::Accepted;
            }
        }
        // What is not there now must not come later.
        let there: BTreeSet<MailId> = self.entries.values().map(|entry| entry.mail_id).collect();
        self.mails.retain(|mail_id, mail| mail.state == MailState::Accepted || there.contains(mail_id));
    }
}
