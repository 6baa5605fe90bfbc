//! A message as octets and as what a reader makes of them.

use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::{Message, MessageParser, MessagePart};
use mailauth::Field;

/// A message that is looked at.
#[derive(Debug)]
pub struct Letter<'a> {
    /// All of it.
    pub octets: &'a [u8],
    /// Up to the empty line, which is not in it.
    pub header: &'a [u8],
    /// Behind the empty line.
    pub body: &'a [u8],
    /// The fields of the header section.
    pub fields: Vec<Field<'a>>,
    /// What was made of the file before it was looked at.
    pub oddities: Vec<Oddity>,
    pub(super) parsed: Option<Message<'a>>,
}

/// How a file differs from what goes over the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Oddity {
    /// Lines ended in LF alone, as programs on this system store them.
    LineFeeds,
    /// The first line was the `From ` of a mailbox file.
    MailboxLine,
}

impl Oddity {
    /// The message as it goes over the wire, and what was changed for that. Where a single line ends in CRLF nothing is: what is
    /// mixed is a fault of the message.
    #[must_use]
    pub fn undo(octets: Vec<u8>) -> (Vec<u8>, Vec<Self>) {
        let mut oddities = Vec::new();
        let mut octets = octets;
        if octets.starts_with(b"From ")
            && let Some(end) = octets.iter().position(|octet| *octet == b'\n')
        {
            octets.drain(..=end);
            oddities.push(Self::MailboxLine);
        }
        let has_crlf = octets.windows(2).any(|pair| pair == b"\r\n");
        if !has_crlf && octets.contains(&b'\n') {
            let mut wired = Vec::with_capacity(octets.len() + octets.len() / 32);
            for octet in octets {
                if octet == b'\n' {
                    wired.push(b'\r');
                }
                wired.push(octet);
            }
            octets = wired;
            oddities.push(Self::LineFeeds);
        }
        (octets, oddities)
    }

    /// For people.
    #[must_use]
    pub const fn says(self) -> &'static str {
        match self {
            Self::LineFeeds => {
                "the lines of the file end in LF alone, and were read as if they ended in CRLF"
            }
            Self::MailboxLine => "the first line of the file is of a mailbox file, and was left out",
        }
    }
}

impl<'a> Letter<'a> {
    /// Reads a message.
    #[must_use]
    pub fn read(octets: &'a [u8], oddities: Vec<Oddity>) -> Self {
        let (header, body) = split(octets);
        Self {
            octets,
            header,
            body,
            fields: mailauth::fields(header),
            oddities,
            parsed: MessageParser::default().parse(octets),
        }
    }

    /// The fields of a name, from the top.
    pub fn named<'s>(&'s self, name: &'s str) -> impl Iterator<Item = &'s Field<'a>> {
        self.fields.iter().filter(move |field| field.is(name))
    }

    /// The first field of a name as text: unfolded, without white space at the ends.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<String> {
        self.named(name).next().map(unfolded)
    }

    /// All parts of the message, those of messages within it left out.
    pub(super) fn parts(&self) -> &[MessagePart<'a>] {
        self.parsed.as_ref().map_or(&[], |parsed| &parsed.parts)
    }

    /// The octets of a part's body as they came.
    pub(super) fn body_of(&self, part: &MessagePart<'_>) -> &'a [u8] {
        let (start, end) = (part.offset_body as usize, part.offset_end as usize);
        self.octets.get(start..end.min(self.octets.len())).unwrap_or_default()
    }
}

/// A value on one line. What is no UTF-8 becomes U+FFFD.
pub(super) fn unfolded(field: &Field<'_>) -> String {
    let text = String::from_utf8_lossy(field.value);
    text.replace(['\r', '\n'], "").trim().to_owned()
}

/// Whether readers know the name of a charset.
pub(super) fn is_known_charset(name: &str) -> bool {
    let name = name.trim();
    charset_decoder(name.as_bytes()).is_some()
        || ["utf-8", "utf8", "us-ascii", "ascii"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// The header section with its last line end, and the body.
fn split(octets: &[u8]) -> (&[u8], &[u8]) {
    if octets.starts_with(b"\r\n") {
        return (&[], &octets[2..]);
    }
    match octets.windows(4).position(|four| four == b"\r\n\r\n") {
        Some(at) => (&octets[..at + 2], &octets[at + 4..]),
        None => (octets, &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_split_at_its_empty_line() {
        for (octets, header, body) in [
            ("A: 1\r\nB: 2\r\n\r\nx\r\n\r\ny", "A: 1\r\nB: 2\r\n", "x\r\n\r\ny"),
            ("\r\nbody", "", "body"),
            ("A: 1\r\n", "A: 1\r\n", ""),
            ("", "", ""),
        ] {
            let letter = Letter::read(octets.as_bytes(), Vec::new());
            assert_eq!((letter.header, letter.body), (header.as_bytes(), body.as_bytes()), "{octets:?}");
        }
    }

    #[test]
    fn files_of_this_system_are_read_as_they_go_over_the_wire() {
        for (file, wired, oddities) in [
            ("A: 1\n\nx\n", "A: 1\r\n\r\nx\r\n", &[Oddity::LineFeeds][..]),
            ("A: 1\r\n\r\nx\n", "A: 1\r\n\r\nx\n", &[]),
            ("From a@b Mon\nA: 1\n\n", "A: 1\r\n\r\n", &[Oddity::MailboxLine, Oddity::LineFeeds]),
            ("A: 1", "A: 1", &[]),
        ] {
            let (octets, found) = Oddity::undo(file.as_bytes().to_vec());
            assert_eq!((octets.as_slice(), &found[..]), (wired.as_bytes(), oddities), "{file:?}");
        }
    }
}
