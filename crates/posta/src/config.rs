//! `posta config`: the sample, the manual, and whether a file can be used.

use std::path::Path;
use std::process::ExitCode;

use server::config::{Config, ConfigError, Recipients, manual, sample};
use server::{PreviewRule, rule_in_words};

use crate::cli::ConfigCommand;
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;

pub(crate) fn run(command: ConfigCommand) -> Outcome {
    match command {
        ConfigCommand::Sample => terminal::print(&sample())?,
        ConfigCommand::Docs => terminal::print(&manual())?,
        ConfigCommand::Check { config } => check(&config)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a file for whoever needs it.
pub(crate) fn read(path: &Path) -> Result<Config, Failure> {
    Config::read(path).map_err(|error| match error {
        // The lines of the file are shown with a mark under each fault.
        ConfigError::Invalid(invalid) => Failure { exit: Exit::Config, report: (*invalid).into() },
        unreadable @ ConfigError::Unreadable { .. } => {
            Failure { exit: Exit::Config, report: unreadable.into() }
        }
    })
}

fn check(path: &Path) -> Result<(), Failure> {
    let config = read(path)?;
    let mut text =
        format!("{} can be used: {}, data in {}\n", path.display(), config.host_name, config.data.display());
    for listener in &config.listeners {
        text.push_str(&format!("  {:<11} {}\n", listener.service.as_str().to_uppercase(), listener.address));
    }
    match &config.recipients {
        Recipients::Domains(domains) if domains.is_empty() => {
            text.push_str("  note: `domains` is empty, so mail to anybody is refused\n");
        }
        Recipients::Domains(domains) => {
            let names: Vec<_> = domains.iter().map(|domain| domain.as_str()).collect();
            text.push_str(&format!("  mail for {}\n", names.join(", ")));
        }
        Recipients::CatchAll | Recipients::Relay => {}
    }
    for rule in config.transports.iter() {
        let PreviewRule { matches, to } = rule_in_words(rule);
        let of = if matches == "*" { "all other mail".to_owned() } else { format!("mail for {matches}") };
        text.push_str(&format!("  {of} goes to {to}\n"));
    }
    terminal::print(&terminal::text(&text))
}
