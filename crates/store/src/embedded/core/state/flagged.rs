//! Flags that one transaction changed of many messages: kept as the list that is told to who watches, and not message by
//! message, until the view has them.

use std::sync::Arc;

use super::super::super::record::Lsn;
use super::super::super::view::EntryState;
use super::{At, Known, State, Undo};
use crate::{MailboxId, MessageEntry, Uid};

/// Messages of one mailbox with their new flags.
#[derive(Debug)]
pub(super) struct Flagged {
    mailbox: MailboxId,
    /// Of the first record.
    lsn: Lsn,
    /// Ascending.
    entries: Arc<[MessageEntry]>,
}

/// Fewer messages are kept one by one.
const MESSAGES_MIN: usize = 4;
/// So many lists are kept at most: a message is looked for in each.
const LISTS_MAX: usize = 16;

impl Flagged {
    fn find(&self, mailbox: MailboxId, uid: Uid) -> Option<EntryState> {
        if self.mailbox != mailbox {
            return None;
        }
        let at = self.entries.binary_search_by_key(&uid, |entry| entry.uid).ok()?;
        Some(EntryState::of_message(&self.entries[at]))
    }
}

impl State {
    /// Sets the flags of messages that were there before, ascending by UID.
    pub(in super::super) fn set_flagged(
        &mut self,
        mailbox: MailboxId,
        lsn: Lsn,
        entries: &Arc<[MessageEntry]>,
    ) {
        if entries.len() < MESSAGES_MIN || self.flagged.len() >= LISTS_MAX {
            for entry in entries.iter() {
                self.change_entry(mailbox, entry.uid, lsn, EntryState::of_message(entry));
            }
            return;
        }
        self.flagged.push_back(Flagged { mailbox, lsn, entries: Arc::clone(entries) });
        self.undo.push(Undo::Flagged);
    }

    /// A message as it is, where the view may not have it so yet; within, `None` where it is gone.
    pub(super) fn unapplied_entry(&self, mailbox: MailboxId, uid: Uid) -> Option<Option<EntryState>> {
        let alone: Option<&At<Option<Known>>> =
            if self.entries.is_empty() { None } else { self.entries.get(&(mailbox, uid)) };
        let found = |list: &Flagged| Some((list.lsn, list.find(mailbox, uid)?));
        let of_many = self.flagged.iter().rev().find_map(found);
        match (alone, of_many) {
            (Some((lsn, known)), Some((later, _))) if *lsn >= later => {
                Some(known.as_ref().map(|known| known.state))
            }
            (_, Some((_, state))) => Some(Some(state)),
            (Some((_, known)), None) => Some(known.as_ref().map(|known| known.state)),
            (None, None) => None,
        }
    }
}
