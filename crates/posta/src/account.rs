//! `posta account`: who has one, and what it may do.

mod show;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use server::control::{
    AccountChange, AccountSummary, DirectoryRequest, DirectoryResponse, Password, Request, Response, Setting,
    SharedSecret, WithMail,
};

use crate::directory::{
    Directory, PlaceArgs, nothing_to_change, number, number_or_none, print_entries, size_or_none, text,
    text_or_none,
};
use crate::exit::{Failure, Outcome};
use crate::{data, first_password, password, screen, terminal};

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta account add ada@example.org --quota 5GiB
  posta account set ada@example.org --send-as sales@example.org --send-as @example.net
  posta account set ada@example.org --language es
  posta account set ada@example.org --disable 'left in May'
  posta account show ada@example.org
  posta account remove ada@example.org --with-mail")]
pub(crate) enum AccountCommand {
    /// Make an account
    Add(AddArgs),
    /// Change what an account may do
    Set {
        #[command(flatten)]
        name: NameArgs,
        #[command(flatten)]
        settings: SettingsArgs,
    },
    /// Show everything about an account
    Show(NameArgs),
    /// List the accounts
    List(PlaceArgs),
    /// Remove an account
    Remove {
        #[command(flatten)]
        name: NameArgs,
        /// Remove it although it has mail, which is gone for good
        #[arg(long)]
        with_mail: bool,
    },
    /// Set an account's password, as `posta password`
    Password(password::SetArgs),
}

#[derive(Debug, Args)]
pub(crate) struct NameArgs {
    /// An address, for example ada@example.org
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct AddArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    choice: password::ChoiceArgs,
    /// Let CRAM-MD5 and APOP log in too; for that the password itself is kept
    #[arg(long)]
    allow_cram_md5: bool,
    #[command(flatten)]
    settings: SettingsArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SettingsArgs {
    /// How much mail it may keep
    #[arg(long, value_name = "SIZE|none", value_parser = size_or_none)]
    quota: Option<Setting<u64>>,
    /// Let nobody log in and take no mail for it
    #[arg(long, value_name = "REASON", conflicts_with = "enable")]
    disable: Option<String>,
    /// Undo --disable
    #[arg(long)]
    enable: bool,
    /// Whom else it may send as: an address, @domain for all of a domain, * for everybody; more than once for
    /// more
    #[arg(long, value_name = "ADDRESS|@DOMAIN|*")]
    send_as: Vec<String>,
    /// Undo --send-as
    #[arg(long, value_name = "ADDRESS|@DOMAIN|*")]
    no_send_as: Vec<String>,
    /// How many messages it may send in an hour
    #[arg(long, value_name = "N|default", value_parser = number_or_none)]
    messages_per_hour: Option<Setting<u32>>,
    /// How large a message it may send
    #[arg(long, value_name = "SIZE|default", value_parser = size_or_none)]
    message_size: Option<Setting<u64>>,
    /// How many recipients a message of it may have
    #[arg(long, value_name = "N|default", value_parser = number_or_none)]
    recipients: Option<Setting<u32>>,
    /// The language of reports to it, as a tag such as es or de-AT
    #[arg(long, value_name = "TAG|default", value_parser = text_or_none)]
    language: Option<Setting<String>>,
}

impl SettingsArgs {
    fn change(self) -> AccountChange {
        AccountChange {
            quota_bytes: self.quota.unwrap_or_default(),
            disabled: match (self.disable, self.enable) {
                (Some(reason), _) => Setting::To(reason),
                (None, true) => Setting::Clear,
                (None, false) => Setting::Keep,
            },
            send_as_add: self.send_as,
            send_as_remove: self.no_send_as,
            messages_per_hour_max: self.messages_per_hour.unwrap_or_default(),
            message_bytes_max: self.message_size.unwrap_or_default(),
            recipients_max: self.recipients.unwrap_or_default(),
            language: self.language.unwrap_or_default(),
        }
    }
}

pub(crate) fn run(command: AccountCommand) -> Outcome {
    match command {
        AccountCommand::Add(args) => add(args),
        AccountCommand::Set { name, settings } => set(name, settings.change()),
        AccountCommand::Show(args) => show_one(args),
        AccountCommand::List(place) => list(&place),
        AccountCommand::Remove { name: NameArgs { name: account, place }, with_mail } => {
            let mail = if with_mail { WithMail::Remove } else { WithMail::Refuse };
            let removed =
                Directory::open(&place)?.change(DirectoryRequest::AccountRemove { account, mail })?;
            removed.say(&place, &format!("account {} is removed", removed.name))
        }
        AccountCommand::Password(args) => password::set(args),
    }
}

fn add(args: AddArgs) -> Outcome {
    let NameArgs { name: account, place } = args.name;
    let chosen = args.choice.read()?;
    // In the folder of dev mode a password lies readable already, and programs that try CRAM-MD5 first should succeed.
    let is_dev = first_password::kept(&data::folder(&place.data)?)?.is_some();
    let shared_secret =
        if args.allow_cram_md5 || is_dev { SharedSecret::Allow } else { SharedSecret::Forbid };
    let password = Password::new(&chosen.password);
    let change = args.settings.change();
    let request = DirectoryRequest::AccountAdd { account, password, shared_secret, change };
    let made = Directory::open_or_make(&place)?.change(request)?;
    chosen.say(&place, &made, &format!("account {} is made", made.name))
}

fn set(args: NameArgs, change: AccountChange) -> Outcome {
    if change == AccountChange::default() {
        return Err(nothing_to_change("account set"));
    }
    let NameArgs { name: account, place } = args;
    let changed = Directory::open(&place)?.change(DirectoryRequest::AccountSet { account, change })?;
    changed.say(&place, &format!("account {} is changed", changed.name))
}

fn show_one(args: NameArgs) -> Outcome {
    let NameArgs { name: account, place } = args;
    let DirectoryResponse::Account(account) =
        Directory::open(&place)?.ask(DirectoryRequest::Account { account })?
    else {
        return Err(data::unexpected());
    };
    if place.json {
        terminal::print_json(&account)?;
    } else {
        terminal::print(&show::page(&account))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn list(place: &PlaceArgs) -> Outcome {
    let accounts = Directory::open(place)?.all(page, |account| account.name.clone())?;
    let header = ["ACCOUNT", "MESSAGES", "SIZE", "QUOTA", "LANGUAGE", ""];
    let nothing = "there is no account yet; `posta account add NAME` makes one";
    print_entries(place, &accounts, nothing, &header, |account| {
        vec![
            text(&account.name),
            number(account.messages),
            number(screen::size(account.size_bytes)),
            number(account.quota_bytes.map_or_else(|| "none".to_owned(), screen::size)),
            text(account.language.as_deref().unwrap_or_default()),
            text(&remark(account)),
        ]
    })
}

fn page(directory: &mut Directory, after: Option<String>) -> Result<Vec<AccountSummary>, Failure> {
    match directory.ask_anything(Request::Accounts { after })? {
        Response::Accounts(accounts) => Ok(accounts),
        _ => Err(data::unexpected()),
    }
}

fn remark(account: &AccountSummary) -> String {
    match &account.disabled {
        Some(reason) if reason.is_empty() => "disabled".to_owned(),
        Some(reason) => format!("disabled: {reason}"),
        None if !account.has_password && account.app_passwords == 0 => "no password".to_owned(),
        None if account.quota_bytes.is_some_and(|quota| account.size_bytes >= quota) => "full".to_owned(),
        None => String::new(),
    }
}
