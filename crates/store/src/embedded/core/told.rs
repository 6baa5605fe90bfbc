//! What who watches an account is told of a batch.

use super::super::folder::MailboxState;
use super::super::view::{Counts, EntryState, Reader};
use super::State;
use crate::{AccountId, Change, Flagging, MailboxId, MessageEntry, ModSeq, Uid};

/// A change, of messages such that more can be added.
#[derive(Debug)]
pub(super) enum Told {
    Messages(MailboxId, Vec<MessageEntry>),
    /// One change of their flags, as it was made.
    Flagged(MailboxId, Flagging),
    Other(Change),
}

impl Told {
    /// How many messages it tells of so far.
    pub(super) const fn messages(&self) -> usize {
        match self {
            Self::Messages(_, entries) => entries.len(),
            Self::Flagged(..) | Self::Other(_) => 0,
        }
    }

    /// Takes out the messages that were added since there were so many.
    pub(super) fn truncate(&mut self, messages: usize) {
        if let Self::Messages(_, entries) = self {
            entries.truncate(messages);
        }
    }
}

impl From<Told> for Change {
    fn from(told: Told) -> Self {
        match told {
            Told::Messages(mailbox, mut entries) => {
                // Of two changes of one message the later is what it is.
                entries.sort_by_key(|entry| (entry.uid, entry.modseq));
                entries.reverse();
                entries.dedup_by_key(|entry| entry.uid);
                entries.reverse();
                Self::Messages { mailbox, entries: entries.into() }
            }
            Told::Flagged(mailbox, change) => Self::Flags { mailbox, change },
            Told::Other(change) => change,
        }
    }
}

impl State {
    /// Whether somebody watches an account of which there is something to tell. Where nobody does, it is noted: who begins to
    /// watch before the batch can be read has to be told that it missed something.
    fn is_heard(&mut self, account: AccountId) -> bool {
        let is_heard = self.watchers.has(account);
        if !is_heard && self.changed.unheard.last() != Some(&account) {
            self.changed.unheard.push(account);
        }
        is_heard
    }

    /// Tells of something, where somebody watches.
    pub(super) fn tell(&mut self, account: AccountId, change: impl FnOnce() -> Change) {
        if self.is_heard(account) {
            self.changed.told.push((account, Told::Other(change())));
        }
    }

    /// Tells of messages that are new.
    pub(super) fn tell_messages(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        messages: impl IntoIterator<Item = (Uid, EntryState)>,
    ) {
        if !self.is_heard(account) {
            return;
        }
        let entries = messages.into_iter().map(|(uid, state)| state.message(uid));
        // Many that come together are told of together.
        if let Some((_, Told::Messages(last, before))) = self.changed.told.last_mut()
            && *last == mailbox
        {
            before.extend(entries);
            return;
        }
        self.changed.told.push((account, Told::Messages(mailbox, entries.collect())));
    }

    /// Tells of messages that have other flags.
    pub(super) fn tell_flagged(&mut self, account: AccountId, mailbox: MailboxId, change: &Flagging) {
        if self.is_heard(account) {
            self.changed.told.push((account, Told::Flagged(mailbox, change.clone())));
        }
    }

    /// Tells of messages that are gone.
    pub(super) fn tell_gone(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        modseq: ModSeq,
        uids: impl Iterator<Item = Uid>,
    ) {
        self.tell(account, || Change::Gone { mailbox, modseq, uids: uids.collect() });
    }

    /// Tells of a mailbox as it is now.
    pub(super) fn tell_mailbox(&mut self, state: &MailboxState, reader: &Reader) {
        if !self.is_heard(state.account) {
            return;
        }
        let change = match reader.mailbox(state.id) {
            Ok(row) => {
                let counts = row.map_or_else(Counts::default, |row| row.counts);
                Change::Mailbox(counts.info(state).into())
            }
            Err(_) => Change::Lost,
        };
        self.tell(state.account, || change);
    }
}
