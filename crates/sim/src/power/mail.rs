//! What a store has promised about messages.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use store::{Delivered, Flags, MailboxId, Uid};
use types::MailId;

use crate::random::Random;

/// What the store has said, and what was asked without an answer.
#[derive(Debug, Default)]
pub(super) struct Promises {
    /// Those of accounts that are there.
    pub(super) mailboxes: BTreeSet<MailboxId>,
    /// Those of accounts that are not there any more.
    pub(super) gone: BTreeSet<MailboxId>,
    pub(super) mails: BTreeMap<MailId, Mail>,
    /// What is certain about the messages of each mailbox.
    pub(super) entries: BTreeMap<(MailboxId, Uid), Entry>,
    pub(super) last_uid: BTreeMap<MailboxId, Uid>,
    /// Expunges without an answer; each is done for all of its messages or for none.
    pub(super) open_expunges: Vec<(MailboxId, Vec<Uid>)>,
}

#[derive(Debug)]
pub(super) struct Mail {
    pub(super) body: Bytes,
    pub(super) mailboxes: Vec<MailboxId>,
    /// Whether it goes to other hosts, too.
    pub(super) is_queued: bool,
    pub(super) state: MailState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MailState {
    /// No answer: all of its deliveries are there, or none.
    Unanswered,
    Accepted,
}

#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) mail_id: MailId,
    /// Any of these; more than one after a change without an answer.
    pub(super) flags: BTreeSet<u64>,
}

pub(super) type Found = BTreeMap<(MailboxId, Uid), (store::MessageEntry, Vec<u8>)>;

impl Promises {
    pub(super) fn any_entry(&self, random: &mut Random) -> Option<(MailboxId, Uid)> {
        let n = self.entries.len() as u64;
        if n == 0 {
            return None;
        }
        self.entries.keys().nth(usize::try_from(random.below(n)).ok()?).copied()
    }

    pub(super) fn any_entry_of(&self, mailbox: MailboxId, random: &mut Random) -> Option<Uid> {
        self.any_entry(random).filter(|(other, _)| *other == mailbox).map(|(_, uid)| uid)
    }

    /// A message was accepted.
    pub(super) fn accepted(&mut self, mail_id: MailId, delivered: Vec<Delivered>) -> Result<(), String> {
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
        Ok(())
    }

    /// A message was refused, or was there before under another id: it must never be seen.
    pub(super) fn not_stored(&mut self, mail_id: MailId) {
        self.mails.remove(&mail_id);
    }

    pub(super) fn flagged(&mut self, mailbox: MailboxId, uid: Uid, add: Flags, is_certain: bool) {
        let Some(entry) = self.entries.get_mut(&(mailbox, uid)) else { return };
        let with: BTreeSet<u64> = entry.flags.iter().map(|flags| flags | add.0).collect();
        if is_certain {
            entry.flags = with;
        } else {
            entry.flags.extend(with);
        }
    }

    pub(super) fn expunged(
        &mut self,
        mailbox: MailboxId,
        uids: &[Uid],
        gone: Option<&[Uid]>,
    ) -> Result<(), String> {
        let Some(gone) = gone else {
            self.open_expunges.push((mailbox, uids.to_vec()));
            return Ok(());
        };
        if gone.iter().collect::<BTreeSet<_>>() != uids.iter().collect() {
            return Err(format!("mailbox {mailbox}: of {uids:?} only {gone:?} were expunged"));
        }
        for uid in uids {
            self.entries.remove(&(mailbox, *uid));
        }
        Ok(())
    }

    /// A mailbox went with its account, and what was in it.
    pub(super) fn mailbox_gone(&mut self, mailbox: MailboxId) {
        self.mailboxes.remove(&mailbox);
        self.gone.insert(mailbox);
        self.entries.retain(|(of, _), _| *of != mailbox);
        self.open_expunges.retain(|(of, _)| *of != mailbox);
    }

    /// Compares with what is there, and takes it over as certain. `queued` are messages that are in the queue.
    pub(super) fn compare(&mut self, found: Found, queued: &BTreeSet<MailId>) -> Result<(), String> {
        let mut copies: BTreeMap<MailId, BTreeSet<MailboxId>> = BTreeMap::new();
        for ((mailbox, uid), (entry, octets)) in &found {
            let mail = self.mails.get(&entry.mail_id);
            let mail = mail.ok_or_else(|| format!("nobody sent {}", entry.mail_id))?;
            let mut expected = super::header(*mailbox).to_vec();
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
        self.take_over(found, queued);
        Ok(())
    }

    fn compare_unanswered(&self, copies: &BTreeMap<MailId, BTreeSet<MailboxId>>) -> Result<(), String> {
        for (mail_id, there) in copies {
            let Some(mail) = self.mails.get(mail_id) else { continue };
            let expected = mail.mailboxes.iter().filter(|mailbox| !self.gone.contains(mailbox)).count();
            if mail.state == MailState::Unanswered && there.len() != expected {
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

    fn take_over(&mut self, found: Found, queued: &BTreeSet<MailId>) {
        for ((mailbox, uid), (entry, _)) in found {
            let last = self.last_uid.entry(mailbox).or_insert(uid);
            *last = uid.max(*last);
            let flags = BTreeSet::from([entry.flags.0]);
            self.entries.insert((mailbox, uid), Entry { mail_id: entry.mail_id, flags });
            if let Some(mail) = self.mails.get_mut(&entry.mail_id) {
                mail.state = MailState::Accepted;
            }
        }
        for mail_id in queued {
            if let Some(mail) = self.mails.get_mut(mail_id) {
                mail.state = MailState::Accepted;
            }
        }
        // What is not there now must not come later.
        let there: BTreeSet<MailId> = self.entries.values().map(|entry| entry.mail_id).collect();
        self.mails.retain(|mail_id, mail| mail.state == MailState::Accepted || there.contains(mail_id));
    }
}
