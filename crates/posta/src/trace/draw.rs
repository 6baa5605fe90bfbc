//! The timeline for people: a block for each connection, its messages one below the other in it, and a line for each
//! event with the time since the connection began. Whatever comes from outside is made safe for the terminal first.

use std::io::IsTerminal as _;

use comfy_table::Table;
use types::{Event, EventStep, MailId, Timestamp, Verdict};

use crate::terminal;

/// Columns of a page that is read from a file or through a pipe, and at most on a terminal.
const WIDTH_MAX: usize = 100;
const WIDTH_MIN: usize = 40;

/// On a narrower page the clock is left out; the time since the beginning stays.
const WIDTH_WITH_CLOCK: usize = 80;

/// As wide as the terminal, within bounds.
pub(crate) fn width() -> usize {
    Table::new().width().map_or(WIDTH_MAX, |width| usize::from(width).clamp(WIDTH_MIN, WIDTH_MAX))
}

/// Whether marks and heads stand out, as they do on a terminal, but for `NO_COLOR` (no-color.org).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Colours,
}

impl Paint {
    /// What fits the standard output.
    pub(crate) fn of_stdout() -> Self {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        if std::io::stdout().is_terminal() && !no_colour { Self::Colours } else { Self::Plain }
    }

    pub(crate) fn paint(self, text: &str, colour: &str) -> String {
        match self {
            Self::Colours if !colour.is_empty() => format!("\x1b[{colour}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

pub(crate) const BOLD: &str = "1";
pub(crate) const DIM: &str = "2";
pub(crate) const RED: &str = "31";
pub(crate) const GREEN: &str = "32";
pub(crate) const YELLOW: &str = "33";

/// The whole page.
pub(super) fn page(events: &[Event], width: usize, paint: Paint) -> String {
    let mut lines = Lines { width, paint, page: String::new() };
    for block in blocks(events) {
        if !lines.page.is_empty() {
            lines.page.push('\n');
        }
        match block[..] {
            [gap] if gap.step == EventStep::Gap => lines.gap(gap),
            _ => lines.connection(&block),
        }
    }
    lines.page
}

/// The events of each connection, in the order in which they began; a gap of the trace is a block by itself.
fn blocks(events: &[Event]) -> Vec<Vec<&Event>> {
    let mut blocks: Vec<Vec<&Event>> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for event in events {
        if event.step == EventStep::Gap {
            blocks.push(vec![event]);
            continue;
        }
        let place = *places.entry(event.session_id).or_insert(blocks.len());
        match blocks.get_mut(place) {
            Some(block) => block.push(event),
            None => blocks.push(vec![event]),
        }
    }
    blocks
}

struct Lines {
    width: usize,
    paint: Paint,
    page: String,
}

impl Lines {
    fn push(&mut self, line: &str) {
        self.page.push_str(line);
        self.page.push('\n');
    }

    /// ` ╌╌ 10:00:00.500  27 events were dropped here`
    fn gap(&mut self, gap: &Event) {
        let at = format!("╌╌ {}  ", clock(gap.at));
        let mut head = at.clone();
        for line in wrap(&terminal::line(&gap.reason), self.width.saturating_sub(at.chars().count())) {
            let line = self.paint.paint(&format!("{head}{line}"), YELLOW);
            self.push(&line);
            head = " ".repeat(at.chars().count());
        }
    }

    fn connection(&mut self, events: &[&Event]) {
        let Some(first) = events.first() else { return };
        let began = first.at.to_string();
        let day = began.get(..10).unwrap_or_default();
        // What is told of a message beside its events is of no connection.
        let of = if first.mail_id == Some(first.session_id) { "message" } else { "connection" };
        let head = format!("{day} {} UTC  {of} {}", clock(first.at), first.session_id);
        for line in wrap(&head, self.width) {
            let line = self.paint.paint(&line, BOLD);
            self.push(&line);
        }
        let facts = facts(events);
        if !facts.is_empty() {
            for line in wrap(&facts, self.width.saturating_sub(2)) {
                self.push(&format!("  {line}"));
            }
        }
        let mut mail = None;
        for event in events {
            if event.mail_id.is_some() && event.mail_id != mail {
                mail = event.mail_id;
                self.message(mail);
            }
            self.event(event, first.at);
        }
    }

    fn message(&mut self, mail_id: Option<MailId>) {
        let Some(mail_id) = mail_id else { return };
        let line = self.paint.paint(&format!("╭ message {mail_id}"), BOLD);
        self.push(&line);
    }

    /// `  10:00:00.012    +12 ms ✗ recipient       x@example.org`, what follows below the address.
    fn event(&mut self, event: &Event, began: Timestamp) {
        let clock =
            if self.width >= WIDTH_WITH_CLOCK { format!("{} ", clock(event.at)) } else { String::new() };
        // A bar beside what is about the message that is named above it.
        let bar = if event.mail_id.is_some() { "│ " } else { "  " };
        let time = format!("{clock}{:>9} ", offset(began, event.at));
        let (mark, colour) = mark(event.verdict);
        let step = format!("{:<STEP_WIDTH$} ", step(event.step));
        let indent = time.chars().count() + 2 + STEP_WIDTH + 1;
        let width = self.width.saturating_sub(2 + indent);
        let text = told(event, width);
        let mut rest = text.iter().flat_map(|part| wrap(part, width));
        let head = format!(
            "{bar}{}{} {}{}",
            self.paint.paint(&time, DIM),
            self.paint.paint(mark, colour),
            self.paint.paint(&step, if event.verdict == Verdict::Noted { "" } else { colour }),
            rest.next().unwrap_or_default()
        );
        self.push(head.trim_end());
        for line in rest {
            self.push(&format!("{bar}{}{line}", " ".repeat(indent)));
        }
    }
}

/// Columns of the longest name of a step.
const STEP_WIDTH: usize = 10;

/// Who connected, from where, over what, and as whom.
fn facts(events: &[&Event]) -> String {
    let of = |step: EventStep| events.iter().filter(move |event| event.step == step);
    let mut facts = Vec::new();
    facts.extend(of(EventStep::Connected).map(|event| event.reason.clone()).next());
    let proxied = of(EventStep::Proxied).rfind(|event| event.reply.is_none());
    facts.extend(proxied.map(|event| match &event.address {
        Some(address) => format!("{}: {address}", event.reason),
        None => event.reason.clone(),
    }));
    let hello = of(EventStep::Hello).filter_map(|event| event.address.as_ref()).next_back();
    facts.extend(hello.map(|name| format!("says it is {name}")));
    // What has a reply is about STARTTLS, what has none about the handshake.
    let handshake = of(EventStep::Tls).filter(|event| event.reply.is_none());
    facts.extend(handshake.map(|event| event.reason.clone()).next_back());
    let logins = of(EventStep::Authentication).filter(|event| event.verdict == Verdict::Accepted);
    let account = logins.filter_map(|event| event.address.as_ref()).next_back();
    facts.extend(account.map(|account| format!("as {account}")));
    facts.retain(|fact| !fact.is_empty());
    terminal::line(&facts.join(" · ")).into_owned()
}

/// What an event tells, a paragraph each: a refusal has one for the reply and one for the reason; what was accepted
/// has one for all where that fits a line.
fn told(event: &Event, width: usize) -> Vec<String> {
    let safe = |text: &str| terminal::line(text).into_owned();
    let reply = event.reply.as_deref().filter(|reply| !reply.is_empty()).map(safe);
    let reason = Some(event.reason.as_str()).filter(|reason| !reason.is_empty()).map(safe);
    let address = event.address.as_deref().map(|address| match address {
        "" => "<>".to_owned(),
        address => safe(address),
    });
    if matches!(event.verdict, Verdict::Refused | Verdict::Deferred) {
        let why = reason.map(|reason| format!("why: {reason}"));
        return [address, reply, why].into_iter().flatten().collect();
    }
    let mut paragraphs: Vec<String> = Vec::new();
    for part in [address, reason, reply].into_iter().flatten() {
        match paragraphs.last_mut() {
            Some(line) if line.chars().count() + 2 + part.chars().count() <= width => {
                line.push_str("  ");
                line.push_str(&part);
            }
            _ => paragraphs.push(part),
        }
    }
    paragraphs
}

const fn mark(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Noted => ("·", ""),
        Verdict::Accepted => ("✓", GREEN),
        Verdict::Refused => ("✗", RED),
        Verdict::Deferred => ("↻", YELLOW),
    }
}

/// Ten columns at most.
const fn step(step: EventStep) -> &'static str {
    match step {
        EventStep::Authentication => "login",
        step => step.name(),
    }
}

/// `10:00:00.250`
fn clock(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(11..23).unwrap_or(&text).to_owned()
}

/// `+12 ms`, `+3.2 s`, `+2m 05s`, `+1h 02m`, `+3d 04h`.
fn offset(began: Timestamp, at: Timestamp) -> String {
    let ms = u64::try_from(at.since(began).as_millis()).unwrap_or(u64::MAX);
    let seconds = ms / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match ms {
        0..1000 => format!("+{ms} ms"),
        1000..60_000 => format!("+{seconds}.{} s", ms % 1000 / 100),
        60_000..3_600_000 => format!("+{minutes}m {:02}s", seconds % 60),
        3_600_000..86_400_000 => format!("+{hours}h {:02}m", minutes % 60),
        _ => format!("+{days}d {:02}h", hours % 24),
    }
}

/// Lines of at most `width` columns, broken at spaces, and within words only where they are longer than a line.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut lines = Vec::new();
    let (mut line, mut used) = (String::new(), 0);
    // Two spaces part two things, and stay.
    for word in text.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > width {
            lines.push(std::mem::take(&mut line).trim_end().to_owned());
            used = 0;
        } else if used > 0 {
            line.push(' ');
            used += 1;
        } else if word.is_empty() {
            continue;
        }
        for character in word.chars() {
            if used >= width {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(character);
            used += 1;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines
}

#[cfg(test)]
#[path = "draw_tests.rs"]
mod tests;
