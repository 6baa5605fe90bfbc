//! IMAP on real sockets: logins, TLS, compression, limits, and the ends of sessions.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/imap.rs"]
mod imap_client;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{Client, TestNode};
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use imap_client::Imap;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use server::config::{Config, Mode, Network, Service, TlsChoice};
use store::{AccountChange, Directory as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use types::EventStep;
use types::directory::{AccountSettings, AccountStatus};

async fn over_tls(node: &TestNode, socket: TcpStream) -> Imap<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(node.data().join("tls/ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    Imap::over(connector.connect("localhost".try_into().unwrap(), socket).await.unwrap())
}

/// What is true on a listener that strangers reach: no password in clear text.
fn behind_proxy(config: &mut Config) {
    let loopback: Network = "127.0.0.1/32".parse().unwrap();
    for listener in &mut config.listeners {
        listener.proxy_from = vec![loopback];
    }
}

async fn disable(node: &TestNode) {
    let account = node.store().account("dev@localhost").await.unwrap().unwrap();
    let status = AccountStatus::Disabled { reason: "a test".into() };
    let settings = AccountSettings { status, ..account.settings };
    node.store().change_account(account.id, AccountChange::Settings(settings)).await.unwrap();
}

#[tokio::test]
async fn a_client_logs_in_reads_what_came_and_logs_out() {
    let node = TestNode::start(|_| {}).await;
    node.deliver(b"Subject: one\r\n\r\ntext\r\n").await;
    let mut imap = Imap::login(node.imap).await;
    let selected = imap.ok("SELECT INBOX").await;
    assert!(selected.has("* 1 EXISTS"), "{selected:?}");
    assert!(selected.end.starts_with("OK [READ-WRITE]"), "{selected:?}");
    let fetched = imap.ok("FETCH 1 (UID BODY.PEEK[TEXT])").await;
    assert!(fetched.line("UID 1").contains("BODY[TEXT] {6}\r\ntext\r\n"), "{fetched:?}");
    let whole = imap.ok("FETCH 1 BODY.PEEK[]").await;
    let expected = String::from_utf8(node.last_message().await).unwrap();
    assert!(whole.line("BODY[]").contains(&expected), "{whole:?}");
    let end = imap.run("LOGOUT").await;
    assert!(end.has("* BYE") && end.end.starts_with("OK"), "{end:?}");
    imap.expect_end().await;
    let trace = node.trace().await;
    let of_session: Vec<_> = trace
        .iter()
        .filter(|event| event.address.as_deref() == Some("dev@localhost"))
        .map(|event| (event.step, event.reason.as_str()))
        .collect();
    assert!(of_session.contains(&(EventStep::Authentication, "logged in by PASSWORD")), "{of_session:?}");
    assert!(of_session.contains(&(EventStep::Command, "\"INBOX\" is open: 1 messages")), "{of_session:?}");
    node.stop().await;
}

#[tokio::test]
async fn capabilities_are_true_before_tls_within_it_and_after_the_login() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::connect(node.imap).await;
    let before = imap.ok("CAPABILITY").await.lines.join(" ");
    for name in ["IMAP4rev1", "IMAP4rev2", "STARTTLS", "AUTH=PLAIN", "AUTH=SCRAM-SHA-256", "SASL-IR"] {
        assert!(before.split(' ').any(|known| known == name), "{name}: {before}");
    }
    assert!(!before.contains("PLUS ") && !before.contains("LOGINDISABLED"), "{before}");
    let tag = imap.begin("STARTTLS").await;
    assert!(imap.answer(&tag).await.end.starts_with("OK"));
    let mut imap = over_tls(&node, imap.into_inner()).await;
    let within = imap.ok("CAPABILITY").await.lines.join(" ");
    assert!(within.contains("AUTH=SCRAM-SHA-256-PLUS") && !within.contains("STARTTLS"), "{within}");
    imap.ok("LOGIN dev@localhost secret").await;
    let after = imap.ok("CAPABILITY").await.lines.join(" ");
    for name in ["IDLE", "MOVE", "QRESYNC", "COMPRESS=DEFLATE", "APPENDLIMIT=52428800", "UIDPLUS"] {
        assert!(after.split(' ').any(|known| known == name), "{name}: {after}");
    }
    assert!(!after.contains("AUTH=") && !after.contains("STARTTLS"), "{after}");
    imap.ends("STARTTLS", "BAD").await;
    node.stop().await;
}

#[tokio::test]
async fn what_is_said_in_clear_text_behind_starttls_is_dropped() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::connect(node.imap).await;
    // Attack 3: who stands between puts a command where the client has said nothing yet.
    imap.send(b"a STARTTLS\r\nb LOGIN dev@localhost secret\r\nc SELECT INBOX\r\n").await;
    imap.untagged("a OK").await;
    let mut imap = over_tls(&node, imap.into_inner()).await;
    imap.ends("SELECT INBOX", "BAD").await;
    node.stop().await;
}

#[tokio::test]
async fn port_993_begins_with_tls_and_greets_within_it() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = over_tls(&node, TcpStream::connect(node.imaps).await.unwrap()).await;
    let greeting = imap.untagged("* OK").await;
    assert!(!greeting.contains("STARTTLS"), "{greeting}");
    imap.ok("LOGIN dev@localhost secret").await;
    node.stop().await;
}

#[tokio::test]
async fn a_password_in_clear_text_is_not_taken_from_elsewhere() {
    let node = TestNode::start(behind_proxy).await;
    let mut socket = TcpStream::connect(node.imap).await.unwrap();
    socket.write_all(b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 143\r\n").await.unwrap();
    let mut imap = Imap::over(socket);
    let greeting = imap.untagged("* OK").await;
    assert!(greeting.contains("LOGINDISABLED") && !greeting.contains("AUTH=PLAIN"), "{greeting}");
    imap.ends("LOGIN dev@localhost secret", "NO [PRIVACYREQUIRED]").await;
    imap.ends("AUTHENTICATE PLAIN", "NO").await;
    imap.ends("SELECT INBOX", "BAD").await;
    node.stop().await;
}

#[tokio::test]
async fn passwords_are_taken_on_loopback_in_production_by_imap_as_by_pop3_unless_tls_is_required() {
    for (tls, taken) in [(TlsChoice::Offered, true), (TlsChoice::Required, false)] {
        let node = TestNode::start(|config| {
            config.mode = Mode::Production;
            for listener in &mut config.listeners {
                if matches!(listener.service, Service::Imap | Service::Pop3) {
                    listener.tls = tls;
                }
            }
        })
        .await;
        let mut imap = Imap::connect(node.imap).await;
        imap.ends("LOGIN dev@localhost secret", if taken { "OK" } else { "NO [PRIVACYREQUIRED]" }).await;
        let mut pop3 = Client::connect(node.pop3).await;
        pop3.expect("+OK").await;
        pop3.send(b"USER dev@localhost\r\nPASS secret\r\n").await;
        pop3.expect(if taken { "+OK" } else { "-ERR" }).await;
        node.stop().await;
    }
}

#[tokio::test]
async fn authenticate_takes_an_initial_response_a_challenge_and_a_cancel() {
    let node = TestNode::start(|_| {}).await;
    let message = BASE64.encode("\0dev@localhost\0secret");
    let mut imap = Imap::connect(node.imap).await;
    imap.ok(&format!("AUTHENTICATE PLAIN {message}")).await;
    let mut imap = Imap::connect(node.imap).await;
    let tag = imap.begin("AUTHENTICATE PLAIN").await;
    imap.untagged("+ ").await;
    imap.send(b"*\r\n").await;
    assert!(imap.answer(&tag).await.end.starts_with("BAD"));
    let tag = imap.begin("AUTHENTICATE PLAIN").await;
    imap.untagged("+ ").await;
    imap.send(format!("{message}\r\n").as_bytes()).await;
    assert!(imap.answer(&tag).await.end.starts_with("OK"));
    imap.ok("SELECT INBOX").await;
    node.stop().await;
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name_get_the_same_answer_and_are_traced() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::connect(node.imap).await;
    let wrong = imap.ends("LOGIN dev@localhost wrong", "NO [AUTHENTICATIONFAILED]").await;
    let unknown = imap.ends("LOGIN nobody@localhost wrong", "NO [AUTHENTICATIONFAILED]").await;
    assert_eq!(wrong, unknown);
    imap.ends("SELECT INBOX", "BAD").await;
    imap.run("LOGOUT").await;
    imap.expect_end().await;
    let trace = node.trace().await;
    assert!(trace.iter().any(|event| event.reason == "the password is wrong"), "{trace:?}");
    assert!(trace.iter().all(|event| !event.reason.contains("wrong ")), "{trace:?}");
    node.stop().await;
}

#[tokio::test]
async fn a_long_answer_ends_where_the_account_is_disabled() {
    answer_ends_where_the_account_is_disabled(50_000, 1, 5, "BODY.PEEK[]").await;
}

/// Nothing is read for it that is not at hand.
#[tokio::test]
async fn a_long_answer_of_facts_alone_ends_where_the_account_is_disabled() {
    let asked = "(UID FLAGS INTERNALDATE RFC822.SIZE EMAILID SAVEDATE)";
    answer_ends_where_the_account_is_disabled(1, 128, 9, asked).await;
}

/// What is asked of so many messages of so many lines, doubled so often, is more than sockets hold: the server waits for the
/// reader.
async fn answer_ends_where_the_account_is_disabled(lines: usize, put: u32, doublings: u32, asked: &str) {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    let message = [&b"Subject: long\r\n\r\n"[..], &b"a line of a message\r\n".repeat(lines)].concat();
    for _ in 0..put {
        imap.append("INBOX", "", &message).await;
    }
    for doubling in 0..doublings {
        imap.ok(&format!("COPY 1:{} INBOX", put << doubling)).await;
    }
    imap.begin(&format!("FETCH 1:* {asked}")).await;
    imap.untagged("* 1 FETCH").await;
    disable(&node).await;
    let mut messages = 1;
    let last = loop {
        let line = imap.line().await;
        if !line.starts_with("* ") || line.starts_with("* BYE") {
            break line;
        }
        messages += 1;
    };
    assert!(last.starts_with("* BYE") && messages < put << doublings, "{messages} messages and {last:?}");
    node.stop().await;
}

/// RFC 5464 §4.4: whoever enabled it hears of it, and RFC 5465 §5.6: so does whoever asks NOTIFY for it.
#[tokio::test]
async fn annotations_that_others_change_are_told_where_that_is_enabled() {
    let node = TestNode::start(|_| {}).await;
    let mut other = Imap::login(node.imap).await;
    for prepared in [
        &["ENABLE METADATA"][..],
        &["ENABLE METADATA", "ENABLE METADATA CONDSTORE"],
        &["NOTIFY NONE", "ENABLE METADATA", "NOTIFY SET (personal (MailboxMetadataChange))"],
    ] {
        let mut imap = Imap::login(node.imap).await;
        for command in prepared {
            imap.ok(command).await;
        }
        let tag = imap.idle().await;
        for value in ["red", "blue"] {
            other.ok(&format!("SETMETADATA INBOX (/private/color \"{value}\")")).await;
            imap.untagged("* METADATA INBOX /private/color").await;
        }
        imap.done(&tag).await;
    }
    node.stop().await;
}

#[tokio::test]
async fn a_session_of_an_account_that_is_disabled_ends_at_its_next_command() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    disable(&node).await;
    imap.begin("FETCH 1:* FLAGS").await;
    imap.untagged("* BYE").await;
    imap.expect_end().await;
    node.stop().await;
}

#[tokio::test]
async fn a_session_of_an_account_that_is_removed_ends_at_once() {
    let node = TestNode::start(|_| {}).await;
    let mut imap = Imap::inbox(node.imap).await;
    imap.idle().await;
    let account = node.store().account("dev@localhost").await.unwrap().unwrap();
    node.store().remove_account(account.id).await.unwrap();
    imap.untagged("* BYE").await;
    imap.expect_end().await;
    node.stop().await;
}

#[tokio::test]
async fn a_client_that_does_not_log_in_or_says_nothing_is_let_go() {
    let node = TestNode::start(|_| {}).await;
    let mut silent = Imap::connect(node.imap).await;
    // Who talks and does not log in is no better.
    silent.ok("NOOP").await;
    let mut idle = Imap::inbox(node.imap).await;
    idle.idle().await;
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    silent.untagged("* BYE").await;
    silent.expect_end().await;
    assert!(begin.elapsed() < types::limits::IMAP_COMMAND_TIMEOUT_MIN);
    idle.untagged("* BYE").await;
    idle.expect_end().await;
    // RFC 9051 §5.4
    assert!(begin.elapsed() >= types::limits::IMAP_COMMAND_TIMEOUT_MIN);
    tokio::time::resume();
    node.stop().await;
}

#[tokio::test]
async fn a_node_that_stops_says_bye_to_everybody() {
    let node = TestNode::start(|_| {}).await;
    let mut idle = Imap::inbox(node.imap).await;
    idle.idle().await;
    let mut fresh = Imap::connect(node.imap).await;
    let stopped = tokio::spawn(node.stop());
    idle.untagged("* BYE").await;
    idle.expect_end().await;
    fresh.untagged("* BYE").await;
    fresh.expect_end().await;
    stopped.await.unwrap();
}

#[tokio::test]
async fn one_connection_too_many_is_told_bye() {
    let node = TestNode::start(|config| config.limits.connections_max = 1).await;
    let _first = Imap::connect(node.imap).await;
    let mut second = Client::connect(node.imap).await;
    second.expect("* BYE [UNAVAILABLE]").await;
    node.stop().await;
}

/// Both directions of a compressed connection.
struct Packed {
    socket: TcpStream,
    deflate: Compress,
    inflate: Decompress,
    text: Vec<u8>,
}

impl Packed {
    async fn send(&mut self, octets: &[u8]) {
        let mut packed = Vec::with_capacity(octets.len() + 1000);
        self.deflate.compress_vec(octets, &mut packed, FlushCompress::Sync).unwrap();
        self.socket.write_all(&packed).await.unwrap();
    }

    /// Reads until a line begins so.
    async fn until(&mut self, start: &str) -> String {
        loop {
            let text = String::from_utf8_lossy(&self.text).into_owned();
            if let Some(at) = text.find(&format!("\r\n{start}"))
                && text[at + 2..].contains("\r\n")
            {
                self.text.clear();
                return text;
            }
            let mut packed = [0; 1000];
            let count = self.socket.read(&mut packed).await.unwrap();
            assert!(count > 0, "the connection ended after {text:?}");
            let mut rest = &packed[..count];
            while !rest.is_empty() {
                let before = self.inflate.total_in();
                self.text.reserve(100_000);
                self.inflate.decompress_vec(rest, &mut self.text, FlushDecompress::Sync).unwrap();
                rest = &rest[usize::try_from(self.inflate.total_in() - before).unwrap()..];
            }
        }
    }
}

#[tokio::test]
async fn a_compressed_connection_says_the_same_in_fewer_octets() {
    let node = TestNode::start(|_| {}).await;
    let body: String = (0..2000).map(|n| format!("line {n} of a message\r\n")).collect();
    node.deliver(format!("Subject: long\r\n\r\n{body}").as_bytes()).await;
    let mut imap = Imap::inbox(node.imap).await;
    imap.ok("COMPRESS DEFLATE").await;
    let mut packed = Packed {
        socket: imap.into_inner(),
        deflate: Compress::new(Compression::fast(), false),
        inflate: Decompress::new(false),
        text: b"\r\n".to_vec(),
    };
    packed.send(b"a FETCH 1 BODY.PEEK[TEXT]\r\nb COMPRESS DEFLATE\r\n").await;
    let text = packed.until("b ").await;
    assert!(text.contains(&body), "{} octets", text.len());
    assert!(text.contains("\r\na OK") && text.contains("\r\nb NO [COMPRESSIONACTIVE]"), "{text}");
    assert!(packed.inflate.total_in() * 4 < packed.inflate.total_out());
    packed.text = b"\r\n".to_vec();
    packed.send(b"c IDLE\r\n").await;
    packed.until("+ ").await;
    packed.text = b"\r\n".to_vec();
    node.deliver(b"two\r\n").await;
    packed.until("* 2 EXISTS").await;
    node.stop().await;
}
