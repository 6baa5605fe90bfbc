//! The octets of a connection, in clear text or within TLS.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::delivery::world::Stream;

/// A connection.
pub(super) enum Channel {
    Clear(Box<dyn Stream>),
    Tls(Box<TlsStream<Box<dyn Stream>>>),
    /// A handshake failed.
    Gone,
}

/// Octets of one read. Replies are short.
const READ_BYTES: usize = 4 * 1024;

impl Channel {
    /// Does the handshake, and is lost where it fails.
    pub(super) async fn secure(
        &mut self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
    ) -> io::Result<()> {
        let Self::Clear(stream) = std::mem::replace(self, Self::Gone) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let stream = TlsConnector::from(config).connect(name, stream).await?;
        *self = Self::Tls(Box::new(stream));
        Ok(())
    }

    /// The TLS connection, once there is one.
    pub(super) fn tls(&self) -> Option<&rustls::ClientConnection> {
        match self {
            Self::Tls(stream) => Some(stream.get_ref().1),
            Self::Clear(_) | Self::Gone => None,
        }
    }

    pub(super) fn poll_write(&mut self, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::Gone => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }

    /// Reads once and gives what came to `take`; nothing at the end of the stream.
    pub(super) fn poll_read(
        &mut self,
        context: &mut Context<'_>,
        take: impl FnOnce(&[u8]),
    ) -> Poll<io::Result<()>> {
        let mut octets = [MaybeUninit::uninit(); READ_BYTES];
        let mut buffer = ReadBuf::uninit(&mut octets);
        match self {
            Self::Clear(stream) => ready!(Pin::new(stream).poll_read(context, &mut buffer))?,
            Self::Tls(stream) => ready!(Pin::new(stream).poll_read(context, &mut buffer))?,
            Self::Gone => {}
        }
        take(buffer.filled());
        Poll::Ready(Ok(()))
    }

    /// Ends our side. Within TLS the server is told, so that it does not take what it has heard for cut off (RFC 8446
    /// §6.1).
    pub(super) async fn close(&mut self) -> io::Result<()> {
        poll_fn(|context| match self {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Gone => Poll::Ready(Ok(())),
        })
        .await
    }
}
