//! What a signature says of itself, for people who ask why it does not verify.

use super::canonical::{Bodies, BodyForm, Canonicalization};
use super::signature::{Kind, Signature};
use super::tags::Tags;
use super::{Algorithm, DkimProblem};
use crate::fields::Field;

/// The tags of a `DKIM-Signature`, whether it verifies or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `a=`
    pub algorithm: Algorithm,
    /// `i=`, as written.
    pub identity: Option<String>,
    /// `c=`, of the header section.
    pub header: Canonicalization,
    /// `c=` and `l=`, of the body.
    pub body: BodyForm,
    /// `h=`, in lower case.
    pub names: Vec<String>,
    /// `t=`, in seconds since the epoch.
    pub signed_at: Option<u64>,
    /// `x=`, in seconds since the epoch.
    pub expires_at: Option<u64>,
    /// `bh=`
    pub body_hash: Vec<u8>,
}

impl Description {
    /// Reads a field.
    ///
    /// # Errors
    /// Why it is no signature that anybody can check.
    pub fn read(field: &Field<'_>) -> Result<Self, DkimProblem> {
        let tags = std::str::from_utf8(field.value).ok().and_then(Tags::read);
        let tags = tags.ok_or(DkimProblem::Malformed("no list of tags"))?;
        let signature = Signature::parse(&tags, Kind::Dkim)?;
        let (signed_at, expires_at) = signature.times.in_seconds();
        Ok(Self {
            domain: signature.domain,
            selector: signature.selector,
            algorithm: signature.algorithm,
            identity: signature.identity,
            header: signature.header,
            body: signature.body,
            names: signature.names,
            signed_at,
            expires_at,
            body_hash: signature.body_hash,
        })
    }

    /// Where its key stands.
    #[must_use]
    pub fn key_name(&self) -> String {
        super::signature::key_name(&self.selector, &self.domain)
    }

    /// How many fields of the name it covers, there or not: those beyond could be put in front of it without harm to it.
    #[must_use]
    pub fn covers(&self, name: &str) -> usize {
        self.names.iter().filter(|other| other.eq_ignore_ascii_case(name)).count()
    }
}

impl Bodies {
    /// The hash of the body in a form that was wanted, and how many octets the canonical body has.
    #[must_use]
    pub fn sha256(&self, form: BodyForm) -> Option<(&[u8], u64)> {
        self.digest(form).map(|digest| (digest.sha256.as_ref(), digest.octets))
    }
}

impl Canonicalization {
    /// As in `c=`.
    #[must_use]
    pub const fn keyword(self) -> &'static str {
        match self {
            Self::Simple => "simple",
            Self::Relaxed => "relaxed",
        }
    }
}
