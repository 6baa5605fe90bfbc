//! `posta trace`: what happened to a message or on a connection, and why. Finding it is the store's; here is what
//! may be asked, and how a timeline looks.

pub(crate) mod draw;
mod question;
mod since;

use std::process::ExitCode;
use std::time::SystemTime;

use clap::Args;
use server::control::EventSummary;
use types::{Event, EventStep, Timestamp};

use self::draw::Paint;
use self::question::Question;
pub(crate) use self::since::Since;
use crate::cli::DataArg;
use crate::data::{self, WhereNothingIs};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;

/// What `posta trace` is given.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  posta trace                                  the newest connections
  posta trace 01MC8D3T4A0F9Q2XW7ZK             a message or a connection
  posta trace ada@example.org --since 2h       all that concerned an address in the last two hours
  posta trace '550 5.1.1 No such mailbox here: <x@example.org> [01MC8D3T4A0F9Q2XW7ZK]'
                                               a reply as a user has quoted it")]
pub(crate) struct TraceArgs {
    /// The id of a message or a connection, an address, or a reply that has an id in it
    #[arg(value_name = "ID|ADDRESS")]
    about: Vec<String>,
    /// Only what happened since then: 90s, 15m, 2h, 3d, 1w, or a time in UTC such as 2026-11-22T10:00
    #[arg(long, value_name = "TIME")]
    since: Option<Since>,
    /// At most so many connections or messages, the newest ones
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    data: DataArg,
}

pub(crate) fn run(args: &TraceArgs) -> Outcome {
    let question = Question::read(&args.about.join(" ")).map_err(|error| {
        let help = "give the id in the brackets of a reply, the id behind `stored as`, or an address";
        Failure::with_help(Exit::Usage, error, help)
    })?;
    let query = question.query(args.since.map(|since| since.from(now())), usize::from(args.limit));
    let folder = data::folder(&args.data)?;
    let mut client = data::client(&folder, WhereNothingIs::Refuse)?;
    let events = client.trace(query).map_err(|error| data::failure(&error))?;
    let found = events.iter().any(|event| event.step != EventStep::Gap);
    if args.json {
        let events: Vec<_> = events.iter().map(EventSummary::from).collect();
        terminal::print_json(&serde_json::json!({ "events": events }))?;
        return Ok(if found { ExitCode::SUCCESS } else { Exit::Failed.into() });
    }
    if !found {
        return Err(nothing(&question, args, &events));
    }
    terminal::print(&draw::page(&events, draw::width(), Paint::of_stdout()))?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn now() -> Timestamp {
    let since_epoch = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).unwrap_or(u64::MAX))
}

fn nothing(question: &Question, args: &TraceArgs, gaps: &[Event]) -> Failure {
    let within = if args.since.is_some() { " since then" } else { "" };
    let (text, mut help) = match question {
        Question::Id(id) => (
            format!("nothing is known of {id}{within}"),
            "the trace keeps what the last weeks brought ([trace] in the configuration); `posta trace` alone shows \
             the newest connections"
                .to_owned(),
        ),
        Question::Address(address) => (
            format!("nothing is known of {}{within}", terminal::line(address)),
            "an address is compared as a whole, as it was said in MAIL, RCPT or AUTH; `posta trace` alone shows the \
             newest connections"
                .to_owned(),
        ),
        Question::Everything => {
            (format!("no connection is known{within}"), "`posta status` shows what listens".to_owned())
        }
    };
    if let Some(last) = gaps.last() {
        let more =
            if gaps.len() > 1 { format!("{} gaps, the last one: ", gaps.len()) } else { String::new() };
        help.push_str(&format!("; the trace has gaps: {more}{}", terminal::line(&last.reason)));
    }
    Failure::with_help(Exit::Failed, text, help)
}
