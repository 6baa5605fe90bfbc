//! Messages on their way out.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use imap::session::{OUTPUT_BYTES_SOFT_MAX, Refusal};
use store::{BodyStream, MailboxId, StoreError, Uid};

use super::Driver;
use super::login::Selected;

/// A message that is read, and how far it was.
pub(super) struct Reading {
    mailbox: MailboxId,
    uid: Uid,
    /// Nobody shares it; a driver that can be looked at from two threads needs the lock.
    stream: Mutex<Box<dyn BodyStream>>,
    /// Where `left` begins.
    at: u64,
    /// What was read and not used.
    left: Bytes,
}

/// Messages that are going to be asked for: who fetches many has them opened together.
#[derive(Default)]
pub(super) struct Ahead {
    /// What was opened last.
    last: Option<(MailboxId, Uid)>,
    /// What follows it. The lock is as that of [`Reading`].
    opened: Mutex<VecDeque<(Uid, Box<dyn BodyStream>)>>,
}

/// So many messages are opened together at most; the store opens no more than fit its memory for that.
const AHEAD_MESSAGES: usize = 32;

/// A client that fetches a message in pieces reads it once, where it is larger than this; others are opened again.
const KEPT_FROM_BYTES: u64 = 256 * 1024;

/// Room for output while messages are written, so that it does not grow step by step after each write.
const OUTPUT_BYTES: usize = 2 * OUTPUT_BYTES_SOFT_MAX;

impl Reading {
    /// The next octets from `from` on; empty at the end.
    async fn next(&mut self, from: u64) -> Result<Bytes, StoreError> {
        loop {
            let end = self.at + self.left.len() as u64;
            if from < end {
                let passed = usize::try_from(from.saturating_sub(self.at)).unwrap_or(usize::MAX);
                return Ok(std::mem::take(&mut self.left).split_off(passed));
            }
            self.at = end;
            self.left = self.stream().next().await?;
            if self.left.is_empty() {
                return Ok(Bytes::new());
            }
        }
    }

    fn stream(&mut self) -> &mut dyn BodyStream {
        &mut **self.stream.get_mut().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts back what was not used; it ended at `end`.
    fn put_back(&mut self, octets: Bytes, end: u64) {
        self.at = end;
        self.left = octets;
    }
}

impl Driver {
    /// Streams octets of a message of the selected mailbox; false where the connection is of no more use.
    pub(super) async fn content(&mut self, uid: Uid, from: u64, len: u64) -> bool {
        self.look_again().await;
        let result = match self.open(uid, from).await {
            Err(refusal) => Err(refusal),
            Ok(mut reading) => {
                let Some(result) = self.stream(&mut reading, from, len).await else { return false };
                if result.is_ok() && reading.stream().size_bytes() > KEPT_FROM_BYTES {
                    self.reading = Some(reading);
                }
                result
            }
        };
        self.session.content_end(result);
        true
    }

    /// What of a message is read where it was left, or from its beginning.
    async fn open(&mut self, uid: Uid, from: u64) -> Result<Box<Reading>, Refusal> {
        let mailbox = self.selected()?.model.mailbox();
        if let Some(reading) = self.reading.take()
            && (reading.mailbox, reading.uid) == (mailbox, uid)
            && reading.at <= from
        {
            return Ok(reading);
        }
        let stream = self.open_next(mailbox, uid).await?;
        Ok(Box::new(Reading { mailbox, uid, stream: Mutex::new(stream), at: 0, left: Bytes::new() }))
    }

    /// Opens a message; with it those behind it, where it follows the one that was opened last.
    async fn open_next(&mut self, mailbox: MailboxId, uid: Uid) -> Result<Box<dyn BodyStream>, Refusal> {
        // Where something fails it begins anew.
        let mut ahead = self.ahead.take().unwrap_or_default();
        let before = ahead.last.replace((mailbox, uid));
        let opened = ahead.opened.get_mut().unwrap_or_else(PoisonError::into_inner);
        let next =
            opened.pop_front().filter(|(next, _)| before.map(|(of, _)| of) == Some(mailbox) && *next == uid);
        let stream = if let Some((_, stream)) = next {
            stream
        } else {
            let uids = self.following(before, uid)?;
            let streams =
                self.shared.store.open_some(mailbox, &uids).await.map_err(|why| self.refusal(&why))?;
            let mut streams = uids.into_iter().zip(streams);
            let (_, stream) = streams.next().ok_or(Refusal::MessageGone)?;
            *opened = streams.collect();
            stream
        };
        self.ahead = Some(ahead);
        Ok(stream)
    }

    /// A message, and those behind it where it follows the one that was opened `before`.
    fn following(&self, before: Option<(MailboxId, Uid)>, uid: Uid) -> Result<Vec<Uid>, Refusal> {
        let Selected { model, told, .. } = self.selected()?;
        let place = told.position(uid).ok();
        let last = place.and_then(|place| told.get(place.checked_sub(1)?));
        match (place, last) {
            (Some(place), Some(last)) if before == Some((model.mailbox(), last.uid)) => {
                let behind = (place..place + AHEAD_MESSAGES).map_while(|at| told.get(at));
                Ok(behind.map(|message| message.uid).collect())
            }
            _ => Ok(vec![uid]),
        }
    }

    /// None where the client is gone.
    async fn stream(
        &mut self,
        reading: &mut Reading,
        mut from: u64,
        len: u64,
    ) -> Option<Result<(), Refusal>> {
        let end = from.saturating_add(len);
        self.session.output().reserve(OUTPUT_BYTES);
        while from < end {
            let mut octets = match reading.next(from).await {
                Ok(octets) if octets.is_empty() => return Some(Err(Refusal::Damaged)),
                Ok(octets) => octets,
                Err(why) => return Some(Err(self.refusal(&why))),
            };
            let wanted = usize::try_from(end - from).unwrap_or(usize::MAX);
            let rest = if octets.len() > wanted { octets.split_off(wanted) } else { Bytes::new() };
            from += octets.len() as u64;
            reading.put_back(rest, from);
            self.session.content(&octets);
            if self.session.output().len() >= OUTPUT_BYTES_SOFT_MAX && !self.send().await {
                return None;
            }
        }
        Some(Ok(()))
    }
}
