//! Bearer tokens: OAUTHBEARER (RFC 7628) and XOAUTH2 (as Google documents it).
//!
//! Both send one message with a name and a token. Where the token is no good, the server says why in JSON, as a
//! challenge, the client answers with nothing (XOAUTH2) or with `%x01` (OAUTHBEARER), and only then is refused.
//!
//! Left out on purpose: the keys `host` and `port` are read and not compared. A server goes by several names, and
//! does not know which of them this client looked up (RFC 7628 §3.2 compares what is known).

use crate::exchange::{FIELD_BYTES_MAX, Refusal};
use crate::scram::{ChannelFlag, Gs2, unescape};
use crate::{Secret, prepare};

/// How the message is written, and what follows a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    OAuthBearer,
    XOAuth2,
}

/// What the client said.
#[derive(Debug)]
pub(crate) struct Message {
    /// Whom the client wants to be; empty where it leaves that to the token.
    pub(crate) user: String,
    /// Empty where the client asks for the error alone (RFC 7628 §4.3).
    pub(crate) token: Secret,
}

/// Why a token is refused, and what the client is told about getting a better one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenProblem {
    /// Why.
    pub fault: TokenFault,
    /// A scope that the token should have (RFC 7628 §3.2.2).
    pub scope: Option<String>,
    /// The URL of the OpenID provider's configuration (RFC 7628 §3.2.2).
    pub openid_configuration: Option<String>,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenFault {
    /// Not one of ours, expired, revoked, or for somebody else.
    Invalid,
    /// Good, but not for mail.
    InsufficientScope,
    /// It cannot be checked now.
    Unavailable,
}

impl From<TokenFault> for TokenProblem {
    fn from(fault: TokenFault) -> Self {
        Self { fault, scope: None, openid_configuration: None }
    }
}

impl Form {
    /// Takes the one message apart.
    pub(crate) fn parse(self, octets: &[u8]) -> Result<Message, Refusal> {
        let text = std::str::from_utf8(octets).map_err(|_| Refusal::Malformed)?;
        let message = match self {
            Self::OAuthBearer => oauth_bearer(text),
            Self::XOAuth2 => xoauth2(text),
        };
        let (user, authorization) = message.ok_or(Refusal::Malformed)?;
        let user = prepare::authorization_identity(&user)?;
        Ok(Message { user, token: Secret::new(bearer_token(authorization).ok_or(Refusal::Malformed)?) })
    }

    /// The challenge that says why.
    pub(crate) fn error(self, problem: &TokenProblem) -> Vec<u8> {
        let status = match (self, problem.fault) {
            // The names of the "OAuth Extensions Error Registry" (RFC 6750 §3.1, RFC 6749 §4.1.2.1).
            (Self::OAuthBearer, TokenFault::Invalid) => "invalid_token",
            (Self::OAuthBearer, TokenFault::InsufficientScope) => "insufficient_scope",
            (Self::OAuthBearer, TokenFault::Unavailable) => "temporarily_unavailable",
            // Those of HTTP.
            (Self::XOAuth2, TokenFault::Invalid) => "401",
            (Self::XOAuth2, TokenFault::InsufficientScope) => "403",
            (Self::XOAuth2, TokenFault::Unavailable) => "503",
        };
        let schemes = (self == Self::XOAuth2).then_some("Bearer");
        let members = [
            ("status", Some(status)),
            ("schemes", schemes),
            ("scope", problem.scope.as_deref()),
            ("openid-configuration", problem.openid_configuration.as_deref()),
        ];
        let members: Vec<String> = members
            .into_iter()
            .filter_map(|(name, value)| Some(format!("\"{name}\":\"{}\"", json_escaped(value?))))
            .collect();
        format!("{{{}}}", members.join(",")).into_bytes()
    }
}

impl TokenFault {
    /// What it is to the protocol that carries the exchange.
    pub(crate) const fn refusal(self) -> Refusal {
        match self {
            Self::Invalid | Self::InsufficientScope => Refusal::Credentials,
            Self::Unavailable => Refusal::Unavailable,
        }
    }
}

/// ```text
/// client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep
/// kvpair      = key "=" value kvsep       ; key = 1*(ALPHA), kvsep = %x01
/// value       = *(VCHAR / SP / HTAB / CR / LF )
/// ```
/// The single `kvsep` ends a failed exchange and begins none. There is no form of this mechanism that is bound to
/// TLS, so `p=` cannot be meant.
///
/// Deviation: `user=` is taken for `a=`, since the example of RFC 7628 §4.4 has it.
fn oauth_bearer(text: &str) -> Option<(String, &str)> {
    let gs2 = Gs2::parse(text, &["a=", "user="])?;
    if let ChannelFlag::Bound(_) = gs2.flag {
        return None;
    }
    let user = gs2.authzid.map_or_else(|| Some(String::new()), unescape)?;
    let pairs = gs2.rest.strip_prefix('\u{1}')?.strip_suffix('\u{1}')?;
    Some((user, authorization(pairs)?))
}

/// `"user=" {User} "^Aauth=Bearer " {Access Token} "^A^A"`
fn xoauth2(text: &str) -> Option<(String, &str)> {
    let (user, pairs) = text.strip_prefix("user=")?.split_once('\u{1}')?;
    let is_user = !user.is_empty() && user.len() <= FIELD_BYTES_MAX && !user.contains('\0');
    Some((user.to_owned(), authorization(pairs.strip_suffix('\u{1}')?)?)).filter(|_| is_user)
}

/// The value of `auth`, which must be there once among `*kvpair`.
fn authorization(pairs: &str) -> Option<&str> {
    let mut found = None;
    for pair in pairs.strip_suffix('\u{1}')?.split('\u{1}') {
        let (key, value) = pair.split_once('=')?;
        let is_key = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphabetic());
        let is_value = value.bytes().all(|b| matches!(b, b'!'..=b'~' | b' ' | b'\t' | b'\r' | b'\n'));
        if !is_key || !is_value || (key == "auth" && found.replace(value).is_some()) {
            return None;
        }
    }
    found
}

/// `"Bearer" SP b64token` (RFC 6750 §2.1), the scheme in letters of any case (RFC 7628 §4); nothing for nothing.
fn bearer_token(authorization: &str) -> Option<&str> {
    if authorization.is_empty() {
        return Some("");
    }
    let (scheme, token) = authorization.split_once(' ')?;
    let body = token.trim_end_matches('=');
    let is_token = !body.is_empty()
        && body
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~' | b'+' | b'/'));
    (scheme.eq_ignore_ascii_case("Bearer") && is_token).then_some(token)
}

/// Printable ASCII as it is, quoted where JSON wants it; all else left out, since neither a scope (RFC 6749 §3.3) nor
/// a URL has it.
fn json_escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars().filter(|c| matches!(c, ' '..='~')) {
        if matches!(character, '"' | '\\') {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
