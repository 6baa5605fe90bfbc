//! TLS for those who connect to us, and towards those whom we connect to (RFC 3207, RFC 8314, RFC 9325).
//!
//! - [`Certificates`]: certificates from files, chosen by the name that the client asks for, read again while running.
//! - [`server_config`]: what one listener does; session tickets of one listener are of no use at another.
//! - [`channel_bindings`]: what a login can be bound to.
//! - [`Connector`]: TLS towards other servers, with their certificates checked or not.
//! - [`Outbound`]: the same for the hosts that mail goes to, by what a policy asks of each.
//! - [`HandshakeFailure`]: why it did not work.
//! - [`local_ca`]: certificates of dev mode, by an authority of its own that a developer can trust once.

mod certificates;
mod channel_binding;
mod connector;
mod failure;
pub(crate) mod judge;
pub mod local_ca;
mod outbound;

pub use certificates::{CertificateFiles, Certificates, TlsError};
pub use channel_binding::{ChannelBinding, channel_bindings};
pub use connector::{Connector, Roots, Verification};
pub use failure::{HandshakeFailure, HandshakeFault};
pub use outbound::{Observation, Outbound};

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::version::{TLS12, TLS13};
use types::TlsParameters;

/// The oldest version of TLS that is spoken (RFC 8996: never less than 1.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MinimumVersion {
    /// TLS 1.2 (RFC 9325 §3.1.1).
    #[default]
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

/// What one listener offers. Each call makes keys for session tickets of its own, so that a session begun at one
/// listener is not resumed at another.
///
/// # Errors
/// [`TlsError::Provider`] where the cryptography does not work on this machine.
pub fn server_config(
    certificates: Arc<Certificates>,
    minimum: MinimumVersion,
) -> Result<Arc<ServerConfig>, TlsError> {
    let versions: &[_] = match minimum {
        MinimumVersion::Tls12 => &[&TLS13, &TLS12],
        MinimumVersion::Tls13 => &[&TLS13],
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .map_err(|error| TlsError::Provider(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.ticketer = aws_lc_rs::Ticketer::new().map_err(|error| TlsError::Provider(error.to_string()))?;
    Ok(Arc::new(config))
}

/// What the two sides agreed on, once the handshake is done.
#[must_use]
pub fn describe(connection: &rustls::CommonState) -> Option<TlsParameters> {
    let version = match connection.protocol_version()? {
        rustls::ProtocolVersion::TLSv1_3 => "TLS1.3".to_owned(),
        rustls::ProtocolVersion::TLSv1_2 => "TLS1.2".to_owned(),
        other => format!("{other:?}"),
    };
    let suite = format!("{:?}", connection.negotiated_cipher_suite()?.suite());
    // The registry's names (RFC 8446 Appendix B.4) have no version in them.
    Some(TlsParameters { version, cipher_suite: suite.replacen("TLS13_", "TLS_", 1) })
}
