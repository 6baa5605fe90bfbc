//! AUTH and the responses of a SASL exchange (RFC 4954 §4).
//!
//! ```text
//! auth-command     = "AUTH" SP sasl-mech [SP initial-response] CRLF
//! initial-response = base64 / "="
//! continuation     = base64 CRLF ; or "*" CRLF, which cancels
//! sasl-mech        = 1*20mech-char ; RFC 4422 §3.1
//! mech-char        = UPPER-ALPHA / DIGIT / "-" / "_"
//! ```

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::command::CommandError;
use super::verb::Verb;

/// The arguments of AUTH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// In upper case.
    pub mechanism: String,
    /// What the client says first, which may be empty (`=`).
    pub initial_response: Option<SaslData>,
}

/// Octets of a SASL exchange: mostly a secret, so nothing prints them.
#[derive(Clone, PartialEq, Eq)]
pub struct SaslData(Vec<u8>);

/// What came in answer to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Response {
    /// The decoded octets.
    Data(SaslData),
    /// `*`
    Cancel,
    /// Not base64.
    Malformed,
}

/// Octets of the name of a mechanism (RFC 4422 §3.1).
const MECHANISM_BYTES_MAX: usize = 20;

impl SaslData {
    /// The octets.
    #[must_use]
    pub fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl From<&[u8]> for SaslData {
    fn from(octets: &[u8]) -> Self {
        Self(octets.to_vec())
    }
}

impl fmt::Debug for SaslData {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SaslData({} octets)", self.0.len())
    }
}

pub(super) fn auth(argument: Option<&str>) -> Result<Auth, CommandError> {
    const SYNTAX: CommandError = CommandError::Syntax(Verb::Auth.syntax());
    let argument = argument.ok_or(SYNTAX)?;
    let (mechanism, initial_response) =
        argument.split_once(' ').map_or((argument, None), |(mechanism, rest)| (mechanism, Some(rest)));
    if !is_mechanism(mechanism) {
        return Err(SYNTAX);
    }
    let initial_response = match initial_response {
        None => None,
        Some("=") => Some(SaslData(Vec::new())),
        Some(text) if text.contains(' ') => return Err(SYNTAX),
        Some(text) => Some(decode(text.as_bytes()).ok_or(CommandError::Base64)?),
    };
    Ok(Auth { mechanism: mechanism.to_ascii_uppercase(), initial_response })
}

/// Whether this can be the name of a mechanism, in letters of any case.
#[must_use]
pub fn is_mechanism(name: &str) -> bool {
    (1..=MECHANISM_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'))
}

/// Reads the line that answers a challenge.
#[must_use]
pub fn response(line: &[u8]) -> Response {
    match line {
        b"*" => Response::Cancel,
        line => decode(line).map_or(Response::Malformed, Response::Data),
    }
}

/// The text of the 334 that carries a challenge.
#[must_use]
pub fn challenge(octets: &[u8]) -> String {
    STANDARD.encode(octets)
}

/// RFC 4954 §4: no octet outside the alphabet, and no pad but at the end.
fn decode(text: &[u8]) -> Option<SaslData> {
    STANDARD.decode(text).ok().map(SaslData)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auth_is_read_with_and_without_an_initial_response() {
        let read = |argument| {
            let Auth { mechanism, initial_response } = auth(Some(argument)).unwrap();
            (mechanism, initial_response.map(|data| data.octets().to_vec()))
        };
        assert_eq!(
            read("PLAIN dGVzdAB0ZXN0ADEyMzQ="),
            ("PLAIN".to_owned(), Some(b"test\0test\x001234".to_vec()))
        );
        assert_eq!(read("cram-md5"), ("CRAM-MD5".to_owned(), None));
        assert_eq!(read("EXTERNAL ="), ("EXTERNAL".to_owned(), Some(vec![])));
        assert_eq!(read("ABCDEFGHIJ0123456-_9"), ("ABCDEFGHIJ0123456-_9".to_owned(), None));
    }

    #[test]
    fn what_is_no_auth_command_is_refused() {
        for argument in [
            None,
            Some(""),
            Some("ABCDEFGHIJ0123456-_9x"),
            Some("PL@IN"),
            Some("PLAIN a b"),
            Some("PLAIN  ="),
        ] {
            let refused = auth(argument);
            assert!(matches!(refused, Err(CommandError::Syntax(_))), "{argument:?}: {refused:?}");
        }
        // The last: its padding is right, but its last bits are not nought.
        for text in ["=AAA", "AAA=BBB", "AAA", "AA==AAAA", "AA A=", "AAA\t", "AA%=", "A", "==", "AAB=", "ü"]
        {
            assert!(auth(Some(&format!("PLAIN {text}"))).is_err(), "{text}");
            assert_eq!(response(text.as_bytes()), Response::Malformed, "{text}");
        }
        assert_eq!(auth(Some("PLAIN *")), Err(CommandError::Base64));
    }

    #[test]
    fn a_response_may_be_empty_or_cancel() {
        assert_eq!(response(b""), Response::Data(SaslData(vec![])));
        assert_eq!(response(b"*"), Response::Cancel);
        assert_eq!(response(b"="), Response::Malformed);
        assert_eq!(response(b"AAECgP8="), Response::Data(SaslData(vec![0, 1, 2, 128, 255])));
        assert_eq!(challenge(&[0, 1, 2, 128, 255]), "AAECgP8=");
    }

    #[test]
    fn no_secret_is_printed() {
        let Ok(auth) = auth(Some("PLAIN dGVzdAB0ZXN0ADEyMzQ=")) else { panic!("not taken") };
        let printed = format!("{auth:?} {:?}", response(b"dGVzdAB0ZXN0ADEyMzQ="));
        assert!(
            !printed.contains("1234") && !printed.contains("dGVz") && !printed.contains("49, 50"),
            "{printed}"
        );
    }
}
