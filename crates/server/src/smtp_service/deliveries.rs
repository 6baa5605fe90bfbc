//! From recipients to mailboxes: one copy for each, with what its way adds on top.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use mta::admission::Client;
use mta::admission::recipient::MailboxState;
use mta::list::{fields, may_post, reverse_path};
use mta::resolve::{DEPTH_MAX, LeadsTo, Target, in_words};
use mta::trace_fields::delivery;
use smtp::server::Transaction;
use store::{Account, Delivery, Flags, MailboxId, StoreError};
use types::directory::MailingList;
use types::{EventStep, ForwardPath, Mailbox, ReversePath};

use super::recipients::mailbox_state;
use crate::directory::Route;
use crate::shared::Shared;
use crate::timeline::Timeline;

/// The copies of one message.
pub(super) struct Deliveries<'a> {
    shared: &'a Shared,
    client: Client<'a>,
    reverse_path: &'a ReversePath,
    size_bytes: u64,
    seen: HashSet<MailboxId>,
    all: Vec<Delivery>,
    notes: Vec<(String, String)>,
}

/// Copies that the trace names one by one; of more it has the number.
const TOLD_MAX: usize = 20;

impl<'a> Deliveries<'a> {
    pub(super) fn new(
        shared: &'a Shared,
        client: Client<'a>,
        reverse_path: &'a ReversePath,
        size_bytes: u64,
    ) -> Self {
        Self {
            shared,
            client,
            reverse_path,
            size_bytes,
            seen: HashSet::new(),
            all: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// One delivery for each mailbox, however many recipients lead to it: first the direct ones, then those of lists.
    pub(super) async fn of(
        mut self,
        transaction: &Transaction<Arc<Route>>,
        timeline: &mut Timeline,
    ) -> Result<Vec<Delivery>, StoreError> {
        for recipient in &transaction.recipients {
            let is_single = recipient.route.targets.len() == 1;
            for target in &recipient.route.targets {
                if let LeadsTo::Account { account, .. } = &target.leads_to {
                    let header = delivery(self.reverse_path, &recipient.forward_path, &self.shared.host_name);
                    let way = way(target);
                    self.copy(account, is_single, header, way).await?;
                }
            }
        }
        for recipient in &transaction.recipients {
            for (address, list) in recipient.route.lists() {
                self.post(address, list, &mut Vec::new()).await?;
            }
        }
        let told = self.notes.len().min(TOLD_MAX);
        for (address, way) in self.notes.drain(..told) {
            timeline.note_about(EventStep::Delivered, address, way);
        }
        if self.all.len() > told {
            timeline.note(EventStep::Delivered, format!("and {} copies more", self.all.len() - told));
        }
        Ok(self.all)
    }

    /// A copy for an account. `is_single` where it is all that its recipient leads to: RCPT has decided about it.
    async fn copy(
        &mut self,
        account: &Account,
        is_single: bool,
        header: String,
        way: String,
    ) -> Result<(), StoreError> {
        if self.seen.contains(&account.inbox) {
            return Ok(());
        }
        if !is_single
            && let MailboxState::Disabled(_) =
                mailbox_state(self.shared, account, Some(self.size_bytes)).await?
        {
            self.notes.push((account.name.clone(), format!("no copy: the account is disabled{way}")));
            return Ok(());
        }
        self.seen.insert(account.inbox);
        self.notes.push((account.name.clone(), format!("into INBOX{way}")));
        let header = Bytes::from(header);
        self.all.push(Delivery { mailbox: account.inbox, header, flags: Flags::NONE });
        Ok(())
    }

    /// Copies for the members of a list; `within` are the lists that it came by.
    async fn post(
        &mut self,
        address: &Mailbox,
        list: &MailingList,
        within: &mut Vec<Mailbox>,
    ) -> Result<(), StoreError> {
        let store = &*self.shared.store;
        let route = self.shared.directory.members(store, address, list, within).await?;
        let list_fields = fields(address, list);
        let mut lists = Vec::new();
        for target in &route.targets {
            let member = target.path.get(within.len() + 1).map_or(address, |step| &step.address);
            match &target.leads_to {
                LeadsTo::Account { account, .. } => {
                    let sender = reverse_path(address, list, member);
                    let to = ForwardPath::Mailbox(address.clone());
                    let mut header = delivery(&sender, &to, &self.shared.host_name);
                    header.push_str(&list_fields);
                    self.copy(account, false, header, format!(" as a member of {address}")).await?;
                }
                LeadsTo::List { address, list } => lists.push((address.clone(), list.clone())),
                LeadsTo::Foreign(mailbox) => {
                    self.notes.push((mailbox.to_string(), "no copy: mail does not leave this host".into()));
                }
            }
        }
        within.push(address.clone());
        for (inner, list) in lists {
            if within.len() >= DEPTH_MAX {
                self.notes.push((inner.to_string(), "no copy: too many lists in lists".into()));
            } else if may_post(&list, self.reverse_path, &self.client) {
                Box::pin(self.post(&inner, &list, within)).await?;
            } else {
                self.notes.push((inner.to_string(), "no copy: the sender may not post to this list".into()));
            }
        }
        within.pop();
        Ok(())
    }
}

/// How the address that was said leads to the mailbox, where that is not plain.
fn way<A>(target: &Target<A>) -> String {
    if target.path.len() <= 1 { String::new() } else { format!(" by {}", in_words(&target.path)) }
}
