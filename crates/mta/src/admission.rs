//! Admission: what is known about a client, a sender, a recipient or a message goes in, the reply comes out.
//!
//! Standards: RFC 5321 §3.4 (moved users), §3.5 (VRFY and EXPN), §3.6 and §7.9 (relaying), RFC 6409 (submission),
//! RFC 2142 and RFC 5321 §4.5.1 (postmaster), RFC 3463 and RFC 5248 (enhanced status codes).
//!
//! There is no open relay by construction: the only way from a foreign recipient to an accepting reply is
//! [`Client::may_relay`], which a stranger does not pass, and whether a recipient is foreign is read from its
//! domain alone, never from its local part.
//!
//! Left out on purpose: how the facts are had, and what a filter makes of a message.

pub mod authenticity;
pub mod greylist;
pub mod message;
pub mod recipient;
pub mod reputation;
pub mod sender;
mod standing;
pub mod verify;

pub use standing::{Client, Rights};

use std::borrow::Cow;
use std::time::Duration;

use types::{ForwardPath, Mailbox, Reply, ReplyKind};

/// What a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Mail from other servers (RFC 5321).
    Transfer,
    /// Mail from users (RFC 6409).
    Submission,
    /// Mail that another server hands over for the mailboxes here (RFC 2033).
    Lmtp,
}

/// What is answered, and why: the reply for the client, the reason for the trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// What the client reads.
    pub reply: Reply,
    /// Plain words for who runs the server. No secrets, no control characters.
    pub reason: Cow<'static, str>,
}

/// Whether there is room on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Storage {
    /// There is.
    Ready,
    /// What is left is kept for what was accepted already.
    Low,
}

/// Whether a domain with one label is a domain (RFC 6409 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Qualification {
    /// It is none, unless it is one of ours.
    Required,
    /// It is taken as it is: in development.
    Any,
}

impl Decision {
    /// Whether the reply accepts.
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        self.reply.is_positive()
    }

    fn new(reply: impl Into<Reply>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { reply: reply.into(), reason: reason.into() }
    }

    fn storage_low() -> Self {
        Self::new(ReplyKind::StorageFull, "there is little room left on the disk")
    }
}

/// A time to wait as people say it, rounded up: `40 s`, `12 min`, `3 h`.
#[must_use]
pub fn wait_in_words(wait: Duration) -> String {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    match seconds {
        0..=90 => format!("{} s", seconds.max(1)),
        91..=5400 => format!("{} min", seconds.div_ceil(60)),
        _ => format!("{} h", seconds.div_ceil(3600)),
    }
}

/// An address as a reply may hold it: replies are ASCII (RFC 6531 §3.7.4.2), but for the few that the client
/// asked to be otherwise.
pub(crate) fn in_reply(mailbox: &Mailbox) -> String {
    mailbox.to_ascii().map_or_else(|| "an address with UTF-8".to_owned(), |ascii| format!("<{ascii}>"))
}

fn path_in_reply(forward_path: &ForwardPath) -> String {
    forward_path.mailbox().map_or_else(|| forward_path.to_string(), in_reply)
}

/// A domain of one label: no name in the Internet's mail.
fn is_unqualified(mailbox: &Mailbox) -> bool {
    mailbox.host.domain().is_some_and(|domain| !domain.ascii().contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_told_rounded_up() {
        for (millis, words) in [
            (0, "1 s"),
            (1, "1 s"),
            (40_000, "40 s"),
            (90_001, "2 min"),
            (12 * 60_000, "12 min"),
            (12 * 60_000 + 1, "13 min"),
            (90 * 60_000, "90 min"),
            (90 * 60_000 + 1, "2 h"),
        ] {
            assert_eq!(wait_in_words(Duration::from_millis(millis)), words);
        }
    }

    #[test]
    fn an_address_with_utf_8_never_stands_in_a_reply() {
        for (address, told) in [
            ("ada@example.org", "<ada@example.org>"),
            ("ada@bücher.example", "<ada@xn--bcher-kva.example>"),
            ("用户@example.org", "an address with UTF-8"),
        ] {
            assert_eq!(in_reply(&address.parse().unwrap()), told);
        }
    }
}
