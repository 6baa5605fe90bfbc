//! Keys with which domains sign, as they are kept: what may be shown in the clear, what signs sealed.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use types::directory::DkimKey;

/// A key with its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredDkimKey {
    /// What may be shown.
    pub key: DkimKey,
    /// The private key, sealed by who put it there: the store cannot open it.
    pub secret: SealedSecret,
}

/// Octets that nobody reads without the key with which they were sealed. `Debug` shows nothing of them all the same.
#[derive(Clone, PartialEq, Eq)]
pub struct SealedSecret(Vec<u8>);

impl SealedSecret {
    /// From what sealing has made.
    #[must_use]
    pub const fn new(sealed: Vec<u8>) -> Self {
        Self(sealed)
    }

    /// For opening it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SealedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedSecret(…)")
    }
}

/// Base64.
impl Serialize for SealedSecret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for SealedSecret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        STANDARD.decode(text).map(Self).map_err(|_| de::Error::custom("a sealed secret that is no base64"))
    }
}

/// All keys of one domain: one entry of the directory, so that a change of several is one record, there or not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct DkimKeys {
    pub(crate) keys: Vec<StoredDkimKey>,
}

/// Keys of one domain at most: far more than any rotation leaves.
pub const DKIM_KEYS_MAX: usize = 64;

/// What is done with the keys of a domain.
#[derive(Debug, Clone)]
pub(crate) enum DkimChange {
    /// These are added; they replace those of the same selector.
    Put(Vec<StoredDkimKey>),
    /// That of this selector goes.
    Remove(String),
}

impl DkimChange {
    /// Whether it is refused on a full disk.
    pub(crate) const fn takes_room(&self) -> bool {
        matches!(self, Self::Put(_))
    }

    pub(crate) fn size_bytes(&self) -> usize {
        match self {
            // A key of 4096 bits, in base64 with what is around it.
            Self::Put(keys) => keys.iter().map(|stored| 1024 + stored.secret.0.len() * 2).sum(),
            Self::Remove(_) => 0,
        }
    }
}

impl DkimKeys {
    /// The same by selector after a change; none where there is nothing to change.
    pub(crate) fn changed(mut self, change: DkimChange) -> Option<Self> {
        match change {
            DkimChange::Put(keys) => {
                for stored in keys {
                    self.keys.retain(|known| known.key.selector != stored.key.selector);
                    self.keys.push(stored);
                }
                self.keys.sort_by(|a, b| a.key.selector.cmp(&b.key.selector));
            }
            DkimChange::Remove(selector) => {
                let before = self.keys.len();
                self.keys.retain(|known| known.key.selector != selector);
                if self.keys.len() == before {
                    return None;
                }
            }
        }
        Some(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_secret_is_base64_in_json_and_nothing_in_debug() {
        let secret = SealedSecret::new(vec![0xab; 3]);
        assert_eq!(format!("{secret:?}"), "SealedSecret(…)");
        let text = serde_json::to_string(&secret).unwrap();
        assert_eq!(text, "\"q6ur\"");
        assert_eq!(serde_json::from_str::<SealedSecret>(&text).unwrap(), secret);
        assert!(serde_json::from_str::<SealedSecret>("\"?\"").is_err());
    }
}
