//! The part for people: what happened, who can act, and what to do, in their language, from the same table as
//! `posta explain`.

use types::explain::{Actor, Explanation, Finding as Said, Text, cause, causes_in, explain, labels};
use types::{ForwardPath, Timestamp};

use super::encode::{Part, Transfer};
use super::{Action, Addressee, Language, Notification, RecipientReport, original};
use crate::outcome::Diagnostic;

const WIDTH: usize = 76;
/// Characters of a reply that are repeated.
const SAID_CHARS_MAX: usize = 500;

pub(super) fn author(language: Language) -> &'static str {
    Text { en: "Mail Delivery System", es: "Sistema de entrega de correo" }.of(language)
}

/// In ASCII in each language.
pub(super) fn subject(notification: &Notification<'_>, recipients: &[&RecipientReport<'_>]) -> &'static str {
    let has = |action| recipients.iter().any(|report| report.action == action);
    let text = if notification.addressee == Addressee::Postmaster {
        Text { en: "A report could not be delivered", es: "No se pudo entregar un informe" }
    } else if has(Action::Failed) {
        Text { en: "Your message could not be delivered", es: "No se pudo entregar su mensaje" }
    } else if has(Action::Delayed) {
        Text { en: "Your message is delayed", es: "Su mensaje se retrasa" }
    } else if recipients.iter().all(|report| report.action == Action::Delivered) {
        Text { en: "Your message was delivered", es: "Su mensaje fue entregado" }
    } else {
        Text { en: "Your message is on its way", es: "Su mensaje va en camino" }
    };
    text.of(notification.language)
}

pub(super) fn part(notification: &Notification<'_>, recipients: &[&RecipientReport<'_>]) -> Part {
    let language = notification.language;
    let mut page = Page { language, out: String::new() };
    page.paragraph(0, &[INTRODUCTION.of(language), " ", notification.host_name.as_str(), "."].concat());
    for action in [Action::Failed, Action::Delayed, Action::Relayed, Action::Expanded, Action::Delivered] {
        let of_action: Vec<_> = recipients.iter().filter(|report| report.action == action).collect();
        if of_action.is_empty() {
            continue;
        }
        page.blank();
        let heading = if notification.addressee == Addressee::Postmaster { ORPHAN } else { heading(action) };
        page.paragraph(0, heading.of(language));
        for report in of_action {
            page.blank();
            page.recipient(report);
        }
    }
    page.blank();
    let came = Text { en: "The message came at", es: "El mensaje llegó el" }.of(language);
    let id = Text { en: "and has the id", es: "y aquí tiene el identificador" }.of(language);
    let ask = Text { en: " here. To ask about it, write to", es: ". Para preguntar por él, escriba a" }
        .of(language);
    let (received_at, mail_id) = (moment(notification.received_at), notification.mail_id);
    page.paragraph(0, &format!("{came} {received_at} {id} {mail_id}{ask} <{}>.", notification.postmaster));
    page.blank();
    page.paragraph(0, returned(notification, recipients).of(language));
    let fields =
        format!("Content-Type: text/plain; charset=utf-8\r\nContent-Language: {}\r\n", language.tag());
    Part::of_lines(fields, page.out.into_bytes(), Transfer::SevenBit)
}

const INTRODUCTION: Text = Text {
    en: "This is an automatic report of the mail server",
    es: "Este es un informe automático del servidor de correo",
};
const ORPHAN: Text = Text {
    en: "A message without a sender, most likely a report, could not be delivered to:",
    es: "Un mensaje sin remitente, probablemente un informe, no se pudo entregar a:",
};

const fn heading(action: Action) -> Text {
    match action {
        Action::Failed => {
            Text { en: "Your message could not be delivered to:", es: "Su mensaje no se pudo entregar a:" }
        }
        Action::Delayed => Text {
            en: "There is no need to send it again: your message could not be delivered yet to:",
            es: "No hace falta enviarlo de nuevo: su mensaje todavía no se pudo entregar a:",
        },
        Action::Delivered => Text { en: "Your message was delivered to:", es: "Su mensaje fue entregado a:" },
        Action::Relayed => Text {
            en: "Your message was handed to a server that may not report on it further, for:",
            es: "Su mensaje se pasó a un servidor que quizá no informe más, para:",
        },
        Action::Expanded => Text {
            en: "Your message was accepted for an address that stands for several others:",
            es: "Su mensaje fue aceptado para una dirección que representa a varias otras:",
        },
    }
}

fn returned(notification: &Notification<'_>, recipients: &[&RecipientReport<'_>]) -> Text {
    if notification.original.octets.is_empty() {
        Text { en: "A report for mail programs follows.", es: "Sigue un informe para programas de correo." }
    } else if original::is_returned_whole(notification, recipients) {
        Text {
            en: "A report for mail programs and the whole message follow.",
            es: "Siguen un informe para programas de correo y el mensaje completo.",
        }
    } else {
        Text {
            en: "A report for mail programs and the header of the message follow.",
            es: "Siguen un informe para programas de correo y el encabezado del mensaje.",
        }
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
        self.labelled(WHY.of(language), &sentence(&meanings.join("; ")));
        self.said(report);
        self.labelled(labels::ACTS.of(language), &sentence(&self.actors(&explanation)));
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
                format!("{} {by}", SAID_BY.of(self.language))
            }
            (Diagnostic::Remote(_), None) => SAID_BY_OTHER.of(self.language).to_owned(),
            (Diagnostic::Local(_), _) => FOUND.of(self.language).to_owned(),
        };
        self.labelled(&label, &plain(&report.finding.diagnostic.to_string()));
    }

    fn actors(&self, explanation: &Explanation) -> String {
        let or = format!(" {} ", labels::OR.of(self.language));
        let names = |actors: &[Actor]| {
            actors.iter().map(|actor| actor.name().of(self.language)).collect::<Vec<_>>().join(&or)
        };
        match &explanation.actors[..] {
            [Actor::Nobody, others @ ..] if !others.is_empty() => {
                format!("{} {}", labels::IF_IT_LASTS.of(self.language), names(others))
            }
            actors => names(actors),
        }
    }

    fn tried_again(&mut self, until: Option<Timestamp>) {
        let by_itself = Text { en: "By itself", es: "Automáticamente" }.of(self.language);
        let text = match until {
            Some(at) => {
                let until = Text { en: "until", es: "hasta" }.of(self.language);
                format!("{by_itself}, {until} {}.", moment(at))
            }
            None => format!("{by_itself}."),
        };
        self.labelled(labels::RETRY.of(self.language), &text);
    }
}

const WHY: Text = Text { en: "What happened", es: "Qué pasó" };
const SAID_BY: Text = Text { en: "In the words of", es: "En palabras de" };
const SAID_BY_OTHER: Text =
    Text { en: "In the words of the other server", es: "En palabras del otro servidor" };
const FOUND: Text = Text { en: "In the words of this server", es: "En palabras de este servidor" };
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
