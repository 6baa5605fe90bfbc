//! Mailboxes under power cuts: made, renamed and deleted, messages copied, moved, expunged, restored and let go.
//!
//! Several things are asked for at once, which the store does in that order with one write. After a cut it must be as it
//! was after some of them, all that was answered among these: each whole, or not at all. A UID never means another message,
//! an UIDVALIDITY never another mailbox, and what is said to have vanished is all that did.

mod model;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use store::embedded::disk::Disk as _;
use store::embedded::{Embedded, Options};
use store::{
    Acceptance, AccountId, Body, Directory as _, Flags, MailboxId, Mailboxes as _, ModSeq, NewAccount,
    QueueClaim, Replaced, Spool as _, StoreError, Transfer, Uid, UidValidity, Vanished,
};
use types::{Envelope, MailId, ReversePath, Timestamp};

use self::model::{Folder, Held, Kept, Model, Op};
use super::{Wrap, delivery, header, options, read_all, root};
use crate::disk::SimDisk;
use crate::drive::{Asked, commit, run};
use crate::random::Random;

/// What happened under a seed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FoldersSummary {
    /// Power cuts.
    pub cuts: u64,
    /// Things that were asked for and answered.
    pub done: u64,
    /// Cuts after which more was there than was answered.
    pub unanswered: u64,
    /// Times that it was told what vanished.
    pub histories: u64,
    /// Segments given up.
    pub reclaimed: u64,
    /// Times the view was thrown away before the start.
    pub rebuilt: u64,
}

/// Runs the life of a seed.
///
/// # Errors
/// The promise that was broken.
pub fn run_folders_seed(seed: u64, wrap: Wrap) -> Result<FoldersSummary, String> {
    let mut random = Random::new(seed);
    let mut life = Life {
        disk: SimDisk::new(),
        account: None,
        possible: vec![Model::default()],
        bodies: BTreeMap::new(),
        ever: BTreeMap::new(),
        validities: BTreeMap::new(),
        histories: BTreeMap::new(),
        now: 0,
        summary: FoldersSummary::default(),
    };
    for _ in 0..2 + random.below(3) {
        life.work(&mut random, wrap)?;
        life.disk = life.disk.restore(&mut random);
        life.summary.cuts += 1;
        if random.chance(30) && life.disk.remove(&root().join("view.redb")).is_ok() {
            life.summary.rebuilt += 1;
        }
        life.verify(wrap)?;
    }
    Ok(life.summary)
}

const NAMES: [&str; 6] = ["A", "A/x", "B", "B/y", "Trash", "C"];
const AT: u64 = 1_795_322_124_250;

struct Life {
    disk: SimDisk,
    account: Option<AccountId>,
    /// How it may be: one way, but for what was not answered.
    possible: Vec<Model>,
    bodies: BTreeMap<MailId, Bytes>,
    /// Which message a UID was ever seen to mean.
    ever: BTreeMap<(MailboxId, Uid), MailId>,
    validities: BTreeMap<UidValidity, MailboxId>,
    /// Which messages there were at a modification sequence.
    histories: BTreeMap<MailboxId, (ModSeq, BTreeSet<Uid>)>,
    now: u64,
    summary: FoldersSummary,
}

fn opened(disk: &SimDisk, wrap: Wrap) -> Result<Embedded, StoreError> {
    Embedded::open(Options { keep_expunged: true, ..options(wrap(disk.clone())) })
}

impl Life {
    /// Opens the store and works until the power is cut.
    fn work(&mut self, random: &mut Random, wrap: Wrap) -> Result<(), String> {
        let disk = self.disk.clone();
        let reach = if random.chance(20) { 80 } else { 1200 };
        disk.cut_after(random.below(reach));
        let store = match opened(&disk, wrap) {
            Ok(store) => store,
            Err(error) if disk.is_cut() => {
                let damaged = matches!(error, StoreError::Damaged(_) | StoreError::NewerFormat { .. });
                return if damaged { Err(format!("opening: {error}")) } else { Ok(()) };
            }
            Err(error) => return Err(format!("opening: {error}")),
        };
        while !disk.is_cut() {
            let Some(account) = self.account else {
                let new = NewAccount::new("a@example.org", Timestamp::from_millis(AT));
                // One that was not answered is found, or made, the next time.
                if let Some(Ok(made)) = run(&store, store.create_account(new)) {
                    self.account = Some(made.id);
                    if !self.look(&store, false)? {
                        return Ok(());
                    }
                }
                continue;
            };
            match random.below(10) {
                0 => drop(store.apply_pending().and_then(|()| store.checkpoint())),
                1..3 => match store.reclaim() {
                    Ok(true) => self.summary.reclaimed += 1,
                    Ok(false) => {}
                    Err(error) if disk.is_cut() => drop(error),
                    Err(error) => return Err(format!("reclaiming: {error}")),
                },
                _ => {
                    if !self.batch(&store, account, random)? || !self.look(&store, true)? {
                        return Ok(());
                    }
                }
            }
        }
        Ok(())
    }

    /// Asks for several things; false where not all was answered.
    fn batch(&mut self, store: &Embedded, account: AccountId, random: &mut Random) -> Result<bool, String> {
        self.now += 1;
        let at = Timestamp::from_millis(AT + self.now);
        let mut model = self.possible.last().cloned().unwrap_or_default();
        let mut asked = Vec::new();
        let mut expected: Vec<(Op, bool)> = Vec::new();
        let mut states = vec![model.clone()];
        for _ in 0..1 + random.below(4) {
            let Some(op) = self.any_op(&model, random) else { continue };
            // What is to be let go is looked for in the view, before others of the batch.
            let is_alone = matches!(op, Op::Purge);
            if is_alone && !asked.is_empty() {
                continue;
            }
            let is_done = model.apply(&op, self.now);
            asked.push(self.ask(store, account, op.clone(), at));
            expected.push((op, is_done));
            states.push(model.clone());
            if is_alone {
                break;
            }
        }
        let answers = match expected.first() {
            Some((Op::Purge, _)) => asked.into_iter().map(|asked| run(store, asked)).collect(),
            _ => commit(store, asked),
        };
        let mut certain = 0;
        for ((op, is_done), answer) in expected.into_iter().zip(answers) {
            match answer {
                Some(Ok(())) if is_done => {}
                Some(Err(
                    StoreError::Conflict(_) | StoreError::NoSuchMailbox | StoreError::NoSuchMessage,
                )) if !is_done => {}
                Some(Err(StoreError::Unavailable(_))) | None => break,
                Some(answer) => return Err(format!("{op:?} was answered {answer:?}")),
            }
            certain += 1;
        }
        self.summary.done += certain as u64;
        self.possible = states.split_off(certain);
        Ok(self.possible.len() == 1)
    }

    fn any_op(&mut self, model: &Model, random: &mut Random) -> Option<Op> {
        let listed: Vec<&Folder> = model.folders.iter().filter(|folder| folder.id.is_some()).collect();
        let mut folder = || listed.get(usize::try_from(random.below(listed.len() as u64)).ok()?).copied();
        let (one, other) = (folder()?, folder()?);
        let (id, to) = (one.id?, other.id?);
        let mut uids: Vec<Uid> = one.messages.iter().filter_map(|held| held.uid).collect();
        uids.retain(|_| random.chance(60));
        let name = |random: &mut Random| NAMES[usize::try_from(random.below(6)).unwrap_or(0)].to_owned();
        Some(match random.below(20) {
            0..4 => {
                let mut mailboxes = vec![id, to];
                mailboxes.dedup();
                Op::Accept(mailboxes, self.new_mail(random))
            }
            4..6 => {
                let mails = (0..1 + random.below(3)).map(|_| self.new_mail(random)).collect();
                let replaced = uids.first().filter(|_| random.chance(50)).map(|uid| (id, *uid));
                Op::Append(to, mails, replaced)
            }
            6..8 => Op::Flags(id, uids, 1 << random.below(5)),
            8..12 => Op::Transfer { from: id, uids, to, is_move: random.chance(60) },
            12..15 => Op::Expunge(id, uids),
            15 => Op::Create(name(random)),
            16 => {
                let from = if random.chance(20) { "INBOX".to_owned() } else { name(random) };
                Op::Rename(from, name(random))
            }
            17 => Op::Delete(id, one.name.clone()),
            18 => {
                let places = model.kept.iter().filter_map(|kept| kept.place);
                Op::Restore(places.filter(|_| random.chance(40)).collect())
            }
            _ => Op::Purge,
        })
    }

    fn new_mail(&mut self, random: &mut Random) -> MailId {
        let mail_id = MailId::new(Timestamp::from_millis(AT + self.now), random.number());
        let size = if random.chance(15) { 9000 } else { random.below(1500) };
        self.bodies.insert(mail_id, (0..size).map(|_| random.below(256) as u8).collect());
        mail_id
    }

    fn ask<'s>(
        &self,
        store: &'s Embedded,
        account: AccountId,
        op: Op,
        at: Timestamp,
    ) -> Asked<'s, Result<(), StoreError>> {
        let message = |mail_id: MailId, mailboxes: Vec<MailboxId>| Acceptance {
            mail_id,
            received_at: at,
            envelope: Envelope::new("<s@example.net>".parse().unwrap_or(ReversePath::Null), []),
            origin: "192.0.2.1".into(),
            body: Body::Memory(vec![self.bodies.get(&mail_id).cloned().unwrap_or_default()]),
            deliveries: mailboxes.into_iter().map(delivery).collect(),
            queue: Vec::new(),
            claim: QueueClaim::Later,
            idempotency: None,
        };
        match op {
            Op::Accept(to, mail_id) => {
                let message = message(mail_id, to);
                Box::pin(async move { store.accept(message).await.map(drop) })
            }
            Op::Append(to, mails, replaced) => {
                let messages = mails.into_iter().map(|mail_id| message(mail_id, vec![to])).collect();
                let replaced = replaced.map(|(mailbox, uid)| Replaced { mailbox, uid, at });
                Box::pin(async move { store.append(messages, replaced).await.map(drop) })
            }
            Op::Flags(mailbox, uids, add) => Box::pin(async move {
                store.store_flags(mailbox, &uids, Flags(add), Flags::NONE, None).await.map(drop)
            }),
            Op::Transfer { from, uids, to, is_move } => {
                let how = if is_move { Transfer::Move } else { Transfer::Copy };
                Box::pin(async move { store.transfer(from, &uids, to, how, at).await.map(drop) })
            }
            Op::Expunge(mailbox, uids) => {
                Box::pin(async move { store.expunge(mailbox, &uids, at).await.map(drop) })
            }
            Op::Create(name) => {
                Box::pin(async move { store.create_mailbox(account, &name, None, at).await.map(drop) })
            }
            Op::Rename(from, to) => {
                Box::pin(async move { store.rename_mailbox(account, &from, &to, at).await })
            }
            Op::Delete(mailbox, name) => {
                Box::pin(async move { store.delete_mailbox(mailbox, &name, at).await })
            }
            Op::Restore(places) => {
                Box::pin(async move { store.restore(account, &places, at).await.map(drop) })
            }
            Op::Purge => {
                let before = Timestamp::from_millis(at.millis() + 1);
                Box::pin(async move { store.purge_expunged(before, usize::MAX).await.map(drop) })
            }
        }
    }

    /// Looks at everything, and takes it over where it is as it may be; false where the power is gone.
    fn look(&mut self, store: &Embedded, is_known: bool) -> Result<bool, String> {
        let Some(account) = self.account else { return Ok(true) };
        let Some((mut found, listed)) = self.list(store, account)? else { return Ok(false) };
        if is_known {
            let digest = found.digest();
            let place = self.possible.iter().position(|model| model.digest() == digest);
            let Some(place) = place else {
                let expected: Vec<_> = self.possible.iter().map(Model::digest).collect();
                return Err(format!("it is {digest:?}, and may be {expected:?}"));
            };
            self.summary.unanswered += u64::from(place > 0);
            found.takes_origins_of(self.possible.swap_remove(place));
        }
        // A message that is there is the one that it was.
        for (key, mail_id) in listed {
            if *self.ever.entry(key).or_insert(mail_id) != mail_id {
                return Err(format!("UID {} of mailbox {} is another message", key.1, key.0));
            }
        }
        self.possible = vec![found];
        Ok(true)
    }

    /// What is there; none where the power is gone.
    #[allow(clippy::type_complexity, reason = "what is there, and what each UID means")]
    fn list(
        &mut self,
        store: &Embedded,
        account: AccountId,
    ) -> Result<Option<(Model, Vec<((MailboxId, Uid), MailId)>)>, String> {
        let mut model = Model::default();
        let mut listed = Vec::new();
        let Some(Ok(infos)) = run(store, store.mailboxes(account)) else { return Ok(None) };
        for info in infos {
            if *self.validities.entry(info.uid_validity).or_insert(info.id) != info.id {
                return Err(format!("UIDVALIDITY {} is of two mailboxes", info.uid_validity));
            }
            let messages = store.messages(info.id, None, usize::MAX);
            let Some(Ok(messages)) = run(store, messages) else { return Ok(None) };
            let there: BTreeSet<Uid> = messages.iter().map(|entry| entry.uid).collect();
            if info.messages != there.len() as u64 || there.last().is_some_and(|last| *last >= info.uid_next)
            {
                return Err(format!("{info:?} has {there:?}"));
            }
            if !self.history(store, info.id, info.highest_modseq, there)? {
                return Ok(None);
            }
            listed.extend(messages.iter().map(|entry| ((info.id, entry.uid), entry.mail_id)));
            let held = messages.iter().map(|entry| Held {
                mail_id: entry.mail_id,
                flags: entry.flags.0,
                uid: Some(entry.uid),
            });
            model.folders.push(Folder { id: Some(info.id), name: info.name, messages: held.collect() });
        }
        let Some(Ok(expunged)) = run(store, store.expunged(account)) else { return Ok(None) };
        for expunged in expunged {
            let (mail_id, uid) = (expunged.message.mail_id, expunged.message.uid);
            listed.push(((expunged.kept_in, uid), mail_id));
            model.kept.push(Kept {
                place: Some((expunged.kept_in, uid)),
                of: None,
                name: expunged.mailbox_name,
                at: expunged.message.saved_at.millis().saturating_sub(AT),
                held: Held { mail_id, flags: expunged.message.flags.0, uid: None },
            });
        }
        Ok(Some((model, listed)))
    }

    /// Whether it is told what vanished since something was seen; false where the power is gone.
    fn history(
        &mut self,
        store: &Embedded,
        mailbox: MailboxId,
        modseq: ModSeq,
        there: BTreeSet<Uid>,
    ) -> Result<bool, String> {
        if let Some((since, before)) = self.histories.get(&mailbox) {
            let Some(Ok(vanished)) = run(store, store.vanished(mailbox, *since)) else { return Ok(false) };
            if let Vanished::These(vanished) = vanished {
                self.summary.histories += 1;
                let vanished: BTreeSet<Uid> = vanished.into_iter().collect();
                if before.iter().any(|uid| !there.contains(uid) && !vanished.contains(uid))
                    || vanished.iter().any(|uid| there.contains(uid))
                {
                    return Err(format!(
                        "of mailbox {mailbox} since {since}, {vanished:?} are said to be gone"
                    ));
                }
            }
        }
        // Old ones are worth more.
        if self.histories.get(&mailbox).is_none_or(|(since, _)| since.0 + 12 < modseq.0) {
            self.histories.insert(mailbox, (modseq, there));
        }
        Ok(true)
    }

    /// Opens the store with the power on and compares.
    fn verify(&mut self, wrap: Wrap) -> Result<(), String> {
        let store = opened(&self.disk, wrap).map_err(|e| format!("after the cut: {e}"))?;
        let report = store.check().map_err(|e| format!("the check: {e}"))?;
        if !report.is_clean() {
            let first: Vec<_> = report.findings.iter().take(3).map(|finding| &finding.text).collect();
            return Err(format!("the check found {}: {first:?} …", report.findings.len()));
        }
        let accounts = run(&store, store.accounts()).ok_or("no answer")?.map_err(|e| e.to_string())?;
        let is_known = self.account.is_some();
        self.account = accounts.first().map(|account| account.id).or(self.account);
        if accounts.is_empty() && is_known {
            return Err("the account is lost".into());
        }
        if !self.look(&store, is_known)? {
            return Err("no answer".into());
        }
        let model = self.possible.first().cloned().unwrap_or_default();
        let places = model.folders.iter().filter_map(|folder| Some((folder.id?, &folder.messages)));
        let listed = places
            .flat_map(|(id, held)| held.iter().filter_map(move |held| Some((id, held.uid?, held.mail_id))));
        let kept = model.kept.iter().filter_map(|kept| {
            let (mailbox, uid) = kept.place?;
            Some((mailbox, uid, kept.held.mail_id))
        });
        for (mailbox, uid, mail_id) in listed.chain(kept) {
            let octets = read_all(&store, mailbox, uid)?;
            let body = self.bodies.get(&mail_id).ok_or_else(|| format!("nobody sent {mail_id}"))?;
            // It keeps the header fields of where it was delivered first.
            if !octets.ends_with(body) || !octets.starts_with(&header(mailbox)[..13]) {
                return Err(format!("message {mail_id} has other octets"));
            }
        }
        Ok(())
    }
}
