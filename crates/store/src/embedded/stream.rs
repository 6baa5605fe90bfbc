//! Reading a message: the delivery's header fields, then the body from the log or from its file.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use types::{Envelope, MailId};

use super::disk::{DiskFile, OpenMode};
use super::envelope;
use super::queue;
use super::record::{BodyPlace, Message, RECORD_HEADER_LEN};
use super::segments::{damaged, unavailable};
use super::shared::Shared;
use super::sync::blocking;
use super::view::MailRow;
use crate::{BodyStream, MailboxId, QueueItemId, StoreError, Uid};

/// Octets that are read at a time.
const CHUNK_BYTES: u64 = 64 * 1024;

/// Holds the body's file open: it stays readable when the segment or the file is given up.
#[derive(Debug)]
pub(super) struct MessageStream {
    header: Bytes,
    header_bytes: u64,
    file: Arc<dyn DiskFile>,
    offset: u64,
    left: u64,
    size_bytes: u64,
    crc: u32,
    crc_expected: u32,
}

/// Finds a message and opens its body.
pub(super) fn open(shared: &Shared, mailbox: MailboxId, uid: Uid) -> Result<MessageStream, StoreError> {
    // The body may be carried to another segment between finding and opening it; it is there then.
    for _ in 0..OPEN_TRIES {
        let reader = shared.view.read()?;
        // A mailbox that is gone may have messages in the view yet.
        reader.mailbox(mailbox)?.ok_or(StoreError::NoSuchMessage)?;
        let entry = reader.entry(mailbox, uid)?.ok_or(StoreError::NoSuchMessage)?;
        let missing = || StoreError::Damaged(format!("message {} has no record", entry.state.mail_id));
        let row = reader.mail(entry.state.mail_id)?.ok_or_else(missing)?;
        if let Some((file, offset)) = open_body(shared, &row)? {
            return Ok(MessageStream {
                size_bytes: entry.header.len() as u64 + row.body_len,
                header_bytes: entry.header.len() as u64,
                header: entry.header.into(),
                file,
                offset,
                left: row.body_len,
                crc: 0,
                crc_expected: row.body_crc,
            });
        }
    }
    Err(StoreError::Damaged(format!("the body of message {uid} of mailbox {mailbox} is missing")))
}

/// Finds an item of the queue and opens its message.
pub(super) fn open_queued(shared: &Shared, id: QueueItemId) -> Result<MessageStream, StoreError> {
    for _ in 0..OPEN_TRIES {
        let reader = shared.view.read()?;
        reader.queue_row(id)?.ok_or(StoreError::NoSuchMessage)?;
        let Some((row, record)) = queue::record_of(shared, &reader, id)? else { continue };
        let message = Message::decode(&record.meta)?;
        let part = message.queue.iter().find(|part| part.part == id.part);
        let part = part.ok_or_else(|| damaged(row.lsn, &format!("{id} is not in its message")))?;
        if let Some((file, offset)) = open_body(shared, &row)? {
            return Ok(MessageStream {
                size_bytes: part.header.len() as u64 + row.body_len,
                header_bytes: part.header.len() as u64,
                header: Bytes::copy_from_slice(part.header),
                file,
                offset,
                left: row.body_len,
                crc: 0,
                crc_expected: row.body_crc,
            });
        }
    }
    Err(StoreError::Damaged(format!("the body of {id} in the queue is missing")))
}

/// What is carried to another segment meanwhile is found when it is looked for again.
const OPEN_TRIES: usize = 3;

/// Reads the envelope and the origin of a message that is in some mailbox or in the queue.
pub(super) fn envelope(shared: &Shared, mail_id: MailId) -> Result<Option<(Envelope, String)>, StoreError> {
    for _ in 0..OPEN_TRIES {
        let reader = shared.view.read()?;
        let row = if reader.lives(mail_id)? { reader.mail(mail_id)? } else { None };
        let Some(MailRow { lsn, .. }) = row else { return Ok(None) };
        let Some(record) = shared.segments.record(lsn)? else { continue };
        let message = Message::decode(&record.meta)?;
        return Ok(Some(envelope::decode(message.envelope)?));
    }
    Err(StoreError::Damaged(format!("the record of message {mail_id} is missing")))
}

/// A body's file, and where in it the body begins.
pub(super) type OpenBody = (Arc<dyn DiskFile>, u64);

/// Opens the file that holds a body; `None` where the file is gone.
pub(super) fn open_body(shared: &Shared, row: &MailRow) -> Result<Option<OpenBody>, StoreError> {
    match row.place {
        BodyPlace::Inline => {
            let offset = row.lsn.offset() + RECORD_HEADER_LEN as u64 + u64::from(row.meta_len);
            Ok(shared.segments.open(row.lsn.segment())?.map(|file| (file, offset)))
        }
        BodyPlace::File(number) => match shared.disk.open(&shared.body_path(number), OpenMode::Existing) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            opened => opened.map(|file| Some((file, 0))).map_err(|e| unavailable("open a body", &e)),
        },
    }
}

impl MessageStream {
    /// The next octets; empty at the end. Waits for the disk where it must.
    pub(super) fn read(&mut self) -> Result<Bytes, StoreError> {
        let n = usize::try_from(self.left.min(CHUNK_BYTES)).unwrap_or(0);
        let header = std::mem::take(&mut self.header);
        let mut chunk = vec![0; header.len() + n];
        let (head, body) = chunk.split_at_mut(header.len());
        head.copy_from_slice(&header);
        // Making room for others costs more than a copy out of memory, where nearly all is that is read.
        let cached =
            self.file.read_cached_at(body, self.offset).map_err(|e| unavailable("read a body", &e))?;
        let (rest, offset) = (&mut body[cached..], self.offset + cached as u64);
        let read = if rest.is_empty() { Ok(()) } else { blocking(|| self.file.read_exact_at(rest, offset)) };
        read.map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => StoreError::Damaged("a body is cut short".into()),
            _ => unavailable("read a body", &e),
        })?;
        self.offset += n as u64;
        self.left -= n as u64;
        self.crc = crc32c::crc32c_append(self.crc, body);
        // The last octets are not given out where the checksum does not agree.
        if n > 0 && self.left == 0 && self.crc != self.crc_expected {
            return Err(StoreError::Damaged("the checksum of a body does not agree".into()));
        }
        Ok(chunk.into())
    }
}

#[async_trait]
impl BodyStream for MessageStream {
    fn size_bytes(&self) -> u64 {
        self.size_bytes
    }

    fn header_bytes(&self) -> u64 {
        self.header_bytes
    }

    async fn next(&mut self) -> Result<Bytes, StoreError> {
        if self.left == 0 && self.header.is_empty() {
            return Ok(Bytes::new());
        }
        self.read()
    }
}
