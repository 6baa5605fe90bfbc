//! Copies of a message that show a list as its author (`mta::list::author`): a message of their own, since the header section is
//! of what is stored once for all who get the message as it came.

use bytes::Bytes;
use mta::list::author::with_list_as_author;
use store::{Acceptance, Body, Delivery, NewQueueItem, QueueClaim, Store, StoreError};
use types::{Envelope, EventStep, MailId, Mailbox, Timestamp};

use super::{By, Leaving, Notes};
use crate::shared::Shared;
use crate::signing::{Content, Found, Poster, Signed, sign};

/// The copies of one list.
pub(crate) struct Rewritten {
    pub(crate) list: Mailbox,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) queue: Vec<Leaving>,
}

/// Octets of a staged message that are read at one time.
const CHUNK_BYTES: usize = 64 * 1024;
/// Octets before which a header section ends: longer ones are not taken for a list.
const HEADER_BYTES_MAX: usize = 16 * 1024 * 1024;

impl Rewritten {
    pub(super) const fn of(list: Mailbox) -> Self {
        Self { list, deliveries: Vec::new(), queue: Vec::new() }
    }

    /// Whether nobody gets any.
    pub(super) const fn is_empty(&self) -> bool {
        self.deliveries.is_empty() && self.queue.is_empty()
    }

    /// The message as these copies have it.
    ///
    /// # Errors
    /// What is on the disk cannot be read, or there is no room for another.
    pub(crate) async fn body(&self, store: &dyn Store, body: &Body) -> Result<Body, StoreError> {
        match body {
            Body::Memory(pieces) => Ok(Body::Memory(self.pieces(pieces))),
            Body::Staged(staged) => {
                let mut start = Vec::new();
                let mut offset = 0;
                loop {
                    let chunk = staged.read_at(offset, CHUNK_BYTES).await?;
                    offset += chunk.len() as u64;
                    let is_end = chunk.is_empty();
                    if appended_to_header(&mut start, &chunk) || is_end || start.len() > HEADER_BYTES_MAX {
                        break;
                    }
                }
                let mut copy = store.stage().await?;
                copy.append(&self.start(&start)).await?;
                loop {
                    let chunk = staged.read_at(offset, CHUNK_BYTES).await?;
                    if chunk.is_empty() {
                        return Ok(Body::Staged(copy));
                    }
                    offset += chunk.len() as u64;
                    copy.append(&chunk).await?;
                }
            }
        }
    }

    fn pieces(&self, pieces: &[Bytes]) -> Vec<Bytes> {
        let mut start = Vec::new();
        let mut pieces = pieces.iter();
        for piece in pieces.by_ref() {
            if appended_to_header(&mut start, piece) {
                break;
            }
        }
        std::iter::once(Bytes::from(self.start(&start))).chain(pieces.cloned()).collect()
    }

    /// The header section, and what follows it.
    fn start(&self, start: &[u8]) -> Vec<u8> {
        // That its address can stand in a header section was asked before.
        with_list_as_author(start, &self.list).unwrap_or_else(|| start.to_vec())
    }
}

/// A message of its own, for the members of one list.
pub(crate) struct ListMessage {
    pub(crate) list: Mailbox,
    pub(crate) body: Body,
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) queue: Vec<NewQueueItem>,
    /// What was signed, and why not.
    pub(crate) signatures: Vec<(String, String)>,
}

impl ListMessage {
    /// It as it is stored, told of in the trace of the message that it was made of.
    pub(crate) fn stored_as(
        self,
        mail_id: MailId,
        received_at: Timestamp,
        envelope: &Envelope,
        origin: &str,
        notes: &mut Notes,
    ) -> Acceptance {
        let Self { list, body, deliveries, queue, signatures } = self;
        notes.add(EventStep::Stored, list, format!("what this list sends is stored as {mail_id}"));
        for (about, what) in signatures {
            notes.add(EventStep::Signed, about, what);
        }
        Acceptance {
            mail_id,
            received_at,
            envelope: envelope.clone(),
            origin: origin.to_owned(),
            body,
            deliveries,
            queue,
            claim: QueueClaim::Later,
            idempotency: None,
        }
    }
}

/// The messages of lists, each with their own author and signatures, made of the one that came.
///
/// # Errors
/// It cannot be read or written, or has to be signed and cannot be.
pub(crate) async fn list_messages(
    shared: &Shared,
    rewritten: Vec<Rewritten>,
    body: &Body,
    content: Option<&Content>,
    found: Option<&Found>,
    now: Timestamp,
) -> Result<Vec<ListMessage>, StoreError> {
    let mut messages = Vec::with_capacity(rewritten.len());
    for list in rewritten {
        let content = content.map(|content| content.with_list_as_author(&list.list));
        let body = list.body(&*shared.store, body).await?;
        let Rewritten { list, deliveries, queue } = list;
        // The list alone speaks for what it has changed.
        let poster = Poster::List { found };
        let Signed { queue, notes } = sign(shared, content.as_ref(), poster, queue, now).await?;
        messages.push(ListMessage { list, body, deliveries, queue, signatures: notes });
    }
    Ok(messages)
}

/// Puts the copies of lists whose author is rewritten apart from what leaves as it came.
pub(super) fn put_apart(queue: Vec<Leaving>, rewritten: &mut [Rewritten]) -> Vec<Leaving> {
    let mut as_it_came = Vec::with_capacity(queue.len());
    for leaving in queue {
        let list = match &leaving.by {
            By::List(address) => rewritten.iter_mut().find(|rewritten| rewritten.list == *address),
            By::Sender | By::Forwarder(_) => None,
        };
        match list {
            Some(list) => list.queue.push(leaving),
            None => as_it_came.push(leaving),
        }
    }
    as_it_came
}

/// Whether the header section is there with its end.
fn appended_to_header(start: &mut Vec<u8>, octets: &[u8]) -> bool {
    // The end of the header section may be cut in two.
    let known = start.len().saturating_sub(3);
    start.extend_from_slice(octets);
    start.starts_with(b"\r\n") || start[known..].windows(4).any(|four| four == b"\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_rewritten_however_it_lies_in_pieces() {
        let message =
            b"Received: x\r\nFrom: ada@strict.example\r\nSubject: s\r\n\r\nFrom: body\r\n\r\nmore\r\n";
        let list = Rewritten::of("engines@lists.example.org".parse().unwrap());
        let whole = list.pieces(&[Bytes::from_static(message)]).concat();
        let text = String::from_utf8(whole.clone()).unwrap();
        assert!(text.contains("\r\nFrom: ada via engines <engines@lists.example.org>\r\n"), "{text}");
        assert!(text.ends_with("Subject: s\r\n\r\nFrom: body\r\n\r\nmore\r\n"), "{text}");
        for size in 1..message.len() {
            let pieces: Vec<_> = message.chunks(size).map(Bytes::copy_from_slice).collect();
            assert_eq!(list.pieces(&pieces).concat(), whole, "{size}");
        }
    }
}
