//! What comes before a session, over real sockets: the PROXY protocol, the wait before the greeting, sockets in the
//! file system, handshakes at one time, and the figures (attacks 8 and 9).

#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]

mod common;

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use common::{Client, TestNode};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use server::config::{Config, ListenAddress, Listener, Seconds, Service, TlsChoice};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use types::{Event, EventStep, Verdict};

/// Changes the listeners of one service.
fn each(config: &mut Config, service: Service, change: impl Fn(&mut Listener)) {
    config.listeners.iter_mut().filter(|listener| listener.service == service).for_each(change);
}

fn behind_proxy(config: &mut Config) {
    for service in [Service::Smtp, Service::Pop3, Service::Pop3s] {
        each(config, service, |listener| listener.proxy_from = vec!["127.0.0.0/8".parse().unwrap()]);
    }
}

/// Connects as a proxy does.
async fn proxied(address: SocketAddr, header: &[u8]) -> Client {
    let mut client = Client::connect(address).await;
    client.send(header).await;
    client
}

fn v1(client: &str) -> Vec<u8> {
    format!("PROXY TCP4 {client} 198.51.100.7 56324 25\r\n").into_bytes()
}

fn v2(client: [u8; 4]) -> Vec<u8> {
    let fixed = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0f";
    [&fixed[..], &client, &[198, 51, 100, 7, 0xdc, 0x04, 0, 25], b"\x04\0\0"].concat()
}

async fn deliver(client: &mut Client) {
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\n").await;
    for code in ["220 ", "250 ", "250 ", "250 ", "354 "] {
        client.expect(code).await;
    }
    client.send(b"text\r\n.\r\n").await;
    client.expect("250 2.0.0").await;
}

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

/// The body of a response, and its head.
async fn get(address: SocketAddr, request: &str) -> (String, String) {
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket.write_all(format!("{request}\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut response = String::new();
    socket.read_to_string(&mut response).await.unwrap();
    let (head, body) = response.split_once("\r\n\r\n").unwrap();
    (head.to_ascii_lowercase(), body.to_owned())
}

async fn figure(node: &TestNode, name: &str) -> f64 {
    let (head, body) = get(node.http, "GET /metrics HTTP/1.1").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    let line = body.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.map_or(0.0, |value| value.parse().unwrap())
}

#[tokio::test]
async fn a_proxy_tells_who_the_client_is() {
    let node = TestNode::start(behind_proxy).await;
    for (header, address) in [
        (v1("192.0.2.1"), "[192.0.2.1]"),
        (v2([192, 0, 2, 2]), "[192.0.2.2]"),
        (b"PROXY TCP6 2001:db8::1 2001:db8::2 1024 25\r\n".to_vec(), "[IPv6:2001:db8::1]"),
        // It does not know, or speaks for itself: the connection's own address.
        (b"PROXY UNKNOWN\r\n".to_vec(), "[127.0.0.1]"),
        (b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0".to_vec(), "[127.0.0.1]"),
    ] {
        deliver(&mut proxied(node.smtp, &header).await).await;
        let message = String::from_utf8(node.last_message().await).unwrap();
        assert!(message.contains(&format!("Received: from c ({address})")), "{message}");
    }
    proxied(node.pop3, &v1("192.0.2.1")).await.expect("+OK").await;
    let trace = node.trace().await;
    let proxied: Vec<_> = trace.iter().filter(|event| event.step == EventStep::Proxied).collect();
    assert_eq!(proxied.len(), 4, "{trace:?}");
    assert_eq!(proxied[0].reason, "the proxy 127.0.0.1 says that the client is 192.0.2.1");
    // The same connection tells the rest.
    assert!(
        trace
            .iter()
            .any(|event| { event.session_id == proxied[0].session_id && event.step == EventStep::Stored })
    );
    node.stop().await;
}

#[tokio::test]
async fn a_header_comes_before_tls_and_in_pieces() {
    let node = TestNode::start(behind_proxy).await;
    let mut socket = TcpStream::connect(node.pop3s).await.unwrap();
    socket.set_nodelay(true).unwrap();
    for octet in v2([192, 0, 2, 1]) {
        socket.write_all(&[octet]).await.unwrap();
    }
    let stream = connector(&node).connect("localhost".try_into().unwrap(), socket).await.unwrap();
    Client::over(stream).expect("+OK").await;
    node.stop().await;
}

#[tokio::test]
async fn without_a_header_a_proxy_is_not_served() {
    let node = TestNode::start(behind_proxy).await;
    for octets in [
        &b"EHLO client\r\n"[..],
        b"PROXY TCP4 192.0.2.1\r\n                              ",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 25\nEHLO c\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x12\0\x0c............",
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff",
    ] {
        let mut client = proxied(node.smtp, octets).await;
        assert_eq!(client.line_lossy().await, "", "{octets:?}");
    }
    // One that is cut short, and one that says nothing.
    let mut short = proxied(node.smtp, b"PROXY TCP4 192.0.2.1 ").await;
    short.say_no_more().await;
    assert_eq!(short.line_lossy().await, "");
    let mut silent = Client::connect(node.smtp).await;
    tokio::time::pause();
    assert_eq!(silent.line_lossy().await, "");
    tokio::time::resume();
    let name = "posta_connections_turned_away_total{service=\"smtp\",reason=\"no_proxy_header\"}";
    assert_eq!(figure(&node, name).await, 7.0);
    let refused = |event: &&Event| event.step == EventStep::Connected && event.verdict == Verdict::Refused;
    assert_eq!(node.trace().await.iter().filter(refused).count(), 7);
    node.stop().await;
}

#[tokio::test]
async fn from_anybody_else_a_header_is_a_command_that_does_not_exist() {
    let node = TestNode::start(|config| {
        each(config, Service::Smtp, |listener| listener.proxy_from = vec!["192.0.2.0/24".parse().unwrap()]);
    })
    .await;
    let mut client = proxied(node.smtp, &v1("192.0.2.1")).await;
    client.expect("220 ").await;
    client.expect("500 ").await;
    client.send(b"EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<b@example.net>\r\nDATA\r\ntext\r\n.\r\n").await;
    for code in ["250 ", "250 ", "250 ", "354 ", "250 2.0.0"] {
        client.expect(code).await;
    }
    let message = String::from_utf8(node.last_message().await).unwrap();
    assert!(message.contains("Received: from c ([127.0.0.1])"), "{message}");
    node.stop().await;
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_its_own_share() {
    let node = TestNode::start(|config| {
        behind_proxy(config);
        config.limits.connections_per_address_max = 1;
    })
    .await;
    let mut first = proxied(node.smtp, &v1("192.0.2.1")).await;
    first.expect("220 ").await;
    let mut other = proxied(node.smtp, &v2([192, 0, 2, 2])).await;
    other.expect("220 ").await;
    let mut second = proxied(node.smtp, &v1("192.0.2.1")).await;
    second.expect("421 4.7.0 Too many connections from 192.0.2.1").await;
    second.expect_end().await;
    // The proxy's own questions are nobody's share.
    for _ in 0..3 {
        proxied(node.smtp, b"PROXY UNKNOWN\r\n").await.expect("220 ").await;
    }
    node.stop().await;
}

#[tokio::test]
async fn the_greeting_comes_after_its_delay_and_who_speaks_before_it_is_refused() {
    let node = TestNode::start(|config| {
        each(config, Service::Smtp, |listener| listener.greet_delay_s = Seconds(20));
    })
    .await;
    let mut early = Client::connect(node.smtp).await;
    early.send(b"EHLO c\r\n").await;
    early.expect("554 5.5.0").await;
    early.expect_end().await;
    let mut patient = Client::connect(node.smtp).await;
    tokio::time::pause();
    let began = tokio::time::Instant::now();
    patient.expect("220 ").await;
    assert!(began.elapsed() >= Seconds(20).duration());
    tokio::time::resume();
    assert_eq!(figure(&node, "posta_refusals_total{verb=\"CONNECT\",code=\"554\"}").await, 1.0);
    node.stop().await;
}

#[tokio::test]
async fn lmtp_is_spoken_on_a_socket_that_its_group_may_open() {
    let node = TestNode::start(|config| config.limits.connections_per_address_max = 1).await;
    let path = node.data().join("lmtp.sock");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    // This machine has no share that it could use up.
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = Client::over(UnixStream::connect(&path).await.unwrap());
        client.expect("220 ").await;
        clients.push(client);
    }
    drop(clients);
    node.stop().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_path_that_is_longer_than_the_name_of_a_socket_may_be_serves_too() {
    let node = TestNode::start(|config| {
        let folder = config.data.join("long".repeat(30));
        std::fs::create_dir(&folder).unwrap();
        config.listeners.push(Listener::new(Service::Lmtp, ListenAddress::Unix(folder.join("l.sock"))));
    })
    .await;
    let socket = node.data().join("long".repeat(30)).join("l.sock");
    assert!(socket.exists());
    node.stop().await;
    assert!(!socket.exists());
}

#[tokio::test]
async fn where_there_are_as_many_handshakes_as_there_may_be_starttls_is_454_and_tls_waits_its_turn() {
    let node = TestNode::start(|config| {
        config.tls.handshakes_max = 1;
        each(config, Service::Smtp, |listener| listener.tls = TlsChoice::Offered);
    })
    .await;
    let begin = async |reply: &str| {
        let mut client = Client::connect(node.smtp).await;
        client.send(b"EHLO c\r\nSTARTTLS\r\n").await;
        for reply in ["220 ", "250 ", reply] {
            client.expect(reply).await;
        }
        client
    };
    let first = begin("220 2.0.0").await;
    let mut second = begin("454 4.7.0").await;
    // Mail can be sent without.
    second.send(b"MAIL FROM:<>\r\n").await;
    second.expect("250 ").await;
    // A client of implicit TLS that says nothing takes no turn, and one that speaks gets its own.
    let _silent = TcpStream::connect(node.pop3s).await.unwrap();
    let socket = TcpStream::connect(node.pop3s).await.unwrap();
    let waiting = tokio::spawn(connector(&node).connect("localhost".try_into().unwrap(), socket));
    let name = "localhost".try_into().unwrap();
    let stream = connector(&node).connect(name, first.into_inner()).await.unwrap();
    Client::over(waiting.await.unwrap().unwrap()).expect("+OK").await;
    drop(stream);
    let third = begin("220 2.0.0").await;
    drop((second, third.into_inner()));
    node.stop().await;
}

#[tokio::test]
async fn figures_tell_what_happened_and_nothing_else_is_served() {
    let node = TestNode::start(|_| {}).await;
    assert_eq!(node.deliver(b"text\r\n").await[..4], *"250 ");
    let (head, body) = get(node.http, "GET /metrics HTTP/1.1").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(head.contains("content-type: application/openmetrics-text; version=1.0.0"), "{head}");
    for header in ["x-content-type-options: nosniff", "x-frame-options: deny", "cache-control: no-store"] {
        assert!(head.contains(header), "{header}\n{head}");
    }
    // Each line is a comment or a name with labels and a number.
    let (last, lines) = body.lines().collect::<Vec<_>>().split_last().map(|(l, r)| (*l, r.to_vec())).unwrap();
    assert_eq!(last, "# EOF");
    for line in lines.into_iter().filter(|line| !line.starts_with('#')) {
        let (name, value) = line.rsplit_once(' ').unwrap();
        assert!(name.starts_with("posta_"), "{line}");
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
    assert_eq!(figure(&node, "posta_connections_total{service=\"smtp\"}").await, 1.0);
    assert_eq!(figure(&node, "posta_messages_accepted_total{service=\"smtp\"}").await, 1.0);
    assert_eq!(figure(&node, "posta_accept_seconds_count").await, 1.0);
    assert!(figure(&node, "posta_store_transactions_total").await >= 1.0);
    assert!(figure(&node, "posta_store_sync_seconds_count").await >= 1.0);
    assert!(figure(&node, "posta_store_sync_seconds_bucket{le=\"+Inf\"}").await >= 1.0);
    assert!(figure(&node, "posta_store_disk_free_bytes").await > 0.0);
    let (head, body) = get(node.http, "GET /healthz HTTP/1.1").await;
    assert!(head.starts_with("http/1.1 200 ") && body == "ok\n", "{head}\n{body}");
    for (request, status) in [
        ("GET / HTTP/1.1", "404"),
        ("GET /metrics/ HTTP/1.1", "404"),
        ("GET /../metrics HTTP/1.1", "404"),
        ("POST /metrics HTTP/1.1", "405"),
        ("DELETE /healthz HTTP/1.1", "405"),
    ] {
        let (head, _) = get(node.http, request).await;
        assert!(head.starts_with(&format!("http/1.1 {status} ")), "{request}: {head}");
        assert!(head.contains("x-content-type-options: nosniff"), "{request}: {head}");
    }
    node.stop().await;
}

#[tokio::test]
async fn a_client_of_http_that_is_slow_or_says_too_much_is_let_go() {
    let node = TestNode::start(|_| {}).await;
    let mut large = TcpStream::connect(node.http).await.unwrap();
    let head = format!("GET /healthz HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let _ = large.write_all(head.as_bytes()).await;
    let mut response = Vec::new();
    let _ = large.read_to_end(&mut response).await;
    assert!(response.is_empty() || response.starts_with(b"HTTP/1.1 431 "), "{response:?}");
    let mut slow = TcpStream::connect(node.http).await.unwrap();
    slow.write_all(b"GET /healthz HT").await.unwrap();
    tokio::time::pause();
    let mut response = Vec::new();
    let _ = slow.read_to_end(&mut response).await;
    assert!(!response.starts_with(b"HTTP/1.1 200 "), "{response:?}");
    tokio::time::resume();
    node.stop().await;
}

#[tokio::test]
async fn who_is_behind_a_proxy_is_not_trusted_as_the_proxy_is() {
    let node = TestNode::start(|config| {
        behind_proxy(config);
        config.policy.trusted_networks = vec!["127.0.0.0/8".parse().unwrap(), "192.0.2.7".parse().unwrap()];
    })
    .await;
    for (header, reply) in [
        // In a trusted network itself, or only its proxy is.
        (v1("192.0.2.7"), "250 2.1.5"),
        (v1("192.0.2.8"), "252 2.0.0"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "252 2.0.0"),
    ] {
        let mut client = proxied(node.smtp, &header).await;
        client.send(b"EHLO c\r\nVRFY dev@localhost\r\n").await;
        for reply in ["220 ", "250 ", reply] {
            client.expect(reply).await;
        }
    }
    node.stop().await;
}

#[tokio::test]
async fn http_over_the_limit_of_connections_is_told_503() {
    let node = TestNode::start(|config| config.limits.connections_max = 1).await;
    let mut smtp = Client::connect(node.smtp).await;
    smtp.expect("220 ").await;
    let (head, _) = get(node.http, "GET /healthz HTTP/1.1").await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    node.stop().await;
}
