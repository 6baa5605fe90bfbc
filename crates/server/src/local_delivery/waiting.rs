//! The items of the queue that one message makes: one for each destination, reverse-path and header.

use std::collections::HashMap;

use bytes::Bytes;
use store::{Destination, NewQueueItem};
use types::directory::key;
use types::{EnvelopeRecipient, ForwardPath, Mailbox, RecipientDsn, ReversePath, Timestamp};

use super::notify::merge;

/// An item of the queue that comes into being.
pub(crate) struct Leaving {
    pub(crate) item: NewQueueItem,
    pub(crate) by: By,
}

/// By whose doing a message leaves this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum By {
    /// Its sender named the recipients.
    Sender,
    /// This address here sends its mail on.
    Forwarder(Mailbox),
    /// This list sends it to its members.
    List(Mailbox),
}

/// Items as they come together.
pub(super) struct Waiting {
    reverse_path: ReversePath,
    due_at: Timestamp,
    groups: Vec<(ReversePath, Bytes, By)>,
    /// By the address that forwards.
    forwarders: HashMap<String, Group>,
    items: Vec<Leaving>,
    by_destination: HashMap<(Group, Destination), usize>,
    /// Addresses that get a copy: which item, and which recipient of it.
    seen: HashMap<String, (usize, usize)>,
}

/// What the recipients of one item have in common, beside their destination.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Group {
    /// They were named by the sender.
    Direct,
    /// They get it with the reverse-path and header of this number.
    Other(usize),
}

impl Waiting {
    pub(super) fn new(reverse_path: ReversePath, due_at: Timestamp) -> Self {
        Self {
            reverse_path,
            due_at,
            groups: Vec::new(),
            forwarders: HashMap::new(),
            items: Vec::new(),
            by_destination: HashMap::new(),
            seen: HashMap::new(),
        }
    }

    pub(super) fn group(&mut self, reverse_path: ReversePath, header: Bytes, by: By) -> Group {
        self.groups.push((reverse_path, header, by));
        Group::Other(self.groups.len() - 1)
    }

    /// Of those to whom this address sends its mail on: the message says so, and is known again when it comes back
    /// (RFC 9228). `rewritten` is its reverse-path where that is no more the sender's.
    pub(super) fn forwarded(&mut self, by: &ForwardPath, rewritten: Option<ReversePath>) -> Group {
        let Some(mailbox) = by.mailbox() else { return Group::Direct };
        let name = key(mailbox);
        if let Some(group) = self.forwarders.get(&name) {
            return *group;
        }
        // UTF-8 in a header section needs SMTPUTF8 on the way, which the message may not have asked for.
        let header = mailbox.to_ascii().map(|ascii| format!("Delivered-To: {ascii}\r\n")).unwrap_or_default();
        let reverse_path = rewritten.unwrap_or_else(|| self.reverse_path.clone());
        let group = self.group(reverse_path, header.into(), By::Forwarder(mailbox.clone()));
        self.forwarders.insert(name, group);
        group
    }

    /// Whether the address gets a copy by this, and not by what came before.
    pub(super) fn add(&mut self, mailbox: &Mailbox, dsn: RecipientDsn, group: Group) -> bool {
        let name = key(mailbox);
        if let Some(&(item, recipient)) = self.seen.get(&name) {
            // What a list sends is reported to the list.
            let is_senders = |by: &By| !matches!(by, By::List(_));
            if is_senders(self.of(group).2) && is_senders(&self.items[item].by) {
                merge(&mut self.items[item].item.recipients[recipient], dsn);
            }
            return false;
        }
        let destination = Destination::of(&mailbox.host);
        let at = match self.by_destination.get(&(group, destination.clone())) {
            Some(at) => *at,
            None => {
                let (reverse_path, header, by) = self.of(group);
                let item = NewQueueItem {
                    destination: destination.clone(),
                    reverse_path: reverse_path.clone(),
                    header: header.clone(),
                    recipients: Vec::new(),
                    due_at: self.due_at,
                };
                let by = by.clone();
                self.items.push(Leaving { item, by });
                self.by_destination.insert((group, destination), self.items.len() - 1);
                self.items.len() - 1
            }
        };
        let recipients = &mut self.items[at].item.recipients;
        recipients.push(EnvelopeRecipient { forward_path: ForwardPath::Mailbox(mailbox.clone()), dsn });
        self.seen.insert(name, (at, recipients.len() - 1));
        true
    }

    fn of(&self, group: Group) -> (&ReversePath, &Bytes, &By) {
        static NOTHING: Bytes = Bytes::new();
        match group {
            Group::Direct => (&self.reverse_path, &NOTHING, &By::Sender),
            Group::Other(index) => {
                let (reverse_path, header, by) = &self.groups[index];
                (reverse_path, header, by)
            }
        }
    }

    pub(super) fn into_items(self) -> Vec<Leaving> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use types::Notify;

    use super::*;

    fn items(add: impl FnOnce(&mut Waiting)) -> Vec<(String, String, String, usize)> {
        let mut waiting = Waiting::new("<me@example.org>".parse().unwrap(), Timestamp::from_millis(5));
        add(&mut waiting);
        waiting
            .into_items()
            .into_iter()
            .map(|Leaving { item, .. }| {
                let header = String::from_utf8(item.header.to_vec()).unwrap();
                (item.destination.to_string(), item.reverse_path.to_string(), header, item.recipients.len())
            })
            .collect()
    }

    #[test]
    fn a_message_waits_once_for_each_destination_and_reverse_path() {
        let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
        let none = RecipientDsn::default;
        let items = items(|waiting| {
            assert!(waiting.add(&mailbox("a@one.example"), none(), Group::Direct));
            assert!(waiting.add(&mailbox("b@ONE.example"), none(), Group::Direct));
            assert!(waiting.add(&mailbox("c@two.example"), none(), Group::Direct));
            assert!(!waiting.add(&mailbox("A@one.example"), none(), Group::Direct));
            let alias = "<alias@example.org>".parse().unwrap();
            let group = waiting.forwarded(&alias, None);
            assert!(waiting.add(&mailbox("d@one.example"), none(), group));
            let group = waiting.forwarded(&alias, None);
            assert!(waiting.add(&mailbox("e@one.example"), none(), group));
            assert!(!waiting.add(&mailbox("a@one.example"), none(), group));
            let by = By::List(mailbox("l@example.org"));
            let list =
                waiting.group("<l-bounces@example.org>".parse().unwrap(), "List-Id: <l>\r\n".into(), by);
            assert!(waiting.add(&mailbox("f@one.example"), none(), list));
            assert!(!waiting.add(&mailbox("a@one.example"), none(), list));
        });
        let row = |destination: &str, reverse_path: &str, header: &str, recipients| {
            (destination.to_owned(), reverse_path.to_owned(), header.to_owned(), recipients)
        };
        assert_eq!(
            items,
            [
                row("one.example", "<me@example.org>", "", 2),
                row("two.example", "<me@example.org>", "", 1),
                row("one.example", "<me@example.org>", "Delivered-To: alias@example.org\r\n", 2),
                row("one.example", "<l-bounces@example.org>", "List-Id: <l>\r\n", 1),
            ]
        );
    }

    #[test]
    fn what_a_list_does_not_ask_for_takes_nothing_from_who_was_named_and_asks() {
        let mut waiting = Waiting::new("<me@example.org>".parse().unwrap(), Timestamp::from_millis(5));
        let mailbox = "a@one.example".parse().unwrap();
        let never = RecipientDsn { notify: Some(Notify::Never), original_recipient: None };
        waiting.add(&mailbox, never.clone(), Group::Direct);
        let by = By::List("l@example.org".parse().unwrap());
        let list = waiting.group("<l@example.org>".parse().unwrap(), Bytes::new(), by);
        waiting.add(&mailbox, RecipientDsn::default(), list);
        assert_eq!(waiting.into_items()[0].item.recipients[0].dsn, never);
    }
}
