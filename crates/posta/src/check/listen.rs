//! A mail server for one message: the same engine as everywhere, in a folder that goes with it, for one address that nobody can
//! guess. Everything for others is refused as the engine refuses it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ::store::{Directory as _, Mailboxes as _, NewAccount, StoreError};
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

/// Waits until a message is stored, and returns it with the fields of its delivery.
pub(super) fn one_message(args: &MessageArgs) -> Result<Vec<u8>, Failure> {
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

async fn take(args: &MessageArgs, config: Config, domain: &Domain) -> Result<Vec<u8>, Failure> {
    let failed = |error: StoreError| Failure::new(Exit::Unavailable, error);
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
    let found = tokio::select! {
        biased;
        found = first(&store, account.id) => found.map_err(failed),
        () = tokio::time::sleep(Duration::from_secs(args.timeout)) => Err(nothing_came(args, &name)),
        _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::TryLater, "stopped before a message came")),
    };
    // The client is to have its 250 before the server goes.
    let _ = said.send(());
    drop(store);
    let _ = serving.await;
    found
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

/// The first message of the account's INBOX, as soon as there is one.
async fn first(
    store: &::store::embedded::Embedded,
    account: ::store::AccountId,
) -> Result<Vec<u8>, StoreError> {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    loop {
        ticks.tick().await;
        for mailbox in store.mailboxes(account).await? {
            let Some(message) = store.messages(mailbox.id, None, 1).await?.into_iter().next() else {
                continue;
            };
            let mut stream = store.open(mailbox.id, message.uid).await?;
            let mut octets = Vec::new();
            loop {
                let piece = stream.next().await?;
                if piece.is_empty() {
                    return Ok(octets);
                }
                octets.extend_from_slice(&piece);
            }
        }
    }
}

/// Letters that nobody guesses, and that an address may have.
fn one_time_name() -> Result<String, Failure> {
    let made = crate::first_password::make()?;
    let letters: String = made.chars().filter(char::is_ascii_alphanumeric).take(NAME_CHARACTERS).collect();
    Ok(letters.to_ascii_lowercase())
}

const NAME_CHARACTERS: usize = 16;
const LOOK_EVERY: Duration = Duration::from_millis(50);
