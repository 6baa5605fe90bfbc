//! The asking end: over the socket where a node runs, within the process where none does. It blocks, since the
//! command line has nothing else to do meanwhile.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::answer::{Answer, answer};
use super::protocol::{
    ControlError, ErrorKind, REQUEST_LINE_BYTES_MAX, RESPONSE_LINE_BYTES_MAX, Request, RequestLine, Response,
    ResponseLine, VERSION,
};
use super::{ControlTarget, socket};

/// Asks a node or a store.
pub struct Client(Transport);

enum Transport {
    Socket(BufReader<UnixStream>),
    InProcess { runtime: tokio::runtime::Runtime, target: Arc<dyn ControlTarget> },
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The other side said so.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// The connection failed.
    #[error("the connection to the server failed: {0}")]
    Connection(#[from] io::Error),
    /// What came is no answer to the request.
    #[error("the server answered something that this version does not understand; is it of another version?")]
    Unexpected,
    /// The content could not be handed on.
    #[error("cannot write: {0}")]
    Output(io::Error),
}

impl Client {
    /// Connects to the node that runs on the folder `data`; `None` where none does.
    ///
    /// # Errors
    /// Where there is a socket that cannot be used, for example because it is another user's.
    pub fn connect(data: &Path) -> io::Result<Option<Self>> {
        let (_folder, reachable) = match reachable(&data.join(socket::SOCKET_NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            reachable => reachable?,
        };
        match UnixStream::connect(reachable) {
            Ok(stream) => Ok(Some(Self(Transport::Socket(BufReader::new(stream))))),
            // Nobody listens on what a crash left.
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) =>
            {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks `target` within this process, on `runtime`.
    #[must_use]
    pub fn in_process(runtime: tokio::runtime::Runtime, target: Arc<dyn ControlTarget>) -> Self {
        Self(Transport::InProcess { runtime, target })
    }

    /// Asks something that is answered with one response.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn ask(&mut self, request: Request) -> Result<Response, ClientError> {
        match &mut self.0 {
            Transport::Socket(stream) => {
                write_request(stream, request)?;
                read_response(stream)
            }
            Transport::InProcess { runtime, target } => {
                match runtime.block_on(answer(target.as_ref(), request))? {
                    Answer::Response(response) => Ok(response),
                    Answer::Content { .. } => Err(ClientError::Unexpected),
                }
            }
        }
    }

    /// Asks for the content of a message ([`Request::Open`]) and hands it to `take` piece by piece. Returns the
    /// octets of the whole message.
    ///
    /// # Errors
    /// [`ClientError`].
    pub fn read(
        &mut self,
        request: Request,
        mut take: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> Result<u64, ClientError> {
        match &mut self.0 {
            Transport::Socket(stream) => read_remote(stream, request, take),
            Transport::InProcess { runtime, target } => runtime.block_on(async {
                let Answer::Content { mut stream, bytes_max } = answer(target.as_ref(), request).await?
                else {
                    return Err(ClientError::Unexpected);
                };
                let mut taken = 0;
                while taken < bytes_max {
                    let octets = stream.next().await.map_err(ControlError::from)?;
                    if octets.is_empty() {
                        break;
                    }
                    taken += octets.len() as u64;
                    take(&octets).map_err(ClientError::Output)?;
                }
                Ok(stream.size_bytes())
            }),
        }
    }
}

fn read_remote(
    stream: &mut BufReader<UnixStream>,
    request: Request,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<u64, ClientError> {
    write_request(stream, request)?;
    let Response::Content { size_bytes } = read_response(stream)? else {
        return Err(ClientError::Unexpected);
    };
    loop {
        match read_response(stream)? {
            Response::Octets(text) => {
                let octets = STANDARD.decode(text).map_err(|_| ClientError::Unexpected)?;
                take(&octets).map_err(ClientError::Output)?;
            }
            Response::End => return Ok(size_bytes),
            _ => return Err(ClientError::Unexpected),
        }
    }
}

fn write_request(stream: &mut BufReader<UnixStream>, request: Request) -> Result<(), ClientError> {
    let mut line = serde_json::to_vec(&RequestLine { version: VERSION, request }).map_err(io::Error::from)?;
    line.push(b'\n');
    if line.len() > REQUEST_LINE_BYTES_MAX {
        let text = format!("a request has at most {REQUEST_LINE_BYTES_MAX} octets; ask for less at once");
        return Err(ControlError::new(ErrorKind::BadValue, text).into());
    }
    stream.get_mut().write_all(&line)?;
    Ok(())
}

fn read_response(stream: &mut BufReader<UnixStream>) -> Result<Response, ClientError> {
    let mut line = Vec::new();
    stream.take(RESPONSE_LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        let text = "the server ended the connection";
        return Err(ControlError { kind: ErrorKind::Unavailable, text: text.to_owned() }.into());
    }
    match serde_json::from_slice(&line) {
        Ok(ResponseLine::Ok(response)) => Ok(response),
        Ok(ResponseLine::Error(error)) => Err(error.into()),
        Err(_) => Err(ClientError::Unexpected),
    }
}

/// A name for the socket `path` that the system takes. Names of sockets have 107 octets at most; behind an open
/// folder (which is to be kept open meanwhile) any path is short.
pub(crate) fn reachable(path: &Path) -> io::Result<(Option<File>, PathBuf)> {
    const SOCKET_PATH_BYTES_MAX: usize = 107;
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok((None, path.to_owned()));
    };
    if path.as_os_str().len() <= SOCKET_PATH_BYTES_MAX {
        return Ok((None, path.to_owned()));
    }
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    Ok((Some(folder), short))
}
