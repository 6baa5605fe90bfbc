//! The signatures of a message that came (RFC 6376 §6).

use aws_lc_rs::digest::Digest;
use types::Timestamp;

use super::canonical::{Bodies, BodyForm};
use super::signature::{Index, Kind, Signature};
use super::tags::{Tags, without_space};
use super::{Algorithm, DkimProblem, DkimResult, Keys, RSA_BITS_STRONG, SIGNATURES_MAX};
use crate::Names;
use crate::fields::Field;

/// The signatures of a message, its header section reckoned with. They wait for the keys and the body.
#[derive(Debug, Clone)]
pub struct Signatures {
    entries: Vec<Entry>,
    unread: usize,
}

/// What came out of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The result.
    pub result: DkimResult,
    /// Why it is not `pass`.
    pub problem: Option<DkimProblem>,
    /// `d=`, in A-labels and lower case; empty where it could not be read.
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `i=`, as written, where it is there.
    pub identity: Option<String>,
    /// `a=`, where it is one that is known.
    pub algorithm: Option<Algorithm>,
    /// How long the RSA key is.
    pub rsa_bits: Option<usize>,
    /// `t=y`: the domain is trying DKIM out, and failures are to count as no signature (RFC 6376 §3.6.1).
    pub is_testing: bool,
    /// The beginning of the signature, which tells it from others (RFC 6008).
    pub prefix: String,
}

#[derive(Debug, Clone)]
struct Entry {
    signature: Result<(Signature, Digest), DkimProblem>,
    domain: String,
    selector: String,
    prefix: String,
}

impl Signatures {
    /// Reads the signatures of a header section.
    #[must_use]
    pub fn read(fields: &[Field<'_>], now: Timestamp) -> Self {
        let mut found = fields.iter().filter(|field| field.is("DKIM-Signature")).peekable();
        if found.peek().is_none() {
            return Self { entries: Vec::new(), unread: 0 };
        }
        let index = Index::new(fields);
        let entries =
            found.by_ref().take(SIGNATURES_MAX).map(|field| Entry::read(field, &index, now)).collect();
        Self { entries, unread: found.count() }
    }

    /// Whether there is any.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// How many are not looked at, since there are more than [`SIGNATURES_MAX`].
    #[must_use]
    pub const fn unread(&self) -> usize {
        self.unread
    }

    /// Which hashes of the body they need.
    pub fn forms(&self) -> impl Iterator<Item = BodyForm> {
        self.readable().map(|signature| signature.body)
    }

    /// Asks for their keys.
    pub async fn keys(&self, names: &dyn Names) -> Keys {
        Keys::fetch(names, self.readable().map(Signature::key_name)).await
    }

    /// The result of each, in the order of the fields. `bodies` is of a [`BodyHasher`](super::BodyHasher) that had
    /// [`Self::forms`].
    #[must_use]
    pub fn verify(&self, keys: &Keys, bodies: &Bodies) -> Vec<Verified> {
        self.entries.iter().map(|entry| entry.verify(keys, bodies)).collect()
    }

    /// Of each, in the order of the fields, whether it says nothing of fields with these names, neither that they are there nor
    /// that they are not: then others may be put on top or taken off.
    #[must_use]
    pub fn cover_none_of(&self, names: &[&str]) -> Vec<bool> {
        let covers = |signature: &Signature| {
            signature.names.iter().any(|signed| names.iter().any(|name| name.eq_ignore_ascii_case(signed)))
        };
        let of = |entry: &Entry| entry.signature.as_ref().is_ok_and(|(signature, _)| !covers(signature));
        self.entries.iter().map(of).collect()
    }

    fn readable(&self) -> impl Iterator<Item = &Signature> {
        self.entries.iter().filter_map(|entry| entry.signature.as_ref().ok()).map(|(signature, _)| signature)
    }
}

impl Entry {
    fn read(field: &Field<'_>, index: &Index<'_>, now: Timestamp) -> Self {
        let text = std::str::from_utf8(field.value).unwrap_or_default();
        let mut entry = Self {
            signature: Err(DkimProblem::Malformed("no list of tags")),
            domain: String::new(),
            selector: String::new(),
            prefix: String::new(),
        };
        let Some(tags) = Tags::read(text) else { return entry };
        let known = |name, read: fn(&str) -> Result<String, DkimProblem>| {
            tags.value(name).and_then(|value| read(value).ok()).unwrap_or_default()
        };
        entry.domain = known("d", super::signature::domain);
        entry.selector = known("s", super::signature::selector);
        let prefix = without_space(tags.value_or("b", ""));
        entry.prefix = prefix.chars().filter(char::is_ascii_graphic).take(PREFIX_CHARACTERS).collect();
        entry.signature = Signature::parse(&tags, Kind::Dkim).and_then(|signature| {
            signature.times.check(now)?;
            let digest = signature.header_digest(index, field);
            Ok((signature, digest))
        });
        entry
    }

    fn verify(&self, keys: &Keys, bodies: &Bodies) -> Verified {
        let mut verified = Verified {
            result: DkimResult::Pass,
            problem: None,
            domain: self.domain.clone(),
            selector: self.selector.clone(),
            identity: None,
            algorithm: None,
            rsa_bits: None,
            is_testing: false,
            prefix: self.prefix.clone(),
        };
        let checked = match &self.signature {
            Ok((signature, digest)) => {
                verified.identity.clone_from(&signature.identity);
                verified.algorithm = Some(signature.algorithm);
                check(signature, digest, keys, bodies, &mut verified)
            }
            Err(problem) => Err(problem.clone()),
        };
        if let Err(problem) = checked {
            verified.result = problem.result();
            verified.problem = Some(problem);
        }
        verified
    }
}

/// RFC 6376 §6.1.2 and §6.1.3.
fn check(
    signature: &Signature,
    digest: &Digest,
    keys: &Keys,
    bodies: &Bodies,
    verified: &mut Verified,
) -> Result<(), DkimProblem> {
    let record = keys.key(&signature.key_name(), signature.algorithm)?;
    verified.rsa_bits = record.key.rsa_bits();
    verified.is_testing = record.is_testing;
    if !signature.is_identity_of_domain(record.is_strict) {
        return Err(DkimProblem::Identity);
    }
    let unsigned = check_body(signature, bodies)?;
    if !record.key.verifies(digest, &signature.octets) {
        return Err(DkimProblem::Signature);
    }
    if unsigned > 0 { Err(DkimProblem::Unsigned(unsigned)) } else { Ok(()) }
}

/// How many octets at the end of the body the signature does not cover.
pub(crate) fn check_body(signature: &Signature, bodies: &Bodies) -> Result<u64, DkimProblem> {
    let body = bodies.digest(signature.body).ok_or(DkimProblem::BodyHash)?;
    let covered = signature.body.octets_max.unwrap_or(body.octets);
    let unsigned = body.octets.checked_sub(covered).ok_or(DkimProblem::TooShort)?;
    if body.sha256.as_ref() == signature.body_hash { Ok(unsigned) } else { Err(DkimProblem::BodyHash) }
}

impl Verified {
    /// Whether the key is shorter than signers may use by now (RFC 8301 §3.2).
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.rsa_bits.is_some_and(|bits| bits < RSA_BITS_STRONG)
    }
}

/// As many as others show.
const PREFIX_CHARACTERS: usize = 8;
