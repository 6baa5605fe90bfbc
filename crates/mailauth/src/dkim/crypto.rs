//! Keys and what is reckoned with them. The cryptography is aws-lc-rs's.

use std::fmt;

use aws_lc_rs::digest::{Digest, SHA256, digest};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair as RsaPair, KeySize};
use aws_lc_rs::signature::{
    ED25519, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, RSA_PKCS1_SHA256,
    RsaKeyPair, UnparsedPublicKey,
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Algorithm;

/// A key that signs. `Debug` shows what kind it is, and nothing of it.
pub struct SigningKey(Secret);

enum Secret {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

/// Why octets are no key to sign with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PKCS #8 nor PKCS #1, or shorter than signers may use (RFC 8301 §3.2).
    #[error("this is no private key of RSA of 2048 bits or more")]
    NoRsaKey,
    /// No PEM at all.
    #[error("this is no private key in PEM")]
    NoPem,
    /// Not 32 octets that make a key.
    #[error("this is no seed of an Ed25519 key")]
    NoEd25519Key,
    /// Neither kind of key, or an RSA key that is too short.
    #[error("this is no private key of RSA of 2048 bits or more, and none of Ed25519")]
    NoKey,
    /// The library made none.
    #[error("no key could be made")]
    Failed,
}

/// A key that signatures are checked with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PublicKey {
    Rsa { der: Vec<u8>, bits: usize },
    Ed25519(Vec<u8>),
}

impl SigningKey {
    /// An RSA key of 2048 bits or more from DER: PKCS #8 (`PrivateKeyInfo`) or PKCS #1 (`RSAPrivateKey`).
    ///
    /// # Errors
    /// Where it is none.
    pub fn rsa_from_der(der: &[u8]) -> Result<Self, KeyError> {
        let pair = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
        let pair = pair.ok().filter(|pair| pair.public_modulus_len() * 8 >= super::RSA_BITS_STRONG);
        Ok(Self(Secret::Rsa(Box::new(pair.ok_or(KeyError::NoRsaKey)?))))
    }

    /// The same from PEM: `BEGIN PRIVATE KEY` or `BEGIN RSA PRIVATE KEY`.
    ///
    /// # Errors
    /// Where it is none.
    pub fn rsa_from_pem(pem: &str) -> Result<Self, KeyError> {
        Self::rsa_from_der(&der_of_pem(pem)?)
    }

    /// An Ed25519 key from its 32 random octets (RFC 8032 §5.1.5), which are the whole secret.
    ///
    /// # Errors
    /// Where they make no key.
    pub fn ed25519_from_seed(seed: &[u8; 32]) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| KeyError::NoEd25519Key)?;
        Ok(Self(Secret::Ed25519(pair)))
    }

    /// A new RSA key of 2048 bits (RFC 8301 §3.2: signers use at least that; a record of more does not fit one string), and
    /// its PKCS #8 to be kept. Its randomness is the library's, as that of signing is.
    ///
    /// # Errors
    /// Where the library fails.
    pub fn generate_rsa() -> Result<(Self, Vec<u8>), KeyError> {
        let pair = RsaPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Failed)?;
        let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| KeyError::Failed)?;
        let der = der.as_ref().to_vec();
        Ok((Self::rsa_from_der(&der)?, der))
    }

    /// An Ed25519 key from PKCS #8 (RFC 8410 §7).
    fn ed25519_from_der(der: &[u8]) -> Result<Self, KeyError> {
        // Version 1 has no public key in it, which other programs write.
        let pair =
            Ed25519KeyPair::from_pkcs8(der).or_else(|_| Ed25519KeyPair::from_pkcs8_maybe_unchecked(der));
        Ok(Self(Secret::Ed25519(pair.map_err(|_| KeyError::NoEd25519Key)?)))
    }

    /// Whichever key PEM holds, as other signers keep it: `BEGIN PRIVATE KEY` of either kind or `BEGIN RSA PRIVATE KEY`.
    /// With it comes its DER, which [`SigningKey::from_der`] takes.
    ///
    /// # Errors
    /// Where it is none.
    pub fn from_pem(pem: &str) -> Result<(Self, Vec<u8>), KeyError> {
        let der = der_of_pem(pem)?;
        Ok((Self::from_der(&der)?, der))
    }

    /// Whichever key DER holds.
    ///
    /// # Errors
    /// Where it is none.
    pub fn from_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::rsa_from_der(der).or_else(|_| Self::ed25519_from_der(der)).map_err(|_| KeyError::NoKey)
    }

    /// What it signs with.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.0 {
            Secret::Rsa(_) => Algorithm::RsaSha256,
            Secret::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// What the DNS is to say at `selector._domainkey.domain` (RFC 6376 §3.6.1, RFC 8463 §4). None where the library fails.
    #[must_use]
    pub fn record(&self) -> Option<String> {
        let (kind, octets) = match &self.0 {
            Secret::Rsa(pair) => {
                let der: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
                ("rsa", der.as_ref().to_vec())
            }
            Secret::Ed25519(pair) => ("ed25519", pair.public_key().as_ref().to_vec()),
        };
        Some(format!("v=DKIM1; k={kind}; h=sha256; p={}", STANDARD.encode(octets)))
    }

    /// None where the library fails.
    pub(crate) fn sign(&self, digest: &Digest) -> Option<Vec<u8>> {
        match &self.0 {
            Secret::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign_digest(&RSA_PKCS1_SHA256, digest, &mut signature).ok()?;
                Some(signature)
            }
            // RFC 8463 §3: the hash is what is signed.
            Secret::Ed25519(pair) => Some(pair.sign(digest.as_ref()).as_ref().to_vec()),
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SigningKey").field(&self.algorithm()).finish()
    }
}

impl PublicKey {
    /// `SubjectPublicKeyInfo`, or `RSAPublicKey`, which RFC 6376 §3.6.1 says and few publish.
    pub(crate) fn rsa(der: Vec<u8>) -> Option<Self> {
        let bits = modulus_bits(&der)?;
        Some(Self::Rsa { der, bits })
    }

    pub(crate) fn ed25519(octets: Vec<u8>) -> Option<Self> {
        (octets.len() == ED25519_KEY_BYTES).then_some(Self::Ed25519(octets))
    }

    /// Of an RSA key.
    pub(crate) const fn rsa_bits(&self) -> Option<usize> {
        match self {
            Self::Rsa { bits, .. } => Some(*bits),
            Self::Ed25519(_) => None,
        }
    }

    pub(crate) fn verifies(&self, digest: &Digest, signature: &[u8]) -> bool {
        match self {
            Self::Rsa { der, .. } => {
                UnparsedPublicKey::new(&RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY, der)
                    .verify_digest(digest, signature)
                    .is_ok()
            }
            Self::Ed25519(octets) => {
                UnparsedPublicKey::new(&ED25519, octets).verify(digest.as_ref(), signature).is_ok()
            }
        }
    }
}

pub(crate) fn sha256(octets: &[u8]) -> Digest {
    digest(&SHA256, octets)
}

fn der_of_pem(pem: &str) -> Result<Vec<u8>, KeyError> {
    let mut lines = pem.lines().map(str::trim).skip_while(|line| !line.starts_with("-----BEGIN "));
    lines.next().filter(|line| line.ends_with("PRIVATE KEY-----")).ok_or(KeyError::NoPem)?;
    let base64: String = lines.take_while(|line| !line.starts_with("-----END ")).collect();
    STANDARD.decode(base64).map_err(|_| KeyError::NoPem)
}

/// How long the modulus of an RSA key is, which the library keeps for itself.
fn modulus_bits(der: &[u8]) -> Option<usize> {
    let (key, _) = element(der, SEQUENCE)?;
    let numbers = match element(key, SEQUENCE) {
        Some((_, after)) => {
            let (octets, _) = element(after, BIT_STRING)?;
            element(octets.get(1..)?, SEQUENCE)?.0
        }
        None => key,
    };
    let (modulus, _) = element(numbers, INTEGER)?;
    let first = modulus.iter().position(|octet| *octet != 0)?;
    let significant = modulus.len() - first;
    Some(significant * 8 - modulus[first].leading_zeros() as usize)
}

/// The contents of a DER element of that tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let [found, length, rest @ ..] = der else { return None };
    if *found != tag {
        return None;
    }
    let (length, rest) = match *length {
        short @ 0..=127 => (usize::from(short), rest),
        0x81 => (usize::from(*rest.first()?), &rest[1..]),
        0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), &rest[2..]),
        _ => return None,
    };
    rest.split_at_checked(length)
}

const ED25519_KEY_BYTES: usize = 32;
const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_generated_key_is_read_again_and_has_the_same_record() {
        let (made, der) = SigningKey::generate_rsa().unwrap();
        let read = SigningKey::from_der(&der).unwrap();
        assert_eq!(read.algorithm(), Algorithm::RsaSha256);
        assert_eq!(read.record(), made.record());
        assert_ne!(SigningKey::generate_rsa().unwrap().0.record(), made.record());
        let public = STANDARD.decode(made.record().unwrap().split("p=").nth(1).unwrap()).unwrap();
        assert_eq!(modulus_bits(&public), Some(2048));
    }

    /// The key of RFC 8410 §10.3, in both its forms, and the public key of §10.1.
    #[test]
    fn the_ed25519_keys_of_rfc_8410_are_read() {
        let plain = "-----BEGIN PRIVATE KEY-----\n\
                     MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n\
                     -----END PRIVATE KEY-----\n";
        let (key, der) = SigningKey::from_pem(plain).unwrap();
        assert_eq!(key.algorithm(), Algorithm::Ed25519Sha256);
        let record = "v=DKIM1; k=ed25519; h=sha256; p=Gb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=";
        assert_eq!(key.record().as_deref(), Some(record));
        assert_eq!(SigningKey::from_der(&der).unwrap().record().as_deref(), Some(record));
    }

    #[test]
    fn what_is_no_key_is_none() {
        for wrong in ["", "x", "-----BEGIN PRIVATE KEY-----\n!\n-----END PRIVATE KEY-----\n"] {
            assert_eq!(SigningKey::from_pem(wrong).err(), Some(KeyError::NoPem), "{wrong:?}");
        }
        let certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(SigningKey::from_pem(certificate).err(), Some(KeyError::NoPem));
        let nothing = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(SigningKey::from_pem(nothing).err(), Some(KeyError::NoKey));
    }
}
