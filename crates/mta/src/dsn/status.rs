//! The part for programs: `message/delivery-status` (RFC 3464 §2), or `message/global-delivery-status` where an address
//! is in UTF-8 (RFC 6533 §4.1).

use std::fmt::Write as _;
use std::net::IpAddr;

use types::{ForwardPath, Hold, Host, OriginalRecipient};

use super::encode::{Part, Transfer};
use super::{Action, Notification, RecipientReport};
use crate::outcome::Diagnostic;

/// Octets of a value from outside. A reply may have thousands.
const VALUE_BYTES_MAX: usize = 600;

pub(super) fn part(
    notification: &Notification<'_>,
    recipients: &[&RecipientReport<'_>],
    reach: Transfer,
) -> Part {
    // RFC 6533 §3: in the traditional form an address in UTF-8 is written in ASCII, and nothing is lost. The new form
    // is for those whose own messages are in UTF-8.
    let writing = if notification.envelope.parameters.smtputf8 { Writing::Utf8 } else { Writing::Ascii };
    let mut out = String::new();
    per_message(notification, &mut out);
    for report in recipients {
        out.push_str("\r\n");
        per_recipient(notification, report, writing, &mut out);
    }
    // RFC 6533 §4.4: what is ASCII throughout may keep the traditional type.
    let media = if out.is_ascii() { "message/delivery-status" } else { "message/global-delivery-status" };
    Part::of_lines(format!("Content-Type: {media}\r\n"), out.into_bytes(), reach)
}

/// How addresses are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Writing {
    Ascii,
    Utf8,
}

/// RFC 3464 §2.2, RFC 3461 §6.3.
fn per_message(notification: &Notification<'_>, out: &mut String) {
    let parameters = &notification.envelope.parameters;
    if let Some(id) = &parameters.envelope_id {
        field(out, "Original-Envelope-Id", &ascii(id));
    }
    field(out, "Reporting-MTA", &format!("dns; {}", notification.host_name.ascii()));
    if let Some((name, ip)) = notification.received_from {
        field(out, "Received-From-MTA", &format!("dns; {} ({ip})", host(name)));
    }
    field(out, "Arrival-Date", &notification.received_at.rfc5322());
    if let Some(by) = parameters.deliver_by {
        // RFC 2852 §5.
        let by_s = std::time::Duration::from_secs(by.by_s.unsigned_abs());
        let at = if by.by_s >= 0 {
            notification.received_at.plus(by_s)
        } else {
            let millis = u64::try_from(by_s.as_millis()).unwrap_or(u64::MAX);
            types::Timestamp::from_millis(notification.received_at.millis().saturating_sub(millis))
        };
        field(out, "Deliver-By-Date", &at.rfc5322());
    }
    match parameters.hold {
        // RFC 4865 §5.1.2.
        Some(Hold::For { seconds }) => field(out, "Future-Release-Request", &format!("for;{seconds}")),
        Some(Hold::Until(at)) => field(out, "Future-Release-Request", &format!("until;{at}")),
        None => {}
    }
}

/// RFC 3464 §2.3, RFC 3461 §6.3.
fn per_recipient(
    notification: &Notification<'_>,
    report: &RecipientReport<'_>,
    writing: Writing,
    out: &mut String,
) {
    if let Some(original) = &report.recipient.dsn.original_recipient {
        field(out, "Original-Recipient", &original_recipient(original, writing));
    }
    let recipient = match &report.recipient.forward_path {
        ForwardPath::Postmaster => "rfc822; Postmaster".to_owned(),
        ForwardPath::Mailbox(mailbox) => typed("rfc822", &mailbox.to_string(), writing),
    };
    field(out, "Final-Recipient", &recipient);
    field(out, "Action", report.action.word());
    field(out, "Status", &report.finding.status.to_string());
    if let Some(remote) = &report.remote {
        let name = remote.name.map_or_else(|| literal(remote.address), |name| name.ascii().to_owned());
        field(out, "Remote-MTA", &format!("dns; {name} ({})", remote.address));
    }
    // RFC 3461 §6.3 (i) asks for it with each relay too. The type says whose words they are, also where a remote host
    // is named (RFC 3464 §2.3.6).
    let diagnostic = match &report.finding.diagnostic {
        Diagnostic::Remote(reply) => format!("smtp; {}", ascii(&reply.to_string())),
        Diagnostic::Local(text) => format!("x-posta; {}", ascii(text)),
    };
    field(out, "Diagnostic-Code", &diagnostic);
    if let Some(at) = report.last_attempt_at {
        field(out, "Last-Attempt-Date", &at.rfc5322());
    }
    field(out, "Final-Log-Id", &notification.mail_id.to_string());
    if report.action == Action::Delayed
        && let Some(at) = report.will_retry_until
    {
        // RFC 3464 §2.3.9: not with any other action.
        field(out, "Will-Retry-Until", &at.rfc5322());
    }
}

/// RFC 3461 §6.3 (d), RFC 6533 §3.
fn original_recipient(original: &OriginalRecipient, writing: Writing) -> String {
    let OriginalRecipient { address_type, address } = original;
    if address_type.eq_ignore_ascii_case("utf-8") {
        // What is no such address is copied without a change.
        let address = unitext(address).unwrap_or_else(|| address.clone());
        return match writing {
            Writing::Utf8 => format!("{}; {}", ascii(address_type), visible(&address)),
            Writing::Ascii => format!("{}; {}", ascii(address_type), embedded(&address)),
        };
    }
    typed(&ascii(address_type), address, writing)
}

/// An address with its type, which is `utf-8` where it is not ASCII (RFC 6533 §3).
fn typed(address_type: &str, address: &str, writing: Writing) -> String {
    match writing {
        _ if address.is_ascii() => format!("{address_type}; {}", ascii(address)),
        Writing::Utf8 => format!("utf-8; {}", visible(address)),
        Writing::Ascii => format!("utf-8; {}", embedded(address)),
    }
}

fn host(host: &Host) -> String {
    match host {
        Host::Domain(domain) => domain.ascii().to_owned(),
        Host::Literal(literal) => ascii(&literal.to_string()),
    }
}

fn literal(address: IpAddr) -> String {
    types::AddressLiteral::Ip(address).to_string()
}

/// `utf-8-addr-xtext` (RFC 6533 §3): each character that is no `QCHAR` as `\x{HEXPOINT}`.
fn embedded(address: &str) -> String {
    let mut out = String::new();
    for c in address.chars().take(VALUE_BYTES_MAX) {
        match c {
            '\\' | '+' | '=' | '\0'..=' ' | '\u{7f}'.. => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\x{{{:02X}}}", u32::from(c));
            }
            c => out.push(c),
        }
        if out.len() > VALUE_BYTES_MAX {
            break;
        }
    }
    out
}

/// The inverse; none where it is malformed.
fn unitext(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        let (point, after) = after.strip_prefix("x{")?.split_once('}')?;
        let is_point = (2..=6).contains(&point.len()) && point.bytes().all(|b| b.is_ascii_hexdigit());
        if !is_point {
            return None;
        }
        out.push(char::from_u32(u32::from_str_radix(point, 16).ok()?)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// On one line, in ASCII, and not longer than a line may be.
fn ascii(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            ' '..='~' => out.push(c),
            c if c.is_ascii() => out.push(' '),
            c => {
                let _ = write!(out, "\\x{{{:02X}}}", u32::from(c));
            }
        }
        if out.len() >= VALUE_BYTES_MAX {
            out.push_str("...");
            break;
        }
    }
    out.trim().to_owned()
}

/// On one line, in UTF-8, and not longer than a line may be.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        let is_visible = !c.is_control() && !super::text::is_invisible(c);
        out.push(if is_visible { c } else { '?' });
        if out.len() >= VALUE_BYTES_MAX {
            break;
        }
    }
    out
}

/// Writes a field, folded between words (RFC 3464 §2.1.1).
fn field(out: &mut String, name: &str, value: &str) {
    const WIDTH: usize = 78;
    let mut column = name.len() + 1;
    out.push_str(name);
    out.push(':');
    for (at, word) in value.split(' ').enumerate() {
        // An empty word is a space that belongs to the value, and no line may consist of white space.
        if at > 0 && column + 1 + word.len() > WIDTH && !word.is_empty() {
            out.push_str("\r\n");
            column = 0;
        }
        out.push(' ');
        out.push_str(word);
        column += 1 + word.len();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_utf_8_are_written_in_ascii_and_read_back() {
        for (address, written) in [
            ("пример@example.org", "\\x{43F}\\x{440}\\x{438}\\x{43C}\\x{435}\\x{440}@example.org"),
            ("a+b=c\\d e@example.org", "a\\x{2B}b\\x{3D}c\\x{5C}d\\x{20}e@example.org"),
            ("\u{1F600}\u{7F}@x", "\\x{1F600}\\x{7F}@x"),
            ("plain@example.org", "plain@example.org"),
        ] {
            assert_eq!(embedded(address), written);
            assert_eq!(unitext(written).as_deref(), Some(address));
        }
        for malformed in
            ["\\", "\\x", "\\x{", "\\x{}", "\\x{G1}", "\\x{D800}", "\\x{110000}", "\\x{+1}", "\\y{20}"]
        {
            assert_eq!(unitext(malformed), None, "{malformed}");
        }
    }

    #[test]
    fn a_folded_field_unfolds_to_what_it_was() {
        for value in ["a b c".to_owned(), "word ".repeat(100), "x".repeat(900), "a  b   c".repeat(30)] {
            let mut out = String::new();
            field(&mut out, "Name", &value);
            assert_eq!(out.replace("\r\n", ""), format!("Name: {value}"));
            assert!(
                out.split("\r\n")
                    .all(|line| line.len() <= 998 && (line.is_empty() || !line.trim().is_empty()))
            );
        }
    }
}
