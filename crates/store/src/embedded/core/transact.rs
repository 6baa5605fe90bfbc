//! Each kind of transaction: check, number, encode.

use std::sync::Arc;

use types::{MailId, Timestamp};

use super::super::bodies::BodyFile;
use super::super::log::Batch;
use super::super::record::{Expunge, FlagsChange, Kind, Lsn, Message};
use super::super::segments::Segments;
use super::super::view::{EntryState, KeyRow, Reader};
use super::queue::Queued;
use super::{Accept, AcceptItem, Op, Outcome, State};
use crate::{Accepted, Delivered, Flags, Idempotency, MailboxId, ModSeq, QueueItemId, StoreError, Uid};

pub(super) type Done = Result<Outcome, StoreError>;

impl State {
    /// Decides a transaction and adds its record to the batch. Nothing is changed where it fails.
    pub(super) fn transact(
        &mut self,
        op: Op,
        reader: &Reader,
        segments: &Segments,
        batch: &mut Batch,
        room: &Result<(), StoreError>,
    ) -> (Done, Vec<BodyFile>) {
        let done = match op {
            Op::Accept(mut accept) => {
                let file = accept.file.take();
                let done = room.clone().and_then(|()| {
                    self.may_accept(&accept, reader, batch.end())?;
                    self.accept(*accept, reader, batch)
                });
                // The body of a message that was there before is of no use.
                let is_used = done.as_ref().is_ok_and(|accepted| !accepted.repeated);
                return (done.map(Outcome::Accepted), file.filter(|_| is_used).into_iter().collect());
            }
            // Whoever makes room must be let through; so must who only says what became of something.
            Op::Settle(settle) => return self.settle_items(*settle, reader, batch, room),
            Op::Flags { mailbox, uids, add, remove } => {
                self.store_flags(mailbox, &uids, add, remove, reader, batch)
            }
            Op::Expunge { mailbox, uids } => self.expunge(mailbox, &uids, reader, batch),
            Op::CreateAccount(account) => {
                room.clone().and_then(|()| self.create_account(*account, reader, batch))
            }
            Op::ChangeAccount { account, change } => self.change_account(account, *change, reader, batch),
            Op::RemoveAccount(account) => self.remove_account(account, reader, batch),
            Op::PutEntry { key, value, put } => {
                room.clone().and_then(|()| self.put_entry(key, value, put, reader, batch))
            }
            Op::RemoveEntry(key) => self.remove_entry(key, reader, batch),
            Op::ChangeDkim { key, change } => {
                let room = if change.takes_room() { room.clone() } else { Ok(()) };
                room.and_then(|()| self.change_dkim(key, *change, reader, batch))
            }
            Op::Carry(items) => self.carry(items, reader, segments, batch),
        };
        (done, Vec::new())
    }

    /// Whether a message can be accepted, or came before with its key.
    pub(super) fn may_accept(
        &mut self,
        accept: &Accept,
        reader: &Reader,
        lsn: Lsn,
    ) -> Result<(), StoreError> {
        if self.repeats(accept, reader)?.is_some() {
            return Ok(());
        }
        if self.has_mail(accept.mail_id, reader)? {
            return Err(StoreError::Conflict(format!("message {} was accepted before", accept.mail_id)));
        }
        for delivery in &accept.deliveries {
            let mailbox = match self.mailbox(delivery.mailbox, lsn, reader) {
                Err(StoreError::NoSuchMailbox) => {
                    return Err(StoreError::Conflict(format!("mailbox {} is no more", delivery.mailbox)));
                }
                mailbox => mailbox?,
            };
            if mailbox.uid_next.0 >= u32::MAX - 1024 {
                return Err(StoreError::Unavailable("the mailbox has no UID left".into()));
            }
        }
        Ok(())
    }

    /// Accepts a message that may be.
    pub(super) fn accept(
        &mut self,
        mut accept: Accept,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Result<Accepted, StoreError> {
        let repeats = self.repeats(&accept, reader)?;
        self.latest = self.latest.max(accept.received_at);
        if let Some(mail_id) = repeats {
            return Ok(Accepted { repeated: true, ..Accepted::nowhere(mail_id) });
        }
        let lsn = batch.end();
        let mut delivered = Vec::with_capacity(accept.deliveries.len());
        for delivery in &accept.deliveries {
            let mailbox = self.mailbox(delivery.mailbox, lsn, reader)?;
            let uid = mailbox.uid_next;
            mailbox.uid_next = Uid(uid.0 + 1);
            mailbox.modseq = ModSeq(mailbox.modseq.0 + 1);
            let modseq = mailbox.modseq;
            delivered.push(Delivered { mailbox: delivery.mailbox, uid, modseq });
            let state = EntryState {
                mail_id: accept.mail_id,
                modseq,
                flags: delivery.flags,
                internal_date: accept.received_at,
                size_bytes: delivery.header_len as u64 + accept.body_len,
            };
            self.set_entry(delivery.mailbox, uid, lsn, Some(state));
        }
        self.set_mail(accept.mail_id, lsn);
        for AcceptItem { part, destination, is_claimed } in std::mem::take(&mut accept.queue) {
            let id = QueueItemId { mail_id: accept.mail_id, part };
            if is_claimed {
                self.changed.claimed.push(id);
            } else {
                self.changed.destinations.push(Arc::clone(&destination));
            }
            self.set_queued(id, lsn, Some(Queued { revision: 1, since: lsn, destination, changed: None }));
        }
        if let Some(Idempotency { account, key, expires_at }) = &accept.idempotency {
            let row = KeyRow { mail_id: accept.mail_id, expires_at: *expires_at };
            self.set_key(*account, key, lsn, row);
        }
        Message::patch(
            &mut accept.meta,
            accept.deliveries.iter().zip(&delivered).map(|(d, done)| (d.header_len, done.uid, done.modseq)),
        );
        batch.push(Kind::Message, accept.body, |out| out.extend_from_slice(&accept.meta));
        Ok(Accepted { deliveries: delivered, ..Accepted::nowhere(accept.mail_id) })
    }

    /// The message that came with the same key as this one.
    fn repeats(&self, accept: &Accept, reader: &Reader) -> Result<Option<MailId>, StoreError> {
        match &accept.idempotency {
            Some(used) => self.accepted_before(used, accept.received_at, reader),
            None => Ok(None),
        }
    }

    /// The message that came with the same key, where the key has not expired at `now`.
    fn accepted_before(
        &self,
        used: &Idempotency,
        now: Timestamp,
        reader: &Reader,
    ) -> Result<Option<MailId>, StoreError> {
        // Keys go with their account: one that comes after it would never go.
        self.account(used.account, reader)?.ok_or(StoreError::NoSuchAccount)?;
        let known = self.key(used.account, &used.key, reader)?;
        Ok(known.filter(|row| row.expires_at > now).map(|row| row.mail_id))
    }

    fn store_flags(
        &mut self,
        id: MailboxId,
        uids: &[Uid],
        add: Flags,
        remove: Flags,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        let lsn = batch.end();
        self.mailbox(id, lsn, reader)?;
        let mut changes = Vec::new();
        for uid in once(uids) {
            let Some(entry) = self.entry(id, uid, reader)? else { continue };
            let flags = entry.flags.changed(add, remove);
            if flags != entry.flags {
                changes.push((uid, EntryState { flags, ..entry }));
            }
        }
        if changes.is_empty() {
            return Ok(Outcome::Entries(Vec::new()));
        }
        // One sequence number for all that one command changes, as RFC 7162 §3.1 allows.
        let modseq = self.next_modseq(id, lsn, reader)?;
        let mut entries = Vec::with_capacity(changes.len());
        let mut messages = Vec::with_capacity(changes.len());
        for (uid, entry) in changes {
            let entry = EntryState { modseq, ..entry };
            self.set_entry(id, uid, lsn, Some(entry));
            messages.push((uid, entry.flags));
            entries.push(entry.message(uid));
        }
        let change = FlagsChange { mailbox: id, modseq, messages };
        batch.push(Kind::Flags, Vec::new(), |out| change.encode(out));
        Ok(Outcome::Entries(entries))
    }

    fn expunge(&mut self, id: MailboxId, uids: &[Uid], reader: &Reader, batch: &mut Batch) -> Done {
        let lsn = batch.end();
        self.mailbox(id, lsn, reader)?;
        let mut messages: Vec<(Uid, Lsn)> = Vec::new();
        for uid in once(uids) {
            let Some(entry) = self.entry(id, uid, reader)? else { continue };
            let home = match self.unapplied_mail(entry.mail_id) {
                Some(home) => home,
                None => reader.mail(entry.mail_id)?.map_or(lsn, |row| row.lsn),
            };
            messages.push((uid, home));
        }
        if messages.is_empty() {
            return Ok(Outcome::Uids(Vec::new()));
        }
        let modseq = self.next_modseq(id, lsn, reader)?;
        self.changed.removal = true;
        for (uid, _) in &messages {
            self.set_entry(id, *uid, lsn, None);
        }
        let gone = messages.iter().map(|(uid, _)| *uid).collect();
        let expunge = Expunge { mailbox: id, modseq, messages };
        batch.push(Kind::Expunge, Vec::new(), |out| expunge.encode(out));
        Ok(Outcome::Uids(gone))
    }

    fn next_modseq(&mut self, id: MailboxId, lsn: Lsn, reader: &Reader) -> Result<ModSeq, StoreError> {
        let mailbox = self.mailbox(id, lsn, reader)?;
        mailbox.modseq = ModSeq(mailbox.modseq.0 + 1);
        Ok(mailbox.modseq)
    }
}

/// Each UID once, in order.
fn once(uids: &[Uid]) -> impl Iterator<Item = Uid> + use<> {
    uids.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter()
}
