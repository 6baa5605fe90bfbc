//! TLS towards the hosts that mail goes to: one set of roots, and a [`Connector`] for what each connection must show.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::CertificateError;
use rustls::ClientConfig;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_pki_types::ServerName;
use types::Domain;
use types::dns::TlsaRecord;

use super::TlsError;
use super::connector::{Connector, Roots, client_config, server_name, verifier};
use super::failure::HandshakeFailure;
use super::judge::{Anybody, Judge, Judged, Shown};
use crate::dane::DaneJudge;

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

/// Takes every certificate, and notes what it is worth.
#[derive(Debug)]
struct Observer {
    judge: OneOf,
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
        let config = Arc::new(client_config(&provider, Judged::new(Anybody, &provider))?);
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
        self.connector(self.one_of(names)?, None)
    }

    /// For a server with any certificate, of which is noted whether it would have done for [`Self::verified`]: a policy
    /// that is only tested is reported on all the same (RFC 8461 §5).
    ///
    /// # Errors
    /// As of [`Self::verified`].
    pub fn observed(&self, names: &[Domain]) -> Result<(Connector, Observation), TlsError> {
        let observation = Observation::default();
        let observer = Observer { judge: self.one_of(names)?, seen: Arc::clone(&observation.seen) };
        Ok((self.connector(observer, None)?, observation))
    }

    /// For a server that the records speak of, and for usage 2 with one of `names`, whose first is the TLSA base
    /// domain: it is the one asked for in the handshake (RFC 7671 §10.2).
    ///
    /// # Errors
    /// There is no name that a certificate could have.
    pub fn dane(&self, records: &[TlsaRecord], names: &[Domain]) -> Result<Connector, TlsError> {
        let base = names.first().map_or("", Domain::ascii);
        let sni = server_name(base)?;
        let judge = DaneJudge::new(records.to_vec(), names.to_vec(), Arc::clone(&self.provider));
        self.connector(judge, Some(sni))
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
        judge: impl Judge + 'static,
        sni: Option<ServerName<'static>>,
    ) -> Result<Connector, TlsError> {
        let mut config: ClientConfig = client_config(&self.provider, Judged::new(judge, &self.provider))?;
        config.resumption = Resumption::disabled();
        Ok(Connector { config: Arc::new(config), verifier: self.verifier.clone(), sni })
    }
}

impl Judge for OneOf {
    fn judge(&self, shown: Shown<'_>) -> Result<(), rustls::Error> {
        let Shown { certificate, others, ocsp, now } = shown;
        let mut refused = rustls::Error::InvalidCertificate(CertificateError::NotValidForName);
        for name in &self.names {
            match self.verifier.verify_server_cert(certificate, others, name, ocsp, now) {
                Ok(_) => return Ok(()),
                Err(error) => refused = error,
            }
            // Anything but the name is wrong for the others too.
            if !is_about_the_name(&refused) {
                break;
            }
        }
        Err(refused)
    }
}

impl Judge for Observer {
    fn judge(&self, shown: Shown<'_>) -> Result<(), rustls::Error> {
        let seen = self.judge.judge(shown).map_err(|error| HandshakeFailure::from(&error));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        Ok(())
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
