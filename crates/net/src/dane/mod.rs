//! Servers known by TLSA records: DANE within the handshake of TLS.
//!
//! Standards: RFC 6698 (what a record says), RFC 7671 (how it is used), RFC 7672 §3 (what of that is for SMTP), RFC
//! 5280 §6 (chains), RFC 6125 §6.4 (names).
//!
//! - Usage 3: the server's own certificate fits a record. Its names and dates do not matter (RFC 7672 §3.1.1).
//! - Usage 2: an authority of the chain fits a record, the chain leads to it, and the server's certificate has one of
//!   the names (RFC 7672 §3.2.2). The authority may be in the DNS alone where the record holds all of it (RFC 7671
//!   §5.2.2), or its key alone (RFC 7671 §5.2.3).
//!
//! The records are those that `mta::tls::usable` leaves: those of other usages, malformed ones and those with needlessly
//! weak digests are out there; here they fit nothing.
//!
//! Left out on purpose: revocation, which the owner of the records does by removing them (RFC 7672 §4), raw public
//! keys (RFC 7250), and certificates before X.509 version 3, with which the handshake itself cannot work.

mod anchor;
mod names;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use rustls::CertificateError;
use rustls::OtherError;
use rustls::crypto::CryptoProvider;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, UnixTime};
use sha2::{Digest as _, Sha256, Sha512};
use types::dns::TlsaRecord;
use types::{Domain, Timestamp};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

use crate::tls::judge::{Judge, Shown};

/// Certificates that a server may show. Honest chains have five at most.
pub const CHAIN_CERTIFICATES_MAX: usize = 16;

/// Why a server is not the one that the records speak of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DaneError {
    /// Nothing of the chain fits.
    #[error("no TLSA record fits the certificates of the server")]
    NoMatch,
    /// The authority fits, and the certificate is one of another server.
    #[error("the certificate is by the authority that the TLSA records name, and for none of {0}")]
    Name(Names),
    /// The authority fits, and something of the chain is too old or too new.
    #[error("a certificate that leads to the authority of the TLSA records is not valid at this time")]
    Expired,
    /// The authority fits, and the chain does not lead to it.
    #[error("the certificate does not lead to the authority that the TLSA records name: {0}")]
    Chain(String),
    /// The server's own certificate cannot be read.
    #[error("the certificate of the server cannot be read")]
    Malformed,
    /// Over [`CHAIN_CERTIFICATES_MAX`].
    #[error("the server shows more certificates than any chain needs")]
    TooMany,
}

/// Names for which a certificate was asked, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(Vec<Domain>);

/// Takes servers that the records speak of.
#[derive(Debug)]
pub(crate) struct DaneJudge {
    records: Vec<TlsaRecord>,
    names: Vec<Domain>,
    provider: Arc<CryptoProvider>,
}

impl DaneJudge {
    pub(crate) const fn new(
        records: Vec<TlsaRecord>,
        names: Vec<Domain>,
        provider: Arc<CryptoProvider>,
    ) -> Self {
        Self { records, names, provider }
    }
}

/// Whether the chain, the server's own certificate first, is that of the server which the records speak of, and which
/// for usage 2 has one of the names.
///
/// # Errors
/// Why it is not: of several records the reason that comes closest.
pub fn verify(
    records: &[TlsaRecord],
    names: &[Domain],
    chain: &[CertificateDer<'_>],
    now: UnixTime,
    algorithms: &[&dyn SignatureVerificationAlgorithm],
) -> Result<(), DaneError> {
    let Some((certificate, others)) = chain.split_first() else { return Err(DaneError::Malformed) };
    if chain.len() > CHAIN_CERTIFICATES_MAX {
        return Err(DaneError::TooMany);
    }
    if records.iter().any(|record| record.usage == DANE_EE && fits(record, certificate)) {
        return Ok(());
    }
    let anchors = anchor::anchors(records, certificate, others);
    if anchors.is_empty() {
        return Err(DaneError::NoMatch);
    }
    let mut closest = None;
    for anchor in anchors {
        match anchor.vouches_for(certificate, others, names, now, algorithms) {
            Ok(()) => return Ok(()),
            Err(refusal) => closest = closest.max(Some(refusal)),
        }
    }
    Err(closest.map_or(DaneError::NoMatch, |why| why.explained(names)))
}

/// The same with the algorithms that a handshake would take, for a chain in DER that was seen already.
///
/// # Errors
/// Those of [`verify`].
pub fn verify_chain(
    records: &[TlsaRecord],
    names: &[Domain],
    chain: &[Vec<u8>],
    now: Timestamp,
) -> Result<(), DaneError> {
    let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let now = UnixTime::since_unix_epoch(Duration::from_millis(now.millis()));
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    verify(records, names, &chain, now, provider.signature_verification_algorithms.all)
}

/// The record that a host with this certificate publishes: of its own key, as SHA-256 (`3 1 1`, which RFC 7672 §3.1 and RFC
/// 7671 §5.1 recommend). None where the certificate cannot be read.
#[must_use]
pub fn record_of(certificate: &[u8]) -> Option<TlsaRecord> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    let data = Sha256::digest(certificate.public_key().raw).to_vec();
    Some(TlsaRecord { usage: DANE_EE, selector: SPKI, matching: SHA2_256, data })
}

const DANE_TA: u8 = 2;
const DANE_EE: u8 = 3;
const CERT: u8 = 0;
const SPKI: u8 = 1;
const FULL: u8 = 0;
const SHA2_256: u8 = 1;
const SHA2_512: u8 = 2;

/// Whether selector, matching type and data are those of the certificate (RFC 6698 §2.1).
fn fits(record: &TlsaRecord, certificate: &CertificateDer<'_>) -> bool {
    match record.selector {
        CERT => fits_octets(record, certificate),
        SPKI => X509Certificate::from_der(certificate)
            .is_ok_and(|(_, certificate)| fits_octets(record, certificate.public_key().raw)),
        _ => false,
    }
}

fn fits_octets(record: &TlsaRecord, octets: &[u8]) -> bool {
    match record.matching {
        FULL => record.data == octets,
        SHA2_256 => record.data == Sha256::digest(octets)[..],
        SHA2_512 => record.data == Sha512::digest(octets)[..],
        _ => false,
    }
}

impl Judge for DaneJudge {
    fn judge(&self, shown: Shown<'_>) -> Result<(), rustls::Error> {
        let chain: Vec<_> = std::iter::once(shown.certificate).chain(shown.others).cloned().collect();
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify(&self.records, &self.names, &chain, shown.now, algorithms)
            .map_err(|error| CertificateError::Other(OtherError(Arc::new(error))).into())
    }
}

impl fmt::Display for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, name) in self.0.iter().enumerate() {
            let before = if number == 0 { "" } else { ", " };
            write!(f, "{before}{}", name.ascii())?;
        }
        Ok(())
    }
}
