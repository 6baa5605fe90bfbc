//! Octets in and out of one connection, with bounded buffers and waits.

use std::io;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

/// A socket with what was read of it and not consumed yet.
pub(crate) struct Connection {
    socket: TcpStream,
    buffer: Vec<u8>,
    start: usize,
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
/// A reader that takes no replies for that long is let go.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// After the last reply, this much is still read and dropped, lest unread octets reset the connection before the
/// peer has read the reply.
const LINGER_BYTES_MAX: usize = 1024 * 1024;
const LINGER_TIMEOUT: Duration = Duration::from_secs(2);

impl Connection {
    pub(crate) const fn new(socket: TcpStream) -> Self {
        Self { socket, buffer: Vec::new(), start: 0 }
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

    /// Waits for more octets. An idle connection holds no buffer while it waits.
    pub(crate) async fn receive(
        &mut self,
        capacity: usize,
        wait: Duration,
        stopping: Option<&mut watch::Receiver<bool>>,
    ) -> Arrival {
        if self.buffer.is_empty() {
            // Most often the next octets are there already: only a real wait gives the buffer back.
            match self.try_read(capacity) {
                Some(arrival) => return arrival,
                None => self.buffer = Vec::new(),
            }
        }
        let readable = async {
            loop {
                if self.socket.readable().await.is_err() {
                    return Arrival::End;
                }
                if let Some(arrival) = self.try_read(capacity) {
                    return arrival;
                }
            }
        };
        let stop = async {
            if let Some(stopping) = stopping
                && stopping.wait_for(|stopping| *stopping).await.is_ok()
            {
                return;
            }
            std::future::pending().await
        };
        tokio::select! {
            biased;
            arrival = timeout(wait, readable) => arrival.unwrap_or(Arrival::TimedOut),
            () = stop => Arrival::Stopping,
        }
    }

    /// Reads without waiting; nothing where there is nothing to read yet.
    fn try_read(&mut self, capacity: usize) -> Option<Arrival> {
        self.buffer.drain(..self.start);
        self.start = 0;
        let room = capacity.saturating_sub(self.buffer.len()).max(COMMAND_BUFFER_BYTES);
        self.buffer.reserve(room);
        match self.socket.try_read_buf(&mut self.buffer) {
            Ok(0) => Some(Arrival::End),
            Ok(_) => Some(Arrival::Octets),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(_) => Some(Arrival::End),
        }
    }

    /// Sends all of `output` and empties it.
    pub(crate) async fn send(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        let written = timeout(WRITE_TIMEOUT, self.socket.write_all(output)).await;
        output.clear();
        written.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    /// Closes our side, and where the peer has more to say, lets it say some of it.
    pub(crate) async fn close(mut self) {
        if self.socket.shutdown().await.is_err() || self.input().is_empty() && self.peer_is_done() {
            return;
        }
        let drain = async {
            let mut dropped = 0;
            while dropped < LINGER_BYTES_MAX && self.socket.readable().await.is_ok() {
                self.buffer.clear();
                self.start = 0;
                match self.try_read(COMMAND_BUFFER_BYTES) {
                    Some(Arrival::Octets) => dropped += self.buffer.len(),
                    Some(_) => break,
                    None => {}
                }
            }
        };
        let _ = timeout(LINGER_TIMEOUT, drain).await;
    }

    /// Whether nothing waits to be read: then a close resets nothing.
    fn peer_is_done(&mut self) -> bool {
        !matches!(self.try_read(COMMAND_BUFFER_BYTES), Some(Arrival::Octets))
    }
}
