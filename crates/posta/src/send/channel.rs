//! A connection, in clear text or within TLS.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rustls::{ClientConnection, StreamOwned};
use smtp::client::Certificate;

use super::tls::Tls;

/// A connection, in clear text or within TLS.
pub(crate) enum Channel {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// What came of a handshake.
pub(crate) struct Secured {
    pub(crate) certificate: Certificate,
    /// For people.
    pub(crate) told: String,
}

impl Channel {
    pub(crate) fn tcp(&self) -> &TcpStream {
        match self {
            Self::Clear(tcp) => tcp,
            Self::Tls(stream) => stream.get_ref(),
        }
    }

    /// Begins TLS with the server of this name; gives the connection back with the reason where that fails.
    pub(crate) fn secure(
        self,
        tls: &Tls,
        name: &str,
        timeout: Duration,
    ) -> std::result::Result<(Self, Secured), (Self, String)> {
        let Self::Clear(mut tcp) = self else { return Err((self, "it is on already".to_owned())) };
        let mut connection = match tls.connect(name) {
            Ok(connection) => connection,
            Err(error) => return Err((Self::Clear(tcp), error.to_string())),
        };
        if let Err(error) = handshake(&mut connection, &mut tcp, timeout) {
            return Err((Self::Clear(tcp), error.to_string()));
        }
        let secured = tls.judge(&connection, name);
        Ok((Self::Tls(Box::new(StreamOwned::new(connection, tcp))), secured))
    }
}

/// All of it within `timeout`, however the server drips.
fn handshake(connection: &mut ClientConnection, tcp: &mut TcpStream, timeout: Duration) -> Result<()> {
    let end = Instant::now() + timeout;
    while connection.is_handshaking() || connection.wants_write() {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        if connection.wants_write() {
            tcp.set_write_timeout(Some(left))?;
            connection.write_tls(tcp)?;
            continue;
        }
        tcp.set_read_timeout(Some(left))?;
        if connection.read_tls(tcp)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if let Err(error) = connection.process_new_packets() {
            // The alert tells the server why.
            let _gone_anyway = connection.write_tls(tcp);
            return Err(std::io::Error::other(error));
        }
    }
    Ok(())
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Channel {
    fn write(&mut self, octets: &[u8]) -> Result<usize> {
        match self {
            Self::Clear(tcp) => tcp.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Clear(tcp) => tcp.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
