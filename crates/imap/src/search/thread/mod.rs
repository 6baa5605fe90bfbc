//! Messages that belong together (RFC 5256 §3, THREAD).

mod references;

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use types::mailstore::Uid;

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

/// Messages of which threads are being made.
#[derive(Debug)]
pub struct Threader {
    algorithm: ThreadAlgorithm,
    messages: Vec<Member>,
}

/// What counts of a message.
#[derive(Debug)]
struct Member {
    uid: Uid,
    sent: i64,
    /// Folded.
    subject: Box<[u8]>,
    is_reply: bool,
    message_id: Option<Id>,
    references: Vec<Id>,
}

/// What a message id is told apart by: so many references take little memory, however long they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Id(u64, u64);

impl Id {
    fn of(message_id: &[u8]) -> Self {
        let hash = |salt: u8| {
            let mut hasher = DefaultHasher::new();
            (salt, message_id).hash(&mut hasher);
            hasher.finish()
        };
        Self(hash(0), hash(1))
    }
}

impl Threader {
    /// By an algorithm.
    #[must_use]
    pub const fn new(algorithm: ThreadAlgorithm) -> Self {
        Self { algorithm, messages: Vec::new() }
    }

    /// The next message, in the order of the mailbox.
    pub fn push(&mut self, message: &Message, header: &HeaderFacts<'_>) {
        let is_by_references = self.algorithm == ThreadAlgorithm::References;
        let references = header.references().filter(|_| is_by_references).map(Id::of).collect();
        let subject = &header.base_subject[..header.base_subject.len().min(TEXT_BYTES_MAX)];
        self.messages.push(Member {
            uid: message.uid,
            sent: sent_seconds(message, header),
            subject: subject.into(),
            is_reply: header.is_reply_or_forward,
            message_id: (!header.message_id.is_empty()).then(|| Id::of(header.message_id)),
            references,
        });
    }

    /// The threads, in order.
    #[must_use]
    pub fn finish(self) -> Vec<Thread> {
        match self.algorithm {
            ThreadAlgorithm::OrderedSubject => by_subject(&self.messages),
            ThreadAlgorithm::References => references::threads(&self.messages),
        }
    }
}

/// ORDEREDSUBJECT: those with the same base subject, the first sent before the others.
fn by_subject(messages: &[Member]) -> Vec<Thread> {
    let mut order: Vec<usize> = (0..messages.len()).collect();
    let key = |at: &usize| (&messages[*at].subject, messages[*at].sent, *at);
    order.sort_unstable_by(|a, b| key(a).cmp(&key(b)));
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
