//! A mailbox at one moment ([`Snapshot`], shared by all sessions that have it open), and what one client knows of it.

use std::sync::Arc;

use types::mailstore::{Flags, MailboxId, ModSeq, Uid, UidValidity};
use types::{MailId, Timestamp};

/// What FETCH tells of a message without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// UID
    pub uid: Uid,
    /// FLAGS, keywords at the places of [`Snapshot::keywords`].
    pub flags: Flags,
    /// MODSEQ
    pub modseq: ModSeq,
    /// RFC822.SIZE
    pub size_bytes: u64,
    /// INTERNALDATE
    pub internal_date: Timestamp,
    /// SAVEDATE
    pub saved_at: Timestamp,
    /// EMAILID is made of it.
    pub mail_id: MailId,
}

/// A mailbox at one moment: never changed, cheap to make another one of that differs a little.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// Which.
    pub mailbox: MailboxId,
    /// UIDVALIDITY
    pub uid_validity: UidValidity,
    /// UIDNEXT
    pub uid_next: Uid,
    /// HIGHESTMODSEQ
    pub highest_modseq: ModSeq,
    /// Keywords at their places, as [`Flags::keyword`] counts them.
    pub keywords: Arc<[String]>,
    /// None is empty.
    chunks: Vec<Chunk>,
}

#[derive(Debug, Clone)]
struct Chunk {
    /// Messages in the chunks before.
    before: usize,
    /// Ascending by UID.
    messages: Arc<[Message]>,
}

/// Messages of a chunk, when a snapshot is made.
const CHUNK_MESSAGES: usize = 256;

/// How a snapshot follows from the one before it.
#[derive(Debug, Clone)]
pub enum Delta {
    /// Messages that are new or have other flags, ascending by UID.
    Set(Arc<[Message]>),
    /// Messages that are gone, ascending.
    Gone(ModSeq, Arc<[Uid]>),
    /// More keywords.
    Keywords(Arc<[String]>),
}

impl Snapshot {
    /// Of messages that ascend by UID.
    #[must_use]
    pub fn new(
        mailbox: MailboxId,
        uid_validity: UidValidity,
        uid_next: Uid,
        highest_modseq: ModSeq,
        keywords: Arc<[String]>,
        messages: &[Message],
    ) -> Self {
        let chunks = messages
            .chunks(CHUNK_MESSAGES)
            .enumerate()
            .map(|(at, messages)| Chunk { before: at * CHUNK_MESSAGES, messages: messages.into() })
            .collect();
        Self { mailbox, uid_validity, uid_next, highest_modseq, keywords, chunks }
    }

    /// Messages.
    #[must_use]
    pub fn len(&self) -> usize {
        self.chunks.last().map_or(0, |chunk| chunk.before + chunk.messages.len())
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chunks.is_empty()
    }

    /// The message at a place, from 0.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&Message> {
        let chunk = self.chunks.partition_point(|chunk| chunk.before <= index).checked_sub(1)?;
        let chunk = &self.chunks[chunk];
        chunk.messages.get(index - chunk.before)
    }

    /// The place of a UID, from 0; where there is none, `Err` with the place that it would have.
    ///
    /// # Errors
    /// The place, as of `binary_search`.
    pub fn position(&self, uid: Uid) -> Result<usize, usize> {
        let Some(at) = self.chunks.partition_point(|chunk| chunk.messages[0].uid <= uid).checked_sub(1)
        else {
            return Err(0);
        };
        let chunk = &self.chunks[at];
        match chunk.messages.binary_search_by_key(&uid, |message| message.uid) {
            Ok(place) => Ok(chunk.before + place),
            Err(place) => Err(chunk.before + place),
        }
    }

    /// The message of a UID.
    #[must_use]
    pub fn find(&self, uid: Uid) -> Option<&Message> {
        self.get(self.position(uid).ok()?)
    }

    /// All messages, ascending by UID.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.chunks.iter().flat_map(|chunk| chunk.messages.iter())
    }
}

/// What one client knows of a mailbox: which messages it was told of, under which numbers.
///
/// Messages that are gone keep their number until the client is told; those that came get one when it is told.
#[derive(Debug, Clone)]
pub struct View {
    /// The newest state that was taken over.
    pub snapshot: Arc<Snapshot>,
}
