//! TLS towards the hosts that mail goes to: one set of roots, and a [`Connector`] for what each connection must show.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::ClientConfig;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{CertificateError, DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use types::Domain;
use types::dns::TlsaRecord;

use super::TlsError;
use super::connector::{Anybody, Connector, Roots, client_config, server_name, verifier};
use super::failure::HandshakeFailure;
use crate::dane::DaneVerifier;

/// Makes connectors. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Outbound {
    provider: Arc<CryptoProvider>,
    /// None where nobody vouches for anybody.
    verifier: Option<Arc<WebPkiServerVerifier>>,
    any: Connector,
}

/// Takes certificates that a public authority vouches for, for one of several names.
#[derive(Debug)]
struct OneOf {
    verifier: Arc<WebPkiServerVerifier>,
    names: Vec<ServerName<'static>>,
}

/// What a handshake showed.
#[derive(Debug, Clone, Default)]
pub struct Observation {
    seen: Arc<Mutex<Option<Result<(), HandshakeFailure>>>>,
}

/// Takes every certificate, but only from who has its key, and notes what it is worth.
#[derive(Debug)]
struct Observer {
    verifier: OneOf,
    seen: Arc<Mutex<Option<Result<(), HandshakeFailure>>>>,
}

impl Observation {
    /// Whether the certificate of the last handshake would have done; none where there was none.
    #[must_use]
    pub fn take(&self) -> Option<Result<(), HandshakeFailure>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Outbound {
    /// Reads the roots. Those of the system may be none: then no certificate can be verified, and [`Self::verified`]
    /// says so.
    ///
    /// # Errors
    /// A file of roots that was named cannot be used, or the cryptography does not work.
    pub fn new(roots: &Roots) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = match verifier(roots, &provider) {
            Ok(verifier) => Some(verifier),
            Err(error) if *roots != Roots::System => return Err(error),
            Err(_) => None,
        };
        let anybody = Arc::new(Anybody(Arc::clone(&provider)));
        let config = Arc::new(client_config(&provider, anybody)?);
        let any = Connector { config, verifier: verifier.clone(), sni: None };
        Ok(Self { provider, verifier, any })
    }

    /// For a server with any certificate (RFC 7435). Its sessions may be resumed: nothing was proven that a
    /// resumption could fake.
    #[must_use]
    pub fn any(&self) -> Connector {
        self.any.clone()
    }

    /// For a server with a certificate for one of `names` that a public authority vouches for (RFC 8461 §4.2).
    ///
    /// # Errors
    /// Nobody is trusted here, or a name is none that a certificate could have.
    pub fn verified(&self, names: &[Domain]) -> Result<Connector, TlsError> {
        self.connector(Arc::new(self.one_of(names)?), None)
    }

    /// For a server with any certificate, of which is noted whether it would have done for [`Self::verified`]: a policy
    /// that is only tested is reported on all the same (RFC 8461 §5).
    ///
    /// # Errors
    /// As of [`Self::verified`].
    pub fn observed(&self, names: &[Domain]) -> Result<(Connector, Observation), TlsError> {
        let observation = Observation::default();
        let observer = Observer { verifier: self.one_of(names)?, seen: Arc::clone(&observation.seen) };
        Ok((self.connector(Arc::new(observer), None)?, observation))
    }

    /// For a server that the records speak of, and for usage 2 with one of `names`, whose first is the TLSA base
    /// domain: it is the one asked for in the handshake (RFC 7671 §10.2).
    ///
    /// # Errors
    /// There is no name that a certificate could have.
    pub fn dane(&self, records: &[TlsaRecord], names: &[Domain]) -> Result<Connector, TlsError> {
        let base = names.first().map_or("", Domain::ascii);
        let sni = server_name(base)?;
        let verifier = DaneVerifier::new(records.to_vec(), names.to_vec(), Arc::clone(&self.provider));
        self.connector(Arc::new(verifier), Some(sni))
    }

    fn one_of(&self, names: &[Domain]) -> Result<OneOf, TlsError> {
        let unverified = || TlsError::Unverified("no authority is trusted here".to_owned());
        let verifier = Arc::clone(self.verifier.as_ref().ok_or_else(unverified)?);
        let names = names.iter().map(|name| server_name(name.ascii())).collect::<Result<Vec<_>, _>>()?;
        Ok(OneOf { verifier, names })
    }

    /// Nothing is resumed: each connection shows its certificate anew, by what is asked of it then.
    fn connector(
        &self,
        chosen: Arc<dyn ServerCertVerifier>,
        sni: Option<ServerName<'static>>,
    ) -> Result<Connector, TlsError> {
        let mut config: ClientConfig = client_config(&self.provider, chosen)?;
        config.resumption = Resumption::disabled();
        Ok(Connector { config: Arc::new(config), verifier: self.verifier.clone(), sni })
    }
}

impl ServerCertVerifier for OneOf {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let mut refused = rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        for name in &self.names {
            match self.verifier.verify_server_cert(certificate, others, name, ocsp, now) {
                Ok(verified) => return Ok(verified),
                Err(error) => refused = error,
            }
            // Anything but the name is wrong for the others too.
            if !is_about_the_name(&refused) {
                break;
            }
        }
        Err(refused)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

impl ServerCertVerifier for Observer {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified = self.verifier.verify_server_cert(certificate, others, name, ocsp, now);
        let seen = verified.map(drop).map_err(|error| HandshakeFailure::from(&error));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}

const fn is_about_the_name(error: &rustls::Error) -> bool {
    matches!(
        error,
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. }
        )
    )
}
