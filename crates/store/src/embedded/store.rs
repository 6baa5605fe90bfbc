//! The traits of a store on [`Embedded`].

use async_trait::async_trait;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use types::directory::{AddressEntry, DomainEntry};
use types::{Domain, Envelope, MailId, Mailbox, Timestamp};

use super::bodies::Staged;
use super::committer::Work;
use super::core::{Accept, AcceptDelivery, AcceptItem, Op, Outcome, Transaction};
use super::directory::{EntryKey, EntryKind, KeyUse};
use super::queue::Unheard;
use super::record::{BodyPlace, Entry, Message};
use super::shared::closed;
use super::sync::blocking;
use super::{Embedded, envelope, queue, stream};
use crate::dkim::{DkimChange, DkimKeys};
use crate::{
    Acceptance, Accepted, Account, AccountChange, AccountId, Body, Delivery, Directory, ModSeq, NewAccount,
    Put, QueueClaim, QueueItem, QueueItemId, Replaced, Spool, StagedBody, Store, StoreError, StoredDkimKey,
    Uid, Usage,
};

impl Embedded {
    pub(super) async fn submit(&self, op: Op) -> Result<Outcome, StoreError> {
        let (reply, answer) = oneshot::channel();
        let work = Work::Commit(Transaction { op, reply });
        self.queue.send(work).await.map_err(|_| closed())?;
        answer.await.map_err(|_| closed())?
    }

    /// Encodes all that does not depend on its place in the log, so that the committer need not. Returns the items of
    /// the queue, too, that come back claimed.
    pub(super) fn prepare(&self, acceptance: Acceptance) -> Result<(Accept, Vec<QueueItem>), StoreError> {
        let Acceptance { mail_id, received_at, envelope, origin, body, deliveries, queue, .. } = acceptance;
        let (claim, idempotency) = (acceptance.claim, acceptance.idempotency);
        if queue.iter().any(|item| item.recipients.is_empty()) {
            return Err(StoreError::Conflict(format!("message {mail_id} has an item without a recipient")));
        }
        let (body, body_len, body_crc, file) = self.place(body)?;
        let priority = envelope.parameters.priority.unwrap_or(0);
        let items = (1..).zip(queue).map(|(part, new)| {
            let id = QueueItemId { mail_id, part };
            queue::new_item(id, new, received_at, priority, body_len)
        });
        let mut items: Vec<QueueItem> = items.collect();
        let encoded = items.iter().map(queue::EncodedItem::of).collect::<Vec<_>>();
        let envelope = envelope::encode(&envelope, &origin);
        let message = Message {
            mail_id,
            received_at,
            place: file.as_ref().map_or(BodyPlace::Inline, |file| BodyPlace::File(file.number)),
            body_len,
            body_crc,
            entries: deliveries.iter().map(|delivery| new_entry(delivery, received_at)).collect(),
            envelope: &envelope,
            key: idempotency.as_ref().map(|used| KeyUse {
                account: used.account,
                key: &used.key,
                expires_at: used.expires_at,
            }),
            queue: items.iter().zip(&encoded).map(|(item, encoded)| encoded.part(item)).collect(),
            is_carried: false,
        };
        let mut meta = Vec::with_capacity(128 + envelope.len() + (deliveries.len() + items.len()) * 160);
        message.encode(&mut meta);
        let deliveries = deliveries
            .iter()
            .map(|delivery| AcceptDelivery {
                mailbox: delivery.mailbox,
                header: delivery.header.clone(),
                flags: delivery.flags,
                internal_date: delivery.internal_date.unwrap_or(received_at),
            })
            .collect();
        let is_claimed = |item: &QueueItem| claim == QueueClaim::ByCaller && item.state.due_at <= received_at;
        let queue = items.iter().map(|item| AcceptItem {
            part: item.id.part,
            destination: item.destination.as_str().into(),
            is_claimed: is_claimed(item),
        });
        let queue = queue.collect();
        items.retain(is_claimed);
        let accept =
            Accept { mail_id, received_at, deliveries, queue, meta, body_len, body, file, idempotency };
        Ok((accept, items))
    }

    async fn put_entry<E: Serialize>(&self, key: EntryKey, entry: &E, put: Put) -> Result<(), StoreError> {
        let value = serde_json::to_vec(entry).map_err(|e| StoreError::Unavailable(e.to_string()))?;
        self.submit(Op::PutEntry { key, value, put }).await.map(drop)
    }

    async fn entry<E: DeserializeOwned>(&self, key: &EntryKey) -> Result<Option<E>, StoreError> {
        self.shared.applied(self.shared.progress.of_directory()).await?;
        let value = self.shared.view.read()?.directory(key)?;
        value.map(|value| read_entry(key, &value)).transpose()
    }

    async fn entries_of_kind<E: DeserializeOwned>(&self, kind: EntryKind) -> Result<Vec<E>, StoreError> {
        self.shared.applied(self.shared.progress.of_directory()).await?;
        let entries = self.shared.view.read()?.entries_of_kind(kind)?;
        entries.iter().map(|(key, value)| read_entry(key, value)).collect()
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

/// A delivery that has no UID yet.
fn new_entry(delivery: &Delivery, received_at: Timestamp) -> Entry<'_> {
    Entry {
        mailbox: delivery.mailbox,
        uid: Uid(0),
        modseq: ModSeq(0),
        flags: delivery.flags,
        internal_date: delivery.internal_date.unwrap_or(received_at),
        saved_at: received_at,
        header: &delivery.header,
    }
}

pub(super) fn read_entry<E: DeserializeOwned>(key: &EntryKey, value: &[u8]) -> Result<E, StoreError> {
    serde_json::from_slice(value).map_err(|e| StoreError::Damaged(format!("{}: {e}", key.as_str())))
}

/// An answer of another kind than what was asked, which no path leads to.
pub(super) fn unexpected() -> StoreError {
    StoreError::Unavailable("the committer answered something else".into())
}

#[async_trait]
impl Spool for Embedded {
    async fn accept(&self, acceptance: Acceptance) -> Result<Accepted, StoreError> {
        if acceptance.deliveries.is_empty() && acceptance.queue.is_empty() {
            return Ok(Accepted::nowhere(acceptance.mail_id));
        }
        let (accept, claimed) = self.prepare(acceptance)?;
        let unheard = Unheard::of(&self.shared, claimed.iter());
        let answer = self.submit(Op::Accept(Box::new(accept))).await;
        unheard.heard();
        let Outcome::Accepted(accepted) = answer? else { return Err(unexpected()) };
        Ok(accepted.with(claimed))
    }

    async fn accepted_before(
        &self,
        account: AccountId,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<MailId>, StoreError> {
        self.shared.applied(self.shared.progress.committed()).await?;
        let known = self.shared.view.read()?.key(account, key)?;
        Ok(known.filter(|row| row.expires_at > now).map(|row| row.mail_id))
    }

    async fn append(
        &self,
        messages: Vec<Acceptance>,
        replaces: Option<Replaced>,
    ) -> Result<Vec<Accepted>, StoreError> {
        let (mut prepared, mut claimed) = (Vec::with_capacity(messages.len()), Vec::new());
        for message in messages {
            let (accept, items) = self.prepare(message)?;
            prepared.push(accept);
            claimed.push(items);
        }
        let unheard = Unheard::of(&self.shared, claimed.iter().flatten());
        let answer = self.submit(Op::Append { messages: prepared, replaces }).await;
        unheard.heard();
        let Outcome::Settled(_, accepted) = answer? else { return Err(unexpected()) };
        Ok(accepted.into_iter().zip(claimed).map(|(accepted, claimed)| accepted.with(claimed)).collect())
    }

    async fn envelope(&self, mail_id: MailId) -> Result<Option<(Envelope, String)>, StoreError> {
        let removals = self.shared.progress.of_removals();
        self.shared.applied(self.shared.lately.of(mail_id).max(removals)).await?;
        blocking(|| stream::envelope(&self.shared, mail_id))
    }

    async fn stage(&self) -> Result<Box<dyn StagedBody>, StoreError> {
        Ok(Box::new(blocking(|| Staged::create(&self.shared))?))
    }
}

#[async_trait]
impl Directory for Embedded {
    async fn create_account(&self, account: NewAccount) -> Result<Account, StoreError> {
        match self.submit(Op::CreateAccount(account.into())).await? {
            Outcome::Account(account) => Ok(*account),
            _ => Err(unexpected()),
        }
    }

    async fn change_account(&self, account: AccountId, change: AccountChange) -> Result<Account, StoreError> {
        match self.submit(Op::ChangeAccount { account, change: change.into() }).await? {
            Outcome::Account(account) => Ok(*account),
            _ => Err(unexpected()),
        }
    }

    async fn remove_account(&self, account: AccountId) -> Result<(), StoreError> {
        self.submit(Op::RemoveAccount(account)).await.map(drop)
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

    async fn account_usage(&self, account: AccountId) -> Result<Usage, StoreError> {
        self.shared.applied(self.shared.progress.of_directory()).await?;
        self.shared.view.read()?.account(account)?.ok_or(StoreError::NoSuchAccount)?;
        let mut usage = Usage::default();
        for row in self.listed(account).await? {
            usage.messages += row.counts.messages;
            usage.size_bytes += row.counts.size_bytes;
        }
        Ok(usage)
    }

    async fn put_domain(&self, entry: DomainEntry, put: Put) -> Result<(), StoreError> {
        self.put_entry(EntryKey::domain(&entry.domain), &entry, put).await
    }

    async fn remove_domain(&self, domain: &Domain) -> Result<(), StoreError> {
        self.submit(Op::RemoveEntry(EntryKey::domain(domain))).await.map(drop)
    }

    async fn domain(&self, domain: &Domain) -> Result<Option<DomainEntry>, StoreError> {
        self.entry(&EntryKey::domain(domain)).await
    }

    async fn domains(&self) -> Result<Vec<DomainEntry>, StoreError> {
        self.entries_of_kind(EntryKind::Domain).await
    }

    async fn put_address(&self, entry: AddressEntry, put: Put) -> Result<(), StoreError> {
        self.put_entry(EntryKey::address(&entry.address), &entry, put).await
    }

    async fn remove_address(&self, address: &Mailbox) -> Result<(), StoreError> {
        self.submit(Op::RemoveEntry(EntryKey::address(address))).await.map(drop)
    }

    async fn address(&self, address: &Mailbox) -> Result<Option<AddressEntry>, StoreError> {
        self.entry(&EntryKey::address(address)).await
    }

    async fn addresses(&self) -> Result<Vec<AddressEntry>, StoreError> {
        self.entries_of_kind(EntryKind::Address).await
    }

    async fn put_dkim_keys(&self, keys: Vec<StoredDkimKey>) -> Result<(), StoreError> {
        let Some(domain) = keys.first().map(|stored| stored.key.domain.clone()) else { return Ok(()) };
        if keys.iter().any(|stored| stored.key.domain != domain) {
            return Err(StoreError::Conflict("keys of several domains are not put at once".into()));
        }
        let change = Box::new(DkimChange::Put(keys));
        self.submit(Op::ChangeDkim { key: EntryKey::dkim(&domain), change }).await.map(drop)
    }

    async fn remove_dkim_key(&self, domain: &Domain, selector: &str) -> Result<(), StoreError> {
        let change = Box::new(DkimChange::Remove(selector.to_owned()));
        self.submit(Op::ChangeDkim { key: EntryKey::dkim(domain), change }).await.map(drop)
    }

    async fn dkim_keys(&self, domain: &Domain) -> Result<Vec<StoredDkimKey>, StoreError> {
        let keys: Option<DkimKeys> = self.entry(&EntryKey::dkim(domain)).await?;
        Ok(keys.unwrap_or_default().keys)
    }

    async fn all_dkim_keys(&self) -> Result<Vec<StoredDkimKey>, StoreError> {
        let domains: Vec<DkimKeys> = self.entries_of_kind(EntryKind::Dkim).await?;
        Ok(domains.into_iter().flat_map(|domain| domain.keys).collect())
    }

    fn directory_version(&self) -> u64 {
        // Set before a change is answered, and read by who reads the directory.
        self.shared.progress.of_directory().0
    }
}

impl Store for Embedded {
    fn fatal_error(&self) -> Option<String> {
        self.shared.fatal.borrow().clone()
    }

    fn knows(&self, mail_id: MailId) -> bool {
        // First what may not be applied yet: what leaves there is in the view already.
        self.shared.lately.is_stored(mail_id, self.shared.progress.applied())
            || self.shared.view.read().and_then(|reader| reader.lives(mail_id)).unwrap_or(false)
    }
}
