//! The traits of a store on [`Embedded`].

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;
use types::MailId;

use super::bodies::Staged;
use super::committer::Work;
use super::core::{Accept, AcceptDelivery, Op, Outcome, Transaction};
use super::record::{BodyPlace, Entry, Message};
use super::shared::closed;
use super::sync::{blocking, lock};
use super::{Embedded, envelope, stream};
use crate::{
    Acceptance, Account, AccountId, Body, BodyStream, Delivered, Directory, Flags, MailboxId, MailboxInfo,
    Mailboxes, MessageEntry, ModSeq, NewAccount, Spool, StagedBody, Store, StoreError, Uid,
};

impl Embedded {
    async fn submit(&self, op: Op) -> Result<Outcome, StoreError> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Commit(Transaction { op, reply });
        self.queue.send(work).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Encodes all that does not depend on its place in the log, so that the committer need not.
    fn prepare(&self, acceptance: Acceptance) -> Result<Accept, StoreError> {
        let Acceptance { mail_id, received_at, envelope, origin, body, deliveries } = acceptance;
        let (body, body_len, body_crc, file) = self.place(body)?;
        let envelope = envelope::encode(&envelope, &origin);
        let message = Message {
            mail_id,
            received_at,
            place: file.as_ref().map_or(BodyPlace::Inline, |file| BodyPlace::File(file.number)),
            body_len,
            body_crc,
            entries: deliveries
                .iter()
                .map(|delivery| Entry {
                    mailbox: delivery.mailbox,
                    uid: Uid(0),
                    modseq: ModSeq(0),
                    flags: delivery.flags,
                    internal_date: received_at,
                    header: &delivery.header,
                })
                .collect(),
            envelope: &envelope,
        };
        let mut meta = Vec::with_capacity(128 + envelope.len() + deliveries.len() * 160);
        message.encode(&mut meta);
        let deliveries = deliveries
            .iter()
            .map(|d| AcceptDelivery { mailbox: d.mailbox, header_len: d.header.len(), flags: d.flags })
            .collect();
        Ok(Accept { mail_id, received_at, deliveries, meta, body_len, body, file })
    }

    /// Puts a body where it belongs: into the log, or into a file that is durable when this returns.
    #[allow(clippy::type_complexity, reason = "four values that are taken apart at once")]
    fn place(
        &self,
        body: Body,
    ) -> Result<(Vec<Bytes>, u64, u32, Option<super::bodies::BodyFile>), StoreError> {
        let staged = match body {
            Body::Memory(parts) => {
                let len: u64 = parts.iter().map(|part| part.len() as u64).sum();
                if len <= self.shared.body_file_bytes {
                    let crc = parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part));
                    return Ok((parts, len, crc, None));
                }
                let mut staged = Staged::create(&self.shared)?;
                blocking(|| parts.iter().try_for_each(|part| staged.write(part)))?;
                staged
            }
            Body::Staged(staged) => {
                let foreign = || StoreError::Unavailable("the body was staged in another store".into());
                let staged = staged.into_any().downcast::<Staged>().map_err(|_| foreign())?;
                if !staged.belongs_to(&self.shared) {
                    return Err(foreign());
                }
                *staged
            }
        };
        let finished = blocking(|| staged.finish())?;
        Ok((Vec::new(), finished.size_bytes, finished.crc, Some(finished.file)))
    }
}

/// An answer of another kind than what was asked, which no path leads to.
fn unexpected() -> StoreError {
    StoreError::Unavailable("the committer answered something else".into())
}

#[async_trait]
impl Spool for Embedded {
    async fn accept(&self, acceptance: Acceptance) -> Result<Vec<Delivered>, StoreError> {
        if acceptance.deliveries.is_empty() {
            return Ok(Vec::new());
        }
        let accept = Box::new(self.prepare(acceptance)?);
        match self.submit(Op::Accept(accept)).await? {
            Outcome::Delivered(delivered) => Ok(delivered),
            _ => Err(unexpected()),
        }
    }

    async fn stage(&self) -> Result<Box<dyn StagedBody>, StoreError> {
        Ok(Box::new(blocking(|| Staged::create(&self.shared))?))
    }
}

#[async_trait]
impl Mailboxes for Embedded {
    async fn mailboxes(&self, account: AccountId) -> Result<Vec<MailboxInfo>, StoreError> {
        self.shared.applied(self.shared.progress.of_directory()).await?;
        let ids = self.shared.view.read()?.account_mailboxes(account)?;
        for id in &ids {
            self.shared.applied(self.shared.progress.of_mailbox(*id)).await?;
        }
        let reader = self.shared.view.read()?;
        let mut mailboxes = Vec::with_capacity(ids.len());
        for id in ids {
            mailboxes.extend(reader.mailbox(id)?.map(|row| row.info(id)));
        }
        mailboxes.sort_by(|a, b| (a.name != "INBOX", &a.name).cmp(&(b.name != "INBOX", &b.name)));
        Ok(mailboxes)
    }

    async fn messages(
        &self,
        mailbox: MailboxId,
        after: Option<Uid>,
        limit: usize,
    ) -> Result<Vec<MessageEntry>, StoreError> {
        self.shared.applied(self.shared.progress.of_mailbox(mailbox)).await?;
        let Some(from) = after.map_or(Some(0), |uid| uid.0.checked_add(1)) else { return Ok(Vec::new()) };
        blocking(|| {
            let reader = self.shared.view.read()?;
            let entries = reader.entries(mailbox, Uid(from), limit)?;
            if entries.is_empty() && reader.mailbox(mailbox)?.is_none() {
                return Err(StoreError::NoSuchMailbox);
            }
            Ok(entries.into_iter().map(|(uid, row)| row.state.message(uid)).collect())
        })
    }

    async fn open(&self, mailbox: MailboxId, uid: Uid) -> Result<Box<dyn BodyStream>, StoreError> {
        self.shared.applied(self.shared.progress.of_mailbox(mailbox)).await?;
        Ok(Box::new(stream::open(&self.shared, mailbox, uid)?))
    }

    async fn store_flags(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        add: Flags,
        remove: Flags,
    ) -> Result<Vec<MessageEntry>, StoreError> {
        match self.submit(Op::Flags { mailbox, uids: uids.to_vec(), add, remove }).await? {
            Outcome::Entries(entries) => Ok(entries),
            _ => Err(unexpected()),
        }
    }

    async fn expunge(&self, mailbox: MailboxId, uids: &[Uid]) -> Result<Vec<Uid>, StoreError> {
        match self.submit(Op::Expunge { mailbox, uids: uids.to_vec() }).await? {
            Outcome::Uids(uids) => Ok(uids),
            _ => Err(unexpected()),
        }
    }
}

#[async_trait]
impl Directory for Embedded {
    async fn create_account(&self, account: NewAccount) -> Result<Account, StoreError> {
        match self.submit(Op::CreateAccount(account)).await? {
            Outcome::Account(account) => Ok(account),
            _ => Err(unexpected()),
        }
    }

    async fn set_password_hash(&self, account: AccountId, password_hash: &str) -> Result<(), StoreError> {
        match self.submit(Op::SetPassword { account, password_hash: password_hash.to_owned() }).await? {
            Outcome::Done => Ok(()),
            _ => Err(unexpected()),
        }
    }

    async fn account(&self, name: &str) -> Result<Option<Account>, StoreError> {
        self.shared.applied(self.shared.progress.of_directory()).await?;
        let reader = self.shared.view.read()?;
        match reader.account_id(&name.to_lowercase())? {
            Some(id) => reader.account(id),
            None => Ok(None),
        }
    }

    async fn accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.shared.applied(self.shared.progress.of_directory()).await?;
        self.shared.view.read()?.accounts()
    }
}

impl Store for Embedded {
    fn fatal_error(&self) -> Option<String> {
        self.shared.fatal.borrow().clone()
    }

    fn knows(&self, mail_id: MailId) -> bool {
        // First what may not be applied yet: what leaves there is in the view already.
        lock(&self.shared.recent).contains(&mail_id)
            || self.shared.view.read().and_then(|reader| reader.has_mail(mail_id)).unwrap_or(false)
    }
}
