//! What submission asks of a header section and does to it (RFC 6409 §6.3 and §8, RFC 5322 §3.6).
//!
//! What can be read in two ways is refused rather than mended, so that its author hears of it (RFC 6409 §3.2). Added
//! are `Date` and `Message-ID`, where they lack; taken off are `Bcc` and `Resent-Bcc` (RFC 5322 §3.6.3).

mod problem;
#[cfg(test)]
mod tests;

pub use problem::HeaderProblem;

use std::fmt::Write as _;

use types::{MailId, Mailbox, Timestamp};

use super::field::{Field, FieldsOf, is_white};
use super::{FIELDS_MAX, Plan, addresses};
use crate::admission::Rights;

/// What is known about a submitted message.
#[derive(Debug, Clone, Copy)]
pub struct SubmissionFacts<'a> {
    /// For `Date`.
    pub now: Timestamp,
    /// For `Message-ID`.
    pub mail_id: MailId,
    /// For `Message-ID`: this server.
    pub host_name: &'a str,
    /// SMTPUTF8 of MAIL: the header section may hold UTF-8 (RFC 6532).
    pub smtputf8: bool,
    /// What is done with octets over 127 without SMTPUTF8.
    pub eight_bit: EightBit,
    /// Who may be named as the author.
    pub from: FromPolicy<'a>,
    /// What is done where there is no `From`.
    pub missing_from: MissingFrom<'a>,
    /// Who submits, where that is known: for `Sender`, where `From` names several.
    pub submitter: Option<&'a Mailbox>,
}

/// Octets over 127 in a header section without SMTPUTF8, which no standard gives a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EightBit {
    /// 554.
    Refuse,
    /// They stay.
    Allow,
}

/// Who may be named in `From`, `Sender`, `Resent-From` and `Resent-Sender`.
#[derive(Debug, Clone, Copy)]
pub enum FromPolicy<'a> {
    /// Anyone.
    Any,
    /// Those whom the account may send as.
    Owned(Rights<'a>),
    /// The same, but a message that the account sends on as it came (RFC 5322 §3.6.6) keeps its author: then
    /// `Resent-From` is who the account may send as.
    OwnedOrResent(Rights<'a>),
}

/// What is done with a message without `From`.
#[derive(Debug, Clone, Copy)]
pub enum MissingFrom<'a> {
    /// 554.
    Refuse,
    /// It is from this address.
    Add(&'a Mailbox),
}

/// What becomes of a header section. `header` is the section with its empty line; a message may end without one.
///
/// # Errors
/// The first thing for which the message is refused.
pub fn submission(header: &[u8], facts: &SubmissionFacts<'_>) -> Result<Plan, HeaderProblem> {
    let mut plan = Plan::default();
    let mut seen = Seen::default();
    let mut end = 0;
    for (index, field) in FieldsOf::new(header).enumerate() {
        check(header, &field, index, facts)?;
        seen.note(header, &field)?;
        end = field.range.end;
        if !is_taken_off(header, &field) {
            plan.keep(field.range);
        }
    }
    plan.keep(end..header.len());
    authors(header, &seen, facts, &mut plan.add)?;
    add_missing(&seen, facts, &mut plan.add);
    Ok(plan)
}

/// What each field must be.
fn check(
    header: &[u8],
    field: &Field,
    index: usize,
    facts: &SubmissionFacts<'_>,
) -> Result<(), HeaderProblem> {
    if index >= FIELDS_MAX {
        return Err(HeaderProblem::TooManyFields);
    }
    if field.name.is_none() {
        return Err(HeaderProblem::NotAField { line: line_number(header, field.range.start) });
    }
    let name = || String::from_utf8_lossy(field.name(header)).into_owned();
    if field.has_space_before_colon() {
        return Err(HeaderProblem::SpaceBeforeColon(name()));
    }
    let octets = &header[field.range.clone()];
    if !octets.is_ascii() {
        if facts.smtputf8 && std::str::from_utf8(octets).is_err() {
            return Err(HeaderProblem::NotUtf8(name()));
        }
        if !facts.smtputf8 && facts.eight_bit == EightBit::Refuse {
            return Err(HeaderProblem::EightBit(name()));
        }
    }
    // RFC 5322 §3.2.2: a folded line of white space alone must not be made: some read it as the end of the section.
    if octets.split(|b| *b == b'\n').skip(1).any(is_white_line) {
        return Err(HeaderProblem::WhiteLine(name()));
    }
    Ok(())
}

fn is_white_line(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    !line.is_empty() && line.iter().all(|b| is_white(*b))
}

fn is_taken_off(header: &[u8], field: &Field) -> bool {
    field.is(header, "Bcc")
        || field.is(header, "Resent-Bcc")
        || (field.is(header, "Message-ID") && !is_msg_id(field.value(header)))
        || (field.is(header, "Date") && field.value(header).trim_ascii().is_empty())
}

/// The fields that something depends on.
#[derive(Default)]
struct Seen {
    /// Which of [`ONCE`] there were.
    once: [bool; ONCE.len()],
    has_date: bool,
    has_message_id: bool,
    from: Option<Field>,
    sender: Option<Field>,
    resent: Vec<Field>,
}

impl Seen {
    fn note(&mut self, header: &[u8], field: &Field) -> Result<(), HeaderProblem> {
        if let Some(index) = ONCE.iter().position(|name| field.is(header, name)) {
            if std::mem::replace(&mut self.once[index], true) {
                return Err(HeaderProblem::Repeated(ONCE[index]));
            }
            match ONCE[index] {
                "From" => self.from = Some(field.clone()),
                "Sender" => self.sender = Some(field.clone()),
                "Date" => self.has_date = !is_taken_off(header, field),
                "Message-ID" => self.has_message_id = !is_taken_off(header, field),
                _ => {}
            }
        }
        if field.is(header, "Resent-From") || field.is(header, "Resent-Sender") {
            self.resent.push(field.clone());
        }
        Ok(())
    }
}

/// Checks who is named as the author, and writes `From` and `Sender` where they are owed.
fn authors(
    header: &[u8],
    seen: &Seen,
    facts: &SubmissionFacts<'_>,
    add: &mut String,
) -> Result<(), HeaderProblem> {
    let authors = match &seen.from {
        Some(from) => addresses(from.value(header)).map_err(|_| HeaderProblem::Unreadable("From"))?.len(),
        None => add_from(facts, add)?,
    };
    if authors == 0 {
        return Err(HeaderProblem::NoAuthor);
    }
    match facts.from {
        FromPolicy::Any => {}
        FromPolicy::OwnedOrResent(rights) if !seen.resent.is_empty() => {
            for field in &seen.resent {
                owned("Resent-From", header, field, &rights)?;
            }
        }
        FromPolicy::Owned(rights) | FromPolicy::OwnedOrResent(rights) => {
            for (name, field) in [("From", &seen.from), ("Sender", &seen.sender)] {
                field.as_ref().map_or(Ok(()), |field| owned(name, header, field, &rights))?;
            }
        }
    }
    sender(header, seen, facts, authors, add)
}

/// RFC 5322 §3.6.2: several authors have one sender, who is one mailbox.
fn sender(
    header: &[u8],
    seen: &Seen,
    facts: &SubmissionFacts<'_>,
    authors: usize,
    add: &mut String,
) -> Result<(), HeaderProblem> {
    if let Some(sender) = &seen.sender {
        let senders = addresses(sender.value(header)).unwrap_or_default();
        return if senders.len() == 1 { Ok(()) } else { Err(HeaderProblem::Unreadable("Sender")) };
    }
    if authors > 1 {
        let submitter = facts.submitter.ok_or(HeaderProblem::SeveralAuthors)?;
        let submitter = in_header(submitter, facts).ok_or(HeaderProblem::SeveralAuthors)?;
        // Writing to a String cannot fail.
        let _ = write!(add, "Sender: {submitter}\r\n");
    }
    Ok(())
}

fn owned(name: &'static str, header: &[u8], field: &Field, rights: &Rights<'_>) -> Result<(), HeaderProblem> {
    let named = addresses(field.value(header)).map_err(|_| HeaderProblem::Unreadable(name))?;
    match named.into_iter().find(|mailbox| !rights.may_send_as(mailbox)) {
        Some(mailbox) => Err(HeaderProblem::NotOwned { field: name, mailbox }),
        None => Ok(()),
    }
}

/// Adds the one author, where policy says so.
fn add_from(facts: &SubmissionFacts<'_>, add: &mut String) -> Result<usize, HeaderProblem> {
    let MissingFrom::Add(mailbox) = facts.missing_from else { return Err(HeaderProblem::NoFrom) };
    let mailbox = in_header(mailbox, facts).ok_or(HeaderProblem::NoFrom)?;
    let _ = write!(add, "From: {mailbox}\r\n");
    Ok(1)
}

/// The address as this header section may hold it.
fn in_header(mailbox: &Mailbox, facts: &SubmissionFacts<'_>) -> Option<Mailbox> {
    if facts.smtputf8 { Some(mailbox.clone()) } else { mailbox.to_ascii() }
}

/// RFC 6409 §8.2 and §8.3
fn add_missing(seen: &Seen, facts: &SubmissionFacts<'_>, add: &mut String) {
    if !seen.has_date {
        let _ = write!(add, "Date: {}\r\n", facts.now.rfc5322());
    }
    if !seen.has_message_id {
        let _ = write!(add, "Message-ID: <{}@{}>\r\n", facts.mail_id, facts.host_name);
    }
}

/// `"<" id-left "@" id-right ">"` (RFC 5322 §3.6.4), comments around it aside. Only what certainly is none is
/// replaced: programs know their messages by it.
fn is_msg_id(value: &[u8]) -> bool {
    let value = value.trim_ascii();
    let (Some(open), Some(close)) = (memchr::memchr(b'<', value), memchr::memrchr(b'>', value)) else {
        return false;
    };
    let Some(inner) = value.get(open + 1..close) else { return false };
    let is_comment = |octets: &[u8]| {
        let octets = octets.trim_ascii();
        octets.is_empty() || (octets.starts_with(b"(") && octets.ends_with(b")"))
    };
    let at = memchr::memrchr(b'@', inner);
    at.is_some_and(|at| at > 0 && at + 1 < inner.len())
        && inner.iter().all(|b| !b.is_ascii_control() && !matches!(b, b' ' | b'<' | b'>'))
        && is_comment(&value[..open])
        && is_comment(&value[close + 1..])
}

fn line_number(header: &[u8], at: usize) -> usize {
    1 + memchr::memchr_iter(b'\n', &header[..at]).count()
}

/// Fields that a message has at most once: RFC 5322 §3.6 and RFC 2045 §3. Where there are two, programs differ in
/// which of them they show and check.
const ONCE: &[&str] = &[
    "Date",
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-ID",
    "Content-Description",
    "Content-Disposition",
];
