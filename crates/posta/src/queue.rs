//! `posta queue`: what waits for other hosts, and what is done about it. Whatever comes from mail or from other hosts
//! is made safe for the terminal first.

mod act;
mod list;
mod select;
mod show;
mod sites;
mod stats;
mod table;

use clap::{Args, Subcommand};
use server::control::{QueueRequest, QueueResponse, Request, Response};

use crate::data;
use crate::directory::{Directory, PlaceArgs};
use crate::exit::{Failure, Outcome};
use select::FilterArgs;

#[derive(Debug, Subcommand)]
#[command(after_help = "Examples:
  posta queue stats
  posta queue list --domain example.org --limit 20
  posta queue list --reply 'mailbox full' --older-than 1d
  posta queue show 01MC8D3T4A0F9Q2XW7ZK.1
  posta queue retry --site mx.example.org
  posta queue hold --from spammer@example.net --reason 'abuse report 17'
  posta queue remove --from spammer@example.net --yes
  posta queue redirect --to old@example.org --new-address new@example.org
  posta queue sites")]
pub(crate) enum QueueCommand {
    /// List what waits, the oldest first
    List(ListArgs),
    /// Show one item, or all of a message, with every recipient
    Show(ShowArgs),
    /// How much waits, and for whom
    Stats(StatsArgs),
    /// The hosts that mail goes to, and how they are doing
    Sites(PlaceArgs),
    /// Try now, whatever the schedule says
    Retry(SelectedArgs),
    /// Set aside until somebody releases it
    Hold(HoldArgs),
    /// Let what is held go on
    Release(SelectedArgs),
    /// Take away: nobody gets it
    Remove(RemoveArgs),
    /// Send to another address
    Redirect(RedirectArgs),
    /// Give up now, and tell the senders
    Expire(SelectedArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// At most so many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The id of an item, or of a message
    #[arg(value_name = "ID")]
    id: String,
    /// Every octet of the message as it is stored
    #[arg(long, conflicts_with = "json")]
    raw: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct StatsArgs {
    /// With so many destinations, those with the most mail
    #[arg(long, value_name = "N", default_value_t = 20)]
    top: usize,
    #[command(flatten)]
    place: PlaceArgs,
}

/// Which items, and how it is asked about.
#[derive(Debug, Args)]
pub(crate) struct SelectedArgs {
    #[command(flatten)]
    filter: FilterArgs,
    /// All there are
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long, short)]
    yes: bool,
    /// Say what would be done, and do nothing
    #[arg(long, conflicts_with = "yes")]
    dry_run: bool,
    #[command(flatten)]
    place: PlaceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct HoldArgs {
    #[command(flatten)]
    selected: SelectedArgs,
    /// Why, for those who look at it later
    #[arg(long, value_name = "TEXT", default_value = "held by the operator")]
    reason: String,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    #[command(flatten)]
    selected: SelectedArgs,
    /// Tell the senders that it could not be delivered
    #[arg(long)]
    bounce: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RedirectArgs {
    #[command(flatten)]
    selected: SelectedArgs,
    /// Who gets it instead
    #[arg(long, value_name = "ADDRESS")]
    new_address: String,
}

pub(crate) fn run(command: QueueCommand) -> Outcome {
    match command {
        QueueCommand::List(args) => list::run(&args),
        QueueCommand::Show(args) => show::run(&args),
        QueueCommand::Stats(args) => stats::run(&args),
        QueueCommand::Sites(place) => sites::run(&place),
        QueueCommand::Retry(selected) => act::retry(&selected),
        QueueCommand::Hold(HoldArgs { selected, reason }) => act::hold(&selected, reason),
        QueueCommand::Release(selected) => act::release(&selected),
        QueueCommand::Remove(RemoveArgs { selected, bounce }) => act::remove(&selected, bounce),
        QueueCommand::Redirect(RedirectArgs { selected, new_address }) => {
            act::redirect(&selected, new_address)
        }
        QueueCommand::Expire(selected) => act::expire(&selected),
    }
}

/// The queue of a running server, or of a store.
fn open(place: &PlaceArgs) -> Result<Directory, Failure> {
    Directory::open(place)
}

fn ask(queue: &mut Directory, request: QueueRequest) -> Result<QueueResponse, Failure> {
    match queue.ask_anything(Request::Queue(request))? {
        Response::Queue(response) => Ok(response),
        _ => Err(data::unexpected()),
    }
}
