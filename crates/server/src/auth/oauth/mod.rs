//! Tokens that are signed (RFC 7519), checked with the published keys of their issuers (RFC 7517), with the rules of
//! RFC 8725 and RFC 9068 §4: the algorithm is one with a public key, the key is of that algorithm, issuer and
//! audience are the configured ones, and there is an end to its life.
//!
//! Left out on purpose: tokens that only their issuer can read (RFC 7662 asks it each time), encrypted tokens, and
//! finding an issuer's keys by way of its metadata.

mod claims;
mod jwk;
mod keys;
mod source;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sasl::Secret;
use serde::Deserialize;
use types::Timestamp;

use self::claims::Claims;
use self::jwk::{Wanted, algorithm};
use self::keys::Keys;
use super::token::{TokenError, TokenVerifier};
use crate::config;

/// Verifies the tokens of the configured issuers.
pub(crate) struct Issuers(Vec<Issuer>);

struct Issuer {
    name: String,
    audience: String,
    account_claim: String,
    keys: Keys,
}

/// The parts of a token's header that matter (RFC 7515 §4.1).
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood; none is.
    crit: Option<serde::de::IgnoredAny>,
}

/// Octets of a token; those of the large issuers have some 2 KiB.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

impl Issuers {
    pub(crate) fn new(configured: &[config::Oauth]) -> Self {
        let issuer = |oauth: &config::Oauth| Issuer {
            name: oauth.issuer.clone(),
            audience: oauth.audience.clone(),
            account_claim: oauth.account_claim.clone(),
            keys: Keys::new(oauth.jwks.clone()),
        };
        Self(configured.iter().map(issuer).collect())
    }
}

#[async_trait]
impl TokenVerifier for Issuers {
    async fn account_of(&self, token: &Secret, now: Timestamp) -> Result<String, TokenError> {
        let token = Token::parse(token.reveal())?;
        let issuer = self.0.iter().find(|issuer| token.claims.is_issued_by(&issuer.name));
        let issuer = issuer.ok_or(TokenError::Refused("the token is of an issuer that is not configured"))?;
        // The times before the signature: an expired token, which clients send often, costs nothing.
        token.claims.check(now, &issuer.audience).map_err(TokenError::Refused)?;
        let keys = issuer.keys.find(&token.wanted, now).await?;
        if keys.is_empty() {
            return Err(TokenError::Refused(
                "the token is signed with a key that its issuer does not publish",
            ));
        }
        if !keys.iter().any(|key| token.is_signed_with(key)) {
            return Err(TokenError::Refused("the token's signature is wrong"));
        }
        token.claims.account(&issuer.account_claim).map_err(TokenError::Refused)
    }
}

struct Token<'a> {
    /// Header and claims as they were signed.
    signed: &'a str,
    signature: &'a str,
    wanted: Wanted,
    claims: Claims,
}

impl<'a> Token<'a> {
    /// RFC 7515 §3.1: three parts in base64url, between dots.
    fn parse(text: &'a str) -> Result<Self, TokenError> {
        const MALFORMED: TokenError = TokenError::Refused("the token is not in the form of RFC 7519");
        if text.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Refused("the token is too long"));
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(MALFORMED)?;
        let (header, claims) = signed.split_once('.').ok_or(MALFORMED)?;
        let header: Header = decode(header).ok_or(MALFORMED)?;
        if header.crit.is_some() {
            return Err(TokenError::Refused("the token asks for an extension (RFC 7515 §4.1.11)"));
        }
        // RFC 8725 §3.1: nothing that needs no key, or one that is not public.
        let algorithm = algorithm(&header.alg)
            .ok_or(TokenError::Refused("the token is signed in a way that is not taken"))?;
        let claims = decode(claims).ok_or(MALFORMED)?;
        Ok(Self { signed, signature, wanted: Wanted { algorithm, key_id: header.kid }, claims })
    }

    fn is_signed_with(&self, key: &jsonwebtoken::DecodingKey) -> bool {
        let (signed, algorithm) = (self.signed.as_bytes(), self.wanted.algorithm);
        jsonwebtoken::crypto::verify(self.signature, signed, key, algorithm).unwrap_or(false)
    }
}

fn decode<T: for<'de> Deserialize<'de>>(part: &str) -> Option<T> {
    let octets = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&octets).ok()
}

#[cfg(test)]
mod tests;
