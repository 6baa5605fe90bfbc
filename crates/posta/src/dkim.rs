//! `posta dkim`: the keys with which the mail of our domains is signed.

mod verify;

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde::Serialize;
use server::control::{
    DirectoryRequest, DirectoryResponse, DkimKeySummary, LastActive, Password, RotateWhen,
};
use types::directory::{DkimAlgorithm, DkimKeyState};

use crate::directory::{Directory, PlaceArgs, number, print_entries, properties, text, time, warn};
use crate::exit::{Exit, Failure, Outcome};
use crate::{data, terminal};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta dkim list
  posta dkim show example.org
  posta dkim rotate example.org                make the next keys; they sign when the DNS has their records
  posta dkim rotate example.org --now          the same, and sign with them at once
  posta dkim verify message.eml
  posta dkim import example.org --selector mail --key /etc/opendkim/keys/mail.private

Private keys are kept sealed with the file secret.key of the data folder. Keep a copy of that file apart from copies of \
    the store: without it the keys cannot be used again, and with it alone nobody can use them.")]
pub(crate) enum DkimCommand {
    /// List keys, what they do, and what is to be done about them
    List {
        /// Only those of this domain
        #[arg(value_name = "DOMAIN")]
        domain: Option<String>,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Show keys of a domain with the records to publish
    Show {
        /// A domain, for example example.org
        #[arg(value_name = "DOMAIN")]
        domain: String,
        /// Only this key
        #[arg(value_name = "SELECTOR")]
        selector: Option<String>,
        #[command(flatten)]
        place: PlaceArgs,
    },
    /// Make keys that follow those that sign, or the first ones of a domain
    Rotate(RotateArgs),
    /// Sign with the key that another program has signed with
    Import(ImportArgs),
    /// Tell of each signature of a message whether it is right, and why not
    Verify(verify::VerifyArgs),
    /// Remove a key for good
    Remove {
        /// A domain, for example example.org
        #[arg(value_name = "DOMAIN")]
        domain: String,
        /// Which key
        #[arg(value_name = "SELECTOR")]
        selector: String,
        /// Remove it although it is the only one that signs
        #[arg(long)]
        force: bool,
        #[command(flatten)]
        place: PlaceArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct RotateArgs {
    /// A domain whose mail is taken here, for example example.org
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// Only a key of this kind: rsa or ed25519 [default: both]
    #[arg(long, value_name = "KIND")]
    algorithm: Option<DkimAlgorithm>,
    /// Sign with them at once, whatever the DNS has
    #[arg(long)]
    now: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// A domain whose mail is taken here, for example example.org
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// The name under which its record is in the DNS
    #[arg(long, value_name = "SELECTOR")]
    selector: String,
    /// The private key in PEM, RSA of 2048 bits or more, or Ed25519; - for the standard input
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    #[command(flatten)]
    place: PlaceArgs,
}

pub(crate) fn run(command: DkimCommand) -> Outcome {
    match command {
        DkimCommand::List { domain, place } => list(domain, &place),
        DkimCommand::Show { domain, selector, place } => show(domain, selector, &place),
        DkimCommand::Rotate(args) => rotate(args),
        DkimCommand::Import(args) => import(args),
        DkimCommand::Verify(args) => verify::run(&args),
        DkimCommand::Remove { domain, selector, force, place } => {
            let last = if force { LastActive::Remove } else { LastActive::Refuse };
            let request = DirectoryRequest::DkimRemove { domain, selector, last };
            let removed = Directory::open(&place)?.change(request)?;
            removed.say(&place, &format!("the key of {} is removed", removed.name))
        }
    }
}

/// All keys, or those of a domain.
pub(crate) fn all(directory: &mut Directory, domain: Option<&str>) -> Result<Vec<DkimKeySummary>, Failure> {
    let page = |directory: &mut Directory, after| {
        ask(directory, DirectoryRequest::DkimKeys { domain: domain.map(str::to_owned), after })
    };
    directory.all(page, |key| key.record_name.clone())
}

/// The records of keys, a line of a zone each, ready to paste.
pub(crate) fn records<'k>(keys: impl Iterator<Item = &'k DkimKeySummary>) -> String {
    let mut text = String::new();
    for key in keys {
        let _ = writeln!(text, "{}", terminal::line(&key.zone_line));
    }
    text
}

fn ask(directory: &mut Directory, request: DirectoryRequest) -> Result<Vec<DkimKeySummary>, Failure> {
    match directory.ask(request)? {
        DirectoryResponse::DkimKeys(keys) => Ok(keys),
        _ => Err(data::unexpected()),
    }
}

fn list(domain: Option<String>, place: &PlaceArgs) -> Outcome {
    let keys = all(&mut Directory::open(place)?, domain.as_deref())?;
    let nothing = match &domain {
        Some(domain) => {
            format!("{domain} has no DKIM key: `posta dkim rotate {domain}` makes the first ones")
        }
        None => {
            "there is no DKIM key: `posta dkim rotate DOMAIN` makes the first ones of a domain".to_owned()
        }
    };
    let header = ["DOMAIN", "SELECTOR", "ALGORITHM", "STATE", "DAYS", "TO DO"];
    print_entries(place, &keys, &nothing, &header, |key| {
        vec![
            text(&key.domain),
            text(&key.selector),
            text(key.algorithm.keyword()),
            text(state(key)),
            number(key.days),
            text(&key.to_do),
        ]
    })
}

fn show(domain: String, selector: Option<String>, place: &PlaceArgs) -> Outcome {
    let mut directory = Directory::open(place)?;
    let keys = match selector {
        Some(selector) => {
            ask(&mut directory, DirectoryRequest::DkimKey { domain: domain.clone(), selector })?
        }
        None => all(&mut directory, Some(&domain))?,
    };
    if keys.is_empty() {
        let text = format!("{domain} has no DKIM key");
        let help = format!("`posta dkim rotate {domain}` makes the first ones");
        return Err(Failure::with_help(Exit::Failed, text, help));
    }
    if place.json {
        terminal::print_json(&keys)?;
        return Ok(ExitCode::SUCCESS);
    }
    let pages: Vec<String> = keys.iter().map(page).collect();
    terminal::print(&pages.join("\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn page(key: &DkimKeySummary) -> String {
    let mut rows = vec![
        ("algorithm", key.algorithm.to_string()),
        ("state", format!("{} since {}", state(key), time(&key.changed_at))),
        ("made", time(&key.created_at)),
    ];
    rows.extend(key.trouble.as_ref().map(|trouble| ("trouble", trouble.clone())));
    rows.push(("to do", key.to_do.clone()));
    let heading = format!("{} of {}", key.selector, key.domain);
    format!("{}\n{}", properties(&heading, &rows), records(std::iter::once(key)))
}

/// In a word.
fn state(key: &DkimKeySummary) -> &'static str {
    match key.state {
        DkimKeyState::Active if key.trouble.is_some() => "unusable",
        state => state.keyword(),
    }
}

fn rotate(args: RotateArgs) -> Outcome {
    let RotateArgs { domain, algorithm, now, place } = args;
    let when = if now { RotateWhen::Now } else { RotateWhen::Published };
    let mut directory = Directory::open(&place)?;
    done(&mut directory, DirectoryRequest::DkimRotate { domain, algorithm, when }, &place)
}

fn import(args: ImportArgs) -> Outcome {
    let ImportArgs { domain, selector, key, place } = args;
    let pem = read_key(&key).map_err(|error| {
        Failure::new(Exit::BadInput, format_args!("cannot read {}: {error}", key.display()))
    })?;
    let request = DirectoryRequest::DkimImport { domain, selector, key: Password::new(pem) };
    done(&mut Directory::open_or_make(&place)?, request, &place)
}

fn read_key(path: &std::path::Path) -> std::io::Result<String> {
    let mut pem = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().take(KEY_FILE_BYTES_MAX).read_to_string(&mut pem)?;
    } else {
        std::fs::File::open(path)?.take(KEY_FILE_BYTES_MAX).read_to_string(&mut pem)?;
    }
    Ok(pem)
}

/// Octets of a file with a key: one of 16,384 bits in PEM has some 13,000.
const KEY_FILE_BYTES_MAX: u64 = 64 << 10;

/// What was changed, as JSON.
#[derive(Debug, Serialize)]
struct Rotated<'k> {
    keys: &'k [DkimKeySummary],
    warnings: &'k [String],
}

fn done(directory: &mut Directory, request: DirectoryRequest, place: &PlaceArgs) -> Outcome {
    let DirectoryResponse::DkimRotated { keys, warnings } = directory.ask(request)? else {
        return Err(data::unexpected());
    };
    if place.json {
        terminal::print_json(&Rotated { keys: &keys, warnings: &warnings })?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut said = String::new();
    for key in &keys {
        let what = match key.state {
            DkimKeyState::Next => "waits for its record",
            DkimKeyState::Active => "signs from now on",
            DkimKeyState::Retired => "signs no more",
        };
        let _ = writeln!(said, "{} ({}) {what}: {}", key.selector, key.algorithm, key.to_do);
    }
    let wanted: Vec<_> = keys.iter().filter(|key| key.state != DkimKeyState::Retired).collect();
    terminal::print(&format!(
        "{}\nThe records, as lines of the zone:\n{}",
        terminal::text(&said),
        records(wanted.into_iter())
    ))?;
    warn(&warnings);
    Ok(ExitCode::SUCCESS)
}
