//! FETCH while it runs: what is known is written at once, what is not is asked for.
//!
//! Items are written in the order in which they were asked for. What stands in the mailbox's snapshot needs nothing more;
//! the rest needs the structures of messages, which come by the hundred, and octets of them, read once for all items that
//! lie near one another and never held where they are many.
//!
//! Standards: RFC 9051 §6.4.5 and §7.5.2, RFC 3516, RFC 7162, RFC 8474, RFC 8514, RFC 8970, RFC 9586.

pub(crate) mod filter;
pub(crate) mod item;
mod picked;
mod piece;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use types::mailstore::{ModSeq, Uid};

pub use self::picked::PickedFields;
use self::piece::{How, Piece, Stream, StreamEnd};
use crate::command::FetchItem;
use crate::mime::{Described, Detail, StringForm};
use crate::response;
use crate::session::{Refusal, Structures};
use crate::view::{Message, View};

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
    /// So much of the structures of these messages; answer with [`Fetching::structures`].
    Structures(Vec<Uid>, Detail),
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
    form: StringForm,
    /// What is needed of structures.
    detail: Option<Detail>,
    /// The range that is told, and the number in it that is next.
    range: usize,
    next_seq: u32,
    /// Messages of which enough is known, in order; those that wait for that.
    ready: VecDeque<Told>,
    asked: Vec<Told>,
    current: Option<Current>,
    /// How the reading that was asked for ended.
    ended: Option<Result<(), Refusal>>,
    done: u32,
    of: u32,
    missing: u32,
    unknown_encoding: bool,
    /// The highest MODSEQ that was told.
    told_modseq: ModSeq,
    is_broken: bool,
}

/// A message of the answer.
#[derive(Debug, Clone)]
struct Told {
    seq: u32,
    message: Message,
    described: Option<Described>,
}

/// The message that is written.
#[derive(Debug)]
struct Current {
    told: Told,
    /// The next item.
    item: usize,
    /// Nothing was written of it.
    is_first: bool,
    reading: Reading,
}

/// Where the octets of content come from.
#[derive(Debug)]
enum Reading {
    /// Nothing was asked for yet.
    Idle,
    /// All that is needed of the message is read at once.
    Window { from: u64, len: u64, octets: Vec<u8> },
    /// It is here.
    Read { from: u64, octets: Vec<u8> },
    /// It could not be read.
    Unreadable,
    /// One item is written as its octets come.
    Stream(Box<Stream>),
}

/// Output after which it is written out.
const OUTPUT_BYTES: usize = 32 << 10;
/// Messages from which on room for so much output is made at once.
const MANY_MESSAGES: u32 = 64;
/// Structures that are asked for at a time: what is kept of so many is near to the processor while it is written.
const STRUCTURES: usize = 128;
/// Octets of one message that are held, so that several items are written of one reading.
const WINDOW_BYTES_MAX: u64 = 64 << 10;

impl Fetching {
    /// Nothing is told yet.
    #[must_use]
    pub fn new(mut request: FetchRequest) -> Self {
        let items = &mut request.items;
        if request.with_uid && request.shown == ShownAs::Sequence && !items.contains(&FetchItem::Uid) {
            items.insert(0, FetchItem::Uid);
        }
        if request.flags_changed && !items.contains(&FetchItem::Flags) {
            items.push(FetchItem::Flags);
        }
        if request.with_modseq && !items.contains(&FetchItem::ModSeq) {
            items.push(FetchItem::ModSeq);
        }
        let detail = items.iter().filter_map(item::detail).reduce(Detail::and);
        let of = request.ranges.iter().map(|(from, to)| to - from + 1).fold(0, u32::saturating_add);
        let next_seq = request.ranges.first().map_or(0, |range| range.0);
        Self {
            form: if request.utf8 { StringForm::Utf8 } else { StringForm::Ascii },
            request,
            detail,
            range: 0,
            next_seq,
            ready: VecDeque::new(),
            asked: Vec::new(),
            current: None,
            ended: None,
            done: 0,
            of,
            missing: 0,
            unknown_encoding: false,
            told_modseq: ModSeq(0),
            is_broken: false,
        }
    }

    /// Writes what can be, and says what is needed for more.
    pub fn proceed(&mut self, out: &mut Vec<u8>) -> FetchNext {
        if let Some(end) = self.ended.take() {
            self.end_reading(end, out);
        }
        if out.is_empty() && self.of.saturating_sub(self.done) > MANY_MESSAGES {
            out.reserve(OUTPUT_BYTES + OUTPUT_BYTES / 4);
        }
        loop {
            if self.is_broken {
                return FetchNext::Broken;
            }
            if out.len() > OUTPUT_BYTES {
                return FetchNext::Flush;
            }
            if let Some(next) = self.write_current(out) {
                return next;
            }
            if let Some(told) = self.ready.pop_front() {
                self.begin(told, out);
                continue;
            }
            let wanted = if self.detail.is_some() { STRUCTURES } else { 1 };
            while self.asked.len() < wanted
                && let Some(told) = self.next_message()
            {
                self.asked.push(told);
            }
            if self.asked.is_empty() {
                return FetchNext::Done { missing: self.missing, unknown_encoding: self.unknown_encoding };
            }
            if let Some(detail) = self.detail {
                let uids = self.asked.iter().map(|told| told.message.uid).collect();
                return FetchNext::Structures(uids, detail);
            }
            self.ready.extend(self.asked.drain(..));
        }
    }

    /// What [`FetchNext::Structures`] asked for, in its order.
    pub fn structures(&mut self, structures: Structures) {
        let mut structures = structures.into_iter();
        for told in self.asked.drain(..) {
            match structures.next().flatten() {
                Some(described) => self.ready.push_back(Told { described: Some(described), ..told }),
                None if self.detail == Some(Detail::AtHand) => self.ready.push_back(told),
                None => {
                    self.missing += 1;
                    self.done += 1;
                }
            }
        }
    }

    /// Octets of what [`FetchNext::Content`] asked for, in pieces of any size.
    pub fn content(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        let Some(current) = &mut self.current else { return };
        match &mut current.reading {
            Reading::Window { len, octets: read, .. } => {
                let room = usize::try_from(*len).unwrap_or(usize::MAX).saturating_sub(read.len());
                read.extend_from_slice(&octets[..octets.len().min(room)]);
            }
            Reading::Stream(stream) => stream.feed(octets, out),
            Reading::Idle | Reading::Read { .. } | Reading::Unreadable => {}
        }
    }

    /// They are all there, or there will be no more.
    pub fn content_end(&mut self, end: Result<(), Refusal>) {
        self.ended = Some(end);
    }

    /// What was read is written, or is there to be written of.
    fn end_reading(&mut self, end: Result<(), Refusal>, out: &mut Vec<u8>) {
        let Some(current) = &mut self.current else { return };
        current.reading = match std::mem::replace(&mut current.reading, Reading::Idle) {
            Reading::Window { from, len, octets } if end.is_ok() && octets.len() as u64 == len => {
                Reading::Read { from, octets }
            }
            Reading::Window { .. } => {
                self.missing += 1;
                Reading::Unreadable
            }
            Reading::Stream(stream) => match stream.end(out) {
                StreamEnd::Done => {
                    current.item += 1;
                    Reading::Idle
                }
                StreamEnd::Nothing => {
                    self.missing += 1;
                    current.item += 1;
                    Reading::Unreadable
                }
                StreamEnd::Again(stream) => Reading::Stream(Box::new(stream)),
                StreamEnd::Broken => {
                    self.is_broken = true;
                    Reading::Unreadable
                }
            },
            reading => reading,
        };
    }

    /// Whether no response is half written.
    #[must_use]
    pub const fn is_between_messages(&self) -> bool {
        self.current.is_none()
    }

    /// Tells no message behind the one that is being written.
    pub fn end_behind_message(&mut self) {
        self.ready.clear();
        self.asked.clear();
        self.range = self.request.ranges.len();
    }

    /// The highest MODSEQ that was told; zero where none was.
    #[must_use]
    pub const fn told_modseq(&self) -> ModSeq {
        self.told_modseq
    }

    /// Messages that are done, and of how many.
    #[must_use]
    pub fn progress(&self) -> (u32, u32) {
        (self.done, self.of)
    }

    /// The next message that is told, not described.
    fn next_message(&mut self) -> Option<Told> {
        loop {
            let (_, to) = *self.request.ranges.get(self.range)?;
            let seq = self.next_seq;
            if seq < to {
                self.next_seq += 1;
            } else {
                self.range += 1;
                self.next_seq = self.request.ranges.get(self.range).map_or(0, |range| range.0);
            }
            match self.request.view.message(seq) {
                None => self.missing += 1,
                Some(message) if self.request.changed_since.is_none_or(|since| message.modseq > since) => {
                    return Some(Told { seq, message: *message, described: None });
                }
                Some(_) => {}
            }
            self.done += 1;
        }
    }

    fn begin(&mut self, told: Told, out: &mut Vec<u8>) {
        out.extend_from_slice(b"* ");
        match self.request.shown {
            ShownAs::Sequence => {
                response::number(u64::from(told.seq), out);
                out.extend_from_slice(b" FETCH (");
            }
            ShownAs::UidOnly => {
                response::number(u64::from(told.message.uid.0), out);
                out.extend_from_slice(b" UIDFETCH (");
            }
        }
        self.current = Some(Current { told, item: 0, is_first: true, reading: Reading::Idle });
    }

    /// Writes items until octets are needed, or the message is done.
    fn write_current(&mut self, out: &mut Vec<u8>) -> Option<FetchNext> {
        let current = self.current.as_mut()?;
        let described = current.told.described.as_ref();
        if let Reading::Stream(stream) = &current.reading {
            // It is to be read once more.
            return Some(content(&current.told, &stream.range()));
        }
        while let Some(item) = self.request.items.get(current.item) {
            match item {
                FetchItem::Content(body) => {
                    let piece = Piece::of(body, current.told.message.size_bytes, described);
                    if matches!((&piece, &current.reading), (Piece::Octets(_), Reading::Idle)) {
                        return Some(current.ask(&self.request.items, piece, out));
                    }
                    separate(&mut current.is_first, out);
                    item::write_name(body, out);
                    self.unknown_encoding |= matches!(piece, Piece::UnknownEncoding);
                    current.write_piece(piece, out);
                }
                FetchItem::BinarySize(path) => {
                    let structure = described.and_then(Described::whole);
                    let part = structure.and_then(|structure| structure.part(path));
                    match part.map_or(Some(0), |part| part.decoded_bytes()) {
                        Some(size_bytes) => {
                            separate(&mut current.is_first, out);
                            item::write_binary_size(path, size_bytes, out);
                        }
                        // A number is due (RFC 3516 §7), and none is known.
                        None => self.unknown_encoding = true,
                    }
                }
                item => {
                    separate(&mut current.is_first, out);
                    if *item == FetchItem::ModSeq {
                        self.told_modseq = self.told_modseq.max(current.told.message.modseq);
                    }
                    let snapshot = &self.request.view.snapshot;
                    item::write(item, snapshot, &current.told.message, described, self.form, out);
                }
            }
            current.item += 1;
        }
        if current.is_first {
            // One item is due at least.
            let snapshot = &self.request.view.snapshot;
            item::write(&FetchItem::Uid, snapshot, &current.told.message, None, self.form, out);
        }
        out.extend_from_slice(b")\r\n");
        self.current = None;
        self.done += 1;
        None
    }
}

impl Current {
    /// Asks for the octets of a piece; where all pieces of the message lie near one another, for all of them.
    fn ask(&mut self, items: &[FetchItem], piece: Piece, out: &mut Vec<u8>) -> FetchNext {
        let described = self.told.described.as_ref();
        let size_bytes = self.told.message.size_bytes;
        let ranges = items[self.item..].iter().filter_map(|item| match item {
            FetchItem::Content(body) => match Piece::of(body, size_bytes, described) {
                Piece::Octets(source) => Some(source.range),
                _ => None,
            },
            _ => None,
        });
        let (mut window, mut count) = (0..0, 0);
        for range in ranges {
            window =
                if count == 0 { range } else { window.start.min(range.start)..window.end.max(range.end) };
            count += 1;
            // What comes behind makes it no smaller.
            if window.end - window.start > WINDOW_BYTES_MAX {
                break;
            }
        }
        let (from, to) = (window.start, window.end);
        let is_raw = matches!(&piece, Piece::Octets(source) if matches!(source.how, How::Raw));
        if to - from <= WINDOW_BYTES_MAX && !(count == 1 && is_raw) {
            self.reading = Reading::Window { from, len: to - from, octets: Vec::new() };
            return content(&self.told, &(from..to));
        }
        let (FetchItem::Content(body), Piece::Octets(source)) = (&items[self.item], piece) else {
            return FetchNext::Broken;
        };
        separate(&mut self.is_first, out);
        item::write_name(body, out);
        let stream = Stream::new(source);
        let next = content(&self.told, &stream.range());
        self.reading = Reading::Stream(Box::new(stream));
        next
    }

    fn write_piece(&self, piece: Piece, out: &mut Vec<u8>) {
        match (piece, &self.reading) {
            (Piece::Fields(taken, partial), _) => piece::write_taken(&taken, partial, out),
            (Piece::Empty, _) => out.extend_from_slice(b"\"\""),
            (Piece::Octets(source), Reading::Read { from, octets }) => {
                piece::write_from(source, octets, *from, out)
            }
            _ => out.extend_from_slice(b"NIL"),
        }
    }
}

fn separate(is_first: &mut bool, out: &mut Vec<u8>) {
    if !std::mem::replace(is_first, false) {
        out.push(b' ');
    }
}

fn content(told: &Told, range: &Range<u64>) -> FetchNext {
    FetchNext::Content { uid: told.message.uid, from: range.start, len: range.end - range.start }
}
