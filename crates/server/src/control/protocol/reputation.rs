//! What is told of lists in the DNS and of greylisting.

use serde::{Deserialize, Serialize};

/// A list in the DNS, for one kind of what it may know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListStatus {
    /// The list.
    pub zone: String,
    /// `ipv4`, `ipv6` or `domain`.
    pub kind: String,
    /// Whether it works and is asked; none before its first test.
    pub works: Option<bool>,
    /// Why not.
    pub problem: Option<String>,
}

/// What greylisting is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GreylistRequest {
    /// Who is remembered: [`GreylistResponse::Entries`].
    Entries {
        /// Only those with this text in a client, a sender, a recipient or a domain.
        #[serde(default)]
        with: Option<String>,
    },
    /// A client, a sender, a recipient or a domain is new again: [`GreylistResponse::Forgotten`].
    Forget {
        /// As it is listed.
        name: String,
    },
}

/// What it answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GreylistResponse {
    /// Some of those who are remembered.
    Entries {
        /// The first thousand of them.
        entries: Vec<GreylistEntry>,
        /// How many there are.
        total: usize,
    },
    /// So many entries are gone.
    Forgotten(usize),
}

/// Somebody who is remembered; times in milliseconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "lowercase")]
pub enum GreylistEntry {
    /// A sender from somewhere to somebody.
    Sender {
        /// A network, or `spf:` and a domain.
        client: String,
        /// Without what changes from message to message.
        sender: String,
        /// An address here.
        recipient: String,
        /// The first attempt.
        first: u64,
        /// The last.
        last: u64,
        /// Messages that were let through; none while it waits.
        passed: u32,
    },
    /// A client that has come again.
    Client {
        /// As above.
        client: String,
        /// With so many messages.
        retries: u32,
        /// When it was last seen.
        last: u64,
    },
    /// A domain that has passed DMARC.
    Author {
        /// Its organizational domain.
        domain: String,
        /// So many messages.
        messages: u32,
        /// On so many days.
        days: u32,
        /// When it was last seen.
        last: u64,
    },
    /// What this version does not know.
    #[serde(other)]
    Unknown,
}

impl GreylistEntry {
    /// Whether a text stands in one of its names.
    #[must_use]
    pub fn has(&self, text: &str) -> bool {
        match self {
            Self::Sender { client, sender, recipient, .. } => {
                [client, sender, recipient].iter().any(|name| name.contains(text))
            }
            Self::Client { client, .. } => client.contains(text),
            Self::Author { domain, .. } => domain.contains(text),
            Self::Unknown => false,
        }
    }
}
