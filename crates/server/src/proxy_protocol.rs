//! Reads the header of the PROXY protocol in front of a connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use net::proxy::{Header, Parsed, ProxyError, parse};
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::shared::Stage;
use crate::socket::Socket;

/// A proxy knows what it has to say when it connects; the specification asks for no less than 3 s.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Why nothing is known of the client.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("{0}")]
    Header(#[from] ProxyError),
    #[error("the connection broke within the header of the PROXY protocol: {0}")]
    Socket(#[from] io::Error),
    #[error("no header of the PROXY protocol came within {} s", HEADER_TIMEOUT.as_secs())]
    TimedOut,
    #[error("the node stops")]
    Stopping,
}

/// The client that a proxy speaks for; nothing where it speaks for itself or does not know. Not an octet behind the
/// header is read: what follows may be TLS.
pub(crate) async fn receive(
    socket: &mut Socket,
    mut stage: watch::Receiver<Stage>,
) -> Result<Option<SocketAddr>, HeaderError> {
    let read = async {
        let mut octets = Vec::new();
        loop {
            let more = match parse(&octets)? {
                Parsed::Header(Header::Client { source, .. }) => return Ok(Some(source)),
                Parsed::Header(Header::Unknown) => return Ok(None),
                Parsed::NeedsMore(more) => more,
            };
            let begun = octets.len();
            octets.resize(begun + more, 0);
            socket.read_exact(&mut octets[begun..]).await?;
        }
    };
    tokio::select! {
        biased;
        read = timeout(HEADER_TIMEOUT, read) => read.unwrap_or(Err(HeaderError::TimedOut)),
        _ = stage.wait_for(|stage| *stage > Stage::Serving) => Err(HeaderError::Stopping),
    }
}
