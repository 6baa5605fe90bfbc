//! Tests of the requests over both transports, on a real store and a real socket.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use store::embedded::{Embedded, Options};
use store::{Acceptance, Body, Delivery, Flags};
use types::{Envelope, MailId, ReversePath, Timestamp};

use super::*;
use crate::StoreTarget;

mod directory;
mod dkim;
mod queue;

/// A store of its own, a runtime, and the socket on it.
struct Fixture {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
    embedded: Arc<Embedded>,
    server: Option<Server>,
}

impl Fixture {
    fn new() -> Self {
        Self::below("")
    }

    /// With the data in a folder `name` below the test's own.
    fn below(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let runtime = runtime();
        let data = folder.path().join(name);
        std::fs::create_dir_all(&data).unwrap();
        let embedded = {
            let _entered = runtime.enter();
            Arc::new(Embedded::open(Options { path: data, ..Options::default() }).unwrap())
        };
        let mut fixture = Self { folder, runtime, embedded, server: None };
        fixture.server = Some(fixture.serve(&fixture.folder.path().join(name)));
        fixture
    }

    fn serve(&self, data: &Path) -> Server {
        let _entered = self.runtime.enter();
        Server::start(data, self.target()).unwrap()
    }

    fn target(&self) -> Arc<dyn ControlTarget> {
        Arc::new(StoreTarget::new(Arc::clone(&self.embedded)))
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    fn remote(&self) -> Client {
        Client::connect(self.folder.path()).unwrap().expect("a server listens")
    }

    /// Both transports, each with its name.
    fn clients(&self) -> [(&'static str, Client); 2] {
        [("socket", self.remote()), ("in process", Client::in_process(runtime(), self.target()))]
    }

    fn add_account(&self, name: &str) {
        self.remote().ask(account_add(name, "secret")).unwrap();
    }

    /// Delivers a message to the first account.
    fn deliver(&self, number: u64, content: &[u8]) {
        let at = Timestamp::from_millis(1_795_322_124_250);
        self.runtime.block_on(async {
            let inbox = self.target().store().accounts().await.unwrap()[0].inbox;
            let acceptance = Acceptance {
                mail_id: MailId::new(at, number),
                received_at: at,
                envelope: Envelope::new(ReversePath::Null, ["<ada@example.org>".parse().unwrap()]),
                origin: "a test".to_owned(),
                body: Body::Memory(vec![Bytes::copy_from_slice(content)]),
                deliveries: vec![Delivery {
                    mailbox: inbox,
                    header: Bytes::from_static(b"Return-Path: <>\r\n"),
                    flags: Flags::SEEN,
                    internal_date: None,
                }],
                queue: Vec::new(),
                claim: store::QueueClaim::Later,
                idempotency: None,
            };
            store::Spool::accept(self.embedded.as_ref(), acceptance).await.unwrap();
        });
    }

    fn raw(&self, request: &[u8]) -> String {
        let mut stream = UnixStream::connect(self.socket()).unwrap();
        // A server that has heard enough may close before all is written.
        let _ = stream.write_all(request);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        if let Some(server) = self.server.take() {
            self.runtime.block_on(server.stop());
        }
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

fn accounts() -> Request {
    Request::Accounts { after: None }
}

fn account_add(name: &str, password: &str) -> Request {
    Request::Directory(DirectoryRequest::AccountAdd {
        account: name.to_owned(),
        password: Password::new(password),
        shared_secret: SharedSecret::Keep,
        change: AccountChange::default(),
    })
}

fn password_set(name: &str, password: &str) -> Request {
    Request::Directory(DirectoryRequest::PasswordSet {
        account: name.to_owned(),
        password: Some(Password::new(password)),
        shared_secret: SharedSecret::Keep,
    })
}

fn open(uid: u32, bytes_max: Option<u64>) -> Request {
    Request::Open { account: None, mailbox: "inbox".to_owned(), uid, bytes_max }
}

fn messages(after: Option<u32>, limit: usize) -> Request {
    Request::Messages { account: None, mailbox: "INBOX".to_owned(), after, limit }
}

fn read(client: &mut Client, request: Request) -> Result<(u64, Vec<u8>), ClientError> {
    let mut octets = Vec::new();
    let size_bytes = client.read(request, |piece| {
        octets.extend_from_slice(piece);
        Ok(())
    })?;
    Ok((size_bytes, octets))
}

fn kind(result: Result<Response, ClientError>) -> ErrorKind {
    match result {
        Err(ClientError::Control(error)) => error.kind,
        other => panic!("{other:?}"),
    }
}

#[test]
fn both_transports_give_the_same_answers() {
    let fixture = Fixture::new();
    fixture.add_account("ada@example.org");
    for number in 0..3 {
        fixture.deliver(number, b"Subject: hello\r\n\r\nhello\r\n");
    }
    let requests = [
        accounts(),
        Request::Mailboxes { account: None },
        Request::Mailboxes { account: Some("ADA@example.org".to_owned()) },
        messages(None, 1000),
        messages(Some(2), 1000),
        messages(None, 1),
    ];
    let [(_, mut socket), (_, mut in_process)] = fixture.clients();
    for request in requests {
        let answer = socket.ask(request.clone()).unwrap();
        assert_eq!(answer, in_process.ask(request).unwrap());
    }
    let Response::Messages(two) = socket.ask(messages(Some(1), 1000)).unwrap() else { panic!() };
    assert_eq!(two.iter().map(|message| message.uid).collect::<Vec<_>>(), [2, 3]);
    assert_eq!(two[0].delivered_at, "2026-11-22T04:35:24.250Z");
    assert_eq!(two[0].flags, ["\\Seen"]);
    assert_eq!(two[0].size_bytes, 17 + 25);
}

#[test]
fn a_message_comes_bit_identical_in_pieces_and_stops_where_it_was_told_to() {
    let fixture = Fixture::new();
    fixture.add_account("ada@example.org");
    let content: Vec<u8> = (0..300_000_u32).flat_map(|number| number.to_le_bytes()).collect();
    fixture.deliver(1, &content);
    let expected = [b"Return-Path: <>\r\n".as_slice(), &content].concat();
    for (name, mut client) in fixture.clients() {
        let (size_bytes, octets) = read(&mut client, open(1, None)).unwrap();
        assert_eq!(size_bytes, expected.len() as u64, "{name}");
        assert!(octets == expected, "{name}");
        let (size_bytes, octets) = read(&mut client, open(1, Some(100))).unwrap();
        assert_eq!(size_bytes, expected.len() as u64, "{name}");
        assert!(octets.len() >= 100 && octets.len() < expected.len(), "{name}: {}", octets.len());
        assert!(expected.starts_with(&octets), "{name}");
        // The connection is still of use.
        assert!(client.ask(accounts()).is_ok(), "{name}");
    }
}

#[test]
fn a_removed_message_is_gone_and_another_is_passed_over() {
    let fixture = Fixture::new();
    fixture.add_account("ada@example.org");
    fixture.deliver(1, b"\r\none\r\n");
    let mut client = fixture.remote();
    let expunge = || Request::Expunge { account: None, mailbox: "INBOX".to_owned(), uids: vec![1, 99] };
    assert_eq!(client.ask(expunge()).unwrap(), Response::Expunged(vec![1]));
    assert_eq!(client.ask(expunge()).unwrap(), Response::Expunged(vec![]));
    let gone = read(&mut client, open(1, None)).unwrap_err();
    assert!(matches!(gone, ClientError::Control(ControlError { kind: ErrorKind::NoSuchMessage, .. })));
}

#[test]
fn what_cannot_be_done_says_why_on_both_transports() {
    let fixture = Fixture::new();
    for (transport, mut client) in fixture.clients() {
        let mut kind = |request| kind(client.ask(request));
        assert_eq!(kind(Request::Mailboxes { account: None }), ErrorKind::NoSuchAccount, "{transport}");
        assert_eq!(kind(account_add("no address", "secret")), ErrorKind::BadValue, "{transport}");
        assert_eq!(kind(account_add("ada@example.org", "")), ErrorKind::BadValue, "{transport}");
        assert_eq!(kind(account_add("ada@example.org", "a\r\nb")), ErrorKind::BadValue, "{transport}");
        assert_eq!(kind(Request::Status), ErrorKind::Unavailable, "{transport}");
        assert_eq!(kind(Request::NodeFacts), ErrorKind::Unavailable, "{transport}");
    }
    fixture.add_account("ada@example.org");
    for (transport, mut client) in fixture.clients() {
        let mut kind = |request| kind(client.ask(request));
        assert_eq!(kind(account_add("Ada@Example.org", "secret")), ErrorKind::Conflict, "{transport}");
        let missing = || "bob@example.org".to_owned();
        assert_eq!(kind(password_set(&missing(), "secret")), ErrorKind::NoSuchAccount, "{transport}");
        assert_eq!(
            kind(Request::Mailboxes { account: Some(missing()) }),
            ErrorKind::NoSuchAccount,
            "{transport}"
        );
        let mailbox =
            Request::Messages { account: None, mailbox: "Nowhere".to_owned(), after: None, limit: 1 };
        assert_eq!(kind(mailbox), ErrorKind::NoSuchMailbox, "{transport}");
    }
}

#[test]
fn an_account_has_one_name_however_its_address_is_written() {
    let fixture = Fixture::new();
    fixture.add_account("ada@bücher.example");
    let mut client = fixture.remote();
    let Response::Accounts(accounts) = client.ask(accounts()).unwrap() else { panic!() };
    assert_eq!(accounts[0].name, "ada@xn--bcher-kva.example");
    for name in ["ada@Bücher.example", "ADA@xn--bcher-kva.example"] {
        assert!(client.ask(Request::Mailboxes { account: Some(name.to_owned()) }).is_ok(), "{name}");
    }
}

#[test]
fn a_password_that_was_set_is_the_one_that_is_verified() {
    let fixture = Fixture::new();
    fixture.add_account("ada@example.org");
    let request = password_set("ada@example.org", "changed");
    fixture.remote().ask(request.clone()).unwrap();
    let target = fixture.target();
    let account = fixture.runtime.block_on(target.store().account("ada@example.org")).unwrap().unwrap();
    assert!(crate::passwords::verify("changed", &account.credentials.argon2id));
    assert!(!crate::passwords::verify("secret", &account.credentials.argon2id));
    assert!(!format!("{request:?}").contains("changed"), "a password in a log line");
}

#[test]
fn the_check_and_the_figures_of_a_sound_store_have_content() {
    let fixture = Fixture::new();
    fixture.add_account("ada@example.org");
    fixture.deliver(1, b"\r\none\r\n");
    for (transport, mut client) in fixture.clients() {
        let Response::StoreCheck(check) = client.ask(Request::StoreCheck).unwrap() else { panic!() };
        assert!(check.findings.is_empty(), "{transport}: {check:?}");
        assert_eq!((check.accounts, check.entries), (1, 1), "{transport}");
        let Response::StoreStats(stats) = client.ask(Request::StoreStats).unwrap() else { panic!() };
        assert_eq!((stats.accounts, stats.messages), (1, 1), "{transport}");
    }
}

#[test]
fn octets_that_are_no_request_get_an_error_and_never_more_than_a_line_is_read() {
    let fixture = Fixture::new();
    let rows: [(&[u8], &str); 6] = [
        (b"hello\n", "not a request"),
        (b"{}\n", "missing field `version`"),
        (b"{\"version\":2,\"request\":\"accounts\"}\n", "version 1 of the control protocol, not 2"),
        (b"{\"version\":1,\"request\":\"format_disk\"}\n", "unknown variant"),
        (b"\xff\xfe\n", "not a request"),
        (b"{\"version\":1,\"request\":\"accounts\"}", "one line of at most 4194304 octets"),
    ];
    for (request, part) in rows {
        let answer = fixture.raw(request);
        assert!(answer.contains("\"bad_request\"") && answer.contains(part), "{answer}");
        assert_eq!(answer.lines().count(), 1, "{answer}");
    }
    let answer = fixture.raw(&vec![b'x'; 3 * REQUEST_LINE_BYTES_MAX]);
    assert!(answer.is_empty() || answer.contains("one line of at most 4194304 octets"), "{answer}");
    // The bad ones took nothing from the good ones.
    assert_eq!(fixture.remote().ask(accounts()).unwrap(), Response::Accounts(vec![]));
}

#[test]
fn several_requests_written_at_once_are_answered_in_order() {
    let fixture = Fixture::new();
    let answers = fixture
        .raw(b"{\"version\":1,\"request\":\"accounts\"}\nx\n{\"version\":1,\"request\":\"accounts\"}\n");
    let kinds: Vec<_> = answers.lines().map(|line| line.starts_with("{\"ok\":{\"accounts\":[]}}")).collect();
    assert_eq!(kinds, [true, false, true], "{answers}");
}

#[test]
fn more_connections_than_are_served_at_one_time_wait_for_their_turn() {
    let fixture = Fixture::new();
    let mut idle: Vec<_> = (0..16).map(|_| fixture.remote()).collect();
    for client in &mut idle {
        client.ask(accounts()).unwrap();
    }
    let mut late = UnixStream::connect(fixture.socket()).unwrap();
    late.write_all(b"{\"version\":1,\"request\":\"accounts\"}\n").unwrap();
    late.set_nonblocking(true).unwrap();
    // All sixteen are held: nobody has read the request.
    assert_eq!(late.read(&mut [0; 1]).unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    drop(idle.pop());
    late.set_nonblocking(false).unwrap();
    let mut line = String::new();
    BufReader::new(late).read_line(&mut line).unwrap();
    assert_eq!(line, "{\"ok\":{\"accounts\":[]}}\n");
}

#[test]
fn the_socket_is_its_owners_alone_replaces_a_stale_one_and_goes_with_the_server() {
    let mut fixture = Fixture::new();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&fixture.socket()), 0o600);
    fixture.runtime.block_on(fixture.server.take().unwrap().stop());
    assert!(!fixture.socket().exists());
    assert!(Client::connect(fixture.folder.path()).unwrap().is_none());
    // A process that was killed leaves its socket, and one that was killed earlier still, the half-made one.
    drop(std::os::unix::net::UnixListener::bind(fixture.socket()).unwrap());
    std::fs::write(fixture.folder.path().join("control.sock.new"), "").unwrap();
    assert!(Client::connect(fixture.folder.path()).unwrap().is_none());
    fixture.server = Some(fixture.serve(fixture.folder.path()));
    assert_eq!(mode(&fixture.socket()), 0o600);
    assert!(fixture.remote().ask(accounts()).is_ok());
}

#[test]
fn a_data_folder_with_a_name_too_long_for_sockets_works_all_the_same() {
    let long = "x".repeat(200);
    let fixture = Fixture::below(&long);
    let mut client = Client::connect(&fixture.folder.path().join(&long)).unwrap().expect("a server listens");
    assert_eq!(client.ask(accounts()).unwrap(), Response::Accounts(vec![]));
}
