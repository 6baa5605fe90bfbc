//! What a person wants to see of a message: decoded, and bounded. Nothing here is safe for a terminal yet.

use mail_parser::{Address, DateTime, Message, MessageParser, MimeHeaders as _};
use serde::Serialize;

/// Octets of a text that are shown.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Parts that are named.
const ATTACHMENTS_MAX: usize = 100;
/// Addresses of one field that are named.
const ADDRESSES_MAX: usize = 100;

/// What stands in a list.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Heading {
    /// The author's name and address.
    pub(crate) from: String,
    /// To whom it is written.
    pub(crate) to: String,
    /// Decoded.
    pub(crate) subject: String,
    /// RFC 3339 in UTC; none where the message says none.
    pub(crate) date: Option<String>,
    /// MAIL FROM, as delivery wrote it down; empty for a report.
    pub(crate) return_path: String,
}

/// A whole message for a reader.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Content {
    #[serde(flatten)]
    pub(crate) heading: Heading,
    pub(crate) cc: String,
    pub(crate) message_id: String,
    pub(crate) text: String,
    pub(crate) attachments: Vec<Attachment>,
}

/// A part that is not text.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Attachment {
    pub(crate) name: String,
    pub(crate) media_type: String,
    pub(crate) size_bytes: usize,
}

/// Reads the heading from the first octets of a message.
pub(crate) fn heading(head: &[u8]) -> Heading {
    MessageParser::default().parse_headers(head).map_or_else(Heading::default, |message| heading_of(&message))
}

/// Reads a message.
pub(crate) fn content(message: &[u8]) -> Content {
    let Some(message) = MessageParser::default().parse(message) else { return Content::default() };
    let mut text = message.body_text(0).unwrap_or_default().into_owned();
    if let Some((end, _)) = text.char_indices().find(|(at, _)| *at >= TEXT_BYTES_MAX) {
        text.truncate(end);
        text.push_str("\n[cut here; --raw writes all of it]\n");
    }
    let attachments = message.attachments().take(ATTACHMENTS_MAX).map(|part| Attachment {
        name: part.attachment_name().unwrap_or_default().to_owned(),
        media_type: part.content_type().map_or_else(
            || "application/octet-stream".to_owned(),
            |kind| format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()),
        ),
        size_bytes: part.len(),
    });
    Content {
        cc: addresses(message.cc()),
        message_id: message.message_id().unwrap_or_default().to_owned(),
        attachments: attachments.collect(),
        heading: heading_of(&message),
        text,
    }
}

fn heading_of(message: &Message<'_>) -> Heading {
    Heading {
        from: addresses(message.from()),
        to: addresses(message.to()),
        subject: message.subject().unwrap_or_default().to_owned(),
        date: message.date().and_then(date),
        return_path: message.return_address().unwrap_or_default().to_owned(),
    }
}

/// `Name <address>` of each, with commas between.
fn addresses(field: Option<&Address<'_>>) -> String {
    let Some(field) = field else { return String::new() };
    let shown = field.iter().take(ADDRESSES_MAX).map(|mailbox| match (mailbox.name(), mailbox.address()) {
        (Some(name), Some(address)) => format!("{name} <{address}>"),
        (name, address) => address.or(name).unwrap_or_default().to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

/// None where the date is of no calendar.
fn date(date: &DateTime) -> Option<String> {
    date.is_valid().then(|| DateTime::from_timestamp(date.to_timestamp()).to_rfc3339())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heading_is_decoded_and_its_date_told_in_utc() {
        let head = b"Return-Path: <bounce@example.org>\r\nFrom: =?utf-8?q?J=C3=BCrgen?= <j@example.org>\r\nTo: a@b.example, c@d.example\r\n\
                     Subject: =?iso-8859-1?q?gr=FC=DFe?=\r\nDate: Mon, 1 Jun 2026 01:30:00 +0200\r\n\r\nHi\r\n";
        let expected = Heading {
            from: "Jürgen <j@example.org>".to_owned(),
            to: "a@b.example, c@d.example".to_owned(),
            subject: "grüße".to_owned(),
            date: Some("2026-05-31T23:30:00Z".to_owned()),
            return_path: "bounce@example.org".to_owned(),
        };
        assert_eq!(heading(head), expected);
    }

    #[test]
    fn a_message_without_any_field_or_with_a_date_of_no_calendar_has_a_heading() {
        assert_eq!(heading(b""), Heading::default());
        assert_eq!(heading(b"\r\nbody"), Heading::default());
        assert_eq!(heading(b"Date: 99 Foo 10000 77:99\r\n\r\n").date, None);
    }

    #[test]
    fn ten_thousand_nested_parts_are_read_without_a_fall() {
        let mut message = String::from("Content-Type: multipart/mixed; boundary=b0\r\n\r\n");
        for depth in 0..10_000 {
            message.push_str(&format!(
                "--b{depth}\r\nContent-Type: multipart/mixed; boundary=b{}\r\n\r\n",
                depth + 1
            ));
        }
        content(message.as_bytes());
        let rfc822 = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
        content(rfc822.as_bytes());
    }

    #[test]
    fn every_message_of_the_corpus_has_a_content() {
        let Some(folder) = testdata::folder("mime") else { return };
        let files = testdata::files_below(&folder);
        assert!(!files.is_empty());
        for file in files {
            let content = content(&std::fs::read(&file).unwrap());
            assert!(content.text.len() <= TEXT_BYTES_MAX + 64, "{}", file.display());
        }
    }
}
