//! `posta check`: whether a mail domain is in order, seen from outside. What is right and wrong is `checkup`'s; here is how the
//! outside is asked and how the findings look.

pub(crate) mod ask;
pub(crate) mod domain;
pub(crate) mod draw;
mod listen;
pub(crate) mod message;
pub(crate) mod outside;
mod visit;

use clap::{Args, Subcommand};

use crate::exit::Outcome;

/// What `posta check` is given.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    domain: domain::DomainArgs,
    #[command(subcommand)]
    command: Option<CheckCommand>,
}

#[derive(Debug, Subcommand)]
enum CheckCommand {
    /// Whether one message would be taken for what it is, with what each fault costs
    Message(Box<message::MessageArgs>),
}

pub(crate) fn run(args: &CheckArgs) -> Outcome {
    match &args.command {
        Some(CheckCommand::Message(args)) => message::run(args),
        None => domain::run(&args.domain),
    }
}
