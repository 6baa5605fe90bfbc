//! Sets that are added (RFC 8617 §5.1).

use types::{Domain, Timestamp};

use super::{ArcResult, INSTANCES_MAX, Set, sets, tags_of};
use crate::dkim::canonical::Canonicalization;
use crate::dkim::signature::{Index, selector};
use crate::dkim::signer::{append_names_and_body, completed, names};
use crate::dkim::{Bodies, BodyForm, Signer, SignerError, SigningKey};
use crate::fields::{Field, fields};

/// Seals what a domain passes on.
#[derive(Debug)]
pub struct Sealer<'a> {
    domain: &'a Domain,
    selector: String,
    key: &'a SigningKey,
}

/// Why nothing is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// §5.1 step 2: nobody goes on with a chain that was sealed as broken.
    #[error("the chain was sealed as broken before")]
    Ended,
    /// §4.2.1
    #[error("the chain has 50 sets, and may not have more")]
    Full,
    /// As for any signature.
    #[error(transparent)]
    Signer(#[from] SignerError),
}

/// The newest set of a message, where it is to be made anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnSet {
    /// Whose.
    pub domain: String,
    /// What had been found: `ARC-Authentication-Results` behind its instance.
    pub results: String,
    /// `cv=`
    pub verdict: ArcResult,
}

impl<'a> Sealer<'a> {
    /// The key is published at `selector._domainkey.domain`. Let it be one of RSA: few read others in seals.
    ///
    /// # Errors
    /// Where the selector is none.
    pub fn new(domain: &'a Domain, selector_name: &str, key: &'a SigningKey) -> Result<Self, SignerError> {
        let selector = selector(selector_name).map_err(|_| SignerError::Selector)?;
        Ok(Self { domain, selector, key })
    }

    /// Which hash of the body it needs.
    #[must_use]
    pub const fn form() -> BodyForm {
        Signer::form()
    }

    /// The three fields, to put above the header section, on which nothing may change below them any more. `results` is what
    /// stands in `Authentication-Results` behind the colon, and `verdict` what came out of the chain that is there.
    ///
    /// # Errors
    /// Where the chain may not go on, there is nothing to sign, or the library fails.
    pub fn seal(
        &self,
        header: &[Field<'_>],
        bodies: &Bodies,
        results: &str,
        verdict: ArcResult,
        now: Timestamp,
    ) -> Result<String, SealError> {
        let found = sets(header).map_err(|_| SealError::Full)?;
        let newest = found.last_key_value();
        if newest.is_some_and(|(_, set)| set.is_sealed_as_broken()) {
            return Err(SealError::Ended);
        }
        let instance = newest.map_or(1, |(number, _)| number + 1);
        if instance > INSTANCES_MAX {
            return Err(SealError::Full);
        }
        let results = results.trim();
        let results = format!("ARC-Authentication-Results: i={instance}; {results}\r\n");
        let message = self.message(header, bodies, instance, now)?;
        let mut signed = Vec::with_capacity(2048);
        // §5.1.2: a chain that is broken cannot be told in one way, so the seal covers its own set alone.
        if verdict == ArcResult::Pass {
            let of_sets = found.values().flat_map(Set::in_order);
            of_sets.for_each(|field| Canonicalization::Relaxed.append(field, &mut signed));
        }
        for own in [&results, &message] {
            let own = fields(own.as_bytes());
            own.iter().for_each(|field| Canonicalization::Relaxed.append(field, &mut signed));
        }
        let field = format!(
            "ARC-Seal: i={instance}; a={}; t={}; cv={verdict};\r\n\td={}; s={};",
            self.key.algorithm().keyword(),
            now.seconds(),
            self.domain.ascii(),
            self.selector,
        );
        let seal = completed(field, signed, self.key)?;
        Ok(seal + &message + &results)
    }

    /// §4.1.2: the signatures that are there among its fields, and neither `Authentication-Results`, which others take off, nor
    /// what is of ARC.
    fn message(
        &self,
        header: &[Field<'_>],
        bodies: &Bodies,
        instance: usize,
        now: Timestamp,
    ) -> Result<String, SignerError> {
        let body = bodies.digest(Self::form()).ok_or(SignerError::NoBody)?;
        let index = Index::new(header);
        let names = names(&index, &["dkim-signature"])?;
        let mut field = format!(
            "ARC-Message-Signature: i={instance}; a={}; c=relaxed/relaxed;\r\n\td={}; s={}; t={};",
            self.key.algorithm().keyword(),
            self.domain.ascii(),
            self.selector,
            now.seconds(),
        );
        append_names_and_body(&names, body, &mut field);
        let mut signed = Vec::with_capacity(2048);
        index.append(&names, Canonicalization::Relaxed, &mut signed);
        completed(field, signed, self.key)
    }
}

impl<'f, 'h> Set<'f, 'h> {
    /// §5.1.1
    fn in_order(&self) -> impl Iterator<Item = &'f Field<'h>> {
        [&self.results, &self.messages, &self.seals].into_iter().flatten().copied()
    }

    fn is_sealed_as_broken(&self) -> bool {
        let verdict = |field: &&Field<'_>| tags_of(field).ok()?.value("cv").map(str::to_ascii_lowercase);
        self.seals.iter().filter_map(verdict).any(|verdict| verdict == "fail")
    }
}

impl OwnSet {
    /// Of the newest set in a header section, where that is whole.
    #[must_use]
    pub fn newest(header: &[Field<'_>]) -> Option<Self> {
        let found = sets(header).ok()?;
        let (_, set) = found.last_key_value()?;
        let ([results], [seal]) = (&set.results[..], &set.seals[..]) else { return None };
        let (_, results) = std::str::from_utf8(results.value).ok()?.split_once(';')?;
        let tags = tags_of(seal).ok()?;
        let all = [ArcResult::None, ArcResult::Pass, ArcResult::Fail];
        Some(Self {
            domain: tags.value("d")?.to_owned(),
            results: results.trim().to_owned(),
            verdict: all.into_iter().find(|result| Some(result.keyword()) == tags.value("cv"))?,
        })
    }
}
