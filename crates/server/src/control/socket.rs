//! The server's end of the socket.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;

use super::answer::{Answer, answer};
use super::protocol::{
    ControlError, ErrorKind, REQUEST_LINE_BYTES_MAX, Request, RequestLine, Response, ResponseLine, VERSION,
};
use super::{ControlTarget, client};

/// Name of the socket in the data folder.
pub(crate) const SOCKET_NAME: &str = "control.sock";

/// Connections at one time; further ones wait.
const CONNECTIONS_MAX: usize = 16;
/// For the next request to come, and for a piece of an answer to be taken.
const PROGRESS_TIMEOUT: Duration = Duration::from_secs(60);

/// A socket that listens, but does not answer yet.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Listens on `control.sock` in the folder `data`, open to its owner alone. A socket that an earlier process
    /// left is replaced: whoever calls this holds the lock of the store.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub fn bind(data: &Path) -> io::Result<Self> {
        let path = data.join(SOCKET_NAME);
        // Made under another name and renamed, so that it is never there with other rights.
        let fresh = data.join("control.sock.new");
        match std::fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let (_folder, reachable) = client::reachable(&fresh)?;
        let listener = UnixListener::bind(reachable)?;
        std::fs::set_permissions(&fresh, std::fs::Permissions::from_mode(0o600))?;
        std::fs::rename(&fresh, &path)?;
        Ok(Self { listener, path })
    }

    /// Answers requests until `shutdown` is ready, and removes the socket. Requests that are being answered
    /// then are dropped with their connection.
    pub async fn serve(self, target: Arc<dyn ControlTarget>, shutdown: impl Future<Output = ()>) {
        let connections = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        let mut tasks = tokio::task::JoinSet::new();
        tokio::pin!(shutdown);
        loop {
            while tasks.try_join_next().is_some() {}
            let next = async {
                let permit = Arc::clone(&connections).acquire_owned().await;
                (permit, self.listener.accept().await)
            };
            let accepted = tokio::select! {
                biased;
                () = &mut shutdown => break,
                accepted = next => accepted,
            };
            match accepted {
                (Ok(permit), Ok((stream, _))) => {
                    let target = Arc::clone(&target);
                    tasks.spawn(async move {
                        if let Err(error) = converse(stream, target.as_ref()).await {
                            tracing::debug!(%error, "a control connection ended");
                        }
                        drop(permit);
                    });
                }
                (_, Err(error)) => {
                    // Out of file descriptors, mostly: it passes, and until then nothing is gained by haste.
                    tracing::warn!(%error, "the control socket cannot accept");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                (Err(_), _) => break,
            }
        }
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A control socket that answers, until it is stopped.
#[derive(Debug)]
pub struct Server {
    task: tokio::task::JoinHandle<()>,
    stop: tokio::sync::oneshot::Sender<()>,
}

impl Server {
    /// Binds the socket of the folder `data` and answers in a task of the current runtime.
    ///
    /// # Errors
    /// Where the socket cannot be made.
    pub fn start(data: &Path, target: Arc<dyn ControlTarget>) -> io::Result<Self> {
        let socket = ControlSocket::bind(data)?;
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        // Dropped without a word means the same as told.
        let shutdown = async { drop(stopped.await) };
        Ok(Self { task: tokio::spawn(socket.serve(target, shutdown)), stop })
    }

    /// Stops, and removes the socket.
    pub async fn stop(self) {
        drop(self.stop);
        // A panic in the task has been reported where it happened.
        let _ = self.task.await;
    }
}

async fn converse(stream: UnixStream, target: &dyn ControlTarget) -> io::Result<()> {
    let peer = stream.peer_cred()?.uid();
    let own = rustix::process::geteuid().as_raw();
    if peer != own && peer != 0 {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("user {peer} may not ask")));
    }
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    loop {
        // Not kept from one request to the next: one may have been large, and the client may stay.
        let mut line = Vec::new();
        let limit = REQUEST_LINE_BYTES_MAX as u64;
        let mut bounded = (&mut reader).take(limit);
        let read = bounded.read_until(b'\n', &mut line);
        if tokio::time::timeout(PROGRESS_TIMEOUT, read).await?? == 0 {
            return Ok(());
        }
        if line.pop() != Some(b'\n') {
            let text = format!("a request is one line of at most {limit} octets");
            let error = ControlError::new(ErrorKind::BadRequest, text);
            return send(&mut writer, &ResponseLine::Error(error)).await;
        }
        let answered = match parse(&line) {
            Ok(request) => {
                tracing::debug!(?request, "asked on the control socket");
                answer(target, request).await
            }
            Err(error) => Err(error),
        };
        match answered {
            Ok(Answer::Response(response)) => send(&mut writer, &ResponseLine::Ok(response)).await?,
            Ok(Answer::Content { stream, bytes_max }) => send_content(&mut writer, stream, bytes_max).await?,
            Err(error) => send(&mut writer, &ResponseLine::Error(error)).await?,
        }
    }
}

fn parse(line: &[u8]) -> Result<Request, ControlError> {
    /// Read first: a request of another version may have any form.
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    let bad = |text: String| ControlError::new(ErrorKind::BadRequest, text);
    let not_json = |error: serde_json::Error| bad(format!("not a request: {error}"));
    let Version { version } = serde_json::from_slice(line).map_err(not_json)?;
    if version != VERSION {
        return Err(bad(format!(
            "the server speaks version {VERSION} of the control protocol, not {version}: use the `posta` of the \
             version that runs"
        )));
    }
    serde_json::from_slice::<RequestLine>(line).map(|line| line.request).map_err(not_json)
}

async fn send_content(
    writer: &mut (impl tokio::io::AsyncWrite + Unpin),
    mut stream: Box<dyn store::BodyStream>,
    bytes_max: u64,
) -> io::Result<()> {
    send(writer, &ResponseLine::Ok(Response::Content { size_bytes: stream.size_bytes() })).await?;
    let mut sent = 0;
    while sent < bytes_max {
        let octets = match stream.next().await {
            Ok(octets) if octets.is_empty() => break,
            Ok(octets) => octets,
            Err(error) => return send(writer, &ResponseLine::Error(error.into())).await,
        };
        sent += octets.len() as u64;
        send(writer, &ResponseLine::Ok(Response::Octets(STANDARD.encode(&octets)))).await?;
    }
    send(writer, &ResponseLine::Ok(Response::End)).await
}

async fn send(writer: &mut (impl tokio::io::AsyncWrite + Unpin), response: &ResponseLine) -> io::Result<()> {
    let mut line = serde_json::to_vec(response)?;
    line.push(b'\n');
    tokio::time::timeout(PROGRESS_TIMEOUT, writer.write_all(&line)).await?
}
