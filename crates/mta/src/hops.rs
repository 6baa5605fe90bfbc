//! Loop detection by counting `Received` fields (RFC 5321 §6.3).

use memchr::memchr;

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
}
