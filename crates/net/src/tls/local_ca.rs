//! The certificate authority of dev mode: made once, kept in the data folder, good for this machine alone. Whoever
//! trusts its certificate can test TLS with names checked.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use time::{Duration, OffsetDateTime};

use super::{CertificateFiles, TlsError};
use crate::files;

/// How long the authority lives, and how long a server's certificate does (what browsers take at most).
const CA_DAYS: i64 = 3650;
const SERVER_DAYS: i64 = 398;
/// Clocks that are a little behind take a new certificate too.
const BACKDATE: Duration = Duration::days(1);

/// What dev mode made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalCertificate {
    /// To be trusted by who wants names checked.
    pub authority: PathBuf,
    /// For the server.
    pub server: CertificateFiles,
}

/// Takes the authority that is in `folder`, or makes one there, and has it sign a new certificate for `localhost`, the
/// loopback addresses and `host_name`. `now` is seconds since the epoch.
///
/// # Errors
/// [`TlsError`].
pub fn open(folder: &Path, host_name: &str, now: i64) -> Result<LocalCertificate, TlsError> {
    let authority = folder.join("ca.pem");
    let authority_key = folder.join("ca.key");
    let server = CertificateFiles { certificate: folder.join("server.pem"), key: folder.join("server.key") };
    let now = OffsetDateTime::from_unix_timestamp(now).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    make_folder(folder).map_err(|error| unwritable(folder, &error))?;
    if !authority.exists() || !authority_key.exists() {
        make_authority(&authority, &authority_key, now)?;
    }
    let text = |path: &Path| std::fs::read_to_string(path).map_err(|error| unreadable(path, &error));
    let authority_pem = text(&authority)?;
    let key =
        KeyPair::from_pem(&text(&authority_key)?).map_err(|error| unreadable(&authority_key, &error))?;
    let issuer =
        Issuer::from_ca_cert_pem(&authority_pem, key).map_err(|error| unreadable(&authority, &error))?;
    let server_key = KeyPair::generate().map_err(provider)?;
    let certificate = server_params(host_name, now)
        .and_then(|params| params.signed_by(&server_key, &issuer))
        .map_err(provider)?;
    write(&server.certificate, &format!("{}{authority_pem}", certificate.pem()), 0o644)?;
    write(&server.key, &server_key.serialize_pem(), 0o600)?;
    Ok(LocalCertificate { authority, server })
}

fn make_authority(path: &Path, key_path: &Path, now: OffsetDateTime) -> Result<(), TlsError> {
    let mut params = CertificateParams::new(Vec::new()).map_err(provider)?;
    params.distinguished_name.push(DnType::CommonName, "Posta development CA (this machine only)");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.not_before = now - BACKDATE;
    params.not_after = now + Duration::days(CA_DAYS);
    let key = KeyPair::generate().map_err(provider)?;
    let certificate = params.self_signed(&key).map_err(provider)?;
    // The key first: an authority without it would be of no use.
    write(key_path, &key.serialize_pem(), 0o600)?;
    write(path, &certificate.pem(), 0o644)
}

fn server_params(host_name: &str, now: OffsetDateTime) -> Result<CertificateParams, rcgen::Error> {
    let mut names = vec!["localhost".to_owned()];
    if host_name != "localhost" {
        names.push(host_name.to_owned());
    }
    let mut params = CertificateParams::new(names)?;
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params.subject_alt_names.push(SanType::IpAddress(IpAddr::V6(Ipv6Addr::LOCALHOST)));
    params.distinguished_name.push(DnType::CommonName, "localhost");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.not_before = now - BACKDATE;
    params.not_after = now + Duration::days(SERVER_DAYS);
    Ok(params)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

fn write(path: &Path, text: &str, mode: u32) -> Result<(), TlsError> {
    files::replace(path, text.as_bytes(), mode).map_err(|error| unwritable(path, &error))
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> TlsError {
    let why = format!("it cannot be written: {error}");
    TlsError::File { path: path.to_owned(), what: "a place for certificates", why }
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> TlsError {
    let why = format!("{error}; remove ca.pem and ca.key to have new ones made");
    TlsError::File { path: path.to_owned(), what: "the development CA", why }
}

fn provider(error: rcgen::Error) -> TlsError {
    TlsError::Provider(error.to_string())
}
