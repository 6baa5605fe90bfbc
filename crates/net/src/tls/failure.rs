//! Why a handshake with a server failed, as policies, traces and reports tell it (RFC 8460 §4.3).

use std::io;

use rustls::CertificateError;

use crate::dane::DaneError;

/// Why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct HandshakeFailure {
    /// What is at fault.
    pub kind: HandshakeFault,
    /// In words, for the trace and the operator.
    pub text: String,
}

/// What is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeFault {
    /// The certificate is one of another host.
    CertificateName,
    /// The certificate is too old, or not valid yet.
    CertificateExpired,
    /// Nobody who counts vouches for the certificate.
    CertificateUntrusted,
    /// The other side speaks no TLS that we do, or breaks it.
    Handshake,
    /// The connection.
    Connection,
}

impl HandshakeFault {
    /// Whether the handshake itself would have worked with any certificate.
    #[must_use]
    pub const fn is_certificate(self) -> bool {
        matches!(self, Self::CertificateName | Self::CertificateExpired | Self::CertificateUntrusted)
    }
}

impl From<&rustls::Error> for HandshakeFailure {
    fn from(error: &rustls::Error) -> Self {
        let rustls::Error::InvalidCertificate(problem) = error else {
            return Self { kind: HandshakeFault::Handshake, text: error.to_string() };
        };
        if let CertificateError::Other(other) = problem
            && let Some(dane) = other.0.downcast_ref::<DaneError>()
        {
            return Self { kind: fault_of_dane(dane), text: dane.to_string() };
        }
        let kind = match problem {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => HandshakeFault::CertificateExpired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                HandshakeFault::CertificateName
            }
            _ => HandshakeFault::CertificateUntrusted,
        };
        Self { kind, text: error.to_string() }
    }
}

/// As an asynchronous handshake tells it: errors of TLS are within one of the connection.
impl From<&io::Error> for HandshakeFailure {
    fn from(error: &io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(tls) => tls.into(),
            None => Self { kind: HandshakeFault::Connection, text: error.to_string() },
        }
    }
}

const fn fault_of_dane(error: &DaneError) -> HandshakeFault {
    match error {
        DaneError::Name(_) => HandshakeFault::CertificateName,
        DaneError::Expired => HandshakeFault::CertificateExpired,
        DaneError::NoMatch | DaneError::Chain(_) | DaneError::Malformed | DaneError::TooMany => {
            HandshakeFault::CertificateUntrusted
        }
    }
}
