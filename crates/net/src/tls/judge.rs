//! Who decides about the certificates of servers. What all have in common, that a server has the key of the certificate
//! that it shows, is checked in one place.

use std::fmt::Debug;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// What a server shows in a handshake.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown<'a> {
    /// Its own certificate.
    pub(crate) certificate: &'a CertificateDer<'a>,
    /// Those that it sent with it.
    pub(crate) others: &'a [CertificateDer<'a>],
    /// What its authority says of it; may be empty.
    pub(crate) ocsp: &'a [u8],
    /// The time.
    pub(crate) now: UnixTime,
}

/// Decides about certificates.
pub(crate) trait Judge: Debug + Send + Sync {
    /// # Errors
    /// The handshake ends with it.
    fn judge(&self, shown: Shown<'_>) -> Result<(), rustls::Error>;
}

/// A judge within a handshake.
#[derive(Debug)]
pub(crate) struct Judged<J> {
    judge: J,
    provider: Arc<CryptoProvider>,
}

/// Takes every certificate.
#[derive(Debug)]
pub(crate) struct Anybody;

impl Judge for Anybody {
    fn judge(&self, _shown: Shown<'_>) -> Result<(), rustls::Error> {
        Ok(())
    }
}

impl<J: Judge> Judged<J> {
    pub(crate) fn new(judge: J, provider: &Arc<CryptoProvider>) -> Arc<Self> {
        Arc::new(Self { judge, provider: Arc::clone(provider) })
    }
}

impl<J: Judge> ServerCertVerifier for Judged<J> {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        // A judge knows for which names it was made: the one of the handshake need not be among them.
        _name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.judge.judge(Shown { certificate, others, ocsp, now }).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
