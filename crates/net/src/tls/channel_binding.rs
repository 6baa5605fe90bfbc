//! What both ends of a TLS connection know and somebody between two connections does not have the same for both
//! (RFC 5056): what SCRAM's -PLUS mechanisms bind a login to.
//!
//! Left out on purpose: `tls-unique`, which TLS 1.3 does not have (RFC 9266 §3) and which does not hold in TLS 1.2
//! without the extended master secret (RFC 7627).

use rustls::{ProtocolVersion, ServerConnection};
use sha2::{Digest as _, Sha256, Sha384, Sha512};

/// One kind of binding, with its octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelBinding {
    /// As in IANA's registry: `tls-exporter` or `tls-server-end-point`.
    pub name: &'static str,
    /// What the client must come to as well.
    pub data: Vec<u8>,
}

/// The bindings that a connection has; none before its handshake is done. `certificate` is the DER form of the one
/// that the client was shown, where it is known.
#[must_use]
pub fn channel_bindings(connection: &ServerConnection, certificate: Option<&[u8]>) -> Vec<ChannelBinding> {
    if connection.is_handshaking() {
        return Vec::new();
    }
    let exporter = exporter(connection).map(|data| ChannelBinding { name: "tls-exporter", data });
    let end_point = certificate.and_then(end_point);
    let end_point = end_point.map(|data| ChannelBinding { name: "tls-server-end-point", data });
    exporter.into_iter().chain(end_point).collect()
}

/// RFC 9266 §2. In TLS 1.2 it takes the extended master secret, and whether there is one cannot be told: left out.
fn exporter(connection: &ServerConnection) -> Option<Vec<u8>> {
    if connection.protocol_version() != Some(ProtocolVersion::TLSv1_3) {
        return None;
    }
    connection.export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b"")).ok()
}

/// RFC 5929 §4.1: the certificate's hash, by the hash function of its own signature; SHA-256 in place of MD5 and
/// SHA-1. It is not defined for signatures without exactly one hash function, such as Ed25519.
fn end_point(certificate: &[u8]) -> Option<Vec<u8>> {
    Some(match signature_hash(certificate)? {
        Hash::Sha256 => Sha256::digest(certificate).to_vec(),
        Hash::Sha384 => Sha384::digest(certificate).to_vec(),
        Hash::Sha512 => Sha512::digest(certificate).to_vec(),
    })
}

#[derive(Clone, Copy)]
enum Hash {
    Sha256,
    Sha384,
    Sha512,
}

/// The object identifiers of RFC 8017 Appendix A.2.4 and RFC 5758 §3.2, in DER.
const SIGNATURES: [(&[u8], Hash); 9] = [
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x04", Hash::Sha256), // md5WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x05", Hash::Sha256), // sha1WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b", Hash::Sha256), // sha256WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0c", Hash::Sha384), // sha384WithRSAEncryption
    (b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0d", Hash::Sha512), // sha512WithRSAEncryption
    (b"\x2a\x86\x48\xce\x3d\x04\x01", Hash::Sha256),         // ecdsa-with-SHA1
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x02", Hash::Sha256),     // ecdsa-with-SHA256
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x03", Hash::Sha384),     // ecdsa-with-SHA384
    (b"\x2a\x86\x48\xce\x3d\x04\x03\x04", Hash::Sha512),     // ecdsa-with-SHA512
];

/// RFC 5280 §4.1: `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }`, and
/// `AlgorithmIdentifier ::= SEQUENCE { algorithm OBJECT IDENTIFIER, parameters ANY OPTIONAL }`.
fn signature_hash(certificate: &[u8]) -> Option<Hash> {
    const SEQUENCE: u8 = 0x30;
    const OBJECT_IDENTIFIER: u8 = 0x06;
    let (certificate, _) = element(SEQUENCE, certificate)?;
    let (_signed, rest) = element(SEQUENCE, certificate)?;
    let (algorithm, _) = element(SEQUENCE, rest)?;
    let (identifier, _) = element(OBJECT_IDENTIFIER, algorithm)?;
    SIGNATURES.iter().find(|(known, _)| *known == identifier).map(|(_, hash)| *hash)
}

/// The content of a DER element with this tag, and what follows it.
fn element(tag: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = octets.strip_prefix(&[tag])?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        long @ 0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(long - 0x80))?;
            (octets.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)), rest)
        }
        _ => return None,
    };
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_hashed_as_its_own_signature_hashes() {
        let rows: [(&rcgen::SignatureAlgorithm, Option<usize>); 4] = [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(32)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(48)),
            (&rcgen::PKCS_RSA_SHA512, Some(64)),
            (&rcgen::PKCS_ED25519, None),
        ];
        for (algorithm, octets) in rows {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let params = rcgen::CertificateParams::new(["mail.example.org".to_owned()]).unwrap();
            let certificate = params.self_signed(&key).unwrap();
            let found = end_point(certificate.der());
            assert_eq!(found.as_ref().map(Vec::len), octets, "{algorithm:?}");
            if octets == Some(32) {
                assert_eq!(found.unwrap(), Sha256::digest(certificate.der()).to_vec());
            }
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_hash() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(["mail.example.org".to_owned()]).unwrap();
        let der = params.self_signed(&key).unwrap().der().to_vec();
        for end in 0..der.len() {
            assert_eq!(end_point(&der[..end]), None, "{end} octets of {}", der.len());
        }
        assert_eq!(end_point(b"\x30\x84\xff\xff\xff\xff\x30"), None);
    }
}
