//! VRFY and EXPN: who is told what (RFC 5321 §3.5 and §7.3, RFC 6531 §3.7.4.2).

use std::borrow::Cow;

use types::directory::{Expandable, MailingList, MovedHandling, key};
use types::{Mailbox, Reply, ReplyKind};

use super::recipient::NewAddresses;
use super::{Client, Decision};

/// Who gets answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VerifyPolicy {
    /// Nobody: 252 (RFC 5321 §7.3 forbids codes that could be taken for an answer).
    Nobody,
    /// Who has logged in, and hosts in trusted networks.
    AuthenticatedOrTrusted,
    /// Everybody.
    Everybody,
}

/// Which command asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// VRFY
    Verify,
    /// EXPN
    Expand,
}

/// What the argument of VRFY or EXPN names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Query {
    /// An address.
    Mailbox(Mailbox),
    /// A name without a domain: a local part that any domain of ours may have.
    Name(String),
}

/// What the directory knows of a query. Foreign is what is in none of our domains.
#[derive(Debug, Clone, Copy)]
pub enum Known<'a> {
    /// It could not be asked.
    Unavailable,
    /// Nobody.
    Missing,
    /// An address at another host.
    Foreign,
    /// An account that takes mail.
    Mailbox(&'a Mailbox),
    /// An account that was disabled.
    Disabled(&'a Mailbox),
    /// An alias and the addresses that it stands for.
    Alias(&'a Mailbox, &'a [Mailbox]),
    /// A list.
    List(&'a Mailbox, &'a MailingList),
    /// Somebody who moved.
    Moved(&'a Mailbox, MovedHandling),
    /// Several that have the name.
    Ambiguous(&'a [Mailbox]),
}

/// What is known when VRFY or EXPN comes.
#[derive(Debug, Clone, Copy)]
pub struct VerifyFacts<'a> {
    /// Which of them.
    pub asked: Asked,
    /// Who gets answers.
    pub policy: VerifyPolicy,
    /// Whether the new address of somebody who moved is told.
    pub new_addresses: NewAddresses,
    /// Who asks.
    pub client: Client<'a>,
    /// SMTPUTF8 behind the argument.
    pub smtputf8: bool,
    /// What is known.
    pub known: Known<'a>,
}

/// The query in the argument of VRFY or EXPN, and whether SMTPUTF8 stands behind it: `fred`, `fred@example.org`,
/// `<fred@example.org>` or `Fred Foobar <fred@example.org>`. None where it names nobody.
#[must_use]
pub fn query(argument: &str) -> (Option<Query>, bool) {
    const PARAMETER: &str = " SMTPUTF8";
    let argument = argument.trim();
    let at = argument.len().wrapping_sub(PARAMETER.len());
    let (name, smtputf8) = match argument.split_at_checked(at) {
        Some((name, tail)) if tail.eq_ignore_ascii_case(PARAMETER) => (name.trim_end(), true),
        _ => (argument, false),
    };
    let bracketed = name.strip_suffix('>').and_then(|name| Some(name.rsplit_once('<')?.1));
    let query = match bracketed.unwrap_or(name).parse() {
        Ok(mailbox) => Some(Query::Mailbox(mailbox)),
        Err(_) if bracketed.is_some() || name.is_empty() || name.contains('@') => None,
        Err(_) => Some(Query::Name(name.trim_matches('"').to_owned())),
    };
    (query, smtputf8)
}

/// Decides about VRFY and EXPN.
#[must_use]
pub fn decide(facts: &VerifyFacts<'_>) -> Decision {
    if !is_told(facts.policy, &facts.client) {
        return Decision::new(ReplyKind::CannotVerify, "policy gives this client no answers");
    }
    match facts.known {
        Known::Unavailable => Decision::new(ReplyKind::CannotVerify, "the directory could not be asked"),
        Known::Missing => Decision::new(ReplyKind::VerifyUnknown, "nobody has this name"),
        Known::Foreign => Decision::new(ReplyKind::CannotVerify, "the address is at another host"),
        Known::Mailbox(mailbox) => addresses(facts, ReplyKind::Verified, "", [mailbox], "it exists"),
        Known::Disabled(mailbox) => {
            let reply = ReplyKind::MailboxDisabled.with(super::in_reply(mailbox));
            Decision::new(reply, "the account is disabled")
        }
        Known::Alias(alias, targets) => match facts.asked {
            Asked::Verify => addresses(facts, ReplyKind::Verified, "", [alias], "it is an alias"),
            Asked::Expand => addresses(facts, ReplyKind::Verified, "", targets, "an alias was expanded"),
        },
        Known::List(address, list) => self::list(facts, address, list),
        Known::Moved(to, handling) => moved(facts, to, handling),
        Known::Ambiguous(found) => {
            let found = &found[..found.len().min(POSSIBILITIES_MAX)];
            // RFC 5321 §3.5.1 asks for these words.
            let title = "User ambiguous; possibilities are\n";
            addresses(facts, ReplyKind::VerifyAmbiguous, title, found, "several have this name")
        }
    }
}

/// Whether a client is answered at all: where not, nothing needs to be looked up for it.
#[must_use]
pub const fn is_told(policy: VerifyPolicy, client: &Client<'_>) -> bool {
    match policy {
        VerifyPolicy::Nobody => false,
        VerifyPolicy::AuthenticatedOrTrusted => !matches!(client, Client::Stranger),
        VerifyPolicy::Everybody => true,
    }
}

fn list(facts: &VerifyFacts<'_>, address: &Mailbox, list: &MailingList) -> Decision {
    if facts.asked == Asked::Verify {
        return Decision::new(ReplyKind::ListNotVerified, "it is a mailing list");
    }
    let account = facts.client.rights().map(|rights| rights.account.to_lowercase());
    let may_expand = match (list.expandable, account) {
        (Expandable::Never, _) | (_, None) => false,
        (Expandable::ToAuthenticated, Some(_)) => true,
        (Expandable::ToMembers, Some(account)) => {
            list.members.iter().chain([&list.owner]).any(|member| key(member) == account)
        }
    };
    if !may_expand {
        return Decision::new(
            ReplyKind::ExpansionDenied,
            "the list does not tell its members to this client",
        );
    }
    match &list.members[..] {
        [] => addresses(facts, ReplyKind::Verified, "", [address], "the list has no members"),
        members => addresses(facts, ReplyKind::Verified, "", members, "the list was expanded"),
    }
}

/// RFC 5321 §3.5.3: 251 and 551 as for RCPT.
fn moved(facts: &VerifyFacts<'_>, to: &Mailbox, handling: MovedHandling) -> Decision {
    let kind = match (facts.new_addresses, handling) {
        (NewAddresses::Told, MovedHandling::Forward) => ReplyKind::RecipientForwarded,
        (NewAddresses::Told, MovedHandling::Refuse) => ReplyKind::MailboxMovedTo,
        (NewAddresses::Kept, MovedHandling::Forward) => {
            return Decision::new(ReplyKind::CannotVerify, "who had the address moved");
        }
        (NewAddresses::Kept, MovedHandling::Refuse) => {
            return Decision::new(ReplyKind::MailboxMoved.with("the user"), "who had the address moved");
        }
    };
    match told(facts, to) {
        Some(told) => Decision::new(kind.with(told), "who had the address moved"),
        None => needs_utf8(),
    }
}

/// One address on a line, each in angle brackets (RFC 5321 §3.5.2).
fn addresses<'m>(
    facts: &VerifyFacts<'_>,
    kind: ReplyKind,
    title: &str,
    mailboxes: impl IntoIterator<Item = &'m Mailbox>,
    reason: &'static str,
) -> Decision {
    let lines: Option<Vec<_>> = mailboxes.into_iter().map(|mailbox| told(facts, mailbox)).collect();
    match lines {
        Some(lines) => {
            // No address holds a line end.
            let text = Cow::Owned(format!("{title}{}", lines.join("\n")));
            Decision::new(Reply { text, ..kind.reply() }, reason)
        }
        None => needs_utf8(),
    }
}

/// An address as this client may read it.
fn told(facts: &VerifyFacts<'_>, mailbox: &Mailbox) -> Option<String> {
    if facts.smtputf8 {
        Some(format!("<{mailbox}>"))
    } else {
        mailbox.to_ascii().map(|mailbox| format!("<{mailbox}>"))
    }
}

fn needs_utf8() -> Decision {
    Decision::new(ReplyKind::VerifyNeedsUtf8, "the answer holds UTF-8, which the client did not ask for")
}

/// Possibilities that are told of an ambiguous name.
const POSSIBILITIES_MAX: usize = 20;

#[cfg(test)]
mod tests;
