//! RCPT: is mail for this recipient taken from this client?

use types::directory::{AccountSettings, AccountStatus, MovedHandling};
use types::{ForwardPath, Mailbox, Reply, ReplyKind, ReversePath};

use super::{
    Client, Decision, Qualification, Role, Storage, in_reply, is_unqualified, path_in_reply, wait_in_words,
};
use crate::list::may_post;
use crate::rate::Rate;
use crate::resolve::{Addressed, DeadEndReason, LeadsTo, Resolution, Target};

/// What is known at RCPT. `A` is what the caller knows of an account.
#[derive(Debug)]
pub struct Facts<'a, A> {
    /// What the listener is for.
    pub role: Role,
    /// Who says it.
    pub client: Client<'a>,
    /// MAIL FROM.
    pub reverse_path: &'a ReversePath,
    /// SMTPUTF8 of MAIL.
    pub smtputf8: bool,
    /// RCPT TO.
    pub forward_path: &'a ForwardPath,
    /// Where it leads; none where the directory could not be asked.
    pub resolution: Option<&'a Resolution<A>>,
    /// The mailboxes that it leads to.
    pub mailboxes: MailboxState<'a>,
    /// Recipients that were accepted before it.
    pub recipients: u32,
    /// The listener's limit of recipients; an account's own limit takes its place.
    pub recipients_max: u32,
    /// What the operator chose.
    pub policy: RecipientPolicy,
    /// The disk.
    pub storage: Storage,
    /// Whether the client's address and its account are within their rates.
    pub rate: Rate,
}

/// What the operator chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecipientPolicy {
    /// For a full mailbox.
    pub over_quota: OverQuota,
    /// For somebody who moved.
    pub new_addresses: NewAddresses,
    /// Whether there is a way out.
    pub way_out: WayOut,
    /// Whether recipient domains need a dot.
    pub qualification: Qualification,
}

/// What is said of a full mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverQuota {
    /// 552: the sender hears at once.
    Refuse,
    /// 452: the mail waits at the sender's server for room.
    Defer,
}

/// Whether the new address of somebody who moved is told (RFC 5321 §3.4 asks that this can be turned off).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NewAddresses {
    /// 251 and 551 with the address.
    Told,
    /// 250 and 550 without.
    Kept,
}

/// Whether mail can leave this host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WayOut {
    /// It is relayed for those who may.
    Open,
    /// It cannot, whoever asks, and whatever an alias says: what is not delivered here is refused.
    None,
}

/// Whether mail is delivered to a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MailboxState<'a> {
    /// It is.
    Open,
    /// The account is disabled, for this reason.
    Disabled(&'a str),
    /// There is no room by its quota.
    Full,
}

impl<'a> MailboxState<'a> {
    /// Of an account with `used_bytes` of mail, for a message of `message_bytes`, as far as that is known.
    #[must_use]
    pub fn of(settings: &'a AccountSettings, used_bytes: u64, message_bytes: Option<u64>) -> Self {
        match (&settings.status, settings.quota_bytes) {
            (AccountStatus::Disabled { reason }, _) => Self::Disabled(reason),
            (AccountStatus::Active, Some(quota))
                if used_bytes >= quota || used_bytes.saturating_add(message_bytes.unwrap_or(0)) > quota =>
            {
                Self::Full
            }
            (AccountStatus::Active, _) => Self::Open,
        }
    }

    /// Of several accounts that one address leads to: open if one of them is. A quota then is no reason to keep the
    /// mail from the others: the full ones get their copy too.
    #[must_use]
    pub fn of_all(states: impl IntoIterator<Item = Self>) -> Self {
        let rank = |state: &Self| match state {
            Self::Open => 0,
            Self::Full => 1,
            Self::Disabled(_) => 2,
        };
        states.into_iter().min_by_key(rank).unwrap_or(Self::Open)
    }
}

/// Decides about RCPT.
///
/// The postmaster and the abuse desk of a domain of ours are reached past quotas, disabled accounts and the rules of a
/// list (RFC 5321 §4.5.1: every reasonable effort), but not past a full disk, a rate or the number of recipients.
#[must_use]
pub fn decide<A>(facts: &Facts<'_, A>) -> Decision {
    let recipients_max = facts.client.limit(facts.recipients_max, |settings| settings.recipients_max);
    if facts.recipients >= recipients_max {
        let reason = format!("{recipients_max} recipients are allowed");
        return Decision::new(ReplyKind::TooManyRecipients, reason);
    }
    let Some(resolution) = facts.resolution else {
        return Decision::new(ReplyKind::LookupFailed, "the directory could not be asked");
    };
    if facts.storage == Storage::Low {
        return Decision::storage_low();
    }
    let decision = match &resolution.addressed {
        Addressed::Foreign => foreign(facts),
        Addressed::Missing => missing(facts),
        Addressed::WayBack { problem: Some(problem) } => Decision::new(
            ReplyKind::WayBackRefused.with(problem),
            format!("no way back to a sender: {problem}"),
        ),
        Addressed::WayBack { problem: None } if *facts.reverse_path != ReversePath::Null => {
            // With anything else it would be a relay for whoever has such an address.
            Decision::new(ReplyKind::WayBackForReports, "the way back to a sender is for reports alone")
        }
        Addressed::Moved { to, handling: MovedHandling::Refuse } => moved_away(facts, to),
        Addressed::Moved { to, handling: MovedHandling::Forward } => {
            local(facts, resolution, forwarded(facts, to))
        }
        Addressed::Role if resolution.targets.is_empty() => {
            Decision::new(ReplyKind::LookupFailed, "nobody stands in for the postmaster")
        }
        Addressed::Role => Decision::new(ReplyKind::RecipientOk, "the postmaster is always reached"),
        Addressed::Local | Addressed::ListHelper { .. } | Addressed::WayBack { problem: None } => {
            let accepted = Decision::new(ReplyKind::RecipientOk, reason(resolution));
            local(facts, resolution, accepted)
        }
    };
    match facts.rate {
        Rate::Exceeded { wait } if decision.is_accepted() => {
            let wait = wait_in_words(wait);
            let reason = format!("over the rate for {wait}");
            Decision::new(ReplyKind::RecipientRateExceeded.with(wait), reason)
        }
        _ => decision,
    }
}

/// The one way to relay. Whether a recipient is foreign was decided by its domain: what its local part looks like
/// (`user%other`, `other!user`, `"user@other"`) never matters.
fn foreign<A>(facts: &Facts<'_, A>) -> Decision {
    let Some(mailbox) = facts.forward_path.mailbox() else { return missing(facts) };
    if !facts.client.may_relay() {
        return relay_denied(mailbox, "a stranger may not relay");
    }
    if facts.role == Role::Lmtp {
        return relay_denied(mailbox, "LMTP takes mail for mailboxes here alone");
    }
    if facts.policy.way_out == WayOut::None {
        return relay_denied(mailbox, "there is no way out");
    }
    if facts.role == Role::Submission
        && facts.policy.qualification == Qualification::Required
        && is_unqualified(mailbox)
    {
        let reply = ReplyKind::RecipientNotQualified.with(in_reply(mailbox));
        return Decision::new(reply, "the recipient's domain is one label");
    }
    Decision::new(ReplyKind::RecipientOk, "it is relayed, since the client may")
}

fn relay_denied(mailbox: &Mailbox, reason: &'static str) -> Decision {
    let host = mailbox.host.domain().map_or_else(|| mailbox.host.to_string(), |d| d.ascii().to_owned());
    Decision::new(ReplyKind::RelayDenied.with(host), reason)
}

fn missing<A>(facts: &Facts<'_, A>) -> Decision {
    let reply = ReplyKind::NoSuchMailbox.with(path_in_reply(facts.forward_path));
    Decision::new(reply, "there is no account, alias or list of this name")
}

/// RFC 5321 §3.4. An address with UTF-8 is told as it is with SMTPUTF8, else in an ASCII form, where it has one
/// (RFC 6531 §3.7.4.1).
fn new_address<A>(facts: &Facts<'_, A>, to: &Mailbox) -> Option<String> {
    match facts.policy.new_addresses {
        NewAddresses::Kept => None,
        NewAddresses::Told if facts.smtputf8 => Some(format!("<{to}>")),
        NewAddresses::Told => to.to_ascii().map(|to| format!("<{to}>")),
    }
}

fn moved_away<A>(facts: &Facts<'_, A>, to: &Mailbox) -> Decision {
    let reply = match new_address(facts, to) {
        Some(told) => ReplyKind::MailboxMovedTo.with(told),
        None => ReplyKind::MailboxMoved.with(path_in_reply(facts.forward_path)),
    };
    Decision::new(reply, "who had the address moved, and mail is not sent on")
}

fn forwarded<A>(facts: &Facts<'_, A>, to: &Mailbox) -> Decision {
    let reply: Reply = match new_address(facts, to) {
        Some(told) => ReplyKind::RecipientForwarded.with(told),
        None => ReplyKind::RecipientOk.reply(),
    };
    Decision::new(reply, "who had the address moved, and mail is sent on")
}

/// An address of ours: `accepted`, unless it leads nowhere or there is something in the way.
fn local<A>(facts: &Facts<'_, A>, resolution: &Resolution<A>, accepted: Decision) -> Decision {
    if let Some(refusal) = leads_nowhere(facts, resolution) {
        return refusal;
    }
    if facts.policy.way_out == WayOut::None
        && let Some(mailbox) = resolution.foreign().next()
    {
        return relay_denied(mailbox, "the address leads out of this host, and there is no way out");
    }
    for (address, list) in resolution.lists() {
        if facts.reverse_path.mailbox().is_none() {
            let reply = ReplyKind::ListTakesNoReports.with(in_reply(address));
            return Decision::new(reply, "a report to a list would go to all members");
        }
        if !may_post(list, facts.reverse_path, &facts.client) {
            let reply = ReplyKind::ListPostingDenied.with(in_reply(address));
            return Decision::new(reply, "the list does not take mail from this sender");
        }
    }
    let only_accounts =
        resolution.targets.iter().all(|target| matches!(target.leads_to, LeadsTo::Account { .. }));
    if only_accounts { mailboxes(facts, accepted) } else { accepted }
}

fn leads_nowhere<A>(facts: &Facts<'_, A>, resolution: &Resolution<A>) -> Option<Decision> {
    let told = || path_in_reply(facts.forward_path);
    // Whom the rest of the addresses stands for is not known: nobody gets anything.
    if resolution.has_dead_end(DeadEndReason::TooMany) {
        let reply = ReplyKind::ExpansionTooLarge.with(told());
        return Some(Decision::new(reply, "the address leads to too many others"));
    }
    if !resolution.targets.is_empty() {
        return None;
    }
    Some(if resolution.has_dead_end(DeadEndReason::Loop) {
        Decision::new(ReplyKind::AddressLoop.with(told()), "the address leads back to itself")
    } else if resolution.has_dead_end(DeadEndReason::TooDeep) {
        Decision::new(ReplyKind::ExpansionTooLarge.with(told()), "the aliases go too deep")
    } else if resolution.has_dead_end(DeadEndReason::Moved) {
        Decision::new(ReplyKind::MailboxMoved.with(told()), "all that the address leads to moved")
    } else {
        let reply = ReplyKind::NoSuchMailbox.with(told());
        Decision::new(reply, "nothing that the address leads to exists")
    })
}

fn mailboxes<A>(facts: &Facts<'_, A>, accepted: Decision) -> Decision {
    let told = path_in_reply(facts.forward_path);
    match facts.mailboxes {
        MailboxState::Open => accepted,
        MailboxState::Disabled(reason) => {
            // Why is told to those alone whom the operator knows.
            let told = match facts.client {
                Client::Authenticated(_) | Client::TrustedNetwork
                    if !reason.is_empty() && reason.is_ascii() =>
                {
                    format!("{told} ({reason})")
                }
                _ => told,
            };
            let reply = ReplyKind::MailboxDisabled.with(told);
            Decision::new(reply, format!("the account is disabled: {}", one_line(reason)))
        }
        MailboxState::Full => full(facts.forward_path, facts.policy.over_quota),
    }
}

/// What is said of a recipient for whom there is no room, at RCPT or when the size of the message is known.
#[must_use]
pub fn full(forward_path: &ForwardPath, over_quota: OverQuota) -> Decision {
    let kind = match over_quota {
        OverQuota::Refuse => ReplyKind::MailboxFull,
        OverQuota::Defer => ReplyKind::MailboxFullForNow,
    };
    Decision::new(kind.with(path_in_reply(forward_path)), "the mailbox is over its quota")
}

fn reason<A>(resolution: &Resolution<A>) -> String {
    match &resolution.targets[..] {
        [Target { leads_to: LeadsTo::List { .. }, path }] => {
            format!("the list {}", crate::resolve::in_words(path))
        }
        [target] => crate::resolve::in_words(&target.path),
        targets => format!("it leads to {} targets", targets.len()),
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests;
