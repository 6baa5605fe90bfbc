//! Writing again what stands in a segment that is given up: the committer's part of [`super::super::reclaim`].

use types::{MailId, Timestamp};

use super::super::directory::{KeyAlone, KeyUse, LastIds};
use super::super::folder::{MailboxState, Transferred, TransferredMessage};
use super::super::log::Batch;
use super::super::queue::{self, ItemNow, QueuedPart};
use super::super::record::{Entry, Expunge, FlagsChange, Kind, Lsn, Message};
use super::super::segments::Segments;
use super::super::view::Reader;
use super::directory::log_gone;
use super::queue::Queued;
use super::transact::{Done, FLAGGED_BYTES};
use super::{Carry, CarryPart, Outcome, State};
use crate::{AccountId, MailboxId, QueueItemId, StoreError, Uid};

impl CarryPart {
    fn with<'a>(&'a self, queued: &'a Queued) -> QueuedPart<'a> {
        let (due, state) = match &queued.changed {
            Some((due, state)) => (*due, &state[..]),
            None => (self.due, &self.state[..]),
        };
        QueuedPart {
            part: self.part,
            reverse_path: &self.reverse_path,
            header: &self.header,
            priority: self.priority,
            now: ItemNow { revision: queued.revision, due, destination: &queued.destination, state },
        }
    }
}

impl State {
    /// Writes again, as it is now, what stands in a segment that is given up.
    pub(super) fn carry(
        &mut self,
        items: Vec<Carry>,
        reader: &Reader,
        segments: &Segments,
        batch: &mut Batch,
    ) -> Done {
        // A message's record names all mailboxes that have it, also those that the view does not know of yet.
        let unapplied = self.unapplied_entries();
        let mut is_last_ids_due = false;
        for item in items {
            match item {
                Carry::Mail { mail_id, .. } => {
                    let more = unapplied.get(&mail_id).map_or(&[][..], Vec::as_slice);
                    self.carry_mail(item, more, reader, segments, batch)?;
                }
                Carry::Flags(change) => self.carry_flags(&change, reader, batch)?,
                Carry::Tombstones { mailbox, modseq, messages } => {
                    match self.mailbox(mailbox, batch.end(), reader) {
                        // That the whole mailbox is gone says it, too.
                        Err(StoreError::NoSuchMailbox) => continue,
                        mailbox => drop(mailbox?),
                    }
                    let expunge = Expunge { mailbox, modseq, messages };
                    batch.push(Kind::Expunge, Vec::new(), |out| expunge.encode(out));
                }
                Carry::Transferred { mailbox, uid, mail_id, from } => {
                    self.carry_transferred((mailbox, uid), mail_id, from, reader, batch)?;
                }
                Carry::Account(id) => {
                    let Some(account) = self.account(id, reader)? else { continue };
                    self.log_account(account, batch);
                }
                Carry::Mailbox { id, forgotten } => {
                    let state = match self.mailbox(id, batch.end(), reader) {
                        Err(StoreError::NoSuchMailbox) => {
                            // Its UIDVALIDITY goes with the segment, and is not given again.
                            is_last_ids_due = true;
                            continue;
                        }
                        mailbox => mailbox?.clone(),
                    };
                    let forgotten = forgotten.max(state.forgotten);
                    self.log_mailbox(MailboxState { forgotten, ..state }, batch);
                }
                Carry::MailboxGone(gone) => {
                    batch.push(Kind::MailboxGone, Vec::new(), |out| gone.encode(out));
                }
                Carry::Entry { key, since } => {
                    let value = self.directory(&key, reader)?;
                    // Still there, or still gone: otherwise a later record says what it is.
                    if value.is_none() == since.is_some() {
                        self.log_entry(key, value, since.unwrap_or(Lsn(0)), batch);
                    }
                }
                Carry::AccountGone(gone) => log_gone(&gone, batch),
                Carry::LastIds => is_last_ids_due = true,
                Carry::Key { account, key, mail_id } => {
                    self.carry_key(account, &key, mail_id, reader, batch)?;
                }
                Carry::Queue { id, from, meta } => self.carry_queued(id, from, &meta, reader, batch)?,
            }
        }
        if is_last_ids_due {
            let ids = LastIds {
                account: AccountId(self.next_account - 1),
                mailbox: MailboxId(self.next_mailbox - 1),
                uid_validity: self.last_validity,
            };
            batch.push(Kind::LastIds, Vec::new(), |out| ids.encode(out));
        }
        Ok(Outcome::Done)
    }

    /// Writes again which flags messages have, in one record as they came.
    fn carry_flags(
        &self,
        change: &FlagsChange,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let FlagsChange { mailbox, modseq, .. } = *change;
        // Of a mailbox that is gone the view may have messages for a while.
        if self.is_gone(mailbox, reader)? {
            return Ok(());
        }
        let mut messages = Vec::with_capacity(change.messages.len());
        self.each_entry_of(mailbox, &change.uids(), reader, |uid, entry| {
            // A later change, or the message moved since: then the log has it elsewhere.
            if entry.modseq == modseq {
                messages.push((uid, entry.flags));
            }
        })?;
        if !messages.is_empty() {
            batch.hold(messages.len() * FLAGGED_BYTES);
            let change = FlagsChange { mailbox, modseq, messages };
            batch.push(Kind::Flags, Vec::new(), |out| change.encode(out));
        }
        Ok(())
    }

    /// Writes again that a message came from another mailbox, where no later record of the message names it there.
    fn carry_transferred(
        &mut self,
        (mailbox, uid): (MailboxId, Uid),
        mail_id: MailId,
        from: Lsn,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        if self.is_gone(mailbox, reader)? || self.unapplied_mail(mail_id).is_some_and(|lsn| lsn > from) {
            return Ok(());
        }
        let Some((state, header)) = self.entry_with_header(mailbox, uid, reader)? else { return Ok(()) };
        let message = TransferredMessage {
            mail_id,
            from: (Uid(0), Lsn(0)),
            uid,
            flags: state.flags,
            internal_date: state.internal_date,
            header: &header,
        };
        let record = Transferred {
            from: None,
            to: mailbox,
            modseq: state.modseq,
            saved_at: state.saved_at,
            messages: vec![message],
        };
        batch.push(Kind::Transfer, Vec::new(), |out| record.encode(out));
        Ok(())
    }

    fn carry_mail(
        &mut self,
        item: Carry,
        more: &[(MailboxId, Uid)],
        reader: &Reader,
        segments: &Segments,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let Carry::Mail { mail_id, from, received_at, place, body_len, body_crc, envelope, key, queue, body } =
            item
        else {
            return Ok(());
        };
        let row = reader.mail(mail_id)?.filter(|row| row.lsn == from);
        let row = row.filter(|_| self.unapplied_mail(mail_id).is_none());
        let mut places: Vec<_> = row.iter().flat_map(|row| &row.entries).copied().collect();
        if row.is_some() {
            places.extend(more.iter().filter(|place| !places.contains(place)).copied().collect::<Vec<_>>());
        }
        let mut headers = Vec::new();
        for (mailbox, uid) in places {
            if self.is_gone(mailbox, reader)? {
                continue;
            }
            let Some((state, header)) = self.entry_with_header(mailbox, uid, reader)? else { continue };
            headers.push((mailbox, uid, state, header));
        }
        let queue =
            if row.is_some() { self.parts_now(mail_id, queue, reader, segments)? } else { Vec::new() };
        if headers.is_empty() && queue.is_empty() {
            // It went meanwhile, but its key may have to be known on.
            if let Some((account, key)) = key {
                self.carry_key(account, &key, mail_id, reader, batch)?;
            }
            return Ok(());
        }
        let expires_at = match &key {
            Some((account, key)) => self.key_in_use(*account, key, mail_id, reader)?,
            None => None,
        };
        let key = key.as_ref().zip(expires_at);
        let key = key.map(|((account, key), expires_at)| KeyUse { account: *account, key, expires_at });
        let entries = headers.iter().map(|(mailbox, uid, state, header)| Entry {
            mailbox: *mailbox,
            uid: *uid,
            modseq: state.modseq,
            flags: state.flags,
            internal_date: state.internal_date,
            saved_at: state.saved_at,
            header,
        });
        let entries = entries.collect();
        let message = Message {
            mail_id,
            received_at,
            place,
            body_len,
            body_crc,
            entries,
            envelope: &envelope,
            key,
            queue: queue.iter().map(|(part, queued)| part.with(queued)).collect(),
            is_carried: true,
        };
        let lsn = batch.push(Kind::Message, vec![body], |out| message.encode(out));
        self.set_mail(mail_id, lsn);
        for (part, queued) in queue {
            self.set_queued(QueueItemId { mail_id, part: part.part }, lsn, Some(queued));
        }
        Ok(())
    }

    /// The items of a message that are there yet, as they are now.
    fn parts_now(
        &self,
        mail_id: MailId,
        parts: Vec<CarryPart>,
        reader: &Reader,
        segments: &Segments,
    ) -> Result<Vec<(CarryPart, Queued)>, StoreError> {
        let mut now = Vec::with_capacity(parts.len());
        for part in parts {
            let id = QueueItemId { mail_id, part: part.part };
            let Some(mut queued) = self.queued(id, reader)? else { continue };
            if queued.changed.is_none()
                && let Some(row) = reader.queue_row(id)?.filter(|row| row.record_len > 0)
            {
                let gone = || StoreError::Damaged(format!("the record of {id} in the queue is missing"));
                let record = segments.record(row.lsn)?.ok_or_else(gone)?;
                let said = queue::change(&record.meta, id, row.lsn)?;
                queued.changed = Some((said.due, said.state.into()));
            }
            now.push((part, queued));
        }
        Ok(now)
    }

    /// Writes again how an item of the queue is, or that it is gone.
    fn carry_queued(
        &mut self,
        id: QueueItemId,
        from: Option<Lsn>,
        meta: &[u8],
        reader: &Reader,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        let Some(from) = from else {
            batch.push(Kind::Queue, Vec::new(), |out| out.extend_from_slice(meta));
            return Ok(());
        };
        // A later change, or its message was carried: then the log has it elsewhere.
        let row = reader.queue_row(id)?.filter(|row| row.lsn == from && row.record_len > 0);
        let Some(_) = row.filter(|_| self.unapplied_queued(id).is_none()) else { return Ok(()) };
        let Some(mut queued) = self.queued(id, reader)? else { return Ok(()) };
        let now = queue::change(meta, id, from)?;
        queued.changed = Some((now.due, now.state.into()));
        let lsn = batch.push(Kind::Queue, Vec::new(), |out| out.extend_from_slice(meta));
        self.set_queued(id, lsn, Some(queued));
        Ok(())
    }

    /// Writes again that a key was used for a message, where that still counts.
    fn carry_key(
        &self,
        account: AccountId,
        key: &str,
        mail_id: MailId,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Result<(), StoreError> {
        if let Some(expires_at) = self.key_in_use(account, key, mail_id, reader)? {
            let alone = KeyAlone { mail_id, used: KeyUse { account, key, expires_at } };
            batch.push(Kind::Key, Vec::new(), |out| alone.encode(out));
        }
        Ok(())
    }

    /// Until when a key stands for a message; none where it does not, or not any more.
    fn key_in_use(
        &self,
        account: AccountId,
        key: &str,
        mail_id: MailId,
        reader: &Reader,
    ) -> Result<Option<Timestamp>, StoreError> {
        if self.account(account, reader)?.is_none() {
            return Ok(None);
        }
        let row = self.key(account, key, reader)?;
        Ok(row.filter(|row| row.mail_id == mail_id && row.expires_at > self.latest).map(|row| row.expires_at))
    }
}
