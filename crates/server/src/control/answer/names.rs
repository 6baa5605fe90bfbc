//! Names and addresses as a person wrote them, read strictly, and made into the one form in which they are
//! kept.

use types::directory::{SendAs, key};
use types::{Domain, Mailbox};

use crate::control::protocol::{ControlError, ErrorKind};

/// Characters of a label, a reason or a description.
pub(super) const LINE_CHARS_MAX: usize = 200;

/// Any address, as written: only its own host may fold the case of a local part (RFC 5321 §2.4).
pub(super) fn mailbox(written: &str) -> Result<Mailbox, ControlError> {
    written.trim().parse().map_err(|error| bad(format!("{written:?} is no address: {error}")))
}

/// An address of this server, in its one form: lower case, an ASCII domain, no quotes that are not needed.
pub(super) fn own(written: &str) -> Result<Mailbox, ControlError> {
    let mailbox = mailbox(written)?;
    let name = key(&mailbox);
    // A local part that needs its quotes keeps them.
    Ok(name.parse().ok().filter(|plain| key(plain) == name).unwrap_or(mailbox))
}

/// The addresses of a list of targets or members, each once.
pub(super) fn mailboxes(written: &[String]) -> Result<Vec<Mailbox>, ControlError> {
    let mut seen = std::collections::HashSet::new();
    let mut mailboxes = Vec::with_capacity(written.len());
    for written in written {
        let mailbox = mailbox(written)?;
        if seen.insert(key(&mailbox)) {
            mailboxes.push(mailbox);
        }
    }
    Ok(mailboxes)
}

/// A domain, with A-labels and in lower case.
pub(super) fn domain(written: &str) -> Result<Domain, ControlError> {
    let written = written.trim();
    let domain: Domain = written.parse().map_err(|error| {
        let mend = if written.contains('@') { "; that looks like an address" } else { "" };
        bad(format!("{written:?} is no domain: {error}{mend}"))
    })?;
    Ok(domain.ascii().parse().unwrap_or(domain))
}

/// `ada@example.org`, `@example.org` or `*`.
pub(super) fn send_as(written: &str) -> Result<SendAs, ControlError> {
    match written.trim() {
        "*" => Ok(SendAs::Anyone),
        text => match text.strip_prefix('@') {
            Some(name) => domain(name).map(SendAs::Domain),
            None => own(text).map(SendAs::Address),
        },
    }
}

/// A short text that may stand in a header field, a reply and on a screen (attacks.md 12).
pub(super) fn one_line(what: &str, text: &str) -> Result<String, ControlError> {
    let text = text.trim();
    if text.chars().any(char::is_control) {
        return Err(bad(format!("{what} has a line end or another control character; write it in one line")));
    }
    if text.chars().count() > LINE_CHARS_MAX {
        return Err(bad(format!("{what} is longer than {LINE_CHARS_MAX} characters")));
    }
    Ok(text.to_owned())
}

/// As [`one_line`], and not empty.
pub(super) fn some_line(what: &str, text: &str) -> Result<String, ControlError> {
    match one_line(what, text)? {
        line if line.is_empty() => Err(bad(format!("{what} is empty"))),
        line => Ok(line),
    }
}

/// What may stand between user and tag: no letter or digit, which names are made of, and nothing that needs
/// quotes.
pub(super) fn separator(character: char) -> Result<char, ControlError> {
    const SEPARATORS: &str = "+-_=#%&~!$*^|{}?/'`";
    if SEPARATORS.contains(character) {
        return Ok(character);
    }
    Err(bad(format!("{character:?} cannot part user and tag; take one of + - _ = #")))
}

pub(super) fn bad(text: impl Into<String>) -> ControlError {
    ControlError::new(ErrorKind::BadValue, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ours_has_one_form_and_keeps_the_quotes_that_it_needs() {
        let rows = [
            ("Ada@Example.ORG", "ada@example.org"),
            (" ada@example.org ", "ada@example.org"),
            ("\"ada\"@bücher.example", "ada@xn--bcher-kva.example"),
            ("\"a b\"@example.org", "\"a b\"@example.org"),
            ("\"a@b\"@example.org", "\"a@b\"@example.org"),
            ("\"\\\"x\\\"\"@example.org", "\"\\\"x\\\"\"@example.org"),
        ];
        for (written, form) in rows {
            assert_eq!(own(written).unwrap().to_string(), form, "{written}");
        }
        assert!(own("nobody").unwrap_err().text.contains("is no address"));
    }

    #[test]
    fn a_right_to_send_is_an_address_a_domain_or_a_star() {
        for (written, form) in
            [("Ada@Example.org", "ada@example.org"), ("@Example.ORG", "@example.org"), ("*", "*")]
        {
            assert_eq!(send_as(written).unwrap().to_string(), form);
        }
        for wrong in ["", "@", "ada", "**", "@ada@example.org"] {
            assert_eq!(send_as(wrong).unwrap_err().kind, ErrorKind::BadValue, "{wrong:?}");
        }
    }

    #[test]
    fn a_line_for_people_holds_no_control_character_and_has_an_end() {
        assert_eq!(one_line("it", " a b ").unwrap(), "a b");
        for wrong in ["a\r\nBcc: x", "\u{1b}[31m", "a\u{9b}", &"x".repeat(LINE_CHARS_MAX + 1)] {
            assert!(one_line("it", wrong).is_err(), "{wrong:?}");
        }
        assert!(some_line("it", " ").is_err());
    }

    #[test]
    fn a_separator_is_nothing_that_names_or_addresses_are_made_of() {
        assert!(separator('+').is_ok() && separator('-').is_ok());
        for wrong in ['a', '9', '.', '@', '"', ' ', '\\', 'é', '\n'] {
            assert!(separator(wrong).is_err(), "{wrong:?}");
        }
    }
}
