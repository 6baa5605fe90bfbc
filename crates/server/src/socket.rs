//! Sockets of listeners: TCP, Unix domain sockets in the file system, and what an [`Outside`] has in their place.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream};

use crate::config::{FileMode, ListenAddress, Listener};
use crate::control;
use crate::outside::{Incoming, Outside, Stream};

/// Connections that the system may hold for a listener until they are accepted.
const BACKLOG: u32 = 1024;

/// A connection before anything is spoken on it.
pub(crate) enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
    /// One of an [`Outside`] that is not the machine's.
    Foreign(Box<Foreign>),
}

/// What a listener accepts connections from.
pub(crate) enum ListeningSocket {
    Tcp(TcpListener),
    Unix(UnixSocket),
    Foreign(Box<dyn Incoming>),
}

/// A stream that only tells by being read whether there is something to read.
pub(crate) struct Foreign {
    /// Never locked: only so that sessions, which hold it, can be lent to other threads.
    stream: Mutex<Box<dyn Stream>>,
    /// What was read to find out.
    ahead: Option<u8>,
}

/// A socket in the file system, which is removed with this.
#[derive(Debug)]
pub(crate) struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

impl ListeningSocket {
    pub(crate) fn bind(listener: &Listener) -> io::Result<Self> {
        match &listener.address {
            ListenAddress::Tcp(address) => bind_tcp(*address).map(Self::Tcp),
            ListenAddress::Unix(path) => bind_unix(path, listener.socket_mode).map(Self::Unix),
        }
    }

    /// As [`ListeningSocket::bind`], in another world, where there are no files.
    pub(crate) async fn bind_in(outside: &dyn Outside, listener: &Listener) -> io::Result<Self> {
        match &listener.address {
            ListenAddress::Tcp(address) => outside.listen(*address).await.map(Self::Foreign),
            ListenAddress::Unix(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// The next connection and who is at its other end. On a Unix domain socket that is this machine.
    pub(crate) async fn accept(&self) -> io::Result<(Socket, SocketAddr)> {
        match self {
            Self::Tcp(listener) => {
                let (socket, address) = listener.accept().await?;
                let _ = socket.set_nodelay(true);
                Ok((Socket::Tcp(socket), address))
            }
            Self::Unix(unix) => {
                let (socket, _) = unix.listener.accept().await?;
                Ok((Socket::Unix(socket), SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
            }
            Self::Foreign(incoming) => {
                let (stream, address) = incoming.accept().await?;
                Ok((Socket::Foreign(Box::new(Foreign::new(stream))), address))
            }
        }
    }

    /// Where it listens: port 0 of the configuration has become a real one.
    pub(crate) fn address(&self) -> io::Result<ListenAddress> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(ListenAddress::Tcp),
            Self::Unix(unix) => Ok(ListenAddress::Unix(unix.path.clone())),
            Self::Foreign(incoming) => incoming.address().map(ListenAddress::Tcp),
        }
    }
}

/// Listens on an address of this machine.
pub(crate) fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()?
    } else {
        let socket = TcpSocket::new_v6()?;
        // Else `[::]:25` takes 0.0.0.0:25 too, on some systems, and cannot stand beside it.
        rustix::net::sockopt::set_ipv6_v6only(&socket, true)?;
        socket
    };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// A socket that an earlier process left is replaced; one that somebody answers on is not, nor is any other file.
fn bind_unix(path: &Path, mode: FileMode) -> io::Result<UnixSocket> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, "a file that is no socket is there"));
        }
        Ok(_) => {
            let (_folder, reachable) = control::reachable(path)?;
            if std::os::unix::net::UnixStream::connect(reachable).is_ok() {
                return Err(io::ErrorKind::AddrInUse.into());
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    // Made under another name and renamed, so that it is never there with other rights.
    let mut fresh = path.as_os_str().to_owned();
    fresh.push(".new");
    let fresh = PathBuf::from(fresh);
    match std::fs::remove_file(&fresh) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let (_folder, reachable) = control::reachable(&fresh)?;
    let listener = UnixListener::bind(reachable)?;
    let made = std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(mode.0))
        .and_then(|()| std::fs::rename(&fresh, path));
    if made.is_err() {
        let _ = std::fs::remove_file(&fresh);
    }
    made.map(|()| UnixSocket { listener, path: path.to_owned() })
}

impl Socket {
    /// Waits until the peer has said something, or will say nothing more. Nothing is read.
    pub(crate) async fn first_octet(&mut self) -> io::Result<()> {
        match self {
            // A socket may be called readable without being so.
            Self::Tcp(socket) => socket.peek(&mut [0]).await.map(drop),
            Self::Unix(socket) => socket.readable().await,
            Self::Foreign(socket) => socket.look_ahead().await,
        }
    }

    /// Waits until there may be something to read, holding no buffer meanwhile.
    pub(crate) async fn readable(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(socket) => socket.readable().await,
            Self::Unix(socket) => socket.readable().await,
            Self::Foreign(socket) => socket.look_ahead().await,
        }
    }
}

impl Foreign {
    fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream: Mutex::new(stream), ahead: None }
    }

    fn stream(&mut self) -> &mut Box<dyn Stream> {
        self.stream.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until there is something to read, or the end.
    async fn look_ahead(&mut self) -> io::Result<()> {
        if self.ahead.is_none() {
            let mut octet = [0];
            let read = self.stream().read(&mut octet).await?;
            self.ahead = (read > 0).then_some(octet[0]);
        }
        Ok(())
    }

    fn poll_read(&mut self, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        let Some(octet) = self.ahead.take() else {
            return Pin::new(self.stream()).poll_read(context, buffer);
        };
        buffer.put_slice(&[octet]);
        // What goes wrong with the rest is told by the next read.
        let _ = Pin::new(self.stream()).poll_read(context, buffer);
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Unix(socket) => Pin::new(socket).poll_read(context, buffer),
            Self::Foreign(socket) => socket.poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(context, octets),
            Self::Unix(socket) => Pin::new(socket).poll_write(context, octets),
            Self::Foreign(socket) => Pin::new(socket.stream()).poll_write(context, octets),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write_vectored(context, pieces),
            Self::Unix(socket) => Pin::new(socket).poll_write_vectored(context, pieces),
            Self::Foreign(socket) => Pin::new(socket.stream()).poll_write_vectored(context, pieces),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(context),
            Self::Unix(socket) => Pin::new(socket).poll_flush(context),
            Self::Foreign(socket) => Pin::new(socket.stream()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Foreign(socket) => Pin::new(socket.stream()).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_has_its_rights_replaces_what_a_crash_left_and_goes_with_its_listener() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.sock");
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "the system leaves it there");
        let socket = bind_unix(&path, FileMode(0o640)).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(bind_unix(&path, FileMode(0o640)).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(socket);
        assert!(!path.exists());
        std::fs::write(&path, "precious").unwrap();
        assert_eq!(bind_unix(&path, FileMode(0o640)).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
    }

    #[tokio::test]
    async fn what_was_read_to_find_out_whether_there_is_something_is_read_again() {
        use tokio::io::AsyncWriteExt as _;
        let (ours, mut theirs) = tokio::io::duplex(64);
        let mut socket = Socket::Foreign(Box::new(Foreign::new(Box::new(ours))));
        theirs.write_all(b"EHLO").await.unwrap();
        socket.first_octet().await.unwrap();
        socket.readable().await.unwrap();
        let mut octets = Vec::new();
        assert_eq!(socket.read_buf(&mut octets).await.unwrap(), 4, "in one read");
        drop(theirs);
        socket.readable().await.unwrap();
        assert_eq!(socket.read_buf(&mut octets).await.unwrap(), 0);
        assert_eq!(octets, b"EHLO");
    }

    #[tokio::test]
    async fn all_addresses_of_ipv6_and_all_of_ipv4_are_two_listeners_on_one_port() {
        let v6 = bind_tcp("[::]:0".parse().unwrap()).unwrap();
        let port = v6.local_addr().unwrap().port();
        bind_tcp(SocketAddr::from((Ipv4Addr::UNSPECIFIED, port))).unwrap();
    }
}
