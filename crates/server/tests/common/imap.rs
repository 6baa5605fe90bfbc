#![allow(dead_code, reason = "each test program uses a part of this")]
//! A client of IMAP for tests: commands, and all lines that answer them, literals put into their lines.

use std::net::SocketAddr;

use tokio::io::{
    AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufReader,
};
use tokio::net::TcpStream;

/// Speaks IMAP on a stream.
pub(crate) struct Imap<S = TcpStream> {
    stream: BufReader<S>,
    commands: u32,
}

/// What came of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Untagged lines, without their end. A literal stands in its line as it came.
    pub(crate) lines: Vec<String>,
    /// The tagged one, without the tag.
    pub(crate) end: String,
}

impl Answer {
    /// The untagged line that has this in it.
    pub(crate) fn line(&self, part: &str) -> &str {
        let found = self.lines.iter().find(|line| line.contains(part));
        found.unwrap_or_else(|| panic!("no {part:?} in {self:?}"))
    }

    pub(crate) fn has(&self, part: &str) -> bool {
        self.lines.iter().any(|line| line.contains(part))
    }

    /// Lines that have this in them.
    pub(crate) fn count(&self, part: &str) -> usize {
        self.lines.iter().filter(|line| line.contains(part)).count()
    }
}

impl Imap {
    /// Connects and reads the greeting.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        // What is sent must have arrived when a paused clock jumps.
        socket.set_nodelay(true).unwrap();
        let mut imap = Self::over(socket);
        imap.untagged("* OK [CAPABILITY ").await;
        imap
    }

    /// Logged in as `dev@localhost`.
    pub(crate) async fn login(address: SocketAddr) -> Self {
        Self::login_as(address, "dev@localhost", "secret").await
    }

    pub(crate) async fn login_as(address: SocketAddr, name: &str, password: &str) -> Self {
        let mut imap = Self::connect(address).await;
        imap.ok(&format!("LOGIN {name} {password}")).await;
        imap
    }

    /// Logged in, with INBOX selected.
    pub(crate) async fn inbox(address: SocketAddr) -> Self {
        let mut imap = Self::login(address).await;
        imap.ok("SELECT INBOX").await;
        imap
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Imap<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self { stream: BufReader::new(stream), commands: 0 }
    }

    /// The stream, to speak something else on it.
    pub(crate) fn into_inner(self) -> S {
        assert!(self.stream.buffer().is_empty(), "the server said more");
        self.stream.into_inner()
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.stream.write_all(octets).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    /// The next line with the literals in it, without its end; empty at the end of the connection, however that came.
    pub(crate) async fn line(&mut self) -> String {
        String::from_utf8_lossy(&self.octets_of_line().await).into_owned()
    }

    /// The same, whatever octets it holds.
    pub(crate) async fn octets_of_line(&mut self) -> Vec<u8> {
        let mut line = Vec::new();
        loop {
            if !matches!(self.stream.read_until(b'\n', &mut line).await, Ok(1..)) {
                break;
            }
            let text = line.strip_suffix(b"\r\n").expect("lines end in CRLF");
            let Some(size) = literal(text) else { break };
            let had = line.len();
            line.resize(had + size, 0);
            self.stream.read_exact(&mut line[had..]).await.unwrap();
        }
        line.strip_suffix(b"\r\n").unwrap_or(&line).to_vec()
    }

    /// The next line must begin so.
    pub(crate) async fn untagged(&mut self, start: &str) -> String {
        let line = self.line().await;
        assert!(line.starts_with(start), "expected {start:?}, heard {line:?}");
        line
    }

    /// Sends a command, and reads until it is answered.
    pub(crate) async fn run(&mut self, command: &str) -> Answer {
        let tag = self.begin(command).await;
        self.answer(&tag).await
    }

    /// Sends a command; its tag.
    pub(crate) async fn begin(&mut self, command: &str) -> String {
        self.commands += 1;
        let tag = format!("t{}", self.commands);
        self.send(format!("{tag} {command}\r\n").as_bytes()).await;
        tag
    }

    /// Reads until the command is answered.
    pub(crate) async fn answer(&mut self, tag: &str) -> Answer {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            assert!(!line.is_empty(), "the connection ended after {lines:?}");
            match line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) {
                Some(end) => return Answer { lines, end: end.to_owned() },
                None => lines.push(line),
            }
        }
    }

    /// A command that must succeed.
    pub(crate) async fn ok(&mut self, command: &str) -> Answer {
        self.ends(command, "OK").await
    }

    /// A command that must end so.
    pub(crate) async fn ends(&mut self, command: &str, end: &str) -> Answer {
        let answer = self.run(command).await;
        assert!(answer.end.starts_with(end), "{command}: expected {end:?}, heard {answer:?}");
        answer
    }

    /// Puts a message into a mailbox with a literal that waits for nothing.
    pub(crate) async fn append(&mut self, mailbox: &str, what: &str, message: &[u8]) -> Answer {
        self.commands += 1;
        let tag = format!("t{}", self.commands);
        let mut octets = format!("{tag} APPEND {mailbox} {what}{{{}+}}\r\n", message.len()).into_bytes();
        octets.extend_from_slice(message);
        octets.extend_from_slice(b"\r\n");
        self.send(&octets).await;
        self.answer(&tag).await
    }

    /// Begins IDLE; `DONE` ends it.
    pub(crate) async fn idle(&mut self) -> String {
        let tag = self.begin("IDLE").await;
        self.untagged("+ ").await;
        tag
    }

    pub(crate) async fn done(&mut self, tag: &str) -> Answer {
        self.send(b"DONE\r\n").await;
        self.answer(tag).await
    }

    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.line().await, "");
    }
}

/// The size that is announced at the end of a line.
fn literal(line: &[u8]) -> Option<usize> {
    let digits = line.strip_suffix(b"}")?;
    let begin = digits.iter().rposition(|octet| *octet == b'{')?;
    std::str::from_utf8(&digits[begin + 1..]).ok()?.parse().ok()
}
