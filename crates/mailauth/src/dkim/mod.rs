//! DKIM: signatures of a message by domains (RFC 6376; RFC 8301: which algorithms and keys; RFC 8463: ed25519-sha256;
//! RFC 8616 §5: domains that are not ASCII).
//!
//! The way of a message that came: [`Signatures::read`] with its header section, [`Signatures::forms`] into a
//! [`BodyHasher`] that is given the body piece by piece, [`Signatures::keys`] at the same time, since it waits for the DNS
//! alone, and [`Signatures::verify`] at the end, which only reckons. One pass over the body serves all signatures, those of
//! ARC and those that are made.
//!
//! Limits: [`SIGNATURES_MAX`] of a message are looked at, the upper ones; the rest is counted. [`KEY_RECORD_BYTES_MAX`],
//! [`HEADER_NAMES_MAX`].
//!
//! Left out on purpose: rsa-sha1, which RFC 8301 §3.1 forbids; the `g` tag of keys, which RFC 6376 dropped; ATPS (RFC 6541) and
//! the reports that `r=y` asks for (RFC 6651).

pub(crate) mod canonical;
pub(crate) mod crypto;
mod describe;
mod key;
pub(crate) mod keys;
pub(crate) mod signature;
pub(crate) mod signer;
pub(crate) mod tags;
pub(crate) mod verify;

use std::fmt;

use types::dns::DnsTrouble;

pub use canonical::{Bodies, BodyForm, BodyHasher, Canonicalization};
pub use crypto::{KeyError, SigningKey};
pub use describe::Description;
pub use key::PublishedKey;
pub use keys::Keys;
pub use signature::Algorithm;
pub use signer::{Signer, SignerError};
pub use verify::{Signatures, Verified};

/// Signatures of a message that are looked at (RFC 6376 §6.1 allows a limit).
pub const SIGNATURES_MAX: usize = 10;
/// A longer key record is an error; a key of 4096 bits makes one of some 740 octets.
pub const KEY_RECORD_BYTES_MAX: usize = 8 * 1024;
/// Names in `h=`; a signature with more is an error.
pub const HEADER_NAMES_MAX: usize = 512;
/// RSA keys with fewer bits prove nothing (RFC 8301 §3.2).
pub const RSA_BITS_MIN: usize = 1024;
/// RSA keys with fewer bits are weak: valid, and not to be made any more (RFC 8301 §3.2).
pub const RSA_BITS_STRONG: usize = 2048;

/// The results of RFC 8601 §2.7.1. A message without a signature has none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DkimResult {
    /// The signature is right.
    Pass,
    /// It is not.
    Fail,
    /// It is right by its own measure, which is not ours: RFC 8301's limits, or octets that it does not cover.
    Policy,
    /// It cannot be read.
    Neutral,
    /// The DNS does not answer now.
    TempError,
    /// There is no usable key.
    PermError,
}

/// Why a signature does not pass. The text is for the domain's postmaster.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DkimProblem {
    /// Not the tags of RFC 6376 §3.5.
    #[error("the signature cannot be read: {0}")]
    Malformed(&'static str),
    /// Another version, algorithm, canonicalization or way to the key than is known.
    #[error("the signature has {0} that is not known")]
    Unknown(&'static str),
    /// `rsa-sha1`, which proves nothing any more (RFC 8301 §3.1).
    #[error("the signature uses SHA-1, which proves nothing any more")]
    Sha1,
    /// The time of `x=` is over (RFC 6376 §3.5).
    #[error("the signature has expired")]
    Expired,
    /// `t=` says a time that is yet to come.
    #[error("the signature is of a time that is yet to come")]
    NotYet,
    /// The body is another one.
    #[error("the body was changed after it was signed")]
    BodyHash,
    /// The fields are others, or the key is.
    #[error("the signature does not fit the header fields and the key")]
    Signature,
    /// `l=` leaves octets at the end that anybody may have written (RFC 6376 §8.2).
    #[error("the signature leaves {0} octets at the end of the body unsigned")]
    Unsigned(u64),
    /// `l=` says more octets than there are (RFC 6376 §3.5).
    #[error("the signature covers more octets than the body has")]
    TooShort,
    /// No answer of the DNS.
    #[error("no answer for the key: {0}")]
    NoAnswer(DnsTrouble),
    /// No key there (RFC 6376 §6.1.2).
    #[error("there is no key at {0}")]
    NoKey(String),
    /// An empty `p=` (RFC 6376 §3.6.1).
    #[error("the key was revoked")]
    Revoked,
    /// A record that is no key.
    #[error("the key record makes no sense: {0}")]
    MalformedKey(&'static str),
    /// The key is for something else: another algorithm, hash or service.
    #[error("the key is not for such signatures: {0}")]
    WrongKey(&'static str),
    /// Fewer bits than [`RSA_BITS_MIN`].
    #[error("the key has {0} bits, which is too short to prove anything")]
    ShortKey(usize),
    /// `i=` is not within `d=`, or not the same where the key has `t=s`.
    #[error("the signer's identity is not of the signing domain")]
    Identity,
}

impl DkimProblem {
    /// The result that it makes.
    #[must_use]
    pub const fn result(&self) -> DkimResult {
        match self {
            Self::Malformed(_) | Self::Unknown(_) => DkimResult::Neutral,
            Self::Sha1 | Self::ShortKey(_) | Self::Unsigned(_) => DkimResult::Policy,
            Self::Expired | Self::NotYet | Self::BodyHash | Self::Signature | Self::TooShort => {
                DkimResult::Fail
            }
            Self::NoAnswer(_) => DkimResult::TempError,
            Self::NoKey(_) | Self::Revoked | Self::MalformedKey(_) | Self::WrongKey(_) | Self::Identity => {
                DkimResult::PermError
            }
        }
    }
}

impl DkimResult {
    /// As it stands in `Authentication-Results` (RFC 8601 §2.7.1).
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::Neutral => "neutral",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

impl fmt::Display for DkimResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}
