//! From recipients to mailboxes: one copy for each, with what its way adds on top.

use std::collections::HashSet;
use std::sync::Arc;

use bytes::Bytes;
use mta::admission::Client;
use mta::list::{fields, may_post, reverse_path};
use mta::resolve::{Addressed, DEPTH_MAX, LeadsTo, Target, in_words};
use mta::trace_fields::delivery;
use smtp::server::Transaction;
use store::{Account, Delivery, Flags, MailboxId, StoreError};
use types::directory::{AccountStatus, MailingList, key};
use types::{EventStep, ForwardPath, Mailbox, ReversePath};

use crate::directory::Route;
use crate::shared::Shared;
use crate::timeline::Timeline;

/// The copies of one message.
pub(super) struct Deliveries<'a> {
    shared: &'a Shared,
    client: Client<'a>,
    reverse_path: &'a ReversePath,
    seen: HashSet<MailboxId>,
    /// Lists that were posted to: there may be many ways to one.
    posted: HashSet<String>,
    all: Vec<Delivery>,
    notes: Notes,
}

/// What the trace is told of copies, and of those that there are not.
#[derive(Default)]
pub(super) struct Notes {
    told: Vec<(String, String)>,
    more: usize,
}

/// Copies that the trace names one by one; of more it has the number.
const TOLD_MAX: usize = 20;

impl Notes {
    fn add(&mut self, address: impl ToString, what: impl Into<String>) {
        if self.told.len() < TOLD_MAX {
            self.told.push((address.to_string(), what.into()));
        } else {
            self.more += 1;
        }
    }

    /// Only what was stored is told as such: this comes after the commit.
    pub(super) fn tell(self, timeline: &mut Timeline) {
        for (address, what) in self.told {
            timeline.note_about(EventStep::Delivered, address, what);
        }
        if self.more > 0 {
            timeline.note(EventStep::Delivered, format!("and {} more", self.more));
        }
    }
}

impl<'a> Deliveries<'a> {
    pub(super) fn new(shared: &'a Shared, client: Client<'a>, reverse_path: &'a ReversePath) -> Self {
        Self {
            shared,
            client,
            reverse_path,
            seen: HashSet::new(),
            posted: HashSet::new(),
            all: Vec::new(),
            notes: Notes::default(),
        }
    }

    /// One delivery for each mailbox, however many recipients lead to it: first the direct ones, then those of lists.
    /// `is_for` says for which recipients, by their index.
    pub(super) async fn of(
        mut self,
        transaction: &Transaction<Arc<Route>>,
        is_for: impl Fn(usize) -> bool,
    ) -> Result<(Vec<Delivery>, Notes), StoreError> {
        let recipients = || transaction.recipients.iter().enumerate().filter(|(index, _)| is_for(*index));
        for (_, recipient) in recipients() {
            let is_decided =
                recipient.route.targets.len() == 1 || recipient.route.addressed == Addressed::Role;
            for target in &recipient.route.targets {
                if let LeadsTo::Account { account, .. } = &target.leads_to {
                    let header = delivery(self.reverse_path, &recipient.forward_path, &self.shared.host_name);
                    let way = way(target);
                    self.copy(account, is_decided, header, &way);
                }
            }
        }
        for (_, recipient) in recipients() {
            for (address, list) in recipient.route.lists() {
                self.post(address, list, &mut Vec::new()).await?;
            }
        }
        Ok((self.all, self.notes))
    }

    /// A copy for an account. `is_decided` where RCPT has decided about it: it is all that its recipient leads to, or
    /// the postmaster, who is always reached.
    fn copy(&mut self, account: &Account, is_decided: bool, header: String, way: &str) {
        if self.seen.contains(&account.inbox) {
            return;
        }
        if !is_decided && account.settings.status != AccountStatus::Active {
            return self.notes.add(&account.name, format!("no copy: the account is disabled{way}"));
        }
        self.seen.insert(account.inbox);
        self.notes.add(&account.name, format!("into INBOX{way}"));
        let header = Bytes::from(header);
        self.all.push(Delivery { mailbox: account.inbox, header, flags: Flags::NONE });
    }

    /// Copies for the members of a list; `within` are the lists that it came by.
    async fn post(
        &mut self,
        address: &Mailbox,
        list: &MailingList,
        within: &mut Vec<Mailbox>,
    ) -> Result<(), StoreError> {
        if !self.posted.insert(key(address)) {
            return Ok(());
        }
        let store = &*self.shared.store;
        let route = self.shared.directory.members(store, address, list, within).await?;
        if route.targets.is_empty() {
            self.notes.add(address, "no copy: the list leads to nobody");
        }
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
                    self.copy(account, false, header, &format!(" as a member of {address}"));
                }
                LeadsTo::List { address, list } => lists.push((address.clone(), list.clone())),
                LeadsTo::Foreign(mailbox) => {
                    self.notes.add(mailbox, "no copy: mail does not leave this host");
                }
            }
        }
        within.push(address.clone());
        for (inner, list) in lists {
            if within.len() >= DEPTH_MAX {
                self.notes.add(&inner, "no copy: too many lists in lists");
            } else if may_post(&list, self.reverse_path, &self.client) {
                Box::pin(self.post(&inner, &list, within)).await?;
            } else {
                self.notes.add(&inner, "no copy: the sender may not post to this list");
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
