//! What replies and enhanced status codes mean, who has to act and what to try next, in each language of
//! [`crate::language`]: the texts behind `posta explain`, `posta send --dialogue`, reports of delivery and
//! `docs/replies.md`. What Posta itself answers is in [`crate::REPLIES`]; a test asserts that each code there is
//! explained here.
//!
//! Standards: RFC 5321 §4.2 (replies), RFC 3463 and the IANA registry of RFC 5248 (enhanced status codes, as of
//! its update of December 2024: to X.7.30), RFC 3464 (delivery status notifications).
//!
//! Left out on purpose: MIME decoding (a report in base64 has to be decoded first), and any guess where a text
//! says nothing.

#[macro_use]
mod entry;
mod advice;
mod bounce;
mod causes;
mod codes;
pub mod labels;
mod lexer;
mod providers;
mod reference;
mod statuses;

pub use advice::{Explanation, Meaning, Retry, explain, meaning_of_status};
pub use bounce::{Action, FINDINGS_MAX, Finding, find};
pub use causes::{CauseKind, causes_in};
pub use codes::digits;
pub use entry::{Actor, Entry, Key, Usage};
pub use reference::{actors, reference};
pub use statuses::{class, subject};

pub use crate::language::{Language, Text};

use crate::{EnhancedStatus, StatusClass};

/// The row of a reply code, or nothing where no server is known to use it.
#[must_use]
pub fn code(code: u16) -> Option<&'static Entry> {
    codes().find(|entry| entry.key == Key::Code(code))
}

/// The row of an enhanced status code: of the registry, or of the providers that use codes of their own.
#[must_use]
pub fn status(status: EnhancedStatus) -> Option<&'static Entry> {
    let key = Key::Status { subject: status.subject, detail: status.detail };
    statuses().find(|entry| entry.key == key)
}

/// The row of a cause.
#[must_use]
pub fn cause(kind: CauseKind) -> &'static Entry {
    // The table has a row for each kind: a test goes through all of them.
    causes().find(|entry| entry.key == Key::Cause(kind)).unwrap_or(&causes::CAUSES[0])
}

/// All reply codes, in numeric order.
pub fn codes() -> impl Iterator<Item = &'static Entry> {
    [codes::POSITIVE, codes::TRANSIENT, codes::PERMANENT].into_iter().flatten()
}

/// All enhanced status codes: first those of the registry, in numeric order, then those of providers.
pub fn statuses() -> impl Iterator<Item = &'static Entry> {
    statuses::REGISTERED.iter().flat_map(|table| table.iter()).chain(providers::STATUSES)
}

/// All causes that a text can name.
pub fn causes() -> impl Iterator<Item = &'static Entry> {
    causes::CAUSES.iter()
}

/// All texts of the explanations, for checks that each is translated. Some stand in it more than once.
pub fn texts() -> impl Iterator<Item = Text> {
    let rows = codes().chain(statuses()).chain(causes()).flat_map(|entry| {
        let usage = match entry.usage {
            Usage::Standard => None,
            Usage::Only(who) => Some(who),
        };
        [entry.meaning].into_iter().chain(entry.steps.iter().copied()).chain(usage)
    });
    let by_digits = (200..700).step_by(10).flat_map(|code| {
        let (first, second) = digits(code);
        [first].into_iter().chain(second)
    });
    let classes = [StatusClass::Success, StatusClass::PersistentTransient, StatusClass::Permanent].map(class);
    rows.chain(by_digits)
        .chain(classes)
        .chain((0..10).filter_map(subject))
        .chain(Actor::ALL.map(Actor::name))
        .chain(advice::texts())
        .chain(labels::ALL.iter().chain(reference::TEXTS).copied())
}
