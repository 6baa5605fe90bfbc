//! Reads a message for what only its octets answer: which strings it has, and its [`super::Signature`].
//!
//! What is searched is text as people read it: fields of headers unfolded and with their encoded words decoded, one by one, as
//! `Name: value`; the content of text parts without transfer encoding, as UTF-8. Of text/html that is its source. In the body are
//! all text parts, and the headers of messages within the message; TEXT has the header of the message and those of its parts
//! besides. A string is found where it stands in one field or in one part.
//!
//! Left out on purpose: parts that are no text, and what stands between parts.

use std::ops::Range;

use super::charset::TextDecoder;
use super::field::{self, Field};
use super::fold::fold_into;
use super::plan::{Answers, Place, Question};
use super::signature::SignatureMaker;
use crate::mime::Structure;
use crate::mime::decode::Decoder;

/// Reads one message, in pieces of any size and in bounded memory.
#[derive(Debug)]
pub struct Reading<'q> {
    questions: &'q [Question],
    scope: Scope,
    answers: Vec<Option<bool>>,
    /// Ascending; the one that comes next is the last.
    regions: Vec<Region>,
    /// Of the next octet, from the first one of the message with the delivery's own header.
    position: u64,
    open: Option<Open>,
    signature: Option<SignatureMaker>,
}

/// What is read of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Its header: questions about fields are answered.
    Fields,
    /// All of it: every question is answered.
    Content,
}

/// Octets that are searched.
#[derive(Debug)]
struct Region {
    range: Range<u64>,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    Header(Owner),
    Text { decoder: Decoder, charset: TextDecoder },
}

/// Whose header it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    /// The delivery: fields of the message that not all mailboxes have which have it. They are not in its signature.
    Delivery,
    Message,
    Part,
    /// A message within the message.
    Within,
}

/// The region that is being read.
#[derive(Debug)]
struct Open {
    region: Region,
    /// Of a header, what was not searched yet; of a text, what was and may begin a string.
    held: Vec<u8>,
}

/// Octets of one field that are searched; what is longer is cut.
const FIELD_BYTES_MAX: usize = 1024 * 1024;

impl<'q> Reading<'q> {
    /// Of a message with this structure, behind so many octets of the delivery's own header fields. With
    /// [`Signing::On`] its signature is made, too, which needs [`Scope::Content`].
    #[must_use]
    pub fn new(
        questions: &'q [Question],
        scope: Scope,
        structure: &Structure,
        delivery_header_bytes: u64,
        signing: Signing,
    ) -> Self {
        let mut regions = regions(structure, delivery_header_bytes);
        if scope == Scope::Fields {
            regions.retain(|region| matches!(region.kind, Kind::Header(Owner::Delivery | Owner::Message)));
        }
        regions.reverse();
        Self {
            questions,
            scope,
            answers: vec![None; questions.len()],
            regions,
            position: 0,
            open: None,
            signature: (signing == Signing::On).then(SignatureMaker::new),
        }
    }

    /// The next octets.
    pub fn feed(&mut self, octets: &[u8]) {
        let mut rest = octets;
        while !rest.is_empty() && self.advance() {
            let Some(open) = &mut self.open else { break };
            // Nothing before it is searched.
            let before = open.region.range.start.saturating_sub(self.position);
            let before = usize::try_from(before).unwrap_or(usize::MAX).min(rest.len());
            (self.position, rest) = (self.position + before as u64, &rest[before..]);
            let left = open.region.range.end.saturating_sub(self.position);
            let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
            let (piece, behind) = rest.split_at(taken);
            (self.position, rest) = (self.position + taken as u64, behind);
            if !piece.is_empty() {
                self.search(piece);
            }
        }
        self.position += rest.len() as u64;
    }

    /// Whether nothing that comes matters.
    #[must_use]
    pub fn is_done(&self) -> bool {
        let is_read = self.regions.is_empty()
            && self.open.as_ref().is_none_or(|open| open.region.range.end <= self.position);
        let is_answered = || {
            let asked =
                self.questions.iter().zip(&self.answers).filter(|(question, _)| self.is_asked(question));
            self.signature.is_none() && asked.into_iter().all(|(_, answer)| answer.is_some())
        };
        is_read || is_answered()
    }

    /// The answers, and the signature where it was wanted. What was not found is not there.
    #[must_use]
    pub fn finish(mut self) -> (Answers, Option<Vec<u8>>) {
        self.close();
        for at in 0..self.questions.len() {
            if self.is_asked(&self.questions[at]) {
                self.answers[at].get_or_insert(false);
            }
        }
        (Answers(self.answers), self.signature.map(SignatureMaker::finish))
    }

    fn is_asked(&self, question: &Question) -> bool {
        self.scope == Scope::Content || matches!(question.place, Place::Fields(_))
    }

    /// Opens the region that `position` is in or before; false behind the last one.
    fn advance(&mut self) -> bool {
        loop {
            if self.open.as_ref().is_some_and(|open| self.position < open.region.range.end) {
                return true;
            }
            self.close();
            let Some(region) = self.regions.pop() else { return false };
            self.open = Some(Open { region, held: Vec::new() });
        }
    }

    fn search(&mut self, piece: &[u8]) {
        let Some(mut open) = self.open.take() else { return };
        match &mut open.region.kind {
            Kind::Header(owner) => {
                open.held.extend_from_slice(piece);
                let end = whole_fields(&open.held);
                self.search_fields(&open.held[..end], *owner);
                open.held.drain(..end);
                if open.held.len() > FIELD_BYTES_MAX {
                    // Its head is searched, the rest of it is no field.
                    self.search_fields(&open.held, *owner);
                    open.held.clear();
                }
            }
            Kind::Text { decoder, charset } => {
                let mut decoded = Vec::with_capacity(piece.len());
                decoder.feed(piece, &mut decoded);
                let mut text = String::with_capacity(decoded.len());
                charset.feed(&decoded, &mut text);
                self.search_text(&text, &mut open.held);
            }
        }
        self.open = Some(open);
    }

    /// Ends the region that is open.
    fn close(&mut self) {
        let Some(Open { region, mut held }) = self.open.take() else { return };
        match region.kind {
            Kind::Header(owner) => self.search_fields(&held, owner),
            Kind::Text { mut decoder, mut charset } => {
                let (mut decoded, mut text) = (Vec::new(), String::new());
                decoder.finish(&mut decoded);
                charset.feed(&decoded, &mut text);
                charset.finish(&mut text);
                self.search_text(&text, &mut held);
                if let Some(signature) = &mut self.signature {
                    signature.break_text();
                }
            }
        }
    }

    fn search_fields(&mut self, header: &[u8], owner: Owner) {
        let mut line = String::new();
        for Field { name, value } in field::fields(header) {
            line.clear();
            let value_at = fold_field(Field { name, value }, &mut line);
            let value_folded = &line.as_bytes()[value_at..];
            for (question, answer) in self.questions.iter().zip(&mut self.answers) {
                let is_found = answer.is_none()
                    && match &question.place {
                        Place::Fields(asked) => {
                            matches!(owner, Owner::Delivery | Owner::Message)
                                && asked.as_bytes().eq_ignore_ascii_case(name)
                                && question.needle.is_in(value_folded)
                        }
                        Place::Body => owner == Owner::Within && question.needle.is_in(line.as_bytes()),
                        Place::Text => question.needle.is_in(line.as_bytes()),
                    };
                if is_found {
                    *answer = Some(true);
                }
            }
            if let Some(signature) = self.signature.as_mut().filter(|_| owner != Owner::Delivery) {
                signature.feed(line.as_bytes());
                signature.break_text();
            }
        }
    }

    /// Searches what was held and the next piece of a text, and holds as much of it as may begin a string.
    fn search_text(&mut self, text: &str, held: &mut Vec<u8>) {
        let mut folded = String::with_capacity(text.len());
        fold_into(text, &mut folded);
        if let Some(signature) = &mut self.signature {
            signature.feed(folded.as_bytes());
        }
        held.extend_from_slice(folded.as_bytes());
        let mut hold = 0;
        for (question, answer) in self.questions.iter().zip(&mut self.answers) {
            if answer.is_some() || matches!(question.place, Place::Fields(_)) {
                continue;
            }
            if question.needle.is_in(held) {
                *answer = Some(true);
            } else {
                hold = hold.max(question.needle.folded().len().saturating_sub(1));
            }
        }
        held.drain(..held.len().saturating_sub(hold));
    }
}

/// Whether a signature is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signing {
    /// It is.
    On,
    /// It is not.
    Off,
}

/// Appends a field as it is searched, `NAME: VALUE`; returns where its value begins.
fn fold_field(field: Field<'_>, line: &mut String) -> usize {
    fold_into(&String::from_utf8_lossy(field.name), line);
    line.push_str(": ");
    let value_at = line.len();
    fold_into(&field::text(field.value), line);
    value_at
}

/// The fields of a delivery as they are searched, for [`super::Signature::new`].
#[must_use]
pub fn folded_header(header: &[u8]) -> Vec<u8> {
    let mut lines = String::new();
    for field in field::fields(header) {
        fold_field(field, &mut lines);
        lines.push('\n');
    }
    lines.into_bytes()
}

/// Where the fields end that are whole: behind the last line end of which it is known that nothing folds it.
fn whole_fields(header: &[u8]) -> usize {
    let mut ends = memchr::memrchr_iter(b'\n', header);
    ends.find(|end| header.get(end + 1).is_some_and(|next| !matches!(next, b' ' | b'\t')))
        .map_or(0, |end| end + 1)
}

/// All that is searched, in order.
fn regions(structure: &Structure, delivery_header_bytes: u64) -> Vec<Region> {
    let shifted = |range: Range<u64>| range.start + delivery_header_bytes..range.end + delivery_header_bytes;
    let header = |range, owner| Region { range, kind: Kind::Header(owner) };
    let mut regions = vec![
        header(0..delivery_header_bytes, Owner::Delivery),
        header(shifted(0..structure.header_bytes), Owner::Message),
    ];
    for part in structure.parts() {
        if let Some((_, within)) = part.message() {
            regions.push(header(shifted(within), Owner::Within));
        }
        if part.is_text()
            && let Some(decoder) = part.decoder()
        {
            let charset = TextDecoder::new(part.charset());
            regions.push(Region { range: shifted(part.body()), kind: Kind::Text { decoder, charset } });
        }
    }
    // Those that were pushed already, as that of a message, stay what they are.
    let others = structure.headers().filter(|range| range.start >= structure.header_bytes);
    regions.extend(others.map(|range| header(shifted(range), Owner::Part)));
    regions.sort_by_key(|region| region.range.start);
    let mut end = 0;
    regions.retain(|region| {
        let is_next = !region.range.is_empty() && region.range.start >= end;
        end = end.max(region.range.end);
        is_next
    });
    regions
}

#[cfg(test)]
mod tests;
