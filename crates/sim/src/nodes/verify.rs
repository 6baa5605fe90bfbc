//! The promises, compared with what is found at the end.

use std::collections::BTreeSet;
use std::time::Duration;

use types::{Event, EventStep};

use super::found::{Found, find, timeline};
use super::ledger::{Promise, Sent};
use super::life::Life;
use super::node::CONNECTIONS_MAX;
use super::world::World;

/// How long mail for a host that is well may take, whatever else is wrong, while its node is up.
const FAIR: Duration = Duration::from_secs(150);
/// How long each message has for itself that may have ended a node.
const ALONE: Duration = Duration::from_secs(10);
/// What a node that dies may forget of its trace.
const TRACE_FORGETS: Duration = Duration::from_secs(4);

/// Compares.
///
/// # Errors
/// The promise that was broken.
pub(super) fn verify(life: &mut Life<'_>, world: &World) -> Result<(), String> {
    let found = find(life, world)?;
    reports_are_about_messages(&found)?;
    let sent: Vec<String> = world.state().ledger.sent.keys().cloned().collect();
    for tag in sent {
        let broken = {
            let state = world.state();
            let sent = &state.ledger.sent[&tag];
            let judged = Judged { tag: &tag, sent, found: &found, ledger: &state.ledger, plan: &world.plan };
            let verdict = judged.verdict();
            drop(state);
            match verdict {
                Ok(counts) => {
                    world.state().summary.add(counts);
                    None
                }
                Err(what) => Some(what),
            }
        };
        match broken {
            Some(what) => return Err(with_events(life, world, &tag, what)),
            None => traced(life, world, &found, &tag)?,
        }
    }
    for (tag, recipient) in found.copies.keys() {
        let is_known = world.state().ledger.sent.contains_key(tag) || found.reports.contains_key(tag);
        if !is_known {
            return Err(format!("{recipient} has a message that nobody sent: {tag:?}"));
        }
    }
    let mut state = world.state();
    state.summary.reports += found.reports.len() as u64;
    state.summary.delays += found.reports.values().filter(|report| !report.delayed.is_empty()).count() as u64;
    Ok(())
}

/// What became of the recipients of a message.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counts {
    pub(super) promised: u64,
    pub(super) unknown: u64,
    pub(super) delivered: u64,
    pub(super) reported: u64,
    pub(super) duplicates: u64,
    pub(super) both: u64,
}

/// Nobody is told of the fate of a report, but the postmaster.
fn reports_are_about_messages(found: &Found) -> Result<(), String> {
    for (id, report) in &found.reports {
        let Some(about) = &report.about else { continue };
        let is_about_a_report = found.reports.contains_key(about) || !about.ends_with("@client.example");
        if is_about_a_report && !report.places.iter().all(|place| place.starts_with("postmaster@")) {
            return Err(format!(
                "the report {id} is about the report {about}, and went to {:?}",
                report.places
            ));
        }
    }
    Ok(())
}

/// One message, and all that is known of it.
struct Judged<'a> {
    tag: &'a str,
    sent: &'a Sent,
    found: &'a Found,
    ledger: &'a super::ledger::Ledger,
    plan: &'a super::plan::Plan,
}

impl Judged<'_> {
    fn verdict(&self) -> Result<Counts, String> {
        let mut counts = Counts::default();
        match self.sent.promise {
            Promise::Made { .. } => counts.promised = 1,
            Promise::Unknown => counts.unknown = 1,
            Promise::None => {}
        }
        for recipient in &self.sent.recipients {
            self.recipient(recipient, &mut counts).map_err(|what| {
                let node = &self.plan.nodes[self.sent.node].name;
                let sender = self.sent.sender.as_deref().unwrap_or("<>");
                let promise = self.sent.promise;
                format!("{} from {sender} for {recipient}, given to {node} ({promise:?}): {what}", self.tag)
            })?;
        }
        Ok(counts)
    }

    fn recipient(&self, recipient: &str, counts: &mut Counts) -> Result<(), String> {
        let copies = self.found.copies.get(&(self.tag.to_owned(), recipient.to_owned()));
        let copies = copies.map_or(&[][..], Vec::as_slice);
        let reports: BTreeSet<&String> = self.found.failures(self.tag, recipient).map(|(id, _)| id).collect();
        let doubts = self.ledger.doubts.get(self.tag).copied().unwrap_or(0);
        if self.sent.promise == Promise::None && !(copies.is_empty() && reports.is_empty()) {
            return Err("it was not accepted, and yet something became of it".to_owned());
        }
        let is_promised = matches!(self.sent.promise, Promise::Made { .. });
        if is_promised && copies.is_empty() && reports.is_empty() {
            return Err("it is neither delivered nor reported".to_owned());
        }
        // Who may have taken it twice may report twice that it could not be sent on.
        if reports.len() as u64 > 1 + doubts {
            return Err(format!("its failure is reported more than once: {reports:?}"));
        }
        let extra = copies.len().saturating_sub(1) as u64;
        if !copies.is_empty() && !reports.is_empty() {
            if doubts == 0 {
                return Err(format!("it is delivered, and reported as failed by {reports:?}"));
            }
            counts.both += 1;
        }
        if extra > doubts {
            let places: Vec<_> = copies.iter().map(|copy| &copy.place).collect();
            return Err(format!("it came {} times with {doubts} doubts: {places:?}", copies.len()));
        }
        for copy in copies {
            self.octets(&copy.octets).map_err(|what| format!("the copy at {}: {what}", copy.place))?;
        }
        self.fairness(recipient)?;
        counts.delivered += u64::from(!copies.is_empty());
        counts.reported += u64::from(!reports.is_empty());
        counts.duplicates += extra;
        Ok(())
    }

    /// What was sent is what came, below the fields of those who had it on the way.
    fn octets(&self, octets: &[u8]) -> Result<(), String> {
        let Some(head) = octets.strip_suffix(self.sent.octets.as_slice()) else {
            return Err(format!("it is not what was sent: {:?}", String::from_utf8_lossy(octets)));
        };
        let mut lines = head.split_inclusive(|octet| *octet == b'\n');
        let is_trace = |line: &[u8]| {
            let names: [&[u8]; 3] = [b"Return-Path:", b"Delivered-To:", b"Received:"];
            line.ends_with(b"\r\n")
                && (line.starts_with(b" ")
                    || line.starts_with(b"\t")
                    || names.iter().any(|name| line.starts_with(name)))
        };
        if lines.all(is_trace) {
            Ok(())
        } else {
            Err(format!("what stands above it is {:?}", String::from_utf8_lossy(head)))
        }
    }

    /// Mail for the host that is always well does not wait for what is not.
    fn fairness(&self, recipient: &str) -> Result<(), String> {
        let Promise::Made { mail_id } = self.sent.promise else { return Ok(()) };
        let at = self.ledger.accepted_at(mail_id);
        let node = self.sent.node;
        let is_haven = recipient.ends_with("@haven.example") && !recipient.starts_with('x');
        if !is_haven || self.plan.nodes[node].smart_host.is_some() {
            return Ok(());
        }
        let of_this = self.ledger.taken.iter().filter(|taken| taken.tag == self.tag);
        let taken_at =
            of_this.filter(|taken| taken.recipients.iter().any(|r| r == recipient)).map(|t| t.at).min();
        let Some(taken_at) = taken_at else { return Ok(()) };
        let waited = self.ledger.up(node, at, taken_at);
        // What a clock that was put back put off waits until that time comes again.
        let mut most = FAIR + self.ledger.put_back.get(&node).copied().unwrap_or_default();
        if self.ledger.died_soon_after(node, at, taken_at.saturating_sub(at)) {
            // What was in hand when its node died may be what it died of: each has some time for itself then.
            most += ALONE * CONNECTIONS_MAX;
        }
        if waited > most {
            let (waited, most) = (waited.as_secs(), most.as_secs());
            return Err(format!("it took {waited} s to a host that is well, of {most} s at most"));
        }
        Ok(())
    }
}

/// The trace of the node that accepted a message tells the end of each recipient (design promise 2).
fn traced(life: &mut Life<'_>, world: &World, found: &Found, tag: &str) -> Result<(), String> {
    let (node, mail_id, at, recipients) = {
        let state = world.state();
        let sent = &state.ledger.sent[tag];
        let Promise::Made { mail_id } = sent.promise else { return Ok(()) };
        (sent.node, mail_id, state.ledger.accepted_at(mail_id), sent.recipients.clone())
    };
    let events = timeline(life, node, mail_id);
    for recipient in recipients {
        let is_end = |event: &&Event| {
            let ends = [EventStep::Delivered, EventStep::Relayed, EventStep::Failed, EventStep::Discarded];
            event.mail_id == Some(mail_id)
                && ends.contains(&event.step)
                && event.address.as_ref().is_some_and(|address| address.eq_ignore_ascii_case(&recipient))
        };
        if events.iter().any(|event| is_end(&event)) {
            continue;
        }
        let is_forgotten = {
            let state = world.state();
            let ledger = &state.ledger;
            // Without room on the disk the trace waits in memory.
            let died_later = |at: Duration| ledger.deaths.iter().any(|(of, died)| *of == node && *died >= at);
            let soon = |at: Duration| {
                ledger.died_soon_after(node, at, TRACE_FORGETS)
                    || ledger.was_full(node, at, TRACE_FORGETS) && died_later(at)
            };
            let is_reported = found.failures(tag, &recipient).next().is_some();
            let answered = |(of, what, _): &&(usize, String, Duration)| *of == node && what == tag;
            soon(at)
                || ledger.answered.iter().filter(answered).any(|(_, _, at)| soon(*at))
                || is_reported && died_later(at)
        };
        if !is_forgotten {
            let what = format!("{tag} for {recipient}: the trace does not tell how it ended");
            return Err(with_events(life, world, tag, what));
        }
        world.state().summary.forgotten += 1;
    }
    Ok(())
}

/// What is wrong, with all that is known of the message.
fn with_events(life: &mut Life<'_>, world: &World, tag: &str, what: String) -> String {
    let (node, promise, fate) = {
        let state = world.state();
        let sent = &state.ledger.sent[tag];
        (sent.node, sent.promise, state.ledger.fate(sent.node, tag))
    };
    let mut text = what + &fate;
    let Promise::Made { mail_id } = promise else { return text };
    text.push_str(&format!("\nwhat {} knows of {mail_id}:", world.plan.nodes[node].name));
    for event in timeline(life, node, mail_id) {
        let address = event.address.unwrap_or_default();
        let reply = event.reply.unwrap_or_default();
        let (at, step) = (event.at, event.step.name());
        text.push_str(&format!("\n  {at} {step} {address} {reply} ({})", event.reason));
    }
    text
}
