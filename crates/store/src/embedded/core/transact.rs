//! Each kind of transaction: check, number, encode.

use super::super::bodies::BodyFile;
use super::super::log::Batch;
use super::super::record::{AccountState, Entry, Expunge, FlagsChange, Kind, Lsn, MailboxState, Message};
use super::super::view::{EntryState, Reader};
use super::{Accept, Carry, Op, Outcome, State};
use crate::{
    Account, AccountId, Delivered, Flags, MailboxId, ModSeq, NewAccount, StoreError, Uid, UidValidity,
};

type Done = Result<Outcome, StoreError>;

impl State {
    /// Decides a transaction and adds its record to the batch. Nothing is changed where it fails.
    pub(super) fn transact(
        &mut self,
        op: Op,
        reader: &Reader,
        batch: &mut Batch,
        room: &Result<(), StoreError>,
    ) -> (Done, Option<BodyFile>) {
        match op {
            Op::Accept(mut accept) => {
                let file = accept.file.take();
                (room.clone().and_then(|()| self.accept(*accept, reader, batch)), file)
            }
            // Whoever makes room must be let through.
            Op::Flags { mailbox, uids, add, remove } => {
                (self.store_flags(mailbox, &uids, add, remove, reader, batch), None)
            }
            Op::Expunge { mailbox, uids } => (self.expunge(mailbox, &uids, reader, batch), None),
            Op::CreateAccount(account) => {
                (room.clone().and_then(|()| self.create_account(account, reader, batch)), None)
            }
            Op::SetPassword { account, password_hash } => {
                (self.set_password(account, password_hash, reader, batch), None)
            }
            Op::Carry(items) => (self.carry(items, reader, batch), None),
        }
    }

    fn accept(&mut self, mut accept: Accept, reader: &Reader, batch: &mut Batch) -> Done {
        if self.has_mail(accept.mail_id, reader)? {
            return Err(StoreError::Conflict(format!("message {} was accepted before", accept.mail_id)));
        }
        let lsn = batch.end();
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
        Message::patch(
            &mut accept.meta,
            accept.deliveries.iter().zip(&delivered).map(|(d, done)| (d.header_len, done.uid, done.modseq)),
        );
        batch.push(Kind::Message, accept.body, |out| out.extend_from_slice(&accept.meta));
        Ok(Outcome::Delivered(delivered))
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

    fn create_account(&mut self, new: NewAccount, reader: &Reader, batch: &mut Batch) -> Done {
        let key = new.name.to_lowercase();
        if key.is_empty() {
            return Err(StoreError::Conflict("an account needs a name".into()));
        }
        if self.has_name(&key, reader)? {
            return Err(StoreError::Conflict(format!("there is an account {}", new.name)));
        }
        let lsn = batch.end();
        let (id, inbox) = (AccountId(self.next_account), MailboxId(self.next_mailbox));
        self.next_account += 1;
        self.next_mailbox += 1;
        let mailbox = MailboxState {
            id: inbox,
            account: id,
            // RFC 9051 §2.3.1.1 suggests the time of creation; it is never 0.
            uid_validity: UidValidity(u32::try_from(new.created_at.seconds()).unwrap_or(u32::MAX).max(1)),
            uid_next: Uid(1),
            modseq: ModSeq(1),
            name: "INBOX".into(),
        };
        let account = Account { id, name: new.name, password_hash: new.password_hash, inbox };
        self.insert_mailbox(mailbox.clone(), lsn);
        self.set_name(key, id, lsn);
        self.log_account(account.clone(), mailbox, batch);
        Ok(Outcome::Account(account))
    }

    fn set_password(
        &mut self,
        id: AccountId,
        password_hash: String,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        let account = self.account(id, reader)?.ok_or(StoreError::NoSuchAccount)?;
        let inbox = self.mailbox(account.inbox, batch.end(), reader)?.clone();
        self.log_account(Account { password_hash, ..account }, inbox, batch);
        Ok(Outcome::Done)
    }

    fn log_account(&mut self, account: Account, inbox: MailboxState, batch: &mut Batch) {
        self.set_account(account.clone(), batch.end());
        let state = AccountState { account, inbox };
        batch.push(Kind::Account, Vec::new(), |out| state.encode(out));
    }

    /// Writes again, as it is now, what stands in a segment that is given up.
    fn carry(&mut self, items: Vec<Carry>, reader: &Reader, batch: &mut Batch) -> Done {
        for item in items {
            match item {
                Carry::Mail { .. } => self.carry_mail(item, reader, batch)?,
                Carry::Flags { mailbox, uid, modseq } => {
                    // A later change, or the message moved since: then the log has it elsewhere.
                    let Some(entry) = self.entry(mailbox, uid, reader)?.filter(|e| e.modseq == modseq) else {
                        continue;
                    };
                    let change = FlagsChange { mailbox, modseq, messages: vec![(uid, entry.flags)] };
                    batch.push(Kind::Flags, Vec::new(), |out| change.encode(out));
                }
                Carry::Tombstone { mailbox, uid, modseq, home } => {
                    let expunge = Expunge { mailbox, modseq, messages: vec![(uid, home)] };
                    batch.push(Kind::Expunge, Vec::new(), |out| expunge.encode(out));
                }
                Carry::Account(id) => {
                    let Some(account) = self.account(id, reader)? else { continue };
                    let inbox = self.mailbox(account.inbox, batch.end(), reader)?.clone();
                    self.log_account(account, inbox, batch);
                }
                Carry::Mailbox(id) => {
                    let state = match self.mailbox(id, batch.end(), reader) {
                        Err(StoreError::NoSuchMailbox) => continue,
                        mailbox => mailbox?.clone(),
                    };
                    batch.push(Kind::Mailbox, Vec::new(), |out| state.encode(out));
                }
            }
        }
        Ok(Outcome::Done)
    }

    fn carry_mail(&mut self, item: Carry, reader: &Reader, batch: &mut Batch) -> Result<(), StoreError> {
        let Carry::Mail { mail_id, from, received_at, place, body_len, body_crc, envelope, body } = item
        else {
            return Ok(());
        };
        let Some(row) = reader.mail(mail_id)? else { return Ok(()) };
        if row.lsn != from || self.unapplied_mail(mail_id).is_some() {
            return Ok(());
        }
        let mut headers = Vec::new();
        for (mailbox, uid) in &row.entries {
            let Some(state) = self.entry(*mailbox, *uid, reader)? else { continue };
            let Some(entry) = reader.entry(*mailbox, *uid)? else { continue };
            headers.push((*mailbox, *uid, state, entry.header));
        }
        if headers.is_empty() {
            return Ok(());
        }
        let entries = headers.iter().map(|(mailbox, uid, state, header)| Entry {
            mailbox: *mailbox,
            uid: *uid,
            modseq: state.modseq,
            flags: state.flags,
            internal_date: state.internal_date,
            header,
        });
        let entries = entries.collect();
        let message =
            Message { mail_id, received_at, place, body_len, body_crc, entries, envelope: &envelope };
        let lsn = batch.push(Kind::Message, vec![body], |out| message.encode(out));
        self.set_mail(mail_id, lsn);
        Ok(())
    }
}

/// Each UID once, in order.
fn once(uids: &[Uid]) -> impl Iterator<Item = Uid> + use<> {
    uids.iter().copied().collect::<std::collections::BTreeSet<_>>().into_iter()
}
