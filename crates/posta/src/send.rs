//! `posta send`: the client side of SMTP for people. It builds a message or takes a file, sends it to one server,
//! tells what became of it for each recipient, and with `--dialogue` shows the conversation with a short
//! explanation of each verb and reply.
//!
//! Left out on purpose: look-ups of MX and queueing (that is the server's work).

mod channel;
mod compose;
mod converse;
mod dialogue;
mod explain;
mod input;
mod login;
mod report;
#[cfg(test)]
mod tests;
mod tls;
#[cfg(test)]
mod tls_tests;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use miette::Diagnostic;
use smtp::client::{Mode, Pipelining, Transcript, Transfer};
use types::Host;

use crate::cli::DataArg;
use crate::exit::{Exit, Failure, Outcome};
use converse::Told;
use dialogue::Dialogue;
use input::InputError;
use report::{Report, Unsent};

pub(crate) use channel::{Channel, Secured};
pub(crate) use converse::{
    Connect, ConnectError, Timer, begin, handshake_timeout, host_of, open, our_address, read_step, write_step,
};
pub(crate) use login::Account;
pub(crate) use tls::{Tls, TlsArg};

/// Where a development server listens, if nothing says otherwise.
const SERVER_DEFAULT: &str = "127.0.0.1:1025";

/// The file in the data folder in which a running server says what listens where.
const LISTENERS_FILE: &str = "listeners.json";

/// What to send, and where to.
#[derive(Debug, Args)]
pub(crate) struct SendArgs {
    /// Who sends it: user@host, 'Name <user@host>', or '' for the null sender of reports
    #[arg(long, value_name = "ADDRESS", default_value = "dev@localhost")]
    pub(crate) from: String,
    /// Who gets it; several with commas between them, or the option again
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) to: Vec<String>,
    /// Who gets a copy
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) cc: Vec<String>,
    /// Who gets a copy without the others seeing it
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) bcc: Vec<String>,
    /// The subject, in any language
    #[arg(long, value_name = "TEXT")]
    pub(crate) subject: Option<String>,
    /// The text; - reads it from the standard input
    #[arg(long, value_name = "TEXT")]
    pub(crate) body: Option<String>,
    /// A file to go with it
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// One more header field, 'Name: value'; it takes the place of one that is made otherwise
    #[arg(long, value_name = "FIELD")]
    pub(crate) header: Vec<String>,
    /// A whole message from a file, sent as it is but for its line ends; - reads the standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["subject", "body", "attach", "header"])]
    pub(crate) file: Option<PathBuf>,
    /// The server [default: the one that runs on the data folder, else 127.0.0.1:1025]
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) server: Option<String>,
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// The name to greet with [default: our address, such as [127.0.0.1]]
    #[arg(long, value_name = "NAME")]
    pub(crate) helo: Option<String>,
    /// Speak LMTP, where each recipient gets an answer of its own
    #[arg(long)]
    pub(crate) lmtp: bool,
    /// Send by BDAT where the server offers it, not by DATA
    #[arg(long)]
    pub(crate) chunking: bool,
    /// Send the file's octets exactly, as BINARYMIME
    #[arg(long, requires = "file")]
    pub(crate) binary: bool,
    /// Whether to encrypt [default: none; offered with --user]
    #[arg(long, value_name = "HOW")]
    pub(crate) tls: Option<TlsArg>,
    /// Who vouches for the server: certificates in PEM [default: those of this machine]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// Log in as this user, with the password of POSTA_PASSWORD or of one of the next two options
    #[arg(long, value_name = "NAME")]
    pub(crate) user: Option<String>,
    /// The password; whoever lists the processes of this machine sees it
    #[arg(long, value_name = "PASSWORD", requires = "user", conflicts_with = "password_stdin")]
    pub(crate) password: Option<String>,
    /// Read the password from the first line of the standard input
    #[arg(long, requires = "user")]
    pub(crate) password_stdin: bool,
    /// Let the password go as it is where nobody knows who listens
    #[arg(long, requires = "user")]
    pub(crate) password_in_clear: bool,
    /// Show the conversation, with explanations
    #[arg(long)]
    pub(crate) dialogue: bool,
    /// Tell the result as one JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Wait at most so many seconds for each answer [default: as long as the standard asks, 2 to 10 minutes]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) timeout: Option<u64>,
}

/// Sends, and tells what became of it.
pub(crate) fn run(args: &SendArgs) -> Outcome {
    let composed = connect(args).and_then(|connect| Ok((compose::compose(args)?, connect)));
    let (composed, connect) = match composed {
        Ok(composed) => composed,
        Err(error) => return unsent(args, error, Exit::BadInput),
    };
    let mut dialogue = args.dialogue.then(|| Dialogue::new(args.json));
    let told = converse::deliver(&connect, &composed, |told| match (&mut dialogue, told) {
        (None, _) => Ok(()),
        (Some(dialogue), Told::Event(event)) => dialogue.show(event, &composed),
        (Some(dialogue), Told::Secured(text)) => dialogue.show_secured(text),
    });
    let outcomes = match told {
        Ok(outcomes) => outcomes,
        Err(ConnectError::Output(error)) => return Err(crate::exit::output(&error)),
        Err(error @ ConnectError::Address { .. }) => return unsent(args, error, Exit::BadInput),
        Err(error) => return unsent(args, error, Exit::Unavailable),
    };
    let report = Report::new(&connect.server, &composed, &outcomes);
    if args.json {
        report.print_json()?;
    } else {
        report.print_text(args.dialogue)?;
    }
    Ok(report.exit().into())
}

/// Nothing was sent at all.
fn unsent(args: &SendArgs, error: impl Diagnostic + Send + Sync + 'static, exit: Exit) -> Outcome {
    if args.json {
        Unsent::new(&error).print()?;
        return Ok(exit.into());
    }
    Err(Failure { exit, report: error.into() })
}

fn connect(args: &SendArgs) -> Result<Connect, InputError> {
    let hello_name = match &args.helo {
        Some(text) => Some(parse_helo(text)?),
        None => None,
    };
    Ok(Connect {
        server: args.server.clone().unwrap_or_else(|| running_server(args)),
        hello_name,
        mode: if args.lmtp { Mode::Lmtp } else { Mode::Smtp },
        transfer: if args.chunking { Transfer::ChunksWhereOffered } else { Transfer::Data },
        // One after the other is how a person would type it.
        pipelining: if args.dialogue { Pipelining::Never } else { Pipelining::WhereOffered },
        transcript: if args.dialogue { Transcript::On } else { Transcript::Off },
        tls: Tls::new(args).map_err(InputError::Tls)?,
        account: Account::new(args)?,
        timeout: args.timeout.map(Duration::from_secs),
    })
}

fn parse_helo(text: &str) -> Result<Host, InputError> {
    text.parse().map_err(|_| InputError::Helo { text: text.to_owned() })
}

/// What the server that runs on the data folder wrote down; it is no error if there is none.
fn running_server(args: &SendArgs) -> String {
    let listeners = crate::data::folder(&args.data).ok().and_then(|folder| read_listeners(&folder));
    let service = if args.lmtp { "lmtp" } else { "smtp" };
    listeners
        .as_ref()
        .and_then(|listeners| listeners.get(service)?.as_str())
        .map_or_else(|| SERVER_DEFAULT.to_owned(), str::to_owned)
}

fn read_listeners(folder: &Path) -> Option<serde_json::Value> {
    serde_json::from_slice(&std::fs::read(folder.join(LISTENERS_FILE)).ok()?).ok()
}
