//! A store under random work whose power is cut, and whether it kept its promises.
//!
//! One seed is one life of a data folder: several times the store is opened, works, and loses its power in the
//! middle of some operation; then it is opened again and compared with what it had promised. Every accept that was
//! answered `Ok` is there exactly once with the same octets, every expunge that was answered stays done; what got
//! no answer is done altogether or not at all; UIDs are never given twice; and the store's own check finds nothing.
//! The same for the directory: entries are as they were put, what was removed does not come back, and a message whose
//! key is known is not accepted a second time.

mod batch;
mod directory;
mod folders;
mod mail;
mod queue;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use store::embedded::disk::Disk;
use store::embedded::{Drive, Embedded, Options};
use store::{
    Acceptance, Body, BodyStream, Delivery, Directory as _, Flags, Idempotency, MailboxId, Mailboxes as _,
    NewAccount, Queue as _, QueueClaim, QueueItemId, Spool as _, StoreError, Uid,
};
use types::{Envelope, MailId, ReversePath, Timestamp};

use self::directory::{Directory, FoundDirectory};
use self::mail::{Mail, MailState, Promises};
use self::queue::{DUE_MAX, FoundQueue, Queue};
use crate::disk::SimDisk;
use crate::drive::run;
use crate::random::Random;

/// What happened under a seed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Power cuts.
    pub cuts: u64,
    /// Accepts that were answered `Ok`.
    pub accepted: u64,
    /// Accepts that were told that their key was used before.
    pub repeated: u64,
    /// Accounts removed, and entries of the directory.
    pub removed: u64,
    /// Items of the queue that were settled.
    pub settled: u64,
    /// Reports that came with settlements.
    pub reported: u64,
    /// Items of the queue that were given out.
    pub claimed: u64,
    /// Segments given up.
    pub reclaimed: u64,
    /// Times the view was thrown away before the start.
    pub rebuilt: u64,
    /// A digest of every operation on the disk.
    pub trace: u64,
}

pub use folders::{FoldersSummary, run_folders_seed};

/// Puts something between the store and the disk.
pub type Wrap = fn(SimDisk) -> Arc<dyn Disk>;

/// The disk as it is.
#[must_use]
pub fn honest(disk: SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk)
}

/// How whoever uses the store asks for a settlement with its reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reports {
    /// In one step, as they should.
    WithSettlement,
    /// The settlement first and the reports behind it: a bug that must be found.
    Apart,
}

/// Runs the life of a seed.
///
/// # Errors
/// The promise that was broken.
pub fn run_seed(seed: u64, wrap: Wrap) -> Result<Summary, String> {
    run_seed_with(seed, wrap, Reports::WithSettlement)
}

/// Runs the life of a seed.
///
/// # Errors
/// The promise that was broken.
pub fn run_seed_with(seed: u64, wrap: Wrap, reports: Reports) -> Result<Summary, String> {
    let mut random = Random::new(seed);
    let mut life = Life {
        disk: SimDisk::new(),
        promises: Promises::default(),
        directory: Directory::default(),
        queue: Queue::default(),
        reports,
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
    directory: Directory,
    queue: Queue,
    reports: Reports,
    summary: Summary,
    next_mail: u64,
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
                _ if self.promises.mailboxes.len() < 2 => self.create_account(&store, random)?,
                0 => drop(store.apply_pending()),
                1 => drop(store.apply_pending().and_then(|()| store.checkpoint())),
                2 => match store.reclaim() {
                    Ok(true) => self.summary.reclaimed += 1,
                    Ok(false) => {}
                    Err(error) if disk.is_cut() => drop(error),
                    Err(error) => return Err(format!("reclaiming: {error}")),
                },
                4..6 => self.claim(&store, random)?,
                3 if self.promises.mailboxes.len() < 5 => self.create_account(&store, random)?,
                _ => self.batch(&store, random)?,
            }
        }
        Ok(())
    }

    fn create_account(&mut self, store: &Embedded, random: &mut Random) -> Result<(), String> {
        let name = self.directory.free_account_name(random);
        let new = NewAccount::new(name.clone(), Timestamp::from_millis(1_795_322_124_250));
        let made = run(store, store.create_account(new)).and_then(Result::ok);
        if let Some(account) = &made {
            self.promises.mailboxes.insert(account.inbox);
        }
        self.directory.created(name, made.as_ref())
    }

    fn claim(&mut self, store: &Embedded, random: &mut Random) -> Result<(), String> {
        if random.chance(20) {
            store.release(&self.queue.any_claimed(random));
            return Ok(());
        }
        let Some(destination) = Queue::any_destination(random) else { return Ok(()) };
        let due_by = Timestamp::from_millis(1_795_322_124_250 + self.next_mail + random.below(DUE_MAX));
        let limit = usize::try_from(1 + random.below(5)).unwrap_or(1);
        let claim = store.claim(&destination, due_by, limit, LEASE);
        let Some(Ok(items)) = run(store, claim) else { return Ok(()) };
        self.summary.claimed += items.len() as u64;
        self.queue.claimed(&destination, due_by, limit, &items)
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
        let sender = if random.chance(30) { self.directory.any_account(random) } else { None };
        let idempotency = sender.map(|account| {
            let lasts = if random.chance(30) { random.below(40) } else { 1_000_000 };
            let expires_at = Timestamp::from_millis(mail_id.time().millis() + lasts);
            Idempotency { account, key: self.directory.any_key(account, random), expires_at }
        });
        let mut mailboxes: Vec<MailboxId> = self.promises.mailboxes.iter().copied().collect();
        mailboxes.retain(|_| random.chance(50));
        let is_queued = random.chance(40);
        if mailboxes.is_empty() && !is_queued {
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
        let queue = if is_queued { self.queue.new_items(mail_id, random) } else { Vec::new() };
        self.promises.mails.insert(
            mail_id,
            Mail { body, mailboxes: mailboxes.clone(), is_queued, state: MailState::Unanswered },
        );
        Some(Acceptance {
            mail_id,
            received_at: mail_id.time(),
            envelope: Envelope::new("<s@example.net>".parse().unwrap_or(ReversePath::Null), []),
            origin: "192.0.2.1".into(),
            body: body_value,
            deliveries: mailboxes.into_iter().map(delivery).collect(),
            queue,
            claim: if random.chance(50) { QueueClaim::ByCaller } else { QueueClaim::Later },
            idempotency,
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
        let accounts = ask(&store, store.accounts())?;
        let found = FoundDirectory {
            domains: ask(&store, store.domains())?,
            addresses: ask(&store, store.addresses())?,
            dkim_keys: ask(&store, store.all_dkim_keys())?,
            accounts,
        };
        for mailbox in self.directory.compare(&found)? {
            self.promises.mailbox_gone(mailbox);
        }
        for account in &found.accounts {
            let named = ask(&store, store.account(&account.name))?;
            if named.as_ref() != Some(account) {
                return Err(format!("{} is {named:?} instead of {account:?}", account.name));
            }
        }
        for mailbox in &self.promises.gone {
            let messages = run(&store, store.messages(*mailbox, None, 1)).ok_or("no answer")?;
            if messages != Err(StoreError::NoSuchMailbox) {
                return Err(format!("mailbox {mailbox} went with its account, and is back: {messages:?}"));
            }
        }
        let mailboxes: BTreeSet<MailboxId> = found.accounts.iter().map(|account| account.inbox).collect();
        self.promises.mailboxes.clone_from(&mailboxes);
        let mut found = BTreeMap::new();
        for mailbox in mailboxes {
            for entry in ask(&store, store.messages(mailbox, None, usize::MAX))? {
                let octets = read_all(&store, mailbox, entry.uid)
                    .map_err(|e| format!("message {} of mailbox {mailbox}: {e}", entry.uid))?;
                found.insert((mailbox, entry.uid), (entry, octets));
            }
        }
        let mut there: BTreeSet<MailId> = found.values().map(|(entry, _)| entry.mail_id).collect();
        let queued = self.verify_queue(&store, &found)?;
        there.extend(&queued);
        let (mails, gone) = (&self.promises.mails, &self.promises.gone);
        self.directory.settle_keys(|mail_id| {
            let mail = mails.get(&mail_id)?;
            let may_be_seen = mail.mailboxes.iter().any(|mailbox| !gone.contains(mailbox)) || mail.is_queued;
            may_be_seen.then(|| there.contains(&mail_id))
        });
        self.promises.compare(found, &queued)
    }

    fn verify_queue(&mut self, store: &Embedded, found: &mail::Found) -> Result<BTreeSet<MailId>, String> {
        self.queue.restarted();
        let mut items = Vec::new();
        for item in ask(store, store.queue_page(None, None, usize::MAX))? {
            let octets = read_queued(store, item.id).map_err(|e| format!("{} of the queue: {e}", item.id))?;
            items.push((item, octets));
        }
        let mut copies: BTreeMap<MailId, usize> = BTreeMap::new();
        for (entry, _) in found.values() {
            *copies.entry(entry.mail_id).or_default() += 1;
        }
        let (mails, gone) = (&self.promises.mails, &self.promises.gone);
        self.queue.compare(FoundQueue { items }, mails, |mail_id| {
            let mailboxes = mails.get(&mail_id).map_or(&[][..], |mail| &mail.mailboxes);
            let expected = mailboxes.iter().filter(|mailbox| !gone.contains(mailbox)).count();
            (expected, copies.get(&mail_id).copied().unwrap_or(0))
        })
    }
}

/// Longer than any life.
const LEASE: Duration = Duration::from_secs(3600);

/// Asks for something that needs no more than reading.
fn ask<T>(store: &Embedded, asked: impl Future<Output = Result<T, StoreError>> + Send) -> Result<T, String> {
    run(store, asked).ok_or("no answer")?.map_err(|e| e.to_string())
}

fn delivery(mailbox: MailboxId) -> Delivery {
    Delivery { mailbox, header: header(mailbox), flags: Flags::NONE, internal_date: None }
}

fn header(mailbox: MailboxId) -> Bytes {
    format!("Delivered-To: {mailbox}\r\n").into()
}

fn read_all(store: &Embedded, mailbox: MailboxId, uid: Uid) -> Result<Vec<u8>, String> {
    run(store, async { octets(store.open(mailbox, uid).await?).await })
        .ok_or("no answer")?
        .map_err(|e| e.to_string())
}

fn read_queued(store: &Embedded, id: QueueItemId) -> Result<Vec<u8>, String> {
    run(store, async { octets(store.open_queued(id).await?).await })
        .ok_or("no answer")?
        .map_err(|e| e.to_string())
}

async fn octets(mut stream: Box<dyn BodyStream>) -> Result<Vec<u8>, StoreError> {
    let mut octets = Vec::new();
    loop {
        let chunk = stream.next().await?;
        if chunk.is_empty() {
            return Ok(octets);
        }
        octets.extend_from_slice(&chunk);
    }
}
