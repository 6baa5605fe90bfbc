//! From a finding to what a person wants to know: what it means, who acts, whether it is tried again, what to do.

use super::{
    Action, Actor, CauseKind, Entry, Finding, Key, Text, Usage, cause, class, code, digits, status, subject,
};
use crate::{EnhancedStatus, StatusClass};

/// Everything that is known about one finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The finest code first.
    pub meanings: Vec<Meaning>,
    /// What the text names as the cause.
    pub causes: Vec<CauseKind>,
    /// What usually causes it, where the text names nothing.
    pub usual_causes: Vec<CauseKind>,
    /// Who acts. [`Actor::Nobody`] before others: nobody for now, the others if it lasts.
    pub actors: Vec<Actor>,
    /// Whether the sender's server tries again by itself.
    pub retry: Retry,
    /// What to try, in this order.
    pub steps: Vec<Text>,
}

/// What one code means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// `550` or `5.7.1`
    pub about: String,
    /// One clause from the table; for a code that is not in it, one for each of its digits that says something.
    pub texts: Vec<Text>,
    /// Whether the code itself is in the table.
    pub is_exact: bool,
    /// Who uses it.
    pub usage: Usage,
    /// Where it is written.
    pub source: Option<&'static str>,
}

/// Whether the sender's server tries again by itself (RFC 5321 §4.2.1 and §4.5.4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// There is nothing left to try.
    Nothing,
    /// Yes, for days.
    ByItself,
    /// No: it was refused for good.
    Refused,
    /// No more: it has tried and given up.
    GaveUp,
    /// The text does not tell.
    Unknown,
}

impl Retry {
    /// All of them.
    const ALL: [Self; 5] = [Self::Nothing, Self::ByItself, Self::Refused, Self::GaveUp, Self::Unknown];

    /// As programs call it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Nothing => "nothing_to_retry",
            Self::ByItself => "by_itself",
            Self::Refused => "refused_for_good",
            Self::GaveUp => "gave_up",
            Self::Unknown => "unknown",
        }
    }

    /// For people.
    #[must_use]
    pub const fn text(self) -> Text {
        let (en, es) = match self {
            Self::Nothing => ("there is nothing to try again", "no hay nada que reintentar"),
            Self::ByItself => (
                "yes: a mail server keeps the message and tries again, mostly for four or five days; a mail program that gets this reply itself may not",
                "sí: un servidor de correo guarda el mensaje y reintenta, casi siempre cuatro o cinco días; un programa de correo que reciba esta respuesta quizá no",
            ),
            Self::Refused => (
                "no: it is refused for good, send it again once the cause is removed",
                "no: el rechazo es definitivo, vuelva a enviarlo cuando se resuelva la causa",
            ),
            Self::GaveUp => (
                "no more: the server has tried and given up, send it again once the cause is removed",
                "ya no: el servidor ha reintentado y desistido, vuelva a enviarlo cuando se resuelva la causa",
            ),
            Self::Unknown => (
                "the text does not tell: a report of a delay says yes, a report of a failure no",
                "el texto no lo dice: si el informe habla de retraso, sí; si habla de fallo, no",
            ),
        };
        Text { en, es }
    }
}

/// What is known about `finding`.
#[must_use]
pub fn explain(finding: &Finding) -> Explanation {
    let retry = retry(finding);
    let mut meanings = Vec::new();
    meanings.extend(finding.status.map(meaning_of_status));
    meanings.extend(finding.code.map(code_meaning));
    let causes = match retry {
        Retry::Nothing => Vec::new(),
        _ => finding.causes.clone(),
    };
    let leading = leading(finding);
    let mut steps: Vec<Text> = causes.iter().flat_map(|kind| cause(*kind).steps).copied().collect();
    if causes.is_empty() {
        steps = leading.map_or(&[] as &[Text], |entry| entry.steps).to_vec();
    }
    let mut usual_causes = Vec::new();
    if causes.is_empty() && retry != Retry::Nothing {
        usual_causes = leading.map_or(&[] as &[CauseKind], |entry| entry.causes).to_vec();
        // What is put off is not refused for good.
        usual_causes.retain(|kind| retry != Retry::Refused || *kind != CauseKind::Greylisting);
    }
    if steps.is_empty() && usual_causes.is_empty() {
        steps = general_steps(retry);
    }
    let named = causes.first().map(|kind| cause(*kind)).or(leading);
    let actors = match (retry, named) {
        (Retry::Nothing, entry) => entry.map_or(&[Actor::Nobody] as &[Actor], |entry| entry.actors).to_vec(),
        (_, entry) => actors(entry.map_or(&[Actor::Sender], |entry| entry.actors), retry),
    };
    Explanation { meanings, causes, usual_causes, actors, retry, steps }
}

/// The row that says most: of the enhanced status where its third number says something, else of the code.
fn leading(finding: &Finding) -> Option<&'static Entry> {
    let of_code = finding.code.and_then(code);
    let is_done = finding.class_digit() == Some(2);
    let of_status = finding.status.filter(|of| !is_done || is_news(*of)).and_then(status);
    match (finding.status, of_status, of_code) {
        (Some(of), Some(entry), _) if of.detail != 0 => Some(entry),
        (_, _, Some(entry)) => Some(entry),
        (_, entry, None) => entry,
    }
}

/// Registered codes that tell something even with 2 before them.
const fn is_news(status: EnhancedStatus) -> bool {
    matches!((status.subject, status.detail), (1, 5 | 6 | 9) | (3, 6) | (6, 4))
}

/// What an enhanced status code means.
#[must_use]
pub fn meaning_of_status(of: EnhancedStatus) -> Meaning {
    let entry = status(of).filter(|_| of.class != StatusClass::Success || is_news(of));
    match entry {
        Some(entry) => exact(of.to_string(), entry),
        None => Meaning {
            about: of.to_string(),
            texts: [class(of.class)].into_iter().chain(subject(of.subject)).collect(),
            is_exact: false,
            usage: Usage::Standard,
            source: Some("RFC 3463 §3"),
        },
    }
}

fn code_meaning(of: u16) -> Meaning {
    match code(of) {
        Some(entry) => exact(of.to_string(), entry),
        None => {
            let (first, second) = digits(of);
            Meaning {
                about: of.to_string(),
                texts: [first].into_iter().chain(second).collect(),
                is_exact: false,
                usage: Usage::Standard,
                source: Some("RFC 5321 §4.2.1"),
            }
        }
    }
}

fn exact(about: String, entry: &Entry) -> Meaning {
    debug_assert!(!matches!(entry.key, Key::Cause(_)), "a cause is no code");
    Meaning { about, texts: vec![entry.meaning], is_exact: true, usage: entry.usage, source: entry.source }
}

fn retry(finding: &Finding) -> Retry {
    match (finding.action, finding.class_digit()) {
        (Some(Action::Delivered | Action::Relayed | Action::Expanded), _) | (_, Some(2 | 3)) => {
            Retry::Nothing
        }
        (Some(Action::Delayed), _) => Retry::ByItself,
        (_, Some(5)) => Retry::Refused,
        (Some(Action::Failed), _) => Retry::GaveUp,
        (None, Some(4)) => Retry::ByItself,
        (None, _) => Retry::Unknown,
    }
}

fn actors(of_entry: &[Actor], retry: Retry) -> Vec<Actor> {
    let others = of_entry.iter().copied().filter(|actor| *actor != Actor::Nobody);
    match retry {
        Retry::ByItself => {
            // Where the row has somebody before nobody, waiting alone does not help.
            if of_entry.first() != Some(&Actor::Nobody) && of_entry.contains(&Actor::Nobody) {
                return others.collect();
            }
            [Actor::Nobody].into_iter().chain(others).collect()
        }
        Retry::Nothing | Retry::Refused | Retry::GaveUp | Retry::Unknown => {
            let others: Vec<_> = others.collect();
            if others.is_empty() { vec![Actor::Sender] } else { others }
        }
    }
}

/// All texts that are in no table.
pub(super) fn texts() -> impl Iterator<Item = Text> {
    Retry::ALL.into_iter().flat_map(|retry| [retry.text()].into_iter().chain(general_steps(retry)))
}

/// Where no table knows more.
fn general_steps(retry: Retry) -> Vec<Text> {
    let wait = Text { en: "Wait for the next attempt", es: "Espere al siguiente intento" };
    let read = Text {
        en: "Read the text after the code: it mostly names the reason",
        es: "Lea el texto que sigue al código: casi siempre nombra la razón",
    };
    let ask = Text {
        en: "Ask the postmaster of the server that said it, with the whole text and the time",
        es: "Pregunte al administrador del servidor que lo dijo, con el texto completo y la hora",
    };
    match retry {
        Retry::Nothing => Vec::new(),
        Retry::ByItself => vec![wait, read, ask],
        Retry::Refused | Retry::GaveUp | Retry::Unknown => vec![read, ask],
    }
}
