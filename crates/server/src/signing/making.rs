//! The signatures themselves, reckoned where that holds nobody up.

use bytes::Bytes;
use mailauth::arc::{SealError, Sealer};
use mailauth::dkim::{Algorithm, Signer, SignerError};
use types::Timestamp;

use super::whose::Signatory;
use super::{Content, Found};
use crate::dkim::LoadedKey;

/// Signatures over the same octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    /// Fields above those that are stored, of which some are signed.
    pub(super) above: Bytes,
    pub(super) signatories: Vec<Signatory>,
    /// Who adds a set of ARC.
    pub(super) seal: Option<Signatory>,
}

/// All that is made for one message.
pub(super) struct Work {
    pub(super) content: Content,
    pub(super) recipes: Vec<Recipe>,
    pub(super) found: Option<Found>,
    pub(super) now: Timestamp,
    /// Seconds after which a signature ends; 0 for never.
    pub(super) expire_s: u64,
}

/// What came of a recipe.
#[derive(Default)]
pub(super) struct Made {
    /// To be put on top.
    pub(super) fields: String,
    /// About which domain, and what was done.
    pub(super) notes: Vec<(String, String)>,
    /// By method and result.
    pub(super) counts: Vec<(&'static str, &'static str)>,
    /// What is a fault of ours.
    pub(super) trouble: Option<String>,
}

impl Work {
    pub(super) fn make(&self) -> Vec<Made> {
        self.recipes.iter().map(|recipe| self.one(recipe)).collect()
    }

    fn one(&self, recipe: &Recipe) -> Made {
        let header = [&recipe.above[..], &self.content.header[..]].concat();
        let mut made = Made::default();
        for signatory in &recipe.signatories {
            self.sign(signatory, &header, &mut made);
        }
        if let (Some(signatory), Some(found)) = (&recipe.seal, &self.found) {
            self.seal(signatory, found, &header, &mut made);
        }
        made
    }

    fn sign(&self, signatory: &Signatory, header: &[u8], made: &mut Made) {
        let fields = mailauth::fields(header);
        let mut names = Vec::new();
        for LoadedKey { selector, key } in signatory.keys.iter() {
            let signed = Signer::new(&signatory.domain, selector, key).and_then(|signer| {
                let signer = if self.expire_s > 0 { signer.valid_for(self.expire_s) } else { signer };
                signer.sign(&fields, &self.content.bodies, self.now)
            });
            match signed {
                Ok(field) => {
                    made.fields += &field;
                    made.counts.push(("dkim", "signed"));
                    names.push(format!("{selector} ({})", key.algorithm().keyword()));
                }
                Err(error) => {
                    made.counts.push(("dkim", "failed"));
                    made.failed(signatory, "signed", error);
                }
            }
        }
        if !names.is_empty() {
            let what = format!("signed as {} with {}", signatory.domain, names.join(" and "));
            made.notes.push((signatory.domain.to_string(), what));
        }
    }

    /// §5.1 of RFC 8617: over all that was added before.
    fn seal(&self, signatory: &Signatory, found: &Found, header: &[u8], made: &mut Made) {
        let Some(LoadedKey { selector, key }) = signatory.rsa() else {
            made.counts.push(("arc", "no_keys"));
            let what = format!("not sealed: {} has no key of RSA", signatory.domain);
            return made.notes.push((signatory.domain.to_string(), what));
        };
        let header = [made.fields.as_bytes(), header].concat();
        let fields = mailauth::fields(&header);
        let sealed = Sealer::new(&signatory.domain, selector, key).map_err(SealError::from);
        let sealed = sealed.and_then(|sealer| {
            sealer.seal(&fields, &self.content.bodies, &found.results, found.chain, self.now)
        });
        match sealed {
            Ok(set) => {
                made.fields.insert_str(0, &set);
                made.counts.push(("arc", "signed"));
                let what =
                    format!("sealed as {} with {selector}: the chain was {}", signatory.domain, found.chain);
                made.notes.push((signatory.domain.to_string(), what));
            }
            Err(SealError::Signer(error)) => {
                made.counts.push(("arc", "failed"));
                made.failed(signatory, "sealed", error);
            }
            Err(error) => {
                made.counts.push(("arc", "not_continued"));
                made.notes.push((signatory.domain.to_string(), format!("not sealed: {error}")));
            }
        }
    }
}

impl Made {
    /// What the reckoning came to that did not end.
    pub(super) fn broken_off() -> Self {
        let why = "a fault of this program".to_owned();
        let notes = vec![(String::new(), format!("not signed: {why}"))];
        Self { notes, counts: vec![("dkim", "failed")], trouble: Some(why), ..Self::default() }
    }

    fn failed(&mut self, signatory: &Signatory, what: &str, error: SignerError) {
        self.notes
            .push((signatory.domain.to_string(), format!("not {what} as {}: {error}", signatory.domain)));
        match error {
            // The message is such that nobody would sign it.
            SignerError::NoFrom | SignerError::SeveralFrom | SignerError::TooManyFields => {}
            SignerError::Selector | SignerError::NoBody | SignerError::Failed => {
                self.trouble = Some(error.to_string());
            }
        }
    }
}

impl Signatory {
    fn rsa(&self) -> Option<&LoadedKey> {
        self.keys.iter().find(|loaded| loaded.key.algorithm() == Algorithm::RsaSha256)
    }
}
