//! The end of a message: is it taken, now that all of it is known?

use types::{Mailbox, ReplyKind};

use super::sender::size_max;
use super::{Client, Decision, Storage, in_reply};
use crate::header::HeaderProblem;

/// What is known at the end of a message.
#[derive(Debug, Clone, Copy)]
pub struct MessageFacts<'a> {
    /// Who sent it.
    pub client: Client<'a>,
    /// Its octets.
    pub size_bytes: u64,
    /// The listener's limit; an account's own limit takes its place.
    pub message_bytes_max: u64,
    /// `Received` fields ([`received_count`](crate::hops::received_count)).
    pub hops: usize,
    /// The limit of them (RFC 5321 §6.3: at least 100).
    pub hops_max: usize,
    /// `Received` fields of this host ([`received_by_count`](crate::hops::received_by_count)).
    pub own_hops: usize,
    /// The limit of them.
    pub own_hops_max: usize,
    /// A recipient that leads out of here or to a list, and that the message was delivered to before.
    pub delivered_before: Option<&'a Mailbox>,
    /// What submission found wrong with the header section.
    pub header: Option<&'a HeaderProblem>,
    /// The disk.
    pub storage: Storage,
}

/// Why the message is refused; none where it is to be stored, upon which alone it is accepted.
#[must_use]
pub fn refusal(facts: &MessageFacts<'_>) -> Option<Decision> {
    let size_max = size_max(&facts.client, facts.message_bytes_max);
    Some(if facts.size_bytes > size_max {
        let reason = format!("the message has {} octets, {size_max} are allowed", facts.size_bytes);
        Decision::new(ReplyKind::MessageTooBig.with(size_max), reason)
    } else if let Some(problem) = facts.header {
        Decision::new(problem.reply(), problem.to_string())
    } else if facts.hops > facts.hops_max {
        let reason = format!("it has {} Received fields, {} are allowed", facts.hops, facts.hops_max);
        Decision::new(ReplyKind::MailLoop.with(facts.hops), reason)
    } else if facts.own_hops > facts.own_hops_max {
        let reason = format!("it passed this host {} times before", facts.own_hops);
        Decision::new(ReplyKind::MailLoop.with(facts.hops), reason)
    } else if let Some(address) = facts.delivered_before {
        let reply = ReplyKind::DeliveredBefore.with(in_reply(address));
        Decision::new(reply, "the message comes back to an address that sends it on")
    } else if facts.storage == Storage::Low {
        Decision::storage_low()
    } else {
        return None;
    })
}

#[cfg(test)]
mod tests {
    use types::directory::AccountSettings;

    use super::super::Rights;
    use super::*;

    fn refused(change: impl Fn(&mut MessageFacts<'_>)) -> Option<String> {
        let mut facts = MessageFacts {
            client: Client::Stranger,
            size_bytes: 1000,
            message_bytes_max: 1000,
            hops: 100,
            hops_max: 100,
            own_hops: 5,
            own_hops_max: 5,
            delivered_before: None,
            header: None,
            storage: Storage::Ready,
        };
        change(&mut facts);
        refusal(&facts).map(|decision| decision.reply.to_string())
    }

    #[test]
    fn a_message_at_every_limit_is_taken_and_one_past_any_is_not() {
        assert_eq!(refused(|_| {}), None);
        assert_eq!(
            refused(|facts| facts.size_bytes = 1001).as_deref(),
            Some("552 5.3.4 The message is larger than the 1000 octets that are taken here")
        );
        let looped = Some("554 5.4.6 The message passed 101 hosts: a mail loop");
        assert_eq!(refused(|facts| facts.hops = 101).as_deref(), looped);
        let looped = Some("554 5.4.6 The message passed 100 hosts: a mail loop");
        assert_eq!(refused(|facts| facts.own_hops = 6).as_deref(), looped);
        assert_eq!(
            refused(|facts| facts.storage = Storage::Low).as_deref(),
            Some("452 4.3.1 No room to store mail; try again later")
        );
        assert_eq!(
            refused(|facts| facts.header = Some(&HeaderProblem::NoFrom)).as_deref(),
            Some("554 5.6.0 The message has no From")
        );
    }

    #[test]
    fn a_message_that_comes_back_to_where_it_was_sent_on_is_refused() {
        let list = "list@example.org".parse().unwrap();
        let mut facts = MessageFacts {
            client: Client::Stranger,
            size_bytes: 1,
            message_bytes_max: 1,
            hops: 0,
            hops_max: 1,
            own_hops: 0,
            own_hops_max: 1,
            delivered_before: None,
            header: None,
            storage: Storage::Ready,
        };
        assert!(refusal(&facts).is_none());
        facts.delivered_before = Some(&list);
        assert_eq!(
            refusal(&facts).unwrap().reply.to_string(),
            "554 5.4.6 The message was here before, for <list@example.org>: a mail loop"
        );
    }

    #[test]
    fn the_limit_of_an_account_takes_the_place_of_the_listeners() {
        let settings = AccountSettings { message_bytes_max: Some(5000), ..AccountSettings::default() };
        let rights = Rights { account: "ada@example.org", settings: &settings, subaddress_separator: None };
        let size = |size_bytes| {
            let mut facts = MessageFacts {
                client: Client::Authenticated(rights),
                size_bytes,
                message_bytes_max: 1000,
                hops: 0,
                hops_max: 1,
                own_hops: 0,
                own_hops_max: 1,
                delivered_before: None,
                header: None,
                storage: Storage::Ready,
            };
            facts.size_bytes = size_bytes;
            refusal(&facts)
        };
        assert!(size(5000).is_none() && size(5001).is_some());
    }
}
