//! `posta store`: does the store hold together, and how large is it.

use std::process::ExitCode;

use server::control::{Request, Response};

use crate::cli::{StatusArgs, StoreCommand};
use crate::data::{self, WhereNothingIs};
use crate::exit::{Exit, Outcome};
use crate::terminal;

pub(crate) fn run(command: StoreCommand) -> Outcome {
    match command {
        StoreCommand::Check(args) => check(&args),
        StoreCommand::Stats(args) => stats(&args),
    }
}

fn ask(args: &StatusArgs, request: Request) -> Result<Response, crate::exit::Failure> {
    let mut client = data::client(&data::folder(&args.data)?, WhereNothingIs::Refuse)?;
    client.ask(request).map_err(|error| data::failure(&error))
}

fn check(args: &StatusArgs) -> Outcome {
    let Response::StoreCheck(check) = ask(args, Request::StoreCheck)? else { return Err(data::unexpected()) };
    if args.json {
        terminal::print_json(&serde_json::json!({
            "sound": check.findings.is_empty(),
            "looked_at": figures_json(&check.looked_at),
            "findings": check.findings,
        }))?;
    } else {
        let mut text = figures_text(&check.looked_at);
        for finding in &check.findings {
            text.push_str(&format!("DAMAGED: {}\n", terminal::line(finding)));
        }
        text.push_str(if check.findings.is_empty() {
            "the store is sound\n"
        } else {
            "the store is damaged\n"
        });
        terminal::print(&text)?;
    }
    Ok(if check.findings.is_empty() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

fn stats(args: &StatusArgs) -> Outcome {
    let Response::StoreStats(figures) = ask(args, Request::StoreStats)? else {
        return Err(data::unexpected());
    };
    if args.json {
        terminal::print_json(&figures_json(&figures))?;
    } else {
        terminal::print(&figures_text(&figures))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn figures_json(figures: &[(String, u64)]) -> serde_json::Map<String, serde_json::Value> {
    figures.iter().map(|(name, value)| (name.clone(), (*value).into())).collect()
}

fn figures_text(figures: &[(String, u64)]) -> String {
    let width = figures.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    figures.iter().map(|(name, value)| format!("{:<width$}  {value:>14}\n", name.replace('_', " "))).collect()
}
