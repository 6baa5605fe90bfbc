//! The trait of mailboxes over log and view.

use async_trait::async_trait;
use types::Timestamp;

use super::core::{Op, Outcome};
use super::store::unexpected;
use super::sync::blocking;
use super::{Embedded, stream};
use crate::{
    AccountId, BodyStream, Expunged, Flags, FlagsStored, MailboxId, MailboxInfo, Mailboxes, MessageEntry,
    Metadata, ModSeq, SpecialUse, StoreError, Subscription, Transfer, Transferred, Uid, Vanished, Watch,
};

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
            // One that is gone may have messages in the view yet.
            reader.mailbox(mailbox)?.ok_or(StoreError::NoSuchMailbox)?;
            let entries = reader.entries(mailbox, Uid(from), limit)?;
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
        _unchanged_since: Option<ModSeq>,
    ) -> Result<FlagsStored, StoreError> {
        match self.submit(Op::Flags { mailbox, uids: uids.to_vec(), add, remove }).await? {
            Outcome::Entries(changed) => Ok(FlagsStored { changed, modified: Vec::new() }),
            _ => Err(unexpected()),
        }
    }

    async fn expunge(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        _at: Timestamp,
    ) -> Result<Vec<Uid>, StoreError> {
        match self.submit(Op::Expunge { mailbox, uids: uids.to_vec() }).await? {
            Outcome::Uids(uids) => Ok(uids),
            _ => Err(unexpected()),
        }
    }

    async fn mailbox(&self, _mailbox: MailboxId) -> Result<MailboxInfo, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn create_mailbox(
        &self,
        _account: AccountId,
        _name: &str,
        _special_use: Option<SpecialUse>,
        _at: Timestamp,
    ) -> Result<MailboxInfo, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn rename_mailbox(
        &self,
        _account: AccountId,
        _from: &str,
        _to: &str,
        _at: Timestamp,
    ) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn delete_mailbox(&self, _mailbox: MailboxId, _at: Timestamp) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn subscriptions(&self, _account: AccountId) -> Result<Vec<String>, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn subscribe(
        &self,
        _account: AccountId,
        _name: &str,
        _subscription: Subscription,
    ) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn add_keywords(&self, _mailbox: MailboxId, _names: &[String]) -> Result<Vec<String>, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn transfer(
        &self,
        _from: MailboxId,
        _uids: &[Uid],
        _to: MailboxId,
        _how: Transfer,
        _at: Timestamp,
    ) -> Result<Transferred, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn vanished(&self, _mailbox: MailboxId, _since: ModSeq) -> Result<Vanished, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn expunged(&self, _account: AccountId) -> Result<Vec<Expunged>, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn restore(
        &self,
        _account: AccountId,
        _messages: &[(MailboxId, Uid)],
        _at: Timestamp,
    ) -> Result<usize, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn purge_expunged(&self, _before: Timestamp, _limit: usize) -> Result<usize, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn metadata(
        &self,
        _account: AccountId,
        _mailbox: Option<MailboxId>,
    ) -> Result<Vec<Metadata>, StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    async fn set_metadata(
        &self,
        _account: AccountId,
        _mailbox: Option<MailboxId>,
        _changes: Vec<Metadata>,
    ) -> Result<(), StoreError> {
        Err(StoreError::Unavailable("not there yet".into()))
    }

    fn watch(&self, _account: AccountId) -> Watch {
        Watch::new().0
    }
}
