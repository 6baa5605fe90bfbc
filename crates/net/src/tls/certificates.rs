//! Certificates from files.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

/// One certificate with its chain, and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM: the certificate first, then those that sign it.
    pub certificate: PathBuf,
    /// PEM: PKCS #8, PKCS #1 or SEC1.
    pub key: PathBuf,
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read or holds something else.
    #[error("cannot use {} as {what}: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What it should hold.
        what: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Key and certificate are not a pair.
    #[error("the key {} does not belong to the certificate {}", key.display(), certificate.display())]
    Mismatch {
        /// Which certificate.
        certificate: PathBuf,
        /// Which key.
        key: PathBuf,
    },
    /// Nothing to offer.
    #[error("no certificate is configured")]
    NoCertificate,
    /// No certificate can be for this.
    #[error("{0:?} is neither the name nor the IP address of a host")]
    Name(String),
    /// Nobody who is trusted vouches for the other side.
    #[error("{0}")]
    Unverified(String),
    /// The cryptography does not work.
    #[error("TLS does not work on this machine: {0}")]
    Provider(String),
}

/// The certificates of a node, the first one being the default.
pub struct Certificates {
    files: Vec<CertificateFiles>,
    loaded: ArcSwap<Vec<Loaded>>,
}

struct Loaded {
    key: Arc<CertifiedKey>,
}

impl Certificates {
    /// Reads all of them.
    ///
    /// # Errors
    /// [`TlsError`] about the first that cannot be used.
    pub fn load(files: Vec<CertificateFiles>) -> Result<Self, TlsError> {
        let loaded = ArcSwap::from_pointee(load_all(&files)?);
        Ok(Self { files, loaded })
    }

    /// Reads all of them again. Connections that are open keep what they have; where one cannot be used, all stay as
    /// they were.
    ///
    /// # Errors
    /// [`TlsError`] about the first that cannot be used.
    pub fn reload(&self) -> Result<(), TlsError> {
        self.loaded.store(Arc::new(load_all(&self.files)?));
        Ok(())
    }

    /// Where they come from.
    #[must_use]
    pub fn files(&self) -> &[CertificateFiles] {
        &self.files
    }

    /// What a client that asks for `name` is shown, in DER.
    #[must_use]
    pub fn shown_to(&self, name: Option<&str>) -> Option<CertificateDer<'static>> {
        self.choose(name)?.cert.first().cloned()
    }

    /// The chains of all of them in DER, the host's own certificate first.
    #[must_use]
    pub fn chains(&self) -> Vec<Vec<Vec<u8>>> {
        let octets =
            |loaded: &Loaded| loaded.key.cert.iter().map(|certificate| certificate.to_vec()).collect();
        self.loaded.load().iter().map(octets).collect()
    }

    /// The one for a name: the first that is valid for it, else the default.
    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let loaded = self.loaded.load();
        let named = name.and_then(|name| ServerName::try_from(name).ok());
        let fitting = named.and_then(|name| loaded.iter().find(|loaded| loaded.is_valid_for(&name)));
        fitting.or_else(|| loaded.first()).map(|loaded| Arc::clone(&loaded.key))
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name())
    }
}

/// Without keys.
impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

impl Loaded {
    fn is_valid_for(&self, name: &ServerName<'_>) -> bool {
        let certificate = self.key.cert.first().and_then(|der| webpki::EndEntityCert::try_from(der).ok());
        certificate.is_some_and(|certificate| certificate.verify_is_valid_for_subject_name(name).is_ok())
    }
}

fn load_all(files: &[CertificateFiles]) -> Result<Vec<Loaded>, TlsError> {
    if files.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    files.iter().map(load).collect()
}

fn load(files: &CertificateFiles) -> Result<Loaded, TlsError> {
    let chain = read_chain(&files.certificate)?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| unusable(&files.key, "a private key in PEM", &error))?;
    let key = aws_lc_rs::sign::any_supported_type(&key)
        .map_err(|error| unusable(&files.key, "a private key in PEM", &error))?;
    let certified = CertifiedKey::new(chain, key);
    match certified.keys_match() {
        Ok(()) => {}
        Err(rustls::Error::InconsistentKeys(rustls::InconsistentKeys::KeyMismatch)) => {
            let CertificateFiles { certificate, key } = files.clone();
            return Err(TlsError::Mismatch { certificate, key });
        }
        // A key that cannot tell its public half is believed.
        Err(rustls::Error::InconsistentKeys(_)) => {}
        Err(error) => return Err(unusable(&files.certificate, "a certificate in PEM", &error)),
    }
    Ok(Loaded { key: Arc::new(certified) })
}

pub(super) fn read_chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let unusable = |error: &dyn fmt::Display| unusable(path, "certificates in PEM", error);
    let chain: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).map_err(|error| unusable(&error))?.collect();
    let chain = chain.map_err(|error| unusable(&error))?;
    if chain.is_empty() {
        return Err(unusable(&"there is none in it"));
    }
    Ok(chain)
}

fn unusable(path: &Path, what: &'static str, why: &dyn fmt::Display) -> TlsError {
    TlsError::File { path: path.to_owned(), what, why: why.to_string() }
}
