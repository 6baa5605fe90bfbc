//! The seam behind which bearer tokens are checked (RFC 6750, RFC 7628).

use async_trait::async_trait;
use sasl::Secret;
use types::Timestamp;

/// Tells whose a token is.
#[async_trait]
pub(crate) trait TokenVerifier: Send + Sync {
    /// The account that the token was issued for, as its issuer writes it.
    async fn account_of(&self, token: &Secret, now: Timestamp) -> Result<String, TokenError>;
}

/// Why a token tells nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// It is not good: what of it, without a word of it.
    Refused(&'static str),
    /// It may be good; what the check needs cannot be had now.
    Unavailable,
}

/// Where no issuer is configured, no token is good.
pub(crate) struct NoIssuer;

#[async_trait]
impl TokenVerifier for NoIssuer {
    async fn account_of(&self, _token: &Secret, _now: Timestamp) -> Result<String, TokenError> {
        Err(TokenError::Refused("no issuer of tokens is configured"))
    }
}
