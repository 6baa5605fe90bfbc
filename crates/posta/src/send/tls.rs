//! `--tls` and `--ca`: whether a connection is encrypted, and whom it has to be with.

use std::path::Path;

use clap::ValueEnum;
use net::tls::{Connector, Roots, TlsError, Verification, describe};
use rustls::ClientConnection;
use smtp::client::{Certificate, TlsPolicy};

use super::SendArgs;
use super::channel::Secured;

/// `--tls`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TlsArg {
    /// In clear text
    None,
    /// STARTTLS where the server offers it, with whatever certificate
    Offered,
    /// STARTTLS, and a certificate of the server's name
    Required,
    /// From the first octet, as on port 465, and a certificate of the server's name
    Implicit,
}

pub(crate) use TlsArg as TlsChoice;

/// What was chosen, and what it takes.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) choice: TlsChoice,
    /// None for clear text.
    connector: Option<Connector>,
}

impl Tls {
    pub(crate) fn new(args: &SendArgs) -> Result<Self, TlsError> {
        let by_default = if args.user.is_some() { TlsChoice::Offered } else { TlsChoice::None };
        Self::choose(args.tls.unwrap_or(by_default), args.ca.as_deref())
    }

    /// As chosen, with those of the file, or of this machine, who vouch for servers.
    pub(crate) fn choose(choice: TlsChoice, ca: Option<&Path>) -> Result<Self, TlsError> {
        let roots = ca.map_or(Roots::System, |file| Roots::File(file.to_owned()));
        let connector = match choice {
            TlsChoice::None => None,
            TlsChoice::Offered => Some(Connector::new(&roots, Verification::Tried)?),
            TlsChoice::Required | TlsChoice::Implicit => {
                Some(Connector::new(&roots, Verification::Required)?)
            }
        };
        Ok(Self { choice, connector })
    }

    /// What it is to the machine.
    pub(crate) const fn policy(&self) -> TlsPolicy {
        match self.choice {
            TlsChoice::None => TlsPolicy::None,
            TlsChoice::Offered => TlsPolicy::Opportunistic,
            TlsChoice::Required | TlsChoice::Implicit => TlsPolicy::Required,
        }
    }

    pub(crate) fn connect(&self, name: &str) -> Result<ClientConnection, TlsError> {
        let none = || TlsError::Provider("it was not asked for".to_owned());
        self.connector.as_ref().ok_or_else(none)?.connect(name)
    }

    /// Whether the certificate that the server showed is one of this name.
    ///
    /// # Errors
    /// Why it is not.
    pub(crate) fn verify(&self, connection: &ClientConnection, name: &str) -> Result<(), TlsError> {
        let none = || TlsError::Provider("it was not asked for".to_owned());
        self.connector.as_ref().ok_or_else(none)?.verify(connection, name)
    }

    /// What a connection is worth whose handshake is done.
    pub(crate) fn judge(&self, connection: &ClientConnection, name: &str) -> Secured {
        let agreed = describe(connection).map_or_else(
            || "TLS".to_owned(),
            |agreed| format!("{} with {}", agreed.version, agreed.cipher_suite),
        );
        let verified = self.connector.as_ref().map(|connector| connector.verify(connection, name));
        match verified {
            Some(Ok(())) => Secured {
                certificate: Certificate::Verified,
                told: format!("{agreed}; the certificate is that of {name}"),
            },
            Some(Err(error)) => Secured {
                certificate: Certificate::Unverified,
                told: format!("{agreed}; the certificate does not show that this is {name}: {error}"),
            },
            None => Secured { certificate: Certificate::Unverified, told: agreed },
        }
    }
}
