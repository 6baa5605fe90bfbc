//! `posta password`: how an account logs in.

pub(crate) mod app;

use std::io::BufRead as _;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use server::control::{DirectoryRequest, Password, SharedSecret};

use crate::directory::{Changed, Directory, PlaceArgs, warn};
use crate::exit::{Exit, Failure, Outcome};
use crate::{data, first_password, terminal};

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    after_help = "Examples:
  posta password ada@example.org                    make a new one and print it
  posta password ada@example.org --password-stdin   read it
  posta password app add ada@example.org phone      make one for the phone alone

Passwords are kept as hashes and verifiers, from which they cannot be read. CRAM-MD5 and APOP cannot work with \
    those: --allow-cram-md5 keeps the password itself, readable to whoever reads the data folder or a backup of it. \
    Programs of this century know SCRAM, which needs no such thing."
)]
pub(crate) struct PasswordArgs {
    #[command(subcommand)]
    command: Option<PasswordCommand>,
    #[command(flatten)]
    set: SetArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PasswordCommand {
    /// Passwords for one program each, which can be taken back one by one
    #[command(subcommand)]
    App(app::AppCommand),
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Whose, for example ada@example.org
    #[arg(value_name = "NAME", required = true)]
    name: Option<String>,
    #[command(flatten)]
    place: PlaceArgs,
    #[command(flatten)]
    choice: ChoiceArgs,
    /// Let CRAM-MD5 and APOP log in too; for that the password itself is kept
    #[arg(long, conflicts_with = "forbid_cram_md5")]
    allow_cram_md5: bool,
    /// Keep the password itself no longer; without a new one, it stays the same
    #[arg(long)]
    forbid_cram_md5: bool,
}

/// Where a password comes from.
#[derive(Debug, Args)]
pub(crate) struct ChoiceArgs {
    /// The password; other users of the machine can see it while the command runs [default: one is made and
    /// printed]
    #[arg(long, value_name = "PASSWORD")]
    password: Option<String>,
    /// Read the password from the first line of the standard input
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
}

/// A password, and whether the person knows it.
pub(crate) struct Chosen {
    pub(crate) password: String,
    is_made: bool,
}

impl ChoiceArgs {
    const fn is_given(&self) -> bool {
        self.password.is_some() || self.password_stdin
    }

    /// The one that was named, or a new one.
    pub(crate) fn read(&self) -> Result<Chosen, Failure> {
        if let Some(password) = &self.password {
            return Ok(Chosen { password: password.clone(), is_made: false });
        }
        if self.password_stdin {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            read.map_err(|error| {
                Failure::new(Exit::Usage, format_args!("cannot read the password: {error}"))
            })?;
            let password = line.trim_end_matches(['\r', '\n']).to_owned();
            return Ok(Chosen { password, is_made: false });
        }
        Ok(Chosen { password: first_password::make()?, is_made: true })
    }
}

impl Chosen {
    /// Says that it is done, and the password where nobody knows it yet.
    pub(crate) fn say(&self, place: &PlaceArgs, changed: &Changed, sentence: &str) -> Outcome {
        let made = self.is_made.then_some(&self.password);
        if place.json {
            terminal::print_json(&serde_json::json!({
                "name": changed.name,
                "password": made,
                "warnings": changed.warnings,
            }))?;
        } else {
            let made = made.map(|password| format!("; its password is {password}")).unwrap_or_default();
            terminal::print(&format!("{}{made}\n", terminal::line(sentence)))?;
            warn(&changed.warnings);
        }
        Ok(ExitCode::SUCCESS)
    }
}

pub(crate) fn run(args: PasswordArgs) -> Outcome {
    match args.command {
        Some(PasswordCommand::App(command)) => app::run(command),
        None => set(args.set),
    }
}

pub(crate) fn set(args: SetArgs) -> Outcome {
    let SetArgs { name, place, choice, allow_cram_md5, forbid_cram_md5 } = args;
    // clap has asked for it.
    let account = name.unwrap_or_default();
    let shared_secret = match (allow_cram_md5, forbid_cram_md5) {
        (true, _) => SharedSecret::Allow,
        (_, true) => SharedSecret::Forbid,
        _ => SharedSecret::Keep,
    };
    if forbid_cram_md5 && !choice.is_given() {
        let request = DirectoryRequest::PasswordSet { account, password: None, shared_secret };
        let changed = Directory::open(&place)?.change(request)?;
        let sentence =
            format!("CRAM-MD5 and APOP no longer log in to {}; its password is as it was", changed.name);
        return changed.say(&place, &sentence);
    }
    let chosen = choice.read()?;
    let folder = data::folder(&place.data)?;
    let password = Some(Password::new(&chosen.password));
    let request = DirectoryRequest::PasswordSet { account, password, shared_secret };
    let mut changed = Directory::open(&place)?.change(request)?;
    // Else `posta dev` would go on saying the old one.
    if changed.name == first_password::FIRST_ACCOUNT && first_password::kept(&folder)?.is_some() {
        first_password::keep(&folder, &chosen.password)?;
    }
    if allow_cram_md5 {
        changed.warnings.push(format!(
            "for CRAM-MD5 and APOP the password of {} itself is kept, readable to whoever reads the data folder",
            changed.name
        ));
    }
    chosen.say(&place, &changed, &format!("the password of {} is set", changed.name))
}
