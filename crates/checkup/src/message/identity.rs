//! What the reader sees of the author: From, Reply-To, Subject.

use mta::header::addresses;
use types::{Host, Mailbox};

use super::Letter;
use super::header::short;
use crate::{Finding, Topic, Verdict};

pub(super) fn check(letter: &Letter<'_>) -> Vec<Finding> {
    let mut findings = vec![from(letter)];
    findings.extend(sender(letter));
    findings.extend(display_name(letter));
    findings.extend(reply_to(letter));
    findings.extend(subject(letter));
    findings
}

fn mailboxes(letter: &Letter<'_>, name: &str) -> Option<Vec<Mailbox>> {
    let field = letter.named(name).next()?;
    addresses(field.value).ok()
}

fn from(letter: &Letter<'_>) -> Finding {
    let finding = |verdict, says: &str| Finding::new(Topic::Header, "From", verdict, says);
    if letter.named("From").next().is_none() {
        return finding(Verdict::Bad, "there is no From, and a message must have one")
            .mend("write From: NAME <ADDRESS> with an address that takes replies")
            .points(3.0);
    }
    match mailboxes(letter, "From") {
        None => finding(
            Verdict::Bad,
            "From is no list of addresses, and readers differ in what they make of it",
        )
        .mend("write From: \"NAME\" <ADDRESS>, the name in quotes where it has other characters than letters")
        .points(2.0),
        Some(found) if found.is_empty() => {
            finding(Verdict::Bad, "From names nobody").mend("write From: NAME <ADDRESS>").points(2.0)
        }
        Some(found) if found.iter().any(|mailbox| matches!(mailbox.host, Host::Literal(_))) => {
            finding(Verdict::Warning, "From has an address in place of a domain").points(1.0)
        }
        Some(found) if found.len() > 1 => {
            finding(Verdict::Warning, "From names several authors, which many receivers refuse")
                .mend("name one")
                .points(1.0)
        }
        Some(_) => finding(Verdict::Good, "From is there, once and well formed"),
    }
}

/// RFC 5322 §3.6.2: where there are several authors, one must have sent it.
fn sender(letter: &Letter<'_>) -> Option<Finding> {
    let several = mailboxes(letter, "From").is_some_and(|found| found.len() > 1);
    let is_missing = several && letter.named("Sender").next().is_none();
    is_missing.then(|| {
        let says = "From names several authors, so Sender must say which one sent it, and is not there";
        Finding::new(Topic::Header, "Sender", Verdict::Warning, says).points(0.5)
    })
}

/// A display name with another address in it is what forgers write: many programs show nothing else.
fn display_name(letter: &Letter<'_>) -> Option<Finding> {
    let parsed = letter.parsed.as_ref()?;
    let first = parsed.from()?.first()?;
    let (name, address) = (first.name.as_deref()?, first.address.as_deref()?);
    let is_other = name
        .split(|c: char| c.is_whitespace() || "<>()\"',;".contains(c))
        .any(|word| word.contains('@') && word.contains('.') && !word.eq_ignore_ascii_case(address));
    is_other.then(|| {
        let says = format!("the name beside the address is another address: {}", short(name));
        Finding::new(Topic::Header, "From", Verdict::Bad, says)
            .mend("write a name, not an address")
            .points(1.5)
    })
}

fn reply_to(letter: &Letter<'_>) -> Option<Finding> {
    let (from, reply) = (mailboxes(letter, "From")?, mailboxes(letter, "Reply-To")?);
    let (from, reply) = (from.first()?, reply.first()?);
    let (from, reply) = (from.host.domain()?.ascii(), reply.host.domain()?.ascii());
    let is_other = !super::links::is_of_one(from, reply);
    is_other.then(|| {
        let says = format!("replies go to another domain, {reply}, than the author's");
        Finding::new(Topic::Header, "Reply-To", Verdict::Notice, says)
    })
}

fn subject(letter: &Letter<'_>) -> Option<Finding> {
    let finding = |says: &str, points| {
        Some(
            Finding::new(Topic::Header, "Subject", Verdict::Warning, says)
                .mend("say in a few words what it is about")
                .points(points),
        )
    };
    let shown = letter.parsed.as_ref().and_then(|parsed| parsed.subject()).unwrap_or_default();
    if letter.named("Subject").next().is_none() {
        return finding("there is no Subject", 0.7);
    }
    if shown.trim().is_empty() {
        return finding("Subject is empty", 0.7);
    }
    let letters = shown.chars().filter(|c| c.is_alphabetic());
    let (all, capital) =
        letters.fold((0, 0), |(all, capital), c| (all + 1, capital + usize::from(c.is_uppercase())));
    if all >= CAPITALS_MIN && capital == all {
        return finding("Subject is all capitals", 0.5);
    }
    if shown.matches(['!', '?']).count() >= MARKS_MAX {
        return finding("Subject is full of exclamation and question marks", 0.3);
    }
    None
}

/// Words like `RFC` or `FYI` are no shouting.
const CAPITALS_MIN: usize = 10;
const MARKS_MAX: usize = 3;
