//! Keys of DKIM as they are told: nothing of a private key.

use serde::{Deserialize, Serialize};
use types::directory::{DkimAlgorithm, DkimKeyState};

/// One key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimKeySummary {
    /// Who signs with it.
    pub domain: String,
    /// Its name.
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: DkimAlgorithm,
    /// `next`, `active` or `retired`.
    pub state: DkimKeyState,
    /// Where its record stands in the DNS.
    pub record_name: String,
    /// What the record says.
    pub record: String,
    /// The record as a line of a zone, in strings of 255 octets at most.
    pub zone_line: String,
    /// When it was made, in RFC 3339.
    pub created_at: String,
    /// Since when it is in its state, in RFC 3339.
    pub changed_at: String,
    /// Days since then.
    pub days: u64,
    /// Why it cannot sign, where it cannot.
    pub trouble: Option<String>,
    /// What is to be done about it, in a sentence.
    pub to_do: String,
}

/// When keys that are made sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RotateWhen {
    /// When the DNS has their records; at once where nothing signs yet.
    #[default]
    Published,
    /// At once.
    Now,
}

/// Whether the last key goes with which the mail of a domain is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LastActive {
    /// No.
    #[default]
    Refuse,
    /// Yes; its mail is not signed from then on.
    Remove,
}
