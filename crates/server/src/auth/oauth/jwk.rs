//! Which published key fits a token (RFC 7517, RFC 7518).

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::Value;

/// The key that a token's header asks for.
pub(super) struct Wanted {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<String>,
}

/// The keys of an issuer.
#[derive(Default)]
pub(super) struct KeySet(Vec<Jwk>);

/// Keys of one issuer; the large ones publish fewer than ten.
const KEYS_MAX: usize = 64;
/// Keys that are tried for a token that names none.
const TRIED_MAX: usize = 8;

/// The algorithms that are taken: those with a public key.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    Some(match name {
        "RS256" => Algorithm::RS256,
        "RS384" => Algorithm::RS384,
        "RS512" => Algorithm::RS512,
        "PS256" => Algorithm::PS256,
        "PS384" => Algorithm::PS384,
        "PS512" => Algorithm::PS512,
        "ES256" => Algorithm::ES256,
        "ES384" => Algorithm::ES384,
        "EdDSA" => Algorithm::EdDSA,
        _ => return None,
    })
}

impl KeySet {
    /// Keys that cannot be used are passed over (RFC 7517 §5).
    pub(super) fn parse(text: &[u8]) -> Result<Self, &'static str> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<Value>,
        }
        let set: Set = serde_json::from_slice(text).map_err(|_| "it is no JSON Web Key Set (RFC 7517 §5)")?;
        if set.keys.len() > KEYS_MAX {
            return Err("it has more than 64 keys");
        }
        Ok(Self(set.keys.into_iter().filter_map(|key| serde_json::from_value(key).ok()).collect()))
    }

    /// Those that may have signed such a token.
    pub(super) fn fitting(&self, wanted: &Wanted) -> Vec<DecodingKey> {
        let fitting = self.0.iter().filter(|key| fits(key, wanted));
        fitting.filter_map(|key| DecodingKey::from_jwk(key).ok()).take(TRIED_MAX).collect()
    }
}

fn fits(key: &Jwk, wanted: &Wanted) -> bool {
    let common = &key.common;
    if wanted.key_id.is_some() && wanted.key_id != common.key_id {
        return false;
    }
    let is_for_signatures =
        common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common
                .key_operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
    let is_of_algorithm =
        common.key_algorithm.is_none_or(|algorithm| algorithm == KeyAlgorithm::from(wanted.algorithm));
    is_for_signatures && is_of_algorithm && is_of_kind(&key.algorithm, wanted.algorithm)
}

/// RFC 8725 §3.1: the algorithm that the header names counts only with a key of its kind.
fn is_of_kind(parameters: &AlgorithmParameters, algorithm: Algorithm) -> bool {
    use Algorithm::{ES256, ES384, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512};
    match (parameters, algorithm) {
        (AlgorithmParameters::RSA(_), RS256 | RS384 | RS512 | PS256 | PS384 | PS512) => true,
        (AlgorithmParameters::EllipticCurve(key), ES256) => key.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(key), ES384) => key.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(key), EdDSA) => key.curve == EllipticCurve::Ed25519,
        _ => false,
    }
}
