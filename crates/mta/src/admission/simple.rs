//! The decision about a recipient from two facts, which the server asks until it has more of them.

use types::{ForwardPath, Reply, ReplyKind};

/// What is known about a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecipientFacts {
    /// Whose domain it is.
    pub domain: DomainStanding,
    /// Whether there is a mailbox for it.
    pub mailbox: MailboxStanding,
}

/// Whose domain a recipient is in. `<Postmaster>` without a domain is in ours (RFC 5321 §4.5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DomainStanding {
    /// Mail for it is delivered here.
    Local,
    /// Mail for it would have to be relayed.
    Foreign,
}

/// What the directory says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxStanding {
    /// There is one.
    Exists,
    /// There is none.
    Missing,
    /// It could not be asked.
    Unknown,
}

/// What is answered to RCPT: the reply, and whether it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The recipient is taken.
    Accept(Reply),
    /// It is not, and the reply says why.
    Refuse(Reply),
}

/// Decides about one recipient.
#[must_use]
pub fn recipient(forward_path: &ForwardPath, facts: RecipientFacts) -> Admission {
    match (facts.domain, facts.mailbox) {
        (DomainStanding::Foreign, _) => {
            Admission::Refuse(ReplyKind::RelayDenied.with(domain_of(forward_path)))
        }
        (DomainStanding::Local, MailboxStanding::Exists) => Admission::Accept(ReplyKind::RecipientOk.reply()),
        (DomainStanding::Local, MailboxStanding::Missing) => {
            Admission::Refuse(ReplyKind::NoSuchMailbox.with(forward_path))
        }
        (DomainStanding::Local, MailboxStanding::Unknown) => {
            Admission::Refuse(ReplyKind::LookupFailed.reply())
        }
    }
}

fn domain_of(forward_path: &ForwardPath) -> String {
    forward_path.mailbox().map_or_else(|| "this domain".to_owned(), |mailbox| mailbox.host.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(domain: DomainStanding, mailbox: MailboxStanding) -> (bool, String) {
        let path = "<fred@example.org>".parse().unwrap();
        match recipient(&path, RecipientFacts { domain, mailbox }) {
            Admission::Accept(reply) => (true, reply.to_string()),
            Admission::Refuse(reply) => (false, reply.to_string()),
        }
    }

    #[test]
    fn each_combination_of_facts_has_its_decision() {
        use DomainStanding::{Foreign, Local};
        use MailboxStanding::{Exists, Missing, Unknown};
        for (domain, mailbox, accepted, reply) in [
            (Local, Exists, true, "250 2.1.5 "),
            (Local, Missing, false, "550 5.1.1 "),
            (Local, Unknown, false, "451 4.3.0 "),
            (Foreign, Exists, false, "550 5.7.1 "),
            (Foreign, Missing, false, "550 5.7.1 "),
            (Foreign, Unknown, false, "550 5.7.1 "),
        ] {
            let (is_accepted, text) = code(domain, mailbox);
            assert_eq!(is_accepted, accepted, "{domain:?} {mailbox:?}");
            assert!(text.starts_with(reply), "{domain:?} {mailbox:?}: {text}");
        }
    }
}
