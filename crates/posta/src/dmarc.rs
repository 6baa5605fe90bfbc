//! `posta dmarc lookup`: which policy applies to a name and why, step by step. The walk is `mailauth::dmarc`'s; here is how it
//! looks.

use clap::{Args, Subcommand};
use mailauth::dmarc::{Applies, Counts, Policy, Published, Step, Survey, Tag, survey};
use serde_json::{Value, json};

use crate::check::ask::ask;
use crate::check::outside::DnsArgs;
use crate::exit::{Exit, Outcome};
use crate::trace::draw::{BOLD, DIM, GREEN, Paint, RED, YELLOW, width, wrap};
use crate::{spf, terminal};

#[derive(Debug, Subcommand)]
pub(crate) enum DmarcCommand {
    /// Walk from a domain towards the root, and tell which policy applies
    Lookup(LookupArgs),
}

#[derive(Debug, Args)]
#[command(
    after_help = "The exit code is 0 where a record applies and all of it makes sense, 1 where not, and 75 where the DNS \
    does not answer."
)]
pub(crate) struct LookupArgs {
    /// The domain of From
    #[arg(value_name = "DOMAIN")]
    domain: String,
    #[command(flatten)]
    dns: DnsArgs,
    /// As JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &DmarcCommand) -> Outcome {
    let DmarcCommand::Lookup(args) = command;
    let domain = spf::domain(&args.domain)?;
    let found = ask(&args.dns, async |outside| survey(outside, &domain).await)?;
    if args.json {
        terminal::print_json(&document(&found))?;
    } else {
        terminal::print(&page(&found))?;
    }
    Ok(exit(&found).into())
}

fn exit(found: &Survey) -> Exit {
    let has_problem = applied(found).is_some_and(|text| text.tags.iter().any(|tag| tag.problem.is_some()));
    let is_closed = found.receivers.iter().any(|receiver| receiver.is_willing == Some(false));
    match found.record {
        _ if found.trouble.is_some() => Exit::TryLater,
        None => Exit::Failed,
        Some(_) if has_problem || is_closed => Exit::Failed,
        Some(_) => Exit::Success,
    }
}

/// The text of the record that applies.
fn applied(found: &Survey) -> Option<&Published> {
    let name = format!("_dmarc.{}", found.policy_domain.as_deref()?);
    let step = found.steps.iter().find(|step| step.name == name)?;
    step.texts.iter().find(|text| text.counts == Counts::AsRecord)
}

fn page(found: &Survey) -> String {
    let mut page = Page { lines: Vec::new(), paint: Paint::of_stdout(), width: width() };
    page.head(&format!("DMARC of {}", found.domain));
    for (place, step) in found.steps.iter().enumerate() {
        page.step(place + 1, step);
    }
    page.verdict(found);
    if let Some(text) = applied(found) {
        page.head("\nIts tags");
        for tag in &text.tags {
            page.tag(tag);
        }
    }
    page.receivers(found);
    page.lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

struct Page {
    lines: Vec<String>,
    paint: Paint,
    width: usize,
}

impl Page {
    fn head(&mut self, text: &str) {
        self.lines.push(self.paint.paint(text, BOLD));
    }

    /// A line that goes on below its text.
    fn line(&mut self, before: &str, text: &str, colour: &str) {
        let indent = before.chars().count();
        let wrapped = wrap(&terminal::line(text), self.width.saturating_sub(indent).max(20));
        for (number, line) in wrapped.iter().enumerate() {
            let before = if number == 0 { before.to_owned() } else { " ".repeat(indent) };
            self.lines.push(format!("{before}{}", self.paint.paint(line, colour)));
        }
    }

    fn step(&mut self, number: usize, step: &Step) {
        let name = terminal::line(&step.name).into_owned();
        self.lines.push(format!("  {number}. {name}"));
        if let Some(trouble) = step.trouble {
            self.line("     ", &trouble.to_string(), RED);
        } else if step.texts.is_empty() {
            self.line("     ", "nothing there", DIM);
        }
        let records = step.texts.iter().filter(|text| text.counts != Counts::AsOther).count();
        for text in &step.texts {
            self.line("     ", &text.text, "");
            match text.counts {
                Counts::AsOther => self.line("     ", "no record of DMARC, and left out", DIM),
                Counts::AsUseless => {
                    self.line(
                        "     ",
                        "no policy in it makes sense, and nobody is to get reports: it counts for nothing",
                        RED,
                    );
                }
                Counts::AsRecord => {}
            }
        }
        if records > 1 {
            self.line("     ", "more than one record: none of them counts", RED);
        }
    }

    fn verdict(&mut self, found: &Survey) {
        self.lines.push(String::new());
        if let Some((name, trouble)) = &found.trouble {
            self.line("  not known      ", &format!("{name}: {trouble}"), RED);
        }
        let organization = found.organizational_domain.as_deref();
        self.line("  organization   ", organization.unwrap_or("not known"), "");
        let Some(domain) = &found.policy_domain else {
            self.line("  policy         ", "none: no record applies", YELLOW);
            return;
        };
        let colour = if found.policy == Policy::None { YELLOW } else { GREEN };
        self.line("  record of      ", domain, "");
        self.line("  policy         ", &format!("{}: {}", found.policy.keyword(), applies(found)), colour);
    }

    fn tag(&mut self, tag: &Tag) {
        let before = format!("  {:<6} ", terminal::line(&tag.name));
        self.line(&before, &tag.value, "");
        match tag.problem {
            Some(problem) => self.line("         ", problem, RED),
            None => self.line("         ", meaning(tag), DIM),
        }
    }

    fn receivers(&mut self, found: &Survey) {
        if found.receivers.is_empty() {
            return;
        }
        self.head("\nReports to other organizations");
        for receiver in &found.receivers {
            let (text, colour) = match receiver.is_willing {
                Some(true) => (format!("{} says that it wants them", receiver.asked), GREEN),
                Some(false) => (
                    format!(
                        "nothing at {} says that it wants them, so none are sent; publish there: \"v=DMARC1\"",
                        receiver.asked
                    ),
                    RED,
                ),
                None => (format!("{} could not be asked for", receiver.asked), YELLOW),
            };
            self.lines.push(format!("  {}", terminal::line(&receiver.uri)));
            self.line("    ", &text, colour);
        }
    }
}

/// Why it is that one of the record's policies.
fn applies(found: &Survey) -> &'static str {
    let Some(record) = &found.record else { return "there is no record" };
    match found.applies {
        Applies::Nothing => "there is no record",
        _ if record.is_testing => "one step lower than the record says, since t=y says that it is a test",
        Applies::Own => "p, since the record is the domain's own",
        Applies::ToNonExistent if record.non_existent_policy.is_some() => {
            "np, since the record is of a domain above, and this one does not exist"
        }
        Applies::ToNonExistent | Applies::ToSubdomain if record.subdomain_policy.is_some() => {
            "sp, since the record is of a domain above"
        }
        Applies::ToNonExistent | Applies::ToSubdomain => "p of a domain above, since there is no sp",
    }
}

/// What a tag says, in words.
fn meaning(tag: &Tag) -> &'static str {
    let value = tag.value.to_ascii_lowercase();
    match (tag.name.to_ascii_lowercase().as_str(), value.as_str()) {
        ("v", _) => "a record of DMARC",
        ("p", "none") => "for the domain itself: do nothing with what fails",
        ("p", "quarantine") => "for the domain itself: take what fails for suspicious",
        ("p", _) => "for the domain itself: refuse what fails",
        ("sp", "none") => "for domains below that exist: do nothing with what fails",
        ("sp", "quarantine") => "for domains below that exist: take what fails for suspicious",
        ("sp", _) => "for domains below that exist: refuse what fails",
        ("np", "none") => "for domains below that do not exist: do nothing with what fails",
        ("np", "quarantine") => "for domains below that do not exist: take what fails for suspicious",
        ("np", _) => "for domains below that do not exist: refuse what fails",
        ("adkim", "s") => "signatures count if they are of the very same domain",
        ("adkim", _) => "signatures count if they are of the same organization",
        ("aspf", "s") => "SPF counts if it is of the very same domain",
        ("aspf", _) => "SPF counts if it is of the same organization",
        ("psd", "y") => "a public suffix: organizations are the domains right below it",
        ("psd", "n") => "an organization, and no public suffix",
        ("t", "y") => "a test: policies are one step lower than they say",
        ("rua", _) => "where reports about all mail go",
        ("ruf", _) => "where reports about single failures go",
        ("fo", _) => "about which failures there are reports",
        _ => "as if it were not there",
    }
}

fn document(found: &Survey) -> Value {
    let step = |step: &Step| {
        json!({
            "name": step.name,
            "trouble": step.trouble.map(|trouble| trouble.to_string()),
            "texts": step.texts.iter().map(text_value).collect::<Vec<_>>(),
        })
    };
    let receivers = found.receivers.iter().map(
        |receiver| json!({ "uri": receiver.uri, "asked": receiver.asked, "willing": receiver.is_willing }),
    );
    json!({
        "domain": found.domain,
        "steps": found.steps.iter().map(step).collect::<Vec<_>>(),
        "organizational_domain": found.organizational_domain,
        "policy_domain": found.policy_domain,
        "policy": found.record.as_ref().map(|_| found.policy.keyword()),
        "why": applies(found),
        "receivers": receivers.collect::<Vec<_>>(),
        "trouble": found.trouble.as_ref().map(|(name, trouble)| format!("{name}: {trouble}")),
    })
}

fn text_value(text: &Published) -> Value {
    let counts = match text.counts {
        Counts::AsRecord => "record",
        Counts::AsUseless => "useless",
        Counts::AsOther => "other",
    };
    let tags =
        text.tags.iter().map(|tag| json!({ "name": tag.name, "value": tag.value, "problem": tag.problem }));
    json!({ "text": text.text, "counts": counts, "tags": tags.collect::<Vec<_>>() })
}
