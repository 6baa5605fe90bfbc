//! Mailboxes and the messages in them, as the committer knows them.

use std::collections::{BTreeMap, HashMap};

use bytes::Bytes;
use types::MailId;

use super::super::super::folder::MailboxState;
use super::super::super::record::Lsn;
use super::super::super::view::{EntryState, MailboxRow, Reader};
use super::{CachedMailbox, FolderKey, Known, MessageKey, State, Undo};
use crate::{AccountId, MailboxId, StoreError, Uid};

impl State {
    /// The mailbox, to be changed by the record at `lsn`.
    pub(in super::super) fn mailbox(
        &mut self,
        id: MailboxId,
        lsn: Lsn,
        reader: &Reader,
    ) -> Result<&mut MailboxState, StoreError> {
        use std::collections::hash_map::Entry;
        if self.gone.contains(&id) {
            return Err(StoreError::NoSuchMailbox);
        }
        let cached = match self.mailboxes.entry(id) {
            Entry::Occupied(cached) => cached.into_mut(),
            Entry::Vacant(vacant) => {
                let row = reader.mailbox(id)?.filter(MailboxRow::is_known);
                let row = row.ok_or(StoreError::NoSuchMailbox)?;
                vacant.insert(CachedMailbox { state: row.now, changed: Lsn(0) })
            }
        };
        cached.changed = lsn;
        self.changed.mailboxes.insert(id);
        Ok(&mut cached.state)
    }

    /// The mailbox, where it is listed.
    pub(in super::super) fn listed(
        &mut self,
        id: MailboxId,
        lsn: Lsn,
        reader: &Reader,
    ) -> Result<&mut MailboxState, StoreError> {
        let state = self.mailbox(id, lsn, reader)?;
        if state.role.is_listed() { Ok(state) } else { Err(StoreError::NoSuchMailbox) }
    }

    /// A mailbox that was looked at before in this batch.
    pub(in super::super) fn known_mailbox(&self, id: MailboxId) -> Option<&MailboxState> {
        self.mailboxes.get(&id).map(|cached| &cached.state)
    }

    /// Sets a mailbox with more than its numbers.
    pub(in super::super) fn set_mailbox(&mut self, state: MailboxState, lsn: Lsn) {
        self.changed.mailboxes.insert(state.id);
        self.changed.folders = true;
        let id = state.id;
        let before = self.mailboxes.insert(id, CachedMailbox { state, changed: lsn });
        self.undo.push(Undo::Mailbox(id, before.map(Box::new)));
    }

    /// The mailbox of a name.
    pub(in super::super) fn folder(
        &self,
        account: AccountId,
        name: &str,
        reader: &Reader,
    ) -> Result<Option<MailboxId>, StoreError> {
        if let Some((_, id)) = self.folders.get(&(account, name.into())) {
            return Ok(*id);
        }
        reader.folder(account, name)
    }

    pub(in super::super) fn set_folder(
        &mut self,
        account: AccountId,
        name: &str,
        lsn: Lsn,
        id: Option<MailboxId>,
    ) {
        let key: FolderKey = (account, name.into());
        let before = self.folders.insert(key.clone(), (lsn, id));
        self.undo.push(Undo::Folder(key, before));
    }

    /// All mailboxes of an account that are listed, by name.
    pub(in super::super) fn folders(
        &self,
        account: AccountId,
        reader: &Reader,
    ) -> Result<BTreeMap<String, MailboxId>, StoreError> {
        let mut folders: BTreeMap<String, MailboxId> = reader.folders(account)?.into_iter().collect();
        for ((_, name), (_, id)) in self.folders.iter().filter(|((of, _), _)| *of == account) {
            match id {
                Some(id) => drop(folders.insert(name.to_string(), *id)),
                None => drop(folders.remove(&**name)),
            }
        }
        Ok(folders)
    }

    /// How many mailboxes of an account are listed.
    pub(in super::super) fn folder_count(
        &self,
        account: AccountId,
        reader: &Reader,
    ) -> Result<usize, StoreError> {
        let (mut there, mut gone) = (reader.folder_count(account)?, 0);
        for ((_, name), (_, id)) in self.folders.iter().filter(|((of, _), _)| *of == account) {
            match (reader.folder(account, name)?, id) {
                (None, Some(_)) => there += 1,
                (Some(_), None) => gone += 1,
                _ => {}
            }
        }
        Ok(there - gone)
    }

    /// All mailboxes of an account, listed or not.
    pub(in super::super) fn all_mailboxes(
        &self,
        account: AccountId,
        reader: &Reader,
    ) -> Result<Vec<MailboxId>, StoreError> {
        let mut ids = reader.account_mailboxes(account)?;
        // Those that the view does not have yet.
        ids.extend(self.mailboxes.values().filter(|m| m.state.account == account).map(|m| m.state.id));
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| !self.gone.contains(id));
        Ok(ids)
    }

    pub(in super::super) fn entry(
        &self,
        mailbox: MailboxId,
        uid: Uid,
        reader: &Reader,
    ) -> Result<Option<EntryState>, StoreError> {
        let state = match self.entries.get(&(mailbox, uid)) {
            Some((_, known)) => known.as_ref().map(|known| known.state),
            None => reader.entry_state(mailbox, uid)?,
        };
        Ok(state.map(|state| self.flagged_since(mailbox, uid, state)))
    }

    /// Calls `visit` for those of some messages, ascending by UID, that are there.
    pub(in super::super) fn each_entry_of(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        reader: &Reader,
        mut visit: impl FnMut(Uid, EntryState),
    ) -> Result<(), StoreError> {
        reader.each_entry_of(mailbox, uids, |uid, in_view| {
            let state = match self.entries.get(&(mailbox, uid)) {
                Some((_, known)) => known.as_ref().map(|known| known.state),
                None => in_view,
            };
            if let Some(state) = state {
                visit(uid, self.flagged_since(mailbox, uid, state));
            }
        })
    }

    /// A message as it is, with its header fields.
    pub(in super::super) fn entry_with_header(
        &self,
        mailbox: MailboxId,
        uid: Uid,
        reader: &Reader,
    ) -> Result<Option<(EntryState, Bytes)>, StoreError> {
        let (state, header) = match self.entries.get(&(mailbox, uid)) {
            Some((_, None)) => return Ok(None),
            Some((_, Some(known))) => (known.state, known.header.clone()),
            None => match reader.entry(mailbox, uid)? {
                Some(row) => (row.state, row.header.into()),
                None => return Ok(None),
            },
        };
        Ok(Some((self.flagged_since(mailbox, uid, state), header)))
    }

    pub(in super::super) fn set_entry(
        &mut self,
        mailbox: MailboxId,
        uid: Uid,
        lsn: Lsn,
        entry: Option<Known>,
    ) {
        let before = self.entries.insert((mailbox, uid), (lsn, entry));
        self.undo.push(Undo::Entry((mailbox, uid), before));
    }

    /// UIDs of messages in a mailbox of which the view may not know yet.
    pub(in super::super) fn unapplied_uids(&self, mailbox: MailboxId) -> Vec<Uid> {
        let there = self.entries.iter().filter(|((of, _), (_, known))| *of == mailbox && known.is_some());
        there.map(|((_, uid), _)| *uid).collect()
    }

    /// Messages in mailboxes of which the view may not know yet, by message.
    pub(in super::super) fn unapplied_entries(&self) -> HashMap<MailId, Vec<MessageKey>> {
        let mut entries: HashMap<MailId, Vec<MessageKey>> = HashMap::new();
        for (key, (_, known)) in &self.entries {
            if let Some(known) = known {
                entries.entry(known.state.mail_id).or_default().push(*key);
            }
        }
        entries
    }
}
