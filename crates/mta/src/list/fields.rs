//! The header fields of a list's copies.

use std::fmt::Write as _;

use types::Mailbox;
use types::directory::MailingList;

use super::{Helper, helper_address};
use crate::header::encoded_words;

/// Fields that a copy has from this list alone: those of a list that the message came by before are taken off
/// (RFC 2369 §4: a message has one of each).
pub const REPLACED_FIELDS: &[&str] = &[
    "List-Id",
    "List-Help",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Subscribe",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "Precedence",
    "Return-Path",
];

/// What a copy says of its list, each line ended by CRLF.
///
/// ```text
/// List-Id: Engines <engines.example.org>
/// List-Post: <mailto:engines@example.org>
/// List-Help: <mailto:engines-request@example.org?subject=help>
/// List-Unsubscribe: <mailto:engines-request@example.org?subject=unsubscribe>
/// List-Owner: <mailto:engines-owner@example.org>
/// Precedence: list
/// ```
///
/// `Precedence` is in no RFC but known to every automatic responder (RFC 3834 §2 speaks of it). `Auto-Submitted` is
/// not added: what people write to a list is not automatic (RFC 3834 §5).
#[must_use]
pub fn fields(address: &Mailbox, list: &MailingList) -> String {
    let mut out = String::with_capacity(512);
    let id = list_id(address);
    // Writing to a String cannot fail.
    let _ = match phrase(&list.description) {
        phrase if phrase.is_empty() => write!(out, "List-Id: <{id}>\r\n"),
        // A line with an encoded word has 76 octets at most (RFC 2047 §2).
        phrase if phrase.starts_with("=?") => write!(out, "List-Id:\r\n {phrase}\r\n <{id}>\r\n"),
        phrase => write!(out, "List-Id: {phrase}\r\n <{id}>\r\n"),
    };
    let _ = write!(out, "List-Post: <{}>\r\n", mailto(address));
    if let Some(request) = helper_address(address, &Helper::Request).as_ref().map(mailto) {
        let _ = write!(out, "List-Help: <{request}?subject=help>\r\n");
        let _ = write!(out, "List-Unsubscribe:\r\n <{request}?subject=unsubscribe>\r\n");
    }
    if let Some(owner) = helper_address(address, &Helper::Owner).as_ref().map(mailto) {
        let _ = write!(out, "List-Owner: <{owner}>\r\n");
    }
    out.push_str("Precedence: list\r\n");
    out
}

/// `list-label "." list-id-namespace` (RFC 2919 §3): the local part, what no dot-atom holds made `-`, and the domain.
#[must_use]
pub fn list_id(address: &Mailbox) -> String {
    let label: String = address
        .local_part
        .unquoted()
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "_-".contains(c) { c } else { '-' })
        .collect();
    match address.host.domain() {
        Some(domain) => format!("{label}.{}", domain.ascii()),
        None => format!("{label}.localhost"),
    }
}

/// `mailto:` with what RFC 6068 §2 does not allow written as `%XX`, the domain with A-labels.
fn mailto(address: &Mailbox) -> String {
    let mut out = String::from("mailto:");
    for octet in address.local_part.as_str().bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~!$'*+".contains(&octet) {
            out.push(char::from(octet));
        } else {
            let _ = write!(out, "%{octet:02X}");
        }
    }
    out.push('@');
    match address.host.domain() {
        Some(domain) => out.push_str(domain.ascii()),
        None => out.push_str(&address.host.to_string()),
    }
    out
}

/// A description as the phrase of RFC 5322 §3.2.5: in quotes, or as encoded words (RFC 2047) where it is not ASCII.
/// Nothing in it can end a line.
pub(super) fn phrase(description: &str) -> String {
    let text: String = description
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(DESCRIPTION_CHARS_MAX)
        .collect();
    let text = text.trim();
    if text.is_empty() {
        return String::new();
    }
    if !text.is_ascii() {
        // On a line of its own.
        return encoded_words(text, 1);
    }
    if text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b' ') {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A line that is folded by us stays within 998 octets whatever the description holds (RFC 5322 §2.1.1).
const DESCRIPTION_CHARS_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use types::directory::{Expandable, FromRewriting, ListBounces, Posters};

    use super::*;

    fn of(address: &str, description: &str) -> String {
        let list = MailingList {
            owner: "owner@example.org".parse().unwrap(),
            members: Vec::new(),
            posters: Posters::Anyone,
            bounces: ListBounces::Verp,
            description: description.into(),
            expandable: Expandable::Never,
            from: FromRewriting::IfNeeded,
        };
        fields(&address.parse().unwrap(), &list)
    }

    #[test]
    fn a_copy_says_what_list_it_is_of_and_how_to_leave_it() {
        assert_eq!(
            of("engines@example.org", "Analytical engines"),
            "List-Id: Analytical engines\r\n <engines.example.org>\r\n\
             List-Post: <mailto:engines@example.org>\r\n\
             List-Help: <mailto:engines-request@example.org?subject=help>\r\n\
             List-Unsubscribe:\r\n <mailto:engines-request@example.org?subject=unsubscribe>\r\n\
             List-Owner: <mailto:engines-owner@example.org>\r\n\
             Precedence: list\r\n"
        );
        assert!(of("a@example.org", "").starts_with("List-Id: <a.example.org>\r\n"));
    }

    #[test]
    fn a_description_can_neither_end_a_line_nor_break_the_id() {
        for (description, written) in [
            ("a\r\nBcc: x@example.org", "\"a  Bcc: x@example.org\""),
            ("\"quoted\" <x.y>\\", "\"\\\"quoted\\\" <x.y>\\\\\""),
            ("Bücher, alle", "=?utf-8?Q?B=C3=BCcher=2C_alle?="),
            (" \t ", ""),
        ] {
            assert_eq!(phrase(description), written);
        }
        let long = of("a@example.org", &"ü".repeat(10_000));
        assert!(long.split("\r\n").all(|line| line.len() <= 76 && line.is_ascii()), "{long}");
        let long = of("a@example.org", &"x.".repeat(10_000));
        assert!(long.split("\r\n").all(|line| line.len() <= 998), "{long}");
    }

    #[test]
    fn an_address_stands_in_a_mailto_with_its_oddities_escaped() {
        for (address, url) in [
            ("a&b@example.org", "mailto:a%26b@example.org"),
            ("\"a b\"@example.org", "mailto:%22a%20b%22@example.org"),
            ("a%b@example.org", "mailto:a%25b@example.org"),
            ("ü@bücher.example", "mailto:%C3%BC@xn--bcher-kva.example"),
        ] {
            assert_eq!(mailto(&address.parse().unwrap()), url);
        }
    }

    #[test]
    fn the_id_of_a_list_is_a_dot_atom() {
        for (address, id) in [
            ("Engines@Example.org", "engines.example.org"),
            ("\"a <b>\"@example.org", "a--b-.example.org"),
            ("a.b@bücher.example", "a-b.xn--bcher-kva.example"),
        ] {
            assert_eq!(list_id(&address.parse().unwrap()), id);
        }
    }
}
