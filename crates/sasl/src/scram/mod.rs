//! SCRAM (RFC 5802, RFC 7677): the client proves that it knows the password, and the server that it knows a
//! verifier of it; neither sends it.
//!
//! A failure is told by the protocol's own refusal, at once. The `server-error` of §7 could go before it, as one
//! more challenge (§5.1 leaves that open), but then whoever tries passwords would learn that one is wrong before it is
//! counted, and could break off there. [`ScramError`] is its value, for the trace.

mod client;
mod message;
mod verifier;

pub use verifier::{
    FAKE_SALT_BYTES, ITERATIONS, ITERATIONS_MIN, SALT_BYTES_MAX, ScramHash, ScramVerifier, VerifierError,
};

pub(crate) use self::client::ScramClient;
pub(crate) use self::message::{ChannelFlag, Gs2, unescape};
use self::message::{ClientFinal, ClientFirst};
use crate::exchange::{ChannelBinding, Identity, Refusal, Setup};
use crate::{Mechanism, prepare, same_octets};

/// Why an exchange failed. Its text is the `server-error-value` of RFC 5802 §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScramError {
    /// Not UTF-8, not of the form that §7 prescribes, or not the nonce that was agreed on.
    #[error("invalid-encoding")]
    InvalidEncoding,
    /// `m=`, which no server understands yet (§5.1).
    #[error("extensions-not-supported")]
    ExtensionsNotSupported,
    /// The password is another one, or there is no such account: what the client sees is the same.
    #[error("invalid-proof")]
    InvalidProof,
    /// The client is bound to another TLS connection than this, or its first message was changed on the way.
    #[error("channel-bindings-dont-match")]
    ChannelBindingsDontMatch,
    /// The client could bind and believes that the server cannot: somebody has changed the list of mechanisms (§6).
    #[error("server-does-support-channel-binding")]
    ServerDoesSupportChannelBinding,
    /// The client binds in a mechanism that does not (§6).
    #[error("channel-binding-not-supported")]
    ChannelBindingNotSupported,
    /// A channel binding that this connection does not have.
    #[error("unsupported-channel-binding-type")]
    UnsupportedChannelBindingType,
    /// The name cannot be prepared with SASLprep, or its escapes are wrong.
    #[error("invalid-username-encoding")]
    InvalidUsernameEncoding,
}

impl ScramError {
    /// What it is to the protocol that carries the exchange.
    pub(crate) const fn refusal(self) -> Refusal {
        match self {
            Self::InvalidEncoding | Self::ExtensionsNotSupported | Self::InvalidUsernameEncoding => {
                Refusal::Malformed
            }
            Self::InvalidProof => Refusal::Credentials,
            Self::ChannelBindingsDontMatch
            | Self::ServerDoesSupportChannelBinding
            | Self::ChannelBindingNotSupported
            | Self::UnsupportedChannelBindingType => Refusal::ChannelBinding,
        }
    }
}

/// An exchange whose first message was taken. The verifier is owed.
pub(crate) struct First {
    pub(crate) identity: Identity,
    /// What the client's `c=` must be, decoded: the GS2 header and the data of the binding.
    channel_input: Vec<u8>,
    client_first_bare: String,
    /// The client's and the server's together.
    nonce: String,
}

/// An exchange whose server-first-message is on its way. The client's proof is owed.
pub(crate) struct Last {
    identity: Identity,
    channel_input: Vec<u8>,
    nonce: String,
    verifier: ScramVerifier,
    is_known: bool,
    /// client-first-message-bare "," server-first-message ","
    auth_message_begin: String,
}

impl First {
    /// Takes the client-first-message. `server_nonce` are printable characters without a comma.
    pub(crate) fn parse(
        octets: &[u8],
        mechanism: Mechanism,
        bindings: &[ChannelBinding],
        server_nonce: &str,
    ) -> Result<Self, ScramError> {
        let message = ClientFirst::parse(octets)?;
        let bound = channel(&message.flag, mechanism, bindings)?;
        let prepared = |text: &str| prepare::name(text).map_err(|_| ScramError::InvalidUsernameEncoding);
        let authzid = message.authzid.as_deref().map_or_else(|| Ok(String::new()), prepared)?;
        Ok(Self {
            identity: Identity { authcid: prepared(&message.username)?, authzid },
            channel_input: [message.gs2_header.as_bytes(), bound].concat(),
            client_first_bare: message.bare.to_owned(),
            nonce: format!("{}{server_nonce}", message.nonce),
        })
    }

    /// Goes on with the account's verifier, or a made-up one; returns the server-first-message.
    pub(crate) fn answer(self, verifier: ScramVerifier, is_known: bool) -> (Last, String) {
        let server_first =
            format!("r={},s={},i={}", self.nonce, verifier.salt_base64(), verifier.iterations());
        let last = Last {
            identity: self.identity,
            channel_input: self.channel_input,
            nonce: self.nonce,
            verifier,
            is_known,
            auth_message_begin: format!("{},{server_first},", self.client_first_bare),
        };
        (last, server_first)
    }
}

impl Last {
    /// Takes the client-final-message; returns the server-final-message.
    pub(crate) fn verify(self, octets: &[u8]) -> Result<(Identity, String), ScramError> {
        let message = ClientFinal::parse(octets)?;
        if !same_octets(message.nonce.as_bytes(), self.nonce.as_bytes()) {
            return Err(ScramError::InvalidEncoding);
        }
        if !same_octets(&message.channel_input, &self.channel_input) {
            return Err(ScramError::ChannelBindingsDontMatch);
        }
        let auth_message = format!("{}{}", self.auth_message_begin, message.without_proof);
        let is_right = self.verifier.accepts(&message.proof, auth_message.as_bytes());
        // Both sides of `&` are looked at, whatever the first says.
        if !(is_right & self.is_known) {
            return Err(ScramError::InvalidProof);
        }
        let signature = self.verifier.server_signature_base64(auth_message.as_bytes());
        Ok((self.identity, format!("v={signature}")))
    }
}

/// The made-up verifier of a name that has none: the same for the same `key` each time.
pub(crate) fn fake_verifier(setup: &Setup, hash: ScramHash, key: &str) -> ScramVerifier {
    ScramVerifier::fake(hash, &setup.fake_salt_key, &key.to_lowercase())
}

/// What the client's message is bound to (§6).
fn channel<'a>(
    flag: &ChannelFlag<'_>,
    mechanism: Mechanism,
    bindings: &'a [ChannelBinding],
) -> Result<&'a [u8], ScramError> {
    match (flag, mechanism.binds_channel()) {
        (ChannelFlag::Bound(name), true) => bindings
            .iter()
            .find(|binding| binding.name == *name)
            .map(|binding| &binding.data[..])
            .ok_or(ScramError::UnsupportedChannelBindingType),
        (ChannelFlag::Bound(_), false) => Err(ScramError::ChannelBindingNotSupported),
        (ChannelFlag::ServerCannot, _) if !bindings.is_empty() => {
            Err(ScramError::ServerDoesSupportChannelBinding)
        }
        (ChannelFlag::ServerCannot | ChannelFlag::ClientCannot, true) => {
            Err(ScramError::ChannelBindingsDontMatch)
        }
        (ChannelFlag::ServerCannot | ChannelFlag::ClientCannot, false) => Ok(b""),
    }
}

#[cfg(test)]
mod tests;
