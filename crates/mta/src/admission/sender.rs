//! MAIL: is mail from this client, with this reverse-path and of this size, taken?

use types::{ReplyKind, ReversePath};

use super::{Client, Decision, Qualification, Role, Storage, in_reply, is_unqualified, wait_in_words};
use crate::rate::Rate;

/// What is known at MAIL.
#[derive(Debug, Clone, Copy)]
pub struct SenderFacts<'a> {
    /// What the listener is for.
    pub role: Role,
    /// Who says it.
    pub client: Client<'a>,
    /// MAIL FROM.
    pub reverse_path: &'a ReversePath,
    /// SIZE= of MAIL, in octets.
    pub size_bytes: Option<u64>,
    /// The listener's limit; an account's own limit takes its place.
    pub message_bytes_max: u64,
    /// Whether sender domains need a dot.
    pub qualification: Qualification,
    /// The disk.
    pub storage: Storage,
    /// Whether the client's address and its account are within their rates.
    pub rate: Rate,
}

/// Decides about MAIL.
///
/// - The null reverse-path is never a reason to refuse, on submission neither: programs of users send disposition
///   notifications with it (RFC 6409 §3.2).
/// - A stranger may claim any sender, also one of ours: whether that is believed is for SPF and DMARC to say.
/// - Who has logged in is held to its rights on port 25 as well, lest that be the way round them. On LMTP it is
///   not: there a server hands over what others wrote.
#[must_use]
pub fn decide(facts: &SenderFacts<'_>) -> Decision {
    if facts.role == Role::Submission && matches!(facts.client, Client::Stranger) {
        // RFC 6409 §4.3
        return Decision::new(ReplyKind::AuthenticationRequired, "submission without a login");
    }
    if facts.client.rights().is_some_and(|rights| !rights.is_active()) {
        return Decision::new(ReplyKind::AccountDisabled, "the account was disabled after its login");
    }
    if facts.storage == Storage::Low {
        return Decision::storage_low();
    }
    let size_max = size_max(&facts.client, facts.message_bytes_max);
    if let Some(size) = facts.size_bytes.filter(|size| *size > size_max) {
        let reason = format!("{size} octets were announced, {size_max} are allowed");
        return Decision::new(ReplyKind::MessageTooBig.with(size_max), reason);
    }
    if let Some(refusal) = address(facts) {
        return refusal;
    }
    if let Rate::Exceeded { wait } = facts.rate {
        return rate_exceeded(wait);
    }
    Decision::new(ReplyKind::SenderOk, reason(facts))
}

/// The refusal of what is over a rate, to be tried again after `wait`.
#[must_use]
pub fn rate_exceeded(wait: std::time::Duration) -> Decision {
    let wait = wait_in_words(wait);
    Decision::new(ReplyKind::RateExceeded.with(&wait), format!("over the rate for {wait}"))
}

/// Octets that a message of this client may have.
#[must_use]
pub fn size_max(client: &Client<'_>, message_bytes_max: u64) -> u64 {
    client.limit(message_bytes_max, |settings| settings.message_bytes_max)
}

/// The refusal of the address, where it is refused.
fn address(facts: &SenderFacts<'_>) -> Option<Decision> {
    let mailbox = facts.reverse_path.mailbox()?;
    if facts.role != Role::Lmtp
        && let Some(rights) = facts.client.rights()
        && !rights.may_send_as(mailbox)
    {
        let reason = format!("{} may not send as {mailbox}", rights.account);
        return Some(Decision::new(ReplyKind::SenderNotOwned.with(in_reply(mailbox)), reason));
    }
    if facts.role == Role::Submission
        && facts.qualification == Qualification::Required
        && is_unqualified(mailbox)
    {
        let reply = ReplyKind::SenderNotQualified.with(in_reply(mailbox));
        return Some(Decision::new(reply, "the sender's domain is one label"));
    }
    None
}

const fn reason(facts: &SenderFacts<'_>) -> &'static str {
    match (facts.client, facts.reverse_path) {
        (Client::Authenticated(_), ReversePath::Mailbox(_)) => "the account may send as this address",
        (_, ReversePath::Null) => "the null reverse-path is always taken",
        (Client::TrustedNetwork, _) => "the client is in a trusted network",
        (Client::Stranger, _) => "nothing speaks against the sender yet",
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use types::directory::{AccountSettings, AccountStatus, SendAs};

    use super::super::Rights;
    use super::*;

    #[derive(Clone, Copy)]
    enum Who {
        Stranger,
        Trusted,
        Ada,
        Robot,
        Disabled,
    }

    fn decided(role: Role, who: Who, path: &str, change: impl Fn(&mut SenderFacts<'_>)) -> String {
        let settings = AccountSettings {
            send_as: if matches!(who, Who::Robot) { vec![SendAs::Anyone] } else { Vec::new() },
            status: match who {
                Who::Disabled => AccountStatus::Disabled { reason: "left the company".into() },
                _ => AccountStatus::Active,
            },
            message_bytes_max: matches!(who, Who::Robot).then_some(5000),
            ..AccountSettings::default()
        };
        let rights =
            Rights { account: "ada@example.org", settings: &settings, subaddress_separator: Some('+') };
        let mut facts = SenderFacts {
            role,
            client: match who {
                Who::Stranger => Client::Stranger,
                Who::Trusted => Client::TrustedNetwork,
                Who::Ada | Who::Robot | Who::Disabled => Client::Authenticated(rights),
            },
            reverse_path: &path.parse().unwrap(),
            size_bytes: None,
            message_bytes_max: 1000,
            qualification: Qualification::Required,
            storage: Storage::Ready,
            rate: Rate::Within,
        };
        change(&mut facts);
        let decision = decide(&facts);
        assert!(!decision.reason.is_empty() && decision.reply.text.is_ascii());
        assert_eq!(decision.is_accepted(), decision.reply.code == 250);
        decision.reply.to_string()
    }

    #[test]
    fn each_role_client_and_sender_has_its_reply() {
        use Role::{Lmtp, Submission, Transfer};
        use Who::{Ada, Disabled, Robot, Stranger, Trusted};
        for (role, who, path, reply) in [
            (Transfer, Stranger, "<>", "250 2.1.0 Sender OK"),
            (Transfer, Stranger, "<x@example.net>", "250 2.1.0 Sender OK"),
            (Transfer, Stranger, "<ada@example.org>", "250 2.1.0 Sender OK"),
            (Transfer, Stranger, "<x@localhost>", "250 2.1.0 Sender OK"),
            (Transfer, Trusted, "<x@example.net>", "250 2.1.0 Sender OK"),
            (Transfer, Ada, "<ada@example.org>", "250 2.1.0 Sender OK"),
            (Transfer, Ada, "<x@example.net>", "553 5.7.1 The account may not send as <x@example.net>"),
            (Submission, Stranger, "<>", "530 5.7.0 Authentication required: say AUTH first"),
            (Submission, Stranger, "<ada@example.org>", "530 5.7.0 Authentication required: say AUTH first"),
            (Submission, Trusted, "<x@example.net>", "250 2.1.0 Sender OK"),
            (Submission, Ada, "<>", "250 2.1.0 Sender OK"),
            (Submission, Ada, "<Ada+tag@example.org>", "250 2.1.0 Sender OK"),
            (Submission, Ada, "<bob@example.org>", "553 5.7.1 The account may not send as <bob@example.org>"),
            (
                Submission,
                Ada,
                "<用户@example.org>",
                "553 5.7.1 The account may not send as an address with UTF-8",
            ),
            (Submission, Robot, "<bob@example.com>", "250 2.1.0 Sender OK"),
            (
                Submission,
                Robot,
                "<bob@sales>",
                "554 5.1.8 The domain of the sender address is not fully qualified: <bob@sales>",
            ),
            (
                Submission,
                Trusted,
                "<bob@sales>",
                "554 5.1.8 The domain of the sender address is not fully qualified: <bob@sales>",
            ),
            (Submission, Disabled, "<ada@example.org>", "550 5.7.13 The account is disabled"),
            (Transfer, Disabled, "<>", "550 5.7.13 The account is disabled"),
            (Lmtp, Stranger, "<x@example.net>", "250 2.1.0 Sender OK"),
            (Lmtp, Ada, "<x@example.net>", "250 2.1.0 Sender OK"),
        ] {
            assert_eq!(decided(role, who, path, |_| {}), reply, "{role:?} {path}");
        }
    }

    #[test]
    fn a_size_over_the_limit_of_listener_or_account_is_552() {
        for (who, size, accepted) in [
            (Who::Stranger, 1000, true),
            (Who::Stranger, 1001, false),
            (Who::Ada, 1001, false),
            (Who::Robot, 5000, true),
            (Who::Robot, 5001, false),
        ] {
            let reply =
                decided(Role::Transfer, who, "<ada@example.org>", |facts| facts.size_bytes = Some(size));
            let max = if matches!(who, Who::Robot) { 5000 } else { 1000 };
            let expected = if accepted {
                "250 2.1.0 Sender OK".to_owned()
            } else {
                format!("552 5.3.4 The message is larger than the {max} octets that are taken here")
            };
            assert_eq!(reply, expected, "{size}");
        }
    }

    #[test]
    fn a_sender_over_its_rate_is_told_how_long_to_wait() {
        let reply = decided(Role::Transfer, Who::Stranger, "<>", |facts| {
            facts.rate = Rate::Exceeded { wait: Duration::from_secs(700) };
        });
        assert_eq!(reply, "451 4.7.1 Too many messages; try again in 12 min");
    }

    #[test]
    fn little_room_is_452_before_anything_is_sent() {
        let reply = decided(Role::Transfer, Who::Stranger, "<>", |facts| facts.storage = Storage::Low);
        assert_eq!(reply, "452 4.3.1 No room to store mail; try again later");
    }

    #[test]
    fn in_development_a_domain_may_have_one_label() {
        let reply = decided(Role::Submission, Who::Robot, "<bob@localhost>", |facts| {
            facts.qualification = Qualification::Any;
        });
        assert_eq!(reply, "250 2.1.0 Sender OK");
    }
}
