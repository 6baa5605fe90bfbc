//! TLS towards those whom we connect to (RFC 3207 §4.1, RFC 9525): the roots that vouch for them, and whether a
//! certificate that nobody vouches for will do.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use super::TlsError;
use super::certificates::read_chain;
use super::judge::{Anybody, Judged};

/// Who vouches for servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Roots {
    /// Those of the machine, which its administrator chooses: a company's own authority is among them.
    System,
    /// Those of this file, in PEM, and no others.
    File(PathBuf),
}

impl Roots {
    /// Their certificates. Of the machine there may be none, and some that are too odd to be used.
    pub(crate) fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        match self {
            Self::System => Ok(rustls_native_certs::load_native_certs().certs),
            Self::File(path) => read_chain(path),
        }
    }
}

/// What a certificate is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    /// The handshake fails where the certificate is not the server's.
    Required,
    /// Any certificate will do; [`Connector::verify`] tells what it is worth. Better than clear text, and no help
    /// against somebody in the middle (RFC 7435).
    Tried,
}

/// Makes connections.
#[derive(Debug, Clone)]
pub struct Connector {
    pub(super) config: Arc<ClientConfig>,
    /// None where nobody vouches for anybody.
    pub(super) verifier: Option<Arc<WebPkiServerVerifier>>,
    /// What is asked for in the handshake in place of the host's name.
    pub(super) sni: Option<ServerName<'static>>,
}

impl Connector {
    /// Reads the roots.
    ///
    /// # Errors
    /// The roots cannot be read, or there are none and they are required.
    pub fn new(roots: &Roots, verification: Verification) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = match (verifier(roots, &provider), verification) {
            (Ok(verifier), _) => Some(verifier),
            // A file that was named has to be one.
            (Err(error), _) if *roots != Roots::System => return Err(error),
            (Err(error), Verification::Required) => return Err(error),
            (Err(_), Verification::Tried) => None,
        };
        let chosen: Arc<dyn ServerCertVerifier> = match (&verifier, verification) {
            (Some(verifier), Verification::Required) => Arc::clone(verifier) as _,
            (_, _) => Judged::new(Anybody, &provider),
        };
        let config = client_config(&provider, chosen)?;
        Ok(Self { config: Arc::new(config), verifier, sni: None })
    }

    /// A connection that has yet to do its handshake, with the server of this name or IP address.
    ///
    /// # Errors
    /// The name is not one that a certificate could have.
    pub fn connect(&self, name: &str) -> Result<ClientConnection, TlsError> {
        let (config, name) = self.handshake(name)?;
        ClientConnection::new(config, name).map_err(|error| TlsError::Provider(error.to_string()))
    }

    /// The same for who does the handshake otherwise: what it is done with, and the name that is asked for.
    ///
    /// # Errors
    /// The name is not one that a certificate could have.
    pub fn handshake(&self, name: &str) -> Result<(Arc<ClientConfig>, ServerName<'static>), TlsError> {
        let name = match &self.sni {
            Some(sni) => sni.clone(),
            None => server_name(name)?,
        };
        Ok((Arc::clone(&self.config), name))
    }

    /// Whether the certificate that the server showed is one of this name, with somebody trusted to vouch for it.
    ///
    /// # Errors
    /// Why it is not.
    pub fn verify(&self, connection: &ClientConnection, name: &str) -> Result<(), TlsError> {
        let unverified = |why: &str| TlsError::Unverified(why.to_owned());
        let verifier = self.verifier.as_ref().ok_or_else(|| unverified("no authority is trusted here"))?;
        let chain = connection.peer_certificates().unwrap_or_default();
        let (certificate, others) = chain.split_first().ok_or_else(|| unverified("it showed none"))?;
        verifier
            .verify_server_cert(certificate, others, &server_name(name)?, &[], UnixTime::now())
            .map(|_| ())
            .map_err(|error| unverified(&error.to_string()))
    }
}

/// With sessions resumed, unless the caller changes that.
pub(super) fn client_config(
    provider: &Arc<CryptoProvider>,
    chosen: Arc<dyn ServerCertVerifier>,
) -> Result<ClientConfig, TlsError> {
    Ok(ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|error| TlsError::Provider(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(chosen)
        .with_no_client_auth())
}

pub(super) fn verifier(
    roots: &Roots,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, TlsError> {
    let place = match roots {
        Roots::System => Path::new("the certificates of this machine"),
        Roots::File(path) => path,
    };
    let mut store = RootCertStore::empty();
    // Among those of a machine there may be one that is too odd to be used.
    store.add_parsable_certificates(roots.certificates()?);
    WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider)).build().map_err(
        |error| {
            let what = "authorities that vouch for servers";
            TlsError::File { path: place.to_owned(), what, why: error.to_string() }
        },
    )
}

pub(super) fn server_name(name: &str) -> Result<ServerName<'static>, TlsError> {
    ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))
}
