//! `posta status`: what is running.

use std::process::ExitCode;

use server::control::{Client, ListStatus, Request, Response};

use crate::cli::StatusArgs;
use crate::exit::{Exit, Failure, Outcome};
use crate::{data, terminal};

pub(crate) fn run(args: &StatusArgs) -> Outcome {
    let folder = data::folder(&args.data)?;
    let client = Client::connect(&folder).map_err(|error| {
        let text = format!("cannot ask the server that runs on {}: {error}", folder.display());
        Failure::new(Exit::Unavailable, text)
    })?;
    let Some(mut client) = client else {
        if args.json {
            terminal::print_json(&serde_json::json!({ "running": false, "data": folder }))?;
            return Ok(Exit::Unavailable.into());
        }
        let text = format!("no server runs on {}", folder.display());
        return Err(Failure::with_help(
            Exit::Unavailable,
            text,
            "start one with `posta dev` or `posta serve`",
        ));
    };
    let Response::Status(status) = client.ask(Request::Status).map_err(|error| data::failure(&error))? else {
        return Err(data::unexpected());
    };
    if args.json {
        let listeners: serde_json::Map<_, _> = crate::node::listeners_json(&status.listeners);
        terminal::print_json(&serde_json::json!({
            "running": true,
            "data": folder,
            "version": status.version,
            "process_id": status.process_id,
            "uptime_s": status.uptime_s,
            "open_sessions": status.open_sessions,
            "listeners": listeners,
            "lists": status.lists,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = format!(
        "Posta {} runs on {} (process {}, since {})\n",
        status.version,
        folder.display(),
        status.process_id,
        duration(status.uptime_s),
    );
    for (service, address) in &status.listeners {
        text.push_str(&format!("  {:<11} {address}\n", service.to_uppercase()));
    }
    text.push_str(&format!("  {} open sessions\n", status.open_sessions));
    for ListStatus { zone, kind, works, problem } in &status.lists {
        let state = match (works, problem) {
            (Some(true), _) => "works".to_owned(),
            (Some(false), Some(problem)) => format!("is not asked: {problem}"),
            (Some(false), None) => "is not asked".to_owned(),
            (None, _) => "was not tested yet".to_owned(),
        };
        text.push_str(&format!("  list {zone} ({kind}) {state}\n"));
    }
    terminal::print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min"),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}
