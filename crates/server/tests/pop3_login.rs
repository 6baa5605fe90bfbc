//! Logging in by POP3 on real sockets: AUTH (RFC 5034), APOP (RFC 1939 §7) and passwords, over one authenticator.

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::{Client, TestNode};
use md5::{Digest as _, Md5};
use server::config::Auth;
use server::passwords::{self, SharedSecret};

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
    let node = TestNode::start(|_| {}).await;
    let mut client = Client::connect(node.pop3).await;
    assert!(!client.line().await.contains('<'));
    client.send(b"APOP dev@localhost c4c9334bac560ecc979e58001b3e22fb\r\n").await;
    client.expect("-ERR").await;
    node.stop().await;
}
