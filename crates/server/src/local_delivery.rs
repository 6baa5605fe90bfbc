//! What becomes of a message for its recipients: copies in mailboxes here, and items of the queue for other hosts.
//!
//! Three come by here: a message that was just accepted, one that was held for its sender and whose time has come
//! ([`release`]), and a report ([`report`]). Where a recipient leads was found out before ([`crate::directory`]).
//!
//! Standards: RFC 5321 §3.9 (aliases keep the reverse-path, lists have their own), RFC 3461 §5.2.7 (what becomes of
//! NOTIFY, ORCPT, ENVID and RET on the way through aliases and lists), RFC 9228 (`Delivered-To`, by which a forwarded
//! message is known when it comes back).

mod forwarding;
mod notes;
mod notify;
mod quota;
mod report;
mod rewriting;
mod waiting;

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use mta::admission::Client;
use mta::filing::{FilingFacts, wish};
use mta::list::author::{Authorship, why_rewritten};
use mta::list::{fields, may_post, reverse_path};
use mta::resolve::{Addressed, DEPTH_MAX, LeadsTo, Target, in_words};
use mta::srs;
use mta::trace_fields::delivery;
use store::{Account, Delivery, Destination, Flags, MailboxId, NewQueueItem, QueueItem, StoreError};
use types::directory::{AccountStatus, ListBounces, MailingList, key};
use types::{
    Domain, Envelope, EnvelopeRecipient, EventStep, ForwardPath, Host, MailParameters, Mailbox, RecipientDsn,
    ReversePath, Timestamp,
};

pub(crate) use notes::Notes;
pub(crate) use quota::{Limits, Rooms, over_quota_outcome, over_quota_policy, rooms_of_held};
pub(crate) use report::{Source, Success, language_for, postmaster, report, success_reports};
pub(crate) use rewriting::{ListMessage, Rewritten, list_messages};

use crate::directory::Route;
use crate::filing;
use crate::shared::Shared;
use forwarding::Forwarding;
use notify::{after_alias, after_expansion, success_of};
use rewriting::put_apart;
pub(crate) use waiting::{By, Leaving};
use waiting::{Group, Waiting};

/// A recipient, and where it leads.
#[derive(Clone, Copy)]
pub(crate) struct Addressee<'a> {
    pub(crate) forward_path: &'a ForwardPath,
    pub(crate) dsn: &'a RecipientDsn,
    pub(crate) route: &'a Route,
}

/// What becomes of a message.
#[derive(Default)]
pub(crate) struct Distribution {
    /// No mailbox twice.
    pub(crate) deliveries: Vec<Delivery>,
    /// No recipient twice with the same reverse-path.
    pub(crate) queue: Vec<Leaving>,
    /// Copies of lists that show the list as their author.
    pub(crate) rewritten: Vec<Rewritten>,
    /// For the trace, once it is stored.
    pub(crate) notes: Notes,
    /// What the sender wants to hear of; by the index of the addressee.
    pub(crate) successes: Vec<(usize, Success)>,
}

impl Distribution {
    /// Puts fields over the message in each copy, below those of its delivery. They are not of the body, which is written before
    /// all of them are known.
    pub(crate) fn put_on_top(&mut self, fields: &str) {
        if fields.is_empty() {
            return;
        }
        let Self { deliveries, queue, rewritten, .. } = self;
        let put = |deliveries: &mut [Delivery], queue: &mut [Leaving]| {
            let headers = deliveries.iter_mut().map(|delivery| &mut delivery.header);
            for header in headers.chain(queue.iter_mut().map(|leaving| &mut leaving.item.header)) {
                *header = [&header[..], fields.as_bytes()].concat().into();
            }
        };
        put(deliveries, queue);
        for list in rewritten {
            put(&mut list.deliveries, &mut list.queue);
        }
    }

    /// Whether nobody gets anything.
    pub(crate) const fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.queue.is_empty() && self.rewritten.is_empty()
    }
}

/// Finds out what becomes of one message.
pub(crate) struct Distributor<'a> {
    shared: &'a Shared,
    client: Client<'a>,
    reverse_path: &'a ReversePath,
    authorship: Authorship,
    /// Domains in `From` that nothing proves.
    claimed: &'a [Domain],
    /// Why policy takes the message as suspicious.
    suspicion: Option<&'a str>,
    /// INBOXes of accounts that get a copy.
    seen: HashSet<MailboxId>,
    /// Lists that were posted to: there may be many ways to one.
    posted: HashSet<String>,
    waiting: Waiting,
    done: Distribution,
}

impl<'a> Distributor<'a> {
    /// For a message from `reverse_path`, by a client that matters to lists. Other hosts get it from `due_at` on.
    pub(crate) fn new(
        shared: &'a Shared,
        client: Client<'a>,
        reverse_path: &'a ReversePath,
        due_at: Timestamp,
    ) -> Self {
        Self {
            shared,
            client,
            reverse_path,
            authorship: Authorship::Ours,
            claimed: &[],
            suspicion: None,
            seen: HashSet::new(),
            posted: HashSet::new(),
            waiting: Waiting::new(reverse_path.clone(), due_at),
            done: Distribution::default(),
        }
    }

    /// What is known of the author, where it is not one of ours; and the domains in `From` that nothing proves.
    pub(crate) fn written_by(mut self, authorship: Authorship, claimed: &'a [Domain]) -> Self {
        (self.authorship, self.claimed) = (authorship, claimed);
        self
    }

    /// Why policy takes it as suspicious, where it does.
    pub(crate) const fn suspected(mut self, suspicion: Option<&'a str>) -> Self {
        self.suspicion = suspicion;
        self
    }

    /// One copy for each account and each address elsewhere, however many recipients lead to it: first the direct ones,
    /// then those of lists.
    pub(crate) async fn distribute(
        mut self,
        addressees: &[Addressee<'_>],
    ) -> Result<Distribution, StoreError> {
        let Self { shared, client, reverse_path, claimed, .. } = self;
        let forwarding = Forwarding::of(shared, client, reverse_path, claimed, addressees).await?;
        for (index, addressee) in addressees.iter().enumerate() {
            match addressee.route.addressed {
                Addressed::Foreign => self.relay(addressee),
                _ => self.deliver(addressee, &forwarding).await?,
            }
            let success = success_of(addressee.route).filter(|_| notify::wants_success(addressee.dsn));
            self.done.successes.extend(success.map(|success| (index, success)));
        }
        for addressee in addressees {
            for (address, list) in addressee.route.lists() {
                if *self.reverse_path == ReversePath::Null {
                    // RFC 5321 §4.5.5: it would go to all members.
                    self.done.notes.add(EventStep::Discarded, address, "no copy: a list takes no reports");
                } else {
                    self.post(address, list, &mut Vec::new()).await?;
                }
            }
        }
        self.done.queue = put_apart(self.waiting.into_items(), &mut self.done.rewritten);
        self.done.rewritten.retain(|list| !list.is_empty());
        Ok(self.done)
    }

    /// What its sender asks for goes on as it is (RFC 3461 §5.2.1).
    fn relay(&mut self, addressee: &Addressee<'_>) {
        let Some(mailbox) = addressee.forward_path.mailbox() else { return };
        self.wait(mailbox, addressee.dsn.clone(), Group::Direct, "");
    }

    /// To an address here, whoever gets its mail.
    async fn deliver(
        &mut self,
        addressee: &Addressee<'_>,
        forwarding: &Forwarding<'_>,
    ) -> Result<(), StoreError> {
        let route = addressee.route;
        let is_decided = route.targets.len() == 1 || route.addressed == Addressed::Role;
        for target in &route.targets {
            match &target.leads_to {
                LeadsTo::Account { account, detail, .. } => {
                    let header = delivery(self.reverse_path, addressee.forward_path, &self.shared.host_name);
                    let facts = FilingFacts {
                        detail: detail.as_deref(),
                        suspicion: self.suspicion,
                        is_for_role: route.addressed == Addressed::Role,
                    };
                    let copy = self.copy(account, is_decided, header, &way(target), &facts).await?;
                    self.done.deliveries.extend(copy);
                }
                // A bounce goes on to the sender as if it had been addressed so.
                LeadsTo::Foreign(mailbox) if matches!(route.addressed, Addressed::WayBack { .. }) => {
                    self.wait(mailbox, addressee.dsn.clone(), Group::Direct, &way(target));
                }
                LeadsTo::Foreign(mailbox) => {
                    let dsn = match route.targets.len() {
                        1 => after_alias(addressee),
                        _ => after_expansion(addressee),
                    };
                    let (reverse_path, words) = forwarding.rewritten(addressee.forward_path);
                    let group = self.waiting.forwarded(addressee.forward_path, reverse_path);
                    self.wait(mailbox, dsn, group, &(way(target) + &words));
                }
                LeadsTo::List { .. } => {}
            }
        }
        Ok(())
    }

    /// A copy for an account. `is_decided` where RCPT has decided about it: it is all that its recipient leads to, or
    /// the postmaster, who is always reached.
    async fn copy(
        &mut self,
        account: &Account,
        is_decided: bool,
        header: String,
        way: &str,
        facts: &FilingFacts<'_>,
    ) -> Result<Option<Delivery>, StoreError> {
        if self.seen.contains(&account.inbox) {
            return Ok(None);
        }
        let notes = &mut self.done.notes;
        if !is_decided && account.settings.status != AccountStatus::Active {
            let why = format!("no copy: the account is disabled{way}");
            notes.add(EventStep::Delivered, &account.name, why);
            return Ok(None);
        }
        self.seen.insert(account.inbox);
        let Shared { config, .. } = self.shared;
        let wish = wish(filing::policy(&config.mailboxes), facts);
        let filed = filing::file(self.shared, account, wish, self.shared.now()).await?;
        self.done.notes.add(EventStep::Delivered, &account.name, format!("into {}{way}", filed.words));
        let header = Bytes::from(header);
        Ok(Some(Delivery { mailbox: filed.mailbox, header, flags: Flags::NONE, internal_date: None }))
    }

    fn wait(&mut self, mailbox: &Mailbox, dsn: RecipientDsn, group: Group, way: &str) {
        if self.waiting.add(mailbox, dsn, group) {
            self.done.notes.add(EventStep::Queued, mailbox, format!("for {}{way}", mailbox.host));
        }
    }

    /// Where the copies of a list go, if they show the list as their author.
    fn rewritten(&mut self, address: &Mailbox, list: &MailingList) -> Option<usize> {
        let why = why_rewritten(list.from, &self.authorship)?;
        let notes = &mut self.done.notes;
        if address.to_ascii().is_none() {
            let kept = format!("From stays, since the list's address needs SMTPUTF8: {why}");
            notes.add(EventStep::Content, address, kept);
            return None;
        }
        notes.add(EventStep::Content, address, format!("From shows the list: {why}"));
        self.done.rewritten.push(Rewritten::of(address.clone()));
        Some(self.done.rewritten.len() - 1)
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
            self.done.notes.add(EventStep::Delivered, address, "no copy: the list leads to nobody");
        }
        let rewritten = self.rewritten(address, list);
        let list_fields = fields(address, list);
        let shared_header = Bytes::from(list_fields.clone());
        let mut owner_group = None;
        let way = format!(" as a member of {address}");
        let mut lists = Vec::new();
        for target in &route.targets {
            let member = target.path.get(within.len() + 1).map_or(address, |step| &step.address);
            match &target.leads_to {
                LeadsTo::Account { account, .. } => {
                    let sender = reverse_path(address, list, member);
                    let to = ForwardPath::Mailbox(address.clone());
                    let mut header = delivery(&sender, &to, &self.shared.host_name);
                    header.push_str(&list_fields);
                    // Members have chosen no subaddress for the list.
                    let facts = FilingFacts { detail: None, suspicion: self.suspicion, is_for_role: false };
                    let copy = self.copy(account, false, header, &way, &facts).await?;
                    match rewritten {
                        Some(list) => self.done.rewritten[list].deliveries.extend(copy),
                        None => self.done.deliveries.extend(copy),
                    }
                }
                LeadsTo::List { address, list } => lists.push((address.clone(), list.clone())),
                LeadsTo::Foreign(mailbox) => {
                    let mut of_list = || {
                        let sender = reverse_path(address, list, member);
                        self.waiting.group(sender, shared_header.clone(), By::List(address.clone()))
                    };
                    let group = match list.bounces {
                        ListBounces::Verp => of_list(),
                        ListBounces::Owner => *owner_group.get_or_insert_with(of_list),
                    };
                    // RFC 3461 §5.2.7.1: nothing of what the poster asked for.
                    self.wait(mailbox, RecipientDsn::default(), group, &way);
                }
            }
        }
        within.push(address.clone());
        for (inner, list) in lists {
            let refused = if within.len() >= DEPTH_MAX {
                "no copy: too many lists in lists"
            } else if may_post(&list, self.reverse_path, &self.client) {
                Box::pin(self.post(&inner, &list, within)).await?;
                continue;
            } else {
                "no copy: the sender may not post to this list"
            };
            self.done.notes.add(EventStep::Delivered, &inner, refused);
        }
        within.pop();
        Ok(())
    }
}

/// How the address that was said leads to the target, where that is not plain.
fn way<A>(target: &Target<A>) -> String {
    if target.path.len() <= 1 { String::new() } else { format!(" by {}", in_words(&target.path)) }
}

/// Items of a message that waits at its sender's wish (RFC 4865): recipients here and elsewhere as they were said, each
/// once, to be looked up when the time has come.
pub(crate) fn held(
    shared: &Shared,
    reverse_path: &ReversePath,
    addressees: &[Addressee<'_>],
    due_at: Timestamp,
) -> Distribution {
    let mut done = Distribution::default();
    // Addresses that were said before: which item, and which recipient of it.
    let mut seen: HashMap<String, (usize, usize)> = HashMap::new();
    for addressee in addressees {
        let name = addressee.forward_path.mailbox().map(key).unwrap_or_default();
        if let Some(&(item, recipient)) = seen.get(&name) {
            notify::merge(&mut done.queue[item].item.recipients[recipient], addressee.dsn.clone());
            continue;
        }
        let destination = match (&addressee.route.addressed, addressee.forward_path.mailbox()) {
            (Addressed::Foreign, Some(mailbox)) => Destination::of(&mailbox.host),
            _ => here(shared),
        };
        let recipient =
            EnvelopeRecipient { forward_path: addressee.forward_path.clone(), dsn: addressee.dsn.clone() };
        done.notes.add(
            EventStep::Queued,
            recipient.forward_path.to_string().trim_matches(['<', '>']),
            format!("held until {due_at} at its sender's wish"),
        );
        let at = done.queue.iter().position(|leaving| leaving.item.destination == destination);
        let at = at.unwrap_or_else(|| {
            let item = NewQueueItem {
                destination,
                reverse_path: reverse_path.clone(),
                header: Bytes::new(),
                recipients: Vec::new(),
                due_at,
            };
            done.queue.push(Leaving { item, by: By::Sender });
            done.queue.len() - 1
        });
        let recipients = &mut done.queue[at].item.recipients;
        seen.insert(name, (at, recipients.len()));
        recipients.push(recipient);
    }
    done
}

/// Under which destination items wait whose recipients are here: the name of this host, which is always its own.
pub(crate) fn here(shared: &Shared) -> Destination {
    Destination::of(&Host::Domain(shared.config.host_name.clone()))
}

/// Whether the recipients of an item are here: it is no matter of routes and connections, but of [`release`]. Their
/// domain may have become one of ours while they waited, or an operator may have sent them here: our own MX record would
/// make that a loop.
pub(crate) async fn is_here(shared: &Shared, destination: &Destination) -> bool {
    if *destination == here(shared) {
        return true;
    }
    let Ok(domain) = destination.as_str().parse() else { return false };
    matches!(shared.directory.domain(&*shared.store, &domain).await, Ok(Some(_)))
}

/// What a held item comes to.
pub(crate) struct Released {
    /// For those who are still there; by the index of the undecided recipient.
    pub(crate) distribution: Distribution,
    /// Those who are not there any more, by their index.
    pub(crate) lost: Vec<usize>,
}

/// Looks up the recipients of a held item (see [`is_here`]). The caller settles the item and stores the message for the
/// distribution in one step.
pub(crate) async fn release(
    shared: &Shared,
    item: &QueueItem,
    now: Timestamp,
) -> Result<Released, StoreError> {
    let recipients = &item.state.recipients;
    let mut routes = Vec::new();
    for queued in recipients {
        routes.push(shared.directory.route(&*shared.store, &queued.recipient.forward_path).await?);
    }
    let mut lost = Vec::new();
    let mut indices = Vec::new();
    let mut addressees = Vec::new();
    for (index, (queued, route)) in recipients.iter().zip(&routes).enumerate() {
        if route.targets.is_empty() {
            lost.push(index);
            continue;
        }
        indices.push(index);
        let EnvelopeRecipient { forward_path, dsn } = &queued.recipient;
        addressees.push(Addressee { forward_path, dsn, route });
    }
    // Whether its sender may post to a list was decided when it came; of lists within that list, a stranger's word
    // counts, since who it was is no longer known.
    let distributor = Distributor::new(shared, Client::Stranger, &item.reverse_path, now);
    let mut distribution = distributor.distribute(&addressees).await?;
    for (index, _) in &mut distribution.successes {
        *index = indices[*index];
    }
    Ok(Released { distribution, lost })
}

/// Who is told what becomes of one item of a message: the list that sends it, else who has sent it, even where its reverse-path
/// was rewritten: a report that is made here needs no way back.
pub(crate) fn sender_of<'a>(item: &'a QueueItem, envelope: &'a Envelope) -> &'a ReversePath {
    let is_rewritten = item.reverse_path.mailbox().is_some_and(srs::is_rewritten);
    if is_rewritten { &envelope.reverse_path } else { &item.reverse_path }
}

/// The parameters of MAIL for one item of a message: a list passes nothing on of what the poster asked for
/// (RFC 3461 §5.2.7.1, RFC 2852 §4.1.4.2).
pub(crate) fn parameters_of(item: &QueueItem, envelope: &Envelope) -> MailParameters {
    let mut parameters = envelope.parameters.clone();
    if *sender_of(item, envelope) != envelope.reverse_path {
        parameters.ret = None;
        parameters.envelope_id = None;
        parameters.deliver_by = None;
        parameters.auth = None;
    }
    parameters.hold = None;
    parameters.idempotency_key = None;
    parameters
}
