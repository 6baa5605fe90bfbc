//! AUTH (RFC 5034 §4): a mechanism that the client chooses, and lines that are no commands until it is at its end.

use super::{Config, Next, State, Step};
use crate::{Command, InitialResponse, Response, Security, sasl};

/// The mechanisms that are offered here.
pub(super) fn offered(config: &Config, security: Security) -> impl Iterator<Item = &str> {
    let mechanisms = match security {
        Security::Clear => &config.mechanisms_clear,
        Security::Tls => &config.mechanisms_tls,
    };
    mechanisms.iter().map(String::as_str).filter(|name| sasl::mechanism(name).is_some())
}

/// Whether AUTH is a command that exists.
pub(super) const fn is_there(config: &Config) -> bool {
    !config.mechanisms_clear.is_empty() || !config.mechanisms_tls.is_empty()
}

/// Handles AUTH. A mechanism that is offered within TLS alone is refused before its first message is looked at,
/// which the client may have sent with it all the same.
pub(super) fn begin(
    mechanism: String,
    initial_response: Option<InitialResponse>,
    config: &Config,
    security: Security,
) -> Next {
    let takes = |security| offered(config, security).any(|name| name.eq_ignore_ascii_case(&mechanism));
    let (is_offered, wants_tls) = (takes(security), security == Security::Clear && takes(Security::Tls));
    if is_offered {
        let initial_response = initial_response.map(InitialResponse::into_octets);
        return Next::Ask(State::SaslDriver, Step::SaslBegin { mechanism, initial_response });
    }
    let response = if wants_tls { Response::EncryptionNeeded } else { Response::MechanismUnknown };
    refuse(response)
}

/// Handles a line that answers a challenge.
pub(super) fn response(line: &[u8]) -> Next {
    if line == b"*" {
        return refuse(Response::SaslCancelled);
    }
    sasl::decoded(line).map_or_else(
        || refuse(Response::NotBase64),
        |octets| Next::Ask(State::SaslDriver, Step::SaslRespond(octets)),
    )
}

/// Whether a command belongs to AUTH, and is unknown where AUTH is.
pub(super) const fn is_auth(command: &Command) -> bool {
    matches!(command, Command::AuthList | Command::Auth { .. })
}

const fn refuse(response: Response) -> Next {
    Next::Refuse(State::Authorization { name: None }, response, String::new())
}
