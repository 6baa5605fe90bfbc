//! ARC: what those who passed a message on say that they found (RFC 8617).
//!
//! A [`Chain`] is read and verified as [`dkim::Signatures`](crate::dkim::Signatures) are. Whether its sealers are believed is
//! policy. A [`Sealer`] adds a set to what is passed on. Limit: [`INSTANCES_MAX`]; the header section is hashed once, whatever
//! the number of sets.
//!
//! Left out on purpose: finding out which older signatures still hold (§5.2 step 5, which is optional).

mod seal;

use std::collections::BTreeMap;
use std::fmt;

use aws_lc_rs::digest::{Context, Digest, SHA256};
use types::Timestamp;

use crate::Names;
use crate::dkim::canonical::Canonicalization;
use crate::dkim::signature::{
    Index, Kind, Signature, Times, append_without_signature, base64, domain, key_name, required, selector,
};
use crate::dkim::tags::{Tags, trim};
use crate::dkim::verify::check_body;
use crate::dkim::{Algorithm, Bodies, BodyForm, DkimProblem, Keys};
use crate::fields::Field;
pub use seal::{OwnSet, SealError, Sealer};

/// Sets of a chain (§4.2.1); a longer one fails.
pub const INSTANCES_MAX: usize = 50;

/// The results of RFC 8617 §4.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ArcResult {
    /// There is no chain.
    None,
    /// It is whole.
    Pass,
    /// It is not, and nothing in it counts.
    Fail,
}

/// What came out of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The result.
    pub result: ArcResult,
    /// Why it fails.
    pub problem: Option<ArcProblem>,
    /// Who sealed it, from the first on. Only to be believed where it passes.
    pub sealers: Vec<String>,
}

/// Why a chain fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ArcProblem {
    /// More than [`INSTANCES_MAX`].
    #[error("the chain has more than 50 sets")]
    TooLong,
    /// A set is not three fields, or its number is missing, double or out of order (§5.2 step 3).
    #[error("set {0} of the chain is not whole")]
    NotWhole(usize),
    /// A sealer found that it was broken already (§5.2 step 2).
    #[error("the chain was broken when set {0} was made")]
    BrokenBefore(usize),
    /// The newest message signature.
    #[error("the message signature of set {0}: {1}")]
    Message(usize, DkimProblem),
    /// A seal.
    #[error("the seal of set {0}: {1}")]
    Seal(usize, DkimProblem),
}

/// A chain as it was read.
#[derive(Debug, Clone)]
pub struct Chain(Result<Option<Read>, ArcProblem>);

#[derive(Debug, Clone)]
struct Read {
    message: Signature,
    message_digest: Digest,
    /// From the first on.
    seals: Vec<Seal>,
}

#[derive(Debug, Clone)]
struct Seal {
    algorithm: Algorithm,
    octets: Vec<u8>,
    domain: String,
    selector: String,
    digest: Digest,
}

/// The fields of a set.
#[derive(Default)]
struct Set<'f, 'h> {
    results: Vec<&'f Field<'h>>,
    messages: Vec<&'f Field<'h>>,
    seals: Vec<&'f Field<'h>>,
}

impl Chain {
    /// Reads the sets of a header section.
    #[must_use]
    pub fn read(fields: &[Field<'_>], now: Timestamp) -> Self {
        Self(read(fields, now))
    }

    /// Which hash of the body it needs.
    pub fn forms(&self) -> impl Iterator<Item = BodyForm> {
        self.whole().map(|chain| chain.message.body).into_iter()
    }

    /// Asks for its keys.
    pub async fn keys(&self, names: &dyn Names) -> Keys {
        let wanted = self.whole().map_or_else(Vec::new, Read::key_names);
        Keys::fetch(names, wanted.into_iter()).await
    }

    /// The verdict (§5.2).
    #[must_use]
    pub fn verify(&self, keys: &Keys, bodies: &Bodies) -> Outcome {
        let problem = match &self.0 {
            Ok(None) => return Outcome { result: ArcResult::None, problem: None, sealers: Vec::new() },
            Ok(Some(chain)) => chain.problem(keys, bodies),
            Err(problem) => Some(problem.clone()),
        };
        let sealers = self.whole().into_iter().flat_map(|chain| &chain.seals).map(|seal| seal.domain.clone());
        let result = if problem.is_none() { ArcResult::Pass } else { ArcResult::Fail };
        Outcome { result, problem, sealers: sealers.collect() }
    }

    fn whole(&self) -> Option<&Read> {
        self.0.as_ref().ok().and_then(Option::as_ref)
    }
}

/// Steps 1 to 3 of §5.2, and what is reckoned of the header section.
fn read(fields: &[Field<'_>], now: Timestamp) -> Result<Option<Read>, ArcProblem> {
    let sets = sets(fields)?;
    if sets.is_empty() {
        return Ok(None);
    }
    let count = sets.len();
    let mut sealed = Context::new(&SHA256);
    let mut seals = Vec::with_capacity(count);
    let mut newest = None;
    for (number, (instance, set)) in (1..).zip(sets) {
        let ([results], [message], [seal]) = (&set.results[..], &set.messages[..], &set.seals[..]) else {
            return Err(ArcProblem::NotWhole(number));
        };
        if instance != number {
            return Err(ArcProblem::NotWhole(number));
        }
        let mut octets = Vec::new();
        Canonicalization::Relaxed.append(results, &mut octets);
        Canonicalization::Relaxed.append(message, &mut octets);
        sealed.update(&octets);
        seals.push(Seal::read(seal, number, &sealed, now)?);
        octets.clear();
        Canonicalization::Relaxed.append(seal, &mut octets);
        sealed.update(&octets);
        newest = Some(*message);
    }
    let own = newest.ok_or(ArcProblem::NotWhole(count))?;
    let (message, message_digest) =
        read_message(own, fields, now).map_err(|problem| ArcProblem::Message(count, problem))?;
    Ok(Some(Read { message, message_digest, seals }))
}

/// The fields by their instance. One without an instance belongs to a set that is not whole.
fn sets<'f, 'h>(fields: &'f [Field<'h>]) -> Result<BTreeMap<usize, Set<'f, 'h>>, ArcProblem> {
    let mut sets: BTreeMap<usize, Set<'f, 'h>> = BTreeMap::new();
    for field in fields {
        let kinds = ["ARC-Authentication-Results", "ARC-Message-Signature", "ARC-Seal"];
        let Some(kind) = kinds.iter().position(|name| field.is(name)) else { continue };
        let instance = instance(field, kind > 0).unwrap_or(0);
        if instance > INSTANCES_MAX {
            return Err(ArcProblem::TooLong);
        }
        let set = sets.entry(instance).or_default();
        match kind {
            0 => set.results.push(field),
            1 => set.messages.push(field),
            _ => set.seals.push(field),
        }
    }
    Ok(sets)
}

/// `i=`, which stands first in results, and anywhere in the other two.
fn instance(field: &Field<'_>, has_tags: bool) -> Option<usize> {
    let text = std::str::from_utf8(field.value).ok()?;
    let digits = if has_tags {
        Tags::read(text)?.value("i")?
    } else {
        let (name, digits) = text.split(';').next()?.split_once('=')?;
        (trim(name) == "i").then(|| trim(digits))?
    };
    digits.parse().ok().filter(|_| digits.bytes().all(|octet| octet.is_ascii_digit()))
}

fn read_message(
    own: &Field<'_>,
    fields: &[Field<'_>],
    now: Timestamp,
) -> Result<(Signature, Digest), DkimProblem> {
    let tags = tags_of(own)?;
    let message = Signature::parse(&tags, Kind::ArcMessage)?;
    if message.names.iter().any(|name| name == "arc-seal") {
        return Err(DkimProblem::Malformed("a seal among its fields"));
    }
    message.times.check(now)?;
    let digest = message.header_digest(&Index::new(fields), own);
    Ok((message, digest))
}

fn tags_of<'h>(field: &Field<'h>) -> Result<Tags<'h>, DkimProblem> {
    let text = std::str::from_utf8(field.value).ok();
    text.and_then(Tags::read).ok_or(DkimProblem::Malformed("no list of tags"))
}

impl Seal {
    /// `sealed` has all that the seal covers but the seal itself.
    fn read(field: &Field<'_>, number: usize, sealed: &Context, now: Timestamp) -> Result<Self, ArcProblem> {
        let parse = || {
            let tags = tags_of(field)?;
            if tags.value("h").is_some() {
                return Err(DkimProblem::Malformed("a list of fields, which a seal has not"));
            }
            Times::read(&tags)?.check(now)?;
            let mut own = Vec::new();
            append_without_signature(field, Canonicalization::Relaxed, &mut own);
            let mut context = sealed.clone();
            context.update(&own);
            let seal = Self {
                algorithm: Algorithm::read(required(&tags, "a", "no algorithm")?)?,
                octets: base64(required(&tags, "b", "no signature")?, "a signature that is not base64")?,
                domain: domain(required(&tags, "d", "no domain")?)?,
                selector: selector(required(&tags, "s", "no selector")?)?,
                digest: context.finish(),
            };
            Ok((seal, required(&tags, "cv", "no verdict on the chain before it")?))
        };
        let (seal, verdict) = parse().map_err(|problem| ArcProblem::Seal(number, problem))?;
        match (number, verdict) {
            (1, "none") => Ok(seal),
            (2.., "pass") => Ok(seal),
            (_, "fail") => Err(ArcProblem::BrokenBefore(number)),
            _ => Err(ArcProblem::NotWhole(number)),
        }
    }
}

impl Read {
    /// As values: what waits with closures over the seals cannot be sent to another thread, as far as the compiler knows.
    fn key_names(&self) -> Vec<String> {
        let seals = self.seals.iter().map(|seal| key_name(&seal.selector, &seal.domain));
        seals.chain([self.message.key_name()]).collect()
    }

    /// Steps 4 and 6 of §5.2: the newest message signature, then all seals from the newest on.
    fn problem(&self, keys: &Keys, bodies: &Bodies) -> Option<ArcProblem> {
        if let Err(problem) = self.check_message(keys, bodies) {
            return Some(ArcProblem::Message(self.seals.len(), problem));
        }
        let checked = |seal: &Seal| {
            let record = keys.key(&key_name(&seal.selector, &seal.domain), seal.algorithm)?;
            let is_right = record.key.verifies(&seal.digest, &seal.octets);
            if is_right { Ok(()) } else { Err(DkimProblem::Signature) }
        };
        let seals = self.seals.iter().enumerate().rev();
        seals
            .map(|(at, seal)| checked(seal).map_err(|problem| ArcProblem::Seal(at + 1, problem)))
            .find_map(Result::err)
    }

    fn check_message(&self, keys: &Keys, bodies: &Bodies) -> Result<(), DkimProblem> {
        let record = keys.key(&self.message.key_name(), self.message.algorithm)?;
        let unsigned = check_body(&self.message, bodies)?;
        if !record.key.verifies(&self.message_digest, &self.message.octets) {
            return Err(DkimProblem::Signature);
        }
        if unsigned > 0 { Err(DkimProblem::Unsigned(unsigned)) } else { Ok(()) }
    }
}

impl ArcResult {
    /// As it stands in `Authentication-Results` and in `cv=`.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
        }
    }
}

impl fmt::Display for ArcResult {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.keyword())
    }
}
