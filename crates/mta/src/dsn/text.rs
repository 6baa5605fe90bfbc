//! The part for people: what happened, who can act, and what to do, in their language, from the same table as
//! `posta explain`.

use types::explain::{Explanation, Finding as Said, actors, cause, causes_in, explain, labels};
use types::language::{Text, fill};
use types::{ForwardPath, Timestamp};

use super::encode::{Part, Transfer};
use super::words;
use super::{Action, Addressee, Language, Notification, RecipientReport, original};
use crate::outcome::Diagnostic;

const WIDTH: usize = 76;
/// Characters of a reply that are repeated.
const SAID_CHARS_MAX: usize = 500;

pub(super) fn subject(notification: &Notification<'_>, recipients: &[&RecipientReport<'_>]) -> &'static str {
    let has = |action| recipients.iter().any(|report| report.action == action);
    let text = if notification.addressee == Addressee::Postmaster {
        words::SUBJECT_ORPHAN
    } else if has(Action::Failed) {
        words::SUBJECT_FAILED
    } else if has(Action::Delayed) {
        words::SUBJECT_DELAYED
    } else if recipients.iter().all(|report| report.action == Action::Delivered) {
        words::SUBJECT_DELIVERED
    } else {
        words::SUBJECT_RELAYED
    };
    text.of(notification.language)
}

pub(super) fn part(notification: &Notification<'_>, recipients: &[&RecipientReport<'_>]) -> Part {
    let language = notification.language;
    let mut page = Page { language, out: String::new() };
    page.sentence(words::INTRODUCTION, &[("host", notification.host_name.as_str())]);
    for action in [Action::Failed, Action::Delayed, Action::Relayed, Action::Expanded, Action::Delivered] {
        let of_action: Vec<_> = recipients.iter().filter(|report| report.action == action).collect();
        if of_action.is_empty() {
            continue;
        }
        page.blank();
        let is_orphan = notification.addressee == Addressee::Postmaster;
        let heading = if is_orphan { words::ORPHAN } else { words::heading(action) };
        page.paragraph(0, &heading.of(language, of_action.len()));
        for report in of_action {
            page.blank();
            page.recipient(report);
        }
    }
    page.blank();
    let (time, id) = (moment(notification.received_at), notification.mail_id.to_string());
    let postmaster = notification.postmaster.to_string();
    page.sentence(words::ORIGIN, &[("time", &time), ("id", &id), ("postmaster", &postmaster)]);
    page.blank();
    page.sentence(returned(notification, recipients), &[]);
    // RFC 3282: of this part alone, the others are for programs or in the language of the message.
    let fields =
        format!("Content-Type: text/plain; charset=utf-8\r\nContent-Language: {}\r\n", language.tag());
    Part::of_lines(fields, page.out.into_bytes(), Transfer::SevenBit)
}

fn returned(notification: &Notification<'_>, recipients: &[&RecipientReport<'_>]) -> Text {
    if notification.original.octets.is_empty() {
        words::ALONE
    } else if original::is_returned_whole(notification, recipients) {
        words::WITH_MESSAGE
    } else {
        words::WITH_HEADER
    }
}

/// Characters that change how the text around them is read: marks of direction and the like. A reply from outside
/// must not rearrange a report.
pub(super) const fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// What is known of a report, from the table of explanations.
fn explanation(report: &RecipientReport<'_>) -> Explanation {
    let (code, text) = match &report.finding.diagnostic {
        Diagnostic::Remote(reply) => (Some(reply.code), reply.text.to_string()),
        Diagnostic::Local(text) => (None, text.clone()),
    };
    let causes = causes_in(&text);
    explain(&Said {
        code,
        status: Some(report.finding.status),
        action: Some(report.action),
        causes,
        text,
        ..Said::default()
    })
}

/// Lines of text, each ended by CRLF.
struct Page {
    language: Language,
    out: String,
}

impl Page {
    fn blank(&mut self) {
        self.out.push_str("\r\n");
    }

    /// Words in lines of at most [`WIDTH`] characters, where no word is longer.
    fn paragraph(&mut self, indent: usize, text: &str) {
        self.wrapped(&" ".repeat(indent), indent, text);
    }

    /// The same with something before the first word; further lines are indented.
    fn wrapped(&mut self, first: &str, indent: usize, text: &str) {
        self.out.push_str(first);
        let mut column = first.chars().count();
        let mut is_fresh = first.trim().is_empty();
        for word in text.split_whitespace() {
            let width = word.chars().count();
            if !is_fresh && column + 1 + width > WIDTH {
                self.out.push_str("\r\n");
                self.out.extend(std::iter::repeat_n(' ', indent));
                column = indent;
                is_fresh = true;
            }
            if !is_fresh {
                self.out.push(' ');
                column += 1;
            }
            self.out.push_str(word);
            column += width;
            is_fresh = false;
        }
        self.out.push_str("\r\n");
    }

    fn sentence(&mut self, text: Text, values: &[(&str, &str)]) {
        self.paragraph(0, &fill(text.of(self.language), values));
    }

    fn labelled(&mut self, label: &str, text: &str) {
        self.wrapped(&format!("    {label}:"), 6, text);
    }

    fn recipient(&mut self, report: &RecipientReport<'_>) {
        let address = match &report.recipient.forward_path {
            ForwardPath::Mailbox(mailbox) => mailbox.to_string(),
            ForwardPath::Postmaster => "Postmaster".to_owned(),
        };
        self.paragraph(2, &plain(&address));
        match report.action {
            Action::Failed | Action::Delayed => self.trouble(report),
            Action::Relayed | Action::Expanded | Action::Delivered => {}
        }
    }

    fn trouble(&mut self, report: &RecipientReport<'_>) {
        let language = self.language;
        let explanation = explanation(report);
        let meanings: Vec<&str> = if explanation.causes.is_empty() {
            let first = explanation.meanings.first();
            first
                .map(|meaning| meaning.texts.iter().map(|text| text.of(language)).collect())
                .unwrap_or_default()
        } else {
            explanation.causes.iter().map(|kind| cause(*kind).meaning.of(language)).collect()
        };
        self.labelled(words::WHAT_HAPPENED.of(language), &sentence(&meanings.join("; ")));
        self.said(report);
        self.labelled(labels::ACTS.of(language), &sentence(&actors(&explanation.actors, language)));
        match report.action {
            Action::Delayed => self.tried_again(report.will_retry_until),
            _ => self.labelled(labels::RETRY.of(language), &sentence(explanation.retry.text().of(language))),
        }
        let mut steps: Vec<&str> = explanation.steps.iter().map(|step| step.of(language)).collect();
        if steps.is_empty() {
            steps = explanation
                .usual_causes
                .iter()
                .flat_map(|kind| cause(*kind).steps)
                .map(|s| s.of(language))
                .collect();
        }
        if steps.is_empty() {
            return;
        }
        self.labelled(labels::STEPS.of(language), "");
        for step in steps.iter().take(STEPS_MAX) {
            self.wrapped("      -", 8, step);
        }
    }

    fn said(&mut self, report: &RecipientReport<'_>) {
        let label = match (&report.finding.diagnostic, &report.remote) {
            (Diagnostic::Remote(_), Some(remote)) => {
                let by =
                    remote.name.map_or_else(|| remote.address.to_string(), |name| name.ascii().to_owned());
                fill(words::SAID_BY.of(self.language), &[("host", by.as_str())])
            }
            (Diagnostic::Remote(_), None) => words::SAID_BY_OTHER.of(self.language).to_owned(),
            (Diagnostic::Local(_), _) => words::FOUND_HERE.of(self.language).to_owned(),
        };
        self.labelled(&label, &plain(&report.finding.diagnostic.to_string()));
    }

    fn tried_again(&mut self, until: Option<Timestamp>) {
        let text = match until {
            Some(at) => fill(words::BY_ITSELF_UNTIL.of(self.language), &[("time", moment(at).as_str())]),
            None => words::BY_ITSELF.of(self.language).to_owned(),
        };
        self.labelled(labels::RETRY.of(self.language), &text);
    }
}

/// Steps of one recipient.
const STEPS_MAX: usize = 6;

/// `2026-11-22 12:00:00 UTC`, which reads the same in each language.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let (date, time) = text.split_once('T').unwrap_or((&text, ""));
    format!("{date} {} UTC", time.split('.').next().unwrap_or_default())
}

/// One that begins with a capital letter and ends in a full stop.
fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return String::new() };
    let mut out: String = first.to_uppercase().chain(chars).collect();
    if !out.ends_with(['.', '!', '?']) {
        out.push('.');
    }
    out
}

/// Words from outside: on one line, cut, and without what a terminal or a reader's eye would obey.
fn plain(text: &str) -> String {
    let mut chars = text.chars();
    let mut out: String = chars
        .by_ref()
        .take(SAID_CHARS_MAX)
        .map(|c| match c {
            c if c.is_whitespace() => ' ',
            c if c.is_control() || is_invisible(c) => '?',
            c => c,
        })
        .collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}
