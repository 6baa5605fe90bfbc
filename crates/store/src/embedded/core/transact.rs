//! Each kind of transaction: check, number, encode.

use std::sync::Arc;

use types::{MailId, Timestamp};

use super::super::bodies::BodyFile;
use super::super::log::Batch;
use super::super::record::{FLAGS_MAX, FlagsChange, Kind, Lsn, Message};
use super::super::segments::Segments;
use super::super::view::{EntryState, KeyRow, Reader};
use super::queue::Queued;
use super::state::{Changing, Known};
use super::transfer::once;
use super::{Accept, AcceptItem, Op, Outcome, State};
use crate::{
    Accepted, Delivered, Flagging, Flags, FlagsStored, Idempotency, KnownMessages, MailboxId, ModSeq,
    QueueItemId, Replaced, StoreError, Uid,
};

/// Octets that a message whose flags change counts among those that wait for the view.
pub(super) const FLAGGED_BYTES: usize = 64;

pub(super) type Done = Result<Outcome, StoreError>;

/// What a transaction is decided with.
#[derive(Clone, Copy)]
pub(super) struct Given<'g> {
    pub(super) reader: &'g Reader,
    pub(super) segments: &'g Segments,
    /// Whether there is room on the disk.
    pub(super) room: &'g Result<(), StoreError>,
    /// Whether what is expunged is kept for a time.
    pub(super) keep: bool,
}

impl State {
    /// Decides a transaction and adds its records to the batch. Where it fails, what it added is taken out again.
    pub(super) fn transact(&mut self, op: Op, given: &Given<'_>, batch: &mut Batch) -> (Done, Vec<BodyFile>) {
        let Given { reader, segments, room, keep } = *given;
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
            Op::Append { messages, replaces } => {
                return match room {
                    Ok(()) => self.append(messages, replaces, keep, reader, batch),
                    Err(error) => (Err(error.clone()), Vec::new()),
                };
            }
            // Whoever makes room must be let through; so must who only says what became of something.
            Op::Settle(settle) => return self.settle_items(*settle, reader, batch, room),
            Op::Flags { mailbox, uids, add, remove, unchanged_since, known } => {
                let changing = Changing::new((add, remove), unchanged_since);
                self.store_flags((mailbox, &uids), changing, known.as_deref(), reader, batch)
            }
            Op::Transfer(asked) => room.clone().and_then(|()| self.transfer(asked, reader, batch)),
            Op::Expunge { mailbox, uids, flags, at } => {
                self.expunge((mailbox, &uids, flags), at, keep, reader, batch)
            }
            Op::Purge(asked) => self.purge(asked, reader, batch),
            Op::Restore { account, messages, at } => {
                room.clone().and_then(|()| self.restore(account, &messages, at, reader, batch))
            }
            Op::DeleteMailbox { mailbox, name, at } => {
                self.delete_mailbox((mailbox, &name), at, keep, reader, batch)
            }
            Op::RemoveAccount(account) => self.remove_account(account, reader, batch),
            Op::RemoveEntry(key) => self.remove_entry(key, reader, batch),
            Op::ChangeAccount { account, change } => self.change_account(account, *change, reader, batch),
            Op::Carry(items) => self.carry(items, reader, segments, batch),
            Op::ChangeDkim { key, change } => {
                let room = if change.takes_room() { room.clone() } else { Ok(()) };
                room.and_then(|()| self.change_dkim(key, *change, reader, batch))
            }
            op => room.clone().and_then(|()| self.transact_with_room(op, reader, batch)),
        };
        (done, Vec::new())
    }

    /// What is refused where the disk is full.
    fn transact_with_room(&mut self, op: Op, reader: &Reader, batch: &mut Batch) -> Done {
        match op {
            Op::CreateAccount(account) => self.create_account(*account, reader, batch),
            Op::PutEntry { key, value, put } => self.put_entry(key, value, put, reader, batch),
            Op::CreateMailbox { account, name, special_use, at } => {
                self.create_mailbox((account, &name), special_use, at, reader, batch)
            }
            Op::RenameMailbox { account, from, to, at } => {
                self.rename_mailbox(account, (&from, &to), at, reader, batch)
            }
            Op::AddKeywords { mailbox, names } => self.add_keywords(mailbox, &names, reader, batch),
            Op::Subscribe { account, name, subscription } => {
                self.subscribe(account, &name, subscription, reader, batch)
            }
            Op::SetMetadata { account, mailbox, changes } => {
                self.set_metadata(account, mailbox, changes, reader, batch)
            }
            // All others were taken before.
            _ => Err(super::super::store::unexpected()),
        }
    }

    /// Accepts several messages, and expunges the one that they replace: all or nothing.
    fn append(
        &mut self,
        mut messages: Vec<Accept>,
        replaces: Option<Replaced>,
        keep: bool,
        reader: &Reader,
        batch: &mut Batch,
    ) -> (Done, Vec<BodyFile>) {
        // Files of what is refused go when this returns.
        let files: Vec<Option<BodyFile>> = messages.iter_mut().map(|message| message.file.take()).collect();
        let first = batch.len();
        let (mut accepted, mut kept) = (Vec::new(), Vec::new());
        for (message, file) in messages.into_iter().zip(files) {
            let done = self
                .may_accept(&message, reader, batch.end())
                .and_then(|()| self.accept(message, reader, batch));
            match done {
                Ok(done) => {
                    kept.extend(file.filter(|_| !done.repeated));
                    accepted.push(done);
                }
                Err(error) => return (Err(error), Vec::new()),
            }
        }
        if let Some(Replaced { mailbox, uid, at }) = replaces {
            match self.expunge((mailbox, &[uid], Flags::NONE), at, keep, reader, batch) {
                Ok(Outcome::Uids(gone)) if !gone.is_empty() => {}
                Ok(_) => return (Err(StoreError::NoSuchMessage), Vec::new()),
                Err(error) => return (Err(error), Vec::new()),
            }
        }
        batch.tie(first);
        (Ok(Outcome::Settled(Vec::new(), accepted)), kept)
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
            let mailbox = match self.listed(delivery.mailbox, lsn, reader) {
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
            let (modseq, account) = (mailbox.modseq, mailbox.account);
            delivered.push(Delivered { mailbox: delivery.mailbox, uid, modseq });
            let state = EntryState {
                mail_id: accept.mail_id,
                modseq,
                flags: delivery.flags,
                internal_date: delivery.internal_date,
                size_bytes: delivery.header.len() as u64 + accept.body_len,
                saved_at: accept.received_at,
            };
            let known = Known { state, header: delivery.header.clone() };
            self.set_entry(delivery.mailbox, uid, lsn, Some(known));
            self.tell_messages(account, delivery.mailbox, [(uid, state)]);
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
            accept.deliveries.iter().zip(&delivered).map(|(d, done)| (d.header.len(), done.uid, done.modseq)),
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
        (id, uids): (MailboxId, &[Uid]),
        mut changing: Changing,
        known: Option<&dyn KnownMessages>,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        let lsn = batch.end();
        let mailbox = self.listed(id, lsn, reader)?;
        let (account, newest) = (mailbox.account, mailbox.modseq);
        let uids = once(uids);
        // Every change of a mailbox's messages takes a new number: who has heard of the last knows them as they are.
        match known.filter(|known| known.highest_modseq() == newest) {
            Some(known) => known.each(&uids, &mut |uid, flags, modseq| changing.visit(uid, flags, modseq)),
            None => self.each_entry_of(id, &uids, reader, |uid, state| {
                changing.visit(uid, state.flags, state.modseq);
            })?,
        }
        let Changing { runs, modified, .. } = changing;
        if runs.is_empty() {
            return Ok(Outcome::Flags(FlagsStored { modified, ..FlagsStored::default() }));
        }
        // One sequence number for all that one command changes, as RFC 7162 §3.1 allows.
        let changed = Flagging { modseq: self.next_modseq(id, lsn, reader)?, runs: runs.into() };
        let (first, lsn) = (batch.len(), batch.end());
        let messages: Vec<(Uid, Flags)> = changed.iter().collect();
        for part in messages.chunks(FLAGS_MAX) {
            let change = FlagsChange { mailbox: id, modseq: changed.modseq, messages: part.to_vec() };
            batch.push(Kind::Flags, Vec::new(), |out| change.encode(out));
        }
        batch.tie(first);
        // However short the record is, each message is a row of the view: that is what commits have to wait for.
        batch.hold(changed.len() * FLAGGED_BYTES);
        self.set_flagged(id, lsn, &changed);
        self.tell_flagged(account, id, &changed);
        Ok(Outcome::Flags(FlagsStored { changed, modified }))
    }

    pub(super) fn next_modseq(
        &mut self,
        id: MailboxId,
        lsn: Lsn,
        reader: &Reader,
    ) -> Result<ModSeq, StoreError> {
        let mailbox = self.mailbox(id, lsn, reader)?;
        mailbox.modseq = ModSeq(mailbox.modseq.0 + 1);
        Ok(mailbox.modseq)
    }
}
