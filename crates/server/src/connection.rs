//! Octets in and out of one connection, with bounded buffers and waits.

mod compression;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use types::TlsParameters;

use self::compression::Compression;
use crate::listener::ListenerFacts;
use crate::metrics::Metrics;
use crate::shared::{Shared, Stage};
use crate::socket::Socket;
use crate::tls::HandshakePermit;

/// A socket with what was read of it and not consumed yet.
pub(crate) struct Connection {
    stream: Stream,
    buffer: Vec<u8>,
    start: usize,
    compression: Option<Box<Compression>>,
}

enum Stream {
    Clear(Socket),
    Tls(Box<TlsStream<Socket>>),
    /// A handshake failed.
    Gone,
}

/// How a wait for octets ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// There are more octets.
    Octets,
    /// The peer has closed its side, or the connection is broken.
    End,
    /// Nothing came in time.
    TimedOut,
    /// The node stops.
    Stopping,
}

/// Octets for a command line and what may be pipelined behind it.
pub(crate) const COMMAND_BUFFER_BYTES: usize = 4 * 1024;
/// Octets for a message.
pub(crate) const DATA_BUFFER_BYTES: usize = 16 * 1024;
/// Room for replies that a session keeps while it waits.
const OUTPUT_BYTES_KEPT: usize = 4 * 1024;
/// The whole of a TLS handshake must be done by then.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(60);
/// A reader that takes nothing for that long is let go.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Of what is sent at once one has that long, and a second more for so many octets: dripping them out does not put the end off.
const WRITE_BYTES_PER_SECOND_MIN: u64 = 1024;
/// But not more seconds than these: what is sent is in memory until it is taken.
const WRITE_SECONDS_MAX: u64 = 600;
/// Octets that are waited for together. TLS takes more at once, and whether the peer takes any of that is not seen.
const WRITE_BYTES_MAX: usize = 16 * 1024;
/// After the last reply, this much is still read and dropped.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

impl Connection {
    pub(crate) const fn new(socket: Socket) -> Self {
        Self { stream: Stream::Clear(socket), buffer: Vec::new(), start: 0, compression: None }
    }

    /// What was read and not consumed.
    pub(crate) fn input(&self) -> &[u8] {
        &self.buffer[self.start..]
    }

    /// Takes octets from the front of the input.
    pub(crate) fn consume(&mut self, octets: usize) {
        self.start += octets;
        if self.start == self.buffer.len() {
            self.buffer.clear();
            self.start = 0;
        }
    }

    /// TLS from the first octet (RFC 8314 §3). A client that says nothing takes no turn from others.
    pub(crate) async fn begin_with_tls(
        &mut self,
        shared: &Shared,
        facts: &ListenerFacts,
    ) -> io::Result<Option<TlsParameters>> {
        let (Some(tls), Some(config)) = (&shared.tls, &facts.tls_config) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        let turn = async {
            if let Stream::Clear(socket) = &mut self.stream {
                socket.first_octet().await?;
            }
            Ok::<_, io::Error>(tls.in_turn().await)
        };
        let permit = timeout(HANDSHAKE_TIMEOUT, turn).await.unwrap_or_else(|_| {
            shared.metrics.handshake_failed();
            Err(io::ErrorKind::TimedOut.into())
        })?;
        self.start_tls(Arc::clone(config), permit, &shared.metrics).await
    }

    /// Begins TLS. What was read in clear text and not consumed is thrown away: it may have been put there by
    /// somebody else (RFC 3207 §4.2 and §6).
    pub(crate) async fn start_tls(
        &mut self,
        config: Arc<rustls::ServerConfig>,
        permit: Option<HandshakePermit>,
        metrics: &Metrics,
    ) -> io::Result<Option<TlsParameters>> {
        self.buffer = Vec::new();
        self.start = 0;
        let Stream::Clear(socket) = std::mem::replace(&mut self.stream, Stream::Gone) else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let accepted = timeout(HANDSHAKE_TIMEOUT, TlsAcceptor::from(config).accept(socket)).await;
        drop(permit);
        let stream = accepted
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .inspect_err(|_| metrics.handshake_failed())?;
        let connection = stream.get_ref().1;
        let parameters = net::tls::describe(connection);
        metrics.handshake(parameters.as_ref(), connection.handshake_kind());
        self.stream = Stream::Tls(Box::new(stream));
        Ok(parameters)
    }

    /// From here on both ways are compressed, also what was read and not consumed.
    pub(crate) fn start_compression(&mut self) {
        let mut packed = std::mem::take(&mut self.buffer);
        packed.drain(..std::mem::take(&mut self.start));
        self.compression = Some(Box::new(Compression::new(packed)));
    }

    /// The TLS connection, once there is one.
    pub(crate) fn tls(&self) -> Option<&rustls::ServerConnection> {
        match &self.stream {
            Stream::Tls(stream) => Some(stream.get_ref().1),
            Stream::Clear(_) | Stream::Gone => None,
        }
    }

    /// Gives the memory of an empty buffer back: an idle connection holds none.
    pub(crate) fn release_buffer(&mut self) {
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
    }

    /// Waits for more octets, until `deadline` or until the node's stop has come to `last_stage`.
    pub(crate) async fn receive(
        &mut self,
        capacity: usize,
        deadline: Instant,
        mut stage: watch::Receiver<Stage>,
        last_stage: Stage,
    ) -> Arrival {
        let readable = async {
            let has_input = self.compression.as_ref().is_some_and(|compression| compression.has_input());
            if let Stream::Clear(socket) = &mut self.stream
                && !has_input
                && socket.readable().await.is_err()
            {
                return Arrival::End;
            }
            self.read(capacity).await
        };
        tokio::select! {
            biased;
            arrival = timeout_at(deadline, readable) => arrival.unwrap_or(Arrival::TimedOut),
            // A node that is gone without having said so has stopped too.
            _ = stage.wait_for(|stage| *stage >= last_stage) => Arrival::Stopping,
        }
    }

    async fn read(&mut self, capacity: usize) -> Arrival {
        self.buffer.drain(..self.start);
        self.start = 0;
        let room = capacity.saturating_sub(self.buffer.len()).max(COMMAND_BUFFER_BYTES);
        loop {
            let had = self.buffer.len();
            let into = match &mut self.compression {
                None => &mut self.buffer,
                Some(compression) => {
                    if compression.has_input() && compression.inflate(&mut self.buffer).is_err() {
                        return Arrival::End;
                    }
                    if self.buffer.len() > had {
                        return Arrival::Octets;
                    }
                    if compression.has_input() {
                        continue;
                    }
                    &mut compression.packed
                }
            };
            into.reserve(room);
            let read = match &mut self.stream {
                Stream::Clear(socket) => socket.read_buf(into).await,
                Stream::Tls(stream) => stream.read_buf(into).await,
                Stream::Gone => Ok(0),
            };
            match read {
                Ok(0) | Err(_) => return Arrival::End,
                Ok(_) if self.compression.is_none() => return Arrival::Octets,
                Ok(_) => {}
            }
        }
    }

    /// Sends all of `output` and empties it.
    pub(crate) async fn send(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        if let Some(compression) = &mut self.compression {
            *output = compression.deflate(output).map_err(|_| io::ErrorKind::InvalidData)?;
        }
        let written = match &mut self.stream {
            Stream::Clear(socket) => write(socket, output).await,
            Stream::Tls(stream) => write(stream, output).await,
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        };
        output.clear();
        if output.capacity() > OUTPUT_BYTES_KEPT {
            *output = Vec::new();
        }
        written
    }

    /// Waits until the peer has closed its side. What it says meanwhile is kept as far as there is room; nothing is lost where
    /// this is dropped while it waits.
    pub(crate) async fn ended(&mut self) {
        while self.input().len() < COMMAND_BUFFER_BYTES {
            if self.read(COMMAND_BUFFER_BYTES).await != Arrival::Octets {
                return;
            }
        }
        std::future::pending().await
    }

    /// The stream alone. What was read and not consumed is thrown away: it was not said to whoever has the stream now.
    pub(crate) fn into_stream(self) -> Option<Box<dyn crate::outside::Stream>> {
        match self.stream {
            Stream::Clear(socket) => Some(Box::new(socket)),
            Stream::Tls(stream) => Some(stream),
            Stream::Gone => None,
        }
    }

    /// Closes a connection whose peer has nothing more to say. Within TLS it is told the end, so that it does not take
    /// what it has heard for cut off (RFC 8446 §6.1).
    pub(crate) async fn close(mut self) {
        if let Stream::Tls(_) = &self.stream {
            let _ = timeout(LINGER_TIMEOUT, self.shut()).await;
        }
    }

    /// Closes a connection whose peer may have more to say: it may say some of it, lest what is unread resets the
    /// connection before the peer has read our last reply. A node that stops does not wait for it.
    pub(crate) async fn close_and_drain(mut self, mut stage: watch::Receiver<Stage>) {
        let close = async {
            if self.shut().await.is_err() {
                return;
            }
            let mut dropped = 0;
            while dropped < LINGER_BYTES_MAX {
                self.buffer.clear();
                self.start = 0;
                if self.read(COMMAND_BUFFER_BYTES).await != Arrival::Octets {
                    break;
                }
                dropped += self.buffer.len();
            }
        };
        tokio::select! {
            biased;
            _ = timeout(LINGER_TIMEOUT, close) => {}
            _ = stage.wait_for(|stage| *stage > Stage::Serving) => {}
        }
    }

    /// Ends our side. A peer that reads nothing can hold this up.
    async fn shut(&mut self) -> io::Result<()> {
        match &mut self.stream {
            Stream::Clear(socket) => socket.shutdown().await,
            Stream::Tls(stream) => stream.shutdown().await,
            Stream::Gone => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

/// Writes all octets to a peer that takes them fast enough: [`WRITE_BYTES_MAX`] within each [`WRITE_TIMEOUT`], where TLS holds
/// them, or else some; and all of them as fast as [`WRITE_BYTES_PER_SECOND_MIN`], in [`WRITE_SECONDS_MAX`] at most.
async fn write<S: AsyncWrite + Unpin>(stream: &mut S, octets: &[u8]) -> io::Result<()> {
    let seconds = (octets.len() as u64 / WRITE_BYTES_PER_SECOND_MIN).min(WRITE_SECONDS_MAX);
    let last = Instant::now() + WRITE_TIMEOUT + Duration::from_secs(seconds);
    for mut rest in octets.chunks(WRITE_BYTES_MAX) {
        while !rest.is_empty() {
            let written = timeout_at(last.min(Instant::now() + WRITE_TIMEOUT), stream.write(rest)).await??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            rest = &rest[written..];
        }
        timeout_at(last.min(Instant::now() + WRITE_TIMEOUT), stream.flush()).await??;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How long it takes to send so many octets to who takes some every 50 seconds; none where it is cut off.
    async fn sent_in(octets: usize, taken: usize) -> Option<Duration> {
        let (ours, mut theirs) = tokio::io::duplex(1024);
        // As TLS does, it takes octets that it does not send before it is flushed.
        let mut ours = tokio::io::BufWriter::with_capacity(64 * 1024, ours);
        let reader = tokio::spawn(async move {
            let mut buffer = vec![0; taken];
            loop {
                tokio::time::sleep(Duration::from_secs(50)).await;
                if theirs.read_exact(&mut buffer).await.is_err() {
                    return;
                }
            }
        });
        let began = Instant::now();
        let sent = write(&mut ours, &vec![b'x'; octets]).await;
        let lasted = began.elapsed();
        reader.abort();
        match sent {
            Ok(()) => Some(lasted),
            Err(why) => {
                assert_eq!(why.kind(), io::ErrorKind::TimedOut);
                None
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_octets_slowly_is_not_cut_off_and_who_drips_them_is() {
        let lasted = sent_in(1024 * 1024, 100 * 1024).await;
        assert!(lasted.is_some_and(|lasted| lasted > WRITE_TIMEOUT * 2), "{lasted:?}");
        assert_eq!(sent_in(1024 * 1024, 1024).await, None, "an octet now and then is no progress");
        assert_eq!(sent_in(1, 1).await, Some(Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn what_tls_holds_is_taken_piece_by_piece() {
        let lasted = sent_in(60 * 1024, 40 * 1024).await;
        assert!(lasted.is_some_and(|lasted| lasted > WRITE_TIMEOUT), "{lasted:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_large_answer_is_not_held_for_hours() {
        assert_eq!(sent_in(10 * 1024 * 1024, 100 * 1024).await, None);
    }
}
