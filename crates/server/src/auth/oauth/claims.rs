//! What a token says (RFC 7519 §4.1).

use serde::Deserialize;
use serde_json::{Map, Value};
use types::Timestamp;

/// All claims of a token.
#[derive(Deserialize)]
#[serde(transparent)]
pub(super) struct Claims(Map<String, Value>);

/// How far the clocks of issuer and server may be apart.
const LEEWAY_S: f64 = 60.0;

impl Claims {
    pub(super) fn is_issued_by(&self, issuer: &str) -> bool {
        self.0.get("iss").and_then(Value::as_str) == Some(issuer)
    }

    /// Times and audience. A token without an end is not good: nobody could take it back.
    pub(super) fn check(&self, now: Timestamp, audience: &str) -> Result<(), &'static str> {
        #[allow(clippy::cast_precision_loss, reason = "seconds are far below 2 to the 53rd")]
        let now_s = now.seconds() as f64;
        // RFC 7519 §2: a number, with a fraction perhaps.
        let expires_at = self.time("exp")?.ok_or("the token has no end")?;
        if expires_at + LEEWAY_S <= now_s {
            return Err("the token has expired");
        }
        if self.time("nbf")?.is_some_and(|not_before| not_before - LEEWAY_S > now_s) {
            return Err("the token is not good yet");
        }
        let is_for_us = match self.0.get("aud") {
            Some(Value::String(one)) => one == audience,
            Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(audience)),
            _ => false,
        };
        if is_for_us { Ok(()) } else { Err("the token is meant for somebody else") }
    }

    /// Whose it is.
    pub(super) fn account(&self, claim: &str) -> Result<String, &'static str> {
        // OpenID Connect Core §5.1: an address that its owner has not proved is anybody's.
        if claim == "email" && !self.0.get("email_verified").is_none_or(is_true) {
            return Err("the token's issuer has not verified the address");
        }
        match self.0.get(claim).and_then(Value::as_str) {
            Some(account) if !account.is_empty() => Ok(account.to_owned()),
            _ => Err("the token does not name an account"),
        }
    }

    fn time(&self, claim: &str) -> Result<Option<f64>, &'static str> {
        match self.0.get(claim) {
            None => Ok(None),
            Some(value) => value.as_f64().map(Some).ok_or("the token has a time that is no number"),
        }
    }
}

/// Some issuers write a word.
fn is_true(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}
