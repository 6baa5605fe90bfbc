//! Keys with which a domain signs its mail (RFC 6376, RFC 8463): what may be shown of them.
//!
//! Left out on purpose: the private keys, which the store keeps sealed beside this.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Domain, Timestamp};

/// What may be shown of a key of a domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DkimKey {
    /// Who signs with it: `d=`.
    pub domain: Domain,
    /// `s=`; in lower case.
    pub selector: String,
    /// What it signs with.
    pub algorithm: DkimAlgorithm,
    /// Where it is on its way.
    pub state: DkimKeyState,
    /// What the DNS is to say at [`DkimKey::record_name`]: `v=DKIM1; k=…; p=…`.
    pub record: String,
    /// When it was made.
    #[serde(with = "millis")]
    pub created_at: Timestamp,
    /// Since when it is in its state.
    #[serde(with = "millis")]
    pub changed_at: Timestamp,
}

impl DkimKey {
    /// Where its record stands (RFC 6376 §3.6.2.1).
    #[must_use]
    pub fn record_name(&self) -> String {
        dkim_record_name(&self.selector, &self.domain)
    }

    /// The record as a line of a zone: a string has 255 octets at most (RFC 1035 §3.3), and readers join those of one record
    /// without anything between them (RFC 6376 §3.6.2.2).
    #[must_use]
    pub fn zone_line(&self) -> String {
        // Tags and base64: ASCII without a quote or a backslash.
        let strings = self.record.as_bytes().chunks(255).map(|part| format!("\"{}\"", part.escape_ascii()));
        let strings: Vec<String> = strings.collect();
        format!("{}. IN TXT {}", self.record_name(), strings.join(" "))
    }
}

/// Where the record of a selector of a domain stands (RFC 6376 §3.6.2.1).
#[must_use]
pub fn dkim_record_name(selector: &str, domain: &Domain) -> String {
    format!("{selector}._domainkey.{}", domain.ascii())
}

/// What signs (RFC 8301 §3.1, RFC 8463 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum DkimAlgorithm {
    /// RSA, which everybody verifies.
    #[serde(rename = "rsa-sha256")]
    RsaSha256,
    /// Ed25519, short and quick, which many verify.
    #[serde(rename = "ed25519-sha256")]
    Ed25519Sha256,
}

impl DkimAlgorithm {
    /// All, in the order in which signatures are made.
    pub const ALL: [Self; 2] = [Self::RsaSha256, Self::Ed25519Sha256];

    /// As it stands in `a=`.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }
}

impl fmt::Display for DkimAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// `rsa-sha256`, `ed25519-sha256`, or without the hash.
impl FromStr for DkimAlgorithm {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "rsa" | "rsa-sha256" => Ok(Self::RsaSha256),
            "ed25519" | "ed25519-sha256" => Ok(Self::Ed25519Sha256),
            _ => Err("`rsa` or `ed25519`".to_owned()),
        }
    }
}

/// Where a key is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DkimKeyState {
    /// Its record is to be published; it does not sign yet.
    Next,
    /// It signs.
    Active,
    /// It signs no more; its record stays while what it signed is on its way.
    Retired,
}

impl DkimKeyState {
    /// In a word.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Next => "next",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for DkimKeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}

/// A point in time as milliseconds since the epoch.
mod millis {
    use serde::{Deserialize as _, Deserializer, Serializer};

    use crate::Timestamp;

    pub(super) fn serialize<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(at.millis())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        u64::deserialize(deserializer).map(Timestamp::from_millis)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_of_a_key_is_as_it_was() {
        let key = DkimKey {
            domain: "bücher.example".parse().unwrap(),
            selector: "rsa-20261122".into(),
            algorithm: DkimAlgorithm::RsaSha256,
            state: DkimKeyState::Next,
            record: "v=DKIM1; k=rsa; p=AA==".into(),
            created_at: Timestamp::from_millis(1),
            changed_at: Timestamp::from_millis(2),
        };
        let text = r#"{"domain":"bücher.example","selector":"rsa-20261122","algorithm":"rsa-sha256","state":"next","record":"v=DKIM1; k=rsa; p=AA==","created_at":1,"changed_at":2}"#;
        assert_eq!(serde_json::to_string(&key).unwrap(), text);
        assert_eq!(serde_json::from_str::<DkimKey>(text).unwrap(), key);
        assert_eq!(key.record_name(), "rsa-20261122._domainkey.xn--bcher-kva.example");
    }

    #[test]
    fn a_zone_line_has_strings_of_255_octets_at_most_that_make_the_record() {
        for length in [1, 255, 256, 410, 765] {
            let key = DkimKey {
                domain: "example.org".parse().unwrap(),
                selector: "s".into(),
                algorithm: DkimAlgorithm::RsaSha256,
                state: DkimKeyState::Active,
                record: "A".repeat(length),
                created_at: Timestamp::default(),
                changed_at: Timestamp::default(),
            };
            let line = key.zone_line();
            let strings = line.strip_prefix("s._domainkey.example.org. IN TXT ").unwrap();
            let strings: Vec<&str> = strings.split(' ').map(|part| part.trim_matches('"')).collect();
            assert!(strings.iter().all(|part| (1..=255).contains(&part.len())), "{line}");
            assert_eq!(strings.concat(), key.record);
        }
    }

    #[test]
    fn algorithms_are_read_with_and_without_their_hash() {
        for algorithm in DkimAlgorithm::ALL {
            let keyword = algorithm.to_string();
            assert_eq!(keyword.parse(), Ok(algorithm));
            assert_eq!(keyword.trim_end_matches("-sha256").parse(), Ok(algorithm));
            assert_eq!(serde_json::to_string(&algorithm).unwrap(), format!("\"{keyword}\""));
        }
        assert!("rsa-sha1".parse::<DkimAlgorithm>().is_err());
    }
}
