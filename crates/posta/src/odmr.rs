//! `posta odmr fetch`: the customer's side of on-demand mail relay (RFC 2645). It connects to the provider, logs in, asks
//! for the mail of its domains with ATRN, and is the server from then on: each transaction of the provider goes, command
//! by command, to a server of one's own, whose word on each sender, recipient and message is the word for the provider.
//! Nothing is kept here, so nothing can be lost here: the provider is told 250 when one's own server has said it.
//!
//! Left out on purpose: a queue, and mail in the other direction, which has its own way.

mod onward;
mod provider;
mod reversed;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use smtp::client::{Mode, Passwords, Pipelining, Transcript, Transfer};
use types::{Domain, Host};

use crate::cli::DataArg;
use crate::exit::{Exit, Failure, Outcome};
use crate::send::{Account, Connect, Tls, TlsArg};
use crate::terminal;
use onward::{Onward, Target};
use provider::{Answer, Trouble};
use reversed::Tally;

/// Mail that a provider keeps for hosts that come and go.
#[derive(Debug, Subcommand)]
pub(crate) enum OdmrCommand {
    /// Fetch the mail of one's domains from a provider (ATRN, RFC 2645)
    Fetch(Box<FetchArgs>),
}

/// From where and to where.
#[derive(Debug, Args)]
pub(crate) struct FetchArgs {
    /// The provider; port 366 where none is named
    #[arg(long, value_name = "HOST[:PORT]")]
    host: String,
    /// Log in as this user
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The file whose first line is the password [default: POSTA_PASSWORD]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// The domains whose mail is wanted, with commas between them; mail for any other is refused then [default: all that
    /// the account has there]
    #[arg(long, value_name = "DOMAINS", value_delimiter = ',')]
    domains: Vec<Domain>,
    /// One's own server: HOST:PORT for SMTP, lmtp://HOST:PORT or lmtp:/path for LMTP [default: the LMTP or SMTP listener
    /// of the server that runs on the data folder]
    #[arg(long, value_name = "SERVER")]
    deliver_to: Option<String>,
    #[command(flatten)]
    data: DataArg,
    /// The name to introduce oneself with [default: our address, such as [127.0.0.1]]
    #[arg(long, value_name = "NAME")]
    helo: Option<Host>,
    /// Whether to encrypt
    #[arg(long, value_name = "HOW", default_value = "required")]
    tls: TlsArg,
    /// Who vouches for the provider: certificates in PEM [default: those of this machine]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Let the password go as it is where nobody knows who listens
    #[arg(long)]
    password_in_clear: bool,
    /// Octets of the largest message that is taken; one is held in memory at a time
    #[arg(long, value_name = "OCTETS", default_value_t = 50 << 20)]
    message_bytes_max: u64,
    /// Tell the result as one JSON object
    #[arg(long)]
    json: bool,
}

/// What came of it, for people and for programs.
#[derive(Debug, Serialize)]
struct Report {
    /// `fetched`, `no_mail` or `failed`.
    outcome: &'static str,
    provider: String,
    domains: Vec<String>,
    #[serde(flatten)]
    tally: Tally,
    /// What went wrong, or what the provider said.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

/// The port of on-demand mail relay (RFC 2645 §4).
const PORT: u16 = 366;
const PASSWORD_VARIABLE: &str = "POSTA_PASSWORD";

pub(crate) fn run(command: OdmrCommand) -> Outcome {
    match command {
        OdmrCommand::Fetch(args) => fetch(&args),
    }
}

fn fetch(args: &FetchArgs) -> Outcome {
    let connect = connect(args)?;
    let target = target(args)?;
    // Before anything is asked for: mail that nobody would take is not to travel.
    let onward = Onward::open(target.clone(), args.helo.clone()).map_err(|error| {
        let help = "start it, or name another with --deliver-to";
        Failure::with_help(Exit::Unavailable, format_args!("one's own server, {target}: {error}"), help)
    })?;
    let report = |outcome, tally, why: Option<String>| Report {
        outcome,
        provider: connect.server.clone(),
        domains: args.domains.iter().map(|domain| domain.ascii().to_owned()).collect(),
        tally,
        why,
    };
    match provider::ask(&connect, &args.domains) {
        Ok(Answer::NoMail(reply)) => {
            tell(args, &report("no_mail", Tally::default(), Some(reply.to_string())), Exit::Success)
        }
        Ok(Answer::Reversed(channel)) => {
            let rules = reversed::Rules {
                host_name: args.helo.as_ref().map(ToString::to_string),
                domains: &args.domains,
                message_bytes_max: args.message_bytes_max,
            };
            let (tally, ended) = reversed::serve(channel, onward, &rules);
            let (outcome, exit) = match &ended {
                Err(_) => ("failed", Exit::TryLater),
                Ok(()) if tally.put_off > 0 => ("fetched", Exit::TryLater),
                Ok(()) => ("fetched", Exit::Success),
            };
            tell(args, &report(outcome, tally, ended.err().map(|error| error.to_string())), exit)
        }
        Err(trouble) => {
            let exit = match &trouble {
                Trouble::Connect(_) => Exit::Unavailable,
                Trouble::Refused(reply) if reply.code < 500 && reply.code != 450 => Exit::TryLater,
                Trouble::Login(_) | Trouble::Refused(_) => Exit::Failed,
                Trouble::Lost(_) => Exit::TryLater,
            };
            tell(args, &report("failed", Tally::default(), Some(trouble.to_string())), exit)
        }
    }
}

fn tell(args: &FetchArgs, report: &Report, exit: Exit) -> Outcome {
    if args.json {
        terminal::print_json(report)?;
        return Ok(exit.into());
    }
    let why = report.why.as_deref().map(terminal::line).unwrap_or_default();
    match report.outcome {
        "failed" if report.tally == Tally::default() => {
            return Err(Failure::new(exit, format_args!("{}: {why}", report.provider)));
        }
        "failed" => terminal::print(&format!("{}, then the connection ended: {why}\n", report.tally))?,
        "no_mail" => terminal::print(&format!("No mail waits at {}.\n", report.provider))?,
        _ => terminal::print(&format!("{} from {}.\n", report.tally, report.provider))?,
    }
    Ok(exit.into())
}

fn connect(args: &FetchArgs) -> Result<Connect, Failure> {
    let tls = Tls::choose(args.tls, args.ca.as_deref())
        .map_err(|error| Failure::new(Exit::BadInput, format_args!("TLS: {error}")))?;
    let passwords = if args.password_in_clear { Passwords::InClear } else { Passwords::Protected };
    let has_port =
        args.host.rsplit_once(':').is_some_and(|(host, _)| !host.is_empty() && !args.host.ends_with(']'));
    let is_bare_ipv6 = args.host.matches(':').count() > 1 && !args.host.starts_with('[');
    let server = match (has_port, is_bare_ipv6) {
        (_, true) => format!("[{}]:{PORT}", args.host),
        (true, false) => args.host.clone(),
        (false, false) => format!("{}:{PORT}", args.host),
    };
    Ok(Connect {
        server,
        hello_name: args.helo.clone(),
        mode: Mode::Smtp,
        transfer: Transfer::Data,
        pipelining: Pipelining::Never,
        transcript: Transcript::Off,
        tls,
        account: Some(Account::of(args.user.clone(), password(args)?, passwords)),
        timeout: None::<Duration>,
    })
}

fn password(args: &FetchArgs) -> Result<String, Failure> {
    let password = match &args.password_file {
        Some(path) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                Failure::new(Exit::BadInput, format_args!("cannot read {}: {error}", path.display()))
            })?;
            text.lines().next().unwrap_or_default().to_owned()
        }
        None => std::env::var(PASSWORD_VARIABLE).unwrap_or_default(),
    };
    if password.is_empty() {
        let help =
            "put it on the first line of a file and name that with --password-file, or set POSTA_PASSWORD";
        return Err(Failure::with_help(Exit::BadInput, "there is no password", help));
    }
    Ok(password)
}

/// Where the mail goes.
fn target(args: &FetchArgs) -> Result<Target, Failure> {
    let text = match &args.deliver_to {
        Some(text) => text.clone(),
        None => running_server(&crate::data::folder(&args.data)?).ok_or_else(|| {
            let help = "start one, or name where the mail goes with --deliver-to";
            Failure::with_help(Exit::Unavailable, "no server runs on the data folder", help)
        })?,
    };
    text.parse().map_err(|why: String| Failure::new(Exit::BadInput, format_args!("{text:?}: {why}")))
}

/// What the server that runs on the folder wrote down. LMTP is for local mailboxes alone, so it comes first: whatever
/// the provider sends goes no further.
fn running_server(folder: &Path) -> Option<String> {
    let listeners: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("listeners.json")).ok()?).ok()?;
    let of = |service: &str| Some(listeners.get(service)?.as_str()?.to_owned());
    of("lmtp")
        .map(|address| {
            format!(
                "lmtp:{}",
                address.strip_prefix("unix:").map_or_else(|| format!("//{address}"), str::to_owned)
            )
        })
        .or_else(|| of("smtp"))
}
