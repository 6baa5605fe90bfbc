//! STARTTLS, STLS and POP3 over TLS on real sockets, with rustls as the client, which trusts the development CA alone.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;

use std::net::SocketAddr;
use std::sync::Arc;

use common::{Client, TestNode};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

fn connector(node: &TestNode) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(node.data().join("tls/ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

async fn over_tls(node: &TestNode, socket: TcpStream) -> Client<tokio_rustls::client::TlsStream<TcpStream>> {
    let stream = connector(node).connect("localhost".try_into().unwrap(), socket).await.unwrap();
    Client::over(stream)
}

async fn starttls(node: &TestNode, address: SocketAddr, command: &[u8], ready: &[&str]) -> TcpStream {
    let mut clear = Client::connect(address).await;
    clear.send(command).await;
    for reply in ready {
        clear.expect(reply).await;
    }
    let _ = node;
    clear.into_inner()
}

#[tokio::test]
async fn a_message_over_starttls_says_so_in_received() {
    let node = TestNode::start(|_| {}).await;
    // What is pipelined behind STARTTLS is dropped (attacks: injection).
    let command = b"EHLO evil\r\nSTARTTLS\r\nMAIL FROM:<evil@example.com>\r\nRCPT TO:<evil@example.com>\r\n";
    let socket = starttls(&node, node.smtp, command, &["220 ", "250 HELP", "220 2.0.0"]).await;
    let mut client = over_tls(&node, socket).await;
    client.send(b"RCPT TO:<b@example.net>\r\n").await;
    client.expect("503 ").await;
    client
        .send(b"EHLO client.example\r\nMAIL FROM:<a@example.com>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n")
        .await;
    let offers = client.reply().await;
    assert!(!offers.iter().any(|line| line.contains("STARTTLS")), "{offers:?}");
    for code in ["250 2.1.0", "250 2.1.5", "354 "] {
        client.expect(code).await;
    }
    client.send(b"text\r\n.\r\n").await;
    client.expect("250 2.0.0").await;
    client.send(b"STARTTLS\r\nQUIT\r\n").await;
    client.expect("503 5.5.1").await;
    client.expect("221 ").await;
    // With a close_notify: else reading fails.
    client.expect_end().await;
    let message = String::from_utf8(node.last_message().await).unwrap();
    assert!(message.contains("Received: from client.example ([127.0.0.1])"), "{message}");
    assert!(message.contains(" with ESMTPS id "), "{message}");
    assert!(message.contains("(TLS1.3 TLS_"), "{message}");
    assert!(!message.contains("evil"), "{message}");
    node.stop().await;
}

#[tokio::test]
async fn mail_is_fetched_over_pop3s_and_over_stls() {
    let node = TestNode::start(|_| {}).await;
    node.deliver(b"one\r\n").await;
    let socket = TcpStream::connect(node.pop3s).await.unwrap();
    let mut implicit = over_tls(&node, socket).await;
    implicit.send(b"USER dev@localhost\r\nPASS secret\r\nSTAT\r\nQUIT\r\n").await;
    for _ in 0..3 {
        implicit.expect("+OK").await;
    }
    implicit.expect("+OK 1 ").await;
    implicit.expect("+OK").await;

    let socket = starttls(&node, node.pop3, b"STLS\r\nQUIT\r\n", &["+OK", "+OK"]).await;
    let mut explicit = over_tls(&node, socket).await;
    explicit.send(b"USER dev@localhost\r\nPASS secret\r\nSTAT\r\n").await;
    for _ in 0..2 {
        explicit.expect("+OK").await;
    }
    explicit.expect("+OK 1 ").await;
    node.stop().await;
}

#[tokio::test]
async fn a_peer_that_does_not_speak_tls_is_let_go() {
    let node = TestNode::start(|_| {}).await;
    let socket =
        starttls(&node, node.smtp, b"EHLO c\r\nSTARTTLS\r\n", &["220 ", "250 HELP", "220 2.0.0"]).await;
    let mut client = Client::over(socket);
    client.send(b"MAIL FROM:<evil@example.com>\r\n").await;
    // An alert of TLS may come before the end; no reply does.
    assert!(!client.line_lossy().await.starts_with(|c: char| c.is_ascii_digit()));
    node.stop().await;
}

#[tokio::test]
async fn without_a_certificate_there_is_no_starttls() {
    let node = TestNode::start(|config| {
        config.certificates = server::config::CertificateSource::Files(Vec::new());
        config.listeners.retain(|listener| !listener.service.begins_with_tls());
    })
    .await;
    let mut client = Client::connect(node.smtp).await;
    client.expect("220 ").await;
    client.send(b"EHLO c\r\nSTARTTLS\r\n").await;
    assert!(!client.reply().await.iter().any(|line| line.contains("STARTTLS")));
    client.expect("502 5.5.1").await;
    node.stop().await;
}
