//! Greylisting: a sender who was not seen before is asked to come again, which who queues mail does, and much of what sends
//! spam does not.
//!
//! Standards: RFC 6647 (§2.4: which parts of the envelope name a sender; who is spared, and the times).
//!
//! The decision falls at the end of the message and not at RCPT, since what spares an honest sender the wait is only known there:
//! that DMARC passes for a domain which has passed here before, or that a signer is on an allow list. A call-back has no message
//! and is never asked to wait.
//!
//! What is remembered is bounded. What makes room is the oldest of those who have not come again, and no network has more of
//! them than its share: made-up senders push out made-up senders. All that a lost memory costs is a wait.
//!
//! Left out on purpose: where the memory is kept, and who is a stranger.

mod key;
mod memory;

use std::time::Duration;

use types::Timestamp;

pub use key::{Key, client_key, host_key, sender_key};
pub use memory::{Author, KnownClient, Memory, Remembered};

/// The rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GreylistPolicy {
    /// How long a sender has to wait.
    pub wait: Duration,
    /// How long after the first attempt the second still counts.
    pub retry_within: Duration,
    /// How long somebody is remembered after he was last seen.
    pub remembered: Duration,
    /// A client that has come again with this many messages is not asked to wait any more; never where it is 0.
    pub client_retries: u32,
    /// A domain has a good history after so many messages that passed DMARC …
    pub author_messages: u32,
    /// … on so many days.
    pub author_days: u32,
    /// Entries that are remembered of each kind.
    pub entries_max: usize,
}

/// Who is asked to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GreylistMode {
    /// Nobody.
    Off,
    /// Who looks like something.
    Suspicious,
    /// Whoever is new.
    All,
}

/// What is known of a message that is complete.
#[derive(Debug, Clone, Copy)]
pub struct GreylistFacts<'a> {
    /// The operator's word.
    pub mode: GreylistMode,
    /// The reverse-path is null: a report, or somebody who calls back.
    pub has_null_path: bool,
    /// It is for a postmaster or abuse desk alone.
    pub is_for_postmaster: bool,
    /// What lists in the DNS say ([`score`](super::reputation::score)).
    pub score: i32,
    /// The author's organizational domain, where DMARC passes.
    pub author: Option<&'a str>,
    /// Why the sender looks like something, as far as anything does: for the trace.
    pub suspicion: Option<&'a str>,
}

/// One attempt to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Where from: [`client_key`].
    pub client: String,
    /// What a client that has come again often enough is known by: [`host_key`].
    pub host: String,
    /// Who: [`sender_key`].
    pub sender: String,
    /// To whom, as keys of the directory.
    pub recipients: Vec<String>,
}

/// What comes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greylisting {
    /// It is taken, for this reason.
    Passes(&'static str),
    /// It is to come again after this time.
    Waits {
        /// From now on.
        wait: Duration,
        /// Whether it is the first attempt.
        is_first: bool,
    },
}

/// Recipients of one message that are looked at: all of a message wait together, and more would fill the memory.
pub(super) const RECIPIENTS_MAX: usize = 10;

impl GreylistFacts<'_> {
    /// Why nobody is asked to wait, whatever is remembered; none where the memory decides.
    fn spared(&self, memory: &Memory, policy: &GreylistPolicy, now: Timestamp) -> Option<&'static str> {
        let has_history = || self.author.is_some_and(|author| memory.has_history(author, policy, now));
        match self.mode {
            GreylistMode::Off => Some("greylisting is off"),
            _ if self.has_null_path => Some("reports and call-backs do not wait"),
            _ if self.is_for_postmaster => Some("the postmaster is reached at once"),
            _ if self.score < 0 => Some("an allow list knows the sender"),
            GreylistMode::Suspicious if self.suspicion.is_none() => Some("nothing looks suspicious"),
            _ if has_history() => Some("the author's domain has a good history here"),
            _ => None,
        }
    }
}

/// Decides, and remembers what was seen.
pub fn decide(
    memory: &mut Memory,
    facts: &GreylistFacts<'_>,
    attempt: &Attempt,
    policy: &GreylistPolicy,
    now: Timestamp,
) -> Greylisting {
    match facts.spared(memory, policy, now) {
        Some(why) => Greylisting::Passes(why),
        None => memory.attempted(attempt, policy, now),
    }
}

#[cfg(test)]
mod tests;
