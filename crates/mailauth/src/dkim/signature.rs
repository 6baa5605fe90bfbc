//! A signature as it stands in a header field (RFC 6376 §3.5; RFC 8617 §4.1.2 for that of ARC).

use std::collections::BTreeMap;

use aws_lc_rs::digest::Digest;
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use types::{Domain, Timestamp};

use super::canonical::{BodyForm, Canonicalization};
use super::crypto::sha256;
use super::tags::{Tags, listed, trim, without_space};
use super::{DkimProblem, HEADER_NAMES_MAX};
use crate::fields::Field;

/// How it is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RFC 6376 §3.3.2, of 1024 bits or more.
    RsaSha256,
    /// RFC 8463.
    Ed25519Sha256,
}

/// What was read of a signature, and is well formed.
#[derive(Debug, Clone)]
pub(crate) struct Signature {
    pub(crate) algorithm: Algorithm,
    pub(crate) octets: Vec<u8>,
    pub(crate) body_hash: Vec<u8>,
    pub(crate) header: Canonicalization,
    pub(crate) body: BodyForm,
    /// In A-labels and lower case.
    pub(crate) domain: String,
    pub(crate) selector: String,
    /// As written; the domain where it is not there.
    pub(crate) identity: Option<String>,
    pub(crate) names: Vec<String>,
    pub(crate) times: Times,
}

/// `t=` and `x=`, in seconds since the epoch.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Times {
    signed: Option<u64>,
    expires: Option<u64>,
}

/// Whose rules hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `DKIM-Signature`
    Dkim,
    /// `ARC-Message-Signature`, which has an instance for a version and an identity.
    ArcMessage,
}

/// Where the fields of each name stand, so that a signature is made in time that grows with its own length.
pub(crate) struct Index<'a> {
    fields: &'a [Field<'a>],
    places: BTreeMap<String, Vec<usize>>,
}

impl Algorithm {
    /// As in `a=` (RFC 6376 §3.3, RFC 8463 §3).
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa-sha256",
            Self::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    pub(crate) fn read(name: &str) -> Result<Self, DkimProblem> {
        match name {
            "rsa-sha256" => Ok(Self::RsaSha256),
            "ed25519-sha256" => Ok(Self::Ed25519Sha256),
            "rsa-sha1" => Err(DkimProblem::Sha1),
            _ => Err(DkimProblem::Unknown("an algorithm")),
        }
    }

    pub(crate) const fn key_type(self) -> &'static str {
        match self {
            Self::RsaSha256 => "rsa",
            Self::Ed25519Sha256 => "ed25519",
        }
    }
}

impl Signature {
    pub(crate) fn parse(tags: &Tags<'_>, kind: Kind) -> Result<Self, DkimProblem> {
        if kind == Kind::Dkim && required(tags, "v", "no version")? != "1" {
            return Err(DkimProblem::Unknown("a version"));
        }
        let algorithm = Algorithm::read(required(tags, "a", "no algorithm")?)?;
        let body_hash = base64(required(tags, "bh", "no body hash")?, "a body hash that is not base64")?;
        if body_hash.len() != SHA256_BYTES {
            return Err(DkimProblem::Malformed("a body hash of another length"));
        }
        let (header, body) = canonicalizations(tags.value_or("c", "simple/simple"))?;
        if !listed(tags.value_or("q", "dns/txt")).any(|method| method == "dns/txt") {
            return Err(DkimProblem::Unknown("a way to the key"));
        }
        let domain = domain(required(tags, "d", "no domain")?)?;
        let identity = tags.value("i").filter(|_| kind == Kind::Dkim).map(str::to_owned);
        let octets_max =
            tags.value("l").map(|digits| number(digits, "a length that is no number")).transpose()?;
        Ok(Self {
            algorithm,
            octets: base64(required(tags, "b", "no signature")?, "a signature that is not base64")?,
            body_hash,
            header,
            body: BodyForm { canonicalization: body, octets_max },
            selector: selector(required(tags, "s", "no selector")?)?,
            identity,
            domain,
            names: names(required(tags, "h", "no list of fields")?)?,
            times: Times::read(tags)?,
        })
    }

    pub(crate) fn key_name(&self) -> String {
        key_name(&self.selector, &self.domain)
    }

    /// Whether `i=` is of the signing domain (RFC 6376 §3.5), or the very same where the key wants that (§3.6.1).
    pub(crate) fn is_identity_of_domain(&self, is_strict: bool) -> bool {
        let Some(identity) = &self.identity else { return true };
        let Some((_, host)) = identity.rsplit_once('@') else { return false };
        let Ok(host) = domain(trim(host)) else { return false };
        let is_below = || host.strip_suffix(&self.domain).is_some_and(|above| above.ends_with('.'));
        host == self.domain || !is_strict && is_below()
    }

    /// The hash that was signed: the named fields, and the field of the signature without the signature (RFC 6376 §3.7).
    pub(crate) fn header_digest(&self, index: &Index<'_>, own: &Field<'_>) -> Digest {
        let mut signed = Vec::with_capacity(2048);
        index.append(&self.names, self.header, &mut signed);
        append_without_signature(own, self.header, &mut signed);
        sha256(&signed)
    }
}

impl Times {
    pub(crate) fn read(tags: &Tags<'_>) -> Result<Self, DkimProblem> {
        let read =
            |name| tags.value(name).map(|digits| number(digits, "a time that is no number")).transpose();
        let times = Self { signed: read("t")?, expires: read("x")? };
        match (times.signed, times.expires) {
            (Some(signed), Some(expires)) if expires <= signed => {
                Err(DkimProblem::Malformed("an end before its beginning"))
            }
            _ => Ok(times),
        }
    }

    /// `t=` and `x=`.
    pub(crate) const fn in_seconds(self) -> (Option<u64>, Option<u64>) {
        (self.signed, self.expires)
    }

    /// Clocks differ, so a time that is hardly in the future counts as now.
    pub(crate) fn check(self, now: Timestamp) -> Result<(), DkimProblem> {
        let now = now.seconds();
        if self.expires.is_some_and(|expires| expires <= now) {
            return Err(DkimProblem::Expired);
        }
        if self.signed.is_some_and(|signed| signed > now.saturating_add(CLOCK_DIFFERENCE_S_MAX)) {
            return Err(DkimProblem::NotYet);
        }
        Ok(())
    }
}

impl<'a> Index<'a> {
    pub(crate) fn new(fields: &'a [Field<'a>]) -> Self {
        let mut places: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (place, field) in fields.iter().enumerate() {
            if let Ok(name) = std::str::from_utf8(field.name) {
                places.entry(name.to_ascii_lowercase()).or_default().push(place);
            }
        }
        Self { fields, places }
    }

    /// How many fields of the name there are.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.places.get(name).map_or(0, Vec::len)
    }

    /// Each name takes the lowest field that is not taken yet, or nothing (RFC 6376 §5.4.2).
    pub(crate) fn append(&self, names: &[String], form: Canonicalization, to: &mut Vec<u8>) {
        let mut taken: BTreeMap<&str, usize> = BTreeMap::new();
        for name in names {
            let taken = taken.entry(name).or_default();
            let places = self.places.get(name).map_or(&[][..], Vec::as_slice);
            let place = places.len().checked_sub(*taken + 1).and_then(|at| places.get(at));
            if let Some(field) = place.and_then(|place| self.fields.get(*place)) {
                form.append(field, to);
                *taken += 1;
            }
        }
    }
}

/// A field of a signature with an empty `b=`, without the line end (RFC 6376 §3.7).
pub(crate) fn append_without_signature(own: &Field<'_>, form: Canonicalization, to: &mut Vec<u8>) {
    let mut raw = own.raw[..own.raw.len() - own.value.len()].to_vec();
    let value_starts = raw.len();
    for (place, spec) in own.value.split(|octet| *octet == b';').enumerate() {
        if place > 0 {
            raw.push(b';');
        }
        let equals = spec.iter().position(|octet| *octet == b'=');
        match equals {
            Some(equals) if spec[..equals].trim_ascii() == b"b" => raw.extend_from_slice(&spec[..=equals]),
            _ => raw.extend_from_slice(spec),
        }
    }
    let bare = Field { name: own.name, value: &raw[value_starts..], raw: &raw };
    form.append(&bare, to);
    to.truncate(to.len() - b"\r\n".len());
}

pub(crate) fn key_name(selector: &str, domain: &str) -> String {
    format!("{selector}._domainkey.{domain}")
}

pub(crate) fn required<'a>(tags: &Tags<'a>, name: &str, what: &'static str) -> Result<&'a str, DkimProblem> {
    tags.value(name).ok_or(DkimProblem::Malformed(what))
}

pub(crate) fn base64(value: &str, what: &'static str) -> Result<Vec<u8>, DkimProblem> {
    BASE64
        .decode(without_space(value))
        .ok()
        .filter(|octets| !octets.is_empty())
        .ok_or(DkimProblem::Malformed(what))
}

/// The domain of a signature: letters, digits, hyphens and underscores, in A-labels where it is written in others.
pub(crate) fn domain(text: &str) -> Result<String, DkimProblem> {
    let text = trim(text);
    let ascii = if text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        let domain: Result<Domain, _> = text.parse();
        domain.map_err(|_| DkimProblem::Malformed("a domain that is none"))?.ascii().to_owned()
    };
    let is_domain = crate::is_name(&ascii) && ascii.bytes().all(is_name_octet);
    is_domain.then_some(ascii).ok_or(DkimProblem::Malformed("a domain that is none"))
}

pub(crate) fn selector(text: &str) -> Result<String, DkimProblem> {
    domain(text).map_err(|_| DkimProblem::Malformed("a selector that is none"))
}

const fn is_name_octet(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.')
}

/// `h=`, in lower case. It must have `from` (RFC 6376 §5.4).
fn names(value: &str) -> Result<Vec<String>, DkimProblem> {
    let names: Vec<String> = listed(value).take(HEADER_NAMES_MAX + 1).map(str::to_ascii_lowercase).collect();
    if names.len() > HEADER_NAMES_MAX {
        return Err(DkimProblem::Malformed("a list of fields that is too long"));
    }
    if !names.iter().any(|name| name == "from") {
        return Err(DkimProblem::Malformed("From not among its fields"));
    }
    Ok(names)
}

/// `c=`: the body's is simple where it is not said.
fn canonicalizations(value: &str) -> Result<(Canonicalization, Canonicalization), DkimProblem> {
    let read = |name: &str| match trim(name) {
        "simple" => Ok(Canonicalization::Simple),
        "relaxed" => Ok(Canonicalization::Relaxed),
        _ => Err(DkimProblem::Unknown("a canonicalization")),
    };
    match value.split_once('/') {
        Some((header, body)) => Ok((read(header)?, read(body)?)),
        None => Ok((read(value)?, Canonicalization::Simple)),
    }
}

/// Numbers that are too large for anything are as good as the largest (RFC 6376 §3.5).
fn number(digits: &str, what: &'static str) -> Result<u64, DkimProblem> {
    let is_number = !digits.is_empty() && digits.bytes().all(|octet| octet.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(u64::MAX)).ok_or(DkimProblem::Malformed(what))
}

/// With padding or without: some leave it out.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

const SHA256_BYTES: usize = 32;

/// How far ahead the clock of a signer may be.
const CLOCK_DIFFERENCE_S_MAX: u64 = 3600;
