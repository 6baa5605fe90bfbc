//! Whether a certificate has a name (RFC 7672 §3.2.3, RFC 6125 §6.4).

use rustls_pki_types::{CertificateDer, ServerName};
use types::Domain;
use webpki::EndEntityCert;
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer as _;

/// Whether it has one of the names: as a DNS name among its alternative ones, and where it has no such thing, as its
/// common name.
pub(super) fn has_one_of(
    certificate: &CertificateDer<'_>,
    leaf: &EndEntityCert<'_>,
    names: &[Domain],
) -> bool {
    let has = |name: &Domain| {
        ServerName::try_from(name.ascii())
            .is_ok_and(|name| leaf.verify_is_valid_for_subject_name(&name).is_ok())
    };
    if names.iter().any(has) {
        return true;
    }
    if leaf.valid_dns_names().next().is_some() {
        return false;
    }
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    if has_dns_names(&certificate) {
        return false;
    }
    let mut common = certificate.subject().iter_common_name();
    let (Some(common), None) = (common.next(), common.next()) else { return false };
    common.as_str().is_ok_and(|common| names.iter().any(|name| is_name(common, name)))
}

/// Even one that makes no sense counts: the common name is for certificates that know no other (RFC 6125 §6.4.4).
fn has_dns_names(certificate: &X509Certificate<'_>) -> bool {
    use x509_parser::extensions::GeneralName;
    match certificate.subject_alternative_name() {
        Ok(Some(names)) => {
            names.value.general_names.iter().any(|name| matches!(name, GeneralName::DNSName(_)))
        }
        Ok(None) => false,
        Err(_) => true,
    }
}

/// A `*` stands for the whole first label and nothing else.
fn is_name(common: &str, name: &Domain) -> bool {
    match common.strip_prefix("*.") {
        Some(parent) => {
            name.ascii().split_once('.').is_some_and(|(_, rest)| rest.eq_ignore_ascii_case(parent))
        }
        None => common.eq_ignore_ascii_case(name.ascii()),
    }
}
