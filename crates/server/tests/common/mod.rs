#![allow(dead_code, reason = "each test program uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]
//! A node on free ports of loopback, and a client that speaks line by line.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use server::config::{Config, DevOptions, Log, PortOffset};
use server::{Node, passwords};
use store::embedded::disk::{Disk, RealDisk};
use store::{Credentials, Directory as _, Mailboxes as _, NewAccount};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use types::Timestamp;

/// A node with the account `dev@localhost` and the password `secret`.
pub(crate) struct TestNode {
    pub(crate) smtp: SocketAddr,
    pub(crate) imap: SocketAddr,
    pub(crate) imaps: SocketAddr,
    pub(crate) pop3: SocketAddr,
    pub(crate) pop3s: SocketAddr,
    pub(crate) submission: SocketAddr,
    pub(crate) submissions: SocketAddr,
    pub(crate) http: SocketAddr,
    pub(crate) odmr: SocketAddr,
    store: Arc<store::embedded::Embedded>,
    stop: oneshot::Sender<()>,
    running: tokio::task::JoinHandle<Result<(), server::NodeError>>,
    data: tempfile::TempDir,
}

impl TestNode {
    pub(crate) async fn start(change: impl FnOnce(&mut Config)) -> Self {
        Self::start_with(change, RealDisk).await
    }

    /// On a disk that may fail.
    pub(crate) async fn start_on(disk: impl Disk + 'static) -> Self {
        Self::start_with(|_| {}, disk).await
    }

    pub(crate) async fn start_with(change: impl FnOnce(&mut Config), disk: impl Disk + 'static) -> Self {
        let data = tempfile::tempdir().unwrap();
        Self::start_in(data, change, disk).await
    }

    /// With what an earlier node left in the folder.
    async fn start_in(
        data: tempfile::TempDir,
        change: impl FnOnce(&mut Config),
        disk: impl Disk + 'static,
    ) -> Self {
        let mut config = Config::dev(DevOptions {
            data: data.path().to_path_buf(),
            port_offset: PortOffset::Auto,
            relay: None,
            log: Log::default(),
        });
        config.store.min_free_bytes = server::config::ByteSize(0);
        change(&mut config);
        let node = Node::start_on(Arc::new(config), Arc::new(disk)).await.unwrap();
        if node.store().account("dev@localhost").await.unwrap().is_none() {
            let argon2id = passwords::hash("secret").unwrap();
            let account = NewAccount {
                credentials: Credentials { argon2id, ..Credentials::default() },
                ..NewAccount::new("dev@localhost", Timestamp::from_millis(1_795_322_124_250))
            };
            node.store().create_account(account).await.unwrap();
        }
        let address = |service: &str| {
            let listener = node.listeners().iter().find(|(name, _)| name == service);
            let none = SocketAddr::from(([127, 0, 0, 1], 0));
            listener.and_then(|(_, address)| address.tcp()).unwrap_or(none)
        };
        let (stop, stopped) = oneshot::channel();
        let (smtp, pop3, pop3s) = (address("smtp"), address("pop3"), address("pop3s"));
        let (imap, imaps) = (address("imap"), address("imaps"));
        let (submission, submissions, http, odmr) =
            (address("submission"), address("submissions"), address("http"), address("odmr"));
        let store = Arc::clone(node.store());
        let running = tokio::spawn(node.run_until(async { drop(stopped.await) }));
        Self {
            smtp,
            imap,
            imaps,
            pop3,
            pop3s,
            submission,
            submissions,
            http,
            odmr,
            store,
            stop,
            running,
            data,
        }
    }

    /// The data folder.
    pub(crate) fn data(&self) -> &Path {
        self.data.path()
    }

    /// Waits for a node that stops without being told to.
    pub(crate) async fn stopped_by_itself(self) -> Result<(), server::NodeError> {
        self.running.await.unwrap()
    }

    /// Stops the node and waits until it has.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.running.await.unwrap().unwrap();
    }

    /// Stops the node, and starts another one in its folder.
    pub(crate) async fn restart(self, change: impl FnOnce(&mut Config)) -> Self {
        drop(self.stop);
        self.running.await.unwrap().unwrap();
        drop(self.store);
        Self::start_in(self.data, change, RealDisk).await
    }

    /// What the node keeps.
    pub(crate) fn store(&self) -> &store::embedded::Embedded {
        &self.store
    }

    /// Makes another account.
    pub(crate) async fn add(&self, name: &str, credentials: Credentials) {
        let at = Timestamp::from_millis(1_795_322_124_250);
        self.store.create_account(NewAccount { credentials, ..NewAccount::new(name, at) }).await.unwrap();
    }

    /// How many messages are stored.
    pub(crate) async fn messages(&self) -> u64 {
        let account = self.store.account("dev@localhost").await.unwrap().unwrap();
        self.store.mailboxes(account.id).await.unwrap()[0].messages
    }

    /// Sends a message (already with transparency) and returns the reply to its end.
    pub(crate) async fn deliver(&self, message: &[u8]) -> String {
        let mut client = Client::connect(self.smtp).await;
        client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n").await;
        for code in ["220 ", "250 HELP", "250 ", "250 ", "354 "] {
            client.expect(code).await;
        }
        client.send(message).await;
        client.send(b".\r\n").await;
        client.line().await
    }

    /// What the trace tells of the newest connections, in the order of time.
    pub(crate) async fn trace(&self) -> Vec<types::Event> {
        use store::Trace as _;
        self.store.trace(store::TraceQuery::default()).await.unwrap()
    }

    /// The content of the newest message.
    pub(crate) async fn last_message(&self) -> Vec<u8> {
        let account = self.store.account("dev@localhost").await.unwrap().unwrap();
        let entries = self.store.messages(account.inbox, None, usize::MAX).await.unwrap();
        let mut stream = self.store.open(account.inbox, entries.last().unwrap().uid).await.unwrap();
        let mut content = Vec::new();
        loop {
            let octets = stream.next().await.unwrap();
            if octets.is_empty() {
                assert_eq!(content.len() as u64, stream.size_bytes());
                return content;
            }
            content.extend_from_slice(&octets);
        }
    }
}

/// Speaks line by line.
pub(crate) struct Client<S = TcpStream>(BufReader<S>);

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let socket = TcpStream::connect(address).await.unwrap();
        // What is sent must have arrived when a paused clock jumps.
        socket.set_nodelay(true).unwrap();
        Self::over(socket)
    }

    /// The socket, to speak TLS on it.
    pub(crate) fn into_inner(self) -> TcpStream {
        assert!(self.0.buffer().is_empty(), "the server said more");
        self.0.into_inner()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub(crate) fn over(stream: S) -> Self {
        Self(BufReader::new(stream))
    }

    pub(crate) async fn send(&mut self, octets: &[u8]) {
        self.0.write_all(octets).await.unwrap();
        self.0.flush().await.unwrap();
    }

    /// All lines of the next reply.
    pub(crate) async fn reply(&mut self) -> Vec<String> {
        let mut lines = vec![self.line().await];
        while lines.last().is_some_and(|line| line.as_bytes().get(3) == Some(&b'-')) {
            lines.push(self.line().await);
        }
        lines
    }

    /// The next line, whatever octets it holds; empty at the end of the connection, however that came.
    pub(crate) async fn line_lossy(&mut self) -> String {
        let mut line = Vec::new();
        let _ = self.0.read_until(b'\n', &mut line).await;
        String::from_utf8_lossy(&line).into_owned()
    }

    /// Closes the client's side of the connection, and still listens.
    pub(crate) async fn say_no_more(&mut self) {
        self.0.shutdown().await.unwrap();
    }

    /// The next line, without its end; empty at the end of the connection.
    pub(crate) async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end_matches("\r\n").to_owned()
    }

    /// The last line of the next reply must begin like that.
    pub(crate) async fn expect(&mut self, start: &str) {
        loop {
            let line = self.line().await;
            if line.as_bytes().get(3) == Some(&b'-') && line.starts_with(|c: char| c.is_ascii_digit()) {
                continue;
            }
            assert!(line.starts_with(start), "expected {start:?}, heard {line:?}");
            return;
        }
    }

    /// The octets of a multi-line response of POP3 after its first line, without transparency.
    pub(crate) async fn content(&mut self) -> Vec<u8> {
        let mut content = Vec::new();
        loop {
            let mut line = Vec::new();
            self.0.read_until(b'\n', &mut line).await.unwrap();
            assert!(!line.is_empty(), "the response has no end");
            if line == b".\r\n" {
                return content;
            }
            content.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
    }

    pub(crate) async fn expect_end(&mut self) {
        assert_eq!(self.line().await, "");
    }

    /// Lines up to that one, without it.
    pub(crate) async fn lines_until(&mut self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.line().await {
                line if line == last => return lines,
                line => lines.push(line),
            }
        }
    }
}
