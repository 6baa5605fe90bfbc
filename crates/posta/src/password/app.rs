//! `posta password app`: a password for each program, so that one can be taken back without the others.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use server::control::{AppPasswordSummary, DirectoryRequest, DirectoryResponse};

use crate::directory::{Directory, PlaceArgs, print_entries, text, time};
use crate::exit::Outcome;
use crate::{data, terminal};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta password app add ada@example.org phone
  posta password app list ada@example.org
  posta password app revoke ada@example.org phone")]
pub(crate) enum AppCommand {
    /// Make one and print it: nobody can read it again
    Add(LabelArgs),
    /// List those that are, and when each was used last
    List {
        /// Whose, for example ada@example.org
        #[arg(value_name = "NAME")]
        name: String,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Take one back
    Revoke(LabelArgs),
}

#[derive(Debug, Args)]
pub(crate) struct LabelArgs {
    /// Whose, for example ada@example.org
    #[arg(value_name = "NAME")]
    name: String,
    /// What the program or device is called, for example phone
    #[arg(value_name = "LABEL")]
    label: String,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(super) fn run(command: AppCommand) -> Outcome {
    match command {
        AppCommand::Add(args) => add(args),
        AppCommand::List { name, place } => list(name, &place),
        AppCommand::Revoke(LabelArgs { name: account, label, place }) => {
            let request = DirectoryRequest::AppPasswordRevoke { account, label: label.clone() };
            let changed = Directory::open(&place)?.change(request)?;
            changed.say(&place, &format!("the password {label} of {} is revoked", changed.name))
        }
    }
}

fn add(args: LabelArgs) -> Outcome {
    let LabelArgs { name: account, label, place } = args;
    let request = DirectoryRequest::AppPasswordAdd { account, label: label.clone() };
    let DirectoryResponse::AppPassword { name, password } = Directory::open(&place)?.ask(request)? else {
        return Err(data::unexpected());
    };
    if place.json {
        terminal::print_json(
            &serde_json::json!({ "name": name, "label": label, "password": password.reveal() }),
        )?;
        return Ok(ExitCode::SUCCESS);
    }
    let text = format!("{name} logs in from {label} with the password {}", password.reveal());
    terminal::print(&format!("{}\n", terminal::line(&text)))?;
    terminal::print("It is shown this once; who loses it revokes it and makes another.\n")?;
    Ok(ExitCode::SUCCESS)
}

fn list(name: String, place: &PlaceArgs) -> Outcome {
    let request = DirectoryRequest::Account { account: name };
    let DirectoryResponse::Account(account) = Directory::open(place)?.ask(request)? else {
        return Err(data::unexpected());
    };
    let nothing = format!("{} has no passwords for programs", terminal::line(&account.name));
    print_entries(place, &account.app_passwords, &nothing, &HEADER, row)
}

pub(crate) const HEADER: [&str; 3] = ["PASSWORD FOR", "MADE", "LAST USED"];

pub(crate) fn row(password: &AppPasswordSummary) -> Vec<comfy_table::Cell> {
    let used = password.last_used_at.as_deref().map_or_else(|| "never".to_owned(), time);
    vec![text(&password.label), text(&time(&password.created_at)), text(&used)]
}
