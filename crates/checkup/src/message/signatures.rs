//! The DKIM signatures of a message, each in words: what it says, what it covers, and why it does not verify.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailauth::dkim::{
    Algorithm, Bodies, BodyHasher, Description, DkimProblem, DkimResult, RSA_BITS_STRONG, SIGNATURES_MAX,
    Signatures, Verified,
};
use mailauth::{Names, fields};
use types::Timestamp;

use super::Letter;
use crate::{Finding, Topic, Verdict};

/// A signature, and what came out of it.
#[derive(Debug, Clone)]
pub struct Signature {
    /// What came out.
    pub verified: Verified,
    /// What it says of itself; none where it cannot be read.
    pub description: Option<Description>,
    /// The hash of the body that came, in its form, and how long that body is.
    pub body: Option<(Vec<u8>, u64)>,
}

/// Verifies all signatures that are looked at, in the order of the fields.
pub async fn verify(names: &dyn Names, letter: &Letter<'_>, now: Timestamp) -> Vec<Signature> {
    let fields = fields(letter.header);
    let signatures = Signatures::read(&fields, now);
    let descriptions: Vec<Option<Description>> = fields
        .iter()
        .filter(|field| field.is("DKIM-Signature"))
        .take(SIGNATURES_MAX)
        .map(|field| Description::read(field).ok())
        .collect();
    let forms = descriptions.iter().flatten().map(|description| description.body);
    let mut hasher = BodyHasher::new(signatures.forms().chain(forms));
    hasher.push(letter.body);
    let bodies = hasher.finish();
    let keys = signatures.keys(names).await;
    let verified = signatures.verify(&keys, &bodies);
    verified
        .into_iter()
        .zip(descriptions)
        .map(|(verified, description)| Signature::new(verified, description, &bodies))
        .collect()
}

impl Signature {
    fn new(verified: Verified, description: Option<Description>, bodies: &Bodies) -> Self {
        let body = description
            .as_ref()
            .and_then(|description| bodies.sha256(description.body))
            .map(|(hash, octets)| (hash.to_vec(), octets));
        Self { verified, description, body }
    }

    /// Whether it passes.
    #[must_use]
    pub fn is_pass(&self) -> bool {
        self.verified.result == DkimResult::Pass
    }

    /// In words.
    #[must_use]
    pub fn finding(&self, letter: &Letter<'_>, now: Timestamp) -> Finding {
        let verified = &self.verified;
        let about = match (verified.selector.as_str(), verified.domain.as_str()) {
            ("", "") => "unreadable signature".to_owned(),
            (selector, domain) => format!("{selector}._domainkey.{domain}"),
        };
        let (verdict, says, points) = self.judged();
        let mut finding = Finding::new(Topic::Dkim, about, verdict, says).points(points);
        if let Some(mend) = self.mend() {
            finding = finding.mend(mend);
        }
        finding.details = self.details(letter, now);
        finding
    }

    fn judged(&self) -> (Verdict, String, f32) {
        let verified = &self.verified;
        if let Some(problem) = &verified.problem {
            let verdict = match verified.result {
                DkimResult::TempError => Verdict::Unknown,
                DkimResult::Policy => Verdict::Warning,
                _ => Verdict::Bad,
            };
            let points = match verdict {
                Verdict::Unknown => 0.0,
                Verdict::Warning => 0.5,
                _ => 1.0,
            };
            return (verdict, format!("{}: {problem}", verified.result), points);
        }
        if verified.is_weak() {
            let bits = verified.rsa_bits.unwrap_or_default();
            return (
                Verdict::Warning,
                format!("the signature is right, and its key of {bits} bits is too short by now"),
                0.3,
            );
        }
        (Verdict::Good, format!("the signature of {} is right", verified.domain), 0.0)
    }

    fn mend(&self) -> Option<String> {
        let name = self.description.as_ref().map(Description::key_name);
        Some(match (&self.verified.problem, name) {
            (Some(DkimProblem::NoKey(_) | DkimProblem::Revoked), Some(name)) => {
                let kind = match self.verified.algorithm {
                    Some(Algorithm::Ed25519Sha256) => "ed25519",
                    _ => "rsa",
                };
                format!(
                    "publish the key: {name}. IN TXT \"v=DKIM1; k={kind}; p=…\" (posta dkim show tells it for keys of this server)"
                )
            }
            (Some(DkimProblem::BodyHash), _) => {
                "sign last: whatever adds footers, rewrites links or changes line ends must come before".to_owned()
            }
            (Some(DkimProblem::Signature), _) => {
                "compare the published key with the one that signs, and see what changes header fields after the signing".to_owned()
            }
            (Some(DkimProblem::Unsigned(_) | DkimProblem::TooShort), _) => {
                "let the signer leave out l=, so that nobody can add to the message".to_owned()
            }
            (Some(DkimProblem::Sha1), _) => "sign with rsa-sha256".to_owned(),
            (Some(DkimProblem::ShortKey(_)), _) => {
                format!("make a key of {RSA_BITS_STRONG} bits, publish it under a new selector and sign with it")
            }
            (None, _) if self.verified.is_weak() => {
                format!("make a key of {RSA_BITS_STRONG} bits, publish it under a new selector and sign with it")
            }
            _ => return None,
        })
    }

    fn details(&self, letter: &Letter<'_>, now: Timestamp) -> Vec<String> {
        let Some(description) = &self.description else { return Vec::new() };
        let bits = self.verified.rsa_bits.map(|bits| format!(", a key of {bits} bits")).unwrap_or_default();
        let mut details = vec![format!(
            "{}{bits}, {}/{}",
            description.algorithm.keyword(),
            description.header.keyword(),
            description.body.canonicalization.keyword()
        )];
        if self.verified.is_testing {
            details.push(
                "the key says t=y: the domain is trying DKIM out, and failures count as no signature"
                    .to_owned(),
            );
        }
        details.extend(times(description, now));
        details.push(format!("covers {}", description.names.join(", ")));
        let open = uncovered(description, letter);
        if !open.is_empty() {
            details.push(format!("does not cover {}, which anybody on the way may change", open.join(", ")));
        }
        if description.covers("from") <= letter.named("From").count() {
            details.push(
                "From is not signed once more than it is there, so a second one could be put on top"
                    .to_owned(),
            );
        }
        if self.verified.problem == Some(DkimProblem::BodyHash) {
            details.extend(self.body_mismatch(description));
        }
        if self.verified.problem == Some(DkimProblem::Signature) {
            details.push(
                "the body is as it was signed; which field was changed, or whether the key is another one, cannot be told from a hash"
                    .to_owned(),
            );
        }
        details
    }

    fn body_mismatch(&self, description: &Description) -> Vec<String> {
        let mut lines = vec![format!("signed: bh={}", STANDARD.encode(&description.body_hash))];
        if let Some((hash, octets)) = &self.body {
            let form = description.body.canonicalization.keyword();
            let limit = description.body.octets_max.map(|max| format!(", of which l= covers {max}"));
            lines.push(format!(
                "came:   bh={} of {octets} octets in {form} form{}",
                STANDARD.encode(hash),
                limit.unwrap_or_default()
            ));
        }
        if description.body.canonicalization.keyword() == "simple" {
            lines.push(
                "in simple form a space at the end of a line is a change already; relaxed bears that"
                    .to_owned(),
            );
        }
        lines
    }
}

fn times(description: &Description, now: Timestamp) -> Vec<String> {
    let at = |seconds: u64| Timestamp::from_millis(seconds.saturating_mul(1000)).rfc5322();
    let mut lines = Vec::new();
    // Times beyond what a calendar has are not shown.
    if let Some(signed) = description.signed_at.filter(|signed| *signed < SHOWN_SECONDS_MAX) {
        lines.push(format!("signed {}", at(signed)));
    }
    if let Some(expires) = description.expires_at.filter(|expires| *expires < SHOWN_SECONDS_MAX) {
        let how = if expires <= now.seconds() { "expired" } else { "expires" };
        lines.push(format!("{how} {}", at(expires)));
    }
    lines
}

/// Fields that a reader or a program goes by, are there, and may be changed.
fn uncovered(description: &Description, letter: &Letter<'_>) -> Vec<&'static str> {
    let is_open = |name: &&&str| letter.named(name).count() > description.covers(name);
    SHOWN_FIELDS.iter().filter(is_open).copied().collect()
}

/// RFC 6376 §5.4.1 recommends most of them; RFC 8058 §4 demands those of lists.
const SHOWN_FIELDS: [&str; 13] = [
    "From",
    "To",
    "Cc",
    "Subject",
    "Date",
    "Reply-To",
    "Message-ID",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];

/// The year 9999.
const SHOWN_SECONDS_MAX: u64 = 253_402_300_799;
