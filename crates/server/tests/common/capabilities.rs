//! A house with an account for each who comes, and the ways to come: what the test of capabilities speaks.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{self, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use aws_lc_rs::{hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use hmac::{HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256};
use md5::Md5;
use rustls::crypto::aws_lc_rs as provider;
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use sasl::Mechanism;
use server::config::Network;
use server::passwords::{self, SharedSecret};
use store::{AccountChange, Credentials, Directory as _};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use types::directory::AccountSettings;

use crate::common::TestNode;
use crate::imap_client::Imap;

/// What stands in the commands of a table for the account of the session.
pub(crate) const NAME: &str = "ada@localhost";
const PASSWORD: &str = "pencil";

/// What each finds in its INBOX, which are 236 octets.
pub(crate) const MESSAGES: [&[u8]; 2] = [
    b"From: Ann <zoe@example.org>\r\nSubject: hello\r\nMessage-ID: <1@example.org>\r\n\
      Content-Transfer-Encoding: base64\r\n\r\naGVsbG8=\r\n",
    b"From: Bob <ada@example.org>\r\nSubject: Re: hello\r\nMessage-ID: <2@example.org>\r\n\
      References: <1@example.org>\r\n\r\ntext\r\n",
];

/// A socket, or TLS upon it.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// How a client comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// From loopback, in clear.
    Clear,
    /// As a proxy says, from an address of others, in clear.
    FromAfar,
    /// By TLS from the first octet.
    Tls,
}

pub(crate) struct House {
    node: TestNode,
    /// Which is for clients from elsewhere.
    behind_proxy: TestNode,
    credentials: Credentials,
    accounts: AtomicU32,
}

/// A connection, and the account that is there for it.
pub(crate) struct Session {
    pub(crate) imap: Imap<Box<dyn Stream>>,
    pub(crate) account: String,
    way: Way,
    /// What ties a login to the TLS connection (RFC 9266).
    binding: Option<[u8; 32]>,
}

impl House {
    /// With every mechanism that needs no issuer of tokens.
    pub(crate) async fn start() -> Self {
        let proxy: Network = "127.0.0.1/32".parse().unwrap();
        let node = |proxies: Vec<Network>| {
            TestNode::start(move |config| {
                config.auth.mechanisms = Mechanism::ALL.to_vec();
                for listener in &mut config.listeners {
                    listener.proxy_from.clone_from(&proxies);
                }
            })
        };
        let (node, behind_proxy) = (node(Vec::new()).await, node(vec![proxy]).await);
        let credentials = passwords::credentials(PASSWORD, SharedSecret::Keep).unwrap();
        Self { node, behind_proxy, credentials, accounts: AtomicU32::new(0) }
    }

    pub(crate) async fn stop(self) {
        self.node.stop().await;
        self.behind_proxy.stop().await;
    }

    /// A client that has read the greeting, and a new account for it with a quota of 1 MiB.
    pub(crate) async fn connect(&self, way: Way) -> Session {
        let account = format!("a{}@localhost", self.accounts.fetch_add(1, Ordering::Relaxed));
        let node = self.node_of(way);
        node.add(&account, self.credentials.clone()).await;
        let made = node.store().account(&account).await.unwrap().unwrap();
        let settings = AccountSettings { quota_bytes: Some(1 << 20), ..made.settings };
        node.store().change_account(made.id, AccountChange::Settings(settings)).await.unwrap();
        let mut session = match way {
            Way::Clear => {
                let socket = TcpStream::connect(node.imap).await.unwrap();
                Session { imap: Imap::over(Box::new(socket)), account, way, binding: None }
            }
            Way::FromAfar => {
                let mut socket = TcpStream::connect(node.imap).await.unwrap();
                socket.write_all(b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 143\r\n").await.unwrap();
                Session { imap: Imap::over(Box::new(socket)), account, way, binding: None }
            }
            Way::Tls => {
                let socket = TcpStream::connect(node.imaps).await.unwrap();
                self.secure(Box::new(socket), account, way).await
            }
        };
        session.imap.untagged("* OK [CAPABILITY ").await;
        session
    }

    /// A client that has logged in, with [`MESSAGES`] in its INBOX.
    pub(crate) async fn logged_in(&self, way: Way) -> Session {
        let mut session = self.connect(way).await;
        session.log_in().await;
        for message in MESSAGES {
            assert!(session.imap.append("INBOX", "", message).await.end.starts_with("OK"));
        }
        session
    }

    fn node_of(&self, way: Way) -> &TestNode {
        if way == Way::FromAfar { &self.behind_proxy } else { &self.node }
    }

    async fn secure(&self, stream: Box<dyn Stream>, account: String, way: Way) -> Session {
        let ca = self.node_of(way).data().join("tls/ca.pem");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(provider::default_provider()))
            .with_protocol_versions(&[&TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect("localhost".try_into().unwrap(), stream).await.unwrap();
        let exported =
            stream.get_ref().1.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b""));
        Session { imap: Imap::over(Box::new(stream)), account, way, binding: Some(exported.unwrap()) }
    }
}

impl Session {
    /// The names that CAPABILITY tells.
    pub(crate) async fn told(&mut self) -> BTreeSet<String> {
        let answer = self.imap.ok("CAPABILITY").await;
        let names = answer.line("* CAPABILITY ").split(' ').skip(2);
        names.map(str::to_owned).collect()
    }

    pub(crate) async fn log_in(&mut self) {
        let login = format!("LOGIN {} {PASSWORD}", self.account);
        self.imap.ok(&login).await;
    }

    /// The same connection within TLS.
    pub(crate) async fn secured(self, house: &House) -> Self {
        house.secure(self.imap.into_inner(), self.account, self.way).await
    }

    /// Logs in by a mechanism, without an initial response.
    pub(crate) async fn authenticate(&mut self, mechanism: &str) {
        let name = self.account.clone();
        let tag = self.imap.begin(&format!("AUTHENTICATE {mechanism}")).await;
        let challenge = self.challenge().await;
        match mechanism {
            "PLAIN" => self.respond(&format!("\0{name}\0{PASSWORD}")).await,
            "LOGIN" => {
                self.respond(&name).await;
                self.challenge().await;
                self.respond(PASSWORD).await;
            }
            // RFC 2195 §2.
            "CRAM-MD5" => {
                let digest = hmac_md5(PASSWORD.as_bytes(), challenge.as_bytes());
                self.respond(&format!("{name} {digest}")).await;
            }
            scram => self.scram(scram, &name).await,
        }
        let end = self.imap.answer(&tag).await.end;
        assert!(end.starts_with("OK"), "{mechanism}: {end}");
    }

    /// RFC 5802 §3 and §5, of which the server shows in its last message that it knows the password.
    async fn scram(&mut self, mechanism: &str, name: &str) {
        let (hash, code, derived) = if mechanism.contains("SHA-256") {
            (&SHA256, HMAC_SHA256, pbkdf2::PBKDF2_HMAC_SHA256)
        } else {
            (&SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA1_FOR_LEGACY_USE_ONLY, pbkdf2::PBKDF2_HMAC_SHA1)
        };
        let sign = |key: &[u8], text: &str| hmac::sign(&hmac::Key::new(code, key), text.as_bytes());
        let binding = self.binding.filter(|_| mechanism.ends_with("-PLUS"));
        let gs2 = if binding.is_some() { "p=tls-exporter,," } else { "n,," };
        let bare = format!("n={name},r=rOprNGfwEbeRWgbNEkqO");
        self.respond(&format!("{gs2}{bare}")).await;
        let first = self.challenge().await;
        let attribute = |at: usize| &first.split(',').nth(at).unwrap()[2..];
        let salt = BASE64.decode(attribute(1)).unwrap();
        let mut salted = vec![0; hash.output_len()];
        pbkdf2::derive(derived, attribute(2).parse().unwrap(), &salt, PASSWORD.as_bytes(), &mut salted);
        let client_key = sign(&salted, "Client Key");
        let stored_key = digest::digest(hash, client_key.as_ref());
        let channel =
            BASE64.encode([gs2.as_bytes(), binding.as_ref().map_or(&[], |octets| &octets[..])].concat());
        let without_proof = format!("c={channel},r={}", attribute(0));
        let signed = format!("{bare},{first},{without_proof}");
        let signature = sign(stored_key.as_ref(), &signed);
        let pairs = client_key.as_ref().iter().zip(signature.as_ref());
        let proof: Vec<u8> = pairs.map(|(one, other)| one ^ other).collect();
        self.respond(&format!("{without_proof},p={}", BASE64.encode(proof))).await;
        let server_key = sign(&salted, "Server Key");
        let wanted = sign(server_key.as_ref(), &signed);
        assert_eq!(self.challenge().await, format!("v={}", BASE64.encode(wanted)), "{mechanism}");
        self.respond("").await;
    }

    async fn challenge(&mut self) -> String {
        let line = self.imap.untagged("+ ").await;
        String::from_utf8(BASE64.decode(&line[2..]).unwrap()).unwrap()
    }

    async fn respond(&mut self, text: &str) {
        self.imap.send(format!("{}\r\n", BASE64.encode(text)).as_bytes()).await;
    }

    /// A command within raw DEFLATE (RFC 4978), and its answer.
    pub(crate) async fn compressed_noop(self) {
        let mut stream = self.imap.into_inner();
        let mut octets = Vec::with_capacity(1000);
        Compress::new(Compression::fast(), false)
            .compress_vec(b"c NOOP\r\n", &mut octets, FlushCompress::Sync)
            .unwrap();
        stream.write_all(&octets).await.unwrap();
        let (mut inflate, mut text) = (Decompress::new(false), Vec::with_capacity(1000));
        while !text.ends_with(b"\r\n") {
            let octet = [stream.read_u8().await.unwrap()];
            inflate.decompress_vec(&octet, &mut text, FlushDecompress::Sync).unwrap();
        }
        assert!(text.starts_with(b"c OK "), "{text:?}");
    }

    /// RFC 9585: a search that takes minutes, since they pass whenever it lets others have their turn.
    pub(crate) async fn told_of_progress(mut self) {
        // No message may be in a mailbox more than 1,000 times.
        for message in MESSAGES {
            self.imap.append("INBOX", "", message).await;
        }
        for doubling in 1..10 {
            self.imap.ok(&format!("COPY 1:{} INBOX", MESSAGES.len() << doubling)).await;
        }
        tokio::time::pause();
        let passing = tokio::spawn(async {
            loop {
                tokio::time::advance(Duration::from_secs(4)).await;
            }
        });
        let tag = self.imap.begin(&format!("SEARCH {}SUBJECT nothing", "ALL ".repeat(2500))).await;
        let answer = self.imap.answer(&tag).await;
        passing.abort();
        tokio::time::resume();
        assert!(answer.has(&format!("* OK [INPROGRESS (\"{tag}\" ")), "{answer:?}");
        assert!(answer.end.starts_with("OK"), "{answer:?}");
    }
}

/// RFC 2104, in hexadecimal; the key is shorter than a block.
fn hmac_md5(key: &[u8], text: &[u8]) -> String {
    use md5::Digest as _;
    let padded =
        |with: u8| -> Vec<u8> { (0..64).map(|at| key.get(at).copied().unwrap_or(0) ^ with).collect() };
    let inner = Md5::new().chain_update(padded(0x36)).chain_update(text).finalize();
    let outer = Md5::new().chain_update(padded(0x5c)).chain_update(inner).finalize();
    outer.iter().fold(String::new(), |text, octet| format!("{text}{octet:02x}"))
}
