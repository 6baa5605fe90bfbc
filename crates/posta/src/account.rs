//! `posta account`: who has one.

use std::io::BufRead as _;
use std::process::ExitCode;

use comfy_table::{Cell, CellAlignment, Table, presets};
use server::control::{Request, Response};

use crate::cli::{AccountCommand, AccountPasswordArgs, DataArg};
use crate::data::{self, WhereNothingIs};
use crate::exit::{Exit, Failure, Outcome};
use crate::{password, terminal};

pub(crate) fn run(command: AccountCommand) -> Outcome {
    match command {
        AccountCommand::Add(args) => add(&args),
        AccountCommand::Password(args) => set_password(&args),
        AccountCommand::List { data, json } => list(&data, json),
    }
}

fn add(args: &AccountPasswordArgs) -> Outcome {
    let chosen = Chosen::read(args)?;
    let folder = data::folder(&args.data)?;
    let request = Request::AccountAdd { name: args.name.clone(), password: chosen.password.clone() };
    let mut client = data::client(&folder, WhereNothingIs::MakeStore)?;
    client.ask(request).map_err(|error| data::failure(&error))?;
    chosen.say(&format!("account {} is made", args.name))
}

fn set_password(args: &AccountPasswordArgs) -> Outcome {
    let chosen = Chosen::read(args)?;
    let folder = data::folder(&args.data)?;
    let request = Request::AccountSetPassword { name: args.name.clone(), password: chosen.password.clone() };
    let mut client = data::client(&folder, WhereNothingIs::Refuse)?;
    client.ask(request).map_err(|error| data::failure(&error))?;
    // Else `posta dev` would go on saying the old one.
    if args.name.eq_ignore_ascii_case(password::FIRST_ACCOUNT) && password::kept(&folder)?.is_some() {
        password::keep(&folder, &chosen.password)?;
    }
    chosen.say(&format!("the password of {} is set", args.name))
}

/// A password, and whether the person knows it.
struct Chosen {
    password: String,
    is_made: bool,
}

impl Chosen {
    fn read(args: &AccountPasswordArgs) -> Result<Self, Failure> {
        if let Some(password) = &args.password {
            return Ok(Self { password: password.clone(), is_made: false });
        }
        if args.password_stdin {
            let mut line = String::new();
            let read = std::io::stdin().lock().read_line(&mut line);
            read.map_err(|error| {
                Failure::new(Exit::Usage, format_args!("cannot read the password: {error}"))
            })?;
            let password = line.trim_end_matches(['\r', '\n']).to_owned();
            return Ok(Self { password, is_made: false });
        }
        Ok(Self { password: password::make()?, is_made: true })
    }

    fn say(&self, what: &str) -> Outcome {
        let made = if self.is_made { format!("; its password is {}", self.password) } else { String::new() };
        terminal::print(&format!("{}{made}\n", terminal::line(what)))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn list(data: &DataArg, json: bool) -> Outcome {
    let mut client = data::client(&data::folder(data)?, WhereNothingIs::Refuse)?;
    let response = client.ask(Request::Accounts).map_err(|error| data::failure(&error))?;
    let Response::Accounts(accounts) = response else { return Err(data::unexpected()) };
    if json {
        terminal::print_json(&accounts)?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["ACCOUNT", "MESSAGES", "SIZE", ""]);
    for account in &accounts {
        table.add_row([
            Cell::new(terminal::line(&account.name)),
            Cell::new(account.messages).set_alignment(CellAlignment::Right),
            Cell::new(crate::screen::size(account.size_bytes)).set_alignment(CellAlignment::Right),
            Cell::new(if account.has_password { "" } else { "no password" }),
        ]);
    }
    terminal::print(&format!("{}\n", table.trim_fmt()))?;
    Ok(ExitCode::SUCCESS)
}
