//! One connection to a host that takes mail.

use std::net::SocketAddr;
use std::path::PathBuf;

use types::Domain;

/// Where a connection leads.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Target {
    /// A host in the network.
    Tcp {
        /// Its address.
        address: SocketAddr,
        /// Its name; none for an address literal.
        name: Option<Domain>,
    },
    /// A socket of this machine.
    Unix(PathBuf),
}
