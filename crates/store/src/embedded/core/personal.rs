//! What an account has for itself beside messages: names that it subscribed to, and annotations (RFC 5464).

use super::super::directory::EntryKey;
use super::super::log::Batch;
use super::super::record::Lsn;
use super::super::view::Reader;
use super::folders::canonical;
use super::transact::Done;
use super::{Outcome, State};
use crate::{AccountId, Change, MailboxId, Metadata, StoreError, Subscription};

/// Names that an account may subscribe to.
pub(super) const SUBSCRIPTIONS_MAX: usize = 10_000;
/// Annotations of a mailbox, or of an account itself.
const ANNOTATIONS_MAX: usize = 1000;
/// Octets of the value of one.
const ANNOTATION_BYTES_MAX: usize = 64 * 1024;

impl State {
    pub(super) fn subscribe(
        &mut self,
        account: AccountId,
        name: &str,
        subscription: Subscription,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        self.account(account, reader)?.ok_or(StoreError::NoSuchAccount)?;
        let name = canonical(name);
        let prefix = EntryKey::subscriptions(account);
        let key = prefix.clone().named(&name);
        let is_subscribed = subscription == Subscription::On;
        if self.directory(&key, reader)?.is_some() == is_subscribed {
            return Ok(Outcome::Done);
        }
        if is_subscribed && self.directory_below(&prefix, reader)?.len() >= SUBSCRIPTIONS_MAX {
            return Err(StoreError::Conflict(format!(
                "an account subscribes to {SUBSCRIPTIONS_MAX} names at most"
            )));
        }
        self.set_personal(key, is_subscribed.then(Vec::new), batch);
        self.tell(account, || Change::Subscription { name, is_subscribed });
        Ok(Outcome::Done)
    }

    /// Of an account that is new.
    pub(super) fn subscribe_to(&mut self, account: AccountId, name: &str, batch: &mut Batch) {
        self.set_personal(EntryKey::subscriptions(account).named(name), Some(Vec::new()), batch);
    }

    pub(super) fn set_metadata(
        &mut self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        changes: Vec<Metadata>,
        reader: &Reader,
        batch: &mut Batch,
    ) -> Done {
        self.account(account, reader)?.ok_or(StoreError::NoSuchAccount)?;
        if let Some(mailbox) = mailbox
            && self.listed(mailbox, batch.end(), reader)?.account != account
        {
            return Err(StoreError::NoSuchMailbox);
        }
        let prefix = EntryKey::annotations(account, mailbox);
        let mut after = self.directory_below(&prefix, reader)?;
        let before = after.clone();
        for Metadata { name, value } in &changes {
            match value {
                Some(value) if value.len() > ANNOTATION_BYTES_MAX => {
                    let text = format!("an annotation has {ANNOTATION_BYTES_MAX} octets at most");
                    return Err(StoreError::Conflict(text));
                }
                Some(value) => drop(after.insert(name.clone(), value.to_vec())),
                None => drop(after.remove(name)),
            }
        }
        if after.len() > ANNOTATIONS_MAX.max(before.len()) {
            return Err(StoreError::Conflict(format!("there are {ANNOTATIONS_MAX} annotations at most")));
        }
        let first = batch.len();
        let mut names = Vec::new();
        for Metadata { name, .. } in changes {
            let now = after.get(&name);
            if now != before.get(&name) && !names.contains(&name) {
                self.set_personal(prefix.clone().named(&name), now.cloned(), batch);
                names.push(name);
            }
        }
        if names.is_empty() {
            return Ok(Outcome::Done);
        }
        if let Some(id) = mailbox {
            // RFC 7162 §3.2: who comes back sees by HIGHESTMODSEQ that something is otherwise.
            self.next_modseq(id, batch.end(), reader)?;
            let state = self.mailbox(id, batch.end(), reader)?.clone();
            self.tell_mailbox(&state, reader);
            self.log_mailbox(state, batch);
        }
        batch.tie(first);
        self.tell(account, || Change::Metadata { mailbox, names });
        Ok(Outcome::Done)
    }

    fn set_personal(&mut self, key: EntryKey, value: Option<Vec<u8>>, batch: &mut Batch) {
        let since = if value.is_some() { Lsn(0) } else { batch.end() };
        self.log_entry(key, value, since, batch);
    }
}
