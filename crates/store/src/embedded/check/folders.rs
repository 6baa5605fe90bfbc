//! What must agree of mailboxes.

use std::collections::{HashMap, HashSet};

use super::super::folder::Role;
use super::super::view::MailboxRow;
use super::{Check, Tally};
use crate::{AccountId, MailboxId, StoreError};

/// One mailbox against the messages that are in it.
pub(super) fn mailbox(id: MailboxId, row: &MailboxRow, tally: &Tally, errors: &mut Vec<String>) {
    if !row.is_known() {
        errors.push(format!("mailbox {id} has messages, but nothing says whose it is"));
    }
    if row.counts != tally.counts {
        errors.push(format!("mailbox {id} counts {:?}, and there are {:?}", row.counts, tally.counts));
    }
    if tally.last_uid.is_some_and(|last| row.now.uid_next <= last) {
        errors.push(format!("mailbox {id} would give UID {} again", row.now.uid_next));
    }
    if tally.last_modseq.is_some_and(|last| row.now.modseq < last) {
        errors.push(format!("mailbox {id} would give modification sequence {} again", row.now.modseq));
    }
    let without_name = tally.keywords.keywords().any(|place| place >= row.now.keywords.len());
    if without_name {
        errors.push(format!("mailbox {id} has messages with keywords that have no name"));
    }
}

impl Check<'_> {
    /// Names of mailboxes, and those that have none.
    pub(super) fn names(&mut self) -> Result<(), StoreError> {
        let mut errors = Vec::new();
        let mut listed: HashMap<AccountId, HashSet<(String, MailboxId)>> = HashMap::new();
        let mut unlisted = HashSet::new();
        let mut bins = Vec::new();
        self.reader.each_mailbox(|id, row| {
            if row.now.role.is_listed() {
                listed.entry(row.now.account).or_default().insert((row.now.name.clone(), id));
                bins.extend(row.now.bin.map(|bin| (id, bin)));
            } else {
                unlisted.insert(id);
            }
        })?;
        for (account, expected) in &listed {
            let found: HashSet<_> = self.reader.folders(*account)?.into_iter().collect();
            if found != *expected {
                errors.push(format!("the mailboxes of account {account} are not found by their names"));
            }
        }
        if self.reader.hidden()?.into_iter().collect::<HashSet<_>>() != unlisted {
            errors.push("not all mailboxes that are not listed are found".to_owned());
        }
        for (id, bin) in bins {
            let row = self.reader.mailbox(bin)?;
            if row.is_none_or(|row| row.now.role != Role::BinOf(id)) {
                errors.push(format!("what is expunged from mailbox {id} is kept nowhere"));
            }
        }
        self.ranges(&mut errors)?;
        errors.into_iter().for_each(|text| self.report.error(text));
        Ok(())
    }

    /// What vanished from mailboxes.
    fn ranges(&self, errors: &mut Vec<String>) -> Result<(), StoreError> {
        let mut counted: HashMap<MailboxId, u32> = HashMap::new();
        self.reader.each_vanished(|mailbox| *counted.entry(mailbox).or_default() += 1)?;
        self.reader.each_mailbox(|id, row| {
            let found = counted.remove(&id).unwrap_or(0);
            if row.ranges != found {
                errors.push(format!("mailbox {id} counts {} ranges of UIDs, and has {found}", row.ranges));
            }
        })?;
        if !counted.is_empty() {
            errors.push("something vanished from mailboxes that are not there".to_owned());
        }
        Ok(())
    }
}
