//! Loop detection: by counting `Received` fields (RFC 5321 §6.3), those of this host among them, and by
//! `Delivered-To` (RFC 9228), which an address that sends mail on has put there.

use memchr::memchr;
use types::directory::key;
use types::{Domain, Mailbox};

use crate::header::field::FieldsOf;
use crate::list::is_address;

/// How many `Received` fields the header section of a message has. `message` need only hold the start of the
/// message; counting ends at the empty line.
#[must_use]
pub fn received_count(message: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = message;
    while !rest.is_empty() && !rest.starts_with(b"\r\n") && !rest.starts_with(b"\n") {
        if names_received(rest) {
            count += 1;
        }
        rest = memchr(b'\n', rest).map_or(&[], |lf| &rest[lf + 1..]);
    }
    count
}

/// How many `Received` fields say that this host has received the message before. `header` is the header section.
///
/// ```text
/// By-domain = CFWS "BY" FWS Extended-Domain
/// ```
#[must_use]
pub fn received_by_count(header: &[u8], host_name: &Domain) -> usize {
    let is_ours = |value: &[u8]| {
        let mut words = value.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
        words
            .find(|word| word.eq_ignore_ascii_case(b"by"))
            .and_then(|_| words.next())
            .map(|word| word.strip_suffix(b";").unwrap_or(word))
            .is_some_and(|word| word.eq_ignore_ascii_case(host_name.ascii().as_bytes()))
    };
    FieldsOf::new(header).filter(|field| field.is(header, "Received") && is_ours(field.value(header))).count()
}

/// Whether the message was delivered to this address before. `header` is the header section.
#[must_use]
pub fn was_delivered_to(header: &[u8], address: &Mailbox) -> bool {
    let address = key(address);
    FieldsOf::new(header)
        .any(|field| field.is(header, "Delivered-To") && is_address(field.value(header), &address))
}

/// White space before the colon is obsolete and read (RFC 5322 §4.5).
fn names_received(line: &[u8]) -> bool {
    const NAME: &[u8] = b"Received";
    let Some((name, rest)) = line.split_at_checked(NAME.len()) else { return false };
    name.eq_ignore_ascii_case(NAME) && rest.trim_ascii_start().starts_with(b":")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn received_fields_are_counted_in_the_header_section_alone() {
        for (message, expected) in [
            ("", 0),
            ("Received: a\r\n\tb\r\nReceived : c\r\nRECEIVED:d\r\n\r\nReceived: e\r\n", 3),
            ("X: Received: a\r\n Received: b\r\nReceived-SPF: c\r\n", 0),
            ("\r\nReceived: a\r\n", 0),
            ("Received", 0),
        ] {
            assert_eq!(received_count(message.as_bytes()), expected, "{message:?}");
        }
    }

    #[test]
    fn the_times_that_this_host_received_a_message_are_counted() {
        let host_name = "mail.example.org".parse().unwrap();
        for (header, expected) in [
            ("Received: from a by mail.example.org with ESMTP id 1; x\r\n", 1),
            ("Received: from a (b)\r\n\tBY\r\n Mail.Example.ORG; x\r\nReceived: from b by c; y\r\n", 1),
            ("Received: by mail.example.org; x\r\nReceived: by mail.example.org; y\r\n", 2),
            ("Received: from mail.example.org by other.example; x\r\n", 0),
            ("Received: by mail.example.org.evil.example; x\r\n", 0),
            ("X: by mail.example.org\r\n\r\nReceived: by mail.example.org; x\r\n", 0),
            ("Received: by", 0),
        ] {
            assert_eq!(received_by_count(header.as_bytes(), &host_name), expected, "{header:?}");
        }
    }

    #[test]
    fn an_address_that_a_message_was_delivered_to_is_known_again() {
        let address = "sales@example.org".parse().unwrap();
        for (header, expected) in [
            ("Delivered-To: sales@example.org\r\n", true),
            ("Delivered-To:\r\n \"Sales\"@EXAMPLE.org \r\n", true),
            ("Delivered-To: ada@example.org\r\nDelivered-To: sales@example.org\r\n", true),
            ("Delivered-To: sales@example.net\r\n", false),
            ("Delivered-To: xsales@example.org\r\n", false),
            ("X-Delivered-To: sales@example.org\r\n", false),
            ("\r\nDelivered-To: sales@example.org\r\n", false),
        ] {
            assert_eq!(was_delivered_to(header.as_bytes(), &address), expected, "{header:?}");
        }
    }
}
