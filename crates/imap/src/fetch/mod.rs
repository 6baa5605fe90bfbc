//! FETCH while it runs: what is known is written at once, what is not is asked for.

use std::sync::Arc;

use types::mailstore::{ModSeq, Uid};

use crate::command::FetchItem;
use crate::session::{Refusal, Structures};
use crate::view::View;

/// What is to be told.
#[derive(Debug, Clone)]
pub struct FetchRequest {
    /// The mailbox as the client knows it.
    pub view: Arc<View>,
    /// Sequence numbers, from and to, ascending.
    pub ranges: Vec<(u32, u32)>,
    /// What was asked, in order.
    pub items: Vec<FetchItem>,
    /// Only messages that changed later (RFC 7162 §3.1.4.1).
    pub changed_since: Option<ModSeq>,
    /// How messages are called.
    pub shown: ShownAs,
    /// UID belongs to each answer: the command was UID FETCH.
    pub with_uid: bool,
    /// MODSEQ belongs to each answer that has FLAGS.
    pub with_modseq: bool,
    /// FLAGS belongs to each answer: this FETCH set `\Seen`.
    pub flags_changed: bool,
    /// Quoted strings may hold UTF-8.
    pub utf8: bool,
}

/// How messages are called in answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShownAs {
    /// `* 12 FETCH`
    Sequence,
    /// `* 34 UIDFETCH` (RFC 9586)
    UidOnly,
}

/// What is needed next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchNext {
    /// There is much output: write it out, then go on.
    Flush,
    /// Structures of these messages; answer with [`Fetching::structures`].
    Structures(Vec<Uid>),
    /// Octets of a message; feed them to [`Fetching::content`], then say [`Fetching::content_end`].
    Content {
        /// Which.
        uid: Uid,
        /// The first octet, from the delivery's own header fields on.
        from: u64,
        /// How many; never zero.
        len: u64,
    },
    /// All is told.
    Done {
        /// Messages that are gone or damaged, or of which something could not be read.
        missing: u32,
        /// BINARY was asked of a part whose transfer encoding is not known (RFC 3516 §4.3).
        unknown_encoding: bool,
    },
    /// A message ended in the middle of a literal: only closing is honest.
    Broken,
}

/// A FETCH that runs.
#[derive(Debug)]
pub struct Fetching {
    request: FetchRequest,
}

impl Fetching {
    /// Nothing is told yet.
    #[must_use]
    pub fn new(request: FetchRequest) -> Self {
        Self { request }
    }

    /// Writes what can be, and says what is needed for more.
    pub fn proceed(&mut self, out: &mut Vec<u8>) -> FetchNext {
        let _ = (&self.request, out);
        FetchNext::Done { missing: 0, unknown_encoding: false }
    }

    /// What [`FetchNext::Structures`] asked for, in its order.
    pub fn structures(&mut self, structures: Structures) {
        drop(structures);
    }

    /// Octets of what [`FetchNext::Content`] asked for, in pieces of any size.
    pub fn content(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let _ = (octets, out);
    }

    /// They are all there, or there will be no more.
    pub fn content_end(&mut self, end: Result<(), Refusal>) {
        let _ = end;
    }

    /// Messages that are done, and of how many.
    #[must_use]
    pub fn progress(&self) -> (u32, u32) {
        (0, 0)
    }
}
