//! Mailboxes: made, removed, renamed, listed, annotated; and the account's quota.

use bytes::Bytes;
use imap::command::MailboxName;
use imap::name::SEPARATOR;
use imap::session::{FolderFacts, Outcome, QuotaFacts, Refusal};
use store::{MailboxId, MailboxInfo, Metadata, SpecialUse, StoreError, Subscription};
use types::EventStep;

use super::Driver;
use crate::quotas::{Quota, Room};

impl Driver {
    pub(super) async fn folders(&self) -> Result<Outcome, Refusal> {
        let account = self.login()?.account;
        let folders = self.mailboxes().await?.iter().map(facts).collect();
        let subscribed = self.shared.store.subscriptions(account).await;
        Ok(Outcome::Folders { folders, subscribed: subscribed.map_err(|why| self.refusal(&why))? })
    }

    pub(super) async fn create(
        &mut self,
        name: &MailboxName,
        special_use: Option<SpecialUse>,
    ) -> Result<Outcome, Refusal> {
        let account = self.login()?.account;
        if self.resolve(name).await.is_ok() {
            return Err(Refusal::Exists);
        }
        let made = self.shared.store.create_mailbox(account, &name.0, special_use, self.shared.now()).await;
        let made = made.map_err(|why| match why {
            StoreError::Conflict(_) if special_use.is_some() => Refusal::UseTaken,
            StoreError::Conflict(_) => Refusal::Exists,
            why => self.refusal(&why),
        })?;
        self.hear();
        self.note(EventStep::Command, format!("CREATE {:?}", name.0));
        Ok(Outcome::Created(made.id))
    }

    pub(super) async fn delete(&mut self, name: &MailboxName) -> Result<Outcome, Refusal> {
        let mailbox = match self.resolve(name).await {
            Err(Refusal::NoSuchMailbox) if self.is_level(name).await => return Err(Refusal::HasChildren),
            found => found?,
        };
        let deleted = self.shared.store.delete_mailbox(mailbox.id, &mailbox.name, self.shared.now()).await;
        deleted.map_err(|why| self.refusal(&why))?;
        // Who deletes what it has open knows, and is not sent away as the others are (RFC 2180 §3).
        if self.login()?.mailbox() == Some(mailbox.id) {
            self.deselect();
        }
        self.hear();
        self.note(EventStep::Command, format!("DELETE {:?}", name.0));
        Ok(Outcome::Done)
    }

    /// Whether there are mailboxes below such a name.
    async fn is_level(&self, name: &MailboxName) -> bool {
        let is_below = |mailbox: &MailboxInfo| {
            mailbox.name.strip_prefix(&name.0).is_some_and(|rest| rest.starts_with(SEPARATOR))
        };
        self.own(is_below).await.is_ok()
    }

    pub(super) async fn rename(&mut self, from: &MailboxName, to: &MailboxName) -> Result<Outcome, Refusal> {
        let account = self.login()?.account;
        let renamed = self.shared.store.rename_mailbox(account, &from.0, &to.0, self.shared.now()).await;
        renamed.map_err(|why| match why {
            StoreError::Conflict(_) => Refusal::Exists,
            why => self.refusal(&why),
        })?;
        self.hear();
        self.note(EventStep::Command, format!("RENAME {:?} to {:?}", from.0, to.0));
        Ok(Outcome::Done)
    }

    pub(super) async fn subscribe(
        &self,
        name: &MailboxName,
        subscription: Subscription,
    ) -> Result<Outcome, Refusal> {
        let account = self.login()?.account;
        let done = self.shared.store.subscribe(account, &name.0, subscription).await;
        done.map_err(|why| match why {
            StoreError::Conflict(_) => Refusal::Limit,
            why => self.refusal(&why),
        })?;
        Ok(Outcome::Done)
    }

    pub(super) async fn quota(&self) -> Result<Outcome, Refusal> {
        let login = self.login()?;
        let usage = self.shared.store.account_usage(login.account).await.map_err(|why| self.refusal(&why))?;
        let mailboxes = self.mailboxes().await?.len();
        Ok(Outcome::Quota(QuotaFacts {
            used_bytes: usage.size_bytes,
            limit_bytes: login.quota_bytes,
            messages: usage.messages,
            mailboxes: mailboxes as u64,
        }))
    }

    /// Room within the quota for so many octets where so many go in the same step, which nobody else is given while this is
    /// held. None is needed where there is no quota, or where no more comes than goes.
    pub(super) async fn room_for(&self, size_bytes: u64, freed_bytes: u64) -> Result<Option<Room>, Refusal> {
        let login = self.login()?;
        let more_bytes = size_bytes.saturating_sub(freed_bytes);
        let Some(limit_bytes) = login.quota_bytes.filter(|_| more_bytes > 0) else { return Ok(None) };
        let quota = Quota { account: login.account, limit_bytes };
        let room = self.shared.quotas.room(&*self.shared.store, quota, more_bytes).await;
        room.map_err(|why| self.refusal(&why))?.ok_or(Refusal::OverQuota).map(Some)
    }

    /// Whether so many octets are within the quota, where so many go in the same step, as it is now.
    pub(super) async fn has_room_for(&self, size_bytes: u64, freed_bytes: u64) -> Result<(), Refusal> {
        let login = self.login()?;
        let more_bytes = size_bytes.saturating_sub(freed_bytes);
        let Some(limit_bytes) = login.quota_bytes.filter(|_| more_bytes > 0) else { return Ok(()) };
        let usage = self.shared.store.account_usage(login.account).await.map_err(|why| self.refusal(&why))?;
        if usage.size_bytes.saturating_add(more_bytes) > limit_bytes {
            return Err(Refusal::OverQuota);
        }
        Ok(())
    }

    pub(super) async fn metadata(&self, name: Option<&MailboxName>) -> Result<Outcome, Refusal> {
        let account = self.login()?.account;
        let mailbox = self.annotated(name).await?;
        let found = self.shared.store.metadata(account, mailbox).await.map_err(|why| self.refusal(&why))?;
        let named = |entry: Metadata| entry.value.map(|value| (entry.name, value.to_vec()));
        Ok(Outcome::Metadata(found.into_iter().filter_map(named).collect()))
    }

    pub(super) async fn set_metadata(
        &self,
        name: Option<&MailboxName>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Result<Outcome, Refusal> {
        let account = self.login()?.account;
        let mailbox = self.annotated(name).await?;
        let entry =
            |(name, value): (String, Option<Vec<u8>>)| Metadata { name, value: value.map(Bytes::from) };
        let changes = entries.into_iter().map(entry).collect();
        let set = self.shared.store.set_metadata(account, mailbox, changes).await;
        set.map_err(|why| match why {
            StoreError::Conflict(_) => Refusal::Limit,
            why => self.refusal(&why),
        })?;
        Ok(Outcome::Done)
    }

    async fn annotated(&self, name: Option<&MailboxName>) -> Result<Option<MailboxId>, Refusal> {
        match name {
            Some(name) => Ok(Some(self.resolve(name).await?.id)),
            None => Ok(None),
        }
    }
}

/// A mailbox as the machine wants to know it.
pub(super) fn facts(info: &MailboxInfo) -> FolderFacts {
    FolderFacts {
        id: info.id,
        name: MailboxName(info.name.clone()),
        special_use: info.special_use,
        uid_validity: info.uid_validity,
        uid_next: info.uid_next,
        highest_modseq: info.highest_modseq,
        messages: info.messages,
        unseen: info.unseen,
        deleted: info.deleted,
        deleted_bytes: info.deleted_bytes,
        size_bytes: info.size_bytes,
    }
}
