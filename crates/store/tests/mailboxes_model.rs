//! Mailboxes of an account against a simple model: whatever is done, wherever the store is closed, its view lost, or its
//! segments given up, everything is as it should be afterwards.

#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod suite;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use store::embedded::{Drive, Embedded, Options};
use store::{
    Acceptance, Body, Directory as _, Expunged, Flags, MailboxId, Mailboxes as _, Metadata, ModSeq, Replaced,
    Spool as _, StoreError, Subscription, Transfer, Uid, Vanished,
};
use suite::drive::manual;
use suite::known::Known;
use suite::mail::{RECEIVED_AT, acceptance, account, id, read_all, text};
use types::Timestamp;

#[derive(Debug, Clone)]
enum Step {
    /// To which mailboxes, and octets of the body.
    Accept(Vec<usize>, usize),
    /// How many messages, and whether they replace one.
    Append(usize, u8, Option<usize>),
    /// Of which mailbox, which messages, which keyword and system flag, set or not.
    Flags(usize, Vec<usize>, usize, u64, bool),
    Transfer(usize, Vec<usize>, usize, bool),
    Expunge(usize, Vec<usize>),
    Create(usize),
    Rename(usize, usize),
    Delete(usize),
    Restore(Vec<usize>),
    /// Those that were expunged before so many steps.
    Purge(u64, usize),
    Subscribe(usize, bool),
    Annotate(usize, usize, Option<u8>),
    Reclaim,
    Reopen,
    Rebuild,
}

const NAMES: [&str; 8] = ["A", "A/x", "A/x/y", "B", "B/z", "C", "Trash", "D/e"];
const KEYWORDS: [&str; 4] = ["$Forwarded", "$Junk", "Later", "$MDNSent"];

fn picks() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..50, 1..6)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (prop::collection::vec(0_usize..20, 1..3), prop_oneof![0_usize..900, 3000_usize..9000])
            .prop_map(|(to, size)| Step::Accept(to, size)),
        3 => (0_usize..20, 1_u8..4, prop::option::of(0_usize..50)).prop_map(|(to, n, replaced)| Step::Append(to, n, replaced)),
        4 => (0_usize..20, picks(), 0_usize..4, 0_u64..32, any::<bool>())
            .prop_map(|(of, which, keyword, flags, on)| Step::Flags(of, which, keyword, flags, on)),
        6 => (0_usize..20, picks(), 0_usize..20, any::<bool>())
            .prop_map(|(from, which, to, copy)| Step::Transfer(from, which, to, copy)),
        5 => (0_usize..20, picks()).prop_map(|(of, which)| Step::Expunge(of, which)),
        3 => (0_usize..8).prop_map(Step::Create),
        2 => (0_usize..9, 0_usize..8).prop_map(|(from, to)| Step::Rename(from, to)),
        2 => (0_usize..8).prop_map(Step::Delete),
        2 => picks().prop_map(Step::Restore),
        2 => (0_u64..30, 1_usize..20).prop_map(|(ago, limit)| Step::Purge(ago, limit)),
        1 => (0_usize..8, any::<bool>()).prop_map(|(name, on)| Step::Subscribe(name, on)),
        1 => (0_usize..20, 0_usize..3, prop::option::of(0_u8..9)).prop_map(|(of, name, value)| Step::Annotate(of, name, value)),
        4 => Just(Step::Reclaim),
        1 => Just(Step::Reopen),
        2 => Just(Step::Rebuild),
    ]
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    n: u64,
    size: usize,
    header: String,
    flags: u64,
    keywords: BTreeSet<&'static str>,
    date: Timestamp,
    saved_at: Timestamp,
}

impl Message {
    fn octets(&self) -> Vec<u8> {
        let mut octets = self.header.clone().into_bytes();
        octets.extend_from_slice(&text(self.n, self.size));
        octets
    }
}

#[derive(Debug, Clone)]
struct Folder {
    id: MailboxId,
    uid_validity: u32,
    last_uid: u32,
    messages: BTreeMap<Uid, Message>,
    /// With what the mailbox's modification sequence was before.
    gone: Vec<(ModSeq, Uid)>,
    annotations: BTreeMap<String, u8>,
}

/// One that was expunged: when, the id of its mailbox, and where it would come back.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Kept {
    at: Timestamp,
    mailbox: MailboxId,
    name: String,
    message: Message,
}

struct Life {
    folder: tempfile::TempDir,
    options: Options,
    store: Embedded,
    account: store::Account,
    now: u64,
    next: u64,
    folders: BTreeMap<String, Folder>,
    kept: Vec<Kept>,
    validities: BTreeSet<u32>,
    subscribed: BTreeSet<String>,
    /// Mailboxes as they were when somebody read them.
    known: BTreeMap<MailboxId, Arc<Known>>,
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mailboxes_are_what_the_model_is(steps in prop::collection::vec(step(), 1..90)) {
        let mut life = Life::new();
        for step in steps {
            life.step(&step);
        }
        life.compare();
        life.rebuild();
        life.compare();
    }
}

/// More with `POSTA_MODEL_CASES`.
fn cases() -> u32 {
    std::env::var("POSTA_MODEL_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(48)
}

impl Life {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            segment_bytes: 8 * 1024,
            body_file_bytes: 5000,
            keep_expunged: true,
            drive: Drive::Manual,
            ..Options::at(folder.path())
        };
        let store = Embedded::open(options.clone()).unwrap();
        let account = manual(&store, account(&store, "a@example.org"));
        let mut life = Self {
            folder,
            options,
            store,
            account,
            now: 1,
            next: 0,
            folders: BTreeMap::new(),
            kept: Vec::new(),
            validities: BTreeSet::new(),
            subscribed: BTreeSet::new(),
            known: BTreeMap::new(),
        };
        life.adopt();
        life.subscribed = life.folders.keys().cloned().collect();
        life
    }

    fn at(&self) -> Timestamp {
        Timestamp::from_millis(RECEIVED_AT.millis() + self.now)
    }

    /// Takes mailboxes over that are new.
    fn adopt(&mut self) {
        let last = self.validities.last().copied();
        for info in manual(&self.store, self.store.mailboxes(self.account.id)).unwrap() {
            if self.folders.get(&info.name).is_some_and(|known| known.id == info.id) {
                continue;
            }
            assert!(self.validities.insert(info.uid_validity.0), "UIDVALIDITY {} again", info.uid_validity.0);
            assert!(last.is_none_or(|last| last < info.uid_validity.0));
            let folder = Folder {
                id: info.id,
                uid_validity: info.uid_validity.0,
                last_uid: 0,
                messages: BTreeMap::new(),
                gone: Vec::new(),
                annotations: BTreeMap::new(),
            };
            self.folders.insert(info.name, folder);
        }
    }

    fn name(&self, at: usize) -> String {
        self.folders.keys().nth(at % self.folders.len()).unwrap().clone()
    }

    fn pick(&self, name: &str, which: &[usize]) -> Vec<Uid> {
        let messages = &self.folders[name].messages;
        let picked = which.iter().filter_map(|at| messages.keys().nth(at % messages.len().max(1)));
        let picked: BTreeSet<Uid> = picked.copied().collect();
        picked.into_iter().collect()
    }

    fn modseq(&self, name: &str) -> ModSeq {
        manual(&self.store, self.store.mailbox(self.folders[name].id)).unwrap().highest_modseq
    }

    fn new_mail(
        &mut self,
        names: &[String],
        size: usize,
        date: Option<Timestamp>,
    ) -> (Acceptance, Vec<Message>) {
        let n = self.next;
        self.next += 1;
        let mut mailboxes: Vec<MailboxId> = names.iter().map(|name| self.folders[name].id).collect();
        mailboxes.dedup();
        let at = self.at();
        let mut made = acceptance(id(1, n), Body::Memory(vec![text(n, size)]), &mailboxes);
        made.received_at = at;
        let mut messages = Vec::new();
        for delivery in &mut made.deliveries {
            delivery.internal_date = date;
            messages.push(Message {
                n,
                size,
                header: String::from_utf8(delivery.header.to_vec()).unwrap(),
                flags: 0,
                keywords: BTreeSet::new(),
                date: date.unwrap_or(at),
                saved_at: at,
            });
        }
        (made, messages)
    }

    /// A message came into a mailbox.
    fn arrives(&mut self, name: &str, uid: Uid, message: Message) {
        let folder = self.folders.get_mut(name).unwrap();
        assert!(uid.0 > folder.last_uid, "UID {uid} of {name} after {}", folder.last_uid);
        folder.last_uid = uid.0;
        folder.messages.insert(uid, message);
    }

    fn step(&mut self, step: &Step) {
        self.now += 1;
        match step {
            Step::Accept(to, size) => self.accept(to, *size),
            Step::Append(to, count, replaced) => self.append(*to, *count, *replaced),
            Step::Flags(of, which, keyword, flags, on) => self.flags(*of, which, *keyword, *flags, *on),
            Step::Transfer(from, which, to, copy) => self.transfer(*from, which, *to, *copy),
            Step::Expunge(of, which) => {
                let name = self.name(*of);
                let uids = self.pick(&name, which);
                self.expunged(&name, &uids);
                let asked = self.store.expunge(self.folders[&name].id, &uids, self.at());
                assert_eq!(manual(&self.store, asked).unwrap(), uids);
            }
            Step::Create(name) => self.create(NAMES[*name]),
            Step::Rename(from, to) => self.rename(NAMES.get(*from).unwrap_or(&"INBOX"), NAMES[*to]),
            Step::Delete(name) => self.delete(NAMES[*name]),
            Step::Restore(which) => self.restore(which),
            Step::Purge(ago, limit) => self.purge(*ago, *limit),
            Step::Subscribe(name, on) => {
                let (name, on_off) = (NAMES[*name], if *on { Subscription::On } else { Subscription::Off });
                manual(&self.store, self.store.subscribe(self.account.id, name, on_off)).unwrap();
                if *on {
                    self.subscribed.insert(name.to_owned());
                } else {
                    self.subscribed.remove(name);
                }
            }
            Step::Annotate(of, name, value) => {
                let mailbox = self.name(*of);
                let name = format!("/private/n{name}");
                let change = Metadata { name: name.clone(), value: value.map(|v| Bytes::from(vec![v])) };
                let before = self.modseq(&mailbox);
                let folder = self.folders.get_mut(&mailbox).unwrap();
                let was = folder.annotations.get(&name).copied();
                match value {
                    Some(value) => drop(folder.annotations.insert(name, *value)),
                    None => drop(folder.annotations.remove(&name)),
                }
                let asked = self.store.set_metadata(self.account.id, Some(folder.id), vec![change]);
                manual(&self.store, asked).unwrap();
                // RFC 7162 §3.2.
                assert_eq!(self.modseq(&mailbox) > before, was != *value);
            }
            Step::Reclaim => {
                suite::drive::reclaim_all(&self.store);
            }
            Step::Reopen => self.reopen(false),
            Step::Rebuild => self.rebuild(),
        }
    }

    fn reopen(&mut self, without_view: bool) {
        let modseqs = |model: &Self| model.folders.keys().map(|name| model.modseq(name)).collect::<Vec<_>>();
        let before = modseqs(self);
        // One store at a time.
        let elsewhere = tempfile::tempdir().unwrap();
        let other = Options { path: elsewhere.path().to_owned(), ..self.options.clone() };
        drop(std::mem::replace(&mut self.store, Embedded::open(other).unwrap()));
        if without_view {
            std::fs::remove_file(self.folder.path().join("view.redb")).unwrap();
        }
        self.store = Embedded::open(self.options.clone()).unwrap();
        assert_eq!(modseqs(self), before);
    }

    fn rebuild(&mut self) {
        self.reopen(true);
        let report = self.store.check().unwrap();
        assert!(report.is_clean(), "{report:?}");
    }

    fn accept(&mut self, to: &[usize], size: usize) {
        let names: BTreeSet<String> = to.iter().map(|at| self.name(*at)).collect();
        let names: Vec<String> = names.into_iter().collect();
        let (mail, messages) = self.new_mail(&names, size, None);
        let done = manual(&self.store, self.store.accept(mail)).unwrap().deliveries;
        for ((name, done), message) in names.iter().zip(done).zip(messages) {
            self.arrives(name, done.uid, message);
        }
    }

    fn append(&mut self, to: usize, count: u8, replaced: Option<usize>) {
        let name = self.name(to);
        let date = Timestamp::from_millis(self.now * 1000);
        let (mut mails, mut messages) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let (mail, message) = self.new_mail(std::slice::from_ref(&name), 300, Some(date));
            mails.push(mail);
            messages.extend(message);
        }
        let other = self.name(replaced.unwrap_or(0));
        let uid = replaced.and_then(|at| self.pick(&other, &[at]).first().copied());
        let at = self.at();
        let replaces = uid.map(|uid| Replaced { mailbox: self.folders[&other].id, uid, at });
        if let Some(uid) = uid {
            self.expunged(&other, &[uid]);
        }
        let done = manual(&self.store, self.store.append(mails, replaces)).unwrap();
        for (done, message) in done.into_iter().zip(messages) {
            self.arrives(&name, done.deliveries[0].uid, message);
        }
    }

    fn flags(&mut self, of: usize, which: &[usize], keyword: usize, flags: u64, on: bool) {
        let name = self.name(of);
        let uids = self.pick(&name, which);
        let mailbox = self.folders[&name].id;
        let keyword = KEYWORDS[keyword];
        let known = manual(&self.store, self.store.add_keywords(mailbox, &[keyword.to_uppercase()])).unwrap();
        let place = known.iter().position(|known| known.eq_ignore_ascii_case(keyword)).unwrap();
        let set = Flags(flags).with(Flags::keyword(place).unwrap());
        let (add, remove) = if on { (set, Flags::NONE) } else { (Flags::NONE, set) };
        // By who knows the mailbox, if only as it was before, and by who does not.
        let done = if on {
            let known = self.known(mailbox);
            let asked = self.store.store_flags_of(mailbox, &uids, (add, remove), None, known);
            manual(&self.store, asked)
        } else {
            manual(&self.store, self.store.store_flags(mailbox, &uids, add, remove, None))
        };
        let done = done.unwrap();
        let mut changed = Vec::new();
        for uid in &uids {
            let message = self.folders.get_mut(&name).unwrap().messages.get_mut(uid).unwrap();
            let before = message.clone();
            if on {
                message.flags |= flags;
                message.keywords.insert(keyword);
            } else {
                message.flags &= !flags;
                message.keywords.remove(keyword);
            }
            if *message != before {
                changed.push(*uid);
            }
        }
        assert_eq!(done.changed.iter().map(|(uid, _)| uid).collect::<Vec<_>>(), changed);
    }

    /// A mailbox as one knows it who reads it anew now and then.
    fn known(&mut self, mailbox: MailboxId) -> Arc<Known> {
        if self.now.is_multiple_of(3) {
            self.known.remove(&mailbox);
        }
        let read = || manual(&self.store, Known::of(&self.store, mailbox));
        Arc::clone(self.known.entry(mailbox).or_insert_with(read))
    }

    fn transfer(&mut self, from: usize, which: &[usize], to: usize, copy: bool) {
        let (from, to) = (self.name(from), self.name(to));
        let uids = self.pick(&from, which);
        let before = self.modseq(&from);
        let how = if copy { Transfer::Copy } else { Transfer::Move };
        let at = self.at();
        let asked = self.store.transfer(self.folders[&from].id, &uids, self.folders[&to].id, how, at);
        let done = manual(&self.store, asked).unwrap().uids;
        assert_eq!(done.iter().map(|(uid, _)| *uid).collect::<Vec<_>>(), uids);
        for (source, target) in done {
            let message = self.folders[&from].messages[&source].clone();
            if !copy {
                let folder = self.folders.get_mut(&from).unwrap();
                folder.messages.remove(&source);
                folder.gone.push((before, source));
            }
            self.arrives(&to, target, Message { saved_at: at, ..message });
        }
    }

    /// Messages are about to be expunged.
    fn expunged(&mut self, name: &str, uids: &[Uid]) {
        let (at, before) = (self.at(), self.modseq(name));
        let folder = self.folders.get_mut(name).unwrap();
        for uid in uids {
            let message = folder.messages.remove(uid).unwrap();
            folder.gone.push((before, *uid));
            self.kept.push(Kept { at, mailbox: folder.id, name: name.to_owned(), message });
        }
    }

    fn create(&mut self, name: &str) {
        let asked = self.store.create_mailbox(self.account.id, name, None, self.at());
        match manual(&self.store, asked) {
            Ok(info) => assert_eq!(info.name, name),
            Err(StoreError::Conflict(_)) => assert!(self.folders.contains_key(name)),
            Err(other) => panic!("{other}"),
        }
        self.adopt();
    }

    fn rename(&mut self, from: &str, to: &str) {
        let at = self.at();
        let below = format!("{from}/");
        let moving: Vec<(String, String)> = self
            .folders
            .keys()
            .filter(|name| *name == from || (from != "INBOX" && name.starts_with(&below)))
            .map(|name| (name.clone(), format!("{to}{}", &name[from.len()..])))
            .collect();
        let taken = moving.iter().any(|(_, new)| self.folders.contains_key(new));
        let is_refused = taken || from == to || to.starts_with(&below);
        let asked = self.store.rename_mailbox(self.account.id, from, to, at);
        match manual(&self.store, asked) {
            Ok(()) => assert!(!is_refused && self.folders.contains_key(from)),
            Err(StoreError::NoSuchMailbox) => return assert!(!self.folders.contains_key(from)),
            Err(StoreError::Conflict(_)) => return assert!(is_refused),
            Err(other) => panic!("{other}"),
        }
        if from == "INBOX" {
            self.adopt();
            let inbox = self.folders.get_mut("INBOX").unwrap();
            let messages = std::mem::take(&mut inbox.messages);
            inbox.gone.extend(messages.keys().map(|uid| (ModSeq(u64::MAX), *uid)));
            for (n, message) in (1..).zip(messages.into_values()) {
                self.arrives(to, Uid(n), Message { saved_at: at, ..message });
            }
            return;
        }
        let moved: Vec<(String, Folder)> =
            moving.into_iter().map(|(old, new)| (new, self.folders.remove(&old).unwrap())).collect();
        for (name, folder) in moved {
            for kept in self.kept.iter_mut().filter(|kept| kept.mailbox == folder.id) {
                kept.name.clone_from(&name);
            }
            self.folders.insert(name, folder);
        }
        self.adopt();
    }

    fn delete(&mut self, name: &str) {
        let Some(folder) = self.folders.remove(name) else { return };
        let at = self.at();
        manual(&self.store, self.store.delete_mailbox(folder.id, name, at)).unwrap();
        for message in folder.messages.into_values() {
            self.kept.push(Kept { at, mailbox: folder.id, name: name.to_owned(), message });
        }
        let gone = manual(&self.store, self.store.messages(folder.id, None, 1));
        assert_eq!(gone, Err(StoreError::NoSuchMailbox));
    }

    fn list_kept(&self) -> Vec<Expunged> {
        manual(&self.store, self.store.expunged(self.account.id)).unwrap()
    }

    fn restore(&mut self, which: &[usize]) {
        let listed = self.list_kept();
        let chosen: BTreeSet<usize> = which.iter().map(|at| at % listed.len().max(1)).collect();
        let chosen: Vec<Expunged> = chosen.iter().filter_map(|at| listed.get(*at).cloned()).collect();
        let octets: Vec<Vec<u8>> = chosen
            .iter()
            .map(|e| manual(&self.store, read_all(&self.store, e.kept_in, e.message.uid)))
            .collect();
        let places: Vec<(MailboxId, Uid)> = chosen.iter().map(|e| (e.kept_in, e.message.uid)).collect();
        let at = self.at();
        let count = manual(&self.store, self.store.restore(self.account.id, &places, at)).unwrap();
        assert_eq!(count, places.len());
        self.adopt();
        // Whose UIDs follow those that were known, by what is in the mailboxes now.
        for (expunged, octets) in chosen.into_iter().zip(octets) {
            let n = expunged.message.mail_id;
            // One message may have been there twice.
            let found = self.kept.iter().position(|kept| {
                is_kept(&expunged, kept)
                    && octets == kept.message.octets()
                    && same(&expunged.message, &kept.message)
            });
            let kept = self.kept.remove(found.unwrap());
            let folder = &self.folders[&kept.name];
            let entries = manual(&self.store, self.store.messages(folder.id, None, usize::MAX)).unwrap();
            let back = entries.iter().find(|e| {
                e.mail_id == n
                    && !folder.messages.contains_key(&e.uid)
                    && same(e, &kept.message)
                    && manual(&self.store, read_all(&self.store, folder.id, e.uid)) == octets
            });
            let back = back.unwrap();
            let folder = self.folders.get_mut(&kept.name).unwrap();
            assert!(!folder.gone.iter().any(|(_, uid)| *uid == back.uid));
            folder.last_uid = folder.last_uid.max(back.uid.0);
            folder.messages.insert(back.uid, Message { saved_at: at, ..kept.message });
        }
    }

    fn purge(&mut self, ago: u64, limit: usize) {
        let before = Timestamp::from_millis(self.at().millis().saturating_sub(ago));
        let due = self.kept.iter().filter(|kept| kept.at < before).count();
        let count = manual(&self.store, self.store.purge_expunged(before, limit)).unwrap();
        assert_eq!(count, due.min(limit));
        let mut listed = self.list_kept();
        let mut left = Vec::new();
        // From the latest on: of two that cannot be told apart the older went.
        for kept in std::mem::take(&mut self.kept).into_iter().rev() {
            if let Some(at) =
                listed.iter().rposition(|e| is_kept(e, &kept) && same(&e.message, &kept.message))
            {
                listed.remove(at);
                left.push(kept);
            }
        }
        left.reverse();
        // The oldest went.
        self.kept = left;
    }

    fn compare(&self) {
        let infos = manual(&self.store, self.store.mailboxes(self.account.id)).unwrap();
        let names: BTreeSet<&String> = infos.iter().map(|info| &info.name).collect();
        assert_eq!(names, self.folders.keys().collect());
        let mut usage = store::Usage::default();
        for info in &infos {
            let folder = &self.folders[&info.name];
            assert_eq!((info.id, info.uid_validity.0), (folder.id, folder.uid_validity));
            assert!(info.uid_next.0 > folder.last_uid);
            let entries = manual(&self.store, self.store.messages(folder.id, None, usize::MAX)).unwrap();
            assert_eq!(
                entries.iter().map(|e| e.uid).collect::<Vec<_>>(),
                folder.messages.keys().copied().collect::<Vec<_>>(),
                "{}",
                info.name
            );
            for entry in &entries {
                self.compare_message(info, entry, &folder.messages[&entry.uid]);
            }
            let all =
                |wanted: &dyn Fn(Flags) -> bool| entries.iter().filter(|e| wanted(e.flags)).count() as u64;
            let size = |wanted: &dyn Fn(Flags) -> bool| -> u64 {
                entries.iter().filter(|e| wanted(e.flags)).map(|e| e.size_bytes).sum()
            };
            let is_deleted = |flags: Flags| flags.contains(Flags::DELETED);
            assert_eq!((info.messages, info.size_bytes), (all(&|_| true), size(&|_| true)));
            assert_eq!((info.deleted, info.deleted_bytes), (all(&is_deleted), size(&is_deleted)));
            assert_eq!(info.unseen, all(&|flags| !flags.contains(Flags::SEEN)));
            usage.messages += info.messages;
            usage.size_bytes += info.size_bytes;
            self.compare_history(info, folder);
            let annotations =
                manual(&self.store, self.store.metadata(self.account.id, Some(info.id))).unwrap();
            let found: BTreeMap<String, u8> =
                annotations.into_iter().map(|a| (a.name, a.value.unwrap()[0])).collect();
            assert_eq!(found, folder.annotations);
        }
        assert_eq!(manual(&self.store, self.store.account_usage(self.account.id)).unwrap(), usage);
        let listed = self.list_kept();
        assert_eq!(listed.len(), self.kept.len());
        for kept in &self.kept {
            assert!(listed.iter().any(|e| is_kept(e, kept)), "{kept:?} is not in {listed:?}");
        }
        let subscribed: BTreeSet<String> =
            manual(&self.store, self.store.subscriptions(self.account.id)).unwrap().into_iter().collect();
        assert_eq!(subscribed, self.subscribed);
        let report = self.store.check().unwrap();
        assert!(report.is_clean(), "{report:?}");
    }

    fn compare_message(&self, info: &store::MailboxInfo, entry: &store::MessageEntry, message: &Message) {
        assert_eq!(entry.mail_id, id(1, message.n));
        let keywords: BTreeSet<&str> = entry
            .flags
            .keywords()
            .map(|place| {
                let name = &info.keywords[place];
                *KEYWORDS.iter().find(|known| known.eq_ignore_ascii_case(name)).unwrap()
            })
            .collect();
        assert_eq!((entry.flags.0 & 31, keywords), (message.flags, message.keywords.clone()));
        assert_eq!((entry.internal_date, entry.saved_at), (message.date, message.saved_at));
        assert!(entry.modseq <= info.highest_modseq);
        let octets = manual(&self.store, read_all(&self.store, info.id, entry.uid));
        assert!(octets == message.octets());
    }

    /// What is said to have vanished is all that did, or it is said that nobody knows.
    fn compare_history(&self, info: &store::MailboxInfo, folder: &Folder) {
        for since in 0..=info.highest_modseq.0 {
            let found = manual(&self.store, self.store.vanished(info.id, ModSeq(since))).unwrap();
            let Vanished::These(found) = found else { continue };
            let found: BTreeSet<Uid> = found.into_iter().collect();
            assert!(found.iter().all(|uid| folder.gone.iter().any(|(_, gone)| gone == uid)));
            for (before, uid) in &folder.gone {
                // What went after it; of INBOX renamed it is not known when that was.
                if before.0 != u64::MAX && before.0 >= since {
                    assert!(found.contains(uid), "{uid} of {} since {since}", info.name);
                }
            }
        }
        let now = manual(&self.store, self.store.vanished(info.id, info.highest_modseq)).unwrap();
        assert_eq!(now, Vanished::These(Vec::new()));
    }
}

fn same(entry: &store::MessageEntry, message: &Message) -> bool {
    entry.flags.0 & 31 == message.flags
        && entry.internal_date == message.date
        && entry.flags.keywords().count() == message.keywords.len()
}

fn is_kept(expunged: &Expunged, kept: &Kept) -> bool {
    expunged.message.mail_id == id(1, kept.message.n)
        && expunged.message.saved_at == kept.at
        && expunged.mailbox_name == kept.name
}
