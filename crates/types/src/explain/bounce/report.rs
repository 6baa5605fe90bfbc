//! The machine-readable part of a report: `message/delivery-status` (RFC 3464 §2.3), wherever it stands in the
//! text, and the division of the rest into what speaks of the failure and what is the returned message.

use super::{Action, Finding};
use crate::explain::lexer;

/// The recipients' fields of all reports in `text`, and the text without them, without the header fields of the
/// report's own message and without the message that is returned.
pub(super) fn split(text: &str) -> (Vec<Finding>, String) {
    let mut findings = Vec::new();
    let mut rest = String::with_capacity(text.len());
    let mut is_returned = false;
    for block in blocks(text) {
        let fields = fields(&block);
        if let Some(finding) = recipient(&fields) {
            // The returned message may be a report itself; this one comes first.
            if !is_returned || findings.is_empty() {
                findings.push(finding);
            }
            continue;
        }
        is_returned = is_returned || block.iter().any(|line| begins_returned_message(line));
        if !is_returned {
            keep(&block, &mut rest);
        }
        rest.push('\n');
    }
    (findings, rest)
}

/// Lines up to an empty one, without their line ends and without the quoting or indentation of the first.
fn blocks(text: &str) -> Vec<Vec<&str>> {
    let mut blocks = vec![Vec::new()];
    let mut quoting = "";
    for line in text.lines() {
        let line = line.trim_end();
        if blocks.last().is_some_and(Vec::is_empty) {
            quoting = &line[..line.len() - line.trim_start_matches(['>', ' ', '\t']).len()];
        }
        let line = line.strip_prefix(quoting).unwrap_or(line);
        if line.trim_start_matches(['>', ' ']).is_empty() {
            blocks.push(Vec::new());
        } else if let Some(block) = blocks.last_mut() {
            block.push(line);
        }
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

/// The header fields of a block, unfolded (RFC 5322 §2.2.3), names in lower case.
fn fields(block: &[&str]) -> Vec<(String, String)> {
    let mut fields: Vec<(String, String)> = Vec::new();
    for line in block {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':')
            && is_field_name(name)
        {
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    fields
}

fn is_field_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// What the per-recipient fields say (RFC 3464 §2.3), or nothing where the block is something else.
fn recipient(fields: &[(String, String)]) -> Option<Finding> {
    let value = |name: &str| fields.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str());
    let status_field = value("status").unwrap_or_default();
    let (word, comment) = status_field.split_once(' ').unwrap_or((status_field, ""));
    let status = word.parse().ok();
    let diagnostic = value("diagnostic-code");
    let action = value("action").and_then(Action::of_word);
    if diagnostic.is_none() && (status.is_none() || (action.is_none() && fields.len() > 1)) {
        return None;
    }
    let diagnostic = diagnostic.map_or("", |text| text.split_once(';').map_or(text, |(_, text)| text.trim()));
    let said = said(diagnostic);
    let text =
        if said.text.is_empty() { comment.trim_matches(['(', ')', ' ']).to_owned() } else { said.text };
    let recipient = value("final-recipient").or(value("original-recipient"));
    Some(Finding {
        code: said.code,
        // The reply itself is nearer to the truth than what the sending server made of it.
        status: said.status.or(status),
        host: value("remote-mta").map(typed).filter(|host| !host.is_empty()),
        recipients: recipient.map(typed).filter(|address| address.contains('@')).into_iter().collect(),
        action,
        text,
        ..Finding::default()
    })
}

/// The reply in a Diagnostic-Code field, whose lines are folded into one.
fn said(diagnostic: &str) -> Finding {
    let tokens = lexer::tokens(diagnostic);
    let Some(first) = tokens.first() else {
        return Finding { text: super::text::words(diagnostic), ..Finding::default() };
    };
    let mut text = String::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.code == first.code) {
        let end = tokens.get(index + 1).map_or(diagnostic.len(), |next| next.start);
        text.push_str(&diagnostic[token.end..end]);
        text.push(' ');
    }
    let status = first.status.or_else(|| {
        let code = first.code?;
        tokens.iter().filter_map(|token| token.status).find(|status| lexer::agree(code, *status))
    });
    Finding { code: first.code, status, text: super::text::words(&text), ..Finding::default() }
}

/// `dns; mx.example.org` or `rfc822; ada@example.org` without the type; the address without angle brackets.
fn typed(value: &str) -> String {
    let value = value.split_once(';').map_or(value, |(_, value)| value).trim();
    let value = value.split_whitespace().next().unwrap_or_default();
    value.trim_matches(['<', '>', '.']).to_owned()
}

/// Where the message begins that the report is about.
fn begins_returned_message(line: &str) -> bool {
    const MARKS: &[&str] = &[
        "content-type: message/rfc822",
        "content-type: message/global;",
        "content-type: message/global-headers",
        "content-type: text/rfc822-headers",
        "original message headers:",
        "original message header:",
        "below this line is a copy",
        "this is a copy of the message",
        "a copy of your message",
        "original message follows",
        "your message follows",
        "----- original message -----",
    ];
    let line = line.to_lowercase();
    MARKS.iter().any(|mark| line.contains(mark))
}

/// Copies what may speak of the failure: no header fields of the message that holds the report.
fn keep(block: &[&str], rest: &mut String) {
    let mut is_header = false;
    for line in block {
        let is_folded = line.starts_with([' ', '\t']);
        if !is_folded {
            is_header = line.split_once(':').is_some_and(|(name, _)| is_header_field(name));
        }
        if !is_header {
            rest.push_str(line);
            rest.push('\n');
        }
    }
}

fn is_header_field(name: &str) -> bool {
    const NAMES: &[&str] = &[
        "arrival-date",
        "auto-submitted",
        "authentication-results",
        "bcc",
        "cc",
        "date",
        "delivered-to",
        "delivery-date",
        "dkim-signature",
        "envelope-to",
        "feedback-id",
        "final-log-id",
        "from",
        "in-reply-to",
        "last-attempt-date",
        "message-id",
        "mime-version",
        "original-envelope-id",
        "original-recipient",
        "precedence",
        "received",
        "received-from-mta",
        "received-spf",
        "references",
        "reply-to",
        "reporting-mta",
        "return-path",
        "sender",
        "subject",
        "thread-index",
        "thread-topic",
        "to",
        "user-agent",
        "will-retry-until",
    ];
    let name = name.to_ascii_lowercase();
    let is_of_family = ["x-", "arc-", "content-", "list-"].iter().any(|prefix| name.starts_with(prefix));
    is_field_name(&name) && (is_of_family || NAMES.contains(&name.as_str()))
}
