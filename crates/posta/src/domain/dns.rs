//! `posta domain dns`: what the DNS should say of a domain, ready to paste, and whether it does. What is wanted and how it
//! is compared is `checkup::records`'; here is where the facts come from and how it looks.

mod gather;
mod page;

use std::net::IpAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use checkup::Verdict;
use checkup::records::{Checked, Facts, Mail, WantedRecord, check, for_people, policy_file, wanted, zone};
use clap::Args;
use serde::Serialize;

use super::NameArgs;
use crate::check::outside::{DnsArgs, Manner, Real};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;

/// What `posta domain dns` is given.
#[derive(Debug, Args)]
pub(crate) struct RecordsArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Ask the DNS which of the records are there
    #[arg(long)]
    check: bool,
    /// As lines of a zone file
    #[arg(long, conflicts_with_all = ["check", "json"])]
    zone: bool,
    /// The configuration, for where no server runs
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The name of the mail host [default: what the server calls itself]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,
    /// A public address of the mail host, where the machine does not know it; may be repeated
    #[arg(long, value_name = "IP")]
    address: Vec<IpAddr>,
    /// Where others send reports about the domain's mail [default: postmaster of the domain]
    #[arg(long, value_name = "ADDRESS")]
    reports: Option<String>,
    /// For a domain that neither takes nor sends mail
    #[arg(long)]
    no_mail: bool,
    #[command(flatten)]
    dns: DnsArgs,
}

/// For programs.
#[derive(Serialize)]
struct Document<'a> {
    domain: &'a str,
    ascii: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<&'a str>,
    records: &'a [WantedRecord],
    #[serde(skip_serializing_if = "Option::is_none")]
    mta_sts_policy: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<&'a [Checked]>,
    notes: &'a [String],
}

pub(super) fn run(args: &RecordsArgs) -> Outcome {
    let (facts, notes) = gather::facts(args)?;
    let records = wanted(&facts);
    if args.zone {
        let notes: String = notes.iter().map(|note| format!("; note: {}\n", terminal::line(note))).collect();
        terminal::print(&terminal::text(&(zone(&facts, &records) + &notes)))?;
        return Ok(ExitCode::SUCCESS);
    }
    let checks = if args.check { Some(ask(args, &facts)?) } else { None };
    if args.name.place.json {
        terminal::print_json(&document(&facts, &records, checks.as_deref(), &notes))?;
    } else {
        let text = match &checks {
            Some(checks) => page::checks(&for_people(&facts.domain), checks, &notes),
            None => page::records(&facts, &records, &notes),
        };
        terminal::print(&text)?;
    }
    Ok(checks.map_or(ExitCode::SUCCESS, |checks| exit(&checks)))
}

fn document<'a>(
    facts: &'a Facts,
    records: &'a [WantedRecord],
    checks: Option<&'a [Checked]>,
    notes: &'a [String],
) -> Document<'a> {
    let has_mail = facts.mail == Mail::Some;
    Document {
        domain: facts.domain.as_str(),
        ascii: facts.domain.ascii(),
        host: has_mail.then(|| facts.host.ascii()),
        records,
        mta_sts_policy: has_mail.then(|| policy_file(facts)),
        checks,
        notes,
    }
}

fn ask(args: &RecordsArgs, facts: &Facts) -> Result<Vec<Checked>, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Internal, format_args!("no runtime: {error}")))?;
    runtime.block_on(async {
        let config = args.config.as_deref().map(crate::config::read).transpose()?;
        let outside = Real::new(args.dns.resolver(config.as_ref())?, &Manner::default())?;
        Ok(check(&outside, facts, gather::now()).await)
    })
}

/// What is bad is told before what could not be found out.
fn exit(checks: &[Checked]) -> ExitCode {
    let has = |verdict| checks.iter().any(|checked| checked.finding.verdict == verdict);
    match () {
        () if has(Verdict::Bad) => Exit::Failed.into(),
        () if has(Verdict::Unknown) => Exit::TryLater.into(),
        () => ExitCode::SUCCESS,
    }
}
