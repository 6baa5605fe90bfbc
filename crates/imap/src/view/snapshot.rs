//! A mailbox at one moment, and how the next one follows from it.

mod many;

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

impl Message {
    fn is_unseen(&self) -> bool {
        !self.flags.contains(Flags::SEEN)
    }
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
    /// The UID of the first message: who looks for one looks at many chunks.
    first: Uid,
    /// Ascending by UID.
    messages: Arc<[Message]>,
    /// Whether one of them has no `\Seen`: SELECT asks for the first of a mailbox that was read to its end.
    has_unseen: bool,
}

impl Chunk {
    /// Its place is counted later.
    fn new(messages: Arc<[Message]>) -> Self {
        let has_unseen = messages.iter().any(Message::is_unseen);
        let first = messages.first().map_or(Uid(0), |message| message.uid);
        Self { before: 0, first, messages, has_unseen }
    }
}

/// Messages of a chunk, when a snapshot is made.
const CHUNK_MESSAGES: usize = 256;
/// A chunk that grows beyond this is cut.
const CHUNK_MESSAGES_MAX: usize = 2 * CHUNK_MESSAGES;

/// How a snapshot follows from the one before it.
#[derive(Debug, Clone)]
pub enum Delta {
    /// Messages that are new or have other flags, ascending by UID.
    Set(Arc<[Message]>),
    /// Messages have other flags: ranges of UIDs, ascending, from the first to the last of each.
    Flags(ModSeq, Arc<[(Uid, Uid, Flags)]>),
    /// Messages that are gone, ascending.
    Gone(ModSeq, Arc<[Uid]>),
    /// More keywords.
    Keywords(Arc<[String]>),
    /// Something of the mailbox itself is otherwise: its annotations.
    Mailbox(ModSeq),
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
        let chunks = messages.chunks(CHUNK_MESSAGES).map(|messages| Chunk::new(messages.into())).collect();
        let mut snapshot = Self { mailbox, uid_validity, uid_next, highest_modseq, keywords, chunks };
        snapshot.count();
        snapshot
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
        let Some(at) = self.chunks.partition_point(|chunk| chunk.first <= uid).checked_sub(1) else {
            return Err(0);
        };
        let chunk = &self.chunks[at];
        // Where nothing is missing between them, which is so in most chunks, it needs no looking for.
        let near = (uid.0 - chunk.first.0) as usize;
        if chunk.messages.get(near).is_some_and(|message| message.uid == uid) {
            return Ok(chunk.before + near);
        }
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

    /// The place of the first message that has no `\Seen`, from 0.
    #[must_use]
    pub fn first_unseen(&self) -> Option<usize> {
        let chunk = self.chunks.iter().find(|chunk| chunk.has_unseen)?;
        Some(chunk.before + chunk.messages.iter().position(Message::is_unseen)?)
    }

    /// All messages, ascending by UID.
    pub fn iter(&self) -> impl Iterator<Item = &Message> {
        self.chunks.iter().flat_map(|chunk| chunk.messages.iter())
    }

    /// The state that follows by changes in their order. What was not touched is shared with this one.
    #[must_use]
    pub fn with(&self, deltas: &[Delta]) -> Self {
        let mut next = self.clone();
        for delta in deltas {
            match delta {
                Delta::Set(messages) => next.set(messages),
                Delta::Flags(modseq, runs) => next.flag(*modseq, runs),
                Delta::Gone(modseq, uids) => {
                    next.highest_modseq = next.highest_modseq.max(*modseq);
                    next.remove(uids);
                }
                Delta::Keywords(keywords) => next.keywords = Arc::clone(keywords),
                Delta::Mailbox(modseq) => next.highest_modseq = next.highest_modseq.max(*modseq),
            }
        }
        next
    }

    fn set(&mut self, messages: &[Message]) {
        if let Some(last) = messages.last() {
            self.uid_next = self.uid_next.max(Uid(last.uid.0.saturating_add(1)));
        }
        self.highest_modseq =
            messages.iter().map(|message| message.modseq).fold(self.highest_modseq, ModSeq::max);
        let mut rest = messages;
        let mut chunks = Vec::with_capacity(self.chunks.len() + 1);
        for (at, chunk) in self.chunks.iter().enumerate() {
            // The last chunk takes whatever is beyond it.
            let end = match self.chunks.get(at + 1) {
                Some(next) => rest.partition_point(|message| message.uid < next.messages[0].uid),
                None => rest.len(),
            };
            let (here, behind) = rest.split_at(end);
            rest = behind;
            let is_same = |(was, is): (&Message, &Message)| was.uid == is.uid;
            if here.is_empty() {
                chunks.push(chunk.clone());
            } else if here.len() == chunk.messages.len() && chunk.messages.iter().zip(here).all(is_same) {
                chunks.push(Chunk::new(here.into()));
            } else {
                push_chunks(&mut chunks, &merged(&chunk.messages, here));
            }
        }
        push_chunks(&mut chunks, rest);
        self.chunks = chunks;
        self.count();
    }

    fn remove(&mut self, uids: &[Uid]) {
        let mut rest = uids;
        self.chunks.retain_mut(|chunk| {
            let Some(last) = chunk.messages.last() else { return false };
            let (here, behind) = rest.split_at(rest.partition_point(|uid| *uid <= last.uid));
            rest = behind;
            if here.iter().any(|uid| chunk.messages.binary_search_by_key(uid, |message| message.uid).is_ok())
            {
                let stay = |message: &&Message| here.binary_search(&message.uid).is_err();
                *chunk = Chunk::new(chunk.messages.iter().filter(stay).copied().collect());
            }
            !chunk.messages.is_empty()
        });
        self.count();
    }

    fn count(&mut self) {
        let mut before = 0;
        for chunk in &mut self.chunks {
            chunk.before = before;
            before += chunk.messages.len();
        }
    }

    /// Messages from a place on as they lie in memory: what two states have in common is the same memory in both.
    pub(super) fn run(&self, index: usize) -> &[Message] {
        let Some(at) = self.chunks.partition_point(|chunk| chunk.before <= index).checked_sub(1) else {
            return &[];
        };
        let chunk = &self.chunks[at];
        chunk.messages.get(index - chunk.before..).unwrap_or(&[])
    }
}

/// Two lists that ascend by UID, where the second has the last word.
fn merged(old: &[Message], new: &[Message]) -> Vec<Message> {
    let mut all = Vec::with_capacity(old.len() + new.len());
    let mut rest = old;
    for message in new {
        let (before, behind) = rest.split_at(rest.partition_point(|other| other.uid < message.uid));
        all.extend_from_slice(before);
        all.push(*message);
        rest = match behind.first() {
            Some(other) if other.uid == message.uid => &behind[1..],
            _ => behind,
        };
    }
    all.extend_from_slice(rest);
    all
}

/// Adds messages as one chunk, or as several where they are too many for one. Their places are counted later.
fn push_chunks(chunks: &mut Vec<Chunk>, messages: &[Message]) {
    let size = if messages.len() <= CHUNK_MESSAGES_MAX { CHUNK_MESSAGES_MAX } else { CHUNK_MESSAGES };
    chunks.extend(messages.chunks(size).map(|messages| Chunk::new(messages.into())));
}
