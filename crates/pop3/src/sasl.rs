//! What AUTH carries (RFC 5034 §4): names of mechanisms, and messages in base64.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Octets of a line with its CRLF that answers a challenge. These lines are not commands, and longer: what SMTP
/// allows there (RFC 4954 §4) serves for the messages of all mechanisms.
pub const SASL_LINE_BYTES_MAX: usize = 12_288;

/// Octets of a mechanism's name (RFC 4422 §3.1).
const MECHANISM_BYTES_MAX: usize = 20;

/// What the client sent with AUTH itself. Its `Debug` hides it: it may hold a password.
#[derive(Clone, PartialEq, Eq)]
pub struct InitialResponse(Vec<u8>);

impl InitialResponse {
    /// `initial-response = base64 / "="`, where `=` is an empty one.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text == "=" { Some(Self(Vec::new())) } else { decoded(text.as_bytes()).map(Self) }
    }

    /// The octets, for the mechanism alone.
    #[must_use]
    pub fn into_octets(self) -> Vec<u8> {
        self.0
    }
}

impl fmt::Debug for InitialResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InitialResponse(…)")
    }
}

/// `sasl-mech = 1*20mech-char`, upper case letters, digits, `-` and `_`; read without regard to case (RFC 5034 §5).
pub(crate) fn mechanism(text: &str) -> Option<String> {
    let is_name = (1..=MECHANISM_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    is_name.then(|| text.to_ascii_uppercase())
}

/// Base64 in its one form: no other characters, and `=` at the end alone, as many as are due (RFC 5034 §4).
pub(crate) fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// `continue-req = "+" SP [base64] CRLF`
pub(crate) fn write_challenge(challenge: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"+ ");
    out.extend_from_slice(STANDARD.encode(challenge).as_bytes());
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_has_one_form() {
        assert_eq!(decoded(b"dGVzdAB0ZXN0AHRlc3Q=").as_deref(), Some(&b"test\0test\0test"[..]));
        assert_eq!(decoded(b"").as_deref(), Some(&b""[..]));
        for text in [
            "=", "=AAA", "AAA=BBB", "AAA", "AA=", "AA", "AB==", "AAA =", " AAAA", "AAAA ", "AA-_", "*",
            "AAAA=",
        ] {
            assert_eq!(decoded(text.as_bytes()), None, "{text:?}");
        }
    }

    #[test]
    fn an_initial_response_of_an_equals_sign_is_empty() {
        assert_eq!(InitialResponse::parse("=").map(InitialResponse::into_octets), Some(Vec::new()));
        assert_eq!(InitialResponse::parse("AA==").map(InitialResponse::into_octets), Some(vec![0]));
        assert_eq!(InitialResponse::parse("=="), None);
    }

    #[test]
    fn names_of_mechanisms_are_those_of_rfc_4422_in_any_case() {
        assert_eq!(mechanism("scram-sha-256-plus").as_deref(), Some("SCRAM-SHA-256-PLUS"));
        assert_eq!(mechanism(&"x".repeat(20)).as_deref(), Some("XXXXXXXXXXXXXXXXXXXX"));
        for text in ["", "A B", "A.B", "PLAIN=", "é", &"x".repeat(21)] {
            assert_eq!(mechanism(text), None, "{text}");
        }
    }
}
