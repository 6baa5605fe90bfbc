//! The fields that a message must have, and may have once (RFC 5322 §3.6).

use mailauth::Field;
use types::Timestamp;

use super::letter::{is_known_charset, unfolded};
use super::{Letter, arrival};
use crate::{Finding, Topic, Verdict};

/// `came` is when the message came, where that is known; `now` is the latest that it can have been.
pub(super) fn check(letter: &Letter<'_>, came: Option<Timestamp>, now: Timestamp) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(singletons(letter));
    findings.extend(broken(letter));
    findings.push(date(letter, came, now));
    findings.push(message_id(letter));
    findings.extend(recipients(letter));
    findings.extend(eight_bit(letter));
    findings.extend(encoded_words(letter));
    findings.extend(trace(letter));
    findings.extend(software(letter));
    findings
}

/// More than one of what may be there once: readers differ in which one they take.
fn singletons(letter: &Letter<'_>) -> Vec<Finding> {
    let repeated = SINGLETONS.iter().filter(|name| letter.named(name).count() > 1);
    repeated
        .map(|name| {
            let is_shown = matches!(*name, "From" | "Subject" | "Date" | "To" | "Content-Type");
            let (verdict, points) = if is_shown { (Verdict::Bad, 2.0) } else { (Verdict::Warning, 0.7) };
            let says = format!("{name} is there {} times, and may be once", letter.named(name).count());
            Finding::new(Topic::Header, *name, verdict, says)
                .mend("leave one of them; programs disagree about which one counts")
                .points(points)
        })
        .collect()
}

/// Lines that are no fields, and white space before the colon, which RFC 5322 §4.5 leaves to old messages.
fn broken(letter: &Letter<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let no_fields = letter.fields.iter().filter(|field| field.name.is_empty()).count();
    if no_fields > 0 {
        let says = format!("{no_fields} lines of the header section are no fields");
        findings.push(
            Finding::new(Topic::Header, "header section", Verdict::Bad, says)
                .mend("end the header section with an empty line, and begin continued lines with a space")
                .points(2.0),
        );
    }
    let is_odd = |field: &&Field<'_>| {
        let name = field.name;
        !name.is_empty()
            && (!name.iter().all(u8::is_ascii_graphic) || field.raw.get(name.len()) != Some(&b':'))
    };
    if let Some(field) = letter.fields.iter().find(is_odd) {
        let name = String::from_utf8_lossy(field.name);
        let says = "its name has white space or other characters that no name has";
        findings.push(Finding::new(Topic::Header, name, Verdict::Warning, says).points(0.5));
    }
    if letter.body.is_empty() && !letter.octets.ends_with(b"\r\n\r\n") {
        let says = "the header section has no end: there is no empty line and no body";
        findings.push(Finding::new(Topic::Header, "header section", Verdict::Warning, says).points(0.5));
    }
    findings
}

fn date(letter: &Letter<'_>, came: Option<Timestamp>, now: Timestamp) -> Finding {
    let finding = |verdict, says: String| Finding::new(Topic::Header, "Date", verdict, says);
    let mend = "let the program that makes the message write the time of now, by a clock that is set";
    if letter.named("Date").next().is_none() {
        return finding(Verdict::Bad, "there is no Date, and a message must have one".to_owned())
            .mend(mend)
            .points(1.0);
    }
    let date = letter.parsed.as_ref().and_then(|parsed| parsed.date()).and_then(arrival::time);
    let Some(date) = date else {
        let says = "Date is no date and time".to_owned();
        return finding(Verdict::Bad, says).mend(mend).points(1.0);
    };
    let (said, latest) = (date.seconds(), came.unwrap_or(now).seconds());
    if said > latest + AHEAD_S_MAX {
        let says = format!("Date is {} ahead of when the message came", span(said - latest));
        return finding(Verdict::Warning, says).mend(mend).points(1.0);
    }
    if came.is_none() {
        let says = "Date is there; whether the clock was right is not known without when the message came";
        return finding(Verdict::Good, says.to_owned());
    }
    if latest > said + BEHIND_S_MAX {
        let says = format!("Date is {} before the message came", span(latest - said));
        return finding(Verdict::Warning, says).mend(mend).points(0.5);
    }
    finding(Verdict::Good, "Date is there, and near to when the message came".to_owned())
}

fn span(seconds: u64) -> String {
    match seconds / 3600 {
        hours @ 0..48 => format!("{hours} hours"),
        hours => format!("{} days", hours / 24),
    }
}

/// RFC 5322 §3.6.4: "<" left "@" right ">".
fn message_id(letter: &Letter<'_>) -> Finding {
    let finding = |verdict, says: &str| Finding::new(Topic::Header, "Message-ID", verdict, says);
    let mend = "let the program that makes the message write <something unique@your domain>";
    let Some(id) = letter.value("Message-ID") else {
        return finding(Verdict::Warning, "there is no Message-ID, by which replies and copies are told")
            .mend(mend)
            .points(1.0);
    };
    let inside = id.strip_prefix('<').and_then(|id| id.strip_suffix('>'));
    let parts = inside.and_then(|inside| inside.split_once('@'));
    let is_part = |part: &str| {
        !part.is_empty() && !part.contains(|c: char| c.is_whitespace() || c.is_control() || "<>@".contains(c))
    };
    match parts {
        Some((left, right)) if is_part(left) && is_part(right) && right.contains('.') => {
            finding(Verdict::Good, "Message-ID is there and well formed")
        }
        Some((left, right)) if is_part(left) && is_part(right) => {
            finding(Verdict::Notice, "what stands behind the @ of Message-ID is no domain")
                .mend(mend)
                .points(0.2)
        }
        _ => finding(Verdict::Warning, "Message-ID is not <left@right>").mend(mend).points(0.7),
    }
}

fn recipients(letter: &Letter<'_>) -> Option<Finding> {
    let has = |name| letter.value(name).is_some_and(|value| !value.is_empty());
    if has("To") || has("Cc") {
        return None;
    }
    let says = "neither To nor Cc says to whom it is, as mail that nobody asked for often does not";
    let finding = Finding::new(Topic::Header, "To", Verdict::Warning, says);
    Some(
        finding
            .mend("write To, or To: undisclosed-recipients:; where the recipients are not to be told")
            .points(0.5),
    )
}

/// RFC 6532: UTF-8 in fields needs SMTPUTF8 all the way; other octets are nothing that can be read.
fn eight_bit(letter: &Letter<'_>) -> Option<Finding> {
    let names: Vec<String> = letter
        .fields
        .iter()
        .filter(|field| !field.raw.is_ascii())
        .map(|field| String::from_utf8_lossy(field.name).into_owned())
        .collect();
    let first = names.first()?.clone();
    let about = names.join(", ");
    let mend = "write text beyond ASCII as encoded words (RFC 2047)";
    Some(if std::str::from_utf8(letter.header).is_ok() {
        let says = "fields hold UTF-8 as it is, which only servers with SMTPUTF8 take".to_owned();
        Finding::new(Topic::Header, about, Verdict::Notice, says).mend(mend).points(0.3)
    } else {
        let says =
            format!("{first} holds octets that are neither ASCII nor UTF-8, which nobody can read for sure");
        Finding::new(Topic::Header, about, Verdict::Bad, says).mend(mend).points(1.5)
    })
}

/// RFC 2047 §2.
fn encoded_words(letter: &Letter<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for field in letter.fields.iter().filter(|field| is_text_field(field)) {
        let text = unfolded(field);
        let Some(problem) = text.split([' ', '\t']).find_map(word_problem) else { continue };
        let name = String::from_utf8_lossy(field.name).into_owned();
        findings.push(
            Finding::new(Topic::Header, name, Verdict::Warning, format!("an encoded word in it {problem}"))
                .mend("let a library encode it: =?utf-8?Q?text?= with at most 75 characters each")
                .points(0.5),
        );
        if findings.len() == REPEATS_MAX {
            break;
        }
    }
    findings
}

fn is_text_field(field: &Field<'_>) -> bool {
    ["Subject", "From", "To", "Cc", "Reply-To", "Sender", "Comments"].iter().any(|name| field.is(name))
}

fn word_problem(word: &str) -> Option<&'static str> {
    let start = word.find("=?")?;
    let word = &word[start..];
    let mut parts = word[2..].splitn(3, '?');
    let (charset, encoding, rest) = (parts.next()?, parts.next()?, parts.next());
    let Some((text, _)) = rest.and_then(|rest| rest.split_once("?=")) else {
        return Some("has no end, or a space in it");
    };
    let length = "=????=".len() + charset.len() + encoding.len() + text.len();
    let charset = charset.split('*').next().unwrap_or_default();
    if !is_known_charset(charset) {
        return Some("has a charset that is not known");
    }
    if length > ENCODED_WORD_MAX {
        return Some("is longer than 75 characters");
    }
    let is_valid = match encoding {
        "B" | "b" => {
            let is_base64 = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
            text.len() % 4 == 0 && text.bytes().all(is_base64)
        }
        "Q" | "q" => is_quoted(text.as_bytes()),
        _ => return Some("is neither in B nor in Q"),
    };
    (!is_valid).then_some("cannot be decoded")
}

/// Each `=` stands before two hexadecimal digits.
fn is_quoted(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = rest.iter().position(|octet| *octet == b'=') {
        match rest.get(at + 1..at + 3) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => rest = &rest[at + 3..],
            _ => return false,
        }
    }
    true
}

fn trace(letter: &Letter<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if letter.named("Return-Path").count() > 1 {
        let says = "Return-Path is there more than once: only the last server writes one";
        findings.push(
            Finding::new(Topic::Header, "Return-Path", Verdict::Notice, says)
                .mend("leave it out when sending; the address belongs into MAIL FROM")
                .points(0.2),
        );
    }
    if letter.named("Bcc").any(|field| !unfolded(field).is_empty()) {
        let says = "Bcc is in the message, where all recipients read it";
        findings.push(
            Finding::new(Topic::Header, "Bcc", Verdict::Warning, says)
                .mend("remove it when sending")
                .points(0.5),
        );
    }
    let hops = letter.named("Received").count();
    if hops > HOPS_MAX {
        let says = format!("it passed {hops} servers; from some 30 on a loop is assumed");
        findings.push(Finding::new(Topic::Header, "Received", Verdict::Warning, says).points(0.5));
    }
    findings
}

/// What tells strangers which program with which faults made it.
fn software(letter: &Letter<'_>) -> Option<Finding> {
    let name = ["X-Mailer", "User-Agent", "X-PHP-Originating-Script"]
        .into_iter()
        .find(|name| letter.named(name).next().is_some())?;
    let says =
        format!("tells which program made the message: {}", short(&letter.value(name).unwrap_or_default()));
    Some(Finding::new(Topic::Header, name, Verdict::Notice, says).mend("nobody needs it; it may be left out"))
}

/// As much of a value as a line has room for.
pub(super) fn short(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN_CHARACTERS).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    shown
}

/// RFC 5322 §3.6 and RFC 2045 §3.
const SINGLETONS: [&str; 14] = [
    "Date",
    "From",
    "Sender",
    "Reply-To",
    "To",
    "Cc",
    "Bcc",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Subject",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
];

/// How far ahead a clock may be.
const AHEAD_S_MAX: u64 = 2 * 3600;
/// As long as a message may wait in queues (RFC 5321 §4.5.4.1).
const BEHIND_S_MAX: u64 = 5 * 24 * 3600;
const ENCODED_WORD_MAX: usize = 75;
const HOPS_MAX: usize = 30;
/// Findings of one kind.
const REPEATS_MAX: usize = 5;
const SHOWN_CHARACTERS: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encoded_words_are_whole_short_and_of_a_known_charset() {
        for (word, is_right) in [
            ("plain", true),
            ("=?utf-8?Q?B=C3=BCcher?=", true),
            ("(=?iso-8859-1*de?B?QvxjaGVy?=)", true),
            ("=?utf-8?Q?B=C3=B?=", false),
            ("=?utf-8?B?QvxjaGV?=", false),
            ("=?utf-8?X?abc?=", false),
            ("=?no-such-charset?Q?abc?=", false),
            ("=?utf-8?Q?with", false),
            (&format!("=?utf-8?Q?{}?=", "x".repeat(63)), true),
            (&format!("=?utf-8?Q?{}?=", "x".repeat(64)), false),
            ("a=?b", true),
        ] {
            assert_eq!(word_problem(word).is_none(), is_right, "{word}");
        }
    }
}
