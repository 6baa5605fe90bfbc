//! A key as a domain publishes it (RFC 6376 §3.6.1, RFC 8463 §4).

use base64::Engine;

use super::crypto::PublicKey;
use super::tags::{Tags, listed, without_space};
use super::{Algorithm, DkimProblem, KEY_RECORD_BYTES_MAX, RSA_BITS_MIN};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyRecord {
    pub(crate) key: PublicKey,
    /// `t=y`: the domain is trying DKIM out.
    pub(crate) is_testing: bool,
    /// `t=s`: `i=` names no subdomain.
    pub(crate) is_strict: bool,
}

/// What a key record tells of itself, for whoever looks after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublishedKey {
    /// Which signatures it is for.
    pub algorithm: Algorithm,
    /// Of a key of RSA.
    pub rsa_bits: Option<usize>,
    /// `t=y`: the domain is trying DKIM out.
    pub is_testing: bool,
}

impl PublishedKey {
    /// Reads the text of a record as a verifier does.
    ///
    /// # Errors
    /// Why signatures cannot be checked with it; [`DkimProblem::WrongKey`] too where it is of a type that is not known.
    pub fn parse(record: &[u8]) -> Result<Self, DkimProblem> {
        let of = |algorithm| {
            let found = KeyRecord::parse(record, algorithm)?;
            Ok(Self { algorithm, rsa_bits: found.key.rsa_bits(), is_testing: found.is_testing })
        };
        match of(Algorithm::RsaSha256) {
            Err(DkimProblem::WrongKey(_)) => of(Algorithm::Ed25519Sha256),
            other => other,
        }
    }
}

impl KeyRecord {
    /// The key, if it is for signatures of mail with that algorithm.
    pub(crate) fn parse(record: &[u8], algorithm: Algorithm) -> Result<Self, DkimProblem> {
        if record.len() > KEY_RECORD_BYTES_MAX {
            return Err(DkimProblem::MalformedKey("it is too long"));
        }
        let text = std::str::from_utf8(record).map_err(|_| DkimProblem::MalformedKey("it is not text"))?;
        let tags = Tags::read(text).ok_or(DkimProblem::MalformedKey("it is no list of tags"))?;
        if tags.value("v").is_some() && tags.first() != Some(("v", "DKIM1")) {
            return Err(DkimProblem::MalformedKey("it is of another version"));
        }
        let has = |name, wanted: &str, any: &str| {
            tags.value(name).is_none_or(|value| listed(value).any(|one| one == wanted || one == any))
        };
        if !has("h", "sha256", "sha256") {
            return Err(DkimProblem::WrongKey("its hashes are others"));
        }
        if !has("s", "email", "*") {
            return Err(DkimProblem::WrongKey("it is not for mail"));
        }
        if tags.value_or("k", "rsa") != algorithm.key_type() {
            return Err(DkimProblem::WrongKey("it is of another type"));
        }
        let flags = tags.value_or("t", "");
        Ok(Self {
            key: read_key(tags.value("p"), algorithm)?,
            is_testing: listed(flags).any(|flag| flag == "y"),
            is_strict: listed(flags).any(|flag| flag == "s"),
        })
    }
}

fn read_key(value: Option<&str>, algorithm: Algorithm) -> Result<PublicKey, DkimProblem> {
    let base64 = without_space(value.ok_or(DkimProblem::MalformedKey("there is no key in it"))?);
    if base64.is_empty() {
        return Err(DkimProblem::Revoked);
    }
    let octets =
        super::signature::BASE64.decode(base64).map_err(|_| DkimProblem::MalformedKey("it is not base64"))?;
    let key = match algorithm {
        Algorithm::RsaSha256 => PublicKey::rsa(octets),
        Algorithm::Ed25519Sha256 => PublicKey::ed25519(octets),
    };
    let key = key.ok_or(DkimProblem::MalformedKey("what is in it is no key"))?;
    match key.rsa_bits() {
        Some(bits) if bits < RSA_BITS_MIN => Err(DkimProblem::ShortKey(bits)),
        _ => Ok(key),
    }
}
