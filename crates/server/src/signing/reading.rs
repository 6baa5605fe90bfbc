//! What of a message is signed, read as it is stored.

use bytes::Bytes;
use mailauth::dkim::{Bodies, BodyHasher, Signer};
use mta::list::author;
use store::{BodyStream, StoreError};
use types::Mailbox;

/// A message that is stored piece by piece.
pub(crate) struct Reading {
    header: Vec<u8>,
    hasher: BodyHasher,
}

/// What is signed of a message.
#[derive(Debug, Clone)]
pub(crate) struct Content {
    /// The header section, without its empty line.
    pub(crate) header: Bytes,
    pub(crate) bodies: Bodies,
}

impl Reading {
    /// Of nothing yet.
    pub(crate) fn new() -> Self {
        Self { header: Vec::new(), hasher: BodyHasher::new([Signer::form()]) }
    }

    /// The header section with its empty line, and what of the body follows it.
    pub(crate) fn begin(&mut self, start: &[u8]) {
        let fields = mailauth::fields(start);
        let header_len = fields.iter().map(|field| field.raw.len()).sum();
        let (header, rest) = start.split_at(header_len);
        self.header = header.to_vec();
        self.push(rest.strip_prefix(b"\r\n").unwrap_or(rest));
    }

    /// More of the body.
    pub(crate) fn push(&mut self, octets: &[u8]) {
        self.hasher.push(octets);
    }

    /// That was all.
    pub(crate) fn finish(self) -> Content {
        Content { header: self.header.into(), bodies: self.hasher.finish() }
    }
}

impl Content {
    /// Of a message that is in memory.
    pub(crate) fn of(message: &[u8]) -> Self {
        let mut reading = Reading::new();
        reading.begin(message);
        reading.finish()
    }

    /// The same where a list is shown as the author (`mta::list::author`).
    pub(crate) fn with_list_as_author(&self, list: &Mailbox) -> Self {
        let header = author::with_list_as_author(&self.header, list);
        let header = header.map_or_else(|| self.header.clone(), Bytes::from);
        Self { header, bodies: self.bodies.clone() }
    }

    /// Of a message that is stored; none where its header section is too long to be looked at.
    pub(crate) async fn read(
        body: &mut dyn BodyStream,
        header_bytes_max: usize,
    ) -> Result<Option<Self>, StoreError> {
        let mut reading = Reading::new();
        let mut start = Some(Vec::new());
        loop {
            let octets = body.next().await?;
            let is_end = octets.is_empty();
            if let Some(mut first) = start.take() {
                // The end of the header section may be cut in two.
                let known = first.len().saturating_sub(3);
                first.extend_from_slice(&octets);
                let has_header =
                    first.starts_with(b"\r\n") || first[known..].windows(4).any(|four| four == b"\r\n\r\n");
                if has_header || is_end {
                    reading.begin(&first);
                } else if first.len() > header_bytes_max {
                    return Ok(None);
                } else {
                    start = Some(first);
                }
            } else {
                reading.push(&octets);
            }
            if is_end {
                return Ok(Some(reading.finish()));
            }
            // Hashing does not wait: others have their turn too.
            tokio::task::consume_budget().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_the_same_however_it_comes() {
        let message = b"From: a@example.org\r\nSubject: s\r\n\r\nOne\r\n\r\nTwo\r\n";
        let whole = Content::of(message);
        assert_eq!(&whole.header[..], b"From: a@example.org\r\nSubject: s\r\n");
        let mut reading = Reading::new();
        reading.begin(&message[..38]);
        reading.push(&message[38..]);
        let pieces = reading.finish();
        assert_eq!(
            (pieces.header, format!("{:?}", pieces.bodies)),
            (whole.header, format!("{:?}", whole.bodies))
        );
    }

    #[test]
    fn what_is_no_header_section_is_body() {
        let content = Content::of(b"\r\nFrom: a@example.org\r\n");
        assert!(content.header.is_empty());
        let other = Content::of(b"\r\n");
        assert_ne!(format!("{:?}", content.bodies), format!("{:?}", other.bodies));
    }
}
