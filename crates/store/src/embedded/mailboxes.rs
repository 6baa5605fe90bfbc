//! The trait of mailboxes over log and view.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use types::Timestamp;

use super::core::{Op, Outcome, TransferAsked, canonical};
use super::directory::EntryKey;
use super::expunged;
use super::store::unexpected;
use super::sync::blocking;
use super::view::{Counts, MailboxRow};
use super::{Embedded, stream};
use crate::{
    AccountId, BodyStream, Expunged, Flags, FlagsStored, KnownMessages, MailboxId, MailboxInfo, Mailboxes,
    MessageEntry, Metadata, ModSeq, SpecialUse, StoreError, Subscription, Transfer, Transferred, Uid,
    Vanished, Watch,
};

impl Embedded {
    /// The mailboxes of an account that are listed, by name.
    pub(super) async fn listed(&self, account: AccountId) -> Result<Vec<MailboxRow>, StoreError> {
        self.shared.applied(self.shared.progress.of_folders()).await?;
        let folders = self.shared.view.read()?.folders(account)?;
        for (_, id) in &folders {
            self.shared.applied(self.shared.progress.of_mailbox(*id)).await?;
        }
        let reader = self.shared.view.read()?;
        let mut rows = Vec::with_capacity(folders.len());
        for (_, id) in folders {
            rows.extend(reader.mailbox(id)?.filter(|row| row.now.role.is_listed()));
        }
        Ok(rows)
    }

    /// A mailbox that is listed, and the moment of the view that has it.
    async fn row(&self, mailbox: MailboxId) -> Result<(super::view::Reader, MailboxRow), StoreError> {
        self.shared.applied(self.shared.progress.of_mailbox(mailbox)).await?;
        let reader = self.shared.view.read()?;
        let row = reader.mailbox(mailbox)?.filter(|row| row.is_known() && row.now.role.is_listed());
        Ok((reader, row.ok_or(StoreError::NoSuchMailbox)?))
    }
}

impl Embedded {
    async fn change_flags(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        (add, remove): (Flags, Flags),
        unchanged_since: Option<ModSeq>,
        known: Option<Arc<dyn KnownMessages>>,
    ) -> Result<FlagsStored, StoreError> {
        let uids = uids.to_vec();
        match self.submit(Op::Flags { mailbox, uids, add, remove, unchanged_since, known }).await? {
            Outcome::Flags(stored) => Ok(stored),
            _ => Err(unexpected()),
        }
    }
}

#[async_trait]
impl Mailboxes for Embedded {
    async fn mailboxes(&self, account: AccountId) -> Result<Vec<MailboxInfo>, StoreError> {
        let mut mailboxes: Vec<_> = self.listed(account).await?.into_iter().map(MailboxRow::info).collect();
        mailboxes.sort_by(|a, b| (a.name != "INBOX", &a.name).cmp(&(b.name != "INBOX", &b.name)));
        Ok(mailboxes)
    }

    async fn mailbox(&self, mailbox: MailboxId) -> Result<MailboxInfo, StoreError> {
        Ok(self.row(mailbox).await?.1.info())
    }

    async fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
        at: Timestamp,
    ) -> Result<MailboxInfo, StoreError> {
        let name = name.to_owned();
        match self.submit(Op::CreateMailbox { account, name, special_use, at }).await? {
            Outcome::Mailbox(state) => Ok(Counts::default().info(&state)),
            _ => Err(unexpected()),
        }
    }

    async fn rename_mailbox(
        &self,
        account: AccountId,
        from: &str,
        to: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.submit(Op::RenameMailbox { account, from, to, at }).await.map(drop)
    }

    async fn delete_mailbox(&self, mailbox: MailboxId, name: &str, at: Timestamp) -> Result<(), StoreError> {
        self.submit(Op::DeleteMailbox { mailbox, name: canonical(name), at }).await.map(drop)
    }

    async fn subscriptions(&self, account: AccountId) -> Result<Vec<String>, StoreError> {
        self.shared.applied(self.shared.progress.of_personal()).await?;
        let entries = self.shared.view.read()?.entries_below(&EntryKey::subscriptions(account))?;
        Ok(entries.into_iter().map(|(name, _)| name).collect())
    }

    async fn subscribe(
        &self,
        account: AccountId,
        name: &str,
        subscription: Subscription,
    ) -> Result<(), StoreError> {
        let name = canonical(name);
        self.submit(Op::Subscribe { account, name, subscription }).await.map(drop)
    }

    async fn messages(
        &self,
        mailbox: MailboxId,
        after: Option<Uid>,
        limit: usize,
    ) -> Result<Vec<MessageEntry>, StoreError> {
        // One that is gone may have messages in the view yet.
        let (reader, _) = self.row(mailbox).await?;
        let Some(from) = after.map_or(Some(0), |uid| uid.0.checked_add(1)) else { return Ok(Vec::new()) };
        blocking(|| reader.messages(mailbox, Uid(from), limit))
    }

    async fn open(&self, mailbox: MailboxId, uid: Uid) -> Result<Box<dyn BodyStream>, StoreError> {
        self.shared.applied(self.shared.progress.of_mailbox(mailbox)).await?;
        Ok(Box::new(stream::open(&self.shared, mailbox, uid)?))
    }

    async fn open_some(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
    ) -> Result<Vec<Box<dyn BodyStream>>, StoreError> {
        self.shared.applied(self.shared.progress.of_mailbox(mailbox)).await?;
        let streams = stream::open_some(&self.shared, mailbox, uids)?;
        Ok(streams.into_iter().map(|stream| -> Box<dyn BodyStream> { Box::new(stream) }).collect())
    }

    async fn add_keywords(&self, mailbox: MailboxId, names: &[String]) -> Result<Vec<String>, StoreError> {
        // What is there already costs no commit.
        let known = self.row(mailbox).await?.1.now.keywords;
        let is_known = |name: &String| known.iter().any(|keyword| keyword.eq_ignore_ascii_case(name));
        if names.iter().all(is_known) {
            return Ok(known);
        }
        match self.submit(Op::AddKeywords { mailbox, names: names.to_vec() }).await? {
            Outcome::Keywords(keywords) => Ok(keywords),
            _ => Err(unexpected()),
        }
    }

    async fn store_flags(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        add: Flags,
        remove: Flags,
        unchanged_since: Option<ModSeq>,
    ) -> Result<FlagsStored, StoreError> {
        self.change_flags(mailbox, uids, (add, remove), unchanged_since, None).await
    }

    async fn store_flags_of(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        change: (Flags, Flags),
        unchanged_since: Option<ModSeq>,
        known: Arc<dyn KnownMessages>,
    ) -> Result<FlagsStored, StoreError> {
        self.change_flags(mailbox, uids, change, unchanged_since, Some(known)).await
    }

    async fn transfer(
        &self,
        from: MailboxId,
        uids: &[Uid],
        to: MailboxId,
        how: Transfer,
        at: Timestamp,
    ) -> Result<Transferred, StoreError> {
        let asked = TransferAsked { from, uids: uids.to_vec(), to, how, at };
        match self.submit(Op::Transfer(asked)).await? {
            Outcome::Transferred(transferred) => Ok(transferred),
            _ => Err(unexpected()),
        }
    }

    async fn expunge_flagged(
        &self,
        mailbox: MailboxId,
        uids: &[Uid],
        flags: Flags,
        at: Timestamp,
    ) -> Result<Vec<Uid>, StoreError> {
        match self.submit(Op::Expunge { mailbox, uids: uids.to_vec(), flags, at }).await? {
            Outcome::Uids(uids) => Ok(uids),
            _ => Err(unexpected()),
        }
    }

    async fn vanished(&self, mailbox: MailboxId, since: ModSeq) -> Result<Vanished, StoreError> {
        let (reader, row) = self.row(mailbox).await?;
        if since < row.forgotten {
            return Ok(Vanished::Forgotten);
        }
        let ranges = blocking(|| reader.vanished(mailbox, since))?;
        let mut uids: Vec<Uid> =
            ranges.into_iter().flat_map(|(first, last)| (first.0..=last.0).map(Uid)).collect();
        uids.sort_unstable();
        uids.dedup();
        Ok(Vanished::These(uids))
    }

    async fn expunged(&self, account: AccountId) -> Result<Vec<Expunged>, StoreError> {
        self.shared.applied(self.shared.progress.of_removals()).await?;
        blocking(|| {
            let reader = self.shared.view.read()?;
            let mailboxes = reader.account_mailboxes(account)?;
            expunged::expunged(&reader, &mailboxes)
        })
    }

    async fn restore(
        &self,
        account: AccountId,
        messages: &[(MailboxId, Uid)],
        at: Timestamp,
    ) -> Result<usize, StoreError> {
        match self.submit(Op::Restore { account, messages: messages.to_vec(), at }).await? {
            Outcome::Count(count) => Ok(count),
            _ => Err(unexpected()),
        }
    }

    async fn purge_expunged(&self, before: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.shared.applied(self.shared.progress.of_removals()).await?;
        let asked = blocking(|| expunged::to_purge(&self.shared.view.read()?, before, limit))?;
        if asked.is_empty() {
            return Ok(0);
        }
        match self.submit(Op::Purge(asked)).await? {
            Outcome::Count(count) => Ok(count),
            _ => Err(unexpected()),
        }
    }

    async fn metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
    ) -> Result<Vec<Metadata>, StoreError> {
        if let Some(mailbox) = mailbox
            && self.row(mailbox).await?.1.now.account != account
        {
            return Err(StoreError::NoSuchMailbox);
        }
        self.shared.applied(self.shared.progress.of_personal()).await?;
        let entries = self.shared.view.read()?.entries_below(&EntryKey::annotations(account, mailbox))?;
        let found =
            entries.into_iter().map(|(name, value)| Metadata { name, value: Some(Bytes::from(value)) });
        Ok(found.collect())
    }

    async fn set_metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        changes: Vec<Metadata>,
    ) -> Result<(), StoreError> {
        self.submit(Op::SetMetadata { account, mailbox, changes }).await.map(drop)
    }

    fn watch(&self, account: AccountId) -> Watch {
        self.shared.watchers.watch(account)
    }
}
