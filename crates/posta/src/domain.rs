//! `posta domain`: whose mail is taken.

mod dns;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use server::control::{
    DirectoryRequest, DirectoryResponse, DomainChange, DomainSummary, PutMode, Setting, WhileUsed,
};

use crate::directory::{
    Directory, PlaceArgs, character_or_none, nothing_to_change, number, print_entries, properties, text,
    text_or_none,
};
use crate::exit::{Failure, Outcome};
use crate::{data, dkim, terminal};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta domain add example.org
  posta domain set example.org --catch-all ada@example.org
  posta domain set example.org --subaddress-separator none
  posta domain show example.org --json
  posta domain dns example.org --zone
  posta domain dns example.org --check")]
pub(crate) enum DomainCommand {
    /// Take mail for a domain
    Add(PutArgs),
    /// Change a domain
    Set(PutArgs),
    /// Show one domain
    Show(NameArgs),
    /// List the domains of the directory; the configuration may name more
    List(PlaceArgs),
    /// What the DNS should say of a domain, ready to paste, and whether it does
    Dns(Box<dns::RecordsArgs>),
    /// Take no more mail for a domain
    Remove {
        #[command(flatten)]
        name: NameArgs,
        /// Remove it although accounts or addresses bear its name; they stay
        #[arg(long)]
        keep_addresses: bool,
    },
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// A domain, for example example.org
    #[arg(value_name = "DOMAIN")]
    domain: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Where mail to addresses goes that nobody has
    #[arg(long, value_name = "ADDRESS|none", value_parser = text_or_none)]
    catch_all: Option<Setting<String>>,
    /// What stands before a tag: mail to ada+news goes to ada [default for a new domain: +]
    #[arg(long, value_name = "C|none", value_parser = character_or_none, allow_hyphen_values = true)]
    subaddress_separator: Option<Setting<char>>,
}

pub(crate) fn run(command: DomainCommand) -> Outcome {
    match command {
        DomainCommand::Add(args) => put(args, PutMode::New),
        DomainCommand::Set(args) => put(args, PutMode::Replace),
        DomainCommand::Show(args) => show(args),
        DomainCommand::List(place) => list(&place),
        DomainCommand::Dns(args) => dns::run(&args),
        DomainCommand::Remove { name: NameArgs { domain, place }, keep_addresses } => {
            let used = if keep_addresses { WhileUsed::Allow } else { WhileUsed::Refuse };
            let removed = Directory::open(&place)?.change(DirectoryRequest::DomainRemove { domain, used })?;
            removed.say(&place, &format!("domain {} is removed", removed.name))
        }
    }
}

fn put(args: PutArgs, put: PutMode) -> Outcome {
    let NameArgs { domain, place } = args.name;
    let change = DomainChange {
        catch_all: args.catch_all.unwrap_or_default(),
        subaddress_separator: args.subaddress_separator.unwrap_or_default(),
    };
    let (mut directory, done) = match put {
        PutMode::Replace if change == DomainChange::default() => {
            return Err(nothing_to_change("domain set"));
        }
        PutMode::New => (Directory::open_or_make(&place)?, "made"),
        PutMode::Replace => (Directory::open(&place)?, "changed"),
    };
    let changed = directory.change(DirectoryRequest::DomainPut { put, domain, change })?;
    let outcome = changed.say(&place, &format!("domain {} is {done}", changed.name))?;
    if put == PutMode::New && !place.json {
        say_records(&mut directory, &changed.name)?;
    }
    Ok(outcome)
}

/// What is to be published before others can verify its signatures.
fn say_records(directory: &mut Directory, domain: &str) -> Result<(), Failure> {
    let keys = dkim::all(directory, Some(domain))?;
    if keys.is_empty() {
        return Ok(());
    }
    let records = dkim::records(keys.iter());
    terminal::print(&format!(
        "\nIts mail is signed from now on. Publish the keys, as lines of the zone:\n{records}\n\
         `posta domain dns {domain}` prints all records that it needs.\n"
    ))
}

fn show(args: NameArgs) -> Outcome {
    let NameArgs { domain, place } = args;
    let DirectoryResponse::Domain(domain) =
        Directory::open(&place)?.ask(DirectoryRequest::Domain { domain })?
    else {
        return Err(data::unexpected());
    };
    if place.json {
        terminal::print_json(&domain)?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = [
        ("unknown addresses", catch_all(&domain)),
        ("subaddresses", subaddresses(&domain)),
        ("accounts", domain.accounts.to_string()),
        ("aliases", domain.aliases.to_string()),
        ("lists", domain.lists.to_string()),
        ("signatures", signatures(&domain)),
    ];
    terminal::print(&properties(&domain.domain, &rows))?;
    Ok(ExitCode::SUCCESS)
}

fn list(place: &PlaceArgs) -> Outcome {
    let domains = Directory::open(place)?.all(page, |domain| domain.domain.clone())?;
    let header = ["DOMAIN", "UNKNOWN ADDRESSES", "SUBADDRESSES", "ACCOUNTS", "ALIASES", "LISTS", "DKIM KEYS"];
    print_entries(
        place,
        &domains,
        "there is no domain in the directory; `posta domain add DOMAIN` makes one",
        &header,
        |domain| {
            vec![
                text(&domain.domain),
                text(&catch_all(domain)),
                text(&subaddresses(domain)),
                number(domain.accounts),
                number(domain.aliases),
                number(domain.lists),
                text(&keys(domain)),
            ]
        },
    )
}

fn page(directory: &mut Directory, after: Option<String>) -> Result<Vec<DomainSummary>, Failure> {
    match directory.ask(DirectoryRequest::Domains { after })? {
        DirectoryResponse::Domains(domains) => Ok(domains),
        _ => Err(data::unexpected()),
    }
}

fn catch_all(domain: &DomainSummary) -> String {
    domain.catch_all.as_ref().map_or_else(|| "refused".to_owned(), |address| format!("to {address}"))
}

/// How its mail is signed, in a line.
fn signatures(domain: &DomainSummary) -> String {
    let name = &domain.domain;
    match (domain.dkim_active, domain.dkim_next) {
        (0, _) => format!("none; `posta dkim rotate {name}` makes keys"),
        (active, 0) => format!("with {active} DKIM keys (`posta dkim list {name}`)"),
        (active, next) => {
            format!("with {active} DKIM keys; {next} more wait for their records (`posta dkim list {name}`)")
        }
    }
}

/// The same for a table.
fn keys(domain: &DomainSummary) -> String {
    match (domain.dkim_active, domain.dkim_next) {
        (0, 0) => "none".to_owned(),
        (active, 0) => active.to_string(),
        (active, next) => format!("{active}, {next} to come"),
    }
}

fn subaddresses(domain: &DomainSummary) -> String {
    domain.subaddress_separator.map_or_else(|| "none".to_owned(), |separator| format!("user{separator}tag"))
}
