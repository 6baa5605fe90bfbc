//! `posta spf walk`: the SPF of a domain with all that it includes, what each term leads to, what it costs, and what it says of
//! one client. The walk is `mailauth::spf`'s; here is how it looks.

mod tree;

use std::net::IpAddr;

use clap::{Args, Subcommand};
use mailauth::spf::{
    Client, Identity, LOOKUP_TERMS_MAX, Outcome, SpfResult, Survey, VOID_LOOKUPS_MAX, check_host, survey,
};
use serde_json::{Value, json};
use types::Domain;

use crate::check::ask::ask;
use crate::check::outside::DnsArgs;
use crate::exit::{Exit, Failure};
use crate::terminal;
use crate::trace::draw::{BOLD, GREEN, Paint, RED, YELLOW, width};
use crate::trace::now;

#[derive(Debug, Subcommand)]
pub(crate) enum SpfCommand {
    /// Draw the record of a domain with all that it includes
    Walk(WalkArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  posta spf walk example.org
  posta spf walk example.org --ip 192.0.2.25 --sender ada@example.org

The exit code is 0 where the record can be used and permits the address, 1 where not, and 75 where the DNS does not answer.")]
pub(crate) struct WalkArgs {
    /// Whose record
    #[arg(value_name = "DOMAIN")]
    domain: String,
    /// An address that sends: which terms match it, and what follows
    #[arg(long, value_name = "ADDRESS")]
    ip: Option<IpAddr>,
    /// The reverse-path, for macros [default: postmaster at the domain]
    #[arg(long, value_name = "ADDRESS")]
    sender: Option<String>,
    /// What the client calls itself, for macros [default: the domain]
    #[arg(long, value_name = "NAME", requires = "ip")]
    helo: Option<String>,
    #[command(flatten)]
    dns: DnsArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &SpfCommand) -> crate::exit::Outcome {
    let SpfCommand::Walk(args) = command;
    let domain = domain(&args.domain)?;
    let helo = args.helo.as_deref().unwrap_or(&domain);
    let sender = args.sender.clone().unwrap_or_else(|| format!("postmaster@{domain}"));
    let client = args.ip.map(|ip| Client { ip, helo, receiver: "receiver.invalid", now: now() });
    let (found, outcome) = ask(&args.dns, async |outside| {
        let found = survey(outside, &domain, client.as_ref(), &sender).await;
        let outcome = match &client {
            // The domain that was asked for is what is checked, whatever the sender's is.
            Some(client) => {
                Some(check_host(outside, client, Identity::MailFrom(&at(&sender, &domain))).await)
            }
            None => None,
        };
        (found, outcome)
    })?;
    if args.json {
        terminal::print_json(&document(&found, outcome.as_ref()))?;
    } else {
        terminal::print(&page(&found, outcome.as_ref(), args.ip))?;
    }
    Ok(exit(&found, outcome.as_ref()).into())
}

/// A domain, in A-labels. Records stand at names that no host can have too, such as `_spf.example.org`.
pub(crate) fn domain(text: &str) -> Result<String, Failure> {
    let name = text.trim_end_matches('.').to_ascii_lowercase();
    if name.parse::<IpAddr>().is_ok() {
        let text = format!("{name} is an address of a host, and no domain");
        return Err(Failure::with_help(Exit::BadInput, text, "write a domain such as example.org"));
    }
    if name.is_ascii() && name.contains('.') && mailauth::is_name(&name) && !name.contains(['@', ' ']) {
        return Ok(name);
    }
    let domain: Result<Domain, _> = text.parse();
    domain.map(|domain| domain.ascii().to_owned()).map_err(|error| {
        let help = "write a domain such as example.org";
        Failure::with_help(Exit::BadInput, format_args!("{:?}: {error}", terminal::line(text)), help)
    })
}

fn at(sender: &str, domain: &str) -> String {
    let local_part = sender.rsplit_once('@').map_or("postmaster", |(local_part, _)| local_part);
    format!("{local_part}@{domain}")
}

/// What an evaluation of everything would cost is too much, or something in it cannot be used.
fn is_broken(found: &Survey) -> bool {
    found.lookup_terms > LOOKUP_TERMS_MAX || found.is_cut || tree::has_problem(&found.root)
}

fn exit(found: &Survey, outcome: Option<&Outcome>) -> Exit {
    match outcome.map(|outcome| outcome.result) {
        Some(SpfResult::TempError) => Exit::TryLater,
        Some(SpfResult::Pass) => Exit::Success,
        Some(_) => Exit::Failed,
        None if tree::has_trouble(&found.root) => Exit::TryLater,
        None if found.root.record.is_none() || is_broken(found) => Exit::Failed,
        None => Exit::Success,
    }
}

fn page(found: &Survey, outcome: Option<&Outcome>, ip: Option<IpAddr>) -> String {
    let paint = Paint::of_stdout();
    let mut lines = vec![paint.paint(&format!("SPF of {}", found.root.domain), BOLD)];
    lines.extend(tree::lines(&found.root, width(), paint));
    if found.root.record.is_some() {
        lines.push(String::new());
        lines.push(costs(found, paint));
    }
    if let (Some(outcome), Some(ip)) = (outcome, ip) {
        lines.push(verdict(outcome, ip, paint));
        lines.extend(outcome.explanation.iter().map(|text| format!("the domain says: {text}")));
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

fn costs(found: &Survey, paint: Paint) -> String {
    let colour = |is_over: bool| if is_over { RED } else { "" };
    let terms = format!("{} of {LOOKUP_TERMS_MAX} terms that ask the DNS", found.lookup_terms);
    let voids = format!("{} of {VOID_LOOKUPS_MAX} that find nothing", found.void_lookups);
    let mut line = format!(
        "{}, {}",
        paint.paint(&terms, colour(found.lookup_terms > LOOKUP_TERMS_MAX)),
        paint.paint(&voids, colour(found.void_lookups > VOID_LOOKUPS_MAX))
    );
    if found.lookup_terms > LOOKUP_TERMS_MAX {
        line += ": whoever comes to the eleventh gets permerror";
    }
    if found.is_cut {
        line += "; there is more, which was not looked at";
    }
    line
}

fn verdict(outcome: &Outcome, ip: IpAddr, paint: Paint) -> String {
    let colour = match outcome.result {
        SpfResult::Pass => GREEN,
        SpfResult::Fail | SpfResult::PermError => RED,
        _ => YELLOW,
    };
    let why = match (&outcome.mechanism, &outcome.problem) {
        (Some(mechanism), _) => format!(", decided by {mechanism}"),
        (None, Some(problem)) => format!(", since {problem}"),
        (None, None) => ", since nothing matches".to_owned(),
    };
    let used =
        format!("{} terms and {} empty answers on the way", outcome.lookup_terms, outcome.void_lookups);
    let result = paint.paint(outcome.result.keyword(), colour);
    format!("{ip} for {}: {result}{} ({used})", outcome.domain, terminal::line(&why))
}

fn document(found: &Survey, outcome: Option<&Outcome>) -> Value {
    json!({
        "domain": found.root.domain,
        "record": tree::value(&found.root),
        "lookup_terms": found.lookup_terms,
        "lookup_terms_max": LOOKUP_TERMS_MAX,
        "void_lookups": found.void_lookups,
        "void_lookups_max": VOID_LOOKUPS_MAX,
        "cut": found.is_cut,
        "result": outcome.map(|outcome| json!({
            "result": outcome.result.keyword(),
            "domain": outcome.domain,
            "mechanism": outcome.mechanism,
            "problem": outcome.problem.as_ref().map(ToString::to_string),
            "explanation": outcome.explanation,
            "lookup_terms": outcome.lookup_terms,
            "void_lookups": outcome.void_lookups,
        })),
    })
}
