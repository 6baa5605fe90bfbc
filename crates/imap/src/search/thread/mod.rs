//! Messages that belong together (RFC 5256 §3, THREAD).

mod references;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::num::NonZeroU64;
use std::ops::Range;

use types::mailstore::Uid;

use super::column::Column;
use super::header_facts::HeaderFacts;
use super::sort::{TEXT_BYTES_MAX, sent_seconds};
use crate::command::ThreadAlgorithm;
use crate::view::Message;

/// Messages that belong together (RFC 5256 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thread {
    /// None where the message that the others answer is not among those found.
    pub uid: Option<Uid>,
    /// Answers to it, in order.
    pub children: Vec<Self>,
}

/// Messages within messages, at most: what answers the last one is told as answering the one before it. Threads of people are
/// not as deep, and whoever reads them follows them by recursion.
pub const THREAD_DEPTH_MAX: usize = 250;

/// What counts of a message.
#[derive(Debug)]
struct Member {
    uid: Uid,
    sent: i64,
    /// The base subject; none where it is empty.
    subject: Option<Id>,
    is_reply: bool,
    message_id: Option<Id>,
    /// Places in [`Threader::references`].
    references: Range<usize>,
}

/// Messages of which threads are being made.
#[derive(Debug)]
pub struct Threader {
    algorithm: ThreadAlgorithm,
    messages: Vec<Member>,
    /// Of all messages, one after the other.
    references: Vec<Id>,
}

/// What a message id is told apart by, or a subject: so many of them take little memory, however long they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Id(NonZeroU64, u64);

impl Id {
    fn of(message_id: &[u8]) -> Self {
        let hash = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, message_id).hash(&mut hasher);
            hasher.finish()
        };
        Self(NonZeroU64::MIN | hash(0), hash(1))
    }

    fn from_bytes(bytes: &[u8; 16]) -> Self {
        let number = u128::from_le_bytes(*bytes);
        Self(NonZeroU64::MIN | number as u64, (number >> 64) as u64)
    }
}

/// Of the cells of [`Column::Thread`]:
///
/// ```text
/// cell = flags sent [subject] [message-id] *reference    ; OCTET, i64 and ids of 16 octets, little-endian
/// ```
const IS_REPLY: u8 = 1;
const HAS_SUBJECT: u8 = 2;
const HAS_MESSAGE_ID: u8 = 4;

pub(super) fn write_cell(message: &Message, header: &HeaderFacts<'_>, out: &mut Vec<u8>) {
    let subject = &header.base_subject[..header.base_subject.len().min(TEXT_BYTES_MAX)];
    let flag = |condition: bool, flag: u8| if condition { flag } else { 0 };
    out.push(
        flag(header.is_reply_or_forward, IS_REPLY)
            | flag(!subject.is_empty(), HAS_SUBJECT)
            | flag(!header.message_id.is_empty(), HAS_MESSAGE_ID),
    );
    out.extend_from_slice(&sent_seconds(message, header).to_le_bytes());
    let texts = [subject, header.message_id].into_iter().filter(|text| !text.is_empty());
    for text in texts.chain(header.references()) {
        let Id(low, high) = Id::of(text);
        out.extend_from_slice(&low.get().to_le_bytes());
        out.extend_from_slice(&high.to_le_bytes());
    }
}

impl Threader {
    /// By an algorithm.
    #[must_use]
    pub const fn new(algorithm: ThreadAlgorithm) -> Self {
        Self { algorithm, messages: Vec::new(), references: Vec::new() }
    }

    /// So many messages are going to come.
    pub fn reserve(&mut self, count: usize) {
        self.messages.reserve_exact(count);
    }

    /// What is needed of headers.
    #[must_use]
    pub const fn columns(&self) -> &[Column] {
        &[Column::Thread]
    }

    /// The next message, in the order of the mailbox, of which no cells are kept.
    pub fn push(&mut self, message: &Message, header: &HeaderFacts<'_>) {
        self.push_cells(message, &[&Column::Thread.cell(message, header)]);
    }

    /// The next message, in the order of the mailbox, with its cells of [`Self::columns`].
    pub fn push_cells(&mut self, message: &Message, cells: &[&[u8]]) {
        let cell = cells.first().copied().unwrap_or_default();
        let (flags, rest) = cell.split_first().unwrap_or((&0, &[]));
        let (sent, rest) = rest.split_first_chunk().unwrap_or((&[0; 8], &[]));
        let mut ids = rest.as_chunks().0.iter().map(Id::from_bytes);
        let mut next = |flag| (flags & flag != 0).then(|| ids.next()).flatten();
        let (subject, message_id) = (next(HAS_SUBJECT), next(HAS_MESSAGE_ID));
        let from = self.references.len();
        if self.algorithm == ThreadAlgorithm::References {
            self.references.extend(ids);
        }
        self.messages.push(Member {
            uid: message.uid,
            sent: i64::from_le_bytes(*sent),
            subject,
            is_reply: flags & IS_REPLY != 0,
            message_id,
            references: from..self.references.len(),
        });
    }

    /// The threads, in order.
    #[must_use]
    pub fn finish(self) -> Vec<Thread> {
        match self.algorithm {
            ThreadAlgorithm::OrderedSubject => by_subject(&self.messages),
            ThreadAlgorithm::References => references::threads(&self.messages, &self.references),
        }
    }
}

/// ORDEREDSUBJECT: those with the same base subject, the first sent before the others.
fn by_subject(messages: &[Member]) -> Vec<Thread> {
    let mut order: Vec<usize> = (0..messages.len()).collect();
    let key = |at: &usize| (messages[*at].subject, messages[*at].sent, *at);
    order.sort_unstable_by_key(key);
    let mut threads: Vec<&[usize]> =
        order.chunk_by(|a, b| messages[*a].subject == messages[*b].subject).collect();
    threads.sort_unstable_by_key(|thread| (messages[thread[0]].sent, thread[0]));
    let leaf = |at: &usize| Thread { uid: Some(messages[*at].uid), children: Vec::new() };
    let of =
        |thread: &&[usize]| Thread { children: thread[1..].iter().map(leaf).collect(), ..leaf(&thread[0]) };
    threads.iter().map(of).collect()
}

#[cfg(test)]
mod tests;
