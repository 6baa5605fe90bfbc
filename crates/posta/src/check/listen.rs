//! A mail server for one message: the same engine as everywhere, in a folder that goes with it, for one address that nobody can
//! guess. Everything for others is refused as the engine refuses it.
//!
//! Whoever got a 250 is told of it: what came behind the first message while the server was stopping is returned too, so what
//! is there is read after the last session has ended.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::store::embedded::{Embedded, Options};
use ::store::{AccountId, Directory as _, Mailboxes as _, NewAccount, StoreError};
use serde_json::json;
use server::Node;
use server::config::{
    AuthChoice, Authenticity, CertificateSource, Config, Listener, Log, LogLevel, Recipients, Service,
    Switch, TlsChoice,
};
use types::Domain;

use super::message::MessageArgs;
use crate::exit::{Exit, Failure};
use crate::terminal;
use crate::trace::now;

/// Waits until a message is stored, and returns all that were taken, with the fields of their delivery.
pub(super) fn messages(args: &MessageArgs) -> Result<Vec<Vec<u8>>, Failure> {
    let internal = |error: std::io::Error| Failure::new(Exit::Internal, error);
    let folder = tempfile::Builder::new().prefix("posta-check-").tempdir().map_err(|error| {
        Failure::new(Exit::CannotCreate, format_args!("cannot make a folder for the message: {error}"))
    })?;
    let domain = args.domain.clone().map_or_else(|| "localhost".parse(), Ok);
    let domain: Domain = domain.map_err(|error| Failure::new(Exit::Internal, error))?;
    let listen = args.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
    let config = config(&domain, listen, folder.path().join("data"));
    std::fs::create_dir(&config.data).map_err(internal)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .worker_threads(2)
        .build()
        .map_err(internal)?;
    let taken = runtime.block_on(take(args, config, &domain));
    runtime.shutdown_background();
    taken
}

/// What a stranger meets on port 25, but that nobody's mail is refused for what is to be told about it.
fn config(domain: &Domain, listen: SocketAddr, data: PathBuf) -> Config {
    let listener =
        Listener { tls: TlsChoice::Offered, auth: AuthChoice::Off, ..Listener::new(Service::Smtp, listen) };
    Config {
        host_name: domain.clone(),
        data,
        recipients: Recipients::Domains(vec![domain.clone()]),
        listeners: vec![listener],
        certificates: CertificateSource::Development,
        authenticity: Authenticity { verify: Switch::Off, ..Authenticity::default() },
        log: Log { level: LogLevel::Error, ..Log::default() },
        ..Config::default()
    }
}

async fn take(args: &MessageArgs, config: Config, domain: &Domain) -> Result<Vec<Vec<u8>>, Failure> {
    let failed = |error: StoreError| Failure::new(Exit::Unavailable, error);
    let folder = config.data.clone();
    let name = format!("check-{}@{}", one_time_name()?, domain.ascii());
    let node = Node::start(Arc::new(config)).await.map_err(|error| {
        let help = "name another address and port: --listen 127.0.0.1:2526; ports below 1024 need rights";
        Failure::with_help(Exit::Unavailable, error, help)
    })?;
    let account = node.store().create_account(NewAccount::new(&name, now())).await.map_err(failed)?;
    announce(args, &node, &name)?;
    let store = Arc::clone(node.store());
    let (said, stop) = tokio::sync::oneshot::channel::<()>();
    let serving = tokio::spawn(node.run_until(async {
        // Whoever waits for the message has gone where this fails.
        let _ = stop.await;
    }));
    let waited = tokio::select! {
        biased;
        came = came(&store, account.id) => came.map_err(failed),
        () = tokio::time::sleep(Duration::from_secs(args.timeout)) => Err(nothing_came(args, &name)),
        _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::TryLater, "stopped before a message came")),
    };
    // Sessions end what they have begun, and their clients have their 250 before the server goes.
    let _ = said.send(());
    drop(store);
    let _ = serving.await;
    let store = Embedded::open(Options::at(&folder)).map_err(failed)?;
    let found = all(&store, account.id).await.map_err(failed)?;
    store.close().await;
    // What came in the last moment has come.
    if found.is_empty() { waited.map(|()| found) } else { Ok(found) }
}

fn announce(args: &MessageArgs, node: &Node, name: &str) -> Result<(), Failure> {
    let address = node.listeners().iter().find_map(|(_, address)| address.tcp());
    let address = address.map(|address| address.to_string()).unwrap_or_default();
    if args.json {
        return terminal::print_json(&json!({ "ready": true, "address": name, "listening": address }));
    }
    terminal::print(&format!(
        "Send your message to\n  {name}\nThis waits for it at {address}, for {} seconds.\n\n",
        args.timeout
    ))
}

fn nothing_came(args: &MessageArgs, name: &str) -> Failure {
    let text = format!("no message for {name} came within {} seconds", args.timeout);
    let help = "the mail hosts (MX) of the domain must lead here, and port 25 must be open to the sender: see posta route ADDRESS \
        on the sending side, or send by hand with posta send --server ADDRESS:PORT";
    Failure::with_help(Exit::TryLater, text, help)
}

/// Returns when the account has a message.
async fn came(store: &Embedded, account: AccountId) -> Result<(), StoreError> {
    // The store wakes nobody for a change of a mailbox.
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        for mailbox in store.mailboxes(account).await? {
            if !store.messages(mailbox.id, None, 1).await?.is_empty() {
                return Ok(());
            }
        }
    }
}

/// The messages of the account, the oldest of each mailbox first.
async fn all(store: &Embedded, account: AccountId) -> Result<Vec<Vec<u8>>, StoreError> {
    let mut all = Vec::new();
    for mailbox in store.mailboxes(account).await? {
        for message in store.messages(mailbox.id, None, MESSAGES_MAX).await? {
            let mut stream = store.open(mailbox.id, message.uid).await?;
            let mut octets = Vec::new();
            loop {
                let piece = stream.next().await?;
                if piece.is_empty() {
                    break;
                }
                octets.extend_from_slice(&piece);
            }
            all.push(octets);
        }
    }
    Ok(all)
}

/// Letters that nobody guesses, and that an address may have.
fn one_time_name() -> Result<String, Failure> {
    let made = crate::first_password::make()?;
    let letters: String = made.chars().filter(char::is_ascii_alphanumeric).take(NAME_CHARACTERS).collect();
    Ok(letters.to_ascii_lowercase())
}

const NAME_CHARACTERS: usize = 16;
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// More than come while one is found and the server stops.
const MESSAGES_MAX: usize = 1000;
