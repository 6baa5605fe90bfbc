//! Authorities that TLSA records name (usage 2), and whether a chain leads to one.

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use types::Domain;
use types::dns::TlsaRecord;
use webpki::{EndEntityCert, KeyUsage};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use super::{CERT, DANE_TA, DaneError, FULL, Names, SPKI, fits, names};

/// Authorities of which the DNS holds all, or the key, that are tried. Two are enough for a change of keys.
const FROM_DNS_MAX: usize = 4;

/// An authority that a record names.
#[derive(Debug)]
pub(super) enum Anchor<'a> {
    /// With its certificate, from the chain or the DNS.
    Certificate(CertificateDer<'a>),
    /// With its key alone: it has signed the topmost certificate, whose issuer is of this name (RFC 7671 §5.2.3).
    Key {
        /// A `Name` without its tag and length.
        issuer: Vec<u8>,
        /// A `SubjectPublicKeyInfo` without its tag and length.
        key: Vec<u8>,
    },
}

/// Why an authority does not vouch for a certificate, what comes closest last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Refusal {
    Chain(String),
    Expired,
    Name,
}

/// Those whom the records name, in the order of the chain.
pub(super) fn anchors<'a>(
    records: &'a [TlsaRecord],
    certificate: &'a CertificateDer<'a>,
    others: &'a [CertificateDer<'a>],
) -> Vec<Anchor<'a>> {
    let named = || records.iter().filter(|record| record.usage == DANE_TA);
    let shown = others.iter().filter(|other| named().any(|record| fits(record, other)));
    let mut found: Vec<_> =
        shown.map(|other| Anchor::Certificate(CertificateDer::from(other.as_ref()))).collect();
    let whole = named().filter(|record| (record.selector, record.matching) == (CERT, FULL));
    found.extend(
        whole
            .take(FROM_DNS_MAX)
            .map(|record| CertificateDer::from(record.data.as_slice()))
            .filter(|whole| !others.contains(whole))
            .map(Anchor::Certificate),
    );
    if found.is_empty() {
        let top = others.last().unwrap_or(certificate);
        let keys = named().filter(|record| (record.selector, record.matching) == (SPKI, FULL));
        found.extend(keys.take(FROM_DNS_MAX).filter_map(|record| signer_of(top, &record.data)));
    }
    found
}

impl Anchor<'_> {
    /// Whether the chain leads here, and the certificate has one of the names.
    pub(super) fn vouches_for(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        names: &[Domain],
        now: UnixTime,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Result<(), Refusal> {
        let intermediates_max = self.intermediates_max(now)?;
        let anchors = [self.trust_anchor()?];
        let leaf = EndEntityCert::try_from(certificate).map_err(|error| refusal(&error))?;
        let is_short = |path: &webpki::VerifiedPath<'_>| {
            if path.intermediate_certificates().count() <= intermediates_max {
                Ok(())
            } else {
                Err(webpki::Error::PathLenConstraintViolated)
            }
        };
        leaf.verify_for_usage(
            algorithms,
            &anchors,
            others,
            now,
            KeyUsage::server_auth(),
            None,
            Some(&is_short),
        )
        .map_err(|error| refusal(&error))?;
        if names::has_one_of(certificate, &leaf, names) { Ok(()) } else { Err(Refusal::Name) }
    }

    fn trust_anchor(&self) -> Result<TrustAnchor<'_>, Refusal> {
        match self {
            Self::Certificate(certificate) => {
                webpki::anchor_from_trusted_cert(certificate).map_err(|error| refusal(&error))
            }
            Self::Key { issuer, key } => Ok(TrustAnchor {
                subject: issuer.as_slice().into(),
                subject_public_key_info: key.as_slice().into(),
                name_constraints: None,
            }),
        }
    }

    /// What a `TrustAnchor` does not hold and the certificate does: that it is an authority at all, when it is one,
    /// and how many it may have below it (RFC 7671 §5.2.1, RFC 5280 §4.2.1.9).
    fn intermediates_max(&self, now: UnixTime) -> Result<usize, Refusal> {
        let Self::Certificate(certificate) = self else { return Ok(usize::MAX) };
        let unreadable = || Refusal::Chain("the authority cannot be read".to_owned());
        let (_, certificate) = X509Certificate::from_der(certificate).map_err(|_| unreadable())?;
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        let validity = certificate.validity();
        if now < validity.not_before.timestamp() || now > validity.not_after.timestamp() {
            return Err(Refusal::Expired);
        }
        let constraints = certificate.basic_constraints().map_err(|_| unreadable())?;
        match constraints {
            Some(constraints) if !constraints.value.ca => Err(Refusal::Chain(
                "the certificate that the records name is none of an authority".to_owned(),
            )),
            Some(constraints) => Ok(constraints
                .value
                .path_len_constraint
                .map_or(usize::MAX, |most| usize::try_from(most).unwrap_or(usize::MAX))),
            // Of before version 3, which had no such thing.
            None => Ok(usize::MAX),
        }
    }
}

impl Refusal {
    pub(super) fn explained(self, names: &[Domain]) -> DaneError {
        match self {
            Self::Chain(why) => DaneError::Chain(why),
            Self::Expired => DaneError::Expired,
            Self::Name => DaneError::Name(Names(names.to_vec())),
        }
    }
}

/// The holder of the key as the issuer of the certificate. Whether it is shows when the signature is checked.
fn signer_of<'a>(certificate: &CertificateDer<'_>, key: &[u8]) -> Option<Anchor<'a>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let issuer = content(certificate.issuer().as_raw())?.to_vec();
    Some(Anchor::Key { issuer, key: content(key)?.to_vec() })
}

/// What is within a SEQUENCE, whose tag and length webpki wants left out.
fn content(sequence: &[u8]) -> Option<&[u8]> {
    let (rest, content) = x509_parser::der_parser::asn1_rs::Sequence::from_der(sequence)
        .ok()
        .map(|(rest, sequence)| (rest, sequence.content))?;
    match (rest, content) {
        ([], std::borrow::Cow::Borrowed(content)) => Some(content),
        _ => None,
    }
}

fn refusal(error: &webpki::Error) -> Refusal {
    match error {
        webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => Refusal::Expired,
        other => Refusal::Chain(other.to_string()),
    }
}
