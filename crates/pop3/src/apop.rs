//! The offer of APOP (RFC 1939 §7): a timestamp in the greeting, of which and of a shared secret the client sends a
//! digest. The digest is the driver's to compare.

/// Octets of an MD5 digest.
pub const APOP_DIGEST_BYTES: usize = 16;

/// Octets of a timestamp: with it, a greeting is still one line of a response.
const TIMESTAMP_BYTES_MAX: usize = 200;

/// Whether APOP is offered. Whoever offers it keeps secrets in clear text on the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Apop {
    /// APOP is a command that does not exist.
    Off,
    /// It is offered, with this timestamp: a `msg-id` with its angle brackets, never the same one twice. Without that
    /// form nothing is offered.
    Timestamp(String),
}

impl Apop {
    /// What the greeting ends in.
    pub(crate) fn timestamp(&self) -> Option<&str> {
        let Self::Timestamp(timestamp) = self else { return None };
        let inner = timestamp.strip_prefix('<')?.strip_suffix('>')?;
        let is_msg_id = inner.contains('@')
            && inner.bytes().all(|b| b.is_ascii_graphic() && !matches!(b, b'<' | b'>'))
            && timestamp.len() <= TIMESTAMP_BYTES_MAX;
        is_msg_id.then_some(timestamp)
    }
}

/// A digest as it is written: 32 hexadecimal digits, in lower case.
pub(crate) fn digest(text: &str) -> Option<[u8; APOP_DIGEST_BYTES]> {
    let is_digest =
        text.len() == 2 * APOP_DIGEST_BYTES && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let mut digest = [0; APOP_DIGEST_BYTES];
    for (octet, index) in digest.iter_mut().zip((0..).step_by(2)) {
        *octet = u8::from_str_radix(text.get(index..index + 2)?, 16).ok()?;
    }
    is_digest.then_some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_a_msg_id_or_nothing() {
        let offered = |text: &str| Apop::Timestamp(text.into()).timestamp().is_some();
        assert!(offered("<1896.697170952@dbc.mtview.ca.us>"));
        for text in ["", "<", "<>", "a@b", "<a@b", "a@b>", "<a>", "<a b@c>", "<a@b>>", "<a@b\r\n>", "<é@b>"]
        {
            assert!(!offered(text), "{text:?}");
        }
        let of = |octets: usize| format!("<@{}>", "x".repeat(octets - 3));
        assert!(offered(&of(TIMESTAMP_BYTES_MAX)) && !offered(&of(TIMESTAMP_BYTES_MAX + 1)));
        assert_eq!(Apop::Off.timestamp(), None);
    }

    #[test]
    fn digests_are_32_digits_in_lower_case() {
        let text = "c4c9334bac560ecc979e58001b3e22fb";
        let read = digest(text).unwrap();
        assert_eq!(read.iter().map(|octet| format!("{octet:02x}")).collect::<String>(), text);
        for wrong in
            ["", "c4", &text[1..], &format!("{text}0"), &text.to_uppercase(), &text.replace('c', "g")]
        {
            assert_eq!(digest(wrong), None, "{wrong}");
        }
        assert_eq!(digest("+4c9334bac560ecc979e58001b3e22fb"), None);
        assert_eq!(digest("éééééééééééééééé"), None);
    }
}
