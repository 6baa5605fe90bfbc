//! `posta store`: does the store hold together, and how large is it.

use std::process::ExitCode;

use ::store::StoreError;
use ::store::embedded::{CheckReport, Finding, Severity};
use serde::Serialize;
use server::control::{Request, Response};

use crate::cli::{StatusArgs, StoreCommand};
use crate::data::{self, WhereNothingIs};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;

pub(crate) fn run(command: StoreCommand) -> Outcome {
    match command {
        StoreCommand::Check(args) => check(&args),
        StoreCommand::Stats(args) => stats(&args),
    }
}

fn check(args: &StatusArgs) -> Outcome {
    let report = match data::connect_or_open(&data::folder(&args.data)?, WhereNothingIs::Refuse)? {
        Ok(mut client) => match client.ask(Request::StoreCheck).map_err(|error| data::failure(&error))? {
            Response::StoreCheck(report) => report,
            _ => return Err(data::unexpected()),
        },
        // Too damaged to be opened: that is what a check is to find.
        Err(StoreError::Damaged(text)) => CheckReport {
            findings: vec![Finding { severity: Severity::Error, text }],
            ..CheckReport::default()
        },
        Err(error) => return Err(Failure::new(Exit::Unavailable, error)),
    };
    if args.json {
        terminal::print_json(&report)?;
    } else {
        terminal::print(&findings_text(&report)?)?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { Exit::Failed.into() })
}

fn findings_text(report: &CheckReport) -> Result<String, Failure> {
    let mut text = figures_text(report)?;
    for finding in &report.findings {
        let severity = match finding.severity {
            Severity::Warning => "warning",
            Severity::Error => "DAMAGED",
        };
        text.push_str(&format!("{severity}: {}\n", terminal::line(&finding.text)));
    }
    let is_damaged = report.findings.iter().any(|finding| finding.severity == Severity::Error);
    text.push_str(match (report.is_clean(), is_damaged) {
        (true, _) => "the store is sound\n",
        (false, true) => "the store is damaged\n",
        (false, false) => "nothing is lost\n",
    });
    Ok(text)
}

fn stats(args: &StatusArgs) -> Outcome {
    let mut client = data::client(&data::folder(&args.data)?, WhereNothingIs::Refuse)?;
    let response = client.ask(Request::StoreStats).map_err(|error| data::failure(&error))?;
    let Response::StoreStats(stats) = response else { return Err(data::unexpected()) };
    if args.json {
        terminal::print_json(&stats)?;
    } else {
        terminal::print(&figures_text(&stats)?)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The numbers among the fields, a line each.
fn figures_text(figures: &impl Serialize) -> Result<String, Failure> {
    let value = serde_json::to_value(figures).map_err(|error| Failure::new(Exit::Internal, error))?;
    let fields: Vec<_> =
        value.as_object().into_iter().flatten().filter(|(_, value)| value.is_number()).collect();
    let width = fields.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let shown = |value: &serde_json::Value| match value.as_f64() {
        Some(fraction) if !value.is_u64() => format!("{fraction:.1}"),
        _ => value.to_string(),
    };
    let lines = fields
        .iter()
        .map(|(name, value)| format!("{:<width$}  {:>14}\n", name.replace('_', " "), shown(value)));
    Ok(lines.collect())
}
