//! Posta: a complete mail system in one binary. Here is the command line: what is asked, where the data is, and
//! how answers look to people and to programs (`--json`). The work itself is in the other crates.

mod account;
mod alias;
mod check;
mod cli;
mod config;
mod data;
mod dev;
mod directory;
mod dkim;
mod dmarc;
mod domain;
mod exit;
mod explain;
mod first_password;
mod greylist;
mod list;
mod mailbox;
mod node;
mod odmr;
mod password;
mod queue;
mod route;
mod screen;
mod send;
mod serve;
mod spf;
mod status;
mod store;
mod terminal;
mod trace;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use cli::{Cli, Command};
use exit::{Exit, Outcome};

/// Faster under many small allocations, and gives memory back (figures in docs/performance.md).
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Success };
            // Nobody is left to be told where even that cannot be written.
            let _ = error.print();
            return exit.into();
        }
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(failure) => {
            // As above.
            let _ = writeln!(std::io::stderr(), "{:?}", failure.report);
            failure.exit.into()
        }
    }
}

fn run(command: Command) -> Outcome {
    match command {
        Command::Dev(args) => dev::run(args),
        Command::Serve(args) => serve::run(&args),
        Command::Send(args) => send::run(&args),
        Command::Mailbox(command) => mailbox::run(*command),
        Command::Account(command) => account::run(*command),
        Command::Password(args) => password::run(*args),
        Command::Domain(command) => domain::run(command),
        Command::Dkim(command) => dkim::run(command),
        Command::Alias(command) => alias::run(command),
        Command::List(command) => list::run(*command),
        Command::Store(command) => store::run(command),
        Command::Config(command) => config::run(command),
        Command::Status(args) => status::run(&args),
        Command::Queue(command) => queue::run(*command),
        Command::Greylist(command) => greylist::run(command),
        Command::Route(args) => route::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Spf(command) => spf::run(&command),
        Command::Dmarc(command) => dmarc::run(&command),
        Command::Trace(args) => trace::run(&args),
        Command::Odmr(command) => odmr::run(command),
        Command::Explain(args) => explain::run(&args),
    }
}
