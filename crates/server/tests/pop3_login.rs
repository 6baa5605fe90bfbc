//! Logging in by POP3 on real sockets: AUTH (RFC 5034), APOP (RFC 1939 §7) and passwords, over one authenticator.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;
#[path = "common/scram.rs"]
mod scram;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{Client, TestNode};
use md5::{Digest as _, Md5};
use rustls::crypto::aws_lc_rs;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use scram::scram_final;
use server::config::{Auth, Config};
use server::passwords::{self, SharedSecret};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// With every mechanism, and an account `ada@example.org` that keeps its password `pencil`.
async fn node() -> TestNode {
    let node = TestNode::start(|config| {
        config.auth = Auth { mechanisms: sasl::Mechanism::ALL.to_vec(), ..Auth::default() };
    })
    .await;
    node.add("ada@example.org", passwords::credentials("pencil", SharedSecret::Keep).unwrap()).await;
    node
}

#[tokio::test]
async fn auth_plain_opens_the_maildrop_on_loopback_in_dev_mode() {
    let node = node().await;
    let mut client = Client::connect(node.pop3).await;
    client.expect("+OK").await;
    client.send(b"CAPA\r\n").await;
    let capabilities = client.lines_until(".").await;
    let sasl = capabilities.iter().find(|line| line.starts_with("SASL ")).unwrap();
    for mechanism in ["SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN", "CRAM-MD5"] {
        assert!(sasl.split(' ').any(|offered| offered == mechanism), "{sasl}");
    }
    assert!(!sasl.contains("PLUS") && !sasl.contains("OAUTH"), "{sasl}");
    // RFC 5034 §4: with an initial response, and after an empty challenge.
    let message = BASE64.encode("\0dev@localhost\0secret");
    client.send(format!("AUTH PLAIN {message}\r\nSTAT\r\nQUIT\r\n").as_bytes()).await;
    client.expect("+OK").await;
    client.expect("+OK 0 0").await;
    client.expect("+OK").await;
    let mut client = Client::connect(node.pop3).await;
    client.expect("+OK").await;
    client.send(b"AUTH PLAIN\r\n").await;
    client.expect("+ ").await;
    client.send(format!("{message}\r\nSTAT\r\n").as_bytes()).await;
    client.expect("+OK").await;
    client.expect("+OK 0 0").await;
    node.stop().await;
}

#[tokio::test]
async fn what_fails_is_refused_and_another_exchange_may_follow() {
    let node = node().await;
    let mut client = Client::connect(node.pop3).await;
    client.expect("+OK").await;
    client.send(format!("AUTH PLAIN {}\r\n", BASE64.encode("\0ada@example.org\0guess")).as_bytes()).await;
    client.expect("-ERR [AUTH]").await;
    client.send(b"AUTH LOGIN\r\n").await;
    client.expect("+ ").await;
    client.send(b"*\r\n").await;
    client.expect("-ERR").await;
    client.send(b"AUTH PLAIN eA==\r\n").await;
    client.expect("-ERR").await;
    client.send(b"AUTH DIGEST-MD5\r\n").await;
    client.expect("-ERR").await;
    client.send(b"AUTH LOGIN\r\n").await;
    client.expect("+ ").await;
    client.send(format!("{}\r\n", BASE64.encode("ada@example.org")).as_bytes()).await;
    client.expect("+ ").await;
    client.send(format!("{}\r\nSTAT\r\n", BASE64.encode("pencil")).as_bytes()).await;
    client.expect("+OK").await;
    client.expect("+OK 0 0").await;
    node.stop().await;
}

#[tokio::test]
async fn apop_takes_the_digest_of_its_own_greeting_alone() {
    let node = node().await;
    let mut first = Client::connect(node.pop3).await;
    let greeting = first.line().await;
    let timestamp = &greeting[greeting.find('<').unwrap()..=greeting.find('>').unwrap()];
    let digest: String =
        Md5::digest(format!("{timestamp}pencil")).iter().map(|octet| format!("{octet:02x}")).collect();
    let command = format!("APOP ada@example.org {digest}\r\nSTAT\r\nQUIT\r\n");
    first.send(command.as_bytes()).await;
    first.expect("+OK").await;
    first.expect("+OK 0 0").await;
    first.expect("+OK").await;
    let mut second = Client::connect(node.pop3).await;
    assert!(!second.line().await.contains(timestamp));
    second.send(command.as_bytes()).await;
    second.expect("-ERR [AUTH]").await;
    node.stop().await;
}

#[tokio::test]
async fn apop_is_not_offered_where_no_account_may_keep_its_password() {
    // Dev mode offers it; the default of a configuration file does not.
    let node = TestNode::start(|config: &mut Config| config.auth = Auth::default()).await;
    let mut client = Client::connect(node.pop3).await;
    assert!(!client.line().await.contains('<'));
    client.send(b"APOP dev@localhost c4c9334bac560ecc979e58001b3e22fb\r\n").await;
    client.expect("-ERR").await;
    node.stop().await;
}

/// RFC 5802 and RFC 9266, from one end of a real TLS connection to the other.
#[tokio::test]
async fn scram_plus_is_bound_to_the_tls_connection() {
    let node = node().await;
    for (is_ours, expected) in [(true, "+OK"), (false, "-ERR [AUTH]")] {
        let socket = TcpStream::connect(node.pop3s).await.unwrap();
        let stream = connector(&node).connect("localhost".try_into().unwrap(), socket).await.unwrap();
        let mut bound = stream
            .get_ref()
            .1
            .export_keying_material(vec![0; 32], b"EXPORTER-Channel-Binding", Some(b""))
            .unwrap();
        if !is_ours {
            bound[0] ^= 1;
        }
        let mut client = Client::over(stream);
        client.expect("+OK").await;
        let (gs2, bare) = ("p=tls-exporter,,", "n=ada@example.org,r=rOprNGfwEbeRWgbNEkqO");
        let first = BASE64.encode(format!("{gs2}{bare}"));
        client.send(format!("AUTH SCRAM-SHA-256-PLUS {first}\r\n").as_bytes()).await;
        let challenge = client.line().await;
        let challenge = BASE64.decode(challenge.strip_prefix("+ ").unwrap().trim_end()).unwrap();
        let channel = BASE64.encode([gs2.as_bytes(), &bound].concat());
        let server_first = String::from_utf8(challenge).unwrap();
        let (message, server_final) = scram_final("pencil", bare, &server_first, &channel);
        client.send(format!("{}\r\n", BASE64.encode(message)).as_bytes()).await;
        if is_ours {
            client.expect(&format!("+ {}", BASE64.encode(server_final))).await;
            client.send(b"\r\n").await;
        }
        client.expect(expected).await;
    }
    node.stop().await;
}

fn connector(node: &TestNode) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(node.data().join("tls/ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
