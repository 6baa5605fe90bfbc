//! The mailboxes of an account as they should be.

use std::collections::BTreeMap;

use store::{MailboxId, Uid};
use types::MailId;

/// All mailboxes, and what was expunged and can be restored.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) folders: Vec<Folder>,
    pub(super) kept: Vec<Kept>,
}

#[derive(Debug, Clone)]
pub(super) struct Folder {
    /// None where it is so new that nobody has listed it.
    pub(super) id: Option<MailboxId>,
    pub(super) name: String,
    pub(super) messages: Vec<Held>,
}

/// A message in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) mail_id: MailId,
    pub(super) flags: u64,
    /// None where nobody has listed it yet.
    pub(super) uid: Option<Uid>,
}

/// A message that was expunged.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    /// Where it is kept; none where nobody has listed it yet.
    pub(super) place: Option<(MailboxId, Uid)>,
    /// From which mailbox, and by what name it comes back.
    pub(super) of: Option<MailboxId>,
    pub(super) name: String,
    pub(super) at: u64,
    pub(super) held: Held,
}

/// What is asked for.
#[derive(Debug, Clone)]
pub(super) enum Op {
    Accept(Vec<MailboxId>, MailId),
    Append(MailboxId, Vec<MailId>, Option<(MailboxId, Uid)>),
    Flags(MailboxId, Vec<Uid>, u64),
    Transfer { from: MailboxId, uids: Vec<Uid>, to: MailboxId, is_move: bool },
    Expunge(MailboxId, Vec<Uid>),
    Create(String),
    Rename(String, String),
    Delete(MailboxId, String),
    Restore(Vec<(MailboxId, Uid)>),
    Purge,
}

/// What can be told apart from outside: messages by mailbox, and what can be restored, each in order.
pub(super) type Digest = (BTreeMap<String, Vec<(MailId, u64)>>, Vec<(u64, String, MailId, u64)>);

impl Model {
    pub(super) fn digest(&self) -> Digest {
        let folders = self.folders.iter().map(|folder| {
            let mut messages: Vec<_> =
                folder.messages.iter().map(|held| (held.mail_id, held.flags)).collect();
            messages.sort_unstable();
            (folder.name.clone(), messages)
        });
        let mut kept: Vec<_> = self
            .kept
            .iter()
            .map(|kept| (kept.at, kept.name.clone(), kept.held.mail_id, kept.held.flags))
            .collect();
        kept.sort_unstable();
        (folders.collect(), kept)
    }

    /// From another that looks the same: from which mailboxes messages were expunged, which is not listed.
    pub(super) fn takes_origins_of(&mut self, mut other: Self) {
        for kept in &mut self.kept {
            let is_same = |known: &Kept| {
                (known.at, &known.name, known.held.mail_id, known.held.flags)
                    == (kept.at, &kept.name, kept.held.mail_id, kept.held.flags)
            };
            if let Some(at) = other.kept.iter().position(is_same) {
                kept.of = other.kept.swap_remove(at).of;
            }
        }
    }

    pub(super) fn by_id(&self, id: MailboxId) -> Option<usize> {
        self.folders.iter().position(|folder| folder.id == Some(id))
    }

    fn by_name(&self, name: &str) -> Option<usize> {
        self.folders.iter().position(|folder| folder.name == name)
    }

    /// Does what the store should do; false where it should refuse.
    pub(super) fn apply(&mut self, op: &Op, at: u64) -> bool {
        match op {
            Op::Accept(to, mail_id) => {
                let Some(to) = to.iter().map(|id| self.by_id(*id)).collect::<Option<Vec<_>>>() else {
                    return false;
                };
                to.into_iter().for_each(|place| self.arrives(place, *mail_id, 0));
            }
            Op::Append(to, mails, replaced) => {
                let Some(to) = self.by_id(*to) else { return false };
                if let Some((of, uid)) = replaced {
                    let Some(of) = self.by_id(*of) else { return false };
                    if !self.folders[of].messages.iter().any(|held| held.uid == Some(*uid)) {
                        return false;
                    }
                    self.expunge(of, &[*uid], at);
                }
                mails.iter().for_each(|mail_id| self.arrives(to, *mail_id, 0));
            }
            Op::Flags(of, uids, add) => {
                let Some(of) = self.by_id(*of) else { return false };
                for held in &mut self.folders[of].messages {
                    if held.uid.is_some_and(|uid| uids.contains(&uid)) {
                        held.flags |= add;
                    }
                }
            }
            Op::Transfer { from, uids, to, is_move } => {
                let (Some(from), Some(to)) = (self.by_id(*from), self.by_id(*to)) else { return false };
                let chosen = if *is_move {
                    self.take(from, uids)
                } else {
                    let wanted = |held: &&Held| held.uid.is_some_and(|uid| uids.contains(&uid));
                    self.folders[from].messages.iter().filter(wanted).copied().collect()
                };
                chosen.iter().for_each(|held| self.arrives(to, held.mail_id, held.flags));
            }
            Op::Expunge(of, uids) => {
                let Some(of) = self.by_id(*of) else { return false };
                self.expunge(of, uids, at);
            }
            Op::Create(name) => {
                if self.by_name(name).is_some() {
                    return false;
                }
                self.make(name);
            }
            Op::Rename(from, to) => return self.rename(from, to),
            Op::Delete(id, name) => {
                let is_meant = |place: &usize| name != "INBOX" && self.folders[*place].name == *name;
                let Some(place) = self.by_id(*id).filter(is_meant) else { return false };
                let Folder { id, name, messages } = self.folders.remove(place);
                let gone = messages.into_iter();
                self.kept.extend(gone.map(|held| Kept { place: None, of: id, name: name.clone(), at, held }));
            }
            Op::Restore(places) => {
                let (back, left): (Vec<Kept>, Vec<Kept>) = std::mem::take(&mut self.kept)
                    .into_iter()
                    .partition(|kept| kept.place.is_some_and(|place| places.contains(&place)));
                self.kept = left;
                for kept in back {
                    let place =
                        kept.of.and_then(|of| self.by_id(of)).unwrap_or_else(|| self.named(&kept.name));
                    self.arrives(place, kept.held.mail_id, kept.held.flags);
                }
            }
            Op::Purge => self.kept.clear(),
        }
        true
    }

    fn arrives(&mut self, place: usize, mail_id: MailId, flags: u64) {
        self.folders[place].messages.push(Held { mail_id, flags, uid: None });
    }

    fn take(&mut self, place: usize, uids: &[Uid]) -> Vec<Held> {
        let messages = std::mem::take(&mut self.folders[place].messages);
        let (taken, left) =
            messages.into_iter().partition(|held| held.uid.is_some_and(|uid| uids.contains(&uid)));
        self.folders[place].messages = left;
        taken
    }

    fn expunge(&mut self, place: usize, uids: &[Uid], at: u64) {
        let gone = self.take(place, uids);
        let Folder { id, name, .. } = self.folders[place].clone();
        self.kept.extend(gone.into_iter().map(|held| Kept {
            place: None,
            of: id,
            name: name.clone(),
            at,
            held,
        }));
    }

    /// Makes a mailbox and those above it.
    fn make(&mut self, name: &str) {
        let above: Vec<&str> = name.match_indices('/').map(|(at, _)| &name[..at]).collect();
        for name in above.into_iter().chain([name]) {
            if self.by_name(name).is_none() {
                self.folders.push(Folder { id: None, name: name.to_owned(), messages: Vec::new() });
            }
        }
    }

    /// One that is there needs none above it: they may have been deleted.
    fn named(&mut self, name: &str) -> usize {
        if self.by_name(name).is_none() {
            self.make(name);
        }
        self.by_name(name).unwrap_or(0)
    }

    fn rename(&mut self, from: &str, to: &str) -> bool {
        let below = format!("{from}/");
        let Some(source) = self.by_name(from) else { return false };
        if from == to || to.starts_with(&below) || self.by_name(to).is_some() {
            return false;
        }
        if from == "INBOX" {
            let messages = std::mem::take(&mut self.folders[source].messages);
            let place = self.named(to);
            messages.iter().for_each(|held| self.arrives(place, held.mail_id, held.flags));
            return true;
        }
        let renamed = |name: &str| format!("{to}{}", &name[from.len()..]);
        let moving = |name: &str| name == from || name.starts_with(&below);
        let is_taken =
            |folder: &Folder| moving(&folder.name) && self.by_name(&renamed(&folder.name)).is_some();
        if self.folders.iter().any(is_taken) {
            return false;
        }
        for folder in &mut self.folders {
            if moving(&folder.name) {
                folder.name = renamed(&folder.name);
                for kept in self.kept.iter_mut().filter(|kept| kept.of.is_some() && kept.of == folder.id) {
                    kept.name.clone_from(&folder.name);
                }
            }
        }
        let above: Vec<&str> = to.match_indices('/').map(|(at, _)| &to[..at]).collect();
        above.into_iter().for_each(|name| self.make(name));
        true
    }
}
