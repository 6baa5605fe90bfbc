//! `posta alias`: other names for accounts, and users who have moved.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use server::control::{
    AddressDetail, AddressFilter, AddressSummary, DirectoryRequest, DirectoryResponse, PutMode,
};
use types::directory::MovedHandling;

use crate::directory::{Directory, PlaceArgs, print_entries, properties, text};
use crate::exit::{Failure, Outcome};
use crate::{data, terminal};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta alias add info@example.org ada@example.org bob@example.net
  posta alias set info@example.org ada@example.org
  posta alias add old@example.org --moved-to ada@example.net            251: mail goes on
  posta alias add old@example.org --moved-to ada@example.net --refuse   551: senders are told the new address")]
pub(crate) enum AliasCommand {
    /// Make an alias, or say that a user has moved
    Add(PutArgs),
    /// Replace where an alias leads
    Set(PutArgs),
    /// Show one
    Show(NameArgs),
    /// List aliases and users who have moved
    List(PlaceArgs),
    /// Remove an alias
    Remove(NameArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// The other name, for example info@example.org
    #[arg(value_name = "ADDRESS")]
    address: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Where mail to it goes
    #[arg(value_name = "TARGET", required_unless_present = "moved_to", conflicts_with = "moved_to")]
    targets: Vec<String>,
    /// The user has moved to this address
    #[arg(long, value_name = "ADDRESS")]
    moved_to: Option<String>,
    /// Send nothing on: tell senders the new address and let them send it again
    #[arg(long, requires = "moved_to", conflicts_with = "targets")]
    refuse: bool,
}

pub(crate) fn run(command: AliasCommand) -> Outcome {
    match command {
        AliasCommand::Add(args) => put(args, PutMode::New),
        AliasCommand::Set(args) => put(args, PutMode::Replace),
        AliasCommand::Show(args) => show(args),
        AliasCommand::List(place) => list(&place),
        AliasCommand::Remove(NameArgs { address, place }) => {
            let request = DirectoryRequest::AddressRemove { address, kind: AddressFilter::Alias };
            let removed = Directory::open(&place)?.change(request)?;
            removed.say(&place, &format!("alias {} is removed", removed.name))
        }
    }
}

fn put(args: PutArgs, put: PutMode) -> Outcome {
    let NameArgs { address, place } = args.name;
    let handling = if args.refuse { MovedHandling::Refuse } else { MovedHandling::Forward };
    let request = match args.moved_to {
        Some(to) => DirectoryRequest::MovedPut { put, address, to, handling },
        None => DirectoryRequest::AliasPut { put, address, targets: args.targets },
    };
    let (mut directory, done) = match put {
        PutMode::New => (Directory::open_or_make(&place)?, "made"),
        PutMode::Replace => (Directory::open(&place)?, "changed"),
    };
    let changed = directory.change(request)?;
    changed.say(&place, &format!("alias {} is {done}", changed.name))
}

fn show(args: NameArgs) -> Outcome {
    let NameArgs { address, place } = args;
    let request = DirectoryRequest::Address { address, kind: AddressFilter::Alias };
    let DirectoryResponse::Address(alias) = Directory::open(&place)?.ask(request)? else {
        return Err(data::unexpected());
    };
    if place.json {
        terminal::print_json(&alias)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows: Vec<(&str, String)> = match &alias.kind {
        AddressDetail::Alias { targets } => {
            targets.iter().map(|target| ("leads to", target.clone())).collect()
        }
        kind => vec![("is", leads_to(kind))],
    };
    terminal::print(&properties(&alias.address, &rows))?;
    Ok(ExitCode::SUCCESS)
}

fn list(place: &PlaceArgs) -> Outcome {
    let page = |directory: &mut Directory, after| page(directory, AddressFilter::Alias, after);
    let aliases = Directory::open(place)?.all(page, |alias| alias.address.clone())?;
    let nothing = "there is no alias; `posta alias add ADDRESS TARGET` makes one";
    print_entries(place, &aliases, nothing, &["ALIAS", "LEADS TO"], |alias| {
        vec![text(&alias.address), text(&leads_to(&alias.kind))]
    })
}

/// A page of aliases or lists.
pub(crate) fn page(
    directory: &mut Directory,
    kind: AddressFilter,
    after: Option<String>,
) -> Result<Vec<AddressSummary>, Failure> {
    match directory.ask(DirectoryRequest::Addresses { kind, after })? {
        DirectoryResponse::Addresses(addresses) => Ok(addresses),
        _ => Err(data::unexpected()),
    }
}

fn leads_to(kind: &AddressDetail) -> String {
    /// More do not fit on a screen.
    const TARGETS_SHOWN: usize = 5;
    match kind {
        AddressDetail::Alias { targets } if targets.len() > TARGETS_SHOWN => {
            let more = targets.len() - TARGETS_SHOWN;
            format!("{} and {more} more", targets[..TARGETS_SHOWN].join(", "))
        }
        AddressDetail::Alias { targets } => targets.join(", "),
        AddressDetail::Moved { to, handling: MovedHandling::Forward } => {
            format!("moved to {to}, mail goes on (251)")
        }
        AddressDetail::Moved { to, handling: MovedHandling::Refuse } => {
            format!("moved to {to}, senders are told (551)")
        }
        AddressDetail::List { .. } => "a list".to_owned(),
    }
}
