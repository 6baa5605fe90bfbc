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
use super::view::{MailRow, Reader};
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
    /// The whole body, where it was read before.
    ahead: Option<Bytes>,
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
        if let Some(stream) = open_at(shared, &reader, mailbox, uid)? {
            return Ok(stream);
        }
    }
    Err(StoreError::Damaged(format!("the body of message {uid} of mailbox {mailbox} is missing")))
}

/// Opens the first of some messages, and those behind it as far as they fit one reading: these are found at one moment of
/// the view, which may be later than that of the first. What of all stands together in the log is read at once.
pub(super) fn open_some(
    shared: &Shared,
    mailbox: MailboxId,
    uids: &[Uid],
) -> Result<Vec<MessageStream>, StoreError> {
    let Some((first, rest)) = uids.split_first() else { return Ok(Vec::new()) };
    let mut streams = vec![open(shared, mailbox, *first)?];
    let mut size_bytes = streams[0].size_bytes;
    // The first is open, whatever becomes of the others.
    let Ok(reader) = shared.view.read() else { return Ok(streams) };
    for uid in rest {
        // What fails is told to who opens it by itself.
        let Ok(Some(stream)) = open_at(shared, &reader, mailbox, *uid) else { break };
        size_bytes += stream.size_bytes;
        if size_bytes > CHUNK_BYTES {
            break;
        }
        streams.push(stream);
    }
    read_ahead(&mut streams);
    Ok(streams)
}

/// Opens a message as the view has it; `None` where its body has moved since.
fn open_at(
    shared: &Shared,
    reader: &Reader,
    mailbox: MailboxId,
    uid: Uid,
) -> Result<Option<MessageStream>, StoreError> {
    let entry = reader.entry(mailbox, uid)?.ok_or(StoreError::NoSuchMessage)?;
    let missing = || StoreError::Damaged(format!("message {} has no record", entry.state.mail_id));
    let row = reader.mail(entry.state.mail_id)?.ok_or_else(missing)?;
    let Some((file, offset)) = open_body(shared, &row)? else { return Ok(None) };
    Ok(Some(MessageStream {
        size_bytes: entry.header.len() as u64 + row.body_len,
        header_bytes: entry.header.len() as u64,
        header: entry.header.into(),
        file,
        offset,
        left: row.body_len,
        ahead: None,
        crc: 0,
        crc_expected: row.body_crc,
    }))
}

/// Reads bodies that stand near each other in one file at once. One that cannot be read so is read by itself later.
fn read_ahead(streams: &mut [MessageStream]) {
    let mut at = 0;
    while at < streams.len() {
        let (file, start) = (Arc::clone(&streams[at].file), streams[at].offset);
        let is_near = |stream: &MessageStream, end: u64| {
            Arc::ptr_eq(&stream.file, &file)
                && stream.offset >= end
                && stream.offset + stream.left - start <= CHUNK_BYTES
        };
        let (mut count, mut end) = (0, start);
        for stream in &streams[at..] {
            if !is_near(stream, end) {
                break;
            }
            (count, end) = (count + 1, stream.offset + stream.left);
        }
        let together = &mut streams[at..at + count.max(1)];
        at += together.len();
        if count < 2 {
            continue;
        }
        let mut octets = vec![0; usize::try_from(end - start).unwrap_or(0)];
        if read_exact_at(&*file, &mut octets, start).is_err() {
            continue;
        }
        let octets = Bytes::from(octets);
        for stream in together {
            let place = |at: u64| usize::try_from(at - start).unwrap_or(usize::MAX);
            stream.ahead = Some(octets.slice(place(stream.offset)..place(stream.offset + stream.left)));
        }
    }
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
                ahead: None,
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
        if let Some(body) = self.ahead.take() {
            return self.read_before(body);
        }
        let n = usize::try_from(self.left.min(CHUNK_BYTES)).unwrap_or(0);
        let header = std::mem::take(&mut self.header);
        let mut chunk = vec![0; header.len() + n];
        let (head, body) = chunk.split_at_mut(header.len());
        head.copy_from_slice(&header);
        read_exact_at(&*self.file, body, self.offset).map_err(|e| match e.kind() {
            std::io::ErrorKind::UnexpectedEof => StoreError::Damaged("a body is cut short".into()),
            _ => unavailable("read a body", &e),
        })?;
        self.offset += n as u64;
        self.left -= n as u64;
        self.crc = crc32c::crc32c_append(self.crc, body);
        self.verify(n)?;
        Ok(chunk.into())
    }

    /// The header fields, and then the body, which was read before.
    fn read_before(&mut self, body: Bytes) -> Result<Bytes, StoreError> {
        if !self.header.is_empty() {
            self.ahead = Some(body);
            return Ok(std::mem::take(&mut self.header));
        }
        self.left = 0;
        self.crc = crc32c::crc32c(&body);
        self.verify(body.len())?;
        Ok(body)
    }

    /// The last octets are not given out where the checksum does not agree.
    fn verify(&self, read: usize) -> Result<(), StoreError> {
        if read > 0 && self.left == 0 && self.crc != self.crc_expected {
            return Err(StoreError::Damaged("the checksum of a body does not agree".into()));
        }
        Ok(())
    }
}

/// Reads octets of a file. Making room for others costs more than a copy out of memory, where nearly all is that is read.
fn read_exact_at(file: &dyn DiskFile, octets: &mut [u8], offset: u64) -> std::io::Result<()> {
    let cached = file.read_cached_at(octets, offset)?;
    let (rest, offset) = (&mut octets[cached..], offset + cached as u64);
    if rest.is_empty() { Ok(()) } else { blocking(|| file.read_exact_at(rest, offset)) }
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
