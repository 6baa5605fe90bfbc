//! The id of an accepted message.

use std::fmt;
use std::str::FromStr;

use crate::Timestamp;

/// Names one accepted message for ever: in the `250` reply, in `Received`, in the trace and in the store.
///
/// 100 bits: 48 of milliseconds since the epoch and 52 random ones, so that ids made by several nodes without
/// asking one another differ, and sort by time. As text: 20 characters of Crockford's base32 (no I, L, O, U),
/// read without regard to case.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MailId(u128);

impl MailId {
    /// Octets of [`MailId::to_bytes`].
    pub const BYTES: usize = 16;

    /// An id made at `at`; of `random` the low 52 bits are used.
    #[must_use]
    pub const fn new(at: Timestamp, random: u64) -> Self {
        let time = (at.millis() as u128) & ((1 << 48) - 1);
        Self(time << RANDOM_BITS | (random & ((1 << RANDOM_BITS) - 1)) as u128)
    }

    /// When the id was made.
    #[must_use]
    pub const fn time(self) -> Timestamp {
        Timestamp::from_millis((self.0 >> RANDOM_BITS) as u64)
    }

    /// Big-endian, so that the bytes sort as the ids do.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; Self::BYTES] {
        self.0.to_be_bytes()
    }

    /// The inverse of [`MailId::to_bytes`]; bits past the hundredth are dropped.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; Self::BYTES]) -> Self {
        Self(u128::from_be_bytes(bytes) & ((1 << 100) - 1))
    }
}

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = [0_u8; TEXT_LEN];
        for (index, octet) in text.iter_mut().enumerate() {
            let shift = 5 * (TEXT_LEN - 1 - index);
            *octet = ALPHABET[usize::try_from(self.0 >> shift & 31).unwrap_or(0)];
        }
        f.pad(std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl fmt::Debug for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MailId({self})")
    }
}

impl FromStr for MailId {
    type Err = MailIdError;

    fn from_str(text: &str) -> Result<Self, MailIdError> {
        if text.len() != TEXT_LEN {
            return Err(MailIdError);
        }
        let mut value = 0_u128;
        for octet in text.bytes() {
            let digit = ALPHABET.iter().position(|c| *c == octet.to_ascii_uppercase()).ok_or(MailIdError)?;
            value = value << 5 | digit as u128;
        }
        Ok(Self(value))
    }
}

/// The text is no message id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a message id has 20 characters of 0-9 and A-Z without I, L, O and U")]
pub struct MailIdError;

const RANDOM_BITS: u32 = 52;
const TEXT_LEN: usize = 20;
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_bytes_and_sorts_by_time() {
        let early = MailId::new(Timestamp::from_millis(1_795_322_124_250), u64::MAX);
        let late = MailId::new(Timestamp::from_millis(1_795_322_124_251), 0);
        assert!(early < late && early.to_string() < late.to_string());
        for id in [early, late] {
            assert_eq!(id.to_string().to_lowercase().parse(), Ok(id));
            assert_eq!(MailId::from_bytes(id.to_bytes()), id);
        }
        assert_eq!(early.time().millis(), 1_795_322_124_250);
    }

    #[test]
    fn text_that_is_no_id_is_refused() {
        for text in ["", "0", "0000000000000000000I", "000000000000000000000", "ééééééééééé"] {
            assert_eq!(text.parse::<MailId>(), Err(MailIdError), "{text}");
        }
    }
}
