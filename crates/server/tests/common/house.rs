#![allow(dead_code, reason = "each test program uses a part of this")]
#![allow(clippy::unwrap_used, reason = "a test that stops has failed")]
//! A mail server as an operator has it, with people, aliases and lists of `example.org`; and clients that come to it
//! from wherever, over TCP, TLS and the socket of LMTP.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mta::route::{Pattern, Transport};
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use server::config::{
    Auth, AuthChoice, Config, Mode, Recipients, Service, TlsChoice, TransportRule, Transports,
};
use server::passwords;
use store::{
    Account, AccountChange, AppPassword, BodyStream, Credentials, Directory as _, MailboxId, Mailboxes as _,
    NewAccount, Put, Queue as _, QueueItem,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpSocket, TcpStream, UnixStream};
use tokio_rustls::TlsConnector;
use types::Timestamp;
use types::directory::{
    AccountSettings, AccountStatus, AddressEntry, AddressKind, DomainEntry, Expandable, FromRewriting,
    ListBounces, MailingList, MovedHandling, Posters, SendAs,
};

use crate::common::{Client, TestNode};

/// What everybody logs in with.
pub(crate) const PASSWORD: &str = "tiger-lily-2036-seven";
/// A client from here is nobody in particular.
pub(crate) const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A client from here is in a trusted network.
pub(crate) const TRUSTED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// A proxy, where the configuration knows one.
pub(crate) const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 5));

/// As for the Internet: nobody's mail is taken but that for `example.org`. On port 25 one may log in, within TLS.
pub(crate) fn production(config: &mut Config) {
    config.mode = Mode::Production;
    config.host_name = "mail.example.org".parse().unwrap();
    config.recipients = Recipients::Domains(Vec::new());
    config.auth = Auth::default();
    // Mail for others is accepted, and stays where a test can look at it.
    config.transports = Transports::new(vec![TransportRule::new(Pattern::Everything, Transport::OnDemand)]);
    config.policy.trusted_networks = vec!["127.0.0.2/32".parse().unwrap()];
    for listener in &mut config.listeners {
        match listener.service {
            Service::Smtp => listener.auth = AuthChoice::Offered,
            Service::Submission => {
                listener.auth = AuthChoice::Default;
                listener.tls = TlsChoice::Default;
            }
            _ => {}
        }
    }
}

/// A node with its people.
pub(crate) async fn house(change: impl FnOnce(&mut Config)) -> TestNode {
    let node = TestNode::start(|config| {
        production(config);
        change(config);
    })
    .await;
    node.store().put_domain(DomainEntry::new("example.org".parse().unwrap()), Put::New).await.unwrap();
    let left = AccountStatus::Disabled { reason: "left".into() };
    for (name, settings) in [
        ("ada", AccountSettings::default()),
        ("bob", AccountSettings::default()),
        ("carol", AccountSettings::default()),
        ("robot", AccountSettings { send_as: vec![SendAs::Anyone], ..AccountSettings::default() }),
        ("gone", AccountSettings { status: left, ..AccountSettings::default() }),
        ("full", AccountSettings { quota_bytes: Some(100), ..AccountSettings::default() }),
    ] {
        add(&node, &format!("{name}@example.org"), settings).await;
    }
    alias(&node, "friends@example.org", &["ada@example.org", "bob@example.org"]).await;
    moved(&node, "moved-on@example.org", "bob@example.org", MovedHandling::Forward).await;
    moved(&node, "moved@example.org", "her@elsewhere.example", MovedHandling::Refuse).await;
    list(&node, "open@example.org", Posters::Anyone, &["ada@example.org", "bob@example.org"]).await;
    list(&node, "closed@example.org", Posters::Owner, &["ada@example.org", "bob@example.org"]).await;
    node
}

pub(crate) async fn add(node: &TestNode, name: &str, settings: AccountSettings) {
    let at = Timestamp::from_millis(1_795_322_124_250);
    let app_password = AppPassword {
        name: "tests".into(),
        sha256: passwords::app_password_sha256(PASSWORD),
        created_at: at,
        last_used_at: Some(at),
    };
    let credentials = Credentials { app_passwords: vec![app_password], ..Credentials::default() };
    let account = NewAccount { credentials, settings, ..NewAccount::new(name, at) };
    node.store().create_account(account).await.unwrap();
}

pub(crate) async fn account(node: &TestNode, name: &str) -> Account {
    node.store().account(name).await.unwrap().unwrap()
}

/// Changes what an account may do.
pub(crate) async fn set(node: &TestNode, name: &str, change: impl FnOnce(&mut AccountSettings)) {
    let Account { id, mut settings, .. } = account(node, name).await;
    change(&mut settings);
    node.store().change_account(id, AccountChange::Settings(settings)).await.unwrap();
}

pub(crate) async fn put(node: &TestNode, address: &str, kind: AddressKind) {
    let entry = AddressEntry { address: address.parse().unwrap(), kind };
    node.store().put_address(entry, Put::New).await.unwrap();
}

pub(crate) async fn alias(node: &TestNode, address: &str, targets: &[&str]) {
    let targets = targets.iter().map(|target| target.parse().unwrap()).collect();
    put(node, address, AddressKind::Alias { targets }).await;
}

async fn moved(node: &TestNode, address: &str, to: &str, handling: MovedHandling) {
    put(node, address, AddressKind::Moved { to: to.parse().unwrap(), handling }).await;
}

/// Bob has it.
pub(crate) async fn list(node: &TestNode, address: &str, posters: Posters, members: &[&str]) {
    let list = MailingList {
        owner: "bob@example.org".parse().unwrap(),
        members: members.iter().map(|member| member.parse().unwrap()).collect(),
        posters,
        bounces: ListBounces::Verp,
        description: "A list".into(),
        expandable: Expandable::ToMembers,
        from: FromRewriting::IfNeeded,
    };
    put(node, address, AddressKind::List(list)).await;
}

/// All messages of an account, oldest first.
pub(crate) async fn inbox(node: &TestNode, name: &str) -> Vec<String> {
    messages(node, account(node, name).await.inbox).await
}

/// All messages of another mailbox of an account; none where there is no such mailbox.
pub(crate) async fn folder(node: &TestNode, name: &str, mailbox: &str) -> Vec<String> {
    let mailboxes = node.store().mailboxes(account(node, name).await.id).await.unwrap();
    match mailboxes.iter().find(|found| found.name == mailbox) {
        Some(found) => messages(node, found.id).await,
        None => Vec::new(),
    }
}

async fn messages(node: &TestNode, mailbox: MailboxId) -> Vec<String> {
    let mut found = Vec::new();
    for entry in node.store().messages(mailbox, None, usize::MAX).await.unwrap() {
        let stream = node.store().open(mailbox, entry.uid).await.unwrap();
        found.push(content(stream).await);
    }
    found
}

async fn content(mut stream: Box<dyn BodyStream>) -> String {
    let mut content = Vec::new();
    loop {
        let octets = stream.next().await.unwrap();
        if octets.is_empty() {
            return String::from_utf8(content).unwrap();
        }
        content.extend_from_slice(&octets);
    }
}

/// All that waits, oldest first.
pub(crate) async fn queue(node: &TestNode) -> Vec<QueueItem> {
    node.store().queue_page(None, None, usize::MAX).await.unwrap()
}

/// The message of an item, as the other host gets it.
pub(crate) async fn queued(node: &TestNode, item: &QueueItem) -> String {
    content(node.store().open_queued(item.id).await.unwrap()).await
}

/// The values of all fields of this name, unfolded.
pub(crate) fn fields(message: &str, name: &str) -> Vec<String> {
    let header = message.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
    header
        .split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .filter(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
        .collect()
}

/// When TLS begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    Clear,
    StartTls,
    Tls,
}

pub(crate) trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

pub(crate) type Talk = Client<Box<dyn Duplex>>;

pub(crate) async fn from(client: IpAddr, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind((client, 0).into()).unwrap();
    let socket = socket.connect(to).await.unwrap();
    socket.set_nodelay(true).unwrap();
    socket
}

pub(crate) async fn within_tls(node: &TestNode, socket: TcpStream) -> Talk {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(node.data().join("tls/ca.pem")).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    Client::over(Box::new(connector.connect("localhost".try_into().unwrap(), socket).await.unwrap()))
}

/// A session that has said EHLO, within TLS where that is the way.
pub(crate) async fn talk(node: &TestNode, client: IpAddr, to: SocketAddr, way: Way) -> Talk {
    let socket = from(client, to).await;
    let mut talk: Talk = match way {
        Way::Clear => Client::over(Box::new(socket)),
        Way::Tls => within_tls(node, socket).await,
        Way::StartTls => {
            let mut clear = Client::over(socket);
            clear.expect("220 ").await;
            clear.send(b"EHLO client.example\r\nSTARTTLS\r\n").await;
            clear.expect("250 ").await;
            clear.expect("220 2.0.0").await;
            within_tls(node, clear.into_inner()).await
        }
    };
    if way != Way::StartTls {
        talk.expect("220 ").await;
    }
    assert!(talk.say("EHLO client.example").await.starts_with("250 "));
    talk
}

/// A session of LMTP on its socket.
pub(crate) async fn talk_lmtp(node: &TestNode) -> Talk {
    let socket = UnixStream::connect(node.data().join("lmtp.sock")).await.unwrap();
    let mut talk: Talk = Client::over(Box::new(socket));
    talk.expect("220 ").await;
    assert!(talk.say("LHLO client.example").await.starts_with("250 "));
    talk
}

/// A session of submission, logged in.
pub(crate) async fn logged_in(node: &TestNode, name: &str) -> Talk {
    let mut talk = talk(node, STRANGER, node.submission, Way::StartTls).await;
    assert_eq!(talk.say(&auth_plain(name)).await, "235 2.7.0 Authentication succeeded");
    talk
}

pub(crate) fn auth_plain(name: &str) -> String {
    format!("AUTH PLAIN {}", BASE64.encode(format!("\0{name}\0{PASSWORD}")))
}

impl Talk {
    /// The last line of the reply to a command.
    pub(crate) async fn say(&mut self, command: &str) -> String {
        self.send(format!("{command}\r\n").as_bytes()).await;
        self.reply().await.pop().unwrap()
    }

    /// Says each command and hears what it has to.
    pub(crate) async fn dialogue(&mut self, rows: &[(&str, &str)]) {
        for (command, start) in rows {
            let reply = self.say(command).await;
            assert!(reply.starts_with(start), "{command}: expected {start:?}, heard {reply:?}");
        }
    }

    /// The reply to the end of a message that goes to these, who all must be accepted. `mail` is the argument of
    /// MAIL.
    pub(crate) async fn post(&mut self, mail: &str, to: &[&str], message: &str) -> String {
        let reply = self.say(&format!("MAIL FROM:{mail}")).await;
        assert!(reply.starts_with("250 2.1.0"), "{mail}: {reply}");
        for recipient in to {
            let reply = self.say(&format!("RCPT TO:<{recipient}>")).await;
            assert!(reply.starts_with("25"), "{recipient}: {reply}");
        }
        assert!(self.say("DATA").await.starts_with("354 "));
        self.say(&format!("{message}\r\n.")).await
    }
}

/// The id in `250 2.0.0 Message accepted and stored as ID`, or in brackets at the end of a refusal.
pub(crate) fn id_in(reply: &str) -> types::MailId {
    let last = reply.rsplit(' ').next().unwrap();
    last.trim_matches(['[', ']']).parse().unwrap_or_else(|_| panic!("there is no id: {reply}"))
}
