//! Mailboxes in the view: as they are, what goes from them to others, and which UIDs went.

use redb::ReadableTable as _;
use types::MailId;

use super::super::folder::{MailboxGone, MailboxState, Transferred, TransferredMessage};
use super::super::record::{Expunge, FlagsChange};
use super::apply::Apply;
use super::read::decode;
use super::{
    EntryRow, EntryState, FOLDERS, GONE, HIDDEN, LOOSE, MailRow, MailboxRow, Row as _, VANISHED, malformed,
};
use crate::{MailboxId, ModSeq, Uid};

/// Ranges of UIDs that went from a mailbox, as far as they are remembered.
const RANGES_MAX: u32 = 10_000;

impl Apply<'_> {
    /// A mailbox as it is now.
    pub(super) fn mailbox(&mut self, state: MailboxState) -> Result<(), redb::Error> {
        self.account_mailboxes.insert((state.account.0, state.id.0), ())?;
        let (account, id, is_listed) = (state.account.0, state.id, state.role.is_listed());
        let is_building = self.is_building;
        let row = self.mailbox_row(id)?;
        let before = std::mem::take(&mut row.now.name);
        let given = state.uid_validity;
        let was_listed = row.now.role.is_listed();
        let name = state.name.clone();
        row.now = MailboxState {
            uid_next: row.now.uid_next.max(state.uid_next),
            modseq: row.now.modseq.max(state.modseq),
            forgotten: row.now.forgotten.max(state.forgotten),
            ..state
        };
        // A view that was there all the time remembers what the log does not.
        if is_building {
            row.forgotten = row.forgotten.max(row.now.forgotten);
        }
        if is_listed && was_listed && name == before {
            return Ok(());
        }
        if before.is_empty() {
            // It is not given again, whatever becomes of the row.
            self.raise_validity(given)?;
        }
        let mut folders = self.txn.open_table(FOLDERS)?;
        // Another mailbox may have the name by now.
        let had_it = folders.get((account, before.as_str()))?.is_some_and(|named| named.value() == id.0);
        if had_it {
            folders.remove((account, before.as_str()))?;
        }
        let mut hidden = self.txn.open_table(HIDDEN)?;
        if is_listed {
            folders.insert((account, name.as_str()), id.0)?;
            hidden.remove(id.0)?;
        } else {
            hidden.insert(id.0, ())?;
        }
        Ok(())
    }

    /// A mailbox is gone for every reader at once; the messages in it go in steps, see [`super::purge`].
    pub(super) fn mailbox_gone(&mut self, gone: MailboxGone) -> Result<(), redb::Error> {
        self.forget_mailbox(gone.account.0, gone.mailbox)?;
        self.txn.open_table(GONE)?.insert(gone.mailbox.0, ())?;
        self.applied.mailboxes_gone = true;
        self.forget_annotations(gone.account, gone.mailbox)?;
        self.last_ids(super::super::directory::LastIds::of(crate::AccountId(0), gone.mailbox))
    }

    /// Takes a mailbox out of all tables but that of messages.
    pub(super) fn forget_mailbox(&mut self, account: u64, mailbox: MailboxId) -> Result<(), redb::Error> {
        let row = match self.mailbox_rows.remove(&mailbox) {
            Some(row) => Some(row),
            None => decode(self.mailboxes.get(mailbox.0)?)?,
        };
        self.account_mailboxes.remove((account, mailbox.0))?;
        self.mailboxes.remove(mailbox.0)?;
        self.txn.open_table(HIDDEN)?.remove(mailbox.0)?;
        let Some(row): Option<MailboxRow> = row else { return Ok(()) };
        let mut folders = self.txn.open_table(FOLDERS)?;
        let name = row.now.name.as_str();
        let had_it = folders.get((account, name))?.is_some_and(|named| named.value() == mailbox.0);
        if had_it {
            folders.remove((account, name))?;
        }
        drop(folders);
        self.forget_vanished(mailbox)
    }

    /// Sets a message of a mailbox, new or as it is now.
    pub(super) fn put_entry(
        &mut self,
        mailbox: MailboxId,
        uid: Uid,
        state: EntryState,
        header: &[u8],
    ) -> Result<(), redb::Error> {
        let row = EntryRow { state, header: header.to_vec() };
        let before = match self.entries.insert((mailbox.0, uid.0), row.encode().as_slice())? {
            Some(before) => Some(EntryState::of_row(before.value()).map_err(malformed)?),
            None => None,
        };
        let mailbox = self.mailbox_row(mailbox)?;
        mailbox.now.uid_next = mailbox.now.uid_next.max(Uid(uid.0.saturating_add(1)));
        mailbox.now.modseq = mailbox.now.modseq.max(state.modseq);
        if let Some(before) = before {
            mailbox.counts.remove(before.flags, before.size_bytes);
        }
        mailbox.counts.add(state.flags, state.size_bytes);
        Ok(())
    }

    pub(super) fn flags(&mut self, change: &FlagsChange) -> Result<(), redb::Error> {
        let mut counts = self.mailbox_row(change.mailbox)?.counts;
        let mut octets = Vec::new();
        for (uid, flags) in &change.messages {
            let Some(mut row) = self.entries.get_mut((change.mailbox.0, uid.0))? else { continue };
            let before = EntryState::of_row(row.value()).map_err(malformed)?;
            // A record that was carried forward may be older than what is known.
            if before.modseq > change.modseq {
                continue;
            }
            counts.remove(before.flags, before.size_bytes);
            counts.add(*flags, before.size_bytes);
            octets.clear();
            octets.extend_from_slice(row.value());
            let state = EntryState { flags: *flags, modseq: change.modseq, ..before };
            state.overwrite(&mut octets).map_err(malformed)?;
            row.insert(octets.as_slice())?;
        }
        self.mailbox_row(change.mailbox)?.counts = counts;
        self.raise_modseq(change.mailbox, change.modseq)
    }

    pub(super) fn expunge(&mut self, expunge: &Expunge) -> Result<(), redb::Error> {
        let mut gone = Vec::new();
        for (uid, _) in &expunge.messages {
            let removed = self.remove_entry(expunge.mailbox, *uid)?;
            if removed.is_some() || self.is_building {
                gone.push(*uid);
            }
            if let Some(state) = removed {
                self.unreference(state.mail_id, expunge.mailbox, *uid)?;
            }
        }
        self.vanished(expunge.mailbox, expunge.modseq, &gone)?;
        self.raise_modseq(expunge.mailbox, expunge.modseq)
    }

    /// Messages come into a mailbox, and may go from another.
    pub(super) fn transferred(&mut self, moved: &Transferred<'_>) -> Result<(), redb::Error> {
        let mut gone = Vec::new();
        for message in &moved.messages {
            let key = u128::from_be_bytes(message.mail_id.to_bytes());
            let source = moved.from.map(|(from, _)| (from, message.from.0));
            if let Some((from, uid)) = source {
                let removed = self.remove_entry(from, uid)?;
                if removed.is_some() || self.is_building {
                    gone.push(uid);
                }
            }
            let row: Option<MailRow> = decode(self.mails.get(key)?)?;
            // Its record was carried forward, and names what is there then.
            let Some(mut row) = row else { continue };
            row.entries.retain(|entry| Some(*entry) != source && *entry != (moved.to, message.uid));
            row.entries.push((moved.to, message.uid));
            self.mails.insert(key, row.encode().as_slice())?;
            self.put_entry(moved.to, message.uid, arrived(moved, message, &row), message.header)?;
        }
        self.raise_modseq(moved.to, moved.modseq)?;
        // Also of messages that are not known any more.
        if let Some(last) = moved.messages.iter().map(|message| message.uid).max() {
            let row = self.mailbox_row(moved.to)?;
            row.now.uid_next = row.now.uid_next.max(Uid(last.0.saturating_add(1)));
        }
        if let Some((from, modseq)) = moved.from {
            self.vanished(from, modseq, &gone)?;
            self.raise_modseq(from, modseq)?;
        }
        Ok(())
    }

    fn remove_entry(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Option<EntryState>, redb::Error> {
        let state = match self.entries.remove((mailbox.0, uid.0))? {
            Some(row) => EntryState::of_row(row.value()).map_err(malformed)?,
            None => return Ok(None),
        };
        self.mailbox_row(mailbox)?.counts.remove(state.flags, state.size_bytes);
        Ok(Some(state))
    }

    /// Takes a reference from a message, which goes with its last.
    pub(super) fn unreference(
        &mut self,
        mail_id: MailId,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<(), redb::Error> {
        let key = u128::from_be_bytes(mail_id.to_bytes());
        let row: Option<MailRow> = decode(self.mails.get(key)?)?;
        let Some(mut row) = row else { return Ok(()) };
        row.entries.retain(|entry| *entry != (mailbox, uid));
        if self.is_building && row.entries.is_empty() {
            self.txn.open_table(LOOSE)?.insert(key, ())?;
        }
        if !row.entries.is_empty() || self.is_queued(key, &row)? {
            self.mails.insert(key, row.encode().as_slice())?;
            return Ok(());
        }
        self.forget_mail(key, &row)
    }

    /// Remembers which UIDs went, ascending.
    fn vanished(&mut self, mailbox: MailboxId, modseq: ModSeq, uids: &[Uid]) -> Result<(), redb::Error> {
        let row = self.mailbox_row(mailbox)?;
        // Nobody asks what went from one that is not listed.
        if uids.is_empty() || (row.is_known() && !row.now.role.is_listed()) {
            return Ok(());
        }
        let (mut count, mut forgotten) = (row.ranges, row.forgotten);
        let mut table = self.txn.open_table(VANISHED)?;
        for (first, last) in ranges(uids) {
            let key = (mailbox.0, modseq.0, first.0);
            let before = table.get(key)?.map(|last| last.value());
            // What was carried forward may be a part of what is known.
            table.insert(key, before.map_or(last.0, |before| before.max(last.0)))?;
            count += u32::from(before.is_none());
        }
        while count > RANGES_MAX {
            let range = (mailbox.0, 0, 0)..(mailbox.0 + 1, 0, 0);
            let Some(oldest) = table.range(range)?.next().transpose()?.map(|(key, _)| key.value().1) else {
                break;
            };
            // All of one change, or nothing of it.
            let all = (mailbox.0, oldest, 0)..=(mailbox.0, oldest, u32::MAX);
            table.retain_in(all, |_, _| {
                count = count.saturating_sub(1);
                false
            })?;
            forgotten = forgotten.max(ModSeq(oldest));
        }
        drop(table);
        let row = self.mailbox_row(mailbox)?;
        (row.ranges, row.forgotten) = (count, forgotten);
        Ok(())
    }

    fn forget_vanished(&self, mailbox: MailboxId) -> Result<(), redb::Error> {
        let all = (mailbox.0, 0, 0)..(mailbox.0 + 1, 0, 0);
        Ok(self.txn.open_table(VANISHED)?.retain_in(all, |_, _| false)?)
    }

    fn raise_modseq(&mut self, mailbox: MailboxId, modseq: ModSeq) -> Result<(), redb::Error> {
        let row = self.mailbox_row(mailbox)?;
        row.now.modseq = row.now.modseq.max(modseq);
        Ok(())
    }

    pub(super) fn mailbox_row(&mut self, id: MailboxId) -> Result<&mut MailboxRow, redb::Error> {
        use std::collections::btree_map::Entry;
        Ok(match self.mailbox_rows.entry(id) {
            Entry::Occupied(row) => row.into_mut(),
            Entry::Vacant(vacant) => {
                let row: Option<MailboxRow> = decode(self.mailboxes.get(id.0)?)?;
                vacant.insert(row.unwrap_or_else(|| MailboxRow::unknown(id)))
            }
        })
    }
}

fn arrived(moved: &Transferred<'_>, message: &TransferredMessage<'_>, row: &MailRow) -> EntryState {
    EntryState {
        mail_id: message.mail_id,
        modseq: moved.modseq,
        flags: message.flags,
        internal_date: message.internal_date,
        size_bytes: message.header.len() as u64 + row.body_len,
        saved_at: moved.saved_at,
    }
}

/// What ascends, as ranges of what follows each other.
fn ranges(uids: &[Uid]) -> Vec<(Uid, Uid)> {
    let mut ranges: Vec<(Uid, Uid)> = Vec::new();
    for uid in uids {
        match ranges.last_mut() {
            Some((_, last)) if last.0 + 1 == uid.0 => *last = *uid,
            _ => ranges.push((*uid, *uid)),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_each_other_is_one_range() {
        let uids = [1, 2, 3, 7, 9, 10].map(Uid);
        assert_eq!(ranges(&uids), [(1, 3), (7, 7), (9, 10)].map(|(a, b)| (Uid(a), Uid(b))));
        assert_eq!(ranges(&[]), []);
    }
}
