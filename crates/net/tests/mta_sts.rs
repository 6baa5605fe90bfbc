//! Policies from an HTTPS server in this process: RFC 8461 §3.3 and §5.1.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that stops has failed")]

use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use net::mta_sts::{
    Addresses, Fetch, FetchError, Found, Https, HttpsOptions, Mode, MtaSts, POLICY_OCTETS_MAX, PolicyError,
    Problem,
};
use net::tls::Roots;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use types::dns::{DnsTrouble, Lookup, Validation};
use types::{Domain, Timestamp};

const POLICY: &str = "version: STSv1\r\nmode: enforce\r\nmx: mx.example.com\r\nmax_age: 604800\r\n";
const HOST: &str = "mta-sts.example.com";

/// An authority, and a policy host on loopback that gives one answer to each connection.
struct PolicyHost {
    folder: tempfile::TempDir,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// What the policy host does with a connection.
enum Act {
    /// After the request, this, and then the end.
    Answer(Vec<u8>),
    /// After the request, this, and then nothing until the other side goes.
    Stall(Vec<u8>),
    /// The same, of somebody who is left long before anybody's patience ends.
    Flood(Vec<u8>),
}

/// The address of the policy host, whatever is asked.
struct Here(Vec<IpAddr>);

#[async_trait]
impl Addresses for Here {
    async fn addresses(&self, host: &Domain) -> Vec<IpAddr> {
        assert_eq!(host.ascii(), HOST);
        self.0.clone()
    }
}

impl PolicyHost {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("roots.pem"), authority.pem()).unwrap();
        Self { folder, authority }
    }

    fn roots(&self) -> PathBuf {
        self.folder.path().join("roots.pem")
    }

    /// With a certificate for `name` that ends in `year`.
    fn config(&self, name: &str, year: i32) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(year, 1, 1);
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }

    fn https(&self, port: u16, timeout: Duration) -> Https {
        let options = HttpsOptions { roots: Roots::File(self.roots()), port, timeout };
        Https::new(Arc::new(Here(vec![Ipv4Addr::LOCALHOST.into()])), options).unwrap()
    }

    /// What is fetched from a host that does this, and the request that it saw.
    async fn fetch(&self, act: Act) -> (Result<Vec<u8>, FetchError>, String) {
        self.fetch_from(self.config(HOST, 2999), act).await
    }

    async fn fetch_from(&self, config: Arc<ServerConfig>, act: Act) -> (Result<Vec<u8>, FetchError>, String) {
        // What must not be decided by the clock gets all the time that it needs.
        let timeout = match act {
            Act::Answer(_) | Act::Flood(_) => Duration::from_secs(30),
            Act::Stall(_) => Duration::from_secs(1),
        };
        let (address, server) = serve(config, act);
        let fetched = self.https(address.port(), timeout).fetch(&domain("example.com")).await;
        (fetched, server.join().unwrap())
    }
}

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

/// One connection, on a thread that ends with it. It gives the name asked for in the handshake and the request.
fn serve(config: Arc<ServerConfig>, act: Act) -> (SocketAddr, std::thread::JoinHandle<String>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let thread = std::thread::spawn(move || {
        let (socket, _) = listener.accept().unwrap();
        answer(socket, config, &act).unwrap_or_default()
    });
    (address, thread)
}

fn answer(socket: TcpStream, config: Arc<ServerConfig>, act: &Act) -> std::io::Result<String> {
    let connection = ServerConnection::new(config).map_err(std::io::Error::other)?;
    let mut stream = StreamOwned::new(connection, socket);
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        if stream.read(&mut octet)? == 0 {
            return Ok(String::new());
        }
        request.push(octet[0]);
    }
    let name = stream.conn.server_name().unwrap_or("-").to_owned();
    let said = format!("{name}\n{}", String::from_utf8_lossy(&request));
    match act {
        Act::Answer(octets) => {
            // The other side goes when it has seen enough.
            if stream.write_all(octets).and_then(|()| stream.flush()).is_ok() {
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        }
        Act::Stall(octets) | Act::Flood(octets) => {
            stream.write_all(octets)?;
            stream.flush()?;
            let _ = stream.read(&mut [0]);
        }
    }
    Ok(said)
}

fn http(status: &str, kind: &str, body: &str) -> Act {
    let length = body.len();
    Act::Answer(
        format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}").into(),
    )
}

#[tokio::test]
async fn a_policy_is_fetched_from_its_well_known_place() {
    let host = PolicyHost::new();
    for kind in ["text/plain", "text/plain; charset=utf-8", "Text/Plain;charset=us-ascii; x=y"] {
        let (fetched, said) = host.fetch(http("200 OK", kind, POLICY)).await;
        assert_eq!(fetched, Ok(POLICY.as_bytes().to_vec()), "{kind}");
        // RFC 8461 §7.1: the name in the handshake.
        assert!(said.starts_with("mta-sts.example.com\nGET /.well-known/mta-sts.txt HTTP/1.1\r\n"), "{said}");
        assert!(said.to_lowercase().contains("\r\nhost: mta-sts.example.com\r\n"), "{said}");
    }
}

#[tokio::test]
async fn a_redirection_is_not_followed() {
    let host = PolicyHost::new();
    // Who followed it would come back here, where nobody listens any more, and say that.
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let there = "https://mta-sts.example.com/other";
        let answer = format!("HTTP/1.1 {status}\r\nLocation: {there}\r\nContent-Length: 0\r\n\r\n");
        let (fetched, _) = host.fetch(Act::Answer(answer.into())).await;
        let code = status[..3].parse().unwrap();
        assert_eq!(fetched, Err(FetchError::Status(code)));
    }
}

#[tokio::test]
async fn only_status_200_gives_a_policy() {
    let host = PolicyHost::new();
    for (status, code) in
        [("404 Not Found", 404), ("500 Oops", 500), ("201 Created", 201), ("203 Other", 203)]
    {
        let (fetched, _) = host.fetch(http(status, "text/plain", POLICY)).await;
        assert_eq!(fetched, Err(FetchError::Status(code)));
    }
}

#[tokio::test]
async fn only_plain_text_is_a_policy() {
    let host = PolicyHost::new();
    for kind in ["text/html", "application/octet-stream", "text/plainer", ""] {
        let (fetched, _) = host.fetch(http("200 OK", kind, POLICY)).await;
        assert_eq!(fetched, Err(FetchError::MediaType), "{kind:?}");
    }
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{POLICY}", POLICY.len());
    let (fetched, _) = host.fetch(Act::Answer(answer.into())).await;
    assert_eq!(fetched, Err(FetchError::MediaType));
}

#[tokio::test]
async fn a_policy_of_64_kib_is_taken_and_one_more_octet_is_not() {
    let host = PolicyHost::new();
    let largest = "x".repeat(POLICY_OCTETS_MAX);
    let (fetched, _) = host.fetch(http("200 OK", "text/plain", &largest)).await;
    assert_eq!(fetched.map(|text| text.len()), Ok(POLICY_OCTETS_MAX));
    let (fetched, _) = host.fetch(http("200 OK", "text/plain", &format!("{largest}x"))).await;
    assert_eq!(fetched, Err(FetchError::TooLarge));
    // Without a length, too.
    let endless =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n{largest}x");
    let (fetched, _) = host.fetch(Act::Answer(endless.into())).await;
    assert_eq!(fetched, Err(FetchError::TooLarge));
}

#[tokio::test]
async fn headers_without_end_are_not_read_to_it() {
    let host = PolicyHost::new();
    let many = format!("HTTP/1.1 200 OK\r\n{}", format!("X-Y: {}\r\n", "z".repeat(90)).repeat(400));
    let (fetched, _) = host.fetch(Act::Flood(many.into())).await;
    assert!(matches!(fetched, Err(FetchError::Unreachable(_))), "{fetched:?}");
}

#[tokio::test]
async fn a_certificate_of_another_host_or_of_former_times_is_refused() {
    let host = PolicyHost::new();
    for config in [
        host.config("example.com", 2999),
        host.config("mta-sts.example.net", 2999),
        host.config(HOST, 2001),
        PolicyHost::new().config(HOST, 2999),
    ] {
        let (fetched, said) = host.fetch_from(config, http("200 OK", "text/plain", POLICY)).await;
        assert!(matches!(fetched, Err(FetchError::Certificate(_))), "{fetched:?}");
        assert_eq!(said, "");
    }
    // A wildcard is a name too (RFC 8461 §3.3).
    let (fetched, _) =
        host.fetch_from(host.config("*.example.com", 2999), http("200 OK", "text/plain", POLICY)).await;
    assert!(fetched.is_ok());
}

#[tokio::test]
async fn a_policy_host_that_is_slow_is_left() {
    let host = PolicyHost::new();
    for said in ["", "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 9\r\n\r\nversion"] {
        let (fetched, _) = host.fetch(Act::Stall(said.into())).await;
        assert_eq!(fetched, Err(FetchError::TimedOut));
    }
}

#[tokio::test]
async fn a_policy_host_that_is_not_there_is_told() {
    let host = PolicyHost::new();
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
    let fetched = host.https(port, Duration::from_secs(30)).fetch(&domain("example.com")).await;
    assert!(matches!(fetched, Err(FetchError::Unreachable(_))), "{fetched:?}");
    let options = HttpsOptions { roots: Roots::File(host.roots()), ..HttpsOptions::default() };
    let nowhere = Https::new(Arc::new(Here(Vec::new())), options).unwrap();
    assert_eq!(nowhere.fetch(&domain("example.com")).await, Err(FetchError::NoAddress));
    let long = format!("{0}.{0}.{0}.{1}.de", "d".repeat(60), "e".repeat(62));
    assert_eq!(nowhere.fetch(&domain(&long)).await, Err(FetchError::Name));
}

/// Answers in turn, and how often it was asked.
#[derive(Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Vec<u8>, FetchError>>>,
    asked: AtomicUsize,
}

#[async_trait]
impl Fetch for Script {
    async fn fetch(&self, _domain: &Domain) -> Result<Vec<u8>, FetchError> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        // Others come in between.
        tokio::task::yield_now().await;
        self.answers.lock().unwrap().pop_front().unwrap_or(Err(FetchError::TimedOut))
    }
}

impl Script {
    fn of(answers: impl IntoIterator<Item = Result<&'static str, FetchError>>) -> Arc<Self> {
        let answers = answers.into_iter().map(|answer| answer.map(|text| text.as_bytes().to_vec()));
        Arc::new(Self { answers: Mutex::new(answers.collect()), asked: AtomicUsize::new(0) })
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

const START: Timestamp = Timestamp::from_millis(1_795_322_124_250);

fn after(seconds: u64) -> Timestamp {
    START.plus(Duration::from_secs(seconds))
}

fn txt(text: &str) -> Lookup<Vec<u8>> {
    Lookup::Records { records: vec![text.into()], alias_of: None, validation: Validation::Insecure }
}

fn mode(found: &Found) -> Option<Mode> {
    found.policy.as_ref().map(|policy| policy.mode)
}

const TESTING: &str = "version: STSv1\nmode: testing\nmx: mx.example.com\nmax_age: 86400\n";

#[tokio::test]
async fn a_new_id_brings_a_new_policy_and_the_old_one_holds_where_it_cannot_be_had() {
    let script = Script::of([Ok(POLICY), Ok(TESTING), Err(FetchError::Status(404)), Ok("<html>")]);
    let (policies, problem) = MtaSts::open(script.clone(), None, START);
    assert_eq!(problem, None);
    let name = domain("example.com");
    let found = policies.find(&name, &txt("v=STSv1; id=1;"), START).await;
    assert_eq!((mode(&found), found.problem), (Some(Mode::Enforce), None));
    let found = policies.find(&name, &txt("v=STSv1; id=1;"), after(60)).await;
    assert_eq!((mode(&found), script.asked()), (Some(Mode::Enforce), 1));
    let found = policies.find(&name, &txt("v=STSv1; id=2;"), after(60)).await;
    assert_eq!((mode(&found), script.asked()), (Some(Mode::Testing), 2));
    let found = policies.find(&name, &txt("v=STSv1; id=3;"), after(60)).await;
    assert_eq!(mode(&found), Some(Mode::Testing));
    assert_eq!(found.problem, Some(Problem::Fetch(FetchError::Status(404))));
    // For five minutes nobody asks again, and it is told once.
    let found = policies.find(&name, &txt("v=STSv1; id=3;"), after(61)).await;
    assert_eq!((mode(&found), found.problem, script.asked()), (Some(Mode::Testing), None, 3));
    let found = policies.find(&name, &txt("v=STSv1; id=3;"), after(60 + 300)).await;
    assert_eq!(mode(&found), Some(Mode::Testing));
    assert_eq!(found.problem, Some(Problem::Policy(PolicyError::Line(1))));
    assert_eq!(policies.known(after(360)), 1);
}

/// RFC 8461 §10.2: silence takes nothing away.
#[tokio::test]
async fn a_policy_outlives_its_record_until_it_expires() {
    let script = Script::of([Ok(TESTING)]);
    let (policies, _) = MtaSts::open(script.clone(), None, START);
    let name = domain("example.com");
    policies.find(&name, &txt("v=STSv1; id=1;"), START).await;
    let several = Lookup::Records {
        records: vec![b"v=STSv1; id=1;".to_vec(), b"v=STSv1; id=2;".to_vec()],
        alias_of: None,
        validation: Validation::Insecure,
    };
    for lookup in [
        Lookup::NoSuchName,
        Lookup::NoData { alias_of: None },
        Lookup::Trouble(DnsTrouble::TimedOut),
        Lookup::Trouble(DnsTrouble::Bogus),
        txt("v=spf1 -all"),
        txt("v=STSv1; id=;"),
        several,
    ] {
        let found = policies.find(&name, &lookup, after(3600)).await;
        assert_eq!(mode(&found), Some(Mode::Testing), "{lookup:?}");
        // And without one before there is none.
        let found = policies.find(&domain("other.example"), &lookup, after(3600)).await;
        assert_eq!(mode(&found), None, "{lookup:?}");
    }
    let found = policies.find(&name, &Lookup::NoSuchName, after(86_400)).await;
    assert_eq!((mode(&found), script.asked()), (None, 1));
    assert_eq!(policies.known(after(86_400)), 0);
}

#[tokio::test]
async fn many_who_ask_at_once_have_one_fetch_among_them() {
    let script = Script::of([Ok(POLICY)]);
    let (policies, _) = MtaSts::open(script.clone(), None, START);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let policies = policies.clone();
        tasks
            .spawn(async move { policies.find(&domain("example.com"), &txt("v=STSv1; id=1;"), START).await });
    }
    while let Some(found) = tasks.join_next().await {
        assert_eq!(mode(&found.unwrap()), Some(Mode::Enforce));
    }
    assert_eq!(script.asked(), 1);
}

#[tokio::test]
async fn a_fetch_that_fails_is_one_for_all_who_wait() {
    let script = Script::of([Err(FetchError::TimedOut), Ok(POLICY)]);
    let (policies, _) = MtaSts::open(script.clone(), None, START);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let policies = policies.clone();
        tasks
            .spawn(async move { policies.find(&domain("example.com"), &txt("v=STSv1; id=1;"), START).await });
    }
    let mut told = 0;
    while let Some(found) = tasks.join_next().await {
        let found = found.unwrap();
        assert_eq!(mode(&found), None);
        told += usize::from(found.problem.is_some());
    }
    assert_eq!((told, script.asked()), (1, 1));
}

#[tokio::test]
async fn a_restart_forgets_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mta-sts");
    let name = domain("example.com");
    {
        let (policies, _) = MtaSts::open(Script::of([Ok(POLICY)]), Some(file.clone()), START);
        let found = policies.find(&name, &txt("v=STSv1; id=1;"), START).await;
        assert_eq!(found.problem, None);
    }
    let script = Script::of([]);
    let (policies, problem) = MtaSts::open(script.clone(), Some(file.clone()), after(3600));
    assert_eq!(problem, None);
    for lookup in [txt("v=STSv1; id=1;"), Lookup::NoSuchName] {
        let found = policies.find(&name, &lookup, after(3600)).await;
        assert_eq!((mode(&found), script.asked()), (Some(Mode::Enforce), 0));
    }
    // A week later it is over.
    let (policies, _) = MtaSts::open(script, Some(file.clone()), after(604_800));
    assert_eq!(mode(&policies.find(&name, &Lookup::NoSuchName, after(604_800)).await), None);
    // A file that is damaged is told, and replaced when there is something to keep.
    std::fs::write(&file, "posta-mta-sts 1\nnonsense").unwrap();
    let (policies, problem) = MtaSts::open(Script::of([Ok(POLICY)]), Some(file.clone()), START);
    assert!(matches!(problem, Some(Problem::File { .. })), "{problem:?}");
    policies.find(&name, &txt("v=STSv1; id=1;"), START).await;
    assert_eq!(MtaSts::open(Script::of([]), Some(file), START).0.known(START), 1);
}

#[tokio::test]
async fn policies_that_cannot_be_kept_hold_all_the_same_and_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("missing").join("mta-sts");
    let (policies, problem) = MtaSts::open(Script::of([Ok(POLICY)]), Some(file), START);
    assert_eq!(problem, None);
    let found = policies.find(&domain("example.com"), &txt("v=STSv1; id=1;"), START).await;
    assert_eq!(mode(&found), Some(Mode::Enforce));
    assert!(matches!(found.problem, Some(Problem::File { .. })));
}

/// RFC 8461 §3.3.
#[tokio::test]
async fn policies_are_read_again_once_a_day_before_they_expire() {
    let day = 86_400;
    let script = Script::of([Ok(POLICY), Ok(TESTING), Err(FetchError::TimedOut)]);
    let (policies, _) = MtaSts::open(script.clone(), None, START);
    let name = domain("example.com");
    policies.find(&name, &txt("v=STSv1; id=1;"), START).await;
    assert!(policies.refresh(after(day - 1)).await.is_empty());
    assert_eq!(script.asked(), 1);
    assert!(policies.refresh(after(day)).await.is_empty());
    assert_eq!(script.asked(), 2);
    let found = policies.find(&name, &txt("v=STSv1; id=1;"), after(day)).await;
    assert_eq!((mode(&found), script.asked()), (Some(Mode::Testing), 2));
    let problems = policies.refresh(after(day + day / 2)).await;
    assert_eq!(problems, [(name.clone(), Problem::Fetch(FetchError::TimedOut))]);
    let found = policies.find(&name, &txt("v=STSv1; id=1;"), after(day + day / 2)).await;
    assert_eq!(mode(&found), Some(Mode::Testing));
}

#[tokio::test]
async fn a_policy_that_is_a_day_old_is_used_and_read_again_meanwhile() {
    let script = Script::of([Ok(POLICY), Ok(TESTING)]);
    let (policies, _) = MtaSts::open(script.clone(), None, START);
    let name = domain("example.com");
    policies.find(&name, &txt("v=STSv1; id=1;"), START).await;
    let found = policies.find(&name, &txt("v=STSv1; id=1;"), after(86_400)).await;
    assert_eq!(mode(&found), Some(Mode::Enforce));
    // The other task has its turn when this one waits.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(script.asked(), 2);
    let found = policies.find(&name, &txt("v=STSv1; id=1;"), after(86_400)).await;
    assert_eq!(mode(&found), Some(Mode::Testing));
}
