//! The command line, as clap reads it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use server::config::{LogFormat, LogLevel, PortOffset, Relay};

/// A complete mail system in one binary.
#[derive(Debug, Parser)]
#[command(name = "posta", version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a mail server on this machine alone, with no configuration
    Dev(DevArgs),
    /// Start the server that a configuration file describes
    Serve(ServeArgs),
    /// Send a message to a server, and show the conversation if asked
    Send(Box<crate::send::SendArgs>),
    /// Stored messages, and the mailboxes that they are in
    #[command(subcommand)]
    Mailbox(Box<crate::mailbox::MailboxCommand>),
    /// Who has an account, and what it may do
    #[command(subcommand)]
    Account(Box<crate::account::AccountCommand>),
    /// How an account logs in: its password, and passwords for one program each
    Password(Box<crate::password::PasswordArgs>),
    /// Whose mail is taken
    #[command(subcommand)]
    Domain(crate::domain::DomainCommand),
    /// The keys with which the mail of our domains is signed
    #[command(subcommand)]
    Dkim(crate::dkim::DkimCommand),
    /// Other names for accounts, and users who have moved
    #[command(subcommand)]
    Alias(crate::alias::AliasCommand),
    /// Mailing lists
    #[command(subcommand)]
    List(Box<crate::list::ListCommand>),
    /// Look after the message store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Write and check configuration files
    #[command(subcommand)]
    Config(ConfigCommand),
    /// What is running
    Status(StatusArgs),
    /// What waits for other hosts, and what to do about it
    #[command(subcommand)]
    Queue(Box<crate::queue::QueueCommand>),
    /// Whom greylisting remembers
    #[command(subcommand)]
    Greylist(crate::greylist::GreylistCommand),
    /// Where mail for an address would go now, and what stands in its way
    Route(crate::route::RouteArgs),
    /// Whether a mail domain is in order, seen from outside, and how to mend it
    Check(Box<crate::check::CheckArgs>),
    /// Who may send for a domain, as its record says
    #[command(subcommand)]
    Spf(Box<crate::spf::SpfCommand>),
    /// What a domain wants done with mail that is not its own
    #[command(subcommand)]
    Dmarc(Box<crate::dmarc::DmarcCommand>),
    /// What happened to a message or on a connection, and why
    Trace(crate::trace::TraceArgs),
    /// Mail that a provider keeps for hosts that come and go
    #[command(subcommand)]
    Odmr(crate::odmr::OdmrCommand),
    /// What a reply code or a bounce means, who has to act, and what to try next
    Explain(crate::explain::ExplainArgs),
}

/// Where the data is.
#[derive(Debug, Clone, Args)]
pub(crate) struct DataArg {
    /// The data folder [default: the one that `posta dev` uses]
    #[arg(long, env = "POSTA_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct DevArgs {
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// Add this to the standard port of each service, or `auto` for any free ports
    #[arg(long, value_name = "N|auto", default_value = "1000", value_parser = port_offset)]
    pub(crate) port_offset: PortOffset,
    /// Send mail for addresses that are no account here to this host; without it, nothing leaves the machine
    #[arg(long, value_name = "HOST:PORT")]
    pub(crate) relay: Option<Relay>,
    /// Set the password of the first account, dev@localhost [default: made at the first start and kept]
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) password: Option<String>,
    /// Say when everything listens with one line of JSON on the standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// Say when everything listens with one line of JSON on the standard output
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

/// What is logged on the standard error stream.
#[derive(Debug, Args)]
pub(crate) struct LogArgs {
    /// `human` or `json`
    #[arg(long, value_name = "FORMAT")]
    pub(crate) log_format: Option<LogFormat>,
    /// `error`, `warn`, `info`, `debug` or `trace`
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<LogLevel>,
}

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    pub(crate) data: DataArg,
    /// As JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StoreCommand {
    /// Verify every checksum and cross-reference
    Check(StatusArgs),
    /// Figures about the store
    Stats(StatusArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Write a commented file with every key and its default
    Sample,
    /// Tell whether a file can be used, and if not, why
    Check {
        /// The configuration file
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
    },
    /// Write the manual of the configuration in Markdown
    Docs,
}

fn port_offset(text: &str) -> Result<PortOffset, String> {
    /// POP3S, on 995, is the highest standard port.
    const OFFSET_MAX: u16 = u16::MAX - 995;
    if text == "auto" {
        return Ok(PortOffset::Auto);
    }
    match text.parse() {
        Ok(offset) if offset <= OFFSET_MAX => Ok(PortOffset::By(offset)),
        _ => Err(format!("a number from 0 to {OFFSET_MAX}, or `auto`")),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_agrees_with_itself() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_port_offset_is_a_number_that_leaves_room_for_every_service_or_auto() {
        assert_eq!(port_offset("auto"), Ok(PortOffset::Auto));
        assert_eq!(port_offset("0"), Ok(PortOffset::By(0)));
        assert_eq!(port_offset("64540"), Ok(PortOffset::By(64_540)));
        for text in ["64541", "65536", "-1", "", "any"] {
            assert!(port_offset(text).is_err(), "{text}");
        }
    }
}
