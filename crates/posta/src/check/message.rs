//! `posta check message`: what is wrong with one message, from a file or sent to an address that is made for it. What is found is
//! `checkup::message`'s.

use std::io::Read as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use checkup::message::{Arrival, Given, Grade, Letter, Oddity, Question, Report, SCORE_MAX, check};
use checkup::{Finding, Verdict};
use clap::Args;
use serde_json::{Value, json};
use types::Domain;

use super::ask::ask;
use super::outside::DnsArgs;
use super::{draw, listen};
use crate::exit::{Exit, Failure, Outcome};
use crate::terminal;
use crate::trace::draw::{BOLD, GREEN, Paint, RED, YELLOW, width};
use crate::trace::now;

/// What `posta check message` is given.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  posta check message mail.eml
  posta check message mail.eml --ip 192.0.2.25 --helo mail.example.org --from ada@example.org
  posta check message --listen
  posta check message --listen 0.0.0.0:25 --domain mail.example.net

Where the message came from is read from its trace fields where it is not said. The exit code is 0 where nothing is bad, 1 where \
    something is, and 75 where no message came.")]
pub(crate) struct MessageArgs {
    /// The message, or - for the standard input
    #[arg(value_name = "FILE|-", required_unless_present = "listen", conflicts_with = "listen")]
    file: Option<PathBuf>,
    /// Wait for a message to an address that is made for it, and check that
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:2525")]
    pub(super) listen: Option<SocketAddr>,
    /// The domain of that address, whose mail comes here [default: localhost]
    #[arg(long, value_name = "DOMAIN", requires = "listen")]
    pub(super) domain: Option<Domain>,
    /// How many seconds to wait
    #[arg(long, value_name = "SECONDS", requires = "listen", default_value_t = 600)]
    pub(super) timeout: u64,
    /// The address that the message came from
    #[arg(long, value_name = "ADDRESS", conflicts_with = "listen")]
    ip: Option<IpAddr>,
    /// What the client called itself
    #[arg(long, value_name = "NAME", conflicts_with = "listen")]
    helo: Option<String>,
    /// The reverse-path (MAIL FROM); <> for the null one
    #[arg(long, value_name = "PATH", conflicts_with = "listen")]
    from: Option<String>,
    /// A list in the DNS that is asked about the address and the domain; the option again for more
    #[arg(long, value_name = "ZONE")]
    dnsbl: Vec<Domain>,
    #[command(flatten)]
    dns: DnsArgs,
    /// As JSON
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &MessageArgs) -> Outcome {
    if args.listen.is_some() {
        let mut exit = Exit::Success;
        for (place, octets) in listen::messages(args)?.iter().enumerate() {
            if place > 0 && !args.json {
                terminal::print("\n")?;
            }
            let letter = Letter::read(octets, Vec::new());
            if judge(args, &letter, &Arrival::witnessed(&letter))? == Exit::Failed {
                exit = Exit::Failed;
            }
        }
        return Ok(exit.into());
    }
    let path = args.file.as_deref().unwrap_or_else(|| Path::new("-"));
    let (octets, oddities) = Oddity::undo(read_file(path)?);
    let letter = Letter::read(&octets, oddities);
    let path = args.from.as_deref().map(|path| path.trim_start_matches('<').trim_end_matches('>').to_owned());
    let given = Given { ip: args.ip, helo: args.helo.clone(), reverse_path: path };
    Ok(judge(args, &letter, &Arrival::read(&letter, given))?.into())
}

fn judge(args: &MessageArgs, letter: &Letter<'_>, arrival: &Arrival) -> Result<Exit, Failure> {
    let lists: Vec<String> = args.dnsbl.iter().map(|zone| zone.ascii().to_owned()).collect();
    // What was right when the message came has not become wrong by lying about.
    let at = arrival.at.unwrap_or_else(now);
    let question = Question { letter, arrival, lists: &lists, at };
    let report = ask(&args.dns, async |outside| check(outside, &question).await)?;
    if args.json {
        terminal::print_json(&document(&report, arrival))?;
    } else {
        terminal::print(&page(&report, letter, arrival))?;
    }
    let is_bad = report.findings.iter().any(|finding| finding.verdict == Verdict::Bad);
    Ok(if is_bad || report.grade() == Grade::Bad { Exit::Failed } else { Exit::Success })
}

/// A file, or what comes on the standard input. What is larger than any message is none.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::BadInput, format_args!("cannot read {}: {error}", path.display()))
    };
    let mut octets = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut octets).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut octets).map_err(failed)?;
    }
    if octets.len() as u64 > FILE_BYTES_MAX {
        return Err(Failure::new(
            Exit::BadInput,
            format_args!("{} is larger than any message", path.display()),
        ));
    }
    Ok(octets)
}

const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;

/// A finding that says what it is about, and what follows.
pub(crate) fn titled(finding: &Finding, tail: &str) -> Finding {
    let Finding { about, says, .. } = finding;
    let says = if says.starts_with(about.as_str()) {
        format!("{says}{tail}")
    } else {
        format!("{about}: {says}{tail}")
    };
    Finding { says, ..finding.clone() }
}

fn page(report: &Report, letter: &Letter<'_>, arrival: &Arrival) -> String {
    let paint = Paint::of_stdout();
    let mut page = format!("{}\n", paint.paint("The message", BOLD));
    for (name, value) in facts(letter, arrival) {
        page.push_str(&format!("  {name:<9}{}\n", terminal::line(&value)));
    }
    let costing: Vec<Finding> = report
        .findings
        .iter()
        .map(|finding| {
            let points = finding.points;
            titled(finding, &if points > 0.0 { format!(" (−{points:.1})") } else { String::new() })
        })
        .collect();
    page.push_str(&draw::findings(&costing, width(), paint));
    let grade = report.grade();
    let colour = match grade {
        Grade::Good => GREEN,
        Grade::Fair => YELLOW,
        Grade::Bad => RED,
    };
    let score = format!("{:.1} of {SCORE_MAX:.0} points: {}", report.score, grade.word());
    page.push_str(&format!("\n{}\n", paint.paint(&score, colour)));
    page
}

fn facts(letter: &Letter<'_>, arrival: &Arrival) -> Vec<(&'static str, String)> {
    let mut facts = Vec::new();
    for name in ["From", "Subject"] {
        facts.extend(letter.value(name).map(|value| (name, value.chars().take(SHOWN_CHARACTERS).collect())));
    }
    facts.extend(arrival.ip.map(|ip| ("client", ip.to_string())));
    facts.extend(arrival.helo.clone().map(|helo| ("HELO", helo)));
    facts.extend(arrival.reverse_path.as_ref().map(|path| ("sender", format!("<{path}>"))));
    facts.extend(arrival.at.map(|at| ("came", at.rfc5322())));
    facts
}

const SHOWN_CHARACTERS: usize = 80;

fn document(report: &Report, arrival: &Arrival) -> Value {
    json!({
        "client": arrival.ip,
        "helo": arrival.helo,
        "reverse_path": arrival.reverse_path,
        "assumed": arrival.assumed,
        "judged_as_of": arrival.at.map(types::Timestamp::rfc5322),
        "findings": report.findings,
        "score": (report.score * 10.0).round() / 10.0,
        "grade": report.grade().word(),
    })
}
