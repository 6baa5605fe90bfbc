//! `posta check DOMAIN|ADDRESS`: whether a mail domain is in order, seen from outside.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use checkup::Finding;
use checkup::domain::{Part, Progress, Question, Selector, Summary, check};
use clap::Args;
use indicatif::ProgressBar;
use mta::route::AddressPolicy;
use serde_json::json;
use server::config::Config;
use server::control::{DirectoryRequest, DirectoryResponse};
use types::{Domain, Host, Mailbox};

use super::draw;
use super::outside::{DnsArgs, Manner, Real};
use crate::cli::DataArg;
use crate::directory::{Directory, PlaceArgs, warn};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;
use crate::trace::draw::{Paint, width};
use crate::trace::now;

/// What `posta check DOMAIN` is given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  posta check example.org
  posta check example.org --ip 192.0.2.25 --selector 2026a --dnsbl zen.spamhaus.org
  posta check ada@example.org --probe
  posta check example.org --json

The exit code is 0 where nothing is bad, 1 where something is, and 75 where nothing could be found out.")]
pub(crate) struct DomainArgs {
    /// A domain, or an address in it
    #[arg(value_name = "DOMAIN|ADDRESS", required = true)]
    subject: Option<String>,
    /// An address that sends for the domain, which SPF has to let in; the option again for more
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
    /// A selector of DKIM that the domain signs with; the option again for more [default: those of this server, and names
    /// that many use]
    #[arg(long, value_name = "NAME")]
    selector: Vec<String>,
    /// A list in the DNS that is asked about the domain and its addresses; the option again for more
    #[arg(long, value_name = "ZONE")]
    dnsbl: Vec<Domain>,
    /// Ask a mail host of the domain whether it takes mail for the address, for postmaster and for abuse
    #[arg(long)]
    probe: bool,
    /// The name to greet mail hosts with [default: that of the configuration, or our address]
    #[arg(long, value_name = "NAME")]
    helo: Option<Host>,
    /// Who vouches for servers: certificates in PEM [default: those of this machine]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// A configuration, for how the DNS is asked, for its DNS lists, its name and the addresses that it sends to
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    dns: DnsArgs,
    #[command(flatten)]
    data: DataArg,
    /// Where mail hosts listen
    #[arg(long, value_name = "PORT", default_value_t = 25, hide = true)]
    port: u16,
    /// Where policy hosts listen
    #[arg(long, value_name = "PORT", hide = true)]
    https_port: Option<u16>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &DomainArgs) -> Outcome {
    let subject = args.subject.as_deref().unwrap_or_default();
    let (domain, address) = parse(subject)?;
    let config = args.config.as_deref().map(crate::config::read).transpose()?;
    let question = question(args, &domain, address, config.as_ref());
    let manner = Manner {
        hello_name: args
            .helo
            .clone()
            .or_else(|| config.as_ref().map(|config| Host::Domain(config.host_name.clone()))),
        https_port: args.https_port,
        ca: args.ca.clone(),
        address_policy: question.address_policy,
    };
    let outside = Real::new(args.dns.resolver(config.as_ref())?, &manner)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Internal, format_args!("no runtime: {error}")))?;
    let shown = Shown::new(&domain);
    let findings = runtime.block_on(check(&outside, &question, &shown));
    // A visit that nobody waits for any more ends by itself.
    runtime.shutdown_background();
    shown.bar.finish_and_clear();
    let summary = Summary::of(&findings);
    if args.json {
        terminal::print_json(&json!({
            "domain": domain.as_str(),
            "ascii": domain.ascii(),
            "findings": findings,
            "summary": summary,
            "verdict": checkup::worst(&findings),
        }))?;
    } else {
        terminal::print(&page(&domain, &findings, &summary))?;
        if summary.is_empty() {
            let text =
                "no name server gave an answer that could be used: is there a network? --dns asks another";
            terminal::print(&format!("{text}\n"))?;
        }
    }
    Ok(match summary {
        Summary { bad: 1.., .. } => Exit::Failed.into(),
        _ if summary.is_empty() => Exit::TryLater.into(),
        _ => Exit::Success.into(),
    })
}

fn page(domain: &Domain, findings: &[Finding], summary: &Summary) -> String {
    let paint = Paint::of_stdout();
    let name = match domain.ascii() {
        ascii if ascii == domain.as_str() => ascii.to_owned(),
        ascii => format!("{} ({ascii})", domain.as_str()),
    };
    format!(
        "The mail domain {}\n{}{}",
        terminal::line(&name),
        draw::findings(findings, width(), paint),
        draw::summary(summary, paint)
    )
}

/// A domain, and the address where one was given.
fn parse(subject: &str) -> Result<(Domain, Option<Mailbox>), Failure> {
    let wrong = |error: &dyn std::fmt::Display| {
        let help = "write a domain such as example.org, or an address such as ada@example.org";
        Failure::with_help(Exit::BadInput, format_args!("{:?}: {error}", terminal::line(subject)), help)
    };
    let text = subject.trim_start_matches('<').trim_end_matches('>');
    let literal = text.trim_start_matches('[').trim_end_matches(']');
    if literal.parse::<IpAddr>().is_ok() {
        return Err(wrong(&"this is an address of a host, and no domain"));
    }
    if !text.contains('@') {
        let domain: Domain = text.trim_end_matches('.').parse().map_err(|error| wrong(&error))?;
        return Ok((domain, None));
    }
    let mailbox: Mailbox = text.parse().map_err(|error| wrong(&error))?;
    match &mailbox.host {
        Host::Domain(domain) => Ok((domain.clone(), Some(mailbox))),
        Host::Literal(_) => Err(wrong(&"an address literal has no domain to check")),
    }
}

fn question(
    args: &DomainArgs,
    domain: &Domain,
    address: Option<Mailbox>,
    config: Option<&Config>,
) -> Question {
    let given = args.selector.iter().map(|name| Selector { name: name.clone(), record: None });
    let configured = config.iter().flat_map(|config| &config.dnsbl).map(|list| list.zone.ascii());
    let mut lists: Vec<String> = Vec::new();
    for zone in args.dnsbl.iter().map(Domain::ascii).chain(configured) {
        if !zone.is_empty() && !lists.iter().any(|list| list == zone) {
            lists.push(zone.to_owned());
        }
    }
    let recipients = if args.probe {
        address.into_iter().chain(format!("postmaster@{}", domain.ascii()).parse()).collect()
    } else {
        Vec::new()
    };
    Question {
        domain: domain.clone(),
        sending_addresses: args.ip.clone(),
        selectors: given.chain(own_selectors(args, domain)).collect(),
        lists,
        recipients,
        port: args.port,
        address_policy: config.map_or(AddressPolicy::Global, |config| config.delivery.address_policy()),
        now: now(),
    }
}

/// Those of the server of this machine, where the domain is one of its own. Without such a server there are none.
fn own_selectors(args: &DomainArgs, domain: &Domain) -> Vec<Selector> {
    let place = PlaceArgs { data: args.data.clone(), json: args.json };
    let request = DirectoryRequest::DkimKeys { domain: Some(domain.ascii().to_owned()), after: None };
    match Directory::open(&place).and_then(|mut directory| directory.ask(request)) {
        Ok(DirectoryResponse::DkimKeys(keys)) => {
            keys.into_iter().map(|key| Selector { name: key.selector, record: Some(key.record) }).collect()
        }
        Err(failure) if args.data.data.is_some() => {
            warn(&[format!("the keys of DKIM of this server are not compared: {}", failure.report)]);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// What is under way, on a terminal.
struct Shown {
    bar: ProgressBar,
    parts: Mutex<Vec<Part>>,
}

impl Shown {
    fn new(domain: &Domain) -> Self {
        let bar = ProgressBar::new_spinner().with_message(format!("looking at {}", domain.ascii()));
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, parts: Mutex::default() }
    }

    fn change(&self, change: impl FnOnce(&mut Vec<Part>)) {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut parts);
        let words: Vec<&str> = parts.iter().map(|part| part.topic().title()).collect();
        self.bar.set_message(format!("waiting for: {}", words.join(", ")));
    }
}

impl Progress for Shown {
    fn begins(&self, part: Part) {
        self.change(|parts| parts.push(part));
    }

    fn ended(&self, part: Part) {
        self.change(|parts| parts.retain(|other| *other != part));
    }
}
