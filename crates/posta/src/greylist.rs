//! `posta greylist`: whom greylisting remembers.

use std::process::ExitCode;

use clap::Subcommand;
use server::control::{Client, GreylistEntry, GreylistRequest, GreylistResponse, Request, Response};
use types::Timestamp;

use crate::directory::{PlaceArgs, number, table, text, time};
use crate::exit::{Exit, Failure, Outcome};
use crate::{data, terminal};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta greylist list
  posta greylist list --with example.net
  posta greylist forget 192.0.2.0/24

Networks that never wait are named in the configuration: trust in [reputation].")]
pub(crate) enum GreylistCommand {
    /// List senders that wait or have come again, clients and domains that are known; the first thousand
    List {
        /// Only those with this text in a network, a sender, a recipient or a domain
        #[arg(long, value_name = "TEXT")]
        with: Option<String>,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Have somebody wait again, as if nothing had come from there
    Forget {
        /// A network, a sender, a recipient or a domain, as `posta greylist list` writes it
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

pub(crate) fn run(command: GreylistCommand) -> Outcome {
    match command {
        GreylistCommand::List { with, place } => list(with, &place),
        GreylistCommand::Forget { name, place } => forget(name, &place),
    }
}

fn ask(place: &PlaceArgs, request: GreylistRequest) -> Result<GreylistResponse, Failure> {
    let folder = data::folder(&place.data)?;
    let client = Client::connect(&folder).map_err(|error| {
        let text = format!("cannot ask the server that runs on {}: {error}", folder.display());
        Failure::new(Exit::Unavailable, text)
    })?;
    let Some(mut client) = client else {
        let text = format!("no server runs on {}: greylisting is in its memory", folder.display());
        return Err(Failure::new(Exit::Unavailable, text));
    };
    match client.ask(Request::Greylist(request)).map_err(|error| data::failure(&error))? {
        Response::Greylist(response) => Ok(response),
        _ => Err(data::unexpected()),
    }
}

fn list(with: Option<String>, place: &PlaceArgs) -> Outcome {
    let GreylistResponse::Entries { entries, total } = ask(place, GreylistRequest::Entries { with })? else {
        return Err(data::unexpected());
    };
    if place.json {
        terminal::print_json(&serde_json::json!({ "entries": entries, "total": total }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if entries.is_empty() {
        terminal::print("nobody is remembered\n")?;
        return Ok(ExitCode::SUCCESS);
    }
    let header = ["FROM", "SENDER", "RECIPIENT", "MESSAGES", "STATE", "LAST"];
    terminal::print(&table(&header, entries.iter().map(row)))?;
    if total > entries.len() {
        terminal::print(&format!("{total} in all; --with TEXT shows some of them\n"))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(entry: &GreylistEntry) -> Vec<comfy_table::Cell> {
    let at = |millis: u64| text(&time(&Timestamp::from_millis(millis).to_string()));
    match entry {
        GreylistEntry::Sender { client, sender, recipient, last, passed, .. } => {
            let state = if *passed == 0 { "waits" } else { "has come again" };
            vec![text(client), text(sender), text(recipient), number(passed), text(state), at(*last)]
        }
        GreylistEntry::Client { client, retries, last } => {
            vec![
                text(client),
                text("-"),
                text("-"),
                number(retries),
                text("client that comes again"),
                at(*last),
            ]
        }
        GreylistEntry::Author { domain, messages, days, last } => {
            let state = format!("passes DMARC, on {days} days");
            vec![text("-"), text(domain), text("-"), number(messages), text(&state), at(*last)]
        }
        GreylistEntry::Unknown => vec![text("-")],
    }
}

fn forget(name: String, place: &PlaceArgs) -> Outcome {
    let GreylistResponse::Forgotten(count) = ask(place, GreylistRequest::Forget { name: name.clone() })?
    else {
        return Err(data::unexpected());
    };
    if place.json {
        terminal::print_json(&serde_json::json!({ "forgotten": count }))?;
    } else {
        let name = terminal::line(&name);
        terminal::print(&format!("forgotten: {count} of {name}\n"))?;
    }
    Ok(if count == 0 { Exit::Failed.into() } else { ExitCode::SUCCESS })
}
